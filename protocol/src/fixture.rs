//! What tests and benchmarks share: keys, a broadcaster, and a relayer and viewer of it.

#![allow(
	dead_code,
	reason = "each test and benchmark that includes this file uses its own part of it"
)]

use bytes::Bytes;
use clustercast_primitives::{
	amount::USDC,
	chain::{SessionInfo, ViewerAccount},
	crypto::KeyPair,
	window::flags,
	AccountId, Hash, StreamId, WindowId,
};
use clustercast_protocol::{
	window::{Draft, EncodedWindow},
	BookConfig, Payer, PaymentMode, PaymentTerms, PurseConfig, ReceiptSigner, Terms, ViewerConfig,
};
use std::sync::Arc;

pub const GENESIS: Hash = Hash([0x47; 32]);
pub const STREAM: StreamId = StreamId(7);
pub const SENDER: AccountId = AccountId([0x5e; 32]);
pub const RECIPIENT: AccountId = AccountId([0x2e; 32]);
pub const EPOCH_LENGTH: u32 = 600;
pub const NONCES: u32 = 8192;
pub const TICKET_LIFE: u32 = 300;
pub const MAX_TICKET_LIFE: u32 = 600;

pub fn stream_key() -> KeyPair {
	KeyPair::from_seed([1; 32])
}

pub fn relayer_key() -> KeyPair {
	KeyPair::from_seed([2; 32])
}

pub fn session_key() -> KeyPair {
	KeyPair::from_seed([3; 32])
}

pub fn signer() -> Arc<ReceiptSigner> {
	Arc::new(ReceiptSigner::new(relayer_key(), [9; 32]))
}

pub fn payer() -> Payer {
	Payer {
		account: SENDER,
		session: session_key().public(),
		vouchers: true,
	}
}

pub fn terms() -> Terms {
	Terms {
		recipient: RECIPIENT,
		price_per_gb: 2_000_000,
		mode: PaymentMode::Tickets { face_value: 50_000 },
		credit: 2,
	}
}

pub fn viewer_config() -> ViewerConfig {
	ViewerConfig {
		genesis: GENESIS,
		stream: STREAM,
		rendition: 0,
		signing_key: stream_key().public(),
		relayer_key: relayer_key().public(),
		payment: Some(PaymentTerms {
			payer: payer(),
			max_price_per_gb: 5_000_000,
			max_face_value: USDC,
		}),
		resume: None,
	}
}

pub fn purse_config() -> PurseConfig {
	PurseConfig {
		genesis: GENESIS,
		sender: SENDER,
		session_expiry: 1_000_000,
		epoch_length: EPOCH_LENGTH,
		nonces_per_epoch: NONCES,
		ticket_life: TICKET_LIFE,
		budget: 100 * USDC,
	}
}

pub fn book_config() -> BookConfig {
	BookConfig {
		genesis: GENESIS,
		recipient: RECIPIENT,
		epoch_length: EPOCH_LENGTH,
		nonces_per_epoch: NONCES,
		max_ticket_life: MAX_TICKET_LIFE,
		min_ticket_life: 100,
		min_face_value: 1_000,
		float: 5 * USDC,
		max_expectations: 1_000,
		max_sessions: 100,
		max_price_per_gb: 4_000_000,
	}
}

/// What the chain says of [`SENDER`].
pub fn account() -> ViewerAccount {
	ViewerAccount {
		free: USDC,
		deposit: 50 * USDC,
		unlocking: None,
		sessions: vec![SessionInfo {
			key: session_key().public(),
			limit: 20 * USDC,
			spent: 0,
			expiry: 1_000_000,
			payees: 0,
		}],
	}
}

/// Signs one window after the other.
pub struct Broadcast {
	pub key: KeyPair,
	pub init: Bytes,
	pub next: WindowId,
	pub previous: Hash,
}

impl Default for Broadcast {
	fn default() -> Self {
		Self {
			key: stream_key(),
			init: Bytes::from_static(b"ftyp moov"),
			next: WindowId {
				stream: STREAM,
				rendition: 0,
				segment: 40,
				part: 0,
			},
			previous: Hash([0; 32]),
		}
	}
}

impl Broadcast {
	/// A whole segment.
	pub fn segment(&mut self, data: &[u8]) -> EncodedWindow {
		self.window(flags::INDEPENDENT | flags::LAST_PART, data)
	}

	/// A window with these flags.
	pub fn window(&mut self, flags: u8, data: &[u8]) -> EncodedWindow {
		let draft = Draft {
			id: self.next,
			flags,
			start_ms: 1_700_000_000_000 + 2_000 * self.next.segment,
			duration_ms: 2_000,
			previous: self.previous,
		};
		let window = EncodedWindow::sign(draft, self.init.clone(), data, &self.key, &GENESIS).expect("valid window");
		self.previous = window.hash();
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
