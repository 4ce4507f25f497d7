//! The account that signs extrinsics.

use crate::{account, error::KeyError, keys};
use clustercast_primitives::{crypto::EthereumAddress, AccountId};
use std::{
	fmt,
	path::Path,
	str::FromStr,
	sync::atomic::{AtomicU64, Ordering},
};
use subxt_signer::{sr25519::Keypair, SecretUri};
use tokio::sync::Mutex;

/// An Sr25519 key with its account. Share one per account and process: it orders the transactions that it signs, so
/// that each gets a nonce of its own.
pub struct Wallet {
	keypair: Keypair,
	account: AccountId,
	/// Held from asking for the next nonce until the node has the transaction that uses it.
	pub(crate) submitting: Mutex<Nonces>,
	/// How often another program was seen to send with this account.
	rivals: AtomicU64,
}

/// Which nonces of an account are accounted for.
#[derive(Debug, Default)]
pub(crate) struct Nonces {
	/// One above the highest that is known: used by us, or by somebody else before us. `None` before the first.
	next: Option<u64>,
}

impl Nonces {
	/// The node says that this one is next, and it is used now, with as many behind it as `count` says in all. Whether others
	/// have been used since, that we did not use: another program signs with this account.
	fn take(&mut self, next: u64, count: u64) -> bool {
		let is_foreign = self.next.is_some_and(|known| next > known);
		let after = next.saturating_add(count);
		self.next = Some(self.next.map_or(after, |known| known.max(after)));
		is_foreign
	}
}

impl Wallet {
	/// From `//Alice`, a mnemonic phrase (both with derivation paths), or `file:PATH`. The file holds one of these, or
	/// a 32-byte seed as hex; it is created with a random seed when missing.
	///
	/// Hexadecimal is a seed inside such a file alone: an account's public id looks the same, and who took one for a seed
	/// would pay an account whose secret everybody knows.
	pub fn from_suri(suri: &str) -> Result<Self, KeyError> {
		let Some(path) = suri.strip_prefix("file:") else {
			return Self::from_secret(suri);
		};
		if path.starts_with("~/") {
			return Err(KeyError::Tilde);
		}
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
		// And 32 bytes of hex for a seed, whatever path follows.
		let phrase = suri.split('/').next().unwrap_or_default().trim();
		if account::parse(phrase).is_ok() || phrase.parse::<EthereumAddress>().is_ok() {
			return Err(KeyError::Address);
		}
		if phrase.get(..2).is_some_and(|start| start.eq_ignore_ascii_case("0x")) {
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
			submitting: Mutex::default(),
			rivals: AtomicU64::new(0),
		}
	}

	/// The account on the chain.
	pub fn account(&self) -> AccountId {
		self.account
	}

	/// How often another program was seen to send transactions with this account since this one began: its nonces are counted in
	/// one place, so the two get into each other's way.
	pub fn rivals(&self) -> u64 {
		self.rivals.load(Ordering::Relaxed)
	}

	/// Uses `count` nonces from `next` on, which is what the node says, while `nonces` is locked.
	pub(crate) fn use_nonces(&self, nonces: &mut Nonces, next: u64, count: u64) {
		if !nonces.take(next, count) {
			return;
		}
		let times = self.rivals.fetch_add(1, Ordering::Relaxed).saturating_add(1);
		// Two that run side by side see each other all the time.
		if times.is_power_of_two() {
			tracing::warn!(
				account = %account::ss58(&self.account),
				times,
				"another program sends transactions with this account; run one program for each account"
			);
		}
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
	fn a_nonce_that_we_did_not_use_is_another_programs() {
		let mut nonces = Nonces::default();
		assert!(!nonces.take(7, 1), "whatever was before us");
		assert!(!nonces.take(8, 1));
		assert!(!nonces.take(8, 1), "dropped by the pool, and sent again");
		assert!(!nonces.take(7, 1), "and the one before it");
		assert!(!nonces.take(9, 3), "not more than we have used");
		assert!(!nonces.take(12, 1));
		assert!(nonces.take(14, 1), "13 was somebody else's");
		assert!(!nonces.take(15, 1), "told once");
		let wallet = Wallet::from_suri("//Alice").unwrap();
		for next in [3, 4, 6, 7, 9] {
			wallet.use_nonces(&mut nonces_of(&wallet), next, 1);
		}
		assert_eq!(wallet.rivals(), 2);
	}

	fn nonces_of(wallet: &Wallet) -> tokio::sync::MutexGuard<'_, Nonces> {
		wallet.submitting.try_lock().unwrap()
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
	fn home_is_not_a_folder_of_that_name() {
		let refused = Wallet::from_suri("file:~/viewer.key").map(|wallet| wallet.account());
		assert!(matches!(refused, Err(KeyError::Tilde)), "{refused:?}");
		assert!(!Path::new("~").exists());
	}

	/// Whoever reads an account's public id as its secret gets an account that everybody has the key of.
	#[test]
	fn what_names_an_account_is_never_its_secret() {
		let alice = Wallet::from_suri("//Alice").unwrap().account().to_string();
		let bare = alice.trim_start_matches("0x").to_owned();
		let ethereum = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed";
		for public in [&alice, &bare, ALICE, ethereum] {
			for path in ["", "//1", "/soft", "///password"] {
				let suri = format!("{public}{path}");
				let refused = Wallet::from_suri(&suri).map(|wallet| wallet.account());
				assert!(matches!(refused, Err(KeyError::Address)), "{suri}: {refused:?}");
			}
		}
		for hex in [
			alice.replace("0x", "0X"),
			alice.to_uppercase(),
			format!("0x{}", "ab".repeat(31)),
			format!(" {alice}"),
		] {
			assert!(Wallet::from_suri(&hex).is_err(), "{hex}");
			assert!(Wallet::from_suri(&format!("{hex}//1")).is_err(), "{hex}");
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
