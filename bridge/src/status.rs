//! How far a deposit, a withdrawal or an account is. Answers are one JSON object each.

use crate::{
	abi::Vault,
	l2::{L2Error, L2},
};
use alloy::{primitives::B256, sol_types::SolEvent};
use clustercast_chain::{account, Chain, ChainError};
use clustercast_primitives::{
	bridge::{account_of, Deposit},
	AccountId, EthereumAddress, Usdc,
};
use serde_json::{json, Value};

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StatusError {
	/// The chain.
	#[error(transparent)]
	Chain(#[from] ChainError),
	/// The L2.
	#[error(transparent)]
	L2(#[from] L2Error),
	/// Nothing of this name.
	#[error("neither a transaction of the L2, nor an account, nor the number of a withdrawal")]
	Subject,
}

/// What is asked about.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Subject {
	/// A withdrawal by its number.
	Withdrawal(u64),
	/// 32 bytes: a transaction of the L2 if there is such a one, an account of the chain otherwise.
	Word([u8; 32]),
	/// An account of the chain.
	Account(AccountId),
	/// An Ethereum address: the account that belongs to it.
	Address(EthereumAddress),
}

impl Subject {
	fn parse(text: &str) -> Option<Self> {
		if text.bytes().all(|b| b.is_ascii_digit()) {
			return text.parse().ok().map(Self::Withdrawal);
		}
		let bytes = text.strip_prefix("0x").and_then(|digits| hex::decode(digits).ok());
		match bytes {
			Some(bytes) if bytes.len() == 20 => Some(Self::Address(EthereumAddress(bytes.try_into().ok()?))),
			Some(bytes) => bytes.try_into().ok().map(Self::Word),
			None => account::parse(text).ok().map(Self::Account),
		}
	}
}

/// How far this is: a transaction of the L2 (`0x` and 64 digits), an account (SS58, `0x` and 64 digits, or an Ethereum
/// address), or the number of a withdrawal.
pub async fn status(chain: &Chain, l2: &L2, subject: &str) -> Result<Value, StatusError> {
	match Subject::parse(subject).ok_or(StatusError::Subject)? {
		Subject::Withdrawal(id) => withdrawal(chain, l2, id).await,
		Subject::Word(word) => match l2.receipt(B256::from(word)).await? {
			Some(receipt) => {
				let mut deposits = Vec::new();
				for deposit in receipt.logs().iter().filter_map(|log| l2.deposit_of(log)) {
					deposits.push(stage(chain, l2, &deposit, receipt.block_number.unwrap_or_default()).await?);
				}
				let paid = receipt
					.logs()
					.iter()
					.filter_map(|log| Vault::Withdrawn::decode_log(&log.inner).ok());
				let withdrawals: Vec<_> = paid.map(|event| event.id).collect();
				Ok(
					json!({ "transaction": B256::from(word), "block": receipt.block_number, "deposits": deposits, "withdrawals": withdrawals }),
				)
			},
			None => of_account(chain, l2, AccountId(word), None).await,
		},
		Subject::Account(account) => of_account(chain, l2, account, None).await,
		Subject::Address(address) => of_account(chain, l2, account_of(l2.chain_id, &address), Some(address)).await,
	}
}

/// A deposit, step by step: in a block, final, attested, imported; one that the chain could not credit is stranded until
/// it is sent back.
async fn stage(chain: &Chain, l2: &L2, deposit: &Deposit, block: u64) -> Result<Value, StatusError> {
	let bridge = chain.bridge(None).await?;
	let stage = if deposit.number < bridge.next_deposit {
		let stranded = chain.stranded(deposit.number, 1, None).await?;
		match stranded.iter().any(|stranded| stranded.number == deposit.number) {
			true => "stranded",
			false => "imported",
		}
	} else if bridge.attested.is_some_and(|attested| deposit.number < attested.count) {
		"attested"
	} else if l2.finalised().await? >= block {
		"final"
	} else {
		"in a block"
	};
	Ok(json!({ "deposit": deposit, "credit": deposit.credit(), "action": deposit.action(), "stage": stage }))
}

/// A withdrawal, step by step: queued, released, signed (a root over it is on the L2), executed.
async fn withdrawal(chain: &Chain, l2: &L2, id: u64) -> Result<Value, StatusError> {
	let executed = l2.executed(id).await?;
	let page = chain.withdrawals(id, 1, None).await?;
	let info = page.into_iter().find(|info| info.withdrawal.id == id);
	let place = info.and_then(|info| info.place);
	let stage = match (executed, place) {
		(true, _) => "executed",
		(false, Some(place)) if l2.light_client_state().await?.block >= place.block => "signed",
		(false, Some(_)) => "released",
		(false, None) if info.is_some() => "queued",
		(false, None) => "unknown",
	};
	Ok(json!({ "withdrawal": info, "stage": stage }))
}

/// An account; of one that is known by its address, also what the address brings with actions.
async fn of_account(
	chain: &Chain,
	l2: &L2,
	account: AccountId,
	owner: Option<EthereumAddress>,
) -> Result<Value, StatusError> {
	let bridge = chain.bridge(None).await?;
	let holdings = chain.viewer_account(&account, None).await?;
	let head = l2.block_number().await?;
	let deposits = match owner {
		Some(owner) => l2.deposits_to(bridge.first, head, &owner).await?,
		None => l2.deposits(bridge.first, head, Some(&account)).await?,
	};
	let pending: Vec<_> = deposits
		.iter()
		.filter(|deposit| deposit.number >= bridge.next_deposit)
		.collect();
	let sum = pending.iter().map(|deposit| deposit.amount).sum();
	Ok(json!({
		"account": account::ss58(&account),
		"hex": account,
		"chain": holdings,
		"pending": pending,
		"pendingUsdc": Usdc(sum).to_string(),
	}))
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn subject_is_told_by_its_shape() {
		assert_eq!(Subject::parse("17"), Some(Subject::Withdrawal(17)));
		let word = format!("0x{}", "07".repeat(32));
		assert_eq!(Subject::parse(&word), Some(Subject::Word([7; 32])));
		let address = format!("0x{}", "07".repeat(20));
		assert_eq!(
			Subject::parse(&address),
			Some(Subject::Address(EthereumAddress([7; 20])))
		);
		let alice = "5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY";
		assert!(matches!(Subject::parse(alice), Some(Subject::Account(_))));
		for wrong in ["", "-1", "0x12", "Alice", "99999999999999999999999"] {
			assert_eq!(Subject::parse(wrong), None, "{wrong}");
		}
	}
}
