//! `redeem_batch`: every rule of a ticket both ways, whole payment or none, and sums to the last unit.

use crate::{mock::*, weights::WeightInfo, Channels, Error, Event, Sessions};
use clustercast_primitives::{
	amount::{TICKET_BYTES, USDC},
	chain::{
		Payout,
		TicketRefusal::{self, *},
		TicketVerdict::{self, Accepted, Refused},
	},
	receipt::Kind,
	ticket as outcome, Hash, Ticket, WinningTicket,
};
use frame_support::{assert_noop, assert_ok, dispatch::GetDispatchInfo, BoundedVec};
use sp_runtime::{AccountId32, DispatchError};

/// What half a USDC for stream 0 is split into.
const HALF: Payout = Payout {
	relayer: 440_000,
	broadcaster: 50_000,
	treasury: 10_000,
};

/// Whether a ticket is paid.
fn is_paid(verdict: TicketVerdict) -> bool {
	matches!(verdict, Accepted(_))
}

#[test]
fn a_winning_ticket_is_paid_whole_and_split() {
	ExtBuilder.build_and_execute(|| {
		let key = open_session();
		let issuance = Balances::total_issuance();
		let before = EVERYONE.map(|who| total(&who));
		let winning = winner(&key, 7);
		assert_eq!(redeem_one(winning.clone()), Accepted(HALF));
		System::assert_has_event(
			Event::TicketRedeemed {
				id: winning.id(),
				session: key.public(),
				nonce: 7,
				expiry: 120,
				sender: ALICE,
				recipient: RELAYER,
				stream: STREAM,
				payout: HALF,
			}
			.into(),
		);
		let [alice, bob, carol, relayer, treasury] = before;
		let expected = [
			alice - USDC / 2,
			bob,
			carol + HALF.broadcaster,
			relayer + HALF.relayer,
			treasury + HALF.treasury,
		];
		assert_eq!(EVERYONE.map(|who| total(&who)), expected);
		assert_eq!(Balances::total_issuance(), issuance);
		assert_eq!(deposited(&ALICE), MAX_DEPOSIT - USDC / 2);
		assert_eq!(Sessions::<Test>::get(key.public()).unwrap().spent, USDC / 2);
		let channel = Channels::<Test>::get(key.public(), RELAYER).unwrap();
		assert_eq!((channel.paid, channel.open, channel.counter), (USDC / 2, 0, 0));
		assert_eq!(channel.nonces.check(7), Err(AlreadyRedeemed));
		assert_eq!(channel.nonces.check(6), Ok(()));
	});
}

#[test]
fn shares_are_rounded_down_and_the_relayer_has_the_rest() {
	ExtBuilder.build_and_execute(|| {
		let key = open_session();
		let odd = Ticket {
			face_value: 1_049,
			..ticket(&key, 0)
		};
		let payout = Payout {
			relayer: 925,
			broadcaster: 104,
			treasury: 20,
		};
		assert_eq!(redeem_one(signed(&key, odd)), Accepted(payout));
	});
}

#[test]
fn a_refused_ticket_does_not_stop_the_others() {
	ExtBuilder.build_and_execute(|| {
		let key = open_session();
		let losing = Ticket {
			win_probability: 0,
			..ticket(&key, 1)
		};
		let batch = vec![winner(&key, 0), signed(&key, losing), winner(&key, 2), winner(&key, 0)];
		let verdicts = redeem(batch);
		assert_eq!(
			verdicts,
			[
				Accepted(HALF),
				Refused(NotAWinner),
				Accepted(HALF),
				Refused(AlreadyRedeemed)
			]
		);
		assert_eq!(deposited(&ALICE), MAX_DEPOSIT - USDC);
	});
}

#[test]
fn a_refused_ticket_changes_nothing() {
	ExtBuilder.build_and_execute(|| {
		let key = open_session();
		let before = (EVERYONE.map(|who| total(&who)), Sessions::<Test>::get(key.public()));
		let forged = WinningTicket {
			signed: self::key(2).sign(ticket(&key, 0), &genesis()),
			rand: RAND,
		};
		assert_eq!(redeem(vec![forged.clone(), forged]), [Refused(BadSignature); 2]);
		let after = (EVERYONE.map(|who| total(&who)), Sessions::<Test>::get(key.public()));
		assert_eq!(before, after);
		assert!(!Channels::<Test>::contains_key(key.public(), RELAYER));
	});
}

#[test]
fn tickets_of_many_viewers_and_streams_share_a_batch() {
	ExtBuilder.build_and_execute(|| {
		let (alice, bob) = (open_session(), key(2));
		deposit(BOB, 10 * USDC);
		authorize(BOB, &bob, 10 * USDC, 10_000);
		mint(BOB, 300_000);
		mint(CAROL, 0);
		let issuance = Balances::total_issuance();
		let verdicts = redeem(vec![
			winner(&alice, 0),
			signed(&bob, about(1, from(BOB, ticket(&bob, 0)))),
			signed(&alice, about(2, ticket(&alice, 1))),
			signed(&bob, from(BOB, ticket(&bob, 1))),
		]);
		let split = |relayer, broadcaster| {
			Accepted(Payout {
				relayer,
				broadcaster,
				treasury: 10_000,
			})
		};
		assert_eq!(
			verdicts,
			[
				Accepted(HALF),
				split(340_000, 150_000),
				split(490_000, 0),
				Accepted(HALF)
			]
		);
		assert_eq!(total(&ALICE), ENDOWMENT - USDC);
		assert_eq!(total(&BOB), ENDOWMENT - USDC + 150_000);
		assert_eq!(total(&CAROL), ENDOWMENT + 100_000);
		assert_eq!(total(&RELAYER), USDC + 2 * 440_000 + 340_000 + 490_000);
		assert_eq!(total(&TREASURY), USDC + 40_000);
		assert_eq!(Balances::total_issuance(), issuance);
	});
}

/// What a call says of each ticket.
fn verdicts_of(who: AccountId32, tickets: Vec<WinningTicket>) -> Vec<TicketVerdict> {
	let events = System::events().len();
	assert_ok!(Broker::redeem_batch(
		RuntimeOrigin::signed(who),
		tickets.try_into().unwrap()
	));
	let events = System::events().into_iter().skip(events);
	events
		.filter_map(|record| match record.event {
			RuntimeEvent::Broker(Event::TicketRedeemed { payout, .. }) => Some(Accepted(payout)),
			RuntimeEvent::Broker(Event::TicketRefused { reason, .. }) => Some(Refused(reason)),
			_ => None,
		})
		.collect()
}

#[test]
fn a_batch_pays_one_recipient() {
	ExtBuilder.build_and_execute(|| {
		let key = open_session();
		let others = signed(&key, to(BOB, ticket(&key, 1)));
		let batch = vec![winner(&key, 0), others.clone(), winner(&key, 2)];
		assert_eq!(
			verdicts_of(RELAYER, batch),
			[Accepted(HALF), Refused(NotRecipient), Accepted(HALF)]
		);
		assert_eq!(total(&BOB), ENDOWMENT);
		// An operator of both is no exception: who comes first is the recipient.
		Acting::set(vec![(RELAYER, CAROL, RELAYER), (BOB, CAROL, BOB)]);
		let batch = vec![others, winner(&key, 3)];
		assert_eq!(verdicts_of(CAROL, batch), [Accepted(HALF), Refused(NotRecipient)]);
		assert_eq!(total(&BOB), ENDOWMENT + HALF.relayer);
		assert_eq!(total(&RELAYER), USDC + 2 * HALF.relayer);
	});
}

#[test]
fn only_the_recipient_and_its_operator_redeem() {
	ExtBuilder.build_and_execute(|| {
		let key = open_session();
		let redeem = |who, nonce| {
			let tickets = vec![winner(&key, nonce)].try_into().unwrap();
			Broker::redeem_batch(RuntimeOrigin::signed(who), tickets)
		};
		// Not the viewer either, nor the broadcaster, nor the operator of another relayer.
		Acting::set(vec![(CAROL, BOB, CAROL)]);
		for who in [ALICE, BOB, CAROL, TREASURY, NOBODY] {
			assert_noop!(redeem(who, 0), Error::<Test>::NotRecipient);
		}
		Acting::set(vec![(RELAYER, BOB, RELAYER)]);
		assert_ok!(redeem(BOB, 0));
		assert_ok!(redeem(RELAYER, 1));
		assert_noop!(redeem(CAROL, 2), Error::<Test>::NotRecipient);
		assert_eq!(total(&RELAYER), USDC + 2 * HALF.relayer);
		assert_eq!(total(&BOB), ENDOWMENT);
	});
}

#[test]
fn a_relayers_part_goes_where_it_said() {
	ExtBuilder.build_and_execute(|| {
		let key = open_session();
		Acting::set(vec![(RELAYER, BOB, CAROL)]);
		assert_eq!(verdicts_of(BOB, vec![winner(&key, 0)]), [Accepted(HALF)]);
		assert_eq!((total(&RELAYER), total(&BOB)), (USDC, ENDOWMENT));
		assert_eq!(total(&CAROL), ENDOWMENT + HALF.relayer + HALF.broadcaster);
		// Its reputation stays with it.
		assert_eq!(Reported::get(), [(RELAYER, ALICE, 393_216, USDC / 2)]);
	});
}

#[test]
fn a_payout_account_that_is_none_refuses_the_ticket() {
	ExtBuilder.build_and_execute(|| {
		let key = open_session();
		Acting::set(vec![(RELAYER, RELAYER, NOBODY)]);
		let small = Ticket {
			face_value: 1_134,
			..ticket(&key, 0)
		};
		assert_eq!(redeem_one(signed(&key, small)), Refused(CannotReceive));
		assert_eq!(redeem_one(winner(&key, 0)), Accepted(HALF));
		assert_eq!(total(&NOBODY), HALF.relayer);
	});
}

#[test]
fn an_empty_batch_fails() {
	ExtBuilder.build_and_execute(|| {
		let nothing = || Broker::redeem_batch(RuntimeOrigin::signed(RELAYER), BoundedVec::default());
		assert_noop!(nothing(), Error::<Test>::NothingToRedeem);
	});
}

#[test]
fn one_account_may_be_viewer_relayer_broadcaster_and_treasury() {
	ExtBuilder.build_and_execute(|| {
		let key = key(1);
		endow(&TREASURY, 20 * USDC);
		mint(TREASURY, 299_999);
		deposit(TREASURY, 10 * USDC);
		authorize(TREASURY, &key, 10 * USDC, 10_000);
		let before = total(&TREASURY);
		let own = about(1, to(TREASURY, from(TREASURY, ticket(&key, 0))));
		assert!(is_paid(redeem_one(signed(&key, own))));
		assert_eq!(total(&TREASURY), before);
		assert_eq!(deposited(&TREASURY), 10 * USDC - USDC / 2);
	});
}

#[test]
fn a_ticket_is_paid_once() {
	ExtBuilder.build_and_execute(|| {
		let key = open_session();
		let winning = winner(&key, 0);
		assert!(is_paid(redeem_one(winning.clone())));
		assert_eq!(redeem_one(winning.clone()), Refused(AlreadyRedeemed));
		System::set_block_number(120);
		assert_eq!(redeem_one(winning.clone()), Refused(AlreadyRedeemed));
		// Another ticket on a spent nonce is as good as the same one; the next nonce is free.
		let other = Ticket {
			face_value: USDC / 4,
			..ticket(&key, 0)
		};
		assert_eq!(redeem_one(signed(&key, other)), Refused(AlreadyRedeemed));
		assert!(is_paid(redeem_one(winner(&key, 1))));
	});
}

#[test]
fn nonces_count_for_each_session_and_recipient_alone() {
	ExtBuilder.build_and_execute(|| {
		let (first, second) = (open_session(), key(2));
		authorize(ALICE, &second, USDC, 10_000);
		assert!(is_paid(redeem_one(winner(&first, 7))));
		// Whatever their expiry and stream.
		mint(CAROL, 0);
		let later = Ticket {
			expiry: latest(),
			..about(1, ticket(&first, 7))
		};
		assert_eq!(redeem_one(signed(&first, later)), Refused(AlreadyRedeemed));
		assert!(is_paid(redeem_one(winner(&second, 7))));
		assert!(is_paid(redeem_one(signed(&first, to(BOB, ticket(&first, 7))))));
		// What others redeem moves no window but their own.
		assert!(is_paid(redeem_one(signed(&first, to(BOB, ticket(&first, 1 << 50))))));
		assert!(is_paid(redeem_one(winner(&first, 6))));
	});
}

#[test]
fn a_nonce_lies_no_further_than_128_below_the_highest() {
	ExtBuilder.build_and_execute(|| {
		let key = open_session();
		let redeem = |nonce| redeem_one(winner(&key, nonce));
		// The last number of all would leave none above itself.
		assert_eq!(redeem(u64::MAX), Refused(AlreadyRedeemed));
		assert!(is_paid(redeem(1_000)));
		assert_eq!(redeem(872), Refused(NonceTooOld));
		assert_eq!(redeem(0), Refused(NonceTooOld));
		assert!(is_paid(redeem(873)));
		assert_eq!(redeem(873), Refused(AlreadyRedeemed));
		// Within a batch the highest counts as well.
		let batch = [1_001, 873, 874, 1_000, 1_129, 1_002].map(|nonce| winner(&key, nonce));
		let verdicts = self::redeem(batch.to_vec());
		assert_eq!(verdicts[1], Refused(NonceTooOld));
		assert_eq!(verdicts[3], Refused(AlreadyRedeemed));
		assert!(
			[0, 2, 4, 5].map(|n| is_paid(verdicts[n])).iter().all(|paid| *paid),
			"{verdicts:?}"
		);
		assert!(is_paid(redeem(1 << 32)));
		assert_eq!(redeem(u64::MAX), Refused(AlreadyRedeemed));
		assert!(is_paid(redeem(u64::MAX - 1)));
		assert_eq!(redeem(u64::MAX - 1), Refused(AlreadyRedeemed));
		assert_eq!(redeem(1 << 32), Refused(NonceTooOld));
	});
}

#[test]
fn a_refused_ticket_spends_no_nonce() {
	ExtBuilder.build_and_execute(|| {
		let key = open_session();
		let dear = Ticket {
			face_value: MAX_DEPOSIT + 1,
			bytes: TICKET_BYTES << 20,
			..ticket(&key, 1_000)
		};
		assert_eq!(redeem_one(signed(&key, dear)), Refused(DepositTooSmall));
		assert!(is_paid(redeem_one(winner(&key, 0))));
		assert!(is_paid(redeem_one(winner(&key, 1_000))));
	});
}

#[test]
fn a_ticket_lives_up_to_its_expiry_block() {
	ExtBuilder.build_and_execute(|| {
		let key = open_session();
		System::set_block_number(1_020);
		let at = |nonce, expiry| {
			let plain = ticket(&key, nonce);
			redeem_one(signed(&key, Ticket { expiry, ..plain }))
		};
		assert_eq!(at(0, 960), Refused(Expired));
		assert_eq!(at(0, 0), Refused(Expired));
		assert!(is_paid(at(0, 1_020)));
		assert_eq!(at(1, 1_080 + MAX_TICKET_LIFE), Refused(ExpiryTooFar));
		assert_eq!(at(1, u32::MAX / 60 * 60), Refused(ExpiryTooFar));
		assert!(is_paid(at(1, 1_020 + MAX_TICKET_LIFE)));
	});
}

#[test]
fn an_expiry_is_on_the_grid() {
	ExtBuilder.build_and_execute(|| {
		let key = open_session();
		System::set_block_number(1_000);
		let at = |expiry| {
			let plain = ticket(&key, 0);
			redeem_one(signed(&key, Ticket { expiry, ..plain }))
		};
		// Whether it is past or too far as well does not matter: it can never be paid.
		for expiry in [1, 999, 1_019, 1_021, 1_079, 1_001 + MAX_TICKET_LIFE, u32::MAX] {
			assert_eq!(at(expiry), Refused(ExpiryOffGrid), "{expiry}");
		}
		assert!(is_paid(at(1_080)));
	});
}

#[test]
fn a_face_value_has_a_minimum() {
	ExtBuilder.build_and_execute(|| {
		let key = open_session();
		let worth = |nonce, face_value| {
			let plain = ticket(&key, nonce);
			redeem_one(signed(&key, Ticket { face_value, ..plain }))
		};
		assert_eq!(worth(0, 0), Refused(FaceValueTooSmall));
		assert_eq!(worth(0, MIN_FACE_VALUE - 1), Refused(FaceValueTooSmall));
		assert!(is_paid(worth(0, MIN_FACE_VALUE)));
	});
}

#[test]
fn a_secret_opens_the_commitment_and_wins() {
	ExtBuilder.build_and_execute(|| {
		let key = open_session();
		let mut wrong = winner(&key, 0);
		wrong.rand = Hash([7; 32]);
		assert_eq!(redeem_one(wrong), Refused(WrongSecret));

		// The probability decides, strictly: the same signature and secret win just above their draw. A ticket's
		// probability is signed, so the draw differs from ticket to ticket; search for one on either side of a half.
		let half = |nonce| {
			let plain = ticket(&key, nonce);
			signed(
				&key,
				Ticket {
					win_probability: 1 << 63,
					..plain
				},
			)
		};
		let wins = |t: &WinningTicket| outcome::wins(1 << 63, &t.signed.signature, &t.rand);
		let (winners, losers): (Vec<_>, Vec<_>) = (0..64).map(half).partition(wins);
		assert!(is_paid(redeem_one(winners[0].clone())));
		assert_eq!(redeem_one(losers[0].clone()), Refused(NotAWinner));
	});
}

#[test]
fn a_signature_is_canonical_and_by_the_session_key_for_this_chain() {
	ExtBuilder.build_and_execute(|| {
		let key = open_session();
		let good = winner(&key, 0);
		assert_eq!(redeem_one(non_canonical(good.clone())), Refused(NonCanonicalSignature));

		let elsewhere = WinningTicket {
			signed: key.sign(ticket(&key, 0), &Hash([1; 32])),
			rand: RAND,
		};
		assert_eq!(redeem_one(elsewhere), Refused(BadSignature));
		let by_another = WinningTicket {
			signed: self::key(2).sign(ticket(&key, 0), &genesis()),
			rand: RAND,
		};
		assert_eq!(redeem_one(by_another), Refused(BadSignature));
		// Every field is signed.
		let alterations: [fn(&mut Ticket); 6] = [
			|t| t.kind = Kind::REPLAY,
			|t| t.context.0[0] ^= 1,
			|t| t.bytes += TICKET_BYTES,
			|t| t.face_value += 1,
			|t| t.nonce += 1,
			|t| t.expiry += 60,
		];
		for alter in alterations {
			let mut altered = good.clone();
			alter(&mut altered.signed.message);
			assert_eq!(redeem_one(altered), Refused(BadSignature));
		}
		let mut altered = good.clone();
		altered.signed.message.recipient.0 = BOB.into();
		assert_eq!(redeem_one(altered), Refused(BadSignature));
		assert!(is_paid(redeem_one(good)));
	});
}

#[test]
fn a_session_is_registered_by_the_sender_and_outlives_the_ticket() {
	ExtBuilder.build_and_execute(|| {
		let key = key(1);
		deposit(ALICE, USDC);
		deposit(BOB, USDC);
		assert_eq!(redeem_one(winner(&key, 0)), Refused(UnknownSession));
		authorize(ALICE, &key, USDC, 120);
		let bobs = from(BOB, ticket(&key, 0));
		assert_eq!(redeem_one(signed(&key, bobs)), Refused(WrongSender));
		let until = |expiry| {
			let plain = ticket(&key, 0);
			signed(&key, Ticket { expiry, ..plain })
		};
		assert_eq!(redeem_one(until(180)), Refused(SessionExpired));
		assert!(is_paid(redeem_one(until(120))));
	});
}

#[test]
fn a_session_spends_up_to_its_limit() {
	ExtBuilder.build_and_execute(|| {
		let key = key(1);
		deposit(ALICE, MAX_DEPOSIT);
		authorize(ALICE, &key, USDC + 5, 10_000);
		let worth = |nonce, face_value| {
			let plain = ticket(&key, nonce);
			signed(&key, Ticket { face_value, ..plain })
		};
		// Across a batch and within one.
		let verdicts = redeem(vec![
			worth(0, USDC / 2),
			worth(1, USDC / 2 + 6),
			worth(2, USDC / 2 + 5),
			worth(3, 1_000),
		]);
		assert_eq!(verdicts[1], Refused(SessionLimitReached));
		assert_eq!(verdicts[3], Refused(SessionLimitReached));
		assert!(is_paid(verdicts[0]) && is_paid(verdicts[2]));
		assert_eq!(redeem_one(worth(3, 1_000)), Refused(SessionLimitReached));
		assert_eq!(redeem_one(worth(4, u128::MAX)), Refused(SessionLimitReached));
	});
}

#[test]
fn a_deposit_pays_whole_or_not_and_a_refused_ticket_can_be_tried_again() {
	ExtBuilder.build_and_execute(|| {
		let key = key(1);
		deposit(ALICE, USDC - 1);
		authorize(ALICE, &key, u128::MAX, 10_000);
		let huge = Ticket {
			face_value: u128::MAX - USDC,
			..ticket(&key, 2)
		};
		let verdicts = redeem(vec![winner(&key, 0), winner(&key, 1), signed(&key, huge)]);
		assert_eq!(
			verdicts,
			[Accepted(HALF), Refused(DepositTooSmall), Refused(DepositTooSmall)]
		);
		assert_eq!(deposited(&ALICE), USDC / 2 - 1);
		deposit(ALICE, 1);
		assert_eq!(redeem_one(winner(&key, 1)), Accepted(HALF));
		assert_eq!(deposited(&ALICE), 0);
	});
}

#[test]
fn a_deposit_pays_only_for_its_own_viewer() {
	ExtBuilder.build_and_execute(|| {
		let (alice, bob) = (key(1), key(2));
		deposit(ALICE, MAX_DEPOSIT);
		authorize(ALICE, &alice, USDC, 10_000);
		authorize(BOB, &bob, USDC, 10_000);
		let bobs = from(BOB, ticket(&bob, 0));
		let verdicts = redeem(vec![signed(&bob, bobs), winner(&alice, 0)]);
		assert_eq!(verdicts, [Refused(DepositTooSmall), Accepted(HALF)]);
	});
}

#[test]
fn a_ticket_for_a_stream_that_is_none_is_refused() {
	ExtBuilder.build_and_execute(|| {
		let key = open_session();
		let winning = signed(&key, about(1, ticket(&key, 0)));
		assert_eq!(redeem_one(winning.clone()), Refused(UnknownStream));
		mint(CAROL, 0);
		assert!(is_paid(redeem_one(winning)));
	});
}

#[test]
fn an_account_that_cannot_receive_refuses_the_whole_ticket() {
	ExtBuilder.build_and_execute(|| {
		let key = open_session();
		let worth = |nonce, face_value| {
			let plain = to(NOBODY, ticket(&key, nonce));
			signed(&key, Ticket { face_value, ..plain })
		};
		// The relayer's part of 1,134 is one unit less than the minimum of an account.
		assert_eq!(redeem_one(worth(0, 1_134)), Refused(CannotReceive));
		assert_eq!(deposited(&ALICE), MAX_DEPOSIT);
		// In a batch, what came before counts.
		let verdicts = redeem(vec![worth(0, 1_134), worth(1, 1_135), worth(2, 1_134)]);
		assert_eq!(verdicts[0], Refused(CannotReceive));
		assert!(is_paid(verdicts[1]) && is_paid(verdicts[2]));
		assert_eq!(total(&NOBODY), EXISTENTIAL_DEPOSIT + EXISTENTIAL_DEPOSIT - 1);
		assert!(is_paid(redeem_one(worth(0, 1_134))));
	});
}

#[test]
fn a_batch_is_bounded_and_needs_somebody_who_pays_the_fee() {
	ExtBuilder.build_and_execute(|| {
		let key = open_session();
		let full: Vec<_> = (0..MAX_BATCH.into()).map(|nonce| winner(&key, nonce)).collect();
		let mut long = full.clone();
		long.push(winner(&key, MAX_BATCH.into()));
		assert!(BoundedVec::<_, <Test as crate::Config>::MaxBatch>::try_from(long).is_err());
		let tickets: BoundedVec<_, _> = full.clone().try_into().unwrap();
		assert_noop!(
			Broker::redeem_batch(RuntimeOrigin::none(), tickets.clone()),
			DispatchError::BadOrigin
		);
		assert_noop!(
			Broker::redeem_batch(RuntimeOrigin::root(), tickets),
			DispatchError::BadOrigin
		);
		assert_eq!(
			redeem(full).into_iter().filter(|v| is_paid(*v)).count(),
			MAX_BATCH as usize
		);
	});
}

#[test]
fn a_batch_weighs_what_its_tickets_and_streams_do_and_refused_ones_less() {
	ExtBuilder.build_and_execute(|| {
		let key = open_session();
		mint(CAROL, 0);
		let other = signed(&key, about(1, ticket(&key, 1)));
		let batch: BoundedVec<_, _> = vec![winner(&key, 0), winner(&key, 0), other].try_into().unwrap();
		let call = crate::Call::<Test>::redeem_batch { tickets: batch.clone() };
		let declared = <() as WeightInfo>::redeem_batch(3, 2);
		assert_eq!(call.get_dispatch_info().call_weight, declared);
		let post = Broker::redeem_batch(RuntimeOrigin::signed(RELAYER), batch.clone()).unwrap();
		let expected = <() as WeightInfo>::redeem_batch(2, 2) + <() as WeightInfo>::refuse_batch(1);
		assert_eq!(post.actual_weight, Some(expected));
		assert!(expected.ref_time() < declared.ref_time());
		// All of them refused.
		let post = Broker::redeem_batch(RuntimeOrigin::signed(RELAYER), batch).unwrap();
		let expected = <() as WeightInfo>::redeem_batch(0, 0) + <() as WeightInfo>::refuse_batch(3);
		assert_eq!(post.actual_weight, Some(expected));
	});
}

#[test]
fn a_final_reason_stays_and_another_may_go() {
	// The words that relayers act on: retry until the chain says paid or expired.
	let temporary = [
		ExpiryTooFar,
		UnknownSession,
		SessionLimitReached,
		DepositTooSmall,
		CannotReceive,
		UnknownStream,
		PriceAboveBound,
		WrongTerms,
	];
	assert!(temporary.iter().all(|reason| !TicketRefusal::is_final(*reason)));
	assert!([AlreadyRedeemed, NonceTooOld, NotRecipient, Expired, BadSignature]
		.iter()
		.all(|r| r.is_final()));
}
