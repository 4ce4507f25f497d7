//! What was signed last, in a small file that is on disk before the signature exists. A node that restarts after the L2
//! was reorganised, or that is given other endpoints, never signs a second statement about a block.
//!
//! The rule is stricter than that and needs one record only: nothing is signed about a block before the last one.
//!
//! The file: genesis hash of the chain, then the attestation, SCALE. One of another chain is replaced: signatures are
//! bound to their chain.

use clustercast_primitives::{bridge::Attestation, Hash};
use codec::{DecodeAll, Encode};
use std::{
	fs::{self, File},
	io::{self, Write},
	path::{Path, PathBuf},
};

const FILE: &str = "l2-attested";

/// Why the journal cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
	#[error("{}: {error}", .path.display())]
	File { path: PathBuf, error: io::Error },
	#[error("{} is damaged; delete it only if this key signed nothing since, on any machine", .0.display())]
	Damaged(PathBuf),
}

/// Why a statement is not signed.
#[derive(Debug, thiserror::Error)]
pub enum Withheld {
	#[error("contradicts what was signed of L2 block {} before: was the L2 reorganised below its final block?", .0.l2_block)]
	Contradiction(Attestation),
	#[error("L2 block {found} is before block {signed}, of which a statement was signed")]
	Earlier { signed: u64, found: u64 },
	#[error(transparent)]
	Journal(#[from] JournalError),
}

/// The last statement of this node about the vault.
pub struct Journal {
	path: PathBuf,
	genesis: Hash,
	last: Option<Attestation>,
}

impl Journal {
	/// Reads it from the chain's folder, where there is one.
	pub fn open(folder: &Path, genesis: Hash) -> Result<Self, JournalError> {
		let path = folder.join(FILE);
		let last = match fs::read(&path) {
			Ok(raw) => match <(Hash, Attestation)>::decode_all(&mut &raw[..]) {
				Ok((chain, last)) => (chain == genesis).then_some(last),
				Err(_) => return Err(JournalError::Damaged(path)),
			},
			Err(error) if error.kind() == io::ErrorKind::NotFound => None,
			Err(error) => return Err(JournalError::File { path, error }),
		};
		Ok(Self { path, genesis, last })
	}

	/// Must be called before `statement` is signed; signing it is safe when this returns without error, and again after.
	pub fn record(&mut self, statement: &Attestation) -> Result<(), Withheld> {
		if let Some(last) = &self.last {
			if last == statement {
				return Ok(());
			}
			if last.contradicts(statement) {
				return Err(Withheld::Contradiction(*last));
			}
			let (signed, found) = (last.l2_block, statement.l2_block);
			if found < signed {
				return Err(Withheld::Earlier { signed, found });
			}
		}
		self.write(statement).map_err(|error| JournalError::File {
			path: self.path.clone(),
			error,
		})?;
		self.last = Some(*statement);
		Ok(())
	}

	/// After a power cut there is the old record or the new one.
	fn write(&self, statement: &Attestation) -> io::Result<()> {
		let folder = self.path.parent().unwrap_or(Path::new("."));
		fs::create_dir_all(folder)?;
		let beside = self.path.with_extension("new");
		let mut file = File::create(&beside)?;
		file.write_all(&(self.genesis, statement).encode())?;
		file.sync_all()?;
		fs::rename(&beside, &self.path)?;
		File::open(folder)?.sync_all()
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	const GENESIS: Hash = Hash([1; 32]);
	const STATEMENT: Attestation = Attestation {
		l2: 8_453,
		kind: 0,
		l2_block: 16,
		l2_hash: Hash([2; 32]),
		root: Hash([3; 32]),
		count: 4,
		light_client_block: 5,
	};

	fn open(folder: &Path) -> Journal {
		Journal::open(folder, GENESIS).unwrap()
	}

	#[test]
	fn a_block_is_spoken_of_once_even_after_a_restart() {
		let dir = tempfile::tempdir().unwrap();
		let folder = dir.path().join("chains/dev");
		open(&folder).record(&STATEMENT).unwrap();
		for reorganised in [
			Attestation {
				l2_hash: Hash([9; 32]),
				..STATEMENT
			},
			Attestation {
				root: Hash([9; 32]),
				..STATEMENT
			},
			Attestation { count: 5, ..STATEMENT },
			Attestation {
				light_client_block: 6,
				..STATEMENT
			},
		] {
			let withheld = open(&folder).record(&reorganised).unwrap_err();
			assert!(matches!(withheld, Withheld::Contradiction(last) if last == STATEMENT));
		}
		open(&folder).record(&STATEMENT).unwrap();
	}

	#[test]
	fn nothing_is_signed_of_earlier_blocks() {
		let dir = tempfile::tempdir().unwrap();
		let mut journal = open(dir.path());
		journal.record(&STATEMENT).unwrap();
		let earlier = Attestation {
			l2_block: 15,
			..STATEMENT
		};
		let withheld = journal.record(&earlier).unwrap_err();
		assert!(matches!(withheld, Withheld::Earlier { signed: 16, found: 15 }));
		let later = Attestation {
			l2_block: 17,
			count: 5,
			..STATEMENT
		};
		journal.record(&later).unwrap();
		assert!(matches!(
			open(dir.path()).record(&STATEMENT).unwrap_err(),
			Withheld::Earlier { signed: 17, found: 16 }
		));
	}

	#[test]
	fn record_of_another_chain_says_nothing_here() {
		let dir = tempfile::tempdir().unwrap();
		open(dir.path()).record(&STATEMENT).unwrap();
		let earlier = Attestation {
			l2_block: 8,
			..STATEMENT
		};
		let mut other = Journal::open(dir.path(), Hash([7; 32])).unwrap();
		other.record(&earlier).unwrap();
	}

	#[test]
	fn damaged_or_unwritable_journal_stops_signing() {
		let dir = tempfile::tempdir().unwrap();
		let path = dir.path().join(FILE);
		fs::write(&path, [0; 120]).unwrap();
		assert!(matches!(
			Journal::open(dir.path(), GENESIS).map(|_| ()).unwrap_err(),
			JournalError::Damaged(_)
		));
		fs::remove_file(&path).unwrap();
		let mut journal = open(&dir.path().join("folder"));
		fs::write(dir.path().join("folder"), b"a file where the folder should be").unwrap();
		assert!(matches!(
			journal.record(&STATEMENT),
			Err(Withheld::Journal(JournalError::File { .. }))
		));
		assert_eq!(journal.last, None);
	}
}
