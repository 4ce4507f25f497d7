//! Buys a range of a relayer now and then, as viewers do, to see whether it sells what it takes: with an account and session key of its
//! own, as another peer each time. What is bought and when one goes is chance; what a viewer checks and signs is what
//! [`ViewerSession`] does.
//!
//! | outcome | where |
//! | --- | --- |
//! | served | what was asked for came in time, and verified |
//! | refused | it is not reached, ends the subscription, breaks off, or knows another chain than we do |
//! | dear | it asks more than the registry has, or for tickets of more than [`MAX_FACE_VALUE`] |
//! | late | nothing came for three windows' time, or only what is old |
//! | wrong | what came is not what the broadcaster signed |
//! | nothing | the broadcast paused, our node is late, or our own account cannot pay: all of it our own |

use crate::{
	encoder::unix_ms,
	metrics,
	tier::{Failing, Outcome},
};
use clustercast_chain::{Chain, Wallet};
use clustercast_cli::Seldom;
use clustercast_network::{client, node, Address, Feed, Node, Stream, Subscription};
use clustercast_pay::{
	funds::{self, FundsError, Wanted},
	pocket::{Pocket, StateFolder},
};
use clustercast_primitives::{
	amount::USDC,
	chain::{RelayerInfo, StreamKeyInfo, ViewerAccount},
	crypto::KeyPair,
	subscribe::Binding,
	window::MAX_AHEAD_OF_VIEWER_MS,
	Balance, BlockNumber, Hash, PublicKey, TrackId,
};
use clustercast_protocol::{
	swarm::offer::RUN_BYTES,
	viewer::{Due, Event},
	Cursor, EndReason, Fault, Fetch, Follow, Lookup, PaymentMode, PaymentTerms, Range, SessionKey, StreamKeys,
	ViewerConfig, ViewerSession,
};
use rand::{rngs::StdRng, Rng};
use std::{path::Path, sync::Arc, time::Duration};
use tokio::{
	sync::watch,
	time::{timeout, timeout_at, Instant},
};

/// In the state folder: session key and purse.
const FOLDER: &str = "check";

/// Most that a winning ticket may cost, micro-USDC: as with players.
const MAX_FACE_VALUE: Balance = USDC / 10;

/// Picture and sound.
const TRACK: TrackId = 0;

/// How long the chain may take to answer.
const ANSWER: Duration = Duration::from_secs(5);

/// And to take a deposit and a session key.
const RENEWAL: Duration = Duration::from_secs(60);

/// Whatever a relayer says meanwhile, no check takes longer.
const LONGEST: Duration = Duration::from_secs(45);

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

/// Windows that are let by before one is asked for, at most.
const MOST_LET_BY: u32 = 2;

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
	chance: StdRng,
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
		let folder = StateFolder::open(&state.join(FOLDER))?;
		let pocket = funds::prepare(&chain, &wallet, &folder, wanted).await?;
		Ok(Self {
			chain,
			wallet,
			folder,
			wanted,
			pocket,
			named,
			feed,
			chance,
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
		let payer = self.wallet.account();
		let Ok(Ok(account)) = timeout(ANSWER, self.chain.viewer_account(&payer, None)).await else {
			return false;
		};
		let pays = pays(&account, &self.pocket.session(), self.chain.tip().block());
		if !pays {
			self.complain(&"the deposit or the session key's limit is used up");
		}
		pays
	}

	fn complain(&mut self, error: &dyn std::fmt::Display) {
		if self.trouble.due(std::time::Instant::now()).is_some() {
			tracing::warn!(%error, "relayers are not checked as long as the account of --check-account cannot pay");
		}
	}

	/// Connects, buys, pays, and leaves.
	async fn buy(&mut self, info: &RelayerInfo, stream: &StreamKeyInfo) -> Outcome {
		// A new identity each time, as players have.
		let key = KeyPair::from_seed(self.chance.gen());
		let Ok((node, _)) = Node::start(&key, node::Limits::default()) else {
			return Outcome::Void;
		};
		let Some(connection) = timeout(DIAL, dial(&node, info)).await.ok().flatten() else {
			return Outcome::Failed(Failing::Refused);
		};
		let plan = Plan::draw(&mut self.chance);
		let session = self.session(info, stream, plan.follow);
		let mut subscription = Subscription::new(connection, session, DIAL);
		let errand = Errand::new(plan, Instant::now());
		let outcome = timeout(LONGEST, self.run(errand, &mut subscription)).await;
		let outcome = outcome.unwrap_or(Outcome::Failed(Failing::Late));
		// What came is paid, also where not all of it did.
		if matches!(outcome, Outcome::Served | Outcome::Failed(Failing::Late)) {
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
				// Nobody may ask more of viewers, whatever it has registered.
				max_price_per_gb: info.price_per_gb.min(stream.terms().max_price_per_gb()),
				max_face_value: MAX_FACE_VALUE,
			}),
			head: self.chain.tip().block(),
			latest_start_ms: latest_start_ms(),
			resume: None,
			follow,
		})
	}

	/// Does the errand to its end.
	async fn run(&mut self, mut errand: Errand, subscription: &mut Subscription) -> Outcome {
		loop {
			let session = subscription.session();
			session.set_head(self.chain.tip().block());
			session.set_latest_start(latest_start_ms());
			let event = match timeout_at(errand.until, subscription.next()).await {
				Err(_) => return Outcome::Failed(Failing::Late),
				Ok(Err(client::Error::Fault(fault))) => return Outcome::Failed(of_fault(&fault)),
				// It broke off.
				Ok(Err(_)) => return Outcome::Failed(Failing::Refused),
				Ok(Ok(event)) => event,
			};
			let said = match event {
				Event::Challenged(request) => {
					let signed = self.pocket.subscribe(request);
					subscription.session().subscribe(signed);
					continue;
				},
				Event::PaymentDue(due) => match self.pay(subscription, &due) {
					true => continue,
					false => return Outcome::Void,
				},
				Event::Terms(terms) => {
					if let Some(PaymentMode::Vouchers { newest: Some(newest) }) = terms.map(|terms| terms.mode) {
						if self.pocket.adopt(&newest).is_err() {
							return Outcome::Failed(Failing::Refused);
						}
					}
					Said::Serves
				},
				Event::Announced(window) => {
					let header = window.header();
					Said::Announced(Offer {
						header: window.hash(),
						chunks: header.chunks,
						chunk_log2: header.chunk_log2,
						length: Duration::from_millis(header.duration_ms.into()),
						old: self.is_old(header.start_ms),
					})
				},
				Event::Window(_) => Said::Whole,
				Event::Chunks(chunks) => Said::Came(chunks.range()),
				Event::Lacks(range) => Said::Lacks(range),
				// Places for those who stand by may be taken; for those who buy all that comes, such a one makes room.
				Event::Ended(EndReason::Full) if errand.plan.follow == Follow::Announcements => return Outcome::Void,
				Event::Ended(reason) => return Outcome::Failed(of_end(&reason)),
				_ => continue,
			};
			match errand.hear(said, Instant::now()) {
				Step::Wait => {},
				Step::Fetch(fetch) => {
					if !subscription.session().fetch(fetch) {
						return Outcome::Failed(Failing::Late);
					}
				},
				Step::Over(outcome) => return outcome,
			}
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

	/// Whether a window that begins then is no live one, by the newest that was published.
	fn is_old(&self, start_ms: u64) -> bool {
		let stream = self.named.borrow().as_ref().map(|stream| stream.id);
		let newest = stream.and_then(|stream| self.feed.latest(stream, TRACK));
		newest.is_some_and(|newest| start_ms.saturating_add(OLD_MS) < newest.header().start_ms)
	}
}

/// Connects at whichever of its addresses answers.
async fn dial(node: &Node, info: &RelayerInfo) -> Option<Stream> {
	for address in &info.addresses {
		if let Ok(address) = Address::new(address, &info.signing_key) {
			if let Ok(stream) = node.connect(&address).await {
				return Some(stream);
			}
		}
	}
	None
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
		let free = account.deposit.saturating_sub(account.reserved);
		session.expiry >= now.saturating_add(LAST_BLOCKS) && left.min(free) >= MAX_FACE_VALUE
	})
}

/// What a relayer broke. Nothing that it can do by itself leaves a check without an outcome.
fn of_fault(fault: &Fault) -> Failing {
	match fault {
		Fault::PriceTooHigh { .. } | Fault::FaceValue { .. } | Fault::Unpayable(_) => Failing::Dear,
		Fault::WrongRecipient { .. } => Failing::Refused,
		// One of us may not know yet what the chain says: where that is us, nobody serves us.
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
		Self {
			follow: match chance.gen() {
				true => Follow::Windows,
				false => Follow::Announcements,
			},
			lets_by: chance.gen_range(0..=MOST_LET_BY),
			at: chance.gen(),
			more: chance.gen(),
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
	Serves,
	Announced(Offer),
	Whole,
	Came(Range),
	Lacks(Range),
}

/// What is done about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
	Wait,
	Fetch(Fetch),
	Over(Outcome),
}

/// One range that is bought: sans-IO.
#[derive(Clone, Copy, Debug)]
struct Errand {
	plan: Plan,
	/// It has said its terms.
	serves: bool,
	/// What was asked for.
	asked: Option<Range>,
	late: Duration,
	/// By then it has to come.
	until: Instant,
}

impl Errand {
	fn new(plan: Plan, now: Instant) -> Self {
		let late = late(USUAL_WINDOW);
		Self {
			plan,
			serves: false,
			asked: None,
			late,
			until: now + late,
		}
	}

	fn hear(&mut self, said: Said, now: Instant) -> Step {
		match said {
			// Once: terms can be said again and again.
			Said::Serves if !self.serves => (self.serves, self.until) = (true, now + self.late),
			Said::Serves => {},
			Said::Announced(Offer { old: true, .. }) => return Step::Over(Outcome::Failed(Failing::Late)),
			Said::Announced(offer) => {
				self.late = late(offer.length);
				if self.plan.follow == Follow::Announcements && self.asked.is_none() {
					return self.choose(&offer, now);
				}
			},
			Said::Whole if self.plan.follow == Follow::Windows => {
				if self.plan.lets_by == 0 {
					return Step::Over(Outcome::Served);
				}
				self.plan.lets_by -= 1;
				self.until = now + self.late;
			},
			Said::Came(range) if Some(range) == self.asked => return Step::Over(Outcome::Served),
			// A part of it, or none.
			Said::Came(range) | Said::Lacks(range) if self.asked.is_some_and(|asked| asked.header == range.header) => {
				return Step::Over(Outcome::Failed(Failing::Late));
			},
			Said::Whole | Said::Came(_) | Said::Lacks(_) => {},
		}
		Step::Wait
	}

	/// Asks for some of this window, or lets it by.
	fn choose(&mut self, offer: &Offer, now: Instant) -> Step {
		self.until = now + self.late;
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
