//! Whether what `run` is given fits the registry: account, identity and price. Pure.
//!
//! What does not is found when the first viewer comes, and then viewers leave, or nothing can be redeemed.

use clustercast_chain::account::ss58;
use clustercast_network::peer_id;
use clustercast_primitives::{chain::RelayerInfo, AccountId, BlockNumber, PublicKey};
use std::collections::BTreeSet;

/// What `run` is given.
#[derive(Clone, Debug)]
pub struct Given {
	/// The account that is paid.
	pub recipient: AccountId,
	/// The account that signs.
	pub wallet: AccountId,
	/// Signs receipts, and names the peer.
	pub identity: PublicKey,
	/// What it asks of viewers of its streams, micro-USDC per 10^9 bytes.
	pub prices_per_gb: BTreeSet<u64>,
}

/// What does not fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Misfit {
	/// The identity's key is in another account's entry: viewers pay that one alone.
	#[error(
		"the identity is registered for {}, not for {}: set `relayer` to the former, or take another identity",
		ss58(.owner), ss58(.recipient)
	)]
	OthersIdentity {
		/// Who registered it.
		owner: AccountId,
		/// Who would be paid.
		recipient: AccountId,
	},
	/// The account's entry has another key: viewers who know it from there find another peer, and leave.
	#[error(
		"{} is registered with another identity (peer {}): start with that one, or `registry key` enters this one",
		ss58(.recipient), peer_of(.registered)
	)]
	OtherIdentity {
		/// Who registered.
		recipient: AccountId,
		/// With which key.
		registered: PublicKey,
	},
	/// The wallet may not redeem for the account.
	#[error("{} may not redeem for {}: only that account and its operator may", ss58(.wallet), ss58(.recipient))]
	NoOperator {
		/// Who signs.
		wallet: AccountId,
		/// Who is paid.
		recipient: AccountId,
	},
	/// There is no entry, and the wallet acts for another account that has one.
	#[error("{} is not registered, but is the operator of {}: set `relayer` to that", ss58(.wallet), ss58(.of))]
	OperatorOf {
		/// Who signs.
		wallet: AccountId,
		/// For whom it may.
		of: AccountId,
	},
	/// There is no entry.
	#[error(
		"{} is not in the registry, or its bond is frozen: viewers who choose by the registry do not find it; \
		 `clustercast-relayer register` enters it",
		ss58(.0)
	)]
	Unregistered(AccountId),
	/// It asks for more than it says there.
	#[error(
		"price_per_gb is {asked}, the registry says {registered}: viewers choose by the latter and pay the former; \
		 `register` again changes it"
	)]
	Price {
		/// By `run`.
		asked: u64,
		/// By the registry.
		registered: u64,
	},
	/// It is leaving the registry.
	#[error("the relayer is leaving the registry (bond free from block {0} on): new viewers do not choose it; `registry stay` keeps it")]
	Leaving(BlockNumber),
}

impl Misfit {
	/// Whether nobody could pay, or nothing be redeemed: there is no use in running.
	pub fn is_fatal(&self) -> bool {
		matches!(
			self,
			Self::OthersIdentity { .. } | Self::OtherIdentity { .. } | Self::NoOperator { .. }
		)
	}
}

/// All that does not fit, the worst first.
pub fn misfits(given: &Given, registered: &[RelayerInfo]) -> Vec<Misfit> {
	let Given {
		recipient,
		wallet,
		identity,
		ref prices_per_gb,
	} = *given;
	let mut found = Vec::new();
	let holder = registered.iter().find(|info| info.signing_key == identity);
	if let Some(info) = holder.filter(|info| info.account != recipient) {
		let owner = info.account;
		found.push(Misfit::OthersIdentity { owner, recipient });
	}
	let Some(entry) = registered.iter().find(|info| info.account == recipient) else {
		// One whose bond is frozen is in no list; its operator redeems all the same.
		let acts_for = registered.iter().find(|info| info.operator == wallet);
		found.push(match acts_for {
			Some(info) if wallet == recipient => Misfit::OperatorOf {
				wallet,
				of: info.account,
			},
			_ => Misfit::Unregistered(recipient),
		});
		return found;
	};
	if holder.is_none() {
		let registered = entry.signing_key;
		found.push(Misfit::OtherIdentity { recipient, registered });
	}
	if wallet != recipient && wallet != entry.operator {
		found.push(Misfit::NoOperator { wallet, recipient });
	}
	let registered = entry.price_per_gb;
	let others = prices_per_gb.iter().filter(|asked| **asked != registered);
	found.extend(others.map(|&asked| Misfit::Price { asked, registered }));
	found.extend(entry.unbonds_at.map(Misfit::Leaving));
	found
}

fn peer_of(key: &PublicKey) -> String {
	peer_id(key).map_or_else(|_| key.to_string(), |peer| peer.to_string())
}

#[cfg(test)]
mod tests {
	use super::*;
	use clustercast_primitives::crypto::KeyPair;

	const COLD: AccountId = AccountId([1; 32]);
	const HOT: AccountId = AccountId([2; 32]);
	const OTHER: AccountId = AccountId([3; 32]);

	fn key(seed: u8) -> PublicKey {
		KeyPair::from_seed([seed; 32]).public()
	}

	/// Registered by [`COLD`], with [`HOT`] as operator.
	fn entry() -> RelayerInfo {
		RelayerInfo {
			account: COLD,
			payout: COLD,
			operator: HOT,
			signing_key: key(1),
			addresses: Vec::new(),
			price_per_gb: 20_000,
			bond: 10_000_000,
			unbonds_at: None,
			reputation: Default::default(),
		}
	}

	fn given(recipient: AccountId, wallet: AccountId) -> Given {
		Given {
			recipient,
			wallet,
			identity: key(1),
			prices_per_gb: BTreeSet::from([20_000]),
		}
	}

	#[test]
	fn what_fits_is_said_nothing_of() {
		for wallet in [COLD, HOT] {
			assert_eq!(misfits(&given(COLD, wallet), &[entry()]), []);
		}
	}

	#[test]
	fn what_nobody_could_pay_or_redeem_is_fatal_and_says_what_to_change() {
		let cases = [
			(
				given(COLD, OTHER),
				Misfit::NoOperator {
					wallet: OTHER,
					recipient: COLD,
				},
				"may not redeem for",
			),
			(
				given(OTHER, OTHER),
				Misfit::OthersIdentity {
					owner: COLD,
					recipient: OTHER,
				},
				"set `relayer` to the former",
			),
			(
				Given {
					identity: key(9),
					..given(COLD, HOT)
				},
				Misfit::OtherIdentity {
					recipient: COLD,
					registered: key(1),
				},
				"`registry key` enters this one",
			),
		];
		for (given, expected, words) in cases {
			let found = misfits(&given, &[entry()]);
			assert_eq!(found.first(), Some(&expected));
			assert!(
				expected.is_fatal() && expected.to_string().contains(words),
				"{expected}"
			);
		}
	}

	#[test]
	fn what_only_costs_viewers_is_told_and_not_fatal() {
		let dear = Given {
			prices_per_gb: BTreeSet::from([20_000, 30_000]),
			..given(COLD, HOT)
		};
		let leaving = RelayerInfo {
			unbonds_at: Some(77),
			..entry()
		};
		let found = misfits(&dear, &[leaving]);
		let price = Misfit::Price {
			asked: 30_000,
			registered: 20_000,
		};
		assert_eq!(found, [price, Misfit::Leaving(77)]);
		assert!(!found.iter().any(Misfit::is_fatal));
		let unknown = Given {
			identity: key(9),
			..given(OTHER, OTHER)
		};
		assert_eq!(misfits(&unknown, &[entry()]), [Misfit::Unregistered(OTHER)]);
		let operator = Given {
			identity: key(9),
			..given(HOT, HOT)
		};
		assert_eq!(
			misfits(&operator, &[entry()]),
			[Misfit::OperatorOf { wallet: HOT, of: COLD }]
		);
	}
}
