//! Looks into fragmented MP4 that others made: what an initialisation segment says of its tracks, where the samples of a window
//! lie in time and in the file; and writes windows again, with other times.
//!
//! What comes in may be anything: every count and length is bounded, and what does not fit is an error. Boxes that hold boxes are
//! walked to a fixed depth.

use crate::h264;
use bytes::{BufMut, Bytes};
use mp4_atom::{Codec, Decode, FourCC, Hdlr, Header, Mdhd, Stsd, Tfdt, Tfhd, Tkhd, Trex, Trun};
use std::ops::Range;

/// Most samples of a window: a minute of 48 kHz AAC and 120 pictures a second come to a sixth of it.
const MAX_SAMPLES: usize = 65_536;

/// Most tracks of an initialisation segment that are looked at.
const MAX_TRACKS: usize = 16;

/// `sample_is_non_sync_sample` of a sample's flags (ISO/IEC 14496-12, 8.8.3.1).
const NON_SYNC: u32 = 1 << 16;

/// Why bytes are no initialisation segment or window that can be looked into.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
	/// A box that does not fit what is around it, or whose fields do not decode.
	#[error("box {0} is broken")]
	Broken(FourCC),
	/// A box without which its parent means nothing.
	#[error("no box {0}")]
	Missing(FourCC),
	/// A fragment of a track that the initialisation segment does not have.
	#[error("fragment of unknown track {0}")]
	UnknownTrack(u32),
	/// Samples that lie outside the window, or more of them than allowed.
	#[error("samples out of bounds")]
	Samples,
	/// Times beyond what can be counted.
	#[error("times out of range")]
	Time,
}

const fn kind(name: &[u8; 4]) -> FourCC {
	FourCC::new(name)
}

/// What a track holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
	/// Pictures.
	Picture,
	/// Sound.
	Sound,
	/// Anything else.
	Other,
}

/// What an initialisation segment says of a track.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Track {
	/// Its number in fragments.
	pub id: u32,
	/// What it holds.
	pub kind: Kind,
	/// Units of its times in a second; never 0.
	pub timescale: u32,
	/// Of samples for which a fragment says nothing: how long, how many bytes, which flags.
	defaults: (u32, u32, u32),
	/// How samples are decoded: the whole box.
	entry: Bytes,
	/// For H.264: its parameter sets, each behind its length, as they may stand in a sample.
	parameter_sets: Option<Bytes>,
}

impl Track {
	/// Whether samples that decode with `other` can follow in a file that began with this one: all is alike, but for pictures'
	/// parameter sets, which can stand in the samples.
	fn takes(&self, other: &Self) -> bool {
		let alike =
			|a: &Self, b: &Self| (a.id, a.kind, a.timescale, a.defaults) == (b.id, b.kind, b.timescale, b.defaults);
		let decodes = self.entry == other.entry || (self.parameter_sets.is_some() && other.parameter_sets.is_some());
		alike(self, other) && decodes
	}

	/// A time of this track in nanoseconds.
	pub fn nanoseconds(&self, time: u64) -> u128 {
		u128::from(time) * NANOSECONDS / u128::from(self.timescale)
	}

	/// The nearest time of this track.
	pub fn ticks(&self, nanoseconds: u128) -> u64 {
		let rounded = (nanoseconds * u128::from(self.timescale) + NANOSECONDS / 2) / NANOSECONDS;
		u64::try_from(rounded).unwrap_or(u64::MAX)
	}
}

/// In a second.
pub const NANOSECONDS: u128 = 1_000_000_000;

/// The tracks of an initialisation segment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Layout {
	tracks: Vec<Track>,
}

impl Layout {
	/// Reads `ftyp moov`.
	pub fn read(init: &[u8]) -> Result<Self, Error> {
		let moov = child(init, kind(b"moov"))?;
		let mut tracks = Vec::new();
		for trak in every(moov.content, kind(b"trak")).take(MAX_TRACKS) {
			tracks.push(track(trak?.content)?);
		}
		for trex in every(child(moov.content, kind(b"mvex"))?.content, kind(b"trex")).take(MAX_TRACKS) {
			let trex: Trex = trex?.decode()?;
			for track in tracks.iter_mut().filter(|t| t.id == trex.track_id) {
				track.defaults = (
					trex.default_sample_duration,
					trex.default_sample_size,
					trex.default_sample_flags,
				);
			}
		}
		match tracks.is_empty() {
			true => Err(Error::Missing(kind(b"trak"))),
			false => Ok(Self { tracks }),
		}
	}

	/// Its tracks.
	pub fn tracks(&self) -> &[Track] {
		&self.tracks
	}

	/// The one whose time counts: the first with pictures, else the first.
	pub fn main(&self) -> Option<&Track> {
		let picture = self.tracks.iter().find(|t| t.kind == Kind::Picture);
		picture.or_else(|| self.tracks.first())
	}

	/// Whether a file that began with this initialisation segment can go on with windows of `other`.
	pub fn takes(&self, other: &Self) -> bool {
		let known = |track: &Track| self.tracks.iter().any(|t| t.takes(track));
		other.tracks.iter().all(known)
	}

	fn track(&self, id: u32) -> Result<&Track, Error> {
		self.tracks.iter().find(|t| t.id == id).ok_or(Error::UnknownTrack(id))
	}
}

fn track(trak: &[u8]) -> Result<Track, Error> {
	let id = child(trak, kind(b"tkhd"))?.decode::<Tkhd>()?.track_id;
	let mdia = child(trak, kind(b"mdia"))?.content;
	let timescale = child(mdia, kind(b"mdhd"))?.decode::<Mdhd>()?.timescale;
	let handler = child(mdia, kind(b"hdlr"))?.decode::<Hdlr>()?.handler;
	let stbl = child(child(mdia, kind(b"minf"))?.content, kind(b"stbl"))?;
	let stsd = child(stbl.content, kind(b"stsd"))?;
	if timescale == 0 {
		return Err(Error::Broken(kind(b"mdhd")));
	}
	Ok(Track {
		id,
		kind: match handler.as_ref() {
			b"vide" => Kind::Picture,
			b"soun" => Kind::Sound,
			_ => Kind::Other,
		},
		timescale,
		defaults: (0, 0, 0),
		entry: Bytes::copy_from_slice(stsd.whole),
		parameter_sets: stsd.decode::<Stsd>().ok().and_then(|entries| parameter_sets(&entries)),
	})
}

/// Of the only entry, where it is H.264 with lengths of four bytes.
fn parameter_sets(entries: &Stsd) -> Option<Bytes> {
	let [Codec::Avc1(entry)] = entries.codecs.as_slice() else {
		return None;
	};
	(entry.avcc.length_size == 4).then(|| h264::parameter_sets(&entry.avcc))
}

/// The initialisation segment of the tracks of this kind alone; `None` where there is none.
pub fn only_init(init: &Bytes, wanted: Kind) -> Option<Bytes> {
	let layout = Layout::read(init).ok()?;
	let kept = |id: u32| layout.tracks.iter().any(|t| t.id == id && t.kind == wanted);
	if !layout.tracks.iter().any(|t| t.kind == wanted) {
		return None;
	}
	let mut out = Vec::with_capacity(init.len());
	for found in boxes(init, 0) {
		let found = found.ok()?;
		if found.kind != kind(b"moov") {
			out.extend_from_slice(found.whole);
			continue;
		}
		let moov = rebuilt(&found, |child| match child.kind.as_ref() {
			b"trak" => {
				let id = self::child(child.content, kind(b"tkhd"))
					.ok()?
					.decode::<Tkhd>()
					.ok()?
					.track_id;
				Some(if kept(id) { child.whole.to_vec() } else { Vec::new() })
			},
			b"mvex" => rebuilt(child, |trex| match trex.kind.as_ref() {
				b"trex" if !kept(trex.decode::<Trex>().ok()?.track_id) => Some(Vec::new()),
				_ => Some(trex.whole.to_vec()),
			}),
			_ => Some(child.whole.to_vec()),
		})?;
		out.extend_from_slice(&moov);
	}
	Some(out.into())
}

/// The window's samples of this kind alone; `None` where there are none.
pub fn only(init: &Bytes, window: &Bytes, wanted: Kind) -> Option<Bytes> {
	let layout = Layout::read(init).ok()?;
	let mut runs = Fragment::read(&layout, window).ok()?.runs;
	runs.retain(|run| layout.track(run.track).is_ok_and(|track| track.kind == wanted));
	(!runs.is_empty()).then(|| write(0, &runs))
}

/// A box with each box in it as it is given.
fn rebuilt(whole: &Boxed<'_>, each: impl Fn(&Boxed<'_>) -> Option<Vec<u8>>) -> Option<Vec<u8>> {
	let mut content = Vec::with_capacity(whole.content.len());
	for child in boxes(whole.content, 0) {
		content.extend_from_slice(&each(&child.ok()?)?);
	}
	let mut out = Vec::with_capacity(8 + content.len());
	out.put_u32(u32::try_from(8 + content.len()).ok()?);
	out.extend_from_slice(whole.kind.as_ref());
	out.extend_from_slice(&content);
	Some(out)
}

/// A sample of a window.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sample {
	/// How long it plays, in its track's timescale.
	pub duration: u32,
	/// See ISO/IEC 14496-12, 8.8.3.1.
	pub flags: u32,
	/// From decoding to showing, in its track's timescale.
	pub shift: i32,
	/// Its bytes.
	pub data: Bytes,
}

impl Sample {
	/// Whether it decodes without those before it.
	pub fn is_sync(&self) -> bool {
		self.flags & NON_SYNC == 0
	}
}

/// The samples of one track of a window, one after the other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
	/// [`Track::id`].
	pub track: u32,
	/// When the first is decoded, in the track's timescale.
	pub start: u64,
	/// At least one.
	pub samples: Vec<Sample>,
}

impl Run {
	/// When the last is over.
	pub fn end(&self) -> u64 {
		let length = self.samples.iter().map(|s| u64::from(s.duration)).sum();
		self.start.saturating_add(length)
	}
}

/// Where a time stands in a window, and how many bytes it has.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Stamp {
	track: u32,
	at: Range<usize>,
}

/// What is in a window.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fragment {
	/// One for each track that has samples, in the order of the file.
	pub runs: Vec<Run>,
	/// Where its times stand.
	stamps: Vec<Stamp>,
	/// It has an index with times of its own.
	indexed: bool,
}

impl Fragment {
	/// Reads a window: `moof mdat`, once or several times, and boxes that say nothing of samples.
	pub fn read(layout: &Layout, window: &Bytes) -> Result<Self, Error> {
		let mut fragment = Self {
			runs: Vec::new(),
			stamps: Vec::new(),
			indexed: false,
		};
		let mut count = 0;
		for found in boxes(window, 0) {
			let found = found?;
			match found.kind.as_ref() {
				b"sidx" => fragment.indexed = true,
				b"moof" => fragment.moof(layout, window, &found, &mut count)?,
				_ => {},
			}
		}
		match fragment.runs.is_empty() {
			true => Err(Error::Missing(kind(b"moof"))),
			false => Ok(fragment),
		}
	}

	fn moof(&mut self, layout: &Layout, window: &Bytes, moof: &Boxed<'_>, count: &mut usize) -> Result<(), Error> {
		for traf in boxes(moof.content, moof.content_at()) {
			let traf = traf?;
			if traf.kind != kind(b"traf") {
				continue;
			}
			let tfhd: Tfhd = child(traf.content, kind(b"tfhd"))?.decode()?;
			let track = layout.track(tfhd.track_id)?;
			let stamp = boxes(traf.content, traf.content_at())
				.flatten()
				.find(|b| b.kind == kind(b"tfdt"))
				.ok_or(Error::Missing(kind(b"tfdt")))?;
			let start = stamp.decode::<Tfdt>()?.base_media_decode_time;
			// Behind version and flags.
			let time = stamp.content_at() + 4..stamp.at + stamp.whole.len();
			// Only from the start of this box: files of one window have no other place to count from.
			if tfhd.base_data_offset.is_some() {
				return Err(Error::Samples);
			}
			let samples = samples(track, &tfhd, traf.content, window, moof.at, count)?;
			if samples.is_empty() {
				continue;
			}
			self.stamps.push(Stamp {
				track: track.id,
				at: time,
			});
			match self.runs.iter_mut().find(|run| run.track == track.id) {
				Some(run) => run.samples.extend(samples),
				None => self.runs.push(Run {
					track: track.id,
					start,
					samples,
				}),
			}
		}
		Ok(())
	}

	/// The run of this track.
	pub fn run(&self, track: u32) -> Option<&Run> {
		self.runs.iter().find(|run| run.track == track)
	}

	/// The same window with all times of track `id` moved by `by(id)`: nothing but these bytes differs. `None` where they do not
	/// fit, or an index has times too.
	pub fn moved(&self, window: &Bytes, by: impl Fn(u32) -> i128) -> Option<Bytes> {
		if self.stamps.iter().all(|stamp| by(stamp.track) == 0) {
			return Some(window.clone());
		}
		if self.indexed {
			return None;
		}
		let mut moved = window.to_vec();
		for stamp in &self.stamps {
			let field = moved.get_mut(stamp.at.clone())?;
			let time = field.iter().fold(0u64, |time, byte| time << 8 | u64::from(*byte));
			let time = u64::try_from(i128::from(time) + by(stamp.track)).ok()?.to_be_bytes();
			let (high, low) = time.split_at(8usize.checked_sub(field.len())?);
			if high.iter().any(|byte| *byte != 0) {
				return None;
			}
			field.copy_from_slice(low);
		}
		Some(moved.into())
	}
}

/// The samples of a `traf`.
fn samples(
	track: &Track,
	tfhd: &Tfhd,
	traf: &[u8],
	window: &Bytes,
	moof_at: usize,
	count: &mut usize,
) -> Result<Vec<Sample>, Error> {
	let (duration, size, flags) = track.defaults;
	let duration = tfhd.default_sample_duration.unwrap_or(duration);
	let size = tfhd.default_sample_size.unwrap_or(size);
	let flags = tfhd.default_sample_flags.unwrap_or(flags);
	let mut samples = Vec::new();
	let mut at = None;
	for trun in every(traf, kind(b"trun")) {
		let trun: Trun = trun?.decode()?;
		*count += trun.samples.len();
		if *count > MAX_SAMPLES {
			return Err(Error::Samples);
		}
		if let Some(offset) = trun.data_offset {
			let from = i64::try_from(moof_at).map_err(|_| Error::Samples)? + i64::from(offset);
			at = Some(usize::try_from(from).map_err(|_| Error::Samples)?);
		}
		for entry in trun.samples.iter() {
			let from = at.ok_or(Error::Samples)?;
			let to = from
				.checked_add(entry.size.unwrap_or(size) as usize)
				.ok_or(Error::Samples)?;
			if to > window.len() {
				return Err(Error::Samples);
			}
			at = Some(to);
			samples.push(Sample {
				duration: entry.duration.unwrap_or(duration),
				flags: entry.flags.unwrap_or(flags),
				shift: i32::try_from(entry.cts.unwrap_or_default()).map_err(|_| Error::Time)?,
				data: window.slice(from..to),
			});
		}
	}
	Ok(samples)
}

/// `moof mdat` with these runs: every sample says all of itself.
pub fn write(sequence: u32, runs: &[Run]) -> Bytes {
	let length = |run: &Run| 8 + TFHD + TFDT + TRUN + run.samples.len() * 16;
	let moof = 8 + MFHD + runs.iter().map(length).sum::<usize>();
	let data: usize = runs.iter().flat_map(|run| &run.samples).map(|s| s.data.len()).sum();
	let mut out = Vec::with_capacity(moof + 8 + data);
	begin(&mut out, moof, b"moof");
	begin(&mut out, MFHD, b"mfhd");
	out.put_u32(0);
	out.put_u32(sequence);
	// Windows have at most 8 MiB: no length or offset comes near 2^31.
	let mut offset = moof + 8;
	for run in runs {
		begin(&mut out, length(run), b"traf");
		begin(&mut out, TFHD, b"tfhd");
		// default-base-is-moof
		out.put_u32(0x02_0000);
		out.put_u32(run.track);
		begin(&mut out, TFDT, b"tfdt");
		out.put_u32(1 << 24);
		out.put_u64(run.start);
		begin(&mut out, TRUN + run.samples.len() * 16, b"trun");
		// Version 1: signed shifts. Offset of the data; of each sample duration, size, flags and shift.
		out.put_u32(1 << 24 | 0x0f01);
		out.put_u32(run.samples.len() as u32);
		out.put_u32(offset as u32);
		for sample in &run.samples {
			out.put_u32(sample.duration);
			out.put_u32(sample.data.len() as u32);
			out.put_u32(sample.flags);
			out.put_i32(sample.shift);
			offset += sample.data.len();
		}
	}
	begin(&mut out, 8 + data, b"mdat");
	for sample in runs.iter().flat_map(|run| &run.samples) {
		out.extend_from_slice(&sample.data);
	}
	out.into()
}

const MFHD: usize = 16;
const TFHD: usize = 16;
const TFDT: usize = 20;
/// Without samples.
const TRUN: usize = 20;

fn begin(out: &mut Vec<u8>, length: usize, kind: &[u8; 4]) {
	out.put_u32(length as u32);
	out.extend_from_slice(kind);
}

/// Puts the parameter sets of these pictures before the first of them, unless they are there, so that they decode whatever the file
/// began with.
pub(crate) fn with_parameter_sets(layout: &Layout, runs: &mut [Run]) {
	for run in runs {
		let track = layout.tracks.iter().find(|t| t.id == run.track);
		let (Some(sets), Some(first)) = (track.and_then(|t| t.parameter_sets.as_ref()), run.samples.first_mut()) else {
			continue;
		};
		if !first.data.starts_with(sets) {
			first.data = [sets.as_ref(), first.data.as_ref()].concat().into();
		}
	}
}

/// The same samples in pieces that play at most `longest` nanoseconds of the main track each, where samples are that short; a
/// single piece is the whole. Pieces begin where pictures that decode by themselves stand, if there are any.
pub fn split(layout: &Layout, fragment: &Fragment, longest: u128) -> Vec<Vec<Run>> {
	let main = layout.main().and_then(|track| Some((track, fragment.run(track.id)?)));
	let Some((track, run)) = main else {
		return vec![fragment.runs.clone()];
	};
	// Where pieces of the main track begin, nanoseconds.
	let mut cuts = Vec::new();
	let (mut begun, mut at, mut sync) = (run.start, run.start, None);
	for sample in &run.samples {
		if sample.is_sync() && at > begun {
			sync = Some(at);
		}
		let after = at.saturating_add(u64::from(sample.duration));
		if track.nanoseconds(after.saturating_sub(begun)) > longest && at > begun {
			begun = sync.take().filter(|sync| *sync > begun).unwrap_or(at);
			cuts.push(track.nanoseconds(begun));
		}
		at = after;
	}
	let mut pieces: Vec<Vec<Run>> = vec![Vec::new(); cuts.len() + 1];
	for run in &fragment.runs {
		let Some(track) = layout.tracks.iter().find(|t| t.id == run.track) else {
			continue;
		};
		let mut at = run.start;
		for sample in &run.samples {
			let place = cuts.partition_point(|cut| *cut <= track.nanoseconds(at));
			let piece = &mut pieces[place];
			match piece.iter_mut().find(|r| r.track == run.track) {
				Some(run) => run.samples.push(sample.clone()),
				None => piece.push(Run {
					track: run.track,
					start: at,
					samples: vec![sample.clone()],
				}),
			}
			at = at.saturating_add(u64::from(sample.duration));
		}
	}
	pieces.retain(|piece| !piece.is_empty());
	pieces
}

/// Cuts a whole file: its first initialisation segment, and each stretch that ends with an `mdat`.
pub fn cut(file: &Bytes) -> Result<(Bytes, Vec<Bytes>), Error> {
	let (mut init, mut windows, mut begun) = (None, Vec::new(), 0);
	for found in boxes(file, 0) {
		let found = found?;
		let end = found.at + found.whole.len();
		match found.kind.as_ref() {
			b"moov" if init.is_none() => init = Some(file.slice(begun..end)),
			b"mdat" => windows.push(file.slice(begun..end)),
			_ => continue,
		}
		begun = end;
	}
	Ok((init.ok_or(Error::Missing(kind(b"moov")))?, windows))
}

/// A box that is here whole.
#[derive(Clone, Copy, Debug)]
struct Boxed<'a> {
	kind: FourCC,
	/// Where it begins.
	at: usize,
	/// With its header.
	whole: &'a [u8],
	content: &'a [u8],
}

impl Boxed<'_> {
	fn content_at(&self) -> usize {
		self.at + self.whole.len() - self.content.len()
	}

	fn decode<T: Decode>(&self) -> Result<T, Error> {
		T::decode(&mut &*self.whole).map_err(|_| Error::Broken(self.kind))
	}
}

/// Boxes side by side, the first one `at` so many bytes.
fn boxes(bytes: &[u8], at: usize) -> impl Iterator<Item = Result<Boxed<'_>, Error>> {
	let mut rest = bytes;
	let mut at = at;
	std::iter::from_fn(move || {
		if rest.is_empty() {
			return None;
		}
		let found = first(rest, at);
		match &found {
			Ok(found) => {
				rest = &rest[found.whole.len()..];
				at += found.whole.len();
			},
			Err(_) => rest = &[],
		}
		Some(found)
	})
}

fn first(bytes: &[u8], at: usize) -> Result<Boxed<'_>, Error> {
	const UNNAMED: FourCC = FourCC::new(b"????");
	let long = bytes.starts_with(&1u32.to_be_bytes());
	let length = if long { 16 } else { 8 };
	let mut header = bytes.get(..length).ok_or(Error::Broken(UNNAMED))?;
	let Ok(Header {
		kind,
		size: Some(content),
	}) = Header::decode(&mut header)
	else {
		return Err(Error::Broken(UNNAMED));
	};
	let end = length.checked_add(content).ok_or(Error::Broken(kind))?;
	let whole = bytes.get(..end).ok_or(Error::Broken(kind))?;
	Ok(Boxed {
		kind,
		at,
		whole,
		content: &whole[length..],
	})
}

fn every(bytes: &[u8], kind: FourCC) -> impl Iterator<Item = Result<Boxed<'_>, Error>> {
	boxes(bytes, 0).filter(move |found| found.as_ref().map_or(true, |b| b.kind == kind))
}

fn child(bytes: &[u8], kind: FourCC) -> Result<Boxed<'_>, Error> {
	every(bytes, kind).next().unwrap_or(Err(Error::Missing(kind)))
}

#[cfg(test)]
mod tests;
