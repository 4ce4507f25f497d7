//! Who owes whom how many bytes: both sides of a subscription count alike, and neither has to believe the other.
//!
//! ```text
//! deliverer (Creditor)                              receiver (Debtor)
//!   deliver   counts against its credit ── chunks ──►
//!   ended     so many went out          ── end ─────►  received
//!   bill      one receipt for all that is unpaid ───►  receipt
//!   paid      ◄─────────────────────────── payment ──
//! ```
//!
//! A piece is what its deliverer sends on one stream before it ends that, at a whole chunk: where the receiver does not want the
//! rest, or its time is over, the piece becomes shorter, and both sides know by how much. What a stream brought that broke is
//! in no receipt.
//!
//! A receipt is made once an interval is full or has many pieces, where there is no credit for what comes next, where the terms change or the
//! deliverer pauses, and when the receiver leaves; for all that was begun, once that has ended. So nobody waits for the other:
//! whoever has no credit left is billed for what it has. A receipt may overtake what it is for: the receiver pays it when that
//! is here.
//!
//! What an honest side loses: the deliverer at most its credit, or one window that is larger; the receiver nothing, since it
//! pays what it has verified.

mod creditor;
mod debtor;
mod piece;

pub use creditor::{Creditor, Limits, MOST_PIECES};
pub use debtor::{BillFault, Debtor, MOST_RECEIVED};
pub use piece::Piece;

#[cfg(test)]
mod tests;
