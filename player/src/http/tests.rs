use super::*;
use axum::{body::Body, routing::get};
use bytes::Bytes;
use tokio::net::TcpStream;

const SHORT: Limits = Limits {
	connections: 4,
	head: Duration::from_millis(300),
	answer: Duration::from_millis(600),
	pause: Duration::from_millis(50),
};

/// A server with a quick answer, a large one, and one that comes when told; says who waits for that.
async fn server(limits: Limits) -> (std::net::SocketAddr, [Arc<Semaphore>; 2], tokio::task::JoinHandle<()>) {
	let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
	let address = listener.local_addr().unwrap();
	let [waiting, told] = [(); 2].map(|()| Arc::new(Semaphore::new(0)));
	let both = (waiting.clone(), told.clone());
	let later = move || async move {
		both.0.add_permits(1);
		both.1.acquire().await.unwrap().forget();
	};
	let router = Router::new()
		.route("/", get(|| async { "here" }))
		.route("/large", get(|| async { Body::from(Bytes::from(vec![7; 64 << 20])) }))
		.route("/later", get(later));
	(address, [waiting, told], tokio::spawn(serve(listener, router, limits)))
}

async fn ask(address: std::net::SocketAddr, path: &str) -> io::Result<String> {
	let mut stream = TcpStream::connect(address).await?;
	stream
		.write_all(format!("GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").as_bytes())
		.await?;
	let mut answer = String::new();
	stream.read_to_string(&mut answer).await?;
	Ok(answer)
}

/// Reads until the other closes.
async fn closed(stream: &mut TcpStream) -> Vec<u8> {
	let mut got = Vec::new();
	let _ = stream.read_to_end(&mut got).await;
	got
}

#[tokio::test]
async fn silent_slow_and_idle_connections_are_closed_and_others_are_served() {
	let (address, _, _server) = server(SHORT).await;
	let mut silent = TcpStream::connect(address).await.unwrap();
	let mut slow = TcpStream::connect(address).await.unwrap();
	let mut idle = TcpStream::connect(address).await.unwrap();
	idle.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
	let trickle = async {
		// A header that never ends: bytes keep coming.
		while slow.write_all(b"x").await.is_ok() {
			sleep(Duration::from_millis(20)).await;
		}
	};
	let (silent, idle, ()) = tokio::join!(closed(&mut silent), closed(&mut idle), trickle);
	assert!(silent.is_empty() || silent.starts_with(b"HTTP/1.1 408"), "{silent:?}");
	assert!(idle.ends_with(b"here"));
	assert!(ask(address, "/").await.unwrap().ends_with("here"));
}

#[tokio::test]
async fn who_does_not_read_is_left() {
	let (address, _, _server) = server(SHORT).await;
	let mut connections = Vec::new();
	for _ in 0..SHORT.connections {
		let mut stuck = TcpStream::connect(address).await.unwrap();
		stuck
			.write_all(b"GET /large HTTP/1.1\r\nHost: a\r\n\r\n")
			.await
			.unwrap();
		connections.push(stuck);
	}
	// All places are taken until they are given up.
	while !ask(address, "/").await.is_ok_and(|answer| answer.ends_with("here")) {
		sleep(Duration::from_millis(20)).await;
	}
	for mut stuck in connections {
		assert!(closed(&mut stuck).await.len() < 64 << 20, "it did not get all of it");
	}
}

#[tokio::test]
async fn too_many_are_told_so_and_served_again_later() {
	let limits = Limits {
		head: Duration::from_secs(60),
		answer: Duration::from_secs(60),
		..SHORT
	};
	let (address, [waits, told], _server) = server(limits).await;
	let waiting: Vec<_> = (0..limits.connections)
		.map(|_| tokio::spawn(ask(address, "/later")))
		.collect();
	waits.acquire_many(4).await.unwrap().forget();
	let refused = ask(address, "/").await.unwrap();
	assert!(
		refused.contains("Retry-After: 2") && refused.ends_with("too many connections\n"),
		"{refused}"
	);
	// A flood of them: each is refused or closed, none hangs.
	let flood = (0..100).map(|_| tokio::spawn(ask(address, "/")));
	for one in flood.collect::<Vec<_>>() {
		assert!(!one
			.await
			.unwrap()
			.is_ok_and(|answer| answer.starts_with("HTTP/1.1 200")));
	}
	for one in waiting {
		told.add_permits(1);
		assert!(one.await.unwrap().unwrap().starts_with("HTTP/1.1 200"));
	}
	while !ask(address, "/").await.is_ok_and(|answer| answer.ends_with("here")) {
		tokio::task::yield_now().await;
	}
}

#[tokio::test]
async fn a_server_that_is_dropped_takes_its_connections_along() {
	let (address, _, server) = server(Limits::default()).await;
	let mut open = TcpStream::connect(address).await.unwrap();
	open.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
	let mut first = [0; 12];
	open.read_exact(&mut first).await.unwrap();
	server.abort();
	closed(&mut open).await;
	assert!(TcpStream::connect(address).await.is_err());
}

/// The system has no file left: accepting pauses, and goes on when it has. Each test is a process of its own under nextest.
#[tokio::test]
async fn files_that_run_out_pause_accepting_without_a_busy_loop() {
	use nix::sys::resource::{getrlimit, setrlimit, Resource};
	let (address, _, _server) = server(Limits {
		connections: 512,
		head: Duration::from_secs(60),
		..SHORT
	})
	.await;
	let (before, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
	let mut held = Vec::new();
	while let Ok(stream) = TcpStream::connect(address).await {
		held.push(stream);
		if held.len() == 20 {
			// What is open now, and one more for the next connection, which leaves none to accept it.
			let open = std::fs::read_dir("/proc/self/fd").unwrap().count() as u64 - 1;
			setrlimit(Resource::RLIMIT_NOFILE, open + 1, hard).unwrap();
		}
	}
	let cpu = |()| {
		nix::sys::resource::getrusage(nix::sys::resource::UsageWho::RUSAGE_SELF)
			.unwrap()
			.system_time()
	};
	let (began, at) = (cpu(()), Instant::now());
	while at.elapsed() < SHORT.pause * 10 {
		sleep(SHORT.pause).await;
	}
	let (now, used) = (cpu(()), at.elapsed());
	let busy = Duration::from_micros(
		(now.tv_sec() - began.tv_sec()) as u64 * 1_000_000 + (now.tv_usec() - began.tv_usec()) as u64,
	);
	assert!(busy < used / 4, "{busy:?} of {used:?}");
	drop(held);
	setrlimit(Resource::RLIMIT_NOFILE, before, hard).unwrap();
	while !ask(address, "/").await.is_ok_and(|answer| answer.ends_with("here")) {
		sleep(SHORT.pause).await;
	}
}

#[test]
fn connections_get_a_part_of_the_files() {
	assert_eq!(
		[64, 256, 1_024, 1 << 20, 0].map(connections),
		[16, 64, 256, CONNECTIONS, 4]
	);
}

#[test]
fn a_thing_is_said_once_a_minute() {
	let (mut minutely, start) = (Minutely::default(), Instant::now());
	let at = |seconds| start + Duration::from_secs(seconds);
	let due: Vec<bool> = [0, 1, 59, 60, 61, 119, 120]
		.into_iter()
		.map(|s| minutely.is_due(at(s)))
		.collect();
	assert_eq!(due, [true, false, false, true, false, false, true]);
}
