//! Where an agent takes what people signed: deposits, which it submits to the L2, and actions, which it submits to the chain; each for
//! the fee in it. What is taken is `judge`'s to say, how often `limits`', how far it is `progress`'; it is on disk (`journal`) before
//! it is answered. Here is what asks and sends; `api` is the door.

mod api;
mod journal;
mod judge;
mod limits;
mod progress;

use crate::{
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
use clustercast_chain::{
	bridge::{act, MAX_ANSWER},
	Chain, ChainError, Included, Wait, Wallet,
};
use clustercast_primitives::{
	bridge::{BridgeInfo, EthereumAction},
	Balance, EthereumAddress, Hash,
};
use journal::{Entry, Journal};
use judge::Situation;
use limits::{Limits, WALLET};
use progress::{Deposited, Next};
use std::{
	collections::{BTreeMap, BTreeSet},
	path::Path,
	sync::{Arc, Mutex, MutexGuard, PoisonError},
	time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};
use tokio::{sync::Notify, task::JoinSet};

pub(crate) use api::serve;

/// Gas and bytes of calldata of a deposit by authorisation: docs/l2.md, rounded up for slots that are used for the first time.
const DEPOSIT: (u64, usize) = (135_000, 750);

/// What is known is asked for again after this time.
const FRESH: Duration = Duration::from_secs(3);

/// Pause between two looks at what is open.
const LOOK: Duration = Duration::from_secs(1);

/// Pause where gas is too dear for a deposit, or the token refuses it: it may pass, and the authorisation is good for minutes.
const HELD: Duration = Duration::from_secs(10);

/// Actions that are tried, or wait in the chain's pool, at a time.
const ACTIONS: usize = 16;

/// Blocks of the L2 in which a deposit is looked for: its authorisation is good for less, at one a second.
const FIND_IN: u64 = 2 * MAX_VALIDITY;

/// Withdrawals looked through for the one of a message that somebody else submitted.
const FIND_AMONG: u64 = 2_000;

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
	known: tokio::sync::Mutex<Option<(Instant, Situation)>>,
	news: Notify,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
	// What is behind our locks is whole after each statement.
	mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn away(error: impl std::fmt::Display) -> Refusal {
	Refusal::Away {
		reason: format!("{error:#}"),
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
		let situation = self.look_around().await.map_err(away)?;
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
		})
	}

	async fn terms(&self) -> Result<Terms, Refusal> {
		self.situation().await.map(|situation| situation.terms)
	}

	/// How far an order is; one that was refused may be given again.
	fn report(&self, id: &Hash) -> Option<Report> {
		let state = locked(&self.journal).get(id)?.state.clone();
		Some(Report { id: *id, state })
	}

	fn underway(&self, id: &Hash) -> Option<Report> {
		self.report(id)
			.filter(|report| !matches!(report.state, State::Refused { .. }))
	}

	/// Takes a deposit, after it was tried; of one that is known says how far it is.
	async fn take_deposit(&self, deposit: SignedDeposit) -> Result<Report, Refusal> {
		let situation = self.situation().await?;
		let id = situation.deposit_id(&deposit);
		if let Some(report) = self.underway(&id) {
			return Ok(report);
		}
		situation.deposit(&deposit)?;
		self.admit(deposit.depositor)?;
		let from = self.l2.block_number().await.map_err(away)?;
		let tried = self
			.l2
			.simulate(self.signer.address(), self.l2.vault, &deposit.call())
			.await;
		tried.map_err(|error| match error {
			L2Error::Reverts { revert, .. } => Refusal::Reverts {
				reason: revert.to_string(),
			},
			error => away(error),
		})?;
		self.keep(id, Request::Deposit(deposit), from)
	}

	/// The same for an action.
	async fn take_action(&self, action: SignedAction) -> Result<Report, Refusal> {
		let situation = self.situation().await?;
		let id = situation.action_id(&action);
		if let Some(report) = self.underway(&id) {
			return Ok(report);
		}
		situation.action(&action)?;
		self.admit(action.signer)?;
		let Some(wallet) = &self.wallet else {
			return Err(Refusal::NoActions);
		};
		let bridge = self.chain.bridge(None).await.map_err(away)?;
		let tried = self
			.chain
			.try_out(wallet, &act(&action.action, &action.signature))
			.await;
		let fee = tried.map_err(|error| match error {
			ChainError::Dispatch(reason) => Refusal::Chain { reason },
			error => away(error),
		})?;
		if action.action.tip() < fee {
			return Err(Refusal::TooLow {
				least: fees::asked(fee, self.offer.margin_percent),
			});
		}
		self.keep(id, Request::Action(action), bridge.next_withdrawal)
	}

	/// Whether there is room for another order of this wallet, whose signature was checked.
	fn admit(&self, wallet: EthereumAddress) -> Result<(), Refusal> {
		let room = locked(&self.wallets).take(wallet, Instant::now());
		room.map_err(|wait| Refusal::TooMany {
			seconds: wait.as_secs() + 1,
		})?;
		match locked(&self.journal).is_full() {
			true => Err(Refusal::Busy),
			false => Ok(()),
		}
	}

	fn keep(&self, id: Hash, request: Request, from: u64) -> Result<Report, Refusal> {
		if let Some(report) = self.underway(&id) {
			return Ok(report);
		}
		let state = State::Waiting { reason: None };
		let entry = Entry {
			request,
			state: state.clone(),
			taken: seconds(),
			from,
		};
		locked(&self.journal).put(id, entry).map_err(away)?;
		self.news.notify_one();
		Ok(Report { id, state })
	}

	/// Notes how far an order is. A disk that fails does not stop it: what is noted is only what both chains say.
	fn note(&self, id: &Hash, state: State) {
		if let Err(error) = locked(&self.journal).set(id, state) {
			tracing::error!(%id, "the journal is not written: {error:#}");
		}
	}

	/// Does what was taken, for ever.
	pub(crate) async fn work(self: Arc<Self>) {
		let mut standing = Standing::new("orders");
		let mut looks = Looks::default();
		let mut acting = Acting::default();
		loop {
			match self.pass(&mut looks, &mut acting).await {
				Ok(()) => {
					standing.well();
					let _ = tokio::time::timeout(LOOK, self.news.notified()).await;
				},
				Err(error) => tokio::time::sleep(standing.failed(&error, error.trouble())).await,
			}
		}
	}

	/// One look at all that is open and due.
	async fn pass(self: &Arc<Self>, looks: &mut Looks, acting: &mut Acting) -> Result<(), DeskError> {
		while let Some(ended) = acting.tasks.try_join_next() {
			if let Ok(id) = ended {
				acting.ids.remove(&id);
			}
		}
		let now = Instant::now();
		let open: Vec<_> = {
			let mut journal = locked(&self.journal);
			journal.prune(seconds());
			let open = journal.open_entries().map(|(id, entry)| (*id, entry.clone()));
			open.filter(|(id, _)| looks.due(id, now)).collect()
		};
		looks.forget(now);
		if open.is_empty() {
			return Ok(());
		}
		let (bridge, time) = (self.chain.bridge(None).await?, self.l2.now().await?);
		for (id, entry) in open {
			let mut pause = progress::pause(&entry.state);
			match (&entry.request, &entry.state) {
				(Request::Deposit(deposit), _) => {
					let held = self.advance(&id, &entry, deposit, &bridge, time).await?;
					pause = if held { HELD } else { pause };
				},
				(Request::Action(_), State::Queued { withdrawal } | State::Released { withdrawal }) => {
					let (withdrawal, page) = (*withdrawal, self.chain.withdrawals(*withdrawal, 1, None).await?);
					let info = page.iter().find(|info| info.withdrawal.id == withdrawal);
					let is_released = info.is_some_and(|info| info.place.is_some());
					let is_executed = self.l2.executed(withdrawal).await?;
					self.note(&id, progress::withdrawal(withdrawal, is_released, is_executed));
				},
				(Request::Action(action), _) if acting.ids.len() < ACTIONS && acting.ids.insert(id) => {
					let (desk, action) = (self.clone(), action.clone());
					acting.tasks.spawn(async move {
						desk.act(&id, &action, entry.from).await;
						id
					});
				},
				_ => {},
			}
			looks.again(&id, now + pause);
		}
		Ok(())
	}

	/// Does the next thing for a deposit. True where it is held up.
	async fn advance(
		&self,
		id: &Hash,
		entry: &Entry,
		deposit: &SignedDeposit,
		bridge: &BridgeInfo,
		now: u64,
	) -> Result<bool, DeskError> {
		let depositor = Address::from(deposit.depositor.0);
		let is_spent = self.l2.is_spent(depositor, deposit.nonce()).await?;
		let found = match is_spent {
			true => self.find(id, deposit, entry.from).await?,
			false => None,
		};
		let is_imported = found.is_some_and(|(_, number)| number < bridge.next_deposit);
		let seen = Deposited {
			now,
			valid_before: deposit.valid_before,
			is_spent,
			found,
			attested: bridge.attested.map_or(0, |attested| attested.count),
			imported: bridge.next_deposit,
			is_stranded: match found {
				Some((_, number)) if is_imported => {
					let stranded = self.chain.stranded(number, 1, None).await?;
					stranded.iter().any(|stranded| stranded.number == number)
				},
				_ => false,
			},
		};
		match seen.next() {
			Next::Is(state) => self.note(id, state),
			Next::Look => {},
			Next::Send => return self.send(id, deposit).await,
		}
		Ok(false)
	}

	async fn send(&self, id: &Hash, deposit: &SignedDeposit) -> Result<bool, DeskError> {
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
				Ok(false)
			},
			// Prices move, USDC is paused, a balance is empty: it may pass while the authorisation is good. Or another agent was
			// faster, which the next look shows.
			Err(error @ (L2Error::Deferred(_) | L2Error::Reverts { .. } | L2Error::Reverted(_))) => {
				let reason = Some(error.to_string());
				self.note(id, State::Waiting { reason });
				Ok(true)
			},
			// The next look shows whether it got in; where it did not, what is sent then replaces it.
			Err(L2Error::Slow(_)) => Ok(false),
			Err(error) => Err(error.into()),
		}
	}

	/// A deposit on the L2 that is what was ordered, and no other order's.
	async fn find(&self, id: &Hash, deposit: &SignedDeposit, from: u64) -> Result<Option<(Hash, u64)>, DeskError> {
		let to = self.l2.block_number().await?.min(from.saturating_add(FIND_IN));
		let depositor = Address::from(deposit.depositor.0);
		let made = self.l2.deposits_by(depositor, from, to).await?;
		let journal = locked(&self.journal);
		let ours = made.into_iter().find(|(made, _, _)| {
			(made.kind, made.amount, made.refund_to, &made.body)
				== (deposit.kind, deposit.amount, deposit.refund_to, &deposit.body)
				&& !journal.is_claimed(id, made.number, true)
		});
		Ok(ours.map(|(made, transaction, _)| (Hash(transaction.0), made.number)))
	}

	/// Tries an action, and submits it. Whatever stops it for now is tried again with a later look.
	async fn act(&self, id: &Hash, action: &SignedAction, from: u64) {
		let Some(wallet) = &self.wallet else {
			let reason = Some("the agent has no account on the chain any more".into());
			return self.note(id, State::Waiting { reason });
		};
		let call = act(&action.action, &action.signature);
		let submitted = async {
			self.chain.try_out(wallet, &call).await?;
			self.note(id, State::Sent { transaction: None });
			self.chain.submit(wallet, &call, Wait::Finalised).await
		};
		match submitted.await {
			Ok(included) => {
				tracing::info!(%id, fee = included.fee, "submitted an action");
				self.note(id, done(&included));
			},
			// By somebody else, or by us before a crash.
			Err(ChainError::Dispatch(rule)) if rule.contains(ALREADY_USED) => {
				match self.taken(id, action, from).await {
					Ok(state) => self.note(id, state),
					Err(error) => tracing::debug!(%id, %error, "an action that was taken is looked for again"),
				}
			},
			Err(ChainError::Dispatch(reason)) => self.note(
				id,
				State::Refused {
					error: Refusal::Chain { reason },
				},
			),
			Err(_) if self.chain.head().best > action.action.deadline() => {
				self.note(id, State::Refused { error: Refusal::NotNow })
			},
			Err(error) => {
				tracing::warn!(%id, %error, "an action is tried again");
				let reason = Some(error.to_string());
				self.note(id, State::Waiting { reason });
			},
		}
	}

	/// How far an action is that the chain has taken, though not of us as far as we know.
	async fn taken(&self, id: &Hash, action: &SignedAction, from: u64) -> Result<State, ChainError> {
		let EthereumAction::Withdraw { to, amount, fee, .. } = action.action else {
			return Ok(State::Done { block: None });
		};
		let mut next = from;
		while next < from.saturating_add(FIND_AMONG) {
			let page = self.chain.withdrawals(next, MAX_ANSWER, None).await?;
			let Some(last) = page.last().map(|info| info.withdrawal.id) else {
				break;
			};
			let journal = locked(&self.journal);
			let found = page.iter().map(|info| info.withdrawal).find(|withdrawal| {
				(withdrawal.to, withdrawal.fee) == (to, fee)
					&& (amount == 0 || withdrawal.amount == amount)
					&& !journal.is_claimed(id, withdrawal.id, false)
			});
			if let Some(withdrawal) = found {
				return Ok(State::Queued {
					withdrawal: withdrawal.id,
				});
			}
			next = last + 1;
		}
		Ok(State::Done { block: None })
	}
}

/// What an action came to.
fn done(included: &Included) -> State {
	let requested = included.event("UsdcBridge", "WithdrawalRequested");
	match requested.and_then(|event| event.field("id").ok()) {
		Some(withdrawal) => State::Queued { withdrawal },
		None => State::Done {
			block: Some(included.number),
		},
	}
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
}

/// Actions that are tried, or wait in the chain's pool.
#[derive(Default)]
struct Acting {
	tasks: JoinSet<Hash>,
	ids: BTreeSet<Hash>,
}

/// When each order is looked at again.
#[derive(Default)]
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
