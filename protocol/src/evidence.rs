//! What a viewer keeps against those who deceive it: a relayer's receipt for a wrong chunk, a broadcaster's second
//! header for one place.
//!
//! A receipt convicts only a relayer that signs for what it delivered. One that signs for the broadcaster's root while it
//! sends something else is left unpaid, and nothing can be shown to anyone: the chunk came without a signature.

use clustercast_primitives::{
	fraud::{ChunkFraud, Equivocation},
	merkle,
	receipt::SignedReceipt,
	window::SignedHeader,
	Hash, PublicKey, WindowId,
};
use std::collections::VecDeque;

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
	pub(crate) fn close(self, receipt: SignedReceipt, relayer: &PublicKey, genesis: &Hash) -> Option<Evidence> {
		let (header, message) = (&self.header.message, &receipt.message);
		let about = (message.window, message.root, message.bytes) == (header.id, header.root, header.bytes);
		let admits = message.delivered == merkle::root(&self.delivered) && message.delivered != header.root;
		if !about || !admits || receipt.verify(relayer, genesis).is_err() {
			return None;
		}
		let suspicion = Suspicion {
			header: self.header,
			receipt,
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
	header: SignedHeader,
	receipt: SignedReceipt,
	delivered: Vec<Hash>,
}

impl Suspicion {
	/// The window that it is about.
	pub fn window(&self) -> WindowId {
		self.header.message.id
	}

	/// Evidence from the same window as another relayer delivered it, verified; `None` for any other window.
	pub fn complete(&self, honest: &EncodedWindow) -> Option<ChunkFraud> {
		match honest.header() == &self.header.message {
			true => self.with_leaves(&merkle::leaves(&honest.data())),
			false => None,
		}
	}

	fn with_leaves(&self, signed: &[Hash]) -> Option<ChunkFraud> {
		ChunkFraud::find(self.header.clone(), self.receipt.clone(), signed, &self.delivered)
	}
}

/// Headers that a [`Witness`] remembers: two minutes of windows of half a second.
const REMEMBERED: usize = 256;

/// Remembers a stream's newest signed headers, over all relayers.
#[derive(Clone, Debug, Default)]
pub struct Witness(VecDeque<SignedHeader>);

impl Witness {
	/// Takes a header whose signature verified. Evidence where another one for its place was seen.
	pub fn note(&mut self, header: &SignedHeader) -> Option<Equivocation> {
		let same_place = |seen: &&SignedHeader| seen.message.id == header.message.id;
		if let Some(seen) = self.0.iter().find(same_place) {
			return seen.message.conflicts_with(&header.message).then(|| Equivocation {
				first: seen.clone(),
				second: header.clone(),
			});
		}
		if self.0.len() >= REMEMBERED {
			self.0.pop_front();
		}
		self.0.push_back(header.clone());
		None
	}
}
