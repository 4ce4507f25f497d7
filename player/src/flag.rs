//! Whether the broadcaster was caught contradicting itself: then nobody is paid for its stream any more.

use crate::{summary::Ended, view::ChainView};
use clustercast_primitives::{chain::StreamKeyInfo, StreamId};
use std::time::Duration;
use tokio::sync::watch;

/// How often the chain is asked: what is paid meanwhile is what a minute of video costs at most.
pub const PAUSE: Duration = Duration::from_secs(30);

/// Why nothing is paid for a stream, in words, if nothing is.
pub fn refusal(stream: &StreamKeyInfo) -> Option<String> {
	stream.flagged.then(|| {
		format!(
			"the broadcaster of stream {} was caught signing two different things for one place: what is verified against \
			 its signature proves nothing, so nothing of it is watched or paid",
			stream.id
		)
	})
}

/// Ends the run when whoever broadcasts is flagged, asking the chain after each pause. Returns when it did, or when nobody
/// listens any more.
pub async fn end_when_flagged(
	chain: impl ChainView,
	id: StreamId,
	stop: watch::Sender<Option<Ended>>,
	pause: Duration,
) {
	while tokio::time::timeout(pause, stop.closed()).await.is_err() {
		match chain.stream_key(id).await {
			Ok(Some(stream)) => {
				if let Some(reason) = refusal(&stream) {
					tracing::error!("{reason}");
					stop.send_if_modified(|ended| ended.replace(ended.unwrap_or(Ended::Flagged)).is_none());
					return;
				}
			},
			Ok(None) => tracing::debug!(stream = %id, "the stream key is gone"),
			Err(error) => tracing::warn!(%error, "cannot ask the chain whether the broadcaster is flagged"),
		}
	}
}

#[cfg(test)]
mod tests {
	use super::*;
	use clustercast_chain::ChainError;
	use clustercast_primitives::{
		chain::{ChannelInfo, ChannelKey, RelayerInfo, ViewerAccount, VoucherPlace, VoucherTotals},
		AccountId, BlockNumber, Hash, PublicKey,
	};
	use std::sync::{
		atomic::{AtomicU32, Ordering},
		Arc,
	};

	fn stream(flagged: bool) -> StreamKeyInfo {
		StreamKeyInfo {
			id: StreamId(3),
			owner: AccountId([1; 32]),
			broadcaster: AccountId([1; 32]),
			payee: AccountId([1; 32]),
			signing_key: PublicKey([2; 32]),
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
			flagged,
			sale_price: None,
			rent_offer: None,
			rented_until: None,
		}
	}

	/// Has no answer for the first question, and says "flagged" from the `flagged_from`-th on.
	#[derive(Clone)]
	struct Answers {
		asked: Arc<AtomicU32>,
		flagged_from: u32,
	}

	impl ChainView for Answers {
		fn genesis(&self) -> Hash {
			Hash([0; 32])
		}

		fn best_block(&self) -> BlockNumber {
			0
		}

		async fn stream_key(&self, _: StreamId) -> Result<Option<StreamKeyInfo>, ChainError> {
			let asked = self.asked.fetch_add(1, Ordering::Relaxed) + 1;
			if asked == 1 {
				return Err(ChainError::Metadata("no answer".into()));
			}
			Ok(Some(stream(asked >= self.flagged_from)))
		}

		async fn relayers(&self) -> Result<Vec<RelayerInfo>, ChainError> {
			Ok(Vec::new())
		}

		async fn account(&self, _: &AccountId) -> Result<ViewerAccount, ChainError> {
			Err(ChainError::Metadata("never asked".into()))
		}

		async fn paid(
			&self,
			_: ChannelKey,
			_: Vec<VoucherPlace>,
		) -> Result<(ChannelInfo, Vec<VoucherTotals>), ChainError> {
			Err(ChainError::Metadata("never asked".into()))
		}
	}

	/// What a run ends with when the chain was asked `asked` times, and has ended with before.
	async fn run(flagged_from: u32, asked: u32, before: Option<Ended>) -> Option<Ended> {
		let count = Arc::new(AtomicU32::new(0));
		let chain = Answers {
			asked: count.clone(),
			flagged_from,
		};
		let (stop, stopped) = watch::channel(before);
		let task = tokio::spawn(end_when_flagged(chain, StreamId(3), stop, Duration::from_millis(1)));
		while !task.is_finished() && count.load(Ordering::Relaxed) < asked {
			tokio::task::yield_now().await;
		}
		if flagged_from <= asked {
			// It returns by itself, and asks no more.
			task.await.unwrap();
			assert_eq!(count.load(Ordering::Relaxed), flagged_from);
			return *stopped.borrow();
		}
		let ended = *stopped.borrow();
		// Nobody listens: it returns as well.
		drop(stopped);
		task.await.unwrap();
		ended
	}

	#[tokio::test]
	async fn a_run_ends_when_the_broadcaster_is_flagged() {
		assert_eq!(run(u32::MAX, 5, None).await, None);
		assert_eq!(run(4, 4, None).await, Some(Ended::Flagged));
		// What ended it before stands.
		assert_eq!(run(4, 4, Some(Ended::Seconds)).await, Some(Ended::Seconds));
	}

	#[test]
	fn a_flagged_stream_is_refused_with_the_reason() {
		assert_eq!(refusal(&stream(false)), None);
		let reason = refusal(&stream(true)).unwrap();
		assert!(
			reason.contains("stream 3") && reason.contains("signing two different things"),
			"{reason}"
		);
	}
}
