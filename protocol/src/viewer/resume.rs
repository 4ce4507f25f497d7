//! Where a subscription goes on: which window may follow.

use super::Fault;
use crate::window::EncodedWindow;
use clustercast_primitives::{window::flags, Hash, History, WindowHeader, WindowId};

/// The window that was received last: the next one must follow it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resume {
	/// Its place.
	pub id: WindowId,
	/// Hash of its header.
	pub header: Hash,
	/// The headers of its epoch up to its own.
	pub history: History,
	/// Whether it was the last part of its segment.
	pub last_part: bool,
}

impl Resume {
	/// Behind this window.
	pub fn after(window: &EncodedWindow) -> Self {
		Self::behind(window.header(), window.hash(), window.history())
	}

	/// Behind the window with this header, whose hash the caller has, and these before it.
	pub(crate) fn behind(header: &WindowHeader, hash: Hash, before: &History) -> Self {
		let mut history = before.clone();
		let appended = history.append(hash);
		debug_assert!(appended, "its number was checked");
		Self {
			id: header.id,
			header: hash,
			history,
			last_part: header.has(flags::LAST_PART),
		}
	}

	/// Place of the one window that can follow in this epoch; `None` at the end of all numbers.
	pub fn successor(&self) -> Option<WindowId> {
		let (segment, part) = match self.last_part {
			true => (self.id.segment.checked_add(1)?, 0),
			false => (self.id.segment, self.id.part.checked_add(1)?),
		};
		Some(WindowId {
			segment,
			part,
			..self.id
		})
	}

	/// Whether this header is surely the next one.
	pub fn precedes(&self, header: &WindowHeader) -> bool {
		self.check_next(header).is_ok()
	}

	/// Whether this header is the next one: in this epoch, or the first of a later one.
	pub(super) fn check_next(&self, header: &WindowHeader) -> Result<(), Fault> {
		let got = header.id;
		if got <= self.id {
			return Err(Fault::Replayed(got));
		}
		if got.epoch > self.id.epoch {
			return match (header.number, header.has(flags::INDEPENDENT)) {
				(0, true) => Ok(()),
				(0, false) => Err(Fault::NotIndependent(got)),
				_ => Err(Fault::BrokenChain(got)),
			};
		}
		match self.successor() {
			Some(expected) if got == expected => match header.follows(&self.history) {
				true => Ok(()),
				false => Err(Fault::BrokenChain(got)),
			},
			Some(expected) => Err(Fault::Omitted { expected, got }),
			None => Err(Fault::BrokenChain(got)),
		}
	}
}
