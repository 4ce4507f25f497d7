//! What the newest minute of a stream took: so much of an uplink a copy of it takes. Sans-IO.

use alloc::collections::VecDeque;

/// Time of the newest windows that counts, milliseconds.
const MEASURED_MS: u64 = 60_000;

/// With less nothing is said, milliseconds.
const LEAST_MEASURED_MS: u64 = 6_000;

/// See the module.
#[derive(Clone, Debug, Default)]
pub struct Bitrate {
	/// Bytes and milliseconds.
	windows: VecDeque<(u64, u64)>,
	bytes: u64,
	length_ms: u64,
}

impl Bitrate {
	/// A window of so many bytes and so long; bytes/s, once enough were.
	pub fn window(&mut self, bytes: u64, length_ms: u64) -> Option<u64> {
		self.windows.push_back((bytes, length_ms.max(1)));
		self.bytes += bytes;
		self.length_ms += length_ms.max(1);
		while let Some((bytes, length_ms)) = self.windows.front().copied() {
			if self.length_ms - length_ms < MEASURED_MS {
				break;
			}
			self.bytes -= bytes;
			self.length_ms -= length_ms;
			self.windows.pop_front();
		}
		(self.length_ms >= LEAST_MEASURED_MS).then(|| self.bytes.saturating_mul(1_000) / self.length_ms)
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn bit_rate_is_that_of_the_newest_minute_whatever_the_windows_are() {
		for length_ms in [200, 2_000] {
			let mut bitrate = Bitrate::default();
			let mut window = |rate: u64| bitrate.window(rate * length_ms / 1_000, length_ms);
			let first = (0..).take_while(|_| window(100_000).is_none()).count();
			assert_eq!(first as u64, 6_000 / length_ms - 1, "too short to say");
			let minute = || 0..60_000 / length_ms;
			assert_eq!(minute().filter_map(|_| window(100_000)).last(), Some(100_000));
			let half = (0..30_000 / length_ms).filter_map(|_| window(300_000)).last();
			assert_eq!(half, Some(200_000));
			assert_eq!(minute().filter_map(|_| window(300_000)).last(), Some(300_000));
		}
	}
}
