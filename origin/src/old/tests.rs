//! Real FFmpeg processes: they run, die, are pushed to, hang, and are gone in the end.

use super::*;
use crate::signer::{Identity, Signer};
use clustercast_primitives::{crypto::KeyPair, window::flags, Hash, StreamId};
use clustercast_protocol::EncodedWindow;
use nix::{
	sys::signal::{kill, Signal},
	unistd::Pid,
};
use std::{collections::HashSet, path::Path, process::Child};

fn config(input: Input) -> Config {
	Config {
		input,
		repeat: false,
		ffmpeg: "ffmpeg".into(),
	}
}

fn pid(encoder: &Encoder) -> Pid {
	match &encoder.state {
		State::Running(process) => process.pid(),
		other => panic!("{other:?}"),
	}
}

fn alive(pid: Pid) -> bool {
	kill(pid, None).is_ok()
}

/// A port that nobody uses.
fn free_port() -> u16 {
	std::net::TcpListener::bind("127.0.0.1:0")
		.unwrap()
		.local_addr()
		.unwrap()
		.port()
}

/// An FFmpeg of another person.
struct Publisher(Child);

impl Publisher {
	/// Pushes a picture and a tone of its own kind, as OBS would.
	fn push(port: u16, key: &str) -> Self {
		let args =
			"-hide_banner -loglevel error -nostdin -re -f lavfi -i testsrc=size=640x480:rate=25 -re -f lavfi -i sine \
			-c:v libx264 -preset ultrafast -tune zerolatency -pix_fmt yuv420p -g 25 -c:a aac -f flv";
		let child = Command::new("ffmpeg")
			.args(args.split_whitespace())
			.arg(format!("rtmp://127.0.0.1:{port}/live/{key}"))
			.stderr(Stdio::null())
			.spawn()
			.unwrap();
		Self(child)
	}

	/// Tries until FFmpeg listens: it says nothing when it does.
	async fn push_until_accepted(port: u16, key: &str, encoder: &mut Encoder) -> (Self, Window) {
		loop {
			let mut publisher = Self::push(port, key);
			loop {
				tokio::select! {
					window = encoder.next() => return (publisher, window.unwrap().unwrap()),
					() = tokio::time::sleep(Duration::from_millis(100)) => {
						if publisher.0.try_wait().unwrap().is_some() {
							break;
						}
					},
				}
			}
		}
	}
}

impl Drop for Publisher {
	fn drop(&mut self) {
		let _ = self.0.kill();
		let _ = self.0.wait();
	}
}

#[tokio::test]
async fn killed_encoder_is_started_again_and_the_chain_goes_on() {
	let dir = tempfile::tempdir().unwrap();
	let (key, genesis) = (KeyPair::from_seed([1; 32]), Hash([2; 32]));
	let identity = Identity {
		stream: StreamId(1),
		key: key.clone(),
		genesis,
	};
	let mut signer = Signer::open(dir.path(), identity, 1, 0).unwrap();
	let mut encoder = Encoder::new(config(Input::Test), signer.continues());
	let mut signed: Vec<(MediaTime, EncodedWindow)> = Vec::new();
	let restarts = |signed: &[(MediaTime, EncodedWindow)]| {
		let restarted = signed.iter().filter(|(_, w)| w.header().has(flags::DISCONTINUITY));
		restarted.map(|(_, w)| w.id().segment).collect::<Vec<_>>()
	};
	while restarts(&signed).last().is_none_or(|at| at + 2 > signed.len() as u64) {
		let window = encoder.next().await.unwrap().unwrap();
		assert_eq!(window.duration_ms, 2_000);
		let late = unix_ms() - window.start_ms;
		assert!((2_000..20_000).contains(&late), "captured {late} ms ago");
		signed.push((window.end, signer.sign(&window).unwrap()));
		if signed.len() == 2 {
			kill(pid(&encoder), Signal::SIGKILL).unwrap();
		}
	}
	assert_eq!(restarts(&signed).len(), 1);
	assert!(signed
		.iter()
		.all(|(_, w)| w.header().has(flags::INDEPENDENT) && w.header().has(flags::LAST_PART)));
	for (number, pair) in signed.windows(2).enumerate() {
		let [(end, before), (next_end, next)] = pair else {
			unreachable!()
		};
		next.signed_header().check(&key.public(), &genesis).unwrap();
		assert!(next.header().follows(&before.history_after()));
		assert_eq!(next.id().segment, number as u64 + 1);
		assert_eq!(next.init(), before.init());
		assert!(next_end.since(*end) >= 59, "the timeline goes on");
	}
}

#[tokio::test]
async fn dropped_encoder_leaves_no_process() {
	let mut encoder = Encoder::new(config(Input::Test), None);
	encoder.next().await.unwrap().unwrap();
	let process = pid(&encoder);
	drop(encoder);
	// Killed now, and reaped by the runtime in a moment.
	while alive(process) {
		tokio::time::sleep(Duration::from_millis(10)).await;
	}
}

#[tokio::test]
async fn finish_hands_over_what_was_encoded_and_leaves_no_process() {
	let mut encoder = Encoder::new(config(Input::Test), None);
	encoder.next().await.unwrap().unwrap();
	tokio::time::sleep(Duration::from_millis(600)).await;
	let process = pid(&encoder);
	encoder.finish();
	let mut rest = 0;
	while let Some(window) = encoder.next().await.unwrap() {
		rest += window.duration_ms;
	}
	assert!(rest >= 300, "{rest} ms");
	assert!(!alive(process));
	assert!(encoder.next().await.unwrap().is_none());
}

#[tokio::test]
async fn file_is_played_to_its_end_or_again_and_again() {
	let dir = tempfile::tempdir().unwrap();
	let film = dir.path().join("a: film.mp4");
	std::fs::write(&film, &*crate::old::testing::SAMPLE).unwrap();
	let input = Input::File(film);
	config(input.clone()).check().unwrap();

	let mut encoder = Encoder::new(config(input.clone()), None);
	let mut durations = Vec::new();
	while let Some(window) = encoder.next().await.unwrap() {
		durations.push(window.duration_ms);
	}
	assert_eq!(durations[..2], [2_000, 2_000]);
	assert_eq!(durations.len(), 3);

	let mut encoder = Encoder::new(
		Config {
			repeat: true,
			..config(input)
		},
		None,
	);
	for _ in 0..4 {
		let window = encoder.next().await.unwrap().unwrap();
		assert_eq!((window.duration_ms, window.discontinuity), (2_000, false));
	}
}

#[tokio::test]
async fn publisher_may_leave_and_come_back() {
	let port = free_port();
	let input: Input = format!("rtmp://127.0.0.1:{port}/live/secret").parse().unwrap();
	config(input.clone()).check().unwrap();
	let mut encoder = Encoder::new(config(input), None);
	let (publisher, first) = Publisher::push_until_accepted(port, "secret", &mut encoder).await;
	assert_eq!((first.duration_ms, first.discontinuity), (2_000, false));
	assert!(!encoder.next().await.unwrap().unwrap().discontinuity);
	drop(publisher);
	let mut last = first;
	let (_publisher, back) = loop {
		let (publisher, window) = Publisher::push_until_accepted(port, "secret", &mut encoder).await;
		if window.discontinuity {
			break (publisher, window);
		}
		last = window;
	};
	assert_eq!(back.init, last.init);
	assert!(back.end > last.end);
}

#[tokio::test]
async fn publisher_with_a_wrong_stream_key_is_refused() {
	let port = free_port();
	let input: Input = format!("rtmp://127.0.0.1:{port}/live/secret").parse().unwrap();
	let mut encoder = Encoder::new(config(input), None);
	let mut intruder = Publisher::push(port, "guess");
	// Thrown out, so that another encoder listens: a second time too.
	let mut listeners = HashSet::new();
	while listeners.len() < 3 {
		tokio::select! {
			_ = encoder.next() => panic!("a window of an intruder"),
			() = tokio::time::sleep(Duration::from_millis(100)) => {
				if let State::Running(process) = &encoder.state {
					listeners.insert(process.pid());
				}
				if intruder.0.try_wait().unwrap().is_some() {
					intruder = Publisher::push(port, "guess");
				}
			},
		}
	}
	drop(intruder);
	Publisher::push_until_accepted(port, "secret", &mut encoder).await;
}

#[tokio::test]
async fn encoder_that_hangs_is_replaced() {
	let mut encoder = Encoder::new(config(Input::Test), None);
	encoder.next().await.unwrap().unwrap();
	let hung = pid(&encoder);
	kill(hung, Signal::SIGSTOP).unwrap();
	let window = loop {
		let window = encoder.next().await.unwrap().unwrap();
		if window.discontinuity {
			break window;
		}
	};
	assert_eq!(window.duration_ms, 2_000);
	assert!(!alive(hung));
}

#[tokio::test]
async fn finish_ends_an_encoder_that_waits_or_hangs() {
	let port = free_port();
	let input: Input = format!("rtmp://127.0.0.1:{port}/live/key").parse().unwrap();
	let mut waiting = Encoder::new(config(input), None);
	assert!(timeout_at(Instant::now() + Duration::from_millis(500), waiting.next())
		.await
		.is_err());
	let process = pid(&waiting);
	waiting.finish();
	assert!(waiting.next().await.unwrap().is_none());
	assert!(!alive(process));

	let mut hanging = Encoder::new(config(Input::Test), None);
	hanging.next().await.unwrap().unwrap();
	let process = pid(&hanging);
	kill(process, Signal::SIGSTOP).unwrap();
	hanging.finish();
	assert!(hanging.next().await.unwrap().is_none());
	assert!(!alive(process));
}

#[tokio::test]
async fn what_cannot_work_is_said_at_once() {
	let message = |config: &Config| config.check().unwrap_err().to_string();
	let missing = Config {
		ffmpeg: "no-such-ffmpeg".into(),
		..config(Input::Test)
	};
	assert!(message(&missing).starts_with("no-such-ffmpeg not found: install FFmpeg"));
	assert!(matches!(
		Encoder::new(missing, None).next().await,
		Err(EncoderError::NotInstalled(_))
	));

	assert!(message(&config(Input::File("no/such/film.mp4".into()))).starts_with("input no/such/film.mp4: "));
	assert!(message(&config(Input::File("/".into()))).starts_with("input /: "));
	assert!(message(&config(Input::Device("/dev/no-video".into()))).starts_with("input /dev/no-video: "));

	let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
	let port = taken.local_addr().unwrap().port();
	let input = format!("rtmp://127.0.0.1:{port}/live/key").parse().unwrap();
	assert!(message(&config(input)).starts_with(&format!("cannot listen on 127.0.0.1:{port}: ")));

	let dir = tempfile::tempdir().unwrap();
	let text: &Path = &dir.path().join("text.mp4");
	std::fs::write(text, "not a film").unwrap();
	let mut encoder = Encoder::new(config(Input::File(text.into())), None);
	let Err(EncoderError::Failed(reason)) = encoder.next().await else {
		panic!("it plays")
	};
	assert!(reason.contains("Invalid data"), "{reason}");
}

#[test]
fn encoder_dies_with_the_thread_that_owns_it() {
	let process = std::thread::spawn(|| {
		let runtime = tokio::runtime::Builder::new_current_thread()
			.enable_all()
			.build()
			.unwrap();
		let mut encoder = Encoder::new(config(Input::Test), None);
		runtime.block_on(encoder.next()).unwrap().unwrap();
		let process = pid(&encoder);
		// As kill -9 does: nothing of ours is run any more.
		std::mem::forget(encoder);
		process
	})
	.join()
	.unwrap();
	let status = nix::sys::wait::waitpid(process, None).unwrap();
	assert!(
		matches!(status, nix::sys::wait::WaitStatus::Signaled(_, Signal::SIGKILL, _)),
		"{status:?}"
	);
}
