//! Configuration of `run`: a TOML file, then `CLUSTERCAST_RELAYER_*`, then flags; the later one counts.

pub mod buying;
pub mod policy;
pub mod streams;

use crate::payment::{Payment, Rule};
use anyhow::{bail, ensure, Context};
use buying::{Buying, BuyingSettings};
use clap::Args;
use clustercast_chain::{account, url, NodeUrl, Wallet};
use clustercast_network::Multiaddr;
use clustercast_primitives::{amount, AccountId, Balance, Usdc};
use clustercast_protocol::{Float, ReserveTerms};
use figment::{
	providers::{Format, Serialized, Toml},
	Figment,
};
use policy::{Policy, PolicySettings};
use serde::{Deserialize, Deserializer, Serialize};
use std::{net::SocketAddr, path::PathBuf, time::Duration};
use streams::{Stream, StreamSettings, Usual};

/// Used where no source says otherwise.
mod default {
	use super::{Duration, Usdc};

	/// What CDNs sell at. This and what follows: docs/economics.md.
	pub const PRICE_PER_GB: u64 = 20_000;
	/// Redeeming costs a hundredth of it.
	pub const FACE_VALUE: Usdc = Usdc(20_000);
	/// Fifty such tickets.
	pub const REDEEM_VALUE: Usdc = Usdc(1_000_000);
	/// Half of a ticket's life: others win meanwhile, and there is time to try again.
	pub const REDEEM_AGE: Duration = Duration::from_secs(600);
	/// A voucher of 480p then brings a hundred times its fee, at the usual price.
	pub const VOUCHER_AGE: Duration = Duration::from_secs(7_200);
	/// The price stays what it is.
	pub const SURGE: f64 = 1.0;
	/// Five minutes of 1.5 Mb/s. Of many streams [`MIN_CACHE_MB`](super::MIN_CACHE_MB) each, where that is more.
	pub const CACHE_MB: u32 = 64;
	/// Of video at 1.5 Mb/s, 16 s.
	pub const CREDIT_KB: u32 = 3_000;
	/// Four windows of 2 s, which are a little smaller than the bit rate says: a quarter of the signatures of a receipt for each.
	pub const RECEIPT_KB: u32 = 1_400;
	pub const MAX_VIEWERS: u32 = 256;
	/// A household, and ghosts of some of it.
	pub const ACCOUNT_VIEWERS: u32 = 8;
	/// What handing in and releasing a reservation cost, 195 and 148 micro-USDC, and something for blocks that are fuller.
	pub const RESERVE_REWARD: Usdc = Usdc(400);
}

/// The smallest part of the cache that holds a window of the largest size, and the one before it: of each stream.
const MIN_CACHE_MB: u32 = 16;

/// What no stream key allows to exceed.
const MAX_SURGE: f64 = 10.0;

/// Bytes of 2 s at 2 Mb/s.
const TYPICAL_WINDOW: u64 = 500_000;

/// What each source may say. The keys of the TOML file are the field names.
#[derive(Args, Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
	/// JSON-RPC of a node; of several, the first that is whole is asked [default: ws://127.0.0.1:9944]
	#[arg(
		long,
		value_name = "URL",
		value_delimiter = ',',
		env = "CLUSTERCAST_RELAYER_RPC",
		hide_env_values = true
	)]
	#[serde(deserialize_with = "url::one_or_many", skip_serializing_if = "Vec::is_empty")]
	pub rpc: Vec<NodeUrl>,
	/// Account that redeems and pays fees, the relayer's own or its operator: //NAME, a mnemonic, or file:PATH
	#[arg(
		long,
		value_name = "SURI",
		env = "CLUSTERCAST_RELAYER_ACCOUNT",
		hide_env_values = true
	)]
	#[serde(skip_serializing_if = "Option::is_none")]
	pub account: Option<String>,
	/// Account that registered, where `account` is its operator: payments name it. SS58 address or hex
	#[arg(long, value_name = "ADDRESS", env = "CLUSTERCAST_RELAYER_RELAYER")]
	#[serde(skip_serializing_if = "Option::is_none")]
	pub relayer: Option<String>,
	/// File with the Ed25519 seed: peer id and receipt key; created when missing
	#[arg(long, value_name = "FILE", env = "CLUSTERCAST_RELAYER_IDENTITY")]
	#[serde(skip_serializing_if = "Option::is_none")]
	pub identity: Option<PathBuf>,
	/// Where to listen: /ip4/ADDR/udp/PORT/quic-v1
	#[arg(long, value_name = "MULTIADDR", env = "CLUSTERCAST_RELAYER_LISTEN")]
	#[serde(skip_serializing_if = "Option::is_none")]
	pub listen: Option<String>,
	/// Where the origin is or may be, one or more: /ip4/ADDR/udp/PORT/quic-v1. Who answers there must hold the signing key that
	/// the chain names for the stream, unless the ID behind /p2p/ is a relayer of the registry: that is bought from
	#[arg(
		long,
		value_name = "MULTIADDR",
		value_delimiter = ',',
		env = "CLUSTERCAST_RELAYER_UPSTREAM"
	)]
	#[serde(deserialize_with = "one_or_many", skip_serializing_if = "Vec::is_empty")]
	pub upstream: Vec<String>,
	/// Stream key on the chain; of several, each has a table [[streams]] in the file
	#[arg(long, value_name = "N", env = "CLUSTERCAST_RELAYER_STREAM")]
	#[serde(skip_serializing_if = "Option::is_none")]
	pub stream: Option<u64>,
	/// Tables of the file, in place of `stream` and `upstream`.
	#[arg(skip)]
	#[serde(skip_serializing_if = "Vec::is_empty")]
	pub streams: Vec<StreamSettings>,
	/// A table of the file: what is spent on streams that relayers sell.
	#[arg(skip)]
	#[serde(skip_serializing_if = "Option::is_none")]
	pub buying: Option<BuyingSettings>,
	/// A table of the file: what is carried at all.
	#[arg(skip)]
	#[serde(skip_serializing_if = "Option::is_none")]
	pub policy: Option<PolicySettings>,
	/// Price, micro-USDC per 10^9 bytes [default: 20000]
	#[arg(long, value_name = "MICRO_USDC", env = "CLUSTERCAST_RELAYER_PRICE_PER_GB")]
	#[serde(skip_serializing_if = "Option::is_none")]
	pub price_per_gb: Option<u64>,
	/// Face value of a ticket, USDC; must exceed the price of 524,288 bytes [default: 0.02]
	#[arg(long, value_name = "USDC", env = "CLUSTERCAST_RELAYER_FACE_VALUE")]
	#[serde(with = "usdc", skip_serializing_if = "Option::is_none")]
	pub face_value: Option<Usdc>,
	/// How viewers pay: by ticket until a voucher is worth its fee, or always by one of them [default: auto]
	#[arg(long, value_name = "MODE", env = "CLUSTERCAST_RELAYER_PAYMENT")]
	#[serde(skip_serializing_if = "Option::is_none")]
	pub payment: Option<Payment>,
	/// Highest price when the relayer is full, as a multiple of price-per-gb, 1 to 10; the stream key bounds it too
	/// [default: 1]
	#[arg(long, value_name = "FACTOR", env = "CLUSTERCAST_RELAYER_SURGE")]
	#[serde(skip_serializing_if = "Option::is_none")]
	pub surge: Option<f64>,
	/// What the uplink carries, 10^6 bits/s: video is sent at nine tenths of it, and it counts as load beside the number of viewers
	/// [default: no limit, not counted]
	#[arg(long, value_name = "MBITS", env = "CLUSTERCAST_RELAYER_UPLINK_MBPS")]
	#[serde(skip_serializing_if = "Option::is_none")]
	pub uplink_mbps: Option<u32>,
	/// Folder for winning tickets, vouchers and the relayer's secret; created when missing
	#[arg(long, value_name = "DIR", env = "CLUSTERCAST_RELAYER_STATE")]
	#[serde(skip_serializing_if = "Option::is_none")]
	pub state: Option<PathBuf>,
	/// Redeem when winners worth this much wait, or a voucher owes this much, USDC [default: 1]
	#[arg(long, value_name = "USDC", env = "CLUSTERCAST_RELAYER_REDEEM_VALUE")]
	#[serde(with = "usdc", skip_serializing_if = "Option::is_none")]
	pub redeem_value: Option<Usdc>,
	/// Redeem when a winner has waited this long, seconds [default: 600]
	#[arg(long, value_name = "SECONDS", env = "CLUSTERCAST_RELAYER_REDEEM_AGE_S")]
	#[serde(skip_serializing_if = "Option::is_none")]
	pub redeem_age_s: Option<u32>,
	/// Redeem when a voucher has owed something for this long, seconds [default: 7200]
	#[arg(long, value_name = "SECONDS", env = "CLUSTERCAST_RELAYER_VOUCHER_AGE_S")]
	#[serde(skip_serializing_if = "Option::is_none")]
	pub voucher_age_s: Option<u32>,
	/// Memory for windows of all streams, 10^6 bytes; at least 16 for each [default: 64, or 16 for each where that is more]
	#[arg(long, value_name = "MB", env = "CLUSTERCAST_RELAYER_CACHE_MB")]
	#[serde(skip_serializing_if = "Option::is_none")]
	pub cache_mb: Option<u32>,
	/// Viewers served at a time [default: 256]
	#[arg(long, value_name = "N", env = "CLUSTERCAST_RELAYER_MAX_VIEWERS")]
	#[serde(skip_serializing_if = "Option::is_none")]
	pub max_viewers: Option<u32>,
	/// Viewers of one account served at a time [default: 8]
	#[arg(long, value_name = "N", env = "CLUSTERCAST_RELAYER_ACCOUNT_VIEWERS")]
	#[serde(skip_serializing_if = "Option::is_none")]
	pub account_viewers: Option<u32>,
	/// Sent to a viewer ahead of payment, 1,000 bytes; one window may be larger [default: 3000]
	#[arg(long, value_name = "KB", env = "CLUSTERCAST_RELAYER_CREDIT_KB")]
	#[serde(skip_serializing_if = "Option::is_none")]
	pub credit_kb: Option<u32>,
	/// Worth a receipt and a payment, 1,000 bytes; at most half of what is sent ahead, of 0 each window is [default: 1400]
	#[arg(long, value_name = "KB", env = "CLUSTERCAST_RELAYER_RECEIPT_KB")]
	#[serde(skip_serializing_if = "Option::is_none")]
	pub receipt_kb: Option<u32>,
	/// Most that one account may owe and have left unpaid within an hour where nothing is reserved, 2^20 bytes [default: 16]
	#[arg(long, value_name = "MIB", env = "CLUSTERCAST_RELAYER_STRANGER_MIB")]
	#[serde(skip_serializing_if = "Option::is_none")]
	pub stranger_mib: Option<u32>,
	/// The same in USDC, winners that are not paid yet included [default: 0.1]
	#[arg(long, value_name = "USDC", env = "CLUSTERCAST_RELAYER_STRANGER_VALUE")]
	#[serde(with = "usdc", skip_serializing_if = "Option::is_none")]
	pub stranger_value: Option<Usdc>,
	/// The same for all strangers together, USDC; and again for all who have reserved something [default: 1]
	#[arg(long, value_name = "USDC", env = "CLUSTERCAST_RELAYER_STRANGERS_PER_HOUR")]
	#[serde(with = "usdc", skip_serializing_if = "Option::is_none")]
	pub strangers_per_hour: Option<Usdc>,
	/// Asked of a viewer for each reservation, USDC: what handing it in and releasing it costs [default: 0.0004]
	#[arg(long, value_name = "USDC", env = "CLUSTERCAST_RELAYER_RESERVE_REWARD")]
	#[serde(with = "usdc", skip_serializing_if = "Option::is_none")]
	pub reserve_reward: Option<Usdc>,
	/// Serve Prometheus metrics at this address, for example 127.0.0.1:9616 [default: off]
	#[arg(long, value_name = "IP:PORT", env = "CLUSTERCAST_RELAYER_METRICS", value_parser = clustercast_cli::socket_address)]
	#[serde(skip_serializing_if = "Option::is_none")]
	pub metrics: Option<SocketAddr>,
	/// Serve browsers at this address: the page by HTTP, the video by WebTransport at the same port of UDP, for example
	/// 127.0.0.1:8890 [default: off]
	#[arg(long, value_name = "IP:PORT", env = "CLUSTERCAST_RELAYER_WEB", value_parser = clustercast_cli::socket_address)]
	#[serde(skip_serializing_if = "Option::is_none")]
	pub web: Option<SocketAddr>,
	/// Folder of that page [default: share/clustercast/web beside the folder of this program]
	#[arg(long, value_name = "DIR", env = "CLUSTERCAST_RELAYER_WEB_PAGE")]
	#[serde(skip_serializing_if = "Option::is_none")]
	pub web_page: Option<PathBuf>,
	/// For development: a bridge for which that page asks wallets, JSON, at an address of loopback alone [default: wallets are asked at
	/// the page's own origin, if it has one]
	#[arg(long, value_name = "FILE", env = "CLUSTERCAST_RELAYER_WEB_DEPLOYMENT")]
	#[serde(skip_serializing_if = "Option::is_none")]
	pub web_deployment: Option<PathBuf>,
}

/// Complete and checked.
#[derive(Clone, Debug)]
pub struct Config {
	/// JSON-RPCs of nodes; at least one.
	pub rpc: Vec<NodeUrl>,
	/// Secret of the account that redeems.
	pub account: String,
	/// The account that registered, where it is another one.
	pub relayer: Option<AccountId>,
	/// Key file.
	pub identity: PathBuf,
	/// Where to listen.
	pub listen: Multiaddr,
	/// What is relayed, from where and for how much; at least one.
	pub streams: Vec<Stream>,
	/// What is spent on streams that relayers sell; `None`: nothing is bought.
	pub buying: Option<Buying>,
	/// What is carried at all.
	pub policy: Policy,
	/// Of each ticket.
	pub face_value: Usdc,
	/// Tickets or vouchers.
	pub payment: Payment,
	/// Bytes/s.
	pub uplink: Option<u64>,
	/// Folder.
	pub state: PathBuf,
	/// Face value that triggers a redemption.
	pub redeem_value: Usdc,
	/// Age of a winner that triggers a redemption.
	pub redeem_age: Duration,
	/// The same of what a voucher owes.
	pub voucher_age: Duration,
	/// Of windows.
	pub cache_bytes: usize,
	/// At a time.
	pub max_viewers: usize,
	/// Of one account.
	pub account_viewers: usize,
	/// Bytes ahead of payment.
	pub credit: u32,
	/// Bytes that are worth a receipt.
	pub interval: u32,
	/// What is risked where nothing is reserved.
	pub float: Float,
	/// For each reservation.
	pub reserve_reward: Usdc,
	/// Prometheus endpoint.
	pub metrics: Option<SocketAddr>,
	/// For browsers.
	pub web: Option<SocketAddr>,
	/// Where their page is.
	pub web_page: Option<PathBuf>,
	/// The bridge for which it asks wallets.
	pub web_deployment: Option<PathBuf>,
}

impl Config {
	/// The account that payments name.
	pub fn recipient(&self, wallet: &Wallet) -> AccountId {
		self.relayer.unwrap_or(wallet.account())
	}

	/// When viewers of this stream are asked for vouchers.
	pub fn rule(&self, stream: &Stream) -> Rule {
		Rule::new(self.payment, stream.price_per_gb, self.face_value.0, self.voucher_age)
	}

	/// What viewers are asked to reserve, where they pay by voucher at all: what can be redeemed, at least.
	pub fn reserve(&self, least: Balance) -> Option<ReserveTerms> {
		let asked = ReserveTerms {
			least,
			reward: self.reserve_reward.0,
		};
		(self.payment != Payment::Tickets).then_some(asked)
	}

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
		let price_per_gb = s.price_per_gb.unwrap_or(default::PRICE_PER_GB);
		let surge = s.surge.unwrap_or(default::SURGE);
		let max_viewers = s.max_viewers.unwrap_or(default::MAX_VIEWERS);
		ensure!(max_viewers > 0, "max_viewers must be at least 1");
		ensure!(
			(1.0..=MAX_SURGE).contains(&surge),
			"surge must be 1 to {MAX_SURGE}: it multiplies price_per_gb"
		);
		ensure!(s.uplink_mbps != Some(0), "uplink_mbps must be at least 1");
		let usual = Float::default();
		let listen = required(s.listen, "listen")?;
		let usual_of_streams = Usual {
			price_per_gb,
			surge,
			max_viewers,
		};
		let streams = streams::streams(s.streams, s.stream, s.upstream, usual_of_streams)?;
		let policy = s.policy.unwrap_or_default().check(&streams)?;
		let least_cache_mb = MIN_CACHE_MB * streams.len() as u32;
		let cache_mb = s.cache_mb.unwrap_or(default::CACHE_MB.max(least_cache_mb));
		let config = Self {
			rpc: url::or_usual(s.rpc),
			account: required(s.account, "account")?,
			relayer: s
				.relayer
				.map(|text| account::parse(&text).context("relayer is no account"))
				.transpose()?,
			identity: required(s.identity, "identity")?,
			listen: listen
				.parse()
				.with_context(|| format!("listen: {listen} is not a multiaddress"))?,
			streams,
			buying: s.buying.map(BuyingSettings::check).transpose()?,
			policy,
			face_value: s.face_value.unwrap_or(default::FACE_VALUE),
			payment: s.payment.unwrap_or_default(),
			uplink: s.uplink_mbps.map(|mbps| u64::from(mbps) * 1_000_000 / 8),
			state: required(s.state, "state")?,
			redeem_value: s.redeem_value.unwrap_or(default::REDEEM_VALUE),
			redeem_age: s
				.redeem_age_s
				.map_or(default::REDEEM_AGE, |s| Duration::from_secs(s.into())),
			voucher_age: s
				.voucher_age_s
				.map_or(default::VOUCHER_AGE, |s| Duration::from_secs(s.into())),
			cache_bytes: cache_mb as usize * 1_000_000,
			max_viewers: max_viewers as usize,
			account_viewers: s.account_viewers.unwrap_or(default::ACCOUNT_VIEWERS) as usize,
			credit: s.credit_kb.unwrap_or(default::CREDIT_KB).saturating_mul(1_000),
			interval: s.receipt_kb.unwrap_or(default::RECEIPT_KB).saturating_mul(1_000),
			float: Float {
				bytes: s.stranger_mib.map_or(usual.bytes, |mib| u64::from(mib) << 20),
				value: s.stranger_value.map_or(usual.value, |value| value.0),
				per_hour: s.strangers_per_hour.map_or(usual.per_hour, |value| value.0),
			},
			reserve_reward: s.reserve_reward.unwrap_or(default::RESERVE_REWARD),
			metrics: s.metrics,
			web: s.web,
			web_page: s.web_page,
			web_deployment: s.web_deployment,
		};
		ensure!(
			config.interval <= config.credit / 2,
			"receipt_kb must be at most half of credit_kb: else viewers wait while they pay"
		);
		ensure!(config.account_viewers > 0, "account_viewers must be at least 1");
		ensure!(
			cache_mb >= least_cache_mb,
			"cache_mb must be at least {least_cache_mb}, {MIN_CACHE_MB} for each stream: a window may have 8 MiB"
		);
		ensure!(
			config.float.value >= config.face_value.0,
			"stranger_value must be at least one face value: nobody could pay by ticket"
		);
		ensure!(
			config.float.per_hour >= config.float.value,
			"strangers_per_hour must be at least stranger_value"
		);
		// Windows of 480p have some 375 kB. Dearer ones are refused when they come.
		for stream in &config.streams {
			let bytes = amount::ticket_bytes(TYPICAL_WINDOW);
			if amount::win_probability(bytes, stream.highest_price_per_gb, config.face_value.0).is_none() {
				bail!(
					"face_value must exceed the price of a window: a ticket could not pay {TYPICAL_WINDOW} bytes of stream {}",
					stream.id
				);
			}
		}
		Ok(config)
	}
}

/// A text, or a list of them.
fn one_or_many<'de, D: Deserializer<'de>>(d: D) -> Result<Vec<String>, D::Error> {
	#[derive(Deserialize)]
	#[serde(untagged)]
	enum Texts {
		One(String),
		Many(Vec<String>),
	}
	Ok(match Texts::deserialize(d)? {
		Texts::One(text) => vec![text],
		Texts::Many(texts) => texts,
	})
}

/// USDC amounts as text; a bare number is taken too.
mod usdc {
	use super::Usdc;
	use serde::{de::Error, Deserialize, Deserializer, Serializer};

	#[derive(Deserialize)]
	#[serde(untagged)]
	enum Amount {
		Text(String),
		Whole(u64),
		Decimal(f64),
	}

	pub fn serialize<S: Serializer>(amount: &Option<Usdc>, s: S) -> Result<S::Ok, S::Error> {
		s.serialize_str(&amount.unwrap_or_default().to_string())
	}

	pub fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Option<Usdc>, D::Error> {
		let text = match Amount::deserialize(d)? {
			Amount::Text(text) => text,
			Amount::Whole(number) => number.to_string(),
			// The shortest decimal that is this number: what was written.
			Amount::Decimal(number) => number.to_string(),
		};
		text.parse().map(Some).map_err(D::Error::custom)
	}
}

#[cfg(test)]
mod tests {
	use super::*;
	use clustercast_protocol::thrift;
	use std::fs;

	const UPSTREAM: &str = "/ip4/127.0.0.1/udp/4001/quic-v1/p2p/12D3KooWPjceQrSwdWXPyLLeABRXmuqt69Rg3sBYbU1Nft9HyQ6X";

	fn complete() -> String {
		format!(
			"account = \"//Bob\"\nidentity = \"id\"\nlisten = \"/ip4/127.0.0.1/udp/0/quic-v1\"\n\
			 upstream = \"{UPSTREAM}\"\nstream = 3\nprice_per_gb = 1000000\nface_value = 0.05\nstate = \"s\"\n"
		)
	}

	fn load(text: &str, flags: Settings) -> anyhow::Result<Config> {
		let dir = tempfile::tempdir().unwrap();
		let file = dir.path().join("relayer.toml");
		fs::write(&file, text).unwrap();
		Config::load(Some(file), flags)
	}

	#[test]
	fn flags_win_over_the_file_and_defaults_fill_the_rest() {
		let flags = Settings {
			price_per_gb: Some(2_000),
			redeem_value: Some(Usdc(250_000)),
			..Settings::default()
		};
		let config = load(&complete(), flags).unwrap();
		assert_eq!(
			(config.streams[0].price_per_gb, config.face_value),
			(2_000, Usdc(50_000))
		);
		assert_eq!(
			(config.redeem_value, config.redeem_age),
			(Usdc(250_000), default::REDEEM_AGE)
		);
		assert_eq!(
			(config.credit, config.interval, config.cache_bytes),
			(3_000_000, 1_400_000, 64_000_000)
		);
		assert_eq!(
			(config.payment, config.streams[0].highest_price_per_gb, config.uplink),
			(Payment::Auto, 2_000, None)
		);
		assert_eq!((config.float, config.reserve_reward), (Float::default(), Usdc(400)));
		let asked = ReserveTerms {
			least: 1_000,
			reward: 400,
		};
		assert_eq!(config.reserve(1_000), Some(asked));
		let text = format!("{}\nsurge = 1.5\nuplink_mbps = 100\npayment = \"vouchers\"", complete());
		let config = load(&text, Settings::default()).unwrap();
		assert_eq!(
			(config.payment, config.streams[0].highest_price_per_gb, config.uplink),
			(Payment::Vouchers, 1_500_000, Some(12_500_000))
		);
	}

	/// `docs/economics.md` says why: its tables count with them.
	#[test]
	fn defaults_are_those_of_the_docs() {
		let page = include_str!("../../docs/economics.md");
		let documented = |name: &str| {
			let row = format!("| `{name}` | ");
			let row = page.lines().find_map(|line| line.strip_prefix(&row)).unwrap();
			row.split(' ').next().unwrap().to_owned()
		};
		let least = complete()
			.replace("price_per_gb = 1000000\n", "")
			.replace("face_value = 0.05\n", "");
		let config = load(&least, Settings::default()).unwrap();
		assert_eq!(documented("price_per_gb"), config.streams[0].price_per_gb.to_string());
		let float = config.float;
		assert_eq!(documented("stranger bytes"), float.bytes.to_string());
		for (name, value) in [
			("face_value", config.face_value.0),
			("redeem_value", config.redeem_value.0),
			("reserve_reward", config.reserve_reward.0),
			("stranger_value", float.value),
			("strangers_per_hour", float.per_hour),
			("reserved", thrift::SMALL),
		] {
			assert_eq!(documented(name).parse::<Usdc>().unwrap().0, value, "{name}");
		}
		for (name, age) in [
			("redeem_age_s", config.redeem_age),
			("voucher_age_s", config.voucher_age),
		] {
			assert_eq!(documented(name), age.as_secs().to_string(), "{name}");
		}
		for (name, parts) in [
			("reserved at most", thrift::PARTS),
			("reward at most", thrift::REWARD_PARTS),
		] {
			assert_eq!(documented(name), format!("1/{parts}"), "{name}");
		}
		let after = documented("vouchers after").parse::<Usdc>().unwrap().0;
		let rule = config.rule(&config.streams[0]);
		assert!(rule.vouchers(after) && !rule.vouchers(after - 1), "{after}");
	}

	/// What is relayed, as `docs/relay.md` shows it.
	#[test]
	fn tables_of_streams_are_read_as_the_docs_show_them() {
		let page = include_str!("../../docs/relay.md");
		let example = |title: &str| {
			let at = page.find(title).unwrap();
			page[at..].split("```").next().unwrap().to_owned()
		};
		let short = load(&example("# relayer.toml: what is required"), Settings::default()).unwrap();
		assert_eq!((short.streams.len(), short.cache_bytes), (1, 64_000_000));
		let text = example("# relayer.toml: several streams");
		let config = load(&text, Settings::default()).unwrap();
		let figures = |stream: &Stream| {
			(
				stream.id.0,
				stream.upstreams.len(),
				stream.price_per_gb,
				stream.max_viewers,
			)
		};
		assert_eq!(
			config.streams.iter().map(figures).collect::<Vec<_>>(),
			[(3, 1, 20_000, 256), (8, 2, 30_000, 40)]
		);
		let most = config.streams[1].highest_price_per_gb;
		assert_eq!(most, 60_000);
		// Nothing of the short form goes beside it, from wherever it comes.
		let flags = Settings {
			stream: Some(3),
			..Settings::default()
		};
		let both = format!("{:#}", load(&text, flags).unwrap_err());
		assert!(both.contains("take one of these forms"), "{both}");
		let named = page.contains(&format!("at most {} streams", streams::MAX_STREAMS));
		assert!(named, "the docs say how many there may be");
	}

	#[test]
	fn policy_is_read_as_the_docs_show_it() {
		let page = include_str!("../../docs/relay.md");
		let at = page.find("[policy]\ndenied").unwrap();
		let table = page[at..].split("```").next().unwrap();
		let config = |more: &str| load(&format!("{}\n{more}", complete()), Settings::default());
		let policy = config(table).unwrap().policy;
		assert!(policy.judge(9_999).is_err() && policy.judge(10_000).is_ok());
		let refused = |more: &str| format!("{:#}", config(more).unwrap_err());
		let denied = refused("[policy]\ndenied = [3]");
		assert!(
			denied.contains("stream 3 is to be relayed, and [policy] does not allow it"),
			"{denied}"
		);
		let many = refused("[policy]\nmost_streams = 0");
		assert!(many.contains("most_streams of [policy] is 0"), "{many}");
	}

	#[test]
	fn relayer_of_the_second_tier_is_configured_as_the_docs_show() {
		let page = include_str!("../../docs/relay.md");
		let at = page.find("# relayer.toml: a relayer of the second tier").unwrap();
		let text = page[at..].split("```").next().unwrap();
		let config = load(text, Settings::default()).unwrap();
		let buying = config.buying.unwrap();
		assert_eq!((buying.wanted.deposit, buying.wanted.limit), (5_000_000, 5_000_000));
		assert_eq!((buying.max_price_per_gb, buying.max_face_value), (15_000, 100_000));
		let named = |stream: &Stream| {
			stream
				.upstreams
				.iter()
				.map(|upstream| upstream.peer.is_some())
				.collect::<Vec<_>>()
		};
		assert_eq!(named(&config.streams[0]), [true, true, false]);
		assert_eq!(
			config.streams.iter().map(|stream| stream.on_demand).collect::<Vec<_>>(),
			[None, Some(5_000)]
		);
		let without = |line: &str| {
			let cut: String = text
				.lines()
				.filter(|l| !l.starts_with(line))
				.map(|l| format!("{l}\n"))
				.collect();
			load(&cut, Settings::default()).unwrap_err().to_string()
		};
		assert!(without("deposit").contains("[buying] has no deposit"));
		assert!(without("max_price_per_gb").contains("[buying] has no max_price_per_gb"));
	}

	#[test]
	fn each_stream_has_its_part_of_the_cache() {
		let of = |streams: u64, more: &str| {
			let tables = (0..streams).map(|id| format!("[[streams]]\nid = {id}\nupstream = \"{UPSTREAM}\"\n"));
			let tables = tables.collect::<String>();
			let least = complete()
				.replace("stream = 3\n", "")
				.replace(&format!("upstream = \"{UPSTREAM}\"\n"), "");
			load(&format!("{least}{more}\n{tables}"), Settings::default())
		};
		assert_eq!(of(4, "").unwrap().cache_bytes, 64_000_000);
		assert_eq!(of(5, "").unwrap().cache_bytes, 80_000_000);
		assert_eq!(of(5, "cache_mb = 80").unwrap().cache_bytes, 80_000_000);
		let error = of(5, "cache_mb = 79").unwrap_err().to_string();
		assert!(error.contains("at least 80, 16 for each stream"), "{error}");
	}

	/// An origin's key is what the chain says: what is configured is where it may be, and stays when the key is replaced.
	#[test]
	fn upstream_is_one_place_or_several_whoever_is_there() {
		let place = "/ip4/127.0.0.1/udp/4001/quic-v1";
		let places = |text: &str| -> Vec<String> {
			let written = complete().replace(&format!("\"{UPSTREAM}\""), text);
			let config = load(&written, Settings::default()).unwrap();
			let upstreams = config.streams[0].upstreams.iter();
			upstreams.map(|upstream| upstream.place.to_string()).collect()
		};
		assert_eq!(places(&format!("\"{UPSTREAM}\"")), [place]);
		assert_eq!(places(&format!("\"{place}\"")), [place]);
		let other = "/ip6/::1/udp/4002/quic-v1";
		assert_eq!(places(&format!("[\"{UPSTREAM}\", \"{other}\"]")), [place, other]);
	}

	#[test]
	fn node_is_one_or_several() {
		let nodes = |text: &str| -> anyhow::Result<Vec<String>> {
			let config = load(&format!("{text}\n{}", complete()), Settings::default())?;
			Ok(config.rpc.iter().map(ToString::to_string).collect())
		};
		assert_eq!(nodes("").unwrap(), ["ws://127.0.0.1:9944"]);
		assert_eq!(nodes("rpc = \"ws://a:1\"").unwrap(), ["ws://a:1"]);
		assert_eq!(
			nodes("rpc = [\"ws://a:1\", \"wss://b\"]").unwrap(),
			["ws://a:1", "wss://b"]
		);
		let wrong = format!("{:#}", nodes("rpc = \"http://a:1\"").unwrap_err());
		assert!(wrong.contains("write ws://a:1"), "{wrong}");
	}

	#[test]
	fn amounts_are_text_or_numbers() {
		for (written, micro) in [
			("\"0.05\"", 50_000),
			("0.05", 50_000),
			("2", 2_000_000),
			("0.000999", 999),
		] {
			let text = complete().replace("face_value = 0.05", &format!("face_value = {written}"));
			let loaded = load(
				&text,
				Settings {
					price_per_gb: Some(1),
					stranger_value: Some(Usdc(2_000_000)),
					strangers_per_hour: Some(Usdc(2_000_000)),
					..Settings::default()
				},
			);
			assert_eq!(loaded.unwrap().face_value, Usdc(micro));
		}
		assert!(load(&complete().replace("0.05", "\"-1\""), Settings::default()).is_err());
	}

	#[test]
	fn what_cannot_work_is_refused_by_name() {
		let refused = |text: &str, name: &str| {
			let error = format!("{:#}", load(text, Settings::default()).unwrap_err());
			assert!(error.contains(name), "{error}");
		};
		refused(&complete().replace("stream = 3\n", ""), "--stream");
		refused(&format!("{}\nprize_per_gb = 3", complete()), "prize_per_gb");
		refused(&complete().replace("0.05", "0.0005"), "face_value must exceed");
		refused(&format!("{}\nreceipt_kb = 1501", complete()), "receipt_kb");
		refused(&format!("{}\ncache_mb = 1", complete()), "cache_mb");
		refused(&format!("{}\nstranger_value = 0.01", complete()), "stranger_value");
		refused(
			&format!("{}\nstrangers_per_hour = 0.09", complete()),
			"strangers_per_hour",
		);
		refused(&complete().replace("/p2p/", "/nope/"), "upstream");
		refused(
			&complete().replace(&format!("upstream = \"{UPSTREAM}\"\n"), ""),
			"--upstream",
		);
		refused(&format!("{}\nsurge = 0.9", complete()), "surge must be 1 to 10");
		refused(&format!("{}\nsurge = 11", complete()), "surge must be 1 to 10");
		refused(&format!("{}\nuplink_mbps = 0", complete()), "uplink_mbps");
		refused(&format!("{}\npayment = \"coins\"", complete()), "payment");
		// A ticket must pay a window at the highest price: 500 kB are billed as 524,288 bytes, which at 100 USDC per GB cost more than 0.05 USDC.
		refused(
			&format!("{}\nsurge = 10", complete().replace("= 1000000", "= 10001000")),
			"face_value must exceed",
		);
		let missing = Config::load(Some("no/such.toml".into()), Settings::default()).unwrap_err();
		assert!(missing.to_string().contains("does not exist"));
	}
}
