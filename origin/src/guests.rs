//! Who is served: relayers in the chain's registry, or anyone; for nothing, since they pay by carrying the video on. As many as there are
//! copies ([`crate::tier`]); others are told who has these. And how many viewers each may serve of a stream whose key limits them: equal
//! parts, which are the limit together.

use crate::{copies::Copies, metrics};
use clustercast_chain::Chain;
use clustercast_network::serve::{Closed, Grant, Policy, Pulse, Unpaid};
use clustercast_primitives::{chain::StreamKeyInfo, PublicKey, StreamId};
use clustercast_protocol::{
	routes::{self, Names},
	EndReason, Subscribe,
};
use std::{
	collections::{BTreeMap, HashSet},
	future::Future,
	sync::Arc,
	time::Duration,
};
use tokio::{
	sync::{watch, Mutex},
	time::{timeout, Instant},
};

/// The registry is read again for a stranger after this at the earliest: one block. A relayer that registered a moment
/// ago is let in with its next attempt, and strangers cannot keep the node busy.
const SHORTEST_AGE: Duration = Duration::from_secs(2);

/// The registry is read again after this at the latest, so that who left it is served no more.
const LONGEST_AGE: Duration = Duration::from_secs(60);

/// How long the node may take to answer. Less than what a subscriber is kept waiting.
const QUERY_LIMIT: Duration = Duration::from_secs(3);

/// The registered relayers.
pub trait Registry: Send + Sync + 'static {
	/// Signing keys of all of them; why not, for the log.
	fn signing_keys(&self) -> impl Future<Output = Result<HashSet<PublicKey>, String>> + Send;
}

impl Registry for Chain {
	async fn signing_keys(&self) -> Result<HashSet<PublicKey>, String> {
		let relayers = self.relayers().await.map_err(|e| e.to_string())?;
		Ok(relayers.into_iter().map(|r| r.signing_key).collect())
	}
}

/// Decides for each subscription. Clones share what they know.
#[derive(Debug)]
pub struct Guests<R> {
	stream: StreamId,
	/// `None` serves anyone.
	registry: Option<R>,
	known: Mutex<Known>,
	/// What finalised blocks say of the stream; `None` without a chain.
	named: Option<watch::Receiver<Option<StreamKeyInfo>>>,
	seats: Arc<watch::Sender<Taken>>,
	copies: Arc<Copies>,
}

/// Subscriptions of each peer: one whose line changed has two for a moment.
type Taken = BTreeMap<PublicKey, usize>;

/// The registry as last read.
#[derive(Debug, Default)]
struct Known {
	keys: HashSet<PublicKey>,
	read: Option<Instant>,
}

/// A subscription's place.
#[derive(Debug)]
pub struct Seat {
	peer: PublicKey,
	seats: Arc<watch::Sender<Taken>>,
	copies: Arc<Copies>,
}

impl Drop for Seat {
	fn drop(&mut self) {
		self.seats.send_modify(|taken| {
			if let Some(subscriptions) = taken.get_mut(&self.peer) {
				*subscriptions -= 1;
				if *subscriptions == 0 {
					taken.remove(&self.peer);
					self.copies.left(&self.peer);
				}
			}
		});
	}
}

/// What the one at `index` has of `all` where so many share them: as much as the others, or one more. Together they have `all`.
fn part(all: u32, sharers: usize, index: usize) -> u32 {
	let sharers = u32::try_from(sharers).unwrap_or(u32::MAX).max(1);
	all / sharers + u32::from(index < (all % sharers) as usize)
}

impl<R: Registry> Guests<R> {
	/// For the windows of `stream`, of which finalised blocks say this.
	pub fn new(
		stream: StreamId,
		registry: Option<R>,
		named: Option<watch::Receiver<Option<StreamKeyInfo>>>,
		copies: Arc<Copies>,
	) -> Self {
		Self {
			stream,
			registry,
			known: Mutex::default(),
			named,
			seats: Arc::default(),
			copies,
		}
	}

	/// Viewers that the stream key allows at a time, if it limits them.
	fn limit(&self) -> Option<u32> {
		let said = self.named.as_ref()?.borrow();
		said.as_ref().map(|info| info.max_viewers).filter(|most| *most > 0)
	}

	/// Waits until nobody is served.
	pub async fn gone(&self) {
		// Only closed when all senders are gone, and `self` has one.
		let _ = self.seats.subscribe().wait_for(BTreeMap::is_empty).await;
	}

	async fn allows(&self, peer: &PublicKey, now: Instant) -> bool {
		let Some(registry) = &self.registry else { return true };
		let mut known = self.known.lock().await;
		let limit = if known.keys.contains(peer) {
			LONGEST_AGE
		} else {
			SHORTEST_AGE
		};
		if known.read.is_none_or(|read| now >= read + limit) {
			known.read = Some(now);
			let answer = timeout(QUERY_LIMIT, registry.signing_keys()).await;
			match answer.unwrap_or_else(|_| Err("no answer".into())) {
				Ok(keys) => known.keys = keys,
				// Who was registered a while ago is served on: the broadcast does not depend on the node.
				Err(error) => tracing::warn!(%error, "cannot read the registry of relayers"),
			}
		}
		known.keys.contains(peer)
	}
}

impl<R: Registry> Policy for Guests<R> {
	type Seat = Seat;

	async fn subscribe(&self, peer: PublicKey, request: &Subscribe) -> Result<(Grant, Seat), EndReason> {
		if request.stream != self.stream || request.track() != Some(0) {
			return Err(EndReason::NotServed);
		}
		if !self.allows(&peer, Instant::now()).await {
			tracing::debug!(%peer, "refused: not a registered relayer");
			return Err(EndReason::NotAllowed);
		}
		// In one step: an older subscription of its own may end meanwhile.
		let has_copy = self.seats.send_if_modified(|taken| {
			let has_copy = self.copies.ask(peer);
			if has_copy {
				*taken.entry(peer).or_default() += 1;
			}
			has_copy
		});
		if !has_copy {
			tracing::debug!(%peer, "refused: others have the copies");
			return Err(EndReason::Full);
		}
		tracing::info!(%peer, serving = self.seats.borrow().len(), "subscribed");
		let (seats, copies) = (self.seats.clone(), self.copies.clone());
		Ok((Grant::Free, Seat { peer, seats, copies }))
	}

	fn pulse(&self, seat: &Seat, pulse: Pulse) {
		self.copies.pulse(seat.peer, pulse);
	}

	/// Those that have the copies.
	fn others(&self, peer: &PublicKey, _request: &Subscribe) -> Names {
		// We are no relayer ourselves.
		routes::named(peer, peer, self.copies.members())
	}

	/// It has lost its copy.
	fn shut(&self, seat: &Seat) -> Option<EndReason> {
		(!self.copies.has(&seat.peer)).then_some(EndReason::Full)
	}

	fn sent(&self, bytes: usize) {
		metrics::sent(bytes);
	}

	/// Who comes first in the order of their keys has one more, where they cannot be equal: so each has the same again after a
	/// restart.
	fn seats(&self, seat: &Seat) -> Option<u32> {
		let limit = self.limit()?;
		let taken = self.seats.borrow();
		let index = taken.keys().position(|peer| *peer == seat.peer)?;
		Some(part(limit, taken.len(), index))
	}

	fn closed(&self, _seat: Option<Seat>, _unpaid: Unpaid, why: &Closed) {
		tracing::debug!(%why, "subscription over");
	}
}

#[cfg(test)]
mod tests {
	use super::*;
	use crate::tier::{self, Failing, Outcome, Tier, Times};
	use clustercast_primitives::Hash;
	use clustercast_protocol::{Follow, Start};
	use rand::{rngs::StdRng, SeedableRng};
	use std::sync::Mutex as StdMutex;

	/// What the node does when it is asked.
	#[derive(Clone, Default)]
	enum Answer {
		Keys(HashSet<PublicKey>),
		Error,
		#[default]
		Silence,
	}

	/// Answers as it was told; counts how often it was asked.
	#[derive(Clone, Default)]
	struct Fixed(Arc<StdMutex<(Answer, u32)>>);

	impl Fixed {
		fn set(&self, answer: Answer) {
			self.0.lock().unwrap().0 = answer;
		}

		fn set_keys(&self, keys: &[PublicKey]) {
			self.set(Answer::Keys(keys.iter().copied().collect()));
		}

		fn asked(&self) -> u32 {
			self.0.lock().unwrap().1
		}
	}

	impl Registry for Fixed {
		async fn signing_keys(&self) -> Result<HashSet<PublicKey>, String> {
			let answer = {
				let mut state = self.0.lock().unwrap();
				state.1 += 1;
				state.0.clone()
			};
			match answer {
				Answer::Keys(keys) => Ok(keys),
				Answer::Error => Err("no node".into()),
				Answer::Silence => std::future::pending().await,
			}
		}
	}

	const A: PublicKey = PublicKey([1; 32]);
	const B: PublicKey = PublicKey([2; 32]);
	const C: PublicKey = PublicKey([3; 32]);
	const D: PublicKey = PublicKey([4; 32]);

	fn request(stream: u64, tracks: &[u16]) -> Subscribe {
		Subscribe {
			genesis: Hash([0; 32]),
			stream: StreamId(stream),
			tracks: tracks.to_vec().try_into().unwrap(),
			start: Start::Live,
			follow: Follow::Windows,
			payer: None,
		}
	}

	fn copies(most: usize) -> Arc<Copies> {
		let config = tier::Config {
			most,
			uplink: None,
			pinned: None,
			times: Times {
				check: Duration::from_millis(4),
				..Times::default()
			},
		};
		Arc::new(Copies::new(Tier::new(config, StdRng::seed_from_u64(1))))
	}

	/// Of the stream 7, without a limit of viewers.
	fn guests(registry: Option<Fixed>) -> Guests<Fixed> {
		Guests::new(StreamId(7), registry, None, copies(8))
	}

	async fn ask(guests: &Guests<Fixed>, peer: PublicKey) -> Result<Seat, EndReason> {
		guests.subscribe(peer, &request(7, &[0])).await.map(|(grant, seat)| {
			assert!(matches!(grant, Grant::Free));
			seat
		})
	}

	#[tokio::test]
	async fn only_registered_relayers_are_served() {
		let registry = Fixed::default();
		registry.set_keys(&[A]);
		let guests = guests(Some(registry));
		assert!(ask(&guests, A).await.is_ok());
		assert_eq!(ask(&guests, B).await.unwrap_err(), EndReason::NotAllowed);
	}

	#[tokio::test]
	async fn stranger_makes_one_query_a_block_at_most() {
		let registry = Fixed::default();
		registry.set_keys(&[]);
		let guests = guests(Some(registry.clone()));
		let start = Instant::now();
		assert!(!guests.allows(&B, start).await);
		registry.set_keys(&[B]);
		assert!(!guests.allows(&B, start + SHORTEST_AGE / 2).await);
		assert_eq!(registry.asked(), 1);
		assert!(
			guests.allows(&B, start + SHORTEST_AGE).await,
			"registered in the meantime"
		);
		assert_eq!(registry.asked(), 2);
	}

	#[tokio::test]
	async fn relayer_that_left_the_registry_is_refused_after_a_while() {
		let registry = Fixed::default();
		registry.set_keys(&[A]);
		let guests = guests(Some(registry.clone()));
		let start = Instant::now();
		assert!(guests.allows(&A, start).await);
		registry.set_keys(&[]);
		assert!(guests.allows(&A, start + LONGEST_AGE / 2).await);
		assert!(!guests.allows(&A, start + LONGEST_AGE).await);
	}

	#[tokio::test]
	async fn known_relayer_is_served_while_the_node_is_away() {
		let registry = Fixed::default();
		registry.set_keys(&[A]);
		let guests = guests(Some(registry.clone()));
		let start = Instant::now();
		assert!(guests.allows(&A, start).await);
		for (answer, later) in [(Answer::Error, 1), (Answer::Silence, 2)] {
			registry.set(answer);
			assert!(guests.allows(&A, start + LONGEST_AGE * later).await);
			assert!(!guests.allows(&B, start + LONGEST_AGE * later).await);
		}
		assert_eq!(registry.asked(), 3);
	}

	#[tokio::test]
	async fn open_serves_anyone_but_no_other_stream_or_tracks() {
		let guests = guests(None);
		assert!(ask(&guests, B).await.is_ok());
		for other in [request(8, &[0]), request(7, &[1]), request(7, &[0, 1]), request(7, &[])] {
			assert_eq!(guests.subscribe(A, &other).await.err(), Some(EndReason::NotServed));
		}
	}

	#[tokio::test]
	async fn who_comes_behind_the_copies_is_told_who_has_them() {
		let guests = Guests::<Fixed>::new(StreamId(7), None, None, copies(2));
		let named = |peer: PublicKey| guests.others(&peer, &request(7, &[0])).into_inner();
		let a = ask(&guests, A).await.unwrap();
		let b = ask(&guests, B).await.unwrap();
		assert_eq!(ask(&guests, C).await.unwrap_err(), EndReason::Full);
		let mut names = named(C);
		names.sort_unstable();
		assert_eq!(names, [A, B]);
		assert_eq!(named(A), [B], "not itself");
		// Its line changed.
		let again = ask(&guests, A).await.unwrap();
		drop(a);
		assert_eq!(ask(&guests, C).await.unwrap_err(), EndReason::Full);
		drop(again);
		assert!(ask(&guests, C).await.is_ok());
		assert_eq!(guests.shut(&b), None);
	}

	#[tokio::test]
	async fn who_lost_its_seat_is_sent_away_and_named_to_nobody() {
		let copies = copies(2);
		let guests = Guests::<Fixed>::new(StreamId(7), None, None, copies.clone());
		let (a, b) = (ask(&guests, A).await.unwrap(), ask(&guests, B).await.unwrap());
		let sells = |peer: &PublicKey| match *peer == B {
			true => Outcome::Failed(Failing::Refused),
			false => Outcome::Served,
		};
		let named = || guests.others(&C, &request(7, &[0])).into_inner();
		assert_eq!(named().len(), 2);
		// Twice, and each time the other one serves.
		while named() != [A] {
			let peer = copies.next_check().await;
			copies.checked(&peer, sells(&peer));
		}
		assert_eq!(guests.shut(&b), None, "nobody else wants its copy");
		assert_eq!(ask(&guests, C).await.unwrap_err(), EndReason::Full);
		assert_eq!((guests.shut(&a), guests.shut(&b)), (None, Some(EndReason::Full)));
		drop(b);
		assert!(ask(&guests, C).await.is_ok());
	}

	#[tokio::test]
	async fn gone_waits_for_the_last_seat() {
		let guests = guests(None);
		let seat = ask(&guests, A).await.unwrap();
		let mut gone = Box::pin(guests.gone());
		assert!(tokio::time::timeout(Duration::from_millis(20), &mut gone)
			.await
			.is_err());
		drop(seat);
		gone.await;
	}

	#[test]
	fn parts_are_as_equal_as_can_be_and_never_more_than_there_is() {
		for (all, sharers) in [
			(0, 3),
			(1, 4),
			(3, 2),
			(3, 3),
			(7, 3),
			(1_000, 32),
			(u32::MAX, 2),
			(5, 1),
		] {
			let parts: Vec<u32> = (0..sharers).map(|index| part(all, sharers, index)).collect();
			assert_eq!(parts.iter().map(|part| u64::from(*part)).sum::<u64>(), u64::from(all));
			assert!(
				parts[0] - parts[sharers - 1] <= 1 && parts.is_sorted_by(|a, b| a >= b),
				"{parts:?}"
			);
		}
	}

	/// Nobody's grows as one comes, and nobody's shrinks as one goes: else two who are not told at once exceed the limit together.
	#[test]
	fn part_shrinks_as_others_come_and_grows_as_they_go() {
		for (all, sharers) in (0..40).flat_map(|all| (1..12).map(move |sharers| (all, sharers))) {
			for (newcomer, index) in (0..=sharers).flat_map(|newcomer| (0..sharers).map(move |index| (newcomer, index)))
			{
				let among_more = index + usize::from(index >= newcomer);
				assert!(part(all, sharers + 1, among_more) <= part(all, sharers, index));
			}
		}
	}

	#[tokio::test]
	async fn relayers_that_are_here_share_the_viewers_that_the_stream_key_allows() {
		let allow = |max_viewers| {
			Some(StreamKeyInfo {
				max_viewers,
				..crate::reign::tests::named(A)
			})
		};
		let named = watch::Sender::new(allow(3));
		let guests = Guests::<Fixed>::new(StreamId(7), None, Some(named.subscribe()), copies(8));
		let told = |seats: &[&Seat]| seats.iter().map(|seat| guests.seats(seat)).collect::<Vec<_>>();
		let b = ask(&guests, B).await.unwrap();
		assert_eq!(told(&[&b]), [Some(3)]);
		let a = ask(&guests, A).await.unwrap();
		assert_eq!(told(&[&a, &b]), [Some(2), Some(1)]);
		let again = ask(&guests, B).await.unwrap();
		assert_eq!(told(&[&a, &b, &again]), [Some(2), Some(1), Some(1)], "its line changed");
		drop(b);
		let others = [ask(&guests, C).await.unwrap(), ask(&guests, D).await.unwrap()];
		let all = told(&[&a, &again, &others[0], &others[1]]);
		assert_eq!(all, [Some(1), Some(1), Some(1), Some(0)], "more of them than viewers");
		drop(others);
		drop(again);
		assert_eq!(told(&[&a]), [Some(3)]);
		named.send_replace(allow(5));
		assert_eq!(told(&[&a]), [Some(5)]);
		named.send_replace(allow(0));
		assert_eq!(told(&[&a]), [None], "no limit");
	}
}
