//! How far a deposit or a withdrawal is, from what both chains say, and what is to be done next: sans-IO. Nothing of it is believed for
//! having been done by us: an agent that was killed in the middle sees the same as one that was not.

use crate::wire::{Refusal, State, LAG};
use clustercast_primitives::Hash;
use std::time::Duration;

/// What both chains say of a deposit.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Deposited {
	/// Time of the L2's newest block.
	pub(crate) now: u64,
	/// Before which the authorisation is good.
	pub(crate) valid_before: u64,
	/// It was used, or cancelled.
	pub(crate) is_spent: bool,
	/// The deposit, if the L2 has one: transaction and number.
	pub(crate) found: Option<(Hash, u64)>,
	/// Deposits attested.
	pub(crate) attested: u64,
	/// Deposits imported.
	pub(crate) imported: u64,
	/// It was imported, and could not be credited.
	pub(crate) is_stranded: bool,
}

/// What to do about a deposit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Next {
	/// Send it.
	Send,
	/// It is so far.
	Is(State),
	/// Look again.
	Look,
}

impl Deposited {
	/// The next step.
	pub(crate) fn next(&self) -> Next {
		let is_over = self.now >= self.valid_before;
		match (self.is_spent, self.found) {
			(true, Some((transaction, deposit))) => Next::Is(if self.is_stranded {
				State::Stranded { transaction, deposit }
			} else if deposit < self.imported {
				State::Usable { transaction, deposit }
			} else if deposit < self.attested {
				State::Attested { transaction, deposit }
			} else {
				State::OnL2 { transaction, deposit }
			}),
			(true, None) if self.now >= self.valid_before.saturating_add(LAG) => Next::Is(State::Refused {
				error: Refusal::Cancelled,
			}),
			(true, None) => Next::Look,
			(false, _) if is_over => Next::Is(State::Refused { error: Refusal::NotNow }),
			(false, _) => Next::Send,
		}
	}
}

/// How far a withdrawal is.
pub(crate) fn withdrawal(withdrawal: u64, is_released: bool, is_executed: bool) -> State {
	match (is_released, is_executed) {
		(_, true) => State::Paid { withdrawal },
		(true, false) => State::Released { withdrawal },
		(false, false) => State::Queued { withdrawal },
	}
}

/// How long until an order in this state is looked at again: what is under way soon, what waits for finality now and then.
pub(crate) fn pause(state: &State) -> Duration {
	Duration::from_secs(match state {
		State::OnL2 { .. } | State::Attested { .. } | State::Released { .. } => 4,
		_ => 2,
	})
}

#[cfg(test)]
mod tests {
	use super::*;

	const TRANSACTION: Hash = Hash([7; 32]);

	const NEW: Deposited = Deposited {
		now: 1_000,
		valid_before: 1_900,
		is_spent: false,
		found: None,
		attested: 3,
		imported: 3,
		is_stranded: false,
	};

	const FOUND: Deposited = Deposited {
		is_spent: true,
		found: Some((TRANSACTION, 3)),
		..NEW
	};

	#[test]
	fn deposit_goes_from_sent_to_usable() {
		let (transaction, deposit) = (TRANSACTION, 3);
		assert_eq!(NEW.next(), Next::Send);
		assert_eq!(FOUND.next(), Next::Is(State::OnL2 { transaction, deposit }));
		let attested = Deposited { attested: 4, ..FOUND };
		assert_eq!(attested.next(), Next::Is(State::Attested { transaction, deposit }));
		let imported = Deposited {
			imported: 4,
			..attested
		};
		assert_eq!(imported.next(), Next::Is(State::Usable { transaction, deposit }));
		let stranded = Deposited {
			is_stranded: true,
			..imported
		};
		assert_eq!(stranded.next(), Next::Is(State::Stranded { transaction, deposit }));
	}

	#[test]
	fn deposit_that_was_reorganised_away_is_sent_again_while_it_is_good() {
		let undone = Deposited {
			is_spent: false,
			found: None,
			..FOUND
		};
		assert_eq!(undone.next(), Next::Send);
		let late = Deposited { now: 1_900, ..undone };
		assert_eq!(late.next(), Next::Is(State::Refused { error: Refusal::NotNow }));
	}

	#[test]
	fn what_is_spent_is_never_sent_and_cancelled_only_when_no_node_can_lag() {
		let spent = Deposited { is_spent: true, ..NEW };
		assert_eq!(spent.next(), Next::Look);
		assert_eq!(Deposited { now: 1_959, ..spent }.next(), Next::Look);
		let cancelled = State::Refused {
			error: Refusal::Cancelled,
		};
		assert_eq!(Deposited { now: 1_960, ..spent }.next(), Next::Is(cancelled));
		assert!(matches!(
			Deposited { now: 9_999, ..FOUND }.next(),
			Next::Is(State::OnL2 { .. })
		));
	}

	#[test]
	fn withdrawal_goes_from_queued_to_paid() {
		assert_eq!(withdrawal(3, false, false), State::Queued { withdrawal: 3 });
		assert_eq!(withdrawal(3, true, false), State::Released { withdrawal: 3 });
		assert_eq!(withdrawal(3, true, true), State::Paid { withdrawal: 3 });
		// A node of the chain that forgot it, or lags.
		assert_eq!(withdrawal(3, false, true), State::Paid { withdrawal: 3 });
	}
}
