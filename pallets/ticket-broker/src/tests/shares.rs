//! Shares are paid once over any number of hops, in whatever order the payments are redeemed; nothing is given that was
//! not paid, and what nobody sells on goes to those whose it is.

use crate::{mock::*, types::Shares, Event, HoldReason, Ledgers};
use clustercast_primitives::{
	amount::{ticket_bytes, USDC},
	chain::TicketVerdict::Accepted,
	crypto::KeyPair,
	receipt::Kind,
	AccountId, Balance, Hash, Voucher,
};
use frame_support::{assert_ok, traits::fungible::InspectHold};
use proptest::prelude::*;
use sp_runtime::AccountId32;

/// The broadcaster's and the treasury's parts of [`STREAM`], parts of a hundred.
const PERCENT: (Balance, Balance) = (10, 2);

/// A relayer by number, with money to buy with and a session.
fn relayer(n: u8) -> (AccountId32, KeyPair) {
	(AccountId32::new([50 + n; 32]), key(50 + n))
}

/// `count` bonded relayers.
fn bond(count: u8) {
	for n in 0..count {
		let (who, session) = relayer(n);
		endow(&who, ENDOWMENT);
		Bonded::mutate(|bonded| bonded.push(who.clone()));
		deposit(who.clone(), 60 * USDC);
		authorize(who, &session, ENDOWMENT, 10_000);
	}
}

/// Who pays whom how much in all, by voucher.
#[derive(Clone, Copy, Debug)]
struct Payment {
	/// A relayer, or Alice.
	from: Option<u8>,
	to: u8,
	amount: Balance,
}

impl Payment {
	fn redeem(self) {
		let (sender, session) = self.from.map_or((ALICE, key(1)), relayer);
		let recipient = relayer(self.to).0;
		let voucher = Voucher {
			sender: AccountId(sender.into()),
			session: session.public(),
			recipient: AccountId(recipient.clone().into()),
			stream: STREAM,
			kind: Kind::LIVE,
			context: Hash([0; 32]),
			terms: 0,
			amount: self.amount,
			bytes: ticket_bytes((self.amount * 500) as u64),
			expiry: grid(System::block_number() + 100),
		};
		let vouchers = vec![session.sign(voucher, &genesis())];
		assert!(matches!(Broker::check_vouchers(&vouchers)[0], Accepted(_)), "{self:?}");
		let vouchers = vouchers.try_into().unwrap();
		assert_ok!(Broker::redeem_vouchers(RuntimeOrigin::signed(recipient), vouchers));
	}
}

fn set_aside() -> Balance {
	Balances::balance_on_hold(&HoldReason::Shares.into(), &TREASURY)
}

/// Every order of these.
fn orders(payments: &[Payment]) -> Vec<Vec<Payment>> {
	if payments.len() < 2 {
		return vec![payments.to_vec()];
	}
	(0..payments.len())
		.flat_map(|first| {
			let mut rest = payments.to_vec();
			let first = rest.remove(first);
			orders(&rest).into_iter().map(move |mut order| {
				order.insert(0, first);
				order
			})
		})
		.collect()
}

/// Over three hops, in each of six orders, everybody has what the last price alone gives.
#[test]
fn three_payments_pay_the_shares_of_the_last_price_in_every_order() {
	let sold = Payment {
		from: None,
		to: 0,
		amount: 10 * USDC,
	};
	let bought = |from, to, amount| Payment {
		from: Some(from),
		to,
		amount,
	};
	for order in orders(&[sold, bought(0, 1, 6 * USDC), bought(1, 2, 3 * USDC)]) {
		ExtBuilder.build_and_execute(|| {
			open_session();
			bond(3);
			let before = [CAROL, TREASURY].map(|who| total(&who));
			let own = |n| total(&relayer(n).0);
			let relayers = [own(0), own(1), own(2)];
			for payment in &order {
				payment.redeem();
				try_state();
			}
			assert_eq!(total(&CAROL) - before[0], 10 * USDC / 100 * PERCENT.0, "{order:?}");
			assert_eq!(total(&TREASURY) - before[1], 10 * USDC / 100 * PERCENT.1, "{order:?}");
			assert_eq!(set_aside(), 0, "{order:?}");
			// 12 % of 10, 6 and 3: each has what its own part of the price leaves.
			let net = |amount: Balance| amount / 100 * 88;
			assert_eq!(own(0) as i128 - relayers[0] as i128, net(4 * USDC) as i128);
			assert_eq!(own(1) as i128 - relayers[1] as i128, net(3 * USDC) as i128);
			assert_eq!(own(2) as i128 - relayers[2] as i128, net(3 * USDC) as i128);
		});
	}
}

/// A viewer that pays as a relayer pays the shares like any other: a day later they are where they belong.
#[test]
fn a_bond_evades_nothing() {
	ExtBuilder.build_and_execute(|| {
		bond(2);
		let before = [CAROL, TREASURY].map(|who| total(&who));
		let viewer = total(&relayer(0).0);
		let paid = Payment {
			from: Some(0),
			to: 1,
			amount: 10 * USDC,
		};
		paid.redeem();
		assert_eq!(viewer - total(&relayer(0).0), 10 * USDC);
		assert_eq!((set_aside(), total(&CAROL)), (1_200_000, before[0]));
		run_to(SHARE_MEMORY);
		assert_eq!(set_aside(), 1_200_000);
		run_to(1 + SHARE_MEMORY);
		assert_eq!(set_aside(), 0);
		assert_eq!(total(&CAROL) - before[0], USDC);
		assert_eq!(total(&TREASURY) - before[1], USDC / 5);
		System::assert_last_event(
			Event::SharesHandedOn {
				relayer: relayer(0).0,
				stream: STREAM,
				terms: 0,
				broadcaster: USDC,
				treasury: USDC / 5,
			}
			.into(),
		);
		assert_eq!(Ledgers::<Test>::iter().count(), 0);
	});
}

/// A payment puts the end off; what was set aside is used until then.
#[test]
fn a_ledger_lives_a_day_from_its_last_payment() {
	ExtBuilder.build_and_execute(|| {
		open_session();
		bond(2);
		let bought = |amount| Payment {
			from: Some(0),
			to: 1,
			amount,
		};
		bought(USDC).redeem();
		run_to(SHARE_MEMORY);
		bought(2 * USDC).redeem();
		run_to(2 * SHARE_MEMORY - 1);
		assert_eq!(set_aside(), 240_000);
		let carol = total(&CAROL);
		let sold = Payment {
			from: None,
			to: 0,
			amount: 5 * USDC,
		};
		sold.redeem();
		assert_eq!((set_aside(), total(&CAROL) - carol), (0, USDC / 2));
	});
}

/// The attack: a relayer buys for a lot, sells for money that the chain does not see, and pays a little every day, so that
/// its ledger never ends.
#[test]
fn shares_that_nobody_sells_on_do_not_wait_for_ever_for_one_who_pays_every_day() {
	ExtBuilder.build_and_execute(|| {
		bond(2);
		let bought = |amount| Payment {
			from: Some(0),
			to: 1,
			amount,
		};
		bought(10 * USDC).redeem();
		let (carol, treasury) = (total(&CAROL), total(&TREASURY) - set_aside());
		for time in 1..=8u32 {
			// Well before it would end.
			run_to(1 + time * SHARE_MEMORY * 11 / 30);
			bought(10 * USDC + Balance::from(time) * 10_000).redeem();
			try_state();
		}
		// All but what was paid since: a tenth and a fiftieth.
		assert!(total(&CAROL) >= carol + USDC, "{}", total(&CAROL) - carol);
		assert!(total(&TREASURY) - set_aside() >= treasury + USDC / 5);
		assert!(set_aside() <= 8 * 1_200, "{}", set_aside());
	});
}

/// Who sells within a day what it bought loses none of it, however long its ledger lives.
#[test]
fn what_is_sold_on_within_a_day_pays_no_share_twice() {
	ExtBuilder.build_and_execute(|| {
		open_session();
		bond(2);
		let bought = |amount| Payment {
			from: Some(0),
			to: 1,
			amount,
		};
		let sold = |amount| Payment {
			from: None,
			to: 0,
			amount,
		};
		let carol = total(&CAROL);
		for half in 1..=6u32 {
			run_to(1 + half * SHARE_MEMORY / 2);
			bought(Balance::from(half) * USDC).redeem();
			// What was bought half a day ago.
			if half > 1 {
				sold(Balance::from(half - 1) * USDC).redeem();
			}
			try_state();
		}
		// Of five that were sold, no more: what was bought last is still set aside.
		assert_eq!(total(&CAROL) - carol, 5 * USDC / 10);
		assert_eq!(set_aside(), 120_000);
	});
}

/// Two relayers that pay each other in a circle have no reputation from it, and lose nothing but fees.
#[test]
fn circles_make_no_reputation() {
	ExtBuilder.build_and_execute(|| {
		bond(2);
		for n in 1..10 {
			for (from, to) in [(0, 1), (1, 0)] {
				let paid = Payment {
					from: Some(from),
					to,
					amount: n * USDC,
				};
				paid.redeem();
			}
		}
		assert_eq!(Reported::get(), []);
	});
}

/// What is sold with shares that were paid before counts for the rest.
#[test]
fn reputation_counts_newly_paid_shares_alone() {
	ExtBuilder.build_and_execute(|| {
		open_session();
		bond(2);
		let bought = Payment {
			from: Some(0),
			to: 1,
			amount: 6 * USDC,
		};
		let sold = Payment {
			from: None,
			to: 0,
			amount: 10 * USDC,
		};
		bought.redeem();
		sold.redeem();
		let value: Vec<_> = Reported::get().into_iter().map(|(.., value)| value).collect();
		assert_eq!(value, [4 * USDC]);
	});
}

/// Who sells to itself, buys from itself, and both: no money is made of it.
#[test]
fn who_pays_itself_gains_nothing() {
	ExtBuilder.build_and_execute(|| {
		bond(1);
		let (issuance, carol) = (Balances::total_issuance(), total(&CAROL));
		let before = total(&relayer(0).0);
		for n in 1..5 {
			let paid = Payment {
				from: Some(0),
				to: 0,
				amount: n * USDC,
			};
			paid.redeem();
			assert!(total(&relayer(0).0) <= before);
			try_state();
		}
		run_to(3 * SHARE_MEMORY);
		assert!(total(&relayer(0).0) <= before && total(&CAROL) >= carol);
		assert_eq!(Balances::total_issuance(), issuance);
	});
}

proptest! {
	#![proptest_config(ProptestConfig::with_cases(80))]

	/// Any payments among relayers and from a viewer: money is conserved; what broadcaster and treasury have, with what
	/// is set aside, is never less than the shares of what viewers paid, less what relayers paid for without selling it,
	/// and once all ledgers have ended nothing is set aside. No set of relayers has more than what viewers paid it less
	/// the shares.
	#[test]
	fn shares_are_those_of_what_viewers_paid(
		steps in proptest::collection::vec((0u8..4, 0u8..3, 1_000..2 * USDC), 1..40),
	) {
		ExtBuilder.build_and_execute(|| {
			open_session();
			bond(3);
			let issuance = Balances::total_issuance();
			let relayers = || (0..3).map(|n| total(&relayer(n).0)).sum::<Balance>();
			let theirs = || total(&CAROL) + total(&TREASURY);
			let (before, shares) = (relayers(), theirs());
			let mut owed = std::collections::BTreeMap::new();
			let mut viewers = 0;
			let mut payments = 0;
			for (from, to, more) in steps {
				let sum: &mut Balance = owed.entry((from, to)).or_default();
				if *sum + more > 15 * USDC {
					continue;
				}
				*sum += more;
				let from = from.checked_sub(1);
				viewers += if from.is_none() { more } else { 0 };
				payments += 1;
				Payment { from, to, amount: *sum }.redeem();
				try_state();
				// Never more than what viewers paid, less its shares, rounded down twice a payment.
				let due = viewers / 100 * 12;
				assert!(relayers() <= before + viewers - due + 2 * payments + 100);
				assert!(theirs() + 2 * payments + 100 >= shares + due);
			}
			assert_eq!(Balances::total_issuance(), issuance);
			run_to(5 * SHARE_MEMORY);
			assert_eq!(set_aside(), 0);
			assert_eq!(Ledgers::<Test>::iter().count(), 0);
			assert_eq!(Balances::total_issuance(), issuance);
		});
	}
}

#[test]
fn shares_are_counted_by_part() {
	let all = Shares {
		broadcaster: 10,
		treasury: 2,
	};
	let some = Shares {
		broadcaster: 4,
		treasury: 3,
	};
	assert_eq!((all.sum(), all.min(some).sum(), all.plus(some).sum()), (12, 6, 19));
	assert_eq!(
		all.minus(some),
		Shares {
			broadcaster: 6,
			treasury: 0
		}
	);
}
