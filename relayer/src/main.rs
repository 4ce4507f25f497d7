//! The relayer's program.

fn main() -> std::process::ExitCode {
	clustercast_relayer::cli::main()
}
