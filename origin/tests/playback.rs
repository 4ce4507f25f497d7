//! What the encoder makes plays as a file and as HLS, over a restart of the program.

#![allow(clippy::disallowed_methods)]

use anyhow::{ensure, Context, Result};
use bytes::Bytes;
use clustercast_media::{
	mux::MediaTime,
	picture::{CHANNELS, PICTURE_BYTES, SAMPLES_PER_PICTURE},
};
use clustercast_origin::encoder::{Config, Encoder, Window};
use std::{fs, path::Path, process::Command};

/// Three windows, the last one of 20 pictures and their last one held, of a program that continues after `continues`.
async fn encode(continues: Option<MediaTime>) -> Result<Vec<Window>> {
	let mut encoder = Encoder::start(Config::default(), continues);
	for number in 0..140u64 {
		let picture = Bytes::from(vec![100 + number as u8 % 100; PICTURE_BYTES]);
		encoder.push(picture, &[0; SAMPLES_PER_PICTURE * CHANNELS], number * 100 / 3)?;
	}
	// However slow the machine is.
	let mut windows = vec![encoder.next().await?.context("not finished")?];
	windows.push(encoder.next().await?.context("not finished")?);
	encoder.finish();
	while let Some(window) = encoder.next().await? {
		windows.push(window);
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
	windows.extend(encode(Some(end)).await?);
	assert_eq!(windows.len(), 6);
	let broken: Vec<usize> = (0..6).filter(|index| windows[*index].discontinuity).collect();
	assert_eq!(broken, [3]);
	assert!(windows
		.iter()
		.all(|w| w.init == windows[0].init && w.duration_ms == 2_000));

	let dir = tempfile::tempdir()?;
	let file = dir.path().join("all.mp4");
	let mut all = windows[0].init.segment.to_vec();
	windows.iter().for_each(|w| all.extend_from_slice(&w.data));
	fs::write(&file, all)?;
	assert_eq!(frames(&file)?, 360);
	let entries = "-v error -show_entries stream=codec_name,width,height -of csv=p=0";
	assert_eq!(quiet("ffprobe", entries, &file, "")?, "h264,854,480\naac\n");

	let playlist = dir.path().join("live.m3u8");
	fs::write(dir.path().join("init.mp4"), &windows[0].init.segment)?;
	let mut text = "#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-TARGETDURATION:2\n#EXT-X-MAP:URI=\"init.mp4\"\n".to_owned();
	for (number, window) in windows.iter().enumerate() {
		fs::write(dir.path().join(format!("{number}.m4s")), &window.data)?;
		if window.discontinuity {
			text += "#EXT-X-DISCONTINUITY\n";
		}
		text += &format!("#EXTINF:2.000,\n{number}.m4s\n");
	}
	fs::write(&playlist, text + "#EXT-X-ENDLIST\n")?;
	assert_eq!(frames(&playlist)?, 360);
	Ok(())
}
