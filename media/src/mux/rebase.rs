//! The same fragment elsewhere on the timeline: files begin at 0, whatever came before them.
//!
//! Only fragments as [`super::Part`] writes them are taken.

use super::{MediaTime, PICTURE_DURATION, PICTURE_TRACK, SAMPLES, SOUND_TRACK};

/// Bytes of a box's size and kind.
const BOX_HEADER: usize = 8;

/// Bytes of its version and flags.
const FULL: usize = 4;

/// Why a fragment is not moved: it is none of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no fragment with picture and sound")]
pub struct MoveError;

/// A fragment elsewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moved {
	/// Its bytes.
	pub data: Vec<u8>,
	/// Where the next one goes.
	pub end: MediaTime,
}

/// The fragment with its first picture at `to`; sound keeps its distance to the picture.
pub fn move_to(fragment: &[u8], to: MediaTime) -> Result<Moved, MoveError> {
	let mut moved = Moved {
		data: fragment.to_vec(),
		end: to,
	};
	let mut times = [None; 2];
	for (at, kind, length) in boxes(fragment, 0..fragment.len()) {
		if &kind != b"moof" {
			continue;
		}
		for (at, kind, length) in boxes(fragment, at..at + length) {
			if &kind != b"traf" {
				continue;
			}
			let find = |wanted: &[u8; 4]| boxes(fragment, at..at + length).find(|(_, kind, _)| kind == wanted);
			let (track, _, _) = find(b"tfhd").ok_or(MoveError)?;
			let (time, _, _) = find(b"tfdt").ok_or(MoveError)?;
			let (run, _, _) = find(b"trun").ok_or(MoveError)?;
			match u32_at(fragment, track + FULL)? {
				PICTURE_TRACK => {
					times[0] = Some(time);
					moved.end = to.after(u32_at(fragment, run + FULL)?.into());
				},
				SOUND_TRACK => times[1] = Some(time),
				_ => return Err(MoveError),
			}
		}
	}
	let [Some(picture), Some(sound)] = times else {
		return Err(MoveError);
	};
	let from = u64_at(fragment, picture + FULL)?;
	let target = to.pictures() * u64::from(PICTURE_DURATION);
	let sound_from = u64_at(fragment, sound + FULL)?;
	// Whole pictures, so the distance is exact.
	let distance = i128::from(sound_from) - i128::from(from / u64::from(PICTURE_DURATION)) * i128::from(SAMPLES);
	let sound_target = u64::try_from(i128::from(to.samples()) + distance).map_err(|_| MoveError)?;
	let mut put = |at: usize, time: u64| moved.data[at..at + 8].copy_from_slice(&time.to_be_bytes());
	put(picture + FULL, target);
	put(sound + FULL, sound_target);
	if let Some((at, _, length)) = boxes(fragment, 0..fragment.len()).find(|(_, kind, _)| kind == b"prft") {
		// Behind track and UTC. A time that no longer fits its 32 bits says as much as one that wraps.
		let media_time = at + FULL + 4 + 8;
		match length - (media_time - at).min(length) {
			4 => moved.data[media_time..media_time + 4].copy_from_slice(&(target as u32).to_be_bytes()),
			8 => moved.data[media_time..media_time + 8].copy_from_slice(&target.to_be_bytes()),
			_ => return Err(MoveError),
		}
	}
	Ok(moved)
}

/// The boxes in `range`: where the content begins, its kind, its length. Ends where there is no box.
fn boxes(bytes: &[u8], range: std::ops::Range<usize>) -> impl Iterator<Item = (usize, [u8; 4], usize)> + '_ {
	let mut at = range.start;
	std::iter::from_fn(move || {
		let header = bytes.get(at..range.end)?.get(..BOX_HEADER)?;
		let size = u32::from_be_bytes([header[0], header[1], header[2], header[3]]) as usize;
		let content = size.checked_sub(BOX_HEADER)?;
		if size > range.end - at {
			return None;
		}
		let found = (at + BOX_HEADER, [header[4], header[5], header[6], header[7]], content);
		at += size;
		Some(found)
	})
}

fn u32_at(bytes: &[u8], at: usize) -> Result<u32, MoveError> {
	let field = bytes.get(at..at + 4).and_then(|field| field.try_into().ok());
	field.map(u32::from_be_bytes).ok_or(MoveError)
}

fn u64_at(bytes: &[u8], at: usize) -> Result<u64, MoveError> {
	let field = bytes.get(at..at + 8).and_then(|field| field.try_into().ok());
	field.map(u64::from_be_bytes).ok_or(MoveError)
}
