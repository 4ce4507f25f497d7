//! Clearing of bitmaps in idle time: only what is over, within the weight that is left, and never so that a ticket can
//! be paid again.

use crate::{mock::*, weights::WeightInfo, OldestEpoch, SpentNonces};
use clustercast_primitives::{
	amount::USDC,
	chain::{
		TicketRefusal,
		TicketVerdict::{Accepted, Refused},
	},
	Ticket,
};
use frame_support::{assert_ok, traits::Hooks, weights::Weight};

/// Redeems one ticket of each of `count` sessions of as many viewers, with this expiry.
fn spend(count: u8, expiry: u32) {
	for n in 0..count {
		let (who, key) = (sp_runtime::AccountId32::new([100 + n; 32]), key(100 + n));
		endow(&who, 10 * USDC);
		deposit(who.clone(), USDC);
		authorize(who.clone(), &key, USDC, 10_000);
		let plain = from(who, ticket(&key, 0));
		let verdict = redeem_one(signed(&key, Ticket { expiry, ..plain }));
		assert!(matches!(verdict, Accepted(_)));
	}
}

fn bitmaps(epoch: u32) -> usize {
	SpentNonces::<Test>::iter_key_prefix(epoch).count()
}

/// Weight of clearing `n` bitmaps.
fn clearing(n: u32) -> Weight {
	<() as WeightInfo>::clear_epoch(n)
}

#[test]
fn an_epoch_is_cleared_when_its_last_block_is_past() {
	ExtBuilder.build_and_execute(|| {
		spend(3, EPOCH_LENGTH - 60);
		run_to(EPOCH_LENGTH - 1);
		assert_eq!((bitmaps(0), OldestEpoch::<Test>::get()), (3, 0));
		run_to(EPOCH_LENGTH);
		assert_eq!((bitmaps(0), OldestEpoch::<Test>::get()), (0, 1));
	});
}

#[test]
fn later_epochs_are_kept() {
	ExtBuilder.build_and_execute(|| {
		spend(1, EPOCH_LENGTH);
		run_to(EPOCH_LENGTH);
		assert_eq!((bitmaps(1), OldestEpoch::<Test>::get()), (1, 1));
		run_to(5 * EPOCH_LENGTH);
		assert_eq!((bitmaps(1), OldestEpoch::<Test>::get()), (0, 5));
	});
}

#[test]
fn clearing_takes_no_more_weight_than_is_left() {
	ExtBuilder.build_and_execute(|| {
		spend(5, EPOCH_LENGTH - 60);
		System::set_block_number(EPOCH_LENGTH);
		let idle = |weight| Broker::on_idle(EPOCH_LENGTH, weight);
		assert_eq!(idle(Weight::zero()), Weight::zero());
		let too_little = clearing(0) - Weight::from_parts(1, 0);
		assert_eq!(idle(too_little), Weight::zero());
		assert_eq!(bitmaps(0), 5);

		assert_eq!(idle(clearing(2)), clearing(2));
		assert_eq!((bitmaps(0), OldestEpoch::<Test>::get()), (3, 0));
		try_state();
		// Two more, and what is left over does not reach for a third.
		assert_eq!(idle(clearing(3) - Weight::from_parts(1, 0)), clearing(2));
		assert_eq!(bitmaps(0), 1);
		// The last one; then the epoch is over and the next is looked at.
		assert_eq!(idle(Weight::MAX), clearing(1) + clearing(0));
		assert_eq!((bitmaps(0), OldestEpoch::<Test>::get()), (0, 1));
		assert_eq!(idle(Weight::MAX), clearing(0));
	});
}

#[test]
fn an_epoch_that_is_cleared_in_parts_is_not_left_before_its_end() {
	ExtBuilder.build_and_execute(|| {
		spend(4, EPOCH_LENGTH - 60);
		System::set_block_number(EPOCH_LENGTH);
		// Exactly as many as there are: whether there is another is seen in the next block.
		Broker::on_idle(EPOCH_LENGTH, clearing(4));
		assert_eq!((bitmaps(0), OldestEpoch::<Test>::get()), (0, 0));
		Broker::on_idle(EPOCH_LENGTH, clearing(1));
		assert_eq!(OldestEpoch::<Test>::get(), 1);
	});
}

#[test]
fn no_ticket_is_paid_twice_whatever_was_cleared() {
	ExtBuilder.build_and_execute(|| {
		let key = open_session();
		// Redeemed as early as possible, on either side of an epoch's end.
		let with = |nonce, expiry| {
			let plain = ticket(&key, nonce);
			signed(&key, Ticket { expiry, ..plain })
		};
		let paid = [with(0, EPOCH_LENGTH - 60), with(1, EPOCH_LENGTH), with(2, latest())];
		for winning in &paid {
			assert!(matches!(redeem_one(winning.clone()), Accepted(_)));
		}
		let balance = deposited(&ALICE);
		// Every block of their lives and of the next two epochs, with all the weight there is for clearing.
		for block in 2..3 * EPOCH_LENGTH {
			run_to(block);
			for (winning, verdict) in paid.iter().zip(Broker::check_tickets(&paid)) {
				let expected = if block <= winning.signed.message.expiry {
					TicketRefusal::AlreadyRedeemed
				} else {
					TicketRefusal::Expired
				};
				assert_eq!(verdict, Refused(expected), "in block {block}");
			}
		}
		assert_eq!((bitmaps(0), bitmaps(1)), (0, 0));
		redeem(paid.to_vec());
		assert_eq!(deposited(&ALICE), balance);
	});
}

#[test]
fn a_key_that_is_registered_again_has_its_nonces_still_spent() {
	ExtBuilder.build_and_execute(|| {
		let key = key(1);
		deposit(ALICE, MAX_DEPOSIT);
		authorize(ALICE, &key, USDC, 60);
		let old = signed(
			&key,
			Ticket {
				expiry: 60,
				..ticket(&key, 0)
			},
		);
		assert!(matches!(redeem_one(old.clone()), Accepted(_)));
		run_to(61);
		assert_ok!(Broker::reap_session(RuntimeOrigin::signed(BOB), key.public()));
		authorize(ALICE, &key, USDC, 10_000);
		assert_eq!(redeem_one(old), Refused(TicketRefusal::Expired));
		assert_eq!(redeem_one(winner(&key, 0)), Refused(TicketRefusal::AlreadyRedeemed));
		assert!(matches!(redeem_one(winner(&key, 1)), Accepted(_)));
	});
}
