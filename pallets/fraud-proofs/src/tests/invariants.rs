//! Each invariant of `try_state` is broken by hand once and found, and so are constants that contradict each other.

use crate::{mock::*, Burnt, OldestSpan, Punished, Taken};
use clustercast_primitives::Hash;
use frame_support::traits::Hooks;

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
	TreasuryPart::set(250_001);
	FraudProofs::integrity_test();
}
