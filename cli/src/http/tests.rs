use super::*;
use hyper::service::service_fn;
use std::convert::Infallible;
use tokio::{
	io::{AsyncReadExt, AsyncWriteExt},
	sync::Semaphore,
};

const SHORT: Limits = Limits {
	connections: 4,
	head: Duration::from_millis(300),
	answer: Duration::from_millis(600),
	pause: Duration::from_millis(50),
	keep_alive: true,
};

/// No time runs out.
const LONG: Limits = Limits {
	head: Duration::from_secs(60),
	answer: Duration::from_secs(60),
	..SHORT
};

/// A server with a quick answer, a large one, and one that comes when told; says who waits for that.
async fn server(limits: Limits) -> (std::net::SocketAddr, [Arc<Semaphore>; 2], tokio::task::JoinHandle<()>) {
	let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
	let address = listener.local_addr().unwrap();
	let [waiting, told] = [(); 2].map(|()| Arc::new(Semaphore::new(0)));
	let both = (waiting.clone(), told.clone());
	let service = service_fn(move |request: Request<Incoming>| {
		let both = both.clone();
		async move {
			let answer = match request.uri().path() {
				"/who" => request.extensions().get::<Peer>().unwrap().0.to_string(),
				"/large" => "7".repeat(64 << 20),
				"/later" => {
					both.0.add_permits(1);
					both.1.acquire().await.unwrap().forget();
					"late".into()
				},
				_ => "here".into(),
			};
			Ok::<_, Infallible>(Response::new(answer))
		}
	});
	(address, [waiting, told], tokio::spawn(serve(listener, service, limits)))
}

/// Asks on a connection that stays, and has the answer.
async fn ask_on(stream: &mut TcpStream) -> io::Result<()> {
	stream.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").await?;
	let mut answer = Vec::new();
	while !answer.ends_with(b"here") {
		if stream.read_buf(&mut answer).await? == 0 {
			return Err(io::ErrorKind::UnexpectedEof.into());
		}
	}
	Ok(())
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
	sleep(3 * SHORT.answer).await;
	assert!(ask(address, "/").await.unwrap().ends_with("here"));
	for mut stuck in connections {
		assert!(closed(&mut stuck).await.len() < 64 << 20, "it did not get all of it");
	}
}

/// The attack: as many as there are places stay, each asking a little now and then.
#[tokio::test]
async fn who_holds_the_places_keeps_nobody_out() {
	let (address, _, _server) = server(LONG).await;
	let mut holders = Vec::new();
	for _ in 0..LONG.connections {
		let mut holder = TcpStream::connect(address).await.unwrap();
		ask_on(&mut holder).await.unwrap();
		holders.push(holder);
	}
	for _ in 0..10 {
		assert!(
			ask(address, "/").await.unwrap().ends_with("here"),
			"somebody else is kept out"
		);
		for holder in &mut holders {
			// It is not told where it was put out.
			let _ = ask_on(holder).await;
		}
	}
	// Connections that say nothing neither.
	let mut silent = Vec::new();
	for _ in 0..3 * LONG.connections {
		silent.push(TcpStream::connect(address).await.unwrap());
	}
	assert!(ask(address, "/").await.unwrap().ends_with("here"));
}

#[tokio::test]
async fn an_answer_under_way_is_not_broken_off_while_others_idle() {
	let (address, [waits, told], _server) = server(LONG).await;
	let late = tokio::spawn(ask(address, "/later"));
	waits.acquire().await.unwrap().forget();
	let mut idle = TcpStream::connect(address).await.unwrap();
	ask_on(&mut idle).await.unwrap();
	let mut others = Vec::new();
	for _ in 0..5 * LONG.connections {
		let mut one = TcpStream::connect(address).await.unwrap();
		ask_on(&mut one).await.unwrap();
		others.push(one);
	}
	assert!(closed(&mut idle).await.is_empty(), "the first that idled made room");
	told.add_permits(1);
	assert!(late.await.unwrap().unwrap().ends_with("late"));
}

/// Where all are being answered, the one goes that takes longest.
#[test]
fn the_place_is_his_who_needs_it_least() {
	let mut places = Places::new(3);
	let numbers: Vec<u64> = (0..3)
		.map(|name| {
			let (number, gone) = places.enter();
			assert!(gone.is_none(), "there is room");
			places.hold(number, name);
			number
		})
		.collect();
	let newcomer = |places: &mut Places<i32>, name| {
		let (number, gone) = places.enter();
		places.hold(number, name);
		(number, gone.and_then(|gone| gone.handle))
	};
	// 1 idles longest: 0 has asked since, and 2 is being answered.
	places.turn(numbers[0], true);
	places.turn(numbers[0], false);
	places.turn(numbers[2], true);
	let (three, gone) = newcomer(&mut places, 3);
	assert_eq!(gone, Some(1));
	places.turn(numbers[0], true);
	places.turn(three, true);
	let (four, gone) = newcomer(&mut places, 4);
	assert_eq!(gone, Some(2), "its answer takes longest");
	places.leave(three);
	places.leave(three);
	assert_eq!(newcomer(&mut places, 5).1, None);
	assert_eq!(newcomer(&mut places, 6).1, Some(4));
	// What is gone changes nothing any more.
	places.turn(four, true);
	assert_eq!(places.open.len(), 3);
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

#[tokio::test]
async fn service_is_told_who_asks() {
	let (address, _, _server) = server(LONG).await;
	let mut stream = TcpStream::connect(address).await.unwrap();
	stream
		.write_all(b"GET /who HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
		.await
		.unwrap();
	let mut answer = String::new();
	stream.read_to_string(&mut answer).await.unwrap();
	assert!(answer.ends_with(&stream.local_addr().unwrap().to_string()), "{answer}");
}
