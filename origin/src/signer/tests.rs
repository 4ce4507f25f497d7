//! The chain holds over crashes; what does not belong to it is refused.

use super::*;
use crate::testing::windows;
use std::{fs, io::Write};

const STREAM: StreamId = StreamId(7);
const GENESIS: Hash = Hash([9; 32]);

fn key() -> KeyPair {
	KeyPair::from_seed([1; 32])
}

/// Tenths of a second: the first segment of a stream that knows of none before.
const FIRST: u64 = 17_000_000_000;

fn identity() -> Identity {
	Identity {
		stream: STREAM,
		key: key(),
		genesis: GENESIS,
		title: Text::try_from("Harbour").unwrap(),
	}
}

fn open_as(dir: &Path, identity: Identity, epoch: u32) -> Result<Signer, SignerError> {
	Signer::open(dir, identity, epoch, FIRST * MS_PER_SEGMENT + 99)
}

fn open(dir: &Path, epoch: u32) -> Result<Signer, SignerError> {
	open_as(dir, identity(), epoch)
}

#[test]
fn windows_of_a_run_follow_each_other() {
	let dir = tempfile::tempdir().unwrap();
	let mut signer = open(dir.path(), 5).unwrap();
	let signed: Vec<_> = windows().iter().map(|window| signer.sign(window).unwrap()).collect();
	for (number, window) in signed.iter().enumerate() {
		window.signed_header().check(&key().public(), &GENESIS).unwrap();
		assert_eq!((window.id().epoch, window.id().part), (5, 0));
		assert_eq!(window.id().segment, FIRST + number as u64);
		assert_eq!(window.header().number, number as u64);
	}
	assert!(signed
		.windows(2)
		.all(|pair| pair[1].header().follows(&pair[0].history_after())));
	assert_eq!(signed[2].header().duration_ms, 2_000);
	assert_eq!(signed[2].header().flags, flags::LAST_PART | flags::INDEPENDENT);
	let status = signer.status(State::Live, 1).status.message;
	assert_eq!(status.after, Hash([0; 32]), "nothing was before");
}

#[test]
fn each_run_is_an_epoch_whose_status_names_the_end_of_the_one_before() {
	let dir = tempfile::tempdir().unwrap();
	let (mut last, mut ended) = (None::<EncodedWindow>, None::<SignedStatus>);
	for (run, window) in windows().iter().enumerate() {
		let mut signer = open(dir.path(), 10 + run as u32).unwrap();
		assert_eq!(signer.last().map(|w| w.hash()), last.as_ref().map(|w| w.hash()));
		assert_eq!(signer.ended(), ended.as_ref(), "after a crash the same end is signed");
		let signed = signer.sign(window).unwrap();
		assert_eq!((signed.id().segment, signed.header().number), (FIRST + run as u64, 0));
		let after = ended.map_or(Hash([0; 32]), |ended| ended.status.message.hash());
		assert_eq!(signer.status(State::Live, 1).status.message.after, after);
		let end = signer.end();
		assert_eq!(
			(end.status.message.state, end.tracks[0].last),
			(State::Ended, signed.hash())
		);
		(last, ended) = (Some(signed), Some(end));
	}
}

/// The attack on oneself: a broadcaster whose disk is gone signs other windows. Their places are others, in a later
/// epoch. With the numbers that a run would have without one, segment 0 would be signed a second time.
#[test]
fn run_that_lost_its_state_signs_no_place_twice() {
	let sign = |epoch, from: usize| {
		let dir = tempfile::tempdir().unwrap();
		let mut signer = open(dir.path(), epoch).unwrap();
		windows()[from..]
			.iter()
			.map(|window| signer.sign(window).unwrap())
			.collect::<Vec<_>>()
	};
	let (before, after) = (sign(5, 0), sign(6, 1));
	assert!(before.iter().all(|one| after.iter().all(|other| one.id() < other.id())));
	let without_epoch = |w: &EncodedWindow| (w.header().number, w.hash());
	let (one, other) = (without_epoch(&before[0]), without_epoch(&after[0]));
	assert!(
		one.0 == other.0 && one.1 != other.1,
		"the same number, and another window"
	);
	// And an epoch that was used is not begun again.
	let dir = tempfile::tempdir().unwrap();
	open(dir.path(), 6).unwrap().sign(&windows()[0]).unwrap();
	for epoch in [5, 6] {
		let error = open(dir.path(), epoch).unwrap_err();
		assert!(matches!(error, SignerError::EpochUsed { last: 6, .. }), "{error}");
	}
	assert!(open(dir.path(), 7).is_ok());
}

#[test]
fn another_epoch_of_a_run_goes_on_behind_the_newest_window() {
	let dir = tempfile::tempdir().unwrap();
	let mut signer = open(dir.path(), 5).unwrap();
	let before = signer.sign(&windows()[0]).unwrap();
	let end = signer.end();
	for used in [4, 5] {
		assert!(matches!(
			signer.begin_epoch(used),
			Err(SignerError::EpochUsed { last: 5, .. })
		));
	}
	signer.begin_epoch(9).unwrap();
	assert_eq!(signer.ended(), Some(&end));
	let status = signer.status(State::Live, 1).status.message;
	assert_eq!((status.epoch, status.after), (9, end.status.message.hash()));
	// Not a single window: of it there is nothing to say.
	signer.begin_epoch(12).unwrap();
	assert_eq!(signer.ended(), Some(&end));
	let next = signer.sign(&windows()[1]).unwrap();
	assert_eq!((next.id().epoch, next.header().number), (12, 0));
	assert_eq!(next.id().segment, before.id().segment + 1);
	assert!(next.header().has(flags::DISCONTINUITY));
	assert!(!signer.sign(&windows()[2]).unwrap().header().has(flags::DISCONTINUITY));
	let ended = signer.end();
	drop(signer);
	assert_eq!(
		open(dir.path(), 13).unwrap().ended(),
		Some(&ended),
		"and a restart behind that"
	);
}

#[test]
fn title_of_the_stream_key_reaches_viewers_in_every_epoch() {
	let dir = tempfile::tempdir().unwrap();
	let mut signer = open(dir.path(), 5).unwrap();
	let first = signer.sign(&windows()[0]).unwrap();
	signer.begin_epoch(6).unwrap();
	let second = signer.sign(&windows()[1]).unwrap();
	for window in [first, second] {
		assert_eq!(window.catalog().catalog.title.as_str(), "Harbour");
	}
}

#[test]
fn header_says_what_the_encoder_said() {
	let dir = tempfile::tempdir().unwrap();
	let mut window = windows().remove(0);
	(window.discontinuity, window.independent) = (true, false);
	let signed = open(dir.path(), 1).unwrap().sign(&window).unwrap();
	let header = signed.header();
	assert_eq!(header.flags, flags::LAST_PART | flags::DISCONTINUITY);
	assert_eq!((header.start_ms, header.duration_ms), (window.start_ms, 2_000));
	assert_eq!((header.id.stream, header.id.track), (STREAM, 0));
	assert_eq!(signed.data(), window.data);
	assert_eq!(signed.init(), &window.init.segment);
	let track = &signed.catalog().catalog.tracks[0];
	assert_eq!(track.codecs.as_str(), window.init.codecs);
	assert_eq!(
		(track.width, track.height, track.rate, track.timescale),
		(854, 480, 30_000, 30_000)
	);
}

#[test]
fn window_signed_but_not_published_is_served_again_unchanged() {
	let dir = tempfile::tempdir().unwrap();
	let window = &windows()[0];
	let signed = open(dir.path(), 1).unwrap().sign(window).unwrap();
	// Killed here: nobody has seen it.
	let signer = open(dir.path(), 2).unwrap();
	let again = signer.last().unwrap();
	assert_eq!(again.signed_header(), signed.signed_header());
	assert_eq!(again.announcement(true), signed.announcement(true));
	assert_eq!(again.data(), signed.data());
	assert_eq!(again.init(), signed.init());
	assert_eq!(signer.continues(), Some(window.end));
}

#[test]
fn nothing_is_signed_that_is_not_on_disk() {
	let dir = tempfile::tempdir().unwrap();
	let mut signer = open(dir.path(), 1).unwrap();
	let (first, second) = (&windows()[0], &windows()[1]);
	signer.sign(first).unwrap();
	fs::remove_dir_all(dir.path()).unwrap();
	fs::write(dir.path(), "in the way").unwrap();
	assert!(matches!(signer.sign(second), Err(SignerError::File { .. })));
	fs::remove_file(dir.path()).unwrap();
	assert_eq!(
		signer.sign(second).unwrap().id().segment,
		FIRST + 1,
		"its place is still free"
	);
}

/// A disk on which nothing can be written.
fn full(_: &Path, _: &[u8]) -> io::Result<()> {
	Err(io::ErrorKind::StorageFull.into())
}

#[test]
fn full_disk_keeps_no_older_window_than_was_published() {
	let dir = tempfile::tempdir().unwrap();
	let [first, second, third] = &windows()[..] else {
		panic!()
	};
	let mut signer = open(dir.path(), 1).unwrap();
	let signed = signer.sign(first).unwrap();
	signer.disk.write = full;
	let next = signer.sign(second).unwrap();
	assert!(next.header().follows(&signed.history_after()), "the broadcast goes on");
	assert!(!next.header().has(flags::DISCONTINUITY));
	assert!(
		!signer.path.exists(),
		"an older one would be taken for the end of this epoch"
	);
	drop(signer);
	let mut again = open(dir.path(), 2).unwrap();
	assert!(again.last().is_none() && again.continues().is_none());
	assert_eq!(
		again.sign(third).unwrap().id().segment,
		FIRST,
		"as one that lost its disk"
	);
}

#[test]
fn window_is_kept_again_when_there_is_room() {
	let dir = tempfile::tempdir().unwrap();
	let windows = windows();
	let mut signer = open(dir.path(), 1).unwrap();
	signer.disk.write = full;
	signer.sign(&windows[0]).unwrap();
	signer.disk.write = files::write_atomic;
	let last = signer.sign(&windows[1]).unwrap();
	drop(signer);
	assert_eq!(open(dir.path(), 2).unwrap().last().unwrap().hash(), last.hash());
}

#[test]
fn older_window_leaves_its_room_to_the_newer_one() {
	/// Room for one window.
	fn small(path: &Path, content: &[u8]) -> io::Result<()> {
		match path.exists() {
			true => full(path, content),
			false => files::write_atomic(path, content),
		}
	}
	let dir = tempfile::tempdir().unwrap();
	let mut signer = open(dir.path(), 1).unwrap();
	signer.disk.write = small;
	let last = windows()
		.iter()
		.map(|window| signer.sign(window).unwrap())
		.last()
		.unwrap();
	assert!(signer.kept);
	drop(signer);
	assert_eq!(open(dir.path(), 2).unwrap().last().unwrap().hash(), last.hash());
}

#[test]
fn window_is_held_back_where_an_older_one_cannot_be_removed() {
	let dir = tempfile::tempdir().unwrap();
	let [first, second, third] = &windows()[..] else {
		panic!()
	};
	let mut signer = open(dir.path(), 1).unwrap();
	let signed = signer.sign(first).unwrap();
	signer.disk = Disk {
		write: full,
		remove: |_| Err(io::ErrorKind::ReadOnlyFilesystem.into()),
		..DISK
	};
	let error = signer.sign(second).unwrap_err();
	assert!(matches!(&error, SignerError::File { error, .. } if error.kind() == io::ErrorKind::ReadOnlyFilesystem));
	assert_eq!(signer.last().unwrap().hash(), signed.hash());
	signer.disk = DISK;
	let next = signer.sign(third).unwrap();
	assert_eq!(next.id().segment, FIRST + 1, "in its place");
	assert!(next.header().has(flags::DISCONTINUITY));
}

#[test]
fn state_of_another_stream_key_or_chain_is_refused() {
	let dir = tempfile::tempdir().unwrap();
	open(dir.path(), 1).unwrap().sign(&windows()[0]).unwrap();
	let foreign = |change: fn(&mut Identity)| {
		let mut identity = identity();
		change(&mut identity);
		matches!(open_as(dir.path(), identity, 2), Err(SignerError::Foreign(_)))
	};
	assert!(foreign(|i| i.key = KeyPair::from_seed([2; 32])));
	assert!(foreign(|i| i.genesis = Hash([8; 32])));
	let name = |stream| dir.path().join(format!("stream-{stream}.window"));
	fs::copy(name(7), name(8)).unwrap();
	assert!(foreign(|i| i.stream = StreamId(8)));
	assert!(open(dir.path(), 2).is_ok());
}

#[test]
fn damaged_state_is_refused_and_never_begun_anew() {
	let dir = tempfile::tempdir().unwrap();
	open(dir.path(), 1).unwrap().sign(&windows()[0]).unwrap();
	let path = dir.path().join("stream-7.window");
	let good = fs::read(&path).unwrap();
	let longer = [&good[..], &[0]].concat();
	let mut flipped = good.clone();
	*flipped.last_mut().unwrap() ^= 1;
	let mut other_time = good.clone();
	let media_time = good.len() - CHECKSUM - 8;
	other_time[media_time] ^= 1;
	for bad in [&good[..good.len() - 1], &longer, &flipped, &other_time, &[]] {
		fs::write(&path, bad).unwrap();
		assert!(matches!(open(dir.path(), 2), Err(SignerError::Damaged { .. })));
	}
	fs::write(&path, &good).unwrap();
	assert!(open(dir.path(), 2).is_ok());
}

#[test]
fn second_process_on_the_same_state_is_refused() {
	let dir = tempfile::tempdir().unwrap();
	let signer = open(dir.path(), 1).unwrap();
	assert!(matches!(open(dir.path(), 2), Err(SignerError::InUse(_))));
	drop(signer);
	assert!(open(dir.path(), 2).is_ok());
}

#[test]
fn file_left_by_a_crash_while_writing_is_ignored() {
	let dir = tempfile::tempdir().unwrap();
	let signed = open(dir.path(), 1).unwrap().sign(&windows()[0]).unwrap();
	fs::File::create(dir.path().join(".stream-7.window.1.2"))
		.unwrap()
		.write_all(b"half a win")
		.unwrap();
	assert_eq!(open(dir.path(), 2).unwrap().last().unwrap().hash(), signed.hash());
}

fn another_boot() -> Option<Vec<u8>> {
	Some(b"before the power cut".to_vec())
}

/// Where nobody waits for the disk, a power cut may leave an older part than was published: from it an end would be signed that is
/// not true.
#[test]
fn in_a_hurry_a_crash_continues_and_a_power_cut_begins_anew() {
	for (boot, torn, continues) in [
		(DISK.boot, false, true),
		(another_boot as fn() -> _, false, false),
		(another_boot, true, false),
	] {
		let dir = tempfile::tempdir().unwrap();
		let mut signer = open(dir.path(), 1).unwrap().hurried();
		signer.disk.boot = boot;
		let sign = |window| signer.sign(window).unwrap().hash();
		let last = windows().iter().map(sign).last().unwrap();
		let crashed = tempfile::tempdir().unwrap();
		for kind in ["window", "hurry"] {
			let name = format!("stream-{STREAM}.{kind}");
			fs::copy(dir.path().join(&name), crashed.path().join(&name)).unwrap();
		}
		if torn {
			fs::write(crashed.path().join(format!("stream-{STREAM}.window")), []).unwrap();
		}
		let mut next = open(crashed.path(), 2).unwrap();
		assert_eq!(next.last().map(|window| window.hash()), continues.then_some(last));
		assert_eq!(next.ended().is_some(), continues);
		let waited = next.sign(&windows()[0]).unwrap().hash();
		drop(next);
		assert_eq!(
			open(crashed.path(), 3).unwrap().last().unwrap().hash(),
			waited,
			"waited for"
		);
		drop(signer);
		let next = open(dir.path(), 2).unwrap();
		assert_eq!(next.last().unwrap().hash(), last, "an end in order waits for the disk");
	}
}

#[test]
fn what_says_that_nobody_waits_is_on_disk_before_the_first_part() {
	let dir = tempfile::tempdir().unwrap();
	let mut signer = open(dir.path(), 1).unwrap().hurried();
	signer.disk.write_unsynced = full;
	signer.sign(&windows()[0]).unwrap();
	assert!(dir.path().join(format!("stream-{STREAM}.hurry")).exists());
	assert!(!signer.kept, "not waited for");
	signer.disk.write_unsynced = DISK.write_unsynced;
	let last = signer.sign(&windows()[2]).unwrap().hash();
	assert!(signer.kept);
	drop(signer);
	assert_eq!(open(dir.path(), 2).unwrap().last().unwrap().hash(), last);
}
