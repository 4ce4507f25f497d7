//! What it takes to fill blocks, and who gets through meanwhile.

use super::{
	authority::{carried, every_call, reviewed},
	fees::{fee_of_batch, highest},
	pool::{judged, redeem, winning, with_a_viewer, RELAYER},
	*,
};
use crate::{
	calls::{caller, inside, may_be_signed, Caller},
	configs::RuntimeBlockWeights,
	money::PriceOfFullness,
	pool::{place, LANE},
};
use clustercast_primitives::amount::USDC;
use codec::Decode;
use frame_support::{
	dispatch::{DispatchClass, GetDispatchInfo},
	storage::{with_transaction_unchecked, TransactionOutcome},
	traits::Get,
	weights::Weight,
};
use pallet_transaction_payment::{Event as Payment, Multiplier, MultiplierUpdate, NextFeeMultiplier};
use sp_runtime::{
	traits::One,
	transaction_validity::{InvalidTransaction, TransactionSource},
	FixedPointNumber,
};
use std::collections::BTreeMap;

/// Who has all the money that there is.
const RICH: Sr25519Keyring = Sr25519Keyring::Eve;

/// Most that signed calls take of a block.
fn normal_max() -> Weight {
	let limits = RuntimeBlockWeights::get();
	limits.get(DispatchClass::Normal).max_total.unwrap()
}

/// What extrinsics took of this block.
fn used() -> Weight {
	let used = System::block_weight();
	*used.get(DispatchClass::Normal) + *used.get(DispatchClass::Operational)
}

fn kill_prefix(subkeys: u32) -> RuntimeCall {
	let prefix = vec![];
	frame_system::Call::kill_prefix { prefix, subkeys }.into()
}

/// Each filled four fifths of a block, for 0.0415 USDC, again and again, and the price stayed where it was.
#[test]
fn calls_that_need_root_fill_no_block() {
	in_first_block(crate::genesis::LOCAL, || {
		for subkeys in [1, 1_000, 7_000] {
			let kill = kill_prefix(subkeys);
			let before = used();
			let mut attempts = vec![("plain", kill.clone())];
			attempts.extend(carried(&kill));
			// Beside a call that is anybody's the whole is none of the operational class.
			let calls = vec![transfer(&RICH.to_account_id(), 1), kill];
			attempts.push(("beside a transfer", pallet_utility::Call::force_batch { calls }.into()));
			for (way, call) in attempts {
				// What says that it will weigh more than fits is refused for that first.
				let info = call.get_dispatch_info();
				let largest = RuntimeBlockWeights::get().get(info.class).max_extrinsic;
				let refused = match largest.is_some_and(|largest| info.call_weight.any_gt(largest)) {
					true => InvalidTransaction::ExhaustsResources,
					false => InvalidTransaction::Call,
				};
				let outcome = Executive::apply_extrinsic(signed(RICH, call));
				assert_eq!(outcome, Err(refused.into()), "{way}, {subkeys}");
			}
			assert_eq!(used(), before);
		}
	});
}

/// What every call says of itself in `calls.txt` is what is asked of it.
#[test]
fn who_can_have_a_call_is_as_it_was_reviewed() {
	let reviewed: BTreeMap<_, _> = reviewed().collect();
	for (name, call) in samples(1) {
		let expected = match reviewed[name.as_str()] {
			"anybody" => Caller::Anybody,
			"author" | "free" => Caller::Unsigned,
			_ => Caller::Nobody,
		};
		assert_eq!(caller(&call), expected, "{name}");
		assert!(
			may_be_signed(&call) || expected != Caller::Anybody || !inside(&call).is_empty(),
			"{name}"
		);
	}
}

/// As many calls as asked for of each kind in the metadata, of arguments that decode from bytes that a seed gives; from
/// zeros at first.
pub(super) fn samples(each: usize) -> Vec<(String, RuntimeCall)> {
	let mut found = Vec::new();
	for described in every_call() {
		let mut state = u64::from_le_bytes([described.prefix[0], described.prefix[1], 1, 2, 3, 4, 5, 6]);
		let mut count = 0;
		for round in 0..2_000 {
			let mut bytes = described.prefix.to_vec();
			bytes.extend((0..2_048).map(|_| {
				// Small bytes are more often lengths and variants that there are.
				state = state
					.wrapping_mul(6_364_136_223_846_793_005)
					.wrapping_add(1_442_695_040_888_963_407);
				let byte = (state >> 33) as u8;
				if round == 0 {
					0
				} else {
					byte >> (round % 8)
				}
			}));
			if let Ok(call) = RuntimeCall::decode(&mut &bytes[..]) {
				found.push((described.name.clone(), call));
				count += 1;
			}
			if count == each {
				break;
			}
		}
		assert!(count > 0, "{} decodes from nothing that was tried", described.name);
	}
	found
}

/// Applies a call of the rich, compares what it took of the block with what was paid for it, and undoes it.
fn buys_its_weight(name: &str, call: RuntimeCall, price: Multiplier) -> bool {
	with_transaction_unchecked(|| TransactionOutcome::Rollback(buys(name, call, price)))
}

fn buys(name: &str, call: RuntimeCall, price: Multiplier) -> bool {
	NextFeeMultiplier::<Runtime>::put(price);
	System::reset_events();
	let before = System::block_weight();
	let info = call.get_dispatch_info();
	let Ok(outcome) = Executive::apply_extrinsic(signed(RICH, call)) else {
		assert_eq!(System::block_weight(), before, "{name} was refused and takes something");
		return false;
	};
	assert_eq!(info.class, DispatchClass::Normal, "{name}");
	let paid: Balance = System::events()
		.into_iter()
		.filter_map(|record| match record.event {
			RuntimeEvent::TransactionPayment(Payment::TransactionFeePaid { actual_fee, .. }) => Some(actual_fee),
			_ => None,
		})
		.sum();
	let after = System::block_weight();
	assert_eq!(
		after.get(DispatchClass::Operational),
		before.get(DispatchClass::Operational),
		"{name}"
	);
	let took = *after.get(DispatchClass::Normal) - *before.get(DispatchClass::Normal);
	let worth = price.saturating_mul_int(u128::from(took.ref_time() / constants::PICOSECONDS_PER_MICRO_USDC));
	assert!(
		took.ref_time() > 0 && paid >= worth,
		"{name}: {paid} for {took:?}, {outcome:?}"
	);
	true
}

#[test]
fn no_signed_call_takes_more_of_a_block_than_its_fee_buys() {
	in_first_block(crate::genesis::LOCAL, || {
		let mut applied = BTreeMap::<String, u32>::new();
		for (name, call) in samples(8) {
			for price in [Multiplier::one(), highest()] {
				if buys_its_weight(&name, call.clone(), price) {
					*applied.entry(name.clone()).or_default() += 1;
				}
			}
		}
		let anybodys: Vec<_> = reviewed()
			.filter(|(_, who)| *who == "anybody")
			.map(|(name, _)| name)
			.collect();
		assert!(applied.keys().eq(&anybodys), "{applied:?} were tried");

		// What fails inside, what is declared and not used, and what is many bytes and little else.
		let fails = || transfer(&RICH.to_account_id(), Balance::MAX / 2);
		let with = |calls| RuntimeCall::from(pallet_utility::Call::force_batch { calls });
		let declared = pallet_multisig::Call::as_multi {
			threshold: 2,
			other_signatories: vec![AccountId::new([1; 32])],
			maybe_timepoint: None,
			call: Box::new(fails()),
			max_weight: Weight::from_parts(200_000_000_000, 0),
		};
		let crafted = [
			("failing transfers", with((0..500).map(|_| fails()).collect())),
			("a weight for nothing", declared.into()),
			(
				"a megabyte",
				frame_system::Call::remark {
					remark: vec![1; 1 << 20],
				}
				.into(),
			),
		];
		for (name, call) in crafted {
			for price in [Multiplier::one(), highest()] {
				assert!(buys_its_weight(name, call.clone(), price), "{name}");
			}
		}
	});
}

#[test]
fn a_block_full_of_bytes_is_full_of_weight() {
	in_first_block(crate::genesis::LOCAL, || {
		let limit = *configs::RuntimeBlockLength::get().max.get(DispatchClass::Normal) as usize;
		let mut bytes = 0;
		loop {
			let remark = frame_system::Call::remark {
				remark: vec![1; 1 << 18],
			};
			let extrinsic = signed(RICH, remark);
			let length = extrinsic.encoded_size();
			match Executive::apply_extrinsic(extrinsic) {
				Ok(_) => bytes += length,
				Err(_) => break,
			}
		}
		assert!(bytes <= limit);
		// What is left is less than one of them.
		let left = normal_max().ref_time() - used().ref_time();
		assert!(left < 30_000_000_000, "{left} ps are left beside {bytes} bytes");
		let before = NextFeeMultiplier::<Runtime>::get();
		next_block();
		assert!(NextFeeMultiplier::<Runtime>::get() > before);
	});
}

/// What filling so much of each of so many blocks costs, micro-USDC, beginning at the lowest price; and the price after it.
fn fill(blocks: u32, percent: u64, class: DispatchClass) -> (Balance, Multiplier) {
	in_first_block(crate::genesis::LOCAL, || {
		let each = normal_max().ref_time() / 100 * percent;
		let mut cost = 0;
		assert_eq!(NextFeeMultiplier::<Runtime>::get(), Multiplier::one());
		for _ in 0..blocks {
			System::register_extra_weight_unchecked(Weight::from_parts(each, 0), class);
			let price = NextFeeMultiplier::<Runtime>::get();
			// As `no_signed_call_takes_more_of_a_block_than_its_fee_buys` shows.
			cost += price.saturating_mul_int(u128::from(each / constants::PICOSECONDS_PER_MICRO_USDC));
			next_block();
		}
		(cost, NextFeeMultiplier::<Runtime>::get())
	})
}

#[test]
fn filling_blocks_for_as_long_as_a_ticket_lives_costs_a_thousand_usdc() {
	let life = constants::MAX_TICKET_LIFE;
	for class in [DispatchClass::Normal, DispatchClass::Operational] {
		for percent in [100, 95, 90] {
			let (cost, price) = fill(life, percent, class);
			println!(
				"{percent} % of {life} blocks, {class:?}: {} USDC, then {price:?}",
				cost / USDC
			);
			assert!(cost >= 1_000 * USDC, "{percent} %: {cost}");
			assert_eq!(price, highest());
		}
	}
	// How it climbs: for the first blocks little is paid.
	for blocks in [10, 30, 60, 120] {
		let (cost, price) = fill(blocks, 100, DispatchClass::Normal);
		println!("{blocks} blocks: {cost} micro-USDC, then {price:?}");
	}
}

#[test]
fn the_price_falls_again_as_fast_as_it_rose() {
	in_first_block(crate::genesis::LOCAL, || {
		NextFeeMultiplier::<Runtime>::put(highest());
		let mut blocks = 0;
		while NextFeeMultiplier::<Runtime>::get() > <PriceOfFullness as MultiplierUpdate>::min() {
			next_block();
			blocks += 1;
		}
		assert!((50..=62).contains(&blocks), "{blocks}");
		// And half full it stays.
		NextFeeMultiplier::<Runtime>::put(Multiplier::saturating_from_integer(7));
		System::register_extra_weight_unchecked(normal_max() / 2, DispatchClass::Normal);
		next_block();
		let price = NextFeeMultiplier::<Runtime>::get();
		assert_eq!(price.saturating_mul_int(1_000_u32), 7_000);
	});
}

/// An extrinsic of somebody with this tip.
fn tipping(call: RuntimeCall, tip: Balance) -> UncheckedExtrinsic {
	let mut extension = extension(RICH);
	extension.6 = pallet_transaction_payment::ChargeTransactionPayment::from(tip);
	signed_with(RICH, call, extension)
}

/// While somebody fills blocks with whatever there is, at whatever tip, a relayer's batch is in the next block.
#[test]
fn a_relayers_batch_goes_before_all_that_is_signed() {
	with_a_viewer(|| {
		NextFeeMultiplier::<Runtime>::put(highest());
		let batch = redeem((0..20).map(|nonce| winning(nonce, USDC)).collect());
		let batch = judged(TransactionSource::External, signed(RELAYER, batch)).unwrap();
		assert!(batch.priority >= LANE);
		// All that somebody has.
		let all = Balances::balance(&RICH.to_account_id()) / 2;
		let mut tried = 0;
		for (name, call) in samples(4) {
			if let Ok(other) = judged(TransactionSource::External, tipping(call, all)) {
				assert!(other.priority < batch.priority, "{name}: {}", other.priority);
				tried += 1;
			}
		}
		assert!(tried > 80, "{tried}");
		let per_ticket = fee_of_batch(20) / 20;
		assert!(per_ticket < USDC / 100, "{per_ticket}");
	});
}

/// What relayers redeem unless they are told otherwise. Of tickets that bring more the lane would be of no use.
#[test]
fn tickets_of_the_usual_face_value_are_in_the_lane_however_dear_blocks_are() {
	const FACE_VALUE: Balance = USDC / 50;
	with_a_viewer(|| {
		for price in [Multiplier::one(), highest()] {
			NextFeeMultiplier::<Runtime>::put(price);
			for count in [1, 3, 20, 100] {
				let batch = redeem((0..count).map(|nonce| winning(nonce, FACE_VALUE)).collect());
				let batch = judged(TransactionSource::External, signed(RELAYER, batch)).unwrap();
				assert!(
					batch.priority >= LANE,
					"{count} tickets at {price:?}: {}",
					batch.priority
				);
			}
		}
	});
}

/// The attack: a viewer has something reserved while blocks are full, and all redemptions stand behind that in the order of nonces.
#[test]
fn what_a_relayer_is_to_reserve_keeps_its_redemptions_out_of_no_block() {
	with_a_viewer(|| {
		NextFeeMultiplier::<Runtime>::put(highest());
		let recipient = super::raw(RELAYER);
		let reservation = clustercast_primitives::channel::Reservation {
			sender: super::raw(Sr25519Keyring::Eve),
			session: super::key(2).public(),
			recipient,
			counter: 1,
			cap: USDC,
			reward: 0,
			submit_by: System::block_number() + 100,
		};
		let reservation = super::key(2).sign(reservation, &super::genesis_hash());
		let release = clustercast_primitives::channel::Release {
			recipient,
			session: super::key(2).public(),
			registered: System::block_number(),
			counter: 1,
			kept: 0,
		};
		let calls = [
			pallet_ticket_broker::Call::reserve { reservation },
			pallet_ticket_broker::Call::release { release },
		];
		for call in calls {
			let call = RuntimeCall::TicketBroker(call);
			let before = RelayerRegistry::last_turn(&RELAYER.to_account_id());
			next_block();
			let own = judged(TransactionSource::External, signed(RELAYER, call.clone())).unwrap();
			assert!(own.priority >= LANE, "{}", own.priority);
			// Of somebody else it is like any other.
			let other = judged(TransactionSource::External, signed(RICH, call.clone())).unwrap();
			assert!(other.priority < LANE, "{}", other.priority);
			// It is a turn, so that nobody has two.
			assert_ok!(apply(signed(RELAYER, call)));
			assert!(RelayerRegistry::last_turn(&RELAYER.to_account_id()) > before);
		}
	});
}

/// The attack: payout, operator and who registered each send a batch before any has had its turn.
#[test]
fn a_relayer_is_in_the_lane_once_whoever_acts_for_it() {
	with_a_viewer(|| {
		let accounts = [Sr25519Keyring::Bob, Sr25519Keyring::Charlie, Sr25519Keyring::Dave];
		let [relayer, operator, payout] = accounts;
		super::pool::bond(relayer, 4);
		let id = |who: Sr25519Keyring| who.to_account_id();
		let (to, by) = (id(relayer), relayer);
		super::pool::dispatch(
			by,
			pallet_relayer_registry::Call::set_operator {
				relayer: to.clone(),
				operator: id(operator),
			},
		);
		super::pool::dispatch(
			by,
			pallet_relayer_registry::Call::set_payout {
				relayer: to,
				payout: id(payout),
			},
		);
		let batch = |nonce| redeem(vec![super::pool::winning_for(relayer, nonce, USDC, 120)]);
		let in_lane = accounts.map(|who| {
			let judged = judged(TransactionSource::External, signed(who, batch(0)));
			judged.is_ok_and(|valid| valid.priority >= LANE)
		});
		assert_eq!(in_lane, [false, true, false]);
		// What others hand in for it is no turn.
		let turn = || RelayerRegistry::last_turn(&id(relayer));
		let before = turn();
		next_block();
		assert_ok!(apply(signed(payout, batch(1))));
		assert_eq!(turn(), before);
		assert_ok!(apply(signed(operator, batch(2))));
		assert_eq!(turn(), Some(System::block_number()));
	});
}

/// Who wants to keep a batch out of ten blocks needs another relayer for each batch that goes before it. With the bonds of
/// as many as are needed for the life of a ticket he could buy a seat.
#[test]
fn the_lane_is_stuffed_by_bonds_alone() {
	with_a_viewer(|| {
		let tickets = (0..u64::from(constants::MAX_BATCH))
			.map(|nonce| winning(nonce, 2_000))
			.collect();
		let info = signed(RELAYER, redeem(tickets)).get_dispatch_info();
		let in_a_block = normal_max().ref_time() / info.total_weight().ref_time();
		println!("{in_a_block} full batches in a block");
		let bonds = |blocks: u32| Balance::from(in_a_block) * Balance::from(blocks) * constants::MIN_BOND;
		assert!(bonds(10) >= 500 * USDC, "{}", bonds(10));
		assert!(bonds(constants::MAX_TICKET_LIFE) >= 3 * constants::MIN_VALIDATOR_BOND);
		// Each of them holds it up once: then he stands behind it.
		let other = Sr25519Keyring::Bob;
		super::pool::bond(other, 4);
		next_block();
		let batch = |who, nonce| redeem(vec![super::pool::winning_for(who, nonce, USDC, 120)]);
		let place = |who, nonce| {
			judged(TransactionSource::External, signed(who, batch(who, nonce)))
				.unwrap()
				.priority
		};
		assert_eq!(place(other, 0), place(RELAYER, 1));
		assert_ok!(apply(signed(other, batch(other, 0))));
		assert!(place(other, 2) < place(RELAYER, 1));
	});
}

/// Fifty relayers who have a batch ready all the time and never had a turn before it; ties go to them.
#[test]
fn among_fifty_other_relayers_a_batch_waits_for_ten_blocks_at_most() {
	const FIT: usize = 5;
	let mut turns = [1; 50];
	let (mut mine, mut since, mut longest) = (5, 5, 0);
	for block in 6..=605 {
		for _ in 0..FIT {
			let first = (0..turns.len()).max_by_key(|n| place(turns[*n])).unwrap();
			if place(mine) > place(turns[first]) {
				longest = longest.max(block - since);
				(mine, since) = (block, block);
			} else {
				turns[first] = block;
			}
		}
	}
	assert!(longest > 0 && 605 - since < 12);
	// The block in which it was ready is the one of its last turn: it waits one less.
	assert!(longest - 1 <= 10, "{longest}");
}

#[test]
fn every_validator_can_attest_in_a_block_that_is_full() {
	in_first_block(crate::genesis::LOCAL, || {
		let limits = RuntimeBlockWeights::get();
		let attest = pallet_usdc_bridge::Call::<Runtime>::attest {
			attestation: Decode::decode(&mut &[0; 89][..]).unwrap(),
			authority_index: 0,
			signature: clustercast_primitives::Signature([0; 64]),
		};
		let attest = RuntimeCall::from(attest).get_dispatch_info();
		assert_eq!(attest.class, DispatchClass::Operational);
		let operational = limits.get(DispatchClass::Operational);
		let one = attest.total_weight() + operational.base_extrinsic;
		let room = operational.reserved.unwrap();
		assert_eq!(operational.max_total, Some(room));
		assert_eq!(room.ref_time() / one.ref_time(), u64::from(constants::MAX_VALIDATORS));
		assert!(room.ref_time() < limits.max_block.ref_time() / 20);
		let multiplier: u8 = <Runtime as pallet_transaction_payment::Config>::OperationalFeeMultiplier::get();
		assert_eq!(multiplier, 0);
		// Nobody else is of that class.
		for (name, call) in samples(4) {
			let class = call.get_dispatch_info().class;
			assert!(
				class != DispatchClass::Operational || name == "UsdcBridge.attest" || !may_be_signed(&call),
				"{name}"
			);
		}
	});
}
