//! What a viewer asks the chain.

use crate::funds;
use clustercast_chain::{Chain, ChainError};
use clustercast_primitives::{
	chain::{ChannelInfo, ChannelKey, RelayerInfo, StreamKeyInfo, ViewerAccount, VoucherPlace, VoucherTotals},
	AccountId, BlockNumber, Hash, StreamId,
};
use std::future::Future;

/// How far our blocks go by the clock alone where our node is down or stands still: ten minutes. Nothing is lost by it, since what
/// we sign would only live longer; and the relayer says which block it is.
const MAX_BY_CLOCK: BlockNumber = 300;

/// What a viewer asks the chain in the middle of a broadcast.
pub trait ChainView: Clone + Send + Sync + 'static {
	/// Hash of block 0.
	fn genesis(&self) -> Hash;
	/// Number of the best block by now, by the clock where the node is late.
	fn best_block(&self) -> BlockNumber;
	/// Whether the node is behind, so that what it says may be old.
	fn is_late(&self) -> bool {
		false
	}
	/// See [`Chain::stream_key`].
	fn stream_key(&self, id: StreamId) -> impl Future<Output = Result<Option<StreamKeyInfo>, ChainError>> + Send;
	/// See [`Chain::relayers`].
	fn relayers(&self) -> impl Future<Output = Result<Vec<RelayerInfo>, ChainError>> + Send;
	/// See [`Chain::viewer_account`].
	fn account(&self, account: &AccountId) -> impl Future<Output = Result<ViewerAccount, ChainError>> + Send;
	/// What a channel has paid, and what vouchers have paid at these places of it.
	fn paid(
		&self,
		channel: ChannelKey,
		places: Vec<VoucherPlace>,
	) -> impl Future<Output = Result<(ChannelInfo, Vec<VoucherTotals>), ChainError>> + Send;
}

impl ChainView for Chain {
	fn genesis(&self) -> Hash {
		self.genesis()
	}

	fn best_block(&self) -> BlockNumber {
		self.tip().block_within(MAX_BY_CLOCK)
	}

	fn is_late(&self) -> bool {
		self.tip().is_late()
	}

	fn stream_key(&self, id: StreamId) -> impl Future<Output = Result<Option<StreamKeyInfo>, ChainError>> + Send {
		self.stream_key(id)
	}

	fn relayers(&self) -> impl Future<Output = Result<Vec<RelayerInfo>, ChainError>> + Send {
		self.relayers()
	}

	async fn account(&self, account: &AccountId) -> Result<ViewerAccount, ChainError> {
		self.viewer_account(account, None).await
	}

	async fn paid(
		&self,
		channel: ChannelKey,
		places: Vec<VoucherPlace>,
	) -> Result<(ChannelInfo, Vec<VoucherTotals>), ChainError> {
		funds::paid(self, channel, &places).await
	}
}
