//! Where signed windows go: the feed that relayers are served from, the record, the window log.

use crate::encoder::unix_ms;
use bytes::Bytes;
use clustercast_network::Feed;
use clustercast_primitives::SignedStatus;
use clustercast_protocol::EncodedWindow;
use serde::Serialize;
use std::{
	fs::File,
	io::{self, Write},
	path::{Path, PathBuf},
};

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
}

impl Publisher {
	/// To `feed`, and nowhere else.
	pub fn new(feed: Feed) -> Self {
		Self {
			feed,
			record: None,
			log: None,
		}
	}

	/// Also writes a file that any player opens: windows in order, the initialisation segment first and again wherever
	/// it changes. Replaces the file.
	pub fn record(mut self, path: &Path) -> Result<Self, CreateError> {
		self.record = Some(Record {
			file: create(path)?,
			init: None,
		});
		Ok(self)
	}

	/// Also writes a line of JSON for each window. Replaces the file.
	pub fn log(mut self, path: &Path) -> Result<Self, CreateError> {
		self.log = Some(create(path)?);
		Ok(self)
	}

	/// Publishes a window. The broadcast goes on when a file cannot be written: it is closed, and the log says so.
	pub fn publish(&mut self, window: EncodedWindow) {
		let header = window.header();
		tracing::info!(
			window = %window.id(), bytes = header.bytes, flags = header.flags,
			delay_ms = unix_ms().saturating_sub(header.start_ms), "published",
		);
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
	file: File,
	/// The initialisation segment in force.
	init: Option<Bytes>,
}

impl Record {
	fn write(&mut self, window: &EncodedWindow) -> io::Result<()> {
		if self.init.as_ref() != Some(window.init()) {
			self.file.write_all(window.init())?;
			self.init = Some(window.init().clone());
		}
		self.file.write_all(&window.data())
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
	use clustercast_primitives::{catalog::Track, crypto::KeyPair, merkle, Hash, StreamId};
	use clustercast_protocol::{Broadcast, Cursor, Lookup};

	/// Windows of stream 7 from segment 4 on, each with its initialisation segment.
	fn windows(content: &[(&'static [u8], &[u8])]) -> Vec<EncodedWindow> {
		let key = KeyPair::from_seed([1; 32]);
		let mut broadcast = Broadcast::begin(key, Hash([2; 32]), StreamId(7), 1, Hash([0; 32]), 4);
		let sign = |(init, data): &(&'static [u8], &[u8])| {
			broadcast.describe(Track::unknown(init), Bytes::from_static(init));
			broadcast.segment(1_000, data).unwrap()
		};
		content.iter().map(sign).collect()
	}

	#[test]
	fn window_reaches_feed_record_and_log() {
		let dir = tempfile::tempdir().unwrap();
		let (record, log) = (dir.path().join("record"), dir.path().join("log"));
		let feed = Feed::new(1 << 20);
		let mut publisher = Publisher::new(feed.clone()).record(&record).unwrap().log(&log).unwrap();
		for window in windows(&[(b"A", b"one"), (b"A", b"two"), (b"B", b"six")]) {
			publisher.publish(window);
		}
		assert_eq!(std::fs::read(&record).unwrap(), b"AonetwoBsix");
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
		assert!(feed.news().borrow().finished);
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
		let mut publisher = Publisher::new(feed.clone()).record(Path::new("/dev/full")).unwrap();
		publisher.publish(windows(&[(b"A", b"one")]).remove(0));
		assert!(publisher.record.is_none());
		assert!(feed.latest(StreamId(7), 0).is_some());
	}
}
