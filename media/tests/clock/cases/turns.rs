//! Publishers and files that come, leave, return, and take over from each other.

use super::*;
use std::time::Duration;

#[test]
fn b14_a_publisher_that_vanished_is_held_until_the_one_that_took_over_is_due() {
	let first = Publisher {
		to: 30.0,
		..Publisher::default()
	};
	let again = Publisher {
		from: 32.0,
		to: 60.0,
		start: 7.0,
		..Publisher::default()
	};
	let stage = play_all(Play {
		publishers: vec![first, again],
		length: 60.0,
		vanish: true,
		..Play::default()
	});
	stage.in_step();
	assert!(stage
		.between(30.5, 32.0)
		.all(|o| o.shows == Shows::Held && o.picture == Some((0, 29_966_667))));
	whole_picture(&stage, 32.4, 60.0);
	whole_sound(&stage, 32.4, 60.0);
	assert!(stage.between(32.4, 60.0).all(|o| o.picture.is_some_and(|p| p.0 == 1)));
	assert!(stage.between(0.4, 60.0).all(|o| o.shows != Shows::Slate));
}

#[test]
fn a_takeover_while_the_holder_still_sends_is_one_cut() {
	let first = Publisher {
		to: 40.0,
		..Publisher::default()
	};
	let second = Publisher {
		from: 20.0,
		to: 60.0,
		rate: 25.0,
		..Publisher::default()
	};
	let stage = play_all(Play {
		publishers: vec![first, second],
		length: 60.0,
		..Play::default()
	});
	stage.in_step();
	let whose: Vec<_> = stage
		.between(0.4, 60.0)
		.filter_map(|o| o.picture)
		.map(|p| p.0)
		.collect();
	let cut = whose.iter().position(|id| *id == 1).unwrap();
	assert!(whose[..cut].iter().all(|id| *id == 0) && whose[cut..].iter().all(|id| *id == 1));
	assert!((19.7..19.9).contains(&(cut as f64 / 30.0)), "at {cut}");
	assert!(stage.between(0.4, 60.0).all(|o| o.shows != Shows::Slate));
	whole_sound(&stage, 0.4, 20.1);
	whole_sound(&stage, 20.4, 60.0);
	assert!(stage.figures.stray > 0, "what the first one still sends goes nowhere");
}

#[test]
fn b17_a_publisher_that_is_away_for_2_minutes_leaves_the_slate_and_is_shown_when_it_is_back() {
	let first = Publisher {
		to: 10.0,
		..Publisher::default()
	};
	let again = Publisher {
		from: 130.0,
		to: 150.0,
		start: 130.0,
		..Publisher::default()
	};
	let stage = play_all(Play {
		publishers: vec![first, again],
		length: 150.0,
		..Play::default()
	});
	stage.in_step();
	assert!(stage
		.between(10.5, 130.0)
		.all(|o| o.shows == Shows::Slate && o.picture.is_none() && o.loud == 0.0));
	// Until its sound has faded out.
	assert!(stage.between(10.0, 10.5).filter(|o| o.shows == Shows::Held).count() <= 4);
	whole_picture(&stage, 130.4, 150.0);
	whole_sound(&stage, 130.4, 150.0);
}

#[test]
fn b24_the_last_picture_is_held_until_the_sound_is_over_and_then_it_is_drained() {
	let file = Publisher {
		to: 45.0,
		holes: vec![(Picture, (10.0, 45.0))],
		..Publisher::default()
	};
	let stage = play_all(Play {
		publishers: vec![file],
		length: 50.0,
		..Play::default()
	});
	stage.in_step();
	whole_picture(&stage, 0.4, 10.16);
	whole_sound(&stage, 0.4, 45.0);
	assert!(stage
		.between(10.5, 45.0)
		.all(|o| o.shows == Shows::Held && o.picture == Some((0, 9_966_667))));
	assert!((45.0..45.5).contains(&stage.drained[&0]));
	assert!(stage
		.between(45.5, 50.0)
		.all(|o| o.shows == Shows::Slate && o.loud == 0.0));
	// All of its sound was heard, to a piece.
	let heard = stage.out.iter().map(|o| o.loud).sum::<f64>() / 30.0;
	assert!((44.9..45.1).contains(&heard), "{heard}");
}

#[test]
fn a_file_whose_sound_ends_first_is_shown_to_its_last_picture() {
	let file = Publisher {
		to: 20.0,
		holes: vec![(Sound, (10.0, 20.0))],
		..Publisher::default()
	};
	let stage = play_all(Play {
		publishers: vec![file],
		length: 25.0,
		..Play::default()
	});
	whole_picture(&stage, 0.4, 20.1);
	let last = stage.out.iter().rfind(|o| o.shows == Shows::New).unwrap();
	assert_eq!(last.picture, Some((0, 19_966_667)));
	assert!(stage.drained[&0] - last.at < 0.1);
}

#[test]
fn a_file_that_is_played_again_at_once_shows_no_slate_between() {
	let turn = |n: f64| Publisher {
		from: n * 10.0,
		to: n * 10.0 + 10.0,
		..Publisher::default()
	};
	let publishers = vec![turn(0.0), turn(1.0), turn(2.0)];
	let stage = play_all(Play {
		publishers,
		length: 30.0,
		..Play::default()
	});
	stage.in_step();
	assert!(stage.between(0.4, 30.0).all(|o| o.shows != Shows::Slate));
}

#[test]
fn a_cover_stands_for_the_pictures_of_music() {
	let mut mixer = Mixer::new("slate", Duration::ZERO);
	mixer.begin(SourceId(1), Duration::ZERO);
	mixer.cover(SourceId(1), "cover");
	mixer.sound(SourceId(1), Duration::ZERO, &[1000; 96_000], Duration::ZERO);
	mixer.end(SourceId(1));
	let mut shown: Vec<_> = (0..60)
		.filter_map(|n| mixer.tick(time(f64::from(n) / 30.0 + 0.001)).map(|f| f.picture))
		.collect();
	shown.dedup();
	assert_eq!(shown, ["slate", "cover", "slate"]);
	assert!(mixer.is_drained(SourceId(1)));
}

#[test]
fn a_source_that_ended_is_drained_before_the_slate_follows() {
	let mut mixer = Mixer::new(0, Duration::ZERO);
	mixer.begin(SourceId(1), Duration::ZERO);
	for n in 0..30 {
		let at = time(f64::from(n) / 30.0);
		mixer.picture(SourceId(1), at, n + 1, Duration::ZERO);
		mixer.sound(SourceId(1), at, &[1_000; 3_200], Duration::ZERO);
	}
	mixer.end(SourceId(1));
	let mut last = None;
	while !mixer.is_drained(SourceId(1)) {
		last = mixer.tick(mixer.next_due()).map(|frame| frame.picture);
	}
	assert_eq!(last, Some(30));
}
