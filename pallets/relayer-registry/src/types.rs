//! A relayer as it is stored, and who may change it.

use crate::{Addresses, Config, Error};
use clustercast_primitives::{Balance, BlockNumber, PublicKey};
use codec::{Decode, Encode, MaxEncodedLen};
use frame_support::{ensure, BoundedVec, CloneNoBound, DebugNoBound, EqNoBound, PartialEqNoBound};
use scale_info::TypeInfo;

/// A signing key that was replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, MaxEncodedLen, TypeInfo)]
pub struct PreviousKey {
	/// The key.
	pub key: PublicKey,
	/// Last block in which the relayer answers for it, and nobody else can register it.
	pub until: BlockNumber,
}

/// A bond that nothing leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, MaxEncodedLen, TypeInfo)]
pub struct Freeze {
	/// First block in which the penalties are paid.
	pub due: BlockNumber,
	/// What the offences cost that was not taken yet, micro-USDC.
	pub owed: Balance,
}

/// A relayer as it is stored.
#[derive(Encode, Decode, MaxEncodedLen, TypeInfo, CloneNoBound, PartialEqNoBound, EqNoBound, DebugNoBound)]
#[scale_info(skip_type_params(T))]
pub struct Relayer<T: Config> {
	/// Receives its money and owns the bond.
	pub payout: T::AccountId,
	/// Acts for it, but for the bond.
	pub operator: T::AccountId,
	/// Signs receipts; also the key of its libp2p peer id.
	pub signing_key: PublicKey,
	/// Those before, the oldest first.
	pub previous_keys: BoundedVec<PreviousKey, T::MaxPreviousKeys>,
	/// Where it listens.
	pub addresses: Addresses<T>,
	/// Asking price, micro-USDC per 10^9 bytes.
	pub price_per_gb: u64,
	/// Held on the payout account, micro-USDC.
	pub bond: Balance,
	/// Leaving: first block in which the bond can be withdrawn.
	pub unbonds_at: Option<BlockNumber>,
	/// Convicted of something that is not paid yet.
	pub frozen: Option<Freeze>,
}

impl<T: Config> Relayer<T> {
	/// Who may move the bond, as long as no offence holds it.
	pub(crate) fn check_owner(&self, who: &T::AccountId) -> Result<(), Error<T>> {
		ensure!(self.payout == *who, Error::<T>::NotPayout);
		ensure!(self.frozen.is_none(), Error::<T>::Frozen);
		Ok(())
	}

	/// Who may change how it serves.
	pub(crate) fn check_operator(&self, who: &T::AccountId) -> Result<(), Error<T>> {
		ensure!(self.operator == *who || self.payout == *who, Error::<T>::NotOperator);
		Ok(())
	}
}
