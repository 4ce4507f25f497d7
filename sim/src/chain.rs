//! The chain, as far as it is played here: deposits, session keys, and payments that are redeemed once. Nothing is reserved:
//! `protocol/tests/promise.rs` plays that.

use crate::calendar::{Micros, SECOND};
use clustercast_primitives::{
	amount::USDC,
	chain::{SessionInfo, ViewerAccount, VoucherPlace},
	nonces::Nonces,
	AccountId, Balance, BlockNumber, Hash, PublicKey, SignedVoucher, WinningTicket,
};
use std::collections::BTreeMap;

/// Part of every signature.
pub const GENESIS: Hash = Hash([0x47; 32]);

/// The block at the beginning.
const FIRST_BLOCK: BlockNumber = 1_000;

/// What each viewer has deposited, micro-USDC.
pub const DEPOSIT: Balance = 50 * USDC;

/// Most blocks that a payment lives.
pub const TICKET_LIFE: BlockNumber = 600;

/// The block by now.
pub fn block(now: Micros) -> BlockNumber {
	FIRST_BLOCK + (now / (2 * SECOND)) as BlockNumber
}

/// Unix time by now, milliseconds.
pub fn unix_ms(now: Micros) -> u64 {
	1_700_000_000_000 + now / 1_000
}

/// See the module.
#[derive(Debug, Default)]
pub struct Chain {
	/// By account: session key and what is spent.
	accounts: BTreeMap<AccountId, (PublicKey, Balance)>,
	nonces: BTreeMap<(PublicKey, AccountId), Nonces>,
	vouchers: BTreeMap<VoucherPlace, Balance>,
	/// By recipient, micro-USDC.
	paid: BTreeMap<AccountId, Balance>,
}

impl Chain {
	/// An account deposits and registers a session key.
	pub fn register(&mut self, account: AccountId, session: PublicKey) {
		self.accounts.insert(account, (session, 0));
	}

	/// What the chain says of an account.
	pub fn account(&self, account: &AccountId) -> ViewerAccount {
		let known = self.accounts.get(account);
		let spent = known.map_or(0, |(_, spent)| *spent);
		let session = |(key, spent): &(PublicKey, Balance)| SessionInfo {
			key: *key,
			limit: DEPOSIT,
			spent: *spent,
			extra_limit: 0,
			extra_spent: 0,
			expiry: 1_000_000,
			registered: 1,
		};
		ViewerAccount {
			free: USDC,
			deposit: known.map_or(0, |_| DEPOSIT - spent),
			reserved: 0,
			unlocking: None,
			sessions: known.iter().map(|known| session(known)).collect(),
		}
	}

	fn pay(&mut self, sender: &AccountId, session: &PublicKey, recipient: AccountId, amount: Balance) -> bool {
		let known = self.accounts.get_mut(sender);
		let Some((_, spent)) = known.filter(|(key, spent)| key == session && *spent + amount <= DEPOSIT) else {
			return false;
		};
		*spent += amount;
		*self.paid.entry(recipient).or_default() += amount;
		true
	}

	/// Pays a winner, once.
	pub fn redeem(&mut self, winner: &WinningTicket, now: Micros) -> bool {
		let ticket = &winner.signed.message;
		let nonces = self.nonces.entry((ticket.session, ticket.recipient)).or_default();
		let good = winner.is_winner()
			&& ticket.expiry >= block(now)
			&& nonces.check(ticket.nonce).is_ok()
			&& winner.signed.verify(&ticket.session, &GENESIS).is_ok();
		if !good || !self.pay(&ticket.sender, &ticket.session, ticket.recipient, ticket.face_value) {
			return false;
		}
		let key = (ticket.session, ticket.recipient);
		self.nonces.entry(key).or_default().insert(ticket.nonce)
	}

	/// Pays what a voucher owes beyond those before; how much.
	pub fn redeem_voucher(&mut self, signed: &SignedVoucher, now: Micros) -> Balance {
		let voucher = &signed.message;
		let before = self.vouchers.get(&voucher.place()).copied().unwrap_or(0);
		let more = voucher.amount.saturating_sub(before);
		let good = more > 0 && voucher.expiry >= block(now) && signed.verify(&voucher.session, &GENESIS).is_ok();
		if !good || !self.pay(&voucher.sender, &voucher.session, voucher.recipient, more) {
			return 0;
		}
		self.vouchers.insert(voucher.place(), voucher.amount);
		more
	}

	/// What of an account's deposit was paid to others, micro-USDC.
	pub fn spent(&self, account: &AccountId) -> Balance {
		self.accounts.get(account).map_or(0, |(_, spent)| *spent)
	}

	/// What a recipient was paid, micro-USDC.
	pub fn paid(&self, recipient: &AccountId) -> Balance {
		self.paid.get(recipient).copied().unwrap_or(0)
	}
}
