//! Brings windows in: subscribes upstream, verifies, fills the feed. Reconnects and goes on behind the last window, also
//! after a restart: viewers who come back find no gap as long as upstream still has what was missed.

use crate::{
	desk::{unix_ms, TRACK},
	metrics,
};
use clustercast_chain::{Chain, ChainError};
use clustercast_network::{client, Address, Feed, Node, Subscription};
use clustercast_primitives::{
	chain::StreamKeyInfo, subscribe::Binding, window::MAX_AHEAD_MS, BlockNumber, Hash, History, PublicKey, StreamId,
	WindowId,
};
use clustercast_protocol::{
	viewer::{Event, Resume},
	EndReason, ViewerConfig, ViewerSession,
};
use codec::{DecodeAll, Encode};
use std::{
	collections::VecDeque,
	convert::Infallible,
	fmt, fs,
	future::Future,
	io,
	path::{Path, PathBuf},
	time::Duration,
};

/// No window for this long: the connection is given up and made anew. Several windows of the usual 2 s.
const INACTIVITY: Duration = Duration::from_secs(15);

/// Pause after the first failure; doubles with each further one.
const FIRST_PAUSE: Duration = Duration::from_millis(500);

/// Longest pause: a broadcast that begins is noticed within this.
const LONGEST_PAUSE: Duration = Duration::from_secs(8);

/// How far behind the last window a restart begins: viewers may lack what we had just received. Sixteen seconds.
const REWIND: usize = 8;

/// Connections in a row that served nothing before we stop asking for the window behind the last one.
const MAX_FRUITLESS: u32 = 2;

/// Who signs a stream.
#[derive(Clone, Debug)]
pub struct Signers {
	/// The key of now.
	pub key: PublicKey,
	/// Those before: a run that began under one goes on under it.
	pub former: Vec<PublicKey>,
}

impl From<StreamKeyInfo> for Signers {
	fn from(info: StreamKeyInfo) -> Self {
		Self {
			key: info.signing_key,
			former: info.previous_keys,
		}
	}
}

/// What the chain says of a stream.
pub trait StreamKeys: Send + Sync + 'static {
	/// Why it cannot answer.
	type Error: fmt::Display + Send;

	/// The keys as of now; `None` where there is no such stream.
	fn signers(&self, stream: StreamId) -> impl Future<Output = Result<Option<Signers>, Self::Error>> + Send;

	/// The newest block heard of.
	fn best_block(&self) -> BlockNumber;
}

impl StreamKeys for Chain {
	type Error = ChainError;

	async fn signers(&self, stream: StreamId) -> Result<Option<Signers>, ChainError> {
		Ok(self.stream_key(stream).await?.map(Signers::from))
	}

	fn best_block(&self) -> BlockNumber {
		self.head().best
	}
}

/// Where windows come from and where they go.
pub struct Ingest<K> {
	/// Dials.
	pub node: Node,
	/// The origin.
	pub upstream: Address,
	/// Says who signs the stream.
	pub keys: K,
	/// Genesis hash of the chain.
	pub genesis: Hash,
	/// What is ingested.
	pub stream: StreamId,
	/// Takes the windows.
	pub feed: Feed,
	/// File that names a window shortly before the last one.
	pub position: PathBuf,
}

/// Why a connection was over.
#[derive(Debug, thiserror::Error)]
enum Failure {
	#[error("cannot connect: {0}")]
	Connect(#[from] clustercast_network::node::ConnectError),
	#[error(transparent)]
	Subscription(#[from] client::Error),
	#[error("ended by upstream: {0:?}")]
	Ended(EndReason),
}

impl<K: StreamKeys> Ingest<K> {
	/// Runs until it is dropped. `signers` is what the chain said when the program began; it is asked again with
	/// every connection, since a broadcaster may change it.
	pub async fn run(self, mut signers: Signers) {
		let mut resume = load(&self.position, self.stream);
		let mut pause = FIRST_PAUSE;
		let mut fruitless = 0;
		let mut recent = VecDeque::from_iter(resume.clone());
		loop {
			match self.keys.signers(self.stream).await {
				Ok(Some(known)) => signers = known,
				Ok(None) => tracing::warn!(stream = %self.stream, "the stream key is gone from the chain"),
				Err(error) => tracing::warn!(%error, "cannot look up the stream key; using the one known"),
			}
			let before = resume.clone();
			let Err(failure) = self.connection(&signers, &mut resume, &mut recent).await;
			::metrics::gauge!(metrics::UPSTREAM_CONNECTED).set(0.0);
			if resume != before {
				(pause, fruitless) = (FIRST_PAUSE, 0);
			}
			match &failure {
				Failure::Subscription(client::Error::Fault(fault)) => {
					::metrics::counter!(metrics::UPSTREAM_FAULTS).increment(1);
					tracing::error!(%fault, "upstream broke the protocol");
				},
				Failure::Ended(EndReason::Finished) => {
					tracing::info!("the broadcast is over");
					self.feed.finish();
				},
				// Too far behind: begin live. The feed tells viewers the same.
				Failure::Ended(EndReason::WindowGone) => resume = None,
				_ => {},
			}
			// An upstream that answers, but never with what follows, has begun anew.
			if !matches!(failure, Failure::Connect(_)) && resume == before {
				fruitless += 1;
				if fruitless >= MAX_FRUITLESS {
					resume = None;
				}
			}
			tracing::info!(%failure, pause_ms = pause.as_millis(), "upstream lost; connecting again");
			tokio::time::sleep(pause).await;
			pause = (2 * pause).min(LONGEST_PAUSE);
		}
	}

	/// One connection, to its end.
	async fn connection(
		&self,
		signers: &Signers,
		resume: &mut Option<Resume>,
		recent: &mut VecDeque<Resume>,
	) -> Result<Infallible, Failure> {
		let stream = self.node.connect(&self.upstream).await?;
		let session = ViewerSession::new(ViewerConfig {
			genesis: self.genesis,
			stream: self.stream,
			track: TRACK,
			signing_key: signers.key,
			former_keys: signers.former.clone(),
			relayer_key: self.upstream.peer(),
			relayer_account: None,
			binding: Binding::PeerKey(self.upstream.peer().0),
			payment: None,
			head: self.keys.best_block(),
			latest_start_ms: latest_start_ms(),
			resume: resume.clone(),
		});
		let mut subscription = Subscription::new(stream, session, INACTIVITY);
		loop {
			subscription.session().set_head(self.keys.best_block());
			subscription.session().set_latest_start(latest_start_ms());
			match subscription.next().await? {
				Event::Terms(_) => {
					::metrics::gauge!(metrics::UPSTREAM_CONNECTED).set(1.0);
					tracing::info!("connected to upstream");
				},
				Event::Window(window) => {
					let last = Resume::after(&window);
					*resume = Some(last.clone());
					::metrics::counter!(metrics::WINDOWS).increment(1);
					::metrics::counter!(metrics::BYTES_RECEIVED).increment(window.header().bytes.into());
					tracing::debug!(window = %window.id(), bytes = window.header().bytes, "received");
					self.feed.push(window);
					recent.push_back(last);
					recent.drain(..recent.len().saturating_sub(REWIND));
					if let Some(Err(error)) = recent.front().map(|first| store(&self.position, first)) {
						tracing::warn!(%error, "a restart will begin live: {}", self.position.display());
					}
				},
				Event::Ended(reason) => return Err(Failure::Ended(reason)),
				Event::Status(status) => drop(self.feed.push_status(*status)),
				// Free service has none of them; catalog and initialisation segment come with each window.
				Event::Catalog(_)
				| Event::Init(_)
				| Event::Challenged(_)
				| Event::PaymentDue(_)
				| Event::Covered(_)
				| Event::Paid(_)
				| Event::Reserved(_) => {},
			}
		}
	}
}

/// No broadcaster's clock goes further ahead of ours.
fn latest_start_ms() -> u64 {
	unix_ms().saturating_add(MAX_AHEAD_MS)
}

/// Where a restart begins. A file that is missing or damaged costs a gap, nothing else.
fn load(path: &Path, stream: StreamId) -> Option<Resume> {
	let bytes = fs::read(path).ok()?;
	let (id, history, last_part) = <(WindowId, History, bool)>::decode_all(&mut bytes.as_slice()).ok()?;
	let fits = id.stream == stream && id.track == TRACK && history.is_well_formed();
	fits.then_some(Resume { id, history, last_part })
}

/// Replaces the file in one step. Not synced: after a power cut nobody waits for the next window.
fn store(path: &Path, window: &Resume) -> io::Result<()> {
	let temporary = path.with_extension("new");
	fs::write(&temporary, (window.id, &window.history, window.last_part).encode())?;
	fs::rename(temporary, path)
}

#[cfg(test)]
mod tests {
	use super::*;
	use bytes::Bytes;
	use clustercast_network::{
		node::Limits,
		serve::{serve, Config, Grant, Policy},
	};
	use clustercast_primitives::{catalog::Track, crypto::KeyPair, status::State};
	use clustercast_protocol::{Broadcast, Cursor, Lookup, Subscribe};
	use std::sync::Arc;

	const STREAM: StreamId = StreamId(3);
	const GENESIS: Hash = Hash([7; 32]);

	fn broadcaster() -> KeyPair {
		KeyPair::from_seed([1; 32])
	}

	fn signers() -> Signers {
		Signers {
			key: broadcaster().public(),
			former: Vec::new(),
		}
	}

	struct Keys;

	impl StreamKeys for Keys {
		type Error = Infallible;

		async fn signers(&self, _: StreamId) -> Result<Option<Signers>, Infallible> {
			Ok(Some(signers()))
		}

		fn best_block(&self) -> BlockNumber {
			1_000
		}
	}

	/// Serves anyone for nothing.
	struct Free;

	impl Policy for Free {
		type Seat = ();

		async fn subscribe(&self, _: PublicKey, _: &Subscribe) -> Result<(Grant, ()), EndReason> {
			Ok((Grant::Free, ()))
		}
	}

	/// A run of the broadcast that has not begun.
	fn broadcast() -> Broadcast {
		let mut broadcast = Broadcast::begin(broadcaster(), GENESIS, STREAM, 1, Hash([0; 32]), 0);
		broadcast.describe(Track::unknown(b"init"), Bytes::from_static(b"init"));
		broadcast
	}

	/// Adds `count` windows to what is in the feed.
	fn go_on(broadcast: &mut Broadcast, feed: &Feed, count: u64) {
		for _ in 0..count {
			let segment = broadcast.next().segment;
			feed.push(broadcast.segment(2_000 * segment, &[segment as u8; 1_000]).unwrap());
		}
	}

	/// Ingests from `upstream` as a relayer does that was just started, until it has the window `last`.
	async fn ingest_until(upstream: &Address, position: &Path, last: u64) -> Feed {
		let feed = Feed::new(1 << 20);
		let (node, _incoming) = Node::start(&KeyPair::from_seed([9; 32]), Limits::default()).unwrap();
		let ingest = Ingest {
			node,
			upstream: upstream.clone(),
			keys: Keys,
			genesis: GENESIS,
			stream: STREAM,
			feed: feed.clone(),
			position: position.into(),
		};
		let mut news = feed.news();
		let arrived = async {
			while feed.latest(STREAM, TRACK).is_none_or(|w| w.id().segment < last) {
				news.changed().await.unwrap();
			}
		};
		tokio::select! {
			() = ingest.run(signers()) => unreachable!("it runs for ever"),
			arrived = tokio::time::timeout(Duration::from_secs(60), arrived) => arrived.expect("the windows arrive"),
		}
		feed
	}

	#[tokio::test]
	async fn restarted_relayer_has_what_its_viewers_lack() {
		let dir = tempfile::tempdir().unwrap();
		let position = dir.path().join("position");
		let origin_key = KeyPair::from_seed([8; 32]);
		let (origin, incoming) = Node::start(&origin_key, Limits::default()).unwrap();
		let address = origin
			.listen("/ip4/127.0.0.1/udp/0/quic-v1".parse().unwrap())
			.await
			.unwrap();
		let source = Feed::new(1 << 20);
		let serving = serve(
			incoming,
			source.clone(),
			Arc::new(Free),
			Config::new(GENESIS, origin_key.public()),
			std::future::pending(),
		);
		tokio::spawn(serving);

		let mut broadcast = broadcast();
		go_on(&mut broadcast, &source, 1);
		ingest_until(&address, &position, 0).await;
		go_on(&mut broadcast, &source, 19);
		ingest_until(&address, &position, 19).await;
		// Missed while it was down.
		go_on(&mut broadcast, &source, 2);
		source.push_status(broadcast.status(State::Live, 44_000));
		let feed = ingest_until(&address, &position, 21).await;
		let status = feed.status(STREAM).expect("passed on with the windows");
		assert_eq!(status.tracks[0].count, 22);
		let after = |segment| {
			let id = WindowId {
				stream: STREAM,
				track: TRACK,
				epoch: 1,
				segment,
				part: 0,
			};
			feed.get(Cursor::After(id))
		};
		// It remembered 12 to 19 and went on behind the first of them.
		assert!(matches!(after(13), Lookup::Found(w) if w.id().segment == 14));
		assert!(matches!(after(20), Lookup::Found(w) if w.id().segment == 21));
		assert!(matches!(after(12), Lookup::Gone), "only so far back");
	}

	#[test]
	fn position_is_read_back_for_its_stream_only() {
		let dir = tempfile::tempdir().unwrap();
		let path = dir.path().join("position");
		assert_eq!(load(&path, StreamId(3)), None);
		let id = WindowId {
			stream: StreamId(3),
			track: TRACK,
			epoch: 1,
			segment: 8,
			part: 1,
		};
		let last = Resume {
			id,
			history: History::default(),
			last_part: true,
		};
		store(
			&path,
			&Resume {
				last_part: false,
				..last.clone()
			},
		)
		.unwrap();
		store(&path, &last).unwrap();
		assert_eq!(load(&path, StreamId(3)), Some(last));
		assert_eq!(load(&path, StreamId(4)), None);
		fs::write(&path, b"damaged").unwrap();
		assert_eq!(load(&path, StreamId(3)), None);
	}
}
