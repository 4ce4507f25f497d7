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
	let mut finalised = 0;
	loop {
		// What was final stays so, whatever a node says that is behind.
		finalised = desk.tip.head().finalised.max(finalised);
		let _ = tokio::time::timeout(BOUND_TICK, reaches(&desk.tip.heads(), next_change)).await;
		// Where that brings no answer, the next block may.
		let next = desk.tip.head().best.saturating_add(1);
		next_change = next_change.map(|from| from.max(next));
		match chain.stream_key(stream.id).await {
			// Of a node that is behind: they were others before.
			Ok(Some(info)) if info.terms_counter < stream.terms() => {},
			Ok(Some(info)) => {
				apply(desk, stream, &info);
				next_change = change(&info).map(|from| from.max(next));
			},
			Ok(None) if desk.tip.is_late() || is_behind(chain, finalised).await => {},
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

/// Whether the node does not know what was final already, as one that was restarted from nothing; or does not say.
async fn is_behind(chain: &Chain, known: BlockNumber) -> bool {
	!matches!(tokio::time::timeout(BOUND_TICK, chain.finalised()).await, Ok(Ok((number, _))) if number >= known)
}

/// Returns when the chain is at this block; never where there is none.
async fn reaches(head: &watch::Receiver<Head>, block: Option<BlockNumber>) {
	let Some(block) = block else {
		return std::future::pending().await;
	};
	// Fails only when the chain's connection is dropped, which lives as long as the desk.
	let _ = head.clone().wait_for(|head| head.best >= block).await;
}
