//! What gives pictures and sound: a publisher behind the door with a decoder for each track, or one decoder for a file, a camera,
//! the test picture.

use crate::{
	child::SpawnError,
	decoder::{Decoder, End, Output, Track},
	door::Verdict,
};
use clustercast_media::{
	flv::{Content, Kind, Tag},
	h264,
	timeline::{Notice, Timeline, Track as Which},
};
use std::{path::Path, time::Duration};
use tokio::time::timeout;

/// A publisher's axis is begun anew after so long: stamps of the decoders count milliseconds in 31 bits, 24 days.
const RENEW: Duration = Duration::from_secs(12 * 24 * 3600);

/// Whatever is decoded.
#[derive(Debug)]
pub enum Source {
	/// Over RTMP.
	Publisher(Box<Publisher>),
	/// Brings its own time.
	Own(Decoder),
}

impl Source {
	/// What was decoded next; the end once nothing follows. Cancel safe.
	pub async fn next(&mut self) -> Output {
		match self {
			Self::Publisher(publisher) => publisher.next().await,
			Self::Own(decoder) => decoder.next().await,
		}
	}
}

/// Somebody who publishes.
#[derive(Debug)]
pub struct Publisher {
	timeline: Timeline,
	picture: Track,
	sound: Track,
	/// The newest headers: what comes later needs them.
	headers: [Option<Tag>; 2],
	/// Bytes of the length before each NAL unit.
	length_bytes: usize,
	/// There are captions in its pictures.
	captions: bool,
	picture_is_over: bool,
	sound_is_over: bool,
}

impl Publisher {
	/// Decodes with this FFmpeg.
	pub fn new(ffmpeg: &Path) -> Self {
		Self {
			timeline: Timeline::new(),
			picture: Track::new(ffmpeg),
			sound: Track::new(ffmpeg),
			headers: [None, None],
			length_bytes: 4,
			captions: false,
			picture_is_over: false,
			sound_is_over: false,
		}
	}

	/// The same with no filter that an FFmpeg may lack.
	fn plain(ffmpeg: &Path) -> Self {
		Self {
			picture: Track::plain(ffmpeg),
			..Self::new(ffmpeg)
		}
	}

	/// One with the same headers, for what follows.
	pub fn renewed(&self, ffmpeg: &Path, now: Duration) -> Result<Self, SpawnError> {
		let mut new = Self::new(ffmpeg);
		for header in self.headers.iter().flatten() {
			new.push(header, now)?;
		}
		Ok(new)
	}

	/// Whether it is time for that.
	pub fn is_old(&self) -> bool {
		self.timeline.last(Which::Picture).max(self.timeline.last(Which::Sound)) > RENEW
	}

	/// Whether captions came in its pictures: they are lost.
	pub fn has_captions(&self) -> bool {
		self.captions
	}

	/// Takes a tag that arrived at `now`; what is odd about its stamp.
	///
	/// # Errors
	/// When FFmpeg cannot be started.
	pub fn push(&mut self, tag: &Tag, now: Duration) -> Result<Option<Notice>, SpawnError> {
		let (which, decoder) = match tag.kind {
			Kind::Picture => (Which::Picture, &mut self.picture),
			Kind::Sound => (Which::Sound, &mut self.sound),
			Kind::Script => return Ok(None),
		};
		let content = tag.content();
		match &content {
			Ok(Content::PictureHeader(record)) => self.length_bytes = h264::length_bytes(record),
			Ok(Content::Frame { data, .. }) => {
				self.captions = self.captions || h264::has_captions(data, self.length_bytes)
			},
			_ => {},
		}
		let (at, notice) = match content {
			Ok(Content::Frame { .. } | Content::Sound(_)) => {
				let placed = self.timeline.place(which, tag.stamp, now);
				(placed.at, placed.notice)
			},
			content => {
				if matches!(content, Ok(Content::PictureHeader(_) | Content::SoundHeader(_))) {
					self.headers[usize::from(which == Which::Sound)] = Some(tag.clone());
				}
				(self.timeline.last(which), None)
			},
		};
		decoder.push(&Tag {
			stamp: (at.as_millis() & u128::from(u32::MAX)) as u32,
			..tag.clone()
		})?;
		Ok(notice)
	}

	/// No tag follows: what is held still comes.
	pub fn finish(&mut self) {
		self.picture.finish();
		self.sound.finish();
	}

	async fn next(&mut self) -> Output {
		loop {
			let output = tokio::select! {
				output = self.picture.next(), if !self.picture_is_over => {
					self.picture_is_over = matches!(output, Output::End(_));
					output
				},
				output = self.sound.next(), if !self.sound_is_over => {
					self.sound_is_over = matches!(output, Output::End(_));
					output
				},
				else => return Output::End(End::Over),
			};
			if !matches!(output, Output::End(_)) {
				return output;
			}
		}
	}
}

/// Whether what a newcomer sent can be decoded: a picture comes of it, or sound where it sent none that decoding can begin with.
/// What takes longer than `limit`, or does not start, says something of this machine alone.
pub async fn decodes(ffmpeg: &Path, tags: &[Tag], limit: Duration) -> Verdict {
	let verdict = timeout(limit, async {
		match decode(Publisher::new(ffmpeg), tags).await {
			// Who is live is given a second try, too.
			Verdict::Undecodable => decode(Publisher::plain(ffmpeg), tags).await,
			verdict => verdict,
		}
	});
	verdict.await.unwrap_or(Verdict::Unknown)
}

async fn decode(mut publisher: Publisher, tags: &[Tag]) -> Verdict {
	for tag in tags {
		if publisher.push(tag, Duration::ZERO).is_err() {
			return Verdict::Unknown;
		}
	}
	publisher.finish();
	// A header alone is none: who is muted, or whose key frames are far apart, sends its first one later.
	let wants_picture = tags
		.iter()
		.any(|tag| matches!(tag.content(), Ok(Content::Frame { key: true, .. })));
	loop {
		match publisher.next().await {
			Output::Picture { .. } => return Verdict::Decodes,
			Output::Sound { .. } if !wants_picture => return Verdict::Decodes,
			Output::Sound { .. } => {},
			Output::End(_) => return Verdict::Undecodable,
		}
	}
}

#[cfg(test)]
mod tests {
	use super::*;
	use clustercast_media::flv::Reader;
	use std::{fs, os::unix::fs::PermissionsExt, path::PathBuf, process::Command};

	#[test]
	fn captions_in_a_publishers_pictures_are_noticed() {
		let sei = b"\x06\x04\x0e\xb5\0\x31GA94\x03\x41\xff\xfc\x94\x2c\xff\x80";
		let slice = b"\x65\x88\x84";
		let push = |units: &[&[u8]]| {
			let length = |unit: &&[u8]| [&(unit.len() as u32).to_be_bytes(), *unit].concat();
			let units: Vec<u8> = units.iter().flat_map(length).collect();
			let mut publisher = Publisher::new(Path::new("no-such-ffmpeg"));
			let (kind, stamp, body) = (Kind::Picture, 0, [&[0x17, 1, 0, 0, 0][..], &units].concat().into());
			publisher.push(&Tag { kind, stamp, body }, Duration::ZERO).unwrap();
			publisher.has_captions()
		};
		assert!(push(&[sei, slice]));
		assert!(!push(&[slice]));
	}

	/// How long anything may take on a busy machine.
	const LIMIT: Duration = Duration::from_secs(60);

	/// What a publisher sends in a second.
	fn tags(options: &str) -> Vec<Tag> {
		let made = Command::new("ffmpeg")
			.args("-nostdin -loglevel error -f lavfi -i testsrc=s=320x180:r=30:d=1 -f lavfi -i sine=d=1".split(' '))
			.args("-c:v libx264 -preset ultrafast -pix_fmt yuv420p -g 30 -c:a aac".split(' '))
			.args(options.split_whitespace())
			.args(["-f", "flv", "-"])
			.output()
			.unwrap();
		assert!(made.status.success());
		let (mut reader, mut input) = (Reader::new(1 << 24), &made.stdout[..]);
		std::iter::from_fn(|| reader.read(&mut input).unwrap())
			.filter(|tag| tag.kind != Kind::Script)
			.collect()
	}

	async fn verdict(ffmpeg: impl AsRef<Path>, tags: &[Tag], limit: Duration) -> Verdict {
		decodes(ffmpeg.as_ref(), tags, limit).await
	}

	#[tokio::test]
	async fn newcomer_is_judged_by_what_it_sent() {
		let all = tags("");
		assert_eq!(verdict("ffmpeg", &all, LIMIT).await, Verdict::Decodes);
		// Its picture is muted, or its first key frame is still to come: so far there is sound, and a header.
		let is_header = |tag: &Tag| matches!(tag.content(), Ok(Content::PictureHeader(_)));
		let muted: Vec<Tag> = all
			.iter()
			.filter(|tag| tag.kind == Kind::Sound || is_header(tag))
			.cloned()
			.collect();
		assert!(muted.iter().any(is_header) && muted.len() > 20);
		assert_eq!(verdict("ffmpeg", &muted, LIMIT).await, Verdict::Decodes);
		// No picture comes of these, and the sound beside them is no excuse.
		let mut broken = all;
		for tag in broken
			.iter_mut()
			.filter(|tag| tag.kind == Kind::Picture && !is_header(tag))
		{
			let (head, data) = tag.body.split_at(5);
			tag.body = [head, &vec![0xA5; data.len()]].concat().into();
		}
		assert_eq!(verdict("ffmpeg", &broken, LIMIT).await, Verdict::Undecodable);
	}

	/// A program of this name that is this script.
	fn program(dir: &Path, script: &str) -> PathBuf {
		let path = dir.join("ffmpeg");
		fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
		fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
		path
	}

	#[tokio::test]
	async fn newcomer_is_not_blamed_for_this_machine() {
		let dir = tempfile::tempdir().unwrap();
		let all = tags("-color_trc smpte2084");
		assert_eq!(verdict("no-such-ffmpeg", &all, LIMIT).await, Verdict::Unknown);
		let slow = program(dir.path(), "exec sleep 600");
		assert_eq!(verdict(&slow, &all, Duration::from_millis(50)).await, Verdict::Unknown);
		let poor = program(dir.path(), r#"case "$*" in *zscale*) exit 1;; esac; exec ffmpeg "$@""#);
		assert_eq!(verdict(&poor, &all, LIMIT).await, Verdict::Decodes);
	}
}
