//! The account that signs extrinsics.

use crate::{account, error::KeyError, keys};
use clustercast_primitives::AccountId;
use std::{fmt, path::Path, str::FromStr};
use subxt_signer::{sr25519::Keypair, SecretUri};
use tokio::sync::Mutex;

/// An Sr25519 key with its account. Share one per account and process: it orders the transactions that it signs, so
/// that each gets a nonce of its own.
pub struct Wallet {
	keypair: Keypair,
	account: AccountId,
	/// Held from asking for the next nonce until the node has the transaction that uses it.
	pub(crate) submitting: Mutex<()>,
}

impl Wallet {
	/// From `//Alice`, a mnemonic phrase (both with derivation paths), or `file:PATH`. The file holds one of these, or
	/// a 32-byte seed as hex; it is created with a random seed when missing.
	pub fn from_suri(suri: &str) -> Result<Self, KeyError> {
		let Some(path) = suri.strip_prefix("file:") else {
			return Self::from_secret(suri);
		};
		let path = Path::new(path);
		if path.exists() {
			let text = keys::read_private(path)?;
			if keys::parse(path, &text).is_err() {
				return Self::from_secret(text.trim());
			}
		}
		let seed = keys::load_or_create_seed(path)?;
		Keypair::from_secret_key(seed)
			.map(Self::new)
			.map_err(|_| KeyError::Suri)
	}

	fn from_secret(suri: &str) -> Result<Self, KeyError> {
		// The library takes an empty text for the root key of the public development phrase.
		if suri.trim().is_empty() {
			return Err(KeyError::Suri);
		}
		let uri = SecretUri::from_str(suri).map_err(|_| KeyError::Suri)?;
		Keypair::from_uri(&uri).map(Self::new).map_err(|_| KeyError::Suri)
	}

	fn new(keypair: Keypair) -> Self {
		let account = AccountId(keypair.public_key().0);
		Self {
			keypair,
			account,
			submitting: Mutex::new(()),
		}
	}

	/// The account on the chain.
	pub fn account(&self) -> AccountId {
		self.account
	}

	pub(crate) fn keypair(&self) -> &Keypair {
		&self.keypair
	}
}

impl fmt::Debug for Wallet {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		write!(f, "Wallet({})", account::ss58(&self.account))
	}
}

#[cfg(test)]
mod tests {
	use super::*;
	use crate::files;

	const ALICE: &str = "5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY";

	#[test]
	fn suri_names_the_well_known_accounts() {
		assert_eq!(account::ss58(&Wallet::from_suri("//Alice").unwrap().account()), ALICE);
		let phrase = "bottom drive obey lake curtain smoke basket hold race lonely fit walk//Alice";
		assert_eq!(account::ss58(&Wallet::from_suri(phrase).unwrap().account()), ALICE);
	}

	#[test]
	fn bad_suri_is_refused_without_being_repeated() {
		for bad in ["", " ", "correct horse battery staple", "0x12"] {
			let error = Wallet::from_suri(bad).map(|w| w.account()).unwrap_err();
			assert_eq!(
				error.to_string(),
				"not a secret key: expected //Name, a mnemonic phrase, or file:PATH"
			);
		}
	}

	#[test]
	fn file_holds_a_seed_or_a_suri_and_is_created_when_missing() {
		let dir = tempfile::tempdir().unwrap();
		let suri = |name: &str| format!("file:{}", dir.path().join(name).display());
		let created = Wallet::from_suri(&suri("seed")).unwrap().account();
		assert_eq!(Wallet::from_suri(&suri("seed")).unwrap().account(), created);
		files::create_atomic(&dir.path().join("suri"), b"//Alice\n").unwrap();
		assert_eq!(
			account::ss58(&Wallet::from_suri(&suri("suri")).unwrap().account()),
			ALICE
		);
	}
}
