//! `clustercast-origin`: see the library.

fn main() -> std::process::ExitCode {
	clustercast_origin::cli::main()
}
