//! The paged view: every relayer once, also where the last one seen has left.

use crate::{mock::*, Bonds, Relayers, MAX_PAGE};
use clustercast_primitives::chain::{RelayerInfo, Reputation};
use frame_support::{assert_ok, traits::fungible::Mutate};
use sp_runtime::AccountId32;

fn account(n: u8) -> AccountId32 {
	AccountId32::new([n; 32])
}

/// Registers `count` relayers.
fn populate(count: u8) {
	for n in 1..=count {
		Balances::set_balance(&account(n), ENDOWMENT);
		assert_ok!(register(account(n), &key(n)));
	}
}

/// Reads the whole list, `limit` at a time; `between` runs behind each page.
fn read(limit: u32, mut between: impl FnMut(&RelayerInfo)) -> Vec<RelayerInfo> {
	let mut all = Vec::new();
	let mut start_after = None;
	loop {
		let page = Registry::relayers(start_after, limit);
		assert!(page.len() as u32 <= limit.min(MAX_PAGE));
		let Some(last) = page.last() else { return all };
		start_after = Some(AccountId32::new(last.account.0));
		between(last);
		all.extend(page);
	}
}

#[test]
fn pages_show_every_relayer_once() {
	ExtBuilder.build_and_execute(|| {
		populate(23);
		for limit in [1, 5, 23, 1_000] {
			let mut accounts: Vec<_> = read(limit, |_| ()).into_iter().map(|r| r.account.0[0]).collect();
			accounts.sort_unstable();
			assert_eq!(accounts, (1..=23).collect::<Vec<_>>());
		}
	});
}

#[test]
fn a_page_is_capped() {
	ExtBuilder.build_and_execute(|| {
		populate(120);
		assert_eq!(Registry::relayers(None, u32::MAX).len() as u32, MAX_PAGE);
		assert_eq!(Registry::relayers(None, 0), vec![]);
		assert_eq!(read(u32::MAX, |_| ()).len(), 120);
	});
}

#[test]
fn paging_goes_on_behind_a_relayer_that_left() {
	ExtBuilder.build_and_execute(|| {
		populate(12);
		let mut gone = 0;
		let seen = read(3, |last| {
			let relayer = AccountId32::new(last.account.0);
			let who = RuntimeOrigin::signed(relayer.clone());
			System::set_block_number(1);
			assert_ok!(Registry::unbond(who.clone(), relayer.clone()));
			System::set_block_number(1 + UNBOND_DELAY);
			assert_ok!(Registry::withdraw_bond(who, relayer));
			gone += 1;
		});
		assert_eq!(seen.len(), 12);
		assert_eq!(Relayers::<Test>::iter().count(), 12 - gone);
	});
}

#[test]
fn a_relayer_is_shown_as_it_registered() {
	ExtBuilder.build_and_execute(|| {
		assert_ok!(register(ALICE, &key(1)));
		assert_ok!(Registry::unbond(RuntimeOrigin::signed(ALICE), ALICE));
		let expected = RelayerInfo {
			account: clustercast_primitives::AccountId(ALICE.into()),
			payout: clustercast_primitives::AccountId(ALICE.into()),
			operator: clustercast_primitives::AccountId(ALICE.into()),
			signing_key: key(1).public(),
			addresses: vec![ADDRESS.into()],
			price_per_gb: 1_000_000,
			bond: MIN_BOND,
			unbonds_at: Some(1 + UNBOND_DELAY),
			reputation: Reputation {
				since: 1,
				..Default::default()
			},
		};
		assert_eq!(Registry::relayers(None, 10), vec![expected]);
	});
}

#[test]
fn a_relayer_whose_bond_is_frozen_is_in_no_list_and_hides_nobody() {
	ExtBuilder.build_and_execute(|| {
		populate(12);
		let frozen = [2, 3, 7];
		for n in frozen {
			assert!(<Registry as Bonds<_>>::convict(&account(n)).is_some());
		}
		for limit in [1, 4, 100] {
			let mut accounts: Vec<_> = read(limit, |_| ()).into_iter().map(|r| r.account.0[0]).collect();
			accounts.sort_unstable();
			assert_eq!(accounts, [1, 4, 5, 6, 8, 9, 10, 11, 12], "{limit} at a time");
		}
		let leaders = Registry::leaderboard(MAX_PAGE);
		assert!(leaders.iter().all(|r| !frozen.contains(&r.account.0[0])));
		assert_eq!(leaders.len(), 9);
		// One place on the board goes to the first who is not frozen.
		Registry::note_delivery(&account(2), &BOB, 1, 100);
		Registry::note_delivery(&account(5), &BOB, 1, 50);
		assert_eq!(Registry::leaderboard(1)[0].account.0[0], 5);
	});
}
