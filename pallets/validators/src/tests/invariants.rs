//! Each invariant of `try_state` is broken by hand once and found; no sequence of calls breaks one, makes or loses
//! money, takes the floor's seats, or gives candidates enough of them to stop finality.

use crate::{mock::*, Bonds, Burnt, HoldReason, Punished, Ranking, ShutOut, Taken};
use clustercast_primitives::Balance;
use frame_support::{
	assert_ok,
	traits::{
		fungible::{Inspect, MutateHold},
		Hooks,
	},
};
use proptest::prelude::*;
use sp_runtime::AccountId32;

/// Breaks the state by `damage` and returns what `try_state` says.
fn complaint(damage: impl FnOnce()) -> String {
	ExtBuilder.build().execute_with(|| {
		assert_ok!(register(ALICE, 2 * MIN_BOND));
		assert_ok!(register(BOB, MIN_BOND));
		run_to(2);
		assert_ok!(Validators::do_try_state());
		damage();
		let sp_runtime::DispatchError::Other(text) = Validators::do_try_state().unwrap_err() else {
			panic!("try_state fails with a text");
		};
		text.into()
	})
}

#[test]
fn constants_agree() {
	ExtBuilder.build_and_execute(Validators::integrity_test);
}

#[test]
#[should_panic(expected = "a bond must be worth an account")]
fn a_bond_below_an_accounts_minimum_is_found() {
	MinBond::set(EXISTENTIAL_DEPOSIT - 1);
	Validators::integrity_test();
}

#[test]
#[should_panic(expected = "bounds allow something")]
fn a_ranking_of_none_is_found() {
	MaxCandidates::set(0);
	Validators::integrity_test();
}

#[test]
#[should_panic(expected = "evidence counts for a while")]
fn evidence_that_never_counts_is_found() {
	EvidenceSessions::set(0);
	Validators::integrity_test();
}

#[test]
#[should_panic(expected = "an offence costs something, and no more than the bond")]
fn an_offence_for_nothing_is_found() {
	SlashShare::set(0);
	Validators::integrity_test();
}

#[test]
#[should_panic(expected = "an offence costs something, and no more than the bond")]
fn a_share_of_more_than_everything_is_found() {
	SlashShare::set(1_000_001);
	Validators::integrity_test();
}

#[test]
#[should_panic(expected = "the parts cannot exceed the whole")]
fn parts_of_more_than_the_whole_are_found() {
	ReporterPart::set(600_001);
	Validators::integrity_test();
}

#[test]
fn bonds_that_differ_from_holds_are_found() {
	let reason = RuntimeHoldReason::from(HoldReason::ValidatorBond);
	let differs = "1: a bond differs from what is held";
	assert_eq!(complaint(|| Balances::hold(&reason, &CAROL, 5).unwrap()), differs);
	assert_eq!(
		complaint(|| Balances::set_on_hold(&reason, &ALICE, 7).unwrap()),
		differs
	);
	let ghost = complaint(|| Bonds::<Test>::insert(NOBODY, Bonds::<Test>::get(ALICE).unwrap()));
	assert_eq!(ghost, "1: a bond without an account");
}

#[test]
fn whoever_lost_its_bond_may_leave_no_account_behind() {
	ExtBuilder.build_and_execute(|| {
		assert_ok!(register(ALICE, MIN_BOND));
		run_to(3);
		assert_ok!(Validators::slash_for(crate::ATTESTATION, &ALICE, 3, None));
		assert_ok!(Session::purge_keys(RuntimeOrigin::signed(ALICE)));
		assert_ok!(Balances::transfer_all(RuntimeOrigin::signed(ALICE), BOB, false));
		assert!(!System::account_exists(&ALICE));
		assert!(
			Bonds::<Test>::contains_key(ALICE),
			"and cannot come anew before its time"
		);
	});
}

#[test]
fn a_broken_ranking_is_found() {
	let order = complaint(|| Ranking::<Test>::mutate(|r| r.as_mut().reverse()));
	assert_eq!(order, "2: the ranking is out of order");
	let amount = complaint(|| Ranking::<Test>::mutate(|r| r.as_mut()[0].1 += 1));
	assert_eq!(amount, "2: the ranking and a bond differ");
	let missing = complaint(|| {
		Ranking::<Test>::mutate(|r| r.pop());
	});
	assert_eq!(missing, "2: a candidate is not in the ranking, or twice");
	let twice = complaint(|| Ranking::<Test>::mutate(|r| r.as_mut()[1] = r[0].clone()));
	assert_eq!(twice, "2: a candidate is not in the ranking, or twice");
	let small = complaint(|| MinBond::set(MIN_BOND + 1));
	assert_eq!(small, "2: a candidate's bond is below the minimum");
}

#[test]
fn a_broken_floor_is_found() {
	let text = "3: somebody of the floor is bonded, or there twice";
	let floor =
		|change: &dyn Fn(&mut [AccountId32])| complaint(|| crate::Floor::<Test>::mutate(|f| change(f.as_mut())));
	assert_eq!(floor(&|f| f[0] = f[1].clone()), text);
	assert_eq!(floor(&|f| f[0] = ALICE), text);
}

#[test]
fn a_set_with_strangers_or_too_many_is_found() {
	let queue = |accounts: Vec<AccountId32>| {
		let queue: Vec<_> = accounts.into_iter().map(|who| (who, keys(1))).collect();
		complaint(|| pallet_session::QueuedKeys::<Test>::put(queue))
	};
	assert_eq!(queue(vec![CAROL]), "4: somebody is in the set without a bond");
	let many = queue(vec![ALICE; SEATS as usize - FLOOR.len() + 1]);
	assert_eq!(many, "4: more candidates are in the set than there are seats");
}

#[test]
fn books_that_do_not_add_up_are_found() {
	let text = complaint(|| Burnt::<Test>::put(Taken::<Test>::get() + 1));
	assert_eq!(text, "5: more was burnt than taken");
}

#[test]
fn what_should_be_forgotten_is_found() {
	let future = complaint(|| Punished::<Test>::insert(3, (*b"some offence....", ALICE), ()));
	assert_eq!(future, "6: an offence of a session whose evidence does not count");
	let past = complaint(|| {
		Punished::<Test>::insert(3, (*b"some offence....", ALICE), ());
		run_to(3 + EVIDENCE);
		Validators::do_try_state().unwrap();
		pallet_session::CurrentIndex::<Test>::put(4 + EVIDENCE);
	});
	assert_eq!(past, "6: an offence of a session whose evidence does not count");
	let text = "6: somebody is shut out for too long";
	assert_eq!(complaint(|| ShutOut::<Test>::insert(ALICE, 4)), text);
	assert_eq!(complaint(|| ShutOut::<Test>::insert(ALICE, 1)), text);
}

/// What anybody can do, and what judges can.
#[derive(Clone, Debug)]
enum Step {
	Register(u8, Balance),
	BondMore(u8, Balance),
	Leave(u8),
	Rejoin(u8),
	Withdraw(u8),
	SetKeys(u8, u64),
	PurgeKeys(u8),
	Transfer(u8, u8, Balance),
	/// All that is not held, and the account with it where nothing is.
	TransferAll(u8, u8),
	Slash(u8, bool, u32, Option<u8>),
	Blocks(u32),
	/// Nobody but the floor makes blocks.
	Idle,
}

fn bond_or_dust() -> impl Strategy<Value = Balance> {
	prop_oneof![Just(1u128), Just(EXISTENTIAL_DEPOSIT), MIN_BOND..2 * MIN_BOND]
}

fn step() -> impl Strategy<Value = Step> {
	// Three of the floor, seven that may have bonds, one without keys.
	let who = prop_oneof![1..=3u8, 11..=17u8, 11..=17u8, Just(30u8)];
	let bond = prop_oneof![
		Just(MIN_BOND - 1),
		Just(MIN_BOND),
		(1..4u128).prop_map(|n| n * MIN_BOND),
		MIN_BOND..2 * MIN_BOND
	];
	prop_oneof![
		3 => (who.clone(), bond.clone()).prop_map(|(w, b)| Step::Register(w, b)),
		1 => (who.clone(), prop_oneof![Just(0u128), Just(1), bond]).prop_map(|(w, b)| Step::BondMore(w, b)),
		2 => who.clone().prop_map(Step::Leave),
		1 => who.clone().prop_map(Step::Rejoin),
		2 => who.clone().prop_map(Step::Withdraw),
		1 => (who.clone(), 30..45u64).prop_map(|(w, k)| Step::SetKeys(w, k)),
		1 => (11..=17u8).prop_map(Step::PurgeKeys),
		1 => (who.clone(), who.clone(), bond_or_dust()).prop_map(|(w, to, amount)| Step::Transfer(w, to, amount)),
		2 => (who.clone(), who.clone()).prop_map(|(w, to)| Step::TransferAll(w, to)),
		1 => (who, any::<bool>(), 0..12u32, prop::option::of(Just(31u8)))
			.prop_map(|(w, kind, age, reporter)| Step::Slash(w, kind, age, reporter)),
		3 => (1..2 * SESSION).prop_map(Step::Blocks),
		1 => Just(Step::Idle),
	]
}

fn take(step: Step) {
	let signed = |number: u8| RuntimeOrigin::signed(account(number));
	// Each may be refused: what is refused changes nothing, as in a block.
	let attempt = |call: &dyn Fn() -> frame_support::dispatch::DispatchResult| {
		let _ = frame_support::storage::with_storage_layer(call);
	};
	match step {
		Step::Register(who, bond) => attempt(&|| Validators::register(signed(who), bond)),
		Step::BondMore(who, amount) => attempt(&|| Validators::bond_more(signed(who), amount)),
		Step::Leave(who) => attempt(&|| Validators::leave(signed(who))),
		Step::Rejoin(who) => attempt(&|| Validators::rejoin(signed(who))),
		Step::Withdraw(who) => attempt(&|| Validators::withdraw(signed(who))),
		Step::SetKeys(who, key) => attempt(&|| set_keys(account(who), key)),
		Step::PurgeKeys(who) => attempt(&|| Session::purge_keys(signed(who))),
		Step::Transfer(who, to, amount) => {
			attempt(&|| Balances::transfer_allow_death(signed(who), account(to), amount));
		},
		Step::TransferAll(who, to) => {
			attempt(&|| Balances::transfer_all(signed(who), account(to), false));
		},
		Step::Slash(who, kind, age, reporter) => {
			let kind = if kind { crate::ATTESTATION } else { *b"some offence...." };
			let session = session().saturating_sub(age);
			let before = Punished::<Test>::iter().count();
			let outcome = Validators::slash_for(kind, &account(who), session, reporter.map(account));
			assert_eq!(Punished::<Test>::iter().count() - before, usize::from(outcome.is_ok()));
			assert!(
				Validators::slash_for(kind, &account(who), session, None).is_err(),
				"twice"
			);
		},
		Step::Blocks(blocks) => {
			Author::set(Some(FLOOR[0].clone()));
			(0..blocks).for_each(|_| next_block());
		},
		Step::Idle => {
			Author::set(None);
			(0..SESSION).for_each(|_| next_block());
		},
	}
}

proptest! {
	#![proptest_config(ProptestConfig { cases: 10_000, max_shrink_iters: 2_000, ..ProptestConfig::default() })]

	#[test]
	fn no_sequence_of_calls_breaks_an_invariant_or_makes_money(
		steps in prop::collection::vec(step(), 1..24),
		everybody_leaves in prop::bool::weighted(0.2),
	) {
		ExtBuilder.build().execute_with(|| {
			let everybody = || OF_THE_FLOOR.chain(RICH).chain(30..=32).map(account);
			let issued = Balances::total_issuance();
			for step in steps {
				take(step);
				Validators::do_try_state().unwrap();
				// Conservation: what is not there any more was burnt, and nobody else's money moved.
				let owned: Balance = everybody().map(|who| Balances::total_balance(&who)).sum();
				assert_eq!(owned, Balances::total_issuance());
				assert_eq!(owned + Burnt::<Test>::get(), issued);
				// Sets: bounded, and the floor is in each.
				let set = Session::validators();
				assert!(set.starts_with(&FLOOR));
				assert!(set.len() - FLOOR.len() <= (set.len() - 1) / 3, "candidates can stop finality");
				// Storage: bounded.
				assert!(Ranking::<Test>::get().len() <= PLACES as usize);
				assert!(Punished::<Test>::iter().count() <= 2 * 11 * (EVIDENCE as usize + 1));
			}
			if !everybody_leaves {
				return;
			}
			// Everybody gets out with what is left.
			for who in RICH.chain([30]).map(account) {
				let _ = Validators::leave(RuntimeOrigin::signed(who));
			}
			run_to(session() + 2 + EVIDENCE);
			for who in RICH.chain([30]).map(account) {
				let _ = Validators::withdraw(RuntimeOrigin::signed(who));
			}
			assert_eq!(Bonds::<Test>::iter().count(), 0);
			assert!(everybody().all(|who| held(&who) == 0));
			assert_eq!(Session::validators(), FLOOR);
		});
	}
}
