//! Who may come in, and how they go, in a word: pure.

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

/// Name of how a subscription ended, without what is in it: labels are few.
pub fn label_of_end(why: &Closed) -> String {
	match why {
		Closed::Ended(reason) => label(reason),
		Closed::Left => "Left".into(),
		Closed::Session(_) => "ProtocolError".into(),
		Closed::Silent => "Silent".into(),
		Closed::Stalled => "Stalled".into(),
		Closed::Unseated(reason) => label(reason),
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
}
