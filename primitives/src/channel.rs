//! What opens and ends the payment channel between a session and a relayer: collateral for vouchers.

use crate::{
	amount::Balance,
	crypto::{AccountId, PublicKey, Signed, SignedMessage},
	register::Domain,
	BlockNumber,
};
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use scale_info::TypeInfo;

/// Sets money aside for one relayer, who can submit it. Counter and cap rise with each.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
pub struct Reservation {
	/// Whose deposit it is.
	pub sender: AccountId,
	/// Session key that signs; registered by `sender` on the chain.
	pub session: PublicKey,
	/// For whom.
	pub recipient: AccountId,
	/// Rises with each of this session and recipient, from 1.
	pub counter: u32,
	/// Micro-USDC in all, what was paid from the channel included.
	pub cap: Balance,
	/// Micro-USDC for whoever submits it.
	pub reward: Balance,
	/// Last block in which it can be submitted.
	pub submit_by: BlockNumber,
}

impl SignedMessage for Reservation {
	const DOMAIN: Domain = Domain::Reservation;
}

/// A reservation as the viewer sends it.
pub type SignedReservation = Signed<Reservation>;

/// Begins to end a channel. Signed by the session key and submitted by anyone: no wallet is needed.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
pub struct Close {
	/// Whose deposit it is.
	pub sender: AccountId,
	/// Session key that signs.
	pub session: PublicKey,
	/// The other side.
	pub recipient: AccountId,
	/// Of the reservation that it ends, exactly.
	pub counter: u32,
	/// Last block in which it can be submitted.
	pub submit_by: BlockNumber,
}

impl SignedMessage for Close {
	const DOMAIN: Domain = Domain::Close;
}

/// A close as it travels.
pub type SignedClose = Signed<Close>;

/// Frees at once what a channel still reserves. Signed by the recipient's key. It names one reservation of one
/// registration of the session, so that it can't be replayed onto the next.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
pub struct Release {
	/// Account that releases.
	pub recipient: AccountId,
	/// The session.
	pub session: PublicKey,
	/// Block in which the session was registered.
	pub registered: BlockNumber,
	/// Of the reservation, exactly.
	pub counter: u32,
	/// Micro-USDC of the cap that stay reserved for vouchers on their way, in all.
	pub kept: Balance,
}

impl SignedMessage for Release {
	const DOMAIN: Domain = Domain::Release;
}

/// A release as it travels.
pub type SignedRelease = Signed<Release>;

impl Reservation {
	/// Whether this may follow `before` of the same channel: counter and cap rise.
	pub fn succeeds(&self, before: &Self) -> bool {
		let channel = |r: &Self| (r.sender, r.session, r.recipient);
		channel(self) == channel(before) && self.counter > before.counter && self.cap > before.cap
	}
}

impl Release {
	/// Whether it is for this reservation of a session that was registered then.
	pub fn is_for(&self, reservation: &Reservation, registered: BlockNumber) -> bool {
		(self.recipient, self.session, self.counter, self.registered)
			== (
				reservation.recipient,
				reservation.session,
				reservation.counter,
				registered,
			) && self.kept <= reservation.cap
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	fn reservation(counter: u32, cap: Balance) -> Reservation {
		Reservation {
			sender: AccountId([1; 32]),
			session: PublicKey([2; 32]),
			recipient: AccountId([3; 32]),
			counter,
			cap,
			reward: 100,
			submit_by: 600,
		}
	}

	#[test]
	fn reservations_rise() {
		let first = reservation(1, 5_000);
		assert!(reservation(2, 6_000).succeeds(&first));
		assert!(!reservation(1, 6_000).succeeds(&first), "replayed");
		assert!(!reservation(2, 5_000).succeeds(&first));
		let mut other = reservation(2, 6_000);
		other.recipient.0[0] ^= 1;
		assert!(!other.succeeds(&first));
	}

	#[test]
	fn release_is_for_one_reservation_of_one_registration() {
		let release = Release {
			recipient: AccountId([3; 32]),
			session: PublicKey([2; 32]),
			registered: 77,
			counter: 1,
			kept: 1_000,
		};
		assert!(release.is_for(&reservation(1, 5_000), 77));
		assert!(!release.is_for(&reservation(2, 6_000), 77), "the next reservation");
		assert!(
			!release.is_for(&reservation(1, 5_000), 78),
			"a session that was reaped and registered again"
		);
		assert!(!release.is_for(&reservation(1, 999), 77));
	}
}
