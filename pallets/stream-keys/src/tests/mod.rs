//! One file a call, what is paid, what is over, and the invariants.

mod burn;
mod buy;
mod earned;
mod flag;
mod invariants;
mod list;
mod mint;
mod payee;
mod rent;
mod sequences;
mod set_rent;
mod set_signing_key;
mod set_terms;
mod settle;
mod transfer;
mod update;
