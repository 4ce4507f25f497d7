//! `update`: metadata changes, by the owner only, within the bounds of `mint`.

use crate::{mock::*, Error, Event};
use clustercast_primitives::{amount::MAX_PRICE_PER_MB, PublicKey, StreamId};
use frame_support::{assert_noop, assert_ok};

fn other() -> Metadata {
	Metadata {
		title: b"Second light".to_vec(),
		category: b"science".to_vec(),
		max_viewers: 50,
		price_per_mb: 2_000,
		broadcaster_share_ppm: 0,
	}
}

#[test]
fn update_replaces_the_metadata_and_nothing_else() {
	ExtBuilder.build_and_execute(|| {
		assert_ok!(mint(ALICE, Metadata::default()));
		assert_ok!(update(ALICE, 0, other()));
		System::assert_last_event(Event::Updated { id: StreamId(0) }.into());
		let info = StreamKeys::stream_key(StreamId(0)).unwrap();
		assert_eq!(
			(info.title.as_str(), info.category.as_str()),
			("Second light", "science")
		);
		assert_eq!((info.max_viewers, info.price_per_mb), (50, 2_000));
		assert_eq!(info.broadcaster_share_ppm, 0);
		assert_eq!((info.owner.0, info.signing_key), ([1; 32], PublicKey([7; 32])));
		assert_eq!(held(&ALICE), MINT_DEPOSIT);
	});
}

#[test]
fn update_fails_for_all_but_the_owner() {
	ExtBuilder.build_and_execute(|| {
		assert_ok!(mint(ALICE, Metadata::default()));
		assert_noop!(update(BOB, 0, other()), Error::<Test>::NotOwner);
	});
}

#[test]
fn update_fails_for_an_unknown_stream() {
	ExtBuilder.build_and_execute(|| {
		assert_noop!(update(ALICE, 0, other()), Error::<Test>::UnknownStream);
	});
}

#[test]
fn update_is_bound_as_mint_is() {
	ExtBuilder.build_and_execute(|| {
		assert_ok!(mint(ALICE, Metadata::default()));
		let share = Metadata {
			broadcaster_share_ppm: 300_001,
			..other()
		};
		assert_noop!(update(ALICE, 0, share), Error::<Test>::ShareTooLarge);
		let price = Metadata {
			price_per_mb: MAX_PRICE_PER_MB + 1,
			..other()
		};
		assert_noop!(update(ALICE, 0, price), Error::<Test>::PriceTooHigh);
		let title = Metadata {
			title: vec![0x80],
			..other()
		};
		assert_noop!(update(ALICE, 0, title), Error::<Test>::NotUtf8);
	});
}
