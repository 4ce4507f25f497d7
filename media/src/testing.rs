//! For tests: what FFmpeg makes of a file.

use std::process::Command;

/// Decodes all of it: pictures, frames of sound, and the length in milliseconds. FFmpeg must have nothing to complain of.
pub fn decode(file: &[u8]) -> (usize, usize, u64) {
	use std::io::Write;
	let mut on_disk = tempfile::NamedTempFile::new().unwrap();
	on_disk.write_all(file).unwrap();
	let run = |arguments: &[&str]| {
		let mut command = Command::new("ffmpeg");
		command
			.args(["-hide_banner", "-loglevel", "warning", "-nostdin", "-i"])
			.arg(on_disk.path());
		let out = command.args(arguments).output().unwrap();
		let said = String::from_utf8_lossy(&out.stderr).into_owned();
		assert!(out.status.success() && said.is_empty(), "{said}");
		String::from_utf8(out.stdout).unwrap()
	};
	// One line for each picture: stream, dts, pts, duration, size, hash.
	let pictures = run(&[
		"-map",
		"0:v",
		"-fps_mode",
		"passthrough",
		"-copyts",
		"-f",
		"framehash",
		"-",
	]);
	let stamps = |text: &str| -> Vec<u64> {
		let field = |line: &str| line.split(',').nth(2).and_then(|f| f.trim().parse().ok());
		text.lines().filter(|l| !l.starts_with('#')).filter_map(field).collect()
	};
	let stamps_of_pictures = stamps(&pictures);
	let base = pictures.lines().find_map(|l| l.strip_prefix("#tb 0: ")).unwrap();
	let (num, den) = base.split_once('/').unwrap();
	let (num, den): (u64, u64) = (num.parse().unwrap(), den.parse().unwrap());
	assert_eq!(stamps_of_pictures.first(), Some(&0), "it begins at 0");
	for pair in stamps_of_pictures.windows(2) {
		assert!(
			(pair[1] - pair[0]) * num * 1_000 / den < 100,
			"pictures follow each other: {pair:?} of {base}"
		);
	}
	let samples = match run(&["-map", "0:a?", "-f", "framehash", "-"]) {
		text if text.lines().any(|l| !l.starts_with('#')) => text.lines().filter(|l| !l.starts_with('#')).count(),
		_ => 0,
	};
	let length = stamps_of_pictures.last().unwrap() * num * 1_000 / den;
	(stamps_of_pictures.len(), samples, length)
}
