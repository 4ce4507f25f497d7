//! What gives pictures and sound: a publisher behind the door with a decoder for each track, or one decoder for a file, a camera,
//! the test picture.

use crate::{
	child::SpawnError,
	decoder::{Decoder, End, Output, Track},
};
use clustercast_media::{
	flv::{Content, Kind, Tag},
	h264,
	timeline::{Notice, Timeline, Track as Which},
};
use std::{path::Path, time::Duration};

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

/// Whether what a newcomer sent can be decoded: a picture comes of it, or sound where it sent no picture.
pub async fn decodes(ffmpeg: &Path, tags: &[Tag]) -> bool {
	let mut publisher = Publisher::new(ffmpeg);
	for tag in tags {
		if publisher.push(tag, Duration::ZERO).is_err() {
			return false;
		}
	}
	publisher.finish();
	let wants_picture = tags.iter().any(|tag| tag.kind == Kind::Picture);
	loop {
		match publisher.next().await {
			Output::Picture { .. } => return true,
			Output::Sound { .. } if !wants_picture => return true,
			Output::Sound { .. } => {},
			Output::End(_) => return false,
		}
	}
}

#[cfg(test)]
mod tests {
	use super::*;

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
}
