//! Encoders crash, hang, are slow and talk nonsense; windows are what was pushed.

mod fake;

use super::*;
use crate::flv::Kind;
use fake::{picture_tag, sound_tag, Encoder, LAG};
use mp4_atom::{Decode, Moof};
use proptest::prelude::*;
use std::collections::HashSet;

const PARAMETERS: &[u8] = &[1, 100, 0, 31, 0xff, 0xe1, 0, 4, 0x67, 100, 0, 31, 1, 0, 2, 0x68, 0xee];
const OTHER_PARAMETERS: &[u8] = &[1, 77, 0, 31, 0xff, 0xe1, 0, 4, 0x67, 77, 0, 31, 1, 0, 2, 0x68, 0xee];
const SOUND: &[u8] = &[0x11, 0x90];

/// Time between two pictures of the mixer.
const TICK: Duration = Duration::from_micros(33_333);

/// A picture that was taken, and its sound.
#[derive(Clone, Copy)]
struct Taken {
	id: u64,
	/// One of the mixer's; else it was filled up.
	live: bool,
	/// First sample.
	sound: Option<u64>,
}

/// The plan with its encoders, and what came out so far.
struct Studio {
	plan: Plan,
	now: Duration,
	encoders: [Option<Encoder>; 2],
	parameters: &'static [u8],
	/// Encoders that are started write nothing.
	mute: bool,
	/// What is heard is a tone, in the mixer's time.
	tone: bool,
	/// Where the run began.
	began: MediaTime,
	/// What was taken.
	taken: Vec<Taken>,
	/// The next picture brings the sound of the last one.
	owes_sound: bool,
	refused: u64,
	skipped: u64,
	next_picture: u64,
	windows: Vec<Window>,
	breaks: Vec<u64>,
	faults: Vec<Fault>,
	starts: [u32; 2],
}

impl Studio {
	fn new(per_part: u32, continues: Option<MediaTime>) -> Self {
		let plan = Plan::new(per_part, continues);
		Self {
			began: plan.base,
			breaks: continues.map(|_| plan.base.pictures()).into_iter().collect(),
			plan,
			now: Duration::from_secs(7),
			encoders: [None, None],
			parameters: PARAMETERS,
			mute: false,
			tone: false,
			taken: Vec::new(),
			owes_sound: false,
			refused: 0,
			skipped: 0,
			next_picture: 0,
			windows: Vec::new(),
			faults: Vec::new(),
			starts: [0; 2],
		}
	}

	fn sample(&self, number: u64) -> i16 {
		let picture = number / SAMPLES_PER_PICTURE as u64;
		let taken = picture
			.checked_sub(self.began.pictures())
			.and_then(|index| self.taken.get(index as usize));
		let sound = taken.and_then(|taken| taken.sound);
		sound.map_or(0, |first| {
			((first + number % SAMPLES_PER_PICTURE as u64) % 32_000) as i16
		})
	}

	/// The mixer's next picture, and whatever encoders do meanwhile.
	fn picture(&mut self) {
		let at = self.began.pictures() + self.taken.len() as u64;
		// The sound of the one before.
		let first = at.saturating_sub(1) * SAMPLES_PER_PICTURE as u64;
		let id = self.next_picture;
		let samples: Vec<i16> = (0..SAMPLES_PER_PICTURE as u64)
			.flat_map(|number| match self.tone {
				true => [tone(id * SAMPLES_PER_PICTURE as u64 + number); CHANNELS],
				false => [((first + number) % 32_000) as i16; CHANNELS],
			})
			.collect();
		self.next_picture += 1;
		let picture = Bytes::copy_from_slice(&id.to_be_bytes());
		match self.plan.push(picture, &samples, id * 33, self.now) {
			Ok(()) => {
				// Where the last one was skipped, its sound is dropped.
				if let Some(last) = self
					.taken
					.last_mut()
					.filter(|last| self.owes_sound && last.sound.is_none())
				{
					last.sound = Some(first);
				}
				self.owes_sound = true;
				self.taken.push(Taken {
					id,
					live: true,
					sound: None,
				});
			},
			Err(_) => self.refused += 1,
		}
		self.check_memory();
		self.run(usize::MAX);
		self.now += TICK;
	}

	/// What pauses fill up is a place more each, and no memory.
	fn check_memory(&self) {
		let places = self.plan.held.len();
		let pictures: HashSet<*const u8> = self.plan.held.iter().map(|held| held.picture.as_ptr()).collect();
		assert!(pictures.len() <= MOST_HELD, "{} pictures", pictures.len());
		assert!(places < MOST_HELD + PICTURES_PER_SEGMENT as usize, "{places} places");
	}

	fn flush(&mut self) {
		self.owes_sound = false;
		if let Some(last) = self.taken.last().copied() {
			while !self.taken.len().is_multiple_of(60) {
				self.taken.push(Taken {
					id: last.id,
					live: false,
					sound: None,
				});
			}
			let end = self.began.pictures() + self.taken.len() as u64;
			if self.breaks.last() != Some(&end) {
				self.breaks.push(end);
			}
		}
		self.plan.flush(self.now);
		self.check_memory();
		self.run(usize::MAX);
	}

	/// Encoders write at most so many units each.
	fn run(&mut self, most: usize) {
		for track in Track::ALL {
			let mut left = most;
			loop {
				let order = self.plan.order(track, self.now);
				self.skip();
				match order {
					Some(Order::Start { in_segment }) => {
						self.starts[track as usize] += 1;
						let mut encoder = Encoder::new(track, in_segment, self.parameters);
						encoder.stopped = self.mute;
						self.encoders[track as usize] = Some(encoder);
						self.plan.started(track, self.now);
					},
					Some(Order::Kill(fault)) => {
						if fault != Fault::Old {
							self.faults.push(fault);
						}
						self.kill(track);
					},
					None => {},
				}
				let Some(encoder) = &mut self.encoders[track as usize] else {
					break;
				};
				let mut idle = true;
				if encoder.hungry() {
					match self.plan.feed(track, self.now) {
						Some(Feed::Data(data)) => (idle, _) = (false, encoder.eat(&data)),
						Some(Feed::End) => (idle, encoder.ended) = (false, true),
						None => {},
					}
				}
				if let Some(tag) = (left > 0).then(|| encoder.speak()).flatten() {
					(idle, left) = (false, left - 1);
					self.plan.tag(track, &tag, self.now).unwrap();
				} else if encoder.finished() {
					self.encoders[track as usize] = None;
					assert!(self.plan.ended(track, self.now));
				}
				if idle {
					break;
				}
			}
		}
		while let Some(window) = self.plan.window() {
			self.windows.push(window);
		}
	}

	/// The plan skipped the oldest that it held.
	fn skip(&mut self) {
		let count = self.plan.skipped() - self.skipped;
		if count > 0 {
			let from = self.plan.base.since(self.began) as usize;
			self.taken.drain(from..from + count as usize);
			self.breaks.retain(|at| *at <= self.plan.base.pictures());
			self.breaks.extend(self.plan.breaks.iter().map(|at| at.pictures()));
			self.skipped += count;
		}
	}

	fn kill(&mut self, track: Track) {
		if self.encoders[track as usize].take().is_some() {
			assert!(!self.plan.ended(track, self.now));
		}
	}

	/// Everything that was taken is out, once, in order, in step, and only that.
	fn check(&self, per_part: u32) {
		let (mut at, mut pictures, mut frame) = (self.began, Vec::new(), self.began.frame());
		let mut captured_to = None;
		for window in &self.windows {
			assert_eq!(window.end, at.part_end(per_part));
			assert_eq!(u64::from(window.duration_ms), window.end.ms() - at.ms());
			assert_eq!(window.last_part, window.end.in_segment() == 0);
			assert!(window.independent || at.in_segment() != 0);
			let jump = captured_to.is_some_and(|to: u64| window.start_ms.abs_diff(to) > JUMP_MS);
			assert_eq!(
				window.discontinuity,
				jump || self.breaks.contains(&at.pictures()),
				"{at:?} {:?}",
				self.breaks
			);
			captured_to = Some(window.start_ms + u64::from(window.duration_ms));
			let moof = window.data.windows(4).position(|bytes| bytes == b"moof").unwrap() - 4;
			let decoded = Moof::decode(&mut &window.data[moof..]).unwrap();
			let units = |index: usize| {
				let run = &decoded.traf[index].trun[0];
				let mut from = moof + run.data_offset.unwrap() as usize;
				let sizes: Vec<usize> = run.samples.iter().map(|sample| sample.size.unwrap() as usize).collect();
				sizes.into_iter().map(move |size| {
					let unit = &window.data[from..from + size];
					from += size;
					unit
				})
			};
			let time = |index: usize| decoded.traf[index].tfdt.as_ref().unwrap().base_media_decode_time;
			assert_eq!(time(0), at.pictures() * 1_000);
			assert_eq!(time(1), frame * 1_024);
			let sets = &window.init.parameter_sets;
			let repeated = units(0).next().unwrap().strip_prefix(&sets[..]);
			assert_eq!(
				repeated.is_some(),
				window.independent,
				"what decodes by itself says by what"
			);
			let first = repeated.or_else(|| units(0).next());
			let ids: Vec<u64> = first
				.into_iter()
				.chain(units(0).skip(1))
				.map(|unit| u64::from_be_bytes(unit[4..].try_into().unwrap()))
				.collect();
			assert_eq!(ids.len() as u64, window.end.since(at));
			let live = self.taken[at.since(self.began) as usize].live;
			let filled = window.start_ms.checked_sub(ids[0] * 33).unwrap();
			assert!(
				filled == 0 || !live && filled < 2_000,
				"captured when its first picture was"
			);
			pictures.extend(ids);
			for unit in units(1) {
				let first = i16::from_be_bytes(unit.try_into().unwrap());
				assert_eq!(first, self.sample(frame * 1_024), "frame {frame}");
				frame += 1;
			}
			at = window.end;
			assert_eq!(frame, at.frame());
		}
		let taken: Vec<u64> = self.taken.iter().map(|taken| taken.id).take(pictures.len()).collect();
		assert_eq!(pictures, taken);
	}

	/// To the last picture.
	fn finish(&mut self, per_part: u32) {
		for encoder in self.encoders.iter_mut().flatten() {
			encoder.stopped = false;
		}
		self.flush();
		for _ in 0..1_000 {
			if self.plan.is_empty() {
				break;
			}
			self.now += TICK;
			self.run(usize::MAX);
		}
		assert!(self.plan.is_empty());
		self.check(per_part);
		let pictures: u64 = self.windows.last().map_or(0, |window| window.end.since(self.began));
		assert_eq!(pictures, self.taken.len() as u64);
		assert_eq!(self.taken.len() % 60, 0);
	}
}

#[test]
fn windows_are_what_was_pushed() {
	for (per_part, count) in [(60, 3), (6, 30), (7, 27), (1, 180), (99, 3)] {
		let mut studio = Studio::new(per_part, None);
		(0..180).for_each(|_| studio.picture());
		assert_eq!(studio.plan.waiting(), LAG as u64, "that is what the encoder keeps");
		studio.finish(per_part);
		assert_eq!(studio.windows.len(), count);
		assert_eq!(studio.starts, [1, 1]);
		assert!(studio
			.windows
			.iter()
			.all(|window| window.init == studio.windows[0].init));
	}
}

#[test]
fn crash_costs_no_picture_and_no_sample() {
	for track in Track::ALL {
		for at in [1, 30, 61, 63, 64, 65, 90] {
			for per_part in [60, 10] {
				let mut studio = Studio::new(per_part, MediaTime::new(120));
				(0..at).for_each(|_| studio.picture());
				studio.kill(track);
				(0..100).for_each(|_| studio.picture());
				studio.finish(per_part);
				assert_eq!(studio.refused, 0);
				assert_eq!(studio.starts[track as usize], 2);
				assert_eq!(studio.starts[1 - track as usize], 1, "the other one goes on");
			}
		}
	}
}

#[test]
fn hang_is_seen_and_costs_no_picture() {
	for track in Track::ALL {
		let mut studio = Studio::new(60, None);
		(0..400).for_each(|_| studio.picture());
		studio.encoders[track as usize].as_mut().unwrap().stopped = true;
		let before = studio.windows.len();
		(0..200).for_each(|_| studio.picture());
		assert_eq!(studio.faults, [Fault::Hangs(STALL_LIMIT)]);
		assert!(studio.windows.len() >= before + 3);
		assert_eq!(studio.refused, 0);
		studio.finish(60);
	}
}

#[test]
fn encoder_that_never_speaks_is_given_longer_and_then_replaced() {
	let mut studio = Studio::new(60, None);
	studio.picture();
	studio.encoders[0].as_mut().unwrap().stopped = true;
	(0..30 * 11).for_each(|_| studio.picture());
	assert_eq!(studio.faults, [Fault::Hangs(START_LIMIT)]);
	assert!(studio.refused > 0, "more than is held");
	studio.finish(60);
}

#[test]
fn mixer_that_pauses_is_no_hang() {
	let mut studio = Studio::new(60, None);
	(0..70).for_each(|_| studio.picture());
	studio.now += Duration::from_secs(3_600);
	(0..70).for_each(|_| studio.picture());
	studio.finish(60);
	assert_eq!((studio.faults.len(), studio.starts), (0, [1, 1]));
}

#[test]
fn slow_encoder_takes_fewer_pictures_and_stays_a_second_behind() {
	let mut studio = Studio::new(60, None);
	for step in 0..3_000u32 {
		let encoder = studio.encoders[0].as_mut();
		// Two pictures of three.
		if let Some(encoder) = encoder {
			encoder.stopped = true;
		}
		studio.picture();
		if step % 3 > 0 {
			studio.encoders[0].as_mut().unwrap().stopped = false;
			studio.run(1);
		}
		if step > 600 {
			assert!(studio.plan.waiting() <= OVERLOAD, "{}", studio.plan.waiting());
		}
	}
	assert!((900..1_100).contains(&studio.refused), "{}", studio.refused);
	assert!(studio.faults.is_empty() && studio.starts == [1, 1]);
	studio.finish(60);
}

/// Pictures of the mixer during so many seconds, and of the picture's encoder as many as `speed` says of each of these ticks.
fn at_speed(studio: &mut Studio, seconds: f64, speed: impl Fn(u64) -> usize) {
	for tick in 0..(seconds * 30.0) as u64 {
		if let Some(encoder) = &mut studio.encoders[0] {
			encoder.stopped = true;
		}
		studio.picture();
		if let Some(encoder) = &mut studio.encoders[0] {
			encoder.stopped = false;
		}
		// The header is none.
		studio.run(speed(tick) + usize::from(studio.encoders[0].as_ref().is_some_and(|encoder| !encoder.said)));
	}
}

/// 431 Hz: no whole number of turns in a picture's time.
fn tone(sample: u64) -> i16 {
	((sample as f64 * std::f64::consts::TAU * 431.0 / 48_000.0).sin() * 10_000.0) as i16
}

#[test]
fn sound_does_not_click_where_pictures_are_left_out_or_skipped() {
	let mut studio = Studio::new(60, None);
	studio.tone = true;
	(0..200).for_each(|_| studio.picture());
	at_speed(&mut studio, 20.0, |tick| usize::from(tick % 3 > 0));
	let steps = |studio: &Studio| {
		let heard = &studio.encoders[1].as_ref().unwrap().heard;
		heard.windows(2).map(|pair| pair[0].abs_diff(pair[1])).max().unwrap()
	};
	assert!(
		studio.refused > 100 && steps(&studio) < 700,
		"left out: {}",
		steps(&studio)
	);
	studio.mute = true;
	(0..300).for_each(|_| {
		studio.kill(Track::Picture);
		studio.picture();
	});
	studio.mute = false;
	(0..300).for_each(|_| studio.picture());
	assert!(
		studio.skipped > 0 && steps(&studio) < 700,
		"skipped: {}",
		steps(&studio)
	);
}

/// How often pictures are missing behind each other, and how long the longest of these times is, pictures.
fn cuts(studio: &Studio) -> (usize, u64) {
	let missing = studio
		.taken
		.windows(2)
		.map(|pair| pair[1].id.saturating_sub(pair[0].id + 1));
	(
		missing.clone().filter(|count| *count > 0).count(),
		missing.max().unwrap_or(0),
	)
}

/// How old the newest window was when it came out: its last picture, ms.
fn age(studio: &Studio) -> u64 {
	let out = studio.windows.last().unwrap();
	let now = (studio.now - Duration::from_secs(7)).as_millis() as u64;
	now - (out.start_ms + u64::from(out.duration_ms))
}

#[test]
fn encoder_that_replaces_one_that_hung_comes_back_to_live_within_seconds_and_costs_one_cut_at_most() {
	// Pictures a second, and for how long at most pictures may be missing then.
	for (speed, longest) in [(120, 0), (60, 0), (36, 120), (30, 130)] {
		let mut studio = Studio::new(60, None);
		at_speed(&mut studio, 10.0, |_| 2);
		at_speed(&mut studio, 3.6, |_| 0);
		assert_eq!(studio.faults, [Fault::Hangs(STALL_LIMIT)], "{speed}");
		at_speed(&mut studio, 7.0, |tick| {
			(tick as usize + 1) * speed / 30 - tick as usize * speed / 30
		});
		assert!(studio.plan.waiting() <= OVERLOAD, "{speed}: {}", studio.plan.waiting());
		let (cuts, missing) = cuts(&studio);
		assert!(cuts <= 1 && missing <= longest, "{speed}: {cuts} of at most {missing}");
		studio.finish(60);
	}
}

#[test]
fn encoder_that_writes_now_and_then_is_no_hang_and_stays_a_second_behind() {
	let mut studio = Studio::new(60, None);
	// 20 pictures each second, all at once.
	for second in 0..60 {
		at_speed(&mut studio, 1.0, |tick| if tick == 29 { 20 } else { 0 });
		let waiting = studio.plan.waiting();
		assert!(second < 5 || waiting <= OVERLOAD + 21, "{waiting} after {second} s");
	}
	assert!(studio.faults.is_empty());
	studio.finish(60);
}

#[test]
fn what_grew_old_while_no_encoder_ran_is_skipped_in_one_cut() {
	for track in Track::ALL {
		let mut studio = Studio::new(60, None);
		(0..130).for_each(|_| studio.picture());
		let before = studio.windows.len();
		studio.mute = true;
		studio.kill(track);
		for _ in 0..30 * 60 {
			studio.picture();
			studio.kill(track);
		}
		studio.mute = false;
		studio.windows.drain(..before.saturating_sub(1));
		let held = studio.windows.len();
		// The longest pause before another one, and a window.
		(0..30 * 11).for_each(|_| studio.picture());
		assert!(studio.skipped >= 100, "{track:?}: {}", studio.skipped);
		assert!(cuts(&studio).0 == 1, "{track:?}: {:?}", cuts(&studio));
		let first = &studio.windows[held];
		assert!(
			first.discontinuity && first.start_ms > 60_000,
			"{track:?}: {}",
			first.start_ms
		);
		assert!(studio.windows[held + 1..].iter().all(|window| !window.discontinuity));
		assert!(age(&studio) < 2_200, "{track:?}: {}", age(&studio));
	}
}

#[test]
fn window_whose_capture_does_not_go_on_says_so_and_drift_is_none() {
	let mut plan = Plan::new(60, None);
	let mut captured = Vec::new();
	// A clock that is set right by a hundredth; then 4 pictures are missing; then 3 s, in the middle of a window.
	for number in 0..480u64 {
		let ms = number * 337 / 10;
		captured.push(ms + if number >= 130 { 133 } else { 0 } + if number >= 290 { 3_000 } else { 0 });
	}
	let mut studio = [
		Encoder::new(Track::Picture, 0, PARAMETERS),
		Encoder::new(Track::Sound, 0, PARAMETERS),
	];
	Track::ALL
		.into_iter()
		.for_each(|track| plan.started(track, Duration::ZERO));
	let mut broken = Vec::new();
	for (number, ms) in captured.iter().enumerate() {
		let now = TICK * number as u32;
		plan.push(
			Bytes::from_static(&[0; 8]),
			&[0; SAMPLES_PER_PICTURE * CHANNELS],
			*ms,
			now,
		)
		.unwrap();
		for track in Track::ALL {
			let encoder = &mut studio[track as usize];
			while let Some(Feed::Data(data)) = plan.feed(track, now) {
				encoder.eat(&data);
			}
			while let Some(tag) = encoder.speak() {
				plan.tag(track, &tag, now).unwrap();
			}
		}
		broken.extend(plan.window().map(|window| window.discontinuity));
	}
	assert_eq!(broken, [false, false, false, true, false, true, false]);
}

#[test]
fn time_in_which_we_did_not_run_makes_no_hang_of_a_busy_encoder() {
	for track in Track::ALL {
		let mut studio = Studio::new(60, None);
		(0..100).for_each(|_| studio.picture());
		studio.encoders[track as usize].as_mut().unwrap().stopped = true;
		// It owes something, and is not late.
		(0..45).for_each(|_| studio.picture());
		studio.now += Duration::from_secs(60);
		assert_eq!(studio.plan.order(track, studio.now), None);
		// Nor is it in the next moments.
		(0..10).for_each(|_| studio.picture());
		studio.encoders[track as usize].as_mut().unwrap().stopped = false;
		(0..100).for_each(|_| studio.picture());
		assert_eq!((studio.faults.len(), studio.starts), (0, [1, 1]));
		studio.finish(60);
	}
}

#[test]
fn machine_that_runs_us_now_and_then_makes_no_hang_and_a_hang_is_still_seen() {
	let mut studio = Studio::new(60, None);
	(0..100).for_each(|_| studio.picture());
	studio.encoders[0].as_mut().unwrap().stopped = true;
	let mut looks = 0;
	while studio.faults.is_empty() {
		studio.now += Duration::from_secs(2);
		studio.picture();
		looks += 1;
		assert!(looks < 40);
	}
	// 12 until it owes something, 2 without this rule.
	assert!(looks >= 12 + 6, "{looks}");
	studio.finish(60);
}

#[test]
fn crash_loop_waits_longer_each_time() {
	let mut studio = Studio::new(60, None);
	let mut starts = Vec::new();
	studio.mute = true;
	for _ in 0..30 * 40 {
		studio.picture();
		if studio.encoders[0].is_some() {
			starts.push(studio.now);
			studio.kill(Track::Picture);
		}
	}
	let pauses: Vec<u128> = starts.windows(2).map(|pair| (pair[1] - pair[0]).as_millis()).collect();
	let expected = [0, 250, 500, 1_000, 2_000, 4_000, 8_000, 8_000];
	assert!(
		pauses
			.iter()
			.zip(expected)
			.all(|(pause, expected)| (expected..=expected + 100).contains(pause)),
		"{pauses:?}"
	);
	assert!(studio.plan.failures(Track::Picture) >= 8);
	studio.mute = false;
	studio.finish(60);
	assert_eq!(studio.plan.failures(Track::Picture), 0);
}

#[test]
fn pause_ends_with_a_whole_window_and_the_next_one_says_that_it_does_not_follow() {
	let mut studio = Studio::new(60, None);
	studio.plan.flush(studio.now);
	(0..70).for_each(|_| studio.picture());
	studio.flush();
	assert!(studio.plan.is_empty() && studio.plan.at_boundary());
	assert!(
		studio.encoders.iter().all(Option::is_none),
		"none runs while nothing is fed"
	);
	assert_eq!(studio.plan.deadline(), None);
	studio.now += Duration::from_secs(3_600);
	(0..70).for_each(|_| studio.picture());
	studio.finish(60);
	let breaks: Vec<bool> = studio.windows.iter().map(|window| window.discontinuity).collect();
	assert_eq!(breaks, [false, false, true, false]);
}

#[test]
fn pause_while_all_places_are_taken_fills_up_with_what_is_held_already() {
	let mut studio = Studio::new(60, None);
	studio.mute = true;
	for _ in 0..5 {
		(0..MOST_HELD).for_each(|_| studio.picture());
		studio.flush();
	}
	assert_eq!(studio.plan.held.len(), 240, "210 are three segments and a half");
	studio.finish(60);
	assert_eq!(studio.windows.len(), 4);
}

#[test]
fn pictures_that_come_while_encoders_end_are_not_lost() {
	for flushed in [0, 1, 2] {
		let mut studio = Studio::new(10, None);
		(0..70).for_each(|_| studio.picture());
		// So that they do not end at once.
		studio
			.encoders
			.iter_mut()
			.flatten()
			.for_each(|encoder| encoder.stopped = true);
		studio.flush();
		(0..flushed).for_each(|_| studio.picture());
		studio
			.encoders
			.iter_mut()
			.flatten()
			.for_each(|encoder| encoder.stopped = false);
		(0..70).for_each(|_| studio.picture());
		studio.finish(10);
	}
}

#[test]
fn other_parameters_make_another_initialisation_segment_and_a_discontinuity() {
	let mut studio = Studio::new(60, None);
	(0..100).for_each(|_| studio.picture());
	studio.parameters = OTHER_PARAMETERS;
	studio.kill(Track::Picture);
	(0..100).for_each(|_| studio.picture());
	studio.breaks.push(60);
	studio.finish(60);
	assert!(studio.windows[0].init.codecs.starts_with("avc1.64001f"));
	assert!(studio.windows[1..]
		.iter()
		.all(|window| window.init.codecs == "avc1.4d001f,mp4a.40.2"));
}

#[test]
fn program_that_was_killed_in_a_segment_goes_on_behind_it() {
	let studio = Studio::new(60, MediaTime::new(61));
	assert_eq!(studio.began.pictures(), 120);
}

#[test]
fn nonsense_is_told_from_what_an_encoder_makes() {
	let frame = [0, 0, 0, 1, 0x65];
	let fault = |track, tags: &[Tag]| {
		let mut plan = Plan::new(60, None);
		Track::ALL
			.into_iter()
			.for_each(|track| plan.started(track, Duration::ZERO));
		for _ in 0..3 {
			plan.push(Bytes::new(), &[0; SAMPLES_PER_PICTURE * CHANNELS], 0, Duration::ZERO)
				.unwrap();
			Track::ALL
				.into_iter()
				.for_each(|track| drop(plan.feed(track, Duration::ZERO)));
		}
		tags.iter().find_map(|tag| plan.tag(track, tag, Duration::ZERO).err())
	};
	let header = picture_tag(true, 0, PARAMETERS);
	let picture = |tags: &[Tag]| fault(Track::Picture, &[std::slice::from_ref(&header), tags].concat());
	let (first, next) = (picture_tag(true, 1, &frame), picture_tag(false, 1, &frame));
	assert_eq!(picture(&[first.clone(), next.clone(), next.clone()]), None);
	assert_eq!(
		picture(&[first.clone(), next.clone(), next.clone(), next.clone()]),
		Some(Fault::Surplus)
	);
	assert_eq!(
		fault(Track::Picture, std::slice::from_ref(&first)),
		Some(Fault::Surplus)
	);
	assert_eq!(picture(std::slice::from_ref(&next)), Some(Fault::Key));
	assert_eq!(picture(&[first.clone(), first.clone()]), Some(Fault::Key));
	assert_eq!(picture(&[picture_tag(true, 0, OTHER_PARAMETERS)]), Some(Fault::Header));
	for damaged in [&frame[..4], &[0, 0, 0, 2, 0x65], &[], &[0, 0, 0, 0]] {
		assert_eq!(picture(&[picture_tag(true, 1, damaged)]), Some(Fault::Damaged));
	}
	assert_eq!(picture(&[sound_tag(1, &[1])]), Some(Fault::Codec));
	assert!(matches!(picture(&[picture_tag(true, 9, &[])]), Some(Fault::Flv(_))));
	let mut shown_later = first.clone();
	shown_later.body = [&[0x17, 1, 0, 0, 33][..], &frame].concat().into();
	assert_eq!(picture(&[shown_later]), Some(Fault::Codec));
	let large = [&[0, 0x40, 0, 0][..], &[0; 0x40_0000]].concat();
	assert_eq!(picture(&[picture_tag(true, 1, &large)]), Some(Fault::TooMuch));

	let sound = |tags: &[Tag]| fault(Track::Sound, &[&[sound_tag(0, SOUND)], tags].concat());
	assert_eq!(sound(&vec![sound_tag(1, &[1]); 6]), None);
	assert_eq!(sound(&vec![sound_tag(1, &[1]); 7]), Some(Fault::Surplus));
	assert_eq!(sound(&[first]), Some(Fault::Codec));
	// 44.1 kHz.
	let both = |tag: Tag| {
		let mut plan = Plan::new(60, None);
		Track::ALL
			.into_iter()
			.for_each(|track| plan.started(track, Duration::ZERO));
		plan.tag(Track::Picture, &header, Duration::ZERO).unwrap();
		plan.tag(Track::Sound, &tag, Duration::ZERO)
	};
	assert_eq!(both(sound_tag(0, &[0x12, 0x10])), Err(Fault::Header));
	assert_eq!(both(sound_tag(0, SOUND)), Ok(()));
}

/// What happens to encoders between two pictures.
#[derive(Clone, Debug)]
enum Trouble {
	Pictures(u8),
	Crash(bool),
	Hang(bool),
	Slow(u8),
	Pause,
	Long(u16),
}

fn trouble() -> impl Strategy<Value = Trouble> {
	prop_oneof![
		6 => (1u8..120).prop_map(Trouble::Pictures),
		3 => any::<bool>().prop_map(Trouble::Crash),
		1 => any::<bool>().prop_map(Trouble::Hang),
		2 => (1u8..90).prop_map(Trouble::Slow),
		1 => Just(Trouble::Pause),
		1 => (1u16..3_000).prop_map(Trouble::Long),
	]
}

proptest! {
	#![proptest_config(ProptestConfig::with_cases(96))]

	#[test]
	fn whatever_encoders_do_windows_are_what_was_taken(
		troubles in prop::collection::vec(trouble(), 1..24),
		per_part in prop::sample::select(vec![60u32, 60, 6, 7, 1]),
		continues in prop::option::of(0u64..10_000),
	) {
		let mut studio = Studio::new(per_part, continues.and_then(MediaTime::new));
		for trouble in troubles {
			match trouble {
				Trouble::Pictures(count) => (0..count).for_each(|_| studio.picture()),
				Trouble::Crash(sound) => studio.kill(Track::ALL[usize::from(sound)]),
				Trouble::Hang(sound) => {
					if let Some(encoder) = &mut studio.encoders[usize::from(sound)] {
						encoder.stopped = true;
					}
				},
				Trouble::Slow(count) => {
					for _ in 0..count {
						studio.now += TICK;
						studio.run(1);
					}
				},
				Trouble::Pause => studio.flush(),
				Trouble::Long(ms) => studio.now += Duration::from_millis(ms.into()),
			}
		}
		studio.finish(per_part);
	}
}
