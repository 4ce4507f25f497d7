//! What the schedule remembers of windows, and of what was asked for.

use super::{
	offer::Offer,
	peers::SourceId,
	spans::{Span, Spans},
};
use crate::wire::Range;
use alloc::collections::BTreeMap;
use core::time::Duration;

/// What a source has of a window, as it says.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Has {
	/// It comes by itself.
	pub(super) pushed: bool,
	/// It said that it does not come, or failed to bring it.
	pub(super) lacks: bool,
}

#[derive(Debug)]
pub(super) struct Window {
	pub(super) offer: Offer,
	pub(super) due: Duration,
	/// When it was announced for the first time.
	pub(super) first: Duration,
	pub(super) here: Spans,
	/// What came by itself, of the last one that sent it so.
	pub(super) pushed: (Option<SourceId>, Spans),
	pub(super) has: BTreeMap<SourceId, Has>,
	/// When pulling began, and what arrived each second before it.
	pub(super) pull: Option<Pull>,
	/// Bytes per second that arrived, at most, while it came.
	pub(super) peak: u64,
	pub(super) over: bool,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Pull {
	pub(super) before: u64,
	pub(super) from: Duration,
	/// The parent was to bring it.
	pub(super) owes: bool,
	/// When the first chunk of it came.
	pub(super) came: Option<Duration>,
	pub(super) judged: bool,
}

impl Window {
	/// Whether it has these chunks.
	pub(super) fn offer_has(&self, (from, to): Span) -> bool {
		from < to && to <= self.offer.chunks
	}

	pub(super) fn missing(&self) -> u64 {
		self.here
			.missing(self.offer.all())
			.iter()
			.map(|span| self.offer.bytes(*span))
			.sum()
	}

	pub(super) fn is_whole(&self) -> bool {
		self.here.has(self.offer.all())
	}
}

/// Chunks that were asked for, or that come by themselves.
#[derive(Clone, Copy, Debug)]
pub(super) struct Delivery {
	pub(super) source: SourceId,
	pub(super) range: Range,
	pub(super) pushed: bool,
	pub(super) warmth: bool,
	pub(super) asked: Duration,
	/// When something of it came last.
	pub(super) last: Option<Duration>,
	/// Chunks of it that came.
	pub(super) got: u32,
	/// It is of no use later.
	pub(super) until: Duration,
	pub(super) cancelled: bool,
	/// Nothing is expected of it.
	pub(super) given_up: bool,
}

impl Delivery {
	pub(super) fn span(&self) -> Span {
		(self.range.first, self.range.first + self.range.count)
	}
}

/// Whether the first has all of the second.
pub(super) fn covers((from, to): Span, (first, end): Span) -> bool {
	from <= first && end <= to
}
