//! What the kernel's own transport gets out of a way: something to compare a program with that sends over the same.

use crate::{star::Node, Error};
use nix::libc;
use std::{
	io::{self, ErrorKind, Read, Write},
	net::{TcpListener, TcpStream},
	os::fd::AsRawFd,
	thread,
	time::{Duration, Instant},
};

/// Longest that a connection waits for the other end.
const PATIENCE: Duration = Duration::from_secs(1);

/// Bits per second of one connection that sends as much as it can for so long, its beginning included. `control` is the
/// congestion control, as the kernel calls it: `cubic`, `bbr`.
pub fn rate(from: &Node, to: &Node, control: &str, long: Duration) -> Result<f64, Error> {
	transfer(from, to, control, long).map_err(Error::of("a transfer by TCP"))
}

fn transfer(from: &Node, to: &Node, control: &str, long: Duration) -> io::Result<f64> {
	let listener = to.inside(|| TcpListener::bind((to.address(), 0)))?;
	let at = listener.local_addr()?;
	let mut sender = from.inside(|| TcpStream::connect(at))?;
	choose(&sender, control)?;
	sender.set_write_timeout(Some(PATIENCE))?;
	let (mut receiver, _) = listener.accept()?;
	receiver.set_read_timeout(Some(PATIENCE))?;
	let until = Instant::now() + long;
	let sent = thread::spawn(move || {
		let some = [0; 16_384];
		while Instant::now() < until && wait(sender.write(&some))?.is_none_or(|length| length > 0) {}
		io::Result::Ok(())
	});
	let (mut bytes, mut buffer) = (0, vec![0; 65_536]);
	while Instant::now() < until {
		match wait(receiver.read(&mut buffer))? {
			Some(0) => break,
			Some(length) => bytes += length,
			None => {},
		}
	}
	drop(receiver);
	// What it could not send any more is no failure.
	let _ = sent.join();
	Ok(bytes as f64 * 8.0 / long.as_secs_f64())
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
