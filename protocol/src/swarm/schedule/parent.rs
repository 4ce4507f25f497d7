//! Who sends windows by itself: changed when it fails, and for a gain that lasts.

use super::{
	super::{
		offer::{Action, Offer},
		peers::{Source, SourceId},
	},
	recruit::SHORT,
	Swarm,
};
use core::time::Duration;

/// Pulls in a row beside a parent that sends, and another is better.
const STRIKES: u32 = 2;

/// A gain has to hold for so long.
pub(super) const HELD: Duration = Duration::from_secs(30);

/// It has to be a fifth, and more than what nobody notices.
const GAIN: (u32, Duration) = (5, Duration::from_millis(50));

/// Whoever served a newer chunk than we had within this may be made parent.
const FRESH: Duration = Duration::from_secs(30);

impl Swarm {
	/// How long a window takes from this source, behind the first one that announces it.
	fn cost(source: &Source, offer: &Offer) -> Duration {
		source.lag() + source.takes(offer.bytes.into(), offer.rate())
	}

	pub(super) fn change_parent(&mut self, now: Duration) {
		let Some(offer) = self.windows.back().map(|window| window.offer) else {
			return;
		};
		let fresh = |source: &Source| source.ahead.is_some_and(|at| now <= at + FRESH) && source.is_ready(now);
		// Who says nothing any more may be gone, whatever it served.
		let standbys = self
			.sources
			.iter()
			.filter(|(id, source)| self.parent != Some(**id) && fresh(source));
		let standbys = standbys.filter(|(_, source)| !self.is_mute(source));
		let key = |(id, source): &(&SourceId, &Source)| (Self::cost(source, &offer), source.price, source.tie, **id);
		let best = standbys.min_by_key(key).map(|(id, _)| *id);
		let Some(parent) = self.parent.and_then(|id| self.sources.get(&id)) else {
			// It served what nobody else did.
			best.into_iter().for_each(|best| self.make_parent(best, true, now));
			return;
		};
		let (own, withholds) = (Self::cost(parent, &offer), parent.withheld >= SHORT);
		let mut gain = None;
		for (id, source) in &mut self.sources {
			let cost = Self::cost(source, &offer);
			let better = source.is_measured() && cost + own / GAIN.0 <= own && cost + GAIN.1 <= own && !self.paused;
			source.better = source
				.better
				.or(Some(now))
				.filter(|_| better && self.parent != Some(*id));
			if source.better.is_some_and(|since| now >= since + HELD) && fresh(source) && Some(*id) == best {
				gain = Some(*id);
			}
		}
		let failed = self.failed || withholds || (self.strikes >= STRIKES && now >= self.ours);
		match (best.filter(|_| failed), gain) {
			(Some(best), _) => {
				if let Some(before) = self.parent.and_then(|before| self.sources.get_mut(&before)) {
					before.fell_short(now);
					// Before it is parent again it has to show that it serves.
					before.ahead = None;
				}
				self.make_parent(best, true, now);
			},
			(None, Some(gain)) => {
				self.figures.gains += 1;
				self.make_parent(gain, false, now);
			},
			(None, None) => {},
		}
	}

	fn make_parent(&mut self, id: SourceId, failed: bool, now: Duration) {
		self.figures.failovers += u64::from(failed);
		self.appointed(id, now);
		self.actions.push_back(Action::Promote(id));
	}

	pub(super) fn appointed(&mut self, id: SourceId, now: Duration) {
		(self.parent, self.since, self.strikes, self.failed) = (Some(id), now, 0, false);
		for source in self.sources.values_mut() {
			(source.better, source.pushes) = (None, false);
		}
	}
}
