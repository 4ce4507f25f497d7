//! What DASH players read (ISO/IEC 23009-1): a live manifest over the same files. Pure: a [`Timeline`] in, text out.
//!
//! Times of the presentation are capture times: it became available when Unix time began. A new period begins where the
//! initialisation segment changes, media times do not go on, or a pause moved captures away from them.

use crate::{
	playlist::{codecs, peak, utc},
	timeline::{Entry, Timeline, LISTED, TARGET},
};
use std::fmt::{Result, Write};

/// How far behind the newest window players stay: three windows, as HLS players do.
const DELAY_S: u64 = 3 * TARGET.as_secs();

/// The manifest's text at `now_ms`, Unix time by the clock that is served at `time`; none before the first window that can be read.
pub fn manifest(timeline: &Timeline, now_ms: u64, time: &str) -> Option<String> {
	let entries: Vec<&Entry> = timeline.entries().filter(|entry| entry.times.is_some()).collect();
	let newest = entries.last()?;
	let mut text = String::with_capacity(1_024 + entries.len() * 192);
	let end_ms = newest.start_ms.saturating_add(millis(newest));
	write(timeline, &entries, (now_ms, end_ms), time, &mut text).expect("writing to a String does not fail");
	Some(text)
}

fn millis(entry: &Entry) -> u64 {
	u64::try_from(entry.duration.as_millis()).unwrap_or_default()
}

fn write(
	timeline: &Timeline,
	entries: &[&Entry],
	(now_ms, end_ms): (u64, u64),
	time: &str,
	out: &mut String,
) -> Result {
	let seconds = |ms: u64| format!("PT{}.{:03}S", ms / 1_000, ms % 1_000);
	write!(
		out,
		"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
		 <MPD xmlns=\"urn:mpeg:dash:schema:mpd:2011\" type=\"dynamic\" \
		 profiles=\"urn:mpeg:dash:profile:isoff-live:2011\" availabilityStartTime=\"1970-01-01T00:00:00Z\" \
		 publishTime=\"{}\" minBufferTime=\"PT{}S\" maxSegmentDuration=\"PT{}S\" timeShiftBufferDepth=\"PT{}S\" \
		 suggestedPresentationDelay=\"PT{DELAY_S}S\" ",
		utc(now_ms),
		TARGET.as_secs(),
		TARGET.as_secs() + 1,
		LISTED.as_secs(),
	)?;
	match timeline.is_finished() {
		true => writeln!(out, "mediaPresentationDuration=\"{}\">", seconds(end_ms))?,
		false => writeln!(out, "minimumUpdatePeriod=\"PT{}S\">", TARGET.as_secs())?,
	}
	let bandwidth = peak(timeline);
	for listed in entries.chunk_by(|a, b| a.period.id == b.period.id) {
		let period = &listed[0].period;
		let track = &period.track;
		writeln!(
			out,
			"<Period id=\"{}\" start=\"{}\">",
			period.id,
			seconds(period.start_ms)
		)?;
		write!(
			out,
			"<AdaptationSet id=\"0\" contentType=\"video\" mimeType=\"video/mp4\" segmentAlignment=\"true\" \
			 startWithSAP=\"1\">\n<Representation id=\"0\" bandwidth=\"{}\"",
			bandwidth.max(track.bitrate.into())
		)?;
		if let Some(codecs) = codecs(track) {
			write!(out, " codecs=\"{codecs}\"")?;
		}
		if track.width > 0 && track.height > 0 {
			write!(out, " width=\"{}\" height=\"{}\"", track.width, track.height)?;
			if track.rate > 0 {
				write!(out, " frameRate=\"{}\"", rate(track.rate))?;
			}
		}
		writeln!(
			out,
			">\n<SegmentList timescale=\"{}\" presentationTimeOffset=\"{}\">\n<Initialization sourceURL=\"{}\"/>\n<SegmentTimeline>",
			period.timescale, period.start, listed[0].init_uri
		)?;
		for times in listed.iter().filter_map(|entry| entry.times) {
			writeln!(out, "<S t=\"{}\" d=\"{}\"/>", times.start, times.length)?;
		}
		writeln!(out, "</SegmentTimeline>")?;
		for entry in listed {
			writeln!(out, "<SegmentURL media=\"{}\"/>", entry.uri)?;
		}
		writeln!(out, "</SegmentList>\n</Representation>\n</AdaptationSet>\n</Period>")?;
	}
	writeln!(
		out,
		"<UTCTiming schemeIdUri=\"urn:mpeg:dash:utc:http-iso:2014\" value=\"{time}\"/>\n\
		 <UTCTiming schemeIdUri=\"urn:mpeg:dash:utc:direct:2014\" value=\"{}\"/>\n</MPD>",
		utc(now_ms)
	)
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
