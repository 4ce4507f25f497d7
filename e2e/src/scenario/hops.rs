//! How long windows take from one to the next: out of what relayers say as they have them.

use super::{relayer_name, viewer_name, Scenario, Spread};
use crate::{
	lab::Lab,
	media::{percentile, Window},
};
use anyhow::{Context, Result};
use clustercast_lab::switch::Access;
use serde::Serialize;
use std::{collections::BTreeMap, fmt, fs, path::Path};

/// From 1 March of year 0 to 1970.
const EPOCH_DAYS: u64 = 719_468;

/// When somebody had which window, Unix milliseconds.
type Had = BTreeMap<(u64, u16), u64>;

/// From whole and verified here to whole and verified there.
#[derive(Clone, Debug, Serialize)]
pub struct Hop {
	/// Who had it.
	pub from: String,
	/// Who had it next.
	pub to: String,
	/// How long that took.
	pub took: Spread,
	/// Of it, what the way takes whatever is sent, milliseconds.
	pub way_ms: u64,
	/// And what the usual window takes at the rate of the uplink alone, milliseconds; `None` where that has none.
	pub sending_ms: Option<u64>,
}

impl fmt::Display for Hop {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		write!(
			f,
			"{} to {}: {}; the way is {} ms",
			self.from, self.to, self.took, self.way_ms
		)?;
		match self.sending_ms {
			Some(sending) => write!(f, ", a usual window at the uplink's rate {sending}"),
			None => Ok(()),
		}
	}
}

/// Each hop of a scenario in which everybody has the stream from one.
pub fn hops(lab: &Lab, scenario: &Scenario, published: &[Window], viewers: &[(usize, &[Window])]) -> Result<Vec<Hop>> {
	let sizes: Vec<u64> = published.iter().map(|window| window.bytes.into()).collect();
	let usual = percentile(&sizes, 50).unwrap_or(0);
	let origin: Had = published
		.iter()
		.filter_map(|window| Some((window.place(), window.published_ms?)))
		.collect();
	let relayers = (0..scenario.relayers.len())
		.map(|number| received(&lab.path(&format!("{}.log", relayer_name(number)))))
		.collect::<Result<Vec<Had>>>()?;
	let hop = |from: (String, &Had, Access), to: (String, &Had, Access)| {
		let took =
			to.1.iter()
				.filter_map(|(place, at)| Some(at.saturating_sub(*from.1.get(place)?)));
		let way = from.2.up.delay + to.2.down.delay;
		Hop {
			took: Spread::of(&took.collect::<Vec<_>>()),
			way_ms: way.as_millis().try_into().unwrap_or(u64::MAX),
			sending_ms: from.2.up.rate.map(|bits| usual * 8_000 / bits.max(1)),
			from: from.0,
			to: to.0,
		}
	};
	let relayer = |number: usize| (relayer_name(number), &relayers[number], scenario.relayers[number].line);
	let mut hops = Vec::new();
	for (number, place) in scenario.relayers.iter().enumerate() {
		match (place.origin, &place.upstreams[..]) {
			(true, []) if place.pays.is_none() => {
				hops.push(hop(("origin".into(), &origin, scenario.origin), relayer(number)));
			},
			(false, [above]) => hops.push(hop(relayer(*above), relayer(number))),
			_ => {},
		}
	}
	for (number, log) in viewers {
		let seat = &scenario.viewers[*number];
		if let [above] = seat.relayers[..] {
			let had = log
				.iter()
				.filter_map(|window| Some((window.place(), window.playable_ms?)));
			let had = had.collect();
			hops.push(hop(relayer(above), (viewer_name(*number), &had, seat.line)));
		}
	}
	Ok(hops)
}

/// When a relayer had which window, by its log.
fn received(log: &Path) -> Result<Had> {
	let text = fs::read_to_string(log).with_context(|| log.display().to_string())?;
	Ok(text.lines().filter_map(line).collect())
}

/// A line such as `2026-11-30T13:30:47.123456Z DEBUG stream{n=1}: clustercast_relayer::ingest::several: received window=1/0/0/12.3 bytes=9`.
fn line(line: &str) -> Option<((u64, u16), u64)> {
	let (_, said) = line.split_once(": received window=")?;
	let (segment, part) = said.split(' ').next()?.rsplit('/').next()?.split_once('.')?;
	let at = unix_ms(line.split(' ').next()?)?;
	Some(((segment.parse().ok()?, part.parse().ok()?), at))
}

/// Of a time such as `2026-11-30T13:30:47.123456Z`.
fn unix_ms(stamp: &str) -> Option<u64> {
	let (date, time) = stamp.strip_suffix('Z')?.split_once('T')?;
	let mut date = date.split('-').map(|part| part.parse::<u64>().ok());
	let (year, month, day) = (date.next()??, date.next()??, date.next()??);
	let mut time = time.split(':');
	let (hours, minutes) = (time.next()?.parse::<u64>().ok()?, time.next()?.parse::<u64>().ok()?);
	let seconds: f64 = time.next()?.parse().ok()?;
	// Years begin in March, so that the day that is sometimes missing is the last one.
	let (year, month) = match month {
		..3 => (year - 1, month + 9),
		_ => (year, month - 3),
	};
	let days = 365 * year + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 + day - 1;
	let whole = (days.checked_sub(EPOCH_DAYS)? * 24 + hours) * 60 + minutes;
	Some(whole * 60_000 + (seconds * 1e3) as u64)
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn windows_are_read_out_of_a_log() {
		let said = "2026-11-30T13:30:47.123456Z DEBUG stream{n=1}: clustercast_relayer::ingest::several: received window=1/0/0/12.3 bytes=9";
		assert_eq!(line(said), Some(((12, 3), 1_796_045_447_123)));
		assert_eq!(
			line("2026-11-30T13:30:47.123456Z  INFO relayer: connected to upstream"),
			None
		);
		assert_eq!(unix_ms("1970-01-01T00:00:00.5Z"), Some(500));
		assert_eq!(unix_ms("2024-02-29T23:59:59Z"), Some(1_709_251_199_000));
		assert_eq!(unix_ms("2024-03-01T00:00:00Z"), Some(1_709_251_200_000));
	}
}
