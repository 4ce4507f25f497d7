//! Random publishers from a seed: gaps, jumps, drifts up to 500 ppm, tracks that come and go, rates from 1 to 120 a second, stalls,
//! lumps, disconnects and takeovers.

use crate::publisher::{both, Publisher, Span};
use clustercast_media::timeline::Track::{self, Picture, Sound};
use rand::{seq::SliceRandom, Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// What publishers send a second, and anything.
fn rate(random: &mut ChaCha8Rng) -> f64 {
	let usual = [
		1.0,
		5.0,
		10.0,
		15.0,
		24.0,
		24_000.0 / 1001.0,
		25.0,
		30_000.0 / 1001.0,
		30.0,
		30.0,
		30.0,
		50.0,
		60.0,
		120.0,
	];
	match random.gen_bool(0.8) {
		true => *usual.choose(random).unwrap(),
		false => random.gen_range(1.0..120.0),
	}
}

fn span(random: &mut ChaCha8Rng, from: f64, to: f64, longest: f64) -> Span {
	let begin = random.gen_range(from..to);
	(begin, begin + random.gen_range(0.02..longest))
}

fn track(random: &mut ChaCha8Rng) -> Track {
	if random.gen_bool(0.5) {
		Picture
	} else {
		Sound
	}
}

/// A size that is a jump.
fn leap(random: &mut ChaCha8Rng) -> f64 {
	let size = *[1.5, 5.0, 30.0, 3600.0, 1e6].choose(random).unwrap() * random.gen_range(0.9..1.1);
	if random.gen_bool(0.5) {
		size
	} else {
		-size
	}
}

fn publisher(random: &mut ChaCha8Rng, from: f64, length: f64, stops: &[Span]) -> Publisher {
	let to = from + random.gen_range(2.0..length);
	let tracks = random.gen_range(0..20);
	let mut publisher = Publisher {
		seed: random.r#gen(),
		from,
		to,
		rate: if tracks == 0 { 0.0 } else { rate(random) },
		sound: tracks > 2,
		drift: random.gen_range(-500.0..500.0),
		start: *[0.0, 2_147_480.0, 4_294_963.0, random.gen_range(0.0..4e6)]
			.choose(random)
			.unwrap(),
		wrap: *[2_147_483_648.0, 4_294_967_296.0].choose(random).unwrap(),
		noise: random.gen_range(0.0..1.0),
		way: random.gen_range(0.001..0.3),
		jitter: random.gen_range(0.0..0.06),
		..Publisher::default()
	};
	// What is far apart is put together; less is taken as meant.
	if random.gen_bool(0.1) {
		publisher.sound_by = leap(random);
	}
	if random.gen_bool(0.15) {
		publisher.lumps = random.gen_range(0.05..0.5);
	}
	for _ in 0..random.gen_range(0..3) {
		let hole = span(random, from, to, 4.0);
		match random.gen_range(0..3) {
			0 => publisher.holes.extend([(Picture, hole), (Sound, hole)]),
			_ => publisher.holes.push((track(random), hole)),
		}
	}
	if random.gen_bool(0.15) {
		// Silent on an open connection, with stamps that do not count it. Shorter ones cannot be told from a delay.
		let (begin, end) = span(random, from + 1.0, to, 6.0);
		let hole = (begin, end + 1.5);
		publisher.holes.extend([(Picture, hole), (Sound, hole)]);
		publisher.jumps.extend(both(hole.1, hole.0 - hole.1));
		return publisher;
	}
	if random.gen_bool(0.3) {
		publisher.stalls.push(span(random, from, to, 3.0));
	}
	if random.gen_bool(0.1) {
		publisher.detours.push(span(random, 0.0, to, 1.0));
	}
	if random.gen_bool(0.5) {
		let (at, by) = (random.gen_range(from..to), leap(random));
		let later = if random.gen_bool(0.5) {
			0.0
		} else {
			random.gen_range(0.0..4.0)
		};
		let first = track(random);
		// A jump while nothing comes cannot be told from the pause around it.
		let quiet = publisher
			.holes
			.iter()
			.map(|h| h.1)
			.chain(publisher.stalls.iter().copied())
			.chain(stops.iter().copied());
		let mut apart = quiet.map(|(a, b)| (a - 1.0, b + 3.0));
		if apart.any(|(a, b)| at < b && at + later > a) {
			return publisher;
		}
		publisher.jumps.push((first, at, by));
		if random.gen_bool(0.8) {
			publisher
				.jumps
				.push((if first == Picture { Sound } else { Picture }, at + later, by));
		}
	}
	publisher
}

/// Publishers that come and go for so long.
#[derive(Clone, Debug)]
pub struct Trouble {
	/// In the order in which they come.
	pub publishers: Vec<Publisher>,
	/// The whole program stands still for these.
	pub stops: Vec<Span>,
	/// Publishers do not say that they leave: they send nothing more.
	pub vanish: bool,
}

impl Trouble {
	/// Of `length` seconds; the same for the same seed.
	pub fn new(seed: u64, length: f64) -> Self {
		let random = &mut ChaCha8Rng::seed_from_u64(seed);
		let stops = if random.gen_bool(0.15) {
			vec![span(random, 1.0, length, 5.0)]
		} else {
			vec![]
		};
		let mut publishers = Vec::new();
		let mut from = random.gen_range(0.0..1.0);
		while from < length - 2.0 {
			let publisher = publisher(random, from, length, &stops);
			// Back after a while, or taken over by another.
			from = publisher.to
				+ if random.gen_bool(0.7) {
					random.gen_range(0.0..5.0)
				} else {
					random.gen_range(-1.5..0.0)
				};
			publishers.push(publisher);
		}
		Self {
			publishers,
			stops,
			vanish: random.gen_bool(0.3),
		}
	}
}
