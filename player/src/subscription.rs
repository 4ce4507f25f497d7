//! One relayer, from connecting to the end of its subscription; and what outlives it: place in the stream, purse,
//! sinks, figures.

use crate::{
	accusation::Inquest,
	asked::{Answer, Asked, Doubt, Paid, Why, LOOK_UP},
	crew::{name_of, Crew, Link},
	means::{self, Means, Unusable},
	opinion::{Question, Rounds},
	outlook::Outlook,
	pocket::{PayError, Pocket},
	refusal::{Act, Refusals},
	registration::Registration,
	roster::{Ending, Relayer, Roster},
	sinks::{unix_ms, Sinks},
	status::{Line, Pause, Status},
	summary::{Ended, Summary},
	view::ChainView,
};
use clustercast_network::{client, Node, Subscription};
use clustercast_primitives::{
	catalog::CatalogError,
	chain::{StreamKeyInfo, ViewerAccount},
	crypto::SignatureError,
	status::State,
	subscribe::Binding,
	window::{HeaderError, WindowHeader, MAX_AHEAD_OF_VIEWER_MS},
	AccountId, Balance, BlockNumber, PublicKey, TrackId, Usdc,
};
use clustercast_protocol::{
	routes::Referrals,
	thrift::Wish,
	viewer::{Due, Event},
	Change, EncodedWindow, EndReason, Fault, Follow, Patience, PaymentTerms, Quiet, Resume, SessionKey, Silence,
	Standing, StreamKeys, Terms, Thrift, ThriftConfig, ViewerConfig, ViewerSession,
};
use std::{collections::BTreeMap, time::Duration};
use tokio::{
	sync::watch,
	time::{sleep, sleep_until, timeout, timeout_at, Instant},
};

/// Track that is watched: picture and sound at 480p are the only one.
pub(crate) const TRACK: TrackId = 0;

/// Windows' time without a complete window that makes a stall, where `--stall-seconds` does not say otherwise.
const STALL_WINDOWS: u32 = 3;

/// Bounds of that time: parts of 200 ms leave a far relayer two seconds to retransmit, and a broadcaster who signs absurd
/// durations does not keep us waiting.
const STALL: (Duration, Duration) = (Duration::from_secs(2), Duration::from_secs(30));

/// Length of a window as long as none has been seen.
pub(crate) const USUAL_WINDOW: Duration = Duration::from_secs(2);

/// At the end of a run, how long the last windows' receipts and acknowledgements are waited for: what verified is paid.
pub(crate) const SETTLE: Duration = Duration::from_secs(3);

/// A relayer that serves nobody without a reservation is waited for until that can be final, at the beginning.
pub(crate) const RESERVE_PATIENCE: Duration = Duration::from_secs(40);

/// A node that is so many blocks behind what we have heard of says nothing of our session key: it is being restored.
const NODE_BEHIND: BlockNumber = 30;

/// How often it is looked whether something is to be reserved, where nothing else happens.
pub(crate) const TICK: Duration = Duration::from_secs(1);

/// Who begins live is given no window that ended longer ago, on the broadcaster's clock: what a relayer takes for live, and
/// what it may take to bring it. Milliseconds.
const OLDEST_START_MS: u64 = 30_000;

/// Who is so far behind the broadcaster's clock goes on with the newest window: what lies between is of no use to who watches live, and is
/// fetched as fast as relayers send, for whom it takes what others need. Milliseconds.
const FAR_BEHIND_MS: u64 = 20_000;

/// Once the broadcaster has signed the end, how long the relayer's own word for it is waited for.
const LAST_WORD: Duration = Duration::from_secs(5);

/// How long a relayer may take to hear that we leave.
pub(crate) const FAREWELL: Duration = Duration::from_secs(1);

/// What the viewer accepts.
#[derive(Clone, Debug)]
pub struct Limits {
	/// Micro-USDC per 10^9 bytes.
	pub max_price_per_gb: u64,
	/// Of one ticket.
	pub max_face_value: Usdc,
	/// Without a complete window; `None`: three windows' time.
	pub stall: Option<Duration>,
	/// Stop after so many windows.
	pub windows: Option<u64>,
	/// Bytes of windows of one relayer that are not whole, and again of what is put together of all.
	pub unfinished: u64,
}

/// How an attempt at a relayer ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attempt {
	/// `None` when the run is over.
	pub ending: Option<Ending>,
	/// It brought at least one window.
	pub served: bool,
	/// Which relayer that was: another one may have answered first.
	pub relayer: PublicKey,
}

/// A viewer in the middle of a broadcast.
pub struct Viewing<C> {
	pub(crate) chain: C,
	pub(crate) node: Node,
	pub(crate) stream: StreamKeyInfo,
	/// What the newest finalised block says of it.
	pub(crate) named: watch::Receiver<Option<StreamKeyInfo>>,
	/// Who may sign what is watched.
	pub(crate) keys: StreamKeys,
	/// What relayers refused last.
	pub(crate) refusals: Refusals,
	/// Why nobody takes anything from our session key any more.
	pub(crate) unusable: Option<Unusable>,
	/// The highest block that was heard of.
	pub(crate) highest: BlockNumber,
	pub(crate) account: AccountId,
	/// As it was at the start, micro-USDC.
	pub(crate) deposit: Balance,
	pub(crate) pocket: Pocket,
	pub(crate) inquest: Inquest,
	pub(crate) limits: Limits,
	pub(crate) sinks: Sinks,
	pub(crate) summary: Summary,
	pub(crate) status: Status,
	/// What the broadcaster says of the broadcast.
	pub(crate) standing: Standing,
	/// What was told of its pauses.
	pub(crate) quiet: Quiet,
	/// What is said of it here.
	pub(crate) outlook: Outlook,
	/// Time is counted from here.
	pub(crate) begun: Instant,
	/// The last window that went to the sinks.
	pub(crate) resume: Option<Resume>,
	/// It was far behind.
	pub(crate) far_behind: Option<Behind>,
	/// Somebody was left for a first window that is old by our clock alone.
	pub(crate) doubted: bool,
	pub(crate) window_length: Duration,
	/// How often the registry is asked whether it still has the relayer.
	pub(crate) registry_again: Duration,
	pub(crate) stop: watch::Receiver<Option<Ended>>,
	/// Whom to watch from.
	pub(crate) roster: Roster,
	/// Who brings it.
	pub(crate) crew: Crew,
	/// Whom refusals named.
	pub(crate) referrals: Referrals,
	/// What the chain is asked.
	pub(crate) asked: Asked,
}

/// How a window is far behind the broadcast.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Behind {
	/// It was to be the newest.
	First,
	/// The same, by our own clock alone.
	Doubtful,
	/// We are.
	Later,
}

/// Why a subscription is over.
pub(crate) enum Over {
	Relayer(Ending, String),
	/// Another one is to send from now on, and this one stands by.
	Handed,
	/// All of them are far behind the broadcast: on with the newest window, of whoever is the first.
	Behind,
	Run,
}

impl<C: ChainView> Viewing<C> {
	/// Why the run is over, if it is.
	pub fn ended(&self) -> Option<Ended> {
		let enough = self.limits.windows.is_some_and(|most| self.summary.windows >= most);
		let stopped = *self.stop.borrow();
		let unusable = self.unusable.map(|_| Ended::CannotPay);
		enough.then_some(Ended::Windows).or(stopped).or(unusable)
	}

	/// Goes on with the newest window: those in between are lost.
	pub(crate) fn go_live(&mut self, why: &str) {
		tracing::warn!("{why}; going on live");
		self.resume = None;
		self.summary.gaps += 1;
		self.dismiss();
	}

	/// Waits for the end of the run, at most so long.
	pub async fn pause(&mut self, at_most: Duration) {
		let _ = tokio::time::timeout(at_most, stopped(&mut self.stop)).await;
	}

	/// The figures as of now.
	pub(crate) fn figures(&mut self) -> Summary {
		self.summary.quiet(&self.quiet, self.now());
		self.summary.broadcast = self.outlook.at(clock());
		self.summary.clone()
	}

	/// Since the beginning, on a clock that only goes forward.
	pub(crate) fn now(&self) -> Duration {
		self.begun.elapsed()
	}

	/// Watches from one relayer until it or the run ends; `others` are asked where it has lost the broadcaster. Errors are our
	/// own: a spent budget.
	pub async fn attempt(&mut self, relayer: &Relayer, others: Vec<Relayer>) -> anyhow::Result<Attempt> {
		let windows_before = self.summary.windows;
		let (mut peer, mut key) = (name_of(relayer), relayer.key);
		self.status.show(format_args!("connecting to relayer {peer}"));
		let (over, link) = match self.parent(relayer).await? {
			Ok(None) => {
				return Ok(Attempt {
					ending: None,
					served: false,
					relayer: key,
				})
			},
			Ok(Some(mut link)) => {
				(peer, key) = (link.peer.clone(), link.party.relayer.key);
				let others = others.into_iter().filter(|other| other.key != key).collect();
				(self.subscribe(&mut link, Rounds::new(others)).await?, Some(link))
			},
			Err(error) => (Over::Relayer(Ending::Failed, error.to_string()), None),
		};
		if let Some(link) = link {
			self.part(link, &over).await?;
		}
		let ending = match over {
			Over::Run | Over::Handed | Over::Behind => None,
			Over::Relayer(ending, reason) => {
				match ending {
					// As it should be: told once, when all say so.
					Ending::Finished => {
						tracing::debug!(relayer = %peer, %reason, "left");
						self.look(Silence::Over);
					},
					Ending::Fault => self.look(Silence::None),
					_ => {
						tracing::info!(relayer = %peer, %reason, "left");
						self.summary.setback(&peer, reason);
						self.look(Silence::None);
					},
				}
				if matches!(
					ending,
					Ending::Fault | Ending::Failed | Ending::Refused | Ending::Later | Ending::Short
				) {
					self.interregnum().await?;
				}
				Some(ending)
			},
		};
		Ok(Attempt {
			ending,
			served: self.summary.windows > windows_before,
			relayer: key,
		})
	}

	pub(crate) fn session(&self, relayer: &Relayer, follow: Follow) -> ViewerSession {
		let mut session = ViewerSession::new(ViewerConfig {
			genesis: self.chain.genesis(),
			stream: self.stream.id,
			track: TRACK,
			keys: self.keys.clone(),
			relayer_key: relayer.key,
			relayer_account: relayer.account,
			binding: Binding::PeerKey(relayer.key.0),
			payment: Some(PaymentTerms {
				session: SessionKey {
					account: self.account,
					key: self.pocket.session(),
				},
				vouchers: true,
				terms: self.stream.terms_counter,
				max_price_per_gb: self.limits.max_price_per_gb,
				max_face_value: self.limits.max_face_value.0,
			}),
			head: self.chain.best_block(),
			latest_start_ms: latest_start_ms(),
			resume: self.resume.clone(),
			follow,
		});
		session.hold_at_most(self.limits.unfinished);
		session
	}

	async fn subscribe(&mut self, link: &mut Link, mut rounds: Rounds) -> anyhow::Result<Over> {
		let (mut registration, mut checks) = (Registration::default(), false);
		let mut registry_at = Instant::now() + self.registry_again;
		let have = self.resume.as_ref().map(|last| (last.id.epoch, last.history.count()));
		let begins_live = have.is_none();
		let mut patience = Patience::new(TRACK, have, self.now());
		if !begins_live {
			// What the broadcaster said before holds for this relayer, too.
			patience.status(&self.standing, self.now());
		}
		// What is asked of another relayer.
		let mut question: Option<Question> = None;
		let mut over_since = None;
		let mut silence = Silence::None;
		let mut served = false;
		let (mut stop, mut named) = (self.stop.clone(), self.named.clone());
		loop {
			self.refresh(Some(&mut *link));
			if self.ended().is_some() {
				return Ok(Over::Run);
			}
			// Nothing is set aside while nothing is to be paid.
			if silence == Silence::None {
				self.wish_for(link);
			}
			let before = self.resume.as_ref().map(|last| last.id);
			let sender = link.party.relayer.key;
			if self.perform(Some(&mut *link), Some(&sender)).await {
				return Ok(Over::Handed);
			}
			if let Some(last) = self.resume.as_ref().filter(|last| Some(last.id) != before) {
				patience.reached((last.id.epoch, last.history.count()), &self.standing, self.now());
			}
			if let Some(behind) = self.far_behind.take() {
				// Who was asked for the newest window, and gave an old one, has none.
				let old = |ending| Over::Relayer(ending, "what it gives as the newest window is old".into());
				if behind == Behind::Later {
					self.go_live("far behind the broadcast");
				} else {
					self.dismiss();
				}
				return Ok(match behind {
					Behind::First => old(Ending::Short),
					Behind::Doubtful => old(Ending::Failed),
					Behind::Later => Over::Behind,
				});
			}
			if self.ended().is_some() {
				return Ok(Over::Run);
			}
			let now = self.now();
			let deadline = match patience.judge(&self.standing, self.stall(), now) {
				Ok((now_is, until)) => {
					silence = now_is;
					self.on_silence(silence, now);
					self.crew.swarm.status(silence != Silence::None, now);
					if silence == Silence::Absence && question.is_none() {
						let put = |other: &Relayer| {
							Question::put(self.node.clone(), other, self.session(other, Follow::Windows))
						};
						question = rounds.next(now).map(put);
					}
					if silence == Silence::Over && now >= *over_since.get_or_insert(now) + LAST_WORD && self.is_over() {
						return Ok(Over::Relayer(Ending::Finished, "the broadcast is over".into()));
					}
					self.begun + until
				},
				Err(failing) => return Ok(Over::Relayer(self.how_fails(link), failing.to_string())),
			};
			let tick = self.begun + self.crew.swarm.poll_timeout(now).unwrap_or(now + TICK);
			let event = tokio::select! {
				event = timeout_at(deadline, link.subscription.next()) => event,
				heard = self.crew.next() => {
					self.on_heard(heard, Some(&mut *link)).await?;
					continue;
				},
				() = sleep_until(tick) => {
					self.crew.swarm.tick(self.now());
					continue;
				},
				answer = answer(&mut question) => {
					if self.on_answer(answer, &mut question) {
						return Ok(Over::Relayer(Ending::Failed, "has lost the broadcaster; another has not".into()));
					}
					continue;
				},
				() = sleep_until(registry_at) => {
					registry_at = Instant::now() + self.registry_again;
					// What a node says that is late is old.
					checks = link.party.relayer.account.is_some() && !self.chain.is_late();
					if checks {
						self.asked.registry(&self.chain);
					}
					self.asked.account(self.account, &self.chain);
					continue;
				},
				answer = self.asked.next() => {
					let registered = match &answer {
						Answer::Registry(registered) if std::mem::take(&mut checks) => registered.as_deref(),
						_ => None,
					};
					let Relayer { key, account, .. } = &link.party.relayer;
					let unfit = registered.and_then(|all| registration.read(key, *account, all).err());
					if self.on_asked(answer, Some(&mut *link)) && !served {
						patience.excuse(self.now() + RESERVE_PATIENCE);
						self.outlook.excuse(clock() + RESERVE_PATIENCE);
						self.sinks.note(self.outlook);
					}
					if let Some(unfit) = unfit {
						return Ok(Over::Relayer(Ending::Refused, unfit.to_string()));
					}
					continue;
				},
				Ok(()) = named.changed() => {
					let (info, watched) = (named.borrow_and_update().clone(), self.resume.is_some());
					if info.is_some_and(|info| self.know(info)) {
						// Whoever broadcasts next is waited for, as from the beginning.
						patience = Patience::new(TRACK, have, self.now());
						if watched && self.resume.is_none() {
							return Ok(Over::Relayer(Ending::Gone, "the stream's signing key was replaced".into()));
						}
					}
					self.know_of(link);
					continue;
				},
				() = sleep(TICK), if link.party.thrift.is_some() => continue,
				() = stopped(&mut stop) => continue,
			};
			let event = match event {
				Ok(Ok(event)) => event,
				// Judged again above.
				Err(_) => continue,
				Ok(Err(client::Error::Fault(fault))) => {
					return Ok(self.on_fault(fault, link, false).await);
				},
				Ok(Err(client::Error::Inactive(_))) => {
					return Ok(Over::Relayer(self.how_fails(link), "stalled".into()))
				},
				Ok(Err(error)) => {
					let ending = match self.crew.swarm.withholds(link.id) {
						true => Ending::Short,
						false => Ending::Failed,
					};
					return Ok(Over::Relayer(ending, error.to_string()));
				},
			};
			patience.hear(self.now());
			match event {
				Event::Waiting => patience.answer(self.now()),
				// Nothing of the past is paid as live.
				Event::Window(window) if begins_live && !served && self.is_old(&window) => {
					return Ok(Over::Relayer(
						Ending::Failed,
						"began with a window from before the pause".into(),
					));
				},
				Event::Window(window) => {
					served = true;
					if let Some((_, thrift)) = &mut link.party.thrift {
						let header = window.header();
						thrift.window(header.bytes, header.duration_ms, self.chain.best_block());
					}
					self.crew.stage.whole(&link.peer, window);
				},
				event => {
					let status = matches!(event, Event::Status(_));
					if let Some(over) = self.on_said(link, event, false).await? {
						return Ok(over);
					}
					if status {
						patience.status(&self.standing, self.now());
					}
				},
			}
		}
	}

	/// Pays what is due; what that is worth, micro-USDC, rounded up.
	pub(crate) fn pay(&mut self, subscription: &mut Subscription, peer: &str, due: &Due) -> Result<Balance, PayError> {
		let payment = self.pocket.pay(due, self.chain.best_block())?;
		// Refused only where a fault was found meanwhile: the next event says which.
		if subscription.session().pay(due, payment).is_err() {
			return Ok(0);
		}
		let worth = due.share.worth_q64().unwrap_or_default();
		self.summary.ticket(peer, worth);
		Ok((worth >> 64) + Balance::from(worth << 64 != 0))
	}

	/// Wants no more windows, and pays for those that came; gives up then.
	pub(crate) async fn settle(
		&mut self,
		subscription: &mut Subscription,
		peer: &str,
		by: Instant,
	) -> anyhow::Result<()> {
		subscription.session().leave();
		while subscription.session().owes() {
			match timeout_at(by, subscription.next()).await {
				Ok(Ok(Event::PaymentDue(due))) => {
					self.pay(subscription, peer, &due).map_err(cannot_pay)?;
				},
				Ok(Ok(Event::Ended(reason))) => {
					tracing::debug!(?reason, "ended while settling");
					break;
				},
				// Windows that were on their way are paid, and not shown.
				Ok(Ok(_)) => subscription.session().set_head(self.chain.best_block()),
				Ok(Err(_)) | Err(_) => break,
			}
		}
		Ok(())
	}

	/// What is reserved for a relayer with these terms, if it asks for it; why it is left, where it asks too much.
	pub(crate) fn thrift(&self, terms: &Terms) -> Result<Option<Thrift>, String> {
		let Some(asked) = terms.reserve else {
			return Ok(None);
		};
		let config = ThriftConfig { deposit: self.deposit };
		let thrift = Thrift::new(config, asked, terms.price_per_gb, self.chain.best_block());
		thrift.map(Some).map_err(|error| error.to_string())
	}

	/// Signs and sends a reservation; whether it was. All that was signed to this relayer and not paid yet is covered by it,
	/// and what is wished beyond that.
	pub(crate) fn reserve(
		&mut self,
		subscription: &mut Subscription,
		recipient: &AccountId,
		wish: &Wish,
		(channel, paid): &Paid,
	) -> bool {
		match self.pocket.cover(recipient, wish, channel, paid) {
			Ok(reservation) => {
				tracing::info!(amount = %Usdc(wish.amount), reward = %Usdc(wish.reward), "reserving");
				subscription.session().reserve(reservation)
			},
			Err(error) => {
				tracing::warn!(%error, "nothing is reserved");
				false
			},
		}
	}

	/// Whether something was watched.
	pub(crate) fn has_watched(&self) -> bool {
		self.summary.last.is_some()
	}

	/// Whether the broadcaster ended the broadcast that we watched, which the end of one before it does not say; any, where
	/// nothing was watched.
	fn is_over(&self) -> bool {
		let watched = self.summary.last.map_or(0, |last| last.epoch);
		let ended = self.standing.status().map(|status| status.status.message.epoch);
		ended >= Some(watched) && self.standing.at(self.now()) == Some(State::Ended)
	}

	/// How it ends with one that brings nothing: if it announces what it does not bring, it does so again as soon as it may.
	fn how_fails(&self, link: &Link) -> Ending {
		match self.crew.swarm.announces(link.id, self.now()) {
			true => Ending::Short,
			false => Ending::Failed,
		}
	}

	/// Whether a window is none to begin live with.
	pub(crate) fn is_old(&self, window: &EncodedWindow) -> bool {
		!self
			.standing
			.is_live_within(window.header(), self.now(), OLDEST_START_MS)
	}

	/// Why no window comes, for whoever looks.
	fn look(&mut self, silence: Silence) {
		let begun = self.standing.told(TRACK).is_some_and(|(_, count)| count > 0);
		self.outlook.silence(silence, begun, clock());
		self.sinks.note(self.outlook);
	}

	/// From now on nothing explains that no window comes.
	pub(crate) fn begin_looking(&mut self) {
		self.look(Silence::None);
	}

	/// Tells why no window comes.
	fn on_silence(&mut self, silence: Silence, now: Duration) {
		self.look(silence);
		match self.quiet.note(silence, now) {
			Some(Change::Paused) => tracing::info!("the broadcaster pauses"),
			Some(Change::Lost) => tracing::info!("nothing is heard of the broadcaster; waiting for it"),
			Some(Change::Found) => tracing::info!("the broadcaster is there again, and pauses"),
			Some(Change::Over(_)) | None => {},
		}
		if let Some(lasting) = self.quiet.lasting(now) {
			let away = self.quiet.silence() == Silence::Absence;
			self.status.show(Pause { away, lasting });
		}
	}

	/// Takes what another relayer says; whether it knows more of the broadcaster than the one that we watch from.
	fn on_answer(&mut self, answer: Option<Event>, question: &mut Option<Question>) -> bool {
		match answer {
			Some(Event::Challenged(challenge)) => {
				let signed = self.pocket.subscribe(challenge);
				if let Some(session) = question.as_mut().and_then(Question::session) {
					session.subscribe(signed);
				}
				false
			},
			Some(Event::Status(status)) => {
				self.inquest.status(&status);
				let now = self.now();
				self.standing.note_status(&status, now) && self.standing.holds(now)
			},
			Some(Event::Window(_)) => true,
			Some(_) => false,
			None => {
				*question = None;
				false
			},
		}
	}

	pub(crate) fn stall(&self) -> Duration {
		let usual = self.window_length.saturating_mul(STALL_WINDOWS);
		self.limits.stall.unwrap_or(usual.clamp(STALL.0, STALL.1))
	}

	/// Whether a window is far behind the broadcast: by the broadcaster's clock, as far as it was heard of; the first one also by ours.
	fn is_far_behind(&mut self, header: &WindowHeader) -> Option<Behind> {
		let (now, first) = (self.now(), self.resume.is_none());
		let ends = header.start_ms.saturating_add(header.duration_ms.into());
		let clock = self.standing.clock_ms(now);
		let is_old = clock.is_some_and(|clock| clock.saturating_sub(ends) > FAR_BEHIND_MS);
		if is_old && self.standing.at(now) == Some(State::Live) {
			return Some(if first { Behind::First } else { Behind::Later });
		}
		// Who has lost the broadcaster has old windows with an old clock. But ours may be wrong, or the broadcaster's: one is doubted, where
		// there is another, and the next one's word is as good as our clock.
		let doubts = first && !self.doubted && !self.roster.has_no_choice(now);
		let doubtful = doubts && unix_ms().saturating_sub(ends) > FAR_BEHIND_MS;
		self.doubted |= doubtful;
		doubtful.then_some(Behind::Doubtful)
	}

	/// Takes the next window; `by`: how many bytes of it came from whom.
	pub(crate) async fn on_window(&mut self, window: &EncodedWindow, by: &BTreeMap<String, u64>) {
		let header = window.header();
		self.inquest.window(window);
		self.standing.note_header(header);
		self.far_behind = self.is_far_behind(header);
		if matches!(self.far_behind, Some(Behind::First | Behind::Doubtful)) {
			// It is none to begin with.
			return;
		}
		let most = by.iter().max_by_key(|(_, bytes)| **bytes);
		let peer = most.map_or("", |(peer, _)| peer);
		let delay_ms = self.sinks.push(window, peer).await;
		self.outlook.window(clock());
		if let Some(Change::Over(took)) = self.quiet.window(self.now()) {
			tracing::info!(pause_s = took.as_secs(), "the broadcast goes on");
		}
		self.resume = Some(Resume::after(window));
		self.window_length = Duration::from_millis(u64::from(header.duration_ms));
		self.summary.window(peer, header.id, by);
		self.status.show(Line {
			bitrate: u64::from(header.bytes) * 8_000 / u64::from(header.duration_ms.max(1)),
			verified_bytes: self.summary.verified_bytes,
			spent: Usdc(self.summary.spent_expected_micro_usdc),
			relayer: peer.into(),
			delay_ms,
		});
	}

	/// Decides what a fault means. Terms that are too dear are no fraud, and a signature that does not verify is no
	/// relayer's fault when the broadcaster has just changed its key. Where others may bring windows meanwhile the chain is asked about
	/// that beside: it is left, and judged when there is an answer.
	pub(crate) async fn on_fault(&mut self, fault: Fault, link: &mut Link, stands_by: bool) -> Over {
		let rejected = link.session().rejected_bytes();
		let (peer, beside) = (&link.peer, stands_by || self.crew.has_standbys());
		if matches!(
			fault,
			Fault::PriceTooHigh { .. }
				| Fault::FaceValue { .. }
				| Fault::PaymentAsked
				| Fault::VouchersAsked
				| Fault::WrongRecipient { .. }
				| Fault::Unpayable(_)
		) {
			return Over::Relayer(Ending::Refused, format!("refused: {fault}"));
		}
		let unsigned = [
			Fault::Header(HeaderError::Signature(SignatureError::Invalid)),
			Fault::Catalog(CatalogError::Signature(SignatureError::Invalid)),
		];
		if unsigned.contains(&fault) && beside {
			self.asked.doubt(Doubt {
				relayer: link.party.relayer.key,
				peer: peer.clone(),
				why: Why::Unsigned(fault.clone(), rejected, self.keys.current),
			});
			self.asked.stream(self.stream.id, &self.chain);
			return Over::Relayer(Ending::Failed, format!("what it brings is not signed: {fault}"));
		}
		if unsigned.contains(&fault) {
			let why = match self.ask_again().await {
				Some(true) => Some("the stream's signing key was changed"),
				Some(false) => None,
				None => Some("what it brings is not signed, and the chain does not say by whom it should be"),
			};
			if let Some(why) = why {
				return Over::Relayer(Ending::Failed, why.into());
			}
		}
		// Whose clock or node is behind is not the other's fault, nor that somebody heard of new terms or keys first.
		if fault.may_be_honest() {
			match beside {
				true => self.asked.stream(self.stream.id, &self.chain),
				false => _ = self.ask_again().await,
			}
			// What is behind our place was signed too late for us; others may have what follows it.
			if matches!(fault, Fault::FormerKey(_)) && self.resume.is_some() {
				return Over::Relayer(Ending::Gone, fault.to_string());
			}
			return Over::Relayer(Ending::Failed, format!("disagrees about the chain: {fault}"));
		}
		self.blacklist(peer, &fault, rejected);
		Over::Relayer(Ending::Fault, fault.to_string())
	}

	fn blacklist(&mut self, peer: &str, fault: &Fault, rejected: u64) {
		tracing::warn!(relayer = %peer, %fault, rejected, "blacklisted");
		self.summary.fault(peer, fault.to_string(), rejected);
	}

	/// Decides what a relayer's reason to end means: see [`crate::refusal`]. Where others may bring windows meanwhile, what the chain is
	/// asked about it is asked beside.
	pub(crate) async fn on_end(&mut self, reason: EndReason, link: &Link, stands_by: bool) -> Over {
		let beside = stands_by || self.crew.has_standbys();
		let act = self.refusals.note(reason);
		let said = match reason {
			EndReason::NotServed => format!("it does not carry stream {}", self.stream.id),
			reason => reason.to_string(),
		};
		let ending = match act {
			// That a broadcast is over is the broadcaster's to say, in a signed status.
			Act::End if self.is_over() => Ending::Finished,
			Act::End | Act::Rest => Ending::Failed,
			Act::Wait => Ending::Later,
			Act::Leave => Ending::Refused,
			Act::GoLive => Ending::Gone,
			Act::ReadStream => {
				match beside {
					true => self.asked.stream(self.stream.id, &self.chain),
					false => _ = self.ask_again().await,
				}
				Ending::Failed
			},
			Act::ReadAccount if beside => {
				self.asked.doubt(Doubt {
					relayer: link.party.relayer.key,
					peer: link.peer.clone(),
					why: Why::Means,
				});
				self.asked.account(self.account, &self.chain);
				Ending::Failed
			},
			Act::ReadAccount => return self.read_account(said).await,
		};
		Over::Relayer(ending, said)
	}

	/// What the chain says of account and session key, where a relayer says that they do not pay.
	async fn read_account(&mut self, said: String) -> Over {
		let Some(account) = self.read_session().await else {
			return match self.unusable {
				Some(_) => Over::Run,
				None => Over::Relayer(Ending::Failed, said),
			};
		};
		match self.lack(&account) {
			Some((ending, reason)) => Over::Relayer(ending, reason),
			None => Over::Relayer(Ending::Failed, said),
		}
	}

	/// How it ends with a relayer that says that the account cannot pay, and why, where it is right.
	fn lack(&self, account: &ViewerAccount) -> Option<(Ending, String)> {
		let means = Means::new(account, &self.pocket.session());
		if means.suffice() {
			return None;
		}
		let reason = means.explain();
		tracing::warn!("{reason}");
		match means.may_grow() || self.chain.is_late() {
			true => Some((Ending::Later, reason)),
			false => Some((Ending::Refused, reason)),
		}
	}

	/// What the chain has of the account, where it answers and the session key is good.
	async fn read_session(&mut self) -> Option<ViewerAccount> {
		let account = timeout(LOOK_UP, self.chain.account(&self.account)).await.ok()?.ok()?;
		self.note_account(account)
	}

	/// The chain has this of the account, if it says anything of it and the session key is good. One that nobody takes ends the run.
	fn note_account(&mut self, account: ViewerAccount) -> Option<ViewerAccount> {
		let best = self.chain.best_block();
		self.highest = self.highest.max(best);
		// A node that begins anew knows nothing of us yet.
		if best.saturating_add(NODE_BEHIND) < self.highest {
			return None;
		}
		let (key, granted) = (self.pocket.session(), self.pocket.granted());
		match means::check_session(&account, &key, granted, best) {
			Ok(()) => Some(account),
			Err(unusable) => {
				if self.unusable.replace(unusable).is_none() {
					tracing::error!("{unusable}");
				}
				None
			},
		}
	}

	/// Takes what the chain says; whether something was reserved for the parent.
	pub(crate) fn on_asked(&mut self, answer: Answer, parent: Option<&mut Link>) -> bool {
		let now = self.now();
		match answer {
			Answer::Registry(registered) => {
				for (by, names) in self.asked.take_named() {
					self.refer(&by, &names, registered.as_deref().unwrap_or_default());
				}
			},
			Answer::Account(account) => {
				let account = account.and_then(|account| self.note_account(account));
				let doubts = self.asked.take_doubts(|why| matches!(why, Why::Means));
				let lack = account
					.filter(|_| !doubts.is_empty())
					.and_then(|account| self.lack(&account));
				for (doubt, (ending, reason)) in doubts.into_iter().zip(lack.iter().cycle()) {
					self.summary.setback(&doubt.peer, reason.clone());
					self.roster.report(&doubt.relayer, *ending, false, now);
				}
			},
			Answer::Stream(stream) => {
				let key = stream.as_ref().map(|stream| stream.signing_key);
				if let Some(stream) = stream {
					// Its key is followed elsewhere, block by block.
					self.stream.terms_counter = stream.terms_counter;
					for link in parent.into_iter().chain(self.crew.standbys()) {
						link.session().set_terms(stream.terms_counter);
					}
				}
				for doubt in self.asked.take_doubts(|why| matches!(why, Why::Unsigned(..))) {
					if let Why::Unsigned(fault, rejected, known) = &doubt.why {
						// Where the chain says nothing it may have been replaced.
						if key == Some(*known) {
							self.blacklist(&doubt.peer, fault, *rejected);
							self.roster.report(&doubt.relayer, Ending::Fault, false, now);
						}
					}
				}
			},
			Answer::Paid(recipient, wish, paid) => return self.reserve_for(parent, &recipient, &wish, paid),
		}
		false
	}

	/// Takes what the chain says of the stream; whether its signing key was replaced.
	fn know(&mut self, now: StreamKeyInfo) -> bool {
		let (key, former) = (now.signing_key, now.previous_keys.clone());
		let replaced = self.keys.replace(key, former, self.standing.told(TRACK));
		self.stream = now;
		if replaced {
			tracing::info!(
				"the stream's signing key was replaced: what is signed with the one before is watched no more"
			);
			self.standing = Standing::default();
			// An epoch that no honest run can have begun yet: the next one would be behind it.
			let head = self.chain.best_block();
			if self.resume.as_ref().is_some_and(|last| last.id.epoch >= head) {
				self.go_live("the place is none of the next broadcast");
			}
		}
		replaced
	}

	/// Reads the stream key again; whether its signing key has changed, where the chain says it.
	async fn ask_again(&mut self) -> Option<bool> {
		match timeout(LOOK_UP, self.chain.stream_key(self.stream.id)).await {
			Ok(Ok(Some(now))) => Some(self.know(now)),
			Ok(Ok(None)) => Some(false),
			Err(_) => None,
			Ok(Err(error)) => {
				tracing::warn!(%error, "cannot ask the chain for the stream key");
				None
			},
		}
	}
}

/// The clock that what is said of the broadcast goes by.
pub(crate) fn clock() -> std::time::Instant {
	Instant::now().into_std()
}

/// No clock of a broadcaster or relayer goes further ahead of ours.
pub(crate) fn latest_start_ms() -> u64 {
	unix_ms().saturating_add(MAX_AHEAD_OF_VIEWER_MS)
}

pub(crate) fn cannot_pay(error: PayError) -> anyhow::Error {
	let error = match error {
		PayError::Purse(error) => {
			anyhow::Error::new(error).context("the session key pays no more; start again to make a new one")
		},
		error => error.into(),
	};
	error.context("cannot pay")
}

/// What the other relayer says; never anything where none is asked.
async fn answer(question: &mut Option<Question>) -> Option<Event> {
	match question {
		Some(question) => question.next().await,
		None => std::future::pending().await,
	}
}

/// Returns when the run is to stop; never, if nobody is left to say so.
pub(crate) async fn stopped(stop: &mut watch::Receiver<Option<Ended>>) {
	if stop.wait_for(Option::is_some).await.is_err() {
		std::future::pending::<()>().await;
	}
}

#[cfg(test)]
mod tests;
