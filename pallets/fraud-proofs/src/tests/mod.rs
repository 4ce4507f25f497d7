//! One file a call, forgetting, framing, and the invariants.

mod forget;
mod framing;
mod invariants;
mod report_equivocation;
mod report_invalid_chunk;
