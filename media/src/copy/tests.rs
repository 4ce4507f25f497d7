use super::*;
use crate::{fragment::cut, testing::decode};
use clustercast_testing::clip::{Clip, SMALL};

const MUTE: Clip = Clip { channels: 0, ..SMALL };

/// Initialisation segment and windows of so many seconds.
fn clip(clip: Clip, seconds: u32) -> (Bytes, Vec<Bytes>) {
	cut(&Clip { seconds, ..clip }.mp4()).unwrap()
}

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
	let (init, windows) = clip(SMALL, 12);
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
	let (init, windows) = clip(SMALL, 12);
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
	let (both, with) = clip(SMALL, 6);
	let (mute, without) = clip(MUTE, 6);
	let (pictures, sound, _) = decode(&copied(&[(&both, &with), (&mute, &without), (&both, &with)]));
	assert_eq!(pictures, 540);
	assert!(sound > 2 * 270, "{sound}");
}

#[test]
fn pictures_of_another_size_or_profile_decode_behind_each_other() {
	let (small, one) = clip(SMALL, 4);
	let wide = Clip {
		size: "320x180",
		more: "-profile:v high -x264-params 8x8dct=1:cabac=1",
		..SMALL
	};
	let (large, other) = clip(wide, 4);
	assert_ne!(small, large);
	let (pictures, ..) = decode(&copied(&[(&small, &one), (&large, &other), (&small, &one)]));
	assert_eq!(pictures, 360);
}

#[test]
fn sound_that_the_file_did_not_begin_with_needs_another_file() {
	let (both, with) = clip(SMALL, 4);
	let (mute, without) = clip(MUTE, 4);
	let mut copy = Copy::default();
	assert!(matches!(copy.append(&mute, &without[0]), Ok(Step::Append(_))));
	assert_eq!(copy.append(&both, &with[0]), Ok(Step::Another));
	let mono = Clip { channels: 1, ..SMALL };
	let (mono, other) = clip(mono, 2);
	let mut copy = Copy::default();
	assert!(matches!(copy.append(&both, &with[0]), Ok(Step::Append(_))));
	assert_eq!(copy.append(&mono, &other[0]), Ok(Step::Another));
	// The file goes on, all the same.
	assert!(matches!(copy.append(&both, &with[1]), Ok(Step::Append(_))));
}

#[test]
fn broken_window_is_left_out() {
	let (init, windows) = clip(MUTE, 4);
	let mut copy = Copy::default();
	copy.append(&init, &windows[0]).unwrap();
	assert!(copy.append(&init, &windows[1].slice(9..)).is_err());
	let Ok(Step::Append(bytes)) = copy.append(&init, &windows[1]) else {
		panic!("it goes on");
	};
	assert_eq!(bytes, [windows[1].clone()]);
}
