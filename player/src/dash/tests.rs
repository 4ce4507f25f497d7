use super::*;
use crate::{
	testing::{Clip, MUTE, SOUND},
	timeline::tests::restarted,
};
use clustercast_protocol::EncodedWindow;

fn of(windows: &[EncodedWindow]) -> (Timeline, String) {
	let mut timeline = Timeline::default();
	for window in windows {
		timeline.push(window);
	}
	let text = manifest(&timeline, 1_700_000_010_000, 0, "time").unwrap();
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
	assert_eq!(values(&text, "availabilityStartTime"), ["1970-01-01T00:00:00.000Z"]);
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
fn period_begins_where_decoding_or_the_clock_does_not_go_on_or_windows_are_missing() {
	let mut clip = Clip::new(SOUND, 6);
	clip.pause = Some((2, 120_000));
	let mut windows = clip.some(5);
	// Nobody finds what is behind a hole of a period: dash.js asks for what begins where it was.
	windows.remove(3);
	windows.extend(Clip::new(MUTE, 1).after(windows.last().unwrap()));
	let (_, text) = of(&windows);
	assert_eq!(
		values(&text, "start"),
		[
			"PT1700000000.000S",
			"PT1700000008.000S",
			"PT1700000012.000S",
			"PT1700000014.000S"
		]
	);
	assert_eq!(text.matches("<AdaptationSet").count(), 7, "the last has no sound");
	let ids = values(&text, "id");
	assert_eq!(
		ids.iter().collect::<std::collections::BTreeSet<_>>().len(),
		4 + 2 + 2,
		"numbers of periods differ"
	);
}

#[test]
fn what_was_captured_before_the_clock_was_set_back_is_listed_no_more() {
	let mut clip = Clip::new(SOUND, 6);
	let mut windows = clip.some(4);
	clip.start_ms -= 120_000;
	windows.extend(clip.some(2));
	let (_, text) = of(&windows);
	assert_eq!(values(&text, "start"), ["PT1699999888.000S"]);
	assert_eq!(text.matches("<S t=").count(), 4, "two windows, of picture and sound");
}

#[test]
fn depth_is_what_is_there() {
	let depth = |pause| {
		let mut clip = Clip::new(SOUND, 6);
		clip.pause = Some((3, pause));
		let mut windows = clip.all();
		windows.remove(1);
		let (timeline, _) = of(&windows);
		let end_ms = windows.last().unwrap().header().start_ms + 2_000;
		let after = |ms| {
			let text = manifest(&timeline, end_ms + ms, 0, "time").unwrap();
			values(&text, "timeShiftBufferDepth")[0].to_owned()
		};
		let depth = after(0);
		assert_eq!(depth, after(6_000));
		let paused: f64 = after(120_000)[2..].trim_end_matches('S').parse().unwrap();
		assert_eq!(
			paused - depth[2..].trim_end_matches('S').parse::<f64>().unwrap(),
			120.0,
			"in a pause it goes back to where it did"
		);
		depth
	};
	assert_eq!(
		[depth(0), depth(4_000), depth(120_000)],
		["PT12.000S", "PT16.000S", "PT16.000S"]
	);
}

/// dash.js sits out a hole that it finds behind what it shows: it would be as late as the pause was long.
#[test]
fn what_is_cut_of_a_pause_is_added_to_when_the_presentation_became_available() {
	// When what is newest is shown, and when it became available, seconds.
	let newest = |timeline: &Timeline| -> (f64, f64) {
		let text = manifest(timeline, 0, 0, "time").unwrap();
		let began = values(&text, "availabilityStartTime")[0];
		let cut: f64 = began.strip_prefix("1970-01-01T00:").unwrap()[3..9].parse().unwrap();
		let minutes: f64 = began["1970-01-01T00:".len()..][..2].parse().unwrap();
		let entry = timeline.entries().last().unwrap();
		let shown = (entry.shown_ms() + 2_000) as f64 / 1_000.0;
		(shown, shown + cut + 60.0 * minutes - 1_700_000_000.0)
	};
	for pause in [3_000, 120_000, 3_000_000] {
		let mut clip = Clip::new(SOUND, 6);
		clip.pause = Some((3, pause));
		let windows = clip.all();
		let mut timeline = Timeline::default();
		let mut seen = Vec::new();
		for (n, window) in windows.iter().enumerate() {
			if n == 5 {
				// Another run of the program goes on.
				timeline = Timeline::resume(timeline.place().cloned());
			}
			timeline.push(window);
			seen.push(newest(&timeline));
		}
		let hole = pause.min(4_000) as f64 / 1_000.0;
		let shown: Vec<f64> = seen.windows(2).map(|pair| pair[1].0 - pair[0].0).collect();
		assert_eq!(shown, [2.0, 2.0, 2.0 + hole, 2.0, 2.0]);
		// By the clock it is as new as it is.
		let available: Vec<f64> = seen.iter().map(|seen| seen.1).collect();
		let pause = pause as f64 / 1_000.0;
		assert_eq!(available, [2.0, 4.0, 6.0, 8.0 + pause, 10.0 + pause, 12.0 + pause]);
	}
}

/// dash.js, whose period the manifest does not have any more, looks in it for what comes next, for ever.
#[test]
fn a_program_that_was_restarted_goes_on_in_the_period_that_players_are_in() {
	let windows = Clip::new(SOUND, 6).all();
	for (next, starts) in [
		(4, &["PT1700000000.000S"][..]),
		// Begun again with what was listed.
		(3, &["PT1700000000.000S"]),
		(5, &["PT1700000000.000S", "PT1700000010.000S"]),
	] {
		let (timeline, before) = of(&windows[..4]);
		let mut timeline = restarted(&timeline);
		timeline.push(&windows[next]);
		let text = manifest(&timeline, 1_700_000_012_000, 0, "time").unwrap();
		assert_eq!(values(&text, "start"), starts, "window {next}");
		assert_eq!(values(&text, "id")[0], values(&before, "id")[0], "window {next}");
		let listed = timeline.entries().filter(|entry| !entry.times.is_empty()).count();
		assert_eq!(listed, (next + 1).min(5), "window {next}");
		assert_eq!(text.matches("<S t=").count(), 2 * listed);
	}
	// Another initialisation segment: nothing of before can be decoded with it.
	let (timeline, _) = of(&windows[..4]);
	let mut timeline = restarted(&timeline);
	timeline.push(&Clip::new(MUTE, 1).after(windows.last().unwrap())[0]);
	assert_eq!(timeline.entries().filter(|entry| !entry.times.is_empty()).count(), 1);
}

/// A player that begins where nothing is yet waits there for ever.
#[test]
fn players_stay_behind_what_is_there_however_late_it_comes() {
	let (timeline, _) = of(&Clip::new(SOUND, 2).all());
	let end_ms = 1_700_000_004_000;
	let delay = |took_ms: u64| {
		let text = manifest(&timeline, end_ms + took_ms + 1_000, end_ms + took_ms, "time").unwrap();
		values(&text, "suggestedPresentationDelay")[0].to_owned()
	};
	assert_eq!(
		[delay(0), delay(200), delay(12_500)],
		["PT6.000S", "PT6.200S", "PT18.500S"]
	);
}

/// One that begins in a hole looks there for ever: behind missing windows, a pause, a restart.
#[test]
fn players_begin_behind_what_is_missing() {
	let windows = Clip::new(SOUND, 8).all();
	let delay = |timeline: &Timeline| {
		let text = manifest(timeline, 0, 0, "time").unwrap();
		values(&text, "suggestedPresentationDelay")[0].to_owned()
	};
	let delays = |mut timeline: Timeline, rest: &[EncodedWindow]| {
		let told = rest.iter().map(|window| {
			timeline.push(window);
			delay(&timeline)
		});
		told.collect::<Vec<_>>()
	};
	let grows = ["PT1.500S", "PT3.500S", "PT5.500S", "PT6.000S"];
	let (missing, _) = of(&windows[..2]);
	assert_eq!(delays(missing, &windows[4..]), grows);
	for first in [2, 4] {
		let (before, _) = of(&windows[..2]);
		assert_eq!(
			delays(restarted(&before), &windows[first..first + 4]),
			grows,
			"restart, {first}"
		);
	}
	let mut clip = Clip::new(SOUND, 6);
	clip.pause = Some((2, 120_000));
	let windows = clip.all();
	let (paused, _) = of(&windows[..2]);
	assert_eq!(delays(paused, &windows[2..]), grows);
}

#[test]
fn nothing_is_told_of_windows_without_times() {
	let mut timeline = Timeline::default();
	assert_eq!(manifest(&timeline, 0, 0, "time"), None);
	timeline.push(&crate::timeline::tests::studio(1, 9, 0).next());
	assert_eq!(manifest(&timeline, 0, 0, "time"), None);
	assert_eq!((rate(30_000), rate(29_970)), ("30".into(), "29970/1000".into()));
}
