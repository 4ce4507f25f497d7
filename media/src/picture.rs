//! The shape of all pictures and sound between decoders and encoder.

use bytes::Bytes;

/// Pixels a row.
pub const WIDTH: usize = 854;

/// Rows.
pub const HEIGHT: usize = 480;

/// Bytes of a picture: planar YUV 4:2:0, limited range, BT.709; rows without padding.
pub const PICTURE_BYTES: usize = WIDTH * HEIGHT + 2 * (WIDTH / 2) * (HEIGHT / 2);

/// Pictures a second.
pub const RATE: u32 = 30;

/// Samples a second, of each channel.
pub const SAMPLE_RATE: u32 = 48_000;

/// Interleaved: left, right.
pub const CHANNELS: usize = 2;

/// Samples of each channel that play as long as a picture.
pub const SAMPLES_PER_PICTURE: usize = (SAMPLE_RATE / RATE) as usize;

/// Pictures of a segment, the first one decodable by itself: 2 s.
pub const PICTURES_PER_SEGMENT: u32 = 60;

/// Samples of an AAC frame.
pub const SAMPLES_PER_FRAME: u32 = 1024;

/// A picture of [`PICTURE_BYTES`]; cheap to clone.
pub type Picture = Bytes;

/// Signed 16 bit, interleaved.
pub type Samples = Vec<i16>;
