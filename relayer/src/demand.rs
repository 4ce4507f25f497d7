//! When a stream is fetched that is fetched on demand only. Pure but for [`follow`]: how many watch, and the time, go in. What is asked
//! for it: [`crate::sales`].

use std::time::Duration;
use tokio::{
	sync::watch,
	time::{timeout_at, Instant},
};

/// Behind the last viewer a stream is fetched for so long: who comes back, or zaps through, finds it there.
pub const LINGER: Duration = Duration::from_secs(10);

/// Whether a stream is to be fetched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
	/// It is.
	Fetch,
	/// Nobody waits for it.
	Rest,
	/// The relayer ends: what was bought is paid, and nothing more is.
	Stop,
}

/// See the module.
#[derive(Clone, Copy, Debug, Default)]
pub struct Demand {
	viewers: usize,
	/// When the last one went.
	left: Option<Duration>,
}

impl Demand {
	/// So many who can pay watch it, or wait for its windows; who only stands by does not.
	pub fn note(&mut self, viewers: usize, now: Duration) {
		if self.viewers > 0 && viewers == 0 {
			self.left = Some(now);
		}
		self.viewers = viewers;
	}

	/// Whether it is fetched; and when that changes by itself.
	pub fn judge(&self, now: Duration) -> (Need, Option<Duration>) {
		let until = self.left.map(|left| left + LINGER).filter(|until| now < *until);
		match (self.viewers, until) {
			(0, None) => (Need::Rest, None),
			(0, until) => (Need::Fetch, until),
			_ => (Need::Fetch, None),
		}
	}
}

/// Follows how many watch, for ever, and says whether the stream is to be fetched. Nothing is said once it is to stop.
pub async fn follow(mut audience: watch::Receiver<usize>, need: &watch::Sender<Need>) {
	let begun = Instant::now();
	let mut demand = Demand::default();
	loop {
		demand.note(*audience.borrow_and_update(), begun.elapsed());
		let (now_is, until) = demand.judge(begun.elapsed());
		need.send_if_modified(|need| *need != Need::Stop && std::mem::replace(need, now_is) != now_is);
		let changed = async {
			// Whoever counts lives as long as the stream.
			if audience.changed().await.is_err() {
				std::future::pending::<()>().await;
			}
		};
		match until {
			Some(until) => drop(timeout_at(begun + until, changed).await),
			None => changed.await,
		}
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	fn at(seconds: u64) -> Duration {
		Duration::from_secs(seconds)
	}

	#[test]
	fn stream_is_fetched_from_the_first_viewer_until_ten_seconds_behind_the_last() {
		let mut demand = Demand::default();
		assert_eq!(demand.judge(at(0)), (Need::Rest, None), "nobody came yet");
		demand.note(1, at(5));
		assert_eq!(demand.judge(at(500)), (Need::Fetch, None));
		demand.note(2, at(6));
		demand.note(1, at(7));
		assert_eq!(demand.judge(at(500)), (Need::Fetch, None), "one stays");
		demand.note(0, at(600));
		assert_eq!(demand.judge(at(609)), (Need::Fetch, Some(at(610))));
		assert_eq!(demand.judge(at(610)), (Need::Rest, None));
	}

	#[test]
	fn who_comes_back_in_time_finds_it_there() {
		let mut demand = Demand::default();
		demand.note(1, at(0));
		demand.note(0, at(1));
		demand.note(1, at(10));
		assert_eq!(demand.judge(at(12)), (Need::Fetch, None));
		demand.note(0, at(20));
		// Nothing new: the ten seconds do not begin again.
		demand.note(0, at(25));
		assert_eq!(demand.judge(at(29)), (Need::Fetch, Some(at(30))));
	}
}
