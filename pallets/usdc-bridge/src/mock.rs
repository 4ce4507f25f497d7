//! A chain with four validators and the broker, and a vault's deposits beside it. Every test body is followed by
//! `try_state`.

use crate as pallet_usdc_bridge;
use crate::{crypto, AttestorId, Event};
use clustercast_primitives::{
	amount::USDC,
	bridge::{
		account_of, attestation::VAULT, deposit, Action, Attestation, Body, Credit, Deposit, Domain, EthereumAction,
		ProvenDeposit,
	},
	crypto::{keccak256, KeyPair, SignedMessage},
	session::SessionProof,
	AccountId, Balance, EthereumAddress, EthereumSignature, Hash, PublicKey, Signature,
};
use frame_support::{
	construct_runtime, derive_impl,
	dispatch::DispatchResult,
	parameter_types,
	traits::{
		fungible::{Balanced, Credit as Surplus, Inspect},
		ConstU128, ConstU32, Hooks, OnUnbalanced, OneSessionHandler,
	},
	weights::Weight,
};
use frame_system::mocking::MockBlockU32;
use sp_core::{ecdsa, sr25519, Pair};
use sp_keyring::Sr25519Keyring;
use sp_runtime::{
	traits::IdentityLookup,
	transaction_validity::{TransactionSource, TransactionValidity},
	AccountId32, BuildStorage,
};
use std::sync::LazyLock;

/// Smallest balance of an account, micro-USDC.
pub const EXISTENTIAL_DEPOSIT: Balance = 1_000;
/// Largest deposit for tickets, micro-USDC.
pub const MAX_DEPOSIT: Balance = 50 * USDC;
/// Blocks between asking for a deposit and having it.
pub const UNLOCK_DELAY: u32 = 1_200;
/// Stranded deposits that can wait.
pub const MAX_STRANDED: u32 = 40;
/// Smallest withdrawal, micro-USDC.
pub const MIN_WITHDRAWAL: Balance = USDC;
/// Largest withdrawal, micro-USDC.
pub const MAX_WITHDRAWAL: Balance = 10_000 * USDC;
/// Withdrawals that can wait.
pub const MAX_QUEUE: u32 = 40;
/// Released in a block at most.
pub const RELEASES_PER_BLOCK: u32 = 16;
/// Released in a period at most, micro-USDC.
pub const OUTFLOW_LIMIT: Balance = 20_000 * USDC;
/// Blocks in a period.
pub const OUTFLOW_PERIOD: u32 = 100;
/// Blocks for which a released withdrawal is kept.
pub const MEMORY: u32 = 500;
/// Furthest that a deadline may lie ahead.
pub const MAX_ACTION_LIFE: u32 = 1_800;
/// Attested L2 blocks are multiples of this.
pub const INTERVAL: u32 = 8;

/// The other end.
pub const L2: Domain = Domain {
	chain_id: 8_453,
	vault: EthereumAddress([0xfa; 20]),
};

construct_runtime!(
	pub enum Test {
		System: frame_system,
		Balances: pallet_balances,
		StreamKeys: pallet_stream_keys,
		Broker: pallet_ticket_broker,
		Bridge: pallet_usdc_bridge,
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
	type DustRemoval = DustToTreasury;
}

/// As in the runtime: dust is not burnt.
pub struct DustToTreasury;

impl OnUnbalanced<Surplus<AccountId32, Balances>> for DustToTreasury {
	fn on_nonzero_unbalanced(dust: Surplus<AccountId32, Balances>) {
		Balances::resolve(&TREASURY, dust).unwrap();
	}
}

parameter_types! {
	/// Receives royalties.
	pub TreasuryAccount: Option<AccountId32> = Some(TREASURY);
}

impl pallet_stream_keys::Config for Test {
	type RuntimeHoldReason = RuntimeHoldReason;
	type Currency = Balances;
	type Treasury = TreasuryAccount;
	type MintDeposit = ConstU128<USDC>;
	type MaxDeposit = ConstU128<{ 5 * USDC }>;
	type EarningsKept = ConstU32<100_000>;
	type Royalty = ConstU32<50_000>;
	type ChangeDelay = ConstU32<600>;
	type MaxRental = ConstU32<1_000>;
	type MaxPreviousKeys = ConstU32<8>;
	type KeyMemory = ConstU32<600>;
	type MaxTitle = ConstU32<64>;
	type MaxCategory = ConstU32<32>;
	type MaxBroadcasterShare = ConstU32<300_000>;
	type MaxSurge = ConstU32<10_000_000>;
	type WeightInfo = ();
}

/// There are none, and nobody wants to know.
pub struct NoRelayers;

impl<AccountId: Clone + PartialEq> pallet_ticket_broker::Relayers<AccountId> for NoRelayers {
	fn is_bonded(_: &AccountId) -> bool {
		false
	}

	fn may_redeem(who: &AccountId, recipient: &AccountId) -> bool {
		who == recipient
	}

	fn payout(recipient: &AccountId) -> AccountId {
		recipient.clone()
	}

	fn delivered(_: &AccountId, _: &AccountId, _: u64, _: Balance) {}

	#[cfg(feature = "runtime-benchmarks")]
	fn prepare(_: &AccountId) {}
}

impl pallet_ticket_broker::Config for Test {
	type RuntimeHoldReason = RuntimeHoldReason;
	type Currency = Balances;
	type Streams = StreamKeys;
	type Relayers = NoRelayers;
	type MaxDeposit = ConstU128<MAX_DEPOSIT>;
	type MinFaceValue = ConstU128<1_000>;
	type TreasuryShare = ConstU32<20_000>;
	type MaxTicketLife = ConstU32<600>;
	type UnlockDelay = ConstU32<UNLOCK_DELAY>;
	type ChannelDelay = ConstU32<1_200>;
	type MaxSessionLife = ConstU32<1_296_000>;
	type SessionDeposit = ConstU128<10_000>;
	type ShareMemory = ConstU32<43_200>;
	type MaxBatch = ConstU32<100>;
	type MaxSessions = ConstU32<8>;
	type WeightInfo = ();
}

/// What the pallet is configured with; a test may set another value, for its own thread.
mod settings {
	use super::{parameter_types, AccountId32, Balance};

	parameter_types! {
		pub static MaxImports: u32 = 32;
		pub static MaxStranded: u32 = super::MAX_STRANDED;
		pub static MinWithdrawal: Balance = super::MIN_WITHDRAWAL;
		pub static MaxWithdrawal: Balance = super::MAX_WITHDRAWAL;
		pub static OutflowPeriod: u32 = super::OUTFLOW_PERIOD;
		pub static Burnt: Balance = 0;
		/// Validators that were reported.
		pub static Offenders: Vec<AccountId32> = Vec::new();
	}
}
pub use settings::{Burnt, MaxImports, MaxStranded, MaxWithdrawal, MinWithdrawal, Offenders, OutflowPeriod};

/// Writes [`Offenders`].
pub struct Noted;

impl crate::AttestationOffences<AccountId32> for Noted {
	fn contradicted_itself(validator: &AccountId32) {
		Offenders::mutate(|all| all.push(validator.clone()));
	}
}

impl crate::Config for Test {
	type Currency = Balances;
	type Escrow = Broker;
	type Offences = Noted;
	type Burnt = Burnt;
	type MaxAttestors = ConstU32<32>;
	type MaxImports = MaxImports;
	type MaxStranded = MaxStranded;
	type MinWithdrawal = MinWithdrawal;
	type MaxWithdrawal = MaxWithdrawal;
	type MaxQueue = ConstU32<MAX_QUEUE>;
	type ReleasesPerBlock = ConstU32<RELEASES_PER_BLOCK>;
	type OutflowLimit = ConstU128<OUTFLOW_LIMIT>;
	type OutflowPeriod = OutflowPeriod;
	type Memory = ConstU32<MEMORY>;
	type MaxActionLife = ConstU32<MAX_ACTION_LIFE>;
	type WeightInfo = ();
}

/// Has 30,000 USDC.
pub const ALICE: AccountId32 = AccountId32::new([1; 32]);
/// Has 30,000 USDC.
pub const BOB: AccountId32 = AccountId32::new([2; 32]);
/// Has no account.
pub const NOBODY: AccountId32 = AccountId32::new([9; 32]);
/// The treasury, with 1 USDC.
pub const TREASURY: AccountId32 = AccountId32::new([5; 32]);

/// What Alice and Bob have at genesis, micro-USDC.
pub const ENDOWMENT: Balance = 30_000 * USDC;

/// The validators, in their order.
pub const VALIDATORS: [Sr25519Keyring; 4] = [
	Sr25519Keyring::Alice,
	Sr25519Keyring::Bob,
	Sr25519Keyring::Charlie,
	Sr25519Keyring::Dave,
];

/// Validators as a session hands them over.
pub fn session_keys(validators: &[Sr25519Keyring]) -> Vec<(AccountId32, AttestorId)> {
	let keys = |v: &Sr25519Keyring| (v.to_account_id(), crypto::Public::from(v.public()));
	validators.iter().map(keys).collect()
}

/// Begins a session with these validators.
pub fn new_session(validators: &[Sr25519Keyring]) {
	let keys = session_keys(validators);
	let handed = || keys.iter().map(|(who, key)| (who, key.clone()));
	Bridge::on_new_session(true, handed(), handed());
}

/// The genesis hash that signatures are made for.
pub fn genesis() -> Hash {
	Hash(System::block_hash(0).into())
}

/// Keys of the validators, each derived once: that takes longer than all else that a test does.
static PAIRS: LazyLock<[sr25519::Pair; 4]> = LazyLock::new(|| VALIDATORS.map(Sr25519Keyring::pair));

/// What a validator signs.
pub fn sign(validator: Sr25519Keyring, attestation: &Attestation) -> Signature {
	let payload = attestation.signing_payload(&genesis());
	let place = VALIDATORS.iter().position(|other| *other == validator);
	Signature(
		place
			.map_or_else(|| validator.sign(&payload), |place| PAIRS[place].sign(&payload))
			.0,
	)
}

/// What a pool says of an unsigned extrinsic with this call.
#[allow(deprecated)]
pub fn validate(call: &crate::Call<Test>) -> TransactionValidity {
	use sp_runtime::traits::ValidateUnsigned;
	let validity = Bridge::validate_unsigned(TransactionSource::External, call);
	if validity.is_ok() {
		assert_eq!(Bridge::pre_dispatch(call), Ok(()), "what the pool takes, a block takes");
	}
	validity
}

/// The attestation of these deposits at checkpoint number `checkpoint`.
pub fn attestation(checkpoint: u64, deposits: &[Deposit]) -> Attestation {
	let leaves: Vec<Hash> = deposits.iter().map(Deposit::leaf).collect();
	Attestation {
		l2: L2.chain_id,
		kind: VAULT,
		l2_block: checkpoint * u64::from(INTERVAL),
		l2_hash: keccak256(&[&checkpoint.to_be_bytes()]),
		root: deposit::root(&leaves),
		count: deposits.len() as u64,
		light_client_block: 0,
	}
}

/// Validator number `n` says it.
pub fn say(n: u32, attestation: Attestation) -> DispatchResult {
	let signature = sign(VALIDATORS[n as usize], &attestation);
	Bridge::attest(RuntimeOrigin::none(), attestation, n, signature)
}

/// Three of four say it.
pub fn accept(attestation: Attestation) {
	(0..3).for_each(|n| say(n, attestation).unwrap());
	assert_eq!(crate::Attested::<Test>::get(), Some(attestation));
}

/// What each validator last said, in their order.
pub fn sayings() -> Vec<Option<Attestation>> {
	let all = crate::Attestors::<Test>::get();
	all.into_iter()
		.map(|attestor| attestor.said.map(|(said, _)| said))
		.collect()
}

/// For `account`, 10 USDC for the escrow, without a session.
pub fn credit_of(account: AccountId32) -> Credit {
	Credit {
		account: AccountId(account.into()),
		escrow: 10 * USDC,
		session_key: PublicKey([0; 32]),
		session_limit: 0,
		session_expiry: 0,
		session_proof: Signature([0; 64]),
	}
}

/// Session key number `n`.
pub fn session_key(n: u8) -> KeyPair {
	KeyPair::from_seed([n; 32])
}

/// What session key number `n` signs to become this account's.
pub fn session_proof(n: u8, account: &AccountId32) -> Signature {
	let account = AccountId(account.clone().into());
	session_key(n).sign(SessionProof { account }, &genesis()).signature
}

/// Deposit number `number` of 20 USDC that asks for this.
pub fn asking(number: u64, credit: Credit) -> Deposit {
	Deposit {
		l2: L2.chain_id,
		number,
		kind: Credit::KIND,
		amount: 20 * USDC,
		depositor: EthereumAddress([0x41; 20]),
		refund_to: EthereumAddress([0x61; 20]),
		body: credit.body(),
	}
}

/// Deposit number `number` of 20 USDC for `account`, half of it for the escrow, without a session.
pub fn deposit_of(number: u64, account: AccountId32) -> Deposit {
	asking(number, credit_of(account))
}

/// Deposit number `number` of 2 USDC that this address paid, with an action for its account.
pub fn sent(number: u64, depositor: EthereumAddress, body: Body) -> Deposit {
	Deposit {
		l2: L2.chain_id,
		number,
		kind: Action::KIND,
		amount: 2 * USDC,
		depositor,
		refund_to: EthereumAddress([0x61; 20]),
		body,
	}
}

/// Deposit number `number` of 20 USDC, of a kind that nobody knows yet.
pub fn unknown(number: u64) -> Deposit {
	Deposit {
		kind: 7,
		body: b"what will be known one day".to_vec().try_into().unwrap(),
		..deposit_of(number, NOBODY)
	}
}

/// That many deposits, each for another account.
pub fn deposits(count: u8) -> Vec<Deposit> {
	(0..count)
		.map(|n| deposit_of(n.into(), AccountId32::new([0x80 + n; 32])))
		.collect()
}

/// Imports these proven deposits.
pub fn import(proven: Vec<ProvenDeposit>) -> DispatchResult {
	Bridge::import_deposits(RuntimeOrigin::none(), proven.try_into().unwrap())
}

/// Has these deposits attested and imports all of them.
pub fn bridge_in(deposits: &[Deposit]) {
	accept(attestation(1, deposits));
	import(deposit::prove(deposits, 0, deposits.len())).unwrap();
}

/// An Ethereum wallet.
pub fn wallet(seed: u8) -> ecdsa::Pair {
	ecdsa::Pair::from_seed(&[seed; 32])
}

/// Its address.
pub fn address(wallet: &ecdsa::Pair) -> EthereumAddress {
	let digest = [1; 32];
	let key = sp_io::crypto::secp256k1_ecdsa_recover(&wallet.sign_prehashed(&digest).0, &digest);
	let hash = keccak256(&[&key.ok().unwrap()]);
	EthereumAddress(hash.0[12..].try_into().unwrap())
}

/// The account that belongs to it.
pub fn account(wallet: &ecdsa::Pair) -> AccountId32 {
	account_of(L2.chain_id, &address(wallet)).0.into()
}

/// What it signs.
pub fn sign_action(wallet: &ecdsa::Pair, action: &EthereumAction) -> EthereumSignature {
	let mut signature = wallet.sign_prehashed(&action.digest(&L2).0).0;
	signature[64] += 27;
	EthereumSignature(signature)
}

/// Bob submits its message.
pub fn act(wallet: &ecdsa::Pair, action: EthereumAction) -> DispatchResult {
	Bridge::act(RuntimeOrigin::signed(BOB), action, sign_action(wallet, &action))
}

/// Wallet 1, with 100 USDC from the vault, 40 of them deposited for tickets.
pub fn funded_wallet() -> ecdsa::Pair {
	let wallet = wallet(1);
	bridge_in(&[funding(address(&wallet))]);
	wallet
}

/// Deposit number 0: 100 USDC of this address for its own account, 40 of them for tickets.
pub fn funding(depositor: EthereumAddress) -> Deposit {
	let credit = Credit {
		escrow: 40 * USDC,
		..credit_of(account_of(L2.chain_id, &depositor).0.into())
	};
	Deposit {
		depositor,
		amount: 100 * USDC,
		..asking(0, credit)
	}
}

/// Free balance that can be spent but for the existential deposit's sake, micro-USDC.
pub fn free(who: &AccountId32) -> Balance {
	Balances::balance(who)
}

/// Goes on to block `number`, as a chain would if all blocks between were empty and left no idle time.
pub fn run_to(number: u32) {
	for block in System::block_number() + 1..=number {
		System::set_block_number(block);
		Bridge::on_initialize(block);
	}
}

/// Idle time without end in this block.
pub fn idle() {
	Bridge::on_idle(System::block_number(), Weight::MAX);
	Broker::on_idle(System::block_number(), Weight::MAX);
}

/// Events of the pallet in this block, in order.
pub fn events() -> Vec<Event<Test>> {
	let ours = |record: frame_system::EventRecord<RuntimeEvent, _>| match record.event {
		RuntimeEvent::Bridge(event) => Some(event),
		_ => None,
	};
	System::events().into_iter().filter_map(ours).collect()
}

/// The key of a validator.
pub fn attestor_key(validator: Sr25519Keyring) -> PublicKey {
	PublicKey(sr25519::Public::from(validator).0)
}

/// The chain at block 1.
#[derive(Default)]
pub struct ExtBuilder {
	/// Without the other end.
	pub no_vault: bool,
}

impl ExtBuilder {
	/// Its storage.
	pub fn build(self) -> sp_io::TestExternalities {
		let genesis = RuntimeGenesisConfig {
			balances: pallet_balances::GenesisConfig {
				balances: vec![(ALICE, ENDOWMENT), (BOB, ENDOWMENT), (TREASURY, USDC)],
				..Default::default()
			},
			broker: pallet_ticket_broker::GenesisConfig {
				treasury: Some(TREASURY),
			},
			bridge: pallet_usdc_bridge::GenesisConfig {
				l2: (!self.no_vault).then_some(L2),
				interval: INTERVAL,
				first: 100,
				..Default::default()
			},
			..Default::default()
		};
		let mut ext: sp_io::TestExternalities = genesis.build_storage().unwrap().into();
		ext.execute_with(|| {
			let keys = session_keys(&VALIDATORS);
			Bridge::on_genesis_session(keys.iter().map(|(who, key)| (who, key.clone())));
			System::set_block_number(1);
			Bridge::on_initialize(1);
		});
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
			try_state();
		});
	}
}

/// Panics where an invariant of the pallet is broken.
pub fn try_state() {
	Bridge::do_try_state().unwrap();
}
