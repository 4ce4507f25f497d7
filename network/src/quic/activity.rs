//! Whether a connection is used: counts what holds it.

use std::time::Duration;
use tokio::sync::watch;

/// Counts the [`Hold`]s of one connection.
#[derive(Debug)]
pub struct Activity(watch::Sender<usize>);

/// Something uses the connection as long as this lives.
#[derive(Debug)]
pub struct Hold(watch::Sender<usize>);

impl Activity {
	/// Nothing uses it yet.
	pub fn new() -> Self {
		Self(watch::Sender::new(0))
	}

	/// One more.
	pub fn hold(&self) -> Hold {
		self.0.send_modify(|holds| *holds += 1);
		Hold(self.0.clone())
	}

	/// Returns when nothing has used the connection for so long.
	pub async fn idle(&self, long: Duration) {
		let mut holds = self.0.subscribe();
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

impl Drop for Hold {
	fn drop(&mut self) {
		self.0.send_modify(|holds| *holds = holds.saturating_sub(1));
	}
}

#[cfg(test)]
mod tests {
	use super::*;
	use tokio::time::{sleep, timeout, Instant};

	const LONG: Duration = Duration::from_millis(60);

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
