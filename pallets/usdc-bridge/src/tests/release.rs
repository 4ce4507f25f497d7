//! Withdrawals enter a block's root in order, within the bounds of a block and of a period.

use crate::{mock::*, BlockRoot, Event, Line, Released, Withdrawals};
use clustercast_primitives::{
	amount::USDC,
	bridge::{withdrawal, Withdrawal, WithdrawalPlace, WithdrawalProof},
	Balance, EthereumAddress, Hash,
};
use frame_support::assert_ok;
use sp_consensus_beefy::mmr::BeefyDataProvider;

const TO: EthereumAddress = EthereumAddress([0x51; 20]);

fn withdraw(amount: Balance) {
	let who = if free(&ALICE) > amount { ALICE } else { BOB };
	assert_ok!(Bridge::withdraw(RuntimeOrigin::signed(who), TO, amount, 0));
}

fn leaf(id: u64, amount: Balance) -> Hash {
	Withdrawal {
		l2: L2.chain_id,
		kind: withdrawal::RELEASE,
		id,
		to: TO,
		amount,
		fee: 0,
	}
	.leaf()
}

fn places() -> Vec<Option<(u32, u32, u32)>> {
	let place = |p: WithdrawalPlace| (p.block, p.index, p.width);
	(0..Line::<Test>::get().next)
		.map(|id| Withdrawals::<Test>::get(id).unwrap().place.map(place))
		.collect()
}

fn extra_data() -> [u8; 32] {
	Bridge::extra_data().0
}

#[test]
fn what_was_withdrawn_in_a_block_is_under_the_root_of_the_next() {
	ExtBuilder::default().build_and_execute(|| {
		assert_eq!(extra_data(), [0; 32]);
		for n in 1..=3 {
			withdraw(n * USDC);
		}
		assert_eq!(extra_data(), [0; 32]);
		run_to(2);
		let leaves: Vec<_> = (0..3).map(|id| leaf(id, Balance::from(id + 1) * USDC)).collect();
		let root = withdrawal::root(&leaves);
		assert_eq!(extra_data(), root.0);
		assert_eq!(places(), [Some((2, 0, 3)), Some((2, 1, 3)), Some((2, 2, 3))]);
		System::assert_last_event(
			Event::Released {
				first: 0,
				count: 3,
				root,
			}
			.into(),
		);
		// Whoever executes it makes the proof from what the chain answers.
		let info = Bridge::withdrawals(0, 100);
		let leaves: Vec<_> = info.iter().map(|info| info.withdrawal.leaf()).collect();
		let proof = WithdrawalProof::new(&leaves, 1).unwrap();
		assert!(proof.verify(&root, &leaves[1]));
		try_state();
		run_to(3);
		assert_eq!(extra_data(), [0; 32]);
		assert_eq!(BlockRoot::<Test>::get(), None);
	});
}

#[test]
fn a_block_releases_no_more_than_it_may() {
	ExtBuilder::default().build_and_execute(|| {
		for _ in 0..RELEASES_PER_BLOCK + 4 {
			withdraw(USDC);
		}
		run_to(2);
		assert_eq!(Line::<Test>::get().waiting, 16);
		try_state();
		run_to(3);
		assert_eq!(Line::<Test>::get().waiting, 20);
		assert_eq!(places()[15], Some((2, 15, 16)));
		assert_eq!(places()[16], Some((3, 0, 4)));
	});
}

#[test]
fn a_period_releases_no_more_than_it_may_and_keeps_the_order() {
	ExtBuilder::default().build_and_execute(|| {
		withdraw(MAX_WITHDRAWAL);
		withdraw(MAX_WITHDRAWAL - USDC);
		withdraw(2 * USDC);
		// It would fit, but is behind one that does not.
		withdraw(USDC);
		run_to(50);
		assert_eq!(Line::<Test>::get().waiting, 2);
		assert_eq!(Bridge::outflow_left(), USDC);
		try_state();
		run_to(OUTFLOW_PERIOD - 1);
		assert_eq!(Line::<Test>::get().waiting, 2);
		assert_eq!(extra_data(), [0; 32]);
		run_to(OUTFLOW_PERIOD);
		assert_eq!(places()[2..], [Some((100, 0, 2)), Some((100, 1, 2))]);
		assert_eq!(Released::<Test>::get().released, 3 * USDC);
		assert_eq!(Bridge::outflow_left(), OUTFLOW_LIMIT - 3 * USDC);
	});
}

#[test]
fn a_period_may_be_used_up_to_the_last_unit() {
	ExtBuilder::default().build_and_execute(|| {
		withdraw(MAX_WITHDRAWAL);
		withdraw(MAX_WITHDRAWAL);
		withdraw(USDC);
		run_to(2);
		assert_eq!((Bridge::outflow_left(), Line::<Test>::get().waiting), (0, 2));
		run_to(2 * OUTFLOW_PERIOD);
		assert_eq!(Line::<Test>::get().waiting, 3);
		// A period in which nothing leaves has all of its limit.
		run_to(3 * OUTFLOW_PERIOD);
		assert_eq!(Bridge::outflow_left(), OUTFLOW_LIMIT);
	});
}
