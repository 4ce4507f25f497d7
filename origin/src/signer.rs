//! Continues the stream's chain of signed headers, over restarts of the encoder and of this program.
//!
//! The newest window is on disk, whole, before anyone else sees it, and its place is never signed again: not even after
//! a crash between the two can there be two headers for one place. The next start begins by serving that same window
//! anew, so the chain that relayers follow has no hole either.
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
	crypto::KeyPair,
	window::{flags, HeaderError, SignedHeader, MAX_INIT_BYTES, MAX_WINDOW_BYTES},
	Hash, StreamId, WindowId,
};
use clustercast_protocol::window::{Draft, EncodedWindow, WindowError};
use codec::{Decode, DecodeAll, Encode};
use std::{
	fs::{self, File, TryLockError},
	io::{self, Read},
	path::{Path, PathBuf},
	time::Duration,
};

/// 480p is the one rendition.
const RENDITION: u8 = 0;

/// Largest state file: header, lengths, initialisation segment and window.
const MAX_STATE_BYTES: u64 = MAX_WINDOW_BYTES as u64 + MAX_INIT_BYTES as u64 + 1024;

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
	/// The file is damaged. To start over would sign places a second time, so it is not done.
	#[error("state {}: damaged ({reason}); restore it, or give the stream a new signing key and an empty folder", .path.display())]
	Damaged {
		/// Which.
		path: PathBuf,
		/// What is wrong with it.
		reason: String,
	},
	/// The file is of another stream, signing key or chain.
	#[error("state {}: of another stream, signing key or chain; use another folder", .0.display())]
	Foreign(PathBuf),
	/// The encoder made something that is no window.
	#[error(transparent)]
	Window(#[from] WindowError),
	/// After 2^64 windows.
	#[error("no place left in the stream")]
	Exhausted,
}

/// What is on disk: the newest window, as SCALE.
#[derive(Encode, Decode)]
struct Stored {
	header: SignedHeader,
	init: Vec<u8>,
	data: Vec<u8>,
}

/// Signs windows, each after the one before it.
#[derive(Debug)]
pub struct Signer {
	stream: StreamId,
	key: KeyPair,
	genesis: Hash,
	path: PathBuf,
	last: Option<EncodedWindow>,
	/// Where the last window ends on the media timeline.
	timeline: Duration,
	/// Held as long as this lives; the kernel lets go of it when the process dies.
	_lock: File,
}

impl Signer {
	/// Takes hold of the state in `dir`, which is created when missing, and reads where the stream stands.
	pub fn open(dir: &Path, stream: StreamId, key: KeyPair, genesis: Hash) -> Result<Self, SignerError> {
		let path = dir.join(format!("stream-{stream}.window"));
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
		let mut signer = Self {
			stream,
			key,
			genesis,
			path,
			last: None,
			timeline: Duration::ZERO,
			_lock: lock,
		};
		match File::open(&signer.path) {
			Err(error) if error.kind() == io::ErrorKind::NotFound => {},
			Err(error) => return Err(failed(&signer.path)(error)),
			Ok(file) => {
				let mut content = Vec::new();
				file.take(MAX_STATE_BYTES)
					.read_to_end(&mut content)
					.map_err(failed(&signer.path))?;
				signer.restore(&content)?;
			},
		}
		Ok(signer)
	}

	/// The newest window, which others may have or not.
	pub fn last(&self) -> Option<&EncodedWindow> {
		self.last.as_ref()
	}

	/// Where the newest window ends on the media timeline; `None` before the first one.
	pub fn timeline(&self) -> Option<Duration> {
		self.last.is_some().then_some(self.timeline)
	}

	/// Gives the window its place in the chain, signs it, and has it on disk when it returns. Blocks for the disk.
	pub fn sign(&mut self, window: &Window) -> Result<EncodedWindow, SignerError> {
		let (segment, previous) = match &self.last {
			Some(last) => (
				last.id().segment.checked_add(1).ok_or(SignerError::Exhausted)?,
				last.hash(),
			),
			None => (0, Hash([0; 32])),
		};
		let flag = |set, bit| if set { bit } else { 0 };
		let draft = Draft {
			id: WindowId {
				stream: self.stream,
				rendition: RENDITION,
				segment,
				part: 0,
			},
			flags: flags::LAST_PART
				| flag(window.fragment.independent, flags::INDEPENDENT)
				| flag(window.restarted, flags::DISCONTINUITY),
			start_ms: window.start_ms,
			duration_ms: window.fragment.duration_ms,
			previous,
		};
		let data = &window.fragment.data;
		let encoded = EncodedWindow::sign(draft, window.init.clone(), data, &self.key, &self.genesis)?;
		let stored = (encoded.signed_header(), window.init.as_ref(), data.as_ref()).encode();
		files::write_atomic(&self.path, &stored).map_err(|error| SignerError::File {
			path: self.path.clone(),
			error,
		})?;
		self.timeline = Duration::from_micros(window.fragment.end_us);
		self.last = Some(encoded.clone());
		Ok(encoded)
	}

	fn restore(&mut self, content: &[u8]) -> Result<(), SignerError> {
		let damaged = |reason: String| SignerError::Damaged {
			path: self.path.clone(),
			reason,
		};
		let Stored { header, init, data } = Stored::decode_all(&mut &*content).map_err(|e| damaged(e.to_string()))?;
		match header.check(&self.key.public(), &self.genesis) {
			Ok(()) if header.message.id.stream == self.stream => {},
			Ok(()) | Err(HeaderError::Signature(_)) => return Err(SignerError::Foreign(self.path.clone())),
			Err(error) => return Err(damaged(error.to_string())),
		}
		self.timeline = end_of(&init, &data).map_err(|e| damaged(e.to_string()))?;
		let window = EncodedWindow::new(header, Bytes::from(init), &data).map_err(|e| damaged(e.to_string()))?;
		self.last = Some(window);
		Ok(())
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
