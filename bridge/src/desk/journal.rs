//! What was taken, on disk before it is answered: a file for each order, named by its id, replaced whole. So an agent that was killed
//! goes on where it was, and the same bytes given twice are one order.

use crate::wire::{Request, State};
use anyhow::{ensure, Context};
use clustercast_chain::files;
use clustercast_primitives::Hash;
use serde::{Deserialize, Serialize};
use std::{
	collections::BTreeMap,
	fs,
	path::{Path, PathBuf},
};

/// Orders that are not final yet, at most.
pub(crate) const MAX_OPEN: usize = 1_000;

/// Final ones that are kept to be asked for, at most; and for so long, seconds.
const MAX_CLOSED: usize = 10_000;
const KEPT: u64 = 7 * 86_400;

/// Something taken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Entry {
	pub(crate) request: Request,
	pub(crate) state: State,
	/// When, seconds since 1970 by our clock.
	pub(crate) taken: u64,
	/// A deposit: block of the L2 behind which it is to be found. An action: number of the first withdrawal that can be its.
	pub(crate) from: u64,
}

/// All of them.
pub(crate) struct Journal {
	folder: PathBuf,
	entries: BTreeMap<Hash, Entry>,
}

impl Journal {
	/// Reads what is there. The folder is one bridge's; `bridge` names it.
	pub(crate) fn open(folder: &Path, bridge: &str) -> anyhow::Result<Self> {
		fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
		let mark = folder.join("bridge");
		match fs::read_to_string(&mark) {
			Ok(found) => ensure!(
				found == bridge,
				"{} belongs to another bridge: {found}, not {bridge}",
				folder.display()
			),
			Err(_) => files::write_atomic(&mark, bridge.as_bytes()).with_context(|| mark.display().to_string())?,
		}
		let mut entries = BTreeMap::new();
		for file in fs::read_dir(folder).with_context(|| folder.display().to_string())? {
			let path = file?.path();
			let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
			// What a crash left of a file that was being written begins with a dot.
			let Some(id) = name.strip_suffix(".json").and_then(|id| id.parse::<Hash>().ok()) else {
				continue;
			};
			let text = fs::read(&path).with_context(|| path.display().to_string())?;
			let entry = serde_json::from_slice(&text).with_context(|| path.display().to_string())?;
			entries.insert(id, entry);
		}
		Ok(Self {
			folder: folder.into(),
			entries,
		})
	}

	pub(crate) fn get(&self, id: &Hash) -> Option<&Entry> {
		self.entries.get(id)
	}

	/// Those that are not final.
	pub(crate) fn open_entries(&self) -> impl Iterator<Item = (&Hash, &Entry)> {
		self.entries.iter().filter(|(_, entry)| !entry.state.is_final())
	}

	pub(crate) fn is_full(&self) -> bool {
		self.open_entries().count() >= MAX_OPEN
	}

	/// Keeps it; on disk when this returns.
	pub(crate) fn put(&mut self, id: Hash, entry: Entry) -> anyhow::Result<()> {
		let path = self.path(&id);
		let text = serde_json::to_vec(&entry)?;
		files::write_atomic(&path, &text).with_context(|| path.display().to_string())?;
		self.entries.insert(id, entry);
		Ok(())
	}

	/// How far it is by now; nothing is written where that is what is known.
	pub(crate) fn set(&mut self, id: &Hash, state: State) -> anyhow::Result<()> {
		match self.entries.get(id) {
			Some(entry) if entry.state != state => {
				let entry = Entry { state, ..entry.clone() };
				self.put(*id, entry)
			},
			_ => Ok(()),
		}
	}

	/// Whether an order other than `id` is known to be this deposit, or this withdrawal.
	pub(crate) fn is_claimed(&self, id: &Hash, number: u64, is_deposit: bool) -> bool {
		self.entries.iter().any(|(other, entry)| {
			let (deposit, withdrawal) = numbers(&entry.state);
			other != id && Some(number) == if is_deposit { deposit } else { withdrawal }
		})
	}

	/// Forgets final ones that are old, or too many.
	pub(crate) fn prune(&mut self, now: u64) {
		let mut closed: Vec<_> = self
			.entries
			.iter()
			.filter(|(_, entry)| entry.state.is_final())
			.map(|(id, entry)| (entry.taken, *id))
			.collect();
		closed.sort();
		let surplus = closed.len().saturating_sub(MAX_CLOSED);
		for (place, (taken, id)) in closed.into_iter().enumerate() {
			if place < surplus || taken.saturating_add(KEPT) < now {
				// One that cannot be removed is forgotten with the next start.
				let _ = files::remove(&self.path(&id));
				self.entries.remove(&id);
			}
		}
	}

	fn path(&self, id: &Hash) -> PathBuf {
		self.folder.join(format!("{id}.json"))
	}
}

/// The deposit or the withdrawal that an order is known to be.
fn numbers(state: &State) -> (Option<u64>, Option<u64>) {
	match state {
		State::OnL2 { deposit, .. }
		| State::Attested { deposit, .. }
		| State::Usable { deposit, .. }
		| State::Stranded { deposit, .. } => (Some(*deposit), None),
		State::Queued { withdrawal } | State::Released { withdrawal } | State::Paid { withdrawal } => {
			(None, Some(*withdrawal))
		},
		_ => (None, None),
	}
}

#[cfg(test)]
mod tests {
	use super::*;
	use crate::wire::tests::{deposit, TOKEN, VAULT};

	fn entry(key: u8, state: State, taken: u64) -> (Hash, Entry) {
		let deposit = deposit(key, |_| {});
		let entry = Entry {
			state,
			taken,
			from: 7,
			request: Request::Deposit(deposit.clone()),
		};
		(deposit.digest(VAULT, &TOKEN), entry)
	}

	fn usable(number: u64) -> State {
		State::Usable {
			transaction: Hash([1; 32]),
			deposit: number,
		}
	}

	#[test]
	fn what_was_taken_is_there_after_a_restart_as_it_was_last() {
		let dir = tempfile::tempdir().unwrap();
		let open = || Journal::open(dir.path(), "a").unwrap();
		let (id, entry) = entry(1, State::Waiting { reason: None }, 1);
		let mut journal = open();
		journal.put(id, entry.clone()).unwrap();
		assert_eq!(open().get(&id), Some(&entry));
		let sent = State::Sent {
			transaction: Some(Hash([9; 32])),
		};
		journal.set(&id, sent.clone()).unwrap();
		// A crash while a file was written leaves such a one.
		fs::write(dir.path().join(".0x12.json.1"), "{").unwrap();
		assert_eq!(open().get(&id).unwrap().state, sent);
		assert_eq!(open().open_entries().count(), 1);
		journal.set(&id, usable(3)).unwrap();
		assert_eq!(open().open_entries().count(), 0);
		assert!(!journal.is_claimed(&id, 3, true), "by itself");
		assert!(journal.is_claimed(&Hash([0; 32]), 3, true));
		assert!(!journal.is_claimed(&Hash([0; 32]), 3, false), "that is a withdrawal");
	}

	#[test]
	fn folder_of_another_bridge_is_refused() {
		let dir = tempfile::tempdir().unwrap();
		Journal::open(dir.path(), "a").unwrap();
		let error = Journal::open(dir.path(), "b").err().unwrap();
		assert!(error.to_string().contains("another bridge"), "{error}");
	}

	#[test]
	fn final_ones_are_forgotten_after_a_week_and_open_ones_never() {
		let dir = tempfile::tempdir().unwrap();
		let mut journal = Journal::open(dir.path(), "a").unwrap();
		let (old, young, open) = (
			entry(1, usable(1), 0),
			entry(2, usable(2), 86_400),
			entry(3, State::Waiting { reason: None }, 0),
		);
		for (id, entry) in [&old, &young, &open] {
			journal.put(*id, entry.clone()).unwrap();
		}
		journal.prune(KEPT + 1);
		let again = Journal::open(dir.path(), "a").unwrap();
		for journal in [journal, again] {
			assert_eq!(journal.get(&old.0), None);
			assert!(journal.get(&young.0).is_some() && journal.get(&open.0).is_some());
		}
	}
}
