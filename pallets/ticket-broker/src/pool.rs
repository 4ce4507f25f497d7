//! What the transaction pool wants to know of a batch before it takes it: whether it pays at all, what, until when.
//!
//! Nobody pays for that, so it is bounded: every payment goes through the cheap checks, which come first, and no more than
//! [`GLANCE`] signatures are verified. An honest batch ends there after as many payments, since its signatures are good.

use crate::{
	batch::Batch,
	pallet::{Config, Pallet},
};
use clustercast_primitives::{
	chain::{Payout, TicketRefusal},
	Balance, BlockNumber, SignedVoucher, WinningTicket,
};

/// Most signatures of a batch that are verified when it enters the pool.
pub const GLANCE: usize = 4;

/// What a call would pay if it were in the block that is being made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outlook {
	/// Micro-USDC; of a batch, what those payments are worth whose signatures were verified.
	pub value: Balance,
	/// Last block in which all that is counted in `value` can be paid.
	pub expiry: BlockNumber,
}

impl<T: Config> Pallet<T> {
	/// What [`Pallet::redeem_batch`] would pay, or why not its first ticket, if it is none of those that were looked at.
	/// Changes nothing.
	pub fn tickets_outlook(tickets: &[WinningTicket]) -> Result<Outlook, TicketRefusal> {
		Self::glance(tickets, Batch::redeem, |winning| winning.signed.message.expiry)
	}

	/// The same of [`Pallet::redeem_vouchers`].
	pub fn vouchers_outlook(vouchers: &[SignedVoucher]) -> Result<Outlook, TicketRefusal> {
		Self::glance(vouchers, Batch::redeem_voucher, |signed| signed.message.expiry)
	}

	fn glance<P>(
		payments: &[P],
		judge: impl Fn(&mut Batch<T>, &P) -> Result<Payout, TicketRefusal>,
		expiry: impl Fn(&P) -> BlockNumber,
	) -> Result<Outlook, TicketRefusal> {
		let mut batch = Batch::<T>::open(None);
		let (mut outlook, mut reason) = (None::<Outlook>, None);
		let mut verified = 0;
		for payment in payments {
			match judge(&mut batch, payment) {
				Ok(payout) => {
					verified += 1;
					let sum = outlook.get_or_insert(Outlook {
						value: 0,
						expiry: BlockNumber::MAX,
					});
					let parts = [payout.relayer, payout.broadcaster, payout.treasury];
					sum.value = parts.into_iter().fold(sum.value, Balance::saturating_add);
					sum.expiry = sum.expiry.min(expiry(payment));
				},
				Err(refusal) => {
					// The signature is the last check: only then was it verified.
					verified += usize::from(refusal == TicketRefusal::BadSignature);
					reason.get_or_insert(refusal);
				},
			}
			if verified == GLANCE {
				break;
			}
		}
		// An empty batch has neither.
		outlook.ok_or(reason.unwrap_or(TicketRefusal::NothingNew))
	}
}
