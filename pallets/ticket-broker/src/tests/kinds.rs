//! What a payment is for: bytes at a bounded price, or anything else at any price, out of a limit of its own.

use crate::{mock::*, Sessions, VouchersPaid};
use clustercast_primitives::{
	amount::{MAX_TICKET_BYTES, TICKET_BYTES, USDC},
	chain::{
		StreamTerms,
		TicketRefusal::{BadBytes, PriceAboveBound, SessionLimitReached},
		TicketVerdict::{self, Accepted, Refused},
		PPM,
	},
	crypto::KeyPair,
	receipt::Kind,
	AccountId, Balance, Hash, StreamId, Ticket, Voucher,
};
use frame_support::assert_ok;

/// A session of Alice that may spend 2 USDC by bytes and 5 USDC beside.
fn session() -> KeyPair {
	let key = key(1);
	deposit(ALICE, MAX_DEPOSIT);
	assert_ok!(try_authorize(ALICE, &key, 2 * USDC, 5 * USDC, 10_000));
	key
}

/// What becomes of Alice's ticket of this kind for stream 1.
fn redeem_ticket(session: &KeyPair, nonce: u64, kind: Kind, bytes: u64, face_value: Balance) -> TicketVerdict {
	let ticket = Ticket {
		kind,
		bytes,
		face_value,
		..about(1, ticket(session, nonce))
	};
	redeem_one(signed(session, ticket))
}

/// What becomes of Alice's voucher of this kind for stream 1.
fn redeem_voucher(session: &KeyPair, kind: Kind, bytes: u64, amount: Balance) -> TicketVerdict {
	let voucher = Voucher {
		sender: AccountId(ALICE.into()),
		session: session.public(),
		recipient: AccountId(RELAYER.into()),
		stream: StreamId(1),
		kind,
		context: Hash([1; 32]),
		terms: 0,
		amount,
		bytes,
		expiry: latest(),
	};
	let signed = session.sign(voucher, &genesis());
	let verdict = Broker::check_vouchers(std::slice::from_ref(&signed))[0];
	let vouchers = vec![signed].try_into().unwrap();
	assert_ok!(Broker::redeem_vouchers(RuntimeOrigin::signed(RELAYER), vouchers));
	verdict
}

/// 1,000 micro-USDC per GB, and no more.
fn mint_cheap() {
	let terms = StreamTerms {
		price_per_gb: 1_000,
		max_surge_ppm: PPM,
		broadcaster_share_ppm: 0,
	};
	mint_at(CAROL, terms).unwrap();
}

/// By bytes and beside.
fn spent(session: &KeyPair) -> (Balance, Balance) {
	let session = Sessions::<Test>::get(session.public()).unwrap();
	(session.spent, session.extra_spent)
}

#[test]
fn a_tickets_bytes_are_rounded_and_bounded() {
	ExtBuilder.build_and_execute(|| {
		let key = session();
		mint(CAROL, 0);
		for kind in [Kind::LIVE, Kind::REPLAY, Kind::REPAIR, Kind(127)] {
			for bytes in [1, TICKET_BYTES - 1, TICKET_BYTES + 1, MAX_TICKET_BYTES, u64::MAX] {
				assert_eq!(
					redeem_ticket(&key, 0, kind, bytes, 1_000),
					Refused(BadBytes),
					"{kind}, {bytes}"
				);
			}
		}
		let most = MAX_TICKET_BYTES - TICKET_BYTES;
		for (nonce, bytes) in [(0, TICKET_BYTES), (1, 2 * TICKET_BYTES), (2, most)] {
			assert!(
				matches!(redeem_ticket(&key, nonce, Kind::LIVE, bytes, 1_000), Accepted(_)),
				"{bytes}"
			);
		}
		// None is a multiple, but costs nothing.
		assert_eq!(redeem_ticket(&key, 3, Kind::LIVE, 0, 1_000), Refused(PriceAboveBound));
	});
}

#[test]
fn what_is_not_by_bytes_has_none() {
	ExtBuilder.build_and_execute(|| {
		let key = session();
		mint_cheap();
		for kind in [Kind::CAPACITY, Kind::ACCESS, Kind(255)] {
			for bytes in [1, TICKET_BYTES] {
				assert_eq!(
					redeem_ticket(&key, 0, kind, bytes, USDC),
					Refused(BadBytes),
					"{kind}, {bytes}"
				);
				assert_eq!(
					redeem_voucher(&key, kind, bytes, USDC),
					Refused(BadBytes),
					"{kind}, {bytes}"
				);
			}
		}
		assert!(matches!(redeem_ticket(&key, 0, Kind::ACCESS, 0, USDC), Accepted(_)));
		assert!(matches!(redeem_voucher(&key, Kind::CAPACITY, 0, USDC), Accepted(_)));
	});
}

#[test]
fn what_is_not_by_bytes_has_any_price_and_is_no_reputation() {
	ExtBuilder.build_and_execute(|| {
		let key = session();
		mint_cheap();
		// By bytes a GB costs 1,000.
		let gigabyte = 15_259 * TICKET_BYTES;
		assert_eq!(
			redeem_ticket(&key, 0, Kind::LIVE, gigabyte, USDC),
			Refused(PriceAboveBound)
		);
		assert_eq!(
			redeem_voucher(&key, Kind::LIVE, gigabyte, USDC),
			Refused(PriceAboveBound)
		);
		assert!(matches!(redeem_ticket(&key, 0, Kind::ACCESS, 0, USDC), Accepted(_)));
		assert!(matches!(redeem_voucher(&key, Kind::CAPACITY, 0, USDC), Accepted(_)));
		assert_eq!(Reported::get(), []);
		assert!(matches!(
			redeem_ticket(&key, 1, Kind::LIVE, gigabyte, 1_000),
			Accepted(_)
		));
		assert!(matches!(
			redeem_voucher(&key, Kind::REPLAY, gigabyte, 1_000),
			Accepted(_)
		));
		let delivered = (RELAYER, ALICE, gigabyte, 1_000);
		assert_eq!(Reported::get(), [delivered.clone(), delivered]);
	});
}

#[test]
fn each_kind_is_charged_to_its_limit() {
	ExtBuilder.build_and_execute(|| {
		let key = session();
		mint(CAROL, 0);
		let ticket = |nonce, kind, amount| {
			let bytes = if kind == Kind::LIVE { TICKET_BYTES * 16 } else { 0 };
			redeem_ticket(&key, nonce, kind, bytes, amount)
		};
		// Neither limit helps the other one.
		assert_eq!(ticket(0, Kind::LIVE, 2 * USDC + 1), Refused(SessionLimitReached));
		assert!(matches!(ticket(0, Kind::LIVE, 2 * USDC), Accepted(_)));
		assert_eq!(spent(&key), (2 * USDC, 0));
		assert_eq!(ticket(1, Kind::LIVE, 1_000), Refused(SessionLimitReached));
		assert_eq!(ticket(1, Kind::ACCESS, 5 * USDC + 1), Refused(SessionLimitReached));
		assert!(matches!(ticket(1, Kind::ACCESS, 3 * USDC), Accepted(_)));
		assert!(matches!(redeem_voucher(&key, Kind::CAPACITY, 0, 2 * USDC), Accepted(_)));
		assert_eq!(spent(&key), (2 * USDC, 5 * USDC));
		assert_eq!(
			redeem_voucher(&key, Kind::CAPACITY, 0, 2 * USDC + 1_000),
			Refused(SessionLimitReached)
		);
		assert_eq!(ticket(2, Kind(200), 1_000), Refused(SessionLimitReached));
		assert_eq!(deposited(&ALICE), MAX_DEPOSIT - 7 * USDC);
	});
}

#[test]
fn a_session_without_a_second_limit_pays_by_bytes_alone() {
	ExtBuilder.build_and_execute(|| {
		let key = open_session();
		mint(CAROL, 0);
		assert_eq!(
			redeem_ticket(&key, 0, Kind::ACCESS, 0, 1_000),
			Refused(SessionLimitReached)
		);
		assert!(matches!(
			redeem_ticket(&key, 0, Kind::LIVE, TICKET_BYTES, 1_000),
			Accepted(_)
		));
	});
}

#[test]
fn each_place_adds_up_alone() {
	ExtBuilder.build_and_execute(|| {
		let key = session();
		mint(CAROL, 0);
		let bytes = 16_384 * TICKET_BYTES;
		assert!(matches!(redeem_voucher(&key, Kind::LIVE, bytes, USDC), Accepted(_)));
		// What was owed for one kind is not owed for another.
		assert!(matches!(redeem_voucher(&key, Kind::REPLAY, bytes, USDC), Accepted(_)));
		assert!(matches!(redeem_voucher(&key, Kind::CAPACITY, 0, USDC), Accepted(_)));
		assert_eq!(spent(&key), (2 * USDC, USDC));
		let paid: Vec<_> = VouchersPaid::<Test>::iter_prefix_values(key.public())
			.map(|paid| paid.amount)
			.collect();
		assert_eq!(paid, [USDC; 3]);
	});
}
