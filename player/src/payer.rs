//! Whose money pays: an account whose wallet is at hand, or one of which only a session key is.

use anyhow::Context;
use clustercast_chain::{account, Wallet};
use clustercast_primitives::{bridge, crypto::EthereumAddress, AccountId};
use std::sync::Arc;

/// Pays for what is watched.
#[derive(Clone)]
pub enum Payer {
	/// Deposits and authorises session keys itself.
	Wallet(Arc<Wallet>),
	/// Its owner does that elsewhere, such as with a deposit on the L2; here it signs tickets only.
	Session(AccountId),
}

impl Payer {
	/// From an Ethereum or SS58 address, or else the secret of a wallet, see [`Wallet::from_suri`].
	pub fn parse(text: &str) -> anyhow::Result<Self> {
		if let Ok(address) = text.parse::<EthereumAddress>() {
			return Ok(Self::Session(bridge::account_of(&address)));
		}
		// 32 bytes of hexadecimal are a wallet's seed.
		if !text.starts_with("0x") {
			if let Ok(account) = account::parse(text) {
				return Ok(Self::Session(account));
			}
		}
		let wallet = Wallet::from_suri(text).context("neither an address nor a secret key")?;
		Ok(Self::Wallet(Arc::new(wallet)))
	}

	/// The account on the chain.
	pub fn account(&self) -> AccountId {
		match self {
			Self::Wallet(wallet) => wallet.account(),
			Self::Session(account) => *account,
		}
	}

	/// Signs for the account, if it is at hand.
	pub fn wallet(&self) -> Option<&Arc<Wallet>> {
		match self {
			Self::Wallet(wallet) => Some(wallet),
			Self::Session(_) => None,
		}
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	const ALICE: &str = "5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY";

	#[test]
	fn addresses_have_no_wallet_and_secrets_do() {
		let address = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed";
		let ethereum = Payer::parse(address).unwrap();
		assert!(ethereum.wallet().is_none());
		assert_eq!(ethereum.account(), bridge::account_of(&address.parse().unwrap()));

		let other = Payer::parse(ALICE).unwrap();
		assert!(other.wallet().is_none());
		assert_eq!(account::ss58(&other.account()), ALICE);

		let alice = Payer::parse("//Alice").unwrap();
		assert!(alice.wallet().is_some());
		assert_eq!(alice.account(), other.account());
		let seed = Payer::parse("0xe5be9a5092b81bca64be81d212e7f2f9eba183bb7a90954f7b76361f6edb5c0a").unwrap();
		assert_eq!(seed.account(), other.account(), "Alice's seed");
	}

	#[test]
	fn anything_else_is_refused() {
		for text in ["", "0x1234", "alice", "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeA"] {
			assert!(Payer::parse(text).is_err(), "{text}");
		}
	}
}
