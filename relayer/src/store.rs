//! Winning tickets and vouchers on disk (redb). Every winner from the moment it is accepted until the chain's finalised
//! answer, then a bounded history; the newest [voucher](vouchers) of each session. Each method is one transaction, durable
//! (fsync) when it returns.
//!
//! | table | key | value |
//! | --- | --- | --- |
//! | `winners` | serial | [`Winner`]: not settled yet |
//! | `settled` | serial | [`Settled`]: paid, expired or refused; pruned, oldest first |
//! | `spent` | session ‖ nonce | serial of the winner that has this nonce |
//! | `paid` | id of a ticket | [`Payout`]: a finalised event says so, and it is not settled yet |
//! | `released` | session | counter of the reservation that we released, or tried to |
//! | `meta` | `genesis`, `totals`, `scanned`, `probe` | the chain this belongs to; [`Totals`]; the last block whose events were read; nothing |
//!
//! A winner is in exactly one of `winners` and `settled`, and has one row in `spent`.

mod vessel;
pub mod vouchers;

pub use vouchers::{Kept, VoucherOutcome, VoucherSums};

use clustercast_primitives::{
	chain::{Payout, TicketRefusal},
	Balance, BlockNumber, Hash, PublicKey, Ticket, WinningTicket,
};
use codec::{Decode, DecodeAll, Encode};
use redb::{Database, ReadableTable, ReadableTableMetadata, TableDefinition, WriteTransaction};
use std::path::Path;
use vessel::{Room, Vessel};

const WINNERS: TableDefinition<u64, &[u8]> = TableDefinition::new("winners");
const SETTLED: TableDefinition<u64, &[u8]> = TableDefinition::new("settled");
const SPENT: TableDefinition<&[u8; NONCE_KEY], u64> = TableDefinition::new("spent");
const PAID: TableDefinition<&[u8; 32], &[u8]> = TableDefinition::new("paid");
const RELEASED: TableDefinition<&[u8; KEY], u32> = TableDefinition::new("released");
const META: TableDefinition<&str, &[u8]> = TableDefinition::new("meta");

/// Bytes of a session key.
const KEY: usize = 32;

const NONCE_KEY: usize = KEY + 8;

/// redb's own default is a gigabyte; the whole database is a few megabytes.
const CACHE_BYTES: usize = 8 << 20;

/// Winners that may wait for redemption. At 100 a batch this is far more than the chain pays within a ticket's life,
/// so more would only be promises that cannot be kept.
pub const MAX_WINNERS: u64 = 20_000;

/// Settled winners kept as history once their tickets have expired. About 500 bytes each.
pub const MAX_SETTLED: u64 = 10_000;

/// Sessions whose last release is remembered: needed for seconds, until it is final.
const MAX_RELEASED: u64 = 20_000;

/// Settled winners looked at for pruning in one transaction: bounds how long a redemption holds the lock.
const PRUNE_STEP: usize = 1_000;

/// Why the store refuses.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
	/// Another winner of this session has this nonce (or it is this very ticket): the chain pays only one.
	#[error("a winning ticket with this nonce is stored already")]
	NonceSpent,
	/// [`MAX_WINNERS`] wait.
	#[error("{MAX_WINNERS} winning tickets wait for redemption; accepting no more")]
	Full,
	/// The tickets in it are for another chain.
	#[error("belongs to the chain with genesis {found}, not {expected}")]
	OtherChain {
		/// In the store.
		found: Hash,
		/// Of the chain in use.
		expected: Hash,
	},
	/// Another process has it open.
	#[error("in use by another process")]
	InUse,
	/// Nothing can be written. Reading goes on.
	#[error("the disk is full")]
	NoRoom,
	/// It failed a moment ago, and is opened again by itself.
	#[error("failed a moment ago")]
	Closed,
	/// A record does not decode.
	#[error("damaged record: {0}")]
	Damaged(#[from] codec::Error),
	/// The database failed.
	#[error(transparent)]
	Database(Box<redb::Error>),
}

macro_rules! from_database {
	($($error:ty),*) => {$(
		impl From<$error> for Error {
			fn from(error: $error) -> Self {
				match error.into() {
					redb::Error::DatabaseAlreadyOpen => Self::InUse,
					other => Self::Database(Box::new(other)),
				}
			}
		}
	)*};
}

from_database!(
	redb::DatabaseError,
	redb::TransactionError,
	redb::TableError,
	redb::StorageError,
	redb::CommitError
);

/// That a winner may be on its way to the chain: recorded before it is sent, so no crash can make us forget it.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Posted {
	/// When it was posted last, Unix ms.
	pub at_ms: u64,
	/// How often.
	pub times: u32,
	/// Finalised block when it was posted first: no event of before can be its.
	pub since: BlockNumber,
	/// Hash of the last extrinsic that carried it; `None` while its submission is not confirmed.
	pub transaction: Option<Hash>,
}

/// A winner that is not settled.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Winner {
	/// What is redeemed.
	pub ticket: WinningTicket,
	/// When it was accepted, Unix ms.
	pub stored_ms: u64,
	/// Set once it may have reached the chain.
	pub posted: Option<Posted>,
	/// The chain's last refusal that is not final, and how many there were.
	pub refused: Option<(TicketRefusal, u32)>,
	/// Not tried before this, Unix ms.
	pub retry_ms: u64,
}

impl Winner {
	/// As the viewer signed it.
	pub fn message(&self) -> &Ticket {
		&self.ticket.signed.message
	}
}

/// What became of a winner, by the finalised chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Outcome {
	/// Redeemed, with these shares.
	Paid(Payout),
	/// Not redeemed in time: a loss.
	Expired,
	/// Never will be: a loss.
	Refused(TicketRefusal),
}

/// A winner whose fate is final.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Settled {
	/// As it was.
	pub winner: Winner,
	/// When we learned of it, Unix ms.
	pub settled_ms: u64,
	/// What became of it.
	pub outcome: Outcome,
}

/// Sums over all time; pruning does not touch them. Amounts in micro-USDC of face value unless said otherwise.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct Totals {
	/// Winners ever stored; the next one's serial.
	pub stored: u64,
	/// Winners paid.
	pub paid: u64,
	/// Face value paid.
	pub paid_value: Balance,
	/// The relayer's own share of it.
	pub earned: Balance,
	/// Winners expired or refused.
	pub lost: u64,
	/// Their face value.
	pub lost_value: Balance,
}

/// See the module.
#[derive(Debug)]
pub struct Store {
	vessel: Vessel,
}

impl Store {
	/// Opens or creates the file at `path` for the chain with this genesis hash.
	pub fn open(path: &Path, genesis: &Hash) -> Result<Self, Error> {
		let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
		Self::open_with(path, genesis, vessel::room_at(folder.unwrap_or(Path::new("."))))
	}

	fn open_with(path: &Path, genesis: &Hash, room: Room) -> Result<Self, Error> {
		let path = path.to_owned();
		let open = move || Ok(Database::builder().set_cache_size(CACHE_BYTES).create(&path)?);
		let store = Self {
			vessel: Vessel::new(Box::new(open), room)?,
		};
		let found = store.vessel.read(|read| {
			let meta = read.open_table(META)?;
			let found = meta.get("genesis")?;
			Ok(found.map(|v| Hash::decode_all(&mut v.value())).transpose()?)
		});
		match found {
			// A full disk does not keep it from being opened.
			Ok(Some(found)) if found == *genesis => {},
			_ => store.vessel.write(|write| Self::prepare(write, genesis))?,
		}
		Ok(store)
	}

	/// Creates what is missing.
	fn prepare(write: &WriteTransaction, genesis: &Hash) -> Result<(), Error> {
		write.open_table(WINNERS)?;
		write.open_table(SETTLED)?;
		write.open_table(SPENT)?;
		write.open_table(PAID)?;
		write.open_table(RELEASED)?;
		Self::create_voucher_tables(write)?;
		let mut meta = write.open_table(META)?;
		let found = meta
			.get("genesis")?
			.map(|v| Hash::decode_all(&mut v.value()))
			.transpose()?;
		match found {
			None => drop(meta.insert("genesis", genesis.encode().as_slice())?),
			Some(found) if found == *genesis => {},
			Some(found) => {
				return Err(Error::OtherChain {
					found,
					expected: *genesis,
				})
			},
		}
		Ok(())
	}

	/// Whether nothing can be stored: the disk is full, or fails. So from the first failure until something was stored again.
	pub fn is_shut(&self) -> bool {
		self.vessel.is_shut()
	}

	/// Sees whether that is so, or still is. Call it now and then: nothing else may be stored meanwhile.
	pub fn probe(&self) {
		self.vessel.probe(|write| {
			write.open_table(META)?.insert("probe", [].as_slice())?;
			Ok(())
		});
	}

	/// Stores a winner: when this returns, no crash loses it.
	pub fn insert(&self, ticket: &WinningTicket, now_ms: u64) -> Result<(), Error> {
		self.vessel.write(|write| {
			let mut winners = write.open_table(WINNERS)?;
			if winners.len()? >= MAX_WINNERS {
				return Err(Error::Full);
			}
			let mut meta = write.open_table(META)?;
			let mut totals = totals(&meta)?;
			let serial = totals.stored;
			let winner = Winner {
				ticket: ticket.clone(),
				stored_ms: now_ms,
				posted: None,
				refused: None,
				retry_ms: 0,
			};
			let mut spent = write.open_table(SPENT)?;
			if spent.insert(&nonce_key(winner.message()), serial)?.is_some() {
				return Err(Error::NonceSpent);
			}
			winners.insert(serial, winner.encode().as_slice())?;
			totals.stored += 1;
			meta.insert("totals", totals.encode().as_slice())?;
			Ok(())
		})
	}

	/// Whether this very ticket is stored, settled or not.
	pub fn has(&self, ticket: &WinningTicket) -> Result<bool, Error> {
		self.vessel.read(|read| {
			let spent = read.open_table(SPENT)?;
			let Some(serial) = spent
				.get(&nonce_key(&ticket.signed.message))?
				.map(|serial| serial.value())
			else {
				return Ok(false);
			};
			let winners = read.open_table(WINNERS)?;
			let waiting = winners
				.get(serial)?
				.map(|row| Winner::decode_all(&mut row.value()))
				.transpose()?;
			if let Some(winner) = waiting {
				return Ok(winner.ticket == *ticket);
			}
			let settled = read.open_table(SETTLED)?;
			let settled = settled
				.get(serial)?
				.map(|row| Settled::decode_all(&mut row.value()))
				.transpose()?;
			Ok(settled.is_some_and(|settled| settled.winner.ticket == *ticket))
		})
	}

	/// All that are not settled, oldest first.
	pub fn winners(&self) -> Result<Vec<(u64, Winner)>, Error> {
		self.vessel.read(|read| {
			let winners = read.open_table(WINNERS)?;
			let mut all = Vec::new();
			for row in winners.iter()? {
				let (serial, winner) = row?;
				all.push((serial.value(), Winner::decode_all(&mut winner.value())?));
			}
			Ok(all)
		})
	}

	/// Writes winners back. Those settled meanwhile stay settled.
	pub fn update<'a>(&self, changed: impl IntoIterator<Item = &'a (u64, Winner)>) -> Result<(), Error> {
		self.vessel.write(|write| {
			let mut winners = write.open_table(WINNERS)?;
			for (serial, winner) in changed {
				if winners.get(serial)?.is_some() {
					winners.insert(serial, winner.encode().as_slice())?;
				}
			}
			Ok(())
		})
	}

	/// Moves winners to the history, adds them to the totals, and prunes history of tickets that have expired:
	/// `finalized` is the chain's finalised block.
	pub fn settle(&self, outcomes: &[(u64, Outcome)], finalized: BlockNumber, now_ms: u64) -> Result<(), Error> {
		self.vessel.write(|write| {
			let mut winners = write.open_table(WINNERS)?;
			let mut settled = write.open_table(SETTLED)?;
			let mut spent = write.open_table(SPENT)?;
			let mut paid = write.open_table(PAID)?;
			let mut meta = write.open_table(META)?;
			let mut totals = totals(&meta)?;
			for (serial, outcome) in outcomes {
				let Some(row) = winners.remove(serial)?.map(|row| row.value().to_vec()) else {
					continue;
				};
				let winner = Winner::decode_all(&mut row.as_slice())?;
				paid.remove(&winner.ticket.id().0)?;
				let value = winner.message().face_value;
				match outcome {
					Outcome::Paid(payout) => {
						totals.paid += 1;
						totals.paid_value += value;
						totals.earned += payout.relayer;
					},
					Outcome::Expired | Outcome::Refused(_) => {
						totals.lost += 1;
						totals.lost_value += value;
					},
				}
				let record = Settled {
					winner,
					settled_ms: now_ms,
					outcome: *outcome,
				};
				settled.insert(serial, record.encode().as_slice())?;
			}
			meta.insert("totals", totals.encode().as_slice())?;

			let excess = usize::try_from(settled.len()?.saturating_sub(MAX_SETTLED)).unwrap_or(usize::MAX);
			let mut old = Vec::new();
			for row in settled.iter()?.take(excess.min(PRUNE_STEP)) {
				let (serial, record) = row?;
				let record = Settled::decode_all(&mut record.value())?;
				// Until it has expired, the chain may be asked about it once more.
				if record.winner.message().expiry < finalized {
					old.push((serial.value(), nonce_key(record.winner.message())));
				}
			}
			for (serial, nonce) in old {
				settled.remove(serial)?;
				spent.remove(&nonce)?;
			}
			Ok(())
		})
	}

	/// The history, oldest first.
	pub fn settled(&self) -> Result<Vec<Settled>, Error> {
		self.vessel.read(|read| {
			let settled = read.open_table(SETTLED)?;
			let rows = settled.iter()?;
			rows.map(|row| Ok(Settled::decode_all(&mut row?.1.value())?)).collect()
		})
	}

	/// Sums over all time.
	pub fn totals(&self) -> Result<Totals, Error> {
		self.vessel.read(|read| totals(&read.open_table(META)?))
	}

	/// Finalised block since which something may be on its way to the chain; `None`: nothing is.
	pub fn posted_since(&self) -> Result<Option<BlockNumber>, Error> {
		let winners = self.winners()?;
		let tickets = winners
			.iter()
			.filter_map(|(_, winner)| Some(winner.posted.as_ref()?.since));
		let owing = self.owing()?;
		let vouchers = owing.iter().filter_map(|(_, owing)| Some(owing.posted.as_ref()?.since));
		Ok(tickets.chain(vouchers).min())
	}

	/// Last block whose events were read; `None` before the first.
	pub fn scanned(&self) -> Result<Option<BlockNumber>, Error> {
		self.vessel.read(|read| {
			let meta = read.open_table(META)?;
			let row = meta.get("scanned")?;
			Ok(row.map(|v| BlockNumber::decode_all(&mut v.value())).transpose()?)
		})
	}

	/// What the events of the blocks up to this one say: tickets that were paid, and what vouchers brought us. Each block is
	/// noted once.
	pub fn note_paid(&self, scanned: BlockNumber, tickets: &[(Hash, Payout)], earned: Balance) -> Result<(), Error> {
		self.vessel.write(|write| {
			let mut paid = write.open_table(PAID)?;
			for (id, payout) in tickets {
				paid.insert(&id.0, payout.encode().as_slice())?;
			}
			let mut meta = write.open_table(META)?;
			Self::earn_by_voucher(&mut meta, earned)?;
			meta.insert("scanned", scanned.encode().as_slice())?;
			Ok(())
		})
	}

	/// What a finalised event says that a ticket with this id paid.
	pub fn paid(&self, id: &Hash) -> Result<Option<Payout>, Error> {
		self.vessel.read(|read| {
			let paid = read.open_table(PAID)?;
			let row = paid.get(&id.0)?;
			Ok(row.map(|v| Payout::decode_all(&mut v.value())).transpose()?)
		})
	}

	/// Takes down that reservations may be released, before the chain is told: they cover nothing any more. Not that they
	/// are: that says the finalised chain alone.
	pub fn note_released(&self, released: &[(PublicKey, u32)]) -> Result<(), Error> {
		self.vessel.write(|write| {
			let mut table = write.open_table(RELEASED)?;
			for (session, counter) in released {
				table.insert(&session.0, counter)?;
			}
			// It is needed for seconds; so many at a time there are never.
			while table.len()? > MAX_RELEASED {
				table.pop_first()?;
			}
			Ok(())
		})
	}

	/// Counter of the reservation of this session that was released last.
	pub fn released(&self, session: &PublicKey) -> Result<Option<u32>, Error> {
		self.vessel.read(|read| {
			let table = read.open_table(RELEASED)?;
			let counter = table.get(&session.0)?;
			Ok(counter.map(|counter| counter.value()))
		})
	}
}

fn nonce_key(ticket: &Ticket) -> [u8; NONCE_KEY] {
	let mut key = [0; NONCE_KEY];
	key[..KEY].copy_from_slice(&ticket.session.0);
	key[KEY..].copy_from_slice(&ticket.nonce.to_be_bytes());
	key
}

fn totals(meta: &impl ReadableTable<&'static str, &'static [u8]>) -> Result<Totals, Error> {
	let row = meta.get("totals")?;
	Ok(row
		.map(|v| Totals::decode_all(&mut v.value()))
		.transpose()?
		.unwrap_or_default())
}

#[cfg(test)]
pub(crate) mod tests {
	use super::*;
	use clustercast_primitives::{receipt::Kind, AccountId, PublicKey, Signature, Signed, StreamId};
	use std::sync::{
		atomic::{AtomicBool, Ordering},
		Arc,
	};

	pub const GENESIS: Hash = Hash([7; 32]);
	pub const FACE: Balance = 10_000;
	pub const PAYOUT: Payout = Payout {
		relayer: 9_000,
		broadcaster: 800,
		treasury: 200,
	};

	/// A winner as the store sees it: nothing here checks the signature.
	pub fn ticket(session: u8, nonce: u64, expiry: BlockNumber) -> WinningTicket {
		let message = Ticket {
			sender: AccountId([1; 32]),
			session: PublicKey([session; 32]),
			recipient: AccountId([2; 32]),
			stream: StreamId(3),
			kind: Kind::LIVE,
			context: Hash([0; 32]),
			bytes: 65_536,
			face_value: FACE,
			win_probability: 1,
			commitment: Hash([3; 32]),
			nonce,
			expiry,
		};
		WinningTicket {
			signed: Signed {
				message,
				signature: Signature([4; 64]),
			},
			rand: Hash([5; 32]),
		}
	}

	fn reopen(dir: &Path) -> Store {
		Store::open(&dir.join("winners.redb"), &GENESIS).unwrap()
	}

	/// A store on a disk that is full as long as this is set.
	pub fn on_a_disk(dir: &Path, full: &Arc<AtomicBool>) -> Store {
		let full = full.clone();
		let room = move || Some(if full.load(Ordering::Relaxed) { 0 } else { u64::MAX });
		Store::open_with(&dir.join("winners.redb"), &GENESIS, Box::new(room)).unwrap()
	}

	#[test]
	fn store_is_opened_and_read_on_a_full_disk() {
		let dir = tempfile::tempdir().unwrap();
		reopen(dir.path()).insert(&ticket(1, 5, 700), 42).unwrap();
		let store = on_a_disk(dir.path(), &Arc::new(true.into()));
		assert_eq!(store.winners().unwrap().len(), 1);
		assert!(matches!(store.insert(&ticket(1, 6, 700), 43), Err(Error::NoRoom)));
	}

	#[test]
	fn stored_ticket_is_told_from_another_with_its_nonce() {
		let dir = tempfile::tempdir().unwrap();
		let store = reopen(dir.path());
		store.insert(&ticket(1, 5, 700), 0).unwrap();
		let has = |ticket| store.has(&ticket).unwrap();
		assert!(has(ticket(1, 5, 700)) && !has(ticket(1, 5, 701)) && !has(ticket(1, 6, 700)));
		store.settle(&[(0, Outcome::Expired)], 10, 0).unwrap();
		assert!(has(ticket(1, 5, 700)) && !has(ticket(1, 5, 701)));
	}

	#[test]
	fn winner_survives_reopening() {
		let dir = tempfile::tempdir().unwrap();
		reopen(dir.path()).insert(&ticket(1, 5, 700), 42).unwrap();
		let store = reopen(dir.path());
		let winners = store.winners().unwrap();
		assert_eq!(winners.len(), 1);
		assert_eq!((&winners[0].1.ticket, winners[0].1.stored_ms), (&ticket(1, 5, 700), 42));
		assert!(matches!(store.insert(&ticket(1, 5, 700), 43), Err(Error::NonceSpent)));
		assert_eq!(store.totals().unwrap().stored, 1);
	}

	#[test]
	fn nonce_is_taken_once_per_session() {
		let dir = tempfile::tempdir().unwrap();
		let store = reopen(dir.path());
		store.insert(&ticket(1, 5, 700), 0).unwrap();
		for same in [ticket(1, 5, 700), ticket(1, 5, 7_000)] {
			assert!(matches!(store.insert(&same, 0), Err(Error::NonceSpent)));
		}
		for other in [ticket(2, 5, 700), ticket(1, 6, 700), ticket(1, u64::MAX, 700)] {
			store.insert(&other, 0).unwrap();
		}
		assert_eq!(store.winners().unwrap().len(), 4, "a refused one leaves nothing behind");
	}

	#[test]
	fn what_events_said_is_kept_until_it_is_settled() {
		let dir = tempfile::tempdir().unwrap();
		let store = reopen(dir.path());
		assert_eq!(store.scanned().unwrap(), None);
		let winner = ticket(1, 1, 700);
		store.insert(&winner, 0).unwrap();
		store.note_paid(7, &[(winner.id(), PAYOUT)], 5).unwrap();
		store.note_paid(8, &[], 6).unwrap();
		drop(store);
		let store = reopen(dir.path());
		assert_eq!(store.scanned().unwrap(), Some(8));
		assert_eq!(store.paid(&winner.id()).unwrap(), Some(PAYOUT));
		assert_eq!(store.voucher_sums().unwrap().earned, 11);
		store.settle(&[(0, Outcome::Paid(PAYOUT))], 9, 0).unwrap();
		assert_eq!(store.paid(&winner.id()).unwrap(), None);
	}

	#[test]
	fn release_is_remembered_through_a_restart() {
		let dir = tempfile::tempdir().unwrap();
		let key = PublicKey([3; 32]);
		reopen(dir.path()).note_released(&[(key, 4)]).unwrap();
		let store = reopen(dir.path());
		assert_eq!(store.released(&key).unwrap(), Some(4));
		assert_eq!(store.released(&PublicKey([4; 32])).unwrap(), None);
	}

	#[test]
	fn settled_winner_is_history_and_still_guards_its_nonce() {
		let dir = tempfile::tempdir().unwrap();
		let store = reopen(dir.path());
		store.insert(&ticket(1, 1, 700), 0).unwrap();
		store.insert(&ticket(1, 2, 700), 0).unwrap();
		store
			.settle(&[(0, Outcome::Paid(PAYOUT)), (1, Outcome::Expired)], 10, 99)
			.unwrap();
		store.settle(&[(0, Outcome::Paid(PAYOUT))], 10, 100).unwrap();
		drop(store);

		let store = reopen(dir.path());
		assert!(store.winners().unwrap().is_empty());
		let totals = Totals {
			stored: 2,
			paid: 1,
			paid_value: FACE,
			earned: PAYOUT.relayer,
			lost: 1,
			lost_value: FACE,
		};
		assert_eq!(store.totals().unwrap(), totals, "settling twice counts once");
		assert_eq!(store.settled().unwrap().len(), 2);
		assert!(matches!(store.insert(&ticket(1, 1, 700), 0), Err(Error::NonceSpent)));
	}

	#[test]
	fn update_does_not_bring_a_settled_winner_back() {
		let dir = tempfile::tempdir().unwrap();
		let store = reopen(dir.path());
		store.insert(&ticket(1, 1, 700), 0).unwrap();
		let stale = store.winners().unwrap();
		store.settle(&[(0, Outcome::Expired)], 10, 0).unwrap();
		store.update(&stale).unwrap();
		assert!(store.winners().unwrap().is_empty());
	}

	#[test]
	fn store_of_another_chain_is_refused() {
		let dir = tempfile::tempdir().unwrap();
		drop(reopen(dir.path()));
		let other = Store::open(&dir.path().join("winners.redb"), &Hash([8; 32]));
		assert!(matches!(other, Err(Error::OtherChain { .. })));
	}

	#[test]
	fn store_has_one_user_at_a_time() {
		let dir = tempfile::tempdir().unwrap();
		let _first = reopen(dir.path());
		assert!(matches!(
			Store::open(&dir.path().join("winners.redb"), &GENESIS),
			Err(Error::InUse)
		));
	}

	#[test]
	fn history_is_pruned_only_when_its_tickets_have_expired() {
		let dir = tempfile::tempdir().unwrap();
		let store = reopen(dir.path());
		let filled = store.vessel.write(|write| {
			// As many as are kept, and three more, written at once: inserting each would sync each.
			let mut settled = write.open_table(SETTLED).unwrap();
			let mut spent = write.open_table(SPENT).unwrap();
			for serial in 0..MAX_SETTLED + 3 {
				let winner = Winner {
					ticket: ticket(1, serial, 700),
					stored_ms: 0,
					posted: None,
					refused: None,
					retry_ms: 0,
				};
				spent.insert(&nonce_key(winner.message()), serial).unwrap();
				let record = Settled {
					winner,
					settled_ms: 0,
					outcome: Outcome::Expired,
				};
				settled.insert(serial, record.encode().as_slice()).unwrap();
			}
			Ok(())
		});
		filled.unwrap();
		let count = || {
			let spent = store.vessel.read(|read| Ok(read.open_table(SPENT)?.len()?));
			(store.settled().unwrap().len() as u64, spent.unwrap())
		};
		store.settle(&[], 700, 0).unwrap();
		assert_eq!(count(), (MAX_SETTLED + 3, MAX_SETTLED + 3));
		store.settle(&[], 701, 0).unwrap();
		assert_eq!(count(), (MAX_SETTLED, MAX_SETTLED));
		assert_eq!(store.settled().unwrap()[0].winner.message().nonce, 3, "the oldest went");
	}
}
