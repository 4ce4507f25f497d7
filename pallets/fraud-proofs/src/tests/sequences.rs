//! No sequence of reports, calls of relayers, transfers and reaping breaks an invariant, here or in the registry, or makes
//! money.

use crate::{mock::*, Burnt, Taken};
use clustercast_primitives::{amount::USDC, notice::RelayerProof, AccountId, Balance};
use frame_support::traits::fungible::Mutate;
use proptest::prelude::*;
use sp_runtime::AccountId32;
use std::collections::BTreeSet;

/// Of these each may be relayer, payout, viewer and reporter; relayer `n` begins with key `10 + n`.
const PEOPLE: std::ops::Range<u8> = 1..5;

#[derive(Clone, Debug)]
enum Step {
	Register {
		who: u8,
	},
	Report {
		by: u8,
		of: u8,
		key: u8,
		payer: u8,
		segment: u64,
		bytes: u64,
		age: u32,
	},
	Equivocation {
		by: u8,
		segment: u64,
	},
	BondExtra {
		of: u8,
		amount: Balance,
	},
	Unbond {
		of: u8,
	},
	Withdraw {
		of: u8,
	},
	Payout {
		of: u8,
		to: u8,
	},
	Key {
		of: u8,
		key: u8,
	},
	Transfer {
		who: u8,
		to: u8,
		amount: Balance,
	},
	Empty {
		who: u8,
		to: u8,
	},
	Wait {
		blocks: u32,
	},
}

fn step() -> impl Strategy<Value = Step> {
	let one = || PEOPLE;
	prop_oneof![
		3 => one().prop_map(|who| Step::Register { who }),
		8 => (one(), one(), 10..16u8, 1..9u8, 0..3u64, any::<u64>(), 0..10u32)
			.prop_map(|(by, of, key, payer, segment, bytes, age)| Step::Report { by, of, key, payer, segment, bytes, age }),
		1 => (one(), 0..3u64).prop_map(|(by, segment)| Step::Equivocation { by, segment }),
		1 => (one(), 0..30 * USDC).prop_map(|(of, amount)| Step::BondExtra { of, amount }),
		1 => one().prop_map(|of| Step::Unbond { of }),
		1 => one().prop_map(|of| Step::Withdraw { of }),
		1 => (one(), one()).prop_map(|(of, to)| Step::Payout { of, to }),
		1 => (one(), 10..16u8).prop_map(|(of, key)| Step::Key { of, key }),
		1 => (one(), one(), 0..ENDOWMENT).prop_map(|(who, to, amount)| Step::Transfer { who, to, amount }),
		1 => (one(), one()).prop_map(|(who, to)| Step::Empty { who, to }),
		3 => prop_oneof![1..50u32, 1..UNBOND_DELAY].prop_map(|blocks| Step::Wait { blocks }),
	]
}

fn account(n: u8) -> AccountId32 {
	AccountId32::new([n; 32])
}

/// Calls fail as they like; what they may not do is checked behind them.
fn apply(step: Step, punished: &mut BTreeSet<[u8; 32]>) {
	let by = |n| RuntimeOrigin::signed(account(n));
	// The payout of a relayer signs for it.
	let owner = |of| RuntimeOrigin::signed(Registry::payout(&account(of)));
	let proof = |of, seed| {
		let account = AccountId(account(of).into());
		sign(seed, RelayerProof { account }).signature
	};
	match step {
		Step::Register { who } => {
			let addresses = vec![b"/ip4/203.0.113.7".to_vec().try_into().unwrap()]
				.try_into()
				.unwrap();
			let seed = 10 + who;
			let _ = Registry::register(by(who), key(seed).public(), proof(who, seed), addresses, 1, 10 * USDC);
		},
		Step::Report {
			by,
			of,
			key: seed,
			payer,
			segment,
			bytes,
			age,
		} => {
			let mut evidence = flipped(segment);
			evidence.payer.account = AccountId(account(payer).into());
			let mut receipt = evidence.receipt.message;
			receipt.payer = evidence.payer.hash();
			receipt.payee = AccountId(account(of).into());
			receipt.key = key(seed).public();
			receipt.bytes = bytes;
			receipt.block = System::block_number().saturating_sub(age);
			let id = receipt.hash().0;
			evidence.receipt = sign(seed, receipt);
			if report_by(account(by), evidence).is_ok() {
				assert!(punished.insert(id), "punished twice");
				assert!(!Registry::is_bonded(&account(of)), "convicted, and not frozen");
			}
		},
		Step::Equivocation { by: who, segment } => {
			let evidence = clustercast_primitives::fraud::Equivocation::Headers {
				first: sign(1, header(segment, b"one")),
				second: sign(1, header(segment, b"other")),
			};
			let _ = FraudProofs::report_equivocation(by(who), key(1).public(), Box::new(evidence));
		},
		Step::BondExtra { of, amount } => drop(Registry::bond_extra(owner(of), account(of), amount)),
		Step::Unbond { of } => drop(Registry::unbond(owner(of), account(of))),
		Step::Withdraw { of } => drop(Registry::withdraw_bond(owner(of), account(of))),
		Step::Payout { of, to } => drop(Registry::set_payout(owner(of), account(of), account(to))),
		Step::Key { of, key: seed } => {
			let _ = Registry::set_signing_key(owner(of), account(of), key(seed).public(), proof(of, seed));
		},
		Step::Transfer { who, to, amount } => drop(Balances::transfer_allow_death(by(who), account(to), amount)),
		Step::Empty { who, to } => drop(Balances::transfer_all(by(who), account(to), false)),
		Step::Wait { blocks } => {
			System::set_block_number(System::block_number() + blocks);
			idle();
		},
	}
}

proptest! {
	#![proptest_config(ProptestConfig { cases: 500, max_shrink_iters: 2_000, ..ProptestConfig::default() })]

	#[test]
	fn no_sequence_of_calls_breaks_an_invariant(steps in prop::collection::vec(step(), 1..40)) {
		ExtBuilder.build_and_execute(|| {
			for n in PEOPLE {
				Balances::set_balance(&account(n), ENDOWMENT);
			}
			let issued = Balances::total_issuance();
			let mut punished = BTreeSet::new();
			for step in steps {
				apply(step, &mut punished);
				FraudProofs::do_try_state().unwrap();
				Registry::do_try_state().unwrap();
				assert_eq!(Balances::total_issuance() + Burnt::<Test>::get(), issued);
				assert!(Burnt::<Test>::get() <= Taken::<Test>::get());
			}
		});
	}
}
