//! The loop: look, compare, sign, submit.

use super::{
	endpoint::Place,
	journal::{Journal, Withheld},
	metrics::Metrics,
	quorum::{Quorum, QuorumError},
	sr25519,
};
use clustercast_primitives::{
	bridge::{attestation, Attestation, BridgeInfo},
	crypto::SignedMessage,
	PublicKey,
};
use sp_core::crypto::KeyTypeId;
use sp_keystore::KeystorePtr;
use std::{fmt, time::Duration};
use tokio::time::{sleep, Instant};

/// The session key that signs attestations, in the keystore.
pub const KEY_TYPE: KeyTypeId = KeyTypeId(attestation::KEY_TYPE);

/// Pause between two looks at the L2: a block of the chain. One small request to each endpoint.
const POLL: Duration = Duration::from_secs(2);

/// A statement that was not counted by then is submitted again: the pool may have lost it, or validators who are now in
/// office were not when it came. Five blocks.
const SUBMIT_AGAIN: Duration = Duration::from_secs(10);

/// The bridge as the chain's best block has it.
#[derive(Clone, Debug)]
pub struct Position {
	pub bridge: BridgeInfo,
	/// Keys of the current validators, in their order.
	pub attestors: Vec<PublicKey>,
}

/// The chain, as the attestor sees it.
pub trait Chain {
	/// Why it does not answer.
	type Error: fmt::Display;

	/// `None` where the runtime has no bridge.
	fn position(&self) -> Result<Option<Position>, Self::Error>;

	/// Hands a signed attestation to the pool; whether the pool took it.
	fn submit(&self, attestation: Attestation, index: u32, signature: [u8; 64]) -> Result<bool, Self::Error>;
}

/// What came of one look.
#[derive(Debug, PartialEq, Eq)]
pub enum Look {
	/// The runtime has no bridge, or none of its validators' keys is ours.
	NotInOffice,
	/// The chain knows of every deposit that is final.
	UpToDate,
	/// Signed and submitted, and the chain has not counted it yet.
	Waiting(Attestation),
	/// Signed and handed to the pool just now.
	Signed(Attestation),
}

/// Why a look failed. All of it is tried again.
#[derive(Debug, thiserror::Error)]
pub enum LookError {
	#[error("{0}")]
	Quorum(#[from] QuorumError),
	#[error("statement about L2 block {} withheld: {reason}", .statement.l2_block)]
	Withheld { statement: Attestation, reason: Withheld },
	#[error("the chain accepted {} deposits with another root than the L2 has: {} against {}", .accepted.count, .accepted.root, .found.root)]
	ForeignRoot { accepted: Attestation, found: Attestation },
	#[error("keystore: {0}")]
	Keystore(String),
	#[error("runtime: {0}")]
	Runtime(String),
}

/// Signs for one validator.
pub struct Attestor<C> {
	chain: C,
	keystore: KeystorePtr,
	quorum: Quorum,
	journal: Journal,
	metrics: Metrics,
	/// The last checkpoint at which nothing new was found, with the count of deposits that was not news then.
	looked: Option<(u64, u64)>,
	submitted: Option<(Attestation, Instant)>,
}

impl<C: Chain> Attestor<C> {
	pub fn new(chain: C, keystore: KeystorePtr, quorum: Quorum, journal: Journal, metrics: Metrics) -> Self {
		Self {
			chain,
			keystore,
			quorum,
			journal,
			metrics,
			looked: None,
			submitted: None,
		}
	}

	/// For ever. A failure that lasts is logged once, and so is its end.
	pub async fn run(mut self) {
		let mut trouble = None;
		loop {
			match self.look().await {
				Ok(look) => {
					if trouble.take().is_some() {
						log::info!("attesting the L2 again");
					}
					if let Look::Signed(a) = look {
						log::info!(
							"attested {} deposits as of L2 block {} ({})",
							a.count,
							a.l2_block,
							a.l2_hash
						);
					}
				},
				Err(error) => {
					let error = error.to_string();
					if trouble.as_ref() != Some(&error) {
						log::warn!("not attesting the L2: {error}");
						trouble = Some(error);
					}
				},
			}
			sleep(POLL).await;
		}
	}

	/// Does what is due now.
	pub async fn look(&mut self) -> Result<Look, LookError> {
		let runtime = |error: C::Error| LookError::Runtime(error.to_string());
		let Some(Position { bridge, attestors }) = self.chain.position().map_err(runtime)? else {
			return Ok(Look::NotInOffice);
		};
		let Some((index, key)) = self.office(&attestors) else {
			return Ok(Look::NotInOffice);
		};
		let place = Place {
			chain_id: bridge.chain_id,
			vault: bridge.vault,
			interval: bridge.interval,
		};
		let finalised = self.quorum.finalised().await?;
		self.metrics.finalised.set(finalised);
		let accepted = bridge.attested.map_or(0, |a| a.count);
		let Some(checkpoint) = Attestation::checkpoint(finalised, place.interval) else {
			return Ok(Look::NotInOffice);
		};
		// There is no vault yet; or behind a checkpoint that brought nothing, nothing can have come before the next one.
		if checkpoint < bridge.first || self.looked == Some((checkpoint, accepted)) {
			return Ok(Look::UpToDate);
		}
		let statement = self.quorum.statement(&place, checkpoint).await?;
		let Some(statement) = statement.filter(|statement| statement.count > accepted) else {
			return self.nothing_new(checkpoint, accepted, bridge.attested, statement);
		};
		if let Some((last, at)) = &self.submitted {
			if *last == statement && at.elapsed() < SUBMIT_AGAIN {
				return Ok(Look::Waiting(statement));
			}
		}
		self.journal.record(&statement).map_err(|reason| {
			self.metrics.withheld.inc();
			LookError::Withheld { statement, reason }
		})?;
		let payload = statement.signing_payload(&bridge.genesis);
		let signature = self.keystore.sr25519_sign(KEY_TYPE, &sr25519(&key), &payload);
		let signature = signature
			.map_err(|e| LookError::Keystore(e.to_string()))?
			.ok_or_else(|| LookError::Keystore("the key is gone".into()))?;
		let taken = self.chain.submit(statement, index, signature.0).map_err(runtime)?;
		self.metrics.signed.inc();
		self.metrics.signed_count.set(statement.count);
		let news = self
			.submitted
			.replace((statement, Instant::now()))
			.map(|(last, _)| last)
			!= Some(statement);
		log::debug!(
			"submitted statement about L2 block {}; pool took it: {taken}",
			statement.l2_block
		);
		Ok(if news {
			Look::Signed(statement)
		} else {
			Look::Waiting(statement)
		})
	}

	/// There is no statement that says more than the chain knows. Where it says as much, it must say the same.
	fn nothing_new(
		&mut self,
		checkpoint: u64,
		accepted: u64,
		attested: Option<Attestation>,
		statement: Option<Attestation>,
	) -> Result<Look, LookError> {
		if let Some((accepted, found)) = attested.zip(statement) {
			if accepted.count == found.count && accepted.root != found.root {
				return Err(LookError::ForeignRoot { accepted, found });
			}
		}
		self.looked = Some((checkpoint, accepted));
		Ok(Look::UpToDate)
	}

	/// Our key among those of the current validators, and its place there.
	fn office(&self, attestors: &[PublicKey]) -> Option<(u32, PublicKey)> {
		let ours = |key: &PublicKey| self.keystore.has_keys(&[(key.0.to_vec(), KEY_TYPE)]);
		(0..)
			.zip(attestors)
			.find(|(_, key)| ours(key))
			.map(|(index, key)| (index, *key))
	}
}
