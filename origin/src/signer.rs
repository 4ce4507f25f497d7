//! Gives each window its place and signs it, over restarts of the encoder and of this program.
//!
//! Each run of the program is an epoch of its own, numbered by a block of the chain that no earlier run can have used: so
//! no place is signed twice, not even by one that lost its disk. A run begins another one where its times have to go back, since the
//! system's clock was set: peers hold that times of an epoch do not. Within an epoch the newest window is on disk, whole, before
//! anyone else sees it. The next run begins by serving that same window anew, so that what relayers follow has no hole,
//! and by signing how the epoch before ended: its own statuses name that one by hash. Its media time goes on where that window
//! ends.
//!
//! For low latency the newest part is handed to the system before anyone sees it, and nobody waits for the disk: it survives a crash of
//! this program, not a power cut. So a file beside it, on disk before the first part is published, says in which run of the machine that
//! is so; after another start of the machine what was kept counts as lost. An end in order waits for the disk, and removes it.
//!
//! State: `stream-N.window` in a folder that one process at a time holds by a lock file. The content is bound to
//! stream, key and chain by the header's own signature, and to itself by a hash.
//!
//! What is on disk is the newest window that anybody may have seen, or nothing: never an older one, from which the next run
//! would sign an end that is not true. So where a disk is full the older window is removed before the next one is published,
//! and the broadcast goes on. A run that is started after that begins behind all before it, as one that lost its disk; as
//! soon as there is room a window is kept again. Where not even that can be removed, a window is held back.

use crate::encoder::Window;
use bytes::Bytes;
use clustercast_chain::files;
use clustercast_media::{
	mux::{MediaTime, PICTURE_TIMESCALE},
	picture::{HEIGHT, RATE, WIDTH},
};
use clustercast_primitives::{
	catalog::{kind, SignedCatalog, Track, MAX_INIT_BYTES},
	crypto::{sha256, KeyPair},
	ext::Items,
	status::{SignedStatus, State},
	text::Text,
	window::{flags, HeaderError, SignedHeader, MAX_WINDOW_BYTES},
	BlockNumber, Hash, History, StreamId,
};
use clustercast_protocol::{
	window::{EncodedWindow, Setting, WindowError},
	Broadcast, Timing,
};
use codec::{Decode, DecodeAll, Encode};
use std::{
	fs::{self, File, TryLockError},
	io::{self, Read},
	path::{Path, PathBuf},
	sync::Arc,
};

/// Largest state file: initialisation segment, window, and what is signed.
const MAX_STATE_BYTES: u64 = MAX_WINDOW_BYTES as u64 + MAX_INIT_BYTES as u64 + 64 * 1024;

/// Segments of a broadcast that knows of none before count from tenths of a second since 1970: more than any that began
/// earlier can have reached.
const MS_PER_SEGMENT: u64 = 100;

/// Bytes of the hash that the state ends with.
const CHECKSUM: usize = 32;

/// Of picture and sound together, bits a second: what encoders are told.
const BITRATE: u32 = 1_478_000;

/// Why the chain of headers cannot be continued.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SignerError {
	/// The folder or the file cannot be read or written.
	#[error("state {}: {error}", .path.display())]
	File {
		/// Which.
		path: PathBuf,
		/// From the file system.
		error: io::Error,
	},
	/// Another process broadcasts with this state.
	#[error("state {}: in use by another process", .0.display())]
	InUse(PathBuf),
	/// The file is damaged. To start over would leave a hole that nobody asked for, so it is not done.
	#[error("state {}: damaged ({reason}); restore it, or remove it to begin behind what was lost", .path.display())]
	Damaged {
		/// Which.
		path: PathBuf,
		/// What is wrong with it.
		reason: String,
	},
	/// The file is of another stream, signing key or chain.
	#[error("state {}: of another stream, signing key or chain; use another folder", .0.display())]
	Foreign(PathBuf),
	/// The epoch is not later than the one that was used last.
	#[error("epoch {epoch} is not after {last}, the one of the last run")]
	EpochUsed {
		/// That was to begin.
		epoch: BlockNumber,
		/// On disk.
		last: BlockNumber,
	},
	/// The encoder made something that is no window.
	#[error(transparent)]
	Window(#[from] WindowError),
}

/// What is on disk: the newest window and what belongs to it, as SCALE.
#[derive(Encode, Decode)]
struct Stored {
	header: SignedHeader,
	catalog: SignedCatalog,
	history: History,
	/// The newest status of the epoch before its own.
	after: Hash,
	init: Vec<u8>,
	data: Vec<u8>,
	/// Where the window ends on the media timeline: pictures.
	media_time: u64,
}

/// Signs windows, each after the one before it.
#[derive(Debug)]
pub struct Signer {
	path: PathBuf,
	identity: Identity,
	broadcast: Broadcast,
	last: Option<EncodedWindow>,
	/// How the epoch before ended.
	ended: Option<SignedStatus>,
	/// Where the last window ends on the media timeline.
	media_time: Option<MediaTime>,
	disk: Disk,
	/// The newest window is on disk.
	kept: bool,
	/// Nobody waits for the disk.
	hurried: bool,
	/// It is on disk that nobody does.
	told: bool,
	/// A window was held back, or another epoch began: the next one does not follow.
	cut: bool,
	/// Held as long as this lives; the kernel lets go of it when the process dies.
	_lock: File,
}

/// Whose stream it is.
#[derive(Clone, Debug)]
pub struct Identity {
	/// The stream.
	pub stream: StreamId,
	/// Its signing key.
	pub key: KeyPair,
	/// Genesis hash of the chain.
	pub genesis: Hash,
	/// What the stream is called.
	pub title: Text<128>,
}

impl Identity {
	fn begin(&self, epoch: BlockNumber, after: Hash, segment: u64) -> Broadcast {
		Broadcast::begin(self.key.clone(), self.genesis, self.stream, epoch, after, segment).titled(self.title.clone())
	}
}

impl Signer {
	/// Takes hold of the state in `dir`, which is created when missing, and begins an epoch behind what is there. `epoch`
	/// must be a block of the chain that this run waited for; `now_ms` is Unix time, milliseconds.
	pub fn open(dir: &Path, identity: Identity, epoch: BlockNumber, now_ms: u64) -> Result<Self, SignerError> {
		let path = dir.join(format!("stream-{}.window", identity.stream));
		let lock_path = path.with_extension("lock");
		let failed = |path: &Path| {
			let path = path.to_owned();
			move |error| SignerError::File { path, error }
		};
		fs::create_dir_all(dir).map_err(failed(dir))?;
		let lock = File::create(&lock_path).map_err(failed(&lock_path))?;
		lock.try_lock().map_err(|e| match e {
			TryLockError::WouldBlock => SignerError::InUse(dir.into()),
			TryLockError::Error(error) => failed(&lock_path)(error),
		})?;
		let told = match fs::read(hurry(&path)) {
			Ok(written) if boot().is_none_or(|boot| boot != written) => {
				tracing::warn!(
					"the machine was started anew since the last broadcast, which did not wait for the disk: this one begins anew"
				);
				// The state first: without it there is nothing to be told of.
				for path in [path.clone(), hurry(&path)] {
					files::remove(&path).map_err(failed(&path))?;
				}
				false
			},
			read => read.is_ok(),
		};
		let before = match File::open(&path) {
			Err(error) if error.kind() == io::ErrorKind::NotFound => None,
			Err(error) => return Err(failed(&path)(error)),
			Ok(file) => {
				let mut content = Vec::new();
				file.take(MAX_STATE_BYTES)
					.read_to_end(&mut content)
					.map_err(failed(&path))?;
				Some(Before::restore(&path, &identity, &content)?)
			},
		};
		let signer = |broadcast, last, ended, media_time| Self {
			path,
			identity: identity.clone(),
			broadcast,
			last,
			ended,
			media_time,
			disk: DISK,
			kept: true,
			hurried: false,
			told,
			cut: false,
			_lock: lock,
		};
		let Some(Before {
			window,
			ended,
			media_time,
		}) = before
		else {
			let broadcast = identity.begin(epoch, Hash([0; 32]), now_ms / MS_PER_SEGMENT);
			return Ok(signer(broadcast, None, None, None));
		};
		let last = window.id();
		if last.epoch >= epoch {
			let last = last.epoch;
			return Err(SignerError::EpochUsed { epoch, last });
		}
		let broadcast = identity.begin(epoch, ended.status.message.hash(), last.segment.saturating_add(1));
		Ok(signer(broadcast, Some(window), Some(ended), Some(media_time)))
	}

	/// Nobody waits for the disk from now on: see the module's words on low latency.
	pub fn hurried(mut self) -> Self {
		self.hurried = true;
		self
	}

	/// Begins another epoch behind the newest window; [`ended`](Self::ended) says how this one ended. As in [`Signer::open`] `epoch`
	/// must be a block that was waited for. Nothing of it is on disk before its first window is: a crash before continues the epoch
	/// before.
	///
	/// # Errors
	/// [`SignerError::EpochUsed`].
	pub fn begin_epoch(&mut self, epoch: BlockNumber) -> Result<(), SignerError> {
		let next = self.broadcast.next();
		if next.epoch >= epoch {
			let last = next.epoch;
			return Err(SignerError::EpochUsed { epoch, last });
		}
		self.settle();
		// Of an epoch without a window there is nothing to say.
		if self.last.as_ref().is_some_and(|last| last.id().epoch == next.epoch) {
			self.ended = Some(self.broadcast.end());
		}
		let after = self
			.ended
			.as_ref()
			.map_or(Hash([0; 32]), |ended| ended.status.message.hash());
		let segment = next.segment.saturating_add(u64::from(next.part > 0));
		self.broadcast = self.identity.begin(epoch, after, segment);
		self.cut = true;
		Ok(())
	}

	/// The newest window, which others may have or not; at first that of the run before.
	pub fn last(&self) -> Option<&EncodedWindow> {
		self.last.as_ref()
	}

	/// How the epoch before this one ended, where there was one.
	pub fn ended(&self) -> Option<&SignedStatus> {
		self.ended.as_ref()
	}

	/// When the newest window ends: Unix time, milliseconds.
	pub fn ends_ms(&self) -> Option<u64> {
		let header = self.last.as_ref()?.header();
		Some(header.start_ms.saturating_add(header.duration_ms.into()))
	}

	/// Signs how the broadcast stands at this moment: Unix time, milliseconds.
	pub fn status(&mut self, state: State, now_ms: u64) -> SignedStatus {
		self.broadcast.status(state, now_ms)
	}

	/// Signs that the broadcast is over with the newest window.
	pub fn end(&self) -> SignedStatus {
		self.broadcast.end()
	}

	/// Where the newest window ends on the media timeline; `None` before the first one.
	pub fn continues(&self) -> Option<MediaTime> {
		self.media_time
	}

	/// Gives the window its place and signs it. When it returns, it is on disk, or nothing is: see the module's words on full
	/// disks. Blocks for the disk.
	///
	/// # Errors
	/// [`SignerError::File`]: what is on disk can be neither replaced nor removed. The window must not be published; the next
	/// one may be, in its place.
	pub fn sign(&mut self, window: &Window) -> Result<EncodedWindow, SignerError> {
		let flag = |set, bit| if set { bit } else { 0 };
		let timing = Timing {
			flags: flag(window.last_part, flags::LAST_PART)
				| flag(window.independent, flags::INDEPENDENT)
				| flag(window.discontinuity || self.cut, flags::DISCONTINUITY),
			start_ms: window.start_ms,
			duration_ms: window.duration_ms,
		};
		self.broadcast.describe(describe(window), window.init.segment.clone());
		let encoded = self.broadcast.draft(timing, &window.data)?;
		let write = match self.hurried && self.tells() {
			true => self.disk.write_unsynced,
			false => self.disk.write,
		};
		let stored = self.stored(&encoded, window.end);
		self.keep(&stored, write).inspect_err(|_| self.cut = true)?;
		if self.told && !self.hurried && self.kept {
			self.told = (self.disk.remove)(&hurry(&self.path)).is_err();
		}
		self.cut = false;
		self.broadcast.advance(&encoded);
		self.media_time = Some(window.end);
		self.last = Some(encoded.clone());
		Ok(encoded)
	}

	/// What is on disk of a window.
	fn stored(&self, window: &EncodedWindow, end: MediaTime) -> Vec<u8> {
		let mut stored = (
			window.signed_header(),
			window.catalog().as_ref(),
			window.history(),
			self.broadcast.after(),
			window.init().as_ref(),
			window.data().as_ref(),
			end.pictures(),
		)
			.encode();
		stored.extend_from_slice(&sha256(&[&stored]).0);
		stored
	}

	/// What was not waited for is on disk when it returns, for whatever comes.
	fn settle(&mut self) {
		let Some((last, end)) = self.last.as_ref().zip(self.media_time).filter(|_| self.told) else {
			return;
		};
		let stored = self.stored(last, end);
		let settled = self.keep(&stored, self.disk.write).is_ok();
		match settled && (self.disk.remove)(&hurry(&self.path)).is_ok() {
			true => self.told = false,
			false => tracing::error!(
				"state {}: cannot be kept; after a power cut the next run begins anew",
				self.path.display()
			),
		}
	}

	/// Whether it is on disk that nobody waits for it. Without a name for the run of the machine it is waited for.
	fn tells(&mut self) -> bool {
		if !self.told {
			let boot = (self.disk.boot)();
			self.told = boot.is_some_and(|boot| (self.disk.write)(&hurry(&self.path), &boot).is_ok());
		}
		self.told
	}

	/// Replaces what is on disk, or at least removes it.
	fn keep(&mut self, stored: &[u8], write: Write) -> Result<(), SignerError> {
		let Disk { remove, .. } = self.disk;
		let path = self.path.display();
		let written = match write(&self.path, stored) {
			Ok(()) => Ok(()),
			Err(_) => {
				remove(&self.path).map_err(|error| SignerError::File {
					path: self.path.clone(),
					error,
				})?;
				// That may have left the room that is needed.
				write(&self.path, stored)
			},
		};
		match &written {
			Err(error) if self.kept => tracing::error!(
				"state {path}: {error}. The broadcast goes on; started again before there is room, it would not continue this one"
			),
			Ok(()) if !self.kept => tracing::info!("state {path}: there is room again"),
			_ => {},
		}
		self.kept = written.is_ok();
		Ok(())
	}
}

/// What is done with the state's file; tests have others.
#[derive(Clone, Copy, Debug)]
struct Disk {
	write: Write,
	write_unsynced: Write,
	/// Names the run of the machine.
	boot: fn() -> Option<Vec<u8>>,
	remove: fn(&Path) -> io::Result<()>,
}

type Write = fn(&Path, &[u8]) -> io::Result<()>;

impl Drop for Signer {
	fn drop(&mut self) {
		self.settle();
	}
}

/// Says in which run of the machine nobody waited for the disk.
fn hurry(path: &Path) -> PathBuf {
	path.with_extension("hurry")
}

/// Linux draws it anew at each start.
fn boot() -> Option<Vec<u8>> {
	let id = fs::read("/proc/sys/kernel/random/boot_id").ok()?;
	(id.len() <= 64 && !id.is_empty()).then_some(id)
}

const DISK: Disk = Disk {
	write: files::write_atomic,
	write_unsynced: files::write_unsynced,
	boot,
	remove: files::remove,
};

/// For people and players: what the window's track is.
fn describe(window: &Window) -> Track {
	Track {
		kind: kind::MUXED,
		codecs: Text::try_from(window.init.codecs.as_str()).unwrap_or_default(),
		bitrate: BITRATE,
		width: WIDTH as u16,
		height: HEIGHT as u16,
		rate: 1_000 * RATE,
		timescale: PICTURE_TIMESCALE,
		..Track::unknown(&window.init.segment)
	}
}

/// Where the run before ended.
struct Before {
	window: EncodedWindow,
	ended: SignedStatus,
	media_time: MediaTime,
}

impl Before {
	fn restore(path: &Path, identity: &Identity, content: &[u8]) -> Result<Self, SignerError> {
		let damaged = |reason: String| SignerError::Damaged {
			path: path.to_owned(),
			reason,
		};
		let (content, _) = content
			.split_last_chunk::<CHECKSUM>()
			.filter(|(content, checksum)| sha256(&[content]).0 == **checksum)
			.ok_or_else(|| damaged("its checksum is wrong".into()))?;
		let stored = Stored::decode_all(&mut &*content).map_err(|e| damaged(e.to_string()))?;
		let (stream, key, genesis) = (identity.stream, &identity.key, identity.genesis);
		match stored.header.check(&key.public(), &genesis) {
			Ok(()) if stored.header.message.id.stream == stream => {},
			Ok(()) | Err(HeaderError::Signature(_)) => return Err(SignerError::Foreign(path.to_owned())),
			Err(error) => return Err(damaged(error.to_string())),
		}
		let media_time =
			MediaTime::new(stored.media_time).ok_or_else(|| damaged("its media time is out of range".into()))?;
		let setting = Setting {
			catalog: Arc::new(stored.catalog),
			init: Bytes::from(stored.init),
		};
		let window = EncodedWindow::new(stored.header, setting, stored.history, Items::default(), &stored.data);
		let window = window.map_err(|e| damaged(e.to_string()))?;
		let id = window.id();
		let mut broadcast = identity.begin(id.epoch, stored.after, id.segment);
		broadcast.resume(&window);
		let ended = broadcast.end();
		Ok(Self {
			window,
			ended,
			media_time,
		})
	}
}

#[cfg(test)]
mod tests;
