//! Cumulative vouchers: "owed since the beginning". The newest of a session to a recipient replaces all before it.

use crate::{
	amount::Balance,
	chain::VoucherPlace,
	crypto::{AccountId, Hash, PublicKey, Signed, SignedMessage},
	receipt::Kind,
	register::Domain,
	window::StreamId,
	BlockNumber,
};
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use scale_info::TypeInfo;

/// Owes `recipient` `amount` in all, what was paid before included. The chain pays the difference to what it has paid for
/// this [`VoucherPlace`].
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
pub struct Voucher {
	/// Whose deposit pays.
	pub sender: AccountId,
	/// Session key that signs; registered by `sender` on the chain.
	pub session: PublicKey,
	/// The relayer's account.
	pub recipient: AccountId,
	/// The stream that was delivered.
	pub stream: StreamId,
	/// What for.
	pub kind: Kind,
	/// As in the receipt.
	pub context: Hash,
	/// Counter of the stream's terms that it was signed under: totals begin anew with each, so that no change of price
	/// or share reaches back.
	pub terms: u32,
	/// Micro-USDC owed in all.
	pub amount: Balance,
	/// Verified bytes in all.
	pub bytes: u64,
	/// Last block in which it can be redeemed; a multiple of [`crate::ticket::EXPIRY_GRID`]. At most the session's expiry.
	pub expiry: BlockNumber,
}

impl Voucher {
	/// Where it adds up.
	pub fn place(&self) -> VoucherPlace {
		VoucherPlace {
			session: self.session,
			recipient: self.recipient,
			stream: self.stream,
			kind: self.kind,
			context: self.context,
			terms: self.terms,
		}
	}
}

impl SignedMessage for Voucher {
	const DOMAIN: Domain = Domain::Voucher;
}

/// A voucher as the viewer sends it, signed by the session key.
pub type SignedVoucher = Signed<Voucher>;
