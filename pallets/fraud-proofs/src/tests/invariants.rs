//! Each invariant of `try_state` is broken by hand once and found, and so are constants that contradict each other.

use crate::{mock::*, Burnt, Case, CaseOf, Cases, Claims, OldestCase, OldestSpan, Punished, Taken};
use clustercast_primitives::Hash;
use frame_support::{assert_ok, traits::Hooks};
use sp_runtime::AccountId32;

/// Breaks the state by `damage` and returns what `try_state` says.
fn complaint(damage: impl FnOnce()) -> String {
	ExtBuilder.build().execute_with(|| {
		FraudProofs::do_try_state().unwrap();
		damage();
		let sp_runtime::DispatchError::Other(text) = FraudProofs::do_try_state().unwrap_err() else {
			panic!("try_state fails with a text");
		};
		text.into()
	})
}

#[test]
fn an_offence_of_a_forgotten_span_is_found() {
	let text = complaint(|| Punished::<Test>::insert(5, Hash([1; 32]), ()));
	assert_eq!(text, "1: an offence of a span that was forgotten");
	let text = complaint(|| {
		OldestSpan::<Test>::put(6);
		Punished::<Test>::insert(5, Hash([1; 32]), ());
	});
	assert_eq!(text, "1: an offence of a span that was forgotten");
}

#[test]
fn burning_what_was_not_taken_is_found() {
	let text = complaint(|| {
		Taken::<Test>::put(1);
		Burnt::<Test>::put(2);
	});
	assert_eq!(text, "2: more was burnt than taken");
}

/// Breaks a case with one claim.
fn complaint_of_a_case(damage: impl FnOnce(&mut Case<AccountId32>)) -> String {
	complaint(|| {
		assert_ok!(report(flipped(5)));
		assert_ok!(FraudProofs::do_try_state());
		Cases::<Test>::mutate(0, |case| damage(case.as_mut().unwrap()));
	})
}

#[test]
fn cases_that_are_not_in_order_are_found() {
	let missing = complaint(|| {
		assert_ok!(report(flipped(5)));
		Cases::<Test>::remove(0);
	});
	assert_eq!(missing, "3: a case is missing");
	let stranger = complaint_of_a_case(|case| case.relayer = BOB);
	assert_eq!(stranger, "3: a case is not its relayer's, or out of order");
	let closed = complaint(|| CaseOf::<Test>::insert(BOB, 7));
	assert_eq!(closed, "3: a case that is closed");
	let forgotten = complaint(|| {
		assert_ok!(report(flipped(5)));
		OldestCase::<Test>::put(1);
	});
	assert_eq!(forgotten, "3: a case that is closed");
}

#[test]
fn claims_that_are_not_counted_are_found() {
	let uncounted = complaint_of_a_case(|case| case.levels = Default::default());
	assert_eq!(uncounted, "4: a case does not count its claims");
	let stray = complaint(|| {
		assert_ok!(report(flipped(5)));
		let claim = Claims::<Test>::iter_values().next().unwrap();
		Claims::<Test>::insert(9, Hash([1; 32]), claim);
	});
	assert_eq!(stray, "4: a claim without a case");
}

#[test]
fn promises_of_more_than_is_owed_are_found() {
	let text = complaint(|| {
		assert_ok!(report(flipped(5)));
		let (id, hash, mut claim) = Claims::<Test>::iter().next().unwrap();
		claim.reward = u128::MAX;
		Claims::<Test>::insert(id, hash, claim);
	});
	assert_eq!(text, "5: more is promised than owed");
}

#[test]
fn constants_agree() {
	ExtBuilder.build_and_execute(FraudProofs::integrity_test);
}

#[test]
#[should_panic(expected = "evidence counts for a while")]
fn evidence_that_never_counts_is_found() {
	Window::set(0);
	FraudProofs::integrity_test();
}

#[test]
#[should_panic(expected = "the parts cannot exceed the whole")]
fn parts_of_more_than_everything_are_found() {
	TreasuryPart::set(500_001);
	FraudProofs::integrity_test();
}
