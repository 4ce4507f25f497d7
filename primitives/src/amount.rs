//! USDC amounts (6 decimals) and what a number of bytes costs.

use crate::chain::PPM;
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use core::{fmt, str::FromStr};
use scale_info::TypeInfo;

/// Micro-USDC: 1 USDC = 1,000,000. The chain's native balance type.
pub type Balance = u128;

/// One USDC in micro-USDC.
pub const USDC: Balance = 1_000_000;

/// Prices are per gigabyte of 10^9 bytes: at a market's price of 0.02 USDC per GB the unit is a twenty-thousandth of what is
/// asked; per megabyte it would be a twentieth.
pub const BYTES_PER_GB: u128 = 1_000_000_000;

/// Bytes that a ticket pays for are a multiple of this: a window's exact length would tell which window it was.
pub const TICKET_BYTES: u64 = 64 * 1024;

/// A ticket pays for fewer bytes than this.
pub const MAX_TICKET_BYTES: u64 = 1 << 40;

/// Highest price that can be stated: 2^40 micro-USDC per GB. With [`MAX_TICKET_BYTES`] it keeps `bytes x price` below
/// 2^80.
pub const MAX_PRICE_PER_GB: u64 = 1 << 40;

/// An amount for people: parses and prints as `1.25`, at most six decimals.
#[derive(
	Clone,
	Copy,
	Debug,
	Default,
	PartialEq,
	Eq,
	PartialOrd,
	Ord,
	Encode,
	Decode,
	DecodeWithMemTracking,
	MaxEncodedLen,
	TypeInfo,
)]
pub struct Usdc(pub Balance);

impl fmt::Display for Usdc {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		write!(f, "{}.{:06}", self.0 / USDC, self.0 % USDC)
	}
}

/// Why a text is no USDC amount.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ParseUsdcError {
	/// Empty, or holds something else than digits and one point.
	NotANumber,
	/// More than six digits behind the point.
	TooManyDecimals,
	/// Above 2^128 micro-USDC.
	TooLarge,
}

impl fmt::Display for ParseUsdcError {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		f.write_str(match self {
			Self::NotANumber => "not a USDC amount: write it like 12 or 0.25",
			Self::TooManyDecimals => "USDC has six decimals",
			Self::TooLarge => "amount too large",
		})
	}
}

impl core::error::Error for ParseUsdcError {}

impl FromStr for Usdc {
	type Err = ParseUsdcError;

	fn from_str(s: &str) -> Result<Self, Self::Err> {
		let (whole, fraction) = s.split_once('.').unwrap_or((s, ""));
		let digits = |t: &str| t.bytes().all(|b| b.is_ascii_digit());
		if whole.is_empty() || !digits(whole) || !digits(fraction) || (s.contains('.') && fraction.is_empty()) {
			return Err(ParseUsdcError::NotANumber);
		}
		if fraction.len() > 6 {
			return Err(ParseUsdcError::TooManyDecimals);
		}
		let whole: Balance = whole.parse().map_err(|_| ParseUsdcError::TooLarge)?;
		let mut micro: Balance = 0;
		for i in 0..6 {
			micro = micro * 10 + fraction.as_bytes().get(i).map_or(0, |b| Balance::from(b - b'0'));
		}
		whole
			.checked_mul(USDC)
			.and_then(|w| w.checked_add(micro))
			.map(Usdc)
			.ok_or(ParseUsdcError::TooLarge)
	}
}

/// Bytes rounded up to [`TICKET_BYTES`]: what a ticket that pays for them states.
pub fn ticket_bytes(bytes: u64) -> u64 {
	bytes.div_ceil(TICKET_BYTES).saturating_mul(TICKET_BYTES)
}

/// What `bytes` cost at `price_per_gb` (micro-USDC per 10^9 bytes), rounded down to a micro-USDC.
pub fn cost(bytes: u64, price_per_gb: u64) -> Balance {
	u128::from(bytes) * u128::from(price_per_gb) / BYTES_PER_GB
}

/// Win probability (of 2^64) that makes a ticket of `face_value` worth `bytes` at `price_per_gb`:
/// `floor(bytes x price x 2^64 / (10^9 x face value))`.
///
/// `None` where no ticket can express it: face value zero or above 2^96 / 10^9, price above [`MAX_PRICE_PER_GB`],
/// [`MAX_TICKET_BYTES`] or more, or the bytes cost as much as the face value or more. Both sides compute this and
/// compare for equality, so there is no tolerance.
pub fn win_probability(bytes: u64, price_per_gb: u64, face_value: Balance) -> Option<u64> {
	if price_per_gb > MAX_PRICE_PER_GB || bytes >= MAX_TICKET_BYTES {
		return None;
	}
	// Below 2^80: too wide for one shift by 64, so divide in two steps of 32 bits.
	let owed = u128::from(bytes) * u128::from(price_per_gb);
	let unit = BYTES_PER_GB.checked_mul(face_value)?;
	if unit == 0 || owed >= unit || unit > u128::MAX >> 32 {
		return None;
	}
	let (high, rest) = ((owed << 32) / unit, (owed << 32) % unit);
	let low = (rest << 32) / unit;
	u64::try_from((high << 32) | low).ok()
}

/// Part of an amount, parts per million, rounded down; exact for every amount.
pub fn share(amount: Balance, ppm: u32) -> Balance {
	let (whole, part) = (Balance::from(PPM), Balance::from(ppm));
	(amount / whole).saturating_mul(part) + amount % whole * part / whole
}

/// Whether a ticket is worth no more than its bytes cost at this price: `face value x win probability x 10^9 <= bytes x
/// price x 2^64`, exactly.
pub fn is_ticket_within(price_per_gb: u64, bytes: u64, face_value: Balance, win_probability: u64) -> bool {
	// Below 2^128, so that `owed x 2^64` is (its high 64 bits, its low 64 bits and as many zeros).
	let owed = u128::from(bytes) * u128::from(price_per_gb);
	wide_product(face_value, u128::from(win_probability) * BYTES_PER_GB) <= (owed >> 64, owed << 64)
}

/// Whether a voucher owes no more than its bytes cost at this price: `amount x 10^9 <= bytes x price`, exactly.
pub fn is_voucher_within(price_per_gb: u64, bytes: u64, amount: Balance) -> bool {
	let owed = amount.checked_mul(BYTES_PER_GB);
	owed.is_some_and(|owed| owed <= u128::from(bytes) * u128::from(price_per_gb))
}

/// High and low half of a product, by 64-bit digits.
fn wide_product(a: u128, b: u128) -> (u128, u128) {
	let halves = |n: u128| (n >> 64, n & u128::from(u64::MAX));
	let ((a1, a0), (b1, b0)) = (halves(a), halves(b));
	let (carry, low) = halves(a0 * b0);
	let (middle, first) = halves(a1 * b0 + carry);
	let (carry, second) = halves(a0 * b1 + first);
	(a1 * b1 + middle + carry, second << 64 | low)
}

/// Expected value of a ticket in micro-USDC, times 2^64: `face value x win probability`.
/// `None` where it does not fit (face value of 2^64 micro-USDC or more).
pub fn expected_value_q64(face_value: Balance, win_probability: u64) -> Option<u128> {
	face_value.checked_mul(u128::from(win_probability))
}

#[cfg(test)]
mod tests {
	use super::*;
	use alloc::string::ToString;
	use proptest::prelude::*;

	#[test]
	fn usdc_parses_and_prints() {
		for (text, micro) in [("0", 0), ("1", 1_000_000), ("0.25", 250_000), ("12.000001", 12_000_001)] {
			assert_eq!(text.parse(), Ok(Usdc(micro)));
			assert_eq!(Usdc(micro).to_string().parse(), Ok(Usdc(micro)));
		}
		for text in ["", ".", "1.", ".5", "-1", "1e3", " 1", "1.2.3", "+1"] {
			assert_eq!(text.parse::<Usdc>(), Err(ParseUsdcError::NotANumber), "{text:?}");
		}
		assert_eq!("0.0000001".parse::<Usdc>(), Err(ParseUsdcError::TooManyDecimals));
		assert_eq!("9".repeat(40).parse::<Usdc>(), Err(ParseUsdcError::TooLarge));
	}

	#[test]
	fn win_probability_is_refused_where_no_ticket_can_pay() {
		assert_eq!(win_probability(1_000_000_000, 10, 0), None);
		assert_eq!(win_probability(1_000_000_000, 10, 10), None);
		assert_eq!(win_probability(1_000_000_000, MAX_PRICE_PER_GB + 1, u128::MAX), None);
		assert_eq!(win_probability(MAX_TICKET_BYTES, 1, 1 << 60), None);
		assert!(win_probability(MAX_TICKET_BYTES - 1, MAX_PRICE_PER_GB, 1 << 60).is_some());
		assert_eq!(win_probability(1_000_000_000, 10, 20), Some(1 << 63));
		assert_eq!(win_probability(0, 10, 20), Some(0));
	}

	#[test]
	fn shares_are_rounded_down() {
		assert_eq!(share(19, 50_000), 0);
		assert_eq!(share(20, 50_000), 1);
		assert_eq!(share(39, 50_000), 1);
		assert_eq!(share(1_999_999, PPM), 1_999_999);
		assert_eq!(share(u128::MAX, PPM), u128::MAX);
		assert_eq!(share(u128::MAX, 0), 0);
	}

	#[test]
	fn a_ticket_is_worth_what_its_bytes_cost_and_no_more() {
		// 0.5 GB at 2,000 cost 1,000: half of a face value of 2,000.
		assert!(is_ticket_within(2_000, 500_000_000, 2_000, 1 << 63));
		assert!(!is_ticket_within(2_000, 500_000_000, 2_000, (1 << 63) + 1));
		assert!(!is_ticket_within(2_000, 500_000_000, 2_001, 1 << 63));
		assert!(!is_ticket_within(2_000, 499_999_999, 2_000, 1 << 63));
		assert!(!is_ticket_within(1_999, 500_000_000, 2_000, 1 << 63));
		assert!(is_ticket_within(0, 0, 2_000, 0));
		assert!(!is_ticket_within(0, u64::MAX, 1, 1));
		assert!(!is_ticket_within(u64::MAX, u64::MAX, u128::MAX, u64::MAX));
		assert!(is_ticket_within(u64::MAX, u64::MAX, 1, u64::MAX));
	}

	#[test]
	fn a_voucher_owes_what_its_bytes_cost_and_no_more() {
		assert!(is_voucher_within(2_000, 500_000_000, 1_000));
		assert!(!is_voucher_within(2_000, 500_000_000, 1_001));
		assert!(!is_voucher_within(2_000, 499_999_999, 1_000));
		assert!(is_voucher_within(0, 0, 0));
		assert!(!is_voucher_within(u64::MAX, u64::MAX, u128::MAX));
	}

	proptest! {
		#[test]
		fn bounds_agree_with_what_both_sides_compute(
			bytes in 0u64..MAX_TICKET_BYTES, price in 0u64..1_000_000, face in 1u128..1_000_000_000,
		) {
			if let Some(p) = win_probability(bytes, price, face) {
				prop_assert!(is_ticket_within(price, bytes, face, p));
				prop_assert!(p == u64::MAX || !is_ticket_within(price, bytes, face, p + 1));
			}
			let owed = cost(bytes, price);
			prop_assert!(is_voucher_within(price, bytes, owed));
			prop_assert!(!is_voucher_within(price, bytes, owed + 1));
		}

		#[test]
		fn wide_products_are_exact(a: u128, b: u128) {
			let (high, low) = wide_product(a, b);
			prop_assert_eq!(low, a.wrapping_mul(b));
			// 2^64 is 1 modulo 2^64 - 1, so both sides leave the same rest; the high half alone decides it now.
			let rest = |n: u128| n % u128::from(u64::MAX);
			prop_assert_eq!(rest(rest(high) + rest(low)), rest(rest(a) * rest(b)));
			prop_assert_eq!(wide_product(b, a), (high, low));
		}

		#[test]
		fn expected_value_equals_cost_to_within_rounding(
			bytes in 0u64..1 << 40, price in 0u64..1_000_000, face in 1u128..1_000_000_000,
		) {
			if let Some(p) = win_probability(bytes, price, face) {
				// p = floor(owed x 2^64 / (10^9 x face)), so 10^9 x face x p <= owed x 2^64 < 10^9 x face x (p + 1).
				let owed = u128::from(bytes) * u128::from(price);
				let at = |p: u128| BYTES_PER_GB.checked_mul(face).unwrap().checked_mul(p);
				let target = owed.checked_shl(64).filter(|t| t >> 64 == owed);
				if let (Some(low), Some(high), Some(target)) = (at(p.into()), at(u128::from(p) + 1), target) {
					prop_assert!(low <= target && target < high);
				}
			} else {
				prop_assert!(u128::from(bytes) * u128::from(price) >= BYTES_PER_GB * face);
			}
		}
	}
}
