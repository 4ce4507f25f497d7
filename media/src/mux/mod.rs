//! Encoded pictures and sound as initialisation segment and windows: fragmented MP4 (ISO/IEC 14496-12).
//!
//! ```text
//! initialisation segment   ftyp moov(mvhd trak trak mvex(trex trex))
//! part                     prft moof(mfhd traf(tfhd tfdt trun) traf(tfhd tfdt trun)) mdat(pictures sound)
//! ```
//!
//! Always the same two tracks: H.264 and AAC. A segment is 60 pictures, 2 s; it is one part, or several of a given number of
//! pictures. Where a picture or a frame of sound stands follows from how many there were before it, never from a stamp: so
//! nothing drifts, and nothing that a source or an encoder says about time reaches a viewer.
//!
//! | module | holds |
//! | --- | --- |
//! | `time` | [`MediaTime`]: counted in pictures |
//! | `init` | [`Init`]: the initialisation segment, from what the encoders say of themselves |
//! | `part` | [`Part`]: one fragment |

mod init;
mod part;
mod time;

pub use init::{Init, InitError};
pub use part::{AccessUnit, Part};
pub use time::MediaTime;

use crate::picture::{RATE, SAMPLES_PER_PICTURE};

/// Units of the picture's times in a second.
pub const PICTURE_TIMESCALE: u32 = 1_000 * RATE;

/// A picture, in [`PICTURE_TIMESCALE`].
const PICTURE_DURATION: u32 = PICTURE_TIMESCALE / RATE;

/// Samples of a picture.
const SAMPLES: u64 = SAMPLES_PER_PICTURE as u64;

/// Number of the picture's track.
const PICTURE_TRACK: u32 = 1;

/// Number of the sound's track.
const SOUND_TRACK: u32 = 2;

/// Flags of a sample that is decodable by itself: depends on no other (ISO/IEC 14496-12, 8.8.3.1).
const SYNC: u32 = 2 << 24;

/// Of one that is not: depends on others, and is no sync sample.
const NON_SYNC: u32 = 1 << 24 | 1 << 16;

#[cfg(test)]
mod tests;
