//! Assembles a node: client, transaction pool, network, RPC, and the three gadgets of consensus: Aura authors blocks,
//! GRANDPA makes them final, BEEFY signs the MMR root over them for light clients elsewhere.

use crate::{
	executor::{self, Compiled, Executor},
	l2, rpc,
	runtime::{Block, Hash, RuntimeApi},
};
use futures::FutureExt;
use sc_client_api::{Backend as _, BlockBackend};
use sc_consensus_aura::{CompatibilityMode, ImportQueueParams, SlotProportion, StartAuraParams};
use sc_consensus_beefy as beefy;
use sc_consensus_grandpa as grandpa;
use sc_network::{Litep2pNetworkBackend, NetworkBackend};
use sc_service::{error::Error as ServiceError, Configuration, PartialComponents, TaskManager, WarpSyncConfig};
use sc_telemetry::{Telemetry, TelemetryHandle, TelemetryWorker};
use sc_transaction_pool_api::OffchainTransactionPoolFactory;
use sp_consensus_aura::{sr25519::AuthorityPair as AuraPair, SlotDuration};
use sp_consensus_beefy::ecdsa_crypto::AuthorityId as BeefyId;
use std::{sync::Arc, time::Duration};

pub type Client = sc_service::TFullClient<Block, RuntimeApi, Executor>;
pub type Backend = sc_service::TFullBackend<Block>;
pub type TransactionPool = sc_transaction_pool::TransactionPoolHandle<Block, Client>;

type SelectChain = sc_consensus::LongestChain<Backend, Block>;
type GrandpaImport = grandpa::GrandpaBlockImport<Backend, Block, Client, SelectChain>;
type BeefyImport = beefy::import::BeefyBlockImport<Block, Backend, Client, GrandpaImport, BeefyId>;
type ImportQueue = sc_consensus::DefaultImportQueue<Block>;
type Network = Litep2pNetworkBackend;

/// GRANDPA justifications are stored and announced at least this often, in blocks: a client that syncs by headers
/// verifies one per this many.
const GRANDPA_JUSTIFICATION_PERIOD: u32 = 512;

/// GRANDPA gossips its votes this often. Far below a slot, so that finality follows blocks at once.
const GRANDPA_GOSSIP: Duration = Duration::from_millis(333);

/// BEEFY signs at most one of this many blocks: a commitment each 8 s.
const BEEFY_MIN_BLOCK_DELTA: u32 = 4;

/// Authors a block within this part of its slot; the rest is for the network.
const PROPOSAL_SLOT_PORTION: f32 = 2.0 / 3.0;

/// Telemetry messages that may wait; more are dropped.
const TELEMETRY_BUFFER: usize = 16;

/// What consensus keeps between [`partial`] and [`start`].
pub struct Consensus {
	block_import: BeefyImport,
	grandpa_link: grandpa::LinkHalf<Block, Client, SelectChain>,
	beefy_voter_links: beefy::BeefyVoterLinks<Block, BeefyId>,
	beefy_rpc_links: beefy::BeefyRPCLinks<Block, BeefyId>,
	telemetry: Option<Telemetry>,
}

/// Client, pool and import queue: all that works without a network.
pub fn partial(
	config: &Configuration,
	compiled: Option<&Compiled>,
) -> Result<PartialComponents<Client, Backend, SelectChain, ImportQueue, TransactionPool, Consensus>, ServiceError> {
	let telemetry = config
		.telemetry_endpoints
		.clone()
		.filter(|endpoints| !endpoints.is_empty())
		.map(|endpoints| -> Result<_, sc_telemetry::Error> {
			let worker = TelemetryWorker::new(TELEMETRY_BUFFER)?;
			let telemetry = worker.handle().new_telemetry(endpoints);
			Ok((worker, telemetry))
		})
		.transpose()?;

	let (client, backend, keystore_container, task_manager) = sc_service::new_full_parts::<Block, RuntimeApi, _>(
		config,
		telemetry.as_ref().map(|(_, telemetry)| telemetry.handle()),
		executor::new(&config.executor, compiled),
		vec![],
	)?;
	let client = Arc::new(client);
	let telemetry = telemetry.map(|(worker, telemetry)| {
		task_manager.spawn_handle().spawn("telemetry", None, worker.run());
		telemetry
	});
	let telemetry_handle = telemetry.as_ref().map(Telemetry::handle);

	let select_chain = sc_consensus::LongestChain::new(backend.clone());
	let transaction_pool = sc_transaction_pool::Builder::new(
		task_manager.spawn_essential_handle(),
		client.clone(),
		config.role.is_authority().into(),
	)
	.with_options(config.transaction_pool.clone())
	.with_prometheus(config.prometheus_registry())
	.build();

	let (grandpa_import, grandpa_link) = grandpa::block_import(
		client.clone(),
		GRANDPA_JUSTIFICATION_PERIOD,
		&client,
		select_chain.clone(),
		telemetry_handle.clone(),
	)?;
	let (block_import, beefy_voter_links, beefy_rpc_links) = beefy::beefy_block_import_and_links(
		grandpa_import.clone(),
		backend.clone(),
		client.clone(),
		config.prometheus_registry().cloned(),
	);

	let slot_client = client.clone();
	let import_queue = sc_consensus_aura::import_queue::<AuraPair, _, _, _, _, _>(ImportQueueParams {
		block_import: block_import.clone(),
		justification_import: Some(Box::new(grandpa_import)),
		client: client.clone(),
		create_inherent_data_providers: move |parent, _| {
			let slots = sc_consensus_aura::standalone::slot_duration_at(&*slot_client, parent).map(slot_and_time);
			async move { Ok(slots?) }
		},
		spawner: &task_manager.spawn_essential_handle(),
		registry: config.prometheus_registry(),
		check_for_equivocation: Default::default(),
		telemetry: telemetry_handle,
		compatibility_mode: CompatibilityMode::None,
	})?;

	Ok(PartialComponents {
		client,
		backend,
		task_manager,
		import_queue,
		keystore_container,
		select_chain,
		transaction_pool: Arc::from(transaction_pool),
		other: Consensus {
			block_import,
			grandpa_link,
			beefy_voter_links,
			beefy_rpc_links,
			telemetry,
		},
	})
}

/// A whole node. It runs until the task manager is dropped.
pub fn start(
	mut config: Configuration,
	l2: &l2::Params,
	compiled: Option<&Compiled>,
) -> Result<TaskManager, ServiceError> {
	// The MMR's leaves reach the offchain database by indexing; without them there is no proof to give.
	config.offchain_worker.indexing_enabled = true;

	let PartialComponents {
		client,
		backend,
		mut task_manager,
		import_queue,
		keystore_container,
		select_chain,
		transaction_pool,
		other:
			Consensus {
				block_import,
				grandpa_link,
				beefy_voter_links,
				beefy_rpc_links,
				mut telemetry,
			},
	} = partial(&config, compiled)?;

	let registry = config.prometheus_registry().cloned();
	let genesis = client
		.block_hash(0)?
		.expect("the client writes the genesis block when it opens a database; qed");
	let fork_id = config.chain_spec.fork_id().map(str::to_owned);
	let mut net_config =
		sc_network::config::FullNetworkConfiguration::<Block, Hash, Network>::new(&config.network, registry.clone());
	let metrics = <Network as NetworkBackend<Block, Hash>>::register_notification_metrics(registry.as_ref());

	let grandpa_protocol = grandpa::protocol_standard_name(&genesis, &config.chain_spec);
	let (grandpa_config, grandpa_notifications) = grandpa::grandpa_peers_set_config::<Block, Network>(
		grandpa_protocol.clone(),
		metrics.clone(),
		net_config.peer_store_handle(),
	);
	net_config.add_notification_protocol(grandpa_config);

	let beefy_protocol = beefy::gossip_protocol_name(genesis, fork_id.as_deref());
	let (beefy_config, beefy_notifications) = beefy::communication::beefy_peers_set_config::<Block, Network>(
		beefy_protocol.clone(),
		metrics.clone(),
		net_config.peer_store_handle(),
	);
	net_config.add_notification_protocol(beefy_config);
	let (beefy_requests, beefy_request_config) =
		beefy::communication::request_response::BeefyJustifsRequestHandler::new::<_, Network>(
			&genesis,
			fork_id.as_deref(),
			client.clone(),
			registry.clone(),
		);
	net_config.add_request_response_protocol(beefy_request_config);

	let warp_sync = Arc::new(grandpa::warp_proof::NetworkProvider::new(
		backend.clone(),
		grandpa_link.shared_authority_set().clone(),
		vec![],
	));
	let (network, system_rpc_tx, tx_handler_controller, sync, _bitswap) =
		sc_service::build_network(sc_service::BuildNetworkParams {
			config: &config,
			net_config,
			client: client.clone(),
			transaction_pool: transaction_pool.clone(),
			spawn_handle: task_manager.spawn_handle(),
			spawn_essential_handle: task_manager.spawn_essential_handle(),
			import_queue,
			block_announce_validator_builder: None,
			warp_sync_config: Some(WarpSyncConfig::WithProvider(warp_sync)),
			block_relay: None,
			metrics,
			gap_sync_body_policy: None,
		})?;

	if config.offchain_worker.enabled {
		let workers = sc_offchain::OffchainWorkers::new(sc_offchain::OffchainWorkerOptions {
			runtime_api_provider: client.clone(),
			keystore: Some(keystore_container.keystore()),
			offchain_db: backend.offchain_storage(),
			transaction_pool: Some(OffchainTransactionPoolFactory::new(transaction_pool.clone())),
			network_provider: Arc::new(network.clone()),
			is_validator: config.role.is_authority(),
			enable_http_requests: false,
			custom_extensions: |_| vec![],
		})?;
		task_manager.spawn_handle().spawn(
			"offchain-workers-runner",
			"offchain-worker",
			workers.run(client.clone(), task_manager.spawn_handle()).boxed(),
		);
	}

	let role = config.role;
	let folder = config.base_path.config_dir(config.chain_spec.id());
	let name = config.network.node_name.clone();
	let force_authoring = config.force_authoring;
	let enable_grandpa = !config.disable_grandpa;
	let keystore = role.is_authority().then(|| keystore_container.keystore());
	let voter_state = grandpa::SharedVoterState::empty();

	let rpc_deps = rpc::Deps {
		client: client.clone(),
		pool: transaction_pool.clone(),
		backend: backend.clone(),
		metrics: rpc::Metrics::register(registry.as_ref())?,
		beefy: beefy_rpc_links,
		grandpa: rpc::GrandpaDeps {
			voter_state: voter_state.clone(),
			authorities: grandpa_link.shared_authority_set().clone(),
			justifications: grandpa_link.justification_stream(),
			finality_proofs: grandpa::FinalityProofProvider::new_for_service(
				backend.clone(),
				Some(grandpa_link.shared_authority_set().clone()),
			),
		},
	};
	sc_service::spawn_tasks(sc_service::SpawnTasksParams {
		config,
		client: client.clone(),
		backend: backend.clone(),
		task_manager: &mut task_manager,
		keystore: keystore_container.keystore(),
		transaction_pool: transaction_pool.clone(),
		network: network.clone(),
		sync_service: sync.clone(),
		system_rpc_tx,
		tx_handler_controller,
		rpc_builder: Box::new(move |executor| rpc::module(&rpc_deps, executor).map_err(Into::into)),
		telemetry: telemetry.as_mut(),
		tracing_execute_block: None,
	})?;
	let telemetry: Option<TelemetryHandle> = telemetry.as_ref().map(Telemetry::handle);
	let essential = task_manager.spawn_essential_handle();

	if let Some(keystore) = keystore.clone() {
		let slot_duration = sc_consensus_aura::slot_duration(&*client)?;
		let aura = sc_consensus_aura::start_aura::<AuraPair, _, _, _, _, _, _, _, _, _, _>(StartAuraParams {
			slot_duration,
			client: client.clone(),
			select_chain,
			block_import,
			proposer_factory: sc_basic_authorship::ProposerFactory::new(
				task_manager.spawn_handle(),
				client.clone(),
				transaction_pool.clone(),
				registry.as_ref(),
				telemetry.clone(),
			),
			create_inherent_data_providers: move |_, ()| async move { Ok(slot_and_time(slot_duration)) },
			force_authoring,
			backoff_authoring_blocks: None::<()>,
			keystore,
			sync_oracle: sync.clone(),
			justification_sync_link: sync.clone(),
			block_proposal_slot_portion: SlotProportion::new(PROPOSAL_SLOT_PORTION),
			max_block_proposal_slot_portion: None,
			telemetry: telemetry.clone(),
			compatibility_mode: CompatibilityMode::None,
		})?;
		essential.spawn_blocking("aura", Some("block-authoring"), aura);
	}

	if let Some(keystore) = keystore.clone().filter(|_| !l2.urls.is_empty()) {
		let worker = l2::worker(
			l2,
			l2::Deps {
				client: client.clone(),
				pool: transaction_pool.clone(),
				keystore,
				registry: registry.as_ref(),
				folder: &folder,
			},
		)
		.map_err(|error| ServiceError::Other(error.to_string()))?;
		task_manager.spawn_handle().spawn("l2-attestor", None, worker);
	}

	let beefy = beefy::start_beefy_gadget::<_, _, _, _, _, _, _, BeefyId>(beefy::BeefyParams {
		client: client.clone(),
		backend: backend.clone(),
		payload_provider: sp_consensus_beefy::mmr::MmrRootProvider::new(client.clone()),
		runtime: client.clone(),
		key_store: keystore.clone(),
		network_params: beefy::BeefyNetworkParams {
			network: Arc::new(network.clone()),
			sync: sync.clone(),
			gossip_protocol_name: beefy_protocol,
			justifications_protocol_name: beefy_requests.protocol_name(),
			notification_service: beefy_notifications,
			_phantom: Default::default(),
		},
		min_block_delta: BEEFY_MIN_BLOCK_DELTA,
		prometheus_registry: registry.clone(),
		links: beefy_voter_links,
		on_demand_justifications_handler: beefy_requests,
		is_authority: role.is_authority(),
	});
	essential.spawn_blocking("beefy-gadget", None, beefy);
	essential.spawn_blocking(
		"mmr-gadget",
		None,
		mmr_gadget::MmrGadget::start(client, backend, sp_mmr_primitives::INDEXING_PREFIX.to_vec()),
	);

	if enable_grandpa {
		let voter = grandpa::run_grandpa_voter(grandpa::GrandpaParams {
			config: grandpa::Config {
				gossip_duration: GRANDPA_GOSSIP,
				justification_generation_period: GRANDPA_JUSTIFICATION_PERIOD,
				name: Some(name),
				observer_enabled: false,
				keystore,
				local_role: role,
				telemetry: telemetry.clone(),
				protocol_name: grandpa_protocol,
			},
			link: grandpa_link,
			network,
			sync: Arc::new(sync),
			notification_service: grandpa_notifications,
			voting_rule: grandpa::VotingRulesBuilder::default().build(),
			prometheus_registry: registry,
			shared_voter_state: voter_state,
			telemetry,
			offchain_tx_pool_factory: OffchainTransactionPoolFactory::new(transaction_pool),
		})?;
		essential.spawn_blocking("grandpa-voter", None, voter);
	}
	Ok(task_manager)
}

/// The inherents of a block: the clock, and the slot that it lies in.
fn slot_and_time(
	slot_duration: SlotDuration,
) -> (
	sp_consensus_aura::inherents::InherentDataProvider,
	sp_timestamp::InherentDataProvider,
) {
	let time = sp_timestamp::InherentDataProvider::from_system_time();
	let slot =
		sp_consensus_aura::inherents::InherentDataProvider::from_timestamp_and_slot_duration(*time, slot_duration);
	(slot, time)
}
