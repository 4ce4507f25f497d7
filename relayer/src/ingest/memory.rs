//! What outlives a connection to upstream: the place in the stream, what was told, who stands by; and the place on disk.

use super::provider::Crew;
use crate::{
	config::streams::Upstream,
	desk::TRACK,
	metrics,
	upstream::{Brought, Outage},
};
use clustercast_cli::Seldom;
use clustercast_pay::{beside::Beside, refusal::Refusals, registration};
use clustercast_primitives::{chain::RelayerInfo, Hash, History, StreamId, WindowId};
use clustercast_protocol::{
	routes::Referrals, swarm::SourceId, viewer::Resume, Change, EncodedWindow, Quiet, Silence, Standing,
};
use codec::{DecodeAll, Encode};
use std::{collections::VecDeque, fs, io, path::Path, sync::Arc, time::Duration};
use tokio::{task::JoinSet, time::Instant};

/// Who begins live buys no window that ended longer ago, on the broadcaster's clock: what a relayer takes for live, and what it may
/// take to bring it. Milliseconds.
const OLDEST_START_MS: u64 = 30_000;

/// A relayer that was away for longer begins live. Whoever watched it has gone on elsewhere or skipped by then, and what it would make
/// up for takes the uplink of those it buys from, for windows that nobody plays: half a minute of them kept one of two tiers a minute behind.
const NOBODY_WAITS: Duration = Duration::from_secs(8);

/// What outlives a connection.
pub(super) struct Memory {
	/// The stream, as metrics name it.
	pub(super) name: String,
	/// Time is counted from here.
	pub(super) begun: Instant,
	/// Where windows may come from: those that are given, and behind them whom refusals named.
	pub(super) upstreams: Vec<Upstream>,
	/// How many are given.
	pub(super) given: usize,
	/// Whom refusals named.
	pub(super) referrals: Referrals,
	/// Behind which window it goes on.
	pub(super) resume: Option<Resume>,
	/// The last windows, the oldest first.
	pub(super) recent: VecDeque<Resume>,
	/// What the broadcaster says.
	pub(super) standing: Standing,
	/// What was told of its pauses.
	pub(super) quiet: Quiet,
	pub(super) outage: Outage,
	/// It was told that there is an upstream.
	pub(super) greeted: bool,
	/// Since when upstream serves us.
	pub(super) connected: Option<Duration>,
	/// The position cannot be written.
	pub(super) unstored: Seldom,
	/// What relayers refused last.
	pub(super) refusals: Refusals,
	/// Who brings windows.
	pub(super) crew: Crew,
	/// Who is left and may ask for what it delivered.
	pub(super) partings: JoinSet<()>,
	/// New words of the broadcaster so far.
	pub(super) words: u64,
	/// Who brought the newest.
	pub(super) word_of: Option<SourceId>,
	/// Whose word it is how many viewers there may be.
	pub(super) seats_of: Option<SourceId>,
	/// When it is looked next whether the registry has those that stand by.
	pub(super) registry_at: Instant,
	/// What it says.
	pub(super) registry: Beside<Arc<[RelayerInfo]>>,
}

impl Memory {
	/// Of this stream, from these, with so many standbys; goes on behind this window.
	pub(super) fn new(stream: StreamId, upstreams: Vec<Upstream>, resume: Option<Resume>, standbys: usize) -> Self {
		let begun = Instant::now();
		Self {
			name: stream.to_string(),
			begun,
			given: upstreams.len(),
			upstreams,
			referrals: Referrals::default(),
			recent: VecDeque::from_iter(resume.clone()),
			resume,
			standing: Standing::default(),
			quiet: Quiet::default(),
			outage: Outage::default(),
			greeted: false,
			connected: None,
			unstored: Seldom::default(),
			refusals: Refusals::default(),
			crew: Crew::relaying(standbys),
			partings: JoinSet::new(),
			words: 0,
			word_of: None,
			seats_of: None,
			registry_at: begun + registration::AGAIN,
			registry: Beside::default(),
		}
	}

	/// Waits until whoever was left is paid.
	pub(super) async fn settle(&mut self) {
		while self.partings.join_next().await.is_some() {}
	}

	/// The last window that is passed on.
	pub(super) fn last(&self) -> Option<WindowId> {
		self.resume.as_ref().map(|last| last.id)
	}

	pub(super) fn now(&self) -> Duration {
		self.begun.elapsed()
	}

	pub(super) fn show(&self, gauge: &'static str, value: f64) {
		::metrics::gauge!(gauge, "stream" => self.name.clone()).set(value);
	}

	pub(super) fn count(&self, counter: &'static str, more: u64) {
		::metrics::counter!(counter, "stream" => self.name.clone()).increment(more);
	}

	/// Nobody waits for anything: what comes next is live.
	pub(super) fn rest(&mut self) {
		tracing::info!("nobody waits for the stream: it is fetched no more");
		self.resume = None;
		self.recent.clear();
		self.connected = None;
		self.greeted = false;
		self.outage = Outage::default();
	}

	/// Whether a window is none to begin live with.
	pub(super) fn is_old(&self, window: &EncodedWindow) -> bool {
		!self
			.standing
			.is_live_within(window.header(), self.now(), OLDEST_START_MS)
	}

	/// No window comes.
	pub(super) fn silence(&mut self, silence: Silence) {
		match self.quiet.note(silence, self.now()) {
			Some(Change::Paused) => tracing::info!("the broadcaster pauses"),
			Some(Change::Lost) => tracing::info!("nothing is heard of the broadcaster; waiting for it"),
			Some(Change::Found) => tracing::info!("the broadcaster is there again, and pauses"),
			Some(Change::Over(_)) | None => return,
		}
		self.show(metrics::PAUSED, 1.0);
	}

	/// A window came.
	pub(super) fn window(&mut self) {
		if let Some(Change::Over(took)) = self.quiet.window(self.now()) {
			self.show(metrics::PAUSED, 0.0);
			tracing::info!(pause_s = took.as_secs(), "the broadcast goes on");
		}
	}

	/// Upstream serves us.
	pub(super) fn connect(&mut self) {
		self.connected = Some(self.now());
		self.show(metrics::UPSTREAM_CONNECTED, 1.0);
	}

	/// Upstream brings something of a broadcast that goes on.
	pub(super) fn supplied(&mut self, brought: Brought) {
		let took = self.outage.connected(brought, self.now());
		match (std::mem::replace(&mut self.greeted, true), took) {
			(false, _) => tracing::info!("connected to upstream"),
			(true, Some(took)) => tracing::info!(outage_s = took.as_secs(), "connected to upstream again"),
			(true, None) => {},
		}
	}
}

/// Where a restart begins. A file that is missing or damaged costs a gap, nothing else.
pub(super) fn load(path: &Path, stream: StreamId) -> Option<Resume> {
	let age = fs::metadata(path).ok()?.modified().ok()?.elapsed();
	// Of a clock that was set back nothing is known.
	if age.is_ok_and(|age| age > NOBODY_WAITS) {
		return None;
	}
	let bytes = fs::read(path).ok()?;
	let (id, header, history, last_part) = <(WindowId, Hash, History, bool)>::decode_all(&mut bytes.as_slice()).ok()?;
	let fits = id.stream == stream && id.track == TRACK && history.is_well_formed();
	fits.then_some(Resume {
		id,
		header,
		history,
		last_part,
	})
}

/// Replaces the file in one step. Not synced: after a power cut nobody waits for the next window.
pub(super) fn store(path: &Path, window: &Resume) -> io::Result<()> {
	let temporary = path.with_extension("new");
	fs::write(
		&temporary,
		(window.id, window.header, &window.history, window.last_part).encode(),
	)?;
	fs::rename(temporary, path)
}
