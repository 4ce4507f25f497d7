//! Where sound was left out: what was heard before fades out over what is heard behind, which fades in. Cut, it would click.

use crate::picture::{CHANNELS, SAMPLE_RATE};

/// Samples of both channels: 5 ms.
const RAMP: usize = SAMPLE_RATE as usize / 200 * CHANNELS;

/// What would have been heard next; nothing, where nothing was left out.
#[derive(Debug, Default)]
pub(super) struct Seam {
	tail: Vec<i16>,
}

impl Seam {
	/// This is left out. What follows it until [`Seam::close`] is as well.
	pub(super) fn open(&mut self, left_out: impl IntoIterator<Item = i16>) {
		if self.tail.is_empty() {
			self.tail.extend(left_out.into_iter().take(RAMP));
		}
	}

	/// This is heard, signed 16 bit.
	pub(super) fn close(&mut self, sound: &mut [u8]) {
		for (index, (old, sample)) in self.tail.drain(..).zip(sound.chunks_exact_mut(2)).enumerate() {
			let gain = (index / CHANNELS) as f32 / (RAMP / CHANNELS) as f32;
			let new = i16::from_le_bytes([sample[0], sample[1]]);
			let mixed = f32::from(new) * gain + f32::from(old) * (1.0 - gain);
			sample.copy_from_slice(&(mixed.round() as i16).to_le_bytes());
		}
	}
}
