//! What a session key signs about itself.

use crate::{
	crypto::{AccountId, SignedMessage},
	register::Domain,
};
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use scale_info::TypeInfo;

/// Shows that whoever registers a session key for an account has it; signed with that key.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
pub struct SessionProof {
	/// The account that registers.
	pub account: AccountId,
}

impl SignedMessage for SessionProof {
	const DOMAIN: Domain = Domain::SessionProof;
}
