//! Vouchers on disk, in the database of the winners. The newest of each place replaces the one before it; what the chain has paid of them, and what it never will, are levels on the same scale.
//!
//! | table | key | value |
//! | --- | --- | --- |
//! | `vouchers` | session ‖ recipient ‖ stream ‖ kind ‖ context ‖ terms | [`Kept`]: pruned once settled and expired |
//! | `owing` | the same | [`Owing`]: present as long as something is owed |
//! | `meta` | `vouchers` | [`VoucherSums`] |

use super::{Error, Store, META};
use clustercast_primitives::{
	chain::{TicketRefusal, VoucherPlace},
	Balance, BlockNumber, Hash, SignedVoucher,
};
use codec::{Decode, DecodeAll, Encode};
use redb::{ReadableTable, ReadableTableMetadata, Table, TableDefinition, WriteTransaction};

const VOUCHERS: TableDefinition<&[u8; PLACE_KEY], &[u8]> = TableDefinition::new("vouchers");
const OWING: TableDefinition<&[u8; PLACE_KEY], &[u8]> = TableDefinition::new("owing");

const PLACE_KEY: usize = 32 + 32 + 8 + 1 + 32 + 4;

/// Places that may owe something at a time. Each stands for a session key, which cost its viewer a transaction.
pub const MAX_OWING: u64 = 20_000;

/// Places kept when nothing is owed and the voucher has expired: a viewer who comes back after a day goes on from its
/// voucher. About 300 bytes each; whoever is forgotten pays by tickets if the chain knows of vouchers.
pub const MAX_KEPT: u64 = 20_000;

/// Places looked at for pruning in one transaction.
const PRUNE_STEP: usize = 1_000;

/// The newest voucher of a place, and how much of it is settled.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Kept {
	/// As the viewer signed it.
	pub newest: SignedVoucher,
	/// Paid by the finalised chain in all, as far as we heard.
	pub paid: Balance,
	/// Paid or given up, in all. At least `paid`.
	pub settled: Balance,
}

impl Kept {
	/// What the chain has still to pay, micro-USDC.
	pub fn owed(&self) -> Balance {
		self.newest.message.amount.saturating_sub(self.settled)
	}
}

/// That a voucher may be on its way to the chain: recorded before it is sent.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Posted {
	/// Amount of the voucher that was posted.
	pub amount: Balance,
	/// When, Unix ms.
	pub at_ms: u64,
	/// How often since it began to owe.
	pub times: u32,
	/// Finalised block when it was posted first since then.
	pub since: BlockNumber,
	/// Hash of the extrinsic; `None` while its submission is not confirmed.
	pub transaction: Option<Hash>,
}

/// State of a redemption.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Owing {
	/// Since when something is owed, Unix ms.
	pub since_ms: u64,
	/// Set once a voucher may have reached the chain, until that is paid.
	pub posted: Option<Posted>,
	/// The chain's last refusal that is not final, and how many there were.
	pub refused: Option<(TicketRefusal, u32)>,
	/// Not tried before this, Unix ms.
	pub retry_ms: u64,
}

/// What the finalised chain has decided. Both are levels: micro-USDC in all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VoucherOutcome {
	/// Paid this much.
	Paid(Balance),
	/// Will not pay up to this much, for this reason, unless a later voucher brings it.
	Lost(Balance, TicketRefusal),
}

/// Sums over all time, micro-USDC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct VoucherSums {
	/// Redemptions that paid.
	pub redemptions: u64,
	/// Paid by the chain, all shares.
	pub paid: Balance,
	/// The relayer's own share, as the events say.
	pub earned: Balance,
	/// Given up and not paid since.
	pub lost: Balance,
}

impl Store {
	pub(super) fn create_voucher_tables(write: &WriteTransaction) -> Result<(), Error> {
		write.open_table(VOUCHERS)?;
		write.open_table(OWING)?;
		Ok(())
	}

	/// Stores vouchers in one transaction: when this returns, no crash loses one. For each whether it is kept; one of a
	/// new place is not while [`MAX_OWING`] wait. One that is not above the newest changes nothing.
	pub fn keep(&self, vouchers: &[SignedVoucher], now_ms: u64) -> Result<Vec<bool>, Error> {
		self.vessel.write(|write| {
			let mut answers = Vec::with_capacity(vouchers.len());
			let mut table = write.open_table(VOUCHERS)?;
			let mut owing = write.open_table(OWING)?;
			for voucher in vouchers {
				let key = place_key(&voucher.message.place());
				let before: Option<Kept> = decoded(table.get(&key)?)?;
				if before
					.as_ref()
					.is_some_and(|kept| kept.newest.message.amount >= voucher.message.amount)
				{
					answers.push(true);
					continue;
				}
				let waits = owing.get(&key)?.is_some();
				if !waits && owing.len()? >= MAX_OWING {
					answers.push(false);
					continue;
				}
				let (paid, settled) = before.map_or((0, 0), |kept| (kept.paid, kept.settled));
				let kept = Kept {
					newest: voucher.clone(),
					paid,
					settled,
				};
				table.insert(&key, kept.encode().as_slice())?;
				if !waits && kept.owed() > 0 {
					let new = Owing {
						since_ms: now_ms,
						posted: None,
						refused: None,
						retry_ms: 0,
					};
					owing.insert(&key, new.encode().as_slice())?;
				}
				answers.push(true);
			}
			Ok(answers)
		})
	}

	/// The newest voucher of a place.
	pub fn voucher(&self, place: &VoucherPlace) -> Result<Option<Kept>, Error> {
		self.vessel
			.read(|read| decoded(read.open_table(VOUCHERS)?.get(&place_key(place))?))
	}

	/// All that owe something.
	pub fn owing(&self) -> Result<Vec<(Kept, Owing)>, Error> {
		self.vessel.read(|read| {
			let vouchers = read.open_table(VOUCHERS)?;
			let mut all = Vec::new();
			for row in read.open_table(OWING)?.iter()? {
				let (key, owing) = row?;
				if let Some(kept) = decoded(vouchers.get(key.value())?)? {
					all.push((kept, Owing::decode_all(&mut owing.value())?));
				}
			}
			Ok(all)
		})
	}

	/// Writes states of redemption back. Places that owe nothing any more stay so.
	pub fn update_owing(&self, changed: &[(VoucherPlace, Owing)]) -> Result<(), Error> {
		self.vessel.write(|write| {
			let mut table = write.open_table(OWING)?;
			for (place, owing) in changed {
				let key = place_key(place);
				if table.get(&key)?.is_some() {
					table.insert(&key, owing.encode().as_slice())?;
				}
			}
			Ok(())
		})
	}

	/// Takes down what the finalised chain has decided, once: a level that was reached before adds nothing to the sums.
	/// Forgets the oldest places that owe nothing and have expired by block `finalised`, past [`MAX_KEPT`].
	pub fn settle_vouchers(
		&self,
		outcomes: &[(VoucherPlace, VoucherOutcome)],
		finalised: BlockNumber,
		now_ms: u64,
	) -> Result<(), Error> {
		self.vessel.write(|write| {
			let mut table = write.open_table(VOUCHERS)?;
			let mut owing = write.open_table(OWING)?;
			let mut meta = write.open_table(META)?;
			let mut sums = decoded(meta.get(SUMS)?)?.unwrap_or_default();
			for (place, outcome) in outcomes {
				let key = place_key(place);
				let Some(mut kept) = decoded::<Kept>(table.get(&key)?)? else {
					continue;
				};
				let mut state: Option<Owing> = decoded(owing.get(&key)?)?;
				let before = kept.settled;
				apply(*outcome, &mut kept, state.as_mut(), &mut sums);
				if let (true, Some(state)) = (kept.settled > before, state.as_mut()) {
					state.since_ms = now_ms;
					state.refused = None;
				}
				table.insert(&key, kept.encode().as_slice())?;
				match state.filter(|_| kept.owed() > 0) {
					Some(state) => drop(owing.insert(&key, state.encode().as_slice())?),
					None => drop(owing.remove(&key)?),
				}
			}
			meta.insert(SUMS, sums.encode().as_slice())?;

			let excess = usize::try_from(table.len()?.saturating_sub(MAX_KEPT)).unwrap_or(usize::MAX);
			let mut old = Vec::new();
			for row in table.iter()? {
				if old.len() >= excess.min(PRUNE_STEP) {
					break;
				}
				let (key, kept) = row?;
				let kept = Kept::decode_all(&mut kept.value())?;
				if kept.newest.message.expiry < finalised && owing.get(key.value())?.is_none() {
					old.push(*key.value());
				}
			}
			for key in old {
				table.remove(&key)?;
			}
			Ok(())
		})
	}

	/// Adds to what vouchers brought us.
	pub(super) fn earn_by_voucher(
		meta: &mut Table<'_, &'static str, &'static [u8]>,
		earned: Balance,
	) -> Result<(), Error> {
		if earned > 0 {
			let mut sums: VoucherSums = decoded(meta.get(SUMS)?)?.unwrap_or_default();
			sums.earned = sums.earned.saturating_add(earned);
			meta.insert(SUMS, sums.encode().as_slice())?;
		}
		Ok(())
	}

	/// Sums over all time.
	pub fn voucher_sums(&self) -> Result<VoucherSums, Error> {
		self.vessel
			.read(|read| Ok(decoded(read.open_table(META)?.get(SUMS)?)?.unwrap_or_default()))
	}
}

/// Row of `meta`.
const SUMS: &str = "vouchers";

fn apply(outcome: VoucherOutcome, kept: &mut Kept, owing: Option<&mut Owing>, sums: &mut VoucherSums) {
	match outcome {
		VoucherOutcome::Paid(level) if level > kept.paid => {
			let paid = level - kept.paid;
			sums.redemptions += 1;
			sums.paid += paid;
			// What had been given up came after all.
			sums.lost -= level.min(kept.settled) - kept.paid;
			kept.paid = level;
			kept.settled = kept.settled.max(level);
			if let Some(owing) = owing {
				// What was paid in part may be paid on: it is posted again when it is due again.
				owing.posted = None;
			}
		},
		VoucherOutcome::Lost(level, _) if level > kept.settled => {
			sums.lost += level - kept.settled;
			kept.settled = level;
		},
		_ => {},
	}
}

fn place_key(place: &VoucherPlace) -> [u8; PLACE_KEY] {
	let mut key = [0; PLACE_KEY];
	key[..32].copy_from_slice(&place.session.0);
	key[32..64].copy_from_slice(&place.recipient.0);
	key[64..72].copy_from_slice(&place.stream.0.to_be_bytes());
	key[72] = place.kind.0;
	key[73..105].copy_from_slice(&place.context.0);
	key[105..].copy_from_slice(&place.terms.to_be_bytes());
	key
}

fn decoded<T: Decode>(row: Option<redb::AccessGuard<'_, &'static [u8]>>) -> Result<Option<T>, Error> {
	Ok(row.map(|row| T::decode_all(&mut row.value())).transpose()?)
}

#[cfg(test)]
pub(crate) mod tests {
	use super::*;
	use crate::store::tests::GENESIS;
	use clustercast_primitives::{receipt::Kind, AccountId, PublicKey, Signature, Signed, StreamId, Voucher};
	use std::path::Path;

	/// A voucher as the store sees it: nothing here checks the signature.
	pub fn voucher(session: u8, amount: Balance, expiry: BlockNumber) -> SignedVoucher {
		Signed {
			message: Voucher {
				sender: AccountId([session; 32]),
				session: PublicKey([session; 32]),
				recipient: AccountId([2; 32]),
				stream: StreamId(3),
				kind: Kind::LIVE,
				context: Hash([0; 32]),
				terms: 0,
				amount,
				bytes: amount as u64 * 1_000,
				expiry,
			},
			signature: Signature([4; 64]),
		}
	}

	fn reopen(dir: &Path) -> Store {
		Store::open(&dir.join("winners.redb"), &GENESIS).unwrap()
	}

	fn place(session: u8) -> VoucherPlace {
		voucher(session, 0, 0).message.place()
	}

	fn posted(amount: Balance) -> Posted {
		Posted {
			amount,
			at_ms: 1,
			times: 1,
			since: 0,
			transaction: None,
		}
	}

	#[test]
	fn newest_voucher_survives_reopening_and_an_older_one_does_not_replace_it() {
		let dir = tempfile::tempdir().unwrap();
		assert_eq!(
			reopen(dir.path())
				.keep(&[voucher(1, 100, 9), voucher(1, 300, 9)], 7)
				.unwrap(),
			[true; 2]
		);
		let store = reopen(dir.path());
		store.keep(&[voucher(1, 200, 99), voucher(2, 5, 9)], 8).unwrap();
		let kept = store.voucher(&place(1)).unwrap().unwrap();
		assert_eq!((&kept.newest, kept.owed()), (&voucher(1, 300, 9), 300));
		let owing = store.owing().unwrap();
		assert_eq!(owing.iter().map(|(_, o)| o.since_ms).collect::<Vec<_>>(), [7, 8]);
		assert_eq!(store.voucher(&place(3)).unwrap(), None);
	}

	/// What `kill -9` leaves: the file as it is at this moment, its lock and its process gone.
	fn after_kill(dir: &Path) -> (Vec<(Balance, bool)>, VoucherSums) {
		let image = tempfile::tempdir().unwrap();
		std::fs::copy(dir.join("winners.redb"), image.path().join("winners.redb")).unwrap();
		let store = reopen(image.path());
		let owing = store.owing().unwrap();
		let states = owing.iter().map(|(kept, owing)| (kept.owed(), owing.posted.is_some()));
		(states.collect(), store.voucher_sums().unwrap())
	}

	#[test]
	fn kill_at_any_moment_leaves_what_was_answered() {
		let dir = tempfile::tempdir().unwrap();
		let store = reopen(dir.path());
		let at = |owed, was_posted, paid| {
			let (states, sums) = after_kill(dir.path());
			assert_eq!((states, sums.paid), (vec![(owed, was_posted)], paid));
		};
		for amount in [1_000, 2_000] {
			store.keep(&[voucher(1, amount, 9)], 0).unwrap();
			at(amount, false, 0);
		}
		// In the middle of a transaction: as before it.
		let broken_off = store.vessel.write(|write| {
			write.open_table(OWING)?.remove(&place_key(&place(1)))?;
			at(2_000, false, 0);
			Err::<(), _>(Error::Full)
		});
		assert!(matches!(broken_off, Err(Error::Full)));
		let (_, mut owing) = store.owing().unwrap().remove(0);
		owing.posted = Some(posted(2_000));
		store.update_owing(&[(place(1), owing)]).unwrap();
		at(2_000, true, 0);
		store.keep(&[voucher(1, 2_500, 9)], 0).unwrap();
		at(2_500, true, 0);
		store
			.settle_vouchers(&[(place(1), VoucherOutcome::Paid(2_000))], 1, 0)
			.unwrap();
		at(500, false, 2_000);
	}

	#[test]
	fn what_is_paid_is_credited_once_whoever_redeemed_it() {
		let dir = tempfile::tempdir().unwrap();
		let store = reopen(dir.path());
		store.keep(&[voucher(1, 1_000, 9)], 0).unwrap();
		let (_, mut owing) = store.owing().unwrap().remove(0);
		owing.posted = Some(posted(1_000));
		store.update_owing(&[(place(1), owing)]).unwrap();
		store.keep(&[voucher(1, 1_500, 9)], 5).unwrap();
		store.note_paid(1, &[], 900).unwrap();
		for _ in 0..2 {
			store
				.settle_vouchers(&[(place(1), VoucherOutcome::Paid(1_000))], 1, 10)
				.unwrap();
		}
		let sums = VoucherSums {
			redemptions: 1,
			paid: 1_000,
			earned: 900,
			lost: 0,
		};
		assert_eq!(store.voucher_sums().unwrap(), sums);
		let (kept, owing) = store.owing().unwrap().remove(0);
		assert_eq!((kept.owed(), owing.since_ms, owing.posted), (500, 10, None));
		// By somebody else, beyond what we have.
		store
			.settle_vouchers(&[(place(1), VoucherOutcome::Paid(2_000))], 1, 11)
			.unwrap();
		assert!(store.owing().unwrap().is_empty());
		assert_eq!(store.voucher_sums().unwrap().paid, 2_000);
		// The next voucher owes what is above that.
		store.keep(&[voucher(1, 2_300, 9)], 12).unwrap();
		assert_eq!(store.owing().unwrap()[0].0.owed(), 300);
		store.keep(&[voucher(2, 1, 9)], 12).unwrap();
		store
			.settle_vouchers(
				&[(place(2), VoucherOutcome::Paid(1)), (place(9), VoucherOutcome::Paid(1))],
				1,
				13,
			)
			.unwrap();
		assert_eq!(store.owing().unwrap().len(), 1);
	}

	#[test]
	fn what_was_given_up_and_comes_after_all_is_no_loss() {
		let dir = tempfile::tempdir().unwrap();
		let store = reopen(dir.path());
		let lost = |level| VoucherOutcome::Lost(level, TicketRefusal::Expired);
		store.keep(&[voucher(1, 1_000, 9)], 0).unwrap();
		store
			.settle_vouchers(&[(place(1), VoucherOutcome::Paid(400))], 1, 0)
			.unwrap();
		store.settle_vouchers(&[(place(1), lost(1_000))], 1, 0).unwrap();
		store.settle_vouchers(&[(place(1), lost(1_000))], 1, 0).unwrap();
		assert_eq!(store.voucher_sums().unwrap().lost, 600);
		assert!(store.owing().unwrap().is_empty());
		store.keep(&[voucher(1, 1_100, 9)], 0).unwrap();
		assert_eq!(
			store.owing().unwrap()[0].0.owed(),
			100,
			"what was given up is not waited for"
		);
		store
			.settle_vouchers(&[(place(1), VoucherOutcome::Paid(1_100))], 1, 0)
			.unwrap();
		let sums = store.voucher_sums().unwrap();
		assert_eq!((sums.paid, sums.lost), (1_100, 0));
	}

	#[test]
	fn update_does_not_bring_a_settled_voucher_back() {
		let dir = tempfile::tempdir().unwrap();
		let store = reopen(dir.path());
		store.keep(&[voucher(1, 1_000, 9)], 0).unwrap();
		let (_, stale) = store.owing().unwrap().remove(0);
		store
			.settle_vouchers(&[(place(1), VoucherOutcome::Paid(1_000))], 1, 0)
			.unwrap();
		store.update_owing(&[(place(1), stale)]).unwrap();
		assert!(store.owing().unwrap().is_empty());
	}

	#[test]
	fn places_that_wait_are_bounded_and_settled_ones_pruned() {
		let dir = tempfile::tempdir().unwrap();
		let store = reopen(dir.path());
		let many = |first: u64, count: u64, expiry| -> Vec<SignedVoucher> {
			let at = |n: u64| {
				let mut voucher = voucher(1, 1_000, expiry);
				voucher.message.stream = StreamId(n);
				voucher
			};
			(first..first + count).map(at).collect()
		};
		assert!(store.keep(&many(0, MAX_OWING, 9), 0).unwrap().iter().all(|kept| *kept));
		assert_eq!(store.keep(&many(MAX_OWING, 1, 9), 0).unwrap(), [false]);
		let mut richer = many(5, 1, 9);
		richer[0].message.amount += 1;
		assert_eq!(
			store.keep(&richer, 0).unwrap(),
			[true],
			"a place that waits already goes on"
		);
		let all: Vec<_> = store
			.owing()
			.unwrap()
			.iter()
			.map(|(kept, _)| kept.newest.message.place())
			.collect();
		let paid: Vec<_> = all
			.into_iter()
			.map(|place| (place, VoucherOutcome::Paid(1_001)))
			.collect();
		store.settle_vouchers(&paid, 9, 0).unwrap();
		store.keep(&many(MAX_OWING, 3, 99), 0).unwrap();
		let count = || {
			let len = store.vessel.read(|read| Ok(read.open_table(VOUCHERS)?.len()?));
			len.unwrap()
		};
		store.settle_vouchers(&[], 9, 0).unwrap();
		assert_eq!(count(), MAX_KEPT + 3, "none has expired");
		store.settle_vouchers(&[], 10, 0).unwrap();
		assert_eq!(count(), MAX_KEPT);
		assert_eq!(store.owing().unwrap().len(), 3);
	}
}
