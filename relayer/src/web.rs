//! What a browser needs to watch from here: the page, and what it has to know of this relayer and the chain, over plain HTTP; the video
//! comes by WebTransport, at the same port of UDP. Browsers take that from a page of loopback or of HTTPS: before anybody else's
//! eyes a server that has a certificate stands in front of this one.
//!
//! | path | answer |
//! | --- | --- |
//! | `/`, and what it names | the page, as `scripts/web` built it |
//! | `/relayer.json` | [`About`]: streams, price, where WebTransport is, certificates and the relayer's signature for them |
//! | `/deployment.json` | for development: a bridge for which the page of loopback asks wallets; nothing (204) where there is none |
//! | `/relayers/STREAM.json` | other relayers that serve pages, as the registry has them: [`Other`](crate::directory::Other), those first that have the stream as far as is known |
//! | `/account/ID.json` | what the chain says of an account: 32 bytes as hexadecimal digits |
//!
//! A page cannot know that this is true of the chain. What it verifies and pays rests on what is said here, so its viewer is asked to
//! trust the relayer that far, and no further than the limit of its session key. `/relayer.json` and accounts alone are for pages of any origin: who
//! watches at another relayer, and may turn to this one, asks for its certificates there; and players stand in pages of others.

use crate::desk::{unix_ms, Desk};
use anyhow::{ensure, Context};
use axum::{
	extract::{Path as UrlPath, State},
	http::{header, HeaderValue, StatusCode},
	response::{IntoResponse, Response},
	routing::get,
	Router,
};
use bytes::Bytes;
use clustercast_chain::Chain;
use clustercast_cli::http::{self, Limits};
use clustercast_network::{Certificates, Node};
use clustercast_primitives::{
	chain::StreamKeyInfo,
	crypto::KeyPair,
	notice::{transport, RelayerNotice},
	AccountId, BlockNumber, Hash, PublicKey, StreamId,
};
use clustercast_protocol::PROTOCOL_NAME;
use codec::Encode;
use hyper_util::service::TowerToHyperService;
use serde::Serialize;
use std::{
	collections::BTreeMap,
	fs,
	net::SocketAddr,
	path::{Path, PathBuf},
	sync::Arc,
	time::{Duration, SystemTime},
};
use tokio::{
	net::TcpListener,
	sync::{watch, Semaphore},
	time::timeout,
};

/// How long what is said of certificates holds: longer than a page takes, and than clocks differ.
const NOTICE_MS: u64 = 24 * 3_600_000;

/// Accounts that are looked up for pages at a time, so that these take nothing from those who are served.
const LOOKUPS: usize = 1;

/// How long a page waits for its turn, and for the node.
const LOOKUP_PATIENCE: Duration = Duration::from_secs(5);

/// The page is a few hundred kilobytes.
const MOST_BYTES: u64 = 8 << 20;

/// Where the page is, from the folder of the program's folder: as packages and `scripts/web` have it.
const PAGE: &str = "share/clustercast/web";

/// The one page that stands in frames of others: it has no part that asks a wallet.
const FRAMED: &str = "embed.html";

/// Whose frames a page stands in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Frames {
	/// Nobody's: what asks wallets is seen for what it is.
	None,
	/// Anybody's.
	All,
}

/// Nothing inline, nobody else's. Relayers and agents of the bridge are anywhere, so connections go to whatever has TLS; of a
/// page for development also to this machine's own: where there is a deployment beside it, or its relayer is registered on loopback.
fn policy(is_development: bool, frames: Frames) -> HeaderValue {
	let agents = if is_development { " http://127.0.0.1:*" } else { "" };
	let frames = match frames {
		Frames::None => "'none'",
		Frames::All => "*",
	};
	let policy = format!(
		"default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; connect-src 'self' https: wss:{agents}; \
		media-src blob:; worker-src 'self'; img-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'none'; \
		frame-ancestors {frames}; require-trusted-types-for 'script'; trusted-types clustercast"
	);
	policy.parse().expect("printable ASCII")
}

/// What names its content never changes.
const FOREVER: &str = "public, max-age=31536000, immutable";

/// Of this relayer, for pages.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct About {
	/// Of the chain.
	pub genesis: Hash,
	/// Its newest block.
	pub head: BlockNumber,
	/// Blocks from signing to a payment's expiry, at most.
	pub max_ticket_life: BlockNumber,
	/// Blocks that a session key lasts, at most.
	pub max_session_life: BlockNumber,
	/// Is paid.
	pub account: AccountId,
	/// Signs receipts and notices.
	pub key: PublicKey,
	/// UDP port of WebTransport, at the page's host.
	pub port: u16,
	/// Its path there.
	pub path: &'static str,
	/// SHA-256 of the certificate that is shown there, and of the next one.
	pub certificates: [Hash; 2],
	/// In the order of the configuration.
	pub streams: Vec<AboutStream>,
}

/// Of one stream.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AboutStream {
	/// Number of its key.
	pub id: u64,
	/// By the chain.
	pub title: String,
	/// Signs its headers.
	pub signing_key: PublicKey,
	/// Signed them before.
	pub previous_keys: Vec<PublicKey>,
	/// Of its terms.
	pub terms_counter: u32,
	/// That is asked now, micro-USDC per 10^9 bytes.
	pub price_per_gb: u64,
	/// [`RelayerNotice`] with its signature: SCALE, hexadecimal.
	pub notice: String,
}

struct Shared {
	desk: Arc<Desk<Chain>>,
	chain: Chain,
	identity: KeyPair,
	certificates: Certificates,
	port: u16,
	streams: Vec<watch::Receiver<Option<StreamKeyInfo>>>,
	page: Page,
	deployment: Option<Bytes>,
	policy: HeaderValue,
	/// Of [`FRAMED`].
	framed: HeaderValue,
	lookups: Semaphore,
}

/// Where what is served lies.
#[derive(Clone, Debug, Default)]
pub struct Files {
	/// Folder of the page; where packages have it, if none is named.
	pub page: Option<PathBuf>,
	/// A bridge for which the page asks wallets: on loopback alone.
	pub deployment: Option<PathBuf>,
}

impl Files {
	/// The deployment. Whoever serves a page to others is not the one to say what their wallets sign.
	fn deployment(&self, at: SocketAddr) -> anyhow::Result<Option<Bytes>> {
		let Some(path) = &self.deployment else {
			return Ok(None);
		};
		ensure!(
			at.ip().is_loopback(),
			"a deployment beside the page is for pages of loopback, and {at} is none"
		);
		let text = fs::read(path).with_context(|| path.display().to_string())?;
		serde_json::from_slice::<serde::de::IgnoredAny>(&text).with_context(|| path.display().to_string())?;
		Ok(Some(text.into()))
	}
}

/// Files by their paths, with their types.
#[derive(Debug, Default)]
struct Page(BTreeMap<String, (&'static str, Bytes)>);

/// A server that listens.
pub struct Web {
	listener: TcpListener,
	shared: Arc<Shared>,
}

impl Web {
	/// Listens at this address with both, and reads the page.
	pub async fn bind(
		at: SocketAddr,
		files: Files,
		node: &Node,
		chain: &Chain,
		desk: Arc<Desk<Chain>>,
		identity: KeyPair,
		streams: Vec<watch::Receiver<Option<StreamKeyInfo>>>,
	) -> anyhow::Result<Self> {
		let deployment = files.deployment(at)?;
		let page = Page::read(&files.page.map_or_else(folder, Ok)?)?;
		let listener = TcpListener::bind(at)
			.await
			.with_context(|| format!("cannot listen on {at}"))?;
		let at = listener.local_addr()?;
		let certificates = Certificates::new(SystemTime::now())?;
		let port = node.listen_web(at, certificates.clone()).await?;
		tracing::info!(page = %format_args!("http://{at}/"), "browsers are served");
		let is_development = deployment.is_some() || desk.directory.is_local(&identity.public());
		Ok(Self {
			listener,
			shared: Arc::new(Shared {
				desk,
				chain: chain.clone(),
				identity,
				certificates,
				port,
				streams,
				page,
				policy: policy(is_development, Frames::None),
				framed: policy(is_development, Frames::All),
				deployment,
				lookups: Semaphore::new(LOOKUPS),
			}),
		})
	}

	/// Serves until it is dropped.
	pub async fn serve(self) {
		let service = TowerToHyperService::new(router(self.shared));
		http::serve(self.listener, service, Limits::default()).await;
	}
}

/// Where packages have the page.
fn folder() -> anyhow::Result<PathBuf> {
	let program = std::env::current_exe().context("where this program is")?;
	let root = program.parent().and_then(Path::parent);
	Ok(root.context("where this program is")?.join(PAGE))
}

impl Page {
	/// All files of this folder, and of those in it.
	fn read(folder: &Path) -> anyhow::Result<Self> {
		let mut page = Self::default();
		page.add(folder, "").with_context(|| {
			format!(
				"the page, {}: scripts/web builds it, or --web-page says where it is",
				folder.display()
			)
		})?;
		ensure!(
			page.0.contains_key("index.html"),
			"{} has no index.html",
			folder.display()
		);
		Ok(page)
	}

	fn add(&mut self, folder: &Path, above: &str) -> anyhow::Result<()> {
		for entry in fs::read_dir(folder)? {
			let entry = entry?;
			let name = entry.file_name();
			let path = format!("{above}{}", name.to_str().context("a name that is no text")?);
			if entry.file_type()?.is_dir() {
				self.add(&entry.path(), &format!("{path}/"))?;
				continue;
			}
			let size = self.0.values().map(|(_, body)| body.len() as u64).sum::<u64>() + entry.metadata()?.len();
			ensure!(size <= MOST_BYTES, "more than {MOST_BYTES} bytes");
			if let Some(kind) = kind(&path) {
				self.0.insert(path, (kind, fs::read(entry.path())?.into()));
			}
		}
		Ok(())
	}
}

/// Of what a page consists of.
fn kind(path: &str) -> Option<&'static str> {
	let (_, ending) = path.rsplit_once('.')?;
	Some(match ending {
		"html" => "text/html; charset=utf-8",
		"js" => "text/javascript; charset=utf-8",
		"css" => "text/css; charset=utf-8",
		"wasm" => "application/wasm",
		"svg" => "image/svg+xml",
		"webmanifest" => "application/manifest+json",
		_ => return None,
	})
}

fn router(shared: Arc<Shared>) -> Router {
	Router::new()
		.route(
			"/",
			get(|State(shared): State<Arc<Shared>>| async move { file(&shared, "index.html") }),
		)
		.route("/relayer.json", get(about))
		.route("/deployment.json", get(deployment))
		.route("/relayers/{name}", get(relayers))
		.route("/account/{name}", get(account))
		.route(
			"/{*path}",
			get(
				|State(shared): State<Arc<Shared>>, UrlPath(path): UrlPath<String>| async move { file(&shared, &path) },
			),
		)
		.layer(axum::middleware::map_response_with_state(shared.clone(), guard))
		.with_state(shared)
}

/// What is said with all answers.
async fn guard(State(shared): State<Arc<Shared>>, mut response: Response) -> Response {
	let said = [
		(header::CONTENT_SECURITY_POLICY, shared.policy.clone()),
		(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
		(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
		(header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
	];
	for (name, value) in said {
		// A policy of its own has who stands in frames.
		response.headers_mut().entry(name).or_insert(value);
	}
	response
}

fn file(shared: &Shared, path: &str) -> Response {
	let Some((kind, body)) = shared.page.0.get(path) else {
		return (StatusCode::NOT_FOUND, "no such file\n").into_response();
	};
	let cached = match path.starts_with("assets/") {
		true => FOREVER,
		false => "no-cache",
	};
	let said = [(header::CONTENT_TYPE, *kind), (header::CACHE_CONTROL, cached)];
	let mut response = (said, body.clone()).into_response();
	if path == FRAMED {
		let policy = shared.framed.clone();
		response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, policy);
	}
	response
}

async fn about(State(shared): State<Arc<Shared>>) -> Response {
	let Shared {
		desk,
		chain,
		identity,
		certificates,
		..
	} = &*shared;
	let certificates = certificates.hashes(SystemTime::now());
	let key = identity.public();
	let of = |info: &watch::Receiver<Option<StreamKeyInfo>>| {
		let info = info.borrow().clone()?;
		let (price_per_gb, places) = match desk.streams.get(info.id) {
			Some(served) => (served.price(tokio::time::Instant::now()), served.places()),
			None => return None,
		};
		let offer = (price_per_gb, u32::try_from(places).unwrap_or(u32::MAX));
		let notice = notice(identity, desk.recipient, info.id, certificates, offer);
		Some(AboutStream {
			id: info.id.0,
			title: info.title,
			signing_key: info.signing_key,
			previous_keys: info.previous_keys,
			terms_counter: info.terms_counter,
			price_per_gb,
			notice: hex(&identity.sign(notice, &chain.genesis()).encode()),
		})
	};
	let about = json(&About {
		genesis: chain.genesis(),
		head: desk.tip.block(),
		max_ticket_life: chain.constants().max_ticket_life,
		max_session_life: chain.constants().max_session_life,
		account: desk.recipient,
		key,
		port: shared.port,
		path: PROTOCOL_NAME,
		certificates,
		streams: shared.streams.iter().filter_map(of).collect(),
	});
	for_anybody(about)
}

async fn relayers(State(shared): State<Arc<Shared>>, UrlPath(name): UrlPath<String>) -> Result<Response, StatusCode> {
	let Shared { desk, identity, .. } = &*shared;
	let stream = name.strip_suffix(".json").and_then(|id| id.parse().ok()).map(StreamId);
	let stream = stream
		.and_then(|id| desk.streams.get(id))
		.ok_or(StatusCode::NOT_FOUND)?;
	Ok(json(&desk.directory.pages(
		&identity.public(),
		&stream.neighbours(),
		unix_ms(),
	)))
}

async fn deployment(State(shared): State<Arc<Shared>>) -> Response {
	match &shared.deployment {
		Some(text) => ([(header::CONTENT_TYPE, "application/json")], text.clone()).into_response(),
		// Not 404, which browsers complain of.
		None => StatusCode::NO_CONTENT.into_response(),
	}
}

/// Any page may read it: players stand in pages of others.
fn for_anybody(answer: Response) -> Response {
	([(header::ACCESS_CONTROL_ALLOW_ORIGIN, "*")], answer).into_response()
}

fn json<T: Serialize>(what: &T) -> Response {
	let text = serde_json::to_string(what).expect("numbers, texts and lists of them");
	([(header::CONTENT_TYPE, "application/json")], text).into_response()
}

/// That these certificates are this relayer's, for who sees one of them and knows the relayer's key; with its price and free places.
pub fn notice(
	identity: &KeyPair,
	account: AccountId,
	stream: StreamId,
	certificates: [Hash; 2],
	(price_per_gb, free_seats): (u64, u32),
) -> RelayerNotice {
	let now = unix_ms();
	RelayerNotice {
		account,
		key: identity.public(),
		number: now,
		stream,
		addresses: Default::default(),
		transports: transport::QUIC | transport::WEB_TRANSPORT,
		certificates: Vec::from(certificates).try_into().expect("there may be four"),
		price_per_gb,
		free_seats,
		path: Default::default(),
		lag_ms: 0,
		contact: Default::default(),
		reports: Default::default(),
		until_ms: now + NOTICE_MS,
	}
}

fn hex(bytes: &[u8]) -> String {
	let digits = bytes.iter().map(|byte| format!("{byte:02x}"));
	std::iter::once("0x".to_owned()).chain(digits).collect()
}

async fn account(State(shared): State<Arc<Shared>>, UrlPath(name): UrlPath<String>) -> Result<Response, StatusCode> {
	let id: AccountId = name
		.strip_suffix(".json")
		.and_then(|id| id.parse().ok())
		.ok_or(StatusCode::NOT_FOUND)?;
	// Not as accounts of who is served are looked up: strangers take no place among these.
	let looked_up = timeout(LOOKUP_PATIENCE, async {
		let _one = shared.lookups.acquire().await.ok()?;
		shared.chain.viewer_account(&id, None).await.ok()
	});
	match looked_up.await {
		Ok(Some(account)) => Ok(for_anybody(json(&account))),
		_ => Err(StatusCode::SERVICE_UNAVAILABLE),
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn page_is_what_its_folder_has_and_nothing_of_unknown_kinds() {
		let folder = tempfile::tempdir().unwrap();
		assert!(Page::read(folder.path()).is_err(), "there is no index.html");
		fs::create_dir(folder.path().join("assets")).unwrap();
		for name in ["index.html", "assets/page.js", "assets/core.wasm", "notes.txt"] {
			fs::write(folder.path().join(name), name).unwrap();
		}
		let page = Page::read(folder.path()).unwrap();
		let names: Vec<_> = page.0.keys().map(String::as_str).collect();
		assert_eq!(names, ["assets/core.wasm", "assets/page.js", "index.html"]);
		assert_eq!(page.0["assets/core.wasm"].0, "application/wasm");
	}

	#[test]
	fn page_that_is_too_large_is_refused() {
		let folder = tempfile::tempdir().unwrap();
		fs::write(folder.path().join("index.html"), vec![0; 1 + MOST_BYTES as usize]).unwrap();
		assert!(Page::read(folder.path()).is_err());
	}

	#[test]
	fn deployment_is_served_on_loopback_alone_and_only_as_json() {
		let folder = tempfile::tempdir().unwrap();
		let path = folder.path().join("deployment.json");
		let files = Files {
			deployment: Some(path.clone()),
			..Files::default()
		};
		let [loopback, public] = ["127.0.0.1:8890", "192.0.2.1:8890"].map(|at| at.parse::<SocketAddr>().unwrap());
		assert!(files.deployment(loopback).is_err(), "there is no such file");
		fs::write(&path, "{}").unwrap();
		assert_eq!(files.deployment(loopback).unwrap().unwrap(), "{}");
		let refused = files.deployment(public).unwrap_err().to_string();
		assert!(refused.contains("pages of loopback"), "{refused}");
		assert!(Files::default().deployment(public).unwrap().is_none());
		fs::write(&path, "no JSON").unwrap();
		assert!(files.deployment(loopback).is_err());
	}

	#[test]
	fn page_connects_to_this_machine_by_http_in_development_alone() {
		let [usual, development] = [false, true].map(|is| policy(is, Frames::None).to_str().unwrap().to_owned());
		assert!(!usual.contains("http:") && usual.contains("connect-src 'self' https: wss:;"));
		assert!(development.contains("connect-src 'self' https: wss: http://127.0.0.1:*;"));
	}

	#[test]
	fn page_that_asks_wallets_stands_in_no_frame_and_the_framed_one_reaches_nothing_of_this_machine() {
		let [page, framed] =
			[Frames::None, Frames::All].map(|frames| policy(false, frames).to_str().unwrap().to_owned());
		assert!(page.contains("frame-ancestors 'none';"), "{page}");
		assert!(
			framed.contains("frame-ancestors *;") && !framed.contains("http:"),
			"{framed}"
		);
		assert_eq!(page.replace("'none'; require", "*; require"), framed);
	}
}
