//! What the encoder makes plays: as one file, and as HLS, over a restart of the encoder.

use anyhow::{ensure, Context, Result};
use clustercast_media::mux::MediaTime;
use clustercast_origin::old::{Config, Encoder, Input, Window};
use std::{fs, path::Path, process::Command};

/// Two whole windows and the rest at the end, of an encoder that continues after `continues`.
async fn encode(continues: Option<MediaTime>) -> Result<Vec<Window>> {
	let config = Config {
		input: Input::Test,
		repeat: false,
		ffmpeg: "ffmpeg".into(),
	};
	let mut encoder = Encoder::new(config, continues);
	let mut windows = Vec::new();
	while let Some(window) = encoder.next().await? {
		windows.push(window);
		if windows.len() == 2 {
			encoder.finish();
		}
	}
	Ok(windows)
}

/// Standard output of a tool that has nothing to complain about.
fn quiet(program: &str, args: &str, path: &Path, more: &str) -> Result<String> {
	let output = Command::new(program)
		.args(args.split_whitespace())
		.arg(path)
		.args(more.split_whitespace())
		.output()?;
	let complaints = String::from_utf8_lossy(&output.stderr);
	ensure!(
		output.status.success() && complaints.is_empty(),
		"{program} {}: {complaints}",
		path.display()
	);
	Ok(String::from_utf8(output.stdout)?)
}

/// Decodes all of it; the number of frames of picture.
fn frames(path: &Path) -> Result<u32> {
	quiet("ffmpeg", "-nostdin -v warning -i", path, "-xerror -f null -")?;
	let count = "-v error -select_streams v:0 -count_packets -show_entries stream=nb_read_packets -of csv=p=0";
	// Of HLS it lists the stream twice: by itself, and in its programme.
	let counts = quiet("ffprobe", count, path, "")?;
	let first = counts.lines().next().context("no picture")?;
	Ok(first.trim_end_matches(',').parse()?)
}

#[tokio::test]
async fn windows_play_as_a_file_and_as_hls_over_a_restart() -> Result<()> {
	let mut windows = encode(None).await?;
	let end = windows.last().context("nothing was encoded")?.end;
	let restart = windows.len();
	windows.extend(encode(Some(end)).await?);
	assert_eq!(windows.iter().filter(|w| w.discontinuity).count(), 1);
	assert!(windows[restart].discontinuity);
	assert!(windows.iter().all(|w| w.init.segment == windows[0].init.segment));

	let dir = tempfile::tempdir()?;
	let file = dir.path().join("all.mp4");
	let mut all = windows[0].init.segment.to_vec();
	windows.iter().for_each(|w| all.extend_from_slice(&w.data));
	fs::write(&file, all)?;
	let expected = windows.iter().map(|w| w.duration_ms).sum::<u32>() * 30 / 1000;
	assert!(frames(&file)?.abs_diff(expected) <= 1, "{expected} frames");
	let streams = quiet(
		"ffprobe",
		"-v error -show_entries stream=codec_name,width,height -of csv=p=0",
		&file,
		"",
	)?;
	assert_eq!(streams, "h264,854,480\naac\n");

	let playlist = dir.path().join("live.m3u8");
	fs::write(dir.path().join("init.mp4"), &windows[0].init.segment)?;
	let mut text = "#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-TARGETDURATION:2\n#EXT-X-MAP:URI=\"init.mp4\"\n".to_owned();
	for (number, window) in windows.iter().enumerate() {
		fs::write(dir.path().join(format!("{number}.m4s")), &window.data)?;
		if window.discontinuity {
			text += "#EXT-X-DISCONTINUITY\n";
		}
		text += &format!("#EXTINF:{:.3},\n{number}.m4s\n", f64::from(window.duration_ms) / 1000.0);
	}
	fs::write(&playlist, text + "#EXT-X-ENDLIST\n")?;
	assert!(frames(&playlist)?.abs_diff(expected) <= 1, "{expected} frames");
	Ok(())
}

#[tokio::test]
async fn each_window_decodes_by_itself() -> Result<()> {
	let dir = tempfile::tempdir()?;
	for (number, window) in encode(None).await?.iter().enumerate() {
		assert!(window.independent);
		let file = dir.path().join(format!("{number}.mp4"));
		fs::write(&file, [&window.init.segment[..], &window.data].concat())?;
		assert!(frames(&file)?.abs_diff(window.duration_ms * 30 / 1000) <= 1);
	}
	Ok(())
}
