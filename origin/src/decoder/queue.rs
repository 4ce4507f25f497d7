//! What a decoder has decoded and nobody has taken yet: bounded, the oldest goes first.

use super::{End, Output};
use clustercast_media::picture::{CHANNELS, SAMPLE_RATE};
use std::collections::VecDeque;

/// Most pictures of 0.6 MB each that wait: 5 MB, a quarter of a second.
const MAX_PICTURES: usize = 8;

/// Most samples of each channel that wait: 2 s.
const MAX_SAMPLES: usize = 2 * SAMPLE_RATE as usize;

/// In the order in which they came.
#[derive(Debug, Default)]
pub(super) struct Queue {
	waiting: VecDeque<Output>,
	pictures: usize,
	samples: usize,
	end: Option<End>,
	/// Pictures that nobody took in time.
	pub(super) dropped: u64,
}

impl Queue {
	pub(super) fn put(&mut self, output: Output) {
		match &output {
			Output::Picture { .. } => self.pictures += 1,
			Output::Sound { samples, .. } => self.samples += samples.len() / CHANNELS,
			Output::End(end) => {
				self.end = Some(end.clone());
				return;
			},
		}
		self.waiting.push_back(output);
		while self.pictures > MAX_PICTURES {
			self.drop_oldest(|output| matches!(output, Output::Picture { .. }));
			self.dropped += 1;
		}
		while self.samples > MAX_SAMPLES {
			self.drop_oldest(|output| matches!(output, Output::Sound { .. }));
		}
	}

	/// The oldest; at last the end, again and again.
	pub(super) fn take(&mut self) -> Option<Output> {
		match self.waiting.pop_front() {
			Some(output) => {
				self.count_out(&output);
				Some(output)
			},
			None => self.end.clone().map(Output::End),
		}
	}

	fn drop_oldest(&mut self, kind: impl Fn(&Output) -> bool) {
		let oldest = self
			.waiting
			.iter()
			.position(kind)
			.and_then(|oldest| self.waiting.remove(oldest));
		if let Some(output) = oldest {
			self.count_out(&output);
		}
	}

	fn count_out(&mut self, output: &Output) {
		match output {
			Output::Picture { .. } => self.pictures -= 1,
			Output::Sound { samples, .. } => self.samples -= samples.len() / CHANNELS,
			Output::End(_) => {},
		}
	}
}

#[cfg(test)]
mod tests {
	use super::*;
	use clustercast_media::picture::Picture;
	use std::time::Duration;

	fn picture(n: u64) -> Output {
		Output::Picture {
			at: Duration::from_secs(n),
			picture: Picture::new(),
		}
	}

	fn sound(n: u64) -> Output {
		Output::Sound {
			at: Duration::from_secs(n),
			samples: vec![0; SAMPLE_RATE as usize * CHANNELS],
		}
	}

	#[test]
	fn a_full_queue_drops_the_oldest_picture_and_no_sound() {
		let mut queue = Queue::default();
		queue.put(sound(0));
		for n in 0..MAX_PICTURES as u64 + 2 {
			queue.put(picture(n));
		}
		assert_eq!(queue.dropped, 2);
		assert_eq!(queue.take(), Some(sound(0)));
		assert_eq!(queue.take(), Some(picture(2)));
		for n in 0..2 {
			queue.put(picture(100 + n));
		}
		assert_eq!((queue.dropped, queue.take()), (3, Some(picture(4))));
	}

	#[test]
	fn old_sound_goes_too() {
		let mut queue = Queue::default();
		for n in 0..4 {
			queue.put(sound(n));
		}
		queue.put(picture(9));
		queue.put(Output::End(End::Over));
		let rest: Vec<_> = std::iter::from_fn(|| queue.take()).take(5).collect();
		let end = || Output::End(End::Over);
		assert_eq!(rest, [sound(2), sound(3), picture(9), end(), end()]);
	}
}
