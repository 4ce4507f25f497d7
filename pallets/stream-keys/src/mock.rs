//! A chain with nothing but accounts and stream keys. Every test body is followed by `try_state`.

use crate as pallet_stream_keys;
use clustercast_primitives::{amount::USDC, Balance, PublicKey, StreamId};
use frame_support::{
	construct_runtime, derive_impl,
	dispatch::DispatchResult,
	parameter_types,
	traits::{fungible::InspectHold, ConstU128, ConstU32},
};
use frame_system::mocking::MockBlockU32;
use sp_runtime::{traits::IdentityLookup, AccountId32, BuildStorage};

/// Smallest balance of an account, micro-USDC.
pub const EXISTENTIAL_DEPOSIT: Balance = 1_000;

/// Held for a stream key, micro-USDC.
pub const MINT_DEPOSIT: Balance = USDC;

/// What the pallet is configured with; a test may set another value, for its own thread.
mod settings {
	use super::{parameter_types, Balance};

	parameter_types! {
		pub static MintDeposit: Balance = super::MINT_DEPOSIT;
		pub static MaxPreviousKeys: u32 = 3;
		pub static KeyMemory: u32 = 100;
		pub static MaxBroadcasterShare: u32 = 300_000;
	}
}
pub use settings::{KeyMemory, MaxBroadcasterShare, MaxPreviousKeys, MintDeposit};

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
	type MintDeposit = MintDeposit;
	type MaxPreviousKeys = MaxPreviousKeys;
	type KeyMemory = KeyMemory;
	type MaxTitle = ConstU32<64>;
	type MaxCategory = ConstU32<32>;
	type MaxBroadcasterShare = MaxBroadcasterShare;
	type WeightInfo = ();
}

/// Has 10 USDC.
pub const ALICE: AccountId32 = AccountId32::new([1; 32]);
/// Has 10 USDC.
pub const BOB: AccountId32 = AccountId32::new([2; 32]);
/// Has no account.
pub const NOBODY: AccountId32 = AccountId32::new([9; 32]);

/// Balance of Alice and of Bob at genesis.
pub const ENDOWMENT: Balance = 10 * USDC;

/// What a call takes as metadata.
pub struct Metadata {
	pub title: Vec<u8>,
	pub category: Vec<u8>,
	pub max_viewers: u32,
	pub price_per_mb: u64,
	pub broadcaster_share_ppm: u32,
}

impl Default for Metadata {
	fn default() -> Self {
		Self {
			title: b"First light".to_vec(),
			category: b"astronomy".to_vec(),
			max_viewers: 0,
			price_per_mb: 1_000,
			broadcaster_share_ppm: 100_000,
		}
	}
}

/// Mints as `who`.
pub fn mint(who: AccountId32, data: Metadata) -> DispatchResult {
	StreamKeys::mint(
		RuntimeOrigin::signed(who),
		PublicKey([7; 32]),
		data.title.try_into().unwrap(),
		data.category.try_into().unwrap(),
		data.max_viewers,
		data.price_per_mb,
		data.broadcaster_share_ppm,
	)
}

/// Updates key `id` as `who`.
pub fn update(who: AccountId32, id: u64, data: Metadata) -> DispatchResult {
	StreamKeys::update(
		RuntimeOrigin::signed(who),
		StreamId(id),
		data.title.try_into().unwrap(),
		data.category.try_into().unwrap(),
		data.max_viewers,
		data.price_per_mb,
		data.broadcaster_share_ppm,
	)
}

/// Micro-USDC held of `who`, whatever the reason.
pub fn held(who: &AccountId32) -> Balance {
	Balances::total_balance_on_hold(who)
}

/// The chain at block 1.
pub struct ExtBuilder;

impl ExtBuilder {
	/// Its storage.
	pub fn build(self) -> sp_io::TestExternalities {
		let genesis = RuntimeGenesisConfig {
			balances: pallet_balances::GenesisConfig {
				balances: vec![(ALICE, ENDOWMENT), (BOB, ENDOWMENT)],
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
