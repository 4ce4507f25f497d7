//! One fragment: pictures and the sound that goes with them.

use super::{MediaTime, PICTURE_DURATION, PICTURE_TRACK, SOUND_TRACK, SYNC};
use crate::picture::SAMPLES_PER_FRAME;
use bytes::{BufMut, Bytes, BytesMut};
use mp4_atom::{Encode, Mfhd, Moof, Prft, ReferenceTime, Tfdt, Tfhd, Traf, Trun, TrunEntry};

/// Seconds from 1900 (NTP) to 1970 (Unix).
const NTP_TO_UNIX: u64 = 2_208_988_800;

/// Bytes of a box's size and kind.
const BOX_HEADER: usize = 8;

/// An encoded picture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccessUnit {
	/// Decodable by itself, and so is what follows it.
	pub key: bool,
	/// NAL units, each behind its length of four bytes.
	pub data: Bytes,
}

/// Pictures, and the frames of sound that begin while they are shown.
#[derive(Clone, Copy, Debug)]
pub struct Part<'a> {
	/// Where its first picture stands.
	pub at: MediaTime,
	/// When that was captured: Unix time, milliseconds.
	pub captured_ms: u64,
	/// At least one.
	pub pictures: &'a [AccessUnit],
	/// Of the initialisation segment: before the first picture, where that is decodable by itself. Players made of FFmpeg read an
	/// initialisation segment once, and decode what is behind another one wrongly without.
	pub parameter_sets: &'a Bytes,
	/// From number [`MediaTime::frame`] of the first picture up to that of the first one behind.
	pub frames: &'a [Bytes],
}

impl Part<'_> {
	/// `prft`, `moof`, `mdat`. The same input gives the same bytes.
	///
	/// # Errors
	/// When it is larger than a box can be.
	pub fn to_bytes(&self) -> Result<Bytes, mp4_atom::Error> {
		debug_assert_eq!(
			self.frames.len() as u64,
			self.at.after(self.pictures.len() as u64).frame() - self.at.frame()
		);
		let parameter_sets = self.repeated();
		let units: usize = self.pictures.iter().map(|unit| unit.data.len()).sum();
		let pictures = parameter_sets.len() + units;
		let sound: usize = self.frames.iter().map(Bytes::len).sum();
		let too_large = |_| mp4_atom::Error::TooLarge(mp4_atom::FourCC::new(b"mdat"));
		let mdat = u32::try_from(BOX_HEADER + pictures + sound).map_err(too_large)?;

		let mut moof = Vec::new();
		// Its own length does not depend on what the offsets say.
		self.moof(0, 0).encode(&mut moof)?;
		let data = i32::try_from(moof.len() + BOX_HEADER).map_err(too_large)?;
		let behind_pictures = i32::try_from(pictures).ok().and_then(|n| data.checked_add(n));
		let sound_at = behind_pictures.ok_or(mp4_atom::Error::TooLarge(mp4_atom::FourCC::new(b"mdat")))?;
		moof.clear();
		self.moof(data, sound_at).encode(&mut moof)?;

		let mut prft = Vec::new();
		self.reference_time().encode(&mut prft)?;
		let mut out = BytesMut::with_capacity(prft.len() + moof.len() + mdat as usize);
		out.put_slice(&prft);
		out.put_slice(&moof);
		out.put_u32(mdat);
		out.put_slice(b"mdat");
		out.put_slice(parameter_sets);
		self.pictures.iter().for_each(|unit| out.put_slice(&unit.data));
		self.frames.iter().for_each(|frame| out.put_slice(frame));
		Ok(out.freeze())
	}

	/// What is written before the first picture.
	fn repeated(&self) -> &[u8] {
		match self.pictures.first() {
			Some(unit) if unit.key => self.parameter_sets,
			_ => &[],
		}
	}

	fn picture_time(&self) -> u64 {
		self.at.pictures() * u64::from(PICTURE_DURATION)
	}

	fn reference_time(&self) -> Prft {
		let fraction = ((self.captured_ms % 1_000) << 32) / 1_000;
		Prft {
			reference_track_id: PICTURE_TRACK,
			// The seconds of NTP begin again in 2036 (RFC 4330, section 3).
			ntp_timestamp: (self.captured_ms / 1_000 + NTP_TO_UNIX) << 32 | fraction,
			media_time: self.picture_time(),
			utc_time_semantics: ReferenceTime::Input,
		}
	}

	/// Offsets of the data, from the first byte of the box.
	fn moof(&self, pictures_at: i32, sound_at: i32) -> Moof {
		let entry = |length: usize, flags| TrunEntry {
			// Below the length of `mdat`, which is checked.
			size: Some(length as u32),
			flags,
			..Default::default()
		};
		let before = self.repeated().len();
		let pictures = self.pictures.iter().enumerate().map(|(index, unit)| match index {
			0 => entry(before + unit.data.len(), unit.key.then_some(SYNC)),
			_ => entry(unit.data.len(), None),
		});
		let sound = self.frames.iter().map(|frame| entry(frame.len(), None));
		Moof {
			mfhd: Mfhd {
				// Rises from part to part, which is all that is asked of it; begins again after four years.
				sequence_number: (self.at.pictures() as u32).wrapping_add(1),
			},
			traf: vec![
				track(PICTURE_TRACK, self.picture_time(), pictures_at, pictures.collect()),
				track(
					SOUND_TRACK,
					self.at.frame() * u64::from(SAMPLES_PER_FRAME),
					sound_at,
					sound.collect(),
				),
			],
		}
	}
}

fn track(track_id: u32, base_media_decode_time: u64, data_offset: i32, samples: Vec<TrunEntry>) -> Traf {
	Traf {
		tfhd: Tfhd {
			track_id,
			default_base_is_moof: true,
			..Default::default()
		},
		tfdt: Some(Tfdt { base_media_decode_time }),
		trun: vec![Trun {
			data_offset: Some(data_offset),
			samples: samples.into(),
		}],
		..Default::default()
	}
}
