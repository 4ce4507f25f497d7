//! Stamps that jump, wrap, or mean nothing.

use super::*;

#[test]
fn b06_b07_a_jump_of_stamps_is_passed_in_real_time_and_unseen() {
	for by in [3600.0, 600.0, 30.0, 5.0, 1.5, -1.5, -5.0, -30.0, -3600.0] {
		let stage = play(Publisher {
			start: 4000.0,
			jumps: both(12.0, by),
			to: 24.0,
			..Publisher::default()
		});
		stage.in_step();
		whole_picture(&stage, 0.4, 24.0);
		whole_sound(&stage, 0.4, 24.0);
		let notices: Vec<_> = stage.notices.iter().map(|n| n.1.fault).collect();
		let told = matches!(notices[..], [Fault::Jump(Picture, ms)] if (ms as f64 / 1000.0 - by).abs() < 0.05);
		assert!(told, "{by}: {notices:?}");
	}
}

#[test]
fn a_jump_that_one_track_makes_seconds_after_the_other_leaves_them_in_step() {
	for by in [3600.0, 5.0, 1.2, -1.2, -30.0] {
		for (first, second) in [(Picture, Sound), (Sound, Picture)] {
			for later in [0.1, 3.0] {
				let jumps = vec![(first, 12.0, by), (second, 12.0 + later, by)];
				let stage = play(Publisher {
					start: 4000.0,
					jumps,
					to: 20.0,
					..Publisher::default()
				});
				stage.in_step();
				whole_picture(&stage, 0.4, 20.0);
				whole_sound(&stage, 0.4, 20.0);
				assert_eq!(stage.notices.len(), 1, "a line a minute");
			}
		}
	}
}

#[test]
fn a_jump_of_one_track_alone_leaves_it_with_the_other() {
	for by in [3600.0, 5.0, -5.0, -3600.0] {
		for track in [Picture, Sound] {
			let jumps = vec![(track, 12.0, by)];
			let stage = play(Publisher {
				start: 4000.0,
				jumps,
				to: 24.0,
				..Publisher::default()
			});
			stage.in_step();
			whole_picture(&stage, 0.4, 24.0);
			whole_sound(&stage, 0.4, 24.0);
		}
	}
}

#[test]
fn small_jumps_are_followed_as_stamped_and_leave_the_tracks_in_step() {
	for by in [0.1, 0.99, 1.01, -0.1, -0.49, -0.51, -0.6] {
		for later in [0.0, 2.0] {
			let jumps = vec![(Picture, 12.0, by), (Sound, 12.0 + later, by)];
			let stage = play(Publisher {
				jumps,
				start: 100.0,
				to: 20.0,
				jitter: 0.015,
				..Publisher::default()
			});
			for n in (0..stage.out.len()).filter(|n| !(360..480).contains(n)) {
				let apart = stage.apart(n);
				assert!(
					apart.is_none_or(|a| a.abs() <= 0.08),
					"{by} {later}: {apart:?} {:?}",
					stage.out[n]
				);
			}
			whole_picture(&stage, 16.0, 20.0);
			whole_sound(&stage, 16.0, 20.0);
		}
	}
}

#[test]
fn jumps_one_after_the_other_and_there_and_back_are_passed() {
	let mut jumps = both(10.0, 3600.0);
	jumps.extend(both(12.0, -7200.0));
	jumps.extend(both(12.5, 50.0));
	// One stray picture, one stray piece of sound, and a second of strays.
	jumps.extend([
		(Picture, 25.0, 1e5),
		(Picture, 25.03, -1e5),
		(Sound, 26.0, -900.0),
		(Sound, 26.02, 900.0),
	]);
	jumps.extend([(Picture, 30.0, 1e4), (Picture, 31.0, -1e4)]);
	let stage = play(Publisher {
		start: 90_000.0,
		jumps,
		..Publisher::default()
	});
	stage.in_step();
	whole_picture(&stage, 0.4, 60.0);
	whole_sound(&stage, 0.4, 60.0);
	assert_eq!(stage.notices.len(), 1);
}

#[test]
fn b08_nothing_is_noticed_where_stamps_wrap() {
	for (start, wrap) in [(16_770.0, 32), (2_147_478.0, 32), (4_294_960.0, 32), (2_147_478.0, 31)] {
		let wrap = f64::from(2u32).powi(wrap);
		for sound_by in [0.2, -0.2] {
			let stage = play(Publisher {
				start,
				wrap,
				sound_by,
				to: 20.0,
				..Publisher::default()
			});
			whole_picture(&stage, 0.6, 20.0);
			whole_sound(&stage, 0.6, 20.0);
			assert!(stage.notices.is_empty());
		}
	}
}

#[test]
fn stamps_that_stand_still_run_fast_or_slow_or_mean_nothing_give_way_to_the_time_of_arrival() {
	for speed in [0.0, 2.0, 48.0 / 44.1, 44.1 / 48.0, 1000.0] {
		let stage = unruly(Publisher {
			speed,
			to: 60.0,
			..Publisher::default()
		});
		let useless = stage.notices.iter().find(|n| matches!(n.1.fault, Fault::Useless(_)));
		assert!(
			useless.is_some() || !stage.notices.is_empty(),
			"{speed}: {:?}",
			stage.notices
		);
		let new = stage.new_pictures(30.0, 60.0);
		assert!(new > 800, "{speed}: {new} {:?}", stage.figures);
		let heard = stage.heard(30.0, 60.0);
		assert!(heard > 0.98, "{speed}: {heard} {:?}", stage.figures);
		let apart = (900..1800)
			.filter_map(|n| stage.apart(n))
			.map(f64::abs)
			.fold(0.0, f64::max);
		assert!(apart < 0.08, "{speed}: {apart}");
	}
	let jumps = (0..5000).map(|n| {
		(
			if n % 3 == 0 { Sound } else { Picture },
			f64::from(n) / 80.0,
			f64::from(n * 7919 % 10007 - 5000),
		)
	});
	let stage = unruly(Publisher {
		jumps: jumps.collect(),
		start: 1e6,
		..Publisher::default()
	});
	assert!(stage.new_pictures(20.0, 60.0) > 1100, "{:?}", stage.figures);
	assert!(
		stage.heard(20.0, 60.0) > 0.95,
		"{} {:?}",
		stage.heard(20.0, 60.0),
		stage.figures
	);
}
