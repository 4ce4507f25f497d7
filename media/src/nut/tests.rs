use super::*;
use proptest::prelude::*;
use std::{
	process::{Command, Stdio},
	sync::LazyLock,
};

/// Arguments that decoders use too.
const PIPE: &str = "-f nut -syncpoints none -strict experimental";

/// What FFmpeg writes.
fn ffmpeg(arguments: &str) -> Vec<u8> {
	let output = Command::new("ffmpeg")
		.args("-hide_banner -nostdin -loglevel error".split(' '))
		.args(arguments.split_whitespace())
		.arg("pipe:1")
		.stdin(Stdio::null())
		.output()
		.unwrap();
	assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
	output.stdout
}

/// All frames of what comes in pieces of so many bytes.
fn read(bytes: &[u8], piece: usize) -> Result<Vec<Frame>, Error> {
	let mut reader = Reader::default();
	let mut frames = Vec::new();
	for piece in bytes.chunks(piece) {
		reader.buffer(piece.len()).extend_from_slice(piece);
		while let Some(frame) = reader.next_frame()? {
			frames.push(frame);
		}
	}
	assert!(reader.buffer.is_empty());
	Ok(frames)
}

fn stamps(frames: &[Frame], stream: usize) -> Vec<Duration> {
	frames
		.iter()
		.filter(|frame| frame.stream == stream)
		.map(|frame| frame.at)
		.collect()
}

/// Half a second of pictures of 20x10 and of sound, both with syncpoints and without.
static BOTH: LazyLock<[Vec<u8>; 2]> = LazyLock::new(|| {
	let source =
		"-f lavfi -i testsrc2=s=20x10:r=30:d=0.5 -f lavfi -i sine=r=48000:d=0.5 -c:v rawvideo -pix_fmt yuv420p \
	              -c:a pcm_s16le -ac 2";
	[PIPE, "-f nut"].map(|format| ffmpeg(&format!("{source} {format}")))
});

#[test]
fn pictures_and_sound_of_one_file_come_with_their_stamps() {
	for file in &*BOTH {
		let frames = read(file, usize::MAX).unwrap();
		let pictures: Vec<_> = frames.iter().filter(|frame| frame.stream == 0).collect();
		assert_eq!(pictures.len(), 15);
		for (n, picture) in pictures.iter().enumerate() {
			assert_eq!(picture.format, Format::Picture { width: 20, height: 10 });
			assert_eq!(picture.data.len(), 300);
			let at = Duration::from_secs(n as u64) / 30;
			assert!(picture.at.abs_diff(at) < Duration::from_micros(30), "{:?}", picture.at);
		}
		let mut samples = 0;
		for sound in frames.iter().filter(|frame| frame.stream == 1) {
			assert_eq!(
				sound.format,
				Format::Sound {
					rate: 48_000,
					channels: 2
				}
			);
			assert!(sound.at.abs_diff(Duration::from_secs(samples) / 48_000) < Duration::from_micros(1));
			samples += sound.data.len() as u64 / 4;
		}
		assert_eq!(samples, 24_000);
	}
}

#[test]
fn data_are_those_that_ffmpeg_decodes() {
	let raw = ffmpeg("-f lavfi -i testsrc2=s=20x10:r=30:d=0.5 -pix_fmt yuv420p -f rawvideo");
	let frames = read(&BOTH[0], usize::MAX).unwrap();
	let pictures = frames.iter().filter(|frame| frame.stream == 0);
	assert_eq!(
		pictures
			.flat_map(|picture| &picture.data[..])
			.copied()
			.collect::<Vec<_>>(),
		raw
	);
}

#[test]
fn pieces_of_any_size_give_the_same() {
	for file in &*BOTH {
		let whole = read(file, usize::MAX).unwrap();
		for piece in [1, 2, 7, 1000] {
			assert_eq!(read(file, piece).unwrap(), whole, "{piece}");
		}
	}
}

#[test]
fn stamps_that_jump_ahead_are_whole() {
	// Frames 10 to 19 are an hour later, 20 to 29 forty days.
	let jump = "setpts=N+if(gte(N\\,10)\\,3600*30)+if(gte(N\\,20)\\,3456000*30)";
	for format in [PIPE, "-f nut"] {
		let file = ffmpeg(&format!(
			"-f lavfi -i testsrc2=s=16x16:r=30:d=1 -vf {jump} -fps_mode passthrough -enc_time_base 1:90000 -c:v rawvideo \
			 -pix_fmt yuv420p {format}"
		));
		let got = stamps(&read(&file, usize::MAX).unwrap(), 0);
		assert_eq!(got.len(), 30);
		for (n, at) in got.iter().enumerate() {
			let jumped = Duration::from_secs(if n >= 10 { 3_600 } else { 0 } + if n >= 20 { 3_456_000 } else { 0 });
			let expected = jumped + Duration::from_secs(n as u64) / 30;
			assert!(
				at.abs_diff(expected) < Duration::from_micros(20),
				"{n}: {at:?} {expected:?}"
			);
		}
	}
}

#[test]
fn rates_from_1_to_120_keep_their_stamps() {
	for (rate, second) in [
		("1", 1.0),
		("24000/1001", 23.976_023_976),
		("25", 25.0),
		("30", 30.0),
		("120", 120.0),
	] {
		let file = ffmpeg(&format!(
			"-f lavfi -i testsrc2=s=16x16:r={rate} -frames:v 20 -fps_mode passthrough -enc_time_base 1:90000 -c:v rawvideo \
			 -pix_fmt yuv420p {PIPE}"
		));
		let got = stamps(&read(&file, usize::MAX).unwrap(), 0);
		assert_eq!(got.len(), 20, "{rate}");
		for (n, at) in got.iter().enumerate() {
			let expected = Duration::from_secs_f64(n as f64 / second);
			assert!(at.abs_diff(expected) < Duration::from_micros(20), "{rate} {n}: {at:?}");
		}
	}
}

#[test]
fn headers_that_come_again_change_nothing() {
	let file = &BOTH[0];
	let at = |code: u64| file.windows(8).position(|bytes| bytes == code.to_be_bytes()).unwrap();
	let frames = at(SYNCPOINT);
	let twice = [file, &file[at(MAIN)..frames], &file[frames..]].concat();
	let once = read(file, usize::MAX).unwrap();
	assert_eq!(read(&twice, usize::MAX).unwrap(), [once.clone(), once].concat());

	let others = ffmpeg(&format!(
		"-f lavfi -i testsrc2=s=22x10:d=0.1 -c:v rawvideo -pix_fmt yuv420p {PIPE}"
	));
	let changed = [file, &others[IDENTIFICATION.len()..]].concat();
	assert_eq!(read(&changed, usize::MAX), Err(Error::Invalid("another main header")));
}

#[test]
fn what_a_frame_leaves_out_comes_back() {
	let file = &BOTH[0];
	let frames = file
		.windows(8)
		.position(|bytes| bytes == SYNCPOINT.to_be_bytes())
		.unwrap();
	// Row 1 with flags of its own: a key frame with stream, stamp, size, and the fourth beginning of FFmpeg's main header, FF FB.
	let frame = [1, 0x88, 0x39, 1, 0x81, 0x83, 0x60, 4, 4, 0x12, 0x34];
	let file = [&file[..frames], &frame].concat();
	let [frame] = read(&file, usize::MAX).unwrap().try_into().unwrap();
	assert_eq!((frame.stream, frame.at), (1, Duration::from_millis(10)));
	assert_eq!(frame.data[..], [0xFF, 0xFB, 0x12, 0x34]);
}

#[test]
fn other_formats_are_refused() {
	let rgb = ffmpeg(&format!(
		"-f lavfi -i testsrc2=s=16x16:d=0.1 -c:v rawvideo -pix_fmt rgb24 {PIPE}"
	));
	assert!(matches!(read(&rgb, usize::MAX), Err(Error::Format(_))));
	let float = ffmpeg(&format!("-f lavfi -i sine=d=0.1 -c:a pcm_f32le {PIPE}"));
	assert!(matches!(read(&float, usize::MAX), Err(Error::Format(_))));
	assert_eq!(read(b"FLV\x01\x05\0\0\0\x09", usize::MAX), Err(Error::NotNut));
}

#[test]
fn a_frame_above_the_limit_is_refused_before_it_is_held() {
	let file = ffmpeg(&format!(
		"-f lavfi -i testsrc2=s=854x480:d=0.04 -c:v rawvideo -pix_fmt yuv420p {PIPE}"
	));
	let mut reader = Reader::new(600_000);
	reader.buffer(2_000).extend_from_slice(&file[..2_000]);
	assert_eq!(
		reader.next_frame(),
		Err(Error::TooLarge {
			part: "frame",
			size: 614_880,
			limit: 600_000
		})
	);
}

#[test]
fn room_is_made_for_the_whole_picture_at_once() {
	let file = ffmpeg(&format!(
		"-f lavfi -i testsrc2=s=854x480:d=0.04 -c:v rawvideo -pix_fmt yuv420p {PIPE}"
	));
	let mut reader = Reader::default();
	reader.buffer(2_000).extend_from_slice(&file[..2_000]);
	assert_eq!(reader.next_frame(), Ok(None));
	let buffer = reader.buffer(0);
	assert!(buffer.capacity() >= crate::picture::PICTURE_BYTES);
	assert!(buffer.capacity() < 2 * crate::picture::PICTURE_BYTES);
}

/// A file whose bytes are partly others.
fn damaged() -> impl Strategy<Value = Vec<u8>> {
	let places = proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..20);
	(0..2_usize, places).prop_map(|(which, places)| {
		let mut file = BOTH[which].clone();
		for (place, byte) in places {
			// Headers are where the decisions are.
			let length = file.len().min(3_000);
			file[place.index(length)] = byte;
		}
		file
	})
}

/// Reads as far as it goes; what the reader holds stays below its bound.
fn endures(bytes: &[u8]) {
	let mut reader = Reader::default();
	for piece in bytes.chunks(512) {
		reader.buffer(piece.len()).extend_from_slice(piece);
		loop {
			match reader.next_frame() {
				Ok(Some(frame)) => assert!(frame.data.len() <= MAX_FRAME),
				Ok(None) => break,
				Err(_) => return,
			}
		}
		assert!(reader.missing <= MAX_FRAME);
		assert!(reader.buffer.len() <= MAX_FRAME + MAX_PACKET);
	}
}

proptest! {
	#[test]
	fn damaged_files_never_panic(file in damaged()) {
		endures(&file);
	}

	#[test]
	fn random_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..2_000), code in 0..6_usize) {
		let mut file = IDENTIFICATION.to_vec();
		if let Some(code) = [MAIN, STREAM, SYNCPOINT, INDEX, INFO].get(code) {
			file.extend_from_slice(&code.to_be_bytes());
		}
		file.extend_from_slice(&bytes);
		endures(&file);
	}

	#[test]
	fn random_frames_behind_true_headers_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..2_000)) {
		let file = &BOTH[0];
		let info = file.windows(8).position(|bytes| bytes == INFO.to_be_bytes()).unwrap();
		let mut file = file[..info].to_vec();
		file.extend_from_slice(&bytes);
		endures(&file);
	}
}
