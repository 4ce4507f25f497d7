//! What the runtime answers to the node.

#![allow(missing_docs)] // Of what the macro generates: the APIs are documented where they are declared.

use crate::*;
use clustercast_primitives::{
	bridge::{Attestation, BridgeInfo, Stranded, WithdrawalInfo},
	chain::{
		ChannelInfo, ChannelKey, RelayerInfo, StreamKeyInfo, TicketExplanation, TicketVerdict, ViewerAccount,
		VoucherPlace, VoucherTotals,
	},
	PublicKey, SignedVoucher, StreamId, WinningTicket,
};
use codec::{DecodeLimit, Encode};
use frame_support::{
	genesis_builder_helper,
	traits::KeyOwnerProofSystem,
	view_functions::{ViewFunctionDispatchError, ViewFunctionId},
	weights::Weight,
};
use pallet_mmr::primitives as mmr;
use pallet_transaction_payment_rpc_runtime_api::{FeeDetails, RuntimeDispatchInfo};
use sp_api::impl_runtime_apis;
use sp_consensus_aura::sr25519::AuthorityId as AuraId;
use sp_consensus_beefy::{
	ecdsa_crypto::{AuthorityId as BeefyId, Signature as BeefySignature},
	mmr::{BeefyAuthoritySet, BeefyNextAuthoritySet},
	OpaqueKeyOwnershipProof as BeefyKeyOwnershipProof,
};
use sp_consensus_grandpa::OpaqueKeyOwnershipProof as GrandpaKeyOwnershipProof;
use sp_core::{crypto::KeyTypeId, OpaqueMetadata};
use sp_inherents::{CheckInherentsResult, InherentData};
use sp_runtime::{
	traits::Block as BlockT,
	transaction_validity::{TransactionSource, TransactionValidity},
	ApplyExtrinsicResult, ExtrinsicInclusionMode,
};

/// What an encoded extrinsic calls; `None` where it does not decode.
fn call_of(extrinsic: &[u8]) -> Option<RuntimeCall> {
	let depth = frame_support::MAX_EXTRINSIC_DEPTH;
	let extrinsic = UncheckedExtrinsic::decode_all_with_depth_limit(depth, &mut &extrinsic[..]);
	Some(extrinsic.ok()?.function)
}

type LazyBlock = <Block as BlockT>::LazyBlock;
type MmrHashing = <Runtime as pallet_mmr::Config>::Hashing;
type MmrLeaf = <<Runtime as pallet_mmr::Config>::LeafData as mmr::LeafDataProvider>::LeafData;

impl_runtime_apis! {
	impl sp_api::Core<Block> for Runtime {
		fn version() -> RuntimeVersion {
			VERSION
		}
		fn execute_block(block: LazyBlock) {
			Executive::execute_block(block)
		}
		fn initialize_block(header: &Header) -> ExtrinsicInclusionMode {
			Executive::initialize_block(header)
		}
	}

	impl sp_api::Metadata<Block> for Runtime {
		fn metadata() -> OpaqueMetadata {
			OpaqueMetadata::new(Runtime::metadata().into())
		}
		fn metadata_at_version(version: u32) -> Option<OpaqueMetadata> {
			Runtime::metadata_at_version(version)
		}
		fn metadata_versions() -> Vec<u32> {
			Runtime::metadata_versions()
		}
	}

	impl frame_support::view_functions::runtime_api::RuntimeViewFunction<Block> for Runtime {
		fn execute_view_function(id: ViewFunctionId, input: Vec<u8>) -> Result<Vec<u8>, ViewFunctionDispatchError> {
			Runtime::execute_view_function(id, input)
		}
	}

	impl sp_block_builder::BlockBuilder<Block> for Runtime {
		fn apply_extrinsic(extrinsic: UncheckedExtrinsic) -> ApplyExtrinsicResult {
			Executive::apply_extrinsic(extrinsic)
		}
		fn finalize_block() -> Header {
			Executive::finalize_block()
		}
		fn inherent_extrinsics(data: InherentData) -> Vec<UncheckedExtrinsic> {
			data.create_extrinsics()
		}
		fn check_inherents(block: LazyBlock, data: InherentData) -> CheckInherentsResult {
			data.check_extrinsics(&block)
		}
	}

	impl sp_transaction_pool::runtime_api::TaggedTransactionQueue<Block> for Runtime {
		fn validate_transaction(source: TransactionSource, tx: UncheckedExtrinsic, at: Hash) -> TransactionValidity {
			Executive::validate_transaction(source, tx, at)
		}
	}

	impl sp_offchain::OffchainWorkerApi<Block> for Runtime {
		fn offchain_worker(header: &Header) {
			Executive::offchain_worker(header)
		}
	}

	impl sp_session::SessionKeys<Block> for Runtime {
		fn generate_session_keys(owner: Vec<u8>, seed: Option<Vec<u8>>) -> sp_session::OpaqueGeneratedSessionKeys {
			SessionKeys::generate(&owner, seed).into()
		}
		fn decode_session_keys(encoded: Vec<u8>) -> Option<Vec<(Vec<u8>, KeyTypeId)>> {
			SessionKeys::decode_into_raw_public_keys(&encoded)
		}
	}

	impl sp_consensus_aura::AuraApi<Block, AuraId> for Runtime {
		fn slot_duration() -> sp_consensus_aura::SlotDuration {
			sp_consensus_aura::SlotDuration::from_millis(constants::SLOT_MILLIS)
		}
		fn authorities() -> Vec<AuraId> {
			pallet_aura::Authorities::<Runtime>::get().into_inner()
		}
	}

	impl sp_consensus_grandpa::GrandpaApi<Block> for Runtime {
		fn grandpa_authorities() -> sp_consensus_grandpa::AuthorityList {
			Grandpa::grandpa_authorities()
		}
		fn current_set_id() -> sp_consensus_grandpa::SetId {
			pallet_grandpa::CurrentSetId::<Runtime>::get()
		}
		fn submit_report_equivocation_unsigned_extrinsic(
			proof: sp_consensus_grandpa::EquivocationProof<Hash, BlockNumber>,
			key_owner: GrandpaKeyOwnershipProof,
		) -> Option<()> {
			Grandpa::submit_unsigned_equivocation_report(proof, key_owner.decode()?)
		}
		fn generate_key_ownership_proof(
			_: sp_consensus_grandpa::SetId,
			key: sp_consensus_grandpa::AuthorityId,
		) -> Option<GrandpaKeyOwnershipProof> {
			let proof = Validators::prove((sp_consensus_grandpa::KEY_TYPE, key))?;
			Some(GrandpaKeyOwnershipProof::new(proof.encode()))
		}
	}

	impl sp_consensus_beefy::BeefyApi<Block, BeefyId> for Runtime {
		fn beefy_genesis() -> Option<BlockNumber> {
			pallet_beefy::GenesisBlock::<Runtime>::get()
		}
		fn validator_set() -> Option<sp_consensus_beefy::ValidatorSet<BeefyId>> {
			Beefy::validator_set()
		}
		fn submit_report_double_voting_unsigned_extrinsic(
			proof: sp_consensus_beefy::DoubleVotingProof<BlockNumber, BeefyId, BeefySignature>,
			key_owner: BeefyKeyOwnershipProof,
		) -> Option<()> {
			Beefy::submit_unsigned_double_voting_report(proof, key_owner.decode()?)
		}
		fn submit_report_fork_voting_unsigned_extrinsic(
			proof: sp_consensus_beefy::ForkVotingProof<Header, BeefyId, sp_runtime::OpaqueValue>,
			key_owner: BeefyKeyOwnershipProof,
		) -> Option<()> {
			Beefy::submit_unsigned_fork_voting_report(proof.try_into()?, key_owner.decode()?)
		}
		fn submit_report_future_block_voting_unsigned_extrinsic(
			proof: sp_consensus_beefy::FutureBlockVotingProof<BlockNumber, BeefyId>,
			key_owner: BeefyKeyOwnershipProof,
		) -> Option<()> {
			Beefy::submit_unsigned_future_block_voting_report(proof, key_owner.decode()?)
		}
		fn generate_key_ownership_proof(
			_: sp_consensus_beefy::ValidatorSetId,
			key: BeefyId,
		) -> Option<BeefyKeyOwnershipProof> {
			let proof = Validators::prove((sp_consensus_beefy::KEY_TYPE, key))?;
			Some(BeefyKeyOwnershipProof::new(proof.encode()))
		}
	}

	impl pallet_beefy_mmr::BeefyMmrApi<Block, Hash> for Runtime {
		fn authority_set_proof() -> BeefyAuthoritySet<Hash> {
			BeefyMmrLeaf::authority_set_proof()
		}
		fn next_authority_set_proof() -> BeefyNextAuthoritySet<Hash> {
			BeefyMmrLeaf::next_authority_set_proof()
		}
	}

	impl mmr::MmrApi<Block, Hash, BlockNumber> for Runtime {
		fn mmr_root() -> Result<Hash, mmr::Error> {
			Ok(pallet_mmr::RootHash::<Runtime>::get())
		}
		fn mmr_leaf_count() -> Result<mmr::LeafIndex, mmr::Error> {
			Ok(pallet_mmr::NumberOfLeaves::<Runtime>::get())
		}
		fn generate_proof(
			blocks: Vec<BlockNumber>,
			best_known: Option<BlockNumber>,
		) -> Result<(Vec<mmr::EncodableOpaqueLeaf>, mmr::LeafProof<Hash>), mmr::Error> {
			let (leaves, proof) = Mmr::generate_proof(blocks, best_known)?;
			Ok((leaves.iter().map(mmr::EncodableOpaqueLeaf::from_leaf).collect(), proof))
		}
		fn generate_ancestry_proof(
			previous: BlockNumber,
			best_known: Option<BlockNumber>,
		) -> Result<mmr::AncestryProof<Hash>, mmr::Error> {
			Mmr::generate_ancestry_proof(previous, best_known)
		}
		fn verify_proof(leaves: Vec<mmr::EncodableOpaqueLeaf>, proof: mmr::LeafProof<Hash>) -> Result<(), mmr::Error> {
			let leaves = leaves
				.into_iter()
				.map(|leaf| leaf.into_opaque_leaf().try_decode().ok_or(mmr::Error::Verify))
				.collect::<Result<Vec<MmrLeaf>, _>>()?;
			Mmr::verify_leaves(leaves, proof)
		}
		fn verify_proof_stateless(
			root: Hash,
			leaves: Vec<mmr::EncodableOpaqueLeaf>,
			proof: mmr::LeafProof<Hash>,
		) -> Result<(), mmr::Error> {
			let leaves = leaves.into_iter().map(|leaf| mmr::DataOrHash::Data(leaf.into_opaque_leaf())).collect();
			pallet_mmr::verify_leaves_proof::<MmrHashing, _>(root, leaves, proof)
		}
	}

	impl frame_system_rpc_runtime_api::AccountNonceApi<Block, AccountId, Nonce> for Runtime {
		fn account_nonce(account: AccountId) -> Nonce {
			System::account_nonce(account)
		}
	}

	impl pallet_transaction_payment_rpc_runtime_api::TransactionPaymentApi<Block, Balance> for Runtime {
		fn query_info(extrinsic: UncheckedExtrinsic, length: u32) -> RuntimeDispatchInfo<Balance> {
			TransactionPayment::query_info(extrinsic, length)
		}
		fn query_fee_details(extrinsic: UncheckedExtrinsic, length: u32) -> FeeDetails<Balance> {
			TransactionPayment::query_fee_details(extrinsic, length)
		}
		fn query_weight_to_fee(weight: Weight) -> Balance {
			TransactionPayment::weight_to_fee(weight)
		}
		fn query_length_to_fee(length: u32) -> Balance {
			TransactionPayment::length_to_fee(length)
		}
	}

	impl clustercast_runtime_api::ClusterCastApi<Block> for Runtime {
		fn check_tickets(tickets: Vec<WinningTicket>) -> Vec<TicketVerdict> {
			TicketBroker::check_tickets(&tickets)
		}
		fn decode_batch(extrinsic: Vec<u8>) -> Option<Vec<WinningTicket>> {
			match call_of(&extrinsic)? {
				RuntimeCall::TicketBroker(pallet_ticket_broker::Call::redeem_batch { tickets }) => Some(tickets.into()),
				_ => None,
			}
		}
		fn explain_ticket(ticket: WinningTicket) -> TicketExplanation {
			TicketBroker::explain_ticket(&ticket)
		}
		fn check_vouchers(vouchers: Vec<SignedVoucher>) -> Vec<TicketVerdict> {
			TicketBroker::check_vouchers(&vouchers)
		}
		fn decode_vouchers(extrinsic: Vec<u8>) -> Option<Vec<SignedVoucher>> {
			match call_of(&extrinsic)? {
				RuntimeCall::TicketBroker(pallet_ticket_broker::Call::redeem_vouchers { vouchers }) => Some(vouchers.into()),
				_ => None,
			}
		}
		fn vouchers_paid(places: Vec<VoucherPlace>) -> Vec<VoucherTotals> {
			TicketBroker::vouchers_paid(&places)
		}
		fn channels(keys: Vec<ChannelKey>) -> Vec<Option<ChannelInfo>> {
			TicketBroker::channels(&keys)
		}
		fn viewer_account(account: clustercast_primitives::AccountId) -> ViewerAccount {
			TicketBroker::viewer_account(&account.0.into())
		}
		fn relayers(start_after: Option<clustercast_primitives::AccountId>, limit: u32) -> Vec<RelayerInfo> {
			RelayerRegistry::relayers(start_after.map(|account| account.0.into()), limit)
		}
		fn leaderboard(limit: u32) -> Vec<RelayerInfo> {
			RelayerRegistry::leaderboard(limit)
		}
		fn stream_key(id: StreamId) -> Option<StreamKeyInfo> {
			StreamKeys::stream_key(id)
		}
	}

	impl clustercast_runtime_api::BridgeApi<Block> for Runtime {
		fn bridge() -> BridgeInfo {
			UsdcBridge::bridge()
		}
		fn attestor_keys() -> Vec<PublicKey> {
			UsdcBridge::attestor_keys()
		}
		fn withdrawals(from: u64, limit: u32) -> Vec<WithdrawalInfo> {
			UsdcBridge::withdrawals(from, limit)
		}
		fn stranded(from: u64, limit: u32) -> Vec<Stranded> {
			UsdcBridge::stranded(from, limit)
		}
		fn submit_attest(attestation: Attestation, authority_index: u32, signature: [u8; 64]) -> Option<()> {
			let call = pallet_usdc_bridge::Call::attest {
				attestation,
				authority_index,
				signature: signature.into(),
			};
			let extrinsic = UncheckedExtrinsic::new_bare(call.into());
			sp_io::offchain::submit_transaction(extrinsic.encode()).ok()
		}
	}

	impl sp_genesis_builder::GenesisBuilder<Block> for Runtime {
		fn build_state(config: Vec<u8>) -> sp_genesis_builder::Result {
			genesis_builder_helper::build_state::<RuntimeGenesisConfig>(config)
		}
		fn get_preset(id: &Option<sp_genesis_builder::PresetId>) -> Option<Vec<u8>> {
			genesis_builder_helper::get_preset::<RuntimeGenesisConfig>(id, genesis::get_preset)
		}
		fn preset_names() -> Vec<sp_genesis_builder::PresetId> {
			genesis::preset_names()
		}
	}

	#[cfg(feature = "runtime-benchmarks")]
	impl frame_benchmarking::Benchmark<Block> for Runtime {
		fn benchmark_metadata(
			extra: bool,
		) -> (Vec<frame_benchmarking::BenchmarkList>, Vec<frame_support::traits::StorageInfo>) {
			use frame_benchmarking::BenchmarkList;
			use frame_support::traits::StorageInfoTrait;

			let mut list = Vec::<BenchmarkList>::new();
			list_benchmarks!(list, extra);
			(list, AllPalletsWithSystem::storage_info())
		}

		fn dispatch_benchmark(
			config: frame_benchmarking::BenchmarkConfig,
		) -> Result<Vec<frame_benchmarking::BenchmarkBatch>, alloc::string::String> {
			use frame_benchmarking::BenchmarkBatch;
			use frame_support::traits::{TrackedStorageKey, WhitelistedStorageKeys};

			let whitelist: Vec<TrackedStorageKey> = AllPalletsWithSystem::whitelisted_storage_keys();
			let mut batches = Vec::<BenchmarkBatch>::new();
			let params = (&config, &whitelist);
			add_benchmarks!(params, batches);
			Ok(batches)
		}
	}

	#[cfg(feature = "try-runtime")]
	impl frame_try_runtime::TryRuntime<Block> for Runtime {
		fn on_runtime_upgrade(checks: frame_try_runtime::UpgradeCheckSelect) -> (Weight, Weight) {
			let weight = Executive::try_runtime_upgrade(checks).expect("no pallet has a migration that fails");
			(weight, configs::RuntimeBlockWeights::get().max_block)
		}
		fn execute_block(
			block: LazyBlock,
			check_state_root: bool,
			check_signatures: bool,
			select: frame_try_runtime::TryStateSelect,
		) -> Weight {
			Executive::try_execute_block(block, check_state_root, check_signatures, select)
				.expect("the block is valid and leaves the state valid")
		}
	}
}
