//! What is stored of a stream key, and what of it is in force in which block.

use crate::Config;
use alloc::vec::Vec;
use clustercast_primitives::{
	chain::{RentOffer, StreamTerms, TermsChange},
	Balance, BlockNumber, PublicKey,
};
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use frame_support::{traits::Get, BoundedVec, CloneNoBound, DebugNoBound, EqNoBound, PartialEqNoBound};
use scale_info::TypeInfo;

/// Text of bounded length; UTF-8 wherever it is stored.
pub type Text<Max> = BoundedVec<u8, Max>;

/// What people see of a stream.
#[derive(
	Encode,
	Decode,
	DecodeWithMemTracking,
	MaxEncodedLen,
	TypeInfo,
	CloneNoBound,
	PartialEqNoBound,
	EqNoBound,
	DebugNoBound,
)]
#[scale_info(skip_type_params(T))]
pub struct About<T: Config> {
	/// UTF-8.
	pub title: Text<T::MaxTitle>,
	/// UTF-8.
	pub category: Text<T::MaxCategory>,
	/// Most viewers at a time; 0 is no limit.
	pub max_viewers: u32,
}

/// A signing key in use.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, MaxEncodedLen, TypeInfo)]
pub struct SigningKey<AccountId> {
	/// The key.
	pub key: PublicKey,
	/// Named it, and answers for what it signs.
	pub by: AccountId,
}

/// A signing key that was replaced.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, MaxEncodedLen, TypeInfo)]
pub struct PreviousKey<AccountId> {
	/// The key.
	pub key: PublicKey,
	/// Named it, and answers for what it signed.
	pub by: AccountId,
	/// Block in which it was replaced.
	pub until: BlockNumber,
}

/// Who owned a key before.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, MaxEncodedLen, TypeInfo)]
pub struct Former<AccountId> {
	/// Receives the broadcaster's share of tickets that were signed before.
	pub account: AccountId,
	/// Block in which it changed hands.
	pub until: BlockNumber,
}

/// A key that is rented, or was until a short while ago.
#[derive(Encode, Decode, MaxEncodedLen, TypeInfo, CloneNoBound, PartialEqNoBound, EqNoBound, DebugNoBound)]
#[scale_info(skip_type_params(T))]
pub struct Rental<T: Config> {
	/// Broadcasts and receives the broadcaster's share.
	pub renter: T::AccountId,
	/// Signs window headers.
	pub signing_key: PublicKey,
	/// First block of it.
	pub from: BlockNumber,
	/// First block after it.
	pub until: BlockNumber,
	/// Held on the renter for it, micro-USDC.
	pub deposit: Balance,
	/// Whether the renter signed two windows for one place.
	pub flagged: bool,
	/// The renter's own.
	pub about: About<T>,
}

/// A stream key as it is stored.
#[derive(Encode, Decode, MaxEncodedLen, TypeInfo, CloneNoBound, PartialEqNoBound, EqNoBound, DebugNoBound)]
#[scale_info(skip_type_params(T))]
pub struct StreamKey<T: Config> {
	/// Owns it.
	pub owner: T::AccountId,
	/// Owned it before, as long as tickets from then may be redeemed, and perhaps longer.
	pub former: Option<Former<T::AccountId>>,
	/// Held on the owner for it, micro-USDC.
	pub deposit: Balance,
	/// Whether the owner signed two windows for one place.
	pub flagged: bool,
	/// Signs window headers while nobody rents it.
	pub signer: SigningKey<T::AccountId>,
	/// Signed before.
	pub previous_keys: BoundedVec<PreviousKey<T::AccountId>, T::MaxPreviousKeys>,
	/// The owner's own.
	pub about: About<T>,
	/// In force until something else is.
	pub terms: StreamTerms,
	/// Terms before them.
	pub terms_counter: u32,
	/// Announced, or in force for a short while.
	pub change: Option<TermsChange>,
	/// Anybody can buy it for this, micro-USDC.
	pub sale_price: Option<Balance>,
	/// Anybody can rent it for this.
	pub rent_offer: Option<RentOffer>,
	/// At most one at a time.
	pub rental: Option<Rental<T>>,
}

/// Who answers for a signing key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Culprit {
	/// The stream key's owner.
	Owner,
	/// Whoever rents it, or did until a short while ago.
	Renter,
}

impl<T: Config> StreamKey<T> {
	/// What is in force in a block; `None` where it is burnt by then.
	pub fn terms_at(&self, block: BlockNumber) -> Option<StreamTerms> {
		match self.change {
			Some(change) if change.from <= block => change.terms,
			_ => Some(self.terms),
		}
	}

	/// How many terms were in force before those of a block.
	pub fn counter_at(&self, block: BlockNumber) -> u32 {
		let changed = self
			.change
			.is_some_and(|change| change.from <= block && change.terms.is_some());
		self.terms_counter.saturating_add(changed.into())
	}

	/// The rental that a block belongs to.
	pub fn rental_at(&self, block: BlockNumber) -> Option<&Rental<T>> {
		self.rental
			.as_ref()
			.filter(|rental| (rental.from..rental.until).contains(&block))
	}

	/// Who owned it in a block. A former owner whose account is gone cannot receive anything: the owner of today does.
	pub fn owner_at(&self, block: BlockNumber, is_alive: impl FnOnce(&T::AccountId) -> bool) -> &T::AccountId {
		let former = self.former.as_ref().filter(|former| block < former.until);
		former
			.map(|former| &former.account)
			.filter(|account| is_alive(account))
			.unwrap_or(&self.owner)
	}

	/// What the broadcaster of a block says of the stream.
	pub fn about_at(&self, block: BlockNumber) -> &About<T> {
		self.rental_at(block).map_or(&self.about, |rental| &rental.about)
	}

	/// All known signing keys: that of the block first, the latest replaced ones next.
	pub fn signing_keys(&self, block: BlockNumber) -> Vec<PublicKey> {
		let rented = self.rental.as_ref().map(|rental| rental.signing_key);
		let mut keys: Vec<_> = core::iter::once(self.signer.key).chain(rented).collect();
		if self.rental_at(block).is_some() {
			keys.reverse();
		}
		keys.extend(self.previous_keys.iter().rev().map(|previous| previous.key));
		keys
	}

	/// Who answers for a key. Nobody, if that is neither owner nor renter any more.
	pub fn culprit(&self, key: &PublicKey) -> Option<Culprit> {
		let previous = self.previous_keys.iter().map(|previous| (&previous.key, &previous.by));
		let rented = self.rental.iter().map(|rental| (&rental.signing_key, &rental.renter));
		let named = core::iter::once((&self.signer.key, &self.signer.by))
			.chain(rented)
			.chain(previous);
		let by = |who: &T::AccountId| named.clone().any(|(named, by)| named == key && by == who);
		let is_renter = || self.rental.as_ref().is_some_and(|rental| by(&rental.renter));
		match by(&self.owner) {
			true => Some(Culprit::Owner),
			false => is_renter().then_some(Culprit::Renter),
		}
	}

	/// First block in which part of it is over and forgotten.
	pub fn due(&self) -> Option<BlockNumber> {
		let rental = self.rental.as_ref().map(|rental| rental.until);
		let change = self.change.map(|change| change.from);
		let first = rental.into_iter().chain(change).min()?;
		Some(first.saturating_add(T::ChangeDelay::get()))
	}

	/// Makes room for so many replaced keys by forgetting ones that were kept long enough. False where there is none.
	pub fn make_room(&mut self, wanted: u32, now: BlockNumber) -> bool {
		let room =
			|keys: &BoundedVec<_, T::MaxPreviousKeys>| T::MaxPreviousKeys::get().saturating_sub(keys.len() as u32);
		while room(&self.previous_keys) < wanted {
			let kept_long_enough = |previous: &PreviousKey<_>| previous.until.saturating_add(T::KeyMemory::get()) < now;
			match self.previous_keys.iter().position(kept_long_enough) {
				Some(oldest) => drop(self.previous_keys.remove(oldest)),
				None => return false,
			}
		}
		true
	}
}
