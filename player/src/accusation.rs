//! What the viewer found against relayers and the broadcaster, and bringing it before the chain: by itself, in the
//! background, never in the way of the video.

use clustercast_chain::{calls, Call, Chain, Wait, Wallet};
use clustercast_network::client::Subscription;
use clustercast_primitives::{
	fraud::{ChunkFraud, Equivocation},
	window::SignedHeader,
	PublicKey,
};
use clustercast_protocol::{EncodedWindow, Evidence, Suspicion, Witness};
use std::{collections::VecDeque, fmt, sync::Arc, time::Duration};
use tokio::{
	sync::mpsc,
	task::{JoinError, JoinHandle, JoinSet},
	time::timeout,
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
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Accusation {
	/// A relayer, by its signing key, signed for a wrong chunk.
	InvalidChunk(PublicKey, Box<ChunkFraud>),
	/// The broadcaster signed two windows for one place.
	Equivocation(Box<Equivocation>),
}

impl fmt::Display for Accusation {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		match self {
			Self::InvalidChunk(relayer, _) => write!(f, "a receipt of relayer {relayer} for a wrong chunk"),
			Self::Equivocation(_) => f.write_str("two windows for one place, both signed by the broadcaster"),
		}
	}
}

impl Accusation {
	fn call(&self) -> Call {
		match self {
			Self::InvalidChunk(relayer, evidence) => calls::report_invalid_chunk(relayer, evidence),
			Self::Equivocation(evidence) => calls::report_equivocation(evidence),
		}
	}
}

/// Puts together what several relayers sent.
#[derive(Debug, Default)]
pub struct Inquiry {
	witness: Witness,
	suspicions: VecDeque<(PublicKey, Suspicion)>,
}

impl Inquiry {
	/// A header that the stream's key signed, from whomever.
	pub fn header(&mut self, header: &SignedHeader) -> Option<Accusation> {
		let evidence = self.witness.note(header)?;
		Some(Accusation::Equivocation(Box::new(evidence)))
	}

	/// What reading on to a relayer's receipt showed.
	pub fn evidence(&mut self, relayer: PublicKey, evidence: Evidence) -> Option<Accusation> {
		match evidence {
			Evidence::Fraud(fraud) => Some(Accusation::InvalidChunk(relayer, fraud)),
			Evidence::Suspicion(suspicion) => {
				if self.suspicions.len() >= MAX_SUSPICIONS {
					self.suspicions.pop_front();
				}
				self.suspicions.push_back((relayer, *suspicion));
				None
			},
		}
	}

	/// A window that verified: what it completes.
	pub fn window(&mut self, window: &EncodedWindow) -> Vec<Accusation> {
		let (about, others): (VecDeque<_>, VecDeque<_>) = std::mem::take(&mut self.suspicions)
			.into_iter()
			.partition(|(_, suspicion)| suspicion.window() == window.id());
		self.suspicions = others;
		let complete = |(relayer, suspicion): (PublicKey, Suspicion)| {
			let fraud = suspicion.complete(window)?;
			Some(Accusation::InvalidChunk(relayer, Box::new(fraud)))
		};
		about.into_iter().filter_map(complete).collect()
	}
}

/// What the video's side has seen.
enum Clue {
	/// A window that verified.
	Window(EncodedWindow),
	/// A relayer was caught; its receipt may follow.
	Fault(PublicKey, Box<Subscription>),
}

/// What came of something that was begun in the background.
enum Done {
	Evidence(PublicKey, Option<Evidence>),
	Reported { upheld: bool },
}

/// Looks into what was seen, in the background, and reports what the chain can judge.
#[derive(Debug)]
pub struct Inquest {
	/// `None` once it is to end.
	clues: Option<mpsc::Sender<Clue>>,
	work: JoinHandle<u64>,
}

impl Inquest {
	/// Reports in the name of the wallet, which pays the fee where the chain does not agree; without one it only says
	/// what it found.
	pub fn start(reporter: Option<(Chain, Arc<Wallet>)>) -> Self {
		let (clues, waiting) = mpsc::channel(MAX_CLUES);
		let clerk = Clerk {
			inquiry: Inquiry::default(),
			reporter,
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
	pub fn fault(&self, relayer: PublicKey, subscription: Subscription) {
		self.tell(Clue::Fault(relayer, Box::new(subscription)));
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
				tracing::warn!("reports were still under way");
				0
			},
		}
	}
}

struct Clerk {
	inquiry: Inquiry,
	reporter: Option<(Chain, Arc<Wallet>)>,
	tasks: JoinSet<Done>,
	upheld: u64,
}

impl Clerk {
	async fn work(mut self, mut clues: mpsc::Receiver<Clue>) -> u64 {
		loop {
			tokio::select! {
				clue = clues.recv() => match clue {
					Some(clue) => self.look_into(clue),
					None => break,
				},
				Some(done) = self.tasks.join_next() => self.conclude(done),
			}
		}
		while let Some(done) = self.tasks.join_next().await {
			self.conclude(done);
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
			Clue::Fault(relayer, mut subscription) => {
				let second = subscription.session().header().and_then(|h| self.inquiry.header(h));
				second.into_iter().for_each(|a| self.accuse(a));
				if self.tasks.len() < MAX_TASKS {
					self.tasks
						.spawn(async move { Done::Evidence(relayer, subscription.evidence(EVIDENCE).await) });
				}
			},
		}
	}

	fn conclude(&mut self, done: Result<Done, JoinError>) {
		match done {
			Ok(Done::Evidence(relayer, Some(evidence))) => {
				let found = self.inquiry.evidence(relayer, evidence);
				found.into_iter().for_each(|a| self.accuse(a));
			},
			Ok(Done::Reported { upheld: true }) => self.upheld += 1,
			Ok(Done::Evidence(_, None) | Done::Reported { upheld: false }) => {},
			Err(error) => tracing::error!(%error, "looking into a fault failed"),
		}
	}

	fn accuse(&mut self, accusation: Accusation) {
		tracing::warn!("found {accusation}");
		let Some((chain, wallet)) = self.reporter.clone() else {
			return;
		};
		if self.tasks.len() >= MAX_TASKS {
			tracing::warn!("too many reports under way; this one is dropped");
			return;
		}
		self.tasks.spawn(async move {
			let reported = chain.submit(&wallet, &accusation.call(), Wait::InBlock).await;
			match &reported {
				Ok(included) => tracing::warn!(block = included.number, "reported {accusation}; the chain agrees"),
				Err(error) => tracing::warn!(%error, "the chain does not take the report of {accusation}"),
			}
			Done::Reported {
				upheld: reported.is_ok(),
			}
		});
	}
}

#[cfg(test)]
mod tests {
	use super::*;
	use bytes::Bytes;
	use clustercast_primitives::{crypto::KeyPair, window::flags, Hash, WindowId};
	use clustercast_protocol::window::Draft;

	const GENESIS: Hash = Hash([7; 32]);

	fn window(segment: u64, data: &[u8]) -> EncodedWindow {
		let draft = Draft {
			id: WindowId {
				segment,
				..WindowId::default()
			},
			flags: flags::INDEPENDENT | flags::LAST_PART,
			start_ms: 0,
			duration_ms: 2_000,
			previous: Hash([0; 32]),
		};
		EncodedWindow::sign(
			draft,
			Bytes::from_static(b"init"),
			data,
			&KeyPair::from_seed([1; 32]),
			&GENESIS,
		)
		.unwrap()
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
		let evidence = Equivocation {
			first: one.signed_header().clone(),
			second: other.signed_header().clone(),
		};
		let accusation = Accusation::Equivocation(Box::new(evidence));
		assert_eq!(inquiry.header(other.signed_header()), Some(accusation.clone()));
		assert_eq!(accusation.call().full_name(), "FraudProofs::report_equivocation");
	}

	#[test]
	fn honest_windows_accuse_nobody() {
		let mut inquiry = Inquiry::default();
		for segment in 0..300 {
			let window = window(segment, b"data");
			assert_eq!(inquiry.window(&window), []);
			assert_eq!(inquiry.header(window.signed_header()), None);
		}
	}

	#[tokio::test]
	async fn nothing_found_is_nothing_reported() {
		let mut inquest = Inquest::start(None);
		inquest.window(&window(1, b"data"));
		inquest.window(&window(1, b"other"));
		assert_eq!(inquest.finish().await, 0);
		inquest.window(&window(2, b"late"));
	}
}
