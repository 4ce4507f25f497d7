//! What HLS players read (RFC 8216, fMP4): the media playlist, and the multivariant playlist above it. Pure: a [`Timeline`] in, text
//! out. Where segments come in parts, the tags of low latency (draft-pantos-hls-rfc8216bis, 4.4.3.7 to 4.4.5.3) are added, which other
//! players pass over.

use crate::{
	parts::{Part, Parts},
	timeline::{Entry, Timeline, TARGET},
};
use clustercast_primitives::catalog::Track;
use std::{
	fmt::{Result, Write},
	time::Duration,
};

/// Parts that players of low latency stay behind the newest, and the time: the least that they are advised to, and what parts of several
/// relayers are apart.
const HELD_BACK: (u32, Duration) = (3, Duration::from_secs(1));

/// The media playlist's text.
pub fn media(timeline: &Timeline, parts: &Parts) -> String {
	let mut text = String::with_capacity(256 + timeline.entries().len() * 192);
	write_media(timeline, parts, &mut text).expect("writing to a String does not fail");
	text
}

fn write_media(timeline: &Timeline, parts: &Parts, out: &mut String) -> Result {
	let sequence = timeline.entries().next().map_or(0, |entry| entry.sequence);
	writeln!(out, "#EXTM3U\n#EXT-X-VERSION:7")?;
	writeln!(out, "#EXT-X-TARGETDURATION:{}", TARGET.as_secs())?;
	writeln!(out, "#EXT-X-MEDIA-SEQUENCE:{sequence}")?;
	writeln!(out, "#EXT-X-DISCONTINUITY-SEQUENCE:{}", timeline.discontinuities())?;
	if timeline.entries().all(|entry| entry.independent) {
		writeln!(out, "#EXT-X-INDEPENDENT-SEGMENTS")?;
	}
	if let Some(part) = parts.target() {
		let (parts, least) = HELD_BACK;
		let (part, hold_back) = (part.as_secs_f64(), (parts * part).max(least).as_secs_f64());
		writeln!(
			out,
			"#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,PART-HOLD-BACK={hold_back:.3}"
		)?;
		writeln!(out, "#EXT-X-PART-INF:PART-TARGET={part:.3}")?;
	}
	if let Some(seconds) = start(timeline) {
		writeln!(out, "#EXT-X-START:TIME-OFFSET=-{seconds:.3}")?;
	}
	let mut init_uri = None;
	for entry in timeline.entries() {
		if entry.discontinuity {
			writeln!(out, "#EXT-X-DISCONTINUITY")?;
		}
		if init_uri != Some(&entry.init_uri) {
			writeln!(out, "#EXT-X-MAP:URI=\"{}\"", entry.init_uri)?;
			init_uri = Some(&entry.init_uri);
		}
		match entry.gap {
			true => writeln!(out, "#EXT-X-GAP")?,
			false => writeln!(out, "#EXT-X-PROGRAM-DATE-TIME:{}", utc(entry.start_ms))?,
		}
		write_parts(parts.of(entry.sequence), out)?;
		writeln!(out, "#EXTINF:{:.6},\n{}", entry.duration.as_secs_f64(), entry.uri)?;
	}
	write_parts(parts.open(), out)?;
	if let Some(uri) = parts.hint() {
		writeln!(out, "#EXT-X-PRELOAD-HINT:TYPE=PART,URI=\"{uri}\"")?;
	}
	// Never EXT-X-ENDLIST: another broadcast may follow, for which players would not look any more.
	Ok(())
}

fn write_parts(parts: &[Part], out: &mut String) -> Result {
	for part in parts {
		let independent = if part.independent { ",INDEPENDENT=YES" } else { "" };
		let (duration, uri) = (part.duration.as_secs_f64(), &part.uri);
		writeln!(out, "#EXT-X-PART:DURATION={duration:.3},URI=\"{uri}\"{independent}")?;
	}
	Ok(())
}

/// Players begin three targets from the end. Where a gap is there, how many seconds from the end they can: hls.js never starts on a
/// gap.
fn start(timeline: &Timeline) -> Option<f64> {
	let playable: Duration = timeline
		.entries()
		.rev()
		.take_while(|entry| !entry.gap)
		.map(|entry| entry.duration)
		.sum();
	let gap = timeline.entries().any(|entry| entry.gap);
	(gap && playable > Duration::ZERO && playable < 3 * TARGET).then_some(playable.as_secs_f64())
}

/// The multivariant playlist's text: one variant, the media playlist at `uri`, as the catalog describes it.
pub fn multivariant(timeline: &Timeline, track: &Track, uri: &str) -> String {
	let peak = peak(timeline).max(track.bitrate.into());
	let mut text = String::from("#EXTM3U\n#EXT-X-VERSION:7\n");
	if timeline.entries().all(|entry| entry.independent) {
		text += "#EXT-X-INDEPENDENT-SEGMENTS\n";
	}
	text += &format!("#EXT-X-STREAM-INF:BANDWIDTH={peak}");
	if track.bitrate > 0 {
		text += &format!(",AVERAGE-BANDWIDTH={}", track.bitrate);
	}
	if let Some(codecs) = codecs(track) {
		text += &format!(",CODECS=\"{codecs}\"");
	}
	if track.width > 0 && track.height > 0 {
		text += &format!(",RESOLUTION={}x{}", track.width, track.height);
	}
	if track.width > 0 && track.rate > 0 {
		text += &format!(",FRAME-RATE={}.{:03}", track.rate / 1_000, track.rate % 1_000);
	}
	text += &format!(",CLOSED-CAPTIONS=NONE\n{uri}\n");
	text
}

/// Bits a second of the densest entry, at least 1.
pub fn peak(timeline: &Timeline) -> u64 {
	let rate = |entry: &Entry| {
		let ms = entry.duration.max(Duration::from_millis(1)).as_millis();
		u64::try_from(entry.bytes as u128 * 8_000 / ms).unwrap_or(u64::MAX)
	};
	timeline.entries().map(rate).max().unwrap_or(1).max(1)
}

/// RFC 6381, where the broadcaster says nothing else there.
pub fn codecs(track: &Track) -> Option<&str> {
	let text = track.codecs.as_str();
	let plain = |c: char| c.is_ascii_alphanumeric() || ".,-_".contains(c);
	(!text.is_empty() && text.chars().all(plain)).then_some(text)
}

/// Unix milliseconds as `2026-11-20T23:59:59.999Z`.
pub fn utc(unix_ms: u64) -> String {
	let (days, ms) = (unix_ms / 86_400_000, unix_ms % 86_400_000);
	let (year, month, day) = civil(days);
	format!(
		"{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}.{:03}Z",
		ms / 3_600_000,
		ms / 60_000 % 60,
		ms / 1000 % 60,
		ms % 1000
	)
}

/// Gregorian date of a day counted from 1970-01-01: Howard Hinnant's `civil_from_days`, for days that are not negative.
fn civil(days: u64) -> (u64, u64, u64) {
	let days = days + 719_468;
	let (era, day_of_era) = (days / 146_097, days % 146_097);
	let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
	let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
	// Years begin in March here.
	let month = (5 * day_of_year + 2) / 153;
	let day = day_of_year - (153 * month + 2) / 5 + 1;
	let year = era * 400 + year_of_era;
	match month {
		0..=9 => (year, month + 3, day),
		_ => (year + 1, month - 9, day),
	}
}

#[cfg(test)]
mod tests;
