//! How a broadcast stands, from what its key signed: nobody between can end it, or keep it alive, by repeating old words.

use clustercast_primitives::{
	status::{SignedStatus, State},
	BlockNumber, WindowHeader,
};

/// The newest status and the newest header of a stream.
#[derive(Clone, Debug, Default)]
pub struct Standing {
	status: Option<SignedStatus>,
	/// Epoch of the newest header, and when its window ends: Unix time, milliseconds.
	header: Option<(BlockNumber, u64)>,
}

impl Standing {
	/// Takes a status whose signature verified; `false`, and nothing is changed, where a newer one is known.
	pub fn note_status(&mut self, status: &SignedStatus) -> bool {
		let message = &status.status.message;
		if self
			.status
			.as_ref()
			.is_some_and(|known| !message.supersedes(&known.status.message))
		{
			return false;
		}
		self.status = Some(status.clone());
		true
	}

	/// Takes a header whose signature verified.
	pub fn note_header(&mut self, header: &WindowHeader) {
		let ends = header.start_ms.saturating_add(header.duration_ms.into());
		self.header = self.header.max(Some((header.id.epoch, ends)));
	}

	/// The newest status.
	pub fn status(&self) -> Option<&SignedStatus> {
		self.status.as_ref()
	}

	/// How it stands at this moment (Unix time, milliseconds) for a clock that differs by at most `skew_ms`; `None`
	/// where nothing says. A window that was captured after a status was signed voids its word that none comes.
	pub fn at(&self, now_ms: u64, skew_ms: u64) -> Option<State> {
		let status = &self.status.as_ref()?.status.message;
		let is_newer = |(epoch, ends): (BlockNumber, u64)| match status.state {
			State::Ended => epoch > status.epoch,
			_ => (epoch, ends) > (status.epoch, status.at_ms.saturating_add(skew_ms)),
		};
		match self.header {
			Some(header) if is_newer(header) => Some(State::Live),
			_ => status.holds_at(now_ms, skew_ms).then_some(status.state),
		}
	}
}

#[cfg(test)]
mod tests {
	use super::*;
	use crate::fixture::{self, Broadcast};
	use clustercast_primitives::{Hash, Status};

	fn status(epoch: BlockNumber, number: u64, state: State, at_ms: u64) -> SignedStatus {
		let status = Status {
			stream: fixture::STREAM,
			epoch,
			number,
			state,
			at_ms,
			valid_ms: 5_000,
			after: Hash([0; 32]),
			tracks: Hash([0; 32]),
		};
		SignedStatus::sign(status, Default::default(), &fixture::stream_key(), &fixture::GENESIS)
	}

	/// The attack: a relayer repeats an old status to a viewer who has a newer one, or to one who has newer windows.
	#[test]
	fn repeated_status_changes_nothing() {
		let mut standing = Standing::default();
		let (idle, live) = (status(5, 1, State::Idle, 1_000), status(5, 2, State::Live, 2_000));
		assert!(standing.note_status(&idle));
		assert_eq!(standing.at(1_500, 0), Some(State::Idle));
		assert!(standing.note_status(&live));
		assert!(
			!standing.note_status(&idle),
			"without the rule the stream would look idle again"
		);
		assert_eq!(standing.at(2_500, 0), Some(State::Live));
		assert_eq!(standing.at(7_001, 0), None, "and it says nothing for ever");
	}

	#[test]
	fn newer_window_voids_idle_and_not_the_end() {
		let mut broadcast = Broadcast::default();
		let window = broadcast.segment(&[1; 10]);
		let ends = window.header().start_ms + 2_000;
		let mut standing = Standing::default();
		standing.note_status(&status(fixture::EPOCH, 1, State::Idle, ends - 1));
		standing.note_header(window.header());
		assert_eq!(standing.at(ends, 0), Some(State::Live));
		standing.note_status(&status(fixture::EPOCH, 2, State::Ended, ends - 1));
		assert_eq!(standing.at(u64::MAX, 0), Some(State::Ended));
		broadcast.begin_epoch(fixture::EPOCH + 1);
		standing.note_header(broadcast.segment(&[2; 10]).header());
		assert_eq!(standing.at(ends, 0), Some(State::Live), "another epoch began");
	}

	#[test]
	fn nothing_is_known_before_a_status() {
		let mut standing = Standing::default();
		standing.note_header(Broadcast::default().segment(&[1; 10]).header());
		assert_eq!(standing.at(0, 0), None);
		assert!(standing.status().is_none());
	}
}
