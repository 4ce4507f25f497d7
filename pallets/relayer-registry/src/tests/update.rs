//! `update`: addresses and price change, key and bond do not.

use crate::{mock::*, Error, Event, Relayers};
use clustercast_primitives::amount::MAX_PRICE_PER_GB;
use frame_support::{assert_noop, assert_ok, dispatch::DispatchResult};
use sp_runtime::AccountId32;

fn update(who: AccountId32, texts: &[&str], price: u64) -> DispatchResult {
	Registry::update(RuntimeOrigin::signed(who.clone()), who, addresses(texts), price)
}

#[test]
fn update_replaces_addresses_and_price() {
	ExtBuilder.build_and_execute(|| {
		assert_ok!(register(ALICE, &key(1)));
		let before = Relayers::<Test>::get(ALICE).unwrap();
		assert_ok!(update(ALICE, &["/dns4/a", "/dns4/b"], 7));
		System::assert_last_event(Event::Updated { relayer: ALICE }.into());
		let after = Relayers::<Test>::get(ALICE).unwrap();
		assert_eq!(
			(after.addresses, after.price_per_gb),
			(addresses(&["/dns4/a", "/dns4/b"]), 7)
		);
		assert_eq!((after.signing_key, after.bond), (before.signing_key, before.bond));
	});
}

#[test]
fn update_fails_for_strangers() {
	ExtBuilder.build_and_execute(|| {
		assert_ok!(register(ALICE, &key(1)));
		assert_noop!(update(BOB, &[ADDRESS], 7), Error::<Test>::NotRegistered);
	});
}

#[test]
fn update_is_bound_as_register_is() {
	ExtBuilder.build_and_execute(|| {
		assert_ok!(register(ALICE, &key(1)));
		assert_noop!(update(ALICE, &[], 7), Error::<Test>::NoAddress);
		assert_noop!(update(ALICE, &["x"], 7), Error::<Test>::BadAddress);
		assert_noop!(
			update(ALICE, &[ADDRESS], MAX_PRICE_PER_GB + 1),
			Error::<Test>::PriceTooHigh
		);
	});
}
