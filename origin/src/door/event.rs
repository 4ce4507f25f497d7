//! What comes of the door: events for the broadcast, lines for the log.

use clustercast_media::{
	flv::{Codec, Kind, Tag},
	rtmp::{handshake::HandshakeError, Metadata, Refusal, RtmpError},
};
use std::{fmt, net::SocketAddr, sync::Arc, time::Duration};

/// What the publisher of the moment brings. Each publisher's events are `Came`, tags, `Left`; the next one's come behind that.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
	/// It has begun to send what can be shown.
	Came(Came),
	/// A header first, pictures from a key frame on.
	Tag {
		/// As [`Came::publisher`].
		publisher: u64,
		/// H.264 or AAC.
		tag: Tag,
	},
	/// It is over.
	Left {
		/// As [`Came::publisher`].
		publisher: u64,
		/// How.
		end: End,
	},
	/// Only with [`Proof::Decoder`](super::policy::Proof): whether these can be decoded is to be said by
	/// [`Door::proved`](super::policy::Door::proved). The publisher is not live yet.
	Asks {
		/// As later in [`Came::publisher`].
		publisher: u64,
		/// Headers and a key frame.
		tags: Vec<Tag>,
	},
}

/// Who is live from now on.
#[derive(Clone, Debug, PartialEq)]
pub struct Came {
	/// Counts from 1 as long as the program runs.
	pub publisher: u64,
	/// Its end of the connection.
	pub from: SocketAddr,
	/// Name of its program.
	pub encoder: Option<String>,
	/// There is a picture, H.264.
	pub picture: bool,
	/// There is sound, AAC, as its header says.
	pub sound: Option<Sound>,
	/// What it says itself.
	pub metadata: Metadata,
}

/// What AAC's header says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sound {
	/// Samples a second.
	pub rate: Option<u32>,
	/// 0: as the stream says.
	pub channels: u8,
}

impl Sound {
	/// Of an `AudioSpecificConfig`.
	pub fn new(header: &[u8]) -> Self {
		const RATES: [u32; 13] = [
			96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8_000, 7_350,
		];
		let word = u16::from_be_bytes([
			header.first().copied().unwrap_or_default(),
			header.get(1).copied().unwrap_or_default(),
		]);
		Self {
			rate: RATES.get(usize::from(word >> 7 & 0xF)).copied(),
			channels: (word >> 3 & 0xF) as u8,
		}
	}
}

impl fmt::Display for Came {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		let Self { metadata, .. } = self;
		write!(f, "a publisher came from {}", self.from)?;
		if let Some(encoder) = &self.encoder {
			write!(f, " with {encoder:?}")?;
		}
		if self.picture {
			f.write_str(": H.264")?;
			if let (Some(width), Some(height)) = (metadata.width, metadata.height) {
				write!(f, " {width}x{height}")?;
			}
			if let Some(rate) = metadata.rate {
				write!(f, " at {} pictures/s", (rate * 100.0).round() / 100.0)?;
			}
		} else {
			f.write_str(": no picture so far")?;
		}
		match self.sound {
			None => f.write_str(", no sound so far")?,
			Some(Sound { rate, channels }) => {
				f.write_str(", AAC")?;
				if let Some(rate) = rate {
					write!(f, " {rate} Hz")?;
				}
				match channels {
					0 => {},
					1 => f.write_str(" mono")?,
					2 => f.write_str(" stereo")?,
					more => write!(f, " {more} channels")?,
				}
			},
		}
		metadata
			.kilobits
			.map_or(Ok(()), |rate| write!(f, ", {rate} kb/s announced"))
	}
}

/// How a connection ended.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum End {
	/// It said that it is done.
	InOrder,
	/// The connection was closed or reset without a word.
	Lost,
	/// Nothing came for so long.
	Silent(Duration),
	/// Another one with the key is live now.
	TakenOver,
	/// H.264 and AAC are taken.
	Codec(Kind, Codec),
	/// What it sent is no RTMP, or too much.
	Fault(RtmpError),
	/// It had the key, and nothing to show in time.
	NothingToShow(Sent),
	/// Its pictures cannot be decoded.
	Undecodable,
	/// Another one is live, and whether this one's pictures can be decoded was not found out in time.
	Unproved,
	/// Another one is live, and it was taken over from a short while ago.
	Busy,
	/// Another one with the key came before it was live.
	Overtaken,
	/// Not the key, or not the app; and what to do.
	WrongKey(Arc<str>),
	/// It did not shake hands, or did not publish, in time.
	Slow {
		/// It got as far as the handshake.
		shook_hands: bool,
	},
	/// Others came, and there is no room.
	Crowded,
	/// The program ends.
	Over,
}

/// What a publisher sent that had nothing to show.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sent {
	/// `onMetaData`.
	pub metadata: bool,
	/// H.264's header.
	pub picture_header: bool,
	/// AAC's.
	pub sound_header: bool,
	/// Pictures that need others before them.
	pub frames: bool,
}

impl End {
	/// What the peer is told, if anything.
	pub fn refusal(&self) -> Option<Refusal<'static>> {
		let (code, description) = match self {
			// The code means "already published by somebody else".
			Self::TakenOver => (
				"NetStream.Publish.BadName",
				"another publisher with this stream key has taken over",
			),
			Self::Busy => (
				"NetStream.Publish.BadName",
				"another publisher is live and has just taken over; try again in 30 s",
			),
			Self::Overtaken => (
				"NetStream.Publish.BadName",
				"another publisher with this stream key has come",
			),
			Self::WrongKey(_) => ("NetStream.Publish.BadName", "wrong server or stream key"),
			Self::Codec(Kind::Sound, _) => ("NetStream.Publish.Rejected", "set the encoder's audio to AAC"),
			Self::Codec(..) => ("NetStream.Publish.Rejected", "set the encoder's video to H.264"),
			Self::NothingToShow(_) => ("NetStream.Publish.Rejected", "no key frame and no sound came"),
			Self::Undecodable => ("NetStream.Publish.Rejected", "the video cannot be decoded"),
			Self::Unproved => (
				"NetStream.Publish.BadName",
				"another publisher is live, and this machine is too busy to take over; try again",
			),
			Self::Silent(_) => ("NetStream.Publish.Rejected", "nothing came for too long"),
			Self::Over => ("NetStream.Publish.Rejected", "the broadcast is over"),
			Self::InOrder | Self::Lost | Self::Fault(_) | Self::Slow { .. } | Self::Crowded => return None,
		};
		Some(Refusal { code, description })
	}
}

impl fmt::Display for End {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		match self {
			Self::InOrder => f.write_str("left in order"),
			Self::Lost => f.write_str("is lost: its connection is closed"),
			Self::Silent(time) => write!(f, "is lost: nothing came for {} s", time.as_secs()),
			Self::TakenOver => f.write_str("is replaced: another one with the stream key took over"),
			Self::Codec(Kind::Sound, codec) => write!(f, "is refused: it sends {codec}; set its audio encoder to AAC"),
			Self::Codec(_, codec) => write!(f, "is refused: it sends {codec}; set its video encoder to H.264"),
			Self::Fault(error) => write!(f, "is turned away: {error}"),
			Self::NothingToShow(sent) => {
				f.write_str("is turned away: no key frame and no sound in time; it sent ")?;
				f.write_str(match sent {
					Sent { frames: true, .. } => "pictures without a key frame",
					Sent {
						picture_header: true, ..
					}
					| Sent { sound_header: true, .. } => "a codec's header alone",
					Sent { metadata: true, .. } => "metadata alone",
					_ => "nothing",
				})
			},
			Self::Undecodable => f.write_str("is refused: its pictures cannot be decoded"),
			Self::Unproved => f.write_str(
				"is refused: another one is live, and this machine was too busy to see whether it can take over",
			),
			Self::Busy => f.write_str("is refused: another one is live, and took over less than 30 s ago"),
			Self::Overtaken => f.write_str("is replaced before it was live: another one with the stream key came"),
			Self::WrongKey(advice) => write!(f, "is refused: wrong app or stream key: {advice}"),
			Self::Slow { shook_hands: false } => f.write_str("is turned away: it did not say what it wants"),
			Self::Slow { shook_hands: true } => f.write_str("is turned away: it shook hands and published nothing"),
			Self::Crowded => f.write_str("is turned away: too many connections that do not publish"),
			Self::Over => f.write_str("is sent away: the broadcast is over"),
		}
	}
}

/// A line for the log.
#[derive(Clone, Debug, PartialEq)]
pub struct Line {
	/// What happened.
	pub what: What,
	/// Lines of its kind that were not said since the last one.
	pub unsaid: u32,
}

/// What a line says.
#[derive(Clone, Debug, PartialEq)]
pub enum What {
	/// Who is live.
	Came(Came),
	/// A connection's end, of one that had the key or of a stranger.
	Ended {
		/// Its end of the connection.
		from: SocketAddr,
		/// It had the key.
		known: bool,
		/// How.
		end: End,
	},
	/// Something that is left out, once for each publisher.
	Damaged {
		/// Its end of the connection.
		from: SocketAddr,
		/// What is wrong with it.
		error: clustercast_media::flv::FlvError,
	},
}

impl What {
	/// Whether the user can and should do something.
	pub fn is_warning(&self) -> bool {
		match self {
			Self::Came(_) => false,
			Self::Damaged { .. } => true,
			Self::Ended { end, .. } => match end {
				End::InOrder | End::TakenOver | End::Overtaken | End::Over => false,
				// Port scanners and browsers are nobody's fault.
				End::Slow { .. } => false,
				End::Fault(RtmpError::Handshake(error)) => {
					matches!(error, HandshakeError::Tls | HandshakeError::Encrypted)
				},
				_ => true,
			},
		}
	}
}

impl fmt::Display for Line {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		match &self.what {
			What::Came(came) => came.fmt(f)?,
			What::Ended { from, known: true, end } => write!(f, "the publisher from {from} {end}")?,
			What::Ended { from, end, .. } => write!(f, "somebody from {from} {end}")?,
			What::Damaged { from, error } => write!(f, "the publisher from {from} sends what cannot be read: {error}")?,
		}
		match self.unsaid {
			0 => Ok(()),
			unsaid => write!(f, " ({unsaid} more like it)"),
		}
	}
}
