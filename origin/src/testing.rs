//! What the unit tests share: windows that nobody encoded.

use crate::encoder::Window;
use bytes::Bytes;
use clustercast_media::mux::{AccessUnit, Init, MediaTime, Part};

/// As x264 says it of 854x480, and FFmpeg of 48 kHz in stereo.
const PARAMETERS: (&[u8], &[u8]) = (
	&[
		1, 100, 0, 31, 0xff, 0xe1, 0, 6, 0x67, 100, 0, 31, 0xac, 0xb4, 1, 0, 4, 0x68, 0xee, 0x3c, 0x80, 0xfd, 0xf8,
		0xf8, 0,
	],
	&[0x11, 0x90, 0x56, 0xe5, 0],
);

/// An initialisation segment, with so many bytes of what the sound's encoder says of itself: 5, all of it, or 2.
pub fn init(of_sound: usize) -> Bytes {
	let (picture, sound) = PARAMETERS;
	Init::new(picture, &sound[..of_sound]).unwrap().segment
}

/// A fragment of 60 pictures, the segment of this number since the stream began.
pub fn fragment(segment: u64) -> Bytes {
	let at = MediaTime::new(60 * segment).unwrap();
	let unit = |n: u8| AccessUnit {
		key: n == 0,
		data: Bytes::copy_from_slice(&[0, 0, 0, 3, 0x65, n, segment as u8]),
	};
	let part = Part {
		at,
		captured_ms: start_ms(segment),
		pictures: &(0..60).map(unit).collect::<Vec<_>>(),
		parameter_sets: &Bytes::new(),
		frames: &vec![Bytes::from_static(b"sound"); (at.segment_end().frame() - at.frame()) as usize],
	};
	part.to_bytes().unwrap()
}

fn start_ms(segment: u64) -> u64 {
	1_700_000_000_000 + 2_000 * segment
}

/// Three windows that follow each other, from the stream's beginning.
pub fn windows() -> Vec<Window> {
	let (picture, sound) = PARAMETERS;
	let window = |segment| Window {
		init: Init::new(picture, sound).unwrap(),
		data: fragment(segment),
		start_ms: start_ms(segment),
		duration_ms: 2_000,
		independent: true,
		discontinuity: false,
		last_part: true,
		end: MediaTime::new(60 * (segment + 1)).unwrap(),
	};
	(0..3).map(window).collect()
}
