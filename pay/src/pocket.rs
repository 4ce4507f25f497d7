//! The purse on disk: whatever happens to the process, no nonce and no counter of a reservation is used twice.
//!
//! | file in the state folder | holds |
//! | --- | --- |
//! | `lock` | nothing; locked while a player uses the folder |
//! | `session.key` | seed of the session key |
//! | `purse-KEY` | state of the purse of the session key that begins with these 16 hexadecimal digits |
//! | `evidence-GENESIS` | what is to be reported to the chain whose genesis begins so, and was not yet ([`crate::docket`]) |

use crate::docket::Docket;
use clustercast_chain::{files, keys, KeyError};
use clustercast_primitives::{
	chain::{ChannelInfo, VoucherPlace, VoucherTotals},
	channel::{SignedClose, SignedReservation},
	crypto::KeyPair,
	subscribe::{SignedSubscription, Subscription},
	AccountId, Balance, BlockNumber, Hash, PublicKey, SignedVoucher,
};
use clustercast_protocol::{thrift::Wish, Due, Payment, Purse, PurseConfig, PurseError};
use std::{
	fs::{self, File, TryLockError},
	io,
	path::{Path, PathBuf},
	time::Instant,
};

/// Why the state folder cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StateError {
	/// Two players with one session key would use the same nonces.
	#[error("{} is in use by another player", .0.display())]
	InUse(PathBuf),
	/// The file system says no.
	#[error("{}: {error}", .path.display())]
	File {
		/// The file or folder.
		path: PathBuf,
		/// From the file system.
		#[source]
		error: io::Error,
	},
	/// See [`KeyError`].
	#[error(transparent)]
	Key(#[from] KeyError),
}

/// Why no ticket was signed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PayError {
	/// See [`PurseError`].
	#[error(transparent)]
	Purse(#[from] PurseError),
	/// The reservation could not be stored, so nothing was signed from it.
	#[error("cannot store the purse: {0}")]
	Store(#[from] io::Error),
}

/// A state folder, held by this process alone.
#[derive(Debug)]
pub struct StateFolder {
	path: PathBuf,
	_lock: File,
}

impl StateFolder {
	/// Opens the folder; creates it when missing.
	pub fn open(path: &Path) -> Result<Self, StateError> {
		let file_error = |path: &Path, error| StateError::File {
			path: path.into(),
			error,
		};
		fs::create_dir_all(path).map_err(|e| file_error(path, e))?;
		let lock_path = path.join("lock");
		let lock = File::create(&lock_path).map_err(|e| file_error(&lock_path, e))?;
		match lock.try_lock() {
			Ok(()) => Ok(Self {
				path: path.into(),
				_lock: lock,
			}),
			Err(TryLockError::WouldBlock) => Err(StateError::InUse(path.into())),
			Err(TryLockError::Error(e)) => Err(file_error(&lock_path, e)),
		}
	}

	/// What is still to be reported to the chain with this genesis.
	pub fn docket(&self, genesis: &Hash) -> Docket {
		Docket::open(&self.path, genesis, Instant::now())
	}

	/// The current session key, if there is one and its purse is known: a key whose purse was lost could repeat nonces,
	/// so it is not used again.
	pub fn session(&self) -> Result<Option<(KeyPair, Vec<u8>)>, StateError> {
		let path = self.key_path();
		if !path.exists() {
			return Ok(None);
		}
		let key = keys::load_or_create(&path)?;
		let purse = self.purse_path(&key.public());
		match fs::read(&purse) {
			Ok(stored) => Ok(Some((key, stored))),
			Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
			Err(error) => Err(StateError::File { path: purse, error }),
		}
	}

	/// A fresh key for a session to come. It is current only once [`StateFolder::adopt`] was called.
	pub fn fresh_key(&self) -> KeyPair {
		KeyPair::from_seed(rand::random())
	}

	/// Makes a fresh key the current one. Its purse is stored first: at no moment is there a key that may have signed
	/// and has no purse.
	pub fn adopt(&self, key: &KeyPair, config: PurseConfig) -> Result<Pocket, StateError> {
		let pocket = Pocket {
			purse: Purse::new(config, key.clone()),
			path: self.purse_path(&key.public()),
			unstored: false,
		};
		pocket.save().map_err(|error| StateError::File {
			path: pocket.path.clone(),
			error,
		})?;
		let path = self.key_path();
		let seed: String = key.seed().iter().map(|b| format!("{b:02x}")).collect();
		files::write_atomic(&path, format!("{seed}\n").as_bytes()).map_err(|error| StateError::File { path, error })?;
		self.remove_other_purses(&pocket.path);
		Ok(pocket)
	}

	/// Goes on with the purse of a key from [`StateFolder::session`].
	pub fn restore(&self, key: KeyPair, stored: &[u8], config: PurseConfig) -> Result<Pocket, PurseError> {
		let path = self.purse_path(&key.public());
		Ok(Pocket {
			purse: Purse::restore(config, key, stored)?,
			path,
			unstored: false,
		})
	}

	/// Purses of keys that are gone; what cannot be removed does no harm.
	fn remove_other_purses(&self, keep: &Path) {
		let Ok(entries) = fs::read_dir(&self.path) else {
			return;
		};
		for path in entries.filter_map(Result::ok).map(|e| e.path()) {
			let is_purse = path
				.file_name()
				.is_some_and(|n| n.as_encoded_bytes().starts_with(b"purse-"));
			if is_purse && path != keep {
				let _ = fs::remove_file(path);
			}
		}
	}

	fn key_path(&self) -> PathBuf {
		self.path.join("session.key")
	}

	fn purse_path(&self, key: &PublicKey) -> PathBuf {
		let digits: String = key.0[..8].iter().map(|b| format!("{b:02x}")).collect();
		self.path.join(format!("purse-{digits}"))
	}
}

/// A purse with the file that it is stored in.
#[derive(Debug)]
pub struct Pocket {
	purse: Purse,
	path: PathBuf,
	/// The purse's reservation is not on disk: nothing may be signed from it.
	unstored: bool,
}

impl Pocket {
	/// Signs what is due. Nonces are reserved on disk first, 64 at a time; that write takes as long as
	/// the disk does.
	pub fn pay(&mut self, due: &Due, block: BlockNumber) -> Result<Payment, PayError> {
		self.unstored |= self.purse.reserve(&due.recipient, block).is_some();
		if self.unstored {
			self.save()?;
			self.unstored = false;
		}
		Ok(self.purse.pay(due, block)?)
	}

	/// Signs a reservation with this cap, micro-USDC in all, or the least that is above the one before. Its counter is on disk
	/// before it is signed.
	pub fn reserve(
		&mut self,
		recipient: &AccountId,
		cap: Balance,
		reward: Balance,
		submit_by: BlockNumber,
	) -> Result<SignedReservation, PayError> {
		let (reservation, _) = self.purse.set_aside(recipient, cap, reward, submit_by)?;
		self.save()?;
		self.unstored = false;
		Ok(self.purse.sign_reservation(reservation))
	}

	/// Takes up what the chain has of a channel, where this purse knows of less.
	pub fn catch_up(
		&mut self,
		recipient: &AccountId,
		counter: u32,
		cap: Balance,
		next_nonce: u64,
	) -> Result<(), PurseError> {
		self.purse.catch_up(recipient, counter, cap, next_nonce)
	}

	/// What vouchers to this recipient owe, place by place, micro-USDC.
	pub fn vouchers_to(&self, recipient: &AccountId) -> Vec<(VoucherPlace, Balance)> {
		self.purse.vouchers_to(recipient).collect()
	}

	/// Signs a reservation for this recipient: of all that was signed to it and not paid yet, and what is wished beyond that.
	/// `channel` and `paid` are what the chain has, at the places of [`Pocket::vouchers_to`].
	pub fn cover(
		&mut self,
		recipient: &AccountId,
		wish: &Wish,
		channel: &ChannelInfo,
		paid: &[VoucherTotals],
	) -> Result<SignedReservation, PayError> {
		let places = self.vouchers_to(recipient);
		let owed = places.iter().zip(paid);
		let owed = owed.map(|((_, amount), paid)| amount.saturating_sub(paid.amount));
		let cap = owed
			.fold(channel.paid, Balance::saturating_add)
			.saturating_add(wish.amount);
		self.catch_up(recipient, channel.counter, channel.cap, channel.next_nonce)?;
		self.reserve(recipient, cap, wish.reward, wish.submit_by)
	}

	/// Begins to free what is reserved for this recipient; `None` where nothing ever was.
	pub fn close(&self, recipient: &AccountId, submit_by: BlockNumber) -> Option<SignedClose> {
		self.purse.close(recipient, submit_by)
	}

	/// Signs what a relayer asks for before it serves.
	pub fn subscribe(&self, subscription: Subscription) -> SignedSubscription {
		self.purse.subscribe(subscription)
	}

	/// Takes up a voucher that a relayer shows, where the newest ones were lost.
	pub fn adopt(&mut self, shown: &SignedVoucher) -> Result<(), PurseError> {
		self.purse.adopt(shown)
	}

	/// Last block for which the session key was to sign, when the purse was opened.
	pub fn granted(&self) -> BlockNumber {
		self.purse.session_expiry()
	}

	/// Session key that signs.
	pub fn session(&self) -> PublicKey {
		self.purse.session()
	}

	/// Stores what was spent up to now: at an orderly end.
	pub fn save(&self) -> io::Result<()> {
		files::write_atomic(&self.path, &self.purse.state())
	}
}

#[cfg(test)]
mod tests {
	use super::*;
	use clustercast_primitives::{receipt::Kind, Hash, Ticket, WindowId};
	use clustercast_protocol::Share;
	use std::collections::HashSet;

	fn config() -> PurseConfig {
		PurseConfig {
			genesis: Hash([1; 32]),
			sender: AccountId([2; 32]),
			session_expiry: 100_000,
			ticket_life: 500,
			budget: 1_000_000,
		}
	}

	fn due() -> Due {
		Due {
			recipient: AccountId([3; 32]),
			window: WindowId::default(),
			kind: Kind::LIVE,
			context: Hash([0; 32]),
			terms: 0,
			price_per_gb: 1_000_000,
			commitment: Hash([4; 32]),
			share: Share::Ticket {
				bytes: 65_536,
				face_value: 100_000,
				win_probability: 1 << 40,
			},
		}
	}

	fn ticket(payment: Payment) -> Ticket {
		match payment {
			Payment::Ticket(ticket) => ticket.message,
			Payment::Voucher(voucher) => panic!("{voucher:?}"),
		}
	}

	#[test]
	fn no_nonce_is_used_twice_through_crashes() {
		let dir = tempfile::tempdir().unwrap();
		let mut used = HashSet::new();
		let key = {
			let folder = StateFolder::open(dir.path()).unwrap();
			let key = folder.fresh_key();
			folder.adopt(&key, config()).unwrap();
			key.public()
		};
		// Every pocket is dropped without being saved, as by kill -9; once right at the end of a reservation.
		for tickets in [1, 63, 64, 65, 0, 10, 200] {
			let folder = StateFolder::open(dir.path()).unwrap();
			let (session, stored) = folder.session().unwrap().unwrap();
			assert_eq!(session.public(), key);
			let mut pocket = folder.restore(session, &stored, config()).unwrap();
			for _ in 0..tickets {
				let ticket = ticket(pocket.pay(&due(), 1_000).unwrap());
				assert!(used.insert(ticket.nonce), "nonce {} again", ticket.nonce);
			}
		}
		assert_eq!(used.len(), 403);
	}

	#[test]
	fn nothing_is_signed_when_the_reservation_cannot_be_stored() {
		let dir = tempfile::tempdir().unwrap();
		let folder = StateFolder::open(dir.path()).unwrap();
		let mut pocket = folder.adopt(&folder.fresh_key(), config()).unwrap();
		// A folder in the place of the file: the rename over it fails.
		let path = pocket.path.clone();
		fs::remove_file(&path).unwrap();
		fs::create_dir(&path).unwrap();
		assert!(matches!(pocket.pay(&due(), 1_000), Err(PayError::Store(_))));
		// Nor is the same reservation taken for stored later.
		assert!(matches!(pocket.pay(&due(), 1_000), Err(PayError::Store(_))));
		fs::remove_dir(&path).unwrap();
		pocket.pay(&due(), 1_000).unwrap();
		let (session, stored) = folder.session().unwrap().unwrap();
		let mut restored = folder.restore(session, &stored, config()).unwrap();
		let after = ticket(restored.pay(&due(), 1_000).unwrap()).nonce;
		assert!(after >= 64, "goes on with nonce {after}");
	}

	#[test]
	fn no_counter_is_used_twice_through_crashes() {
		let dir = tempfile::tempdir().unwrap();
		let relayer = AccountId([3; 32]);
		{
			let folder = StateFolder::open(dir.path()).unwrap();
			folder.adopt(&folder.fresh_key(), config()).unwrap();
		}
		let mut before = (0, 0);
		for _ in 0..3 {
			let folder = StateFolder::open(dir.path()).unwrap();
			let (session, stored) = folder.session().unwrap().unwrap();
			let mut pocket = folder.restore(session, &stored, config()).unwrap();
			let signed = pocket.reserve(&relayer, 5_000, 300, 2_000).unwrap();
			let reservation = signed.message;
			assert!((reservation.counter, reservation.cap) > before, "{reservation:?}");
			assert!(reservation.counter > before.0 && reservation.cap > before.1);
			before = (reservation.counter, reservation.cap);
		}
		assert_eq!(before, (3, 5_002));
	}

	#[test]
	fn reservation_is_not_signed_when_its_counter_cannot_be_stored() {
		let dir = tempfile::tempdir().unwrap();
		let folder = StateFolder::open(dir.path()).unwrap();
		let mut pocket = folder.adopt(&folder.fresh_key(), config()).unwrap();
		let path = pocket.path.clone();
		fs::remove_file(&path).unwrap();
		fs::create_dir(&path).unwrap();
		let signed = pocket.reserve(&AccountId([3; 32]), 5_000, 300, 2_000);
		assert!(matches!(signed, Err(PayError::Store(_))));
	}

	#[test]
	fn folder_serves_one_player_at_a_time() {
		let dir = tempfile::tempdir().unwrap();
		let first = StateFolder::open(dir.path()).unwrap();
		assert!(matches!(StateFolder::open(dir.path()), Err(StateError::InUse(_))));
		drop(first);
		StateFolder::open(dir.path()).unwrap();
	}

	#[test]
	fn key_without_its_purse_is_not_used_again() {
		let dir = tempfile::tempdir().unwrap();
		let folder = StateFolder::open(dir.path()).unwrap();
		assert!(folder.session().unwrap().is_none());
		let pocket = folder.adopt(&folder.fresh_key(), config()).unwrap();
		assert!(folder.session().unwrap().is_some());
		fs::remove_file(&pocket.path).unwrap();
		assert!(folder.session().unwrap().is_none());
	}

	#[test]
	fn adopted_key_replaces_the_one_before() {
		let dir = tempfile::tempdir().unwrap();
		let folder = StateFolder::open(dir.path()).unwrap();
		let before = folder.adopt(&folder.fresh_key(), config()).unwrap();
		let after = folder.adopt(&folder.fresh_key(), config()).unwrap();
		assert_ne!(before.session(), after.session());
		assert_eq!(folder.session().unwrap().unwrap().0.public(), after.session());
		assert!(!before.path.exists() && after.path.exists());
	}
}
