//! Those that bring a stream to a relayer: its origin, or relayers that are paid.

use crate::{buying::Deal, sources::Seller};
use clustercast_network::crew::{self, Party};
use clustercast_primitives::PublicKey;
use clustercast_protocol::routes::Path;

/// Who is at an address of upstream.
pub(super) struct Provider {
	/// Which address, by its place in the list.
	pub(super) at: usize,
	/// Its identity.
	pub(super) key: PublicKey,
	/// Who is paid; `None` of the origin.
	pub(super) seller: Option<Seller>,
	/// What pays it, once it is subscribed to.
	pub(super) deal: Option<Deal>,
	/// The relayers that we have the stream through, where we have it from here: ours first.
	pub(super) route: Path,
	/// It has said how it serves us.
	pub(super) serves: bool,
}

impl Party for Provider {
	type Tag = usize;

	fn tag(&self) -> usize {
		self.at
	}
}

pub(super) type Link = crew::Link<Provider>;
pub(super) type Crew = crew::Crew<Provider>;
