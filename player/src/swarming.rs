//! What a viewer does with several relayers at once: what they say goes to the swarm's machine, what that decides is done.

use crate::{
	asked::Paid,
	crew::{dial, name_of, Crew, Link, Served},
	pocket::PayError,
	roster::{Ending, Relayer},
	subscription::{cannot_pay, latest_start_ms, stopped, Over, Viewing, FAREWELL, RESERVE_PATIENCE, SETTLE, TICK},
	view::ChainView,
};
use clustercast_network::{
	client,
	crew::{Heard, Rest, Step, INTERREGNUM, STANDBY_PATIENCE},
	node::ConnectError,
	Stream, Subscription,
};
use clustercast_primitives::{
	chain::{ChannelKey, RelayerInfo},
	AccountId, PublicKey,
};
use clustercast_protocol::{routes::Names, thrift::Wish, viewer::Event, Follow, PaymentMode, PurseError};
use std::time::Duration;
use tokio::time::{sleep_until, Instant};

/// While standbys wait, what is owed to a relayer that is left has less time.
const SETTLE_SOON: Duration = Duration::from_millis(500);

impl<C: ChainView> Viewing<C> {
	/// The subscription that windows come on: a standby's, where this relayer is one; and of another relayer, where that answers first.
	/// `None` when the run is over.
	pub(crate) async fn parent(&mut self, relayer: &Relayer) -> anyhow::Result<Result<Option<Link>, ConnectError>> {
		let link = match self
			.crew
			.take(|link| link.party.relayer.key == relayer.key && link.leaves.is_none())
		{
			Some(mut link) => {
				link.session().follow(Follow::Windows);
				link
			},
			None => {
				let (relayer, stream) = match self.reach(relayer).await? {
					Ok(Some(reached)) => reached,
					Ok(None) => return Ok(Ok(None)),
					Err(error) => return Ok(Err(error)),
				};
				let patience = self.stall().max(RESERVE_PATIENCE);
				self.link(relayer, stream, Follow::Windows, patience)
			},
		};
		self.crew.swarm.appoint(link.id, self.now());
		Ok(Ok(Some(link)))
	}

	/// Connects to this relayer; where that takes long to others beside it, as the swarm says: whoever answers first is the one.
	async fn reach(&mut self, relayer: &Relayer) -> anyhow::Result<Result<Option<(Relayer, Stream)>, ConnectError>> {
		let (mut stop, node, first) = (self.stop.clone(), self.node.clone(), relayer.clone());
		let called = self.crew.is_dialled(&relayer.key);
		if !called {
			self.crew.swarm.calling(self.now());
		}
		let dial = async move { dial(&node, &first).await };
		tokio::pin!(dial);
		loop {
			let now = self.now();
			let tick = self.begun + self.crew.swarm.poll_timeout(now).unwrap_or(now + TICK);
			tokio::select! {
				stream = &mut dial, if !called => {
					self.crew.swarm.called(stream.is_ok(), self.now());
					return Ok(stream.map(|stream| Some((relayer.clone(), stream))));
				},
				heard = self.crew.next() => match heard {
					Heard::Dialled(Served { relayer: other, .. }, Ok(stream)) => {
						let now = self.now();
						self.crew.swarm.called(true, now);
						if !called {
							// It is not waited for.
							self.crew.swarm.called(true, now);
						}
						return Ok(Ok(Some((other, stream))));
					},
					Heard::Dialled(Served { relayer: other, .. }, Err(error)) if called && other.key == relayer.key => {
						self.crew.swarm.called(false, self.now());
						return Ok(Err(error));
					},
					heard => self.on_heard(heard, None).await?,
				},
				() = sleep_until(tick) => {
					self.crew.swarm.tick(self.now());
					self.perform(None, Some(&relayer.key)).await;
				},
				answer = self.asked.next() => {
					self.on_asked(answer, None);
				},
				() = stopped(&mut stop) => return Ok(Ok(None)),
			}
		}
	}

	fn link(&mut self, relayer: Relayer, stream: Stream, follow: Follow, patience: Duration) -> Link {
		let peer = name_of(&relayer);
		let subscription = Subscription::new(stream, self.session(&relayer, follow), patience);
		let price = relayer.price_per_gb.unwrap_or_default();
		let source = Crew::source(&self.pocket.session(), &relayer.key, price);
		let now = self.now();
		self.crew.join(relayer.into(), peer, source, subscription, now)
	}

	/// Says farewell to a relayer that sends no more windows, or keeps it as a standby.
	pub(crate) async fn part(&mut self, mut link: Link, over: &Over) -> anyhow::Result<()> {
		if matches!(over, Over::Handed) {
			self.crew.stand_by(link);
			return Ok(());
		}
		if matches!(over, Over::Run) {
			return self.settle_all(link).await;
		}
		let now = self.now();
		self.crew.lose(&mut link, None, now);
		// One that fails is not waited for.
		if !matches!(over, Over::Relayer(Ending::Failed | Ending::Gone | Ending::Short, _)) {
			let patience = match self.crew.has_standbys() {
				true => SETTLE_SOON,
				false => SETTLE,
			};
			let peer = link.peer.clone();
			self.settle(&mut link.subscription, &peer, Instant::now() + patience)
				.await?;
		}
		self.dispose(link).await;
		Ok(())
	}

	/// Pays everybody what it brought, and goes.
	async fn settle_all(&mut self, parent: Link) -> anyhow::Result<()> {
		let by = Instant::now() + SETTLE;
		let mut links = self.crew.take_all();
		links.push(parent);
		links.iter_mut().for_each(|link| link.session().leave());
		for mut link in links {
			let peer = link.peer.clone();
			self.settle(&mut link.subscription, &peer, by).await?;
			self.dispose(link).await;
		}
		Ok(())
	}

	async fn dispose(&mut self, mut link: Link) {
		match link.session().fault().is_some() {
			true => self.inquest.fault(link.subscription),
			// Nobody waits for it where others go on.
			false if self.crew.has_standbys() => drop(tokio::spawn(link.subscription.leave(FAREWELL))),
			false => link.subscription.leave(FAREWELL).await,
		}
	}

	/// Leaves all standbys, and what was put together: on with another place.
	pub(crate) fn dismiss(&mut self) {
		for link in self.crew.begin_anew() {
			drop(tokio::spawn(link.subscription.leave(FAREWELL)));
		}
	}

	/// What the chain and the clock say by now.
	pub(crate) fn refresh(&mut self, parent: Option<&mut Link>) {
		let (head, latest) = (self.chain.best_block(), latest_start_ms());
		for link in parent.into_iter().chain(self.crew.standbys()) {
			link.session().set_head(head);
			link.session().set_latest_start(latest);
		}
	}

	/// The stream's keys and terms, as the chain says by now.
	pub(crate) fn know_of(&mut self, parent: &mut Link) {
		for link in std::iter::once(parent).chain(self.crew.standbys()) {
			link.session().set_keys(self.keys.clone());
			link.session().set_terms(self.stream.terms_counter);
		}
	}

	/// Asks the chain what was paid, where more is to be reserved for the parent. Standbys bring so little that what relayers lend
	/// strangers is enough.
	pub(crate) fn wish_for(&mut self, link: &Link) {
		let Some((recipient, thrift)) = link.party.thrift.as_ref().filter(|_| self.asked.may_ask_paid()) else {
			return;
		};
		let Some(wish) = thrift.wish(self.chain.best_block()) else {
			return;
		};
		let channel = ChannelKey {
			session: self.pocket.session(),
			recipient: *recipient,
		};
		let places = self.pocket.vouchers_to(recipient).into_iter().map(|(place, _)| place);
		self.asked.paid(channel, places.collect(), wish, &self.chain);
	}

	/// Reserves what is wished for this recipient, if that is the parent still; whether something was sent.
	pub(crate) fn reserve_for(
		&mut self,
		parent: Option<&mut Link>,
		recipient: &AccountId,
		wish: &Wish,
		paid: Option<Paid>,
	) -> bool {
		let is_parent = |link: &&mut Link| link.party.thrift.as_ref().is_some_and(|(known, _)| known == recipient);
		let Some(link) = parent.filter(is_parent) else {
			return false;
		};
		let sent = paid.is_some_and(|paid| self.reserve(&mut link.subscription, recipient, wish, &paid));
		match (&mut link.party.thrift, sent) {
			(Some((_, thrift)), true) => thrift.sent(wish),
			_ => self.asked.put_off(),
		}
		sent
	}

	/// Connects to another relayer, if there is one beside those that are used, and this one.
	fn recruit(&mut self, parent: Option<&PublicKey>) {
		let mut in_use = self.crew.in_use();
		in_use.extend(parent.copied());
		let now = self.now();
		let Some(relayer) = self.roster.standby(&in_use, now) else {
			self.crew.swarm.nobody(now);
			return;
		};
		let node = self.node.clone();
		self.crew.dial(relayer.key, async move {
			let stream = dial(&node, &relayer).await;
			(relayer.into(), stream)
		});
	}

	/// Does what the swarm has decided, and hands out what is whole; whether another relayer is to be parent ([`Crew::heir`]). `sender` is
	/// the parent, or who is to be.
	pub(crate) async fn perform(&mut self, mut parent: Option<&mut Link>, sender: Option<&PublicKey>) -> bool {
		let mut handed = false;
		loop {
			while self.ended().is_none() {
				let Some((window, by)) = self.crew.pop(parent.as_deref_mut()) else {
					break;
				};
				self.on_window(&window, &by).await;
			}
			let now = self.now();
			match self.crew.act(parent.as_deref_mut(), now) {
				None => return handed,
				Some(Step::Hand) => handed = true,
				Some(Step::Call) => self.recruit(sender),
				Some(Step::Dismiss(link)) => self.crew.see_off(link, Instant::now() + SETTLE),
				Some(Step::Leave(link)) => {
					let (ending, reason) = match self.crew.swarm.announces(link.id, now) {
						true => (Ending::Short, "does not bring what it announces"),
						false => (Ending::Failed, "brings nothing any more"),
					};
					self.left(link, parent.as_deref_mut(), ending, reason.into()).await;
				},
				Some(Step::Skipped(id)) => tracing::debug!(window = %id, "passed over: nobody brings it in time"),
				Some(Step::Done) => {},
			}
		}
	}

	/// Something happened at a standby.
	pub(crate) async fn on_heard(&mut self, heard: Heard<Served>, parent: Option<&mut Link>) -> anyhow::Result<()> {
		match heard {
			Heard::Dialled(Served { relayer, .. }, Ok(stream)) => {
				let now = self.now();
				let link = self.link(relayer, stream, self.crew.begins(now), STANDBY_PATIENCE);
				self.crew.admit(link);
				self.crew.swarm.called(true, now);
			},
			Heard::Dialled(Served { relayer, .. }, Err(error)) => {
				tracing::debug!(relayer = %relayer.key, %error, "is no standby");
				let now = self.now();
				self.crew.swarm.called(false, now);
				self.roster.report(&relayer.key, Ending::Failed, false, now);
			},
			Heard::Waited => {
				let now = Instant::now();
				self.part_with(|link| link.leaves.is_some_and(|until| until <= now));
			},
			Heard::Said(id, event) => {
				let Some(mut link) = self.crew.take(|link| link.id == id) else {
					return Ok(());
				};
				let over = match event {
					Ok(event) => self.on_said(&mut link, event, true).await?,
					Err(client::Error::Fault(fault)) => Some(self.on_fault(fault, &mut link, true).await),
					Err(error) => Some(Over::Relayer(Ending::Failed, error.to_string())),
				};
				match over {
					_ if link.leaves.is_some() => {
						let fault = link.session().fault().is_some();
						let over = fault || over.is_some() || !link.session().owes();
						self.crew.admit(link);
						if over {
							self.part_with(|link| link.id == id);
						}
					},
					None => self.crew.admit(link),
					Some(Over::Relayer(ending, reason)) => self.left(link, parent, ending, reason).await,
					// The run's end is seen by whoever waits for the parent.
					Some(Over::Run | Over::Handed | Over::Behind) => {
						self.left(link, parent, Ending::Later, "the run is over".into()).await
					},
				}
			},
		}
		Ok(())
	}

	/// Who is left has what it is owed, or was waited for long enough.
	fn part_with(&mut self, which: impl Fn(&Link) -> bool) {
		while let Some(mut link) = self.crew.take(&which) {
			match link.session().fault().is_some() {
				true => self.inquest.fault(link.subscription),
				false => drop(tokio::spawn(link.subscription.leave(FAREWELL))),
			}
		}
	}

	/// A standby is one no more.
	async fn left(&mut self, mut link: Link, parent: Option<&mut Link>, ending: Ending, reason: String) {
		tracing::debug!(relayer = %link.peer, %reason, "is no standby any more");
		// Of the others most never served this stream.
		let served = self
			.crew
			.swarm
			.source(link.id)
			.is_some_and(|source| source.is_measured());
		if served && !matches!(ending, Ending::Fault | Ending::Finished) {
			self.summary.setback(&link.peer, reason);
		}
		let now = self.now();
		self.crew.lose(&mut link, parent, now);
		let served = served && ending != Ending::Short;
		self.roster.report(&link.party.relayer.key, ending, served, self.now());
		match link.session().fault().is_some() {
			true => self.inquest.fault(link.subscription),
			false => drop(tokio::spawn(link.subscription.leave(FAREWELL))),
		}
	}

	/// Takes what any relayer may say, parent or standby; why it is left, where it is.
	pub(crate) async fn on_said(
		&mut self,
		link: &mut Link,
		event: Event,
		stands_by: bool,
	) -> anyhow::Result<Option<Over>> {
		let now = self.now();
		let behind = self.resume.as_ref().map(|last| last.id);
		let event = match self.crew.note(link, event, behind, now) {
			Rest::Event(event) => event,
			Rest::Bytes(bytes) => {
				self.summary.taken(&link.peer, bytes);
				return Ok(None);
			},
			Rest::Done => return Ok(None),
		};
		match event {
			Event::Challenged(challenge) => {
				let signed = self.pocket.subscribe(challenge);
				link.session().subscribe(signed);
			},
			Event::Status(status) => {
				self.inquest.status(&status);
				self.standing.note_status(&status, now);
			},
			Event::Catalog(catalog) => self.inquest.catalog(&catalog),
			Event::Terms(terms) => {
				if let (Some(terms), None) = (&terms, &link.party.thrift) {
					match self.thrift(terms) {
						Ok(new) => link.party.thrift = new.map(|new| (terms.recipient, new)),
						Err(reason) => return Ok(Some(Over::Relayer(Ending::Refused, reason))),
					}
				}
				if let (Some(terms), Some((_, thrift))) = (&terms, &mut link.party.thrift) {
					thrift.pays(matches!(terms.mode, PaymentMode::Vouchers { .. }));
				}
				// The next change must not find us two behind.
				if terms
					.as_ref()
					.is_some_and(|terms| terms.counter != self.stream.terms_counter)
				{
					self.asked.stream(self.stream.id, &self.chain);
				}
				if let Some(PaymentMode::Vouchers { newest: Some(newest) }) = terms.map(|t| t.mode) {
					if let Err(error) = self.pocket.adopt(&newest) {
						let reason = format!("the voucher that it shows: {error}");
						return Ok(Some(Over::Relayer(Ending::Refused, reason)));
					}
				}
			},
			Event::PaymentDue(due) => {
				let peer = link.peer.clone();
				match self.pay(&mut link.subscription, &peer, &due) {
					Ok(worth) => {
						if let Some((_, thrift)) = &mut link.party.thrift {
							thrift.signed(worth);
						}
					},
					// Those who were paid before may still serve.
					Err(PayError::Purse(error @ PurseError::TooManyRecipients)) => {
						return Ok(Some(Over::Relayer(Ending::Refused, format!("cannot be paid: {error}"))));
					},
					Err(error) => return Err(cannot_pay(error)),
				}
			},
			Event::Reserved(counter) => {
				tracing::debug!(counter, "the reservation is final, the relayer says");
				if let Some((_, thrift)) = &mut link.party.thrift {
					thrift.confirmed();
				}
			},
			Event::Paid(_) => self.refusals.paid(),
			Event::Ended(reason) => return Ok(Some(self.on_end(reason, link, stands_by).await)),
			Event::Others(names) => self.hear_of(&link.party.relayer.key, names),
			// Whoever says it may lie, and what it brings is measured.
			Event::Route(_) => {},
			// Each window carries the initialisation segment that it needs. We serve nobody. What is of windows is noted above.
			Event::Covered(_)
			| Event::Init(_)
			| Event::Seats(_)
			| Event::Waiting
			| Event::Announced(_)
			| Event::Progress(_)
			| Event::Chunks(_)
			| Event::Lacks(_)
			| Event::Window(_)
			| Event::Skipped(_) => {},
		}
		Ok(None)
	}

	/// One that refuses us names others: they are next, at the addresses that the registry has of them.
	pub(crate) fn hear_of(&mut self, by: &PublicKey, names: Names) {
		match names.iter().all(|name| self.roster.knows(name)) {
			true => self.refer(by, &names, &[]),
			false => self.asked.names(*by, names, &self.chain),
		}
	}

	/// Turns to those whom this one names.
	pub(crate) fn refer(&mut self, by: &PublicKey, names: &Names, registered: &[RelayerInfo]) {
		let (now, max) = (self.now(), self.limits.max_price_per_gb);
		let named = registered.iter().filter(|info| names.contains(&info.signing_key));
		let fit: Vec<_> = named.filter_map(|info| Relayer::registered(info, max)).collect();
		let roster = &self.roster;
		let known = |key: &PublicKey| roster.knows(key) || fit.iter().any(|relayer| relayer.key == *key);
		self.referrals.note(by, names, known, now);
		while let Some(key) = self.referrals.next(now) {
			tracing::info!(relayer = %key, "named by one that refuses us, or is dear");
			self.roster
				.add(fit.iter().filter(|relayer| relayer.key == key).cloned());
			self.roster.turn_to(&key);
		}
	}

	/// The parent is lost: standbys bring what it did not, and whoever does is the next one.
	pub(crate) async fn interregnum(&mut self) -> anyhow::Result<()> {
		let mut stop = self.stop.clone();
		let deadline = Instant::now() + INTERREGNUM;
		while self.ended().is_none() && self.crew.has_standbys() {
			self.refresh(None);
			if self.perform(None, None).await {
				return Ok(());
			}
			let now = self.now();
			let tick = self
				.crew
				.swarm
				.poll_timeout(now)
				.map_or(deadline, |at| deadline.min(self.begun + at));
			tokio::select! {
				heard = self.crew.next() => self.on_heard(heard, None).await?,
				answer = self.asked.next() => {
					self.on_asked(answer, None);
				},
				() = sleep_until(tick) => self.crew.swarm.tick(self.now()),
				() = stopped(&mut stop) => {},
			}
			if Instant::now() >= deadline {
				self.crew.choose_heir();
				return Ok(());
			}
		}
		Ok(())
	}
}
