//! How much a viewer reserves for a relayer, and when. Pure: what the relayer asks, what was signed and verified, the block
//! and the time go in; a reservation to be signed comes out.
//!
//! What is reserved is not spent: nobody takes it without a voucher. But it is of no use elsewhere until it is released, or
//! 1,200 blocks after it was closed. So no relayer gets more than a quarter of an hour's worth and a quarter of the deposit,
//! whatever it asks; one that serves nobody below more is left for another. Before it reserves anything, a viewer has
//! verified a window, or has waited for one. Who pays by ticket reserves only while it is kept waiting: a reservation has a
//! fee, and a ticket is the relayer's risk as long as it takes it.
//!
//! Where a quarter of an hour costs less than [`SMALL`], that much is reserved: less would go into fees, and at a market's
//! price would be below what the chain pays at a time.

use crate::wire::ReserveTerms;
use clustercast_primitives::{amount, Balance, BlockNumber};

/// What 480p takes, until more has been seen: 1.5 Mb/s.
const USUAL_BYTES_PER_SECOND: u64 = 187_500;

/// What is reserved lasts this long, seconds.
const SECONDS: u64 = 900;

/// No smaller reservation is worth its fees, micro-USDC: 400 for each are less than a hundredth of it. It lasts four hours
/// at 0.02 USDC per GB.
pub const SMALL: Balance = 50_000;

/// Of the deposit, at most one part in so many.
pub const PARTS: Balance = 4;

/// Of a reservation, at most one part in so many is paid for handing it in: a relayer that asks more lives of rewards.
pub const REWARD_PARTS: Balance = 50;

/// The next one is signed when no more than one part in so many is left: five minutes at least, time for a second attempt.
const RENEW_PARTS: Balance = 3;

/// A relayer that sends nothing before a reservation gets one after this many blocks.
const WAIT: BlockNumber = 2;

/// One that asks for tickets, and sends nothing any more, gets one after this many.
const STARVED: BlockNumber = 5;

/// A reservation can be handed in for so many blocks: far more than it takes; then the next one is signed.
const SUBMIT_BLOCKS: BlockNumber = 90;

/// Whose money it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ThriftConfig {
	/// Micro-USDC.
	pub deposit: Balance,
}

/// What is to be reserved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wish {
	/// Micro-USDC beyond all that was signed to this relayer before.
	pub amount: Balance,
	/// Micro-USDC for who hands it in.
	pub reward: Balance,
	/// Last block for that.
	pub submit_by: BlockNumber,
}

/// Why a relayer is left.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TooMuch {
	/// More than is reserved for anybody.
	#[error("asks to have {asked} micro-USDC reserved; {most} are reserved for nobody")]
	Amount {
		/// Asked.
		asked: Balance,
		/// The most.
		most: Balance,
	},
	/// More than handing it in can be worth.
	#[error("asks {asked} micro-USDC to hand a reservation in; {most} at most are paid")]
	Reward {
		/// Asked.
		asked: Balance,
		/// The most.
		most: Balance,
	},
}

/// One subscription at one relayer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Thrift {
	config: ThriftConfig,
	asked: ReserveTerms,
	price_per_gb: u64,
	/// When the last window came, or when it began.
	since: BlockNumber,
	served: bool,
	by_voucher: bool,
	bytes_per_second: u64,
	/// Signed and not confirmed: its last block.
	pending: Option<BlockNumber>,
	/// Cap of what is confirmed or pending, less what was signed for when it was wished.
	reserved: Balance,
	/// Signed for since, micro-USDC.
	used: Balance,
}

impl Thrift {
	/// The relayer has stated what it asks, at this block; an error where that is too much.
	pub fn new(
		config: ThriftConfig,
		asked: ReserveTerms,
		price_per_gb: u64,
		now: BlockNumber,
	) -> Result<Self, TooMuch> {
		let thrift = Self {
			config,
			asked,
			price_per_gb,
			since: now,
			served: false,
			by_voucher: true,
			bytes_per_second: USUAL_BYTES_PER_SECOND,
			pending: None,
			reserved: 0,
			used: 0,
		};
		let most = thrift.most();
		if asked.least > most {
			return Err(TooMuch::Amount {
				asked: asked.least,
				most,
			});
		}
		let most = most / REWARD_PARTS;
		match asked.reward > most {
			true => Err(TooMuch::Reward {
				asked: asked.reward,
				most,
			}),
			false => Ok(thrift),
		}
	}

	/// Most that is reserved at a time, micro-USDC.
	pub fn most(&self) -> Balance {
		let bytes = self.bytes_per_second.saturating_mul(SECONDS);
		let lasting = amount::cost(bytes, self.price_per_gb).max(SMALL);
		lasting.min(self.config.deposit / PARTS)
	}

	/// From here on it is paid by voucher, or by ticket.
	pub fn pays(&mut self, by_voucher: bool) {
		self.by_voucher = by_voucher;
	}

	/// A window verified, at this block.
	pub fn window(&mut self, bytes: u32, duration_ms: u32, now: BlockNumber) {
		(self.served, self.since) = (true, now);
		let rate = u64::from(bytes) * 1_000 / u64::from(duration_ms.max(1));
		// Rises with what is seen, at most fourfold for each window, and never falls: broadcasts vary.
		self.bytes_per_second = self.bytes_per_second.max(rate.min(4 * self.bytes_per_second));
	}

	/// A payment of this expected value was signed, micro-USDC.
	pub fn signed(&mut self, value: Balance) {
		self.used = self.used.saturating_add(value);
	}

	/// The relayer says that the last one is final.
	pub fn confirmed(&mut self) {
		self.pending = None;
	}

	/// What is to be signed now, if anything.
	pub fn wish(&self, now: BlockNumber) -> Option<Wish> {
		let waits = self.pending.is_some_and(|until| until >= now);
		// One that was not handed in by its last block never is.
		let reserved = self.pending.map_or(self.reserved, |_| 0);
		let most = self.most();
		let ready = match (self.served, self.by_voucher) {
			(false, _) => now >= self.since.saturating_add(WAIT),
			(true, true) => true,
			(true, false) => now >= self.since.saturating_add(STARVED),
		};
		if waits || !ready || most == 0 || reserved.saturating_sub(self.used) > most / RENEW_PARTS {
			return None;
		}
		Some(Wish {
			amount: most,
			reward: self.asked.reward,
			submit_by: now.saturating_add(SUBMIT_BLOCKS),
		})
	}

	/// It was signed and sent: it is taken for reserved until its last block.
	pub fn sent(&mut self, wish: &Wish) {
		(self.pending, self.reserved, self.used) = (Some(wish.submit_by), wish.amount, 0);
	}
}

#[cfg(test)]
mod tests {
	use super::*;
	use clustercast_primitives::amount::USDC;
	use proptest::prelude::*;

	const ASKED: ReserveTerms = ReserveTerms { least: 1, reward: 400 };
	const RICH: ThriftConfig = ThriftConfig { deposit: 50 * USDC };
	/// Micro-USDC per 10^9 bytes: a quarter of an hour of 480p costs 168,750.
	const PRICE: u64 = 1_000_000;

	fn thrift() -> Thrift {
		Thrift::new(RICH, ASKED, PRICE, 100).unwrap()
	}

	#[test]
	fn quarter_of_an_hour_and_quarter_of_the_deposit_at_most() {
		assert_eq!(thrift().most(), 168_750);
		let most = |deposit, price| {
			let asked = ReserveTerms { least: 0, reward: 0 };
			Thrift::new(ThriftConfig { deposit }, asked, price, 0).unwrap().most()
		};
		assert_eq!(most(400_000, PRICE), 100_000);
		// A market's price.
		assert_eq!(most(50 * USDC, 20_000), SMALL);
		assert_eq!(most(100_000, 20_000), 25_000);
	}

	/// "Reserve 50 or go" is a reason to go.
	#[test]
	fn who_asks_more_is_left() {
		let asked = |least, reward| Thrift::new(RICH, ReserveTerms { least, reward }, PRICE, 0).map(|_| ());
		let most = 168_750;
		assert_eq!(asked(most, most / 50), Ok(()));
		let too_much = TooMuch::Amount { asked: 50 * USDC, most };
		assert_eq!(asked(50 * USDC, 0), Err(too_much));
		let too_much = TooMuch::Reward {
			asked: 3_376,
			most: 3_375,
		};
		assert_eq!(asked(1, 3_376), Err(too_much));
	}

	#[test]
	fn nothing_is_reserved_before_a_window_or_a_wait() {
		let waiting = thrift();
		assert_eq!(waiting.wish(101), None);
		assert!(waiting.wish(102).is_some());
		let mut served = thrift();
		served.window(375_000, 2_000, 100);
		let wish = Wish {
			amount: 168_750,
			reward: 400,
			submit_by: 190,
		};
		assert_eq!(served.wish(100), Some(wish));
	}

	#[test]
	fn who_pays_by_ticket_reserves_only_while_it_is_kept_waiting() {
		let mut thrift = thrift();
		thrift.pays(false);
		assert!(
			thrift.wish(102).is_some(),
			"before the first window, before it gives the relayer up"
		);
		thrift.window(375_000, 2_000, 200);
		assert_eq!(thrift.wish(204), None);
		assert!(thrift.wish(205).is_some());
		thrift.window(375_000, 2_000, 205);
		assert_eq!(thrift.wish(209), None);
		thrift.pays(true);
		assert!(thrift.wish(206).is_some());
	}

	#[test]
	fn next_one_comes_before_the_last_is_used_up_and_after_one_that_failed() {
		let mut thrift = thrift();
		thrift.window(375_000, 2_000, 100);
		let wish = thrift.wish(100).unwrap();
		thrift.sent(&wish);
		thrift.signed(168_750);
		assert_eq!(thrift.wish(190), None, "on its way");
		assert!(thrift.wish(191).is_some(), "it was never handed in");
		thrift.confirmed();
		let next = thrift.wish(120).unwrap();
		assert_eq!(next.amount, 168_750);
		thrift.sent(&next);
		thrift.confirmed();
		thrift.signed(112_499);
		assert_eq!(thrift.wish(121), None);
		thrift.signed(1);
		assert!(thrift.wish(121).is_some());
	}

	#[test]
	fn what_is_reserved_follows_the_rate_slowly() {
		let mut thrift = thrift();
		thrift.window(u32::MAX, 1, 100);
		assert_eq!(thrift.most(), 4 * 168_750);
		thrift.window(1, 2_000, 100);
		assert_eq!(thrift.most(), 4 * 168_750);
	}

	proptest! {
		/// Whatever happens, never more than `most` is reserved and not signed for, and never a quarter of the deposit.
		#[test]
		fn reserves_within_its_bounds(
			steps in prop::collection::vec((0u8..4, 0u32..400_000), 1..100),
			price in 1u64..5_000_000,
			deposit in 4u128..50_000_000,
		) {
			let asked = ReserveTerms { least: 0, reward: 0 };
			let mut thrift = Thrift::new(ThriftConfig { deposit }, asked, price, 0).unwrap();
			let mut now = 0;
			for (kind, value) in steps {
				match kind {
					0 => thrift.window(value, 2_000, now),
					1 => thrift.signed(value.into()),
					2 => thrift.confirmed(),
					_ => now += value % 100,
				}
				if let Some(wish) = thrift.wish(now) {
					prop_assert!(wish.amount <= deposit / 4);
					prop_assert!(wish.amount <= amount::cost(thrift.bytes_per_second * 900, price).max(SMALL));
					thrift.sent(&wish);
					prop_assert!(thrift.wish(now).is_none(), "one at a time");
				}
			}
		}
	}
}
