//! FLV tags: what RTMP carries, what decoders read and encoders write.

use bytes::Bytes;

/// What a tag holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
	/// AAC, as a publisher or an encoder makes it.
	Sound,
	/// H.264 likewise.
	Picture,
	/// AMF data, of which only `onMetaData` is of use.
	Script,
}

/// One tag, without the framing around it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tag {
	/// What it holds.
	pub kind: Kind,
	/// Milliseconds, modulo 2^32.
	pub stamp: u32,
	/// Codec byte and what follows.
	pub body: Bytes,
}
