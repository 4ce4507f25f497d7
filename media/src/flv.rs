//! FLV tags: what RTMP carries, what decoders read and encoders write; what is in them, and files of them.
//!
//! ```text
//! file   "FLV" 1 tracks:u8 9:u32 0:u32, then tags
//! tag    kind:u8 length:u24 stamp:u24 stamp>>24:u8 0:u24 body, then 11 + length:u32
//! body   picture: frame type:u4 7:u4     packet:u8 composition offset:i24 data         H.264
//!                 1:u1 frame type:u3 packet:u4 FourCC …                                 enhanced RTMP
//!        sound:   10:u4 ignored:u4       packet:u8 data                                AAC
//!                 9:u4 packet:u4 FourCC …                                              enhanced RTMP
//! ```
//!
//! Sources: Adobe Flash Video File Format 10.1, annex E; Veovera Enhanced RTMP v2.

use bytes::{BufMut, Bytes, BytesMut};
use std::fmt;

/// What a tag holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
	/// AAC, as a publisher or an encoder makes it.
	Sound,
	/// H.264 likewise.
	Picture,
	/// AMF data, of which only `onMetaData` is of use.
	Script,
}

/// One tag, without the framing around it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tag {
	/// What it holds.
	pub kind: Kind,
	/// Milliseconds, modulo 2^32.
	pub stamp: u32,
	/// Codec byte and what follows.
	pub body: Bytes,
}

/// What a tag's body is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
	/// `AVCDecoderConfigurationRecord`: H.264's parameter sets.
	PictureHeader(Bytes),
	/// A coded picture.
	Frame {
		/// Decodable by itself.
		key: bool,
		/// From decoding to showing, milliseconds.
		offset: i32,
		/// NAL units, each behind its length.
		data: Bytes,
	},
	/// No more pictures under this header.
	EndOfPictures,
	/// `AudioSpecificConfig` of AAC.
	SoundHeader(Bytes),
	/// An AAC frame.
	Sound(Bytes),
	/// AMF data.
	Script,
	/// Of no use, and harmless: empty bodies (OBS and phones send them), seek commands, HDR metadata.
	Nothing,
	/// What is not taken, by name.
	Unsupported(Codec),
}

/// A codec that is neither H.264 nor AAC.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub enum Codec {
	/// By the name that people know it under.
	Known(&'static str),
	/// Enhanced RTMP's four letters.
	FourCc([u8; 4]),
	/// FLV's number of a picture's codec.
	Picture(u8),
	/// FLV's number of a sound's codec.
	Sound(u8),
}

impl fmt::Display for Codec {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		match self {
			Self::Known(name) => f.write_str(name),
			// A stranger's bytes: only what is a letter goes into a log.
			Self::FourCc(code) if code.iter().all(|c| c.is_ascii_graphic()) => {
				code.iter().try_for_each(|c| write!(f, "{}", char::from(*c)))
			},
			Self::FourCc(code) => write!(f, "codec {:#010x}", u32::from_be_bytes(*code)),
			Self::Picture(number) => write!(f, "picture codec {number}"),
			Self::Sound(number) => write!(f, "sound codec {number}"),
		}
	}
}

impl fmt::Debug for Codec {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		fmt::Display::fmt(self, f)
	}
}

impl Codec {
	fn four_cc(code: [u8; 4]) -> Self {
		match &code {
			b"hvc1" | b"hev1" => Self::Known("HEVC"),
			b"av01" => Self::Known("AV1"),
			b"vp09" => Self::Known("VP9"),
			b"vp08" => Self::Known("VP8"),
			b"vvc1" => Self::Known("VVC"),
			b"Opus" => Self::Known("Opus"),
			b"fLaC" => Self::Known("FLAC"),
			b"ac-3" => Self::Known("AC-3"),
			b"ec-3" => Self::Known("E-AC-3"),
			b".mp3" => Self::Known("MP3"),
			_ => Self::FourCc(code),
		}
	}

	fn legacy_picture(number: u8) -> Self {
		match number {
			1 => Self::Known("JPEG"),
			2 => Self::Known("Sorenson H.263"),
			3 | 6 => Self::Known("Screen Video"),
			4 | 5 => Self::Known("VP6"),
			8 => Self::Known("H.263"),
			9 => Self::Known("MPEG-4 part 2"),
			// Numbers that encoders took before enhanced RTMP gave them letters.
			12 => Self::Known("HEVC"),
			13 => Self::Known("AV1"),
			_ => Self::Picture(number),
		}
	}

	fn legacy_sound(number: u8) -> Self {
		match number {
			0 | 3 => Self::Known("PCM"),
			1 => Self::Known("ADPCM"),
			2 | 14 => Self::Known("MP3"),
			4..=6 => Self::Known("Nellymoser"),
			7 | 8 => Self::Known("G.711"),
			11 => Self::Known("Speex"),
			13 => Self::Known("Opus"),
			_ => Self::Sound(number),
		}
	}
}

/// Several tracks in one message: nothing here takes them apart.
const MULTITRACK: Codec = Codec::Known("enhanced RTMP with several tracks");

/// H.264 among FLV's numbers of pictures' codecs.
const H264: u8 = 7;

/// AAC among those of sounds, with the bits that FLV wants beside it (44.1 kHz, 16 bit, stereo: ignored for AAC).
const AAC: u8 = 10;
const AAC_BYTE: u8 = AAC << 4 | 0xF;

/// Enhanced RTMP's mark in place of a sound's codec.
const ENHANCED_SOUND: u8 = 9;

/// Why bytes are no FLV.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FlvError {
	/// A body that ends before its own header does.
	#[error("a {0:?} tag ends early")]
	Short(Kind),
	/// A packet type that no specification has.
	#[error("a {0:?} tag has the unknown packet type {1}")]
	Packet(Kind, u8),
	/// Something else in place of the file's header.
	#[error("not an FLV file")]
	Header,
	/// Neither sound, picture nor script, or encrypted.
	#[error("unknown kind of tag: {0}")]
	Kind(u8),
	/// Longer than the reader takes.
	#[error("a tag of {length} bytes; allowed are {limit}")]
	Long {
		/// Of its body, bytes.
		length: usize,
		/// As given to the reader.
		limit: usize,
	},
	/// The length behind a tag is not the tag's.
	#[error("a tag of {0} bytes is said to have {1}")]
	Back(u32, u32),
}

impl Tag {
	/// What its body is. Never fails for what an encoder of good repute sends.
	pub fn content(&self) -> Result<Content, FlvError> {
		match self.kind {
			Kind::Script => Ok(Content::Script),
			_ if self.body.is_empty() => Ok(Content::Nothing),
			Kind::Picture => self.picture(),
			Kind::Sound => self.sound(),
		}
	}

	/// The same in the form that decoders of any age read: enhanced RTMP's `avc1` and `mp4a` become what they were before.
	/// Everything else is as it was.
	pub fn plain(self) -> Self {
		let enhanced = match self.kind {
			Kind::Picture => self.body.first().is_some_and(|b| b & 0x80 != 0),
			Kind::Sound => self.body.first().is_some_and(|b| b >> 4 == ENHANCED_SOUND),
			Kind::Script => false,
		};
		if !enhanced {
			return self;
		}
		let body = match self.content() {
			Ok(Content::PictureHeader(data)) => picture(true, 0, 0, &data),
			Ok(Content::Frame { key, offset, data }) => picture(key, 1, offset, &data),
			Ok(Content::EndOfPictures) => picture(true, 2, 0, &[]),
			Ok(Content::SoundHeader(data)) => sound(0, &data),
			Ok(Content::Sound(data)) => sound(1, &data),
			_ => return self,
		};
		Self { body, ..self }
	}

	fn short(&self) -> FlvError {
		FlvError::Short(self.kind)
	}

	fn picture(&self) -> Result<Content, FlvError> {
		let first = self.body[0];
		if first & 0x80 != 0 {
			return self.enhanced_picture(first >> 4 & 7, first & 0xF);
		}
		let (kind, codec) = (first >> 4, first & 0xF);
		if codec != H264 {
			return Ok(Content::Unsupported(Codec::legacy_picture(codec)));
		}
		if kind == 5 {
			return Ok(Content::Nothing);
		}
		let packet = *self.body.get(1).ok_or(self.short())?;
		match packet {
			0 => self.rest(5).map(Content::PictureHeader),
			1 => self.frame(kind, 2),
			2 => Ok(Content::EndOfPictures),
			other => Err(FlvError::Packet(self.kind, other)),
		}
	}

	/// `kind`: 1 is a key frame. `packet`: what comes behind the four letters.
	fn enhanced_picture(&self, kind: u8, packet: u8) -> Result<Content, FlvError> {
		let (packet, at) = self.behind_modifiers(packet, 7)?;
		if packet == 6 {
			return Ok(Content::Unsupported(MULTITRACK));
		}
		let code = self.four_cc(at)?;
		if code != *b"avc1" {
			return Ok(Content::Unsupported(Codec::four_cc(code)));
		}
		match packet {
			_ if kind == 5 => Ok(Content::Nothing),
			0 => self.rest(at + 4).map(Content::PictureHeader),
			1 => self.frame(kind, at + 4),
			2 => Ok(Content::EndOfPictures),
			3 => Ok(Content::Frame {
				key: kind == 1,
				offset: 0,
				data: self.rest(at + 4)?,
			}),
			4 => Ok(Content::Nothing),
			other => Err(FlvError::Packet(self.kind, other)),
		}
	}

	fn sound(&self) -> Result<Content, FlvError> {
		let codec = self.body[0] >> 4;
		if codec == ENHANCED_SOUND {
			return self.enhanced_sound(self.body[0] & 0xF);
		}
		if codec != AAC {
			return Ok(Content::Unsupported(Codec::legacy_sound(codec)));
		}
		match self.body.get(1) {
			// A muted encoder's.
			None => Ok(Content::Nothing),
			Some(0) => self.rest(2).map(Content::SoundHeader),
			Some(1) => self.rest(2).map(Content::Sound),
			Some(other) => Err(FlvError::Packet(self.kind, *other)),
		}
	}

	fn enhanced_sound(&self, packet: u8) -> Result<Content, FlvError> {
		let (packet, at) = self.behind_modifiers(packet, 7)?;
		if packet == 5 {
			return Ok(Content::Unsupported(MULTITRACK));
		}
		let code = self.four_cc(at)?;
		if code != *b"mp4a" {
			return Ok(Content::Unsupported(Codec::four_cc(code)));
		}
		match packet {
			0 => self.rest(at + 4).map(Content::SoundHeader),
			1 => self.rest(at + 4).map(Content::Sound),
			2 | 4 => Ok(Content::Nothing),
			other => Err(FlvError::Packet(self.kind, other)),
		}
	}

	/// Enhanced RTMP puts modifiers (times in nanoseconds) before the packet: its type and where it goes on.
	fn behind_modifiers(&self, mut packet: u8, modifier: u8) -> Result<(u8, usize), FlvError> {
		let mut at = 1;
		while packet == modifier {
			let mut length = usize::from(*self.body.get(at).ok_or(self.short())?) + 1;
			at += 1;
			if length == 256 {
				let long = self.body.get(at..at + 2).ok_or(self.short())?;
				length = usize::from(u16::from_be_bytes([long[0], long[1]])) + 1;
				at += 2;
			}
			at += length;
			packet = self.body.get(at).ok_or(self.short())? & 0xF;
			at += 1;
		}
		Ok((packet, at))
	}

	fn four_cc(&self, at: usize) -> Result<[u8; 4], FlvError> {
		let code = self.body.get(at..at + 4).ok_or(self.short())?;
		Ok([code[0], code[1], code[2], code[3]])
	}

	fn frame(&self, kind: u8, at: usize) -> Result<Content, FlvError> {
		let offset = self.body.get(at..at + 3).ok_or(self.short())?;
		Ok(Content::Frame {
			key: kind == 1,
			offset: i32::from_be_bytes([offset[0], offset[1], offset[2], 0]) >> 8,
			data: self.rest(at + 3)?,
		})
	}

	fn rest(&self, at: usize) -> Result<Bytes, FlvError> {
		if at > self.body.len() {
			return Err(self.short());
		}
		Ok(self.body.slice(at..))
	}
}

fn picture(key: bool, packet: u8, offset: i32, data: &[u8]) -> Bytes {
	let mut body = BytesMut::with_capacity(5 + data.len());
	body.put_u8(if key { 0x10 } else { 0x20 } | H264);
	body.put_u8(packet);
	body.put_slice(&offset.to_be_bytes()[1..]);
	body.put_slice(data);
	body.freeze()
}

fn sound(packet: u8, data: &[u8]) -> Bytes {
	let mut body = BytesMut::with_capacity(2 + data.len());
	body.put_slice(&[AAC_BYTE, packet]);
	body.put_slice(data);
	body.freeze()
}

/// Bytes of a file's header, with the length of the tag before the first one.
const HEADER_BYTES: usize = 13;

/// Bytes before a tag's body.
const TAG_HEADER_BYTES: usize = 11;

/// Longest body that a tag can state.
pub const LONGEST: usize = (1 << 24) - 1;

/// What a file with these tracks begins with. A decoder waits for a track that is said to be there.
pub const fn header(sound: bool, picture: bool) -> [u8; HEADER_BYTES] {
	let tracks = (sound as u8) << 2 | picture as u8;
	[b'F', b'L', b'V', 1, tracks, 0, 0, 0, 9, 0, 0, 0, 0]
}

/// Writes a tag as a file has it.
///
/// # Errors
/// When the body is longer than [`LONGEST`]; nothing is written.
pub fn write(tag: &Tag, out: &mut impl BufMut) -> Result<(), FlvError> {
	let length = tag.body.len();
	let short = u32::try_from(length).ok().filter(|_| length <= LONGEST);
	let Some(length) = short else {
		return Err(FlvError::Long { length, limit: LONGEST });
	};
	out.put_u8(number(tag.kind));
	out.put_uint(length.into(), 3);
	out.put_uint((tag.stamp & 0xFF_FFFF).into(), 3);
	out.put_u8((tag.stamp >> 24) as u8);
	out.put_uint(0, 3);
	out.put_slice(&tag.body);
	out.put_u32(length + TAG_HEADER_BYTES as u32);
	Ok(())
}

const fn number(kind: Kind) -> u8 {
	match kind {
		Kind::Sound => 8,
		Kind::Picture => 9,
		Kind::Script => 18,
	}
}

/// The kind that FLV and RTMP number so.
pub const fn kind(number: u8) -> Option<Kind> {
	match number {
		8 => Some(Kind::Sound),
		9 => Some(Kind::Picture),
		18 => Some(Kind::Script),
		_ => None,
	}
}

/// Reads a file in pieces of any size. Holds one tag at most; a tag is there with its body's last byte.
#[derive(Debug)]
pub struct Reader {
	limit: usize,
	next: Next,
	held: BytesMut,
}

#[derive(Clone, Copy, Debug)]
enum Next {
	Header,
	/// The length behind a tag that has this many bytes, then the next tag's header.
	Tag(Option<u32>),
	Body {
		kind: Kind,
		stamp: u32,
		length: usize,
	},
	Failed(FlvError),
}

impl Reader {
	/// `limit`: longest body that it takes, bytes.
	pub fn new(limit: usize) -> Self {
		Self {
			limit,
			next: Next::Header,
			held: BytesMut::new(),
		}
	}

	/// The next tag; takes from `input` what that needs. `None`: all of `input` is taken, and more is needed.
	///
	/// # Errors
	/// When it is no FLV; from then on always.
	pub fn read(&mut self, input: &mut &[u8]) -> Result<Option<Tag>, FlvError> {
		let tag = self.try_read(input);
		if let Err(error) = tag {
			self.next = Next::Failed(error);
			self.held = BytesMut::new();
		}
		tag
	}

	/// Whether the bytes so far end where a file may end: behind a whole tag, or the header.
	pub fn between_tags(&self) -> bool {
		match self.next {
			Next::Tag(None) => self.held.is_empty(),
			Next::Tag(Some(_)) => self.held.len() <= 4,
			_ => false,
		}
	}

	fn try_read(&mut self, input: &mut &[u8]) -> Result<Option<Tag>, FlvError> {
		loop {
			let need = match self.next {
				Next::Header => HEADER_BYTES,
				Next::Tag(None) => TAG_HEADER_BYTES,
				Next::Tag(Some(_)) => 4 + TAG_HEADER_BYTES,
				Next::Body { length, .. } => length,
				Next::Failed(error) => return Err(error),
			};
			let (taken, rest) = input.split_at((need - self.held.len()).min(input.len()));
			self.held.extend_from_slice(taken);
			*input = rest;
			if self.held.len() < need {
				return Ok(None);
			}
			let whole = self.held.split().freeze();
			match self.next {
				Next::Header => {
					if whole[..4] != *b"FLV\x01" || whole[5..] != header(false, false)[5..] {
						return Err(FlvError::Header);
					}
					self.next = Next::Tag(None);
				},
				Next::Tag(before) => {
					let mut at = 0;
					if let Some(before) = before {
						at = 4;
						let said = u32::from_be_bytes([whole[0], whole[1], whole[2], whole[3]]);
						if said != before {
							return Err(FlvError::Back(before, said));
						}
					}
					self.next = self.tag(&whole[at..])?;
				},
				Next::Body { kind, stamp, length } => {
					self.next = Next::Tag(Some((length + TAG_HEADER_BYTES) as u32));
					return Ok(Some(Tag {
						kind,
						stamp,
						body: whole,
					}));
				},
				Next::Failed(error) => return Err(error),
			}
		}
	}

	fn tag(&self, header: &[u8]) -> Result<Next, FlvError> {
		let length = u32::from_be_bytes([0, header[1], header[2], header[3]]) as usize;
		if length > self.limit {
			return Err(FlvError::Long {
				length,
				limit: self.limit,
			});
		}
		Ok(Next::Body {
			kind: kind(header[0]).ok_or(FlvError::Kind(header[0]))?,
			stamp: u32::from_be_bytes([header[7], header[4], header[5], header[6]]),
			length,
		})
	}
}

#[cfg(test)]
mod tests;
