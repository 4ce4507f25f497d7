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
	crypto::KeyPair,
	nonces::{Nonces, WINDOW},
	receipt::Kind,
	AccountId, Balance, BlockNumber, Hash, PublicKey, StreamId, Ticket, Voucher,
};
use clustercast_protocol::{credit::HOUR, Credit, CreditConfig, Float, ReserveTerms, SessionKey, Share};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::{collections::BTreeMap, fmt, ops::Range};

/// Is paid by those whom it serves.
pub const HONEST: AccountId = AccountId([0xa1; 32]);

/// Redeems whatever empties a deposit.
pub const ACCOMPLICE: AccountId = AccountId([0xb2; 32]);

/// What is watched.
pub const STREAM: StreamId = StreamId(0);

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

/// What the relayer of the play takes signatures for. A chain has another one.
const GENESIS: Hash = Hash([0x47; 32]);

const ASKED: ReserveTerms = ReserveTerms {
	least: LEAST,
	reward: 100,
};

/// Most blocks for which hand-ins fail: the node is down, blocks are full, the extrinsic is dropped. Two minutes and a half;
/// payments are handed in [`EXPIRY_MARGIN`] before they expire.
const OUTAGE: BlockNumber = 80;

/// Most blocks that a hand-in waits in the pool before it is in a block: by then, another one overtook it.
const MAX_WAIT: BlockNumber = 60;

/// The chain as the play needs it. Calls run in the best block and fail without effect; what they return says whether they
/// did something.
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
	fn authorize(&mut self, account: AccountId, session: &KeyPair, limit: Balance, life: BlockNumber) -> bool;
	/// Ends a session as soon as that can be.
	fn revoke(&mut self, account: AccountId, session: PublicKey) -> bool;
	/// Adds to a deposit.
	fn deposit(&mut self, account: AccountId, amount: Balance) -> bool;
	/// Announces a withdrawal.
	fn unlock(&mut self, account: AccountId, amount: Balance) -> bool;
	/// Makes it.
	fn withdraw(&mut self, account: AccountId) -> bool;
	/// Gives money from the deposit away, at once.
	fn tip(&mut self, account: AccountId, amount: Balance) -> bool;
	/// Whether it stands.
	fn reserve(&mut self, reservation: &Reservation) -> bool;
	/// Begins to end a channel.
	fn close(&mut self, close: &Close) -> bool;
	/// Frees what a channel reserves.
	fn release(&mut self, release: &Release) -> bool;
	/// Their one recipient redeems them, in this order: what each pays.
	fn redeem_vouchers(&mut self, vouchers: &[Voucher]) -> Vec<Balance>;
	/// The same for winners.
	fn redeem_tickets(&mut self, tickets: &[Ticket]) -> Vec<Balance>;
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
	/// Delivered for, and neither paid nor given up. Less than the voucher owes where that was overpaid.
	owed: Balance,
}

impl Kept {
	/// So much is paid. What of it is beyond what is owed.
	fn pay(&mut self, amount: Balance) -> Balance {
		self.settled += amount;
		let present = amount.saturating_sub(self.owed);
		self.owed = self.owed.saturating_sub(amount);
		present
	}

	/// The rest never will be: what that costs. Whatever comes later starts above it.
	fn give_up(&mut self) -> Balance {
		self.settled = self.voucher.amount;
		std::mem::take(&mut self.owed)
	}
}

/// Whether a session pays more than it owes, now and then: one of eight.
fn is_generous(session: &PublicKey) -> bool {
	session.0[0].is_multiple_of(8)
}

/// What the relayer sends to the chain.
enum HandIn {
	Vouchers(Vec<Voucher>),
	Tickets(Vec<Ticket>),
	Release(Release),
	/// Judged good when the viewer sent it.
	Reservation(SessionKey, Reservation),
}

/// What became of hand-ins of a kind: since when all have failed.
#[derive(Default)]
struct Line {
	failing_since: Option<BlockNumber>,
}

impl Line {
	/// Whether another one may fail.
	fn may_fail(&mut self, now: BlockNumber) -> bool {
		now < *self.failing_since.get_or_insert(now) + OUTAGE
	}
}

/// What happened in a play.
#[derive(Debug, Default)]
pub struct Outcome {
	/// Block and micro-USDC of each loss.
	pub losses: Vec<(BlockNumber, Balance)>,
	/// The same of each fee of a reservation that failed.
	pub fees: Vec<(BlockNumber, Balance)>,
	/// Delivered, micro-USDC.
	pub delivered: Balance,
	/// Paid to the honest relayer, in finalised blocks.
	pub paid: Balance,
	/// Reservations that stood.
	pub reserved: u32,
	/// Channels that were released.
	pub released: u32,
	/// Hand-ins that were lost, or came late.
	pub failed: u32,
	/// Paid beyond what was owed, micro-USDC.
	pub overpaid: Balance,
}

/// Most of these that fell within an hour.
fn worst_hour(losses: &[(BlockNumber, Balance)]) -> Balance {
	let from = |(block, _): &(BlockNumber, Balance)| {
		let within = losses.iter().filter(|(at, _)| (*block..block + HOUR).contains(at));
		within.map(|(_, value)| value).sum()
	};
	losses.iter().map(from).max().unwrap_or(0)
}

/// The most that may be left unpaid or be voided in an hour.
pub const BOUND: Balance = 2 * FLOAT.per_hour;

/// The most that failing reservations may cost in an hour.
fn fee_bound() -> Balance {
	2 * FLOAT.fees()
}

/// Which sequences are played: the first so many, or what `CLUSTERCAST_SEQUENCES` says, `1000` or `55925..55926`. Thousands take
/// longer than nextest lets a test run: `cargo test` has no such limit.
pub fn sequences(usual: u64) -> Range<u64> {
	let Ok(text) = std::env::var("CLUSTERCAST_SEQUENCES") else {
		return 0..usual;
	};
	let (from, to) = text.split_once("..").unwrap_or(("0", &text));
	from.parse().expect("a number")..to.parse().expect("a number")
}

/// A long run tells how far it is after so many sequences.
const TELL: u64 = 1_000;

/// What many plays came to.
#[derive(Debug, Default)]
pub struct Report {
	sequences: u64,
	/// Most that was lost in any hour of any of them.
	worst: Balance,
	/// Most fees.
	worst_fees: Balance,
	/// Sequences in which something was lost.
	losing: u64,
	/// All in all.
	sum: Outcome,
}

impl Report {
	/// Plays so many, each on a chain of its own.
	pub fn of<C: Chain>(sequences: Range<u64>, chain: impl Fn() -> C) -> Self {
		let mut report = Self::default();
		for seed in sequences {
			let outcome = Play::new(chain(), seed).run(150);
			let (lost, fees) = (worst_hour(&outcome.losses), worst_hour(&outcome.fees));
			assert!(lost <= BOUND, "sequence {seed}: {lost} lost in an hour of {BOUND}");
			assert!(
				fees <= fee_bound(),
				"sequence {seed}: {fees} lost in fees in an hour of {}",
				fee_bound()
			);
			report.sequences += 1;
			report.worst_fees = fees.max(report.worst_fees);
			report.worst = lost.max(report.worst);
			report.losing += u64::from(lost > 0);
			let sum = &mut report.sum;
			sum.delivered += outcome.delivered;
			sum.paid += outcome.paid;
			sum.overpaid += outcome.overpaid;
			sum.reserved += outcome.reserved;
			sum.released += outcome.released;
			sum.failed += outcome.failed;
			if report.sequences.is_multiple_of(TELL) {
				eprintln!("{report}");
			}
		}
		report
	}

	/// The play reaches what it is made for.
	pub fn reaches_what_it_is_for(&self) {
		let sum = &self.sum;
		assert!(self.worst > BOUND / 10 && self.losing > self.sequences / 3, "{self}");
		assert!(sum.reserved > 0 && sum.released > 0 && sum.failed > 0, "{self}");
		assert!(self.worst_fees > fee_bound() / 4, "{self}");
		assert!(sum.paid > sum.delivered / 10 && sum.overpaid > 0, "{self}");
	}
}

impl fmt::Display for Report {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		let Self {
			sequences,
			worst,
			worst_fees,
			losing,
			sum,
		} = self;
		writeln!(
			f,
			"fees of reservations that failed: worst hour {worst_fees} of {}",
			fee_bound()
		)?;
		writeln!(
			f,
			"worst hour {worst} of {BOUND} in {sequences} sequences; {losing} lost something"
		)?;
		let Outcome {
			delivered,
			paid,
			overpaid,
			..
		} = sum;
		writeln!(
			f,
			"{delivered} delivered, {paid} paid, {overpaid} of it signed for too much"
		)?;
		let Outcome {
			reserved,
			released,
			failed,
			..
		} = sum;
		write!(
			f,
			"{reserved} reservations, {released} released, {failed} hand-ins lost or late"
		)
	}
}

/// See the module.
pub struct Play<C> {
	chain: C,
	rng: ChaCha8Rng,
	credit: Credit,
	accounts: Vec<AccountId>,
	sessions: Vec<SessionKey>,
	/// That sign for them.
	keys: BTreeMap<PublicKey, KeyPair>,
	/// Accounts as the relayer saw them last, and in which best block. It looks again after [`STALE`].
	seen: BTreeMap<AccountId, (BlockNumber, ViewerAccount)>,
	/// Of each session: last block for which it may sign, as the relayer saw it last.
	watching: BTreeMap<usize, bool>,
	nonces: BTreeMap<PublicKey, Nonces>,
	owed: Vec<Owed>,
	kept: BTreeMap<VoucherPlace, Kept>,
	winners: Vec<Ticket>,
	/// Paid by sessions beyond what they owed, by voucher: what is reserved for the rest pays that first. It makes good for
	/// what they leave unpaid later.
	presents: BTreeMap<PublicKey, Balance>,
	/// On their way to a block, with the one that takes them.
	pool: Vec<(BlockNumber, HandIn)>,
	/// Vouchers, tickets, releases.
	lines: [Line; 3],
	/// All hand-ins are lost before this block.
	deaf_until: BlockNumber,
	serial: u64,
	/// Used by the viewers, who may repeat themselves.
	counters: BTreeMap<(PublicKey, AccountId), u32>,
	outcome: Outcome,
}

impl<C: Chain> Play<C> {
	/// Everything follows from the seed.
	pub fn new(chain: C, seed: u64) -> Self {
		// As a relayer does before it serves: what is lost is counted for an hour from the block that it knows.
		let mut credit = Credit::new(CREDIT);
		credit.at_block(chain.now());
		Self {
			chain,
			rng: ChaCha8Rng::seed_from_u64(seed),
			credit,
			accounts: Vec::new(),
			sessions: Vec::new(),
			keys: BTreeMap::new(),
			seen: BTreeMap::new(),
			watching: BTreeMap::new(),
			nonces: BTreeMap::new(),
			owed: Vec::new(),
			kept: BTreeMap::new(),
			winners: Vec::new(),
			presents: BTreeMap::new(),
			pool: Vec::new(),
			lines: Default::default(),
			deaf_until: 0,
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
			65..=69 => self.reserve(),
			70..=74 => {
				let who = self.watcher();
				who.into_iter().for_each(|who| self.offer(who, 150_000));
			},
			75..=79 => {
				let who = self.somebody();
				who.into_iter().for_each(|who| self.leave(who));
			},
			80..=89 => self.cheat(),
			90 => self.heist(),
			91 => self.outlive(),
			93 => self.bluff(),
			92 => self.deaf_until = self.chain.now() + self.rng.gen_range(1..OUTAGE),
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
		let limit = self.rng.gen_range(LEAST..300_000);
		let life = self.rng.gen_range(200..10_000);
		self.session_for(account, limit, life);
	}

	/// A session of its own, if the account may have another one.
	fn session_for(&mut self, account: AccountId, limit: Balance, life: BlockNumber) -> Option<usize> {
		self.serial += 1;
		let mut seed = [0xdd; 32];
		seed[..8].copy_from_slice(&self.serial.to_be_bytes());
		let pair = KeyPair::from_seed(seed);
		let key = pair.public();
		self.chain.authorize(account, &pair, limit, life).then(|| {
			self.keys.insert(key, pair);
			self.sessions.push(SessionKey { account, key });
			self.sessions.len() - 1
		})
	}

	/// Somebody with a plan, who has deposited this and has a session for so long.
	fn schemer(&mut self, deposit: Balance, life: BlockNumber) -> usize {
		self.serial += 1;
		let mut account = AccountId([0xee; 32]);
		account.0[..8].copy_from_slice(&self.serial.to_be_bytes());
		self.chain.deposit(account, deposit);
		self.session_for(account, deposit, life).expect("its first session")
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
				// More than is owed is taken as well, as far as its bytes may cost that. Few do it: of these a loss is no loss.
				let more = match is_generous(&payer.key) && self.rng.gen_bool(0.1) {
					true => self.rng.gen_range(1..50_000),
					false => 0,
				};
				self.outcome.overpaid += more;
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
					amount: before.0 + amount + more,
					bytes: before.1 + bytes,
					expiry,
				};
				self.credit.pay_by_voucher(&payer, &owed.commitment, place);
				let kept = self.kept.entry(place).or_insert(Kept {
					voucher: voucher.clone(),
					settled: 0,
					owed: 0,
				});
				kept.voucher = voucher;
				kept.owed += amount;
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

	fn lose(&mut self, session: PublicKey, value: Balance) {
		let present = self.presents.entry(session).or_default();
		let value = match value.checked_sub(*present) {
			Some(value) => {
				*present = 0;
				value
			},
			None => {
				*present -= value;
				0
			},
		};
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
			self.lose(payer.key, owed.cost);
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
		let _ = match self.rng.gen_range(0..10) {
			0 => self.chain.tip(payer.account, amount),
			1 => self.chain.unlock(payer.account, amount),
			2 => self.chain.withdraw(payer.account),
			3 => self.chain.revoke(payer.account, payer.key),
			4 => {
				let reservation = self.reservation(payer, ACCOMPLICE);
				self.chain.reserve(&reservation)
			},
			5 => self.chain.deposit(payer.account, amount),
			6 => {
				self.chain.change_terms();
				true
			},
			7 | 8 => {
				let counter = self.counters.get(&(payer.key, HONEST)).copied().unwrap_or(0);
				self.chain.close(&Close {
					sender: payer.account,
					session: payer.key,
					recipient: HONEST,
					counter,
					submit_by: self.chain.now() + 90,
				})
			},
			_ => {
				// To itself, as much as its session allows.
				self.serial += 1;
				let now = self.chain.now();
				let paid = self.chain.redeem_tickets(&[Ticket {
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
				paid != [0]
			},
		};
	}

	/// A plan: reserve a lot, begin to take it back, watch on credit as long as that lasts and pay for all of it, and empty
	/// the deposit in the moment in which what was reserved is free.
	fn heist(&mut self) {
		let life = [1_000, 10_000][self.rng.gen_range(0..2)];
		let who = self.schemer(200_000, life);
		let payer = self.sessions[who];
		let SessionKey { account, key } = payer;
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
				self.chain.revoke(account, key);
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
		let who = self.schemer(200_000, 10_000);
		let payer = self.sessions[who];
		let SessionKey { account, key } = payer;
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
		self.chain.revoke(account, key);
		self.pass(1);
		self.window_for(who);
		let theirs = self.owed.iter().position(|owed| owed.payer == payer);
		theirs.into_iter().for_each(|at| self.pay_at(at, TICKET_LIFE));
	}

	/// A third plan: many who offer what is good, and have given it away by the block that it comes into. Each costs a fee.
	fn bluff(&mut self) {
		for _ in 0..10 {
			let who = self.schemer(5_000, 1_000);
			self.enter_as(who);
			self.offer(who, 3_000);
			self.chain.tip(self.sessions[who].account, 4_000);
		}
		self.pass(MAX_WAIT);
	}

	/// A viewer offers the relayer a reservation to hand in.
	fn offer(&mut self, who: usize, most: Balance) {
		let payer = self.sessions[who];
		let mut reservation = self.reservation(payer, HONEST);
		reservation.cap = reservation.cap.min(most);
		let Some((_, account)) = self.seen.get(&payer.account) else {
			return;
		};
		let signed = self.keys[&payer.key].sign(reservation.clone(), &GENESIS);
		let terms = (&ASKED, &HONEST, &GENESIS);
		let judged = self.credit.check_reservation(&signed, terms, &payer, account);
		if judged.is_ok() {
			self.credit.hand_in(&payer, reservation.counter, ASKED.reward);
			let at = self.chain.now() + self.rng.gen_range(1..MAX_WAIT);
			self.pool.push((at, HandIn::Reservation(payer, reservation)));
		}
	}

	/// What the relayer does every few blocks: follows the finalised chain, books what it paid, redeems, releases.
	fn look(&mut self) {
		let (now, finalised) = (self.chain.now(), self.chain.finalised());
		self.land(now);
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
		for due in self.credit.take_releasable(20, false) {
			self.outcome.released += 1;
			for place in due.given_up {
				let given_up = self.kept.get_mut(&place).map_or(0, Kept::give_up);
				self.lose(due.session, given_up);
			}
			self.hand_in(HandIn::Release(Release {
				recipient: HONEST,
				session: due.session,
				registered: due.channel.registered,
				counter: due.channel.counter,
				kept: due.channel.paid,
			}));
		}
	}

	/// Something is sent to the chain. It may be lost, or late, for so long: what is not seen in a finalised block is sent again.
	fn hand_in(&mut self, what: HandIn) {
		let now = self.chain.now();
		let line = &mut self.lines[match what {
			HandIn::Vouchers(_) => 0,
			HandIn::Tickets(_) => 1,
			HandIn::Release(_) => 2,
			HandIn::Reservation(..) => return,
		}];
		let fate = self.rng.gen_range(0..10);
		let fails = now < self.deaf_until || fate < 3;
		if fails && line.may_fail(now) {
			self.outcome.failed += 1;
			if now >= self.deaf_until && fate > 0 {
				self.pool.push((now + self.rng.gen_range(1..MAX_WAIT), what));
			}
			return;
		}
		line.failing_since = None;
		self.run_call(&what);
	}

	fn run_call(&mut self, what: &HandIn) {
		match what {
			HandIn::Vouchers(vouchers) => drop(self.chain.redeem_vouchers(vouchers)),
			HandIn::Tickets(tickets) => drop(self.chain.redeem_tickets(tickets)),
			HandIn::Release(release) => drop(self.chain.release(release)),
			HandIn::Reservation(payer, reservation) => {
				let stands = self.chain.reserve(reservation);
				self.credit.handed_in(payer, reservation.counter, stands);
				match stands {
					true => self.outcome.reserved += 1,
					false => self.outcome.fees.push((self.chain.now(), ASKED.reward)),
				}
			},
		}
	}

	/// What is due comes into a block, in any order.
	fn land(&mut self, now: BlockNumber) {
		let (due, pool): (Vec<_>, Vec<_>) = std::mem::take(&mut self.pool)
			.into_iter()
			.partition(|(at, _)| *at <= now);
		self.pool = pool;
		due.iter().for_each(|(_, what)| self.run_call(what));
	}

	fn settle(&mut self, finalised: BlockNumber) {
		let (mut presents, mut lost) = (Vec::new(), Vec::new());
		for (place, kept) in &mut self.kept {
			let account = kept.voucher.sender;
			let paid = self.chain.paid(*place);
			assert!(paid <= kept.voucher.amount);
			if paid > kept.settled {
				let more = paid - kept.settled;
				self.credit.settle_voucher(place, account, more, finalised, true);
				self.outcome.paid += more;
				presents.push((place.session, kept.pay(more)));
			}
			let rest = kept.voucher.amount - kept.settled;
			if rest > 0 && kept.voucher.expiry < finalised {
				self.credit.settle_voucher(place, account, rest, finalised, false);
				lost.push((place.session, kept.give_up()));
			}
		}
		for (session, present) in presents {
			*self.presents.entry(session).or_default() += present;
		}
		lost.into_iter().for_each(|(session, value)| self.lose(session, value));
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
				self.lose(payer.key, ticket.face_value);
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
		if !vouchers.is_empty() {
			self.hand_in(HandIn::Vouchers(vouchers));
		}
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
		if !tickets.is_empty() {
			self.hand_in(HandIn::Tickets(tickets));
		}
	}
}
