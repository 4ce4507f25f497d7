//! The commands that enter, change and leave the registry. Each ends when the change is final and prints one JSON line.

use anyhow::{bail, ensure, Context};
use clap::{Args, Subcommand};
use clustercast_chain::{
	account,
	calls::{self, NewRelayer},
	keys, Call, Chain, NodeUrl, Wait, Wallet,
};
use clustercast_network::{peer_id, Address, WebAddress};
use clustercast_primitives::{
	amount::MAX_PRICE_PER_GB, chain::RelayerInfo, crypto::KeyPair, notice::RelayerProof, AccountId, Hash, Signature,
	Usdc,
};
use std::path::PathBuf;

/// Enters the registry, or changes addresses and price.
#[derive(Args)]
pub(crate) struct Register {
	/// A node's JSON-RPC; of several, the first that is whole is asked
	#[arg(
		long,
		value_name = "URL",
		value_delimiter = ',',
		default_value = "ws://127.0.0.1:9944"
	)]
	rpc: Vec<NodeUrl>,
	/// Account that registers, or that acts for a relayer which did: //NAME, a mnemonic, or file:PATH (created when
	/// missing)
	#[arg(long, value_name = "SURI")]
	account: String,
	/// Account that registered, where it is another one: its addresses and price are changed. SS58 address or hex
	#[arg(long, value_name = "ADDRESS")]
	relayer: Option<String>,
	/// File with the Ed25519 seed: peer id and receipt key; created when missing
	#[arg(long, value_name = "FILE")]
	identity: PathBuf,
	/// Where the relayer is reached, 1 to 4 of at most 128 bytes: by viewers, and by pages of browsers where it serves
	/// these, such as /dns/relayer.example/tcp/443/https
	#[arg(long = "address", value_name = "MULTIADDR", required = true, num_args = 1..)]
	addresses: Vec<String>,
	/// Price that players choose by, micro-USDC per 10^9 bytes; they pay that of `run`: keep them equal
	#[arg(long, value_name = "MICRO_USDC", value_parser = clap::value_parser!(u64).range(..=MAX_PRICE_PER_GB))]
	price_per_gb: u64,
	/// Bond, USDC; at least 10. Not used when the relayer is registered already
	#[arg(long, value_name = "USDC")]
	bond: Usdc,
}

/// Which relayer, and who signs.
#[derive(Args)]
pub(crate) struct Authority {
	/// A node's JSON-RPC; of several, the first that is whole is asked
	#[arg(
		long,
		value_name = "URL",
		value_delimiter = ',',
		default_value = "ws://127.0.0.1:9944"
	)]
	rpc: Vec<NodeUrl>,
	/// Account that may do this: //NAME, a mnemonic, or file:PATH
	#[arg(long, value_name = "SURI")]
	account: String,
	/// Account that registered, where it is another one. SS58 address or hex
	#[arg(long, value_name = "ADDRESS")]
	relayer: Option<String>,
}

/// Changes what the registry has of a relayer.
#[derive(Subcommand)]
pub(crate) enum Change {
	/// Sign with another identity from now on. By the operator or payout
	Key {
		#[command(flatten)]
		authority: Authority,
		/// File with the new Ed25519 seed; created when missing
		#[arg(long, value_name = "FILE")]
		identity: PathBuf,
	},
	/// Name the hot account that redeems and changes addresses, price and key. By the payout
	Operator {
		#[command(flatten)]
		authority: Authority,
		/// SS58 address or hex
		#[arg(long, value_name = "ADDRESS")]
		operator: String,
	},
	/// Name the cold account that is paid and owns the bond, which moves there. By the payout so far
	Payout {
		#[command(flatten)]
		authority: Authority,
		/// SS58 address or hex; an account that has 0.001 USDC at least
		#[arg(long, value_name = "ADDRESS")]
		payout: String,
	},
	/// Raise the bond. By the payout, who pays it
	Bond {
		#[command(flatten)]
		authority: Authority,
		/// By how much, USDC
		#[arg(long, value_name = "USDC")]
		amount: Usdc,
	},
	/// Begin to leave: the bond can be withdrawn after 25 hours. By the payout
	Leave(Authority),
	/// Stay after all. By the payout
	Stay(Authority),
	/// Take the bond back after the delay. By the payout
	Withdraw(Authority),
}

impl Change {
	/// The whole command.
	pub(crate) async fn run(self) -> anyhow::Result<()> {
		let (Self::Key { authority, .. }
		| Self::Operator { authority, .. }
		| Self::Payout { authority, .. }
		| Self::Bond { authority, .. }
		| Self::Leave(authority)
		| Self::Stay(authority)
		| Self::Withdraw(authority)) = &self;
		let wallet = Wallet::from_suri(&authority.account).context("account")?;
		let relayer = relayer(authority.relayer.as_deref(), &wallet)?;
		let chain = Chain::connect(&authority.rpc).await?;
		let call = self.call(&relayer, &chain.genesis())?;
		let done = chain.submit(&wallet, &call, Wait::Finalised).await?;
		println!(
			"{}",
			serde_json::json!({
				"relayer": account::ss58(&relayer),
				"transaction": done.transaction.to_string(),
			})
		);
		Ok(())
	}

	fn call(&self, relayer: &AccountId, genesis: &Hash) -> anyhow::Result<Call> {
		Ok(match self {
			Self::Key { identity, .. } => {
				let identity = keys::load_or_create(identity)?;
				calls::set_relayer_key(relayer, &identity.public(), &proof(&identity, relayer, genesis))
			},
			Self::Operator { operator, .. } => {
				calls::set_operator(relayer, &account::parse(operator).context("operator")?)
			},
			Self::Payout { payout, .. } => calls::set_payout(relayer, &account::parse(payout).context("payout")?),
			Self::Bond { amount, .. } => calls::bond_extra(relayer, amount.0),
			Self::Leave(_) => calls::unbond(relayer),
			Self::Stay(_) => calls::cancel_unbond(relayer),
			Self::Withdraw(_) => calls::withdraw_bond(relayer),
		})
	}
}

/// The account that registered: the one that is named, or the wallet's.
fn relayer(named: Option<&str>, wallet: &Wallet) -> anyhow::Result<AccountId> {
	match named {
		Some(text) => account::parse(text).context("relayer"),
		None => Ok(wallet.account()),
	}
}

/// That whoever registers this account holds the identity.
fn proof(identity: &KeyPair, relayer: &AccountId, genesis: &Hash) -> Signature {
	let account = *relayer;
	identity.sign(RelayerProof { account }, genesis).signature
}

impl Register {
	/// The whole command.
	pub(crate) async fn run(self) -> anyhow::Result<()> {
		let wallet = Wallet::from_suri(&self.account).context("account")?;
		let relayer = relayer(self.relayer.as_deref(), &wallet)?;
		let identity = keys::load_or_create(&self.identity)?;
		let key = identity.public();
		for address in self
			.addresses
			.iter()
			.filter(|address| address.parse::<WebAddress>().is_err())
		{
			Address::new(address, &key).with_context(|| format!("address {address}"))?;
		}
		ensure!(
			self.addresses.iter().any(|address| Address::new(address, &key).is_ok()),
			"no address for viewers: /ip4/ADDRESS/udp/PORT/quic-v1"
		);
		let chain = Chain::connect(&self.rpc).await?;
		let registered = chain.relayers().await?.into_iter().find(|r| r.account == relayer);
		let done = match registered {
			Some(RelayerInfo { signing_key, .. }) => {
				ensure!(
					signing_key == key,
					"the relayer is registered with another identity; `registry key` replaces it"
				);
				let update = calls::update_relayer(&relayer, &self.addresses, self.price_per_gb);
				chain.submit(&wallet, &update, Wait::Finalised).await?
			},
			None if relayer != wallet.account() => bail!("that account is no relayer, or its bond is frozen"),
			None => {
				let new = NewRelayer {
					signing_key: key,
					proof: proof(&identity, &relayer, &chain.genesis()),
					addresses: self.addresses,
					price_per_gb: self.price_per_gb,
					bond: self.bond.0,
				};
				chain.register_relayer(&wallet, &new).await?
			},
		};
		println!(
			"{}",
			serde_json::json!({
				"account": account::ss58(&relayer),
				"peerId": peer_id(&key)?.to_string(),
				"transaction": done.transaction.to_string(),
			})
		);
		Ok(())
	}
}
