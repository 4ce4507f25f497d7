//! One file a call, forgetting, framing, and the invariants.

mod attacks;
mod forget;
mod framing;
mod invariants;
mod report_equivocation;
mod report_invalid_chunk;
mod sequences;
