//! What the viewer found against relayers and the broadcaster, and bringing it before the chain: by itself, in the
//! background, never in the way of the video.

use crate::docket::{Docket, Next};
use clustercast_chain::{calls, Call, Chain, ChainError, Wait, Wallet};
use clustercast_network::client::Subscription;
use clustercast_primitives::{
	catalog::SignedCatalog,
	crypto::Signed,
	fraud::{ChunkFraud, Equivocation},
	status::SignedStatus,
	window::SignedHeader,
	BlockNumber, Hash, PublicKey, Status, StreamId,
};
use clustercast_protocol::{EncodedWindow, Evidence, Suspicion, Witness};
use codec::{Decode, Encode};
use std::{
	collections::VecDeque,
	fmt,
	future::{pending, Future},
	sync::Arc,
	time::{Duration, Instant},
};
use tokio::{
	sync::mpsc,
	task::{JoinError, JoinHandle, JoinSet},
	time::{sleep_until, timeout},
};

/// Windows and faults that wait to be looked into: half a minute of the shortest windows.
const MAX_CLUES: usize = 64;

/// Faults and reports that are under way at a time; more than a viewer meets before it gives up.
const MAX_TASKS: usize = 16;

/// After a fault, how long the relayer's receipt for it is waited for: it follows the window at once.
const EVIDENCE: Duration = Duration::from_secs(2);

/// Suspicions that wait for the window from an honest relayer: the next one usually brings it.
const MAX_SUSPICIONS: usize = 8;

/// At the end of a run, how long reports that are under way are waited for.
const SETTLE: Duration = Duration::from_secs(30);

/// Evidence that is enough for the chain.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Accusation {
	/// A relayer signed for a wrong chunk.
	InvalidChunk(Box<ChunkFraud>),
	/// The broadcaster signed two things for one.
	Equivocation(Box<Equivocation>),
}

impl fmt::Display for Accusation {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		match self {
			Self::InvalidChunk(evidence) => {
				write!(
					f,
					"a receipt of relayer {} for a wrong chunk",
					evidence.receipt.message.key
				)
			},
			Self::Equivocation(evidence) => f.write_str(match **evidence {
				Equivocation::Headers { .. } => "two windows for one place, both signed by the broadcaster",
				Equivocation::History { .. } => "a window that a later one denies, both signed by the broadcaster",
				Equivocation::Statuses { .. } => "two statuses of one number, both signed by the broadcaster",
				Equivocation::Catalogs { .. } => "two catalogs of one number, both signed by the broadcaster",
			}),
		}
	}
}

impl Accusation {
	/// Whose keys are asked for.
	fn stream(&self) -> Option<StreamId> {
		match self {
			Self::InvalidChunk(_) => None,
			Self::Equivocation(evidence) => Some(evidence.stream()),
		}
	}

	/// As a call; `None` where none of these keys of the stream signed both.
	fn call(&self, keys: &[PublicKey], genesis: &Hash) -> Option<Call> {
		match self {
			Self::InvalidChunk(evidence) => Some(calls::report_invalid_chunk(evidence)),
			Self::Equivocation(evidence) => {
				let signed = evidence.signed(genesis);
				let signed_both = |key: &&PublicKey| {
					let mut both = signed.iter();
					both.all(|(payload, signature)| key.verify(payload, signature).is_ok())
				};
				let key = keys.iter().find(signed_both)?;
				Some(calls::report_equivocation(key, evidence))
			},
		}
	}
}

/// Why a report came to nothing.
#[derive(Debug, thiserror::Error)]
pub enum NotUpheld {
	/// The chain does not agree, or cannot be reached.
	#[error(transparent)]
	Chain(#[from] ChainError),
	/// By the chain's account the stream's key is another one.
	#[error("no key of the stream signed both")]
	Signer,
}

/// Judges accusations.
pub trait Court: Send + Sync + 'static {
	/// Reports; the block in which it was upheld.
	fn report(&self, accusation: &Accusation) -> impl Future<Output = Result<BlockNumber, NotUpheld>> + Send;
}

/// The chain, asked in the name of a wallet.
#[derive(Debug)]
pub struct Reporter {
	/// Judges.
	pub chain: Chain,
	/// Pays the fee where the chain does not agree.
	pub wallet: Arc<Wallet>,
}

impl Court for Reporter {
	async fn report(&self, accusation: &Accusation) -> Result<BlockNumber, NotUpheld> {
		let mut keys = Vec::new();
		if let Some(stream) = accusation.stream() {
			let known = self.chain.stream_key(stream).await?.ok_or(NotUpheld::Signer)?;
			keys.push(known.signing_key);
			keys.extend(known.previous_keys);
		}
		let call = accusation.call(&keys, &self.chain.genesis()).ok_or(NotUpheld::Signer)?;
		Ok(self.chain.submit(&self.wallet, &call, Wait::InBlock).await?.number)
	}
}

/// Puts together what several relayers sent.
#[derive(Debug, Default)]
pub struct Inquiry {
	witness: Witness,
	suspicions: VecDeque<Suspicion>,
}

impl Inquiry {
	/// A header that the stream's key signed, from whomever.
	pub fn header(&mut self, header: &SignedHeader) -> Option<Accusation> {
		let evidence = self.witness.note(header)?;
		Some(Accusation::Equivocation(Box::new(evidence)))
	}

	/// The same with a status.
	pub fn status(&mut self, status: &Signed<Status>) -> Option<Accusation> {
		let evidence = self.witness.note_status(status)?;
		Some(Accusation::Equivocation(Box::new(evidence)))
	}

	/// The same with a catalog.
	pub fn catalog(&mut self, catalog: &SignedCatalog) -> Option<Accusation> {
		let evidence = self.witness.note_catalog(&catalog.seal)?;
		Some(Accusation::Equivocation(Box::new(evidence)))
	}

	/// What reading on to a relayer's receipt showed.
	pub fn evidence(&mut self, evidence: Evidence) -> Option<Accusation> {
		match evidence {
			Evidence::Fraud(fraud) => Some(Accusation::InvalidChunk(fraud)),
			Evidence::Suspicion(suspicion) => {
				if self.suspicions.len() >= MAX_SUSPICIONS {
					self.suspicions.pop_front();
				}
				self.suspicions.push_back(*suspicion);
				None
			},
		}
	}

	/// A window that verified: what it completes.
	pub fn window(&mut self, window: &EncodedWindow) -> Vec<Accusation> {
		let (about, others): (VecDeque<_>, VecDeque<_>) = std::mem::take(&mut self.suspicions)
			.into_iter()
			.partition(|suspicion| suspicion.window() == window.id());
		self.suspicions = others;
		let complete = |suspicion: Suspicion| Some(Accusation::InvalidChunk(Box::new(suspicion.complete(window)?)));
		about.into_iter().filter_map(complete).collect()
	}
}

/// What the video's side has seen.
enum Clue {
	/// A window that verified.
	Window(EncodedWindow),
	/// A relayer was caught; its receipt may follow.
	Fault(Box<Subscription>),
	/// A status that verified.
	Status(Box<Signed<Status>>),
	/// A catalog that verified.
	Catalog(Arc<SignedCatalog>),
}

/// What came of something that was begun in the background.
enum Done {
	Evidence(Option<Evidence>),
	Reported(Accusation, Result<BlockNumber, NotUpheld>),
}

/// Looks into what was seen, in the background, and reports what the chain can judge.
#[derive(Debug)]
pub struct Inquest {
	/// `None` once it is to end.
	clues: Option<mpsc::Sender<Clue>>,
	work: JoinHandle<u64>,
}

impl Inquest {
	/// Reports to this court; without one it only says what it found. What waits on the docket is reported, too.
	pub fn start(court: Option<impl Court>, docket: Docket) -> Self {
		let (clues, waiting) = mpsc::channel(MAX_CLUES);
		let clerk = Clerk {
			inquiry: Inquiry::default(),
			court: court.map(Arc::new),
			docket,
			tasks: JoinSet::new(),
			upheld: 0,
		};
		let work = tokio::spawn(clerk.work(waiting));
		Self {
			clues: Some(clues),
			work,
		}
	}

	/// A window that verified.
	pub fn window(&self, window: &EncodedWindow) {
		self.tell(Clue::Window(window.clone()));
	}

	/// A relayer was caught by this subscription.
	pub fn fault(&self, subscription: Subscription) {
		self.tell(Clue::Fault(Box::new(subscription)));
	}

	/// A status that verified.
	pub fn status(&self, status: &SignedStatus) {
		self.tell(Clue::Status(Box::new(status.status.clone())));
	}

	/// A catalog that verified.
	pub fn catalog(&self, catalog: &Arc<SignedCatalog>) {
		self.tell(Clue::Catalog(catalog.clone()));
	}

	fn tell(&self, clue: Clue) {
		let told = self.clues.as_ref().map(|clues| clues.try_send(clue));
		if !matches!(told, Some(Ok(()))) {
			tracing::debug!("too much to look into; something is left out");
		}
	}

	/// Waits for what is under way. Says how many reports the chain agreed with.
	pub async fn finish(&mut self) -> u64 {
		self.clues = None;
		match timeout(SETTLE, &mut self.work).await {
			Ok(Ok(upheld)) => upheld,
			_ => {
				tracing::warn!("reports were still under way; they are sent at the next run");
				0
			},
		}
	}
}

struct Clerk<C> {
	inquiry: Inquiry,
	court: Option<Arc<C>>,
	docket: Docket,
	tasks: JoinSet<Done>,
	upheld: u64,
}

impl<C: Court> Clerk<C> {
	async fn work(mut self, mut clues: mpsc::Receiver<Clue>) -> u64 {
		if self.court.is_some() && !self.docket.is_empty() {
			tracing::info!(reports = self.docket.len(), "reports of an earlier run are sent");
		}
		loop {
			self.report();
			let wake = self.docket.wake().filter(|_| self.court.is_some() && self.has_room());
			tokio::select! {
				clue = clues.recv() => match clue {
					Some(clue) => self.look_into(clue),
					None => break,
				},
				Some(done) = self.tasks.join_next() => self.conclude(done),
				() = async {
					match wake {
						Some(wake) => sleep_until(wake.into()).await,
						None => pending().await,
					}
				} => {},
			}
		}
		while let Some(done) = self.tasks.join_next().await {
			self.conclude(done);
			self.report();
		}
		if self.court.is_some() && !self.docket.is_empty() {
			tracing::warn!(
				reports = self.docket.len(),
				"reports wait; they are sent at the next run"
			);
		}
		self.upheld
	}

	fn look_into(&mut self, clue: Clue) {
		match clue {
			Clue::Window(window) => {
				let found = self.inquiry.window(&window);
				let second = self.inquiry.header(window.signed_header());
				found.into_iter().chain(second).for_each(|a| self.accuse(a));
			},
			Clue::Status(status) => {
				let second = self.inquiry.status(&status);
				second.into_iter().for_each(|a| self.accuse(a));
			},
			Clue::Catalog(catalog) => {
				let second = self.inquiry.catalog(&catalog);
				second.into_iter().for_each(|a| self.accuse(a));
			},
			Clue::Fault(mut subscription) => {
				let second = subscription.session().header().and_then(|h| self.inquiry.header(h));
				second.into_iter().for_each(|a| self.accuse(a));
				if self.has_room() {
					self.tasks
						.spawn(async move { Done::Evidence(subscription.evidence(EVIDENCE).await) });
				}
			},
		}
	}

	fn conclude(&mut self, done: Result<Done, JoinError>) {
		match done {
			Ok(Done::Evidence(Some(evidence))) => {
				let found = self.inquiry.evidence(evidence);
				found.into_iter().for_each(|a| self.accuse(a));
			},
			Ok(Done::Reported(accusation, reported)) => self.note(&accusation, reported),
			Ok(Done::Evidence(None)) => {},
			Err(error) => tracing::error!(%error, "looking into a fault failed"),
		}
	}

	/// On disk before it is reported: whatever becomes of this process or of the chain's nodes, it is not lost.
	fn accuse(&mut self, accusation: Accusation) {
		tracing::warn!("found {accusation}");
		if self.court.is_some() && self.docket.add(accusation, Instant::now()) {
			self.save();
		}
		self.report();
	}

	/// Reports what is due.
	fn report(&mut self) {
		let Some(court) = self.court.clone() else {
			return;
		};
		while self.has_room() {
			let Some(accusation) = self.docket.due(Instant::now()) else {
				return;
			};
			let court = court.clone();
			self.tasks.spawn(async move {
				let reported = court.report(&accusation).await;
				Done::Reported(accusation, reported)
			});
		}
	}

	/// What came of a report.
	fn note(&mut self, accusation: &Accusation, reported: Result<BlockNumber, NotUpheld>) {
		let next = self
			.docket
			.concluded(accusation, reported.as_ref().err(), Instant::now());
		match (reported, next) {
			(Ok(block), _) => {
				self.upheld += 1;
				tracing::warn!(block, "reported {accusation}; the chain agrees");
			},
			(Err(error), Next::Later) => tracing::warn!(%error, "the report of {accusation} waits; it is tried again"),
			(Err(error), _) => tracing::warn!(%error, "the chain does not take the report of {accusation}"),
		}
		self.save();
	}

	fn has_room(&self) -> bool {
		self.tasks.len() < MAX_TASKS
	}

	/// A few kilobytes, seldom.
	fn save(&self) {
		if let Err(error) = self.docket.save() {
			tracing::warn!("cannot keep what is to be reported: {error}");
		}
	}
}

#[cfg(test)]
pub(crate) mod tests {
	use super::*;
	use bytes::Bytes;
	use clustercast_primitives::{catalog::Track, crypto::KeyPair, status::State, Hash, StreamId};
	use clustercast_protocol::Broadcast;

	const GENESIS: Hash = Hash([7; 32]);

	fn broadcast(segment: u64) -> Broadcast {
		let key = KeyPair::from_seed([1; 32]);
		let mut broadcast = Broadcast::begin(key, GENESIS, StreamId(0), 1, Hash([0; 32]), segment);
		broadcast.describe(Track::unknown(b"init"), Bytes::from_static(b"init"));
		broadcast
	}

	/// Two windows for this place.
	pub(crate) fn contradiction(place: u64) -> Accusation {
		let mut inquiry = Inquiry::default();
		assert_eq!(inquiry.header(window(place, b"one").signed_header()), None);
		inquiry.header(window(place, b"other").signed_header()).unwrap()
	}

	fn window(segment: u64, data: &[u8]) -> EncodedWindow {
		broadcast(segment).segment(0, data).unwrap()
	}

	fn signing_key() -> PublicKey {
		KeyPair::from_seed([1; 32]).public()
	}

	/// The attack: one number, two meanings, told to different viewers.
	#[test]
	fn second_status_or_catalog_of_a_number_is_evidence() {
		let mut inquiry = Inquiry::default();
		let status = |state| broadcast(0).status(state, 5).status;
		assert_eq!(inquiry.status(&status(State::Live)), None);
		assert_eq!(inquiry.status(&status(State::Live)), None, "the same one again");
		let found = inquiry.status(&status(State::Idle)).unwrap();
		let Accusation::Equivocation(evidence) = &found else {
			panic!("{found}")
		};
		assert!(matches!(**evidence, Equivocation::Statuses { .. }) && evidence.check().is_ok());
		let catalog = |init: &'static [u8]| {
			let mut other = Broadcast::begin(KeyPair::from_seed([1; 32]), GENESIS, StreamId(0), 1, Hash([0; 32]), 0);
			other.describe(Track::unknown(init), Bytes::from_static(init));
			other.segment(0, b"x").unwrap().catalog().as_ref().clone()
		};
		assert_eq!(inquiry.catalog(&catalog(b"one")), None);
		let found = inquiry.catalog(&catalog(b"other")).unwrap();
		let call = found.call(&[signing_key()], &GENESIS).unwrap();
		assert_eq!(call.full_name(), "FraudProofs::report_equivocation");
	}

	#[test]
	fn second_window_for_a_place_is_evidence_from_whichever_relayers() {
		let (one, other) = (window(1, b"one"), window(1, b"other"));
		let mut inquiry = Inquiry::default();
		assert_eq!(inquiry.header(one.signed_header()), None);
		assert_eq!(inquiry.header(one.signed_header()), None, "the same one again");
		assert_eq!(
			inquiry.header(window(2, b"other").signed_header()),
			None,
			"another place"
		);
		let found = inquiry.header(other.signed_header()).unwrap();
		let Accusation::Equivocation(evidence) = &found else {
			panic!("{found}")
		};
		let both = Equivocation::Headers {
			first: one.signed_header().clone(),
			second: other.signed_header().clone(),
		};
		assert_eq!((&**evidence, evidence.check()), (&both, Ok(())));
	}

	/// The chain verifies under one key, so it has to be the right one; a replaced one counts too.
	#[test]
	fn evidence_names_the_key_that_signed_both() {
		let mut inquiry = Inquiry::default();
		assert_eq!(inquiry.header(window(1, b"one").signed_header()), None);
		let found = inquiry.header(window(1, b"other").signed_header()).unwrap();
		assert_eq!(found.stream(), Some(StreamId(0)));
		let new = KeyPair::from_seed([2; 32]).public();
		let named = |keys: &[PublicKey], genesis| found.call(keys, genesis).map(|call| format!("{call:?}"));
		assert_eq!(named(&[new], &GENESIS), None);
		assert_eq!(named(&[signing_key()], &Hash([8; 32])), None, "of another chain");
		let Accusation::Equivocation(evidence) = &found else {
			panic!("{found}")
		};
		let expected = format!("{:?}", calls::report_equivocation(&signing_key(), evidence));
		assert_eq!(named(&[new, signing_key()], &GENESIS), Some(expected));
	}

	#[test]
	fn honest_windows_accuse_nobody() {
		let mut inquiry = Inquiry::default();
		let mut broadcast = broadcast(0);
		for _ in 0..300 {
			let window = broadcast.segment(0, b"data").unwrap();
			assert_eq!(inquiry.window(&window), []);
			assert_eq!(inquiry.header(window.signed_header()), None);
		}
	}

	/// Remembers what it was told, and upholds it or does not.
	struct Judge {
		told: Arc<std::sync::Mutex<Vec<Accusation>>>,
		upholds: bool,
	}

	impl Court for Judge {
		async fn report(&self, accusation: &Accusation) -> Result<BlockNumber, NotUpheld> {
			self.told.lock().unwrap().push(accusation.clone());
			match self.upholds {
				true => Ok(7),
				false => Err(NotUpheld::Signer),
			}
		}
	}

	/// What is reported of these windows, and how many reports count as upheld.
	async fn inquest(upholds: bool, windows: &[EncodedWindow]) -> (usize, u64) {
		let told = Arc::<std::sync::Mutex<Vec<_>>>::default();
		let judge = Judge {
			told: told.clone(),
			upholds,
		};
		let mut inquest = Inquest::start(Some(judge), Docket::default());
		windows.iter().for_each(|window| inquest.window(window));
		let upheld = inquest.finish().await;
		inquest.window(&window(9, b"late"));
		let told = told.lock().unwrap().len();
		(told, upheld)
	}

	#[tokio::test]
	async fn what_is_found_is_reported_once_and_counts_where_the_chain_agrees() {
		let honest = [window(1, b"data"), window(2, b"data"), window(1, b"data")];
		assert_eq!(
			inquest(true, &honest).await,
			(0, 0),
			"nothing found is nothing reported"
		);
		let two = [window(1, b"data"), window(2, b"data"), window(1, b"other")];
		assert_eq!(inquest(true, &two).await, (1, 1));
		assert_eq!(inquest(false, &two).await, (1, 0));
		let three = [
			window(1, b"data"),
			window(1, b"other"),
			window(2, b"x"),
			window(2, b"y"),
		];
		assert_eq!(inquest(true, &three).await, (2, 2));
	}

	#[tokio::test]
	async fn without_a_court_nothing_counts() {
		let folder = tempfile::tempdir().unwrap();
		let docket = Docket::open(folder.path(), &GENESIS, Instant::now());
		let mut inquest = Inquest::start(None::<Judge>, docket);
		inquest.window(&window(1, b"data"));
		inquest.window(&window(1, b"other"));
		assert_eq!(inquest.finish().await, 0);
		assert_eq!(
			std::fs::read_dir(folder.path()).unwrap().count(),
			0,
			"nobody would send it"
		);
	}

	/// Does not answer so many times, then upholds.
	struct Absent {
		times: std::sync::atomic::AtomicUsize,
		told: Arc<std::sync::Mutex<Vec<Accusation>>>,
	}

	impl Court for Arc<Absent> {
		async fn report(&self, accusation: &Accusation) -> Result<BlockNumber, NotUpheld> {
			use std::sync::atomic::Ordering;
			self.told.lock().unwrap().push(accusation.clone());
			let left = self
				.times
				.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |times| times.checked_sub(1));
			match left {
				Ok(_) => Err(NotUpheld::Chain(ChainError::Node("down".into()))),
				Err(_) => Ok(7),
			}
		}
	}

	/// The issue: the chain's nodes are away while the evidence is at hand, and the player ends.
	#[tokio::test]
	async fn what_could_not_be_reported_is_reported_at_the_next_run_or_as_soon_as_the_chain_answers() {
		let folder = tempfile::tempdir().unwrap();
		let docket = || Docket::open(folder.path(), &GENESIS, Instant::now());
		let absent = |times| {
			Arc::new(Absent {
				times: std::sync::atomic::AtomicUsize::new(times),
				told: Arc::default(),
			})
		};
		let away = absent(usize::MAX);
		let mut inquest = Inquest::start(Some(away.clone()), docket());
		inquest.window(&window(1, b"one"));
		inquest.window(&window(1, b"other"));
		assert_eq!(inquest.finish().await, 0);
		assert_eq!(*away.told.lock().unwrap(), [contradiction(1)]);
		assert_eq!(docket().len(), 1);

		let back = absent(0);
		let mut inquest = Inquest::start(Some(back.clone()), docket());
		assert_eq!(inquest.finish().await, 1);
		assert_eq!(*back.told.lock().unwrap(), [contradiction(1)]);
		assert!(docket().is_empty(), "it is settled");

		let late = absent(3);
		let mut inquest = Inquest::start(Some(late.clone()), docket().hurried(Duration::from_millis(5)));
		inquest.window(&window(2, b"one"));
		inquest.window(&window(2, b"other"));
		while late.told.lock().unwrap().len() < 4 {
			tokio::time::sleep(Duration::from_millis(5)).await;
		}
		assert_eq!(inquest.finish().await, 1);
		assert!(docket().is_empty(), "it is settled");
	}
}
