//! Where signed windows go: the feed that relayers are served from, the record, the window log; and a line a minute about them.

use crate::encoder::unix_ms;
use bytes::Bytes;
use clustercast_media::copy::{Copy, Step};
use clustercast_network::Feed;
use clustercast_primitives::SignedStatus;
use clustercast_protocol::EncodedWindow;
use serde::Serialize;
use std::{
	fs::File,
	io::{self, Write},
	path::{Path, PathBuf},
	time::{Duration, Instant},
};

/// Between two lines in the log.
const SUMMARY_INTERVAL: Duration = Duration::from_secs(60);

/// A file that cannot be written.
#[derive(Debug, thiserror::Error)]
#[error("{}: {error}", .path.display())]
pub struct CreateError {
	/// Which.
	pub path: PathBuf,
	/// From the file system.
	pub error: io::Error,
}

/// Publishes windows.
#[derive(Debug)]
pub struct Publisher {
	feed: Feed,
	record: Option<Record>,
	log: Option<File>,
	/// Zero of the clock that the summary goes by.
	epoch: Instant,
	summary: Summary,
}

impl Publisher {
	/// To `feed`, and nowhere else.
	pub fn new(feed: Feed) -> Self {
		Self {
			feed,
			record: None,
			log: None,
			epoch: Instant::now(),
			summary: Summary::default(),
		}
	}

	/// Also writes a file that any player opens: windows in order behind their initialisation segment, on a timeline that
	/// begins at 0 and has no gap. What it cannot hold, since its tracks are others, goes into a file beside it: `NAME-2.mp4`.
	/// Replaces the file.
	pub fn record(mut self, path: &Path) -> Result<Self, CreateError> {
		self.record = Some(Record {
			path: path.into(),
			file: create(path)?,
			files: 1,
			copy: Copy::default(),
			whole: 0,
		});
		Ok(self)
	}

	/// Also writes a line of JSON for each window. Replaces the file.
	pub fn log(mut self, path: &Path) -> Result<Self, CreateError> {
		self.log = Some(create(path)?);
		Ok(self)
	}

	/// Publishes the window of the run before, which may have been seen by nobody. Record and log are of this run.
	pub fn publish_again(&mut self, window: EncodedWindow) {
		tracing::debug!(window = %window.id(), "published again");
		self.feed.push(window);
	}

	/// Publishes a window. The broadcast goes on when a file cannot be written: it is closed, and the log says so.
	pub fn publish(&mut self, window: EncodedWindow) {
		let header = window.header();
		let delay_ms = unix_ms().saturating_sub(header.start_ms);
		tracing::debug!(window = %window.id(), bytes = header.bytes, flags = header.flags, delay_ms, "published");
		if let Some(minute) = self.summary.add(self.epoch.elapsed(), header.bytes.into(), delay_ms) {
			let Minute {
				windows,
				kilobits,
				longest_delay_ms,
			} = minute;
			tracing::info!(last = %window.id(), windows, "kb/s" = kilobits, longest_delay_ms, "on air");
		}
		self.put(window);
	}

	fn put(&mut self, window: EncodedWindow) {
		give_up_on_error(&mut self.record, "record", |record| record.write(&window));
		give_up_on_error(&mut self.log, "window log", |log| log.write_all(&line(&window)));
		self.feed.push(window);
	}

	/// Publishes how the broadcast stands.
	pub fn status(&mut self, status: SignedStatus) {
		tracing::debug!(state = ?status.status.message.state, number = status.status.message.number, "status");
		self.feed.push_status(status);
	}

	/// No more windows come: whoever is served gets what is here, and is told that the broadcast is over.
	pub fn finish(&self) {
		self.feed.finish();
	}
}

#[derive(Debug)]
struct Record {
	/// Of the first file.
	path: PathBuf,
	file: File,
	/// How many there are.
	files: u32,
	/// What is in it.
	copy: Copy,
	/// Its length up to the end of the last whole window.
	whole: u64,
}

impl Record {
	fn write(&mut self, window: &EncodedWindow) -> io::Result<()> {
		let mut step = self.append(window)?;
		if step == Step::Another {
			self.next_file()?;
			step = self.append(window)?;
		}
		match step {
			Step::Append(pieces) => self.add(&pieces),
			Step::Another => Err(io::Error::other("a window that no file takes")),
		}
	}

	/// All of a window or nothing of it: what is there plays to its end.
	fn add(&mut self, pieces: &[Bytes]) -> io::Result<()> {
		let written = pieces.iter().try_for_each(|piece| self.file.write_all(piece));
		match written {
			Ok(()) => self.whole += pieces.iter().map(|piece| piece.len() as u64).sum::<u64>(),
			// The first error is the one to report.
			Err(_) => _ = self.file.set_len(self.whole),
		}
		written
	}

	fn append(&mut self, window: &EncodedWindow) -> io::Result<Step> {
		self.copy
			.append(window.init(), &window.data())
			.map_err(io::Error::other)
	}

	/// Goes on in another one.
	fn next_file(&mut self) -> io::Result<()> {
		self.files += 1;
		let mut name = self.path.file_stem().unwrap_or_default().to_owned();
		name.push(format!("-{}", self.files));
		let mut path = self.path.with_file_name(name);
		if let Some(extension) = self.path.extension() {
			path.as_mut_os_string().push(".");
			path.as_mut_os_string().push(extension);
		}
		self.file = File::create(&path)?;
		(self.copy, self.whole) = (Copy::default(), 0);
		tracing::info!(
			"the encoder's parameters changed: the record goes on in {}",
			path.display()
		);
		Ok(())
	}
}

/// What was published since the last line about it. Time is an argument.
#[derive(Debug, Default)]
struct Summary {
	since: Duration,
	windows: u64,
	bytes: u64,
	longest_delay_ms: u64,
}

/// A line of it.
#[derive(Debug, PartialEq, Eq)]
struct Minute {
	windows: u64,
	/// A second.
	kilobits: u64,
	longest_delay_ms: u64,
}

impl Summary {
	/// A window is out. The first one is told at once, the others together.
	fn add(&mut self, now: Duration, bytes: u64, delay_ms: u64) -> Option<Minute> {
		let first = self.since.is_zero();
		self.windows += 1;
		self.bytes += bytes;
		self.longest_delay_ms = self.longest_delay_ms.max(delay_ms);
		if !first && now < self.since + SUMMARY_INTERVAL {
			return None;
		}
		let elapsed = if first {
			2_000
		} else {
			(now - self.since).as_millis().max(1)
		};
		let minute = Minute {
			windows: self.windows,
			kilobits: u64::try_from(u128::from(self.bytes) * 8 / elapsed).unwrap_or(u64::MAX),
			longest_delay_ms: self.longest_delay_ms,
		};
		*self = Self {
			// Zero is only before the first one.
			since: now.max(Duration::from_nanos(1)),
			..Self::default()
		};
		Some(minute)
	}
}

fn create(path: &Path) -> Result<File, CreateError> {
	File::create(path).map_err(|error| CreateError {
		path: path.into(),
		error,
	})
}

fn give_up_on_error<T>(output: &mut Option<T>, what: &str, write: impl FnOnce(&mut T) -> io::Result<()>) {
	if let Some(Err(error)) = output.as_mut().map(write) {
		tracing::error!(%error, "the {what} ends here");
		*output = None;
	}
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Line {
	epoch: u32,
	segment: u64,
	part: u16,
	bytes: u32,
	root: clustercast_primitives::Hash,
	start_ms: u64,
	published_ms: u64,
}

fn line(window: &EncodedWindow) -> Vec<u8> {
	let header = window.header();
	let mut line = serde_json::to_vec(&Line {
		epoch: header.id.epoch,
		segment: header.id.segment,
		part: header.id.part,
		bytes: header.bytes,
		root: header.root,
		start_ms: header.start_ms,
		published_ms: unix_ms(),
	})
	.expect("a struct of numbers and text always serialises");
	line.push(b'\n');
	line
}

#[cfg(test)]
mod tests {
	use super::*;
	use crate::testing::{fragment, init};
	use clustercast_media::fragment::{cut, Fragment, Layout};
	use clustercast_primitives::{catalog::Track, crypto::KeyPair, merkle, Hash, StreamId};
	use clustercast_protocol::{Broadcast, Cursor, Lookup};

	/// Windows of stream 7 from segment 4 on, each with its initialisation segment.
	fn windows(content: &[(Bytes, Bytes)]) -> Vec<EncodedWindow> {
		let key = KeyPair::from_seed([1; 32]);
		let mut broadcast = Broadcast::begin(key, Hash([2; 32]), StreamId(7), 1, Hash([0; 32]), 4);
		let sign = |(init, data): &(Bytes, Bytes)| {
			broadcast.describe(Track::unknown(init), init.clone());
			broadcast.segment(1_000, data).unwrap()
		};
		content.iter().map(sign).collect()
	}

	#[test]
	fn window_reaches_feed_and_log() {
		let dir = tempfile::tempdir().unwrap();
		let log = dir.path().join("log");
		let feed = Feed::new(1 << 20);
		let mut publisher = Publisher::new(feed.clone()).log(&log).unwrap();
		let content: &[&'static [u8]] = &[b"one", b"two", b"six"];
		let content: Vec<_> = content.iter().map(|data| (init(5), Bytes::from_static(data))).collect();
		for window in windows(&content) {
			publisher.publish(window);
		}
		let text = std::fs::read_to_string(&log).unwrap();
		let lines: Vec<serde_json::Value> = text.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
		assert_eq!(lines.len(), 3);
		assert_eq!(lines[1]["segment"], 5);
		assert_eq!(lines[1]["bytes"], 3);
		assert_eq!(lines[1]["startMs"], 1_000);
		assert_eq!(lines[1]["root"], merkle::leaf_hash(b"two").to_string());
		assert!(lines[1]["publishedMs"].as_u64().unwrap() > 1_000);
		assert_eq!(feed.latest(StreamId(7), 0).unwrap().id().segment, 6);
		let live = Cursor::Live {
			stream: StreamId(7),
			track: 0,
		};
		assert!(matches!(feed.get(live), Lookup::Found(w) if &w.data()[..] == b"six"));
		publisher.finish();
		assert!(feed.is_over(StreamId(7)));
	}

	#[test]
	fn record_begins_at_zero_and_has_no_gap_whatever_came_before() {
		let dir = tempfile::tempdir().unwrap();
		let record = dir.path().join("record.mp4");
		let feed = Feed::new(1 << 20);
		let mut publisher = Publisher::new(feed.clone()).record(&record).unwrap();
		// Both of multiples of 240 pictures, and a gap between them.
		let segments = [4_000, 4_001, 8_002];
		for window in windows(&segments.map(|segment| (init(5), fragment(segment)))) {
			publisher.publish(window);
		}
		assert_eq!(
			feed.latest(StreamId(7), 0).unwrap().data(),
			fragment(8_002),
			"relayers have what was signed"
		);
		let (first, moved) = cut(&std::fs::read(&record).unwrap().into()).unwrap();
		assert_eq!((&first, moved.len()), (&init(5), 3));
		let layout = Layout::read(&first).unwrap();
		for (window, segment) in moved.iter().zip(0..) {
			let fragment = Fragment::read(&layout, window).unwrap();
			let start = |track| fragment.run(track).unwrap().start;
			// Behind a gap it goes on where sound ended, which is up to a frame of it behind the picture.
			let (picture, sound) = (start(1) * 8 / 5, start(2));
			assert!((0..1_024).contains(&(picture - 96_000 * segment)), "{picture}");
			assert!(picture.abs_diff(sound) < 1_024, "{picture} {sound}");
		}
	}

	#[test]
	fn record_goes_on_in_another_file_when_tracks_change() {
		let dir = tempfile::tempdir().unwrap();
		let mut publisher = Publisher::new(Feed::new(1 << 20))
			.record(&dir.path().join("a.b.mp4"))
			.unwrap();
		for window in windows(&[(init(5), fragment(0)), (init(2), fragment(1)), (init(2), fragment(2))]) {
			publisher.publish(window);
		}
		let file = |name| std::fs::read(dir.path().join(name)).unwrap();
		assert!(file("a.b.mp4") == [init(5), fragment(0)].concat());
		let length = init(2).len() + fragment(1).len() + fragment(2).len();
		assert_eq!(file("a.b-2.mp4").len(), length);
	}

	#[test]
	fn file_that_cannot_be_created_is_named() {
		let missing = Path::new("no/such/folder/record");
		let error = Publisher::new(Feed::new(1)).record(missing).unwrap_err();
		assert!(error.to_string().starts_with("no/such/folder/record: "), "{error}");
	}

	#[test]
	fn broadcast_goes_on_when_the_disk_is_full() {
		let feed = Feed::new(1 << 20);
		let full = Path::new("/dev/full");
		let mut publisher = Publisher::new(feed.clone()).record(full).unwrap().log(full).unwrap();
		publisher.publish(windows(&[(init(5), fragment(0))]).remove(0));
		assert!(publisher.record.is_none() && publisher.log.is_none());
		assert!(feed.latest(StreamId(7), 0).is_some());
	}

	/// What a full disk leaves of a window would be read as a damaged file.
	#[test]
	fn record_that_ends_on_a_full_disk_ends_with_a_whole_window() {
		use nix::sys::{
			resource::{getrlimit, setrlimit, Resource},
			signal::{signal, SigHandler, Signal},
		};
		let dir = tempfile::tempdir().unwrap();
		let path = dir.path().join("record.mp4");
		let windows = windows(&[(init(5), fragment(0)), (init(5), fragment(1))]);
		let first = [init(5), fragment(0)].concat();
		let mut record = Publisher::new(Feed::new(1)).record(&path).unwrap().record.unwrap();
		record.write(&windows[0]).unwrap();
		let (soft, hard) = getrlimit(Resource::RLIMIT_FSIZE).unwrap();
		// SAFETY: nothing is run by the signal.
		unsafe { signal(Signal::SIGXFSZ, SigHandler::SigIgn) }.unwrap();
		setrlimit(Resource::RLIMIT_FSIZE, first.len() as u64 + 100, hard).unwrap();
		let full = record.write(&windows[1]);
		let left = std::fs::read(&path).unwrap();
		setrlimit(Resource::RLIMIT_FSIZE, soft, hard).unwrap();
		assert!(full.is_err() && left == first, "{full:?}, {} bytes", left.len());
	}

	#[test]
	fn log_has_a_line_a_minute() {
		let mut summary = Summary::default();
		let line = |at: u64, summary: &mut Summary| summary.add(Duration::from_secs(at), 375_000, at);
		let first = line(100, &mut summary).unwrap();
		assert_eq!((first.windows, first.kilobits), (1, 1_500));
		assert!((1..30).all(|window| line(100 + 2 * window, &mut summary).is_none()));
		let minute = Minute {
			windows: 30,
			kilobits: 1_500,
			longest_delay_ms: 160,
		};
		assert_eq!(line(160, &mut summary), Some(minute));
		assert_eq!(line(161, &mut summary), None);
	}
}
