//! Lottery tickets: a viewer's signed promise of which one in N pays its face value.

use crate::{
	amount::Balance,
	crypto::{sha256, AccountId, Hash, PublicKey, Signature, Signed, SignedMessage},
	window::WindowId,
	BlockNumber,
};
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use scale_info::TypeInfo;

/// Pays `recipient` the whole `face_value` from the deposit of `sender` when it wins.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
pub struct Ticket {
	/// Whose deposit pays.
	pub sender: AccountId,
	/// Session key that signs; registered by `sender` on the chain.
	pub session: PublicKey,
	/// The relayer's account.
	pub recipient: AccountId,
	/// The window it pays for.
	pub window: WindowId,
	/// Verified bytes it pays for.
	pub bytes: u32,
	/// Micro-USDC paid when it wins.
	pub face_value: Balance,
	/// Wins with this probability, of 2^64. See [`crate::amount::win_probability`].
	pub win_probability: u64,
	/// The relayer's commitment from the receipt.
	pub commitment: Hash,
	/// Unique per session among tickets whose expiry lies in one epoch; below the chain's bitmap size.
	pub nonce: u32,
	/// Last block in which it can be redeemed.
	pub expiry: BlockNumber,
}

impl SignedMessage for Ticket {
	const DOMAIN: &'static [u8] = b"clustercast/ticket/v1";
}

/// A ticket as the viewer sends it, signed by the session key.
pub type SignedTicket = Signed<Ticket>;

const COMMITMENT_DOMAIN: &[u8] = b"clustercast/commitment/v1";
const OUTCOME_DOMAIN: &[u8] = b"clustercast/outcome/v1";
const RAND_DOMAIN: &[u8] = b"clustercast/rand/v1";

/// What the relayer commits to before the ticket is signed: `H(domain ‖ rand)`.
pub fn commitment(rand: &Hash) -> Hash {
	sha256(&[COMMITMENT_DOMAIN, &rand.0])
}

/// Fresh secret for one ticket: a PRF of the relayer's secret, the session, and a serial that is never used twice
/// (`salt` drawn when the subscription begins, `serial` counted in it). Knowing one tells nothing of another.
pub fn rand(secret: &[u8; 32], session: &PublicKey, salt: &[u8; 16], serial: u64) -> Hash {
	sha256(&[RAND_DOMAIN, secret, &session.0, salt, &serial.to_le_bytes()])
}

/// Whether a ticket wins: the first eight bytes (big-endian) of `H(domain ‖ signature ‖ rand)` are strictly below its
/// win probability.
pub fn wins(win_probability: u64, signature: &Signature, rand: &Hash) -> bool {
	let digest = sha256(&[OUTCOME_DOMAIN, &signature.0, &rand.0]).0;
	let mut first = [0; 8];
	first.copy_from_slice(&digest[..8]);
	u64::from_be_bytes(first) < win_probability
}

/// A ticket that won, with the secret that shows it: what is redeemed.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
pub struct WinningTicket {
	/// As the viewer signed it.
	pub signed: SignedTicket,
	/// Opens the ticket's commitment.
	pub rand: Hash,
}

impl WinningTicket {
	/// Whether `rand` opens the commitment and the ticket wins with it. Says nothing of the signature.
	pub fn is_winner(&self) -> bool {
		let ticket = &self.signed.message;
		commitment(&self.rand) == ticket.commitment && wins(ticket.win_probability, &self.signed.signature, &self.rand)
	}

	/// Identifies a ticket: session, epoch-relative nonce and expiry are signed, so the signed ticket's hash does.
	pub fn id(&self) -> Hash {
		sha256(&[&self.signed.encode()])
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn outcome_is_strictly_below() {
		let (signature, rand) = (Signature([3; 64]), Hash([4; 32]));
		let digest = sha256(&[OUTCOME_DOMAIN, &signature.0, &rand.0]).0;
		let draw = u64::from_be_bytes(digest[..8].try_into().unwrap());
		assert!(!wins(draw, &signature, &rand));
		assert!(wins(draw + 1, &signature, &rand));
		assert!(!wins(0, &signature, &rand));
	}

	#[test]
	fn rand_is_fresh_for_each_session_salt_and_serial() {
		let base = rand(&[1; 32], &PublicKey([2; 32]), &[3; 16], 4);
		assert_ne!(base, rand(&[9; 32], &PublicKey([2; 32]), &[3; 16], 4));
		assert_ne!(base, rand(&[1; 32], &PublicKey([9; 32]), &[3; 16], 4));
		assert_ne!(base, rand(&[1; 32], &PublicKey([2; 32]), &[9; 16], 4));
		assert_ne!(base, rand(&[1; 32], &PublicKey([2; 32]), &[3; 16], 5));
	}

	#[test]
	fn winner_needs_the_committed_secret() {
		let secret = Hash([5; 32]);
		let ticket = Ticket {
			sender: AccountId([1; 32]),
			session: PublicKey([2; 32]),
			recipient: AccountId([3; 32]),
			window: WindowId::default(),
			bytes: 1,
			face_value: 1,
			win_probability: u64::MAX,
			commitment: commitment(&secret),
			nonce: 0,
			expiry: 1,
		};
		let winning = WinningTicket {
			signed: Signed {
				message: ticket,
				signature: Signature([0; 64]),
			},
			rand: secret,
		};
		assert!(winning.is_winner());
		assert!(!WinningTicket {
			rand: Hash([6; 32]),
			..winning
		}
		.is_winner());
	}
}
