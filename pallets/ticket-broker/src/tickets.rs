//! Lottery tickets: all of a ticket's rules, in the order in which they are checked.

use crate::{
	batch::Batch,
	pallet::{Config, Pallet},
	types::Purse,
};
use clustercast_primitives::{
	amount::{is_ticket_within, MAX_TICKET_BYTES, TICKET_BYTES},
	chain::{Payout, TicketRefusal},
	ticket, Ticket, WinningTicket,
};
use frame_support::{ensure, traits::Get};
use pallet_stream_keys::Payee;

/// Bytes that a winning ticket stands for: those it was signed for, and those of the tickets that lost. On average
/// that is what was delivered.
fn expected_bytes(ticket: &Ticket) -> u64 {
	let bytes = (u128::from(ticket.bytes) << 64) / u128::from(ticket.win_probability.max(1));
	bytes.try_into().unwrap_or(u64::MAX)
}

impl<T: Config> Batch<T> {
	/// Pays a ticket into the draft, whole, or says why not and leaves the draft's sums as they were.
	pub fn redeem(&mut self, winning: &WinningTicket) -> Result<Payout, TicketRefusal> {
		let ticket = &winning.signed.message;

		// From the ticket alone.
		let recipient = T::AccountId::from(ticket.recipient.0);
		self.check_recipient(&recipient)?;
		self.check_expiry(ticket.expiry)?;
		let bytes_are_good = match ticket.kind.by_bytes() {
			true => ticket.bytes.is_multiple_of(TICKET_BYTES) && ticket.bytes < MAX_TICKET_BYTES,
			false => ticket.bytes == 0,
		};
		ensure!(bytes_are_good, TicketRefusal::BadBytes);
		ensure!(
			ticket.face_value >= T::MinFaceValue::get(),
			TicketRefusal::FaceValueTooSmall
		);
		ensure!(
			ticket::commitment(&winning.rand) == ticket.commitment,
			TicketRefusal::WrongSecret
		);
		ensure!(
			ticket::wins(ticket.win_probability, &winning.signed.signature, &winning.rand),
			TicketRefusal::NotAWinner
		);

		// From the session and the deposit that pay.
		let sender = T::AccountId::from(ticket.sender.0);
		self.check_session(ticket.session, &sender, ticket.expiry)?;
		self.channel(ticket.session, &recipient)
			.value
			.nonces
			.check(ticket.nonce)?;
		let purse = Purse::from(ticket.kind);
		self.check_funds(ticket.session, purse, Some(&recipient), ticket.face_value)
			.map_err(|(refusal, _)| refusal)?;

		// From those who are paid.
		let payee = self.payee(ticket.stream, Pallet::<T>::signed_at(ticket.expiry))?;
		self.check_price(ticket, &payee)?;
		let flow = self.flow(
			ticket.session,
			&sender,
			&recipient,
			ticket.stream,
			payee,
			ticket.face_value,
		)?;

		self.check_signature(&winning.signed, &ticket.session)?;

		// Nothing fails from here on.
		let is_new = self
			.channel(ticket.session, &recipient)
			.change()
			.nonces
			.insert(ticket.nonce);
		debug_assert!(is_new, "checked above; qed");
		self.charge(ticket.session, purse, Some(&recipient), ticket.face_value);
		if ticket.kind.by_bytes() {
			flow.note(expected_bytes(ticket), self);
		}
		let payout = flow.payout();
		flow.apply(self);
		Ok(payout)
	}

	/// Whether a ticket is worth no more than its bytes cost. It may have been signed later than it must have been, under
	/// what is in force now: it may be as dear as then or as now.
	fn check_price(&mut self, ticket: &Ticket, then: &Payee<T::AccountId>) -> Result<(), TicketRefusal> {
		if !ticket.kind.by_bytes() {
			return Ok(());
		}
		let now = self
			.payee(ticket.stream, self.now)
			.map_or(0, |now| now.max_price_per_gb);
		let price = then.max_price_per_gb.max(now);
		ensure!(
			is_ticket_within(price, ticket.bytes, ticket.face_value, ticket.win_probability),
			TicketRefusal::PriceAboveBound
		);
		Ok(())
	}
}

#[cfg(test)]
mod tests {
	use super::*;
	use clustercast_primitives::{receipt::Kind, AccountId, Hash, PublicKey, StreamId};

	#[test]
	fn a_ticket_stands_for_those_that_lost() {
		let bytes = |bytes, win_probability| {
			expected_bytes(&Ticket {
				sender: AccountId([0; 32]),
				session: PublicKey([0; 32]),
				recipient: AccountId([0; 32]),
				stream: StreamId(0),
				kind: Kind::LIVE,
				context: Hash([0; 32]),
				bytes,
				face_value: 0,
				win_probability,
				commitment: Hash([0; 32]),
				nonce: 0,
				expiry: 0,
			})
		};
		assert_eq!(bytes(375_000, 1 << 63), 750_000);
		assert_eq!(bytes(375_000, 1 << 60), 6_000_000);
		assert_eq!(bytes(375_000, u64::MAX), 375_000);
		assert_eq!(bytes(0, 1), 0);
		assert_eq!(bytes(u64::MAX, 0), u64::MAX);
	}
}
