//! What is in a file, from ffprobe: what of it is played, and what is said about it.

use super::{
	command::{file, Choice, Stream},
	StartError,
};
use crate::child::Child;
use clustercast_media::h264::Shape;
use serde::Deserialize;
use std::{
	collections::HashMap,
	fmt,
	path::{Path, PathBuf},
	process::Stdio,
	time::Duration,
};
use tokio::{io::AsyncReadExt, time::timeout};

/// How long ffprobe may take: it reads some MB.
const PROBE_LIMIT: Duration = Duration::from_secs(20);

/// Packets that are decoded to see whether there are captions: they come with each picture, mostly. 2 s of picture and sound.
const LOOKED_AT: u32 = 150;

/// Longest answer of ffprobe: some kB for each stream. Bytes.
const MAX_ANSWER: u64 = 1024 * 1024;

/// What is played of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Contents {
	/// Its first film, or else a cover.
	pub picture: Option<PictureInfo>,
	/// Its first sound.
	pub sound: Option<SoundInfo>,
	/// There are captions in its first pictures.
	pub captions: bool,
	/// Tracks of subtitles.
	pub subtitles: usize,
	length: Option<Duration>,
}

/// A file's pictures.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PictureInfo {
	/// FFmpeg's name of the codec.
	pub codec: String,
	/// Pictures a second, a fraction; 0/0 where nobody knows.
	pub rate: (u32, u32),
	/// One picture that stands while the music plays.
	pub cover: bool,
	/// Its size and colours.
	pub shape: Shape,
	number: u32,
}

/// A file's sound.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SoundInfo {
	/// FFmpeg's name of the codec.
	pub codec: String,
	/// Samples a second.
	pub rate: u32,
	/// At least 1.
	pub channels: u32,
	number: u32,
	/// To the sample, where the file says it.
	length: Option<Duration>,
}

/// How long a file is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Length {
	/// About, where the file says it.
	pub(super) all: Option<Duration>,
	/// Of its sound, to the sample.
	pub(super) sound: Option<Duration>,
}

impl fmt::Display for Contents {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		match &self.picture {
			None => f.write_str("no picture")?,
			Some(PictureInfo {
				codec,
				rate,
				cover,
				shape,
				..
			}) => {
				write!(f, "{codec} {}x{}", shape.width, shape.height)?;
				match rate {
					_ if *cover => f.write_str(", a cover")?,
					(_, 0) | (0, _) => {},
					(pictures, 1) => write!(f, " at {pictures}/s")?,
					(pictures, seconds) => write!(f, " at {:.2}/s", f64::from(*pictures) / f64::from(*seconds))?,
				}
				if shape.interlaced {
					f.write_str(", interlaced")?;
				}
			},
		}
		match &self.sound {
			None => f.write_str("; no sound"),
			Some(SoundInfo {
				codec, rate, channels, ..
			}) => write!(f, "; {codec} {rate} Hz, {channels} channels"),
		}
	}
}

impl Contents {
	/// How long it is.
	pub(super) fn length(&self) -> Length {
		Length {
			all: self.length,
			sound: self.sound.as_ref().and_then(|sound| sound.length),
		}
	}

	/// What is decoded of it.
	pub(super) fn choice(&self) -> Choice {
		Choice {
			picture: self
				.picture
				.as_ref()
				.map(|picture| (Stream::Number(picture.number), picture.shape)),
			sound: self.sound.as_ref().map(|sound| Stream::Number(sound.number)),
		}
	}
}

#[derive(Deserialize)]
struct Answer {
	#[serde(default)]
	streams: Vec<Found>,
	#[serde(default)]
	frames: Vec<Decoded>,
	#[serde(default)]
	format: Container,
}

#[derive(Default, Deserialize)]
struct Container {
	duration: Option<String>,
}

/// One of the first pictures, some sound, or a subtitle, of which nothing is said.
#[derive(Deserialize)]
struct Decoded {
	stream_index: Option<u32>,
	#[serde(default)]
	side_data_list: Vec<SideData>,
}

#[derive(Deserialize)]
struct SideData {
	side_data_type: Option<String>,
}

/// A stream as ffprobe describes it.
#[derive(Deserialize)]
struct Found {
	index: u32,
	codec_type: Option<String>,
	codec_name: Option<String>,
	#[serde(default)]
	width: u32,
	#[serde(default)]
	height: u32,
	avg_frame_rate: Option<String>,
	field_order: Option<String>,
	color_space: Option<String>,
	color_transfer: Option<String>,
	sample_rate: Option<String>,
	time_base: Option<String>,
	duration_ts: Option<u64>,
	#[serde(default)]
	channels: u32,
	#[serde(default)]
	disposition: HashMap<String, u32>,
}

impl Found {
	fn is(&self, kind: &str) -> bool {
		// Without a name there is no decoder.
		self.codec_type.as_deref() == Some(kind) && self.codec_name.as_deref().is_some_and(|name| name != "unknown")
	}

	fn cover(&self) -> bool {
		self.disposition
			.get("attached_pic")
			.is_some_and(|attached| *attached != 0)
	}

	fn picture(&self) -> PictureInfo {
		let rate = self.avg_frame_rate.as_deref().and_then(|rate| rate.split_once('/'));
		let rate = rate.and_then(|(pictures, seconds)| Some((pictures.parse().ok()?, seconds.parse().ok()?)));
		let transfer = self.color_transfer.as_deref();
		PictureInfo {
			codec: self.codec_name.clone().unwrap_or_default(),
			rate: rate.unwrap_or_default(),
			cover: self.cover(),
			shape: Shape {
				width: self.width,
				height: self.height,
				// What does not say may hold fields: a file has time to look at each picture.
				interlaced: !self.cover() && self.field_order.as_deref() != Some("progressive"),
				tagged: self.color_space.as_deref().is_some_and(|space| space != "unknown"),
				high_dynamic_range: matches!(transfer, Some("smpte2084" | "arib-std-b67")),
			},
			number: self.index,
		}
	}

	fn sound(&self) -> SoundInfo {
		let rate = self.sample_rate.as_deref().and_then(|rate| rate.parse().ok());
		let rate: u32 = rate.unwrap_or_default();
		// Others are estimates, or rounded.
		let exact = rate > 0 && self.time_base.as_deref() == Some(format!("1/{rate}").as_str());
		let samples = self.duration_ts.filter(|samples| exact && *samples > 0);
		SoundInfo {
			codec: self.codec_name.clone().unwrap_or_default(),
			rate,
			channels: self.channels,
			number: self.index,
			length: samples.map(|samples| Duration::from_secs_f64(samples as f64 / f64::from(rate))),
		}
	}
}

/// ffprobe, beside this FFmpeg.
fn ffprobe(ffmpeg: &Path) -> PathBuf {
	ffmpeg.with_file_name("ffprobe")
}

/// What is in this regular file.
pub(super) async fn probe(ffmpeg: &Path, path: &Path) -> Result<Contents, StartError> {
	let words = format!(
		"-hide_banner -loglevel error -protocol_whitelist file,pipe,fd -of json -show_streams -read_intervals %+#{LOOKED_AT} \
		 -show_entries format=duration:frame=stream_index:frame_side_data=side_data_type -i"
	);
	let args = words.split(' ').map(Into::into).chain([file(path)]);
	let mut child = Child::spawn::<std::ffi::OsString>(&ffprobe(ffmpeg), args, Stdio::null())?;
	let stdout = child.stdout.take().expect("a child's output is a pipe");
	let mut text = Vec::new();
	let _ = timeout(PROBE_LIMIT, stdout.take(MAX_ANSWER).read_to_end(&mut text)).await;
	let exit = child.end().await.map_err(|error| StartError::Input {
		path: path.into(),
		error,
	})?;
	if let Some(cause) = exit.cause() {
		return Err(StartError::Unreadable {
			path: path.into(),
			cause,
		});
	}
	let answer: Answer = serde_json::from_slice(&text).map_err(|_| StartError::Empty { path: path.into() })?;
	contents(&answer).ok_or_else(|| StartError::Empty { path: path.into() })
}

fn contents(
	Answer {
		streams,
		frames,
		format,
	}: &Answer,
) -> Option<Contents> {
	let length = format.duration.as_ref().and_then(|duration| duration.parse().ok());
	let length = length.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
	let films = || streams.iter().filter(|stream| stream.is("video") && stream.width > 0);
	let film = films().find(|stream| !stream.cover());
	let picture = film.or_else(|| films().next()).map(Found::picture);
	let sound = streams
		.iter()
		.find(|stream| stream.is("audio") && stream.channels > 0)
		.map(Found::sound);
	let says = |kind: &SideData| {
		kind.side_data_type
			.as_deref()
			.is_some_and(|kind| kind.contains("Closed Captions"))
	};
	let captions = picture.as_ref().is_some_and(|picture| {
		let mut pictures = frames.iter().filter(|frame| frame.stream_index == Some(picture.number));
		pictures.any(|frame| frame.side_data_list.iter().any(says))
	});
	(picture.is_some() || sound.is_some()).then(|| Contents {
		picture,
		sound,
		captions,
		subtitles: streams.iter().filter(|stream| stream.is("subtitle")).count(),
		length,
	})
}
