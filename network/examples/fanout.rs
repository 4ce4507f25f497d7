//! What it costs to send the same windows to many: processor time of the sending process per GB, ours, that of bare QUIC, and that
//! of nginx, which serves them as files over TLS 1.3. `scripts/bench fanout` runs it; the receivers are in a process of their own,
//! which counts beside it.
//!
//! usage: fanout [VIEWERS] [SECONDS] [ROUNDS]; FANOUT_NGINX names its program, without it that peer is left out

#![allow(clippy::unwrap_used, reason = "a benchmark fails by panicking")]

use bytes::Bytes;
use clustercast_network::{
	node::Limits,
	serve::{serve, Config, Grant, Policy},
	Address, Feed, Node, Subscription,
};
use clustercast_primitives::{
	catalog::Track, crypto::KeyPair, subscribe::Binding, AccountId, Hash, PublicKey, SignedTicket, StreamId,
};
use clustercast_protocol::{
	viewer::Event, Broadcast, EndReason, Expectation, Follow, PaymentMode, PaymentTerms, Purse, PurseConfig,
	ReceiptSigner, SessionKey, Subscribe, Terms, ViewerConfig, ViewerSession,
};
use libp2p::tls;
use nix::sys::resource::{getrusage, UsageWho};
use rustls::{
	client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
	pki_types::{CertificateDer, ServerName, UnixTime},
	DigitallySignedStruct, SignatureScheme,
};
use std::{
	env,
	io::{BufRead, BufReader, Write},
	net::SocketAddr,
	process::{self, Child, Command, Stdio},
	sync::Arc,
	time::Duration,
};
use tokio::{
	io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt},
	task::JoinSet,
	time::{interval, sleep, timeout},
};

const GENESIS: Hash = Hash([7; 32]);
const STREAM: StreamId = StreamId(3);
/// A second of 1.5 Mb/s in each window, twice a second: four times the usual rate, so that a run is short.
const WINDOW: usize = 375_000;
const EVERY: Duration = Duration::from_millis(500);
const PATIENCE: Duration = Duration::from_secs(30);

fn key(seed: u8) -> KeyPair {
	KeyPair::from_seed([seed; 32])
}

fn main() {
	let arguments: Vec<String> = env::args().skip(1).collect();
	let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
	let runtime = tokio::runtime::Builder::new_multi_thread()
		.worker_threads(2)
		.enable_all()
		.build()
		.unwrap();
	match words[..] {
		["send", mode, windows] => runtime.block_on(send(mode, windows.parse().unwrap())),
		["receive", mode, viewers, windows, address] => {
			runtime.block_on(receive(
				mode,
				viewers.parse().unwrap(),
				windows.parse().unwrap(),
				address,
			));
		},
		_ => compare(&words),
	}
}

/// Runs each in turns, and prints the means as JSON: of the sender alone, and of both ends.
fn compare(words: &[&str]) {
	let number = |n: usize, default: usize| words.get(n).map_or(default, |word| word.parse().unwrap());
	let (viewers, seconds, rounds) = (number(0, 50), number(1, 10), number(2, 3));
	let windows = seconds * 1_000 / EVERY.as_millis() as usize;
	let mut modes = vec!["free", "paid", "quinn"];
	modes.extend(env::var_os("FANOUT_NGINX").map(|_| "nginx"));
	let mut costs = vec![Cost::default(); modes.len()];
	for round in 0..rounds {
		for turn in 0..modes.len() {
			let which = (turn + round) % modes.len();
			let cost = run(modes[which], viewers, windows);
			eprintln!(
				"round {round}, {}: {:.2} CPU s/GB, {:.2} with the receivers'",
				modes[which], cost.sender, cost.both
			);
			costs[which].sender += cost.sender / rounds as f64;
			costs[which].both += cost.both / rounds as f64;
		}
	}
	let figures: Vec<String> = modes
		.iter()
		.zip(&costs)
		.map(|(mode, cost)| format!(r#""{mode}":{:.3},"{mode}Both":{:.3}"#, cost.sender, cost.both))
		.collect();
	println!(r#"{{"viewers":{viewers},{},"unit":"CPU s/GB"}}"#, figures.join(","));
}

/// Processor seconds per GB.
#[derive(Clone, Default)]
struct Cost {
	sender: f64,
	both: f64,
}

fn run(mode: &str, viewers: usize, windows: usize) -> Cost {
	let own = env::current_exe().unwrap();
	let mut sender = Command::new(&own)
		.args(["send", mode, &windows.to_string()])
		.stdin(Stdio::piped())
		.stdout(Stdio::piped())
		.spawn()
		.unwrap();
	let mut said = BufReader::new(sender.stdout.take().unwrap()).lines();
	let address = said.next().unwrap().unwrap();
	let receiver = Command::new(&own)
		.args(["receive", mode, &viewers.to_string(), &windows.to_string(), &address])
		.stdout(Stdio::piped())
		.spawn()
		.unwrap();
	let mut receiver = Ended(receiver);
	let mut ready = BufReader::new(receiver.0.stdout.take().unwrap()).lines();
	assert_eq!(ready.next().unwrap().unwrap(), "ready");
	writeln!(sender.stdin.take().unwrap(), "go").unwrap();
	let received: u64 = ready.next().unwrap().unwrap().parse().unwrap();
	let receiving: f64 = ready.next().unwrap().unwrap().parse().unwrap();
	let sending: f64 = said.next().unwrap().unwrap().parse().unwrap();
	assert!(Ended(sender).0.wait().unwrap().success());
	assert_eq!(received, (viewers * windows * WINDOW) as u64);
	let per_gb = |seconds: f64| seconds / received as f64 * 1e9;
	Cost {
		sender: per_gb(sending),
		both: per_gb(sending + receiving),
	}
}

/// A child that does not outlive us.
struct Ended(Child);

impl Drop for Ended {
	fn drop(&mut self) {
		let _ = self.0.kill();
		let _ = self.0.wait();
	}
}

/// Processor time of this process so far, seconds.
fn processor() -> f64 {
	let usage = getrusage(UsageWho::RUSAGE_SELF).unwrap();
	[usage.user_time(), usage.system_time()]
		.iter()
		.map(|time| time.tv_sec() as f64 + time.tv_usec() as f64 / 1e6)
		.sum()
}

/// Lets everybody in; against tickets that all pass, which are verified as a relayer does, or for nothing.
struct Open {
	paid: bool,
	signer: Arc<ReceiptSigner>,
}

impl Policy for Open {
	type Seat = ();

	async fn subscribe(&self, _: PublicKey, _: &Subscribe) -> Result<(Grant, ()), EndReason> {
		let terms = || Terms {
			recipient: AccountId([9; 32]),
			price_per_gb: 20_000,
			mode: PaymentMode::Tickets { face_value: 20_000 },
			credit: 8 * WINDOW as u32,
			// Four windows, as relayers do it by default.
			interval: 4 * WINDOW as u32,
			counter: 0,
			reserve: None,
		};
		let grant = match self.paid {
			false => Grant::Free,
			true => Grant::Paid(terms(), self.signer.clone()),
		};
		Ok((grant, ()))
	}

	fn lend(&self, _: &(), _: Expectation) -> Result<bool, EndReason> {
		Ok(true)
	}

	async fn ticket(&self, _: &(), ticket: SignedTicket) -> Result<(), EndReason> {
		ticket
			.verify(&key(4).public(), &GENESIS)
			.map_err(|_| EndReason::ProtocolError)
	}
}

async fn send(mode: &str, windows: usize) {
	match mode {
		"quinn" => send_bare(windows).await,
		"nginx" => send_files(windows).await,
		_ => send_ours(mode == "paid", windows).await,
	}
}

/// Waits until everybody is there; processor time at that moment.
async fn told_to_go() -> f64 {
	let read = || std::io::stdin().read_line(&mut String::new());
	tokio::task::spawn_blocking(read).await.unwrap().unwrap();
	processor()
}

async fn send_ours(paid: bool, windows: usize) {
	let (node, incoming) = Node::start(&key(1), Limits::default()).unwrap();
	let address = node
		.listen("/ip4/127.0.0.1/udp/0/quic-v1".parse().unwrap())
		.await
		.unwrap();
	let feed = Feed::new(64 << 20);
	let policy = Open {
		paid,
		signer: Arc::new(ReceiptSigner::new(key(1), [5; 32])),
	};
	// All viewers have one account.
	let config = Config {
		max_per_payer: usize::MAX,
		..Config::new(GENESIS, key(1).public())
	};
	let serving = tokio::spawn(serve(
		incoming,
		feed.clone(),
		Arc::new(policy),
		config,
		std::future::pending(),
	));
	let mut broadcast = Broadcast::begin(key(2), GENESIS, STREAM, 1, Hash([0; 32]), 0);
	broadcast.describe(Track::unknown(b"init"), Bytes::from_static(b"init"));
	// What an origin does is not measured here.
	let ready: Vec<_> = (0..windows)
		.map(|n| broadcast.segment(2_000 * n as u64, &content(n)).unwrap())
		.collect();
	println!("{address}");
	let begun = told_to_go().await;
	let mut clock = interval(EVERY);
	for window in ready {
		clock.tick().await;
		assert!(feed.push(window));
	}
	// Receivers hang up when they have all.
	sleep(2 * EVERY).await;
	println!("{}", processor() - begun);
	serving.abort();
	process::exit(0);
}

fn content(n: usize) -> Vec<u8> {
	(0..WINDOW).map(|i| (i * 31 + n) as u8).collect()
}

/// One stream a window, of bytes that all share, and nothing else.
async fn send_bare(windows: usize) {
	let identity = libp2p::identity::Keypair::ed25519_from_bytes(key(1).seed()).unwrap();
	let mut server = tls::make_server_config(&identity).unwrap();
	server.alpn_protocols = vec![b"bare".to_vec()];
	let crypto = quinn::crypto::rustls::QuicServerConfig::try_from(server).unwrap();
	let config = quinn::ServerConfig::with_crypto(Arc::new(crypto));
	let endpoint = quinn::Endpoint::server(config, "127.0.0.1:0".parse().unwrap()).unwrap();
	println!("{}", endpoint.local_addr().unwrap());
	let (news, _) = tokio::sync::broadcast::channel::<Bytes>(64);
	let accepting = endpoint.clone();
	let sender = news.clone();
	tokio::spawn(async move {
		while let Some(incoming) = accepting.accept().await {
			let mut windows = sender.subscribe();
			tokio::spawn(async move {
				let connection = incoming.await.unwrap();
				while let Ok(window) = windows.recv().await {
					let mut stream = connection.open_uni().await.unwrap();
					stream.write_chunk(window).await.unwrap();
					stream.finish().unwrap();
				}
				connection.closed().await;
			});
		}
	});
	let ready: Vec<Bytes> = (0..windows).map(|n| content(n).into()).collect();
	let begun = told_to_go().await;
	let mut clock = interval(EVERY);
	for window in ready {
		clock.tick().await;
		news.send(window).unwrap();
	}
	sleep(2 * EVERY).await;
	println!("{}", processor() - begun);
	process::exit(0);
}

/// nginx, with the windows as files.
async fn send_files(windows: usize) {
	let folder = tempfile::tempdir().unwrap();
	let path = |name: &str| folder.path().join(name);
	for n in 0..windows {
		std::fs::write(path(&n.to_string()), content(n)).unwrap();
	}
	let made = Command::new("openssl")
		.args([
			"req",
			"-x509",
			"-newkey",
			"ec",
			"-pkeyopt",
			"ec_paramgen_curve:prime256v1",
			"-nodes",
			"-subj",
			"/CN=bare",
		])
		.args([
			"-keyout".as_ref(),
			path("key").as_os_str(),
			"-out".as_ref(),
			path("certificate").as_os_str(),
		])
		.stderr(Stdio::null())
		.status();
	assert!(made.unwrap().success());
	let address = std::net::TcpListener::bind("127.0.0.1:0")
		.unwrap()
		.local_addr()
		.unwrap();
	// One process, in which all counts; as its manual advises for files: sendfile, and no log of each request.
	let config = format!(
		"daemon off; master_process off; pid {0}/pid; error_log stderr;
		events {{ worker_connections 1024; }}
		http {{
			access_log off; sendfile on; tcp_nopush on; open_file_cache max=1000;
			client_body_temp_path {0}/body; proxy_temp_path {0}/proxy; fastcgi_temp_path {0}/fastcgi;
			uwsgi_temp_path {0}/uwsgi; scgi_temp_path {0}/scgi;
			server {{
				listen {address} ssl; ssl_certificate {0}/certificate; ssl_certificate_key {0}/key;
				ssl_protocols TLSv1.3; keepalive_requests 1000000; root {0};
			}}
		}}",
		folder.path().display()
	);
	std::fs::write(path("config"), config).unwrap();
	let nginx = Command::new(env::var_os("FANOUT_NGINX").unwrap())
		.args([
			"-e".as_ref(),
			"stderr".as_ref(),
			"-c".as_ref(),
			path("config").as_os_str(),
		])
		.spawn();
	let nginx = Ended(nginx.unwrap());
	let answers = async {
		while tokio::net::TcpStream::connect(address).await.is_err() {
			sleep(Duration::from_millis(10)).await;
		}
	};
	timeout(PATIENCE, answers).await.unwrap();
	println!("{address}");
	told_to_go().await;
	let begun = processor_of(nginx.0.id());
	sleep((windows as u32 + 2) * EVERY).await;
	println!("{}", processor_of(nginx.0.id()) - begun);
}

/// Processor time of another process so far, seconds.
fn processor_of(id: u32) -> f64 {
	const TICKS: f64 = 100.0;
	let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).unwrap();
	// Behind the name, which may have anything in it: user and system time are the 14th and 15th field.
	let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
	[fields[11], fields[12]]
		.iter()
		.map(|ticks| ticks.parse::<f64>().unwrap() / TICKS)
		.sum()
}

async fn receive(mode: &str, viewers: usize, windows: usize, address: &str) {
	let (ready, mut all_ready) = tokio::sync::mpsc::channel(viewers);
	let mut tasks = JoinSet::new();
	for viewer in 0..viewers {
		let ready = ready.clone();
		match mode {
			"quinn" => tasks.spawn(receive_bare(address.parse().unwrap(), windows, ready)),
			"nginx" => tasks.spawn(receive_files(address.parse().unwrap(), windows, ready)),
			_ => tasks.spawn(receive_ours(
				10 + viewer as u8,
				address.parse().unwrap(),
				mode == "paid",
				windows,
				ready,
			)),
		};
	}
	for _ in 0..viewers {
		timeout(PATIENCE, all_ready.recv()).await.unwrap().unwrap();
	}
	println!("ready");
	let begun = processor();
	let received: usize = tasks.join_all().await.into_iter().sum();
	println!("{received}\n{}", processor() - begun);
	// The sender is asked for its processor time meanwhile.
	sleep(4 * EVERY).await;
}

type Ready = tokio::sync::mpsc::Sender<()>;

async fn receive_ours(seed: u8, address: Address, paid: bool, windows: usize, ready: Ready) -> usize {
	let node = Node::start(&key(seed), Limits::default()).unwrap().0;
	let session = ViewerSession::new(ViewerConfig {
		genesis: GENESIS,
		stream: STREAM,
		track: 0,
		keys: key(2).public().into(),
		relayer_key: address.peer(),
		relayer_account: None,
		binding: Binding::PeerKey(address.peer().0),
		payment: paid.then_some(PaymentTerms {
			session: SessionKey {
				account: AccountId([8; 32]),
				key: key(4).public(),
			},
			vouchers: false,
			terms: 0,
			max_price_per_gb: 20_000,
			max_face_value: 20_000,
		}),
		head: 0,
		latest_start_ms: u64::MAX,
		resume: None,
		follow: Follow::Windows,
	});
	let mut purse = Purse::new(
		PurseConfig {
			genesis: GENESIS,
			sender: AccountId([8; 32]),
			session_expiry: 1_000_000,
			ticket_life: 100,
			budget: u128::MAX >> 64,
		},
		key(4),
	);
	let stream = node.connect(&address).await.unwrap();
	let mut subscription = Subscription::new(stream, session, PATIENCE);
	let (mut received, mut count) = (0, 0);
	while count < windows {
		match subscription.next().await.unwrap() {
			Event::Challenged(challenge) => {
				let signed = key(4).sign(challenge, &GENESIS);
				subscription.session().subscribe(signed);
			},
			Event::Terms(_) => ready.send(()).await.unwrap(),
			Event::Window(window) => {
				received += window.data().len();
				count += 1;
			},
			Event::PaymentDue(due) => {
				// What a player keeps on disk before it signs.
				let _ = purse.reserve(&due.recipient, 0);
				let payment = purse.pay(&due, 0).unwrap();
				subscription.session().pay(&due, payment).unwrap();
			},
			_ => {},
		}
	}
	subscription.leave(PATIENCE).await;
	received
}

async fn receive_bare(address: SocketAddr, windows: usize, ready: Ready) -> usize {
	let identity = libp2p::identity::Keypair::ed25519_from_bytes(key(3).seed()).unwrap();
	let mut client = rustls::ClientConfig::builder_with_provider(Arc::new(provider()))
		.with_protocol_versions(&[&rustls::version::TLS13])
		.unwrap()
		.dangerous()
		.with_custom_certificate_verifier(Arc::new(Anybody))
		.with_no_client_auth();
	client.client_auth_cert_resolver = tls::make_client_config(&identity, None)
		.unwrap()
		.client_auth_cert_resolver;
	client.alpn_protocols = vec![b"bare".to_vec()];
	let crypto = quinn::crypto::rustls::QuicClientConfig::try_from(client).unwrap();
	let endpoint = quinn::Endpoint::client("127.0.0.1:0".parse().unwrap()).unwrap();
	let connection = endpoint
		.connect_with(quinn::ClientConfig::new(Arc::new(crypto)), address, "bare")
		.unwrap()
		.await
		.unwrap();
	ready.send(()).await.unwrap();
	let mut received = 0;
	for _ in 0..windows {
		let mut stream = connection.accept_uni().await.unwrap();
		let mut buffer = vec![0; 128 << 10];
		while let Some(length) = stream.read(&mut buffer).await.unwrap() {
			received += length;
		}
	}
	received
}

/// Asks for each window when it is there, over one connection.
async fn receive_files(address: SocketAddr, windows: usize, ready: Ready) -> usize {
	let config = rustls::ClientConfig::builder_with_provider(Arc::new(provider()))
		.with_protocol_versions(&[&rustls::version::TLS13])
		.unwrap()
		.dangerous()
		.with_custom_certificate_verifier(Arc::new(Anybody))
		.with_no_client_auth();
	let stream = tokio::net::TcpStream::connect(address).await.unwrap();
	let connector = tokio_rustls::TlsConnector::from(Arc::new(config));
	let name = ServerName::try_from("bare").unwrap();
	let mut stream = tokio::io::BufReader::with_capacity(128 << 10, connector.connect(name, stream).await.unwrap());
	ready.send(()).await.unwrap();
	let mut clock = interval(EVERY);
	let (mut received, mut content) = (0, vec![0; WINDOW]);
	for n in 0..windows {
		clock.tick().await;
		let request = format!("GET /{n} HTTP/1.1\r\nHost: bare\r\n\r\n");
		stream.write_all(request.as_bytes()).await.unwrap();
		let mut line = String::new();
		stream.read_line(&mut line).await.unwrap();
		assert!(line.starts_with("HTTP/1.1 200 "), "{line}");
		while line != "\r\n" {
			line.clear();
			stream.read_line(&mut line).await.unwrap();
		}
		received += stream.read_exact(&mut content).await.unwrap();
	}
	received
}

/// With the cipher that ours takes.
fn provider() -> rustls::crypto::CryptoProvider {
	let mut provider = rustls::crypto::aws_lc_rs::default_provider();
	provider.cipher_suites = vec![rustls::crypto::aws_lc_rs::cipher_suite::TLS13_AES_128_GCM_SHA256];
	provider
}

/// Takes whoever answers: nobody else is there.
#[derive(Debug)]
struct Anybody;

impl ServerCertVerifier for Anybody {
	fn verify_server_cert(
		&self,
		_: &CertificateDer<'_>,
		_: &[CertificateDer<'_>],
		_: &ServerName<'_>,
		_: &[u8],
		_: UnixTime,
	) -> Result<ServerCertVerified, rustls::Error> {
		Ok(ServerCertVerified::assertion())
	}

	fn verify_tls12_signature(
		&self,
		_: &[u8],
		_: &CertificateDer<'_>,
		_: &DigitallySignedStruct,
	) -> Result<HandshakeSignatureValid, rustls::Error> {
		Ok(HandshakeSignatureValid::assertion())
	}

	fn verify_tls13_signature(
		&self,
		_: &[u8],
		_: &CertificateDer<'_>,
		_: &DigitallySignedStruct,
	) -> Result<HandshakeSignatureValid, rustls::Error> {
		Ok(HandshakeSignatureValid::assertion())
	}

	fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
		vec![SignatureScheme::ECDSA_NISTP256_SHA256]
	}
}
