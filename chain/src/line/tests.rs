//! A line to servers of this process: nodes of one chain and of another, at ports behind which something else may be put.

use super::*;
use futures::future::join_all;
use jsonrpsee::{
	core::SubscriptionResult,
	server::{ServerBuilder, ServerHandle},
	PendingSubscriptionSink, RpcModule, SubscriptionMessage,
};
use std::{
	net::SocketAddr,
	sync::{
		atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering},
		Mutex,
	},
};
use tokio::{
	io::{copy_bidirectional, AsyncReadExt, AsyncWriteExt},
	net::{TcpListener, TcpStream},
};

const OURS: Hash = Hash([1; 32]);
const THEIRS: Hash = Hash([2; 32]);

/// Everything here takes milliseconds, but for what waits for a node on purpose.
const PATIENCE: Duration = Duration::from_secs(20);

/// What a fake node has.
struct Chain {
	name: &'static str,
	genesis: Hash,
	best: AtomicU32,
	/// How often it was asked for more than its chain and head.
	asked: AtomicUsize,
	/// It takes subscriptions, and some requests, and does not say so.
	deaf: AtomicBool,
	/// What was submitted to it.
	pool: Mutex<Vec<String>>,
}

struct Node {
	chain: Arc<Chain>,
	address: SocketAddr,
	_handle: ServerHandle,
}

impl Node {
	async fn start(name: &'static str, genesis: Hash, best: BlockNumber) -> Self {
		let chain = Arc::new(Chain {
			name,
			genesis,
			best: best.into(),
			asked: AtomicUsize::default(),
			deaf: AtomicBool::default(),
			pool: Mutex::default(),
		});
		let server = ServerBuilder::default().build("127.0.0.1:0").await.unwrap();
		let address = server.local_addr().unwrap();
		let handle = server.start(module(&chain));
		Self {
			chain,
			address,
			_handle: handle,
		}
	}

	fn url(&self) -> NodeUrl {
		format!("ws://{}", self.address).parse().unwrap()
	}

	fn asked(&self) -> usize {
		self.chain.asked.load(Ordering::SeqCst)
	}
}

fn module(chain: &Arc<Chain>) -> RpcModule<Chain> {
	let mut module = RpcModule::from_arc(chain.clone());
	module
		.register_method("chain_getBlockHash", |_, chain, _| chain.genesis.to_string())
		.unwrap();
	module
		.register_method(
			"chain_getHeader",
			|_, chain, _| serde_json::json!({ "number": format!("{:#x}", chain.best.load(Ordering::SeqCst)) }),
		)
		.unwrap();
	module
		.register_method("name", |_, chain, _| {
			chain.asked.fetch_add(1, Ordering::SeqCst);
			chain.name
		})
		.unwrap();
	module
		.register_async_method("never", |_, chain, _| async move {
			chain.asked.fetch_add(1, Ordering::SeqCst);
			pending::<&str>().await
		})
		.unwrap();
	module
		.register_async_method("perhaps", |_, chain, _| async move {
			chain.asked.fetch_add(1, Ordering::SeqCst);
			if chain.deaf.load(Ordering::SeqCst) {
				pending::<()>().await;
			}
			chain.name
		})
		.unwrap();
	module
		.register_method("author_submitExtrinsic", |params, chain, _| {
			let [bytes]: [String; 1] = params.parse().unwrap();
			chain.pool.lock().unwrap().push(bytes);
			chain.name
		})
		.unwrap();
	for (subscribe, notify, unsubscribe) in [("heads", "head", "unheads"), (WATCHED, "status", "unwatch")] {
		module
			.register_subscription(subscribe, notify, unsubscribe, watched)
			.unwrap();
	}
	module
}

/// Says the node's name once, and nothing more.
async fn watched(
	_: jsonrpsee::types::Params<'static>,
	pending: PendingSubscriptionSink,
	chain: Arc<Chain>,
	_: jsonrpsee::Extensions,
) -> SubscriptionResult {
	if chain.deaf.load(Ordering::SeqCst) {
		chain.asked.fetch_add(1, Ordering::SeqCst);
		std::future::pending::<()>().await;
	}
	let sink = pending.accept().await?;
	sink.send(SubscriptionMessage::from_json(&chain.name)?).await?;
	sink.closed().await;
	Ok(())
}

/// A port that leads to another one, or nowhere.
struct Proxy {
	address: SocketAddr,
	behind: watch::Sender<Option<SocketAddr>>,
}

impl Proxy {
	async fn to(address: SocketAddr) -> Self {
		let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
		let own = listener.local_addr().unwrap();
		let (behind, target) = watch::channel(Some(address));
		tokio::spawn(async move {
			loop {
				let (mut client, _) = listener.accept().await.unwrap();
				let mut turned = target.clone();
				let Some(to) = *turned.borrow_and_update() else {
					continue;
				};
				tokio::spawn(async move {
					let mut server = TcpStream::connect(to).await.unwrap();
					tokio::select! {
						_ = copy_bidirectional(&mut client, &mut server) => {},
						_ = turned.changed() => {},
					}
				});
			}
		});
		Self { address: own, behind }
	}

	fn url(&self) -> NodeUrl {
		format!("ws://{}", self.address).parse().unwrap()
	}

	fn turn(&self, to: Option<&Node>) {
		self.behind.send_replace(to.map(|node| node.address));
	}
}

/// Something else at a port: what it answers to whoever connects.
async fn answering(answer: &'static str) -> NodeUrl {
	let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
	let url = format!("ws://{}", listener.local_addr().unwrap());
	tokio::spawn(async move {
		loop {
			let (mut client, _) = listener.accept().await.unwrap();
			let mut asked = [0; 4_096];
			let _ = client.read(&mut asked).await;
			let _ = client.write_all(answer.as_bytes()).await;
		}
	});
	url.parse().unwrap()
}

/// Two nodes of one chain.
async fn two() -> (Node, Node) {
	(
		Node::start("one", OURS, 100).await,
		Node::start("other", OURS, 100).await,
	)
}

/// Somebody asks for what this one never answers.
fn never(line: &Line) -> tokio::task::JoinHandle<Result<String, Error>> {
	let rpc = RpcClient::new(line.clone());
	tokio::spawn(async move { rpc.request("never", rpc_params![]).await })
}

async fn name(line: &Line) -> Result<String, Error> {
	let rpc = RpcClient::new(line.clone());
	timeout(PATIENCE, rpc.request("name", rpc_params![])).await.unwrap()
}

async fn until(what: &str, holds: impl Fn() -> bool) {
	timeout(PATIENCE, async {
		while !holds() {
			tokio::time::sleep(Duration::from_millis(20)).await;
		}
	})
	.await
	.unwrap_or_else(|_| panic!("{what}"));
}

async fn refused(urls: &[NodeUrl]) -> (String, Duration) {
	let began = Instant::now();
	let error = Line::connect(urls).await.err().unwrap();
	(error.to_string(), began.elapsed())
}

#[tokio::test]
async fn requests_go_on_at_another_node_when_one_goes_down() {
	let (one, other) = two().await;
	let proxy = Proxy::to(one.address).await;
	let line = Line::connect(&[proxy.url(), other.url()]).await.unwrap();
	assert_eq!(name(&line).await.unwrap(), "one");
	assert_eq!(
		(line.asked(), other.asked()),
		(
			Asked {
				node: Some(0),
				changes: 0
			},
			0
		)
	);
	// One that is under way, too.
	let waiting = never(&line);
	until("it is asked", || one.asked() == 2).await;
	proxy.turn(None);
	until("the other one is asked the same", || other.asked() == 1).await;
	waiting.abort();
	assert_eq!(name(&line).await.unwrap(), "other");
	assert_eq!(
		line.asked(),
		Asked {
			node: Some(1),
			changes: 1
		}
	);
}

#[tokio::test]
async fn subscriptions_end_with_the_connection_and_begin_anew_at_another_node() {
	let (one, other) = two().await;
	let proxy = Proxy::to(one.address).await;
	let line = Line::connect(&[proxy.url(), other.url()]).await.unwrap();
	let rpc = RpcClient::new(line.clone());
	let heads = async || {
		rpc.subscribe::<String>("heads", rpc_params![], "unheads")
			.await
			.unwrap()
	};
	let mut first = heads().await;
	assert_eq!(first.next().await.unwrap().unwrap(), "one");
	proxy.turn(None);
	let ended = timeout(PATIENCE, first.next()).await.unwrap();
	assert!(ended.is_none_or(|last| last.is_err()));
	assert_eq!(heads().await.next().await.unwrap().unwrap(), "other");
}

/// The issue: the head of one stands still. Whoever follows it says what it tells.
#[tokio::test]
async fn a_node_that_stands_still_is_left_while_requests_wait_for_it() {
	let (one, other) = two().await;
	let line = Line::connect(&[one.url(), other.url()]).await.unwrap();
	line.set_block_time(Duration::from_millis(200)).await;
	let waiting = never(&line);
	until("it is asked", || one.asked() == 1).await;
	other.chain.best.store(110, Ordering::SeqCst);
	until("the other one is asked the same", || other.asked() == 1).await;
	waiting.abort();
	assert_eq!(line.asked().node, Some(1));
}

/// The fault: its heads go on, and a request hangs for as long as they do.
#[tokio::test]
async fn a_node_that_leaves_a_request_unanswered_is_left_for_one_that_answers_it() {
	let (one, other) = two().await;
	let line = Line::connect(&[one.url(), other.url()]).await.unwrap();
	one.chain.deaf.store(true, Ordering::SeqCst);
	let rpc = RpcClient::new(line.clone());
	let asked = timeout(PATIENCE, rpc.request::<String>("perhaps", rpc_params![]));
	assert_eq!(asked.await.unwrap().unwrap(), "other");
	assert_eq!(line.asked().node, Some(1));
	// What nobody answers moves nobody.
	let waiting = never(&line);
	until("the other one is tried", || one.asked() == 2).await;
	assert_eq!(name(&line).await.unwrap(), "other");
	waiting.abort();
}

/// The issue: a proxy that leads to another chain. What that says would be judged as if it were ours.
#[tokio::test]
async fn a_node_of_another_chain_is_never_asked_anything_and_its_chain_is_named() {
	let (ours, theirs) = (
		Node::start("ours", OURS, 100).await,
		Node::start("theirs", THEIRS, 9_000).await,
	);
	let proxy = Proxy::to(ours.address).await;
	let line = Line::connect(&[proxy.url()]).await.unwrap();
	assert_eq!(name(&line).await.unwrap(), "ours");
	proxy.turn(Some(&theirs));
	let rpc = RpcClient::new(line.clone());
	let asked = rpc.request::<String>("name", rpc_params![]);
	assert!(
		timeout(Duration::from_secs(3), asked).await.is_err(),
		"a stranger is believed"
	);
	assert_eq!((theirs.asked(), line.asked().node), (0, None));

	// With another one of ours nobody notices.
	let second = Node::start("second", OURS, 100).await;
	let proxy = Proxy::to(ours.address).await;
	let line = Line::connect(&[proxy.url(), second.url()]).await.unwrap();
	proxy.turn(Some(&theirs));
	assert_eq!(name(&line).await.unwrap(), "second");
	assert_eq!(theirs.asked(), 0);
	// Nor is it believed from the start, where it comes second.
	let line = Line::connect(&[ours.url(), theirs.url()]).await.unwrap();
	assert_eq!((name(&line).await.unwrap().as_str(), theirs.asked()), ("ours", 0));
}

/// The same bytes again are the same transaction; only what becomes of it nobody says any more.
#[tokio::test]
async fn a_transaction_is_handed_in_again_as_it_is_and_whoever_watches_is_told_that_it_is_not_known() {
	let (one, other) = two().await;
	let proxy = Proxy::to(one.address).await;
	let line = Line::connect(&[proxy.url(), other.url()]).await.unwrap();
	let rpc = RpcClient::new(line.clone());
	proxy.turn(None);
	let taken: String = rpc
		.request("author_submitExtrinsic", rpc_params!["0x07"])
		.await
		.unwrap();
	assert_eq!(taken, "other");
	assert_eq!(*other.chain.pool.lock().unwrap(), ["0x07"]);
	assert!(one.chain.pool.lock().unwrap().is_empty());

	// One that takes it, and says nothing before it is gone: nobody else is given it.
	let (deaf, third) = (
		Node::start("deaf", OURS, 100).await,
		Node::start("third", OURS, 100).await,
	);
	deaf.chain.deaf.store(true, Ordering::SeqCst);
	let proxy = Proxy::to(deaf.address).await;
	let line = Line::connect(&[proxy.url(), third.url()]).await.unwrap();
	let watching = tokio::spawn({
		let rpc = RpcClient::new(line.clone());
		async move { rpc.subscribe::<String>(WATCHED, rpc_params!["0x08"], "unwatch").await }
	});
	until("it is asked", || deaf.asked() == 1).await;
	proxy.turn(None);
	let error = timeout(PATIENCE, watching).await.unwrap().unwrap().err().unwrap();
	assert!(error.is_disconnected_will_reconnect(), "{error}");
	assert_eq!(name(&line).await.unwrap(), "third");
	assert_eq!(third.asked(), 1);
}

#[tokio::test]
async fn somebody_who_answers_and_is_no_node_is_told_at_once_with_the_reason() {
	let not_found = answering("HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n").await;
	let page = answering("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi").await;
	let ssh = answering("SSH-2.0-OpenSSH_9.2\r\n").await;
	for (url, words) in [
		(&not_found, "status 404"),
		(&page, "status 200"),
		(&ssh, "speaks no WebSocket"),
	] {
		let (said, took) = refused(std::slice::from_ref(url)).await;
		assert!(said.contains(words) && said.contains(&url.to_string()), "{said}");
		assert!(took < Duration::from_secs(5), "{took:?}: {said}");
	}
	// Each of several with its own reason.
	let (said, _) = refused(&[not_found.clone(), page.clone()]).await;
	for words in [&format!("{not_found}: "), &format!("{page}: "), "404", "200"] {
		assert!(said.contains(words), "{said}");
	}
	// JSON-RPC of something else.
	let server = ServerBuilder::default().build("127.0.0.1:0").await.unwrap();
	let url: NodeUrl = format!("ws://{}", server.local_addr().unwrap()).parse().unwrap();
	let _handle = server.start(RpcModule::new(()));
	let (said, _) = refused(&[url]).await;
	assert!(said.contains("no node of a chain: Method not found"), "{said}");
}

/// The issue: the log said that nobody answers, in each of these cases.
#[tokio::test]
async fn refused_host_and_taken_connections_are_told_apart() {
	let strict = answering("HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n").await;
	let (said, took) = refused(&[strict]).await;
	assert!(said.contains("refuses the host name") && said.contains("403"), "{said}");
	assert!(took < Duration::from_secs(5));

	let chain = Node::start("one", OURS, 100).await.chain;
	let server = ServerBuilder::default()
		.max_connections(1)
		.build("127.0.0.1:0")
		.await
		.unwrap();
	let full: NodeUrl = format!("ws://{}", server.local_addr().unwrap()).parse().unwrap();
	let _handle = server.start(module(&chain));
	let taken = Line::connect(std::slice::from_ref(&full)).await.unwrap();
	let trouble = ask(&full).await.err().unwrap();
	assert!(trouble.reason.contains("no connection left (429)"), "{trouble:?}");
	assert!(!trouble.for_good, "somebody may leave");
	// Somebody leaves.
	let waiting = tokio::spawn({
		let full = full.clone();
		async move { Line::connect(&[full]).await }
	});
	drop(taken);
	waiting.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_node_that_starts_late_is_waited_for() {
	let free = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
	let url: NodeUrl = format!("ws://{free}").parse().unwrap();
	assert_eq!(ask(&url).await.err().map(|trouble| trouble.for_good), Some(false));
	let waiting = tokio::spawn(async move { Line::connect(&[url]).await });
	tokio::time::sleep(Duration::from_millis(700)).await;
	let node = Node::start("one", OURS, 100).await;
	let server = ServerBuilder::default().build(free).await.unwrap();
	let _handle = server.start(module(&node.chain));
	let line = waiting.await.unwrap().unwrap();
	assert_eq!(name(&line).await.unwrap(), "one");
}

/// Many at a time, while the node changes over and over: each has its answer, none has an error.
#[tokio::test]
async fn nobody_notices_a_change() {
	let (one, other) = two().await;
	let proxy = Proxy::to(one.address).await;
	let line = Line::connect(&[proxy.url(), other.url()]).await.unwrap();
	let asking = (0..200).map(|turn| {
		let line = line.clone();
		async move {
			tokio::time::sleep(Duration::from_millis(turn * 5)).await;
			name(&line).await
		}
	});
	let turning = async {
		for to in [None, Some(&one), None, Some(&one)] {
			tokio::time::sleep(Duration::from_millis(200)).await;
			proxy.turn(to);
		}
	};
	let (answers, ()) = tokio::join!(join_all(asking), turning);
	for answer in answers {
		answer.unwrap();
	}
}
