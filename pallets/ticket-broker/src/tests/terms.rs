//! What a stream's terms do to a payment: the price bound, and that a payment keeps the terms it was signed under,
//! whenever it is redeemed.

use crate::mock::*;
use clustercast_primitives::{
	amount::{win_probability, USDC},
	chain::{
		Payout, RentOffer, StreamTerms,
		TicketRefusal::{PriceAboveBound, UnknownStream},
		TicketVerdict::{self, Accepted, Refused},
		PPM,
	},
	crypto::KeyPair,
	AccountId, Balance, SignedVoucher, StreamId, Ticket, Voucher, WinningTicket,
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
const HIGHEST: u64 = 3_000;

/// Mints stream 1, Carol's, on these terms.
fn mint_priced() {
	mint_at(CAROL, TERMS).unwrap();
}

/// A ticket for stream 1 that wins a draw of one in two, signed now for the longest life.
fn priced(
	session: &KeyPair,
	nonce: u32,
	bytes: u32,
	face_value: Balance,
	win_probability: u64,
) -> Option<WinningTicket> {
	(0..64).find_map(|variant| {
		let mut ticket = Ticket {
			bytes,
			face_value,
			win_probability,
			expiry: System::block_number() + MAX_TICKET_LIFE,
			..about(1, ticket(session, nonce))
		};
		ticket.window.segment = variant;
		Some(signed(session, ticket)).filter(WinningTicket::is_winner)
	})
}

#[test]
fn a_ticket_is_worth_no_more_than_its_bytes_cost() {
	ExtBuilder.build_and_execute(|| {
		let key = open_session();
		mint_priced();
		// 1 MB at the highest price costs 3,000: half of a face value of 6,000.
		let bytes = 1_000_000;
		let fair = win_probability(bytes, HIGHEST, 6_000).unwrap();
		assert_eq!(fair, 1 << 63);
		let verdict = |nonce, bytes, face_value, probability| {
			redeem_one(priced(&key, nonce, bytes, face_value, probability).unwrap())
		};
		assert_eq!(verdict(0, bytes, 6_000, fair + 1), Refused(PriceAboveBound));
		assert_eq!(verdict(0, bytes, 6_001, fair), Refused(PriceAboveBound));
		assert_eq!(verdict(0, bytes - 1, 6_000, fair), Refused(PriceAboveBound));
		assert_eq!(verdict(0, 0, 6_000, fair), Refused(PriceAboveBound));
		assert!(matches!(verdict(0, bytes, 6_000, fair), Accepted(_)));
		assert!(matches!(verdict(1, bytes + 1, 6_000, fair), Accepted(_)));
		assert!(matches!(verdict(2, bytes, 5_999, fair), Accepted(_)));
	});
}

/// A voucher of Alice for stream 1, signed now for the longest life.
fn voucher(session: &KeyPair, amount: Balance, bytes: u64) -> SignedVoucher {
	let voucher = Voucher {
		sender: AccountId(ALICE.into()),
		session: session.public(),
		recipient: AccountId(RELAYER.into()),
		stream: StreamId(1),
		amount,
		bytes,
		expiry: System::block_number() + MAX_TICKET_LIFE,
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
fn a_voucher_owes_no_more_than_its_bytes_cost_since_it_was_paid() {
	ExtBuilder.build_and_execute(|| {
		let key = open_session();
		mint_priced();
		assert_eq!(
			redeem_voucher(voucher(&key, 3_001, 1_000_000)),
			Refused(PriceAboveBound)
		);
		assert_eq!(redeem_voucher(voucher(&key, 3_000, 999_999)), Refused(PriceAboveBound));
		assert!(matches!(redeem_voucher(voucher(&key, 3_000, 1_000_000)), Accepted(_)));
		// What was paid counts no more, neither the money nor the bytes.
		assert_eq!(
			redeem_voucher(voucher(&key, 6_001, 2_000_000)),
			Refused(PriceAboveBound)
		);
		assert_eq!(
			redeem_voucher(voucher(&key, 6_000, 1_999_999)),
			Refused(PriceAboveBound)
		);
		assert!(matches!(redeem_voucher(voucher(&key, 6_000, 2_000_000)), Accepted(_)));
	});
}

/// A winner for stream 1 at the highest price, signed now for the longest life.
fn fair(session: &KeyPair, nonce: u32) -> WinningTicket {
	priced(session, nonce, 1_000_000, 6_000, 1 << 63).unwrap()
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
		assert_ok!(StreamKeys::set_terms(RuntimeOrigin::signed(CAROL), StreamId(1), other));
		// The last block of the old terms.
		let last = MAX_TICKET_LIFE;
		run_to(last);
		let (early, late) = (fair(&key, 0), fair(&key, 1));
		run_to(last + 1);
		let after = fair(&key, 2);
		assert_eq!(gains([CAROL], early), [600]);
		assert_eq!(redeem_one(after), Refused(PriceAboveBound));
		let cheap = priced(&key, 3, 1_000_000, 2_000, 1 << 63).unwrap();
		assert_eq!(gains([CAROL], cheap), [600]);
		// In the last block of its life.
		run_to(last + MAX_TICKET_LIFE);
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
		assert_ok!(StreamKeys::set_terms(RuntimeOrigin::signed(CAROL), StreamId(1), dearer));
		run_to(MAX_TICKET_LIFE);
		let dear = priced(&key, 0, 500_000, 6_000, 1 << 63).unwrap();
		assert_eq!(redeem_one(dear.clone()), Refused(PriceAboveBound));
		run_to(MAX_TICKET_LIFE + 1);
		assert!(matches!(redeem_one(dear), Accepted(_)));
	});
}

#[test]
fn holding_a_ticket_back_does_not_change_whom_it_pays() {
	ExtBuilder.build_and_execute(|| {
		let key = open_session();
		mint_priced();
		let offer = RentOffer { price: 0, blocks: 50 };
		assert_ok!(StreamKeys::set_rent(
			RuntimeOrigin::signed(CAROL),
			StreamId(1),
			Some(offer)
		));
		run_to(9);
		let before = fair(&key, 0);
		run_to(10);
		assert_ok!(StreamKeys::rent(
			RuntimeOrigin::signed(BOB),
			StreamId(1),
			self::key(9).public(),
			0,
			50
		));
		let tip = || Broker::tip(RuntimeOrigin::signed(ALICE), StreamId(1), USDC);
		let during = fair(&key, 1);
		assert_eq!(gains([CAROL, BOB], before), [600, 0]);
		run_to(59);
		let (owned, rented) = (total(&CAROL), total(&BOB));
		assert_ok!(tip());
		assert_eq!((total(&CAROL), total(&BOB)), (owned, rented + USDC));
		let last = fair(&key, 2);
		let owed = voucher(&key, 3_000, 1_000_000);
		run_to(60);
		assert_ok!(tip());
		assert_eq!((total(&CAROL), total(&BOB)), (owned + USDC, rented + USDC));
		let after = fair(&key, 3);
		assert_eq!(gains([CAROL, BOB], after), [600, 0]);
		run_to(500);
		assert_eq!(gains([CAROL, BOB], during.clone()), [0, 600]);
		assert_eq!(gains([CAROL, BOB], last), [0, 600]);
		let rented = total(&BOB);
		let paid = Payout {
			relayer: 2_640,
			broadcaster: 300,
			treasury: 60,
		};
		assert_eq!(redeem_voucher(owed), Accepted(paid));
		assert_eq!(total(&BOB), rented + 300);
		// The figures of an explanation are those of the payment.
		let explained = Broker::explain_ticket(&during);
		assert_eq!(explained.broadcaster, Some(AccountId(BOB.into())));
	});
}

#[test]
fn a_burnt_stream_pays_what_was_signed_before_and_nothing_else() {
	ExtBuilder.build_and_execute(|| {
		let key = open_session();
		mint_priced();
		assert_ok!(StreamKeys::burn(RuntimeOrigin::signed(CAROL), StreamId(1)));
		run_to(MAX_TICKET_LIFE);
		let (early, late) = (fair(&key, 0), fair(&key, 1));
		run_to(MAX_TICKET_LIFE + 1);
		let after = fair(&key, 2);
		assert_eq!(gains([CAROL], early), [600]);
		assert_eq!(redeem_one(after), Refused(UnknownStream));
		frame_support::assert_noop!(
			Broker::tip(RuntimeOrigin::signed(ALICE), StreamId(1), USDC),
			crate::Error::<Test>::UnknownStream
		);
		run_to(2 * MAX_TICKET_LIFE);
		assert_eq!(gains([CAROL], late), [600]);
	});
}
