//! A whole broadcast over QUIC, without a chain: served to anyone.

use super::*;
use crate::decoder;
use clustercast_network::Subscription;
use clustercast_primitives::{crypto::KeyPair, subscribe::Binding};
use clustercast_protocol::{viewer::Event, EncodedWindow, EndReason, Follow, Resume, ViewerConfig, ViewerSession};
use std::path::Path;

const STREAM: StreamId = StreamId(3);
const GENESIS: Hash = Hash([5; 32]);

fn key() -> KeyPair {
	KeyPair::from_seed([1; 32])
}

fn config(dir: &Path, input: Input) -> Config {
	Config {
		rpc: Vec::new(),
		stream: STREAM,
		signing_key: "unused".into(),
		listen: "/ip4/127.0.0.1/udp/0/quic-v1".parse().unwrap(),
		input,
		repeat: false,
		stream_key_file: None,
		ffmpeg: "ffmpeg".into(),
		state: dir.join("state"),
		record: Some(dir.join("record.mp4")),
		window_log: Some(dir.join("windows.jsonl")),
		pictures_per_part: None,
		seconds: None,
		open: true,
		max_relayers: 4,
		uplink: None,
		pinned: None,
		times: tier::Times::default(),
		check: None,
		metrics: None,
		cache_bytes: 8_000_000,
	}
}

async fn open(dir: &Path, input: decoder::Input, epoch: BlockNumber) -> Origin {
	let config = config(dir, Input::Own(input));
	let epochs: Epochs = Box::new(move || Box::pin(std::future::ready(Ok(epoch + 10))));
	Origin::open(config, key(), GENESIS, epoch, "Film".into(), None, epochs)
		.await
		.unwrap()
}

struct Relayer {
	subscription: Subscription,
	_node: Node,
}

impl Relayer {
	async fn subscribe(origin: &Address, resume: Option<Resume>) -> Self {
		let (node, _) = Node::start(&KeyPair::from_seed([2; 32]), Limits::default()).unwrap();
		let session = ViewerSession::new(ViewerConfig {
			genesis: GENESIS,
			stream: STREAM,
			track: 0,
			keys: key().public().into(),
			relayer_key: origin.peer(),
			relayer_account: None,
			binding: Binding::PeerKey(origin.peer().0),
			payment: None,
			head: 1_000,
			latest_start_ms: u64::MAX,
			resume,
			follow: Follow::Windows,
		});
		let stream = node.connect(origin).await.unwrap();
		Self {
			subscription: Subscription::new(stream, session, Duration::from_secs(20)),
			_node: node,
		}
	}

	/// The next window, verified; or how it ended.
	async fn next(&mut self) -> Result<EncodedWindow, EndReason> {
		loop {
			match self.subscription.next().await.unwrap() {
				Event::Window(window) => return Ok(window),
				Event::Ended(reason) => return Err(reason),
				_ => {},
			}
		}
	}
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn relayer_gets_every_window_to_the_last_one() {
	let dir = tempfile::tempdir().unwrap();
	let film = dir.path().join("film.mp4");
	let made = std::process::Command::new("ffmpeg")
		.args("-v error -f lavfi -i testsrc2=s=320x180:r=30:d=5 -f lavfi -i sine=d=5 -c:v libx264 -c:a aac".split(' '))
		.arg(&film)
		.status();
	assert!(made.unwrap().success());
	let origin = open(dir.path(), decoder::Input::File(film), 1).await;
	let address = origin.address().clone();
	assert_eq!(address.peer(), key().public(), "the signing key is the identity");
	let relayer = async {
		let mut relayer = Relayer::subscribe(&address, None).await;
		let mut windows = Vec::new();
		loop {
			match relayer.next().await {
				Ok(window) => windows.push(window),
				Err(reason) => return (windows, reason),
			}
		}
	};
	let (outcome, (windows, reason)) = tokio::join!(origin.run_until(std::future::pending()), relayer);
	outcome.unwrap();
	assert_eq!(reason, EndReason::Finished);
	// 5 s, and what a busy machine adds to the mixer's buffer.
	assert!((3..=4).contains(&windows.len()), "{}", windows.len());
	let written = windows
		.iter()
		.fold(windows[0].init().to_vec(), |all, w| [&all[..], &w.data()].concat());
	assert!(
		std::fs::read(dir.path().join("record.mp4")).unwrap() == written,
		"byte for byte what was published"
	);
	let log = std::fs::read_to_string(dir.path().join("windows.jsonl")).unwrap();
	assert_eq!(log.lines().count(), windows.len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn relayer_continues_over_a_restart_of_the_origin() {
	let dir = tempfile::tempdir().unwrap();
	let origin = open(dir.path(), decoder::Input::Test, 1).await;
	let address = origin.address().clone();
	let (stop, stopped) = oneshot::channel::<()>();
	let relayer = async {
		let mut relayer = Relayer::subscribe(&address, None).await;
		let mut last = relayer.next().await.unwrap();
		drop(stop);
		loop {
			match relayer.next().await {
				Ok(window) => {
					assert!(window.header().follows(&last.history_after()));
					last = window;
				},
				Err(reason) => return (last, reason),
			}
		}
	};
	let run = origin.run_until(async {
		let _ = stopped.await;
		Stop::Interrupted
	});
	let (outcome, (last, reason)) = tokio::join!(run, relayer);
	outcome.unwrap();
	assert_eq!(reason, EndReason::ShuttingDown);

	let origin = open(dir.path(), decoder::Input::Test, 2).await;
	let address = origin.address().clone();
	let (stop, stopped) = oneshot::channel::<()>();
	let relayer = async {
		let mut relayer = Relayer::subscribe(&address, Some(Resume::after(&last))).await;
		let mut next = relayer.next().await.unwrap();
		// On a busy machine first the one that was signed and not delivered.
		if next.id().epoch == last.id().epoch {
			next = relayer.next().await.unwrap();
		}
		drop(stop);
		next
	};
	let run = origin.run_until(async {
		let _ = stopped.await;
		Stop::Over
	});
	let (outcome, next) = tokio::join!(run, relayer);
	outcome.unwrap();
	assert_eq!((next.id().epoch, next.header().number), (2, 0));
	assert!((1..=2).contains(&(next.id().segment - last.id().segment)));
	assert_eq!(next.init(), last.init());
}

/// The fault: an origin whose key was stolen, and replaced, went on for ever, and what it signed was paid.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn origin_whose_key_was_replaced_ends_with_a_sentence_and_without_a_last_word() {
	let dir = tempfile::tempdir().unwrap();
	let origin = open(dir.path(), decoder::Input::Test, 1).await;
	let address = origin.address().clone();
	let info = crate::reign::tests::named;
	let named = watch::Sender::new(Some(info(key().public())));
	let reign = replaced(Reign::new(STREAM, key().public()), named.subscribe());
	let relayer = async {
		let mut relayer = Relayer::subscribe(&address, None).await;
		relayer.next().await.unwrap();
		named.send_replace(Some(info(KeyPair::from_seed([9; 32]).public())));
		loop {
			if let Err(reason) = relayer.next().await {
				return reason;
			}
		}
	};
	let run = origin.run_until(async { Stop::Replaced(reign.await) });
	let (outcome, reason) = tokio::join!(run, relayer);
	assert_eq!(reason, EndReason::ShuttingDown, "not that the broadcast is over");
	let said = outcome.unwrap_err().to_string();
	assert!(said.contains("not by this origin's key any more"), "{said}");
}

#[tokio::test]
async fn second_origin_with_the_same_state_does_not_start() {
	let dir = tempfile::tempdir().unwrap();
	let origin = open(dir.path(), decoder::Input::Test, 1).await;
	let identity = Identity {
		stream: STREAM,
		key: key(),
		genesis: GENESIS,
		title: Text::default(),
	};
	let again = Signer::open(&dir.path().join("state"), identity, 2, 0);
	assert!(again.unwrap_err().to_string().contains("in use by another process"));
	drop(origin);
}

/// The fault: an origin whose clock was two minutes ahead as it began, and was then set right, was refused for an hour.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clock_that_is_set_back_begins_another_epoch_of_which_nobody_refuses_a_window() {
	use std::sync::atomic::{AtomicU64, Ordering};
	static AHEAD_MS: AtomicU64 = AtomicU64::new(120_000);
	fn system() -> Duration {
		Duration::from_millis(unix_ms() + AHEAD_MS.load(Ordering::Relaxed))
	}
	let dir = tempfile::tempdir().unwrap();
	let mut origin = open(dir.path(), decoder::Input::Test, 1).await;
	origin.studio = origin.studio.with_clock(system);
	let address = origin.address().clone();
	let (stop, stopped) = oneshot::channel::<()>();
	let relayer = async {
		let mut relayer = Relayer::subscribe(&address, None).await;
		let mut last = relayer.next().await.unwrap();
		assert!(last.header().start_ms > unix_ms() + 60_000, "it is wrong at first");
		AHEAD_MS.store(0, Ordering::Relaxed);
		loop {
			let next = relayer.next().await.unwrap();
			if next.id().epoch != last.id().epoch {
				drop(stop);
				return (last, next);
			}
			last = next;
		}
	};
	let run = origin.run_until(async {
		let _ = stopped.await;
		Stop::Over
	});
	let (outcome, (last, next)) = tokio::join!(run, relayer);
	outcome.unwrap();
	assert!(next.header().start_ms <= unix_ms());
	assert_eq!((next.id().epoch, next.header().number), (11, 0));
	assert_eq!(next.id().segment, last.id().segment + 1, "none is lost");
	assert!(next.header().has(clustercast_primitives::window::flags::DISCONTINUITY));
	assert_eq!(next.catalog().catalog.title.as_str(), "Film");
}

#[tokio::test]
async fn what_cannot_be_meant_is_refused_before_anything_is_made() {
	let dir = tempfile::tempdir().unwrap();
	let refusal = async |config| match Origin::load(config).await {
		Ok(_) => panic!("it starts"),
		Err(error) => error.to_string(),
	};
	for input in ["rtmp://127.0.0.1:0/live", "test", "device:/dev/video0"] {
		let repeated = Config {
			repeat: true,
			..config(dir.path(), input.parse().unwrap())
		};
		assert_eq!(refusal(repeated).await, "--repeat is for files");
	}
	let key = dir.path().join("wrong.key");
	let mistyped = Config {
		signing_key: key.clone(),
		..config(dir.path(), "test".parse().unwrap())
	};
	let error = refusal(mistyped).await;
	assert_eq!(
		error,
		format!("there is no file {}: name the one that mint was given", key.display())
	);
	assert_eq!(std::fs::read_dir(&dir).unwrap().count(), 0);
}

#[test]
fn account_that_checks_is_named_once() {
	let of = |secrets: &[&str]| {
		let secrets: Vec<String> = secrets.iter().map(|&secret| secret.into()).collect();
		wallets(&secrets).map(|wallets| wallets.len())
	};
	assert_eq!(of(&["//Eve", "//Ferdie"]).unwrap(), 2);
	let twice = of(&["//Eve", "//Ferdie", "//Eve"]).unwrap_err().to_string();
	assert!(
		twice.starts_with("--check-account names ") && twice.ends_with(" twice"),
		"{twice}"
	);
}
