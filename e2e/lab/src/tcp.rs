//! What the kernel's own transport gets out of a way: something to compare a program with that sends over the same.

use crate::{star::Node, Error};
use nix::libc;
use std::{
	io::{self, ErrorKind, Read, Write},
	net::{TcpListener, TcpStream},
	os::fd::AsRawFd,
	sync::{
		atomic::{AtomicBool, AtomicU64, Ordering},
		Arc,
	},
	thread::{self, JoinHandle},
	time::Duration,
};

/// Longest that a connection waits for the other end.
const PATIENCE: Duration = Duration::from_secs(1);

/// Bits per second of one connection that sends as much as it can for so long, its beginning included. `control` is the
/// congestion control, as the kernel calls it: `cubic`, `bbr`.
pub fn rate(from: &Node, to: &Node, control: &str, long: Duration) -> Result<f64, Error> {
	let transfer = Transfer::start(from, to, control)?;
	thread::sleep(long);
	Ok(transfer.received() as f64 * 8.0 / long.as_secs_f64())
}

/// One connection that sends as much as it can, until it is dropped.
#[derive(Debug)]
pub struct Transfer {
	over: Arc<AtomicBool>,
	received: Arc<AtomicU64>,
	threads: Vec<JoinHandle<()>>,
}

impl Transfer {
	/// Begins it; `control` as in [`rate`].
	pub fn start(from: &Node, to: &Node, control: &str) -> Result<Self, Error> {
		Self::begin(from, to, control).map_err(Error::of("a transfer by TCP"))
	}

	fn begin(from: &Node, to: &Node, control: &str) -> io::Result<Self> {
		let listener = to.inside(|| TcpListener::bind((to.address(), 0)))?;
		let at = listener.local_addr()?;
		let mut sender = from.inside(|| TcpStream::connect(at))?;
		choose(&sender, control)?;
		sender.set_write_timeout(Some(PATIENCE))?;
		let (mut receiver, _) = listener.accept()?;
		receiver.set_read_timeout(Some(PATIENCE))?;
		let mut transfer = Self {
			over: Arc::default(),
			received: Arc::default(),
			threads: Vec::new(),
		};
		let named = |name: &str| thread::Builder::new().name(name.into());
		let over = transfer.over.clone();
		let send = move || {
			let some = [0; 16_384];
			// What it cannot send any more is no failure.
			while !over.load(Ordering::Relaxed) && wait(sender.write(&some)).is_ok_and(|length| length != Some(0)) {}
		};
		transfer.threads.push(named("sends").spawn(send)?);
		let (over, received) = (transfer.over.clone(), transfer.received.clone());
		let receive = move || {
			let mut buffer = vec![0; 65_536];
			while !over.load(Ordering::Relaxed) {
				match wait(receiver.read(&mut buffer)) {
					Ok(None) => {},
					Ok(Some(length)) if length > 0 => {
						received.fetch_add(length as u64, Ordering::Relaxed);
					},
					_ => return,
				}
			}
		};
		transfer.threads.push(named("receives").spawn(receive)?);
		Ok(transfer)
	}

	/// Bytes that arrived so far.
	pub fn received(&self) -> u64 {
		self.received.load(Ordering::Relaxed)
	}
}

impl Drop for Transfer {
	fn drop(&mut self) {
		self.over.store(true, Ordering::Relaxed);
		for thread in self.threads.drain(..) {
			// It has panicked already, if at all.
			let _ = thread.join();
		}
	}
}

/// Nothing where it only takes long.
fn wait(done: io::Result<usize>) -> io::Result<Option<usize>> {
	match done {
		Ok(length) => Ok(Some(length)),
		Err(error) if [ErrorKind::WouldBlock, ErrorKind::TimedOut, ErrorKind::Interrupted].contains(&error.kind()) => {
			Ok(None)
		},
		Err(error) => Err(error),
	}
}

fn choose(socket: &TcpStream, control: &str) -> io::Result<()> {
	let length = libc::socklen_t::try_from(control.len()).map_err(|_| ErrorKind::InvalidInput)?;
	let name = control.as_ptr().cast();
	// SAFETY: the name is read, for its length, while it is there.
	match unsafe {
		libc::setsockopt(
			socket.as_raw_fd(),
			libc::IPPROTO_TCP,
			libc::TCP_CONGESTION,
			name,
			length,
		)
	} {
		0 => Ok(()),
		_ => Err(io::Error::last_os_error()),
	}
}
