//! Puts the parts together and runs them until a signal.

use crate::{
	accounts::{Accounts, Pace},
	channels::{self, Keeper, Order},
	config::Config,
	desk::{unix_ms, Desk, MAX_HELD},
	door::MIN_TICKET_LIFE,
	fit::{misfits, Given},
	health,
	ingest::Ingest,
	metrics,
	recorder::Recorder,
	redeemer::{
		self,
		vouchers::{self, Collector, Look},
		Receipts, Redeemer, Thresholds,
	},
	rivals::Rivals,
	store::{self, Outcome, Store, VoucherOutcome},
	surge::{self, Surge},
};
use anyhow::{bail, ensure, Context};
use clustercast_chain::{
	calls, channels::Reserved, keys, Chain, ChainError, Constants, Event, Head, Redeemed, Wait, Wallet,
};
use clustercast_cli::Seldom;
use clustercast_network::{
	node::Limits,
	serve::{self, serve},
	Feed, Node,
};
use clustercast_primitives::{
	amount::TICKET_BYTES,
	chain::{ChannelInfo, ChannelKey, Payout, StreamKeyInfo, TicketVerdict, VoucherPlace, VoucherTotals},
	channel::{Release, SignedReservation},
	crypto::KeyPair,
	AccountId, Balance, BlockNumber, Hash, PublicKey, SignedVoucher, Usdc, Voucher, WinningTicket,
};
use clustercast_protocol::{BookConfig, CreditConfig, ReceiptSigner, SessionKey, TicketBook};
use std::{
	fs,
	path::Path,
	sync::{atomic::Ordering, Arc, Mutex, PoisonError},
	time::Duration,
};
use tokio::{
	signal::unix::{signal, SignalKind},
	sync::{mpsc, watch, Semaphore},
	time::{sleep, Instant},
};

/// How often winners and vouchers are looked at: a block and a half. Costs two requests while there are any.
const REDEEM_TICK: Duration = Duration::from_secs(3);

/// How often the stream key is asked what it allows: three blocks. Its owner announces other terms; another payee may begin
/// at once.
const BOUND_TICK: Duration = Duration::from_secs(6);

/// How long the last redemptions and releases may take before the program ends: the first are final after some 15 s, and
/// what they free is released after that. What is left then is taken up at the next start.
const LAST_REDEMPTION: Duration = Duration::from_secs(30);

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

/// The chain, as redeemers and keeper see it.
#[derive(Clone)]
struct Settlement {
	chain: Chain,
	wallet: Arc<Wallet>,
	recipient: AccountId,
}

impl Settlement {
	async fn finalised(&self) -> Result<(BlockNumber, Hash), ChainError> {
		self.chain.finalised().await
	}

	/// What an event says of a payment to us.
	fn note(&self, event: &Event, receipts: &mut Receipts) -> Result<(), ChainError> {
		match Redeemed::from_event(event)? {
			Some(Redeemed::Paid { id }) => receipts.tickets.push((id, event.field("payout")?)),
			Some(Redeemed::Refused { .. }) => {},
			_ if event.is("TicketBroker", "VoucherRedeemed") => {
				let recipient: AccountId = event.field("recipient")?;
				let payout: Payout = event.field("payout")?;
				if recipient == self.recipient {
					receipts.earned_by_voucher = receipts.earned_by_voucher.saturating_add(payout.relayer);
				}
			},
			_ => {},
		}
		Ok(())
	}
}

impl redeemer::Events for Settlement {
	type Error = ChainError;

	async fn receipts(&self, block: BlockNumber) -> Result<Receipts, ChainError> {
		let hash = self.chain.block_hash(block).await?;
		let mut receipts = Receipts::default();
		for event in self.chain.events(hash).await? {
			self.note(&event, &mut receipts)?;
		}
		Ok(receipts)
	}
}

impl channels::Chain for Settlement {
	type Error = ChainError;

	async fn finalised(&self) -> Result<(BlockNumber, Hash), ChainError> {
		Self::finalised(self).await
	}

	async fn channels(&self, keys: &[ChannelKey], at: Hash) -> Result<Vec<Option<ChannelInfo>>, ChainError> {
		self.chain.channels(keys, Some(at)).await
	}

	async fn reserve(&self, reservation: &SignedReservation) -> Result<(), ChainError> {
		let call = calls::reserve(reservation);
		let included = self.chain.submit(&self.wallet, &call, Wait::Finalised).await?;
		tracing::info!(
			fee = included.fee,
			reward = reservation.message.reward,
			"reservation is final"
		);
		Ok(())
	}

	async fn reserved(&self, at: Hash, most: usize) -> Result<Vec<(SessionKey, ChannelInfo)>, ChainError> {
		let found = self.chain.reserved_for(&self.recipient, at, most).await?;
		let payer = |reserved: &Reserved| SessionKey {
			account: reserved.account,
			key: reserved.session,
		};
		Ok(found
			.iter()
			.map(|reserved| (payer(reserved), reserved.channel))
			.collect())
	}

	async fn release(&self, releases: &[Release]) -> Result<(), ChainError> {
		let each = releases.iter().map(calls::release).collect();
		self.chain
			.submit(&self.wallet, &calls::force_batch(each), Wait::InBlock)
			.await
			.map(drop)
	}
}

impl redeemer::Chain for Settlement {
	type Error = ChainError;

	async fn finalised(&self) -> Result<(BlockNumber, Hash), ChainError> {
		Self::finalised(self).await
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

impl vouchers::Chain for Settlement {
	type Error = ChainError;

	async fn finalised(&self) -> Result<(BlockNumber, Hash), ChainError> {
		Self::finalised(self).await
	}

	async fn paid(&self, places: &[VoucherPlace], at: Hash) -> Result<Vec<VoucherTotals>, ChainError> {
		self.chain.vouchers_paid(places, Some(at)).await
	}

	async fn check(&self, vouchers: &[SignedVoucher], at: Hash) -> Result<Vec<TicketVerdict>, ChainError> {
		self.chain.check_vouchers(vouchers, Some(at)).await
	}

	async fn submit(&self, vouchers: &[SignedVoucher]) -> Result<Option<Hash>, ChainError> {
		let answer = self.chain.submit_vouchers(&self.wallet, vouchers).await?;
		match answer.transaction {
			Some(transaction) => tracing::info!(%transaction, vouchers = vouchers.len(), "posted vouchers"),
			None => tracing::warn!(verdicts = ?answer.verdicts, "the node would pay none of the vouchers"),
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
		let stream = chain.stream_key(config.stream).await?;
		let stream = stream.with_context(|| format!("there is no stream {} on the chain", config.stream))?;
		let bound = surge::bound(&stream);
		if config.price_per_gb > bound {
			tracing::warn!(
				"price_per_gb is above {bound}, the most that the stream key allows or is about to: that much is asked"
			);
		}

		check_fit(
			&chain,
			&Given {
				recipient,
				wallet: wallet.account(),
				identity: identity.public(),
				price_per_gb: config.price_per_gb,
			},
		)
		.await?;

		let path = config.state.join("winners.redb");
		let store = open_store(&path, &genesis).await;
		let store = Arc::new(store.with_context(|| format!("store of winners {}", path.display()))?);
		let mut book = TicketBook::new(book_config(&config, recipient, genesis, &constants, bound));
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
		let (node, incoming) = Node::start(&identity, Limits::default())?;
		let addresses = node.listen_on(config.listen.clone()).await.context("listen")?;

		let key = identity.public();
		let feed = Feed::new(config.cache_bytes);
		let (orders, ordered) = mpsc::channel(channels::MAX_ORDERS);
		let desk = Arc::new(Desk {
			stream: config.stream,
			recipient,
			face_value: config.face_value.0,
			credit: config.credit,
			interval: config.interval,
			max_ticket_life: constants.max_ticket_life,
			terms: stream.terms_counter.into(),
			surge: Arc::new(Surge::new(
				config.price_per_gb,
				config.highest_price_per_gb,
				config.max_viewers,
				config.uplink,
			)),
			rule: config.rule(),
			standings: Default::default(),
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
		});
		desk.set_terms(stream.terms_counter, stream.change.as_ref().map(|change| change.from));
		desk.limit_price(stream.terms().max_price_per_gb(), bound);
		desk.at_block(chain.head().best);
		let thresholds = Thresholds {
			value: config.redeem_value.0,
			age: config.redeem_age,
		};
		let settlement = Settlement {
			chain: chain.clone(),
			wallet: Arc::new(wallet),
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
		let signing_key = watch::Sender::new(stream.signing_key);
		println!("{}", clustercast_cli::listening(&addresses));
		tracing::info!(stream = %config.stream, title = %stream.title, "relaying");
		Ok(Running {
			ingest: Ingest {
				node,
				upstreams: config.upstreams.clone(),
				signing_key: signing_key.subscribe(),
				tip: chain.tip().clone(),
				genesis,
				stream: config.stream,
				feed: feed.clone(),
				position: config.state.join("position"),
			},
			incoming,
			serve: serve::Config {
				max_subscriptions: config.max_viewers,
				max_per_payer: config.account_viewers,
				..serve::Config::new(genesis, key)
			},
			feed,
			desk,
			chain,
			redeemers,
			keeper,
			ordered,
			signing_key,
			stream,
		})
	}
}

/// Says what does not fit the registry; fails where nobody could pay, or nothing be redeemed.
async fn check_fit(chain: &Chain, given: &Given) -> anyhow::Result<()> {
	let registered = chain.relayers().await.context("cannot read the registry")?;
	for misfit in misfits(given, &registered) {
		if misfit.is_fatal() {
			bail!(misfit);
		}
		tracing::warn!("{misfit}");
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

/// A relayer that listens.
struct Running {
	ingest: Ingest,
	incoming: clustercast_network::Incoming,
	serve: serve::Config,
	feed: Feed,
	desk: Arc<Desk<Chain>>,
	chain: Chain,
	redeemers: Redeemers,
	keeper: Keeper<Settlement, Chain>,
	ordered: mpsc::Receiver<Order>,
	/// Of the stream, by the newest finalised block.
	signing_key: watch::Sender<PublicKey>,
	stream: StreamKeyInfo,
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
			ingest,
			incoming,
			serve: config,
			feed,
			desk,
			chain,
			redeemers,
			keeper,
			ordered,
			signing_key,
			stream,
		} = self;
		let change = stream.change.as_ref().map(|change| change.from);
		let told_to_stop = async {
			signals.next().await;
			tracing::info!("stopping: viewers may pay for what they have");
		};
		let serving = serve(incoming, feed, desk.clone(), config, told_to_stop);
		tokio::select! {
			() = serving => {},
			() = ingest.run() => {},
			() = name_key(chain.follow_stream_key(stream), &signing_key) => {},
			() = desk.accounts.refresh() => {},
			() = follow(&desk, chain.constants().block_time) => {},
			() = health::watch(&desk, &chain) => {},
			() = keep_to_terms(&chain, &desk, change) => {},
			() = redeemers.run() => {},
			() = keeper.run(ordered) => {},
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

/// Says which key signs the stream.
async fn name_key(mut stream: watch::Receiver<Option<StreamKeyInfo>>, signing_key: &watch::Sender<PublicKey>) {
	// Fails only when the chain's connection is dropped.
	while stream.changed().await.is_ok() {
		match &*stream.borrow_and_update() {
			Some(info) => {
				_ = signing_key.send_if_modified(|key| std::mem::replace(key, info.signing_key) != info.signing_key)
			},
			None => tracing::warn!("the stream key is gone from the chain: nobody may sign the stream any more"),
		}
	}
	std::future::pending().await
}

/// Follows the stream key's terms, and asks in the block itself from which announced ones hold: a voucher under the old
/// ones, signed behind it, would be worth nothing. What was agreed before is redeemed as long as the chain allows.
async fn keep_to_terms(chain: &Chain, desk: &Desk<Chain>, mut change: Option<BlockNumber>) {
	loop {
		let _ = tokio::time::timeout(BOUND_TICK, reaches(&desk.tip.heads(), change)).await;
		// Where that brings no answer, the next block may.
		let next = desk.tip.head().best.saturating_add(1);
		change = change.map(|from| from.max(next));
		match chain.stream_key(desk.stream).await {
			// Of a node that is behind: they were others before.
			Ok(Some(stream)) if stream.terms_counter < desk.terms.load(Ordering::Relaxed) => {},
			Ok(Some(stream)) => {
				let announced = stream.change.as_ref().map(|change| change.from);
				desk.set_terms(stream.terms_counter, announced);
				desk.limit_price(stream.terms().max_price_per_gb(), surge::bound(&stream));
				change = announced.map(|from| from.max(next));
			},
			Ok(None) if desk.tip.is_late() => {},
			Ok(None) => tracing::warn!("the stream key is gone: payments for it are not redeemed"),
			Err(error) => tracing::warn!(%error, "the stream key cannot be looked up; prices stay"),
		}
	}
}

/// Returns when the chain is at this block; never where there is none.
async fn reaches(head: &watch::Receiver<Head>, block: Option<BlockNumber>) {
	let Some(block) = block else {
		return std::future::pending().await;
	};
	// Fails only when the chain's connection is dropped, which lives as long as the desk.
	let _ = head.clone().wait_for(|head| head.best >= block).await;
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
		let look = Look {
			now_ms: now,
			all,
			urgent: &urgent,
			reserved: &reserved,
			terms: self.desk.terms.load(Ordering::Relaxed),
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
