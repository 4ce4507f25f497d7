//! What the pallet stores: sessions and bitmaps of spent nonces.

pub use clustercast_primitives::chain::VoucherTotals;
use clustercast_primitives::{chain::VoucherPlace, receipt::Kind, Balance, BlockNumber, Hash, StreamId};
use codec::{Decode, Encode, MaxEncodedLen};
use core::marker::PhantomData;
use frame_support::{traits::Get, BoundedVec, CloneNoBound, DebugNoBound, DefaultNoBound, EqNoBound, PartialEqNoBound};
use scale_info::TypeInfo;

/// A key that signs tickets for a viewer.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, MaxEncodedLen, TypeInfo)]
pub struct Session<AccountId> {
	/// Whose deposit it spends.
	pub owner: AccountId,
	/// Most that it may spend in all on what is by bytes, and on tips, micro-USDC.
	pub limit: Balance,
	/// Spent so far of `limit`, micro-USDC.
	pub spent: Balance,
	/// Most that it may spend in all on everything else, micro-USDC.
	pub extra_limit: Balance,
	/// Spent so far of `extra_limit`, micro-USDC.
	pub extra_spent: Balance,
	/// Last block for which it can sign tickets.
	pub expiry: BlockNumber,
	/// Places that its vouchers have paid.
	pub payees: u32,
}

/// Which limit of a session a payment counts against.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purse {
	/// [`Session::limit`].
	Bytes,
	/// [`Session::extra_limit`].
	Extra,
}

impl From<Kind> for Purse {
	fn from(kind: Kind) -> Self {
		match kind.by_bytes() {
			true => Self::Bytes,
			false => Self::Extra,
		}
	}
}

impl<AccountId> Session<AccountId> {
	/// What it can still spend, micro-USDC.
	pub(crate) fn left(&self, purse: Purse) -> Balance {
		match purse {
			Purse::Bytes => self.limit.saturating_sub(self.spent),
			Purse::Extra => self.extra_limit.saturating_sub(self.extra_spent),
		}
	}

	/// Spends what is left there.
	pub(crate) fn spend(&mut self, purse: Purse, amount: Balance) {
		let spent = match purse {
			Purse::Bytes => &mut self.spent,
			Purse::Extra => &mut self.extra_spent,
		};
		*spent = spent.saturating_add(amount);
	}
}

/// Where vouchers of a session add up: recipient, stream, kind, context, counter of the stream's terms.
pub type Account<AccountId> = (AccountId, StreamId, Kind, Hash, u32);

/// What of a place is beside its session.
pub(crate) fn account_at<AccountId: From<[u8; 32]>>(place: &VoucherPlace) -> Account<AccountId> {
	(
		place.recipient.0.into(),
		place.stream,
		place.kind,
		place.context,
		place.terms,
	)
}

/// Bytes of a bitmap over `MaxNonces` bits.
pub struct BitmapBytes<MaxNonces>(PhantomData<MaxNonces>);

impl<MaxNonces: Get<u32>> Get<u32> for BitmapBytes<MaxNonces> {
	fn get() -> u32 {
		MaxNonces::get().div_ceil(8)
	}
}

/// Nonces that are spent: bit `n % 8` of byte `n / 8` is nonce `n`. Grows as far as the largest spent nonce, so its
/// last byte is not zero.
#[derive(
	CloneNoBound, DebugNoBound, DefaultNoBound, PartialEqNoBound, EqNoBound, Encode, Decode, MaxEncodedLen, TypeInfo,
)]
#[scale_info(skip_type_params(MaxNonces))]
pub struct NonceBitmap<MaxNonces: Get<u32>>(BoundedVec<u8, BitmapBytes<MaxNonces>>);

impl<MaxNonces: Get<u32>> NonceBitmap<MaxNonces> {
	/// Whether `nonce` is spent.
	pub fn contains(&self, nonce: u32) -> bool {
		self.0
			.get(nonce as usize / 8)
			.is_some_and(|byte| byte & Self::bit(nonce) != 0)
	}

	/// Marks `nonce` as spent. False, and nothing is changed, where it is spent already or beyond the bound.
	#[must_use]
	pub fn insert(&mut self, nonce: u32) -> bool {
		let index = nonce as usize / 8;
		if self.contains(nonce) || index >= BitmapBytes::<MaxNonces>::get() as usize {
			return false;
		}
		if index >= self.0.len() {
			self.0.bounded_resize(index + 1, 0);
		}
		self.0[index] |= Self::bit(nonce);
		true
	}

	/// Whether it is as long as its largest nonce asks for and no longer than the bound.
	#[cfg(any(feature = "try-runtime", test))]
	pub(crate) fn is_well_formed(&self) -> bool {
		self.0.len() <= BitmapBytes::<MaxNonces>::get() as usize && self.0.last().is_some_and(|byte| *byte != 0)
	}

	fn bit(nonce: u32) -> u8 {
		1 << (nonce % 8)
	}
}

#[cfg(test)]
mod tests {
	use super::*;
	use frame_support::traits::ConstU32;

	#[test]
	fn a_nonce_is_spent_once_and_alone() {
		let mut bitmap = NonceBitmap::<ConstU32<64>>::default();
		for nonce in [0, 1, 7, 8, 62, 63] {
			assert!(!bitmap.contains(nonce));
			assert!(bitmap.insert(nonce));
			assert!(bitmap.contains(nonce));
			assert!(!bitmap.insert(nonce));
			assert!(bitmap.is_well_formed());
		}
		assert_eq!((0..64).filter(|n| bitmap.contains(*n)).count(), 6);
	}

	#[test]
	fn a_bitmap_is_no_longer_than_it_must_be() {
		let mut bitmap = NonceBitmap::<ConstU32<64>>::default();
		assert!(!bitmap.is_well_formed());
		assert!(bitmap.insert(15));
		assert_eq!(bitmap.encoded_size(), 1 + 2);
		assert!(!bitmap.insert(64));
		assert!(!bitmap.contains(64));
		assert!(!bitmap.insert(u32::MAX));
		assert_eq!(bitmap.encoded_size(), 1 + 2);
		assert_eq!(NonceBitmap::<ConstU32<8192>>::max_encoded_len(), 2 + 1024);
	}
}
