//! The lab against the kernel: sockets at both ends say what was asked for. Whoever may not make namespaces skips these, and says so.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use clustercast_lab::{
	control::{Tries, Verdict},
	draw::{Packet, Purpose},
	link::{Loss, Queue, Shape},
	nat::Kind,
	star::Star,
	switch::Access,
	tcp,
};
use std::{
	collections::BTreeSet,
	fs, io,
	io::{Read, Write},
	net::{Ipv4Addr, TcpListener, TcpStream, UdpSocket},
	os::unix::process::CommandExt,
	process::{Command, Stdio},
	thread,
	time::{Duration, Instant},
};

const MS: Duration = Duration::from_millis(1);

/// Headers of IP and UDP.
const HEADERS: usize = 28;

/// A line that is nobody's bottleneck.
const FREE: Access = Access::both(Shape::delay(Duration::ZERO));

/// Runs `once` until the machine was quick enough; what it measured.
///
/// # Panics
/// When three runs were void: not measured.
fn measured<T>(mut once: impl FnMut() -> Option<(T, Verdict)>) -> Option<T> {
	let mut tries = Tries::default();
	loop {
		let (figures, verdict) = once()?;
		if tries.counts(verdict.void()) {
			return Some(figures);
		}
		assert!(!tries.are_over(), "not measured: {:?}", tries.voids);
	}
}

/// Two nodes, or none without the right to make them.
fn pair(seed: u64, left: Access, right: Access) -> Option<Star> {
	Star::build_or_skip(seed, &[("left", left), ("right", right)]).unwrap()
}

/// A socket at a node that gives up waiting.
fn socket(star: &Star, node: &str) -> UdpSocket {
	let node = star.node(node).unwrap();
	let socket = node.inside(|| UdpSocket::bind((node.address(), 0))).unwrap();
	socket.set_read_timeout(Some(300 * MS)).unwrap();
	socket
}

/// A datagram each `every`, all of `length` bytes of IP, in a thread of its own: number, and when it was sent.
fn send(from: &UdpSocket, to: &UdpSocket, count: u32, every: Duration, length: usize, began: Instant) {
	let (from, to) = (from.try_clone().unwrap(), to.local_addr().unwrap());
	thread::spawn(move || {
		let mut datagram = vec![0; length - HEADERS];
		for number in 0..count {
			thread::sleep((every * number).saturating_sub(began.elapsed()));
			datagram[..4].copy_from_slice(&number.to_be_bytes());
			datagram[4..12].copy_from_slice(&(began.elapsed().as_micros() as u64).to_be_bytes());
			from.send_to(&datagram, to).unwrap();
		}
	});
}

/// Number, length with headers, when it was sent, when it came; until nothing comes any more.
fn receive(at: &UdpSocket, began: Instant) -> Vec<(u32, usize, Duration, Duration)> {
	let (mut received, mut buffer) = (Vec::new(), [0; 1_500]);
	while let Ok(length) = at.recv(&mut buffer) {
		let number = u32::from_be_bytes(buffer[..4].try_into().unwrap());
		let sent = u64::from_be_bytes(buffer[4..12].try_into().unwrap());
		received.push((number, length + HEADERS, Duration::from_micros(sent), began.elapsed()));
	}
	received
}

#[test]
fn round_trips_take_and_lose_what_was_asked_and_exactly_what_the_seed_says() {
	const COUNT: u32 = 1_500;
	const SEED: u64 = 11;
	let line = Access {
		up: Shape::delay(20 * MS).loss(Loss::Random(0.01)),
		..FREE
	};
	let once = || {
		let star = pair(SEED, line, line)?;
		let (left, right) = (socket(&star, "left"), socket(&star, "right"));
		let (control, began) = (star.control().unwrap(), Instant::now());
		let echo = right.try_clone().unwrap();
		let echo = thread::spawn(move || {
			let mut buffer = [0; 1_500];
			while let Ok((length, from)) = echo.recv_from(&mut buffer) {
				echo.send_to(&buffer[..length], from).unwrap();
			}
		});
		send(&left, &right, COUNT, 3 * MS, 100, began);
		let back = receive(&left, began);
		echo.join().unwrap();
		Some((back, control.verdict()))
	};
	let Some(back) = measured(once) else {
		return;
	};
	let lost = |link, index| {
		Packet {
			seed: SEED,
			link,
			index,
		}
		.draw(Purpose::Loss)
			< 0.01
	};
	let there = (0..COUNT).filter(|number| !lost(0, u64::from(*number)));
	let expected: Vec<u32> = there
		.enumerate()
		.filter(|(index, _)| !lost(2, *index as u64))
		.map(|(_, number)| number)
		.collect();
	let numbers: Vec<u32> = back.iter().map(|(number, ..)| *number).collect();
	assert_eq!(numbers, expected, "the packets lost are those of the seed");
	let share = 1.0 - numbers.len() as f64 / f64::from(COUNT);
	assert!((0.01..0.03).contains(&share), "two ways of 1 %: {share}");
	let mut trips: Vec<Duration> = back.iter().map(|(_, _, sent, came)| *came - *sent).collect();
	trips.sort_unstable();
	let (least, median) = (trips[0], trips[trips.len() / 2]);
	assert!(least >= 40 * MS, "{least:?}");
	assert!(median < 45 * MS, "{median:?}");
}

#[test]
fn line_of_10_mbit_passes_10_mbit_and_its_queue_bounds_the_wait() {
	// 15 Mb/s are offered for 4 s.
	const COUNT: u32 = 5_000;
	let line = Access {
		up: Shape::delay(10 * MS).rate(10_000_000).queue(Queue::Time(100 * MS)),
		..FREE
	};
	let once = || {
		let star = pair(1, line, FREE)?;
		let (left, right) = (socket(&star, "left"), socket(&star, "right"));
		let (control, began) = (star.control().unwrap(), Instant::now());
		send(&left, &right, COUNT, 800 * MS / 1_000, 1_500, began);
		let received = receive(&right, began);
		let traffic = star.traffic(star.node("left").unwrap());
		Some(((received, traffic), control.verdict()))
	};
	let Some((received, traffic)) = measured(once) else {
		return;
	};
	let (first, last) = (received[0].3, received[received.len() - 1].3);
	let bits: usize = received[1..].iter().map(|(_, length, ..)| length * 8).sum();
	let rate = bits as f64 / (last - first).as_secs_f64();
	assert!((9.5e6..10.5e6).contains(&rate), "{rate}");
	assert!(traffic.up.dropped > 1_000 && traffic.up.lost == 0, "{traffic:?}");
	assert_eq!(traffic.up.packets - traffic.up.dropped, received.len() as u64);
	let mut waits: Vec<Duration> = received.iter().map(|(_, _, sent, came)| *came - *sent).collect();
	waits.sort_unstable();
	let p95 = waits[waits.len() * 95 / 100];
	// 10 ms of delay, 100 of queue, 1.2 for itself; the rest is the machine's.
	assert!((105 * MS..120 * MS).contains(&p95), "{p95:?}");
	assert!(traffic.up.longest_wait <= 100 * MS, "{traffic:?}");
}

#[test]
fn two_runs_with_one_seed_drop_the_same_packets() {
	const COUNT: u32 = 2_000;
	let bursts = Access {
		up: Shape::delay(5 * MS).loss(Loss::bursts(0.05, 4.0)),
		down: Shape::delay(5 * MS).loss(Loss::Random(0.02)),
		nat: None,
	};
	let run = |seed| -> Option<BTreeSet<u32>> {
		let star = pair(seed, bursts, bursts)?;
		let (left, right) = (socket(&star, "left"), socket(&star, "right"));
		let began = Instant::now();
		send(&left, &right, COUNT, MS / 2, 60, began);
		Some(receive(&right, began).into_iter().map(|(number, ..)| number).collect())
	};
	let (Some(first), Some(again), Some(other)) = (run(5), run(5), run(6)) else {
		return;
	};
	assert!((1_700..1_950).contains(&first.len()), "{}", first.len());
	assert_eq!(first, again);
	assert_ne!(first, other);
}

#[test]
fn programs_and_connections_reach_each_other_over_the_lines_alone() {
	let line = Access::both(Shape::delay(10 * MS).rate(20_000_000));
	let Some(star) = pair(1, line, FREE) else {
		return;
	};
	let (left, right) = (star.node("left").unwrap(), star.node("right").unwrap());
	let address = right.address();
	let listener = right.inside(|| TcpListener::bind((address, 7_000))).unwrap();
	let served = thread::spawn(move || -> io::Result<usize> {
		let (mut connection, _) = listener.accept()?;
		let mut all = Vec::new();
		let length = connection.read_to_end(&mut all)?;
		connection.write_all(b"thanks")?;
		Ok(length)
	});
	let asked = left.inside(|| {
		let mut connection = TcpStream::connect((address, 7_000))?;
		connection.write_all(&[7; 300_000])?;
		connection.shutdown(std::net::Shutdown::Write)?;
		let mut answer = String::new();
		connection.read_to_string(&mut answer)?;
		Ok(answer)
	});
	assert_eq!(
		(asked.unwrap().as_str(), served.join().unwrap().unwrap()),
		("thanks", 300_000)
	);

	// A program there has two devices, and its loopback is its own.
	let mut program = left.command("cat");
	let output = program.arg("/proc/net/dev").output().unwrap();
	let devices = String::from_utf8(output.stdout).unwrap();
	let names: Vec<&str> = devices
		.lines()
		.skip(2)
		.filter_map(|line| line.split(':').next())
		.collect();
	assert!(
		names.iter().map(|name| name.trim()).eq(["lab0", "lo"])
			|| names.iter().map(|name| name.trim()).eq(["lo", "lab0"]),
		"{devices}"
	);
	let here = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
	let there = left.inside(|| TcpStream::connect(here.local_addr()?));
	assert_eq!(there.unwrap_err().kind(), io::ErrorKind::ConnectionRefused);
}

#[test]
fn line_that_is_cut_passes_nothing_until_it_is_mended() {
	let Some(star) = pair(1, FREE, FREE) else {
		return;
	};
	let (left, right) = (socket(&star, "left"), socket(&star, "right"));
	let to = right.local_addr().unwrap();
	let say = |what: &[u8]| {
		left.send_to(what, to).unwrap();
		let mut buffer = [0; 16];
		right.recv(&mut buffer).map(|length| buffer[..length].to_vec()).ok()
	};
	assert_eq!(say(b"one"), Some(b"one".to_vec()));
	let node = star.node("right").unwrap();
	star.reshape(node, Access::both(Shape::delay(Duration::ZERO).loss(Loss::Random(1.0))));
	assert_eq!(say(b"two"), None);
	star.reshape(node, FREE);
	assert_eq!(say(b"three"), Some(b"three".to_vec()));
}

#[test]
fn transport_of_the_kernel_fills_a_line_and_no_more() {
	let line = Access::both(Shape::delay(10 * MS).rate(10_000_000));
	let Some(star) = pair(1, line, FREE) else {
		return;
	};
	let (left, right) = (star.node("left").unwrap(), star.node("right").unwrap());
	let rate = tcp::rate(left, right, "cubic", 3_000 * MS).unwrap();
	assert!((8.0e6..10.0e6).contains(&rate), "{rate}");
	assert!(tcp::rate(left, right, "nothing of this name", MS).is_err());
}

#[test]
fn home_behind_nat_reaches_out_and_is_reached_by_none_but_those() {
	let home = |kind| Star::build_or_skip(1, &[("left", FREE.behind(kind)), ("right", FREE), ("third", FREE)]).unwrap();
	for kind in [Kind::Cone, Kind::Symmetric] {
		let Some(star) = home(kind) else {
			return;
		};
		let (left, right, third) = (socket(&star, "left"), socket(&star, "right"), socket(&star, "third"));
		let mut buffer = [0; 16];
		left.send_to(b"one", right.local_addr().unwrap()).unwrap();
		let (_, seen) = right.recv_from(&mut buffer).unwrap();
		assert_eq!(seen.ip(), star.node("left").unwrap().seen());
		assert_ne!(seen.ip(), star.node("left").unwrap().address());
		third.send_to(b"stranger", seen).unwrap();
		right.send_to(b"two", seen).unwrap();
		let (length, from) = left.recv_from(&mut buffer).unwrap();
		assert_eq!((&buffer[..length], from), (&b"two"[..], right.local_addr().unwrap()));
		left.send_to(b"three", third.local_addr().unwrap()).unwrap();
		let (_, seen_by_third) = third.recv_from(&mut buffer).unwrap();
		assert_eq!(seen_by_third == seen, kind == Kind::Cone);
		assert!(left.recv(&mut buffer).is_err(), "the stranger came too soon");

		// TCP passes as well.
		let address = star.node("right").unwrap().address();
		let listener = star
			.node("right")
			.unwrap()
			.inside(|| TcpListener::bind((address, 7_000)))
			.unwrap();
		let served = thread::spawn(move || listener.accept()?.0.write_all(b"hello"));
		let asked = star.node("left").unwrap().inside(|| {
			let mut answer = String::new();
			TcpStream::connect((address, 7_000))?.read_to_string(&mut answer)?;
			Ok(answer)
		});
		assert_eq!(asked.unwrap(), "hello");
		served.join().unwrap().unwrap();
	}
}

/// Says to the test below that this process is the one that holds namespaces until it is killed.
const HOLDER: &str = "CLUSTERCAST_LAB_HOLDER";

#[test]
fn namespaces_go_with_whoever_made_them_even_by_kill_9() {
	let Some(star) = pair(1, FREE, FREE) else {
		return;
	};
	if std::env::var_os(HOLDER).is_some() {
		// Says which it holds, and waits to be killed.
		let inside = star
			.node("left")
			.unwrap()
			.inside(|| fs::read_link("/proc/thread-self/ns/net"));
		println!("holds {}", inside.unwrap().display());
		thread::sleep(Duration::from_secs(60));
		return;
	}
	let me = std::env::current_exe().unwrap();
	let mut holder = Command::new(me)
		.args([
			"--exact",
			"namespaces_go_with_whoever_made_them_even_by_kill_9",
			"--nocapture",
		])
		.env(HOLDER, "1")
		.stdout(Stdio::piped())
		.process_group(0)
		.spawn()
		.unwrap();
	let mut said = io::BufReader::new(holder.stdout.take().unwrap());
	let held = loop {
		let mut line = String::new();
		assert_ne!(
			io::BufRead::read_line(&mut said, &mut line).unwrap(),
			0,
			"it says which"
		);
		// Behind the harness's own words.
		if let Some((_, name)) = line.trim().split_once("holds ") {
			break name.to_owned();
		}
	};
	let inode = held.trim_start_matches("net:[").trim_end_matches(']').to_owned();
	assert!(open_namespaces().contains(&inode), "{inode}");
	holder.kill().unwrap();
	holder.wait().unwrap();
	let patience = Instant::now() + Duration::from_secs(10);
	while open_namespaces().contains(&inode) {
		assert!(Instant::now() < patience, "{inode} is still there");
		thread::sleep(20 * MS);
	}
}

/// Inodes of the network namespaces that any process has open or is in.
fn open_namespaces() -> BTreeSet<String> {
	let mut found = BTreeSet::new();
	let processes = fs::read_dir("/proc").unwrap().flatten().map(|entry| entry.path());
	for process in processes.filter(|path| path.join("ns").exists()) {
		// Processes come and go while we look.
		let files = fs::read_dir(process.join("fd")).into_iter().flatten().flatten();
		let links = files.map(|file| file.path()).chain([process.join("ns/net")]);
		for link in links.filter_map(|link| fs::read_link(link).ok()) {
			let name = link.to_string_lossy().into_owned();
			if let Some(inode) = name.strip_prefix("net:[").and_then(|rest| rest.strip_suffix(']')) {
				found.insert(inode.to_owned());
			}
		}
	}
	found
}
