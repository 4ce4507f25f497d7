//! `redeem_vouchers`: every rule of a voucher both ways, the newest pays the difference, as far as there
//! is money, and one lump sum a recipient.

use crate::{mock::*, weights::WeightInfo, Channels, Error, Event, Sessions, VoucherTotals, VouchersPaid};
use clustercast_primitives::{
	amount::{ticket_bytes, TICKET_BYTES, USDC},
	chain::{
		Payout, StreamTerms,
		TicketRefusal::{self, *},
		TicketVerdict::{self, Accepted, Refused},
		VoucherPlace,
	},
	channel::Reservation,
	crypto::KeyPair,
	receipt::Kind,
	AccountId, Balance, Hash, SignedVoucher, StreamId, Voucher,
};
use frame_support::{assert_noop, assert_ok, dispatch::GetDispatchInfo, BoundedVec};
use sp_runtime::{AccountId32, DispatchError, StateVersion};

fn signed(session: &KeyPair, voucher: Voucher) -> SignedVoucher {
	session.sign(voucher, &genesis())
}

/// Redeems vouchers as their recipient and returns what the events say of each; `check_vouchers` must have said the same.
fn redeem_vouchers(vouchers: Vec<SignedVoucher>) -> Vec<TicketVerdict> {
	let root = || sp_io::storage::root(StateVersion::V1);
	let before = root();
	let foretold = Broker::check_vouchers(&vouchers);
	assert_eq!(before, root(), "check_vouchers changes nothing");
	let who = AccountId32::from(vouchers[0].message.recipient.0);
	let verdicts = verdicts_of(who, vouchers);
	assert_eq!(verdicts, foretold, "redeem_vouchers does what check_vouchers says");
	verdicts
}

/// What a call says of each voucher.
fn verdicts_of(who: AccountId32, vouchers: Vec<SignedVoucher>) -> Vec<TicketVerdict> {
	let events = System::events().len();
	assert_ok!(Broker::redeem_vouchers(
		RuntimeOrigin::signed(who),
		vouchers.try_into().unwrap()
	));
	let events = System::events().into_iter().skip(events);
	events
		.filter_map(|record| match record.event {
			RuntimeEvent::Broker(Event::VoucherRedeemed { payout, .. }) => Some(Accepted(payout)),
			RuntimeEvent::Broker(Event::VoucherRefused { reason, .. }) => Some(Refused(reason)),
			_ => None,
		})
		.collect()
}

fn redeem_voucher(voucher: SignedVoucher) -> TicketVerdict {
	redeem_vouchers(vec![voucher])[0]
}

/// The relayer's, the broadcaster's and the treasury's part: 88, 10 and 2 %.
fn split(amount: Balance) -> TicketVerdict {
	Accepted(Payout {
		relayer: amount / 100 * 88,
		broadcaster: amount / 10,
		treasury: amount / 50,
	})
}

#[test]
fn the_newest_voucher_pays_the_difference() {
	ExtBuilder.build_and_execute(|| {
		let key = open_session();
		let (issuance, relayer) = (Balances::total_issuance(), total(&RELAYER));
		let first = signed(&key, voucher(&key, USDC));
		assert_eq!(redeem_voucher(first.clone()), split(USDC));
		System::assert_has_event(
			Event::VoucherRedeemed {
				session: key.public(),
				sender: ALICE,
				recipient: RELAYER,
				stream: STREAM,
				kind: Kind::LIVE,
				context: Hash([0; 32]),
				terms: 0,
				total: USDC,
				payout: Payout {
					relayer: 880_000,
					broadcaster: 100_000,
					treasury: 20_000,
				},
			}
			.into(),
		);
		assert_eq!(redeem_voucher(first), Refused(NothingNew));
		assert_eq!(redeem_voucher(signed(&key, voucher(&key, 3 * USDC))), split(2 * USDC));
		assert_eq!(
			redeem_voucher(signed(&key, voucher(&key, 2 * USDC))),
			Refused(NothingNew)
		);
		assert_eq!(total(&RELAYER), relayer + 3 * 880_000);
		assert_eq!(deposited(&ALICE), MAX_DEPOSIT - 3 * USDC);
		assert_eq!(Balances::total_issuance(), issuance);
		assert_eq!(Sessions::<Test>::get(key.public()).unwrap().spent, 3 * USDC);
		let channel = Channels::<Test>::get(key.public(), RELAYER).unwrap();
		assert_eq!((channel.paid, channel.open), (3 * USDC, 0));
		assert_eq!(
			VouchersPaid::<Test>::get(key.public(), (RELAYER, STREAM, Kind::LIVE, Hash([0; 32]), 0)),
			Some(VoucherTotals {
				amount: 3 * USDC,
				bytes: ticket_bytes(1_500_000_000)
			})
		);
		let here = voucher(&key, 1).place();
		let elsewhere = VoucherPlace {
			stream: StreamId(9),
			..here
		};
		assert_eq!(
			Broker::vouchers_paid(&[elsewhere, here]),
			[
				VoucherTotals::default(),
				VoucherTotals {
					amount: 3 * USDC,
					bytes: ticket_bytes(1_500_000_000)
				}
			]
		);
	});
}

#[test]
fn vouchers_of_many_viewers_are_one_lump_sum() {
	ExtBuilder.build_and_execute(|| {
		let (alice, bob) = (open_session(), key(2));
		deposit(BOB, 10 * USDC);
		authorize(BOB, &bob, 10 * USDC, 10_000);
		let of_bob = Voucher { sender: AccountId(BOB.into()), ..voucher(&bob, 2 * USDC) };
		let batch = vec![
			signed(&alice, voucher(&alice, USDC)),
			signed(&bob, of_bob),
			// A later one of the same session in the same batch pays on top.
			signed(&alice, voucher(&alice, 2 * USDC)),
		];
		let events = System::events().len();
		assert_eq!(redeem_vouchers(batch), [split(USDC), split(2 * USDC), split(USDC)]);
		let to_relayer = System::events().into_iter().skip(events).filter(|record| {
			matches!(&record.event,
				RuntimeEvent::Balances(pallet_balances::Event::Deposit { who, amount }) if *who == RELAYER && *amount == 4 * 880_000)
		});
		assert_eq!(to_relayer.count(), 1);
		assert_eq!(
			Reported::get(),
			[ALICE, BOB].map(|viewer| (RELAYER, viewer, ticket_bytes(1_000_000_000), 2 * USDC))
		);
	});
}

#[test]
fn tickets_and_vouchers_of_a_session_share_its_limit() {
	ExtBuilder.build_and_execute(|| {
		let key = key(1);
		deposit(ALICE, 10 * USDC);
		authorize(ALICE, &key, 2 * USDC, 10_000);
		redeem(vec![winner(&key, 0), winner(&key, 1)]);
		// One of the two that it owes; the other one is over the limit.
		let owed = signed(&key, voucher(&key, 2 * USDC));
		assert_eq!(redeem_voucher(owed.clone()), split(USDC));
		assert_eq!(redeem_voucher(owed), Refused(SessionLimitReached));
		assert_eq!(redeem_one(winner(&key, 2)), Refused(SessionLimitReached));
		assert_eq!(deposited(&ALICE), 8 * USDC);
	});
}

#[test]
fn a_voucher_pays_what_there_is_and_the_rest_later() {
	ExtBuilder.build_and_execute(|| {
		let key = key(1);
		deposit(ALICE, USDC);
		authorize(ALICE, &key, 100 * USDC, 10_000);
		let owed = signed(&key, voucher(&key, 3 * USDC));
		assert_eq!(redeem_voucher(owed.clone()), split(USDC));
		System::assert_has_event(
			Event::VoucherRedeemed {
				session: key.public(),
				sender: ALICE,
				recipient: RELAYER,
				stream: STREAM,
				kind: Kind::LIVE,
				context: Hash([0; 32]),
				terms: 0,
				total: USDC,
				payout: Payout {
					relayer: 880_000,
					broadcaster: 100_000,
					treasury: 20_000,
				},
			}
			.into(),
		);
		assert_eq!((deposited(&ALICE), total(&RELAYER)), (0, USDC + 880_000));
		let all = ticket_bytes(1_500_000_000);
		let paid = || Broker::vouchers_paid(&[voucher(&key, 1).place()])[0];
		assert_eq!(
			paid(),
			VoucherTotals {
				amount: USDC,
				bytes: all
			}
		);
		assert_eq!(redeem_voucher(owed.clone()), Refused(DepositTooSmall));

		// The same voucher pays the rest, in as many parts as it takes.
		deposit(ALICE, USDC / 2);
		assert_eq!(redeem_voucher(owed.clone()), split(USDC / 2));
		deposit(ALICE, 5 * USDC);
		assert_eq!(redeem_voucher(owed.clone()), split(USDC * 3 / 2));
		assert_eq!(redeem_voucher(owed), Refused(NothingNew));
		assert_eq!(
			paid(),
			VoucherTotals {
				amount: 3 * USDC,
				bytes: all
			}
		);
		assert_eq!(deposited(&ALICE), 7 * USDC / 2);
		// The bytes were delivered once.
		let bytes: u64 = Reported::get().iter().map(|(_, _, bytes, _)| bytes).sum();
		let value: Balance = Reported::get().iter().map(|(_, _, _, value)| value).sum();
		assert_eq!((bytes, value), (all, 3 * USDC));
	});
}

#[test]
fn vouchers_of_a_batch_divide_what_there_is_in_their_order() {
	ExtBuilder.build_and_execute(|| {
		let key = key(1);
		mint(CAROL, 100_000);
		deposit(ALICE, 3 * USDC);
		authorize(ALICE, &key, 100 * USDC, 10_000);
		let other = Voucher {
			stream: StreamId(1),
			..voucher(&key, 2 * USDC)
		};
		let batch = vec![signed(&key, voucher(&key, 2 * USDC)), signed(&key, other)];
		assert_eq!(redeem_vouchers(batch.clone()), [split(2 * USDC), split(USDC)]);
		assert_eq!(redeem_vouchers(batch), [Refused(NothingNew), Refused(DepositTooSmall)]);
	});
}

#[test]
fn a_voucher_draws_from_its_channel_first_and_then_from_what_is_free() {
	ExtBuilder.build_and_execute(|| {
		let key = key(1);
		deposit(ALICE, 3 * USDC);
		authorize(ALICE, &key, 100 * USDC, 10_000);
		let reserve = |who: AccountId32, cap| {
			let reservation = Reservation {
				sender: AccountId(ALICE.into()),
				session: key.public(),
				recipient: AccountId(who.into()),
				counter: 1,
				cap,
				reward: 0,
				submit_by: 1,
			};
			assert_ok!(Broker::reserve(
				RuntimeOrigin::signed(BOB),
				key.sign(reservation, &genesis())
			));
		};
		reserve(RELAYER, USDC);
		reserve(BOB, USDC);
		// One that is reserved and one that is free; not what is Bob's.
		let owed = signed(&key, voucher(&key, 5 * USDC));
		assert_eq!(redeem_voucher(owed.clone()), split(2 * USDC));
		assert_eq!(redeem_voucher(owed), Refused(DepositTooSmall));
		assert_eq!((deposited(&ALICE), Broker::reserved_of(&ALICE)), (USDC, USDC));
		// What is not by bytes finds nothing reserved.
		let access = Voucher {
			kind: Kind::ACCESS,
			bytes: 0,
			..voucher(&key, USDC)
		};
		let to_bob = |owed| Voucher {
			recipient: AccountId(BOB.into()),
			..owed
		};
		assert_eq!(
			redeem_voucher(signed(&key, to_bob(access))),
			Refused(SessionLimitReached)
		);
		assert_eq!(redeem_voucher(signed(&key, to_bob(voucher(&key, USDC)))), split(USDC));
		assert_eq!(deposited(&ALICE), 0);
	});
}

#[test]
fn only_the_recipient_and_its_operator_redeem() {
	ExtBuilder.build_and_execute(|| {
		let key = open_session();
		let redeem = |who| {
			let vouchers = vec![signed(&key, voucher(&key, USDC))].try_into().unwrap();
			Broker::redeem_vouchers(RuntimeOrigin::signed(who), vouchers)
		};
		Acting::set(vec![(CAROL, BOB, CAROL)]);
		for who in [ALICE, BOB, CAROL, TREASURY, NOBODY] {
			assert_noop!(redeem(who), Error::<Test>::NotRecipient);
		}
		Acting::set(vec![(RELAYER, BOB, RELAYER)]);
		assert_ok!(redeem(BOB));
		assert_eq!((total(&RELAYER), total(&BOB)), (USDC + 880_000, ENDOWMENT));
	});
}

#[test]
fn a_batch_pays_one_recipient() {
	ExtBuilder.build_and_execute(|| {
		let key = open_session();
		let others = Voucher {
			recipient: AccountId(BOB.into()),
			..voucher(&key, USDC)
		};
		let batch = vec![
			signed(&key, voucher(&key, USDC)),
			signed(&key, others),
			signed(&key, voucher(&key, 2 * USDC)),
		];
		assert_eq!(
			verdicts_of(RELAYER, batch),
			[split(USDC), Refused(NotRecipient), split(USDC)]
		);
		assert_eq!(total(&BOB), ENDOWMENT);
		assert_eq!(VouchersPaid::<Test>::iter().count(), 1);
	});
}

/// What becomes of the voucher after a change, and that a refused one changes nothing.
fn verdict(change: impl FnOnce(&mut Voucher)) -> TicketVerdict {
	let mut out = None;
	ExtBuilder.build_and_execute(|| {
		System::set_block_number(1_020);
		let key = open_session();
		authorize(BOB, &self::key(2), USDC, 1_050);
		let mut owed = voucher(&key, 2_000);
		change(&mut owed);
		let before = sp_io::storage::root(StateVersion::V1);
		let verdict = Broker::check_vouchers(&[signed(&key, owed)])[0];
		assert_eq!(before, sp_io::storage::root(StateVersion::V1));
		out = Some(verdict);
	});
	out.unwrap()
}

#[test]
fn every_rule_of_a_voucher_has_its_reason() {
	let refused = |reason: TicketRefusal| Refused(reason);
	assert_eq!(verdict(|_| ()), split(2_000));
	assert_eq!(verdict(|v| v.expiry = 1_020), split(2_000));
	assert_eq!(verdict(|v| v.expiry = 960), refused(Expired));
	assert_eq!(verdict(|v| v.expiry = 1_021), refused(ExpiryOffGrid));
	assert_eq!(verdict(|v| v.expiry = 1_020 + MAX_TICKET_LIFE), split(2_000));
	assert_eq!(verdict(|v| v.expiry = 1_080 + MAX_TICKET_LIFE), refused(ExpiryTooFar));
	assert_eq!(verdict(|v| v.terms = 1), refused(WrongTerms));
	assert_eq!(verdict(|v| v.kind = Kind::ACCESS), refused(BadBytes));
	assert_eq!(verdict(|v| v.bytes += 1), refused(BadBytes));
	assert_eq!(verdict(|v| v.amount = MIN_FACE_VALUE), split(1_000));
	assert_eq!(verdict(|v| v.amount = MIN_FACE_VALUE - 1), refused(FaceValueTooSmall));
	assert_eq!(verdict(|v| v.amount = 0), refused(NothingNew));
	assert_eq!(verdict(|v| v.bytes = 0), refused(PriceAboveBound));
	assert_eq!(verdict(|v| v.amount = MAX_DEPOSIT), split(MAX_DEPOSIT));
	// As far as there is money.
	assert_eq!(verdict(|v| v.amount = MAX_DEPOSIT + 1), split(MAX_DEPOSIT));
	let all = |v: &mut Voucher| {
		v.amount = MAX_DEPOSIT * 100 + 1;
		v.bytes = u64::MAX / TICKET_BYTES * TICKET_BYTES;
	};
	assert_eq!(verdict(all), split(MAX_DEPOSIT));
	assert_eq!(verdict(|v| v.amount = Balance::MAX), refused(PriceAboveBound));
	assert_eq!(verdict(|v| v.session = key(9).public()), refused(UnknownSession));
	assert_eq!(verdict(|v| v.session = key(2).public()), refused(WrongSender));
	assert_eq!(verdict(|v| v.sender = AccountId(BOB.into())), refused(WrongSender));
	assert_eq!(verdict(|v| v.stream = StreamId(9)), refused(WrongTerms));
	// 88 % of it are too little for an account to begin with.
	let to_nobody = |v: &mut Voucher| {
		v.recipient = AccountId(NOBODY.into());
		v.amount = 1_100;
	};
	assert_eq!(verdict(to_nobody), refused(CannotReceive));
}

#[test]
fn a_voucher_does_not_outlive_its_session() {
	ExtBuilder.build_and_execute(|| {
		let key = key(1);
		deposit(ALICE, USDC);
		authorize(ALICE, &key, USDC, 60);
		let until = |expiry| {
			signed(
				&key,
				Voucher {
					expiry,
					..voucher(&key, 2_000)
				},
			)
		};
		assert_eq!(redeem_voucher(until(120)), Refused(SessionExpired));
		assert_eq!(redeem_voucher(until(60)), split(2_000));
	});
}

#[test]
fn a_voucher_must_be_signed_by_its_session_for_this_chain() {
	ExtBuilder.build_and_execute(|| {
		let key = open_session();
		let owed = voucher(&key, USDC);
		let by_another = SignedVoucher {
			signature: self::key(2).sign(owed.clone(), &genesis()).signature,
			message: owed.clone(),
		};
		assert_eq!(redeem_voucher(by_another), Refused(BadSignature));
		let elsewhere = key.sign(owed.clone(), &clustercast_primitives::Hash([9; 32]));
		assert_eq!(redeem_voucher(elsewhere), Refused(BadSignature));
		let mut changed = signed(&key, owed);
		changed.message.amount += 1;
		assert_eq!(redeem_voucher(changed), Refused(BadSignature));
	});
}

#[test]
fn fewer_bytes_are_refused() {
	ExtBuilder.build_and_execute(|| {
		let key = open_session();
		assert_eq!(redeem_voucher(signed(&key, voucher(&key, USDC))), split(USDC));
		let fewer = Voucher {
			bytes: voucher(&key, USDC).bytes - TICKET_BYTES,
			..voucher(&key, 2 * USDC)
		};
		assert_eq!(redeem_voucher(signed(&key, fewer)), Refused(NothingNew));
		// As many may turn out to cost more: what is owed in all is what the price bounds.
		let as_many = Voucher {
			bytes: voucher(&key, USDC).bytes,
			..voucher(&key, 2 * USDC)
		};
		assert_eq!(redeem_voucher(signed(&key, as_many)), split(USDC));
	});
}

#[test]
fn a_session_pays_at_as_many_places_as_it_likes() {
	ExtBuilder.build_and_execute(|| {
		let key = open_session();
		mint(CAROL, 100_000);
		for n in 0..100 {
			let who = AccountId32::new([100 + n; 32]);
			endow(&who, USDC);
			let owed = Voucher {
				recipient: AccountId(who.into()),
				..voucher(&key, USDC / 10)
			};
			assert_eq!(redeem_voucher(signed(&key, owed)), split(USDC / 10));
		}
		// For anything else is another place.
		let changes: [fn(&mut Voucher); 3] = [
			|v| v.stream = StreamId(1),
			|v| v.kind = Kind::REPLAY,
			|v| v.context = Hash([1; 32]),
		];
		for change in changes {
			for expected in [split(USDC), Refused(NothingNew)] {
				let mut elsewhere = voucher(&key, USDC);
				change(&mut elsewhere);
				assert_eq!(redeem_voucher(signed(&key, elsewhere)), expected);
			}
		}
		assert_eq!(deposited(&ALICE), MAX_DEPOSIT - 13 * USDC);
	});
}

#[test]
fn a_small_rest_is_paid_once_its_terms_are_over() {
	ExtBuilder.build_and_execute(|| {
		let key = open_session();
		let other = StreamTerms {
			broadcaster_share_ppm: 200_000,
			..UNBOUND
		};
		assert_ok!(StreamKeys::set_terms(RuntimeOrigin::signed(CAROL), STREAM, other));
		assert_eq!(redeem_voucher(signed(&key, voucher(&key, USDC))), split(USDC));
		run_to(MAX_TICKET_LIFE);
		let rest = || signed(&key, voucher(&key, USDC + 500));
		assert_eq!(redeem_voucher(rest()), Refused(FaceValueTooSmall));
		run_to(1 + MAX_TICKET_LIFE);
		let paid = Payout {
			relayer: 440,
			broadcaster: 50,
			treasury: 10,
		};
		assert_eq!(redeem_voucher(rest()), Accepted(paid));
		// And as long as the stream remembers them.
		let last = || signed(&key, voucher(&key, USDC + 501));
		run_to(2 * MAX_TICKET_LIFE);
		let paid = Payout {
			relayer: 1,
			broadcaster: 0,
			treasury: 0,
		};
		assert_eq!(redeem_voucher(last()), Accepted(paid));
		run_to(1 + 2 * MAX_TICKET_LIFE);
		assert_eq!(
			redeem_voucher(signed(&key, voucher(&key, 2 * USDC))),
			Refused(WrongTerms)
		);
	});
}

#[test]
fn unused_weight_is_returned() {
	ExtBuilder.build_and_execute(|| {
		let key = open_session();
		let vouchers: BoundedVec<_, _> = vec![signed(&key, voucher(&key, USDC)), signed(&key, voucher(&key, 1))]
			.try_into()
			.unwrap();
		let call = crate::Call::<Test>::redeem_vouchers {
			vouchers: vouchers.clone(),
		};
		let declared = <() as WeightInfo>::redeem_vouchers(2, 1);
		assert_eq!(call.get_dispatch_info().call_weight, declared);
		let info = Broker::redeem_vouchers(RuntimeOrigin::signed(RELAYER), vouchers).unwrap();
		let spent = <() as WeightInfo>::redeem_vouchers(1, 1).saturating_add(<() as WeightInfo>::refuse_vouchers(1));
		assert_eq!(info.actual_weight, Some(spent));
		assert!(spent.ref_time() < declared.ref_time());
	});
}

#[test]
fn only_accounts_send_vouchers() {
	ExtBuilder.build_and_execute(|| {
		let key = open_session();
		let vouchers: BoundedVec<_, _> = vec![signed(&key, voucher(&key, USDC))].try_into().unwrap();
		let send = |origin| Broker::redeem_vouchers(origin, vouchers.clone());
		assert_noop!(send(RuntimeOrigin::none()), DispatchError::BadOrigin);
		assert_noop!(send(RuntimeOrigin::root()), DispatchError::BadOrigin);
		assert_ok!(send(RuntimeOrigin::signed(RELAYER)));
	});
}

#[test]
fn an_empty_batch_fails() {
	ExtBuilder.build_and_execute(|| {
		let nothing = || Broker::redeem_vouchers(RuntimeOrigin::signed(RELAYER), BoundedVec::default());
		assert_noop!(nothing(), Error::<Test>::NothingToRedeem);
	});
}
