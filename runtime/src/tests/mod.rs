//! What holds for the runtime as a whole. The pallets' own rules are tested beside them.

mod authority;
mod bridge;
mod fees;
mod formats;
mod genesis;
mod pool;
mod privacy;
mod reputation;
mod stuffing;
mod validators;

use crate::*;
use clustercast_primitives::{
	chain::{StreamTerms, PPM},
	crypto::KeyPair,
	session::SessionProof,
	AccountId as RawAccount, Hash as RawHash, PublicKey,
};
use codec::Encode;
use frame_support::{assert_ok, genesis_builder_helper, traits::fungible::Inspect};
use serde_json::Value;
use sp_consensus_aura::AURA_ENGINE_ID;
use sp_keyring::Sr25519Keyring;
use sp_runtime::{generic::Era, traits::Header as _, BuildStorage, Digest, DigestItem, DispatchResult};

/// Runs `test` in block 1 of a chain that starts from the preset. The first of its validators is the author.
fn in_first_block<R>(preset: &str, test: impl FnOnce() -> R) -> R {
	in_first_block_with(preset, Value::Object(Default::default()), test)
}

/// The same, with a patch over the preset.
fn in_first_block_with<R>(preset: &str, patch: Value, test: impl FnOnce() -> R) -> R {
	sp_io::TestExternalities::new(
		frame_system::GenesisConfig::<Runtime>::default()
			.build_storage()
			.unwrap(),
	)
	.execute_with(|| {
		let mut config = serde_json::to_value(RuntimeGenesisConfig::default()).unwrap();
		merge(&mut config, preset_of(preset));
		merge(&mut config, patch);
		genesis_builder_helper::build_state::<RuntimeGenesisConfig>(config.to_string().into_bytes()).unwrap();

		begin_block(Hash::zero());
		let result = test();
		#[cfg(feature = "try-runtime")]
		frame_support::assert_ok!(
			<AllPalletsWithSystem as frame_support::traits::TryState<BlockNumber>>::try_state(
				1,
				frame_support::traits::TryStateSelect::All
			)
		);
		Executive::finalize_block();
		result
	})
}

/// Makes a stream of 10,000 USDC per GB, of which a tenth is its broadcaster's.
fn new_stream(signing_key: PublicKey) -> pallet_stream_keys::Call<Runtime> {
	pallet_stream_keys::Call::mint {
		signing_key,
		title: b"stream".to_vec().try_into().unwrap(),
		category: b"test".to_vec().try_into().unwrap(),
		max_viewers: 0,
		terms: StreamTerms {
			price_per_gb: 10_000_000_000,
			broadcaster_share_ppm: 100_000,
			max_surge_ppm: PPM,
		},
	}
}

/// Begins the block behind the one with this hash. Its author is the first validator.
fn begin_block(parent: Hash) {
	let number = System::block_number() + 1;
	// A slot is the first validator's when it divides by their number.
	let slot = 4_000_000 + 4 * u64::from(number);
	let digest = Digest {
		logs: vec![DigestItem::PreRuntime(AURA_ENGINE_ID, slot.encode())],
	};
	Executive::initialize_block(&Header::new(number, Hash::zero(), Hash::zero(), parent, digest));
	let now = pallet_timestamp::Call::set {
		now: slot * constants::SLOT_MILLIS,
	};
	assert_ok!(apply(UncheckedExtrinsic::new_bare(RuntimeCall::Timestamp(now))));
}

/// Ends the block and begins the next.
fn next_block() {
	let header = Executive::finalize_block();
	begin_block(header.hash());
}

fn preset_of(name: &str) -> Value {
	serde_json::from_slice(&crate::genesis::get_preset(&name.into()).unwrap()).unwrap()
}

/// Replaces what `patch` names, as the client does with a preset.
fn merge(config: &mut Value, patch: Value) {
	match (config, patch) {
		(Value::Object(config), Value::Object(patch)) => patch
			.into_iter()
			.for_each(|(key, value)| merge(&mut config[&key], value)),
		(config, patch) => *config = patch,
	}
}

/// An extrinsic as `who` would sign it now.
fn signed(who: Sr25519Keyring, call: impl Into<RuntimeCall>) -> UncheckedExtrinsic {
	signed_with(who, call, extension(who))
}

/// The same, with something else beside the call.
fn signed_with(who: Sr25519Keyring, call: impl Into<RuntimeCall>, extension: TxExtension) -> UncheckedExtrinsic {
	let payload = SignedPayload::new(call.into(), extension).unwrap();
	let signature = payload.using_encoded(|bytes| who.sign(bytes));
	let (call, extension, _) = payload.deconstruct();
	UncheckedExtrinsic::new_signed(call, who.to_account_id().into(), signature.into(), extension)
}

/// What `who` would put beside a call now.
fn extension(who: Sr25519Keyring) -> TxExtension {
	(
		frame_system::CheckNonZeroSender::new(),
		frame_system::CheckSpecVersion::new(),
		frame_system::CheckTxVersion::new(),
		frame_system::CheckGenesis::new(),
		frame_system::CheckEra::from(Era::Immortal),
		frame_system::CheckWeight::new(),
		pallet_transaction_payment::ChargeTransactionPayment::from(0),
		crate::pool::PoolRules,
		frame_system::CheckNonce::from(System::account_nonce(who.to_account_id())),
		frame_metadata_hash_extension::CheckMetadataHash::new(false),
		frame_system::WeightReclaim::new(),
	)
}

/// Applies an extrinsic that must be valid, and says how its call went.
fn apply(extrinsic: UncheckedExtrinsic) -> DispatchResult {
	Executive::apply_extrinsic(extrinsic).unwrap()
}

/// Of tests, by number.
fn key(seed: u8) -> KeyPair {
	KeyPair::from_seed([seed; 32])
}

/// As peers and signatures have it.
fn genesis_hash() -> RawHash {
	RawHash(System::block_hash(0).into())
}

/// Registers a session of `who`, with these limits by bytes and beside, for 10,000 blocks.
fn authorize(
	who: Sr25519Keyring,
	session: &KeyPair,
	limit: Balance,
	extra_limit: Balance,
) -> pallet_ticket_broker::Call<Runtime> {
	let account = raw(who);
	pallet_ticket_broker::Call::authorize_session {
		key: session.public(),
		limit,
		extra_limit,
		expiry: 10_000,
		proof: session.sign(SessionProof { account }, &genesis_hash()).signature,
	}
}

/// The account as peers have it.
fn raw(who: Sr25519Keyring) -> RawAccount {
	RawAccount(who.to_account_id().into())
}

fn transfer(to: &AccountId, value: Balance) -> RuntimeCall {
	pallet_balances::Call::transfer_allow_death {
		dest: to.clone().into(),
		value,
	}
	.into()
}
