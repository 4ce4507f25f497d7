//! Several sources of one stream over real connections: a parent, which sends windows, and standbys, which announce them and bring what it
//! does not. Moves bytes and events; [`clustercast_protocol::swarm`] decides. Whoever drives it, a player or a relayer, keeps the parent,
//! pays everybody, and takes the windows.

use crate::{client, node::ConnectError, Stream, Subscription};
use clustercast_primitives::{crypto::sha256, Hash, PublicKey, WindowId};
use clustercast_protocol::{
	swarm::{stage::Ready, Action, Offer, Playhead, Source, SourceId, Stage, Swarm},
	viewer::{Event, BUDGET},
	Chunks, Fetch, Follow, Range, ViewerSession,
};
use futures::{
	future::{select_all, BoxFuture, FutureExt},
	stream::{FuturesUnordered, StreamExt},
};
use std::{future::Future, time::Duration};
use tokio::time::{sleep_until, Instant};

/// Standbys at a time, unless it is said otherwise: two share a slow link worse.
pub const STANDBYS: usize = 1;

/// More would take seats from others, and bring nothing.
pub const MOST_STANDBYS: usize = 4;

/// How long standbys may take to show which of them brings what a lost parent does not: the time of a window. Then the best of them is
/// taken at its word.
pub const INTERREGNUM: Duration = Duration::from_secs(2);

/// A standby that says nothing at all is lost after this: it says every 5 s that it is there.
pub const STANDBY_PATIENCE: Duration = Duration::from_secs(15);

/// What whoever drives a crew knows of a source.
pub trait Party: Send + 'static {
	/// Tells it from all others.
	type Tag: Copy + PartialEq + Send;

	/// Which one it is.
	fn tag(&self) -> Self::Tag;
}

/// A subscription, and whose.
pub struct Link<P> {
	/// Its name in the swarm.
	pub id: SourceId,
	/// Its peer id, in words.
	pub peer: String,
	/// It is a standby no more: it did nothing wrong, and is paid what it brought, as long as it is waited for.
	pub leaves: Option<Instant>,
	/// What it sends.
	pub subscription: Subscription,
	/// What its driver knows of it.
	pub party: P,
}

impl<P> Link<P> {
	/// The state machine.
	pub fn session(&mut self) -> &mut ViewerSession {
		self.subscription.session()
	}
}

/// What happened at a standby.
#[allow(clippy::large_enum_variant, reason = "handed on at once, one at a time")]
pub enum Heard<P> {
	/// It was connected to, or could not be.
	Dialled(P, Result<Stream, ConnectError>),
	/// What it said, or why it is lost.
	Said(SourceId, Result<Event, client::Error>),
	/// One that is left ([`Crew::see_off`]) was waited for long enough.
	Waited,
}

/// What is left of an event for whoever drives the crew.
#[allow(clippy::large_enum_variant, reason = "handed on at once, one at a time")]
pub enum Rest {
	/// So many bytes came, of a window that is put together.
	Bytes(u64),
	/// It is no matter of delivery.
	Event(Event),
	/// Nothing.
	Done,
}

/// What its driver has to do.
#[allow(clippy::large_enum_variant, reason = "handed on at once, one at a time")]
pub enum Step<P> {
	/// Another one sends from now on: [`Crew::heir`].
	Hand,
	/// Another one is to be called: [`Crew::dial`], or [`Swarm::nobody`]. What becomes of it is told by [`Swarm::called`].
	Call,
	/// This standby does not bring what it announces: it is to be left.
	Leave(Link<P>),
	/// There are more standbys than are of use: this one did nothing wrong, and is to be left once it is paid.
	Dismiss(Link<P>),
	/// This window does not come.
	Skipped(WindowId),
	/// Nothing.
	Done,
}

type Dialled<P> = BoxFuture<'static, (P, Result<Stream, ConnectError>)>;

/// See the module.
pub struct Crew<P: Party> {
	/// Decides.
	pub swarm: Swarm,
	/// Windows that are put together; sources by their peer ids.
	pub stage: Stage<String>,
	playhead: Playhead,
	standbys: Vec<Link<P>>,
	dials: FuturesUnordered<Dialled<P>>,
	dialled: Vec<P::Tag>,
	heir: Option<P::Tag>,
	/// Standbys at a time.
	most: usize,
	relays: bool,
	/// Bytes that may be held of windows that are put together.
	room: u64,
	next: u32,
}

impl<P: Party> Default for Crew<P> {
	fn default() -> Self {
		Self::new(0)
	}
}

impl<P: Party> Crew<P> {
	/// Of who watches, with so many standbys.
	pub fn new(most: usize) -> Self {
		Self::of(most, false)
	}

	/// Of who passes windows on: each is due sooner, and none is passed over.
	pub fn relaying(most: usize) -> Self {
		Self::of(most, true)
	}

	fn of(most: usize, relays: bool) -> Self {
		let (mut swarm, mut stage) = (Swarm::new(most), Stage::default());
		if relays {
			swarm.relay();
			stage.wait_for_all();
		}
		Self {
			swarm,
			stage,
			playhead: Playhead::default(),
			standbys: Vec::new(),
			dials: FuturesUnordered::new(),
			dialled: Vec::new(),
			heir: None,
			most,
			relays,
			room: BUDGET,
			next: 0,
		}
	}

	/// Holds so many bytes at most of windows that are not whole and of those that wait for them, [`BUDGET`] unless it is said.
	pub fn hold_at_most(&mut self, bytes: u64) {
		self.room = bytes;
		self.swarm.hold_at_most(bytes);
		self.stage.hold_at_most(bytes);
	}

	/// Forgets everybody, and what was put together; the standbys that there were. No name is given again.
	pub fn begin_anew(&mut self) -> Vec<Link<P>> {
		let mut anew = Self {
			next: self.next,
			..Self::of(self.most, self.relays)
		};
		anew.hold_at_most(self.room);
		std::mem::replace(self, anew).standbys
	}

	/// A source as the swarm sees it: `hash(chooser, key)` decides between equals, so that not all choose alike.
	pub fn source(chooser: &PublicKey, key: &PublicKey, price_per_gb: u64) -> Source {
		let hash = sha256(&[&chooser.0, &key.0]).0;
		let tie = hash.iter().take(8).fold(0, |tie, byte| tie << 8 | u64::from(*byte));
		Source::new(price_per_gb, tie)
	}

	/// Takes a source in; `peer` is its peer id, in words.
	pub fn join(
		&mut self,
		party: P,
		peer: String,
		source: Source,
		subscription: Subscription,
		now: Duration,
	) -> Link<P> {
		self.next = self.next.wrapping_add(1);
		let id = SourceId(self.next);
		self.swarm.join(id, source, now);
		Link {
			id,
			peer,
			leaves: None,
			subscription,
			party,
		}
	}

	/// Connects to another one.
	pub fn dial(
		&mut self,
		tag: P::Tag,
		dial: impl Future<Output = (P, Result<Stream, ConnectError>)> + Send + 'static,
	) {
		self.dialled.push(tag);
		self.dials.push(dial.boxed());
	}

	/// Whether it is being connected to.
	pub fn is_dialled(&self, tag: &P::Tag) -> bool {
		self.dialled.contains(tag)
	}

	/// How a call that is answered now begins. Who is called because nobody brings anything takes a viewer's place, not a standby's.
	pub fn begins(&self, now: Duration) -> Follow {
		match self.swarm.is_overdue(now) {
			true => Follow::Windows,
			false => Follow::Announcements,
		}
	}

	/// Who is not to be connected to again.
	pub fn in_use(&self) -> Vec<P::Tag> {
		let links = self.standbys.iter().map(|link| link.party.tag());
		links.chain(self.dialled.iter().copied()).collect()
	}

	/// Whether there is any standby.
	pub fn has_standbys(&self) -> bool {
		self.standbys.iter().any(|link| link.leaves.is_none())
	}

	/// All of them, and those that are seen off.
	pub fn standbys(&mut self) -> impl Iterator<Item = &mut Link<P>> {
		self.standbys.iter_mut()
	}

	/// Stands by from now on.
	pub fn stand_by(&mut self, mut link: Link<P>) {
		link.session().follow(Follow::Announcements);
		self.admit(link);
	}

	/// Is beside the parent, and follows what it followed: who was called where nobody brings anything sends windows meanwhile.
	pub fn admit(&mut self, link: Link<P>) {
		self.standbys.push(link);
	}

	/// Wants nothing more of one that was [dismissed](Step::Dismiss), and pays what it brought, until then at the longest.
	pub fn see_off(&mut self, mut link: Link<P>, until: Instant) {
		link.session().leave();
		link.leaves = Some(until);
		self.standbys.push(link);
	}

	/// Takes a standby out.
	pub fn take(&mut self, which: impl Fn(&Link<P>) -> bool) -> Option<Link<P>> {
		let at = self.standbys.iter().position(which)?;
		Some(self.standbys.remove(at))
	}

	/// Takes all of them out.
	pub fn take_all(&mut self) -> Vec<Link<P>> {
		std::mem::take(&mut self.standbys)
	}

	/// Who is to be parent next, once.
	pub fn heir(&mut self) -> Option<&mut Link<P>> {
		let tag = self.heir.take()?;
		self.standbys
			.iter_mut()
			.find(|link| link.party.tag() == tag && link.leaves.is_none())
	}

	/// The best standby is to be parent next: none has shown that it brings what a lost one did not.
	pub fn choose_heir(&mut self) {
		let short = |link: &&Link<P>| self.swarm.source(link.id).map_or(u32::MAX, Source::shortfall);
		let standbys = self.standbys.iter().filter(|link| link.leaves.is_none());
		let best = standbys.min_by_key(short);
		self.heir = best.map(|link| link.party.tag());
	}

	/// What happens next; never anything where there is nobody. Cancel safe.
	pub async fn next(&mut self) -> Heard<P> {
		let Self {
			standbys,
			dials,
			dialled,
			..
		} = self;
		let patience = standbys.iter().filter_map(|link| link.leaves).min();
		let said = async {
			if standbys.is_empty() {
				return std::future::pending().await;
			}
			let next = standbys.iter_mut().map(|link| {
				let Link { id, subscription, .. } = link;
				async move { (*id, subscription.next().await) }.boxed()
			});
			let ((id, event), ..) = select_all(next).await;
			Heard::Said(id, event)
		};
		let waited = async {
			match patience {
				Some(until) => sleep_until(until).await,
				None => std::future::pending().await,
			}
		};
		tokio::select! {
			heard = said => heard,
			() = waited => Heard::Waited,
			Some((party, stream)) = dials.next(), if !dials.is_empty() => {
				dialled.retain(|tag| *tag != party.tag());
				Heard::Dialled(party, stream)
			},
		}
	}

	/// Takes what a source said, as far as it is of windows. Those up to `behind` are not needed any more.
	pub fn note(&mut self, link: &mut Link<P>, event: Event, behind: Option<WindowId>, now: Duration) -> Rest {
		let id = link.id;
		match event {
			Event::Announced(of) => {
				let (header, pushed) = (of.header(), link.session().pushes(&of.hash()));
				let length = Duration::from_millis(header.duration_ms.into());
				let due = self.playhead.see(header.id.epoch, header.start_ms, length, now);
				self.stage.announced(&of);
				if let Some(first) = self.stage.first(of.id()) {
					link.session().share(first);
				}
				if behind < Some(of.id()) {
					self.swarm.announced(id, Offer::of(&of), pushed, due, now);
				}
			},
			Event::Progress(range) => return Rest::Bytes(self.swarm.progress(id, range, now)),
			Event::Chunks(chunks) => {
				self.stage.put(&link.peer, &chunks);
				self.swarm.ended(id, chunks.range(), now);
			},
			Event::Lacks(range) => self.swarm.lacks(id, range, now),
			// Of one that was parent, also what it had begun.
			Event::Window(window) => self.stage.whole(&link.peer, window),
			Event::Skipped(window) => {
				tracing::debug!(%window, "passed over: this relayer, or the way to it, is too slow");
				// What came of it is good nevertheless: others may bring the rest.
				self.salvage(link);
				self.swarm.passed(id, window, now);
			},
			event => return Rest::Event(event),
		}
		Rest::Done
	}

	/// The next window, once it is whole.
	pub fn pop(&mut self, parent: Option<&mut Link<P>>) -> Option<Ready<String>> {
		let ready = self.stage.pop()?;
		self.forgo(parent, &ready.0.hash());
		Some(ready)
	}

	/// The next run of the window that those behind it [wait for](Stage::next), from this chunk on, of whatever verified: for who passes
	/// it on as it comes.
	pub fn run(&self, parent: Option<&Link<P>>, from: u32) -> Option<Chunks> {
		let links = parent.into_iter().chain(&self.standbys);
		self.stage.run(from, links.map(|link| link.subscription.viewer()))
	}

	/// Those behind this window need not wait for it anywhere.
	fn forgo(&mut self, parent: Option<&mut Link<P>>, header: &Hash) {
		for link in parent.into_iter().chain(&mut self.standbys) {
			link.session().forgo(header);
		}
	}

	/// Does what the swarm has decided next; `None` when there is nothing. Windows may be whole by it: [`Crew::pop`] comes before the next.
	pub fn act(&mut self, mut parent: Option<&mut Link<P>>, now: Duration) -> Option<Step<P>> {
		for (id, header) in self.stage.take_passed() {
			self.swarm.pass_over(id, now);
			self.forgo(parent.as_deref_mut(), &header);
		}
		let action = self.swarm.poll_action()?;
		tracing::trace!(?action, "several sources");
		match action {
			Action::Fetch { source, range, within } => self.fetch(parent, source, range, within, now),
			Action::Cancel { source, range } => {
				if let Some(link) = self.link(parent, source) {
					link.session().cancel(range);
				}
			},
			Action::Call => return Some(Step::Call),
			Action::Rest(id) => {
				if let Some(link) = self.link(parent, id) {
					link.session().follow(Follow::Announcements);
				}
			},
			Action::Dismiss(id) => {
				if let Some(mut link) = self.take(|link| link.id == id) {
					tracing::debug!(relayer = %link.peer, "is not needed as a standby any more");
					self.lose(&mut link, parent, now);
					return Some(Step::Dismiss(link));
				}
			},
			Action::Whole => self.gather(parent, now),
			Action::Promote(id) => {
				let heir = self.standbys.iter().find(|link| link.id == id);
				self.heir = heir.map(|link| link.party.tag());
				if let Some(heir) = heir {
					tracing::info!(relayer = %heir.peer, "another relayer sends from now on");
					return Some(Step::Hand);
				}
			},
			Action::Replace(id) => {
				if let Some(link) = self.take(|link| link.id == id) {
					return Some(Step::Leave(link));
				}
			},
			Action::Skip(id) => {
				for header in self.stage.skip(id) {
					self.forgo(parent.as_deref_mut(), &header);
				}
				return Some(Step::Skipped(id));
			},
		}
		Some(Step::Done)
	}

	/// Keeps what a source brought, and expects nothing more of it.
	pub fn lose(&mut self, link: &mut Link<P>, parent: Option<&mut Link<P>>, now: Duration) {
		self.salvage(link);
		self.swarm.leave(link.id, now);
		self.gather(parent, now);
	}

	/// Who has this name.
	fn link<'a>(&'a mut self, parent: Option<&'a mut Link<P>>, id: SourceId) -> Option<&'a mut Link<P>> {
		let mut links = parent.into_iter().chain(&mut self.standbys);
		links.find(|link| link.id == id)
	}

	/// Asks for chunks.
	fn fetch(&mut self, parent: Option<&mut Link<P>>, id: SourceId, range: Range, within: Duration, now: Duration) {
		let within_ms = u32::try_from(within.as_millis()).unwrap_or(u32::MAX);
		let asked = self
			.link(parent, id)
			.is_some_and(|link| link.session().fetch(Fetch { range, within_ms }));
		if !asked {
			self.swarm.lacks(id, range, now);
		}
	}

	/// Keeps what a source brought of windows that are not whole.
	fn salvage(&mut self, link: &mut Link<P>) {
		let open: Vec<_> = self.stage.open().collect();
		for header in open {
			for chunks in link.session().partial(&header) {
				self.stage.put(&link.peer, &chunks);
			}
		}
	}

	/// Puts together all that is here of windows that are not whole, and tells the swarm what is not.
	fn gather(&mut self, parent: Option<&mut Link<P>>, now: Duration) {
		let mut standbys = std::mem::take(&mut self.standbys);
		parent
			.into_iter()
			.chain(&mut standbys)
			.for_each(|link| self.salvage(link));
		self.standbys = standbys;
		let open: Vec<_> = self.stage.open().collect();
		for header in open {
			self.swarm.lost(&header, &self.stage.missing(&header), now);
		}
	}
}
