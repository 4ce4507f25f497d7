//! Whatever people send, as raw pictures and sound with their stamps: FFmpeg as decoder, one process for each track of a publisher or
//! a file, one for a pipe, a camera or the test picture.
//!
//! ```text
//! tags -> feed (bounded) -> FFmpeg -> nut::Reader -> queue (bounded) -> Decoder::next
//! ```
//!
//! Nobody waits for anybody for ever: a queue that is full drops its oldest picture, a feed that is full refuses, a child that reads
//! nothing is killed.

mod command;
mod film;
mod filters;
mod pace;
mod probe;
mod queue;
mod track;
mod turns;

pub use probe::{Contents, PictureInfo, SoundInfo};
pub use track::{Pushed, Track};

use crate::child::{Cause, Child, SpawnError};
use bytes::{Bytes, BytesMut};
use clustercast_media::{
	flv::{self, Content, Tag},
	h264::{self, Shape},
	nut,
	picture::{Picture, Samples, CHANNELS, HEIGHT, PICTURE_BYTES, SAMPLE_RATE, WIDTH},
};
use command::{Choice, Coded, Stream};
use film::{Film, Stage};
use filters::Effort;
use nix::fcntl::{fcntl, FcntlArg};
use pace::Kind;
use queue::Queue;
use std::{
	fs::{self, File},
	future::Future,
	io,
	os::unix::fs::FileTypeExt,
	path::{Path, PathBuf},
	process::Stdio,
	sync::{
		atomic::{AtomicBool, AtomicUsize, Ordering},
		Arc, Mutex, MutexGuard, PoisonError,
	},
	time::Duration,
};
use tokio::{
	io::{AsyncReadExt, AsyncWriteExt},
	net::unix::pipe,
	process::{ChildStdin, ChildStdout},
	sync::{mpsc, Notify},
	task::JoinHandle,
	time::{sleep, timeout, Instant},
};

/// Read at once beyond the picture that is being read. Bytes.
const READ_AHEAD: usize = 64 * 1024;

/// What a pipe from a decoder holds: a picture, so that FFmpeg goes on while we are late. Linux gives no more to everybody. Bytes.
const PIPE_BYTES: i32 = 1024 * 1024;

/// Most tags that wait for a decoder.
const MAX_FEED_TAGS: usize = 1024;

/// Most bytes that wait for a decoder: 20 s of 6 Mb/s.
const MAX_FEED_BYTES: usize = 16 * 1024 * 1024;

/// A decoder that reads nothing for this long, although something waits for it, hangs. Starting it takes 0.1 s on an idle machine,
/// seconds on a busy one.
const HUNG: Duration = Duration::from_secs(10);

/// A camera that gives nothing for this long hangs: many times what the slowest takes for a picture. Files and pipes may rest.
const CAMERA_RESTS: Duration = Duration::from_secs(15);

/// What is decoded, other than a publisher.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
	/// A generated picture with a running clock, and a tone.
	Test,
	/// A media file, played at its own speed, or a pipe that has a name.
	File(PathBuf),
	/// A camera or capture card (Video4Linux), without sound.
	Device(PathBuf),
}

/// What comes out.
#[derive(Clone, Debug, PartialEq)]
pub enum Output {
	/// One picture.
	Picture {
		/// Its stamp.
		at: Duration,
		/// As [`clustercast_media::picture`] has it.
		picture: Picture,
	},
	/// Some sound.
	Sound {
		/// Stamp of its first sample.
		at: Duration,
		/// Interleaved, 48 kHz stereo.
		samples: Samples,
	},
	/// Nothing comes any more.
	End(End),
}

impl Output {
	/// Its stamp.
	fn at(&self) -> Option<Duration> {
		match self {
			Self::Picture { at, .. } | Self::Sound { at, .. } => Some(*at),
			Self::End(_) => None,
		}
	}

	/// The same so much earlier.
	fn earlier(mut self, by: Duration) -> Self {
		if let Self::Picture { at, .. } | Self::Sound { at, .. } = &mut self {
			*at = at.saturating_sub(by);
		}
		self
	}
}

/// Why nothing comes any more.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum End {
	/// All was decoded.
	#[error("over")]
	Over,
	/// It ended in order, but nothing came.
	#[error("nothing in it can be decoded")]
	Nothing,
	/// FFmpeg failed.
	#[error(transparent)]
	Failed(#[from] Cause),
	/// It did not read any more.
	#[error("FFmpeg hangs")]
	Hung,
	/// What it wrote is no NUT, or not what it was told to write.
	#[error("FFmpeg wrote something else than it was told to: {0}")]
	Broken(String),
}

/// Why an input cannot be played at all.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
	/// FFmpeg does not start.
	#[error(transparent)]
	Spawn(#[from] SpawnError),
	/// It cannot be opened.
	#[error("input {}: {error}", .path.display())]
	Input {
		/// As given.
		path: PathBuf,
		/// From the system.
		error: io::Error,
	},
	/// It is no media, or damaged.
	#[error("input {}: {cause}", .path.display())]
	Unreadable {
		/// As given.
		path: PathBuf,
		/// What FFmpeg makes of it.
		cause: Cause,
	},
	/// Neither pictures nor sound.
	#[error("input {}: there is no video and no sound in it", .path.display())]
	Empty {
		/// As given.
		path: PathBuf,
	},
	/// What can be read only once.
	#[error("input {}: a pipe cannot be repeated", .path.display())]
	Repeat {
		/// As given.
		path: PathBuf,
	},
}

/// A running decoder; its process dies with it.
#[derive(Debug)]
pub struct Decoder {
	shared: Arc<Shared>,
	feed: Option<mpsc::Sender<Bytes>>,
	task: JoinHandle<()>,
}

/// Between the task that reads and who takes.
#[derive(Debug, Default)]
struct Shared {
	queue: Mutex<Queue>,
	/// Something was put in.
	more: Notify,
	/// Bytes that wait for the child.
	fed: AtomicUsize,
}

impl Shared {
	fn queue(&self) -> MutexGuard<'_, Queue> {
		// Nothing in there is left half done by a panic.
		self.queue.lock().unwrap_or_else(PoisonError::into_inner)
	}

	fn put(&self, output: Output) {
		self.queue().put(output);
		self.more.notify_one();
	}
}

impl Decoder {
	/// Opens an input that brings its own time, and says what is in it where that can be known before it plays. For a pipe it waits
	/// until somebody writes.
	///
	/// # Errors
	/// When it can't be played, with the reason.
	pub async fn open(ffmpeg: &Path, input: &Input, repeat: bool) -> Result<(Self, Option<Contents>), StartError> {
		let unknown = Shape {
			width: WIDTH as u32,
			height: HEIGHT as u32,
			interlaced: false,
			tagged: true,
			high_dynamic_range: false,
		};
		let spawn = |choice| {
			let args = command::input(input, choice, Effort::Full);
			Child::spawn(ffmpeg, args, Stdio::null())
		};
		let picture = Some((Stream::First, unknown));
		let sound = Some(Stream::First);
		match input {
			Input::Test => {
				let child = spawn(Choice { picture, sound })?;
				Ok((Self::run(child, Manner::default()), None))
			},
			Input::Device(path) => {
				let failed = |error| StartError::Input {
					path: path.clone(),
					error,
				};
				File::open(path).map_err(failed)?;
				let child = spawn(Choice { picture, sound: None })?;
				let manner = Manner {
					rests: Some(CAMERA_RESTS),
					..Manner::default()
				};
				Ok((Self::run(child, manner), None))
			},
			Input::File(path) => {
				let failed = |error| StartError::Input {
					path: path.clone(),
					error,
				};
				let kind = fs::metadata(path).map_err(failed)?.file_type();
				if kind.is_dir() {
					return Err(failed(io::ErrorKind::IsADirectory.into()));
				}
				if kind.is_fifo() {
					if repeat {
						return Err(StartError::Repeat { path: path.clone() });
					}
					let reader = pipe::OpenOptions::new().open_receiver(path).map_err(failed)?;
					// Else FFmpeg takes a pipe that nobody has opened yet for an empty file.
					reader.readable().await.map_err(failed)?;
					let reader = reader.into_blocking_fd().map_err(failed)?;
					let shape = Shape {
						interlaced: true,
						..unknown
					};
					let choice = Choice {
						picture: Some((Stream::First, shape)),
						sound,
					};
					let args = command::input(input, choice, Effort::Full);
					let child = Child::spawn(ffmpeg, args, reader)?;
					return Ok((Self::run(child, Manner::default()), None));
				}
				File::open(path).map_err(failed)?;
				let contents = probe::probe(ffmpeg, path).await?;
				let film = Film {
					ffmpeg: ffmpeg.into(),
					path: path.clone(),
					choice: contents.choice(),
					repeat: repeat.then(|| contents.length()),
				};
				let children = film.spawn(Effort::Full)?;
				let play = |shared: Arc<Shared>| async move { film.play(children, &shared).await };
				Ok((Self::working(play), Some(contents)))
			},
		}
	}

	/// Decodes a track of a publisher, whose sequence header this is. `None` for a tag that is none.
	///
	/// # Errors
	/// When FFmpeg does not start.
	fn live(ffmpeg: &Path, header: &Tag, effort: Effort) -> Result<Option<Self>, SpawnError> {
		let coded = match header.content() {
			Ok(Content::PictureHeader(record)) => Coded::Picture(h264::shape(&record).unwrap_or(Shape {
				width: 1280,
				height: 720,
				interlaced: false,
				tagged: false,
				high_dynamic_range: false,
			})),
			Ok(Content::SoundHeader(_)) => Coded::Sound,
			_ => return Ok(None),
		};
		let child = Child::spawn(ffmpeg, command::publisher(coded, effort), Stdio::piped())?;
		let (feed, inbox) = mpsc::channel(MAX_FEED_TAGS);
		let manner = Manner {
			inbox: Some(inbox),
			..Manner::default()
		};
		let mut decoder = Self::run(child, manner);
		decoder.feed = Some(feed);
		let mut start = BytesMut::from(&flv::header(coded == Coded::Sound, coded != Coded::Sound)[..]);
		if flv::write(header, &mut start).is_ok() {
			decoder.feed_bytes(start.freeze());
		}
		Ok(Some(decoder))
	}

	/// Hands over a tag of the track. False: too much waits, it was not taken.
	fn push(&mut self, tag: &Tag) -> bool {
		let mut bytes = BytesMut::with_capacity(tag.body.len() + 32);
		flv::write(tag, &mut bytes).is_ok() && self.feed_bytes(bytes.freeze())
	}

	/// No more is pushed: what the decoder holds still comes, then the end.
	fn finish(&mut self) {
		self.feed = None;
	}

	/// What was decoded next. After [`Output::End`] that comes again. Cancel safe.
	pub async fn next(&mut self) -> Output {
		loop {
			let more = self.shared.more.notified();
			if let Some(output) = self.shared.queue().take() {
				return output;
			}
			more.await;
		}
	}

	/// Pictures that were decoded and not taken in time, since the start.
	pub fn dropped(&self) -> u64 {
		self.shared.queue().dropped
	}

	fn feed_bytes(&self, bytes: Bytes) -> bool {
		let Some(feed) = &self.feed else { return false };
		let length = bytes.len();
		if self.shared.fed.load(Ordering::Relaxed) + length > MAX_FEED_BYTES {
			return false;
		}
		self.shared.fed.fetch_add(length, Ordering::Relaxed);
		if feed.try_send(bytes).is_err() {
			self.shared.fed.fetch_sub(length, Ordering::Relaxed);
			return false;
		}
		true
	}

	fn run(child: Child, manner: Manner<'static>) -> Self {
		Self::working(
			|shared: Arc<Shared>| async move { attend(child, manner, &shared).await.unwrap_or_else(|end| end) },
		)
	}

	/// Whose task does this, until the end.
	fn working<W, F>(work: W) -> Self
	where
		W: FnOnce(Arc<Shared>) -> F,
		F: Future<Output = End> + Send + 'static,
	{
		let shared = Arc::<Shared>::default();
		let work = work(shared.clone());
		let task = tokio::spawn({
			let shared = shared.clone();
			async move {
				let end = work.await;
				shared.put(Output::End(end));
			}
		});
		Self {
			shared,
			feed: None,
			task,
		}
	}
}

impl Drop for Decoder {
	fn drop(&mut self) {
		// The child goes with the task.
		self.task.abort();
	}
}

/// What a child is attended for, beside its bytes.
#[derive(Debug, Default)]
struct Manner<'a> {
	/// What it is fed with.
	inbox: Option<mpsc::Receiver<Bytes>>,
	/// Longest time without a byte.
	rests: Option<Duration>,
	/// It plays faster than time: where what it gives has to wait.
	stage: Option<(&'a Stage, Kind)>,
}

/// Feeds a child and reads it until it ends. `Err`: and nothing came before.
async fn attend(mut child: Child, manner: Manner<'_>, shared: &Shared) -> Result<End, End> {
	let stdout = child.stdout.take().expect("a child's output is a pipe");
	// A smaller pipe does as well.
	let _ = fcntl(&stdout, FcntlArg::F_SETPIPE_SZ(PIPE_BYTES));
	let fed = manner.inbox.is_some();
	let came = AtomicBool::new(false);
	let mut write = std::pin::pin!(write(child.stdin.take(), manner.inbox, shared));
	let mut read = std::pin::pin!(read(stdout, manner.rests, manner.stage, shared, &came));
	let mut writing = true;
	// Set once all was written: what it still holds is little.
	let mut patience = std::pin::pin!(sleep(HUNG));
	let result = loop {
		// Whoever was late himself reads what is there before he judges.
		tokio::select! {
			biased;
			result = &mut read => break result,
			all = &mut write, if writing => {
				writing = false;
				if !all {
					break Err(End::Hung);
				}
				patience.as_mut().reset(Instant::now() + HUNG);
			},
			() = &mut patience, if fed && !writing => break Err(End::Hung),
		}
	};
	if result.is_err() {
		child.kill();
	}
	let exit = child.end().await;
	let came = came.load(Ordering::Relaxed);
	let end = match (result, exit) {
		(Err(end), _) => end,
		(Ok(()), Err(error)) => End::Broken(error.to_string()),
		(Ok(()), Ok(exit)) => match exit.cause() {
			Some(cause) => End::Failed(cause),
			None if came => End::Over,
			None => End::Nothing,
		},
	};
	if came {
		Ok(end)
	} else {
		Err(end)
	}
}

/// False when the child hangs.
async fn write(stdin: Option<ChildStdin>, inbox: Option<mpsc::Receiver<Bytes>>, shared: &Shared) -> bool {
	let (Some(mut stdin), Some(mut inbox)) = (stdin, inbox) else {
		return true;
	};
	while let Some(bytes) = inbox.recv().await {
		let written = timeout(HUNG, stdin.write_all(&bytes)).await;
		shared.fed.fetch_sub(bytes.len(), Ordering::Relaxed);
		match written {
			Ok(Ok(())) => {},
			// It ended; its exit says why.
			Ok(Err(_)) => return true,
			Err(_) => return false,
		}
	}
	true
}

/// Until the end; `Err`: what comes is of no use.
async fn read(
	mut stdout: ChildStdout,
	rests: Option<Duration>,
	stage: Option<(&Stage, Kind)>,
	shared: &Shared,
	came: &AtomicBool,
) -> Result<(), End> {
	let broken = |what: &dyn ToString| End::Broken(what.to_string());
	let mut reader = nut::Reader::default();
	loop {
		while let Some(frame) = reader.next_frame().map_err(|error| broken(&error))? {
			let output = output(frame).map_err(|what| broken(&what))?;
			came.store(true, Ordering::Relaxed);
			let output = match stage {
				Some((stage, kind)) => stage.hold(kind, output).await,
				None => Some(output),
			};
			if let Some(output) = output {
				shared.put(output);
			}
		}
		let more = stdout.read_buf(reader.buffer(READ_AHEAD));
		let more = match rests {
			Some(limit) => timeout(limit, more).await.map_err(|_| End::Hung)?,
			None => more.await,
		};
		match more {
			Ok(0) => return Ok(()),
			Ok(_) => {},
			Err(error) => return Err(broken(&error)),
		}
	}
}

fn output(frame: nut::Frame) -> Result<Output, String> {
	let at = frame.at;
	match frame.format {
		nut::Format::Picture { width, height }
			if (width as usize, height as usize, frame.data.len()) == (WIDTH, HEIGHT, PICTURE_BYTES) =>
		{
			Ok(Output::Picture {
				at,
				picture: frame.data,
			})
		},
		nut::Format::Sound { rate, channels } if (rate, channels as usize) == (SAMPLE_RATE, CHANNELS) => {
			let samples = frame
				.data
				.chunks_exact(2)
				.map(|pair| i16::from_le_bytes([pair[0], pair[1]]))
				.collect();
			Ok(Output::Sound { at, samples })
		},
		other => Err(format!("{other:?} with {} bytes", frame.data.len())),
	}
}

#[cfg(test)]
mod tests;
