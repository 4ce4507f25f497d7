//! Cuts what FFmpeg makes, and what it never would.

use super::*;
use crate::{
	encoder::unix_ms,
	old::testing::{cut, encode, SAMPLE},
};
use mp4_atom::Encode;
use proptest::prelude::*;
use std::time::Duration;

fn boxed(kind: &[u8; 4], content: &[u8]) -> Vec<u8> {
	let size = (content.len() as u32 + 8).to_be_bytes();
	[&size, &kind[..], content].concat()
}

/// All pieces, or the first error.
fn split(stream: &[u8]) -> Result<Vec<Piece>, Error> {
	let mut splitter = Splitter::new();
	splitter.buffer().extend_from_slice(stream);
	let mut pieces = Vec::new();
	while let Some(piece) = splitter.next_piece()? {
		pieces.push(piece);
	}
	Ok(pieces)
}

fn init() -> Vec<u8> {
	cut(&SAMPLE).0.to_vec()
}

fn after_init(boxes: &[u8]) -> Result<Vec<Piece>, Error> {
	split(&[&init()[..], boxes].concat())
}

#[test]
fn ffmpeg_output_is_cut_into_windows_of_two_seconds() {
	let before = unix_ms();
	let stream = encode(Duration::ZERO);
	let (init, fragments) = cut(&stream);
	assert_eq!(
		fragments.iter().map(|f| f.duration_ms).collect::<Vec<_>>(),
		[2_000, 2_000, 1_000]
	);
	assert!(fragments.iter().all(|f| f.independent));
	assert!(fragments
		.iter()
		.all(|f| (before..=unix_ms()).contains(&f.captured_ms.unwrap())));
	let ends: Vec<u64> = fragments.iter().map(|f| f.end_us / 100_000).collect();
	assert_eq!(ends, [20, 40, 50]);
	let joined: Vec<u8> = fragments
		.iter()
		.fold(init.to_vec(), |all, f| [&all[..], &f.data].concat());
	assert!(joined == stream, "no byte is lost or moved");
}

#[test]
fn restarted_encoder_repeats_the_init_and_continues_the_timeline() {
	let (init, first) = cut(&SAMPLE);
	let end = Duration::from_micros(first.last().unwrap().end_us);
	let (again, second) = cut(&encode(end));
	assert_eq!(init, again);
	let start = second[0].end_us - 2_000_000;
	assert!(
		start >= first.last().unwrap().end_us,
		"{start} lies before the end of the first run"
	);
}

#[test]
fn arrival_in_any_pieces_gives_the_same_windows() {
	let whole = split(&SAMPLE).unwrap();
	for step in [1, 7, 4096, 65_536] {
		let mut splitter = Splitter::new();
		let mut pieces = Vec::new();
		for bytes in SAMPLE.chunks(step) {
			splitter.buffer().extend_from_slice(bytes);
			while let Some(piece) = splitter.next_piece().unwrap() {
				pieces.push(piece);
			}
		}
		assert!(pieces == whole, "in steps of {step}");
	}
}

#[test]
fn box_that_is_too_large_is_refused_at_its_header() {
	let limit = MAX_WINDOW_BYTES;
	let fragment = [cut(&SAMPLE).1[0].data.as_ref(), &[]].concat();
	let mdat = fragment.windows(4).position(|w| w == b"mdat").unwrap() - 4;
	let mut fits = fragment[..mdat + 8].to_vec();
	fits[mdat..mdat + 4].copy_from_slice(&(limit - mdat as u32).to_be_bytes());
	assert_eq!(after_init(&fits).unwrap().len(), 1, "the init, and an mdat to wait for");
	fits[mdat..mdat + 4].copy_from_slice(&(limit - mdat as u32 + 1).to_be_bytes());
	assert!(matches!(after_init(&fits), Err(Error::TooLarge { kind: MDAT, .. })));

	let mut moov = boxed(b"moov", &[]);
	moov[..4].copy_from_slice(&MAX_INIT_BYTES.to_be_bytes());
	assert!(matches!(
		split(&[boxed(b"ftyp", b"iso5"), moov].concat()),
		Err(Error::TooLarge { kind: MOOV, .. })
	));

	let huge = [&1u32.to_be_bytes()[..], b"prft", &u64::MAX.to_be_bytes()].concat();
	assert!(matches!(after_init(&huge), Err(Error::TooLarge { kind: PRFT, .. })));
}

#[test]
fn box_without_a_valid_size_is_refused() {
	for size in [0u32, 2, 7] {
		let broken = [&size.to_be_bytes()[..], b"moof", &[0; 16]].concat();
		assert!(matches!(after_init(&broken), Err(Error::Size(MOOF))), "{size}");
	}
	let short = [&1u32.to_be_bytes()[..], b"moof", &15u64.to_be_bytes()].concat();
	assert!(matches!(after_init(&short), Err(Error::Size(MOOF))));
}

#[test]
fn box_out_of_place_is_refused() {
	let fragment = cut(&SAMPLE).1[0].data.clone();
	assert!(matches!(split(&fragment), Err(Error::Misplaced(PRFT))));
	assert!(matches!(split(&boxed(b"moov", &[])), Err(Error::Misplaced(MOOV))));
	assert!(matches!(
		split(&[boxed(b"ftyp", b"iso5"), boxed(b"free", &[])].concat()),
		Err(Error::Misplaced(_))
	));
	for kind in [b"mdat", b"ftyp", b"moov", b"mfra", b"free"] {
		assert!(
			matches!(after_init(&boxed(kind, &[])), Err(Error::Misplaced(_))),
			"{kind:?} after the init"
		);
	}
	let moof = fragment.windows(4).position(|w| w == b"mdat").unwrap() - 4;
	for kind in [b"moof", b"prft", b"styp", b"sidx"] {
		let boxes = [&fragment[..moof], &boxed(kind, &[])].concat();
		assert!(
			matches!(after_init(&boxes), Err(Error::Misplaced(_))),
			"{kind:?} after moof"
		);
	}
	let late = [boxed(b"sidx", &[]), boxed(b"styp", b"msdh")].concat();
	assert!(matches!(after_init(&late), Err(Error::Misplaced(STYP))));
}

#[test]
fn optional_boxes_belong_to_the_window() {
	let fragment = cut(&SAMPLE).1[0].data.clone();
	let boxes = [boxed(b"styp", b"msdh"), boxed(b"sidx", &[0; 24]), fragment.to_vec()].concat();
	let pieces = after_init(&boxes).unwrap();
	assert!(matches!(&pieces[1], Piece::Window(f) if f.data == boxes));
}

#[test]
fn content_that_does_not_decode_is_refused() {
	assert!(matches!(after_init(&boxed(b"moof", &[1; 5])), Err(Error::Size(MOOF))));
	let traf = boxed(b"traf", &boxed(b"tfhd", &[1; 5]));
	assert!(matches!(
		after_init(&boxed(b"moof", &traf)),
		Err(Error::Content { kind: TFHD, .. })
	));
	assert!(matches!(
		after_init(&boxed(b"prft", &[1; 5])),
		Err(Error::Content { kind: PRFT, .. })
	));
	let moov = |content: &[u8]| split(&[boxed(b"ftyp", b"iso5"), boxed(b"moov", content)].concat());
	assert!(matches!(moov(&[]), Err(Error::Missing(TRAK))));
	assert!(matches!(moov(&boxed(b"trak", &[])), Err(Error::Missing(MDIA))));
	assert!(matches!(moov(&[0; 7]), Err(Error::Size(MOOV))));
	assert!(matches!(
		moov(&[0, 0, 0, 99, b't', b'r', b'a', b'k']),
		Err(Error::Size(TRAK))
	));
}

#[test]
fn track_without_a_timescale_is_refused() {
	let mut init = init();
	let mdhd = init.windows(4).position(|w| w == b"mdhd").unwrap();
	// Behind kind, version, flags and two times of 32 bits.
	init[mdhd + 16..mdhd + 20].fill(0);
	assert!(matches!(split(&init), Err(Error::Timescale(1))));
}

/// A `moof` of one track.
fn moof(track_id: u32, tfdt: Option<u64>, samples: TrunSamples) -> Vec<u8> {
	let traf = mp4_atom::Traf {
		tfhd: Tfhd {
			track_id,
			..Default::default()
		},
		tfdt: tfdt.map(|base_media_decode_time| Tfdt { base_media_decode_time }),
		trun: vec![Trun {
			data_offset: None,
			samples,
		}],
		..Default::default()
	};
	let mut bytes = Vec::new();
	mp4_atom::Moof {
		traf: vec![traf],
		..Default::default()
	}
	.encode(&mut bytes)
	.unwrap();
	bytes
}

fn run(count: u32, first_flags: Option<u32>) -> TrunSamples {
	TrunSamples::Inherited { count, first_flags }
}

fn times_of(moof: &[u8]) -> Result<Times, Error> {
	let track = Track {
		id: 1,
		video: true,
		timescale: 1_000,
		duration: 40,
		flags: NON_SYNC,
	};
	times(&[track], Boxed::new(MOOF, moof)?)
}

#[test]
fn times_follow_the_defaults_of_the_track() {
	let times = times_of(&moof(1, Some(500), run(50, Some(0)))).unwrap();
	assert_eq!(
		(times.duration_ms, times.independent, times.end_us),
		(2_000, true, 2_500_000)
	);
	assert!(!times_of(&moof(1, Some(0), run(50, None))).unwrap().independent);
}

#[test]
fn fragment_without_track_samples_or_time_is_refused() {
	let error = |moof: &[u8]| times_of(moof).unwrap_err();
	assert!(matches!(error(&moof(2, Some(0), run(1, None))), Error::UnknownTrack(2)));
	assert!(matches!(error(&moof(1, None, run(1, None))), Error::Missing(TFDT)));
	assert!(matches!(error(&moof(1, Some(0), run(0, None))), Error::Empty));
	assert!(matches!(error(&boxed(b"moof", &[])), Error::Missing(TRAF)));
}

#[test]
fn time_out_of_range_is_refused() {
	let error = |tfdt, count| times_of(&moof(1, Some(tfdt), run(count, None))).unwrap_err();
	assert!(matches!(error(u64::MAX, 1), Error::Time));
	assert!(matches!(error(u64::MAX / 2, 1), Error::Time));
	assert!(matches!(error(0, u32::MAX), Error::Time));
}

#[test]
fn capture_time_counts_from_1970_and_over_2036() {
	let at = |ntp_timestamp, utc_time_semantics| {
		capture_time(&Prft {
			ntp_timestamp,
			utc_time_semantics,
			..Default::default()
		})
	};
	let unix = |seconds: u64| ((seconds + NTP_TO_UNIX) & u64::from(u32::MAX)) << 32;
	assert_eq!(
		at(unix(1_700_000_000) | 1 << 31, ReferenceTime::Input),
		Some(1_700_000_000_500)
	);
	assert_eq!(at(unix(2_100_000_000), ReferenceTime::Input), Some(2_100_000_000_000));
	assert_eq!(at(unix(1_700_000_000), ReferenceTime::Written), None);
	assert_eq!(at(1 << 63, ReferenceTime::Input), None, "before 1970");
}

proptest! {
	#[test]
	fn arbitrary_bytes_never_panic(bytes: Vec<u8>) {
		let _ = split(&bytes);
		let _ = after_init(&bytes);
	}

	#[test]
	fn arbitrary_boxes_never_panic(
		boxes in prop::collection::vec((prop::sample::select(vec![*b"styp", *b"prft", *b"sidx", *b"moof", *b"mdat"]), any::<Vec<u8>>()), 0..6),
	) {
		let bytes: Vec<u8> = boxes.iter().flat_map(|(kind, content)| boxed(kind, content)).collect();
		let _ = after_init(&bytes);
	}

	#[test]
	fn damaged_stream_never_panics(damage in prop::collection::vec((0usize..3_000, any::<u8>()), 1..8)) {
		let mut bytes = SAMPLE[..SAMPLE.len() / 2].to_vec();
		for (at, byte) in damage {
			bytes[at] = byte;
		}
		let _ = split(&bytes);
	}
}

#[test]
fn deep_nesting_never_overflows_the_stack() {
	for kind in [b"moof", b"traf", b"moov", b"trak", b"udta", b"meta", b"mdia"] {
		let mut nested = Vec::new();
		while nested.len() + 64 < MAX_INIT_BYTES as usize {
			nested = boxed(kind, &nested);
		}
		let _ = split(&[boxed(b"ftyp", b"iso5"), boxed(b"moov", &nested)].concat());
		let _ = after_init(&boxed(b"moof", &nested));
		let mut content = vec![0, 0, 0, 0];
		content.extend(nested);
		let _ = after_init(&boxed(b"moof", &content));
	}
}

#[test]
fn initialisation_segment_is_described() {
	let (init, _) = cut(&SAMPLE);
	let track = describe(&init);
	assert_eq!((track.width, track.height, track.kind), (854, 480, kind::MUXED));
	let codecs = track.codecs.as_str();
	assert!(
		codecs.starts_with("avc1.") && codecs.ends_with(",mp4a.40.2"),
		"{codecs}"
	);
	assert!(track.timescale > 0);
	assert_eq!(describe(b"no boxes"), Description::unknown(b"no boxes"));
}
