//! What a wallet signed and others were given: kept until the chain that it is for says that it is used, or over. It is on disk before
//! anybody sees it, nothing else is signed while it is kept, and one command of a wallet at a time has it in hand. So whoever runs a
//! command again after a failure hands over the same bytes, and pays once.

use clustercast_chain::files;
use serde::{de::DeserializeOwned, Serialize};
use std::{
	fs::{self, File, OpenOptions, TryLockError},
	io,
	os::unix::fs::OpenOptionsExt,
	path::{Path, PathBuf},
};

/// Why nothing is signed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PendingError {
	/// Another command of this wallet is at it.
	#[error("another command of this wallet is not done yet ({} is locked)", .0.display())]
	Busy(PathBuf),
	/// Something that was signed before is still kept.
	#[error("something that was signed before is still open ({})", .0.display())]
	Open(PathBuf),
	/// The disk fails, or what is there cannot be read.
	#[error("{}: {reason}", path.display())]
	Disk {
		/// Which file.
		path: PathBuf,
		/// Why.
		reason: String,
	},
}

/// What one wallet signed last of one kind, if it is open.
#[derive(Debug)]
pub struct Pending<T> {
	path: PathBuf,
	kept: Option<T>,
	/// Held as long as this is.
	_lock: File,
}

fn disk(path: &Path, error: impl ToString) -> PendingError {
	PendingError::Disk {
		path: path.into(),
		reason: error.to_string(),
	}
}

impl<T: Serialize + DeserializeOwned> Pending<T> {
	/// Takes it in hand. `name` tells kind, bridge and wallet.
	pub fn open(folder: &Path, name: &str) -> Result<Self, PendingError> {
		let (path, lock) = (folder.join(format!("{name}.json")), folder.join(format!("{name}.lock")));
		fs::create_dir_all(folder).map_err(|error| disk(folder, error))?;
		let mut options = OpenOptions::new();
		let file = options.create(true).truncate(false).write(true).mode(0o600).open(&lock);
		let file = file.map_err(|error| disk(&lock, error))?;
		file.try_lock().map_err(|error| match error {
			TryLockError::WouldBlock => PendingError::Busy(lock.clone()),
			TryLockError::Error(error) => disk(&lock, error),
		})?;
		let kept = match fs::read(&path) {
			Ok(text) => Some(serde_json::from_slice(&text).map_err(|error| disk(&path, error))?),
			Err(error) if error.kind() == io::ErrorKind::NotFound => None,
			Err(error) => return Err(disk(&path, error)),
		};
		Ok(Self {
			path,
			kept,
			_lock: file,
		})
	}

	/// What is kept.
	pub fn kept(&self) -> Option<&T> {
		self.kept.as_ref()
	}

	/// Keeps what was just signed; on disk when this returns. Refused while something is kept.
	pub fn keep(&mut self, signed: T) -> Result<&T, PendingError> {
		if self.kept.is_some() {
			return Err(PendingError::Open(self.path.clone()));
		}
		let text = serde_json::to_vec(&signed).map_err(|error| disk(&self.path, error))?;
		files::write_atomic(&self.path, &text).map_err(|error| disk(&self.path, error))?;
		Ok(self.kept.insert(signed))
	}

	/// It is used, or over.
	pub fn forget(&mut self) -> Result<(), PendingError> {
		files::remove(&self.path).map_err(|error| disk(&self.path, error))?;
		self.kept = None;
		Ok(())
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn what_was_signed_is_on_disk_and_nothing_else_is_kept_before_it_is_over() {
		let dir = tempfile::tempdir().unwrap();
		let open = || Pending::<u32>::open(dir.path(), "deposit-1").unwrap();
		let mut pending = open();
		assert_eq!(pending.kept(), None);
		assert_eq!(pending.keep(7).unwrap(), &7);
		assert!(matches!(pending.keep(8), Err(PendingError::Open(_))));
		drop(pending);
		let mut again = open();
		assert_eq!(again.kept(), Some(&7));
		assert!(matches!(again.keep(8), Err(PendingError::Open(_))));
		again.forget().unwrap();
		assert_eq!(again.keep(8).unwrap(), &8);
	}

	#[test]
	fn two_commands_of_a_wallet_are_never_between_reading_and_writing_at_once() {
		let dir = tempfile::tempdir().unwrap();
		let first = Pending::<u32>::open(dir.path(), "action-1").unwrap();
		let second = Pending::<u32>::open(dir.path(), "action-1");
		assert!(matches!(second, Err(PendingError::Busy(_))), "{second:?}");
		assert!(Pending::<u32>::open(dir.path(), "action-2").is_ok(), "another wallet");
		drop(first);
		assert!(Pending::<u32>::open(dir.path(), "action-1").is_ok());
	}

	#[test]
	fn what_cannot_be_read_is_not_taken_for_nothing() {
		let dir = tempfile::tempdir().unwrap();
		fs::write(dir.path().join("deposit-1.json"), "{").unwrap();
		let error = Pending::<u32>::open(dir.path(), "deposit-1").unwrap_err();
		assert!(matches!(error, PendingError::Disk { .. }), "{error}");
	}
}
