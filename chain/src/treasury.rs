//! The treasury: a multisig account whose signatories pay from it together, each with a transaction of its own.

use crate::{
	calls::{self, Call},
	client::{within, Chain},
	error::ChainError,
	submit::{Included, Wait},
	wallet::Wallet,
};
use clustercast_primitives::{AccountId, Balance};
use codec::{Compact, Decode, Encode};
use subxt::{
	config::{substrate::BlakeTwo256, Hasher},
	dynamic::{self, Value},
};

/// What the approved call may weigh: a transfer takes a fifth of it.
const MAX_REF_TIME: u64 = 1_000_000_000;

/// What its proof may take, bytes.
const MAX_PROOF_SIZE: u64 = 100_000;

/// What a multisig account's id is made of, beside its signatories and threshold.
const ACCOUNT_PREFIX: [u8; 16] = *b"modlpy/utilisuba";

/// Why these cannot be the signatories of a multisig account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a multisig account has at least two signatories, each once, and needs from two to all of them")]
pub struct NotMultisig;

/// Who pays together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signatories {
	/// In order.
	accounts: Vec<AccountId>,
	threshold: u16,
}

/// How far a payment is.
#[derive(Clone, Debug)]
pub enum Payment {
	/// Signed by so many, and waits for more.
	Waiting {
		/// Who signed, with this signature.
		approvals: usize,
		/// The transaction that this signature was.
		included: Included,
	},
	/// Made.
	Paid(Included),
}

/// Where a multisig call was opened.
type Timepoint = (u32, u32);

/// A call that waits for signatures, as the multisig pallet stores it.
#[derive(Decode)]
struct Open {
	when: Timepoint,
	_deposit: Balance,
	_depositor: AccountId,
	approvals: Vec<AccountId>,
}

/// Bytes that are encoded already.
struct Raw(Vec<u8>);

impl Encode for Raw {
	fn encode_to<O: codec::Output + ?Sized>(&self, to: &mut O) {
		to.write(&self.0);
	}
}

impl Signatories {
	/// In any order; `threshold` of them make a payment.
	pub fn new(mut accounts: Vec<AccountId>, threshold: u16) -> Result<Self, NotMultisig> {
		accounts.sort();
		let each_once = accounts.windows(2).all(|pair| pair[0] != pair[1]);
		if accounts.len() < 2 || !each_once || !(2..=accounts.len()).contains(&threshold.into()) {
			return Err(NotMultisig);
		}
		Ok(Self { accounts, threshold })
	}

	/// How many make a payment.
	pub fn threshold(&self) -> u16 {
		self.threshold
	}

	/// The account that they hold.
	pub fn account(&self) -> AccountId {
		let parts = (ACCOUNT_PREFIX, &self.accounts, self.threshold).encode();
		AccountId(BlakeTwo256.hash(&parts).0)
	}

	/// Whether the account is one of them.
	pub fn contains(&self, account: &AccountId) -> bool {
		self.accounts.contains(account)
	}

	fn others(&self, account: &AccountId) -> Vec<AccountId> {
		self.accounts
			.iter()
			.filter(|other| *other != account)
			.copied()
			.collect()
	}
}

impl Chain {
	/// The account that the chain's shares go to, if it has one.
	pub async fn treasury(&self) -> Result<Option<AccountId>, ChainError> {
		self.stored("TicketBroker", "Treasury", vec![]).await
	}

	/// Signs a payment from the signatories' account. The first signature opens it, against a deposit that returns with
	/// the last one; whoever signs with the same payee and amount once
	/// that is final approves it; the last one makes it.
	pub async fn pay_together(
		&self,
		wallet: &Wallet,
		signatories: &Signatories,
		to: &AccountId,
		amount: Balance,
		wait: Wait,
	) -> Result<Payment, ChainError> {
		let (payment, open) = self.payment(signatories, to, amount).await?;
		let approvals = 1 + open.as_ref().map_or(0, |open| open.approvals.len());
		let sign = Call::new("Multisig", "as_multi")
			.number("threshold", signatories.threshold)
			.argument("other_signatories", &signatories.others(&wallet.account()))
			.argument("maybe_timepoint", &open.map(|open| open.when))
			.argument("call", &Raw(payment))
			.argument("max_weight", &(Compact(MAX_REF_TIME), Compact(MAX_PROOF_SIZE)));
		let included = self.submit(wallet, &sign, wait).await?;
		let Some(executed) = included.event("Multisig", "MultisigExecuted") else {
			return Ok(Payment::Waiting { approvals, included });
		};
		// All signatures are in, and yet the payment may have failed.
		match executed.bytes("result")?.split_first() {
			Some((0, [])) => Ok(Payment::Paid(included)),
			Some((1, error)) => Err(self.failed(error).await?),
			_ => Err(ChainError::Metadata("result of Multisig::MultisigExecuted".into())),
		}
	}

	/// Why a call inside another one failed.
	async fn failed(&self, error: &[u8]) -> Result<ChainError, ChainError> {
		let at = within("reading metadata", async {
			self.client().at_current_block().await.map_err(ChainError::node)
		})
		.await?;
		ChainError::from_dispatch(error, at.metadata())
	}

	/// Takes a payment back that waits for signatures; only who opened it can. Its deposit returns.
	pub async fn cancel_payment(
		&self,
		wallet: &Wallet,
		signatories: &Signatories,
		to: &AccountId,
		amount: Balance,
		wait: Wait,
	) -> Result<Included, ChainError> {
		let (payment, open) = self.payment(signatories, to, amount).await?;
		let open = open.ok_or_else(|| ChainError::Dispatch("no such payment is open (Multisig::NotFound)".into()))?;
		let cancel = Call::new("Multisig", "cancel_as_multi")
			.number("threshold", signatories.threshold)
			.argument("other_signatories", &signatories.others(&wallet.account()))
			.argument("timepoint", &open.when)
			.argument("call_hash", &BlakeTwo256.hash(&payment).0);
		self.submit(wallet, &cancel, wait).await
	}

	/// The call that pays, and where it is open.
	async fn payment(
		&self,
		signatories: &Signatories,
		to: &AccountId,
		amount: Balance,
	) -> Result<(Vec<u8>, Option<Open>), ChainError> {
		let payment = within("encoding a call", async {
			let at = self.client().at_current_block().await.map_err(ChainError::node)?;
			let call = calls::transfer(to, amount);
			at.transactions().call_data(&call).map_err(ChainError::node)
		})
		.await?;
		let keys = [signatories.account().0, BlakeTwo256.hash(&payment).0];
		let open = self.stored("Multisig", "Multisigs", keys.map(Value::from_bytes).into());
		Ok((payment, open.await?))
	}

	/// A value of the chain's storage, in the last final block.
	async fn stored<T: Decode>(
		&self,
		pallet: &'static str,
		name: &'static str,
		keys: Vec<Value>,
	) -> Result<Option<T>, ChainError> {
		let bytes = within("reading storage", async {
			let at = self.client().at_current_block().await.map_err(ChainError::node)?;
			let storage = at.storage();
			let value = storage.try_fetch(dynamic::storage::<Vec<Value>, Value>(pallet, name), keys);
			Ok(value.await.map_err(ChainError::node)?.map(|value| value.into_bytes()))
		})
		.await?;
		let wrong = || ChainError::Metadata(format!("storage {pallet}::{name}"));
		bytes
			.map(|bytes| T::decode(&mut &bytes[..]).map_err(|_| wrong()))
			.transpose()
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	fn accounts(numbers: &[u8]) -> Vec<AccountId> {
		numbers.iter().map(|n| AccountId([*n; 32])).collect()
	}

	#[test]
	fn an_account_does_not_depend_on_the_order_of_its_signatories() {
		let account = |numbers: &[u8], threshold| Signatories::new(accounts(numbers), threshold).unwrap().account();
		assert_eq!(account(&[3, 1, 2], 2), account(&[1, 2, 3], 2));
		assert_ne!(account(&[1, 2, 3], 2), account(&[1, 2, 3], 3));
		assert_ne!(account(&[1, 2, 3], 2), account(&[1, 2, 4], 2));
	}

	/// As the runtime's own test of its presets has it.
	#[test]
	fn the_development_treasury_is_that_of_alice_bob_and_charlie() {
		let holders = ["//Alice", "//Bob", "//Charlie"].map(|name| Wallet::from_suri(name).unwrap().account());
		let treasury = Signatories::new(holders.into(), 2).unwrap().account();
		assert_eq!(
			crate::account::ss58(&treasury),
			"5DjYJStmdZ2rcqXbXGX7TW85JsrW6uG4y9MUcLq2BoPMpRA7"
		);
	}

	#[test]
	fn signatories_that_are_none_are_refused() {
		for (numbers, threshold) in [
			(&[1][..], 1),
			(&[1, 2, 3], 1),
			(&[1, 2, 3], 4),
			(&[1, 2, 1], 2),
			(&[], 0),
		] {
			assert_eq!(Signatories::new(accounts(numbers), threshold), Err(NotMultisig));
		}
		assert!(Signatories::new(accounts(&[1, 2]), 2).is_ok());
	}

	#[test]
	fn others_are_all_but_one_in_order() {
		let signatories = Signatories::new(accounts(&[3, 1, 2]), 2).unwrap();
		assert_eq!(signatories.others(&AccountId([2; 32])), accounts(&[1, 3]));
		assert!(signatories.contains(&AccountId([3; 32])) && !signatories.contains(&AccountId([4; 32])));
	}
}
