//! # Ticket broker
//!
//! Viewers' deposits, the session keys that spend them, and what they pay for: winning lottery tickets, cumulative
//! vouchers, tips.
//!
//! ## Terms
//! - *Deposit*: USDC held on the viewer's own account for payments, up to a cap for whoever is no relayer. It leaves by
//!   payments, or after a delay that outlasts every payment signed before the viewer asked for it.
//! - *Session*: an Ed25519 key with two spending limits and an expiry that signs payments for a viewer, unattended. One
//!   limit is for what is bought by bytes, whose price is bounded, and for tips; the other one for everything else.
//! - *Channel*: what a session reserved for a recipient and what it paid it. See [`channels`].
//! - *Voucher*: "owed in all" of a session at a [`VoucherPlace`](clustercast_primitives::chain::VoucherPlace), see
//!   [`clustercast_primitives::voucher`]. The newest replaces those before it; what it owes beyond what was paid is paid,
//!   as far as there is money.
//! - *Tip*: money for whoever broadcasts a stream, less the treasury's share.
//! - *Ticket*: see [`clustercast_primitives::ticket`]. It can be redeemed up to and including its expiry block, which is
//!   at most [`Config::MaxTicketLife`] ahead.
//! - *Shares*: the broadcaster's and the treasury's part of a payment. See [`shares`].
//!
//! ## Design
//! *What a viewer promised, it cannot void alone.* Money that is reserved for a recipient is under a hold of its own:
//! tips, withdrawals, payments to others and every other exit spend what is left. And only the recipient, or its
//! operator, hands in what pays it: so nobody else spends its tickets' nonces, makes its vouchers look old, or chooses
//! the order. Who takes payments that no reservation covers risks them.
//!
//! *Spent nonces* are a window for each channel ([`Nonces`](clustercast_primitives::nonces::Nonces)): 128 below the highest. The recipient, who alone hands
//! in its tickets, does so in their order. Tips have a window of their own for each session.
//!
//! *A batch* pays one recipient. It is judged payment by payment on a draft of what it read ([`batch`]), cheap checks
//! first and the signature last. One that passes enters the draft whole, one that does not leaves it untouched and is
//! reported with its reason; then everything is written once. [`Pallet::check_tickets`] and [`Pallet::check_vouchers`] are
//! the same judgement, not written: the two cannot diverge. A relayer with vouchers of many viewers is paid one lump sum.
//!
//! *A session's state lives as long as it*, which is [`Config::MaxSessionLife`] at most: channels, nonces and what
//! vouchers have paid are forgotten in idle time once nothing that it signed can be paid any more. So a key that is
//! registered again finds nothing that could be paid again, and no bound on whom it pays shuts anybody out. A session
//! holds [`Config::SessionDeposit`], and its key proves that it is the account's.
//!
//! *Money on its way out still pays*, and may be reserved. Payments spend what is not unlocking first, then what is. What
//! was asked for and spent meanwhile is not made up by a later deposit.
//!
//! *Whom a ticket pays besides its recipient*, and at which price at most, is settled by its stream's terms in the first
//! block in which it can have been signed ([`Pallet::signed_at`]): a relayer that took it knew them, and does not change
//! them by redeeming it later. It pays no more than its bytes cost at the highest price of that block or of this one. A
//! *voucher* names its terms, and adds up under them alone: they are in force, or ended a short while ago. A tip is for
//! whoever broadcasts now.
//!
//! *What is not by bytes* has no price that a stream could bound, and says nothing of a relayer: a session's second limit
//! is all that bounds it, and nothing is reserved for it.
//!
//! *Nothing here tells which window was paid for*, or when: expiries lie on a grid of two minutes, a ticket's bytes are
//! rounded, and no hash can be guessed from what others know.
//!
//! *Revoking* only brings the expiry forward to the last block of any payment signed by now, since relayers have
//! delivered against them.
//!
//! ## Invariants (checked by `try_state`)
//! 1. What is held as reserved on an account is what its sessions' channels reserve.
//! 2. Sessions and their owners' lists are two views of one relation; their deposits are held.
//! 3. No session has spent more than its limits, and what its channels reserve is part of that.
//! 4. Channels are of sessions that exist, and reserve no more than their cap leaves.
//! 5. What is unlocking is more than nothing, on an account that has a deposit.
//! 6. The treasury's account exists, and what it holds as shares is what relayers' ledgers have as credit.
//! 7. What vouchers paid is recorded for sessions that exist, and all of it is not more than the session spent.
//! 8. Every session, closed channel and ledger is noted to end, no later than it may, in a block that is not past.

#![cfg_attr(not(feature = "std"), no_std)]

extern crate alloc;

mod batch;
#[cfg(feature = "runtime-benchmarks")]
mod benchmarking;
mod channels;
mod escrow;
#[cfg(test)]
mod mock;
mod pool;
mod sessions;
mod shares;
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
pub use sessions::MAX_ENDED_PER_BLOCK;
pub use types::{Account, Channel, End, Ledger, Refusal, Session, Shares, VoucherTotals};
pub use weights::WeightInfo;

use clustercast_primitives::Balance;

/// What the broker asks about relayers, and tells them.
pub trait Relayers<AccountId> {
	/// Whether it is a relayer whose bond is there.
	fn is_bonded(who: &AccountId) -> bool;

	/// Whether `who` may hand in what pays `recipient`: itself, or whom it named, where it is a relayer.
	fn may_redeem(who: &AccountId, recipient: &AccountId) -> bool;

	/// Where the money of a recipient goes: to itself, or where it said, where it is a relayer.
	fn payout(recipient: &AccountId) -> AccountId;

	/// `relayer` delivered about `bytes` to `viewer`, who paid `value` micro-USDC for them. Cannot fail.
	fn delivered(relayer: &AccountId, viewer: &AccountId, bytes: u64, value: Balance);

	/// Makes a delivery of this relayer as dear to note as it can be.
	#[cfg(feature = "runtime-benchmarks")]
	fn prepare(relayer: &AccountId);
}

#[frame_support::pallet]
pub mod pallet {
	use super::*;
	use crate::{batch::Batch, types::account_at};
	use alloc::{collections::BTreeSet, string::ToString, vec::Vec};
	use clustercast_primitives::{
		chain::{
			Payout, SessionInfo, TicketExplanation, TicketRefusal, TicketVerdict, Unlocking, ViewerAccount,
			VoucherPlace, PPM,
		},
		channel::{Release, SignedClose, SignedReservation},
		receipt::Kind,
		ticket::is_on_grid,
		BlockNumber, Hash, PublicKey, Signature, SignedTip, SignedVoucher, StreamId, WinningTicket,
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

		/// Who is a relayer, and who acts for it.
		type Relayers: Relayers<Self::AccountId>;

		/// Largest deposit of an account that is no relayer's, micro-USDC.
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

		/// Blocks from closing a channel until what it reserved is free; longer than a ticket lives.
		#[pallet::constant]
		type ChannelDelay: Get<BlockNumber>;

		/// Furthest that a session's expiry may lie ahead, blocks.
		#[pallet::constant]
		type MaxSessionLife: Get<BlockNumber>;

		/// Held on an account for each of its sessions, micro-USDC.
		#[pallet::constant]
		type SessionDeposit: Get<Balance>;

		/// Blocks after a relayer's last payment with a stream until what is set aside for it is handed on.
		#[pallet::constant]
		type ShareMemory: Get<BlockNumber>;

		/// Most tickets or vouchers in a batch.
		#[pallet::constant]
		type MaxBatch: Get<u32>;

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
		/// A viewer's deposit for payments, as far as it is free.
		#[codec(index = 0)]
		TicketDeposit,
		/// Part of a deposit that is reserved for recipients.
		#[codec(index = 1)]
		Reserved,
		/// For a session.
		#[codec(index = 2)]
		Session,
		/// On the treasury: shares that relayers paid as buyers.
		#[codec(index = 3)]
		Shares,
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

	/// What sessions reserve for recipients and paid them.
	#[pallet::storage]
	pub type Channels<T: Config> =
		StorageDoubleMap<_, Blake2_128Concat, PublicKey, Blake2_128Concat, T::AccountId, Channel>;

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

	/// Shares that relayers paid: by relayer, stream and counter of its terms.
	#[pallet::storage]
	pub type Ledgers<T: Config> = StorageMap<_, Blake2_128Concat, (T::AccountId, StreamId, u32), Ledger<T::AccountId>>;

	/// What ends by itself, by block. It may have been put off since.
	#[pallet::storage]
	pub type Ends<T: Config> = StorageDoubleMap<_, Twox64Concat, BlockNumber, Blake2_128Concat, End<T::AccountId>, ()>;

	/// First block of which not all that ends has ended.
	#[pallet::storage]
	pub type OldestEnd<T: Config> = StorageValue<_, BlockNumber, ValueQuery>;

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
		/// A session is over: what it reserved is free, and its deposit returned.
		SessionEnded {
			/// The viewer.
			owner: T::AccountId,
			/// The session's key.
			key: PublicKey,
		},
		/// A session reserved money for a recipient.
		Reserved {
			/// The session.
			session: PublicKey,
			/// Whose deposit it is.
			sender: T::AccountId,
			/// For whom.
			recipient: T::AccountId,
			/// Counts this session's reservations for this recipient.
			counter: u32,
			/// Micro-USDC in all, what was paid included.
			cap: Balance,
			/// Micro-USDC that are reserved now.
			open: Balance,
			/// Micro-USDC for whoever submitted it.
			reward: Balance,
		},
		/// A session closed a channel.
		ChannelClosed {
			/// The session.
			session: PublicKey,
			/// For whom money was reserved.
			recipient: T::AccountId,
			/// First block in which it is free.
			closes_at: BlockNumber,
		},
		/// What was reserved for a recipient is free: it released it, or the channel was closed long enough ago.
		Released {
			/// The session.
			session: PublicKey,
			/// For whom it was reserved.
			recipient: T::AccountId,
			/// Micro-USDC that became free.
			freed: Balance,
			/// Micro-USDC that stay reserved.
			open: Balance,
		},
		/// Shares that a relayer paid as a buyer went to those whose they are: it did not sell on.
		SharesHandedOn {
			/// The relayer.
			relayer: T::AccountId,
			/// The stream.
			stream: StreamId,
			/// Counter of the stream's terms.
			terms: u32,
			/// The broadcaster's, micro-USDC.
			broadcaster: Balance,
			/// The treasury's, micro-USDC.
			treasury: Balance,
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
		/// The expiry lies further ahead than a session may live.
		SessionTooLong,
		/// The proof is not the session key's signature over this account for this chain.
		BadProof,
		/// The tip is smaller than the smallest face value.
		TipTooSmall,
		/// No such stream key.
		UnknownStream,
		/// All that was asked for is reserved for recipients.
		AllReserved,
		/// The caller may not redeem for this recipient.
		NotRecipient,
		/// The batch is empty.
		NothingToRedeem,
		/// The reservation's counter is not above the one before.
		CounterNotAbove,
		/// The cap is not above the one before, or what was paid, by a smallest face value; or it keeps more than there is.
		CapNotAbove,
		/// Nothing is reserved for this recipient.
		NothingReserved,
		/// Another reservation than the latest.
		WrongCounter,
		/// The session was registered in another block.
		WrongRegistration,
		/// The channel is closed already.
		AlreadyClosed,
		/// What the session key signed does not hold, for this reason.
		Refused(Refusal),
		/// The books do not balance. Cannot happen; undoes the call if it does.
		Unbalanced,
	}

	#[pallet::hooks]
	impl<T: Config> Hooks<BlockNumberFor<T>> for Pallet<T> {
		/// Ends what is due, as much as the block has weight left for.
		fn on_idle(_: BlockNumberFor<T>, remaining: Weight) -> Weight {
			let mut meter = WeightMeter::with_limit(remaining);
			Self::do_end(&mut meter);
			meter.consumed()
		}

		fn integrity_test() {
			assert!(
				is_on_grid(T::MaxTicketLife::get()),
				"the longest life is on the grid of expiries"
			);
			assert!(
				T::UnlockDelay::get() > T::MaxTicketLife::get(),
				"a deposit must outlast the tickets signed against it"
			);
			assert!(
				T::ChannelDelay::get() > T::MaxTicketLife::get(),
				"what is reserved must outlast the tickets that it pays"
			);
			assert!(
				T::MaxSessionLife::get() > T::MaxTicketLife::get(),
				"a session must outlast its tickets"
			);
			assert!(
				T::ShareMemory::get() > T::MaxTicketLife::get(),
				"shares are set aside longer than tickets live"
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
				T::MaxBatch::get() > 0 && T::MaxSessions::get() > 0,
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

		/// Takes out what was asked for, as far as payments have left it and it is not reserved. Once the delay is over.
		#[pallet::call_index(3)]
		#[pallet::weight(T::WeightInfo::withdraw())]
		pub fn withdraw(origin: OriginFor<T>) -> DispatchResult {
			let who = ensure_signed(origin)?;
			Self::do_withdraw(who)
		}

		/// Lets `key` sign tickets against the caller's deposit, for blocks up to `expiry`: `limit` in all for what is by
		/// bytes and for tips, `extra_limit` in all for everything else. `proof` is the key's signature over
		/// [`SessionProof`](clustercast_primitives::session::SessionProof) for the caller.
		#[pallet::call_index(4)]
		#[pallet::weight(T::WeightInfo::authorize_session())]
		pub fn authorize_session(
			origin: OriginFor<T>,
			key: PublicKey,
			limit: Balance,
			extra_limit: Balance,
			expiry: BlockNumber,
			proof: Signature,
		) -> DispatchResult {
			let owner = ensure_signed(origin)?;
			Self::do_authorize_session(owner, key, limit, extra_limit, expiry, &proof)
		}

		/// Ends a session of the caller for all tickets that are not signed yet.
		#[pallet::call_index(5)]
		#[pallet::weight(T::WeightInfo::revoke_session())]
		pub fn revoke_session(origin: OriginFor<T>, key: PublicKey) -> DispatchResult {
			let who = ensure_signed(origin)?;
			Self::do_revoke_session(who, key)
		}

		/// Sets money aside for one recipient, as a session key signed; the caller receives its reward.
		#[pallet::call_index(6)]
		#[pallet::weight(T::WeightInfo::reserve())]
		pub fn reserve(origin: OriginFor<T>, reservation: SignedReservation) -> DispatchResult {
			let who = ensure_signed(origin)?;
			Self::do_reserve(who, &reservation)
		}

		/// Redeems winning tickets of one recipient, by itself or its operator. Each is paid whole, or refused with its
		/// reason while the others go on; either way there is one event for each, and the call succeeds.
		#[pallet::call_index(7)]
		#[pallet::weight(T::WeightInfo::redeem_batch(tickets.len() as u32, streams(tickets, ticket_stream)))]
		pub fn redeem_batch(
			origin: OriginFor<T>,
			tickets: BoundedVec<WinningTicket, T::MaxBatch>,
		) -> DispatchResultWithPostInfo {
			let who = ensure_signed(origin)?;
			Self::do_redeem_batch(&who, &tickets)
		}

		/// Redeems vouchers of one recipient, by itself or its operator, of as many viewers as one likes. Each pays what it
		/// owes beyond what was paid, as far as there is money, or is refused with its reason while the others go on; either
		/// way there is one event for each, and the call succeeds. The recipient gets one lump sum.
		#[pallet::call_index(8)]
		#[pallet::weight(T::WeightInfo::redeem_vouchers(vouchers.len() as u32, streams(vouchers, voucher_stream)))]
		pub fn redeem_vouchers(
			origin: OriginFor<T>,
			vouchers: BoundedVec<SignedVoucher, T::MaxBatch>,
		) -> DispatchResultWithPostInfo {
			let who = ensure_signed(origin)?;
			Self::do_redeem_vouchers(&who, &vouchers)
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

		/// Begins to end a channel, as a session key signed: what it reserves is free after the delay. Anybody may send it.
		#[pallet::call_index(12)]
		#[pallet::weight(T::WeightInfo::close_channel())]
		pub fn close_channel(origin: OriginFor<T>, close: SignedClose) -> DispatchResult {
			ensure_signed(origin)?;
			Self::do_close_channel(&close)
		}

		/// Frees at once what is reserved for a recipient, but for what it keeps. By itself or its operator.
		#[pallet::call_index(13)]
		#[pallet::weight(T::WeightInfo::release())]
		pub fn release(origin: OriginFor<T>, release: Release) -> DispatchResult {
			let who = ensure_signed(origin)?;
			Self::do_release(who, &release)
		}
	}

	/// What others may ask.
	impl<T: Config> Pallet<T> {
		/// Deposit of an account, what is reserved or unlocking included, micro-USDC.
		pub fn deposit_of(who: &T::AccountId) -> Balance {
			Self::free_deposit_of(who).saturating_add(Self::reserved_of(who))
		}

		/// Deposit of an account that is not reserved, micro-USDC.
		pub fn free_deposit_of(who: &T::AccountId) -> Balance {
			T::Currency::balance_on_hold(&HoldReason::TicketDeposit.into(), who)
		}

		/// Deposit of an account that is reserved for recipients, micro-USDC.
		pub fn reserved_of(who: &T::AccountId) -> Balance {
			T::Currency::balance_on_hold(&HoldReason::Reserved.into(), who)
		}

		/// What of an account's deposit is on its way out: as asked for, less what tickets have taken of it.
		pub fn unlocking(who: &T::AccountId) -> Option<Unlocking> {
			let unlocking = Unlocks::<T>::get(who)?;
			Some(Unlocking {
				amount: unlocking.amount.min(Self::deposit_of(who)),
				..unlocking
			})
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
				reserved: Self::reserved_of(who),
				unlocking: Self::unlocking(who),
				sessions: SessionsOf::<T>::get(who)
					.into_iter()
					.filter_map(Self::session_info)
					.collect(),
			}
		}

		/// What [`Pallet::redeem_batch`] would do with these tickets now, in order, for the recipient of the first one. Changes
		/// nothing.
		pub fn check_tickets(tickets: &[WinningTicket]) -> Vec<TicketVerdict> {
			let recipient = tickets.first().map(|winning| winning.signed.message.recipient.0.into());
			let mut batch = Batch::<T>::open(recipient);
			let judge = |ticket| {
				batch
					.redeem(ticket)
					.map_or_else(TicketVerdict::Refused, TicketVerdict::Accepted)
			};
			tickets.iter().map(judge).collect()
		}

		/// What [`Pallet::redeem_batch`] would do with this ticket now, with the figures that decide it. Changes nothing.
		pub fn explain_ticket(winning: &WinningTicket) -> TicketExplanation {
			let mut batch = Batch::<T>::open(None);
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
				registered: session.registered,
			})
		}

		/// What [`Pallet::redeem_vouchers`] would do with these vouchers now, in order, for the recipient of the first one.
		/// Changes nothing.
		pub fn check_vouchers(vouchers: &[SignedVoucher]) -> Vec<TicketVerdict> {
			let recipient = vouchers.first().map(|signed| signed.message.recipient.0.into());
			let mut batch = Batch::<T>::open(recipient);
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
		/// The one recipient of a batch, if `who` may redeem for it.
		fn recipient_of<P>(
			who: &T::AccountId,
			payments: &[P],
			recipient: impl Fn(&P) -> [u8; 32],
		) -> Result<T::AccountId, Error<T>> {
			let first = payments.first().ok_or(Error::<T>::NothingToRedeem)?;
			let recipient = T::AccountId::from(recipient(first));
			ensure!(T::Relayers::may_redeem(who, &recipient), Error::<T>::NotRecipient);
			Ok(recipient)
		}

		fn do_redeem_batch(who: &T::AccountId, tickets: &[WinningTicket]) -> DispatchResultWithPostInfo {
			let recipient = Self::recipient_of(who, tickets, |winning| winning.signed.message.recipient.0)?;
			let mut batch = Batch::<T>::open(Some(recipient));
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
			let (all, streams) = (tickets.len() as u32, streams(tickets, ticket_stream));
			let refused = all.saturating_sub(paid);
			let spent = T::WeightInfo::redeem_batch(paid, streams.min(paid));
			let spent = spent.saturating_add(T::WeightInfo::refuse_batch(refused));
			// Both parts count what a batch costs without tickets: never more than was charged.
			Ok(Some(spent.min(T::WeightInfo::redeem_batch(all, streams))).into())
		}

		fn do_redeem_vouchers(who: &T::AccountId, vouchers: &[SignedVoucher]) -> DispatchResultWithPostInfo {
			let recipient = Self::recipient_of(who, vouchers, |signed| signed.message.recipient.0)?;
			let mut batch = Batch::<T>::open(Some(recipient));
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
							total: batch.vouchers(&voucher.place()).value.unwrap_or_default().amount,
							payout,
						});
					},
					Err(reason) => Self::deposit_event(Event::VoucherRefused { index, reason }),
				}
			}
			batch.settle()?;
			let (all, streams) = (vouchers.len() as u32, streams(vouchers, voucher_stream));
			let refused = all.saturating_sub(paid);
			let spent = T::WeightInfo::redeem_vouchers(paid, streams.min(paid));
			let spent = spent.saturating_add(T::WeightInfo::refuse_vouchers(refused));
			Ok(Some(spent.min(T::WeightInfo::redeem_vouchers(all, streams))).into())
		}

		/// The chain that everything here is signed for.
		pub(crate) fn genesis() -> Hash {
			Hash(frame_system::Pallet::<T>::block_hash(BlockNumberFor::<T>::default()).into())
		}

		/// The block that is being made.
		pub(crate) fn now() -> BlockNumber {
			frame_system::Pallet::<T>::block_number().saturated_into()
		}
	}

	/// The stream of a ticket.
	pub(crate) fn ticket_stream(winning: &WinningTicket) -> StreamId {
		winning.signed.message.stream
	}

	/// The stream of a voucher.
	pub(crate) fn voucher_stream(signed: &SignedVoucher) -> StreamId {
		signed.message.stream
	}

	/// How many streams a batch pays for.
	pub(crate) fn streams<P>(payments: &[P], stream: impl Fn(&P) -> StreamId) -> u32 {
		payments.iter().map(stream).collect::<BTreeSet<_>>().len() as u32
	}
}
