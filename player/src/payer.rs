//! Whose money pays: an account whose wallet is at hand, or one of which only a session key is.

use anyhow::{ensure, Context};
use clustercast_chain::{account, Chain, Wallet};
use clustercast_primitives::{bridge, crypto::EthereumAddress, AccountId};
use std::sync::Arc;

/// Pays for what is watched.
#[derive(Clone)]
pub enum Payer {
	/// Deposits and authorises session keys itself.
	Wallet(Arc<Wallet>),
	/// Its owner does that elsewhere, such as with a deposit on the L2; here it signs tickets only.
	Session(AccountId),
	/// The same for the account that belongs to an Ethereum address of the chain's L2.
	Ethereum(EthereumAddress),
}

impl Payer {
	/// From an Ethereum address or that of an account, SS58 or hex, or else the secret of a wallet, see
	/// [`Wallet::from_suri`].
	pub fn parse(text: &str) -> anyhow::Result<Self> {
		if let Ok(address) = text.parse::<EthereumAddress>() {
			return Ok(Self::Ethereum(address));
		}
		if let Ok(account) = account::parse(text) {
			return Ok(Self::Session(account));
		}
		let wallet = Wallet::from_suri(text).context("neither an address nor a secret key")?;
		Ok(Self::Wallet(Arc::new(wallet)))
	}

	/// The account on this chain.
	pub async fn account(&self, chain: &Chain) -> anyhow::Result<AccountId> {
		Ok(match self {
			Self::Wallet(wallet) => wallet.account(),
			Self::Session(account) => *account,
			Self::Ethereum(address) => {
				let l2 = chain.bridge(None).await?.chain_id;
				ensure!(
					l2 != 0,
					"the chain has no vault, and so no accounts of Ethereum addresses"
				);
				bridge::account_of(l2, address)
			},
		})
	}

	/// Signs for the account, if it is at hand.
	pub fn wallet(&self) -> Option<&Arc<Wallet>> {
		match self {
			Self::Wallet(wallet) => Some(wallet),
			Self::Session(_) | Self::Ethereum(_) => None,
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
		assert!(matches!(ethereum, Payer::Ethereum(known) if known == address.parse().unwrap()));

		let alice = Payer::parse("//Alice").unwrap().wallet().unwrap().account();
		let hex = alice.to_string();
		for address in [ALICE, &hex, hex.trim_start_matches("0x")] {
			let parsed = Payer::parse(address).unwrap();
			assert!(
				matches!(parsed, Payer::Session(account) if account == alice),
				"{address}: an address is no secret"
			);
		}
	}

	#[test]
	fn anything_else_is_refused() {
		for text in ["", "0x1234", "alice", "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeA"] {
			assert!(Payer::parse(text).is_err(), "{text}");
		}
	}
}
