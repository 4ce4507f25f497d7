//! Rates, clocks that drift, and how long a picture waits.

use super::*;
use clustercast_media::picture::{Picture as Raw, PICTURE_BYTES};
use std::time::{Duration, Instant};

#[test]
fn a_healthy_publisher_is_shown_picture_by_picture_and_heard_without_a_hole() {
	let stage = play(Publisher::default());
	stage.in_step();
	whole_picture(&stage, 0.4, 60.0);
	whole_sound(&stage, 0.4, 60.0);
	assert_eq!(
		(
			stage.figures.late_pictures,
			stage.figures.late_samples,
			stage.figures.passed
		),
		(0, 0, 0)
	);
	assert!(stage.notices.is_empty());
}

#[test]
fn five_minutes_of_30_a_second_with_20_ms_of_jitter_are_neither_copied_nor_dropped() {
	for (seed, start, noise, to) in [(1, 0.0, 0.5, 300.0), (2, 0.0165, 1.0, 30.0)] {
		let stage = play(Publisher {
			seed,
			start,
			noise,
			jitter: 0.02,
			to,
			..Publisher::default()
		});
		stage.in_step();
		whole_picture(&stage, 0.4, to);
		whole_sound(&stage, 0.4, to);
		assert_eq!(stage.figures.passed + stage.figures.late_pictures, 0);
		assert_eq!(stage.figures.grown + stage.figures.cut, 0);
	}
}

#[test]
fn a_clock_that_is_off_by_500_ppm_is_followed_without_a_hole() {
	for drift in [500.0, -500.0, -50.0] {
		let publishers = vec![Publisher {
			drift,
			to: 170.0,
			jitter: 0.02,
			..Publisher::default()
		}];
		let stage = play_all(Play {
			publishers,
			length: 150.0,
			..Play::default()
		});
		stage.in_step();
		whole_sound(&stage, 0.4, 150.0);
		let figures = stage.figures;
		assert!(figures.buffer.as_secs_f64() < 0.25, "{figures:?}");
		assert!((figures.ppm + drift).abs() < 150.0, "{figures:?}");
		// A picture more or less for each 33 ms that the clocks are apart.
		let slips = (drift.abs() / 1e6 * 150.0 * 30.0).ceil() as u64 + 4;
		let copies = stage.between(0.4, 150.0).filter(|o| o.shows == Shows::Held).count() as u64;
		assert!(
			copies <= if drift < 0.0 { slips } else { 4 },
			"{copies} copies: {figures:?}"
		);
		assert!(figures.passed <= if drift > 0.0 { slips } else { 0 }, "{figures:?}");
		assert_eq!(figures.grown + figures.cut, 0);
	}
}

/// How many pictures each frame goes on by.
fn cadence(stage: &Stage, rate: f64, from: f64, to: f64) -> Vec<i64> {
	let shown: Vec<_> = stage
		.between(from, to)
		.map(|o| (o.picture.unwrap().1 as f64 / 1e6 * rate).round() as i64)
		.collect();
	shown.windows(2).map(|w| w[1] - w[0]).collect()
}

#[test]
fn other_rates_become_30_a_second_with_a_regular_cadence() {
	for (rate, period) in [
		(24.0, 5),
		(25.0, 6),
		(50.0, 3),
		(60.0, 1),
		(15.0, 2),
		(10.0, 3),
		(20.0, 3),
		(60.0, 1),
		(40.0, 3),
	] {
		for start in [0.0, 0.004, 0.009, 0.0166] {
			let stage = play(Publisher {
				rate,
				start,
				sound: false,
				jitter: 0.02,
				to: 60.0,
				..Publisher::default()
			});
			let steps = cadence(&stage, rate, 10.0, 60.0);
			let odd: Vec<_> = (period..steps.len())
				.filter(|i| steps[*i] != steps[i - period])
				.collect();
			assert!(
				odd.is_empty(),
				"{rate} from {start}: {:?} at {odd:?}: {:?}",
				&steps[..60],
				stage.figures
			);
		}
	}
}

#[test]
fn rates_from_1_to_240_are_shown_in_step_and_never_fill_the_queue() {
	for rate in [1.0, 2.0, 7.0, 90.0, 144.0, 240.0] {
		let stage = play(Publisher {
			rate,
			to: 30.0,
			..Publisher::default()
		});
		stage.in_step();
		whole_sound(&stage, 0.6, 30.0);
		assert_eq!(stage.figures.full_pictures, 0);
		let new = stage.new_pictures(1.0, 30.0) as f64 / 29.0;
		assert!(new > rate.min(30.0) * 0.95, "{rate}: {new} a second");
	}
}

#[test]
fn a_picture_waits_for_the_buffer_and_up_to_a_frame_and_for_as_much_as_sound_is_slower() {
	// Sound: its piece and its decoder, and 7 ms ahead of being heard. A picture: its decoder.
	let slower = PIECE as f64 / 48_000.0 + SOUND_DECODER + 0.007 - PICTURE_DECODER;
	for (sound, by) in [(true, slower), (false, 0.0)] {
		let mut beyond = Vec::new();
		for n in 0..10u32 {
			// From all places between two frames.
			let stage = play(Publisher {
				from: f64::from(n) / 300.0,
				sound,
				seed: u64::from(n),
				to: 12.0,
				..Publisher::default()
			});
			let buffer = stage.figures.buffer.as_secs_f64();
			let waits = stage.waits().into_iter().filter(|w| w.0 > 4.0);
			beyond.extend(waits.map(|w| w.1 - buffer));
		}
		let mean = beyond.iter().sum::<f64>() / beyond.len() as f64;
		let least = beyond.iter().copied().fold(f64::INFINITY, f64::min);
		let most = beyond.iter().copied().fold(f64::NEG_INFINITY, f64::max);
		println!(
			"sound {sound}: {:.1}, {:.1}, {:.1} ms",
			least * 1e3,
			mean * 1e3,
			most * 1e3
		);
		// What is shown is due at the frame, half a frame earlier or later by hysteresis; jitter of 5 ms.
		assert!(least > by - 0.022 && most < by + 1.5 / 30.0 + 0.005, "{least} {most}");
		assert!((mean - by - 0.5 / 30.0).abs() < 0.01, "{mean}");
	}
}

#[test]
fn film_and_television_of_america_slip_by_one_in_their_time() {
	for (rate, slips) in [(30_000.0 / 1001.0, 4), (24_000.0 / 1001.0, 5), (60_000.0 / 1001.0, 8)] {
		let stage = play(Publisher {
			rate,
			to: 60.0,
			jitter: 0.02,
			..Publisher::default()
		});
		stage.in_step();
		let steps = cadence(&stage, rate, 1.0, 60.0);
		let usual = if rate > 40.0 { 2 } else { 1 };
		let odd = steps.iter().filter(|s| **s != usual).count();
		let expected = if rate < 25.0 {
			(59.0 * (30.0 - rate)) as usize
		} else {
			0
		};
		assert!(odd.abs_diff(expected) <= slips, "{rate}: {odd} of {expected}");
	}
}

/// `cargo test --release ... -- --ignored --nocapture an_hour`: what an hour costs, with pictures of the real size.
#[test]
#[ignore = "a measurement"]
fn an_hour_of_real_pictures_is_mixed_without_a_copy() {
	let picture = Raw::from(vec![0u8; PICTURE_BYTES]);
	let mut mixer = Mixer::new(picture.clone(), Duration::ZERO);
	mixer.begin(SourceId(0), Duration::ZERO);
	let samples = vec![100i16; 2 * 1600];
	let began = Instant::now();
	for n in 0..3600 * 30u64 {
		let now = Duration::from_nanos(n * 1_000_000_000 / 30);
		mixer.picture(SourceId(0), now, picture.clone(), now);
		mixer.sound(SourceId(0), now, &samples, now);
		while let Some(frame) = mixer.tick(now) {
			assert_eq!(frame.picture.as_ptr(), picture.as_ptr());
		}
	}
	println!("{:?} {:?}", began.elapsed(), mixer.figures());
}
