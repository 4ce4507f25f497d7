//! What is done about a relayer's reason to end a subscription: docs/watch.md has the table. Sans-IO.
//!
//! A refused payment is not sent again and again: who is refused twice for one reason, with nothing paid between, acts on the
//! reason or leaves for good.

use clustercast_primitives::chain::TicketRefusal;
use clustercast_protocol::{EndReason, ReserveError, TicketError};

/// What is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
	/// Another relayer; this one again after a rest, longer each time.
	Rest,
	/// Another relayer; this one again in a minute: it passes by itself, and not sooner.
	Wait,
	/// Another relayer, and this one never again.
	Leave,
	/// Another relayer; where none has the next window, on with the newest.
	GoLive,
	/// The broadcast is over where the broadcaster has signed that; else as [`Act::Rest`].
	End,
	/// The chain is asked for the stream's terms and keys; then as [`Act::Rest`], with what it says.
	ReadStream,
	/// The chain is asked for deposit and session key. Where they cannot pay, the run stops and says what to do; else as
	/// [`Act::Rest`].
	ReadAccount,
}

/// What is done about this reason when it is the first one, and when it is given again with nothing paid between.
pub fn acts(reason: &EndReason) -> (Act, Act) {
	use Act::{End, GoLive, Leave, Rest, Wait};
	match reason {
		EndReason::Finished => (End, End),
		EndReason::WindowGone => (GoLive, GoLive),
		own if own.is_own() => (Rest, Rest),
		EndReason::NotServed | EndReason::Full => (Rest, Rest),
		EndReason::Idle | EndReason::Replaced | EndReason::PriceRose => (Rest, Rest),
		EndReason::ReservationNeeded | EndReason::SeatsTaken => (Rest, Wait),
		EndReason::IdleLately(_) => (Wait, Wait),
		EndReason::NotAllowed | EndReason::Denied | EndReason::PaymentRequired | EndReason::WrongChain => {
			(Leave, Leave)
		},
		EndReason::TicketRefused(error) => about_payment(error),
		EndReason::ReservationRefused(error) => about_reservation(error),
		// Unpaid, ProtocolError, BadSubscription, and what later versions say.
		_ => (Rest, Leave),
	}
}

fn about_payment(error: &TicketError) -> (Act, Act) {
	use Act::{Leave, ReadAccount, ReadStream, Rest, Wait};
	match error {
		// A session key that is about to expire, or two nodes that are not equally far.
		TicketError::ExpiryTooSoon => (ReadAccount, Wait),
		TicketError::WrongPurpose | TicketError::VoucherTooLow | TicketError::VoucherTooDear => (ReadStream, Leave),
		TicketError::Chain(refusal) => match refusal {
			TicketRefusal::Expired | TicketRefusal::ExpiryTooFar => (Rest, Wait),
			TicketRefusal::UnknownSession | TicketRefusal::SessionExpired => (ReadAccount, Leave),
			// What was promised to it, and is not on the chain yet, counts there too.
			TicketRefusal::SessionLimitReached | TicketRefusal::DepositTooSmall => (ReadAccount, Wait),
			TicketRefusal::UnknownStream | TicketRefusal::PriceAboveBound | TicketRefusal::WrongTerms => {
				(ReadStream, Leave)
			},
			TicketRefusal::CannotReceive | TicketRefusal::NotRecipient => (Leave, Leave),
			_ => (Rest, Leave),
		},
		_ => (Rest, Leave),
	}
}

fn about_reservation(error: &ReserveError) -> (Act, Act) {
	use Act::{Leave, ReadAccount, Rest, Wait};
	match error {
		ReserveError::Busy | ReserveError::SubmitBy | ReserveError::Crowded => (Rest, Wait),
		ReserveError::Distrusted => (Wait, Wait),
		ReserveError::Means | ReserveError::Chain => (ReadAccount, Wait),
		_ => (Rest, Leave),
	}
}

/// The last refusal, over all relayers.
#[derive(Clone, Copy, Debug, Default)]
pub struct Refusals(Option<EndReason>);

impl Refusals {
	/// What is done about this one.
	pub fn note(&mut self, reason: EndReason) -> Act {
		let (first, again) = acts(&reason);
		match self.0.replace(reason) == Some(reason) {
			true => again,
			false => first,
		}
	}

	/// A payment was taken.
	pub fn paid(&mut self) {
		self.0 = None;
	}
}

#[cfg(test)]
mod tests {
	use super::*;
	use codec::Decode;
	use std::collections::BTreeMap;

	/// All there are, by name.
	fn reasons() -> BTreeMap<String, EndReason> {
		let name = |reason: &EndReason| match reason {
			EndReason::TicketRefused(TicketError::Chain(refusal)) => format!("TicketRefused: {refusal:?}"),
			EndReason::TicketRefused(error) => format!("TicketRefused: {error:?}"),
			EndReason::ReservationRefused(error) => format!("ReservationRefused: {error:?}"),
			EndReason::IdleLately(_) => "IdleLately".into(),
			other => format!("{other:?}"),
		};
		let mut found = BTreeMap::new();
		// At most three variants deep, each a byte.
		for bytes in (0..40).flat_map(|a| (0..40).flat_map(move |b| (0..40).map(move |c| [a, b, c]))) {
			if let Ok(reason) = EndReason::decode(&mut &bytes[..]) {
				found.insert(name(&reason), reason);
			}
		}
		found
	}

	#[test]
	fn every_reason_is_acted_on_as_the_docs_say() {
		let page = include_str!("../../docs/watch.md");
		let table = page
			.split("| the relayer says | the first time | again |")
			.nth(1)
			.unwrap();
		let mut documented = BTreeMap::new();
		for row in table.lines().skip(2).take_while(|line| line.starts_with('|')) {
			let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
			let [said, first, again] = cells[..] else {
				panic!("{row}")
			};
			let (prefix, names) = match said.split_once(": ") {
				Some((prefix, names)) => (format!("{prefix}: "), names),
				None => (String::new(), said),
			};
			for name in names.split(", ") {
				let acts = (first.to_owned(), again.to_owned());
				assert!(
					documented.insert(format!("{prefix}{name}"), acts).is_none(),
					"{name} twice"
				);
			}
		}
		let word = |act| match act {
			Act::Rest => "rest",
			Act::Wait => "wait",
			Act::Leave => "leave",
			Act::GoLive => "go live",
			Act::End => "end",
			Act::ReadStream => "read the stream",
			Act::ReadAccount => "read the account",
		};
		let known: BTreeMap<_, _> = reasons()
			.iter()
			.map(|(name, reason)| {
				let (first, again) = acts(reason);
				(name.clone(), (word(first).to_owned(), word(again).to_owned()))
			})
			.collect();
		assert!(known.len() > 50, "{known:?}");
		assert_eq!(known, documented);
	}

	/// The fault: sixteen payments with a session key that was revoked, each refused for it.
	#[test]
	fn no_payment_is_refused_for_one_reason_again_and_again() {
		for (name, reason) in reasons() {
			let mut refusals = Refusals::default();
			let (first, again) = (refusals.note(reason), refusals.note(reason));
			let payment = matches!(reason, EndReason::TicketRefused(_) | EndReason::ReservationRefused(_));
			if payment {
				assert!(matches!(again, Act::Leave | Act::Wait), "{name}: {first:?}, {again:?}");
			}
			assert_eq!(refusals.note(reason), again, "{name}");
			refusals.paid();
			assert_eq!(refusals.note(reason), first, "{name}: it was good meanwhile");
		}
	}
}
