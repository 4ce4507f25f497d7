//! What one party alone does so that what it signed pays nobody. Each test is an attack on an honest relayer, which holds a
//! promise of Alice.

use crate::{mock::*, Error, Unlocks};
use clustercast_primitives::{
	amount::{ticket_bytes, USDC},
	chain::{
		TicketRefusal::*,
		TicketVerdict::{Accepted, Refused},
	},
	crypto::KeyPair,
	receipt::Kind,
	AccountId, Balance, Hash, PublicKey, SignedVoucher, StreamId, Tip, Voucher,
};
use frame_support::assert_ok;
use sp_runtime::AccountId32;

/// Relays for Alice and gives her back what she pays it.
const ACCOMPLICE: AccountId32 = BOB;

fn voucher(session: &KeyPair, recipient: AccountId32, stream: StreamId, amount: Balance) -> SignedVoucher {
	let voucher = Voucher {
		sender: AccountId(ALICE.into()),
		session: session.public(),
		recipient: AccountId(recipient.into()),
		stream,
		kind: Kind::LIVE,
		context: Hash([0; 32]),
		terms: 0,
		amount,
		bytes: ticket_bytes((amount * 500) as u64),
		expiry: grid(System::block_number() + 100),
	};
	session.sign(voucher, &genesis())
}

fn redeem_vouchers(who: AccountId32, vouchers: Vec<SignedVoucher>) {
	assert_ok!(Broker::redeem_vouchers(
		RuntimeOrigin::signed(who),
		vouchers.try_into().unwrap()
	));
}

/// A tip burns the nonce of a ticket that won.
#[test]
fn a_tip_burns_a_winner() {
	ExtBuilder.build_and_execute(|| {
		let session = open_session();
		let honest = winner(&session, 7);
		let tip = Tip {
			sender: AccountId(ALICE.into()),
			session: session.public(),
			stream: STREAM,
			amount: MIN_FACE_VALUE,
			reward: 0,
			nonce: 7,
			expiry: honest.signed.message.expiry,
		};
		assert_ok!(Broker::submit_tip(
			RuntimeOrigin::signed(ACCOMPLICE),
			session.sign(tip, &genesis())
		));
		assert_eq!(redeem_one(honest), Refused(AlreadyRedeemed));
	});
}

/// A ticket for somebody else burns the nonce of a ticket that won.
#[test]
fn another_ticket_burns_a_winner() {
	ExtBuilder.build_and_execute(|| {
		let session = open_session();
		let honest = winner(&session, 7);
		let own = signed(&session, to(ACCOMPLICE, ticket(&session, 7)));
		assert!(matches!(redeem_one(own), Accepted(_)));
		assert_eq!(redeem_one(honest), Refused(AlreadyRedeemed));
	});
}

/// The deposit leaves at once as a tip to one's own stream.
#[test]
fn the_deposit_leaves_as_a_tip() {
	ExtBuilder.build_and_execute(|| {
		let session = open_session();
		let honest = winner(&session, 7);
		assert_ok!(Broker::tip_from_deposit(
			RuntimeOrigin::signed(ALICE),
			STREAM,
			MAX_DEPOSIT
		));
		assert_eq!(redeem_one(honest), Refused(DepositTooSmall));
	});
}

/// The deposit leaves at once through tickets to one's own relayer, which keeps 98 % for a stream of one's own.
#[test]
fn the_deposit_leaves_as_a_ticket() {
	ExtBuilder.build_and_execute(|| {
		let session = open_session();
		let honest = winner(&session, 7);
		let mut own = to(ACCOMPLICE, ticket(&session, 8));
		(own.face_value, own.bytes) = (MAX_DEPOSIT, 65_536 * 1_000_000);
		assert!(matches!(redeem_one(signed(&session, own)), Accepted(_)));
		assert_eq!(redeem_one(honest), Refused(DepositTooSmall));
	});
}

/// The session's limit is used up by a ticket to one's own relayer, while the deposit stays.
#[test]
fn the_limit_is_used_up() {
	ExtBuilder.build_and_execute(|| {
		let session = key(1);
		deposit(ALICE, MAX_DEPOSIT);
		authorize(ALICE, &session, USDC, 10_000);
		let honest = winner(&session, 7);
		let mut own = to(ACCOMPLICE, ticket(&session, 8));
		(own.face_value, own.bytes) = (USDC, 65_536 * 100_000);
		assert!(matches!(redeem_one(signed(&session, own)), Accepted(_)));
		assert_eq!(redeem_one(honest), Refused(SessionLimitReached));
	});
}

/// The places of a session are filled with vouchers to oneself; the relayer's first voucher finds none.
#[test]
fn the_places_are_filled() {
	ExtBuilder.build_and_execute(|| {
		let session = open_session();
		for n in 0..MAX_PAYEES as u64 {
			mint(CAROL, 0);
			redeem_vouchers(
				ACCOMPLICE,
				vec![voucher(&session, ACCOMPLICE, StreamId(n), MIN_FACE_VALUE)],
			);
		}
		let honest = voucher(&session, RELAYER, STREAM, USDC);
		assert_eq!(Broker::check_vouchers(&[honest]), [Refused(TooManyPayees)]);
	});
}

/// A voucher for the relayer that states more bytes than it delivered, handed in by a stranger, makes its own look old.
#[test]
fn a_stranger_hands_in_a_voucher_with_more_bytes() {
	ExtBuilder.build_and_execute(|| {
		let session = open_session();
		let honest = voucher(&session, RELAYER, STREAM, USDC);
		let mut poison = voucher(&session, RELAYER, STREAM, MIN_FACE_VALUE).message;
		poison.bytes = 65_536 << 20;
		redeem_vouchers(ACCOMPLICE, vec![session.sign(poison, &genesis())]);
		assert_eq!(Broker::check_vouchers(&[honest]), [Refused(NothingNew)]);
	});
}

/// All that is unlocking leaves as a tip, and the account with it; what is written of it stays.
#[test]
fn an_unlock_outlives_its_account() {
	ExtBuilder.build().execute_with(|| {
		let alice = || RuntimeOrigin::signed(ALICE);
		deposit(ALICE, MAX_DEPOSIT);
		assert_ok!(Broker::request_unlock(alice(), MAX_DEPOSIT));
		assert_ok!(Broker::tip_from_deposit(alice(), STREAM, MAX_DEPOSIT));
		assert_ok!(Balances::transfer_all(alice(), CAROL, false));
		assert!(Unlocks::<Test>::contains_key(ALICE));
		assert!(Broker::do_try_state().is_err());
	});
}

/// A session lives for ever and costs nothing; its key may be a stranger's, who can't use it then.
#[test]
fn a_strangers_key_is_registered_for_ever() {
	ExtBuilder.build_and_execute(|| {
		let strangers: PublicKey = key(9).public();
		authorize(BOB, strangers, 1, u32::MAX);
		let refused = Broker::authorize_session(RuntimeOrigin::signed(ALICE), strangers, USDC, 0, 1_000);
		assert_eq!(refused, Err(Error::<Test>::SessionExists.into()));
	});
}
