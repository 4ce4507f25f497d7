//! Puts the parts together and runs them until a signal.

use crate::{
	accounts::{Accounts, Pace},
	config::Config,
	desk::{unix_ms, Desk, MIN_TICKET_LIFE},
	ingest::Ingest,
	metrics,
	redeemer::{self, Redeemer, Thresholds},
	store::{Outcome, Store},
};
use anyhow::{ensure, Context};
use clustercast_chain::{keys, Chain, ChainError, Constants, Wallet};
use clustercast_network::{
	node::Limits,
	serve::{self, serve},
	Feed, Node,
};
use clustercast_primitives::{
	chain::{StreamKeyInfo, TicketVerdict},
	crypto::KeyPair,
	BlockNumber, Hash, Usdc, WinningTicket,
};
use clustercast_protocol::{BookConfig, PaymentMode, ReceiptSigner, Terms, TicketBook};
use std::{
	fs,
	sync::{Arc, Mutex},
	time::Duration,
};
use tokio::signal::unix::{signal, SignalKind};

/// How often winners are looked at: a block and a half. Costs two requests while there are any.
const REDEEM_TICK: Duration = Duration::from_secs(3);

/// How long the last redemption may take before the program ends. What is not settled then is taken up at the next start.
const LAST_REDEMPTION: Duration = Duration::from_secs(15);

/// Sessions with a nonce bitmap (1 KiB each). A session key costs its owner a transaction.
const MAX_SESSIONS: usize = 10_000;

/// Connections beside those of the viewers: upstream, and strangers who have not subscribed yet.
const SPARE_CONNECTIONS: u32 = 128;

/// A relayer that is configured and not yet running.
pub struct Relayer {
	config: Config,
	identity: KeyPair,
	wallet: Wallet,
	secret: [u8; 32],
}

/// The chain, as the redeemer sees it.
struct Settlement {
	chain: Chain,
	wallet: Wallet,
}

impl redeemer::Chain for Settlement {
	type Error = ChainError;

	async fn finalised(&self) -> Result<(BlockNumber, Hash), ChainError> {
		let hash = self.chain.finalised_hash().await?;
		Ok((self.chain.head().finalised, hash))
	}

	async fn check(&self, tickets: &[WinningTicket], at: Hash) -> Result<Vec<TicketVerdict>, ChainError> {
		self.chain.check_tickets(tickets, Some(at)).await
	}

	async fn submit(&self, tickets: &[WinningTicket]) -> Result<Option<Hash>, ChainError> {
		let answer = self.chain.submit_tickets(&self.wallet, tickets).await?;
		match answer.transaction {
			Some(transaction) => tracing::info!(%transaction, tickets = tickets.len(), "posted winners"),
			None => tracing::warn!(verdicts = ?answer.verdicts, "the node would pay none of the winners"),
		}
		Ok(answer.transaction)
	}
}

impl Relayer {
	/// Reads keys and secrets, creating what is missing (mode 0600) in the state folder.
	pub fn load(config: Config) -> anyhow::Result<Self> {
		fs::create_dir_all(&config.state).with_context(|| format!("state folder {}", config.state.display()))?;
		let identity = keys::load_or_create(&config.identity)?;
		let wallet = Wallet::from_suri(&config.account).context("account")?;
		let secret = keys::load_or_create_seed(&config.state.join("secret"))?;
		Ok(Self {
			config,
			identity,
			wallet,
			secret,
		})
	}

	/// Runs until SIGINT or SIGTERM; a second one ends it at once. Prints one JSON line when it listens.
	pub async fn run(self) -> anyhow::Result<()> {
		let mut signals = Signals::new()?;
		tokio::select! {
			running = self.start() => running?.until(&mut signals).await,
			() = signals.next() => {},
		}
		Ok(())
	}

	async fn start(self) -> anyhow::Result<Running> {
		let Self {
			config,
			identity,
			wallet,
			secret,
		} = self;
		let chain = Chain::connect(&config.rpc).await?;
		let (genesis, constants) = (chain.genesis(), *chain.constants());
		ensure!(
			config.face_value.0 >= constants.min_face_value,
			"face_value is below the chain's minimum of {} USDC",
			Usdc(constants.min_face_value)
		);
		let stream = chain.stream_key(config.stream).await?;
		let stream = stream.with_context(|| format!("there is no stream {} on the chain", config.stream))?;

		let path = config.state.join("winners.redb");
		let store = Store::open(&path, &genesis, constants.epoch_length);
		let store = Arc::new(store.with_context(|| format!("store of winners {}", path.display()))?);
		let mut book = TicketBook::new(book_config(&config, &wallet, genesis, &constants));
		let winners = store.winners()?;
		winners.iter().for_each(|(_, winner)| book.restore(&winner.ticket));
		if !winners.is_empty() {
			tracing::info!(winners = winners.len(), "winners of an earlier run wait for redemption");
		}

		if let Some(address) = config.metrics {
			metrics::serve(address)?;
		}
		let connections = u32::try_from(config.max_viewers)
			.unwrap_or(u32::MAX)
			.saturating_add(SPARE_CONNECTIONS);
		let (node, incoming) = Node::start(
			&identity,
			Limits {
				connections,
				..Limits::default()
			},
		)?;
		let listening = node.listen(config.listen.clone()).await.context("listen")?;

		let feed = Feed::new(config.cache_bytes);
		let desk = Arc::new(Desk {
			stream: config.stream,
			face_value: config.face_value.0,
			terms: Terms {
				recipient: wallet.account(),
				price_per_mb: config.price_per_mb,
				mode: PaymentMode::Tickets {
					face_value: config.face_value.0,
				},
				credit: config.credit,
			},
			signer: Arc::new(ReceiptSigner::new(identity, secret)),
			accounts: Accounts::new(chain.clone(), Pace::default()),
			head: chain.heads(),
			store: store.clone(),
			book: Mutex::new(book),
			debts: Default::default(),
		});
		let thresholds = Thresholds {
			value: config.redeem_value.0,
			age: config.redeem_age,
		};
		let settlement = Settlement {
			chain: chain.clone(),
			wallet,
		};
		let redeemer = Redeemer::new(store.clone(), settlement, thresholds);
		println!("{}", serde_json::json!({ "listening": listening.to_string() }));
		tracing::info!(stream = %config.stream, title = %stream.title, "relaying");
		Ok(Running {
			ingest: Ingest {
				node,
				upstream: config.upstream.clone(),
				keys: chain,
				genesis,
				stream: config.stream,
				feed: feed.clone(),
				position: config.state.join("position"),
			},
			incoming,
			serve: serve::Config {
				max_subscriptions: config.max_viewers,
				..serve::Config::new(genesis)
			},
			feed,
			desk,
			redeemer,
			store,
			stream,
		})
	}
}

fn book_config(config: &Config, wallet: &Wallet, genesis: Hash, constants: &Constants) -> BookConfig {
	BookConfig {
		genesis,
		recipient: wallet.account(),
		epoch_length: constants.epoch_length,
		nonces_per_epoch: constants.max_nonces,
		max_ticket_life: constants.max_ticket_life,
		min_ticket_life: MIN_TICKET_LIFE,
		min_face_value: constants.min_face_value,
		float: config.float.0,
		// What all viewers together can owe.
		max_expectations: config.max_viewers * usize::from(config.credit),
		max_sessions: MAX_SESSIONS,
		max_price_per_mb: config.price_per_mb,
	}
}

/// A relayer that listens.
struct Running {
	ingest: Ingest<Chain>,
	incoming: clustercast_network::Incoming,
	serve: serve::Config,
	feed: Feed,
	desk: Arc<Desk<Chain>>,
	redeemer: Redeemer<Settlement>,
	store: Arc<Store>,
	stream: StreamKeyInfo,
}

impl Running {
	/// Serves until a signal, then ends all subscriptions and tries to redeem what there is, until another signal.
	async fn until(self, signals: &mut Signals) {
		let Self {
			ingest,
			incoming,
			serve: config,
			feed,
			desk,
			redeemer,
			store,
			stream,
		} = self;
		let serving = serve(incoming, feed, desk.clone(), config, signals.next());
		tokio::select! {
			() = serving => {},
			() = ingest.run(stream.signing_key) => {},
			() = desk.accounts.refresh() => {},
			() = prune(&desk) => {},
			() = redeem(&redeemer, &desk, &store) => {},
		}
		tracing::info!("stopping");
		tokio::select! {
			() = redeem_all(&redeemer, &desk, &store) => return tracing::info!("all winners are settled"),
			() = tokio::time::sleep(LAST_REDEMPTION) => {},
			() = signals.next() => {},
		}
		tracing::info!("unsettled winners are kept; they are redeemed at the next start");
	}
}

/// Forgets expired tickets with each block.
async fn prune(desk: &Desk<Chain>) {
	let mut head = desk.head.clone();
	// Fails only when the chain's connection is dropped, which lives as long as the desk.
	while head.changed().await.is_ok() {
		let now = head.borrow_and_update().best;
		desk.prune(now);
	}
	std::future::pending().await
}

/// Redeems for ever. A step that is cut off at any point is taken up by the next one.
async fn redeem(redeemer: &Redeemer<Settlement>, desk: &Desk<Chain>, store: &Store) {
	loop {
		step(redeemer, desk, store, false).await;
		tokio::time::sleep(REDEEM_TICK).await;
	}
}

/// Redeems whatever can be paid, until nothing is left.
async fn redeem_all(redeemer: &Redeemer<Settlement>, desk: &Desk<Chain>, store: &Store) {
	while step(redeemer, desk, store, true).await != Some(0) {
		tokio::time::sleep(REDEEM_TICK / 3).await;
	}
}

/// One look at the winners; how many are left, `None` when it failed.
async fn step(redeemer: &Redeemer<Settlement>, desk: &Desk<Chain>, store: &Store, all: bool) -> Option<usize> {
	let step = match redeemer.step(unix_ms(), all).await {
		Ok(step) => step,
		Err(error) => {
			tracing::warn!(%error, "redemption is put off");
			return None;
		},
	};
	for (winner, outcome) in &step.settled {
		desk.settle(winner);
		log_outcome(winner, outcome);
	}
	::metrics::gauge!(metrics::WINNERS_PENDING).set(step.pending as f64);
	::metrics::gauge!(metrics::PENDING).set(step.pending_value as f64);
	match store.totals() {
		Ok(totals) => {
			::metrics::gauge!(metrics::REDEEMED).set(totals.paid_value as f64);
			::metrics::gauge!(metrics::EARNED).set(totals.earned as f64);
			::metrics::gauge!(metrics::LOST).set(totals.lost_value as f64);
		},
		Err(error) => tracing::warn!(%error, "store of winners"),
	}
	Some(step.pending)
}

/// Tickets are named by their hash: it is on the chain, and says nothing of the viewer to those who only read the log.
fn log_outcome(winner: &WinningTicket, outcome: &Outcome) {
	let (ticket, micro_usdc) = (winner.id(), winner.signed.message.face_value);
	match outcome {
		Outcome::Paid(payout) => tracing::info!(%ticket, micro_usdc, ours = payout.relayer, "redeemed"),
		Outcome::Expired => tracing::warn!(%ticket, micro_usdc, "lost: the ticket expired before it was paid"),
		Outcome::Refused(reason) => tracing::warn!(%ticket, micro_usdc, %reason, "lost: refused for good"),
	}
}

/// SIGINT and SIGTERM.
struct Signals {
	interrupt: tokio::signal::unix::Signal,
	terminate: tokio::signal::unix::Signal,
}

impl Signals {
	fn new() -> std::io::Result<Self> {
		Ok(Self {
			interrupt: signal(SignalKind::interrupt())?,
			terminate: signal(SignalKind::terminate())?,
		})
	}

	async fn next(&mut self) {
		tokio::select! {
			_ = self.interrupt.recv() => {},
			_ = self.terminate.recv() => {},
		}
	}
}
