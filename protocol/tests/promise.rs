//! The play of `promise/` against a model of the chain's rules. `CLUSTERCAST_SEQUENCES` says how many (300); the name of a
//! failed one is its seed.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "promise/play.rs"]
mod play;

use clustercast_primitives::{
	chain::{ChannelInfo, ChannelKey, SessionInfo, Unlocking, ViewerAccount, VoucherPlace},
	channel::{Close, Release, Reservation},
	nonces::Nonces,
	AccountId, Balance, BlockNumber, PublicKey, Ticket, Voucher,
};
use play::{Chain, Play, BOUND, LEAST, TICKET_LIFE};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// Blocks from closing to the end.
const CHANNEL_DELAY: BlockNumber = 1_200;

/// Blocks from announcing a withdrawal to making it.
const UNLOCK_DELAY: BlockNumber = 1_200;

/// Blocks that finality is behind.
const LAG: BlockNumber = 6;

#[derive(Clone, Default)]
struct Account {
	/// All that is held, what is reserved included.
	deposit: Balance,
	reserved: Balance,
	unlocking: Option<(Balance, BlockNumber)>,
}

impl Account {
	fn free(&self) -> Balance {
		self.deposit - self.reserved
	}
}

#[derive(Clone)]
struct Session {
	owner: AccountId,
	limit: Balance,
	/// What is reserved included.
	spent: Balance,
	expiry: BlockNumber,
	registered: BlockNumber,
}

#[derive(Clone, Default)]
struct Channel {
	counter: u32,
	cap: Balance,
	paid: Balance,
	open: Balance,
	closes_at: Option<BlockNumber>,
	nonces: Nonces,
}

#[derive(Clone, Default)]
struct State {
	block: BlockNumber,
	accounts: BTreeMap<AccountId, Account>,
	sessions: BTreeMap<PublicKey, Session>,
	channels: BTreeMap<(PublicKey, AccountId), Channel>,
	paid: BTreeMap<VoucherPlace, Balance>,
	/// Session, recipient and nonce.
	redeemed: BTreeSet<(PublicKey, AccountId, u64)>,
	terms: u32,
	/// First block of the terms that hold.
	since: BlockNumber,
	/// First block without them.
	ended: BTreeMap<u32, BlockNumber>,
}

impl State {
	fn ends_at(&self, session: &PublicKey, channel: &Channel) -> BlockNumber {
		let session = self.sessions[session].expiry + CHANNEL_DELAY - TICKET_LIFE;
		channel.closes_at.map_or(session, |closes_at| closes_at.min(session))
	}

	fn free(&mut self, key: (PublicKey, AccountId), open: Balance) {
		let channel = self.channels.get_mut(&key).unwrap();
		let freed = channel.open.saturating_sub(open);
		channel.open -= freed;
		let session = self.sessions.get_mut(&key.0).unwrap();
		session.spent -= freed;
		self.accounts.get_mut(&session.owner).unwrap().reserved -= freed;
	}

	/// Channels whose time is over reserve nothing.
	fn end(&mut self) {
		let over = self.channels.iter();
		let over: Vec<_> = over
			.filter(|((session, _), channel)| channel.open > 0 && self.ends_at(session, channel) <= self.block)
			.map(|(key, _)| *key)
			.collect();
		for key in over {
			self.free(key, 0);
			let channel = self.channels.get_mut(&key).unwrap();
			channel.cap = channel.cap.min(channel.paid);
		}
	}

	/// Pays up to this much, from the channel first; with `whole` all or nothing. How much.
	fn pay(&mut self, session: PublicKey, recipient: AccountId, amount: Balance, whole: bool) -> Balance {
		let Some(known) = self.sessions.get_mut(&session) else {
			return 0;
		};
		let account = self.accounts.get_mut(&known.owner).unwrap();
		let channel = self.channels.entry((session, recipient)).or_default();
		let free = (known.limit - known.spent).min(account.free());
		let payable = amount.min(channel.open + free);
		if whole && payable < amount {
			return 0;
		}
		let reserved = payable.min(channel.open);
		channel.open -= reserved;
		channel.paid += payable;
		known.spent += payable - reserved;
		account.reserved -= reserved;
		account.deposit -= payable;
		payable
	}

	/// A payment that was signed for so long is good now.
	fn is_signed(&self, session: &PublicKey, sender: &AccountId, expiry: BlockNumber) -> bool {
		let lives = expiry >= self.block && expiry - self.block <= TICKET_LIFE && expiry.is_multiple_of(60);
		let session = self.sessions.get(session);
		lives && session.is_some_and(|session| session.owner == *sender && session.expiry >= expiry)
	}
}

#[derive(Default)]
struct Model {
	state: State,
	/// Oldest first; the first one is final.
	past: VecDeque<State>,
}

impl Model {
	fn last(&self) -> &State {
		self.past.front().unwrap_or(&self.state)
	}
}

impl Chain for Model {
	fn now(&self) -> BlockNumber {
		self.state.block
	}

	fn finalised(&self) -> BlockNumber {
		self.past.front().map_or(0, |state| state.block)
	}

	fn advance(&mut self, blocks: BlockNumber) {
		self.past.push_back(self.state.clone());
		self.state.block += blocks;
		self.state.end();
		let final_at = self.state.block.saturating_sub(LAG);
		while self.past.get(1).is_some_and(|next| next.block <= final_at) {
			self.past.pop_front();
		}
	}

	fn terms(&self) -> u32 {
		self.state.terms
	}

	fn ended(&self, terms: u32) -> Option<BlockNumber> {
		self.state.ended.get(&terms).copied()
	}

	fn change_terms(&mut self) {
		let state = &mut self.state;
		if state.block >= state.since + TICKET_LIFE {
			state.ended.insert(state.terms, state.block);
			(state.terms, state.since) = (state.terms + 1, state.block);
		}
	}

	fn authorize(&mut self, owner: AccountId, session: PublicKey, limit: Balance, life: BlockNumber) {
		let registered = self.state.block;
		let session_info = Session {
			owner,
			limit,
			spent: 0,
			expiry: registered + life,
			registered,
		};
		self.state.sessions.insert(session, session_info);
	}

	fn revoke(&mut self, session: PublicKey) {
		let last = self.state.block + TICKET_LIFE;
		let session = self.state.sessions.get_mut(&session).unwrap();
		session.expiry = session.expiry.min(last);
	}

	fn deposit(&mut self, account: AccountId, amount: Balance) {
		self.state.accounts.entry(account).or_default().deposit += amount;
	}

	fn unlock(&mut self, account: AccountId, amount: Balance) {
		let at = self.state.block + UNLOCK_DELAY;
		self.state.accounts.get_mut(&account).unwrap().unlocking = Some((amount, at));
	}

	fn withdraw(&mut self, account: AccountId) {
		let now = self.state.block;
		let account = self.state.accounts.get_mut(&account).unwrap();
		if let Some((amount, _)) = account.unlocking.take_if(|(_, at)| *at <= now) {
			account.deposit -= amount.min(account.free());
		}
	}

	fn tip(&mut self, account: AccountId, amount: Balance) {
		let account = self.state.accounts.get_mut(&account).unwrap();
		if account.free() >= amount {
			account.deposit -= amount;
		}
	}

	fn reserve(&mut self, reservation: &Reservation) -> bool {
		let state = &mut self.state;
		let Some(session) = state.sessions.get_mut(&reservation.session) else {
			return false;
		};
		let account = state.accounts.get_mut(&session.owner).unwrap();
		let key = (reservation.session, reservation.recipient);
		let channel = state.channels.entry(key).or_default();
		let open = reservation.cap.saturating_sub(channel.paid);
		let more = open.saturating_sub(channel.open);
		let cost = more + reservation.reward;
		let good = session.owner == reservation.sender
			&& session.expiry >= state.block
			&& reservation.submit_by >= state.block
			&& reservation.counter > channel.counter
			&& reservation.cap > channel.cap
			&& more > 0
			&& open >= LEAST
			&& session.limit - session.spent >= cost
			&& account.free() >= cost;
		if good {
			session.spent += cost;
			account.deposit -= reservation.reward;
			account.reserved += more;
			(channel.counter, channel.cap, channel.open) = (reservation.counter, reservation.cap, open);
			channel.closes_at = None;
		}
		good
	}

	fn close(&mut self, close: &Close) {
		let closes_at = self.state.block + CHANNEL_DELAY;
		if let Some(channel) = self.state.channels.get_mut(&(close.session, close.recipient)) {
			if channel.counter > 0 && channel.counter == close.counter && channel.closes_at.is_none() {
				channel.closes_at = Some(closes_at);
			}
		}
	}

	fn release(&mut self, release: &Release) {
		let key = (release.session, release.recipient);
		let registered = self.state.sessions[&release.session].registered;
		let Some(channel) = self.state.channels.get_mut(&key) else {
			return;
		};
		if registered == release.registered && channel.counter == release.counter && release.kept <= channel.cap {
			channel.cap = release.kept.max(channel.paid);
			let open = channel.open.min(channel.cap - channel.paid);
			self.state.free(key, open);
		}
	}

	fn redeem_vouchers(&mut self, vouchers: &[Voucher]) {
		for voucher in vouchers {
			let state = &mut self.state;
			let place = voucher.place();
			let paid = state.paid.get(&place).copied().unwrap_or(0);
			let more = voucher.amount.saturating_sub(paid);
			let ended = state.ended.get(&voucher.terms).copied();
			let held = state.channels.get(&(voucher.session, voucher.recipient));
			let held = held.map_or(0, |channel| channel.open);
			let least = if ended.is_some() || held >= more { 1 } else { LEAST };
			let late = ended.is_some_and(|end| state.block >= end + TICKET_LIFE);
			if more >= least && !late && state.is_signed(&voucher.session, &voucher.sender, voucher.expiry) {
				let payable = state.pay(voucher.session, voucher.recipient, more, false);
				*state.paid.entry(place).or_default() += payable;
			}
		}
	}

	fn redeem_tickets(&mut self, tickets: &[Ticket]) {
		for ticket in tickets {
			let state = &mut self.state;
			let key = (ticket.session, ticket.recipient);
			let nonces = state
				.channels
				.get(&key)
				.map_or_else(Nonces::default, |channel| channel.nonces);
			let good = state.is_signed(&ticket.session, &ticket.sender, ticket.expiry)
				&& ticket.face_value >= LEAST
				&& nonces.check(ticket.nonce).is_ok();
			if good && state.pay(ticket.session, ticket.recipient, ticket.face_value, true) > 0 {
				state.channels.get_mut(&key).unwrap().nonces.insert(ticket.nonce);
				state.redeemed.insert((ticket.session, ticket.recipient, ticket.nonce));
			}
		}
	}

	fn account(&self, account: AccountId) -> ViewerAccount {
		let state = &self.state;
		let sessions = state.sessions.iter().filter(|(_, session)| session.owner == account);
		let sessions = sessions.map(|(key, session)| SessionInfo {
			key: *key,
			limit: session.limit,
			spent: session.spent,
			extra_limit: 0,
			extra_spent: 0,
			expiry: session.expiry,
			registered: session.registered,
		});
		let known = state.accounts.get(&account).cloned().unwrap_or_default();
		ViewerAccount {
			free: 0,
			deposit: known.deposit,
			reserved: known.reserved,
			unlocking: known
				.unlocking
				.map(|(amount, unlocks_at)| Unlocking { amount, unlocks_at }),
			sessions: sessions.collect(),
		}
	}

	fn channel(&self, key: ChannelKey) -> Option<ChannelInfo> {
		let state = self.last();
		let channel = state.channels.get(&(key.session, key.recipient))?;
		Some(ChannelInfo {
			counter: channel.counter,
			cap: channel.cap,
			paid: channel.paid,
			open: channel.open,
			ends_at: state.ends_at(&key.session, channel),
			registered: state.sessions[&key.session].registered,
			next_nonce: channel.nonces.next(),
		})
	}

	fn paid(&self, place: VoucherPlace) -> Balance {
		self.last().paid.get(&place).copied().unwrap_or(0)
	}

	fn redeemed(&self, ticket: &Ticket) -> bool {
		let key = (ticket.session, ticket.recipient, ticket.nonce);
		self.last().redeemed.contains(&key)
	}
}

fn sequences() -> u64 {
	let asked = std::env::var("CLUSTERCAST_SEQUENCES");
	asked.map_or(300, |text| text.parse().expect("a number"))
}

#[test]
fn honest_relayer_loses_no_more_than_its_float_in_any_hour() {
	let (mut worst, mut reserved, mut released, mut losing) = (0, 0, 0, 0);
	let (mut delivered, mut paid) = (0, 0);
	for seed in 0..sequences() {
		let outcome = Play::new(Model::default(), seed).run(150);
		let lost = outcome.worst_hour();
		assert!(lost <= BOUND, "sequence {seed}: {lost} lost in an hour of {BOUND}");
		worst = lost.max(worst);
		losing += u64::from(lost > 0);
		reserved += outcome.reserved;
		released += outcome.released;
		delivered += outcome.delivered;
		paid += outcome.paid;
	}
	println!("worst hour {worst} of {BOUND}; {losing} lost something; {delivered} delivered, {paid} paid");
	println!("{reserved} reservations, {released} released");
	// The play reaches what it is made for.
	assert!(worst > BOUND / 10 && losing > sequences() / 3, "{worst} {losing}");
	assert!(reserved > 0 && released > 0 && paid > delivered / 10);
}
