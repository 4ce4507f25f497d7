//! One file a call, the views, and the invariants.

mod bond_extra;
mod cancel_unbond;
mod invariants;
mod register;
mod relayers;
mod reputation;
mod sequences;
mod slash;
mod unbond;
mod update;
mod withdraw_bond;
