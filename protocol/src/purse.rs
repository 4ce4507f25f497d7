//! Signs tickets, vouchers and reservations with a delegated session key, within one budget: never with one nonce twice,
//! and never a voucher or a reservation below an earlier one.
//!
//! Nonces count up for each recipient. They are reserved in blocks: [`Purse::reserve`] returns a state to be stored before
//! anything is paid from it, so a purse that is restored after a crash starts behind whatever the lost one may have used.
//! The same holds for the counters of reservations: [`Purse::set_aside`] comes before [`Purse::sign_reservation`]. Vouchers
//! need no such care: a purse that lost the newest ones signs lower ones, which the chain pays nothing for, until the
//! relayer's terms show it the newest ([`Purse::adopt`]).

use crate::{
	meter::Share,
	viewer::{Due, Payment},
};
use alloc::{collections::BTreeMap, vec::Vec};
use clustercast_primitives::{
	chain::VoucherPlace,
	channel::{Close, Reservation, SignedClose, SignedReservation},
	crypto::{AccountId, Hash, KeyPair, PublicKey, SignedMessage},
	session::SessionProof,
	subscribe::{SignedSubscription, Subscription},
	ticket::EXPIRY_GRID,
	Balance, BlockNumber, Signature, SignedTicket, SignedVoucher, Ticket, Voucher,
};
use codec::{Decode, DecodeAll, Encode};

/// Nonces reserved at a time: storing happens once for this many tickets of a recipient.
pub const RESERVATION: u64 = 64;

/// Recipients that one session pays: what a state file can hold. More than anybody watches from in 30 days; a new session
/// begins anew.
pub const MAX_RECIPIENTS: usize = 1_000;

/// Places whose vouchers are remembered, the last ones used. A relayer shows who forgot one the newest.
pub const MAX_PLACES: usize = 256;

/// Whose money, and the chain's rules for spending it.
#[derive(Clone, Debug)]
pub struct PurseConfig {
	/// Genesis hash of the chain.
	pub genesis: Hash,
	/// Whose deposit pays.
	pub sender: AccountId,
	/// Last block for which the session key may sign.
	pub session_expiry: BlockNumber,
	/// Fewest blocks from signing to expiry, which lies on the grid behind them; below the chain's limit by more than the
	/// grid, since a relayer may be some blocks behind.
	pub ticket_life: BlockNumber,
	/// Most that may be spent in all, in expected value, micro-USDC.
	pub budget: Balance,
}

/// Why no ticket is signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PurseError {
	/// Call [`Purse::reserve`] and store what it returns first.
	#[error("no nonces reserved: reserve and store the state first")]
	NotReserved,
	/// The budget does not cover this ticket's expected value.
	#[error("budget of {0} micro-USDC is spent")]
	BudgetSpent(Balance),
	/// The session key's expiry has passed.
	#[error("session key expired at block {0}")]
	SessionExpired(BlockNumber),
	/// [`MAX_RECIPIENTS`] are paid already.
	#[error("{MAX_RECIPIENTS} relayers are paid by this session already")]
	TooManyRecipients,
	/// All nonces or counters of this recipient are used.
	#[error("all numbers for this relayer are used")]
	UsedUp,
	/// The voucher that is to be adopted is not this session's.
	#[error("voucher of another session key or chain")]
	WrongVoucher,
	/// The expected value does not fit any number.
	#[error("payment worth more than can be counted")]
	Overflow,
	/// Stored state of another session key, chain or version.
	#[error("stored purse belongs to another session key or chain, or is damaged")]
	WrongState,
}

/// What is stored.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
struct State {
	genesis: Hash,
	session: PublicKey,
	/// Newest block heard of: blocks never go back for a purse.
	block: BlockNumber,
	/// At most [`MAX_RECIPIENTS`].
	recipients: Vec<Recipient>,
	/// Expected value spent, micro-USDC times 2^64.
	spent_q64: u128,
	/// At most [`MAX_PLACES`], the one used last at the end.
	vouchers: Vec<Total>,
}

/// What was numbered for a recipient.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
struct Recipient {
	account: AccountId,
	/// First nonce that is not reserved.
	reserved: u64,
	/// Counter and cap of the newest reservation on the chain.
	counter: u32,
	cap: Balance,
}

/// The newest voucher at a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
struct Total {
	place: VoucherPlace,
	amount: Balance,
	bytes: u64,
}

/// A session key, or its public half alone, where something else signs: a browser does not hand its keys out.
pub trait Key {
	/// The public half.
	fn public(&self) -> PublicKey;
}

impl Key for KeyPair {
	fn public(&self) -> PublicKey {
		self.public()
	}
}

impl Key for PublicKey {
	fn public(&self) -> PublicKey {
		*self
	}
}

/// What pays, before it is signed. Its nonce is used and its worth is spent, whether or not that happens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Draft {
	/// For one receipt.
	Ticket(Ticket),
	/// For all so far.
	Voucher(Voucher),
}

impl Draft {
	/// What the session key signs.
	pub fn signing_payload(&self, genesis: &Hash) -> Vec<u8> {
		match self {
			Self::Ticket(ticket) => ticket.signing_payload(genesis),
			Self::Voucher(voucher) => voucher.signing_payload(genesis),
		}
	}

	/// With its signature, which is not looked at.
	pub fn signed(self, signature: Signature) -> Payment {
		match self {
			Self::Ticket(message) => Payment::Ticket(SignedTicket { message, signature }),
			Self::Voucher(message) => Payment::Voucher(SignedVoucher { message, signature }),
		}
	}
}

/// A session key with its budget.
#[derive(Debug)]
pub struct Purse<K = KeyPair> {
	config: PurseConfig,
	key: K,
	state: State,
	/// Next nonce of each recipient that was paid since the start.
	next: BTreeMap<AccountId, u64>,
	/// Vouchers signed since the state was handed out to be stored.
	unstored: u64,
}

impl<K: Key> Purse<K> {
	/// A purse for a session key that never signed before.
	pub fn new(config: PurseConfig, key: K) -> Self {
		let state = State {
			genesis: config.genesis,
			session: key.public(),
			block: 0,
			recipients: Vec::new(),
			spent_q64: 0,
			vouchers: Vec::new(),
		};
		Self {
			config,
			key,
			state,
			next: BTreeMap::new(),
			unstored: 0,
		}
	}

	/// A purse that goes on behind a stored state.
	pub fn restore(config: PurseConfig, key: K, stored: &[u8]) -> Result<Self, PurseError> {
		let state = State::decode_all(&mut &stored[..]).map_err(|_| PurseError::WrongState)?;
		if state.genesis != config.genesis || state.session != key.public() {
			return Err(PurseError::WrongState);
		}
		Ok(Self {
			config,
			key,
			state,
			next: BTreeMap::new(),
			unstored: 0,
		})
	}

	/// Makes sure that the next [`Purse::pay`] to this recipient has a nonce. `Some` is the state that must be stored before
	/// paying; `None` when enough is reserved, or nothing can be. Also asks for it each [`RESERVATION`] vouchers.
	pub fn reserve(&mut self, recipient: &AccountId, block: BlockNumber) -> Option<Vec<u8>> {
		let reserved = self.recipient(recipient).reserved;
		let next = *self.next.entry(*recipient).or_insert(reserved);
		if next < reserved {
			return (self.unstored >= RESERVATION).then(|| self.hand_out());
		}
		let reserved = next.checked_add(RESERVATION)?;
		self.note_recipient(Recipient {
			reserved,
			..self.recipient(recipient)
		})
		.ok()?;
		self.state.block = self.state.block.max(block);
		Some(self.hand_out())
	}

	/// What vouchers to this recipient owe, place by place, micro-USDC.
	pub fn vouchers_to<'a>(&'a self, recipient: &'a AccountId) -> impl Iterator<Item = (VoucherPlace, Balance)> + 'a {
		let theirs = self
			.state
			.vouchers
			.iter()
			.filter(|total| total.place.recipient == *recipient);
		theirs.map(|total| (total.place, total.amount))
	}

	/// Numbers a reservation with this cap, or the least that is above the one before: micro-USDC in all, what was paid
	/// included. The state with it must be stored before it is signed.
	pub fn set_aside(
		&mut self,
		recipient: &AccountId,
		cap: Balance,
		reward: Balance,
		submit_by: BlockNumber,
	) -> Result<(Reservation, Vec<u8>), PurseError> {
		let before = self.recipient(recipient);
		let cap = cap.max(before.cap.checked_add(1).ok_or(PurseError::Overflow)?);
		let counter = before.counter.checked_add(1).ok_or(PurseError::UsedUp)?;
		self.note_recipient(Recipient { counter, cap, ..before })?;
		let reservation = Reservation {
			sender: self.config.sender,
			session: self.key.public(),
			recipient: *recipient,
			counter,
			cap,
			reward,
			submit_by,
		};
		Ok((reservation, self.hand_out()))
	}

	/// What the chain has of this recipient's channel, where this purse knows of less: a state that was lost.
	pub fn catch_up(
		&mut self,
		recipient: &AccountId,
		counter: u32,
		cap: Balance,
		next_nonce: u64,
	) -> Result<(), PurseError> {
		let known = self.recipient(recipient);
		let next = self.next.entry(*recipient).or_insert(known.reserved);
		if next_nonce > *next {
			*next = next_nonce;
		}
		if counter > known.counter {
			self.note_recipient(Recipient {
				counter,
				cap: cap.max(known.cap),
				..known
			})?;
		}
		Ok(())
	}

	fn hand_out(&mut self) -> Vec<u8> {
		self.unstored = 0;
		self.state.encode()
	}

	/// What is to be signed for what is due: a ticket, or the voucher that includes it. `block` is the newest block known.
	pub fn draft(&mut self, due: &Due, block: BlockNumber) -> Result<Draft, PurseError> {
		match due.share {
			Share::Ticket {
				face_value,
				win_probability,
				bytes,
			} => self
				.ticket(due, bytes, face_value, win_probability, block)
				.map(Draft::Ticket),
			Share::Voucher { amount, bytes } => self.voucher(due, bytes, amount, block).map(Draft::Voucher),
		}
	}

	/// Takes up a voucher of this session that a relayer shows: the next one to it goes on from there. One that is not
	/// above what this purse signed itself changes nothing.
	pub fn adopt(&mut self, shown: &SignedVoucher) -> Result<(), PurseError> {
		let voucher = &shown.message;
		let session = self.key.public();
		let ours = (voucher.sender, voucher.session) == (self.config.sender, session);
		if !ours || shown.verify(&session, &self.config.genesis).is_err() {
			return Err(PurseError::WrongVoucher);
		}
		let known = self.total(voucher.place());
		if voucher.amount > known.amount {
			let missing = (voucher.amount - known.amount).checked_mul(1 << 64);
			let missing = missing.ok_or(PurseError::Overflow)?;
			self.note(Total {
				amount: voucher.amount,
				bytes: voucher.bytes.max(known.bytes),
				..known
			});
			self.state.spent_q64 = self.state.spent_q64.saturating_add(missing);
		}
		Ok(())
	}

	fn ticket(
		&mut self,
		due: &Due,
		bytes: u64,
		face_value: Balance,
		win_probability: u64,
		block: BlockNumber,
	) -> Result<Ticket, PurseError> {
		let expiry = self.expiry_at(block)?;
		let reserved = self.recipient(&due.recipient).reserved;
		let nonce = self.next.get(&due.recipient).copied().unwrap_or(reserved);
		if nonce >= reserved {
			let full = self.state.recipients.len() >= MAX_RECIPIENTS && reserved == 0;
			return Err(match full {
				true => PurseError::TooManyRecipients,
				false => PurseError::NotReserved,
			});
		}
		let spent_q64 = self.afford(&due.share)?;
		self.next.insert(due.recipient, nonce + 1);
		self.state.spent_q64 = spent_q64;
		self.state.block = self.state.block.max(block);
		Ok(Ticket {
			sender: self.config.sender,
			session: self.key.public(),
			recipient: due.recipient,
			stream: due.window.stream,
			kind: due.kind,
			context: due.context,
			bytes,
			face_value,
			win_probability,
			commitment: due.commitment,
			nonce,
			expiry,
		})
	}

	/// Lives as long as a ticket, so that the deposit outlasts it; the next one replaces it and lives longer.
	fn voucher(&mut self, due: &Due, bytes: u64, amount: Balance, block: BlockNumber) -> Result<Voucher, PurseError> {
		let expiry = self.expiry_at(block)?;
		let spent_q64 = self.afford(&due.share)?;
		let before = self.total(VoucherPlace {
			session: self.key.public(),
			recipient: due.recipient,
			stream: due.window.stream,
			kind: due.kind,
			context: due.context,
			terms: due.terms,
		});
		let total = Total {
			amount: before.amount.checked_add(amount).ok_or(PurseError::Overflow)?,
			bytes: before.bytes.checked_add(bytes).ok_or(PurseError::Overflow)?,
			..before
		};
		let voucher = Voucher {
			sender: self.config.sender,
			session: self.key.public(),
			recipient: total.place.recipient,
			stream: total.place.stream,
			kind: total.place.kind,
			context: total.place.context,
			terms: total.place.terms,
			amount: total.amount,
			bytes: total.bytes,
			expiry,
		};
		self.note(total);
		self.unstored = self.unstored.saturating_add(1);
		self.state.spent_q64 = spent_q64;
		self.state.block = self.state.block.max(block);
		Ok(voucher)
	}

	/// What will be spent with this, if the budget covers it.
	fn afford(&self, share: &Share) -> Result<u128, PurseError> {
		let worth = share.worth_q64().ok_or(PurseError::Overflow)?;
		let spent_q64 = self.state.spent_q64.checked_add(worth).ok_or(PurseError::Overflow)?;
		match micro_ceil(spent_q64) > self.config.budget {
			true => Err(PurseError::BudgetSpent(self.config.budget)),
			false => Ok(spent_q64),
		}
	}

	/// Newest voucher at this place; zero where there is none.
	fn total(&self, place: VoucherPlace) -> Total {
		let known = self.state.vouchers.iter().find(|total| total.place == place);
		known.copied().unwrap_or(Total {
			place,
			amount: 0,
			bytes: 0,
		})
	}

	fn note(&mut self, total: Total) {
		let vouchers = &mut self.state.vouchers;
		vouchers.retain(|known| known.place != total.place);
		if vouchers.len() >= MAX_PLACES {
			vouchers.remove(0);
		}
		vouchers.push(total);
	}

	fn recipient(&self, account: &AccountId) -> Recipient {
		let known = self.state.recipients.iter().find(|known| known.account == *account);
		known.copied().unwrap_or(Recipient {
			account: *account,
			reserved: 0,
			counter: 0,
			cap: 0,
		})
	}

	fn note_recipient(&mut self, recipient: Recipient) -> Result<(), PurseError> {
		let recipients = &mut self.state.recipients;
		let known = recipients.iter().position(|known| known.account == recipient.account);
		match known {
			Some(at) => recipients[at] = recipient,
			None if recipients.len() >= MAX_RECIPIENTS => return Err(PurseError::TooManyRecipients),
			None => recipients.push(recipient),
		}
		Ok(())
	}

	/// State for a purse that is put away in order: keeps what was spent to the last ticket. Nonces reserved and not
	/// used are given up.
	pub fn state(&self) -> Vec<u8> {
		self.state.encode()
	}

	/// Expected value spent, micro-USDC, rounded up. After a crash, tickets since the last stored state are missing;
	/// the session key's limit on the chain bounds them.
	pub fn spent(&self) -> Balance {
		micro_ceil(self.state.spent_q64)
	}

	/// Last block for which the session key may sign.
	pub fn session_expiry(&self) -> BlockNumber {
		self.config.session_expiry
	}

	/// Session key that signs.
	pub fn session(&self) -> PublicKey {
		self.key.public()
	}

	/// Rules may change while it lives: the session key was prolonged, or the budget raised.
	pub fn config_mut(&mut self) -> &mut PurseConfig {
		&mut self.config
	}

	fn expiry_at(&self, block: BlockNumber) -> Result<BlockNumber, PurseError> {
		let now = block.max(self.state.block);
		let expired = PurseError::SessionExpired(self.config.session_expiry);
		if now > self.config.session_expiry {
			return Err(expired);
		}
		let last = self.config.session_expiry - self.config.session_expiry % EXPIRY_GRID;
		let expiry = now.saturating_add(self.config.ticket_life);
		let expiry = expiry.checked_next_multiple_of(EXPIRY_GRID).unwrap_or(last).min(last);
		match expiry < now {
			true => Err(expired),
			false => Ok(expiry),
		}
	}
}

/// What takes the whole session key.
impl Purse {
	/// Signs what is due: a ticket, or the voucher that includes it. `block` is the newest block known.
	pub fn pay(&mut self, due: &Due, block: BlockNumber) -> Result<Payment, PurseError> {
		let draft = self.draft(due, block)?;
		let signature = self.key.sign_bytes(&draft.signing_payload(&self.config.genesis));
		Ok(draft.signed(signature))
	}

	/// Signs what a relayer asks for before it serves.
	pub fn subscribe(&self, subscription: Subscription) -> SignedSubscription {
		self.key.sign(subscription, &self.config.genesis)
	}

	/// Signs what [`Purse::set_aside`] returned, once its state is stored.
	pub fn sign_reservation(&self, reservation: Reservation) -> SignedReservation {
		self.key.sign(reservation, &self.config.genesis)
	}

	/// Begins to free what is reserved for this recipient; `None` where nothing ever was. Whoever hands it in pays the fee.
	pub fn close(&self, recipient: &AccountId, submit_by: BlockNumber) -> Option<SignedClose> {
		let counter = self.recipient(recipient).counter;
		let close = Close {
			sender: self.config.sender,
			session: self.key.public(),
			recipient: *recipient,
			counter,
			submit_by,
		};
		(counter > 0).then(|| self.key.sign(close, &self.config.genesis))
	}

	/// Shows that whoever registers the session key for the account has it.
	pub fn proof(&self) -> Signature {
		prove(&self.key, self.config.sender, &self.config.genesis)
	}
}

/// A session key's proof for an account that registers it.
pub fn prove(key: &KeyPair, account: AccountId, genesis: &Hash) -> Signature {
	key.sign(SessionProof { account }, genesis).signature
}

fn micro_ceil(q64: u128) -> Balance {
	(q64 >> 64) + Balance::from(q64 as u64 != 0)
}

#[cfg(test)]
mod tests {
	use super::*;
	use crate::fixture::{self, RECIPIENT};
	use clustercast_primitives::{amount::USDC, receipt::Kind, SignedTicket, StreamId, WindowId};
	use proptest::prelude::*;
	use std::collections::HashSet;

	/// A ticket worth so many micro-USDC.
	fn due(worth: Balance) -> Due {
		Due {
			recipient: fixture::RECIPIENT,
			window: WindowId::default(),
			kind: Kind::LIVE,
			context: Hash([0; 32]),
			terms: 3,
			price_per_gb: 2_000_000,
			commitment: Hash([4; 32]),
			share: Share::Ticket {
				bytes: 1 << 20,
				face_value: USDC,
				win_probability: ((worth << 64) / USDC) as u64,
			},
		}
	}

	fn purse(config: PurseConfig) -> Purse {
		Purse::new(config, fixture::session_key())
	}

	/// Reserves when needed, then pays.
	fn pay(purse: &mut Purse, due: &Due, block: BlockNumber) -> Result<SignedTicket, PurseError> {
		purse.reserve(&due.recipient, block);
		match purse.pay(due, block)? {
			Payment::Ticket(ticket) => Ok(ticket),
			Payment::Voucher(voucher) => panic!("{voucher:?}"),
		}
	}

	#[test]
	fn subscription_is_signed_by_the_session_for_this_chain() {
		let signed = purse(fixture::purse_config()).subscribe(fixture::subscription());
		assert_eq!(signed.message, fixture::subscription());
		assert_eq!(
			signed.verify(&fixture::session_key().public(), &fixture::GENESIS),
			Ok(())
		);
	}

	#[test]
	fn ticket_says_what_is_due_and_is_signed() {
		let mut purse = purse(fixture::purse_config());
		let due = due(1_000);
		let signed = pay(&mut purse, &due, 50).unwrap();
		let ticket = &signed.message;
		assert_eq!(
			signed.verify(&fixture::session_key().public(), &fixture::GENESIS),
			Ok(())
		);
		assert_eq!((ticket.sender, ticket.recipient), (fixture::SENDER, fixture::RECIPIENT));
		assert_eq!(
			(ticket.stream, ticket.kind, ticket.context),
			(due.window.stream, due.kind, due.context)
		);
		assert_eq!(ticket.commitment, due.commitment);
		let share = Share::Ticket {
			bytes: ticket.bytes,
			face_value: ticket.face_value,
			win_probability: ticket.win_probability,
		};
		assert_eq!(share, due.share);
		// 50 + 300 blocks, and on to the grid.
		assert_eq!((ticket.nonce, ticket.expiry), (0, 360));
		assert_eq!(purse.spent(), 1_000);
	}

	#[test]
	fn nothing_is_paid_before_nonces_are_reserved() {
		let mut purse = purse(fixture::purse_config());
		assert_eq!(purse.pay(&due(1), 1), Err(PurseError::NotReserved));
		assert!(purse.reserve(&RECIPIENT, 1).is_some());
		assert!(purse.reserve(&RECIPIENT, 1).is_none());
		for _ in 0..RESERVATION {
			purse.pay(&due(1), 1).unwrap();
		}
		assert_eq!(purse.pay(&due(1), 1), Err(PurseError::NotReserved));
		assert!(purse.reserve(&RECIPIENT, 1).is_some());
		assert!(purse.pay(&due(1), 1).is_ok());
		// Each recipient has numbers of its own, and they are reserved anew.
		let mut other = due(1);
		other.recipient.0[0] ^= 1;
		assert_eq!(purse.pay(&other, 1), Err(PurseError::NotReserved));
		assert_eq!(pay(&mut purse, &other, 1).unwrap().message.nonce, 0);
		assert_eq!(pay(&mut purse, &due(1), 1).unwrap().message.nonce, RESERVATION + 1);
	}

	#[test]
	fn reservations_rise_and_are_stored_before_they_are_signed() {
		let mut first = purse(fixture::purse_config());
		let (reservation, stored) = first.set_aside(&RECIPIENT, 5_000, 300, 700).unwrap();
		let signed = first.sign_reservation(reservation.clone());
		let key = fixture::session_key();
		assert_eq!(signed.verify(&key.public(), &fixture::GENESIS), Ok(()));
		assert_eq!((reservation.counter, reservation.cap), (1, 5_000));
		assert_eq!(
			(reservation.sender, reservation.recipient),
			(fixture::SENDER, RECIPIENT)
		);
		assert_eq!((reservation.reward, reservation.submit_by), (300, 700));
		let mut second = Purse::restore(fixture::purse_config(), key, &stored).unwrap();
		let (next, _) = second.set_aside(&RECIPIENT, 4_000, 300, 800).unwrap();
		assert!(next.succeeds(&reservation), "{next:?}");
		assert_eq!((next.counter, next.cap), (2, 5_001));
		let mut other = RECIPIENT;
		other.0[0] ^= 1;
		assert_eq!(second.set_aside(&other, 10, 0, 1).unwrap().0.counter, 1);
	}

	#[test]
	fn close_names_the_newest_reservation() {
		let mut purse = purse(fixture::purse_config());
		assert_eq!(purse.close(&RECIPIENT, 9), None);
		purse.set_aside(&RECIPIENT, 5_000, 300, 700).unwrap();
		purse.set_aside(&RECIPIENT, 6_000, 300, 700).unwrap();
		let close = purse.close(&RECIPIENT, 9).unwrap();
		assert_eq!((close.message.counter, close.message.submit_by), (2, 9));
		let key = fixture::session_key().public();
		assert_eq!(close.verify(&key, &fixture::GENESIS), Ok(()));
	}

	#[test]
	fn purse_that_lost_its_state_goes_on_behind_what_the_chain_has() {
		let mut purse = purse(fixture::purse_config());
		purse.catch_up(&RECIPIENT, 7, 9_000, 300).unwrap();
		assert_eq!(pay(&mut purse, &due(1), 1).unwrap().message.nonce, 300);
		let (reservation, _) = purse.set_aside(&RECIPIENT, 10, 0, 1).unwrap();
		assert_eq!((reservation.counter, reservation.cap), (8, 9_001));
		// What it knows better stays.
		purse.catch_up(&RECIPIENT, 3, 1, 5).unwrap();
		assert_eq!(purse.set_aside(&RECIPIENT, 10, 0, 1).unwrap().0.counter, 9);
		assert_eq!(pay(&mut purse, &due(1), 1).unwrap().message.nonce, 301);
	}

	#[test]
	fn session_key_proves_that_it_is_the_accounts() {
		let purse = purse(fixture::purse_config());
		let proof = clustercast_primitives::Signed {
			message: SessionProof {
				account: fixture::SENDER,
			},
			signature: purse.proof(),
		};
		let key = fixture::session_key().public();
		assert_eq!(proof.verify(&key, &fixture::GENESIS), Ok(()));
	}

	#[test]
	fn recipients_are_bounded() {
		let mut purse = purse(fixture::purse_config());
		let mut due = due(1);
		for n in 0..MAX_RECIPIENTS {
			due.recipient = AccountId(std::array::from_fn(|i| n.to_le_bytes().get(i).copied().unwrap_or(9)));
			pay(&mut purse, &due, 1).unwrap();
		}
		let spent = purse.spent();
		due.recipient = AccountId([0xee; 32]);
		assert_eq!(pay(&mut purse, &due, 1), Err(PurseError::TooManyRecipients));
		let reserved = purse.set_aside(&due.recipient, 1, 1, 1);
		assert_eq!(reserved, Err(PurseError::TooManyRecipients));
		assert_eq!(purse.spent(), spent);
	}

	#[test]
	fn budget_is_spent_to_the_last_unit_and_no_further() {
		let mut purse = purse(PurseConfig {
			budget: 2_500,
			..fixture::purse_config()
		});
		for _ in 0..2 {
			pay(&mut purse, &due(1_000), 1).unwrap();
		}
		assert_eq!(pay(&mut purse, &due(1_000), 1), Err(PurseError::BudgetSpent(2_500)));
		assert!(pay(&mut purse, &due(500), 1).is_ok());
		assert_eq!(purse.spent(), 2_500);
		assert_eq!(pay(&mut purse, &due(1), 1), Err(PurseError::BudgetSpent(2_500)));
		purse.config_mut().budget = 3_500;
		assert!(pay(&mut purse, &due(1_000), 1).is_ok());
	}

	#[test]
	fn expiry_is_the_next_one_on_the_grid() {
		let mut purse = purse(fixture::purse_config());
		let mut expiry = |block| pay(&mut purse, &due(1), block).unwrap().message.expiry;
		let signed = [1, 59, 60, 61, 119, 120, 121].map(|block| (block, expiry(block)));
		let expected = [
			(1, 360),
			(59, 360),
			(60, 360),
			(61, 420),
			(119, 420),
			(120, 420),
			(121, 480),
		];
		assert_eq!(signed, expected);
		// The same for vouchers.
		let voucher = voucher(&mut purse, &by_voucher()).unwrap().message;
		assert_eq!(voucher.expiry, 480, "and blocks never go back");
	}

	#[test]
	fn ticket_never_outlives_the_session_key() {
		let with = |session_expiry| {
			purse(PurseConfig {
				session_expiry,
				..fixture::purse_config()
			})
		};
		let expired = |at| Err(PurseError::SessionExpired(at));
		let mut on_grid = with(1_020);
		assert_eq!(pay(&mut on_grid, &due(1), 900).unwrap().message.expiry, 1_020);
		assert!(pay(&mut on_grid, &due(1), 1_020).is_ok());
		assert_eq!(pay(&mut on_grid, &due(1), 1_021), expired(1_020));
		// Nothing that is on the grid lives on behind block 960.
		let mut off_grid = with(1_019);
		assert_eq!(pay(&mut off_grid, &due(1), 700).unwrap().message.expiry, 960);
		assert_eq!(pay(&mut off_grid, &due(1), 960).unwrap().message.expiry, 960);
		assert_eq!(pay(&mut off_grid, &due(1), 961), expired(1_019));
		// No number is too high to be rounded.
		let mut last = with(u32::MAX);
		let block = u32::MAX - 10;
		assert_eq!(
			pay(&mut last, &due(1), block - 100).unwrap().message.expiry,
			u32::MAX - u32::MAX % 60
		);
		assert_eq!(pay(&mut last, &due(1), block), expired(u32::MAX));
	}

	#[test]
	fn restored_purse_goes_on_behind_what_may_be_used() {
		let mut first = purse(fixture::purse_config());
		let stored = first.reserve(&RECIPIENT, 1).unwrap();
		let used = pay(&mut first, &due(1_000), 1).unwrap().message.nonce;
		let key = fixture::session_key;
		let mut second = Purse::restore(fixture::purse_config(), key(), &stored).unwrap();
		assert!(pay(&mut second, &due(1_000), 1).unwrap().message.nonce > used);
		let kept = Purse::restore(fixture::purse_config(), key(), &first.state()).unwrap();
		assert_eq!(kept.spent(), 1_000);
	}

	#[test]
	fn state_of_another_purse_is_refused() {
		let stored = purse(fixture::purse_config()).state();
		let restore = |config, key, stored: &[u8]| Purse::restore(config, key, stored).map(|_| ());
		let (config, key) = (fixture::purse_config(), fixture::session_key());
		assert_eq!(restore(config.clone(), key.clone(), &stored), Ok(()));
		let other = fixture::relayer_key();
		assert_eq!(restore(config.clone(), other, &stored), Err(PurseError::WrongState));
		let elsewhere = PurseConfig {
			genesis: Hash([1; 32]),
			..config.clone()
		};
		assert_eq!(restore(elsewhere, key.clone(), &stored), Err(PurseError::WrongState));
		assert_eq!(
			restore(config.clone(), key.clone(), &stored[1..]),
			Err(PurseError::WrongState)
		);
		let longer = [&stored[..], &[0]].concat();
		assert_eq!(restore(config, key, &longer), Err(PurseError::WrongState));
	}

	#[test]
	fn worth_beyond_all_numbers_is_refused() {
		let mut purse = purse(fixture::purse_config());
		let due = Due {
			share: Share::Ticket {
				bytes: 65_536,
				face_value: u128::MAX,
				win_probability: 2,
			},
			..due(1)
		};
		assert_eq!(pay(&mut purse, &due, 1), Err(PurseError::Overflow));
	}

	/// 1,000 micro-USDC for a million bytes, by voucher.
	fn by_voucher() -> Due {
		Due {
			share: Share::Voucher {
				bytes: 1_000_000,
				amount: 1_000,
			},
			..due(1_000)
		}
	}

	fn voucher(purse: &mut Purse, due: &Due) -> Result<SignedVoucher, PurseError> {
		match purse.pay(due, 50)? {
			Payment::Voucher(voucher) => Ok(voucher),
			Payment::Ticket(ticket) => panic!("{ticket:?}"),
		}
	}

	#[test]
	fn vouchers_add_up_for_each_place() {
		let mut purse = purse(fixture::purse_config());
		let first = voucher(&mut purse, &by_voucher()).unwrap();
		assert_eq!(
			first.verify(&fixture::session_key().public(), &fixture::GENESIS),
			Ok(())
		);
		let message = first.message;
		assert_eq!(
			(message.sender, message.recipient),
			(fixture::SENDER, fixture::RECIPIENT)
		);
		assert_eq!((message.amount, message.bytes, message.expiry), (1_000, 1_000_000, 360));
		let second = voucher(&mut purse, &by_voucher()).unwrap().message;
		assert_eq!((second.amount, second.bytes), (2_000, 2_000_000));
		// Anywhere else they begin at nothing, and here they go on.
		let elsewhere: [fn(&mut Due); 5] = [
			|due| due.window.stream.0 += 1,
			|due| due.recipient.0[0] ^= 1,
			|due| due.kind = Kind::REPLAY,
			|due| due.context.0[0] ^= 1,
			|due| due.terms += 1,
		];
		for change in elsewhere {
			let mut due = by_voucher();
			change(&mut due);
			let place = voucher(&mut purse, &due).unwrap().message.place();
			assert_eq!(
				(place.recipient, place.stream, place.kind, place.context, place.terms),
				(due.recipient, due.window.stream, due.kind, due.context, due.terms)
			);
			let again = voucher(&mut purse, &due).unwrap().message;
			assert_eq!((again.amount, again.bytes, again.place()), (2_000, 2_000_000, place));
		}
		assert_eq!(voucher(&mut purse, &by_voucher()).unwrap().message.amount, 3_000);
		assert_eq!(purse.spent(), 13_000);
	}

	#[test]
	fn tickets_and_vouchers_share_one_budget() {
		let mut purse = purse(PurseConfig {
			budget: 2_000,
			..fixture::purse_config()
		});
		voucher(&mut purse, &by_voucher()).unwrap();
		pay(&mut purse, &due(1_000), 50).unwrap();
		let spent = PurseError::BudgetSpent(2_000);
		assert_eq!(pay(&mut purse, &due(1), 50), Err(spent));
		assert_eq!(voucher(&mut purse, &by_voucher()), Err(spent));
		purse.config_mut().budget = 3_000;
		assert_eq!(voucher(&mut purse, &by_voucher()).unwrap().message.amount, 2_000);
	}

	#[test]
	fn purse_that_lost_vouchers_goes_on_from_the_one_it_is_shown() {
		let mut first = purse(fixture::purse_config());
		let stored = first.reserve(&RECIPIENT, 50).unwrap();
		voucher(&mut first, &by_voucher()).unwrap();
		let newest = voucher(&mut first, &by_voucher()).unwrap();
		let mut second = Purse::restore(fixture::purse_config(), fixture::session_key(), &stored).unwrap();
		second.adopt(&newest).unwrap();
		second.adopt(&newest).unwrap();
		assert_eq!(second.spent(), 2_000);
		let next = voucher(&mut second, &by_voucher()).unwrap();
		assert_eq!((next.message.amount, next.message.bytes), (3_000, 3_000_000));
		// An old one changes nothing.
		second.adopt(&newest).unwrap();
		assert_eq!(voucher(&mut second, &by_voucher()).unwrap().message.amount, 4_000);
		let mut forged = next;
		forged.message.amount += 1;
		assert_eq!(second.adopt(&forged), Err(PurseError::WrongVoucher));
		let mut kept = Purse::restore(fixture::purse_config(), fixture::session_key(), &second.state()).unwrap();
		assert_eq!(voucher(&mut kept, &by_voucher()).unwrap().message.amount, 5_000);
	}

	#[test]
	fn purse_that_lost_some_vouchers_spent_no_more_than_they_say() {
		let mut first = purse(fixture::purse_config());
		first.reserve(&RECIPIENT, 50).unwrap();
		voucher(&mut first, &by_voucher()).unwrap();
		let stored = first.state();
		voucher(&mut first, &by_voucher()).unwrap();
		let newest = voucher(&mut first, &by_voucher()).unwrap();
		let mut second = Purse::restore(fixture::purse_config(), fixture::session_key(), &stored).unwrap();
		assert_eq!(second.spent(), 1_000);
		second.adopt(&newest).unwrap();
		assert_eq!((second.spent(), first.spent()), (3_000, 3_000));
	}

	#[test]
	fn places_that_were_not_used_for_long_are_forgotten() {
		let mut purse = purse(fixture::purse_config());
		let mut at = |stream: u64| {
			let mut due = by_voucher();
			due.window.stream = StreamId(stream);
			voucher(&mut purse, &due).unwrap().message.amount
		};
		assert_eq!((at(0), at(1)), (1_000, 1_000));
		for stream in 2..MAX_PLACES as u64 {
			at(stream);
		}
		assert_eq!(at(0), 2_000, "used again");
		at(MAX_PLACES as u64);
		assert_eq!((at(0), at(1)), (3_000, 1_000), "the relayer shows it the newest");
	}

	#[test]
	fn vouchers_end_with_the_session_and_are_stored_now_and_then() {
		let mut purse = purse(PurseConfig {
			session_expiry: 60,
			..fixture::purse_config()
		});
		assert!(voucher(&mut purse, &by_voucher()).is_ok());
		assert_eq!(purse.pay(&by_voucher(), 61), Err(PurseError::SessionExpired(60)));
		assert!(purse.reserve(&RECIPIENT, 50).is_some());
		for _ in 0..RESERVATION {
			assert!(purse.reserve(&RECIPIENT, 50).is_none());
			voucher(&mut purse, &by_voucher()).unwrap();
		}
		assert!(purse.reserve(&RECIPIENT, 50).is_some());
	}

	#[derive(Clone, Debug)]
	enum Step {
		Pay,
		Crash,
		Advance(u8),
		GoBack(u8),
	}

	proptest! {
		#![proptest_config(ProptestConfig::with_cases(32))]
		/// Whatever is lost in a crash and whatever the chain's head does: no nonce is signed twice.
		#[test]
		fn no_nonce_is_ever_signed_twice(steps in prop::collection::vec(prop_oneof![
			6 => Just(Step::Pay),
			1 => Just(Step::Crash),
			2 => any::<u8>().prop_map(Step::Advance),
			1 => any::<u8>().prop_map(Step::GoBack),
		], 1..150)) {
			let mut purse = purse(fixture::purse_config());
			let (mut stored, mut block, mut seen) = (None::<Vec<u8>>, 400u32, HashSet::new());
			for step in steps {
				match step {
					Step::Advance(by) => block += u32::from(by),
					Step::GoBack(by) => block = block.saturating_sub(by.into()),
					Step::Crash => {
						let (config, key) = (fixture::purse_config(), fixture::session_key());
						purse = match &stored {
							Some(state) => Purse::restore(config, key, state).unwrap(),
							None => Purse::new(config, key),
						};
					},
					Step::Pay => {
						if let Some(state) = purse.reserve(&RECIPIENT, block) {
							stored = Some(state);
						}
						let ticket = pay(&mut purse, &due(1), block).unwrap().message;
						prop_assert_eq!(ticket.expiry % EXPIRY_GRID, 0);
						prop_assert!(seen.insert(ticket.nonce));
					},
				}
			}
		}
	}
}
