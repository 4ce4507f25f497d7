//! Who takes part: the origin, relayers and viewers, of the machines in the other modules.

use crate::{
	calendar::Micros,
	chain::{block, unix_ms, GENESIS},
	desk::{Desk, Disk, Offer, STREAM, WINDOW},
	intake::{Any, Got, Source, Taste},
	net::{Input, NodeId},
	node::{Conduct, Io},
	serve::Shop,
	several::Several,
	single::Single,
	wallet::Wallet,
};
use bytes::Bytes;
use clustercast_primitives::{catalog::Track, crypto::KeyPair, status::State, Hash, WindowId};
use clustercast_protocol::Broadcast;
use rand::{seq::SliceRandom, Rng, RngCore};
use std::sync::Arc;

/// Largest window, in chunks of 16 KiB.
pub const MOST_CHUNKS: usize = 4;

/// Windows between two statuses.
const STATUS_EACH: u64 = 2;

/// Signs the stream.
pub fn stream_key() -> KeyPair {
	KeyPair::from_seed([1; 32])
}

/// A node.
#[derive(Debug)]
pub enum Actor {
	/// Makes the broadcast.
	Origin(Box<Origin>),
	/// Takes it, and serves it.
	Relayer(Box<Relayer>),
	/// Takes it.
	Viewer(Box<Viewer>),
}

/// Makes a window every two seconds.
#[derive(Debug)]
pub struct Origin {
	offer: Offer,
	running: Option<(Shop, Broadcast)>,
	/// The newest window, and the hash of the newest status, on its disk.
	segment: u64,
	after: Hash,
	/// The broadcaster makes none before this.
	pub paused: Micros,
	/// All windows have so many bytes; `None`: as it comes.
	bytes: Option<usize>,
}

/// Takes windows from a source, and serves them.
#[derive(Debug)]
pub struct Relayer {
	offer: Offer,
	conduct: Conduct,
	key: KeyPair,
	intake: Any,
	shop: Option<Shop>,
	disk: Disk,
	order: Vec<NodeId>,
	/// When the next block is.
	block_at: Micros,
}

/// Plays.
#[derive(Debug)]
pub struct Viewer {
	intake: Any,
	order: Vec<NodeId>,
	/// What came of it.
	pub figures: Figures,
	/// It has left.
	pub left: bool,
}

/// What a viewer has seen.
#[derive(Clone, Debug, Default)]
pub struct Figures {
	/// When it came.
	pub joined: Option<Micros>,
	/// From then to the first window.
	pub startup: Option<Micros>,
	/// Windows that it played.
	pub windows: u64,
	/// Of those, how many came when the playhead was past them.
	pub late: u64,
	/// Windows that it did not get.
	pub missed: u64,
	/// Times that it had to wait: late ones, or missing ones, in a row are one time.
	pub stalls: u64,
	/// It waits.
	stalled: bool,
	/// The newest one.
	pub last: Option<WindowId>,
	/// When the newest one came.
	pub last_at: Micros,
	/// Since the faults stopped: when it played what is new again.
	pub recovered: Option<Micros>,
	/// All of them, where that is wanted.
	pub played: Option<Vec<Played>>,
}

/// A window that was played.
#[derive(Clone, Copy, Debug)]
pub struct Played {
	/// When its capture began, as the origin says.
	pub captured: Micros,
	/// When all of it was there.
	pub came: Micros,
}

/// The playhead is so far behind capture.
pub const BEHIND: Micros = 6_000_000;

impl Origin {
	/// Has made nothing yet.
	pub fn new(offer: Offer, bytes: Option<usize>) -> Self {
		Self {
			offer,
			running: None,
			segment: 0,
			after: Hash([0; 32]),
			paused: 0,
			bytes,
		}
	}

	fn start(&mut self, io: &mut Io<'_>) {
		let desk = Desk::open(self.offer, Conduct::Honest, stream_key(), Disk::default(), io);
		let epoch = block(io.now());
		let mut broadcast = Broadcast::begin(stream_key(), GENESIS, STREAM, epoch, self.after, self.segment);
		let init = Bytes::from_static(b"init");
		broadcast.describe(Track::unknown(&init), init);
		self.running = Some((Shop::new(desk), broadcast));
		self.tick(io);
	}

	fn tick(&mut self, io: &mut Io<'_>) {
		let (now, paused) = (io.now(), self.paused > io.now());
		let Some((shop, broadcast)) = &mut self.running else {
			return;
		};
		shop.at_block(io);
		if !paused {
			let bytes = self.bytes.unwrap_or_else(|| {
				let chunks = io.rng.gen_range(1..=MOST_CHUNKS);
				(chunks << 14) - io.rng.gen_range(0..10_000)
			});
			let mut data = vec![0; bytes];
			io.rng.fill_bytes(&mut data);
			let window = broadcast
				.segment(unix_ms(now).saturating_sub(2_000), &data)
				.expect("it is well-formed; qed");
			self.segment = window.id().segment + 1;
			io.audit.signed(&window);
			shop.desk.push(window, io);
		}
		if (now / WINDOW).is_multiple_of(STATUS_EACH) {
			let state = if paused { State::Idle } else { State::Live };
			let status = broadcast.status(state, unix_ms(now));
			self.after = status.status.message.hash();
			shop.desk.standing.note_status(&status, io.time());
		}
		shop.ring(io);
		io.wake(None, now + WINDOW);
	}

	/// Number of the next window.
	pub fn next_segment(&self) -> u64 {
		self.segment
	}
}

impl Relayer {
	/// Serves what one of these sources has.
	pub fn new(
		offer: Offer,
		conduct: Conduct,
		key: KeyPair,
		taste: Taste,
		sources: Arc<Vec<Source>>,
		order: Vec<NodeId>,
		wallet: Option<Wallet>,
	) -> Self {
		let single = Single::new(taste, sources, order.clone(), stream_key().public(), wallet);
		Self {
			offer,
			conduct,
			key,
			intake: Any::Single(Box::new(single)),
			shop: None,
			disk: Disk::default(),
			order,
			block_at: 0,
		}
	}

	fn at_block(&mut self, io: &mut Io<'_>) {
		if let Some(shop) = &mut self.shop {
			shop.at_block(io);
		}
		self.block_at = (io.now() / WINDOW + 1) * WINDOW;
		io.wake(None, self.block_at);
	}

	fn take(&mut self, io: &mut Io<'_>) {
		let Some(shop) = &mut self.shop else { return };
		let mut news = false;
		while let Some(got) = self.intake.machine().poll() {
			news = true;
			match got {
				// Begun anew at an upstream that is behind us: of no use to anybody, and as in `relayer` not passed on.
				Got::Window(window) if shop.desk.has_as_new(&window) => io.audit.may_skip(io.node),
				Got::Window(window) => {
					io.audit.handed_on(io.node, window.id(), &window.hash(), &window.data());
					shop.desk.push(window, io);
				},
				Got::Skipped => io.audit.may_skip(io.node),
				Got::Status(status) => drop(shop.desk.standing.note_status(&status, io.time())),
			}
		}
		if news {
			shop.ring(io);
		}
	}
}

impl Viewer {
	/// Watches from one of these sources.
	pub fn new(taste: Taste, sources: Arc<Vec<Source>>, order: Vec<NodeId>, wallet: Option<Wallet>) -> Self {
		let key = stream_key().public();
		let intake = match taste.standbys {
			0 => Any::Single(Box::new(Single::new(taste, sources, order.clone(), key, wallet))),
			_ => Any::Several(Box::new(Several::new(taste, sources, order.clone(), key, wallet))),
		};
		Self {
			intake,
			order,
			figures: Figures::default(),
			left: false,
		}
	}

	fn take(&mut self, io: &mut Io<'_>) {
		while let Some(got) = self.intake.machine().poll() {
			let window = match got {
				Got::Window(window) => window,
				Got::Skipped => {
					io.audit.may_skip(io.node);
					continue;
				},
				Got::Status(_) => continue,
			};
			io.audit.handed_on(io.node, window.id(), &window.hash(), &window.data());
			let now = io.now();
			let header = window.header();
			let figures = &mut self.figures;
			let joined = *figures.joined.get_or_insert(now);
			figures.startup.get_or_insert(now - joined);
			figures.windows += 1;
			let due = header.start_ms.saturating_sub(unix_ms(0)) * 1_000 + BEHIND;
			// What it begins with is whatever is newest.
			let late = now > due && figures.last.is_some();
			figures.late += u64::from(late);
			let id = window.id();
			let mut gap = 0;
			if let Some(last) = figures.last.filter(|last| last.epoch == id.epoch) {
				gap = id.segment.saturating_sub(last.segment + 1);
			}
			figures.missed += gap;
			let stalled = late || gap > 0;
			figures.stalls += u64::from(stalled && !figures.stalled);
			figures.stalled = stalled;
			(figures.last, figures.last_at) = (Some(id), now);
			if let Some(played) = &mut figures.played {
				played.push(Played {
					captured: due - BEHIND,
					came: now,
				});
			}
		}
	}

	/// Whom windows come from by themselves.
	pub fn parent(&self) -> Option<NodeId> {
		self.intake.parent()
	}

	/// Wants no more.
	pub fn leave(&mut self, io: &mut Io<'_>) {
		self.left = true;
		self.intake.machine().leave(io);
	}
}

impl Actor {
	/// Something happened to it.
	pub fn on(&mut self, input: Input, io: &mut Io<'_>) {
		match self {
			Self::Origin(origin) => match input {
				Input::Start => origin.start(io),
				Input::Wake(None) => origin.tick(io),
				input => {
					if let Some((shop, _)) = &mut origin.running {
						shop.on(input, io);
					}
				},
			},
			Self::Relayer(relayer) => {
				match input {
					Input::Start => {
						let disk = std::mem::take(&mut relayer.disk);
						let desk = Desk::open(relayer.offer, relayer.conduct, relayer.key.clone(), disk, io);
						relayer.shop = Some(Shop::new(desk));
						relayer.intake.machine().start(io);
						relayer.at_block(io);
					},
					Input::Wake(None) => {
						if io.now() >= relayer.block_at {
							relayer.at_block(io);
						}
						relayer.intake.machine().on(Input::Wake(None), io);
					},
					input => match conn_of(&input).is_some_and(|conn| relayer.intake.has(conn)) {
						true => relayer.intake.machine().on(input, io),
						false => {
							if let Some(shop) = &mut relayer.shop {
								shop.on(input, io);
							}
						},
					},
				}
				relayer.take(io);
			},
			Self::Viewer(viewer) => {
				match input {
					Input::Start => {
						viewer.figures.joined.get_or_insert(io.now());
						viewer.intake.machine().start(io);
					},
					Input::Called(conn, _) => io.close(conn),
					Input::Wake(Some(_)) | Input::Arrived(..) | Input::Room(_) => {},
					Input::Wake(None) => viewer.intake.machine().on(Input::Wake(None), io),
					input => {
						if conn_of(&input).is_some_and(|conn| viewer.intake.has(conn)) {
							viewer.intake.machine().on(input, io);
						}
					},
				}
				viewer.take(io);
			},
		}
	}

	/// It is gone: only its disk is left.
	pub fn crash(&mut self, rng: &mut impl Rng) {
		match self {
			Self::Origin(origin) => origin.running = None,
			Self::Relayer(relayer) => {
				if let Some(shop) = relayer.shop.take() {
					relayer.disk = shop.desk.crash();
				}
				relayer.intake.machine().crash(relayer.order.clone());
			},
			Self::Viewer(viewer) => {
				viewer.order.shuffle(rng);
				viewer.intake.machine().crash(viewer.order.clone());
			},
		}
	}
}

fn conn_of(input: &Input) -> Option<crate::net::ConnId> {
	match input {
		Input::Opened(conn)
		| Input::Gone(conn)
		| Input::Called(conn, _)
		| Input::Frame(conn, _)
		| Input::Chunk(conn, ..)
		| Input::Arrived(conn, _)
		| Input::Room(conn) => Some(*conn),
		Input::Wake(conn) => *conn,
		Input::Start => None,
	}
}
