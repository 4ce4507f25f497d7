//! A chain with accounts, sessions of twelve blocks and a floor of seven. Every test body is followed by `try_state`.

use crate as pallet_validators;
use clustercast_primitives::{amount::USDC, Balance};
use codec::Encode;
use frame_support::{
	construct_runtime, derive_impl,
	dispatch::DispatchResult,
	parameter_types,
	traits::{fungible::InspectHold, tokens::imbalance::ResolveTo, ConstU128, ConstU32, FindAuthor, Hooks},
	ConsensusEngineId,
};
use frame_system::mocking::MockBlockU32;
use pallet_session::{disabling::UpToLimitDisablingStrategy, PeriodicSessions, SessionHandler};
use sp_runtime::{
	impl_opaque_keys,
	testing::UintAuthorityId,
	traits::{ConvertInto, IdentityLookup, OpaqueKeys},
	AccountId32, BuildStorage, KeyTypeId, RuntimeAppPublic,
};

/// Smallest balance of an account, micro-USDC.
pub const EXISTENTIAL_DEPOSIT: Balance = 1_000;
/// Smallest bond, micro-USDC.
pub const MIN_BOND: Balance = 1_000 * USDC;
/// Blocks of a session.
pub const SESSION: u32 = 12;
/// Sessions for which evidence counts.
pub const EVIDENCE: u32 = 6;
/// Seats, the floor included.
pub const SEATS: u32 = 10;
/// Places in the ranking.
pub const PLACES: u32 = 5;

/// What the pallet is configured with; a test may set another value, for its own thread.
mod settings {
	use super::{parameter_types, AccountId32, Balance};
	use sp_runtime::testing::UintAuthorityId;

	parameter_types! {
		pub static MinBond: Balance = super::MIN_BOND;
		pub static MaxCandidates: u32 = super::PLACES;
		pub static EvidenceSessions: u32 = super::EVIDENCE;
		pub static SlashShare: u32 = 1_000_000;
		pub static ReporterPart: u32 = 100_000;
		pub static TreasuryPart: u32 = 400_000;
		pub static Treasury: Option<AccountId32> = Some(super::TREASURY);
		/// Who makes the block.
		pub static Author: Option<AccountId32> = None;
		/// Keys that the session began with.
		pub static Keys: Vec<(AccountId32, UintAuthorityId)> = vec![];
	}
}
pub use settings::*;

construct_runtime!(
	pub enum Test {
		System: frame_system,
		Authorship: pallet_authorship,
		Balances: pallet_balances,
		Session: pallet_session,
		Historical: pallet_session::historical,
		Validators: pallet_validators,
	}
);

impl_opaque_keys! {
	pub struct MockKeys {
		pub dummy: UintAuthorityId,
	}
}

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
	type DustRemoval = ResolveTo<Dust, Balances>;
}

parameter_types! {
	/// Receives what is left of accounts below the minimum.
	pub const Dust: AccountId32 = TREASURY;
}

/// [`Author`].
pub struct Whoever;

impl FindAuthor<AccountId32> for Whoever {
	fn find_author<'a, I>(_: I) -> Option<AccountId32>
	where
		I: 'a + IntoIterator<Item = (ConsensusEngineId, &'a [u8])>,
	{
		Author::get()
	}
}

impl pallet_authorship::Config for Test {
	type FindAuthor = Whoever;
	type EventHandler = Validators;
}

/// Writes [`Keys`].
pub struct Handler;

impl Handler {
	fn note<Ks: OpaqueKeys>(validators: &[(AccountId32, Ks)]) {
		let key = |keys: &Ks| keys.get(UintAuthorityId::ID).unwrap();
		Keys::set(validators.iter().map(|(who, keys)| (who.clone(), key(keys))).collect());
	}
}

impl SessionHandler<AccountId32> for Handler {
	const KEY_TYPE_IDS: &'static [KeyTypeId] = &[UintAuthorityId::ID];
	fn on_genesis_session<Ks: OpaqueKeys>(validators: &[(AccountId32, Ks)]) {
		Self::note(validators);
	}
	fn on_new_session<Ks: OpaqueKeys>(_: bool, validators: &[(AccountId32, Ks)], _: &[(AccountId32, Ks)]) {
		Self::note(validators);
	}
	fn on_disabled(_: u32) {}
}

parameter_types! {
	/// [`Keys`] as the pallet wants them.
	pub KeysInUse: Vec<(AccountId32, MockKeys)> =
		Keys::get().into_iter().map(|(who, dummy)| (who, MockKeys { dummy })).collect();
}

impl pallet_session::Config for Test {
	type RuntimeEvent = RuntimeEvent;
	type ValidatorId = AccountId32;
	type ValidatorIdOf = ConvertInto;
	type ShouldEndSession = PeriodicSessions<ConstU32<SESSION>, ConstU32<0>>;
	type NextSessionRotation = PeriodicSessions<ConstU32<SESSION>, ConstU32<0>>;
	type SessionManager = pallet_session::historical::NoteHistoricalRoot<Self, Validators>;
	type SessionHandler = Handler;
	type Keys = MockKeys;
	type DisablingStrategy = UpToLimitDisablingStrategy;
	type WeightInfo = ();
	type Currency = Balances;
	type KeyDeposit = ConstU128<USDC>;
}

/// Says nothing of a validator but its account.
pub struct Nothing;

impl sp_runtime::traits::Convert<AccountId32, Option<()>> for Nothing {
	fn convert(_: AccountId32) -> Option<()> {
		Some(())
	}
}

impl pallet_session::historical::Config for Test {
	type RuntimeEvent = RuntimeEvent;
	type FullIdentification = ();
	type FullIdentificationOf = Nothing;
}

impl crate::Config for Test {
	type RuntimeHoldReason = RuntimeHoldReason;
	type Currency = Balances;
	type Treasury = Treasury;
	type KeysInUse = KeysInUse;
	type MaxValidators = ConstU32<SEATS>;
	type MaxCandidates = MaxCandidates;
	type MinBond = MinBond;
	type EvidenceSessions = EvidenceSessions;
	type SlashShare = SlashShare;
	type ReporterPart = ReporterPart;
	type TreasuryPart = TreasuryPart;
	type WeightInfo = ();
	#[cfg(feature = "runtime-benchmarks")]
	type BenchmarkHelper = Helper;
}

/// Keys of an account: named by its first bytes.
#[cfg(feature = "runtime-benchmarks")]
pub struct Helper;

#[cfg(feature = "runtime-benchmarks")]
impl crate::BenchmarkHelper<AccountId32, MockKeys> for Helper {
	fn keys(owner: &AccountId32) -> (MockKeys, Vec<u8>) {
		let bytes: &[u8; 32] = owner.as_ref();
		let number = u64::from_le_bytes(bytes[..8].try_into().unwrap());
		(keys(number), proof(owner, number))
	}
}

/// Account of this number.
pub const fn account(number: u8) -> AccountId32 {
	AccountId32::new([number; 32])
}

/// Accounts of the floor.
pub const OF_THE_FLOOR: std::ops::RangeInclusive<u8> = 1..=7;
/// The floor, which has seats for three candidates.
pub const FLOOR: [AccountId32; 7] = [
	account(1),
	account(2),
	account(3),
	account(4),
	account(5),
	account(6),
	account(7),
];
/// An account with session keys and [`ENDOWMENT`].
pub const ALICE: AccountId32 = account(11);
/// Like [`ALICE`].
pub const BOB: AccountId32 = account(12);
/// Like [`ALICE`].
pub const CAROL: AccountId32 = account(13);
/// With keys as well.
pub const RICH: std::ops::RangeInclusive<u8> = 11..=20;
/// Has money and no keys.
pub const KEYLESS: AccountId32 = account(30);
/// Brings evidence.
pub const REPORTER: AccountId32 = account(31);
/// The treasury.
pub const TREASURY: AccountId32 = account(32);
/// Has no account.
pub const NOBODY: AccountId32 = account(99);

/// What everybody has at genesis, micro-USDC.
pub const ENDOWMENT: Balance = 100_000 * USDC;

/// Session keys of this number.
pub fn keys(number: u64) -> MockKeys {
	MockKeys {
		dummy: UintAuthorityId(number),
	}
}

/// That `owner` has the keys of this number.
pub fn proof(owner: &AccountId32, number: u64) -> Vec<u8> {
	UintAuthorityId(number).sign(&owner.encode()).unwrap().encode()
}

/// Sets `who`'s keys to those of this number.
pub fn set_keys(who: AccountId32, number: u64) -> DispatchResult {
	let proof = proof(&who, number);
	Session::set_keys(RuntimeOrigin::signed(who), keys(number), proof)
}

/// Bonds `who`.
pub fn register(who: AccountId32, bond: Balance) -> DispatchResult {
	Validators::register(RuntimeOrigin::signed(who), bond)
}

/// Micro-USDC held of `who` as a bond.
pub fn held(who: &AccountId32) -> Balance {
	Balances::balance_on_hold(&crate::HoldReason::ValidatorBond.into(), who)
}

/// Session now.
pub fn session() -> u32 {
	Session::current_index()
}

/// Makes one block, by the next of the set that may: as Aura would.
pub fn next_block() {
	Authorship::on_finalize(System::block_number());
	let number = System::block_number() + 1;
	System::set_block_number(number);
	if Author::get().is_some() {
		let set = Session::validators();
		let index = number as usize % set.len();
		let shut_out = Session::disabled_validators().contains(&(index as u32));
		let author = &set[if shut_out { (index + 1) % set.len() } else { index }];
		Author::set(Some(author.clone()));
	}
	Authorship::on_initialize(number);
	Session::on_initialize(number);
}

/// Makes blocks up to the first one of this session, by everybody in turn.
pub fn run_to(to: u32) {
	Author::set(Some(FLOOR[0].clone()));
	while session() < to {
		next_block();
	}
}

/// The chain at block 1.
pub struct ExtBuilder;

impl ExtBuilder {
	/// Its storage.
	pub fn build(self) -> sp_io::TestExternalities {
		let with_keys = || OF_THE_FLOOR.chain(RICH);
		let keys = |number: u8| (account(number), account(number), keys(number.into()));
		let genesis = RuntimeGenesisConfig {
			balances: pallet_balances::GenesisConfig {
				balances: with_keys()
					.map(account)
					.chain([KEYLESS, REPORTER, TREASURY])
					.map(|who| (who, ENDOWMENT))
					.collect(),
				..Default::default()
			},
			session: pallet_session::GenesisConfig {
				keys: OF_THE_FLOOR.map(keys).collect(),
				non_authority_keys: RICH.map(keys).collect(),
			},
			..Default::default()
		};
		let mut ext: sp_io::TestExternalities = genesis.build_storage().unwrap().into();
		ext.execute_with(|| {
			System::set_block_number(1);
			Author::set(None);
		});
		ext
	}

	/// Runs a test body, then `try_state`.
	pub fn build_and_execute(self, test: impl FnOnce()) {
		self.build().execute_with(|| {
			test();
			Validators::do_try_state().unwrap();
		});
	}
}
