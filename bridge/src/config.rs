//! Configuration of `agent`: a TOML file, then `CLUSTERCAST_BRIDGE_*`, then flags; the later one counts.

use crate::{desk::Offer, fees::Rules, withdrawals::Choice};
use alloy::primitives::utils::parse_units;
use anyhow::{ensure, Context};
use clap::Args;
use clustercast_chain::{url, NodeUrl};
use clustercast_primitives::Usdc;
use figment::{
	providers::{Format, Serialized, Toml},
	Figment,
};
use serde::{Deserialize, Serialize};
use std::{fmt, net::SocketAddr, path::PathBuf};

/// A withdrawal's execution costs some 120,000 gas; on Base that is below a cent. The rest is for the commitment.
const MIN_FEE: Usdc = Usdc(20_000);

/// Submitting an action costs a fee of the chain below this.
const MIN_TIP: Usdc = Usdc(10_000);

/// A thousand times what gas costs on Base, and two hundred times a bad day's: only what is out of all proportion waits.
const MAX_GAS_PRICE: &str = "10";

/// Prices move by less than this while an authorisation is good, on most days.
const MARGIN: u32 = 50;

/// What each source may say. The keys of the TOML file are the field names.
#[derive(Args, Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
	/// JSON-RPC of a node of the chain; of several, the first that is whole is asked [default: ws://127.0.0.1:9944]
	#[arg(
		long,
		value_name = "URL",
		value_delimiter = ',',
		env = "CLUSTERCAST_BRIDGE_RPC",
		hide_env_values = true
	)]
	#[serde(deserialize_with = "url::one_or_many", skip_serializing_if = "Vec::is_empty")]
	pub rpc: Vec<NodeUrl>,
	/// The L2's JSON-RPC, http:// or https://
	#[arg(long, value_name = "URL", env = "CLUSTERCAST_BRIDGE_L2_RPC", hide_env_values = true)]
	#[serde(skip_serializing_if = "Option::is_none")]
	pub l2_rpc: Option<String>,
	/// Ethereum key that pays for gas and receives fees, of a file that nobody else may read
	#[arg(
		long,
		value_name = "file:PATH",
		env = "CLUSTERCAST_BRIDGE_KEY",
		hide_env_values = true
	)]
	#[serde(skip_serializing_if = "Option::is_none")]
	pub key: Option<String>,
	/// Execute withdrawals that pay at least this, USDC [default: 0.02]
	#[arg(
		long,
		value_name = "USDC",
		env = "CLUSTERCAST_BRIDGE_MIN_FEE",
		conflicts_with = "all"
	)]
	#[serde(skip_serializing_if = "Option::is_none")]
	pub min_fee: Option<String>,
	/// Execute all withdrawals, whatever they pay
	#[arg(long, env = "CLUSTERCAST_BRIDGE_ALL")]
	#[serde(skip_serializing_if = "std::ops::Not::not")]
	pub all: bool,
	/// Most that gas may cost on the L2, gwei: above it everything waits [default: 10]
	#[arg(long, value_name = "GWEI", env = "CLUSTERCAST_BRIDGE_MAX_GAS_PRICE")]
	#[serde(skip_serializing_if = "Option::is_none")]
	pub max_gas_price: Option<String>,
	/// What an ether costs, USDC: what does not pay for its gas waits [default: costs and fees are not compared]
	#[arg(long, value_name = "USDC", env = "CLUSTERCAST_BRIDGE_ETHER_PRICE")]
	#[serde(skip_serializing_if = "Option::is_none")]
	pub ether_price: Option<String>,
	/// Take signed deposits and actions over HTTP at this address, for example 127.0.0.1:8090 [default: off]
	#[arg(long, value_name = "IP:PORT", env = "CLUSTERCAST_BRIDGE_SERVE", value_parser = clustercast_cli::socket_address)]
	#[serde(skip_serializing_if = "Option::is_none")]
	pub serve: Option<SocketAddr>,
	/// Folder for what was taken, with --serve
	#[arg(long, value_name = "DIR", env = "CLUSTERCAST_BRIDGE_STATE")]
	#[serde(skip_serializing_if = "Option::is_none")]
	pub state: Option<PathBuf>,
	/// Account of the chain that submits actions, pays their fee and receives their tip, with --serve: //NAME, a mnemonic, or
	/// file:PATH [default: no actions are taken]
	#[arg(
		long,
		value_name = "SURI",
		env = "CLUSTERCAST_BRIDGE_ACCOUNT",
		hide_env_values = true
	)]
	#[serde(skip_serializing_if = "Option::is_none")]
	pub account: Option<String>,
	/// A deposit's fee is so many percent above what it costs, with --serve [default: 50]
	#[arg(long, value_name = "PERCENT", env = "CLUSTERCAST_BRIDGE_MARGIN")]
	#[serde(skip_serializing_if = "Option::is_none")]
	pub margin: Option<u32>,
	/// Least tip of an action, USDC, with --serve [default: 0.01]
	#[arg(long, value_name = "USDC", env = "CLUSTERCAST_BRIDGE_MIN_TIP")]
	#[serde(skip_serializing_if = "Option::is_none")]
	pub min_tip: Option<String>,
	/// Requests come through a proxy of ours, which puts whom it was asked by last into X-Forwarded-For
	#[arg(long, env = "CLUSTERCAST_BRIDGE_BEHIND_PROXY")]
	#[serde(skip_serializing_if = "std::ops::Not::not")]
	pub behind_proxy: bool,
	/// Serve Prometheus metrics at this address, for example 127.0.0.1:9617 [default: off]
	#[arg(long, value_name = "IP:PORT", env = "CLUSTERCAST_BRIDGE_METRICS", value_parser = clustercast_cli::socket_address)]
	#[serde(skip_serializing_if = "Option::is_none")]
	pub metrics: Option<SocketAddr>,
}

/// Complete and checked.
#[derive(Clone, Debug)]
pub struct Config {
	/// JSON-RPCs of nodes of the chain; at least one.
	pub rpc: Vec<NodeUrl>,
	/// The L2's.
	pub l2_rpc: String,
	/// Key file of the account that pays for gas, as `file:PATH`.
	pub key: String,
	/// Which withdrawals are executed.
	pub choice: Choice,
	/// What is spent on gas.
	pub rules: Rules,
	/// Whether and how people are served.
	pub serving: Option<Serving>,
	/// Prometheus endpoint.
	pub metrics: Option<SocketAddr>,
}

/// How people are served.
#[derive(Clone)]
pub struct Serving {
	/// Where.
	pub address: SocketAddr,
	/// Folder for what was taken.
	pub state: PathBuf,
	/// Secret of the account that submits actions.
	pub account: Option<String>,
	/// What a proxy says of who asks is believed.
	pub behind_proxy: bool,
	/// What is asked.
	pub(crate) offer: Offer,
}

/// Without the account's secret.
impl fmt::Debug for Serving {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		f.debug_struct("Serving")
			.field("address", &self.address)
			.field("state", &self.state)
			.field("behind_proxy", &self.behind_proxy)
			.field("offer", &self.offer)
			.finish_non_exhaustive()
	}
}

impl Config {
	/// Merges the file, if there is one, with environment and flags.
	pub fn load(file: Option<PathBuf>, flags: Settings) -> anyhow::Result<Self> {
		let mut sources = Figment::new();
		if let Some(file) = &file {
			ensure!(file.is_file(), "configuration file {} does not exist", file.display());
			sources = sources.merge(Toml::file_exact(file));
		}
		let merged: Settings = sources
			.merge(Serialized::defaults(flags))
			.extract()
			.context("configuration")?;
		merged.try_into()
	}
}

impl TryFrom<Settings> for Config {
	type Error = anyhow::Error;

	fn try_from(s: Settings) -> anyhow::Result<Self> {
		fn required<T>(value: Option<T>, name: &str) -> anyhow::Result<T> {
			value.with_context(|| format!("{name} is missing: give --{}", name.replace('_', "-")))
		}
		ensure!(!(s.all && s.min_fee.is_some()), "min_fee and all exclude each other");
		let min_fee = s.min_fee.map_or(Ok(MIN_FEE), |text| text.parse().context("min_fee"))?;
		let ether_price = s.ether_price.map(|text| text.parse::<Usdc>().context("ether_price"));
		let ether_price = ether_price.transpose()?;
		ensure!(ether_price != Some(Usdc(0)), "ether_price is 0");
		let max_gas_price = s.max_gas_price.as_deref().unwrap_or(MAX_GAS_PRICE);
		let max_gas_price = parse_units(max_gas_price, "gwei").context("max_gas_price")?;
		ensure!(!max_gas_price.is_negative(), "max_gas_price is below 0");
		let min_tip = s.min_tip.map_or(Ok(MIN_TIP), |text| text.parse().context("min_tip"))?;
		let key = required(s.key, "key")?;
		ensure!(
			key.starts_with("file:"),
			"key: give file:PATH, since arguments and environments are seen by others"
		);
		let serving = match s.serve {
			None => {
				let alone = s.margin.is_some() || s.behind_proxy;
				ensure!(
					!alone,
					"margin and behind_proxy are for an agent that serves people: give --serve"
				);
				None
			},
			Some(address) => Some(Serving {
				address,
				state: required(s.state, "state")?,
				account: s.account,
				behind_proxy: s.behind_proxy,
				offer: Offer {
					ether_price: required(ether_price, "ether_price")?.0,
					margin_percent: s.margin.unwrap_or(MARGIN),
					tip: min_tip.0,
					withdrawal_fee: if s.all { 0 } else { min_fee.0 },
				},
			}),
		};
		Ok(Self {
			rules: Rules {
				max_gas_price: max_gas_price.get_absolute().saturating_to(),
				ether_price: ether_price.map(|price| price.0),
			},
			serving,
			rpc: url::or_usual(s.rpc),
			l2_rpc: required(s.l2_rpc, "l2_rpc")?,
			key,
			choice: if s.all { Choice::All } else { Choice::Fee(min_fee.0) },
			metrics: s.metrics,
		})
	}
}

#[cfg(test)]
mod tests {
	use super::*;
	use std::fs;

	fn load(text: &str, flags: Settings) -> anyhow::Result<Config> {
		let dir = tempfile::tempdir().unwrap();
		let path = dir.path().join("bridge.toml");
		fs::write(&path, text).unwrap();
		Config::load(Some(path), flags)
	}

	const COMPLETE: &str = "l2_rpc = \"http://127.0.0.1:8545\"\nkey = \"file:key\"\n";

	#[test]
	fn file_is_merged_with_flags_which_count_more() {
		let config = load(COMPLETE, Settings::default()).unwrap();
		assert_eq!(
			(config.rpc, config.choice),
			(vec![NodeUrl::default()], Choice::Fee(20_000))
		);
		let config = load(&format!("{COMPLETE}min_fee = \"0.5\"\n"), Settings::default()).unwrap();
		assert_eq!(config.choice, Choice::Fee(500_000));
		let flags = Settings {
			rpc: vec!["ws://other".parse().unwrap(), "ws://third".parse().unwrap()],
			all: true,
			..Settings::default()
		};
		let given = flags.rpc.clone();
		let config = load(&format!("{COMPLETE}rpc = \"ws://one\"\n"), flags).unwrap();
		assert_eq!((config.rpc, config.choice), (given, Choice::All));
	}

	#[test]
	fn agent_that_serves_says_what_gas_costs_and_where_it_writes() {
		let serving = format!("{COMPLETE}serve = \"127.0.0.1:0\"\n");
		let complete = format!("{serving}state = \"desk\"\nether_price = \"3000\"\nmax_gas_price = \"0.05\"\n");
		let secret = load(&format!("{complete}account = \"//Secret\"\n"), Settings::default()).unwrap();
		assert_eq!(secret.serving.as_ref().unwrap().account.as_deref(), Some("//Secret"));
		assert!(!format!("{secret:?}").contains("Secret"), "{secret:?}");
		let config = load(&complete, Settings::default()).unwrap();
		let rules = Rules {
			max_gas_price: 50_000_000,
			ether_price: Some(3_000_000_000),
		};
		assert_eq!(config.rules, rules);
		let offer = config.serving.unwrap().offer;
		assert_eq!(
			(offer.margin_percent, offer.tip, offer.withdrawal_fee),
			(50, 10_000, 20_000)
		);
		let refused = |text: &str, why: &str| {
			let error = format!("{:#}", load(text, Settings::default()).unwrap_err());
			assert!(error.contains(why), "{error}");
		};
		refused(&format!("{serving}ether_price = \"3000\"\n"), "give --state");
		refused(&format!("{serving}state = \"desk\"\n"), "give --ether-price");
		refused(&format!("{COMPLETE}margin = 10\n"), "give --serve");
		refused(&format!("{COMPLETE}max_gas_price = \"cheap\"\n"), "max_gas_price");
		refused(&format!("{COMPLETE}ether_price = \"0\"\n"), "ether_price is 0");
		let exposed = format!("l2_rpc = \"http://127.0.0.1:8545\"\nkey = \"{}\"\n", "01".repeat(32));
		refused(&exposed, "give file:PATH");
	}

	#[test]
	fn what_is_missing_unknown_or_contradicts_is_named() {
		let refused = |text: &str, why: &str| {
			let error = format!("{:#}", load(text, Settings::default()).unwrap_err());
			assert!(error.contains(why), "{error}");
		};
		refused("key = \"file:key\"", "give --l2-rpc");
		refused("l2_rpc = \"http://127.0.0.1:8545\"", "give --key");
		refused(&format!("{COMPLETE}kye = 1"), "kye");
		refused(&format!("{COMPLETE}min_fee = \"cheap\""), "min_fee");
		refused(&format!("{COMPLETE}min_fee = \"1\"\nall = true"), "exclude each other");
		let missing = Config::load(Some("no/such.toml".into()), Settings::default()).unwrap_err();
		assert!(missing.to_string().contains("does not exist"));
	}
}
