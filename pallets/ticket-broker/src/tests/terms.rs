//! What a stream's terms do to a payment: the price bound, and that a payment keeps the terms it was signed under,
//! whenever it is redeemed.

use crate::mock::*;
use clustercast_primitives::{
	amount::{win_probability, TICKET_BYTES, USDC},
	chain::{
		Payout, RentOffer, StreamTerms,
		TicketRefusal::{NothingNew, PriceAboveBound, UnknownStream, WrongTerms},
		TicketVerdict::{self, Accepted, Refused},
		PPM,
	},
	crypto::KeyPair,
	receipt::Kind,
	AccountId, Balance, Hash, SignedVoucher, StreamId, Ticket, Voucher, WinningTicket,
};
use frame_support::assert_ok;
use sp_runtime::AccountId32;

/// 2,000,000 micro-USDC per GB, and half as much again when it is busy.
const TERMS: StreamTerms = StreamTerms {
	price_per_gb: 2_000_000,
	max_surge_ppm: 1_500_000,
	broadcaster_share_ppm: 100_000,
};

/// The highest price of these terms.
const HIGHEST: u64 = 3_000_000;

/// The broadcaster's part of a tip of 1 USDC.
const TIPPED: Balance = 980_000;

/// Mints stream 1, Carol's, on these terms.
fn mint_priced() {
	mint_at(CAROL, TERMS).unwrap();
}

/// Announces other terms of stream 1 in block 60.
fn announce(terms: StreamTerms) {
	run_to(60);
	assert_ok!(StreamKeys::set_terms(RuntimeOrigin::signed(CAROL), StreamId(1), terms));
}

/// A ticket for stream 1 that wins a draw of one in two, signed now for the longest life.
fn priced(
	session: &KeyPair,
	nonce: u64,
	bytes: u64,
	face_value: Balance,
	win_probability: u64,
) -> Option<WinningTicket> {
	(0..64).find_map(|variant| {
		let ticket = Ticket {
			context: Hash([variant; 32]),
			bytes,
			face_value,
			win_probability,
			expiry: latest(),
			..about(1, ticket(session, nonce))
		};
		Some(signed(session, ticket)).filter(WinningTicket::is_winner)
	})
}

#[test]
fn a_ticket_is_worth_no_more_than_its_bytes_cost() {
	ExtBuilder.build_and_execute(|| {
		let key = open_session();
		mint_priced();
		// 1 MiB at the highest price costs 3,145.7: about half of a face value of 6,000.
		let bytes = 16 * TICKET_BYTES;
		let fair = win_probability(bytes, HIGHEST, 6_000).unwrap();
		assert!(fair > 1 << 63);
		let verdict = |nonce, bytes, face_value, probability| {
			redeem_one(priced(&key, nonce, bytes, face_value, probability).unwrap())
		};
		assert_eq!(verdict(0, bytes, 6_000, fair + 1), Refused(PriceAboveBound));
		assert_eq!(verdict(0, bytes, 6_001, fair), Refused(PriceAboveBound));
		assert_eq!(verdict(0, bytes - TICKET_BYTES, 6_000, fair), Refused(PriceAboveBound));
		assert_eq!(verdict(0, 0, 6_000, fair), Refused(PriceAboveBound));
		assert!(matches!(verdict(0, bytes, 6_000, fair), Accepted(_)));
		assert!(matches!(verdict(1, bytes + TICKET_BYTES, 6_000, fair), Accepted(_)));
		assert!(matches!(verdict(2, bytes, 5_999, fair), Accepted(_)));
	});
}

/// A voucher of Alice for stream 1, under the terms that it was minted with, signed now for the longest life.
fn voucher(session: &KeyPair, amount: Balance, bytes: u64) -> SignedVoucher {
	voucher_under(0, session, amount, bytes)
}

/// The same under other terms.
fn voucher_under(terms: u32, session: &KeyPair, amount: Balance, bytes: u64) -> SignedVoucher {
	let voucher = Voucher {
		sender: AccountId(ALICE.into()),
		session: session.public(),
		recipient: AccountId(RELAYER.into()),
		stream: StreamId(1),
		kind: Kind::LIVE,
		context: Hash([0; 32]),
		terms,
		amount,
		bytes,
		expiry: latest(),
	};
	session.sign(voucher, &genesis())
}

fn redeem_voucher(voucher: SignedVoucher) -> TicketVerdict {
	let verdict = Broker::check_vouchers(std::slice::from_ref(&voucher))[0];
	assert_ok!(Broker::redeem_vouchers(
		RuntimeOrigin::signed(RELAYER),
		vec![voucher].try_into().unwrap()
	));
	verdict
}

#[test]
fn a_voucher_owes_no_more_than_its_bytes_cost() {
	ExtBuilder.build_and_execute(|| {
		let key = open_session();
		mint_priced();
		let verdict = |amount, units: u64| redeem_voucher(voucher(&key, amount, units * TICKET_BYTES));
		// 16 units cost 3,145.7, twice as many 6,291.5.
		assert_eq!(verdict(3_146, 16), Refused(PriceAboveBound));
		assert_eq!(verdict(3_145, 15), Refused(PriceAboveBound));
		assert!(matches!(verdict(3_145, 16), Accepted(_)));
		assert_eq!(verdict(6_292, 32), Refused(PriceAboveBound));
		assert_eq!(verdict(6_291, 31), Refused(PriceAboveBound));
		// 3,146 more for 16 units more: rounded once, on the sum.
		assert!(matches!(verdict(6_291, 32), Accepted(_)));
	});
}

/// A winner for stream 1 at the highest price, signed now for the longest life.
fn fair(session: &KeyPair, nonce: u64) -> WinningTicket {
	priced(session, nonce, 16 * TICKET_BYTES, 6_000, 1 << 63).unwrap()
}

/// What each of these has more than before, after this ticket was paid.
fn gains<const N: usize>(who: [AccountId32; N], winning: WinningTicket) -> [Balance; N] {
	let before = who.clone().map(|who| total(&who));
	let verdict = redeem_one(winning);
	assert!(matches!(verdict, Accepted(_)), "{verdict:?}");
	let mut after = who.map(|who| total(&who));
	after
		.iter_mut()
		.zip(before)
		.for_each(|(after, before)| *after -= before);
	after
}

#[test]
fn a_ticket_keeps_the_share_and_the_price_of_its_signature() {
	ExtBuilder.build_and_execute(|| {
		let key = open_session();
		mint_priced();
		let other = StreamTerms {
			price_per_gb: 1_000_000,
			max_surge_ppm: PPM,
			broadcaster_share_ppm: 300_000,
		};
		announce(other);
		// The last block of the old terms: they change on the grid.
		let last = MAX_TICKET_LIFE + 59;
		run_to(last);
		let (early, late) = (fair(&key, 0), fair(&key, 1));
		run_to(last + 1);
		let after = fair(&key, 2);
		assert_eq!(gains([CAROL], early), [600]);
		assert_eq!(redeem_one(after), Refused(PriceAboveBound));
		let cheap = priced(&key, 3, 16 * TICKET_BYTES, 2_000, 1 << 63).unwrap();
		assert_eq!(gains([CAROL], cheap), [600]);
		// In the last block of its life.
		run_to(2 * MAX_TICKET_LIFE);
		assert_eq!(gains([CAROL], late), [600]);
	});
}

#[test]
fn a_higher_price_counts_from_its_first_block() {
	ExtBuilder.build_and_execute(|| {
		let key = open_session();
		mint_priced();
		let dearer = StreamTerms {
			price_per_gb: 4_000_000,
			..TERMS
		};
		announce(dearer);
		run_to(MAX_TICKET_LIFE + 59);
		let dear = priced(&key, 0, 8 * TICKET_BYTES, 6_000, 1 << 63).unwrap();
		assert_eq!(redeem_one(dear.clone()), Refused(PriceAboveBound));
		run_to(MAX_TICKET_LIFE + 60);
		assert!(matches!(redeem_one(dear), Accepted(_)));
	});
}

#[test]
fn holding_a_ticket_back_does_not_change_whom_it_pays() {
	ExtBuilder.build_and_execute(|| {
		let key = open_session();
		mint_priced();
		let offer = RentOffer {
			price: 0,
			blocks: MAX_TICKET_LIFE,
		};
		assert_ok!(StreamKeys::set_rent(
			RuntimeOrigin::signed(CAROL),
			StreamId(1),
			Some(offer)
		));
		run_to(119);
		let before = fair(&key, 0);
		run_to(120);
		assert_ok!(StreamKeys::rent(
			RuntimeOrigin::signed(BOB),
			StreamId(1),
			self::key(9).public(),
			0,
			60
		));
		let tip = || Broker::tip(RuntimeOrigin::signed(ALICE), StreamId(1), USDC);
		let during = fair(&key, 1);
		assert_eq!(gains([CAROL, BOB], before), [600, 0]);
		run_to(700);
		// The figures of an explanation are those of the payment.
		let explained = Broker::explain_ticket(&during);
		assert_eq!(explained.broadcaster, Some(AccountId(BOB.into())));
		assert_eq!(gains([CAROL, BOB], during), [0, 600]);
		run_to(719);
		let (owned, rented) = (total(&CAROL), total(&BOB));
		assert_ok!(tip());
		assert_eq!((total(&CAROL), total(&BOB)), (owned, rented + TIPPED));
		let last = fair(&key, 2);
		let owed = voucher_under(1, &key, 3_000, 16 * TICKET_BYTES);
		run_to(720);
		assert_ok!(tip());
		assert_eq!((total(&CAROL), total(&BOB)), (owned + TIPPED, rented + TIPPED));
		let after = fair(&key, 3);
		assert_eq!(gains([CAROL, BOB], after), [600, 0]);
		run_to(1_240);
		assert_eq!(gains([CAROL, BOB], last), [0, 600]);
		let rented = total(&BOB);
		let paid = Payout {
			relayer: 2_640,
			broadcaster: 300,
			treasury: 60,
		};
		assert_eq!(redeem_voucher(owed), Accepted(paid));
		assert_eq!(total(&BOB), rented + 300);
	});
}

#[test]
fn a_burnt_stream_pays_what_was_signed_before_and_nothing_else() {
	ExtBuilder.build_and_execute(|| {
		let key = open_session();
		mint_priced();
		run_to(60);
		assert_ok!(StreamKeys::burn(RuntimeOrigin::signed(CAROL), StreamId(1)));
		run_to(MAX_TICKET_LIFE + 59);
		let (early, late) = (fair(&key, 0), fair(&key, 1));
		let owed = voucher(&key, 3_000, 16 * TICKET_BYTES);
		run_to(MAX_TICKET_LIFE + 60);
		let after = fair(&key, 2);
		assert_eq!(gains([CAROL], early), [600]);
		assert_eq!(redeem_one(after), Refused(UnknownStream));
		frame_support::assert_noop!(
			Broker::tip(RuntimeOrigin::signed(ALICE), StreamId(1), USDC),
			crate::Error::<Test>::UnknownStream
		);
		run_to(2 * MAX_TICKET_LIFE);
		assert_eq!(gains([CAROL], late), [600]);
		assert!(matches!(redeem_voucher(owed), Accepted(_)));
		// Vouchers under its last terms, for as long as any terms that ended.
		run_to(2 * MAX_TICKET_LIFE + 59);
		assert!(matches!(
			redeem_voucher(voucher(&key, 6_000, 32 * TICKET_BYTES)),
			Accepted(_)
		));
		run_to(2 * MAX_TICKET_LIFE + 60);
		assert_eq!(
			redeem_voucher(voucher(&key, 9_000, 48 * TICKET_BYTES)),
			Refused(WrongTerms)
		);
	});
}

/// A voucher under other terms than the one before begins anew, and each pays its own price and share: no change reaches
/// back over what was delivered before.
#[test]
fn vouchers_of_each_terms_keep_their_price_and_share() {
	ExtBuilder.build_and_execute(|| {
		let key = open_session();
		mint_priced();
		let other = StreamTerms {
			price_per_gb: 4_000_000,
			max_surge_ppm: PPM,
			broadcaster_share_ppm: 300_000,
		};
		let split = |relayer, broadcaster, treasury| {
			Accepted(Payout {
				relayer,
				broadcaster,
				treasury,
			})
		};
		announce(other);
		assert_eq!(
			redeem_voucher(voucher(&key, 3_000, 16 * TICKET_BYTES)),
			split(2_640, 300, 60)
		);
		run_to(MAX_TICKET_LIFE + 59);
		// Not yet.
		assert_eq!(
			redeem_voucher(voucher_under(1, &key, 4_000, 16 * TICKET_BYTES)),
			Refused(WrongTerms)
		);
		let old = voucher(&key, 6_000, 32 * TICKET_BYTES);
		let dear = voucher(&key, 6_292, 32 * TICKET_BYTES);
		run_to(MAX_TICKET_LIFE + 60);
		assert_eq!(
			redeem_voucher(voucher_under(1, &key, 4_195, 16 * TICKET_BYTES)),
			Refused(PriceAboveBound)
		);
		assert_eq!(
			redeem_voucher(voucher_under(1, &key, 4_000, 16 * TICKET_BYTES)),
			split(2_720, 1_200, 80)
		);
		// What was owed before, at the price of before and not at that of now.
		assert_eq!(redeem_voucher(dear), Refused(PriceAboveBound));
		assert_eq!(redeem_voucher(old.clone()), split(2_640, 300, 60));
		assert_eq!(redeem_voucher(old), Refused(NothingNew));
		// There are none behind the new ones.
		assert_eq!(
			redeem_voucher(voucher_under(2, &key, 9_000, 48 * TICKET_BYTES)),
			Refused(WrongTerms)
		);
		// The old ones are over a delay after they ended.
		run_to(2 * MAX_TICKET_LIFE + 59);
		assert_eq!(
			redeem_voucher(voucher(&key, 9_000, 48 * TICKET_BYTES)),
			split(2_640, 300, 60)
		);
		run_to(2 * MAX_TICKET_LIFE + 60);
		assert_eq!(
			redeem_voucher(voucher(&key, 12_000, 64 * TICKET_BYTES)),
			Refused(WrongTerms)
		);
	});
}

/// Signed for an expiry that was as far as it could be before other terms were in force, by a viewer who knew of them.
#[test]
fn a_voucher_may_be_under_the_terms_of_now_though_it_can_have_been_signed_before() {
	ExtBuilder.build_and_execute(|| {
		let key = open_session();
		mint_priced();
		announce(StreamTerms {
			price_per_gb: 1_000_000,
			max_surge_ppm: PPM,
			broadcaster_share_ppm: 0,
		});
		run_to(MAX_TICKET_LIFE + 59);
		let expiry = latest();
		run_to(MAX_TICKET_LIFE + 60);
		let mut owed = voucher_under(1, &key, 1_000, 16 * TICKET_BYTES).message;
		owed.expiry = expiry;
		assert_eq!(Broker::signed_at(expiry), MAX_TICKET_LIFE);
		let paid = Payout {
			relayer: 980,
			broadcaster: 0,
			treasury: 20,
		};
		assert_eq!(redeem_voucher(key.sign(owed.clone(), &genesis())), Accepted(paid));
		// At the price of now, not at that of then.
		(owed.amount, owed.bytes) = (3_000, 45 * TICKET_BYTES);
		assert_eq!(redeem_voucher(key.sign(owed, &genesis())), Refused(PriceAboveBound));
	});
}
