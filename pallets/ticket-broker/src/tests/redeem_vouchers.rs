//! `redeem_vouchers`: every rule of a voucher both ways, the newest pays the difference, and one lump sum a recipient.

use crate::{mock::*, weights::WeightInfo, Event, Sessions, VoucherTotals, VouchersPaid};
use clustercast_primitives::{
	amount::{ticket_bytes, TICKET_BYTES, USDC},
	chain::{
		Payout,
		TicketRefusal::{self, *},
		TicketVerdict::{self, Accepted, Refused},
		VoucherPlace,
	},
	crypto::KeyPair,
	receipt::Kind,
	AccountId, Balance, Hash, SignedVoucher, StreamId, Voucher,
};
use frame_support::{assert_noop, assert_ok};
use sp_runtime::{AccountId32, DispatchError, StateVersion};

/// Owed by Alice to the relayer for stream 0 since the beginning.
fn voucher(session: &KeyPair, amount: Balance) -> Voucher {
	Voucher {
		sender: AccountId(ALICE.into()),
		session: session.public(),
		recipient: AccountId(RELAYER.into()),
		stream: STREAM,
		kind: Kind::LIVE,
		context: Hash([0; 32]),
		terms: 0,
		amount,
		bytes: ticket_bytes((amount * 500) as u64),
		expiry: grid(System::block_number() + 100),
	}
}

fn signed(session: &KeyPair, voucher: Voucher) -> SignedVoucher {
	session.sign(voucher, &genesis())
}

/// Redeems vouchers as Bob and returns what the events say of each; `check_vouchers` must have said the same.
fn redeem_vouchers(vouchers: Vec<SignedVoucher>) -> Vec<TicketVerdict> {
	let root = || sp_io::storage::root(StateVersion::V1);
	let before = root();
	let foretold = Broker::check_vouchers(&vouchers);
	assert_eq!(before, root(), "check_vouchers changes nothing");
	let events = System::events().len();
	assert_ok!(Broker::redeem_vouchers(
		RuntimeOrigin::signed(BOB),
		vouchers.try_into().unwrap()
	));
	let verdicts: Vec<_> = System::events()
		.into_iter()
		.skip(events)
		.filter_map(|record| match record.event {
			RuntimeEvent::Broker(Event::VoucherRedeemed { payout, .. }) => Some(Accepted(payout)),
			RuntimeEvent::Broker(Event::VoucherRefused { reason, .. }) => Some(Refused(reason)),
			_ => None,
		})
		.collect();
	assert_eq!(verdicts, foretold, "redeem_vouchers does what check_vouchers says");
	verdicts
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
		let session = Sessions::<Test>::get(key.public()).unwrap();
		assert_eq!((session.spent, session.payees), (3 * USDC, 1));
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
		assert_eq!(
			redeem_voucher(signed(&key, voucher(&key, USDC + 1))),
			Refused(SessionLimitReached)
		);
		assert_eq!(redeem_voucher(signed(&key, voucher(&key, USDC))), split(USDC));
		assert_eq!(redeem_one(winner(&key, 2)), Refused(SessionLimitReached));
	});
}

/// What becomes of the voucher after a change, and that a refused one changes nothing.
fn verdict(change: impl FnOnce(&mut Voucher)) -> TicketVerdict {
	let mut out = None;
	ExtBuilder.build_and_execute(|| {
		System::set_block_number(1_020);
		let key = open_session();
		authorize(BOB, self::key(2).public(), USDC, 1_050);
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
	assert_eq!(verdict(|v| v.amount = MAX_DEPOSIT + 1), refused(DepositTooSmall));
	assert_eq!(
		verdict(|v| v.amount = MAX_DEPOSIT * 100 + 1),
		refused(SessionLimitReached)
	);
	assert_eq!(verdict(|v| v.amount = Balance::MAX), refused(SessionLimitReached));
	assert_eq!(verdict(|v| v.session = key(9).public()), refused(UnknownSession));
	assert_eq!(verdict(|v| v.session = key(2).public()), refused(WrongSender));
	assert_eq!(verdict(|v| v.sender = AccountId(BOB.into())), refused(WrongSender));
	assert_eq!(verdict(|v| v.stream = StreamId(9)), refused(UnknownStream));
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
fn a_session_pays_at_so_many_places_by_voucher() {
	ExtBuilder.build_and_execute(|| {
		let key = open_session();
		let people: Vec<_> = (0..=MAX_PAYEES)
			.map(|n| AccountId32::new([100 + n as u8; 32]))
			.collect();
		let to = |n: usize, amount| Voucher {
			recipient: AccountId(people[n].clone().into()),
			..voucher(&key, amount)
		};
		for (n, who) in people.iter().enumerate().take(MAX_PAYEES as usize) {
			endow(who, USDC);
			assert_eq!(redeem_voucher(signed(&key, to(n, USDC))), split(USDC));
		}
		let last = MAX_PAYEES as usize;
		endow(&people[last], USDC);
		assert_eq!(redeem_voucher(signed(&key, to(last, USDC))), Refused(TooManyPayees));
		assert_eq!(redeem_voucher(signed(&key, to(0, 2 * USDC))), split(USDC));
		// For anything else is another place.
		mint(CAROL, 0);
		let changes: [fn(&mut Voucher); 4] = [
			|v| v.stream = StreamId(1),
			|v| v.kind = Kind::REPLAY,
			|v| v.context = Hash([1; 32]),
			|v| v.terms = 1,
		];
		for change in changes {
			let mut elsewhere = to(0, USDC);
			change(&mut elsewhere);
			assert_eq!(redeem_voucher(signed(&key, elsewhere)), Refused(TooManyPayees));
		}
	});
}

#[test]
fn reaping_forgets_what_vouchers_paid_and_none_can_come_back() {
	ExtBuilder.build_and_execute(|| {
		let key = key(1);
		deposit(ALICE, 10 * USDC);
		authorize(ALICE, &key, 10 * USDC, 60);
		let owed = signed(
			&key,
			Voucher {
				expiry: 60,
				..voucher(&key, USDC)
			},
		);
		assert_eq!(redeem_voucher(owed.clone()), split(USDC));
		System::set_block_number(61);
		let info = Broker::reap_session(RuntimeOrigin::signed(BOB), key.public()).unwrap();
		assert_eq!(info.actual_weight, Some(<() as WeightInfo>::reap_session(1)));
		assert_eq!(VouchersPaid::<Test>::iter().count(), 0);
		authorize(ALICE, &key, 10 * USDC, 10_000);
		assert_eq!(redeem_voucher(owed), Refused(Expired));
	});
}

#[test]
fn reaping_forgets_what_earlier_blocks_wrote() {
	let key = key(1);
	let mut ext = ExtBuilder.build();
	ext.execute_with(|| {
		deposit(ALICE, 10 * USDC);
		authorize(ALICE, &key, 10 * USDC, 200);
		for recipient in [RELAYER, BOB] {
			let voucher = Voucher {
				recipient: AccountId(recipient.into()),
				..voucher(&key, USDC)
			};
			assert_eq!(redeem_voucher(signed(&key, voucher)), split(USDC));
		}
	});
	// From the block's own changes everything can be cleared, whatever the limit; what is in the database is counted.
	ext.commit_all().unwrap();
	ext.execute_with(|| {
		System::set_block_number(201);
		assert_ok!(Broker::reap_session(RuntimeOrigin::signed(BOB), key.public()));
		assert_eq!(VouchersPaid::<Test>::iter().count(), 0);
		try_state();
	});
}

#[test]
fn unused_weight_is_returned() {
	ExtBuilder.build_and_execute(|| {
		let key = open_session();
		let vouchers = vec![signed(&key, voucher(&key, USDC)), signed(&key, voucher(&key, 1))];
		let info = Broker::redeem_vouchers(RuntimeOrigin::signed(BOB), vouchers.try_into().unwrap()).unwrap();
		let spent = <() as WeightInfo>::redeem_vouchers(1).saturating_add(<() as WeightInfo>::refuse_vouchers(1));
		assert_eq!(
			info.actual_weight,
			Some(spent.min(<() as WeightInfo>::redeem_vouchers(2)))
		);
	});
}

#[test]
fn only_accounts_send_vouchers() {
	ExtBuilder.build_and_execute(|| {
		let send = |origin| Broker::redeem_vouchers(origin, Default::default());
		assert_noop!(send(RuntimeOrigin::none()), DispatchError::BadOrigin);
		assert_noop!(send(RuntimeOrigin::root()), DispatchError::BadOrigin);
		assert_ok!(send(RuntimeOrigin::signed(NOBODY)));
	});
}
