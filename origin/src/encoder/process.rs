//! One encoder that runs: raw input written to it, tags read from it.

use super::settings::arguments;
use crate::child::{Child, SpawnError};
use bytes::{Buf, Bytes};
use clustercast_media::{
	flv::{FlvError, Reader, Tag},
	plan::{Feed, Track, MOST_ENCODED},
};
use nix::fcntl::{fcntl, FcntlArg};
use std::{future::pending, io, path::Path, process::Stdio};
use tokio::{
	io::{AsyncReadExt, AsyncWriteExt},
	process::ChildStdout,
};

/// Read at once.
const READ_BYTES: usize = 64 * 1024;

/// Of the pipe to the encoder: a raw picture goes in with one write, where the system allows as much.
const PIPE_BYTES: i32 = 1 << 20;

/// A running encoder; killed when dropped.
#[derive(Debug)]
pub(super) struct Process {
	child: Child,
	stdout: ChildStdout,
	reader: Reader,
	/// Read, and not yet taken apart.
	buffer: Box<[u8; READ_BYTES]>,
	/// Of what goes in: what is left to be written.
	writing: Bytes,
}

/// What an encoder did.
#[derive(Debug)]
pub(super) enum Event {
	/// It took input.
	Took,
	/// It wrote so many bytes.
	Wrote(usize),
	/// It wrote its last.
	Ended,
}

impl Process {
	pub(super) fn spawn(ffmpeg: &Path, track: Track, in_segment: u32) -> Result<Self, SpawnError> {
		let mut child = Child::spawn(ffmpeg, arguments(track, in_segment), Stdio::piped())?;
		if let Some(stdin) = &child.stdin {
			// Smaller is as right, and costs more wake-ups.
			let _ = fcntl(stdin, FcntlArg::F_SETPIPE_SZ(PIPE_BYTES));
		}
		let stdout = child.stdout.take().ok_or_else(|| SpawnError::Io {
			program: ffmpeg.into(),
			error: io::Error::other("no pipe to read it by"),
		})?;
		Ok(Self {
			child,
			stdout,
			reader: Reader::new(MOST_ENCODED),
			buffer: Box::new([0; READ_BYTES]),
			writing: Bytes::new(),
		})
	}

	/// Whether all that it was fed is in.
	pub(super) fn is_hungry(&self) -> bool {
		self.writing.is_empty() && self.child.stdin.is_some()
	}

	/// To be written next.
	pub(super) fn feed(&mut self, feed: Feed) {
		match feed {
			Feed::Data(data) => self.writing = data,
			Feed::End => self.child.stdin = None,
		}
	}

	/// Writes and reads. Cancel safe.
	pub(super) async fn work(&mut self) -> Event {
		let write = async {
			match &mut self.child.stdin {
				Some(stdin) if !self.writing.is_empty() => stdin.write(&self.writing).await,
				_ => pending().await,
			}
		};
		tokio::select! {
			written = write => match written {
				Ok(bytes @ 1..) => {
					self.writing.advance(bytes);
					Event::Took
				},
				// It reads no more; what it wrote before is still to be read.
				_ => {
					self.child.stdin = None;
					Event::Took
				},
			},
			read = self.stdout.read(&mut self.buffer[..]) => match read {
				Ok(bytes @ 1..) => Event::Wrote(bytes),
				_ => Event::Ended,
			},
		}
	}

	/// The tags of what it wrote; `Err` ends them.
	pub(super) fn tags(&mut self, bytes: usize) -> impl Iterator<Item = Result<Tag, FlvError>> + '_ {
		let Self { reader, buffer, .. } = self;
		let mut input = &buffer[..bytes];
		std::iter::from_fn(move || reader.read(&mut input).transpose())
	}

	/// To be waited for.
	pub(super) fn into_child(self) -> Child {
		self.child
	}

	#[cfg(test)]
	pub(super) fn pid(&self) -> nix::unistd::Pid {
		self.child.id().unwrap()
	}
}
