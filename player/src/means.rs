//! What is to be done where a relayer says that the account cannot pay it; pure.

use clustercast_primitives::{
	chain::{TicketRefusal, ViewerAccount},
	Balance, PublicKey, Usdc,
};
use clustercast_protocol::{EndReason, TicketError};

/// Of a relayer's ticket, unless it is told otherwise: what it wants to see before it serves.
pub const USUAL_FACE_VALUE: Usdc = Usdc(20_000);

/// How the reason begins.
pub const REASON: &str = "asks for more than there is";

/// Whether a relayer ends because the account could not pay one ticket.
pub fn is_lacking(reason: &EndReason) -> bool {
	matches!(
		reason,
		EndReason::TicketRefused(TicketError::Chain(
			TicketRefusal::SessionLimitReached | TicketRefusal::DepositTooSmall
		))
	)
}

/// What an account has left for whom nothing is reserved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Means {
	/// Of the deposit, micro-USDC.
	deposit: Balance,
	/// Of the session's limit, micro-USDC.
	limit: Balance,
	/// For others, micro-USDC: it comes back when they release it.
	reserved: Balance,
}

impl Means {
	/// By what the chain says.
	pub fn new(account: &ViewerAccount, session: &PublicKey) -> Self {
		let session = account.sessions.iter().find(|known| known.key == *session);
		Self {
			deposit: account.deposit.saturating_sub(account.reserved),
			limit: session.map_or(0, |session| session.limit.saturating_sub(session.spent)),
			reserved: account.reserved,
		}
	}

	/// There will be more without anybody's doing.
	pub fn may_grow(&self) -> bool {
		self.reserved > 0
	}

	/// For the viewer: what is there, and what to do.
	pub fn explain(&self) -> String {
		let Self {
			deposit,
			limit,
			reserved,
		} = *self;
		let left = format!(
			"{REASON}: {} USDC of the deposit and {} USDC of the session's limit are left",
			Usdc(deposit),
			Usdc(limit)
		);
		match self.may_grow() {
			true => format!(
				"{left}, {} USDC are reserved for others until they release it",
				Usdc(reserved)
			),
			false => format!(
				"{left}, and one ticket is {USUAL_FACE_VALUE} USDC as a rule; --deposit and --limit have to be that much at least"
			),
		}
	}
}

#[cfg(test)]
mod tests {
	use super::*;
	use clustercast_primitives::chain::SessionInfo;

	const KEY: PublicKey = PublicKey([1; 32]);

	fn account(deposit: Balance, reserved: Balance, spent: Balance) -> ViewerAccount {
		ViewerAccount {
			deposit,
			reserved,
			sessions: vec![SessionInfo {
				key: KEY,
				limit: 10_000,
				spent,
				extra_limit: 0,
				extra_spent: 0,
				expiry: 1,
				registered: 1,
			}],
			..ViewerAccount::default()
		}
	}

	#[test]
	fn what_is_missing_is_said_with_what_to_do() {
		let poor = Means::new(&account(5_000, 0, 6_000), &KEY);
		assert!(!poor.may_grow());
		let said = poor.explain();
		for part in [
			"0.005000 USDC of the deposit",
			"0.004000 USDC of the session",
			"0.020000",
			"--deposit",
			"--limit",
		] {
			assert!(said.contains(part), "{part}: {said}");
		}
		assert_eq!(Means::new(&account(5_000, 0, 0), &PublicKey([2; 32])).limit, 0);
	}

	#[test]
	fn what_others_hold_is_waited_for() {
		let bound = Means::new(&account(8_000, 5_000, 5_000), &KEY);
		assert!(bound.may_grow());
		assert!(bound.explain().contains("0.005000 USDC are reserved for others"));
	}

	#[test]
	fn only_a_lack_of_money_is_one() {
		let chain = |refusal| EndReason::TicketRefused(TicketError::Chain(refusal));
		assert!(is_lacking(&chain(TicketRefusal::SessionLimitReached)));
		assert!(is_lacking(&chain(TicketRefusal::DepositTooSmall)));
		assert!(!is_lacking(&chain(TicketRefusal::SessionExpired)));
		assert!(!is_lacking(&EndReason::Full));
	}
}
