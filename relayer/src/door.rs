//! Who may come in, and whose fault it is where something stays unpaid: pure.

use clustercast_network::serve::Closed;
use clustercast_primitives::{
	chain::{TicketRefusal, ViewerAccount},
	Balance, BlockNumber, PublicKey,
};
use clustercast_protocol::{EndReason, TicketError};

/// Blocks that a ticket must have left: five minutes to redeem it, with a second attempt.
pub const MIN_TICKET_LIFE: BlockNumber = 150;

/// Whether an account could pay one ticket: what is checked before anything is delivered. The book checks each ticket.
pub fn check_means(
	account: &ViewerAccount,
	session: &PublicKey,
	face_value: Balance,
	now: BlockNumber,
) -> Result<(), TicketRefusal> {
	let session = account
		.sessions
		.iter()
		.find(|s| s.key == *session)
		.ok_or(TicketRefusal::UnknownSession)?;
	if session.expiry < now.saturating_add(MIN_TICKET_LIFE) {
		return Err(TicketRefusal::SessionExpired);
	}
	if session.limit.saturating_sub(session.spent) < face_value {
		return Err(TicketRefusal::SessionLimitReached);
	}
	if account.deposit.saturating_sub(account.reserved) < face_value {
		return Err(TicketRefusal::DepositTooSmall);
	}
	Ok(())
}

/// Whether what is unpaid as a subscription ends so is nobody's debt: we sent the viewer away, for a reason of ours. What a
/// viewer can bring about by itself (payments or reservations that are refused, silence, a newer subscription of its own, a
/// line that breaks or is not read) is its debt, though it may be no ill will: else whoever does that on purpose watches for
/// nothing. A debt is small, and forgotten after an hour.
pub fn is_forgiven(why: &Closed) -> bool {
	matches!(
		why,
		Closed::Ended(EndReason::ShuttingDown | EndReason::NotServed | EndReason::Full)
	)
}

/// Name of how a subscription ended, without what is in it: labels are few.
pub fn label_of_end(why: &Closed) -> String {
	match why {
		Closed::Ended(reason) => label(reason),
		Closed::Left => "Left".into(),
		Closed::Session(_) => "ProtocolError".into(),
		Closed::Silent => "Silent".into(),
		Closed::Stalled => "Stalled".into(),
		Closed::Replaced => "Replaced".into(),
		_ => "Lost".into(),
	}
}

/// Name of a reason.
pub fn label(reason: &EndReason) -> String {
	match reason {
		EndReason::TicketRefused(TicketError::Chain(refusal)) => format!("{refusal:?}"),
		EndReason::TicketRefused(error) => format!("{error:?}"),
		other => format!("{other:?}"),
	}
}

#[cfg(test)]
mod tests {
	use super::*;
	use clustercast_primitives::chain::SessionInfo;
	use clustercast_protocol::ReserveError;

	const NOW: BlockNumber = 1_050;
	const FACE: Balance = 100;
	const KEY: PublicKey = PublicKey([4; 32]);

	fn account() -> ViewerAccount {
		let session = SessionInfo {
			key: KEY,
			limit: FACE + 50,
			spent: 50,
			extra_limit: 0,
			extra_spent: 0,
			expiry: NOW + MIN_TICKET_LIFE,
			registered: 1,
		};
		ViewerAccount {
			deposit: FACE,
			sessions: vec![session],
			..ViewerAccount::default()
		}
	}

	#[test]
	fn viewer_needs_the_means_for_one_ticket() {
		let check = |account: &ViewerAccount, now| check_means(account, &KEY, FACE, now);
		assert_eq!(check(&account(), NOW), Ok(()));
		assert_eq!(check(&account(), NOW + 1), Err(TicketRefusal::SessionExpired));
		let poor = ViewerAccount {
			deposit: FACE - 1,
			..account()
		};
		assert_eq!(check(&poor, NOW), Err(TicketRefusal::DepositTooSmall));
		let mut spent = account();
		spent.sessions[0].spent += 1;
		assert_eq!(check(&spent, NOW), Err(TicketRefusal::SessionLimitReached));
		let stranger = check_means(&account(), &PublicKey([5; 32]), FACE, NOW);
		assert_eq!(stranger, Err(TicketRefusal::UnknownSession));
	}

	#[test]
	fn only_what_we_brought_about_ourselves_is_forgiven() {
		for ours in [EndReason::ShuttingDown, EndReason::NotServed, EndReason::Full] {
			assert!(is_forgiven(&Closed::Ended(ours)), "{ours:?}");
		}
		for theirs in [
			EndReason::Unpaid,
			EndReason::Finished,
			EndReason::WindowGone,
			EndReason::Replaced,
			EndReason::Idle,
			EndReason::ProtocolError,
			EndReason::ReservationNeeded,
			EndReason::TicketRefused(TicketError::WrongBytes),
			EndReason::ReservationRefused(ReserveError::Busy),
		] {
			assert!(!is_forgiven(&Closed::Ended(theirs)), "{theirs:?}");
		}
		assert!([Closed::Left, Closed::Stalled, Closed::Replaced]
			.iter()
			.all(|why| !is_forgiven(why)));
	}
}
