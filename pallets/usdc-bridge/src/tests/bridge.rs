//! What others see: genesis, and the views.

use crate::{mock::*, GenesisIssuance, Vault};
use clustercast_primitives::{amount::USDC, bridge::Domain, EthereumAddress};
use frame_support::{assert_ok, traits::BuildGenesisConfig};

#[test]
fn the_bridge_says_where_it_is() {
	ExtBuilder::default().build_and_execute(|| {
		let mut deposits = deposits(4);
		deposits[2] = unknown(2);
		accept(attestation(5, &deposits));
		assert_ok!(import(clustercast_primitives::bridge::deposit::prove(&deposits, 0, 3)));
		let to = EthereumAddress([0x51; 20]);
		assert_ok!(Bridge::withdraw(RuntimeOrigin::signed(ALICE), to, 2 * USDC, 0));
		let info = Bridge::bridge();
		assert_eq!((info.chain_id, info.vault), (L2.chain_id, L2.vault));
		assert_eq!((info.interval, info.first), (INTERVAL, 100));
		assert_eq!(info.attested, Some(attestation(5, &deposits)));
		assert_eq!((info.next_deposit, info.next_withdrawal, info.queued), (3, 1, 1));
		assert_eq!(info.stranded, 1);
		assert_eq!(info.outflow_left, OUTFLOW_LIMIT);
		assert_eq!((info.imported, info.withdrawn), (40 * USDC, 2 * USDC));
		assert_eq!(info.issuance, 2 * ENDOWMENT + USDC + 38 * USDC);
		assert_eq!((info.attestors, info.threshold), (4, 3));
		assert_eq!(info.genesis, genesis());
		assert_eq!(Bridge::attestor_keys(), VALIDATORS.map(attestor_key));
	});
}

#[test]
fn a_chain_without_a_vault_says_so() {
	ExtBuilder { no_vault: true }.build_and_execute(|| {
		let info = Bridge::bridge();
		assert_eq!((info.chain_id, info.vault), (0, EthereumAddress([0; 20])));
		assert_eq!((info.interval, info.attested), (0, None));
		assert_eq!(Vault::<Test>::get(), None);
	});
}

#[test]
#[should_panic(expected = "the L2 has a chain id")]
fn genesis_refuses_an_l2_without_a_chain_id() {
	let l2 = Some(Domain { chain_id: 0, ..L2 });
	let genesis = crate::GenesisConfig::<Test> {
		l2,
		..Default::default()
	};
	sp_io::TestExternalities::default().execute_with(|| BuildGenesisConfig::build(&genesis));
}

#[test]
fn genesis_counts_what_it_endows() {
	ExtBuilder::default().build_and_execute(|| {
		assert_eq!(GenesisIssuance::<Test>::get(), 2 * ENDOWMENT + USDC);
	});
}

#[test]
fn withdrawals_are_listed_by_number() {
	ExtBuilder::default().build_and_execute(|| {
		let to = EthereumAddress([0x51; 20]);
		for n in 1..=4 {
			assert_ok!(Bridge::withdraw(RuntimeOrigin::signed(ALICE), to, n * USDC, 0));
		}
		let ids = |from, limit| -> Vec<u64> {
			let list = Bridge::withdrawals(from, limit);
			list.iter().map(|info| info.withdrawal.id).collect()
		};
		assert_eq!(ids(0, 100), [0, 1, 2, 3]);
		assert_eq!(ids(1, 2), [1, 2]);
		assert!(ids(4, 10).is_empty() && ids(0, 0).is_empty() && ids(u64::MAX, 10).is_empty());
		assert!(Bridge::withdrawals(0, 1)[0].place.is_none());
		run_to(2);
		assert_eq!(Bridge::withdrawals(2, 1)[0].place.unwrap().index, 2);
	});
}
