//! `clustercast-origin`: see the library.

#[tokio::main]
async fn main() -> std::process::ExitCode {
	clustercast_origin::cli::main().await
}
