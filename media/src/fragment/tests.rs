use super::*;
use clustercast_testing::clip::{Clip, SMALL};
use proptest::prelude::*;

fn broadcast() -> (Layout, Bytes, Vec<Bytes>) {
	let (init, windows) = cut(&SMALL.mp4()).unwrap();
	(Layout::read(&init).unwrap(), init, windows)
}

#[test]
fn samples_and_times_are_those_of_the_file() {
	let (layout, _, windows) = broadcast();
	let kinds: Vec<Kind> = layout.tracks().iter().map(|t| t.kind).collect();
	assert_eq!(kinds, [Kind::Picture, Kind::Sound]);
	let main = layout.main().unwrap();
	// FFmpeg begins the first one earlier than its first picture, by the sound's priming.
	let mut end = Fragment::read(&layout, &windows[0])
		.unwrap()
		.run(main.id)
		.unwrap()
		.end();
	for window in &windows[1..3] {
		let fragment = Fragment::read(&layout, window).unwrap();
		let run = fragment.run(main.id).unwrap();
		assert_eq!(run.samples.len(), 60);
		assert_eq!(
			(run.start, main.nanoseconds(run.end() - run.start)),
			(end, 2 * NANOSECONDS)
		);
		assert!(run.samples[0].is_sync() && !run.samples[1].is_sync());
		end = run.end();
	}
}

#[test]
fn moved_window_differs_in_its_times_alone() {
	let (layout, _, windows) = broadcast();
	let fragment = Fragment::read(&layout, &windows[1]).unwrap();
	assert_eq!(fragment.moved(&windows[1], |_| 0), Some(windows[1].clone()));
	let moved = fragment.moved(&windows[1], |track| -i128::from(track)).unwrap();
	assert_eq!(moved.len(), windows[1].len());
	assert_ne!(moved, windows[1]);
	let again = Fragment::read(&layout, &moved).unwrap();
	for (before, after) in fragment.runs.iter().zip(&again.runs) {
		assert_eq!(after.start, before.start - u64::from(before.track));
		assert_eq!(after.samples, before.samples);
	}
	assert_eq!(
		fragment.moved(&windows[1], |_| i128::from(i64::MIN)),
		None,
		"no time is negative"
	);
}

#[test]
fn written_window_has_the_same_samples() {
	let (layout, _, windows) = broadcast();
	for window in &windows {
		let fragment = Fragment::read(&layout, window).unwrap();
		let written = write(7, &fragment.runs);
		assert_eq!(Fragment::read(&layout, &written).unwrap().runs, fragment.runs);
	}
}

#[test]
fn pieces_are_short_whole_and_begin_with_key_frames_where_there_are_any() {
	let clip = Clip {
		seconds: 13,
		more: "-frag_duration 60000000 -movflags empty_moov+default_base_moof",
		..SMALL
	};
	let (init, windows) = cut(&clip.mp4()).unwrap();
	let layout = Layout::read(&init).unwrap();
	let main = layout.main().unwrap();
	let fragment = Fragment::read(&layout, &windows[0]).unwrap();
	assert!(main.nanoseconds(fragment.run(main.id).unwrap().end()) > 12 * NANOSECONDS);
	for (longest, most, key_frames) in [(NANOSECONDS * 21 / 10, 2_100, true), (NANOSECONDS / 2, 500, false)] {
		let pieces = split(&layout, &fragment, longest);
		assert!(pieces.len() >= 6, "{}", pieces.len());
		let mut joined: Vec<Run> = Vec::new();
		for piece in &pieces {
			let run = piece.iter().find(|r| r.track == main.id).unwrap();
			assert!(main.nanoseconds(run.end() - run.start) <= most * 1_000_000);
			assert!(run.samples[0].is_sync() || !key_frames);
			for run in piece {
				match joined.iter_mut().find(|r| r.track == run.track) {
					Some(before) => {
						assert_eq!(before.end(), run.start);
						before.samples.extend(run.samples.clone());
					},
					None => joined.push(run.clone()),
				}
			}
		}
		assert_eq!(joined, fragment.runs, "nothing is lost or twice");
	}
	assert_eq!(
		split(&layout, &fragment, 60 * NANOSECONDS),
		std::slice::from_ref(&fragment.runs)
	);
}

#[test]
fn one_kind_alone_has_its_samples_and_decodes() {
	let (_, init, windows) = broadcast();
	for (wanted, pictures) in [(Kind::Picture, 180), (Kind::Sound, 0)] {
		let alone = only_init(&init, wanted).unwrap();
		let layout = Layout::read(&alone).unwrap();
		assert_eq!(layout.tracks().iter().map(|t| t.kind).collect::<Vec<_>>(), [wanted]);
		let mut file = alone.to_vec();
		for window in &windows {
			let part = only(&init, window, wanted).unwrap();
			let id = layout.tracks()[0].id;
			let whole = Fragment::read(&Layout::read(&init).unwrap(), window).unwrap();
			assert_eq!(
				Fragment::read(&layout, &part).unwrap().runs,
				[whole.run(id).unwrap().clone()]
			);
			file.extend_from_slice(&part);
		}
		if pictures > 0 {
			assert_eq!(crate::testing::decode(&file).0, pictures);
		}
	}
	assert_eq!(only_init(&init, Kind::Other), None);
	assert_eq!(only(&init, &windows[0], Kind::Other), None);
	assert_eq!(only(&init, &windows[0].slice(9..), Kind::Picture), None);
}

#[test]
fn what_does_not_fit_is_an_error() {
	let (layout, init, windows) = broadcast();
	let window = &windows[0];
	assert_eq!(Layout::read(window).unwrap_err(), Error::Missing(kind(b"moov")));
	assert_eq!(
		Fragment::read(&layout, &init).unwrap_err(),
		Error::Missing(kind(b"moof"))
	);
	let short = window.slice(..window.len() - 1);
	assert_eq!(Fragment::read(&layout, &short).unwrap_err(), Error::Samples);
	let other = Layout {
		tracks: layout.tracks()[..1].to_vec(),
	};
	assert!(matches!(
		Fragment::read(&other, window).unwrap_err(),
		Error::UnknownTrack(_)
	));
	// The samples say that they lie behind the end.
	let moof = window.windows(4).position(|w| w == b"trun").unwrap();
	let mut far = window.to_vec();
	far[moof + 12] = 0x7f;
	assert_eq!(Fragment::read(&layout, &far.into()).unwrap_err(), Error::Samples);
}

proptest! {
	/// Whatever is damaged, nothing panics, and what is still read can be split and written.
	#[test]
	fn damage_never_panics(at in 0usize..4_000, byte in any::<u8>(), length in 0usize..4_000) {
		static BROADCAST: std::sync::OnceLock<(Layout, Bytes, Vec<Bytes>)> = std::sync::OnceLock::new();
		let (layout, init, windows) = BROADCAST.get_or_init(broadcast);
		for original in [init, &windows[0]] {
			let mut damaged = original.to_vec();
			if let Some(hit) = damaged.get_mut(at) {
				*hit = byte;
			}
			let _ = Layout::read(&damaged);
			if let Ok(fragment) = Fragment::read(layout, &damaged.into()) {
				for piece in split(layout, &fragment, NANOSECONDS) {
					write(0, &piece);
				}
			}
			let cut = original.slice(..length.min(original.len()));
			let _ = (Layout::read(&cut), Fragment::read(layout, &cut));
		}
	}
}
