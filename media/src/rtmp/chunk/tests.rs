//! Messages through chunks of every kind, by a writer of the test's own, which compresses and interleaves as it likes.

use super::*;
use proptest::prelude::*;

const LIMITS: Limits = Limits {
	message: 4096,
	streams: 8,
};

fn message(kind: u8, stamp: u32, payload: &[u8]) -> Message {
	Message {
		kind,
		stream: 1,
		stamp,
		payload: Bytes::copy_from_slice(payload),
	}
}

fn read_all<'a>(reader: &mut Reader, pieces: impl IntoIterator<Item = &'a [u8]>) -> Result<Vec<Message>, ChunkError> {
	let mut messages = Vec::new();
	for mut piece in pieces {
		while let Some(message) = reader.read(&mut piece)? {
			messages.push(message);
		}
		assert!(piece.is_empty(), "all of it is taken");
	}
	Ok(messages)
}

fn read_of(bytes: &[u8]) -> Result<Vec<Message>, ChunkError> {
	let mut reader = Reader::new(LIMITS);
	let whole = read_all(&mut reader, [bytes]);
	let bit_by_bit = read_all(&mut Reader::new(LIMITS), bytes.chunks(1));
	assert_eq!(whole, bit_by_bit);
	whole
}

/// Which of the forms that mean the same a publisher takes.
#[derive(Clone, Copy, Debug)]
struct Style {
	/// Most of format 0 to 3 that it compresses to.
	compress: u8,
	/// Chunk streams by two and three bytes.
	wide: bool,
	/// Repeats an extended stamp in each chunk of format 3.
	repeats: bool,
}

/// A publisher's side: one chunk stream.
struct Writer {
	id: u32,
	style: Style,
	before: Option<Message>,
	/// What format 3 would repeat.
	field: u32,
	rest: Bytes,
}

impl Writer {
	fn basic(&self, format: u8, out: &mut Vec<u8>) {
		match self.id {
			id @ 2..=63 => out.push(format << 6 | id as u8),
			id @ 64..=319 if !self.style.wide => out.extend([format << 6, (id - 64) as u8]),
			id => out.extend([format << 6 | 1, (id - 64) as u8, ((id - 64) >> 8) as u8]),
		}
	}

	/// A message's first chunk.
	fn begin(&mut self, message: &Message, size: usize, out: &mut Vec<u8>) {
		let mut format = 0;
		let mut field = message.stamp;
		if let Some(before) = self.before.as_ref().filter(|before| before.stream == message.stream) {
			let delta = message.stamp.wrapping_sub(before.stamp);
			let same = before.kind == message.kind && before.payload.len() == message.payload.len();
			// What FFmpeg and the specification mean; a long step behind format 0 is not written so.
			format = match self.style.compress {
				3 if same && delta == self.field && delta <= LONGEST_STEP => 3,
				2 | 3 if same => 2,
				1..=3 => 1,
				_ => 0,
			};
			if format > 0 {
				field = delta;
			}
		}
		self.basic(format, out);
		let extended = field >= EXTENDED;
		if format < 3 {
			out.extend(&field.min(EXTENDED).to_be_bytes()[1..]);
		}
		if format < 2 {
			out.extend(&(message.payload.len() as u32).to_be_bytes()[1..]);
			out.push(message.kind);
		}
		if format == 0 {
			out.extend(message.stream.to_le_bytes());
		}
		if extended {
			out.extend(field.to_be_bytes());
		}
		self.field = field;
		self.before = Some(message.clone());
		self.rest = message.payload.clone();
		self.payload(size, out);
	}

	fn go_on(&mut self, size: usize, out: &mut Vec<u8>) {
		self.basic(3, out);
		if self.field >= EXTENDED && self.style.repeats {
			out.extend(self.field.to_be_bytes());
		}
		self.payload(size, out);
	}

	fn payload(&mut self, size: usize, out: &mut Vec<u8>) {
		out.extend(self.rest.split_to(size.min(self.rest.len())));
	}
}

fn stamps() -> impl Strategy<Value = u32> {
	prop_oneof![
		0_u32..100,
		any::<u32>(),
		EXTENDED - 50..EXTENDED + 50,
		(1_u32 << 31) - 50..(1 << 31) + 50,
		u32::MAX - 50..=u32::MAX
	]
}

/// One publisher's messages by chunk stream: stamps that mostly step, sizes that mostly repeat.
fn lane() -> impl Strategy<Value = (Style, Vec<Message>)> {
	let style = (0_u8..4, any::<bool>(), any::<bool>()).prop_map(|(compress, wide, repeats)| Style {
		compress,
		wide,
		repeats,
	});
	let step = prop_oneof![Just(23_u32), Just(0), 0_u32..2000, any::<u32>()];
	let length = prop_oneof![Just(40_usize), Just(0), 0_usize..700];
	let kind = prop::sample::select(vec![8_u8, 9]);
	let steps = prop::collection::vec((step, length, kind, any::<u8>()), 1..8);
	(style, stamps(), steps).prop_map(|(style, mut stamp, steps)| {
		let messages = steps.into_iter().map(|(step, length, kind, byte)| {
			let message = message(kind, stamp, &vec![byte; length]);
			stamp = stamp.wrapping_add(step);
			message
		});
		(style, messages.collect())
	})
}

const IDS: [u32; 6] = [2, 3, 63, 64, 319, 65_599];

/// The bytes of all lanes, interleaved as `order` says, and the messages in the order in which they end.
fn interleave(lanes: &[(Style, Vec<Message>)], size: usize, order: &[usize]) -> (Vec<u8>, Vec<Message>) {
	let mut writers: Vec<(Writer, Vec<Message>)> = lanes
		.iter()
		.zip(IDS)
		.map(|((style, messages), id)| {
			let writer = Writer {
				id,
				style: *style,
				before: None,
				field: 0,
				rest: Bytes::new(),
			};
			(writer, messages.iter().rev().cloned().collect())
		})
		.collect();
	let (mut out, mut ended) = (Vec::new(), Vec::new());
	for turn in order.iter().cycle() {
		writers.retain(|(writer, messages)| !writer.rest.is_empty() || !messages.is_empty());
		if writers.is_empty() {
			break;
		}
		let turn = turn % writers.len();
		let (writer, messages) = &mut writers[turn];
		if !writer.rest.is_empty() {
			writer.go_on(size, &mut out);
		} else if let Some(message) = messages.pop() {
			writer.begin(&message, size, &mut out);
		}
		if writer.rest.is_empty() {
			ended.extend(writer.before.clone());
		}
	}
	(out, ended)
}

proptest! {
	#[test]
	fn messages_come_whole_however_they_are_compressed_interleaved_and_cut(
		lanes in prop::collection::vec(lane(), 1..=IDS.len()),
		size in prop_oneof![1_usize..300, Just(128_usize)],
		order in prop::collection::vec(0_usize..60, 1..40),
		cuts in prop::collection::vec(1_usize..200, 1..10),
	) {
		let (bytes, expected) = interleave(&lanes, size, &order);
		let mut reader = Reader::new(LIMITS);
		reader.set_size(size as u32).unwrap();
		let mut rest = &bytes[..];
		let pieces = cuts.iter().cycle().map_while(|cut| {
			let (piece, behind) = rest.split_at((*cut).min(rest.len()));
			rest = behind;
			(!piece.is_empty()).then_some(piece)
		});
		let read = read_all(&mut reader, pieces).unwrap();
		prop_assert_eq!(read, expected);
		prop_assert_eq!(reader.unfinished, 0);
	}

	#[test]
	fn any_bytes_are_read_within_bounds(bytes in prop::collection::vec(any::<u8>(), 0..3000), size in 1_u32..5000) {
		let mut reader = Reader::new(LIMITS);
		reader.set_size(size).unwrap();
		let mut rest = &bytes[..];
		while let Ok(Some(message)) = reader.read(&mut rest) {
			prop_assert!(message.payload.len() <= LIMITS.message);
		}
		prop_assert!(reader.streams.len() <= LIMITS.streams);
		let held: usize = reader.streams.iter().map(|stream| stream.payload.len()).sum();
		prop_assert!(held <= 2 * LIMITS.message);
	}

	#[test]
	fn our_own_chunks_are_read(stamp in stamps(), length in 0_usize..1000, size in 1_usize..300, id in 2_u8..64) {
		let message = message(20, stamp, &vec![7; length]);
		let mut out = BytesMut::new();
		write(id, size, &message, &mut out);
		let mut reader = Reader::new(LIMITS);
		reader.set_size(size as u32).unwrap();
		prop_assert_eq!(read_all(&mut reader, [&out[..]]).unwrap(), vec![message]);
	}
}

#[test]
fn interleaved_messages_do_not_mix() {
	let mut bytes = vec![4, 0, 0, 1, 0, 0, 200, 9, 1, 0, 0, 0];
	bytes.extend([b'v'; 128]);
	bytes.extend([5, 0, 0, 1, 0, 0, 3, 8, 1, 0, 0, 0]);
	bytes.extend(b"aaa");
	bytes.push(0xC4);
	bytes.extend([b'v'; 72]);
	assert_eq!(
		read_of(&bytes),
		Ok(vec![message(8, 1, b"aaa"), message(9, 1, &[b'v'; 200])])
	);
}

#[test]
fn chunk_that_repeats_no_extended_stamp_is_payload() {
	for stamp in [EXTENDED, 1 << 31, u32::MAX] {
		for (repeat, length) in [(true, 200), (false, 200), (true, 130), (false, 130), (false, 129)] {
			let mut bytes = vec![4, 0xFF, 0xFF, 0xFF, 0, 0, length, 9, 1, 0, 0, 0];
			bytes.extend(stamp.to_be_bytes());
			// Looks like a stamp for two bytes.
			let payload = [&[1; 128][..], &stamp.to_be_bytes()[..2], &[2; 98]].concat();
			bytes.extend(&payload[..128]);
			bytes.push(0xC4);
			if repeat {
				bytes.extend(stamp.to_be_bytes());
			}
			bytes.extend(&payload[128..usize::from(length)]);
			let whole = message(9, stamp, &payload[..usize::from(length)]);
			// What comes next shows that nothing was left over, and decides what only begins like a stamp.
			bytes.extend([5, 0, 0, 1, 0, 0, 2, 9, 1, 0, 0, 0, 3, 3]);
			let both = Ok(vec![whole, message(9, 1, &[3, 3])]);
			assert_eq!(read_of(&bytes), both, "{stamp} {repeat} {length}");
		}
	}
}

#[test]
fn format_3_begins_a_message_as_much_later_as_the_one_before() {
	let first = |stamp: u8| vec![4, 0, 0, stamp, 0, 0, 1, 8, 1, 0, 0, 0, b'a'];
	let stamps = |bytes: &[u8]| read_of(bytes).unwrap().iter().map(|m| m.stamp).collect::<Vec<_>>();
	// Behind format 0, 1, 2.
	assert_eq!(
		stamps(&[&first(23)[..], &[0xC4, b'b', 0xC4, b'c']].concat()),
		[23, 46, 69]
	);
	let one = [0x44, 0, 0, 10, 0, 0, 1, 8, b'b'];
	assert_eq!(stamps(&[&first(23)[..], &one, &[0xC4, b'c']].concat()), [23, 33, 43]);
	let two = [0x84, 0, 0, 10, b'b'];
	assert_eq!(stamps(&[&first(23)[..], &two, &[0xC4, b'c']].concat()), [23, 33, 43]);
	// A stamp that is no step: an hour into a broadcast.
	let late = [4, 0x36, 0xEE, 0x80, 0, 0, 1, 8, 1, 0, 0, 0, b'a', 0xC4, b'b'];
	assert_eq!(stamps(&late), [3_600_000, 3_600_000]);
	let later = [
		4, 255, 255, 255, 0, 0, 1, 8, 1, 0, 0, 0, 2, 0, 0, 0, b'a', 0xC4, 2, 0, 0, 0, b'b',
	];
	assert_eq!(stamps(&later), [0x200_0000, 0x200_0000]);
}

#[test]
fn steps_wrap_with_the_stamp() {
	let first = [4, 255, 255, 255, 0, 0, 1, 8, 1, 0, 0, 0, 255, 255, 255, 250, b'a'];
	let ahead = [0x84, 0, 0, 10, b'b'];
	// A step back, as librtmp writes it.
	let back = [0x84, 255, 255, 255, 255, 255, 255, 255, b'c'];
	let read = read_of(&[&first[..], &ahead, &back].concat()).unwrap();
	assert_eq!(read.iter().map(|m| m.stamp).collect::<Vec<_>>(), [u32::MAX - 5, 4, 3]);
}

#[test]
fn new_header_in_the_midst_of_a_message_begins_another() {
	let mut bytes = vec![4, 0, 0, 1, 0, 0, 200, 9, 1, 0, 0, 0];
	bytes.extend([b'v'; 128]);
	bytes.extend([4, 0, 0, 2, 0, 0, 1, 9, 1, 0, 0, 0, b'n']);
	assert_eq!(read_of(&bytes), Ok(vec![message(9, 2, b"n")]));
}

#[test]
fn abort_forgets_one_chunk_streams_message_and_no_other() {
	let begin = |id: u8| [&[id, 0, 0, 1, 0, 0, 200, 9, 1, 0, 0, 0][..], &[id; 128]].concat();
	let mut reader = Reader::new(LIMITS);
	assert_eq!(read_all(&mut reader, [&begin(4)[..], &begin(5)]), Ok(vec![]));
	reader.abort(4);
	reader.abort(9);
	assert_eq!(reader.unfinished, 128);
	let rest = [&[0xC5][..], &[5; 72]].concat();
	assert_eq!(read_all(&mut reader, [&rest[..]]), Ok(vec![message(9, 1, &[5; 200])]));
	// The header is still known.
	let again = [&[0xC4][..], &[4; 128], &[0xC4], &[4; 72]].concat();
	assert_eq!(read_all(&mut reader, [&again[..]]), Ok(vec![message(9, 2, &[4; 200])]));
}

#[test]
fn limits_hold_for_messages_streams_and_what_is_unfinished() {
	let long = [4, 0, 0, 0, 0, 0x10, 1, 9, 1, 0, 0, 0];
	assert_eq!(
		read_of(&long),
		Err(ChunkError::Long {
			length: 4097,
			limit: 4096
		})
	);
	let empty = |id: u8| [id, 0, 0, 0, 0, 0, 0, 9, 1, 0, 0, 0];
	let streams = |count: u8| (2..2 + count).flat_map(empty).collect::<Vec<_>>();
	assert_eq!(read_of(&streams(8)).map(|m| m.len()), Ok(8));
	assert_eq!(read_of(&streams(9)), Err(ChunkError::Streams(8)));
	let mut reader = Reader::new(LIMITS);
	reader.set_size(4095).unwrap();
	let most = |id: u8| [&[id, 0, 0, 0, 0, 0x10, 0, 9, 1, 0, 0, 0][..], &[0; 4095]].concat();
	assert_eq!(
		read_all(&mut reader, [&most(4)[..], &most(5), &empty(6)]).map(|m| m.len()),
		Ok(1)
	);
	assert_eq!(read_all(&mut reader, [&most(7)[..]]), Err(ChunkError::Unfinished(8192)));
	// For ever.
	assert_eq!(
		read_all(&mut reader, [&empty(6)[..]]),
		Err(ChunkError::Unfinished(8192))
	);
}

#[test]
fn header_that_refers_to_none_is_refused_but_for_a_ping() {
	assert_eq!(read_of(&[0xC4]), Err(ChunkError::NoHeader { format: 3, stream: 4 }));
	assert_eq!(
		read_of(&[0x84, 0, 0, 1]),
		Err(ChunkError::NoHeader { format: 2, stream: 4 })
	);
	let ping = [0x42, 0, 0, 1, 0, 0, 1, 4, b'p'];
	let expected = Message {
		stream: 0,
		..message(4, 1, b"p")
	};
	assert_eq!(read_of(&ping), Ok(vec![expected]));
}

#[test]
fn chunk_size_is_what_rtmp_allows() {
	let mut reader = Reader::new(LIMITS);
	assert_eq!(reader.set_size(0), Err(ChunkError::Size(0)));
	assert_eq!(reader.set_size(1 << 31), Err(ChunkError::Size(1 << 31)));
	assert_eq!(reader.set_size(1), Ok(()));
	assert_eq!(reader.set_size(u32::MAX >> 1), Ok(()));
}
