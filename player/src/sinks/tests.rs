use super::*;
use crate::{
	hls::Options,
	testing::{Clip, MUTE, OTHER, SOUND},
};
use std::process::Command;

/// What FFmpeg reads of a file: pictures, and where the last one stands, milliseconds. It must have nothing to complain of.
fn decoded(path: &Path) -> (usize, f64) {
	let mut command = Command::new("ffmpeg");
	command
		.args(["-hide_banner", "-loglevel", "warning", "-nostdin", "-i"])
		.arg(path);
	command.args([
		"-map",
		"0:v",
		"-fps_mode",
		"passthrough",
		"-copyts",
		"-f",
		"framecrc",
		"-",
	]);
	let out = command.output().unwrap();
	let said = String::from_utf8_lossy(&out.stderr);
	assert!(out.status.success() && said.is_empty(), "{said}");
	let text = String::from_utf8(out.stdout).unwrap();
	let base = text
		.lines()
		.find_map(|l| l.strip_prefix("#tb 0: 1/"))
		.unwrap()
		.parse::<f64>()
		.unwrap();
	let stamps: Vec<f64> = text
		.lines()
		.filter(|l| !l.starts_with('#'))
		.map(|l| l.split(',').nth(2).unwrap().trim().parse::<f64>().unwrap() / base)
		.collect();
	assert_eq!(stamps.first(), Some(&0.0), "it begins at 0");
	assert!(
		stamps
			.windows(2)
			.all(|pair| pair[1] > pair[0] && pair[1] - pair[0] < 0.1),
		"from end to end"
	);
	(stamps.len(), *stamps.last().unwrap())
}

#[tokio::test]
async fn output_plays_from_end_to_end_and_begins_at_zero_whatever_came_before() {
	let folder = tempfile::tempdir().unwrap();
	let (output, log) = (folder.path().join("seen.mp4"), folder.path().join("log"));
	let mut sinks = Sinks::open(Some(&output), Some(&log), None).await.unwrap();
	// In the middle of a broadcast; windows are missing; the sound goes; another size; the encoder begins again.
	let mut clip = Clip::new(SOUND, 8);
	let mut windows = clip.some(6);
	windows.drain(3..5);
	windows.remove(0);
	windows.extend(Clip::new(MUTE, 2).after(windows.last().unwrap()));
	windows.extend(Clip::new(OTHER, 2).after(windows.last().unwrap()));
	windows.extend(Clip::new(SOUND, 2).after(windows.last().unwrap()));
	for window in &windows {
		sinks.push(window, "peer").await;
	}
	let (pictures, end) = decoded(&output);
	assert_eq!(pictures, 60 * windows.len());
	assert!((end - 2.0 * windows.len() as f64).abs() < 0.5, "{end}");
	let log = std::fs::read_to_string(&log).unwrap();
	let entries: Vec<serde_json::Value> = log.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
	assert_eq!(entries.len(), windows.len());
	for field in [
		"segment",
		"part",
		"bytes",
		"root",
		"startMs",
		"playableMs",
		"relayer",
		"delayMs",
	] {
		assert!(!entries[4][field].is_null(), "{field}");
	}
}

#[tokio::test]
async fn output_begun_without_sound_goes_on_in_another_file_that_has_it() {
	let folder = tempfile::tempdir().unwrap();
	let output = folder.path().join("seen.mp4");
	let mut sinks = Sinks::open(Some(&output), None, None).await.unwrap();
	let mut windows = Clip::new(MUTE, 2).all();
	windows.extend(Clip::new(SOUND, 3).after(windows.last().unwrap()));
	for window in &windows {
		sinks.push(window, "peer").await;
	}
	assert_eq!(decoded(&output).0, 120);
	assert_eq!(decoded(&folder.path().join("seen-2.mp4")).0, 180);
	assert_eq!(beside(Path::new("a/seen"), 3), Path::new("a/seen-3"));
}

/// `/dev/full` refuses every write, as a full disk does.
#[tokio::test]
async fn full_disk_ends_the_file_alone() {
	let window = Clip::new(SOUND, 1).all().remove(0);
	let mut recording = Recording::create(Path::new("/dev/full")).await.unwrap();
	let error = recording.append(&window).await.unwrap_err();
	assert_eq!(error.kind(), io::ErrorKind::StorageFull);
	let full = Some(Path::new("/dev/full"));
	let hls = Hls::bind(Options::at("127.0.0.1:0".parse().unwrap())).await.unwrap();
	let mut sinks = Sinks::open(full, full, Some(hls)).await.unwrap();
	for _ in 0..2 {
		sinks.push(&window, "peer").await;
		assert!(sinks.recording.is_none() && sinks.log.is_none(), "they end, once");
		assert!(sinks.serves_hls() && sinks.delay().is_some(), "watching goes on");
	}
}

/// A disk that fills up in the middle of a window leaves the windows before it.
#[tokio::test]
async fn file_of_a_disk_that_filled_up_is_whole() {
	use nix::sys::resource::{getrlimit, setrlimit, Resource};
	let folder = tempfile::tempdir().unwrap();
	let output = folder.path().join("seen.mp4");
	let windows = Clip::new(SOUND, 3).all();
	let mut recording = Recording::create(&output).await.unwrap();
	recording.append(&windows[0]).await.unwrap();
	recording.append(&windows[1]).await.unwrap();
	let whole = recording.whole;
	assert_eq!(std::fs::metadata(&output).unwrap().len(), whole);
	// Writes past this fail, as on a full disk; each test is a process of its own under nextest.
	let (_, hard) = getrlimit(Resource::RLIMIT_FSIZE).unwrap();
	unsafe { nix::sys::signal::signal(nix::sys::signal::Signal::SIGXFSZ, nix::sys::signal::SigHandler::SigIgn) }
		.unwrap();
	setrlimit(Resource::RLIMIT_FSIZE, whole + 100, hard).unwrap();
	assert!(recording.append(&windows[2]).await.is_err());
	assert_eq!(std::fs::metadata(&output).unwrap().len(), whole);
	setrlimit(Resource::RLIMIT_FSIZE, hard, hard).unwrap();
	assert_eq!(decoded(&output).0, 120);
}

#[tokio::test]
async fn window_that_is_no_media_is_left_out_of_the_file() {
	let folder = tempfile::tempdir().unwrap();
	let output = folder.path().join("seen.mp4");
	let mut sinks = Sinks::open(Some(&output), None, None).await.unwrap();
	sinks
		.push(&crate::timeline::tests::studio(1, 9, 0).next(), "peer")
		.await;
	assert_eq!(std::fs::metadata(&output).unwrap().len(), 0);
	assert!(sinks.recording.is_some());
}
