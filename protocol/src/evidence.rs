//! What a viewer keeps against those who deceive it: a relayer's receipt for a wrong chunk, a broadcaster's second
//! header for one place.
//!
//! A receipt convicts only a relayer that signs for what it delivered. One that signs for the broadcaster's root while it
//! sends something else is left unpaid, and nothing can be shown to anyone: the chunk came without a signature.

use alloc::{boxed::Box, collections::VecDeque, vec::Vec};
use clustercast_primitives::{
	catalog::CatalogSeal,
	crypto::Signed,
	fraud::{Account, ChunkFraud, Equivocation},
	merkle,
	receipt::{deliveries_root, Deliveries, Delivery, PayerOpening, SignedReceipt},
	window::SignedHeader,
	Hash, PublicKey, Status, WindowHeader, WindowId,
};

use crate::{viewer::BodyId, window::EncodedWindow, wire::Range};

/// Receipts that are kept for a pursuit: of those that name its window.
const MAX_RECEIPTS: usize = 8;

/// A window that is read on to its receipt though it has failed. Holds hashes, less than a chunk, and receipts.
#[derive(Clone, Debug)]
pub(crate) struct Pursuit {
	header: SignedHeader,
	hash: Hash,
	/// What the broadcaster signed of all its chunks; `None` where the relayer sent other leaves.
	signed: Option<Vec<Hash>>,
	/// The stream that brings chunks of it.
	body: Option<BodyId>,
	/// The first one that it brings.
	first: u32,
	/// Of those that came.
	delivered: Vec<Hash>,
	/// Behind the last whole chunk.
	rest: Vec<u8>,
	/// The stream has ended.
	complete: bool,
	receipts: Vec<(SignedReceipt, Deliveries)>,
}

impl Pursuit {
	/// No chunk has come.
	pub(crate) fn new(header: SignedHeader, signed: Option<Vec<Hash>>) -> Self {
		Self {
			hash: header.message.hash(),
			header,
			signed,
			body: None,
			first: 0,
			delivered: Vec::new(),
			rest: Vec::new(),
			complete: false,
			receipts: Vec::new(),
		}
	}

	/// This stream brings chunks from `first` on, and has brought these; and `rest`, less than a chunk.
	pub(crate) fn adopt(&mut self, id: BodyId, first: u32, delivered: Vec<Hash>, rest: Vec<u8>) {
		(self.body, self.first, self.delivered, self.rest) = (Some(id), first, delivered, rest);
	}

	/// A stream begins; whether it is the one that is waited for.
	pub(crate) fn begin(&mut self, range: &Range, id: BodyId) -> bool {
		let is_it = self.body.is_none() && range.header == self.hash;
		if is_it {
			self.adopt(id, range.first, Vec::new(), Vec::new());
		}
		is_it
	}

	/// The next bytes of a stream.
	pub(crate) fn chunks(&mut self, id: BodyId, bytes: &[u8]) {
		let (size, most) = (1 << self.header.message.chunk_log2, self.header.message.chunks as usize);
		if self.body != Some(id) || self.delivered.len() > most {
			return;
		}
		self.rest.extend_from_slice(bytes);
		let whole = self.rest.len() / size * size;
		let chunks: Vec<&[u8]> = self.rest[..whole].chunks(size).collect();
		self.delivered.extend(merkle::leaf_hashes(&chunks));
		self.rest.drain(..whole);
	}

	/// A stream is over; whether something can still be shown.
	pub(crate) fn end(&mut self, id: BodyId, ended: bool) -> bool {
		if self.body != Some(id) {
			return true;
		}
		if !self.rest.is_empty() {
			self.delivered.push(merkle::leaf_hash(&self.rest));
			self.rest = Vec::new();
		}
		self.complete = ended;
		ended
	}

	/// A receipt came, perhaps for this.
	pub(crate) fn receipt(&mut self, receipt: SignedReceipt, deliveries: Deliveries) {
		let names = deliveries.iter().any(|delivery| delivery.header == self.hash);
		if names && self.receipts.len() < MAX_RECEIPTS {
			self.receipts.push((receipt, deliveries));
		}
	}

	/// Once it is known, what the receipt shows; `None` where the relayer does not sign for what it sent.
	pub(crate) fn close(&self, payer: PayerOpening, relayer: &PublicKey, genesis: &Hash) -> Option<Option<Evidence>> {
		if !self.complete {
			return None;
		}
		let sent = (self.delivered.len(), merkle::root(&self.delivered));
		let names = |delivery: &Delivery| (delivery.header, delivery.first) == (self.hash, self.first);
		let is_it = |delivery: &Delivery| names(delivery) && (delivery.count as usize, delivery.delivered) == sent;
		for (receipt, deliveries) in &self.receipts {
			if let Some(at) = deliveries.iter().position(is_it) {
				return Some(self.judge(receipt, deliveries, at, payer, relayer, genesis));
			}
			if deliveries.iter().any(names) {
				return Some(None);
			}
		}
		(self.receipts.len() >= MAX_RECEIPTS).then_some(None)
	}

	/// What this receipt shows, one of whose deliveries is what was sent.
	fn judge(
		&self,
		receipt: &SignedReceipt,
		deliveries: &Deliveries,
		at: usize,
		payer: PayerOpening,
		relayer: &PublicKey,
		genesis: &Hash,
	) -> Option<Evidence> {
		let (header, message, delivery) = (&self.header.message, &receipt.message, deliveries.get(at)?);
		let about = message.root == deliveries_root(deliveries) && message.payer == payer.hash();
		let binds = message.kind.proves_chunks() && message.key == *relayer;
		let is_true = (delivery.count, delivery.delivered) == (header.chunks, header.root);
		if !about || !binds || is_true || receipt.verify(relayer, genesis).is_err() {
			return None;
		}
		let suspicion = Suspicion {
			header: header.clone(),
			account: Account {
				receipt: receipt.clone(),
				payer,
				deliveries: deliveries.to_vec(),
			},
			at,
			delivered: self.delivered.clone(),
		};
		match &self.signed {
			Some(signed) => suspicion.with_leaves(signed).map(|f| Evidence::Fraud(Box::new(f))),
			None => Some(Evidence::Suspicion(Box::new(suspicion))),
		}
	}
}

/// What came of reading on to a failed window's receipt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Evidence {
	/// Enough for the chain.
	Fraud(Box<ChunkFraud>),
	/// Enough once an honest relayer has delivered the window.
	Suspicion(Box<Suspicion>),
}

/// A relayer signed for another tree than the broadcaster, and hid the broadcaster's leaves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Suspicion {
	header: WindowHeader,
	account: Account,
	/// Which delivery of the receipt.
	at: usize,
	delivered: Vec<Hash>,
}

impl Suspicion {
	/// The window that it is about.
	pub fn window(&self) -> WindowId {
		self.header.id
	}

	/// Evidence from the same window as another relayer delivered it, verified; `None` for any other window.
	pub fn complete(&self, honest: &EncodedWindow) -> Option<ChunkFraud> {
		match honest.header() == &self.header {
			true => self.with_leaves(&merkle::leaves(&honest.data(), self.header.chunk_log2)),
			false => None,
		}
	}

	fn with_leaves(&self, signed: &[Hash]) -> Option<ChunkFraud> {
		ChunkFraud::find(&self.account, self.at, &self.header, signed, &self.delivered)
	}
}

/// Of each kind that a [`Witness`] remembers: of headers two minutes of windows of half a second.
const REMEMBERED: usize = 256;

/// Remembers what a stream's key signed last, over all relayers: headers, statuses, catalogs.
#[derive(Clone, Debug, Default)]
pub struct Witness {
	headers: VecDeque<SignedHeader>,
	statuses: VecDeque<Signed<Status>>,
	catalogs: VecDeque<Signed<CatalogSeal>>,
}

/// Takes a message; another one that it conflicts with.
fn remember<T: Clone>(seen: &mut VecDeque<T>, new: &T, conflict: impl Fn(&T) -> Option<bool>) -> Option<T> {
	for known in seen.iter() {
		match conflict(known) {
			Some(true) => return Some(known.clone()),
			Some(false) => return None,
			None => {},
		}
	}
	if seen.len() >= REMEMBERED {
		seen.pop_front();
	}
	seen.push_back(new.clone());
	None
}

impl Witness {
	/// Takes a header whose signature verified. Evidence where another one for its place was seen.
	pub fn note(&mut self, header: &SignedHeader) -> Option<Equivocation> {
		let first = remember(&mut self.headers, header, |seen| {
			(seen.message.id == header.message.id).then(|| seen.message.conflicts_with(&header.message))
		})?;
		let second = header.clone();
		Some(Equivocation::Headers { first, second })
	}

	/// The same with a status.
	pub fn note_status(&mut self, status: &Signed<Status>) -> Option<Equivocation> {
		let place = |status: &Status| (status.stream, status.epoch, status.number);
		let first = remember(&mut self.statuses, status, |seen| {
			(place(&seen.message) == place(&status.message)).then(|| seen.message.conflicts_with(&status.message))
		})?;
		let second = status.clone();
		Some(Equivocation::Statuses { first, second })
	}

	/// The same with a catalog.
	pub fn note_catalog(&mut self, seal: &Signed<CatalogSeal>) -> Option<Equivocation> {
		let place = |seal: &CatalogSeal| (seal.stream, seal.epoch, seal.number);
		let first = remember(&mut self.catalogs, seal, |seen| {
			(place(&seen.message) == place(&seal.message)).then(|| seen.message.conflicts_with(&seal.message))
		})?;
		let second = seal.clone();
		Some(Equivocation::Catalogs { first, second })
	}
}
