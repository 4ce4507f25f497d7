//! Who is registered, as it was read last: only relayers are named to others, never a viewer.

use clustercast_chain::Chain;
use clustercast_primitives::{chain::RelayerInfo, PublicKey};
use std::{
	collections::HashSet,
	sync::{Mutex, MutexGuard, PoisonError},
	time::Duration,
};
use tokio::time::sleep;

/// Between two readings: one request for each hundred relayers.
const AGAIN: Duration = Duration::from_secs(60);

/// See the module.
#[derive(Debug, Default)]
pub struct Directory(Mutex<HashSet<PublicKey>>);

impl Directory {
	/// As the registry is now: who leaves is named to nobody.
	pub fn read(&self, registered: &[RelayerInfo]) {
		let staying = registered.iter().filter(|info| info.unbonds_at.is_none());
		*self.lock() = staying.map(|info| info.signing_key).collect();
	}

	/// Whether this is a relayer's key.
	pub fn has(&self, key: &PublicKey) -> bool {
		self.lock().contains(key)
	}

	/// Reads the registry over and over, for ever; where the chain does not answer, what was read last counts.
	pub async fn follow(&self, chain: &Chain) {
		loop {
			sleep(AGAIN).await;
			if let (false, Ok(registered)) = (chain.tip().is_late(), chain.relayers().await) {
				self.read(&registered);
			}
		}
	}

	fn lock(&self) -> MutexGuard<'_, HashSet<PublicKey>> {
		// Replaced in one step.
		self.0.lock().unwrap_or_else(PoisonError::into_inner)
	}
}
