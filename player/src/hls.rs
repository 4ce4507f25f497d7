//! The local HTTP server: the media playlist and the segments it lists, for any player that reads HLS.
//!
//! | path | answer |
//! | --- | --- |
//! | `/` | a page that plays the stream where the browser itself can |
//! | `/index.m3u8` | the playlist; waits for the first window |
//! | `/init-N.mp4` | an initialisation segment |
//! | `/segment-SEGMENT-PART.m4s` | a window, byte for byte as the broadcaster signed it |

use crate::playlist::{Playlist, Segment, LISTED};
use axum::{
	extract::{Path, State},
	http::{
		header::{ACCESS_CONTROL_ALLOW_ORIGIN, CACHE_CONTROL, CONTENT_TYPE},
		StatusCode,
	},
	response::{Html, IntoResponse, Response},
	routing::get,
	Router,
};
use bytes::Bytes;
use clustercast_primitives::window::flags;
use clustercast_protocol::EncodedWindow;
use std::{
	collections::VecDeque,
	io,
	net::SocketAddr,
	sync::{Arc, Mutex, MutexGuard, PoisonError},
	time::Duration,
};
use tokio::{net::TcpListener, sync::watch, task::JoinHandle};

/// Segments kept: those listed and as many that were, since RFC 8216 (6.2.2) keeps a removed segment available for as
/// long as the playlists that listed it lasted. Bounds memory: 9 MB at 1.5 Mb/s.
const KEPT: usize = 2 * LISTED;

/// How long a request for the playlist waits for the first window.
const FIRST_WINDOW_WAIT: Duration = Duration::from_secs(20);

const PLAYLIST_TYPE: &str = "application/vnd.apple.mpegurl";
const MP4_TYPE: &str = "video/mp4";
/// What is under a name never changes.
const FOREVER: &str = "public, max-age=31536000, immutable";
const PAGE: &str = "<!doctype html><meta charset=utf-8><title>ClusterCast</title>\
	<video src=index.m3u8 controls autoplay muted playsinline style=width:100%></video>\
	<p>No picture? This browser does not play HLS: open <a href=index.m3u8>index.m3u8</a> in a player that does.";

/// Why there is no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
enum NotServed {
	#[error("no such path")]
	Path,
	#[error("no such segment: it is older than the live window, or never was")]
	Segment,
	#[error("no such initialisation segment")]
	Init,
	#[error("no window has arrived yet")]
	NoWindowYet,
}

impl IntoResponse for NotServed {
	fn into_response(self) -> Response {
		let status = match self {
			Self::Path | Self::Segment | Self::Init => StatusCode::NOT_FOUND,
			Self::NoWindowYet => StatusCode::SERVICE_UNAVAILABLE,
		};
		(status, [(CACHE_CONTROL, "no-store")], format!("{self}\n")).into_response()
	}
}

#[derive(Default)]
struct Live {
	playlist: Playlist,
	segments: VecDeque<(String, Bytes)>,
	/// As long as a kept segment needs it.
	inits: VecDeque<Init>,
	inits_seen: u64,
}

struct Init {
	uri: String,
	bytes: Bytes,
	/// Segments kept that decode with it.
	users: usize,
}

struct Shared {
	live: Mutex<Live>,
	started: watch::Sender<bool>,
}

impl Shared {
	fn live(&self) -> MutexGuard<'_, Live> {
		// Nothing in here panics half-way; if something did, what was pushed before is still good.
		self.live.lock().unwrap_or_else(PoisonError::into_inner)
	}
}

/// A running server. Stops when dropped.
pub struct Hls {
	shared: Arc<Shared>,
	address: SocketAddr,
	server: JoinHandle<()>,
}

impl Drop for Hls {
	fn drop(&mut self) {
		self.server.abort();
	}
}

impl Hls {
	/// Listens on `address`; port 0 takes any free one.
	pub async fn bind(address: SocketAddr) -> io::Result<Self> {
		let listener = TcpListener::bind(address).await?;
		let address = listener.local_addr()?;
		let shared = Arc::new(Shared {
			live: Mutex::default(),
			started: watch::Sender::new(false),
		});
		let router = Router::new()
			.route("/", get(|| async { Html(PAGE) }))
			.route("/index.m3u8", get(playlist))
			.route("/{name}", get(media))
			.fallback(|| async { NotServed::Path })
			.layer(axum::middleware::map_response(|mut response: Response| async {
				// Pages from anywhere may read what a broadcast shows to everyone.
				let any = axum::http::HeaderValue::from_static("*");
				response.headers_mut().insert(ACCESS_CONTROL_ALLOW_ORIGIN, any);
				response
			}))
			.with_state(shared.clone());
		let server = tokio::spawn(async move {
			if let Err(error) = axum::serve(listener, router).await {
				tracing::error!(%error, "HLS server stopped");
			}
		});
		Ok(Self {
			shared,
			address,
			server,
		})
	}

	/// Where the playlist is.
	pub fn url(&self) -> String {
		format!("http://{}/index.m3u8", self.address)
	}

	/// Adds a window. `gap`: windows are missing before it.
	pub fn push(&self, window: &EncodedWindow, gap: bool) {
		self.shared.live().push(window, gap);
		self.shared.started.send_replace(true);
	}

	/// Says that the broadcast is over.
	pub fn finish(&self) {
		self.shared.live().playlist.finish();
	}
}

impl Live {
	fn push(&mut self, window: &EncodedWindow, gap: bool) {
		let header = window.header();
		let id = header.id;
		let init_uri = match self.inits.back_mut().filter(|init| init.bytes == *window.init()) {
			Some(init) => {
				init.users += 1;
				init.uri.clone()
			},
			None => {
				let uri = format!("init-{}.mp4", self.inits_seen);
				self.inits_seen += 1;
				self.inits.push_back(Init {
					uri: uri.clone(),
					bytes: window.init().clone(),
					users: 1,
				});
				uri
			},
		};
		let uri = format!("segment-{}-{}-{}.m4s", id.epoch, id.segment, id.part);
		self.playlist.push(Segment {
			uri: uri.clone(),
			init_uri,
			duration_ms: header.duration_ms,
			start_ms: header.start_ms,
			independent: header.has(flags::INDEPENDENT),
			discontinuity: gap || header.has(flags::DISCONTINUITY),
		});
		self.segments.push_back((uri, window.data()));
		if self.segments.len() > KEPT {
			self.segments.pop_front();
			// The oldest segment decodes with the oldest initialisation segment.
			if let Some(init) = self.inits.front_mut() {
				init.users -= 1;
				if init.users == 0 {
					self.inits.pop_front();
				}
			}
		}
	}
}

async fn playlist(State(shared): State<Arc<Shared>>) -> Result<Response, NotServed> {
	let mut started = shared.started.subscribe();
	tokio::time::timeout(FIRST_WINDOW_WAIT, started.wait_for(|started| *started))
		.await
		.ok()
		.and_then(Result::ok)
		.ok_or(NotServed::NoWindowYet)?;
	let text = shared.live().playlist.render();
	Ok(([(CONTENT_TYPE, PLAYLIST_TYPE), (CACHE_CONTROL, "no-cache")], text).into_response())
}

async fn media(State(shared): State<Arc<Shared>>, Path(name): Path<String>) -> Result<Response, NotServed> {
	let live = shared.live();
	let bytes = if name.starts_with("segment-") {
		let found = live.segments.iter().find(|(uri, _)| *uri == name);
		found.map(|(_, bytes)| bytes.clone()).ok_or(NotServed::Segment)?
	} else if name.starts_with("init-") {
		let found = live.inits.iter().find(|init| init.uri == name);
		found.map(|init| init.bytes.clone()).ok_or(NotServed::Init)?
	} else {
		return Err(NotServed::Path);
	};
	drop(live);
	Ok(([(CONTENT_TYPE, MP4_TYPE), (CACHE_CONTROL, FOREVER)], bytes).into_response())
}

#[cfg(test)]
mod tests {
	use super::*;
	use clustercast_primitives::{catalog::Track, crypto::KeyPair, Hash, StreamId};
	use clustercast_protocol::Broadcast;
	use tokio::{
		io::{AsyncReadExt, AsyncWriteExt},
		net::TcpStream,
	};

	/// A window of a run that has these only.
	fn window(segment: u64, init: &'static [u8], data: &[u8]) -> EncodedWindow {
		let key = KeyPair::from_seed([1; 32]);
		let mut broadcast = Broadcast::begin(key, Hash([2; 32]), StreamId(1), 1, Hash([0; 32]), segment);
		broadcast.describe(Track::unknown(init), Bytes::from_static(init));
		broadcast.segment(1_700_000_000_000 + segment * 2_000, data).unwrap()
	}

	async fn hls() -> Hls {
		Hls::bind("127.0.0.1:0".parse().unwrap()).await.unwrap()
	}

	/// Status line, headers in lower case, body.
	async fn get(hls: &Hls, path: &str) -> (String, String, Vec<u8>) {
		let mut stream = TcpStream::connect(hls.address).await.unwrap();
		let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
		stream.write_all(request.as_bytes()).await.unwrap();
		let mut answer = Vec::new();
		stream.read_to_end(&mut answer).await.unwrap();
		let end = answer.windows(4).position(|w| w == b"\r\n\r\n").unwrap();
		let head = String::from_utf8(answer[..end].to_vec()).unwrap();
		let (status, headers) = head.split_once("\r\n").unwrap();
		(status.into(), headers.to_lowercase(), answer[end + 4..].to_vec())
	}

	#[tokio::test]
	async fn what_the_playlist_lists_is_served_byte_for_byte() {
		let hls = hls().await;
		for segment in 0..3 {
			hls.push(&window(segment, b"init", &[segment as u8; 50_000]), false);
		}
		let (status, headers, body) = get(&hls, "/index.m3u8").await;
		assert_eq!(status, "HTTP/1.1 200 OK");
		assert!(
			headers.contains("content-type: application/vnd.apple.mpegurl"),
			"{headers}"
		);
		assert!(headers.contains("access-control-allow-origin: *"), "{headers}");
		assert!(headers.contains("cache-control: no-cache"), "{headers}");
		let text = String::from_utf8(body).unwrap();
		let uris: Vec<&str> = text.lines().filter(|l| !l.starts_with('#')).collect();
		assert_eq!(uris.len(), 3);
		for (segment, uri) in uris.iter().enumerate() {
			let (status, headers, body) = get(&hls, &format!("/{uri}")).await;
			assert_eq!(status, "HTTP/1.1 200 OK");
			assert!(headers.contains("content-type: video/mp4"), "{headers}");
			assert_eq!(body, [segment as u8; 50_000]);
		}
		assert_eq!(get(&hls, "/init-0.mp4").await.2, b"init");
		assert!(get(&hls, "/").await.1.contains("content-type: text/html"));
	}

	#[tokio::test]
	async fn what_is_not_there_is_not_found() {
		let hls = hls().await;
		hls.push(&window(0, b"init", b"x"), false);
		for path in ["/segment-9-0.m4s", "/init-9.mp4", "/nothing", "/a/b", "/../Cargo.toml"] {
			let (status, headers, _) = get(&hls, path).await;
			assert_eq!(status, "HTTP/1.1 404 Not Found", "{path}");
			assert!(headers.contains("access-control-allow-origin: *"), "{headers}");
		}
	}

	#[tokio::test]
	async fn playlist_waits_for_the_first_window() {
		let hls = hls().await;
		let (answer, ()) = tokio::join!(get(&hls, "/index.m3u8"), async {
			tokio::task::yield_now().await;
			hls.push(&window(0, b"init", b"x"), false);
		});
		assert_eq!(answer.0, "HTTP/1.1 200 OK");
	}

	#[test]
	fn memory_is_bounded_and_everything_listed_is_kept() {
		let mut live = Live::default();
		for segment in 0..200 {
			// The encoder is restarted now and then.
			let init: &[u8] = if segment / 7 % 2 == 0 { b"init A" } else { b"init B" };
			live.push(&window(segment, init, b"x"), false);
			assert!(live.segments.len() <= KEPT);
			assert_eq!(live.inits.iter().map(|i| i.users).sum::<usize>(), live.segments.len());
			let text = live.playlist.render();
			for uri in text.lines().filter(|l| !l.starts_with('#')) {
				assert!(live.segments.iter().any(|(kept, _)| kept == uri), "{uri}");
			}
			for map in text.lines().filter_map(|l| l.strip_prefix("#EXT-X-MAP:URI=\"")) {
				assert!(live.inits.iter().any(|i| map.trim_end_matches('"') == i.uri), "{map}");
			}
		}
	}
}
