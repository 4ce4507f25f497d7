//! How many winning tickets one node redeems in a second, sustained, against plain transfers on the same node in the same
//! run; and what a ticket costs.
//!
//! A validator of its own makes blocks from a pool that always has more than fits. First transfers, then batches of 100
//! tickets, each of another viewer with a deposit and a session of its own, all to one registered relayer. Counted is
//! what blocks contain, by the chain's own clock, but for a phase's first block and its last, which it may not fill.

use crate::{
	books::{Activity, Books},
	lab::{free_port, Lab},
	network::START_MONEY,
	process::{program, Process},
};
use anyhow::{ensure, Context, Result};
use clustercast_chain::{
	calls::{self, NewRelayer, NewStream},
	Wait, Wallet,
};
use clustercast_primitives::{
	amount::{TICKET_BYTES, USDC},
	chain::{StreamTerms, PPM},
	crypto::KeyPair,
	notice::RelayerProof,
	receipt::Kind,
	ticket::{self, EXPIRY_GRID},
	AccountId, Balance, BlockNumber, Hash, StreamId, Ticket, WinningTicket,
};
use futures::future::{try_join, try_join_all};
use serde::Serialize;
use std::{fs, pin::pin};
use subxt::{dynamic, utils::H256, OnlineClient, SubstrateConfig};
use tokio::process::Command;

/// The chain of one validator that `scripts/chain-specs` writes.
const CHAIN: &str = include_str!("../../chain-specs/development.json");

/// Rich from genesis on.
const FAUCET: &str = "//Alice";

/// Viewers, and tickets in a batch: the most there can be.
const VIEWERS: u32 = 100;

/// Batches that are redeemed: about 18 full blocks.
const BATCHES: u32 = 100;

/// Transfers that are made: about 18 full blocks.
const TRANSFERS: usize = 9_000;

/// Accounts that make them.
const SENDERS: usize = 10;

/// Of each ticket, micro-USDC.
const FACE_VALUE: Balance = 1_000;

/// Of each ticket: what the face value buys at the stream's price, in a ticket's units.
const BYTES: u64 = 8 * TICKET_BYTES;

/// The relayer's secret of every ticket.
const RAND: Hash = Hash([6; 32]);

/// Longest that a phase is watched, blocks: on a slow machine it does not get through everything, and its rate is taken
/// from what it did. Shorter than a transaction lives.
const LONGEST: BlockNumber = 56;

/// Blocks after whose signing nothing of a phase can be included any more.
const FORGOTTEN: BlockNumber = 70;

/// Fewest blocks that a rate is taken from.
const MIN_BLOCKS: usize = 5;

/// What was measured.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Figures {
	/// Tickets redeemed in a second.
	pub tickets_per_second: f64,
	/// Transfers in a second.
	pub transfers_per_second: f64,
	/// The first by the second.
	pub ratio: f64,
	/// Fee for a ticket in a full batch while blocks are not full, USDC.
	pub usdc_per_ticket: f64,
	/// The same in the full blocks of this run, USDC.
	pub usdc_per_ticket_in_full_blocks: f64,
}

/// Runs it, prints the figures as one JSON line, and returns the exit code.
pub fn main() -> u8 {
	crate::bench("clustercast-throughput", run)
}

/// Measures both on a node of its own.
pub async fn run(lab: &Lab) -> Result<Figures> {
	let port = free_port()?;
	let mut node = start(lab, port)?;
	let url = format!("ws://127.0.0.1:{port}");
	let books = loop {
		match Books::open(&url).await {
			Ok(books) => break books,
			Err(_) => node.check_alive()?,
		}
	};
	books.finalised(1).await?;
	let bench = Bench {
		clock: OnlineClient::from_insecure_url(&url).await?,
		books,
	};
	let parties = bench.enter().await?;
	eprintln!("{VIEWERS} viewers have deposits and sessions");

	// Before anything fills blocks and makes computing dearer.
	let idle = bench.redeem_one(&parties).await?;
	let transfers = bench.transfers(&parties).await?;
	eprintln!("transfers: {transfers:?}");
	let tickets = bench.redemptions(&parties).await?;
	eprintln!("tickets: {tickets:?}");
	node.check_alive()?;
	let usdc = |fees: Balance, tickets: u64| fees as f64 / tickets as f64 / USDC as f64;
	Ok(Figures {
		tickets_per_second: tickets.per_second(),
		transfers_per_second: transfers.per_second(),
		ratio: tickets.per_second() / transfers.per_second(),
		usdc_per_ticket: usdc(idle, VIEWERS.into()),
		usdc_per_ticket_in_full_blocks: usdc(tickets.fees, tickets.units),
	})
}

fn start(lab: &Lab, port: u16) -> Result<Process> {
	let chain = lab.path("development.json");
	fs::write(&chain, CHAIN).context("cannot write the chain spec")?;
	let mut command = Command::new(program("clustercast-node")?);
	command
		.arg("--chain")
		.arg(&chain)
		.args(["--alice", "--validator", "--tmp", "--unsafe-force-node-key-generation"])
		.args(["--no-telemetry", "--no-prometheus", "--no-mdns"])
		.args(["--listen-addr", &format!("/ip4/127.0.0.1/tcp/{}", free_port()?)])
		.args(["--rpc-port", &port.to_string()])
		.args(["--state-pruning", "archive"])
		// More than a phase posts at once.
		.args(["--pool-limit", "20000", "--pool-kbytes", "100000"]);
	Process::spawn(lab, "node", &mut command)
}

struct Bench {
	books: Books,
	/// For the chain's clock.
	clock: OnlineClient<SubstrateConfig>,
}

/// Who takes part.
struct Parties {
	senders: Vec<Wallet>,
	relayer: Wallet,
	viewers: Vec<(Wallet, KeyPair)>,
	stream: StreamId,
}

/// What was counted in full blocks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Count {
	units: u64,
	fees: Balance,
	millis: u64,
}

impl Count {
	fn per_second(&self) -> f64 {
		self.units as f64 * 1_000. / self.millis as f64
	}
}

/// A block of a phase.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Made {
	units: u64,
	fees: Balance,
	/// Unix time, milliseconds.
	at: u64,
}

/// What lies between the first and the last block of a phase: the first one's time is where counting starts, the last
/// one may have had room left.
fn count(blocks: &[Made]) -> Result<Count> {
	let (first, last) = (
		blocks.iter().position(|b| b.units > 0),
		blocks.iter().rposition(|b| b.units > 0),
	);
	let full = first.zip(last).and_then(|(first, last)| blocks.get(first..last));
	let full = full.unwrap_or_default();
	let (Some((start, counted)), Some(end)) = (full.split_first(), full.last()) else {
		anyhow::bail!("nothing was included");
	};
	ensure!(counted.len() >= MIN_BLOCKS, "only {} full blocks", counted.len());
	Ok(Count {
		units: counted.iter().map(|b| b.units).sum(),
		fees: counted.iter().map(|b| b.fees).sum(),
		millis: end.at - start.at,
	})
}

impl Bench {
	async fn enter(&self) -> Result<Parties> {
		let chain = self.books.chain();
		let faucet = Wallet::from_suri(FAUCET)?;
		let wallets = |name: &str, count: usize| {
			(0..count)
				.map(|n| Wallet::from_suri(&format!("//throughput//{name}//{n}")))
				.collect::<Result<Vec<_>, _>>()
		};
		let (senders, viewers) = (wallets("sender", SENDERS)?, wallets("viewer", VIEWERS as usize)?);
		let (relayer, broadcaster) = (
			Wallet::from_suri("//throughput//relayer")?,
			Wallet::from_suri("//throughput//broadcaster")?,
		);
		let all = senders.iter().chain(&viewers).chain([&relayer, &broadcaster]);
		let funded: Vec<_> = all.map(|who| (who.account(), START_MONEY)).collect();
		self.books.fund(&faucet, &funded).await?;

		let stream = NewStream {
			signing_key: key(1).public(),
			title: "throughput".into(),
			category: "test".into(),
			max_viewers: 0,
			terms: StreamTerms {
				price_per_gb: 2_000_000,
				max_surge_ppm: PPM,
				broadcaster_share_ppm: 100_000,
			},
		};
		let proof = RelayerProof {
			account: relayer.account(),
		};
		let registration = NewRelayer {
			signing_key: key(2).public(),
			proof: key(2).sign(proof, &chain.genesis()).signature,
			addresses: vec!["/ip4/127.0.0.1/udp/1/quic-v1".into()],
			price_per_gb: 2_000_000,
			bond: 10 * USDC,
		};
		let (stream, _) = try_join(
			chain.mint(&broadcaster, &stream),
			chain.register_relayer(&relayer, &registration),
		)
		.await?;
		let expiry = chain.head().best + 10_000;
		let viewers: Vec<_> = viewers.into_iter().zip((3..).map(key)).collect();
		try_join_all(viewers.iter().map(|(wallet, session)| {
			chain.deposit_and_authorize(wallet, 10 * USDC, session, 10 * USDC, expiry, Wait::InBlock)
		}))
		.await?;
		Ok(Parties {
			senders,
			relayer,
			viewers,
			stream,
		})
	}

	/// A ticket of each viewer with this nonce.
	fn batch(&self, parties: &Parties, nonce: u32, expiry: BlockNumber) -> Vec<WinningTicket> {
		let ticket = |(viewer, session): &(Wallet, KeyPair)| {
			let ticket = Ticket {
				sender: viewer.account(),
				session: session.public(),
				recipient: parties.relayer.account(),
				stream: parties.stream,
				kind: Kind::LIVE,
				context: Hash([0; 32]),
				bytes: BYTES,
				face_value: FACE_VALUE,
				win_probability: u64::MAX,
				commitment: ticket::commitment(&RAND),
				nonce: nonce.into(),
				expiry,
			};
			let signed = session.sign(ticket, &self.books.chain().genesis());
			WinningTicket { signed, rand: RAND }
		};
		parties.viewers.iter().map(ticket).collect()
	}

	/// Redeems one full batch in an empty block and returns its fee.
	async fn redeem_one(&self, parties: &Parties) -> Result<Balance> {
		let chain = self.books.chain();
		let tickets = self.batch(parties, 0, (chain.head().best + 300).next_multiple_of(EXPIRY_GRID));
		let included = chain
			.submit(&parties.relayer, &calls::redeem_batch(&tickets), Wait::InBlock)
			.await?;
		let paid = included
			.events
			.iter()
			.filter(|e| e.is("TicketBroker", "TicketRedeemed"));
		ensure!(paid.count() == tickets.len(), "a ticket was refused");
		Ok(included.fee)
	}

	async fn transfers(&self, parties: &Parties) -> Result<Count> {
		let to = AccountId([7; 32]);
		let calls = vec![calls::transfer(&to, 2_000); TRANSFERS / SENDERS];
		let chain = self.books.chain();
		let signed = try_join_all(parties.senders.iter().map(|sender| chain.sign_all(sender, &calls))).await?;
		self.measure(&signed, TRANSFERS as u64, |activity| activity.transfers)
			.await
	}

	async fn redemptions(&self, parties: &Parties) -> Result<Count> {
		let chain = self.books.chain();
		let expiry = (chain.head().best + 300).next_multiple_of(EXPIRY_GRID);
		let batches = (1..=BATCHES).map(|nonce| calls::redeem_batch(&self.batch(parties, nonce, expiry)));
		let signed = chain.sign_all(&parties.relayer, &batches.collect::<Vec<_>>()).await?;
		let tickets = u64::from(BATCHES) * u64::from(VIEWERS);
		self.measure(&[signed], tickets, |activity| activity.redeemed.len() as u64)
			.await
	}

	/// Posts everything, each account's in order, waits until blocks contain it or [`LONGEST`] is over, and counts.
	async fn measure(&self, signed: &[Vec<Vec<u8>>], all: u64, units: impl Fn(&Activity) -> u64) -> Result<Count> {
		let chain = self.books.chain();
		let before = self.books.settle().await?.number;
		let posting = try_join_all(signed.iter().map(|extrinsics| async move {
			for extrinsic in extrinsics {
				chain.post(extrinsic).await?;
			}
			Ok::<_, anyhow::Error>(())
		}));
		let counting = async {
			let (mut blocks, mut included) = (Vec::new(), 0);
			let mut number = before;
			while included < all && number < before + LONGEST {
				number += 1;
				let block = self.books.finalised(number).await?;
				let activity = self.books.activity(number - 1, number).await?;
				ensure!(activity.refused == 0, "{} tickets were refused", activity.refused);
				included += units(&activity);
				blocks.push(Made {
					units: units(&activity),
					fees: activity.all_fees(),
					at: self.time(block.hash).await?,
				});
			}
			Ok::<_, anyhow::Error>((blocks, included))
		};
		let mut counting = pin!(counting);
		let (blocks, included) = tokio::select! {
			counted = &mut counting => counted?,
			posted = posting => {
				posted?;
				counting.await?
			},
		};
		if included < all {
			eprintln!("only {included} of {all} in {LONGEST} blocks; waiting until the others are forgotten");
			self.books.finalised(before + FORGOTTEN).await?;
		}
		count(&blocks)
	}

	/// The chain's clock at a block, Unix time in milliseconds.
	async fn time(&self, block: Hash) -> Result<u64> {
		let at = self.clock.at_block(H256(block.0)).await?;
		let now = dynamic::storage::<(), u64>("Timestamp", "Now");
		Ok(at.storage().fetch(now, ()).await?.decode()?)
	}
}

fn key(seed: u8) -> KeyPair {
	KeyPair::from_seed([seed; 32])
}

#[cfg(test)]
mod tests {
	use super::*;

	fn blocks(units: &[u64]) -> Vec<Made> {
		let made = |(units, n): (&u64, u64)| Made {
			units: *units,
			fees: u128::from(*units) * 3,
			at: n * 2_000,
		};
		units.iter().zip(0..).map(made).collect()
	}

	#[test]
	fn a_rate_is_taken_from_what_lies_within() {
		let expected = Count {
			units: 500,
			fees: 1_500,
			millis: 10_000,
		};
		let counted = count(&blocks(&[0, 70, 100, 100, 100, 100, 100, 10, 0])).unwrap();
		assert_eq!(counted, expected);
		assert_eq!(counted.per_second(), 50.);
	}

	#[test]
	fn a_block_that_is_missed_costs_its_time() {
		let mut late = blocks(&[100; 8]);
		late.iter_mut().skip(3).for_each(|b| b.at += 2_000);
		assert_eq!(count(&late).unwrap().millis, 14_000);
	}

	#[test]
	fn too_few_blocks_are_no_rate() {
		assert!(count(&blocks(&[0, 0])).is_err());
		assert!(count(&blocks(&[100; 6])).is_err());
		assert!(count(&blocks(&[100; 7])).is_ok());
	}
}
