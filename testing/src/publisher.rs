//! A publisher that can be given every fault: what it sends, when it arrives, and when it was really taken.

use clustercast_media::timeline::Track;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// What arrives at the door. Times are real seconds.
#[derive(Clone, Copy, Debug)]
pub struct Sent {
	/// What it is.
	pub track: Track,
	/// As on the wire, ms.
	pub stamp: u32,
	/// When it was taken.
	pub taken: f64,
	/// When it arrives.
	pub arrives: f64,
}

/// Samples of a piece of sound, as AAC has it.
pub const PIECE: usize = 1024;

/// A span of real time, s.
pub type Span = (f64, f64);

/// All times are real seconds but where it says otherwise; jumps are of stamps.
#[derive(Clone, Debug)]
pub struct Publisher {
	/// Of its noise and jitter.
	pub seed: u64,
	/// When it comes.
	pub from: f64,
	/// When it leaves.
	pub to: f64,
	/// Pictures a second; 0: none.
	pub rate: f64,
	/// Whether there is sound.
	pub sound: bool,
	/// Samples a second, of which a piece has [`PIECE`].
	pub hertz: f64,
	/// How much faster than real time its clock runs, for stamps and for the sound card, ppm.
	pub drift: f64,
	/// First stamp, s.
	pub start: f64,
	/// Stamps of sound against those of pictures, s.
	pub sound_by: f64,
	/// Stamps run so much faster than time.
	pub speed: f64,
	/// Nothing of the track is taken.
	pub holes: Vec<(Track, Span)>,
	/// From then on the stamps of a track are so much later, s.
	pub jumps: Vec<(Track, f64, f64)>,
	/// Stamps are off by up to that, ms.
	pub noise: f64,
	/// Nothing arrives, and then all that was sent at once.
	pub stalls: Vec<Span>,
	/// From then on all takes so much longer.
	pub detours: Vec<(f64, f64)>,
	/// Least time on the way.
	pub way: f64,
	/// Up to that more; order stays.
	pub jitter: f64,
	/// Arrivals come in lumps of that length.
	pub lumps: f64,
	/// Modulus of stamps.
	pub wrap: f64,
}

impl Default for Publisher {
	fn default() -> Self {
		Self {
			seed: 0,
			from: 0.0,
			to: 60.0,
			rate: 30.0,
			sound: true,
			hertz: 48_000.0,
			drift: 0.0,
			start: 0.0,
			sound_by: 0.0,
			speed: 1.0,
			holes: vec![],
			jumps: vec![],
			noise: 0.0,
			stalls: vec![],
			detours: vec![],
			way: 0.02,
			jitter: 0.005,
			lumps: 0.0,
			wrap: 4_294_967_296.0,
		}
	}
}

/// Both tracks' stamps are so much later from then on.
pub fn both(at: f64, by: f64) -> Vec<(Track, f64, f64)> {
	vec![(Track::Picture, at, by), (Track::Sound, at, by)]
}

impl Publisher {
	/// In the order of arrival.
	pub fn sent(&self) -> Vec<Sent> {
		let mut random = ChaCha8Rng::seed_from_u64(self.seed);
		let mut all = Vec::new();
		let length = (self.to - self.from).max(0.0);
		let real = |n: f64, rate: f64| self.from + n / rate / (1.0 + self.drift / 1e6);
		if self.rate > 0.0 {
			all.extend((0..(length * self.rate) as u64).map(|n| (real(n as f64, self.rate), Track::Picture)));
		}
		if self.sound {
			let rate = self.hertz / PIECE as f64;
			all.extend((0..(length * rate) as u64).map(|n| (real(n as f64, rate), Track::Sound)));
		}
		all.retain(|(taken, track)| {
			!self
				.holes
				.iter()
				.any(|(t, (a, b))| t == track && (*a..*b).contains(taken))
		});
		// A piece of sound is there when its last sample is.
		let piece = PIECE as f64 / self.hertz;
		let ready = |(taken, track): &(f64, Track)| if *track == Track::Sound { taken + piece } else { *taken };
		all.sort_by(|a, b| ready(a).total_cmp(&ready(b)));
		let mut before: f64 = 0.0;
		all.into_iter()
			.map(|(taken, track)| {
				let jumps = self.jumps.iter().filter(|(t, at, _)| *t == track && taken >= *at);
				let offset = self.start
					+ jumps.map(|j| j.2).sum::<f64>()
					+ if track == Track::Sound { self.sound_by } else { 0.0 };
				let stamp = (taken - self.from) * (1.0 + self.drift / 1e6) * self.speed + offset;
				let noise = if self.noise > 0.0 {
					random.gen_range(-self.noise..self.noise)
				} else {
					0.0
				};
				let jitter = if self.jitter > 0.0 {
					random.gen_range(0.0..self.jitter)
				} else {
					0.0
				};
				let mut arrives = ready(&(taken, track)) + self.way + jitter;
				arrives += self
					.detours
					.iter()
					.filter(|(at, _)| arrives >= *at)
					.map(|d| d.1)
					.sum::<f64>();
				if self.lumps > 0.0 {
					arrives = (arrives / self.lumps).ceil() * self.lumps;
				}
				for (a, b) in &self.stalls {
					if (*a..*b).contains(&arrives) {
						arrives = *b;
					}
				}
				before = before.max(arrives);
				let stamp = (stamp * 1000.0 + noise).round().rem_euclid(self.wrap) as u32;
				Sent {
					track,
					stamp,
					taken,
					arrives: before,
				}
			})
			.collect()
	}
}
