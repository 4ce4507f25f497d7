//! Chance that repeats: a draw is a function of seed, link and packet, so that the same packets are lost whatever else happens.

/// What is drawn for: no two of these agree about a packet.
#[derive(Clone, Copy, Debug)]
pub enum Purpose {
	/// Whether it is lost.
	Loss,
	/// Whether a burst of losses begins or ends with it.
	Burst,
	/// How much longer it takes.
	Jitter,
}

/// Which packet it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packet {
	/// Of the run.
	pub seed: u64,
	/// Number of the link.
	pub link: u64,
	/// How many were offered to the link before.
	pub index: u64,
}

impl Packet {
	/// From 0 to below 1, each equally likely.
	pub fn draw(self, purpose: Purpose) -> f64 {
		let words = [self.seed, self.link, self.index, purpose as u64];
		let drawn = words.into_iter().fold(0, |state, word| mix(state ^ word));
		// As many bits as a fraction has.
		(drawn >> 11) as f64 / (1_u64 << 53) as f64
	}
}

/// A step of SplitMix64.
fn mix(word: u64) -> u64 {
	let mut z = word.wrapping_add(0x9e37_79b9_7f4a_7c15);
	z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
	z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
	z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn draws_are_spread_evenly_and_repeat() {
		let draws = |seed, link| -> Vec<f64> {
			(0..10_000)
				.map(|index| Packet { seed, link, index }.draw(Purpose::Loss))
				.collect()
		};
		let (first, again, other) = (draws(1, 0), draws(1, 0), draws(1, 1));
		assert_eq!(first, again);
		assert_ne!(first, other, "links are not alike");
		assert_ne!(first, draws(2, 0), "nor are runs");
		for tenth in 0..10 {
			let lowest = f64::from(tenth) / 10.0;
			let inside = first
				.iter()
				.filter(|draw| (lowest..lowest + 0.1).contains(draw))
				.count();
			assert!((850..1_150).contains(&inside), "{inside} of 10000 in {lowest}");
		}
		let both = first.iter().zip(&other).filter(|(a, b)| **a < 0.1 && **b < 0.1).count();
		assert!((60..150).contains(&both), "independent of each other: {both}");
	}
}
