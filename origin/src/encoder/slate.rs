//! What is shown while nobody publishes: the stream's title on a dark ground.

use crate::child::Child;
use bytes::{BufMut, Bytes, BytesMut};
use clustercast_media::picture::{Picture, HEIGHT, PICTURE_BYTES, WIDTH};
use std::{path::Path, process::Stdio, time::Duration};
use tokio::{io::AsyncReadExt, time::timeout};

/// How long FFmpeg may take: it looks for a font, and then draws one picture.
const LIMIT: Duration = Duration::from_secs(5);

/// Luma of the ground, limited range: nearly black.
const GROUND: u8 = 24;

/// Of what is drawn on it.
const INK: u8 = 150;

/// Neither blue nor red.
const GREY: u8 = 128;

/// Largest letters, pixels.
const LARGEST: usize = 48;

/// A line as wide as the picture has so many pixels of letters, each about half as wide as high.
const LINE: usize = 2 * (WIDTH - 94);

/// Makes the picture, once. Where FFmpeg finds no font, or anything else is wrong, it shows two bars and no title.
pub async fn slate(ffmpeg: &Path, title: &str) -> Picture {
	let title: String = title.chars().filter(|c| !c.is_control()).collect();
	if title.trim().is_empty() {
		return bars();
	}
	match timeout(LIMIT, draw(ffmpeg, &title)).await {
		Ok(Some(picture)) => picture,
		_ => {
			tracing::debug!("no font for the title of the slate");
			bars()
		},
	}
}

/// A pause sign.
pub fn bars() -> Picture {
	let (bar, gap, height) = (WIDTH / 24, WIDTH / 16, HEIGHT / 4);
	let mut picture = BytesMut::with_capacity(PICTURE_BYTES);
	for row in 0..HEIGHT {
		for column in 0..WIDTH {
			let from_middle = column.abs_diff(WIDTH / 2);
			let inked = row.abs_diff(HEIGHT / 2) < height / 2 && (gap / 2..gap / 2 + bar).contains(&from_middle);
			picture.put_u8(if inked { INK } else { GROUND });
		}
	}
	picture.put_bytes(GREY, PICTURE_BYTES - WIDTH * HEIGHT);
	picture.freeze()
}

async fn draw(ffmpeg: &Path, title: &str) -> Option<Picture> {
	let size = (LINE / title.chars().count().max(1)).clamp(1, LARGEST);
	let filter = format!(
		"drawtext=expansion=none:fontsize={size}:fontcolor=0x969696:x=(w-text_w)/2:y=(h-text_h)/2:text={}",
		escape(title)
	);
	let source = format!("color=c=0x0a0a0a:s={WIDTH}x{HEIGHT}:r=1,{filter}");
	let args = [
		"-hide_banner",
		"-nostdin",
		"-loglevel",
		"error",
		"-f",
		"lavfi",
		"-i",
		&source,
	]
	.into_iter()
	.chain("-frames:v 1 -pix_fmt yuv420p -f rawvideo pipe:1".split(' '));
	let mut child = Child::spawn(ffmpeg, args, Stdio::null()).ok()?;
	let mut picture = Vec::with_capacity(PICTURE_BYTES + 1);
	let stdout = child.stdout.take()?;
	stdout
		.take(PICTURE_BYTES as u64 + 1)
		.read_to_end(&mut picture)
		.await
		.ok()?;
	let exit = child.end().await.ok()?;
	(exit.status.success() && picture.len() == PICTURE_BYTES).then(|| Bytes::from(picture))
}

/// As a value of an option in a filter graph: a backslash before what separates options, then one before what quotes or
/// separates filters (FFmpeg, "Notes on filtergraph escaping").
fn escape(text: &str) -> String {
	let before = |text: &str, special: &str| {
		let mut escaped = String::with_capacity(2 * text.len());
		for c in text.chars() {
			if special.contains(c) {
				escaped.push('\\');
			}
			escaped.push(c);
		}
		escaped
	};
	before(&before(text, "\\':"), "\\'[],;")
}
