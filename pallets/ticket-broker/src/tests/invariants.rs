//! Each invariant of `try_state` is broken by hand once and found; no sequence of calls breaks one, creates or loses
//! money, or pays a ticket twice.

use crate::{
	mock::*, HoldReason, NonceBitmap, OldestEpoch, Sessions, SessionsOf, SpentNonces, Treasury, Unlocks, VoucherTotals,
	VouchersPaid,
};
use clustercast_primitives::{
	amount::{ticket_bytes, USDC},
	chain::{TicketVerdict, Unlocking},
	receipt::Kind,
	ticket::EXPIRY_GRID,
	AccountId, Balance, Hash, SignedVoucher, StreamId, Ticket, Tip, Voucher, WinningTicket,
};
use frame_support::{
	assert_ok,
	traits::{fungible::MutateHold, Hooks},
};
use proptest::prelude::*;
use sp_runtime::AccountId32;
use std::collections::{BTreeMap, BTreeSet};

/// Breaks the state by `damage` and returns what `try_state` says.
fn complaint(damage: impl FnOnce()) -> String {
	ExtBuilder.build().execute_with(|| {
		let key = open_session();
		redeem(vec![winner(&key, 0)]);
		assert_ok!(Broker::request_unlock(RuntimeOrigin::signed(ALICE), USDC));
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
#[should_panic(expected = "a stream's terms must be remembered as long as tickets live")]
fn terms_that_tickets_outlive_are_found() {
	ChangeDelay::set(MAX_TICKET_LIFE - 1);
	Broker::integrity_test();
}

#[test]
#[should_panic(expected = "an epoch has blocks")]
fn an_empty_epoch_is_found() {
	EpochLength::set(0);
	Broker::integrity_test();
}

#[test]
#[should_panic(expected = "the longest life is on the grid of expiries")]
fn a_longest_life_off_the_grid_is_found() {
	MaxTicketLife::set(MAX_TICKET_LIFE - 1);
	Broker::integrity_test();
}

#[test]
#[should_panic(expected = "a bitmap is made of whole bytes")]
fn a_bitmap_with_part_of_a_byte_is_found() {
	MaxNonces::set(12);
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

#[test]
fn a_deposit_above_the_cap_is_found() {
	let reason = RuntimeHoldReason::from(HoldReason::TicketDeposit);
	let text = complaint(|| Balances::hold(&reason, &BOB, MAX_DEPOSIT + 1).unwrap());
	assert_eq!(text, "1: a deposit exceeds the cap");
}

#[test]
fn a_broken_list_of_sessions_is_found() {
	let (known, unknown) = (key(1).public(), key(2).public());
	let text = complaint(|| SessionsOf::<Test>::insert(BOB, sp_runtime::BoundedVec::default()));
	assert_eq!(text, "2: an empty list of sessions is stored");
	let text = complaint(|| SessionsOf::<Test>::try_append(BOB, known).unwrap());
	assert_eq!(text, "2: a listed session is not its owner's");
	let text = complaint(|| SessionsOf::<Test>::try_append(ALICE, unknown).unwrap());
	assert_eq!(text, "2: a listed session is not its owner's");
	let text = complaint(|| SessionsOf::<Test>::try_append(ALICE, known).unwrap());
	assert_eq!(text, "2: a session is in no list, or in two");
	let text = complaint(|| SessionsOf::<Test>::remove(ALICE));
	assert_eq!(text, "2: a session is in no list, or in two");
}

#[test]
fn a_session_that_overspent_is_found() {
	let text = complaint(|| {
		Sessions::<Test>::mutate(key(1).public(), |session| session.as_mut().unwrap().limit = 1);
	});
	assert_eq!(text, "3: a session spent more than its limits");
	let text = complaint(|| {
		Sessions::<Test>::mutate(key(1).public(), |session| session.as_mut().unwrap().extra_spent = 1);
	});
	assert_eq!(text, "3: a session spent more than its limits");
}

#[test]
fn a_bitmap_that_should_not_be_there_is_found() {
	let text = complaint(|| SpentNonces::<Test>::insert(0, key(2).public(), NonceBitmap::default()));
	assert_eq!(text, "4: a bitmap is empty or too long");
	let text = complaint(|| OldestEpoch::<Test>::put(1));
	assert_eq!(text, "4: a bitmap of an epoch that was cleared");
}

#[test]
fn an_unlock_that_cannot_be_is_found() {
	let with = |who: AccountId32, amount: Balance| {
		complaint(|| Unlocks::<Test>::insert(who, Unlocking { amount, unlocks_at: 1 }))
	};
	assert_eq!(with(BOB, 0), "5: an amount that cannot be unlocking");
	assert_eq!(with(BOB, MAX_DEPOSIT + 1), "5: an amount that cannot be unlocking");
	assert_eq!(with(NOBODY, 1), "5: an account that does not exist is unlocking");
}

#[test]
fn vouchers_that_do_not_add_up_are_found() {
	let totals = VoucherTotals { amount: 1, bytes: 1 };
	let place = || (RELAYER, STREAM, Kind::LIVE, Hash([0; 32]), 0);
	let text = complaint(|| VouchersPaid::<Test>::insert(key(1).public(), place(), totals));
	assert_eq!(text, "7: a session's places are not counted right");
	let text = complaint(|| VouchersPaid::<Test>::insert(key(2).public(), place(), totals));
	assert_eq!(text, "7: vouchers of a session that does not exist");
	let text = complaint(|| {
		let totals = VoucherTotals { amount: USDC, bytes: 1 };
		VouchersPaid::<Test>::insert(key(1).public(), place(), totals);
		Sessions::<Test>::mutate(key(1).public(), |session| session.as_mut().unwrap().payees = 1);
	});
	assert_eq!(text, "7: vouchers paid more than their session spent");
}

#[test]
fn a_lost_treasury_is_found() {
	assert_eq!(complaint(Treasury::<Test>::kill), "6: there is no treasury");
	let text = complaint(|| Treasury::<Test>::put(NOBODY));
	assert_eq!(text, "6: the treasury's account does not exist");
}

/// Somebody's step; numbers name viewers, keys, streams and earlier tickets, modulo how many there are.
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
	Reap {
		key: u8,
	},
	Redeem {
		tickets: Vec<Draw>,
	},
	RedeemVouchers {
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
	Mint {
		who: u8,
		share_ppm: u32,
	},
	Burn {
		who: u8,
		stream: u64,
	},
	Wait {
		blocks: u32,
	},
}

/// A voucher.
#[derive(Clone, Debug)]
struct Owed {
	sender: u8,
	key: u8,
	recipient: u8,
	stream: u64,
	kind: Kind,
	amount: Balance,
	life: u32,
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

fn owed() -> impl Strategy<Value = Owed> {
	let amount = prop_oneof![900u128..3_000, 10_000u128..30_000_000];
	let life = prop_oneof![15 => 0..=MAX_TICKET_LIFE, 1 => Just(MAX_TICKET_LIFE + 1)];
	let stream = prop_oneof![6 => Just(0), 1 => 0..3u64];
	(0..8u8, 0..4u8, 0..6u8, stream, kind(), amount, life).prop_map(
		|(sender, key, recipient, stream, kind, amount, life)| Owed {
			sender: if sender == 0 { key + 1 } else { key },
			key,
			recipient,
			stream,
			kind,
			amount,
			life,
		},
	)
}

/// A new ticket, or an earlier one again.
#[derive(Clone, Debug)]
enum Draw {
	New {
		sender: u8,
		key: u8,
		recipient: u8,
		stream: u64,
		kind: Kind,
		face_value: Balance,
		nonce: u64,
		life: u32,
	},
	Again(usize),
}

fn draw() -> impl Strategy<Value = Draw> {
	let face_value = prop_oneof![900u128..3_000, 10_000u128..5_000_000];
	let life = prop_oneof![15 => 0..=MAX_TICKET_LIFE, 1 => Just(MAX_TICKET_LIFE + 1)];
	let stream = prop_oneof![6 => Just(0), 1 => 0..3u64];
	let fresh = (0..8u8, 0..4u8, 0..6u8, stream, kind(), face_value, 0..12u64, life).prop_map(
		|(sender, key, recipient, stream, kind, face_value, nonce, life)| Draw::New {
			// Mostly the key's own viewer.
			sender: if sender == 0 { key + 1 } else { key },
			key,
			recipient,
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
	prop_oneof![
		3 => (0..3u8, amount()).prop_map(|(who, amount)| Step::Deposit { who, amount }),
		1 => (0..3u8, amount()).prop_map(|(who, amount)| Step::RequestUnlock { who, amount }),
		1 => (0..3u8).prop_map(|who| Step::CancelUnlock { who }),
		1 => (0..3u8).prop_map(|who| Step::Withdraw { who }),
		3 => (0..3u8, 0..4u8, amount(), amount(), 0..2_000u32).prop_map(|(who, key, limit, extra_limit, life)| {
			Step::Authorize { who, key, limit, extra_limit, life }
		}),
		1 => (0..3u8, 0..4u8).prop_map(|(who, key)| Step::Revoke { who, key }),
		1 => (0..4u8).prop_map(|key| Step::Reap { key }),
		8 => prop::collection::vec(draw(), 1..8).prop_map(|tickets| Step::Redeem { tickets }),
		6 => prop::collection::vec(owed(), 1..6).prop_map(|vouchers| Step::RedeemVouchers { vouchers }),
		2 => (0..4u8, 0..4u8, 0..3u64, amount(), 0..12u64, 0..3u8).prop_map(|(who, key, stream, amount, nonce, from)| {
			Step::Tip { who, key, stream, amount, nonce, from }
		}),
		1 => (0..3u8, 0..=300_000u32).prop_map(|(who, share_ppm)| Step::Mint { who, share_ppm }),
		1 => (0..3u8, 1..3u64).prop_map(|(who, stream)| Step::Burn { who, stream }),
		3 => (1..300u32).prop_map(|blocks| Step::Wait { blocks }),
	]
}

/// Viewers and relayers that steps name; the last one has no account until it is paid.
fn person(n: u8) -> AccountId32 {
	[ALICE, BOB, CAROL, RELAYER, TREASURY, NOBODY][usize::from(n) % 6].clone()
}

/// Session, recipient, stream, kind.
type Account = ([u8; 32], [u8; 32], StreamId, Kind);

/// All tickets so far, the (session, epoch, nonce) that were paid, and the largest voucher that was signed for any place,
/// with what was paid for them, since the session was registered.
#[derive(Default)]
struct History {
	tickets: Vec<WinningTicket>,
	paid: BTreeSet<([u8; 32], u32, u64)>,
	vouchers: BTreeMap<Account, (Balance, Balance)>,
}

impl History {
	fn ticket(&mut self, draw: Draw) -> Option<WinningTicket> {
		match draw {
			Draw::Again(n) => n.checked_rem(self.tickets.len()).map(|n| self.tickets[n].clone()),
			Draw::New {
				sender,
				key,
				recipient,
				stream,
				kind,
				face_value,
				nonce,
				life,
			} => {
				let key = self::key(key);
				let plain = about(stream, to(person(recipient), from(person(sender), ticket(&key, nonce))));
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

	fn voucher(&mut self, owed: Owed) -> SignedVoucher {
		let key = self::key(owed.key);
		let voucher = Voucher {
			sender: AccountId(person(owed.sender).into()),
			session: key.public(),
			recipient: AccountId(person(owed.recipient).into()),
			stream: StreamId(owed.stream),
			kind: owed.kind,
			context: Hash([0; 32]),
			terms: 0,
			amount: owed.amount,
			bytes: if owed.kind.by_bytes() {
				ticket_bytes(owed.amount as u64)
			} else {
				0
			},
			expiry: expiry(owed.life),
		};
		let account = (voucher.session.0, voucher.recipient.0, voucher.stream, voucher.kind);
		let (largest, _) = self.vouchers.entry(account).or_default();
		*largest = (*largest).max(voucher.amount);
		key.sign(voucher, &genesis())
	}

	/// Calls fail as they like; what they may not do is checked behind them.
	fn apply(&mut self, step: Step) {
		let by = |who| RuntimeOrigin::signed(person(who));
		let _refused_or_not = match step {
			Step::Deposit { who, amount } => Broker::deposit(by(who), amount),
			Step::RequestUnlock { who, amount } => Broker::request_unlock(by(who), amount),
			Step::CancelUnlock { who } => Broker::cancel_unlock(by(who)),
			Step::Withdraw { who } => Broker::withdraw(by(who)),
			Step::Authorize {
				who,
				key,
				limit,
				extra_limit,
				life,
			} => {
				let expiry = System::block_number() + life;
				Broker::authorize_session(by(who), self::key(key).public(), limit, extra_limit, expiry)
			},
			Step::Revoke { who, key } => Broker::revoke_session(by(who), self::key(key).public()),
			// What vouchers paid is forgotten with the session.
			Step::Reap { key } if Broker::reap_session(by(3), self::key(key).public()).is_ok() => {
				self.vouchers
					.retain(|(session, ..), _| *session != self::key(key).public().0);
				Ok(())
			},
			Step::Reap { key } => Broker::reap_session(by(3), self::key(key).public())
				.map(|_| ())
				.map_err(|failed| failed.error),
			Step::Redeem { tickets } => {
				let tickets: Vec<_> = tickets.into_iter().filter_map(|draw| self.ticket(draw)).collect();
				for (winning, verdict) in tickets.iter().zip(redeem(tickets.clone())) {
					let t = &winning.signed.message;
					if let TicketVerdict::Accepted(payout) = verdict {
						assert_eq!(payout.relayer + payout.broadcaster + payout.treasury, t.face_value);
						assert!(t.expiry >= System::block_number());
						let spent = (t.session.0, t.expiry / EPOCH_LENGTH, t.nonce);
						assert!(self.paid.insert(spent), "a nonce was paid twice");
					}
				}
				Ok(())
			},
			Step::RedeemVouchers { vouchers } => {
				let vouchers: Vec<_> = vouchers.into_iter().map(|owed| self.voucher(owed)).collect();
				let verdicts = Broker::check_vouchers(&vouchers);
				assert_ok!(Broker::redeem_vouchers(by(1), vouchers.clone().try_into().unwrap()));
				for (voucher, verdict) in vouchers.iter().map(|v| &v.message).zip(verdicts) {
					if let TicketVerdict::Accepted(payout) = verdict {
						let account = (voucher.session.0, voucher.recipient.0, voucher.stream, voucher.kind);
						let (owed, paid) = self.vouchers.get_mut(&account).unwrap();
						*paid += payout.relayer + payout.broadcaster + payout.treasury;
						assert_eq!(
							*paid, voucher.amount,
							"a voucher pays what it owes beyond what was paid"
						);
						assert!(*paid <= *owed);
						assert!(voucher.expiry >= System::block_number());
					}
				}
				Ok(())
			},
			Step::Tip {
				who,
				key,
				stream,
				amount,
				nonce,
				from,
			} => match from {
				0 => Broker::tip(by(who), StreamId(stream), amount),
				1 => Broker::tip_from_deposit(by(who), StreamId(stream), amount),
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
					let spent = (tip.session.0, tip.expiry / EPOCH_LENGTH, tip.nonce);
					let outcome = Broker::submit_tip(by(3), key.sign(tip, &genesis()));
					if outcome.is_ok() {
						assert!(self.paid.insert(spent), "a nonce was paid twice");
					}
					outcome
				},
			},
			Step::Mint { who, share_ppm } => try_mint(person(who), share_ppm),
			Step::Burn { who, stream } => StreamKeys::burn(by(who), StreamId(stream)),
			Step::Wait { blocks } => {
				run_to(System::block_number() + blocks);
				Ok(())
			},
		};
	}
}

proptest! {
	#![proptest_config(ProptestConfig { cases: 10_000, max_shrink_iters: 2_000, ..ProptestConfig::default() })]

	#[test]
	fn no_sequence_of_calls_breaks_an_invariant(steps in prop::collection::vec(step(), 1..12)) {
		ExtBuilder.build_and_execute(|| {
			let issuance = Balances::total_issuance();
			// Everybody ready to pay, so that most sequences get to redeem something.
			for n in 0..3 {
				deposit(person(n), 10 * USDC);
				let origin = RuntimeOrigin::signed(person(n));
				assert_ok!(Broker::authorize_session(origin, key(n).public(), 20 * USDC, 10 * USDC, 3_000));
			}
			let mut history = History::default();
			for step in steps {
				history.apply(step);
				try_state();
				let sum: Balance = frame_system::Account::<Test>::iter_keys().map(|who| total(&who)).sum();
				assert_eq!((sum, Balances::total_issuance()), (issuance, issuance));
			}
		});
	}
}
