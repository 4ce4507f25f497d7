//! Who is behind an address of upstream: the stream's origin, which serves registered relayers for nothing, or a relayer, which is
//! paid. Pure: what the chain says goes in.

use crate::config::streams::{Stream, Upstream};
use clustercast_primitives::{
	chain::{RelayerInfo, StreamKeyInfo},
	AccountId, PublicKey, StreamId,
};

/// A relayer that sells windows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seller {
	/// Its identity, which signs receipts.
	pub key: PublicKey,
	/// Whose bond answers for it: the one that is paid.
	pub account: AccountId,
	/// Micro-USDC per 10^9 bytes, by the registry.
	pub price_per_gb: u64,
}

/// Who sells at this address; `None` where the origin is or may be. Whoever holds the signing key is the origin, whatever the
/// registry has under it; and so is, as far as we know, who is in no registry.
pub fn seller(upstream: &Upstream, signing_key: &PublicKey, registered: &[RelayerInfo]) -> Option<Seller> {
	let key = upstream.peer.filter(|peer| peer != signing_key)?;
	let info = registered.iter().find(|info| info.signing_key == key)?;
	Some(Seller {
		key,
		account: info.account,
		price_per_gb: info.price_per_gb,
	})
}

/// Who we are.
#[derive(Clone, Copy, Debug)]
pub struct Own {
	/// The account that registered.
	pub account: AccountId,
	/// Our identity.
	pub identity: PublicKey,
	/// Whether we have that account's secret, and not its operator's.
	pub is_signer: bool,
	/// There is a table `[buying]`; with this ceiling.
	pub max_price_per_gb: Option<u64>,
}

/// Why nothing can be bought so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Unbuyable {
	/// It names itself.
	#[error("stream {0}: upstream names this relayer itself")]
	Oneself(StreamId),
	/// Nothing says what may be spent.
	#[error("stream {stream}: upstream names relayer {key}, which asks {asked} micro-USDC per GB: say in [buying] what is spent at most")]
	NoLimits {
		/// Of which.
		stream: StreamId,
		/// Whose.
		key: PublicKey,
		/// By the registry.
		asked: u64,
	},
	/// Shares that it pays would be lost.
	#[error(
		"[buying] without an entry in the registry: only what a registered relayer pays is credited when it sells"
	)]
	Unregistered,
	/// The operator cannot pay from the account that registered.
	#[error("[buying] needs the secret of the account that registered as `account`: only what that pays is credited, and an operator cannot pay from it")]
	Operator,
}

/// Whether what is configured can be bought; and who asks more than is paid, of which stream.
pub fn check(
	own: &Own,
	streams: &[Stream],
	keys: &[StreamKeyInfo],
	registered: &[RelayerInfo],
) -> Result<Vec<(StreamId, Seller)>, Unbuyable> {
	let mut dear = Vec::new();
	for (stream, key) in streams.iter().zip(keys) {
		if stream
			.upstreams
			.iter()
			.any(|upstream| upstream.peer == Some(own.identity))
		{
			return Err(Unbuyable::Oneself(stream.id));
		}
		let sellers = stream.upstreams.iter();
		for seller in sellers.filter_map(|upstream| seller(upstream, &key.signing_key, registered)) {
			if seller.account == own.account {
				return Err(Unbuyable::Oneself(stream.id));
			}
			let max = own.max_price_per_gb.ok_or(Unbuyable::NoLimits {
				stream: stream.id,
				key: seller.key,
				asked: seller.price_per_gb,
			})?;
			if seller.price_per_gb > max {
				dear.push((stream.id, seller));
			}
		}
	}
	match own.max_price_per_gb {
		Some(_) if !own.is_signer => Err(Unbuyable::Operator),
		Some(_) if registered.iter().all(|info| info.account != own.account) => Err(Unbuyable::Unregistered),
		_ => Ok(dear),
	}
}

/// The most that the registry has of those that sell a stream, and we would pay, micro-USDC per 10^9 bytes: what it may cost before
/// anybody said. Nothing of the origin.
pub fn may_cost(stream: &Stream, signing_key: &PublicKey, registered: &[RelayerInfo], max_price_per_gb: u64) -> u64 {
	let sellers = stream.upstreams.iter();
	let prices = sellers.filter_map(|upstream| Some(seller(upstream, signing_key, registered)?.price_per_gb));
	prices.filter(|price| *price <= max_price_per_gb).max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
	use super::*;
	use crate::config::streams::{self, StreamSettings, Usual};
	use clustercast_primitives::crypto::KeyPair;

	const ORIGIN: u8 = 1;
	const SELLER: u8 = 2;
	const OURS: u8 = 3;
	const STRANGER: u8 = 4;

	fn key(seed: u8) -> PublicKey {
		KeyPair::from_seed([seed; 32]).public()
	}

	fn account(seed: u8) -> AccountId {
		AccountId([seed; 32])
	}

	fn info(seed: u8, price_per_gb: u64) -> RelayerInfo {
		RelayerInfo {
			account: account(seed),
			payout: account(seed),
			operator: account(seed),
			signing_key: key(seed),
			addresses: Vec::new(),
			price_per_gb,
			bond: 1,
			unbonds_at: None,
			reputation: Default::default(),
		}
	}

	fn at(seed: u8) -> String {
		format!(
			"/ip4/127.0.0.1/udp/4001/quic-v1/p2p/{}",
			clustercast_network::peer_id(&key(seed)).unwrap()
		)
	}

	fn stream(upstream: &[u8]) -> Stream {
		let usual = Usual {
			price_per_gb: 1,
			surge: 1.0,
			max_viewers: 1,
		};
		let table = StreamSettings {
			id: 3,
			upstream: upstream.iter().map(|seed| at(*seed)).collect(),
			price_per_gb: None,
			surge: None,
			max_viewers: None,
			on_demand: false,
			margin_per_gb: None,
			standbys: None,
		};
		streams::streams(vec![table], None, Vec::new(), usual)
			.unwrap()
			.remove(0)
	}

	fn signed() -> StreamKeyInfo {
		StreamKeyInfo {
			id: StreamId(3),
			owner: account(ORIGIN),
			broadcaster: account(ORIGIN),
			payee: account(ORIGIN),
			signing_key: key(ORIGIN),
			title: String::new(),
			category: String::new(),
			max_viewers: 0,
			price_per_gb: 1,
			max_surge_ppm: 1,
			broadcaster_share_ppm: 0,
			terms_counter: 0,
			change: None,
			previous_keys: Vec::new(),
			deposit: 0,
			flagged: false,
			sale_price: None,
			rent_offer: None,
			rented_until: None,
		}
	}

	const US: fn(Option<u64>) -> Own = |max_price_per_gb| Own {
		account: AccountId([OURS; 32]),
		identity: KeyPair::from_seed([OURS; 32]).public(),
		is_signer: true,
		max_price_per_gb,
	};

	fn judge(own: &Own, upstream: &[u8]) -> Result<Vec<StreamId>, Unbuyable> {
		let registered = [info(SELLER, 20), info(OURS, 30), info(ORIGIN, 5)];
		let dear = check(own, &[stream(upstream)], &[signed()], &registered)?;
		Ok(dear.into_iter().map(|(stream, _)| stream).collect())
	}

	#[test]
	fn whom_the_registry_has_is_paid_and_the_origin_never() {
		let registered = [info(SELLER, 20), info(ORIGIN, 5)];
		let who = |seed| {
			let upstream = at(seed).parse().unwrap();
			seller(&upstream, &key(ORIGIN), &registered).map(|seller| (seller.account, seller.price_per_gb))
		};
		assert_eq!(who(SELLER), Some((account(SELLER), 20)));
		assert_eq!(who(ORIGIN), None, "it is a relayer of other streams");
		assert_eq!(who(STRANGER), None);
		let nobody = Upstream {
			peer: None,
			..at(SELLER).parse().unwrap()
		};
		assert_eq!(seller(&nobody, &key(ORIGIN), &registered), None);
	}

	#[test]
	fn nothing_is_bought_of_oneself_nor_without_limits_nor_where_shares_would_be_lost() {
		assert_eq!(judge(&US(None), &[ORIGIN, STRANGER]), Ok(vec![]));
		assert_eq!(judge(&US(Some(20)), &[SELLER, ORIGIN]), Ok(vec![]));
		assert_eq!(judge(&US(Some(19)), &[SELLER]), Ok(vec![StreamId(3)]), "too dear");
		assert_eq!(
			judge(&US(Some(20)), &[ORIGIN, OURS]),
			Err(Unbuyable::Oneself(StreamId(3)))
		);
		let asked = Unbuyable::NoLimits {
			stream: StreamId(3),
			key: key(SELLER),
			asked: 20,
		};
		assert_eq!(judge(&US(None), &[ORIGIN, SELLER]), Err(asked));
		let operator = Own {
			is_signer: false,
			..US(Some(20))
		};
		assert_eq!(judge(&operator, &[SELLER]), Err(Unbuyable::Operator));
		let unknown = Own {
			account: account(STRANGER),
			..US(Some(20))
		};
		assert_eq!(judge(&unknown, &[SELLER]), Err(Unbuyable::Unregistered));
		// Another identity of our own account.
		let renamed = Own {
			identity: key(STRANGER),
			..US(Some(20))
		};
		assert_eq!(judge(&renamed, &[OURS]), Err(Unbuyable::Oneself(StreamId(3))));
	}

	#[test]
	fn stream_may_cost_the_most_that_we_would_pay() {
		let registered = [info(SELLER, 20), info(STRANGER, 90)];
		let cost = |upstream: &[u8], max| may_cost(&stream(upstream), &key(ORIGIN), &registered, max);
		assert_eq!(cost(&[ORIGIN], 100), 0);
		assert_eq!(cost(&[ORIGIN, SELLER, STRANGER], 100), 90);
		assert_eq!(cost(&[SELLER, STRANGER], 50), 20);
	}
}
