//! Who owes whom how many bytes: both sides of a subscription count alike, and neither has to believe the other.
//!
//! ```text
//! deliverer (Creditor)                                    receiver (Debtor)
//!   begin    counts against its credit ────── chunks ────►  begin
//!   finish   all was sent ─────────────────── the end ───►  end
//!   reset    no more is wanted, or in time ── a reset ───►  end
//!   named    ◄─────────── so many chunks of it came ──────
//!   bill     one receipt for all that is whole ──────────►  receipt: held until all it names has verified
//!   paid     ◄──────────────────────────────── payment ───  poll
//!   ask      ◄──────────────────── a receipt, please ─────
//! ```
//!
//! A receipt is made once an interval is full, the credit is used up, the next deliveries would not fit into it, or the other
//! side asks. So nobody waits for the other: whoever has no credit left is billed for what it has, and whoever is billed has it
//! or is just getting it.
//!
//! Who ends a piece is the deliverer alone: a receiver that wants no more of it says so, and is sent the rest nevertheless where
//! all was sent already, or too much was cut off of late. So both always mean the same chunks.
//!
//! What an honest side loses: the deliverer at most its credit at the end of a subscription, and what it forgives of what was
//! sent and cut off; the receiver nothing, since it pays what it has verified.

mod creditor;
mod debtor;
mod piece;

pub use creditor::{Creditor, Limits, NoRoom};
pub use debtor::{Bill, BillFault, Debtor};
pub use piece::{Body, Piece};

#[cfg(test)]
mod tests;
