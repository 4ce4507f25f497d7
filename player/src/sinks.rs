//! Where verified windows go: a file, a window log, HLS. Whole windows only, in order.

use crate::hls::Hls;
use anyhow::Context;
use bytes::Bytes;
use clustercast_primitives::Hash;
use clustercast_protocol::EncodedWindow;
use serde::Serialize;
use std::{
	path::{Path, PathBuf},
	time::{Duration, SystemTime, UNIX_EPOCH},
};
use tokio::{
	fs::File,
	io::{AsyncSeekExt, AsyncWriteExt},
};

/// The file that `--output` names: initialisation segment, then windows; a new initialisation segment where it changes.
/// Byte for byte what the broadcaster signed.
#[derive(Debug)]
pub struct Recording {
	file: File,
	path: PathBuf,
	init: Option<Bytes>,
	/// Length up to the end of the last whole window.
	whole: u64,
}

impl Recording {
	/// Begins an empty file in the place of whatever was there.
	pub async fn create(path: &Path) -> anyhow::Result<Self> {
		let file = File::create(path)
			.await
			.with_context(|| format!("cannot write {}", path.display()))?;
		Ok(Self {
			file,
			path: path.into(),
			init: None,
			whole: 0,
		})
	}

	/// Adds a window. When that fails, what was written of it is taken back.
	pub async fn append(&mut self, window: &EncodedWindow) -> anyhow::Result<()> {
		match self.write(window).await {
			Ok(written) => {
				self.whole += written;
				self.init = Some(window.init().clone());
				Ok(())
			},
			Err(error) => {
				// The first error is the one to report.
				let _ = self.file.set_len(self.whole).await;
				let _ = self.file.seek(std::io::SeekFrom::Start(self.whole)).await;
				Err(error).with_context(|| format!("cannot write {}", self.path.display()))
			},
		}
	}

	async fn write(&mut self, window: &EncodedWindow) -> std::io::Result<u64> {
		let data = window.data();
		let mut written = data.len() as u64;
		if self.init.as_ref() != Some(window.init()) {
			self.file.write_all(window.init()).await?;
			written += window.init().len() as u64;
		}
		self.file.write_all(&data).await?;
		self.file.flush().await?;
		Ok(written)
	}
}

/// One line of the window log.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Entry<'a> {
	epoch: u32,
	segment: u64,
	part: u16,
	bytes: u32,
	root: Hash,
	start_ms: u64,
	playable_ms: u64,
	relayer: &'a str,
	delay_ms: i64,
}

/// All places that were asked for.
#[derive(Default)]
pub struct Sinks {
	recording: Option<Recording>,
	log: Option<(File, PathBuf)>,
	hls: Option<Hls>,
	delay: Option<Duration>,
}

impl Sinks {
	/// Opens files and server.
	pub async fn open(output: Option<&Path>, log: Option<&Path>, hls: Option<Hls>) -> anyhow::Result<Self> {
		let mut sinks = Self { hls, ..Self::default() };
		if let Some(path) = output {
			sinks.recording = Some(Recording::create(path).await?);
		}
		if let Some(path) = log {
			let file = File::create(path)
				.await
				.with_context(|| format!("cannot write {}", path.display()))?;
			sinks.log = Some((file, path.into()));
		}
		Ok(sinks)
	}

	/// Takes a verified window from `peer`. `gap`: windows are missing before it. Returns milliseconds from its capture
	/// until now, when every sink has it: the delay that a viewer sees.
	pub async fn push(&mut self, window: &EncodedWindow, peer: &str, gap: bool) -> anyhow::Result<i64> {
		if let Some(recording) = &mut self.recording {
			recording.append(window).await?;
		}
		if let Some(hls) = &self.hls {
			hls.push(window, gap);
		}
		let header = window.header();
		let playable_ms = unix_ms();
		let delay_ms = playable_ms as i64 - header.start_ms as i64;
		self.delay = Some(Duration::from_millis(u64::try_from(delay_ms).unwrap_or_default()));
		if let Some((file, path)) = &mut self.log {
			let mut line = serde_json::to_vec(&Entry {
				epoch: header.id.epoch,
				segment: header.id.segment,
				part: header.id.part,
				bytes: header.bytes,
				root: header.root,
				start_ms: header.start_ms,
				playable_ms,
				relayer: peer,
				delay_ms,
			})?;
			line.push(b'\n');
			let written = async {
				file.write_all(&line).await?;
				file.flush().await
			};
			written
				.await
				.with_context(|| format!("cannot write {}", path.display()))?;
		}
		Ok(delay_ms)
	}

	/// From capture to playable, of the last window; zero where the broadcaster's clock is ahead of ours.
	pub fn delay(&self) -> Option<Duration> {
		self.delay
	}

	/// The broadcast is over.
	pub fn finish(&self) {
		if let Some(hls) = &self.hls {
			hls.finish();
		}
	}

	/// Whether somebody may still be reading over HTTP.
	pub fn serves_hls(&self) -> bool {
		self.hls.is_some()
	}
}

/// Now, Unix time in milliseconds.
pub(crate) fn unix_ms() -> u64 {
	let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
	u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
	use super::*;
	use clustercast_primitives::{catalog::Track, crypto::KeyPair, StreamId};
	use clustercast_protocol::Broadcast;

	/// Windows of a run, each with its initialisation segment.
	fn windows(content: &[(&'static [u8], &[u8])]) -> Vec<EncodedWindow> {
		let key = KeyPair::from_seed([1; 32]);
		let mut broadcast = Broadcast::begin(key, Hash([2; 32]), StreamId(0), 1, Hash([0; 32]), 0);
		let sign = |(init, data): &(&'static [u8], &[u8])| {
			broadcast.describe(Track::unknown(init), Bytes::from_static(init));
			broadcast.segment(unix_ms() - 1_000, data).unwrap()
		};
		content.iter().map(sign).collect()
	}

	#[tokio::test]
	async fn initialisation_segment_is_written_only_where_it_changes() {
		let dir = tempfile::tempdir().unwrap();
		let (output, log) = (dir.path().join("out.mp4"), dir.path().join("log"));
		let mut sinks = Sinks::open(Some(&output), Some(&log), None).await.unwrap();
		for window in windows(&[
			(b"A", b"000"),
			(b"A", b"111"),
			(b"B", b"222"),
			(b"B", b"333"),
			(b"A", b"444"),
		]) {
			let delay = sinks.push(&window, "peer", false).await.unwrap();
			assert!((1_000..60_000).contains(&delay), "{delay} ms");
		}
		assert_eq!(std::fs::read(&output).unwrap(), b"A000111B222333A444");
		let log = std::fs::read_to_string(&log).unwrap();
		let entries: Vec<serde_json::Value> = log.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
		assert_eq!(entries.len(), 5);
		for field in [
			"segment",
			"part",
			"bytes",
			"root",
			"startMs",
			"playableMs",
			"relayer",
			"delayMs",
		] {
			assert!(!entries[4][field].is_null(), "{field}");
		}
		assert_eq!((&entries[4]["segment"], &entries[4]["bytes"]), (&4.into(), &3.into()));
	}

	/// `/dev/full` refuses every write, as a full disk does.
	#[tokio::test]
	async fn full_disk_is_an_error() {
		let mut recording = Recording::create(Path::new("/dev/full")).await.unwrap();
		assert!(recording.append(&windows(&[(b"A", b"x")])[0]).await.is_err());
	}
}
