//! What each window of a subscription takes: both sides count alike, so neither has to believe the other.
//!
//! Tickets pay in units of [`amount::TICKET_BYTES`]: what is paid ahead is taken from the next window, and a window that
//! is covered takes nothing. Vouchers owe whole micro-USDC, each for the bytes that cost as much: what is left over, less
//! than a micro-USDC, is counted with the next window. So no run of vouchers owes more than its bytes cost, whichever of
//! them the chain sees.

use crate::wire::PaymentMode;
use clustercast_primitives::{amount, Balance};

/// What is to be paid now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Share {
	/// A ticket.
	Ticket {
		/// It states these: a multiple of [`amount::TICKET_BYTES`].
		bytes: u64,
		/// Micro-USDC paid when it wins.
		face_value: Balance,
		/// Of 2^64; makes the ticket worth `bytes x price`.
		win_probability: u64,
	},
	/// A voucher.
	Voucher {
		/// By which it exceeds the one before.
		bytes: u64,
		/// Micro-USDC by which it exceeds the one before: no run of vouchers exceeds the price of its bytes.
		amount: Balance,
	},
}

impl Share {
	/// Expected value, micro-USDC times 2^64; `None` when it does not fit.
	pub fn worth_q64(&self) -> Option<u128> {
		match *self {
			Self::Ticket {
				face_value,
				win_probability,
				..
			} => amount::expected_value_q64(face_value, win_probability),
			Self::Voucher { amount, .. } => amount.checked_mul(1 << 64),
		}
	}

	/// Bytes that it states.
	pub fn bytes(&self) -> u64 {
		match *self {
			Self::Ticket { bytes, .. } | Self::Voucher { bytes, .. } => bytes,
		}
	}
}

/// A window costs as much as a ticket's face value or more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("costs what no ticket of these terms can be worth")]
pub struct Unpayable;

/// Counts one subscription at one price.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Meter {
	/// Paid for by tickets and not delivered yet; less than a unit.
	ahead: u64,
	/// Delivered under vouchers and not yet in any of them; worth less than a micro-USDC.
	pending: u64,
}

impl Meter {
	/// Counts a window of this many bytes; what is to be paid for it, if anything. On an error nothing is counted.
	pub fn charge(&mut self, bytes: u64, price_per_gb: u64, mode: &PaymentMode) -> Result<Option<Share>, Unpayable> {
		let need = bytes.saturating_sub(self.ahead);
		let ahead = self.ahead.saturating_sub(bytes);
		match *mode {
			PaymentMode::Tickets { face_value } => {
				let billed = amount::ticket_bytes(need);
				let win_probability = amount::win_probability(billed, price_per_gb, face_value).ok_or(Unpayable)?;
				self.ahead = ahead + (billed - need);
				Ok((win_probability > 0).then_some(Share::Ticket {
					bytes: billed,
					face_value,
					win_probability,
				}))
			},
			PaymentMode::Vouchers { .. } => {
				self.ahead = ahead;
				self.pending = self.pending.saturating_add(need);
				let amount = amount::cost(self.pending, price_per_gb);
				if amount == 0 {
					return Ok(None);
				}
				// The fewest that cost as much: at most those that are pending.
				let bytes = (amount * amount::BYTES_PER_GB).div_ceil(price_per_gb.into());
				let bytes = u64::try_from(bytes).unwrap_or(self.pending).min(self.pending);
				self.pending -= bytes;
				Ok(Some(Share::Voucher { bytes, amount }))
			},
		}
	}
}

#[cfg(test)]
mod tests {
	use super::*;
	use clustercast_primitives::amount::TICKET_BYTES;
	use proptest::prelude::*;

	const TICKETS: PaymentMode = PaymentMode::Tickets { face_value: 50_000 };
	const VOUCHERS: PaymentMode = PaymentMode::Vouchers { newest: None };

	#[test]
	fn tickets_pay_whole_units_and_nothing_where_a_unit_is_left() {
		let mut meter = Meter::default();
		let mut charge = |bytes| {
			meter
				.charge(bytes, 1_000_000, &TICKETS)
				.unwrap()
				.map(|share| share.bytes())
		};
		assert_eq!(charge(1), Some(TICKET_BYTES));
		assert_eq!(charge(TICKET_BYTES - 1), None);
		assert_eq!(charge(1), Some(TICKET_BYTES));
		assert_eq!(charge(375_000), Some(5 * TICKET_BYTES));
	}

	#[test]
	fn vouchers_take_the_next_micro_usdc_when_it_is_reached() {
		let mut meter = Meter::default();
		// A micro-USDC for 50,000 bytes: 0.4 a window.
		let shares: Vec<_> = (0..6)
			.map(|_| meter.charge(20_000, 20_000, &VOUCHERS).unwrap())
			.collect();
		let one = Some(Share::Voucher {
			bytes: 50_000,
			amount: 1,
		});
		assert_eq!(shares, [None, None, one, None, one, None]);
	}

	/// A voucher for all bytes that are pending would owe 8 for what costs 7.5, every other time: at the highest price of a
	/// stream the chain refuses that.
	#[test]
	fn no_voucher_owes_more_than_its_bytes_cost() {
		let mut meter = Meter::default();
		let shares: Vec<_> = (0..2)
			.map(|_| meter.charge(375_000, 20_000, &VOUCHERS).unwrap().unwrap())
			.collect();
		let expected = [(350_000, 7), (400_000, 8)].map(|(bytes, amount)| Share::Voucher { bytes, amount });
		assert_eq!(shares, expected);
		assert!(!amount::is_voucher_within(20_000, 375_000, 8));
	}

	#[test]
	fn dear_window_is_not_counted() {
		let mut meter = Meter::default();
		let dear = PaymentMode::Tickets { face_value: 65 };
		assert_eq!(meter.charge(1, 1_000_000, &dear), Err(Unpayable));
		assert_eq!(meter, Meter::default());
	}

	#[test]
	fn what_costs_nothing_takes_nothing() {
		let mut meter = Meter::default();
		assert_eq!(meter.charge(100_000, 0, &TICKETS), Ok(None));
		assert_eq!(meter.charge(100_000, 0, &VOUCHERS), Ok(None));
	}

	proptest! {
		/// Whatever the windows and however often the mode changes: what is billed is what was delivered, or less than a
		/// unit ahead or a micro-USDC behind.
		#[test]
		fn bill_is_what_was_delivered(windows in prop::collection::vec((1u64..400_000, any::<bool>()), 1..60), price in 1u64..5_000_000) {
			let (mut meter, mut delivered, mut billed) = (Meter::default(), 0u64, 0u64);
			for (bytes, by_ticket) in windows {
				let mode = if by_ticket { TICKETS } else { VOUCHERS };
				let share = meter.charge(bytes, price, &mode).unwrap();
				delivered += bytes;
				match share {
					Some(Share::Ticket { bytes, .. }) => {
						prop_assert_eq!(bytes % TICKET_BYTES, 0);
						billed += bytes;
					},
					Some(Share::Voucher { bytes, amount }) => {
						billed += bytes;
						prop_assert!(amount::is_voucher_within(price, bytes, amount));
						// One byte less would not do.
						prop_assert!(!amount::is_voucher_within(price, bytes - 1, amount));
					},
					None => {},
				}
				prop_assert!(meter.ahead < TICKET_BYTES);
				prop_assert_eq!(billed + meter.pending, delivered + meter.ahead);
				prop_assert_eq!(amount::cost(meter.pending, price), 0);
			}
		}
	}
}
