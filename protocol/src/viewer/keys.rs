//! Which keys may sign what is watched: the one that the chain names; and one that it replaced, for what it had signed by then.
//!
//! Nothing in a header says when it was signed, and a key is often replaced since somebody else has it. So what a replaced
//! key signed is taken only as far as its own status went that was heard while the chain named it: whoever is behind
//! catches up to there.

use crate::standing::Reach;
use alloc::vec::Vec;
use clustercast_primitives::{PublicKey, WindowHeader};

/// A stream's keys, as the chain says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamKeys {
	/// Signs now.
	pub current: PublicKey,
	/// Signed before.
	pub former: Vec<PublicKey>,
	/// How far the run was that began under one of them, by the last word of it that was heard before it was replaced.
	pub signed_before: Option<Reach>,
}

impl From<PublicKey> for StreamKeys {
	/// One that replaced none.
	fn from(current: PublicKey) -> Self {
		Self {
			current,
			former: Vec::new(),
			signed_before: None,
		}
	}
}

impl StreamKeys {
	/// The chain names these now; `told` is how far the broadcast is by the newest status. Whether the key was replaced.
	pub fn replace(&mut self, current: PublicKey, former: Vec<PublicKey>, told: Option<Reach>) -> bool {
		let replaced = current != self.current;
		if replaced {
			self.signed_before = told;
		}
		(self.current, self.former) = (current, former);
		replaced
	}

	/// By which of the keys something is signed, the one of now first. `invalid` says that it was not this one.
	pub(super) fn signer<E: PartialEq>(
		&self,
		invalid: E,
		verify: impl Fn(&PublicKey) -> Result<(), E>,
	) -> Result<Signer, E> {
		match verify(&self.current) {
			Ok(()) => Ok(Signer::Current),
			Err(error) if error != invalid => Err(error),
			Err(_) => match self.former.iter().any(|key| verify(key).is_ok()) {
				true => Ok(Signer::Former),
				false => Err(invalid),
			},
		}
	}

	/// Whether a header by this signer is good: a former key's only of the run that is watched, as far as that was told.
	pub(super) fn allow(&self, signer: Signer, header: &WindowHeader, goes_on: bool) -> bool {
		let before = |(epoch, count)| header.id.epoch == epoch && header.number < count;
		match signer {
			Signer::Current => true,
			Signer::Former => goes_on && self.signed_before.is_some_and(before),
		}
	}
}

/// Whose signature it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Signer {
	Current,
	Former,
}
