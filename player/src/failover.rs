//! The loop from one relayer to the next, until the run is over.

use crate::{
	roster::{Next, Relayer, Roster},
	subscription::{ChainView, Viewing},
	summary::Ended,
};
use anyhow::Context;
use clustercast_primitives::chain::RelayerInfo;
use std::time::{Duration, Instant};

/// How often the registry is read again while there is nobody to watch from.
const REGISTRY_PAUSE: Duration = Duration::from_secs(10);

impl<C: ChainView> Viewing<C> {
	/// Watches from the relayers given, or from the registry when none are. Errors are our own: a spent
	/// budget, a registry that cannot be read to begin with.
	pub async fn watch(&mut self, mut roster: Roster) -> anyhow::Result<Ended> {
		let started = Instant::now();
		let by_hand = !roster.is_empty();
		match by_hand {
			true => roster.identify(&self.registered().await?),
			false => self.read_registry(&mut roster).await?,
		}
		loop {
			if let Some(ended) = self.ended() {
				return Ok(ended);
			}
			match roster.next(started.elapsed()) {
				Next::Try(relayer) => {
					let others = roster.others(&relayer.key, started.elapsed());
					let attempt = self.attempt(&relayer, others).await?;
					if let Some(delay) = self.sinks.delay().filter(|_| attempt.served) {
						roster.measured(&relayer.key, delay);
					}
					if !by_hand {
						self.rank(&mut roster);
					}
					if let Some(ending) = attempt.ending {
						roster.report(&relayer.key, ending, attempt.served, started.elapsed());
					}
				},
				Next::GoLive => self.go_live(),
				Next::Finished => return Ok(Ended::Finished),
				Next::Wait(rest) if by_hand => self.pause(rest).await,
				Next::Wait(rest) => {
					self.pause(rest.min(REGISTRY_PAUSE)).await;
					self.read_registry_again(&mut roster).await;
				},
				Next::Nobody if by_hand => return Ok(Ended::NoRelayerLeft),
				Next::Nobody => {
					self.read_registry_again(&mut roster).await;
					match roster.next(started.elapsed()) {
						Next::Nobody if roster.is_empty() => {
							self.status.show("no relayer is registered that could be watched from");
							self.pause(REGISTRY_PAUSE).await;
						},
						Next::Nobody => return Ok(Ended::NoRelayerLeft),
						_ => {},
					}
				},
			}
		}
	}

	async fn read_registry(&self, roster: &mut Roster) -> anyhow::Result<()> {
		let relayers = self.registered().await?;
		let max_price = self.limits.max_price_per_gb;
		roster.add(relayers.iter().filter_map(|info| Relayer::registered(info, max_price)));
		self.rank(roster);
		Ok(())
	}

	async fn registered(&self) -> anyhow::Result<Vec<RelayerInfo>> {
		self.chain.relayers().await.context("cannot read the registry")
	}

	fn rank(&self, roster: &mut Roster) {
		roster.rank(self.limits.max_price_per_gb, rand::random());
	}

	async fn read_registry_again(&self, roster: &mut Roster) {
		if let Err(error) = self.read_registry(roster).await {
			tracing::warn!("{error:#}");
		}
	}
}
