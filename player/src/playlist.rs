//! The HLS media playlist of a live stream (RFC 8216, fMP4). Pure: pushes in, text out.

use std::{collections::VecDeque, fmt::Write};

/// Windows listed: 24 s of 2 s windows. Players start three from the end; the rest lets one that paused catch up.
pub const LISTED: usize = 12;

/// A media segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segment {
	/// Relative to the playlist.
	pub uri: String,
	/// Of the initialisation segment that it decodes with.
	pub init_uri: String,
	/// How long it plays, milliseconds.
	pub duration_ms: u32,
	/// When it was captured, Unix time, milliseconds.
	pub start_ms: u64,
	/// Starts with a random access point.
	pub independent: bool,
	/// Does not join the segment before it: timestamps or parameters may jump.
	pub discontinuity: bool,
}

/// The last [`LISTED`] segments and what was removed before them.
#[derive(Debug, Default)]
pub struct Playlist {
	segments: VecDeque<Segment>,
	/// Removed so far: the media sequence number of the first one listed.
	removed: u64,
	/// Discontinuities among the removed.
	removed_discontinuities: u64,
	/// Longest so far, seconds, rounded up: every `EXTINF` must stay within it.
	target_s: u32,
	ended: bool,
}

impl Playlist {
	/// Adds the newest segment.
	pub fn push(&mut self, mut segment: Segment) {
		match self.segments.back() {
			// Other parameters: players reset their decoder only where they are told.
			Some(last) => segment.discontinuity |= last.init_uri != segment.init_uri,
			None => segment.discontinuity = false,
		}
		self.target_s = self.target_s.max(segment.duration_ms.div_ceil(1000)).max(1);
		self.segments.push_back(segment);
		if self.segments.len() > LISTED {
			let removed = self.segments.pop_front();
			self.removed += 1;
			self.removed_discontinuities += u64::from(removed.is_some_and(|s| s.discontinuity));
		}
	}

	/// No segment will follow.
	pub fn finish(&mut self) {
		self.ended = true;
	}

	/// Whether nothing was pushed yet: such a playlist is not served.
	pub fn is_empty(&self) -> bool {
		self.segments.is_empty()
	}

	/// The text of `index.m3u8`.
	pub fn render(&self) -> String {
		let mut text = String::with_capacity(256 + self.segments.len() * 128);
		self.write(&mut text).expect("writing to a String does not fail");
		text
	}

	fn write(&self, out: &mut String) -> std::fmt::Result {
		writeln!(out, "#EXTM3U\n#EXT-X-VERSION:7")?;
		writeln!(out, "#EXT-X-TARGETDURATION:{}", self.target_s)?;
		writeln!(out, "#EXT-X-MEDIA-SEQUENCE:{}", self.removed)?;
		writeln!(out, "#EXT-X-DISCONTINUITY-SEQUENCE:{}", self.removed_discontinuities)?;
		if self.segments.iter().all(|s| s.independent) {
			writeln!(out, "#EXT-X-INDEPENDENT-SEGMENTS")?;
		}
		let mut init_uri = None;
		for segment in &self.segments {
			if segment.discontinuity {
				writeln!(out, "#EXT-X-DISCONTINUITY")?;
			}
			if init_uri != Some(&segment.init_uri) {
				writeln!(out, "#EXT-X-MAP:URI=\"{}\"", segment.init_uri)?;
				init_uri = Some(&segment.init_uri);
			}
			writeln!(out, "#EXT-X-PROGRAM-DATE-TIME:{}", utc(segment.start_ms))?;
			let (seconds, millis) = (segment.duration_ms / 1000, segment.duration_ms % 1000);
			writeln!(out, "#EXTINF:{seconds}.{millis:03},\n{}", segment.uri)?;
		}
		match self.ended {
			true => writeln!(out, "#EXT-X-ENDLIST"),
			false => Ok(()),
		}
	}
}

/// Unix milliseconds as `2026-11-20T23:59:59.999Z`.
fn utc(unix_ms: u64) -> String {
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
mod tests {
	use super::*;

	fn segment(n: u64) -> Segment {
		Segment {
			uri: format!("segment-{n}-0.m4s"),
			init_uri: "init-0.mp4".into(),
			duration_ms: 2_000,
			start_ms: 1_700_000_000_000 + n * 2_000,
			independent: true,
			discontinuity: false,
		}
	}

	/// What a client keeps of a playlist, after checking the rules of RFC 8216 that can be seen in one.
	#[derive(Debug, PartialEq)]
	struct Parsed {
		media_sequence: u64,
		discontinuity_sequence: u64,
		segments: Vec<(String, String, bool)>,
		ended: bool,
	}

	fn parse(text: &str) -> Parsed {
		let mut lines = text.lines();
		assert_eq!(lines.next(), Some("#EXTM3U"), "4.3.1.1: first line");
		let value = |tag: &str| {
			let found: Vec<_> = text.lines().filter_map(|l| l.strip_prefix(tag)).collect();
			assert_eq!(found.len(), 1, "{tag} exactly once");
			found[0].parse::<u64>().unwrap()
		};
		assert!(
			value("#EXT-X-VERSION:") >= 6,
			"4.3.2.5: EXT-X-MAP in a media playlist needs version 6"
		);
		let target = value("#EXT-X-TARGETDURATION:");
		let mut parsed = Parsed {
			media_sequence: value("#EXT-X-MEDIA-SEQUENCE:"),
			discontinuity_sequence: value("#EXT-X-DISCONTINUITY-SEQUENCE:"),
			segments: Vec::new(),
			ended: false,
		};
		let (mut map, mut discontinuity, mut duration, mut date) = (None, false, None, None);
		for line in lines {
			assert!(!parsed.ended, "nothing behind EXT-X-ENDLIST");
			if let Some(uri) = line.strip_prefix("#EXT-X-MAP:URI=\"").and_then(|l| l.strip_suffix('"')) {
				map = Some(uri.to_owned());
			} else if let Some(text) = line.strip_prefix("#EXTINF:").and_then(|l| l.strip_suffix(',')) {
				let seconds: f64 = text.parse().unwrap();
				assert!(
					seconds.round() as u64 <= target,
					"4.3.3.1: {seconds} s in a target of {target} s"
				);
				duration = Some(seconds);
			} else if let Some(text) = line.strip_prefix("#EXT-X-PROGRAM-DATE-TIME:") {
				assert!(date.as_deref() < Some(text), "dates go up");
				date = Some(text.to_owned());
			} else if line == "#EXT-X-DISCONTINUITY" {
				discontinuity = true;
			} else if line == "#EXT-X-ENDLIST" {
				parsed.ended = true;
			} else if !line.starts_with('#') {
				duration.take().expect("4.3.2.1: EXTINF before each segment");
				let map = map.clone().expect("EXT-X-MAP before the first segment");
				parsed
					.segments
					.push((line.into(), map, std::mem::take(&mut discontinuity)));
			}
		}
		parsed
	}

	#[test]
	fn live_window_slides() {
		let mut playlist = Playlist::default();
		assert!(playlist.is_empty());
		for n in 0..100 {
			let before = parse(&playlist.render());
			playlist.push(segment(n));
			let after = parse(&playlist.render());
			assert!(after.segments.len() <= LISTED);
			assert_eq!(after.media_sequence, (n + 1).saturating_sub(LISTED as u64));
			assert_eq!(after.segments.last().unwrap().0, format!("segment-{n}-0.m4s"));
			// 6.2.1: only removal at the front and appending at the end.
			let shift = (after.media_sequence - before.media_sequence) as usize;
			assert_eq!(
				before.segments[shift.min(before.segments.len())..],
				after.segments[..after.segments.len() - 1]
			);
			assert!(!after.ended);
		}
		playlist.finish();
		assert!(parse(&playlist.render()).ended);
	}

	#[test]
	fn first_playlist_is_as_documented() {
		let mut playlist = Playlist::default();
		playlist.push(segment(7));
		assert_eq!(
			playlist.render(),
			"#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-TARGETDURATION:2\n#EXT-X-MEDIA-SEQUENCE:0\n\
			 #EXT-X-DISCONTINUITY-SEQUENCE:0\n#EXT-X-INDEPENDENT-SEGMENTS\n#EXT-X-MAP:URI=\"init-0.mp4\"\n\
			 #EXT-X-PROGRAM-DATE-TIME:2023-11-14T22:13:34.000Z\n#EXTINF:2.000,\nsegment-7-0.m4s\n"
		);
	}

	#[test]
	fn discontinuity_is_told_and_counted_when_it_leaves() {
		let mut playlist = Playlist::default();
		for n in 0..3 {
			playlist.push(segment(n));
		}
		playlist.push(Segment {
			discontinuity: true,
			..segment(3)
		});
		// A new initialisation segment is one even where the flag is missing.
		for n in 4..6 {
			playlist.push(Segment {
				init_uri: "init-1.mp4".into(),
				..segment(n)
			});
		}
		let told: Vec<bool> = parse(&playlist.render()).segments.iter().map(|s| s.2).collect();
		assert_eq!(told, [false, false, false, true, true, false]);
		let mut counted = Vec::new();
		for n in 6..24 {
			playlist.push(Segment {
				init_uri: "init-1.mp4".into(),
				..segment(n)
			});
			counted.push(parse(&playlist.render()).discontinuity_sequence);
		}
		// Segments 3 and 4 leave when 15 and 16 come.
		assert_eq!(counted[8..11], [0, 1, 2]);
		assert_eq!(counted.last(), Some(&2));
	}

	#[test]
	fn first_segment_ever_is_no_discontinuity() {
		let mut playlist = Playlist::default();
		playlist.push(Segment {
			discontinuity: true,
			..segment(0)
		});
		assert!(!playlist.render().contains("#EXT-X-DISCONTINUITY\n"));
	}

	#[test]
	fn target_covers_every_duration() {
		let mut playlist = Playlist::default();
		for (n, duration_ms) in [200, 1_900, 2_041, 400].into_iter().enumerate() {
			playlist.push(Segment {
				duration_ms,
				..segment(n as u64)
			});
			parse(&playlist.render());
		}
		assert!(playlist.render().contains("#EXT-X-TARGETDURATION:3\n"));
	}

	#[test]
	fn independence_is_claimed_only_for_all() {
		let mut playlist = Playlist::default();
		playlist.push(segment(0));
		playlist.push(Segment {
			independent: false,
			..segment(1)
		});
		assert!(!playlist.render().contains("INDEPENDENT"));
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
}
