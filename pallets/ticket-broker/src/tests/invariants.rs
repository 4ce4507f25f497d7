//! Each invariant of `try_state` is broken by hand once and found; no sequence of calls breaks one, creates or loses
//! money, pays anything twice, or takes from a recipient what is reserved for it.

use crate::{
	mock::*, weights::WeightInfo, Channel, Channels, End, Ends, Error, Event, HoldReason, Ledger, Ledgers, OldestEnd,
	Relayers, Session, Sessions, SessionsOf, Treasury, Unlocks, VoucherTotals, VouchersPaid,
};
use clustercast_primitives::{
	amount::{ticket_bytes, TICKET_BYTES, USDC},
	chain::{TicketRefusal, TicketVerdict, Unlocking},
	channel::{Close, Release, Reservation},
	receipt::Kind,
	ticket::EXPIRY_GRID,
	AccountId, Balance, Hash, PublicKey, SignedTip, SignedVoucher, StreamId, Ticket, Tip, Voucher, WinningTicket,
};
use frame_support::{
	assert_ok,
	dispatch::DispatchResult,
	storage::with_storage_layer,
	traits::{fungible::MutateHold, Hooks},
};
use proptest::prelude::*;
use sp_runtime::AccountId32;
use std::collections::{BTreeMap, BTreeSet};

/// What the relayer has of Alice in [`complaint`], reserved.
const OPEN: Balance = 5 * USDC;

/// Breaks the state by `damage` and returns what `try_state` says.
fn complaint(damage: impl FnOnce()) -> String {
	ExtBuilder.build().execute_with(|| {
		let session = open_session();
		redeem(vec![winner(&session, 0)]);
		assert_ok!(Broker::request_unlock(RuntimeOrigin::signed(ALICE), USDC));
		assert_ok!(reserve(0, 1, 3, 1, OPEN + USDC / 2, 0, 0));
		assert_ok!(close(0, 1, 3, 1, 0));
		// And what Bob, a relayer, paid in shares.
		Bonded::set(vec![BOB]);
		deposit(BOB, USDC);
		authorize(BOB, &key(2), USDC, 10_000);
		redeem(vec![signed(&key(2), from(BOB, ticket(&key(2), 0)))]);
		assert_ok!(Broker::do_try_state());
		damage();
		let sp_runtime::DispatchError::Other(text) = Broker::do_try_state().unwrap_err() else {
			panic!("try_state fails with a text");
		};
		text.into()
	})
}

#[test]
fn constants_agree() {
	ExtBuilder.build_and_execute(Broker::integrity_test);
}

#[test]
#[should_panic(expected = "a deposit must outlast the tickets signed against it")]
fn an_unlock_within_a_tickets_life_is_found() {
	UnlockDelay::set(MAX_TICKET_LIFE);
	Broker::integrity_test();
}

#[test]
#[should_panic(expected = "what is reserved must outlast the tickets that it pays")]
fn a_channel_that_ends_within_a_tickets_life_is_found() {
	ChannelDelay::set(MAX_TICKET_LIFE);
	Broker::integrity_test();
}

#[test]
#[should_panic(expected = "a session must outlast its tickets")]
fn a_session_shorter_than_a_ticket_is_found() {
	MaxSessionLife::set(MAX_TICKET_LIFE);
	Broker::integrity_test();
}

#[test]
#[should_panic(expected = "shares are set aside longer than tickets live")]
fn shares_that_tickets_outlive_are_found() {
	ShareMemory::set(MAX_TICKET_LIFE);
	Broker::integrity_test();
}

#[test]
fn constants_may_be_as_small_as_they_must() {
	UnlockDelay::set(MAX_TICKET_LIFE + 1);
	ChannelDelay::set(MAX_TICKET_LIFE + 1);
	MaxSessionLife::set(MAX_TICKET_LIFE + 1);
	ShareMemory::set(MAX_TICKET_LIFE + 1);
	TreasuryShare::set(700_000);
	MaxDeposit::set(MIN_FACE_VALUE);
	ExtBuilder.build_and_execute(Broker::integrity_test);
}

#[test]
#[should_panic(expected = "a stream's terms must be remembered as long as tickets live")]
fn terms_that_tickets_outlive_are_found() {
	ChangeDelay::set(MAX_TICKET_LIFE - 1);
	Broker::integrity_test();
}

#[test]
#[should_panic(expected = "the longest life is on the grid of expiries")]
fn a_longest_life_off_the_grid_is_found() {
	MaxTicketLife::set(MAX_TICKET_LIFE - 1);
	Broker::integrity_test();
}

#[test]
#[should_panic(expected = "shares cannot exceed the whole")]
fn shares_of_more_than_everything_are_found() {
	TreasuryShare::set(700_001);
	Broker::integrity_test();
}

#[test]
#[should_panic(expected = "a ticket is worth something")]
fn a_ticket_for_nothing_is_found() {
	MinFaceValue::set(0);
	Broker::integrity_test();
}

#[test]
#[should_panic(expected = "a deposit must be able to pay a ticket")]
fn a_cap_below_every_ticket_is_found() {
	MaxDeposit::set(MIN_FACE_VALUE - 1);
	Broker::integrity_test();
}

#[test]
#[should_panic(expected = "bounds allow something")]
fn a_batch_of_none_is_found() {
	MaxBatch::set(0);
	Broker::integrity_test();
}

#[test]
#[should_panic(expected = "bounds allow something")]
fn no_sessions_at_all_is_found() {
	MaxSessions::set(0);
	Broker::integrity_test();
}

/// The relayer's channel of Alice's session, changed.
fn channel(change: impl FnOnce(&mut Channel)) -> String {
	complaint(|| {
		Channels::<Test>::mutate(key(1).public(), RELAYER, |channel| change(channel.as_mut().unwrap()));
	})
}

/// Alice's session, changed.
fn session(change: impl FnOnce(&mut Session<AccountId32>)) -> String {
	complaint(|| {
		Sessions::<Test>::mutate(key(1).public(), |session| change(session.as_mut().unwrap()));
	})
}

/// Holds a micro-USDC more.
fn hold(reason: HoldReason, who: &AccountId32) -> String {
	complaint(|| Balances::hold(&RuntimeHoldReason::from(reason), who, 1).unwrap())
}

#[test]
fn a_hold_that_no_channel_explains_is_found() {
	let expected = "1: what is held is not what is reserved";
	assert_eq!(hold(HoldReason::Reserved, &ALICE), expected);
	assert_eq!(hold(HoldReason::Reserved, &CAROL), expected);
	let more = |channel: &mut Channel| (channel.cap, channel.open) = (channel.cap + 1, channel.open + 1);
	assert_eq!(channel(more), expected);
	assert_eq!(channel(|channel| channel.open -= 1), expected);
	// Nobody's account reserves.
	let text = complaint(|| {
		let (key, end) = (key(9).public(), 1_000 + CHANNEL_DELAY - MAX_TICKET_LIFE);
		let known = Sessions::<Test>::get(self::key(1).public()).unwrap();
		let (owner, expiry) = (NOBODY, 1_000);
		Sessions::<Test>::insert(key, Session { owner, expiry, ..known });
		assert_ok!(SessionsOf::<Test>::try_append(NOBODY, key));
		Ends::<Test>::insert(end, End::<AccountId32>::Session(key), ());
		let (counter, cap, open) = (1, 7, 7);
		Channels::<Test>::insert(
			key,
			RELAYER,
			Channel {
				counter,
				cap,
				open,
				..Channel::default()
			},
		);
	});
	assert_eq!(text, "1: an account that does not exist reserves");
}

#[test]
fn a_broken_list_of_sessions_is_found() {
	let (known, unknown) = (key(1).public(), key(9).public());
	let text = complaint(|| SessionsOf::<Test>::insert(CAROL, sp_runtime::BoundedVec::default()));
	assert_eq!(text, "2: an empty list of sessions is stored");
	let text = complaint(|| SessionsOf::<Test>::try_append(CAROL, known).unwrap());
	assert_eq!(text, "2: a listed session is not its owner's");
	let text = complaint(|| SessionsOf::<Test>::try_append(ALICE, unknown).unwrap());
	assert_eq!(text, "2: a listed session is not its owner's");
	let text = complaint(|| SessionsOf::<Test>::try_append(BOB, key(2).public()).unwrap());
	assert_eq!(text, "2: a session is in no list, or in two");
	let text = complaint(|| SessionsOf::<Test>::remove(BOB));
	assert_eq!(text, "2: a session is in no list, or in two");
}

#[test]
fn a_sessions_deposit_that_is_not_held_is_found() {
	let expected = "2: a session's deposit is not held";
	assert_eq!(session(|session| session.deposit += 1), expected);
	assert_eq!(session(|session| session.deposit = 0), expected);
	assert_eq!(hold(HoldReason::Session, &CAROL), expected);
	let text = complaint(|| {
		let (key, end) = (key(9).public(), 1_000 + CHANNEL_DELAY - MAX_TICKET_LIFE);
		let known = Sessions::<Test>::get(self::key(1).public()).unwrap();
		let (owner, expiry) = (NOBODY, 1_000);
		Sessions::<Test>::insert(key, Session { owner, expiry, ..known });
		assert_ok!(SessionsOf::<Test>::try_append(NOBODY, key));
		Ends::<Test>::insert(end, End::<AccountId32>::Session(key), ());
	});
	assert_eq!(text, "2: an account that does not exist has a session");
}

#[test]
fn a_session_that_overspent_is_found() {
	let expected = "3: a session spent more than its limits";
	assert_eq!(session(|session| session.limit = session.spent - 1), expected);
	assert_eq!(
		session(|session| session.extra_spent = session.extra_limit + 1),
		expected
	);
	assert_eq!(
		session(|session| session.spent = OPEN - 1),
		"3: what is reserved is not spent"
	);
}

#[test]
fn a_channel_that_should_not_be_there_is_found() {
	let expected = "4: a channel reserves more than its cap leaves";
	assert_eq!(channel(|channel| channel.cap -= 1), expected);
	assert_eq!(channel(|channel| channel.paid += 1), expected);
	assert_eq!(channel(|channel| channel.paid = Balance::MAX), expected);
	assert_eq!(channel(|channel| channel.counter = 0), expected);
	let text = complaint(|| Channels::<Test>::insert(key(9).public(), RELAYER, Channel::default()));
	assert_eq!(text, "4: a channel of a session that does not exist");
}

#[test]
fn an_unlock_that_cannot_be_is_found() {
	let with = |who: AccountId32, amount: Balance| {
		complaint(|| Unlocks::<Test>::insert(who, Unlocking { amount, unlocks_at: 1 }))
	};
	assert_eq!(with(ALICE, 0), "5: nothing is unlocking");
	assert_eq!(with(CAROL, 1), "5: an account without a deposit is unlocking");
	assert_eq!(with(NOBODY, 1), "5: an account without a deposit is unlocking");
}

#[test]
fn a_lost_treasury_is_found() {
	assert_eq!(complaint(Treasury::<Test>::kill), "6: there is no treasury");
	let text = complaint(|| Treasury::<Test>::put(NOBODY));
	assert_eq!(text, "6: the treasury's account does not exist");
}

#[test]
fn shares_that_do_not_add_up_are_found() {
	let expected = "6: what is set aside is not what is credited";
	assert_eq!(hold(HoldReason::Shares, &TREASURY), expected);
	assert_eq!(complaint(|| Treasury::<Test>::put(ALICE)), expected);
	let ledger = |change: fn(&mut Ledger<AccountId32>)| {
		complaint(|| Ledgers::<Test>::mutate((BOB, STREAM, 0), |ledger| change(ledger.as_mut().unwrap())))
	};
	assert_eq!(ledger(|ledger| ledger.credit.broadcaster += 1), expected);
	assert_eq!(ledger(|ledger| ledger.credit.treasury -= 1), expected);
	assert_eq!(complaint(|| Ledgers::<Test>::remove((BOB, STREAM, 0))), expected);
}

#[test]
fn vouchers_that_do_not_add_up_are_found() {
	let paid = |session: PublicKey, amount| {
		let place = (RELAYER, STREAM, Kind::LIVE, Hash([0; 32]), 0);
		VouchersPaid::<Test>::insert(session, place, VoucherTotals { amount, bytes: 1 });
	};
	let text = complaint(|| paid(key(9).public(), 1));
	assert_eq!(text, "7: vouchers of a session that does not exist");
	// Alice's session spent half a USDC, and reserves what else it spent.
	let text = complaint(|| {
		paid(key(1).public(), USDC / 2);
		assert_ok!(Broker::do_try_state());
		paid(key(1).public(), USDC / 2 + 1);
	});
	assert_eq!(text, "7: vouchers paid more than their session spent");
}

#[test]
fn what_has_no_end_is_found() {
	let closed = End::Channel(key(1).public(), RELAYER);
	let ledger = End::Ledger(BOB, STREAM, 0);
	let ends = [
		(End::Session(key(1).public()), "8: a session has no end"),
		(closed, "8: a closed channel has no end"),
		(ledger, "8: a ledger has no end"),
	];
	for (end, expected) in ends {
		let block = || Ends::<Test>::iter_keys().find(|(_, known)| *known == end).unwrap().0;
		assert_eq!(complaint(|| Ends::<Test>::remove(block(), &end)), expected);
		// Nor one that is late.
		let put_off = || {
			let block = block();
			Ends::<Test>::remove(block, &end);
			Ends::<Test>::insert(block + 1, &end, ());
		};
		assert_eq!(complaint(put_off), expected);
	}
	let text = complaint(|| OldestEnd::<Test>::put(2 + CHANNEL_DELAY));
	assert_eq!(text, "8: something should have ended");
}

/// Asks `who` for money of a session's channel, in block now + `ahead`.
fn reserve(who: u8, seed: u8, to: u8, counter: u32, cap: Balance, reward: Balance, ahead: u32) -> DispatchResult {
	let session = key(seed);
	let reservation = Reservation {
		sender: AccountId(person(who).into()),
		session: session.public(),
		recipient: AccountId(person(to).into()),
		counter,
		cap,
		reward,
		submit_by: System::block_number() + ahead,
	};
	let signed = session.sign(reservation, &genesis());
	with_storage_layer(|| Broker::reserve(RuntimeOrigin::signed(person(3)), signed))
}

/// Closes a session's channel.
fn close(who: u8, seed: u8, to: u8, counter: u32, ahead: u32) -> DispatchResult {
	let session = key(seed);
	let close = Close {
		sender: AccountId(person(who).into()),
		session: session.public(),
		recipient: AccountId(person(to).into()),
		counter,
		submit_by: System::block_number() + ahead,
	};
	let signed = session.sign(close, &genesis());
	with_storage_layer(|| Broker::close_channel(RuntimeOrigin::signed(person(5)), signed))
}

/// Viewers and relayers that steps name; the last one has no account until it is paid.
fn person(n: u8) -> AccountId32 {
	[ALICE, BOB, CAROL, RELAYER, TREASURY, NOBODY][usize::from(n) % 6].clone()
}

/// Somebody's step; numbers name people, keys, streams and earlier payments, modulo how many there are.
#[derive(Clone, Debug)]
enum Step {
	Deposit {
		who: u8,
		amount: Balance,
	},
	RequestUnlock {
		who: u8,
		amount: Balance,
	},
	CancelUnlock {
		who: u8,
	},
	Withdraw {
		who: u8,
	},
	Authorize {
		who: u8,
		key: u8,
		limit: Balance,
		extra_limit: Balance,
		life: u32,
	},
	Revoke {
		who: u8,
		key: u8,
	},
	/// Counter and cap by how much they are above those before.
	Reserve {
		who: u8,
		key: u8,
		to: u8,
		counter: u32,
		more: Balance,
		reward: Balance,
		ahead: u32,
	},
	Close {
		who: u8,
		key: u8,
		to: u8,
		counter: u32,
		ahead: u32,
	},
	/// By the recipient where there is no `by`.
	Release {
		by: Option<u8>,
		key: u8,
		to: u8,
		counter: u32,
		kept: Balance,
		registered: u32,
	},
	Redeem {
		by: Option<u8>,
		to: u8,
		tickets: Vec<Draw>,
	},
	RedeemVouchers {
		by: Option<u8>,
		to: u8,
		vouchers: Vec<Owed>,
	},
	Tip {
		who: u8,
		key: u8,
		stream: u64,
		amount: Balance,
		nonce: u64,
		from: u8,
	},
	/// A relayer bonds, or its bond is gone.
	Bond {
		who: u8,
	},
	/// A relayer names an operator, and where its money goes.
	Act {
		who: u8,
		operator: u8,
		payout: u8,
	},
	Transfer {
		who: u8,
		to: u8,
		amount: Balance,
	},
	TransferAll {
		who: u8,
		to: u8,
	},
	Mint {
		who: u8,
		share_ppm: u32,
	},
	Burn {
		who: u8,
		stream: u64,
	},
	/// Other terms of stream 0.
	Announce {
		share_ppm: u32,
	},
	Wait {
		blocks: u32,
	},
	/// As many blocks without idle time, then enough of it for so many ends.
	WaitBusy {
		blocks: u32,
		ends: u32,
	},
}

/// A voucher; for the batch's recipient where there is no other.
#[derive(Clone, Debug)]
struct Owed {
	sender: u8,
	key: u8,
	other: Option<u8>,
	stream: u64,
	terms: u32,
	kind: Kind,
	amount: Balance,
	life: u32,
}

/// A new ticket, for the batch's recipient where there is no other; or an earlier one again.
#[derive(Clone, Debug)]
enum Draw {
	New {
		sender: u8,
		key: u8,
		other: Option<u8>,
		stream: u64,
		kind: Kind,
		face_value: Balance,
		nonce: u64,
		life: u32,
	},
	Again(usize),
}

/// Mostly by bytes.
fn kind() -> impl Strategy<Value = Kind> {
	prop_oneof![4 => Just(Kind::LIVE), 1 => Just(Kind::REPLAY), 1 => Just(Kind::ACCESS)]
}

/// Nearly always on the grid.
fn expiry(life: u32) -> u32 {
	let block = System::block_number() + life;
	match life % 50 {
		7 => block,
		_ => block / EXPIRY_GRID * EXPIRY_GRID,
	}
}

/// Rarely somebody.
fn rarely(people: std::ops::Range<u8>) -> impl Strategy<Value = Option<u8>> {
	prop_oneof![9 => Just(None), 1 => people.prop_map(Some)]
}

/// Mostly the relayer.
fn recipient() -> impl Strategy<Value = u8> {
	prop_oneof![3 => Just(3), 2 => 0..6u8]
}

/// Mostly the key's own viewer.
fn signer() -> impl Strategy<Value = (u8, u8)> {
	let key = prop_oneof![8 => 0..3u8, 1 => Just(3)];
	(0..12u8, key).prop_map(|(other, key)| (if other == 0 { key + 1 } else { key }, key))
}

fn life() -> impl Strategy<Value = u32> {
	prop_oneof![15 => 0..=MAX_TICKET_LIFE, 1 => Just(MAX_TICKET_LIFE + 1)]
}

fn owed() -> impl Strategy<Value = Owed> {
	let amount = prop_oneof![900u128..3_000, 10_000u128..30_000_000];
	let stream = prop_oneof![6 => Just(0), 1 => 0..3u64];
	let terms = prop_oneof![6 => Just(0), 1 => 0..2u32];
	(signer(), rarely(0..6), stream, terms, kind(), amount, life()).prop_map(
		|((sender, key), other, stream, terms, kind, amount, life)| Owed {
			sender,
			key,
			other,
			stream,
			terms,
			kind,
			amount,
			life,
		},
	)
}

fn draw() -> impl Strategy<Value = Draw> {
	let face_value = prop_oneof![900u128..3_000, 10_000u128..5_000_000];
	let stream = prop_oneof![6 => Just(0), 1 => 0..3u64];
	let nonce = prop_oneof![10 => 0..12u64, 3 => 100..150u64, 1 => u64::MAX - 2..=u64::MAX];
	let fresh = (signer(), rarely(0..6), stream, kind(), face_value, nonce, life()).prop_map(
		|((sender, key), other, stream, kind, face_value, nonce, life)| Draw::New {
			sender,
			key,
			other,
			stream,
			kind,
			face_value,
			nonce,
			life,
		},
	);
	prop_oneof![3 => fresh, 1 => any::<usize>().prop_map(Draw::Again)]
}

fn step() -> impl Strategy<Value = Step> {
	let amount = || prop_oneof![0u128..2_000, 0u128..15_000_000, 0u128..60_000_000];
	let reward = prop_oneof![3 => Just(0), 1 => 0..20_000u128];
	let ahead = || prop_oneof![9 => 0..=MAX_TICKET_LIFE, 1 => Just(MAX_TICKET_LIFE + 1)];
	let counter = || prop_oneof![5 => Just(1u32), 1 => 0..4u32];
	let exact = || prop_oneof![9 => Just(0u32), 1 => 1..3u32];
	prop_oneof![
		3 => (0..4u8, amount()).prop_map(|(who, amount)| Step::Deposit { who, amount }),
		1 => (0..3u8, amount()).prop_map(|(who, amount)| Step::RequestUnlock { who, amount }),
		1 => (0..3u8).prop_map(|who| Step::CancelUnlock { who }),
		2 => (0..3u8).prop_map(|who| Step::Withdraw { who }),
		3 => (signer(), amount(), amount(), 0..2_000u32).prop_map(|((who, key), limit, extra_limit, life)| {
			Step::Authorize { who, key, limit, extra_limit, life }
		}),
		2 => signer().prop_map(|(who, key)| Step::Revoke { who, key }),
		6 => (signer(), recipient(), counter(), amount(), reward, ahead()).prop_map(
			|((who, key), to, counter, more, reward, ahead)| {
				Step::Reserve { who, key, to, counter, more, reward, ahead }
			}
		),
		3 => (signer(), recipient(), exact(), ahead()).prop_map(|((who, key), to, counter, ahead)| {
			Step::Close { who, key, to, counter, ahead }
		}),
		2 => (rarely(0..6), 0..3u8, recipient(), exact(), amount(), exact()).prop_map(
			|(by, key, to, counter, kept, registered)| Step::Release { by, key, to, counter, kept, registered }
		),
		8 => (rarely(0..6), recipient(), prop::collection::vec(draw(), 0..8)).prop_map(|(by, to, tickets)| {
			Step::Redeem { by, to, tickets }
		}),
		6 => (rarely(0..6), recipient(), prop::collection::vec(owed(), 0..6)).prop_map(|(by, to, vouchers)| {
			Step::RedeemVouchers { by, to, vouchers }
		}),
		2 => (signer(), prop_oneof![3 => Just(0), 1 => 0..3u64], amount(), 0..12u64, 0..3u8).prop_map(|((who, key), stream, amount, nonce, from)| {
			Step::Tip { who, key, stream, amount, nonce, from }
		}),
		1 => (1..4u8).prop_map(|who| Step::Bond { who }),
		1 => (0..6u8, 0..6u8, 0..6u8).prop_map(|(who, operator, payout)| Step::Act { who, operator, payout }),
		1 => (0..6u8, 0..6u8, amount()).prop_map(|(who, to, amount)| Step::Transfer { who, to, amount }),
		2 => (0..6u8, 0..6u8).prop_map(|(who, to)| Step::TransferAll { who, to }),
		1 => (0..3u8, 0..=300_000u32).prop_map(|(who, share_ppm)| Step::Mint { who, share_ppm }),
		1 => (0..3u8, 1..3u64).prop_map(|(who, stream)| Step::Burn { who, stream }),
		1 => (0..=300_000u32).prop_map(|share_ppm| Step::Announce { share_ppm }),
		3 => (1..300u32).prop_map(|blocks| Step::Wait { blocks }),
		2 => (600..1_500u32).prop_map(|blocks| Step::Wait { blocks }),
		1 => (1..1_500u32, 0..4u32).prop_map(|(blocks, ends)| Step::WaitBusy { blocks, ends }),
	]
}

/// A channel: session, recipient.
type Pair = ([u8; 32], [u8; 32]);

/// What a payment must not be paid twice at: session, block of its registration, recipient, nonce.
type Spent = ([u8; 32], u32, [u8; 32], u64);

/// All payments so far, those that were paid, and until when what is reserved must stay so.
#[derive(Default)]
struct History {
	tickets: Vec<WinningTicket>,
	paid: BTreeSet<Spent>,
	ids: BTreeSet<[u8; 32]>,
	tips: BTreeSet<([u8; 32], u32, u64)>,
	vouchers: Vec<SignedVoucher>,
	/// First block in which a session reserves nothing, by key.
	ends: BTreeMap<[u8; 32], u32>,
	/// The same of channels that were closed.
	closes: BTreeMap<Pair, u32>,
}

/// Open and paid of all channels.
fn channels() -> BTreeMap<Pair, (Balance, Balance)> {
	Channels::<Test>::iter()
		.map(|(session, recipient, channel)| ((session.0, recipient.into()), (channel.open, channel.paid)))
		.collect()
}

/// Block in which a session was registered.
fn registered(session: PublicKey) -> Option<u32> {
	Sessions::<Test>::get(session).map(|session| session.registered)
}

/// What is said of the payments of a batch, in the events from this one on.
fn said(from: usize) -> Vec<TicketVerdict> {
	let events = System::events().into_iter().skip(from);
	events
		.filter_map(|record| match record.event {
			RuntimeEvent::Broker(Event::TicketRedeemed { payout, .. } | Event::VoucherRedeemed { payout, .. }) => {
				Some(TicketVerdict::Accepted(payout))
			},
			RuntimeEvent::Broker(Event::TicketRefused { reason, .. } | Event::VoucherRefused { reason, .. }) => {
				Some(TicketVerdict::Refused(reason))
			},
			_ => None,
		})
		.collect()
}

/// What a batch must say: of the first one's recipient as foretold, of others that they are none.
fn expected<P: Clone>(
	payments: &[P],
	recipient: impl Fn(&P) -> [u8; 32],
	check: impl Fn(&[P]) -> Vec<TicketVerdict>,
) -> Vec<TicketVerdict> {
	let Some(first) = payments.first().map(&recipient) else {
		return Vec::new();
	};
	let own: Vec<_> = payments.iter().filter(|p| recipient(p) == first).cloned().collect();
	let mut foretold = check(&own).into_iter();
	let of = |payment| match recipient(payment) == first {
		true => foretold.next().unwrap(),
		false => TicketVerdict::Refused(TicketRefusal::NotRecipient),
	};
	payments.iter().map(of).collect()
}

/// Whether `who` may redeem a batch with this first recipient, or the error that says why not.
fn may_redeem(who: &AccountId32, first: Option<[u8; 32]>) -> DispatchResult {
	let first = first.ok_or(Error::<Test>::NothingToRedeem)?;
	let may = Delivered::may_redeem(who, &first.into());
	Ok(may.then_some(()).ok_or(Error::<Test>::NotRecipient)?)
}

impl History {
	fn ticket(&mut self, draw: Draw, to: u8) -> Option<WinningTicket> {
		match draw {
			Draw::Again(n) => n.checked_rem(self.tickets.len()).map(|n| self.tickets[n].clone()),
			Draw::New {
				sender,
				key,
				other,
				stream,
				kind,
				face_value,
				nonce,
				life,
			} => {
				let key = self::key(key);
				let recipient = person(other.unwrap_or(to));
				let plain = about(stream, self::to(recipient, from(person(sender), ticket(&key, nonce))));
				let ticket = Ticket {
					kind,
					bytes: if kind.by_bytes() { plain.bytes } else { 0 },
					face_value,
					expiry: expiry(life),
					..plain
				};
				self.tickets.push(signed(&key, ticket));
				self.tickets.last().cloned()
			},
		}
	}

	fn voucher(&mut self, owed: Owed, to: u8) -> SignedVoucher {
		let key = self::key(owed.key);
		let voucher = Voucher {
			sender: AccountId(person(owed.sender).into()),
			session: key.public(),
			recipient: AccountId(person(owed.other.unwrap_or(to)).into()),
			stream: StreamId(owed.stream),
			kind: owed.kind,
			context: Hash([0; 32]),
			terms: owed.terms,
			amount: owed.amount,
			bytes: if owed.kind.by_bytes() {
				ticket_bytes(owed.amount as u64)
			} else {
				0
			},
			expiry: expiry(owed.life),
		};
		let signed = key.sign(voucher, &genesis());
		self.vouchers.push(signed.clone());
		signed
	}

	/// What was promised to each recipient and is still to be kept, as far as the calls have said.
	fn is_over(&self, pair: &Pair, block: u32) -> bool {
		let session = self.ends.get(&pair.0).is_none_or(|end| *end <= block);
		session || self.closes.get(pair).is_some_and(|end| *end <= block)
	}

	/// Calls fail as they like; what they may not do is checked behind them. Returns a channel that was released.
	fn apply(&mut self, step: Step) -> Option<Pair> {
		let by = |who| RuntimeOrigin::signed(person(who));
		let now = System::block_number();
		let pair = |key: u8, to: u8| (self::key(key).public().0, <[u8; 32]>::from(person(to)));
		let channel = |key: u8, to: u8| Channels::<Test>::get(self::key(key).public(), person(to)).unwrap_or_default();
		let mut released = None;
		let _refused_or_not = match step {
			Step::Deposit { who, amount } => with_storage_layer(|| Broker::deposit(by(who), amount)),
			Step::RequestUnlock { who, amount } => with_storage_layer(|| Broker::request_unlock(by(who), amount)),
			Step::CancelUnlock { who } => with_storage_layer(|| Broker::cancel_unlock(by(who))),
			Step::Withdraw { who } => with_storage_layer(|| Broker::withdraw(by(who))),
			Step::Authorize {
				who,
				key,
				limit,
				extra_limit,
				life,
			} => {
				let key = self::key(key);
				let expiry = now + life;
				let outcome = with_storage_layer(|| try_authorize(person(who), &key, limit, extra_limit, expiry));
				if outcome.is_ok() {
					self.ends
						.insert(key.public().0, expiry + CHANNEL_DELAY - MAX_TICKET_LIFE);
				}
				outcome
			},
			Step::Revoke { who, key } => {
				let key = self::key(key).public();
				let outcome = with_storage_layer(|| Broker::revoke_session(by(who), key));
				if outcome.is_ok() {
					let end = self.ends.get_mut(&key.0).unwrap();
					*end = (now + CHANNEL_DELAY).min(*end);
				}
				outcome
			},
			Step::Reserve {
				who,
				key,
				to,
				counter,
				more,
				reward,
				ahead,
			} => {
				let before = channel(key, to);
				let cap = before.cap.max(before.paid) + more;
				let outcome = reserve(who, key, to, before.counter + counter, cap, reward, ahead);
				if outcome.is_ok() {
					self.closes.remove(&pair(key, to));
					assert_eq!(channel(key, to).open, cap - before.paid);
				}
				outcome
			},
			Step::Close {
				who,
				key,
				to,
				counter,
				ahead,
			} => {
				let outcome = close(who, key, to, channel(key, to).counter + counter, ahead);
				if outcome.is_ok() {
					self.closes.insert(pair(key, to), now + CHANNEL_DELAY);
				}
				outcome
			},
			Step::Release {
				by,
				key,
				to,
				counter,
				kept,
				registered,
			} => {
				let session = self::key(key).public();
				let release = Release {
					recipient: AccountId(person(to).into()),
					session,
					registered: self::registered(session).unwrap_or_default() + registered,
					counter: channel(key, to).counter + counter,
					kept,
				};
				let who = person(by.unwrap_or(to));
				let outcome = with_storage_layer(|| Broker::release(RuntimeOrigin::signed(who.clone()), release));
				if outcome.is_ok() {
					assert!(Delivered::may_redeem(&who, &person(to)));
					assert_eq!((counter, registered), (0, 0));
					released = Some(pair(key, to));
				}
				outcome
			},
			Step::Redeem { by, to, tickets } => {
				let tickets: Vec<_> = tickets.into_iter().filter_map(|draw| self.ticket(draw, to)).collect();
				self.redeem(by, tickets)
			},
			Step::RedeemVouchers { by, to, vouchers } => {
				let vouchers: Vec<_> = vouchers.into_iter().map(|owed| self.voucher(owed, to)).collect();
				self.redeem_vouchers(by, vouchers)
			},
			Step::Tip {
				who,
				key,
				stream,
				amount,
				nonce,
				from,
			} => match from {
				0 => with_storage_layer(|| Broker::tip(by(who), StreamId(stream), amount)),
				1 => with_storage_layer(|| Broker::tip_from_deposit(by(who), StreamId(stream), amount)),
				_ => {
					let key = self::key(key);
					let tip = Tip {
						sender: AccountId(person(who).into()),
						session: key.public(),
						stream: StreamId(stream),
						amount,
						reward: amount / 100,
						nonce,
						expiry: expiry(60),
					};
					self.submit_tip(key.sign(tip, &genesis()))
				},
			},
			Step::Bond { who } => {
				let who = person(who);
				Bonded::mutate(|all| match all.iter().position(|bonded| *bonded == who) {
					Some(n) => drop(all.remove(n)),
					None => all.push(who),
				});
				Ok(())
			},
			Step::Act { who, operator, payout } => {
				Acting::mutate(|all| {
					all.retain(|(relayer, ..)| *relayer != person(who));
					all.push((person(who), person(operator), person(payout)));
				});
				Ok(())
			},
			Step::Transfer { who, to, amount } => {
				with_storage_layer(|| Balances::transfer_allow_death(by(who), person(to), amount))
			},
			Step::TransferAll { who, to } => with_storage_layer(|| Balances::transfer_all(by(who), person(to), false)),
			Step::Mint { who, share_ppm } => with_storage_layer(|| try_mint(person(who), share_ppm)),
			Step::Burn { who, stream } => with_storage_layer(|| StreamKeys::burn(by(who), StreamId(stream))),
			Step::Announce { share_ppm } => {
				let terms = clustercast_primitives::chain::StreamTerms {
					broadcaster_share_ppm: share_ppm,
					..UNBOUND
				};
				with_storage_layer(|| StreamKeys::set_terms(by(2), STREAM, terms))
			},
			Step::Wait { blocks } => {
				run_to(now + blocks);
				StreamKeys::on_idle(now + blocks, frame_support::weights::Weight::MAX);
				Ok(())
			},
			Step::WaitBusy { blocks, ends } => {
				let (now, base) = (now + blocks, <() as WeightInfo>::end(0));
				System::set_block_number(now);
				let weight = <() as WeightInfo>::end(ends) + base * u64::from(blocks);
				assert!(Broker::on_idle(now, weight).all_lte(weight));
				Ok(())
			},
		};
		released
	}

	fn redeem(&mut self, by: Option<u8>, tickets: Vec<WinningTicket>) -> DispatchResult {
		let recipient = |winning: &WinningTicket| winning.signed.message.recipient.0;
		let first = tickets.first().map(recipient);
		let who = by.map(person).or(first.map(AccountId32::from)).unwrap_or(RELAYER);
		let foretold = expected(&tickets, recipient, Broker::check_tickets);
		let (events, may) = (System::events().len(), may_redeem(&who, first));
		let batch = tickets.clone().try_into().unwrap();
		let outcome = with_storage_layer(|| Broker::redeem_batch(RuntimeOrigin::signed(who), batch));
		assert_eq!(outcome.map(|_| ()).map_err(|failed| failed.error), may);
		may?;
		let verdicts = said(events);
		assert_eq!(verdicts, foretold);
		for (winning, verdict) in tickets.iter().zip(verdicts) {
			let ticket = &winning.signed.message;
			if let TicketVerdict::Accepted(payout) = verdict {
				assert!(payout.relayer <= ticket.face_value && ticket.expiry >= System::block_number());
				let registered = registered(ticket.session).unwrap();
				let spent = (ticket.session.0, registered, ticket.recipient.0, ticket.nonce);
				assert!(self.paid.insert(spent), "a nonce was paid twice");
				assert!(self.ids.insert(winning.id().0), "a ticket was paid twice");
			}
		}
		Ok(())
	}

	fn redeem_vouchers(&mut self, by: Option<u8>, vouchers: Vec<SignedVoucher>) -> DispatchResult {
		let recipient = |signed: &SignedVoucher| signed.message.recipient.0;
		let first = vouchers.first().map(recipient);
		let who = by.map(person).or(first.map(AccountId32::from)).unwrap_or(RELAYER);
		let foretold = expected(&vouchers, recipient, Broker::check_vouchers);
		let places: Vec<_> = vouchers.iter().map(|signed| signed.message.place()).collect();
		let before = Broker::vouchers_paid(&places);
		let (events, may) = (System::events().len(), may_redeem(&who, first));
		let batch = vouchers.clone().try_into().unwrap();
		let outcome = with_storage_layer(|| Broker::redeem_vouchers(RuntimeOrigin::signed(who), batch));
		assert_eq!(outcome.map(|_| ()).map_err(|failed| failed.error), may);
		may?;
		let verdicts = said(events);
		assert_eq!(verdicts, foretold);
		let after = Broker::vouchers_paid(&places);
		for (n, place) in places.iter().enumerate() {
			// No more than the largest that was signed; and something only where one of them was accepted.
			let signed = self.vouchers.iter().filter(|signed| signed.message.place() == *place);
			let largest = signed.map(|signed| signed.message.amount).max().unwrap();
			assert!(after[n].amount <= largest, "more was paid than is owed");
			let accepted =
				(0..places.len()).any(|m| places[m] == *place && matches!(verdicts[m], TicketVerdict::Accepted(_)));
			assert_eq!(after[n].amount > before[n].amount, accepted);
			if let TicketVerdict::Accepted(_) = verdicts[n] {
				assert!(vouchers[n].message.expiry >= System::block_number());
			}
		}
		Ok(())
	}

	fn submit_tip(&mut self, signed: SignedTip) -> DispatchResult {
		let (session, nonce) = (signed.message.session, signed.message.nonce);
		with_storage_layer(|| Broker::submit_tip(RuntimeOrigin::signed(RELAYER), signed))?;
		let spent = (session.0, registered(session).unwrap(), nonce);
		assert!(self.tips.insert(spent), "a tip was paid twice");
		Ok(())
	}

	/// What is reserved for a recipient shrinks by what it is paid, by its release, or when it is over; then it is gone.
	fn check_promises(&self, before: &BTreeMap<Pair, (Balance, Balance)>, released: Option<Pair>) {
		let (after, now) = (channels(), System::block_number());
		for (pair, (open_before, paid_before)) in before {
			let (open, paid) = after.get(pair).copied().unwrap_or_default();
			let shrunk = open_before.saturating_sub(open);
			let is_explained =
				shrunk <= paid.saturating_sub(*paid_before) || released == Some(*pair) || self.is_over(pair, now);
			assert!(is_explained, "{shrunk} of what was reserved are gone");
		}
		for (pair, (open, _)) in &after {
			let oldest = OldestEnd::<Test>::get();
			assert!(
				*open == 0 || !self.is_over(pair, oldest.saturating_sub(1)),
				"still reserved"
			);
		}
	}

	/// All that is reserved pays: a ticket over as much, signed now, is good.
	fn check_reserved_pays(&self) {
		for (session, recipient, channel) in Channels::<Test>::iter() {
			let known = Sessions::<Test>::get(session).unwrap();
			let expiry = grid(System::block_number());
			let key = (0..4).map(key).find(|key| key.public() == session).unwrap();
			if channel.open < MIN_FACE_VALUE || known.expiry < expiry || channel.nonces.next() == u64::MAX {
				continue;
			}
			let payout = Delivered::payout(&recipient);
			let plain = to(recipient, from(known.owner, ticket(&key, channel.nonces.next())));
			let all = Ticket {
				bytes: TICKET_BYTES << 20,
				face_value: channel.open,
				expiry,
				..plain
			};
			let verdict = Broker::check_tickets(&[signed(&key, all)])[0];
			let may_be_dust = total(&payout) == 0 && channel.open < 2 * EXISTENTIAL_DEPOSIT;
			assert!(
				matches!(verdict, TicketVerdict::Accepted(_))
					|| may_be_dust && verdict == TicketVerdict::Refused(TicketRefusal::CannotReceive),
				"{verdict:?}"
			);
		}
	}
}

/// Plays a sequence, with these people as bonded relayers.
fn play(steps: Vec<Step>, bonded: &[u8]) {
	ExtBuilder.build_and_execute(|| {
		Bonded::set(bonded.iter().map(|n| person(*n)).collect());
		Acting::set(Vec::new());
		let issuance = Balances::total_issuance();
		let mut history = History::default();
		// Everybody ready to pay, and part of it reserved, so that most sequences get to redeem something.
		for n in 0..3 {
			deposit(person(n), 10 * USDC);
			let (limit, extra_limit, life) = (20 * USDC, 10 * USDC, 3_000);
			history.apply(Step::Authorize {
				who: n,
				key: n,
				limit,
				extra_limit,
				life,
			});
			assert_ok!(reserve(n, n, 3, 1, 3 * USDC, 0, 0));
		}
		history.apply(Step::RequestUnlock {
			who: 0,
			amount: 10 * USDC,
		});
		for step in steps {
			System::reset_events();
			let before = channels();
			let released = history.apply(step);
			history.check_promises(&before, released);
			try_state();
			let sum: Balance = frame_system::Account::<Test>::iter_keys().map(|who| total(&who)).sum();
			assert_eq!((sum, Balances::total_issuance()), (issuance, issuance));
		}
		history.check_reserved_pays();
	});
}

// 10,000 sequences in all.
proptest! {
	#![proptest_config(ProptestConfig { cases: 5_000, max_shrink_iters: 2_000, ..ProptestConfig::default() })]

	#[test]
	fn no_sequence_of_viewers_calls_breaks_an_invariant(steps in prop::collection::vec(step(), 1..12)) {
		play(steps, &[]);
	}

	#[test]
	fn no_sequence_of_relayers_that_buy_breaks_an_invariant(
		steps in prop::collection::vec(step(), 1..12),
		bonded in prop::sample::subsequence(vec![1, 2, 3], 1..=3),
	) {
		play(steps, &bonded);
	}
}
