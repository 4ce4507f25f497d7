//! Attests deposits: reads the vault on the L2 and signs what it saw there, once the L2's block is final.
//!
//! | module | holds |
//! | --- | --- |
//! | [`endpoint`] | one JSON-RPC of the L2 and the few questions it is asked |
//! | [`quorum`] | several of them, of which a strict majority must say the same |
//! | [`journal`] | what was signed last, on disk before the signature exists |
//! | [`attestor`] | the loop: look, compare, sign, submit |
//!
//! Which block is attested follows from the chain and the L2 alone, so that validators who look at different moments
//! sign the same words: of the newest final block whose number is a multiple of the interval, the vault says in which
//! block its newest deposit is; attested is the first multiple of the interval at or behind that. What is said of it, how
//! far the light client was included, the vault says as of that very block, so endpoints need state that old.
//!
//! The worker may fail in any way without harm to the node: it is no essential task, and nothing waits for it.

mod attestor;
mod endpoint;
mod journal;
mod metrics;
mod quorum;
#[cfg(test)]
mod tests;

use crate::{
	runtime::{Block, Hash},
	service::{Client, TransactionPool},
};
use attestor::{Attestor, Position};
use clustercast_primitives::{bridge::Attestation, PublicKey};
use clustercast_runtime_api::BridgeApi;
use journal::Journal;
use metrics::Metrics;
use quorum::Quorum;
use sc_transaction_pool_api::OffchainTransactionPoolFactory;
use sp_api::{ApiError, ApiExt, ProvideRuntimeApi};
use sp_blockchain::HeaderBackend;
use sp_keystore::KeystorePtr;
use std::{path::Path, sync::Arc};
use substrate_prometheus_endpoint::Registry;

/// JSON-RPCs of the L2, `http://` or `https://`.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct Params {
	/// JSON-RPC of the L2 (http:// or https://), comma-separated or repeated. A strict majority of them must say the
	/// same. Without one, this validator doesn't attest deposits.
	#[arg(
		long = "l2-rpc",
		value_name = "URL",
		value_delimiter = ',',
		env = "CLUSTERCAST_L2_RPC",
		hide_env_values = true
	)]
	pub urls: Vec<String>,
}

/// Why the worker cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
	#[error("--l2-rpc: {0}")]
	Url(#[from] endpoint::UrlError),
	#[error("--l2-rpc: {0}")]
	Journal(#[from] journal::JournalError),
	#[error(transparent)]
	Metrics(#[from] substrate_prometheus_endpoint::PrometheusError),
}

/// What the worker needs of the node.
pub struct Deps<'a> {
	pub client: Arc<Client>,
	pub pool: Arc<TransactionPool>,
	pub keystore: KeystorePtr,
	pub registry: Option<&'a Registry>,
	/// The chain's folder in the node's base path.
	pub folder: &'a Path,
}

/// The worker, to be polled for ever.
pub fn worker(params: &Params, deps: Deps<'_>) -> Result<impl std::future::Future<Output = ()>, StartError> {
	let genesis = deps.client.info().genesis_hash;
	let metrics = Metrics::register(deps.registry)?;
	let attestor = Attestor::new(
		Local {
			client: deps.client,
			pool: OffchainTransactionPoolFactory::new(deps.pool),
		},
		deps.keystore,
		Quorum::new(&params.urls, metrics.clone())?,
		Journal::open(deps.folder, clustercast_primitives::Hash(genesis.0))?,
		metrics,
	);
	Ok(attestor.run())
}

/// The chain as this node has it.
struct Local {
	client: Arc<Client>,
	pool: OffchainTransactionPoolFactory<Block>,
}

impl Local {
	fn best(&self) -> Hash {
		self.client.info().best_hash
	}
}

impl attestor::Chain for Local {
	type Error = ApiError;

	fn position(&self) -> Result<Option<Position>, ApiError> {
		let (api, best) = (self.client.runtime_api(), self.best());
		if !api.has_api::<dyn BridgeApi<Block>>(best)? {
			return Ok(None);
		}
		Ok(Some(Position {
			bridge: api.bridge(best)?,
			attestors: api.attestor_keys(best)?,
		}))
	}

	fn submit(&self, attestation: Attestation, index: u32, signature: [u8; 64]) -> Result<bool, ApiError> {
		let (mut api, best) = (self.client.runtime_api(), self.best());
		api.register_extension(self.pool.offchain_transaction_pool(best));
		Ok(api.submit_attest(best, attestation, index, signature)?.is_some())
	}
}

/// The key of a validator that signs attestations, as the keystore knows it.
fn sr25519(key: &PublicKey) -> sp_core::sr25519::Public {
	sp_core::sr25519::Public::from_raw(key.0)
}
