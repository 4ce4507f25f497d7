//! Gives each window its place and signs it, over restarts of the encoder and of this program.
//!
//! Each run of the program is an epoch of its own, numbered by a block of the chain that no earlier run can have used: so
//! no place is signed twice, not even by one that lost its disk. Within a run the newest window is on disk, whole, before
//! anyone else sees it. The next run begins by serving that same window anew, so that what relayers follow has no hole,
//! and by signing how the epoch before ended: its own statuses name that one by hash.
//!
//! State: `stream-N.window` in a folder that one process at a time holds by a lock file. The content is bound to
//! stream, key and chain by the header's own signature.

use crate::{
	encoder::Window,
	fmp4::{self, Piece, Splitter},
};
use bytes::Bytes;
use clustercast_chain::files;
use clustercast_primitives::{
	catalog::{SignedCatalog, MAX_INIT_BYTES},
	crypto::KeyPair,
	ext::Items,
	status::{SignedStatus, State},
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
	time::Duration,
};

/// Largest state file: initialisation segment, window, and what is signed.
const MAX_STATE_BYTES: u64 = MAX_WINDOW_BYTES as u64 + MAX_INIT_BYTES as u64 + 64 * 1024;

/// Segments of a broadcast that knows of none before count from tenths of a second since 1970: more than any that began
/// earlier can have reached.
const MS_PER_SEGMENT: u64 = 100;

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
}

/// Signs windows, each after the one before it.
#[derive(Debug)]
pub struct Signer {
	path: PathBuf,
	broadcast: Broadcast,
	last: Option<EncodedWindow>,
	/// How the epoch before ended.
	ended: Option<SignedStatus>,
	/// Where the last window ends on the media timeline.
	timeline: Duration,
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
		let Identity { stream, key, genesis } = identity;
		let begin = |after, segment| Broadcast::begin(key, genesis, stream, epoch, after, segment);
		let signer = |broadcast, last, ended, timeline| Self {
			path,
			broadcast,
			last,
			ended,
			timeline,
			_lock: lock,
		};
		let Some(Before {
			window,
			ended,
			timeline,
		}) = before
		else {
			let broadcast = begin(Hash([0; 32]), now_ms / MS_PER_SEGMENT);
			return Ok(signer(broadcast, None, None, Duration::ZERO));
		};
		let last = window.id();
		if last.epoch >= epoch {
			let last = last.epoch;
			return Err(SignerError::EpochUsed { epoch, last });
		}
		let broadcast = begin(ended.status.message.hash(), last.segment.saturating_add(1));
		Ok(signer(broadcast, Some(window), Some(ended), timeline))
	}

	/// The newest window, which others may have or not; at first that of the run before.
	pub fn last(&self) -> Option<&EncodedWindow> {
		self.last.as_ref()
	}

	/// How the epoch before this one ended, where there was one.
	pub fn ended(&self) -> Option<&SignedStatus> {
		self.ended.as_ref()
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
	pub fn timeline(&self) -> Option<Duration> {
		self.last.is_some().then_some(self.timeline)
	}

	/// Gives the window its place, signs it, and has it on disk when it returns. Blocks for the disk.
	pub fn sign(&mut self, window: &Window) -> Result<EncodedWindow, SignerError> {
		let flag = |set, bit| if set { bit } else { 0 };
		let timing = Timing {
			flags: flags::LAST_PART
				| flag(window.fragment.independent, flags::INDEPENDENT)
				| flag(window.restarted, flags::DISCONTINUITY),
			start_ms: window.start_ms,
			duration_ms: window.fragment.duration_ms,
		};
		self.broadcast
			.describe(fmp4::describe(&window.init), window.init.clone());
		let data = &window.fragment.data;
		let encoded = self.broadcast.draft(timing, data)?;
		let stored = (
			encoded.signed_header(),
			encoded.catalog().as_ref(),
			encoded.history(),
			self.broadcast.after(),
			window.init.as_ref(),
			data.as_ref(),
		);
		files::write_atomic(&self.path, &stored.encode()).map_err(|error| SignerError::File {
			path: self.path.clone(),
			error,
		})?;
		self.broadcast.advance(&encoded);
		self.timeline = Duration::from_micros(window.fragment.end_us);
		self.last = Some(encoded.clone());
		Ok(encoded)
	}
}

/// Where the run before ended.
struct Before {
	window: EncodedWindow,
	ended: SignedStatus,
	timeline: Duration,
}

impl Before {
	fn restore(path: &Path, identity: &Identity, content: &[u8]) -> Result<Self, SignerError> {
		let damaged = |reason: String| SignerError::Damaged {
			path: path.to_owned(),
			reason,
		};
		let stored = Stored::decode_all(&mut &*content).map_err(|e| damaged(e.to_string()))?;
		let Identity { stream, key, genesis } = identity.clone();
		match stored.header.check(&key.public(), &genesis) {
			Ok(()) if stored.header.message.id.stream == stream => {},
			Ok(()) | Err(HeaderError::Signature(_)) => return Err(SignerError::Foreign(path.to_owned())),
			Err(error) => return Err(damaged(error.to_string())),
		}
		let timeline = end_of(&stored.init, &stored.data).map_err(|e| damaged(e.to_string()))?;
		let setting = Setting {
			catalog: Arc::new(stored.catalog),
			init: Bytes::from(stored.init),
		};
		let window = EncodedWindow::new(stored.header, setting, stored.history, Items::default(), &stored.data);
		let window = window.map_err(|e| damaged(e.to_string()))?;
		let id = window.id();
		let mut broadcast = Broadcast::begin(key, genesis, stream, id.epoch, stored.after, id.segment);
		broadcast.resume(&window);
		let ended = broadcast.end();
		Ok(Self {
			window,
			ended,
			timeline,
		})
	}
}

/// Where on the media timeline a window ends.
fn end_of(init: &[u8], data: &[u8]) -> Result<Duration, fmp4::Error> {
	let mut splitter = Splitter::new();
	splitter.buffer().extend_from_slice(init);
	splitter.buffer().extend_from_slice(data);
	let mut end = Duration::ZERO;
	while let Some(piece) = splitter.next_piece()? {
		if let Piece::Window(fragment) = piece {
			end = Duration::from_micros(fragment.end_us);
		}
	}
	Ok(end)
}

#[cfg(test)]
mod tests;
