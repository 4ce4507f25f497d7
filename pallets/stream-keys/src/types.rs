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

/// Who owned or rented a key before.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, MaxEncodedLen, TypeInfo)]
pub struct Former<AccountId> {
	/// Answers for the signing keys that it named.
	pub account: AccountId,
	/// Held on it for that, micro-USDC.
	pub deposit: Balance,
	/// Whether it signed two windows for one place.
	pub flagged: bool,
	/// First block in which it was somebody else's.
	pub until: BlockNumber,
}

/// What payments of a row of blocks are split by.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, MaxEncodedLen, TypeInfo)]
pub struct Era<AccountId> {
	/// Receives the broadcaster's share.
	pub payee: AccountId,
	/// Share and price; `None`: the key has ended.
	pub terms: Option<StreamTerms>,
	/// First block of it.
	pub from: BlockNumber,
}

/// A key that is rented, or will be from a block that is known.
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
	/// Owns it, and answers for what signs while nobody rents it.
	pub owner: T::AccountId,
	/// Held on the owner for it, micro-USDC.
	pub deposit: Balance,
	/// Whether the owner signed two windows for one place.
	pub flagged: bool,
	/// Signs window headers while nobody rents it.
	pub signing_key: PublicKey,
	/// Signed before.
	pub previous_keys: BoundedVec<PreviousKey<T::AccountId>, T::MaxPreviousKeys>,
	/// Owned or rented it before, the latest last.
	pub former: BoundedVec<Former<T::AccountId>, T::MaxPreviousKeys>,
	/// The owner's own.
	pub about: About<T>,
	/// In force when this was written.
	pub era: Era<T::AccountId>,
	/// Eras before that one.
	pub counter: u32,
	/// The last of them.
	pub before: Option<Era<T::AccountId>>,
	/// The era that follows while nobody rents it: other terms, its end, or the same terms with the owner as payee.
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
	/// Whoever rents it.
	Renter,
	/// Whoever stands at this place of [`StreamKey::former`].
	Former(usize),
}

impl<T: Config> StreamKey<T> {
	/// The eras that are known with their counters, in order: of the last two that have begun each, and those to come.
	pub fn eras(&self) -> impl DoubleEndedIterator<Item = (u32, Era<T::AccountId>)> {
		let to_come = |payee: &T::AccountId, terms, from| {
			let is_new = from > self.era.from;
			is_new.then(|| Era {
				payee: payee.clone(),
				terms,
				from,
			})
		};
		let rental = self.rental.as_ref();
		let begin = rental.and_then(|rental| to_come(&rental.renter, self.era.terms, rental.from));
		let end = rental.and_then(|rental| to_come(&self.owner, self.era.terms, rental.until));
		let change = self
			.change
			.and_then(|change| to_come(&self.owner, change.terms, change.from));
		let first = self.counter.saturating_sub(self.before.is_some().into());
		let eras = [self.before.clone(), Some(self.era.clone()), begin, end, change];
		let eras: Vec<_> = eras.into_iter().flatten().collect();
		(first..).zip(eras).collect::<Vec<_>>().into_iter()
	}

	/// The era of a block; the first one that is known for blocks before it.
	pub fn era_at(&self, block: BlockNumber) -> (u32, Era<T::AccountId>) {
		let mut eras = self.eras().rev();
		let begun = eras.find(|(_, era)| era.from <= block);
		begun
			.or_else(|| self.eras().next())
			.unwrap_or_else(|| (self.counter, self.era.clone()))
	}

	/// An era by its counter, if it has begun, and the first block after it, if that is not to come.
	pub fn era(&self, counter: u32, now: BlockNumber) -> Option<(Era<T::AccountId>, Option<BlockNumber>)> {
		let mut begun = self.eras().filter(|(_, era)| era.from <= now);
		let (_, era) = begun.find(|(number, _)| *number == counter)?;
		Some((era, begun.next().map(|(_, next)| next.from)))
	}

	/// The era after that of a block, if one is known.
	pub fn next_era(&self, block: BlockNumber) -> Option<Era<T::AccountId>> {
		self.eras().map(|(_, era)| era).find(|era| era.from > block)
	}

	/// First block in which another era can begin: eras last for [`Config::ChangeDelay`] at least, but for the first one.
	pub fn free(&self, now: BlockNumber) -> BlockNumber {
		match self.counter {
			0 => now,
			_ => self.era.from.saturating_add(T::ChangeDelay::get()).max(now),
		}
	}

	/// Begins another era.
	pub fn begin(&mut self, era: Era<T::AccountId>) {
		self.before = Some(core::mem::replace(&mut self.era, era));
		self.counter = self.counter.saturating_add(1);
	}

	/// The rental that a block belongs to.
	pub fn rental_at(&self, block: BlockNumber) -> Option<&Rental<T>> {
		self.rental
			.as_ref()
			.filter(|rental| (rental.from..rental.until).contains(&block))
	}

	/// What the broadcaster of a block says of the stream.
	pub fn about_at(&self, block: BlockNumber) -> &About<T> {
		self.rental_at(block).map_or(&self.about, |rental| &rental.about)
	}

	/// All known signing keys: that of the block first, the latest replaced ones next.
	pub fn signing_keys(&self, block: BlockNumber) -> Vec<PublicKey> {
		let rental = self.rental.as_ref().filter(|rental| rental.from <= block);
		let rented = rental.map(|rental| rental.signing_key);
		let mut keys: Vec<_> = core::iter::once(self.signing_key).chain(rented).collect();
		if self.rental_at(block).is_some() {
			keys.reverse();
		}
		keys.extend(self.previous_keys.iter().rev().map(|previous| previous.key));
		keys
	}

	/// Who answers for a signing key: whoever it is of that signs with it, then whoever named it before, the latest first.
	pub fn culprits(&self, key: &PublicKey) -> impl Iterator<Item = Culprit> {
		let named = |by: &T::AccountId| {
			let rental = self.rental.as_ref();
			let former = self.former.iter().enumerate().rev();
			let owner = (*by == self.owner).then_some(Culprit::Owner);
			let renter = rental.filter(|rental| rental.renter == *by).map(|_| Culprit::Renter);
			let former = former.filter(|(_, former)| former.account == *by);
			let former = former.map(|(place, _)| Culprit::Former(place));
			owner.into_iter().chain(renter).chain(former).collect::<Vec<_>>()
		};
		let owner = (self.signing_key == *key).then_some(Culprit::Owner);
		let rented = self.rental.as_ref().filter(|rental| rental.signing_key == *key);
		let previous = self.previous_keys.iter().rev().filter(|previous| previous.key == *key);
		let previous: Vec<_> = previous.flat_map(|previous| named(&previous.by)).collect();
		let active = owner.into_iter().chain(rented.map(|_| Culprit::Renter));
		active.chain(previous)
	}

	/// The deposit of who answers, and whether they are flagged.
	pub fn answer(&mut self, who: Culprit) -> Option<(&T::AccountId, &mut Balance, &mut bool)> {
		match who {
			Culprit::Owner => Some((&self.owner, &mut self.deposit, &mut self.flagged)),
			Culprit::Renter => {
				let rental = self.rental.as_mut()?;
				Some((&rental.renter, &mut rental.deposit, &mut rental.flagged))
			},
			Culprit::Former(place) => {
				let former = self.former.get_mut(place)?;
				Some((&former.account, &mut former.deposit, &mut former.flagged))
			},
		}
	}

	/// Who answers for this signing key and is not flagged yet.
	pub fn unflagged(&self, key: &PublicKey) -> Option<Culprit> {
		self.culprits(key).find(|who| match who {
			Culprit::Owner => !self.flagged,
			Culprit::Renter => self.rental.as_ref().is_some_and(|rental| !rental.flagged),
			Culprit::Former(place) => self.former.get(*place).is_some_and(|former| !former.flagged),
		})
	}

	/// First block in which something of it is over.
	pub fn due(&self) -> Option<BlockNumber> {
		let remembered = |end: BlockNumber| end.saturating_add(T::KeyMemory::get());
		let rental = self.rental.as_ref().map(|rental| rental.until);
		let change = self.change.map(|change| change.from);
		let former = self.former.iter().map(|former| remembered(former.until));
		let ended = self.era.terms.is_none().then(|| remembered(self.era.from));
		rental.into_iter().chain(change).chain(former).chain(ended).min()
	}

	/// Whether another one can be listed as who owned or rented it before.
	pub fn has_room(&self) -> bool {
		let reserved = usize::from(self.rental.is_some());
		self.former.len().saturating_add(reserved) < T::MaxPreviousKeys::get() as usize
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
