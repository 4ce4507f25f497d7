use super::*;
use crate::{parts::Parts, playlist};
use bytes::Bytes;
use clustercast_primitives::{catalog::Track as Described, crypto::KeyPair, StreamId};
use clustercast_protocol::{Broadcast, EncodedWindow, Timing};

const T0: u64 = 1_700_000_000_000;

/// Windows that hold no media, as an encoder or another broadcaster might name them.
pub struct Studio {
	broadcast: Broadcast,
	init: &'static [u8],
	/// Capture of the next one.
	pub now_ms: u64,
	pub duration_ms: u32,
	pub flags: u16,
}

pub fn studio(stream: u64, epoch: u32, segment: u64) -> Studio {
	let key = KeyPair::from_seed([1; 32]);
	Studio {
		broadcast: Broadcast::begin(key, Hash([2; 32]), StreamId(stream), epoch, Hash([0; 32]), segment),
		init: b"init A",
		now_ms: T0,
		duration_ms: 2_000,
		flags: flags::INDEPENDENT | flags::LAST_PART,
	}
}

impl Studio {
	/// What the windows that follow decode with.
	pub fn init(&mut self, init: &'static [u8]) {
		self.init = init;
	}

	pub fn next(&mut self) -> EncodedWindow {
		self.broadcast
			.describe(Described::unknown(self.init), Bytes::from_static(self.init));
		let timing = Timing {
			flags: self.flags,
			start_ms: self.now_ms,
			duration_ms: self.duration_ms,
		};
		self.now_ms += u64::from(self.duration_ms);
		self.broadcast.sign(timing, &self.now_ms.to_be_bytes()).unwrap()
	}

	/// So many that nobody receives.
	fn lost(&mut self, count: u64) {
		for _ in 0..count {
			self.next();
		}
	}
}

/// The program ends and begins again: what it kept is read from JSON.
pub fn restarted(timeline: &Timeline) -> Timeline {
	let kept = serde_json::to_vec(timeline.place().unwrap()).unwrap();
	Timeline::resume(Some(serde_json::from_slice(&kept).unwrap()))
}

/// Number, gap, discontinuity of each entry.
fn listed(timeline: &Timeline) -> Vec<(u64, bool, bool)> {
	timeline
		.entries()
		.map(|e| (e.sequence, e.gap, e.discontinuity))
		.collect()
}

#[test]
fn list_slides_and_numbers_count() {
	let (mut timeline, mut studio) = (Timeline::default(), studio(1, 9, 7));
	for n in 0..100 {
		let files = timeline.push(&studio.next());
		assert_eq!(files.len(), 2);
		let entries = listed(&timeline);
		assert_eq!(entries.len(), 12.min(n + 1));
		assert_eq!(entries.last(), Some(&(T0 / 2_000 + n as u64, false, false)));
		assert!(entries.windows(2).all(|pair| pair[1].0 == pair[0].0 + 1));
	}
}

/// The attack: a page that watched one broadcast is shown another one under the same names.
#[test]
fn a_name_says_its_content_whatever_run_stream_or_epoch_it_is_of() {
	let mut names = std::collections::BTreeMap::new();
	for (stream, epoch, init) in [
		(1, 9, &b"init A"[..]),
		(2, 9, b"init A"),
		(1, 10, b"init B"),
		(1, 9, b"init A"),
	] {
		let (mut timeline, mut studio) = (Timeline::default(), studio(stream, epoch, 0));
		studio.init = init;
		studio.now_ms += stream;
		for _ in 0..5 {
			for file in timeline.push(&studio.next()) {
				let before = names.insert(file.name.clone(), file.bytes.clone());
				assert!(before.is_none_or(|before| before == file.bytes), "{}", file.name);
			}
		}
	}
	assert_eq!(names.len(), 3 * 5 + 2, "the last broadcast was the first one again");
}

#[test]
fn numbers_go_on_when_the_program_is_restarted() {
	let (mut timeline, mut studio) = (Timeline::default(), studio(1, 9, 0));
	for _ in 0..30 {
		timeline.push(&studio.next());
	}
	let (before, _, _) = *listed(&timeline).last().unwrap();
	let names: BTreeMap<u64, String> = timeline.entries().map(|e| (e.sequence, e.uri.clone())).collect();
	let mut timeline = restarted(&timeline);
	studio.lost(3);
	timeline.push(&studio.next());
	// The three that were missed are gaps, as is what nobody has any more, under its old names: players that have it know their
	// place by it. There was no media to say that times go on: one discontinuity.
	let entries = listed(&timeline);
	assert_eq!(entries.len(), 12);
	assert_eq!(entries.last(), Some(&(before + 4, false, false)));
	assert!(entries[..11].iter().all(|e| e.1));
	assert_eq!(
		entries.iter().filter(|e| e.2).map(|e| e.0).collect::<Vec<_>>(),
		[before + 1]
	);
	for entry in timeline.entries().take(8) {
		assert_eq!(names.get(&entry.sequence), Some(&entry.uri));
	}
	let discontinuities = timeline.place().unwrap().discontinuities;
	let mut timeline = restarted(&timeline);
	timeline.push(&studio.next());
	assert_eq!(listed(&timeline).last(), Some(&(before + 5, false, false)));
	assert_eq!(
		listed(&timeline)
			.iter()
			.filter(|e| e.2)
			.map(|e| e.0)
			.collect::<Vec<_>>(),
		[before + 1]
	);
	assert_eq!(timeline.place().unwrap().discontinuities, discontinuities);
}

#[test]
fn a_restarted_program_that_begins_with_what_it_had_lists_it_under_its_number() {
	let (mut timeline, mut studio) = (Timeline::default(), studio(1, 9, 0));
	let windows: Vec<_> = (0..20).map(|_| studio.next()).collect();
	let mut names = Vec::new();
	for window in &windows {
		names = timeline.push(window);
	}
	let last = *listed(&timeline).last().unwrap();
	assert_eq!(timeline.push(&windows[19]), [], "once is enough");
	let mut timeline = restarted(&timeline);
	assert_eq!(timeline.push(&windows[19]), names);
	assert_eq!(listed(&timeline).last(), Some(&last));
	let mut timeline = restarted(&timeline);
	timeline.push(&windows[17]);
	assert_eq!(listed(&timeline).last().unwrap().0, last.0 - 2);
	timeline.push(&windows[18]);
	assert_eq!(listed(&timeline).last().unwrap().0, last.0 - 1);
}

/// The attack: the state is lost, the clock is all there is; then a broadcaster's clock that is years off.
#[test]
fn numbers_never_go_back_without_state_nor_for_another_stream() {
	let (mut timeline, mut one) = (Timeline::default(), studio(1, 9, 5_000));
	for _ in 0..30 {
		timeline.push(&one.next());
	}
	let (before, discontinuities) = (
		listed(&timeline).last().unwrap().0,
		timeline.place().unwrap().discontinuities,
	);
	let mut fresh = Timeline::default();
	one.now_ms += 10_000;
	fresh.push(&one.next());
	assert!(listed(&fresh)[0].0 > before);
	assert_ne!(fresh.discontinuities(), discontinuities);
	assert!(fresh.discontinuities() < UNSEEN, "players walk through all below");
	// Another stream in the same folder, of a broadcaster whose clock is at zero.
	let mut other = studio(2, 9, 0);
	other.now_ms = 0;
	let mut timeline = restarted(&timeline);
	timeline.push(&other.next());
	let entries = listed(&timeline);
	assert_eq!(entries.last().unwrap().0, before + 1);
	assert!(entries.iter().any(|e| e.2), "another stream is a discontinuity");
}

#[test]
fn numbers_go_on_over_epochs_and_what_is_known_to_be_missing_is_a_gap() {
	let (mut timeline, mut one) = (Timeline::default(), studio(1, 9, 40));
	for _ in 0..20 {
		timeline.push(&one.next());
	}
	let before = listed(&timeline).last().unwrap().0;
	// Segments go on: 60 and 61 are missing.
	let mut next = studio(1, 10, 60);
	next.lost(2);
	timeline.push(&next.next());
	let entries = listed(&timeline);
	assert_eq!(
		entries[entries.len() - 3..],
		[
			(before + 1, true, true),
			(before + 2, true, false),
			(before + 3, false, false)
		]
	);
	// They do not: nothing is known to be missing but what was before in this epoch.
	let mut third = studio(1, 11, 0);
	timeline.push(&third.next());
	assert_eq!(listed(&timeline).last(), Some(&(before + 4, false, true)));
}

/// The attack: a header that is years ahead of the one before.
#[test]
fn gaps_are_bounded_and_old_entries_leave() {
	let (mut timeline, mut studio) = (Timeline::default(), studio(1, 9, 0));
	timeline.push(&studio.next());
	studio.lost(500);
	let before = listed(&timeline)[0].0;
	timeline.push(&studio.next());
	let entries = listed(&timeline);
	assert_eq!(entries.len(), 12);
	assert_eq!(entries.last(), Some(&(before + 501, false, false)));
	assert!(entries[..11].iter().all(|e| e.1));
	let mut far = Timeline::resume(timeline.place.clone().map(|mut place| {
		place.epoch = 8;
		place.segment = 0;
		place
	}));
	let mut header = studio.next().header().clone();
	header.number = u64::MAX >> 1;
	assert!(far.number(&header).unwrap().missing <= MAX_MISSING);
}

#[test]
fn discontinuities_are_counted_when_they_leave_and_go_on() {
	let (mut timeline, mut studio) = (Timeline::default(), studio(1, 9, 0));
	timeline.push(&studio.next());
	let base = timeline.discontinuities();
	studio.init = b"init B";
	timeline.push(&studio.next());
	assert!(listed(&timeline)[1].2);
	studio.flags |= flags::DISCONTINUITY;
	timeline.push(&studio.next());
	studio.flags &= !flags::DISCONTINUITY;
	let mut counted = Vec::new();
	for _ in 0..20 {
		timeline.push(&studio.next());
		counted.push(timeline.discontinuities() - base);
	}
	assert_eq!(counted[9..13], [0, 1, 2, 2]);
	let mut timeline = restarted(&timeline);
	timeline.push(&studio.next());
	assert_eq!(timeline.discontinuities() - base, 2);
	assert!(listed(&timeline).iter().all(|e| !e.2));
}

#[test]
fn no_entry_is_longer_than_announced_whatever_a_header_says() {
	let (mut timeline, mut studio) = (Timeline::default(), studio(1, 9, 0));
	for duration_ms in [2_000, 200, 2_499, 12_000, 2_500, 60_000, 0, 1] {
		studio.duration_ms = duration_ms;
		timeline.push(&studio.next());
		let text = playlist::media(&timeline, &Parts::default());
		assert!(text.contains("#EXT-X-TARGETDURATION:2\n"));
		for entry in timeline.entries() {
			assert!(
				entry.duration.as_secs_f64().round() <= 2.0,
				"{duration_ms}: {:?}",
				entry.duration
			);
		}
		assert!(timeline.entries().len() <= MAX_ENTRIES);
	}
}

#[test]
fn short_windows_are_listed_as_long_as_others() {
	let (mut timeline, mut studio) = (Timeline::default(), studio(1, 9, 0));
	studio.duration_ms = 200;
	for _ in 0..400 {
		timeline.push(&studio.next());
	}
	let length: Duration = timeline.entries().map(|e| e.duration).sum();
	assert_eq!(length, LISTED);
	studio.duration_ms = 1;
	for _ in 0..400 {
		timeline.push(&studio.next());
	}
	assert_eq!(timeline.entries().len(), MAX_ENTRIES);
}

/// With windows that FFmpeg made: what decoders need.
mod with_media {
	use super::*;
	use crate::testing::{Clip, MUTE, OTHER, SOUND};

	/// Pushes windows of these clips at these places, and says which entries are what.
	fn pushed(windows: Vec<EncodedWindow>) -> (Timeline, Vec<(bool, bool)>) {
		let mut timeline = Timeline::default();
		for window in windows {
			timeline.push(&window);
		}
		let seen = listed(&timeline)
			.into_iter()
			.map(|(_, gap, discontinuity)| (gap, discontinuity))
			.collect();
		(timeline, seen)
	}

	#[test]
	fn missing_windows_are_gaps_of_the_right_length_and_no_discontinuity_but_a_period() {
		let mut clip = Clip::new(SOUND, 6);
		let mut windows = clip.all();
		windows.drain(2..4);
		let (timeline, seen) = pushed(windows);
		assert_eq!(
			seen,
			[
				(false, false),
				(false, false),
				(true, false),
				(true, false),
				(false, false),
				(false, false)
			]
		);
		let gaps: Duration = timeline.entries().filter(|e| e.gap).map(|e| e.duration).sum();
		assert_eq!(gaps, Duration::from_secs(4));
		let mut periods: Vec<u64> = timeline
			.entries()
			.filter(|e| !e.gap)
			.map(|e| e.period.start_ms - T0)
			.collect();
		periods.dedup();
		assert_eq!(periods, [0, 8_000]);
	}

	#[test]
	fn restart_of_the_encoder_that_goes_on_is_no_discontinuity_and_one_that_does_not_is() {
		let mut clip = Clip::new(SOUND, 3);
		clip.flags = flags::DISCONTINUITY;
		let (_, seen) = pushed(clip.all());
		assert_eq!(seen, [(false, false); 3], "the flag alone says nothing");
		let mut clip = Clip::new(SOUND, 6);
		let mut windows = clip.some(2);
		clip.again();
		windows.extend(clip.some(2));
		let (_, seen) = pushed(windows);
		assert_eq!(seen, [(false, false), (false, false), (false, true), (false, false)]);
	}

	#[test]
	fn another_initialisation_segment_is_a_discontinuity_and_has_its_map() {
		let (sound, mute, other) = (Clip::new(SOUND, 2).all(), Clip::new(MUTE, 2), Clip::new(OTHER, 2));
		let mut windows = sound;
		for clip in [mute, other] {
			windows.extend(clip.after(windows.last().unwrap()));
		}
		let (timeline, seen) = pushed(windows);
		let discontinuities: Vec<bool> = seen.iter().map(|s| s.1).collect();
		assert_eq!(discontinuities, [false, false, true, false, true, false]);
		assert_eq!(
			playlist::media(&timeline, &Parts::default())
				.matches("#EXT-X-MAP")
				.count(),
			3
		);
	}

	#[test]
	fn pause_is_no_discontinuity_but_a_period() {
		let mut clip = Clip::new(SOUND, 4);
		clip.pause = Some((2, 120_000));
		let (timeline, seen) = pushed(clip.all());
		assert_eq!(seen, [(false, false); 4]);
		let periods: Vec<u64> = timeline.entries().map(|e| e.period.start_ms - T0).collect();
		assert_eq!(periods, [0, 0, 124_000, 124_000]);
	}

	#[test]
	fn long_window_is_split_at_its_key_frames() {
		let mut clip = Clip::new(SOUND, 6);
		let (timeline, _) = pushed(vec![clip.joined(1), clip.joined(4), clip.joined(1)]);
		let durations: Vec<u64> = timeline.entries().map(|e| e.duration.as_millis() as u64).collect();
		assert_eq!(durations, [2_000; 6]);
		assert!(timeline.entries().all(|e| !e.gap && !e.discontinuity && e.independent));
		let times: Vec<u64> = timeline.entries().map(|e| e.times[0].start).collect();
		assert!(times.windows(2).all(|pair| pair[0] < pair[1]));
	}

	#[test]
	fn state_says_where_media_times_were() {
		let mut clip = Clip::new(SOUND, 6);
		let windows = clip.all();
		let mut timeline = Timeline::default();
		timeline.push(&windows[0]);
		timeline.push(&windows[1]);
		let mut timeline = restarted(&timeline);
		timeline.push(&windows[4]);
		assert!(listed(&timeline).iter().all(|e| !e.2), "times go on over the restart");
		let gaps: Vec<_> = timeline
			.entries()
			.filter(|e| e.gap)
			.map(|e| e.duration.as_millis())
			.collect();
		assert_eq!(gaps, [2_000; 4]);
	}
}
