//! One file a call, actions with deposits, releasing, forgetting, genesis, and the invariants.

mod act;
mod attest;
mod bridge;
mod forget;
mod import_deposits;
mod invariants;
mod refund;
mod release;
mod report_attestation_equivocation;
mod send;
mod withdraw;
