//! One file a call, and the invariants.

mod burn;
mod flag;
mod invariants;
mod mint;
mod set_signing_key;
mod update;
