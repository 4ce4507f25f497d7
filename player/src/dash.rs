//! What DASH players read (ISO/IEC 23009-1): a live manifest over the same files. Pure: a [`Timeline`] in, text out.
//!
//! Times of the presentation are capture times, less what was cut of times without windows: players sit out a hole before they go on
//! behind it. What was cut is added to when the presentation became available, so that a clock still says what is live; where nothing
//! was, that is when Unix time began. A new period begins where the initialisation segment changes, media times do not go on, windows
//! are missing, or a pause moved captures away from them.

use crate::{
	playlist::{codecs, utc},
	timeline::{Entry, Timeline, Times, LISTED, TARGET},
};
use clustercast_media::fragment::{Kind, NANOSECONDS};
use std::fmt::{Result, Write};

/// How far behind the newest window players stay: three windows, as HLS players do. What the newest took to come is added.
const DELAY_S: u64 = 3 * TARGET.as_secs();

/// Least time without windows that is a hole: less is jitter of capture times, and players close it.
const JOINS_MS: u64 = 500;

/// How far behind a hole players begin: their clocks are not ours to the millisecond.
const BEHIND_HOLE_MS: u64 = 500;

/// What has an adaptation set of its own, and below which folder its files are.
pub const KINDS: [(Kind, &str); 2] = [(Kind::Picture, "picture"), (Kind::Sound, "sound")];

/// The manifest's text at `now_ms`, Unix time by the clock that is served at `time`, where the newest window came at `came_ms`; none
/// before the first window that can be read.
pub fn manifest(timeline: &Timeline, now_ms: u64, came_ms: u64, time: &str) -> Option<String> {
	let mut entries: Vec<&Entry> = timeline.entries().filter(|entry| !entry.times.is_empty()).collect();
	entries.drain(..set_back(&entries));
	let newest = entries.last()?;
	let mut text = String::with_capacity(1_024 + entries.len() * 192);
	let end_ms = newest.shown_ms().saturating_add(millis(newest));
	let took_ms = came_ms.saturating_sub(newest.start_ms.saturating_add(millis(newest)));
	write(&entries, (now_ms, end_ms, took_ms), time, &mut text).expect("writing to a String does not fail");
	Some(text)
}

/// How many entries were captured before the broadcaster's clock was set back: their periods would be over behind the newest.
fn set_back(entries: &[&Entry]) -> usize {
	let goes_back = |pair: &[&Entry]| pair[1].start_ms < pair[0].start_ms;
	let mut pairs = entries.windows(2).enumerate();
	pairs.rfind(|(_, pair)| goes_back(pair)).map_or(0, |(at, _)| at + 1)
}

/// What is there, milliseconds: players look for something in all of it. In a pause it goes back to where it did: dash.js, where
/// nothing is within the depth, takes its clock for wrong by the pause, and for ever.
fn depth_ms(entries: &[&Entry], end_ms: u64, now_ms: u64) -> u64 {
	let begins_ms = entries.first().map_or(end_ms, |entry| entry.shown_ms());
	let there = end_ms.saturating_sub(begins_ms).min(LISTED.as_secs() * 1_000);
	let late = now_ms.saturating_sub(end_ms);
	there + if late > DELAY_S * 1_000 { late } else { 0 }
}

/// How far behind the newest window players begin: where nothing is missing from there on. dash.js, where it begins in a hole, looks for
/// what is there for ever.
fn delay_ms(entries: &[&Entry]) -> u64 {
	let joins = |pair: &&[&Entry]| {
		let ended_ms = pair[0].shown_ms() + millis(pair[0]);
		!pair[0].gap && pair[1].shown_ms().saturating_sub(ended_ms) <= JOINS_MS
	};
	let pairs = entries.windows(2).rev();
	let whole = pairs.take_while(joins).count() + 1;
	let usual_ms = DELAY_S * 1_000;
	if whole >= entries.len() {
		return usual_ms;
	}
	let there_ms: u64 = entries.iter().rev().take(whole).map(|entry| millis(entry)).sum();
	usual_ms.min(there_ms.saturating_sub(BEHIND_HOLE_MS))
}

fn millis(entry: &Entry) -> u64 {
	u64::try_from(entry.duration.as_millis()).unwrap_or_default()
}

fn write(entries: &[&Entry], (now_ms, end_ms, took_ms): (u64, u64, u64), time: &str, out: &mut String) -> Result {
	let seconds = |ms: u64| format!("PT{}.{:03}S", ms / 1_000, ms % 1_000);
	let newest = &entries[entries.len() - 1].period;
	let cut_ms = newest.start_ms.saturating_sub(newest.shown_ms);
	let depth = depth_ms(entries, end_ms, now_ms.saturating_sub(cut_ms));
	write!(
		out,
		"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
		 <MPD xmlns=\"urn:mpeg:dash:schema:mpd:2011\" type=\"dynamic\" \
		 profiles=\"urn:mpeg:dash:profile:isoff-live:2011\" availabilityStartTime=\"{}\" \
		 publishTime=\"{}\" minBufferTime=\"PT{}S\" maxSegmentDuration=\"PT{}S\" timeShiftBufferDepth=\"{}\" \
		 suggestedPresentationDelay=\"{}\" ",
		utc(cut_ms),
		utc(now_ms),
		TARGET.as_secs(),
		TARGET.as_secs() + 1,
		seconds(depth),
		seconds(delay_ms(entries) + took_ms),
	)?;
	writeln!(out, "minimumUpdatePeriod=\"PT{}S\">", TARGET.as_secs())?;
	for listed in entries.chunk_by(|a, b| a.period.id == b.period.id) {
		let period = &listed[0].period;
		writeln!(
			out,
			"<Period id=\"{}\" start=\"{}\">",
			period.id,
			seconds(period.shown_ms)
		)?;
		for (id, (kind, folder)) in KINDS.into_iter().enumerate() {
			adaptation_set(id, kind, folder, listed, out)?;
		}
		writeln!(out, "</Period>")?;
	}
	writeln!(
		out,
		"<UTCTiming schemeIdUri=\"urn:mpeg:dash:utc:http-iso:2014\" value=\"{time}\"/>\n\
		 <UTCTiming schemeIdUri=\"urn:mpeg:dash:utc:direct:2014\" value=\"{}\"/>\n</MPD>",
		utc(now_ms)
	)
}

/// The tracks of one kind: most DASH players take picture and sound apart only. Below `folder` each file has that kind alone.
fn adaptation_set(id: usize, kind: Kind, folder: &str, listed: &[&Entry], out: &mut String) -> Result {
	let of_kind = |entry: &&Entry| Some((entry.uri.clone(), *entry.times.iter().find(|times| times.kind == kind)?));
	let files: Vec<(String, Times)> = listed.iter().filter_map(of_kind).collect();
	let Some((_, first)) = files.first() else {
		return Ok(());
	};
	let period = &listed[0].period;
	let track = &period.track;
	let rate = |(_, times): &(String, Times)| {
		let bits = times.bytes as u128 * 8 * u128::from(times.timescale);
		u64::try_from(bits / u128::from(times.length.max(1))).unwrap_or(u64::MAX)
	};
	let bandwidth = files.iter().map(rate).max().unwrap_or(1).max(1);
	let media = if kind == Kind::Sound { "audio" } else { "video" };
	write!(
		out,
		"<AdaptationSet id=\"{id}\" contentType=\"{media}\" mimeType=\"{media}/mp4\" segmentAlignment=\"true\" \
		 startWithSAP=\"1\">\n<BaseURL>{folder}/</BaseURL>\n<Representation id=\"{folder}\" bandwidth=\"{bandwidth}\""
	)?;
	let sounds = |codec: &&str| {
		["mp4a", "opus", "Opus", "ac-3", "ec-3", "fLaC"]
			.iter()
			.any(|s| codec.starts_with(s))
	};
	let all = codecs(track)
		.unwrap_or_default()
		.split(',')
		.filter(|codec| !codec.is_empty());
	let codecs: Vec<&str> = all.filter(|codec| sounds(codec) == (kind == Kind::Sound)).collect();
	if !codecs.is_empty() {
		write!(out, " codecs=\"{}\"", codecs.join(","))?;
	}
	if kind == Kind::Picture && track.width > 0 && track.height > 0 {
		write!(out, " width=\"{}\" height=\"{}\"", track.width, track.height)?;
		if track.rate > 0 {
			write!(out, " frameRate=\"{}\"", self::rate(track.rate))?;
		}
	}
	let offset = (period.start * u128::from(first.timescale) + NANOSECONDS / 2) / NANOSECONDS;
	writeln!(
		out,
		">\n<SegmentList timescale=\"{}\" presentationTimeOffset=\"{offset}\">\n<Initialization sourceURL=\"{}\"/>\n\
		 <SegmentTimeline>",
		first.timescale, listed[0].init_uri
	)?;
	for (_, times) in &files {
		writeln!(out, "<S t=\"{}\" d=\"{}\"/>", times.start, times.length)?;
	}
	writeln!(out, "</SegmentTimeline>")?;
	for (uri, _) in &files {
		writeln!(out, "<SegmentURL media=\"{uri}\"/>")?;
	}
	writeln!(out, "</SegmentList>\n</Representation>\n</AdaptationSet>")
}

/// Frames in 1,000 seconds as frames a second: a whole number or a fraction.
fn rate(per_1000_s: u32) -> String {
	match per_1000_s % 1_000 {
		0 => (per_1000_s / 1_000).to_string(),
		_ => format!("{per_1000_s}/1000"),
	}
}

#[cfg(test)]
mod tests;
