//! Who is registered, as it was read last: only relayers are named to others, never a viewer.

use clustercast_chain::Chain;
use clustercast_network::WebAddress;
use clustercast_primitives::{chain::RelayerInfo, crypto::sha256, AccountId, PublicKey};
use serde::Serialize;
use std::{
	collections::{BTreeMap, HashMap},
	sync::{Mutex, MutexGuard, PoisonError},
	time::Duration,
};
use tokio::time::sleep;

/// Between two readings: one request for each hundred relayers.
const AGAIN: Duration = Duration::from_secs(60);

/// Relayers that a page is told of, at most: two kilobytes.
pub const MOST_PAGES: usize = 16;

/// A relayer that serves pages, as the registry has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Other {
	/// Is paid.
	pub account: AccountId,
	/// Signs receipts and notices.
	pub key: PublicKey,
	/// Micro-USDC per 10^9 bytes.
	pub price_per_gb: u64,
	/// Where its page is.
	pub web: String,
}

/// Who is registered under a key.
#[derive(Clone, Debug)]
struct Entry {
	account: AccountId,
	price_per_gb: u64,
	/// The first of its addresses that pages can ask.
	web: Option<WebAddress>,
}

/// See the module.
#[derive(Debug, Default)]
pub struct Directory(Mutex<HashMap<PublicKey, Entry>>);

impl Directory {
	/// As the registry is now: who leaves is named to nobody.
	pub fn read(&self, registered: &[RelayerInfo]) {
		let staying = registered.iter().filter(|info| info.unbonds_at.is_none());
		let entries = staying.map(|info| {
			let entry = Entry {
				account: info.account,
				price_per_gb: info.price_per_gb,
				web: info.addresses.iter().find_map(|address| address.parse().ok()),
			};
			(info.signing_key, entry)
		});
		*self.lock() = entries.collect();
	}

	/// Whether this is a relayer's key.
	pub fn has(&self, key: &PublicKey) -> bool {
		self.lock().contains_key(key)
	}

	/// Whether this relayer's page is of this machine alone, by its own entry: in development.
	pub fn is_local(&self, key: &PublicKey) -> bool {
		let entries = self.lock();
		let web = entries.get(key).and_then(|entry| entry.web.as_ref());
		web.is_some_and(WebAddress::is_local)
	}

	/// Whom the page of `own` is told of: first those of `near`, then any, in an order that each `chance` makes anew. A page from elsewhere is
	/// sent to nobody's own machine.
	pub fn pages(&self, own: &PublicKey, near: &[PublicKey], chance: u64) -> Vec<Other> {
		let is_local = self.is_local(own);
		let entries = self.lock();
		let others = entries.iter().filter(|(key, _)| *key != own);
		let ordered: BTreeMap<(bool, [u8; 32]), Other> = others
			.filter_map(|(key, entry)| {
				let web = entry.web.as_ref().filter(|web| is_local || !web.is_local())?;
				let other = Other {
					account: entry.account,
					key: *key,
					price_per_gb: entry.price_per_gb,
					web: web.url().to_owned(),
				};
				Some(((!near.contains(key), sha256(&[&chance.to_le_bytes(), &key.0]).0), other))
			})
			.collect();
		ordered.into_values().take(MOST_PAGES).collect()
	}

	/// Reads the registry over and over, for ever; where the chain does not answer, what was read last counts.
	pub async fn follow(&self, chain: &Chain) {
		loop {
			sleep(AGAIN).await;
			if let (false, Ok(registered)) = (chain.tip().is_late(), chain.relayers().await) {
				self.read(&registered);
			}
		}
	}

	fn lock(&self) -> MutexGuard<'_, HashMap<PublicKey, Entry>> {
		// Replaced in one step.
		self.0.lock().unwrap_or_else(PoisonError::into_inner)
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	const HTTPS: &str = "/dns/relayer.example/tcp/443/https";
	const LOCAL: &str = "/ip4/127.0.0.1/tcp/8890/http";
	const QUIC: &str = "/ip4/127.0.0.1/udp/4001/quic-v1";

	fn key(seed: u8) -> PublicKey {
		PublicKey([seed; 32])
	}

	fn registered(seed: u8, addresses: &[&str]) -> RelayerInfo {
		RelayerInfo {
			account: AccountId([seed; 32]),
			payout: AccountId([seed; 32]),
			operator: AccountId([seed; 32]),
			signing_key: key(seed),
			addresses: addresses.iter().map(|address| (*address).into()).collect(),
			price_per_gb: u64::from(seed),
			bond: 1,
			unbonds_at: None,
			reputation: Default::default(),
		}
	}

	fn of(registered: &[RelayerInfo]) -> Directory {
		let directory = Directory::default();
		directory.read(registered);
		directory
	}

	fn keys(others: &[Other]) -> Vec<PublicKey> {
		others.iter().map(|other| other.key).collect()
	}

	#[test]
	fn page_is_told_of_who_serves_pages_and_stays_and_of_itself_not() {
		let mut leaving = registered(4, &[HTTPS]);
		leaving.unbonds_at = Some(7);
		let others = [registered(2, &[QUIC, HTTPS]), registered(3, &[QUIC]), leaving];
		let directory = of(&[vec![registered(1, &[QUIC, HTTPS])], others.to_vec()].concat());
		let expected = Other {
			account: AccountId([2; 32]),
			key: key(2),
			price_per_gb: 2,
			web: "https://relayer.example:443".into(),
		};
		assert_eq!(directory.pages(&key(1), &[], 0), [expected]);
		assert!(directory.has(&key(3)) && !directory.has(&key(4)));
	}

	#[test]
	fn page_from_elsewhere_is_sent_to_nobodys_own_machine() {
		let directory = of(&[
			registered(1, &[HTTPS]),
			registered(2, &[LOCAL]),
			registered(3, &[LOCAL]),
			registered(4, &[QUIC]),
		]);
		for stranger in [1, 4, 9] {
			assert!(!directory.is_local(&key(stranger)));
			assert!(directory
				.pages(&key(stranger), &[key(2)], 0)
				.iter()
				.all(|other| other.web.starts_with("https:")));
		}
		assert!(directory.is_local(&key(2)));
		let mut known = keys(&directory.pages(&key(2), &[], 0));
		known.sort();
		assert_eq!(known, [key(1), key(3)]);
	}

	#[test]
	fn who_has_the_stream_is_told_first_and_of_many_others_each_as_often() {
		let all: Vec<_> = (1..=200).map(|seed| registered(seed, &[HTTPS])).collect();
		let directory = of(&all);
		let mut told = std::collections::BTreeMap::<PublicKey, u32>::new();
		for chance in 0..1_000 {
			let pages = keys(&directory.pages(&key(1), &[key(199), key(200), key(250)], chance));
			assert_eq!(pages.len(), MOST_PAGES);
			let mut first = pages[..2].to_vec();
			first.sort();
			assert_eq!(first, [key(199), key(200)]);
			pages[2..].iter().for_each(|key| *told.entry(*key).or_default() += 1);
		}
		// 14 of 197 each time.
		assert_eq!(told.len(), 197);
		assert!(told.values().all(|times| (35..=115).contains(times)), "{told:?}");
	}
}
