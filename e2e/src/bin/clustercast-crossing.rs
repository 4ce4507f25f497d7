//! `clustercast-crossing`: how long deposits and withdrawals take. See `clustercast_e2e::crossing`.

use std::process::ExitCode;

fn main() -> ExitCode {
	ExitCode::from(clustercast_e2e::crossing::main())
}
