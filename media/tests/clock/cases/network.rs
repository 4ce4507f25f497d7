//! Stalls, lumps, detours, and a program that stood still.

use super::*;
use std::time::Duration;

#[test]
fn a_program_that_stood_still_skips_what_it_missed_and_sends_no_burst() {
	for length in [0.6, 5.0, 300.0] {
		let stops = vec![(20.0, 20.0 + length)];
		let publishers = vec![Publisher {
			to: 60.0 + length,
			..Publisher::default()
		}];
		let stage = play_all(Play {
			publishers,
			length: 60.0 + length,
			stops,
			..Play::default()
		});
		stage.in_step();
		let skips: Vec<_> = stage.out.iter().filter(|o| o.skipped > 0).collect();
		assert_eq!(skips.len(), 1);
		assert!((skips[0].skipped as f64 / 30.0 - length).abs() < 0.1);
		whole_picture(&stage, 22.0 + length, 60.0 + length);
		whole_sound(&stage, 22.0 + length, 60.0 + length);
	}
}

#[test]
fn a_short_stop_is_made_up_for() {
	let stops = vec![(20.0, 20.45)];
	let stage = play_all(Play {
		publishers: vec![Publisher::default()],
		length: 60.0,
		stops,
		..Play::default()
	});
	assert_eq!(stage.figures.skipped, 0);
	assert_eq!(stage.out.len(), 1801);
}

#[test]
fn a_network_that_sends_in_lumps_gets_the_buffer_that_it_needs() {
	for lumps in [0.15, 0.4, 0.8] {
		let stage = play(Publisher {
			lumps,
			..Publisher::default()
		});
		stage.in_step();
		whole_picture(&stage, 4.0, 60.0);
		whole_sound(&stage, 4.0, 60.0);
		let buffer = stage.figures.buffer.as_secs_f64();
		assert!((lumps..lumps + 0.25).contains(&buffer), "{lumps}: {buffer}");
	}
}

#[test]
fn a_stall_is_held_and_silent_and_what_the_largest_buffer_holds_is_caught_up() {
	for length in [0.5, 0.9, 3.0, 12.0] {
		let stage = play(Publisher {
			stalls: vec![(20.0, 20.0 + length)],
			..Publisher::default()
		});
		stage.in_step();
		whole_picture(&stage, 20.7 + length, 60.0);
		whole_sound(&stage, 20.7 + length, 60.0);
		assert!(stage.figures.buffer.as_secs_f64() <= 1.01);
	}
}

#[test]
fn a_way_that_becomes_longer_or_shorter_for_good_is_followed() {
	for by in [0.3, 2.0, 10.0] {
		let stage = play(Publisher {
			detours: vec![(20.0, by)],
			to: 50.0,
			..Publisher::default()
		});
		stage.in_step();
		let new = stage.new_pictures(21.5 + by, 50.0) as f64 / 30.0 / (28.5 - by);
		assert!(new > 0.998, "{by}: {new} {:?}", stage.figures);
		whole_sound(&stage, 21.5 + by, 50.0);
		// The first 10 s come late, all at once: as from a relay that keeps the last group of pictures.
		let stage = play(Publisher {
			stalls: vec![(0.0, by)],
			..Publisher::default()
		});
		stage.in_step();
		whole_picture(&stage, 4.0 + by, 60.0);
		whole_sound(&stage, 4.0 + by, 60.0);
		assert!(stage.figures.buffer.as_secs_f64() < 0.4, "{:?}", stage.figures);
	}
}

#[test]
fn silence_is_not_taken_for_sound_where_stamps_drift_and_the_program_stood_still() {
	for drift in [-400e-6, 0.0, 400e-6] {
		let mut mixer = Mixer::new(0, Duration::ZERO);
		mixer.begin(SourceId(1), Duration::ZERO);
		let mut stood_still = 0.0;
		for n in 0..1_800 {
			let stamp = f64::from(n) / 30.0;
			let now = time(stamp * (1.0 + drift) + stood_still + 0.01);
			mixer.picture(SourceId(1), time(stamp), n + 1, now);
			if n < 60 {
				mixer.sound(SourceId(1), time(stamp), &[1_000; 3_200], now);
			}
			while mixer.tick(now).is_some() {}
			if n % 100 == 99 {
				stood_still += 0.71;
			}
			if n > 120 {
				let silent_for = mixer.presence().unwrap().silent_for.unwrap();
				assert!(silent_for > time(stamp - 3.5), "{drift}, at {stamp}: {silent_for:?}");
			}
		}
	}
}
