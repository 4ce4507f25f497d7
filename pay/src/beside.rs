//! A question that is asked beside a loop: what the loop moves does not wait for the answer, however long a node takes. One at a time.

use std::{
	fmt,
	future::{pending, Future},
	pin::Pin,
};

/// See the module. Gone with whoever asked.
pub struct Beside<T>(Option<Pin<Box<dyn Future<Output = T> + Send>>>);

impl<T> Default for Beside<T> {
	fn default() -> Self {
		Self(None)
	}
}

impl<T> fmt::Debug for Beside<T> {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		f.debug_tuple("Beside").field(&self.is_asked()).finish()
	}
}

impl<T> Beside<T> {
	/// Asks this, unless an answer is awaited: then that is the answer to this, too.
	pub fn ask(&mut self, question: impl Future<Output = T> + Send + 'static) {
		if self.0.is_none() {
			self.0 = Some(Box::pin(question));
		}
	}

	/// Whether an answer is awaited.
	pub fn is_asked(&self) -> bool {
		self.0.is_some()
	}

	/// Wants no answer any more.
	pub fn forget(&mut self) {
		self.0 = None;
	}

	/// The answer, once; never where nothing was asked. Cancel safe: who is called again goes on waiting.
	pub async fn answer(&mut self) -> T {
		let Some(question) = &mut self.0 else {
			return pending().await;
		};
		let answer = question.await;
		self.0 = None;
		answer
	}
}

#[cfg(test)]
mod tests {
	use super::*;
	use tokio::{sync::oneshot, task::yield_now};

	#[tokio::test]
	async fn answer_is_waited_for_by_nobody_and_is_there_however_often_waiting_was_broken_off() {
		let (node, asked) = oneshot::channel();
		let (mut beside, mut turns) = (Beside::default(), 0);
		beside.ask(asked);
		beside.ask(async { panic!("one at a time") });
		while turns < 100 {
			tokio::select! {
				biased;
				_ = beside.answer() => panic!("the node hangs"),
				() = yield_now() => turns += 1,
			}
		}
		node.send(7).unwrap();
		assert_eq!(beside.answer().await, Ok(7));
		assert!(!beside.is_asked(), "once");
	}

	#[tokio::test]
	async fn what_is_forgotten_has_no_answer_and_makes_room_for_the_next_question() {
		let mut beside = Beside::default();
		beside.ask(async { 1 });
		beside.forget();
		beside.ask(async { 2 });
		assert_eq!(beside.answer().await, 2);
	}
}
