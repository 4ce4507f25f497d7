//! Command line: the flags every Substrate node has, plus where the runtime comes from.

use crate::{
	chain_spec,
	executor::{self, Compiled},
	l2, service,
};
use clap::CommandFactory;
use sc_cli::SubstrateCli;
use sc_service::{config::ExecutorConfiguration, BasePath};
use std::path::PathBuf;

/// How long a pool does not look again at a transaction that it refused: until the next block. What is refused as too early, or by
/// a node that lags, is good a block later; and anyone can submit the import of a deposit too early, whose bytes are everybody's.
const LOOKED_AT_AGAIN: &str = "0";

/// Authors and finalises blocks of the ClusterCast chain, signs BEEFY, answers JSON-RPC.
#[derive(Debug, clap::Parser)]
#[command(mut_arg("tx_ban_seconds", |arg| {
	arg.default_value(LOOKED_AT_AGAIN)
		.help("How long a refused transaction is not looked at again; 0: until the next block")
		.long_help(None)
}))]
struct Cli {
	#[command(subcommand)]
	subcommand: Option<Subcommand>,

	/// Runtime of a chain spec that carries no code: a wasm file. Default: the one that came with this program.
	#[arg(long, value_name = "FILE", global = true, env = "CLUSTERCAST_RUNTIME_WASM")]
	runtime_wasm: Option<PathBuf>,

	/// Where the compiled runtime is kept for the next start, and for other nodes of the same user. Default: `compiled` in the base path;
	/// with `--tmp` in the one that there is without.
	#[arg(long, value_name = "FOLDER", env = "CLUSTERCAST_COMPILED")]
	compiled: Option<PathBuf>,

	#[clap(flatten)]
	l2: l2::Params,

	#[clap(flatten)]
	run: sc_cli::RunCmd,
}

#[derive(Debug, clap::Subcommand)]
enum Subcommand {
	/// Makes, inspects and stores keys.
	#[command(subcommand)]
	Key(sc_cli::KeySubcommand),

	/// Prints a chain spec with its runtime, plain or raw.
	ExportChainSpec(sc_cli::ExportChainSpecCmd),

	/// Deletes the chain's database.
	PurgeChain(sc_cli::PurgeChainCmd),

	/// Takes back blocks that are not final.
	Revert(sc_cli::RevertCmd),
}

impl SubstrateCli for Cli {
	fn impl_name() -> String {
		"ClusterCast Node".into()
	}

	fn impl_version() -> String {
		env!("SUBSTRATE_CLI_IMPL_VERSION").into()
	}

	fn description() -> String {
		env!("CARGO_PKG_DESCRIPTION").into()
	}

	fn author() -> String {
		"ClusterCast contributors".into()
	}

	fn support_url() -> String {
		"the project's issue tracker".into()
	}

	fn copyright_start_year() -> i32 {
		2026
	}

	fn load_spec(&self, id: &str) -> Result<Box<dyn sc_service::ChainSpec>, String> {
		// Who starts needs the first state; who exports wants the text.
		let executor = match self.subcommand {
			None => {
				let compiled = match self.compiled() {
					Err(error) if self.compiled.is_some() => return Err(error),
					compiled => compiled.ok(),
				};
				Some(executor::new(&ExecutorConfiguration::default(), compiled.as_ref()))
			},
			Some(_) => None,
		};
		let spec = chain_spec::load(id, self.runtime_wasm.as_deref(), executor.as_ref())?;
		Ok(Box::new(spec))
	}
}

impl Cli {
	/// Where what is compiled is kept.
	fn compiled(&self) -> Result<Compiled, String> {
		let default = || match &self.run.shared_params.base_path {
			Some(base) => base.join("compiled"),
			None => BasePath::from_project("", "", &Self::executable_name())
				.path()
				.join("compiled"),
		};
		Compiled::open(&self.compiled.clone().unwrap_or_else(default))
	}
}

/// Parses the command line and runs what it asks for.
pub fn run() -> sc_cli::Result<()> {
	clustercast_cli::document(Cli::setup_command(Cli::command()));
	let cli = Cli::from_args();
	match &cli.subcommand {
		None => {
			let compiled = cli.compiled();
			cli.create_runner(&cli.run)?.run_node_until_exit(|config| async move {
				if let Err(reason) = &compiled {
					log::warn!("the runtime is compiled anew at each start: {reason}");
				}
				service::start(config, &cli.l2, compiled.ok().as_ref()).map_err(sc_cli::Error::Service)
			})
		},
		Some(Subcommand::Key(command)) => command.run(&cli),
		Some(Subcommand::ExportChainSpec(command)) => command.run(cli.load_spec(&command.chain)?),
		Some(Subcommand::PurgeChain(command)) => cli
			.create_runner(command)?
			.sync_run(|config| command.run(config.database)),
		Some(Subcommand::Revert(command)) => cli.create_runner(command)?.async_run(|config| {
			let parts = service::partial(&config, None)?;
			let revert_finality = Box::new(|client, _, blocks| {
				sc_consensus_grandpa::revert(client, blocks)?;
				Ok(())
			});
			Ok((
				command.run(parts.client, parts.backend, Some(revert_finality)),
				parts.task_manager,
			))
		}),
	}
}
