//! The relayers that bring a stream together, as a viewer knows them.

use crate::roster::Relayer;
use clustercast_network::{
	crew::{self, Party},
	node::ConnectError,
	Node, PeerId, Stream,
};
use clustercast_primitives::{AccountId, PublicKey};
use clustercast_protocol::Thrift;

/// A relayer that brings windows, and what its payment needs.
pub struct Served {
	pub(crate) relayer: Relayer,
	/// Whom this relayer has paid, and what is reserved for it.
	pub(crate) thrift: Option<(AccountId, Thrift)>,
}

impl From<Relayer> for Served {
	fn from(relayer: Relayer) -> Self {
		Self { relayer, thrift: None }
	}
}

impl Party for Served {
	type Tag = PublicKey;

	fn tag(&self) -> PublicKey {
		self.relayer.key
	}
}

pub(crate) type Link = crew::Link<Served>;
pub(crate) type Crew = crew::Crew<Served>;

/// What it is called where it is written about.
pub(crate) fn name_of(relayer: &Relayer) -> String {
	let peer = relayer.addresses.first().map(|address| address.peer_id());
	peer.map(PeerId::to_base58).unwrap_or_default()
}

/// Connects to a relayer at whichever of its addresses answers.
pub(crate) async fn dial(node: &Node, relayer: &Relayer) -> Result<Stream, ConnectError> {
	let mut error = ConnectError::Unreachable("no address".into());
	for address in &relayer.addresses {
		match node.connect(address).await {
			Ok(stream) => return Ok(stream),
			Err(e) => error = e,
		}
	}
	Err(error)
}
