//! Whether a connection is used, and whether somebody is served on it: counts what holds it.

use std::{
	sync::{
		atomic::{AtomicUsize, Ordering},
		Arc,
	},
	time::Duration,
};
use tokio::sync::watch;

/// Counts the [`Hold`]s of one connection.
#[derive(Debug)]
pub struct Activity {
	holds: watch::Sender<usize>,
	vouched: Arc<AtomicUsize>,
}

/// Something uses the connection as long as this lives.
#[derive(Debug)]
pub struct Hold {
	holds: watch::Sender<usize>,
	vouched: Arc<AtomicUsize>,
}

/// Somebody is served on the connection as long as this lives: it is no stranger's.
#[derive(Debug)]
pub struct Vouch(Arc<AtomicUsize>);

impl Activity {
	/// Nothing uses it yet.
	pub fn new() -> Self {
		Self {
			holds: watch::Sender::new(0),
			vouched: Arc::default(),
		}
	}

	/// One more.
	pub fn hold(&self) -> Hold {
		self.holds.send_modify(|holds| *holds += 1);
		Hold {
			holds: self.holds.clone(),
			vouched: self.vouched.clone(),
		}
	}

	/// Whether somebody is served on it.
	pub fn is_vouched(&self) -> bool {
		self.vouched.load(Ordering::Relaxed) > 0
	}

	/// Returns when nothing has used the connection for so long.
	pub async fn idle(&self, long: Duration) {
		let mut holds = self.holds.subscribe();
		loop {
			// Cannot fail: the sender is here.
			let _ = holds.wait_for(|holds| *holds == 0).await;
			if tokio::time::timeout(long, holds.wait_for(|holds| *holds > 0))
				.await
				.is_err()
			{
				return;
			}
		}
	}
}

impl Hold {
	/// Somebody is served.
	pub fn vouch(&self) -> Vouch {
		self.vouched.fetch_add(1, Ordering::Relaxed);
		Vouch(self.vouched.clone())
	}
}

impl Drop for Vouch {
	fn drop(&mut self) {
		self.0.fetch_sub(1, Ordering::Relaxed);
	}
}

impl Drop for Hold {
	fn drop(&mut self) {
		self.holds.send_modify(|holds| *holds = holds.saturating_sub(1));
	}
}

#[cfg(test)]
mod tests {
	use super::*;
	use tokio::time::{sleep, timeout, Instant};

	const LONG: Duration = Duration::from_millis(60);

	#[tokio::test]
	async fn connection_is_a_strangers_but_while_somebody_is_served_on_it() {
		let activity = Activity::new();
		let hold = activity.hold();
		assert!(!activity.is_vouched());
		let (one, two) = (hold.vouch(), hold.vouch());
		drop((hold, one));
		assert!(activity.is_vouched());
		drop(two);
		assert!(!activity.is_vouched());
	}

	#[tokio::test]
	async fn connection_is_idle_when_nothing_held_it_for_so_long() {
		let activity = Activity::new();
		let (one, two) = (activity.hold(), activity.hold());
		assert!(timeout(2 * LONG, activity.idle(LONG)).await.is_err());
		drop(one);
		assert!(timeout(2 * LONG, activity.idle(LONG)).await.is_err());
		let use_on = async {
			sleep(2 * LONG).await;
			drop(two);
			Instant::now()
		};
		let idle = async {
			activity.idle(LONG).await;
			Instant::now()
		};
		let (idle, used) = tokio::join!(idle, use_on);
		assert!(idle >= used + LONG, "time counts from the last use");
	}
}
