//! A publisher over RTMP that does what it is told, in real time: a clip made once by FFmpeg, of which tags are left out, changed or
//! put off, over a connection that says or breaks off what it likes.

use crate::{
	lab::Lab,
	process::{output, tool},
};
use anyhow::{bail, ensure, Context, Result};
use bytes::BytesMut;
use clustercast_media::{
	flv::{self, Content, Kind, Tag},
	rtmp::{amf, Script},
};
use std::{
	net::SocketAddr,
	sync::{Arc, Mutex, PoisonError},
	time::{Duration, SystemTime, UNIX_EPOCH},
};
use tokio::{
	io::{AsyncReadExt, AsyncWriteExt},
	net::{tcp::OwnedWriteHalf, TcpStream},
	process::Command,
	task::JoinHandle,
	time::{sleep_until, timeout, Instant},
};

/// Longest that FFmpeg may take over a clip, and the door over an answer.
const PATIENCE: Duration = Duration::from_secs(60);

/// Longest tag that FFmpeg makes for us, bytes.
const LONGEST_TAG: usize = 1 << 20;

/// A moving picture and a tone: small, so that a machine with other things to do decodes it in passing. A key frame each second.
pub const PICTURE: &str = "-f lavfi -i testsrc2=s=320x180:r=30";
/// See [`PICTURE`].
pub const TONE: &str = "-f lavfi -i sine=sample_rate=44100";
/// As phones and OBS encode.
pub const ENCODED: &str =
	"-c:v libx264 -preset ultrafast -tune zerolatency -pix_fmt yuv420p -g 30 -b:v 500k -c:a aac -ac 1";

/// Makes a file by FFmpeg in the lab's folder: these arguments, blanks between them, and then its name.
pub async fn make(lab: &Lab, name: &str, arguments: &str) -> Result<std::path::PathBuf> {
	let path = lab.path(name);
	let mut command = Command::new(tool("ffmpeg")?);
	command.args(["-hide_banner", "-loglevel", "error", "-nostdin", "-y"]);
	command.args(arguments.split_whitespace()).arg(&path);
	let made = output(command.current_dir(lab.path("")), PATIENCE).await?;
	let said = String::from_utf8_lossy(&made.stderr);
	ensure!(made.status.success(), "ffmpeg {arguments}: {said}");
	Ok(path)
}

/// What is pushed, again and again.
#[derive(Clone, Debug)]
pub struct Clip {
	tags: Vec<Tag>,
	/// Milliseconds.
	length: u32,
}

impl Clip {
	/// Of this length, of what FFmpeg makes by these arguments.
	pub async fn make(lab: &Lab, name: &str, arguments: &str, seconds: u32) -> Result<Self> {
		let arguments = format!("{arguments} -t {seconds} -f flv");
		let file = std::fs::read(make(lab, name, &arguments).await?)?;
		let mut reader = flv::Reader::new(LONGEST_TAG);
		let (mut rest, mut tags) = (&file[..], Vec::new());
		while let Some(tag) = reader.read(&mut rest)? {
			// What tells the end of one piece of film.
			if !matches!(tag.content()?, Content::EndOfPictures) && tag.stamp < seconds * 1_000 {
				tags.push(tag);
			}
		}
		ensure!(!tags.is_empty(), "{name} is empty");
		Ok(Self {
			tags,
			length: seconds * 1_000,
		})
	}

	/// Its first tag of this kind: the header.
	pub fn header(&self, kind: Kind) -> Result<Tag> {
		let first = self.tags.iter().find(|tag| tag.kind == kind);
		first.cloned().with_context(|| format!("no {kind:?} in the clip"))
	}

	/// The usual one, 10 s long.
	pub async fn usual(lab: &Lab) -> Result<Self> {
		Self::make(lab, "clip.flv", &format!("{PICTURE} {TONE} {ENCODED}"), 10).await
	}
}

/// A span of time, Unix milliseconds.
#[derive(Clone, Copy, Debug)]
pub struct Span {
	/// When its first tag was sent.
	pub begin: u64,
	/// When its last one was.
	pub end: u64,
}

/// Now, Unix milliseconds.
pub fn unix_ms() -> u64 {
	let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
	now.as_millis().try_into().unwrap_or(u64::MAX)
}

/// A publisher's end of a connection. Dropped, it is closed.
pub struct Pusher {
	to_door: OwnedWriteHalf,
	heard: Arc<Mutex<Vec<u8>>>,
	/// Ends with the connection.
	listens: JoinHandle<()>,
	/// With the chunk size of the moment.
	script: Script,
	/// When the media's time was zero.
	zero: Option<Instant>,
	/// How far the clip has come, milliseconds, all its turns together.
	at: u32,
	/// What stamps are ahead of that, milliseconds, modulo 2^32.
	pub ahead: u32,
	/// Tags that are sent at the same time go as one message, an aggregate.
	pub aggregates: bool,
}

impl Pusher {
	/// Connects and says nothing.
	pub async fn connect(to: SocketAddr) -> Result<Self> {
		let stream = TcpStream::connect(to)
			.await
			.with_context(|| format!("nobody at {to}"))?;
		stream.set_nodelay(true)?;
		let (mut from_door, to_door) = stream.into_split();
		let heard = Arc::new(Mutex::new(Vec::new()));
		let hears = heard.clone();
		let listens = tokio::spawn(async move {
			let mut piece = [0; 4_096];
			while let Ok(length @ 1..) = from_door.read(&mut piece).await {
				let mut heard = hears.lock().unwrap_or_else(PoisonError::into_inner);
				heard.extend_from_slice(&piece[..length]);
			}
		});
		Ok(Self {
			to_door,
			heard,
			listens,
			script: Script::default(),
			zero: None,
			at: 0,
			ahead: 0,
			aggregates: false,
		})
	}

	/// Connects as OBS does, in chunks of 4,096 bytes.
	pub async fn publish(to: SocketAddr, app: &str, key: &str) -> Result<Self> {
		let mut pusher = Self::connect(to).await?;
		pusher.say(Script::obs(app, key).chunks_of(4_096)).await?;
		Ok(pusher)
	}

	/// Says whatever it is.
	///
	/// # Errors
	/// When the connection is closed.
	pub async fn say(&mut self, script: Script) -> Result<()> {
		self.script = script.next();
		let said = self.to_door.write_all(script.bytes()).await;
		said.with_context(|| format!("the door closed the connection; it said {:?}", self.heard()))
	}

	/// What was said is as good as nothing: begins to write behind it.
	pub fn script(&self) -> Script {
		self.script.next()
	}

	/// What the door said so far, as far as it can be read.
	pub fn heard(&self) -> String {
		let heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
		// The greeting is noise.
		String::from_utf8_lossy(heard.get(1 + 2 * 1_536..).unwrap_or_default())
			.chars()
			.filter(|c| c.is_ascii_graphic() || *c == ' ')
			.collect()
	}

	/// Whether the door has closed the connection.
	pub fn is_closed(&self) -> bool {
		self.listens.is_finished()
	}

	/// Waits until the door closes the connection; what it said.
	pub async fn closed(&mut self) -> Result<String> {
		match timeout(PATIENCE, &mut self.listens).await {
			Ok(_) => Ok(self.heard()),
			Err(_) => bail!("the door still holds the connection; it said {:?}", self.heard()),
		}
	}

	/// Waits until the door said this.
	pub async fn told(&self, what: &str) -> Result<()> {
		let told = async {
			while !self.heard().contains(what) {
				tokio::time::sleep(Duration::from_millis(20)).await;
			}
		};
		let told = timeout(PATIENCE, told).await;
		told.with_context(|| format!("the door did not say {what:?}, but {:?}", self.heard()))
	}

	/// Pushes the clip for so long, as a healthy publisher does.
	pub async fn push(&mut self, clip: &Clip, seconds: f64) -> Result<Span> {
		self.push_edited(clip, seconds, |_, tag| vec![tag]).await
	}

	/// The same, with only those tags that `takes`.
	pub async fn push_only(&mut self, clip: &Clip, seconds: f64, takes: impl Fn(&Tag) -> bool) -> Result<Span> {
		self.push_edited(clip, seconds, |_, tag| if takes(&tag) { vec![tag] } else { vec![] })
			.await
	}

	/// The same, with what `edit` makes of each tag; it is told how far it has come in this span, in seconds. The clip's headers
	/// are sent at the connection's begin, and again with each of its turns, as with a publisher that plays a list.
	pub async fn push_edited(
		&mut self,
		clip: &Clip,
		seconds: f64,
		mut edit: impl FnMut(f64, Tag) -> Vec<Tag>,
	) -> Result<Span> {
		let zero = *self.zero.get_or_insert_with(Instant::now);
		let begin_at = self.at;
		let end_at = begin_at + (seconds * 1_000.0) as u32;
		let mut first = begin_at == 0;
		let begin = unix_ms();
		for turn in begin_at / clip.length..=end_at / clip.length {
			for tag in &clip.tags {
				let at = turn * clip.length + tag.stamp;
				// What stands at zero of the first turn is sent once, whatever part is asked for.
				if at >= end_at || at < begin_at || (at == begin_at && !first && is_header(tag)) {
					continue;
				}
				let due = zero + Duration::from_millis(at.into());
				sleep_until(due).await;
				let edited = edit(
					f64::from(at - begin_at) / 1_000.0,
					Tag {
						stamp: at.wrapping_add(self.ahead),
						..tag.clone()
					},
				);
				if edited.is_empty() {
					continue;
				}
				let mut script = self.script();
				if self.aggregates {
					script = aggregate(script, &edited)?;
				} else {
					script = edited.iter().fold(script, write);
				}
				self.say(script).await?;
			}
			first = false;
		}
		let end = zero + Duration::from_millis(end_at.into());
		sleep_until(end).await;
		self.at = end_at;
		Ok(Span { begin, end: unix_ms() })
	}

	/// The same connection publishes from the start again.
	#[must_use]
	pub fn anew(mut self) -> Self {
		(self.zero, self.at) = (None, 0);
		self
	}

	/// Goes on with another clip, from its start: stamps go on.
	pub async fn push_another(&mut self, clip: &Clip, seconds: f64) -> Result<Span> {
		self.ahead = self.ahead.wrapping_add(self.at);
		(self.zero, self.at) = (None, 0);
		self.push(clip, seconds).await
	}

	/// From now on stamps are so much later, seconds.
	pub fn jump(&mut self, by: f64) {
		self.ahead = self.ahead.wrapping_add((by * 1_000.0) as i64 as u32);
	}

	/// Says nothing for so long, and its stamps count it.
	pub async fn pause(&mut self, clip: &Clip, seconds: f64) -> Result<Span> {
		self.push_only(clip, seconds, |_| false).await
	}

	/// Ends as OBS does.
	pub async fn leave(mut self) -> Result<()> {
		self.say(
			self.script()
				.call("FCUnpublish", 6.0, &[])
				.call("deleteStream", 7.0, &[]),
		)
		.await?;
		self.told("NetStream.Unpublish.Success").await
	}
}

impl Drop for Pusher {
	fn drop(&mut self) {
		self.listens.abort();
	}
}

/// Whether it is a sequence header, or metadata.
pub fn is_header(tag: &Tag) -> bool {
	let content = tag.content();
	matches!(
		content,
		Ok(Content::PictureHeader(_) | Content::SoundHeader(_) | Content::Script)
	)
}

/// Whether it is of the picture, the header included.
pub fn is_picture(tag: &Tag) -> bool {
	tag.kind == Kind::Picture
}

/// Whether it is of the sound, the header included.
pub fn is_sound(tag: &Tag) -> bool {
	tag.kind == Kind::Sound
}

/// As a publisher sends it: sound, pictures and metadata on chunk streams of their own.
pub fn write(script: Script, tag: &Tag) -> Script {
	match tag.kind {
		Kind::Sound => script.message_on(4, 8, tag.stamp, &tag.body),
		Kind::Picture => script.message_on(6, 9, tag.stamp, &tag.body),
		Kind::Script => {
			let mut wrapped = BytesMut::new();
			amf::put_text(&mut wrapped, "@setDataFrame");
			wrapped.extend_from_slice(&tag.body);
			script.message_on(5, 18, 0, &wrapped)
		},
	}
}

/// All of them in one message.
fn aggregate(script: Script, tags: &[Tag]) -> Result<Script> {
	let mut payload = BytesMut::new();
	tags.iter().try_for_each(|tag| flv::write(tag, &mut payload))?;
	Ok(script.message_on(6, 22, tags[0].stamp, &payload))
}
