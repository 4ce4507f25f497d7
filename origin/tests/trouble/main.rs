//! Random publishers with every fault, real in all but their faces: H.264 and AAC over RTMP into door, decoders, mixer, encoders;
//! what comes out is decoded and held against what was sent. In real time, so few of them here; before a release
//!
//! ```text
//! TROUBLE_FILMS=0..10 TROUBLE_SECONDS=60 TROUBLE_RESULTS=FILE cargo test --release -p clustercast-origin --test trouble
//! ```
//!
//! plays two at a time (`TROUBLE_AT_ONCE`), writes a line for each into the file, and begins again with those that have none.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]
#![allow(clippy::disallowed_methods, reason = "tests start what makes and reads films")]

mod film;
mod judge;
mod pusher;

use clustercast_origin::{
	door::{Address, Found, Lock, Place},
	encoder::Window,
	studio::{Config, Input, Studio},
};
use clustercast_testing::trouble::Trouble;
use std::{
	collections::VecDeque,
	env, fs,
	io::Write,
	net::TcpListener,
	panic::{catch_unwind, AssertUnwindSafe},
	path::Path,
	sync::{Arc, Mutex},
	thread,
	time::Duration,
};
use tokio::time::{sleep_until, Instant};

/// After the last publisher, s: what is on its way comes out.
const REST: f64 = 1.5;

fn setting(name: &str, default: &str) -> String {
	env::var(name).unwrap_or_else(|_| default.into())
}

#[test]
fn no_trouble_breaks_a_window_or_parts_sound_from_picture() {
	let films = setting("TROUBLE_FILMS", "0..1");
	let (from, to) = films.split_once("..").unwrap();
	let films = from.parse().unwrap()..to.parse::<u64>().unwrap();
	let seconds = setting("TROUBLE_SECONDS", "12").parse().unwrap();
	let results = env::var("TROUBLE_RESULTS").ok();
	let known = results.as_ref().and_then(|path| fs::read_to_string(path).ok());
	let known = known.unwrap_or_default();
	let is_known = |film: &u64| {
		known
			.lines()
			.any(|line| line.starts_with(&format!("film {film}: passed")))
	};
	let waiting: VecDeque<u64> = films.filter(|film| !is_known(film)).collect();
	let waiting = Arc::new(Mutex::new(waiting));
	let failed = Arc::new(Mutex::new(Vec::new()));
	let workers: Vec<_> = (0..setting("TROUBLE_AT_ONCE", "2").parse().unwrap())
		.map(|_| {
			let (waiting, failed, results) = (waiting.clone(), failed.clone(), results.clone());
			thread::spawn(move || loop {
				let Some(seed) = waiting.lock().unwrap().pop_front() else {
					return;
				};
				let played = catch_unwind(AssertUnwindSafe(|| play(seed, seconds)));
				let line = match &played {
					Ok(verdict) => format!("film {seed}: passed, {seconds} s, {verdict}"),
					Err(_) => format!("film {seed}: failed"),
				};
				println!("{line}");
				if played.is_err() {
					failed.lock().unwrap().push(seed);
				}
				if let Some(path) = &results {
					let file = fs::OpenOptions::new().create(true).append(true).open(path);
					writeln!(file.unwrap(), "{line}").unwrap();
				}
			})
		})
		.collect();
	for worker in workers {
		worker.join().unwrap();
	}
	assert!(failed.lock().unwrap().is_empty(), "films {failed:?}");
}

/// One of them, from its publishers to the judgement.
fn play(seed: u64, length: f64) -> judge::Verdict {
	let mut trouble = Trouble::new(seed, length);
	for publisher in &mut trouble.publishers {
		publisher.to = publisher.to.min(length);
	}
	let films: Vec<_> = film::all(seed, &mut trouble.publishers);
	let dir = tempfile::tempdir().unwrap();
	let runtime = tokio::runtime::Builder::new_current_thread()
		.enable_all()
		.build()
		.unwrap();
	let windows = runtime.block_on(broadcast(&trouble, &films, length));
	// To be looked at.
	if let Ok(kept) = env::var("TROUBLE_KEEP") {
		fs::create_dir_all(&kept).unwrap();
		return judge::judge(
			&windows,
			&trouble,
			length,
			&Path::new(&kept).join(format!("{seed}.mp4")),
		);
	}
	judge::judge(&windows, &trouble, length, &dir.path().join("record.mp4"))
}

async fn broadcast(trouble: &Trouble, films: &[film::Film], length: f64) -> Vec<Window> {
	// Free when it was looked for.
	let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
	let found = Found {
		key: pusher::KEY.parse().unwrap(),
		place: Place::Address,
		made: false,
	};
	let address: Address = format!("rtmp://127.0.0.1:{port}/{}", pusher::APP).parse().unwrap();
	let mut studio = Studio::open(Config {
		ffmpeg: "ffmpeg".into(),
		lock: Some(Lock::new(&address.app, &found)),
		input: Input::Door(address),
		repeat: false,
		title: "Trouble".into(),
		continues: None,
		pictures_per_part: clustercast_media::picture::PICTURES_PER_SEGMENT,
	})
	.await
	.unwrap();
	let begins = Instant::now();
	let at = |seconds: f64| begins + Duration::from_secs_f64(seconds);
	let end = at(length + REST);
	let pushers: Vec<_> = films
		.iter()
		.map(|film| pusher::spawn(film.clone(), port, begins.into_std(), end.into_std(), trouble.vanish))
		.collect();
	let mut stops: VecDeque<_> = trouble.stops.iter().copied().collect();
	let mut windows = Vec::new();
	let mut finished = false;
	loop {
		let stop = stops.front().map_or(end, |stop| at(stop.0));
		tokio::select! {
			window = studio.next() => match window.unwrap() {
				Some(window) => windows.push(window),
				None => break,
			},
			// The whole program stands still: nothing else runs on this thread.
			() = sleep_until(stop), if !stops.is_empty() => {
				let stop = stops.pop_front().unwrap();
				thread::sleep(at(stop.1).saturating_duration_since(Instant::now()));
			},
			() = sleep_until(end), if !finished => {
				finished = true;
				studio.finish();
			},
		}
	}
	for pusher in pushers {
		pusher.join().unwrap();
	}
	windows
}
