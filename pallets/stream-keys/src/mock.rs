//! A chain with nothing but accounts and stream keys. Every test body is followed by `try_state`.

use crate as pallet_stream_keys;
use clustercast_primitives::{
	amount::USDC,
	chain::{RentOffer, StreamKeyInfo, StreamTerms},
	Balance, PublicKey, StreamId,
};
use frame_support::{
	construct_runtime, derive_impl,
	dispatch::DispatchResult,
	parameter_types,
	traits::{
		fungible::{Inspect, InspectHold},
		ConstU128, ConstU32, Hooks,
	},
	weights::Weight,
};
use frame_system::mocking::MockBlockU32;
use sp_runtime::{traits::IdentityLookup, AccountId32, BuildStorage};

/// Smallest balance of an account, micro-USDC.
pub const EXISTENTIAL_DEPOSIT: Balance = 1_000;

/// Held for a stream key, micro-USDC.
pub const MINT_DEPOSIT: Balance = USDC;

/// What a deposit grows to, micro-USDC.
pub const MAX_DEPOSIT: Balance = 5 * USDC;

/// Blocks for which whoever named a key answers for it after it was replaced.
pub const KEY_MEMORY: u32 = 100;

/// Blocks until a change is in force, that it lasts at least, and for which what was is remembered.
pub const CHANGE_DELAY: u32 = 60;

/// Longest rental, blocks.
pub const MAX_RENTAL: u32 = 1_000;

/// What the pallet is configured with; a test may set another value, for its own thread.
mod settings {
	use super::{parameter_types, AccountId32, Balance};

	parameter_types! {
		pub static MintDeposit: Balance = super::MINT_DEPOSIT;
		pub static MaxPreviousKeys: u32 = 4;
		pub static KeyMemory: u32 = super::KEY_MEMORY;
		pub static MaxBroadcasterShare: u32 = 300_000;
		pub static MaxSurge: u32 = 10_000_000;
		pub static MaxDeposit: Balance = super::MAX_DEPOSIT;
		pub static EarningsKept: u32 = 100_000;
		pub static MaxRental: u32 = super::MAX_RENTAL;
		pub static Royalty: u32 = 50_000;
		pub static ChangeDelay: u32 = super::CHANGE_DELAY;
		pub static Treasury: Option<AccountId32> = Some(super::TREASURY);
	}
}
pub use settings::{
	ChangeDelay, EarningsKept, KeyMemory, MaxBroadcasterShare, MaxDeposit, MaxPreviousKeys, MaxRental, MaxSurge,
	MintDeposit, Royalty, Treasury,
};

construct_runtime!(
	pub enum Test {
		System: frame_system,
		Balances: pallet_balances,
		StreamKeys: pallet_stream_keys,
	}
);

#[derive_impl(frame_system::config_preludes::TestDefaultConfig)]
impl frame_system::Config for Test {
	type Block = MockBlockU32<Test>;
	type AccountId = AccountId32;
	type Lookup = IdentityLookup<AccountId32>;
	type AccountData = pallet_balances::AccountData<Balance>;
}

#[derive_impl(pallet_balances::config_preludes::TestDefaultConfig)]
impl pallet_balances::Config for Test {
	type Balance = Balance;
	type ExistentialDeposit = ConstU128<EXISTENTIAL_DEPOSIT>;
	type AccountStore = System;
}

impl crate::Config for Test {
	type RuntimeHoldReason = RuntimeHoldReason;
	type Currency = Balances;
	type Treasury = Treasury;
	type MintDeposit = MintDeposit;
	type MaxDeposit = MaxDeposit;
	type EarningsKept = EarningsKept;
	type Royalty = Royalty;
	type ChangeDelay = ChangeDelay;
	type MaxRental = MaxRental;
	type MaxPreviousKeys = MaxPreviousKeys;
	type KeyMemory = KeyMemory;
	type MaxTitle = ConstU32<64>;
	type MaxCategory = ConstU32<32>;
	type MaxBroadcasterShare = MaxBroadcasterShare;
	type MaxSurge = MaxSurge;
	type WeightInfo = ();
}

/// Has 10 USDC.
pub const ALICE: AccountId32 = AccountId32::new([1; 32]);
/// Has 10 USDC.
pub const BOB: AccountId32 = AccountId32::new([2; 32]);
/// Has 10 USDC.
pub const CAROL: AccountId32 = AccountId32::new([3; 32]);
/// Has 1 USDC and receives royalties.
pub const TREASURY: AccountId32 = AccountId32::new([5; 32]);
/// Has no account.
pub const NOBODY: AccountId32 = AccountId32::new([9; 32]);

/// Balance of Alice, Bob and Carol at genesis.
pub const ENDOWMENT: Balance = 10 * USDC;

/// The first stream.
pub const STREAM: StreamId = StreamId(0);

/// A signing key.
pub const fn signer(seed: u8) -> PublicKey {
	PublicKey([seed; 32])
}

/// What mint calls take.
pub struct New {
	pub title: Vec<u8>,
	pub category: Vec<u8>,
	pub max_viewers: u32,
	pub terms: StreamTerms,
}

/// Terms of a new key: 1,000,000 micro-USDC per GB, up to half as much again, 10 % for the broadcaster.
pub const TERMS: StreamTerms = StreamTerms {
	price_per_gb: 1_000_000,
	max_surge_ppm: 1_500_000,
	broadcaster_share_ppm: 100_000,
};

impl Default for New {
	fn default() -> Self {
		Self {
			title: b"First light".to_vec(),
			category: b"astronomy".to_vec(),
			max_viewers: 0,
			terms: TERMS,
		}
	}
}

/// Mints as `who`, with signing key 7.
pub fn mint(who: AccountId32, new: New) -> DispatchResult {
	StreamKeys::mint(
		RuntimeOrigin::signed(who),
		signer(7),
		new.title.try_into().unwrap(),
		new.category.try_into().unwrap(),
		new.max_viewers,
		new.terms,
	)
}

/// Changes what people see of the first stream as `who`.
pub fn update(who: AccountId32, title: &[u8]) -> DispatchResult {
	let (title, category) = (
		title.to_vec().try_into().unwrap(),
		b"science".to_vec().try_into().unwrap(),
	);
	StreamKeys::update(RuntimeOrigin::signed(who), STREAM, title, category, 50)
}

/// Names another signing key of the first stream as `who`.
pub fn set_signing_key(who: AccountId32, seed: u8) -> DispatchResult {
	StreamKeys::set_signing_key(RuntimeOrigin::signed(who), STREAM, signer(seed))
}

/// Announces other terms of the first stream as `who`.
pub fn set_terms(who: AccountId32, terms: StreamTerms) -> DispatchResult {
	StreamKeys::set_terms(RuntimeOrigin::signed(who), STREAM, terms)
}

/// Announces the end of the first stream as `who`.
pub fn burn(who: AccountId32) -> DispatchResult {
	StreamKeys::burn(RuntimeOrigin::signed(who), STREAM)
}

/// Gives the first stream to `to` as `who`, to be signed by key 6.
pub fn transfer(who: AccountId32, to: AccountId32) -> DispatchResult {
	StreamKeys::transfer(RuntimeOrigin::signed(who), STREAM, to, signer(6))
}

/// Offers the first stream for sale as `who`.
pub fn list(who: AccountId32, price: Balance) -> DispatchResult {
	StreamKeys::list(RuntimeOrigin::signed(who), STREAM, Some(price))
}

/// Buys the first stream as `who` with signing key 8, whatever it costs, if it is not rented.
pub fn buy(who: AccountId32) -> DispatchResult {
	StreamKeys::buy(RuntimeOrigin::signed(who), STREAM, signer(8), Balance::MAX, 0)
}

/// Offers the first stream for rent as `who`.
pub fn set_rent(who: AccountId32, price: Balance, blocks: u32) -> DispatchResult {
	StreamKeys::set_rent(RuntimeOrigin::signed(who), STREAM, Some(RentOffer { price, blocks }))
}

/// Rents the first stream as `who` with signing key 9, whatever it costs and however short it is.
pub fn rent(who: AccountId32) -> DispatchResult {
	StreamKeys::rent(RuntimeOrigin::signed(who), STREAM, signer(9), Balance::MAX, 1)
}

/// What the JSON-RPC says of the first stream.
pub fn info() -> StreamKeyInfo {
	StreamKeys::stream_key(STREAM).unwrap()
}

/// Micro-USDC held of `who`, whatever the reason.
pub fn held(who: &AccountId32) -> Balance {
	Balances::total_balance_on_hold(who)
}

/// All that an account owns, held or not, micro-USDC.
pub fn total(who: &AccountId32) -> Balance {
	Balances::total_balance(who)
}

/// Goes to block `number` at once; what lies between is idle.
pub fn run_to(number: u32) {
	System::set_block_number(number);
	StreamKeys::on_idle(number, Weight::MAX);
}

/// The chain at block 1.
pub struct ExtBuilder;

impl ExtBuilder {
	/// Its storage.
	pub fn build(self) -> sp_io::TestExternalities {
		let genesis = RuntimeGenesisConfig {
			balances: pallet_balances::GenesisConfig {
				balances: vec![
					(ALICE, ENDOWMENT),
					(BOB, ENDOWMENT),
					(CAROL, ENDOWMENT),
					(TREASURY, USDC),
				],
				..Default::default()
			},
			..Default::default()
		};
		let mut ext: sp_io::TestExternalities = genesis.build_storage().unwrap().into();
		ext.execute_with(|| System::set_block_number(1));
		ext
	}

	/// Runs a test body, then `try_state`.
	pub fn build_and_execute(self, test: impl FnOnce()) {
		self.build().execute_with(|| {
			test();
			StreamKeys::do_try_state().unwrap();
		});
	}
}
