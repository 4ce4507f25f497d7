//! Who owes whom how many bytes: both sides of a subscription count alike, and neither has to believe the other.
//!
//! ```text
//! deliverer (Creditor)                              receiver (Debtor)
//!   deliver   counts against its credit ── chunks ──►  received
//!   bill      one receipt for all that is unpaid ───►  receipt
//!   paid      ◄─────────────────────────── payment ──
//! ```
//!
//! A receipt is made once an interval is full, where there is no credit for what comes next, where the terms change or the
//! deliverer pauses, and when the receiver leaves. So nobody waits for the other: whoever has no credit left is billed for what
//! it has.
//!
//! What an honest side loses: the deliverer at most its credit, or one window that is larger; the receiver nothing, since it
//! pays what it has verified.

mod creditor;
mod debtor;
mod piece;

pub use creditor::{Creditor, Limits};
pub use debtor::{BillFault, Debtor};
pub use piece::{Body, Piece};

#[cfg(test)]
mod tests;
