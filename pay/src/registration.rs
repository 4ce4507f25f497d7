//! Whether the registry still has the relayer that we buy from: its bond is what answers for it, and that can go at any
//! time. Sans-IO: what the registry says goes in.

use clustercast_primitives::{chain::RelayerInfo, AccountId, PublicKey};
use std::time::Duration;

/// How often the registry is read again while somebody is bought from. One request for each hundred relayers.
pub const AGAIN: Duration = Duration::from_secs(30);

/// In so many readings in a row a relayer must be missing: a node that is behind for a moment does not part us.
const READINGS: u32 = 2;

/// Why a relayer is left that was registered when it was chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
	/// It has left the registry, or its bond is frozen or gone.
	#[error("the registry does not have it any more: no bond answers for it")]
	Gone,
	/// Its account has another signing key now: receipts under this one are worth nothing as evidence for ever.
	#[error("it is registered with another key now")]
	OtherKey,
	/// The key that it signs with is of another account now.
	#[error("its key belongs to another account now")]
	OtherAccount,
}

/// Of one relayer.
#[derive(Clone, Copy, Debug, Default)]
pub struct Registration {
	missing: u32,
}

impl Registration {
	/// Takes a reading about who has this key and account. Whoever was given by hand and never registered needs not be there.
	pub fn read(
		&mut self,
		key: &PublicKey,
		account: Option<AccountId>,
		registered: &[RelayerInfo],
	) -> Result<(), Unfit> {
		let judged = judge(key, account, registered);
		self.missing = match judged {
			Ok(()) => 0,
			Err(_) => self.missing.saturating_add(1),
		};
		match self.missing < READINGS {
			true => Ok(()),
			false => judged,
		}
	}
}

fn judge(key: &PublicKey, account: Option<AccountId>, registered: &[RelayerInfo]) -> Result<(), Unfit> {
	let Some(account) = account else {
		return Ok(());
	};
	let with_key = registered.iter().find(|info| info.signing_key == *key);
	match with_key {
		Some(info) if info.account == account => Ok(()),
		Some(_) => Err(Unfit::OtherAccount),
		None if registered.iter().any(|info| info.account == account) => Err(Unfit::OtherKey),
		None => Err(Unfit::Gone),
	}
}

#[cfg(test)]
mod tests {
	use super::*;
	use clustercast_primitives::crypto::KeyPair;

	fn key() -> PublicKey {
		KeyPair::from_seed([7; 32]).public()
	}

	fn info(account: AccountId, seed: u8) -> RelayerInfo {
		RelayerInfo {
			account,
			payout: account,
			operator: account,
			signing_key: KeyPair::from_seed([seed; 32]).public(),
			addresses: Vec::new(),
			price_per_gb: 1,
			bond: 1,
			unbonds_at: None,
			reputation: Default::default(),
		}
	}

	const OURS: AccountId = AccountId([1; 32]);
	const OTHERS: AccountId = AccountId([2; 32]);

	#[test]
	fn a_relayer_whose_bond_is_gone_is_left_when_it_is_missing_twice() {
		let mut registration = Registration::default();
		let mut read = |registered: &[RelayerInfo]| registration.read(&key(), Some(OURS), registered);
		assert_eq!(read(&[info(OTHERS, 9), info(OURS, 7)]), Ok(()));
		assert_eq!(read(&[info(OTHERS, 9)]), Ok(()), "once");
		assert_eq!(read(&[info(OURS, 7)]), Ok(()));
		assert_eq!(read(&[]), Ok(()), "once again");
		assert_eq!(read(&[info(OTHERS, 9)]), Err(Unfit::Gone));
	}

	#[test]
	fn a_relayer_with_another_key_or_account_is_left() {
		let twice = |registered: &[RelayerInfo]| {
			let mut registration = Registration::default();
			registration.read(&key(), Some(OURS), registered).unwrap();
			registration.read(&key(), Some(OURS), registered)
		};
		assert_eq!(twice(&[info(OURS, 8)]), Err(Unfit::OtherKey));
		assert_eq!(twice(&[info(OTHERS, 7)]), Err(Unfit::OtherAccount));
		assert_eq!(twice(&[info(OURS, 8), info(OTHERS, 7)]), Err(Unfit::OtherAccount));
	}

	#[test]
	fn who_was_given_by_hand_and_never_registered_is_not_looked_for() {
		let mut registration = Registration::default();
		for _ in 0..5 {
			assert_eq!(registration.read(&key(), None, &[]), Ok(()));
		}
	}
}
