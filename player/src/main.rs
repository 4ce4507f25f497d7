//! `clustercast-player`: see the library.

#[tokio::main]
async fn main() -> anyhow::Result<()> {
	clustercast_player::cli::run().await
}
