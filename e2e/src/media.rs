//! What was broadcast and what arrived: window logs, the files beside them, and what FFmpeg makes of them.

use crate::process::{output, tool};
use anyhow::{bail, ensure, Context, Result};
use clustercast_primitives::{merkle, Hash};
use serde::Deserialize;
use std::{collections::BTreeMap, ffi::OsStr, fs, ops::Range, path::Path, time::Duration};
use tokio::process::Command;

/// Longest that FFmpeg may take over a file of a test, at about 50 times real time.
const PATIENCE: Duration = Duration::from_secs(120);

/// A line of a window log, of the origin or of a player.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Window {
	/// Segment number.
	pub segment: u64,
	/// Part of the segment.
	pub part: u16,
	/// Length, bytes.
	pub bytes: u32,
	/// Root over its chunks.
	pub root: Hash,
	/// Capture of its first frame: Unix time, milliseconds.
	pub start_ms: u64,
	/// Origin: when it was published. Unix time, milliseconds.
	pub published_ms: Option<u64>,
	/// Player: when it was verified and written. Unix time, milliseconds.
	pub playable_ms: Option<u64>,
	/// Player: peer id of the relayer that delivered it.
	pub relayer: Option<String>,
}

impl Window {
	/// Its place in the stream.
	pub fn place(&self) -> (u64, u16) {
		(self.segment, self.part)
	}
}

/// All complete lines of a window log; none where there is no such file yet.
pub fn window_log(path: &Path) -> Result<Vec<Window>> {
	let text = match fs::read_to_string(path) {
		Ok(text) => text,
		Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
		Err(error) => return Err(error).with_context(|| path.display().to_string()),
	};
	text.split_inclusive('\n')
		.filter(|line| line.ends_with('\n'))
		.map(|line| serde_json::from_str(line).with_context(|| format!("{}: {line:?}", path.display())))
		.collect()
}

/// Milliseconds from capture to playable, one for each window of a player's log.
pub fn latencies_ms(log: &[Window]) -> Vec<u64> {
	log.iter()
		.filter_map(|w| w.playable_ms.map(|at| at.saturating_sub(w.start_ms)))
		.collect()
}

/// The value below which `percent` of the values lie (nearest rank); `None` of none.
pub fn percentile(values: &[u64], percent: usize) -> Option<u64> {
	let mut sorted = values.to_vec();
	sorted.sort_unstable();
	let rank = (sorted.len() * percent).div_ceil(100).max(1);
	sorted.get(rank - 1).copied()
}

/// A media file and its window log: initialisation segments and windows, in order.
pub struct Recording {
	bytes: Vec<u8>,
	/// By place: the initialisation segment in force, and the window.
	windows: BTreeMap<(u64, u16), (Range<usize>, Range<usize>)>,
	/// As the log has them.
	roots: BTreeMap<(u64, u16), Hash>,
}

impl Recording {
	/// Reads the origin's record, whose log may be longer than what is wanted of it.
	///
	/// # Errors
	/// When the file is not what the log says: initialisation segments and windows without a gap, each window with the
	/// root that stands in the log.
	pub fn open(file: &Path, log: &Path) -> Result<Self> {
		let recording = Self::read(file, log)?;
		for (place, (_, data)) in &recording.windows {
			let data = &recording.bytes[data.clone()];
			ensure!(
				merkle::root(&merkle::leaves(data, merkle::DEFAULT_CHUNK_LOG2)) == recording.roots[place],
				"{}: window {place:?} does not have the root of the log",
				file.display()
			);
		}
		Ok(recording)
	}

	/// Reads a player's output: windows whose media times were moved, so that the file begins at 0.
	pub fn read(file: &Path, log: &Path) -> Result<Self> {
		// The log first: a program that still runs writes a window before it logs it.
		let log_lines = window_log(log)?;
		let bytes = fs::read(file).with_context(|| file.display().to_string())?;
		let (mut windows, mut roots) = (BTreeMap::new(), BTreeMap::new());
		let (mut init, mut at) = (0..0, 0);
		for window in log_lines {
			if box_type(&bytes[at..]) == Some(*b"ftyp") {
				let end = init_end(&bytes, at).with_context(|| format!("{}: init at {at}", file.display()))?;
				(init, at) = (at..end, end);
			}
			let end = at + window.bytes as usize;
			ensure!(
				end <= bytes.len(),
				"{} ends before window {:?}",
				file.display(),
				window.place()
			);
			roots.insert(window.place(), window.root);
			let earlier = windows.insert(window.place(), (init.clone(), at..end));
			ensure!(
				earlier.is_none(),
				"{}: window {:?} twice",
				log.display(),
				window.place()
			);
			at = end;
		}
		Ok(Self { bytes, windows, roots })
	}

	/// Number of windows.
	pub fn len(&self) -> usize {
		self.windows.len()
	}

	/// Whether there is no window.
	pub fn is_empty(&self) -> bool {
		self.windows.is_empty()
	}

	/// How many windows of `player` are not what was broadcast at their place, behind the initialisation segment that was; but for the
	/// media times.
	pub fn foreign(&self, player: &Self) -> usize {
		let own = |place: &(u64, u16), init: &Range<usize>, data: &Range<usize>| {
			let Some((right_init, right)) = self.windows.get(place) else {
				return false;
			};
			let (mut right, mut written) = (self.bytes[right.clone()].to_vec(), player.bytes[data.clone()].to_vec());
			forget_times(&mut right);
			forget_times(&mut written);
			self.bytes[right_init.clone()] == player.bytes[init.clone()] && right == written
		};
		let foreign = player
			.windows
			.iter()
			.filter(|(place, (init, data))| !own(place, init, data));
		foreign.count()
	}

	/// Checks that `player` wrote exactly what was broadcast: every window from its first to its last without a gap,
	/// the initialisation segment first and again only where it changes, and not one byte else; but for the media times.
	pub fn check_output(&self, player: &Self) -> Result<()> {
		let (Some(first), Some(last)) = (player.windows.keys().next(), player.windows.keys().last()) else {
			bail!("the player wrote no window");
		};
		let (mut expected, mut in_force) = (Vec::new(), &[][..]);
		for (init, data) in self.windows.range(first..=last).map(|(_, ranges)| ranges) {
			let init = &self.bytes[init.clone()];
			if init != in_force {
				expected.extend_from_slice(init);
				in_force = init;
			}
			expected.extend_from_slice(&self.bytes[data.clone()]);
		}
		for (place, root) in &player.roots {
			ensure!(
				self.roots.get(place) == Some(root),
				"window {place:?} was not broadcast"
			);
		}
		let (mut expected, mut written) = (expected, player.bytes.clone());
		forget_times(&mut expected);
		forget_times(&mut written);
		let differs = expected.iter().zip(&written).position(|(a, b)| a != b);
		if let Some(at) = differs {
			bail!("the player's output differs from the broadcast at byte {at}");
		}
		ensure!(
			expected.len() == player.bytes.len(),
			"the player wrote {} bytes, broadcast were {}",
			player.bytes.len(),
			expected.len()
		);
		Ok(())
	}
}

/// Makes all decode times zero: what is in `moof`, `traf`, `tfdt` behind version and flags.
fn forget_times(bytes: &mut [u8]) {
	let mut rest = bytes;
	while let Some(kind) = box_type(rest) {
		let length = rest[..4].try_into().map_or(0, u32::from_be_bytes) as usize;
		if length < 8 || length > rest.len() {
			return;
		}
		let (whole, behind) = std::mem::take(&mut rest).split_at_mut(length);
		match &kind {
			b"moof" | b"traf" => forget_times(&mut whole[8..]),
			b"tfdt" if length > 12 => whole[12..].fill(0),
			_ => {},
		}
		rest = behind;
	}
}

/// Type of the ISO BMFF box at the start of `bytes`.
fn box_type(bytes: &[u8]) -> Option<[u8; 4]> {
	bytes.get(4..8)?.try_into().ok()
}

/// End of the `ftyp` and `moov` at `start`.
fn init_end(bytes: &[u8], start: usize) -> Option<usize> {
	let mut at = start;
	loop {
		let size: [u8; 4] = bytes.get(at..at + 4)?.try_into().ok()?;
		let kind = box_type(&bytes[at..])?;
		at += usize::try_from(u32::from_be_bytes(size))
			.ok()
			.filter(|size| *size >= 8)?;
		if kind == *b"moov" {
			return (at <= bytes.len()).then_some(at);
		}
	}
}

/// A stream of a media file, as ffprobe names it.
#[derive(Debug, Deserialize, PartialEq, Eq)]
pub struct MediaStream {
	/// `h264`, `aac`.
	pub codec_name: String,
	/// Pixels; video only.
	pub width: Option<u32>,
	/// Pixels; video only.
	pub height: Option<u32>,
}

/// Streams of a file or URL; an error where ffprobe has anything to complain about.
pub async fn probe(input: impl AsRef<OsStr>) -> Result<Vec<MediaStream>> {
	#[derive(Deserialize)]
	struct Probe {
		streams: Vec<MediaStream>,
	}
	let mut command = Command::new(tool("ffprobe")?);
	command.args(["-v", "error", "-show_streams", "-of", "json"]).arg(input);
	let output = output(&mut command, PATIENCE).await?;
	let complaints = String::from_utf8_lossy(&output.stderr);
	ensure!(
		output.status.success() && complaints.is_empty(),
		"ffprobe: {complaints}"
	);
	Ok(serde_json::from_slice::<Probe>(&output.stdout)?.streams)
}

/// Decodes every frame of a file or URL, at most `seconds` of it; an error where FFmpeg has anything to complain about.
/// Returns the number of video frames.
pub async fn decode(input: impl AsRef<OsStr>, seconds: u32) -> Result<u64> {
	let mut command = Command::new(tool("ffmpeg")?);
	command
		.args(["-nostdin", "-v", "error", "-progress", "-", "-i"])
		.arg(input);
	command.args(["-t", &seconds.to_string(), "-f", "null", "-"]);
	let output = output(&mut command, PATIENCE).await?;
	let complaints = String::from_utf8_lossy(&output.stderr);
	ensure!(output.status.success() && complaints.is_empty(), "ffmpeg: {complaints}");
	let progress = String::from_utf8_lossy(&output.stdout);
	let frames = progress.lines().rev().find_map(|line| line.strip_prefix("frame="));
	frames
		.context("ffmpeg counted no frame")?
		.trim()
		.parse()
		.context("ffmpeg's frame count")
}

#[cfg(test)]
mod tests {
	use super::*;
	use std::{fmt::Write, path::PathBuf};

	fn boxed(kind: &[u8; 4], content: &[u8]) -> Vec<u8> {
		let mut bytes = u32::try_from(content.len() + 8).unwrap().to_be_bytes().to_vec();
		bytes.extend_from_slice(kind);
		bytes.extend_from_slice(content);
		bytes
	}

	fn init(of: u8) -> Vec<u8> {
		[boxed(b"ftyp", b"iso6"), boxed(b"moov", &[of; 20])].concat()
	}

	/// Writes a recording of (segment, content) and inits before the segments named.
	fn write(dir: &Path, name: &str, pieces: &[(u64, &[u8])], inits: &[(u64, Vec<u8>)]) -> (PathBuf, PathBuf) {
		let (mut media, mut log) = (Vec::new(), String::new());
		for (segment, content) in pieces {
			let data = boxed(b"moof", content);
			for (_, init) in inits.iter().filter(|(at, _)| at == segment) {
				media.extend_from_slice(init);
			}
			let root = merkle::root(&merkle::leaves(&data, merkle::DEFAULT_CHUNK_LOG2));
			let bytes = data.len();
			writeln!(
				log,
				r#"{{"segment":{segment},"part":0,"bytes":{bytes},"root":"{root}","startMs":1}}"#
			)
			.unwrap();
			media.extend_from_slice(&data);
		}
		let paths = (dir.join(name), dir.join(format!("{name}.log")));
		fs::write(&paths.0, media).unwrap();
		fs::write(&paths.1, log).unwrap();
		paths
	}

	#[test]
	fn output_matches_only_the_broadcast_itself() {
		let dir = tempfile::tempdir().unwrap();
		let all: [(u64, &[u8]); 5] = [(0, b"aa"), (1, b"bbb"), (2, b"c"), (3, b"dd"), (4, b"e")];
		let open = |name: &str, pieces: &[(u64, &[u8])], inits: &[(u64, Vec<u8>)]| {
			let (file, log) = write(dir.path(), name, pieces, inits);
			Recording::open(&file, &log)
		};
		let origin = open("origin", &all, &[(0, init(1)), (3, init(2))]).unwrap();
		let check = |name: &str, pieces: &[(u64, &[u8])], inits: &[(u64, Vec<u8>)]| {
			origin.check_output(&open(name, pieces, inits).unwrap())
		};
		check("middle", &all[1..4], &[(1, init(1)), (3, init(2))]).unwrap();
		check("late", &all[3..], &[(3, init(2))]).unwrap();
		let foreign = |name: &str, pieces: &[(u64, &[u8])], inits: &[(u64, Vec<u8>)]| {
			origin.foreign(&open(name, pieces, inits).unwrap())
		};
		assert_eq!(
			foreign("with a gap", &[all[1], all[3]], &[(1, init(1)), (3, init(2))]),
			0
		);
		assert_eq!(foreign("one other", &[all[1], (2, b"X")], &[(1, init(1))]), 1);
		assert_eq!(foreign("another init", &[all[3]], &[(3, init(1))]), 1);
		check("gap", &[all[1], all[3]], &[(1, init(1)), (3, init(2))]).unwrap_err();
		check("other", &[(1, b"bbX")], &[(1, init(1))]).unwrap_err();
		check("old init", &all[1..4], &[(1, init(1))]).unwrap_err();
		check("init twice", &all[1..3], &[(1, init(1)), (2, init(1))]).unwrap_err();
		check("nothing", &[], &[]).unwrap_err();
		let (file, log) = write(dir.path(), "cut", &all, &[(0, init(1))]);
		let mut bytes = fs::read(&file).unwrap();
		bytes.pop();
		fs::write(&file, bytes).unwrap();
		assert!(Recording::open(&file, &log).is_err());
	}

	#[test]
	fn only_times_may_differ() {
		let window = |time: u8, data: u8| {
			let tfdt = boxed(b"tfdt", &[1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, time]);
			[boxed(b"moof", &boxed(b"traf", &tfdt)), boxed(b"mdat", &[data])].concat()
		};
		let without = |mut bytes: Vec<u8>| {
			forget_times(&mut bytes);
			bytes
		};
		assert_eq!(without(window(1, 7)), without(window(2, 7)));
		assert_ne!(without(window(1, 7)), without(window(1, 8)));
	}

	#[test]
	fn percentiles_are_of_the_values() {
		let values: Vec<u64> = (1..=20).rev().collect();
		assert_eq!(percentile(&values, 50), Some(10));
		assert_eq!(percentile(&values, 95), Some(19));
		assert_eq!(percentile(&[7], 95), Some(7));
		assert_eq!(percentile(&[], 50), None);
	}
}
