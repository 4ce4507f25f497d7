//! One track of a publisher: a decoder for each sequence header, started again when it fails, behind a growing pause.

use super::{filters::Effort, Decoder, End, Output};
use crate::{backoff::Backoff, bucket::Bucket, child::SpawnError};
use clustercast_media::flv::{Content, Tag};
use std::{collections::VecDeque, path::PathBuf, time::Duration};
use tokio::time::Instant;

/// Most decoders that still finish what came under earlier headers: a publisher that sends a header with every frame gets no more
/// processes.
const MAX_FINISHING: usize = 2;

/// Decoders that may start at once, and how long one more is due after that: a publisher that sends another header with every frame
/// makes no machine busy, and one that changes its picture's size now and then loses nothing.
pub const STARTS: u32 = 4;
pub const START_PAUSE: Duration = Duration::from_secs(2);

/// What became of a tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pushed {
	/// The decoder has it.
	Taken,
	/// Nothing to decode: no header yet, no key frame yet, a decoder that starts again, or too much that waits.
	Skipped,
}

/// A publisher's pictures, or its sound.
#[derive(Debug)]
pub struct Track {
	ffmpeg: PathBuf,
	/// The newest sequence header.
	header: Option<Tag>,
	/// Under earlier headers, oldest first.
	finishing: VecDeque<Decoder>,
	current: Option<Decoder>,
	/// Not before.
	restart: Instant,
	starts: Bucket,
	started: u64,
	/// Pictures only: what comes next builds on what this decoder has not seen.
	key_wanted: bool,
	effort: Effort,
	/// With which each header begins.
	first_effort: Effort,
	backoff: Backoff,
	began: Instant,
	/// Something came from the current decoder.
	came: bool,
	/// Nothing is pushed any more.
	over: bool,
}

impl Track {
	/// Starts FFmpeg with the first sequence header.
	pub fn new(ffmpeg: impl Into<PathBuf>) -> Self {
		let now = Instant::now();
		Self {
			ffmpeg: ffmpeg.into(),
			header: None,
			finishing: VecDeque::new(),
			current: None,
			restart: now,
			starts: Bucket::default(),
			started: 0,
			key_wanted: true,
			effort: Effort::Full,
			first_effort: Effort::Full,
			backoff: Backoff::default(),
			began: now,
			came: false,
			over: false,
		}
	}

	/// The same with no filter that an FFmpeg may lack.
	pub fn plain(ffmpeg: impl Into<PathBuf>) -> Self {
		Self {
			first_effort: Effort::Plain,
			..Self::new(ffmpeg)
		}
	}

	/// Hands over a tag of this track, in order.
	///
	/// # Errors
	/// When FFmpeg cannot be started.
	pub fn push(&mut self, tag: &Tag) -> Result<Pushed, SpawnError> {
		let key = match tag.content() {
			Ok(Content::PictureHeader(_) | Content::SoundHeader(_)) => {
				self.take_header(tag)?;
				return Ok(Pushed::Taken);
			},
			Ok(Content::Frame { key, .. }) => key,
			Ok(Content::Sound(_)) => true,
			_ => return Ok(Pushed::Skipped),
		};
		if self.key_wanted && !key {
			return Ok(Pushed::Skipped);
		}
		if self.current.is_none() {
			self.start()?;
		}
		let taken = self.current.as_mut().is_some_and(|decoder| decoder.push(tag));
		self.key_wanted = !taken;
		Ok(if taken { Pushed::Taken } else { Pushed::Skipped })
	}

	/// No more is pushed: what is held still comes, then the end.
	pub fn finish(&mut self) {
		self.retire();
		self.over = true;
	}

	/// What was decoded next; [`Output::End`] only once all is over after [`finish`](Self::finish). Pending while there is nothing to
	/// decode. Cancel safe.
	pub async fn next(&mut self) -> Output {
		loop {
			if let Some(decoder) = self.finishing.front_mut() {
				match decoder.next().await {
					Output::End(_) => _ = self.finishing.pop_front(),
					output => return output,
				}
			} else if let Some(decoder) = &mut self.current {
				match decoder.next().await {
					Output::End(end) => self.failed(end),
					output => {
						self.came = true;
						self.backoff.output(self.began.elapsed());
						return output;
					},
				}
			} else if self.over {
				return Output::End(End::Over);
			} else {
				// Until the next tag starts another.
				std::future::pending::<()>().await;
			}
		}
	}

	/// Pictures that were decoded and not taken in time, of the current decoder.
	pub fn dropped(&self) -> u64 {
		self.current.as_ref().map_or(0, Decoder::dropped)
	}

	/// Decoders so far.
	pub fn started(&self) -> u64 {
		self.started
	}

	fn take_header(&mut self, tag: &Tag) -> Result<(), SpawnError> {
		let same = self.header.as_ref().is_some_and(|header| header.body == tag.body);
		if same && self.current.is_some() {
			return Ok(());
		}
		if !same {
			self.effort = self.first_effort;
		}
		self.retire();
		self.header = Some(tag.clone());
		self.key_wanted = true;
		self.start()
	}

	/// Lets the current decoder finish what it has.
	fn retire(&mut self) {
		if let Some(mut decoder) = self.current.take() {
			decoder.finish();
			self.finishing.push_back(decoder);
			if self.finishing.len() > MAX_FINISHING {
				self.finishing.pop_front();
			}
		}
	}

	fn start(&mut self) -> Result<(), SpawnError> {
		let Some(header) = &self.header else { return Ok(()) };
		let now = Instant::now();
		if now < self.restart || !self.starts.pass(STARTS, START_PAUSE, now.into_std()) {
			return Ok(());
		}
		self.current = Decoder::live(&self.ffmpeg, header, self.effort)?;
		self.started += 1;
		self.came = false;
		Ok(())
	}

	fn failed(&mut self, end: End) {
		self.current = None;
		self.key_wanted = true;
		if !self.came {
			self.effort = Effort::Plain;
		}
		let again = self.backoff.ended(self.began.elapsed());
		self.restart = self.began + again;
		let pause_ms = again.saturating_sub(self.began.elapsed()).as_millis();
		// At most one line for each pause.
		tracing::warn!(%end, pause_ms, "a publisher's track cannot be decoded; trying again");
	}
}
