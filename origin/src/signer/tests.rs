//! The chain holds over crashes; what does not belong to it is refused.

use super::*;
use crate::testing::windows;
use std::{fs, io::Write};

const STREAM: StreamId = StreamId(7);
const GENESIS: Hash = Hash([9; 32]);

fn key() -> KeyPair {
	KeyPair::from_seed([1; 32])
}

fn open(dir: &Path) -> Result<Signer, SignerError> {
	Signer::open(dir, STREAM, key(), GENESIS)
}

/// Each header is valid and follows the one before it.
fn check_chain(windows: &[EncodedWindow]) {
	for (segment, window) in windows.iter().enumerate() {
		window.signed_header().check(&key().public(), &GENESIS).unwrap();
		assert_eq!((window.id().segment, window.id().part), (segment as u64, 0));
		let previous = segment
			.checked_sub(1)
			.map_or(Hash([0; 32]), |before| windows[before].hash());
		assert_eq!(window.header().previous, previous);
	}
}

#[test]
fn chain_continues_over_restarts() {
	let dir = tempfile::tempdir().unwrap();
	let mut signed = Vec::new();
	for window in windows() {
		let mut signer = open(dir.path()).unwrap();
		assert_eq!(signer.last().map(|w| w.hash()), signed.last().map(EncodedWindow::hash));
		signed.push(signer.sign(&window).unwrap());
	}
	check_chain(&signed);
	assert_eq!(signed[2].header().duration_ms, 1_000);
	assert_eq!(signed[2].header().flags, flags::LAST_PART | flags::INDEPENDENT);
}

#[test]
fn header_says_what_the_encoder_said() {
	let dir = tempfile::tempdir().unwrap();
	let mut window = windows().remove(0);
	(window.restarted, window.fragment.independent) = (true, false);
	let signed = open(dir.path()).unwrap().sign(&window).unwrap();
	let header = signed.header();
	assert_eq!(header.flags, flags::LAST_PART | flags::DISCONTINUITY);
	assert_eq!((header.start_ms, header.duration_ms), (window.start_ms, 2_000));
	assert_eq!((header.id.stream, header.id.rendition), (STREAM, 0));
	assert_eq!(signed.data(), window.fragment.data);
	assert_eq!(signed.init(), &window.init);
}

#[test]
fn window_signed_but_not_published_is_served_again_unchanged() {
	let dir = tempfile::tempdir().unwrap();
	let window = &windows()[0];
	let signed = open(dir.path()).unwrap().sign(window).unwrap();
	// Killed here: nobody has seen it.
	let signer = open(dir.path()).unwrap();
	let again = signer.last().unwrap();
	assert_eq!(again.signed_header(), signed.signed_header());
	assert_eq!(again.frame(), signed.frame());
	assert_eq!(again.init(), signed.init());
	assert_eq!(signer.timeline(), Some(Duration::from_micros(window.fragment.end_us)));
}

#[test]
fn nothing_is_signed_that_is_not_on_disk() {
	let dir = tempfile::tempdir().unwrap();
	let mut signer = open(dir.path()).unwrap();
	let (first, second) = (&windows()[0], &windows()[1]);
	signer.sign(first).unwrap();
	fs::remove_dir_all(dir.path()).unwrap();
	fs::write(dir.path(), "in the way").unwrap();
	assert!(matches!(signer.sign(second), Err(SignerError::File { .. })));
	fs::remove_file(dir.path()).unwrap();
	assert_eq!(signer.sign(second).unwrap().id().segment, 1, "its place is still free");
}

#[test]
fn state_of_another_stream_key_or_chain_is_refused() {
	let dir = tempfile::tempdir().unwrap();
	open(dir.path()).unwrap().sign(&windows()[0]).unwrap();
	let other_key = Signer::open(dir.path(), STREAM, KeyPair::from_seed([2; 32]), GENESIS);
	assert!(matches!(other_key, Err(SignerError::Foreign(_))));
	let other_chain = Signer::open(dir.path(), STREAM, key(), Hash([8; 32]));
	assert!(matches!(other_chain, Err(SignerError::Foreign(_))));
	let name = |stream| dir.path().join(format!("stream-{stream}.window"));
	fs::copy(name(7), name(8)).unwrap();
	assert!(matches!(
		Signer::open(dir.path(), StreamId(8), key(), GENESIS),
		Err(SignerError::Foreign(_))
	));
	assert!(open(dir.path()).is_ok());
}

#[test]
fn damaged_state_is_refused_and_never_begun_anew() {
	let dir = tempfile::tempdir().unwrap();
	open(dir.path()).unwrap().sign(&windows()[0]).unwrap();
	let path = dir.path().join("stream-7.window");
	let good = fs::read(&path).unwrap();
	let longer = [&good[..], &[0]].concat();
	let mut flipped = good.clone();
	*flipped.last_mut().unwrap() ^= 1;
	for bad in [&good[..good.len() - 1], &longer, &flipped, &[]] {
		fs::write(&path, bad).unwrap();
		assert!(matches!(open(dir.path()), Err(SignerError::Damaged { .. })));
	}
	fs::write(&path, &good).unwrap();
	assert!(open(dir.path()).is_ok());
}

#[test]
fn second_process_on_the_same_state_is_refused() {
	let dir = tempfile::tempdir().unwrap();
	let signer = open(dir.path()).unwrap();
	assert!(matches!(open(dir.path()), Err(SignerError::InUse(_))));
	drop(signer);
	assert!(open(dir.path()).is_ok());
}

#[test]
fn file_left_by_a_crash_while_writing_is_ignored() {
	let dir = tempfile::tempdir().unwrap();
	let signed = open(dir.path()).unwrap().sign(&windows()[0]).unwrap();
	fs::File::create(dir.path().join(".stream-7.window.1.2"))
		.unwrap()
		.write_all(b"half a win")
		.unwrap();
	assert_eq!(open(dir.path()).unwrap().last().unwrap().hash(), signed.hash());
}
