//! The topology: nodes around a switch in the middle of the internet, each with its own line, and the thread that moves their
//! packets.

use crate::{
	control::Control,
	link::{Shape, Waits},
	namespace::{Namespace, MTU},
	switch::{Access, Switch, Traffic},
	Error,
};
use nix::{
	libc,
	poll::{ppoll, PollFd, PollFlags},
	sys::time::TimeSpec,
};
use std::{
	ffi::OsStr,
	fs::File,
	io::{self, PipeReader, PipeWriter, Read, Write},
	net::Ipv4Addr,
	os::fd::AsFd,
	process::Command,
	sync::{Arc, Mutex, MutexGuard, PoisonError},
	thread::{self, JoinHandle},
	time::{Duration, Instant},
};

/// Addresses are `10.0.0.1` and on, and `10.1.0.1` and on behind NAT; two of them are the control's.
pub const MOST_NODES: usize = 250;

/// Packets that are read of one device before the others and what is due have their turn.
const TURN: usize = 64;

/// The thread that moves packets goes before programs: it is the network, and they are what is measured.
const PRIORITY: libc::c_int = -10;

/// One way between the two ends of the control, in two halves.
pub const CONTROL_DELAY: Duration = Duration::from_millis(20);

/// A place with a line of its own.
#[derive(Debug)]
pub struct Node {
	name: String,
	number: usize,
	address: Ipv4Addr,
	seen: Ipv4Addr,
	namespace: Namespace,
}

impl Node {
	/// What it was called.
	pub fn name(&self) -> &str {
		&self.name
	}

	/// Its own address: where others reach it, unless it is behind NAT.
	pub fn address(&self) -> Ipv4Addr {
		self.address
	}

	/// The address that others see.
	pub fn seen(&self) -> Ipv4Addr {
		self.seen
	}

	/// A program that runs there.
	pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
		let mut command = Command::new(program);
		self.namespace.enter(&mut command);
		command
	}

	/// The same of a command that is there.
	pub fn enter<'c>(&self, command: &'c mut Command) -> &'c mut Command {
		self.namespace.enter(command)
	}

	/// Opens sockets there: see [`Namespace::inside`].
	pub fn inside<T: Send>(&self, what: impl FnOnce() -> io::Result<T> + Send) -> io::Result<T> {
		self.namespace.inside(what)
	}
}

/// See the module. When it is dropped the lines are dead; what runs at its nodes goes with whoever started it.
pub struct Star {
	nodes: Vec<Node>,
	control: [Node; 2],
	switch: Arc<Mutex<Switch>>,
	/// Ends the thread when it is dropped.
	stop: Option<PipeWriter>,
	thread: Option<JoinHandle<()>>,
}

impl Star {
	/// Makes a namespace for each node, and connects them. What is lost is decided by `seed`, the order of the nodes, and how
	/// many packets went over a line before.
	pub fn build(seed: u64, nodes: &[(&str, Access)]) -> Result<Self, Error> {
		if nodes.len() + 2 > MOST_NODES {
			return Err(Error::TooManyNodes);
		}
		let (mut switch, mut devices) = (Switch::new(seed), Vec::new());
		let mut attach = |name: &str, access: Access| -> Result<Node, Error> {
			let last = u8::try_from(devices.len() + 1).map_err(|_| Error::TooManyNodes)?;
			let seen = Ipv4Addr::new(10, 0, 0, last);
			let address = match access.nat {
				Some(_) => Ipv4Addr::new(10, 1, 0, last),
				None => seen,
			};
			let (namespace, device) = Namespace::new(address)?;
			devices.push(device);
			Ok(Node {
				name: name.to_owned(),
				number: switch.attach(address, seen, access),
				address,
				seen,
				namespace,
			})
		};
		let nodes = nodes
			.iter()
			.map(|(name, access)| attach(name, *access))
			.collect::<Result<_, _>>()?;
		let idle = Access::both(Shape::delay(CONTROL_DELAY / 2));
		let control = [attach("control", idle)?, attach("echo", idle)?];

		let (stopped, stop) = io::pipe().map_err(Error::of("a pipe"))?;
		let switch = Arc::new(Mutex::new(switch));
		let moved = switch.clone();
		let thread = thread::Builder::new()
			.name("links".into())
			.spawn(move || carry(&devices, &moved, &stopped))
			.map_err(Error::of("a thread"))?;
		Ok(Self {
			nodes,
			control,
			switch,
			stop: Some(stop),
			thread: Some(thread),
		})
	}

	/// The same where this process may make namespaces; where it may not, says so in one line, and the test that asked is skipped.
	pub fn build_or_skip(seed: u64, nodes: &[(&str, Access)]) -> Result<Option<Self>, Error> {
		match Self::build(seed, nodes) {
			Ok(star) => Ok(Some(star)),
			Err(why @ Error::NoRight { .. }) => {
				println!("skipped: {why}");
				Ok(None)
			},
			Err(why) => Err(why),
		}
	}

	/// A node by its name.
	pub fn node(&self, name: &str) -> Result<&Node, Error> {
		let node = self.nodes.iter().find(|node| node.name == name);
		node.ok_or_else(|| Error::NoSuchNode(name.to_owned()))
	}

	/// From now on the node has this line; what stands before it stays.
	pub fn reshape(&self, node: &Node, access: Access) {
		lock(&self.switch).reshape(node.number, access);
	}

	/// What went over a node's line so far.
	pub fn traffic(&self, node: &Node) -> Traffic {
		lock(&self.switch).traffic(node.number)
	}

	/// How long packets waited before a node's line upwards so far.
	pub fn waits(&self, node: &Node) -> Waits {
		lock(&self.switch).waits(node.number)
	}

	/// Begins to measure how late everything is on this machine.
	pub fn control(&self) -> Result<Control, Error> {
		Control::start(&self.control[0], &self.control[1])
	}
}

impl Drop for Star {
	fn drop(&mut self) {
		self.stop.take();
		if let Some(thread) = self.thread.take() {
			// It has panicked already, if at all.
			let _ = thread.join();
		}
	}
}

/// What it holds is whole at any moment.
fn lock(switch: &Mutex<Switch>) -> MutexGuard<'_, Switch> {
	switch.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Moves packets from device to device, until the other end of `stop` is gone.
fn carry(devices: &[File], switch: &Mutex<Switch>, stop: &PipeReader) {
	// SAFETY: two numbers; 0 is the calling thread. Without the right to it everything goes on as it was.
	unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, PRIORITY) };
	let started = Instant::now();
	let mut buffer = [0; MTU as usize];
	let mut waiting: Vec<PollFd> = devices
		.iter()
		.map(|device| PollFd::new(device.as_fd(), PollFlags::POLLIN))
		.chain([PollFd::new(stop.as_fd(), PollFlags::empty())])
		.collect();
	loop {
		let next = lock(switch).next();
		let patience = next.map(|at| TimeSpec::from_duration(at.saturating_sub(started.elapsed())));
		// Interrupted is as good as in time.
		let _ = ppoll(&mut waiting, patience, None);
		let is_ready = |waiting: &PollFd| waiting.any().unwrap_or(false);
		if waiting.last().is_some_and(is_ready) {
			return;
		}
		let ready = devices
			.iter()
			.enumerate()
			.zip(&waiting)
			.filter(|(_, waiting)| is_ready(waiting));
		for ((node, mut device), _) in ready {
			for _ in 0..TURN {
				let Ok(length) = device.read(&mut buffer) else {
					break;
				};
				lock(switch).send(started.elapsed(), node, &mut buffer[..length]);
			}
		}
		loop {
			let received = lock(switch).receive(started.elapsed());
			let Some((mut device, packet)) = received.and_then(|(node, packet)| Some((devices.get(node)?, packet)))
			else {
				break;
			};
			// A kernel that has no room drops it, as it does what comes from any device.
			let _ = device.write(&packet);
		}
	}
}
