//! A viewer on real QUIC connections, with relayers that keep to the protocol and relayers that do not.

use super::*;
use crate::{
	accusation::Reporter,
	pocket::StateFolder,
	roster::{self, Roster},
	summary::RelayerFigures,
};
use bytes::Bytes;
use clustercast_chain::ChainError;
use clustercast_network::{node, Address, Stream};
use clustercast_primitives::{
	amount,
	catalog::Track,
	chain::{ChannelInfo, ChannelKey, RelayerInfo, SessionInfo, TicketRefusal, VoucherPlace, VoucherTotals, PPM},
	channel::Reservation,
	crypto::KeyPair,
	Hash, SignedStatus, StreamId, WindowId,
};
use clustercast_protocol::{
	relayer, Broadcast, Cursor, PaymentMode, PurseConfig, ReceiptSigner, RelayerSession, ReserveTerms, Terms,
	TicketError,
};
use std::{
	collections::HashMap,
	io,
	path::PathBuf,
	sync::{
		atomic::{AtomicUsize, Ordering},
		Arc, Mutex,
	},
};

const GENESIS: Hash = Hash([7; 32]);
const STREAM: StreamId = StreamId(3);
const WINDOWS: u64 = 8;
const PRICE: u64 = 1_000_000;
const BLOCK: BlockNumber = 1_000;
/// Windows ahead of payment.
const CREDIT: u64 = 2;
/// Of each window: four chunks, and what a ticket pays for.
const BYTES: u32 = 65_536;
const BROADCASTER: [u8; 32] = [1; 32];
/// Where the tricks happen: in the middle of the broadcast.
const AT: u64 = 3;
/// Far longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(120);
/// Far longer than an honest relayer takes, on a busy machine too; waited for in one test.
const STALL: Duration = Duration::from_secs(8);

/// Within this a relayer that stalls has brought all that it brings, on a busy machine too.
const ALL_IS_HERE: Duration = Duration::from_millis(800);

/// What a relayer does when the window [`AT`] is due.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Trick {
	None,
	/// In its media bytes.
	FlipBit,
	/// The first two, which are whole.
	SwapChunks,
	/// The one before, again.
	Replay,
	/// The one behind, in its place.
	Omit,
	/// Says nothing more.
	Stall,
	End(EndReason),
	/// From the beginning: ten times the price.
	Dear,
	/// From the beginning: terms of the stream that the chain does not have.
	UnknownTerms,
	/// Asks to have so much reserved, and serves nothing before.
	Asks(Balance),
}

impl Trick {
	/// Whether it comes in the middle, once all before it is paid.
	fn is_sudden(self) -> bool {
		!matches!(self, Self::None | Self::Dear | Self::UnknownTerms | Self::Asks(_))
	}

	fn asks(self) -> Option<ReserveTerms> {
		match self {
			Self::Asks(least) => Some(ReserveTerms { least, reward: 300 }),
			_ => None,
		}
	}
}

/// What the chain says that was paid before.
const PAID: Balance = 40_000;

/// A whole broadcast, and the broadcaster's last word.
fn broadcast(seed: [u8; 32]) -> (Vec<EncodedWindow>, SignedStatus) {
	let key = KeyPair::from_seed(seed);
	let mut broadcast = Broadcast::begin(key, GENESIS, STREAM, 1, Hash([0; 32]), 0);
	broadcast.describe(Track::unknown(b"init"), Bytes::from_static(b"init"));
	let sign = |segment| {
		// No two chunks alike.
		let data: Vec<u8> = (0..BYTES)
			.map(|i| ((i + segment as u32).wrapping_mul(2_654_435_761) >> 24) as u8)
			.collect();
		broadcast.segment(1_700_000_000_000 + segment * 2_000, &data).unwrap()
	};
	let windows = (0..WINDOWS).map(sign).collect();
	(windows, broadcast.end())
}

fn id(segment: u64) -> WindowId {
	WindowId {
		stream: STREAM,
		track: 0,
		epoch: 1,
		segment,
		part: 0,
	}
}

/// Segments that were paid, and what was reserved.
type Notes = (Arc<Mutex<Vec<u64>>>, Arc<Mutex<Vec<Reservation>>>);

/// A relayer on loopback; remembers the tickets that it was paid.
struct TestRelayer {
	address: Address,
	/// Segments of the windows that were paid.
	paid: Arc<Mutex<Vec<u64>>>,
	reserved: Arc<Mutex<Vec<Reservation>>>,
	_node: Node,
}

impl TestRelayer {
	async fn start(seed: u8, (windows, end): (Vec<EncodedWindow>, SignedStatus), trick: Trick) -> Self {
		let key = KeyPair::from_seed([seed; 32]);
		let (node, mut incoming) = Node::start(&key, node::Limits::default()).unwrap();
		let address = node
			.listen("/ip4/127.0.0.1/udp/0/quic-v1".parse().unwrap())
			.await
			.unwrap();
		let paid = Arc::new(Mutex::new(Vec::new()));
		let reserved = Arc::new(Mutex::new(Vec::new()));
		let (noted, noted_too) = (paid.clone(), reserved.clone());
		tokio::spawn(async move {
			let signer = ReceiptSigner::new(key, [seed; 32]);
			signer.set_block(BLOCK);
			let signer = Arc::new(signer);
			while let Some((_, stream)) = incoming.accept().await {
				let content = (windows.clone(), end.clone());
				let notes = (noted.clone(), noted_too.clone());
				tokio::spawn(serve(stream, content, trick, signer.clone(), notes));
			}
		});
		Self {
			address,
			paid,
			reserved,
			_node: node,
		}
	}

	fn paid_windows(&self) -> Vec<u64> {
		self.paid.lock().unwrap().clone()
	}
}

async fn serve(
	mut stream: Stream,
	(windows, end): (Vec<EncodedWindow>, SignedStatus),
	trick: Trick,
	signer: Arc<ReceiptSigner>,
	(paid, reserved): Notes,
) -> Option<()> {
	let binding = Binding::PeerKey(signer.public().0);
	let mut session = RelayerSession::new(GENESIS, Hash(rand::random()), vec![binding]);
	let mut owed = HashMap::new();
	let mut buffer = vec![0; 4_096];
	loop {
		while let Some(cursor) = session.wants() {
			let next = match cursor {
				Cursor::Live { .. } => 0,
				Cursor::After { id: last, .. } => last.segment + 1,
			};
			let all_paid = session.unpaid().is_empty();
			let window = match trick {
				_ if trick.is_sudden() && next == AT && !all_paid => None,
				Trick::Asks(_) if reserved.lock().unwrap().is_empty() => None,
				Trick::Stall if next == AT => None,
				Trick::End(reason) if next == AT => {
					session.end(reason);
					None
				},
				Trick::Omit if next == AT => windows.get(next as usize + 1),
				_ => windows.get(next as usize),
			};
			match window {
				Some(window) => {
					let expected = session.deliver(window).unwrap().expect("a ticket pays each window");
					owed.insert(expected.commitment, expected.window.segment);
				},
				None if next == WINDOWS && all_paid => {
					session.status(&end);
					session.end(EndReason::Finished);
				},
				None => break,
			}
		}
		if transmit(&mut stream, &mut session, &windows[AT as usize - 1..], trick)
			.await
			.ok()?
		{
			// There may be room for another window.
			continue;
		}
		let length = stream.read(&mut buffer).await.ok().filter(|n| *n > 0)?;
		session.handle(&buffer[..length]).ok()?;
		while let Some(event) = session.poll_event() {
			match event {
				relayer::Event::Subscribed(_) => {
					let dear = if trick == Trick::Dear { 10 } else { 1 };
					let terms = Terms {
						recipient: AccountId([9; 32]),
						price_per_gb: PRICE * dear,
						mode: PaymentMode::Tickets { face_value: 100_000 },
						credit: CREDIT as u32 * BYTES,
						interval: 0,
						counter: if trick == Trick::UnknownTerms { 2 } else { 0 },
						reserve: trick.asks(),
					};
					session.accept(terms, signer.clone()).unwrap();
				},
				relayer::Event::Ticket(ticket) => {
					let commitment = ticket.message.commitment;
					session.paid(commitment).unwrap();
					paid.lock().unwrap().push(owed[&commitment]);
				},
				relayer::Event::Reserve(reservation) => {
					let message = reservation.message;
					session.reserved(message.counter);
					reserved.lock().unwrap().push(message);
				},
				relayer::Event::Voucher { .. } => panic!("a voucher where tickets are agreed"),
				relayer::Event::Fetch(_) | relayer::Event::Cancel(_) => panic!("all comes by itself"),
			}
		}
	}
}

/// Says and sends all that is queued, as the trick has it; whether there was anything. `windows` begin with the one before [`AT`].
async fn transmit(
	stream: &mut Stream,
	session: &mut RelayerSession,
	windows: &[EncodedWindow],
	trick: Trick,
) -> io::Result<bool> {
	let [before, at, ..] = windows else {
		panic!("the broadcast goes on behind {AT}");
	};
	let mut any = false;
	loop {
		while let Some(frame) = session.poll_transmit() {
			let replays = trick == Trick::Replay && frame == at.announcement(true);
			let frame = if replays { before.announcement(true) } else { frame };
			stream.write_all(frame).await?;
			any = true;
		}
		let Some(outgoing) = session.poll_sending() else {
			return Ok(any);
		};
		let [range, data] = outgoing.rest();
		let data = if outgoing.range() == at.range() {
			spoil(data, trick)
		} else {
			data
		};
		stream.send_chunks([range, data]).await?;
		session.sent(outgoing.id(), outgoing.chunks());
		session.arrived(outgoing.id());
	}
}

/// A window's chunks as the trick has them.
fn spoil(data: Bytes, trick: Trick) -> Bytes {
	let mut spoilt = data.to_vec();
	match trick {
		Trick::FlipBit => spoilt[20_000] ^= 4,
		Trick::SwapChunks => {
			let (first, second) = spoilt.split_at_mut(16_384);
			first.swap_with_slice(&mut second[..16_384]);
		},
		_ => {},
	}
	spoilt.into()
}

/// The chain's answers.
#[derive(Clone)]
struct Answers {
	/// Instead it says nothing, ever; how often it was asked.
	hangs: Option<Arc<AtomicUsize>>,
	signing_key: clustercast_primitives::PublicKey,
	/// In place of that.
	replaced: Option<StreamKeyInfo>,
	relayers: Vec<RelayerInfo>,
	account: ViewerAccount,
	/// The best block so many seconds after the start.
	block: Arc<dyn Fn(u64) -> BlockNumber + Send + Sync>,
	started: Instant,
}

impl Answers {
	async fn hang(&self) {
		if let Some(asked) = &self.hangs {
			asked.fetch_add(1, Ordering::Relaxed);
			std::future::pending().await
		}
	}
}

impl ChainView for Answers {
	fn genesis(&self) -> Hash {
		GENESIS
	}

	fn best_block(&self) -> BlockNumber {
		(self.block)(self.started.elapsed().as_secs())
	}

	async fn stream_key(&self, _: StreamId) -> Result<Option<StreamKeyInfo>, ChainError> {
		self.hang().await;
		let replaced = self.replaced.clone();
		Ok(Some(replaced.unwrap_or_else(|| stream_key(self.signing_key))))
	}

	async fn relayers(&self) -> Result<Vec<RelayerInfo>, ChainError> {
		self.hang().await;
		Ok(self.relayers.clone())
	}

	async fn account(&self, _: &AccountId) -> Result<ViewerAccount, ChainError> {
		self.hang().await;
		Ok(self.account.clone())
	}

	async fn paid(
		&self,
		_: ChannelKey,
		places: Vec<VoucherPlace>,
	) -> Result<(ChannelInfo, Vec<VoucherTotals>), ChainError> {
		self.hang().await;
		let channel = ChannelInfo {
			paid: PAID,
			..ChannelInfo::default()
		};
		Ok((channel, vec![VoucherTotals::default(); places.len()]))
	}
}

fn stream_key(signing_key: clustercast_primitives::PublicKey) -> StreamKeyInfo {
	StreamKeyInfo {
		id: STREAM,
		owner: AccountId([8; 32]),
		broadcaster: AccountId([8; 32]),
		payee: AccountId([8; 32]),
		signing_key,
		title: "test".into(),
		category: String::new(),
		max_viewers: 0,
		price_per_gb: PRICE,
		max_surge_ppm: PPM,
		broadcaster_share_ppm: 0,
		terms_counter: 0,
		change: None,
		previous_keys: Vec::new(),
		deposit: 0,
		flagged: false,
		sale_price: None,
		rent_offer: None,
		rented_until: None,
	}
}

/// A session of a million USDC that lasts until this block.
fn lasting(key: clustercast_primitives::PublicKey, expiry: BlockNumber) -> SessionInfo {
	SessionInfo {
		key,
		limit: 1_000_000_000_000,
		spent: 0,
		extra_limit: 0,
		extra_spent: 0,
		expiry,
		registered: 1,
	}
}

struct Test {
	viewing: Viewing<Answers>,
	seen: PathBuf,
	stop: watch::Sender<Option<Ended>>,
	/// What the finalised chain says of the stream.
	named: watch::Sender<Option<StreamKeyInfo>>,
	_folder: StateFolder,
	_dir: tempfile::TempDir,
}

impl Test {
	async fn new() -> Self {
		let dir = tempfile::tempdir().unwrap();
		let seen = dir.path().join("seen");
		let folder = StateFolder::open(&dir.path().join("state")).unwrap();
		let account = AccountId([5; 32]);
		let purse = PurseConfig {
			genesis: GENESIS,
			sender: account,
			session_expiry: 100_000,
			ticket_life: 500,
			budget: 1_000_000,
		};
		let pocket = folder.adopt(&folder.fresh_key(), purse.clone()).unwrap();
		let (node, _) = Node::start(&KeyPair::from_seed(rand::random()), node::Limits::default()).unwrap();
		let signing_key = KeyPair::from_seed(BROADCASTER).public();
		let (stop, stopped) = watch::channel(None);
		let named = watch::Sender::new(Some(stream_key(signing_key)));
		let viewing = Viewing {
			chain: Answers {
				hangs: None,
				signing_key,
				replaced: None,
				relayers: Vec::new(),
				account: ViewerAccount {
					deposit: 50_000_000,
					sessions: vec![lasting(pocket.session(), purse.session_expiry)],
					..ViewerAccount::default()
				},
				block: Arc::new(|_| BLOCK),
				started: Instant::now(),
			},
			node,
			stream: stream_key(signing_key),
			named: named.subscribe(),
			keys: signing_key.into(),
			refusals: Refusals::default(),
			unusable: None,
			highest: BLOCK,
			account,
			deposit: 50_000_000,
			pocket,
			inquest: Inquest::start(None::<Reporter>, Default::default()),
			limits: Limits {
				max_price_per_gb: PRICE,
				max_face_value: Usdc(1_000_000),
				stall: Some(STALL),
				windows: None,
				unfinished: clustercast_protocol::viewer::BUDGET,
			},
			sinks: Sinks::open(None, Some(&seen), None).await.unwrap(),
			summary: Summary::default(),
			status: Status::default(),
			standing: Standing::default(),
			quiet: Quiet::default(),
			outlook: Outlook::default(),
			begun: Instant::now(),
			resume: None,
			far_behind: None,
			// Windows here are of another year than our clock's.
			doubted: true,
			window_length: USUAL_WINDOW,
			registry_again: Duration::from_millis(20),
			stop: stopped,
			roster: Roster::default(),
			crew: Crew::default(),
			referrals: Default::default(),
			asked: Default::default(),
		};
		Self {
			viewing,
			seen,
			stop,
			named,
			_folder: folder,
			_dir: dir,
		}
	}

	async fn watch(&mut self, relayers: &[&TestRelayer]) -> Ended {
		let addresses: Vec<Address> = relayers.iter().map(|r| r.address.clone()).collect();
		let mut given = Roster::default();
		given.add(roster::given(&addresses));
		match tokio::time::timeout(PATIENCE, self.viewing.watch(given)).await {
			Ok(ended) => ended.unwrap(),
			Err(_) => panic!("no end in sight: {:?}", self.viewing.summary),
		}
	}

	fn figures(&self, relayer: &TestRelayer) -> RelayerFigures {
		let peer = relayer.address.peer_id().to_base58();
		self.viewing.summary.relayers.get(&peer).cloned().unwrap_or_default()
	}

	/// What went to the sinks is the broadcast from the first window on, up to `end`.
	fn assert_seen(&self, windows: &[EncodedWindow], end: u64) {
		let log = std::fs::read_to_string(&self.seen).unwrap();
		let seen: Vec<String> = log
			.lines()
			.map(|line| {
				serde_json::from_str::<serde_json::Value>(line).unwrap()["root"]
					.as_str()
					.unwrap()
					.to_owned()
			})
			.collect();
		let expected: Vec<String> = windows[..end as usize]
			.iter()
			.map(|w| w.header().root.to_string())
			.collect();
		assert_eq!(seen, expected, "what was seen differs from the broadcast");
	}
}

/// Watches from a relayer with this trick, then from an honest one.
async fn fail_over(trick: Trick) -> (Test, RelayerFigures) {
	let content = broadcast(BROADCASTER);
	let bad = TestRelayer::start(11, content.clone(), trick).await;
	let good = TestRelayer::start(12, content.clone(), Trick::None).await;
	let mut test = Test::new().await;
	assert_eq!(test.watch(&[&bad, &good]).await, Ended::Finished);
	test.assert_seen(&content.0, WINDOWS);
	let summary = &test.viewing.summary;
	assert_eq!((summary.windows, summary.gaps), (WINDOWS, 0));
	assert_eq!(
		summary.relayers.values().map(|r| r.tickets).sum::<u64>(),
		summary.tickets
	);
	let (figures, honest) = (test.figures(&bad), test.figures(&good));
	assert_eq!((figures.windows, honest.windows), (AT, WINDOWS - AT));
	assert!(honest.faults.is_empty());
	// It had been paid for all before.
	assert_eq!(bad.paid_windows(), [0, 1, 2], "{trick:?}");
	let paid = good.paid_windows();
	assert!(paid.is_sorted_by(|a, b| a < b), "a window is paid twice: {paid:?}");
	// On a machine too busy for QUIC an honest relayer is lost and found again: what was on its way then stays unpaid.
	let lost = honest.setbacks.values().sum::<u64>();
	assert!(
		paid.len() as u64 + lost * CREDIT >= WINDOWS - AT,
		"{paid:?}: {honest:?}"
	);
	(test, figures)
}

/// The fault: where a node's requests hang the loop that moves video waited for each of them, 2 s at a time.
#[tokio::test]
async fn node_that_does_not_answer_holds_up_no_window_and_is_asked_once_at_a_time() {
	let content = broadcast(BROADCASTER);
	let relayer = TestRelayer::start(11, content.clone(), Trick::None).await;
	let mut test = Test::new().await;
	let asked = Arc::new(AtomicUsize::new(0));
	test.viewing.chain.hangs = Some(asked.clone());
	test.viewing.registry_again = Duration::from_millis(1);
	let mut given = roster::given(std::slice::from_ref(&relayer.address));
	given[0].account = Some(AccountId([9; 32]));
	let begun = Instant::now();
	let attempt = tokio::time::timeout(PATIENCE, test.viewing.attempt(&given[0], Vec::new())).await;
	assert_eq!(attempt.unwrap().unwrap().ending, Some(Ending::Finished));
	assert!(begun.elapsed() < LOOK_UP, "{:?}", begun.elapsed());
	test.assert_seen(&content.0, WINDOWS);
	assert_eq!(asked.load(Ordering::Relaxed), 2, "registry and account");
}

#[tokio::test]
async fn who_is_named_by_a_refusal_is_turned_to_once_the_registry_has_said_who_it_is() {
	let mut test = Test::new().await;
	let (by, named) = (
		KeyPair::from_seed([11; 32]).public(),
		KeyPair::from_seed([12; 32]).public(),
	);
	test.viewing.chain.relayers = vec![RelayerInfo {
		account: AccountId([9; 32]),
		payout: AccountId([9; 32]),
		operator: AccountId([9; 32]),
		signing_key: named,
		addresses: vec!["/ip4/127.0.0.1/udp/1/quic-v1".into()],
		price_per_gb: PRICE,
		bond: 1,
		unbonds_at: None,
		reputation: Default::default(),
	}];
	test.viewing.hear_of(&by, vec![named].try_into().unwrap());
	assert!(test.viewing.asked.awaits_names() && test.viewing.roster.is_empty());
	let answer = test.viewing.asked.next().await;
	assert!(!test.viewing.on_asked(answer, None) && !test.viewing.asked.awaits_names());
	let now = test.viewing.now();
	assert!(matches!(test.viewing.roster.next(now), crate::roster::Next::Try(relayer) if relayer.key == named));
}

/// The registry has it when it is chosen, and when it is read again for the first time.
#[tokio::test]
async fn relayer_whose_bond_is_gone_is_left_in_the_middle_of_the_broadcast() {
	let content = broadcast(BROADCASTER);
	let bad = TestRelayer::start(11, content.clone(), Trick::Stall).await;
	let mut test = Test::new().await;
	let mut given = roster::given(std::slice::from_ref(&bad.address));
	given[0].account = Some(AccountId([9; 32]));
	let attempt = tokio::time::timeout(PATIENCE, test.viewing.attempt(&given[0], Vec::new())).await;
	// Long before it counts as stalled.
	assert_eq!(attempt.unwrap().unwrap().ending, Some(Ending::Refused));
	let reasons: Vec<String> = test.figures(&bad).setbacks.into_keys().collect();
	assert_eq!(
		reasons,
		["the registry does not have it any more: no bond answers for it"]
	);
}

#[tokio::test]
async fn cheating_relayer_is_caught_unpaid_and_replaced() {
	let bad_chunk = |index| Fault::BadChunk { window: id(AT), index };
	for (trick, fault) in [
		(Trick::FlipBit, bad_chunk(1)),
		(Trick::SwapChunks, bad_chunk(0)),
		(Trick::Replay, Fault::Replayed(id(AT - 1))),
		(
			Trick::Omit,
			Fault::Omitted {
				expected: id(AT),
				got: id(AT + 1),
			},
		),
	] {
		let (_, figures) = fail_over(trick).await;
		assert_eq!(figures.faults, [fault.to_string()], "{trick:?}");
		// The bad window and what one read of 128 KiB brought behind it.
		assert!((1..200_000).contains(&figures.rejected_bytes), "{trick:?}: {figures:?}");
	}
}

#[tokio::test]
async fn relayer_that_stalls_or_leaves_is_replaced_and_not_blacklisted() {
	for (trick, reason) in [
		(Trick::Stall, "stalled"),
		(Trick::End(EndReason::ShuttingDown), "it is shutting down"),
		(
			Trick::End(EndReason::CannotStore),
			"it cannot store payments: it sells nothing until it can",
		),
		(
			Trick::End(EndReason::Behind),
			"its node is behind the chain: it sells nothing until it knows better",
		),
		(
			Trick::End(EndReason::WindowGone),
			"it does not have the next window any more",
		),
	] {
		let (test, figures) = fail_over(trick).await;
		assert!(figures.faults.is_empty() && figures.rejected_bytes == 0, "{trick:?}");
		assert!(figures.setbacks.contains_key(reason), "{trick:?}: {figures:?}");
		let summary = &test.viewing.summary;
		let cost = amount::cost(summary.tickets * u64::from(BYTES), PRICE);
		assert_eq!(
			summary.spent_expected_micro_usdc, cost,
			"each window takes a ticket of its bytes"
		);
	}
}

#[tokio::test]
async fn lie_about_the_end_is_not_believed() {
	let (_, figures) = fail_over(Trick::End(EndReason::Finished)).await;
	assert!(figures.setbacks.contains_key("it says that the broadcast is over"));
}

#[tokio::test]
async fn dear_relayer_is_refused_without_a_fault() {
	let content = broadcast(BROADCASTER);
	let dear = TestRelayer::start(11, content.clone(), Trick::Dear).await;
	let mut test = Test::new().await;
	assert_eq!(test.watch(&[&dear]).await, Ended::NoRelayerLeft);
	let figures = test.figures(&dear);
	assert!(figures.faults.is_empty() && dear.paid_windows().is_empty());
	assert_eq!(figures.setbacks.len(), 1);
	test.viewing.limits.max_price_per_gb = PRICE * 10;
	assert_eq!(test.watch(&[&dear]).await, Ended::Finished);
	test.assert_seen(&content.0, WINDOWS);
}

/// Asked again and again it would say the same: the viewer has to do something.
#[tokio::test]
async fn relayer_that_the_account_cannot_pay_is_left_for_good_with_what_is_missing() {
	let lacking = EndReason::TicketRefused(TicketError::Chain(TicketRefusal::SessionLimitReached));
	let relayer = TestRelayer::start(11, broadcast(BROADCASTER), Trick::End(lacking)).await;
	let mut test = Test::new().await;
	test.viewing.chain.account.deposit = 5_000;
	assert_eq!(test.watch(&[&relayer]).await, Ended::NoRelayerLeft);
	let figures = test.figures(&relayer);
	let reason = figures.setbacks.keys().next().unwrap();
	assert!(reason.contains("0.005000 USDC of the deposit"), "{reason}");
	assert_eq!(test.viewing.summary.lack(), Some(reason.as_str()));
}

#[tokio::test]
async fn what_a_relayer_asks_is_reserved_once_beyond_what_was_paid() {
	let content = broadcast(BROADCASTER);
	let relayer = TestRelayer::start(11, content.clone(), Trick::Asks(1_000)).await;
	let mut test = Test::new().await;
	test.viewing.chain.block = Arc::new(|elapsed| BLOCK + elapsed as BlockNumber / 2);
	assert_eq!(test.watch(&[&relayer]).await, Ended::Finished);
	test.assert_seen(&content.0, WINDOWS);
	let reserved = relayer.reserved.lock().unwrap().clone();
	let [only] = &reserved[..] else {
		panic!("{reserved:?}");
	};
	// A quarter of an hour of 480p, beyond what the chain says was paid.
	let most = amount::cost(187_500 * 900, PRICE);
	assert_eq!((only.counter, only.cap, only.reward), (1, PAID + most, 300));
	assert_eq!(
		(only.sender, only.recipient),
		(test.viewing.account, AccountId([9; 32]))
	);
}

/// "Reserve 50 or go" is a reason to go.
#[tokio::test]
async fn relayer_that_wants_too_much_reserved_is_left_for_another() {
	let content = broadcast(BROADCASTER);
	let greedy = TestRelayer::start(11, content.clone(), Trick::Asks(12_500_001)).await;
	let good = TestRelayer::start(12, content.clone(), Trick::None).await;
	let mut test = Test::new().await;
	assert_eq!(test.watch(&[&greedy, &good]).await, Ended::Finished);
	test.assert_seen(&content.0, WINDOWS);
	assert!(greedy.reserved.lock().unwrap().is_empty());
	let figures = test.figures(&greedy);
	assert_eq!((figures.windows, figures.faults.len()), (0, 0));
	let reason = figures.setbacks.keys().next().cloned().unwrap_or_default();
	assert!(reason.contains("reserved for nobody"), "{reason}");
}

/// The attack: a registered relayer has an account without a bond paid, so that nothing answers for its receipts.
#[tokio::test]
async fn money_goes_to_who_answers_with_a_bond() {
	let content = broadcast(BROADCASTER);
	let relayer = TestRelayer::start(11, content.clone(), Trick::None).await;
	let registered = |account| RelayerInfo {
		account,
		payout: account,
		operator: account,
		signing_key: relayer.address.peer(),
		addresses: Vec::new(),
		price_per_gb: PRICE,
		bond: 10_000_000,
		unbonds_at: None,
		reputation: Default::default(),
	};
	let mut test = Test::new().await;
	test.viewing.chain.relayers = vec![registered(AccountId([10; 32]))];
	assert_eq!(test.watch(&[&relayer]).await, Ended::NoRelayerLeft);
	assert!(relayer.paid_windows().is_empty());
	test.viewing.chain.relayers = vec![registered(AccountId([9; 32]))];
	assert_eq!(test.watch(&[&relayer]).await, Ended::Finished);
	test.assert_seen(&content.0, WINDOWS);
}

#[tokio::test]
async fn relayer_that_disagrees_about_the_chain_is_left_for_another() {
	let content = broadcast(BROADCASTER);
	let other = TestRelayer::start(11, content.clone(), Trick::UnknownTerms).await;
	let good = TestRelayer::start(12, content.clone(), Trick::None).await;
	let mut test = Test::new().await;
	test.viewing.limits.windows = Some(WINDOWS);
	assert_eq!(test.watch(&[&other, &good]).await, Ended::Windows);
	let figures = test.figures(&other);
	assert!(
		figures.faults.is_empty() && figures.windows == 0,
		"its node, or ours, may be behind"
	);
	let reason = figures.setbacks.keys().next().cloned().unwrap_or_default();
	assert!(reason.contains("disagrees about the chain"), "{reason}");
}

#[tokio::test]
async fn nothing_is_left_when_every_relayer_cheats() {
	let content = broadcast(BROADCASTER);
	let one = TestRelayer::start(11, content.clone(), Trick::FlipBit).await;
	let two = TestRelayer::start(12, content.clone(), Trick::Omit).await;
	let mut test = Test::new().await;
	assert_eq!(test.watch(&[&one, &two]).await, Ended::NoRelayerLeft);
	test.assert_seen(&content.0, AT);
}

#[tokio::test]
async fn run_stops_at_the_number_of_windows_and_all_of_them_are_paid() {
	let content = broadcast(BROADCASTER);
	let relayer = TestRelayer::start(11, content.clone(), Trick::None).await;
	let mut test = Test::new().await;
	test.viewing.limits.windows = Some(5);
	assert_eq!(test.watch(&[&relayer]).await, Ended::Windows);
	test.assert_seen(&content.0, 5);
	// Also what was on its way when it had enough.
	let paid = relayer.paid_windows();
	assert!(paid.starts_with(&[0, 1, 2, 3, 4]), "{paid:?}");
	assert!(paid.len() as u64 <= 5 + CREDIT, "{paid:?}");
}

#[tokio::test]
async fn run_stops_when_told() {
	let relayer = TestRelayer::start(11, broadcast(BROADCASTER), Trick::Stall).await;
	let mut test = Test::new().await;
	test.viewing.limits.stall = Some(PATIENCE);
	let stop = test.stop.clone();
	tokio::spawn(async move {
		tokio::time::sleep(Duration::from_millis(500)).await;
		stop.send_replace(Some(Ended::Interrupted));
	});
	assert_eq!(test.watch(&[&relayer]).await, Ended::Interrupted);
}

#[tokio::test]
async fn registry_is_asked_when_no_relayer_is_given_and_the_cheapest_serves() {
	let content = broadcast(BROADCASTER);
	let cheap = TestRelayer::start(11, content.clone(), Trick::None).await;
	let dear = TestRelayer::start(12, content.clone(), Trick::None).await;
	let info = |relayer: &TestRelayer, price_per_gb| RelayerInfo {
		account: AccountId([9; 32]),
		payout: AccountId([9; 32]),
		operator: AccountId([9; 32]),
		signing_key: relayer.address.peer(),
		addresses: vec![relayer.address.transport().to_string()],
		price_per_gb,
		bond: 10_000_000,
		unbonds_at: None,
		reputation: Default::default(),
	};
	let mut test = Test::new().await;
	test.viewing.chain.relayers = vec![info(&dear, PRICE), info(&cheap, PRICE - 1)];
	assert_eq!(test.watch(&[]).await, Ended::Finished);
	test.assert_seen(&content.0, WINDOWS);
	assert_eq!(test.figures(&cheap).windows, WINDOWS);
}

mod account;
mod keys;
mod quiet;
mod several;
