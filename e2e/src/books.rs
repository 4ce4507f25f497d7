//! The chain's books, read as an accountant would: every account, every fee, every redeemed ticket, from finalised
//! blocks only.

use anyhow::{ensure, Context, Result};
use clustercast_chain::{calls, Chain, Event, Head, Wait, Wallet};
use clustercast_primitives::{chain::Payout, AccountId, Balance, BlockNumber, Hash};
use std::{
	collections::{BTreeMap, BTreeSet},
	time::Duration,
};
use subxt::{dynamic, ext::scale_decode::DecodeAsType, utils::H256, OnlineClient, SubstrateConfig};
use tokio::time::timeout;

/// Longest wait for something that the chain does within a few blocks.
const PATIENCE: Duration = Duration::from_secs(90);

/// A connection to one node.
#[derive(Clone)]
pub struct Books {
	chain: Chain,
	/// For what no program but an accountant asks: all accounts.
	api: OnlineClient<SubstrateConfig>,
}

/// A finalised block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Block {
	/// Number.
	pub number: BlockNumber,
	/// Hash.
	pub hash: Hash,
}

/// What an account owns, micro-USDC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, DecodeAsType)]
#[decode_as_type(crate_path = "subxt::ext::scale_decode")]
pub struct Funds {
	/// Not held.
	pub free: Balance,
	/// Held: deposits for tickets, bonds.
	pub reserved: Balance,
}

impl Funds {
	/// Free and held.
	pub fn total(&self) -> Balance {
		self.free + self.reserved
	}
}

/// All money of the chain at one block.
#[derive(Clone, Debug)]
pub struct Snapshot {
	/// Which block.
	pub block: Block,
	/// What the chain says there is, micro-USDC.
	pub issuance: Balance,
	/// Every account there is.
	pub accounts: BTreeMap<AccountId, Funds>,
}

impl Snapshot {
	/// Sum over all accounts, micro-USDC.
	pub fn sum(&self) -> Balance {
		self.accounts.values().map(Funds::total).sum()
	}

	/// What `account` owns, held money included; zero when there is no such account.
	pub fn total(&self, account: &AccountId) -> Balance {
		self.accounts.get(account).map_or(0, Funds::total)
	}

	/// Every account whose total differs in `later`, with the change in micro-USDC.
	pub fn changes(&self, later: &Self) -> BTreeMap<AccountId, i128> {
		let signed = |amount: Balance| i128::try_from(amount).expect("the supply is far below 2^127");
		let mut changes = BTreeMap::new();
		for account in self.accounts.keys().chain(later.accounts.keys()) {
			let change = signed(later.total(account)) - signed(self.total(account));
			if change != 0 {
				changes.insert(*account, change);
			}
		}
		changes
	}
}

/// A ticket that the chain paid, from its event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Redeemed {
	/// `WinningTicket::id`.
	pub id: Hash,
	/// Viewer's account.
	pub sender: AccountId,
	/// Relayer's account.
	pub recipient: AccountId,
	/// Who got what.
	pub payout: Payout,
}

impl Redeemed {
	/// What all three got at once, micro-USDC: its face value; more where the recipient had paid shares before, as a buyer; less, by the
	/// shares, where a relayer signed it.
	pub fn paid_out(&self) -> Balance {
		self.payout.relayer + self.payout.broadcaster + self.payout.treasury
	}
}

/// What happened in a range of finalised blocks.
#[derive(Clone, Debug, Default)]
pub struct Activity {
	/// Tickets paid, in order.
	pub redeemed: Vec<Redeemed>,
	/// Tickets refused.
	pub refused: u64,
	/// Transfers of free money.
	pub transfers: u64,
	/// Fees paid, tips included, micro-USDC by who paid them.
	pub fees: BTreeMap<AccountId, Balance>,
	/// Fees of redemptions alone, micro-USDC.
	pub redemption_fees: Balance,
	/// Burnt as part of penalties, micro-USDC: the issuance is so much lower.
	pub burnt: Balance,
}

#[derive(DecodeAsType)]
#[decode_as_type(crate_path = "subxt::ext::scale_decode")]
struct AccountInfo {
	data: Funds,
}

impl Books {
	/// Connects to a node that may still be starting.
	pub async fn open(url: &str) -> Result<Self> {
		let chain = Chain::connect(&[url.parse()?]).await?;
		let api = OnlineClient::from_insecure_url(url).await?;
		Ok(Self { chain, api })
	}

	/// The chain as the programs see it.
	pub fn chain(&self) -> &Chain {
		&self.chain
	}

	/// Waits until the head of the chain is as asked.
	///
	/// # Errors
	/// After 90 s.
	pub async fn wait_head(&self, what: &str, reached: impl Fn(&Head) -> bool) -> Result<Head> {
		let mut heads = self.chain.heads();
		let head = timeout(PATIENCE, heads.wait_for(|head| reached(head)))
			.await
			.with_context(|| format!("not within {PATIENCE:?}: {what}"))?
			.map(|head| *head);
		head.context("the connection to the node is gone")
	}

	/// The finalised block with this number, once there is one.
	pub async fn finalised(&self, number: BlockNumber) -> Result<Block> {
		self.wait_head(&format!("block {number} finalised"), |head| head.finalised >= number)
			.await?;
		Ok(Block {
			number,
			hash: self.chain.block_hash(number).await?,
		})
	}

	/// Waits until everything that is in the best chain now is final.
	pub async fn settle(&self) -> Result<Block> {
		self.finalised(self.chain.best().await?).await
	}

	/// Every account at a block.
	pub async fn snapshot(&self, block: Block) -> Result<Snapshot> {
		let at = self.api.at_block(H256(block.hash.0)).await?;
		let storage = at.storage();
		let issuance = dynamic::storage::<(), Balance>("Balances", "TotalIssuance");
		let issuance = storage.fetch(issuance, ()).await?.decode()?;
		let mut accounts = BTreeMap::new();
		let all = dynamic::storage::<([u8; 32],), AccountInfo>("System", "Account");
		let mut entries = storage.iter(all, ()).await?;
		while let Some(entry) = entries.next().await {
			let entry = entry?;
			let (account,) = entry.key()?.decode()?;
			accounts.insert(AccountId(account), entry.value().decode()?.data);
		}
		Ok(Snapshot {
			block,
			issuance,
			accounts,
		})
	}

	/// Adds to `activity` what happened after block `from`, up to and with block `to`.
	pub async fn follow(&self, activity: &mut Activity, from: BlockNumber, to: BlockNumber) -> Result<()> {
		for number in from + 1..=to {
			let hash = self.chain.block_hash(number).await?;
			activity.add(&self.chain.events(hash).await?)?;
		}
		Ok(())
	}

	/// What happened after `from`, up to and with `to`.
	pub async fn activity(&self, from: BlockNumber, to: BlockNumber) -> Result<Activity> {
		let mut activity = Activity::default();
		self.follow(&mut activity, from, to).await?;
		Ok(activity)
	}

	/// Transfers micro-USDC to each, all or none, and waits until it is final.
	pub async fn fund(&self, from: &Wallet, to: &[(AccountId, Balance)]) -> Result<()> {
		let transfers = to
			.iter()
			.map(|(account, amount)| calls::transfer(account, *amount))
			.collect();
		self.chain
			.submit(from, &calls::batch_all(transfers), Wait::Finalised)
			.await?;
		Ok(())
	}
}

impl Activity {
	/// Adds the events of one block.
	fn add(&mut self, events: &[Event]) -> Result<()> {
		self.transfers += events.iter().filter(|e| e.is("Balances", "Transfer")).count() as u64;
		let mut redemptions = BTreeSet::new();
		for event in events.iter().filter(|e| e.pallet == "TicketBroker") {
			match event.name.as_str() {
				"TicketRedeemed" => self.redeemed.push(Redeemed {
					id: event.field("id")?,
					sender: event.field("sender")?,
					recipient: event.field("recipient")?,
					payout: event.field("payout")?,
				}),
				"TicketRefused" => self.refused += 1,
				_ => continue,
			}
			redemptions.insert(event.extrinsic);
		}
		for paid in events
			.iter()
			.filter(|e| e.is("FraudProofs", "Settled") || e.is("FraudProofs", "Equivocated"))
		{
			let [_viewers, _reporters, _treasury, burnt]: [Balance; 4] = paid.field("penalty")?;
			self.burnt += burnt;
		}
		for event in events
			.iter()
			.filter(|e| e.is("TransactionPayment", "TransactionFeePaid"))
		{
			let fee: Balance = event.field("actual_fee")?;
			*self.fees.entry(event.field("who")?).or_default() += fee;
			if redemptions.contains(&event.extrinsic) {
				self.redemption_fees += fee;
			}
		}
		Ok(())
	}

	/// What all redeemed tickets paid out, micro-USDC.
	pub fn paid_out(&self) -> Balance {
		self.redeemed.iter().map(Redeemed::paid_out).sum()
	}

	/// Sum of one share over all redeemed tickets, micro-USDC.
	pub fn shares(&self, share: impl Fn(&Payout) -> Balance) -> Balance {
		self.redeemed.iter().map(|ticket| share(&ticket.payout)).sum()
	}

	/// Only the tickets that this relayer redeemed.
	pub fn redeemed_by(mut self, relayer: &AccountId) -> Self {
		self.redeemed.retain(|ticket| ticket.recipient == *relayer);
		self
	}

	/// Fees of everyone, micro-USDC.
	pub fn all_fees(&self) -> Balance {
		self.fees.values().sum()
	}

	/// What `account` paid in fees, micro-USDC.
	pub fn fees_of(&self, account: &AccountId) -> Balance {
		self.fees.get(account).copied().unwrap_or(0)
	}
}

/// Nothing was made or lost between two snapshots: each adds up to its issuance, and the issuance is the same.
pub fn check_supply(before: &Snapshot, after: &Snapshot) -> Result<()> {
	for at in [before, after] {
		ensure!(
			at.sum() == at.issuance,
			"block {}: accounts hold {} micro-USDC, issuance says {}",
			at.block.number,
			at.sum(),
			at.issuance
		);
	}
	ensure!(
		before.issuance == after.issuance,
		"issuance went from {} to {} micro-USDC",
		before.issuance,
		after.issuance
	);
	Ok(())
}

#[cfg(test)]
mod tests {
	use super::*;

	fn snapshot(issuance: Balance, totals: &[Balance]) -> Snapshot {
		let accounts = totals.iter().zip(1..).map(|(total, name)| {
			let (free, reserved) = (total / 2, total - total / 2);
			(AccountId([name; 32]), Funds { free, reserved })
		});
		Snapshot {
			block: Block {
				number: 1,
				hash: Hash([0; 32]),
			},
			issuance,
			accounts: accounts.collect(),
		}
	}

	#[test]
	fn supply_check_misses_nothing() {
		let before = snapshot(100, &[60, 40]);
		check_supply(&before, &snapshot(100, &[59, 40, 1])).unwrap();
		check_supply(&before, &snapshot(100, &[60, 39])).unwrap_err();
		check_supply(&before, &snapshot(100, &[60, 41])).unwrap_err();
		check_supply(&before, &snapshot(101, &[60, 41])).unwrap_err();
		check_supply(&snapshot(99, &[60, 40]), &before).unwrap_err();
	}

	#[test]
	fn changes_name_every_account_whose_total_differs() {
		let (before, after) = (snapshot(100, &[60, 40, 5]), snapshot(100, &[59, 41, 5, 7]));
		let changes = [(1, -1), (2, 1), (4, 7)].map(|(name, change)| (AccountId([name; 32]), change));
		assert_eq!(before.changes(&after), changes.into());
	}
}
