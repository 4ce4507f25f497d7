//! Judges tickets against what was delivered. Pure and bounded: the same calls give the same answers.
//!
//! A delivery opens an [`Expectation`]; the one ticket that names its commitment closes it. Checks run from the
//! cheapest to the dearest, in the chain's order where the chain makes them too, so a stranger's ticket costs a lookup
//! and a viewer's costs one signature.

use crate::{meter::Share, wire::SessionKey};
use clustercast_primitives::{
	amount,
	chain::{TicketRefusal, ViewerAccount, VoucherPlace},
	crypto::{AccountId, Hash, PublicKey, SignatureError},
	receipt::Kind,
	ticket, Balance, BlockNumber, SignedTicket, SignedVoucher, StreamId, Voucher, WindowId, WinningTicket,
};
use codec::{Decode, Encode, MaxEncodedLen};
use std::collections::{BTreeMap, HashMap};

/// The chain's rules, and how much risk the relayer takes.
#[derive(Clone, Debug)]
pub struct BookConfig {
	/// Genesis hash of the chain.
	pub genesis: Hash,
	/// The relayer's account.
	pub recipient: AccountId,
	/// Blocks of an epoch: a ticket's epoch is its expiry divided by this. At least 1.
	pub epoch_length: BlockNumber,
	/// Nonces of an epoch are below this.
	pub nonces_per_epoch: u32,
	/// Most blocks that a ticket may live.
	pub max_ticket_life: BlockNumber,
	/// Fewest blocks that leave time to redeem it.
	pub min_ticket_life: BlockNumber,
	/// Least face value that the chain redeems, micro-USDC.
	pub min_face_value: Balance,
	/// Most that one viewer's unsettled winners may add up to, micro-USDC: what is lost when its deposit turns out empty.
	pub float: Balance,
	/// Most expectations open at a time, over all viewers.
	pub max_expectations: usize,
	/// Most (session, epoch) nonce bitmaps, and most viewers with unsettled winners. A bitmap takes up to
	/// `nonces_per_epoch / 8` bytes.
	pub max_sessions: usize,
	/// Most that the chain lets 10^9 bytes of this stream cost, micro-USDC.
	pub max_price_per_gb: u64,
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
	/// The nonce was seen in this session and epoch.
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
	/// Too much of this viewer's money is not settled yet.
	#[error("unsettled winners exceed the float")]
	FloatExceeded,
	/// No room for another session.
	#[error("too many sessions")]
	BookFull,
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

/// Nonces seen in one (session, epoch); grows to the highest one.
#[derive(Clone, Debug, Default)]
struct Bitmap(Vec<u64>);

impl Bitmap {
	fn contains(&self, nonce: u32) -> bool {
		let word = self.0.get(nonce as usize / 64).copied().unwrap_or(0);
		word >> (nonce % 64) & 1 == 1
	}

	fn insert(&mut self, nonce: u32) {
		let word = nonce as usize / 64;
		if word >= self.0.len() {
			self.0.resize(word + 1, 0);
		}
		self.0[word] |= 1 << (nonce % 64);
	}
}

/// A viewer's winners that the chain has not paid yet. Each is at least the chain's minimum and all are at most the
/// float, which bounds how many there are.
#[derive(Clone, Debug, Default)]
struct Unsettled {
	total: Balance,
	winners: BTreeMap<(PublicKey, u32, u64), Winner>,
}

#[derive(Clone, Debug)]
struct Winner {
	face_value: Balance,
	expiry: BlockNumber,
}

/// A session's vouchers at one place.
#[derive(Clone, Copy, Debug, Default)]
struct Running {
	/// Of the newest voucher, micro-USDC.
	amount: Balance,
	/// Of the newest voucher.
	bytes: u64,
	/// Paid by the chain, or lost; at most `amount`.
	settled: Balance,
	/// Of the newest voucher.
	expiry: BlockNumber,
}

/// Open expectations, nonces seen, and what is not settled.
#[derive(Debug)]
pub struct TicketBook {
	config: BookConfig,
	/// By commitment.
	expected: HashMap<Hash, Expectation>,
	/// By epoch first: expired ones are cut off at the front.
	nonces: BTreeMap<(u32, PublicKey), Bitmap>,
	unsettled: BTreeMap<AccountId, Unsettled>,
	/// By sender first: what one viewer owes is one range.
	vouchers: BTreeMap<(AccountId, VoucherPlace), Running>,
	/// Counter of the stream's terms that end last, and the block from which others hold.
	superseded: Option<(u32, BlockNumber)>,
}

impl TicketBook {
	/// An empty book.
	pub fn new(config: BookConfig) -> Self {
		Self {
			config,
			expected: HashMap::new(),
			nonces: BTreeMap::new(),
			unsettled: BTreeMap::new(),
			vouchers: BTreeMap::new(),
			superseded: None,
		}
	}

	/// Opens what a delivery is to be paid with. Fails when the book is full.
	pub fn open(&mut self, expectation: Expectation) -> Result<(), TicketError> {
		if self.expected.len() >= self.config.max_expectations {
			return Err(TicketError::BookFull);
		}
		self.expected.insert(expectation.commitment, expectation);
		Ok(())
	}

	/// Gives up an unpaid delivery: its viewer is gone.
	pub fn close(&mut self, commitment: &Hash) {
		self.expected.remove(commitment);
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
		let slot = (self.epoch(ticket.expiry), ticket.session);
		let nonce = u32::try_from(ticket.nonce).unwrap_or(u32::MAX);
		if self.nonces.get(&slot).is_some_and(|seen| seen.contains(nonce)) {
			return Err(TicketError::Duplicate);
		}
		let expected = self.expected.get(&ticket.commitment).ok_or(TicketError::NotOwed)?;
		self.check_offer(signed, expected)?;
		self.check_chain_rules(signed, now)?;
		signed
			.verify(&ticket.session, &self.config.genesis)
			.map_err(bad_signature)?;
		self.check_money(
			&ticket.sender,
			&ticket.session,
			ticket.expiry,
			ticket.face_value,
			account,
		)?;
		if !self.nonces.contains_key(&slot) && self.nonces.len() >= self.config.max_sessions {
			return Err(TicketError::BookFull);
		}

		let rand = expected.rand;
		self.expected.remove(&ticket.commitment);
		self.nonces.entry(slot).or_default().insert(nonce);
		if !ticket::wins(ticket.win_probability, &signed.signature, &rand) {
			return Ok(Outcome::Lost);
		}
		let winning = WinningTicket {
			signed: signed.clone(),
			rand,
		};
		self.note_winner(&winning);
		Ok(Outcome::Won(winning))
	}

	/// Puts back a winner that was stored and not settled: its nonce is spent and its value counts. Losing tickets
	/// need no restoring: a nonce used again after one of them harms nobody.
	pub fn restore(&mut self, winning: &WinningTicket) {
		let ticket = &winning.signed.message;
		if let Some(nonce) = u32::try_from(ticket.nonce)
			.ok()
			.filter(|n| *n < self.config.nonces_per_epoch)
		{
			let slot = (self.epoch(ticket.expiry), ticket.session);
			self.nonces.entry(slot).or_default().insert(nonce);
		}
		self.note_winner(winning);
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
				self.is_superseded(voucher),
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
		let grown = voucher.amount.checked_sub(newest.amount).filter(|by| *by >= amount);
		let grown = grown.ok_or(TicketError::VoucherTooLow)?;
		let bytes = voucher.bytes.checked_sub(newest.bytes);
		bytes.filter(|by| *by >= least).ok_or(TicketError::WrongBytes)?;
		if !amount::is_voucher_within(self.config.max_price_per_gb, voucher.bytes, voucher.amount) {
			return Err(TicketError::VoucherTooDear);
		}
		signed
			.verify(&voucher.session, &self.config.genesis)
			.map_err(bad_signature)?;
		self.check_money(&voucher.sender, &voucher.session, voucher.expiry, grown, account)?;
		if newest.amount == 0 && self.vouchers.len() >= self.config.max_sessions {
			return Err(TicketError::BookFull);
		}
		self.expected.remove(commitment);
		let running = Running {
			amount: voucher.amount,
			bytes: voucher.bytes,
			expiry: voucher.expiry,
			..newest
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
			settled: settled.min(voucher.amount),
			expiry: now.saturating_add(self.config.max_ticket_life).max(voucher.expiry),
		};
		self.vouchers.insert(place(voucher), running);
	}

	/// The chain paid so much of what vouchers like this one owe, or never will: it no longer counts against the
	/// viewer's float.
	pub fn settle_voucher(&mut self, voucher: &Voucher, settled: Balance) {
		if let Some(running) = self.vouchers.get_mut(&place(voucher)) {
			running.settled = running.settled.max(settled.min(running.amount));
		}
	}

	/// The chain paid a winner, or never will: its value no longer counts against the viewer's float.
	pub fn settle(&mut self, winning: &WinningTicket) {
		let ticket = &winning.signed.message;
		let key = (ticket.session, self.epoch(ticket.expiry), ticket.nonce);
		if let Some(viewer) = self.unsettled.get_mut(&ticket.sender) {
			if let Some(winner) = viewer.winners.remove(&key) {
				viewer.total -= winner.face_value;
			}
			if viewer.winners.is_empty() {
				self.unsettled.remove(&ticket.sender);
			}
		}
	}

	/// Forgets what has expired. Call it once a block.
	pub fn prune(&mut self, now: BlockNumber) {
		let first = (self.epoch(now), PublicKey([0; 32]));
		self.nonces = self.nonces.split_off(&first);
		self.unsettled.retain(|_, viewer| {
			viewer.winners.retain(|_, winner| winner.expiry >= now);
			viewer.total = viewer.winners.values().map(|w| w.face_value).sum();
			!viewer.winners.is_empty()
		});
		self.vouchers.retain(|_, running| running.expiry >= now);
	}

	/// What this viewer's winners and vouchers are worth that are not settled, micro-USDC.
	pub fn unsettled(&self, sender: &AccountId) -> Balance {
		let winners = self.unsettled.get(sender).map_or(0, |viewer| viewer.total);
		let vouchers = self.vouchers.range((*sender, LOWEST)..);
		let vouchers = vouchers.take_while(|((owner, _), _)| owner == sender);
		vouchers.fold(winners, |sum, (_, running)| {
			sum.saturating_add(running.amount - running.settled)
		})
	}

	/// The chain lets 10^9 bytes of this stream cost at most this from now on, micro-USDC.
	pub fn set_max_price(&mut self, per_gb: u64) {
		self.config.max_price_per_gb = per_gb;
	}

	/// The stream has other terms than those of this counter from this block on: the chain pays only those vouchers under
	/// it that can have been signed before.
	pub fn supersede(&mut self, terms: u32, from: BlockNumber) {
		self.superseded = Some((terms, from));
	}

	/// Such a voucher would take the place of one that the chain still pays.
	fn is_superseded(&self, voucher: &Voucher) -> bool {
		let signed_at = voucher.expiry.saturating_sub(self.config.max_ticket_life);
		self.superseded
			.is_some_and(|(terms, from)| voucher.terms == terms && signed_at >= from)
	}

	/// Expectations open.
	pub fn expectations(&self) -> usize {
		self.expected.len()
	}

	fn epoch(&self, expiry: BlockNumber) -> u32 {
		expiry / self.config.epoch_length.max(1)
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
		if ticket.nonce >= self.config.nonces_per_epoch.into() {
			return Err(TicketError::Chain(TicketRefusal::NonceTooLarge));
		}
		if ticket.face_value < self.config.min_face_value {
			return Err(TicketError::Chain(TicketRefusal::FaceValueTooSmall));
		}
		Ok(())
	}

	/// Session key and deposit can pay this value, claimed until this block, beside all that is not settled yet.
	fn check_money(
		&self,
		sender: &AccountId,
		session: &PublicKey,
		expiry: BlockNumber,
		value: Balance,
		account: &ViewerAccount,
	) -> Result<(), TicketError> {
		let refused = |reason| Err(TicketError::Chain(reason));
		let Some(session) = account.sessions.iter().find(|s| s.key == *session) else {
			return refused(TicketRefusal::UnknownSession);
		};
		if session.expiry < expiry {
			return refused(TicketRefusal::SessionExpired);
		}
		let exposed = self.unsettled(sender).saturating_add(value);
		if session.limit.saturating_sub(session.spent) < exposed {
			return refused(TicketRefusal::SessionLimitReached);
		}
		// Money on its way out pays until it is withdrawn, which may be before this is redeemed.
		let leaving = account.unlocking.as_ref().filter(|u| u.unlocks_at <= expiry);
		if account.deposit.saturating_sub(leaving.map_or(0, |u| u.amount)) < exposed {
			return refused(TicketRefusal::DepositTooSmall);
		}
		if self.config.float < exposed {
			return Err(TicketError::FloatExceeded);
		}
		Ok(())
	}

	fn note_winner(&mut self, winning: &WinningTicket) {
		let ticket = &winning.signed.message;
		let key = (ticket.session, self.epoch(ticket.expiry), ticket.nonce);
		let viewer = self.unsettled.entry(ticket.sender).or_default();
		let winner = Winner {
			face_value: ticket.face_value,
			expiry: ticket.expiry,
		};
		if viewer.winners.insert(key, winner).is_none() {
			viewer.total = viewer.total.saturating_add(ticket.face_value);
		}
	}
}

/// Sorts before all places.
const LOWEST: VoucherPlace = VoucherPlace {
	session: PublicKey([0; 32]),
	recipient: AccountId([0; 32]),
	stream: StreamId(0),
	kind: Kind(0),
	context: Hash([0; 32]),
	terms: 0,
};

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
