//! For tests: windows that FFmpeg made.

use bytes::Bytes;
use clustercast_media::fragment::{self, Fragment, Layout, Run};
use clustercast_primitives::{catalog::Track, crypto::KeyPair, text::Text, window::flags, Hash, StreamId};
use clustercast_protocol::{Broadcast, EncodedWindow, Timing};
use clustercast_testing::clip;

/// Inputs and what they are encoded as.
pub type Kind = (&'static str, bool);

/// Picture and sound.
pub const SOUND: Kind = ("160x90", true);
/// The same without sound.
pub const MUTE: Kind = ("160x90", false);
/// Larger.
pub const OTHER: Kind = ("320x180", true);

/// The capture of the first window of a clip.
const T0: u64 = 1_700_000_000_000;

/// Windows of two seconds, not signed yet.
pub struct Clip {
	pub init: Bytes,
	pub windows: Vec<Bytes>,
	pub flags: u16,
	/// Before the window of this number the broadcaster was away for so long, milliseconds.
	pub pause: Option<(usize, u64)>,
	track: Track,
	broadcast: Broadcast,
	made: usize,
	/// Capture of the next one.
	pub start_ms: u64,
}

impl Clip {
	pub fn new((size, sound): Kind, windows: usize) -> Self {
		let film = clip::Clip {
			size,
			channels: if sound { 2 } else { 0 },
			// The first is longer by the sound's priming: it is left out.
			seconds: 2 * windows as u32 + 2,
			more: "",
		};
		let (init, mut all) = fragment::cut(&film.mp4()).unwrap();
		all.remove(0);
		all.truncate(windows);
		assert_eq!(all.len(), windows);
		let codecs = if sound { "avc1.42c00b,mp4a.40.2" } else { "avc1.42c00b" };
		let (width, height) = size.split_once('x').unwrap();
		let track = Track {
			codecs: Text::try_from(codecs).unwrap(),
			bitrate: 300_000,
			width: width.parse().unwrap(),
			height: height.parse().unwrap(),
			rate: 30_000,
			..Track::unknown(&init)
		};
		Self {
			init,
			windows: all,
			flags: 0,
			pause: None,
			track,
			broadcast: broadcast(9),
			made: 0,
			start_ms: T0,
		}
	}

	fn sign(&mut self, data: &[u8], windows: u32) -> EncodedWindow {
		if let Some((_, pause)) = self.pause.filter(|(before, _)| *before == self.made) {
			self.start_ms += pause;
		}
		self.broadcast.describe(self.track.clone(), self.init.clone());
		let timing = Timing {
			flags: flags::INDEPENDENT | flags::LAST_PART | self.flags,
			start_ms: self.start_ms,
			duration_ms: 2_000 * windows,
		};
		self.start_ms += u64::from(timing.duration_ms);
		self.made += windows as usize;
		self.broadcast.sign(timing, data).unwrap()
	}

	/// All windows from the next one on.
	pub fn all(&mut self) -> Vec<EncodedWindow> {
		self.some(self.windows.len() - self.made)
	}

	/// The next so many.
	pub fn some(&mut self, count: usize) -> Vec<EncodedWindow> {
		let windows = self.windows[self.made..self.made + count].to_vec();
		windows.iter().map(|window| self.sign(window, 1)).collect()
	}

	/// The encoder begins again with its first window; the broadcast goes on.
	pub fn again(&mut self) {
		self.made = 0;
	}

	/// All of it behind another clip's window, in the same epoch.
	pub fn after(mut self, window: &EncodedWindow) -> Vec<EncodedWindow> {
		self.broadcast.resume(window);
		self.start_ms = window.header().start_ms + 2_000;
		self.all()
	}

	/// The next so many as a single window.
	pub fn joined(&mut self, windows: u32) -> EncodedWindow {
		let layout = Layout::read(&self.init).unwrap();
		let mut runs: Vec<Run> = Vec::new();
		for window in &self.windows[self.made..self.made + windows as usize] {
			for run in Fragment::read(&layout, window).unwrap().runs {
				match runs.iter_mut().find(|before| before.track == run.track) {
					Some(before) => before.samples.extend(run.samples),
					None => runs.push(run),
				}
			}
		}
		self.sign(&fragment::write(1, &runs), windows)
	}
}

fn broadcast(epoch: u32) -> Broadcast {
	let key = KeyPair::from_seed([1; 32]);
	let title = Text::try_from("A \"title\" & more").unwrap();
	Broadcast::begin(key, Hash([2; 32]), StreamId(1), epoch, Hash([0; 32]), 0).titled(title)
}
