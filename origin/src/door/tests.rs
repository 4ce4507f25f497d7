//! Sockets on loopback: real publishers and hostile peers, at once. What takes time is measured in beats of a peer of the test itself
//! on a socket beside the door: where the machine is late, so are they.

use super::{
	testing::{found, name, Script},
	*,
};
use clustercast_media::rtmp::Progress;
use std::{
	future::Future,
	net::SocketAddr,
	process::{Child, Command, Stdio},
	sync::atomic::{AtomicU32, Ordering},
	time::{Duration, Instant},
};
use tokio::{
	io::{AsyncReadExt, AsyncWriteExt},
	net::{TcpListener, TcpStream},
	sync::mpsc,
	task::JoinSet,
	time::timeout,
};

/// Between two beats on an idle machine.
const BEAT: Duration = Duration::from_millis(10);

/// Within which a publisher with the key is in, whatever others do: two seconds on an idle machine.
const IN_TIME: u32 = 200;

/// After which a test gives up.
const FOR_EVER: Duration = Duration::from_secs(60);

async fn open(address: &str) -> Listener {
	let address: Address = address.parse().unwrap();
	let found = found(address.key.clone().unwrap().reveal());
	Listener::open(&address, Lock::new(&address.app, &found), Proof::KeyFrame)
		.await
		.unwrap()
}

async fn next(door: &mut Listener) -> Event {
	timeout(FOR_EVER, door.next()).await.expect("an event")
}

async fn came(door: &mut Listener) -> Came {
	loop {
		match next(door).await {
			Event::Came(came) => return came,
			Event::Left { .. } | Event::Tag { .. } => {},
			other => panic!("{other:?}"),
		}
	}
}

/// Until the end of whoever is live.
async fn left(door: &mut Listener) -> End {
	loop {
		if let Event::Left { end, .. } = next(door).await {
			return end;
		}
	}
}

/// A peer of the test's own.
struct Peer {
	stream: TcpStream,
	heard: Vec<u8>,
}

impl Peer {
	async fn connect(door: &Listener) -> Self {
		Self {
			stream: TcpStream::connect(door.addresses()[0]).await.unwrap(),
			heard: Vec::new(),
		}
	}

	async fn say(&mut self, script: &Script) {
		self.stream.write_all(script.bytes()).await.unwrap();
	}

	async fn come(door: &Listener, script: &Script) -> Self {
		let mut peer = Self::connect(door).await;
		peer.say(script).await;
		peer
	}

	/// Reads until it was told this; false where the connection ends before.
	async fn hears(&mut self, text: &str) -> bool {
		self.hears_until(|heard| heard.windows(text.len()).any(|window| window == text.as_bytes()))
			.await
	}

	async fn hears_bytes(&mut self, count: usize) -> bool {
		self.hears_until(|heard| heard.len() >= count).await
	}

	async fn hears_until(&mut self, enough: impl Fn(&[u8]) -> bool) -> bool {
		timeout(FOR_EVER, async {
			loop {
				if enough(&self.heard) {
					return true;
				}
				if !matches!(self.stream.read_buf(&mut self.heard).await, Ok(1..)) {
					return false;
				}
			}
		})
		.await
		.expect("an answer or an end")
	}

	/// How the connection ends: in order, or reset.
	async fn ends(&mut self) -> bool {
		timeout(FOR_EVER, async {
			loop {
				match self.stream.read_buf(&mut self.heard).await {
					Ok(0) => return true,
					Ok(_) => {},
					Err(_) => return false,
				}
			}
		})
		.await
		.expect("an end")
	}
}

/// A publisher step by step, as one that waits for each answer and does something `between`; whether it was let in. It leaves in order.
async fn publish_step_by_step(address: SocketAddr, mut between: impl AsyncFnMut()) -> bool {
	let whole = Script::publish("live", "key");
	let (hello, connect) = (Script::hello(), Script::hello().connect("live"));
	let create = connect.clone().call("createStream", None);
	let cuts = [
		0,
		hello.bytes().len(),
		connect.bytes().len(),
		create.bytes().len(),
		whole.bytes().len(),
	];
	let Ok(stream) = TcpStream::connect(address).await else {
		return false;
	};
	let mut peer = Peer {
		stream,
		heard: Vec::new(),
	};
	// The last of each answer; of the greeting, its length.
	let answers = [
		"",
		"NetConnection.Connect.Success",
		"_result",
		"NetStream.Publish.Start",
	];
	for (n, (cut, answer)) in cuts.windows(2).zip(answers).enumerate() {
		if peer.stream.write_all(&whole.bytes()[cut[0]..cut[1]]).await.is_err() {
			return false;
		}
		let answered = match n {
			0 => peer.hears_bytes(1 + 2 * 1536).await,
			_ => peer.hears(answer).await,
		};
		if !answered {
			return false;
		}
		peer.heard.clear();
		between().await;
	}
	peer.say(&Script::default().headers().frame(0, true).call("deleteStream", None))
		.await;
	peer.hears("NetStream.Unpublish.Success").await
}

/// A peer beside the door says something every 10 ms, to the next answer: the machine's own time.
async fn beats(count: &AtomicU32) {
	let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
	let mut stream = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
	let (mut echo, _) = listener.accept().await.unwrap();
	let echo = tokio::spawn(async move {
		let (mut read, mut write) = echo.split();
		let _ = tokio::io::copy(&mut read, &mut write).await;
	});
	let mut answer = [0; 1];
	while stream.write_all(&[7]).await.is_ok() && stream.read_exact(&mut answer).await.is_ok() {
		count.fetch_add(1, Ordering::Relaxed);
		tokio::time::sleep(BEAT).await;
	}
	echo.abort();
}

/// While something is going on, publishers with the key are in within two seconds each, who try again at once if they are thrown out.
async fn publishers_are_in_time(door: &mut Listener) {
	let address = door.addresses()[0];
	for _ in 0..5 {
		let count = AtomicU32::new(0);
		tokio::select! {
			() = async { while !publish_step_by_step(address, async || {}).await {} } => {},
			() = beats(&count) => unreachable!("a peer of the test's own ended"),
		}
		assert_eq!(left(door).await, End::InOrder);
		let count = count.into_inner();
		assert!(count <= IN_TIME, "{count} beats");
	}
}

/// So many peers at once that do this again and again with a pause, as long as what is returned lives; all have connected.
async fn crowd<F>(address: SocketAddr, count: usize, pause: Duration, act: fn(TcpStream) -> F) -> JoinSet<()>
where
	F: Future<Output = ()> + Send + 'static,
{
	let (connected, mut all) = mpsc::channel(count);
	let mut crowd = JoinSet::new();
	for _ in 0..count {
		let connected = connected.clone();
		crowd.spawn(async move {
			loop {
				if let Ok(stream) = TcpStream::connect(address).await {
					// Full once everybody is there.
					let _ = connected.try_send(());
					act(stream).await;
				}
				tokio::time::sleep(pause).await;
			}
		});
	}
	for _ in 0..count {
		timeout(FOR_EVER, all.recv()).await.expect("a crowd");
	}
	crowd
}

/// Until it is thrown out.
async fn listen_to_the_end(mut stream: TcpStream) {
	let mut bytes = Vec::new();
	while matches!(stream.read_buf(&mut bytes).await, Ok(1..)) {}
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn thousand_silent_connections_keep_nobody_out() {
	let mut door = open("rtmp://127.0.0.1:0/live/key").await;
	let _crowd = crowd(
		door.addresses()[0],
		1_000,
		Duration::from_millis(100),
		listen_to_the_end,
	);
	publishers_are_in_time(&mut door).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_goes_on_is_not_thrown_out_for_those_who_say_nothing() {
	/// After each step: more than there is room for.
	const STRANGERS: usize = 300;
	let mut door = open("rtmp://127.0.0.1:0/live/key").await;
	let address = door.addresses()[0];
	for _ in 0..10 {
		let mut crowd = JoinSet::new();
		let begin = Instant::now();
		let let_in = publish_step_by_step(address, async || {
			for _ in 0..STRANGERS {
				let stranger = TcpStream::connect(address).await.unwrap();
				crowd.spawn(listen_to_the_end(stranger));
			}
			while crowd.len() > crowd::room(Progress::Silent) {
				let gone = timeout(FOR_EVER, crowd.join_next()).await;
				gone.expect("thrown out").unwrap().unwrap();
			}
		});
		if let_in.await {
			assert_eq!(left(&mut door).await, End::InOrder);
			return;
		}
		// Whoever is slow is sent away, and this machine may be: then it says nothing.
		assert!(begin.elapsed() >= policy::HANDSHAKE_LIMIT, "thrown out for strangers");
	}
	panic!("this machine is too slow to say anything");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn half_open_handshakes_and_slow_lorises_keep_nobody_out() {
	let mut door = open("rtmp://127.0.0.1:0/live/key").await;
	let address = door.addresses()[0];
	// Some 250 a second, from the publisher's own address.
	let _half_open = crowd(address, 250, Duration::from_millis(500), |mut stream| async move {
		let _ = stream.write_all(&Script::hello().bytes()[..1537]).await;
		listen_to_the_end(stream).await;
	})
	.await;
	let _lorises = crowd(address, 200, Duration::from_millis(100), |mut stream| async move {
		for byte in Script::publish("live", "key").bytes() {
			if stream.write_all(&[*byte]).await.is_err() {
				return;
			}
			tokio::time::sleep(Duration::from_secs(1)).await;
		}
	})
	.await;
	publishers_are_in_time(&mut door).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wrong_keys_and_probes_keep_nobody_out() {
	let mut door = open("rtmp://127.0.0.1:0/live/key").await;
	let address = door.addresses()[0];
	// A hundred a second and more.
	let _guessers = crowd(address, 4, Duration::from_millis(20), |mut stream| async move {
		let _ = stream.write_all(Script::publish("live", "guess").bytes()).await;
		listen_to_the_end(stream).await;
	})
	.await;
	let _probes = crowd(address, 4, Duration::from_millis(20), |mut stream| async move {
		let _ = stream.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
		listen_to_the_end(stream).await;
	})
	.await;
	publishers_are_in_time(&mut door).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn publishers_that_show_nothing_keep_nobody_out() {
	let mut door = open("rtmp://127.0.0.1:0/live/key").await;
	let _silent = Peer::come(&door, &Script::publish("live", "key").metadata()).await;
	let mut publisher = Peer::come(&door, &Script::live()).await;
	came(&mut door).await;
	assert!(publisher.hears("NetStream.Publish.Start").await);
}

#[tokio::test]
async fn wrong_key_is_told_so_and_the_connection_is_closed_in_order() {
	let door = open("rtmp://127.0.0.1:0/live/key").await;
	// Goes on to send, as encoders do.
	let mut peer = Peer::come(&door, &Script::publish("live", "guess").headers().frame(0, true)).await;
	assert!(peer.hears("NetStream.Publish.BadName").await);
	let _ = peer.stream.write_all(Script::default().frame(40, true).bytes()).await;
	assert!(peer.ends().await, "no reset");
}

#[tokio::test]
async fn who_came_later_takes_over_from_one_that_vanished() {
	let mut door = open("rtmp://127.0.0.1:0/live/key").await;
	let mut vanished = Peer::come(&door, &Script::live()).await;
	assert_eq!(came(&mut door).await.publisher, 1);
	tokio::time::sleep(policy::ALIVE).await;
	let _back = Peer::come(&door, &Script::live()).await;
	assert_eq!(left(&mut door).await, End::TakenOver);
	assert_eq!(came(&mut door).await.publisher, 2);
	assert!(vanished.hears("NetStream.Publish.BadName").await);
	assert!(vanished.ends().await, "no reset");
}

#[tokio::test]
async fn peer_that_reads_no_answers_is_not_read_and_then_sent_away() {
	let mut door = open("rtmp://127.0.0.1:0/live/key").await;
	let mut peer = Peer::come(&door, &Script::live()).await;
	came(&mut door).await;
	// Each is answered; the answers fill the buffers of both sides.
	let pings = (0..500).fold(Script::default(), |script, _| script.message(4, 0, b"\0\x06pong"));
	let sent = timeout(FOR_EVER, async {
		let mut sent = 0;
		while peer.stream.write_all(pings.bytes()).await.is_ok() {
			sent += pings.bytes().len();
		}
		sent
	});
	let (end, sent) = tokio::join!(left(&mut door), sent);
	assert_eq!(end, End::Lost);
	let sent = sent.expect("sent away");
	assert!(sent < 64 << 20, "{sent} bytes");
}

#[tokio::test]
async fn broadcast_that_takes_no_tags_stops_its_publisher_and_nobody_else() {
	let mut door = open("rtmp://127.0.0.1:0/live/key").await;
	let mut peer = Peer::come(&door, &Script::live()).await;
	let frames: u32 = 5_000;
	let script = (1..=frames).fold(Script::default(), |script, stamp| script.frame(stamp, false));
	let large = Script::default().message(9, frames + 1, &[&b"\x27\x01\0\0\0"[..], &[1; 3 << 20]].concat());
	let sending = tokio::spawn(async move {
		peer.say(&script).await;
		for _ in 0..4 {
			peer.say(&large).await;
		}
		peer
	});
	// Others are answered all the while.
	for _ in 0..5 {
		let mut other = Peer::come(&door, &Script::publish("live", "guess")).await;
		assert!(other.hears("NetStream.Publish.BadName").await);
	}
	// All came in order in the end, and nobody was thought silent.
	assert_eq!(came(&mut door).await.publisher, 1);
	let mut stamps = Vec::new();
	while stamps.last().is_none_or(|stamp| *stamp <= frames) {
		match next(&mut door).await {
			Event::Tag { tag, .. } if name(&tag).starts_with("frame") => stamps.push(tag.stamp),
			Event::Tag { .. } => {},
			other => panic!("{other:?}"),
		}
	}
	assert_eq!(stamps, (1..=frames + 1).collect::<Vec<_>>());
	drop(sending);
}

#[tokio::test]
async fn door_that_is_dropped_says_so_and_frees_its_port() {
	let mut door = open("rtmp://127.0.0.1:0/live/key").await;
	let mut peer = Peer::come(&door, &Script::live()).await;
	came(&mut door).await;
	let port = door.addresses()[0].port();
	drop(door);
	assert!(peer.hears("the broadcast is over").await);
	assert!(peer.ends().await);
	timeout(FOR_EVER, async {
		let address: Address = format!("rtmp://127.0.0.1:{port}/live").parse().unwrap();
		let lock = || Lock::new("live", &found("key"));
		while Listener::open(&address, lock(), Proof::KeyFrame).await.is_err() {
			tokio::time::sleep(Duration::from_millis(10)).await;
		}
	})
	.await
	.unwrap();
}

#[tokio::test]
async fn both_families_are_served_and_a_taken_port_is_named_without_the_key() {
	let mut door = open("rtmp://[::]:0/live/key").await;
	let port = door.addresses()[0].port();
	for host in ["127.0.0.1", "::1"] {
		let address = (host.parse::<std::net::IpAddr>().unwrap(), port).into();
		assert!(publish_step_by_step(address, async || {}).await);
		let came = came(&mut door).await;
		assert_eq!(came.from.ip().to_string(), host);
		left(&mut door).await;
	}
	let address: Address = format!("rtmp://[::]:{port}/live/hush").parse().unwrap();
	let taken = Listener::open(&address, Lock::new("live", &found("key")), Proof::KeyFrame).await;
	let error = taken.unwrap_err().to_string();
	assert!(
		error.starts_with(&format!("cannot listen for publishers on rtmp://[::]:{port}/live: ")),
		"{error}"
	);
	assert!(!error.contains("hush"), "{error}");
	for host in ["[::1]", "localhost"] {
		let mut door = open(&format!("rtmp://{host}:0/live/key")).await;
		for address in door.addresses().to_vec() {
			assert!(publish_step_by_step(address, async || {}).await);
			left(&mut door).await;
		}
	}
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn few_files_keep_nobody_out_for_long() {
	use nix::sys::resource::{getrlimit, setrlimit, Resource};
	let mut door = open("rtmp://127.0.0.1:0/live/key").await;
	let address = door.addresses()[0];
	// Each connection has two files here, both ends.
	let (_, most) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
	setrlimit(Resource::RLIMIT_NOFILE, 120, most).unwrap();
	let mut strangers = Vec::new();
	while let Ok(Ok(stream)) = timeout(Duration::from_secs(1), TcpStream::connect(address)).await {
		strangers.push(stream);
	}
	// One file for the publisher's own end; the door has to make room for its other end.
	drop(strangers.pop());
	let mut publisher = Peer::come(&door, &Script::live()).await;
	assert!(publisher.hears("NetStream.Publish.Start").await);
	came(&mut door).await;
	setrlimit(Resource::RLIMIT_NOFILE, most, most).unwrap();
}

/// FFmpeg as a publisher.
struct Ffmpeg(Child);

impl Ffmpeg {
	/// `options` come before the address. Seven seconds of 320x240 and a tone, as fast as it goes or (`-re`) as it plays.
	fn push(input: &str, options: &str, url: &str) -> Self {
		let source = "-f lavfi -i testsrc=size=320x240:rate=25:duration=7 -f lavfi -i sine=sample_rate=44100:duration=7 -c:v libx264 \
			-preset ultrafast -pix_fmt yuv420p -g 25 -c:a aac -f flv";
		let child = Command::new("ffmpeg")
			.args("-hide_banner -loglevel error -nostdin".split(' '))
			.args(input.split_whitespace())
			.args(source.split_whitespace())
			.args(options.split_whitespace())
			.arg(url)
			.stderr(Stdio::piped())
			.spawn()
			.unwrap();
		Self(child)
	}

	/// Whether it ended well, and what it said.
	async fn end(mut self) -> (bool, String) {
		let stderr = self.0.stderr.take().unwrap();
		let said = tokio::task::spawn_blocking(move || std::io::read_to_string(stderr).unwrap())
			.await
			.unwrap();
		(self.0.wait().unwrap().success(), said)
	}
}

impl Drop for Ffmpeg {
	fn drop(&mut self) {
		let _ = self.0.kill();
		let _ = self.0.wait();
	}
}

/// Everything of one publisher, up to its end.
async fn all_of_one(door: &mut Listener) -> (Came, Vec<clustercast_media::flv::Tag>, End) {
	let Event::Came(came) = next(door).await else {
		panic!("another one")
	};
	let mut tags = Vec::new();
	loop {
		match next(door).await {
			Event::Tag { publisher, tag } if publisher == came.publisher => tags.push(tag),
			Event::Left { publisher, end } if publisher == came.publisher => return (came, tags, end),
			other => panic!("{other:?}"),
		}
	}
}

#[tokio::test]
async fn ffmpeg_is_let_in_with_whatever_options() {
	let mut door = open("rtmp://127.0.0.1:0/live/key").await;
	let url = format!("rtmp://{}/live/key", door.addresses()[0]);
	let server = format!("rtmp://{}", door.addresses()[0]);
	for (options, url) in [
		("", &url),
		("-rtmp_live live", &url),
		("-rtmp_live any -rtmp_flashver FMLE/3.0 -tcp_nodelay 1", &url),
		("-flvflags no_duration_filesize+no_metadata", &url),
		("-rtmp_app live -rtmp_playpath key", &server),
	] {
		let ffmpeg = Ffmpeg::push("", options, url);
		let (came, tags, end) = all_of_one(&mut door).await;
		assert_eq!(
			(ffmpeg.end().await, end),
			((true, String::new()), End::InOrder),
			"{options}"
		);
		assert!(
			came.picture
				&& came
					.sound
					.is_some_and(|sound| sound.rate == Some(44_100) && sound.channels == 1)
		);
		let count = |what: &str| tags.iter().filter(|tag| name(tag).starts_with(what)).count();
		let pictures = count("key") + count("frame");
		assert_eq!(
			(count("picture header"), count("key"), pictures),
			(1, 7, 175),
			"{options}"
		);
		// Seven seconds and the encoder's start.
		assert!(
			(300..=304).contains(&(count("sound ") - count("sound header"))),
			"{options}"
		);
	}
}

#[tokio::test]
async fn ffmpeg_brings_keys_as_password_managers_make_them() {
	let long = "k".repeat(address::LONGEST_KEY);
	for key in [
		"a/b", "a/b/c", "/a//b/", "a%2Fb", "a+b=c", "a:b", "a:b/c", "a/b:c", "ä€", "a&b?c=d", "a#b", "a@b", "a.flv",
		"a/b.mp4", &long,
	] {
		let mut door = open(&format!("rtmp://127.0.0.1:0/live/{key}")).await;
		let url = format!("rtmp://{}/live/{key}", door.addresses()[0]);
		let ffmpeg = Ffmpeg::push("", "-t 0.2", &url);
		let (_, _, end) = all_of_one(&mut door).await;
		assert_eq!(
			(ffmpeg.end().await, end),
			((true, String::new()), End::InOrder),
			"{key}"
		);
	}
}

#[tokio::test]
async fn ffmpeg_with_a_wrong_key_ends_and_says_why() {
	let door = open("rtmp://127.0.0.1:0/live/key").await;
	let (well, said) = Ffmpeg::push("", "", &format!("rtmp://{}/live/guess", door.addresses()[0]))
		.end()
		.await;
	assert!(!well && said.contains("wrong server or stream key"), "{said}");
}

#[tokio::test]
async fn ffmpeg_that_is_taken_over_from_ends_and_says_why() {
	let mut door = open("rtmp://127.0.0.1:0/live/key").await;
	let url = format!("rtmp://{}/live/key", door.addresses()[0]);
	let first = Ffmpeg::push("-re", "", &url);
	assert_eq!(came(&mut door).await.publisher, 1);
	let _second = Ffmpeg::push("-re", "", &url);
	let reading = tokio::spawn(async move {
		let end = left(&mut door).await;
		(end, came(&mut door).await.publisher, door)
	});
	let (well, said) = first.end().await;
	assert!(!well && said.contains("has taken over"), "{said}");
	let (end, publisher, _door) = reading.await.unwrap();
	assert_eq!((end, publisher), (End::TakenOver, 2));
}

#[tokio::test]
async fn stamps_of_long_broadcasts_come_through_ffmpegs_own_writer() {
	// Through 2^24 and, where FFmpeg's writer begins anew, 2^31 ms.
	for (begin, crossed) in [(16_775_000_u32, 1_u32 << 24), (2_147_481_000, 1 << 31)] {
		let mut door = open("rtmp://127.0.0.1:0/live/key").await;
		let url = format!("rtmp://{}/live/key", door.addresses()[0]);
		let seconds = format!("-output_ts_offset {}.{:03}", begin / 1000, begin % 1000);
		let ffmpeg = Ffmpeg::push("", &seconds, &url);
		let (_, tags, end) = all_of_one(&mut door).await;
		assert_eq!((ffmpeg.end().await, end), ((true, String::new()), End::InOrder));
		let pictures = tags
			.iter()
			.filter(|tag| name(tag).starts_with("key") || name(tag).starts_with("frame"));
		let stamps: Vec<u32> = pictures.map(|tag| tag.stamp).collect();
		assert_eq!(stamps.len(), 175);
		// Of 31 bits: so FFmpeg writes them, in FLV and so in RTMP.
		let steps = stamps
			.windows(2)
			.map(|pair| pair[1].wrapping_sub(pair[0]) & 0x7FFF_FFFF);
		assert!(steps.clone().all(|step| step == 40), "{:?}", steps.collect::<Vec<_>>());
		let (first, last) = (stamps[0], stamps[stamps.len() - 1]);
		assert!((begin..crossed).contains(&first), "{first}");
		assert!(last >= crossed || last < 7_000, "{last}");
	}
}
