use super::*;
use crate::{
	playlist::utc,
	testing::{Clip, MUTE, OTHER, SOUND},
	timeline::tests::studio,
};
use clustercast_primitives::{catalog, window::flags};
use clustercast_protocol::Silence;
use std::collections::BTreeMap;
use tokio::{
	io::{AsyncReadExt, AsyncWriteExt},
	net::TcpStream,
};

struct Answer {
	status: u16,
	/// Names in lower case.
	headers: BTreeMap<String, String>,
	body: Vec<u8>,
}

impl Answer {
	fn header(&self, name: &str) -> &str {
		self.headers.get(name).map_or("", String::as_str)
	}

	fn text(&self) -> String {
		String::from_utf8(self.body.clone()).unwrap()
	}
}

/// A server that was dropped frees its port in a moment.
async fn bind(options: Options) -> Hls {
	loop {
		match Hls::bind(options.clone()).await {
			Ok(hls) => return hls,
			Err(error) if error.kind() == io::ErrorKind::AddrInUse => tokio::task::yield_now().await,
			Err(error) => panic!("{error}"),
		}
	}
}

async fn hls() -> Hls {
	bind(here()).await
}

fn here() -> Options {
	Options::at("127.0.0.1:0".parse().unwrap())
}

async fn ask(hls: &Hls, method: &str, path: &str, headers: &[(&str, &str)]) -> Answer {
	let mut stream = TcpStream::connect(hls.address).await.unwrap();
	let mut request = format!("{method} {path} HTTP/1.1\r\nConnection: close\r\n");
	if !headers.iter().any(|(name, _)| *name == "Host") {
		request += "Host: localhost\r\n";
	}
	for (name, value) in headers {
		request += &format!("{name}: {value}\r\n");
	}
	stream.write_all(format!("{request}\r\n").as_bytes()).await.unwrap();
	let mut answer = Vec::new();
	stream.read_to_end(&mut answer).await.unwrap();
	let end = answer.windows(4).position(|w| w == b"\r\n\r\n").unwrap();
	let head = String::from_utf8(answer[..end].to_vec()).unwrap();
	let (status, lines) = head.split_once("\r\n").unwrap();
	let headers = lines.lines().filter_map(|line| line.split_once(": "));
	Answer {
		status: status.split(' ').nth(1).unwrap().parse().unwrap(),
		headers: headers
			.map(|(name, value)| (name.to_lowercase(), value.into()))
			.collect(),
		body: answer[end + 4..].to_vec(),
	}
}

async fn get(hls: &Hls, path: &str) -> Answer {
	ask(hls, "GET", path, &[]).await
}

/// Names that a playlist lists, initialisation segments among them.
fn names(text: &str) -> Vec<String> {
	let maps = text
		.lines()
		.filter_map(|l| l.strip_prefix("#EXT-X-MAP:URI=\"")?.strip_suffix('"'));
	let lines: Vec<&str> = text.lines().collect();
	let file = |n: usize| !lines[n].starts_with('#') && !lines[n.saturating_sub(2)].starts_with("#EXT-X-GAP");
	let files = (0..lines.len()).filter(|n| file(*n)).map(|n| lines[n]);
	maps.chain(files).map(str::to_owned).collect()
}

#[tokio::test]
async fn what_the_playlist_lists_is_served_byte_for_byte_and_for_ever() {
	let hls = hls().await;
	let mut studio = studio(1, 9, 0);
	let windows: Vec<_> = (0..3).map(|_| studio.next()).collect();
	windows.iter().for_each(|window| hls.push(window));
	let playlist = get(&hls, "/index.m3u8").await;
	assert_eq!((playlist.status, playlist.header("content-type")), (200, PLAYLIST_TYPE));
	assert_eq!(playlist.header("cache-control"), "no-cache");
	let names = names(&playlist.text());
	assert_eq!(names.len(), 4);
	let contents = std::iter::once(windows[0].init().clone()).chain(windows.iter().map(EncodedWindow::data));
	for (name, content) in names.iter().zip(contents) {
		let file = get(&hls, &format!("/{name}")).await;
		assert_eq!((file.status, file.header("content-type")), (200, MP4_TYPE));
		assert_eq!(file.header("cache-control"), FOREVER);
		assert_eq!(file.body, content);
		let head = ask(&hls, "HEAD", &format!("/{name}"), &[]).await;
		assert_eq!((head.status, head.body.len()), (200, 0));
		assert_eq!(head.header("content-length"), content.len().to_string());
	}
	for (path, kind) in [
		("/", "text/html"),
		("/page.js", "text/javascript"),
		("/hls.light.min.js", "text/javascript"),
		("/page.css", "text/css"),
	] {
		let page = get(&hls, path).await;
		assert_eq!(page.status, 200);
		assert!(page.header("content-type").starts_with(kind));
	}
	assert!(get(&hls, "/master.m3u8").await.text().ends_with("\nindex.m3u8\n"));
}

#[tokio::test]
async fn what_is_not_there_is_not_found_and_not_kept() {
	let hls = hls().await;
	hls.push(&studio(1, 9, 0).next());
	for path in [
		"/1-9-9-0-00.m4s",
		"/init-9.mp4",
		"/gap-7.m4s",
		"/nothing",
		"/a/b",
		"/a/b/c",
		"/../Cargo.toml",
		"/picture/init-9.mp4",
		"/%00",
	] {
		let answer = get(&hls, path).await;
		assert_eq!(answer.status, 404, "{path}");
		assert_eq!(answer.header("cache-control"), "no-store", "{path}");
		assert_eq!(answer.header("access-control-allow-origin"), "*");
	}
	let answer = ask(&hls, "POST", "/index.m3u8", &[("Content-Length", "0")]).await;
	assert_eq!((answer.status, answer.header("allow")), (405, METHODS));
}

/// The attack: a page watched one stream; the program is restarted for another one on the same port.
#[tokio::test]
async fn a_cached_file_is_never_anothers() {
	let folder = tempfile::tempdir().unwrap();
	let mut cache: BTreeMap<String, Vec<u8>> = BTreeMap::new();
	let mut sequences = Vec::new();
	for (clip, stream) in [(SOUND, 1), (MUTE, 2), (OTHER, 1)] {
		let hls = bind(Options {
			place: Some(folder.path().join(format!("list-{stream}"))),
			..here()
		})
		.await;
		Clip::new(clip, 3).all().iter().for_each(|window| hls.push(window));
		let text = get(&hls, "/index.m3u8").await.text();
		for name in names(&text) {
			let file = get(&hls, &format!("/{name}")).await;
			let before = cache.insert(name.clone(), file.body.clone());
			assert!(before.is_none_or(|before| before == file.body), "{name}");
		}
		let sequence = text
			.lines()
			.find_map(|l| l.strip_prefix("#EXT-X-MEDIA-SEQUENCE:"))
			.unwrap();
		sequences.push(sequence.parse::<u64>().unwrap());
	}
	assert_eq!(cache.len(), 12);
}

#[tokio::test]
async fn numbers_go_on_when_the_program_is_restarted_on_its_port() {
	let folder = tempfile::tempdir().unwrap();
	let mut options = here();
	options.place = Some(folder.path().join("list.json"));
	let mut studio = studio(1, 9, 0);
	let mut newest = Vec::new();
	for _ in 0..3 {
		let hls = bind(options.clone()).await;
		options.address = hls.address;
		(0..20).for_each(|_| hls.push(&studio.next()));
		let text = get(&hls, "/index.m3u8").await.text();
		let first: u64 = text
			.lines()
			.find_map(|l| l.strip_prefix("#EXT-X-MEDIA-SEQUENCE:"))
			.unwrap()
			.parse()
			.unwrap();
		newest.push(first + 12);
		// Nobody hears of these.
		(0..5).for_each(|_| drop(studio.next()));
	}
	assert_eq!([newest[1] - newest[0], newest[2] - newest[1]], [25, 25]);
	// A place that cannot be read, or written, stops nothing.
	std::fs::write(options.place.as_ref().unwrap(), b"{").unwrap();
	let hls = bind(options.clone()).await;
	hls.push(&studio.next());
	drop(hls);
	options.place = Some("/dev/null/list.json".into());
	let hls = bind(options).await;
	hls.push(&studio.next());
	assert_eq!(get(&hls, "/index.m3u8").await.status, 200);
}

#[tokio::test]
async fn pages_elsewhere_may_ask_and_read() {
	let hls = hls().await;
	hls.push(&studio(1, 9, 0).next());
	let asked = [
		("Origin", "https://a.example"),
		("Access-Control-Request-Method", "GET"),
		("Access-Control-Request-Headers", "range,x-a"),
		("Access-Control-Request-Private-Network", "true"),
	];
	for path in [
		"/index.m3u8",
		"/master.m3u8",
		"/manifest.mpd",
		"/init-0.mp4",
		"/time",
		"/picture/x.m4s",
		"/",
		"/none/at/all",
	] {
		let answer = ask(&hls, "OPTIONS", path, &asked).await;
		assert_eq!(answer.status, 204, "{path}");
		for (name, value) in [
			("access-control-allow-origin", "*"),
			("access-control-allow-methods", METHODS),
			("access-control-allow-headers", "range,x-a"),
			("access-control-allow-private-network", "true"),
		] {
			assert_eq!(answer.header(name), value, "{path}");
		}
		assert!(answer.body.is_empty());
	}
	assert_eq!(ask(&hls, "OPTIONS", "/index.m3u8", &[]).await.status, 204);
	let read = ask(&hls, "GET", "/index.m3u8", &asked[..1]).await;
	assert_eq!((read.status, read.header("access-control-allow-origin")), (200, "*"));
	assert!(read.header("access-control-expose-headers").contains("content-range"));
}

#[tokio::test]
async fn where_only_some_pages_may_read_others_are_refused() {
	let hls = bind(Options {
		origins: "loopback,https://a.example".parse().unwrap(),
		..here()
	})
	.await;
	hls.push(&studio(1, 9, 0).next());
	let from = |origin| [("Origin", origin), ("Access-Control-Request-Private-Network", "true")];
	for good in ["https://a.example", "http://localhost:3000"] {
		let answer = ask(&hls, "GET", "/index.m3u8", &from(good)).await;
		assert_eq!(
			(answer.status, answer.header("access-control-allow-origin")),
			(200, good)
		);
		assert!(answer.header("vary").contains("origin"));
		assert_eq!(
			ask(&hls, "OPTIONS", "/index.m3u8", &from(good))
				.await
				.header("access-control-allow-private-network"),
			"true"
		);
	}
	for method in ["GET", "OPTIONS", "HEAD"] {
		let answer = ask(&hls, method, "/index.m3u8", &from("https://b.example")).await;
		assert_eq!((answer.status, answer.header("access-control-allow-origin")), (403, ""));
	}
	// Players say no origin; our own page says its own.
	assert_eq!(get(&hls, "/index.m3u8").await.status, 200);
	let own = [("Host", "192.168.0.7:8080"), ("Origin", "http://192.168.0.7:8080")];
	assert_eq!(ask(&hls, "GET", "/state.json", &own).await.status, 200);
	let stolen = [("Host", "b.example:8080"), ("Origin", "http://b.example:8080")];
	assert_eq!(ask(&hls, "GET", "/index.m3u8", &stolen).await.status, 421);
}

#[tokio::test]
async fn parts_of_files_are_served() {
	let hls = hls().await;
	let window = studio(1, 9, 0).next();
	hls.push(&window);
	let (data, path) = (
		window.data(),
		format!("/{}", names(&get(&hls, "/index.m3u8").await.text())[1]),
	);
	assert_eq!(data.len(), 8);
	for (range, status, content_range, body) in [
		("bytes=0-", 206, "bytes 0-7/8", &data[..]),
		("bytes=2-3", 206, "bytes 2-3/8", &data[2..4]),
		("bytes=5-99", 206, "bytes 5-7/8", &data[5..]),
		("bytes=-3", 206, "bytes 5-7/8", &data[5..]),
		("bytes=-99", 206, "bytes 0-7/8", &data[..]),
		("bytes=8-", 416, "bytes */8", b""),
		("bytes=99999999999999999999-", 416, "bytes */8", b""),
		("bytes=-0", 416, "bytes */8", b""),
		("bytes=3-2", 200, "", &data[..]),
		("bytes=0-1,4-5", 200, "", &data[..]),
		("bytes=a-b", 200, "", &data[..]),
		("bytes=-", 200, "", &data[..]),
		("items=0-1", 200, "", &data[..]),
	] {
		let answer = ask(&hls, "GET", &path, &[("Range", range)]).await;
		assert_eq!(
			(answer.status, answer.header("content-range")),
			(status, content_range),
			"{range}"
		);
		assert_eq!(answer.body, body, "{range}");
	}
	let whole = get(&hls, &path).await;
	assert_eq!(whole.header("accept-ranges"), "bytes");
	let tag = whole.header("etag").to_owned();
	for (known, status) in [(tag.as_str(), 206), ("\"other\"", 200)] {
		let answer = ask(&hls, "GET", &path, &[("Range", "bytes=0-0"), ("If-Range", known)]).await;
		assert_eq!(answer.status, status);
	}
}

/// Who has a file already gets no bytes of it again (RFC 9110, 13.1.2).
#[tokio::test]
async fn what_the_other_has_is_not_sent_again() {
	let hls = hls().await;
	hls.push(&Clip::new(SOUND, 1).all()[0]);
	let listed = names(&get(&hls, "/index.m3u8").await.text());
	for name in [listed[0].clone(), listed[1].clone(), format!("picture/{}", listed[1])] {
		let path = format!("/{name}");
		let tag = get(&hls, &path).await.header("etag").to_owned();
		assert!(tag.len() > 2, "{name}");
		let several = format!("\"another\", W/{tag}");
		for known in [tag.as_str(), "*", several.as_str()] {
			// Whatever part of it is asked for.
			let asked = [("If-None-Match", known), ("Range", "bytes=0-9")];
			let answer = ask(&hls, "GET", &path, &asked).await;
			assert_eq!((answer.status, answer.body.len()), (304, 0), "{known}");
			assert_eq!(
				(answer.header("etag"), answer.header("cache-control")),
				(tag.as_str(), FOREVER)
			);
		}
		let other = ask(&hls, "GET", &path, &[("If-None-Match", "\"another\"")]).await;
		assert_eq!(other.status, 200);
		assert!(!other.body.is_empty());
	}
}

#[tokio::test]
async fn playlists_wait_for_the_first_window() {
	let hls = hls().await;
	let window = studio(1, 9, 0).next();
	let (media, variant, ()) = tokio::join!(get(&hls, "/index.m3u8"), get(&hls, "/master.m3u8"), async {
		tokio::task::yield_now().await;
		hls.push(&window);
	});
	assert_eq!((media.status, variant.status), (200, 200));
}

#[tokio::test]
async fn before_the_first_window_there_is_an_answer_within_a_players_patience() {
	const {
		assert!(
			FIRST_WINDOW_WAIT.as_secs() < 10,
			"dash.js waits for 10 s, hls.js for 20"
		)
	};
	let hls = hls().await;
	let state = get(&hls, "/state.json").await.text();
	assert!(state.contains("\"state\":\"connecting\""), "{state}");
	let began = Instant::now();
	let answer = get(&hls, "/index.m3u8").await;
	assert_eq!((answer.status, answer.header("retry-after")), (503, "1"));
	assert_eq!(
		answer.header("access-control-allow-origin"),
		"*",
		"a page elsewhere is told why"
	);
	assert!(began.elapsed() >= FIRST_WINDOW_WAIT);
}

/// FFmpeg ends after 100 answers that have nothing new.
#[tokio::test]
async fn in_a_pause_a_request_for_the_list_waits_for_what_is_behind_it() {
	const {
		assert!(NEWS_WAIT.as_secs() < 10, "hls.js waits for 10 s");
		assert!(100 * NEWS_WAIT.as_secs() >= 480, "FFmpeg waits for 8 minutes");
	};
	let (hls, mut studio) = (hls().await, studio(1, 9, 0));
	hls.push(&studio.next());
	let began = Instant::now();
	let live = get(&hls, "/index.m3u8").await.text();
	assert!(began.elapsed() < NEWS_WAIT, "where there is no pause nobody waits");
	let mut outlook = Outlook::default();
	outlook.silence(clustercast_protocol::Silence::Pause, true, std::time::Instant::now());
	hls.note(outlook);
	let began = Instant::now();
	let quiet = get(&hls, "/index.m3u8").await.text();
	assert!(began.elapsed() >= NEWS_WAIT && quiet == live, "not for ever");
	let window = studio.next();
	let (behind, ()) = tokio::join!(get(&hls, "/index.m3u8"), async {
		// As long as it takes that the request waits.
		while hls.shared.news.receiver_count() == 0 {
			tokio::task::yield_now().await;
		}
		hls.push(&window);
	});
	assert_eq!(names(&behind.text()).len(), names(&live).len() + 1);
}

/// GStreamer asks for what is a gap, and ends after four times nothing.
#[tokio::test]
async fn a_gap_is_a_file_that_plays_nothing() {
	let folder = tempfile::tempdir().unwrap();
	let options = || Options {
		place: Some(folder.path().join("list.json")),
		..here()
	};
	let windows = Clip::new(SOUND, 4).all();
	let before = bind(options()).await;
	before.push(&windows[0]);
	drop(before);
	let hls = bind(options()).await;
	hls.push(&windows[2]);
	hls.push(&windows[3]);
	let text = get(&hls, "/index.m3u8").await.text();
	// Before the first window, too.
	let early = bind(options()).await;
	let name = text
		.split("#EXT-X-GAP\n")
		.nth(1)
		.and_then(|entry| entry.lines().nth(1))
		.unwrap();
	for path in [format!("/{name}"), format!("/sound/{name}")] {
		assert_eq!(get(&early, &path).await.status, 200, "{path}");
	}
	let gaps: Vec<&str> = text
		.split("#EXT-X-GAP\n")
		.skip(1)
		.filter_map(|entry| entry.lines().nth(1))
		.collect();
	assert_eq!(gaps.len(), 2, "what was listed before, and what was missed: {text}");
	for name in gaps {
		let answer = get(&hls, &format!("/{name}")).await;
		assert_eq!((answer.status, answer.header("content-type")), (200, MP4_TYPE));
		assert_eq!(
			answer.header("cache-control"),
			"no-store",
			"the name may say what is gone"
		);
		let kinds: Vec<&[u8]> = answer.body.chunks(4).collect();
		assert_eq!((kinds[1], kinds[7]), (&b"styp"[..], &b"free"[..]));
		assert_eq!(answer.body.len(), 0x18 + 8);
		// What the manifest lists of it, too.
		let picture = get(&hls, &format!("/picture/{name}")).await;
		assert_eq!((picture.status, &picture.body), (200, &answer.body));
	}
	assert_eq!(
		get(&hls, "/gap-1.m4s").await.status,
		404,
		"one that is listed nowhere is none"
	);
}

#[tokio::test]
async fn picture_and_sound_are_served_apart_for_the_manifest() {
	let hls = hls().await;
	let windows = Clip::new(SOUND, 2).all();
	windows.iter().for_each(|window| hls.push(window));
	let manifest = get(&hls, "/manifest.mpd").await;
	assert_eq!((manifest.status, manifest.header("content-type")), (200, MANIFEST_TYPE));
	let text = manifest.text();
	let listed = |attribute: &str| -> Vec<String> {
		let begin = format!(" {attribute}=\"");
		let parts = text.split(begin.as_str()).skip(1);
		parts.map(|rest| rest.split('"').next().unwrap().to_owned()).collect()
	};
	let (init, files) = (&listed("sourceURL")[0], listed("media"));
	for (folder, kind) in [("picture", fragment::Kind::Picture), ("sound", fragment::Kind::Sound)] {
		let init = get(&hls, &format!("/{folder}/{init}")).await;
		let layout = fragment::Layout::read(&init.body).unwrap();
		assert_eq!(layout.tracks().iter().map(|t| t.kind).collect::<Vec<_>>(), [kind]);
		let part = get(&hls, &format!("/{folder}/{}", files[0])).await;
		assert_eq!(part.header("cache-control"), FOREVER);
		assert_eq!(
			fragment::Fragment::read(&layout, &part.body.into()).unwrap().runs.len(),
			1
		);
	}
	let time = get(&hls, "/time").await.text();
	assert!(time.ends_with('Z') && time.len() == utc(0).len(), "{time}");
}

#[tokio::test]
async fn page_runs_no_script_but_ours() {
	let hls = hls().await;
	let page = get(&hls, "/").await;
	let policy = page.header("content-security-policy");
	assert!(
		policy.starts_with("default-src 'none'; script-src 'self';") && !policy.contains("unsafe"),
		"{policy}"
	);
	let html = page.text();
	let scripts = (html.matches("<script").count(), html.matches("<script src=").count());
	assert_eq!(scripts, (2, 2));
	let mut handlers = html.split(" on").skip(1);
	assert!(handlers.all(|rest| !rest.trim_start_matches(char::is_alphabetic).starts_with('=')));
	assert!(!html.contains("style="));
	assert!(!html.contains("://"), "nothing is loaded from elsewhere");
}

#[tokio::test]
async fn state_and_title_are_there_before_the_first_window_and_follow_it() {
	let titled = Options {
		title: "By the chain".into(),
		..here()
	};
	let hls = bind(titled).await;
	let told = async || serde_json::from_str::<serde_json::Value>(&get(&hls, "/state.json").await.text()).unwrap();
	let before = told().await;
	assert_eq!(
		(&before["state"], &before["title"]),
		(&"connecting".into(), &"By the chain".into())
	);
	assert_eq!(before["sinceMs"], serde_json::Value::Null);
	let mut outlook = Outlook::default();
	outlook.silence(Silence::Pause, false, Instant::now());
	hls.note(outlook);
	assert_eq!(told().await["state"], "waiting");
	hls.push(&studio(1, 9, 0).next());
	let live = told().await;
	assert_eq!(
		(&live["state"], &live["title"]),
		(&"live".into(), &"By the chain".into()),
		"a catalog without one"
	);
	hls.push(&Clip::new(SOUND, 1).all()[0]);
	assert_eq!(told().await["title"], "A \"title\" & more");
}

#[test]
fn time_is_never_before_what_is_there() {
	let (mut live, mut studio) = (Live::default(), studio(1, 9, 0));
	// The broadcaster's clock is ahead of ours by some seconds.
	let window = studio.next();
	let end_ms = window.header().start_ms + 2_000;
	live.push(&window, end_ms - 5_000, Instant::now());
	assert_eq!(live.told(end_ms - 4_000, Instant::now()).now_ms, end_ms + 1_000);
	// It is behind: that is delay like any other.
	let window = studio.next();
	live.push(&window, end_ms + 60_000, Instant::now());
	assert_eq!(live.told(end_ms + 60_000, Instant::now()).now_ms, end_ms + 65_000);
}

#[test]
fn memory_is_bounded_and_everything_listed_is_kept() {
	let (mut live, mut studio) = (Live::default(), studio(1, 9, 0));
	for n in 0..300 {
		// The encoder is restarted now and then; parts get short.
		studio.init(if n / 7 % 2 == 0 { b"init A" } else { b"init B" });
		studio.duration_ms = if n < 100 { 2_000 } else { 400 };
		live.push(&studio.next(), 0, Instant::now());
		let text = playlist::media(&live.timeline, &live.parts);
		for name in names(&text) {
			assert!(live.files.contains_key(&name), "{name}");
		}
		assert!(live.files.len() <= live.windows.len() + 2);
		assert_eq!(live.bytes, live.files.values().map(Bytes::len).sum::<usize>());
	}
	assert!(live.windows.len() <= 2 * 60 + 1, "{}", live.windows.len());
}

#[test]
fn catalog_of_another_track_is_no_reason_to_fail() {
	let mut live = Live::default();
	live.push(&studio(1, 9, 0).next(), 0, Instant::now());
	assert_eq!(live.track.as_ref().map(|t| t.kind), Some(catalog::kind::MUXED));
}

/// A segment of four parts of 500 ms.
fn in_parts(studio: &mut crate::timeline::tests::Studio) -> Vec<EncodedWindow> {
	studio.duration_ms = 500;
	let flags = [flags::INDEPENDENT, 0, 0, flags::LAST_PART];
	let next = |flags| {
		studio.flags = flags;
		studio.next()
	};
	flags.into_iter().map(next).collect()
}

#[tokio::test]
async fn players_of_low_latency_get_a_part_when_it_comes() {
	let (hls, mut studio) = (hls().await, studio(1, 9, 7));
	in_parts(&mut studio).iter().for_each(|window| hls.push(window));
	let first = get(&hls, "/index.m3u8").await.text();
	assert!(first.contains("#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,PART-HOLD-BACK=1.500\n"));
	assert!(first.contains("#EXT-X-PART-INF:PART-TARGET=0.500\n"));
	assert!(
		first.ends_with("#EXT-X-PRELOAD-HINT:TYPE=PART,URI=\"part-1-9-8-0.m4s\"\n"),
		"{first}"
	);
	let open = hls.shared.live().timeline.next();
	let second = in_parts(&mut studio);
	let pushed = async {
		tokio::time::sleep(Duration::from_millis(200)).await;
		hls.push(&second[0]);
		Instant::now()
	};
	let list = async {
		let list = get(&hls, &format!("/index.m3u8?_HLS_msn={open}&_HLS_part=0")).await;
		(list.text(), Instant::now())
	};
	let file = async {
		let file = get(&hls, "/part-1-9-8-0.m4s").await;
		(file, Instant::now())
	};
	let (pushed, (list, listed), (file, sent)) = tokio::join!(pushed, list, file);
	assert!(listed >= pushed && sent >= pushed, "both waited");
	assert!(
		list.contains("#EXT-X-PART:DURATION=0.500,URI=\"part-1-9-8-0.m4s\",INDEPENDENT=YES\n"),
		"{list}"
	);
	assert_eq!((file.status, file.body), (200, second[0].data().to_vec()));
	assert_eq!(
		list.matches("#EXTINF").count(),
		1,
		"players that know no parts see whole segments"
	);
	for (query, status) in [
		(format!("_HLS_msn={open}&_HLS_part=0"), 200),
		(format!("_HLS_msn={}", open - 1), 200),
		(format!("_HLS_msn={}", open + 2), 400),
		("_HLS_msn=x".into(), 400),
		("_HLS_part=0".into(), 400),
		("other=1".into(), 200),
	] {
		assert_eq!(
			get(&hls, &format!("/index.m3u8?{query}")).await.status,
			status,
			"{query}"
		);
	}
	second[1..].iter().for_each(|window| hls.push(window));
	let names = names(&get(&hls, "/index.m3u8").await.text());
	let whole: Vec<u8> = second.iter().flat_map(|window| window.data()).collect();
	assert_eq!(get(&hls, &format!("/{}", names[2])).await.body, whole);
}
