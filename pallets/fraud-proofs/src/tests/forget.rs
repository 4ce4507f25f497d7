//! Offences are forgotten when their evidence is too old, within the block's weight, and never before.

use crate::{mock::*, weights::WeightInfo, Error, OldestSpan, Punished};
use clustercast_primitives::amount::USDC;
use frame_support::{
	assert_noop, assert_ok,
	traits::Hooks,
	weights::{Weight, WeightMeter},
};

fn idle_in(block: u32) {
	System::set_block_number(block);
	FraudProofs::on_idle(block, Weight::MAX);
}

#[test]
fn an_offence_is_remembered_as_long_as_its_evidence_counts() {
	ExtBuilder.build_and_execute(|| {
		// The last block of a span, and the first one of the next.
		for (block, span) in [(FRAUD_WINDOW - 1, 0), (FRAUD_WINDOW, 1)] {
			System::set_block_number(block);
			let evidence = flipped(5);
			assert_ok!(report(evidence.clone()));
			assert!(Punished::<Test>::contains_key(span, evidence.receipt.message.hash()));
			idle_in(block + FRAUD_WINDOW);
			assert_noop!(report(evidence.clone()), Error::<Test>::AlreadyPunished);
			// The span of the receipt is over, and a fraud window more.
			idle_in((span + 2) * FRAUD_WINDOW);
			assert_eq!(Punished::<Test>::iter().count(), 0);
			System::set_block_number(block + FRAUD_WINDOW + 1);
			assert_noop!(report(evidence), Error::<Test>::TooOld);
			assert_eq!(OldestSpan::<Test>::get(), Some(span + 1));
		}
	});
}

#[test]
fn nothing_is_done_before_the_first_offence() {
	ExtBuilder.build_and_execute(|| {
		let spent = FraudProofs::on_idle(1, Weight::MAX);
		assert_eq!(spent, <() as WeightInfo>::forget(0));
		assert_eq!(OldestSpan::<Test>::get(), None);
	});
}

#[test]
fn forgetting_takes_no_more_weight_than_is_left() {
	ExtBuilder.build_and_execute(|| {
		assert_ok!(Registry::bond_extra(RuntimeOrigin::signed(RELAYER), RELAYER, 10 * USDC));
		for segment in 0..3 {
			assert_ok!(report(flipped(segment)));
		}
		settle();
		let later = 4 * FRAUD_WINDOW;
		System::set_block_number(later);
		let limit = <() as WeightInfo>::forget(2)
			.saturating_add(<() as WeightInfo>::forget(0))
			.saturating_add(<() as WeightInfo>::forget(0));
		let mut meter = WeightMeter::with_limit(limit);
		FraudProofs::do_forget(&mut meter);
		assert!(meter.consumed().all_lte(limit));
		assert!(Punished::<Test>::iter().count() < 3);
		assert_eq!(FraudProofs::on_idle(later, Weight::zero()), Weight::zero());
		idle_in(later);
		assert_eq!(Punished::<Test>::iter().count(), 0);
	});
}
