//! What is a matter of decision when subscriptions are served ([`Policy`]), and what whoever decides is told.

use crate::quic::Pulse;

pub use crate::door::Freight;
use clustercast_primitives::{channel::SignedReservation, Hash, PublicKey, SignedTicket, SignedVoucher};
use clustercast_protocol::{
	relayer::SessionError,
	routes::{Names, Path},
	EndReason, Expectation, Follow, PaymentMode, ReceiptSigner, Subscribe, Terms,
};
use std::{future::Future, io, sync::Arc, time::Duration};

/// A peer that opened a stream says what it wants within this, and has its answer within as much again.
pub(crate) const SUBSCRIBE_TIMEOUT: Duration = Duration::from_secs(5);

/// On what terms somebody is served.
#[derive(Clone, Debug)]
#[allow(clippy::large_enum_variant, reason = "one for a subscription")]
pub enum Grant {
	/// For nothing: no receipts, no tickets.
	Free,
	/// Against payment, on these terms, with receipts by this signer.
	Paid(Terms, Arc<ReceiptSigner>),
}

/// How a subscription came to its end.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Closed {
	/// We ended it, and said so.
	#[error("ended: {0:?}")]
	Ended(EndReason),
	/// The viewer hung up.
	#[error("the viewer left")]
	Left,
	/// The viewer broke the protocol.
	#[error(transparent)]
	Session(#[from] SessionError),
	/// It opened a stream and asked for nothing in time.
	#[error("no subscription within {SUBSCRIBE_TIMEOUT:?}")]
	Silent,
	/// It did not read what was sent.
	#[error("reads too slowly")]
	Stalled,
	/// Somebody else has its seat, and it did not read what was sent.
	#[error("its seat is another's: {0:?}")]
	Unseated(EndReason),
	/// The stream broke.
	#[error("stream lost: {0}")]
	Io(#[from] io::Error),
}

/// What nobody paid for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Unpaid {
	/// Commitments of windows that went out, at least in part.
	pub sent: Vec<Hash>,
	/// Of those of which not a byte went out.
	pub unsent: Vec<Hash>,
}

/// What is a matter of decision when serving. Called from many tasks at once.
pub trait Policy: Send + Sync + 'static {
	/// What the policy knows of one subscription; kept as long as it lasts and given back when it is over.
	type Seat: Send + Sync;

	/// Whether `peer` (who proved to hold this key) is served what it asks, and how it pays. The chain is the right one.
	fn subscribe(
		&self,
		peer: PublicKey,
		request: &Subscribe,
	) -> impl Future<Output = Result<(Grant, Self::Seat), EndReason>> + Send;

	/// Asked before each window: a lower price for those that follow, micro-USDC per 10^9 bytes, where there is one.
	fn price(&self, seat: &Self::Seat) -> Option<u64> {
		let _ = seat;
		None
	}

	/// A window is about to go out that is to be paid with this, together with those before it under the same commitment:
	/// opens what the payment is judged by, in place of what was opened for those. `false`: not now. An error ends the
	/// subscription.
	fn lend(&self, seat: &Self::Seat, expectation: Expectation) -> Result<bool, EndReason> {
		let _ = (seat, expectation);
		Err(EndReason::ProtocolError)
	}

	/// Nothing is to be paid any more under this commitment, for which something was opened: it did not go out.
	fn forgo(&self, seat: &Self::Seat, commitment: Hash) {
		let _ = (seat, commitment);
	}

	/// Judges a ticket. When this returns `Ok` the ticket is accepted and, if it won, safe on disk: the viewer is told. As long
	/// as it takes the window counts as unpaid, and the subscription goes on within its credit.
	fn ticket(&self, seat: &Self::Seat, ticket: SignedTicket) -> impl Future<Output = Result<(), EndReason>> + Send {
		let _ = (seat, ticket);
		std::future::ready(Err(EndReason::ProtocolError))
	}

	/// Judges a voucher for the delivery with this commitment. When this returns `Ok` it is accepted and safe on disk.
	fn voucher(
		&self,
		seat: &Self::Seat,
		commitment: Hash,
		voucher: SignedVoucher,
	) -> impl Future<Output = Result<(), EndReason>> + Send {
		let _ = (seat, commitment, voucher);
		std::future::ready(Err(EndReason::ProtocolError))
	}

	/// Judges a reservation and has it handed in; an error ends the subscription. It is not final when this returns.
	fn reserve(
		&self,
		seat: &Self::Seat,
		reservation: SignedReservation,
	) -> impl Future<Output = Result<(), EndReason>> + Send {
		let _ = (seat, reservation);
		std::future::ready(Err(EndReason::ProtocolError))
	}

	/// Asked with each window: counter of a reservation that has become final since.
	fn reserved(&self, seat: &Self::Seat) -> Result<Option<u32>, EndReason> {
		let _ = seat;
		Ok(None)
	}

	/// Asked after each payment and reservation: another mode, or counter of the stream's terms, for the windows that follow, where it is
	/// time to change. Not vouchers for a viewer who does not take part in them.
	fn restate(&self, seat: &Self::Seat) -> Option<(PaymentMode, u32)> {
		let _ = seat;
		None
	}

	/// How many viewers of a stream whose key limits them this one may serve itself; `None` where nothing is said of that. Asked over
	/// and over.
	fn seats(&self, seat: &Self::Seat) -> Option<u32> {
		let _ = seat;
		None
	}

	/// The relayers that a stream comes through, ours first; `None` where nothing is said of that. Asked over and over.
	fn route(&self, seat: &Self::Seat) -> Option<Path> {
		let _ = seat;
		None
	}

	/// Whether this one is asked so much that it may rather go elsewhere: then it is told who else may serve it before it is told the
	/// price, since who finds that too high says nothing more.
	fn is_dear(&self, seat: &Self::Seat) -> bool {
		let _ = seat;
		false
	}

	/// Who may serve what `peer` asks, and is refused for a reason that names others, or asked much for.
	fn others(&self, peer: &PublicKey, request: &Subscribe) -> Names {
		let _ = (peer, request);
		Names::default()
	}

	/// Why nothing is sold to anybody for now, where that is so. Asked over and over: who is served may pay for what it has, and is
	/// ended with this reason.
	fn shut(&self, seat: &Self::Seat) -> Option<EndReason> {
		let _ = seat;
		None
	}

	/// How many seats there are of what is watched in this one, asked before it is taken; `None`: as many as there are in all. Who has
	/// to make room for it is not a matter of decision: `door/seats.rs` has the rules.
	fn places(&self, seat: &Self::Seat) -> Option<usize> {
		let _ = seat;
		None
	}

	/// What a copy of what is watched in this one takes of the uplink, and what that carries: no more follow windows than that. `None`
	/// where it is not known. Asked before a seat is taken, and whenever windows are to come by themselves.
	fn freight(&self, seat: &Self::Seat) -> Option<Freight> {
		let _ = seat;
		None
	}

	/// Whether who comes passes on what it takes: others have it from there. It has a copy before who watches.
	fn resells(&self, seat: &Self::Seat) -> bool {
		let _ = seat;
		false
	}

	/// It has its seat from now on, or has it no more.
	fn seated(&self, seat: &Self::Seat, seated: bool) {
		let _ = (seat, seated);
	}

	/// What comes to this seat by itself, told at first and where it changes.
	fn follows(&self, seat: &Self::Seat, follow: Follow) {
		let _ = (seat, follow);
	}

	/// Says of this seat whether who has it acknowledges what is sent, as long as it has it.
	fn pulse(&self, seat: &Self::Seat, pulse: Pulse) {
		let _ = (seat, pulse);
	}

	/// Whether this seat counts as somebody's who buys, told where that changes; at first it does not. One that does not makes room for
	/// others.
	fn earns(&self, seat: &Self::Seat, earns: bool) {
		let _ = (seat, earns);
	}

	/// So many bytes more were delivered in this seat, and are paid or cost nothing.
	fn bought(&self, seat: &Self::Seat, bytes: u64) {
		let _ = (seat, bytes);
	}

	/// Bytes were handed to a viewer's stream.
	fn sent(&self, bytes: usize) {
		let _ = bytes;
	}

	/// A stream is over; `seat` is `None` when it never was a subscription. `unpaid` are the commitments that no ticket
	/// will answer any more.
	fn closed(&self, seat: Option<Self::Seat>, unpaid: Unpaid, why: &Closed) {
		let _ = (seat, unpaid, why);
	}
}
