//! What the schedule is told of windows, and what it says.

use super::{peers::SourceId, spans::Span};
use crate::{assembly::Announced, wire::Range};
use clustercast_primitives::{Hash, WindowId};
use core::time::Duration;

/// What a standby brings to stay warm, and the least that is asked of one of several.
pub const RUN_BYTES: u64 = 64 * 1024;

/// A window as it was announced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Offer {
	/// Its place.
	pub id: WindowId,
	/// Hash of its header.
	pub header: Hash,
	/// Its bytes.
	pub bytes: u32,
	/// How they are cut.
	pub chunks: u32,
	/// Of each chunk but the last.
	pub chunk_bytes: u32,
	/// How long it plays.
	pub length: Duration,
}

impl Offer {
	/// Of what verified.
	pub fn of(announced: &Announced) -> Self {
		let header = announced.header();
		Self {
			id: header.id,
			header: announced.hash(),
			bytes: header.bytes,
			chunks: header.chunks,
			chunk_bytes: 1u32.checked_shl(header.chunk_log2.into()).unwrap_or(u32::MAX),
			length: Duration::from_millis(header.duration_ms.into()),
		}
	}

	pub(super) fn all(&self) -> Span {
		(0, self.chunks)
	}

	pub(super) fn range(&self, (first, end): Span) -> Range {
		Range {
			header: self.header,
			first,
			count: end - first,
		}
	}

	pub(super) fn bytes(&self, (first, end): Span) -> u64 {
		let at = |chunk: u32| u64::from(self.bytes).min(u64::from(chunk) * u64::from(self.chunk_bytes));
		at(end) - at(first)
	}

	/// So many make a run.
	pub(super) fn run(&self) -> u32 {
		u32::try_from(RUN_BYTES)
			.unwrap_or(u32::MAX)
			.div_ceil(self.chunk_bytes.max(1))
			.max(1)
	}

	/// Bytes per second of the stream.
	pub(super) fn rate(&self) -> u64 {
		u64::from(self.bytes) * 1_000 / u64::try_from(self.length.as_millis()).unwrap_or(u64::MAX).max(1)
	}
}

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
	/// Fetch these chunks: they are of no use later than so long after now.
	Fetch {
		/// From whom.
		source: SourceId,
		/// Which.
		range: Range,
		/// How long they are of use.
		within: Duration,
	},
	/// These are not wanted any more: fetched, or coming by themselves.
	Cancel {
		/// Who brings them.
		source: SourceId,
		/// As they were asked for.
		range: Range,
	},
	/// New windows come from this one by themselves from now on, and from nobody else.
	Promote(SourceId),
	/// Another source is better than this standby.
	Replace(SourceId),
	/// Call another source, to stand by; where [a window is overdue](super::Swarm::is_overdue) when it answers, to send windows by
	/// itself meanwhile. Answered by [`super::Swarm::called`] or [`super::Swarm::nobody`].
	Call,
	/// No more windows come from this one by themselves: it stands by.
	Rest(SourceId),
	/// There are more standbys than are of use: this one did nothing wrong.
	Dismiss(SourceId),
	/// A window is here, in parts that several brought: put them together.
	Whole,
	/// This window does not come: go on behind it.
	Skip(WindowId),
}

/// What it did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Figures {
	/// Windows that were complete.
	pub windows: u64,
	/// Of these, pulled, at least in part.
	pub pulled: u64,
	/// Of these, for nothing: the parent brought all of it nevertheless.
	pub spurious: u64,
	/// Bytes that came.
	pub bytes: u64,
	/// That were here already, or came here again.
	pub twice: u64,
	/// Times that the parent was changed because it failed, and for a gain.
	pub failovers: u64,
	/// See there.
	pub gains: u64,
	/// Windows passed over.
	pub skipped: u64,
}
