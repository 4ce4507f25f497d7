//! Cumulative vouchers: all of a voucher's rules, in the order in which they are checked.

use crate::{
	batch::Batch,
	pallet::Config,
	types::{Purse, VoucherTotals},
};
use clustercast_primitives::{
	amount::{is_voucher_within, TICKET_BYTES},
	chain::{Payout, TicketRefusal},
	SignedVoucher,
};
use frame_support::{ensure, traits::Get};

impl<T: Config> Batch<T> {
	/// Pays into the draft what a voucher owes beyond what was paid, as far as there is money, or says why not and leaves
	/// the draft's sums as they were.
	pub fn redeem_voucher(&mut self, signed: &SignedVoucher) -> Result<Payout, TicketRefusal> {
		let voucher = &signed.message;
		let sender = T::AccountId::from(voucher.sender.0);
		let recipient = T::AccountId::from(voucher.recipient.0);
		self.check_recipient(&recipient)?;
		self.check_expiry(voucher.expiry)?;
		let by_bytes = voucher.kind.by_bytes();
		let bytes_are_good = match by_bytes {
			true => voucher.bytes.is_multiple_of(TICKET_BYTES),
			false => voucher.bytes == 0,
		};
		ensure!(bytes_are_good, TicketRefusal::BadBytes);
		self.check_session(voucher.session, &sender, voucher.expiry)?;

		let place = voucher.place();
		let paid = self.vouchers(&place).value.unwrap_or_default();
		let amount = voucher.amount.checked_sub(paid.amount).filter(|more| *more > 0);
		let bytes = voucher.bytes.checked_sub(paid.bytes);
		let (Some(amount), Some(bytes)) = (amount, bytes) else {
			return Err(TicketRefusal::NothingNew);
		};
		let (payee, ended) = self.payee_under(voucher.stream, voucher.terms)?;
		let purse = Purse::from(voucher.kind);
		let least = match ended {
			// What is left over of terms that ended can never grow.
			Some(_) => 1,
			// Nor what a viewer owes who has left; and without it the recipient could not let go of what is reserved.
			None if self.reserved(voucher.session, purse, Some(&recipient)) >= amount => 1,
			None => T::MinFaceValue::get(),
		};
		ensure!(amount >= least, TicketRefusal::FaceValueTooSmall);
		let funds = self.check_funds(voucher.session, purse, Some(&recipient), amount);
		let amount = match funds {
			Ok(()) => amount,
			// As far as there is money; the rest is still owed.
			Err((_, payable)) if payable > 0 => payable,
			Err((refusal, _)) => return Err(refusal),
		};
		ensure!(
			// On the sums: each amount is rounded down, and differences of them may be a micro-USDC above their bytes.
			!by_bytes || is_voucher_within(payee.max_price_per_gb, voucher.bytes, voucher.amount),
			TicketRefusal::PriceAboveBound
		);
		let flow = self.flow(voucher.session, &sender, &recipient, voucher.stream, payee, amount)?;
		self.check_signature(signed, &voucher.session)?;

		// Nothing fails from here on.
		*self.vouchers(&place).change() = Some(VoucherTotals {
			amount: paid.amount.saturating_add(amount),
			bytes: voucher.bytes,
		});
		self.charge(voucher.session, purse, Some(&recipient), amount);
		if by_bytes {
			flow.note(bytes, self);
		}
		let payout = flow.payout();
		flow.apply(self);
		Ok(payout)
	}
}
