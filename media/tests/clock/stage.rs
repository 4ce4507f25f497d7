//! Plays publishers through timeline, fake codec and mixer, and holds what comes out against the rules.

use clustercast_media::{
	mixer::{Figures, Frame, Mixer, Shows, SourceId},
	picture::{CHANNELS, SAMPLES_PER_PICTURE},
	timeline::{Notice, Timeline, Track},
};
use clustercast_testing::publisher::{Publisher, Sent, PIECE};
use std::{collections::BTreeMap, f64::consts::TAU, time::Duration};

/// A picture: whose it is, and when it was taken, µs. `None` is the slate.
pub type Fake = Option<(u64, i64)>;

/// Turns of the pattern of sound a second: the time is read from it modulo that, s.
const PERIOD: f64 = 4.0;
const LOUD: f64 = 16_000.0;

/// How long a decoder takes, s.
pub const PICTURE_DECODER: f64 = 0.03;
pub const SOUND_DECODER: f64 = 0.004;

/// A frame that came out, and what can be read from it.
#[derive(Clone, Debug)]
pub struct Out {
	pub at: f64,
	pub skipped: u64,
	pub shows: Shows,
	pub picture: Fake,
	/// When the sound in the middle of the frame was taken, modulo [`PERIOD`], and its loudness from 0 to 1.
	pub sound: f64,
	pub loud: f64,
	/// For how long the picture has been shown.
	pub shown_for: f64,
	/// The largest step from a sample to the next, the one before the frame included.
	pub step: f64,
}

pub struct Stage {
	pub out: Vec<Out>,
	pub notices: Vec<(f64, Notice)>,
	pub figures: Figures,
	/// Axis of each track of each publisher, in order.
	pub placed: BTreeMap<(u64, bool), Vec<Duration>>,
	/// Arrival at the mixer of each picture of each publisher, by the time at which it was taken, µs.
	pub pictures: BTreeMap<(u64, i64), f64>,
	/// Largest queues seen.
	pub most_pictures: usize,
	pub most_samples: usize,
	/// Since when a publisher is drained.
	pub drained: BTreeMap<u64, f64>,
}

enum Event {
	Begin(u64),
	Frame(u64, Sent),
	Picture(u64, Duration, Sent),
	Sound(u64, Duration, Sent),
	End(u64),
}

/// How it is played.
#[derive(Clone, Debug, Default)]
pub struct Play {
	pub publishers: Vec<Publisher>,
	/// Length, s.
	pub length: f64,
	/// The whole program stands still for these, s.
	pub stops: Vec<(f64, f64)>,
	/// Publishers end when they are over; else they just say nothing more.
	pub vanish: bool,
}

pub fn time(seconds: f64) -> Duration {
	Duration::from_secs_f64(seconds.max(0.0))
}

/// The fake codec's sound from `taken`, whose samples are `step` s apart.
fn pattern(taken: f64, step: f64) -> Vec<i16> {
	let (mut sin, mut cos) = (TAU * taken / PERIOD).sin_cos();
	let (s, c) = (TAU * step / PERIOD).sin_cos();
	let mut samples = Vec::with_capacity(PIECE * CHANNELS);
	for _ in 0..PIECE {
		samples.push((cos * LOUD) as i16);
		samples.push((sin * LOUD) as i16);
		(sin, cos) = (sin * c + cos * s, cos * c - sin * s);
	}
	samples
}

impl Play {
	pub fn run(&self) -> Stage {
		let mut events = Vec::new();
		for (id, publisher) in self.publishers.iter().enumerate() {
			let sent = publisher.sent();
			let last = sent.last().map_or(publisher.to, |s| s.arrives);
			events.push((publisher.from, Event::Begin(id as u64)));
			if !self.vanish {
				events.push((last + PICTURE_DECODER + 0.001, Event::End(id as u64)));
			}
			events.extend(sent.into_iter().map(|s| (s.arrives, Event::Frame(id as u64, s))));
		}
		events.retain(|e| e.0 < self.length);
		let late = |at: f64| {
			self.stops
				.iter()
				.find(|(a, b)| (*a..*b).contains(&at))
				.map_or(at, |s| s.1)
		};
		// What the door takes goes through a timeline, and comes out of a decoder later.
		let mut timelines: BTreeMap<u64, Timeline> = BTreeMap::new();
		let mut stage = Stage {
			out: vec![],
			notices: vec![],
			figures: Figures::default(),
			placed: BTreeMap::new(),
			pictures: BTreeMap::new(),
			most_pictures: 0,
			most_samples: 0,
			drained: BTreeMap::new(),
		};
		events.sort_by(|a, b| a.0.total_cmp(&b.0));
		let mut decoded = Vec::new();
		for (at, event) in events {
			let at = late(at);
			match event {
				Event::Frame(id, sent) => {
					let placed = timelines.entry(id).or_default().place(sent.track, sent.stamp, time(at));
					let picture = sent.track == Track::Picture;
					stage.placed.entry((id, picture)).or_default().push(placed.at);
					stage.notices.extend(placed.notice.map(|n| (at, n)));
					decoded.push(match picture {
						true => (late(at + PICTURE_DECODER), Event::Picture(id, placed.at, sent)),
						false => (late(at + SOUND_DECODER), Event::Sound(id, placed.at, sent)),
					});
				},
				other => decoded.push((at, other)),
			}
		}
		decoded.sort_by(|a, b| a.0.total_cmp(&b.0));
		let mut mixer = Mixer::new(None, Duration::ZERO);
		let mut before = (0.0, 0.0);
		for (at, event) in decoded {
			self.tick(&mut mixer, &mut stage, at, &mut before);
			let now = time(at);
			match event {
				Event::Begin(id) => mixer.begin(SourceId(id), now),
				Event::End(id) => mixer.end(SourceId(id)),
				Event::Picture(id, axis, sent) => {
					let taken = (sent.taken * 1e6).round() as i64;
					stage.pictures.insert((id, taken), at);
					mixer.picture(SourceId(id), axis, Some((id, taken)), now);
				},
				Event::Sound(id, axis, sent) => {
					let step = 1.0 / 48_000.0 / (1.0 + self.publishers[id as usize].drift / 1e6);
					mixer.sound(SourceId(id), axis, &pattern(sent.taken, step), now);
				},
				Event::Frame(..) => {},
			}
			let figures = mixer.figures();
			stage.most_pictures = stage.most_pictures.max(figures.queued_pictures);
			stage.most_samples = stage.most_samples.max(figures.queued_samples);
		}
		self.tick(&mut mixer, &mut stage, self.length, &mut before);
		stage.figures = mixer.figures();
		// What is heard with the last one nobody knows.
		let one_more = mixer.next_due().as_secs_f64() + 1e-6;
		self.tick(&mut mixer, &mut stage, one_more, &mut before);
		stage.out.pop();
		stage
	}

	fn tick(&self, mixer: &mut Mixer<Fake>, stage: &mut Stage, until: f64, before: &mut (f64, f64)) {
		while mixer.next_due() <= time(until) {
			let due = mixer.next_due().as_secs_f64();
			let woken = self
				.stops
				.iter()
				.find(|(a, b)| (*a..*b).contains(&due))
				.map_or(due + 2e-9, |s| s.1);
			if woken > until {
				return;
			}
			let mut given = 0;
			while let Some(frame) = mixer.tick(time(woken)) {
				let (mut out, heard) = read(frame, before);
				// It is that of the picture before.
				if let Some(last) = stage.out.last_mut() {
					(last.sound, last.loud, last.step) = heard;
				}
				if let Some(last) = stage.out.last().filter(|o| o.picture == out.picture) {
					out.shown_for = last.shown_for + out.at - last.at;
				} else if let Some(came) = out.picture.and_then(|p| stage.pictures.get(&p)) {
					// It would have been shown in what was skipped.
					let skipped = out.skipped as f64 / 30.0;
					out.shown_for = if *came < out.at - skipped { skipped } else { 0.0 };
				}
				stage.out.push(out);
				given += 1;
			}
			for id in 0..self.publishers.len() as u64 {
				if mixer.is_drained(SourceId(id)) {
					stage.drained.entry(id).or_insert(woken);
				} else {
					stage.drained.remove(&id);
				}
			}
			assert!(
				(1..=16).contains(&given),
				"a tick gives what is due, and no burst: {given} at {woken}"
			);
		}
	}
}

/// A frame that is heard in the next one, and the sound of the one before it: when it was taken, its loudness, its largest step.
fn read(frame: Frame<Fake>, before: &mut (f64, f64)) -> (Out, (f64, f64, f64)) {
	assert_eq!(frame.samples.len(), SAMPLES_PER_PICTURE * CHANNELS);
	let mut step: f64 = 0.0;
	for pair in frame.samples.chunks_exact(CHANNELS) {
		let (l, r) = (f64::from(pair[0]), f64::from(pair[1]));
		step = step.max((l - before.0).abs()).max((r - before.1).abs());
		*before = (l, r);
	}
	let middle = &frame.samples[SAMPLES_PER_PICTURE..];
	let (l, r) = (f64::from(middle[0]), f64::from(middle[1]));
	let sound = (r.atan2(l) / TAU * PERIOD).rem_euclid(PERIOD);
	let loud = (l * l + r * r).sqrt() / LOUD;
	let out = Out {
		at: frame.at.as_secs_f64(),
		skipped: frame.skipped,
		shows: frame.shows,
		picture: frame.picture,
		sound: 0.0,
		loud: 0.0,
		shown_for: 0.0,
		step: 0.0,
	};
	(out, (sound, loud, step))
}

impl Stage {
	/// Frames and times without a gap, queues within bounds, axes monotone: whatever came in.
	pub fn holds(&self) -> &Self {
		for (a, b) in self.out.iter().zip(self.out.iter().skip(1)) {
			let thirtieths = (b.at - a.at) * 30.0;
			assert!(
				(thirtieths - 1.0 - b.skipped as f64).abs() < 1e-5,
				"from {} to {}",
				a.at,
				b.at
			);
		}
		assert!(self.most_pictures <= 48, "{} pictures wait", self.most_pictures);
		assert!(self.most_samples <= 4 * 48_000, "{} samples wait", self.most_samples);
		for out in &self.out {
			assert!(out.step < 200.0, "a click of {} at {}", out.step, out.at);
		}
		for ((id, picture), axis) in &self.placed {
			let monotone = axis.windows(2).all(|w| w[0] <= w[1]);
			assert!(monotone, "axis of {id}, pictures: {picture}");
		}
		for (a, b) in self.notices.iter().zip(self.notices.iter().skip(1)) {
			assert!(
				b.0 - a.0 >= 60.0 || self.publishers_differ(a.0, b.0),
				"a line a minute: {a:?} {b:?}"
			);
		}
		self
	}

	/// What came more than 2 s before is not newer than what is shown.
	pub fn fresh(&self) -> &Self {
		let mut arrived: Vec<_> = self
			.pictures
			.iter()
			.map(|((id, taken), at)| (*at, *id, *taken))
			.collect();
		arrived.sort_by(|a, b| a.0.total_cmp(&b.0));
		let mut newest: BTreeMap<u64, i64> = BTreeMap::new();
		let mut arrived = arrived.into_iter().peekable();
		for out in &self.out {
			while let Some((_, id, taken)) = arrived.next_if(|a| a.0 < out.at - 2.0) {
				newest.insert(id, taken);
			}
			if let Some((id, taken)) = out.picture {
				let newer = newest.get(&id).filter(|n| **n > taken);
				assert!(newer.is_none(), "a picture of {newer:?} came long ago: {out:?}");
			}
		}
		self
	}

	fn publishers_differ(&self, _a: f64, _b: f64) -> bool {
		self.placed.keys().map(|k| k.0).max() > Some(0)
	}

	/// How far the sound of the `n`-th frame is from its picture, s: 0 while it belongs to the picture, `None` where
	/// one of them is not there. A picture holds until the next one that is shown, if that had arrived.
	pub fn apart(&self, n: usize) -> Option<f64> {
		let out = &self.out[n];
		let (id, taken) = out.picture?;
		if out.loud < 0.9 || out.shown_for > PERIOD / 3.0 {
			return None;
		}
		// What came later than the largest buffer could bear is not there.
		let in_time = |p: &(u64, i64)| self.pictures[p] - p.1 as f64 / 1e6 < 1.2;
		let ahead = &self.out[n..self.out.len().min(n + 2 * PERIOD as usize * 30)];
		let (next, shown) = ahead
			.iter()
			.find(|o| o.picture != out.picture)
			.map(|o| (o.picture, o.at))?;
		let next = next?;
		// Who takes over may be heard up to a second before it is seen.
		if next.0 != id && shown - out.at < 1.0 {
			return None;
		}
		let known = next.0 == id && self.pictures[&next] <= out.at && in_time(&next);
		if !in_time(&(id, taken)) {
			return None;
		}
		let length = (next.1 - taken) as f64 / 1e6;
		let taken = taken as f64 / 1e6;
		// From the picture to the sound in the middle of the frame, the way that is nearest.
		let after = (out.sound - 1.0 / 60.0 - taken).rem_euclid(PERIOD);
		match known {
			true if after <= PERIOD / 2.0 + length / 2.0 => Some((after - length).max(0.0)),
			false if after <= PERIOD * 0.75 => Some(0.0),
			_ => Some(after - PERIOD),
		}
	}

	/// Sound and picture belong together within 80 ms wherever both are there.
	pub fn in_step(&self) -> &Self {
		for n in 0..self.out.len() {
			if let Some(apart) = self.apart(n) {
				assert!(apart.abs() <= 0.08, "{:.0} ms apart: {:?}", apart * 1e3, self.out[n]);
			}
		}
		self
	}

	/// When pictures were shown first, how long after their arrival, s, and the frames skipped just before.
	pub fn waits(&self) -> Vec<(f64, f64, u64)> {
		let new = self.out.iter().filter(|o| o.shows == Shows::New);
		new.filter_map(|o| Some((o.at, o.at - self.pictures[&o.picture?], o.skipped)))
			.collect()
	}

	/// No picture waited for longer than the largest buffer and a span of sound allow.
	pub fn nothing_old(&self) -> &Self {
		for (at, wait, skipped) in self.waits() {
			assert!(
				(-0.001..1.3 + skipped as f64 / 30.0).contains(&wait),
				"at {at} a picture is shown that came {wait:.3} s before"
			);
		}
		self
	}

	pub fn between(&self, from: f64, to: f64) -> impl Iterator<Item = &Out> {
		self.out.iter().filter(move |o| (from..to).contains(&o.at))
	}

	/// Frames of the span that show something new.
	pub fn new_pictures(&self, from: f64, to: f64) -> usize {
		self.between(from, to).filter(|o| o.shows == Shows::New).count()
	}

	/// Share of the span's frames with full sound.
	pub fn heard(&self, from: f64, to: f64) -> f64 {
		let all = self.between(from, to).count();
		self.between(from, to).filter(|o| o.loud > 0.9).count() as f64 / all as f64
	}
}
