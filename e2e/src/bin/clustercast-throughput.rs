//! `clustercast-throughput`: redemptions against transfers on one node. See `clustercast_e2e::throughput`.

use std::process::ExitCode;

fn main() -> ExitCode {
	ExitCode::from(clustercast_e2e::throughput::main())
}
