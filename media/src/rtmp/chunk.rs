//! Messages out of interleaved chunks, and messages as chunks.
//!
//! ```text
//! chunk   format:u2 stream:u6, u14 or u22, header by format, extended stamp:u32 where the field is 0xFFFFFF, payload
//! format  0  stamp:u24 length:u24 kind:u8 message stream:u32 (little-endian)
//!         1  delta:u24 length:u24 kind:u8
//!         2  delta:u24
//!         3  nothing: goes on with the message, or begins one with the header before
//! ```

use bytes::{BufMut, Bytes, BytesMut};
use std::{collections::VecDeque, mem};

/// Payload bytes of a chunk until somebody says otherwise.
pub const DEFAULT_SIZE: usize = 128;

/// A stamp field of this value says that four more bytes have the stamp.
const EXTENDED: u32 = 0xFF_FFFF;

/// Basic header of 3 bytes, message header of 11, extended stamp of 4.
const LONGEST_HEADER: usize = 18;

/// Format 3 behind format 0 begins a message that is as much later as format 0's stamp says (Adobe, 5.3.1.2.4), which is how FFmpeg
/// compresses the second of two early messages. A stamp above this, ms, is no such step: those who send it mean "at the same time".
const LONGEST_STEP: u32 = 1000;

/// Most that a peer may make us hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
	/// Bytes of a message; unfinished ones together have at most twice as many.
	pub message: usize,
	/// Chunk streams.
	pub streams: usize,
}

/// A message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
	/// RTMP's number.
	pub kind: u8,
	/// Message stream.
	pub stream: u32,
	/// Milliseconds, modulo 2^32.
	pub stamp: u32,
	/// All of it.
	pub payload: Bytes,
}

/// Why chunks cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ChunkError {
	/// A message that is too long.
	#[error("a message of {length} bytes; allowed are {limit}")]
	Long {
		/// As it says.
		length: usize,
		/// At this time.
		limit: usize,
	},
	/// Too many chunk streams.
	#[error("more than {0} chunk streams")]
	Streams(usize),
	/// Too many unfinished messages.
	#[error("more than {0} bytes of unfinished messages")]
	Unfinished(usize),
	/// A header that refers to one that never came.
	#[error("a chunk of format {format} on the unused chunk stream {stream}")]
	NoHeader {
		/// 2 or 3.
		format: u8,
		/// Number of the chunk stream.
		stream: u32,
	},
	/// Zero, or more than 31 bits.
	#[error("a chunk size of {0}")]
	Size(u32),
}

/// Puts messages together, each in its chunk stream's own buffer.
#[derive(Debug)]
pub struct Reader {
	limits: Limits,
	/// Most payload bytes of a chunk.
	size: usize,
	streams: Vec<Stream>,
	/// Bytes of unfinished messages.
	unfinished: usize,
	next: Next,
	header: [u8; LONGEST_HEADER],
	/// Bytes of `header` that are there.
	have: usize,
	/// Bytes that looked like an extended stamp and are payload. Come before all input; at most 4.
	back: VecDeque<u8>,
}

#[derive(Clone, Copy, Debug)]
enum Next {
	Header,
	Payload {
		/// Place in `streams`.
		stream: usize,
		/// Bytes of the chunk still to come.
		left: usize,
	},
	Failed(ChunkError),
}

#[derive(Debug)]
struct Stream {
	id: u32,
	/// What the last header of format 0 to 2 had as its stamp or delta.
	field: u32,
	/// It had four bytes of its own.
	extended: bool,
	/// It was of format 0.
	absolute: bool,
	/// Of the message that comes, or came last.
	stamp: u32,
	length: usize,
	kind: u8,
	message_stream: u32,
	/// A message has begun.
	open: bool,
	payload: BytesMut,
}

impl Reader {
	/// With the default chunk size.
	pub fn new(limits: Limits) -> Self {
		Self {
			limits,
			size: DEFAULT_SIZE,
			streams: Vec::new(),
			unfinished: 0,
			next: Next::Header,
			header: [0; LONGEST_HEADER],
			have: 0,
			back: VecDeque::new(),
		}
	}

	/// From the next header on.
	pub fn set_limits(&mut self, limits: Limits) {
		self.limits = limits;
	}

	/// From the next chunk on. Any size that RTMP allows: limits are those of messages.
	pub fn set_size(&mut self, size: u32) -> Result<(), ChunkError> {
		if size == 0 || size > i32::MAX as u32 {
			return Err(ChunkError::Size(size));
		}
		self.size = size as usize;
		Ok(())
	}

	/// Forgets the unfinished message of a chunk stream.
	pub fn abort(&mut self, id: u32) {
		if let Some(stream) = self.streams.iter_mut().find(|stream| stream.id == id) {
			self.unfinished -= stream.payload.len();
			stream.payload.clear();
			stream.open = false;
		}
	}

	/// The next message; takes from `input` what that needs. `None`: all of `input` is taken, and more is needed.
	///
	/// # Errors
	/// When what comes is not RTMP, or too much; from then on always.
	pub fn read(&mut self, input: &mut &[u8]) -> Result<Option<Message>, ChunkError> {
		let message = self.try_read(input);
		if let Err(error) = message {
			self.next = Next::Failed(error);
			self.streams = Vec::new();
		}
		message
	}

	fn try_read(&mut self, input: &mut &[u8]) -> Result<Option<Message>, ChunkError> {
		loop {
			match self.next {
				Next::Failed(error) => return Err(error),
				Next::Header => {
					while self.have < self.header_length() {
						let Some(byte) = self.byte(input) else {
							return Ok(None);
						};
						self.header[self.have] = byte;
						self.have += 1;
					}
					let stream = self.begin_chunk()?;
					if let Some(message) = self.end_chunk(stream) {
						return Ok(Some(message));
					}
				},
				Next::Payload { stream, left } => {
					let taken = self.payload(stream, left, input)?;
					self.next = Next::Payload {
						stream,
						left: left - taken,
					};
					if taken < left {
						return Ok(None);
					}
					self.next = Next::Header;
					if let Some(message) = self.end_message(stream) {
						return Ok(Some(message));
					}
				},
			}
		}
	}

	fn byte(&mut self, input: &mut &[u8]) -> Option<u8> {
		self.back.pop_front().or_else(|| {
			let (first, rest) = input.split_first()?;
			*input = rest;
			Some(*first)
		})
	}

	/// Format, number of the chunk stream, length of both; `None` before all of them are there.
	fn basic(&self) -> Option<(u8, u32, usize)> {
		let header = &self.header[..self.have];
		let format = header.first()? >> 6;
		match header[0] & 0x3F {
			0 => Some((format, 64 + u32::from(*header.get(1)?), 2)),
			1 => Some((
				format,
				64 + u32::from(*header.get(1)?) + 256 * u32::from(*header.get(2)?),
				3,
			)),
			id => Some((format, id.into(), 1)),
		}
	}

	/// As far as the bytes that are there tell.
	fn header_length(&self) -> usize {
		let Some((format, id, basic)) = self.basic() else {
			return self.have + 1;
		};
		let plain = basic + [11, 7, 3, 0][usize::from(format)];
		if self.have < plain {
			return plain;
		}
		if format < 3 {
			return plain + if self.field(basic) == EXTENDED { 4 } else { 0 };
		}
		match self.streams.iter().find(|stream| stream.id == id) {
			Some(stream) if stream.extended && (!stream.open || stream.repeats(&self.header[basic..self.have])) => {
				plain + 4
			},
			// Including bytes that have turned out to be payload.
			_ => self.have,
		}
	}

	fn field(&self, at: usize) -> u32 {
		u32::from_be_bytes([0, self.header[at], self.header[at + 1], self.header[at + 2]])
	}

	/// Takes the header in. The place of its stream.
	fn begin_chunk(&mut self) -> Result<usize, ChunkError> {
		let (format, id, basic) = self.basic().expect("a header is taken in when it is whole");
		let have = mem::take(&mut self.have);
		let known = self.streams.iter().position(|stream| stream.id == id);
		let place = match known {
			Some(place) => place,
			// Format 1 on an unused stream is what some encoders' pings are.
			None if format > 1 => return Err(ChunkError::NoHeader { format, stream: id }),
			None if self.streams.len() >= self.limits.streams => return Err(ChunkError::Streams(self.limits.streams)),
			None => {
				self.streams.push(Stream::new(id));
				self.streams.len() - 1
			},
		};
		let header = self.header;
		let stream = &mut self.streams[place];
		let fields = &header[basic..have];
		if format == 3 {
			self.back_or_stamp(place, fields);
		} else {
			// A header in the midst of a message begins another.
			self.unfinished -= stream.payload.len();
			stream.payload.clear();
			stream.begin(format, fields);
		}
		let stream = &self.streams[place];
		let (length, limit) = (stream.length, self.limits.message);
		if length > limit {
			return Err(ChunkError::Long { length, limit });
		}
		Ok(place)
	}

	/// Format 3: `fields` are a repeated stamp, or payload after all, or nothing.
	fn back_or_stamp(&mut self, place: usize, fields: &[u8]) {
		let stream = &mut self.streams[place];
		if stream.open {
			if fields.len() < 4 || !stream.repeats(fields) {
				for byte in fields.iter().rev() {
					self.back.push_front(*byte);
				}
			}
			return;
		}
		stream.open = true;
		let step = if stream.absolute && stream.field > LONGEST_STEP {
			0
		} else {
			stream.field
		};
		stream.stamp = match fields {
			&[a, b, c, d] if u32::from_be_bytes([a, b, c, d]) != stream.field => u32::from_be_bytes([a, b, c, d]),
			_ => stream.stamp.wrapping_add(step),
		};
	}

	/// What a header leads to: payload, or, where there is none, the message.
	fn end_chunk(&mut self, place: usize) -> Option<Message> {
		let stream = &self.streams[place];
		let left = (stream.length - stream.payload.len()).min(self.size);
		if left == 0 {
			self.next = Next::Header;
			return self.end_message(place);
		}
		self.next = Next::Payload { stream: place, left };
		None
	}

	/// Takes as much of a chunk's payload as is there. How much.
	fn payload(&mut self, place: usize, left: usize, input: &mut &[u8]) -> Result<usize, ChunkError> {
		let stream = &mut self.streams[place];
		let back = self.back.len().min(left);
		stream.payload.extend(self.back.drain(..back));
		let (taken, rest) = input.split_at((left - back).min(input.len()));
		stream.payload.extend_from_slice(taken);
		*input = rest;
		let taken = back + taken.len();
		self.unfinished += taken;
		let most = 2 * self.limits.message;
		if self.unfinished > most {
			return Err(ChunkError::Unfinished(most));
		}
		Ok(taken)
	}

	fn end_message(&mut self, place: usize) -> Option<Message> {
		let stream = &mut self.streams[place];
		if stream.payload.len() < stream.length {
			return None;
		}
		self.unfinished -= stream.length;
		stream.open = false;
		Some(Message {
			kind: stream.kind,
			stream: stream.message_stream,
			stamp: stream.stamp,
			payload: mem::take(&mut stream.payload).freeze(),
		})
	}
}

impl Stream {
	fn new(id: u32) -> Self {
		Self {
			id,
			field: 0,
			extended: false,
			absolute: false,
			stamp: 0,
			length: 0,
			kind: 0,
			message_stream: 0,
			open: false,
			payload: BytesMut::new(),
		}
	}

	/// A message, by a header of format 0, 1 or 2.
	fn begin(&mut self, format: u8, fields: &[u8]) {
		let number = |bytes: &[u8]| bytes.iter().fold(0, |number, byte| number << 8 | u32::from(*byte));
		let plain = [11, 7, 3][usize::from(format)];
		self.extended = fields.len() > plain;
		self.field = number(if self.extended { &fields[plain..] } else { &fields[..3] });
		self.absolute = format == 0;
		self.stamp = if self.absolute {
			self.field
		} else {
			self.stamp.wrapping_add(self.field)
		};
		if format < 2 {
			self.length = number(&fields[3..6]) as usize;
			self.kind = fields[6];
		}
		if format == 0 {
			self.message_stream = u32::from_le_bytes([fields[7], fields[8], fields[9], fields[10]]);
		}
		self.open = true;
	}

	/// Whether these bytes are, or begin, the stamp again. Adobe repeats the field in each chunk of format 3, some the message's
	/// stamp, some nothing at all: their payload begins at once.
	fn repeats(&self, bytes: &[u8]) -> bool {
		[self.field, self.stamp]
			.iter()
			.any(|stamp| stamp.to_be_bytes().starts_with(bytes))
	}
}

/// Writes a message as chunks of at most `size` payload bytes. `id`: chunk stream, 2 to 63.
pub fn write(id: u8, size: usize, message: &Message, out: &mut BytesMut) {
	let extended = message.stamp >= EXTENDED;
	out.put_u8(id);
	out.put_uint(message.stamp.min(EXTENDED).into(), 3);
	out.put_uint(message.payload.len() as u64, 3);
	out.put_u8(message.kind);
	out.put_u32_le(message.stream);
	let mut rest = &message.payload[..];
	let mut first = true;
	while first || !rest.is_empty() {
		if !mem::take(&mut first) {
			out.put_u8(0xC0 | id);
		}
		if extended {
			out.put_u32(message.stamp);
		}
		let (piece, behind) = rest.split_at(size.min(rest.len()));
		out.put_slice(piece);
		rest = behind;
	}
}

#[cfg(test)]
mod tests;
