//! What an account does with stream keys: mints, gives, sells, buys and rents them, replaces what signs and what is said of
//! them, and ends them.

use anyhow::{Context, Result};
use clap::Args;
use clustercast_chain::{
	account,
	calls::{self, Call, NewStream},
	keys, Chain, Event, Included, NodeUrl, Wait, Wallet,
};
use clustercast_primitives::{
	chain::{RentOffer, StreamKeyInfo, StreamTerms, TermsChange, MAX_CATEGORY, MAX_TITLE, PPM},
	AccountId, Balance, BlockNumber, PublicKey, StreamId, Usdc,
};
use serde_json::{json, Value};
use std::path::PathBuf;

/// Whose stream keys, and on which chain.
#[derive(Debug, Args)]
pub struct Signer {
	/// A node's JSON-RPC; of several, the first that is whole is asked
	#[arg(
		long,
		value_name = "WS",
		value_delimiter = ',',
		default_value = "ws://127.0.0.1:9944",
		env = "CLUSTERCAST_ORIGIN_RPC",
		hide_env_values = true
	)]
	rpc: Vec<NodeUrl>,
	/// The account that signs and pays: //Name, a mnemonic phrase, or file:PATH (created when missing)
	#[arg(
		long,
		value_name = "SURI",
		env = "CLUSTERCAST_ORIGIN_ACCOUNT",
		hide_env_values = true
	)]
	account: String,
}

impl Signer {
	async fn open(&self) -> Result<(Chain, Wallet)> {
		let wallet = Wallet::from_suri(&self.account).context("--account")?;
		Ok((Chain::connect(&self.rpc).await?, wallet))
	}

	/// Makes a call, and waits until it is final.
	async fn submit(&self, call: &Call) -> Result<Included> {
		let (chain, wallet) = self.open().await?;
		submit(&chain, &wallet, call).await
	}
}

async fn submit(chain: &Chain, wallet: &Wallet, call: &Call) -> Result<Included> {
	let included = chain.submit(wallet, call, Wait::Finalised).await;
	included.with_context(|| format!("{} failed", call.full_name()))
}

/// The one event of this pallet and name.
fn event<'a>(included: &'a Included, name: &str) -> Result<&'a Event> {
	let event = included.event("StreamKeys", name);
	event.with_context(|| format!("the node reports no StreamKeys::{name}"))
}

/// A text that the chain keeps, of so many bytes at most.
fn text<const MOST: u32>(text: &str) -> Result<String, String> {
	match text.len() <= MOST as usize {
		true => Ok(text.to_owned()),
		false => Err(format!("it is {} bytes long; at most {MOST} are allowed", text.len())),
	}
}

/// Makes a stream key.
#[derive(Debug, Args)]
pub struct Mint {
	#[command(flatten)]
	signer: Signer,
	/// Key that will sign the windows: 32-byte seed as hex; created when missing
	#[arg(long, value_name = "FILE")]
	signing_key: PathBuf,
	/// What the stream is called; at most 64 bytes
	#[arg(long, value_parser = text::<MAX_TITLE>)]
	title: String,
	/// What kind of stream it is; at most 32 bytes
	#[arg(long, default_value = "", value_parser = text::<MAX_CATEGORY>)]
	category: String,
	/// Most viewers at a time; 0 is no limit. The origin shares them out among its relayers
	#[arg(long, value_name = "N", default_value_t = 0)]
	max_viewers: u32,
	/// Baseline price, micro-USDC per GB (10^9 bytes)
	#[arg(long, value_name = "N", default_value_t = 20_000)]
	price_per_gb: u64,
	/// Most that relayers may ask, parts per million of the price; 1000000 (no more than the price) to 10000000
	#[arg(long, value_name = "N", default_value_t = PPM)]
	max_surge_ppm: u32,
	/// The broadcaster's share of every payment, parts per million; 0 to 300000
	#[arg(long, value_name = "N", default_value_t = 200_000)]
	broadcaster_share_ppm: u32,
}

impl Mint {
	/// Mints, and says the number.
	pub async fn run(self) -> Result<Value> {
		let key = keys::load_or_create(&self.signing_key)?;
		let (chain, wallet) = self.signer.open().await?;
		let stream = NewStream {
			signing_key: key.public(),
			title: self.title,
			category: self.category,
			max_viewers: self.max_viewers,
			terms: StreamTerms {
				price_per_gb: self.price_per_gb,
				max_surge_ppm: self.max_surge_ppm,
				broadcaster_share_ppm: self.broadcaster_share_ppm,
			},
		};
		let id = chain.mint(&wallet, &stream).await;
		Ok(json!({ "stream": id.context("cannot mint the stream key")? }))
	}
}

/// A stream key that exists.
#[derive(Debug, Args)]
pub struct Subject {
	#[command(flatten)]
	signer: Signer,
	/// Number of the stream key
	#[arg(long, value_name = "N")]
	stream: u64,
}

impl Subject {
	fn id(&self) -> StreamId {
		StreamId(self.stream)
	}

	/// As it is now.
	async fn look_up(&self) -> Result<(StreamKeyInfo, Chain, Wallet)> {
		let (chain, wallet) = self.signer.open().await?;
		let info = chain.stream_key(self.id()).await?;
		let info = info.with_context(|| format!("there is no stream {} on the chain", self.stream))?;
		Ok((info, chain, wallet))
	}
}

/// Gives a stream key away.
#[derive(Debug, Args)]
pub struct Transfer {
	#[command(flatten)]
	subject: Subject,
	/// Who owns it from now on: SS58 or hex; must have an account on the chain, with 0.001 USDC
	#[arg(long, value_name = "ACCOUNT", value_parser = account::parse)]
	to: AccountId,
	/// Public key that signs from now on, and that the new owner answers for: 32 bytes as hex
	#[arg(long, value_name = "HEX")]
	signing_key: PublicKey,
}

impl Transfer {
	/// Transfers, and says who owns it.
	pub async fn run(self) -> Result<Value> {
		let call = calls::transfer_stream(self.subject.id(), &self.to, &self.signing_key);
		self.subject.signer.submit(&call).await?;
		Ok(json!({
			"stream": self.subject.stream,
			"owner": account::ss58(&self.to),
			"signingKey": self.signing_key,
		}))
	}
}

/// Offers a stream key for sale.
#[derive(Debug, Args)]
pub struct List {
	#[command(flatten)]
	subject: Subject,
	/// Anybody can buy it for this, USDC; 5 % of it go to the treasury
	#[arg(long, value_name = "USDC", required_unless_present = "withdraw")]
	price: Option<Usdc>,
	/// Not for sale any longer
	#[arg(long, conflicts_with = "price")]
	withdraw: bool,
}

impl List {
	/// Lists, and says the price.
	pub async fn run(self) -> Result<Value> {
		let call = calls::list_stream(self.subject.id(), self.price.map(|price| price.0));
		self.subject.signer.submit(&call).await?;
		Ok(json!({ "stream": self.subject.stream, "price": self.price.map(|price| price.to_string()) }))
	}
}

/// Buys a stream key.
#[derive(Debug, Args)]
pub struct Buy {
	#[command(flatten)]
	subject: Subject,
	/// Key that will sign the windows: 32-byte seed as hex; created when missing
	#[arg(long, value_name = "FILE")]
	signing_key: PathBuf,
	/// Most that it may cost, USDC, beside the deposit of 1 USDC
	#[arg(long, value_name = "USDC")]
	max_price: Usdc,
	/// Last block in which a rental that runs may end; 0: not while it is rented
	#[arg(long, value_name = "BLOCK", default_value_t = 0)]
	max_rented_until: BlockNumber,
}

impl Buy {
	/// Buys, and says what it cost.
	pub async fn run(self) -> Result<Value> {
		let key = keys::load_or_create(&self.signing_key)?.public();
		let call = calls::buy_stream(self.subject.id(), &key, self.max_price.0, self.max_rented_until);
		let included = self.subject.signer.submit(&call).await?;
		let price: Balance = event(&included, "Sold")?.field("price")?;
		Ok(json!({ "stream": self.subject.stream, "price": Usdc(price).to_string() }))
	}
}

/// Offers a stream key for rent.
#[derive(Debug, Args)]
pub struct RentOut {
	#[command(flatten)]
	subject: Subject,
	/// Anybody can rent it for this, USDC for the whole period; 5 % of it go to the treasury
	#[arg(long, value_name = "USDC", required_unless_present = "withdraw", requires = "blocks")]
	price: Option<Usdc>,
	/// The period, blocks of 2 s; 600 (20 minutes) to 1296000 (30 days)
	#[arg(long, value_name = "N", requires = "price")]
	blocks: Option<BlockNumber>,
	/// Not for rent any longer; a rental that runs goes on
	#[arg(long, conflicts_with_all = ["price", "blocks"])]
	withdraw: bool,
}

impl RentOut {
	/// Offers, and says what.
	pub async fn run(self) -> Result<Value> {
		let offer = self
			.price
			.zip(self.blocks)
			.map(|(price, blocks)| RentOffer { price: price.0, blocks });
		let call = calls::set_rent(self.subject.id(), offer);
		self.subject.signer.submit(&call).await?;
		let price = self.price.map(|price| price.to_string());
		Ok(json!({ "stream": self.subject.stream, "price": price, "blocks": self.blocks }))
	}
}

/// Rents a stream key.
#[derive(Debug, Args)]
pub struct Rent {
	#[command(flatten)]
	subject: Subject,
	/// Key that will sign the windows: 32-byte seed as hex; created when missing
	#[arg(long, value_name = "FILE")]
	signing_key: PathBuf,
	/// Most that it may cost, USDC for the whole period, beside the deposit of 1 USDC
	#[arg(long, value_name = "USDC")]
	max_price: Usdc,
	/// Shortest period, blocks of 2 s
	#[arg(long, value_name = "N")]
	min_blocks: BlockNumber,
}

impl Rent {
	/// Rents, and says what it cost, and from and until when.
	pub async fn run(self) -> Result<Value> {
		let key = keys::load_or_create(&self.signing_key)?.public();
		let call = calls::rent_stream(self.subject.id(), &key, self.max_price.0, self.min_blocks);
		let included = self.subject.signer.submit(&call).await?;
		let rented = event(&included, "Rented")?;
		let price: Balance = rented.field("price")?;
		let (from, until): (BlockNumber, BlockNumber) = (rented.field("from")?, rented.field("until")?);
		Ok(json!({
			"stream": self.subject.stream,
			"price": Usdc(price).to_string(),
			"rentedFrom": from,
			"rentedUntil": until,
		}))
	}
}

/// Replaces what people see.
#[derive(Debug, Args)]
pub struct Update {
	#[command(flatten)]
	subject: Subject,
	#[command(flatten)]
	to: Description,
}

/// At least one of them.
#[derive(Debug, Args)]
#[group(required = true, multiple = true)]
struct Description {
	/// What the stream is called; at most 64 bytes
	#[arg(long, value_parser = text::<MAX_TITLE>)]
	title: Option<String>,
	/// What kind of stream it is; at most 32 bytes
	#[arg(long, value_parser = text::<MAX_CATEGORY>)]
	category: Option<String>,
	/// Most viewers at a time; 0 is no limit. The origin shares them out among its relayers
	#[arg(long, value_name = "N")]
	max_viewers: Option<u32>,
}

impl Update {
	/// Replaces what is named, and says all.
	pub async fn run(self) -> Result<Value> {
		let (now, chain, wallet) = self.subject.look_up().await?;
		let title = self.to.title.unwrap_or(now.title);
		let category = self.to.category.unwrap_or(now.category);
		let max_viewers = self.to.max_viewers.unwrap_or(now.max_viewers);
		let call = calls::update_stream(self.subject.id(), &title, &category, max_viewers);
		submit(&chain, &wallet, &call).await?;
		Ok(json!({
			"stream": self.subject.stream,
			"title": title,
			"category": category,
			"maxViewers": max_viewers,
		}))
	}
}

/// Announces other terms.
#[derive(Debug, Args)]
pub struct SetTerms {
	#[command(flatten)]
	subject: Subject,
	#[command(flatten)]
	to: NewTerms,
}

/// At least one of them.
#[derive(Debug, Args)]
#[group(required = true, multiple = true)]
struct NewTerms {
	/// Baseline price, micro-USDC per GB (10^9 bytes)
	#[arg(long, value_name = "N")]
	price_per_gb: Option<u64>,
	/// Most that relayers may ask, parts per million of the price; 1000000 (no more than the price) to 10000000
	#[arg(long, value_name = "N")]
	max_surge_ppm: Option<u32>,
	/// The broadcaster's share of every payment, parts per million; 0 to 300000
	#[arg(long, value_name = "N")]
	broadcaster_share_ppm: Option<u32>,
}

impl SetTerms {
	/// Announces them, what is not named as it is, and says from which block they hold.
	pub async fn run(self) -> Result<Value> {
		let (now, chain, wallet) = self.subject.look_up().await?;
		let terms = StreamTerms {
			price_per_gb: self.to.price_per_gb.unwrap_or(now.price_per_gb),
			max_surge_ppm: self.to.max_surge_ppm.unwrap_or(now.max_surge_ppm),
			broadcaster_share_ppm: self.to.broadcaster_share_ppm.unwrap_or(now.broadcaster_share_ppm),
		};
		let included = submit(&chain, &wallet, &calls::set_terms(self.subject.id(), &terms)).await?;
		Ok(json!({
			"stream": self.subject.stream,
			"pricePerGb": terms.price_per_gb,
			"maxSurgePpm": terms.max_surge_ppm,
			"broadcasterSharePpm": terms.broadcaster_share_ppm,
			"from": change(&included)?.map(|change| change.from),
		}))
	}
}

/// Announces the end of a stream key.
#[derive(Debug, Args)]
pub struct Burn {
	#[command(flatten)]
	subject: Subject,
}

impl Burn {
	/// Announces it, and says from which block on nothing is paid.
	pub async fn run(self) -> Result<Value> {
		let included = self.subject.signer.submit(&calls::burn(self.subject.id())).await?;
		let from = change(&included)?.map(|change| change.from);
		Ok(json!({ "stream": self.subject.stream, "ends": from }))
	}
}

/// What was announced; nothing where that took back what was announced before.
fn change(included: &Included) -> Result<Option<TermsChange>> {
	Ok(event(included, "ChangeAnnounced")?.field("change")?)
}

/// Replaces what signs the windows.
#[derive(Debug, Args)]
pub struct RotateKey {
	#[command(flatten)]
	subject: Subject,
	/// Key that will sign the windows: 32-byte seed as hex; created when missing
	#[arg(long, value_name = "FILE")]
	signing_key: PathBuf,
}

impl RotateKey {
	/// Replaces, and says the public key.
	pub async fn run(self) -> Result<Value> {
		let key = keys::load_or_create(&self.signing_key)?.public();
		let call = calls::set_signing_key(self.subject.id(), &key);
		self.subject.signer.submit(&call).await?;
		Ok(json!({ "stream": self.subject.stream, "signingKey": key }))
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn text_that_the_chain_would_not_take_is_refused_before_it_is_asked() {
		assert_eq!(text::<MAX_TITLE>(&"x".repeat(64)), Ok("x".repeat(64)));
		let refused = text::<MAX_TITLE>(&"ü".repeat(35));
		assert_eq!(refused, Err("it is 70 bytes long; at most 64 are allowed".into()));
	}
}
