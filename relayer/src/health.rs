//! Looks every second whether the relayer can sell: which node is asked, how old its head is, and whether payments can be stored. Says
//! so in log and metrics; what follows from it is the [desk](crate::desk)'s.

use crate::{accounts::Ledger, desk::Desk, metrics};
use clustercast_chain::{Chain, Tip};
use clustercast_cli::Seldom;
use std::time::{Duration, Instant};

/// Between two looks: a disk that fills up is noticed before the next window.
const LOOK: Duration = Duration::from_secs(1);

/// What a look at the head is worth telling.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Line {
	/// It is late: what is sold goes by the clock.
	Late,
	/// It is so old that nothing is sold.
	Lost,
	/// It is fresh again.
	Fresh,
}

/// What was told of the head. Sans-IO.
#[derive(Debug, Default)]
struct HeadWatch {
	told: Seldom,
	lost: bool,
}

impl HeadWatch {
	/// A line a minute while it is late, one as it is lost, and one when it is fresh again.
	fn look(&mut self, late: bool, lost: bool, now: Instant) -> Option<Line> {
		if !late {
			self.lost = false;
			return self.told.well().then_some(Line::Fresh);
		}
		if lost && !self.lost {
			self.told.well();
		}
		self.lost = lost;
		self.told.due(now).map(|_| if lost { Line::Lost } else { Line::Late })
	}
}

/// Looks for ever.
pub async fn watch<L: Ledger>(desk: &Desk<L>, chain: &Chain) {
	let mut head = HeadWatch::default();
	loop {
		tokio::time::sleep(LOOK).await;
		let store = desk.store.clone();
		let probed = tokio::task::spawn_blocking(move || {
			store.probe();
			store.is_shut()
		});
		let shut = probed.await.expect("store methods do not panic");
		::metrics::gauge!(metrics::STORE_SHUT).set(u8::from(shut));
		tell(&mut head, &desk.tip);
		show_node(chain);
	}
}

fn show_node(chain: &Chain) {
	let asked = chain.asked();
	for (place, url) in chain.nodes().iter().enumerate() {
		let is_asked = asked.node == Some(place);
		::metrics::gauge!(metrics::NODE, "node" => url.to_string()).set(u8::from(is_asked));
	}
	::metrics::counter!(metrics::NODE_CHANGES).absolute(asked.changes);
}

fn tell(head: &mut HeadWatch, tip: &Tip) {
	let (age, best) = (tip.age(), tip.head().best);
	::metrics::gauge!(metrics::HEAD_AGE).set(age.as_secs_f64());
	let age_s = age.as_secs();
	match head.look(tip.is_late(), tip.is_lost(), Instant::now()) {
		Some(Line::Late) => tracing::warn!(best, age_s, "the node tells of no new block; going on by the clock"),
		Some(Line::Lost) => tracing::error!(
			best,
			age_s,
			"the node tells of no new block: nothing is sold until it does"
		),
		Some(Line::Fresh) => tracing::info!(best, "the node tells of new blocks again"),
		None => {},
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn head_that_is_late_is_told_once_a_minute_and_at_each_turn() {
		let (mut head, start) = (HeadWatch::default(), Instant::now());
		let mut lines = Vec::new();
		for second in 0..600 {
			let (late, lost) = ((10..400).contains(&second), (120..400).contains(&second));
			let line = head.look(late, lost, start + Duration::from_secs(second));
			lines.extend(line.map(|line| (second, line)));
		}
		let lost = [120, 180, 240, 300, 360].map(|second| (second, Line::Lost));
		assert_eq!(
			lines,
			[&[(10, Line::Late), (70, Line::Late)], &lost[..], &[(400, Line::Fresh)]].concat()
		);
	}
}
