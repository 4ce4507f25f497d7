//! Offences are forgotten when their evidence is too old, within the block's weight, and never before.

use crate::{mock::*, weights::WeightInfo, Error, OldestDay, Punished, DAY};
use clustercast_primitives::amount::USDC;
use frame_support::{
	assert_noop, assert_ok,
	traits::Hooks,
	weights::{Weight, WeightMeter},
};

fn report(evidence: clustercast_primitives::fraud::ChunkFraud) -> frame_support::dispatch::DispatchResultWithPostInfo {
	FraudProofs::report_invalid_chunk(RuntimeOrigin::signed(BOB), key(2).public(), Box::new(evidence))
}

fn idle_at(now: u64) {
	NowMs::set(now);
	FraudProofs::on_idle(1, Weight::MAX);
}

#[test]
fn an_offence_is_remembered_as_long_as_its_evidence_counts() {
	ExtBuilder.build_and_execute(|| {
		let evidence = flipped(5);
		assert_ok!(report(evidence.clone()));
		idle_at(START + FRAUD_WINDOW);
		assert_noop!(report(evidence.clone()), Error::<Test>::AlreadyPunished);
		// The day of the window is over, and a fraud window more.
		idle_at((START / DAY + 1) * DAY + FRAUD_WINDOW);
		assert_eq!(Punished::<Test>::iter().count(), 0);
		assert_noop!(report(evidence), Error::<Test>::TooOld);
		assert_eq!(OldestDay::<Test>::get(), Some(START / DAY + 1));
	});
}

#[test]
fn nothing_is_done_before_the_first_offence() {
	ExtBuilder.build_and_execute(|| {
		let spent = FraudProofs::on_idle(1, Weight::MAX);
		assert_eq!(spent, <() as WeightInfo>::forget(0));
		assert_eq!(OldestDay::<Test>::get(), None);
	});
}

#[test]
fn forgetting_takes_no_more_weight_than_is_left() {
	ExtBuilder.build_and_execute(|| {
		assert_ok!(Registry::bond_extra(RuntimeOrigin::signed(RELAYER), 10 * USDC));
		for segment in 0..3 {
			assert_ok!(report(flipped(segment)));
		}
		NowMs::set(START + 3 * DAY);
		let limit = <() as WeightInfo>::forget(2)
			.saturating_add(<() as WeightInfo>::forget(0))
			.saturating_add(<() as WeightInfo>::forget(0));
		let mut meter = WeightMeter::with_limit(limit);
		FraudProofs::do_forget(&mut meter);
		assert!(meter.consumed().all_lte(limit));
		assert!(Punished::<Test>::iter().count() < 3);
		assert_eq!(FraudProofs::on_idle(1, Weight::zero()), Weight::zero());
		idle_at(START + 3 * DAY);
		assert_eq!(Punished::<Test>::iter().count(), 0);
	});
}
