//! Where verified windows go: a file, a window log, HLS. Whole windows only, in order.
//!
//! A file that cannot be written ends, with one line that says so; nothing else does: watching goes on.

use crate::{hls::Hls, outlook::Outlook};
use anyhow::Context;
use clustercast_media::copy::{Copy, Step};
use clustercast_primitives::Hash;
use clustercast_protocol::EncodedWindow;
use serde::Serialize;
use std::{
	io,
	path::{Path, PathBuf},
	time::{Duration, SystemTime, UNIX_EPOCH},
};
use tokio::{
	fs::File,
	io::{AsyncSeekExt, AsyncWriteExt},
	time::timeout,
};

/// How long a disk may take for a window: what is watched must not wait for what is kept.
const DISK: Duration = Duration::from_secs(2);

/// The file that `--output` names: one that plays from end to end and begins at 0, see [`Copy`]. Where what comes cannot be played
/// behind what was written, another file begins beside it: `seen.mp4`, `seen-2.mp4`, ...
#[derive(Debug)]
pub struct Recording {
	file: File,
	/// As it was named.
	path: PathBuf,
	/// Files so far.
	number: u32,
	copy: Copy,
	/// Length up to the end of the last whole window.
	whole: u64,
}

impl Recording {
	/// Begins an empty file in the place of whatever was there.
	pub async fn create(path: &Path) -> io::Result<Self> {
		Ok(Self {
			file: File::create(path).await?,
			path: path.into(),
			number: 1,
			copy: Copy::default(),
			whole: 0,
		})
	}

	/// Adds a window. When that fails, what was written of it is taken back.
	pub async fn append(&mut self, window: &EncodedWindow) -> io::Result<()> {
		let (init, data) = (window.init(), window.data());
		let pieces = match self.copy.append(init, &data) {
			Ok(Step::Append(pieces)) => pieces,
			Ok(Step::Another) => {
				self.number = self.number.saturating_add(1);
				let path = beside(&self.path, self.number);
				tracing::info!(
					"{} cannot hold what comes now, as its tracks are others: going on in {}",
					self.path.display(),
					path.display()
				);
				self.file = File::create(&path).await?;
				(self.copy, self.whole) = (Copy::default(), 0);
				match self.copy.append(init, &data) {
					Ok(Step::Append(pieces)) => pieces,
					_ => vec![init.clone(), data],
				}
			},
			Err(error) => {
				tracing::warn!(window = %window.id(), %error, "left out of {}: it is no fragmented MP4", self.path.display());
				return Ok(());
			},
		};
		let written = async {
			for piece in &pieces {
				self.file.write_all(piece).await?;
			}
			self.file.flush().await
		};
		match timeout(DISK, written)
			.await
			.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
		{
			Ok(()) => {
				self.whole += pieces.iter().map(|piece| piece.len() as u64).sum::<u64>();
				Ok(())
			},
			Err(error) => {
				// The first error is the one to report.
				let undone = async {
					let _ = self.file.set_len(self.whole).await;
					let _ = self.file.seek(io::SeekFrom::Start(self.whole)).await;
				};
				let _ = timeout(DISK, undone).await;
				Err(error)
			},
		}
	}
}

/// `seen-2.mp4` of `seen.mp4`.
fn beside(path: &Path, number: u32) -> PathBuf {
	let stem = path.file_stem().unwrap_or_default().to_string_lossy();
	let extension = path
		.extension()
		.map(|e| format!(".{}", e.to_string_lossy()))
		.unwrap_or_default();
	path.with_file_name(format!("{stem}-{number}{extension}"))
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

/// The file that `--window-log` names.
#[derive(Debug)]
struct Log {
	file: File,
	path: PathBuf,
}

impl Log {
	async fn create(path: &Path) -> io::Result<Self> {
		Ok(Self {
			file: File::create(path).await?,
			path: path.into(),
		})
	}

	async fn append(&mut self, entry: &Entry<'_>) -> io::Result<()> {
		let mut line = serde_json::to_vec(entry)?;
		line.push(b'\n');
		let written = async {
			self.file.write_all(&line).await?;
			self.file.flush().await
		};
		timeout(DISK, written)
			.await
			.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
	}
}

/// All places that were asked for.
#[derive(Default)]
pub struct Sinks {
	recording: Option<Recording>,
	log: Option<Log>,
	hls: Option<Hls>,
	delay: Option<Duration>,
}

impl Sinks {
	/// Opens files and server.
	pub async fn open(output: Option<&Path>, log: Option<&Path>, hls: Option<Hls>) -> anyhow::Result<Self> {
		let cannot = |path: &Path| format!("cannot write {}", path.display());
		let mut sinks = Self { hls, ..Self::default() };
		if let Some(path) = output {
			sinks.recording = Some(Recording::create(path).await.with_context(|| cannot(path))?);
		}
		if let Some(path) = log {
			sinks.log = Some(Log::create(path).await.with_context(|| cannot(path))?);
		}
		Ok(sinks)
	}

	/// Takes a verified window from `peer`. Returns milliseconds from its capture until now, when every sink has it: the delay
	/// that a viewer sees.
	pub async fn push(&mut self, window: &EncodedWindow, peer: &str) -> i64 {
		if let Some(hls) = &self.hls {
			hls.push(window);
		}
		if let Some(recording) = &mut self.recording {
			if let Err(error) = recording.append(window).await {
				ends(&recording.path, &error);
				self.recording = None;
			}
		}
		let header = window.header();
		let playable_ms = unix_ms();
		let delay_ms = playable_ms as i64 - header.start_ms as i64;
		self.delay = Some(Duration::from_millis(u64::try_from(delay_ms).unwrap_or_default()));
		if let Some(log) = &mut self.log {
			let entry = Entry {
				epoch: header.id.epoch,
				segment: header.id.segment,
				part: header.id.part,
				bytes: header.bytes,
				root: header.root,
				start_ms: header.start_ms,
				playable_ms,
				relayer: peer,
				delay_ms,
			};
			if let Err(error) = log.append(&entry).await {
				ends(&log.path, &error);
				self.log = None;
			}
		}
		delay_ms
	}

	/// How the broadcast stands.
	pub fn note(&self, outlook: Outlook) {
		if let Some(hls) = &self.hls {
			hls.note(outlook);
		}
	}

	/// From capture to playable, of the last window; zero where the broadcaster's clock is ahead of ours.
	pub fn delay(&self) -> Option<Duration> {
		self.delay
	}

	/// Whether somebody may be reading over HTTP, also when nothing comes.
	pub fn serves_hls(&self) -> bool {
		self.hls.is_some()
	}
}

/// The one line about a file that is written no further.
fn ends(path: &Path, error: &io::Error) {
	tracing::warn!("{} ends here, watching goes on: {error}", path.display());
}

/// Now, Unix time in milliseconds.
pub(crate) fn unix_ms() -> u64 {
	let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
	u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
