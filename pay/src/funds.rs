//! Deposit and session key: what is missing, and getting it with one signature of the wallet; or waiting until the
//! account's owner has got it elsewhere.

use crate::pocket::{Pocket, StateError, StateFolder};
use clustercast_chain::{account, calls, Call, Chain, ChainError, Constants, Wait, Wallet};
use clustercast_primitives::{
	amount::USDC,
	chain::{ChannelInfo, ChannelKey, SessionInfo, ViewerAccount, VoucherPlace, VoucherTotals},
	crypto::KeyPair,
	ticket::EXPIRY_GRID,
	AccountId, Balance, BlockNumber, Hash, PublicKey, Signature, Usdc,
};
use clustercast_protocol::{purse, tickets::EXPIRY_MARGIN, PurseConfig, PurseError};
use std::time::Duration;
use tokio::time::sleep;

/// Life of a new session key: seven days of 2 s blocks.
const SESSION_LIFE: BlockNumber = 7 * 24 * 1_800;

/// Ticket lives that a session key must have left to be used: an evening of watching (600-block tickets: 40 minutes).
const SESSION_MARGIN: BlockNumber = 2;

/// Fewer blocks than the chain allows a ticket to live: its expiry is rounded up to the grid, and relayers take none that
/// expires later.
const EXPIRY_SLACK: BlockNumber = EXPIRY_GRID + EXPIRY_MARGIN;

/// How often the chain is asked for a session key that others authorise: once a block.
const LOOK: Duration = Duration::from_secs(2);

/// Left free for the fee of the signature, micro-USDC; a batch costs well below it.
const FEE_RESERVE: Balance = 10_000;

/// What the viewer wants to have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wanted {
	/// Held for tickets, micro-USDC. Topped up when less than half of it is there.
	pub deposit: Balance,
	/// Most that one session key may spend, micro-USDC. A new one is made when less than half of it is left.
	pub limit: Balance,
}

/// Why there is no money to pay with.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FundsError {
	/// More than one account may hold.
	#[error("a deposit of {wanted} USDC is above the chain's limit of {max} USDC per account")]
	DepositTooLarge {
		/// Asked for.
		wanted: Usdc,
		/// Allowed.
		max: Usdc,
	},
	/// No relayer can take a ticket of it.
	#[error("{wanted} USDC for --deposit and --limit pay nobody: {least} USDC is the least that a ticket can have, 0.02 USDC what relayers ask as a rule")]
	TooLittleWanted {
		/// Asked for, the smaller of the two.
		wanted: Usdc,
		/// The chain's smallest ticket.
		least: Usdc,
	},
	/// What there was is on its way out, and is not replaced behind the owner's back.
	#[error(
		"{leaving} USDC of the deposit are on their way out until block {until}, and {left} USDC stay: take them back with `unlock --cancel`, or `withdraw` them then and watch again"
	)]
	Leaving {
		/// Announced.
		leaving: Usdc,
		/// When it can be withdrawn.
		until: BlockNumber,
		/// Not announced.
		left: Usdc,
	},
	/// The account has not enough.
	#[error(
		"account {} has {} USDC; needed are {} and a fee below a cent: send it there{}",
		account::ss58(.payer), plain(*.free), plain(*.needed), if *.less { ", or ask for less: --deposit 1" } else { "" }
	)]
	TooLittle {
		/// Whose.
		payer: AccountId,
		/// Outside the deposit.
		free: Usdc,
		/// To be added to the deposit, and held for the session key.
		needed: Usdc,
		/// A smaller deposit would do.
		less: bool,
	},
	/// No room for another session key.
	#[error("the account has {0} session keys, as many as it may; wait until one of them expires")]
	TooManySessions(u32),
	/// The chain did not do it.
	#[error(transparent)]
	Chain(#[from] ChainError),
	/// The purse in the state folder is not this key's.
	#[error(transparent)]
	Purse(#[from] PurseError),
	/// The state folder.
	#[error(transparent)]
	State(#[from] StateError),
}

/// Without zeros that say nothing: 5.01, 0.
fn plain(amount: Usdc) -> String {
	let text = amount.to_string();
	text.trim_end_matches('0').trim_end_matches('.').into()
}

/// A deposit that lasts for days of video; whoever asks for more and cannot pay is told of it.
const SMALL_DEPOSIT: Balance = USDC;

/// What is missing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
	/// To be added to the deposit, micro-USDC; 0 for nothing.
	pub deposit: Balance,
	/// The session key to go on with; `None` asks for a new one.
	pub keep: Option<SessionInfo>,
	/// The session key that a new one replaces.
	pub revoke: Option<PublicKey>,
}

impl Plan {
	/// Compares what is there with what is wanted. `key`: the session key that this player holds.
	pub fn new(
		payer: &AccountId,
		account: &ViewerAccount,
		key: Option<&PublicKey>,
		wanted: Wanted,
		now: BlockNumber,
		constants: &Constants,
	) -> Result<Self, FundsError> {
		if wanted.deposit > constants.max_deposit {
			return Err(FundsError::DepositTooLarge {
				wanted: Usdc(wanted.deposit),
				max: Usdc(constants.max_deposit),
			});
		}
		let smaller = wanted.deposit.min(wanted.limit);
		if smaller < constants.min_face_value {
			return Err(FundsError::TooLittleWanted {
				wanted: Usdc(smaller),
				least: Usdc(constants.min_face_value),
			});
		}
		// What is on its way out still pays, but relayers do not count on it.
		let leaving = account.unlocking.as_ref().map_or(0, |u| u.amount);
		let available = account.deposit.saturating_sub(leaving);
		let short = available < wanted.deposit.div_ceil(2);
		let deposit = match &account.unlocking {
			// Its owner takes money out: putting other money in would undo that.
			Some(unlocking) if available < constants.min_face_value => {
				return Err(FundsError::Leaving {
					leaving: Usdc(leaving),
					until: unlocking.unlocks_at,
					left: Usdc(available),
				});
			},
			None if short => (wanted.deposit - available).min(constants.max_deposit.saturating_sub(account.deposit)),
			_ => 0,
		};
		let held = key.and_then(|key| account.sessions.iter().find(|s| s.key == *key));
		let lasts = |s: &&SessionInfo| {
			s.expiry >= now.saturating_add(constants.max_ticket_life * SESSION_MARGIN)
				&& s.limit.saturating_sub(s.spent) >= wanted.limit.div_ceil(2)
		};
		let affords = |needed: Balance| match needed > 0 && account.free < needed.saturating_add(FEE_RESERVE) {
			true => Err(FundsError::TooLittle {
				payer: *payer,
				free: Usdc(account.free),
				needed: Usdc(needed),
				less: deposit > 0 && wanted.deposit > SMALL_DEPOSIT,
			}),
			false => Ok(()),
		};
		if let Some(session) = held.filter(lasts) {
			affords(deposit)?;
			return Ok(Self {
				deposit,
				keep: Some(session.clone()),
				revoke: None,
			});
		}
		affords(deposit.saturating_add(constants.session_deposit))?;
		if account.sessions.len() >= constants.max_sessions as usize {
			return Err(FundsError::TooManySessions(constants.max_sessions));
		}
		Ok(Self {
			deposit,
			keep: None,
			// Not one that ends by itself before a revocation would end it.
			revoke: held
				.filter(|s| s.expiry > now.saturating_add(constants.max_ticket_life))
				.map(|s| s.key),
		})
	}

	/// Whether the session in use is the one to go on with.
	fn goes_on(&self, in_use: Option<&PublicKey>) -> bool {
		in_use.is_some() && self.keep.as_ref().map(|session| &session.key) == in_use
	}

	/// The session in use is replaced, by whichever: it is not to stay behind.
	fn replace(
		&mut self,
		in_use: Option<&PublicKey>,
		account: &ViewerAccount,
		now: BlockNumber,
		constants: &Constants,
	) {
		let lasts = |session: &&SessionInfo| session.expiry > now.saturating_add(constants.max_ticket_life);
		let known = in_use.and_then(|key| account.sessions.iter().find(|session| session.key == *key));
		if let Some(session) = known.filter(lasts) {
			self.revoke = Some(session.key);
		}
	}

	/// The calls that make it so, with `key` as the new session key; none when nothing is missing.
	fn calls(&self, key: &PublicKey, limit: Balance, expiry: BlockNumber, proof: &Signature) -> Vec<Call> {
		let mut calls: Vec<Call> = Vec::new();
		if self.deposit > 0 {
			calls.push(calls::deposit(self.deposit));
		}
		calls.extend(self.revoke.iter().map(calls::revoke_session));
		if self.keep.is_none() {
			calls.push(calls::authorize_session(key, limit, 0, expiry, proof));
		}
		calls
	}
}

/// Makes sure of deposit and session key, signing at most once, and opens the purse. Waits until it is final, so that
/// every relayer's node knows of it.
pub async fn prepare(
	chain: &Chain,
	wallet: &Wallet,
	folder: &StateFolder,
	wanted: Wanted,
) -> Result<Pocket, FundsError> {
	let prepared = arrange(chain, wallet, folder, wanted, None).await?;
	Ok(prepared.expect("none is in use"))
}

/// The same while the purse of this session is in use: another one where its session key is not to be used for much longer, and
/// `None` where it is. That one is not opened twice. Where the folder has another key, of an attempt whose end nobody heard of, that
/// one is gone on with.
pub async fn renew(
	chain: &Chain,
	wallet: &Wallet,
	folder: &StateFolder,
	wanted: Wanted,
	session: &PublicKey,
) -> Result<Option<Pocket>, FundsError> {
	arrange(chain, wallet, folder, wanted, Some(session)).await
}

async fn arrange(
	chain: &Chain,
	wallet: &Wallet,
	folder: &StateFolder,
	wanted: Wanted,
	in_use: Option<&PublicKey>,
) -> Result<Option<Pocket>, FundsError> {
	let constants = *chain.constants();
	let now = chain.head().best;
	let account = chain.viewer_account(&wallet.account(), None).await?;
	let held = folder.session()?;
	let purse_of = |limit, expiry| purse_config(chain, wallet.account(), limit, expiry);
	let payer = wallet.account();
	let mut plan = Plan::new(
		&payer,
		&account,
		held.as_ref().map(|(k, _)| k.public()).as_ref(),
		wanted,
		now,
		&constants,
	)?;
	if let Some(unlocking) = &account.unlocking {
		tracing::warn!(
			leaving = %Usdc(unlocking.amount),
			until = unlocking.unlocks_at,
			"a part of the deposit is on its way out: what stays pays, and nothing is added; `unlock --cancel` keeps it"
		);
	}
	let goes_on = plan.goes_on(in_use);
	let mut pocket = None;
	if let (Some(session), Some((key, stored)), false) = (&plan.keep, held, goes_on) {
		match folder.restore(key, &stored, purse_of(session.limit, session.expiry)) {
			Ok(restored) => pocket = Some(restored),
			Err(error) => {
				tracing::warn!(%error, "the session key is not used again");
				plan = Plan::new(&payer, &account, None, wanted, now, &constants)?;
			},
		}
	}
	if !goes_on {
		plan.replace(in_use, &account, now, &constants);
	}
	let expiry = now.saturating_add(SESSION_LIFE.min(constants.max_session_life));
	let fresh = folder.fresh_key();
	let proof = purse::prove(&fresh, wallet.account(), &chain.genesis());
	let mut calls = plan.calls(&fresh.public(), wanted.limit, expiry, &proof);
	if pocket.is_none() && !goes_on {
		// Before the chain knows it: a key that is authorised and lost would leave its session behind.
		pocket = Some(folder.adopt(&fresh, purse_of(wanted.limit, expiry))?);
	}
	let call = match calls.len() {
		0 => None,
		1 => calls.pop(),
		_ => Some(calls::batch_all(calls)),
	};
	if let Some(call) = call {
		tracing::info!(
			deposit = %Usdc(plan.deposit),
			new_session = plan.keep.is_none(),
			"signing once with the wallet"
		);
		chain.submit(wallet, &call, Wait::Finalised).await?;
	}
	Ok(pocket)
}

fn purse_config(chain: &Chain, sender: AccountId, budget: Balance, session_expiry: BlockNumber) -> PurseConfig {
	PurseConfig {
		budget,
		..rules(chain.constants(), chain.genesis(), sender, session_expiry)
	}
}

/// A purse of nothing under the chain's rules.
fn rules(constants: &Constants, genesis: Hash, sender: AccountId, session_expiry: BlockNumber) -> PurseConfig {
	PurseConfig {
		genesis,
		sender,
		session_expiry,
		ticket_life: constants.max_ticket_life.saturating_sub(EXPIRY_SLACK),
		budget: 0,
	}
}

/// The session key for an account that is funded elsewhere. Made when there is none yet.
pub fn session_to_authorise(
	chain: &Chain,
	account: AccountId,
	folder: &StateFolder,
) -> Result<(KeyPair, BlockNumber), FundsError> {
	let life = SESSION_LIFE.min(chain.constants().max_session_life);
	let expiry = chain.head().best.saturating_add(life);
	let key = match folder.session()? {
		Some((key, _)) => key,
		None => {
			let fresh = folder.fresh_key();
			folder.adopt(&fresh, purse_config(chain, account, 0, expiry))?;
			fresh
		},
	};
	Ok((key, expiry))
}

/// The purse of the session key in the folder, as it is; `None` where there is none.
pub fn session_at_hand(chain: &Chain, account: AccountId, folder: &StateFolder) -> Result<Option<Pocket>, FundsError> {
	let Some((key, stored)) = folder.session()? else {
		return Ok(None);
	};
	let config = purse_config(chain, account, 0, BlockNumber::MAX);
	Ok(Some(folder.restore(key, &stored, config)?))
}

/// Waits until the account has authorised the folder's session key and has a deposit, and opens the purse.
pub async fn await_session(chain: &Chain, account: AccountId, folder: &StateFolder) -> Result<Pocket, FundsError> {
	let (key, expiry) = session_to_authorise(chain, account, folder)?;
	let key = key.public();
	let mut told = false;
	loop {
		let found = chain.viewer_account(&account, None).await?;
		if let Some(session) = usable(&found, &key, chain.head().best) {
			if let Some((key, stored)) = folder.session()? {
				let config = purse_config(chain, account, session.limit, session.expiry);
				return folder.restore(key, &stored, config).map_err(FundsError::Purse);
			}
		}
		if !std::mem::replace(&mut told, true) {
			tracing::warn!(
				deposit = %Usdc(found.deposit),
				"waiting for a deposit that authorises session key {key} up to block {expiry}"
			);
		}
		sleep(LOOK).await;
	}
}

/// What a channel has paid, and what vouchers have paid at these places of it, by the newest finalised block.
pub async fn paid(
	chain: &Chain,
	channel: ChannelKey,
	places: &[VoucherPlace],
) -> Result<(ChannelInfo, Vec<VoucherTotals>), ChainError> {
	let (_, hash) = chain.finalised().await?;
	let channels = chain.channels(&[channel], Some(hash)).await?;
	let mut paid = Vec::with_capacity(places.len());
	for page in places.chunks(chain.constants().max_batch.max(1) as usize) {
		paid.extend(chain.vouchers_paid(page, Some(hash)).await?);
	}
	Ok((channels.first().copied().flatten().unwrap_or_default(), paid))
}

/// The session with which a ticket can be paid at block `now`.
fn usable<'a>(account: &'a ViewerAccount, key: &PublicKey, now: BlockNumber) -> Option<&'a SessionInfo> {
	let session = account.sessions.iter().find(|session| session.key == *key)?;
	(account.deposit > 0 && session.expiry > now && session.spent < session.limit).then_some(session)
}

#[cfg(test)]
mod tests {
	use super::*;
	use clustercast_primitives::{chain::Unlocking, receipt::Kind, WindowId};
	use clustercast_protocol::{Due, Payment, Purse, Share};

	const CONSTANTS: Constants = Constants {
		max_deposit: 50 * USDC,
		min_face_value: 1_000,
		unlock_delay: 1_200,
		max_ticket_life: 600,
		channel_delay: 1_200,
		max_session_life: 1_296_000,
		session_deposit: 10_000,
		max_batch: 100,
		max_sessions: 2,
		block_time: Duration::from_secs(2),
	};
	const WANTED: Wanted = Wanted {
		deposit: 5 * USDC,
		limit: 4 * USDC,
	};
	const PAYER: AccountId = AccountId([5; 32]);
	const KEY: PublicKey = PublicKey([1; 32]);
	const NOW: BlockNumber = 10_000;

	fn session(spent: Balance, expiry: BlockNumber) -> SessionInfo {
		SessionInfo {
			key: KEY,
			limit: 4 * USDC,
			spent,
			extra_limit: 0,
			extra_spent: 0,
			expiry,
			registered: 1,
		}
	}

	/// Whatever block it is: neither refused as living too long by a relayer that is 20 blocks behind, nor as too short.
	#[test]
	fn payments_live_as_long_as_relayers_take() {
		let config = rules(&CONSTANTS, Hash([1; 32]), AccountId([2; 32]), 100_000);
		let due = Due {
			recipient: AccountId([3; 32]),
			window: WindowId::default(),
			kind: Kind::LIVE,
			context: Hash([0; 32]),
			terms: 0,
			price_per_gb: 0,
			commitment: Hash([4; 32]),
			share: Share::Voucher { bytes: 0, amount: 0 },
		};
		let life = |block| {
			let mut purse = Purse::new(config.clone(), KeyPair::from_seed([3; 32]));
			match purse.pay(&due, block) {
				Ok(Payment::Voucher(voucher)) => voucher.message.expiry - block,
				other => panic!("{other:?}"),
			}
		};
		let lives: Vec<_> = (NOW..NOW + EXPIRY_GRID).map(life).collect();
		assert_eq!(
			lives.iter().max(),
			Some(&(CONSTANTS.max_ticket_life - EXPIRY_MARGIN - 1))
		);
		assert_eq!(
			lives.iter().min(),
			Some(&(CONSTANTS.max_ticket_life - EXPIRY_MARGIN - EXPIRY_GRID))
		);
	}

	fn account(deposit: Balance, sessions: Vec<SessionInfo>) -> ViewerAccount {
		ViewerAccount {
			free: 100 * USDC,
			deposit,
			reserved: 0,
			unlocking: None,
			sessions,
		}
	}

	fn plan(account: &ViewerAccount) -> Plan {
		Plan::new(&PAYER, account, Some(&KEY), WANTED, NOW, &CONSTANTS).unwrap()
	}

	#[test]
	fn newcomer_deposits_and_authorises() {
		let plan = plan(&account(0, vec![]));
		assert_eq!((plan.deposit, &plan.keep), (5 * USDC, &None));
		assert_eq!(plan.calls(&KEY, 1, 2, &Signature([0; 64])).len(), 2);
	}

	#[test]
	fn nothing_is_signed_when_nothing_is_missing() {
		let plan = plan(&account(3 * USDC, vec![session(USDC, NOW + 1_200)]));
		assert_eq!(plan.deposit, 0);
		assert!(plan.calls(&KEY, 1, 2, &Signature([0; 64])).is_empty());
	}

	#[test]
	fn deposit_is_topped_up_when_less_than_half_is_left() {
		let sessions = vec![session(0, NOW + 5_000)];
		assert_eq!(plan(&account(2_500_000, sessions.clone())).deposit, 0);
		assert_eq!(plan(&account(2_499_999, sessions.clone())).deposit, 2_500_001);
	}

	/// Whoever takes money out does not want to put other money in.
	#[test]
	fn deposit_is_not_topped_up_while_an_unlock_is_under_way() {
		let leaving = |amount| ViewerAccount {
			unlocking: Some(Unlocking {
				amount,
				unlocks_at: NOW + 1,
			}),
			..account(48 * USDC, vec![session(0, NOW + 5_000)])
		};
		assert_eq!(plan(&leaving(47 * USDC)).deposit, 0, "what stays pays");
		assert_eq!(plan(&leaving(48 * USDC - CONSTANTS.min_face_value)).deposit, 0);
		for amount in [48 * USDC - CONSTANTS.min_face_value + 1, 48 * USDC] {
			let error = Plan::new(&PAYER, &leaving(amount), Some(&KEY), WANTED, NOW, &CONSTANTS).unwrap_err();
			assert!(matches!(error, FundsError::Leaving { .. }), "{error}");
			assert!(error.to_string().contains("unlock --cancel"), "{error}");
		}
	}

	#[test]
	fn what_pays_no_ticket_is_not_deposited() {
		let least = CONSTANTS.min_face_value;
		for (deposit, limit, good) in [
			(least, least, true),
			(least - 1, USDC, false),
			(USDC, least - 1, false),
			(0, 0, false),
		] {
			let plan = Plan::new(
				&PAYER,
				&account(0, vec![]),
				None,
				Wanted { deposit, limit },
				NOW,
				&CONSTANTS,
			);
			assert_eq!(plan.is_ok(), good, "{plan:?}");
		}
	}

	#[test]
	fn session_is_replaced_when_short_of_time_or_money() {
		for (session, kept) in [
			(session(0, NOW + 1_200), true),
			(session(0, NOW + 1_199), false),
			(session(2 * USDC, NOW + 5_000), true),
			(session(2 * USDC + 1, NOW + 5_000), false),
		] {
			let plan = plan(&account(5 * USDC, vec![session.clone()]));
			assert_eq!(plan.keep.is_some(), kept, "{session:?}");
		}
	}

	#[test]
	fn replaced_session_is_revoked_unless_it_ends_anyway() {
		let plan_of = |expiry| plan(&account(5 * USDC, vec![session(4 * USDC, expiry)]));
		assert_eq!(plan_of(NOW + 601).revoke, Some(KEY));
		assert_eq!(plan_of(NOW + 600).revoke, None);
		let unknown = Plan::new(
			&PAYER,
			&account(5 * USDC, vec![session(0, NOW + 5_000)]),
			Some(&PublicKey([9; 32])),
			WANTED,
			NOW,
			&CONSTANTS,
		);
		assert_eq!(unknown.unwrap().revoke, None, "another player's session is left alone");
	}

	/// Of an account whose purse in use is that of [`KEY`], while the folder has the session key of `held`.
	fn renewal(account: &ViewerAccount, held: &PublicKey) -> Plan {
		let mut plan = Plan::new(&PAYER, account, Some(held), WANTED, NOW, &CONSTANTS).unwrap();
		if !plan.goes_on(Some(&KEY)) {
			plan.replace(Some(&KEY), account, NOW, &CONSTANTS);
		}
		plan
	}

	#[test]
	fn session_in_use_goes_on_as_long_as_it_is_good() {
		let good = account(5 * USDC, vec![session(0, NOW + 5_000)]);
		let plan = renewal(&good, &KEY);
		assert!(plan.goes_on(Some(&KEY)) && plan.revoke.is_none());
		assert!(!plan.goes_on(None), "nobody has its purse open");
		assert!(!plan.goes_on(Some(&PublicKey([9; 32]))), "nor by another one's");
		let spent = account(5 * USDC, vec![session(4 * USDC, NOW + 5_000)]);
		let plan = renewal(&spent, &KEY);
		assert!(!plan.goes_on(Some(&KEY)));
		assert_eq!((plan.keep, plan.revoke), (None, Some(KEY)));
	}

	/// The session key was to be replaced, and nobody heard what became of it.
	#[test]
	fn replacement_whose_end_nobody_heard_of_is_gone_on_with_and_the_one_before_does_not_stay_behind() {
		let next = PublicKey([9; 32]);
		let spent = session(4 * USDC, NOW + 5_000);
		let replacement = SessionInfo {
			key: next,
			..session(0, NOW + 100_000)
		};
		// It is on the chain, and for whatever reason the one before is there too.
		let both = account(5 * USDC, vec![spent.clone(), replacement.clone()]);
		let plan = renewal(&both, &next);
		assert_eq!(plan.keep, Some(replacement.clone()), "no third one");
		assert_eq!(plan.revoke, Some(KEY));
		assert_eq!(
			plan.calls(&KEY, 1, 2, &Signature([0; 64])).len(),
			1,
			"nothing is authorised"
		);
		// It is, and the one before is gone.
		let plan = renewal(&account(5 * USDC, vec![replacement.clone()]), &next);
		assert_eq!((plan.keep, plan.revoke), (Some(replacement), None));
		// It is not: another one replaces the one in use, of which the folder knows nothing any more.
		let plan = renewal(&account(5 * USDC, vec![spent]), &next);
		assert_eq!((plan.keep.clone(), plan.revoke), (None, Some(KEY)));
		assert_eq!(plan.calls(&next, 1, 2, &Signature([0; 64])).len(), 2);
		// Nor is one revoked that ends by itself.
		let ending = account(5 * USDC, vec![session(4 * USDC, NOW + 600)]);
		assert_eq!(renewal(&ending, &next).revoke, None);
	}

	#[test]
	fn session_of_others_is_used_while_it_can_pay() {
		let with = |deposit, spent, expiry| account(deposit, vec![session(spent, expiry)]);
		assert!(usable(&with(1, 4 * USDC - 1, NOW + 1), &KEY, NOW).is_some());
		assert!(usable(&with(0, 0, NOW + 1), &KEY, NOW).is_none(), "no deposit");
		assert!(usable(&with(1, 4 * USDC, NOW + 1), &KEY, NOW).is_none(), "spent");
		assert!(usable(&with(1, 0, NOW), &KEY, NOW).is_none(), "expired");
		assert!(usable(&with(1, 0, NOW + 1), &PublicKey([9; 32]), NOW).is_none());
	}

	#[test]
	fn session_needs_room_and_its_deposit() {
		let other = |n: u8| SessionInfo {
			key: PublicKey([n; 32]),
			..session(0, NOW + 1)
		};
		let full = account(5 * USDC, vec![other(7), other(8)]);
		let error = Plan::new(&PAYER, &full, None, WANTED, NOW, &CONSTANTS).unwrap_err();
		assert!(matches!(error, FundsError::TooManySessions(2)));
		let with_free = |free, sessions| {
			let account = ViewerAccount {
				free,
				..account(5 * USDC, sessions)
			};
			Plan::new(&PAYER, &account, Some(&KEY), WANTED, NOW, &CONSTANTS).map(|_| ())
		};
		let needed = CONSTANTS.session_deposit + FEE_RESERVE;
		assert!(with_free(needed, vec![]).is_ok());
		assert!(matches!(
			with_free(needed - 1, vec![]),
			Err(FundsError::TooLittle { .. })
		));
		assert!(
			with_free(0, vec![session(0, NOW + 5_000)]).is_ok(),
			"nothing is missing"
		);
	}

	#[test]
	fn what_cannot_be_had_is_said_before_signing() {
		let poor = ViewerAccount {
			free: 5 * USDC,
			..account(0, vec![])
		};
		let error = Plan::new(&PAYER, &poor, None, WANTED, NOW, &CONSTANTS).unwrap_err();
		assert!(matches!(error, FundsError::TooLittle { .. }), "no money for the fee");
		let said = error.to_string();
		let payer = clustercast_chain::account::ss58(&PAYER);
		assert_eq!(
			said,
			format!("account {payer} has 5 USDC; needed are 5.01 and a fee below a cent: send it there, or ask for less: --deposit 1")
		);
		let modest = Wanted {
			deposit: USDC,
			limit: USDC,
		};
		let none = ViewerAccount {
			free: 0,
			..account(0, vec![])
		};
		let said = Plan::new(&PAYER, &none, None, modest, NOW, &CONSTANTS)
			.unwrap_err()
			.to_string();
		assert!(
			said.ends_with("has 0 USDC; needed are 1.01 and a fee below a cent: send it there"),
			"{said}"
		);
		let greedy = Wanted {
			deposit: 51 * USDC,
			..WANTED
		};
		let error = Plan::new(&PAYER, &account(0, vec![]), None, greedy, NOW, &CONSTANTS).unwrap_err();
		assert!(matches!(error, FundsError::DepositTooLarge { .. }));
	}
}
