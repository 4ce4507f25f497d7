//! Reservations, from the viewer's signature to the end: hands them in, looks up in finalised blocks what stands, and
//! releases what viewers who are gone left behind.
//!
//! ```text
//! viewer ──signed──> desk ──order──> keeper ──reserve──> chain ──finalised──> book: credit
//!                                    keeper ──release──> chain               once its viewer is gone and nothing is owed
//! ```
//!
//! Credit comes from finalised blocks alone: that a reservation was handed in, or is in the best block, is worth nothing.

use crate::{accounts::Ledger, desk::Desk, store::Store};
use clustercast_primitives::{
	chain::{ChannelInfo, ChannelKey},
	channel::{Release, SignedReservation},
	BlockNumber, Hash, PublicKey,
};
use clustercast_protocol::SessionKey;
use futures::{stream::FuturesUnordered, StreamExt};
use std::{fmt, future::Future, sync::Arc, time::Duration};
use tokio::sync::mpsc;

/// Reservations that may wait to be handed in. Each is of a viewer who is being served.
pub const MAX_ORDERS: usize = 256;

/// Reservations on their way at a time.
const MAX_UNDER_WAY: usize = 32;

/// Channels asked for at a time: the node's limit.
const MAX_ASKED: usize = 100;

/// Releases in one call.
const MAX_RELEASES: usize = 20;

/// How often finalised channels are looked up: a block and a half.
const TICK: Duration = Duration::from_secs(3);

/// The chain as the keeper needs it.
pub trait Chain: Send + Sync + 'static {
	/// Why it cannot answer.
	type Error: fmt::Display + Send;

	/// Number and hash of the last finalised block.
	fn finalised(&self) -> impl Future<Output = Result<(BlockNumber, Hash), Self::Error>> + Send;

	/// What is reserved and paid in these channels, in this order, at this block.
	fn channels(
		&self,
		keys: &[ChannelKey],
		at: Hash,
	) -> impl Future<Output = Result<Vec<Option<ChannelInfo>>, Self::Error>> + Send;

	/// Hands a reservation in, and waits until that is final or has failed.
	fn reserve(&self, reservation: &SignedReservation) -> impl Future<Output = Result<(), Self::Error>> + Send;

	/// Releases these channels, each on its own, and waits until that is in a block.
	fn release(&self, releases: &[Release]) -> impl Future<Output = Result<(), Self::Error>> + Send;
}

/// A reservation that the desk took.
#[derive(Debug)]
pub struct Order {
	/// Whose.
	pub payer: SessionKey,
	/// As the viewer signed it.
	pub reservation: SignedReservation,
}

/// See the module.
pub struct Keeper<C, L> {
	chain: C,
	desk: Arc<Desk<L>>,
	store: Arc<Store>,
}

impl<C: Chain, L: Ledger> Keeper<C, L> {
	/// One per desk.
	pub fn new(chain: C, desk: Arc<Desk<L>>, store: Arc<Store>) -> Self {
		Self { chain, desk, store }
	}

	/// Works for ever. Dropped, reservations that are on their way are taken up by their viewers again.
	pub async fn run(&self, mut orders: mpsc::Receiver<Order>) {
		let mut under_way = FuturesUnordered::new();
		let mut tick = tokio::time::interval(TICK);
		tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
		loop {
			tokio::select! {
				Some(order) = orders.recv(), if under_way.len() < MAX_UNDER_WAY => under_way.push(self.hand_in(order)),
				Some(()) = under_way.next() => {},
				_ = tick.tick() => self.look().await,
			}
		}
	}

	/// A failed one ends the viewer's subscription; that it stands is seen by [`Keeper::look`].
	async fn hand_in(&self, order: Order) {
		if let Err(error) = self.chain.reserve(&order.reservation).await {
			tracing::warn!(%error, "a reservation could not be handed in");
			self.desk
				.reservation_failed(&order.payer, order.reservation.message.counter);
		}
	}

	/// One look: what stands in the last finalised block, and what can be released.
	pub async fn look(&self) {
		if let Err(error) = self.follow().await {
			tracing::warn!(%error, "channels cannot be looked up; what is reserved anew counts later");
		}
		self.release().await;
	}

	async fn follow(&self) -> Result<(), C::Error> {
		let payers = self.desk.payers();
		if payers.is_empty() {
			return Ok(());
		}
		let (number, hash) = self.chain.finalised().await?;
		for page in payers.chunks(MAX_ASKED) {
			let keys: Vec<ChannelKey> = page.iter().map(|payer| self.desk.channel_key(payer)).collect();
			let found = self.chain.channels(&keys, hash).await?;
			for (payer, info) in page.iter().zip(found) {
				self.desk.channel(payer, number, info);
			}
		}
		Ok(())
	}

	/// What is released covers nothing from this moment on, whether or not the chain has heard of it.
	async fn release(&self) {
		let due: Vec<(PublicKey, ChannelInfo)> = self.desk.take_releasable(MAX_RELEASES);
		if due.is_empty() {
			return;
		}
		let noted: Vec<(PublicKey, u32)> = due.iter().map(|(session, info)| (*session, info.counter)).collect();
		let store = self.store.clone();
		let note = tokio::task::spawn_blocking(move || store.note_released(&noted)).await;
		if let Err(error) = note.expect("store methods do not panic") {
			return tracing::error!(%error, "nothing is released: it could not be noted");
		}
		let releases: Vec<Release> = due
			.iter()
			.map(|(session, info)| Release {
				recipient: self.desk.recipient,
				session: *session,
				registered: info.registered,
				counter: info.counter,
				kept: info.paid,
			})
			.collect();
		match self.chain.release(&releases).await {
			Ok(()) => tracing::info!(channels = releases.len(), "released"),
			// It is free by itself when the session ends.
			Err(error) => tracing::warn!(%error, "channels could not be released"),
		}
	}
}

#[cfg(test)]
mod tests;
