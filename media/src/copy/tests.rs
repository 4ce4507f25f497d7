use super::*;
use crate::{
	fragment::cut,
	testing::{decode, ffmpeg, PICTURES, PICTURES_AND_SOUND},
};

/// What a file has after these windows, where all fit into one.
fn copied(parts: &[(&Bytes, &[Bytes])]) -> Vec<u8> {
	let (mut copy, mut file) = (Copy::default(), Vec::new());
	for (init, windows) in parts {
		for window in *windows {
			let Step::Append(bytes) = copy.append(init, window).unwrap() else {
				panic!("another file");
			};
			bytes.iter().for_each(|bytes| file.extend_from_slice(bytes));
		}
	}
	file
}

#[test]
fn file_begun_in_the_middle_begins_at_zero() {
	let (init, windows) = cut(&ffmpeg(PICTURES_AND_SOUND, 12)).unwrap();
	let whole = copied(&[(&init, &windows)]);
	assert_eq!(
		whole.len(),
		init.len() + windows.iter().map(Bytes::len).sum::<usize>(),
		"all is as it came"
	);
	assert_eq!(decode(&whole).0, 360);
	let (pictures, sound, length) = decode(&copied(&[(&init, &windows[3..])]));
	assert_eq!((pictures, length), (180, 5_966));
	assert!(sound > 250, "{sound}");
}

#[test]
fn missing_windows_and_restarts_leave_no_jump() {
	let (init, windows) = cut(&ffmpeg(PICTURES_AND_SOUND, 12)).unwrap();
	// Windows are missing; then the encoder began again at 0; then it is long ago.
	let file = copied(&[
		(&init, &windows[2..4]),
		(&init, &windows[5..6]),
		(&init, &windows[..2]),
		(&init, &windows[1..2]),
	]);
	let (pictures, _, length) = decode(&file);
	assert_eq!(pictures, 360);
	assert!((11_900..12_300).contains(&length), "{length}");
}

#[test]
fn sound_may_go_and_come_back() {
	let (both, with) = cut(&ffmpeg(PICTURES_AND_SOUND, 6)).unwrap();
	let (mute, without) = cut(&ffmpeg(PICTURES, 6)).unwrap();
	let (pictures, sound, _) = decode(&copied(&[(&both, &with), (&mute, &without), (&both, &with)]));
	assert_eq!(pictures, 540);
	assert!(sound > 2 * 270, "{sound}");
}

#[test]
fn pictures_of_another_size_or_profile_decode_behind_each_other() {
	let (small, one) = cut(&ffmpeg(PICTURES_AND_SOUND, 4)).unwrap();
	let wide = [
		"-f",
		"lavfi",
		"-i",
		"testsrc2=s=320x180:r=30",
		"-f",
		"lavfi",
		"-i",
		"sine=sample_rate=48000",
		"-c:a",
		"aac",
		"-ac",
		"2",
		"-profile:v",
		"high",
		"-x264-params",
		"8x8dct=1:cabac=1",
	];
	let (large, other) = cut(&ffmpeg(&wide, 4)).unwrap();
	assert_ne!(small, large);
	let (pictures, ..) = decode(&copied(&[(&small, &one), (&large, &other), (&small, &one)]));
	assert_eq!(pictures, 360);
}

#[test]
fn sound_that_the_file_did_not_begin_with_needs_another_file() {
	let (both, with) = cut(&ffmpeg(PICTURES_AND_SOUND, 4)).unwrap();
	let (mute, without) = cut(&ffmpeg(PICTURES, 4)).unwrap();
	let mut copy = Copy::default();
	assert!(matches!(copy.append(&mute, &without[0]), Ok(Step::Append(_))));
	assert_eq!(copy.append(&both, &with[0]), Ok(Step::Another));
	let mono = [&PICTURES_AND_SOUND[..PICTURES_AND_SOUND.len() - 1], &["1"]].concat();
	let (mono, other) = cut(&ffmpeg(&mono, 2)).unwrap();
	let mut copy = Copy::default();
	assert!(matches!(copy.append(&both, &with[0]), Ok(Step::Append(_))));
	assert_eq!(copy.append(&mono, &other[0]), Ok(Step::Another));
	// The file goes on, all the same.
	assert!(matches!(copy.append(&both, &with[1]), Ok(Step::Append(_))));
}

#[test]
fn broken_window_is_left_out() {
	let (init, windows) = cut(&ffmpeg(PICTURES, 4)).unwrap();
	let mut copy = Copy::default();
	copy.append(&init, &windows[0]).unwrap();
	assert!(copy.append(&init, &windows[1].slice(9..)).is_err());
	let Ok(Step::Append(bytes)) = copy.append(&init, &windows[1]) else {
		panic!("it goes on");
	};
	assert_eq!(bytes, [windows[1].clone()]);
}
