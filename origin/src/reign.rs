//! Whether the stream is still signed by our key, by what finalised blocks say: sans-IO.

use clustercast_primitives::{chain::StreamKeyInfo, PublicKey, StreamId};

/// Why nothing that we sign is relayed or paid any more.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Replaced {
	/// The chain names another key.
	#[error(
		"stream {stream} is signed by {by} now, and not by this origin's key any more: nothing that it signs is relayed or \
		 paid. Whoever has the new key broadcasts: run with it, and with a --state of its own"
	)]
	By {
		/// Which.
		stream: StreamId,
		/// Named now.
		by: PublicKey,
	},
	/// There is no such stream.
	#[error("stream {0} is gone from the chain: nothing that is signed for it is relayed or paid")]
	Gone(StreamId),
}

/// From when the chain named our key to when it names another.
#[derive(Clone, Copy, Debug)]
pub struct Reign {
	stream: StreamId,
	key: PublicKey,
	begun: bool,
}

impl Reign {
	/// Of a key that the best block names; no finalised one may as yet.
	pub fn new(stream: StreamId, key: PublicKey) -> Self {
		Self {
			stream,
			key,
			begun: false,
		}
	}

	/// Takes what a finalised block says; whether it is over.
	pub fn read(&mut self, said: Option<&StreamKeyInfo>) -> Result<(), Replaced> {
		let named = said.map(|info| info.signing_key);
		self.begun |= named == Some(self.key);
		match named {
			_ if !self.begun => Ok(()),
			Some(by) if by == self.key => Ok(()),
			Some(by) => Err(Replaced::By {
				stream: self.stream,
				by,
			}),
			None => Err(Replaced::Gone(self.stream)),
		}
	}
}

#[cfg(test)]
pub(crate) mod tests {
	use super::*;
	use clustercast_primitives::AccountId;

	const OURS: PublicKey = PublicKey([1; 32]);
	const OTHER: PublicKey = PublicKey([2; 32]);

	/// What the chain says of a stream that this key signs.
	pub(crate) fn named(signing_key: PublicKey) -> StreamKeyInfo {
		let nobody = AccountId([0; 32]);
		StreamKeyInfo {
			id: StreamId(3),
			owner: nobody,
			broadcaster: nobody,
			payee: nobody,
			signing_key,
			title: String::new(),
			category: String::new(),
			max_viewers: 0,
			price_per_gb: 0,
			max_surge_ppm: 0,
			broadcaster_share_ppm: 0,
			terms_counter: 0,
			change: None,
			previous_keys: Vec::new(),
			deposit: 0,
			flagged: false,
			sale_price: None,
			rent_offer: None,
			rented_until: None,
		}
	}

	#[test]
	fn a_key_reigns_until_a_finalised_block_names_another_or_none() {
		let by = Replaced::By {
			stream: StreamId(3),
			by: OTHER,
		};
		for (said, end) in [(Some(named(OTHER)), by), (None, Replaced::Gone(StreamId(3)))] {
			let mut reign = Reign::new(StreamId(3), OURS);
			// Named a moment ago: the finalised block is of before.
			assert_eq!(reign.read(said.as_ref()), Ok(()));
			assert_eq!(reign.read(Some(&named(OURS))), Ok(()));
			assert_eq!(reign.read(Some(&named(OURS))), Ok(()));
			assert_eq!(reign.read(said.as_ref()), Err(end));
		}
	}
}
