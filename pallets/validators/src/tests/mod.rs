//! One file a call, sets, offences, proofs of keys, and the invariants.

mod bond_more;
mod invariants;
mod key_owner;
mod leave;
mod register;
mod rejoin;
mod sessions;
mod slash_for;
mod withdraw;
