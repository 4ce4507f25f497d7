//! Whose fault it is that what was delivered last is not paid: only a payer's own is its debt. Sans-IO.
//!
//! What the chain may have changed under a payer, or where two nodes may be of two minds, is nobody's fault and is forgiven: once
//! for each session key within an hour. A key costs its owner a transaction, so nobody lives on it; and what is forgiven an account
//! counts with all that the relayer may lose in an hour.

use clustercast_network::serve::Closed;
use clustercast_primitives::{chain::TicketRefusal, PublicKey};
use clustercast_protocol::{Debt, EndReason, ReserveError, TicketError};
use std::{collections::HashMap, time::Duration};
use tokio::time::Instant;

/// Who is forgiven is not within this again.
const ONCE_IN: Duration = Duration::from_secs(3_600);

/// Session keys that are remembered; past it nobody else is forgiven. 40 bytes each.
const MAX_FORGIVEN: usize = 10_000;

/// Of this end.
pub fn whose(why: &Closed) -> Debt {
	match why {
		Closed::Ended(reason) | Closed::Unseated(reason) => whose_reason(reason),
		// It left, or cannot be reached, or does not keep to the protocol.
		_ => Debt::Payers,
	}
}

fn whose_reason(reason: &EndReason) -> Debt {
	match reason {
		EndReason::TicketRefused(error) => whose_ticket(error),
		EndReason::ReservationRefused(error) => match error {
			ReserveError::Busy | ReserveError::Crowded => Debt::Ours,
			ReserveError::Means | ReserveError::SubmitBy | ReserveError::Chain => Debt::Nobodys,
			_ => Debt::Payers,
		},
		own if own.is_own() => Debt::Ours,
		EndReason::NotServed => Debt::Ours,
		// Who falls behind our cache, leaves us with what a stream costs, buys so little that it makes room, or has its copy taken by somebody
		// else, may do so on purpose.
		EndReason::WindowGone | EndReason::PriceRose | EndReason::Idle | EndReason::Full => Debt::Nobodys,
		_ => Debt::Payers,
	}
}

fn whose_ticket(error: &TicketError) -> Debt {
	match error {
		TicketError::ExpiryTooSoon | TicketError::VoucherTooDear => Debt::Nobodys,
		TicketError::Chain(
			TicketRefusal::Expired
			| TicketRefusal::ExpiryTooFar
			| TicketRefusal::UnknownSession
			| TicketRefusal::SessionExpired
			| TicketRefusal::SessionLimitReached
			| TicketRefusal::DepositTooSmall
			| TicketRefusal::UnknownStream
			| TicketRefusal::CannotReceive
			| TicketRefusal::PriceAboveBound
			| TicketRefusal::WrongTerms,
		) => Debt::Nobodys,
		_ => Debt::Payers,
	}
}

/// Who was forgiven what is nobody's fault, and when.
#[derive(Debug, Default)]
pub struct Leniency(HashMap<PublicKey, Instant>);

impl Leniency {
	/// Whose debt it is what this session has not paid.
	pub fn judge(&mut self, session: &PublicKey, why: &Closed, now: Instant) -> Debt {
		let debt = whose(why);
		if debt != Debt::Nobodys {
			return debt;
		}
		self.0.retain(|_, at| now.saturating_duration_since(*at) < ONCE_IN);
		if self.0.contains_key(session) || self.0.len() >= MAX_FORGIVEN {
			return Debt::Payers;
		}
		self.0.insert(*session, now);
		Debt::Nobodys
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	fn refused(error: TicketError) -> Closed {
		Closed::Ended(EndReason::TicketRefused(error))
	}

	const KEY: PublicKey = PublicKey([1; 32]);

	#[test]
	fn what_changed_under_a_payer_is_forgiven_once_a_key_and_what_it_did_never() {
		let (mut leniency, now) = (Leniency::default(), Instant::now());
		let revoked = refused(TicketError::Chain(TicketRefusal::SessionExpired));
		for own in [
			Closed::Left,
			Closed::Ended(EndReason::Unpaid),
			refused(TicketError::Chain(TicketRefusal::BadSignature)),
			refused(TicketError::VoucherTooLow),
		] {
			assert_eq!(leniency.judge(&KEY, &own, now), Debt::Payers, "{own:?}");
		}
		// Somebody else has its seat: it had no time to pay.
		let unseated = Closed::Unseated(EndReason::Idle);
		assert_eq!(leniency.judge(&PublicKey([3; 32]), &unseated, now), Debt::Nobodys);
		assert_eq!(
			leniency.judge(&PublicKey([3; 32]), &unseated, now),
			Debt::Payers,
			"again and again"
		);
		let ghost = Closed::Unseated(EndReason::Replaced);
		assert_eq!(leniency.judge(&KEY, &ghost, now), Debt::Payers);
		assert_eq!(leniency.judge(&KEY, &revoked, now), Debt::Nobodys);
		// The attack: one window after the other, each paid with what a key that was revoked cannot pay.
		for minute in 0..60 {
			let now = now + Duration::from_secs(60 * minute);
			assert_eq!(leniency.judge(&KEY, &revoked, now), Debt::Payers, "{minute}");
			let stopped = Closed::Ended(EndReason::ShuttingDown);
			assert_eq!(leniency.judge(&KEY, &stopped, now), Debt::Ours);
		}
		assert_eq!(
			leniency.judge(&PublicKey([2; 32]), &revoked, now),
			Debt::Nobodys,
			"a fresh key"
		);
		assert_eq!(leniency.judge(&KEY, &revoked, now + ONCE_IN), Debt::Nobodys);
	}

	#[test]
	fn who_is_remembered_is_bounded() {
		let (mut leniency, now) = (Leniency::default(), Instant::now());
		let revoked = refused(TicketError::Chain(TicketRefusal::SessionExpired));
		let key = |n: usize| PublicKey(std::array::from_fn(|i| n.to_le_bytes().get(i).copied().unwrap_or(0)));
		let is_forgiven = |n: &usize| leniency.judge(&key(*n), &revoked, now) == Debt::Nobodys;
		let forgiven = (0..MAX_FORGIVEN + 5).filter(is_forgiven).count();
		assert_eq!((forgiven, leniency.0.len()), (MAX_FORGIVEN, MAX_FORGIVEN));
	}
}
