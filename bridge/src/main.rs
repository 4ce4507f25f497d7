//! The bridge agent's program.

fn main() -> std::process::ExitCode {
	clustercast_bridge::cli::main()
}
