//! Buys a range of a relayer now and then, as viewers do, to see whether it sells what it takes: with one of the accounts that it was
//! given, each with a session key of its own, as another peer each time. What is bought and when one goes is chance; what a viewer checks and signs is what
//! [`ViewerSession`] does. Who lends strangers nothing, and asks to have something reserved, has that once it has kept us waiting.
//!
//! | outcome | where |
//! | --- | --- |
//! | served | what was asked for came in time, and verified |
//! | refused | it is not reached, ends the subscription, breaks off, or knows another chain than we do |
//! | dear | it asks more than the registry has, for tickets of more than [`MAX_FACE_VALUE`], or to have more reserved than viewers reserve |
//! | late | nothing came for three windows' time, also where all is reserved that it asks, or only what is old |
//! | wrong | what came is not what the broadcaster signed |
//! | doubtful | this machine has no route to any of its addresses: where another one serves us, refused |
//! | nothing | the broadcast paused or fell behind, our node is late or does not answer, finalises nothing, or did not know yet what the relayer knew; or our own account cannot pay: all of it our own |

use crate::{
	encoder::unix_ms,
	metrics,
	tier::{Failing, Outcome},
};
use clustercast_chain::{account, Chain, Wallet};
use clustercast_cli::Seldom;
use clustercast_network::{client, node, Address, Feed, Node, Stream, Subscription};
use clustercast_pay::{
	funds::{self, FundsError, Wanted},
	pocket::{Pocket, StateFolder},
};
use clustercast_primitives::{
	amount::USDC,
	chain::{ChannelKey, RelayerInfo, StreamKeyInfo, ViewerAccount},
	crypto::KeyPair,
	subscribe::Binding,
	window::MAX_AHEAD_OF_VIEWER_MS,
	AccountId, Balance, BlockNumber, Hash, PublicKey, TrackId,
};
use clustercast_protocol::{
	swarm::offer::RUN_BYTES,
	thrift::Wish,
	viewer::{Due, Event},
	Cursor, EndReason, Fault, Fetch, Follow, Lookup, PaymentMode, PaymentTerms, Range, SessionKey, StreamKeys, Terms,
	Thrift, ThriftConfig, ViewerConfig, ViewerSession,
};
use rand::{rngs::StdRng, Rng};
use std::{
	collections::BTreeMap,
	path::{Path, PathBuf},
	sync::Arc,
	time::Duration,
};
use tokio::{
	sync::watch,
	time::{timeout, timeout_at, Instant},
};

/// In the state folder: a folder for each account, with its session key and purse.
const FOLDER: &str = "check";

/// Most that a winning ticket may cost, micro-USDC: as with players.
const MAX_FACE_VALUE: Balance = USDC / 10;

/// Picture and sound.
const TRACK: TrackId = 0;

/// How long the chain may take to answer.
const ANSWER: Duration = Duration::from_secs(5);

/// And to take a deposit and a session key.
const RENEWAL: Duration = Duration::from_secs(60);

/// Whatever a relayer says meanwhile, no check takes longer, [`RESERVED`] apart.
const LONGEST: Duration = Duration::from_secs(45);

/// A reservation may take so long to become final: as with players.
const RESERVED: Duration = Duration::from_secs(40);

/// Between two looks at whether it is time to reserve something.
const BLOCK: Duration = Duration::from_secs(2);

/// Where fewer blocks than these became final meanwhile, no reservation could: half of that time.
const FINAL_BLOCKS: BlockNumber = 10;

/// How long a relayer may take to be reached at all of its addresses.
const DIAL: Duration = Duration::from_secs(15);

/// Windows' time without what was asked for that is too long, and bounds of that time: as with players.
const LATE_WINDOWS: u32 = 3;
const LATE: (Duration, Duration) = (Duration::from_secs(2), Duration::from_secs(30));

/// As long as nothing was announced.
const USUAL_WINDOW: Duration = Duration::from_secs(2);

/// What begins so much before the newest window is old, milliseconds: as with players.
const OLD_MS: u64 = 30_000;

/// What is owed is paid within this.
const SETTLE: Duration = Duration::from_secs(3);

/// A relayer may take so long to hear that we leave.
const FAREWELL: Duration = Duration::from_secs(1);

/// Between two looks at whether the session key lasts.
const LOOK: Duration = Duration::from_secs(60);

/// Relayers take nothing from a session key in its last blocks.
const LAST_BLOCKS: BlockNumber = 150;

/// Windows that are let by before a range is asked for, at most: who withholds or lies may serve a few windows first, and announcements
/// cost next to nothing.
const MOST_LET_BY: u32 = 12;

/// Who has a seat and paid nothing for so long may lose it: a quarter less than relayers give.
const UNSEATED: Duration = Duration::from_secs(15);

/// Windows that are taken before one that counts, at most.
const MOST_TAKEN: u32 = 2;

/// Relayers of which it is remembered in what they failed, or that they had no room.
const MOST_FAILED: usize = 64;

/// Who has no room for us so often in a row, neither for windows nor to stand by, refuses everybody: a full relayer gives its eighth to
/// those who stand by, and somebody new has a place there now and then.
const FULL: u32 = 2;

/// One in so many checks takes windows that come by themselves.
const TAKES: u32 = 4;

/// See the module.
pub struct Customer {
	chain: Chain,
	wallet: Arc<Wallet>,
	folder: StateFolder,
	wanted: Wanted,
	pocket: Pocket,
	/// What finalised blocks say of the stream.
	named: watch::Receiver<Option<StreamKeyInfo>>,
	/// What is broadcast.
	feed: Feed,
	/// What of the deposit is neither reserved nor on its way out, micro-USDC.
	means: Balance,
	chance: StdRng,
	/// Who failed last time, and in what.
	failed: BTreeMap<PublicKey, Plan>,
	/// Who had no room, and how often in a row.
	full: BTreeMap<PublicKey, u32>,
	look_at: Instant,
	trouble: Seldom,
}

impl Customer {
	/// Makes sure of deposit and session key, which takes a few blocks where they are not there.
	pub async fn prepare(
		chain: Chain,
		wallet: Arc<Wallet>,
		state: &Path,
		wanted: Wanted,
		named: watch::Receiver<Option<StreamKeyInfo>>,
		feed: Feed,
		chance: StdRng,
	) -> Result<Self, FundsError> {
		let folder = StateFolder::open(&folder_of(state, &wallet.account()))?;
		let pocket = funds::prepare(&chain, &wallet, &folder, wanted).await?;
		Ok(Self {
			chain,
			wallet,
			folder,
			wanted,
			pocket,
			named,
			feed,
			means: 0,
			chance,
			failed: BTreeMap::new(),
			full: BTreeMap::new(),
			look_at: Instant::now() + LOOK,
			trouble: Seldom::default(),
		})
	}

	/// Buys of this relayer. Whatever it says, that takes no longer than [`LONGEST`], beside what the chain takes.
	pub async fn check(&mut self, relayer: &PublicKey) -> Outcome {
		let Some(stream) = self.named.borrow().clone() else {
			return Outcome::Void;
		};
		if !self.is_live(&stream) || !self.can_pay().await {
			return Outcome::Void;
		}
		let Ok(Ok(registered)) = timeout(ANSWER, self.chain.relayers()).await else {
			return Outcome::Void;
		};
		// No bond answers for it any more.
		let Some(info) = registered.iter().find(|info| info.signing_key == *relayer) else {
			return Outcome::Failed(Failing::Refused);
		};
		let outcome = self.buy(info, &stream).await;
		if let Err(error) = self.pocket.save() {
			tracing::warn!(%error, "cannot store the purse");
		}
		match outcome {
			// Nobody could have brought anything.
			Outcome::Failed(Failing::Late | Failing::Refused) if !self.is_live(&stream) => Outcome::Void,
			// What we know of the chain is old by now.
			Outcome::Failed(why) if why != Failing::Wrong && self.chain.tip().is_late() => Outcome::Void,
			outcome => outcome,
		}
	}

	/// Whether there is something to buy.
	fn is_live(&self, stream: &StreamKeyInfo) -> bool {
		let newest = Cursor::Live {
			stream: stream.id,
			track: TRACK,
		};
		matches!(self.feed.get(newest), Lookup::Found(_))
	}

	/// Whether our account and session key are good for what we accept, by a node that is not late.
	async fn can_pay(&mut self) -> bool {
		let now = Instant::now();
		if self.chain.tip().is_late() {
			return false;
		}
		if now >= self.look_at {
			self.look_at = now + LOOK;
			let session = self.pocket.session();
			let renew = funds::renew(&self.chain, &self.wallet, &self.folder, self.wanted, &session);
			match timeout(RENEWAL, renew).await {
				Ok(Ok(Some(pocket))) => self.pocket = pocket,
				Ok(Ok(None)) => {},
				Ok(Err(error)) => self.complain(&error),
				Err(_) => self.complain(&"the chain does not answer"),
			}
		}
		self.has_means().await
	}

	/// The same without doing anything for it.
	async fn has_means(&mut self) -> bool {
		let payer = self.wallet.account();
		let Ok(Ok(account)) = timeout(ANSWER, self.chain.viewer_account(&payer, None)).await else {
			return false;
		};
		self.means = means(&account);
		let pays = pays(&account, &self.pocket.session(), self.chain.tip().block());
		if !pays {
			self.complain(&"the deposit or the session key's limit is used up, or reserved for relayers");
		}
		pays
	}

	fn complain(&mut self, error: &dyn std::fmt::Display) {
		if self.trouble.due(std::time::Instant::now()).is_some() {
			let account = account::ss58(&self.wallet.account());
			tracing::warn!(%error, account, "nothing is bought of relayers as long as this account of --check-account cannot pay");
		}
	}

	/// Buys, by chance; of who failed, what it failed in. Who has no room for somebody to whom windows are sent has to sell to who stands
	/// by, as it would to any viewer's standby: that needs no copy.
	async fn buy(&mut self, info: &RelayerInfo, stream: &StreamKeyInfo) -> Outcome {
		let drawn = Plan::draw(&mut self.chance);
		let known = self.failed.get(&info.signing_key);
		let plan = known.map_or(drawn, |failed| failed.again(&drawn));
		let bought = match self.buy_so(plan, info, stream).await {
			None if plan.follow == Follow::Windows => {
				let stands_by = Plan {
					follow: Follow::Announcements,
					..plan
				};
				self.buy_so(stands_by, info, stream).await
			},
			bought => bought,
		};
		let key = info.signing_key;
		let outcome = match bought {
			Some(outcome) => {
				self.full.remove(&key);
				outcome
			},
			None => {
				let times = self.full.get(&key).map_or(1, |times| times.saturating_add(1));
				remember(&mut self.full, key, times);
				match times < FULL {
					true => Outcome::Void,
					false => Outcome::Failed(Failing::Refused),
				}
			},
		};
		match outcome {
			Outcome::Failed(_) => remember(&mut self.failed, key, plan),
			_ => _ = self.failed.remove(&key),
		}
		outcome
	}

	/// Connects, buys, pays, and leaves; `None` where there is no room.
	async fn buy_so(&mut self, plan: Plan, info: &RelayerInfo, stream: &StreamKeyInfo) -> Option<Outcome> {
		// A new identity each time, as players have.
		let key = KeyPair::from_seed(self.chance.gen());
		let Ok((node, _)) = Node::start(&key, node::Limits::default()) else {
			return Some(Outcome::Void);
		};
		let connection = match timeout(DIAL, dial(&node, info)).await {
			Ok(Ok(connection)) => connection,
			Ok(Err(outcome)) => return Some(outcome),
			Err(_) => return Some(Outcome::Failed(Failing::Refused)),
		};
		let session = self.session(info, stream, plan.follow);
		let mut subscription = Subscription::new(connection, session, LONGEST + RESERVED);
		let errand = Errand::new(plan, Instant::now());
		let outcome = match self.run(errand, &mut subscription).await {
			Ok(outcome) => outcome,
			Err(fault) => Some(self.judge(&fault, stream, info).await),
		};
		// What came is paid, also where not all of it did.
		if matches!(outcome, Some(Outcome::Served | Outcome::Failed(Failing::Late))) {
			self.settle(&mut subscription).await;
		}
		subscription.leave(FAREWELL).await;
		outcome
	}

	fn session(&self, info: &RelayerInfo, stream: &StreamKeyInfo, follow: Follow) -> ViewerSession {
		ViewerSession::new(ViewerConfig {
			genesis: self.chain.genesis(),
			stream: stream.id,
			track: TRACK,
			keys: StreamKeys {
				former: stream.previous_keys.clone(),
				..stream.signing_key.into()
			},
			relayer_key: info.signing_key,
			relayer_account: Some(info.account),
			binding: Binding::PeerKey(info.signing_key.0),
			payment: Some(PaymentTerms {
				session: SessionKey {
					account: self.wallet.account(),
					key: self.pocket.session(),
				},
				vouchers: true,
				terms: stream.terms_counter,
				max_price_per_gb: most_price(info, stream),
				max_face_value: MAX_FACE_VALUE,
			}),
			head: self.chain.tip().block(),
			latest_start_ms: latest_start_ms(),
			resume: None,
			follow,
		})
	}

	/// Does the errand to its end; what the relayer broke, where it broke something; nothing where it has no room.
	async fn run(&mut self, mut errand: Errand, subscription: &mut Subscription) -> Result<Option<Outcome>, Fault> {
		let mut asks: Option<(AccountId, Thrift)> = None;
		let mut reserved: Option<Reserved> = None;
		let stream = self.named.borrow().as_ref().map(|stream| stream.id).unwrap_or_default();
		let mut news = self.feed.news(stream);
		let newest = |feed: &Feed| feed.latest(stream, TRACK).map(|window| window.id());
		let mut last = newest(&self.feed);
		loop {
			let session = subscription.session();
			session.set_head(self.chain.tip().block());
			session.set_latest_start(latest_start_ms());
			// Looked at first: whoever says something all the time is late all the same.
			let event = match Instant::now() < errand.until {
				true => tokio::select! {
					event = timeout_at(errand.until, subscription.next()) => event.ok(),
					// The feed is ours as well.
					_ = news.changed() => {
						if newest(&self.feed) != last {
							last = newest(&self.feed);
							errand.published(Instant::now());
						}
						continue;
					},
				},
				false => None,
			};
			let step = match event {
				None => errand.late(Instant::now()),
				Some(Err(client::Error::Fault(fault))) => return Err(fault),
				// It broke off.
				Some(Err(_)) => return Ok(Some(Outcome::Failed(Failing::Refused))),
				Some(Ok(event)) => {
					let said = match event {
						Event::Challenged(request) => {
							let signed = self.pocket.subscribe(request);
							subscription.session().subscribe(signed);
							continue;
						},
						Event::PaymentDue(due) => match self.pay(subscription, &due) {
							true => continue,
							false => return Ok(Some(Outcome::Void)),
						},
						Event::Terms(terms) => {
							if asks.is_none() {
								match self.thrift(terms.as_ref()) {
									Ok(thrift) => asks = thrift,
									Err(outcome) => return Ok(Some(outcome)),
								}
							}
							if let Some(PaymentMode::Vouchers { newest: Some(newest) }) = terms.map(|terms| terms.mode)
							{
								if self.pocket.adopt(&newest).is_err() {
									return Ok(Some(Outcome::Failed(Failing::Refused)));
								}
							}
							Said::Serves { asks: asks.is_some() }
						},
						Event::Announced(window) => {
							let header = window.header();
							Said::Announced(Offer {
								header: window.hash(),
								chunks: header.chunks,
								chunk_log2: header.chunk_log2,
								length: Duration::from_millis(header.duration_ms.into()),
								old: self.is_old(header.start_ms, reserved.is_some()),
							})
						},
						Event::Window(_) => Said::Whole,
						Event::Chunks(chunks) => Said::Came(chunks.range()),
						Event::Lacks(range) => Said::Lacks(range),
						Event::Reserved(_) => Said::Reserved,
						Event::Ended(EndReason::Full) => return Ok(None),
						// Whoever stands by and buys nothing for so long makes room for others.
						Event::Ended(EndReason::Idle | EndReason::IdleLately(_)) if errand.is_idle(Instant::now()) => {
							return Ok(Some(Outcome::Void))
						},
						// It says that we cannot pay.
						Event::Ended(EndReason::TicketRefused(_) | EndReason::ReservationRefused(_))
							if !self.has_means().await =>
						{
							return Ok(Some(Outcome::Void))
						},
						Event::Ended(reason) => return Ok(Some(Outcome::Failed(of_end(&reason)))),
						_ => continue,
					};
					errand.hear(said, Instant::now())
				},
			};
			match step {
				Step::Wait => {},
				Step::Fetch(fetch) => {
					if !subscription.session().fetch(fetch) {
						return Ok(Some(Outcome::Failed(Failing::Late)));
					}
				},
				Step::Reserve => {
					subscription.session().follow(Follow::Windows);
					let block = self.chain.tip().block();
					let wish = asks
						.as_ref()
						.and_then(|(recipient, thrift)| Some((recipient, thrift.wish(block)?)));
					let Some((recipient, wish)) = wish else { continue };
					reserved = self.reserve(subscription, recipient, &wish).await;
					if reserved.is_none() {
						return Ok(Some(Outcome::Void));
					}
					errand.reserve(Instant::now());
				},
				Step::Over(Outcome::Failed(Failing::Late)) => return Ok(Some(self.late(reserved.as_ref()).await)),
				Step::Over(outcome) => return Ok(Some(outcome)),
			}
		}
	}

	/// What viewers reserve for who states these terms, if it asks for that; what comes of the check, where it asks too much.
	fn thrift(&mut self, terms: Option<&Terms>) -> Result<Option<(AccountId, Thrift)>, Outcome> {
		let Some((terms, asked)) = terms.and_then(|terms| Some((terms, terms.reserve?))) else {
			return Ok(None);
		};
		let of = |deposit| {
			let now = self.chain.tip().block();
			Thrift::new(ThriftConfig { deposit }, asked, terms.price_per_gb, now)
		};
		match (of(self.means), of(self.chain.constants().max_deposit)) {
			(Ok(thrift), _) => Ok(Some((terms.recipient, thrift))),
			(Err(error), Ok(_)) => {
				self.complain(&error);
				Err(Outcome::Void)
			},
			(Err(_), Err(_)) => Err(Outcome::Failed(Failing::Dear)),
		}
	}

	/// Reserves what a viewer would, if that can be done; all that was signed to this relayer and not paid yet is covered by it.
	async fn reserve(
		&mut self,
		subscription: &mut Subscription,
		recipient: &AccountId,
		wish: &Wish,
	) -> Option<Reserved> {
		let channel = ChannelKey {
			session: self.pocket.session(),
			recipient: *recipient,
		};
		let places: Vec<_> = self
			.pocket
			.vouchers_to(recipient)
			.into_iter()
			.map(|(place, _)| place)
			.collect();
		let paid = timeout(ANSWER, funds::paid(&self.chain, channel, &places)).await;
		let (known, paid) = paid.ok()?.ok()?;
		let signed = self.pocket.cover(recipient, wish, &known, &paid);
		let signed = signed
			.inspect_err(|error| tracing::warn!(%error, "nothing is reserved"))
			.ok()?;
		let counter = signed.message.counter;
		subscription.session().reserve(signed).then_some(Reserved {
			channel,
			counter,
			finalised: self.chain.head().finalised,
		})
	}

	/// Nothing came in time. Where something is reserved that is not final, and nothing could be, that is our chain's fault.
	async fn late(&self, reserved: Option<&Reserved>) -> Outcome {
		let late = Outcome::Failed(Failing::Late);
		let Some(reserved) = reserved else { return late };
		let Ok(Ok((channel, _))) = timeout(ANSWER, funds::paid(&self.chain, reserved.channel, &[])).await else {
			return Outcome::Void;
		};
		match reserved.could_be_final(channel.counter, self.chain.head().finalised) {
			true => late,
			false => Outcome::Void,
		}
	}

	/// What comes of a fault. Where we may be the one who does not know what the chain says it is asked again, now that the relayer
	/// has shown what it knows.
	async fn judge(&self, fault: &Fault, stream: &StreamKeyInfo, info: &RelayerInfo) -> Outcome {
		let failed = Outcome::Failed(of_fault(fault));
		if failed == Outcome::Failed(Failing::Wrong) {
			return failed;
		}
		let asked = async { tokio::join!(self.chain.relayers(), self.chain.stream_key(stream.id)) };
		let Ok((Ok(registered), Ok(named))) = timeout(ANSWER, asked).await else {
			return Outcome::Void;
		};
		let newest = self.feed.latest(stream.id, TRACK);
		let now = Known {
			info: registered.iter().find(|now| now.signing_key == info.signing_key),
			stream: named.as_ref(),
			newest: newest.map(|newest| (newest.id().epoch, newest.header().start_ms)),
			head: self.chain.tip().block(),
			latest_start_ms: latest_start_ms(),
		};
		match now.excuses(fault, stream) {
			true => Outcome::Void,
			false => failed,
		}
	}

	/// Pays what is due, unless our own purse does not allow it.
	fn pay(&mut self, subscription: &mut Subscription, due: &Due) -> bool {
		let Ok(payment) = self.pocket.pay(due, self.chain.tip().block()) else {
			return false;
		};
		// Refused only where a fault was found meanwhile: the next event says which.
		if subscription.session().pay(due, payment).is_ok() {
			let worth = due.share.worth_q64().unwrap_or_default();
			let worth = (worth >> 64) + u128::from(worth << 64 != 0);
			metrics::spent(u64::try_from(worth).unwrap_or(u64::MAX));
		}
		true
	}

	/// Pays for what came.
	async fn settle(&mut self, subscription: &mut Subscription) {
		let by = Instant::now() + SETTLE;
		subscription.session().leave();
		while subscription.session().owes() {
			match timeout_at(by, subscription.next()).await {
				Ok(Ok(Event::PaymentDue(due))) if self.pay(subscription, &due) => {},
				Ok(Ok(Event::Ended(_) | Event::PaymentDue(_))) | Ok(Err(_)) | Err(_) => break,
				Ok(Ok(_)) => subscription.session().set_head(self.chain.tip().block()),
			}
		}
	}

	/// Whether a window that begins then is no live one, by the newest that was published. Who had to wait for a reservation goes on where
	/// it was before.
	fn is_old(&self, start_ms: u64, reserved: bool) -> bool {
		let stream = self.named.borrow().as_ref().map(|stream| stream.id);
		let newest = stream.and_then(|stream| self.feed.latest(stream, TRACK));
		let waited = u64::try_from(RESERVED.as_millis()).unwrap_or(u64::MAX);
		let old_ms = if reserved {
			OLD_MS.saturating_add(waited)
		} else {
			OLD_MS
		};
		newest.is_some_and(|newest| start_ms.saturating_add(old_ms) < newest.header().start_ms)
	}
}

/// By its first eight bytes: one that is given no more, or in another place, keeps its own.
fn folder_of(state: &Path, account: &AccountId) -> PathBuf {
	let digits: String = account.0[..8].iter().map(|byte| format!("{byte:02x}")).collect();
	state.join(FOLDER).join(digits)
}

/// A reservation that was sent.
#[derive(Clone, Copy, Debug)]
struct Reserved {
	channel: ChannelKey,
	counter: u32,
	/// The newest final block by then.
	finalised: BlockNumber,
}

impl Reserved {
	/// Whether it is final, or would be if it had been handed in: by the counter that the chain has, and its newest final block.
	fn could_be_final(&self, counter: u32, finalised: BlockNumber) -> bool {
		counter >= self.counter || finalised >= self.finalised.saturating_add(FINAL_BLOCKS)
	}
}

/// What we know behind a fault.
#[derive(Debug)]
struct Known<'a> {
	info: Option<&'a RelayerInfo>,
	stream: Option<&'a StreamKeyInfo>,
	/// Epoch and start of the newest window that was broadcast.
	newest: Option<(BlockNumber, u64)>,
	head: BlockNumber,
	latest_start_ms: u64,
}

impl Known<'_> {
	/// Whether it was we who did not know yet what the chain says, or whose clock or node is behind: as we find ourselves, whatever the
	/// relayer says. `before`: the stream, as we knew it before.
	fn excuses(&self, fault: &Fault, before: &StreamKeyInfo) -> bool {
		match fault {
			Fault::PriceTooHigh { asked, .. } => {
				let both = self.info.zip(self.stream);
				both.is_some_and(|(info, stream)| *asked <= most_price(info, stream))
			},
			Fault::WrongRecipient { asked, .. } => self.info.is_some_and(|info| info.account == *asked),
			Fault::WrongTerms { asked, .. } => self.stream.is_some_and(|stream| {
				stream.terms_counter == *asked || stream.terms_counter.checked_add(1) == Some(*asked)
			}),
			Fault::FormerKey(_) | Fault::UnknownKey(_) => self
				.stream
				.is_none_or(|stream| stream.signing_key != before.signing_key),
			Fault::FutureEpoch { .. } => self.newest.is_some_and(|(epoch, _)| epoch > self.head),
			Fault::FutureStart(_) => self.newest.is_some_and(|(_, start_ms)| start_ms > self.latest_start_ms),
			_ => false,
		}
	}
}

/// Most that a relayer may ask, micro-USDC per 10^9 bytes: what it has registered. And nobody may ask more of viewers than the stream
/// allows, whatever it has registered.
fn most_price(info: &RelayerInfo, stream: &StreamKeyInfo) -> u64 {
	info.price_per_gb.min(stream.terms().max_price_per_gb())
}

/// Connects at whichever of its addresses answers; what comes of the check, where none does.
async fn dial(node: &Node, info: &RelayerInfo) -> Result<Stream, Outcome> {
	let addresses = info.addresses.iter();
	let addresses: Vec<Address> = addresses
		.filter_map(|address| Address::new(address, &info.signing_key).ok())
		.collect();
	for address in &addresses {
		if let Ok(stream) = node.connect(address).await {
			return Ok(stream);
		}
	}
	// Of IPv6, for one, where we have IPv4 alone: viewers may have both.
	match !addresses.is_empty() && !addresses.iter().any(|address| node.has_route(address)) {
		true => Err(Outcome::Doubtful(Failing::Refused)),
		false => Err(Outcome::Failed(Failing::Refused)),
	}
}

/// No clock goes further ahead of ours.
fn latest_start_ms() -> u64 {
	unix_ms().saturating_add(MAX_AHEAD_OF_VIEWER_MS)
}

/// Whether this account can pay a ticket of the most that we accept, signed by this session key.
fn pays(account: &ViewerAccount, session: &PublicKey, now: BlockNumber) -> bool {
	let session = account.sessions.iter().find(|known| known.key == *session);
	session.is_some_and(|session| {
		let left = session.limit.saturating_sub(session.spent);
		session.expiry >= now.saturating_add(LAST_BLOCKS) && left.min(means(account)) >= MAX_FACE_VALUE
	})
}

/// What of the deposit relayers count on: it is neither reserved for others nor on its way out.
fn means(account: &ViewerAccount) -> Balance {
	let leaving = account.unlocking.as_ref().map_or(0, |unlocking| unlocking.amount);
	account.deposit.saturating_sub(account.reserved).saturating_sub(leaving)
}

/// What a relayer broke. Nothing that it can do by itself leaves a check without an outcome.
fn of_fault(fault: &Fault) -> Failing {
	match fault {
		Fault::PriceTooHigh { .. } | Fault::FaceValue { .. } | Fault::Unpayable(_) => Failing::Dear,
		Fault::WrongRecipient { .. } => Failing::Refused,
		// One of us may not know yet what the chain says.
		fault if fault.may_be_honest() => Failing::Refused,
		_ => Failing::Wrong,
	}
}

/// What its reason to end is: it sold nothing, whatever it says.
fn of_end(reason: &EndReason) -> Failing {
	match reason {
		EndReason::PriceRose => Failing::Dear,
		_ => Failing::Refused,
	}
}

/// Of so many at most: somebody's of long ago, or who fails each time, any of them will do.
fn remember<T>(known: &mut BTreeMap<PublicKey, T>, key: PublicKey, what: T) {
	let other = known.keys().find(|other| **other != key).copied();
	if let Some(other) = other.filter(|_| known.len() >= MOST_FAILED) {
		known.remove(&other);
	}
	known.insert(key, what);
}

/// What is bought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Plan {
	/// Windows that come by themselves, or a range that is asked for.
	follow: Follow,
	/// So many are let by first, or taken as well.
	lets_by: u32,
	/// Which chunks: where they begin, and how many there are beyond the least; parts of 65,536.
	at: u16,
	more: u16,
}

impl Plan {
	fn draw(chance: &mut StdRng) -> Self {
		let (follow, most) = match chance.gen_range(0..TAKES) {
			0 => (Follow::Windows, MOST_TAKEN),
			_ => (Follow::Announcements, MOST_LET_BY),
		};
		Self {
			follow,
			lets_by: chance.gen_range(0..=most),
			at: chance.gen(),
			more: chance.gen(),
		}
	}

	/// The same, of other chunks.
	fn again(&self, drawn: &Self) -> Self {
		Self {
			follow: self.follow,
			lets_by: self.lets_by,
			..*drawn
		}
	}

	/// Of this window: what a standby takes at least, and at most all of it.
	fn range(&self, offer: &Offer) -> Range {
		let part = |of: u32, part: u16| u32::try_from((u64::from(of) * u64::from(part)) >> 16).unwrap_or(of);
		let run = RUN_BYTES.checked_shr(offer.chunk_log2.into()).unwrap_or_default();
		let least = u32::try_from(run).unwrap_or(u32::MAX).clamp(1, offer.chunks.max(1));
		let count = least + part(offer.chunks.saturating_sub(least) + 1, self.more);
		Range {
			header: offer.header,
			first: part(offer.chunks.saturating_sub(count) + 1, self.at),
			count,
		}
	}
}

/// A window that is announced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Offer {
	header: Hash,
	chunks: u32,
	chunk_log2: u8,
	length: Duration,
	/// It is no live one.
	old: bool,
}

/// What the relayer says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Said {
	/// Whether it asks to have something reserved.
	Serves {
		asks: bool,
	},
	Announced(Offer),
	Whole,
	Came(Range),
	Lacks(Range),
	/// What was reserved is final.
	Reserved,
}

/// What is done about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
	Wait,
	Fetch(Fetch),
	/// Windows are bought that come by themselves, since for who stands by nobody reserves anything; and something is reserved, as soon as
	/// viewers would.
	Reserve,
	Over(Outcome),
}

/// One range that is bought: sans-IO.
#[derive(Clone, Copy, Debug)]
struct Errand {
	plan: Plan,
	/// It has said its terms.
	serves: bool,
	/// It may lend strangers nothing, and nothing is reserved for it yet.
	asks: bool,
	/// What was asked for.
	asked: Option<Range>,
	late: Duration,
	/// Nothing was broadcast since it is waited for: it cannot come.
	unpublished: bool,
	/// By then it has to come...
	until: Instant,
	/// ...and by then at the latest.
	latest: Instant,
}

impl Errand {
	fn new(plan: Plan, now: Instant) -> Self {
		let late = late(USUAL_WINDOW);
		Self {
			plan,
			serves: false,
			asks: false,
			asked: None,
			late,
			unpublished: true,
			until: now + late,
			latest: now + LONGEST,
		}
	}

	fn hear(&mut self, said: Said, now: Instant) -> Step {
		match said {
			// Once: terms can be said again and again.
			Said::Serves { asks } if !self.serves => {
				(self.serves, self.asks) = (true, asks);
				self.wait(now);
			},
			Said::Serves { .. } => {},
			Said::Announced(Offer { old: true, .. }) => return Step::Over(Outcome::Failed(Failing::Late)),
			Said::Announced(offer) => {
				self.late = late(offer.length);
				if self.plan.follow == Follow::Announcements && self.asked.is_none() {
					return self.choose(&offer, now);
				}
			},
			Said::Whole if self.plan.follow == Follow::Windows => {
				// It lends something.
				self.asks = false;
				if self.plan.lets_by == 0 {
					return Step::Over(Outcome::Served);
				}
				self.plan.lets_by -= 1;
				self.wait(now);
			},
			Said::Came(range) if Some(range) == self.asked => return Step::Over(Outcome::Served),
			// None of it.
			Said::Lacks(range) if Some(range) == self.asked => return self.late(now),
			// A part of it.
			Said::Came(range) | Said::Lacks(range) if self.asked.is_some_and(|asked| asked.header == range.header) => {
				return Step::Over(Outcome::Failed(Failing::Late));
			},
			Said::Reserved => self.wait(now),
			Said::Whole | Said::Came(_) | Said::Lacks(_) => {},
		}
		Step::Wait
	}

	/// Whether nothing was bought for so long that our seat may be another's.
	fn is_idle(&self, now: Instant) -> bool {
		self.plan.follow == Follow::Announcements && now + LONGEST >= self.latest + UNSEATED
	}

	/// We broadcast a window: it has its time from then on.
	fn published(&mut self, now: Instant) {
		if std::mem::take(&mut self.unpublished) {
			self.until = self.until.max((now + self.late).min(self.latest));
		}
	}

	/// Nothing came in time.
	fn late(&mut self, now: Instant) -> Step {
		if self.unpublished {
			return Step::Over(Outcome::Void);
		}
		if !self.asks || now >= self.latest {
			return Step::Over(Outcome::Failed(Failing::Late));
		}
		(self.plan.follow, self.plan.lets_by, self.asked) = (Follow::Windows, 0, None);
		self.until = now + BLOCK;
		Step::Reserve
	}

	/// Something was reserved.
	fn reserve(&mut self, now: Instant) {
		self.asks = false;
		self.latest = now + RESERVED;
		self.until = self.latest;
	}

	fn wait(&mut self, now: Instant) {
		self.unpublished = true;
		self.until = (now + self.late).min(self.latest);
	}

	/// Asks for some of this window, or lets it by.
	fn choose(&mut self, offer: &Offer, now: Instant) -> Step {
		self.wait(now);
		if self.plan.lets_by > 0 {
			self.plan.lets_by -= 1;
			return Step::Wait;
		}
		let range = self.plan.range(offer);
		self.asked = Some(range);
		Step::Fetch(Fetch {
			range,
			within_ms: u32::try_from(self.late.as_millis()).unwrap_or(u32::MAX),
		})
	}
}

/// What of a stream with such windows is too late.
fn late(length: Duration) -> Duration {
	length.saturating_mul(LATE_WINDOWS).clamp(LATE.0, LATE.1)
}

#[cfg(test)]
mod tests;
