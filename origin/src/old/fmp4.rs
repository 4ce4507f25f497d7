//! Cuts FFmpeg's output into an initialisation segment and windows, and reads their times.
//!
//! ```text
//! initialisation segment   ftyp moov
//! window                   [styp] [prft] [sidx] moof mdat
//! ```
//!
//! Incremental and bounded: a box that would make a piece longer than the protocol allows is refused at its header,
//! before its content is held. Only `moov`, `moof` and `prft` are looked into; media is never parsed. `mp4-atom` decodes
//! the boxes that hold fields. Those that hold boxes are walked here, to a fixed depth: its own decoder recurses as deep
//! as its input is nested.

use bytes::{Bytes, BytesMut};
use clustercast_primitives::{
	catalog::{kind, Track as Description, MAX_INIT_BYTES},
	text::Text,
	window::MAX_WINDOW_BYTES,
};
use mp4_atom::{
	Codec, Decode, FourCC, Hdlr, Header, Mdhd, Prft, ReferenceTime, Stsd, Tfdt, Tfhd, Tkhd, Trex, Trun, TrunSamples,
};

const FTYP: FourCC = FourCC::new(b"ftyp");
const MOOV: FourCC = FourCC::new(b"moov");
const MVEX: FourCC = FourCC::new(b"mvex");
const TREX: FourCC = FourCC::new(b"trex");
const TRAK: FourCC = FourCC::new(b"trak");
const TKHD: FourCC = FourCC::new(b"tkhd");
const MDIA: FourCC = FourCC::new(b"mdia");
const MDHD: FourCC = FourCC::new(b"mdhd");
const HDLR: FourCC = FourCC::new(b"hdlr");
const MINF: FourCC = FourCC::new(b"minf");
const STBL: FourCC = FourCC::new(b"stbl");
const STSD: FourCC = FourCC::new(b"stsd");
const STYP: FourCC = FourCC::new(b"styp");
const PRFT: FourCC = FourCC::new(b"prft");
const SIDX: FourCC = FourCC::new(b"sidx");
const MOOF: FourCC = FourCC::new(b"moof");
const TRAF: FourCC = FourCC::new(b"traf");
const TFHD: FourCC = FourCC::new(b"tfhd");
const TFDT: FourCC = FourCC::new(b"tfdt");
const TRUN: FourCC = FourCC::new(b"trun");
const MDAT: FourCC = FourCC::new(b"mdat");
const VIDEO: FourCC = FourCC::new(b"vide");

/// Bytes that show a box's size and kind, with the 64-bit size that it may have.
const LONG_HEADER: usize = 16;

/// `sample_is_non_sync_sample` of a sample's flags (ISO/IEC 14496-12, 8.8.3.1).
const NON_SYNC: u32 = 1 << 16;

/// Seconds from 1900 (NTP) to 1970 (Unix).
const NTP_TO_UNIX: u64 = 2_208_988_800;

/// Why a stream of bytes is no live fMP4.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
	/// Its size is left open, does not cover its own header, or does not fit the box around it.
	#[error("box {0} has no valid size")]
	Size(FourCC),
	/// Initialisation segment above [`MAX_INIT_BYTES`], or window above [`MAX_WINDOW_BYTES`].
	#[error("box {kind} makes a piece of {bytes} bytes; allowed are {limit}")]
	TooLarge {
		/// The box that does not fit.
		kind: FourCC,
		/// Length of the piece with it.
		bytes: u64,
		/// The bound.
		limit: usize,
	},
	/// A box where it does not belong.
	#[error("box {0} out of place")]
	Misplaced(FourCC),
	/// The content of a box does not decode.
	#[error("box {kind}: {error}")]
	Content {
		/// Which.
		kind: FourCC,
		/// Why.
		error: mp4_atom::Error,
	},
	/// A box without which its parent means nothing.
	#[error("no box {0}")]
	Missing(FourCC),
	/// A track without a timescale.
	#[error("track {0} has no timescale")]
	Timescale(u32),
	/// A fragment of a track that the initialisation segment does not have.
	#[error("fragment of unknown track {0}")]
	UnknownTrack(u32),
	/// A fragment without samples.
	#[error("fragment without samples")]
	Empty,
	/// Times beyond 64 bits of microseconds.
	#[error("time out of range")]
	Time,
}

/// What the bytes were cut into.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
	/// `ftyp` and `moov`.
	Init(Bytes),
	/// One fragment.
	Window(Fragment),
}

/// A window's bytes, and what they say about time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fragment {
	/// The boxes, as they came.
	pub data: Bytes,
	/// When the first frame entered the encoder: Unix time, milliseconds. `None` where no `prft` box says so.
	pub captured_ms: Option<u64>,
	/// How long the video plays (the first track, where there is no video), milliseconds.
	pub duration_ms: u32,
	/// Every track starts with a sync sample: decodable without what came before.
	pub independent: bool,
	/// Where on the media timeline the longest track ends, microseconds.
	pub end_us: u64,
}

/// What `moov` says of a track.
#[derive(Clone, Copy, Debug)]
struct Track {
	id: u32,
	video: bool,
	timescale: u32,
	/// Of a sample for which the fragment says nothing.
	duration: u32,
	/// Likewise.
	flags: u32,
}

/// Cuts a stream of bytes. After an error it is of no more use.
#[derive(Debug, Default)]
pub struct Splitter {
	/// Begins with the piece that is being collected.
	buffer: BytesMut,
	/// Length of its boxes that were looked at.
	scanned: usize,
	/// From the initialisation segment; none before it.
	tracks: Vec<Track>,
	captured_ms: Option<u64>,
	fragment: Option<Times>,
}

/// What a `moof` says.
#[derive(Clone, Copy, Debug)]
struct Times {
	duration_ms: u32,
	independent: bool,
	end_us: u64,
}

impl Splitter {
	/// At the start of a stream.
	pub fn new() -> Self {
		Self::default()
	}

	/// Where the next bytes go: append to it, then call [`next_piece`](Self::next_piece) until it returns `None`. So it
	/// never holds more than the largest window and what was appended at once.
	pub fn buffer(&mut self) -> &mut BytesMut {
		&mut self.buffer
	}

	/// The next piece, when all of it is here.
	pub fn next_piece(&mut self) -> Result<Option<Piece>, Error> {
		while let Some((kind, end)) = self.next_box()? {
			let range = self.scanned..end;
			self.scanned = end;
			let found = Boxed::new(kind, &self.buffer[range])?;
			match kind {
				MOOV => {
					self.tracks = tracks(found)?;
					// A copy: it is kept long, and must not keep the buffer that it came in.
					return Ok(Some(Piece::Init(Bytes::copy_from_slice(&self.take()))));
				},
				PRFT => self.captured_ms = capture_time(&found.decode()?),
				MOOF => self.fragment = Some(times(&self.tracks, found)?),
				MDAT => {
					let times = self.fragment.take().ok_or(Error::Misplaced(MDAT))?;
					return Ok(Some(Piece::Window(Fragment {
						captured_ms: self.captured_ms.take(),
						duration_ms: times.duration_ms,
						independent: times.independent,
						end_us: times.end_us,
						data: self.take(),
					})));
				},
				_ => {},
			}
		}
		Ok(None)
	}

	fn take(&mut self) -> Bytes {
		self.buffer.split_to(std::mem::take(&mut self.scanned)).freeze()
	}

	/// Kind and end of the next box, once it is whole, in its place, and within the bound.
	fn next_box(&self) -> Result<Option<(FourCC, usize)>, Error> {
		let Some((kind, header, content)) = header(&self.buffer[self.scanned..])? else {
			return Ok(None);
		};
		let started = self.scanned > 0;
		let (expected, limit) = if self.tracks.is_empty() {
			(kind == if started { MOOV } else { FTYP }, MAX_INIT_BYTES as usize)
		} else {
			let expected = match kind {
				STYP => !started,
				PRFT | SIDX | MOOF => self.fragment.is_none(),
				MDAT => self.fragment.is_some(),
				_ => false,
			};
			(expected, MAX_WINDOW_BYTES as usize)
		};
		if !expected {
			return Err(Error::Misplaced(kind));
		}
		let start = self.scanned + header;
		match start.checked_add(content) {
			Some(end) if end <= limit => Ok((end <= self.buffer.len()).then_some((kind, end))),
			_ => Err(Error::TooLarge {
				kind,
				bytes: (start as u64).saturating_add(content as u64),
				limit,
			}),
		}
	}
}

/// Kind, length of the header and length of the content of the box that `bytes` begin with; `None` when they do not
/// show it yet.
fn header(bytes: &[u8]) -> Result<Option<(FourCC, usize, usize)>, Error> {
	let long = bytes.starts_with(&1u32.to_be_bytes());
	let length = if long { LONG_HEADER } else { LONG_HEADER / 2 };
	let (Some(mut header), Some(kind)) = (bytes.get(..length), bytes.get(4..8)) else {
		return Ok(None);
	};
	let kind = FourCC::from([kind[0], kind[1], kind[2], kind[3]]);
	match Header::decode(&mut header) {
		Ok(Header {
			size: Some(content), ..
		}) => Ok(Some((kind, length, content))),
		_ => Err(Error::Size(kind)),
	}
}

/// A box that is here whole.
#[derive(Clone, Copy, Debug)]
struct Boxed<'a> {
	kind: FourCC,
	/// With its header.
	whole: &'a [u8],
	content: &'a [u8],
}

impl<'a> Boxed<'a> {
	/// `whole` is exactly the box.
	fn new(kind: FourCC, whole: &'a [u8]) -> Result<Self, Error> {
		let mut alone = Boxes {
			parent: kind,
			rest: whole,
		};
		alone.next().unwrap_or(Err(Error::Missing(kind)))
	}

	/// The boxes in it.
	fn children(&self) -> Boxes<'a> {
		Boxes {
			parent: self.kind,
			rest: self.content,
		}
	}

	/// The first box of this kind in it.
	fn child(&self, kind: FourCC) -> Result<Self, Error> {
		self.children()
			.find(|child| child.as_ref().map_or(true, |c| c.kind == kind))
			.unwrap_or(Err(Error::Missing(kind)))
	}

	/// All boxes of this kind in it.
	fn every(&self, kind: FourCC) -> impl Iterator<Item = Result<Self, Error>> {
		self.children()
			.filter(move |child| child.as_ref().map_or(true, |c| c.kind == kind))
	}

	/// Its fields.
	fn decode<T: Decode>(&self) -> Result<T, Error> {
		T::decode(&mut &*self.whole).map_err(|error| Error::Content { kind: self.kind, error })
	}
}

/// Boxes side by side.
#[derive(Clone, Copy, Debug)]
struct Boxes<'a> {
	parent: FourCC,
	rest: &'a [u8],
}

impl<'a> Iterator for Boxes<'a> {
	type Item = Result<Boxed<'a>, Error>;

	fn next(&mut self) -> Option<Self::Item> {
		if self.rest.is_empty() {
			return None;
		}
		let rest = std::mem::take(&mut self.rest);
		Some(header(rest).and_then(|found| {
			let (kind, header, content) = found.ok_or(Error::Size(self.parent))?;
			let end = header.checked_add(content).ok_or(Error::Size(kind))?;
			let (whole, rest) = rest.split_at_checked(end).ok_or(Error::Size(kind))?;
			self.rest = rest;
			Ok(Boxed {
				kind,
				whole,
				content: &whole[header..],
			})
		}))
	}
}

/// What an initialisation segment says of the track that it begins, for people and players: what it does not say stays
/// empty.
pub fn describe(init: &[u8]) -> Description {
	let mut described = Description::unknown(init);
	// Nothing hangs on it: windows decode by the segment itself.
	let _ = Boxes {
		parent: MOOV,
		rest: init,
	}
	.find(|found| found.as_ref().is_ok_and(|found| found.kind == MOOV))
	.unwrap_or(Err(Error::Missing(MOOV)))
	.and_then(|moov| describe_tracks(moov, &mut described));
	described
}

fn describe_tracks(moov: Boxed<'_>, described: &mut Description) -> Result<(), Error> {
	let (mut codecs, mut picture, mut sound) = (Vec::new(), false, false);
	for trak in moov.every(TRAK) {
		let mdia = trak?.child(MDIA)?;
		let entries: Stsd = mdia.child(MINF)?.child(STBL)?.child(STSD)?.decode()?;
		let timescale = mdia.child(MDHD)?.decode::<Mdhd>()?.timescale;
		for entry in entries.codecs {
			match entry {
				Codec::Avc1(avc) => {
					let config = &avc.avcc;
					codecs.push(format!(
						"avc1.{:02x}{:02x}{:02x}",
						config.avc_profile_indication, config.profile_compatibility, config.avc_level_indication
					));
					(described.width, described.height) = (avc.visual.width, avc.visual.height);
					(described.timescale, picture) = (timescale, true);
				},
				Codec::Mp4a(aac) => {
					if let Some(specific) = aac.esds.es_desc.dec_config.dec_specific {
						codecs.push(format!("mp4a.40.{}", specific.profile));
					}
					if !picture {
						described.timescale = timescale;
					}
					sound = true;
				},
				_ => {},
			}
		}
	}
	described.kind = match (picture, sound) {
		(true, false) => kind::VIDEO,
		(false, true) => kind::AUDIO,
		_ => kind::MUXED,
	};
	described.codecs = Text::try_from(codecs.join(",").as_str()).unwrap_or_default();
	Ok(())
}

fn tracks(moov: Boxed<'_>) -> Result<Vec<Track>, Error> {
	let mut tracks = Vec::new();
	for trak in moov.every(TRAK) {
		let trak = trak?;
		let mdia = trak.child(MDIA)?;
		let id = trak.child(TKHD)?.decode::<Tkhd>()?.track_id;
		let timescale = mdia.child(MDHD)?.decode::<Mdhd>()?.timescale;
		if timescale == 0 {
			return Err(Error::Timescale(id));
		}
		tracks.push(Track {
			id,
			video: mdia.child(HDLR)?.decode::<Hdlr>()?.handler == VIDEO,
			timescale,
			duration: 0,
			flags: 0,
		});
	}
	if tracks.is_empty() {
		return Err(Error::Missing(TRAK));
	}
	for trex in moov.child(MVEX)?.every(TREX) {
		let trex: Trex = trex?.decode()?;
		for track in tracks.iter_mut().filter(|t| t.id == trex.track_id) {
			(track.duration, track.flags) = (trex.default_sample_duration, trex.default_sample_flags);
		}
	}
	Ok(tracks)
}

/// Only where the time is that of the frame's input to the encoder; FFmpeg also writes others.
fn capture_time(prft: &Prft) -> Option<u64> {
	if prft.utc_time_semantics != ReferenceTime::Input {
		return None;
	}
	let (seconds, fraction) = (prft.ntp_timestamp >> 32, prft.ntp_timestamp & u64::from(u32::MAX));
	// NTP's seconds wrap in 2036; those with the high bit clear lie after that (RFC 4330, section 3).
	let seconds = if seconds >> 31 == 0 {
		seconds + (1 << 32)
	} else {
		seconds
	};
	Some(seconds.checked_sub(NTP_TO_UNIX)? * 1000 + ((fraction * 1000) >> 32))
}

fn times(tracks: &[Track], moof: Boxed<'_>) -> Result<Times, Error> {
	let mut played: Option<(bool, u32)> = None;
	let mut independent = true;
	let mut end_us = 0;
	for traf in moof.every(TRAF) {
		let traf = traf?;
		let tfhd: Tfhd = traf.child(TFHD)?.decode()?;
		let track = tracks
			.iter()
			.find(|t| t.id == tfhd.track_id)
			.ok_or(Error::UnknownTrack(tfhd.track_id))?;
		let start = traf.child(TFDT)?.decode::<Tfdt>()?.base_media_decode_time;
		let (duration, first_flags) = samples(track, &tfhd, traf)?;
		let scaled = |time: u64, unit: u64| {
			let rounded = u128::from(time) * u128::from(unit) / u128::from(track.timescale);
			u64::try_from(rounded).map_err(|_| Error::Time)
		};
		end_us = end_us.max(scaled(start.checked_add(duration).ok_or(Error::Time)?, 1_000_000)?);
		independent &= first_flags & NON_SYNC == 0;
		if played.is_none_or(|(video, _)| track.video && !video) {
			let ms = u32::try_from(scaled(duration, 1000)?).map_err(|_| Error::Time)?;
			played = Some((track.video, ms));
		}
	}
	let (_, duration_ms) = played.ok_or(Error::Missing(TRAF))?;
	Ok(Times {
		duration_ms,
		independent,
		end_us,
	})
}

/// How long the samples play, in the track's timescale, and the flags of the first one.
fn samples(track: &Track, tfhd: &Tfhd, traf: Boxed<'_>) -> Result<(u64, u32), Error> {
	let default = u64::from(tfhd.default_sample_duration.unwrap_or(track.duration));
	let mut duration = 0u64;
	let mut first_flags = None;
	for trun in traf.every(TRUN) {
		let samples = trun?.decode::<Trun>()?.samples;
		let run = match &samples {
			TrunSamples::Inherited { count, .. } => u64::from(*count) * default,
			TrunSamples::Explicit(samples) => samples.iter().map(|s| s.duration.map_or(default, u64::from)).sum(),
		};
		duration = duration.checked_add(run).ok_or(Error::Time)?;
		first_flags = first_flags.or_else(|| {
			let first = samples.get(0)?;
			Some(first.flags.or(tfhd.default_sample_flags).unwrap_or(track.flags))
		});
	}
	Ok((duration, first_flags.ok_or(Error::Empty)?))
}

#[cfg(test)]
mod tests;
