//! What each window of a subscription takes: both sides count alike, so neither has to believe the other.
//!
//! Tickets pay in units of [`amount::TICKET_BYTES`]: what is paid ahead is taken from the next window, and a window that
//! is covered takes nothing. Vouchers owe the price of all bytes since the meter began, rounded down once: a window that
//! does not reach the next micro-USDC takes nothing and is counted with the next one.

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
	/// Delivered under vouchers.
	vouched: u64,
	/// Of these, not yet in any voucher.
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
				let before = amount::cost(self.vouched, price_per_gb);
				self.vouched = self.vouched.saturating_add(need);
				self.pending = self.pending.saturating_add(need);
				let amount = amount::cost(self.vouched, price_per_gb).saturating_sub(before);
				Ok((amount > 0).then(|| Share::Voucher {
					bytes: std::mem::take(&mut self.pending),
					amount,
				}))
			},
		}
	}
}

#[cfg(test)]
mod tests {
	use super::*;
	use clustercast_primitives::amount::{BYTES_PER_GB, TICKET_BYTES};
	use proptest::prelude::*;

	const TICKETS: PaymentMode = PaymentMode::Tickets { face_value: 50_000 };
	const VOUCHERS: PaymentMode = PaymentMode::Vouchers { newest: None };

	#[test]
	fn tickets_pay_whole_units_and_nothing_where_a_unit_is_left() {
		let mut meter = Meter::default();
		let mut charge = |bytes| meter.charge(bytes, 1_000_000, &TICKETS).unwrap().map(|share| share.bytes());
		assert_eq!(charge(1), Some(TICKET_BYTES));
		assert_eq!(charge(TICKET_BYTES - 1), None);
		assert_eq!(charge(1), Some(TICKET_BYTES));
		assert_eq!(charge(375_000), Some(5 * TICKET_BYTES));
	}

	#[test]
	fn vouchers_take_the_next_micro_usdc_when_it_is_reached() {
		let mut meter = Meter::default();
		// 0.4 micro-USDC a window.
		let shares: Vec<_> = (0..6).map(|_| meter.charge(20_000, 20_000, &VOUCHERS).unwrap()).collect();
		let one = |bytes| Some(Share::Voucher { bytes, amount: 1 });
		assert_eq!(shares, [None, None, one(60_000), None, one(40_000), None]);
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
			let (mut meter, mut delivered, mut billed, mut amount) = (Meter::default(), 0u64, 0u64, 0u128);
			for (bytes, by_ticket) in windows {
				let mode = if by_ticket { TICKETS } else { VOUCHERS };
				let share = meter.charge(bytes, price, &mode).unwrap();
				delivered += bytes;
				match share {
					Some(Share::Ticket { bytes, .. }) => {
						prop_assert_eq!(bytes % TICKET_BYTES, 0);
						billed += bytes;
					},
					Some(Share::Voucher { bytes, amount: more }) => {
						billed += bytes;
						amount += more;
					},
					None => {},
				}
				prop_assert!(meter.ahead < TICKET_BYTES);
				prop_assert_eq!(billed + meter.pending, delivered + meter.ahead);
				let exact = u128::from(meter.vouched) * u128::from(price);
				prop_assert!(amount * BYTES_PER_GB <= exact && exact < (amount + 1) * BYTES_PER_GB);
			}
		}
	}
}
