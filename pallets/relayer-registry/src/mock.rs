//! A chain with nothing but accounts and relayers. Every test body is followed by `try_state`.

use crate as pallet_relayer_registry;
use clustercast_primitives::{
	amount::USDC, crypto::KeyPair, notice::RelayerProof, AccountId, Balance, Hash, Signature,
};
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
/// Smallest bond, micro-USDC.
pub const MIN_BOND: Balance = 10 * USDC;
/// Blocks between leaving and the bond's return.
pub const UNBOND_DELAY: u32 = 1_800;
/// Blocks for which a replaced key stays tied.
pub const KEY_MEMORY: u32 = 1_700;
/// Most replaced keys that are tied.
pub const MAX_PREVIOUS_KEYS: u32 = 4;

/// What the pallet is configured with; a test may set another value, for its own thread.
mod settings {
	use super::{parameter_types, Balance};

	parameter_types! {
		pub static MinBond: Balance = super::MIN_BOND;
		pub static UnbondDelay: u32 = super::UNBOND_DELAY;
		pub static MinSlash: Balance = 5 * super::USDC;
		pub static SlashShare: u32 = 200_000;
		pub static MaxAddresses: u32 = 4;
		pub static KeyMemory: u32 = super::KEY_MEMORY;
	}
}
pub use settings::{KeyMemory, MaxAddresses, MinBond, MinSlash, SlashShare, UnbondDelay};

construct_runtime!(
	pub enum Test {
		System: frame_system,
		Balances: pallet_balances,
		Registry: pallet_relayer_registry,
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
	type MinBond = MinBond;
	type MinSlash = MinSlash;
	type SlashShare = SlashShare;
	type UnbondDelay = UnbondDelay;
	type KeyMemory = KeyMemory;
	type MaxPreviousKeys = ConstU32<MAX_PREVIOUS_KEYS>;
	type MaxAddresses = MaxAddresses;
	type MaxAddressLength = ConstU32<128>;
	type WeightInfo = ();
}

/// Has 100 USDC.
pub const ALICE: AccountId32 = AccountId32::new([1; 32]);
/// Has 100 USDC.
pub const BOB: AccountId32 = AccountId32::new([2; 32]);
/// Has no account.
pub const NOBODY: AccountId32 = AccountId32::new([9; 32]);

/// Balance of Alice and of Bob at genesis.
pub const ENDOWMENT: Balance = 100 * USDC;

/// Where relayers listen, unless a test says otherwise.
pub const ADDRESS: &str = "/ip4/203.0.113.7/udp/4001/quic-v1";

/// A signing key.
pub fn key(seed: u8) -> KeyPair {
	KeyPair::from_seed([seed; 32])
}

/// The genesis hash that signatures are made for.
pub fn genesis() -> Hash {
	Hash(System::block_hash(0).into())
}

/// `key`'s proof for `who`.
pub fn proof(key: &KeyPair, who: &AccountId32) -> Signature {
	let account = AccountId(who.clone().into());
	key.sign(RelayerProof { account }, &genesis()).signature
}

/// Addresses as a call takes them.
pub fn addresses(texts: &[&str]) -> crate::Addresses<Test> {
	let bytes = |text: &&str| text.as_bytes().to_vec().try_into().unwrap();
	texts.iter().map(bytes).collect::<Vec<_>>().try_into().unwrap()
}

/// Registers `who` with its own key and the least bond.
pub fn register(who: AccountId32, key: &KeyPair) -> DispatchResult {
	Registry::register(
		RuntimeOrigin::signed(who.clone()),
		key.public(),
		proof(key, &who),
		addresses(&[ADDRESS]),
		1_000_000,
		MIN_BOND,
	)
}

/// Replaces the signing key of `relayer`, by `who`.
pub fn set_key(who: AccountId32, relayer: AccountId32, key: &KeyPair) -> DispatchResult {
	let proof = proof(key, &relayer);
	Registry::set_signing_key(RuntimeOrigin::signed(who), relayer, key.public(), proof)
}

/// Goes on by so many blocks.
pub fn wait(blocks: u32) {
	System::set_block_number(System::block_number() + blocks);
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

	/// Its storage, with a keystore for the benchmarks' signatures.
	#[cfg(feature = "runtime-benchmarks")]
	pub fn build_with_keystore(self) -> sp_io::TestExternalities {
		let mut ext = self.build();
		let keystore = sp_keystore::testing::MemoryKeystore::new();
		ext.register_extension(sp_keystore::KeystoreExt::new(keystore));
		ext
	}

	/// Runs a test body, then `try_state`.
	pub fn build_and_execute(self, test: impl FnOnce()) {
		self.build().execute_with(|| {
			test();
			Registry::do_try_state().unwrap();
		});
	}
}
