//! Where an agent takes what people signed: deposits, which it submits to the L2, and actions, which it submits to the chain; each for
//! the fee in it. What is taken is `judge`'s to say, how often `limits`', how far it is `progress`'; it is on disk (`journal`) before
//! it is answered. Here is what asks and sends; `api` is the door.

mod api;
mod journal;
mod judge;
mod limits;
mod progress;

use crate::{
	acts::Acts,
	agent::Standing,
	fees,
	l2::{L2Error, L2},
	retry::Trouble,
	signing::{self, SignedAction},
	wire::{
		ActionTerms, DepositTerms, Refusal, Report, Request, SignedDeposit, State, Terms, WithdrawalTerms, MAX_VALIDITY,
	},
};
use alloy::{
	primitives::{Address, B256},
	signers::local::PrivateKeySigner,
};
use clustercast_chain::{bridge::act, Chain, ChainError, Wait, Wallet};
use clustercast_primitives::{bridge::BridgeInfo, Balance, BlockNumber, EthereumAddress, Hash};
use journal::{Entry, Journal, KEPT};
use judge::Situation;
use limits::{Limits, Refused, WALLET};
use progress::{Acting, Deposited, Found, Next};
use std::{
	collections::{BTreeMap, BTreeSet},
	path::Path,
	sync::{Arc, Mutex, MutexGuard, PoisonError},
	time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};
use tokio::{sync::Notify, task::JoinSet};

pub(crate) use api::serve;

/// Gas and bytes of calldata of a deposit by authorisation: docs/l2.md, rounded up for slots that are used for the first time.
const DEPOSIT: (u64, usize) = (150_000, 800);

/// What is known is asked for again after this time.
const FRESH: Duration = Duration::from_secs(3);

/// Pause between two looks at what is open.
const LOOK: Duration = Duration::from_secs(1);

/// Pause where gas is too dear for a deposit, or the token refuses it: it may pass, and the authorisation is good for minutes.
const HELD: Duration = Duration::from_secs(10);

/// Orders that are being sent at a time. Deposits go one after the other, as their payer's transactions do; none waits for an action.
const SENDING: usize = 32;

/// Pause between two looks at a withdrawal for whoever asks how far it is.
const STAGE: Duration = Duration::from_secs(4);

/// Blocks of the L2 in which a deposit is looked for: its authorisation is good for less, at one a second.
const FIND_IN: u64 = 2 * MAX_VALIDITY;

/// The chain's own word for a message that it took before.
const ALREADY_USED: &str = "AlreadyUsed";

/// What is asked of people.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Offer {
	/// Micro-USDC for an ether.
	pub(crate) ether_price: Balance,
	/// Of a deposit's fee, so many percent above what it costs.
	pub(crate) margin_percent: u32,
	/// Least tip of an action, micro-USDC.
	pub(crate) tip: Balance,
	/// Least fee of a withdrawal, micro-USDC.
	pub(crate) withdrawal_fee: Balance,
}

/// An agent's desk.
pub(crate) struct Desk {
	chain: Chain,
	l2: Arc<L2>,
	/// Pays for gas on the L2.
	signer: PrivateKeySigner,
	/// Pays for actions on the chain; without it none are taken.
	wallet: Option<Wallet>,
	offer: Offer,
	journal: Mutex<Journal>,
	wallets: Mutex<Limits<EthereumAddress>>,
	refused: Mutex<Refused<Hash, Refusal>>,
	stages: Mutex<Looks>,
	known: tokio::sync::Mutex<Option<(Instant, Situation)>>,
	news: Notify,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
	// What is behind our locks is whole after each statement.
	mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What strangers are told of what does not work: whose fault it is, and nothing of what we run.
const NO_CHAIN: &str = "the chain does not answer this agent";
const NO_L2: &str = "the L2 does not answer this agent";
const NO_DISK: &str = "this agent's disk fails";

fn away(whose: &'static str, error: impl std::fmt::Display) -> Refusal {
	tracing::debug!("{whose}: {error:#}");
	Refusal::Away { reason: whose.into() }
}

/// What is said of an error of the L2: its contracts' words and prices, and nothing of a node.
fn of_l2(error: &L2Error) -> String {
	match error {
		L2Error::Deferred(_) | L2Error::Reverts { .. } | L2Error::Reverted(_) | L2Error::Slow(_) => error.to_string(),
		_ => NO_L2.into(),
	}
}

/// The same of the chain.
fn of_chain(error: &ChainError) -> String {
	match error {
		ChainError::Dispatch(_) | ChainError::Unwanted(_) | ChainError::NotIncluded(_) => error.to_string(),
		ChainError::Poor { .. } => "this agent cannot pay the chain's fee".into(),
		_ => NO_CHAIN.into(),
	}
}

/// Ours, for how old files are; nothing is judged by it.
fn seconds() -> u64 {
	let since = SystemTime::now().duration_since(UNIX_EPOCH);
	since.map_or(0, |time| time.as_secs())
}

impl Desk {
	/// Reads what was taken before.
	pub(crate) fn open(
		chain: Chain,
		l2: Arc<L2>,
		signer: PrivateKeySigner,
		wallet: Option<Wallet>,
		offer: Offer,
		folder: &Path,
	) -> anyhow::Result<Self> {
		let bridge = format!("{} {} {}", chain.genesis(), l2.chain_id, l2.vault);
		Ok(Self {
			journal: Mutex::new(Journal::open(folder, &bridge)?),
			wallets: Mutex::new(Limits::new(WALLET)),
			refused: Mutex::new(Refused::new()),
			stages: Mutex::default(),
			known: tokio::sync::Mutex::default(),
			news: Notify::new(),
			chain,
			l2,
			signer,
			wallet,
			offer,
		})
	}

	/// What is known now, at most three seconds old.
	async fn situation(&self) -> Result<Situation, Refusal> {
		let mut known = self.known.lock().await;
		if let Some((_, situation)) = known.as_ref().filter(|(at, _)| at.elapsed() < FRESH) {
			return Ok(situation.clone());
		}
		let situation = self.look_around().await.map_err(|error| away(NO_L2, error))?;
		*known = Some((Instant::now(), situation.clone()));
		Ok(situation)
	}

	async fn look_around(&self) -> Result<Situation, L2Error> {
		let (gas, calldata) = DEPOSIT;
		let quote = self.l2.quote(gas, calldata).await?;
		let offer = self.offer;
		let costs = quote.usdc(offer.ether_price);
		let address = |address: Address| EthereumAddress(address.0 .0);
		Ok(Situation {
			token: signing::token(&self.l2).await?,
			contracts: self.l2.contracts(),
			terms: Terms {
				l2: self.l2.chain_id,
				vault: address(self.l2.vault),
				usdc: address(self.l2.usdc),
				genesis: self.chain.genesis(),
				deposit: DepositTerms {
					fee: fees::asked(costs, offer.margin_percent),
					margin_percent: offer.margin_percent,
					gas,
					gas_price: quote.gas_price,
					l1_fee: quote.l1_fee,
					ether_price: offer.ether_price,
					max_validity: MAX_VALIDITY,
				},
				action: self.wallet.as_ref().map(|_| ActionTerms { tip: offer.tip }),
				withdrawal: WithdrawalTerms {
					fee: offer.withdrawal_fee,
				},
			},
			costs,
			now: self.l2.now().await?,
			block: self.chain.head().best,
			final_block: self.chain.head().finalised,
		})
	}

	async fn terms(&self) -> Result<Terms, Refusal> {
		self.situation().await.map(|situation| situation.terms)
	}

	/// How far an order is; one that was refused may be given again. What is left to others is looked up for who asks.
	async fn report(&self, id: &Hash) -> Option<Report> {
		let entry = locked(&self.journal).get(id)?.clone();
		let (State::Queued { withdrawal } | State::Released { withdrawal }) = entry.state else {
			return Some(Report {
				id: *id,
				state: entry.state,
			});
		};
		let now = Instant::now();
		let is_due = {
			let mut stages = locked(&self.stages);
			let is_due = stages.due(id, now);
			if is_due {
				stages.forget(now);
				stages.again(id, now + STAGE);
			}
			is_due
		};
		if is_due {
			match self.stage(withdrawal).await {
				Ok(Some(state)) => self.note(id, state),
				Ok(None) => {},
				Err(error) => tracing::debug!(%id, %error, "how far a withdrawal is cannot be looked up"),
			}
		}
		let state = locked(&self.journal).get(id)?.state.clone();
		Some(Report { id: *id, state })
	}

	/// How far a withdrawal is by final blocks; none where the chain knows of none, and it is not paid.
	async fn stage(&self, withdrawal: u64) -> Result<Option<State>, DeskError> {
		if self.l2.executed_for_good(withdrawal).await? {
			return Ok(Some(State::Paid { withdrawal }));
		}
		let at = self.chain.finalised_hash().await?;
		let page = self.chain.withdrawals(withdrawal, 1, Some(at)).await?;
		let info = page.iter().find(|info| info.withdrawal.id == withdrawal);
		Ok(info.map(|info| progress::withdrawal(withdrawal, info.place.is_some())))
	}

	async fn underway(&self, id: &Hash) -> Option<Report> {
		self.report(id)
			.await
			.filter(|report| !matches!(report.state, State::Refused { .. }))
	}

	/// Takes a deposit, after it was tried; of one that is known says how far it is.
	async fn take_deposit(&self, deposit: SignedDeposit) -> Result<Report, Refusal> {
		let situation = self.situation().await?;
		let id = situation.deposit_id(&deposit);
		if let Some(report) = self.underway(&id).await {
			return Ok(report);
		}
		situation.deposit(&deposit)?;
		let request = Request::Deposit(deposit);
		self.admit(&id, &request)?;
		let tried = self.try_deposit(&request).await;
		let from = self.remember(&id, tried)?;
		self.keep(id, request, from, situation.final_block)
	}

	/// Tries a deposit: the block of the L2 behind which it is to be found.
	async fn try_deposit(&self, request: &Request) -> Result<u64, Refusal> {
		let Request::Deposit(deposit) = request else {
			return Ok(0);
		};
		let no_l2 = |error| away(NO_L2, error);
		let depositor = Address::from(deposit.depositor.0);
		judge::code(self.l2.has_code(depositor).await.map_err(no_l2)?)?;
		let from = self.l2.block_number().await.map_err(no_l2)?;
		let tried = self
			.l2
			.simulate(self.signer.address(), self.l2.vault, &deposit.call())
			.await;
		tried.map_err(|error| match error {
			L2Error::Reverts { revert, .. } => Refusal::Reverts {
				reason: revert.to_string(),
			},
			error => no_l2(error),
		})?;
		let there: Balance = self.l2.balance(depositor).await.map_err(no_l2)?.saturating_to();
		let owed = locked(&self.journal).owed(&deposit.depositor);
		match owed.saturating_add(deposit.amount).saturating_add(deposit.fee) > there {
			true => Err(Refusal::Reverts {
				reason: "deposits of this wallet that are open here take its USDC".into(),
			}),
			false => Ok(from),
		}
	}

	/// The same for an action.
	async fn take_action(&self, action: SignedAction) -> Result<Report, Refusal> {
		let situation = self.situation().await?;
		let id = situation.action_id(&action);
		if let Some(report) = self.underway(&id).await {
			return Ok(report);
		}
		situation.action(&action)?;
		let request = Request::Action(action);
		self.admit(&id, &request)?;
		let tried = self.try_action(&request).await;
		self.remember(&id, tried)?;
		self.keep(id, request, 0, situation.final_block)
	}

	async fn try_action(&self, request: &Request) -> Result<(), Refusal> {
		let (Some(wallet), Request::Action(action)) = (&self.wallet, request) else {
			return Err(Refusal::NoActions);
		};
		let tried = self
			.chain
			.try_out(wallet, &act(&action.action, &action.signature))
			.await;
		let fee = tried.map_err(|error| match error {
			ChainError::Dispatch(reason) => Refusal::Chain { reason },
			error => away(NO_CHAIN, error),
		})?;
		match action.action.tip() < fee {
			true => Err(Refusal::TooLow {
				least: fees::asked(fee, self.offer.margin_percent),
			}),
			false => Ok(()),
		}
	}

	/// Whether an order whose signature was checked is tried: there is room for it, and it was not refused just now.
	fn admit(&self, id: &Hash, request: &Request) -> Result<(), Refusal> {
		if let Some(refusal) = locked(&self.refused).get(id, Instant::now()) {
			return Err(refusal);
		}
		locked(&self.journal).room(request)
	}

	/// Remembers what was refused when it was tried: whoever brings a wallet's old messages has us try each of them once.
	fn remember<T>(&self, id: &Hash, tried: Result<T, Refusal>) -> Result<T, Refusal> {
		tried.inspect_err(|refusal| {
			if !matches!(refusal, Refusal::Away { .. }) {
				locked(&self.refused).note(*id, refusal.clone(), Instant::now());
			}
		})
	}

	/// Takes an order for whom trying it went well. Of a wallet's allowance only these take a part: others' replays do not.
	fn keep(&self, id: Hash, request: Request, from: u64, since: BlockNumber) -> Result<Report, Refusal> {
		let mut journal = locked(&self.journal);
		let known = journal.get(&id).map(|entry| entry.state.clone());
		if let Some(state) = known.filter(|state| !matches!(state, State::Refused { .. })) {
			return Ok(Report { id, state });
		}
		// Others may have come while this was tried.
		journal.room(&request)?;
		let room = locked(&self.wallets).take(request.wallet(), Instant::now());
		room.map_err(|wait| Refusal::TooMany {
			seconds: wait.as_secs() + 1,
		})?;
		let state = State::Waiting { reason: None };
		let entry = Entry {
			request,
			state: state.clone(),
			taken: seconds(),
			from,
			since,
			has_failed: false,
			is_done: false,
		};
		journal.put(id, entry).map_err(|error| away(NO_DISK, error))?;
		self.news.notify_one();
		Ok(Report { id, state })
	}

	/// Notes how far an order is. A disk that fails does not stop it: what is noted is only what both chains say.
	fn note(&self, id: &Hash, state: State) {
		self.change(id, |entry| {
			// The chain has it; whoever executes withdrawals does the rest.
			entry.is_done |= matches!(state, State::Queued { .. });
			entry.state = state;
		});
	}

	fn change(&self, id: &Hash, change: impl FnOnce(&mut Entry)) {
		if let Err(error) = locked(&self.journal).change(id, change) {
			tracing::error!(%id, "the journal is not written: {error:#}");
		}
	}

	fn wait(&self, id: &Hash, reason: String) {
		self.note(id, State::Waiting { reason: Some(reason) });
	}

	/// A transaction of ours for it ran and failed: that is paid for once.
	fn fail(&self, id: &Hash, reason: String) {
		tracing::warn!(%id, reason, "a transaction for an order ran and failed");
		self.change(id, |entry| {
			entry.has_failed = true;
			entry.state = State::Waiting { reason: Some(reason) };
		});
	}

	/// Does what was taken, for ever.
	pub(crate) async fn work(self: Arc<Self>) {
		let mut standing = Standing::new("orders");
		let mut round = Round::default();
		loop {
			match self.pass(&mut round).await {
				Ok(()) => {
					standing.well();
					let _ = tokio::time::timeout(LOOK, self.news.notified()).await;
				},
				Err(error) => tokio::time::sleep(standing.failed(&error, error.trouble())).await,
			}
		}
	}

	/// One look at all that is open and due. What is wrong with one order is that order's; where nobody answers, all wait.
	async fn pass(self: &Arc<Self>, round: &mut Round) -> Result<(), DeskError> {
		let now = Instant::now();
		while let Some(ended) = round.tasks.try_join_next() {
			if let Ok((id, is_held)) = ended {
				round.busy.remove(&id);
				if is_held {
					round.looks.again(&id, now + HELD);
				}
			}
		}
		let open: Vec<_> = {
			let mut journal = locked(&self.journal);
			journal.prune(seconds());
			let open = journal.open_entries().map(|(id, entry)| (*id, entry.clone()));
			open.collect()
		};
		let Some(first) = open.iter().map(|(_, entry)| entry.since).min() else {
			round.acts = None;
			return Ok(());
		};
		// From where the oldest begins, once.
		if round.acts.as_ref().is_none_or(|(from, _)| first < *from) {
			round.acts = Some((first, Acts::from(first)));
		}
		let Some((_, acts)) = &mut round.acts else {
			return Ok(());
		};
		let due: Vec<_> = open.into_iter().filter(|(id, _)| round.looks.due(id, now)).collect();
		round.looks.forget(now);
		if due.is_empty() {
			return Ok(());
		}
		acts.follow(&self.chain).await?;
		let at = self.chain.finalised_hash().await?;
		let last = self.l2.final_block().await?;
		let seen = Seen {
			acts,
			at,
			bridge: self.chain.bridge(Some(at)).await?,
			now: self.l2.now().await?,
			last: (last.number, last.time),
		};
		for (id, entry) in due {
			if round.busy.contains(&id) {
				continue;
			}
			let mut pause = progress::pause(&entry.state);
			match self.next(&id, &entry, &seen).await {
				Ok(Next::Is(state)) => self.note(&id, state),
				Ok(Next::Look) => {},
				Ok(Next::Send) if round.busy.len() < SENDING => {
					round.busy.insert(id);
					let desk = self.clone();
					round.tasks.spawn(async move {
						let is_held = match &entry.request {
							Request::Deposit(deposit) => desk.send(&id, deposit).await,
							Request::Action(action) => desk.act(&id, action).await,
						};
						(id, is_held)
					});
				},
				Ok(Next::Send) => {},
				Err(error) if error.is_everybodys() => return Err(error),
				Err(error) => {
					tracing::warn!(%id, %error, "an order is looked at again later");
					pause = HELD;
				},
			}
			round.looks.again(&id, now + pause);
		}
		Ok(())
	}

	/// What is to be done next for an order.
	async fn next(&self, id: &Hash, entry: &Entry, seen: &Seen<'_>) -> Result<Next, DeskError> {
		let deposit = match &entry.request {
			Request::Action(action) => {
				let deadline = action.action.deadline();
				return Ok(Acting {
					best: self.chain.head().best,
					read_to: seen.acts.read_to(),
					is_whole: seen.acts.is_whole(entry.since),
					deadline,
					acted: seen.acts.get(id),
					has_failed: entry.has_failed,
				}
				.next());
			},
			Request::Deposit(deposit) => deposit,
		};
		// Nobody attests it, or the chain stands still: that is not ours to mend, and not to be looked at for ever.
		if entry.taken.saturating_add(KEPT) < seconds() {
			return Ok(Next::Is(State::Unknown));
		}
		let depositor = Address::from(deposit.depositor.0);
		let is_spent = self.l2.is_spent(depositor, deposit.nonce()).await?;
		let found = match is_spent {
			true => self.find(id, deposit, entry.from, seen.last.0).await?,
			false => None,
		};
		let is_imported = found.filter(|found| found.number < seen.bridge.next_deposit);
		let seen = Deposited {
			now: seen.now,
			final_time: seen.last.1,
			valid_before: deposit.valid_before,
			is_spent,
			has_code: !is_spent && self.l2.has_code(depositor).await?,
			has_failed: entry.has_failed,
			found,
			attested: seen.bridge.attested.map_or(0, |attested| attested.count),
			is_credited: found.and_then(|found| seen.acts.is_credited(found.number)),
			is_stranded: match is_imported {
				Some(found) => {
					let stranded = self.chain.stranded(found.number, 1, Some(seen.at)).await?;
					stranded.iter().any(|stranded| stranded.number == found.number)
				},
				None => false,
			},
		};
		let next = seen.next();
		// What we sent last, before a crash or a minute ago, may have failed since.
		if let (
			Next::Send,
			State::Sent {
				transaction: Some(transaction),
			},
		) = (&next, &entry.state)
		{
			match self.l2.receipt(B256::from(transaction.0)).await? {
				Some(receipt) if !receipt.status() => {
					self.fail(id, format!("transaction {transaction} reverted"));
					return Ok(Next::Look);
				},
				Some(_) => return Ok(Next::Look),
				None => {},
			}
		}
		Ok(next)
	}

	/// Sends a deposit. True where it is held up.
	async fn send(&self, id: &Hash, deposit: &SignedDeposit) -> bool {
		let sent = |transaction: B256| {
			let transaction = Some(Hash(transaction.0));
			self.note(id, State::Sent { transaction });
		};
		let done = self
			.l2
			.execute_for(&self.signer, self.l2.vault, &deposit.call(), Some(deposit.fee), sent)
			.await;
		match done {
			Ok(receipt) => {
				tracing::info!(%id, gas = receipt.gas_used, "submitted a deposit");
				false
			},
			Err(L2Error::Reverted(transaction)) => {
				self.fail(id, format!("transaction {transaction} reverted"));
				true
			},
			// The next look shows whether it got in; where it did not, what is sent then replaces it.
			Err(L2Error::Slow(_)) => false,
			// Prices move, USDC is paused, a balance is empty: it may pass while the authorisation is good. Or another agent was
			// faster, which the next look shows.
			Err(error @ (L2Error::Deferred(_) | L2Error::Reverts { .. })) => {
				self.wait(id, of_l2(&error));
				true
			},
			// It may be on its way: what was noted of it stays.
			Err(error) => {
				tracing::warn!(%id, %error, "a deposit is sent again later");
				true
			},
		}
	}

	/// A deposit on the L2 that is what was ordered, and no other order's. `last` is the L2's newest final block.
	async fn find(&self, id: &Hash, deposit: &SignedDeposit, from: u64, last: u64) -> Result<Option<Found>, DeskError> {
		let to = self.l2.block_number().await?.min(from.saturating_add(FIND_IN));
		let depositor = Address::from(deposit.depositor.0);
		let made = self.l2.deposits_by(depositor, from, to).await?;
		let journal = locked(&self.journal);
		let ours = made.into_iter().find(|(made, _, _)| {
			(made.kind, made.amount, made.refund_to, &made.body)
				== (deposit.kind, deposit.amount, deposit.refund_to, &deposit.body)
				&& !journal.is_claimed(id, made.number)
		});
		Ok(ours.map(|(made, transaction, block)| Found {
			transaction: Hash(transaction.0),
			number: made.number,
			is_final: block <= last,
		}))
	}

	/// Tries an action, and submits it. What came of it is read from final blocks. True where it is held up.
	async fn act(&self, id: &Hash, action: &SignedAction) -> bool {
		let Some(wallet) = &self.wallet else {
			self.wait(id, "this agent has no account on the chain any more".into());
			return true;
		};
		let call = act(&action.action, &action.signature);
		match self.chain.try_out(wallet, &call).await {
			Ok(_) => {},
			// By somebody else, or by us before a crash; a final block will say so.
			Err(ChainError::Dispatch(rule)) if rule.contains(ALREADY_USED) => {
				self.note(id, State::Sent { transaction: None });
				return true;
			},
			Err(error) => {
				tracing::debug!(%id, %error, "an action is tried again");
				self.wait(id, of_chain(&error));
				return true;
			},
		}
		self.note(id, State::Sent { transaction: None });
		match self.chain.submit(wallet, &call, Wait::Finalised).await {
			Ok(included) => {
				tracing::info!(%id, fee = included.fee, "submitted an action");
				false
			},
			Err(ChainError::Dispatch(rule)) => {
				self.fail(id, rule);
				true
			},
			Err(error) => {
				tracing::warn!(%id, %error, "an action is tried again");
				self.wait(id, of_chain(&error));
				true
			},
		}
	}
}

/// What both chains say, once for all orders of a look.
struct Seen<'a> {
	acts: &'a Acts,
	/// The chain's final block.
	at: Hash,
	/// The bridge there.
	bridge: BridgeInfo,
	/// Time of the L2's newest block.
	now: u64,
	/// Number and time of its newest final one.
	last: (u64, u64),
}

/// Why a look at what is open ended early.
#[derive(Debug, thiserror::Error)]
enum DeskError {
	#[error("chain: {0}")]
	Chain(#[from] ChainError),
	#[error(transparent)]
	L2(#[from] L2Error),
}

impl DeskError {
	fn trouble(&self) -> Trouble {
		match self {
			Self::L2(error) => error.trouble(),
			Self::Chain(_) => Trouble::Other,
		}
	}

	/// Whether it is about nobody's order: who was asked does not answer anybody.
	fn is_everybodys(&self) -> bool {
		match self {
			Self::L2(error) => matches!(error, L2Error::Node { .. } | L2Error::Limited { .. }),
			Self::Chain(error) => error.is_transient(),
		}
	}
}

/// What is remembered from look to look.
#[derive(Default)]
struct Round {
	looks: Looks,
	/// What final blocks say, and from where on it was read.
	acts: Option<(BlockNumber, Acts)>,
	/// Orders that are being sent, and whether each is held up.
	tasks: JoinSet<(Hash, bool)>,
	busy: BTreeSet<Hash>,
}

/// When each order is looked at again.
#[derive(Debug, Default)]
struct Looks {
	next: BTreeMap<Hash, Instant>,
}

impl Looks {
	fn due(&self, id: &Hash, now: Instant) -> bool {
		self.next.get(id).is_none_or(|next| now >= *next)
	}

	fn again(&mut self, id: &Hash, at: Instant) {
		self.next.insert(*id, at);
	}

	/// Forgets those whose time has come.
	fn forget(&mut self, now: Instant) {
		self.next.retain(|_, next| *next > now);
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn strangers_are_told_whose_fault_it_is_and_nothing_of_what_we_run() {
		let node = L2Error::Node {
			doing: "asking",
			reason: "error sending request for url (https://l2.example/v3/secret)".into(),
		};
		assert_eq!(of_l2(&node), NO_L2);
		let chain = ChainError::Node("ws://10.0.0.7:9944 is gone".into());
		assert_eq!(of_chain(&chain), NO_CHAIN);
		assert_eq!(of_chain(&ChainError::Dispatch("too little".into())), "too little");
		let refusal = away(NO_L2, node).to_string();
		assert!(refusal.contains(NO_L2) && !refusal.contains("secret"), "{refusal}");
	}

	#[test]
	fn trouble_of_one_order_is_not_everybodys() {
		let refused = || L2Error::Refused {
			doing: "reading deposits",
			reason: "range".into(),
		};
		let node = L2Error::Node {
			doing: "asking",
			reason: "gone".into(),
		};
		assert!(!DeskError::from(refused()).is_everybodys());
		assert!(DeskError::from(node).is_everybodys());
		assert!(DeskError::from(ChainError::Node("gone".into())).is_everybodys());
		let ours = ChainError::Metadata("shape".into());
		assert!(!DeskError::from(ours).is_everybodys());
	}
}
