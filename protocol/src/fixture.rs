//! What tests and benchmarks share: keys, a broadcaster, and a relayer and viewer of it.

#![allow(
	dead_code,
	reason = "each test and benchmark that includes this file uses its own part of it"
)]

use bytes::Bytes;
use clustercast_primitives::{
	amount::USDC,
	catalog::{init_hash, kind, role, Catalog, SignedCatalog, Track},
	chain::{SessionInfo, ViewerAccount},
	crypto::KeyPair,
	ext::{self, Item, Items},
	merkle::DEFAULT_CHUNK_LOG2,
	status::{SignedStatus, State, TrackState},
	subscribe::{Binding, Subscription},
	text::Text,
	window::flags,
	AccountId, Hash, History, SignedTicket, Status, StreamId, Ticket, TrackId, WindowId,
};
use clustercast_protocol::{
	viewer::{Due, Taken, ViewerSession},
	window::{Draft, EncodedWindow, Setting},
	wire::range_prefix,
	BookConfig, CreditConfig, Fault, Float, Follow, Payer, PaymentMode, PaymentTerms, PurseConfig, Range,
	ReceiptSigner, RelayerSession, SessionKey, Share, Terms, ViewerConfig,
};
use std::sync::Arc;

pub const GENESIS: Hash = Hash([0x47; 32]);
pub const STREAM: StreamId = StreamId(7);
pub const SENDER: AccountId = AccountId([0x5e; 32]);
pub const RECIPIENT: AccountId = AccountId([0x2e; 32]);
pub const TICKET_LIFE: u32 = 300;
pub const MAX_TICKET_LIFE: u32 = 600;
pub const EPOCH: u32 = 5;
pub const HEAD: u32 = 50;
pub const MARGIN: u32 = 300;
pub const FLOAT: Float = Float {
	bytes: 64 << 20,
	value: 5 * USDC,
	per_hour: 20 * USDC,
};
pub const LATEST_START_MS: u64 = 2_000_000_000_000;
pub const CHALLENGE: Hash = Hash([0xc4; 32]);

pub fn stream_key() -> KeyPair {
	KeyPair::from_seed([1; 32])
}

pub fn relayer_key() -> KeyPair {
	KeyPair::from_seed([2; 32])
}

pub fn session_key() -> KeyPair {
	KeyPair::from_seed([3; 32])
}

/// What pays this with a ticket.
pub fn ticket(due: &Due) -> SignedTicket {
	let Share::Ticket {
		bytes,
		face_value,
		win_probability,
	} = due.share
	else {
		panic!("{due:?}");
	};
	let ticket = Ticket {
		sender: SENDER,
		session: session_key().public(),
		recipient: due.recipient,
		stream: due.window.stream,
		kind: due.kind,
		context: due.context,
		bytes,
		face_value,
		win_probability,
		commitment: due.commitment,
		nonce: 0,
		expiry: 120,
	};
	session_key().sign(ticket, &GENESIS)
}

pub fn signer() -> Arc<ReceiptSigner> {
	let signer = ReceiptSigner::new(relayer_key(), [9; 32]);
	signer.set_block(HEAD);
	Arc::new(signer)
}

/// Who pays: names account and session.
pub fn session() -> SessionKey {
	SessionKey {
		account: SENDER,
		key: session_key().public(),
	}
}

/// How the viewer sees the relayer.
pub fn binding() -> Binding {
	Binding::PeerKey(relayer_key().public().0)
}

/// What the viewer has to sign.
pub fn subscription() -> Subscription {
	Subscription {
		account: SENDER,
		session: session_key().public(),
		stream: STREAM,
		tracks: vec![0].try_into().expect("one track"),
		challenge: CHALLENGE,
		binding: binding(),
	}
}

pub fn payer() -> Payer {
	Payer {
		subscription: session_key().sign(subscription(), &GENESIS),
		vouchers: true,
	}
}

/// Signed by the stream's key, with these tracks.
pub fn catalog(tracks: &[TrackId], init: &[u8], number: u32) -> SignedCatalog {
	let track = |id: &TrackId| Track {
		id: *id,
		kind: kind::MUXED,
		role: role::MAIN,
		language: Text::default(),
		codecs: Text::try_from("avc1.64001f,mp4a.40.2").expect("short"),
		bitrate: 1_500_000,
		width: 854,
		height: 480,
		rate: 30_000,
		timescale: 90_000,
		init: init_hash(init),
	};
	let catalog = Catalog {
		stream: STREAM,
		epoch: EPOCH,
		number,
		title: Text::default(),
		tracks: tracks
			.iter()
			.map(track)
			.collect::<Vec<_>>()
			.try_into()
			.expect("few tracks"),
		protection: Default::default(),
		mirrors: Default::default(),
	};
	SignedCatalog::sign(catalog, &stream_key(), &GENESIS)
}

/// Signed by the stream's key for [`EPOCH`], of one track that stands at 3 windows.
pub fn status(number: u64, state: State) -> SignedStatus {
	let status = Status {
		stream: STREAM,
		epoch: EPOCH,
		number,
		state,
		at_ms: 1_700_000_000_000,
		valid_ms: 5_000,
		after: Hash([0; 32]),
		tracks: Hash([0; 32]),
	};
	let track = TrackState {
		track: 0,
		count: 3,
		last: Hash([1; 32]),
		history: Hash([2; 32]),
	};
	let tracks = vec![track].try_into().expect("one track");
	SignedStatus::sign(status, tracks, &stream_key(), &GENESIS)
}

pub fn setting() -> Setting {
	Setting {
		catalog: Arc::new(catalog(&[0], b"ftyp moov", 0)),
		init: Bytes::from_static(b"ftyp moov"),
	}
}

/// Items that nobody here knows.
pub fn items() -> Items {
	let item = |kind, data: &[u8]| Item {
		kind,
		data: data.to_vec().try_into().expect("short"),
	};
	Items::new(vec![item(ext::kind::ENCRYPTION, &[7; 32]), item(900, b"whatever")]).expect("in order")
}

pub fn terms() -> Terms {
	Terms {
		recipient: RECIPIENT,
		price_per_gb: 2_000_000,
		mode: PaymentMode::Tickets { face_value: 50_000 },
		credit: 2 * 65_536,
		interval: 0,
		counter: 3,
		reserve: None,
	}
}

pub fn viewer_config() -> ViewerConfig {
	ViewerConfig {
		genesis: GENESIS,
		stream: STREAM,
		track: 0,
		keys: stream_key().public().into(),
		relayer_key: relayer_key().public(),
		relayer_account: Some(RECIPIENT),
		binding: binding(),
		payment: Some(PaymentTerms {
			session: session(),
			vouchers: true,
			terms: terms().counter,
			max_price_per_gb: 5_000_000,
			max_face_value: USDC,
		}),
		head: HEAD,
		latest_start_ms: LATEST_START_MS,
		resume: None,
		follow: Follow::Windows,
	}
}

pub fn purse_config() -> PurseConfig {
	PurseConfig {
		genesis: GENESIS,
		sender: SENDER,
		session_expiry: 1_000_000,
		ticket_life: TICKET_LIFE,
		budget: 100 * USDC,
	}
}

pub fn book_config() -> BookConfig {
	BookConfig {
		genesis: GENESIS,
		recipient: RECIPIENT,
		max_ticket_life: MAX_TICKET_LIFE,
		min_ticket_life: 100,
		min_face_value: 1_000,
		credit: CreditConfig {
			float: FLOAT,
			margin: MARGIN,
			least: 1_000,
			max_sessions: 100,
		},
		max_expectations: 1_000,
		max_price_per_gb: 4_000_000,
	}
}

/// What the chain says of [`SENDER`].
pub fn account() -> ViewerAccount {
	ViewerAccount {
		free: USDC,
		deposit: 50 * USDC,
		reserved: 0,
		unlocking: None,
		sessions: vec![SessionInfo {
			key: session_key().public(),
			limit: 20 * USDC,
			spent: 0,
			extra_limit: 0,
			extra_spent: 0,
			expiry: 1_000_000,
			registered: 1,
		}],
	}
}

/// Signs one window after the other.
pub struct Broadcast {
	pub key: KeyPair,
	pub setting: Setting,
	pub items: Items,
	pub next: WindowId,
	pub history: History,
	pub chunk_log2: u8,
}

impl Default for Broadcast {
	fn default() -> Self {
		Self {
			key: stream_key(),
			setting: setting(),
			items: Items::default(),
			next: WindowId {
				stream: STREAM,
				track: 0,
				epoch: EPOCH,
				segment: 40,
				part: 0,
			},
			history: History::default(),
			chunk_log2: DEFAULT_CHUNK_LOG2,
		}
	}
}

impl Broadcast {
	/// A whole segment.
	pub fn segment(&mut self, data: &[u8]) -> EncodedWindow {
		self.window(flags::INDEPENDENT | flags::LAST_PART, data)
	}

	/// From here on with this initialisation segment, under a catalog of the next number.
	pub fn reinit(&mut self, init: impl Into<Bytes>) {
		let (init, number) = (init.into(), self.setting.catalog.catalog.number + 1);
		let catalog = catalog(&[0, 1], &init, number).catalog;
		self.setting = Setting {
			catalog: self.sealed(catalog),
			init,
		};
	}

	/// From here on in another epoch, which starts empty.
	pub fn begin_epoch(&mut self, epoch: u32) {
		(self.next.epoch, self.history) = (epoch, History::default());
		let mut catalog = self.setting.catalog.catalog.clone();
		catalog.number = 0;
		self.setting.catalog = self.sealed(catalog);
	}

	/// For the epoch of now.
	fn sealed(&self, mut catalog: Catalog) -> Arc<SignedCatalog> {
		catalog.epoch = self.next.epoch;
		Arc::new(SignedCatalog::sign(catalog, &self.key, &GENESIS))
	}

	/// A window with these flags.
	pub fn window(&mut self, flags: u16, data: &[u8]) -> EncodedWindow {
		let draft = Draft {
			id: self.next,
			flags,
			start_ms: 1_700_000_000_000 + 2_000 * self.next.segment,
			duration_ms: 2_000,
			history: self.history.clone(),
			items: self.items.clone(),
			chunk_log2: self.chunk_log2,
		};
		let window = EncodedWindow::sign(draft, self.setting.clone(), data, &self.key, &GENESIS).expect("valid window");
		self.history = window.history_after();
		match flags & flags::LAST_PART {
			0 => self.next.part += 1,
			_ => (self.next.segment, self.next.part) = (self.next.segment + 1, 0),
		}
		window
	}
}

/// Bytes that differ from chunk to chunk.
pub fn media(len: usize, seed: u8) -> Vec<u8> {
	(0..len)
		.map(|i| (i / 1_000) as u8 ^ (i as u8).wrapping_mul(31) ^ seed)
		.collect()
}

/// Gives a viewer chunks as their stream brings them, ended. What is not announced is not taken.
pub fn give(viewer: &mut ViewerSession, range: Range, data: &[u8]) -> Result<(), Fault> {
	let prefix: Vec<u8> = range_prefix(&range).into();
	match viewer.begin_chunks(&prefix.try_into().expect("of its length"))? {
		Taken::As(id) => {
			viewer.chunks(id, data)?;
			viewer.end_chunks(id, true)
		},
		Taken::NotYet => panic!("{range} is not announced"),
	}
}

/// Takes all that a relayer sends, at once, to a viewer.
pub fn carry(relayer: &mut RelayerSession, viewer: &mut ViewerSession) -> Result<(), Fault> {
	loop {
		while let Some(frame) = relayer.poll_transmit() {
			viewer.handle(&frame)?;
		}
		let Some(outgoing) = relayer.poll_sending() else {
			return Ok(());
		};
		let [_, data] = outgoing.rest();
		give(viewer, outgoing.range(), &data)?;
		relayer.sent(outgoing.id(), outgoing.chunks());
		relayer.arrived(outgoing.id());
	}
}
