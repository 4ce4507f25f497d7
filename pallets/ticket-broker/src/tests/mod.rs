//! One file a call, the views, what ends by itself, money in the large, and the invariants.

mod attacks;
mod authorize_session;
mod cancel_unlock;
mod channels;
mod check_tickets;
mod deposit;
mod ends;
mod escrow;
mod genesis;
mod invariants;
mod kinds;
mod pool;
mod promise;
mod redeem_batch;
mod redeem_vouchers;
mod request_unlock;
mod revoke_session;
mod shares;
mod statistics;
mod terms;
mod tips;
mod viewer_account;
mod withdraw;
