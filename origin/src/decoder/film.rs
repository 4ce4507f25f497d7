//! A file, played in real time: a process for each track, so that neither waits for the other; where it is repeated, others for each
//! turn. What they give is held until it is due.

use super::{
	attend,
	command::{self, Choice},
	filters::Effort,
	pace::{Kind, Pace, When},
	probe::Length,
	turns::Turns,
	End, Manner, Output, Shared,
};
use crate::child::{Child, SpawnError};
use std::{
	path::PathBuf,
	process::Stdio,
	sync::{Mutex, MutexGuard, PoisonError},
	time::Duration,
};
use tokio::{
	sync::Notify,
	time::{sleep_until, Instant},
};

/// So long before a turn of a repeated file ends the next one's processes are started. On an idle machine it takes 0.1 s.
const PREPARE: Duration = Duration::from_secs(5);

/// Of the picture, of the sound.
pub(super) type Children = [Option<Child>; 2];

/// What is played, and how.
#[derive(Debug)]
pub(super) struct Film {
	pub(super) ffmpeg: PathBuf,
	pub(super) path: PathBuf,
	pub(super) choice: Choice,
	/// Plays it again and again: how long it is.
	pub(super) repeat: Option<Length>,
}

impl Film {
	/// Starts it.
	pub(super) fn spawn(&self, effort: Effort) -> Result<Children, SpawnError> {
		let child = |kind| self.has(kind).then(|| self.child(kind, effort)).transpose();
		Ok([child(Kind::Picture)?, child(Kind::Sound)?])
	}

	fn child(&self, kind: Kind, effort: Effort) -> Result<Child, SpawnError> {
		let args = command::track(&self.path, self.choice, kind, effort);
		Child::spawn(&self.ffmpeg, args, Stdio::null())
	}

	fn has(&self, kind: Kind) -> bool {
		match kind {
			Kind::Picture => self.choice.picture.is_some(),
			Kind::Sound => self.choice.sound.is_some(),
		}
	}

	/// Plays it to its end.
	pub(super) async fn play(&self, mut children: Children, shared: &Shared) -> End {
		let stage = Stage::new(self);
		let mut effort = Effort::Full;
		let mut played = false;
		loop {
			// The next turn's processes wait at their first output.
			let prepare = self
				.repeat
				.as_ref()
				.map(|length| Instant::now() + length.all.unwrap_or_default().saturating_sub(PREPARE));
			let mut next = None;
			let [picture, sound] = children;
			let ends = {
				let picture = self.track(picture, Kind::Picture, effort, &stage, shared);
				let sound = self.track(sound, Kind::Sound, effort, &stage, shared);
				let mut playing = std::pin::pin!(async { tokio::join!(picture, sound) });
				loop {
					tokio::select! {
						ends = &mut playing => break ends,
						() = wait(prepare), if next.is_none() => next = Some(self.spawn(effort)),
					}
				}
			};
			let came = stage.state().turns.again();
			played |= came;
			let (picture, sound) = ends;
			if let Some((_, so)) = picture {
				effort = so;
			}
			let end = together([picture, sound].into_iter().flatten().map(|(end, _)| end), played);
			if end != End::Over || !came || self.repeat.is_none() {
				return end;
			}
			children = match next.unwrap_or_else(|| self.spawn(effort)) {
				Ok(children) => children,
				Err(error) => return End::Broken(error.to_string()),
			};
		}
	}

	/// Plays a track, with plain filters where nothing comes of the others. Which, and how it ended.
	async fn track(
		&self,
		child: Option<Child>,
		kind: Kind,
		mut effort: Effort,
		stage: &Stage,
		shared: &Shared,
	) -> Option<(End, Effort)> {
		let manner = || Manner {
			stage: Some((stage, kind)),
			..Manner::default()
		};
		let mut result = attend(child?, manner(), shared).await;
		let plain = matches!(result, Err(End::Failed(_))) && effort == Effort::Full && self.may_do_less(kind);
		if let (true, Ok(child)) = (plain, self.child(kind, Effort::Plain)) {
			tracing::debug!("decoding without tone mapping");
			effort = Effort::Plain;
			result = attend(child, manner(), shared).await;
		}
		stage.over(kind);
		let end = result.unwrap_or_else(|end| end);
		let alone = !(self.has(Kind::Picture) && self.has(Kind::Sound));
		if !matches!(end, End::Over) && !alone {
			let what = if kind == Kind::Picture { "picture" } else { "sound" };
			tracing::warn!("the file's {what} cannot be played to its end: {end}");
		}
		Some((end, effort))
	}

	/// Plain filters are others.
	fn may_do_less(&self, kind: Kind) -> bool {
		kind == Kind::Picture && self.choice.picture.is_some_and(|(_, shape)| shape.high_dynamic_range)
	}
}

/// How a film ended whose tracks ended so. `played`: something came of it.
fn together(ends: impl IntoIterator<Item = End>, played: bool) -> End {
	let mut over = played;
	for end in ends {
		match end {
			End::Over => over = true,
			End::Nothing => {},
			failed => return failed,
		}
	}
	if over {
		End::Over
	} else {
		End::Nothing
	}
}

/// Where what was decoded waits until it is due.
#[derive(Debug)]
pub(super) struct Stage {
	state: Mutex<State>,
	/// Another track was offered, or is over.
	changed: Notify,
	/// Zero of the pace's clock.
	zero: Instant,
}

#[derive(Debug)]
struct State {
	pace: Pace,
	turns: Turns,
}

impl Stage {
	fn new(film: &Film) -> Self {
		let state = State {
			pace: Pace::new(|kind| film.has(kind)),
			turns: Turns::new(film.repeat.as_ref().and_then(|length| length.sound)),
		};
		Self {
			state: Mutex::new(state),
			changed: Notify::new(),
			zero: Instant::now(),
		}
	}

	fn state(&self) -> MutexGuard<'_, State> {
		// Nothing in there is left half done by a panic.
		self.state.lock().unwrap_or_else(PoisonError::into_inner)
	}

	/// The same at its place, once it is due; `None` for what has none.
	pub(super) async fn hold(&self, kind: Kind, output: Output) -> Option<Output> {
		let output = self.state().turns.place(output.earlier(command::OFFSET))?;
		let at = output.at()?;
		loop {
			let mut changed = std::pin::pin!(self.changed.notified());
			changed.as_mut().enable();
			let when = self.state().pace.offer(kind, at, self.zero.elapsed());
			if !matches!(when, When::Unknown(_)) {
				self.changed.notify_waiters();
			}
			match when {
				When::Now => return Some(output),
				When::At(due) => {
					sleep_until(self.zero + due).await;
					return Some(output);
				},
				When::Unknown(until) => tokio::select! {
					() = changed => {},
					() = sleep_until(self.zero + until) => {},
				},
			}
		}
	}

	fn over(&self, kind: Kind) {
		self.state().pace.over(kind);
		self.changed.notify_waiters();
	}
}

async fn wait(until: Option<Instant>) {
	match until {
		Some(until) => sleep_until(until).await,
		None => std::future::pending().await,
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn a_film_ends_as_the_worse_of_its_tracks() {
		let hung = || End::Hung;
		for (ends, played, end) in [
			(vec![End::Over, End::Over], true, End::Over),
			(vec![End::Over, End::Nothing], true, End::Over),
			(vec![End::Nothing, End::Nothing], false, End::Nothing),
			(vec![End::Nothing], true, End::Over),
			(vec![End::Over, hung()], true, hung()),
			(vec![hung()], false, hung()),
		] {
			assert_eq!(together(ends.clone(), played), end, "{ends:?}");
		}
	}
}
