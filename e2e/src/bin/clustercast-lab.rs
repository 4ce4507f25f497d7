//! `clustercast-lab`: the programs on lines with delay, loss and queues. See `clustercast_e2e::scenarios`.

use std::process::ExitCode;

fn main() -> ExitCode {
	ExitCode::from(clustercast_e2e::scenarios::main())
}
