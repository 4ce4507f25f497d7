//! Reservations as they lie in the chain's storage. JSON-RPC answers for channels that are named; which ones there are stands
//! here.

use crate::{
	client::{within, Chain},
	error::ChainError,
};
use clustercast_primitives::{
	chain::{ChannelInfo, ChannelKey},
	AccountId, Hash, PublicKey,
};
use codec::Decode;
use subxt::{
	dynamic::{self, Value},
	utils::H256,
};

/// Channels looked at, at most: what a node can make a program wait for. Sessions live for 30 days at most, and each of
/// them cost its owner a transaction.
const MAX_LOOKED_AT: usize = 200_000;

/// Channels asked for at a time: the node's limit.
const PAGE: usize = 100;

/// Bytes of a map's place, and of the hash that stands before each key.
const PLACE: usize = 32;
const KEY_HASH: usize = 16;

/// Something that is reserved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reserved {
	/// Whose deposit it is.
	pub account: AccountId,
	/// Of this session.
	pub session: PublicKey,
	/// For whom.
	pub recipient: AccountId,
	/// How much, and until when.
	pub channel: ChannelInfo,
}

impl Chain {
	/// What sessions of anybody have reserved for this account at a block, `most` at most.
	pub async fn reserved_for(
		&self,
		recipient: &AccountId,
		at: Hash,
		most: usize,
	) -> Result<Vec<Reserved>, ChainError> {
		let keys = self.channel_keys(None, at, |key| key.recipient == *recipient).await?;
		let mut found = Vec::new();
		for (key, channel) in self.which_reserve(&keys, at, most).await? {
			// One that ended meanwhile is nobody's.
			if let Some(account) = self.owner(&key.session, at).await? {
				found.push(Reserved {
					account,
					session: key.session,
					recipient: key.recipient,
					channel,
				});
			}
		}
		Ok(found)
	}

	/// What these sessions of an account have reserved at a block.
	pub async fn reserved_by(
		&self,
		account: &AccountId,
		sessions: &[PublicKey],
		at: Hash,
	) -> Result<Vec<Reserved>, ChainError> {
		let mut found = Vec::new();
		for session in sessions {
			let keys = self.channel_keys(Some(session), at, |_| true).await?;
			let open = self.which_reserve(&keys, at, MAX_LOOKED_AT).await?;
			found.extend(open.into_iter().map(|(key, channel)| Reserved {
				account: *account,
				session: key.session,
				recipient: key.recipient,
				channel,
			}));
		}
		Ok(found)
	}

	/// Those of the named channels that reserve something.
	async fn which_reserve(
		&self,
		keys: &[ChannelKey],
		at: Hash,
		most: usize,
	) -> Result<Vec<(ChannelKey, ChannelInfo)>, ChainError> {
		let mut open = Vec::new();
		for page in keys.chunks(PAGE) {
			let found = self.channels(page, Some(at)).await?;
			let found = page.iter().zip(found);
			open.extend(found.filter_map(|(key, info)| Some((*key, info.filter(|info| info.open > 0)?))));
			if open.len() >= most {
				break;
			}
		}
		open.truncate(most);
		Ok(open)
	}

	/// Names of the channels that there are, of one session or of all.
	async fn channel_keys(
		&self,
		session: Option<&PublicKey>,
		at: Hash,
		wanted: impl Fn(&ChannelKey) -> bool,
	) -> Result<Vec<ChannelKey>, ChainError> {
		let at = within("reading storage", async {
			self.client().at_block(H256(at.0)).await.map_err(ChainError::node)
		})
		.await?;
		let storage = at.storage();
		let map = dynamic::storage::<Vec<Value>, Value>("TicketBroker", "Channels");
		let first: Vec<Value> = session.map(key_value).into_iter().collect();
		let mut entries = within("reading storage", async {
			storage.iter(map, first).await.map_err(ChainError::node)
		})
		.await?;
		let mut keys = Vec::new();
		for _ in 0..MAX_LOOKED_AT {
			let Some(entry) = within("reading storage", async { Ok(entries.next().await) }).await? else {
				return Ok(keys);
			};
			let entry = entry.map_err(ChainError::node)?;
			let key = channel_key(entry.key_bytes());
			let key = key.ok_or_else(|| ChainError::Metadata("storage TicketBroker::Channels".into()))?;
			if wanted(&key) {
				keys.push(key);
			}
		}
		tracing::warn!("the chain has more than {MAX_LOOKED_AT} channels: not all of them were looked at");
		Ok(keys)
	}

	/// Whose session it is.
	async fn owner(&self, session: &PublicKey, at: Hash) -> Result<Option<AccountId>, ChainError> {
		let at = within("reading storage", async {
			self.client().at_block(H256(at.0)).await.map_err(ChainError::node)
		})
		.await?;
		let storage = at.storage();
		let map = dynamic::storage::<Vec<Value>, Value>("TicketBroker", "Sessions");
		let found = within("reading storage", async {
			let found = storage.try_fetch(map, vec![key_value(session)]).await;
			found.map_err(ChainError::node)
		})
		.await?;
		let wrong = |_| ChainError::Metadata("storage TicketBroker::Sessions".into());
		// The owner stands first.
		found
			.map(|session| AccountId::decode(&mut session.bytes()).map_err(wrong))
			.transpose()
	}
}

fn key_value(session: &PublicKey) -> Value {
	Value::unnamed_variant("Ed25519", [Value::from_bytes(session.0)])
}

/// What stands in a key of the map, each part behind its hash.
fn channel_key(mut key: &[u8]) -> Option<ChannelKey> {
	key = key.get(PLACE + KEY_HASH..)?;
	let session = PublicKey::decode(&mut key).ok()?;
	key = key.get(KEY_HASH..)?;
	let recipient = AccountId::decode(&mut key).ok()?;
	key.is_empty().then_some(ChannelKey { session, recipient })
}

#[cfg(test)]
mod tests {
	use super::*;
	use codec::Encode;

	#[test]
	fn key_of_the_map_names_a_channel() {
		let channel = ChannelKey {
			session: PublicKey([1; 32]),
			recipient: AccountId([2; 32]),
		};
		let key = [
			&[9; PLACE + KEY_HASH][..],
			&channel.session.encode(),
			&[8; KEY_HASH],
			&channel.recipient.encode(),
		]
		.concat();
		assert_eq!(channel_key(&key), Some(channel));
		assert_eq!(channel_key(&key[..key.len() - 1]), None);
		assert_eq!(channel_key(&[key, vec![0]].concat()), None);
	}
}
