//! Where the source that a player watches says that the broadcaster is away, others are asked, one at a time: `player/src/opinion.rs`.

use crate::{
	calendar::{Micros, SECOND},
	net::{ConnId, Input, NodeId},
	node::Io,
	wallet::Wallet,
};
use clustercast_protocol::{viewer::Event, Standing, ViewerSession};

/// Between two questions to others, and how long an answer takes at most.
const ASK: Micros = 5 * SECOND;

/// See the module.
#[derive(Debug, Default)]
pub struct Question {
	call: Option<Call>,
	/// How many were asked, and when the next one may be.
	asked: (usize, Micros),
}

#[derive(Debug)]
struct Call {
	conn: ConnId,
	other: NodeId,
	session: Option<Box<ViewerSession>>,
	until: Micros,
}

impl Question {
	/// Whether a connection is its own.
	pub fn has(&self, conn: ConnId) -> bool {
		self.call.as_ref().is_some_and(|call| call.conn == conn)
	}

	/// Asks the next one of these, where it is time.
	pub fn ask(&mut self, others: &[NodeId], io: &mut Io<'_>) {
		let now = io.now();
		if self.call.as_ref().is_some_and(|call| call.until <= now) {
			self.hang_up(io);
		}
		if self.call.is_some() || now < self.asked.1 {
			return;
		}
		let Some(other) = others.get(self.asked.0 % others.len().max(1)).copied() else {
			return;
		};
		self.asked = (self.asked.0 + 1, now + ASK);
		self.call = Some(Call {
			conn: io.call(other),
			other,
			session: None,
			until: now + ASK,
		});
	}

	/// Nothing is asked any more.
	pub fn hang_up(&mut self, io: &mut Io<'_>) {
		if let Some(call) = self.call.take() {
			io.close(call.conn);
		}
	}

	/// Who is asked.
	pub fn whom(&self) -> Option<NodeId> {
		self.call.as_ref().map(|call| call.other)
	}

	/// What came of it; whether the other one knows more of the broadcaster. `session` is for one that was just connected to.
	pub fn on(
		&mut self,
		input: Input,
		session: Option<ViewerSession>,
		mut wallet: Option<&mut Wallet>,
		standing: &mut Standing,
		io: &mut Io<'_>,
	) -> bool {
		let Some(mut call) = self.call.take() else { return false };
		call.until = io.now() + ASK;
		match input {
			Input::Opened(_) => call.session = session.map(Box::new),
			Input::Frame(_, frame) => {
				if let Some(session) = &mut call.session {
					let _ = session.handle(&frame);
				}
			},
			Input::Gone(_) => return false,
			_ => {},
		}
		let mut knows_more = false;
		if let Some(session) = &mut call.session {
			while let Some(event) = session.poll_event() {
				match event {
					Event::Challenged(challenge) => {
						if let Some(wallet) = &mut wallet {
							session.subscribe(wallet.purse().subscribe(challenge));
						}
					},
					Event::Status(status) => {
						let news = standing.note_status(&status, io.time());
						knows_more |= news && standing.holds(io.time());
					},
					Event::Window(_) => knows_more = true,
					_ => {},
				}
			}
			while let Some(frame) = session.poll_transmit() {
				io.frame(call.conn, frame);
			}
		}
		self.call = Some(call);
		knows_more
	}
}
