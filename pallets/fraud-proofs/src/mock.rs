//! A chain with a relayer, a stream and a viewer. Every test body is followed by `try_state`.

use crate as pallet_fraud_proofs;
use clustercast_primitives::{
	amount::USDC,
	chain::{RelayerProof, StreamTerms, PPM},
	crypto::KeyPair,
	fraud::ChunkFraud,
	merkle,
	window::{flags, SignedHeader},
	AccountId, Balance, Hash, Receipt, StreamId, WindowHeader, WindowId,
};
use frame_support::{
	construct_runtime, derive_impl, parameter_types,
	traits::{fungible::Inspect, ConstU128, ConstU32, ConstU64, UnixTime},
};
use frame_system::mocking::MockBlockU32;
use sp_runtime::{traits::IdentityLookup, AccountId32, BuildStorage};
use std::time::Duration;

/// Smallest balance of an account, micro-USDC.
pub const EXISTENTIAL_DEPOSIT: Balance = 1_000;
/// A day, milliseconds: how long evidence counts.
pub const FRAUD_WINDOW: u64 = crate::DAY;
/// A minute, milliseconds.
pub const MAX_CLOCK_SKEW: u64 = 60_000;
/// When the chain begins, Unix time in milliseconds.
pub const START: u64 = 1_700_000_000_000;

construct_runtime!(
	pub enum Test {
		System: frame_system,
		Balances: pallet_balances,
		StreamKeys: pallet_stream_keys,
		Registry: pallet_relayer_registry,
		Broker: pallet_ticket_broker,
		FraudProofs: pallet_fraud_proofs,
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

impl pallet_stream_keys::Config for Test {
	type RuntimeHoldReason = RuntimeHoldReason;
	type Currency = Balances;
	type Treasury = TreasuryAccount;
	type MintDeposit = ConstU128<USDC>;
	type Royalty = ConstU32<50_000>;
	type ChangeDelay = ConstU32<600>;
	type MaxRental = ConstU32<1_000>;
	type MaxPreviousKeys = ConstU32<8>;
	type KeyMemory = ConstU32<100>;
	type MaxTitle = ConstU32<64>;
	type MaxCategory = ConstU32<32>;
	type MaxBroadcasterShare = ConstU32<300_000>;
	type MaxSurge = ConstU32<10_000_000>;
	type WeightInfo = ();
}

impl pallet_relayer_registry::Config for Test {
	type RuntimeHoldReason = RuntimeHoldReason;
	type Currency = Balances;
	type MinBond = ConstU128<{ 10 * USDC }>;
	type MinSlash = ConstU128<{ 5 * USDC }>;
	type SlashShare = ConstU32<200_000>;
	type UnbondDelay = ConstU32<1_800>;
	type MaxAddresses = ConstU32<4>;
	type MaxAddressLength = ConstU32<128>;
	type WeightInfo = ();
}

impl pallet_ticket_broker::Config for Test {
	type RuntimeHoldReason = RuntimeHoldReason;
	type Currency = Balances;
	type Streams = StreamKeys;
	type Deliveries = ();
	type MaxDeposit = ConstU128<{ 50 * USDC }>;
	type MinFaceValue = ConstU128<1_000>;
	type TreasuryShare = ConstU32<20_000>;
	type MaxTicketLife = ConstU32<600>;
	type UnlockDelay = ConstU32<1_200>;
	type EpochLength = ConstU32<600>;
	type MaxNonces = ConstU32<8_192>;
	type MaxBatch = ConstU32<100>;
	type MaxPayees = ConstU32<64>;
	type MaxSessions = ConstU32<8>;
	type WeightInfo = ();
}

parameter_types! {
	pub static NowMs: u64 = START;
	pub static TreasuryPart: u32 = 150_000;
	pub static Window: u64 = FRAUD_WINDOW;
	pub TreasuryAccount: Option<AccountId32> = pallet_ticket_broker::Treasury::<Test>::get();
}

/// [`NowMs`].
pub struct Clock;

impl UnixTime for Clock {
	fn now() -> Duration {
		Duration::from_millis(NowMs::get())
	}
}

impl crate::Config for Test {
	type Currency = Balances;
	type Relayers = Registry;
	type Streams = StreamKeys;
	type Sessions = Broker;
	type Treasury = TreasuryAccount;
	type Time = Clock;
	type FraudWindow = Window;
	type MaxClockSkew = ConstU64<MAX_CLOCK_SKEW>;
	type TreasuryPart = TreasuryPart;
	type WeightInfo = ();
}

/// A viewer with session 3.
pub const ALICE: AccountId32 = AccountId32::new([1; 32]);
/// Brings evidence.
pub const BOB: AccountId32 = AccountId32::new([2; 32]);
/// Owns stream 0, which key 1 signs.
pub const CAROL: AccountId32 = AccountId32::new([3; 32]);
/// A relayer with a bond of 10 USDC and signing key 2.
pub const RELAYER: AccountId32 = AccountId32::new([4; 32]);
/// The treasury.
pub const TREASURY: AccountId32 = AccountId32::new([5; 32]);

/// What everybody has at genesis, micro-USDC.
pub const ENDOWMENT: Balance = 100 * USDC;

/// A key pair.
pub fn key(seed: u8) -> KeyPair {
	KeyPair::from_seed([seed; 32])
}

/// The genesis hash that signatures are made for.
pub fn genesis() -> Hash {
	Hash(System::block_hash(0).into())
}

/// Header of window `segment` of stream 0 over `data`, begun now.
pub fn header(segment: u64, data: &[u8]) -> WindowHeader {
	let leaves = merkle::leaves(data);
	WindowHeader {
		id: WindowId {
			stream: StreamId(0),
			rendition: 0,
			segment,
			part: 0,
		},
		flags: flags::INDEPENDENT | flags::LAST_PART,
		start_ms: NowMs::get(),
		duration_ms: 2_000,
		bytes: data.len() as u32,
		chunks: leaves.len() as u16,
		root: merkle::root(&leaves),
		init: Hash([0; 32]),
		previous: Hash([0; 32]),
	}
}

/// That header, signed by the broadcaster.
pub fn signed_header(segment: u64, data: &[u8]) -> SignedHeader {
	key(1).sign(header(segment, data), &genesis())
}

/// The relayer's receipt for `header` when it delivered these leaves to Alice's session.
pub fn receipt(header: &WindowHeader, delivered: &[Hash]) -> Receipt {
	Receipt {
		session: key(3).public(),
		window: header.id,
		root: header.root,
		delivered: merkle::root(delivered),
		bytes: header.bytes,
		price_per_gb: 1_000_000,
		commitment: Hash([4; 32]),
	}
}

/// Evidence that the relayer delivered `wrong` in place of `right` as window `segment`, to Alice.
pub fn evidence(segment: u64, right: &[u8], wrong: &[u8]) -> Option<ChunkFraud> {
	let header = signed_header(segment, right);
	let (signed, delivered) = (merkle::leaves(right), merkle::leaves(wrong));
	let receipt = key(2).sign(receipt(&header.message, &delivered), &genesis());
	ChunkFraud::find(header, receipt, &signed, &delivered)
}

/// Evidence of one flipped bit.
pub fn flipped(segment: u64) -> ChunkFraud {
	let right = [7; 40_000];
	let mut wrong = right;
	wrong[20_000] ^= 1;
	evidence(segment, &right, &wrong).unwrap()
}

/// All that an account owns, held or not, micro-USDC.
pub fn total(who: &AccountId32) -> Balance {
	Balances::total_balance(who)
}

/// The chain at block 1.
pub struct ExtBuilder;

impl ExtBuilder {
	/// Its storage.
	pub fn build(self) -> sp_io::TestExternalities {
		let rich = [ALICE, BOB, CAROL, RELAYER, TREASURY].map(|who| (who, ENDOWMENT));
		let genesis = RuntimeGenesisConfig {
			balances: pallet_balances::GenesisConfig {
				balances: rich.to_vec(),
				..Default::default()
			},
			broker: pallet_ticket_broker::GenesisConfig {
				treasury: Some(TREASURY),
			},
			..Default::default()
		};
		let mut ext: sp_io::TestExternalities = genesis.build_storage().unwrap().into();
		ext.execute_with(|| {
			System::set_block_number(1);
			let text = b"stream".to_vec();
			StreamKeys::mint(
				RuntimeOrigin::signed(CAROL),
				key(1).public(),
				text.clone().try_into().unwrap(),
				text.try_into().unwrap(),
				0,
				StreamTerms {
					price_per_gb: 1_000_000,
					max_surge_ppm: PPM,
					broadcaster_share_ppm: 100_000,
				},
			)
			.unwrap();
			let proof = RelayerProof {
				account: AccountId(RELAYER.into()),
			};
			Registry::register(
				RuntimeOrigin::signed(RELAYER),
				key(2).public(),
				key(2).sign(proof, &self::genesis()).signature,
				vec![b"/ip4/203.0.113.7".to_vec().try_into().unwrap()]
					.try_into()
					.unwrap(),
				1_000,
				10 * USDC,
			)
			.unwrap();
			Broker::authorize_session(RuntimeOrigin::signed(ALICE), key(3).public(), USDC, 10_000).unwrap();
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

	/// Runs a test body, then `try_state` of all pallets that take part.
	pub fn build_and_execute(self, test: impl FnOnce()) {
		self.build().execute_with(|| {
			test();
			FraudProofs::do_try_state().unwrap();
		});
	}
}
