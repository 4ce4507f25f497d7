//! What a relayer does with several upstreams at once: what they say goes to the swarm's machine, what that decides is done. So a window
//! that one does not bring in time comes from another one before those below see it.

use super::{
	failure::Failure,
	memory::{store, Memory},
	provider::{Link, Provider},
	replaced, unneeded, Ingest, REWIND,
};
use crate::{
	buying::Refused,
	metrics,
	upstream::{Brought, Turns, Verdict},
};
use clustercast_network::crew::{Heard, Rest, Step, INTERREGNUM, STANDBY_PATIENCE};
use clustercast_pay::registration;
use clustercast_primitives::{chain::RelayerInfo, status::State, PublicKey};
use clustercast_protocol::{
	routes::behind,
	viewer::{Event, Resume},
	Announced, EncodedWindow, Failing,
};
use std::sync::Arc;
use tokio::time::{sleep_until, Instant};

/// Upstreams that are there because a refusal named them, at most.
const NAMED: usize = 3;

impl Ingest {
	/// What the chain and the clock say by now.
	pub(super) fn refresh(&self, parent: Option<&mut Link>, memory: &mut Memory) {
		let (head, latest) = (self.tip.block(), super::latest_start_ms());
		for link in parent.into_iter().chain(memory.crew.standbys()) {
			link.session().set_head(head);
			link.session().set_latest_start(latest);
			if let Some(deal) = &link.party.deal {
				deal.keep_up(&mut link.subscription);
			}
		}
	}

	/// Connects to another upstream, if there is one beside those that are used.
	fn recruit(&self, parent: Option<&Link>, key: &PublicKey, turns: &mut Turns, memory: &mut Memory) {
		let now = memory.now();
		let mut in_use = memory.crew.in_use();
		in_use.extend(parent.map(|parent| parent.party.at));
		let Some(at) = turns.standby(&in_use, now) else {
			memory.crew.swarm.nobody(now);
			return;
		};
		// Several places may be one peer's.
		let keys = memory.crew.standbys().map(|link| link.party.key);
		let keys = keys.chain(parent.map(|parent| parent.party.key)).collect();
		let dial = self.dial(at, *key, keys, memory);
		memory.crew.dial(at, async move {
			let (party, stream) = dial.await;
			(party, stream.map_err(|failure| failure.into_connect()))
		});
	}

	/// Whom refusals named is turned to like those that are given, behind them: at most [`NAMED`] at a time, in the place of one that is
	/// of no use.
	pub(super) fn refer(&self, parent: Option<usize>, turns: &mut Turns, memory: &mut Memory) {
		let Some(buyer) = &self.buyer else {
			return;
		};
		let now = memory.now();
		while let Some(key) = memory.referrals.next(now) {
			let Some(upstream) = buyer.place_of(&key) else {
				continue;
			};
			let (last, mut in_use) = (memory.upstreams.len(), memory.crew.in_use());
			in_use.extend(parent);
			let named = memory.given..last;
			let at = match named.len() < NAMED {
				true => last,
				false => match turns.worst(named.filter(|at| !in_use.contains(at)), now) {
					Some(at) => at,
					None => return,
				},
			};
			match memory.upstreams.get_mut(at) {
				Some(place) => *place = upstream,
				None => memory.upstreams.push(upstream),
			}
			turns.admit(at);
			tracing::info!(relayer = %key, "named by one that refuses us, or is dear: it may be bought from");
		}
	}

	/// Does what the swarm has decided, and passes on what is whole; whether another one sends from now on.
	pub(super) fn perform(
		&self,
		mut parent: Option<&mut Link>,
		key: &PublicKey,
		turns: &mut Turns,
		memory: &mut Memory,
	) -> bool {
		let mut handed = false;
		loop {
			while let Some((window, _)) = memory.crew.pop(parent.as_deref_mut()) {
				turns.serves();
				self.relay(window, memory);
			}
			let now = memory.now();
			match memory.crew.act(parent.as_deref_mut(), now) {
				None => {
					self.forward(parent.as_deref(), memory);
					return handed;
				},
				Some(Step::Hand) => handed = true,
				Some(Step::Call) => self.recruit(parent.as_deref(), key, turns, memory),
				// What it is owed is paid beside.
				Some(Step::Dismiss(link)) => self.part(link, false, memory),
				Some(Step::Leave(link)) => {
					let failure = match memory.crew.swarm.announces(link.id, now) {
						true => Failure::Short,
						// Killed, as likely as not: it may be back in a moment.
						false => Failing::Mute.into(),
					};
					self.left(link, parent.as_deref_mut(), failure, turns, memory);
				},
				Some(Step::Skipped(_) | Step::Done) => {},
			}
		}
	}

	/// Passes on what has come of the window behind the last one, where that takes long to send: in runs, as they verify. Not of the first
	/// one, which may turn out to be none to begin with.
	fn forward(&self, parent: Option<&Link>, memory: &Memory) {
		let follows = |next: &&Arc<Announced>| memory.resume.as_ref().is_some_and(|last| last.precedes(next.header()));
		let is_long = |next: &&Arc<Announced>| self.node.passes_on_runs(next.header().bytes.into());
		let Some(next) = memory.crew.stage.next().filter(is_long).filter(follows) else {
			return;
		};
		let Some(run) = self.feed.reached(next).and_then(|from| memory.crew.run(parent, from)) else {
			return;
		};
		tracing::trace!(window = %next.id(), chunks = run.range().count, "passed on as it comes");
		self.feed.extend(next, run);
	}

	/// Passes a window on.
	fn relay(&self, window: EncodedWindow, memory: &mut Memory) {
		let last = Resume::after(&window);
		memory.resume = Some(last.clone());
		memory.standing.note_header(window.header());
		memory.supplied(Brought::Window);
		memory.window();
		memory.count(metrics::WINDOWS, 1);
		memory.count(metrics::BYTES_RECEIVED, window.header().bytes.into());
		self.stream.came(window.header().bytes.into(), Instant::now());
		self.stream
			.measure(window.header().bytes.into(), window.header().duration_ms.into());
		tracing::debug!(window = %window.id(), bytes = window.header().bytes, "received");
		if let Some(buyer) = &self.buyer {
			buyer.note(&window);
		}
		self.feed.push(window);
		::metrics::gauge!(metrics::CACHE_BYTES).set(self.feed.bytes() as f64);
		let recent = &mut memory.recent;
		recent.push_back(last);
		recent.drain(..recent.len().saturating_sub(REWIND));
		match recent.front().map(|first| store(&self.position, first)) {
			Some(Err(error)) => {
				if memory.unstored.due(Instant::now().into_std()).is_some() {
					tracing::warn!(%error, "a restart will begin live: {}", self.position.display());
				}
			},
			_ => drop(memory.unstored.well()),
		}
	}

	/// Something happened at a standby.
	pub(super) fn heard(
		&self,
		heard: Heard<Provider>,
		parent: Option<&mut Link>,
		key: &PublicKey,
		turns: &mut Turns,
		memory: &mut Memory,
	) {
		match heard {
			Heard::Dialled(party, stream) => {
				let now = memory.now();
				let is_parent = parent.is_some_and(|parent| parent.party.key == party.key);
				let known = is_parent || memory.crew.standbys().any(|link| link.party.key == party.key);
				match stream {
					Ok(stream) if !known => {
						let begins = (memory.crew.begins(now), STANDBY_PATIENCE);
						let link = self.link(stream, key, party, begins, memory);
						memory.crew.admit(link);
						memory.crew.swarm.called(true, now);
					},
					// It was turned to meanwhile.
					Ok(_) => memory.crew.swarm.called(false, now),
					Err(error) => {
						tracing::debug!(at = party.at, %error, "is no standby");
						memory.crew.swarm.called(false, now);
					},
				}
			},
			// Nobody is seen off here.
			Heard::Waited => {},
			Heard::Said(id, event) => {
				let Some(mut link) = memory.crew.take(|link| link.id == id) else {
					return;
				};
				let taken = event.map_err(Failure::from);
				match taken.and_then(|event| self.said(&mut link, event, memory)) {
					Ok(()) => memory.crew.admit(link),
					Err(failure) => self.left(link, parent, failure, turns, memory),
				}
			},
		}
	}

	/// Takes what any upstream may say, the one that sends windows or a standby; why it is left, where it is.
	pub(super) fn said(&self, link: &mut Link, event: Event, memory: &mut Memory) -> Result<(), Failure> {
		let (last, now) = (memory.last(), memory.now());
		if let Some(deal) = &link.party.deal {
			deal.note(&event);
		}
		let event = match memory.crew.note(link, event, last, now) {
			Rest::Event(event) => event,
			Rest::Bytes(_) | Rest::Done => return Ok(()),
		};
		match event {
			Event::Terms(terms) => {
				if let (Some(deal), Some(terms)) = (&mut link.party.deal, &terms) {
					deal.terms(terms)?;
				}
				link.party.serves = true;
			},
			// Who sells to us has no part to give.
			Event::Seats(seats) => {
				if link.party.deal.is_none() {
					memory.seats_of = Some(link.id);
					self.stream.set_seats(seats);
				}
			},
			Event::Ended(reason) => return Err(Failure::Ended(reason)),
			Event::Route(path) => {
				if link.party.seller.is_some() {
					link.party.route = behind(&path, &link.party.key, &self.own(&link.party.key))?;
				}
			},
			Event::Others(names) => {
				if let Some(buyer) = &self.buyer {
					let own = self.own(&link.party.key);
					let given: Vec<_> = memory.upstreams.iter().filter_map(|upstream| upstream.peer).collect();
					let is_new = |key: &PublicKey| *key != own && !given.contains(key);
					let known = |key: &PublicKey| is_new(key) && buyer.place_of(key).is_some();
					memory.referrals.note(&link.party.key, &names, known, now);
				}
			},
			Event::Status(status) => {
				if memory.standing.note_status(&status, now) {
					(memory.words, memory.word_of) = (memory.words.wrapping_add(1), Some(link.id));
				}
				if status.status.message.state != State::Ended {
					memory.supplied(Brought::Word);
				}
				self.feed.push_status(*status);
			},
			Event::Challenged(request) => {
				if let Some(deal) = &link.party.deal {
					let signed = deal.subscribe(request);
					link.subscription.session().subscribe(signed);
				}
			},
			Event::PaymentDue(due) => {
				if let Some(deal) = &link.party.deal {
					deal.pay(&mut link.subscription, &due).map_err(Refused::from)?;
				}
			},
			Event::Paid(_) => memory.refusals.paid(),
			// Catalog and initialisation segment come with each window. What is of windows is noted above.
			Event::Catalog(_)
			| Event::Init(_)
			| Event::Covered(_)
			| Event::Reserved(_)
			| Event::Waiting
			| Event::Announced(_)
			| Event::Progress(_)
			| Event::Chunks(_)
			| Event::Lacks(_)
			| Event::Window(_)
			| Event::Skipped(_) => {},
		}
		Ok(())
	}

	/// A standby is one no more.
	fn left(
		&self,
		mut link: Link,
		parent: Option<&mut Link>,
		failure: Failure,
		turns: &mut Turns,
		memory: &mut Memory,
	) {
		let now = memory.now();
		let seller = link.party.seller;
		memory.crew.lose(&mut link, parent, now);
		match seller.map_or(failure.broke(), |_| failure.lied()) {
			true => {
				memory.count(metrics::UPSTREAM_FAULTS, 1);
				tracing::error!(fault = %failure, "an upstream that stood by broke the protocol");
			},
			false => tracing::debug!(at = link.party.at, %failure, "is no standby any more"),
		}
		let verdict = seller.map_or(Verdict::Pass, |_| failure.verdict(&mut memory.refusals));
		let verdict = failure.of_standby(verdict, memory.crew.swarm.is_overdue(now));
		if let Some(buyer) = self
			.buyer
			.as_ref()
			.filter(|_| seller.is_some() && failure.doubts_our_means())
		{
			buyer.doubt();
		}
		turns.report(link.party.at, verdict, now);
		self.part(link, failure.is_sudden(), memory);
	}

	/// Goes, and pays what is asked for meanwhile.
	pub(super) fn part(&self, link: Link, sudden: bool, memory: &mut Memory) {
		if memory.seats_of == Some(link.id) {
			memory.seats_of = None;
			// Others have it now.
			self.stream.set_seats(0);
		}
		while memory.partings.try_join_next().is_some() {}
		if let Some(deal) = link.party.deal {
			memory.partings.spawn(deal.part(link.subscription, sudden));
		}
	}

	/// Leaves all that stand by, and what was put together: on with another place, or nothing.
	pub(super) fn dismiss(&self, memory: &mut Memory) {
		for link in memory.crew.begin_anew() {
			self.part(link, false, memory);
		}
		memory.show(metrics::UPSTREAM_CONNECTED, 0.0);
	}

	/// Asks whether bonds still answer for those that stand by. Windows do not wait for the answer.
	pub(super) fn look(&self, memory: &mut Memory) {
		memory.registry_at = Instant::now() + registration::AGAIN;
		if let Some(buyer) = self.buyer.clone().filter(|_| !self.tip.is_late()) {
			memory.registry.ask(async move { buyer.registered().await });
		}
	}

	/// Leaves those that stand by for whom no bond answers any more, and those that another session key pays from now on.
	pub(super) fn looked(&self, registered: &[RelayerInfo], parent: &mut Link, turns: &mut Turns, memory: &mut Memory) {
		let mut over = Vec::new();
		for link in memory.crew.standbys() {
			let Some(deal) = &mut link.party.deal else {
				continue;
			};
			match deal.is_over(registered) {
				Some(unfit) => over.push((link.id, Failure::from(unfit))),
				None if deal.is_renewed() => over.push((link.id, Failure::Renewed)),
				None => {},
			}
		}
		for (id, failure) in over {
			if let Some(link) = memory.crew.take(|link| link.id == id) {
				self.left(link, Some(&mut *parent), failure, turns, memory);
			}
		}
	}

	/// The one that sent windows is lost: standbys bring what it did not, and whoever does is the next one.
	pub(super) async fn interregnum(&self, key: &PublicKey, turns: &mut Turns, memory: &mut Memory) {
		let (mut named, mut need) = (self.signing_key.clone(), self.need.clone());
		let deadline = Instant::now() + INTERREGNUM;
		while memory.crew.has_standbys() {
			self.refresh(None, memory);
			if self.perform(None, key, turns, memory) {
				return;
			}
			if memory.crew.stage.crowded().is_some() {
				self.dismiss(memory);
				return;
			}
			if Instant::now() >= deadline {
				memory.crew.choose_heir();
				return;
			}
			let now = memory.now();
			let tick = memory.crew.swarm.poll_timeout(now);
			let tick = tick.map_or(deadline, |at| deadline.min(memory.begun + at));
			tokio::select! {
				heard = memory.crew.next() => self.heard(heard, None, key, turns, memory),
				() = sleep_until(tick) => memory.crew.swarm.tick(memory.now()),
				() = replaced(&mut named, key) => return,
				() = unneeded(&mut need) => return,
			}
		}
	}
}
