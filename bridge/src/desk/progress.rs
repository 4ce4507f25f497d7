//! How far a deposit or a withdrawal is, from what both chains say, and what is to be done next: sans-IO. Nothing of it is believed for
//! having been done by us: an agent that was killed in the middle sees the same as one that was not.

use crate::{
	acts::Acted,
	wire::{Refusal, State},
};
use clustercast_primitives::{BlockNumber, Hash};
use std::time::Duration;

/// A deposit that the L2 has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Found {
	pub(crate) transaction: Hash,
	pub(crate) number: u64,
	/// Its block is final.
	pub(crate) is_final: bool,
}

/// What both chains say of a deposit.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Deposited {
	/// Time of the L2's newest block.
	pub(crate) now: u64,
	/// And of its newest final one.
	pub(crate) final_time: u64,
	/// Before which the authorisation is good.
	pub(crate) valid_before: u64,
	/// It was used, or cancelled.
	pub(crate) is_spent: bool,
	/// The depositor has code, which may judge its signature.
	pub(crate) has_code: bool,
	/// A transaction of ours for it ran and failed.
	pub(crate) has_failed: bool,
	/// The deposit, if the L2 has one.
	pub(crate) found: Option<Found>,
	/// Deposits attested, in a final block of the chain.
	pub(crate) attested: u64,
	/// In final blocks it was credited, or was not; none where it is not imported, or the block that says it is not known here.
	pub(crate) is_credited: Option<bool>,
	/// It is among those that were not credited, in a final block.
	pub(crate) is_stranded: bool,
}

/// What to do about an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Next {
	/// Send it.
	Send,
	/// It is so far.
	Is(State),
	/// Look again.
	Look,
}

const FAILED: &str = "a transaction for it ran and failed; this agent sends none again";

fn waiting(reason: &str) -> Next {
	let reason = Some(reason.into());
	Next::Is(State::Waiting { reason })
}

impl Deposited {
	/// The next step.
	pub(crate) fn next(&self) -> Next {
		if let Some(found) = self.found {
			return Next::Is(self.stage(found));
		}
		// By a final block: a newer one may go away again, and with it what it says.
		if self.final_time >= self.valid_before {
			let error = if self.is_spent {
				Refusal::Cancelled
			} else {
				Refusal::NotNow
			};
			return Next::Is(State::Refused { error });
		}
		match self {
			_ if self.is_spent || self.now >= self.valid_before => Next::Look,
			_ if self.has_failed => waiting(FAILED),
			_ if self.has_code => waiting("the depositor has code now, which may refuse what it signed"),
			_ => Next::Send,
		}
	}

	fn stage(&self, found: Found) -> State {
		let Found {
			transaction,
			number: deposit,
			is_final,
		} = found;
		match self.is_credited {
			_ if !is_final => State::OnL2 { transaction, deposit },
			Some(true) => State::Usable { transaction, deposit },
			Some(false) => State::Stranded { transaction, deposit },
			None if self.is_stranded => State::Stranded { transaction, deposit },
			None if deposit < self.attested => State::Attested { transaction, deposit },
			None => State::OnL2 { transaction, deposit },
		}
	}
}

/// What the chain says of an action.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Acting {
	/// Best block.
	pub(crate) best: BlockNumber,
	/// First block that is not final, or not read.
	pub(crate) read_to: BlockNumber,
	/// No block before it was passed over.
	pub(crate) is_whole: bool,
	/// Last block in which it is taken.
	pub(crate) deadline: BlockNumber,
	/// It was followed, in a final block.
	pub(crate) acted: Option<Acted>,
	/// A transaction of ours for it ran and failed.
	pub(crate) has_failed: bool,
}

impl Acting {
	/// The next step.
	pub(crate) fn next(&self) -> Next {
		if let Some(Acted { block, withdrawal }) = self.acted {
			return Next::Is(match withdrawal {
				Some(withdrawal) => State::Queued { withdrawal },
				None => State::Done { block },
			});
		}
		// Whatever refuses it until then may pass, and somebody else may submit it.
		if self.read_to > self.deadline {
			return Next::Is(match self.is_whole {
				true => State::Refused { error: Refusal::NotNow },
				false => State::Unknown,
			});
		}
		match self {
			_ if self.best >= self.deadline => Next::Look,
			_ if self.has_failed => waiting(FAILED),
			_ => Next::Send,
		}
	}
}

/// How far a withdrawal is that the vault has not paid.
pub(crate) fn withdrawal(withdrawal: u64, is_released: bool) -> State {
	match is_released {
		true => State::Released { withdrawal },
		false => State::Queued { withdrawal },
	}
}

/// How long until an order in this state is looked at again: what is under way soon, what waits for finality now and then.
pub(crate) fn pause(state: &State) -> Duration {
	Duration::from_secs(match state {
		State::OnL2 { .. } | State::Attested { .. } => 4,
		_ => 2,
	})
}

#[cfg(test)]
mod tests {
	use super::*;

	const FOUND: Found = Found {
		transaction: Hash([7; 32]),
		number: 3,
		is_final: true,
	};

	const NEW: Deposited = Deposited {
		now: 1_000,
		final_time: 900,
		valid_before: 1_900,
		is_spent: false,
		has_code: false,
		has_failed: false,
		found: None,
		attested: 3,
		is_credited: None,
		is_stranded: false,
	};

	const MADE: Deposited = Deposited {
		is_spent: true,
		found: Some(FOUND),
		..NEW
	};

	#[test]
	fn deposit_goes_from_sent_to_usable() {
		let (transaction, deposit) = (FOUND.transaction, FOUND.number);
		assert_eq!(NEW.next(), Next::Send);
		assert_eq!(MADE.next(), Next::Is(State::OnL2 { transaction, deposit }));
		let attested = Deposited { attested: 4, ..MADE };
		assert_eq!(attested.next(), Next::Is(State::Attested { transaction, deposit }));
		let imported = Deposited {
			is_credited: Some(true),
			..attested
		};
		assert_eq!(imported.next(), Next::Is(State::Usable { transaction, deposit }));
		let not_final = Deposited {
			found: Some(Found {
				is_final: false,
				..FOUND
			}),
			..imported
		};
		assert_eq!(not_final.next(), Next::Is(State::OnL2 { transaction, deposit }));
	}

	#[test]
	fn deposit_is_usable_only_where_a_final_block_credited_it() {
		let (transaction, deposit) = (FOUND.transaction, FOUND.number);
		let attested = Deposited { attested: 4, ..MADE };
		let stranded = Next::Is(State::Stranded { transaction, deposit });
		// Sent back since, so that it stands among the stranded no more.
		let refunded = Deposited {
			is_credited: Some(false),
			..attested
		};
		assert_eq!(refunded.next(), stranded);
		let listed = Deposited {
			is_stranded: true,
			..attested
		};
		assert_eq!(listed.next(), stranded);
	}

	#[test]
	fn deposit_that_was_reorganised_away_is_sent_again_while_it_is_good() {
		let undone = Deposited {
			is_spent: false,
			found: None,
			..MADE
		};
		assert_eq!(undone.next(), Next::Send);
		// Over, but a block that has it may still come back.
		let late = Deposited { now: 1_900, ..undone };
		assert_eq!(late.next(), Next::Look);
		let over = Deposited {
			final_time: 1_900,
			..late
		};
		assert_eq!(over.next(), Next::Is(State::Refused { error: Refusal::NotNow }));
	}

	#[test]
	fn what_is_spent_is_never_sent_and_cancelled_only_by_a_final_block() {
		let spent = Deposited { is_spent: true, ..NEW };
		assert_eq!(spent.next(), Next::Look);
		assert_eq!(Deposited { now: 9_999, ..spent }.next(), Next::Look);
		let cancelled = State::Refused {
			error: Refusal::Cancelled,
		};
		let over = Deposited {
			final_time: 1_900,
			..spent
		};
		assert_eq!(over.next(), Next::Is(cancelled));
		let found = Deposited {
			final_time: 9_999,
			..MADE
		};
		assert!(matches!(found.next(), Next::Is(State::OnL2 { .. })));
	}

	#[test]
	fn what_failed_once_or_may_judge_its_own_signature_is_not_paid_for_again() {
		let is_held = |next| matches!(next, Next::Is(State::Waiting { reason: Some(_) }));
		let failed = Deposited {
			has_failed: true,
			..NEW
		};
		assert!(is_held(failed.next()));
		let code = Deposited { has_code: true, ..NEW };
		assert!(is_held(code.next()));
		let action = Acting {
			has_failed: true,
			..ACTING
		};
		assert!(is_held(action.next()));
	}

	const ACTING: Acting = Acting {
		best: 100,
		read_to: 97,
		is_whole: true,
		deadline: 110,
		acted: None,
		has_failed: false,
	};

	#[test]
	fn action_is_refused_only_where_a_final_block_behind_its_deadline_does_not_have_it() {
		assert_eq!(ACTING.next(), Next::Send);
		let late = Acting { best: 115, ..ACTING };
		assert_eq!(
			late.next(),
			Next::Look,
			"the chain says Expired, whether it followed it or not"
		);
		let last = Acting { read_to: 110, ..late };
		assert_eq!(last.next(), Next::Look, "its last block is not read");
		let over = Acting { read_to: 111, ..late };
		assert_eq!(over.next(), Next::Is(State::Refused { error: Refusal::NotNow }));
		let forgotten = Acting {
			is_whole: false,
			..over
		};
		assert_eq!(forgotten.next(), Next::Is(State::Unknown));
		let acted = |withdrawal| Acting {
			acted: Some(Acted { block: 110, withdrawal }),
			..over
		};
		assert_eq!(acted(None).next(), Next::Is(State::Done { block: 110 }));
		assert_eq!(acted(Some(3)).next(), Next::Is(State::Queued { withdrawal: 3 }));
	}
}
