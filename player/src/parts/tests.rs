//! Segments in parts: listed as they come, whole once they are, and not beyond what can be decoded.

use super::*;
use crate::timeline::tests::{studio, Studio};

/// Parts of 500 ms from segment 7 on: four of a segment.
struct InParts(Studio);

impl InParts {
	fn new() -> Self {
		let mut studio = studio(1, 9, 7);
		studio.duration_ms = 500;
		Self(studio)
	}

	fn next(&mut self, part: u16) -> EncodedWindow {
		self.0.flags = match part {
			0 => flags::INDEPENDENT,
			3 => flags::LAST_PART,
			_ => 0,
		};
		let window = self.0.next();
		assert_eq!(window.id().part, part);
		window
	}

	fn segment(&mut self) -> Vec<EncodedWindow> {
		(0..4).map(|part| self.next(part)).collect()
	}
}

fn uris(parts: &[Part]) -> Vec<&str> {
	parts.iter().map(|part| part.uri.as_str()).collect()
}

#[test]
fn segment_is_listed_once_it_is_whole_and_its_parts_as_they_come() {
	let (mut timeline, mut parts, mut studio) = (Timeline::default(), Parts::default(), InParts::new());
	for window in studio.segment() {
		assert!(parts.open().is_empty(), "nothing is listed that it could join");
		parts.push(&window, &mut timeline);
	}
	assert_eq!(timeline.entries().len(), 1);
	assert_eq!(parts.hint().as_deref(), Some("part-1-9-8-0.m4s"));
	let second = studio.segment();
	for (count, window) in (1..=3).zip(&second) {
		let served = parts.push(window, &mut timeline);
		assert_eq!(served.files.len(), 1);
		assert_eq!(served.files[0].0.bytes, window.data());
		assert_eq!(parts.open().len(), count);
		assert_eq!(parts.hint(), Some(format!("part-1-9-8-{count}.m4s")));
		assert_eq!(timeline.entries().len(), 1);
	}
	assert_eq!(
		uris(parts.open()),
		["part-1-9-8-0.m4s", "part-1-9-8-1.m4s", "part-1-9-8-2.m4s"]
	);
	assert_eq!(
		parts.open().iter().map(|part| part.independent).collect::<Vec<_>>(),
		[true, false, false]
	);
	let served = parts.push(&second[3], &mut timeline);
	let whole: Vec<u8> = second.iter().flat_map(|window| window.data()).collect();
	let names: Vec<&str> = served.files.iter().map(|(file, _)| file.name.as_str()).collect();
	assert_eq!((names[0], names.len()), ("part-1-9-8-3.m4s", 2));
	assert_eq!(served.files[1].0.bytes, whole, "byte for byte as it was signed");
	let entry = timeline.entries().next_back().unwrap();
	assert_eq!(
		(entry.duration, entry.gap, entry.discontinuity),
		(Duration::from_secs(2), false, false)
	);
	assert_eq!(parts.of(entry.sequence).len(), 4);
	assert!(parts.open().is_empty());
	assert_eq!(parts.target(), Some(Duration::from_millis(500)));
}

#[test]
fn parts_of_the_last_three_segments_are_listed() {
	let (mut timeline, mut parts, mut studio) = (Timeline::default(), Parts::default(), InParts::new());
	for window in (0..6).flat_map(|_| studio.segment()) {
		parts.push(&window, &mut timeline);
	}
	let with_parts: Vec<bool> = timeline
		.entries()
		.map(|entry| !parts.of(entry.sequence).is_empty())
		.collect();
	assert_eq!(with_parts, [false, false, false, true, true, true]);
}

#[test]
fn what_follows_a_missing_part_is_not_listed_and_the_next_segment_is() {
	let (mut timeline, mut parts, mut studio) = (Timeline::default(), Parts::default(), InParts::new());
	studio
		.segment()
		.iter()
		.for_each(|window| drop(parts.push(window, &mut timeline)));
	let holed = studio.segment();
	for part in [0, 1, 3] {
		parts.push(&holed[part], &mut timeline);
	}
	let durations = |timeline: &Timeline| timeline.entries().map(|e| e.duration.as_millis()).collect::<Vec<_>>();
	assert_eq!(durations(&timeline), [2_000, 1_000], "as far as it goes");
	assert_eq!(parts.hint(), None, "nobody knows what is next");
	studio
		.segment()
		.iter()
		.for_each(|window| drop(parts.push(window, &mut timeline)));
	assert_eq!(durations(&timeline), [2_000, 1_000, 2_000]);
	let sequences: Vec<u64> = timeline.entries().map(|entry| entry.sequence).collect();
	assert!(sequences.windows(2).all(|pair| pair[1] == pair[0] + 1), "{sequences:?}");
}

#[test]
fn whole_segments_between_parts_are_whole() {
	let (mut timeline, mut parts) = (Timeline::default(), Parts::default());
	let mut studio = InParts::new();
	studio
		.segment()
		.iter()
		.for_each(|window| drop(parts.push(window, &mut timeline)));
	let cut_off = studio.next(0);
	parts.push(&cut_off, &mut timeline);
	let mut other = studio_of_another_epoch();
	let served = parts.push(&other.next(), &mut timeline);
	assert_eq!(served.files.len(), 2, "what was open, and the segment");
	assert_eq!(timeline.entries().filter(|entry| !entry.gap).count(), 3);
	assert!(parts.open().is_empty() && parts.hint().is_none());
}

fn studio_of_another_epoch() -> Studio {
	let mut studio = studio(1, 10, 9);
	studio.now_ms += 4_500;
	studio
}

#[test]
fn a_list_is_waited_for_one_entry_ahead_and_no_further() {
	let (mut timeline, mut parts, mut studio) = (Timeline::default(), Parts::default(), InParts::new());
	studio
		.segment()
		.iter()
		.for_each(|window| drop(parts.push(window, &mut timeline)));
	parts.push(&studio.next(0), &mut timeline);
	let open = timeline.next();
	let reach = |sequence, part| parts.reach(&timeline, sequence, part);
	assert_eq!(reach(open - 1, None), Reach::There);
	assert_eq!(
		reach(open - 1, Some(9)),
		Reach::There,
		"the next one's first part counts as that"
	);
	assert_eq!(reach(open, Some(0)), Reach::There);
	assert_eq!(
		(reach(open, Some(1)), reach(open, None)),
		(Reach::NotYet, Reach::NotYet)
	);
	assert_eq!(reach(open + 1, Some(0)), Reach::NotYet);
	assert_eq!(reach(open + 2, None), Reach::TooFar);
}

/// The attack: one who signs part after part of one segment has players keep all of it.
#[test]
fn a_segment_without_an_end_is_listed_in_pieces_and_not_kept() {
	let (mut timeline, mut parts, mut studio) = (Timeline::default(), Parts::default(), InParts::new());
	studio.0.flags = flags::INDEPENDENT;
	for _ in 0..100 {
		parts.push(&studio.0.next(), &mut timeline);
		studio.0.flags = 0;
		assert!(parts.open.as_ref().is_none_or(|open| open.data.len() <= 4 * 8));
	}
	assert!(timeline.entries().all(|entry| entry.duration <= Duration::from_secs(2)));
}
