//! By what a viewer is asked to pay: lottery tickets or cumulative vouchers.
//!
//! Tickets cost the relayer nothing until one wins, so a stranger who stays for a minute is worth serving; each winner
//! then costs a fee and pays the face value. A voucher always pays what is owed, but costs a fee each time it is redeemed,
//! and what is below the chain's minimum at a session's end is lost. So vouchers are asked for where one redemption is
//! expected to bring enough: as much as a winning ticket, or so much that its fee does not matter. They are as good as what
//! the viewer reserved for them, which costs fees too: who has not paid much more than these stays with tickets.
//! `docs/economics.md` has the figures.

use clap::ValueEnum;
use clustercast_primitives::{amount, Balance, PublicKey};
use serde::{Deserialize, Serialize};
use std::{
	collections::HashMap,
	sync::{Mutex, MutexGuard, PoisonError},
	time::Duration,
};

/// What redeeming a voucher in a batch of ten costs, rounded up, micro-USDC. This and the next two: docs/economics.md.
pub const REDEMPTION_FEE: Balance = 130;

/// What redeeming a winner costs that shares its call with one or two others.
pub const TICKET_FEE: Balance = 200;

/// What `reserve`, `release` and one redemption between them cost, rounded up.
pub const CHANNEL_FEE: Balance = 600;

/// Whatever is expected to bring this many times its fees is worth having: they are a hundredth of it at most.
pub const ENOUGH_FEES: Balance = 100;

/// What a stream of 480p brings: 1.5 Mb/s.
const TYPICAL_BYTES_PER_SECOND: u64 = 187_500;

/// Sessions whose payments are remembered. Each cost its viewer a transaction.
const MAX_SESSIONS: usize = 10_000;

/// What viewers are asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Payment {
	/// Tickets, until vouchers are worth their fees
	#[default]
	Auto,
	/// Tickets always
	Tickets,
	/// Vouchers of everyone who takes part in them
	Vouchers,
}

/// When vouchers are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rule {
	/// Once a session has paid this much; never if `None`.
	after: Option<Balance>,
}

impl Rule {
	/// Who has stayed for a while is expected to stay as long again. So vouchers begin once a session has paid as much as
	/// makes tickets for the same again cost what a channel does, or [`ENOUGH_FEES`] times that; but never where a voucher
	/// brings less than a ticket in half of `voucher_age`: those that go along with others are that old.
	pub fn new(payment: Payment, price_per_gb: u64, face_value: Balance, voucher_age: Duration) -> Self {
		let enough = (ENOUGH_FEES * REDEMPTION_FEE).min(face_value);
		let seconds = voucher_age.as_secs() / 2;
		let most = amount::cost(TYPICAL_BYTES_PER_SECOND.saturating_mul(seconds), price_per_gb);
		let after = (ENOUGH_FEES * CHANNEL_FEE).min(face_value.saturating_mul(CHANNEL_FEE) / TICKET_FEE);
		Self {
			after: match payment {
				Payment::Auto => (most >= enough).then_some(after),
				Payment::Tickets => None,
				Payment::Vouchers => Some(0),
			},
		}
	}

	/// Whether anybody is ever asked for vouchers.
	pub fn ever(&self) -> bool {
		self.after.is_some()
	}

	/// Whether a session that has paid `so_far` (expected value, micro-USDC) goes on by voucher.
	pub fn vouchers(&self, so_far: Balance) -> bool {
		self.after.is_some_and(|after| so_far >= after)
	}
}

/// What sessions have paid by ticket, in expected value. Forgotten with a restart: then they are strangers again.
#[derive(Debug, Default)]
pub struct Standings(Mutex<HashMap<PublicKey, Balance>>);

impl Standings {
	/// Micro-USDC.
	pub fn of(&self, session: &PublicKey) -> Balance {
		self.lock().get(session).copied().unwrap_or(0)
	}

	/// Notes a payment of this expected value.
	pub fn note(&self, session: PublicKey, value: Balance) {
		let mut all = self.lock();
		if all.len() >= MAX_SESSIONS && !all.contains_key(&session) {
			// Those who paid least lose least by beginning again.
			let mut paid: Vec<Balance> = all.values().copied().collect();
			let (_, median, _) = paid.select_nth_unstable(MAX_SESSIONS / 2);
			let median = *median;
			all.retain(|_, paid| *paid > median);
		}
		let paid = all.entry(session).or_default();
		*paid = paid.saturating_add(value);
	}

	fn lock(&self) -> MutexGuard<'_, HashMap<PublicKey, Balance>> {
		// Sums are good in any state that a panic leaves.
		self.0.lock().unwrap_or_else(PoisonError::into_inner)
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	const AGE: Duration = Duration::from_secs(7_200);

	#[test]
	fn vouchers_begin_where_a_channel_costs_no_more_than_tickets() {
		// 0.02 USDC a ticket: three of them cost what a channel does. Of larger ones it is a hundred times what a channel costs.
		let usual = Rule::new(Payment::Auto, 20_000, 20_000, AGE);
		assert_eq!(usual, Rule::new(Payment::Auto, 20_000, 50_000, AGE));
		assert!(usual.ever());
		assert!(!usual.vouchers(59_999));
		assert!(usual.vouchers(60_000));
		let small = Rule::new(Payment::Auto, 20_000, 5_000, AGE);
		assert!(!small.vouchers(14_999));
		assert!(small.vouchers(15_000));
	}

	#[test]
	fn cheap_stream_is_paid_by_ticket_for_ever() {
		// 187.5 kB/s x 3,600 s at 19,260 per GB bring 13,000; at 19,259 they bring 12,999.
		assert!(Rule::new(Payment::Auto, 19_260, 50_000, AGE).ever());
		let cheap = Rule::new(Payment::Auto, 19_259, 50_000, AGE);
		assert!(!cheap.ever());
		assert!(!cheap.vouchers(Balance::MAX));
		assert!(
			Rule::new(Payment::Auto, 19_259, 50_000, 2 * AGE).ever(),
			"vouchers that wait longer bring more"
		);
	}

	#[test]
	fn rule_may_be_fixed() {
		assert!(Rule::new(Payment::Vouchers, 1, 50_000, AGE).vouchers(0));
		assert!(!Rule::new(Payment::Tickets, 1 << 40, 1, AGE).vouchers(Balance::MAX));
	}

	#[test]
	fn standings_add_up_and_are_bounded() {
		let standings = Standings::default();
		let key = |n: usize| PublicKey(std::array::from_fn(|i| n.to_le_bytes().get(i).copied().unwrap_or(0)));
		standings.note(key(0), 5);
		standings.note(key(0), 6);
		assert_eq!((standings.of(&key(0)), standings.of(&key(1))), (11, 0));
		(1..2 * MAX_SESSIONS).for_each(|n| standings.note(key(n), 1));
		assert!(standings.lock().len() <= MAX_SESSIONS);
		assert_eq!(standings.of(&key(0)), 11, "who paid most is remembered longest");
	}
}
