//! A source's sound: put in place by stamp, read at the clock's pace.

use super::{playout::MAX_PPM, playout::SOUND_SPAN, Figures, SECOND};
use crate::picture::{CHANNELS, SAMPLES_PER_PICTURE, SAMPLE_RATE};
use rubato::{
	audioadapter_buffers::direct::InterleavedSlice, Adjustable, Async, FixedAsync, Resampler,
	SincInterpolationParameters, WindowFunction,
};
use std::{collections::VecDeque, fmt};

/// A stamp that is no further from where the sound before it ended is rounding or jitter of an encoder's clock:
/// samples follow each other, and the difference is made up for slowly. More is a hole, or something that was sent
/// twice. 30 ms.
const TOLERANCE: i64 = SAMPLE_RATE as i64 * 3 / 100;

/// Sound begins and ends with a ramp of 5 ms, so that it does not click.
const RAMP: usize = SAMPLE_RATE as usize / 200;

/// A stamp that is off by more than that may tell of a lost frame: half a frame of AAC.
const LOST: f64 = SAMPLE_RATE as f64 / 100.0;

/// What can be heard as a click: a step that is so many times as large as those around it, and larger than
/// [`SMALL`] of 32,768.
const STEEP: i32 = 3;
const SMALL: i32 = 100;

/// So many samples before a seam and behind it say how large steps are: 1 ms.
const AROUND: usize = SAMPLE_RATE as usize / 1000;

/// Most that waits, of each channel: 4 s are 768 kB.
const MAX_SAMPLES: i64 = SAMPLE_RATE as i64 * 4;
const _: () = assert!(MAX_SAMPLES * SECOND / SAMPLE_RATE as i64 > SOUND_SPAN);

/// Further from where it should be than that, reading jumps there; 50 ms.
const ASTRAY: f64 = SAMPLE_RATE as f64 / 20.0;

/// How much of the difference between stamps and counted samples is taken over with each piece of sound.
const SLOWLY: f64 = 1.0 / 64.0;

/// Taps of the filter: it ends at 21.7 kHz, and its delay of 0.7 ms is made up for.
const TAPS: usize = 64;

/// Differences are made up for in about that many samples: 0.5 s.
const CALM: f64 = SAMPLE_RATE as f64 / 2.0;

/// Consecutive samples.
struct Piece {
	/// Position of the first, samples.
	start: i64,
	samples: Vec<i16>,
	/// Follows the piece before it without a seam.
	joins: bool,
}

impl Piece {
	fn end(&self) -> i64 {
		self.start + (self.samples.len() / CHANNELS) as i64
	}
}

/// Positions are samples since the source's time 0, of each channel.
pub(super) struct Sound {
	pieces: VecDeque<Piece>,
	waiting: i64,
	/// Where the last piece ended, and with which samples.
	end: Option<i64>,
	last: Vec<i16>,
	/// Something between the last piece and the next was dropped.
	broken: bool,
	/// All that is in the resampler is silence.
	quiet: bool,
	/// Counted samples against stamps.
	shift: f64,
	/// Next position to go into the resampler, once it reads.
	head: Option<i64>,
	/// Position of the next sample out of it.
	position: f64,
	/// Loudness of the last sample read, for ramps.
	gain: f32,
	/// What fades out where reading jumped.
	tail: Vec<f32>,
	resampler: Async<f32>,
	input: Vec<f32>,
	output: Vec<f32>,
}

impl fmt::Debug for Sound {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		f.debug_struct("Sound")
			.field("waiting", &self.waiting)
			.field("head", &self.head)
			.finish_non_exhaustive()
	}
}

impl Sound {
	pub(super) fn new() -> Self {
		let parameters = SincInterpolationParameters::new(TAPS, WindowFunction::Blackman);
		let range = 1.0 + 2.0 * MAX_PPM / 1e6;
		let resampler = Async::new_sinc(
			1.0,
			range,
			&parameters,
			SAMPLES_PER_PICTURE,
			CHANNELS,
			FixedAsync::Output,
		)
		.expect("ratios and sizes are constants above 0");
		Self {
			pieces: VecDeque::new(),
			waiting: 0,
			end: None,
			last: Vec::new(),
			broken: false,
			quiet: false,
			shift: 0.0,
			head: None,
			position: 0.0,
			gain: 0.0,
			tail: Vec::new(),
			resampler,
			input: Vec::new(),
			output: vec![0.0; SAMPLES_PER_PICTURE * CHANNELS],
		}
	}

	/// Samples of each channel that wait.
	pub(super) fn len(&self) -> usize {
		self.waiting.max(0) as usize
	}

	/// Nothing waits, in the queue.
	pub(super) fn is_empty(&self) -> bool {
		self.pieces.is_empty()
	}

	/// Nothing waits, in the resampler neither.
	pub(super) fn is_over(&self) -> bool {
		self.pieces.is_empty() && (self.quiet || self.head.is_none())
	}

	/// Interleaved samples from source time `at`, ns.
	pub(super) fn push(&mut self, at: i64, samples: &[i16], figures: &mut Figures) {
		let count = (samples.len() / CHANNELS) as i64;
		let stamp = to_samples(at);
		let by_stamp = stamp + self.shift;
		let (start, joins) = match self.end {
			Some(end) if self.follows(end as f64 - by_stamp, samples) => {
				self.shift += (end as f64 - stamp - self.shift) * SLOWLY;
				(end, true)
			},
			_ => (by_stamp.round() as i64, false),
		};
		self.last.clear();
		self.last
			.extend_from_slice(&samples[samples.len().saturating_sub(AROUND * CHANNELS)..]);
		// What was there, or was read, is not put there again.
		let from = self.end.max(self.head).unwrap_or(start);
		let cut = (from - start).clamp(0, count);
		figures.late_samples += cut as u64;
		if cut == count {
			self.lose();
			return;
		}
		let kept = samples[cut as usize * CHANNELS..count as usize * CHANNELS].to_vec();
		let joins = joins && cut == 0 && !self.broken && self.pieces.back().is_some_and(|p| p.end() == start);
		self.broken = false;
		self.pieces.push_back(Piece {
			start: start + cut,
			samples: kept,
			joins,
		});
		self.waiting += count - cut;
		self.end = Some(start + count);
		while self.waiting > MAX_SAMPLES {
			figures.full_samples += self.drop_first() as u64;
		}
	}

	/// Whether samples whose stamp is `off` by so much go on where those before them ended.
	fn follows(&self, off: f64, samples: &[i16]) -> bool {
		off.abs() <= LOST || off.abs() <= TOLERANCE as f64 && !is_step(&self.last, samples)
	}

	/// What would have come next was dropped.
	pub(super) fn lose(&mut self) {
		self.broken = true;
	}

	fn drop_first(&mut self) -> i64 {
		let dropped = self.pieces.pop_front().map_or(0, |p| p.end() - p.start);
		self.waiting -= dropped;
		dropped
	}

	/// Reading goes on `by` ns of source time from here.
	pub(super) fn jump(&mut self, by: i64, figures: &mut Figures) {
		let Some(head) = self.head else { return };
		let by = to_samples(by).round();
		// What was being heard fades out where it is, once.
		if self.tail.is_empty() {
			let mut tail = std::mem::take(&mut self.tail);
			self.feed(head, RAMP, &mut tail, figures);
			for (i, pair) in tail.chunks_exact_mut(CHANNELS).enumerate() {
				let gain = 1.0 - i as f32 / RAMP as f32;
				pair.iter_mut().for_each(|s| *s *= gain);
			}
			self.tail = tail;
		}
		self.gain = 0.0;
		self.position += by;
		self.head = Some(head + by as i64);
	}

	/// The 1,600 samples for the frame at source time `at`, ns. Returns how many of them are silence.
	pub(super) fn read(&mut self, at: i64, out: &mut Vec<i16>, figures: &mut Figures) -> u64 {
		let wanted = to_samples(at) + self.shift;
		if self.head.is_none() {
			self.position = wanted.round();
			self.head = Some(wanted.round() as i64 + self.resampler.output_delay() as i64);
		} else if (wanted - self.position).abs() > ASTRAY {
			self.jump(to_ns(wanted - self.position), figures);
		}
		let head = self.head.unwrap_or_default();
		let step = 1.0 + ((wanted - self.position) / CALM).clamp(-MAX_PPM / 1e6, MAX_PPM / 1e6);
		// In range: the resampler was made for twice MAX_PPM.
		let set = self.resampler.set_resample_ratio(1.0 / step, false);
		let needed = self.resampler.input_frames_next();
		self.input.clear();
		let mut input = std::mem::take(&mut self.input);
		let silence = self.feed(head, needed, &mut input, figures);
		self.input = input;
		out.clear();
		out.resize(SAMPLES_PER_PICTURE * CHANNELS, 0);
		let nothing = silence == needed;
		let silent = nothing && self.tail.is_empty();
		if silent && self.quiet {
			// Nothing to resample, and no pace to keep.
			self.position += SAMPLES_PER_PICTURE as f64;
			self.head = Some(head + SAMPLES_PER_PICTURE as i64);
			return SAMPLES_PER_PICTURE as u64;
		}
		self.quiet = silent;
		for (sample, tail) in self.input.iter_mut().zip(self.tail.drain(..)) {
			*sample += tail;
		}
		self.position += SAMPLES_PER_PICTURE as f64 * step;
		self.head = Some(head + needed as i64);
		if set.is_ok() && self.resample(needed) {
			for (out, sample) in out.iter_mut().zip(&self.output) {
				*out = sample.round().clamp(-32_768.0, 32_767.0) as i16;
			}
		}
		// The resampler may have needed fewer: silence is no sound for that.
		if nothing {
			SAMPLES_PER_PICTURE as u64
		} else {
			silence.min(SAMPLES_PER_PICTURE - 1) as u64
		}
	}

	fn resample(&mut self, needed: usize) -> bool {
		let input = InterleavedSlice::new(&self.input, CHANNELS, needed);
		let output = InterleavedSlice::new_mut(&mut self.output, CHANNELS, SAMPLES_PER_PICTURE);
		let (Ok(input), Ok(mut output)) = (input, output) else {
			return false;
		};
		self.resampler.process_into_buffer(&input, &mut output, None).is_ok()
	}

	/// Appends `count` samples from position `head`, with ramps at the edges of sound. Returns how many of them are
	/// silence.
	fn feed(&mut self, head: i64, count: usize, out: &mut Vec<f32>, figures: &mut Figures) -> usize {
		let end = head + count as i64;
		let mut at = head;
		let mut silence = 0;
		while at < end {
			while self.pieces.front().is_some_and(|p| p.end() <= at) {
				// Only where reading jumped over it.
				figures.late_samples += self.drop_first() as u64;
			}
			let next = self.pieces.front().map_or(end, |p| p.start.clamp(at, end));
			if next > at {
				let gap = (next - at) as usize;
				out.resize(out.len() + gap * CHANNELS, 0.0);
				silence += gap;
				self.gain = 0.0;
				at = next;
				continue;
			}
			let run_end = self.run_end();
			let Some(piece) = self.pieces.front_mut() else { continue };
			let until = piece.end().min(end);
			let skip = (at - piece.start) as usize;
			let take = (until - at) as usize;
			for (i, pair) in piece.samples[skip * CHANNELS..(skip + take) * CHANNELS]
				.chunks_exact(CHANNELS)
				.enumerate()
			{
				let left = (run_end - at) as usize - i;
				self.gain = (self.gain + 1.0 / RAMP as f32).min((left as f32 / RAMP as f32).min(1.0));
				out.extend(pair.iter().map(|s| f32::from(*s) * self.gain));
			}
			at = until;
			// Read samples are gone.
			let read = skip + take;
			self.waiting -= read as i64;
			if at == piece.end() {
				self.pieces.pop_front();
			} else {
				piece.samples.drain(..read * CHANNELS);
				piece.start = at;
			}
		}
		silence
	}

	/// Where the sound that the first piece belongs to ends.
	fn run_end(&self) -> i64 {
		let mut end = self.pieces.front().map_or(0, Piece::end);
		for piece in self.pieces.iter().skip(1).take_while(|p| p.joins) {
			end = piece.end();
			if end - self.pieces[0].start > (SAMPLES_PER_PICTURE + RAMP) as i64 * 2 {
				break;
			}
		}
		end
	}
}

/// Whether it would click if they followed each other.
fn is_step(before: &[i16], after: &[i16]) -> bool {
	let after = &after[..after.len().min(AROUND * CHANNELS)];
	(0..CHANNELS).any(|channel| {
		let of = |samples: &[i16]| -> Vec<i32> {
			samples
				.iter()
				.skip(channel)
				.step_by(CHANNELS)
				.map(|s| i32::from(*s))
				.collect()
		};
		let (before, after) = (of(before), of(after));
		let (Some(last), Some(first)) = (before.last(), after.first()) else {
			return false;
		};
		let largest = |samples: &[i32]| samples.windows(2).map(|w| (w[1] - w[0]).abs()).max();
		let around = largest(&before).max(largest(&after)).unwrap_or_default();
		(first - last).abs() > SMALL.max(STEEP * around)
	})
}

/// Both ways exact to a hundredth of a sample for some years.
fn to_samples(ns: i64) -> f64 {
	ns as f64 * f64::from(SAMPLE_RATE) / SECOND as f64
}

fn to_ns(samples: f64) -> i64 {
	(samples * SECOND as f64 / f64::from(SAMPLE_RATE)) as i64
}
