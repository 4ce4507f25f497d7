//! Boxes as our own and other readers want them; times that add up.

use super::*;
use crate::{
	fragment::{self, Fragment, Kind, Layout},
	picture::{PICTURES_PER_SEGMENT, SAMPLES_PER_FRAME, SAMPLE_RATE},
	testing::decode,
};
use bytes::Bytes;
use clustercast_testing::clip::{Clip, SMALL};
use mp4_atom::{Codec, Decode, FourCC, Ftyp, Header, Mdat, Moof, Moov, Prft, ReferenceTime, TrunSamples};
use proptest::prelude::*;

/// As x264 says it of 854x480.
const PICTURE: &[u8] = &[
	1, 100, 0, 31, 0xff, 0xe1, 0, 6, 0x67, 100, 0, 31, 0xac, 0xb4, 1, 0, 4, 0x68, 0xee, 0x3c, 0x80, 0xfd, 0xf8, 0xf8, 0,
];

/// Its parameter sets, each behind its length.
const SETS: &[u8] = &[
	0, 0, 0, 6, 0x67, 100, 0, 31, 0xac, 0xb4, 0, 0, 0, 4, 0x68, 0xee, 0x3c, 0x80,
];

/// As FFmpeg says it of 48 kHz in stereo.
const SOUND: &[u8] = &[0x11, 0x90, 0x56, 0xe5, 0];

fn units(at: MediaTime, end: MediaTime) -> (Vec<AccessUnit>, Vec<Bytes>) {
	let unit = |n: u64| AccessUnit {
		key: n.is_multiple_of(60),
		data: Bytes::from(vec![n as u8; 10 + (n % 7) as usize]),
	};
	let frame = |n: u64| Bytes::from(vec![n as u8; 5 + (n % 3) as usize]);
	let pictures = (at.pictures()..end.pictures()).map(unit).collect();
	(pictures, (at.frame()..end.frame()).map(frame).collect())
}

fn part(at: MediaTime, end: MediaTime) -> Bytes {
	let (pictures, frames) = units(at, end);
	let part = Part {
		at,
		captured_ms: 1_700_000_000_500,
		pictures: &pictures,
		parameter_sets: &Bytes::from_static(SETS),
		frames: &frames,
	};
	part.to_bytes().unwrap()
}

fn at(pictures: u64) -> MediaTime {
	MediaTime::new(pictures).unwrap()
}

#[test]
fn initialisation_segment_says_what_is_in_the_tracks() {
	let init = Init::new(PICTURE, SOUND).unwrap();
	assert_eq!(init.codecs, "avc1.64001f,mp4a.40.2");
	assert_eq!(init.parameter_sets, SETS);
	assert_eq!(Init::new(PICTURE, SOUND).unwrap(), init, "the same on every start");
	let mut bytes = &init.segment[..];
	let ftyp = Ftyp::decode(&mut bytes).unwrap();
	assert_eq!(ftyp.major_brand, FourCC::new(b"iso6"));
	let moov = Moov::decode(&mut bytes).unwrap();
	assert!(bytes.is_empty());
	// What Media Source Extensions ask for: fragments are announced, tables are empty, every track has its defaults.
	let trex = moov.mvex.unwrap().trex;
	let tracks: Vec<(u32, u32)> = moov
		.trak
		.iter()
		.map(|t| (t.tkhd.track_id, t.mdia.mdhd.timescale))
		.collect();
	assert_eq!(tracks, [(1, 30_000), (2, 48_000)]);
	let defaults: Vec<(u32, u32, u32)> = trex
		.iter()
		.map(|t| (t.track_id, t.default_sample_duration, t.default_sample_flags))
		.collect();
	assert_eq!(defaults, [(1, 1_000, NON_SYNC), (2, 1_024, SYNC)]);
	let [picture, sound] = &moov.trak[..] else { panic!() };
	for trak in [picture, sound] {
		let stbl = &trak.mdia.minf.stbl;
		assert!(stbl.stts.entries.is_empty() && stbl.stsc.entries.is_empty() && trak.edts.is_none());
	}
	let Codec::Avc1(avc) = &picture.mdia.minf.stbl.stsd.codecs[0] else {
		panic!()
	};
	assert_eq!((avc.visual.width, avc.visual.height), (854, 480));
	let Codec::Mp4a(aac) = &sound.mdia.minf.stbl.stsd.codecs[0] else {
		panic!()
	};
	let said = aac.esds.es_desc.dec_config.dec_specific.clone().unwrap().raw;
	assert_eq!(said, SOUND, "byte for byte what the encoder said");
}

#[test]
fn what_nothing_decodes_by_is_refused() {
	let picture = |bytes: &[u8]| matches!(Init::new(bytes, SOUND), Err(InitError::Picture));
	assert!(picture(&[]) && picture(&PICTURE[..5]) && picture(&PICTURE[..16]));
	assert!(picture(&[1, 100, 0, 31, 0xff, 0xe0, 0]), "no parameter sets");
	let mut short_lengths = PICTURE.to_vec();
	short_lengths[4] = 0xfd;
	assert!(picture(&short_lengths));
	let sound = |bytes: &[u8]| matches!(Init::new(PICTURE, bytes), Err(InitError::Sound));
	assert!(sound(&[]) && sound(&[0x11]));
	assert!(sound(&[0x12, 0x10]), "44.1 kHz");
	assert!(sound(&[0x11, 0x88]), "mono");
}

#[test]
fn part_is_whole_and_points_at_its_own_data() {
	let (from, to) = (at(120), at(180));
	let (pictures, frames) = units(from, to);
	let bytes = part(from, to);
	let mut rest = &bytes[..];
	let prft = Prft::decode(&mut rest).unwrap();
	assert_eq!((prft.reference_track_id, prft.media_time), (1, 120_000));
	assert_eq!(prft.utc_time_semantics, ReferenceTime::Input);
	assert_eq!(prft.ntp_timestamp, (1_700_000_000 + 2_208_988_800) << 32 | 1 << 31);
	let moof_at = bytes.len() - rest.len();
	let moof = Moof::decode(&mut rest).unwrap();
	let mdat_at = bytes.len() - rest.len();
	let mdat = Mdat::decode(&mut rest).unwrap();
	assert!(rest.is_empty());
	let data = pictures.iter().map(|p| &p.data).chain(&frames);
	assert!(mdat.data == SETS.iter().chain(data.flatten()).copied().collect::<Vec<u8>>());
	let [picture, sound] = &moof.traf[..] else { panic!() };
	assert!(picture.tfhd.default_base_is_moof && sound.tfhd.default_base_is_moof);
	let offset = picture.trun[0].data_offset.unwrap() as usize;
	assert_eq!(moof_at + offset, mdat_at + 8, "behind the header of its own mdat");
	let TrunSamples::Explicit(samples) = &picture.trun[0].samples else {
		panic!()
	};
	assert_eq!(samples.len(), 60);
	assert_eq!(samples[0].flags, Some(SYNC));
	assert!(samples[1..].iter().all(|sample| sample.flags.is_none()));
	let lengths: Vec<usize> = samples.iter().map(|sample| sample.size.unwrap() as usize).collect();
	assert_eq!(
		lengths[0],
		SETS.len() + pictures[0].data.len(),
		"a key frame's parameter sets are part of it"
	);
	assert!(lengths[1..]
		.iter()
		.eq(pictures[1..].iter().map(|p| p.data.len()).collect::<Vec<_>>().iter()));
	let length: usize = lengths.iter().sum();
	assert_eq!(sound.trun[0].data_offset.unwrap() as usize, offset + length);
	assert_eq!(sound.trun[0].samples.len(), frames.len());
}

/// 4 s of pictures that FFmpeg made of this clip, muxed from there on: initialisation segment and windows.
fn encoded(clip: Clip, from: MediaTime) -> (Init, Vec<Bytes>) {
	let (init, windows) = fragment::cut(&clip.mp4()).unwrap();
	let layout = Layout::read(&init).unwrap();
	let of_kind = |wanted: Kind| -> Vec<fragment::Sample> {
		let track = layout.tracks().iter().find(|track| track.kind == wanted).unwrap();
		let samples = |window: &Bytes| {
			Fragment::read(&layout, window)
				.unwrap()
				.run(track.id)
				.unwrap()
				.samples
				.clone()
		};
		windows.iter().flat_map(samples).collect()
	};
	let unit = |sample: &fragment::Sample| AccessUnit {
		key: sample.is_sync(),
		data: sample.data.clone(),
	};
	let pictures: Vec<AccessUnit> = of_kind(Kind::Picture).iter().map(unit).collect();
	let sound = of_kind(Kind::Sound);
	let said = init.windows(4).position(|bytes| bytes == b"avcC").unwrap();
	let length = u32::from_be_bytes(init[said - 4..said].try_into().unwrap()) as usize;
	let init = Init::new(&init[said + 4..said - 4 + length], SOUND).unwrap();
	let mut at = from;
	let windows = pictures.chunks_exact(60).take(2).map(|pictures| {
		let (begins, end) = (at, at.segment_end());
		let frames = (begins.frame()..end.frame()).map(|n| sound[n as usize % sound.len()].data.clone());
		at = end;
		let part = Part {
			at: begins,
			captured_ms: 1_700_000_000_000 + begins.ms(),
			pictures,
			parameter_sets: &init.parameter_sets,
			frames: &frames.collect::<Vec<_>>(),
		};
		part.to_bytes().unwrap()
	});
	let windows = windows.collect();
	(init, windows)
}

#[test]
fn who_reads_one_initialisation_segment_decodes_what_is_behind_another_one() {
	let wide = Clip {
		size: "320x180",
		more: "-profile:v high -x264-params 8x8dct=1:cabac=1",
		..SMALL
	};
	let (init, before) = encoded(SMALL, at(0));
	let (other, wide) = encoded(wide, at(120));
	let (_, behind) = encoded(SMALL, at(240));
	assert_ne!(init, other);
	let file = [&[init.segment][..], &before, &wide, &behind].concat().concat();
	let (pictures, ..) = decode(&file);
	assert_eq!(pictures, 360);
}

#[test]
fn capture_time_counts_on_over_2036() {
	let (pictures, frames) = units(at(0), at(60));
	let part = Part {
		at: at(0),
		captured_ms: 2_100_000_000_000,
		pictures: &pictures,
		parameter_sets: &Bytes::from_static(SETS),
		frames: &frames,
	};
	let prft = Prft::decode(&mut &part.to_bytes().unwrap()[..]).unwrap();
	assert_eq!(prft.ntp_timestamp >> 32, (2_100_000_000 + 2_208_988_800) % (1 << 32));
}

#[test]
fn sound_is_within_a_frame_of_the_picture_for_years() {
	// A day, and a time that only a counter of 64 bits reaches.
	for first in [0, 43_200 * 60, at(1 << 40).pictures() - 6_000] {
		let mut counts = Vec::new();
		for segment in 0..100 {
			let from = at(first / 60 * 60 + segment * 60);
			let frames = from.segment_end().frame() - from.frame();
			counts.push(frames);
			let ahead = from.frame() * u64::from(SAMPLES_PER_FRAME) - from.samples();
			assert!(ahead < u64::from(SAMPLES_PER_FRAME));
		}
		assert!(counts.iter().all(|count| (93..=94).contains(count)));
		assert_eq!(counts[..4].iter().sum::<u64>(), 375, "8 s are exactly 375 frames");
	}
}

/// Decode times of picture and sound.
fn times(bytes: &[u8]) -> (u64, u64, usize, usize) {
	let mut rest = bytes;
	loop {
		let mut peek = rest;
		let header = Header::decode(&mut peek).unwrap();
		if header.kind == FourCC::new(b"moof") {
			break;
		}
		rest = &peek[header.size.unwrap()..];
	}
	let moof = Moof::decode(&mut rest).unwrap();
	let time = |index: usize| moof.traf[index].tfdt.as_ref().unwrap().base_media_decode_time;
	let count = |index: usize| moof.traf[index].trun[0].samples.len();
	(time(0), time(1), count(0), count(1))
}

proptest! {
	#[test]
	fn any_number_of_parts_adds_up(
		runs in prop::collection::vec((1u64..40, 1u32..=60), 1..5),
		first in 0u64..1_000_000_000,
	) {
		let mut now = at(first * 60);
		let (start, mut duration_ms) = (now, 0);
		let (mut picture_end, mut sound_end) = (now.pictures() * 1_000, now.frame() * 1_024);
		// Each run is one of the program, which goes on where the one before ended.
		for (parts, per_part) in runs {
			for _ in 0..parts {
				let end = now.part_end(per_part);
				prop_assert!(end.since(now) > 0 && end.since(now) <= u64::from(PICTURES_PER_SEGMENT));
				let (picture, sound, pictures, frames) = times(&part(now, end));
				prop_assert_eq!((picture, sound), (picture_end, sound_end));
				picture_end += pictures as u64 * 1_000;
				sound_end += frames as u64 * 1_024;
				duration_ms += end.ms() - now.ms();
				now = end;
			}
		}
		prop_assert_eq!(duration_ms, now.ms() - start.ms());
		prop_assert_eq!(picture_end, now.pictures() * u64::from(PICTURE_DURATION));
		// Ahead of the picture by less than a frame, however long it was.
		let ahead = i128::from(sound_end) * 30 - i128::from(now.pictures()) * i128::from(SAMPLE_RATE);
		prop_assert!((0..1_024 * 30).contains(&ahead));
	}
}
