use super::*;
use crate::{
	testing::{Clip, MUTE, OTHER, SOUND},
	timeline::LISTED,
};

/// An entry as a client reads it.
#[derive(Clone, Debug, PartialEq)]
struct Segment {
	sequence: u64,
	uri: String,
	map: String,
	seconds: f64,
	gap: bool,
	date: Option<String>,
	/// Number of its stretch: the discontinuity sequence and what is told since.
	stretch: u64,
}

#[derive(Clone, Debug, PartialEq)]
struct Parsed {
	target: u64,
	version: u64,
	independent: bool,
	segments: Vec<Segment>,
	ended: bool,
}

/// Reads a media playlist; panics with the rule that it breaks, where a reader would stumble.
fn parse(text: &str) -> Parsed {
	assert!(
		text.starts_with("#EXTM3U\n"),
		"RFC 8216, 4.3.1.1: EXTM3U is the first line"
	);
	let value = |tag: &str| {
		let found: Vec<_> = text.lines().filter_map(|l| l.strip_prefix(tag)).collect();
		assert_eq!(found.len(), 1, "RFC 8216, 4.3: {tag} exactly once");
		found[0].parse::<u64>().expect("a decimal integer")
	};
	let mut parsed = Parsed {
		target: value("#EXT-X-TARGETDURATION:"),
		version: value("#EXT-X-VERSION:"),
		independent: text.contains("#EXT-X-INDEPENDENT-SEGMENTS\n"),
		segments: Vec::new(),
		ended: false,
	};
	let (mut sequence, mut stretch) = (value("#EXT-X-MEDIA-SEQUENCE:"), value("#EXT-X-DISCONTINUITY-SEQUENCE:"));
	let first = text.find("#EXTINF").unwrap_or(text.len());
	for tag in [
		"#EXT-X-MEDIA-SEQUENCE",
		"#EXT-X-DISCONTINUITY-SEQUENCE",
		"#EXT-X-TARGETDURATION",
	] {
		assert!(
			text.find(tag).unwrap() < first,
			"RFC 8216, 4.3.3: {tag} before the first segment"
		);
	}
	let (mut map, mut seconds, mut gap, mut date) = (None, None, false, None);
	for line in text.lines() {
		assert!(!parsed.ended, "nothing behind EXT-X-ENDLIST");
		if let Some(uri) = line.strip_prefix("#EXT-X-MAP:URI=\"").and_then(|l| l.strip_suffix('"')) {
			map = Some(uri.to_owned());
		} else if let Some(text) = line.strip_prefix("#EXTINF:").and_then(|l| l.strip_suffix(',')) {
			seconds = Some(text.parse::<f64>().unwrap());
		} else if let Some(text) = line.strip_prefix("#EXT-X-PROGRAM-DATE-TIME:") {
			date = Some(text.to_owned());
		} else if line == "#EXT-X-DISCONTINUITY" {
			stretch += 1;
		} else if line == "#EXT-X-GAP" {
			gap = true;
		} else if line == "#EXT-X-ENDLIST" {
			parsed.ended = true;
		} else if !line.starts_with('#') {
			parsed.segments.push(Segment {
				sequence,
				uri: line.into(),
				map: map
					.clone()
					.expect("RFC 8216, 4.3.2.5: EXT-X-MAP before the first segment of fMP4"),
				seconds: seconds.take().expect("RFC 8216, 4.3.2.1: EXTINF before each segment"),
				gap: std::mem::take(&mut gap),
				date: date.take(),
				stretch,
			});
			sequence += 1;
		}
	}
	parsed
}

type Rule = (&'static str, fn(&Parsed, &Parsed) -> bool);

fn played(segments: &[Segment]) -> f64 {
	segments.iter().map(|s| s.seconds).sum()
}

/// What both list.
fn shared<'a>(before: &'a Parsed, after: &'a Parsed) -> Vec<(&'a Segment, &'a Segment)> {
	let find = |s: &'a Segment| Some((s, after.segments.iter().find(|a| a.sequence == s.sequence)?));
	before.segments.iter().filter_map(find).collect()
}

/// Rules for a media playlist and the one that was served before it: of RFC 8216 and of Apple's HLS Authoring Specification, as far
/// as they apply to one live rendition of H.264 and AAC.
const RULES: [Rule; 15] = [
	("RFC 8216, 4.3.1.2: the version covers EXT-X-MAP", |_, p| p.version >= 6),
	(
		"RFC 8216, 4.3.3.1: each EXTINF, rounded, is at most the target",
		|_, p| p.segments.iter().all(|s| s.seconds.round() as u64 <= p.target),
	),
	("RFC 8216, 6.2.1: the target never changes", |before, p| {
		before.target == p.target
	}),
	("RFC 8216, 6.2.1: media sequence never goes back", |before, p| {
		before.segments.first().map(|s| s.sequence) <= p.segments.first().map(|s| s.sequence)
	}),
	(
		"RFC 8216, 6.2.1: nothing is removed but from the front, nothing added but at the end",
		|before, p| {
			let end = before.segments.last().map_or(0, |s| s.sequence);
			p.segments.last().is_some_and(|s| s.sequence >= end)
				&& shared(before, p)
					.iter()
					.all(|(a, b)| a.gap || b.gap || (&a.uri, a.seconds) == (&b.uri, b.seconds))
		},
	),
	(
		"RFC 8216, 6.2.1: a segment never changes its discontinuity sequence",
		|before, p| shared(before, p).iter().all(|(a, b)| a.stretch == b.stretch),
	),
	(
		"RFC 8216, 6.2.2: what is left after a removal plays three targets",
		|before, p| {
			let removed = before.segments.first().map(|s| s.sequence) != p.segments.first().map(|s| s.sequence);
			!removed || played(&p.segments) >= 3.0 * p.target as f64
		},
	),
	(
		"RFC 8216, 4.3.2.3: another initialisation segment comes with a discontinuity",
		|_, p| {
			p.segments
				.windows(2)
				.all(|pair| pair[0].map == pair[1].map || pair[0].stretch < pair[1].stretch)
		},
	),
	("RFC 8216, 6.2.1: nothing follows EXT-X-ENDLIST", |before, p| {
		!before.ended || before == p
	}),
	("RFC 8216bis, 4.4.4.7: a gap has no media and no date", |_, p| {
		p.segments
			.iter()
			.all(|s| s.gap == s.uri.starts_with("gap-") && s.gap != s.date.is_some())
	}),
	("Apple: live playlists carry EXT-X-PROGRAM-DATE-TIME", |_, p| {
		p.segments.iter().any(|s| s.date.is_some())
	}),
	("Apple: dates go on with the segments", |_, p| {
		let dates: Vec<_> = p.segments.iter().filter_map(|s| s.date.as_ref()).collect();
		dates.windows(2).all(|pair| pair[0] < pair[1])
	}),
	(
		"Apple: EXT-X-INDEPENDENT-SEGMENTS, as each segment begins with a key frame",
		|_, p| p.independent,
	),
	("Apple: media is fragmented MP4 with EXT-X-MAP", |_, p| {
		p.segments
			.iter()
			.all(|s| s.uri.ends_with(".m4s") && s.map.ends_with(".mp4"))
	}),
	("Apple: names are relative and say what they are of", |_, p| {
		p.segments
			.iter()
			.all(|s| !s.uri.contains('/') && (s.gap || s.uri.len() > 32 + ".m4s".len()))
	}),
];

/// Each rule over a broadcast with all its troubles: missing windows, sound that goes and comes, another size, a pause, a long window,
/// restarts of encoder and player.
#[test]
fn rules_for_hls_hold_through_all_troubles() {
	let (mut first, mut second) = (Clip::new(SOUND, 16), Clip::new(MUTE, 2));
	second.pause = Some((1, 120_000));
	let mut timeline = Timeline::default();
	let mut before: Option<Parsed> = None;
	let mut seen = 0;
	let mut look = |timeline: &Timeline| {
		let parsed = parse(&media(timeline, &Parts::default()));
		for (name, rule) in RULES {
			assert!(
				rule(before.as_ref().unwrap_or(&parsed), &parsed),
				"{name}: behind {before:#?}, {parsed:#?}"
			);
		}
		before = Some(parsed);
		seen += 1;
	};
	let mut windows = first.some(4);
	first.some(2);
	windows.push(first.joined(3));
	windows.extend(first.some(2));
	windows.extend(second.after(windows.last().unwrap()));
	windows.extend(Clip::new(OTHER, 2).after(windows.last().unwrap()));
	let count = windows.len();
	for (n, window) in windows.iter().enumerate() {
		timeline.push(window);
		look(&timeline);
		if n == count - 3 {
			timeline = Timeline::resume(timeline.place().cloned());
		}
	}
	assert_eq!(seen, count);
}

/// A rule that holds for everything says nothing.
#[test]
fn each_rule_can_be_broken() {
	let mut timeline = Timeline::default();
	for window in Clip::new(SOUND, 16).all() {
		timeline.push(&window);
	}
	let good = parse(&media(&timeline, &Parts::default()));
	assert!(played(&good.segments) >= LISTED.as_secs_f64());
	let break_it: [fn(&mut Parsed); 15] = [
		|p| p.version = 5,
		|p| p.segments[3].seconds = 2.5,
		|p| p.target = 3,
		|p| p.segments.iter_mut().for_each(|s| s.sequence -= 1),
		|p| p.segments[3].seconds = 1.9,
		|p| p.segments[3].stretch += 1,
		|p| drop(p.segments.drain(..10)),
		|p| p.segments[3].map = "init-x.mp4".into(),
		|p| p.version = 8,
		|p| p.segments[3].gap = true,
		|p| p.segments.iter_mut().for_each(|s| s.date = None),
		|p| p.segments.swap(3, 4),
		|p| p.independent = false,
		|p| p.segments[3].uri = "a.ts".into(),
		|p| p.segments[3].uri = "segment-3.m4s".into(),
	];
	for (change, (name, rule)) in break_it.into_iter().zip(RULES) {
		let mut before = good.clone();
		before.ended = name.contains("ENDLIST");
		let mut bad = before.clone();
		assert!(rule(&before, &bad), "{name}");
		change(&mut bad);
		assert!(!rule(&before, &bad), "{name}");
	}
}

#[test]
fn players_are_told_where_to_begin_where_there_are_gaps() {
	let mut clip = Clip::new(SOUND, 8);
	let windows = clip.all();
	let mut timeline = Timeline::default();
	let starts: Vec<Option<f64>> = [0, 1, 4, 5, 6]
		.into_iter()
		.map(|n| {
			timeline.push(&windows[n]);
			start(&timeline)
		})
		.collect();
	assert_eq!(starts, [None, None, Some(2.0), Some(4.0), None]);
	assert!(!media(&timeline, &Parts::default()).contains("EXT-X-START"));
}

#[test]
fn multivariant_playlist_says_what_the_catalog_says() {
	let mut timeline = Timeline::default();
	let windows = Clip::new(SOUND, 3).all();
	for window in &windows {
		timeline.push(window);
	}
	let mut track = windows[0].catalog().catalog.tracks[0].clone();
	let text = multivariant(&timeline, &track, "index.m3u8");
	let line = text.lines().find_map(|l| l.strip_prefix("#EXT-X-STREAM-INF:")).unwrap();
	for part in [
		"AVERAGE-BANDWIDTH=300000",
		"CODECS=\"avc1.42c00b,mp4a.40.2\"",
		"RESOLUTION=160x90",
		"FRAME-RATE=30.000",
	] {
		assert!(line.contains(part), "{line}");
	}
	assert!(text.ends_with("\nindex.m3u8\n") && text.contains("#EXT-X-INDEPENDENT-SEGMENTS\n"));
	// Apple: the measured peak is less than 125 % of BANDWIDTH.
	let bandwidth: u64 = line
		.split(',')
		.find_map(|a| a.strip_prefix("BANDWIDTH="))
		.unwrap()
		.parse()
		.unwrap();
	let peak = windows.iter().map(|w| u64::from(w.header().bytes) * 4).max().unwrap();
	assert!(peak * 100 < bandwidth * 125 && bandwidth >= 300_000);
	// The attack: a catalog whose text would end the attribute.
	for codecs in ["", "avc1\",AUDIO=\"x", "avc1 mp4a"] {
		track.codecs = codecs.try_into().unwrap();
		assert!(
			!multivariant(&timeline, &track, "index.m3u8").contains("CODECS"),
			"{codecs}"
		);
	}
	(track.bitrate, track.width, track.rate) = (0, 0, 0);
	let text = multivariant(&timeline, &track, "index.m3u8");
	assert!(text.contains("BANDWIDTH=") && !text.contains("RESOLUTION") && !text.contains("FRAME-RATE"));
}

#[test]
fn dates_are_gregorian() {
	for (unix_ms, text) in [
		(0, "1970-01-01T00:00:00.000Z"),
		(951_782_399_999, "2000-02-28T23:59:59.999Z"),
		(951_782_400_000, "2000-02-29T00:00:00.000Z"),
		(1_709_164_800_000, "2024-02-29T00:00:00.000Z"),
		(1_735_689_599_000, "2024-12-31T23:59:59.000Z"),
		(4_107_542_400_000, "2100-03-01T00:00:00.000Z"),
	] {
		assert_eq!(utc(unix_ms), text);
	}
}
