//! The chain as redeemers and keeper see it: what they ask and post, by the node's JSON-RPC.

use crate::{
	channels,
	redeemer::{self, vouchers, Receipts},
};
use clustercast_chain::{calls, channels::Reserved, Chain, ChainError, Event, Redeemed, Wait, Wallet};
use clustercast_primitives::{
	chain::{ChannelInfo, ChannelKey, Payout, TicketVerdict, VoucherPlace, VoucherTotals},
	channel::{Release, SignedReservation},
	AccountId, BlockNumber, Hash, SignedVoucher, WinningTicket,
};
use clustercast_protocol::SessionKey;
use std::sync::Arc;

/// The chain, as redeemers and keeper see it.
#[derive(Clone)]
pub(crate) struct Settlement {
	/// Asked, and posted to.
	pub(crate) chain: Chain,
	/// Signs what is posted.
	pub(crate) wallet: Arc<Wallet>,
	/// Is paid.
	pub(crate) recipient: AccountId,
}

impl Settlement {
	async fn finalised(&self) -> Result<(BlockNumber, Hash), ChainError> {
		self.chain.finalised().await
	}

	/// What an event says of a payment to us.
	fn note(&self, event: &Event, receipts: &mut Receipts) -> Result<(), ChainError> {
		match Redeemed::from_event(event)? {
			Some(Redeemed::Paid { id }) => receipts.tickets.push((id, event.field("payout")?)),
			Some(Redeemed::Refused { .. }) => {},
			_ if event.is("TicketBroker", "VoucherRedeemed") => {
				let recipient: AccountId = event.field("recipient")?;
				let payout: Payout = event.field("payout")?;
				if recipient == self.recipient {
					receipts.earned_by_voucher = receipts.earned_by_voucher.saturating_add(payout.relayer);
				}
			},
			_ => {},
		}
		Ok(())
	}
}

impl redeemer::Events for Settlement {
	type Error = ChainError;

	async fn receipts(&self, block: BlockNumber) -> Result<Receipts, ChainError> {
		let hash = self.chain.block_hash(block).await?;
		let mut receipts = Receipts::default();
		for event in self.chain.events(hash).await? {
			self.note(&event, &mut receipts)?;
		}
		Ok(receipts)
	}
}

impl channels::Chain for Settlement {
	type Error = ChainError;

	async fn finalised(&self) -> Result<(BlockNumber, Hash), ChainError> {
		Self::finalised(self).await
	}

	async fn channels(&self, keys: &[ChannelKey], at: Hash) -> Result<Vec<Option<ChannelInfo>>, ChainError> {
		self.chain.channels(keys, Some(at)).await
	}

	async fn reserve(&self, reservation: &SignedReservation) -> Result<(), ChainError> {
		let call = calls::reserve(reservation);
		let included = self.chain.submit(&self.wallet, &call, Wait::Finalised).await?;
		tracing::info!(
			fee = included.fee,
			reward = reservation.message.reward,
			"reservation is final"
		);
		Ok(())
	}

	async fn reserved(&self, at: Hash, most: usize) -> Result<Vec<(SessionKey, ChannelInfo)>, ChainError> {
		let found = self.chain.reserved_for(&self.recipient, at, most).await?;
		let payer = |reserved: &Reserved| SessionKey {
			account: reserved.account,
			key: reserved.session,
		};
		Ok(found
			.iter()
			.map(|reserved| (payer(reserved), reserved.channel))
			.collect())
	}

	async fn release(&self, releases: &[Release]) -> Result<(), ChainError> {
		let each = releases.iter().map(calls::release).collect();
		self.chain
			.submit(&self.wallet, &calls::force_batch(each), Wait::InBlock)
			.await
			.map(drop)
	}
}

impl redeemer::Chain for Settlement {
	type Error = ChainError;

	async fn finalised(&self) -> Result<(BlockNumber, Hash), ChainError> {
		Self::finalised(self).await
	}

	async fn check(&self, tickets: &[WinningTicket], at: Hash) -> Result<Vec<TicketVerdict>, ChainError> {
		self.chain.check_tickets(tickets, Some(at)).await
	}

	async fn submit(&self, tickets: &[WinningTicket]) -> Result<Option<Hash>, ChainError> {
		let answer = self.chain.submit_tickets(&self.wallet, tickets).await?;
		match answer.transaction {
			Some(transaction) => tracing::info!(%transaction, tickets = tickets.len(), "posted winners"),
			None => tracing::warn!(verdicts = ?answer.verdicts, "the node would pay none of the winners"),
		}
		Ok(answer.transaction)
	}
}

impl vouchers::Chain for Settlement {
	type Error = ChainError;

	async fn finalised(&self) -> Result<(BlockNumber, Hash), ChainError> {
		Self::finalised(self).await
	}

	async fn paid(&self, places: &[VoucherPlace], at: Hash) -> Result<Vec<VoucherTotals>, ChainError> {
		self.chain.vouchers_paid(places, Some(at)).await
	}

	async fn check(&self, vouchers: &[SignedVoucher], at: Hash) -> Result<Vec<TicketVerdict>, ChainError> {
		self.chain.check_vouchers(vouchers, Some(at)).await
	}

	async fn submit(&self, vouchers: &[SignedVoucher]) -> Result<Option<Hash>, ChainError> {
		let answer = self.chain.submit_vouchers(&self.wallet, vouchers).await?;
		match answer.transaction {
			Some(transaction) => tracing::info!(%transaction, vouchers = vouchers.len(), "posted vouchers"),
			None => tracing::warn!(verdicts = ?answer.verdicts, "the node would pay none of the vouchers"),
		}
		Ok(answer.transaction)
	}
}
