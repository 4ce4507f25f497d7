//! `clustercast-demo`: a broadcast end to end on one machine. See `clustercast_e2e::demo`.

use std::process::ExitCode;

fn main() -> ExitCode {
	ExitCode::from(clustercast_e2e::demo::main())
}
