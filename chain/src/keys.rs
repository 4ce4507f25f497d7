//! Ed25519 key files: the 32-byte seed as 64 hexadecimal digits and a line feed, readable by the owner alone.

use crate::{error::KeyError, files};
use clustercast_primitives::crypto::KeyPair;
use rand::{rngs::OsRng, RngCore};
use std::{fs, io, os::unix::fs::PermissionsExt, path::Path};

/// The key pair in the file; a fresh one when the file does not exist.
pub fn load_or_create(path: &Path) -> Result<KeyPair, KeyError> {
	load_or_create_seed(path).map(KeyPair::from_seed)
}

/// The seed in the file; a fresh one, from the operating system, when the file does not exist.
pub fn load_or_create_seed(path: &Path) -> Result<[u8; 32], KeyError> {
	let file_error = |error| KeyError::File {
		path: path.into(),
		error,
	};
	match read_private(path) {
		Err(KeyError::File { error, .. }) if error.kind() == io::ErrorKind::NotFound => {
			let mut seed = [0; 32];
			OsRng.fill_bytes(&mut seed);
			match files::create_atomic(path, format!("{}\n", hex::encode(seed)).as_bytes()) {
				Ok(()) => Ok(seed),
				// Another process was faster: its key counts.
				Err(error) if error.kind() == io::ErrorKind::AlreadyExists => parse(path, &read_private(path)?),
				Err(error) => Err(file_error(error)),
			}
		},
		text => parse(path, &text?),
	}
}

/// The seed in the file, which must exist.
pub fn load_seed(path: &Path) -> Result<[u8; 32], KeyError> {
	parse(path, &read_private(path)?)
}

/// Text of a file that nobody but its owner may read.
pub(crate) fn read_private(path: &Path) -> Result<String, KeyError> {
	let file_error = |error| KeyError::File {
		path: path.into(),
		error,
	};
	let mode = fs::metadata(path).map_err(file_error)?.permissions().mode() & 0o777;
	if mode & 0o077 != 0 {
		return Err(KeyError::Exposed {
			path: path.into(),
			mode,
		});
	}
	fs::read_to_string(path).map_err(file_error)
}

/// The seed that the text of a key file holds.
pub(crate) fn parse(path: &Path, text: &str) -> Result<[u8; 32], KeyError> {
	let mut seed = [0; 32];
	hex::decode_to_slice(text.trim().trim_start_matches("0x"), &mut seed)
		.map_err(|_| KeyError::Malformed { path: path.into() })?;
	Ok(seed)
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn key_is_created_once_and_read_ever_after() {
		let dir = tempfile::tempdir().unwrap();
		let path = dir.path().join("identity");
		let created = load_or_create(&path).unwrap().public();
		assert_eq!(load_or_create(&path).unwrap().public(), created);
		assert_ne!(
			load_or_create(&dir.path().join("other")).unwrap().public(),
			created,
			"keys are random"
		);
		assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
	}

	#[test]
	fn malformed_and_exposed_files_are_refused_and_kept() {
		let dir = tempfile::tempdir().unwrap();
		let path = dir.path().join("identity");
		files::create_atomic(&path, b"abcd").unwrap();
		assert!(matches!(load_or_create(&path), Err(KeyError::Malformed { .. })));
		assert_eq!(fs::read(&path).unwrap(), b"abcd");
		fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
		assert!(matches!(
			load_or_create(&path),
			Err(KeyError::Exposed { mode: 0o640, .. })
		));
	}
}
