//! What the pallet stores: sessions, channels, and what relayers paid in shares.

pub use clustercast_primitives::chain::VoucherTotals;
use clustercast_primitives::{
	chain::{TicketRefusal, VoucherPlace},
	nonces::Nonces,
	receipt::Kind,
	Balance, BlockNumber, Hash, PublicKey, StreamId,
};
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use frame_support::traits::PalletError;
use scale_info::TypeInfo;

/// A key that signs payments for an account.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, MaxEncodedLen, TypeInfo)]
pub struct Session<AccountId> {
	/// Whose deposit it spends.
	pub owner: AccountId,
	/// Most that it may spend in all on what is by bytes, and on tips, micro-USDC.
	pub limit: Balance,
	/// Spent so far of `limit`, what is reserved included, micro-USDC.
	pub spent: Balance,
	/// Most that it may spend in all on everything else, micro-USDC.
	pub extra_limit: Balance,
	/// Spent so far of `extra_limit`, micro-USDC.
	pub extra_spent: Balance,
	/// Last block for which it can sign payments.
	pub expiry: BlockNumber,
	/// Block in which it was registered.
	pub registered: BlockNumber,
	/// Held for it on the owner, micro-USDC.
	pub deposit: Balance,
	/// Whether its owner was a bonded relayer then: the shares that it pays are credited.
	pub buys: bool,
	/// Nonces of its tips that were paid.
	pub tips: Nonces,
}

/// What a session reserves for a recipient, and what it paid it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode, MaxEncodedLen, TypeInfo)]
pub struct Channel {
	/// Of the latest reservation; 0 before the first.
	pub counter: u32,
	/// Micro-USDC in all, what was paid included, that the latest reservation covers.
	pub cap: Balance,
	/// Micro-USDC that were paid by bytes, reserved or not.
	pub paid: Balance,
	/// Micro-USDC that are reserved.
	pub open: Balance,
	/// Closed: first block in which nothing is reserved any more.
	pub closes_at: Option<BlockNumber>,
	/// Nonces of tickets that were paid.
	pub nonces: Nonces,
}

/// Micro-USDC of a payment that others have a share in, or of several.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode, MaxEncodedLen, TypeInfo)]
pub struct Shares {
	/// The broadcaster's.
	pub broadcaster: Balance,
	/// The treasury's.
	pub treasury: Balance,
}

impl Shares {
	/// Both.
	pub fn sum(self) -> Balance {
		self.broadcaster.saturating_add(self.treasury)
	}

	/// The lesser of each.
	pub fn min(self, other: Self) -> Self {
		Self {
			broadcaster: self.broadcaster.min(other.broadcaster),
			treasury: self.treasury.min(other.treasury),
		}
	}

	/// More of each.
	pub fn plus(self, other: Self) -> Self {
		Self {
			broadcaster: self.broadcaster.saturating_add(other.broadcaster),
			treasury: self.treasury.saturating_add(other.treasury),
		}
	}

	/// Less of each, nothing where there is less.
	pub fn minus(self, other: Self) -> Self {
		Self {
			broadcaster: self.broadcaster.saturating_sub(other.broadcaster),
			treasury: self.treasury.saturating_sub(other.treasury),
		}
	}
}

/// Shares that a relayer paid as a buyer and as a seller of a stream under one of its terms.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, MaxEncodedLen, TypeInfo)]
pub struct Ledger<AccountId> {
	/// Who broadcasts under these terms.
	pub broadcaster: AccountId,
	/// Contained in what it bought, and set aside until it sells: pays what it owes then.
	pub credit: Shares,
	/// Paid out of its own income: comes back with what it buys.
	pub paid: Shares,
	/// Block of its last payment.
	pub touched: BlockNumber,
	/// Block in which it was made, or looked at last for what is left over.
	pub since: BlockNumber,
	/// Of `credit`, what was there then and is not used since.
	pub idle: Shares,
}

impl<AccountId> Ledger<AccountId> {
	/// Nothing was paid yet, in block `now`.
	pub fn new(broadcaster: AccountId, now: BlockNumber) -> Self {
		Self {
			broadcaster,
			credit: Shares::default(),
			paid: Shares::default(),
			touched: now,
			since: now,
			idle: Shares::default(),
		}
	}
}

/// Something that ends by itself.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, MaxEncodedLen, TypeInfo)]
pub enum End<AccountId> {
	/// A session, once nothing that it signed can be paid any more: frees what it reserves, forgets what it paid.
	Session(PublicKey),
	/// A channel that was closed: frees what it reserves.
	Channel(PublicKey, AccountId),
	/// A ledger, long after its last payment: what is set aside goes to those whose shares they are.
	Ledger(AccountId, StreamId, u32),
}

/// Why something that a session key signed is not paid, as part of an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
pub struct Refusal(pub TicketRefusal);

impl PalletError for Refusal {
	const MAX_ENCODED_SIZE: usize = 1;
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

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn a_refusal_fits_into_an_error() {
		assert_eq!(Refusal::max_encoded_len(), Refusal::MAX_ENCODED_SIZE);
	}
}
