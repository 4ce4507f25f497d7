//! For tests: what FFmpeg makes.

use bytes::Bytes;
use std::process::{Command, Stdio};

/// 30 pictures a second, a key frame every 2 s; stereo.
pub const PICTURES_AND_SOUND: &[&str] = &[
	"-f",
	"lavfi",
	"-i",
	"testsrc2=s=160x90:r=30",
	"-f",
	"lavfi",
	"-i",
	"sine=sample_rate=48000",
	"-c:a",
	"aac",
	"-ac",
	"2",
];

/// The same without sound.
pub const PICTURES: &[&str] = &["-f", "lavfi", "-i", "testsrc2=s=160x90:r=30"];

/// Fragmented MP4 of so many seconds: a fragment for each key frame, unless the arguments say otherwise.
pub fn ffmpeg(arguments: &[&str], seconds: u32) -> Bytes {
	let seconds = seconds.to_string();
	let (inputs, outputs) = arguments.split_at(arguments.iter().rposition(|a| *a == "-i").unwrap() + 2);
	let mut command = Command::new("ffmpeg");
	command
		.args(["-hide_banner", "-loglevel", "error", "-nostdin"])
		.args(inputs);
	command.args([
		"-t",
		&seconds,
		"-c:v",
		"libx264",
		"-preset",
		"ultrafast",
		"-tune",
		"zerolatency",
	]);
	command.args([
		"-pix_fmt",
		"yuv420p",
		"-g",
		"60",
		"-movflags",
		"+empty_moov+default_base_moof+frag_keyframe",
	]);
	command.args(outputs).args(["-f", "mp4", "-"]);
	let out = command.stderr(Stdio::inherit()).output().unwrap();
	assert!(out.status.success());
	out.stdout.into()
}

/// Writes a file into the folder and decodes all of it: pictures, samples of sound, and the length in milliseconds. FFmpeg must
/// have nothing to complain of.
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
