//! What people are told of a silence: a line when it begins, one when it ends, one when the broadcaster is lost or found in
//! between; and how long it all took.
//!
//! Time is our own, from any beginning, and only goes forward.

use crate::patience::Silence;
use core::time::Duration;

/// Worth a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
	/// The broadcaster pauses.
	Paused,
	/// Nothing is heard of the broadcaster any more.
	Lost,
	/// It is heard again, and pauses.
	Found,
	/// Windows come again, after so long.
	Over(Duration),
}

/// See the module. One for each stream.
#[derive(Clone, Copy, Debug, Default)]
pub struct Quiet {
	/// As it was told last.
	told: Silence,
	/// Begin of the silence.
	since: Option<Duration>,
	/// Silences so far, the present one included.
	count: u64,
	/// How long those took that are over.
	past: Duration,
}

impl Quiet {
	/// No window comes for this reason.
	pub fn note(&mut self, silence: Silence, now: Duration) -> Option<Change> {
		let change = match (self.told, silence) {
			// Only a window ends it.
			(_, Silence::None | Silence::Over) => return None,
			(before, same) if before == same => return None,
			(Silence::Absence, Silence::Pause) => Change::Found,
			(_, Silence::Pause) => Change::Paused,
			(_, Silence::Absence) => Change::Lost,
		};
		self.told = silence;
		if self.since.is_none() {
			self.since = Some(now);
			self.count += 1;
		}
		Some(change)
	}

	/// A window came.
	pub fn window(&mut self, now: Duration) -> Option<Change> {
		let took = now.saturating_sub(self.since.take()?);
		self.told = Silence::None;
		self.past += took;
		Some(Change::Over(took))
	}

	/// Why no window comes, as it was told last.
	pub fn silence(&self) -> Silence {
		self.told
	}

	/// How long the present silence takes already.
	pub fn lasting(&self, now: Duration) -> Option<Duration> {
		self.since.map(|since| now.saturating_sub(since))
	}

	/// Silences so far.
	pub fn count(&self) -> u64 {
		self.count
	}

	/// How long they took together.
	pub fn total(&self, now: Duration) -> Duration {
		self.past + self.lasting(now).unwrap_or_default()
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	fn at(seconds: u64) -> Duration {
		Duration::from_secs(seconds)
	}

	#[test]
	fn pause_has_two_lines_however_long_it_is() {
		let mut quiet = Quiet::default();
		let mut lines = vec![quiet.note(Silence::None, at(0))];
		for second in 10..3_610 {
			// In between it is not always sure.
			let silence = if second % 7 == 0 { Silence::None } else { Silence::Pause };
			lines.push(quiet.note(silence, at(second)));
		}
		lines.push(quiet.window(at(3_610)));
		lines.push(quiet.window(at(3_612)));
		let lines: Vec<Change> = lines.into_iter().flatten().collect();
		assert_eq!(lines, [Change::Paused, Change::Over(at(3_600))]);
		assert_eq!((quiet.count(), quiet.total(at(9_999))), (1, at(3_600)));
	}

	#[test]
	fn loss_and_return_of_the_broadcaster_are_told_and_count_as_one_silence() {
		let mut quiet = Quiet::default();
		let told: Vec<_> = [Silence::Pause, Silence::Absence, Silence::Absence, Silence::Pause]
			.into_iter()
			.enumerate()
			.map(|(second, silence)| quiet.note(silence, at(second as u64)))
			.collect();
		assert_eq!(
			told,
			[Some(Change::Paused), Some(Change::Lost), None, Some(Change::Found)]
		);
		assert_eq!((quiet.silence(), quiet.lasting(at(5))), (Silence::Pause, Some(at(5))));
		assert_eq!(quiet.total(at(5)), at(5));
		assert_eq!(quiet.window(at(9)), Some(Change::Over(at(9))));
		assert_eq!(quiet.note(Silence::Absence, at(20)), Some(Change::Lost));
		assert_eq!((quiet.count(), quiet.total(at(21))), (2, at(10)));
	}
}
