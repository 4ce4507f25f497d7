//! Segments in the order in which players are shown them, each under a number that never goes back. Pure: segments in; entries, names
//! and files out.
//!
//! A list goes on over restarts of the program, of the broadcaster and of its encoder, since a page may be open all the while:
//!
//! - numbers count segments, those that are missing too. The first of a run of the program is where the run before ended, but at
//!   least the half of its capture time in seconds: so it goes on without a [`Place`] that was kept, too, and for another stream;
//! - windows that are known to be missing are gaps, as many as fit into the list;
//! - a discontinuity is where decoding needs one: another initialisation segment, or media times that do not go on. Missing windows,
//!   an encoder that was restarted or a pause are none where the times go on;
//! - no entry is longer than [`TARGET`] allows: a longer window is split, and where that cannot be, it is a gap.

use crate::segment::Segment;
use bytes::Bytes;
use clustercast_media::fragment::{self, Fragment, Kind, Layout, Run, Track};
use clustercast_primitives::{
	catalog::{init_hash, Track as Description},
	window::{flags, WindowHeader},
	Hash,
};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, sync::Arc, time::Duration};

/// What a playlist announces as its longest segment, for ever (RFC 8216, 6.2.1): windows play 2 s.
pub const TARGET: Duration = Duration::from_secs(2);

/// Durations are rounded to whole seconds before they are compared with the target (RFC 8216, 4.3.3.1).
const LONGEST: Duration = Duration::from_millis(2_499);

/// What is listed: players start three targets from the end; the rest lets one that paused catch up.
pub const LISTED: Duration = Duration::from_secs(24);

/// Most entries of a list: windows of 200 ms for [`LISTED`]. Bounds what absurdly short ones take.
const MAX_ENTRIES: usize = 120;

/// Most windows that are counted as missing at once: 24 days. Bounds what a number in a header can do to ours.
const MAX_MISSING: u64 = 1 << 20;

/// Stretches of lists whose [`Place`] was lost begin below this.
const UNSEEN: u64 = 1_000;

/// Least that a list holds once something was removed from it (RFC 8216, 6.2.2).
const LEAST: Duration = Duration::from_secs(3 * TARGET.as_secs());

/// Media times go on where they begin within this of where they ended: players close such a hole themselves.
const HOLE: u128 = 100_000_000;

/// Where captured and media time part by more, those who map one to the other are told: a new period of a DASH manifest.
const DRIFT_MS: u64 = 1_000;

/// Most of a time without windows that is time for those who are shown it: dash.js sits out a hole before it goes on behind it, so it
/// would be as long behind a pause as in it. Less than the three windows that they are behind, so that this is what they are again.
const HOLE_SHOWN_MS: u64 = 4_000;

const NANOS_PER_MS: u128 = 1_000_000;

/// A stretch whose media times map to capture times in one way, under one initialisation segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Period {
	/// Number of its first entry.
	pub id: u64,
	/// When that was captured: Unix time, milliseconds.
	pub start_ms: u64,
	/// When it is shown: the same, less what was cut of the times without windows.
	pub shown_ms: u64,
	/// Its media time, nanoseconds.
	pub start: u128,
	/// As the catalog describes it.
	pub track: Description,
}

/// [`Kind`], as it is kept.
#[derive(Serialize, Deserialize)]
#[serde(remote = "Kind", rename_all = "camelCase")]
enum KindKept {
	Picture,
	Sound,
	Other,
}

/// When the samples of one kind of an entry play on the media timeline.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Times {
	/// What they are.
	#[serde(with = "KindKept")]
	pub kind: Kind,
	/// Units of these times in a second.
	pub timescale: u32,
	/// Of the first sample.
	pub start: u64,
	/// Until the last sample is over.
	pub length: u64,
	/// Of all samples.
	pub bytes: usize,
}

impl Times {
	fn of(layout: &Layout, runs: &[Run]) -> Vec<Self> {
		let times = |track: &Track| {
			let run = runs.iter().find(|run| run.track == track.id)?;
			Some(Self {
				kind: track.kind,
				timescale: track.timescale,
				start: run.start,
				length: run.end().saturating_sub(run.start),
				bytes: run.samples.iter().map(|sample| sample.data.len()).sum(),
			})
		};
		layout.tracks().iter().filter_map(times).collect()
	}
}

/// Media, or the time of media that is missing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
	/// One more than that of the entry before.
	pub sequence: u64,
	/// Does not join the entry before it: decoders begin anew.
	pub discontinuity: bool,
	/// There is nothing under this name.
	pub gap: bool,
	/// Name of its file.
	pub uri: String,
	/// Name of the initialisation segment that it decodes with.
	pub init_uri: String,
	/// How long it plays.
	pub duration: Duration,
	/// When it was captured: Unix time, milliseconds.
	pub start_ms: u64,
	/// Decodes without those before it.
	pub independent: bool,
	/// Length of its file.
	pub bytes: usize,
	/// Of each track that it has; none where nothing could be read of them.
	pub times: Vec<Times>,
	/// Of those times.
	pub period: Arc<Period>,
}

impl Entry {
	/// When it is shown: milliseconds on the axis of its period.
	pub fn shown_ms(&self) -> u64 {
		let period = &self.period;
		(period.shown_ms + self.start_ms).saturating_sub(period.start_ms)
	}

	/// `init_uri`: the initialisation segment that is kept with the list.
	fn listed(&self, init_uri: &str) -> Listed {
		let kept = !self.times.is_empty() && self.init_uri == init_uri;
		Listed {
			sequence: self.sequence,
			discontinuity: self.discontinuity,
			uri: self.uri.clone(),
			duration_us: u64::try_from(self.duration.as_micros()).unwrap_or(u64::MAX),
			start_ms: self.start_ms,
			media: kept.then(|| Kept {
				times: self.times.clone(),
				period: self.period.id,
				period_start_ms: self.period.start_ms,
				period_shown_ms: self.period.shown_ms,
				period_start: self.period.start,
			}),
		}
	}
}

/// A name and what is under it, for ever.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
	/// Says which content it is.
	pub name: String,
	/// Content.
	pub bytes: Bytes,
}

/// What was listed: players find their place by it when the program was restarted, though the files are gone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Listed {
	sequence: u64,
	discontinuity: bool,
	uri: String,
	duration_us: u64,
	start_ms: u64,
	#[serde(default)]
	media: Option<Kept>,
}

/// Its times and its period: dash.js, which is in a period of the run before, looks in that for ever, where the manifest that it
/// is told says no more where it ends.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Kept {
	times: Vec<Times>,
	period: u64,
	period_start_ms: u64,
	period_shown_ms: u64,
	period_start: u128,
}

/// Where a list was: kept when the program ends.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Place {
	stream: u64,
	epoch: u32,
	segment: u64,
	/// Number of its first entry, and the next one.
	first: u64,
	next: u64,
	/// Discontinuities up to here.
	discontinuities: u64,
	init: Hash,
	/// Where each track ended, in its timescale.
	ends: BTreeMap<u32, u64>,
	/// When its capture ended, and when it has been shown.
	end_ms: u64,
	shown_end_ms: u64,
	/// What was listed, and the discontinuities before it.
	listed: Vec<Listed>,
	before: u64,
}

/// What could be read of a window.
struct Read {
	fragment: Fragment,
	layout: Layout,
	/// The track whose times count.
	track: Track,
	/// Of that track: where it begins and how long it plays, nanoseconds.
	start: u128,
	length: u128,
}

/// The newest entries, and where they are.
#[derive(Debug, Default)]
pub struct Timeline {
	entries: std::collections::VecDeque<Entry>,
	/// Discontinuities before the first one listed.
	discontinuities: u64,
	place: Option<Place>,
	/// The initialisation segment last seen, and what it says.
	layout: Option<(Bytes, Option<Layout>)>,
	period: Option<Arc<Period>>,
	/// This run of the program has pushed something.
	begun: bool,
}

impl Timeline {
	/// Goes on where a list was.
	pub fn resume(place: Option<Place>) -> Self {
		Self {
			discontinuities: place.as_ref().map_or(0, |place| place.discontinuities),
			place,
			..Self::default()
		}
	}

	/// Lists again what an earlier run of the program did, before the entry of this number, with nothing under the names, where
	/// numbers go on. Without media, they decode with any initialisation segment. Times and periods are those that they had, where
	/// that segment is the same; the last period goes on.
	fn list_again(&mut self, window: &Segment, init: &Hash, init_uri: &str, next: u64) {
		let Some(place) = &mut self.place else {
			return;
		};
		let mut listed = std::mem::take(&mut place.listed);
		listed.retain(|entry| entry.sequence < next);
		if listed.last().is_none_or(|last| last.sequence + 1 != next) {
			return;
		}
		self.discontinuities = place.before;
		let same = place.init == *init;
		let mut period = Arc::new(Period {
			id: 0,
			start_ms: 0,
			shown_ms: 0,
			start: 0,
			track: described(window),
		});
		for entry in listed {
			let media = entry.media.filter(|_| same);
			if let Some(kept) = media.as_ref().filter(|kept| kept.period != period.id) {
				period = Arc::new(Period {
					id: kept.period,
					start_ms: kept.period_start_ms,
					shown_ms: kept.period_shown_ms,
					start: kept.period_start,
					track: described(window),
				});
			}
			self.period = media.is_some().then(|| period.clone());
			self.entries.push_back(Entry {
				sequence: entry.sequence,
				discontinuity: entry.discontinuity,
				gap: true,
				uri: entry.uri,
				init_uri: init_uri.into(),
				duration: Duration::from_micros(entry.duration_us),
				start_ms: entry.start_ms,
				independent: true,
				bytes: 0,
				times: media.map_or_else(Vec::new, |kept| kept.times),
				period: period.clone(),
			});
		}
	}

	/// Where it is; `None` before the first window ever.
	pub fn place(&self) -> Option<&Place> {
		self.place.as_ref()
	}

	/// What is listed, oldest first.
	pub fn entries(&self) -> impl DoubleEndedIterator<Item = &Entry> + ExactSizeIterator {
		self.entries.iter()
	}

	/// Whether there is nothing under a name that is listed, or was before the program was restarted: also until the first window
	/// says whether it is again. dash.js gives a segment up that is not there four times.
	pub fn is_gap(&self, name: &str) -> bool {
		let gone = self.place.iter().filter(|_| !self.begun);
		let mut before = gone.flat_map(|place| &place.listed);
		self.entries.iter().any(|entry| entry.gap && entry.uri == name) || before.any(|entry| entry.uri == name)
	}

	/// Discontinuities before the first entry listed.
	pub fn discontinuities(&self) -> u64 {
		self.discontinuities
	}

	/// Number of the entry that is next.
	pub fn next(&self) -> u64 {
		self.place.as_ref().map_or(0, |place| place.next)
	}

	/// Whether a segment that begins with this window goes on where the newest entry ends, as far as that can be said before it is whole.
	pub fn joins(&self, header: &WindowHeader, init: &Hash) -> bool {
		let Some(place) = self.place.as_ref().filter(|_| self.begun) else {
			return false;
		};
		let follows = place.stream == header.id.stream.0
			&& place.epoch == header.id.epoch
			&& place.segment.checked_add(1) == Some(header.id.segment);
		follows && place.init == *init && !header.has(flags::DISCONTINUITY)
	}

	/// Adds the next segment: the files that it is served as, the initialisation segment first. One that is listed already adds
	/// nothing.
	pub fn push(&mut self, segment: impl Into<Segment>) -> Vec<File> {
		let window = &segment.into();
		let header = &window.header;
		let init = init_hash(&window.init);
		let init_file = init_file(&window.init);
		let init_uri = init_file.name.clone();
		let read = self.read(window);
		let Some(Numbered { first, missing, again }) = self.number(header) else {
			return Vec::new();
		};
		let hole = self.hole(&init, read.as_ref(), missing);
		let mut discontinuity = match (&self.place, &read) {
			(None, _) => false,
			(Some(place), _) if again => place.listed.iter().any(|e| e.sequence == first && e.discontinuity),
			(Some(_), Some(_)) => hole.is_none(),
			(Some(place), None) => {
				let same_run = (place.stream, place.epoch) == (header.id.stream.0, header.id.epoch);
				place.init != init || missing > 0 || header.has(flags::DISCONTINUITY) || !same_run
			},
		};
		let discontinuities = self.place.as_ref().map_or(self.discontinuities, |p| p.discontinuities);
		let discontinuities = discontinuities + u64::from(discontinuity && !again);
		if !std::mem::replace(&mut self.begun, true) {
			self.list_again(window, &init, &init_uri, first - missing.min(first));
		}
		let period = self.period(window, read.as_ref(), first, discontinuity || missing > 0);
		let gap = |sequence: u64, duration: Duration, start_ms: u64, discontinuity: &mut bool| Entry {
			sequence,
			discontinuity: std::mem::take(discontinuity),
			gap: true,
			uri: format!("gap-{sequence}.m4s"),
			init_uri: init_uri.clone(),
			duration,
			start_ms,
			independent: true,
			bytes: 0,
			times: Vec::new(),
			period: period.clone(),
		};
		let most = LISTED.as_secs() / TARGET.as_secs() - 1;
		if missing > most {
			// More than a list holds: it goes on behind numbers that were never listed.
			self.discontinuities += self.entries.iter().filter(|entry| entry.discontinuity).count() as u64;
			self.entries.clear();
		}
		// Where nothing is listed any more, some gaps stand for what a list must not lack (RFC 8216, 6.2.2).
		let removed = match self.entries.is_empty() && self.place.is_some() {
			true => LEAST.as_secs() / TARGET.as_secs(),
			false => 0,
		};
		let gaps = missing.max(removed).min(most).min(first);
		let each = hole
			.filter(|_| missing > 0)
			.map_or(TARGET, |hole| nanos(hole / u128::from(missing)));
		for behind in (1..=gaps).rev() {
			let before = u64::try_from(each.as_millis()).unwrap_or_default() * behind;
			let start_ms = header.start_ms.saturating_sub(before);
			let entry = gap(first - behind, each, start_ms, &mut discontinuity);
			self.entries.push_back(entry);
		}
		let pieces = pieces(window, read.as_ref());
		let mut files = vec![init_file];
		let (mut sequence, mut into) = (first, Duration::ZERO);
		for piece in pieces {
			let start_ms = header
				.start_ms
				.saturating_add(u64::try_from(into.as_millis()).unwrap_or_default());
			match piece.file {
				None => {
					let entry = gap(sequence, piece.duration, start_ms, &mut discontinuity);
					self.entries.push_back(entry);
				},
				Some(file) => {
					self.entries.push_back(Entry {
						sequence,
						discontinuity: std::mem::take(&mut discontinuity),
						gap: false,
						uri: file.name.clone(),
						init_uri: init_uri.clone(),
						duration: piece.duration,
						start_ms,
						independent: piece.independent,
						bytes: file.bytes.len(),
						times: piece.times,
						period: period.clone(),
					});
					files.push(file);
				},
			}
			sequence += 1;
			into += piece.duration;
		}
		let end_ms = header.start_ms.saturating_add(header.duration_ms.into());
		self.place = Some(Place {
			stream: header.id.stream.0,
			epoch: header.id.epoch,
			segment: header.id.segment,
			first,
			next: sequence,
			discontinuities,
			init,
			ends: read.map_or_else(BTreeMap::new, |read| {
				read.fragment.runs.iter().map(|run| (run.track, run.end())).collect()
			}),
			end_ms,
			shown_end_ms: (period.shown_ms + end_ms).saturating_sub(period.start_ms),
			listed: Vec::new(),
			before: 0,
		});
		self.trim();
		if let Some(place) = &mut self.place {
			place.before = self.discontinuities;
			place.listed = self.entries.iter().map(|entry| entry.listed(&init_uri)).collect();
		}
		files
	}

	/// `None` where the window is listed.
	fn number(&mut self, header: &WindowHeader) -> Option<Numbered> {
		let clock = header.start_ms / u64::try_from(TARGET.as_millis()).unwrap_or(1);
		let Some(place) = &self.place else {
			// Players may have seen the list of a program whose state is lost, or of another stream: a stretch of time of another
			// number, in all likelihood. Not a large one: hls.js walks through all numbers below it.
			self.discontinuities = clock % UNSEEN;
			return Some(Numbered::next(clock, 0));
		};
		let begins = !self.begun;
		let same_stream = place.stream == header.id.stream.0;
		let same_run = same_stream && place.epoch == header.id.epoch;
		if same_run && header.id.segment <= place.segment {
			// The program was restarted, and begins with what it had.
			let first = place.first.checked_sub(place.segment - header.id.segment)?;
			return begins.then_some(Numbered {
				first,
				missing: 0,
				again: true,
			});
		}
		let missing = match (same_stream, same_run) {
			(_, true) => header.id.segment - place.segment - 1,
			// Segments go on where the broadcaster knows the last one.
			(true, _) => {
				let between = header.id.segment.saturating_sub(place.segment).saturating_sub(1);
				// Which counts parts, where there are any.
				let number = if header.has(flags::LAST_PART) { header.number } else { 0 };
				number.max(between)
			},
			_ => 0,
		};
		let missing = missing.min(MAX_MISSING);
		let next = place.next.saturating_add(missing);
		// Capture times jitter.
		match begins && clock > next.saturating_add(2) {
			true => Some(Numbered::next(clock, missing)),
			false => Some(Numbered::next(next, missing)),
		}
	}

	/// Nanoseconds of media time between the window before and this one, where its times go on and the initialisation segment is
	/// the same: with windows missing, as long as these may play; else none to speak of.
	fn hole(&self, init: &Hash, read: Option<&Read>, missing: u64) -> Option<u128> {
		let (place, read) = (self.place.as_ref()?, read?);
		if place.init != *init {
			return None;
		}
		let mut hole = None;
		let layout = self.layout.as_ref().and_then(|(_, layout)| layout.as_ref())?;
		for run in &read.fragment.runs {
			let track = layout.tracks().iter().find(|track| track.id == run.track)?;
			let Some(end) = place.ends.get(&run.track) else {
				continue;
			};
			let (start, end) = (track.nanoseconds(run.start), track.nanoseconds(*end));
			let most = u128::from(missing) * LONGEST.as_nanos();
			if start + HOLE < end || start > end + HOLE + most || (missing > 0 && start <= end) {
				return None;
			}
			if run.track == read.track.id {
				hole = Some(start.saturating_sub(end).min(most));
			}
		}
		hole
	}

	/// The period that this window belongs to; another one where it `begins` one. Behind missing windows it does: dash.js asks for what
	/// begins where the one before ended, and within a period waits for that for ever.
	fn period(&mut self, window: &Segment, read: Option<&Read>, first: u64, begins: bool) -> Arc<Period> {
		let header = &window.header;
		let hole_ms = |place: &Place| header.start_ms.saturating_sub(place.end_ms);
		let joins = self.place.as_ref().is_none_or(|place| hole_ms(place) <= HOLE_SHOWN_MS);
		let fits = |period: &&Arc<Period>| {
			let since = read.and_then(|read| read.start.checked_sub(period.start));
			let expected = since.map(|since| {
				let since = u64::try_from(since / NANOS_PER_MS).unwrap_or(u64::MAX);
				period.start_ms.saturating_add(since)
			});
			expected.is_some_and(|expected| expected.abs_diff(header.start_ms) <= DRIFT_MS)
		};
		let goes_on = self.period.as_ref().filter(|_| joins && !begins).filter(fits).cloned();
		let period = goes_on.unwrap_or_else(|| {
			Arc::new(Period {
				id: first,
				start_ms: header.start_ms,
				shown_ms: self.place.as_ref().map_or(header.start_ms, |place| {
					let hole_ms = hole_ms(place).min(HOLE_SHOWN_MS);
					// What is listed again was shown before.
					let before_ms = place.end_ms.saturating_sub(header.start_ms);
					let shown_ms = (place.shown_end_ms + hole_ms).saturating_sub(before_ms);
					shown_ms.min(header.start_ms)
				}),
				start: read.map_or(0, |read| read.start),
				track: described(window),
			})
		});
		self.period = Some(period.clone());
		period
	}

	fn read(&mut self, window: &Segment) -> Option<Read> {
		if self.layout.as_ref().is_none_or(|(init, _)| *init != window.init) {
			self.layout = Some((window.init.clone(), Layout::read(&window.init).ok()));
		}
		let layout = self.layout.as_ref()?.1.as_ref()?;
		let fragment = Fragment::read(layout, &window.data).ok()?;
		let track = layout.main()?.clone();
		let run = fragment.run(track.id)?;
		let start = track.nanoseconds(run.start);
		let length = track.nanoseconds(run.end().checked_sub(run.start)?);
		let stated = u128::from(window.header.duration_ms) * NANOS_PER_MS;
		// What was signed and what is inside must agree: players are told by one and play by the other.
		let agrees = length > 0 && length.abs_diff(stated) <= TARGET.as_nanos() / 2;
		agrees.then(|| Read {
			layout: layout.clone(),
			fragment,
			track,
			start,
			length,
		})
	}

	fn trim(&mut self) {
		let mut listed: Duration = self.entries.iter().map(|entry| entry.duration).sum();
		while let Some(oldest) = self.entries.front() {
			let rest = listed.saturating_sub(oldest.duration);
			if rest < LISTED && self.entries.len() <= MAX_ENTRIES {
				return;
			}
			listed = rest;
			self.discontinuities += u64::from(oldest.discontinuity);
			self.entries.pop_front();
		}
	}
}

/// As the catalog describes it.
fn described(window: &Segment) -> Description {
	window
		.track
		.clone()
		.unwrap_or_else(|| Description::unknown(&window.init))
}

/// Where a window goes.
struct Numbered {
	/// Number of its first entry.
	first: u64,
	/// So many windows are known to be missing before it.
	missing: u64,
	/// An earlier run of the program had listed it.
	again: bool,
}

impl Numbered {
	fn next(first: u64, missing: u64) -> Self {
		Self {
			first,
			missing,
			again: false,
		}
	}
}

struct Piece {
	file: Option<File>,
	duration: Duration,
	independent: bool,
	times: Vec<Times>,
}

/// What a window is served as: itself, where it is short enough.
fn pieces(window: &Segment, read: Option<&Read>) -> Vec<Piece> {
	let header = &window.header;
	let stem = format!(
		"{}-{}-{}-{}",
		header.id.stream, header.id.epoch, header.id.segment, header.id.part
	);
	let hash = name(&window.hash);
	let stated = Duration::from_millis(header.duration_ms.into());
	let whole = read.map_or(stated, |read| nanos(read.length));
	if whole <= LONGEST {
		return vec![Piece {
			file: Some(File {
				name: format!("{stem}-{hash}.m4s"),
				bytes: window.data.clone(),
			}),
			duration: whole,
			independent: header.has(flags::INDEPENDENT),
			times: read.map_or_else(Vec::new, |read| Times::of(&read.layout, &read.fragment.runs)),
		}];
	}
	let split = read.and_then(|read| split(read, |piece| format!("{stem}-{hash}-{piece}.m4s")));
	split.unwrap_or_else(|| {
		// No longer than the protocol lets a window be: a bounded number.
		let count = whole.as_millis().div_ceil(TARGET.as_millis());
		let count = u32::try_from(count).unwrap_or(1).max(1);
		let gap = |_| Piece {
			file: None,
			duration: whole / count,
			independent: true,
			times: Vec::new(),
		};
		(0..count).map(gap).collect()
	})
}

/// `None` where a single sample is too long.
fn split(read: &Read, name: impl Fn(usize) -> String) -> Option<Vec<Piece>> {
	let pieces = fragment::split(&read.layout, &read.fragment, TARGET.as_nanos());
	let piece = |(number, runs): (usize, Vec<Run>)| {
		let main = runs.iter().find(|run| run.track == read.track.id)?;
		let duration = nanos(read.track.nanoseconds(main.end().checked_sub(main.start)?));
		(duration <= LONGEST).then(|| Piece {
			independent: main.samples.first().is_some_and(fragment::Sample::is_sync),
			file: Some(File {
				name: name(number),
				bytes: fragment::write(u32::try_from(number).unwrap_or_default(), &runs),
			}),
			duration,
			times: Times::of(&read.layout, &runs),
		})
	};
	pieces.into_iter().enumerate().map(piece).collect()
}

/// An initialisation segment, as it is served.
pub fn init_file(init: &Bytes) -> File {
	File {
		name: format!("init-{}.mp4", name(&init_hash(init))),
		bytes: init.clone(),
	}
}

/// Half of a hash: no two contents have one that anybody could find.
fn name(hash: &Hash) -> String {
	hash.0[..16].iter().map(|byte| format!("{byte:02x}")).collect()
}

fn nanos(nanoseconds: u128) -> Duration {
	Duration::from_nanos(u64::try_from(nanoseconds).unwrap_or(u64::MAX))
}

#[cfg(test)]
pub(crate) mod tests;
