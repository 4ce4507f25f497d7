//! With real FFmpeg: what comes out is looked at, pixel by pixel.

use super::*;
use clustercast_media::flv::{Kind, Reader};
use std::{os::unix::fs::PermissionsExt, process::Command};
use tempfile::TempDir;
use tokio::time::Instant;

/// How long anything may take on a busy machine.
const LIMIT: Duration = Duration::from_secs(60);

/// FFmpeg in a folder of its own.
struct Studio(TempDir);

impl Studio {
	fn new() -> Self {
		Self(tempfile::tempdir().unwrap())
	}

	fn path(&self, name: &str) -> PathBuf {
		self.0.path().join(name)
	}

	/// Makes a file with these arguments before its name.
	fn make(&self, arguments: &str, name: &str) -> PathBuf {
		let path = self.path(name);
		let output = Command::new("ffmpeg")
			.args("-hide_banner -nostdin -loglevel error -y".split(' '))
			.args(arguments.split_whitespace())
			.arg(&path)
			.current_dir(self.0.path())
			.stdin(Stdio::null())
			.output()
			.unwrap();
		assert!(
			output.status.success(),
			"{arguments}: {}",
			String::from_utf8_lossy(&output.stderr)
		);
		path
	}

	/// The tags of an FLV file.
	fn tags(&self, arguments: &str) -> Vec<Tag> {
		let bytes = fs::read(self.make(arguments, "made.flv")).unwrap();
		let (mut reader, mut input) = (Reader::new(1 << 24), &bytes[..]);
		std::iter::from_fn(|| reader.read(&mut input).unwrap())
			.filter(|tag| tag.kind != Kind::Script)
			.collect()
	}
}

/// All that came out.
#[derive(Default)]
struct Reel {
	pictures: Vec<(Duration, Picture)>,
	/// Stamp, samples.
	sounds: Vec<(Duration, Samples)>,
	end: Option<End>,
}

impl Reel {
	async fn of(mut decoder: Decoder) -> Self {
		let mut reel = Self::default();
		while reel.add(timeout(LIMIT, decoder.next()).await.unwrap()) {}
		assert_eq!(decoder.dropped(), 0);
		reel
	}

	async fn track(mut track: Track) -> Self {
		let mut reel = Self::default();
		track.finish();
		while reel.add(timeout(LIMIT, track.next()).await.unwrap()) {}
		reel
	}

	fn add(&mut self, output: Output) -> bool {
		match output {
			Output::Picture { at, picture } => self.pictures.push((at, picture)),
			Output::Sound { at, samples } => self.sounds.push((at, samples)),
			Output::End(end) => self.end = Some(end),
		}
		self.end.is_none()
	}

	/// Seconds of sound, and by how much a stamp is off at most, counting samples from the first.
	fn sound(&self) -> (f64, f64) {
		let first = self.sounds[0].0.as_secs_f64();
		let mut count = 0;
		let mut off: f64 = 0.0;
		for (at, samples) in &self.sounds {
			off = off.max((at.as_secs_f64() - first - count as f64 / 48_000.0).abs());
			count += samples.len() / 2;
		}
		(count as f64 / 48_000.0, off)
	}

	fn loudest(&self) -> i16 {
		self.sounds
			.iter()
			.flat_map(|(_, samples)| samples)
			.map(|s| s.saturating_abs())
			.max()
			.unwrap()
	}

	/// Longest time between two pictures.
	fn longest_gap(&self) -> Duration {
		self.pictures
			.windows(2)
			.map(|pair| pair[1].0.saturating_sub(pair[0].0))
			.max()
			.unwrap()
	}
}

fn luma(picture: &Picture, x: usize, y: usize) -> u8 {
	picture[y * WIDTH + x]
}

/// Y, U, V.
fn colour(picture: &Picture, x: usize, y: usize) -> [u8; 3] {
	let chroma = (y / 2) * (WIDTH / 2) + x / 2;
	let (u, v) = (WIDTH * HEIGHT, WIDTH * HEIGHT * 5 / 4);
	[luma(picture, x, y), picture[u + chroma], picture[v + chroma]]
}

/// Left, top, width and height of what is bright.
fn bright(picture: &Picture) -> (usize, usize, usize, usize) {
	let lit = |x, y| luma(picture, x, y) > 125;
	let columns: Vec<_> = (0..WIDTH).filter(|x| (0..HEIGHT).any(|y| lit(*x, y))).collect();
	let rows: Vec<_> = (0..HEIGHT).filter(|y| (0..WIDTH).any(|x| lit(x, *y))).collect();
	(
		columns[0],
		rows[0],
		columns[columns.len() - 1] - columns[0] + 1,
		rows[rows.len() - 1] - rows[0] + 1,
	)
}

async fn open(path: &Path) -> (Decoder, Option<Contents>) {
	Decoder::open(Path::new("ffmpeg"), &Input::File(path.into()), false)
		.await
		.unwrap()
}

async fn refused(path: &Path) -> String {
	let opened = Decoder::open(Path::new("ffmpeg"), &Input::File(path.into()), false).await;
	opened.map(|_| ()).unwrap_err().to_string()
}

/// A white disc that is round on a screen, on dark grey that fills the picture: storage size, shape of a pixel.
fn disc(width: u32, height: u32, pixel: (u32, u32)) -> String {
	let (across, down) = pixel;
	let stretch = f64::from(across) / f64::from(down);
	let radius = 0.4 * (f64::from(width) * stretch).min(f64::from(height));
	format!(
		"-f lavfi -i nullsrc=s={width}x{height}:r=5:d=0.2,format=gray,\
		 geq=lum='if(lt(hypot((X+0.5-W/2)*{stretch},Y+0.5-H/2),{radius}),235,60)',setsar={across}/{down},format=yuv444p"
	)
}

#[tokio::test]
async fn a_circle_stays_a_circle_and_fills_what_it_filled() {
	let studio = Studio::new();
	// Storage, pixels' shape, codec; what the picture fills of 854x480.
	for (size, pixel, codec, filled) in [
		(
			(720, 576),
			(64, 45),
			"-c:v mpeg2video -pix_fmt yuv420p -q:v 2",
			(854, 480),
		),
		(
			(720, 480),
			(8, 9),
			"-c:v mpeg2video -pix_fmt yuv420p -q:v 2",
			(640, 480),
		),
		(
			(1440, 1080),
			(4, 3),
			"-c:v libx264 -preset ultrafast -pix_fmt yuv420p",
			(854, 480),
		),
		(
			(405, 720),
			(1, 1),
			"-c:v libx264 -preset ultrafast -pix_fmt yuv444p",
			(270, 480),
		),
		(
			(853, 479),
			(1, 1),
			"-c:v libx264 -preset ultrafast -pix_fmt yuv444p",
			(854, 480),
		),
		(
			(2048, 858),
			(1, 1),
			"-c:v libx264 -preset ultrafast -pix_fmt yuv420p",
			(854, 358),
		),
		(
			(64, 64),
			(1, 1),
			"-c:v libx264 -preset ultrafast -pix_fmt yuv420p",
			(480, 480),
		),
	] {
		let path = studio.make(&format!("{} {codec}", disc(size.0, size.1, pixel)), "disc.mkv");
		let reel = Reel::of(open(&path).await.0).await;
		let picture = &reel.pictures[0].1;
		let (left, top, width, height) = bright(picture);
		let side = (0.8 * filled.0.min(filled.1) as f64).round();
		let tolerance = 3.0 + 480.0 / f64::from(size.1);
		for (what, got) in [("width", width), ("height", height)] {
			assert!(
				(got as f64 - side).abs() <= tolerance,
				"{size:?} {pixel:?}: {what} {got}, not {side}"
			);
		}
		assert!((left + width / 2).abs_diff(WIDTH / 2) <= 3 && (top + height / 2).abs_diff(HEIGHT / 2) <= 3);
		// Dark grey up to the edges of what is filled, black beyond.
		let (across, down) = ((WIDTH - filled.0) / 2, (HEIGHT - filled.1) / 2);
		assert!(luma(picture, across + 4, HEIGHT / 2) > 40, "{size:?}");
		assert!(luma(picture, WIDTH / 2, down + 4) > 40, "{size:?}");
		for (x, y) in [(across.wrapping_sub(4), HEIGHT / 2), (WIDTH / 2, down.wrapping_sub(4))] {
			assert!(x >= WIDTH || y >= HEIGHT || luma(picture, x, y) < 20, "{size:?}");
		}
	}
}

#[tokio::test]
async fn sizes_that_nobody_expects_come_out_whole() {
	let studio = Studio::new();
	for size in ["2x2", "16x2160", "4096x16", "4096x4096"] {
		let source = format!("-f lavfi -i color=white:s={size}:r=5:d=0.2 -c:v mjpeg -q:v 5 -pix_fmt yuvj444p");
		let path = studio.make(&source, "odd.mkv");
		let reel = Reel::of(open(&path).await.0).await;
		assert_eq!((reel.pictures.len(), &reel.end), (1, &Some(End::Over)), "{size}");
		assert!(luma(&reel.pictures[0].1, WIDTH / 2, HEIGHT / 2) > 200, "{size}");
	}
}

#[tokio::test]
async fn a_phone_held_upright_is_shown_upright() {
	let studio = Studio::new();
	// Bright above, dark below, turned on its side; the file says so.
	let lying = "-f lavfi -i color=white:s=640x360:r=5:d=0.4,drawbox=x=0:y=0:w=320:h=360:color=black:t=fill \
	             -c:v libx264 -preset ultrafast -pix_fmt yuv420p";
	studio.make(lying, "lying.mp4");
	let turned = studio.make("-i lying.mp4 -c copy -metadata:s:v rotate=90", "turned.mp4");
	let reel = Reel::of(open(&turned).await.0).await;
	let picture = &reel.pictures[0].1;
	let (left, _, width, _) = bright(picture);
	assert!(left.abs_diff(292) < 4 && width.abs_diff(270) < 4, "{left} {width}");
	assert!(luma(picture, 427, 60).abs_diff(luma(picture, 427, 420)) > 150);
}

#[tokio::test]
async fn moving_edges_of_interlaced_pictures_show_no_comb() {
	let studio = Studio::new();
	// A white bar that moves 8 pixels between two fields.
	let source = "-f lavfi -i color=black:s=720x576:r=50:d=0.6 -f lavfi -i color=white:s=80x576:r=50:d=0.6 \
	              -filter_complex [0][1]overlay=x=n*8:shortest=1,setsar=64/45,tinterlace=interleave_top,setfield=tff";
	for codec in [
		"-c:v mpeg2video -flags +ildct+ilme -q:v 2 -pix_fmt yuv420p",
		"-c:v libx264 -preset ultrafast -flags +ildct+ilme -pix_fmt yuv420p",
	] {
		let path = studio.make(&format!("{source} {codec}"), "fields.mpg");
		let reel = Reel::of(open(&path).await.0).await;
		assert!(reel.pictures.len() >= 13, "{}", reel.pictures.len());
		let picture = &reel.pictures[6].1;
		// Where the bar begins, line by line: with a comb every other line begins elsewhere.
		let begins: Vec<_> = (100..380)
			.map(|y| (0..WIDTH).position(|x| luma(picture, x, y) > 125).unwrap())
			.collect();
		let jumps = begins.windows(2).filter(|pair| pair[0].abs_diff(pair[1]) > 2).count();
		assert!(jumps < 5, "{codec}: {jumps} of {} lines", begins.len());
	}
}

#[tokio::test]
async fn colours_are_right_whatever_they_were_tagged_with() {
	let studio = Studio::new();
	// Pure red, green and blue, in BT.709, limited range.
	let truth = [
		("red", [63, 102, 240]),
		("lime", [173, 42, 26]),
		("blue", [32, 240, 118]),
	];
	let h264 = "-c:v libx264 -preset ultrafast -qp 1";
	let scale = "-vf scale=out_color_matrix";
	for (size, rest) in [
		// Untagged: by size.
		("640x480", format!("{scale}=bt601:out_range=tv {h264} -pix_fmt yuv420p")),
		(
			"1280x720",
			format!("{scale}=bt709:out_range=tv {h264} -pix_fmt yuv420p"),
		),
		// Tagged otherwise than their size says, and full range.
		(
			"640x480",
			format!("{scale}=bt709:out_range=tv {h264} -pix_fmt yuv420p -colorspace bt709"),
		),
		(
			"1280x720",
			format!("{scale}=bt601:out_range=tv {h264} -pix_fmt yuv420p -colorspace smpte170m"),
		),
		(
			"1280x720",
			format!("{scale}=bt709:out_range=pc {h264} -pix_fmt yuvj420p -color_range pc"),
		),
		("640x480", "-c:v mjpeg -q:v 1 -pix_fmt yuvj444p".into()),
		("1280x720", "-c:v png -pix_fmt rgb24".into()),
	] {
		let (width, height) = size.split_once('x').unwrap();
		let third = width.parse::<usize>().unwrap() / 6 * 2;
		let bars = truth.map(|(name, _)| format!("color={name}:s={third}x{height}:r=5:d=0.2,format=rgb24[{name}]"));
		let bars = format!("{};[red][lime][blue]hstack=3", bars.join(";"));
		let reel = Reel::of(
			open(&studio.make(&format!("-f lavfi -i {bars} {rest}"), "bars.mkv"))
				.await
				.0,
		)
		.await;
		for (n, (name, expected)) in truth.into_iter().enumerate() {
			let got = colour(&reel.pictures[0].1, WIDTH / 2 + n * 200 - 200, HEIGHT / 2);
			let off = got
				.iter()
				.zip(expected)
				.map(|(got, expected)| got.abs_diff(expected))
				.max()
				.unwrap();
			assert!(off <= 4, "{size} {rest} {name}: {got:?}, not {expected:?}");
		}
	}
}

#[tokio::test]
async fn high_dynamic_range_is_made_darker_only_where_it_says_so() {
	let studio = Studio::new();
	let source =
		"-f lavfi -i color=gray:s=320x180:r=5:d=0.4 -c:v libx265 -x265-params log-level=none -preset ultrafast \
	              -pix_fmt yuv420p10le -color_primaries bt2020 -colorspace bt2020nc";
	let mut levels = Vec::new();
	for transfer in ["smpte2084", "arib-std-b67", "bt709"] {
		let path = studio.make(&format!("{source} -color_trc {transfer}"), "hdr.mkv");
		let (decoder, contents) = open(&path).await;
		let tagged = contents.unwrap().picture.unwrap().shape.high_dynamic_range;
		assert_eq!(tagged, transfer != "bt709");
		let reel = Reel::of(decoder).await;
		assert_eq!((reel.pictures.len(), reel.end), (2, Some(End::Over)), "{transfer}");
		levels.push(luma(&reel.pictures[0].1, WIDTH / 2, HEIGHT / 2));
	}
	// Half of PQ's scale are 92 cd/m², nearly the white of the screen; half of HLG's are a grey.
	assert!(levels[0].abs_diff(levels[2]) > 10, "{levels:?}");
	assert!(levels[2].abs_diff(126) < 4, "{levels:?}");
}

#[tokio::test]
async fn a_filter_that_fails_falls_back() {
	let studio = Studio::new();
	let path = studio.make(
		"-f lavfi -i testsrc2=s=320x180:r=5:d=0.4 -c:v libx264 -preset ultrafast -pix_fmt yuv420p -color_trc smpte2084",
		"hdr.mkv",
	);
	// An FFmpeg without zscale.
	let poor = studio.path("ffmpeg");
	fs::write(
		&poor,
		"#!/bin/sh\ncase \"$*\" in *zscale*) exit 1;; esac\nexec ffmpeg \"$@\"\n",
	)
	.unwrap();
	fs::write(studio.path("ffprobe"), "#!/bin/sh\nexec ffprobe \"$@\"\n").unwrap();
	for name in ["ffmpeg", "ffprobe"] {
		fs::set_permissions(studio.path(name), fs::Permissions::from_mode(0o755)).unwrap();
	}
	let (decoder, _) = Decoder::open(&poor, &Input::File(path), false).await.unwrap();
	let reel = Reel::of(decoder).await;
	assert_eq!((reel.pictures.len(), reel.end), (2, Some(End::Over)));
}

#[tokio::test]
async fn music_shows_its_cover_once_and_plays_to_its_end() {
	let studio = Studio::new();
	studio.make("-f lavfi -i color=blue:s=500x500 -frames:v 1 -q:v 2", "cover.jpg");
	studio.make("-f lavfi -i sine=d=1.5:r=44100", "tone.wav");
	for (name, codec) in [("a.mp3", "libmp3lame"), ("a.m4a", "aac"), ("a.flac", "flac")] {
		let song =
			format!("-i tone.wav -i cover.jpg -map 0:a -map 1:v -c:v copy -disposition:v attached_pic -c:a {codec}");
		let (decoder, contents) = open(&studio.make(&song, name)).await;
		let contents = contents.unwrap();
		assert!(contents.picture.as_ref().unwrap().cover, "{name}: {contents}");
		let reel = Reel::of(decoder).await;
		assert_eq!((reel.pictures.len(), &reel.end), (1, &Some(End::Over)), "{name}");
		let (left, _, width, height) = {
			let picture = &reel.pictures[0].1;
			let blue = |x| colour(picture, x, HEIGHT / 2)[1] > 200;
			let columns: Vec<_> = (0..WIDTH).filter(|x| blue(*x)).collect();
			(columns[0], 0, columns.len(), HEIGHT)
		};
		assert!(
			left.abs_diff(187) < 4 && width.abs_diff(height) < 6,
			"{name}: {left} {width}"
		);
		let (length, off) = reel.sound();
		assert!(
			(length - 1.5).abs() < 0.1 && off < 0.001,
			"{name}: {length} s, off by {off} s"
		);
	}
	// Ogg has its cover in a comment, which FFmpeg reads as a picture too; without one there is none.
	let (decoder, contents) = open(&studio.make("-i tone.wav -c:a libvorbis", "a.ogg")).await;
	assert_eq!(contents.unwrap().picture, None);
	let reel = Reel::of(decoder).await;
	assert_eq!((reel.pictures.len(), &reel.end), (0, &Some(End::Over)));
}

#[tokio::test]
async fn a_film_with_a_cover_shows_the_film() {
	let studio = Studio::new();
	studio.make("-f lavfi -i color=blue:s=100x100 -frames:v 1", "cover.jpg");
	// The cover comes first.
	let film = "-i cover.jpg -f lavfi -i testsrc2=s=320x180:r=10:d=1 -map 0:v -map 1:v -c:v:0 copy -disposition:v:0 attached_pic \
	            -c:v:1 libx264 -preset ultrafast -pix_fmt yuv420p";
	let (decoder, contents) = open(&studio.make(film, "film.mp4")).await;
	assert!(!contents.unwrap().picture.unwrap().cover);
	assert_eq!(Reel::of(decoder).await.pictures.len(), 10);
}

#[tokio::test]
async fn one_track_may_end_before_the_other() {
	let studio = Studio::new();
	let encode = "-c:v libx264 -preset ultrafast -pix_fmt yuv420p -c:a aac";
	for (picture, sound) in [(0.5, 2.5), (2.5, 0.5)] {
		let source = format!("-f lavfi -i testsrc2=s=320x180:r=10:d={picture} -f lavfi -i sine=d={sound} {encode}");
		let path = studio.make(&source, "uneven.mp4");
		let start = Instant::now();
		let reel = Reel::of(open(&path).await.0).await;
		assert_eq!(reel.pictures.len(), (picture * 10.0) as usize);
		let (length, off) = reel.sound();
		assert!(
			(length - sound).abs() < 0.1 && off < 0.001,
			"{length} s, off by {off} s"
		);
		// At its own speed, and to the end of what is longer.
		assert!(start.elapsed() > Duration::from_secs_f64(2.2), "{:?}", start.elapsed());
		assert_eq!(reel.end, Some(End::Over));
	}
}

#[tokio::test]
async fn sound_is_not_held_back_where_the_picture_is_over() {
	let studio = Studio::new();
	let path = studio.make(
		"-f lavfi -i testsrc2=s=320x180:r=10:d=0.5 -f lavfi -i sine=d=20 -c:v libx264 -preset ultrafast -pix_fmt yuv420p -c:a aac",
		"short.mp4",
	);
	let mut decoder = open(&path).await.0;
	let start = Instant::now();
	let mut first = None;
	loop {
		if let Output::Sound { at, .. } = timeout(LIMIT, decoder.next()).await.unwrap() {
			first.get_or_insert(start.elapsed());
			if at > Duration::from_secs(2) {
				break;
			}
		}
	}
	let took = start.elapsed() - first.unwrap();
	assert!(took < Duration::from_secs(4), "{took:?}");
}

#[tokio::test]
async fn a_repeated_file_has_no_gap_in_its_sound_and_runs_at_its_own_speed() {
	let studio = Studio::new();
	let encode = "-c:v libx264 -preset ultrafast -pix_fmt yuv420p -c:a aac -ar 44100";
	// The picture ends first in one of them.
	for picture in [1.0, 0.5] {
		let source = format!("-f lavfi -i testsrc2=s=320x180:r=10:d={picture} -f lavfi -i sine=d=1 {encode}");
		let input = Input::File(studio.make(&source, "turn.mp4"));
		let (mut decoder, _) = Decoder::open(Path::new("ffmpeg"), &input, true).await.unwrap();
		let mut reel = Reel::default();
		let mut first = None;
		let reached = |at: Option<Duration>, seconds| at.is_some_and(|at| at.as_secs_f64() > seconds);
		while !(reached(reel.sounds.last().map(|(at, _)| *at), 3.2)
			&& reached(reel.pictures.last().map(|(at, _)| *at), 3.15))
		{
			assert!(reel.add(timeout(LIMIT, decoder.next()).await.unwrap()));
			first.get_or_insert_with(Instant::now);
		}
		let took = first.unwrap().elapsed();
		assert!(took > Duration::from_secs(3), "{took:?}");
		// Stamps are rounded to a sample.
		let (seconds, off) = reel.sound();
		assert!(seconds > 3.2 && off < 2.5 / 48_000.0, "{seconds} s, off by {off} s");
		// A tone of 440 Hz is never quiet for longer than a quarter of its period, at the seams neither.
		let all: Vec<_> = reel.sounds.iter().flat_map(|(_, samples)| samples).step_by(2).collect();
		let quiet = all.split(|sample| sample.unsigned_abs() > 600).map(<[_]>::len).max();
		assert!(quiet < Some(96), "quiet for {quiet:?} samples");
		let gap = reel.longest_gap().as_secs_f64();
		assert!((gap - (1.1 - picture)).abs() < 0.002, "{gap} s");
		let pictures = reel.pictures.iter().filter(|(at, _)| at.as_secs_f64() < 3.15).count();
		assert!(pictures.abs_diff((picture * 10.0) as usize * 3 + 2) <= 1, "{pictures}");
	}
}

#[tokio::test]
async fn captions_and_subtitles_of_a_file_are_known_before_it_plays() {
	let studio = Studio::new();
	let plain = studio.make(
		"-f lavfi -i testsrc2=s=320x180:r=30:d=1 -c:v libx264 -preset ultrafast -bsf:v h264_mp4toannexb -f h264",
		"plain",
	);
	let sei = b"\0\0\x01\x06\x04\x0e\xb5\0\x31GA94\x03\x41\xff\xfc\x94\x2c\xff\x80";
	let mut captioned = Vec::new();
	for (index, byte) in fs::read(plain).unwrap().iter().enumerate() {
		// Before each slice, behind the parameter sets of the first one.
		if matches!(captioned[..], [.., 0, 0, 1]) && matches!(byte & 0x1F, 1 | 5) && index > 3 {
			captioned.truncate(captioned.len() - 3);
			captioned.extend_from_slice(sei);
			captioned.extend_from_slice(&[0, 0, 1]);
		}
		captioned.push(*byte);
	}
	fs::write(studio.path("captioned"), captioned).unwrap();
	fs::write(studio.path("words.srt"), "1\n00:00:00,100 --> 00:00:00,900\nAhoy\n").unwrap();
	let inputs = "-f h264 -r 30 -i captioned -f lavfi -i sine=d=1";
	studio.make(
		&format!("{inputs} -i words.srt -map 0 -map 1 -map 2 -c:v copy -c:a aac -c:s mov_text"),
		"all.mp4",
	);
	studio.make(&format!("{inputs} -c:v copy -c:a mp2"), "captions.ts");
	studio.make("-f h264 -i plain -f lavfi -i sine=d=1 -c:v copy", "none.mp4");
	for (name, captions, subtitles) in [("all.mp4", true, 1), ("captions.ts", true, 0), ("none.mp4", false, 0)] {
		let (_decoder, contents) = open(&studio.path(name)).await;
		let contents = contents.unwrap();
		assert_eq!((contents.captions, contents.subtitles), (captions, subtitles), "{name}");
		assert!(contents.picture.is_some() && contents.sound.is_some());
	}
}

/// The fault: FFmpeg gives nothing of a file's sound before its first picture is decoded, and holds pictures back until others follow.
/// Where they are rare, sound came in a burst, too late, and the beginning was lost.
#[tokio::test]
async fn a_film_whose_pictures_are_rare_gives_all_of_it_in_time() {
	let studio = Studio::new();
	let encode = "-vsync vfr -c:v libx264 -pix_fmt yuv420p -g 60 -c:a aac";
	for (select, pictures) in [("eq(n,0)+gte(t,4)", 61), ("not(mod(n,60))", 3)] {
		let source =
			format!("-f lavfi -i testsrc2=s=320x180:r=30:d=6 -f lavfi -i sine=d=6 -vf select='{select}' {encode}");
		let mut decoder = open(&studio.make(&source, "rare.mp4")).await.0;
		let mut reel = Reel::default();
		let (mut first, mut latest) = (None, Duration::ZERO);
		loop {
			let output = timeout(LIMIT, decoder.next()).await.unwrap();
			if let Some(at) = output.at() {
				let passed = first.get_or_insert_with(Instant::now).elapsed();
				assert!(at <= passed + Duration::from_millis(50), "{at:?} after {passed:?}");
				latest = latest.max(passed.saturating_sub(at));
			}
			if !reel.add(output) {
				break;
			}
		}
		assert!(latest < Duration::from_secs(2), "late by {latest:?}");
		assert_eq!(
			(reel.pictures.len(), reel.pictures[0].0),
			(pictures, Duration::ZERO),
			"{select}"
		);
		let (length, off) = reel.sound();
		assert!((length - 6.0).abs() < 0.1 && off < 0.001, "{length} s, off by {off} s");
		assert!(reel.sounds[0].0 < Duration::from_millis(50));
		assert_eq!(reel.end, Some(End::Over));
	}
}

#[tokio::test]
async fn tracks_of_a_file_that_begin_apart_stay_apart_whatever_its_times_are() {
	let studio = Studio::new();
	let encode = "-c:v libx264 -preset ultrafast -pix_fmt yuv420p -g 10 -c:a aac";
	for (name, rest) in [("a.ts", "-output_ts_offset 5000"), ("a.mkv", ""), ("a.mp4", "")] {
		for (picture, sound) in [("", "-itsoffset 1"), ("-itsoffset 1", "")] {
			if name == "a.mp4" && !picture.is_empty() {
				// FFmpeg itself does not write that.
				continue;
			}
			let source = format!(
				"{picture} -f lavfi -i testsrc2=s=320x180:r=10:d=1 {sound} -f lavfi -i sine=d=1 {encode} {rest}"
			);
			let reel = Reel::of(open(&studio.make(&source, name)).await.0).await;
			let apart = reel.sounds[0].0.as_secs_f64() - reel.pictures[0].0.as_secs_f64();
			let expected = if picture.is_empty() { 1.0 } else { -1.0 };
			assert!((apart - expected).abs() < 0.06, "{name}: {apart} s");
			let first = reel.sounds[0].0.min(reel.pictures[0].0);
			assert!(first < Duration::from_millis(60), "{name}: {first:?}");
		}
	}
}

#[tokio::test]
async fn what_cannot_be_sought_is_repeated_all_the_same() {
	let studio = Studio::new();
	studio.make("-f lavfi -i color=blue:s=100x100 -frames:v 1", "one.jpg");
	let raw = "-f lavfi -i testsrc2=s=320x180:r=10:d=1 -c:v libx264 -preset ultrafast -pix_fmt yuv420p -f h264";
	studio.make(raw, "raw.h264");
	for (name, pictures) in [("one.jpg", 3), ("raw.h264", 25)] {
		let input = Input::File(studio.path(name));
		let (mut decoder, _) = Decoder::open(Path::new("ffmpeg"), &input, true).await.unwrap();
		let mut reel = Reel::default();
		while reel.pictures.len() < pictures {
			assert!(
				reel.add(timeout(LIMIT, decoder.next()).await.unwrap()),
				"{name}: {:?}",
				reel.end
			);
		}
		assert!(reel.pictures.windows(2).all(|pair| pair[0].0 < pair[1].0), "{name}");
	}
}

#[tokio::test]
async fn a_named_pipe_is_opened_once_and_played() {
	let studio = Studio::new();
	let fifo = studio.path("live.ts");
	nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRWXU).unwrap();
	let open = tokio::spawn({
		let fifo = fifo.clone();
		async move { open(&fifo).await }
	});
	let writer = Command::new("ffmpeg")
		.args(
			"-hide_banner -nostdin -loglevel error -y -f lavfi -i testsrc2=s=320x180:r=10:d=2 -f lavfi -i sine=d=2"
				.split(' '),
		)
		.args("-c:v libx264 -preset ultrafast -pix_fmt yuv420p -g 10 -c:a mp2 -f mpegts".split(' '))
		.arg(&fifo)
		.spawn()
		.unwrap();
	let (decoder, _) = timeout(LIMIT, open).await.unwrap().unwrap();
	let reel = Reel::of(decoder).await;
	assert!(writer.wait_with_output().unwrap().status.success());
	assert_eq!((reel.pictures.len(), &reel.end), (20, &Some(End::Over)));
	assert!((reel.sound().0 - 2.0).abs() < 0.1);

	let repeated = Decoder::open(Path::new("ffmpeg"), &Input::File(fifo), true)
		.await
		.map(|_| ());
	assert!(repeated.unwrap_err().to_string().ends_with("a pipe cannot be repeated"));
}

#[tokio::test]
async fn what_cannot_be_played_is_said_at_the_start() {
	let studio = Studio::new();
	let write = |name: &str, text: &[u8]| {
		fs::write(studio.path(name), text).unwrap();
		studio.path(name)
	};
	let name = |path: &Path| format!("input {}: ", path.display());
	let text = write("film.mp4", b"not a film");
	assert_eq!(refused(&text).await, name(&text) + &Cause::Incomplete.to_string());
	let noise = write("noise.bin", &[0xA5; 100_000]);
	assert_eq!(refused(&noise).await, name(&noise) + &Cause::Unreadable.to_string());
	let subtitles = write("a.srt", b"1\n00:00:00,000 --> 00:00:02,000\nHello\n");
	assert_eq!(
		refused(&subtitles).await,
		name(&subtitles) + "there is no video and no sound in it"
	);
	let missing = studio.path("missing.mp4");
	assert!(refused(&missing).await.starts_with(&name(&missing)));
	assert!(
		refused(studio.0.path()).await.ends_with("is a directory"),
		"{}",
		refused(studio.0.path()).await
	);
}

#[tokio::test]
async fn a_playlist_of_urls_reaches_nobody() {
	let server = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
	server.set_nonblocking(true).unwrap();
	let url = format!("http://{}/a.ts", server.local_addr().unwrap());
	let studio = Studio::new();
	for (name, text) in [
		(
			"list.m3u8",
			format!("#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\n{url}\n#EXT-X-ENDLIST\n"),
		),
		("list.ffconcat", format!("ffconcat version 1.0\nfile {url}\n")),
	] {
		let path = studio.path(name);
		fs::write(&path, text).unwrap();
		refused(&path).await;
	}
	let called = server.accept().map(|_| ());
	assert_eq!(called.unwrap_err().kind(), io::ErrorKind::WouldBlock);
}

#[tokio::test]
async fn a_film_that_changes_in_the_middle_is_played_through() {
	let studio = Studio::new();
	let encode = "-c:v libx264 -preset ultrafast -g 5 -f mpegts";
	let mut film = Vec::new();
	for (n, (size, rest)) in [
		("320x180", "-pix_fmt yuv420p"),
		("640x480", "-pix_fmt yuv420p"),
		("640x480", "-pix_fmt yuvj420p -vf setsar=4/3"),
		("322x242", "-pix_fmt yuv422p"),
	]
	.into_iter()
	.enumerate()
	{
		let part = format!(
			"-f lavfi -i color=white:s={size}:r=10:d=0.5 {rest} {encode} -output_ts_offset {}",
			n as f64 * 0.5
		);
		film.extend(fs::read(studio.make(&part, "part.ts")).unwrap());
	}
	let path = studio.path("film.ts");
	fs::write(&path, film).unwrap();
	let reel = Reel::of(open(&path).await.0).await;
	assert_eq!((reel.pictures.len(), &reel.end), (20, &Some(End::Over)));
	let widths: Vec<_> = [2, 7, 12, 17].map(|n| bright(&reel.pictures[n].1).2).into();
	for (got, expected) in widths.iter().zip([854, 640, 854, 638]) {
		assert!(got.abs_diff(expected) <= 3, "{widths:?}");
	}
}

#[tokio::test]
async fn sound_of_any_rate_and_layout_is_stereo_at_48_khz_with_its_stamps() {
	let studio = Studio::new();
	for (source, encode) in [
		("sine=d=0.6:r=8000", "-c:a pcm_s16le"),
		("sine=d=0.6:r=44100", "-c:a aac"),
		("sine=d=0.6:r=96000", "-c:a flac"),
		("aevalsrc=0|0|0.5*sin(2764*t)|0|0|0:c=5.1:d=0.6", "-c:a ac3"),
		("aevalsrc=0.5*sin(2764*t)|0|0:c=2.1:d=0.6", "-c:a flac"),
	] {
		let path = studio.make(&format!("-f lavfi -i {source} {encode}"), "sound.mkv");
		let reel = Reel::of(open(&path).await.0).await;
		let (length, off) = reel.sound();
		assert!(
			(length - 0.6).abs() < 0.1 && off < 0.002,
			"{source}: {length} s, off by {off} s"
		);
		// A voice in the middle is heard on both sides.
		let sides = |side| {
			reel.sounds
				.iter()
				.flat_map(|(_, s)| s.iter().skip(side).step_by(2))
				.map(|s| s.saturating_abs())
				.max()
		};
		assert!(reel.loudest() > 2_000, "{source}");
		if !source.contains("2.1") {
			assert!(sides(0).unwrap().abs_diff(sides(1).unwrap()) < 500, "{source}");
		}
	}
}

/// Half a minute of a track would be long: pictures, 30 a second.
const PICTURES: &str = "-f lavfi -i testsrc2=s=320x180:r=30:d=1 -c:v libx264 -preset ultrafast -pix_fmt yuv420p -g 15";

fn push_all(track: &mut Track, tags: &[Tag]) {
	for tag in tags {
		track.push(tag).unwrap();
	}
}

#[tokio::test]
async fn a_publishers_pictures_keep_their_stamps() {
	let studio = Studio::new();
	for (what, arguments) in [
		("as they come", "-bf 0"),
		("with B-frames", "-bf 2 -preset veryfast"),
		("that jump an hour ahead", "-bf 0"),
	] {
		let mut tags = studio.tags(&format!("{PICTURES} {arguments}"));
		if what.contains("jump") {
			let late = tags.len() / 2;
			tags[late..].iter_mut().for_each(|tag| tag.stamp += 3_600_000);
		}
		let mut expected: Vec<_> = tags
			.iter()
			.filter_map(|tag| match tag.content() {
				Ok(Content::Frame { offset, .. }) => Some(i64::from(tag.stamp) + i64::from(offset)),
				_ => None,
			})
			.collect();
		expected.sort_unstable();
		let mut track = Track::new("ffmpeg");
		push_all(&mut track, &tags);
		let reel = Reel::track(track).await;
		let got: Vec<_> = reel.pictures.iter().map(|(at, _)| at.as_micros() as i64).collect();
		// The queue may drop the oldest while nothing is taken: here it is taken all the time.
		assert_eq!(got.len(), expected.len(), "{what}");
		for (got, expected) in got.iter().zip(&expected) {
			assert!((got - expected * 1_000).abs() < 100, "{what}: {got} {expected}");
		}
	}
}

#[tokio::test]
async fn a_publishers_sound_keeps_its_stamps_over_a_hole() {
	let studio = Studio::new();
	let mut tags = studio.tags("-f lavfi -i sine=d=1:r=44100 -c:a aac -ac 1");
	let hole = tags.len() / 2;
	tags[hole..].iter_mut().for_each(|tag| tag.stamp += 700);
	let mut track = Track::new("ffmpeg");
	push_all(&mut track, &tags);
	let reel = Reel::track(track).await;
	let jumps: Vec<_> = reel
		.sounds
		.windows(2)
		.map(|pair| pair[1].0.as_secs_f64() - pair[0].0.as_secs_f64() - pair[0].1.len() as f64 / 96_000.0)
		.filter(|jump| jump.abs() > 0.01)
		.collect();
	assert_eq!(jumps.len(), 1, "{jumps:?}");
	assert!((jumps[0] - 0.7).abs() < 0.03, "{jumps:?}");
}

#[tokio::test]
async fn another_sequence_header_is_another_decoder_and_loses_nothing() {
	let studio = Studio::new();
	let mut track = Track::new("ffmpeg");
	let encode = "-c:v libx264 -preset ultrafast -pix_fmt yuv420p";
	for (n, size) in ["320x180", "360x640"].into_iter().enumerate() {
		let mut tags = studio.tags(&format!("-f lavfi -i color=white:s={size}:r=10:d=0.5 {encode}"));
		tags.iter_mut().for_each(|tag| tag.stamp += n as u32 * 500);
		// The same header again, as OBS sends it, changes nothing.
		let header = tags[0].clone();
		tags.insert(3, header);
		push_all(&mut track, &tags);
	}
	let reel = Reel::track(track).await;
	assert_eq!(reel.pictures.len(), 10);
	assert!(bright(&reel.pictures[4].1).2 > 850);
	assert!(bright(&reel.pictures[5].1).2.abs_diff(270) < 4);
}

#[tokio::test]
async fn another_header_before_each_picture_starts_no_decoder_for_each() {
	let studio = Studio::new();
	let tags = studio.tags(&format!("{PICTURES} -g 1"));
	let (header, pictures) = tags.split_first().unwrap();
	let mut track = Track::new("ffmpeg");
	let start = Instant::now();
	for (n, picture) in pictures.iter().cycle().take(200).enumerate() {
		let mut other = header.clone();
		other.body = [&header.body[..], &[n as u8]].concat().into();
		track.push(&other).unwrap();
		track.push(picture).unwrap();
	}
	let due = start.elapsed().as_secs_f64() / track::START_PAUSE.as_secs_f64();
	let started = track.started();
	assert!(started <= u64::from(track::STARTS) + due.ceil() as u64, "{started}");
	// Once that is over there are pictures again.
	let mut came = None;
	while came.is_none() {
		assert!(start.elapsed() < LIMIT);
		for tag in &tags {
			track.push(tag).unwrap();
		}
		let before = track.started();
		if let Ok(Output::Picture { at, .. }) = timeout(Duration::from_millis(200), track.next()).await {
			came = (before > started).then_some(at);
		}
	}
}

#[tokio::test]
async fn broken_pictures_end_nothing() {
	let studio = Studio::new();
	let mut tags = studio.tags(PICTURES);
	for tag in &mut tags[4..10] {
		let mut body = tag.body.to_vec();
		body[9..]
			.iter_mut()
			.for_each(|byte| *byte = byte.wrapping_mul(31).wrapping_add(7));
		tag.body = body.into();
	}
	let mut track = Track::new("ffmpeg");
	push_all(&mut track, &tags);
	let reel = Reel::track(track).await;
	let last = reel.pictures.last().unwrap().0;
	assert!(last > Duration::from_millis(900), "{last:?}");
	// From the next key frame on all are there.
	assert!(
		reel.pictures
			.iter()
			.filter(|(at, _)| *at >= Duration::from_millis(500))
			.count() >= 14
	);
}

#[tokio::test]
async fn a_killed_decoder_is_replaced_at_the_next_key_frame() {
	let studio = Studio::new();
	// Kills itself on its first start, after the first picture.
	let fragile = studio.path("ffmpeg");
	let script = "#!/bin/sh\nif mkdir \"$0.once\" 2>/dev/null; then ffmpeg \"$@\" | head -c 620000; kill -9 $$; fi\nexec ffmpeg \"$@\"\n";
	fs::write(&fragile, script).unwrap();
	fs::set_permissions(&fragile, fs::Permissions::from_mode(0o755)).unwrap();
	let tags = studio.tags(PICTURES);
	let mut track = Track::new(&fragile);
	let (mut pictures, mut round) = (0, 0_u32);
	let start = Instant::now();
	// A publisher that goes on: a second of pictures, again and again.
	while pictures < 20 {
		assert!(start.elapsed() < LIMIT);
		for tag in &tags[usize::from(round > 0)..] {
			let tag = Tag {
				stamp: tag.stamp + round * 1_000,
				..tag.clone()
			};
			track.push(&tag).unwrap();
			while let Ok(Output::Picture { .. }) = timeout(Duration::from_millis(10), track.next()).await {
				pictures += 1;
			}
		}
		round += 1;
	}
	assert!(studio.path("ffmpeg.once").exists());
}

#[tokio::test]
async fn a_decoder_that_is_not_read_goes_on_and_drops_the_oldest() {
	let studio = Studio::new();
	let tags = studio.tags(PICTURES);
	let mut track = Track::new("ffmpeg");
	push_all(&mut track, &tags);
	// Nobody takes anything until all are decoded.
	let start = Instant::now();
	while track.dropped() < 22 {
		assert!(start.elapsed() < LIMIT);
		tokio::time::sleep(Duration::from_millis(5)).await;
	}
	let reel = Reel::track(track).await;
	assert_eq!(reel.pictures.len(), 8);
	assert!(reel.pictures[7].0 > Duration::from_millis(950));
}

#[tokio::test]
async fn the_test_picture_has_both_tracks() {
	let (mut decoder, _) = Decoder::open(Path::new("ffmpeg"), &Input::Test, false).await.unwrap();
	let mut reel = Reel::default();
	while reel.pictures.len() < 15 || reel.sounds.is_empty() {
		assert!(reel.add(timeout(LIMIT, decoder.next()).await.unwrap()));
	}
	assert!(reel.longest_gap() < Duration::from_millis(34));
}

#[tokio::test]
async fn a_device_that_is_no_camera_says_so() {
	let open = |path: &str| {
		let input = Input::Device(path.into());
		async move { Decoder::open(Path::new("ffmpeg"), &input, false).await }
	};
	let mut decoder = open("/dev/null").await.unwrap().0;
	let end = timeout(LIMIT, decoder.next()).await.unwrap();
	assert_eq!(end, Output::End(End::Failed(Cause::NoCamera)));
	assert!(open("/dev/no-video").await.is_err());
}
