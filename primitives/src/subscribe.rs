//! What a viewer signs to be served: bound to one relayer, one connection and one moment, so that nobody who sees it can
//! use it elsewhere.

use crate::{
	crypto::{AccountId, Hash, PublicKey, Signed, SignedMessage},
	register::Domain,
	window::{StreamId, TrackId},
};
use bounded_collections::{BoundedVec, ConstU32};
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use core::fmt;
use scale_info::TypeInfo;

/// Most tracks of a subscription.
pub const MAX_TRACKS: u32 = 16;

/// Tracks of ascending numbers.
pub type Tracks = BoundedVec<TrackId, ConstU32<MAX_TRACKS>>;

/// Whom the viewer sees at the other end of its connection. A browser proves no key of its own, so the relayer's end is
/// what a subscription is bound to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
pub enum Binding {
	/// libp2p: the relayer's peer key (Ed25519).
	PeerKey([u8; 32]),
	/// WebTransport, WebRTC: SHA-256 of the certificate that the relayer showed.
	Certificate([u8; 32]),
}

/// "Serve me this; I pay from this account." Signed by the session key.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
pub struct Subscription {
	/// Holds the deposit.
	pub account: AccountId,
	/// Signs this and what pays.
	pub session: PublicKey,
	/// The stream.
	pub stream: StreamId,
	/// At least one.
	pub tracks: Tracks,
	/// What the relayer said first on this connection, drawn at random for it alone; also the salt of
	/// [`crate::receipt::payer`].
	pub challenge: Hash,
	/// The relayer, as the viewer sees it.
	pub binding: Binding,
}

impl SignedMessage for Subscription {
	const DOMAIN: Domain = Domain::Subscribe;
}

/// As it travels.
pub type SignedSubscription = Signed<Subscription>;

/// Why a subscription is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SubscriptionError {
	/// No tracks, or numbers that do not ascend.
	Tracks,
	/// Another challenge: of another connection, or of an earlier one.
	Challenge,
	/// The viewer sees somebody else at the other end.
	Binding,
	/// Signature not by the session key for this chain.
	Signature(crate::crypto::SignatureError),
}

impl fmt::Display for SubscriptionError {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		match self {
			Self::Tracks => f.write_str("a subscription needs tracks of ascending numbers"),
			Self::Challenge => f.write_str("a subscription for another connection"),
			Self::Binding => f.write_str("a subscription to somebody else"),
			Self::Signature(e) => write!(f, "subscription's {e}"),
		}
	}
}

impl core::error::Error for SubscriptionError {}

impl Subscription {
	/// Whether its parts agree with each other.
	pub fn check(&self) -> Result<(), SubscriptionError> {
		let ascending = self.tracks.windows(2).all(|pair| pair[0] < pair[1]);
		match ascending && !self.tracks.is_empty() {
			true => Ok(()),
			false => Err(SubscriptionError::Tracks),
		}
	}
}

#[cfg(feature = "keys")]
impl SignedSubscription {
	/// Signed by its session key, for the connection that this challenge was drawn for, at whose end the relayer shows
	/// itself like this.
	pub fn check(&self, challenge: &Hash, binding: &Binding, genesis: &Hash) -> Result<(), SubscriptionError> {
		let subscription = &self.message;
		subscription.check()?;
		if subscription.challenge != *challenge {
			return Err(SubscriptionError::Challenge);
		}
		if subscription.binding != *binding {
			return Err(SubscriptionError::Binding);
		}
		self.verify(&subscription.session, genesis)
			.map_err(SubscriptionError::Signature)
	}
}

#[cfg(test)]
mod tests {
	use super::*;
	use crate::crypto::{KeyPair, SignatureError};
	use alloc::vec::Vec;

	#[test]
	fn subscription_is_checked_both_ways() {
		let (key, genesis, challenge) = (KeyPair::from_seed([1; 32]), Hash([2; 32]), Hash([3; 32]));
		let binding = Binding::PeerKey([4; 32]);
		let check = |tracks: &[TrackId], key: &KeyPair, challenge: &Hash, binding: &Binding| {
			let subscription = Subscription {
				account: AccountId([5; 32]),
				session: KeyPair::from_seed([1; 32]).public(),
				stream: StreamId(1),
				tracks: Vec::from(tracks).try_into().unwrap(),
				challenge: Hash([3; 32]),
				binding: Binding::PeerKey([4; 32]),
			};
			key.sign(subscription, &genesis).check(challenge, binding, &genesis)
		};
		assert_eq!(check(&[0, 3], &key, &challenge, &binding), Ok(()));
		for tracks in [&[][..], &[3, 0], &[3, 3]] {
			assert_eq!(
				check(tracks, &key, &challenge, &binding),
				Err(SubscriptionError::Tracks)
			);
		}
		assert_eq!(
			check(&[0], &key, &Hash([9; 32]), &binding),
			Err(SubscriptionError::Challenge)
		);
		for other in [Binding::PeerKey([9; 32]), Binding::Certificate([4; 32])] {
			assert_eq!(check(&[0], &key, &challenge, &other), Err(SubscriptionError::Binding));
		}
		let other = KeyPair::from_seed([9; 32]);
		let invalid = SubscriptionError::Signature(SignatureError::Invalid);
		assert_eq!(check(&[0], &other, &challenge, &binding), Err(invalid));
	}
}
