//! What a batch looks like to the pool: payable or not, from four signatures at most, and nothing is changed by it.

use crate::{mock::*, Outlook, GLANCE};
use clustercast_primitives::{
	amount::USDC, chain::TicketRefusal, crypto::KeyPair, AccountId, SignedTip, SignedVoucher, Ticket, Tip, Voucher,
	WinningTicket,
};
use frame_support::assert_ok;
use sp_runtime::StateVersion;

/// What the pool would learn; it must not change anything.
fn outlook(tickets: &[WinningTicket]) -> Result<Outlook, TicketRefusal> {
	let root = || sp_io::storage::root(StateVersion::V1);
	let before = root();
	let outlook = Broker::tickets_outlook(tickets);
	assert_eq!(before, root());
	outlook
}

/// A ticket that only its signature speaks against.
fn forged(session: &KeyPair, nonce: u64) -> WinningTicket {
	let mut winning = winner(session, nonce);
	winning.signed.message.face_value += 1;
	winning
}

/// A ticket that a cheap check speaks against.
fn expired(session: &KeyPair, nonce: u64) -> WinningTicket {
	let mut ticket = ticket(session, nonce);
	ticket.expiry = 0;
	signed(session, ticket)
}

#[test]
fn the_first_four_payable_tickets_are_counted_until_the_first_of_them_expires() {
	ExtBuilder.build_and_execute(|| {
		let key = open_session();
		let until = |nonce, expiry| {
			let plain = ticket(&key, nonce);
			signed(&key, Ticket { expiry, ..plain })
		};
		let tickets: Vec<_> = [180, 120, 240, 300, 60]
			.iter()
			.zip(0..)
			.map(|(expiry, n)| until(n, *expiry))
			.collect();
		for (count, value, expiry) in [(1, 1, 180), (2, 2, 120), (4, 4, 120), (5, 4, 120)] {
			let expected = Outlook {
				value: value * USDC / 2,
				expiry,
			};
			assert_eq!(outlook(&tickets[..count]), Ok(expected));
		}
	});
}

#[test]
fn a_batch_that_pays_nothing_is_refused_for_the_reason_of_its_first_ticket() {
	ExtBuilder.build_and_execute(|| {
		let key = open_session();
		run_to(10);
		assert_eq!(outlook(&[]), Err(TicketRefusal::NothingNew));
		let unknown = winner(&self::key(9), 0);
		assert_eq!(
			outlook(&[expired(&key, 0), unknown.clone()]),
			Err(TicketRefusal::Expired)
		);
		assert_eq!(
			outlook(&[unknown, expired(&key, 0)]),
			Err(TicketRefusal::UnknownSession)
		);
		redeem(vec![winner(&key, 1)]);
		assert_eq!(outlook(&[winner(&key, 1)]), Err(TicketRefusal::AlreadyRedeemed));
	});
}

#[test]
fn one_payable_ticket_behind_many_that_are_not_suffices() {
	ExtBuilder.build_and_execute(|| {
		let key = open_session();
		run_to(10);
		let mut tickets: Vec<_> = (1..100).map(|nonce| expired(&key, nonce)).collect();
		tickets.push(winner(&key, 0));
		assert_eq!(outlook(&tickets).map(|o| o.value), Ok(USDC / 2));
		// The same ticket pays once.
		tickets.push(winner(&key, 0));
		assert_eq!(outlook(&tickets).map(|o| o.value), Ok(USDC / 2));
	});
}

#[test]
fn no_more_than_four_signatures_are_verified() {
	ExtBuilder.build_and_execute(|| {
		let key = open_session();
		let mut tickets: Vec<_> = (0..GLANCE as u64 - 1).map(|nonce| forged(&key, nonce)).collect();
		tickets.push(winner(&key, 90));
		assert!(outlook(&tickets).is_ok());
		tickets.insert(0, forged(&key, 80));
		assert_eq!(outlook(&tickets), Err(TicketRefusal::BadSignature));
	});
}

#[test]
fn vouchers_and_tips_are_judged_likewise() {
	ExtBuilder.build_and_execute(|| {
		let key = open_session();
		let expiry = grid(System::block_number());
		let voucher = |amount| -> SignedVoucher {
			let voucher = Voucher {
				expiry,
				..voucher(&key, amount)
			};
			key.sign(voucher, &genesis())
		};
		let expected = |value| Ok(Outlook { value, expiry });
		// The second one owes what is beyond the first.
		assert_eq!(
			Broker::vouchers_outlook(&[voucher(USDC), voucher(3 * USDC)]),
			expected(3 * USDC)
		);
		assert_ok!(Broker::redeem_vouchers(
			RuntimeOrigin::signed(RELAYER),
			vec![voucher(USDC)].try_into().unwrap()
		));
		assert_eq!(
			Broker::vouchers_outlook(&[voucher(USDC)]),
			Err(TicketRefusal::NothingNew)
		);
		assert_eq!(Broker::vouchers_outlook(&[]), Err(TicketRefusal::NothingNew));

		let tip = |amount| -> SignedTip {
			let tip = Tip {
				sender: AccountId(ALICE.into()),
				session: key.public(),
				stream: STREAM,
				amount,
				reward: 10_000,
				nonce: 0,
				expiry,
			};
			key.sign(tip, &genesis())
		};
		// What counts is what whoever submits it gets.
		assert_eq!(Broker::tip_outlook(&BOB, &tip(USDC)), expected(10_000));
		assert_eq!(
			Broker::tip_outlook(&BOB, &tip(1)),
			Err(TicketRefusal::FaceValueTooSmall)
		);
	});
}
