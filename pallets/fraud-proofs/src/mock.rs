//! A chain with a relayer, a stream and a viewer. Every test body is followed by `try_state`.

use crate as pallet_fraud_proofs;
use clustercast_primitives::{
	amount::USDC,
	chain::{StreamTerms, PPM},
	crypto::{KeyPair, SignedMessage},
	fraud::{Account, ChunkFraud},
	merkle::{self, DEFAULT_CHUNK_LOG2},
	notice::RelayerProof,
	receipt::{deliveries_root, Kind, PayerOpening},
	window::flags,
	AccountId, Balance, Delivery, Hash, Receipt, Signed, StreamId, WindowHeader, WindowId,
};
use frame_support::{
	construct_runtime, derive_impl,
	dispatch::DispatchResultWithPostInfo,
	parameter_types,
	traits::{fungible::Inspect, ConstU128, ConstU32, Hooks},
	weights::Weight,
};
use frame_system::mocking::MockBlockU32;
use sp_runtime::{traits::IdentityLookup, AccountId32, BuildStorage};

/// Smallest balance of an account, micro-USDC.
pub const EXISTENTIAL_DEPOSIT: Balance = 1_000;
/// Blocks for which evidence counts: a day.
pub const FRAUD_WINDOW: u32 = 43_200;
/// Blocks between the first offence and its penalty: longer than evidence counts.
pub const UNBOND_DELAY: u32 = 45_000;

construct_runtime!(
	pub enum Test {
		System: frame_system,
		Balances: pallet_balances,
		StreamKeys: pallet_stream_keys,
		Registry: pallet_relayer_registry,
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

impl pallet_relayer_registry::Config for Test {
	type RuntimeHoldReason = RuntimeHoldReason;
	type Currency = Balances;
	type MinBond = ConstU128<{ 10 * USDC }>;
	type MinSlash = ConstU128<{ 5 * USDC }>;
	type SlashShare = ConstU32<200_000>;
	type UnbondDelay = ConstU32<UNBOND_DELAY>;
	type KeyMemory = ConstU32<UNBOND_DELAY>;
	type MaxPreviousKeys = ConstU32<4>;
	type MaxAddresses = ConstU32<4>;
	type MaxAddressLength = ConstU32<128>;
	type WeightInfo = ();
}

parameter_types! {
	pub static TreasuryPart: u32 = 150_000;
	pub static Window: u32 = FRAUD_WINDOW;
	pub TreasuryAccount: Option<AccountId32> = Some(TREASURY);
}

impl crate::Config for Test {
	type Currency = Balances;
	type Relayers = Registry;
	type Streams = StreamKeys;
	type Treasury = TreasuryAccount;
	type FraudWindow = Window;
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

/// Signed for this chain.
pub fn sign<M: SignedMessage>(seed: u8, message: M) -> Signed<M> {
	key(seed).sign(message, &genesis())
}

/// Header of window `segment` of stream 0 over chunks with these leaves.
pub fn header_over(segment: u64, leaves: &[Hash]) -> WindowHeader {
	WindowHeader {
		id: WindowId {
			stream: StreamId(0),
			track: 0,
			epoch: 1,
			segment,
			part: 0,
		},
		number: 0,
		history: merkle::empty_root(),
		flags: flags::INDEPENDENT | flags::LAST_PART,
		start_ms: 1_700_000_000_000,
		duration_ms: 2_000,
		bytes: (leaves.len() as u32) << DEFAULT_CHUNK_LOG2,
		chunks: leaves.len() as u32,
		chunk_log2: DEFAULT_CHUNK_LOG2,
		root: merkle::root(leaves),
		catalog: Hash([0; 32]),
		ext: Hash([0; 32]),
	}
}

/// Header of window `segment` of stream 0 over `data`.
pub fn header(segment: u64, data: &[u8]) -> WindowHeader {
	WindowHeader {
		bytes: data.len() as u32,
		..header_over(segment, &merkle::leaves(data, DEFAULT_CHUNK_LOG2))
	}
}

/// Alice, with session 3.
pub fn opening() -> PayerOpening {
	PayerOpening {
		salt: Hash([8; 32]),
		account: AccountId(ALICE.into()),
		session: key(3).public(),
	}
}

/// Of chunks `first` and after it, with these leaves.
pub fn delivery(header: &WindowHeader, first: u32, leaves: &[Hash]) -> Delivery {
	Delivery {
		header: header.hash(),
		first,
		count: leaves.len() as u32,
		delivered: merkle::root(leaves),
	}
}

/// The relayer's receipt to Alice for these deliveries, in this block.
pub fn receipt(deliveries: &[Delivery]) -> Receipt {
	Receipt {
		kind: Kind::LIVE,
		context: Hash([0; 32]),
		payer: opening().hash(),
		payee: AccountId(RELAYER.into()),
		key: key(2).public(),
		stream: StreamId(0),
		root: deliveries_root(deliveries),
		bytes: 40_000,
		price: 1_000_000,
		commitment: Hash([4; 32]),
		block: System::block_number(),
	}
}

/// What Alice keeps of that receipt, as the relayer signed it.
pub fn account(deliveries: &[Delivery]) -> Account {
	Account {
		receipt: sign(2, receipt(deliveries)),
		payer: opening(),
		deliveries: deliveries.to_vec(),
	}
}

/// Evidence that the relayer delivered `wrong` in place of `right` as window `segment`, to Alice, beside another window
/// that is right.
pub fn evidence(segment: u64, right: &[u8], wrong: &[u8]) -> Option<ChunkFraud> {
	let leaves = |data| merkle::leaves(data, DEFAULT_CHUNK_LOG2);
	let (other, header) = (header(segment + 100, right), header(segment, right));
	let (signed, delivered) = (leaves(right), leaves(wrong));
	let account = account(&[delivery(&other, 0, &signed), delivery(&header, 0, &delivered)]);
	ChunkFraud::find(&account, 1, &header, &signed, &delivered)
}

/// Evidence of one flipped bit.
pub fn flipped(segment: u64) -> ChunkFraud {
	let right = [7; 40_000];
	let mut wrong = right;
	wrong[20_000] ^= 1;
	evidence(segment, &right, &wrong).unwrap()
}

/// Reports a wrong chunk as `who`.
pub fn report_by(who: AccountId32, evidence: ChunkFraud) -> DispatchResultWithPostInfo {
	FraudProofs::report_invalid_chunk(RuntimeOrigin::signed(who), Box::new(evidence))
}

/// Reports a wrong chunk as Bob.
pub fn report(evidence: ChunkFraud) -> DispatchResultWithPostInfo {
	report_by(BOB, evidence)
}

/// Lets the idle time of this block do its work.
pub fn idle() {
	FraudProofs::on_idle(System::block_number(), Weight::MAX);
}

/// Goes on to the block in which what is reported now is paid for, and pays.
pub fn settle() {
	System::set_block_number(System::block_number() + UNBOND_DELAY);
	idle();
}

/// Registers `who` as a relayer with this signing key and the smallest bond.
pub fn register(who: AccountId32, seed: u8) {
	let proof = RelayerProof {
		account: AccountId(who.clone().into()),
	};
	Registry::register(
		RuntimeOrigin::signed(who),
		key(seed).public(),
		sign(seed, proof).signature,
		vec![b"/ip4/203.0.113.7".to_vec().try_into().unwrap()]
			.try_into()
			.unwrap(),
		1_000_000,
		10 * USDC,
	)
	.unwrap();
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
			register(RELAYER, 2);
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
			Registry::do_try_state().unwrap();
		});
	}
}
