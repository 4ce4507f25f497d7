//! Who is served: relayers in the chain's registry, or anyone; for nothing, since they pay by carrying the video on.

use clustercast_chain::Chain;
use clustercast_network::serve::{Closed, Grant, Policy, Unpaid};
use clustercast_primitives::{PublicKey, StreamId};
use clustercast_protocol::{EndReason, Subscribe};
use std::{collections::HashSet, future::Future, sync::Arc, time::Duration};
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
	seats: Arc<watch::Sender<usize>>,
}

/// The registry as last read.
#[derive(Debug, Default)]
struct Known {
	keys: HashSet<PublicKey>,
	read: Option<Instant>,
}

/// A subscription's place.
#[derive(Debug)]
pub struct Seat(Arc<watch::Sender<usize>>);

impl Drop for Seat {
	fn drop(&mut self) {
		self.0.send_modify(|taken| *taken -= 1);
	}
}

impl<R: Registry> Guests<R> {
	/// For the windows of `stream`.
	pub fn new(stream: StreamId, registry: Option<R>) -> Self {
		Self {
			stream,
			registry,
			known: Mutex::default(),
			seats: Arc::default(),
		}
	}

	/// Waits until nobody is served.
	pub async fn gone(&self) {
		// Only closed when all senders are gone, and `self` has one.
		let _ = self.seats.subscribe().wait_for(|taken| *taken == 0).await;
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
		self.seats.send_modify(|taken| *taken += 1);
		tracing::info!(%peer, serving = *self.seats.borrow(), "subscribed");
		Ok((Grant::Free, Seat(self.seats.clone())))
	}

	fn closed(&self, _seat: Option<Seat>, _unpaid: Unpaid, why: &Closed) {
		tracing::debug!(%why, "subscription over");
	}
}

#[cfg(test)]
mod tests {
	use super::*;
	use clustercast_primitives::Hash;
	use clustercast_protocol::{Follow, Start};
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
		let guests = Guests::new(StreamId(7), Some(registry));
		assert!(ask(&guests, A).await.is_ok());
		assert_eq!(ask(&guests, B).await.unwrap_err(), EndReason::NotAllowed);
	}

	#[tokio::test]
	async fn stranger_makes_one_query_a_block_at_most() {
		let registry = Fixed::default();
		registry.set_keys(&[]);
		let guests = Guests::new(StreamId(7), Some(registry.clone()));
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
		let guests = Guests::new(StreamId(7), Some(registry.clone()));
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
		let guests = Guests::new(StreamId(7), Some(registry.clone()));
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
		let guests = Guests::<Fixed>::new(StreamId(7), None);
		assert!(ask(&guests, B).await.is_ok());
		for other in [request(8, &[0]), request(7, &[1]), request(7, &[0, 1]), request(7, &[])] {
			assert_eq!(guests.subscribe(A, &other).await.err(), Some(EndReason::NotServed));
		}
	}

	#[tokio::test]
	async fn gone_waits_for_the_last_seat() {
		let guests = Guests::<Fixed>::new(StreamId(7), None);
		let seat = ask(&guests, A).await.unwrap();
		let mut gone = Box::pin(guests.gone());
		assert!(tokio::time::timeout(Duration::from_millis(20), &mut gone)
			.await
			.is_err());
		drop(seat);
		gone.await;
	}
}
