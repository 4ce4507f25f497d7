//! JSON-RPC beyond what every Substrate node answers (`author_*`, `chain_*`, `state_*`, `system_*`):
//!
//! | prefix | says |
//! | --- | --- |
//! | `clustercast_` | tickets, viewers, relayers, stream keys, the bridge; see [`clustercast`] |
//! | `payment_` | what an extrinsic will cost |
//! | `system_` | next nonce of an account, dry runs |
//! | `grandpa_` `beefy_` `mmr_` | finality, BEEFY justifications, proofs under the MMR |

mod clustercast;

use crate::{
	runtime::{Block, BlockNumber, Hash},
	service::{Backend, Client, TransactionPool},
};
pub use clustercast::Metrics;
use clustercast::{ClusterCast, ClusterCastRpcServer};
use jsonrpsee::RpcModule;
use mmr_rpc::{Mmr, MmrApiServer};
use pallet_transaction_payment_rpc::{TransactionPayment, TransactionPaymentApiServer};
use sc_client_api::Backend as _;
use sc_consensus_beefy::BeefyRPCLinks;
use sc_consensus_beefy_rpc::{Beefy, BeefyApiServer};
use sc_consensus_grandpa::{FinalityProofProvider, GrandpaJustificationStream, SharedAuthoritySet, SharedVoterState};
use sc_consensus_grandpa_rpc::{Grandpa, GrandpaApiServer};
use sc_rpc::SubscriptionTaskExecutor;
use sp_consensus_beefy::ecdsa_crypto::AuthorityId as BeefyId;
use std::sync::Arc;
use substrate_frame_rpc_system::{System, SystemApiServer};

/// What the handlers need of the node.
pub struct Deps {
	pub client: Arc<Client>,
	pub pool: Arc<TransactionPool>,
	pub backend: Arc<Backend>,
	pub metrics: Metrics,
	pub beefy: BeefyRPCLinks<Block, BeefyId>,
	pub grandpa: GrandpaDeps,
}

/// What the GRANDPA handlers need of the voter.
pub struct GrandpaDeps {
	pub voter_state: SharedVoterState,
	pub authorities: SharedAuthoritySet<Hash, BlockNumber>,
	pub justifications: GrandpaJustificationStream<Block>,
	pub finality_proofs: Arc<FinalityProofProvider<Backend, Block>>,
}

/// All handlers of one server. A node runs several: one for each address it listens on.
pub fn module(
	deps: &Deps,
	executor: SubscriptionTaskExecutor,
) -> Result<RpcModule<()>, Box<dyn std::error::Error + Send + Sync>> {
	let Deps {
		client,
		pool,
		backend,
		metrics,
		beefy,
		grandpa,
	} = deps;
	let offchain = backend.offchain_storage().ok_or("no offchain storage for the MMR")?;
	let mut module = RpcModule::new(());
	module.merge(ClusterCast::new(client.clone(), pool.clone(), metrics.clone()).into_rpc())?;
	module.merge(System::new(client.clone(), pool.clone()).into_rpc())?;
	module.merge(TransactionPayment::new(client.clone()).into_rpc())?;
	module.merge(Mmr::new(client.clone(), offchain).into_rpc())?;
	module.merge(
		Grandpa::new(
			executor.clone(),
			grandpa.authorities.clone(),
			grandpa.voter_state.clone(),
			grandpa.justifications.clone(),
			grandpa.finality_proofs.clone(),
		)
		.into_rpc(),
	)?;
	module.merge(
		Beefy::<Block, BeefyId>::new(
			beefy.from_voter_justif_stream.clone(),
			beefy.from_voter_best_beefy_stream.clone(),
			executor,
		)?
		.into_rpc(),
	)?;
	Ok(module)
}
