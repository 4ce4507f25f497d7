//! # Ticket broker
//!
//! Viewers' deposits, the session keys that spend them, and what they pay for: winning lottery tickets, cumulative
//! vouchers, tips.
//!
//! ## Terms
//! - *Deposit*: USDC held on the viewer's own account for tickets, up to a cap. It leaves by tickets that win, or after
//!   a delay that outlasts every ticket signed before the viewer asked for it.
//! - *Session*: an Ed25519 key with two spending limits and an expiry that signs tickets for a viewer, unattended. One
//!   limit is for what is bought by bytes, whose price is bounded, and for tips; the other one for everything else.
//! - *Voucher*: "owed in all" of a session at a [`VoucherPlace`](clustercast_primitives::chain::VoucherPlace), see
//!   [`clustercast_primitives::voucher`]. The newest replaces those before it; what it owes beyond what was paid is paid
//!   whole.
//! - *Tip*: money for whoever broadcasts a stream, whole: neither relayer nor treasury has a share.
//! - *Ticket*: see [`clustercast_primitives::ticket`]. It can be redeemed up to and including its expiry block, which is
//!   at most [`Config::MaxTicketLife`] ahead.
//! - *Epoch* of a ticket: its expiry block divided by [`Config::EpochLength`]. A nonce is spent once in an epoch of a
//!   session.
//!
//! ## Design
//! *Spent nonces* are a bitmap for each (epoch, session), the epoch first, so that all of an epoch can be cleared by
//! prefix. An epoch is cleared once its last block is past: from then on each of its tickets is expired, so nothing that
//! the bitmap guarded against can come back. Neither revoking nor reaping a session touches bitmaps, so registering the
//! same key again revives no spent ticket either.
//!
//! *A batch* is judged payment by payment on a draft of what it read ([`batch`]), cheap checks first and the
//! signature last. One that passes enters the draft whole, one that does not leaves it untouched and is reported
//! with its reason; then everything is written once. [`Pallet::check_tickets`] and [`Pallet::check_vouchers`] are the
//! same judgement, not written: the two cannot diverge. A relayer with vouchers of many viewers is paid one lump sum.
//!
//! *What vouchers have paid* is kept while the session exists, which is until its last voucher has expired: so a key
//! that is registered again finds no voucher that could be paid again.
//!
//! *Money on its way out still pays.* Tickets spend what is not unlocking first, then what is. What was asked for and
//! spent meanwhile is not made up by a later deposit.
//!
//! *Whom a ticket pays besides its recipient*, and at which price at most, is settled by its stream's terms in the first
//! block in which it can have been signed ([`Pallet::signed_at`]): a relayer that took it knew them, and does not change
//! them by redeeming it later. It pays no more than its bytes cost at the highest price of that block or of this one. A
//! *voucher* names its terms, and adds up under them alone: they must be those of that block, or of this one. A tip is for
//! whoever broadcasts now.
//!
//! *What is not by bytes* has no price that a stream could bound, and says nothing of a relayer: a session's second limit
//! is all that bounds it.
//!
//! *Nothing here tells which window was paid for*, or when: expiries lie on a grid of two minutes, a ticket's bytes are
//! rounded, and no hash can be guessed from what others know.
//!
//! *Revoking* only brings the expiry forward to the last block of any ticket signed by now, since relayers have
//! delivered against them.
//!
//! ## Invariants (checked by `try_state`)
//! 1. Nobody's deposit exceeds the cap.
//! 2. Sessions and their owners' lists are two views of one relation, and no list is longer than the bound.
//! 3. No session has spent more than its limits.
//! 4. No bitmap is longer than the bound, empty, or of an epoch that was cleared.
//! 5. What is unlocking is more than nothing and no more than the cap, for an account that exists.
//! 6. The treasury's account exists.
//! 7. What vouchers paid is recorded for sessions that exist, for as many places as the session counts, no more
//!    than the bound; and all of it is not more than the session spent.

#![cfg_attr(not(feature = "std"), no_std)]

extern crate alloc;

mod batch;
#[cfg(feature = "runtime-benchmarks")]
mod benchmarking;
mod escrow;
#[cfg(test)]
mod mock;
mod pool;
#[cfg(any(feature = "try-runtime", test))]
mod state;
#[cfg(test)]
mod tests;
mod tickets;
mod tips;
mod types;
mod vouchers;
pub mod weights;

pub use escrow::Escrow;
pub use pallet::*;
pub use pool::{Outlook, GLANCE};
pub use types::{Account, NonceBitmap, Session, VoucherTotals};
pub use weights::WeightInfo;

use clustercast_primitives::Balance;

/// Learns what was delivered and paid.
pub trait Deliveries<AccountId> {
	/// `relayer` delivered about `bytes` to `viewer`, who paid `value` micro-USDC for them. Cannot fail.
	fn delivered(relayer: &AccountId, viewer: &AccountId, bytes: u64, value: Balance);

	/// Makes a delivery of this relayer as dear to note as it can be.
	#[cfg(feature = "runtime-benchmarks")]
	fn prepare(relayer: &AccountId);
}

/// Nobody wants to know.
impl<AccountId> Deliveries<AccountId> for () {
	fn delivered(_: &AccountId, _: &AccountId, _: u64, _: Balance) {}

	#[cfg(feature = "runtime-benchmarks")]
	fn prepare(_: &AccountId) {}
}

#[frame_support::pallet]
pub mod pallet {
	use super::*;
	use crate::{batch::Batch, types::account_at};
	use alloc::{string::ToString, vec::Vec};
	use clustercast_primitives::{
		chain::{
			Payout, SessionInfo, TicketExplanation, TicketRefusal, TicketVerdict, Unlocking, ViewerAccount,
			VoucherPlace, PPM,
		},
		receipt::Kind,
		ticket::is_on_grid,
		BlockNumber, Hash, PublicKey, SignedTip, SignedVoucher, StreamId, WinningTicket,
	};
	use frame_support::{
		pallet_prelude::*,
		traits::{
			fungible::{
				hold::{Balanced as BalancedHold, Inspect as InspectHold, Mutate as MutateHold},
				Balanced, Inspect, Mutate,
			},
			tokens::{Fortitude, Preservation},
		},
		weights::WeightMeter,
	};
	use frame_system::pallet_prelude::*;
	use pallet_stream_keys::Streams;
	use sp_runtime::SaturatedConversion;

	/// Most bitmaps cleared in one block: 4 MiB of values, and more than one block's tickets can create.
	pub const MAX_CLEARED_PER_BLOCK: u32 = 4_096;

	#[pallet::config]
	pub trait Config:
		frame_system::Config<
		RuntimeEvent: From<Event<Self>>,
		AccountId: From<[u8; 32]> + Into<[u8; 32]>,
		Hash: Into<[u8; 32]>,
	>
	{
		/// The runtime's hold reason, made from this pallet's.
		type RuntimeHoldReason: From<HoldReason>;

		/// USDC.
		type Currency: Inspect<Self::AccountId, Balance = Balance>
			+ Balanced<Self::AccountId>
			+ Mutate<Self::AccountId>
			+ MutateHold<Self::AccountId, Reason = Self::RuntimeHoldReason>
			+ BalancedHold<Self::AccountId>;

		/// Who is paid for a stream besides the relayer.
		type Streams: Streams<Self::AccountId>;

		/// Learns what was delivered and paid.
		type Deliveries: Deliveries<Self::AccountId>;

		/// Largest deposit of an account, micro-USDC.
		#[pallet::constant]
		type MaxDeposit: Get<Balance>;

		/// Smallest face value of a ticket, micro-USDC.
		#[pallet::constant]
		type MinFaceValue: Get<Balance>;

		/// The treasury's share of each ticket, parts per million.
		#[pallet::constant]
		type TreasuryShare: Get<u32>;

		/// Furthest that a ticket's expiry may lie ahead, blocks. On the grid of expiries.
		#[pallet::constant]
		type MaxTicketLife: Get<BlockNumber>;

		/// Blocks between asking for a deposit and withdrawing it; longer than a ticket lives.
		#[pallet::constant]
		type UnlockDelay: Get<BlockNumber>;

		/// Blocks in an epoch.
		#[pallet::constant]
		type EpochLength: Get<BlockNumber>;

		/// Nonces of a session in an epoch: a ticket's nonce is below it. A multiple of eight.
		#[pallet::constant]
		type MaxNonces: Get<u32>;

		/// Most tickets or vouchers in a batch.
		#[pallet::constant]
		type MaxBatch: Get<u32>;

		/// Most places that vouchers of a session can pay.
		#[pallet::constant]
		type MaxPayees: Get<u32>;

		/// Most sessions of an account.
		#[pallet::constant]
		type MaxSessions: Get<u32>;

		/// Weights of the calls.
		type WeightInfo: WeightInfo;
	}

	#[pallet::pallet]
	pub struct Pallet<T>(_);

	/// Why this pallet holds money.
	#[pallet::composite_enum]
	pub enum HoldReason {
		/// A viewer's deposit for tickets.
		#[codec(index = 0)]
		TicketDeposit,
	}

	/// Parts of deposits that are on their way out. The amount is as asked for: of it, only what tickets left in the
	/// deposit is still there (see [`Pallet::unlocking`]).
	#[pallet::storage]
	pub type Unlocks<T: Config> = StorageMap<_, Blake2_128Concat, T::AccountId, Unlocking>;

	/// Sessions by key.
	#[pallet::storage]
	pub type Sessions<T: Config> = StorageMap<_, Blake2_128Concat, PublicKey, Session<T::AccountId>>;

	/// Session keys of an account.
	#[pallet::storage]
	pub type SessionsOf<T: Config> =
		StorageMap<_, Blake2_128Concat, T::AccountId, BoundedVec<PublicKey, T::MaxSessions>, ValueQuery>;

	/// Nonces spent, by (epoch, session).
	#[pallet::storage]
	pub type SpentNonces<T: Config> = StorageDoubleMap<
		_,
		Twox64Concat,
		BlockNumber,
		Blake2_128Concat,
		PublicKey,
		NonceBitmap<T::MaxNonces>,
		ValueQuery,
	>;

	/// What vouchers have paid, by session, then what else a place is made of.
	#[pallet::storage]
	pub type VouchersPaid<T: Config> = StorageDoubleMap<
		_,
		Blake2_128Concat,
		PublicKey,
		Blake2_128Concat,
		Account<T::AccountId>,
		VoucherTotals,
		OptionQuery,
	>;

	/// First epoch whose bitmaps are not all cleared.
	#[pallet::storage]
	pub type OldestEpoch<T: Config> = StorageValue<_, BlockNumber, ValueQuery>;

	/// Receives the treasury's share. Set at genesis; no call changes it.
	#[pallet::storage]
	pub type Treasury<T: Config> = StorageValue<_, T::AccountId>;

	/// What the chain starts with.
	#[pallet::genesis_config]
	#[derive(frame_support::DefaultNoBound)]
	pub struct GenesisConfig<T: Config> {
		/// Receives the treasury's share of every ticket. Needs a balance at genesis. Without a treasury nothing can
		/// be redeemed.
		pub treasury: Option<T::AccountId>,
	}

	#[pallet::genesis_build]
	impl<T: Config> BuildGenesisConfig for GenesisConfig<T> {
		fn build(&self) {
			let Some(treasury) = &self.treasury else { return };
			// So that the account cannot be emptied and reaped: every ticket pays into it.
			frame_system::Pallet::<T>::inc_consumers(treasury).expect("the treasury has a balance at genesis");
			Treasury::<T>::put(treasury);
		}
	}

	#[pallet::event]
	#[pallet::generate_deposit(pub(super) fn deposit_event)]
	pub enum Event<T: Config> {
		/// A viewer raised its deposit.
		Deposited {
			/// The viewer.
			who: T::AccountId,
			/// By so much, micro-USDC.
			amount: Balance,
		},
		/// A viewer asked for part of its deposit.
		UnlockRequested {
			/// The viewer.
			who: T::AccountId,
			/// So much, micro-USDC.
			amount: Balance,
			/// First block in which it can be withdrawn.
			unlocks_at: BlockNumber,
		},
		/// What was on its way out stays in the deposit.
		UnlockCancelled {
			/// The viewer.
			who: T::AccountId,
		},
		/// A viewer took money out of its deposit.
		Withdrawn {
			/// The viewer.
			who: T::AccountId,
			/// So much, micro-USDC: what was asked for, less what tickets have taken of it.
			amount: Balance,
		},
		/// A session key may sign tickets.
		SessionAuthorized {
			/// The viewer.
			owner: T::AccountId,
			/// The session's key.
			key: PublicKey,
			/// Most that it may spend in all on what is by bytes, and on tips, micro-USDC.
			limit: Balance,
			/// Most that it may spend in all on everything else, micro-USDC.
			extra_limit: Balance,
			/// Last block for which it can sign tickets.
			expiry: BlockNumber,
		},
		/// A session key signs no new tickets.
		SessionRevoked {
			/// The session's key.
			key: PublicKey,
			/// Last block in which its tickets can be redeemed.
			expiry: BlockNumber,
		},
		/// An expired session was removed.
		SessionReaped {
			/// The viewer.
			owner: T::AccountId,
			/// The session's key.
			key: PublicKey,
		},
		/// A winning ticket was paid.
		TicketRedeemed {
			/// [`WinningTicket::id`].
			id: Hash,
			/// The session that signed it.
			session: PublicKey,
			/// Its nonce.
			nonce: u64,
			/// Its expiry block.
			expiry: BlockNumber,
			/// Whose deposit paid.
			sender: T::AccountId,
			/// The relayer.
			recipient: T::AccountId,
			/// The stream it was for.
			stream: StreamId,
			/// Who got what.
			payout: Payout,
		},
		/// A voucher was paid.
		VoucherRedeemed {
			/// The session that signed it.
			session: PublicKey,
			/// Whose deposit paid.
			sender: T::AccountId,
			/// The relayer.
			recipient: T::AccountId,
			/// The stream it was for.
			stream: StreamId,
			/// What for.
			kind: Kind,
			/// What that refers to.
			context: Hash,
			/// Counter of the stream's terms.
			terms: u32,
			/// Paid in all by vouchers of this session for all of these, micro-USDC.
			total: Balance,
			/// Who got what this time.
			payout: Payout,
		},
		/// A voucher was not paid.
		VoucherRefused {
			/// Its place in the batch, from 0.
			index: u32,
			/// Why.
			reason: TicketRefusal,
		},
		/// A broadcaster received a tip.
		Tipped {
			/// Who gave it.
			from: T::AccountId,
			/// The broadcaster.
			to: T::AccountId,
			/// For this stream.
			stream: StreamId,
			/// Micro-USDC.
			amount: Balance,
		},
		/// A ticket was not paid.
		TicketRefused {
			/// Its place in the batch, from 0.
			index: u32,
			/// Why.
			reason: TicketRefusal,
		},
	}

	#[pallet::error]
	pub enum Error<T> {
		/// An amount of zero.
		ZeroAmount,
		/// The deposit would exceed the cap.
		DepositTooLarge,
		/// The deposit is smaller than that.
		DepositTooSmall,
		/// Part of the deposit is on its way out already.
		AlreadyUnlocking,
		/// Nothing is on its way out.
		NotUnlocking,
		/// The delay is not over.
		TooEarly,
		/// The session key is in use.
		SessionExists,
		/// No such session key.
		UnknownSession,
		/// The session key belongs to another account.
		NotOwner,
		/// The account has as many sessions as it may have.
		TooManySessions,
		/// The expiry lies in the past.
		SessionExpired,
		/// The session can still sign or redeem tickets.
		SessionNotExpired,
		/// The tip is smaller than the smallest face value.
		TipTooSmall,
		/// No such stream key.
		UnknownStream,
		/// The tip's nonce is spent in this session and epoch.
		AlreadySpent,
		/// The tip's nonce does not fit the epoch's bitmap.
		NonceTooLarge,
		/// The tip has expired.
		Expired,
		/// The tip's expiry lies further ahead than a ticket may live.
		ExpiryTooFar,
		/// The tip's expiry is not on the grid.
		ExpiryOffGrid,
		/// The session's spending limit does not cover it.
		SessionLimitReached,
		/// The broadcaster's account, or the submitter's, cannot receive it.
		CannotReceive,
		/// Not signed by the session key, or not in canonical form.
		BadSignature,
		/// The books do not balance. Cannot happen; undoes the call if it does.
		Unbalanced,
		/// The proof is not the session key's signature over this account for this chain.
		BadProof,
	}

	#[pallet::hooks]
	impl<T: Config> Hooks<BlockNumberFor<T>> for Pallet<T> {
		/// Clears bitmaps of epochs that are over, as many as the block has weight left for.
		fn on_idle(_: BlockNumberFor<T>, remaining: Weight) -> Weight {
			let mut meter = WeightMeter::with_limit(remaining);
			Self::do_clear_epochs(&mut meter);
			meter.consumed()
		}

		fn integrity_test() {
			assert!(T::EpochLength::get() > 0, "an epoch has blocks");
			assert!(
				is_on_grid(T::MaxTicketLife::get()),
				"the longest life is on the grid of expiries"
			);
			assert!(
				T::UnlockDelay::get() > T::MaxTicketLife::get(),
				"a deposit must outlast the tickets signed against it"
			);
			assert!(
				T::MaxNonces::get() > 0 && T::MaxNonces::get().is_multiple_of(8),
				"a bitmap is made of whole bytes"
			);
			assert!(
				T::Streams::max_share_ppm().saturating_add(T::TreasuryShare::get()) <= PPM,
				"shares cannot exceed the whole"
			);
			assert!(
				T::Streams::memory() >= T::MaxTicketLife::get(),
				"a stream's terms must be remembered as long as tickets live"
			);
			assert!(T::MinFaceValue::get() > 0, "a ticket is worth something");
			assert!(
				T::MaxDeposit::get() >= T::MinFaceValue::get(),
				"a deposit must be able to pay a ticket"
			);
			assert!(
				T::MaxBatch::get() > 0 && T::MaxSessions::get() > 0 && T::MaxPayees::get() > 0,
				"bounds allow something"
			);
		}

		#[cfg(feature = "try-runtime")]
		fn try_state(_: BlockNumberFor<T>) -> Result<(), sp_runtime::TryRuntimeError> {
			Self::do_try_state()
		}
	}

	#[pallet::call]
	impl<T: Config> Pallet<T> {
		/// Moves `amount` from the caller's free balance into its deposit.
		#[pallet::call_index(0)]
		#[pallet::weight(T::WeightInfo::deposit())]
		pub fn deposit(origin: OriginFor<T>, amount: Balance) -> DispatchResult {
			let who = ensure_signed(origin)?;
			Self::do_deposit(who, amount)
		}

		/// Asks for `amount` of the caller's deposit. It pays tickets until it is withdrawn.
		#[pallet::call_index(1)]
		#[pallet::weight(T::WeightInfo::request_unlock())]
		pub fn request_unlock(origin: OriginFor<T>, amount: Balance) -> DispatchResult {
			let who = ensure_signed(origin)?;
			Self::do_request_unlock(who, amount)
		}

		/// Leaves in the deposit what was on its way out.
		#[pallet::call_index(2)]
		#[pallet::weight(T::WeightInfo::cancel_unlock())]
		pub fn cancel_unlock(origin: OriginFor<T>) -> DispatchResult {
			let who = ensure_signed(origin)?;
			Self::do_cancel_unlock(who)
		}

		/// Takes out what was asked for, as far as tickets have left it. Once the delay is over.
		#[pallet::call_index(3)]
		#[pallet::weight(T::WeightInfo::withdraw())]
		pub fn withdraw(origin: OriginFor<T>) -> DispatchResult {
			let who = ensure_signed(origin)?;
			Self::do_withdraw(who)
		}

		/// Lets `key` sign tickets against the caller's deposit, for blocks up to `expiry`: `limit` in all for what is by
		/// bytes and for tips, `extra_limit` in all for everything else.
		#[pallet::call_index(4)]
		#[pallet::weight(T::WeightInfo::authorize_session())]
		pub fn authorize_session(
			origin: OriginFor<T>,
			key: PublicKey,
			limit: Balance,
			extra_limit: Balance,
			expiry: BlockNumber,
		) -> DispatchResult {
			let owner = ensure_signed(origin)?;
			Self::do_authorize_session(owner, key, limit, extra_limit, expiry)
		}

		/// Ends a session of the caller for all tickets that are not signed yet.
		#[pallet::call_index(5)]
		#[pallet::weight(T::WeightInfo::revoke_session())]
		pub fn revoke_session(origin: OriginFor<T>, key: PublicKey) -> DispatchResult {
			let who = ensure_signed(origin)?;
			Self::do_revoke_session(who, key)
		}

		/// Removes an expired session, anybody's.
		#[pallet::call_index(6)]
		#[pallet::weight(T::WeightInfo::reap_session(T::MaxPayees::get()))]
		pub fn reap_session(origin: OriginFor<T>, key: PublicKey) -> DispatchResultWithPostInfo {
			ensure_signed(origin)?;
			Self::do_reap_session(key)
		}

		/// Redeems winning tickets. Each is paid whole, or refused with its reason while the others go on; either way
		/// there is one event for each, and the call succeeds. Anybody may send it.
		#[pallet::call_index(7)]
		#[pallet::weight(T::WeightInfo::redeem_batch(tickets.len() as u32))]
		pub fn redeem_batch(
			origin: OriginFor<T>,
			tickets: BoundedVec<WinningTicket, T::MaxBatch>,
		) -> DispatchResultWithPostInfo {
			ensure_signed(origin)?;
			Self::do_redeem_batch(&tickets)
		}

		/// Redeems vouchers, of as many viewers as one likes. Each pays whole what it owes beyond what was paid, or is
		/// refused with its reason while the others go on; either way there is one event for each, and the call succeeds.
		/// Each recipient gets one lump sum. Anybody may send it.
		#[pallet::call_index(8)]
		#[pallet::weight(T::WeightInfo::redeem_vouchers(vouchers.len() as u32))]
		pub fn redeem_vouchers(
			origin: OriginFor<T>,
			vouchers: BoundedVec<SignedVoucher, T::MaxBatch>,
		) -> DispatchResultWithPostInfo {
			ensure_signed(origin)?;
			Self::do_redeem_vouchers(&vouchers)
		}

		/// Gives the broadcaster of a stream `amount` of the caller's free balance.
		#[pallet::call_index(9)]
		#[pallet::weight(T::WeightInfo::tip())]
		pub fn tip(origin: OriginFor<T>, stream: StreamId, amount: Balance) -> DispatchResult {
			let who = ensure_signed(origin)?;
			Self::do_tip(who, stream, amount)
		}

		/// Gives the broadcaster of a stream `amount` of the caller's deposit.
		#[pallet::call_index(10)]
		#[pallet::weight(T::WeightInfo::tip_from_deposit())]
		pub fn tip_from_deposit(origin: OriginFor<T>, stream: StreamId, amount: Balance) -> DispatchResult {
			let who = ensure_signed(origin)?;
			Self::do_tip_from_deposit(who, stream, amount)
		}

		/// Pays a tip that a session key signed; the caller receives its reward.
		#[pallet::call_index(11)]
		#[pallet::weight(T::WeightInfo::submit_tip())]
		pub fn submit_tip(origin: OriginFor<T>, tip: SignedTip) -> DispatchResult {
			let who = ensure_signed(origin)?;
			Self::do_submit_tip(who, &tip)
		}
	}

	/// What others may ask.
	impl<T: Config> Pallet<T> {
		/// Deposit of an account, what is unlocking included, micro-USDC.
		pub fn deposit_of(who: &T::AccountId) -> Balance {
			T::Currency::balance_on_hold(&HoldReason::TicketDeposit.into(), who)
		}

		/// What of an account's deposit is on its way out: as asked for, less what tickets have taken of it.
		pub fn unlocking(who: &T::AccountId) -> Option<Unlocking> {
			let unlocking = Unlocks::<T>::get(who)?;
			Some(Unlocking {
				amount: unlocking.amount.min(Self::deposit_of(who)),
				..unlocking
			})
		}

		/// Epoch of a ticket with this expiry.
		pub fn epoch_of(expiry: BlockNumber) -> BlockNumber {
			expiry / T::EpochLength::get().max(1)
		}

		/// First block in which something with this expiry can have been signed: whom it pays, in which shares and up to
		/// which price, is as in this block, whenever it is redeemed.
		pub fn signed_at(expiry: BlockNumber) -> BlockNumber {
			expiry.saturating_sub(T::MaxTicketLife::get())
		}

		/// Money and sessions of an account, in the words of the JSON-RPC.
		pub fn viewer_account(who: &T::AccountId) -> ViewerAccount {
			ViewerAccount {
				free: T::Currency::reducible_balance(who, Preservation::Expendable, Fortitude::Polite),
				deposit: Self::deposit_of(who),
				unlocking: Self::unlocking(who),
				sessions: SessionsOf::<T>::get(who)
					.into_iter()
					.filter_map(Self::session_info)
					.collect(),
			}
		}

		/// What [`Pallet::redeem_batch`] would do with these tickets now, in order. Changes nothing.
		pub fn check_tickets(tickets: &[WinningTicket]) -> Vec<TicketVerdict> {
			let mut batch = Batch::<T>::open();
			let judge = |ticket| {
				batch
					.redeem(ticket)
					.map_or_else(TicketVerdict::Refused, TicketVerdict::Accepted)
			};
			tickets.iter().map(judge).collect()
		}

		/// What [`Pallet::redeem_batch`] would do with this ticket now, with the figures that decide it. Changes nothing.
		pub fn explain_ticket(winning: &WinningTicket) -> TicketExplanation {
			let mut batch = Batch::<T>::open();
			let ticket = &winning.signed.message;
			let refusal = batch.redeem(winning);
			let public = |who: T::AccountId| clustercast_primitives::AccountId(who.into());
			TicketExplanation {
				verdict: refusal.map_or_else(TicketVerdict::Refused, TicketVerdict::Accepted),
				rule: refusal.err().map(|refusal| refusal.to_string()),
				remedy: refusal.err().map(|refusal| refusal.remedy().into()),
				broadcaster: T::Streams::payee(ticket.stream, Self::signed_at(ticket.expiry))
					.map(|payee| public(payee.account)),
				treasury: Treasury::<T>::get().map(public),
				deposit: Self::deposit_of(&ticket.sender.0.into()),
				session: Self::session_info(ticket.session),
				block: batch.now,
			}
		}

		fn session_info(key: PublicKey) -> Option<SessionInfo> {
			let session = Sessions::<T>::get(key)?;
			Some(SessionInfo {
				key,
				limit: session.limit,
				spent: session.spent,
				extra_limit: session.extra_limit,
				extra_spent: session.extra_spent,
				expiry: session.expiry,
				payees: session.payees,
			})
		}

		/// What [`Pallet::redeem_vouchers`] would do with these vouchers now, in order. Changes nothing.
		pub fn check_vouchers(vouchers: &[SignedVoucher]) -> Vec<TicketVerdict> {
			let mut batch = Batch::<T>::open();
			let judge = |voucher| {
				batch
					.redeem_voucher(voucher)
					.map_or_else(TicketVerdict::Refused, TicketVerdict::Accepted)
			};
			vouchers.iter().map(judge).collect()
		}

		/// What vouchers have paid at these places, in order; nothing where none was redeemed.
		pub fn vouchers_paid(places: &[VoucherPlace]) -> Vec<VoucherTotals> {
			let paid = |place: &VoucherPlace| VouchersPaid::<T>::get(place.session, account_at::<T::AccountId>(place));
			places.iter().map(|place| paid(place).unwrap_or_default()).collect()
		}
	}

	impl<T: Config> Pallet<T> {
		pub(crate) fn do_authorize_session(
			owner: T::AccountId,
			key: PublicKey,
			limit: Balance,
			extra_limit: Balance,
			expiry: BlockNumber,
		) -> DispatchResult {
			ensure!(limit > 0, Error::<T>::ZeroAmount);
			ensure!(expiry >= Self::now(), Error::<T>::SessionExpired);
			ensure!(!Sessions::<T>::contains_key(key), Error::<T>::SessionExists);
			SessionsOf::<T>::try_append(&owner, key).map_err(|()| Error::<T>::TooManySessions)?;
			Sessions::<T>::insert(
				key,
				Session {
					owner: owner.clone(),
					limit,
					spent: 0,
					extra_limit,
					extra_spent: 0,
					expiry,
					payees: 0,
				},
			);
			Self::deposit_event(Event::SessionAuthorized {
				owner,
				key,
				limit,
				extra_limit,
				expiry,
			});
			Ok(())
		}

		fn do_revoke_session(who: T::AccountId, key: PublicKey) -> DispatchResult {
			let mut session = Sessions::<T>::get(key).ok_or(Error::<T>::UnknownSession)?;
			ensure!(session.owner == who, Error::<T>::NotOwner);
			session.expiry = session.expiry.min(Self::now().saturating_add(T::MaxTicketLife::get()));
			let expiry = session.expiry;
			Sessions::<T>::insert(key, session);
			Self::deposit_event(Event::SessionRevoked { key, expiry });
			Ok(())
		}

		fn do_reap_session(key: PublicKey) -> DispatchResultWithPostInfo {
			let session = Sessions::<T>::get(key).ok_or(Error::<T>::UnknownSession)?;
			let Session {
				owner, expiry, payees, ..
			} = session;
			ensure!(expiry < Self::now(), Error::<T>::SessionNotExpired);
			Sessions::<T>::remove(key);
			let left = VouchersPaid::<T>::clear_prefix(key, payees, None);
			ensure!(left.maybe_cursor.is_none(), Error::<T>::Unbalanced);
			SessionsOf::<T>::mutate_exists(&owner, |keys| {
				let left = keys.take().map(|mut left| {
					left.retain(|k| *k != key);
					left
				});
				*keys = left.filter(|left| !left.is_empty());
			});
			Self::deposit_event(Event::SessionReaped { owner, key });
			Ok(Some(T::WeightInfo::reap_session(payees)).into())
		}

		fn do_redeem_batch(tickets: &[WinningTicket]) -> DispatchResultWithPostInfo {
			let mut batch = Batch::<T>::open();
			let mut paid = 0;
			for (index, winning) in (0..).zip(tickets) {
				match batch.redeem(winning) {
					Ok(payout) => {
						paid += 1;
						let ticket = &winning.signed.message;
						Self::deposit_event(Event::TicketRedeemed {
							id: winning.id(),
							session: ticket.session,
							nonce: ticket.nonce,
							expiry: ticket.expiry,
							sender: ticket.sender.0.into(),
							recipient: ticket.recipient.0.into(),
							stream: ticket.stream,
							payout,
						});
					},
					Err(reason) => Self::deposit_event(Event::TicketRefused { index, reason }),
				}
			}
			batch.settle()?;
			let all = tickets.len() as u32;
			let refused = all.saturating_sub(paid);
			let spent = T::WeightInfo::redeem_batch(paid).saturating_add(T::WeightInfo::refuse_batch(refused));
			// Both parts count what a batch costs without tickets: never more than was charged.
			Ok(Some(spent.min(T::WeightInfo::redeem_batch(all))).into())
		}

		fn do_redeem_vouchers(vouchers: &[SignedVoucher]) -> DispatchResultWithPostInfo {
			let mut batch = Batch::<T>::open();
			let mut paid = 0;
			for (index, signed) in (0..).zip(vouchers) {
				match batch.redeem_voucher(signed) {
					Ok(payout) => {
						paid += 1;
						let voucher = &signed.message;
						Self::deposit_event(Event::VoucherRedeemed {
							session: voucher.session,
							sender: voucher.sender.0.into(),
							recipient: voucher.recipient.0.into(),
							stream: voucher.stream,
							kind: voucher.kind,
							context: voucher.context,
							terms: voucher.terms,
							total: voucher.amount,
							payout,
						});
					},
					Err(reason) => Self::deposit_event(Event::VoucherRefused { index, reason }),
				}
			}
			batch.settle()?;
			let all = vouchers.len() as u32;
			let refused = all.saturating_sub(paid);
			let spent = T::WeightInfo::redeem_vouchers(paid).saturating_add(T::WeightInfo::refuse_vouchers(refused));
			Ok(Some(spent.min(T::WeightInfo::redeem_vouchers(all))).into())
		}

		/// Clears bitmaps of epochs that are over, oldest first, as far as `meter` allows.
		pub(crate) fn do_clear_epochs(meter: &mut WeightMeter) {
			let base = T::WeightInfo::clear_epoch(0);
			let each = T::WeightInfo::clear_epoch(1).saturating_sub(base);
			let mut left = MAX_CLEARED_PER_BLOCK;
			while meter.try_consume(base).is_ok() {
				let epoch = OldestEpoch::<T>::get();
				if epoch >= Self::epoch_of(Self::now()) {
					return;
				}
				let affordable = meter.remaining().checked_div_per_component(&each).unwrap_or(u64::MAX);
				let limit = left.min(affordable.saturated_into());
				let cleared = SpentNonces::<T>::iter_key_prefix(epoch).take(limit as usize);
				let cleared = cleared.map(|session| SpentNonces::<T>::remove(epoch, session)).count() as u32;
				meter.consume(each.saturating_mul(cleared.into()));
				left = left.saturating_sub(cleared);
				if cleared == limit {
					// There may be more of this epoch: go on with it in the next block.
					return;
				}
				OldestEpoch::<T>::put(epoch.saturating_add(1));
			}
		}

		/// The block that is being made.
		pub(crate) fn now() -> BlockNumber {
			frame_system::Pallet::<T>::block_number().saturated_into()
		}
	}
}
