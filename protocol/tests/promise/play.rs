//! An honest relayer that keeps to its [`Credit`], among any number of viewers' accounts, an accomplice relayer and a
//! broadcaster, all of whom do whatever they like in any order. Whatever they do, it loses no more in any hour than its
//! [`Float`] says for strangers and for those who have reserved something.
//!
//! The chain is behind a trait. Messages come unsigned; whoever implements the trait signs them where signatures are looked
//! at.
//!
//! What the relayer knows of the chain is as old as it is in truth: channels are those of the finalised block, accounts were
//! looked at up to [`STALE`] blocks ago.

use clustercast_primitives::{
	chain::{ChannelInfo, ChannelKey, ViewerAccount, VoucherPlace},
	channel::{Close, Release, Reservation},
	nonces::{Nonces, WINDOW},
	receipt::Kind,
	AccountId, Balance, BlockNumber, Hash, PublicKey, StreamId, Ticket, Voucher,
};
use clustercast_protocol::{credit::HOUR, Credit, CreditConfig, Float, ReserveTerms, SessionKey, Share};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::collections::BTreeMap;

/// Is paid by those whom it serves.
pub const HONEST: AccountId = AccountId([0xa1; 32]);

/// Redeems whatever empties a deposit.
pub const ACCOMPLICE: AccountId = AccountId([0xb2; 32]);

/// What is watched.
pub const STREAM: StreamId = StreamId(1);

/// Blocks that a payment may live, and that vouchers of terms that ended are paid.
pub const TICKET_LIFE: BlockNumber = 600;

/// Least that the chain pays of a voucher at a time.
pub const LEAST: Balance = 1_000;

/// Fewest blocks that a payment must have left.
const MIN_LIFE: BlockNumber = 150;

/// Payments this close to their expiry are redeemed whatever they are worth.
const EXPIRY_MARGIN: BlockNumber = 120;

/// Blocks between two looks of the relayer.
const TICK: BlockNumber = 10;

/// Blocks after which the relayer looks at an account again: what happens to it meanwhile, it does not know.
const STALE: BlockNumber = 10;

const FLOAT: Float = Float {
	bytes: 8 << 20,
	value: 10_000,
	per_hour: 15_000,
};

const CREDIT: CreditConfig = CreditConfig {
	float: FLOAT,
	margin: 300,
	least: WORTH,
	max_sessions: 1_000,
};

/// Least that a voucher owes to be handed in.
const WORTH: Balance = 400;

/// Of a winning ticket.
const FACE_VALUE: Balance = 5_000;

const ASKED: ReserveTerms = ReserveTerms {
	least: LEAST,
	reward: 100,
};

/// The chain as the play needs it. Calls run in the best block and fail without effect.
pub trait Chain {
	/// Best block.
	fn now(&self) -> BlockNumber;
	/// Last finalised block.
	fn finalised(&self) -> BlockNumber;
	/// So many blocks pass.
	fn advance(&mut self, blocks: BlockNumber);
	/// Counter of the stream's terms.
	fn terms(&self) -> u32;
	/// First block in which these terms do not hold any more.
	fn ended(&self, terms: u32) -> Option<BlockNumber>;
	/// The broadcaster changes the terms, where it may.
	fn change_terms(&mut self);
	/// Makes a session of an account, with this limit, for so many blocks.
	fn authorize(&mut self, account: AccountId, session: PublicKey, limit: Balance, life: BlockNumber);
	/// Ends a session as soon as that can be.
	fn revoke(&mut self, session: PublicKey);
	/// Adds to a deposit.
	fn deposit(&mut self, account: AccountId, amount: Balance);
	/// Announces a withdrawal.
	fn unlock(&mut self, account: AccountId, amount: Balance);
	/// Makes it.
	fn withdraw(&mut self, account: AccountId);
	/// Gives money from the deposit away, at once.
	fn tip(&mut self, account: AccountId, amount: Balance);
	/// Whether it stands.
	fn reserve(&mut self, reservation: &Reservation) -> bool;
	/// Begins to end a channel.
	fn close(&mut self, close: &Close);
	/// Frees what a channel reserves.
	fn release(&mut self, release: &Release);
	/// Their recipients redeem them, in this order.
	fn redeem_vouchers(&mut self, vouchers: &[Voucher]);
	/// The same for winners.
	fn redeem_tickets(&mut self, tickets: &[Ticket]);
	/// In the best block.
	fn account(&self, account: AccountId) -> ViewerAccount;
	/// In the finalised block.
	fn channel(&self, key: ChannelKey) -> Option<ChannelInfo>;
	/// What vouchers have paid, in the finalised block.
	fn paid(&self, place: VoucherPlace) -> Balance;
	/// Whether this very ticket was paid, in the finalised block.
	fn redeemed(&self, ticket: &Ticket) -> bool;
}

/// A receipt that awaits payment.
struct Owed {
	payer: SessionKey,
	commitment: Hash,
	share: Share,
	cost: Balance,
	terms: u32,
}

/// The newest voucher of a place.
struct Kept {
	voucher: Voucher,
	/// What of it is paid, as far as the relayer heard, or given up.
	settled: Balance,
}

/// What happened in a play.
#[derive(Debug, Default)]
pub struct Outcome {
	/// Block and micro-USDC of each loss.
	pub losses: Vec<(BlockNumber, Balance)>,
	/// Delivered, micro-USDC.
	pub delivered: Balance,
	/// Paid to the honest relayer, in finalised blocks.
	pub paid: Balance,
	/// Reservations that stood.
	pub reserved: u32,
	/// Channels that were released.
	pub released: u32,
}

impl Outcome {
	/// Most that was lost within an hour.
	pub fn worst_hour(&self) -> Balance {
		let from = |(block, _): &(BlockNumber, Balance)| {
			let within = self.losses.iter().filter(|(at, _)| (*block..block + HOUR).contains(at));
			within.map(|(_, value)| value).sum()
		};
		self.losses.iter().map(from).max().unwrap_or(0)
	}
}

/// The most that it may be.
pub const BOUND: Balance = 2 * FLOAT.per_hour;

/// See the module.
pub struct Play<C> {
	chain: C,
	rng: ChaCha8Rng,
	credit: Credit,
	accounts: Vec<AccountId>,
	sessions: Vec<SessionKey>,
	/// Accounts as the relayer saw them last, and in which best block. It looks again after [`STALE`].
	seen: BTreeMap<AccountId, (BlockNumber, ViewerAccount)>,
	/// Of each session: last block for which it may sign, as the relayer saw it last.
	watching: BTreeMap<usize, bool>,
	nonces: BTreeMap<PublicKey, Nonces>,
	owed: Vec<Owed>,
	kept: BTreeMap<VoucherPlace, Kept>,
	winners: Vec<Ticket>,
	serial: u64,
	/// Used by the viewers, who may repeat themselves.
	counters: BTreeMap<(PublicKey, AccountId), u32>,
	outcome: Outcome,
}

impl<C: Chain> Play<C> {
	/// Everything follows from the seed.
	pub fn new(chain: C, seed: u64) -> Self {
		Self {
			chain,
			rng: ChaCha8Rng::seed_from_u64(seed),
			credit: Credit::new(CREDIT),
			accounts: Vec::new(),
			sessions: Vec::new(),
			seen: BTreeMap::new(),
			watching: BTreeMap::new(),
			nonces: BTreeMap::new(),
			owed: Vec::new(),
			kept: BTreeMap::new(),
			winners: Vec::new(),
			serial: 0,
			counters: BTreeMap::new(),
			outcome: Outcome::default(),
		}
	}

	/// So many steps, then all the time that the relayer needs to be paid.
	pub fn run(mut self, steps: usize) -> Outcome {
		for _ in 0..steps {
			self.step();
		}
		let watching: Vec<usize> = self.watching.keys().copied().collect();
		watching.into_iter().for_each(|who| self.leave(who));
		for _ in 0..(3 * TICKET_LIFE / TICK) {
			self.pass(TICK);
		}
		assert!(self.winners.is_empty() && self.owed.is_empty(), "all is decided");
		self.outcome
	}

	fn step(&mut self) {
		match self.rng.gen_range(0..100) {
			0..=4 => self.newcomer(),
			5..=9 => self.session_of_somebody(),
			10..=19 => self.enter(),
			20..=49 => self.window(),
			50..=64 => self.pay(),
			65..=74 => self.reserve(),
			75..=79 => {
				let who = self.somebody();
				who.into_iter().for_each(|who| self.leave(who));
			},
			80..=89 => self.cheat(),
			90 => self.heist(),
			91 => self.outlive(),
			_ => {
				let blocks = *[1, 5, 40, 200, 700].get(self.rng.gen_range(0..5)).expect("five");
				self.pass(blocks);
			},
		}
	}

	/// Time passes, and the relayer looks every ten blocks.
	fn pass(&mut self, mut blocks: BlockNumber) {
		while blocks > 0 {
			let now = blocks.min(TICK);
			self.chain.advance(now);
			blocks -= now;
			self.look();
		}
	}

	fn somebody(&mut self) -> Option<usize> {
		(!self.sessions.is_empty()).then(|| self.rng.gen_range(0..self.sessions.len()))
	}

	fn newcomer(&mut self) {
		self.serial += 1;
		let mut account = AccountId([0xcc; 32]);
		account.0[..8].copy_from_slice(&self.serial.to_be_bytes());
		let deposit = self.rng.gen_range(LEAST..200_000);
		self.chain.deposit(account, deposit);
		self.accounts.push(account);
		self.new_session(account);
	}

	fn session_of_somebody(&mut self) {
		if !self.accounts.is_empty() {
			let account = self.accounts[self.rng.gen_range(0..self.accounts.len())];
			self.new_session(account);
		}
	}

	fn new_session(&mut self, account: AccountId) {
		self.serial += 1;
		let mut key = PublicKey([0xdd; 32]);
		key.0[..8].copy_from_slice(&self.serial.to_be_bytes());
		let limit = self.rng.gen_range(LEAST..300_000);
		let life = self.rng.gen_range(200..10_000);
		self.chain.authorize(account, key, limit, life);
		self.sessions.push(SessionKey { account, key });
	}

	/// Somebody subscribes at the honest relayer, which looks what is reserved in the finalised block.
	fn enter(&mut self) {
		let who = self.somebody();
		who.into_iter().for_each(|who| self.enter_as(who));
	}

	fn enter_as(&mut self, who: usize) {
		let payer = self.sessions[who];
		let account = self.chain.account(payer.account);
		self.seen.insert(payer.account, (self.chain.now(), account.clone()));
		let lasts = account.sessions.iter().find(|session| session.key == payer.key);
		let now = self.chain.now();
		if self.watching.contains_key(&who) || lasts.is_none_or(|session| session.expiry < now + MIN_LIFE) {
			return;
		}
		if self.credit.enter(&payer).is_ok() {
			self.watching.insert(who, true);
			self.follow(payer);
		}
	}

	fn follow(&mut self, payer: SessionKey) {
		let key = ChannelKey {
			session: payer.key,
			recipient: HONEST,
		};
		let info = self.chain.channel(key);
		self.credit.channel(&payer, self.chain.finalised(), info);
	}

	/// A window for somebody who watches, by voucher or by ticket, if credit allows it.
	fn window(&mut self) {
		let who = self.watcher();
		who.into_iter().for_each(|who| self.window_for(who));
	}

	fn window_for(&mut self, who: usize) {
		let payer = self.sessions[who];
		let cost = self.rng.gen_range(1..2_000);
		let bytes = cost as u64 * 512;
		let share = match self.rng.gen_bool(0.7) {
			true => Share::Voucher { bytes, amount: cost },
			false => Share::Ticket {
				bytes,
				face_value: FACE_VALUE,
				win_probability: u64::try_from((cost << 64) / FACE_VALUE).expect("below the face value"),
			},
		};
		if self.credit.grant(&payer, &share).is_err() {
			return;
		}
		self.serial += 1;
		let mut commitment = Hash([0; 32]);
		commitment.0[..8].copy_from_slice(&self.serial.to_be_bytes());
		self.credit.deliver(&payer, commitment, &share);
		self.outcome.delivered += cost;
		self.owed.push(Owed {
			payer,
			commitment,
			share,
			// As the machine counts it: rounded up.
			cost: share
				.worth_q64()
				.map_or(0, |worth| (worth >> 64) + Balance::from(worth << 64 != 0)),
			terms: self.chain.terms(),
		});
	}

	fn watcher(&mut self) -> Option<usize> {
		let all: Vec<usize> = self.watching.keys().copied().collect();
		(!all.is_empty()).then(|| all[self.rng.gen_range(0..all.len())])
	}

	/// Somebody pays one of its receipts, as the book would take it. Tickets win more often than they should.
	fn pay(&mut self) {
		if !self.owed.is_empty() {
			let at = self.rng.gen_range(0..self.owed.len());
			let life = self.rng.gen_range(MIN_LIFE..=TICKET_LIFE);
			self.pay_at(at, life);
		}
	}

	/// What is signed lives for about so long: viewers choose, the relayer judges by the account as it saw it.
	fn pay_at(&mut self, at: usize, life: BlockNumber) {
		let now = self.chain.now();
		let payer = self.owed[at].payer;
		let Some((seen, account)) = self.seen.get(&payer.account) else {
			return;
		};
		let Some(session) = account.sessions.iter().find(|session| session.key == payer.key) else {
			return;
		};
		let expiry = ((now + life) / 60 * 60).min(session.expiry / 60 * 60);
		// A session that was revoked since then lasts as long as that.
		if expiry < now + MIN_LIFE || expiry > seen + TICKET_LIFE {
			return;
		}
		let terms = self.owed[at].terms;
		let late = self
			.chain
			.ended(terms)
			.is_some_and(|end| now >= end + TICKET_LIFE - MIN_LIFE);
		match self.owed[at].share {
			Share::Voucher { .. } if late => {},
			Share::Voucher { bytes, amount } => {
				let owed = self.owed.swap_remove(at);
				let place = VoucherPlace {
					session: payer.key,
					recipient: HONEST,
					stream: STREAM,
					kind: Kind::LIVE,
					context: Hash([0; 32]),
					terms,
				};
				let before = self
					.kept
					.get(&place)
					.map_or((0, 0), |kept| (kept.voucher.amount, kept.voucher.bytes));
				let voucher = Voucher {
					sender: payer.account,
					session: payer.key,
					recipient: HONEST,
					stream: STREAM,
					kind: Kind::LIVE,
					context: Hash([0; 32]),
					terms,
					amount: before.0 + amount,
					bytes: before.1 + bytes,
					expiry,
				};
				self.credit.pay_by_voucher(&payer, &owed.commitment, place);
				let kept = self.kept.entry(place).or_insert(Kept {
					voucher: voucher.clone(),
					settled: 0,
				});
				kept.voucher = voucher;
			},
			Share::Ticket { bytes, face_value, .. } => {
				let nonces = self.nonces.entry(payer.key).or_default();
				let tried = [
					nonces.next(),
					nonces.next() + 1,
					nonces.next().saturating_sub(3),
					nonces.next() + 500,
				];
				let nonce = tried[self.rng.gen_range(0..tried.len())];
				if !nonces.insert(nonce) {
					return;
				}
				let owed = self.owed.swap_remove(at);
				let won = self.rng.gen_bool(0.3);
				self.credit
					.pay_by_ticket(&payer, &owed.commitment, nonce, won.then_some(face_value));
				if won {
					self.winners.push(Ticket {
						sender: payer.account,
						session: payer.key,
						recipient: HONEST,
						stream: STREAM,
						kind: Kind::LIVE,
						context: Hash([0; 32]),
						bytes,
						face_value,
						win_probability: u64::MAX,
						commitment: owed.commitment,
						nonce,
						expiry,
					});
				}
			},
		}
	}

	fn lose(&mut self, value: Balance) {
		if value > 0 {
			self.outcome.losses.push((self.chain.now(), value));
		}
	}

	fn leave(&mut self, who: usize) {
		if self.watching.remove(&who).is_none() {
			return;
		}
		let payer = self.sessions[who];
		let (left, kept) = std::mem::take(&mut self.owed)
			.into_iter()
			.partition::<Vec<_>, _>(|owed| owed.payer == payer);
		self.owed = kept;
		for owed in left {
			self.credit.forfeit(&payer, &owed.commitment);
			self.lose(owed.cost);
		}
		self.credit.leave(&payer, self.rng.gen_bool(0.5));
	}

	fn reservation(&mut self, payer: SessionKey, recipient: AccountId) -> Reservation {
		let counter = self.counters.entry((payer.key, recipient)).or_default();
		*counter += u32::from(self.rng.gen_bool(0.9));
		Reservation {
			sender: payer.account,
			session: payer.key,
			recipient,
			counter: *counter,
			cap: self.rng.gen_range(0..150_000),
			reward: ASKED.reward,
			submit_by: self.chain.now() + 90,
		}
	}

	/// A viewer hands in what it reserves for the relayer, or the relayer does after it was judged.
	fn reserve(&mut self) {
		let Some(who) = self.somebody() else { return };
		let payer = self.sessions[who];
		let reservation = self.reservation(payer, HONEST);
		self.outcome.reserved += u32::from(self.chain.reserve(&reservation));
	}

	/// What empties a deposit or frees what is reserved.
	fn cheat(&mut self) {
		let Some(who) = self.somebody() else { return };
		let payer = self.sessions[who];
		let amount = self.rng.gen_range(1..200_000);
		match self.rng.gen_range(0..10) {
			0 => self.chain.tip(payer.account, amount),
			1 => self.chain.unlock(payer.account, amount),
			2 => self.chain.withdraw(payer.account),
			3 => self.chain.revoke(payer.key),
			4 => {
				let reservation = self.reservation(payer, ACCOMPLICE);
				self.chain.reserve(&reservation);
			},
			5 => self.chain.deposit(payer.account, amount),
			6 => self.chain.change_terms(),
			7 | 8 => {
				let counter = self.counters.get(&(payer.key, HONEST)).copied().unwrap_or(0);
				self.chain.close(&Close {
					sender: payer.account,
					session: payer.key,
					recipient: HONEST,
					counter,
					submit_by: self.chain.now() + 90,
				});
			},
			_ => {
				// To itself, as much as its session allows.
				self.serial += 1;
				let now = self.chain.now();
				self.chain.redeem_tickets(&[Ticket {
					sender: payer.account,
					session: payer.key,
					recipient: ACCOMPLICE,
					stream: STREAM,
					kind: Kind::LIVE,
					context: Hash([0; 32]),
					bytes: 1 << 30,
					face_value: amount.max(LEAST),
					win_probability: u64::MAX,
					commitment: Hash([0; 32]),
					nonce: self.serial,
					expiry: (now + MIN_LIFE).next_multiple_of(60),
				}]);
			},
		}
	}

	/// A plan: reserve a lot, begin to take it back, watch on credit as long as that lasts and pay for all of it, and empty
	/// the deposit in the moment in which what was reserved is free.
	fn heist(&mut self) {
		self.serial += 1;
		let mut account = AccountId([0xee; 32]);
		account.0[..8].copy_from_slice(&self.serial.to_be_bytes());
		self.chain.deposit(account, 200_000);
		self.serial += 1;
		let mut key = PublicKey([0xef; 32]);
		key.0[..8].copy_from_slice(&self.serial.to_be_bytes());
		let life = [1_000, 10_000][self.rng.gen_range(0..2)];
		self.chain.authorize(account, key, 200_000, life);
		let payer = SessionKey { account, key };
		let who = self.sessions.len();
		self.sessions.push(payer);
		let reservation = Reservation {
			cap: 150_000,
			..self.reservation(payer, HONEST)
		};
		self.outcome.reserved += u32::from(self.chain.reserve(&reservation));
		self.pass(2 * TICK);
		self.enter_as(who);
		let begun = self.chain.now();
		let free = match self.rng.gen_range(0..4) {
			0 => {
				self.chain.revoke(key);
				begun + 1_200
			},
			1 => {
				self.chain.change_terms();
				begun + TICKET_LIFE
			},
			2 => begun + life + TICKET_LIFE,
			_ => {
				self.chain.close(&Close {
					sender: account,
					session: key,
					recipient: HONEST,
					counter: reservation.counter,
					submit_by: begun + 90,
				});
				begun + 1_200
			},
		};
		while self.chain.now() < free {
			for _ in 0..self.rng.gen_range(0..10) {
				self.window_for(who);
				let theirs = self.owed.iter().position(|owed| owed.payer == payer);
				let life = self.rng.gen_range(MIN_LIFE..=TICKET_LIFE);
				theirs.into_iter().for_each(|at| self.pay_at(at, life));
			}
			let left = free - self.chain.now();
			let blocks = left.min(self.rng.gen_range(1..150));
			self.pass(blocks);
		}
		for tenth in 1..=10 {
			self.chain.tip(account, 200_000 / tenth);
		}
		self.chain.unlock(account, 200_000);
		self.pass(1);
	}

	/// Another plan: reserve a lot, owe most of it, revoke the session, and sign the last voucher for longer than the session
	/// lasts by now, before the relayer has looked. It would take the place of those before it.
	fn outlive(&mut self) {
		self.serial += 1;
		let mut account = AccountId([0xee; 32]);
		account.0[..8].copy_from_slice(&self.serial.to_be_bytes());
		self.chain.deposit(account, 200_000);
		self.serial += 1;
		let mut key = PublicKey([0xef; 32]);
		key.0[..8].copy_from_slice(&self.serial.to_be_bytes());
		self.chain.authorize(account, key, 200_000, 10_000);
		let payer = SessionKey { account, key };
		let who = self.sessions.len();
		self.sessions.push(payer);
		let reservation = Reservation {
			cap: 150_000,
			..self.reservation(payer, HONEST)
		};
		self.outcome.reserved += u32::from(self.chain.reserve(&reservation));
		self.pass(2 * TICK);
		self.enter_as(who);
		for _ in 0..140 {
			self.window_for(who);
			let theirs = self.owed.iter().position(|owed| owed.payer == payer);
			theirs.into_iter().for_each(|at| self.pay_at(at, TICKET_LIFE - 60));
		}
		while self.chain.now() % 60 != 59 {
			self.pass(1);
		}
		self.chain.revoke(key);
		self.pass(1);
		self.window_for(who);
		let theirs = self.owed.iter().position(|owed| owed.payer == payer);
		theirs.into_iter().for_each(|at| self.pay_at(at, TICKET_LIFE));
	}

	/// What the relayer does every few blocks: follows the finalised chain, books what it paid, redeems, releases.
	fn look(&mut self) {
		let (now, finalised) = (self.chain.now(), self.chain.finalised());
		self.credit.at_block(now);
		let chain = &self.chain;
		let old = self.seen.iter_mut().filter(|(_, (at, _))| now >= *at + STALE);
		old.for_each(|(account, seen)| *seen = (now, chain.account(*account)));
		let payers: Vec<SessionKey> = self.credit.sessions().collect();
		// Channel and payments come from two requests, in either order.
		let channels_first = self.rng.gen_bool(0.5);
		if channels_first {
			payers.iter().for_each(|payer| self.follow(*payer));
		}
		self.settle(finalised);
		if !channels_first {
			payers.iter().for_each(|payer| self.follow(*payer));
		}
		self.redeem(now);
		let mut given_up = 0;
		for due in self.credit.take_releasable(20, false) {
			self.outcome.released += 1;
			for place in due.given_up {
				if let Some(kept) = self.kept.get_mut(&place) {
					given_up += kept.voucher.amount - kept.settled;
					kept.settled = kept.voucher.amount;
				}
			}
			self.chain.release(&Release {
				recipient: HONEST,
				session: due.session,
				registered: due.channel.registered,
				counter: due.channel.counter,
				kept: due.channel.paid,
			});
		}
		self.lose(given_up);
	}

	fn settle(&mut self, finalised: BlockNumber) {
		let mut lost = 0;
		for (place, kept) in &mut self.kept {
			let account = kept.voucher.sender;
			let paid = self.chain.paid(*place);
			assert!(paid <= kept.voucher.amount);
			if paid > kept.settled {
				let more = paid - kept.settled;
				self.credit.settle_voucher(place, account, more, finalised, true);
				self.outcome.paid += more;
				kept.settled = paid;
			}
			let rest = kept.voucher.amount - kept.settled;
			if rest > 0 && kept.voucher.expiry < finalised {
				self.credit.settle_voucher(place, account, rest, finalised, false);
				// Whatever comes later starts above it.
				kept.settled = kept.voucher.amount;
				lost += rest;
			}
		}
		self.lose(lost);
		for ticket in std::mem::take(&mut self.winners) {
			let payer = SessionKey {
				account: ticket.sender,
				key: ticket.session,
			};
			if self.chain.redeemed(&ticket) {
				self.credit.settle_winner(&payer, ticket.nonce, finalised, true);
				self.outcome.paid += ticket.face_value;
			} else if ticket.expiry < finalised {
				self.credit.settle_winner(&payer, ticket.nonce, finalised, false);
				self.lose(ticket.face_value);
			} else {
				self.winners.push(ticket);
			}
		}
	}

	fn redeem(&mut self, now: BlockNumber) {
		let urgent: Vec<PublicKey> = self.credit.urgent().collect();
		let soon = |expiry: BlockNumber| expiry <= now + EXPIRY_MARGIN;
		let terms = self.chain.terms();
		let due = self.kept.values().filter(|kept| {
			let voucher = &kept.voucher;
			let more = voucher.amount.saturating_sub(kept.settled);
			more > 0
				&& (more >= WORTH || voucher.terms < terms)
				&& (urgent.contains(&voucher.session) || soon(voucher.expiry) || voucher.terms < terms)
		});
		let vouchers: Vec<Voucher> = due.map(|kept| kept.voucher.clone()).collect();
		self.chain.redeem_vouchers(&vouchers);
		// The lowest nonce of each session, and the highest that cannot wait: all below it go along, and before it.
		let mut first: BTreeMap<PublicKey, (u64, Option<u64>)> = BTreeMap::new();
		for ticket in &self.winners {
			let known = first.entry(ticket.session).or_insert((ticket.nonce, None));
			let up_to = soon(ticket.expiry).then_some(ticket.nonce);
			*known = (known.0.min(ticket.nonce), known.1.max(up_to));
		}
		let goes = |ticket: &&Ticket| {
			let (lowest, up_to) = first[&ticket.session];
			let near = urgent.contains(&ticket.session) && ticket.nonce - lowest < WINDOW;
			near || up_to >= Some(ticket.nonce)
		};
		let mut tickets: Vec<Ticket> = self.winners.iter().filter(goes).cloned().collect();
		tickets.sort_by_key(|ticket| (ticket.session, ticket.nonce));
		self.chain.redeem_tickets(&tickets);
	}
}
