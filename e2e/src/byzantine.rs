//! Relayers that cheat: they take part like any other, then do one thing to what they deliver.

use crate::{
	lab::free_port,
	network::{Network, Person},
	programs::{register, Terms},
};
use anyhow::{Context, Result};
use bytes::{Bytes, BytesMut};
use clustercast_chain::keys;
use clustercast_network::{client::Subscription, feed::Feed, node::Limits, Address, Node, Stream};
use clustercast_primitives::{
	crypto::{sha256, KeyPair},
	merkle,
	receipt::{deliveries_root, Deliveries, SignedReceipt},
	subscribe::Binding,
	AccountId, Hash, PublicKey, StreamId,
};
use clustercast_protocol::{
	relayer::Event as Request,
	viewer::Event,
	wire::{self, Kind, ToViewer},
	Cursor, EncodedWindow, EndReason, Follow, Lookup, ReceiptSigner, RelayerSession, ViewerConfig, ViewerSession,
};
use codec::Decode;
use std::{
	io,
	sync::{
		atomic::{AtomicUsize, Ordering},
		Arc, Mutex, PoisonError,
	},
	time::Duration,
};
use tokio::task::JoinHandle;

/// Windows that it holds: a minute of 480p, so that it always has an old one at hand.
const CACHE_BYTES: usize = 64 << 20;

/// Of a window, as the origin cuts it.
const CHUNK_BYTES: usize = 1 << merkle::DEFAULT_CHUNK_LOG2;

/// How far behind the newest block its receipts are dated, as honest ones are.
const RECEIPT_LAG: u32 = 4;

/// Longest pause of the origin.
const INACTIVITY: Duration = Duration::from_secs(30);

/// What it does in place of delivering the next window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trick {
	/// Delivers it with one bit flipped.
	FlipBit,
	/// Delivers it with one bit flipped, and signs a receipt for just that.
	SignWrong,
	/// Delivers it with its first two chunks swapped.
	SwapChunks,
	/// Delivers the one before once more.
	ReplayOld,
	/// Delivers the one after it.
	OmitOne,
	/// Nothing bad: ends the subscription, and refuses any other.
	Leave,
	/// Takes the stream, and sells it to nobody.
	Refuse,
}

/// A cheating relayer. It stops when dropped.
pub struct Byzantine {
	/// Where viewers reach it: `MULTIADDR/p2p/ID`.
	pub address: String,
	/// Its account.
	pub account: AccountId,
	state: Arc<State>,
	tasks: [JoinHandle<()>; 3],
}

struct State {
	genesis: Hash,
	stream: StreamId,
	terms: wire::Terms,
	key: KeyPair,
	signer: Arc<ReceiptSigner>,
	feed: Feed,
	/// All that came, in order.
	came: Mutex<Vec<EncodedWindow>>,
	honest: usize,
	trick: Trick,
	subscriptions: AtomicUsize,
	tickets: AtomicUsize,
	tricks: AtomicUsize,
}

impl Byzantine {
	/// Registers it and starts it below the origin, which serves it like any relayer. Of each subscription it serves
	/// `honest` windows as it should, then plays its trick.
	pub async fn start(
		network: &Network,
		person: Person,
		terms: Terms,
		(stream, signing_key, origin): (u64, PublicKey, &str),
		(honest, trick): (usize, Trick),
	) -> Result<Self> {
		let listen = format!("/ip4/127.0.0.1/udp/{}/quic-v1", free_port()?);
		register(network, &person, &listen, terms.price_per_gb).await?;
		let key = keys::load_or_create(&person.key_file)?;
		let (node, mut incoming) = Node::start(&key, Limits::default())?;
		let address = node.listen(listen.parse()?).await?.to_string();
		let state = Arc::new(State {
			genesis: network.books().chain().genesis(),
			stream: StreamId(stream),
			terms: wire::Terms {
				recipient: person.account,
				price_per_gb: terms.price_per_gb,
				mode: wire::PaymentMode::Tickets {
					face_value: terms.face_value,
				},
				credit: 1_500_000,
				interval: 0,
				counter: 0,
				reserve: None,
			},
			signer: Arc::new(ReceiptSigner::new(key.clone(), [7; 32])),
			key,
			feed: Feed::new(CACHE_BYTES),
			came: Mutex::default(),
			honest,
			trick,
			subscriptions: AtomicUsize::new(0),
			tickets: AtomicUsize::new(0),
			tricks: AtomicUsize::new(0),
		});

		let origin: Address = origin.parse()?;
		let upstream = ViewerSession::new(ViewerConfig {
			genesis: state.genesis,
			stream: state.stream,
			track: 0,
			keys: signing_key.into(),
			relayer_key: origin.peer(),
			relayer_account: None,
			binding: Binding::PeerKey(origin.peer().0),
			payment: None,
			head: network.books().chain().heads().borrow().best,
			latest_start_ms: u64::MAX,
			resume: None,
			follow: Follow::Windows,
		});
		let connection = node.connect(&origin).await.context("the origin refuses it")?;
		let mut upstream = Subscription::new(connection, upstream, INACTIVITY);
		let ingesting = state.clone();
		let ingest = tokio::spawn(async move {
			// The node lives as long as its handle.
			let _node = node;
			while let Ok(event) = upstream.next().await {
				match event {
					Event::Window(window) => {
						let came = &ingesting.came;
						came.lock().unwrap_or_else(PoisonError::into_inner).push(window.clone());
						ingesting.feed.push(window);
					},
					Event::Status(status) => drop(ingesting.feed.push_status(*status)),
					_ => {},
				}
			}
		});
		let (signer, mut heads) = (state.signer.clone(), network.books().chain().heads());
		let follow = tokio::spawn(async move {
			loop {
				signer.set_block(heads.borrow_and_update().best.saturating_sub(RECEIPT_LAG));
				if heads.changed().await.is_err() {
					return;
				}
			}
		});
		let serving = state.clone();
		let serve = tokio::spawn(async move {
			while let Some((_, stream)) = incoming.accept().await {
				// A viewer that caught it hangs up: nothing to be done about that.
				tokio::spawn(serving.clone().serve(stream));
			}
		});
		Ok(Self {
			address,
			account: person.account,
			state,
			tasks: [ingest, serve, follow],
		})
	}

	/// Subscriptions that viewers made.
	pub fn subscriptions(&self) -> usize {
		self.state.subscriptions.load(Ordering::SeqCst)
	}

	/// Tickets that viewers sent.
	pub fn tickets(&self) -> usize {
		self.state.tickets.load(Ordering::SeqCst)
	}

	/// Windows that it got from the origin.
	pub fn windows(&self) -> usize {
		self.state.came.lock().unwrap_or_else(PoisonError::into_inner).len()
	}

	/// How often it played its trick.
	pub fn tricks(&self) -> usize {
		self.state.tricks.load(Ordering::SeqCst)
	}
}

impl Drop for Byzantine {
	fn drop(&mut self) {
		self.tasks.iter().for_each(JoinHandle::abort);
	}
}

/// What goes out in place of what is true.
enum Lie {
	/// Of the window that is announced.
	Announcement(Bytes),
	/// All its chunks.
	Chunks(Bytes),
}

/// What goes out next.
enum Step {
	/// This window, with a lie if any.
	Deliver(EncodedWindow, Option<Lie>),
	/// The end.
	Leave,
}

impl State {
	/// Serves one subscription until either side has enough of it.
	async fn serve(self: Arc<Self>, mut stream: Stream) -> io::Result<()> {
		let serial = self.subscriptions.fetch_add(1, Ordering::SeqCst);
		let challenge = sha256(&[b"byzantine", &serial.to_le_bytes(), &self.key.public().0]);
		let binding = Binding::PeerKey(self.key.public().0);
		let mut session = RelayerSession::new(self.genesis, challenge, vec![binding]);
		let (mut news, mut buffer, mut delivered) = (self.feed.news(self.stream), vec![0; CHUNK_BYTES], 0);
		loop {
			while let Some(request) = session.poll_event() {
				match request {
					Request::Subscribed(_) if self.trick == Trick::Leave && serial > 0 => session.end(EndReason::Full),
					Request::Subscribed(_) if self.trick == Trick::Refuse => session.end(EndReason::Full),
					Request::Subscribed(_) => {
						session
							.accept(self.terms.clone(), self.signer.clone())
							.map_err(io::Error::other)?;
					},
					Request::Ticket(ticket) => {
						self.tickets.fetch_add(1, Ordering::SeqCst);
						session.paid(ticket.message.commitment).map_err(io::Error::other)?;
					},
					Request::Voucher { .. } | Request::Reserve(_) => {
						return Err(io::Error::other("its terms ask for tickets, and to reserve nothing"));
					},
					Request::Fetch(_) | Request::Cancel(_) => return Err(io::Error::other("all comes by itself")),
				}
			}
			let mut lie = None;
			match session.wants().and_then(|cursor| self.step(cursor, delivered)) {
				Some(Step::Deliver(window, instead)) => {
					session.deliver(&window).map_err(io::Error::other)?;
					delivered += 1;
					lie = instead;
				},
				Some(Step::Leave) => session.end(EndReason::Full),
				None => {},
			}
			if self.transmit(&mut session, &mut stream, lie.as_ref()).await? {
				continue;
			}
			tokio::select! {
				read = stream.read(&mut buffer) => {
					let length = read?;
					if length == 0 || session.handle(&buffer[..length]).is_err() {
						return Ok(());
					}
				},
				changed = news.changed() => if changed.is_err() { return Ok(()) },
			}
		}
	}

	/// Says and sends all that is queued, with this lie about the window among it; whether there was anything.
	async fn transmit(&self, session: &mut RelayerSession, stream: &mut Stream, lie: Option<&Lie>) -> io::Result<bool> {
		let mut any = false;
		loop {
			while let Some(frame) = session.poll_transmit() {
				let frame = match lie {
					Some(Lie::Announcement(lie)) if is_a(&frame, Kind::Pushed) => lie.clone(),
					Some(Lie::Chunks(lie)) if self.trick == Trick::SignWrong && is_a(&frame, Kind::Receipt) => {
						self.admit(&frame, lie)?
					},
					_ => frame,
				};
				stream.write_all(frame).await?;
				any = true;
			}
			let Some(outgoing) = session.poll_sending() else {
				return Ok(any);
			};
			let [range, data] = outgoing.rest();
			let data = match lie {
				Some(Lie::Chunks(lie)) => lie.clone(),
				_ => data,
			};
			stream.send_chunks([range, data]).await?;
			session.sent(outgoing.id(), outgoing.chunks());
			session.arrived(outgoing.id());
		}
	}

	/// What to send of a subscription that got `delivered` windows; `None` while the origin has not sent it yet.
	fn step(&self, cursor: Cursor, delivered: usize) -> Option<Step> {
		let next = self.get(cursor)?;
		if delivered < self.honest {
			return Some(Step::Deliver(next, None));
		}
		let id = next.id();
		let mut data = BytesMut::from(&next.data()[..]);
		let step = match self.trick {
			Trick::Leave | Trick::Refuse => Step::Leave,
			Trick::FlipBit | Trick::SignWrong => {
				data[CHUNK_BYTES / 2] ^= 1;
				Step::Deliver(next, Some(Lie::Chunks(data.freeze())))
			},
			Trick::SwapChunks => {
				let (first, second) = data.split_at_mut(CHUNK_BYTES);
				first.swap_with_slice(&mut second[..CHUNK_BYTES]);
				Step::Deliver(next, Some(Lie::Chunks(data.freeze())))
			},
			Trick::ReplayOld => {
				let came = self.came.lock().unwrap_or_else(PoisonError::into_inner);
				let old = came.iter().rev().find(|window| window.id() < id)?;
				let lie = old.announcement(true);
				Step::Deliver(next, Some(Lie::Announcement(lie)))
			},
			Trick::OmitOne => Step::Deliver(self.get(behind(&next))?, None),
		};
		self.tricks.fetch_add(1, Ordering::SeqCst);
		Some(step)
	}

	/// The receipt in `frame`, as one for the window's chunks as they are in `lie`.
	fn admit(&self, frame: &[u8], lie: &[u8]) -> io::Result<Bytes> {
		let (signed, mut deliveries) =
			<(SignedReceipt, Deliveries)>::decode(&mut &frame[wire::PREFIX_BYTES..]).map_err(io::Error::other)?;
		let mut receipt = signed.message;
		let leaves = merkle::leaves(lie, merkle::DEFAULT_CHUNK_LOG2);
		for delivery in deliveries.iter_mut() {
			delivery.delivered = merkle::root(&leaves);
		}
		receipt.root = deliveries_root(&deliveries);
		Ok(ToViewer::Receipt(self.key.sign(receipt, &self.genesis), deliveries).to_frame())
	}

	fn get(&self, cursor: Cursor) -> Option<EncodedWindow> {
		match self.feed.get(cursor) {
			Lookup::Found(window) => Some(window),
			_ => None,
		}
	}
}

/// What follows this window.
fn behind(window: &EncodedWindow) -> Cursor {
	Cursor::After {
		id: window.id(),
		header: window.hash(),
	}
}

fn is_a(frame: &[u8], kind: Kind) -> bool {
	frame.get(wire::PREFIX_BYTES - 1) == Some(&(kind as u8))
}
