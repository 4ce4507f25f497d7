//! What ends by itself in idle time: sessions, closed channels, ledgers. Only what is over, oldest first, within the weight
//! that is left, in parts where need be, and never so that something can be paid again.

use crate::{
	mock::*, weights::WeightInfo, Channel, Channels, End, Ends, Error, Event, HoldReason, Ledger, Ledgers, OldestEnd,
	Session, Sessions, SessionsOf, Shares, VouchersPaid, MAX_ENDED_PER_BLOCK,
};
use clustercast_primitives::{
	amount::USDC,
	chain::{
		TicketRefusal,
		TicketVerdict::{Accepted, Refused},
	},
	crypto::KeyPair,
	AccountId, Balance, SignedVoucher, Ticket, Voucher, WinningTicket,
};
use frame_support::{
	assert_noop, assert_ok,
	traits::{fungible::InspectHold, Hooks},
	weights::Weight,
};
use sp_runtime::AccountId32;

/// Blocks from a session's expiry until it ends.
const AFTER: u32 = CHANNEL_DELAY - MAX_TICKET_LIFE;

/// Weight of ending `n`.
fn ending(n: u32) -> Weight {
	<() as WeightInfo>::end(n)
}

/// Idle time of this weight in this block; how much of it was used.
fn idle(weight: Weight) -> Weight {
	Broker::on_idle(System::block_number(), weight)
}

/// Registers a session of each of `count` viewers, good up to `expiry`.
fn register(count: u8, expiry: u32) {
	for n in 0..count {
		let who = AccountId32::new([100 + n; 32]);
		endow(&who, 10 * USDC);
		authorize(who, &key(100 + n), USDC, expiry);
	}
}

/// Number of sessions.
fn sessions() -> usize {
	Sessions::<Test>::iter_keys().count()
}

/// Owed by Alice to a relayer for stream 0.
fn voucher_to(to: AccountId32, session: &KeyPair, amount: Balance, expiry: u32) -> SignedVoucher {
	let voucher = Voucher {
		recipient: AccountId(to.into()),
		expiry,
		..voucher(session, amount)
	};
	session.sign(voucher, &genesis())
}

/// Redeems vouchers as their recipient: how many were paid.
fn redeem_vouchers(vouchers: Vec<SignedVoucher>) -> usize {
	let who = AccountId32::from(vouchers[0].message.recipient.0);
	let paid = Broker::check_vouchers(&vouchers);
	assert_ok!(Broker::redeem_vouchers(
		RuntimeOrigin::signed(who),
		vouchers.try_into().unwrap()
	));
	paid.iter().filter(|verdict| matches!(verdict, Accepted(_))).count()
}

#[test]
fn a_session_ends_after_its_expiry_and_leaves_nothing() {
	ExtBuilder.build_and_execute(|| {
		let (key, other) = (key(1), key(2));
		deposit(ALICE, 10 * USDC);
		authorize(ALICE, &key, 10 * USDC, 120);
		authorize(ALICE, &other, USDC, 121);
		reserve(&key, RELAYER, 1, 3 * USDC);
		assert!(matches!(redeem_one(winner(&key, 0)), Accepted(_)));
		assert_eq!(redeem_vouchers(vec![voucher_to(RELAYER, &key, USDC, 120)]), 1);
		assert_eq!(redeem_vouchers(vec![voucher_to(BOB, &key, USDC, 120)]), 1);
		let before = total(&ALICE);

		run_to(120 + AFTER - 1);
		assert_eq!(sessions(), 2);
		assert_eq!(Broker::reserved_of(&ALICE), 3 * USDC / 2);
		run_to(120 + AFTER);
		System::assert_last_event(
			Event::SessionEnded {
				owner: ALICE,
				key: key.public(),
			}
			.into(),
		);
		assert_eq!(Sessions::<Test>::get(key.public()), None);
		assert_eq!(SessionsOf::<Test>::get(ALICE).into_inner(), vec![other.public()]);
		assert_eq!(Channels::<Test>::iter().count(), 0);
		assert_eq!(VouchersPaid::<Test>::iter().count(), 0);
		let held = |reason| Balances::balance_on_hold(&RuntimeHoldReason::from(reason), &ALICE);
		assert_eq!(
			(held(HoldReason::Reserved), held(HoldReason::Session)),
			(0, SESSION_DEPOSIT)
		);
		assert_eq!(
			(deposited(&ALICE), total(&ALICE)),
			(10 * USDC - USDC / 2 - 2 * USDC, before)
		);

		run_to(121 + AFTER);
		assert!(!SessionsOf::<Test>::contains_key(ALICE));
		assert_eq!(held(HoldReason::Session), 0);
		assert_eq!(Ends::<Test>::iter().count(), 0);
	});
}

#[test]
fn a_session_that_ended_makes_room_for_another() {
	ExtBuilder.build_and_execute(|| {
		for n in 0..MAX_SESSIONS as u8 {
			authorize(ALICE, &key(n), USDC, 30 + u32::from(n == 7));
		}
		run_to(30 + AFTER - 1);
		assert_noop!(
			try_authorize(ALICE, &key(100), USDC, 0, 10_000),
			Error::<Test>::TooManySessions
		);
		run_to(30 + AFTER);
		assert_eq!(SessionsOf::<Test>::get(ALICE).into_inner(), vec![key(7).public()]);
		authorize(ALICE, &key(100), USDC, 10_000);
	});
}

#[test]
fn revoking_puts_the_end_forward() {
	ExtBuilder.build_and_execute(|| {
		let (key, short) = (key(1), key(2));
		deposit(ALICE, 10 * USDC);
		authorize(ALICE, &key, 10 * USDC, 10_000);
		authorize(ALICE, &short, USDC, 300);
		reserve(&key, RELAYER, 1, USDC);
		run_to(20);
		for key in [&key, &short] {
			assert_ok!(Broker::revoke_session(RuntimeOrigin::signed(ALICE), key.public()));
		}
		run_to(300 + AFTER - 1);
		assert_eq!(sessions(), 2);
		// Its expiry came first.
		run_to(300 + AFTER);
		assert_eq!(sessions(), 1);
		run_to(20 + CHANNEL_DELAY - 1);
		assert_eq!((sessions(), Broker::reserved_of(&ALICE)), (1, USDC));
		run_to(20 + CHANNEL_DELAY);
		assert_eq!((sessions(), Broker::reserved_of(&ALICE)), (0, 0));
		// The end that was noted first finds another session of the key, which goes on.
		authorize(ALICE, &key, USDC, 20_000);
		try_state();
		run_to(10_000 + AFTER);
		assert_eq!(Sessions::<Test>::get(key.public()).unwrap().expiry, 20_000);
		run_to(20_000 + AFTER);
		assert_eq!(sessions(), 0);
	});
}

#[test]
fn a_closed_channel_is_free_after_the_delay_and_not_before() {
	ExtBuilder.build_and_execute(|| {
		let key = open_session();
		reserve(&key, RELAYER, 1, 20 * USDC);
		run_to(100);
		assert_ok!(close(&key, RELAYER, 1));
		assert!(matches!(redeem_one(winner(&key, 0)), Accepted(_)));
		run_to(100 + CHANNEL_DELAY - 1);
		assert_eq!(Broker::reserved_of(&ALICE), 20 * USDC - USDC / 2);
		run_to(100 + CHANNEL_DELAY);
		assert_eq!(Broker::reserved_of(&ALICE), 0);
		let session = Sessions::<Test>::get(key.public()).unwrap();
		assert_eq!((session.spent, deposited(&ALICE)), (USDC / 2, MAX_DEPOSIT - USDC / 2));
		// What was paid is remembered, and its nonces.
		let channel = Channels::<Test>::get(key.public(), RELAYER).unwrap();
		assert_eq!(
			(channel.cap, channel.paid, channel.open, channel.counter),
			(USDC / 2, USDC / 2, 0, 1)
		);
		assert_eq!(redeem_one(winner(&key, 0)), Refused(TicketRefusal::AlreadyRedeemed));
	});
}

#[test]
fn a_channel_that_was_reserved_again_does_not_end() {
	ExtBuilder.build_and_execute(|| {
		let key = open_session();
		reserve(&key, RELAYER, 1, USDC);
		assert_ok!(close(&key, RELAYER, 1));
		run_to(10);
		reserve(&key, RELAYER, 2, 2 * USDC);
		run_to(20);
		assert_ok!(close(&key, RELAYER, 2));
		run_to(1 + CHANNEL_DELAY);
		assert_eq!(Broker::reserved_of(&ALICE), 2 * USDC);
		reserve(&key, RELAYER, 3, 3 * USDC);
		run_to(20 + CHANNEL_DELAY);
		assert_eq!(Broker::reserved_of(&ALICE), 3 * USDC);
		assert_eq!(Channels::<Test>::get(key.public(), RELAYER).unwrap().closes_at, None);
	});
}

/// What Bob, a relayer, buys from the relayer for half a USDC: the shares of that are set aside.
fn buy(session: &KeyPair, nonce: u64) {
	let verdict = redeem_one(signed(session, from(BOB, ticket(session, nonce))));
	assert!(matches!(verdict, Accepted(_)));
}

#[test]
fn a_ledger_ends_long_after_its_last_payment_and_its_shares_go_where_they_belong() {
	ExtBuilder.build_and_execute(|| {
		let key = key(2);
		Bonded::set(vec![BOB]);
		deposit(BOB, 10 * USDC);
		authorize(BOB, &key, 10 * USDC, 10_000);
		let (carol, treasury) = (total(&CAROL), total(&TREASURY));
		buy(&key, 0);
		let set_aside = Shares {
			broadcaster: 50_000,
			treasury: 10_000,
		};
		let place = (BOB, STREAM, 0);
		let ledger = |credit, touched| Ledger {
			broadcaster: CAROL,
			credit,
			paid: Shares::default(),
			touched,
			since: 1,
			idle: Shares::default(),
		};
		assert_eq!(Ledgers::<Test>::get(&place), Some(ledger(set_aside, 1)));
		let held = || Balances::balance_on_hold(&RuntimeHoldReason::from(HoldReason::Shares), &TREASURY);
		assert_eq!((total(&CAROL), held()), (carol, 60_000));

		// Put off by another payment.
		run_to(700);
		buy(&key, 1);
		run_to(1 + SHARE_MEMORY);
		try_state();
		assert_eq!(
			Ledgers::<Test>::get(&place),
			Some(Ledger {
				// Looked at, and put off.
				since: 1 + SHARE_MEMORY,
				idle: set_aside.plus(set_aside),
				..ledger(set_aside.plus(set_aside), 700)
			})
		);
		run_to(699 + SHARE_MEMORY);
		assert_eq!((total(&CAROL), held()), (carol, 120_000));
		run_to(700 + SHARE_MEMORY);
		assert_eq!(Ledgers::<Test>::get(&place), None);
		assert_eq!(
			(total(&CAROL), total(&TREASURY), held()),
			(carol + 100_000, treasury + 20_000, 0)
		);
		System::assert_last_event(
			Event::SharesHandedOn {
				relayer: BOB,
				stream: STREAM,
				terms: 0,
				broadcaster: 100_000,
				treasury: 20_000,
			}
			.into(),
		);
	});
}

#[test]
fn a_ledger_without_credit_ends_in_silence() {
	ExtBuilder.build_and_execute(|| {
		let key = open_session();
		Bonded::set(vec![RELAYER]);
		assert!(matches!(redeem_one(winner(&key, 0)), Accepted(_)));
		assert!(Ledgers::<Test>::contains_key((RELAYER, STREAM, 0)));
		let events = System::events().len();
		run_to(1 + SHARE_MEMORY);
		assert_eq!((Ledgers::<Test>::iter().count(), System::events().len()), (0, events));
	});
}

#[test]
fn ending_takes_no_more_weight_than_is_left() {
	ExtBuilder.build_and_execute(|| {
		register(5, 60);
		run_to(60 + AFTER - 1);
		System::set_block_number(60 + AFTER);
		assert_eq!(idle(Weight::zero()), Weight::zero());
		assert_eq!(idle(ending(0) - Weight::from_parts(1, 0)), Weight::zero());
		// Enough to look, and not to end one.
		assert_eq!(idle(ending(1) - Weight::from_parts(1, 0)), ending(0));
		assert_eq!(sessions(), 5);

		assert_eq!(idle(ending(2)), ending(2));
		assert_eq!((sessions(), OldestEnd::<Test>::get()), (3, 60 + AFTER));
		try_state();
		// Two more, and what is left over does not reach for a third.
		assert_eq!(idle(ending(3) - Weight::from_parts(1, 0)), ending(2));
		assert_eq!(sessions(), 1);
		// The last one; then the block is over and the next is looked at.
		assert_eq!(idle(Weight::MAX), ending(1) + ending(0));
		assert_eq!((sessions(), OldestEnd::<Test>::get()), (0, 61 + AFTER));
		assert_eq!(idle(Weight::MAX), ending(0));
	});
}

#[test]
fn a_block_that_ends_in_parts_is_not_left_before_its_end() {
	ExtBuilder.build_and_execute(|| {
		register(4, 60);
		run_to(60 + AFTER - 1);
		System::set_block_number(60 + AFTER);
		// Exactly as many as there are: whether there is another is seen in the next block.
		assert_eq!(idle(ending(4)), ending(4));
		assert_eq!((sessions(), OldestEnd::<Test>::get()), (0, 60 + AFTER));
		assert_eq!(idle(ending(1)), ending(0));
		assert_eq!(OldestEnd::<Test>::get(), 61 + AFTER);
	});
}

#[test]
fn a_session_ends_in_parts() {
	ExtBuilder.build_and_execute(|| {
		let key = open_session();
		reserve(&key, RELAYER, 1, USDC);
		assert_eq!(redeem_vouchers(vec![voucher_to(CAROL, &key, USDC, 120)]), 1);
		assert_eq!(redeem_vouchers(vec![voucher_to(BOB, &key, USDC, 120)]), 1);
		assert_ok!(Broker::revoke_session(RuntimeOrigin::signed(ALICE), key.public()));
		run_to(CHANNEL_DELAY);
		System::set_block_number(1 + CHANNEL_DELAY);
		let left = || {
			(
				Channels::<Test>::iter().count(),
				VouchersPaid::<Test>::iter().count(),
				sessions(),
			)
		};
		assert_eq!(left(), (3, 2, 1));
		for expected in [(1, 2, 1), (0, 1, 1)] {
			assert_eq!(idle(ending(2)), ending(2));
			assert_eq!(left(), expected);
			// Whatever is forgotten already, what it signed is over.
			let still = Ticket {
				expiry: grid(System::block_number()),
				..ticket(&key, 9)
			};
			assert_eq!(
				Broker::check_tickets(&[signed(&key, still)]),
				[Refused(TicketRefusal::SessionExpired)]
			);
			try_state();
		}
		// The last voucher; the session itself is one more.
		assert_eq!(idle(ending(1)), ending(1));
		assert_eq!(left(), (0, 0, 1));
		assert_eq!(idle(ending(1)), ending(1));
		assert_eq!(left(), (0, 0, 0));
		assert_eq!(Broker::reserved_of(&ALICE), 0);
	});
}

#[test]
fn a_block_ends_so_many_at_most_whatever_its_weight() {
	ExtBuilder.build_and_execute(|| {
		let key = open_session();
		for n in 0..MAX_ENDED_PER_BLOCK + 500 {
			let mut who = [77; 32];
			who[..4].copy_from_slice(&n.to_le_bytes());
			Channels::<Test>::insert(key.public(), AccountId32::new(who), Channel::default());
		}
		assert_ok!(Broker::revoke_session(RuntimeOrigin::signed(ALICE), key.public()));
		run_to(1 + CHANNEL_DELAY);
		assert_eq!((Channels::<Test>::iter().count(), sessions()), (500, 1));
		run_to(2 + CHANNEL_DELAY);
		assert_eq!((Channels::<Test>::iter().count(), sessions()), (0, 0));
	});
}

#[test]
fn the_oldest_ends_first() {
	ExtBuilder.build_and_execute(|| {
		let late = [61, 62, 63, 64];
		for (n, expiry) in (0..).zip(late) {
			// So that neither keys nor owners are in the order of their ends.
			authorize(ALICE, &key(9 - n), USDC, expiry);
		}
		run_to(60 + AFTER);
		System::set_block_number(64 + AFTER);
		for (n, expiry) in (0..).zip(late) {
			assert_eq!(OldestEnd::<Test>::get(), expiry + AFTER);
			let is_there = || Sessions::<Test>::contains_key(key(9 - n).public());
			assert!(is_there());
			assert_eq!(idle(ending(1)), ending(1));
			assert_eq!((is_there(), sessions()), (false, 3 - usize::from(n)));
			// The step to the next block.
			idle(ending(0) + ending(0));
		}
	});
}

#[test]
fn ending_forgets_what_earlier_blocks_wrote() {
	let key = key(1);
	let mut ext = ExtBuilder.build();
	ext.execute_with(|| {
		deposit(ALICE, 10 * USDC);
		authorize(ALICE, &key, 10 * USDC, 180);
		for recipient in [RELAYER, BOB] {
			assert_eq!(redeem_vouchers(vec![voucher_to(recipient, &key, USDC, 120)]), 1);
		}
		run_to(180 + AFTER - 1);
	});
	// What is in the database is found as well as what this block wrote.
	ext.commit_all().unwrap();
	ext.execute_with(|| {
		System::set_block_number(180 + AFTER);
		assert_eq!(idle(ending(5)), ending(5));
		assert_eq!(VouchersPaid::<Test>::iter().count(), 0);
		assert_eq!(Channels::<Test>::iter().count(), 0);
		assert_eq!(sessions(), 0);
		try_state();
	});
}

#[test]
fn an_end_of_nothing_is_passed_over() {
	ExtBuilder.build_and_execute(|| {
		let key = key(1).public();
		for end in [
			End::Session(key),
			End::Channel(key, RELAYER),
			End::Ledger(RELAYER, STREAM, 0),
		] {
			Ends::<Test>::insert(10, end, ());
		}
		let events = System::events().len();
		run_to(9);
		System::set_block_number(10);
		assert_eq!(idle(Weight::MAX), ending(3) + ending(0));
		assert_eq!((Ends::<Test>::iter().count(), System::events().len()), (0, events));
	});
}

/// A key is registered again as soon as it may, for lives of all lengths, and revoked now and then. Tickets and vouchers
/// with every expiry are handed in in every block.
#[test]
fn nothing_is_paid_twice_however_often_its_key_is_registered() {
	ExtBuilder.build_and_execute(|| {
		let key = key(1);
		deposit(ALICE, MAX_DEPOSIT);
		let tickets: Vec<WinningTicket> = (1..=60u32)
			.map(|n| {
				let plain = ticket(&key, n.into());
				let (face_value, expiry) = (MIN_FACE_VALUE, 60 * n);
				signed(
					&key,
					Ticket {
						face_value,
						expiry,
						..plain
					},
				)
			})
			.collect();
		let vouchers: Vec<_> = (1..=60)
			.map(|n| voucher_to(RELAYER, &key, MIN_FACE_VALUE * Balance::from(n), 60 * n))
			.collect();
		let (mut tickets_paid, mut vouchers_paid) = ([0; 60], [0; 60]);
		let (mut registered, mut lives) = (0, [0, 600, 61, 5_000].into_iter().cycle());
		for block in 2..=3_600 {
			System::reset_events();
			run_to(block);
			if !Sessions::<Test>::contains_key(key.public()) {
				authorize(ALICE, &key, MAX_DEPOSIT, block + lives.next().unwrap());
				registered += 1;
			} else if block % 700 == 0 {
				assert_ok!(Broker::revoke_session(RuntimeOrigin::signed(ALICE), key.public()));
			}
			for (count, verdict) in tickets_paid.iter_mut().zip(redeem(tickets.clone())) {
				*count += u32::from(matches!(verdict, Accepted(_)));
			}
			for (count, verdict) in vouchers_paid.iter_mut().zip(Broker::check_vouchers(&vouchers)) {
				*count += u32::from(matches!(verdict, Accepted(_)));
			}
			assert_ok!(Broker::redeem_vouchers(
				RuntimeOrigin::signed(RELAYER),
				vouchers.clone().try_into().unwrap()
			));
			assert!(
				tickets_paid.iter().chain(&vouchers_paid).all(|count| *count <= 1),
				"in block {block}"
			);
		}
		assert!(registered > 3, "{registered} times");
		let paid = |counts: &[u32]| counts.iter().sum::<u32>();
		assert!(paid(&tickets_paid) > 20 && paid(&vouchers_paid) > 20);
	});
}

#[test]
fn a_key_that_is_registered_again_begins_anew() {
	ExtBuilder.build_and_execute(|| {
		let key = key(1);
		deposit(ALICE, MAX_DEPOSIT);
		authorize(ALICE, &key, 10 * USDC, 120);
		reserve(&key, RELAYER, 5, USDC);
		let old = winner(&key, 90);
		assert!(matches!(redeem_one(old.clone()), Accepted(_)));
		let owed = voucher_to(RELAYER, &key, USDC, 120);
		assert_eq!(redeem_vouchers(vec![owed.clone()]), 1);
		run_to(120 + AFTER);
		authorize(ALICE, &key, 10 * USDC, 10_000);
		let session = Sessions::<Test>::get(key.public()).unwrap();
		assert_eq!((session.spent, session.registered), (0, 120 + AFTER));
		assert_eq!(redeem_one(old), Refused(TicketRefusal::Expired));
		assert_eq!(Broker::check_vouchers(&[owed]), [Refused(TicketRefusal::Expired)]);
		// Nonces, counters and totals.
		assert!(matches!(redeem_one(winner(&key, 90)), Accepted(_)));
		reserve(&key, RELAYER, 1, USDC);
		assert_eq!(redeem_vouchers(vec![voucher_to(RELAYER, &key, USDC, 840)]), 1);
		let Session { owner, spent, .. } = Sessions::<Test>::get(key.public()).unwrap();
		assert_eq!((owner, spent), (ALICE, 3 * USDC / 2));
	});
}

/// Registered again so that it expires a little before the end that was noted for it the first time: that end is none of
/// its own, and what it reserves stays until then.
#[test]
fn an_end_of_the_session_before_frees_nothing_of_the_next_one() {
	ExtBuilder.build_and_execute(|| {
		let key = key(1);
		deposit(ALICE, MAX_DEPOSIT);
		let ends_at = |expiry| expiry + CHANNEL_DELAY - MAX_TICKET_LIFE;
		authorize(ALICE, &key, MAX_DEPOSIT, 2_000);
		assert_ok!(Broker::revoke_session(RuntimeOrigin::signed(ALICE), key.public()));
		run_to(ends_at(1 + MAX_TICKET_LIFE));
		assert_eq!(Sessions::<Test>::get(key.public()), None);
		authorize(ALICE, &key, MAX_DEPOSIT, 2_500);
		reserve(&key, RELAYER, 1, USDC);
		run_to(ends_at(2_000));
		assert_eq!(Broker::reserved_of(&ALICE), USDC);
		run_to(ends_at(2_500) - 1);
		assert_eq!(Broker::reserved_of(&ALICE), USDC);
		run_to(ends_at(2_500));
		assert_eq!(Broker::reserved_of(&ALICE), 0);
	});
}
