//! What playlists list as one: a window, or the windows that are its parts.

use bytes::Bytes;
use clustercast_primitives::{catalog::Track, window::WindowHeader, Hash};
use clustercast_protocol::EncodedWindow;

/// What is listed as one: a window, or the windows that are its parts.
#[derive(Clone, Debug)]
pub struct Segment {
	/// Of its first window; durations are added up.
	pub header: WindowHeader,
	/// Says which content it is.
	pub hash: Hash,
	/// Initialisation segment.
	pub init: Bytes,
	/// Byte for byte as it was signed.
	pub data: Bytes,
	/// As the catalog describes it.
	pub track: Option<Track>,
}

impl From<&EncodedWindow> for Segment {
	fn from(window: &EncodedWindow) -> Self {
		Self {
			header: window.header().clone(),
			hash: window.hash(),
			init: window.init().clone(),
			data: window.data(),
			track: window.catalog().catalog.track(window.header().id.track).cloned(),
		}
	}
}
