//! Tips: whole to the broadcaster, from free balance, deposit or by session key; never twice, never beyond a limit.

use crate::{mock::*, Error, Event, Sessions};
use clustercast_primitives::{
	amount::USDC, chain::TicketRefusal::AlreadyRedeemed, chain::TicketVerdict::Refused, crypto::KeyPair, AccountId,
	Balance, SignedTip, StreamId, Tip,
};
use frame_support::{assert_noop, assert_ok, traits::fungible::Inspect};
use sp_runtime::{DispatchError, DispatchResult, TokenError};

/// Alice's tip of 1 USDC for stream 0, and 0.01 USDC for whoever submits it.
fn tip(session: &KeyPair) -> Tip {
	Tip {
		sender: AccountId(ALICE.into()),
		session: session.public(),
		stream: STREAM,
		amount: USDC,
		reward: 10_000,
		nonce: 5,
		expiry: grid(System::block_number() + 100),
	}
}

fn submit(session: &KeyPair, tip: Tip) -> DispatchResult {
	submit_signed(session.sign(tip, &genesis()))
}

fn submit_signed(tip: SignedTip) -> DispatchResult {
	Broker::submit_tip(RuntimeOrigin::signed(BOB), tip)
}

#[test]
fn tip_moves_free_money_whole() {
	ExtBuilder.build_and_execute(|| {
		let (alice, carol) = (total(&ALICE), total(&CAROL));
		assert_ok!(Broker::tip(RuntimeOrigin::signed(ALICE), STREAM, USDC));
		System::assert_last_event(
			Event::Tipped {
				from: ALICE,
				to: CAROL,
				stream: STREAM,
				amount: USDC,
			}
			.into(),
		);
		assert_eq!((total(&ALICE), total(&CAROL)), (alice - USDC, carol + USDC));
	});
}

#[test]
fn tip_fails_for_dust_unknown_streams_and_money_that_is_not_there() {
	ExtBuilder.build_and_execute(|| {
		let tip = |stream, amount: Balance| Broker::tip(RuntimeOrigin::signed(ALICE), StreamId(stream), amount);
		assert_noop!(tip(0, MIN_FACE_VALUE - 1), Error::<Test>::TipTooSmall);
		assert_noop!(tip(9, USDC), Error::<Test>::UnknownStream);
		assert_noop!(tip(0, ENDOWMENT + 1), TokenError::FundsUnavailable);
		// What is deposited is not free.
		deposit(ALICE, MAX_DEPOSIT);
		assert!(tip(0, ENDOWMENT - MAX_DEPOSIT + 1).is_err());
		assert_ok!(tip(0, MIN_FACE_VALUE));
		assert_noop!(
			Broker::tip(RuntimeOrigin::none(), STREAM, USDC),
			DispatchError::BadOrigin
		);
	});
}

#[test]
fn tip_from_deposit_takes_only_the_deposit() {
	ExtBuilder.build_and_execute(|| {
		deposit(ALICE, 2 * USDC);
		let free = Balances::balance(&ALICE);
		let tip = |amount| Broker::tip_from_deposit(RuntimeOrigin::signed(ALICE), STREAM, amount);
		assert_noop!(tip(2 * USDC + 1), Error::<Test>::DepositTooSmall);
		assert_noop!(tip(MIN_FACE_VALUE - 1), Error::<Test>::TipTooSmall);
		assert_noop!(
			Broker::tip_from_deposit(RuntimeOrigin::signed(ALICE), StreamId(9), USDC),
			Error::<Test>::UnknownStream
		);
		let carol = total(&CAROL);
		assert_ok!(tip(2 * USDC));
		assert_eq!((deposited(&ALICE), Balances::balance(&ALICE)), (0, free));
		assert_eq!(total(&CAROL), carol + 2 * USDC);
	});
}

#[test]
fn submit_tip_pays_broadcaster_and_submitter() {
	ExtBuilder.build_and_execute(|| {
		let key = open_session();
		let (alice, bob, carol) = (total(&ALICE), total(&BOB), total(&CAROL));
		let issuance = Balances::total_issuance();
		assert_ok!(submit(&key, tip(&key)));
		assert_eq!(
			(total(&ALICE), total(&BOB), total(&CAROL)),
			(alice - USDC - 10_000, bob + 10_000, carol + USDC)
		);
		assert_eq!(Balances::total_issuance(), issuance);
		assert_eq!(Sessions::<Test>::get(key.public()).unwrap().spent, USDC + 10_000);
		System::assert_last_event(
			Event::Tipped {
				from: ALICE,
				to: CAROL,
				stream: STREAM,
				amount: USDC,
			}
			.into(),
		);
		assert!(Reported::get().is_empty(), "a tip is no delivery");
	});
}

#[test]
fn a_nonce_serves_one_tip_or_one_ticket() {
	ExtBuilder.build_and_execute(|| {
		let key = open_session();
		assert_ok!(submit(&key, tip(&key)));
		assert_noop!(submit(&key, tip(&key)), Error::<Test>::AlreadySpent);
		assert_eq!(redeem_one(winner(&key, 5)), Refused(AlreadyRedeemed));
		redeem(vec![winner(&key, 6)]);
		assert_noop!(submit(&key, Tip { nonce: 6, ..tip(&key) }), Error::<Test>::AlreadySpent);
	});
}

#[test]
fn every_rule_of_a_signed_tip_has_its_error() {
	ExtBuilder.build_and_execute(|| {
		System::set_block_number(1_020);
		let key = open_session();
		let short = self::key(2);
		authorize(ALICE, &short, 2 * USDC, 1_140);
		let fails = |change: &dyn Fn(&mut Tip), error: Error<Test>| {
			let mut wrong = tip(&key);
			change(&mut wrong);
			assert_noop!(submit(&key, wrong), error);
		};
		fails(&|t| t.expiry = 1_019, Error::ExpiryOffGrid);
		fails(&|t| t.expiry = 1_021, Error::ExpiryOffGrid);
		fails(&|t| t.expiry = 960, Error::Expired);
		fails(&|t| t.expiry = 1_080 + MAX_TICKET_LIFE, Error::ExpiryTooFar);
		fails(&|t| t.nonce = MAX_NONCES, Error::NonceTooLarge);
		fails(&|t| t.nonce = 1 << 32, Error::NonceTooLarge);
		fails(&|t| t.amount = MIN_FACE_VALUE - 1, Error::TipTooSmall);
		fails(&|t| t.session = self::key(9).public(), Error::UnknownSession);
		fails(&|t| t.sender = AccountId(BOB.into()), Error::NotOwner);
		fails(&|t| t.amount = MAX_DEPOSIT, Error::DepositTooSmall);
		fails(&|t| t.reward = Balance::MAX, Error::DepositTooSmall);
		fails(&|t| t.stream = StreamId(9), Error::UnknownStream);
		let by = |t: Tip| {
			submit(
				&short,
				Tip {
					session: short.public(),
					..t
				},
			)
		};
		assert_noop!(
			by(Tip {
				expiry: 1_200,
				..tip(&key)
			}),
			Error::<Test>::SessionExpired
		);
		assert_noop!(
			by(Tip {
				amount: 2 * USDC,
				..tip(&key)
			}),
			Error::<Test>::SessionLimitReached
		);
		let mut changed = key.sign(tip(&key), &genesis());
		changed.message.amount += 1;
		assert_noop!(submit_signed(changed), Error::<Test>::BadSignature);
		assert_noop!(
			submit_signed(short.sign(tip(&key), &genesis())),
			Error::<Test>::BadSignature
		);
		let signed = key.sign(Tip { reward: 1, ..tip(&key) }, &genesis());
		assert_noop!(
			Broker::submit_tip(RuntimeOrigin::signed(NOBODY), signed),
			Error::<Test>::CannotReceive
		);
		assert_noop!(
			Broker::submit_tip(RuntimeOrigin::none(), key.sign(tip(&key), &genesis())),
			DispatchError::BadOrigin
		);
		assert_ok!(by(Tip {
			expiry: 1_140,
			amount: USDC,
			..tip(&key)
		}));
	});
}
