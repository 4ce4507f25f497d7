//! Whether the account can pay, by what the chain says, and what is to be done where it cannot; pure.

use clustercast_primitives::{chain::ViewerAccount, Balance, BlockNumber, PublicKey, Usdc};

/// Of a relayer's ticket, unless it is told otherwise: what it wants to see before it serves.
pub const USUAL_FACE_VALUE: Usdc = Usdc(20_000);

/// How the reason begins.
pub const REASON: &str = "asks for more than there is";

/// Relayers take nothing from a session key in its last blocks: they could not hand it in in time.
pub const LAST_BLOCKS: BlockNumber = 150;

/// What is wrong with a session key for good: no relayer takes anything that it signs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unusable {
	/// The chain has none.
	#[error("the session key is not on the chain any more; start again, which makes a new one")]
	Unknown,
	/// It ends before it was to.
	#[error("the session key was revoked and ends in block {0}; start again, which makes a new one")]
	Revoked(BlockNumber),
	/// It ends as it was to.
	#[error("the session key expires in block {0}, and relayers take nothing from it in its last {LAST_BLOCKS}; start again, which makes a new one")]
	Expires(BlockNumber),
}

/// Whether a session key that was made to last until `granted` can sign anything that is paid at block `now`, by what the
/// chain says.
pub fn check_session(
	account: &ViewerAccount,
	key: &PublicKey,
	granted: BlockNumber,
	now: BlockNumber,
) -> Result<(), Unusable> {
	let session = account.sessions.iter().find(|session| session.key == *key);
	let expiry = session.ok_or(Unusable::Unknown)?.expiry;
	if expiry < granted {
		return Err(Unusable::Revoked(expiry));
	}
	match expiry < now.saturating_add(LAST_BLOCKS) {
		true => Err(Unusable::Expires(expiry)),
		false => Ok(()),
	}
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

	/// One ticket could be paid.
	pub fn suffice(&self) -> bool {
		self.deposit.min(self.limit) >= USUAL_FACE_VALUE.0
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
	fn session_key_that_nobody_takes_is_told_with_the_cause() {
		let check = |key, granted, now| check_session(&account(0, 0, 0), &key, granted, now);
		// It lasts until block 1 there.
		assert_eq!(check(PublicKey([2; 32]), 1, 0), Err(Unusable::Unknown));
		assert_eq!(check(KEY, 2, 0), Err(Unusable::Revoked(1)));
		assert_eq!(check(KEY, 1, 0), Err(Unusable::Expires(1)));
		let lasting = |expiry, now| {
			let mut account = account(0, 0, 0);
			account.sessions[0].expiry = expiry;
			check_session(&account, &KEY, 1_000, now)
		};
		assert_eq!(lasting(1_000, 850), Ok(()));
		assert_eq!(lasting(1_000, 851), Err(Unusable::Expires(1_000)));
		assert_eq!(lasting(999, 0), Err(Unusable::Revoked(999)));
		for unusable in [Unusable::Unknown, Unusable::Revoked(7), Unusable::Expires(7)] {
			assert!(unusable.to_string().contains("start again"), "{unusable}");
		}
	}
}
