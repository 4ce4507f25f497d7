//! Reservations, from the viewer's signature to the end: hands them in, looks up in finalised blocks what stands, and
//! releases what viewers who are gone left behind, also those of an earlier run.
//!
//! ```text
//! viewer ──signed──> desk ──order──> keeper ──reserve──> chain ──finalised──> book: credit
//!                                    keeper ──release──> chain ──finalised──> book: free; else again, later each time
//! ```
//!
//! A channel is released once its viewer is gone and owes nothing that is worth its fee. It is done when a finalised block
//! says so: until then it comes again.
//!
//! Credit comes from finalised blocks alone: that a reservation was handed in, or is in the best block, is worth nothing.

use crate::{
	accounts::Ledger,
	desk::{unix_ms, Desk},
	store::{self, Store, VoucherOutcome},
};
use clustercast_primitives::{
	chain::{ChannelInfo, ChannelKey, TicketRefusal, VoucherPlace},
	channel::{Release, SignedReservation},
	BlockNumber, Hash, PublicKey,
};
use clustercast_protocol::{Releasable, SessionKey};
use futures::{stream::FuturesUnordered, StreamExt};
use std::{
	fmt,
	future::Future,
	sync::{
		atomic::{AtomicBool, Ordering},
		Arc,
	},
	time::Duration,
};
use tokio::sync::mpsc;

/// Reservations that may wait to be handed in. Each is of a viewer who is being served.
pub const MAX_ORDERS: usize = 256;

/// Reservations on their way at a time.
const MAX_UNDER_WAY: usize = 32;

/// Channels asked for at a time: the node's limit.
const MAX_ASKED: usize = 100;

/// Releases in one call: a fifth of a block.
const MAX_RELEASES: usize = 50;

/// Channels of an earlier run that are looked after, at most. Each takes the place of a viewer until it is released.
pub const MAX_FOUND: usize = 5_000;

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

	/// What anybody has reserved for us at this block, `most` at most.
	fn reserved(
		&self,
		at: Hash,
		most: usize,
	) -> impl Future<Output = Result<Vec<(SessionKey, ChannelInfo)>, Self::Error>> + Send;

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
	/// The chain was asked for what an earlier run left behind.
	found: AtomicBool,
}

impl<C: Chain, L: Ledger> Keeper<C, L> {
	/// One per desk.
	pub fn new(chain: C, desk: Arc<Desk<L>>, store: Arc<Store>) -> Self {
		Self {
			chain,
			desk,
			store,
			found: AtomicBool::new(false),
		}
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
		let counter = order.reservation.message.counter;
		match self.chain.reserve(&order.reservation).await {
			Ok(()) => self.desk.reservation_stands(&order.payer, counter),
			Err(error) => {
				tracing::warn!(%error, "a reservation could not be handed in");
				self.desk.reservation_failed(&order.payer, counter);
			},
		}
	}

	/// One look: what stands in the last finalised block, and what can be released.
	pub async fn look(&self) {
		if let Err(error) = self.find().await {
			tracing::warn!(%error, "what was reserved before cannot be looked up yet");
		}
		if let Err(error) = self.follow().await {
			tracing::warn!(%error, "channels cannot be looked up; what is reserved anew counts later");
		}
		self.release(false).await;
	}

	/// The program ends: releases what owes nothing.
	pub async fn finish(&self) {
		while self.release(true).await > 0 {}
	}

	/// Takes up, once, what was reserved before this program started.
	async fn find(&self) -> Result<(), C::Error> {
		if self.found.load(Ordering::Relaxed) {
			return Ok(());
		}
		let (number, hash) = self.chain.finalised().await?;
		let found = self.chain.reserved(hash, MAX_FOUND).await?;
		self.found.store(true, Ordering::Relaxed);
		let mut full = found.len() >= MAX_FOUND;
		for (payer, info) in &found {
			match self.desk.restore_channel(payer, number, *info) {
				Ok(fits) => full |= !fits,
				Err(error) => tracing::error!(%error, "store of releases"),
			}
		}
		if !found.is_empty() {
			tracing::info!(
				channels = found.len(),
				"reserved before: released unless their viewers come back"
			);
		}
		if full {
			tracing::warn!("more was reserved before than there is room for: the rest is taken up at the next start");
		}
		Ok(())
	}

	async fn follow(&self) -> Result<(), C::Error> {
		let payers = self.desk.payers();
		if payers.is_empty() {
			return Ok(());
		}
		let (number, hash) = self.chain.finalised().await?;
		let mut freed = 0;
		for page in payers.chunks(MAX_ASKED) {
			let keys: Vec<ChannelKey> = page.iter().map(|payer| self.desk.channel_key(payer)).collect();
			let found = self.chain.channels(&keys, hash).await?;
			for (payer, info) in page.iter().zip(found) {
				freed += usize::from(self.desk.channel(payer, number, info));
			}
		}
		if freed > 0 {
			tracing::info!(channels = freed, "released");
		}
		Ok(())
	}

	/// What is released covers nothing from this moment on, whether or not the chain has heard of it. How many were handed in.
	async fn release(&self, ends: bool) -> usize {
		let due = self.desk.take_releasable(MAX_RELEASES, ends);
		if due.is_empty() {
			return 0;
		}
		let released: Vec<_> = due.iter().map(|due| (due.session, due.channel.counter)).collect();
		let given_up: Vec<_> = due.iter().flat_map(|due| due.given_up.iter().copied()).collect();
		let store = self.store.clone();
		let noted = tokio::task::spawn_blocking(move || note(&store, &released, &given_up)).await;
		if let Err(error) = noted.expect("store methods do not panic") {
			tracing::error!(%error, "nothing is released: it could not be noted");
			return 0;
		}
		let release = |due: &Releasable| Release {
			recipient: self.desk.recipient,
			session: due.session,
			registered: due.channel.registered,
			counter: due.channel.counter,
			kept: due.channel.paid,
		};
		let releases: Vec<Release> = due.iter().map(release).collect();
		if let Err(error) = self.chain.release(&releases).await {
			let channels = releases.len();
			tracing::warn!(%error, channels, "what viewers left could not be released; it is tried again");
		}
		releases.len()
	}
}

/// Before the chain is told: what is released, and what its vouchers owed, which a later one may still bring.
fn note(store: &Store, released: &[(PublicKey, u32)], given_up: &[VoucherPlace]) -> Result<(), store::Error> {
	store.note_released(released)?;
	let mut lost = Vec::new();
	for place in given_up {
		if let Some(kept) = store.voucher(place)? {
			let outcome = VoucherOutcome::Lost(kept.newest.message.amount, TicketRefusal::FaceValueTooSmall);
			lost.push((*place, outcome));
		}
	}
	match lost.is_empty() {
		true => Ok(()),
		// Nothing has expired by block 0: nothing else is forgotten.
		false => store.settle_vouchers(&lost, 0, unix_ms()),
	}
}

#[cfg(test)]
mod tests;
