//! Serves subscriptions: one task for each drives a [`RelayerSession`], delivers from the shared [`Feed`] as fast as the
//! viewer reads and pays, and asks the [`Policy`] whatever is a matter of decision.
//!
//! Memory per subscription is bounded: two windows are on their way at a time, whose bytes are shared with all other viewers. A window
//! that comes in runs goes out so.
//! Whoever takes them too slowly has windows passed over; whoever falls behind the cache, does not read, or does not pay in time is
//! told why and ended.

use crate::{
	deadlines::{Deadlines, Due},
	door::{Case, Claim, WITHIN},
	feed::Feed,
	node::Incoming,
	policy::SUBSCRIBE_TIMEOUT,
	quic::Stream,
	reception::{Door, Sitting, Waiting},
	sending::{Sending, Step},
};
use clustercast_primitives::{subscribe::Binding, Hash, PublicKey, SignedTicket, SignedVoucher, StreamId};
use clustercast_protocol::{
	relayer::{Event, Quote, Requote, SessionError},
	Announced, Cursor, EncodedWindow, EndReason, Fetch, Follow, Lookup, OpenWindow, Range, RelayerSession, Subscribe,
};
use futures::{
	future::FutureExt,
	stream::{FuturesUnordered, StreamExt},
};
use rand::{rngs::OsRng, RngCore};
use std::{collections::VecDeque, future::Future, io, sync::Arc, time::Duration};
use tokio::{
	sync::watch,
	task::JoinSet,
	time::{sleep_until, timeout, timeout_at, Instant},
};

pub use crate::{
	policy::{Closed, Freight, Grant, Policy, Unpaid},
	quic::Pulse,
};

/// A viewer who was told that it is over may take this long to hang up. Then QUIC has surely carried the last word.
const LINGER: Duration = Duration::from_millis(500);

/// Read at a time: tickets are a few hundred bytes.
const READ_BYTES: usize = 4 * 1024;

/// How a server treats its subscribers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config {
	/// Genesis hash of the chain: subscriptions for another one are refused.
	pub genesis: Hash,
	/// The node's peer key: subscriptions that pay must be bound to it, or to a certificate where a browser calls.
	pub key: PublicKey,
	/// Subscriptions at a time; past it new ones end with [`EndReason::Full`].
	pub max_subscriptions: usize,
	/// Of one account that pays; past it its new ones end with [`EndReason::SeatsTaken`].
	pub max_per_payer: usize,
	/// A frame that the viewer's flow control does not take within this ends the subscription, and so do chunks that do not reach it. Where
	/// nothing more comes of a window for so long, it ends with what went out.
	pub write_timeout: Duration,
	/// A window that is unpaid for this long ends the subscription.
	pub pay_timeout: Duration,
	/// A viewer who has no credit for so long is told to reserve something: finality, and a second attempt.
	pub credit_timeout: Duration,
	/// A viewer that named a place of which nothing is known for so long is told [`EndReason::WindowGone`]: longer than a relayer
	/// that works falls behind another.
	pub lost_timeout: Duration,
	/// Who pays for too little for so long has not earned its seat: it makes room when all are taken.
	pub earned_within: Duration,
	/// A viewer to whom nothing was delivered for so long, and that said nothing, is told [`EndReason::Idle`].
	pub idle_timeout: Duration,
	/// Whether windows are passed over for who cannot follow. Not where relayers are served: one that lacked a window would have
	/// none of those behind it for its viewers.
	pub passes: bool,
	/// How long the last windows may be paid for once the server is asked to stop.
	pub stop_timeout: Duration,
}

impl Config {
	/// Defaults: 256 subscriptions, 8 of one account (a household), 10 s to take a frame, 20 s to pay for one, 60 s to reserve
	/// something, 30 s until a place is known, as much to earn a seat, an hour without anything (pauses are longer than a few minutes), 1 s to pay at the
	/// end.
	pub fn new(genesis: Hash, key: PublicKey) -> Self {
		Self {
			genesis,
			key,
			max_subscriptions: 256,
			max_per_payer: 8,
			write_timeout: Duration::from_secs(10),
			pay_timeout: Duration::from_secs(20),
			credit_timeout: Duration::from_secs(60),
			lost_timeout: Duration::from_secs(30),
			earned_within: WITHIN,
			idle_timeout: Duration::from_secs(3_600),
			passes: true,
			stop_timeout: Duration::from_secs(1),
		}
	}
}

/// Serves all that comes in from `feed` until the node stops, or until `stop`: then ends every subscription with
/// [`EndReason::ShuttingDown`], after what was delivered is paid or [`Config::stop_timeout`] is over, and returns.
pub async fn serve<P: Policy>(
	mut incoming: Incoming,
	feed: Feed,
	policy: Arc<P>,
	config: Config,
	stop: impl Future<Output = ()>,
) {
	let door = Arc::new(Door::new(
		config.max_subscriptions,
		config.max_per_payer,
		config.earned_within,
	));
	let stopping = watch::Sender::new(false);
	let mut tasks = JoinSet::new();
	tokio::pin!(stop);
	loop {
		let (peer, stream) = tokio::select! {
			next = incoming.accept() => match next {
				Some(next) => next,
				None => break,
			},
			Some(ended) = tasks.join_next() => {
				if let Err(error) = ended {
					tracing::error!(%error, "a subscription's task failed");
				}
				continue;
			},
			() = &mut stop => break,
		};
		let Some(waiting) = door.wait(stream.source(), Instant::now()) else {
			tracing::debug!("stream refused: too many wait for their verdict");
			stream.refuse();
			continue;
		};
		let Some(link) = Link::new(stream, config) else {
			continue;
		};
		let (feed, policy, stopping) = (feed.clone(), policy.clone(), stopping.subscribe());
		tasks.spawn(async move { link.run(peer, waiting, feed, &*policy, stopping).await });
	}
	stopping.send_replace(true);
	let drained = async { while tasks.join_next().await.is_some() {} };
	// Whoever is still stuck in a write by then hears nothing more.
	if timeout(config.stop_timeout + 2 * LINGER, drained).await.is_err() {
		tasks.shutdown().await;
	}
}

/// One subscription: its streams and its session.
struct Link {
	stream: Stream,
	sending: Sending,
	/// To be answered, and until when.
	fetches: VecDeque<(Fetch, Instant)>,
	session: RelayerSession,
	/// Bytes that were paid by the last look.
	settled: u64,
	/// Whether anything has to be paid.
	costs: bool,
	/// Who asked, and for what.
	asked: Option<(PublicKey, Subscribe)>,
	config: Config,
	/// Whether its seat is another's. Never, before it has one.
	over: Option<watch::Receiver<Option<EndReason>>>,
	buffer: [u8; READ_BYTES],
}

/// What became of a window, or of a fetch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Delivered {
	/// There is none that could be answered now.
	Nothing,
	/// It is queued, or may be.
	Queued,
	/// What went before it is to be paid first.
	Unpaid,
	/// There is no credit for it.
	NotYet,
}

/// What a viewer pays with.
enum Paying {
	Ticket(SignedTicket),
	Voucher { commitment: Hash, voucher: SignedVoucher },
}

impl Paying {
	fn of(event: Event) -> Option<Self> {
		match event {
			Event::Ticket(ticket) => Some(Self::Ticket(ticket)),
			Event::Voucher { commitment, voucher } => Some(Self::Voucher { commitment, voucher }),
			Event::Subscribed(_) | Event::Reserve(_) | Event::Fetch(_) | Event::Cancel(_) => None,
		}
	}
}

impl Link {
	/// `None` for a stream that we opened ourselves.
	fn new(stream: Stream, config: Config) -> Option<Self> {
		let mut challenge = [0; 32];
		OsRng.fill_bytes(&mut challenge);
		let bindings = match stream.certificates() {
			[] => vec![Binding::PeerKey(config.key.0)],
			shown => shown.iter().map(|hash| Binding::Certificate(hash.0)).collect(),
		};
		Some(Self {
			sending: Sending::new(stream.sender()?, config.write_timeout),
			fetches: VecDeque::new(),
			stream,
			session: RelayerSession::new(config.genesis, Hash(challenge), bindings),
			settled: 0,
			costs: false,
			asked: None,
			config,
			over: None,
			buffer: [0; READ_BYTES],
		})
	}

	async fn run<P: Policy>(
		mut self,
		peer: PublicKey,
		waiting: Waiting,
		feed: Feed,
		policy: &P,
		mut stopping: watch::Receiver<bool>,
	) {
		let begun = tokio::select! {
			begun = self.begin(peer, &waiting, policy) => begun,
			() = waiting.displaced.notified() => Err((None, self.end(EndReason::Full))),
			_ = stopping.wait_for(|stopping| *stopping) => Err((None, self.end(EndReason::ShuttingDown))),
		};
		drop(waiting);
		let (seat, why) = match begun {
			Ok((sitting, seat, stream)) => {
				let _vouch = self.stream.vouch();
				self.over = Some(sitting.over.clone());
				let why = self.serve(&sitting, &seat, stream, feed, policy, stopping).await;
				(Some(seat), why)
			},
			Err((seat, why)) => {
				self.part(&why).await;
				(seat, why)
			},
		};
		let unsent = self.session.unsent();
		let mut sent = self.session.unpaid();
		sent.retain(|commitment| !unsent.contains(commitment));
		policy.closed(seat, Unpaid { sent, unsent }, &why);
		tracing::debug!(%why, "subscription over");
	}

	/// From the first byte to the answer. A seat is taken behind the verdict: what is looked up for strangers takes none.
	async fn begin<P: Policy>(
		&mut self,
		peer: PublicKey,
		waiting: &Waiting,
		policy: &P,
	) -> Result<(Sitting, P::Seat, StreamId), (Option<P::Seat>, Closed)> {
		let door = &waiting.door;
		let request = timeout(SUBSCRIBE_TIMEOUT, self.request(policy)).await;
		let request = request.unwrap_or(Err(Closed::Silent)).map_err(|why| (None, why))?;
		let claim = Claim::new(peer, &request);
		self.asked = Some((peer, request.clone()));
		if door.is_full(&claim) {
			return Err((None, self.refuse(EndReason::Full, policy)));
		}
		let answer = timeout(SUBSCRIBE_TIMEOUT, async {
			let _turn = door.turn(waiting.source).await;
			policy.subscribe(peer, &request).await
		});
		// Whatever took so long, it was not the viewer.
		let answer = answer.await.unwrap_or(Err(EndReason::Behind));
		let (grant, seat) = answer.map_err(|reason| (None, self.refuse(reason, policy)))?;
		self.costs = matches!(&grant, Grant::Paid(terms, _) if terms.price_per_gb > 0);
		let case = Case {
			pays: matches!(grant, Grant::Paid(..)),
			places: policy.places(&seat).unwrap_or(usize::MAX),
			freight: policy.freight(&seat),
			resells: policy.resells(&seat),
		};
		let sitting = match door.sit(claim, case) {
			Ok(sitting) => sitting,
			Err(reason) => return Err((Some(seat), self.refuse(reason, policy))),
		};
		if case.resells {
			self.sending.hurry();
		}
		if policy.is_dear(&seat) {
			self.session.others(&policy.others(&peer, &request));
		}
		let accepted = match grant {
			Grant::Free => self.session.accept_free(),
			Grant::Paid(terms, signer) => self.session.accept(terms, signer),
		};
		match accepted {
			Ok(()) => Ok((sitting, seat, request.stream)),
			Err(SessionError::NoPayer) => Err((Some(seat), self.end(EndReason::PaymentRequired))),
			Err(other) => Err((Some(seat), other.into())),
		}
	}

	async fn serve<P: Policy>(
		&mut self,
		sitting: &Sitting,
		seat: &P::Seat,
		stream: StreamId,
		feed: Feed,
		policy: &P,
		stopping: watch::Receiver<bool>,
	) -> Closed {
		let judge = move |paying| async move {
			match paying {
				Paying::Ticket(ticket) => (ticket.message.commitment, policy.ticket(seat, ticket).await),
				Paying::Voucher { commitment, voucher } => {
					(commitment, policy.voucher(seat, commitment, voucher).await)
				},
			}
		};
		// At most the credit.
		let mut judging = FuturesUnordered::new();
		policy.seated(seat, true);
		policy.follows(seat, self.session.follows());
		policy.pulse(seat, self.sending.pulse());
		let why = self
			.attend(sitting, seat, stream, feed, policy, stopping, judge, &mut judging)
			.await;
		policy.seated(seat, false);
		let why = why.unwrap_or_else(|closed| closed);
		self.part(&why).await;
		// Whatever ended it, what had come before is judged: it may be the last payment.
		let patience = self.config.pay_timeout;
		let last = async {
			if matches!(why, Closed::Io(_)) {
				self.hear_out();
			}
			while let Some(event) = self.session.poll_event() {
				judging.extend(Paying::of(event).map(judge));
			}
			while let Some((commitment, judged)) = judging.next().await {
				if judged.is_ok() {
					// It was owed and is answered now.
					if self.session.paid(commitment).is_ok() {
						self.note_bought(sitting, seat, policy, true);
					}
				}
			}
		};
		let _ = timeout(patience, last).await;
		why
	}

	/// Reads what had arrived before the stream broke.
	fn hear_out(&mut self) {
		while let Some(Ok(length @ 1..)) = self.stream.read(&mut self.buffer).now_or_never() {
			if self.session.handle(&self.buffer[..length]).is_err() {
				break;
			}
		}
	}

	/// Serves until there is a reason to end it.
	#[allow(clippy::too_many_arguments, reason = "what a subscription consists of")]
	async fn attend<P: Policy, F: Future<Output = (Hash, Result<(), EndReason>)>>(
		&mut self,
		sitting: &Sitting,
		seat: &P::Seat,
		stream: StreamId,
		feed: Feed,
		policy: &P,
		mut stopping: watch::Receiver<bool>,
		judge: impl Fn(Paying) -> F,
		judging: &mut FuturesUnordered<F>,
	) -> Result<Closed, Closed> {
		let mut news = feed.news(stream);
		let mut deadlines = Deadlines::new(self.config, Instant::now());
		let (mut follows, mut earned, mut lacked) = (self.session.follows(), false, false);
		loop {
			// Before looking: what comes after the look rings again.
			news.mark_unchanged();
			let finished = feed.is_over(stream);
			if let Some(status) = feed.status(stream) {
				self.session.status(&status);
			}
			if let Some(seats) = policy.seats(seat) {
				self.session.seats(seats);
			}
			if let Some(path) = policy.route(seat) {
				self.session.route(&path);
			}
			match policy.reserved(seat) {
				Ok(Some(counter)) => {
					sitting.waits(None);
					self.session.reserved(counter);
					self.restate(seat, policy)?;
				},
				Ok(None) => {},
				Err(reason) => return Ok(self.end(reason)),
			}
			if self.session.owed() > 0 && !self.session.awaits_payment() && sitting.is_due() {
				self.session.settle();
			}
			if self.transmit(policy).await? {
				deadlines.said(Instant::now());
			}
			if *stopping.borrow() {
				deadlines.stop(Instant::now());
			}
			if let Some(reason) = policy.shut(seat) {
				deadlines.shut(reason, Instant::now());
			}
			let closing = deadlines.closing().is_some();
			self.send_next(&feed);
			if closing {
				self.sending.cut_open();
			}
			if !closing {
				let answered = self.answer(seat, stream, &feed, policy)?;
				// What was settled or is lacked.
				if self.transmit(policy).await? {
					deadlines.said(Instant::now());
				}
				match answered {
					Delivered::Queued => {
						deadlines.delivered(Instant::now());
						continue;
					},
					Delivered::NotYet => deadlines.short(Instant::now()),
					Delivered::Nothing | Delivered::Unpaid => {},
				}
			}
			if std::mem::replace(&mut follows, self.session.follows()) != self.session.follows() {
				if let Err(reason) = sitting.follows(follows, policy.freight(seat)) {
					return Ok(self.refuse(reason, policy));
				}
				policy.follows(seat, follows);
			}
			let wanted = self.session.wants().filter(|_| !closing);
			let found = wanted.map(|cursor| self.look(&feed, cursor));
			// Who has what it does not pay, or takes its time with it, is idle as well as who does not want it.
			let has_some = self.session.awaits_payment() || (found.is_none() && !self.session.is_idle());
			if !closing && (has_some || matches!(found, Some(Lookup::Found(_) | Lookup::Open(_)))) {
				sitting.offered(self.session.announced());
			}
			// It waits for us, who are behind.
			let lacks = !closing && matches!(found, Some(Lookup::Unknown));
			if lacks || lacked {
				sitting.lacks(lacks);
			}
			lacked = lacks;
			self.note_bought(sitting, seat, policy, false);
			let earns = sitting.counts();
			if std::mem::replace(&mut earned, earns) != earns {
				policy.earns(seat, earns);
			}
			if let Some(found) = found {
				let delivered = match &found {
					Lookup::Found(window) => self.deliver(seat, window, &feed, policy)?,
					Lookup::Open(window) => self.deliver_open(seat, window, policy)?,
					Lookup::NotYet | Lookup::Unknown | Lookup::Gone => Delivered::Nothing,
				};
				match delivered {
					Delivered::NotYet => deadlines.short(Instant::now()),
					// For which there is a receipt now, or will be.
					Delivered::Unpaid => {
						if self.transmit(policy).await? {
							deadlines.said(Instant::now());
						}
					},
					Delivered::Nothing => {},
					Delivered::Queued => {
						// An announcement alone is no delivery: a seat that takes nothing is idle.
						match self.session.follows() {
							Follow::Windows => deadlines.delivered(Instant::now()),
							Follow::Announcements => deadlines.found(),
						}
						continue;
					},
				}
				match found {
					Lookup::Found(_) | Lookup::Open(_) => {},
					Lookup::Gone => return Ok(self.end(EndReason::WindowGone)),
					Lookup::NotYet | Lookup::Unknown if finished => deadlines.finish(Instant::now()),
					Lookup::NotYet => deadlines.found(),
					Lookup::Unknown => deadlines.lost(Instant::now()),
				}
			}
			if let Some(reason) = deadlines.closing() {
				self.session.settle();
				self.transmit(policy).await?;
				if self.session.unpaid().is_empty() && self.session.is_idle() {
					return Ok(self.refuse(reason, policy));
				}
			}
			// What is being judged the viewer has paid, however long it takes us to keep it.
			deadlines.owes(self.session.awaits_payment(), Instant::now());

			let (due, at) = deadlines.next();
			tokio::select! {
				read = self.stream.read(&mut self.buffer) => match read? {
					0 => {
						self.session.finish()?;
						return Ok(Closed::Left);
					},
					length => {
						deadlines.heard(Instant::now());
						self.session.handle(&self.buffer[..length])?;
					},
				},
				Some((commitment, judged)) = judging.next() => match judged {
					Ok(()) => {
						self.session.paid(commitment)?;
						self.note_bought(sitting, seat, policy, true);
						deadlines.paid(Instant::now());
						self.restate(seat, policy)?;
					},
					Err(reason) => return Ok(self.end(reason)),
				},
				step = self.sending.next() => match step? {
					Step::Over(id, chunks, bytes) => {
						policy.sent(bytes);
						let requoted = self.session.sent(id, chunks);
						if let Err(reason) = Self::requote(seat, requoted, policy) {
							return Ok(self.end(reason));
						}
					},
					Step::Arrived(id) => self.session.arrived(id),
					Step::Stuck => return Err(Closed::Stalled),
				},
				_ = news.changed() => {},
				_ = stopping.changed() => {},
				why = unseated(&mut self.over) => match why {
					// Somebody else has its copy. What it has it pays first.
					EndReason::Full => {
						self.over = None;
						deadlines.shut(why, Instant::now());
					},
					why => return Ok(self.refuse(why, policy)),
				},
				() = sleep_until(at) => match due {
					Due::Say => {
						self.session.waiting();
						// What nothing follows for a while is paid as it is.
						self.session.settle();
					},
					Due::End(reason) => return Ok(self.refuse(reason, policy)),
				},
			}
			while let Some(event) = self.session.poll_event() {
				match event {
					Event::Reserve(reservation) => {
						if let Err(reason) = policy.reserve(seat, reservation).await {
							return Ok(self.end(reason));
						}
						// From here on it is our turn.
						sitting.waits(Some(Instant::now() + self.config.credit_timeout));
					},
					Event::Fetch(fetch) => {
						let within = Duration::from_millis(fetch.within_ms.into());
						self.fetches.push_back((fetch, Instant::now() + within));
					},
					Event::Cancel(range) => self.cancel(&range),
					event => judging.extend(Paying::of(event).map(&judge)),
				}
			}
		}
	}

	/// Notes what was paid since the last look; `proves` where a payment was good.
	fn note_bought<P: Policy>(&mut self, sitting: &Sitting, seat: &P::Seat, policy: &P, proves: bool) {
		let settled = self.session.settled();
		let more = settled - std::mem::replace(&mut self.settled, settled);
		if more > 0 || proves {
			sitting.paid(more, proves || !self.costs);
			policy.bought(seat, more);
		}
	}

	/// What the viewer wants next. One of which the rest is coming is nothing yet for who would have it announced alone, or passed over:
	/// all that is announced so can be had at once.
	fn look(&self, feed: &Feed, cursor: Cursor) -> Lookup {
		let follows = self.session.follows() == Follow::Windows;
		match feed.get(cursor) {
			Lookup::Open(_) if !follows || (self.config.passes && self.sending.is_behind()) => Lookup::NotYet,
			found => found,
		}
	}

	/// Hands on what has come of windows that are not whole, and begins to write what is queued, where nothing else can be written.
	fn send_next(&mut self, feed: &Feed) {
		loop {
			let now = Instant::now();
			self.sending.hand(|header, from| feed.rest(header, from), now);
			if self.sending.is_writing() {
				return;
			}
			match self.session.poll_sending() {
				Some(outgoing) => self.sending.begin(outgoing, now),
				None => return,
			}
		}
	}

	/// These chunks are not wanted any more.
	fn cancel(&mut self, range: &Range) {
		self.sending.cut(range);
		if let Some(at) = self.fetches.iter().position(|(fetch, _)| fetch.range == *range) {
			self.fetches.remove(at);
			self.session.lacks(range);
		}
	}

	/// Less went out than was quoted for.
	fn requote<P: Policy>(seat: &P::Seat, requoted: Option<Requote>, policy: &P) -> Result<(), EndReason> {
		match requoted {
			// It was granted more before.
			Some(Requote::Owed(expectation)) => drop(policy.lend(seat, expectation)?),
			Some(Requote::Nothing(commitment)) => policy.forgo(seat, commitment),
			None => {},
		}
		Ok(())
	}

	/// Answers the oldest fetch, if that can be done now.
	fn answer<P: Policy>(
		&mut self,
		seat: &P::Seat,
		stream: StreamId,
		feed: &Feed,
		policy: &P,
	) -> Result<Delivered, Closed> {
		while let Some((fetch, until)) = self.fetches.front().copied() {
			let window = feed.find(stream, &fetch.range.header);
			let window = window.filter(|window| self.session.has_new(window, &fetch.range));
			let left = until.saturating_duration_since(Instant::now());
			let (Some(window), false) = (window, left.is_zero()) else {
				self.fetches.pop_front();
				self.session.lacks(&fetch.range);
				continue;
			};
			if !self.session.may_send() {
				return Ok(Delivered::Nothing);
			}
			let delivered = self.afford(seat, &window, &fetch.range, policy)?;
			if delivered == Delivered::Queued {
				self.fetches.pop_front();
				let within_ms = u32::try_from(left.as_millis()).unwrap_or(u32::MAX);
				self.session.send(&window, &Fetch { within_ms, ..fetch })?;
			}
			return Ok(delivered);
		}
		Ok(Delivered::Nothing)
	}

	/// States the terms again where it is time to.
	fn restate<P: Policy>(&mut self, seat: &P::Seat, policy: &P) -> Result<(), SessionError> {
		match policy.restate(seat) {
			Some((mode, counter)) => self.session.restate(mode, counter),
			None => Ok(()),
		}
	}

	/// Announces a window, and queues it, if the policy lets it out.
	fn deliver<P: Policy>(
		&mut self,
		seat: &P::Seat,
		window: &EncodedWindow,
		feed: &Feed,
		policy: &P,
	) -> Result<Delivered, Closed> {
		if self.session.follows() == Follow::Announcements {
			self.session.deliver(window)?;
			return Ok(Delivered::Queued);
		}
		if self.config.passes && self.sending.is_behind() {
			let id = window.id();
			let (stream, track) = (id.stream, id.track);
			match feed.get(Cursor::Live { stream, track }) {
				Lookup::Found(newest) if newest.id() > id => {
					self.session.pass(window)?;
					return Ok(Delivered::Queued);
				},
				_ => self.sending.caught_up(),
			}
		}
		let delivered = self.afford(seat, window, &window.range(), policy)?;
		if delivered == Delivered::Queued {
			self.session.deliver(window)?;
		}
		Ok(delivered)
	}

	/// Announces a window of which the rest is coming, and queues what is here, if the policy lets all of it out.
	fn deliver_open<P: Policy>(
		&mut self,
		seat: &P::Seat,
		window: &OpenWindow,
		policy: &P,
	) -> Result<Delivered, Closed> {
		let delivered = self.afford(seat, window, &window.range(), policy)?;
		if delivered == Delivered::Queued {
			self.session.deliver_open(window)?;
		}
		Ok(delivered)
	}

	/// Whether these chunks can be paid, and the policy lets them out. Known before they are queued: nothing is delivered that
	/// cannot be paid.
	fn afford<P: Policy>(
		&mut self,
		seat: &P::Seat,
		window: &Announced,
		range: &Range,
		policy: &P,
	) -> Result<Delivered, Closed> {
		if let Some(price) = policy.price(seat) {
			self.session.lower(price)?;
		}
		let quote = self.session.quote(window, range).map_err(|error| match error {
			SessionError::Unpayable(id) => {
				tracing::warn!(window = %id, "costs more than a ticket's face value: raise it");
				self.end(EndReason::NotServed)
			},
			other => other.into(),
		})?;
		match quote {
			Quote::Nothing => Ok(Delivered::Queued),
			Quote::TooMuch => {
				self.session.settle();
				Ok(Delivered::Unpaid)
			},
			Quote::Owed(expectation) => match policy.lend(seat, expectation) {
				Ok(true) => Ok(Delivered::Queued),
				Ok(false) => {
					self.session.settle();
					Ok(Delivered::NotYet)
				},
				Err(reason) => Err(self.end(reason)),
			},
		}
	}

	/// What the peer subscribes to.
	async fn request<P: Policy>(&mut self, policy: &P) -> Result<Subscribe, Closed> {
		self.transmit(policy).await?;
		loop {
			match self.stream.read(&mut self.buffer).await? {
				0 => {
					self.session.finish()?;
					return Err(Closed::Left);
				},
				length => self.session.handle(&self.buffer[..length])?,
			}
			if let Some(Event::Subscribed(request)) = self.session.poll_event() {
				return Ok(request);
			}
		}
	}

	/// Ends it, and says who else may have room.
	fn refuse<P: Policy>(&mut self, reason: EndReason, policy: &P) -> Closed {
		if let Some((peer, request)) = self.asked.as_ref().filter(|_| reason.names_others()) {
			self.session.others(&policy.others(peer, request));
		}
		self.end(reason)
	}

	fn end(&mut self, reason: EndReason) -> Closed {
		self.session.end(reason);
		Closed::Ended(reason)
	}

	/// Hands over all that is queued, each frame in one piece; whether there was anything.
	async fn transmit<P: Policy>(&mut self, policy: &P) -> Result<bool, Closed> {
		let mut any = false;
		while let Some(frame) = self.session.poll_transmit() {
			let deadline = Instant::now() + self.config.write_timeout;
			let length = frame.len();
			tokio::select! {
				written = timeout_at(deadline, self.stream.write_all(frame)) => written.map_err(|_| Closed::Stalled)??,
				// In the middle of a frame nothing else can be said.
				why = unseated(&mut self.over) => return Err(Closed::Unseated(why)),
			}
			policy.sent(length);
			any = true;
		}
		Ok(any)
	}

	/// Says the last word, where there is one, and waits until the viewer hangs up, for a moment.
	async fn part(&mut self, why: &Closed) {
		match why {
			Closed::Ended(_) | Closed::Session(_) => {},
			Closed::Left | Closed::Silent | Closed::Stalled | Closed::Unseated(_) | Closed::Io(_) => return,
		}
		let last_word = async {
			while let Some(frame) = self.session.poll_transmit() {
				self.stream.write_all(frame).await?;
			}
			self.stream.close();
			while self.stream.read(&mut self.buffer).await? > 0 {}
			io::Result::Ok(())
		};
		let _ = timeout(LINGER, last_word).await;
	}
}

/// Returns when somebody else has the seat; never before there is one.
async fn unseated(over: &mut Option<watch::Receiver<Option<EndReason>>>) -> EndReason {
	match over {
		// Fails only where the seat is another's by now.
		Some(over) => match over.wait_for(Option::is_some).await {
			Ok(why) => why.unwrap_or(EndReason::Replaced),
			Err(_) => EndReason::Replaced,
		},
		None => std::future::pending().await,
	}
}
