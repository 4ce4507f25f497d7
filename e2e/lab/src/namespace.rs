//! A network namespace without a name: it lives as long as somebody holds it open, so a run that is killed leaves none behind.

use crate::Error;
use nix::{
	libc::{self, c_char, c_int, c_short, c_ulong, ifreq},
	sched::{setns, unshare, CloneFlags},
};
use std::{
	fs::{File, OpenOptions},
	io,
	net::{Ipv4Addr, UdpSocket},
	os::{
		fd::AsRawFd,
		unix::{fs::OpenOptionsExt, process::CommandExt},
	},
	process::Command,
	sync::Arc,
	thread,
};

/// Name of the TUN device in each.
const DEVICE: &str = "lab0";

/// Longest packet, bytes: Ethernet's.
pub const MTU: u16 = 1_500;

/// Packets that wait in the device for the thread that moves them: 50 ms of 1 Gb/s. Queues that are asked for are in the links.
const DEVICE_QUEUE: c_int = 4_096;

/// All nodes are on one link, as the kernel has it: no route is needed.
const MASK: Ipv4Addr = Ipv4Addr::new(255, 0, 0, 0);

/// See the module.
#[derive(Clone, Debug)]
pub struct Namespace {
	/// Holds it open.
	file: Arc<File>,
}

impl Namespace {
	/// A new one, with loopback and a TUN device of this address; what its programs send to `10.0.0.0/8` is read from the file,
	/// without waiting, and what is written to it reaches them.
	pub fn new(address: Ipv4Addr) -> Result<(Self, File), Error> {
		// A namespace is a thread's: this one is gone before anybody else could run in it.
		thread::scope(|scope| {
			scope
				.spawn(|| make(address))
				.join()
				.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
		})
	}

	/// The program that this starts runs inside.
	pub fn enter<'c>(&self, command: &'c mut Command) -> &'c mut Command {
		let file = self.file.clone();
		let enter = move || Ok(setns(&*file, CloneFlags::CLONE_NEWNET)?);
		// SAFETY: one system call, which allocates nothing and takes no lock, as a fork's child must not.
		unsafe { command.pre_exec(enter) }
	}

	/// Does something inside, on a thread of its own: sockets that it opens stay inside, whoever uses them.
	pub fn inside<T: Send>(&self, what: impl FnOnce() -> io::Result<T> + Send) -> io::Result<T> {
		let entered = || {
			setns(&*self.file, CloneFlags::CLONE_NEWNET)?;
			what()
		};
		thread::scope(|scope| {
			scope
				.spawn(entered)
				.join()
				.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
		})
	}
}

fn make(address: Ipv4Addr) -> Result<(Namespace, File), Error> {
	unshare(CloneFlags::CLONE_NEWNET).map_err(|why| Error::of("unshare")(why.into()))?;
	let tun = OpenOptions::new()
		.read(true)
		.write(true)
		.custom_flags(libc::O_NONBLOCK)
		.open("/dev/net/tun")
		.map_err(Error::of("/dev/net/tun"))?;
	let kind = (libc::IFF_TUN | libc::IFF_NO_PI) as c_short;
	request(&tun, "TUNSETIFF", libc::TUNSETIFF as c_ulong, DEVICE, |r| {
		r.ifr_ifru.ifru_flags = kind
	})?;

	let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).map_err(Error::of("a socket"))?;
	let up = (libc::IFF_UP | libc::IFF_RUNNING) as c_short;
	let set = |what, code: c_ulong, device, fill: &dyn Fn(&mut ifreq)| request(&socket, what, code, device, fill);
	set("loopback", libc::SIOCSIFFLAGS, "lo", &|r| r.ifr_ifru.ifru_flags = up)?;
	set("address", libc::SIOCSIFADDR, DEVICE, &|r| {
		r.ifr_ifru.ifru_addr = socket_address(address)
	})?;
	set("mask", libc::SIOCSIFNETMASK, DEVICE, &|r| {
		r.ifr_ifru.ifru_netmask = socket_address(MASK)
	})?;
	set("MTU", libc::SIOCSIFMTU, DEVICE, &|r| {
		r.ifr_ifru.ifru_mtu = c_int::from(MTU)
	})?;
	// The length of the device's queue stands where its index does. Where the right to that is missing it stays at 500, which is
	// enough for what homes have.
	let _ = set("queue", libc::SIOCSIFTXQLEN, DEVICE, &|r| {
		r.ifr_ifru.ifru_ifindex = DEVICE_QUEUE
	});
	set("device", libc::SIOCSIFFLAGS, DEVICE, &|r| r.ifr_ifru.ifru_flags = up)?;

	let file = File::open("/proc/thread-self/ns/net").map_err(Error::of("/proc/thread-self/ns/net"))?;
	Ok((Namespace { file: Arc::new(file) }, tun))
}

/// One request about a device.
fn request(
	to: &impl AsRawFd,
	what: &'static str,
	code: c_ulong,
	device: &str,
	fill: impl Fn(&mut ifreq),
) -> Result<(), Error> {
	// SAFETY: numbers, and a union of numbers: all zeroes are one of its values.
	let mut request: ifreq = unsafe { std::mem::zeroed() };
	// The last byte stays 0.
	let room = request.ifr_name.len() - 1;
	for (to, from) in request.ifr_name[..room].iter_mut().zip(device.bytes()) {
		*to = from as c_char;
	}
	fill(&mut request);
	// SAFETY: each of these requests reads or writes one `ifreq`, which outlives the call.
	match unsafe { libc::ioctl(to.as_raw_fd(), code, &raw mut request) } {
		-1 => Err(Error::of(what)(io::Error::last_os_error())),
		_ => Ok(()),
	}
}

/// As the kernel has it: family, port, address.
fn socket_address(address: Ipv4Addr) -> libc::sockaddr {
	let mut data = [0; 14];
	for (to, from) in data[2..6].iter_mut().zip(address.octets()) {
		*to = from as c_char;
	}
	libc::sockaddr {
		sa_family: libc::AF_INET as libc::sa_family_t,
		sa_data: data,
	}
}
