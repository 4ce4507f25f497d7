use super::*;
use crate::testing::{Clip, MUTE, SOUND};
use clustercast_protocol::EncodedWindow;

fn of(windows: &[EncodedWindow]) -> (Timeline, String) {
	let mut timeline = Timeline::default();
	for window in windows {
		timeline.push(window);
	}
	let text = manifest(&timeline, 1_700_000_010_000, "time").unwrap();
	(timeline, text)
}

/// Values of an attribute, in order.
fn values<'a>(text: &'a str, attribute: &str) -> Vec<&'a str> {
	let begin = format!(" {attribute}=\"");
	let pieces = text.split(begin.as_str()).skip(1).map(|rest| rest.split('"').next());
	pieces.flatten().collect()
}

#[test]
fn manifest_lists_picture_and_sound_over_the_files_of_the_playlist() {
	let (timeline, text) = of(&Clip::new(SOUND, 4).all());
	assert_eq!(values(&text, "type"), ["dynamic"]);
	assert_eq!(values(&text, "availabilityStartTime"), ["1970-01-01T00:00:00Z"]);
	assert_eq!(
		values(&text, "start"),
		["PT1700000000.000S"],
		"capture times are the presentation's"
	);
	assert_eq!(values(&text, "codecs"), ["avc1.42c00b", "mp4a.40.2"]);
	assert_eq!(values(&text, "frameRate"), ["30"]);
	let files: Vec<_> = timeline.entries().map(|e| e.uri.as_str()).collect();
	assert_eq!(values(&text, "media"), [&files[..], &files[..]].concat());
	assert_eq!(text.matches("<S t=").count(), 8);
	assert!(text.contains("<BaseURL>picture/</BaseURL>") && text.contains("<BaseURL>sound/</BaseURL>"));
	assert!(
		values(&text, "schemeIdUri")[0].ends_with("http-iso:2014") && values(&text, "minimumUpdatePeriod") == ["PT2S"]
	);
	// Both begin at one moment.
	let offsets: Vec<f64> = values(&text, "presentationTimeOffset")
		.iter()
		.map(|v| v.parse().unwrap())
		.collect();
	let scales: Vec<f64> = values(&text, "timescale").iter().map(|v| v.parse().unwrap()).collect();
	assert!((offsets[0] / scales[0] - offsets[1] / scales[1]).abs() < 0.001);
}

#[test]
fn period_begins_where_decoding_or_the_clock_does_not_go_on() {
	let mut clip = Clip::new(SOUND, 6);
	clip.pause = Some((2, 120_000));
	let mut windows = clip.some(5);
	// A missing window is a hole in the timeline, no more.
	windows.remove(3);
	windows.extend(Clip::new(MUTE, 1).after(windows.last().unwrap()));
	let (_, text) = of(&windows);
	assert_eq!(
		values(&text, "start"),
		["PT1700000000.000S", "PT1700000124.000S", "PT1700000130.000S"]
	);
	assert_eq!(text.matches("<AdaptationSet").count(), 5, "the last has no sound");
	let ids = values(&text, "id");
	assert_eq!(
		ids.iter().collect::<std::collections::BTreeSet<_>>().len(),
		3 + 2 + 2,
		"numbers of periods differ"
	);
}

#[test]
fn depth_is_what_is_there_behind_a_pause() {
	let depth = |pause| {
		let mut clip = Clip::new(SOUND, 6);
		clip.pause = Some((3, pause));
		let mut windows = clip.all();
		windows.remove(1);
		values(&of(&windows).1, "timeShiftBufferDepth")[0].to_owned()
	};
	assert_eq!(
		[depth(0), depth(10_000), depth(11_000)],
		["PT12.000S", "PT22.000S", "PT6.000S"]
	);
}

#[test]
fn nothing_is_told_of_windows_without_times() {
	let mut timeline = Timeline::default();
	assert_eq!(manifest(&timeline, 0, "time"), None);
	timeline.push(&crate::timeline::tests::studio(1, 9, 0).next());
	assert_eq!(manifest(&timeline, 0, "time"), None);
	assert_eq!((rate(30_000), rate(29_970)), ("30".into(), "29970/1000".into()));
}
