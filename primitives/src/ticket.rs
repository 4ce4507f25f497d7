//! Lottery tickets: a viewer's signed promise of which one in N pays its face value.
//!
//! Nothing in a ticket names a window, a receipt or a moment: the chain keeps what is redeemed for ever, and a hash that
//! can be guessed tells as much as what it was made of. Who holds a receipt and a ticket links them by the commitment.

use crate::{
	amount::Balance,
	crypto::{sha256, AccountId, Hash, PublicKey, Signature, Signed, SignedMessage},
	receipt::Kind,
	register::Domain,
	window::StreamId,
	BlockNumber,
};
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use scale_info::TypeInfo;

/// Blocks between expiries: two minutes. Tells no finer time than this when a payment was signed.
pub const EXPIRY_GRID: BlockNumber = 60;

/// Whether an expiry is on the grid.
pub const fn is_on_grid(expiry: BlockNumber) -> bool {
	expiry.is_multiple_of(EXPIRY_GRID)
}

/// Pays `recipient` the whole `face_value` from the deposit of `sender` when it wins. With a win probability of
/// [`CERTAIN`] it is a hash lock: whoever is paid shows the secret, which can be a content key.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
pub struct Ticket {
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
	/// Bytes it pays for: a multiple of [`crate::amount::TICKET_BYTES`], below [`crate::amount::MAX_TICKET_BYTES`]; zero
	/// for a kind that is not by bytes.
	pub bytes: u64,
	/// Micro-USDC paid when it wins.
	pub face_value: Balance,
	/// Wins with this probability, of 2^64; [`CERTAIN`] always. See [`crate::amount::win_probability`].
	pub win_probability: u64,
	/// The relayer's commitment from the receipt.
	pub commitment: Hash,
	/// Rises with each ticket of the session to this recipient, and is never used again while the session lives.
	pub nonce: u64,
	/// Last block in which it can be redeemed; a multiple of [`EXPIRY_GRID`].
	pub expiry: BlockNumber,
}

impl SignedMessage for Ticket {
	const DOMAIN: Domain = Domain::Ticket;
}

/// Win probability of a ticket that always wins.
pub const CERTAIN: u64 = u64::MAX;

/// A ticket as the viewer sends it, signed by the session key.
pub type SignedTicket = Signed<Ticket>;

/// What the relayer commits to before the ticket is signed: `H(domain ‖ rand)`.
pub fn commitment(rand: &Hash) -> Hash {
	sha256(&[Domain::Commitment.bytes(), &rand.0])
}

/// Fresh secret for one ticket: a PRF of the relayer's secret, the session, and a serial that is never used twice
/// (`salt` is the subscription's challenge, `serial` counted in it). Knowing one tells nothing of another.
pub fn rand(secret: &[u8; 32], session: &PublicKey, salt: &Hash, serial: u64) -> Hash {
	sha256(&[Domain::Rand.bytes(), secret, &session.0, &salt.0, &serial.to_le_bytes()])
}

/// Whether a ticket wins: the first eight bytes (big-endian) of `H(domain ‖ signature ‖ rand)` are strictly below its
/// win probability; always with [`CERTAIN`].
pub fn wins(win_probability: u64, signature: &Signature, rand: &Hash) -> bool {
	let digest = sha256(&[Domain::Outcome.bytes(), &signature.0, &rand.0]).0;
	let mut first = [0; 8];
	first.copy_from_slice(&digest[..8]);
	win_probability == CERTAIN || u64::from_be_bytes(first) < win_probability
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

	/// Identifies a ticket: session, recipient and nonce are signed, so the signed ticket's hash does.
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
		let digest = sha256(&[Domain::Outcome.bytes(), &signature.0, &rand.0]).0;
		let draw = u64::from_be_bytes(digest[..8].try_into().unwrap());
		assert!(!wins(draw, &signature, &rand));
		assert!(wins(draw + 1, &signature, &rand));
		assert!(!wins(0, &signature, &rand));
	}

	#[test]
	fn certain_ticket_wins_against_every_draw() {
		// Without the exception one draw in 2^64 would lose: the highest, which no test can wait for.
		assert!((0..100).all(|n| wins(CERTAIN, &Signature([n; 64]), &Hash([n; 32]))));
	}

	#[test]
	fn expiries_lie_two_minutes_apart() {
		assert!(is_on_grid(0) && is_on_grid(600) && !is_on_grid(601) && !is_on_grid(59));
	}

	#[test]
	fn rand_is_fresh_for_each_session_salt_and_serial() {
		let base = rand(&[1; 32], &PublicKey([2; 32]), &Hash([3; 32]), 4);
		assert_ne!(base, rand(&[9; 32], &PublicKey([2; 32]), &Hash([3; 32]), 4));
		assert_ne!(base, rand(&[1; 32], &PublicKey([9; 32]), &Hash([3; 32]), 4));
		assert_ne!(base, rand(&[1; 32], &PublicKey([2; 32]), &Hash([9; 32]), 4));
		assert_ne!(base, rand(&[1; 32], &PublicKey([2; 32]), &Hash([3; 32]), 5));
	}

	#[test]
	fn winner_needs_the_committed_secret() {
		let secret = Hash([5; 32]);
		let ticket = Ticket {
			sender: AccountId([1; 32]),
			session: PublicKey([2; 32]),
			recipient: AccountId([3; 32]),
			stream: StreamId(1),
			kind: Kind::LIVE,
			context: Hash([0; 32]),
			bytes: 65_536,
			face_value: 1,
			win_probability: u64::MAX,
			commitment: commitment(&secret),
			nonce: 0,
			expiry: 60,
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
