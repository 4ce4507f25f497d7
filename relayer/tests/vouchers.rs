//! A viewer who stays, over real QUIC: first by ticket, then by voucher, through a relayer that is killed and a purse
//! that forgets.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../../protocol/src/fixture.rs"]
mod fixture;

use clustercast_chain::{Head, Tip};
use clustercast_network::{
	client::Subscription,
	node::Limits,
	serve::{serve, Config},
	Address, Feed, Node,
};
use clustercast_primitives::{
	amount::USDC,
	chain::{ChannelInfo, ChannelKey, ViewerAccount, VoucherPlace, VoucherTotals},
	receipt::Kind,
	AccountId, Balance, BlockNumber, Hash,
};
use clustercast_protocol::{
	viewer::Event, BookConfig, EncodedWindow, EndReason, PaymentMode, Purse, Resume, Share, TicketBook, ViewerConfig,
	ViewerSession,
};
use clustercast_relayer::{
	accounts::{Accounts, Ledger, Pace},
	desk::{Desk, MAX_HELD},
	payment::{Payment, Rule},
	recorder::Recorder,
	store::Store,
	streams::{Offer, Served},
	surge::Load,
};
use fixture::{Broadcast, GENESIS};
use std::{
	path::Path,
	sync::{Arc, Mutex},
	time::Duration,
};
use tokio::{sync::mpsc, task::JoinHandle, time::timeout};

const BLOCK: u32 = 10_000;
/// A window costs a whole number of micro-USDC.
const PRICE: u64 = 1_953_125;
const FACE_VALUE: Balance = 1_000;
/// Of each window: two units of a ticket, so that nothing is paid ahead.
const BYTES: usize = 131_072;
/// Price of a window.
const WINDOW: Balance = 256;
const PATIENCE: Duration = Duration::from_secs(60);

/// Every account is the fixture's; no voucher has paid anything.
struct Rich;

impl Ledger for Rich {
	type Error = &'static str;

	async fn viewer_account(&self, _: &AccountId) -> Result<(BlockNumber, ViewerAccount), Self::Error> {
		Ok((BLOCK, fixture::account()))
	}

	async fn vouchers_paid(&self, _: &VoucherPlace) -> Result<VoucherTotals, Self::Error> {
		Ok(VoucherTotals::default())
	}

	async fn channel(&self, _: &ChannelKey) -> Result<(BlockNumber, Option<ChannelInfo>), Self::Error> {
		Ok((BLOCK, None))
	}
}

/// A relayer on loopback.
struct Relayer {
	address: Address,
	desk: Arc<Desk<Rich>>,
	feed: Feed,
	serving: JoinHandle<()>,
	node: Node,
}

impl Relayer {
	/// With what its folder holds, and these windows.
	async fn start(dir: &Path, windows: &[EncodedWindow], payment: Payment) -> Self {
		let store = Arc::new(Store::open(&dir.join("winners.redb"), &GENESIS).unwrap());
		let mut book = TicketBook::new(BookConfig {
			min_face_value: 1,
			..fixture::book_config()
		});
		for (_, winner) in store.winners().unwrap() {
			book.restore(&winner.ticket);
		}
		for (kept, _) in store.owing().unwrap() {
			book.restore_voucher(&kept.newest.message, kept.settled, BLOCK);
		}
		let load = Arc::new(Load::new(10, None));
		let offer = Offer {
			baseline: PRICE,
			highest: PRICE,
			places: 10,
			rule: Rule::new(payment, PRICE, FACE_VALUE, Duration::from_secs(300)),
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
			accounts: Accounts::new(Rich, Pace::default()),
			tip: Tip::fixed(Head {
				best: BLOCK,
				finalised: BLOCK,
			}),
			recorder: Recorder::start(store.clone(), 1_000_000).unwrap(),
			held: Arc::new(tokio::sync::Semaphore::new(MAX_HELD)),
			store,
			book: Mutex::new(book),
			reserve: None,
			genesis: GENESIS,
			orders: mpsc::channel(1).0,
			leniency: Default::default(),
			pending: Default::default(),
			carries: Default::default(),
			directory: Default::default(),
		});
		desk.at_block(BLOCK);
		let (node, incoming) = Node::start(&fixture::relayer_key(), Limits::default()).unwrap();
		let address = node
			.listen("/ip4/127.0.0.1/udp/0/quic-v1".parse().unwrap())
			.await
			.unwrap();
		let feed = Feed::new(64 << 20);
		for window in windows {
			assert!(feed.push(window.clone()));
		}
		let policy = desk.clone();
		let serving = tokio::spawn(serve(
			incoming,
			feed.clone(),
			policy,
			Config::new(GENESIS, fixture::relayer_key().public()),
			std::future::pending(),
		));
		Self {
			address,
			desk,
			feed,
			serving,
			node,
		}
	}

	fn newest(&self) -> Balance {
		let place = VoucherPlace {
			session: fixture::session().key,
			recipient: fixture::RECIPIENT,
			stream: fixture::STREAM,
			kind: Kind::LIVE,
			context: Hash([0; 32]),
			terms: fixture::terms().counter,
		};
		let kept = self.desk.store.voucher(&place).unwrap();
		kept.map_or(0, |kept| kept.newest.message.amount)
	}

	/// Nobody is told; only the folder is left.
	async fn kill(self) {
		self.serving.abort();
		let _ = self.serving.await;
		drop(self.node);
		let store = self.desk.store.clone();
		drop(self.desk);
		// Its tasks let the file go.
		let released = async {
			while Arc::strong_count(&store) > 1 {
				tokio::time::sleep(Duration::from_millis(1)).await;
			}
		};
		timeout(PATIENCE, released).await.expect("the store is released");
	}
}

/// What a viewer saw of one subscription.
#[derive(Default)]
struct Seen {
	windows: usize,
	by_ticket: usize,
	by_voucher: usize,
	acknowledged: usize,
	modes: Vec<bool>,
	ended: Option<EndReason>,
}

/// A viewer who goes on behind this window.
fn viewer(resume: Option<Resume>) -> ViewerSession {
	let mut session = ViewerSession::new(ViewerConfig {
		resume,
		..fixture::viewer_config()
	});
	session.set_head(BLOCK);
	session
}

/// Watches until `count` windows are paid and acknowledged, or the relayer ends it.
async fn watch(node: &Node, relayer: &Relayer, purse: &mut Purse, resume: &mut Option<Resume>, count: usize) -> Seen {
	let session = viewer(resume.clone());
	let stream = node.connect(&relayer.address).await.unwrap();
	let mut subscription = Subscription::new(stream, session, PATIENCE);
	let mut seen = Seen::default();
	while seen.acknowledged < count && seen.ended.is_none() {
		let event = timeout(PATIENCE, subscription.next()).await.expect("an event").unwrap();
		match event {
			Event::Challenged(challenge) => {
				let signed = purse.subscribe(challenge);
				subscription.session().subscribe(signed);
			},
			Event::Terms(Some(terms)) => {
				assert_eq!(terms.price_per_gb, PRICE);
				if let PaymentMode::Vouchers { newest: Some(newest) } = &terms.mode {
					purse.adopt(newest).unwrap();
				}
				seen.modes.push(matches!(terms.mode, PaymentMode::Vouchers { .. }));
			},
			Event::Window(window) => {
				seen.windows += 1;
				*resume = Some(Resume::after(&window));
			},
			Event::PaymentDue(due) => {
				match due.share {
					Share::Ticket { .. } => seen.by_ticket += 1,
					Share::Voucher { .. } => seen.by_voucher += 1,
				}
				purse.reserve(&due.recipient, BLOCK);
				let payment = purse.pay(&due, BLOCK).unwrap();
				subscription.session().pay(&due, payment).unwrap();
			},
			Event::Paid(_) => seen.acknowledged += 1,
			Event::Ended(reason) => seen.ended = Some(reason),
			_ => {},
		}
		assert!(seen.windows <= seen.acknowledged + 2, "beyond its credit");
	}
	seen
}

fn windows(count: usize) -> Vec<EncodedWindow> {
	let mut broadcast = Broadcast::default();
	(0..count)
		.map(|n| broadcast.segment(&fixture::media(BYTES, n as u8)))
		.collect()
}

#[tokio::test]
async fn viewer_who_stays_goes_on_by_voucher_through_a_kill_and_a_lost_purse() {
	let (dir, windows) = (tempfile::tempdir().unwrap(), windows(45));
	let viewer = Node::start(&fixture::stream_key(), Limits::default()).unwrap().0;
	let mut purse = Purse::new(fixture::purse_config(), fixture::session_key());
	let stored = purse.reserve(&fixture::RECIPIENT, BLOCK).unwrap();
	let mut resume = None;

	// Twelve windows of 256 are worth three tickets, whose fees are a channel's: the rest is by voucher.
	let relayer = Relayer::start(dir.path(), &windows[..1], Payment::Auto).await;
	let feed = relayer.feed.clone();
	let behind = tokio::spawn({
		let windows = windows.clone();
		async move {
			for window in &windows[1..32] {
				tokio::time::sleep(Duration::from_millis(5)).await;
				feed.push(window.clone());
			}
		}
	});
	let seen = watch(&viewer, &relayer, &mut purse, &mut resume, 26).await;
	behind.await.unwrap();
	assert_eq!((seen.modes, seen.ended), (vec![false, true], None));
	assert!(
		seen.by_ticket >= 12 && seen.by_ticket <= 14,
		"{} by ticket",
		seen.by_ticket
	);
	assert!(seen.by_voucher >= 26 - seen.by_ticket);
	let before = relayer.newest();
	let acknowledged = (seen.acknowledged - seen.by_ticket) as Balance * WINDOW;
	assert!(before >= acknowledged, "on disk before it is acknowledged");
	relayer.kill().await;

	// The purse forgets its vouchers, and the relayer all but its disk: it shows the viewer where they were.
	purse = Purse::restore(fixture::purse_config(), fixture::session_key(), &stored).unwrap();
	let relayer = Relayer::start(dir.path(), &windows, Payment::Auto).await;
	let kept = relayer.newest();
	assert!(kept >= before);
	let again = watch(&viewer, &relayer, &mut purse, &mut resume, 10).await;
	assert_eq!(
		(again.modes, again.ended),
		(vec![true], None),
		"its voucher speaks for it"
	);
	assert_eq!(again.by_ticket, 0);
	assert_eq!(relayer.newest() % WINDOW, 0);
	assert!(relayer.newest() >= kept + 10 * WINDOW);
	let verified = (seen.by_voucher + again.by_voucher) as Balance * WINDOW;
	assert!(
		relayer.newest() <= verified,
		"never twice: {} of {verified}",
		relayer.newest()
	);
	assert!(purse.spent() <= USDC);
	relayer.kill().await;
}

#[tokio::test]
async fn viewer_who_signs_the_same_money_again_is_sent_away_within_its_credit() {
	let (dir, windows) = (tempfile::tempdir().unwrap(), windows(10));
	let relayer = Relayer::start(dir.path(), &windows, Payment::Vouchers).await;
	let viewer = Node::start(&fixture::stream_key(), Limits::default()).unwrap().0;
	let mut honest = Purse::new(fixture::purse_config(), fixture::session_key());
	let mut resume = Some(Resume::after(&windows[0]));
	let seen = watch(&viewer, &relayer, &mut honest, &mut resume, 3).await;
	assert_eq!(seen.by_ticket, 0);
	let owed = relayer.newest();
	assert!(owed >= 3 * WINDOW);

	let session = self::viewer(resume);
	let stream = viewer.connect(&relayer.address).await.unwrap();
	let mut subscription = Subscription::new(stream, session, PATIENCE);
	let mut received = 0;
	let reason = loop {
		match timeout(PATIENCE, subscription.next()).await.expect("an event").unwrap() {
			Event::Challenged(challenge) => {
				let signed = honest.subscribe(challenge);
				subscription.session().subscribe(signed);
			},
			Event::Window(_) => received += 1,
			Event::PaymentDue(due) => {
				// A purse that knows nothing, for each window.
				let mut purse = Purse::new(fixture::purse_config(), fixture::session_key());
				let payment = purse.pay(&due, BLOCK).unwrap();
				// The relayer may have ended it meanwhile.
				let _ = subscription.session().pay(&due, payment);
			},
			Event::Ended(reason) => break reason,
			_ => {},
		}
	};
	assert!(matches!(reason, EndReason::TicketRefused(_)), "{reason:?}");
	assert!(received <= 2, "{received} windows");
	// The honest one's last voucher may have been on its way still.
	assert!(
		(owed..=honest.spent()).contains(&relayer.newest()),
		"{}",
		relayer.newest()
	);
	relayer.kill().await;
}
