//! How viewers and somebody else share a relayer's uplink.

use super::figures::Watched;
use clustercast_lab::link::Waits;
use serde::Serialize;
use std::fmt;

/// What was measured of it, from a time on when all were at work.
#[derive(Clone, Debug)]
pub struct Shared {
	/// Unix time, milliseconds.
	pub from_ms: u64,
	/// The same, at the end.
	pub until_ms: u64,
	/// Bytes that the foreign download got.
	pub downloaded: u64,
	/// How long packets waited before the uplink.
	pub queue: Waits,
}

/// Figures of it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Sharing {
	/// What each viewer played of the stream, 10^6 bits/s.
	pub viewers_mbps: Vec<f64>,
	/// What the foreign download got, 10^6 bits/s.
	pub download_mbps: f64,
	/// Jain's index over viewers: 1 where all got the same, 1 / their number where one got all.
	pub viewers_jain: f64,
	/// The same with the download among them.
	pub jain: f64,
	/// Of what all together got, the download's part, for each equal part: 1 is its share.
	pub download_share: f64,
	/// How long packets waited before the uplink, milliseconds: 95th percentile.
	pub queue_ms_p95: u64,
}

impl Sharing {
	/// Out of what viewers' window logs say of the time.
	pub fn of(shared: &Shared, watched: &[Watched]) -> Self {
		let time = shared.from_ms..shared.until_ms;
		let seconds = (shared.until_ms - shared.from_ms).max(1) as f64 / 1e3;
		let mbps = |bytes: u64| bytes as f64 * 8.0 / 1e6 / seconds;
		let viewers_mbps: Vec<f64> = watched
			.iter()
			.map(|watched| {
				let windows = watched.log.iter();
				let there = windows.filter(|window| window.playable_ms.is_some_and(|at| time.contains(&at)));
				mbps(there.map(|window| u64::from(window.bytes)).sum())
			})
			.collect();
		let download_mbps = mbps(shared.downloaded);
		let all: Vec<f64> = viewers_mbps.iter().copied().chain([download_mbps]).collect();
		Self {
			viewers_jain: jain(&viewers_mbps),
			jain: jain(&all),
			download_share: download_mbps * all.len() as f64 / all.iter().sum::<f64>(),
			viewers_mbps,
			download_mbps,
			queue_ms_p95: shared.queue.percentile(95).as_millis() as u64,
		}
	}
}

/// The square of the sum over the sum of squares, by their number (Jain, Chiu and Hawe, 1984).
fn jain(values: &[f64]) -> f64 {
	let (sum, squares): (f64, f64) = (values.iter().sum(), values.iter().map(|value| value * value).sum());
	sum * sum / (values.len() as f64 * squares)
}

impl fmt::Display for Sharing {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		let viewers: Vec<String> = self.viewers_mbps.iter().map(|mbps| format!("{mbps:.2}")).collect();
		write!(
			f,
			"viewers {} Mb/s (Jain {:.3}), download {:.2} Mb/s ({:.2} of its share; Jain of all {:.3}), queue {} ms p95",
			viewers.join(" "),
			self.viewers_jain,
			self.download_mbps,
			self.download_share,
			self.jain,
			self.queue_ms_p95
		)
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn jains_index_is_one_where_all_have_the_same_and_a_part_where_one_has_all() {
		assert_eq!((jain(&[2.0, 2.0, 2.0, 2.0]), jain(&[1.0, 0.0, 0.0, 0.0])), (1.0, 0.25));
	}
}
