//! Who waits for a verdict, who is looked up and who has a seat, as tasks see it: what the machines of [`door`](crate::door) decide
//! is held by values that give it back when they go.

use crate::door::{Case, Claim, Crowd, Entry, Freight, Left, Seats, Source, Turns};
use clustercast_primitives::AccountId;
use clustercast_protocol::{EndReason, Follow};
use std::{
	sync::{Arc, Mutex, MutexGuard, PoisonError},
	time::Duration,
};
use tokio::{
	sync::{oneshot, watch, Notify},
	time::Instant,
};

/// Streams that wait for their verdict, so that strangers who say nothing take no subscriber's place. Past it those who take long
/// make room. A few kilobytes each.
const MAX_UNDECIDED: usize = 512;

/// Subscriptions that are looked up at a time, each in a few requests to the node; the rest wait by turns.
const LOOKUPS: usize = 16;

/// Who waits, who is looked up and who is served.
pub struct Door {
	waiting: Mutex<Crowd<Arc<Notify>>>,
	turns: Mutex<Turns<oneshot::Sender<Turn>>>,
	seats: Mutex<Seats<watch::Sender<Option<EndReason>>>>,
}

impl Door {
	/// For so many subscriptions, and so many of one account; who pays earns its own within this.
	pub fn new(max_subscriptions: usize, max_per_payer: usize, earned_within: Duration) -> Self {
		Self {
			waiting: Mutex::new(Crowd::new(MAX_UNDECIDED)),
			turns: Mutex::new(Turns::new(LOOKUPS)),
			seats: Mutex::new(Seats::new(max_subscriptions, max_per_payer, earned_within)),
		}
	}

	/// Somebody comes; `None` where there is no room.
	pub fn wait(self: &Arc<Self>, source: Source, now: Instant) -> Option<Waiting> {
		let displaced = Arc::new(Notify::new());
		match lock(&self.waiting).enter(source, now, displaced.clone()) {
			Entry::In(id, instead) => {
				if let Some(other) = instead {
					other.notify_one();
				}
				Some(Waiting {
					door: self.clone(),
					source,
					id,
					displaced,
				})
			},
			Entry::Refused => None,
		}
	}

	/// Returns when it is the turn of somebody who comes from there.
	pub async fn turn(self: &Arc<Self>, source: Source) -> Turn {
		let (told, hears) = oneshot::channel();
		if let Some(at_once) = lock(&self.turns).ask(source, told) {
			// It is heard below.
			let _ = at_once.send(Turn(self.clone()));
		}
		hears.await.expect("a sender is kept until it is used; qed")
	}

	/// Whether there is no seat for it, whoever makes it.
	pub fn is_full(&self, claim: &Claim) -> bool {
		lock(&self.seats).is_full(claim, Instant::now())
	}

	/// Takes a seat, and ends who has to leave it.
	pub fn sit(self: &Arc<Self>, claim: Claim, case: Case) -> Result<Sitting, EndReason> {
		let over = watch::Sender::new(None);
		let hears = over.subscribe();
		let (id, left) = lock(&self.seats).enter(claim, case, Instant::now(), over)?;
		tell(left);
		Ok(Sitting {
			door: self.clone(),
			id,
			payer: claim.payer(),
			over: hears,
		})
	}
}

/// Waits for its verdict as long as it lives.
pub struct Waiting {
	pub door: Arc<Door>,
	pub source: Source,
	id: u64,
	/// Somebody else has its place.
	pub displaced: Arc<Notify>,
}

impl Drop for Waiting {
	fn drop(&mut self) {
		lock(&self.door.waiting).leave(self.id);
	}
}

/// It is being looked up as long as it lives.
pub struct Turn(Arc<Door>);

impl Drop for Turn {
	fn drop(&mut self) {
		let next = lock(&self.0.turns).done();
		if let Some(next) = next {
			// Who has gone meanwhile passes it on by dropping it.
			let _ = next.send(Turn(self.0.clone()));
		}
	}
}

/// It has a seat as long as it lives.
pub struct Sitting {
	door: Arc<Door>,
	id: u64,
	payer: Option<AccountId>,
	/// Why somebody else has it by now, where that is so.
	pub over: watch::Receiver<Option<EndReason>>,
}

impl Sitting {
	/// There is something to buy in it; so many bytes were announced so far.
	pub fn offered(&self, announced: u64) {
		self.seats()
			.keep(self.id, |keep| keep.offered(announced, Instant::now()));
	}

	/// Whether we lack what it is behind, and all that is later.
	pub fn lacks(&self, lacks: bool) {
		self.seats().keep(self.id, |keep| keep.lacks(lacks, Instant::now()));
	}

	/// So many bytes more were delivered, and are paid; `proves` where money was.
	pub fn paid(&self, bytes: u64, proves: bool) {
		if let Some(account) = self.payer {
			self.seats().paid(self.id, account, bytes, proves, Instant::now());
		}
	}

	/// It waits for us until then at most; `None`: no more.
	pub fn waits(&self, until: Option<Instant>) {
		self.seats().keep(self.id, |keep| keep.wait(until));
	}

	/// What is sent from now on, and ends who has to leave for it; an error where it has to go itself.
	pub fn follows(&self, follow: Follow, freight: Option<Freight>) -> Result<(), EndReason> {
		tell(self.seats().follows(self.id, follow, freight, Instant::now())?);
		Ok(())
	}

	/// Whether it counts as somebody's who buys.
	pub fn counts(&self) -> bool {
		self.seats().counts(self.id)
	}

	/// Whether a payment is to be asked for now, for what it has.
	pub fn is_due(&self) -> bool {
		self.seats().is_due(self.id)
	}

	fn seats(&self) -> MutexGuard<'_, Seats<watch::Sender<Option<EndReason>>>> {
		lock(&self.door.seats)
	}
}

impl Drop for Sitting {
	fn drop(&mut self) {
		self.seats().leave(self.id, Instant::now());
	}
}

/// They have to leave.
fn tell(left: Left<watch::Sender<Option<EndReason>>>) {
	for (other, why) in left {
		other.send_replace(Some(why));
	}
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
	// What is locked here is changed in one step.
	mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
