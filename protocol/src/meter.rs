//! What each window of a subscription takes: both sides count alike, so neither has to believe the other.
//!
//! Both kinds of payment count units of [`amount::TICKET_BYTES`]: what is paid ahead is taken from the next window, and a
//! window that is covered takes nothing. Vouchers owe whole micro-USDC, rounded down once, on all units of the
//! subscription: units that reach none yet wait for the next voucher. So what vouchers owe in all is at most what their
//! bytes cost in all, and less than a micro-USDC below it. Where the stream's terms change, the sum begins anew.

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
		/// By which it exceeds the one before: a multiple of [`amount::TICKET_BYTES`].
		bytes: u64,
		/// Micro-USDC by which it exceeds the one before.
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

/// What the vouchers of a subscription say together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Vouched {
	bytes: u64,
	amount: Balance,
}

/// Counts one subscription at one price. Its vouchers add up under one counter of the stream's terms at a time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Meter {
	/// Counted and not delivered yet; less than a unit.
	ahead: u64,
	/// Counted under vouchers, in whole units.
	counted: u64,
	/// What of that is in vouchers.
	vouched: Vouched,
}

impl Meter {
	/// The stream's terms have changed: vouchers add up from nothing, beginning with the units that none pays yet.
	pub fn begin_anew(&mut self) {
		self.counted -= self.vouched.bytes;
		self.vouched = Vouched::default();
	}

	/// Counts a window of this many bytes; what is to be paid for it, if anything. On an error nothing is counted.
	pub fn charge(&mut self, bytes: u64, price_per_gb: u64, mode: &PaymentMode) -> Result<Option<Share>, Unpayable> {
		let need = bytes.saturating_sub(self.ahead);
		let billed = amount::ticket_bytes(need);
		let ahead = self.ahead.saturating_sub(bytes).saturating_add(billed - need);
		match *mode {
			PaymentMode::Tickets { face_value } => {
				let win_probability = amount::win_probability(billed, price_per_gb, face_value).ok_or(Unpayable)?;
				self.ahead = ahead;
				Ok((win_probability > 0).then_some(Share::Ticket {
					bytes: billed,
					face_value,
					win_probability,
				}))
			},
			PaymentMode::Vouchers { .. } => {
				self.ahead = ahead;
				self.counted = self.counted.saturating_add(billed);
				let total = Vouched {
					bytes: self.counted,
					amount: amount::cost(self.counted, price_per_gb),
				};
				if total.amount == self.vouched.amount {
					return Ok(None);
				}
				let before = core::mem::replace(&mut self.vouched, total);
				Ok(Some(Share::Voucher {
					bytes: total.bytes - before.bytes,
					amount: total.amount - before.amount,
				}))
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
		// 0.4 micro-USDC for a unit, and each window needs half of one.
		let shares: Vec<_> = (0..10)
			.map(|_| meter.charge(TICKET_BYTES / 2, 6_104, &VOUCHERS).unwrap())
			.collect();
		let of = |units| {
			Some(Share::Voucher {
				bytes: units * TICKET_BYTES,
				amount: 1,
			})
		};
		let expected = [None, None, None, None, of(3), None, None, None, of(2), None];
		assert_eq!(shares, expected);
	}

	/// Rounded by themselves, two windows of 7.5 would owe 14.
	#[test]
	fn vouchers_are_rounded_on_the_sum() {
		let (mut meter, bytes) = (Meter::default(), 5 * TICKET_BYTES);
		let price = 22_889;
		let shares: Vec<_> = (0..2)
			.map(|_| meter.charge(bytes, price, &VOUCHERS).unwrap().unwrap())
			.collect();
		assert_eq!(shares, [7, 8].map(|amount| Share::Voucher { bytes, amount }));
		assert!(amount::is_voucher_within(price, 2 * bytes, 15));
		assert!(!amount::is_voucher_within(price, bytes, 8), "only on the sum");
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
		/// Whatever the windows and however often the mode changes: what is counted is what was delivered, or less than a
		/// unit ahead of it, in whole units; and what vouchers owe is the price of their bytes, or less than a micro-USDC
		/// below it.
		#[test]
		fn bill_is_what_was_delivered(windows in prop::collection::vec((1u64..400_000, any::<bool>()), 1..60), price in 1u64..5_000_000) {
			let (mut meter, mut delivered, mut by_ticket) = (Meter::default(), 0u64, 0u64);
			let mut vouched = Vouched::default();
			for (bytes, ticket) in windows {
				let mode = if ticket { TICKETS } else { VOUCHERS };
				let share = meter.charge(bytes, price, &mode).unwrap();
				delivered += bytes;
				if let Some(share) = share {
					prop_assert_eq!(share.bytes() % TICKET_BYTES, 0);
				}
				match share {
					Some(Share::Ticket { bytes, .. }) => by_ticket += bytes,
					Some(Share::Voucher { bytes, amount }) => {
						vouched.bytes += bytes;
						vouched.amount += amount;
						prop_assert_eq!(vouched.amount, amount::cost(vouched.bytes, price));
					},
					None => {},
				}
				prop_assert!(meter.ahead < TICKET_BYTES);
				prop_assert_eq!(by_ticket + meter.counted, delivered + meter.ahead);
				prop_assert_eq!(vouched.amount, amount::cost(meter.counted, price));
				prop_assert!(amount::is_voucher_within(price, vouched.bytes, vouched.amount));
			}
		}
	}
}
