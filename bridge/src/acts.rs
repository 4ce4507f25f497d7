//! What the chain says of wallets' messages: which of them it followed, in which final block, and which withdrawal each became; and of
//! deposits, whether they were credited. Read from the events of final blocks, one after the other; nobody's word but that of a node of
//! one's own choice.

use clustercast_chain::{Chain, ChainError, Event};
use clustercast_primitives::{bridge::Stranded, crypto::keccak256, BlockNumber, EthereumAddress, Hash};
use std::collections::BTreeMap;

/// Nodes keep what happened in at least so many final blocks; what is older may be forgotten, and then nobody knows.
pub const REMEMBERED: BlockNumber = 200;

/// A message that the chain followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Acted {
	/// In this final block.
	pub block: BlockNumber,
	/// What it became, where it takes USDC back to the L2.
	pub withdrawal: Option<u64>,
}

/// An event that matters here, in the order of its block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Happened {
	/// A withdrawal was asked for, by a message or not.
	Requested { extrinsic: Option<u32>, withdrawal: u64 },
	/// A message was followed: by its key, behind all else that it caused.
	Followed { extrinsic: Option<u32>, key: Hash },
	/// A deposit was imported.
	Imported { deposit: u64, is_credited: bool },
}

/// By what the chain tells messages apart: two wallets may sign the same one.
pub fn key(signer: &EthereumAddress, digest: &Hash) -> Hash {
	keccak256(&[&signer.0, &digest.0])
}

impl Happened {
	fn read(event: &Event) -> Result<Option<Self>, ChainError> {
		let extrinsic = event.extrinsic;
		Ok(if event.is("UsdcBridge", "WithdrawalRequested") {
			let withdrawal = event.field("id")?;
			Some(Self::Requested { extrinsic, withdrawal })
		} else if event.is("UsdcBridge", "Acted") {
			let key = key(&event.field("address")?, &event.field("digest")?);
			Some(Self::Followed { extrinsic, key })
		} else if event.is("UsdcBridge", "Imported") {
			let (deposit, is_credited) = (event.field("number")?, true);
			Some(Self::Imported { deposit, is_credited })
		} else if event.is("UsdcBridge", "Stranded") {
			let stranded: Stranded = event.field("deposit")?;
			let (deposit, is_credited) = (stranded.number, false);
			Some(Self::Imported { deposit, is_credited })
		} else {
			None
		})
	}
}

/// Messages that were followed and deposits that were imported, from a block on.
#[derive(Debug)]
pub struct Acts {
	/// First block that is not read yet.
	next: BlockNumber,
	/// All from here on were read without a gap.
	whole_from: BlockNumber,
	found: BTreeMap<Hash, Acted>,
	imported: BTreeMap<u64, bool>,
}

impl Acts {
	/// Knows nothing yet; reads from this block on. In the first one of all nothing happens.
	pub fn from(block: BlockNumber) -> Self {
		let block = block.max(1);
		Self {
			next: block,
			whole_from: block,
			found: BTreeMap::new(),
			imported: BTreeMap::new(),
		}
	}

	/// A message by its [`key`], if it was followed.
	pub fn get(&self, key: &Hash) -> Option<Acted> {
		self.found.get(key).copied()
	}

	/// Whether a deposit was credited, once it is imported. What is stranded now may be gone later, this stays.
	pub fn is_credited(&self, deposit: u64) -> Option<bool> {
		self.imported.get(&deposit).copied()
	}

	/// How many blocks were read, or are known to be gone: all before this one.
	pub fn read_to(&self) -> BlockNumber {
		self.next
	}

	/// Whether all blocks from this one on were read.
	pub fn is_whole(&self, from: BlockNumber) -> bool {
		from >= self.whole_from
	}

	/// Reads what has become final since. Blocks that the node has forgotten are passed over, which [`Self::is_whole`] tells.
	pub async fn follow(&mut self, chain: &Chain) -> Result<(), ChainError> {
		let (last, _) = chain.finalised().await?;
		while self.next <= last {
			let block = self.next;
			let events = async {
				let hash = chain.block_hash(block).await?;
				let events = chain.events(hash).await?;
				events
					.iter()
					.filter_map(|event| Happened::read(event).transpose())
					.collect()
			};
			match events.await {
				Ok(events) => self.note(block, events),
				Err(error) if last - block >= REMEMBERED => {
					tracing::warn!(block, %error, "what happened in a block is not known here any more");
					self.pass_over(block);
				},
				Err(error) => return Err(error),
			}
		}
		Ok(())
	}

	/// The same for one message, which is told if it was followed.
	pub async fn look(&mut self, chain: &Chain, key: &Hash) -> Result<Option<Acted>, ChainError> {
		self.follow(chain).await?;
		Ok(self.get(key))
	}

	fn note(&mut self, block: BlockNumber, events: Vec<Happened>) {
		// What a message causes stands right before it, in the same extrinsic.
		let mut before = None;
		for event in events {
			match event {
				Happened::Requested { extrinsic, withdrawal } => before = Some((extrinsic, withdrawal)),
				Happened::Followed { extrinsic, key } => {
					let withdrawal = before.take().filter(|(of, _)| *of == extrinsic).map(|(_, id)| id);
					self.found.insert(key, Acted { block, withdrawal });
				},
				Happened::Imported { deposit, is_credited } => {
					self.imported.insert(deposit, is_credited);
				},
			}
		}
		self.next = block.saturating_add(1);
	}

	fn pass_over(&mut self, block: BlockNumber) {
		self.next = block.saturating_add(1);
		self.whole_from = self.next;
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	const fn requested(extrinsic: u32, withdrawal: u64) -> Happened {
		Happened::Requested {
			extrinsic: Some(extrinsic),
			withdrawal,
		}
	}

	const fn followed(extrinsic: u32, key: u8) -> Happened {
		Happened::Followed {
			extrinsic: Some(extrinsic),
			key: Hash([key; 32]),
		}
	}

	#[test]
	fn message_is_told_with_its_block_and_its_own_withdrawal() {
		let mut acts = Acts::from(7);
		// Three in one batch, of which the second moves nothing; a withdrawal of somebody else's own; and another message.
		let batch = [
			requested(1, 4),
			followed(1, 1),
			followed(1, 2),
			requested(1, 5),
			followed(1, 3),
		];
		acts.note(7, [&batch[..], &[requested(2, 6), followed(3, 4)]].concat());
		let withdrawal = |key: u8| acts.get(&Hash([key; 32])).unwrap().withdrawal;
		assert_eq!([1, 2, 3, 4].map(withdrawal), [Some(4), None, Some(5), None]);
		assert_eq!(acts.get(&Hash([1; 32])).unwrap().block, 7);
		assert_eq!((acts.get(&Hash([9; 32])), acts.read_to()), (None, 8));
	}

	#[test]
	fn deposit_that_was_stranded_is_not_credited_even_when_it_was_sent_back_since() {
		let mut acts = Acts::from(7);
		let imported = |deposit, is_credited| Happened::Imported { deposit, is_credited };
		acts.note(7, vec![imported(1, true), imported(2, false)]);
		// A refund is a withdrawal of nobody's message.
		acts.note(8, vec![requested(1, 4)]);
		assert_eq!(
			[1, 2, 3].map(|deposit| acts.is_credited(deposit)),
			[Some(true), Some(false), None]
		);
	}

	#[test]
	fn two_wallets_that_sign_the_same_have_two_messages() {
		let digest = Hash([5; 32]);
		let [one, other] = [1, 2].map(|byte| key(&EthereumAddress([byte; 20]), &digest));
		assert_ne!(one, other);
		assert_ne!(one, digest);
	}

	#[test]
	fn what_a_node_forgot_is_not_taken_for_what_did_not_happen() {
		let mut acts = Acts::from(7);
		acts.note(7, vec![]);
		assert!(acts.is_whole(7));
		acts.pass_over(8);
		acts.note(9, vec![followed(1, 1)]);
		assert!(!acts.is_whole(7) && !acts.is_whole(8) && acts.is_whole(9));
		assert!(acts.get(&Hash([1; 32])).is_some());
	}
}
