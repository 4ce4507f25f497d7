//! A model of the chain's rules as far as the play reaches them: what a reader of the documents would write, without a line
//! of the broker. The broker is compared with it, call by call.

use super::play::{Chain, LEAST, TICKET_LIFE};
use clustercast_primitives::{
	chain::{ChannelInfo, ChannelKey, SessionInfo, Unlocking, ViewerAccount, VoucherPlace},
	channel::{Close, Release, Reservation},
	crypto::KeyPair,
	nonces::Nonces,
	AccountId, Balance, BlockNumber, PublicKey, Ticket, Voucher,
};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// The first block.
pub const START: BlockNumber = 1_200;

/// Blocks from closing to the end.
const CHANNEL_DELAY: BlockNumber = 1_200;

/// Blocks from announcing a withdrawal to making it.
const UNLOCK_DELAY: BlockNumber = 1_200;

/// Blocks that finality is behind.
pub const LAG: BlockNumber = 6;

/// Sessions of an account.
const MAX_SESSIONS: usize = 8;

/// What can be seen of the chain in one block.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct View {
	/// Free money left out; sessions by key.
	pub accounts: BTreeMap<AccountId, ViewerAccount>,
	pub channels: BTreeMap<(PublicKey, AccountId), ChannelInfo>,
	/// By voucher; places where nothing was paid are left out.
	pub paid: BTreeMap<VoucherPlace, Balance>,
	/// Session, recipient and nonce.
	pub redeemed: BTreeSet<(PublicKey, AccountId, u64)>,
}

#[derive(Clone, Default)]
struct Account {
	/// All that is held, what is reserved included.
	deposit: Balance,
	reserved: Balance,
	/// As asked for.
	unlocking: Option<(Balance, BlockNumber)>,
}

impl Account {
	fn free(&self) -> Balance {
		self.deposit - self.reserved
	}

	/// What is left of what was asked for.
	fn unlocking(&self) -> Option<(Balance, BlockNumber)> {
		self.unlocking.map(|(amount, at)| (amount.min(self.deposit), at))
	}

	/// Takes so much of what is free.
	fn spend(&mut self, amount: Balance) {
		self.deposit -= amount;
		if self.deposit == 0 {
			self.unlocking = None;
		}
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

impl Session {
	fn ends_at(&self) -> BlockNumber {
		self.expiry + CHANNEL_DELAY - TICKET_LIFE
	}
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

#[derive(Clone)]
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

impl Default for State {
	fn default() -> Self {
		Self {
			block: START,
			accounts: BTreeMap::new(),
			sessions: BTreeMap::new(),
			channels: BTreeMap::new(),
			paid: BTreeMap::new(),
			redeemed: BTreeSet::new(),
			terms: 0,
			since: 0,
			ended: BTreeMap::new(),
		}
	}
}

impl State {
	fn ends_at(&self, session: &PublicKey, channel: &Channel) -> BlockNumber {
		let session = self.sessions[session].ends_at();
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

	/// Channels whose time is over reserve nothing; sessions whose time is over are forgotten with all that they did.
	fn end(&mut self) {
		let closed = |channel: &Channel| channel.closes_at.is_some_and(|closes_at| closes_at <= self.block);
		let over = self.channels.iter().filter(|(_, channel)| closed(channel));
		let over: Vec<_> = over.map(|(key, _)| *key).collect();
		for key in over {
			self.free(key, 0);
			let channel = self.channels.get_mut(&key).unwrap();
			channel.cap = channel.cap.min(channel.paid);
		}
		let over = self
			.sessions
			.iter()
			.filter(|(_, session)| session.ends_at() <= self.block);
		let over: BTreeSet<PublicKey> = over.map(|(key, _)| *key).collect();
		let channels: Vec<_> = self.channels.keys().filter(|(key, _)| over.contains(key)).collect();
		for key in channels.into_iter().copied().collect::<Vec<_>>() {
			self.free(key, 0);
		}
		self.channels.retain(|(session, _), _| !over.contains(session));
		self.paid.retain(|place, _| !over.contains(&place.session));
		self.sessions.retain(|session, _| !over.contains(session));
	}

	/// Pays up to this much, from the channel first; with `whole` all or nothing. How much.
	fn pay(&mut self, session: PublicKey, recipient: AccountId, amount: Balance, whole: bool) -> Balance {
		let Some(known) = self.sessions.get_mut(&session) else {
			return 0;
		};
		let account = self.accounts.get_mut(&known.owner).unwrap();
		let open = self
			.channels
			.get(&(session, recipient))
			.map_or(0, |channel| channel.open);
		let free = (known.limit - known.spent).min(account.free());
		let payable = amount.min(open + free);
		if payable == 0 || (whole && payable < amount) {
			return 0;
		}
		let channel = self.channels.entry((session, recipient)).or_default();
		let reserved = payable.min(channel.open);
		channel.open -= reserved;
		channel.paid += payable;
		known.spent += payable - reserved;
		account.reserved -= reserved;
		account.spend(payable);
		payable
	}

	/// A payment that was signed for so long is good now.
	fn is_signed(&self, session: &PublicKey, sender: &AccountId, expiry: BlockNumber) -> bool {
		let lives = expiry >= self.block && expiry - self.block <= TICKET_LIFE && expiry.is_multiple_of(60);
		let session = self.sessions.get(session);
		lives && session.is_some_and(|session| session.owner == *sender && session.expiry >= expiry)
	}

	/// A session of this account signed something that must be handed in by this block.
	fn speaks(&self, session: &PublicKey, sender: &AccountId, submit_by: BlockNumber) -> bool {
		let session = self.sessions.get(session);
		let lives = submit_by >= self.block && submit_by - self.block <= TICKET_LIFE;
		lives && session.is_some_and(|session| session.owner == *sender && session.expiry >= self.block)
	}

	fn redeem_voucher(&mut self, voucher: &Voucher) -> Balance {
		let place = voucher.place();
		let paid = self.paid.get(&place).copied().unwrap_or(0);
		let more = voucher.amount.saturating_sub(paid);
		let ended = self.ended.get(&voucher.terms).copied();
		let held = self.channels.get(&(voucher.session, voucher.recipient));
		let held = held.map_or(0, |channel| channel.open);
		let least = if ended.is_some() || held >= more { 1 } else { LEAST };
		let late = ended.is_some_and(|end| self.block >= end + TICKET_LIFE);
		let signed = self.is_signed(&voucher.session, &voucher.sender, voucher.expiry);
		if more == 0 || more < least || late || !signed {
			return 0;
		}
		let payable = self.pay(voucher.session, voucher.recipient, more, false);
		if payable > 0 {
			*self.paid.entry(place).or_default() += payable;
		}
		payable
	}

	fn redeem_ticket(&mut self, ticket: &Ticket) -> Balance {
		let key = (ticket.session, ticket.recipient);
		let nonces = self.channels.get(&key).map(|channel| channel.nonces);
		let good = self.is_signed(&ticket.session, &ticket.sender, ticket.expiry)
			&& ticket.face_value >= LEAST
			&& nonces.unwrap_or_default().check(ticket.nonce).is_ok();
		let paid = match good {
			true => self.pay(ticket.session, ticket.recipient, ticket.face_value, true),
			false => 0,
		};
		if paid > 0 {
			self.channels.get_mut(&key).unwrap().nonces.insert(ticket.nonce);
			self.redeemed.insert((ticket.session, ticket.recipient, ticket.nonce));
		}
		paid
	}

	fn account(&self, account: &AccountId) -> ViewerAccount {
		let sessions = self.sessions.iter().filter(|(_, session)| session.owner == *account);
		let sessions = sessions.map(|(key, session)| SessionInfo {
			key: *key,
			limit: session.limit,
			spent: session.spent,
			extra_limit: 0,
			extra_spent: 0,
			expiry: session.expiry,
			registered: session.registered,
		});
		let known = self.accounts.get(account).cloned().unwrap_or_default();
		ViewerAccount {
			free: 0,
			deposit: known.deposit,
			reserved: known.reserved,
			unlocking: known
				.unlocking()
				.map(|(amount, unlocks_at)| Unlocking { amount, unlocks_at }),
			sessions: sessions.collect(),
		}
	}

	fn channel(&self, key: &(PublicKey, AccountId)) -> Option<ChannelInfo> {
		let channel = self.channels.get(key)?;
		Some(ChannelInfo {
			counter: channel.counter,
			cap: channel.cap,
			paid: channel.paid,
			open: channel.open,
			ends_at: self.ends_at(&key.0, channel),
			registered: self.sessions[&key.0].registered,
			next_nonce: channel.nonces.next(),
		})
	}
}

/// See the module.
#[derive(Default)]
pub struct Model {
	state: State,
	/// Oldest first; the first one is final.
	past: VecDeque<State>,
}

impl Model {
	fn last(&self) -> &State {
		self.past.front().unwrap_or(&self.state)
	}

	/// All that can be seen in the best block.
	#[allow(dead_code, reason = "who plays against the model alone compares it with nothing")]
	pub fn view(&self) -> View {
		let state = &self.state;
		let account = |who: &AccountId| (*who, state.account(who));
		let channel = |key: &(PublicKey, AccountId)| Some((*key, state.channel(key)?));
		View {
			accounts: state.accounts.keys().map(account).collect(),
			channels: state.channels.keys().filter_map(channel).collect(),
			paid: state.paid.clone(),
			redeemed: state.redeemed.clone(),
		}
	}
}

impl Chain for Model {
	fn now(&self) -> BlockNumber {
		self.state.block
	}

	fn finalised(&self) -> BlockNumber {
		self.last().block
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

	fn authorize(&mut self, owner: AccountId, session: &KeyPair, limit: Balance, life: BlockNumber) -> bool {
		let session = session.public();
		let registered = self.state.block;
		let others = self.state.sessions.values().filter(|known| known.owner == owner);
		if self.state.sessions.contains_key(&session) || others.count() >= MAX_SESSIONS {
			return false;
		}
		let session_info = Session {
			owner,
			limit,
			spent: 0,
			expiry: registered + life,
			registered,
		};
		self.state.sessions.insert(session, session_info);
		true
	}

	fn revoke(&mut self, account: AccountId, session: PublicKey) -> bool {
		let last = self.state.block + TICKET_LIFE;
		let session = self.state.sessions.get_mut(&session);
		let Some(session) = session.filter(|session| session.owner == account) else {
			return false;
		};
		session.expiry = session.expiry.min(last);
		true
	}

	fn deposit(&mut self, account: AccountId, amount: Balance) -> bool {
		let account = self.state.accounts.entry(account).or_default();
		// New money does not take the place of what was asked for and spent.
		account.unlocking = account.unlocking();
		account.deposit += amount;
		true
	}

	fn unlock(&mut self, account: AccountId, amount: Balance) -> bool {
		let at = self.state.block + UNLOCK_DELAY;
		let account = self.state.accounts.get_mut(&account).unwrap();
		let good = account.unlocking.is_none() && (1..=account.deposit).contains(&amount);
		if good {
			account.unlocking = Some((amount, at));
		}
		good
	}

	fn withdraw(&mut self, account: AccountId) -> bool {
		let now = self.state.block;
		let account = self.state.accounts.get_mut(&account).unwrap();
		let Some((amount, at)) = account.unlocking().filter(|(_, at)| *at <= now) else {
			return false;
		};
		let taken = amount.min(account.free());
		let left = amount - taken;
		if taken == 0 && left > 0 {
			return false;
		}
		account.unlocking = (left > 0).then_some((left, at));
		account.spend(taken);
		true
	}

	fn tip(&mut self, account: AccountId, amount: Balance) -> bool {
		let account = self.state.accounts.get_mut(&account).unwrap();
		let good = amount >= LEAST && account.free() >= amount;
		if good {
			account.spend(amount);
		}
		good
	}

	fn reserve(&mut self, reservation: &Reservation) -> bool {
		let state = &mut self.state;
		if !state.speaks(&reservation.session, &reservation.sender, reservation.submit_by) {
			return false;
		}
		let session = state.sessions.get_mut(&reservation.session).unwrap();
		let account = state.accounts.get_mut(&session.owner).unwrap();
		let key = (reservation.session, reservation.recipient);
		let known = state.channels.get(&key).cloned().unwrap_or_default();
		let open = reservation.cap.saturating_sub(known.paid);
		let more = open.saturating_sub(known.open);
		let cost = more + reservation.reward;
		let good = reservation.counter > known.counter
			&& reservation.cap > known.cap
			&& more > 0
			&& open >= LEAST
			&& session.limit - session.spent >= cost
			&& account.free() >= cost;
		if good {
			session.spent += cost;
			account.deposit -= reservation.reward;
			account.reserved += more;
			let channel = Channel {
				counter: reservation.counter,
				cap: reservation.cap,
				open,
				closes_at: None,
				..known
			};
			state.channels.insert(key, channel);
		}
		good
	}

	fn close(&mut self, close: &Close) -> bool {
		let state = &mut self.state;
		let closes_at = state.block + CHANNEL_DELAY;
		if !state.speaks(&close.session, &close.sender, close.submit_by) {
			return false;
		}
		let channel = state.channels.get_mut(&(close.session, close.recipient));
		let open = |channel: &&mut Channel| {
			channel.counter > 0 && channel.counter == close.counter && channel.closes_at.is_none()
		};
		let Some(channel) = channel.filter(open) else {
			return false;
		};
		channel.closes_at = Some(closes_at);
		true
	}

	fn release(&mut self, release: &Release) -> bool {
		let state = &mut self.state;
		let key = (release.session, release.recipient);
		let session = state.sessions.get(&release.session);
		let registered = session.is_some_and(|session| session.registered == release.registered);
		let Some(channel) = state.channels.get_mut(&key).filter(|_| registered) else {
			return false;
		};
		let good = channel.counter > 0 && channel.counter == release.counter && release.kept <= channel.cap;
		if good {
			channel.cap = release.kept.max(channel.paid);
			let open = channel.open.min(channel.cap - channel.paid);
			state.free(key, open);
		}
		good
	}

	fn redeem_vouchers(&mut self, vouchers: &[Voucher]) -> Vec<Balance> {
		let state = &mut self.state;
		vouchers.iter().map(|voucher| state.redeem_voucher(voucher)).collect()
	}

	fn redeem_tickets(&mut self, tickets: &[Ticket]) -> Vec<Balance> {
		let state = &mut self.state;
		tickets.iter().map(|ticket| state.redeem_ticket(ticket)).collect()
	}

	fn account(&self, account: AccountId) -> ViewerAccount {
		self.state.account(&account)
	}

	fn channel(&self, key: ChannelKey) -> Option<ChannelInfo> {
		self.last().channel(&(key.session, key.recipient))
	}

	fn paid(&self, place: VoucherPlace) -> Balance {
		self.last().paid.get(&place).copied().unwrap_or(0)
	}

	fn redeemed(&self, ticket: &Ticket) -> bool {
		let key = (ticket.session, ticket.recipient, ticket.nonce);
		self.last().redeemed.contains(&key)
	}
}
