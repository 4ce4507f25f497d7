//! What a node pays with: its session key, and the purse as it is on its disk.

use crate::{bugs::Bug, chain::GENESIS, node::Io};
use clustercast_primitives::{crypto::KeyPair, AccountId};
use clustercast_protocol::{viewer::Due, Payment, Purse, PurseConfig, PurseError, SessionKey};

/// Blocks that a payment lives: within what the chain allows.
const TICKET_LIFE: u32 = 300;

/// See the module.
#[derive(Debug)]
pub struct Wallet {
	account: AccountId,
	key: KeyPair,
	stored: Option<Vec<u8>>,
	purse: Purse,
}

impl Wallet {
	/// Of an account that has registered this session key.
	pub fn new(account: AccountId, key: KeyPair) -> Self {
		Self {
			purse: Purse::new(config(account), key.clone()),
			stored: None,
			account,
			key,
		}
	}

	/// Whose.
	pub fn session(&self) -> SessionKey {
		SessionKey {
			account: self.account,
			key: self.key.public(),
		}
	}

	/// As it is after a crash.
	pub fn reopen(&mut self) {
		let again = self.stored.as_ref();
		let again = again.and_then(|stored| Purse::restore(config(self.account), self.key.clone(), stored).ok());
		self.purse = again.unwrap_or_else(|| Purse::new(config(self.account), self.key.clone()));
	}

	/// The purse.
	pub fn purse(&mut self) -> &mut Purse {
		&mut self.purse
	}

	/// Signs what is due.
	pub fn pay(&mut self, due: &Due, io: &Io<'_>) -> Result<Payment, PurseError> {
		if let Some(state) = self.purse.reserve(&due.recipient, io.block()) {
			// What is to be paid from it is on the disk before.
			if !io.has(Bug::StalePurse) {
				self.stored = Some(state);
			}
		}
		self.purse.pay(due, io.block())
	}
}

fn config(sender: AccountId) -> PurseConfig {
	PurseConfig {
		genesis: GENESIS,
		sender,
		session_expiry: 1_000_000,
		ticket_life: TICKET_LIFE,
		budget: crate::chain::DEPOSIT,
	}
}
