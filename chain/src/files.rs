//! Small files that survive a crash: after a power cut there is the old content or the new, never a mixture.

use std::{
	ffi::OsString,
	fs::{self, File, OpenOptions},
	io::{self, Write},
	os::unix::fs::OpenOptionsExt,
	path::{Path, PathBuf},
};

/// Readable and writable by its owner alone.
const PRIVATE: u32 = 0o600;

/// Replaces the content of `path`, on disk when it returns. Creates it with mode 0600, and the folder when missing.
pub fn write_atomic(path: &Path, content: &[u8]) -> io::Result<()> {
	let temporary = write_beside(path, content, File::sync_all)?;
	fs::rename(&temporary, path)
		.and_then(|()| sync_folder(path))
		.inspect_err(|_| drop(fs::remove_file(&temporary)))
}

/// The same for this run of the machine: what is there survives the end of the program, not a power cut. Waits for no disk.
pub fn write_unsynced(path: &Path, content: &[u8]) -> io::Result<()> {
	let temporary = write_beside(path, content, |_| Ok(()))?;
	fs::rename(&temporary, path).inspect_err(|_| drop(fs::remove_file(&temporary)))
}

/// Creates `path` with this content, on disk when it returns; [`io::ErrorKind::AlreadyExists`] where it exists.
pub fn create_atomic(path: &Path, content: &[u8]) -> io::Result<()> {
	let temporary = write_beside(path, content, File::sync_all)?;
	// A hard link, unlike a rename, does not replace what another process put there in the meantime.
	let linked = fs::hard_link(&temporary, path);
	fs::remove_file(&temporary)?;
	linked?;
	sync_folder(path)
}

/// Writes a temporary file in the folder of `path`, and lets `sync` see to it.
fn write_beside(path: &Path, content: &[u8], sync: fn(&File) -> io::Result<()>) -> io::Result<PathBuf> {
	let folder = folder_of(path);
	fs::create_dir_all(folder)?;
	let mut name = OsString::from(".");
	name.push(path.file_name().unwrap_or_default());
	name.push(format!(".{}.{:08x}", std::process::id(), rand::random::<u32>()));
	let temporary = folder.join(name);
	let mut file = OpenOptions::new()
		.write(true)
		.create_new(true)
		.mode(PRIVATE)
		.open(&temporary)?;
	file.write_all(content)
		.and_then(|()| sync(&file))
		.inspect_err(|_| drop(fs::remove_file(&temporary)))?;
	Ok(temporary)
}

/// Removes `path`, for good when it returns; one that is not there is fine.
pub fn remove(path: &Path) -> io::Result<()> {
	match fs::remove_file(path) {
		Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
		_ => sync_folder(path),
	}
}

fn sync_folder(path: &Path) -> io::Result<()> {
	File::open(folder_of(path))?.sync_all()
}

fn folder_of(path: &Path) -> &Path {
	match path.parent() {
		Some(folder) if !folder.as_os_str().is_empty() => folder,
		_ => Path::new("."),
	}
}

#[cfg(test)]
mod tests {
	use super::*;
	use std::os::unix::fs::PermissionsExt;

	#[test]
	fn content_is_replaced_and_nothing_is_left_beside() {
		let dir = tempfile::tempdir().unwrap();
		let path = dir.path().join("new/state");
		write_atomic(&path, b"one").unwrap();
		write_unsynced(&path, b"two").unwrap();
		assert_eq!(fs::read(&path).unwrap(), b"two");
		assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
		assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
	}

	#[test]
	fn create_never_replaces() {
		let dir = tempfile::tempdir().unwrap();
		let path = dir.path().join("key");
		create_atomic(&path, b"one").unwrap();
		let again = create_atomic(&path, b"two").unwrap_err();
		assert_eq!(again.kind(), io::ErrorKind::AlreadyExists);
		assert_eq!(fs::read(&path).unwrap(), b"one");
		assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
	}
}
