//! The worker against L2 nodes that are real JSON-RPC servers with made-up answers, and a chain that only takes notes.

use super::{
	attestor::{Attestor, Chain, Look, LookError, Position, KEY_TYPE},
	journal::{Journal, Withheld},
	metrics::Metrics,
	quorum::{Quorum, QuorumError},
};
use clustercast_primitives::{
	bridge::{Attestation, BridgeInfo},
	crypto::SignedMessage,
	EthereumAddress, Hash, PublicKey,
};
use jsonrpsee::{
	server::{Server, ServerHandle},
	types::ErrorObjectOwned,
	RpcModule,
};
use serde_json::{json, Value};
use sp_core::{sr25519, Pair};
use sp_keystore::{testing::MemoryKeystore, Keystore, KeystorePtr};
use std::{
	convert::Infallible,
	sync::{Arc, Mutex},
	time::Duration,
};
use tokio::{io::AsyncWriteExt, net::TcpListener, time::timeout};

const CHAIN: u32 = 8_453;
const VAULT: EthereumAddress = EthereumAddress([7; 20]);
const GENESIS: Hash = Hash([1; 32]);
const INTERVAL: u32 = 8;

/// What a made-up node of the L2 says.
#[derive(Clone, Copy)]
struct L2 {
	chain: u32,
	finalised: u64,
	/// Distinguishes histories: part of every block's hash.
	fork: u8,
	count: u64,
	root: Hash,
	/// Block of the newest deposit.
	last: u64,
	/// Block of the chain that the light client had in block 0; one more in each block after.
	client: u32,
	/// Before every answer.
	delay: Duration,
}

/// Three deposits, the last in block 18, of which 25 is final: block 24 is the last multiple of eight there.
const HONEST: L2 = L2 {
	chain: CHAIN,
	finalised: 25,
	fork: 0,
	count: 3,
	root: Hash([3; 32]),
	last: 18,
	client: 1_000,
	delay: Duration::ZERO,
};

impl L2 {
	fn hash(&self, block: u64) -> Hash {
		let mut hash = [self.fork; 32];
		hash[24..].copy_from_slice(&block.to_be_bytes());
		Hash(hash)
	}

	fn statement(&self) -> Attestation {
		let l2_block = self.last.next_multiple_of(INTERVAL.into());
		Attestation {
			l2: self.chain,
			kind: 0,
			l2_block,
			l2_hash: self.hash(l2_block),
			root: self.root,
			count: self.count,
			light_client_block: self.client + l2_block as u32,
		}
	}

	fn block(&self, name: &str) -> Value {
		let number = match name {
			"finalized" => self.finalised,
			number => u64::from_str_radix(&number[2..], 16).unwrap(),
		};
		match number <= self.finalised {
			true => json!({ "number": format!("{number:#x}"), "hash": self.hash(number), "transactions": [] }),
			false => Value::Null,
		}
	}

	fn call(&self, call: &Value, at: &Value) -> String {
		assert_eq!(call["to"], json!(VAULT));
		let block = (0..=self.finalised).find(|block| at["blockHash"] == json!(self.hash(*block)));
		let block = block.expect("the state of a final block");
		assert!(block.is_multiple_of(INTERVAL.into()));
		match call["data"].as_str().unwrap() {
			// keccak256("state()") and keccak256("deposits()")
			"0xc19d93fb" => {
				let (count, root) = (self.count, &self.root.to_string()[2..]);
				format!("0x{count:064x}{root}{:064x}", u64::from(self.client) + block)
			},
			"0x323a5e0b" => format!("0x{:064x}{:064x}{:064x}", self.count, self.last, 1_000_000),
			other => panic!("call of {other}"),
		}
	}
}

/// A made-up node that listens. What it says can be changed.
struct Fake {
	url: String,
	says: Arc<Mutex<L2>>,
	_server: ServerHandle,
}

impl Fake {
	async fn start(says: L2) -> Self {
		let says = Arc::new(Mutex::new(says));
		let mut module = RpcModule::new(says.clone());
		async fn now(says: &Mutex<L2>) -> L2 {
			let says = *says.lock().unwrap();
			tokio::time::sleep(says.delay).await;
			says
		}
		module
			.register_async_method("eth_chainId", |_, says, _| async move {
				format!("{:#x}", now(&says).await.chain)
			})
			.unwrap();
		module
			.register_async_method("eth_getBlockByNumber", |params, says, _| async move {
				let (name, _full): (String, bool) = params.parse()?;
				Ok::<_, ErrorObjectOwned>(now(&says).await.block(&name))
			})
			.unwrap();
		module
			.register_async_method("eth_call", |params, says, _| async move {
				let (call, at): (Value, Value) = params.parse()?;
				Ok::<_, ErrorObjectOwned>(now(&says).await.call(&call, &at))
			})
			.unwrap();
		let server = Server::builder().build("127.0.0.1:0").await.unwrap();
		let url = format!("http://{}", server.local_addr().unwrap());
		Self {
			url,
			says,
			_server: server.start(module),
		}
	}

	fn says(&self, change: impl FnOnce(&mut L2)) {
		change(&mut self.says.lock().unwrap());
	}
}

/// The chain's side: what it accepted, and what was submitted to it.
#[derive(Clone)]
struct Notes(Arc<Mutex<Noted>>);

type Noted = (Position, Vec<(Attestation, u32)>);

impl Notes {
	fn submitted(&self) -> Vec<Attestation> {
		self.0
			.lock()
			.unwrap()
			.1
			.iter()
			.map(|(attestation, _)| *attestation)
			.collect()
	}

	fn change(&self, change: impl FnOnce(&mut Position)) {
		change(&mut self.0.lock().unwrap().0);
	}
}

impl Chain for Notes {
	type Error = Infallible;

	fn position(&self) -> Result<Option<Position>, Infallible> {
		Ok(Some(self.0.lock().unwrap().0.clone()))
	}

	fn submit(&self, attestation: Attestation, index: u32, signature: [u8; 64]) -> Result<bool, Infallible> {
		let mut notes = self.0.lock().unwrap();
		let key = sr25519::Public::from_raw(notes.0.attestors[index as usize].0);
		let signature = sr25519::Signature::from_raw(signature);
		let payload = attestation.signing_payload(&GENESIS);
		assert!(sr25519::Pair::verify(&signature, payload, &key));
		notes.1.push((attestation, index));
		Ok(true)
	}
}

struct World {
	notes: Notes,
	keystore: KeystorePtr,
	folder: tempfile::TempDir,
}

impl World {
	/// Two validators; the second is we.
	fn new() -> Self {
		let keystore = MemoryKeystore::new();
		let ours = keystore.sr25519_generate_new(KEY_TYPE, Some("//Bob")).unwrap();
		let bridge = BridgeInfo {
			chain_id: CHAIN,
			vault: VAULT,
			interval: INTERVAL,
			first: 0,
			attested: None,
			next_deposit: 0,
			stranded: 0,
			next_withdrawal: 0,
			queued: 0,
			outflow_left: 0,
			imported: 0,
			withdrawn: 0,
			issuance: 0,
			attestors: 2,
			threshold: 2,
			genesis: GENESIS,
		};
		let position = Position {
			bridge,
			attestors: vec![PublicKey([9; 32]), PublicKey(ours.0)],
		};
		Self {
			notes: Notes(Arc::new(Mutex::new((position, vec![])))),
			keystore: Arc::new(keystore),
			folder: tempfile::tempdir().unwrap(),
		}
	}

	/// A node that starts: again, where one ran before in this world.
	fn attestor(&self, urls: &[&str]) -> Attestor<Notes> {
		let urls: Vec<_> = urls.iter().map(|url| url.to_string()).collect();
		let metrics = Metrics::register(None).unwrap();
		Attestor::new(
			self.notes.clone(),
			self.keystore.clone(),
			Quorum::new(&urls, metrics.clone()).unwrap(),
			Journal::open(self.folder.path(), GENESIS).unwrap(),
			metrics,
		)
	}
}

/// Answers every connection with these bytes.
async fn raw_server(answer: &'static str) -> String {
	let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
	let url = format!("http://{}", listener.local_addr().unwrap());
	tokio::spawn(async move {
		while let Ok((mut stream, _)) = listener.accept().await {
			let _ = stream.write_all(answer.as_bytes()).await;
		}
	});
	url
}

/// Where nobody listens.
async fn dead_url() -> String {
	let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
	format!("http://{}", listener.local_addr().unwrap())
}

#[tokio::test]
async fn deposits_are_attested_once_final_at_the_first_checkpoint_behind_the_last() {
	let (world, l2) = (World::new(), Fake::start(HONEST).await);
	let mut attestor = world.attestor(&[&l2.url]);
	let statement = HONEST.statement();
	assert_eq!(statement.l2_block, 24);
	assert_eq!(attestor.look().await.unwrap(), Look::Signed(statement));
	assert_eq!(attestor.look().await.unwrap(), Look::Waiting(statement));
	assert_eq!(world.notes.submitted(), [statement], "not submitted again at once");
	assert_eq!(world.notes.0.lock().unwrap().1[0].1, 1, "in our place");

	// Later looks find other final blocks and say the same words.
	l2.says(|l2| l2.finalised = 70);
	assert_eq!(
		world.attestor(&[&l2.url]).look().await.unwrap(),
		Look::Signed(statement)
	);

	world.notes.change(|chain| chain.bridge.attested = Some(statement));
	assert_eq!(attestor.look().await.unwrap(), Look::UpToDate);

	// A deposit behind the last checkpoint waits for the next one.
	l2.says(|l2| (l2.finalised, l2.count, l2.last) = (80, 4, 79));
	let next = Attestation {
		l2_block: 80,
		count: 4,
		..statement
	};
	let next = Attestation {
		l2_hash: HONEST.hash(80),
		light_client_block: 1_080,
		..next
	};
	assert_eq!(attestor.look().await.unwrap(), Look::Signed(next));
}

#[tokio::test]
async fn nothing_is_signed_without_deposits_or_office() {
	let empty = L2 {
		count: 0,
		root: Hash([5; 32]),
		last: 0,
		..HONEST
	};
	let (world, l2) = (World::new(), Fake::start(empty).await);
	assert_eq!(world.attestor(&[&l2.url]).look().await.unwrap(), Look::UpToDate);
	l2.says(|l2| *l2 = HONEST);
	world.notes.change(|chain| chain.attestors.truncate(1));
	assert_eq!(world.attestor(&[&l2.url]).look().await.unwrap(), Look::NotInOffice);
	assert!(world.notes.submitted().is_empty());
}

#[tokio::test]
async fn one_lying_endpoint_of_three_mints_nothing_and_stops_nothing() {
	let liars = [
		L2 { count: 9, ..HONEST },
		L2 {
			root: Hash([9; 32]),
			..HONEST
		},
		L2 { fork: 9, ..HONEST },
		L2 { last: 3, ..HONEST },
		L2 { client: 9, ..HONEST },
		// Calls blocks final that are not.
		L2 {
			finalised: 1_000,
			count: 9,
			last: 999,
			..HONEST
		},
		L2 { finalised: 7, ..HONEST },
		L2 { chain: 1, ..HONEST },
	];
	for (n, lies) in liars.into_iter().enumerate() {
		let (a, b, liar) = (
			Fake::start(HONEST).await,
			Fake::start(HONEST).await,
			Fake::start(lies).await,
		);
		// Wherever it stands.
		for urls in [
			[&liar.url, &a.url, &b.url],
			[&a.url, &liar.url, &b.url],
			[&a.url, &b.url, &liar.url],
		] {
			let world = World::new();
			let look = world.attestor(&urls.map(String::as_str)).look().await.unwrap();
			assert_eq!(look, Look::Signed(HONEST.statement()), "lie {n}");
		}
	}
}

#[tokio::test]
async fn without_a_strict_majority_nothing_is_signed() {
	let lie = L2 { count: 9, ..HONEST };
	let (honest, liar) = (Fake::start(HONEST).await, Fake::start(lie).await);
	let world = World::new();
	let error = world.attestor(&[&honest.url, &liar.url]).look().await.unwrap_err();
	let LookError::Quorum(error) = error else {
		panic!("{error}")
	};
	let contradiction = QuorumError::Contradiction {
		agree: 1,
		endpoints: 2,
		needed: 2,
	};
	assert_eq!(error, contradiction);

	let dead = dead_url().await;
	let error = world.attestor(&[&honest.url, &dead]).look().await.unwrap_err();
	let LookError::Quorum(error) = error else {
		panic!("{error}")
	};
	let too_few = QuorumError::TooFew {
		answers: 1,
		endpoints: 2,
		needed: 2,
	};
	assert_eq!(error, too_few, "those that do not answer do not agree");
	assert!(world.notes.submitted().is_empty());
}

#[tokio::test]
async fn reorganisation_below_the_final_block_is_never_signed_even_after_a_restart() {
	let (world, l2) = (World::new(), Fake::start(HONEST).await);
	let mut attestor = world.attestor(&[&l2.url]);
	attestor.look().await.unwrap();
	l2.says(|l2| (l2.fork, l2.finalised) = (1, 26));
	for mut attestor in [attestor, world.attestor(&[&l2.url])] {
		let error = attestor.look().await.unwrap_err();
		assert!(
			matches!(error, LookError::Withheld { reason: Withheld::Contradiction(last), .. } if last == HONEST.statement())
		);
	}
	// The other history's next checkpoint may be signed: the chain decides what contradicts what it accepted.
	l2.says(|l2| (l2.count, l2.last, l2.finalised) = (4, 30, 33));
	let next = l2.says.lock().unwrap().statement();
	assert_eq!(world.attestor(&[&l2.url]).look().await.unwrap(), Look::Signed(next));
	l2.says(|l2| (l2.count, l2.last, l2.finalised) = (5, 20, 33));
	let error = world.attestor(&[&l2.url]).look().await.unwrap_err();
	assert!(matches!(
		error,
		LookError::Withheld {
			reason: Withheld::Earlier { signed: 32, found: 24 },
			..
		}
	));
	assert_eq!(world.notes.submitted(), [HONEST.statement(), next]);
}

#[tokio::test]
async fn an_endpoint_of_another_chain_or_without_a_vault_counts_for_nothing() {
	let other = Fake::start(L2 { chain: 1, ..HONEST }).await;
	let senseless = Fake::start(L2 { last: 26, ..HONEST }).await;
	for l2 in [&other, &senseless] {
		let world = World::new();
		let mut attestor = world.attestor(&[&l2.url]);
		let error = attestor.look().await.unwrap_err();
		assert!(
			matches!(error, LookError::Quorum(QuorumError::TooFew { answers: 0, .. })),
			"{error}"
		);
		assert!(world.notes.submitted().is_empty());
		// It answers, so it is asked again at once.
		l2.says(|l2| *l2 = HONEST);
		assert_eq!(attestor.look().await.unwrap(), Look::Signed(HONEST.statement()));
	}
}

#[tokio::test]
async fn nothing_is_asked_about_blocks_before_the_vault() {
	let (world, l2) = (World::new(), Fake::start(HONEST).await);
	world.notes.change(|chain| chain.bridge.first = 25);
	assert_eq!(world.attestor(&[&l2.url]).look().await.unwrap(), Look::UpToDate);
	world.notes.change(|chain| chain.bridge.first = 24);
	let look = world.attestor(&[&l2.url]).look().await.unwrap();
	assert_eq!(look, Look::Signed(HONEST.statement()));
}

#[tokio::test]
async fn garbage_is_survived() {
	let world = World::new();
	for garbage in [
		"\x00\x01\x02",
		"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\n{}[]",
		"HTTP/1.1 500 No\r\ncontent-length: 0\r\n\r\n",
		"HTTP/1.1 200 OK\r\ncontent-length: 99999999999\r\n\r\n",
		"HTTP/1.1 200 OK\r\ncontent-length: 40\r\n\r\n{\"jsonrpc\":\"2.0\",\"id\":0,\"result\":\"0xzz\"} ",
	] {
		let url = raw_server(garbage).await;
		let error = world.attestor(&[&url]).look().await.unwrap_err();
		assert!(
			matches!(error, LookError::Quorum(QuorumError::TooFew { answers: 0, .. })),
			"{error}"
		);
	}
}

#[tokio::test]
async fn a_slow_endpoint_is_left_behind_and_then_left_alone() {
	let (a, b) = (Fake::start(HONEST).await, Fake::start(HONEST).await);
	let slow = Fake::start(L2 {
		delay: Duration::from_secs(3_600),
		..HONEST
	})
	.await;
	let world = World::new();
	let mut attestor = world.attestor(&[&a.url, &b.url, &slow.url]);
	let look = timeout(Duration::from_secs(8), attestor.look()).await.expect("bounded");
	assert_eq!(look.unwrap(), Look::Signed(HONEST.statement()));
	let again = timeout(Duration::from_secs(2), attestor.look())
		.await
		.expect("not asked again at once");
	assert_eq!(again.unwrap(), Look::Waiting(HONEST.statement()));
}

#[tokio::test]
async fn another_root_than_the_chain_accepted_is_reported() {
	let (world, l2) = (World::new(), Fake::start(HONEST).await);
	let forged = Attestation {
		root: Hash([8; 32]),
		..HONEST.statement()
	};
	world.notes.change(|chain| chain.bridge.attested = Some(forged));
	let error = world.attestor(&[&l2.url]).look().await.unwrap_err();
	assert!(matches!(error, LookError::ForeignRoot { accepted, .. } if accepted == forged));
}
