//! What was taken, on disk before it is answered: a file for each order, named by its id, replaced whole. So an agent that was killed
//! goes on where it was, and the same bytes given twice are one order.

use crate::wire::{Refusal, Request, State};
use anyhow::{bail, ensure, Context};
use clustercast_chain::files;
use clustercast_primitives::{Balance, BlockNumber, EthereumAddress, Hash};
use serde::{Deserialize, Serialize};
use std::{
	collections::BTreeMap,
	fs::{self, File},
	io::ErrorKind,
	path::{Path, PathBuf},
};

/// Orders that are not final yet, at most.
pub(crate) const MAX_OPEN: usize = 1_000;

/// Of one wallet, so that nobody takes all the room: deposits, and actions. One action may make the next one fail.
const OPEN_DEPOSITS: usize = 3;
const OPEN_ACTIONS: usize = 1;

/// Final ones that are kept to be asked for, at most; and for so long, seconds.
const MAX_CLOSED: usize = 10_000;
pub(crate) const KEPT: u64 = 7 * 86_400;

/// Something taken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Entry {
	pub(crate) request: Request,
	pub(crate) state: State,
	/// When, seconds since 1970 by our clock.
	pub(crate) taken: u64,
	/// Block of the L2 behind which a deposit is to be found.
	pub(crate) from: u64,
	/// Block of the chain behind which an action, or a deposit's import, is to be found.
	pub(crate) since: BlockNumber,
	/// A transaction of ours for it ran and failed: none is sent again.
	pub(crate) has_failed: bool,
	/// Nothing is left to do for it. What becomes of it is looked up when somebody asks.
	pub(crate) is_done: bool,
}

impl Entry {
	pub(crate) fn is_open(&self) -> bool {
		!self.is_done && !self.state.is_final()
	}
}

/// All of them.
pub(crate) struct Journal {
	folder: PathBuf,
	entries: BTreeMap<Hash, Entry>,
	/// Held as long as this is.
	_lock: File,
}

impl Journal {
	/// Reads what is there. The folder is one bridge's, which `bridge` names, and one agent's at a time.
	pub(crate) fn open(folder: &Path, bridge: &str) -> anyhow::Result<Self> {
		fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
		let lock = folder.join("lock");
		let file = File::create(&lock).with_context(|| lock.display().to_string())?;
		file.try_lock()
			.with_context(|| format!("{} is another agent's", folder.display()))?;
		let mark = folder.join("bridge");
		match fs::read_to_string(&mark) {
			Ok(found) => ensure!(
				found == bridge,
				"{} belongs to another bridge: {found}, not {bridge}",
				folder.display()
			),
			Err(error) if error.kind() == ErrorKind::NotFound => {
				files::write_atomic(&mark, bridge.as_bytes()).with_context(|| mark.display().to_string())?
			},
			Err(error) => bail!("{}: {error}", mark.display()),
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
			_lock: file,
		})
	}

	pub(crate) fn get(&self, id: &Hash) -> Option<&Entry> {
		self.entries.get(id)
	}

	/// Those for which something is left to do.
	pub(crate) fn open_entries(&self) -> impl Iterator<Item = (&Hash, &Entry)> {
		self.entries.iter().filter(|(_, entry)| entry.is_open())
	}

	/// Whether there is room for another order of this wallet.
	pub(crate) fn room(&self, request: &Request) -> Result<(), Refusal> {
		if self.open_entries().count() >= MAX_OPEN {
			return Err(Refusal::Busy);
		}
		let (is_action, wallet) = (matches!(request, Request::Action(_)), request.wallet());
		let same = |entry: &Entry| {
			matches!(entry.request, Request::Action(_)) == is_action && entry.request.wallet() == wallet
		};
		let most = if is_action { OPEN_ACTIONS } else { OPEN_DEPOSITS };
		match self.open_entries().filter(|(_, entry)| same(entry)).count() {
			open if open >= most => Err(Refusal::Underway { most }),
			_ => Ok(()),
		}
	}

	/// USDC of a wallet that its open deposits will take, micro-USDC.
	pub(crate) fn owed(&self, wallet: &EthereumAddress) -> Balance {
		let sums = self
			.open_entries()
			.filter_map(|(_, entry)| match (&entry.request, &entry.state) {
				(Request::Deposit(deposit), State::Waiting { .. } | State::Sent { .. })
					if deposit.depositor == *wallet =>
				{
					Some(deposit.amount.saturating_add(deposit.fee))
				},
				_ => None,
			});
		sums.fold(0, Balance::saturating_add)
	}

	/// Keeps it; on disk when this returns.
	pub(crate) fn put(&mut self, id: Hash, entry: Entry) -> anyhow::Result<()> {
		let path = self.path(&id);
		let text = serde_json::to_vec(&entry)?;
		files::write_atomic(&path, &text).with_context(|| path.display().to_string())?;
		self.entries.insert(id, entry);
		Ok(())
	}

	/// Changes it; nothing is written where that changes nothing.
	pub(crate) fn change(&mut self, id: &Hash, change: impl FnOnce(&mut Entry)) -> anyhow::Result<()> {
		let Some(entry) = self.entries.get(id) else {
			return Ok(());
		};
		let mut changed = entry.clone();
		change(&mut changed);
		match changed == *entry {
			true => Ok(()),
			false => self.put(*id, changed),
		}
	}

	/// Whether an order other than `id` is known to be this deposit.
	pub(crate) fn is_claimed(&self, id: &Hash, number: u64) -> bool {
		self.entries
			.iter()
			.any(|(other, entry)| other != id && deposit_in(&entry.state) == Some(number))
	}

	/// Forgets final ones that are old, or too many.
	pub(crate) fn prune(&mut self, now: u64) {
		let mut closed: Vec<_> = self
			.entries
			.iter()
			.filter(|(_, entry)| !entry.is_open())
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

/// The deposit that an order is known to be.
fn deposit_in(state: &State) -> Option<u64> {
	match state {
		State::OnL2 { deposit, .. }
		| State::Attested { deposit, .. }
		| State::Usable { deposit, .. }
		| State::Stranded { deposit, .. } => Some(*deposit),
		_ => None,
	}
}

#[cfg(test)]
mod tests {
	use super::*;
	use crate::{
		signing::SignedAction,
		wire::tests::{deposit, TOKEN, VAULT},
	};
	use clustercast_primitives::{bridge::EthereumAction, EthereumSignature};

	fn entry(key: u8, state: State, taken: u64) -> (Hash, Entry) {
		let deposit = deposit(key, |_| {});
		let id = deposit.digest(VAULT, &TOKEN);
		(id, of(Request::Deposit(deposit), state, taken))
	}

	fn of(request: Request, state: State, taken: u64) -> Entry {
		Entry {
			request,
			state,
			taken,
			from: 7,
			since: 8,
			has_failed: false,
			is_done: false,
		}
	}

	fn action(signer: u8, nonce: u64) -> Request {
		let action = EthereumAction::Collect {
			tip: 1,
			nonce,
			deadline: 9,
		};
		Request::Action(SignedAction {
			signer: EthereumAddress([signer; 20]),
			action,
			signature: EthereumSignature([0; 65]),
		})
	}

	const WAITING: State = State::Waiting { reason: None };

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
		let (id, entry) = entry(1, WAITING, 1);
		open().put(id, entry.clone()).unwrap();
		assert_eq!(open().get(&id), Some(&entry));
		let sent = State::Sent {
			transaction: Some(Hash([9; 32])),
		};
		open().change(&id, |entry| entry.state = sent.clone()).unwrap();
		// A crash while a file was written leaves such a one.
		fs::write(dir.path().join(".0x12.json.1"), "{").unwrap();
		let mut journal = open();
		assert_eq!(journal.get(&id).unwrap().state, sent);
		assert_eq!(journal.open_entries().count(), 1);
		journal.change(&id, |entry| entry.state = usable(3)).unwrap();
		assert_eq!(journal.open_entries().count(), 0);
		assert!(!journal.is_claimed(&id, 3), "by itself");
		assert!(journal.is_claimed(&Hash([0; 32]), 3));
	}

	#[test]
	fn folder_of_another_bridge_or_of_a_running_agent_is_refused() {
		let dir = tempfile::tempdir().unwrap();
		let open = |bridge| Journal::open(dir.path(), bridge);
		let running = open("a").unwrap();
		let error = open("a").err().unwrap();
		assert!(error.to_string().contains("another agent"), "{error}");
		drop(running);
		let error = open("b").err().unwrap();
		assert!(error.to_string().contains("another bridge"), "{error}");
		// A mark that cannot be read is not one that is missing.
		fs::remove_file(dir.path().join("bridge")).unwrap();
		fs::create_dir(dir.path().join("bridge")).unwrap();
		assert!(open("b").is_err());
	}

	#[test]
	fn open_orders_of_a_wallet_are_few_and_take_no_others_place() {
		let dir = tempfile::tempdir().unwrap();
		let mut journal = Journal::open(dir.path(), "a").unwrap();
		let deposits = |nonce| Request::Deposit(deposit(1, |d| d.valid_after = nonce));
		for nonce in 0..3 {
			assert_eq!(journal.room(&deposits(nonce)), Ok(()));
			let id = Hash([nonce as u8; 32]);
			journal.put(id, of(deposits(nonce), WAITING, 0)).unwrap();
		}
		assert_eq!(journal.room(&deposits(3)), Err(Refusal::Underway { most: 3 }));
		assert_eq!(journal.room(&Request::Deposit(deposit(2, |_| {}))), Ok(()));
		let wallet = deposits(0).wallet();
		assert_eq!(journal.owed(&wallet), 3 * 20_002_200);
		journal.change(&Hash([0; 32]), |entry| entry.state = usable(1)).unwrap();
		assert_eq!(
			(journal.room(&deposits(3)), journal.owed(&wallet)),
			(Ok(()), 2 * 20_002_200)
		);

		journal.put(Hash([9; 32]), of(action(1, 1), WAITING, 0)).unwrap();
		assert_eq!(journal.room(&action(1, 2)), Err(Refusal::Underway { most: 1 }));
		assert_eq!(journal.room(&action(2, 2)), Ok(()));
		// A withdrawal that nobody executes is open for nobody.
		let queued = State::Queued { withdrawal: 3 };
		let done = |entry: &mut Entry| (entry.state, entry.is_done) = (queued, true);
		journal.change(&Hash([9; 32]), done).unwrap();
		assert_eq!(journal.room(&action(1, 2)), Ok(()));
	}

	#[test]
	fn closed_ones_are_forgotten_after_a_week_and_open_ones_never() {
		let dir = tempfile::tempdir().unwrap();
		let mut journal = Journal::open(dir.path(), "a").unwrap();
		let mut done = entry(4, State::Queued { withdrawal: 3 }, 0);
		done.1.is_done = true;
		let (old, young, open) = (
			entry(1, usable(1), 0),
			entry(2, usable(2), 86_400),
			entry(3, WAITING, 0),
		);
		for (id, entry) in [&old, &young, &open, &done] {
			journal.put(*id, entry.clone()).unwrap();
		}
		journal.prune(KEPT + 1);
		let check = |journal: Journal| {
			assert_eq!((journal.get(&old.0), journal.get(&done.0)), (None, None));
			assert!(journal.get(&young.0).is_some() && journal.get(&open.0).is_some());
		};
		check(journal);
		check(Journal::open(dir.path(), "a").unwrap());
	}
}
