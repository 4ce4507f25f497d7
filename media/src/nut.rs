//! NUT, as FFmpeg writes what it has decoded: raw pictures and sound with their stamps, through one pipe.
//!
//! A file is an identification, then packets and frames. A packet begins with a start code of 8 bytes, the first of which is `N`;
//! a frame with any other byte, which names a row of a table in the main header: that row says which of the frame's fields follow
//! and what the others are. Numbers are of variable length (`v`: 7 bits a byte, high ones first, the top bit says that more follow).
//!
//! | packet | read |
//! | --- | --- |
//! | main header | version 3 or 4, time bases, the table, headers that frames leave out |
//! | stream header | `I420` pictures and 16 bit sound; anything else is an error |
//! | syncpoint | sets every stream's last stamp |
//! | info, index | skipped |
//!
//! Headers come again at growing distances; they have to say the same. Checksums are skipped: a pipe loses nothing, and a decoder
//! that writes nonsense would sum up its nonsense.

use bytes::{Buf, Bytes, BytesMut};
use std::time::Duration;

/// What begins a file, with its closing zero.
const IDENTIFICATION: &[u8] = b"nut/multimedia container\0";

const MAIN: u64 = 0x4E4D_7A56_1F5F_04AD;
const STREAM: u64 = 0x4E53_1140_5BF2_F9DB;
const SYNCPOINT: u64 = 0x4E4B_E4AD_EECA_4569;
const INDEX: u64 = 0x4E58_DD67_2F23_E64E;
const INFO: u64 = 0x4E49_AB68_B596_BA78;

/// Longest packet: a main header takes 0.5 kB, the info packet holds what a file says about itself. Bytes.
pub const MAX_PACKET: usize = 64 * 1024;

/// Largest frame unless said otherwise: a picture has 0.6 MB, a second of sound 0.2 MB. Bytes.
pub const MAX_FRAME: usize = 1024 * 1024;

/// Most streams: pictures and sound.
pub const MAX_STREAMS: usize = 2;

/// A packet above this has a checksum behind its length. Bytes.
const CHECKED_PACKET: u64 = 4096;

/// Longest header that frames leave out. Bytes.
const MAX_ELISION: usize = 255;

/// A larger frame leaves out nothing, whatever its row says. Bytes.
const MAX_ELIDED: usize = 4096;

/// Most fields of a frame that are of no meaning yet.
const MAX_RESERVED: u64 = 16;

/// More than a frame's fields take: ten numbers of at most ten bytes, the reserved ones, a checksum. Bytes.
const MAX_FRAME_HEADER: usize = 512;

/// Flags of a row of the table, and of a frame.
mod flag {
	pub const CODED_STAMP: u64 = 8;
	pub const STREAM: u64 = 16;
	pub const SIZE: u64 = 32;
	pub const CHECKSUM: u64 = 64;
	pub const RESERVED: u64 = 128;
	pub const SIDE_DATA: u64 = 256;
	pub const HEADER: u64 = 1024;
	pub const MATCH_TIME: u64 = 2048;
	pub const CODED: u64 = 4096;
	pub const INVALID: u64 = 8192;
}

/// Why a stream of bytes is of no use any more.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
	/// It does not begin like NUT.
	#[error("not NUT")]
	NotNut,
	/// Neither 3 nor 4.
	#[error("NUT of version {0}, not 3 or 4")]
	Version(u64),
	/// A part that is larger than anything FFmpeg writes for us.
	#[error("{part} of {size}, at most {limit} are allowed")]
	TooLarge {
		/// What it is.
		part: &'static str,
		/// Its number of bytes or elements.
		size: u64,
		/// What is allowed.
		limit: usize,
	},
	/// A packet that ends within a field.
	#[error("a packet ends too early")]
	Truncated,
	/// A field that has no such value.
	#[error("{0}")]
	Invalid(&'static str),
	/// Something other than `I420` pictures or 16 bit sound.
	#[error("stream of an unknown format {0:?}")]
	Format([u8; 4]),
}

/// What a stream holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
	/// Planar YUV 4:2:0, 8 bit, rows without padding.
	Picture {
		/// Pixels.
		width: u32,
		/// Pixels.
		height: u32,
	},
	/// Signed 16 bit, little endian, interleaved.
	Sound {
		/// Samples of each channel a second.
		rate: u32,
		/// At least 1.
		channels: u32,
	},
}

/// A raw picture, or some sound.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
	/// Number of its stream, below [`MAX_STREAMS`].
	pub stream: usize,
	/// What it holds.
	pub format: Format,
	/// Its stamp.
	pub at: Duration,
	/// Picture or samples.
	pub data: Bytes,
}

/// Reads NUT piece by piece. Holds no more than the largest frame and what was pushed behind it.
#[derive(Debug)]
pub struct Reader {
	buffer: BytesMut,
	max_frame: usize,
	begun: bool,
	main: Option<Main>,
	streams: [Option<Stream>; MAX_STREAMS],
	/// Of the frame or packet at the buffer's front that are not there yet; 0: unknown.
	missing: usize,
}

#[derive(Debug, PartialEq, Eq)]
struct Main {
	version: u64,
	streams: usize,
	bases: Vec<Base>,
	rows: Vec<Row>,
	/// Beginnings that frames leave out; the first is empty.
	elisions: Vec<Bytes>,
}

/// Seconds a tick, as a fraction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Base {
	numerator: u32,
	denominator: u32,
}

/// What a frame is whose first byte is this row's number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Row {
	flags: u64,
	stream: u64,
	size_factor: u64,
	size_rest: u64,
	step: i64,
	reserved: u64,
	elision: u64,
}

#[derive(Debug)]
struct Stream {
	format: Format,
	base: Base,
	/// A coded stamp below 2 to the power of this is the low bits of one near the last.
	low_bits: u32,
	/// Ticks.
	last: i64,
}

/// Where a frame's data lies, and what it is.
#[derive(Debug)]
struct Head {
	stream: usize,
	stamp: i64,
	elision: usize,
	/// Bytes before the data.
	length: usize,
	/// With side data, without what is left out.
	size: usize,
	side_data: bool,
}

impl Default for Reader {
	fn default() -> Self {
		Self::new(MAX_FRAME)
	}
}

impl Reader {
	/// `max_frame`: bytes of the largest frame that is taken.
	pub fn new(max_frame: usize) -> Self {
		Self {
			buffer: BytesMut::new(),
			max_frame,
			begun: false,
			main: None,
			streams: [const { None }; MAX_STREAMS],
			missing: 0,
		}
	}

	/// Where bytes are put in, behind what is there. It has room for what is missing of the frame at its front and `ahead` more: a
	/// reader that fills it does not copy pictures.
	pub fn buffer(&mut self, ahead: usize) -> &mut BytesMut {
		self.buffer.reserve(self.missing + ahead);
		&mut self.buffer
	}

	/// The next frame; `None` until more is pushed.
	///
	/// # Errors
	/// What is no NUT, or breaks a limit; then the reader is of no more use.
	pub fn next_frame(&mut self) -> Result<Option<Frame>, Error> {
		loop {
			self.missing = 0;
			if !self.begun {
				let there = self.buffer.len().min(IDENTIFICATION.len());
				if self.buffer[..there] != IDENTIFICATION[..there] {
					return Err(Error::NotNut);
				}
				if there < IDENTIFICATION.len() {
					return Ok(None);
				}
				self.buffer.advance(there);
				self.begun = true;
			}
			match self.buffer.first() {
				None => return Ok(None),
				Some(b'N') => match self.packet()? {
					Some(()) => {},
					None => return Ok(None),
				},
				Some(_) => return self.frame(),
			}
		}
	}

	/// Takes the packet at the front, if it is whole.
	fn packet(&mut self) -> Result<Option<()>, Error> {
		let mut fields = Fields::new(&self.buffer);
		let (Some(code), Some(length)) = (fields.fixed(8), fields.number()?) else {
			return Ok(None);
		};
		let checked = if length > CHECKED_PACKET { 4 } else { 0 };
		let start = fields.position + checked;
		// An index holds a number for each frame: nothing that a pipe is for, but harmless.
		if !matches!(code, MAIN | STREAM | SYNCPOINT | INFO | INDEX) {
			return Err(Error::Invalid("unknown packet"));
		}
		let length = bounded("packet", length, MAX_PACKET)?;
		// The checksum closes it.
		let inner = length.checked_sub(4).ok_or(Error::Truncated)?;
		if self.buffer.len() < start + length {
			self.missing = start + length - self.buffer.len();
			return Ok(None);
		}
		let packet = self.buffer.split_to(start + length).freeze();
		let mut fields = Fields::new(&packet[start..start + inner]);
		match code {
			MAIN => self.main_header(&mut fields)?,
			STREAM => self.stream_header(&mut fields)?,
			SYNCPOINT => self.syncpoint(&mut fields)?,
			_ => {},
		}
		Ok(Some(()))
	}

	fn main_header(&mut self, fields: &mut Fields) -> Result<(), Error> {
		let main = Main::read(fields)?;
		match &self.main {
			None => self.main = Some(main),
			Some(before) if *before == main => {},
			Some(_) => return Err(Error::Invalid("another main header")),
		}
		Ok(())
	}

	fn stream_header(&mut self, fields: &mut Fields) -> Result<(), Error> {
		let main = self
			.main
			.as_ref()
			.ok_or(Error::Invalid("a stream before the main header"))?;
		let number = usize::try_from(fields.need()?)
			.ok()
			.filter(|number| *number < main.streams);
		let number = number.ok_or(Error::Invalid("a stream that was not announced"))?;
		let kind = fields.need()?;
		let tag = fields.bytes(5)?;
		// A length of 4 before it.
		let tag = *tag
			.strip_prefix(&[4])
			.and_then(|tag| tag.first_chunk())
			.ok_or(Error::Format([0; 4]))?;
		let base = usize::try_from(fields.need()?)
			.ok()
			.and_then(|base| main.bases.get(base));
		let base = *base.ok_or(Error::Invalid("a time base that does not exist"))?;
		let low_bits = fields.need()?;
		let low_bits = u32::try_from(low_bits).ok().filter(|bits| *bits < 16);
		let low_bits = low_bits.ok_or(Error::Invalid("a stamp's low bits are more than 15"))?;
		let _max_distance = fields.need()?;
		let _decode_delay = fields.need()?;
		let _flags = fields.bytes(1)?;
		let private = fields.need()?;
		fields.bytes(bounded("codec data", private, MAX_PACKET)?)?;
		let small = |value: u64| u32::try_from(value).ok().filter(|value| *value != 0);
		let format = match (kind, &tag) {
			(0, b"I420") => Format::Picture {
				width: small(fields.need()?).ok_or(Error::Invalid("a picture without width"))?,
				height: small(fields.need()?).ok_or(Error::Invalid("a picture without height"))?,
			},
			(1, b"PSD\x10") => {
				let rate = small(fields.need()?);
				if fields.need()? != 1 {
					return Err(Error::Invalid("a fractional sample rate"));
				}
				let channels = small(fields.need()?);
				Format::Sound {
					rate: rate.ok_or(Error::Invalid("sound without a rate"))?,
					channels: channels.ok_or(Error::Invalid("sound without channels"))?,
				}
			},
			_ => return Err(Error::Format(tag)),
		};
		match &self.streams[number] {
			None => {
				self.streams[number] = Some(Stream {
					format,
					base,
					low_bits,
					last: 0,
				});
			},
			Some(before) if (before.format, before.base, before.low_bits) == (format, base, low_bits) => {},
			Some(_) => return Err(Error::Invalid("another stream header")),
		}
		Ok(())
	}

	fn syncpoint(&mut self, fields: &mut Fields) -> Result<(), Error> {
		let main = self
			.main
			.as_ref()
			.ok_or(Error::Invalid("a syncpoint before the main header"))?;
		let coded = fields.need()?;
		let bases = main.bases.len() as u64;
		let ticks = i64::try_from(coded / bases).map_err(|_| Error::Invalid("a stamp out of range"))?;
		let base = main.bases[(coded % bases) as usize];
		for stream in self.streams.iter_mut().flatten() {
			let (from, to) = (base, stream.base);
			let nominator = i128::from(ticks) * i128::from(from.numerator) * i128::from(to.denominator);
			let rescaled = nominator / (i128::from(from.denominator) * i128::from(to.numerator));
			stream.last = i64::try_from(rescaled).map_err(|_| Error::Invalid("a stamp out of range"))?;
		}
		Ok(())
	}

	/// Takes the frame at the front, if it is whole.
	fn frame(&mut self) -> Result<Option<Frame>, Error> {
		let Some(head) = self.head()? else {
			if self.buffer.len() > MAX_FRAME_HEADER {
				return Err(Error::Invalid("a frame's header without an end"));
			}
			return Ok(None);
		};
		let end = head.length + head.size;
		if self.buffer.len() < end {
			self.missing = end - self.buffer.len();
			return Ok(None);
		}
		let main = self.main.as_ref().ok_or(Error::NotNut)?;
		let stream = self.streams[head.stream].as_mut().ok_or(Error::NotNut)?;
		stream.last = head.stamp;
		let at = stream.base.time(head.stamp)?;
		let mut data = self.buffer.split_to(end).freeze();
		data.advance(head.length);
		if head.side_data {
			let mut fields = Fields::new(&data);
			// What is for the codec, and what describes.
			fields.skip_side_data()?;
			fields.skip_side_data()?;
			let length = fields.position;
			data.advance(length);
		}
		let elision = &main.elisions[head.elision];
		if !elision.is_empty() {
			data = [&elision[..], &data[..]].concat().into();
		}
		Ok(Some(Frame {
			stream: head.stream,
			format: stream.format,
			at,
			data,
		}))
	}

	/// Reads a frame's header; `None` while it is not whole.
	fn head(&self) -> Result<Option<Head>, Error> {
		let main = self
			.main
			.as_ref()
			.ok_or(Error::Invalid("a frame before the main header"))?;
		let mut fields = Fields::new(&self.buffer[..self.buffer.len().min(MAX_FRAME_HEADER)]);
		/// Ends the function where the header is not whole.
		macro_rules! read {
			($field:expr) => {
				match $field {
					Some(value) => value,
					None => return Ok(None),
				}
			};
		}
		let row = main.rows[read!(fields.fixed(1)) as usize];
		let mut flags = row.flags;
		if flags & flag::INVALID != 0 {
			return Err(Error::Invalid("a frame of no kind"));
		}
		if flags & flag::CODED != 0 {
			flags ^= read!(fields.number()?);
		}
		let mut number = row.stream;
		if flags & flag::STREAM != 0 {
			number = read!(fields.number()?);
		}
		let number = usize::try_from(number).ok().filter(|number| *number < MAX_STREAMS);
		let stream = number.and_then(|number| Some((number, self.streams[number].as_ref()?)));
		let (number, stream) = stream.ok_or(Error::Invalid("a frame of a stream that does not exist"))?;
		let stamp = if flags & flag::CODED_STAMP != 0 {
			stream.full_stamp(read!(fields.number()?))
		} else {
			stream.last.checked_add(row.step)
		};
		let stamp = stamp.ok_or(Error::Invalid("a stamp out of range"))?;
		let mut size = row.size_rest;
		if flags & flag::SIZE != 0 {
			let more = read!(fields.number()?).checked_mul(row.size_factor);
			let sum = more.and_then(|more| more.checked_add(size));
			size = sum.ok_or(Error::Invalid("a size out of range"))?;
		}
		if flags & flag::MATCH_TIME != 0 {
			read!(fields.number()?);
		}
		let mut elision = row.elision;
		if flags & flag::HEADER != 0 {
			elision = read!(fields.number()?);
		}
		let elision = usize::try_from(elision)
			.ok()
			.filter(|elision| *elision < main.elisions.len());
		let mut elision = elision.ok_or(Error::Invalid("a frame leaves out a header that does not exist"))?;
		let mut reserved = row.reserved;
		if flags & flag::RESERVED != 0 {
			reserved = read!(fields.number()?);
		}
		for _ in 0..bounded("reserved fields", reserved, MAX_RESERVED as usize)? {
			read!(fields.number()?);
		}
		if flags & flag::CHECKSUM != 0 {
			read!(fields.fixed(4));
		}
		let size = bounded("frame", size, self.max_frame)?;
		if size > MAX_ELIDED {
			elision = 0;
		}
		let size = size.checked_sub(main.elisions[elision].len());
		Ok(Some(Head {
			stream: number,
			stamp,
			elision,
			length: fields.position,
			size: size.ok_or(Error::Invalid("a frame smaller than what it leaves out"))?,
			side_data: main.version > 3 && flags & flag::SIDE_DATA != 0,
		}))
	}
}

impl Main {
	fn read(fields: &mut Fields) -> Result<Self, Error> {
		let version = fields.need()?;
		match version {
			3 => {},
			4 => _ = fields.need()?,
			_ => return Err(Error::Version(version)),
		}
		let streams = bounded("streams", fields.need()?, MAX_STREAMS)?;
		let _max_distance = fields.need()?;
		// One for each stream, and for chapters.
		let bases = bounded("time bases", fields.need()?, 16)?;
		let base = |fields: &mut Fields| {
			let mut part = || {
				u32::try_from(fields.need()?)
					.ok()
					.filter(|part| *part != 0 && *part < 1 << 31)
					.ok_or(Error::Invalid("a time base out of range"))
			};
			Ok(Base {
				numerator: part()?,
				denominator: part()?,
			})
		};
		let bases = (0..bases).map(|_| base(fields)).collect::<Result<Vec<_>, _>>()?;
		if bases.is_empty() {
			return Err(Error::Invalid("no time base"));
		}
		let rows = Self::rows(fields)?;
		let mut elisions = vec![Bytes::new()];
		for _ in 0..bounded("headers left out", fields.need()?, 127)? {
			let length = bounded("header left out", fields.need()?, MAX_ELISION)?;
			elisions.push(Bytes::copy_from_slice(fields.bytes(length)?));
		}
		Ok(Self {
			version,
			streams,
			bases,
			rows,
			elisions,
		})
	}

	/// The table, whose rows come in runs: each says only what differs from the run before, and a size that grows by 1 a row.
	fn rows(fields: &mut Fields) -> Result<Vec<Row>, Error> {
		let mut rows = Vec::with_capacity(256);
		let mut row = Row {
			size_factor: 1,
			..Row::default()
		};
		while rows.len() < 256 {
			row.flags = fields.need()?;
			let given = bounded("fields of a run", fields.need()?, 16)?;
			(row.size_rest, row.reserved) = (0, 0);
			let mut count = None;
			for field in 0..given {
				let value = fields.need()?;
				match field {
					0 => row.step = signed(value),
					1 => row.size_factor = value,
					2 => row.stream = value,
					3 => row.size_rest = value,
					4 => row.reserved = value,
					5 => count = Some(value),
					7 => row.elision = value,
					_ => {},
				}
			}
			let count = match count {
				Some(count) => count,
				None => row
					.size_factor
					.checked_sub(row.size_rest)
					.ok_or(Error::Invalid("a run below zero"))?,
			};
			let first = row.size_rest;
			for nth in 0..bounded("rows of a run", count, 256)? {
				if rows.len() == usize::from(b'N') {
					// Start codes begin with it.
					rows.push(Row {
						flags: flag::INVALID,
						..Row::default()
					});
				}
				if rows.len() == 256 {
					return Err(Error::Invalid("a table that is too long"));
				}
				row.size_rest = first
					.checked_add(nth as u64)
					.ok_or(Error::Invalid("a size out of range"))?;
				rows.push(row);
			}
			// A run of nothing says how the next one begins; a header of nothing else ends with the packet.
		}
		Ok(rows)
	}
}

impl Stream {
	/// Of a coded stamp: the low bits of one near the last, or the stamp itself above them.
	fn full_stamp(&self, coded: u64) -> Option<i64> {
		let coded = i64::try_from(coded).ok()?;
		let range = 1 << self.low_bits;
		if coded >= range {
			return Some(coded - range);
		}
		let mask = range - 1;
		let lowest = self.last - mask / 2;
		lowest.checked_add((coded - lowest) & mask)
	}
}

impl Base {
	fn time(self, ticks: i64) -> Result<Duration, Error> {
		let ticks = u128::try_from(ticks).map_err(|_| Error::Invalid("a stamp below zero"))?;
		let nanos = ticks * u128::from(self.numerator) * 1_000_000_000 / u128::from(self.denominator);
		let seconds = u64::try_from(nanos / 1_000_000_000).map_err(|_| Error::Invalid("a stamp out of range"))?;
		Ok(Duration::new(seconds, (nanos % 1_000_000_000) as u32))
	}
}

fn bounded(part: &'static str, size: u64, limit: usize) -> Result<usize, Error> {
	match usize::try_from(size) {
		Ok(fits) if fits <= limit => Ok(fits),
		_ => Err(Error::TooLarge { part, size, limit }),
	}
}

/// 0, 1, -1, 2, -2, …
fn signed(value: u64) -> i64 {
	let half = (value / 2) as i64;
	if value.is_multiple_of(2) {
		-half
	} else {
		half + 1
	}
}

/// Reads fields one after the other.
struct Fields<'a> {
	bytes: &'a [u8],
	position: usize,
}

impl<'a> Fields<'a> {
	fn new(bytes: &'a [u8]) -> Self {
		Self { bytes, position: 0 }
	}

	/// Big endian; `None` at the end.
	fn fixed(&mut self, length: usize) -> Option<u64> {
		let bytes = self.bytes.get(self.position..self.position + length)?;
		self.position += length;
		Some(bytes.iter().fold(0, |value, byte| value << 8 | u64::from(*byte)))
	}

	/// Of variable length; `None` at the end.
	fn number(&mut self) -> Result<Option<u64>, Error> {
		let mut value: u64 = 0;
		loop {
			let Some(byte) = self.fixed(1) else { return Ok(None) };
			if value >> 57 != 0 {
				return Err(Error::Invalid("a number above 64 bits"));
			}
			value = value << 7 | byte & 0x7F;
			if byte < 0x80 {
				return Ok(Some(value));
			}
		}
	}

	/// Of variable length, in a packet that is whole.
	fn need(&mut self) -> Result<u64, Error> {
		self.number()?.ok_or(Error::Truncated)
	}

	fn bytes(&mut self, length: usize) -> Result<&'a [u8], Error> {
		let end = self.position.checked_add(length).ok_or(Error::Truncated)?;
		let bytes = self.bytes.get(self.position..end).ok_or(Error::Truncated)?;
		self.position = end;
		Ok(bytes)
	}

	/// A length, then as many bytes.
	fn text(&mut self) -> Result<(), Error> {
		let length = self.need()?;
		self.bytes(bounded("text", length, MAX_FRAME)?)?;
		Ok(())
	}

	/// A count, then names with values of several types.
	fn skip_side_data(&mut self) -> Result<(), Error> {
		for _ in 0..bounded("side data", self.need()?, 1024)? {
			self.text()?;
			match signed(self.need()?) {
				-1 => self.text()?,
				-2 => {
					self.text()?;
					self.text()?;
				},
				-3 => _ = self.need()?,
				-4 => _ = self.need()?,
				kind if kind < -4 => _ = self.need()?,
				_ => {},
			}
		}
		Ok(())
	}
}

#[cfg(test)]
mod tests;
