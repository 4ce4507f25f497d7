//! `mint`: numbers, deposit, texts, terms.

use crate::{mock::*, Error, Event, NextStream};
use clustercast_primitives::{
	amount::MAX_PRICE_PER_GB,
	chain::{StreamTerms, PPM},
	StreamId,
};
use frame_support::{assert_noop, assert_ok};
use sp_runtime::{DispatchError, TokenError};

#[test]
fn mint_holds_the_deposit_and_records_the_key() {
	ExtBuilder.build_and_execute(|| {
		assert_ok!(mint(ALICE, New::default()));
		System::assert_last_event(
			Event::Minted {
				id: StreamId(0),
				owner: ALICE,
			}
			.into(),
		);
		assert_eq!(held(&ALICE), MINT_DEPOSIT);
		let info = info();
		assert_eq!((info.owner.0, info.broadcaster.0), ([1; 32], [1; 32]));
		assert_eq!(info.signing_key, signer(7));
		assert_eq!(
			(info.title.as_str(), info.category.as_str(), info.max_viewers),
			("First light", "astronomy", 0)
		);
		assert_eq!(info.terms(), TERMS);
		assert_eq!((info.change, info.sale_price, info.rent_offer), (None, None, None));
		assert_eq!((info.rented_until, info.flagged), (None, false));
		assert_eq!((info.payee.0, info.deposit), ([1; 32], MINT_DEPOSIT));
		assert!(info.previous_keys.is_empty());
	});
}

#[test]
fn mint_numbers_keys_in_order() {
	ExtBuilder.build_and_execute(|| {
		for _ in 0..3 {
			assert_ok!(mint(ALICE, New::default()));
		}
		assert_ok!(mint(BOB, New::default()));
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
		assert_noop!(mint(ALICE, New::default()), Error::<Test>::TooManyStreams);
	});
}

#[test]
fn mint_fails_without_the_deposit() {
	ExtBuilder.build_and_execute(|| {
		for _ in 0..9 {
			assert_ok!(mint(ALICE, New::default()));
		}
		// One USDC is left, but the account's minimum has to stay.
		assert_noop!(
			mint(ALICE, New::default()),
			DispatchError::Token(TokenError::FundsUnavailable)
		);
		assert_noop!(
			mint(NOBODY, New::default()),
			DispatchError::Token(TokenError::FundsUnavailable)
		);
	});
}

#[test]
fn mint_fails_when_text_is_not_utf8() {
	ExtBuilder.build_and_execute(|| {
		let title = New {
			title: vec![0xff],
			..Default::default()
		};
		assert_noop!(mint(ALICE, title), Error::<Test>::NotUtf8);
		let category = New {
			category: vec![0xc3],
			..Default::default()
		};
		assert_noop!(mint(ALICE, category), Error::<Test>::NotUtf8);
		let text = New {
			title: "Fjällräven".into(),
			category: vec![],
			..Default::default()
		};
		assert_ok!(mint(ALICE, text));
	});
}

#[test]
fn mint_bounds_share_price_and_surge() {
	ExtBuilder.build_and_execute(|| {
		let with = |broadcaster_share_ppm, price_per_gb, max_surge_ppm| {
			let terms = StreamTerms {
				price_per_gb,
				max_surge_ppm,
				broadcaster_share_ppm,
			};
			mint(
				ALICE,
				New {
					terms,
					..Default::default()
				},
			)
		};
		assert_noop!(with(300_001, 0, PPM), Error::<Test>::ShareTooLarge);
		assert_noop!(with(0, MAX_PRICE_PER_GB + 1, PPM), Error::<Test>::PriceTooHigh);
		assert_noop!(with(0, 0, PPM - 1), Error::<Test>::SurgeOutOfBounds);
		assert_noop!(with(0, 0, 10_000_001), Error::<Test>::SurgeOutOfBounds);
		assert_ok!(with(300_000, MAX_PRICE_PER_GB, 10_000_000));
		assert_ok!(with(0, 0, PPM));
	});
}
