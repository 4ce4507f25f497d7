//! The initialisation segment: what the two encoders say of themselves, around which all else is constant.

use super::{NON_SYNC, PICTURE_DURATION, PICTURE_TIMESCALE, PICTURE_TRACK, SOUND_TRACK, SYNC};
use crate::{
	h264,
	picture::{CHANNELS, HEIGHT, SAMPLES_PER_FRAME, SAMPLE_RATE, WIDTH},
};
use bytes::Bytes;
use mp4_atom::{
	esds::{DecoderConfig, DecoderSpecific, EsDescriptor, SLConfig},
	Atom, Audio, Avc1, Avcc, Codec, Colr, Decode, Dinf, Dref, DrefEntry, Encode, Esds, FourCC, Ftyp, Hdlr, Mdhd, Mdia,
	Minf, Moov, Mp4a, Mvex, Mvhd, Pasp, Smhd, Stbl, Stco, Stsd, Tkhd, Trak, Trex, Url, Visual, Vmhd,
};

/// BT.709 among the numbers of ITU-T H.273, of primaries, transfer and matrix alike.
const BT709: u16 = 1;

/// AAC in an elementary stream descriptor (ISO/IEC 14496-1, table 5).
const AAC: u8 = 0x40;

/// Sound likewise (table 6).
const AUDIO_STREAM: u8 = 5;

/// AAC-LC, 48 kHz, stereo, as an `AudioSpecificConfig` says it.
const SOUND: (u8, u8, u8) = (2, 3, CHANNELS as u8);

/// Why nothing can be decoded with what an encoder said of itself.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InitError {
	/// No `AVCDecoderConfigurationRecord` with one or more parameter sets of each kind and lengths of four bytes.
	#[error("the picture's encoder gave no usable parameter sets")]
	Picture,
	/// Something other than AAC-LC, 48 kHz, stereo.
	#[error("the sound's encoder made no AAC-LC of 48 kHz in stereo")]
	Sound,
	/// Larger than a box can be.
	#[error(transparent)]
	Box(#[from] mp4_atom::Error),
}

/// An initialisation segment, and what it says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Init {
	/// `ftyp` and `moov`.
	pub segment: Bytes,
	/// RFC 6381: `avc1.64001f,mp4a.40.2`.
	pub codecs: String,
	/// The picture's parameter sets, each behind its length of four bytes: what [`Part`](super::Part) repeats.
	pub parameter_sets: Bytes,
}

impl Init {
	/// From H.264's `AVCDecoderConfigurationRecord` and AAC's `AudioSpecificConfig`. The same input gives the same bytes.
	pub fn new(picture: &[u8], sound: &[u8]) -> Result<Self, InitError> {
		let avcc = Avcc::decode_body(&mut &*picture).map_err(|_| InitError::Picture)?;
		if avcc.length_size != 4 || avcc.sequence_parameter_sets.is_empty() || avcc.picture_parameter_sets.is_empty() {
			return Err(InitError::Picture);
		}
		let parameter_sets = h264::parameter_sets(&avcc);
		let specific = DecoderSpecific::decode(&mut &*sound).map_err(|_| InitError::Sound)?;
		if (specific.profile, specific.freq_index, specific.chan_conf) != SOUND {
			return Err(InitError::Sound);
		}
		let codecs = format!(
			"avc1.{:02x}{:02x}{:02x},mp4a.40.{}",
			avcc.avc_profile_indication, avcc.profile_compatibility, avcc.avc_level_indication, specific.profile
		);
		let mut segment = Vec::new();
		file_type().encode(&mut segment)?;
		Moov {
			mvhd: Mvhd {
				timescale: PICTURE_TIMESCALE,
				rate: 1.into(),
				volume: 1.into(),
				next_track_id: SOUND_TRACK + 1,
				..Default::default()
			},
			mvex: Some(Mvex {
				trex: vec![
					defaults(PICTURE_TRACK, PICTURE_DURATION, NON_SYNC),
					defaults(SOUND_TRACK, SAMPLES_PER_FRAME, SYNC),
				],
				..Default::default()
			}),
			trak: vec![picture_track(avcc), sound_track(specific)],
			..Default::default()
		}
		.encode(&mut segment)?;
		Ok(Self {
			segment: segment.into(),
			codecs,
			parameter_sets,
		})
	}
}

/// `iso6` has all that is used here (`default-base-is-moof`, `prft`).
fn file_type() -> Ftyp {
	let brands = [b"iso6", b"iso5", b"mp41"];
	Ftyp {
		major_brand: FourCC::new(brands[0]),
		minor_version: 0,
		compatible_brands: brands.into_iter().map(FourCC::new).collect(),
	}
}

fn defaults(track_id: u32, default_sample_duration: u32, default_sample_flags: u32) -> Trex {
	Trex {
		track_id,
		default_sample_description_index: 1,
		default_sample_duration,
		default_sample_size: 0,
		default_sample_flags,
	}
}

fn picture_track(avcc: Avcc) -> Trak {
	let (width, height) = (WIDTH as u16, HEIGHT as u16);
	let entry = Avc1 {
		visual: Visual {
			data_reference_index: 1,
			width,
			height,
			..Default::default()
		},
		avcc,
		colr: Some(Colr::Nclx {
			colour_primaries: BT709,
			transfer_characteristics: BT709,
			matrix_coefficients: BT709,
			full_range_flag: false,
		}),
		pasp: Some(Pasp {
			h_spacing: 1,
			v_spacing: 1,
		}),
		..Default::default()
	};
	let tkhd = Tkhd {
		width: width.into(),
		height: height.into(),
		..header(PICTURE_TRACK)
	};
	let minf = Minf {
		vmhd: Some(Vmhd::default()),
		..media(Codec::Avc1(entry))
	};
	track(tkhd, PICTURE_TIMESCALE, b"vide", minf)
}

fn sound_track(dec_specific: DecoderSpecific) -> Trak {
	let entry = Mp4a {
		audio: Audio {
			data_reference_index: 1,
			channel_count: CHANNELS as u16,
			sample_size: 16,
			sample_rate: (SAMPLE_RATE as u16).into(),
		},
		esds: Esds {
			es_desc: EsDescriptor {
				es_id: SOUND_TRACK as u16,
				dec_config: DecoderConfig {
					object_type_indication: AAC,
					stream_type: AUDIO_STREAM,
					dec_specific: Some(dec_specific),
					..Default::default()
				},
				sl_config: SLConfig::default(),
				..Default::default()
			},
		},
		btrt: None,
		taic: None,
	};
	let tkhd = Tkhd {
		volume: 1.into(),
		..header(SOUND_TRACK)
	};
	let minf = Minf {
		smhd: Some(Smhd::default()),
		..media(Codec::Mp4a(entry))
	};
	track(tkhd, SAMPLE_RATE, b"soun", minf)
}

fn header(track_id: u32) -> Tkhd {
	Tkhd {
		track_id,
		enabled: true,
		in_movie: true,
		..Default::default()
	}
}

fn media(codec: Codec) -> Minf {
	Minf {
		dinf: Dinf {
			dref: Dref {
				entries: vec![DrefEntry::Url(Url::default())],
			},
		},
		stbl: Stbl {
			stsd: Stsd { codecs: vec![codec] },
			// Without it, or its 64-bit kin, the box is not what the standard says.
			stco: Some(Stco::default()),
			..Default::default()
		},
		..Default::default()
	}
}

fn track(tkhd: Tkhd, timescale: u32, handler: &[u8; 4], minf: Minf) -> Trak {
	Trak {
		tkhd,
		mdia: Mdia {
			mdhd: Mdhd {
				timescale,
				language: "und".into(),
				..Default::default()
			},
			hdlr: Hdlr {
				handler: FourCC::new(handler),
				name: String::new(),
			},
			minf,
		},
		..Default::default()
	}
}
