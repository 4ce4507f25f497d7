//! The local HTTP server: playlists, a manifest, and the files they list, for any player that reads HLS or DASH; and a page.
//!
//! | path | answer |
//! | --- | --- |
//! | `/` | a page that waits, plays and recovers by itself |
//! | `/index.m3u8` | the HLS media playlist; waits for the first window, not for long, and for the part that `_HLS_msn`, `_HLS_part` name |
//! | `/master.m3u8` | the HLS multivariant playlist above it, with codecs and sizes |
//! | `/manifest.mpd` | a DASH manifest over the same files |
//! | `/init-HASH.mp4` | an initialisation segment |
//! | `/STREAM-EPOCH-SEGMENT-PART-HASH.m4s` | a window, byte for byte as the broadcaster signed it |
//! | `/part-STREAM-EPOCH-SEGMENT-PART.m4s` | a part of a segment, likewise; the one that is next waits until it comes |
//! | `/picture/NAME`, `/sound/NAME` | the same with one of both alone: what the manifest lists |
//! | `/state.json` | how the broadcast stands, see [`Broadcast`] |
//! | `/time` | the time that the manifest goes by |

use crate::{
	ahead::Ahead,
	dash,
	origins::Origins,
	outlook::{Broadcast, Outlook},
	parts::{Parts, Reach, Served},
	playlist,
	sinks::unix_ms,
	timeline::{File, Timeline, TARGET},
};
use axum::{
	extract::{Path, RawQuery, Request, State},
	http::{header, HeaderMap, HeaderName, HeaderValue, Method, StatusCode},
	middleware::Next,
	response::{IntoResponse, Response},
	routing::get,
	Router,
};
use bytes::Bytes;
use clustercast_cli::{
	http::{self, Limits},
	Seldom,
};
use clustercast_media::fragment;
use clustercast_primitives::catalog::Track;
use clustercast_protocol::EncodedWindow;
use hyper_util::service::TowerToHyperService;
use serde::Serialize;
use std::{
	collections::{HashMap, VecDeque},
	io,
	net::SocketAddr,
	path::{Path as FilePath, PathBuf},
	sync::{Arc, Mutex, MutexGuard, PoisonError},
	time::{Duration, Instant},
};
use tokio::{net::TcpListener, sync::watch, task::JoinHandle};

/// Files that were listed are kept for as long as the longest list that had them (RFC 8216, 6.2.2).
const KEPT: Duration = crate::timeline::LISTED;

/// Most bytes kept. The list at 33 Mb/s; at 1.5 Mb/s it and what was listed take 9 MB.
const KEPT_BYTES: usize = 128 << 20;

/// How long a request for the playlist waits for the first window: players give up after 10 s (dash.js) or 20 s (hls.js).
const FIRST_WINDOW_WAIT: Duration = Duration::from_secs(8);

/// How long a request for the media playlist waits in a pause for what is behind it. FFmpeg, and what is made of it, ends after 100
/// answers that have nothing new, which it would have had after 101 s: so it waits for 10 minutes.
const NEWS_WAIT: Duration = Duration::from_secs(5);

/// How long a request waits for a part or an entry that it names (three targets: draft-pantos-hls-rfc8216bis, 6.2.5.2).
const LONGEST_BLOCK: Duration = Duration::from_secs(3 * TARGET.as_secs());

/// Windows' time without a window after which requests for the list wait for one.
const PAUSED: Duration = Duration::from_secs(8);

const PLAYLIST_TYPE: &str = "application/vnd.apple.mpegurl";
const MANIFEST_TYPE: &str = "application/dash+xml";
const MP4_TYPE: &str = "video/mp4";
/// What is under a name never changes: it says the content.
const FOREVER: &str = "public, max-age=31536000, immutable";

/// The page needs nothing but us; hls.js plays from `blob:`.
const POLICY: &str =
	"default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; \
	media-src 'self' blob:; base-uri 'none'; form-action 'none'";

/// Files of the page: name, type, content.
const PAGE: [(&str, &str, &[u8]); 4] = [
	(
		"index.html",
		"text/html; charset=utf-8",
		include_bytes!("page/index.html"),
	),
	("page.css", "text/css; charset=utf-8", include_bytes!("page/page.css")),
	(
		"page.js",
		"text/javascript; charset=utf-8",
		include_bytes!("page/page.js"),
	),
	(
		"hls.light.min.js",
		"text/javascript; charset=utf-8",
		include_bytes!("page/vendor/hls.light.min.js"),
	),
];

/// Where and to whom to serve.
#[derive(Clone, Debug)]
pub struct Options {
	/// Port 0 takes any free one.
	pub address: SocketAddr,
	/// Whose pages may read.
	pub origins: Origins,
	/// Where the place in the list is kept.
	pub place: Option<PathBuf>,
	/// Of the broadcast, until a window says another.
	pub title: String,
	/// Of the server.
	pub limits: Limits,
}

impl Options {
	/// Serves everybody here, and keeps no place.
	pub fn at(address: SocketAddr) -> Self {
		Self {
			address,
			origins: Origins::Any,
			place: None,
			title: String::new(),
			limits: Limits::default(),
		}
	}
}

/// Why there is no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
enum NotServed {
	#[error("no such path")]
	Path,
	#[error("no such file: it is older than the live window, or never was")]
	File,
	#[error("no window has arrived yet")]
	NoWindowYet,
	#[error("nothing that is here can be written as DASH")]
	NoTimes,
	#[error("_HLS_msn and _HLS_part are numbers of an entry and of its part, at most one entry ahead of the list")]
	Directive,
	#[error("this page may not read here: see --hls-origins")]
	Origin,
	#[error("this name is not answered to: see --hls-origins")]
	Name,
	#[error("only GET, HEAD and OPTIONS")]
	Method,
}

impl IntoResponse for NotServed {
	fn into_response(self) -> Response {
		let status = match self {
			Self::Path | Self::File | Self::NoTimes => StatusCode::NOT_FOUND,
			Self::NoWindowYet => StatusCode::SERVICE_UNAVAILABLE,
			Self::Directive => StatusCode::BAD_REQUEST,
			Self::Origin => StatusCode::FORBIDDEN,
			Self::Name => StatusCode::MISDIRECTED_REQUEST,
			Self::Method => StatusCode::METHOD_NOT_ALLOWED,
		};
		let headers = [
			(header::CACHE_CONTROL, "no-store"),
			(header::CONTENT_TYPE, "text/plain; charset=utf-8"),
		];
		let mut response = (status, headers, format!("{self}\n")).into_response();
		if self == Self::NoWindowYet {
			response
				.headers_mut()
				.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
		}
		if self == Self::Method {
			response
				.headers_mut()
				.insert(header::ALLOW, HeaderValue::from_static(METHODS));
		}
		response
	}
}

/// Windows and what is said of them. Pure.
#[derive(Default)]
struct Live {
	timeline: Timeline,
	parts: Parts,
	files: HashMap<String, Bytes>,
	/// Names of segments and parts, oldest first: how long each takes of the list, and the initialisation segment that it needs.
	windows: VecDeque<(String, Duration, String)>,
	bytes: usize,
	track: Option<Track>,
	title: String,
	/// When the last window came.
	last: Option<Instant>,
	outlook: Outlook,
	/// How far the broadcaster's clock is ahead of ours at least.
	ahead: Ahead,
}

struct Shared {
	live: Mutex<Live>,
	/// Counts what changed the list.
	news: watch::Sender<u64>,
	origins: Origins,
}

impl Shared {
	fn live(&self) -> MutexGuard<'_, Live> {
		// Nothing in here panics half-way; if something did, what was pushed before is still good.
		self.live.lock().unwrap_or_else(PoisonError::into_inner)
	}

	/// Whoever waits for news has some.
	fn tell(&self) {
		self.news.send_modify(|count| *count += 1);
	}
}

/// A running server. Stops when dropped.
pub struct Hls {
	shared: Arc<Shared>,
	address: SocketAddr,
	server: JoinHandle<()>,
	place: Option<PathBuf>,
	unstored: Mutex<Seldom>,
}

impl Drop for Hls {
	fn drop(&mut self) {
		self.server.abort();
	}
}

impl Hls {
	/// Listens.
	pub async fn bind(options: Options) -> io::Result<Self> {
		let listener = TcpListener::bind(options.address).await?;
		let address = listener.local_addr()?;
		let place = options.place.as_deref().and_then(load);
		let live = Live {
			timeline: Timeline::resume(place),
			title: options.title,
			..Live::default()
		};
		let shared = Arc::new(Shared {
			live: Mutex::new(live),
			news: watch::Sender::new(0),
			origins: options.origins,
		});
		let server = tokio::spawn(http::serve(
			listener,
			TowerToHyperService::new(router(shared.clone())),
			options.limits,
		));
		Ok(Self {
			shared,
			address,
			server,
			place: options.place,
			unstored: Mutex::default(),
		})
	}

	/// Where the playlist is.
	pub fn url(&self) -> String {
		format!("http://{}/index.m3u8", self.address)
	}

	/// Adds a window.
	pub fn push(&self, window: &EncodedWindow) {
		let place = {
			let mut live = self.shared.live();
			live.push(window, unix_ms(), Instant::now());
			live.timeline.place().and_then(|place| serde_json::to_vec(place).ok())
		};
		self.shared.tell();
		if let (Some(path), Some(place)) = (&self.place, place) {
			self.store(path, &place);
		}
	}

	/// Not synced: should the machine fail, numbers go on by the clock.
	fn store(&self, path: &FilePath, place: &[u8]) {
		let beside = path.with_extension("new");
		let stored = std::fs::write(&beside, place).and_then(|()| std::fs::rename(&beside, path));
		if let Err(error) = stored {
			let mut unstored = self.unstored.lock().unwrap_or_else(PoisonError::into_inner);
			if let Some(untold) = unstored.due(Instant::now()) {
				tracing::warn!(%error, untold, "cannot write {}: should the player be restarted, the list may not go on", path.display());
			}
		}
	}

	/// How the broadcast stands.
	pub fn note(&self, outlook: Outlook) {
		self.shared.live().outlook = outlook;
	}
}

/// Of an earlier run of the program; what cannot be read is as if there were none.
fn load(path: &FilePath) -> Option<crate::timeline::Place> {
	serde_json::from_slice(&std::fs::read(path).ok()?).ok()
}

/// What the page is told.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Told<'a> {
	state: Broadcast,
	title: &'a str,
	/// Unix time, milliseconds, by the clock that captures are stamped with.
	now_ms: u64,
	/// How long ago the last window came, milliseconds.
	since_ms: Option<u64>,
}

impl Live {
	fn push(&mut self, window: &EncodedWindow, now_ms: u64, now: Instant) {
		let header = window.header();
		let end_ms = header.start_ms.saturating_add(header.duration_ms.into());
		self.ahead.see(&header.id, end_ms, now_ms, now);
		let catalog = &window.catalog().catalog;
		if !catalog.title.is_empty() {
			self.title = catalog.title.as_str().into();
		}
		self.track = catalog.track(header.id.track).cloned();
		self.last = Some(now);
		self.outlook.window(now);
		let Served { init, files } = self.parts.push(window, &mut self.timeline);
		let Some(init) = init else {
			return;
		};
		for (file, playing) in &files {
			self.windows.push_back((file.name.clone(), *playing, init.name.clone()));
			self.keep(file);
		}
		self.keep(&init);
		self.forget();
	}

	fn keep(&mut self, file: &File) {
		if self.files.insert(file.name.clone(), file.bytes.clone()).is_none() {
			self.bytes += file.bytes.len();
		}
	}

	/// What is neither listed nor was of late; and what is too much.
	fn forget(&mut self) {
		let mut playing: Duration = self.windows.iter().map(|(_, playing, _)| *playing).sum();
		while let Some((_, oldest, _)) = self.windows.front() {
			let enough = playing.saturating_sub(*oldest) >= crate::timeline::LISTED + KEPT;
			if !enough && self.bytes <= KEPT_BYTES {
				return;
			}
			playing = playing.saturating_sub(*oldest);
			let Some((name, _, init)) = self.windows.pop_front() else {
				return;
			};
			self.remove(&name);
			if !self.windows.iter().any(|(_, _, used)| *used == init) {
				self.remove(&init);
			}
		}
	}

	fn remove(&mut self, name: &str) {
		if let Some(bytes) = self.files.remove(name) {
			self.bytes -= bytes.len();
		}
	}

	/// Nothing comes for now.
	fn is_paused(&self, now: Instant) -> bool {
		let quiet = |last| self.outlook.at(now) != Broadcast::Live || now.saturating_duration_since(last) > PAUSED;
		self.last.is_some_and(quiet)
	}

	fn told(&self, now_ms: u64, now: Instant) -> Told<'_> {
		let since = self.last.map(|last| now.saturating_duration_since(last));
		Told {
			state: self.outlook.at(now),
			title: &self.title,
			now_ms: now_ms.saturating_add(self.ahead.ms()),
			since_ms: since.and_then(|since| u64::try_from(since.as_millis()).ok()),
		}
	}
}

const METHODS: &str = "GET, HEAD, OPTIONS";
const PRIVATE_NETWORK: HeaderName = HeaderName::from_static("access-control-request-private-network");
const ALLOW_PRIVATE_NETWORK: HeaderName = HeaderName::from_static("access-control-allow-private-network");
const RESOURCE_POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");
const TIMING: HeaderName = HeaderName::from_static("timing-allow-origin");

fn router(shared: Arc<Shared>) -> Router {
	Router::new()
		.route("/", get(|| async { page("index.html") }))
		.route("/index.m3u8", get(media))
		.route("/master.m3u8", get(multivariant))
		.route("/manifest.mpd", get(manifest))
		.route("/state.json", get(state))
		.route("/time", get(time))
		.route("/{name}", get(file))
		.route("/{folder}/{name}", get(file_of_kind))
		.fallback(|| async { NotServed::Path })
		.method_not_allowed_fallback(|| async { NotServed::Method })
		.layer(axum::middleware::from_fn_with_state(shared.clone(), share))
		.with_state(shared)
}

/// Says which pages may read, and answers those that ask before they do (CORS, and private network access).
async fn share(State(shared): State<Arc<Shared>>, request: Request, next: Next) -> Response {
	let text = |headers: &HeaderMap, name: HeaderName| {
		let value = headers.get(name).and_then(|value| value.to_str().ok());
		value.map(str::to_owned)
	};
	let asked = request.headers();
	let origin = text(asked, header::ORIGIN);
	let host = text(asked, header::HOST).unwrap_or_default();
	let asked_headers = asked.get(header::ACCESS_CONTROL_REQUEST_HEADERS).cloned();
	let asked_private = asked.contains_key(PRIVATE_NETWORK);
	let preflight = request.method() == Method::OPTIONS;
	let answers = shared.origins.answers_to(&host);
	let allowed = shared.origins.allowed(origin.as_deref());
	// A browser names the origin of our own page, too, where it reads as if across origins.
	let own = origin
		.as_deref()
		.and_then(|origin| origin.split_once("://"))
		.is_some_and(|(_, o)| o == host);
	let mut response = match () {
		() if !answers => NotServed::Name.into_response(),
		() if origin.is_some() && allowed.is_none() && !own => NotServed::Origin.into_response(),
		() if preflight => {
			let mut response = StatusCode::NO_CONTENT.into_response();
			let headers = response.headers_mut();
			headers.insert(header::ALLOW, HeaderValue::from_static(METHODS));
			headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static(METHODS));
			headers.insert(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("86400"));
			if let Some(asked) = asked_headers {
				headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, asked);
			}
			if asked_private {
				headers.insert(ALLOW_PRIVATE_NETWORK, HeaderValue::from_static("true"));
			}
			response
		},
		() => next.run(request).await,
	};
	let headers = response.headers_mut();
	if let Some(allowed) = allowed.and_then(|allowed| HeaderValue::from_str(&allowed).ok()) {
		headers.insert(TIMING, allowed.clone());
		headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, allowed);
		headers.insert(
			header::ACCESS_CONTROL_EXPOSE_HEADERS,
			HeaderValue::from_static("content-length, content-range, date, etag"),
		);
		// Pages that isolate themselves load only what says so.
		headers.insert(RESOURCE_POLICY, HeaderValue::from_static("cross-origin"));
	}
	if shared.origins != Origins::Any || preflight {
		headers.insert(
			header::VARY,
			HeaderValue::from_static("origin, access-control-request-headers, access-control-request-private-network"),
		);
	}
	headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
	response
}

fn page(name: &str) -> Result<Response, NotServed> {
	let (_, kind, content) = PAGE.iter().find(|(known, ..)| *known == name).ok_or(NotServed::Path)?;
	let headers = [
		(header::CONTENT_TYPE, *kind),
		(header::CACHE_CONTROL, "no-cache"),
		(header::CONTENT_SECURITY_POLICY, POLICY),
		(header::REFERRER_POLICY, "no-referrer"),
	];
	Ok((headers, *content).into_response())
}

/// Waits for the first window.
async fn first_window(shared: &Shared) -> Result<(), NotServed> {
	let mut news = shared.news.subscribe();
	let waited = tokio::time::timeout(FIRST_WINDOW_WAIT, news.wait_for(|_| shared.live().last.is_some())).await;
	match waited {
		Ok(Ok(_)) => Ok(()),
		_ => Err(NotServed::NoWindowYet),
	}
}

/// In a pause, waits for what is behind it.
async fn news(shared: &Shared) {
	let mut news = shared.news.subscribe();
	let paused = shared.live().is_paused(Instant::now());
	if paused {
		// Without any, the list is as it was.
		let _ = tokio::time::timeout(NEWS_WAIT, news.changed()).await;
	}
}

fn fresh(kind: &'static str, text: String) -> Response {
	(
		[(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, "no-cache")],
		text,
	)
		.into_response()
}

async fn media(State(shared): State<Arc<Shared>>, RawQuery(query): RawQuery) -> Result<Response, NotServed> {
	let asked = Asked::parse(query.as_deref().unwrap_or_default())?;
	first_window(&shared).await?;
	match asked {
		Some(asked) => reached(&shared, asked).await?,
		None => news(&shared).await,
	}
	let live = shared.live();
	let text = playlist::media(&live.timeline, &live.parts);
	Ok(fresh(PLAYLIST_TYPE, text))
}

/// What a player of low latency asks a playlist to have before it is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Asked {
	/// Number of an entry.
	sequence: u64,
	/// And of a part of it, from 0.
	part: Option<u64>,
}

impl Asked {
	/// `_HLS_msn=N&_HLS_part=N`, or only the first of them; other words are passed over.
	fn parse(query: &str) -> Result<Option<Self>, NotServed> {
		let value = |name: &str| {
			let mut words = query.split('&').filter_map(|word| word.split_once('='));
			let value = words
				.find(|(key, _)| *key == name)
				.map(|(_, value)| value.parse::<u64>());
			value.transpose().map_err(|_| NotServed::Directive)
		};
		match (value("_HLS_msn")?, value("_HLS_part")?) {
			(None, None) => Ok(None),
			(None, Some(_)) => Err(NotServed::Directive),
			(Some(sequence), part) => Ok(Some(Self { sequence, part })),
		}
	}
}

/// Waits until the list has what was asked for; what comes too late is answered with what there is.
async fn reached(shared: &Shared, Asked { sequence, part }: Asked) -> Result<(), NotServed> {
	let mut news = shared.news.subscribe();
	let reach = || {
		let live = shared.live();
		live.parts.reach(&live.timeline, sequence, part)
	};
	let waited = tokio::time::timeout(LONGEST_BLOCK, news.wait_for(|_| reach() != Reach::NotYet)).await;
	drop(waited);
	match reach() {
		Reach::TooFar => Err(NotServed::Directive),
		Reach::There | Reach::NotYet => Ok(()),
	}
}

/// Waits for a part, where it is the one that is next.
async fn hinted(shared: &Shared, name: &str) {
	let mut news = shared.news.subscribe();
	let is_next = || shared.live().parts.hint().is_some_and(|hint| hint == name);
	// The file says how it went.
	let _ = tokio::time::timeout(LONGEST_BLOCK, news.wait_for(|_| !is_next())).await;
}

async fn multivariant(State(shared): State<Arc<Shared>>) -> Result<Response, NotServed> {
	first_window(&shared).await?;
	let live = shared.live();
	let track = live.track.as_ref().ok_or(NotServed::NoWindowYet)?;
	Ok(fresh(
		PLAYLIST_TYPE,
		playlist::multivariant(&live.timeline, track, "index.m3u8"),
	))
}

async fn manifest(State(shared): State<Arc<Shared>>) -> Result<Response, NotServed> {
	first_window(&shared).await?;
	let live = shared.live();
	let told = live.told(unix_ms(), Instant::now());
	let came_ms = told.now_ms.saturating_sub(told.since_ms.unwrap_or(0));
	let text = dash::manifest(&live.timeline, told.now_ms, came_ms, "time").ok_or(NotServed::NoTimes)?;
	Ok(fresh(MANIFEST_TYPE, text))
}

async fn state(State(shared): State<Arc<Shared>>) -> Response {
	let live = shared.live();
	let told = live.told(unix_ms(), Instant::now());
	fresh("application/json", serde_json::to_string(&told).unwrap_or_default())
}

async fn time(State(shared): State<Arc<Shared>>) -> Response {
	let now_ms = shared.live().told(unix_ms(), Instant::now()).now_ms;
	fresh("text/plain; charset=utf-8", playlist::utc(now_ms))
}

async fn file(
	State(shared): State<Arc<Shared>>,
	Path(name): Path<String>,
	headers: HeaderMap,
) -> Result<Response, NotServed> {
	hinted(&shared, &name).await;
	let (found, gap) = {
		let live = shared.live();
		(live.files.get(&name).cloned(), live.timeline.is_gap(&name))
	};
	match found {
		Some(bytes) => Ok(part(&headers, &name, bytes)),
		None if gap => Ok(nothing()),
		None if name.ends_with(".m4s") || name.ends_with(".mp4") => Err(NotServed::File),
		None => page(&name),
	}
}

/// One kind of what is in a file: what the manifest lists.
async fn file_of_kind(
	State(shared): State<Arc<Shared>>,
	Path((folder, name)): Path<(String, String)>,
	headers: HeaderMap,
) -> Result<Response, NotServed> {
	let (kind, _) = dash::KINDS
		.into_iter()
		.find(|(_, known)| *known == folder)
		.ok_or(NotServed::Path)?;
	let found = {
		let live = shared.live();
		let init = live
			.windows
			.iter()
			.find(|(window, ..)| *window == name)
			.map(|(_, _, init)| init.as_str());
		let Some(file) = live.files.get(&name).cloned() else {
			return live.timeline.is_gap(&name).then(nothing).ok_or(NotServed::File);
		};
		(init.and_then(|init| live.files.get(init)).cloned(), file)
	};
	let bytes = match found {
		(Some(init), window) => fragment::only(&init, &window, kind),
		(None, init) => fragment::only_init(&init, kind),
	};
	Ok(part(
		&headers,
		&format!("{folder}-{name}"),
		bytes.ok_or(NotServed::File)?,
	))
}

/// A file that is valid and plays nothing, for a name that is listed as a gap. Players that know `EXT-X-GAP` never ask. Of the others
/// GStreamer ends after 4 answers that there is no such file, and FFmpeg counts each as a list without news.
const NOTHING: &[u8] = b"\0\0\0\x18stypmsdh\0\0\0\0msdhmsix\0\0\0\x08free";

fn nothing() -> Response {
	// The name may say a content that is gone.
	let headers = [(header::CONTENT_TYPE, MP4_TYPE), (header::CACHE_CONTROL, "no-store")];
	(headers, NOTHING).into_response()
}

/// All of a file, or the part of it that was asked for (RFC 9110, 14); neither where the other has it already (13.1.2).
fn part(asked: &HeaderMap, name: &str, bytes: Bytes) -> Response {
	let tag = format!("\"{name}\"");
	let text = |name: HeaderName| asked.get(name).and_then(|value| value.to_str().ok());
	let mut known = asked.get_all(header::IF_NONE_MATCH).iter();
	if known.any(|tags| tags.to_str().is_ok_and(|tags| names(tags, &tag))) {
		let headers = [(header::CACHE_CONTROL, FOREVER.to_owned()), (header::ETAG, tag)];
		return (StatusCode::NOT_MODIFIED, headers).into_response();
	}
	let unchanged = text(header::IF_RANGE).is_none_or(|known| known == tag);
	let range = text(header::RANGE)
		.filter(|_| unchanged)
		.map(|range| byte_range(range, bytes.len()));
	let all = [
		(header::CONTENT_TYPE, MP4_TYPE.to_owned()),
		(header::CACHE_CONTROL, FOREVER.to_owned()),
		(header::ACCEPT_RANGES, "bytes".to_owned()),
		(header::ETAG, tag),
	];
	match range {
		None | Some(Ranged::All) => (all, bytes).into_response(),
		Some(Ranged::Part(from, to)) => {
			let range = format!("bytes {from}-{}/{}", to - 1, bytes.len());
			let range = [(header::CONTENT_RANGE, range)];
			(StatusCode::PARTIAL_CONTENT, all, range, bytes.slice(from..to)).into_response()
		},
		Some(Ranged::Nothing) => {
			let range = [(header::CONTENT_RANGE, format!("bytes */{}", bytes.len()))];
			let headers = [(header::CACHE_CONTROL, "no-store")];
			(StatusCode::RANGE_NOT_SATISFIABLE, headers, range).into_response()
		},
	}
}

/// Whether a list of tags names this one, or any; how strongly does not matter.
fn names(tags: &str, tag: &str) -> bool {
	let mut tags = tags.split(',').map(str::trim);
	tags.any(|known| known == "*" || known.strip_prefix("W/").unwrap_or(known) == tag)
}

/// What a `Range` asks for.
#[derive(Debug, PartialEq, Eq)]
enum Ranged {
	/// Nothing that we understand: all of it.
	All,
	/// From the first of these to before the second.
	Part(usize, usize),
	/// What is not there.
	Nothing,
}

/// One range of bytes; of several, all of it, as a server may.
fn byte_range(range: &str, length: usize) -> Ranged {
	let number = |text: &str| {
		text.bytes()
			.all(|b| b.is_ascii_digit())
			.then(|| text.parse::<usize>().unwrap_or(usize::MAX))
	};
	let asked = range
		.trim()
		.strip_prefix("bytes=")
		.and_then(|range| range.trim().split_once('-'));
	let Some((from, to)) = asked else {
		return Ranged::All;
	};
	let part = match (from, to) {
		("", "") => return Ranged::All,
		("", last) => number(last).map(|last| (length.saturating_sub(last), length)),
		(from, "") => number(from).map(|from| (from, length)),
		(from, to) => number(from)
			.zip(number(to))
			.map(|(from, to)| (from, to.saturating_add(1).min(length))),
	};
	match part {
		None => Ranged::All,
		Some((from, to)) if from < to => Ranged::Part(from, to),
		// The end before the beginning is no range.
		Some((from, to)) if from < length && to <= from && to < length => Ranged::All,
		Some(_) => Ranged::Nothing,
	}
}

#[cfg(test)]
mod tests;
