//! What the pallet stores.

use clustercast_primitives::{
	bridge::{withdrawal, Attestation, Domain, Withdrawal, WithdrawalInfo, WithdrawalPlace},
	Balance, BlockNumber, EthereumAddress, PublicKey,
};
use codec::{Decode, Encode, MaxEncodedLen};
use scale_info::TypeInfo;

/// The other end of the bridge. Set at genesis; no call changes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, MaxEncodedLen, TypeInfo)]
pub struct VaultInfo {
	/// The L2 and the vault's address there.
	pub l2: Domain,
	/// Attested L2 blocks are multiples of this; at least 1.
	pub interval: u32,
	/// L2 block from which the vault exists.
	pub first: u64,
}

/// A validator, as far as it attests.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, MaxEncodedLen, TypeInfo)]
pub struct Attestor<AccountId> {
	/// The validator.
	pub validator: AccountId,
	/// Signs its attestations.
	pub key: PublicKey,
	/// What it last said, and in which block.
	pub said: Option<(Attestation, BlockNumber)>,
	/// Contradicted itself, and is not heard any more under this key.
	pub muted: bool,
}

/// A withdrawal that releases USDC, by its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, MaxEncodedLen, TypeInfo)]
pub struct StoredWithdrawal {
	/// See [`Withdrawal::to`].
	pub to: EthereumAddress,
	/// See [`Withdrawal::amount`].
	pub amount: Balance,
	/// See [`Withdrawal::fee`].
	pub fee: Balance,
	/// Where its leaf is; `None` while it waits.
	pub place: Option<WithdrawalPlace>,
}

impl StoredWithdrawal {
	/// What the vault on this L2 pays.
	pub fn withdrawal(&self, l2: u32, id: u64) -> Withdrawal {
		Withdrawal {
			l2,
			kind: withdrawal::RELEASE,
			id,
			to: self.to,
			amount: self.amount,
			fee: self.fee,
		}
	}

	/// In the words of the JSON-RPC.
	pub fn info(&self, l2: u32, id: u64) -> WithdrawalInfo {
		WithdrawalInfo {
			withdrawal: self.withdrawal(l2, id),
			place: self.place,
		}
	}
}

/// Withdrawals in the order of their numbers: first those that are released and kept, then those that wait.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode, MaxEncodedLen, TypeInfo)]
pub struct LineNumbers {
	/// Number of the oldest that is kept.
	pub oldest: u64,
	/// Number of the first that waits.
	pub waiting: u64,
	/// Number that the next one gets.
	pub next: u64,
}

impl LineNumbers {
	/// How many wait.
	pub fn queued(&self) -> u64 {
		self.next.saturating_sub(self.waiting)
	}
}

/// What was released in a period.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode, MaxEncodedLen, TypeInfo)]
pub struct Outflow {
	/// Block number divided by the length of a period.
	pub period: BlockNumber,
	/// Micro-USDC.
	pub released: Balance,
}
