//! What a relayer of several streams holds in memory: resident bytes with a full cache, with viewers who pay, and with some who
//! read nothing. Origins and viewers are in a process of their own. `scripts/bench relayer-memory` runs it.
//!
//! usage: fleet_memory [VIEWERS] [STREAMS] [SECONDS]

#![allow(clippy::unwrap_used, reason = "a benchmark fails by panicking")]

#[path = "../../protocol/src/fixture.rs"]
mod fixture;
#[path = "../tests/support/fleet.rs"]
mod fleet;

use clustercast_network::Address;
use clustercast_primitives::{PublicKey, StreamId};
use fleet::{key, Origin, Plan, Relayer, Viewer, PATIENCE};
use std::{
	env, fs,
	io::{BufRead, BufReader, Write},
	process::{Command, Stdio},
	time::Duration,
};
use tokio::{
	task::JoinSet,
	time::{interval, sleep, timeout, Instant},
};

/// Two seconds of 1.5 Mb/s.
const WINDOW: usize = 375_000;
const EVERY: Duration = Duration::from_secs(1);
/// The default of three streams.
const CACHE: usize = 64_000_000;
/// Of ten viewers so many read nothing, in the last part.
const IDLE_OF_TEN: usize = 1;

fn main() {
	let arguments: Vec<String> = env::args().skip(1).collect();
	let number = |n: usize, default: usize| arguments.get(n).map_or(default, |word| word.parse().unwrap());
	let runtime = tokio::runtime::Builder::new_multi_thread()
		.worker_threads(2)
		.enable_all()
		.build()
		.unwrap();
	match arguments.first().map(String::as_str) {
		Some("world") => runtime.block_on(world(number(1, 0), number(2, 0), number(3, 0))),
		_ => runtime.block_on(measure(number(0, 200), number(1, 3), number(2, 15))),
	}
}

/// Resident bytes of this process.
fn resident() -> u64 {
	let status = fs::read_to_string("/proc/self/status").unwrap();
	let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
	line.trim().strip_suffix(" kB").unwrap().parse::<u64>().unwrap() * 1_024
}

/// The relayer.
async fn measure(viewers: usize, streams: usize, seconds: usize) {
	let mut world = Command::new(env::current_exe().unwrap())
		.args([
			"world",
			&viewers.to_string(),
			&streams.to_string(),
			&seconds.to_string(),
		])
		.stdin(Stdio::piped())
		.stdout(Stdio::piped())
		.spawn()
		.unwrap();
	let (mut tell, mut said) = (
		world.stdin.take().unwrap(),
		BufReader::new(world.stdout.take().unwrap()).lines(),
	);
	let mut hear = move || said.next().unwrap().unwrap();
	let origins = (1..=streams).map(|number| {
		let at = hear().parse().unwrap();
		(StreamId(number as u64), key(0x0a, number as u16).public(), vec![at])
	});
	let origins: Vec<_> = origins.collect();
	let dir = tempfile::tempdir().unwrap();
	let plan = Plan {
		cache_bytes: CACHE,
		places: viewers,
		places_of_each: viewers,
		credit: 1_500_000,
		..Plan::default()
	};
	let relayer = Relayer::start(dir.path(), plan, &origins).await;
	let empty = resident();
	writeln!(tell, "{}", relayer.address).unwrap();
	// Off the relayer's threads.
	let mut parts = tokio::task::spawn_blocking(move || {
		let mut figures = Vec::new();
		let mut most = 0;
		for _ in 0..3 {
			// What is told each second; the largest of a part counts.
			while hear() != "done" {
				most = resident().max(most);
			}
			figures.push(std::mem::take(&mut most));
		}
		let gaps: Vec<String> = (0..2).map(|_| hear()).collect();
		(figures, gaps)
	});
	let (figures, gaps) = (&mut parts).await.unwrap();
	assert!(world.wait().unwrap().success());
	let held = relayer.feed.bytes();
	assert!(held <= CACHE, "{held} bytes of windows");
	let each = |with: u64| with.saturating_sub(figures[0]) / viewers as u64;
	println!(
		r#"{{"viewers":{viewers},"streams":{streams},"cacheBudget":{CACHE},"cached":{held},"empty":{empty},"fullCache":{},"watched":{},"bytesPerViewer":{},"watchedWithIdlers":{},"bytesPerViewerWithIdlers":{},"longestGapMs":{},"longestGapWithIdlersMs":{}}}"#,
		figures[0],
		figures[1],
		each(figures[1]),
		figures[2],
		each(figures[2]),
		gaps[0],
		gaps[1],
	);
}

/// Origins and viewers.
async fn world(viewers: usize, streams: usize, seconds: usize) {
	let mut origins = Vec::new();
	for number in 1..=streams as u64 {
		let origin = Origin::start(number, 5).await;
		println!("{}", origin.at);
		origins.push(origin);
	}
	let keys: Vec<(StreamId, PublicKey)> = origins
		.iter()
		.map(|origin| (origin.stream, origin.key.public()))
		.collect();
	let mut line = String::new();
	std::io::stdin().read_line(&mut line).unwrap();
	let (at, peer) = line.trim().rsplit_once("/p2p/").unwrap();
	let relayer = Address::new(at, &fixture::relayer_key().public()).unwrap();
	assert!(relayer.to_string().ends_with(peer));

	// Faster than it is played, until each part of the cache is full.
	let fills = CACHE / streams / WINDOW + 8;
	for _ in 0..fills {
		origins.iter_mut().for_each(|origin| origin.publish(WINDOW));
		sleep(EVERY / 20).await;
	}
	for _ in 0..3 {
		sleep(EVERY).await;
		println!("full");
	}
	println!("done");
	tokio::spawn(async move {
		let mut ticks = interval(EVERY);
		loop {
			ticks.tick().await;
			origins.iter_mut().for_each(|origin| origin.publish(WINDOW));
		}
	});
	let idlers = viewers * IDLE_OF_TEN / 10;
	let mut gaps = Vec::new();
	for idle in [0, idlers] {
		let mut watching = JoinSet::new();
		for number in 0..viewers {
			let ((stream, signing_key), relayer) = (keys[number % streams], relayer.clone());
			watching.spawn(async move {
				let mut viewer = Viewer::new(number as u16);
				viewer.tune(&relayer, stream, signing_key).await;
				if number < idle {
					while viewer.windows == 0 {
						assert_eq!(viewer.step().await, None);
					}
					sleep(Duration::from_secs(seconds as u64)).await;
					return Duration::ZERO;
				}
				watch(viewer, seconds).await
			});
		}
		for _ in 0..seconds {
			sleep(EVERY).await;
			println!("watched");
		}
		let ended = timeout(PATIENCE, watching.join_all()).await.unwrap();
		gaps.push(ended.into_iter().max().unwrap());
		println!("done");
	}
	gaps.iter().for_each(|gap| println!("{}", gap.as_millis()));
}

/// Watches so many windows, and pays; the longest time between two.
async fn watch(mut viewer: Viewer, windows: usize) -> Duration {
	assert_eq!(viewer.watch(1).await, None);
	let (mut longest, mut last) = (Duration::ZERO, Instant::now());
	for windows in 2..=windows {
		assert_eq!(viewer.watch(windows).await, None);
		longest = longest.max(last.elapsed());
		last = Instant::now();
	}
	viewer.leave().await;
	longest
}
