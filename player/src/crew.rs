//! The relayers that bring a stream together: connections and sessions of the standbys, and what is known of all. Moves bytes and
//! events; [`clustercast_protocol::swarm`] decides.

use crate::{roster::Relayer, stage::Stage};
use clustercast_network::{client, node::ConnectError, Node, Stream, Subscription};
use clustercast_primitives::{crypto::sha256, AccountId, PublicKey};
use clustercast_protocol::{
	swarm::{Playhead, Source, SourceId, Swarm},
	viewer::Event,
	Fetch, Range, Thrift, ViewerSession,
};
use futures::{
	future::{select_all, BoxFuture, FutureExt},
	stream::{FuturesUnordered, StreamExt},
};
use std::time::Duration;

/// Standbys at a time, unless `--standbys` says otherwise: two share a slow link worse.
pub const STANDBYS: usize = 1;

/// The most that may be asked for.
pub const MOST_STANDBYS: usize = 4;

/// Behind one that was of no use the next one is asked after this, twice as long each time in a row, up to the second: most relayers of
/// a registry carry other streams.
const PAUSE: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));

/// A subscription, and what its payment needs.
pub struct Link {
	pub(crate) id: SourceId,
	pub(crate) relayer: Relayer,
	/// Its peer id, in words.
	pub(crate) peer: String,
	pub(crate) subscription: Subscription,
	/// Whom this relayer has paid, and what is reserved for it.
	pub(crate) thrift: Option<(AccountId, Thrift)>,
}

impl Link {
	/// The state machine.
	pub(crate) fn session(&mut self) -> &mut ViewerSession {
		self.subscription.session()
	}
}

/// What happened at a standby.
pub enum Heard {
	/// It was connected to, or could not be.
	Dialled(Relayer, Result<Stream, ConnectError>),
	/// What it said, or why it is lost.
	Said(SourceId, Result<Event, client::Error>),
}

/// See the module.
#[derive(Default)]
pub struct Crew {
	pub(crate) swarm: Swarm,
	pub(crate) stage: Stage,
	pub(crate) playhead: Playhead,
	pub(crate) standbys: Vec<Link>,
	dials: FuturesUnordered<BoxFuture<'static, (Relayer, Result<Stream, ConnectError>)>>,
	dialled: Vec<PublicKey>,
	/// Who is to be watched from next.
	pub(crate) heir: Option<Relayer>,
	/// Standbys at a time.
	pub(crate) most: usize,
	/// In a row of no use.
	useless: u32,
	not_before: Duration,
	next: u32,
}

impl Crew {
	/// With so many standbys.
	pub fn new(most: usize) -> Self {
		Self {
			most,
			..Self::default()
		}
	}

	/// Forgets everybody, and what was put together. No name is given again.
	pub(crate) fn begin_anew(&mut self) {
		*self = Self {
			most: self.most,
			next: self.next,
			..Self::default()
		};
	}

	/// Names a source.
	pub(crate) fn name(&mut self) -> SourceId {
		self.next = self.next.wrapping_add(1);
		SourceId(self.next)
	}

	/// A relayer as the swarm sees it, chosen by this viewer.
	pub(crate) fn source(chooser: &PublicKey, relayer: &Relayer) -> Source {
		let hash = sha256(&[&chooser.0, &relayer.key.0]).0;
		let tie = hash.iter().take(8).fold(0, |tie, byte| tie << 8 | u64::from(*byte));
		Source::new(relayer.price_per_gb.unwrap_or_default(), tie)
	}

	/// Connects to another standby.
	pub(crate) fn dial(&mut self, node: Node, relayer: Relayer) {
		self.dialled.push(relayer.key);
		self.dials
			.push(async move { (relayer.clone(), dial(&node, &relayer).await) }.boxed());
	}

	/// A standby was of use, or was not.
	pub(crate) fn tried(&mut self, of_use: bool, now: Duration) {
		self.useless = if of_use { 0 } else { self.useless.saturating_add(1) };
		if let Some(times) = self.useless.checked_sub(1) {
			self.not_before = now + PAUSE.0.saturating_mul(1 << times.min(16)).min(PAUSE.1);
		}
	}

	/// Whether there are fewer than there may be, and another one may be asked.
	pub(crate) fn is_short(&self, now: Duration) -> bool {
		now >= self.not_before && self.standbys.len() + self.dialled.len() < self.most
	}

	/// Who is not to be connected to again.
	pub(crate) fn in_use(&self) -> Vec<PublicKey> {
		let links = self.standbys.iter().map(|link| link.relayer.key);
		links.chain(self.dialled.iter().copied()).collect()
	}

	/// What happens next; never anything where there is nobody. Cancel safe.
	pub(crate) async fn next(&mut self) -> Heard {
		let Self {
			standbys,
			dials,
			dialled,
			..
		} = self;
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
		tokio::select! {
			heard = said => heard,
			Some((relayer, stream)) = dials.next(), if !dials.is_empty() => {
				dialled.retain(|key| *key != relayer.key);
				Heard::Dialled(relayer, stream)
			},
		}
	}

	/// Takes a standby out.
	pub(crate) fn take(&mut self, which: impl Fn(&Link) -> bool) -> Option<Link> {
		let at = self.standbys.iter().position(which)?;
		Some(self.standbys.remove(at))
	}

	/// Who has this name.
	pub(crate) fn link<'a>(&'a mut self, parent: Option<&'a mut Link>, id: SourceId) -> Option<&'a mut Link> {
		let mut links = parent.into_iter().chain(&mut self.standbys);
		links.find(|link| link.id == id)
	}

	/// Asks for chunks.
	pub(crate) fn fetch(
		&mut self,
		parent: Option<&mut Link>,
		id: SourceId,
		range: Range,
		within: Duration,
		now: Duration,
	) {
		let within_ms = u32::try_from(within.as_millis()).unwrap_or(u32::MAX);
		let asked = self
			.link(parent, id)
			.is_some_and(|link| link.session().fetch(Fetch { range, within_ms }));
		if !asked {
			self.swarm.lacks(id, range, now);
		}
	}

	/// Keeps what a source brought of windows that are not whole.
	pub(crate) fn salvage(&mut self, link: &mut Link) {
		let open: Vec<_> = self.stage.open().collect();
		for header in open {
			for chunks in link.session().partial(&header) {
				self.stage.put(&link.peer, &chunks);
			}
		}
	}

	/// Puts together all that is here of windows that are not whole, and tells the swarm what is not.
	pub(crate) fn gather(&mut self, parent: Option<&mut Link>, now: Duration) {
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

/// Connects to a relayer at whichever of its addresses answers.
pub(crate) async fn dial(node: &Node, relayer: &Relayer) -> Result<Stream, ConnectError> {
	let mut error = ConnectError::Unreachable("no address".into());
	for address in &relayer.addresses {
		match node.connect(address).await {
			Ok(stream) => return Ok(stream),
			Err(e) => error = e,
		}
	}
	Err(error)
}
