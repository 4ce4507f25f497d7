//! From whatever people send to windows: door or file, decoders, mixer, encoders, on one clock.
//!
//! ```text
//! door ──tags──► Publisher: timeline, decoders ─┐
//! file, camera, test ───────► decoder ──────────┴─► mixer ──30 a second──► encoders ──► Studio::next
//! ```
//!
//! What to do stands in machines without sockets (`media`, [`wall`], [`remarks`], [`presence`](crate::presence)); here bytes are
//! moved between them, in one task.

mod remarks;
mod source;
mod wall;

use crate::{
	backoff::Backoff,
	child::{Child, SpawnError},
	decoder::{self, Contents, Decoder, End, Output, StartError},
	door::{Address, AddressError, Event, ListenError, Listener, Lock, Proof, Verdict},
	encoder::{self, slate::slate, Encoder, EncoderError, Window},
	presence::{Presence, Show, SLATE},
};
use clustercast_media::{
	flv::Tag,
	mixer::{Figures, Mixer, SourceId},
	mux::MediaTime,
};
use clustercast_primitives::status::State;
use remarks::{Remarks, CAPTIONS};
use source::{Publisher, Source};
use std::{
	future::pending,
	path::{Path, PathBuf},
	process::Stdio,
	str::FromStr,
	time::{Duration, SystemTime, UNIX_EPOCH},
};
use tokio::{
	task::JoinSet,
	time::{sleep_until, Instant},
};
use wall::Wall;

/// How long a newcomer's first key frame may take to be decoded: 0.2 s, or seconds on a busy machine.
const PROOF_LIMIT: Duration = Duration::from_secs(10);

/// Between two looks at what the input leaves out.
const LOOK: Duration = Duration::from_secs(1);

/// Between two lines of figures.
const FIGURES: Duration = Duration::from_secs(60);

/// Where the video comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
	/// Whoever publishes there over RTMP: OBS, FFmpeg, a hardware encoder.
	Door(Address),
	/// A file, a camera, the test picture.
	Own(decoder::Input),
}

/// Why a text names no input.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InputError {
	/// No address of a door.
	#[error(transparent)]
	Door(#[from] AddressError),
	/// Another kind of URL.
	#[error(
		"unknown kind of input; use test, rtmp://…, device:PATH or the path of a file (SRT and WHIP are not taken)"
	)]
	Unknown,
	/// Nothing at all.
	#[error("empty")]
	Empty,
}

impl Input {
	/// Whether it can be played again and again.
	pub fn is_file(&self) -> bool {
		matches!(self, Self::Own(decoder::Input::File(_)))
	}
}

impl FromStr for Input {
	type Err = InputError;

	fn from_str(text: &str) -> Result<Self, InputError> {
		if text.starts_with("rtmp://") {
			return Ok(Self::Door(text.parse()?));
		}
		if let Some(path) = text.strip_prefix("device:").filter(|path| !path.is_empty()) {
			return Ok(Self::Own(decoder::Input::Device(path.into())));
		}
		match text {
			"" | "device:" => Err(InputError::Empty),
			"test" => Ok(Self::Own(decoder::Input::Test)),
			url if url.contains("://") => Err(InputError::Unknown),
			path => Ok(Self::Own(decoder::Input::File(path.into()))),
		}
	}
}

/// Why there is no video, or none any more.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StudioError {
	/// The input cannot be played.
	#[error(transparent)]
	Start(#[from] StartError),
	/// Nobody can publish there.
	#[error(transparent)]
	Listen(#[from] ListenError),
	/// FFmpeg does not encode.
	#[error(transparent)]
	Encoder(#[from] EncoderError),
	/// FFmpeg does not start.
	#[error(transparent)]
	Spawn(#[from] SpawnError),
	/// Not a single picture or sample came.
	#[error("the input cannot be played: {0}")]
	Input(End),
}

/// What a studio needs.
#[derive(Debug)]
pub struct Config {
	/// The program.
	pub ffmpeg: PathBuf,
	/// Where the video comes from.
	pub input: Input,
	/// Plays a file again and again.
	pub repeat: bool,
	/// What opens the door; [`Input::Door`] only.
	pub lock: Option<Lock>,
	/// Shown while nobody publishes.
	pub title: String,
	/// Where on the media timeline the runs before ended.
	pub continues: Option<MediaTime>,
	/// Pictures of a window.
	pub pictures_per_part: u32,
}

/// Where sources come from.
#[derive(Debug)]
enum Inlet {
	Door(Listener),
	/// Playing, or to be started again then.
	Own {
		input: decoder::Input,
		repeat: bool,
		backoff: Backoff,
		again: Option<Instant>,
	},
	/// The file is over.
	Over,
}

/// A source and its name in the mixer.
#[derive(Debug)]
struct Feed {
	id: SourceId,
	/// Of the door.
	publisher: Option<u64>,
	source: Source,
	/// Something came of it.
	came: bool,
}

/// Everything before the signer.
#[derive(Debug)]
pub struct Studio {
	ffmpeg: PathBuf,
	epoch: Instant,
	wall: Wall,
	/// The system's clock, since 1970.
	system: fn() -> Duration,
	mixer: Mixer,
	encoder: Encoder,
	presence: Presence,
	remarks: Remarks,
	inlet: Inlet,
	/// Gives now.
	live: Option<Feed>,
	/// Gives what its decoders still have.
	leaving: Option<Feed>,
	/// Names so far.
	sources: u64,
	/// One at a time.
	proofs: JoinSet<(u64, Verdict)>,
	/// Next look, next line of figures.
	look: Instant,
	figures: Instant,
	finishing: bool,
}

impl Studio {
	/// Opens the input, or the door.
	///
	/// # Errors
	/// When there is nothing to play, nowhere to listen, or no FFmpeg.
	pub async fn open(config: Config) -> Result<Self, StudioError> {
		let Config {
			ffmpeg,
			input,
			repeat,
			lock,
			title,
			continues,
			pictures_per_part,
		} = config;
		let slate = slate(&ffmpeg, &title).await;
		let encoder_config = encoder::Config {
			ffmpeg: ffmpeg.clone(),
			pictures_per_part,
		};
		let (inlet, first) = match (input, lock) {
			(Input::Door(address), lock) => {
				let lock = lock.expect("whoever opens a door has its lock");
				let listener = Listener::open(&address, lock, Proof::Decoder).await?;
				tracing::info!("waiting for a publisher at {}", listener.invitation());
				(Inlet::Door(listener), None)
			},
			(Input::Own(input), _) => {
				let (decoder, contents) = Decoder::open(&ffmpeg, &input, repeat).await?;
				say(contents.as_ref());
				let inlet = Inlet::Own {
					input,
					repeat,
					backoff: Backoff::default(),
					again: None,
				};
				(inlet, Some(decoder))
			},
		};
		let epoch = Instant::now();
		let mut studio = Self {
			wall: Wall::default(),
			system: since_1970,
			mixer: Mixer::new(slate, Duration::ZERO),
			encoder: Encoder::start(encoder_config, continues),
			presence: Presence::default(),
			remarks: Remarks::default(),
			inlet,
			live: None,
			leaving: None,
			sources: 0,
			proofs: JoinSet::new(),
			look: epoch + LOOK,
			figures: epoch + FIGURES,
			finishing: false,
			ffmpeg,
			epoch,
		};
		if let Some(decoder) = first {
			studio.begin(Source::Own(decoder), None);
		}
		Ok(studio)
	}

	/// The next window; `None` when a file is over, or after [`finish`](Self::finish). Cancel safe.
	///
	/// # Errors
	/// When nothing can be encoded, or nothing of the input can be played.
	pub async fn next(&mut self) -> Result<Option<Window>, StudioError> {
		loop {
			self.frames();
			self.look();
			let due = self.epoch + self.mixer.next_due();
			tokio::select! {
				window = self.encoder.next() => return Ok(window?),
				() = sleep_until(due) => {},
				event = self.inlet.next() => match event {
					Arrival::Door(event) => self.door(event)?,
					Arrival::Again => self.again().await?,
				},
				output = next_of(&mut self.live) => self.output(output, true)?,
				output = next_of(&mut self.leaving) => self.output(output, false)?,
				Some(proof) = self.proofs.join_next() => {
					if let (Ok((publisher, verdict)), Inlet::Door(door)) = (proof, &self.inlet) {
						door.proved(publisher, verdict).await;
					}
				},
			}
		}
	}

	/// Ends the broadcast: what was taken still comes from [`next`](Self::next), then `None`.
	pub fn finish(&mut self) {
		self.finishing = true;
		self.encoder.finish();
	}

	/// How the broadcast stands.
	pub fn state(&self) -> State {
		self.presence.state(self.encoder.is_idle())
	}

	/// Unix time now, milliseconds, by the clock that captures are stamped with.
	pub fn unix_ms(&mut self) -> u64 {
		self.wall.now_ms(self.now(), (self.system)())
	}

	/// Whether that clock is so far ahead of the system's that peers may refuse what is captured: see [`turn_back`](Self::turn_back).
	pub fn is_ahead(&self) -> bool {
		self.wall.is_ahead()
	}

	/// There is another epoch: what is captured from now on may lie before what was.
	pub fn turn_back(&mut self) {
		self.wall.turn_back();
	}

	/// Another system's clock.
	#[cfg(test)]
	pub(crate) fn with_clock(mut self, system: fn() -> Duration) -> Self {
		self.system = system;
		self
	}

	fn now(&self) -> Duration {
		self.epoch.elapsed()
	}

	/// What is due goes to the encoders.
	fn frames(&mut self) {
		if self.finishing {
			return;
		}
		let now = self.now();
		loop {
			// Before the slate follows: an open window is filled up with the last picture that was encoded.
			let drained =
				self.live.is_none() && self.leaving.is_none() && self.mixer.is_drained(SourceId(self.sources));
			if drained && matches!(self.inlet, Inlet::Over) {
				return self.finish();
			}
			if drained && self.presence.left(now) {
				let minutes = SLATE.as_secs() / 60;
				tracing::info!("nobody publishes: viewers see the slate; the broadcast pauses in {minutes} minutes");
			}
			let Some(frame) = self.mixer.tick(now) else { return };
			// Not as soon as somebody is there: a film would begin with the slate.
			if self.mixer.presence().is_some() {
				self.presence.came();
			}
			match self.presence.show(now, self.encoder.at_boundary()) {
				Show::Input | Show::Slate => {
					let captured_ms = self.wall.capture_ms(frame.at, now, (self.system)());
					// It says itself that it is too slow.
					let _ = self.encoder.push(frame.picture, &frame.samples, captured_ms);
				},
				Show::Pause => {
					tracing::info!("nobody publishes: the broadcast pauses");
					self.encoder.pause();
				},
				Show::Nothing => {},
			}
		}
	}

	/// Lines about what is missing, and figures.
	fn look(&mut self) {
		let now = Instant::now();
		if now < self.look {
			return;
		}
		self.look = now + LOOK;
		if let Some(step) = self.wall.step() {
			tracing::warn!("{step}");
		}
		let captions = self.live.as_ref().and_then(|feed| match &feed.source {
			Source::Publisher(publisher) => publisher.has_captions().then_some(feed.id),
			Source::Own(_) => None,
		});
		for line in self.remarks.look(self.mixer.presence(), captions, self.now()) {
			tracing::info!("{line}");
		}
		if now >= self.figures {
			self.figures = now + FIGURES;
			let figures: Figures = self.mixer.figures();
			tracing::debug!(?figures, "mixed so far");
		}
	}

	fn begin(&mut self, source: Source, publisher: Option<u64>) {
		self.sources += 1;
		let id = SourceId(self.sources);
		self.mixer.begin(id, self.now());
		self.live = Some(Feed {
			id,
			publisher,
			source,
			came: false,
		});
	}

	/// The source gives nothing new: what its decoders have still comes.
	fn leave(&mut self) {
		if let Some(mut feed) = self.live.take() {
			if let Source::Publisher(publisher) = &mut feed.source {
				publisher.finish();
			}
			if let Some(before) = self.leaving.replace(feed) {
				self.mixer.end(before.id);
			}
		}
	}

	fn door(&mut self, event: Event) -> Result<(), StudioError> {
		match event {
			Event::Came(came) => {
				self.leave();
				let publisher = Publisher::new(&self.ffmpeg);
				self.begin(Source::Publisher(Box::new(publisher)), Some(came.publisher));
			},
			Event::Tag { publisher, tag } => self.tag(publisher, &tag)?,
			Event::Left { publisher, .. } => {
				if self.live.as_ref().is_some_and(|feed| feed.publisher == Some(publisher)) {
					self.leave();
				}
			},
			Event::Asks { publisher, tags } => {
				let ffmpeg = self.ffmpeg.clone();
				// Of two newcomers the later one counts.
				self.proofs.abort_all();
				self.proofs.spawn(async move {
					let verdict = source::decodes(&ffmpeg, &tags, PROOF_LIMIT).await;
					(publisher, verdict)
				});
			},
		}
		Ok(())
	}

	fn tag(&mut self, of: u64, tag: &Tag) -> Result<(), StudioError> {
		let now = self.now();
		let Some(feed) = self.live.as_mut().filter(|feed| feed.publisher == Some(of)) else {
			return Ok(());
		};
		let Source::Publisher(publisher) = &mut feed.source else {
			return Ok(());
		};
		if publisher.is_old() && is_key(tag) {
			let renewed = publisher.renewed(&self.ffmpeg, now)?;
			self.leave();
			self.begin(Source::Publisher(Box::new(renewed)), Some(of));
			return self.tag(of, tag);
		}
		if let Some(notice) = publisher.push(tag, now)? {
			tracing::warn!("{notice}");
		}
		Ok(())
	}

	fn output(&mut self, output: Output, of_live: bool) -> Result<(), StudioError> {
		let now = self.now();
		let slot = if of_live { &mut self.live } else { &mut self.leaving };
		let Some(feed) = slot else { return Ok(()) };
		match output {
			Output::Picture { at, picture } => {
				feed.came = true;
				self.mixer.picture(feed.id, at, picture, now);
			},
			Output::Sound { at, samples } => {
				feed.came = true;
				self.mixer.sound(feed.id, at, &samples, now);
			},
			Output::End(end) => {
				let (id, came) = (feed.id, feed.came);
				*slot = None;
				self.mixer.end(id);
				self.ended(end, came)?;
			},
		}
		if let Inlet::Own { backoff, .. } = &mut self.inlet {
			backoff.output(now);
		}
		Ok(())
	}

	/// What follows the end of a source that brings its own time.
	fn ended(&mut self, end: End, came: bool) -> Result<(), StudioError> {
		let now = self.epoch.elapsed();
		let Inlet::Own {
			input, backoff, again, ..
		} = &mut self.inlet
		else {
			return Ok(());
		};
		match (&*input, end) {
			(_, End::Over) => self.inlet = Inlet::Over,
			(_, end) if !came && self.sources == 1 => return Err(StudioError::Input(end)),
			// What was played is not played again.
			(decoder::Input::File(_), end) => {
				tracing::error!("the file cannot be played to its end: {end}");
				self.inlet = Inlet::Over;
			},
			(decoder::Input::Test | decoder::Input::Device(_), end) => {
				let at = backoff.ended(now);
				tracing::warn!("the input stopped: {end}; trying again");
				*again = Some(self.epoch + at);
			},
		}
		Ok(())
	}

	/// Starts an input once more.
	async fn again(&mut self) -> Result<(), StudioError> {
		let now = self.epoch.elapsed();
		let Inlet::Own {
			input,
			repeat,
			backoff,
			again,
		} = &mut self.inlet
		else {
			return Ok(());
		};
		*again = None;
		match Decoder::open(&self.ffmpeg, input, *repeat).await {
			Ok((decoder, _)) => self.begin(Source::Own(decoder), None),
			Err(error) => {
				tracing::warn!("{error}; trying again");
				*again = Some(self.epoch + backoff.ended(now));
			},
		}
		Ok(())
	}
}

/// What comes from where sources come from.
enum Arrival {
	Door(Event),
	Again,
}

impl Inlet {
	/// Cancel safe.
	async fn next(&mut self) -> Arrival {
		match self {
			Self::Door(listener) => Arrival::Door(listener.next().await),
			Self::Own { again: Some(at), .. } => {
				sleep_until(*at).await;
				Arrival::Again
			},
			Self::Own { .. } | Self::Over => pending().await,
		}
	}
}

async fn next_of(feed: &mut Option<Feed>) -> Output {
	match feed {
		Some(feed) => feed.source.next().await,
		None => pending().await,
	}
}

/// Whether decoding can begin with it.
fn is_key(tag: &Tag) -> bool {
	use clustercast_media::flv::Content;
	matches!(tag.content(), Ok(Content::Frame { key: true, .. }))
}

/// By the system's clock.
fn since_1970() -> Duration {
	SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// What is in a file, for people.
fn say(contents: Option<&Contents>) {
	if let Some(contents) = contents {
		tracing::info!("{contents}");
		if contents.captions {
			tracing::info!("{CAPTIONS}");
		}
		if contents.subtitles > 0 {
			tracing::info!(tracks = contents.subtitles, "subtitles are dropped");
		}
	}
}

/// Whether the program is there: said before anything else is done.
pub async fn check(ffmpeg: &Path) -> Result<(), SpawnError> {
	// What it says, and how it ends, is of no matter.
	drop(Child::spawn(ffmpeg, ["-version"], Stdio::null())?.end().await);
	Ok(())
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn input_is_what_its_text_says() {
		let own = |input| Ok(Input::Own(input));
		for (text, input) in [
			("test", own(decoder::Input::Test)),
			("film.mp4", own(decoder::Input::File("film.mp4".into()))),
			("-odd: name.mkv", own(decoder::Input::File("-odd: name.mkv".into()))),
			("device:/dev/video0", own(decoder::Input::Device("/dev/video0".into()))),
			("http://host/film.mp4", Err(InputError::Unknown)),
			("srt://host:9000", Err(InputError::Unknown)),
			("device:", Err(InputError::Empty)),
			("", Err(InputError::Empty)),
		] {
			assert_eq!(text.parse::<Input>(), input, "{text}");
		}
		assert!(matches!("rtmp://[::1]:1936/live/key".parse(), Ok(Input::Door(_))));
		assert!(matches!(
			"rtmp://host:99999/live/key".parse::<Input>(),
			Err(InputError::Door(_))
		));
	}

	#[tokio::test]
	async fn stream_key_of_the_environment_does_not_reach_the_program_that_is_looked_at() {
		use std::{env, fs, os::unix::fs::PermissionsExt};
		let dir = tempfile::tempdir().unwrap();
		let ffmpeg = dir.path().join("ffmpeg");
		fs::write(&ffmpeg, "#!/bin/sh\nenv >\"$0.env\"\n").unwrap();
		fs::set_permissions(&ffmpeg, fs::Permissions::from_mode(0o755)).unwrap();
		env::set_var(crate::door::ENVIRONMENT, "hush");
		check(&ffmpeg).await.unwrap();
		let seen = fs::read_to_string(dir.path().join("ffmpeg.env")).unwrap();
		assert!(seen.contains("PATH=") && !seen.contains("hush"), "{seen}");
	}

	#[tokio::test]
	async fn a_film_ends_with_its_last_picture_and_not_with_the_slate() {
		use std::process::Command;
		let dir = tempfile::tempdir().unwrap();
		let film = dir.path().join("film.mp4");
		let made = Command::new("ffmpeg")
			.args("-nostdin -loglevel error -f lavfi -i color=white:size=64x36:rate=30:duration=0.7".split(' '))
			.args(["-c:v", "mpeg4"])
			.arg(&film)
			.status();
		assert!(made.unwrap().success());
		let mut studio = Studio::open(Config {
			ffmpeg: "ffmpeg".into(),
			input: Input::Own(decoder::Input::File(film)),
			repeat: false,
			lock: None,
			title: String::new(),
			continues: None,
			pictures_per_part: clustercast_media::picture::PICTURES_PER_SEGMENT,
		})
		.await
		.unwrap();
		let mut record = Vec::new();
		while let Some(window) = studio.next().await.unwrap() {
			if record.is_empty() {
				record.extend_from_slice(&window.init.segment);
			}
			record.extend_from_slice(&window.data);
		}
		let path = dir.path().join("record.mp4");
		std::fs::write(&path, record).unwrap();
		let luma = Command::new("ffmpeg")
			.args(["-nostdin", "-loglevel", "error", "-i"])
			.arg(&path)
			.args("-vf scale=1:1 -f rawvideo -pix_fmt gray -".split(' '))
			.output()
			.unwrap()
			.stdout;
		assert_eq!(luma.len() % 60, 0);
		assert!(*luma.last().unwrap() > 200, "{luma:?}");
	}
}
