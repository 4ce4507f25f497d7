//! Tracks that never come, come late, go away or stand still.

use super::*;

#[test]
fn b01_b02_sound_that_is_announced_and_never_comes_is_silence_under_a_whole_picture() {
	let stage = play(Publisher {
		sound: false,
		..Publisher::default()
	});
	whole_picture(&stage, 0.4, 60.0);
	silence(&stage, 0.0, 60.0);
}

#[test]
fn b03_sound_that_begins_12_s_or_60_s_after_the_picture_comes_in_step() {
	for begins in [0.3, 12.0, 60.0] {
		let holes = vec![(Sound, (0.0, begins))];
		let stage = play(Publisher {
			holes,
			to: begins + 20.0,
			..Publisher::default()
		});
		stage.in_step();
		whole_picture(&stage, 0.4, begins + 20.0);
		silence(&stage, 0.0, begins);
		whole_sound(&stage, begins + 0.4, begins + 20.0);
	}
}

#[test]
fn pictures_that_begin_12_s_after_the_sound_come_in_step() {
	let stage = play(Publisher {
		holes: vec![(Picture, (0.0, 12.0))],
		..Publisher::default()
	});
	stage.in_step();
	assert!(stage.between(0.0, 12.0).all(|o| o.shows == Shows::Slate));
	whole_sound(&stage, 0.4, 60.0);
	whole_picture(&stage, 12.4, 60.0);
}

#[test]
fn b04_sound_that_is_away_for_18_s_leaves_the_picture_whole_and_comes_back_in_step() {
	let stage = play(Publisher {
		holes: vec![(Sound, (20.0, 38.0))],
		..Publisher::default()
	});
	stage.in_step();
	whole_picture(&stage, 0.4, 60.0);
	silence(&stage, 20.4, 38.0);
	whole_sound(&stage, 0.4, 20.0);
	whole_sound(&stage, 38.4, 60.0);
}

#[test]
fn sound_that_comes_back_with_stamps_that_stood_still_meanwhile_is_heard_in_step() {
	for (track, by) in [(Sound, 18.0), (Picture, 18.0)] {
		let stage = play(Publisher {
			holes: vec![(track, (20.0, 20.0 + by))],
			jumps: vec![(track, 20.0 + by, -by)],
			..Publisher::default()
		});
		stage.in_step();
		whole_picture(&stage, 38.5, 60.0);
		whole_sound(&stage, 38.5, 60.0);
	}
}

#[test]
fn b05_a_still_screen_is_held_and_the_sound_goes_on() {
	let stage = play(Publisher {
		holes: vec![(Picture, (20.0, 40.0))],
		..Publisher::default()
	});
	stage.in_step();
	whole_sound(&stage, 0.4, 60.0);
	assert!(stage
		.between(20.4, 40.0)
		.all(|o| o.shows == Shows::Held && o.picture == Some((0, 19_966_667))));
	whole_picture(&stage, 0.4, 20.0);
	whole_picture(&stage, 40.4, 60.0);
}

#[test]
fn a_hole_of_both_tracks_is_held_and_silent_for_its_length() {
	for length in [0.3, 2.0, 20.0] {
		let span = (20.0, 20.0 + length);
		let stage = play(Publisher {
			holes: vec![(Picture, span), (Sound, span)],
			..Publisher::default()
		});
		stage.in_step();
		whole_picture(&stage, 20.5 + length, 60.0);
		whole_sound(&stage, 20.5 + length, 60.0);
		let silent = stage.between(20.0, 21.0 + length).filter(|o| o.loud < 0.9).count() as f64 / 30.0;
		assert!((silent - length).abs() < 0.1, "{silent} s of {length} s");
	}
}

/// Played after a pause, s: longer than a timeline remembers what was before it.
const AFTER: f64 = 25.0;

/// The connection stays; stamps go on by so much beyond what was sent: `-length` is none at all.
fn pause(tracks: [bool; 2], length: f64, jumps: [f64; 2]) -> Publisher {
	let back = 12.0 + length;
	let span = (12.0, back);
	Publisher {
		rate: if tracks[0] { 30.0 } else { 0.0 },
		sound: tracks[1],
		holes: vec![(Picture, span), (Sound, span)],
		jumps: vec![(Picture, back, jumps[0]), (Sound, back, jumps[1])],
		start: 1000.0,
		to: back + AFTER,
		..Publisher::default()
	}
}

/// All is there again `after` so long.
fn back_in_step(stage: &Stage, publisher: &Publisher, after: f64) {
	stage.in_step();
	let (from, to) = (publisher.to - AFTER + after, publisher.to);
	if publisher.rate > 0.0 {
		// A slip where the buffer has to gain some milliseconds.
		let repeated = stage.between(from, to).filter(|o| o.shows != Shows::New).count();
		assert!(repeated <= 1, "{repeated} repeated; {:?}", stage.figures);
	}
	if publisher.sound {
		whole_sound(stage, from, to);
	}
}

#[test]
fn a_publisher_that_stays_connected_and_says_nothing_is_held_and_goes_on_whether_its_stamps_count_that_or_not() {
	// 118 and 598 s: the tracks are back on either side of what the timeline remembers as one span.
	for length in [1.2, 20.0, 118.0, 598.0] {
		for tracks in [[true, true], [true, false], [false, true]] {
			let mut jumps = vec![[-length; 2]];
			if tracks == [true, true] && length < 200.0 {
				// Both count it, and an hour more; one does.
				jumps.extend([[0.0, 0.0], [3600.0, 3600.0], [-length, 0.0], [0.0, -length]]);
			}
			for jumps in jumps {
				println!("{length} s, {tracks:?}, {jumps:?}");
				let publisher = pause(tracks, length, jumps);
				back_in_step(&play(publisher.clone()), &publisher, 1.2);
			}
		}
	}
}

#[test]
fn a_publisher_that_comes_back_with_jitter_or_a_burst_and_stamps_that_stood_still_is_back_in_step_soon() {
	for length in [118.0] {
		let back = 12.0 + length;
		for tracks in [[true, true], [true, false], [false, true]] {
			for (jitter, stalls, after) in [
				(0.2, vec![], 1.5),
				// What was taken in the first seconds comes all at once.
				(0.02, vec![(back, back + 0.8)], 3.0),
				(0.02, vec![(back, back + 3.0)], 5.0),
				// What was taken in the last seconds before the pause as well.
				(0.02, vec![(10.0, back + 0.4)], 3.0),
			] {
				println!("{length} s, {tracks:?}, {jitter}, {stalls:?}");
				let publisher = Publisher {
					jitter,
					stalls,
					..pause(tracks, length, [-length; 2])
				};
				back_in_step(&play(publisher.clone()), &publisher, after);
			}
		}
	}
}

#[test]
fn one_track_that_pauses_again_soon_after_both_did_comes_back_in_step() {
	for (track, counted) in [(Picture, true), (Sound, true), (Picture, false), (Sound, false)] {
		let mut publisher = pause([true, true], 120.0, [-120.0; 2]);
		publisher.holes.push((track, (136.0, 141.0)));
		if !counted {
			publisher.jumps.push((track, 141.0, -5.0));
		}
		println!("{track}, {counted}");
		let stage = play(publisher.clone());
		back_in_step(&stage, &publisher, 10.0);
	}
}

#[test]
fn sound_alone_is_heard_under_the_slate() {
	let stage = play(Publisher {
		rate: 0.0,
		..Publisher::default()
	});
	assert!(stage.out.iter().all(|o| o.shows == Shows::Slate));
	whole_sound(&stage, 0.4, 60.0);
}

#[test]
fn tracks_that_are_apart_by_a_constant_are_played_as_stamped_if_that_fits_and_together_if_not() {
	for sound_by in [0.3, -0.3, 0.6, -0.6] {
		let stage = play(Publisher {
			sound_by,
			to: 25.0,
			start: 10.0,
			..Publisher::default()
		});
		whole_picture(&stage, 4.0, 25.0);
		whole_sound(&stage, 4.0, 25.0);
		let shift = stage
			.between(5.0, 25.0)
			.map(|o| o.sound - o.picture.unwrap().1 as f64 / 1e6);
		assert!(
			shift
				.map(|s| (s + sound_by).rem_euclid(4.0))
				.all(|s| !(0.1..3.9).contains(&s)),
			"{sound_by}"
		);
		assert!(stage.notices.is_empty());
	}
	for sound_by in [1.0, -1.0, 5.0, -5.0, 3600.0, -3600.0] {
		let stage = play(Publisher {
			sound_by,
			to: 25.0,
			start: 4000.0,
			..Publisher::default()
		});
		stage.in_step();
		whole_picture(&stage, 0.5, 25.0);
		whole_sound(&stage, 0.5, 25.0);
		assert!(
			matches!(stage.notices[..], [(_, n)] if matches!(n.fault, Fault::Apart(..))),
			"{:?}",
			stage.notices
		);
	}
}

#[test]
fn both_tracks_end_where_they_are_left_when_a_track_goes_for_good() {
	let end = |track: Track| vec![(track, (30.0, 1e9))];
	let stage = play(Publisher {
		holes: end(Sound),
		..Publisher::default()
	});
	whole_picture(&stage, 0.4, 60.0);
	let stage = play(Publisher {
		holes: end(Picture),
		..Publisher::default()
	});
	whole_sound(&stage, 0.4, 60.0);
}
