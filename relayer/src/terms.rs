//! Follows the key of one stream on the chain: who signs it, what it allows, and that it is there at all.

use crate::{desk::Desk, streams::Served, surge};
use clustercast_chain::{Chain, Head};
use clustercast_primitives::{chain::StreamKeyInfo, BlockNumber, PublicKey};
use std::time::Duration;
use tokio::sync::watch;

/// How often the stream key is asked what it allows: three blocks. Its owner announces other terms; another payee may begin
/// at once.
const BOUND_TICK: Duration = Duration::from_secs(6);

/// What the best chain says of a stream.
pub(crate) fn apply(desk: &Desk<Chain>, stream: &Served, info: &StreamKeyInfo) {
	desk.set_terms(stream, info.terms_counter, change(info));
	desk.limit_price(stream, info.terms().max_price_per_gb(), surge::bound(info));
	stream.allow(info.max_viewers);
	stream.set_gone(false);
}

/// Block from which others hold, where they are announced.
pub(crate) fn change(info: &StreamKeyInfo) -> Option<BlockNumber> {
	info.change.as_ref().map(|change| change.from)
}

/// Says which key signs the stream.
pub(crate) async fn name_key(
	mut stream: watch::Receiver<Option<StreamKeyInfo>>,
	signing_key: &watch::Sender<PublicKey>,
) {
	// Fails only when the chain's connection is dropped.
	while stream.changed().await.is_ok() {
		match &*stream.borrow_and_update() {
			Some(info) => {
				_ = signing_key.send_if_modified(|key| std::mem::replace(key, info.signing_key) != info.signing_key)
			},
			None => tracing::warn!("the stream key is gone from the chain: nobody may sign the stream any more"),
		}
	}
	std::future::pending().await
}

/// Follows the stream key's terms, and asks in the block itself from which announced ones hold: a voucher under the old
/// ones, signed behind it, would be worth nothing. What was agreed before is redeemed as long as the chain allows.
pub(crate) async fn keep_to_terms(
	chain: &Chain,
	desk: &Desk<Chain>,
	stream: &Served,
	mut next_change: Option<BlockNumber>,
) {
	let mut known = Known::default();
	loop {
		known.note(desk.tip.head().finalised);
		let _ = tokio::time::timeout(BOUND_TICK, reaches(&desk.tip.heads(), next_change)).await;
		// Where that brings no answer, the next block may.
		let next = desk.tip.head().best.saturating_add(1);
		next_change = next_change.map(|from| from.max(next));
		match chain.stream_key(stream.id).await {
			Ok(Some(info)) => {
				if known.believes(&info, stream.terms()) {
					apply(desk, stream, &info);
					next_change = change(&info).map(|from| from.max(next));
				}
			},
			Ok(None) if desk.tip.is_late() || !known.believes_none(finalised(chain).await) => {},
			Ok(None) => {
				if !stream.is_gone() {
					tracing::warn!(
						"the stream key is gone: the stream is sold no more, and payments for it are not redeemed"
					);
				}
				stream.set_gone(true);
			},
			Err(error) => tracing::warn!(%error, "the stream key cannot be looked up; prices stay"),
		}
	}
}

/// How far a node is, if it says so in time.
async fn finalised(chain: &Chain) -> Option<BlockNumber> {
	let (number, _) = tokio::time::timeout(BOUND_TICK, chain.finalised()).await.ok()?.ok()?;
	Some(number)
}

/// What was final stays so, whatever a node says that is behind. Sans-IO.
#[derive(Clone, Copy, Debug, Default)]
struct Known {
	finalised: BlockNumber,
}

impl Known {
	/// A node told of this finalised block.
	fn note(&mut self, finalised: BlockNumber) {
		self.finalised = self.finalised.max(finalised);
	}

	/// Whether this is of now, where the stream had terms of this counter already: of a node that is behind they were others before.
	fn believes(&self, info: &StreamKeyInfo, terms: u32) -> bool {
		info.terms_counter >= terms
	}

	/// Whether there is no such key, as a node says that is so far: one that was restarted from nothing does not know what was final.
	fn believes_none(&self, finalised: Option<BlockNumber>) -> bool {
		finalised.is_some_and(|finalised| finalised >= self.finalised)
	}
}

/// Returns when the chain is at this block; never where there is none.
async fn reaches(head: &watch::Receiver<Head>, block: Option<BlockNumber>) {
	let Some(block) = block else {
		return std::future::pending().await;
	};
	// Fails only when the chain's connection is dropped, which lives as long as the desk.
	let _ = head.clone().wait_for(|head| head.best >= block).await;
}

#[cfg(test)]
mod tests {
	use super::*;
	use clustercast_primitives::{AccountId, StreamId};

	fn info(terms_counter: u32) -> StreamKeyInfo {
		StreamKeyInfo {
			id: StreamId(0),
			owner: AccountId([1; 32]),
			broadcaster: AccountId([1; 32]),
			payee: AccountId([1; 32]),
			signing_key: PublicKey([2; 32]),
			title: String::new(),
			category: String::new(),
			max_viewers: 0,
			price_per_gb: 1_000_000,
			max_surge_ppm: 1_000_000,
			broadcaster_share_ppm: 0,
			terms_counter,
			change: None,
			previous_keys: Vec::new(),
			deposit: 0,
			flagged: false,
			sale_price: None,
			rent_offer: None,
			rented_until: None,
		}
	}

	/// The fault: a node that stood still, or began anew, had streams ended whose key it did not know yet.
	#[test]
	fn node_that_is_behind_what_was_final_ends_no_stream() {
		let mut known = Known::default();
		assert!(known.believes_none(Some(0)), "nobody said anything yet");
		known.note(100);
		// Another node is asked, which is behind; that takes nothing back.
		known.note(40);
		for (finalised, gone) in [
			(None, false),
			(Some(0), false),
			(Some(99), false),
			(Some(100), true),
			(Some(101), true),
		] {
			assert_eq!(known.believes_none(finalised), gone, "{finalised:?}");
		}
	}

	#[test]
	fn terms_never_go_back() {
		let known = Known::default();
		let believes = [2, 3, 4].map(|counter| known.believes(&info(counter), 3));
		assert_eq!(believes, [false, true, true]);
	}
}
