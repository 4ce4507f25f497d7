//! What is asked of the chain: queries, constants, and the head. Of which node, is for [`crate::line`].

use crate::{
	account,
	error::ChainError,
	line::{Asked, Line},
	submit::{self, Event},
	tip::{Follower, Tip},
	url::NodeUrl,
};
use clustercast_primitives::{
	chain::{
		ChannelInfo, ChannelKey, RelayerInfo, StreamKeyInfo, TicketVerdict, ViewerAccount, VoucherPlace, VoucherTotals,
	},
	AccountId, Balance, BlockNumber, Hash, SignedVoucher, StreamId, WinningTicket,
};
use codec::Encode;
use serde::de::DeserializeOwned;
use std::{collections::HashSet, future::Future, sync::Arc, time::Duration};
use subxt::{
	backend::LegacyBackend,
	config::{substrate::SubstrateConfig, Header as _, RpcConfigFor},
	rpcs::{
		client::{rpc_params, RpcClient, RpcParams},
		methods::legacy::LegacyRpcMethods,
	},
	utils::H256,
	OnlineClient,
};
use tokio::{sync::watch, task::JoinHandle};

/// How long to wait for an answer, another connection or node included. Five blocks' time at least.
pub const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);

/// Before the head is subscribed to anew.
const FOLLOW_AGAIN: Duration = Duration::from_millis(500);

/// Relayers asked for at a time; a node answers with no more.
const RELAYERS_PAGE: u32 = 100;

/// Most relayers that [`Chain::relayers`] returns: bounds what a node can make a program hold.
pub const MAX_RELAYERS: usize = 10_000;

/// How far the chain is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
	/// Number of the best block.
	pub best: BlockNumber,
	/// Number of the last finalised block.
	pub finalised: BlockNumber,
}

/// The ticket broker's constants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Constants {
	/// Most that one account can hold for tickets, micro-USDC.
	pub max_deposit: Balance,
	/// Smallest face value, micro-USDC.
	pub min_face_value: Balance,
	/// Blocks between announcing a withdrawal and making it.
	pub unlock_delay: BlockNumber,
	/// Blocks that a ticket may live.
	pub max_ticket_life: BlockNumber,
	/// Blocks from closing a channel until what it reserved is free.
	pub channel_delay: BlockNumber,
	/// Furthest that a session's expiry may lie ahead, blocks.
	pub max_session_life: BlockNumber,
	/// Held while a session exists, micro-USDC.
	pub session_deposit: Balance,
	/// Most tickets in a `redeem_batch`.
	pub max_batch: u32,
	/// Most session keys per account.
	pub max_sessions: u32,
	/// Between two blocks: the length of a slot.
	pub block_time: Duration,
}

/// The chain, as one of the nodes given says, whichever is whole. Cheap to clone; all clones ask the same node.
#[derive(Clone)]
pub struct Chain {
	inner: Arc<Inner>,
}

struct Inner {
	line: Line,
	rpc: RpcClient,
	client: OnlineClient<SubstrateConfig>,
	constants: Constants,
	tip: Tip,
	follower: JoinHandle<()>,
}

impl Drop for Inner {
	fn drop(&mut self) {
		self.follower.abort();
	}
}

impl std::fmt::Debug for Chain {
	fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
		write!(f, "Chain({}, {:?})", self.genesis(), self.head())
	}
}

type Methods = LegacyRpcMethods<RpcConfigFor<SubstrateConfig>>;

impl Chain {
	/// Connects to the first of these nodes that is whole, and follows the chain's head, at another one where that one fails.
	pub async fn connect(urls: &[NodeUrl]) -> Result<Self, ChainError> {
		let line = Line::connect(urls).await?;
		within("connecting", Self::open(line)).await
	}

	async fn open(line: Line) -> Result<Self, ChainError> {
		let rpc = RpcClient::new(line.clone());
		let backend = Arc::new(LegacyBackend::builder().build(rpc.clone()));
		let client = OnlineClient::from_backend(backend).await.map_err(ChainError::node)?;
		let constants = read_constants(&client).await?;
		line.set_block_time(constants.block_time).await;
		let methods = Methods::new(rpc.clone());
		let (tip, follower) = Tip::new(constants.block_time, read_head(&methods).await?);
		let follower = tokio::spawn(follow(methods, follower, line.clone()));
		Ok(Self {
			inner: Arc::new(Inner {
				line,
				rpc,
				client,
				constants,
				tip,
				follower,
			}),
		})
	}

	/// The nodes given, in the order in which they are preferred.
	pub fn nodes(&self) -> &[NodeUrl] {
		self.inner.line.urls()
	}

	/// Which of them is asked by now, and how often that changed.
	pub fn asked(&self) -> Asked {
		self.inner.line.asked()
	}

	/// Hash of block 0: what every signature of the protocol is bound to.
	pub fn genesis(&self) -> Hash {
		Hash(self.inner.client.genesis_hash().0)
	}

	/// The ticket broker's constants, as the node's metadata says.
	pub fn constants(&self) -> &Constants {
		&self.inner.constants
	}

	/// How far the chain is, as last heard.
	pub fn head(&self) -> Head {
		self.inner.tip.head()
	}

	/// How far the chain is by now, also where the node is behind: what payments, receipts and reservations are judged by.
	pub fn tip(&self) -> &Tip {
		&self.inner.tip
	}

	/// Says when the chain gets further. Follows the node through restarts; ends with the last clone of the chain.
	pub fn heads(&self) -> watch::Receiver<Head> {
		self.inner.tip.heads()
	}

	/// Whether the node is still catching up with the chain: its newest blocks are old ones.
	pub async fn is_syncing(&self) -> Result<bool, ChainError> {
		#[derive(serde::Deserialize)]
		#[serde(rename_all = "camelCase")]
		struct Health {
			is_syncing: bool,
		}
		let health: Health = self.request("system_health", rpc_params![]).await?;
		Ok(health.is_syncing)
	}

	/// Hash of the last finalised block.
	pub async fn finalised_hash(&self) -> Result<Hash, ChainError> {
		self.request("chain_getFinalizedHead", rpc_params![]).await
	}

	/// Number and hash of the last finalised block.
	pub async fn finalised(&self) -> Result<(BlockNumber, Hash), ChainError> {
		let hash = self.finalised_hash().await?;
		Ok((self.number_of(Some(hash)).await?, hash))
	}

	/// Number of the best block, asked for now: [`Chain::head`] may be behind it on a busy machine.
	pub async fn best(&self) -> Result<BlockNumber, ChainError> {
		self.number_of(None).await
	}

	/// Number of a block; of the best one without its hash.
	async fn number_of(&self, block: Option<Hash>) -> Result<BlockNumber, ChainError> {
		#[derive(serde::Deserialize)]
		struct Header {
			number: String,
		}
		let header: Option<Header> = self.request("chain_getHeader", rpc_params![block]).await?;
		let number = header.and_then(|header| {
			let digits = header.number.strip_prefix("0x")?;
			BlockNumber::from_str_radix(digits, 16).ok()
		});
		number.ok_or_else(|| ChainError::Node(format!("no header for block {block:?}")))
	}

	/// Hash of the block with this number on the best chain.
	pub async fn block_hash(&self, number: BlockNumber) -> Result<Hash, ChainError> {
		let hash: Option<Hash> = self.request("chain_getBlockHash", rpc_params![number]).await?;
		hash.ok_or(ChainError::NoSuchBlock(number))
	}

	/// What the chain knows of an account that pays for video, at a block (default: the best).
	pub async fn viewer_account(&self, account: &AccountId, at: Option<Hash>) -> Result<ViewerAccount, ChainError> {
		self.request("clustercast_viewerAccount", rpc_params![account, at])
			.await
	}

	/// All registered relayers, at most [`MAX_RELAYERS`], in the registry's own order.
	pub async fn relayers(&self) -> Result<Vec<RelayerInfo>, ChainError> {
		let mut all: Vec<RelayerInfo> = Vec::new();
		let mut known = HashSet::new();
		loop {
			let after = all.last().map(|r| r.account);
			let page: Vec<RelayerInfo> = self
				.request("clustercast_relayers", rpc_params![after, RELAYERS_PAGE])
				.await?;
			let full = page.len() >= RELAYERS_PAGE as usize;
			let before = all.len();
			all.extend(page.into_iter().filter(|r| known.insert(r.account)));
			// A node that answers with the same page again must not keep us here.
			if !full || all.len() == before || all.len() >= MAX_RELAYERS {
				all.truncate(MAX_RELAYERS);
				return Ok(all);
			}
		}
	}

	/// A stream key, `None` where there is no such stream.
	pub async fn stream_key(&self, id: StreamId) -> Result<Option<StreamKeyInfo>, ChainError> {
		self.request("clustercast_streamKey", rpc_params![id]).await
	}

	/// What the finalised blocks say of a stream key, `known` as long as none has another word: two requests for each of
	/// them. Ends with the last receiver. A node that does not answer, or has fallen behind what was final, changes nothing.
	pub fn follow_stream_key(&self, known: StreamKeyInfo) -> watch::Receiver<Option<StreamKeyInfo>> {
		let (id, chain, mut heads) = (known.id, self.clone(), self.heads());
		let (sender, receiver) = watch::channel(Some(known));
		tokio::spawn(async move {
			let mut seen = None;
			loop {
				let next = heads.wait_for(|head| Some(head.finalised) > seen);
				let finalised = tokio::select! {
					next = next => match next {
						Ok(head) => head.finalised,
						Err(_) => return,
					},
					() = sender.closed() => return,
				};
				seen = Some(finalised);
				let asked = async {
					let hash = chain.block_hash(finalised).await?;
					chain.request("clustercast_streamKey", rpc_params![id, hash]).await
				};
				match asked.await {
					Ok(info) => {
						_ = sender.send_if_modified(|known: &mut Option<StreamKeyInfo>| {
							let changed = *known != info;
							*known = info;
							changed
						})
					},
					Err(error) => tracing::debug!(%error, stream = %id, "the stream key cannot be looked up"),
				}
			}
		});
		receiver
	}

	/// What the chain would do with these tickets (at most `max_batch`), in this order, at a block (default: the best).
	/// Against a finalised block, `AlreadyRedeemed` means paid for good.
	pub async fn check_tickets(
		&self,
		tickets: &[WinningTicket],
		at: Option<Hash>,
	) -> Result<Vec<TicketVerdict>, ChainError> {
		self.request("clustercast_checkTickets", rpc_params![hex_of_each(tickets), at])
			.await
	}

	/// What the chain would do with these vouchers (at most `max_batch`), in this order, at a block (default: the best).
	pub async fn check_vouchers(
		&self,
		vouchers: &[SignedVoucher],
		at: Option<Hash>,
	) -> Result<Vec<TicketVerdict>, ChainError> {
		self.request("clustercast_checkVouchers", rpc_params![hex_of_each(vouchers), at])
			.await
	}

	/// What vouchers have paid at these places (at most `max_batch`), in order, at a block (default: the best).
	pub async fn vouchers_paid(
		&self,
		places: &[VoucherPlace],
		at: Option<Hash>,
	) -> Result<Vec<VoucherTotals>, ChainError> {
		self.request("clustercast_vouchersPaid", rpc_params![places, at]).await
	}

	/// What is reserved and paid in these channels (at most `max_batch`), in order, at a block (default: the best).
	pub async fn channels(
		&self,
		keys: &[ChannelKey],
		at: Option<Hash>,
	) -> Result<Vec<Option<ChannelInfo>>, ChainError> {
		self.request("clustercast_channels", rpc_params![keys, at]).await
	}

	/// Every event of a block, in order.
	pub async fn events(&self, block: Hash) -> Result<Vec<Event>, ChainError> {
		within("reading events", async {
			let at = self
				.inner
				.client
				.at_block(H256(block.0))
				.await
				.map_err(ChainError::node)?;
			let events = at.events().fetch().await.map_err(ChainError::node)?;
			submit::read_events(events.iter(), at.metadata_ref())
		})
		.await
	}

	/// Next nonce of an account, transactions that wait in the node's pool included.
	pub(crate) async fn next_nonce(&self, account: &AccountId) -> Result<u64, ChainError> {
		self.request("system_accountNextIndex", rpc_params![account::ss58(account)])
			.await
	}

	pub(crate) fn client(&self) -> &OnlineClient<SubstrateConfig> {
		&self.inner.client
	}

	pub(crate) async fn request<T: DeserializeOwned>(&self, method: &str, params: RpcParams) -> Result<T, ChainError> {
		within("a request", async {
			let answer = self.inner.rpc.request(method, params).await;
			answer.map_err(|e| ChainError::rpc(method, &e))
		})
		.await
	}
}

pub(crate) fn hex_of(bytes: &[u8]) -> String {
	format!("0x{}", hex::encode(bytes))
}

fn hex_of_each(items: &[impl Encode]) -> Vec<String> {
	items.iter().map(|item| hex_of(&item.encode())).collect()
}

/// Bounds a request in time.
pub(crate) async fn within<T>(
	doing: &'static str,
	request: impl Future<Output = Result<T, ChainError>>,
) -> Result<T, ChainError> {
	tokio::time::timeout(REQUEST_TIMEOUT, request)
		.await
		.unwrap_or(Err(ChainError::Timeout {
			doing,
			after: REQUEST_TIMEOUT,
		}))
}

async fn read_constants(client: &OnlineClient<SubstrateConfig>) -> Result<Constants, ChainError> {
	let at = client.at_current_block().await.map_err(ChainError::node)?;
	let constants = at.constants();
	let missing = |name: &str, e: subxt::error::ConstantError| {
		ChainError::Metadata(format!("constant TicketBroker::{name}: {e}"))
	};
	let balance = |name: &'static str| {
		constants
			.entry(subxt::dynamic::constant::<u128>("TicketBroker", name))
			.map_err(|e| missing(name, e))
	};
	let number = |name: &'static str| {
		constants
			.entry(subxt::dynamic::constant::<u32>("TicketBroker", name))
			.map_err(|e| missing(name, e))
	};
	let slot: u64 = constants
		.entry(subxt::dynamic::constant::<u64>("Aura", "SlotDuration"))
		.map_err(|e| ChainError::Metadata(format!("constant Aura::SlotDuration: {e}")))?;
	Ok(Constants {
		max_deposit: balance("MaxDeposit")?,
		min_face_value: balance("MinFaceValue")?,
		unlock_delay: number("UnlockDelay")?,
		max_ticket_life: number("MaxTicketLife")?,
		channel_delay: number("ChannelDelay")?,
		max_session_life: number("MaxSessionLife")?,
		session_deposit: balance("SessionDeposit")?,
		max_batch: number("MaxBatch")?,
		max_sessions: number("MaxSessions")?,
		block_time: Duration::from_millis(slot),
	})
}

/// Block numbers are 32 bits wide on this chain; the RPC library has 64.
fn block_number(number: u64) -> BlockNumber {
	BlockNumber::try_from(number).unwrap_or(BlockNumber::MAX)
}

async fn read_head(methods: &Methods) -> Result<Head, ChainError> {
	let number = |hash: Option<H256>| async move {
		let header = methods.chain_get_header(hash).await.map_err(ChainError::node)?;
		header
			.map(|h| block_number(h.number()))
			.ok_or_else(|| ChainError::Node("no header for the head".into()))
	};
	let finalised = methods.chain_get_finalized_head().await.map_err(ChainError::node)?;
	Ok(Head {
		best: number(None).await?,
		finalised: number(Some(finalised)).await?,
	})
}

/// Keeps the tip current until nobody is left to listen. Subscribes anew whenever a subscription breaks.
async fn follow(methods: Methods, tip: Follower, line: Line) {
	while !tip.is_closed() {
		if let Err(error) = follow_once(&methods, &tip, &line).await {
			tracing::debug!(%error, "lost the head of the chain; subscribing anew");
		}
		tokio::time::sleep(FOLLOW_AGAIN).await;
	}
}

async fn follow_once(methods: &Methods, tip: &Follower, line: &Line) -> Result<(), subxt::rpcs::Error> {
	let mut best = methods.chain_subscribe_new_heads().await?;
	let mut finalised = methods.chain_subscribe_finalized_heads().await?;
	loop {
		tokio::select! {
			header = best.next() => match header {
				Some(header) => {
					let number = block_number(header?.number());
					line.head(number);
					tip.best(number);
				},
				None => return Ok(()),
			},
			header = finalised.next() => match header {
				Some(header) => tip.finalised(block_number(header?.number())),
				None => return Ok(()),
			},
			() = tip.closed() => return Ok(()),
		}
	}
}
