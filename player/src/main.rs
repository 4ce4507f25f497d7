//! `clustercast-player`: see the library.

fn main() -> std::process::ExitCode {
	clustercast_player::cli::main()
}
