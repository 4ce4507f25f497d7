//! What calls cost, and where the money goes.

use super::{
	pool::{redeem, winning, winning_for, with_a_viewer, RELAYER},
	*,
};
use crate::money::PriceOfFullness;
use clustercast_primitives::{
	amount::USDC, receipt::Kind, AccountId as RawAccount, Hash as RawHash, PublicKey, Signature as RawSignature,
	SignedTicket, SignedVoucher, Ticket, Voucher, WinningTicket,
};
use pallet_transaction_payment::{Multiplier, MultiplierUpdate};
use sp_runtime::{traits::Dispatchable, transaction_validity::InvalidTransaction, DispatchError};

fn winning_ticket() -> WinningTicket {
	WinningTicket {
		signed: SignedTicket {
			message: Ticket {
				sender: RawAccount([1; 32]),
				session: PublicKey([2; 32]),
				recipient: RawAccount([3; 32]),
				stream: Default::default(),
				kind: Kind::LIVE,
				context: RawHash([0; 32]),
				bytes: 65_536,
				face_value: 1,
				win_probability: 1,
				commitment: RawHash([4; 32]),
				nonce: 0,
				expiry: 60,
			},
			signature: RawSignature([5; 64]),
		},
		rand: RawHash([6; 32]),
	}
}

fn fee_of(call: impl Into<RuntimeCall>) -> Balance {
	let extrinsic = signed(Sr25519Keyring::Alice, call);
	let length = extrinsic.encoded_size() as u32;
	TransactionPayment::query_info(extrinsic, length).partial_fee
}

pub(super) fn fee_of_batch(tickets: usize) -> Balance {
	let tickets = vec![winning_ticket(); tickets].try_into().unwrap();
	fee_of(pallet_ticket_broker::Call::redeem_batch { tickets })
}

fn fee_of_vouchers(vouchers: usize) -> Balance {
	let voucher = SignedVoucher {
		message: Voucher {
			sender: RawAccount([1; 32]),
			session: PublicKey([2; 32]),
			recipient: RawAccount([3; 32]),
			stream: Default::default(),
			kind: Kind::LIVE,
			context: RawHash([0; 32]),
			terms: 0,
			amount: 1,
			bytes: 1,
			expiry: 60,
		},
		signature: RawSignature([5; 64]),
	};
	let vouchers = vec![voucher; vouchers].try_into().unwrap();
	fee_of(pallet_ticket_broker::Call::redeem_vouchers { vouchers })
}

/// The highest price of computing.
pub(super) fn highest() -> Multiplier {
	<PriceOfFullness as MultiplierUpdate>::max()
}

/// Makes computing as dear as it gets.
fn congest() {
	pallet_transaction_payment::NextFeeMultiplier::<Runtime>::put(highest());
}

#[test]
fn transfer_costs_about_100_micro_usdc() {
	in_first_block(crate::genesis::LOCAL, || {
		let fee = fee_of(transfer(&Sr25519Keyring::Bob.to_account_id(), USDC));
		println!("transfer: {fee} micro-USDC");
		assert!((80..=120).contains(&fee), "{fee}");
	});
}

#[test]
fn redeeming_a_ticket_costs_a_fiftieth_of_a_cent_and_below_a_cent_however_full_blocks_are() {
	in_first_block(crate::genesis::LOCAL, || {
		let (one, hundred) = (fee_of_batch(1), fee_of_batch(100));
		println!("redeem_batch: {one} micro-USDC for 1 ticket, {hundred} for 100");
		assert!(one < 300 && hundred / 100 < 200, "{one} {hundred}");
		congest();
		let (one, hundred) = (fee_of_batch(1), fee_of_batch(100));
		println!("redeem_batch in full blocks: {one} micro-USDC for 1 ticket, {hundred} for 100");
		assert!(one < 10_000 && hundred / 100 < 10_000, "{one} {hundred}");
	});
}

/// What a relayer's choice between tickets and vouchers counts with, and `payment_modes` in docs/benchmarks.md.
#[test]
fn redeeming_a_voucher_costs_less_than_a_ticket() {
	in_first_block(crate::genesis::LOCAL, || {
		let (one, hundred) = (fee_of_vouchers(1), fee_of_vouchers(100));
		println!("redeem_vouchers: {one} micro-USDC for 1 voucher, {hundred} for 100");
		assert!(one < fee_of_batch(1) && hundred / 100 < 130, "{one} {hundred}");
		assert!(hundred < fee_of_batch(100));
	});
}

/// A hundred tickets that are all paid, five times in one block and more, until the block is full.
#[test]
fn five_full_batches_fit_into_a_block() {
	with_a_viewer(|| {
		let size = u64::from(constants::MAX_BATCH);
		let batch = |n: u64| redeem((n * size..(n + 1) * size).map(|nonce| winning(nonce, 2_000)).collect());
		let held = || TicketBroker::viewer_account(&Sr25519Keyring::Eve.to_account_id()).deposit;
		let fits = |n: &u64| {
			let before = held();
			let outcome = Executive::apply_extrinsic(signed(RELAYER, batch(*n)));
			if outcome == Err(InvalidTransaction::ExhaustsResources.into()) {
				return false;
			}
			assert_eq!(outcome, Ok(Ok(())), "batch {n}");
			assert_eq!(before - held(), 2_000 * Balance::from(size), "batch {n}");
			true
		};
		let fitted = (0..20).take_while(fits).count();
		println!("{fitted} batches of {size} fit into a block");
		assert!((5..20).contains(&fitted), "{fitted}");
	});
}

#[test]
fn fees_go_to_the_author_and_nothing_is_burnt() {
	in_first_block(crate::genesis::LOCAL, || {
		let (author, sender) = (Authorship::author().unwrap(), Sr25519Keyring::Eve);
		assert_eq!(author, Sr25519Keyring::Alice.to_account_id());
		let before = (
			Balances::total_issuance(),
			Balances::balance(&author),
			Balances::balance(&sender.to_account_id()),
		);
		assert_ok!(apply(signed(
			sender,
			transfer(&Sr25519Keyring::Bob.to_account_id(), USDC)
		)));
		let fee = before.2 - USDC - Balances::balance(&sender.to_account_id());
		assert!(fee > 0);
		assert_eq!(
			(Balances::total_issuance(), Balances::balance(&author)),
			(before.0, before.1 + fee)
		);
	});
}

#[test]
fn fees_go_to_the_treasury_when_the_author_has_no_account() {
	in_first_block(crate::genesis::LOCAL, || {
		let author = Authorship::author().unwrap();
		// Validators hold a reference to their account: take it, as if it had never been endowed.
		frame_system::Account::<Runtime>::remove(&author);
		let (treasury, sender) = (crate::genesis::treasury(), Sr25519Keyring::Eve.to_account_id());
		let before = (Balances::balance(&treasury), Balances::balance(&sender));
		assert_ok!(apply(signed(
			Sr25519Keyring::Eve,
			transfer(&Sr25519Keyring::Bob.to_account_id(), USDC)
		)));
		let fee = before.1 - USDC - Balances::balance(&sender);
		assert_eq!(
			(Balances::balance(&treasury), Balances::balance(&author)),
			(before.0 + fee, 0)
		);
	});
}

#[test]
fn dust_goes_to_the_treasury() {
	in_first_block(crate::genesis::LOCAL, || {
		let (issued, treasury) = (Balances::total_issuance(), crate::genesis::treasury());
		let (eve, poor) = (Sr25519Keyring::Eve.to_account_id(), AccountId::new([7; 32]));
		assert_ok!(transfer(&poor, 1_500).dispatch(RuntimeOrigin::signed(eve.clone())));
		let before = Balances::balance(&treasury);
		assert_ok!(transfer(&eve, 1_000).dispatch(RuntimeOrigin::signed(poor.clone())));
		assert_eq!(
			(Balances::balance(&poor), Balances::balance(&treasury)),
			(0, before + 500)
		);
		assert_eq!(Balances::total_issuance(), issued);
	});
}

#[test]
fn nobody_burns() {
	in_first_block(crate::genesis::LOCAL, || {
		let burn = RuntimeCall::from(pallet_balances::Call::burn {
			value: 1,
			keep_alive: true,
		});
		let eve = RuntimeOrigin::signed(Sr25519Keyring::Eve.to_account_id());
		let refused = frame_system::Error::<Runtime>::CallFiltered.into();
		assert_eq!(burn.clone().dispatch(eve.clone()).unwrap_err().error, refused);
		let batch = RuntimeCall::from(pallet_utility::Call::batch_all { calls: vec![burn] });
		assert_eq!(batch.dispatch(eve).unwrap_err().error, refused);
	});
}

#[test]
fn a_deposit_outlasts_every_ticket_signed_against_it() {
	with_a_viewer(|| {
		let viewer = Sr25519Keyring::Eve;
		let dispatch = |call: pallet_ticket_broker::Call<Runtime>| {
			let origin = RuntimeOrigin::signed(viewer.to_account_id());
			RuntimeCall::from(call).dispatch(origin).map_err(|failed| failed.error)
		};
		let ask = pallet_ticket_broker::Call::request_unlock { amount: 50 * USDC };
		assert_ok!(dispatch(ask));
		// Signed in the next block, as long as a ticket can be: 600 blocks from a block of the grid.
		System::set_block_number(constants::MAX_TICKET_LIFE / 10);
		let last = System::block_number() + constants::MAX_TICKET_LIFE;
		let ticket = winning_for(RELAYER, 0, USDC, last);
		System::set_block_number(last);
		let leave = || dispatch(pallet_ticket_broker::Call::withdraw {});
		let too_early: DispatchError = pallet_ticket_broker::Error::<Runtime>::TooEarly.into();
		assert_eq!(leave().unwrap_err(), too_early);
		let before = Balances::total_balance(&viewer.to_account_id());
		let call = RuntimeCall::from(redeem(vec![ticket]));
		assert_ok!(call.dispatch(RuntimeOrigin::signed(RELAYER.to_account_id())));
		assert_eq!(before - Balances::total_balance(&viewer.to_account_id()), USDC);
		// And whatever was signed later has expired before the deposit can leave.
		System::set_block_number(constants::UNLOCK_DELAY);
		assert_eq!(leave().unwrap_err(), too_early);
		System::set_block_number(constants::UNLOCK_DELAY + 1);
		assert_ok!(leave());
		System::set_block_number(1);
	});
}
