//! What a publisher's pictures are, read from H.264's sequence parameter set: enough to say it, and to choose how they are decoded.
//! And whether there are captions in them.
//!
//! Source: ITU-T H.264, 7.3.1, 7.3.2.1.1, 7.3.2.3, D.1.6 and E.1.1; ISO/IEC 14496-15, 5.2.4.1 (`AVCDecoderConfigurationRecord`);
//! ATSC A/53 part 4, 6.2.3 (captions).

use bytes::{BufMut, Bytes, BytesMut};
use mp4_atom::Avcc;

/// What pictures look like before they are decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
	/// Pixels that are shown.
	pub width: u32,
	/// Pixels that are shown.
	pub height: u32,
	/// May hold fields.
	pub interlaced: bool,
	/// Says which matrix its colours are of.
	pub tagged: bool,
	/// PQ or HLG.
	pub high_dynamic_range: bool,
}

/// Largest width and height that are believed: level 6.2 has no more. Pixels.
const MAX_SIDE: u32 = 16_384;

/// Of an `AVCDecoderConfigurationRecord`; `None` where it is none, or damaged.
pub fn shape(record: &[u8]) -> Option<Shape> {
	let [1, _, _, _, _, count, rest @ ..] = record else {
		return None;
	};
	if count & 0x1F == 0 {
		return None;
	}
	let length = usize::from(u16::from_be_bytes(*rest.first_chunk()?));
	let unit = rest.get(2..2 + length)?;
	// 7: a sequence parameter set.
	let (7, payload) = (unit.first()? & 0x1F, unit.get(1..)?) else {
		return None;
	};
	read(&mut Bits::new(payload))
}

fn read(bits: &mut Bits) -> Option<Shape> {
	let profile = bits.take(8)?;
	bits.take(16)?;
	bits.number()?;
	let mut chroma = 1;
	let mut separate = 0;
	if matches!(
		profile,
		100 | 110 | 122 | 244 | 44 | 83 | 86 | 118 | 128 | 138 | 139 | 134 | 135
	) {
		chroma = bits.number()?;
		if chroma == 3 {
			separate = bits.take(1)?;
		}
		bits.number()?;
		bits.number()?;
		bits.take(1)?;
		if bits.take(1)? == 1 {
			for list in 0..if chroma == 3 { 12 } else { 8 } {
				if bits.take(1)? == 1 {
					bits.skip_scaling_list(if list < 6 { 16 } else { 64 })?;
				}
			}
		}
	}
	bits.number()?;
	match bits.number()? {
		0 => _ = bits.number()?,
		1 => {
			bits.take(1)?;
			bits.number()?;
			bits.number()?;
			for _ in 0..bits.number()?.min(255) {
				bits.number()?;
			}
		},
		_ => {},
	}
	bits.number()?;
	bits.take(1)?;
	let columns = bits.number()?.checked_add(1)?;
	let rows = bits.number()?.checked_add(1)?;
	let frames_only = bits.take(1)?;
	if frames_only == 0 {
		bits.take(1)?;
	}
	bits.take(1)?;
	let mut crop = [0; 4];
	if bits.take(1)? == 1 {
		for side in &mut crop {
			*side = bits.number()?;
		}
	}
	let planes = if separate == 1 { 0 } else { chroma };
	let across = if matches!(planes, 1 | 2) { 2 } else { 1 };
	let down = if planes == 1 { 2 } else { 1 } * (2 - frames_only);
	let side = |blocks: u32, crop: [u32; 2], unit: u32| {
		let cut = crop[0].checked_add(crop[1])?.checked_mul(unit)?;
		let side = blocks.checked_mul(16)?.checked_sub(cut)?;
		(1..=MAX_SIDE).contains(&side).then_some(side)
	};
	let (mut tagged, mut high_dynamic_range) = (false, false);
	// What is cut off here is as good as not said.
	if let Some((transfer, matrix)) = bits.colours() {
		tagged = matrix != 2;
		high_dynamic_range = matches!(transfer, 16 | 18);
	}
	Some(Shape {
		width: side(columns, [crop[0], crop[1]], across)?,
		height: side(rows.checked_mul(2 - frames_only)?, [crop[2], crop[3]], down)?,
		interlaced: frames_only == 0,
		tagged,
		high_dynamic_range,
	})
}

/// All parameter sets of a configuration, each behind its length of four bytes: what decoders find in a picture, too.
pub(crate) fn parameter_sets(config: &Avcc) -> Bytes {
	let mut units = BytesMut::new();
	for unit in config
		.sequence_parameter_sets
		.iter()
		.chain(&config.picture_parameter_sets)
	{
		// They came behind lengths of two bytes.
		units.put_u32(unit.len() as u32);
		units.put_slice(unit);
	}
	units.freeze()
}

/// Bytes of the length before each NAL unit, of an `AVCDecoderConfigurationRecord`.
pub fn length_bytes(record: &[u8]) -> usize {
	record.get(4).map_or(4, |byte| usize::from(byte & 3) + 1)
}

/// Whether a picture carries captions (CEA-608, CEA-708) that say something: encoders that always send the packets fill them with
/// nothing while nobody speaks. `length_bytes`: see [`length_bytes`].
pub fn has_captions(mut picture: &[u8], length_bytes: usize) -> bool {
	while let Some((length, rest)) = picture.split_at_checked(length_bytes) {
		let length = length.iter().fold(0, |length, byte| length << 8 | usize::from(*byte));
		let Some((unit, rest)) = rest.split_at_checked(length) else {
			return false;
		};
		// 6: supplemental enhancement information.
		if unit.first().is_some_and(|kind| kind & 0x1F == 6) && messages_say(&unit[1..]) {
			return true;
		}
		picture = rest;
	}
	false
}

fn messages_say(unit: &[u8]) -> bool {
	let mut plain = Vec::with_capacity(unit.len());
	for (index, byte) in unit.iter().enumerate() {
		if !matches!(unit[..=index], [.., 0, 0, 3]) {
			plain.push(*byte);
		}
	}
	let mut rest = &plain[..];
	// A number is as many times 255 as there are of them, and what follows.
	let number = |rest: &mut &[u8]| {
		let mut number = 0;
		loop {
			let (byte, behind) = rest.split_first()?;
			(number, *rest) = (number + usize::from(*byte), behind);
			if *byte != 0xFF {
				return Some(number);
			}
		}
	};
	while let (Some(kind), Some(length)) = (number(&mut rest), number(&mut rest)) {
		let Some((message, behind)) = rest.split_at_checked(length) else {
			return false;
		};
		// User data as registered by ITU-T T.35: of the United States, ATSC, captions.
		if let (4, [0xB5, 0, 0x31, b'G', b'A', b'9', b'4', 3, flags, _, packets @ ..]) = (kind, message) {
			let count = usize::from(flags & 0x1F);
			let says = |packet: &[u8]| packet[0] & 4 != 0 && (packet[1] | packet[2]) & 0x7F != 0;
			if flags & 0x40 != 0 && packets.chunks_exact(3).take(count).any(says) {
				return true;
			}
		}
		rest = behind;
	}
	false
}

/// Bits behind each other, without the bytes that keep start codes out.
struct Bits<'a> {
	bytes: &'a [u8],
	position: usize,
	bit: u32,
}

impl<'a> Bits<'a> {
	fn new(bytes: &'a [u8]) -> Self {
		Self {
			bytes,
			position: 0,
			bit: 0,
		}
	}

	fn take(&mut self, count: u32) -> Option<u32> {
		let mut value = 0;
		for _ in 0..count {
			if self.bit == 0 && matches!(self.bytes.get(..=self.position)?, [.., 0, 0, 3]) {
				self.position += 1;
			}
			let byte = self.bytes.get(self.position)?;
			value = value << 1 | u32::from(byte >> (7 - self.bit) & 1);
			self.bit = (self.bit + 1) % 8;
			if self.bit == 0 {
				self.position += 1;
			}
		}
		Some(value)
	}

	/// Exp-Golomb, without a sign.
	fn number(&mut self) -> Option<u32> {
		let mut zeros = 0;
		while self.take(1)? == 0 {
			zeros += 1;
			if zeros > 31 {
				return None;
			}
		}
		Some((1 << zeros) - 1 + self.take(zeros)?)
	}

	fn signed(&mut self) -> Option<i32> {
		let value = i32::try_from(self.number()?).ok()?;
		Some(if value % 2 == 0 { -(value / 2) } else { value / 2 + 1 })
	}

	fn skip_scaling_list(&mut self, size: usize) -> Option<()> {
		let mut next = 8;
		for _ in 0..size {
			next = (next + self.signed()?) & 0xFF;
			if next == 0 {
				return Some(());
			}
		}
		Some(())
	}

	/// Transfer characteristics and matrix, where the usability information has them.
	fn colours(&mut self) -> Option<(u32, u32)> {
		if self.take(1)? == 0 {
			return None;
		}
		// 255: its aspect ratio follows.
		if self.take(1)? == 1 && self.take(8)? == 255 {
			self.take(32)?;
		}
		if self.take(1)? == 1 {
			self.take(1)?;
		}
		if self.take(1)? == 0 {
			return None;
		}
		self.take(4)?;
		if self.take(1)? == 0 {
			return None;
		}
		self.take(8)?;
		Some((self.take(8)?, self.take(8)?))
	}
}

#[cfg(test)]
mod tests {
	use super::*;
	use crate::flv::{Content, Reader};
	use proptest::prelude::*;
	use std::process::{Command, Stdio};

	/// The record that x264 makes with these arguments.
	fn record(size: &str, arguments: &str) -> Vec<u8> {
		let output = Command::new("ffmpeg")
			.args("-hide_banner -nostdin -loglevel error -f lavfi -i".split(' '))
			.arg(format!("testsrc2=s={size}:d=0.04,format=yuv444p"))
			.args("-c:v libx264 -preset ultrafast".split(' '))
			.args(arguments.split_whitespace())
			.args("-f flv pipe:1".split(' '))
			.stdin(Stdio::null())
			.output()
			.unwrap();
		assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
		let (mut reader, mut input) = (Reader::new(1 << 24), &output.stdout[..]);
		loop {
			let tag = reader.read(&mut input).unwrap().unwrap();
			if let Ok(Content::PictureHeader(record)) = tag.content() {
				return record.to_vec();
			}
		}
	}

	#[test]
	fn shapes_are_those_that_were_encoded() {
		for (size, arguments, interlaced, tagged, high_dynamic_range) in [
			("1280x720", "-pix_fmt yuv420p", false, false, false),
			("1920x1080", "-pix_fmt yuv420p -flags +ildct", true, false, false),
			(
				"720x576",
				"-pix_fmt yuv420p -flags +ildct -vf setsar=64/45",
				true,
				false,
				false,
			),
			("854x480", "-pix_fmt yuv420p -colorspace bt709", false, true, false),
			("854x480", "-pix_fmt yuvj420p -color_trc smpte2084", false, false, true),
			(
				"322x182",
				"-pix_fmt yuv422p -colorspace smpte170m -color_trc arib-std-b67",
				false,
				true,
				true,
			),
			("101x77", "-pix_fmt yuv444p -x264-params cqm=jvt", false, false, false),
			("2048x1152", "-pix_fmt yuv420p -profile:v baseline", false, false, false),
		] {
			let (width, height) = size.split_once('x').unwrap();
			let expected = Shape {
				width: width.parse().unwrap(),
				height: height.parse().unwrap(),
				interlaced,
				tagged,
				high_dynamic_range,
			};
			assert_eq!(shape(&record(size, arguments)), Some(expected), "{size} {arguments}");
		}
	}

	/// A picture with these packets of captions before its slice, as encoders send them.
	fn captioned(packets: &[[u8; 3]], length_bytes: usize) -> Vec<u8> {
		let mut message = vec![0xB5, 0, 0x31];
		message.extend(b"GA94\x03");
		message.extend([0x40 | packets.len() as u8, 0xFF]);
		message.extend(packets.concat());
		message.push(0xFF);
		// Another one before it, longer than 255.
		let other = [&[5, 0xFF, 45][..], &[7; 300]].concat();
		let message = [&other[..], &[4, message.len() as u8], &message, &[0x80]].concat();
		let mut unit = vec![6];
		for byte in message {
			if matches!(unit[..], [.., 0, 0]) && byte <= 3 {
				unit.push(3);
			}
			unit.push(byte);
		}
		let units = [&[9, 0xF0][..], &unit, &[0x65, 1, 2, 3]];
		let with_length = |unit: &&[u8]| [&(unit.len() as u32).to_be_bytes()[4 - length_bytes..], unit].concat();
		units.iter().flat_map(with_length).collect()
	}

	#[test]
	fn captions_are_seen_and_their_padding_is_none() {
		let nothing = [
			[0xFC, 0x80, 0x80],
			[0xFD, 0x80, 0x80],
			[0xFA, 0, 0],
			[0xFA, 0, 0],
			[0xF8, 9, 9],
		];
		for length_bytes in [2, 4] {
			let seen = |packets: &[[u8; 3]]| has_captions(&captioned(packets, length_bytes), length_bytes);
			assert!(!seen(&nothing) && !seen(&[]));
			for says in [[0xFC, 0x94, 0x2C], [0xFD, 0x80, 0xC1], [0xFF, 0x02, 0x21], [0xFE, 0, 1]] {
				assert!(seen(&[&nothing[..], &[says]].concat()), "{says:?}");
			}
			let whole = captioned(&[[0xFC, 0x94, 0x2C]], length_bytes);
			assert!((0..300).all(|cut| !has_captions(&whole[..cut], length_bytes)));
		}
		assert_eq!((length_bytes(&[1, 100, 0, 31, 0xFD]), length_bytes(&[])), (2, 4));
	}

	proptest! {
		#[test]
		fn random_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..100)) {
			shape(&bytes);
			has_captions(&bytes, length_bytes(&bytes));
			has_captions(&[&[0, 0, 0, bytes.len() as u8 + 1, 6], &bytes[..]].concat(), 4);
			let length = u8::try_from(bytes.len() + 1).unwrap();
			shape(&[&[1, 0, 0, 0, 0xFF, 0xE1, 0, length, 0x67], &bytes[..]].concat());
		}
	}
}
