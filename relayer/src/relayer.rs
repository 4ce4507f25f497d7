//! Puts the parts together and runs them until a signal.

use crate::{
	accounts::{Accounts, Pace},
	buying::Buyer,
	channels::{self, Keeper, Order},
	config::{
		streams::{Stream, Upstream},
		Config,
	},
	demand::{self, Need},
	desk::{unix_ms, Desk, MAX_HELD},
	door::MIN_TICKET_LIFE,
	fit::{misfits, Given},
	health,
	ingest::{self, Ingest},
	metrics,
	recorder::Recorder,
	redeemer::{
		self,
		vouchers::{self, Collector, Look},
		Redeemer, Thresholds,
	},
	rivals::Rivals,
	settlement::Settlement,
	sources::{self, Own},
	store::{self, Outcome, Store, VoucherOutcome},
	streams::{Offer, Served, Streams},
	surge::{self, Load},
	terms,
	web::{Files, Web},
};
use anyhow::{bail, ensure, Context};
use clustercast_chain::{keys, Chain, Constants, Wallet};
use clustercast_cli::Seldom;
use clustercast_network::{
	node::Limits,
	serve::{self, serve},
	Feed, Node,
};
use clustercast_primitives::{
	amount::TICKET_BYTES,
	chain::{RelayerInfo, StreamKeyInfo},
	crypto::KeyPair,
	AccountId, Balance, BlockNumber, Hash, Usdc, Voucher, WinningTicket,
};
use clustercast_protocol::{BookConfig, CreditConfig, ReceiptSigner, TicketBook};
use std::{
	fs,
	path::{Path, PathBuf},
	sync::{Arc, Mutex, PoisonError},
	time::Duration,
};
use tokio::{
	signal::unix::{signal, SignalKind},
	sync::{mpsc, watch, Semaphore},
	task::JoinSet,
	time::{sleep, timeout, Instant},
};
use tracing::Instrument;

/// How often winners and vouchers are looked at: a block and a half. Costs two requests while there are any.
const REDEEM_TICK: Duration = Duration::from_secs(3);

/// How long the last redemptions and releases may take before the program ends: the first are final after some 15 s, and
/// what they free is released after that. What is left then is taken up at the next start.
const LAST_REDEMPTION: Duration = Duration::from_secs(30);

/// How long what was bought last is waited for, and paid, before the program ends.
const LAST_PURCHASE: Duration = Duration::from_secs(5);

/// Least that a voucher owes to be worth a redemption of its own, micro-USDC: that costs 251, and a broadcaster may have 30 %.
/// Who is gone and owes less is not waited for.
const WORTH: Balance = 400;

/// How long a relayer that starts waits for one that has its state folder and is told to stop: as long as that may take.
const LOCK_PATIENCE: Duration = Duration::from_secs(35);

/// How often it looks.
const LOCK_LOOK: Duration = Duration::from_millis(200);

/// Sessions that owe something, are watched, or have reserved something. A session key costs its owner a transaction.
const MAX_SESSIONS: usize = 10_000;

const _: () = assert!(
	channels::MAX_FOUND < MAX_SESSIONS,
	"viewers find room beside those of an earlier run"
);

/// A reservation that ends within this covers nothing new: ten minutes, time for several attempts to redeem what it covers.
const CREDIT_MARGIN: BlockNumber = 300;

/// A relayer that is configured and not yet running.
pub struct Relayer {
	config: Config,
	identity: KeyPair,
	/// Is paid.
	recipient: AccountId,
	/// Signs: the recipient's, or its operator's.
	wallet: Wallet,
	secret: [u8; 32],
}

impl Relayer {
	/// Reads keys and secrets, creating what is missing (mode 0600) in the state folder.
	pub fn load(config: Config) -> anyhow::Result<Self> {
		fs::create_dir_all(&config.state).with_context(|| format!("state folder {}", config.state.display()))?;
		let identity = keys::load_or_create(&config.identity)?;
		let wallet = Wallet::from_suri(&config.account).context("account")?;
		let recipient = config.recipient(&wallet);
		let secret = keys::load_or_create_seed(&config.state.join("secret"))?;
		Ok(Self {
			config,
			identity,
			recipient,
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
			recipient,
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
		let keys = stream_keys(&chain, &config).await?;
		let bounds = keys.iter().map(surge::bound);

		let given = Given {
			recipient,
			wallet: wallet.account(),
			identity: identity.public(),
			prices_per_gb: config.streams.iter().map(|stream| stream.price_per_gb).collect(),
		};
		let registered = chain.relayers().await.context("cannot read the registry")?;
		check_fit(&given, &registered)?;
		check_sources(&config, &given, &keys, &registered)?;
		let wallet = Arc::new(wallet);

		let path = config.state.join("winners.redb");
		let store = open_store(&path, &genesis).await;
		let store = Arc::new(store.with_context(|| format!("store of winners {}", path.display()))?);
		let mut book = TicketBook::new(book_config(
			&config,
			recipient,
			genesis,
			&constants,
			bounds.min().unwrap_or_default(),
		));
		// From when on what is taken up has time to come back.
		book.prune(chain.head().best);
		let winners = store.winners()?;
		winners.iter().for_each(|(_, winner)| book.restore(&winner.ticket));
		let owing = store.owing()?;
		for (kept, _) in &owing {
			book.restore_voucher(&kept.newest.message, kept.settled, chain.head().best);
		}
		if !winners.is_empty() || !owing.is_empty() {
			let (winners, vouchers) = (winners.len(), owing.len());
			tracing::info!(winners, vouchers, "payments of an earlier run wait for redemption");
		}

		if let Some(address) = config.metrics {
			metrics::serve(address).await?;
		}
		let buyer = match config.buying {
			Some(limits) => {
				let prepared = Buyer::prepare(chain.clone(), wallet.clone(), limits, &config.state, registered.clone());
				Some(Arc::new(prepared.await.context("[buying]")?))
			},
			None => None,
		};
		let (node, incoming) = Node::start(&identity, Limits::default())?;
		let uplink = config.uplink.map(|uplink| node.uplink(uplink));
		let addresses = node.listen_on(config.listen.clone()).await.context("listen")?;

		let key = identity.public();
		let own = identity.clone();
		let feed = Feed::new(config.cache_bytes);
		let load = Arc::new(Load::new(config.max_viewers, uplink));
		let streams: Streams = config
			.streams
			.iter()
			.zip(&keys)
			.map(|(stream, key)| {
				feed.expect(stream.id);
				let served = Served::new(stream.id, offer(&config, stream), key.terms_counter, load.clone());
				let most = config.buying.map_or(0, |buying| buying.max_price_per_gb);
				let served = match stream.on_demand {
					Some(margin) => served.on_demand(margin),
					None => served,
				};
				served.set_cost(sources::may_cost(stream, &key.signing_key, &registered, most));
				served
			})
			.collect();
		let (orders, ordered) = mpsc::channel(channels::MAX_ORDERS);
		let desk = Arc::new(Desk {
			streams,
			load,
			recipient,
			face_value: config.face_value.0,
			credit: config.credit,
			interval: config.interval,
			max_ticket_life: constants.max_ticket_life,
			signer: Arc::new(ReceiptSigner::new(identity, secret)),
			accounts: Accounts::new(chain.clone(), Pace::default()),
			tip: chain.tip().clone(),
			store: store.clone(),
			recorder: Recorder::start(store.clone(), config.float.per_hour).context("recorder of vouchers")?,
			held: Arc::new(Semaphore::new(MAX_HELD)),
			book: Mutex::new(book),
			reserve: config.reserve(constants.min_face_value),
			genesis,
			orders,
			leniency: Default::default(),
			pending: Default::default(),
			carries: config.policy.clone(),
			directory: Default::default(),
		});
		desk.directory.read(&registered);
		let wires = wires(&config, &desk, &chain, keys);
		let web = match config.web {
			Some(at) => {
				let streams = wires.iter().map(|wire| wire.info.clone()).collect();
				let files = Files {
					page: config.web_page.clone(),
					deployment: config.web_deployment.clone(),
				};
				let bound = Web::bind(at, files, &node, &chain, desk.clone(), own, streams);
				Some(bound.await.context("--web")?)
			},
			None => None,
		};
		desk.at_block(chain.head().best);
		let thresholds = Thresholds {
			value: config.redeem_value.0,
			age: config.redeem_age,
		};
		let settlement = Settlement {
			chain: chain.clone(),
			wallet,
			recipient,
		};
		let keeper = Keeper::new(settlement.clone(), desk.clone(), store.clone());
		let wallet = settlement.wallet.clone();
		let redeemers = Redeemers {
			tickets: Redeemer::new(store.clone(), settlement.clone(), thresholds),
			vouchers: Collector::new(
				store.clone(),
				settlement,
				vouchers::Thresholds {
					value: thresholds.value,
					age: config.voucher_age,
					least: constants.min_face_value,
					worth: WORTH.min(constants.min_face_value),
				},
			),
			desk: desk.clone(),
			store,
			wallet,
			trouble: Mutex::default(),
		};
		println!("{}", clustercast_cli::listening(&addresses));
		for Wire { key, .. } in &wires {
			tracing::info!(stream = %key.id, title = %key.title, "relaying");
		}
		Ok(Running {
			wires,
			node,
			web,
			state: config.state.clone(),
			incoming,
			serve: serve::Config {
				max_subscriptions: config.max_viewers,
				max_per_payer: config.account_viewers,
				..serve::Config::new(genesis, key)
			},
			feed,
			desk,
			chain,
			buyer,
			redeemers,
			keeper,
			ordered,
		})
	}
}

/// What the chain says of each stream, in their order.
async fn stream_keys(chain: &Chain, config: &Config) -> anyhow::Result<Vec<StreamKeyInfo>> {
	let mut keys = Vec::new();
	for stream in &config.streams {
		let key = chain.stream_key(stream.id).await?;
		let key = key.with_context(|| format!("there is no stream {} on the chain", stream.id))?;
		let bound = surge::bound(&key);
		if stream.price_per_gb > bound {
			tracing::warn!(
				stream = %stream.id,
				"price_per_gb is above {bound}, the most that the stream key allows or is about to: that much is asked"
			);
		}
		keys.push(key);
	}
	Ok(keys)
}

fn offer(config: &Config, stream: &Stream) -> Offer {
	Offer {
		baseline: stream.price_per_gb,
		highest: stream.highest_price_per_gb,
		places: stream.max_viewers,
		rule: config.rule(stream),
	}
}

/// What is followed of each stream; the desk knows what its key says now.
fn wires(config: &Config, desk: &Desk<Chain>, chain: &Chain, keys: Vec<StreamKeyInfo>) -> Vec<Wire> {
	let of = |(stream, key): (&Stream, StreamKeyInfo)| {
		let served = desk.streams.get(stream.id)?.clone();
		terms::apply(desk, &served, &key);
		Some(Wire {
			served,
			upstreams: stream.upstreams.clone(),
			standbys: stream.standbys,
			info: chain.follow_stream_key(key.clone()),
			key,
		})
	};
	config.streams.iter().zip(keys).filter_map(of).collect()
}

/// Says what does not fit the registry; fails where nobody could pay, or nothing be redeemed.
fn check_fit(given: &Given, registered: &[RelayerInfo]) -> anyhow::Result<()> {
	for misfit in misfits(given, registered) {
		if misfit.is_fatal() {
			bail!(misfit);
		}
		tracing::warn!("{misfit}");
	}
	Ok(())
}

/// Fails where what is configured cannot be bought; says what is too dear.
fn check_sources(
	config: &Config,
	given: &Given,
	keys: &[StreamKeyInfo],
	registered: &[RelayerInfo],
) -> anyhow::Result<()> {
	let own = Own {
		account: given.recipient,
		identity: given.identity,
		is_signer: given.wallet == given.recipient,
		max_price_per_gb: config.buying.map(|buying| buying.max_price_per_gb),
	};
	for (stream, seller) in sources::check(&own, &config.streams, keys, registered)? {
		tracing::warn!(
			%stream, relayer = %seller.key, asks = seller.price_per_gb,
			"upstream asks more than max_price_per_gb of [buying]: nothing is bought of it unless it serves for less"
		);
	}
	Ok(())
}

/// Opens the store; waits for a relayer that is about to end, as where one is restarted.
async fn open_store(path: &Path, genesis: &Hash) -> Result<Store, store::Error> {
	let deadline = Instant::now() + LOCK_PATIENCE;
	let mut told = false;
	loop {
		match Store::open(path, genesis) {
			Err(store::Error::InUse) if Instant::now() < deadline => {
				if !std::mem::replace(&mut told, true) {
					let seconds = LOCK_PATIENCE.as_secs();
					tracing::info!("another process has the state folder; waiting up to {seconds} s for it to end");
				}
				sleep(LOCK_LOOK).await;
			},
			other => return other,
		}
	}
}

fn book_config(config: &Config, recipient: AccountId, genesis: Hash, constants: &Constants, bound: u64) -> BookConfig {
	BookConfig {
		genesis,
		recipient,
		max_ticket_life: constants.max_ticket_life,
		min_ticket_life: MIN_TICKET_LIFE,
		min_face_value: constants.min_face_value,
		credit: CreditConfig {
			float: config.float,
			margin: CREDIT_MARGIN,
			least: WORTH.min(constants.min_face_value),
			max_sessions: MAX_SESSIONS,
		},
		// What all viewers together can owe: a receipt that is to be paid is for a unit at least.
		max_expectations: config.max_viewers * (config.credit as usize / TICKET_BYTES as usize + 2),
		max_price_per_gb: bound,
	}
}

/// A stream, where it comes from, and its key as the chain had it at the start.
struct Wire {
	served: Arc<Served>,
	upstreams: Vec<Upstream>,
	standbys: usize,
	key: StreamKeyInfo,
	/// As the chain has it by now.
	info: watch::Receiver<Option<StreamKeyInfo>>,
}

impl Wire {
	/// Brings windows in and follows the key, until it is told to stop.
	async fn run(self, common: Common) {
		let Self {
			served,
			upstreams,
			standbys,
			key,
			info,
		} = self;
		let Common {
			node,
			feed,
			desk,
			chain,
			buyer,
			state,
			mut stop,
		} = common;
		let signing_key = watch::Sender::new(key.signing_key);
		let need = watch::Sender::new(match served.is_on_demand() {
			true => Need::Rest,
			false => Need::Fetch,
		});
		let change = terms::change(&key);
		let ingest = Ingest {
			node,
			upstreams,
			buyer,
			need: need.subscribe(),
			signing_key: signing_key.subscribe(),
			info: info.clone(),
			tip: chain.tip().clone(),
			genesis: chain.genesis(),
			stream: served.clone(),
			feed,
			position: ingest::position(&state, served.id),
			standbys,
		};
		let demanded = async {
			match served.is_on_demand() {
				true => demand::follow(served.audience(), &need).await,
				false => std::future::pending().await,
			}
		};
		let stopped = async {
			// Whoever says so lives as long as the relayer.
			let _ = stop.wait_for(|stop| *stop).await;
			need.send_replace(Need::Stop);
			std::future::pending::<()>().await;
		};
		tokio::select! {
			() = ingest.run() => {},
			() = terms::name_key(info, &signing_key) => {},
			() = terms::keep_to_terms(&chain, &desk, &served, change) => {},
			() = demanded => {},
			() = stopped => {},
		}
	}
}

/// What all streams share.
#[derive(Clone)]
struct Common {
	node: Node,
	feed: Feed,
	desk: Arc<Desk<Chain>>,
	chain: Chain,
	buyer: Option<Arc<Buyer>>,
	state: PathBuf,
	/// Nothing more is to be fetched.
	stop: watch::Receiver<bool>,
}

/// All streams at a time, each as a task of its own: one that fails stops no other. Runs until all were told to stop, or until it is
/// dropped, and they with it.
async fn run_all(wires: Vec<Wire>, mut common: Common) {
	let mut tasks = JoinSet::new();
	for wire in wires {
		let span = tracing::info_span!("stream", n = %wire.served.id);
		tasks.spawn(wire.run(common.clone()).instrument(span));
	}
	while let Some(ended) = tasks.join_next().await {
		if let Err(error) = ended {
			tracing::error!(%error, "the task of a stream failed: nothing more of it comes until the next start");
		}
	}
	let _ = common.stop.wait_for(|stop| *stop).await;
}

/// A relayer that listens.
struct Running {
	wires: Vec<Wire>,
	node: Node,
	/// For browsers.
	web: Option<Web>,
	state: PathBuf,
	incoming: clustercast_network::Incoming,
	serve: serve::Config,
	feed: Feed,
	desk: Arc<Desk<Chain>>,
	chain: Chain,
	buyer: Option<Arc<Buyer>>,
	redeemers: Redeemers,
	keeper: Keeper<Settlement, Chain>,
	ordered: mpsc::Receiver<Order>,
}

/// Keeps what is bought with good, for ever; nothing, where nothing is bought.
async fn keep_funded(buyer: Option<&Buyer>) {
	match buyer {
		Some(buyer) => buyer.keep_funded().await,
		None => std::future::pending().await,
	}
}

/// Serves the page, for ever; nothing, where there is none.
async fn serve_page(web: Option<Web>) {
	match web {
		Some(web) => web.serve().await,
		None => std::future::pending().await,
	}
}

/// Turn into money what viewers pay with.
struct Redeemers {
	tickets: Redeemer<Settlement>,
	vouchers: Collector<Settlement>,
	desk: Arc<Desk<Chain>>,
	store: Arc<Store>,
	/// Signs what redeems, and sees where another program does too.
	wallet: Arc<Wallet>,
	/// What people are told of failures.
	trouble: Mutex<Seldom>,
}

impl Running {
	/// Serves until a signal, then ends all subscriptions and tries to redeem what there is, until another signal.
	async fn until(self, signals: &mut Signals) {
		let Self {
			wires,
			node,
			web,
			state,
			incoming,
			serve: config,
			feed,
			desk,
			chain,
			buyer,
			redeemers,
			keeper,
			ordered,
		} = self;
		let stop = watch::Sender::new(false);
		let common = Common {
			node,
			feed: feed.clone(),
			desk: desk.clone(),
			chain: chain.clone(),
			buyer: buyer.clone(),
			state,
			stop: stop.subscribe(),
		};
		let fetching = run_all(wires, common);
		tokio::pin!(fetching);
		let told_to_stop = async {
			signals.next().await;
			tracing::info!("stopping: viewers may pay for what they have");
		};
		let serving = serve(incoming, feed, desk.clone(), config, told_to_stop);
		tokio::select! {
			() = serving => {},
			() = &mut fetching => {},
			() = serve_page(web) => {},
			() = keep_funded(buyer.as_deref()) => {},
			() = desk.accounts.refresh() => {},
			() = follow(&desk, chain.constants().block_time) => {},
			() = health::watch(&desk, &chain) => {},
			() = desk.directory.follow(&chain) => {},
			() = redeemers.run() => {},
			() = keeper.run(ordered) => {},
		}
		stop.send_replace(true);
		let _ = timeout(LAST_PURCHASE, fetching).await;
		if let Some(buyer) = &buyer {
			buyer.save();
		}
		match redeemers.waiting() {
			Ok((winners, vouchers)) if winners + vouchers > 0 => {
				let seconds = LAST_REDEMPTION.as_secs();
				tracing::info!(
					winners,
					vouchers,
					"redeeming what viewers paid with, for at most {seconds} s; a second signal ends that at once"
				);
			},
			Ok(_) => tracing::info!("nothing waits to be redeemed; releasing what is reserved and not owed"),
			Err(error) => tracing::warn!(%error, "store of payments"),
		}
		let finish = async {
			let (left, ()) = tokio::join!(redeemers.finish(), keeper.finish());
			// What the redemptions freed.
			keeper.finish().await;
			left
		};
		tokio::select! {
			left = finish => return left.log(),
			() = tokio::time::sleep(LAST_REDEMPTION) => {},
			() = signals.next() => {},
		}
		tracing::info!("what is not settled or released yet is kept, and taken up at the next start");
	}
}

/// Tells the desk of each block, by the clock where the head is late.
async fn follow(desk: &Desk<Chain>, block_time: Duration) {
	let mut heads = desk.tip.heads();
	// Fails only when the chain's connection is dropped, which lives as long as the desk.
	while !matches!(tokio::time::timeout(block_time, heads.changed()).await, Ok(Err(_))) {
		desk.at_block(desk.tip.block());
	}
	std::future::pending().await
}

impl Redeemers {
	/// Redeems for ever. A step that is cut off at any point is taken up by the next one.
	async fn run(&self) {
		let mut rivals = Rivals::default();
		loop {
			if !rivals.holds(self.wallet.rivals(), std::time::Instant::now()) {
				self.step(false).await;
			}
			tokio::time::sleep(REDEEM_TICK).await;
		}
	}

	/// Winners, and places whose vouchers owe something.
	fn waiting(&self) -> Result<(usize, usize), store::Error> {
		Ok((self.store.winners()?.len(), self.store.owing()?.len()))
	}

	/// Redeems whatever can be paid, until nothing of that is left. What waits all the same.
	async fn finish(&self) -> Left {
		loop {
			if let Some(left) = self.step(true).await.filter(|left| left.pending == 0) {
				return left;
			}
			tokio::time::sleep(REDEEM_TICK / 3).await;
		}
	}

	/// One look at all; what is left, `None` when it failed.
	async fn step(&self, all: bool) -> Option<Left> {
		let put_off = |error| {
			let mut trouble = self.trouble.lock().unwrap_or_else(PoisonError::into_inner);
			if let Some(untold) = trouble.due(std::time::Instant::now()) {
				tracing::warn!(%error, untold, "redemption is put off");
			}
		};
		let now = unix_ms();
		let (urgent, reserved) = (self.desk.urgent(), self.desk.well_reserved());
		let terms = self.desk.streams.terms();
		let look = Look {
			now_ms: now,
			all,
			urgent: &urgent,
			reserved: &reserved,
			terms: &terms,
		};
		let tickets = self.tickets.step(now, all, &urgent).await.map_err(put_off);
		let vouchers = self.vouchers.step(look).await.map_err(put_off);
		let held = tickets.as_ref().map_or(0, |step| step.held) + vouchers.as_ref().map_or(0, |step| step.held);
		if held > 0 {
			put_off(redeemer::Error::Crowded);
		}
		if let Ok(step) = &tickets {
			for (winner, outcome) in &step.settled {
				self.desk.settle(winner, step.at, matches!(outcome, Outcome::Paid(_)));
				log_outcome(winner, outcome);
			}
			::metrics::gauge!(metrics::WINNERS_PENDING).set(step.pending as f64);
			::metrics::gauge!(metrics::PENDING).set(step.pending_value as f64);
		}
		if let Ok(step) = &vouchers {
			for settled in &step.settled {
				let paid = matches!(settled.outcome, VoucherOutcome::Paid(_));
				self.desk
					.settle_voucher(&settled.voucher, settled.amount, step.at, paid);
				log_voucher(&settled.voucher, &settled.outcome);
			}
			::metrics::gauge!(metrics::VOUCHERS_PENDING).set(step.pending as f64);
			::metrics::gauge!(metrics::VOUCHERS_OWED).set(step.pending_value as f64);
		}
		if let Err(error) = self.show_sums() {
			put_off(redeemer::Error::Store(error));
		}
		let (tickets, vouchers) = (tickets.ok()?, vouchers.ok()?);
		Some(Left {
			pending: tickets.pending + vouchers.pending,
			waiting: vouchers.waiting,
			value: tickets.pending_value + vouchers.pending_value,
		})
	}

	fn show_sums(&self) -> Result<(), store::Error> {
		let (totals, sums) = (self.store.totals()?, self.store.voucher_sums()?);
		::metrics::gauge!(metrics::REDEEMED).set(totals.paid_value as f64);
		::metrics::gauge!(metrics::EARNED).set(totals.earned as f64);
		::metrics::gauge!(metrics::LOST).set(totals.lost_value as f64);
		::metrics::gauge!(metrics::VOUCHERS_REDEEMED).set(sums.paid as f64);
		::metrics::gauge!(metrics::VOUCHERS_EARNED).set(sums.earned as f64);
		::metrics::gauge!(metrics::VOUCHERS_LOST).set(sums.lost as f64);
		Ok(())
	}
}

/// What a redemption left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Left {
	/// Payments that the chain would make.
	pending: usize,
	/// Vouchers that owe too little for that.
	waiting: usize,
	/// What all of them owe, micro-USDC.
	value: Balance,
}

impl Left {
	fn log(self) {
		match self.waiting {
			0 => tracing::info!("all payments are settled"),
			vouchers => tracing::info!(
				vouchers,
				micro_usdc = self.value,
				"all that the chain pays now is settled; vouchers that owe less than that are kept for the next start"
			),
		}
	}
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

/// Amounts are those of the session in all; its key would name the viewer.
fn log_voucher(voucher: &Voucher, outcome: &VoucherOutcome) {
	let owed: Balance = voucher.amount;
	match outcome {
		VoucherOutcome::Paid(level) => tracing::info!(owed, paid = level, "vouchers redeemed"),
		VoucherOutcome::Lost(level, reason) => tracing::warn!(owed, given_up = level, %reason, "lost: the voucher"),
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

#[cfg(test)]
mod tests {
	use super::*;

	#[tokio::test]
	async fn relayer_that_starts_waits_for_the_one_that_ends() {
		let dir = tempfile::tempdir().unwrap();
		let path = dir.path().join("winners.redb");
		let genesis = Hash([7; 32]);
		let before = Store::open(&path, &genesis).unwrap();
		let mut opening = Box::pin(open_store(&path, &genesis));
		let early = tokio::time::timeout(3 * LOCK_LOOK, &mut opening).await;
		assert!(early.is_err(), "it gave up at once");
		drop(before);
		opening.await.unwrap();
	}
}
