//! `clustercast-byzantine`: a relayer that cheats, for a place of the network lab.

#[tokio::main]
async fn main() -> anyhow::Result<()> {
	clustercast_e2e::byzantine::main().await
}
