//! The chain's rules: USDC as native currency, delivery and payment, consensus.
//!
//! | module | holds |
//! | --- | --- |
//! | [`constants`] | every figure, with its reason |
//! | [`configs`] | what each pallet is given |
//! | [`calls`] | who can have anything of which call |
//! | [`money`] | fees, and where fees and dust go |
//! | [`genesis`] | presets for development and tests |
//! | [`pool`] | what signed calls weigh beside the call, which are refused, and which go first |
//! | [`apis`] | what the runtime answers to the node |
//! | [`weights`] | what calls weigh, measured |
//!
//! Nobody has Root: no pallet gives that origin to anyone, so the code and the rules are those of genesis for good.
//! USDC enters and leaves by the bridge alone; what penalties burn is counted, since the vault keeps it.

#![cfg_attr(not(feature = "std"), no_std)]
#![recursion_limit = "256"]
// Of what `frame_support::runtime` generates, since it drops an attribute of its own. Modules are warned of all the same.
#![allow(missing_docs)]

extern crate alloc;

pub mod apis;
#[cfg(feature = "runtime-benchmarks")]
mod benchmarks;
#[warn(missing_docs)]
pub mod calls;
#[warn(missing_docs)]
pub mod configs;
#[warn(missing_docs)]
pub mod constants;
#[warn(missing_docs)]
pub mod genesis;
#[warn(missing_docs)]
pub mod money;
#[warn(missing_docs)]
pub mod pool;
#[cfg(test)]
mod tests;
#[warn(missing_docs)]
pub mod weights;

use alloc::{borrow::Cow, vec::Vec};
use sp_runtime::{
	generic, impl_opaque_keys,
	traits::{BlakeTwo256, IdentifyAccount, Verify},
	MultiAddress, MultiSignature,
};
use sp_version::RuntimeVersion;

pub use clustercast_primitives::{Balance, BlockNumber};

/// Of Ed25519, sr25519 or ECDSA.
pub type Signature = MultiSignature;
/// 32 bytes: the public key of a person, or a hash where there is no key.
pub type AccountId = <<Signature as Verify>::Signer as IdentifyAccount>::AccountId;
/// How extrinsics name accounts.
pub type Address = MultiAddress<AccountId, ()>;
/// Extrinsics of an account so far.
pub type Nonce = u32;
/// Blake2-256.
pub type Hash = sp_core::H256;
/// Header of a block.
pub type Header = generic::Header<BlockNumber, BlakeTwo256>;
/// A block.
pub type Block = generic::Block<Header, UncheckedExtrinsic>;
/// What signs, orders and pays for an extrinsic beside its call. `PoolRules` reads the nonce of the one behind it.
pub type TxExtension = (
	frame_system::CheckNonZeroSender<Runtime>,
	frame_system::CheckSpecVersion<Runtime>,
	frame_system::CheckTxVersion<Runtime>,
	frame_system::CheckGenesis<Runtime>,
	frame_system::CheckEra<Runtime>,
	frame_system::CheckWeight<Runtime>,
	pallet_transaction_payment::ChargeTransactionPayment<Runtime>,
	pool::PoolRules,
	frame_system::CheckNonce<Runtime>,
	frame_metadata_hash_extension::CheckMetadataHash<Runtime>,
	frame_system::WeightReclaim<Runtime>,
);
/// An extrinsic as it comes over the wire.
pub type UncheckedExtrinsic = generic::UncheckedExtrinsic<Address, RuntimeCall, Signature, TxExtension>;
/// What a signature is made over.
pub type SignedPayload = generic::SignedPayload<RuntimeCall, TxExtension>;
/// Executes blocks.
pub type Executive =
	frame_executive::Executive<Runtime, Block, frame_system::ChainContext<Runtime>, Runtime, AllPalletsWithSystem>;

impl_opaque_keys! {
	/// Keys of a validator: authors blocks, makes them final, signs for light clients, attests the L2.
	pub struct SessionKeys {
		/// sr25519.
		pub aura: Aura,
		/// Ed25519.
		pub grandpa: Grandpa,
		/// secp256k1.
		pub beefy: Beefy,
		/// sr25519.
		pub bridge: UsdcBridge,
	}
}

/// Name and versions of this runtime.
#[sp_version::runtime_version]
pub const VERSION: RuntimeVersion = RuntimeVersion {
	spec_name: Cow::Borrowed("clustercast"),
	impl_name: Cow::Borrowed("clustercast"),
	authoring_version: 1,
	spec_version: 1,
	impl_version: 1,
	apis: apis::RUNTIME_API_VERSIONS,
	transaction_version: 1,
	system_version: 1,
};

#[frame_support::runtime]
mod runtime {
	/// The runtime: all pallets together.
	#[runtime::runtime]
	#[runtime::derive(
		RuntimeCall,
		RuntimeEvent,
		RuntimeError,
		RuntimeOrigin,
		RuntimeFreezeReason,
		RuntimeHoldReason,
		RuntimeSlashReason,
		RuntimeLockId,
		RuntimeTask,
		RuntimeViewFunction
	)]
	pub struct Runtime;

	#[runtime::pallet_index(0)]
	pub type System = frame_system;
	#[runtime::pallet_index(1)]
	pub type Timestamp = pallet_timestamp;
	#[runtime::pallet_index(2)]
	pub type Authorship = pallet_authorship;
	#[runtime::pallet_index(3)]
	pub type Balances = pallet_balances;
	#[runtime::pallet_index(4)]
	pub type TransactionPayment = pallet_transaction_payment;

	// Pallets work in the order of these numbers. The bridge makes the root that its block's MMR leaf carries, so its
	// number is below Mmr's.
	#[runtime::pallet_index(5)]
	pub type UsdcBridge = pallet_usdc_bridge;

	#[runtime::pallet_index(10)]
	pub type Aura = pallet_aura;
	#[runtime::pallet_index(11)]
	pub type Beefy = pallet_beefy;
	#[runtime::pallet_index(12)]
	pub type Session = pallet_session;
	#[runtime::pallet_index(13)]
	pub type Historical = pallet_session::historical;
	// A block's MMR leaf is made after the session has rotated the validators, so Mmr's number is above Session's: the
	// first leaf of a set's time then names the set after it. That block is one that BEEFY must sign, and every node keeps
	// its signatures, so every hand-over can be proven on the L2 at any later time.
	#[runtime::pallet_index(14)]
	pub type Mmr = pallet_mmr;
	#[runtime::pallet_index(15)]
	pub type BeefyMmrLeaf = pallet_beefy_mmr;
	#[runtime::pallet_index(16)]
	pub type Grandpa = pallet_grandpa;
	// And above Session's: the floor is whom the session pallet's genesis named.
	#[runtime::pallet_index(17)]
	pub type Validators = pallet_validators;

	#[runtime::pallet_index(20)]
	pub type Multisig = pallet_multisig;
	#[runtime::pallet_index(21)]
	pub type Utility = pallet_utility;

	#[runtime::pallet_index(30)]
	pub type StreamKeys = pallet_stream_keys;
	#[runtime::pallet_index(31)]
	pub type RelayerRegistry = pallet_relayer_registry;
	#[runtime::pallet_index(32)]
	pub type TicketBroker = pallet_ticket_broker;
	#[runtime::pallet_index(33)]
	pub type FraudProofs = pallet_fraud_proofs;
}
