//! `clustercast-node`: authors and finalises blocks, signs BEEFY, answers JSON-RPC.
//!
//! | module | holds |
//! | --- | --- |
//! | `cli` | command line, subcommands |
//! | `chain_spec` | where a chain spec and its runtime code come from |
//! | `genesis` | makes a chain's first state from its spec |
//! | `executor` | runs the runtime, and keeps what was compiled of it |
//! | `runtime` | types and APIs of the runtime, as far as the node knows them |
//! | `l2` | reads the vault on the L2 and attests to its deposits |
//! | `service` | assembles client, pool, network and consensus |
//! | `rpc` | JSON-RPC beyond what every Substrate node answers |
//!
//! No business logic lives here: the node runs whatever runtime its chain spec carries and never links one.

mod chain_spec;
mod cli;
mod executor;
mod genesis;
mod l2;
mod rpc;
mod runtime;
mod service;

use std::process::ExitCode;

fn main() -> ExitCode {
	clustercast_cli::end("clustercast-node", cli::run())
}
