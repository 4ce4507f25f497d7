//! What the tests of this folder share: real output of FFmpeg, made once, as fast as it goes.

use super::{
	command::{arguments, Input},
	fmp4::{Fragment, Piece, Splitter},
};
use bytes::Bytes;
use std::{ffi::OsString, process::Command, sync::LazyLock, time::Duration};

/// Five seconds of the test pattern: an initialisation segment and windows of 2, 2 and 1 s.
pub static SAMPLE: LazyLock<Vec<u8>> = LazyLock::new(|| encode(Duration::ZERO));

/// Five seconds of the test pattern, on a timeline that has run for `after`.
pub fn encode(after: Duration) -> Vec<u8> {
	let mut args: Vec<OsString> = arguments(&Input::Test, false, after)
		.into_iter()
		.filter(|a| a != "-re")
		.collect();
	args.splice(args.len() - 1..args.len() - 1, ["-t".into(), "5".into()]);
	let output = Command::new("ffmpeg").args(args).output().unwrap();
	assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
	output.stdout
}

/// Cuts a whole stream.
pub fn cut(stream: &[u8]) -> (Bytes, Vec<Fragment>) {
	let mut splitter = Splitter::new();
	splitter.buffer().extend_from_slice(stream);
	let Some(Piece::Init(init)) = splitter.next_piece().unwrap() else {
		panic!("no init")
	};
	let mut fragments = Vec::new();
	while let Some(piece) = splitter.next_piece().unwrap() {
		let Piece::Window(fragment) = piece else {
			panic!("second init")
		};
		fragments.push(fragment);
	}
	assert!(splitter.buffer().is_empty());
	(init, fragments)
}
