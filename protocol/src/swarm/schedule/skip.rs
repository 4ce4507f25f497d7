//! Which windows are passed over: what nobody brings, where the link is ours what would make those behind it late, and what more waits
//! for than there is room for.

use super::{
	super::{
		offer::{Action, Offer},
		window::{Delivery, Window},
	},
	Swarm,
};
use clustercast_primitives::WindowId;
use core::time::Duration;

/// However short windows are, what nobody brings is waited for as long as where they take 2 s: parts are needed sooner than that, and so
/// they are pulled sooner, but a hole is no better than waiting for it, as long as players have something in hand.
const HELD: Duration = Duration::from_secs(4);

/// However short windows are, one that stands still is waited for so long before it is passed over though somebody may bring it.
const GRACE: Duration = Duration::from_secs(1);

impl Swarm {
	pub(super) fn skip(&mut self, now: Duration) {
		let limited = now < self.ours;
		let flow = self.flow.rate(Duration::ZERO, now);
		if limited && flow > 0 {
			self.link = (self.link * 7 + flow) / 8;
		}
		if self.relays {
			return;
		}
		let rate = self.link;
		let mut ahead = 0;
		for at in 0..self.windows.len() {
			let window = &self.windows[at];
			if window.over {
				continue;
			}
			let missing = window.missing();
			// Where the link is ours, what cannot be here in time does not begin: it would make those behind it late.
			let begun = window.here.count() > 0;
			let here_at = now + Duration::from_micros((ahead + missing).saturating_mul(1_000_000) / rate.max(1));
			let hopeless = limited && rate > 0 && !begun && here_at > window.due;
			let unknown = self
				.sources
				.keys()
				.any(|id| window.has.get(id).is_none_or(|has| !has.lacks));
			let until = match limited {
				true => window.due,
				false => window.due.max(window.first + HELD),
			};
			if !hopeless && now < until && unknown {
				ahead += missing;
				continue;
			}
			let mut later = self.windows.iter().skip(at + 1);
			// Who watches has had nothing to play for as long as a window takes, and would have at once without this one.
			let overtaken =
				now >= until + window.offer.length.max(GRACE) && later.clone().next().is_some_and(Window::is_whole);
			let brings = |delivery: &Delivery| {
				let hopeful = match delivery.pushed {
					true => !self.is_silent(delivery.source, window, now),
					false => !delivery.given_up,
				};
				delivery.range.header == window.offer.header && !delivery.cancelled && hopeful
			};
			let here = later.clone().any(Window::is_whole);
			let brought = self.deliveries.iter().any(brings) || self.helpers(window, now).next().is_some();
			// What has begun is as good as there: it is waited for as long again.
			let given_up = !begun || now >= window.due + window.due.saturating_sub(window.first);
			let ours = limited && given_up && later.next().is_some();
			if !(hopeless || ours || overtaken || here && !brought) {
				ahead += missing;
				continue;
			}
			self.leave_out(at, now);
		}
	}

	/// This window is passed over, if it is not whole: more waits for it than there is room for. Nobody is to blame for it.
	pub fn pass_over(&mut self, id: WindowId, now: Duration) {
		let mut windows = self.windows.iter();
		if let Some(at) = windows.position(|window| window.offer.id == id && !window.over) {
			self.leave_out(at, now);
		}
		self.decide(now);
	}

	fn leave_out(&mut self, at: usize, now: Duration) {
		let Offer { id, header, .. } = self.windows[at].offer;
		self.windows[at].over = true;
		self.figures.skipped += 1;
		let deliveries = self.deliveries.iter_mut();
		for delivery in deliveries.filter(|delivery| delivery.range.header == header && !delivery.cancelled) {
			delivery.cancelled = true;
			self.actions.push_back(Action::Cancel {
				source: delivery.source,
				range: delivery.range,
			});
		}
		self.forget_pushed(now);
		self.actions.push_back(Action::Skip(id));
	}
}
