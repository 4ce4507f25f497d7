//! The store on a real disk that fills up and empties at any moment: a small tmpfs that is mounted here. Where that is not
//! allowed, nothing is tested and a line says so.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use clustercast_primitives::{
	receipt::Kind, AccountId, Hash, PublicKey, Signature, Signed, SignedVoucher, StreamId, Ticket, Voucher,
	WinningTicket,
};
use clustercast_relayer::store::{Error, Store};
use std::{
	fs::{self, File},
	io::Write,
	path::{Path, PathBuf},
	process::Command,
	sync::atomic::{AtomicBool, Ordering},
	time::{Duration, Instant},
};

const GENESIS: Hash = Hash([7; 32]);

/// Far longer than the store takes to open itself again.
const PATIENCE: Duration = Duration::from_secs(30);

/// A folder with a few megabytes.
struct Disk(tempfile::TempDir);

impl Disk {
	fn mount(megabytes: u32) -> Option<Self> {
		let dir = tempfile::tempdir().unwrap();
		let mounted = Command::new("mount")
			.args(["-t", "tmpfs", "-o", &format!("size={megabytes}m"), "tmpfs"])
			.arg(dir.path())
			.output();
		match mounted {
			Ok(output) if output.status.success() => Some(Self(dir)),
			_ => {
				println!("skipped: no tmpfs can be mounted here");
				None
			},
		}
	}

	fn store(&self) -> PathBuf {
		self.0.path().join("winners.redb")
	}

	/// Somebody else takes all the room there is.
	fn fill(&self) {
		let mut file = File::create(self.ballast()).unwrap();
		while file.write_all(&[1; 4_096]).is_ok() {}
	}

	fn empty(&self) {
		fs::remove_file(self.ballast()).unwrap();
	}

	fn ballast(&self) -> PathBuf {
		self.0.path().join("ballast")
	}
}

impl Drop for Disk {
	fn drop(&mut self) {
		let gone = Command::new("umount").arg(self.0.path()).status();
		assert!(gone.unwrap().success());
	}
}

fn winner(nonce: u64) -> WinningTicket {
	let message = Ticket {
		sender: AccountId([1; 32]),
		session: PublicKey([3; 32]),
		recipient: AccountId([2; 32]),
		stream: StreamId(3),
		kind: Kind::LIVE,
		context: Hash([0; 32]),
		bytes: 65_536,
		face_value: 10_000,
		win_probability: 1,
		commitment: Hash([3; 32]),
		nonce,
		expiry: 600,
	};
	WinningTicket {
		signed: Signed {
			message,
			signature: Signature([4; 64]),
		},
		rand: Hash([5; 32]),
	}
}

fn voucher(session: u64, amount: u128) -> SignedVoucher {
	let mut key = [9; 32];
	key[..8].copy_from_slice(&session.to_le_bytes());
	let message = Voucher {
		sender: AccountId([1; 32]),
		session: PublicKey(key),
		recipient: AccountId([2; 32]),
		stream: StreamId(3),
		kind: Kind::LIVE,
		context: Hash([0; 32]),
		terms: 0,
		amount,
		bytes: 65_536,
		expiry: 600,
	};
	Signed {
		message,
		signature: Signature([4; 64]),
	}
}

fn open(path: &Path) -> Store {
	Store::open(path, &GENESIS).unwrap()
}

/// Until there is room, and the store has noticed.
fn open_again(store: &Store) {
	let begun = Instant::now();
	while store.is_shut() {
		store.probe();
		assert!(begun.elapsed() < PATIENCE, "it stays shut");
		std::thread::sleep(Duration::from_millis(50));
	}
}

#[test]
fn nothing_that_was_acknowledged_is_lost_when_the_disk_fills_up_in_the_midst_of_a_winner() {
	let Some(disk) = Disk::mount(8) else { return };
	let store = open(&disk.store());
	let (done, mut failed, mut broken, mut acknowledged) = (AtomicBool::new(false), 0, 0, Vec::new());
	std::thread::scope(|scope| {
		scope.spawn(|| {
			while !done.load(Ordering::Relaxed) {
				disk.fill();
				disk.empty();
			}
		});
		let begun = Instant::now();
		let mut nonce = 0;
		// As many as leave room beside them.
		while nonce < 6_000 && begun.elapsed() < PATIENCE {
			match store.insert(&winner(nonce), nonce) {
				Ok(()) => acknowledged.push(nonce),
				// What failed was written nevertheless.
				Err(Error::NonceSpent) => assert!(store.has(&winner(nonce)).unwrap()),
				Err(error) => {
					assert!(error.is_of_the_disk(), "{error}");
					failed += 1;
					broken += u32::from(matches!(error, Error::Database(_)));
					std::thread::sleep(Duration::from_millis(1));
					continue;
				},
			}
			nonce += 1;
		}
		done.store(true, Ordering::Relaxed);
	});
	println!(
		"{} winners were stored, {failed} attempts failed, {broken} of them half-way",
		acknowledged.len()
	);
	assert!(
		failed > 0 && acknowledged.len() > 10,
		"{failed}, {}",
		acknowledged.len()
	);
	open_again(&store);
	store.insert(&winner(1 << 40), 0).unwrap();
	drop(store);
	let store = open(&disk.store());
	let mut left: Vec<u64> = store
		.winners()
		.unwrap()
		.iter()
		.map(|(_, w)| w.message().nonce)
		.collect();
	let stored = left.len();
	left.sort_unstable();
	left.dedup();
	assert_eq!(left.len(), stored, "each once");
	assert!(
		acknowledged.iter().all(|nonce| left.binary_search(nonce).is_ok()),
		"lost"
	);
}

#[test]
fn nothing_that_was_acknowledged_is_lost_when_there_is_no_room_for_all_of_many_vouchers() {
	let Some(disk) = Disk::mount(8) else { return };
	let store = open(&disk.store());
	let many = |amount| (0..1_000).map(|session| voucher(session, amount)).collect::<Vec<_>>();
	assert!(store.keep(&many(10), 0).unwrap().iter().all(|kept| *kept));
	// One transaction after the other, each of many pages, until one has no room.
	let more = |round: u64| {
		(0..9_000)
			.map(|n| voucher((round + 1) * 10_000 + n, 10))
			.collect::<Vec<_>>()
	};
	let (mut rounds, mut error) = (0, None);
	while error.is_none() {
		match store.keep(&more(rounds), 0) {
			Ok(_) => rounds += 1,
			Err(failed) => error = Some(failed),
		}
		assert!(rounds < 100, "it never fills up");
	}
	let error = error.unwrap();
	println!("after {rounds} transactions: {error}");
	assert!(
		matches!(error, Error::Database(_)) && store.is_shut(),
		"half-way: {error}"
	);
	drop(store);
	let store = open(&disk.store());
	let kept = store.owing().unwrap();
	assert!(kept.len() >= 1_000 && kept.iter().all(|(kept, _)| kept.newest.message.amount == 10));
}

#[test]
fn disk_that_fills_up_and_has_room_again_needs_no_restart() {
	let Some(disk) = Disk::mount(8) else { return };
	let store = open(&disk.store());
	store.insert(&winner(1), 0).unwrap();
	for round in 0..3 {
		disk.fill();
		store.probe();
		assert!(store.is_shut());
		assert!(store.insert(&winner(100 + round), 0).is_err());
		assert_eq!(
			store.winners().unwrap().len() as u64,
			1 + round,
			"it is read all the same"
		);
		disk.empty();
		open_again(&store);
		store.insert(&winner(200 + round), 0).unwrap();
	}
}
