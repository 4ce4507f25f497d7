//! Judges tickets against what was delivered. Pure and bounded: the same calls give the same answers.
//!
//! A delivery opens an [`Expectation`]; the one ticket that names its commitment closes it. Checks run from the
//! cheapest to the dearest, in the chain's order where the chain makes them too, so a stranger's ticket costs a lookup
//! and a viewer's costs one signature.

use crate::{
	credit::{Credit, CreditConfig, Shortage},
	meter::Share,
	wire::SessionKey,
};
use alloc::collections::{BTreeMap, BTreeSet};
use clustercast_primitives::{
	amount,
	chain::{ChannelInfo, TicketRefusal, ViewerAccount, VoucherPlace},
	crypto::{AccountId, Hash, PublicKey, SignatureError},
	nonces::Nonces,
	receipt::Kind,
	ticket, Balance, BlockNumber, SignedTicket, SignedVoucher, StreamId, Voucher, WindowId, WinningTicket,
};
use codec::{Decode, Encode, MaxEncodedLen};

/// The chain's rules, and how much risk the relayer takes.
#[derive(Clone, Debug)]
pub struct BookConfig {
	/// Genesis hash of the chain.
	pub genesis: Hash,
	/// The relayer's account.
	pub recipient: AccountId,
	/// Most blocks that a ticket may live.
	pub max_ticket_life: BlockNumber,
	/// Fewest blocks that leave time to redeem it.
	pub min_ticket_life: BlockNumber,
	/// Least face value that the chain redeems, micro-USDC.
	pub min_face_value: Balance,
	/// How much viewers may owe.
	pub credit: CreditConfig,
	/// Most expectations open at a time, over all viewers.
	pub max_expectations: usize,
	/// Most that the chain lets 10^9 bytes of a stream cost, micro-USDC, as long as nothing else is said of its terms.
	pub max_price_per_gb: u64,
}

/// Viewers sign for so many blocks less than the chain allows: a relayer takes nothing that expires later than that from the block up
/// to which it knows of the account, which is up to 40 blocks behind its newest; its node may be 20 behind theirs; and it may stand
/// still for 60.
pub const EXPIRY_MARGIN: BlockNumber = 120;

/// Terms of a stream whose figures are remembered: those that hold, and those before, under which vouchers are still taken.
const KNOWN_TERMS: usize = 2;

/// What is known of the stream's terms with one counter.
#[derive(Clone, Copy, Debug, Default)]
struct Known {
	/// What the chain lets 10^9 bytes cost under them, micro-USDC.
	max_price_per_gb: Option<u64>,
	/// Block from which others hold.
	ends: Option<BlockNumber>,
}

/// What a receipt is to be paid with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expectation {
	/// Who pays.
	pub payer: SessionKey,
	/// The window that brought it: for the log, and for its stream.
	pub window: WindowId,
	/// What for.
	pub kind: Kind,
	/// As in the receipt.
	pub context: Hash,
	/// Counter of the stream's terms.
	pub terms: u32,
	/// Follows exactly from what was delivered, price and mode of payment.
	pub share: Share,
	/// Stated in the receipt; unique.
	pub commitment: Hash,
	/// Opens the commitment.
	pub rand: Hash,
}

/// Whose debt a delivery is that nobody will pay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Debt {
	/// Of the account that was to pay.
	Payers,
	/// Of no account; it counts with what the relayer may lose in all.
	Nobodys,
	/// We sent the viewer away: no loss.
	Ours,
}

/// What an accepted ticket is worth.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(clippy::large_enum_variant, reason = "answered one at a time and never kept in bulk")]
pub enum Outcome {
	/// Nothing; there is nothing to keep.
	Lost,
	/// Its face value: store it before telling the viewer.
	Won(WinningTicket),
}

/// Why a ticket is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, MaxEncodedLen, thiserror::Error)]
#[non_exhaustive]
pub enum TicketError {
	/// Its commitment belongs to no receipt that awaits payment.
	#[error("pays for nothing that is owed")]
	NotOwed,
	/// The nonce was seen in this session, or may have been.
	#[error("nonce used before")]
	Duplicate,
	/// Made out to another relayer.
	#[error("made out to another recipient")]
	WrongRecipient,
	/// Signed for another session key than the subscription's.
	#[error("names another session key")]
	WrongSession,
	/// For another stream.
	#[error("names another stream")]
	WrongStream,
	/// For another kind, context or terms than the receipt.
	#[error("pays for something else than the receipt")]
	WrongPurpose,
	/// Not the bytes that are to be paid.
	#[error("states other bytes than are to be paid")]
	WrongBytes,
	/// Not the face value of the terms.
	#[error("has another face value than agreed")]
	WrongFaceValue,
	/// Its expected value is not bytes x price.
	#[error("wins with another probability than agreed")]
	WrongWinProbability,
	/// Expires before it could be redeemed.
	#[error("expires too soon to be redeemed")]
	ExpiryTooSoon,
	/// As the chain would say.
	#[error(transparent)]
	Chain(TicketRefusal),
	/// A ticket where a voucher was agreed, or the other way.
	#[error("not the agreed kind of payment")]
	WrongMode,
	/// The voucher does not exceed the newest one by what was delivered.
	#[error("voucher does not cover what is owed")]
	VoucherTooLow,
	/// The voucher's amount exceeds the highest price of its bytes: the chain would refuse it.
	#[error("voucher is dearer than its bytes may be")]
	VoucherTooDear,
}

/// A session's vouchers at one place: of the newest one.
#[derive(Clone, Copy, Debug, Default)]
struct Running {
	/// Micro-USDC.
	amount: Balance,
	bytes: u64,
	expiry: BlockNumber,
}

/// Open expectations, nonces seen, and what is not settled.
#[derive(Debug)]
pub struct TicketBook {
	config: BookConfig,
	/// By commitment.
	expected: BTreeMap<Hash, Expectation>,
	/// By session.
	nonces: BTreeMap<PublicKey, Nonces>,
	credit: Credit,
	vouchers: BTreeMap<(AccountId, VoucherPlace), Running>,
	/// By stream and counter of its terms.
	terms: BTreeMap<(StreamId, u32), Known>,
}

impl TicketBook {
	/// An empty book.
	pub fn new(config: BookConfig) -> Self {
		Self {
			credit: Credit::new(config.credit),
			config,
			expected: BTreeMap::new(),
			nonces: BTreeMap::new(),
			vouchers: BTreeMap::new(),
			terms: BTreeMap::new(),
		}
	}

	/// How much viewers may owe, and what they do.
	pub fn credit(&mut self) -> &mut Credit {
		&mut self.credit
	}

	/// What the finalised block `at` says of a session's channel to this relayer.
	/// Whether it says for the first time that what we released is free.
	pub fn channel(&mut self, payer: &SessionKey, at: BlockNumber, info: Option<ChannelInfo>) -> bool {
		let freed = self.credit.channel(payer, at, info);
		if let Some(info) = info {
			// Only we redeem what pays us: what the chain has redeemed and we do not know of, we have lost.
			self.nonces.entry(payer.key).or_default().raise(info.next_nonce);
		}
		freed
	}

	/// Opens what a delivery is to be paid with, where credit allows it; in place of what was opened under the same
	/// commitment, when more goes into one receipt. On an error nothing changes.
	pub fn open(&mut self, expectation: Expectation) -> Result<(), Shortage> {
		let Expectation {
			payer,
			share,
			commitment,
			..
		} = &expectation;
		let before = match self.expected.get(commitment) {
			Some(_) => self.credit.take_back(payer, commitment),
			None if self.expected.len() >= self.config.max_expectations => return Err(Shortage::Full),
			None => None,
		};
		if let Err(shortage) = self.credit.grant(payer, share) {
			if let Some(before) = before {
				self.credit.put_back(payer, *commitment, before);
			}
			return Err(shortage);
		}
		self.credit.deliver(payer, *commitment, share);
		self.expected.insert(*commitment, expectation);
		Ok(())
	}

	/// Gives up an unpaid delivery: its viewer is gone.
	pub fn close(&mut self, commitment: &Hash, debt: Debt) {
		if let Some(expected) = self.expected.remove(commitment) {
			match debt {
				Debt::Payers => self.credit.forfeit(&expected.payer, commitment),
				Debt::Nobodys => self.credit.write_off(&expected.payer, commitment),
				Debt::Ours => self.credit.forgive(&expected.payer, commitment),
			}
		}
	}

	/// Judges a ticket. When it is accepted its expectation is closed and its nonce spent; when it is refused nothing
	/// changes. `account` is what the chain says of the sender, `now` the newest block known.
	pub fn accept(
		&mut self,
		signed: &SignedTicket,
		account: &ViewerAccount,
		now: BlockNumber,
	) -> Result<Outcome, TicketError> {
		let ticket = &signed.message;
		let mut nonces = self.nonces.get(&ticket.session).copied().unwrap_or_default();
		nonces.check(ticket.nonce).map_err(|refusal| match refusal {
			TicketRefusal::AlreadyRedeemed => TicketError::Duplicate,
			refusal => TicketError::Chain(refusal),
		})?;
		let expected = self.expected.get(&ticket.commitment).ok_or(TicketError::NotOwed)?;
		self.check_offer(signed, expected)?;
		self.check_chain_rules(signed, now)?;
		signed
			.verify(&ticket.session, &self.config.genesis)
			.map_err(bad_signature)?;
		self.check_money(&expected.payer, ticket.face_value, ticket.expiry, account)?;

		let (rand, payer) = (expected.rand, expected.payer);
		let is_new = nonces.insert(ticket.nonce);
		debug_assert!(is_new, "checked above; qed");
		self.expected.remove(&ticket.commitment);
		self.nonces.insert(ticket.session, nonces);
		let winning = WinningTicket {
			signed: signed.clone(),
			rand,
		};
		let wins = ticket::wins(ticket.win_probability, &signed.signature, &rand);
		let won = wins.then_some(ticket.face_value);
		self.credit.pay_by_ticket(&payer, &ticket.commitment, ticket.nonce, won);
		Ok(match wins {
			true => Outcome::Won(winning),
			false => Outcome::Lost,
		})
	}

	/// Puts back a winner that was stored and not settled: its nonce is spent and its value counts. Losing tickets
	/// need no restoring: a nonce used again after one of them harms nobody.
	pub fn restore(&mut self, winning: &WinningTicket) {
		let ticket = &winning.signed.message;
		self.nonces.entry(ticket.session).or_default().insert(ticket.nonce);
		self.credit
			.restore_winner(&payer(ticket.sender, ticket.session), ticket.nonce, ticket.face_value);
	}

	/// Judges a voucher for the receipt with this commitment. It must exceed the newest one by at least what the receipt
	/// takes, in amount and in bytes, and owe no more than the chain's bound on its bytes in all. More than the price
	/// comes from a viewer whose older vouchers this relayer has lost. Accepted, it is the newest one: store it before
	/// telling the viewer. Refused, nothing changes.
	pub fn accept_voucher(
		&mut self,
		commitment: &Hash,
		signed: &SignedVoucher,
		account: &ViewerAccount,
		now: BlockNumber,
	) -> Result<(), TicketError> {
		let voucher = &signed.message;
		let expected = self.expected.get(commitment).ok_or(TicketError::NotOwed)?;
		let Share::Voucher { amount, bytes: least } = expected.share else {
			return Err(TicketError::WrongMode);
		};
		let wrong = [
			(voucher.recipient != self.config.recipient, TicketError::WrongRecipient),
			(voucher.session != expected.payer.key, TicketError::WrongSession),
			(
				voucher.sender != expected.payer.account,
				TicketError::Chain(TicketRefusal::WrongSender),
			),
			(voucher.stream != expected.window.stream, TicketError::WrongStream),
			(
				(voucher.kind, voucher.context, voucher.terms) != (expected.kind, expected.context, expected.terms),
				TicketError::WrongPurpose,
			),
			(
				!ticket::is_on_grid(voucher.expiry),
				TicketError::Chain(TicketRefusal::ExpiryOffGrid),
			),
			(
				!voucher.bytes.is_multiple_of(amount::TICKET_BYTES),
				TicketError::Chain(TicketRefusal::BadBytes),
			),
			(
				self.is_superseded(voucher, now),
				TicketError::Chain(TicketRefusal::WrongTerms),
			),
			(voucher.expiry < now, TicketError::Chain(TicketRefusal::Expired)),
			(
				voucher.expiry < now.saturating_add(self.config.min_ticket_life),
				TicketError::ExpiryTooSoon,
			),
			(
				voucher.expiry > now.saturating_add(self.config.max_ticket_life),
				TicketError::Chain(TicketRefusal::ExpiryTooFar),
			),
		];
		if let Some((_, error)) = wrong.into_iter().find(|(is_wrong, _)| *is_wrong) {
			return Err(error);
		}
		let place = place(voucher);
		let newest = self.vouchers.get(&place).copied().unwrap_or_default();
		let grown = voucher.amount.checked_sub(newest.amount);
		grown.filter(|by| *by >= amount).ok_or(TicketError::VoucherTooLow)?;
		let bytes = voucher.bytes.checked_sub(newest.bytes);
		bytes.filter(|by| *by >= least).ok_or(TicketError::WrongBytes)?;
		// By the price of its own terms: what others allow, the chain does not pay.
		let known = self.terms.get(&(voucher.stream, voucher.terms));
		let price = known.and_then(|known| known.max_price_per_gb);
		let price = price.unwrap_or(self.config.max_price_per_gb);
		if !amount::is_voucher_within(price, voucher.bytes, voucher.amount) {
			return Err(TicketError::VoucherTooDear);
		}
		signed
			.verify(&voucher.session, &self.config.genesis)
			.map_err(bad_signature)?;
		self.check_money(&expected.payer, amount, voucher.expiry, account)?;
		let payer = expected.payer;
		self.expected.remove(commitment);
		self.credit.pay_by_voucher(&payer, commitment, voucher.place());
		let running = Running {
			amount: voucher.amount,
			bytes: voucher.bytes,
			expiry: voucher.expiry,
		};
		self.vouchers.insert(place, running);
		Ok(())
	}

	/// Puts back the newest voucher of a session as it was stored, of which so much is paid or lost; for a session that
	/// pays by voucher again, expired ones too, as the book forgets these. Changes nothing where a newer one is known.
	/// It is remembered for as long as a ticket may live from `now`, which leaves time for the next one.
	pub fn restore_voucher(&mut self, voucher: &Voucher, settled: Balance, now: BlockNumber) {
		let known = self.vouchers.get(&place(voucher));
		if known.is_some_and(|running| running.amount >= voucher.amount) {
			return;
		}
		let running = Running {
			amount: voucher.amount,
			bytes: voucher.bytes,
			expiry: now.saturating_add(self.config.max_ticket_life).max(voucher.expiry),
		};
		self.vouchers.insert(place(voucher), running);
		let owed = voucher.amount.saturating_sub(settled);
		if owed > 0 {
			self.credit.restore_voucher(&voucher.place(), voucher.sender, owed);
		}
	}

	/// The finalised block `at` has paid `amount` more of what vouchers like this one owe; or so much is given up.
	pub fn settle_voucher(&mut self, voucher: &Voucher, amount: Balance, at: BlockNumber, paid: bool) {
		self.credit
			.settle_voucher(&voucher.place(), voucher.sender, amount, at, paid);
	}

	/// The finalised block `at` has paid a winner, or it never will be paid.
	pub fn settle(&mut self, winning: &WinningTicket, at: BlockNumber, paid: bool) {
		let ticket = &winning.signed.message;
		let payer = payer(ticket.sender, ticket.session);
		self.credit.settle_winner(&payer, ticket.nonce, at, paid);
	}

	/// Forgets what has expired. Call it once a block.
	pub fn prune(&mut self, now: BlockNumber) {
		self.credit.at_block(now);
		let known: BTreeSet<PublicKey> = self.credit.sessions().map(|payer| payer.key).collect();
		self.nonces.retain(|session, _| known.contains(session));
		self.vouchers.retain(|_, running| running.expiry >= now);
	}

	/// The chain lets 10^9 bytes of a stream cost at most this under its terms of this counter, micro-USDC.
	pub fn set_max_price(&mut self, stream: StreamId, terms: u32, per_gb: u64) {
		self.known(stream, terms).max_price_per_gb = Some(per_gb);
	}

	/// A stream has other terms than those of this counter from this block on, if any are announced: the chain pays vouchers
	/// under it for as long as a ticket may live from there.
	pub fn supersede(&mut self, stream: StreamId, terms: u32, from: Option<BlockNumber>) {
		self.known(stream, terms).ends = from;
	}

	/// A stream has other terms than those of this counter by this block.
	pub fn superseded(&mut self, stream: StreamId, terms: u32, now: BlockNumber) {
		let known = self.known(stream, terms);
		known.ends = Some(known.ends.map_or(now, |ends| ends.min(now)));
	}

	fn known(&mut self, stream: StreamId, terms: u32) -> &mut Known {
		let of_the_stream = (stream, u32::MIN)..=(stream, u32::MAX);
		let mut counters = self.terms.range(of_the_stream).map(|((_, counter), _)| *counter);
		if let (Some(oldest), count) = (counters.next(), counters.count()) {
			if count + 1 >= KNOWN_TERMS && !self.terms.contains_key(&(stream, terms)) {
				self.terms.remove(&(stream, oldest));
			}
		}
		self.terms.entry((stream, terms)).or_default()
	}

	/// Too late for the chain to pay it, with time to redeem it.
	fn is_superseded(&self, voucher: &Voucher, now: BlockNumber) -> bool {
		let grace = self.config.max_ticket_life.saturating_sub(self.config.min_ticket_life);
		let known = self.terms.get(&(voucher.stream, voucher.terms));
		let ends = known.and_then(|known| known.ends);
		ends.is_some_and(|from| now >= from.saturating_add(grace))
	}

	/// Whether the account could pay for a share that is not delivered yet with something that can be redeemed, beside all that is
	/// not settled.
	pub fn check_means(
		&self,
		payer: &SessionKey,
		share: &Share,
		account: &ViewerAccount,
		now: BlockNumber,
	) -> Result<(), TicketError> {
		let more = match *share {
			Share::Ticket { face_value, .. } => face_value,
			Share::Voucher { amount, .. } => amount,
		};
		let soonest = now.saturating_add(self.config.min_ticket_life);
		self.check_money(payer, more, soonest, account)
	}

	/// Expectations open.
	pub fn expectations(&self) -> usize {
		self.expected.len()
	}

	/// The ticket is the one that the delivery asked for.
	fn check_offer(&self, signed: &SignedTicket, expected: &Expectation) -> Result<(), TicketError> {
		let ticket = &signed.message;
		let Share::Ticket {
			bytes,
			face_value,
			win_probability,
		} = expected.share
		else {
			return Err(TicketError::WrongMode);
		};
		let wrong = [
			(ticket.recipient != self.config.recipient, TicketError::WrongRecipient),
			(ticket.session != expected.payer.key, TicketError::WrongSession),
			(
				ticket.sender != expected.payer.account,
				TicketError::Chain(TicketRefusal::WrongSender),
			),
			(ticket.stream != expected.window.stream, TicketError::WrongStream),
			(
				(ticket.kind, ticket.context) != (expected.kind, expected.context),
				TicketError::WrongPurpose,
			),
			(ticket.bytes != bytes, TicketError::WrongBytes),
			(ticket.face_value != face_value, TicketError::WrongFaceValue),
			(
				ticket.win_probability != win_probability,
				TicketError::WrongWinProbability,
			),
		];
		match wrong.into_iter().find(|(is_wrong, _)| *is_wrong) {
			Some((_, error)) => Err(error),
			None => Ok(()),
		}
	}

	/// What the chain looks at before the signature.
	fn check_chain_rules(&self, signed: &SignedTicket, now: BlockNumber) -> Result<(), TicketError> {
		let ticket = &signed.message;
		if !ticket::is_on_grid(ticket.expiry) {
			return Err(TicketError::Chain(TicketRefusal::ExpiryOffGrid));
		}
		if ticket.expiry < now {
			return Err(TicketError::Chain(TicketRefusal::Expired));
		}
		if ticket.expiry - now > self.config.max_ticket_life {
			return Err(TicketError::Chain(TicketRefusal::ExpiryTooFar));
		}
		if ticket.expiry - now < self.config.min_ticket_life {
			return Err(TicketError::ExpiryTooSoon);
		}
		if ticket.face_value < self.config.min_face_value {
			return Err(TicketError::Chain(TicketRefusal::FaceValueTooSmall));
		}
		Ok(())
	}

	/// Session key and deposit can pay this beside all that is not settled yet, what is reserved for us first; claimed until
	/// this block.
	fn check_money(
		&self,
		payer: &SessionKey,
		more: Balance,
		expiry: BlockNumber,
		account: &ViewerAccount,
	) -> Result<(), TicketError> {
		let refused = |reason| Err(TicketError::Chain(reason));
		let Some(session) = account.sessions.iter().find(|s| s.key == payer.key) else {
			return refused(TicketRefusal::UnknownSession);
		};
		if session.expiry < expiry {
			return refused(TicketRefusal::SessionExpired);
		}
		let open = self.credit.channel_of(payer).open;
		let free = self.credit.signed(payer).saturating_add(more).saturating_sub(open);
		if session.limit.saturating_sub(session.spent) < free {
			return refused(TicketRefusal::SessionLimitReached);
		}
		// Money on its way out pays until it is withdrawn, which may be before this is redeemed.
		let leaving = account.unlocking.as_ref().filter(|u| u.unlocks_at <= expiry);
		let gone = account.reserved.saturating_add(leaving.map_or(0, |u| u.amount));
		let free = free.saturating_add(self.credit.signed_elsewhere(payer));
		if free > 0 && account.deposit.saturating_sub(gone) < free {
			return refused(TicketRefusal::DepositTooSmall);
		}
		Ok(())
	}
}

fn payer(account: AccountId, key: PublicKey) -> SessionKey {
	SessionKey { account, key }
}

fn place(voucher: &Voucher) -> (AccountId, VoucherPlace) {
	(voucher.sender, voucher.place())
}

fn bad_signature(error: SignatureError) -> TicketError {
	TicketError::Chain(match error {
		SignatureError::NonCanonical => TicketRefusal::NonCanonicalSignature,
		SignatureError::Invalid => TicketRefusal::BadSignature,
	})
}

#[cfg(test)]
mod tests;
