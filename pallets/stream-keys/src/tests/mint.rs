//! `mint`: numbers, deposit, metadata.

use crate::{mock::*, Error, Event, NextStream, Payee, Streams};
use clustercast_primitives::{amount::MAX_PRICE_PER_MB, PublicKey, StreamId};
use frame_support::{assert_noop, assert_ok};
use sp_runtime::{DispatchError, TokenError};

#[test]
fn mint_holds_the_deposit_and_records_the_key() {
	ExtBuilder.build_and_execute(|| {
		assert_ok!(mint(ALICE, Metadata::default()));
		System::assert_last_event(
			Event::Minted {
				id: StreamId(0),
				owner: ALICE,
			}
			.into(),
		);
		assert_eq!(held(&ALICE), MINT_DEPOSIT);
		let info = StreamKeys::stream_key(StreamId(0)).unwrap();
		assert_eq!(info.owner.0, [1; 32]);
		assert_eq!(info.signing_key, PublicKey([7; 32]));
		assert_eq!(
			(info.title.as_str(), info.category.as_str()),
			("First light", "astronomy")
		);
		assert_eq!((info.max_viewers, info.price_per_mb), (0, 1_000));
		assert_eq!(info.broadcaster_share_ppm, 100_000);
	});
}

#[test]
fn mint_numbers_keys_in_order() {
	ExtBuilder.build_and_execute(|| {
		for _ in 0..3 {
			assert_ok!(mint(ALICE, Metadata::default()));
		}
		assert_ok!(mint(BOB, Metadata::default()));
		assert_eq!(NextStream::<Test>::get(), StreamId(4));
		assert_eq!(StreamKeys::stream_key(StreamId(3)).unwrap().owner.0, [2; 32]);
		assert_eq!(StreamKeys::stream_key(StreamId(4)), None);
		assert_eq!(held(&ALICE), 3 * MINT_DEPOSIT);
	});
}

#[test]
fn mint_fails_when_numbers_are_used_up() {
	ExtBuilder.build_and_execute(|| {
		NextStream::<Test>::put(StreamId(u64::MAX));
		assert_noop!(mint(ALICE, Metadata::default()), Error::<Test>::TooManyStreams);
	});
}

#[test]
fn mint_fails_without_the_deposit() {
	ExtBuilder.build_and_execute(|| {
		for _ in 0..9 {
			assert_ok!(mint(ALICE, Metadata::default()));
		}
		// One USDC is left, but the account's minimum has to stay.
		assert_noop!(
			mint(ALICE, Metadata::default()),
			DispatchError::Token(TokenError::FundsUnavailable)
		);
		assert_noop!(
			mint(NOBODY, Metadata::default()),
			DispatchError::Token(TokenError::FundsUnavailable)
		);
	});
}

#[test]
fn mint_fails_when_text_is_not_utf8() {
	ExtBuilder.build_and_execute(|| {
		let title = Metadata {
			title: vec![0xff],
			..Default::default()
		};
		assert_noop!(mint(ALICE, title), Error::<Test>::NotUtf8);
		let category = Metadata {
			category: vec![0xc3],
			..Default::default()
		};
		assert_noop!(mint(ALICE, category), Error::<Test>::NotUtf8);
		let text = Metadata {
			title: "Fjällräven".into(),
			category: vec![],
			..Default::default()
		};
		assert_ok!(mint(ALICE, text));
	});
}

#[test]
fn mint_bounds_share_and_price() {
	ExtBuilder.build_and_execute(|| {
		let with = |broadcaster_share_ppm, price_per_mb| Metadata {
			broadcaster_share_ppm,
			price_per_mb,
			..Default::default()
		};
		assert_noop!(mint(ALICE, with(300_001, 0)), Error::<Test>::ShareTooLarge);
		assert_noop!(mint(ALICE, with(0, MAX_PRICE_PER_MB + 1)), Error::<Test>::PriceTooHigh);
		assert_ok!(mint(ALICE, with(300_000, MAX_PRICE_PER_MB)));
		assert_ok!(mint(ALICE, with(0, 0)));
	});
}

#[test]
fn streams_names_owner_and_share() {
	ExtBuilder.build_and_execute(|| {
		assert_ok!(mint(BOB, Metadata::default()));
		let payee = Payee {
			account: BOB,
			share_ppm: 100_000,
		};
		assert_eq!(<StreamKeys as Streams<_>>::payee(StreamId(0)), Some(payee));
		assert_eq!(<StreamKeys as Streams<_>>::payee(StreamId(1)), None);
		assert_eq!(<StreamKeys as Streams<_>>::max_share_ppm(), 300_000);
	});
}
