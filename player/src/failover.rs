//! The loop from one relayer to the next, until the run is over.

use crate::{
	roster::{self, Next, Relayer, Roster},
	subscription::Viewing,
	summary::Ended,
	view::ChainView,
};
use anyhow::Context;
use clustercast_primitives::chain::RelayerInfo;
use std::time::Duration;

/// How often the registry is read again while there is nobody to watch from.
const REGISTRY_PAUSE: Duration = Duration::from_secs(10);

/// How often relayers are asked for the next broadcast: they keep nobody who waits for it, and a connection each is what asking
/// costs them.
const BETWEEN_BROADCASTS: Duration = Duration::from_secs(10);

impl<C: ChainView> Viewing<C> {
	/// Watches from the relayers given, or from the registry when none are; over the end of a broadcast, too, where others are
	/// served or none was watched yet. Errors are our own: a spent budget, a registry that cannot be read to begin with.
	pub async fn watch(&mut self, roster: Roster) -> anyhow::Result<Ended> {
		let by_hand = !roster.is_empty();
		self.roster = roster;
		let (mut told_end, mut told_nobody) = (false, None);
		self.begin_looking();
		match by_hand {
			true => {
				let registered = self.registered().await?;
				self.roster.identify(&registered);
			},
			false => self.read_registry(&mut told_nobody).await?,
		}
		loop {
			if let Some(ended) = self.ended() {
				return Ok(ended);
			}
			// Nothing moves meanwhile, and whom a refusal named is next.
			while self.asked.awaits_names() && !self.crew.has_standbys() {
				let answer = self.asked.next().await;
				self.on_asked(answer, None);
			}
			let now = self.now();
			// Whoever brought what the one before did not goes on.
			let next = match self.crew.heir() {
				Some(heir) => Next::Try(heir.party.relayer.clone()),
				None => self.roster.next(now),
			};
			match next {
				Next::Try(relayer) => {
					let others = self.roster.others(&relayer.key, now);
					let attempt = self.attempt(&relayer, others).await?;
					if let Some(delay) = self.sinks.delay().filter(|_| attempt.served) {
						self.roster.measured(&attempt.relayer, delay);
					}
					told_end &= !attempt.served;
					if !by_hand {
						self.rank();
					}
					if let Some(ending) = attempt.ending {
						let now = self.now();
						self.roster.report(&attempt.relayer, ending, attempt.served, now);
					}
				},
				Next::GoLive => self.go_live("no relayer has the next window any more"),
				Next::Finished if self.has_watched() && !self.sinks.serves_hls() => {
					tracing::info!("the broadcast is over");
					return Ok(Ended::Finished);
				},
				Next::Finished => {
					let waits = match self.has_watched() {
						true => "the broadcast is over; waiting for the next one",
						false => "the last broadcast is over; waiting for the next one",
					};
					if !std::mem::replace(&mut told_end, true) {
						tracing::info!("{waits}");
					}
					self.status.show(waits);
					self.pause(BETWEEN_BROADCASTS).await;
					if !by_hand {
						self.read_registry_again(&mut told_nobody).await;
					}
					self.roster.ask_again();
				},
				Next::Wait(rest) if by_hand => self.pause(rest).await,
				Next::Wait(rest) => {
					self.pause(rest.min(REGISTRY_PAUSE)).await;
					self.read_registry_again(&mut told_nobody).await;
				},
				Next::Nobody if by_hand => return Ok(Ended::NoRelayerLeft),
				Next::Nobody => {
					self.read_registry_again(&mut told_nobody).await;
					let now = self.now();
					match self.roster.next(now) {
						Next::Nobody if self.roster.is_empty() => {
							self.status.show("there is no relayer to watch from");
							self.pause(REGISTRY_PAUSE).await;
						},
						Next::Nobody => return Ok(Ended::NoRelayerLeft),
						_ => {},
					}
				},
			}
		}
	}

	/// `told`: why there was nobody, as it was told last.
	async fn read_registry(&mut self, told: &mut Option<String>) -> anyhow::Result<()> {
		let relayers = self.registered().await?;
		let max_price = self.limits.max_price_per_gb;
		let nobody = roster::nobody(&relayers, max_price);
		if let Some(why) = nobody.as_ref().filter(|_| *told != nobody) {
			tracing::warn!("{why}");
		}
		*told = nobody;
		self.roster
			.add(relayers.iter().filter_map(|info| Relayer::registered(info, max_price)));
		self.rank();
		Ok(())
	}

	async fn registered(&self) -> anyhow::Result<Vec<RelayerInfo>> {
		self.chain.relayers().await.context("cannot read the registry")
	}

	fn rank(&mut self) {
		let viewer = self.pocket.session();
		self.roster.rank(self.limits.max_price_per_gb, &viewer, rand::random());
	}

	async fn read_registry_again(&mut self, told: &mut Option<String>) {
		if let Err(error) = self.read_registry(told).await {
			tracing::warn!("{error:#}");
		}
	}
}
