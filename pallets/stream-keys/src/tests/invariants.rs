//! Each invariant of `try_state` is broken by hand once and found, and so are constants that contradict each other.

use crate::{mock::*, HoldReason, NextStream, StreamKeys as Keys};
use clustercast_primitives::StreamId;
use frame_support::{
	assert_ok,
	traits::{fungible::MutateHold, Hooks},
};

/// Breaks the state by `damage` and returns what `try_state` says.
fn complaint(damage: impl FnOnce()) -> String {
	ExtBuilder.build().execute_with(|| {
		assert_ok!(mint(ALICE, Metadata::default()));
		assert_ok!(StreamKeys::do_try_state());
		damage();
		let sp_runtime::DispatchError::Other(text) = StreamKeys::do_try_state().unwrap_err() else {
			panic!("try_state fails with a text");
		};
		text.into()
	})
}

#[test]
fn constants_agree() {
	ExtBuilder.build_and_execute(StreamKeys::integrity_test);
}

#[test]
#[should_panic(expected = "a share cannot exceed the whole")]
fn a_share_of_more_than_everything_is_found() {
	MaxBroadcasterShare::set(1_000_001);
	StreamKeys::integrity_test();
}

#[test]
#[should_panic(expected = "the mint deposit must be worth an account")]
fn a_deposit_below_an_accounts_minimum_is_found() {
	MintDeposit::set(EXISTENTIAL_DEPOSIT - 1);
	StreamKeys::integrity_test();
}

#[test]
fn deposits_that_differ_from_holds_are_found() {
	let reason = RuntimeHoldReason::from(HoldReason::StreamKey);
	let more = complaint(|| Balances::hold(&reason, &BOB, 5).unwrap());
	assert_eq!(more, "1: deposits differ from what is held");
	let less = complaint(|| Balances::set_on_hold(&reason, &ALICE, MINT_DEPOSIT - 1).unwrap());
	assert_eq!(less, "1: deposits differ from what is held");
	let stranger = complaint(|| Keys::<Test>::mutate(StreamId(0), |key| key.as_mut().unwrap().owner = NOBODY));
	assert!(stranger.starts_with('1'), "{stranger}");
}

#[test]
fn a_number_that_was_not_handed_out_is_found() {
	let text = complaint(|| NextStream::<Test>::put(StreamId(0)));
	assert_eq!(text, "2: a key's number was not handed out");
}

#[test]
fn metadata_out_of_bounds_is_found() {
	let text = complaint(|| {
		Keys::<Test>::mutate(StreamId(0), |key| {
			key.as_mut().unwrap().metadata.broadcaster_share_ppm = 300_001;
		});
	});
	assert_eq!(text, "3: a key's metadata is out of bounds");
}
