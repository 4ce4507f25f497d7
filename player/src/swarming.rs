//! What a viewer does with several relayers at once: what they say goes to the swarm's machine, what that decides is done.

use crate::{
	crew::{self, Crew, Heard, Link},
	pocket::PayError,
	roster::{Ending, Relayer},
	subscription::{cannot_pay, latest_start_ms, stopped, Over, Viewing, FAREWELL, RESERVE_PATIENCE, SETTLE},
	view::ChainView,
};
use clustercast_network::{client, node::ConnectError, PeerId, Stream, Subscription};
use clustercast_primitives::PublicKey;
use clustercast_protocol::{
	swarm::{Action, Offer},
	viewer::Event,
	Follow, PaymentMode, PurseError, Resume,
};
use std::time::Duration;
use tokio::time::{sleep_until, Instant};

/// How long standbys may take to show which of them brings what a lost parent does not: the time of a window. Then the best of them is
/// taken at its word.
const INTERREGNUM: Duration = Duration::from_secs(2);

/// While standbys wait, what is owed to a relayer that is left has less time.
const SETTLE_SOON: Duration = Duration::from_millis(500);

/// A standby whose relayer says nothing at all is lost after this: it says every 5 s that it is there.
const STANDBY_PATIENCE: Duration = Duration::from_secs(15);

impl<C: ChainView> Viewing<C> {
	/// The subscription that windows come on: a standby's, where this relayer is one. `None` when the run is over.
	pub(crate) async fn parent(&mut self, relayer: &Relayer, peer: &str) -> Result<Option<Link>, ConnectError> {
		let link = match self.crew.take(|link| link.relayer.key == relayer.key) {
			Some(mut link) => {
				link.session().follow(Follow::Windows);
				link
			},
			None => {
				let mut stop = self.stop.clone();
				let stream = tokio::select! {
					stream = crew::dial(&self.node, relayer) => stream?,
					() = stopped(&mut stop) => return Ok(None),
				};
				let patience = self.stall().max(RESERVE_PATIENCE);
				self.link(relayer.clone(), peer.into(), stream, Follow::Windows, patience)
			},
		};
		self.crew.swarm.appoint(link.id, self.now());
		Ok(Some(link))
	}

	fn link(&mut self, relayer: Relayer, peer: String, stream: Stream, follow: Follow, patience: Duration) -> Link {
		let id = self.crew.name();
		let session = self.session(&relayer, follow);
		let source = Crew::source(&self.pocket.session(), &relayer);
		self.crew.swarm.join(id, source, self.now());
		Link {
			id,
			relayer,
			peer,
			subscription: Subscription::new(stream, session, patience),
			thrift: None,
		}
	}

	/// Says farewell to a relayer that sends no more windows, or keeps it as a standby.
	pub(crate) async fn part(&mut self, mut link: Link, over: &Over) -> anyhow::Result<()> {
		if matches!(over, Over::Handed) {
			link.session().follow(Follow::Announcements);
			self.crew.standbys.push(link);
			return Ok(());
		}
		if matches!(over, Over::Run) {
			return self.settle_all(link).await;
		}
		self.lose(&mut link, None);
		// One that fails is not waited for.
		if !matches!(over, Over::Relayer(Ending::Failed | Ending::Gone, _)) {
			let patience = if self.crew.standbys.is_empty() {
				SETTLE
			} else {
				SETTLE_SOON
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
		let mut links = std::mem::take(&mut self.crew.standbys);
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
			false if !self.crew.standbys.is_empty() => drop(tokio::spawn(link.subscription.leave(FAREWELL))),
			false => link.subscription.leave(FAREWELL).await,
		}
	}

	/// Leaves all standbys, and what was put together: on with another place.
	pub(crate) fn dismiss(&mut self) {
		let standbys = std::mem::take(&mut self.crew.standbys);
		for link in standbys {
			drop(tokio::spawn(link.subscription.leave(FAREWELL)));
		}
		self.crew.begin_anew();
	}

	/// What the chain and the clock say by now.
	pub(crate) fn refresh(&mut self, parent: Option<&mut Link>) {
		let (head, latest) = (self.chain.best_block(), latest_start_ms());
		for link in parent.into_iter().chain(&mut self.crew.standbys) {
			link.session().set_head(head);
			link.session().set_latest_start(latest);
		}
	}

	/// The stream's keys and terms, as the chain says by now.
	pub(crate) fn know_of(&mut self, parent: &mut Link) {
		for link in std::iter::once(parent).chain(&mut self.crew.standbys) {
			link.session().set_keys(self.keys.clone());
			link.session().set_terms(self.stream.terms_counter);
		}
	}

	/// Reserves what is wished for the parent; whether something was sent. Standbys bring so little that what relayers lend
	/// strangers is enough.
	pub(crate) async fn reserve_for(&mut self, link: &mut Link) -> bool {
		let wish = link
			.thrift
			.as_ref()
			.and_then(|(recipient, thrift)| Some((*recipient, thrift.wish(self.chain.best_block())?)));
		let Some((recipient, wish)) = wish else {
			return false;
		};
		let sent = self.reserve(&mut link.subscription, &recipient, &wish).await;
		if let (Some((_, thrift)), true) = (&mut link.thrift, sent) {
			thrift.sent(&wish);
		}
		sent
	}

	/// Connects to another standby where one is missing: once there is something to go on behind.
	pub(crate) fn recruit(&mut self, parent: &PublicKey) {
		if !self.crew.is_short(self.now()) || self.resume.is_none() {
			return;
		}
		let mut in_use = self.crew.in_use();
		in_use.push(*parent);
		if let Some(relayer) = self.roster.standby(&in_use, self.now()) {
			self.crew.dial(self.node.clone(), relayer);
		}
	}

	/// Does what the swarm has decided, and hands out what is whole; whether another relayer is to be parent ([`Crew::heir`]).
	pub(crate) async fn perform(&mut self, mut parent: Option<&mut Link>) -> bool {
		let mut handed = false;
		loop {
			while self.ended().is_none() {
				let Some((window, by)) = self.crew.stage.pop() else {
					break;
				};
				let hash = window.hash();
				// Those behind it need not wait for it there.
				for link in parent.iter_mut().map(|link| &mut **link).chain(&mut self.crew.standbys) {
					link.session().forgo(&hash);
				}
				self.on_window(&window, &by).await;
			}
			let Some(action) = self.crew.swarm.poll_action() else {
				return handed;
			};
			tracing::trace!(?action, "several relayers");
			let now = self.now();
			match action {
				Action::Fetch { source, range, within } => {
					self.crew.fetch(parent.as_deref_mut(), source, range, within, now);
				},
				Action::Cancel { source, range } => {
					if let Some(link) = self.crew.link(parent.as_deref_mut(), source) {
						link.session().cancel(range);
					}
				},
				Action::Whole => self.crew.gather(parent.as_deref_mut(), now),
				Action::Promote(id) => {
					let heir = self.crew.standbys.iter().find(|link| link.id == id);
					self.crew.heir = heir.map(|link| link.relayer.clone());
					handed = self.crew.heir.is_some();
					if let Some(heir) = &self.crew.heir {
						tracing::info!(relayer = %heir.key, "another relayer sends from now on");
					}
				},
				Action::Replace(id) => {
					if let Some(link) = self.crew.take(|link| link.id == id) {
						self.left(
							link,
							parent.as_deref_mut(),
							Ending::Later,
							"does not bring what it announces".into(),
						)
						.await;
					}
				},
				Action::Skip(id) => {
					tracing::debug!(window = %id, "passed over: nobody brings it in time");
					for header in self.crew.stage.skip(id) {
						for link in parent.iter_mut().map(|link| &mut **link).chain(&mut self.crew.standbys) {
							link.session().forgo(&header);
						}
					}
				},
			}
		}
	}

	/// Something happened at a standby.
	pub(crate) async fn on_heard(&mut self, heard: Heard, parent: Option<&mut Link>) -> anyhow::Result<()> {
		match heard {
			Heard::Dialled(relayer, Ok(stream)) => {
				let peer = relayer
					.addresses
					.first()
					.map(|address| address.peer_id())
					.map(PeerId::to_base58);
				let link = self.link(
					relayer,
					peer.unwrap_or_default(),
					stream,
					Follow::Announcements,
					STANDBY_PATIENCE,
				);
				self.crew.standbys.push(link);
			},
			Heard::Dialled(relayer, Err(error)) => {
				tracing::debug!(relayer = %relayer.key, %error, "is no standby");
				let now = self.now();
				self.crew.tried(false, now);
				self.roster.report(&relayer.key, Ending::Failed, false, now);
			},
			Heard::Said(id, event) => {
				let Some(mut link) = self.crew.take(|link| link.id == id) else {
					return Ok(());
				};
				let over = match event {
					Ok(event) => self.on_said(&mut link, event).await?,
					Err(client::Error::Fault(fault)) => {
						let rejected = link.session().rejected_bytes();
						let peer = link.peer.clone();
						Some(self.on_fault(fault, rejected, &peer).await)
					},
					Err(error) => Some(Over::Relayer(Ending::Failed, error.to_string())),
				};
				match over {
					None => self.crew.standbys.push(link),
					Some(Over::Relayer(ending, reason)) => self.left(link, parent, ending, reason).await,
					// The run's end is seen by whoever waits for the parent.
					Some(Over::Run | Over::Handed) => {
						self.left(link, parent, Ending::Later, "the run is over".into()).await
					},
				}
			},
		}
		Ok(())
	}

	/// Keeps what a source brought, and expects nothing more of it.
	fn lose(&mut self, link: &mut Link, parent: Option<&mut Link>) {
		let now = self.now();
		self.crew.salvage(link);
		self.crew.swarm.leave(link.id, now);
		self.crew.gather(parent, now);
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
		self.crew.tried(served, self.now());
		if served && !matches!(ending, Ending::Fault | Ending::Finished) {
			self.summary.setback(&link.peer, reason);
		}
		self.lose(&mut link, parent);
		self.roster.report(&link.relayer.key, ending, false, self.now());
		match link.session().fault().is_some() {
			true => self.inquest.fault(link.subscription),
			false => drop(tokio::spawn(link.subscription.leave(FAREWELL))),
		}
	}

	/// Takes what any relayer may say, parent or standby; why it is left, where it is.
	pub(crate) async fn on_said(&mut self, link: &mut Link, event: Event) -> anyhow::Result<Option<Over>> {
		let (id, now) = (link.id, self.now());
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
				if let (Some(terms), None) = (&terms, &link.thrift) {
					match self.thrift(terms) {
						Ok(new) => link.thrift = new.map(|new| (terms.recipient, new)),
						Err(reason) => return Ok(Some(Over::Relayer(Ending::Refused, reason))),
					}
				}
				if let (Some(terms), Some((_, thrift))) = (&terms, &mut link.thrift) {
					thrift.pays(matches!(terms.mode, PaymentMode::Vouchers { .. }));
				}
				// The next change must not find us two behind.
				if terms
					.as_ref()
					.is_some_and(|terms| terms.counter != self.stream.terms_counter)
				{
					self.follow_terms().await;
					link.session().set_terms(self.stream.terms_counter);
				}
				if let Some(PaymentMode::Vouchers { newest: Some(newest) }) = terms.map(|t| t.mode) {
					if let Err(error) = self.pocket.adopt(&newest) {
						let reason = format!("the voucher that it shows: {error}");
						return Ok(Some(Over::Relayer(Ending::Refused, reason)));
					}
				}
			},
			Event::Announced(of) => {
				let (header, pushed) = (of.header(), link.session().pushes(&of.hash()));
				let length = Duration::from_millis(header.duration_ms.into());
				let due = self.crew.playhead.see(header.id.epoch, header.start_ms, length, now);
				self.crew.stage.announced(&of);
				if self.resume.as_ref().is_none_or(|last: &Resume| last.id < of.id()) {
					self.crew.swarm.announced(id, Offer::of(&of), pushed, due, now);
				}
			},
			Event::Progress(range) => {
				let bytes = self.crew.swarm.progress(id, range, now);
				self.summary.taken(&link.peer, bytes);
			},
			Event::Chunks(chunks) => {
				self.crew.stage.put(&link.peer, &chunks);
				self.crew.swarm.ended(id, chunks.range(), now);
			},
			Event::Lacks(range) => self.crew.swarm.lacks(id, range, now),
			// Of one that was parent: what it had begun.
			Event::Window(window) => self.crew.stage.whole(&link.peer, window),
			Event::PaymentDue(due) => {
				let peer = link.peer.clone();
				match self.pay(&mut link.subscription, &peer, &due) {
					Ok(worth) => {
						if let Some((_, thrift)) = &mut link.thrift {
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
				if let Some((_, thrift)) = &mut link.thrift {
					thrift.confirmed();
				}
			},
			Event::Paid(_) => self.refusals.paid(),
			Event::Ended(reason) => return Ok(Some(self.on_end(reason).await)),
			// Each window carries the initialisation segment that it needs. We serve nobody.
			Event::Covered(_) | Event::Init(_) | Event::Seats(_) | Event::Waiting => {},
			Event::Skipped(window) => {
				tracing::debug!(%window, "passed over: this relayer, or the way to it, is too slow");
				// What came of it is good nevertheless: others may bring the rest.
				self.crew.salvage(link);
				self.crew.swarm.passed(id, window, now);
			},
		}
		Ok(None)
	}

	/// The parent is lost: standbys bring what it did not, and whoever does is the next one.
	pub(crate) async fn interregnum(&mut self) -> anyhow::Result<()> {
		let mut stop = self.stop.clone();
		let deadline = Instant::now() + INTERREGNUM;
		while self.ended().is_none() && !self.crew.standbys.is_empty() {
			self.refresh(None);
			if self.perform(None).await {
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
				() = sleep_until(tick) => self.crew.swarm.tick(self.now()),
				() = stopped(&mut stop) => {},
			}
			if Instant::now() >= deadline {
				let short = |link: &&Link| {
					self.crew
						.swarm
						.source(link.id)
						.map_or(u32::MAX, |source| source.shortfall())
				};
				let best = self.crew.standbys.iter().min_by_key(short);
				self.crew.heir = best.map(|link| link.relayer.clone());
				return Ok(());
			}
		}
		Ok(())
	}
}
