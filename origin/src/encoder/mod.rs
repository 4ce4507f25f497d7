//! Pictures and sound at a constant rate become windows: two long-lived FFmpeg processes, one for each track, and the muxer.
//!
//! ```text
//! push(picture, samples) ─► plan ─► FFmpeg: rawvideo ─► H.264 in FLV ─┐
//!                            ▲ └──► FFmpeg: s16le ────► AAC in FLV ───┤
//!                            └────────────── tags ◄───────────────────┘
//!                            └─► next() -> Window
//! ```
//!
//! What is fed, again after a crash, and when another encoder is started is [`clustercast_media::plan`]'s to say; here bytes are
//! moved. Encoders run while there is something to encode: [`Encoder::pause`] ends them in order, the next picture starts
//! others.
//!
//! A window is always 60 pictures. Where a broadcast or its live part ends in the middle of one, the window is filled up with
//! its last picture and silence: nothing that was taken is lost.

mod process;
mod settings;
pub mod slate;

use crate::child::{Cause, Child, SpawnError};
pub use clustercast_media::plan::{Overloaded, Window};
use clustercast_media::{
	mux::MediaTime,
	picture::{Picture, PICTURES_PER_SEGMENT, PICTURE_BYTES},
	plan::{Fault, Order, Plan, Track},
};
use process::{Event, Process};
use std::{
	future::pending,
	path::PathBuf,
	process::ExitStatus,
	time::{Duration, SystemTime, UNIX_EPOCH},
};
use tokio::{
	task::JoinHandle,
	time::{sleep_until, Instant},
};

/// How long encoders may take to encode what they have when the broadcast ends: one that hangs is replaced after 3 s.
const FINISH_LIMIT: Duration = Duration::from_secs(10);

/// Encoders in a row that may fail before the very first window: then it is not going to work.
const HOPELESS: u32 = 5;

/// Between two lines about pictures that were left out.
const OVERLOAD_LINES: Duration = Duration::from_secs(10);

/// Why there is no video.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EncoderError {
	/// No such program, or it cannot be run.
	#[error(transparent)]
	Spawn(#[from] SpawnError),
	/// Encoders ended, one after the other, before there was a single window.
	#[error("the {0}'s encoder does not work: {1}")]
	Failed(&'static str, Cause),
	/// Likewise, but they were ended since what they did made no sense.
	#[error("the {0}'s encoder does not work: it {1}")]
	Useless(&'static str, Fault),
}

/// How windows are made.
#[derive(Clone, Debug)]
pub struct Config {
	/// The program.
	pub ffmpeg: PathBuf,
	/// Pictures of a part; 60: a part is a whole segment.
	pub pictures_per_part: u32,
}

impl Default for Config {
	fn default() -> Self {
		Self {
			ffmpeg: "ffmpeg".into(),
			pictures_per_part: PICTURES_PER_SEGMENT,
		}
	}
}

/// Both encoders, supervised.
#[derive(Debug)]
pub struct Encoder {
	config: Config,
	plan: Plan,
	/// That of the picture, that of the sound.
	processes: [Option<Process>; 2],
	/// Encoders that ended, and what is known of why.
	ending: [Option<Ending>; 2],
	/// Zero of the plan's clock.
	epoch: Instant,
	/// A window came, ever.
	works: bool,
	/// Set by [`Encoder::finish`]: when all must be out.
	finishing: Option<Instant>,
	overload: Overload,
}

/// Why an encoder ended.
#[derive(Debug)]
enum Ending {
	Fault(Fault),
	/// The system knows, in a moment.
	Exit(JoinHandle<Option<Cause>>),
}

/// Pictures that were left out.
#[derive(Debug, Default)]
struct Overload {
	/// Not taken.
	refused: u64,
	/// Of these and those that were skipped.
	said: u64,
	said_at: Option<Instant>,
}

impl Encoder {
	/// Without a picture no process is started. `continues`: where on the media timeline earlier runs of this broadcast ended,
	/// if there were any ([`Window::end`]).
	pub fn start(config: Config, continues: Option<MediaTime>) -> Self {
		Self {
			plan: Plan::new(config.pictures_per_part, continues),
			config,
			processes: [None, None],
			ending: [None, None],
			epoch: Instant::now(),
			works: false,
			finishing: None,
			overload: Overload::default(),
		}
	}

	/// Takes the mixer's next picture, the 1600 samples of each channel of the time before it, and when it was captured: Unix
	/// time, milliseconds. [`Encoder::next`] has to be polled for anything to be done with them.
	///
	/// # Errors
	/// When encoders are too slow: nothing is taken. The mixer drops both and goes on; the next picture says when it was
	/// captured.
	pub fn push(&mut self, picture: Picture, samples: &[i16], captured_ms: u64) -> Result<(), Overloaded> {
		debug_assert_eq!(picture.len(), PICTURE_BYTES);
		let taken = self.plan.push(picture, samples, captured_ms, self.now());
		self.overload.refused += u64::from(taken.is_err());
		self.overload.say(self.plan.skipped());
		taken
	}

	/// Pictures that were taken and are not encoded: about 4 in operation, above 30 no more are taken.
	pub fn waiting(&self) -> u64 {
		self.plan.waiting()
	}

	/// Whether no window is open: only whole ones were taken.
	pub fn at_boundary(&self) -> bool {
		self.plan.at_boundary()
	}

	/// Whether all that was taken is out.
	pub fn is_idle(&self) -> bool {
		self.plan.is_empty()
	}

	/// Nothing follows for now: what was taken comes out, an open window is filled up, encoders end. The window of the next
	/// picture says that it does not follow.
	pub fn pause(&mut self) {
		self.plan.flush(self.now());
	}

	/// Ends the broadcast as [`Encoder::pause`] does. What encoders have still comes from [`next`](Self::next), for at most 10 s,
	/// then `None`.
	pub fn finish(&mut self) {
		if self.finishing.is_none() {
			self.finishing = Some(Instant::now() + FINISH_LIMIT);
			self.pause();
		}
	}

	/// The next window; `None` after [`finish`](Self::finish). Cancel safe.
	///
	/// # Errors
	/// When encoders cannot be started, or fail again and again before the very first window. Later others are started, for
	/// ever.
	pub async fn next(&mut self) -> Result<Option<Window>, EncoderError> {
		loop {
			if let Some(window) = self.plan.window() {
				self.works = true;
				return Ok(Some(window));
			}
			if let Some(deadline) = self.finishing {
				if self.plan.is_empty() || Instant::now() >= deadline {
					if !self.plan.is_empty() {
						tracing::warn!("the last window is lost: its encoder did not end in time");
					}
					self.processes = [None, None];
					return Ok(None);
				}
			}
			for track in Track::ALL {
				self.feed(track);
			}
			let deadline = self.plan.deadline().map(|at| self.epoch + at);
			let deadline = deadline.into_iter().chain(self.finishing).min();
			// Whoever was late himself reads what is there before he judges.
			let done = tokio::select! {
				biased;
				done = work(&mut self.processes) => Some(done),
				() = wake(deadline) => None,
			};
			match done {
				Some((_, Event::Took)) => {},
				Some((track, Event::Wrote(bytes))) => self.read(track, bytes),
				Some((track, Event::Ended)) => self.ended(track),
				None => {
					for track in Track::ALL {
						self.obey(track).await?;
					}
				},
			}
		}
	}

	/// Starts and ends an encoder as the plan says.
	async fn obey(&mut self, track: Track) -> Result<(), EncoderError> {
		match self.plan.order(track, self.now()) {
			None => {},
			Some(Order::Kill(fault)) => self.kill(track, fault),
			Some(Order::Start { in_segment }) => {
				self.despair(track).await?;
				match Process::spawn(&self.config.ffmpeg, track, in_segment) {
					Ok(process) => {
						self.processes[track as usize] = Some(process);
						self.plan.started(track, self.now());
					},
					Err(error) if !self.works => return Err(error.into()),
					Err(error) => {
						tracing::warn!("the {}'s encoder: {error}", name(track));
						self.plan.ended(track, self.now());
					},
				}
			},
		}
		Ok(())
	}

	/// Before anything worked, some failures in a row are the end.
	async fn despair(&mut self, track: Track) -> Result<(), EncoderError> {
		if self.works || self.plan.failures(track) < HOPELESS {
			return Ok(());
		}
		match &mut self.ending[track as usize] {
			Some(Ending::Fault(fault)) => Err(EncoderError::Useless(name(track), *fault)),
			Some(Ending::Exit(exit)) => {
				let cause = exit.await.ok().flatten().unwrap_or(Cause::Other(ExitStatus::default()));
				self.ending[track as usize] = None;
				Err(EncoderError::Failed(name(track), cause))
			},
			None => Ok(()),
		}
	}

	fn feed(&mut self, track: Track) {
		let now = self.now();
		if let Some(process) = self.processes[track as usize]
			.as_mut()
			.filter(|process| process.is_hungry())
		{
			if let Some(feed) = self.plan.feed(track, now) {
				process.feed(feed);
			}
		}
	}

	fn read(&mut self, track: Track, bytes: usize) {
		let now = self.now();
		let Some(process) = &mut self.processes[track as usize] else {
			return;
		};
		let fault = process.tags(bytes).find_map(|tag| match tag {
			Ok(tag) => self.plan.tag(track, &tag, now).err(),
			Err(error) => Some(error.into()),
		});
		if let Some(fault) = fault {
			self.kill(track, fault);
		}
	}

	/// It is of no more use.
	fn kill(&mut self, track: Track, fault: Fault) {
		// Dropping kills.
		if self.processes[track as usize].take().is_some() {
			tracing::warn!(
				"the {}'s encoder {fault}: another one encodes its window again",
				name(track)
			);
			self.ending[track as usize] = Some(Ending::Fault(fault));
			self.plan.ended(track, self.now());
		}
	}

	/// It wrote its last, whether it was to or not.
	fn ended(&mut self, track: Track) {
		let Some(process) = self.processes[track as usize].take() else {
			return;
		};
		let done = self.plan.ended(track, self.now());
		self.ending[track as usize] = Some(Ending::Exit(tokio::spawn(reap(process.into_child(), track, done))));
	}

	fn now(&self) -> Duration {
		self.epoch.elapsed()
	}

	#[cfg(test)]
	fn pid(&self, track: Track) -> Option<nix::unistd::Pid> {
		self.processes[track as usize].as_ref().map(Process::pid)
	}
}

impl Overload {
	/// At most a line in ten seconds.
	fn say(&mut self, skipped: u64) {
		let (now, left_out) = (Instant::now(), self.refused + skipped);
		if left_out > self.said && self.said_at.is_none_or(|said| now >= said + OVERLOAD_LINES) {
			let pictures = left_out - self.said;
			tracing::warn!(pictures, "left out to stay live: this machine encodes too slowly");
			(self.said, self.said_at) = (left_out, Some(now));
		}
	}
}

/// Whose encoder it is, for people.
fn name(track: Track) -> &'static str {
	match track {
		Track::Picture => "picture",
		Track::Sound => "sound",
	}
}

/// What one of them did.
async fn work([picture, sound]: &mut [Option<Process>; 2]) -> (Track, Event) {
	tokio::select! {
		event = work_of(picture) => (Track::Picture, event),
		event = work_of(sound) => (Track::Sound, event),
	}
}

async fn work_of(process: &mut Option<Process>) -> Event {
	match process {
		Some(process) => process.work().await,
		None => pending().await,
	}
}

async fn wake(at: Option<Instant>) {
	match at {
		Some(at) => sleep_until(at).await,
		None => pending().await,
	}
}

/// Waits for the end of a process, and says why it came where it was not to.
async fn reap(mut child: Child, track: Track, done: bool) -> Option<Cause> {
	let cause = child.end().await.ok()?.cause();
	if !done {
		let reason = cause.as_ref().map_or("ended".to_owned(), ToString::to_string);
		tracing::warn!(
			"the {}'s encoder: {reason}; another one encodes its window again",
			name(track)
		);
	}
	cause
}

/// Now: Unix time, milliseconds.
pub fn unix_ms() -> u64 {
	let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
	u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
