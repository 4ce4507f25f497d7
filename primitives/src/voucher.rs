//! Cumulative vouchers: "owed since the beginning". The newest of a session to a recipient replaces all before it.

use crate::{
	amount::Balance,
	chain::VoucherPlace,
	crypto::{AccountId, PublicKey, Signed, SignedMessage},
	window::StreamId,
	BlockNumber,
};
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use scale_info::TypeInfo;

/// Owes `recipient` `amount` in all for `stream`, what was paid before included. The chain pays the difference to what
/// it has paid for this (session, recipient, stream).
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
	/// Micro-USDC owed in all.
	pub amount: Balance,
	/// Verified bytes in all.
	pub bytes: u64,
	/// Last block in which it can be redeemed. At most the session's expiry.
	pub expiry: BlockNumber,
}

impl Voucher {
	/// Where it adds up.
	pub fn place(&self) -> VoucherPlace {
		VoucherPlace {
			session: self.session,
			recipient: self.recipient,
			stream: self.stream,
		}
	}
}

impl SignedMessage for Voucher {
	const DOMAIN: &'static [u8] = b"clustercast/voucher/v1";
}

/// A voucher as the viewer sends it, signed by the session key.
pub type SignedVoucher = Signed<Voucher>;
