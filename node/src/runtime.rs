//! The runtime as the node knows it: its types, and the APIs that it calls.
//!
//! The node runs the wasm of its chain spec and nothing else, so it does not link the runtime crate: a change in a
//! pallet does not rebuild the node. The type checker still wants a type that has these APIs, since
//! [`RuntimeApi`] is generated from an implementation. [`Wasm`] is that type. Its functions are signatures only; the
//! client sends every call to the wasm executor.

use clustercast_primitives::{
	bridge::{Attestation, BridgeInfo, Stranded, WithdrawalInfo},
	chain::{
		ChannelInfo, ChannelKey, RelayerInfo, StreamKeyInfo, TicketExplanation, TicketVerdict, ViewerAccount,
		VoucherPlace, VoucherTotals,
	},
	PublicKey, SignedVoucher, StreamId, WinningTicket,
};
use sp_consensus_aura::sr25519::AuthorityId as AuraId;
use sp_consensus_beefy::{
	ecdsa_crypto::{AuthorityId as BeefyId, Signature as BeefySignature},
	OpaqueKeyOwnershipProof as BeefyKeyOwnershipProof,
};
use sp_consensus_grandpa::OpaqueKeyOwnershipProof as GrandpaKeyOwnershipProof;
use sp_core::{crypto::KeyTypeId, OpaqueMetadata, H256};
use sp_inherents::{CheckInherentsResult, InherentData};
use sp_mmr_primitives::{AncestryProof, EncodableOpaqueLeaf, Error as MmrError, LeafIndex, LeafProof};
use sp_runtime::{
	generic,
	traits::{BlakeTwo256, Block as BlockT},
	transaction_validity::{TransactionSource, TransactionValidity},
	AccountId32, ApplyExtrinsicResult, ExtrinsicInclusionMode, OpaqueExtrinsic,
};

pub type AccountId = AccountId32;
pub type Balance = clustercast_primitives::Balance;
pub type BlockNumber = clustercast_primitives::BlockNumber;
pub type Nonce = u32;
pub type Hash = H256;
pub type Header = generic::Header<BlockNumber, BlakeTwo256>;
pub type Block = generic::Block<Header, OpaqueExtrinsic>;

#[allow(dead_code)] // In signatures that nothing calls natively.
type LazyBlock = <Block as BlockT>::LazyBlock;

/// Stands for the runtime in types.
#[allow(dead_code)] // Never made: see above.
pub struct Wasm;

#[allow(dead_code)] // Never called: see above.
fn in_wasm() -> ! {
	unreachable!("runtime calls go to the wasm executor")
}

sp_api::impl_runtime_apis! {
	impl sp_api::Core<Block> for Wasm {
		fn version() -> sp_version::RuntimeVersion { in_wasm() }
		fn execute_block(_: LazyBlock) { in_wasm() }
		fn initialize_block(_: &Header) -> ExtrinsicInclusionMode { in_wasm() }
	}

	impl sp_api::Metadata<Block> for Wasm {
		fn metadata() -> OpaqueMetadata { in_wasm() }
		fn metadata_at_version(_: u32) -> Option<OpaqueMetadata> { in_wasm() }
		fn metadata_versions() -> Vec<u32> { in_wasm() }
	}

	impl sp_block_builder::BlockBuilder<Block> for Wasm {
		fn apply_extrinsic(_: OpaqueExtrinsic) -> ApplyExtrinsicResult { in_wasm() }
		fn finalize_block() -> Header { in_wasm() }
		fn inherent_extrinsics(_: InherentData) -> Vec<OpaqueExtrinsic> { in_wasm() }
		fn check_inherents(_: LazyBlock, _: InherentData) -> CheckInherentsResult { in_wasm() }
	}

	impl sp_transaction_pool::runtime_api::TaggedTransactionQueue<Block> for Wasm {
		fn validate_transaction(_: TransactionSource, _: OpaqueExtrinsic, _: Hash) -> TransactionValidity { in_wasm() }
	}

	impl sp_offchain::OffchainWorkerApi<Block> for Wasm {
		fn offchain_worker(_: &Header) { in_wasm() }
	}

	impl sp_session::SessionKeys<Block> for Wasm {
		fn generate_session_keys(_: Vec<u8>, _: Option<Vec<u8>>) -> sp_session::OpaqueGeneratedSessionKeys { in_wasm() }
		fn decode_session_keys(_: Vec<u8>) -> Option<Vec<(Vec<u8>, KeyTypeId)>> { in_wasm() }
	}

	impl sp_consensus_aura::AuraApi<Block, AuraId> for Wasm {
		fn slot_duration() -> sp_consensus_aura::SlotDuration { in_wasm() }
		fn authorities() -> Vec<AuraId> { in_wasm() }
	}

	impl sp_consensus_grandpa::GrandpaApi<Block> for Wasm {
		fn grandpa_authorities() -> sp_consensus_grandpa::AuthorityList { in_wasm() }
		fn current_set_id() -> sp_consensus_grandpa::SetId { in_wasm() }
		fn submit_report_equivocation_unsigned_extrinsic(
			_: sp_consensus_grandpa::EquivocationProof<Hash, BlockNumber>,
			_: GrandpaKeyOwnershipProof,
		) -> Option<()> { in_wasm() }
		fn generate_key_ownership_proof(
			_: sp_consensus_grandpa::SetId,
			_: sp_consensus_grandpa::AuthorityId,
		) -> Option<GrandpaKeyOwnershipProof> { in_wasm() }
	}

	impl sp_consensus_beefy::BeefyApi<Block, BeefyId> for Wasm {
		fn beefy_genesis() -> Option<BlockNumber> { in_wasm() }
		fn validator_set() -> Option<sp_consensus_beefy::ValidatorSet<BeefyId>> { in_wasm() }
		fn submit_report_double_voting_unsigned_extrinsic(
			_: sp_consensus_beefy::DoubleVotingProof<BlockNumber, BeefyId, BeefySignature>,
			_: BeefyKeyOwnershipProof,
		) -> Option<()> { in_wasm() }
		fn submit_report_fork_voting_unsigned_extrinsic(
			_: sp_consensus_beefy::ForkVotingProof<Header, BeefyId, sp_runtime::OpaqueValue>,
			_: BeefyKeyOwnershipProof,
		) -> Option<()> { in_wasm() }
		fn submit_report_future_block_voting_unsigned_extrinsic(
			_: sp_consensus_beefy::FutureBlockVotingProof<BlockNumber, BeefyId>,
			_: BeefyKeyOwnershipProof,
		) -> Option<()> { in_wasm() }
		fn generate_key_ownership_proof(
			_: sp_consensus_beefy::ValidatorSetId,
			_: BeefyId,
		) -> Option<BeefyKeyOwnershipProof> { in_wasm() }
	}

	impl sp_mmr_primitives::MmrApi<Block, Hash, BlockNumber> for Wasm {
		fn mmr_root() -> Result<Hash, MmrError> { in_wasm() }
		fn mmr_leaf_count() -> Result<LeafIndex, MmrError> { in_wasm() }
		fn generate_proof(
			_: Vec<BlockNumber>,
			_: Option<BlockNumber>,
		) -> Result<(Vec<EncodableOpaqueLeaf>, LeafProof<Hash>), MmrError> { in_wasm() }
		fn generate_ancestry_proof(_: BlockNumber, _: Option<BlockNumber>) -> Result<AncestryProof<Hash>, MmrError> {
			in_wasm()
		}
		fn verify_proof(_: Vec<EncodableOpaqueLeaf>, _: LeafProof<Hash>) -> Result<(), MmrError> { in_wasm() }
		fn verify_proof_stateless(
			_: Hash,
			_: Vec<EncodableOpaqueLeaf>,
			_: LeafProof<Hash>,
		) -> Result<(), MmrError> { in_wasm() }
	}

	impl frame_system_rpc_runtime_api::AccountNonceApi<Block, AccountId, Nonce> for Wasm {
		fn account_nonce(_: AccountId) -> Nonce { in_wasm() }
	}

	impl pallet_transaction_payment_rpc_runtime_api::TransactionPaymentApi<Block, Balance> for Wasm {
		fn query_info(
			_: OpaqueExtrinsic,
			_: u32,
		) -> pallet_transaction_payment_rpc_runtime_api::RuntimeDispatchInfo<Balance> { in_wasm() }
		fn query_fee_details(
			_: OpaqueExtrinsic,
			_: u32,
		) -> pallet_transaction_payment_rpc_runtime_api::FeeDetails<Balance> { in_wasm() }
		fn query_weight_to_fee(_: sp_weights::Weight) -> Balance { in_wasm() }
		fn query_length_to_fee(_: u32) -> Balance { in_wasm() }
	}

	impl clustercast_runtime_api::ClusterCastApi<Block> for Wasm {
		fn check_tickets(_: Vec<WinningTicket>) -> Vec<TicketVerdict> { in_wasm() }
		fn decode_batch(_: Vec<u8>) -> Option<Vec<WinningTicket>> { in_wasm() }
		fn explain_ticket(_: WinningTicket) -> TicketExplanation { in_wasm() }
		fn check_vouchers(_: Vec<SignedVoucher>) -> Vec<TicketVerdict> { in_wasm() }
		fn decode_vouchers(_: Vec<u8>) -> Option<Vec<SignedVoucher>> { in_wasm() }
		fn vouchers_paid(_: Vec<VoucherPlace>) -> Vec<VoucherTotals> { in_wasm() }
		fn channels(_: Vec<ChannelKey>) -> Vec<Option<ChannelInfo>> { in_wasm() }
		fn viewer_account(_: clustercast_primitives::AccountId) -> ViewerAccount { in_wasm() }
		fn relayers(_: Option<clustercast_primitives::AccountId>, _: u32) -> Vec<RelayerInfo> { in_wasm() }
		fn leaderboard(_: u32) -> Vec<RelayerInfo> { in_wasm() }
		fn stream_key(_: StreamId) -> Option<StreamKeyInfo> { in_wasm() }
	}

	impl clustercast_runtime_api::BridgeApi<Block> for Wasm {
		fn bridge() -> BridgeInfo { in_wasm() }
		fn attestor_keys() -> Vec<PublicKey> { in_wasm() }
		fn withdrawals(_: u64, _: u32) -> Vec<WithdrawalInfo> { in_wasm() }
		fn stranded(_: u64, _: u32) -> Vec<Stranded> { in_wasm() }
		fn submit_attest(_: Attestation, _: u32, _: [u8; 64]) -> Option<()> { in_wasm() }
	}
}
