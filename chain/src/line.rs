//! One line to a chain that several nodes have: a request goes to whichever [`Choice`] says, over a connection that was asked for its
//! genesis first. Who asks notices nothing of a change but the time it takes.
//!
//! A request that a change or a broken connection overtakes is made again of the next node. So is a signed transaction, byte for byte:
//! it can be in the chain once. Only whoever wants to hear what becomes of a transaction is told that nobody says any more.

use crate::{
	choice::{Action, Choice, Remark, Why},
	error::{chain_of, ChainError},
	url::NodeUrl,
};
use clustercast_primitives::{BlockNumber, Hash};
use jsonrpsee_client_transport::ws::WsHandshakeError;
use jsonrpsee_ws_client::{PingConfig, WsClientBuilder};
use std::{
	future::{pending, Future},
	io,
	sync::Arc,
	time::{Duration, Instant},
};
use subxt::rpcs::{
	client::{
		reconnecting_rpc_client::RpcError, rpc_params, JsonrpseeRpcClient, RawRpcFuture, RawRpcSubscription, RawValue,
		RpcClient, RpcClientT,
	},
	Error,
};
use tokio::{
	sync::{mpsc, watch},
	task::JoinSet,
	time::{sleep, sleep_until, timeout},
};

/// How long to wait for the first connection: a node needs some seconds to open its RPC.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(30);

/// How long a node may take to be connected to and to say how far it is.
const ANSWER: Duration = Duration::from_secs(10);

/// The chain's usual block time, until its own is known.
const USUAL_BLOCK: Duration = Duration::from_secs(2);

/// Largest answer, bytes: a full block in hexadecimal is below half of it.
const MAX_ANSWER: u32 = 50 << 20;

/// Requests of one program at a time; more wait.
const MAX_REQUESTS: usize = 1_024;

/// Messages of a subscription that wait to be read, more of which end it: hours of headers.
const MAX_WAITING: usize = 4_096;

/// News for the driver that wait: it does nothing but read them.
const MAX_NEWS: usize = 64;

/// A request that waits for so long hangs: whether another node answers it is tried. Honest answers take a second.
const HANGS: Duration = Duration::from_secs(if cfg!(test) { 1 } else { 10 });

/// Of what begins so nothing is tried: a transaction is handed in once.
const HANDS_IN: &str = "author_";

/// Asks for what happens to a transaction.
const WATCHED: &str = "author_submitAndWatchExtrinsic";

/// Why a node cannot be asked.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Trouble {
	reason: String,
	/// Somebody answered, and waiting changes nothing.
	for_good: bool,
}

/// A connection to a node whose genesis is ours.
#[derive(Clone)]
struct Connection {
	client: Arc<JsonrpseeRpcClient>,
	/// Which of this line's connections it is.
	serial: u64,
}

/// Which node is asked, for whoever wants to know.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Asked {
	/// Its place in the list; `None` where none answers.
	pub node: Option<usize>,
	/// How often another node, or another connection, was gone to.
	pub changes: u64,
}

#[derive(Clone, Debug, Default)]
struct State {
	asked: Asked,
	troubles: Vec<Option<Trouble>>,
}

enum News {
	Head(BlockNumber),
	BlockTime(Duration),
	/// Unanswered for long.
	Hangs(Request),
	/// Answered, or not waited for any more.
	Answered,
}

/// What is asked of a node.
#[derive(Clone)]
struct Request {
	method: String,
	params: Option<Box<RawValue>>,
}

/// Somebody waits for a request that hangs, as long as this lives.
struct Waits<'a>(&'a mpsc::Sender<News>);

impl Drop for Waits<'_> {
	fn drop(&mut self) {
		// Where news wait, another node is tried for nothing.
		let _ = self.0.try_send(News::Answered);
	}
}

/// See the module. Cheap to clone; the connections end with the last clone.
#[derive(Clone)]
pub struct Line {
	connection: watch::Receiver<Option<Connection>>,
	state: watch::Receiver<State>,
	news: mpsc::Sender<News>,
	urls: Arc<[NodeUrl]>,
}

impl Line {
	/// To the first of these nodes that is whole, waiting up to [`CONNECT_TIMEOUT`] for one to listen. Where all of them answer, and
	/// in a way that waiting does not change, that is said at once.
	pub async fn connect(urls: &[NodeUrl]) -> Result<Self, ChainError> {
		let urls: Arc<[NodeUrl]> = urls.into();
		let (connections, connection) = watch::channel(None);
		let (states, state) = watch::channel(State {
			troubles: vec![None; urls.len()],
			..State::default()
		});
		let (news, heard) = mpsc::channel(MAX_NEWS);
		let driver = Driver {
			choice: Choice::new(urls.len(), USUAL_BLOCK, Instant::now()),
			ready: vec![None; urls.len()],
			hanging: None,
			trials: JoinSet::new(),
			urls: urls.clone(),
			connections,
			states,
			asks: JoinSet::new(),
			serial: 0,
		};
		tokio::spawn(driver.run(heard));
		let mut line = Self {
			connection,
			state,
			news,
			urls,
		};
		let settled = |state: &State| {
			let hopeless = |trouble: &Option<Trouble>| trouble.as_ref().is_some_and(|trouble| trouble.for_good);
			state.asked.node.is_some() || state.troubles.iter().all(hopeless)
		};
		let waited = timeout(CONNECT_TIMEOUT, line.state.wait_for(settled)).await;
		if matches!(&waited, Ok(Ok(state)) if state.asked.node.is_some()) {
			drop(waited);
			return Ok(line);
		}
		let late = waited.is_err();
		drop(waited);
		Err(line.unreachable(late))
	}

	fn unreachable(&self, late: bool) -> ChainError {
		let several = self.urls.len() > 1;
		let troubles = self.state.borrow().troubles.clone();
		let reasons = self.urls.iter().zip(troubles).map(|(url, trouble)| {
			let reason = trouble.map_or_else(|| "nobody answers".to_owned(), |trouble| trouble.reason);
			match several {
				true => format!("{url}: {reason}"),
				false => reason,
			}
		});
		let mut reason = reasons.collect::<Vec<_>>().join("; ");
		if late {
			reason = format!("not within {} s: {reason}", CONNECT_TIMEOUT.as_secs());
		}
		let urls: Vec<_> = self.urls.iter().map(ToString::to_string).collect();
		ChainError::Unreachable {
			url: urls.join(", "),
			reason,
		}
	}

	/// The node that is asked tells of this block.
	pub fn head(&self, best: BlockNumber) {
		// Where news wait already, a newer head follows.
		let _ = self.news.try_send(News::Head(best));
	}

	/// The chain makes a block in each so long.
	pub async fn set_block_time(&self, block_time: Duration) {
		let _ = self.news.send(News::BlockTime(block_time)).await;
	}

	/// All nodes, in the order in which they are preferred.
	pub fn urls(&self) -> &[NodeUrl] {
		&self.urls
	}

	/// Which one is asked.
	pub fn asked(&self) -> Asked {
		self.state.borrow().asked.clone()
	}

	/// The connection by now, waiting for one.
	async fn connection(&self) -> Result<Connection, Error> {
		let mut connections = self.connection.clone();
		let connection = connections.wait_for(Option::is_some).await;
		connection
			.ok()
			.and_then(|connection| connection.clone())
			.ok_or_else(|| Error::Client("the line is closed".into()))
	}

	/// Returns when another connection took this one's place, or none.
	async fn replaced(&self, serial: u64) {
		let mut connections = self.connection.clone();
		let is_other = |now: &Option<Connection>| now.as_ref().is_none_or(|now| now.serial != serial);
		// Where the driver is gone, the next request says so.
		let _ = connections.wait_for(is_other).await;
	}

	/// Asks whichever node is asked, until one has answered.
	async fn of_whichever<T, F>(&self, ask: impl Fn(Arc<JsonrpseeRpcClient>) -> F) -> Result<T, Error>
	where
		F: Future<Output = Result<T, Error>>,
	{
		loop {
			let Connection { client, serial } = self.connection().await?;
			tokio::select! {
				answer = ask(client) => match answer {
					Err(error) if is_broken(&error) => self.replaced(serial).await,
					answer => return answer,
				},
				() = self.replaced(serial) => {},
			}
		}
	}
}

impl RpcClientT for Line {
	fn request_raw<'a>(&'a self, method: &'a str, params: Option<Box<RawValue>>) -> RawRpcFuture<'a, Box<RawValue>> {
		Box::pin(async move {
			let asked = self.of_whichever(|client| {
				let params = params.clone();
				async move { client.request_raw(method, params).await }
			});
			tokio::pin!(asked);
			let mut waits = None;
			loop {
				tokio::select! {
					answer = &mut asked => return answer,
					() = sleep(HANGS), if !method.starts_with(HANDS_IN) => {
						let (method, params) = (method.to_owned(), params.clone());
						let _ = self.news.try_send(News::Hangs(Request { method, params }));
						waits.get_or_insert(Waits(&self.news));
					},
				}
			}
		})
	}

	fn subscribe_raw<'a>(
		&'a self,
		sub: &'a str,
		params: Option<Box<RawValue>>,
		unsub: &'a str,
	) -> RawRpcFuture<'a, RawRpcSubscription> {
		if sub != WATCHED {
			return Box::pin(self.of_whichever(move |client| {
				let params = params.clone();
				async move { client.subscribe_raw(sub, params, unsub).await }
			}));
		}
		// Whether the node has the transaction, and what it would be told of one that it has, is for whoever sent it to find out.
		Box::pin(async move {
			let Connection { client, serial } = self.connection().await?;
			let unknown = || Error::DisconnectedWillReconnect("it is not known whether the node has it".into());
			tokio::select! {
				answer = client.subscribe_raw(sub, params, unsub) => match answer {
					Err(error) if is_broken(&error) => Err(unknown()),
					answer => answer,
				},
				() = self.replaced(serial) => Err(unknown()),
			}
		})
	}
}

/// Whether the connection ended before there was an answer.
fn is_broken(error: &Error) -> bool {
	match error {
		Error::Client(error) => matches!(error.downcast_ref(), Some(RpcError::RestartNeeded(_))),
		error => error.is_disconnected_will_reconnect(),
	}
}

/// What a node said of itself, and the connection on which it did.
struct Answer {
	client: Arc<JsonrpseeRpcClient>,
	genesis: Hash,
	best: BlockNumber,
}

/// Does what [`Choice`] says.
struct Driver {
	choice: Choice,
	urls: Arc<[NodeUrl]>,
	/// Connections on which nodes answered that are not chosen yet.
	ready: Vec<Option<Arc<JsonrpseeRpcClient>>>,
	/// What hangs, of all that does.
	hanging: Option<Request>,
	/// Which nodes are tried with it, and whether they answer.
	trials: JoinSet<(usize, bool)>,
	connections: watch::Sender<Option<Connection>>,
	states: watch::Sender<State>,
	asks: JoinSet<(usize, Result<Answer, Trouble>)>,
	serial: u64,
}

impl Driver {
	/// Until the line is gone.
	async fn run(mut self, mut heard: mpsc::Receiver<News>) {
		loop {
			while let Some(action) = self.choice.poll(Instant::now()) {
				self.act(action);
			}
			let wake = self.choice.wake().map(|wake| sleep_until(wake.into()));
			let connection = self.connections.borrow().clone();
			tokio::select! {
				Some(done) = self.asks.join_next() => match done {
					Ok((node, answer)) => self.learn(node, answer),
					Err(error) => tracing::error!(%error, "asking a node failed"),
				},
				Some(done) = self.trials.join_next() => match done {
					Ok((node, answered)) => self.choice.tried(node, answered, Instant::now()),
					Err(error) => tracing::error!(%error, "trying a node failed"),
				},
				ended = ended(connection.as_ref()) => {
					self.show(None);
					self.choice.lost(ended, Instant::now());
				},
				news = heard.recv() => match news {
					Some(News::Head(best)) => self.choice.head(best, Instant::now()),
					Some(News::BlockTime(time)) => self.choice.set_block_time(time),
					Some(News::Hangs(request)) => {
						self.hanging = Some(request);
						self.choice.hangs(Instant::now());
					},
					Some(News::Answered) => {
						self.hanging = None;
						self.choice.answers();
					},
					None => return,
				},
				() = async {
					match wake {
						Some(wake) => wake.await,
						None => pending().await,
					}
				} => {},
			}
		}
	}

	fn learn(&mut self, node: usize, answer: Result<Answer, Trouble>) {
		let now = Instant::now();
		let trouble = match answer {
			Ok(answer) => {
				self.ready[node] = Some(answer.client);
				self.choice.answered(node, answer.genesis, answer.best, now);
				None
			},
			Err(trouble) => {
				self.choice.failed(node, trouble.reason.clone(), now);
				Some(trouble)
			},
		};
		self.states.send_if_modified(|state| {
			let changed = state.troubles[node] != trouble;
			state.troubles[node] = trouble;
			changed
		});
	}

	fn act(&mut self, action: Action) {
		match action {
			Action::Ask(node) => {
				let url = self.urls[node].clone();
				self.asks.spawn(async move {
					let answer = timeout(ANSWER, ask(&url)).await;
					let silent = || Trouble {
						reason: format!("no answer within {} s", ANSWER.as_secs()),
						for_good: false,
					};
					(node, answer.unwrap_or_else(|_| Err(silent())))
				});
			},
			Action::Try(node) => {
				let tried = self.ready[node].clone().zip(self.hanging.clone());
				self.trials.spawn(async move {
					let answered = match tried {
						Some((client, request)) => timeout(ANSWER, answers(&client, request)).await,
						None => Ok(false),
					};
					(node, answered.unwrap_or(false))
				});
			},
			Action::Discard(node) => self.ready[node] = None,
			Action::Use(node, why) => {
				let before = self.states.borrow().asked.clone();
				self.serial += 1;
				let connection = self.ready[node].take().map(|client| Connection {
					client,
					serial: self.serial,
				});
				self.connections.send_replace(connection);
				self.show(Some(node));
				let (node, of) = (&self.urls[node], self.urls.len());
				match why {
					Why::First if of == 1 => tracing::debug!(%node, "connected"),
					Why::First | Why::Back => tracing::info!(%node, "this node is asked from now on: {why}"),
					why => {
						let restored = before.node.is_none() || of == 1;
						let what = if restored {
							"a node is asked again"
						} else {
							"another node is asked from now on"
						};
						tracing::warn!(%node, "{what}: {why}");
					},
				}
			},
			Action::Say(Remark::Trouble(node, reason)) => {
				tracing::warn!(node = %self.urls[node], "this node cannot be asked; it is tried again: {reason}");
			},
			Action::Say(Remark::Stranger { node, genesis, ours }) => tracing::error!(
				node = %self.urls[node],
				%genesis,
				%ours,
				"this node has another chain: nothing that it says is believed; it is looked at again each minute"
			),
		}
	}

	fn show(&self, node: Option<usize>) {
		if node.is_none() {
			self.connections.send_replace(None);
		}
		self.states.send_modify(|state| {
			state.asked.node = node;
			// The first one is no change.
			if node.is_some() && self.serial > 1 {
				state.asked.changes += 1;
			}
		});
	}
}

/// Why this connection ended, once it has.
async fn ended(connection: Option<&Connection>) -> String {
	match connection {
		Some(connection) => match connection.client.on_disconnect().await {
			RpcError::RestartNeeded(error) => chain_of(&*error),
			error => chain_of(&error),
		},
		None => pending().await,
	}
}

/// Connects, and asks which chain it is and how far.
async fn ask(url: &NodeUrl) -> Result<Answer, Trouble> {
	let builder = WsClientBuilder::new()
		.max_response_size(MAX_ANSWER)
		.max_request_size(MAX_ANSWER)
		.max_concurrent_requests(MAX_REQUESTS)
		.max_buffer_capacity_per_subscription(MAX_WAITING)
		.connection_timeout(ANSWER)
		.enable_ws_ping(PingConfig::new());
	let client: JsonrpseeRpcClient = builder.build(url.as_str()).await.map_err(|e| refusal(&e))?;
	let client = Arc::new(client);
	let rpc = RpcClient::new(client.clone());
	let genesis = rpc.request("chain_getBlockHash", rpc_params![0u32]).await;
	let best = rpc.request("chain_getHeader", rpc_params![]).await;
	let genesis: Hash = genesis.map_err(|e| no_node(&e))?;
	let Header(best) = best.map_err(|e| no_node(&e))?;
	Ok(Answer { client, genesis, best })
}

/// Whether a node answers this, whatever it says.
async fn answers(client: &JsonrpseeRpcClient, request: Request) -> bool {
	match client.request_raw(&request.method, request.params).await {
		Ok(_) | Err(Error::User(_)) => true,
		Err(_) => false,
	}
}

/// As much of a header as is needed.
struct Header(BlockNumber);

impl<'de> serde::Deserialize<'de> for Header {
	fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
		#[derive(serde::Deserialize)]
		struct Fields {
			number: String,
		}
		let Fields { number } = Fields::deserialize(d)?;
		let digits = number.strip_prefix("0x").unwrap_or(&number);
		let number = BlockNumber::from_str_radix(digits, 16);
		number.map(Self).map_err(serde::de::Error::custom)
	}
}

/// Why no connection was made.
fn refusal(error: &RpcError) -> Trouble {
	let handshake = match error {
		RpcError::Transport(error) => error.downcast_ref::<WsHandshakeError>(),
		_ => None,
	};
	let answered = |reason: String, for_good| Trouble { reason, for_good };
	match handshake {
		Some(WsHandshakeError::Rejected { status_code: 429 }) => answered(
			"it has no connection left (429): all that its --rpc-max-connections allows are taken".into(),
			false,
		),
		Some(WsHandshakeError::Rejected { status_code: 403 }) => answered(
			"it refuses the host name in the URL (403): use localhost or its address, or let its --rpc-listen-addr or proxy \
			 allow this one"
				.into(),
			true,
		),
		Some(WsHandshakeError::Rejected { status_code: code @ 500.. }) => {
			answered(format!("it answers with status {code}"), false)
		},
		Some(WsHandshakeError::Rejected { status_code }) => answered(
			format!("what answers is no node's WebSocket (status {status_code}): is it the right port?"),
			true,
		),
		// A proxy with nothing behind it, or a node that ends, breaks off.
		Some(WsHandshakeError::Transport(error)) if is_io(error) => answered(chain_of(error), false),
		Some(WsHandshakeError::Transport(error)) => answered(
			format!("what answers speaks no WebSocket ({}): is it the right port?", chain_of(error)),
			true,
		),
		Some(WsHandshakeError::Url(reason)) => answered(reason.to_string(), true),
		// TLS: a certificate that does not fit, or no TLS at all.
		Some(WsHandshakeError::Io(error)) => answered(error.to_string(), error.kind() == io::ErrorKind::InvalidData),
		Some(error) => answered(chain_of(error), false),
		None => answered(chain_of(error), false),
	}
}

/// Whether the connection broke, rather than that something was answered.
fn is_io(error: &(dyn std::error::Error + 'static)) -> bool {
	let mut next = Some(error);
	while let Some(error) = next {
		if error.is::<io::Error>() {
			return true;
		}
		next = error.source();
	}
	false
}

/// Somebody speaks JSON-RPC, or breaks off.
fn no_node(error: &Error) -> Trouble {
	match error {
		Error::User(error) => Trouble {
			reason: format!("what answers is no node of a chain: {error}"),
			for_good: true,
		},
		Error::Deserialization(error) => Trouble {
			reason: format!("what answers is no node of a chain: {error}"),
			for_good: true,
		},
		error => Trouble {
			reason: chain_of(error),
			for_good: false,
		},
	}
}

#[cfg(test)]
mod tests;
