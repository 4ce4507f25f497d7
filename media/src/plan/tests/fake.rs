//! Encoders that are none: each unit that they write says what it was made of.

use super::*;

/// What a picture's encoder keeps: lookahead.
pub(super) const LAG: usize = 4;

pub(super) fn picture_tag(key: bool, packet: u8, data: &[u8]) -> Tag {
	let kind = if key { 0x17 } else { 0x27 };
	let body = [&[kind, packet, 0, 0, 0][..], data].concat().into();
	let (kind, stamp) = (Kind::Picture, 0);
	Tag { kind, stamp, body }
}

pub(super) fn sound_tag(packet: u8, data: &[u8]) -> Tag {
	let body = [&[0xaf, packet][..], data].concat().into();
	let (kind, stamp) = (Kind::Sound, 0);
	Tag { kind, stamp, body }
}

/// One of the two.
pub(super) struct Encoder {
	track: Track,
	parameters: &'static [u8],
	pub(super) said: bool,
	in_segment: u32,
	/// Pictures, whole.
	pictures: VecDeque<Bytes>,
	/// Pictures written.
	written: u32,
	/// First samples of frames.
	frames: Vec<i16>,
	/// The left channel, all of it.
	pub(super) heard: Vec<i16>,
	frames_written: usize,
	pub(super) ended: bool,
	pub(super) stopped: bool,
}

impl Encoder {
	pub(super) fn new(track: Track, in_segment: u32, parameters: &'static [u8]) -> Self {
		Self {
			track,
			parameters,
			said: false,
			in_segment,
			pictures: VecDeque::new(),
			written: 0,
			frames: Vec::new(),
			heard: Vec::new(),
			frames_written: 0,
			ended: false,
			stopped: false,
		}
	}

	pub(super) fn eat(&mut self, data: &Bytes) {
		match self.track {
			Track::Picture => self.pictures.push_back(data.clone()),
			Track::Sound => {
				for sample in data.chunks(SAMPLE_BYTES) {
					let left = i16::from_le_bytes([sample[0], sample[1]]);
					if self.heard.len().is_multiple_of(SAMPLES_PER_FRAME as usize) {
						self.frames.push(left);
					}
					self.heard.push(left);
				}
			},
		}
	}

	/// Whether the next picture may go in: a pipe is not endless.
	pub(super) fn hungry(&self) -> bool {
		!self.ended && self.pictures.len() < LAG + 2
	}

	pub(super) fn speak(&mut self) -> Option<Tag> {
		if self.stopped {
			return None;
		}
		match self.track {
			Track::Picture => {
				if !self.said && !self.pictures.is_empty() {
					self.said = true;
					return Some(picture_tag(true, 0, self.parameters));
				}
				if self.pictures.len() <= LAG && !self.ended {
					return None;
				}
				let picture = self.pictures.pop_front()?;
				let key = self.written == 0 || (self.in_segment + self.written).is_multiple_of(60);
				self.written += 1;
				Some(picture_tag(key, 1, &[&[0, 0, 0, 8][..], &picture].concat()))
			},
			Track::Sound => {
				if !self.said && !self.heard.is_empty() {
					self.said = true;
					return Some(sound_tag(0, SOUND));
				}
				let (whole, all) = (self.heard.len() / SAMPLES_PER_FRAME as usize, self.frames.len());
				let ready = if self.ended { all + 1 } else { whole.saturating_sub(1) };
				if self.frames_written >= ready {
					return None;
				}
				// The first one is of the time before what was fed.
				let first = self.frames_written.checked_sub(1).map_or(0, |index| self.frames[index]);
				self.frames_written += 1;
				Some(sound_tag(1, &first.to_be_bytes()))
			},
		}
	}

	pub(super) fn finished(&self) -> bool {
		self.ended
			&& self.pictures.is_empty()
			&& (self.track == Track::Picture || self.frames_written > self.frames.len())
	}
}
