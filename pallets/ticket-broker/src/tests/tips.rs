//! Tips: to the broadcaster, less the treasury's share; from free balance, deposit or by session key; never twice, never
//! beyond a limit, never what is reserved.

use crate::{mock::*, Error, Event, Refusal, Sessions, Treasury};
use clustercast_primitives::{
	amount::USDC,
	chain::{
		TicketRefusal::{self, *},
		TicketVerdict::{Accepted, Refused},
	},
	channel::Reservation,
	crypto::KeyPair,
	AccountId, Balance, SignedTip, StreamId, Tip,
};
use frame_support::{assert_noop, assert_ok, traits::fungible::Inspect};
use sp_runtime::{DispatchError, DispatchResult, TokenError};

/// Of a tip of 1 USDC: the broadcaster's 98 %, the treasury's 2 %.
const PARTS: (Balance, Balance) = (980_000, 20_000);

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

/// The error that says why a signed tip is refused.
fn refused(reason: TicketRefusal) -> Error<Test> {
	Error::Refused(Refusal(reason))
}

/// Reserves `cap` of Alice's deposit for the relayer.
fn reserve(session: &KeyPair, cap: Balance) {
	let reservation = Reservation {
		sender: AccountId(ALICE.into()),
		session: session.public(),
		recipient: AccountId(RELAYER.into()),
		counter: 1,
		cap,
		reward: 0,
		submit_by: System::block_number(),
	};
	let signed = session.sign(reservation, &genesis());
	assert_ok!(Broker::reserve(RuntimeOrigin::signed(BOB), signed));
}

#[test]
fn tip_moves_free_money_to_broadcaster_and_treasury() {
	ExtBuilder.build_and_execute(|| {
		let before = EVERYONE.map(|who| total(&who));
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
		let [alice, bob, carol, relayer, treasury] = before;
		assert_eq!(
			EVERYONE.map(|who| total(&who)),
			[alice - USDC, bob, carol + PARTS.0, relayer, treasury + PARTS.1]
		);
	});
}

#[test]
fn a_tips_share_for_the_treasury_is_rounded_down() {
	ExtBuilder.build_and_execute(|| {
		let gains = |amount| {
			let before = (total(&CAROL), total(&TREASURY));
			assert_ok!(Broker::tip(RuntimeOrigin::signed(ALICE), STREAM, amount));
			(total(&CAROL) - before.0, total(&TREASURY) - before.1)
		};
		assert_eq!(gains(MIN_FACE_VALUE), (980, 20));
		assert_eq!(gains(1_049), (1_029, 20));
		assert_eq!(gains(1_050), (1_029, 21));
		TreasuryShare::set(0);
		assert_eq!(gains(USDC), (USDC, 0));
	});
}

#[test]
fn tip_fails_for_dust_unknown_streams_and_money_that_is_not_there() {
	ExtBuilder.build_and_execute(|| {
		let tip = |stream, amount: Balance| Broker::tip(RuntimeOrigin::signed(ALICE), StreamId(stream), amount);
		assert_noop!(tip(0, MIN_FACE_VALUE - 1), Error::<Test>::TipTooSmall);
		assert_noop!(tip(9, USDC), Error::<Test>::UnknownStream);
		assert_noop!(tip(0, ENDOWMENT * 2), TokenError::FundsUnavailable);
		// What is deposited is not free.
		deposit(ALICE, MAX_DEPOSIT);
		assert!(frame_support::storage::with_storage_layer(|| tip(0, ENDOWMENT - MAX_DEPOSIT + 1)).is_err());
		assert_ok!(tip(0, MIN_FACE_VALUE));
		assert_noop!(
			Broker::tip(RuntimeOrigin::none(), STREAM, USDC),
			DispatchError::BadOrigin
		);
	});
}

#[test]
fn a_tip_of_which_only_the_share_is_not_there_moves_nothing() {
	ExtBuilder.build_and_execute(|| {
		// Enough for the broadcaster's part.
		endow(&NOBODY, EXISTENTIAL_DEPOSIT + PARTS.0);
		let before = EVERYONE.map(|who| total(&who));
		let call = crate::Call::<Test>::tip {
			stream: STREAM,
			amount: USDC,
		};
		let outcome = frame_support::traits::UnfilteredDispatchable::dispatch_bypass_filter(
			RuntimeCall::Broker(call),
			RuntimeOrigin::signed(NOBODY),
		);
		assert!(outcome.is_err());
		assert_eq!(EVERYONE.map(|who| total(&who)), before);
		assert_eq!(total(&NOBODY), EXISTENTIAL_DEPOSIT + PARTS.0);
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
		let (carol, treasury) = (total(&CAROL), total(&TREASURY));
		assert_ok!(tip(2 * USDC));
		assert_eq!((deposited(&ALICE), Balances::balance(&ALICE)), (0, free));
		assert_eq!(total(&CAROL), carol + 2 * PARTS.0);
		assert_eq!(total(&TREASURY), treasury + 2 * PARTS.1);
	});
}

#[test]
fn no_tip_takes_what_is_reserved() {
	ExtBuilder.build_and_execute(|| {
		let key = open_session();
		reserve(&key, MAX_DEPOSIT - USDC);
		let from_deposit = |amount| Broker::tip_from_deposit(RuntimeOrigin::signed(ALICE), STREAM, amount);
		assert_noop!(from_deposit(USDC + 1), Error::<Test>::DepositTooSmall);
		assert_noop!(submit(&key, tip(&key)), refused(DepositTooSmall));
		let without_reward = Tip { reward: 0, ..tip(&key) };
		assert_ok!(submit(&key, without_reward));
		assert_noop!(from_deposit(MIN_FACE_VALUE), Error::<Test>::DepositTooSmall);
		assert_eq!(Broker::reserved_of(&ALICE), MAX_DEPOSIT - USDC);
	});
}

#[test]
fn an_unlock_of_nothing_goes_with_a_deposit_that_was_given_away() {
	ExtBuilder.build_and_execute(|| {
		let unlock = || Broker::request_unlock(RuntimeOrigin::signed(ALICE), USDC);
		deposit(ALICE, USDC + 10_000);
		assert_ok!(unlock());
		assert_ok!(Broker::tip_from_deposit(RuntimeOrigin::signed(ALICE), STREAM, USDC));
		assert_eq!(Broker::unlocking(&ALICE).unwrap().amount, 10_000);
		assert_ok!(Broker::tip_from_deposit(RuntimeOrigin::signed(ALICE), STREAM, 10_000));
		assert_eq!(Broker::unlocking(&ALICE), None);

		let key = key(1);
		deposit(ALICE, USDC + 10_000);
		authorize(ALICE, &key, 2 * USDC, 10_000);
		assert_ok!(unlock());
		assert_ok!(submit(&key, tip(&key)));
		assert_eq!(Broker::unlocking(&ALICE), None);
	});
}

#[test]
fn submit_tip_pays_broadcaster_treasury_and_submitter() {
	ExtBuilder.build_and_execute(|| {
		let key = open_session();
		let [alice, bob, carol, relayer, treasury] = EVERYONE.map(|who| total(&who));
		let issuance = Balances::total_issuance();
		assert_ok!(submit(&key, tip(&key)));
		assert_eq!(
			EVERYONE.map(|who| total(&who)),
			[
				alice - USDC - 10_000,
				bob + 10_000,
				carol + PARTS.0,
				relayer,
				treasury + PARTS.1
			]
		);
		assert_eq!(Balances::total_issuance(), issuance);
		assert_eq!(deposited(&ALICE), MAX_DEPOSIT - USDC - 10_000);
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
fn tips_and_tickets_have_nonces_of_their_own() {
	ExtBuilder.build_and_execute(|| {
		let key = open_session();
		assert_ok!(submit(&key, tip(&key)));
		assert_noop!(submit(&key, tip(&key)), refused(AlreadyRedeemed));
		assert!(matches!(redeem_one(winner(&key, 5)), Accepted(_)));
		assert!(matches!(redeem_one(winner(&key, 6)), Accepted(_)));
		assert_eq!(redeem_one(winner(&key, 5)), Refused(AlreadyRedeemed));
		assert_ok!(submit(&key, Tip { nonce: 6, ..tip(&key) }));
	});
}

#[test]
fn a_tips_nonce_lies_no_further_than_128_below_the_highest() {
	ExtBuilder.build_and_execute(|| {
		let key = open_session();
		let with = |nonce| {
			submit(
				&key,
				Tip {
					nonce,
					amount: MIN_FACE_VALUE,
					..tip(&key)
				},
			)
		};
		assert_ok!(with(1_000));
		assert_noop!(with(872), refused(NonceTooOld));
		assert_ok!(with(873));
		assert_noop!(with(873), refused(AlreadyRedeemed));
		// Another session counts alone.
		let second = self::key(2);
		authorize(ALICE, &second, USDC * 2, 10_000);
		assert_ok!(submit(
			&second,
			Tip {
				nonce: 0,
				session: second.public(),
				..tip(&key)
			}
		));
		assert_noop!(with(u64::MAX), refused(AlreadyRedeemed));
	});
}

#[test]
fn a_tip_without_a_treasury_is_none() {
	ExtBuilder.build().execute_with(|| {
		let key = open_session();
		Treasury::<Test>::kill();
		let alice = || RuntimeOrigin::signed(ALICE);
		assert_noop!(Broker::tip(alice(), STREAM, USDC), refused(CannotReceive));
		assert_noop!(Broker::tip_from_deposit(alice(), STREAM, USDC), refused(CannotReceive));
		assert_noop!(submit(&key, tip(&key)), refused(CannotReceive));
	});
}

#[test]
fn every_rule_of_a_signed_tip_has_its_error() {
	ExtBuilder.build_and_execute(|| {
		System::set_block_number(1_020);
		let key = open_session();
		let short = self::key(2);
		authorize(ALICE, &short, 2 * USDC, 1_140);
		let fails = |change: &dyn Fn(&mut Tip), reason: TicketRefusal| {
			let mut wrong = tip(&key);
			change(&mut wrong);
			assert_noop!(submit(&key, wrong), refused(reason));
		};
		fails(&|t| t.expiry = 1_019, ExpiryOffGrid);
		fails(&|t| t.expiry = 1_021, ExpiryOffGrid);
		fails(&|t| t.expiry = 960, Expired);
		fails(&|t| t.expiry = 1_080 + MAX_TICKET_LIFE, ExpiryTooFar);
		fails(&|t| t.nonce = u64::MAX, AlreadyRedeemed);
		fails(&|t| t.amount = MIN_FACE_VALUE - 1, FaceValueTooSmall);
		fails(&|t| t.session = self::key(9).public(), UnknownSession);
		fails(&|t| t.sender = AccountId(BOB.into()), WrongSender);
		fails(&|t| t.amount = MAX_DEPOSIT, DepositTooSmall);
		fails(&|t| t.reward = Balance::MAX, DepositTooSmall);
		fails(&|t| t.reward = Balance::MAX - t.amount, SessionLimitReached);
		fails(&|t| t.stream = StreamId(9), UnknownStream);
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
			refused(SessionExpired)
		);
		assert_noop!(
			by(Tip {
				amount: 2 * USDC,
				..tip(&key)
			}),
			refused(SessionLimitReached)
		);
		let mut changed = key.sign(tip(&key), &genesis());
		changed.message.amount += 1;
		assert_noop!(submit_signed(changed), refused(BadSignature));
		assert_noop!(submit_signed(short.sign(tip(&key), &genesis())), refused(BadSignature));
		assert_noop!(
			submit_signed(key.sign(tip(&key), &clustercast_primitives::Hash([1; 32]))),
			refused(BadSignature)
		);
		let mut raised = key.sign(tip(&key), &genesis());
		raise(&mut raised.signature);
		assert_noop!(submit_signed(raised), refused(NonCanonicalSignature));
		let signed = key.sign(Tip { reward: 1, ..tip(&key) }, &genesis());
		assert_noop!(
			Broker::submit_tip(RuntimeOrigin::signed(NOBODY), signed),
			refused(CannotReceive)
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
