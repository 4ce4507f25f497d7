//! Configuration of `run`: a TOML file, then `CLUSTERCAST_BRIDGE_*`, then flags; the later one counts.

use crate::withdrawals::Choice;
use anyhow::{ensure, Context};
use clap::Args;
use clustercast_chain::{url, NodeUrl};
use clustercast_primitives::Usdc;
use figment::{
	providers::{Format, Serialized, Toml},
	Figment,
};
use serde::{Deserialize, Serialize};
use std::{net::SocketAddr, path::PathBuf};

/// A withdrawal's execution costs some 120,000 gas; on Base that is below a cent. The rest is for the commitment.
const MIN_FEE: Usdc = Usdc(20_000);

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
	/// Ethereum key that pays for gas and receives fees: 64 hexadecimal digits or file:PATH
	#[arg(long, value_name = "KEY", env = "CLUSTERCAST_BRIDGE_KEY", hide_env_values = true)]
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
	/// Secret of the account that pays for gas.
	pub key: String,
	/// Which withdrawals are executed.
	pub choice: Choice,
	/// Prometheus endpoint.
	pub metrics: Option<SocketAddr>,
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
		Ok(Self {
			rpc: url::or_usual(s.rpc),
			l2_rpc: required(s.l2_rpc, "l2_rpc")?,
			key: required(s.key, "key")?,
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
