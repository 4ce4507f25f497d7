//! Cumulative vouchers: all of a voucher's rules, in the order in which they are checked.

use crate::{
	batch::Batch,
	pallet::{Config, Pallet},
	types::VoucherTotals,
};
use clustercast_primitives::{
	amount::{is_voucher_within, TICKET_BYTES},
	chain::{Payout, TicketRefusal},
	SignedVoucher, Voucher,
};
use frame_support::{ensure, traits::Get};
use pallet_stream_keys::Payee;

impl<T: Config> Batch<T> {
	/// Pays into the draft what a voucher owes beyond what was paid, whole, or says why not and leaves the draft's sums
	/// as they were.
	pub fn redeem_voucher(&mut self, signed: &SignedVoucher) -> Result<Payout, TicketRefusal> {
		let voucher = &signed.message;
		self.check_expiry(voucher.expiry)?;
		let sender = T::AccountId::from(voucher.sender.0);
		let recipient = T::AccountId::from(voucher.recipient.0);
		let by_bytes = voucher.kind.by_bytes();
		let bytes_are_good = match by_bytes {
			true => voucher.bytes.is_multiple_of(TICKET_BYTES),
			false => voucher.bytes == 0,
		};
		ensure!(bytes_are_good, TicketRefusal::BadBytes);
		let payees = self.check_session(voucher.session, &sender, voucher.expiry)?.payees;

		let place = voucher.place();
		let known = self.vouchers(&place).value;
		ensure!(
			known.is_some() || payees < T::MaxPayees::get(),
			TicketRefusal::TooManyPayees
		);
		let paid = known.unwrap_or_default();
		let amount = voucher.amount.checked_sub(paid.amount).filter(|more| *more > 0);
		let bytes = voucher.bytes.checked_sub(paid.bytes);
		let (Some(amount), Some(bytes)) = (amount, bytes) else {
			return Err(TicketRefusal::NothingNew);
		};
		ensure!(amount >= T::MinFaceValue::get(), TicketRefusal::FaceValueTooSmall);
		self.check_funds(voucher.session, voucher.kind.into(), amount)?;
		let payee = self.voucher_payee(voucher)?;
		ensure!(
			// On the sums: each amount is rounded down, and differences of them may be a micro-USDC above their bytes.
			!by_bytes || is_voucher_within(payee.max_price_per_gb, voucher.bytes, voucher.amount),
			TicketRefusal::PriceAboveBound
		);
		let shares = self.split(&recipient, payee, amount)?;
		self.check_signature(signed, &voucher.session)?;

		// Nothing fails from here on.
		if known.is_none() {
			self.count_payee(voucher.session);
		}
		*self.vouchers(&place).change() = Some(VoucherTotals {
			amount: voucher.amount,
			bytes: voucher.bytes,
		});
		self.charge(voucher.session, voucher.kind.into(), amount);
		for (who, amount) in shares.parts {
			self.credit(who, amount);
		}
		if by_bytes {
			self.note_delivery(recipient, sender, bytes, amount);
		}
		Ok(shares.payout)
	}

	/// Who is paid on the terms that a voucher names: those of the first block in which it can have been signed, or of this
	/// one.
	fn voucher_payee(&mut self, voucher: &Voucher) -> Result<Payee<T::AccountId>, TicketRefusal> {
		for at in [Pallet::<T>::signed_at(voucher.expiry), self.now] {
			let payee = self.payee(voucher.stream, at)?;
			if payee.terms == voucher.terms {
				return Ok(payee);
			}
		}
		Err(TicketRefusal::WrongTerms)
	}
}
