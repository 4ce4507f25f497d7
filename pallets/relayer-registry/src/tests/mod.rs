//! One file a call, the views, offences, and the invariants.

mod bond_extra;
mod cancel_unbond;
mod convict;
mod invariants;
mod keys;
mod payout;
mod register;
mod relayers;
mod reputation;
mod sequences;
mod unbond;
mod update;
mod withdraw_bond;
