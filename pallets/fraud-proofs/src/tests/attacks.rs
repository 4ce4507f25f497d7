//! What an offender tries that has more than one account: to leave with its bond, to be its own victim, to crowd out the
//! others.

use crate::{mock::*, Burnt, Cases, Claims, Error, WeightInfo, MAX_PAID_PER_BLOCK};
use clustercast_primitives::{amount::USDC, fraud::ChunkFraud, AccountId, Balance, Receipt};
use frame_support::{
	assert_noop, assert_ok,
	dispatch::Pays,
	traits::{fungible::Mutate, Hooks},
	weights::WeightMeter,
};
use proptest::prelude::*;
use sp_runtime::AccountId32;

/// The evidence with another payer and receipt, signed anew by the relayer: whatever it likes.
fn sham(segment: u64, payer: AccountId32, change: impl FnOnce(&mut Receipt)) -> ChunkFraud {
	let mut evidence = flipped(segment);
	evidence.payer.account = AccountId(payer.into());
	let mut receipt = evidence.receipt.message;
	receipt.payer = evidence.payer.hash();
	change(&mut receipt);
	evidence.receipt = sign(2, receipt);
	evidence
}

/// Somebody new.
fn account(n: u32) -> AccountId32 {
	let mut raw = [0x55; 32];
	raw[..4].copy_from_slice(&n.to_le_bytes());
	AccountId32::new(raw)
}

/// The attack: relayer, viewer, reporter and broadcaster are one, and report themselves to have the bond out in one block.
#[test]
fn an_offender_that_reports_itself_has_nothing_out_before_the_delay() {
	ExtBuilder.build_and_execute(|| {
		let its_own = [RELAYER, ALICE, BOB, CAROL];
		let spendable = || its_own.iter().map(Balances::free_balance).sum::<Balance>();
		let before = spendable();
		for segment in 0..2 {
			assert_ok!(report(flipped(segment)));
		}
		for block in [2, 1_800, UNBOND_DELAY] {
			System::set_block_number(block);
			idle();
			assert_eq!(spendable(), before, "block {block}");
		}
		System::set_block_number(1 + UNBOND_DELAY);
		idle();
		assert!(spendable() - before <= 5 * USDC, "half of the penalty");
	});
}

/// The attack: whoever deceived one viewer signs receipts for a thousand others of its own, for all the money there is,
/// and reports them first.
#[test]
fn a_thousand_sham_receipts_do_not_dilute_the_one_victim() {
	let paid = |shams: u32, price: u64| {
		let mut paid = 0;
		ExtBuilder.build_and_execute(|| {
			// A window of 2 s at 1.5 Mb/s, at 0.02 USDC per 10^9 bytes.
			let truth = sham(9_999, ALICE, |receipt| {
				(receipt.bytes, receipt.price) = (375_000, 20_000)
			});
			for n in 0..shams {
				let dear = |receipt: &mut Receipt| (receipt.bytes, receipt.price) = (u64::MAX, price);
				let reported = report_by(CAROL, sham(n.into(), account(n), dear));
				// Two of them use up the bond; from then on they cost their fee.
				assert_eq!(reported.unwrap().pays_fee == Pays::No, n < 2);
			}
			assert_ok!(report(truth));
			System::set_block_number(1 + UNBOND_DELAY);
			while Cases::<Test>::iter().next().is_some() {
				idle();
				System::set_block_number(System::block_number() + 1);
			}
			paid = total(&ALICE) - ENDOWMENT;
		});
		paid
	};
	assert_eq!(paid(0, 0), 700, "a hundred times 7 micro-USDC");
	assert_eq!(paid(2, u64::MAX), 700);
	assert_eq!(paid(1_000, u64::MAX), 700);
	// No larger than the true one: no sham takes anything either, as long as there is room for all of them.
	assert_eq!(paid(1_000, 0), 700);
}

/// What a bond of 10 USDC has room for, and what it takes to use it up.
#[test]
fn only_as_many_claims_as_there_is_room_for_cut_one() {
	ExtBuilder.build_and_execute(|| {
		let claim = |n: u32| {
			sham(n.into(), account(n), |receipt| {
				(receipt.bytes, receipt.price) = (1 << 30, 1_000_000)
			})
		};
		for n in 0..100 {
			assert_ok!(report(claim(n)));
		}
		let most_each = Cases::<Test>::get(0).unwrap().levels.most_each(3_750_000);
		// A hundredth each: less than the 107 USDC that each claims.
		assert_eq!(most_each, 37_500);
		settle();
		assert!((0..100).all(|n| total(&account(n)) == 37_500));
	});
}

#[test]
fn claims_are_paid_as_far_as_blocks_have_room_and_none_is_added_meanwhile() {
	ExtBuilder.build_and_execute(|| {
		let count = MAX_PAID_PER_BLOCK + 10;
		for n in 0..count {
			assert_ok!(report(sham(n.into(), account(n), |_| ())));
		}
		let due = 1 + UNBOND_DELAY;
		System::set_block_number(due);
		let late = || sham(5_000, ALICE, |receipt| receipt.block = due);
		// Due, and not begun: one more offence is one more.
		assert_ok!(report(late()));
		let room = <() as WeightInfo>::settle(3);
		let mut meter = WeightMeter::with_limit(room);
		FraudProofs::do_settle(&mut meter);
		assert!(meter.consumed().all_lte(room));
		assert_eq!(Claims::<Test>::iter().count() as u32, count + 1 - 3);
		let other = sham(5_001, ALICE, |receipt| receipt.block = due);
		assert_noop!(report(other.clone()), Error::<Test>::Settling);
		assert_ok!(FraudProofs::do_try_state());
		idle();
		assert_eq!(
			Claims::<Test>::iter().count() as u32,
			count + 1 - 3 - MAX_PAID_PER_BLOCK
		);
		idle();
		assert_eq!((Claims::<Test>::iter().count(), Cases::<Test>::iter().count()), (0, 0));
		assert_noop!(report(other), Error::<Test>::UnknownRelayer);
		assert_eq!(
			FraudProofs::on_idle(due, frame_support::weights::Weight::zero()),
			Default::default()
		);
	});
}

/// The attack: an offender changes its key, and its payout, behind the offence.
#[test]
fn a_receipt_under_a_replaced_key_convicts_whoever_owns_the_bond_now() {
	ExtBuilder.build_and_execute(|| {
		let evidence = [flipped(5), flipped(6)];
		let relayer = || RuntimeOrigin::signed(RELAYER);
		let proof = sign(
			6,
			clustercast_primitives::notice::RelayerProof {
				account: AccountId(RELAYER.into()),
			},
		);
		assert_ok!(Registry::set_signing_key(
			relayer(),
			RELAYER,
			key(6).public(),
			proof.signature
		));
		assert_ok!(Registry::set_payout(relayer(), RELAYER, CAROL));
		assert_ok!(Balances::transfer_all(relayer(), BOB, false));
		System::set_block_number(1 + FRAUD_WINDOW);
		assert_ok!(report(evidence[0].clone()));
		settle();
		assert_eq!(total(&CAROL), ENDOWMENT + 5 * USDC);
		assert_noop!(report(evidence[1].clone()), Error::<Test>::TooOld);
	});
}

#[test]
fn a_relayer_with_enough_left_can_be_convicted_anew() {
	ExtBuilder.build_and_execute(|| {
		assert_ok!(Registry::bond_extra(RuntimeOrigin::signed(RELAYER), RELAYER, 40 * USDC));
		assert_ok!(report(flipped(5)));
		settle();
		assert!(Registry::is_bonded(&RELAYER));
		assert_ok!(report(flipped(6)));
		assert!(!Registry::is_bonded(&RELAYER));
		settle();
		assert_eq!(total(&RELAYER), ENDOWMENT - 10 * USDC - 8 * USDC);
		assert_eq!(crate::OldestCase::<Test>::get(), 2);
	});
}

proptest! {
	#![proptest_config(ProptestConfig { cases: 500, ..ProptestConfig::default() })]

	/// Whatever receipts it signs, whoever reports them when: one person behind relayer, viewers, reporters and stream gets
	/// back at most half of what the bond lost.
	#[test]
	fn one_person_gets_back_at_most_half_of_the_penalty(
		bond in 0..80 * USDC,
		offences in prop::collection::vec((any::<u64>(), any::<u64>(), 0..4u32, 0..4u32, 0..UNBOND_DELAY / 6), 1..6),
	) {
		ExtBuilder.build_and_execute(|| {
			assert_ok!(Registry::bond_extra(RuntimeOrigin::signed(RELAYER), RELAYER, 1 + bond));
			let its_own: Vec<_> = (0..4).map(account).chain([RELAYER, CAROL]).collect();
			for who in &its_own[..4] {
				Balances::set_balance(who, USDC);
			}
			let all = || its_own.iter().map(total).sum::<Balance>();
			let before = all();
			let first = System::block_number();
			for (n, (bytes, price, viewer, reporter, pause)) in offences.into_iter().enumerate() {
				let evidence = sham(n as u64, account(viewer), |receipt| (receipt.bytes, receipt.price) = (bytes, price));
				assert_ok!(report_by(account(reporter), evidence));
				System::set_block_number(System::block_number() + pause);
			}
			System::set_block_number(first + UNBOND_DELAY);
			idle();
			let penalty = crate::Taken::<Test>::get();
			assert!(penalty >= 5 * USDC && Cases::<Test>::iter().next().is_none());
			let lost = before - all();
			assert!(2 * lost >= penalty, "{lost} of {penalty}");
			assert!(Burnt::<Test>::get() <= lost);
		});
	}
}
