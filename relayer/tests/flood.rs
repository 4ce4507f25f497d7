//! Strangers against a relayer that serves: over real QUIC, with its own desk; only the chain is made up.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../../protocol/src/fixture.rs"]
mod fixture;

use bytes::Bytes;
use clustercast_chain::{Head, Tip};
use clustercast_network::{
	client::{Error, Subscription},
	node::{ConnectError, Limits},
	serve::{serve, Config},
	Address, Feed, Node, Stream,
};
use clustercast_primitives::{
	amount::USDC,
	chain::{ChannelInfo, ChannelKey, SessionInfo, ViewerAccount, VoucherPlace, VoucherTotals},
	crypto::KeyPair,
	AccountId, Balance, BlockNumber, PublicKey,
};
use clustercast_protocol::{
	viewer::Event, BookConfig, CreditConfig, EndReason, Payment, PaymentTerms, Purse, PurseConfig, SessionKey,
	TicketBook, ViewerConfig, ViewerSession,
};
use clustercast_relayer::{
	accounts::{Accounts, Ledger, Pace},
	desk::{Desk, MAX_HELD},
	payment::{Payment as Kind, Rule},
	recorder::Recorder,
	store::Store,
	streams::{Offer, Served},
	surge::Load,
};
use fixture::{Broadcast, GENESIS};
use futures::FutureExt;
use std::{
	collections::{BTreeSet, VecDeque},
	sync::{
		atomic::{AtomicBool, AtomicUsize, Ordering},
		Arc, Mutex,
	},
	time::Duration,
};
use tokio::{
	sync::{mpsc, watch},
	task::{JoinHandle, JoinSet},
	time::{sleep, timeout, Instant},
};

const BLOCK: u32 = 10_000;
const PRICE: u64 = 1_953_125;
const FACE_VALUE: Balance = 1_000;
/// Five a second: 2.6 Mb/s to each.
const BYTES: usize = 65_536;
const EVERY: Duration = Duration::from_millis(200);
const PATIENCE: Duration = Duration::from_secs(30);
/// Behind one address, as behind a carrier's.
const PAYERS: u8 = 50;
/// Accounts of those who watch before the flood, and beside it.
const BEFORE: u8 = 0;
const BESIDE: u8 = 100;
/// Has an account and pays with what is not signed as it should be.
const CHEAT: u8 = 60;
const NOBODY: u8 = 99;
/// Each with an address of its own.
const HOSTS: u8 = 50;
const CONNECTIONS_OF_EACH: u8 = 20;
/// What a host holds at a time: in all three times the places of strangers.
const HELD: usize = 8;
const STRANGERS: u32 = 128;
/// How long the control is watched, and the flood at least.
const WATCHED: Duration = Duration::from_secs(3);
/// A stranger gives up one attempt after this, and all of them after that.
const ATTEMPT: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(10);
/// What every player holds in store, at least.
const IN_STORE: Duration = Duration::from_secs(2);
/// Before the next call.
const AGAIN: Duration = Duration::from_millis(100);
/// What a request to the node takes.
const LOOK_UP: Duration = Duration::from_millis(2);

fn account(of: u8) -> AccountId {
	AccountId([of; 32])
}

/// Of a node; those with a number are strangers'.
fn peer_key(of: u8, number: u8) -> KeyPair {
	let mut seed = [of; 32];
	seed[..2].copy_from_slice(&[0xee, number]);
	KeyPair::from_seed(seed)
}

fn session_key(of: u8) -> KeyPair {
	KeyPair::from_seed([of; 32])
}

/// Those who pay, and the cheat, have the means; nobody else has.
#[derive(Clone, Default)]
struct Town {
	asked: Arc<AtomicUsize>,
}

impl Ledger for Town {
	type Error = &'static str;

	async fn viewer_account(&self, id: &AccountId) -> Result<(BlockNumber, ViewerAccount), Self::Error> {
		self.asked.fetch_add(1, Ordering::Relaxed);
		sleep(LOOK_UP).await;
		let of = id.0[0];
		let account = match of == CHEAT || (1..=PAYERS).contains(&(of % BESIDE)) {
			true => ViewerAccount {
				deposit: 50 * USDC,
				sessions: vec![SessionInfo {
					key: session_key(of).public(),
					..fixture::account().sessions.remove(0)
				}],
				..ViewerAccount::default()
			},
			false => ViewerAccount::default(),
		};
		Ok((BLOCK, account))
	}

	async fn vouchers_paid(&self, _: &VoucherPlace) -> Result<VoucherTotals, Self::Error> {
		Ok(VoucherTotals::default())
	}

	async fn channel(&self, _: &ChannelKey) -> Result<(BlockNumber, Option<ChannelInfo>), Self::Error> {
		sleep(LOOK_UP).await;
		Ok((BLOCK, None))
	}
}

struct Relayer {
	address: Address,
	desk: Arc<Desk<Town>>,
	feed: Feed,
	serving: JoinHandle<()>,
	_node: Node,
}

impl Relayer {
	async fn start(store: Arc<Store>, town: Town) -> Self {
		let book = fixture::book_config();
		let book = TicketBook::new(BookConfig {
			min_face_value: 1,
			credit: CreditConfig {
				max_sessions: 1_000,
				..book.credit
			},
			..book
		});
		let load = Arc::new(Load::new(256, None));
		let offer = Offer {
			baseline: PRICE,
			highest: PRICE,
			places: 256,
			rule: Rule::new(Kind::Tickets, PRICE, FACE_VALUE, Duration::from_secs(300)),
		};
		let served = Served::new(fixture::STREAM, offer, fixture::terms().counter, load.clone());
		let desk = Arc::new(Desk {
			streams: [served].into_iter().collect(),
			load,
			recipient: fixture::RECIPIENT,
			face_value: FACE_VALUE,
			credit: 2 * 65_536,
			interval: 0,
			max_ticket_life: fixture::MAX_TICKET_LIFE,
			signer: fixture::signer(),
			accounts: Accounts::new(town, Pace::default()),
			tip: Tip::fixed(Head {
				best: BLOCK,
				finalised: BLOCK,
			}),
			leniency: Default::default(),
			recorder: Recorder::start(store.clone(), 1_000_000).unwrap(),
			held: Arc::new(tokio::sync::Semaphore::new(MAX_HELD)),
			store,
			book: Mutex::new(book),
			reserve: None,
			genesis: GENESIS,
			orders: mpsc::channel(1).0,
			pending: Default::default(),
			carries: Default::default(),
			directory: Default::default(),
		});
		desk.at_block(BLOCK);
		let limits = Limits {
			strangers: STRANGERS,
			..Limits::default()
		};
		let (node, incoming) = Node::start(&fixture::relayer_key(), limits).unwrap();
		let address = node
			.listen("/ip4/127.0.0.1/udp/0/quic-v1".parse().unwrap())
			.await
			.unwrap();
		let feed = Feed::new(64 << 20);
		let serving = tokio::spawn(serve(
			incoming,
			feed.clone(),
			desk.clone(),
			Config::new(GENESIS, fixture::relayer_key().public()),
			std::future::pending(),
		));
		Self {
			address,
			desk,
			feed,
			serving,
			_node: node,
		}
	}
}

/// Pays for this account with this key.
fn viewer(account: AccountId, key: &PublicKey) -> ViewerSession {
	let mut session = ViewerSession::new(ViewerConfig {
		payment: Some(PaymentTerms {
			session: SessionKey { account, key: *key },
			vouchers: false,
			..fixture::viewer_config().payment.unwrap()
		}),
		..fixture::viewer_config()
	});
	session.set_head(BLOCK);
	session
}

fn purse(of: u8) -> Purse {
	let config = PurseConfig {
		sender: account(of),
		..fixture::purse_config()
	};
	let mut purse = Purse::new(config, session_key(of));
	purse.reserve(&fixture::RECIPIENT, BLOCK).unwrap();
	purse
}

/// What one of those who pay saw.
#[derive(Debug, Default)]
struct Seen {
	/// From the call to the first window.
	began: Duration,
	longest_gap: Duration,
	windows: usize,
	acknowledged: usize,
	/// That did not come through.
	calls: usize,
}

/// Calls until there is an answer, as a player does.
async fn call(node: &Node, of: u8, to: &Address, seen: &mut Seen) -> Subscription {
	loop {
		match node.connect(to).await {
			Ok(stream) => {
				let session = viewer(account(of), &session_key(of).public());
				return Subscription::new(stream, session, PATIENCE);
			},
			Err(ConnectError::Full | ConnectError::Lost | ConnectError::Unreachable(_)) => seen.calls += 1,
			Err(error) => panic!("{of} cannot call: {error}"),
		}
		sleep(AGAIN).await;
	}
}

/// Watches and pays until it is told that it is over.
async fn pay(of: u8, to: Address, over: Arc<AtomicBool>) -> Seen {
	let node = Node::start(&peer_key(of, 0), Limits::default()).unwrap().0;
	let called = Instant::now();
	let (mut purse, mut seen, mut last) = (purse(of), Seen::default(), None);
	let mut subscription = call(&node, of, &to, &mut seen).await;
	while !over.load(Ordering::Relaxed) {
		let event = match timeout(PATIENCE, subscription.next()).await.expect("an event") {
			Ok(event) => event,
			// Not served yet: it makes room, and calls again.
			Err(Error::Io(_)) if last.is_none() => {
				seen.calls += 1;
				subscription = call(&node, of, &to, &mut seen).await;
				continue;
			},
			Err(error) => panic!("{of} lost the relayer: {error}"),
		};
		match event {
			Event::Challenged(challenge) => {
				let signed = purse.subscribe(challenge);
				subscription.session().subscribe(signed);
			},
			Event::Window(_) => {
				match last.replace(Instant::now()) {
					None => seen.began = called.elapsed(),
					Some(before) => seen.longest_gap = seen.longest_gap.max(before.elapsed()),
				}
				seen.windows += 1;
			},
			Event::PaymentDue(due) => {
				purse.reserve(&due.recipient, BLOCK);
				let payment = purse.pay(&due, BLOCK).unwrap();
				// Refused where it is told that it is over.
				let _ = subscription.session().pay(&due, payment);
			},
			Event::Paid(_) => seen.acknowledged += 1,
			Event::Ended(reason) => panic!("{of} is sent away: {reason}"),
			_ => {},
		}
	}
	subscription.leave(PATIENCE).await;
	seen
}

/// What strangers had.
#[derive(Default)]
struct Loot {
	windows: AtomicUsize,
	connected: AtomicUsize,
	reasons: Mutex<BTreeSet<String>>,
}

/// One bogus connection after another from one host; holds some of them until it is over.
async fn bother(host: u8, to: Address, loot: Arc<Loot>, done: mpsc::Sender<()>, mut over: watch::Receiver<bool>) {
	let mut held = VecDeque::new();
	for n in 0..CONNECTIONS_OF_EACH {
		if *over.borrow() {
			break;
		}
		let key = peer_key(host, n + 1);
		let node = Node::start(&key, Limits::default()).unwrap().0;
		node.listen(format!("/ip4/127.0.1.{host}/udp/0/quic-v1").parse().unwrap())
			.await
			.unwrap();
		let Ok(Ok(mut stream)) = timeout(ATTEMPT, node.connect(&to)).await else {
			continue;
		};
		loot.connected.fetch_add(1, Ordering::Relaxed);
		let kept = match n % 4 {
			// Says nothing.
			0 => Some(stream),
			// More than any message has.
			1 => {
				let _ = stream.write_all(Bytes::from_static(&[0xff; 9])).await;
				let _ = stream.write_all(Bytes::from(vec![0; 1 << 20])).now_or_never();
				Some(stream)
			},
			// In the name of somebody who pays, with a key of its own.
			2 => {
				let _ = timeout(ATTEMPT, steal(stream, BESIDE + host, key, &loot, None)).await;
				None
			},
			// For an account that nobody has.
			_ => {
				let _ = timeout(ATTEMPT, steal(stream, NOBODY, key, &loot, None)).await;
				None
			},
		};
		held.push_back((node, kept));
		if held.len() > HELD {
			held.pop_front();
		}
	}
	let _ = done.try_send(());
	let _ = over.wait_for(|over| *over).await;
}

/// Subscribes for this account with this key, until it is sent away; pays with what this makes of a payment.
async fn steal(stream: Stream, of: u8, key: KeyPair, loot: &Loot, spoil: Option<fn(Payment) -> Payment>) {
	let mut subscription = Subscription::new(stream, viewer(account(of), &key.public()), PATIENCE);
	let mut purse = purse(of);
	loop {
		match subscription.next().await {
			Ok(Event::Challenged(challenge)) => {
				let signed = key.sign(challenge, &GENESIS);
				subscription.session().subscribe(signed);
			},
			Ok(Event::Window(_)) => drop(loot.windows.fetch_add(1, Ordering::Relaxed)),
			Ok(Event::PaymentDue(due)) => {
				if let (Some(spoil), Ok(payment)) = (spoil, purse.pay(&due, BLOCK)) {
					let _ = subscription.session().pay(&due, spoil(payment));
				}
			},
			Ok(Event::Ended(reason)) => {
				loot.reasons.lock().unwrap().insert(format!("{reason:?}"));
				return;
			},
			Ok(_) => {},
			Err(_) => return,
		}
	}
}

/// A thousand bogus connections from fifty addresses beside fifty who pay behind one: half of these watch already, half of them
/// come in the middle of it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn thousand_strangers_stall_nobody_who_pays_and_have_nothing() {
	let dir = tempfile::tempdir().unwrap();
	let store = Arc::new(Store::open(&dir.path().join("winners.redb"), &GENESIS).unwrap());
	let town = Town::default();
	let relayer = Relayer::start(store, town.clone()).await;
	let feed = relayer.feed.clone();
	let broadcast = tokio::spawn(async move {
		let mut broadcast = Broadcast::default();
		let mut ticks = tokio::time::interval(EVERY);
		for n in 0_u32.. {
			ticks.tick().await;
			feed.push(broadcast.segment(&fixture::media(BYTES, n as u8)));
		}
	});
	let watch = |who: std::ops::RangeInclusive<u8>| {
		let over = Arc::new(AtomicBool::new(false));
		let mut watching = JoinSet::new();
		for of in who {
			watching.spawn(pay(of, relayer.address.clone(), over.clone()));
		}
		(watching, over)
	};
	let finish = async |(watching, over): (JoinSet<Seen>, Arc<AtomicBool>)| {
		over.store(true, Ordering::Relaxed);
		timeout(PATIENCE, watching.join_all()).await.expect("they end")
	};
	let longest = |seen: &[Seen]| seen.iter().map(|seen| seen.longest_gap).max().unwrap();
	let latest = |seen: &[Seen]| seen.iter().map(|seen| seen.began).max().unwrap();

	let control = watch(BEFORE + 1..=BEFORE + PAYERS);
	sleep(WATCHED).await;
	let control = finish(control).await;

	let first = watch(BESIDE + 1..=BESIDE + PAYERS / 2);
	sleep(WATCHED / 4).await;
	let (loot, begun) = (Arc::<Loot>::default(), Instant::now());
	let mut strangers = JoinSet::new();
	let flood_over = watch::Sender::new(false);
	let (done, mut all_done) = mpsc::channel(HOSTS.into());
	for host in 1..=HOSTS {
		let (to, over) = (relayer.address.clone(), flood_over.subscribe());
		strangers.spawn(bother(host, to, loot.clone(), done.clone(), over));
	}
	let cheating = async {
		let node = Node::start(&peer_key(CHEAT, 0), Limits::default()).unwrap().0;
		for _ in 0..20 {
			let Ok(stream) = node.connect(&relayer.address).await else {
				continue;
			};
			let spoiled: fn(Payment) -> Payment = |payment| match payment {
				Payment::Ticket(mut ticket) => {
					ticket.message.bytes += 1;
					Payment::Ticket(ticket)
				},
				other => other,
			};
			steal(stream, CHEAT, session_key(CHEAT), &loot, Some(spoiled)).await;
		}
	};
	let joining = async {
		sleep(WATCHED / 4).await;
		watch(BESIDE + PAYERS / 2 + 1..=BESIDE + PAYERS)
	};
	let flood = async {
		let all = async {
			for _ in 0..HOSTS {
				all_done.recv().await.unwrap();
			}
		};
		// As many as a busy machine makes in this time.
		let _ = timeout(LONGEST, all).await;
	};
	let ((), (), second, ()) = tokio::join!(flood, cheating, joining, sleep(WATCHED));
	let (first, second) = (finish(first).await, finish(second).await);
	// Until here they hold what they have.
	flood_over.send_replace(true);
	strangers.join_all().await;
	let took = begun.elapsed();

	println!(
		"control: longest gap {:?}, first window after {:?}",
		longest(&control),
		latest(&control)
	);
	println!(
		"flood of {took:?}, {} connected: {:?}",
		loot.connected.load(Ordering::Relaxed),
		loot.reasons.lock().unwrap()
	);
	println!(
		"beside it: {:?}; joining: {:?}, after {:?}",
		longest(&first),
		longest(&second),
		latest(&second)
	);
	println!("{} accounts asked for", town.asked.load(Ordering::Relaxed));
	let bound = longest(&control) + IN_STORE;
	assert!(longest(&first) < bound && longest(&second) < bound, "stalled");
	assert!(latest(&second) < latest(&control) + Duration::from_secs(3), "shut out");
	assert!(first
		.iter()
		.chain(&second)
		.all(|seen| seen.windows > 5 && seen.windows <= seen.acknowledged + 3));
	let connected = loot.connected.load(Ordering::Relaxed);
	assert!(connected > 2 * STRANGERS as usize, "{connected}");
	let stolen = loot.windows.load(Ordering::Relaxed);
	assert!(
		(1..=40).contains(&stolen),
		"the cheat has its credit each time that it comes, until its debt is as large as it may be: {stolen}"
	);
	let payers: BTreeSet<_> = relayer.desk.payers().into_iter().map(|payer| payer.account).collect();
	let honest: BTreeSet<_> = (1..=PAYERS)
		.flat_map(|of| [account(BEFORE + of), account(BESIDE + of)])
		.collect();
	let others: Vec<_> = payers.difference(&honest).collect();
	assert!(others.iter().all(|other| **other == account(CHEAT)), "{others:?}");
	broadcast.abort();
	relayer.serving.abort();
	let refused = loot.reasons.lock().unwrap();
	assert!(
		refused.iter().any(|reason| reason.contains("UnknownSession")),
		"{refused:?}"
	);
	assert!(!refused.contains(&format!("{:?}", EndReason::Unpaid)), "{refused:?}");
}
