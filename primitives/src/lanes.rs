//! SHA-256 of several messages at a time, for processors with wide registers and without SHA instructions.
//!
//! Plain arithmetic on arrays of eight words, one lane per message: compiled for AVX2, each array is one register. Four
//! times as fast as one message after the other in portable code, and slower than SHA instructions, so it is used
//! only where those are missing.

use crate::crypto::Hash;

/// Messages hashed at a time: words of an AVX2 register.
pub const LANES: usize = 8;

/// A word of each lane.
type Words = [u32; LANES];

/// Whether this processor is better off with [`digest`] than with one message after the other.
pub fn worthwhile() -> bool {
	std::arch::is_x86_feature_detected!("avx2") && !std::arch::is_x86_feature_detected!("sha")
}

/// `H(prefix ‖ message)` of each message. `None` unless [`worthwhile`].
pub fn digest(prefix: u8, messages: [&[u8]; LANES]) -> Option<[Hash; LANES]> {
	// SAFETY: the one requirement of `digest_avx2` is a processor with AVX2, which `worthwhile` has just detected.
	worthwhile().then(|| unsafe { digest_avx2(prefix, messages) })
}

#[target_feature(enable = "avx2")]
fn digest_avx2(prefix: u8, messages: [&[u8]; LANES]) -> [Hash; LANES] {
	let counts = messages.map(block_count);
	let most = counts.into_iter().max().unwrap_or(0);
	let mut state = INITIAL.map(|word| [word; LANES]);
	let mut digests = [Hash([0; 32]); LANES];
	for index in 0..most {
		let mut blocks = [[0; 64]; LANES];
		for (out, message) in blocks.iter_mut().zip(messages) {
			*out = block(prefix, message, index);
		}
		compress(&mut state, &blocks);
		for lane in 0..LANES {
			if index + 1 == counts[lane] {
				for (bytes, words) in digests[lane].0.as_chunks_mut::<4>().0.iter_mut().zip(&state) {
					*bytes = words[lane].to_be_bytes();
				}
			}
		}
	}
	digests
}

/// Blocks of prefix, message, padding byte and length.
fn block_count(message: &[u8]) -> usize {
	(1 + message.len() + 8) / 64 + 1
}

/// Block `index` of the padded message; past its end, anything.
#[inline(always)]
fn block(prefix: u8, message: &[u8], index: usize) -> [u8; 64] {
	// The prefix shifts the message by one byte.
	let start = (64 * index).wrapping_sub(1);
	if let Some(whole) = message.get(start..).and_then(|rest| rest.first_chunk()) {
		return *whole;
	}
	let mut block = [0; 64];
	let end = match index {
		0 => {
			block[0] = prefix;
			let head = &message[..message.len().min(63)];
			block[1..=head.len()].copy_from_slice(head);
			1 + message.len()
		},
		_ => {
			let rest = message.get(start..).unwrap_or(&[]);
			block[..rest.len()].copy_from_slice(rest);
			(1 + message.len()).wrapping_sub(64 * index)
		},
	};
	if let Some(padding) = block.get_mut(end) {
		*padding = 0x80;
	}
	if index + 1 == block_count(message) {
		block[56..].copy_from_slice(&(8 * (1 + message.len() as u64)).to_be_bytes());
	}
	block
}

/// FIPS 180-4, 6.2.2, on every lane.
#[inline(always)]
fn compress(state: &mut [Words; 8], blocks: &[[u8; 64]; LANES]) {
	let mut schedule = [[0; LANES]; 16];
	for (word, words) in schedule.iter_mut().enumerate() {
		*words = each(|lane| {
			let bytes = &blocks[lane];
			u32::from_be_bytes([
				bytes[4 * word],
				bytes[4 * word + 1],
				bytes[4 * word + 2],
				bytes[4 * word + 3],
			])
		});
	}
	let mut working = *state;
	for round in 0..64 {
		let word = match round {
			0..16 => schedule[round],
			_ => {
				let (w15, w2) = (schedule[(round - 15) % 16], schedule[(round - 2) % 16]);
				let (w16, w7) = (schedule[round % 16], schedule[(round - 7) % 16]);
				let word = each(|i| {
					let s0 = w15[i].rotate_right(7) ^ w15[i].rotate_right(18) ^ (w15[i] >> 3);
					let s1 = w2[i].rotate_right(17) ^ w2[i].rotate_right(19) ^ (w2[i] >> 10);
					w16[i].wrapping_add(s0).wrapping_add(w7[i]).wrapping_add(s1)
				});
				schedule[round % 16] = word;
				word
			},
		};
		let [a, b, c, d, e, f, g, h] = working;
		let t1 = each(|i| {
			let s1 = e[i].rotate_right(6) ^ e[i].rotate_right(11) ^ e[i].rotate_right(25);
			let choice = (e[i] & f[i]) ^ (!e[i] & g[i]);
			let keyed = word[i].wrapping_add(ROUND_CONSTANTS[round]);
			h[i].wrapping_add(s1).wrapping_add(choice).wrapping_add(keyed)
		});
		let t2 = each(|i| {
			let s0 = a[i].rotate_right(2) ^ a[i].rotate_right(13) ^ a[i].rotate_right(22);
			let majority = (a[i] & b[i]) ^ (a[i] & c[i]) ^ (b[i] & c[i]);
			s0.wrapping_add(majority)
		});
		let (new_e, new_a) = (each(|i| d[i].wrapping_add(t1[i])), each(|i| t1[i].wrapping_add(t2[i])));
		working = [new_a, a, b, c, new_e, e, f, g];
	}
	for (words, new) in state.iter_mut().zip(working) {
		*words = each(|i| words[i].wrapping_add(new[i]));
	}
}

/// A plain loop: what the standard library would call here is compiled without AVX2 and would stay a call.
#[inline(always)]
fn each(word: impl Fn(usize) -> u32) -> Words {
	let mut words = [0; LANES];
	for (lane, out) in words.iter_mut().enumerate() {
		*out = word(lane);
	}
	words
}

/// FIPS 180-4, 5.3.3.
const INITIAL: [u32; 8] = [
	0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19,
];

/// FIPS 180-4, 4.2.2.
#[rustfmt::skip]
const ROUND_CONSTANTS: [u32; 64] = [
	0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
	0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
	0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
	0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
	0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
	0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
	0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
	0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
];

#[cfg(test)]
mod tests {
	use super::*;
	use crate::crypto::sha256;
	use proptest::prelude::*;

	/// Runs wherever AVX2 is, SHA instructions or not.
	fn check(prefix: u8, messages: [&[u8]; LANES]) {
		if !std::arch::is_x86_feature_detected!("avx2") {
			return;
		}
		// SAFETY: AVX2 was detected.
		let digests = unsafe { digest_avx2(prefix, messages) };
		for (digest, message) in digests.iter().zip(messages) {
			assert_eq!(*digest, sha256(&[&[prefix], message]), "{} bytes", message.len());
		}
	}

	#[test]
	fn lanes_agree_with_sha2_at_every_length_around_a_block() {
		let data: Vec<u8> = (0..300u32).map(|i| (i * 7) as u8).collect();
		for len in 0..=200 {
			check(0, core::array::from_fn(|lane| &data[lane..lane + len]));
			check(1, core::array::from_fn(|lane| &data[..len.saturating_sub(lane * 29)]));
		}
	}

	proptest! {
		#[test]
		fn lanes_agree_with_sha2(prefix: u8, data in prop::collection::vec(any::<u8>(), 0..20_000), cuts: [u16; LANES]) {
			check(prefix, core::array::from_fn(|lane| &data[..usize::from(cuts[lane]) % (data.len() + 1)]));
		}
	}
}
