//! What one party alone could do so that what it signed pays nobody. Each test is an attack on an honest relayer, which
//! holds a promise of Alice: each succeeded before there were reservations, and cannot any more.

use crate::{mock::*, Error, Refusal, Unlocks};
use clustercast_primitives::{
	amount::USDC,
	chain::{
		TicketRefusal::*,
		TicketVerdict::{Accepted, Refused},
	},
	crypto::KeyPair,
	AccountId, Balance, SignedVoucher, StreamId, Tip, Voucher, WinningTicket,
};
use frame_support::{assert_noop, assert_ok, BoundedVec};
use sp_runtime::AccountId32;

/// Relays for Alice and gives her back what she pays it.
const ACCOMPLICE: AccountId32 = BOB;

/// What is reserved for the honest relayer: a ticket's worth and more.
const CAP: Balance = 2 * USDC;

/// Alice's session, with [`CAP`] reserved for the honest relayer.
fn reserved_session() -> KeyPair {
	let session = open_session();
	reserve(&session, RELAYER, 1, CAP);
	session
}

fn voucher_to(recipient: AccountId32, stream: StreamId, session: &KeyPair, amount: Balance) -> SignedVoucher {
	let voucher = Voucher {
		recipient: AccountId(recipient.into()),
		stream,
		..voucher(session, amount)
	};
	session.sign(voucher, &genesis())
}

fn redeem_vouchers(who: AccountId32, vouchers: Vec<SignedVoucher>) {
	assert_ok!(Broker::redeem_vouchers(
		RuntimeOrigin::signed(who),
		vouchers.try_into().unwrap()
	));
}

/// The largest ticket to the accomplice that the session can pay.
fn own_ticket(session: &KeyPair, nonce: u64, face_value: Balance) -> WinningTicket {
	let mut own = to(ACCOMPLICE, ticket(session, nonce));
	(own.face_value, own.bytes) = (face_value, 65_536 * 1_000_000);
	signed(session, own)
}

/// The honest relayer is paid, whole.
fn is_paid(honest: WinningTicket) {
	let before = total(&RELAYER);
	let face_value = honest.signed.message.face_value;
	assert!(matches!(redeem_one(honest), Accepted(_)));
	assert_eq!(total(&RELAYER) - before, face_value / 100 * 88);
}

#[test]
fn a_tip_burns_no_winner() {
	ExtBuilder.build_and_execute(|| {
		let session = reserved_session();
		let honest = winner(&session, 7);
		let tip = Tip {
			sender: AccountId(ALICE.into()),
			session: session.public(),
			stream: STREAM,
			amount: MIN_FACE_VALUE,
			reward: 0,
			nonce: 7,
			expiry: honest.signed.message.expiry,
		};
		assert_ok!(Broker::submit_tip(
			RuntimeOrigin::signed(ACCOMPLICE),
			session.sign(tip, &genesis())
		));
		is_paid(honest);
	});
}

#[test]
fn a_ticket_for_somebody_else_burns_no_winner() {
	ExtBuilder.build_and_execute(|| {
		let session = reserved_session();
		let honest = winner(&session, 7);
		let own = signed(&session, to(ACCOMPLICE, ticket(&session, 7)));
		assert!(matches!(redeem_one(own), Accepted(_)));
		is_paid(honest);
	});
}

/// A ticket for the relayer with the highest nonce there is would make all its others too old.
#[test]
fn a_stranger_hands_in_no_ticket_of_the_relayers() {
	ExtBuilder.build_and_execute(|| {
		let session = reserved_session();
		let (honest, leap) = (winner(&session, 7), winner(&session, u64::MAX - 1));
		for who in [ALICE, ACCOMPLICE] {
			assert_noop!(
				Broker::redeem_batch(RuntimeOrigin::signed(who), vec![leap.clone()].try_into().unwrap()),
				Error::<Test>::NotRecipient
			);
		}
		// Nor behind one of its own.
		let own = signed(&session, to(ACCOMPLICE, ticket(&session, 8)));
		assert_ok!(Broker::redeem_batch(
			RuntimeOrigin::signed(ACCOMPLICE),
			vec![own, leap].try_into().unwrap()
		));
		System::assert_has_event(
			crate::Event::TicketRefused {
				index: 1,
				reason: NotRecipient,
			}
			.into(),
		);
		is_paid(honest);
	});
}

#[test]
fn a_reserved_deposit_leaves_as_no_tip() {
	ExtBuilder.build_and_execute(|| {
		let session = reserved_session();
		let honest = winner(&session, 7);
		let tip = |amount| Broker::tip_from_deposit(RuntimeOrigin::signed(ALICE), STREAM, amount);
		assert_noop!(tip(MAX_DEPOSIT), Error::<Test>::DepositTooSmall);
		assert_ok!(tip(MAX_DEPOSIT - CAP));
		is_paid(honest);
	});
}

#[test]
fn a_reserved_deposit_leaves_as_no_ticket_to_others() {
	ExtBuilder.build_and_execute(|| {
		let session = reserved_session();
		let honest = winner(&session, 7);
		assert_eq!(
			redeem_one(own_ticket(&session, 8, MAX_DEPOSIT)),
			Refused(DepositTooSmall)
		);
		assert!(matches!(
			redeem_one(own_ticket(&session, 8, MAX_DEPOSIT - CAP)),
			Accepted(_)
		));
		is_paid(honest);
	});
}

#[test]
fn a_reserved_deposit_leaves_as_no_withdrawal() {
	ExtBuilder.build_and_execute(|| {
		let session = reserved_session();
		let alice = || RuntimeOrigin::signed(ALICE);
		assert_ok!(Broker::request_unlock(alice(), MAX_DEPOSIT));
		run_to(1 + UNLOCK_DELAY);
		let honest = winner(&session, 7);
		assert_ok!(Broker::withdraw(alice()));
		assert_noop!(Broker::withdraw(alice()), Error::<Test>::AllReserved);
		assert_eq!(deposited(&ALICE), CAP);
		is_paid(honest);
	});
}

#[test]
fn a_reserved_deposit_leaves_as_no_reservation_for_others() {
	ExtBuilder.build_and_execute(|| {
		let session = reserved_session();
		let honest = winner(&session, 7);
		let refused = try_reserve(&session, ACCOMPLICE, 1, MAX_DEPOSIT);
		assert_eq!(refused, Err(Error::<Test>::Refused(Refusal(DepositTooSmall)).into()));
		// Eight sessions cannot reserve one deposit.
		for n in 2..=MAX_SESSIONS as u8 {
			let other = key(n);
			authorize(ALICE, &other, MAX_DEPOSIT, 10_000);
			let more = try_reserve(&other, ACCOMPLICE, 1, MAX_DEPOSIT - CAP);
			assert_eq!(more.is_ok(), n == 2);
		}
		is_paid(honest);
	});
}

#[test]
fn a_limit_is_not_used_up_for_who_has_a_reservation() {
	ExtBuilder.build_and_execute(|| {
		let session = key(1);
		deposit(ALICE, MAX_DEPOSIT);
		authorize(ALICE, &session, 3 * USDC, 10_000);
		reserve(&session, RELAYER, 1, CAP);
		let honest = winner(&session, 7);
		assert_eq!(
			redeem_one(own_ticket(&session, 8, USDC + 1)),
			Refused(SessionLimitReached)
		);
		assert!(matches!(redeem_one(own_ticket(&session, 8, USDC)), Accepted(_)));
		is_paid(honest);
	});
}

#[test]
fn no_number_of_payees_shuts_anybody_out() {
	ExtBuilder.build_and_execute(|| {
		let session = reserved_session();
		endow(&CAROL, ENDOWMENT * 10);
		for n in 0..100 {
			mint(CAROL, 0);
			redeem_vouchers(
				ACCOMPLICE,
				vec![voucher_to(ACCOMPLICE, StreamId(n), &session, MIN_FACE_VALUE)],
			);
		}
		let honest = voucher_to(RELAYER, STREAM, &session, USDC);
		assert!(matches!(Broker::check_vouchers(&[honest])[0], Accepted(_)));
	});
}

/// A voucher for the relayer that states more bytes than it delivered would make its own look old.
#[test]
fn a_stranger_hands_in_no_voucher_of_the_relayers() {
	ExtBuilder.build_and_execute(|| {
		let session = reserved_session();
		let mut poison = voucher_to(RELAYER, STREAM, &session, MIN_FACE_VALUE).message;
		poison.bytes = 65_536 << 20;
		let poison = session.sign(poison, &genesis());
		for who in [ALICE, ACCOMPLICE] {
			assert_noop!(
				Broker::redeem_vouchers(RuntimeOrigin::signed(who), vec![poison.clone()].try_into().unwrap()),
				Error::<Test>::NotRecipient
			);
		}
		redeem_vouchers(
			ACCOMPLICE,
			vec![voucher_to(ACCOMPLICE, STREAM, &session, MIN_FACE_VALUE), poison],
		);
		let honest = voucher_to(RELAYER, STREAM, &session, USDC);
		assert!(matches!(Broker::check_vouchers(&[honest])[0], Accepted(_)));
	});
}

/// Closing, revoking and expiring leave the relayer as long as its payments live, and longer.
#[test]
fn what_is_closed_or_revoked_stays_reserved_until_its_payments_are_dead() {
	for revoke in [true, false] {
		ExtBuilder.build_and_execute(|| {
			let session = reserved_session();
			let mut honest = ticket(&session, 7);
			honest.expiry = latest();
			let ended = match revoke {
				true => Broker::revoke_session(RuntimeOrigin::signed(ALICE), session.public()),
				false => close(&session, RELAYER, 1),
			};
			assert_ok!(ended);
			// All that is free goes, again and again.
			for block in [1, 300, honest.expiry] {
				run_to(block);
				let free = Broker::free_deposit_of(&ALICE);
				if free > 0 {
					assert_ok!(Broker::tip_from_deposit(RuntimeOrigin::signed(ALICE), STREAM, free));
				}
			}
			is_paid(signed(&session, honest));
			run_to(CHANNEL_DELAY);
			assert_eq!(Broker::reserved_of(&ALICE), CAP - USDC / 2);
			run_to(1 + CHANNEL_DELAY);
			assert_eq!(Broker::reserved_of(&ALICE), 0);
		});
	}
}

/// Reserved, paid, registered again: nothing of the session before can be had a second time.
#[test]
fn nothing_of_a_session_before_pays_again() {
	ExtBuilder.build_and_execute(|| {
		let session = key(1);
		deposit(ALICE, MAX_DEPOSIT);
		authorize(ALICE, &session, MAX_DEPOSIT, 120);
		let reservation = reservation(&session, RELAYER, 1, CAP, 0);
		let reservation = session.sign(reservation, &genesis());
		assert_ok!(Broker::reserve(RuntimeOrigin::signed(RELAYER), reservation.clone()));
		let mut old = ticket(&session, 7);
		old.expiry = 120;
		let old = signed(&session, old);
		is_paid(old.clone());
		for block in 2..2_000 {
			run_to(block);
			let again = try_authorize(ALICE, &session, MAX_DEPOSIT, 0, block + 5_000).is_ok();
			assert!(
				matches!(Broker::check_tickets(std::slice::from_ref(&old))[0], Refused(_)),
				"{block}"
			);
			if again {
				assert!(Broker::reserve(RuntimeOrigin::signed(RELAYER), reservation.clone()).is_err());
				return;
			}
		}
		panic!("the key becomes free some time");
	});
}

#[test]
fn an_unlock_goes_with_the_deposit_and_its_account() {
	ExtBuilder.build_and_execute(|| {
		let alice = || RuntimeOrigin::signed(ALICE);
		deposit(ALICE, MAX_DEPOSIT);
		assert_ok!(Broker::request_unlock(alice(), MAX_DEPOSIT));
		assert_ok!(Broker::tip_from_deposit(alice(), STREAM, MAX_DEPOSIT));
		assert_ok!(Balances::transfer_all(alice(), CAROL, false));
		assert!(!Unlocks::<Test>::contains_key(ALICE));
		assert_eq!(total(&ALICE), 0);
	});
}

#[test]
fn a_strangers_key_is_not_registered_and_none_for_ever() {
	ExtBuilder.build_and_execute(|| {
		let strangers = key(9);
		// Alice's proof, seen on its way.
		let proof = proof(&ALICE, &strangers);
		let with = |who, expiry| {
			Broker::authorize_session(RuntimeOrigin::signed(who), strangers.public(), 1, 0, expiry, proof)
		};
		assert_noop!(with(BOB, 1_000), Error::<Test>::BadProof);
		assert_noop!(with(ALICE, 2 + MAX_SESSION_LIFE), Error::<Test>::SessionTooLong);
		assert_noop!(with(ALICE, u32::MAX), Error::<Test>::SessionTooLong);
		assert_ok!(with(ALICE, 1 + MAX_SESSION_LIFE));
	});
}

/// A stranger hands in a viewer's voucher while it owes little, so that many fees eat up what the relayer earns. Only the
/// recipient can, at its own cost; and the sums of many small payments are at most a unit of rounding each beside that of one.
#[test]
fn small_payments_cost_who_hands_them_in_and_nobody_else() {
	let total_of = |steps: u128| {
		let mut paid = (0, 0);
		ExtBuilder.build_and_execute(|| {
			let session = reserved_session();
			let (relayer, treasury) = (total(&RELAYER), total(&TREASURY));
			for step in 1..=steps {
				let voucher = voucher_to(RELAYER, STREAM, &session, 900 * step / steps);
				let vouchers: BoundedVec<_, _> = vec![voucher].try_into().unwrap();
				assert_noop!(
					Broker::redeem_vouchers(RuntimeOrigin::signed(BOB), vouchers.clone()),
					Error::<Test>::NotRecipient
				);
				redeem_vouchers(RELAYER, vouchers.into_inner());
				paid = (total(&RELAYER) - relayer, total(&TREASURY) - treasury);
			}
		});
		paid
	};
	let (once, often) = (total_of(1), total_of(9));
	assert!(once.1 - often.1 <= 8 && often.0 - once.0 <= 2 * 8, "{once:?} {often:?}");
}
