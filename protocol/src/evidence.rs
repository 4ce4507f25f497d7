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
	receipt::{deliveries_root, Deliveries, PayerOpening, SignedReceipt},
	window::SignedHeader,
	Hash, PublicKey, Status, WindowHeader, WindowId,
};

use crate::window::EncodedWindow;

/// A window that is read on to its receipt though it has failed. Holds hashes only.
#[derive(Clone, Debug)]
pub(crate) struct Pursuit {
	pub(crate) header: SignedHeader,
	/// What the broadcaster signed; `None` where the relayer sent other leaves.
	pub(crate) signed: Option<Vec<Hash>>,
	/// Of the chunks that came, from 0.
	pub(crate) delivered: Vec<Hash>,
	/// Every chunk came: the receipt is next.
	pub(crate) complete: bool,
}

impl Pursuit {
	/// What the receipt shows; `None` where the relayer does not sign for what it sent.
	pub(crate) fn close(
		self,
		receipt: SignedReceipt,
		deliveries: Deliveries,
		payer: PayerOpening,
		relayer: &PublicKey,
		genesis: &Hash,
	) -> Option<Evidence> {
		let (header, message) = (&self.header.message, &receipt.message);
		let sent = merkle::root(&self.delivered);
		let at = deliveries.iter().position(|delivery| {
			(delivery.header, delivery.first, delivery.count) == (header.hash(), 0, header.chunks)
				&& delivery.delivered == sent
		})?;
		let about = message.root == deliveries_root(&deliveries) && message.payer == payer.hash();
		let binds = message.kind.proves_chunks() && message.key == *relayer;
		if !about || !binds || sent == header.root || receipt.verify(relayer, genesis).is_err() {
			return None;
		}
		let suspicion = Suspicion {
			header: self.header.message,
			account: Account {
				receipt,
				payer,
				deliveries: deliveries.into_inner(),
			},
			at,
			delivered: self.delivered,
		};
		match self.signed {
			Some(signed) => suspicion.with_leaves(&signed).map(|f| Evidence::Fraud(Box::new(f))),
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
