//! Sessions: how they begin, and how they and everything else that has an end, end by themselves.

use crate::{
	pallet::{Channels, Config, Ends, Error, Event, HoldReason, OldestEnd, Pallet, Sessions, SessionsOf, VouchersPaid},
	types::{End, Session},
	Relayers, WeightInfo,
};
use alloc::vec::Vec;
use clustercast_primitives::{
	crypto::Signed, nonces::Nonces, session::SessionProof, AccountId, Balance, BlockNumber, PublicKey, Signature,
};
use clustercast_upkeep::work_off;
use clustercast_verify::is_signed;
use frame_support::{
	ensure,
	pallet_prelude::DispatchResult,
	storage::with_storage_layer,
	traits::{fungible::hold::Mutate as _, tokens::Precision, Get},
	weights::WeightMeter,
};

/// Most of what ends that is cleaned up in one block.
pub const MAX_ENDED_PER_BLOCK: u32 = 1_000;

impl<T: Config> Pallet<T> {
	pub(crate) fn do_authorize_session(
		owner: T::AccountId,
		key: PublicKey,
		limit: Balance,
		extra_limit: Balance,
		expiry: BlockNumber,
		proof: &Signature,
	) -> DispatchResult {
		let now = Self::now();
		ensure!(limit > 0, Error::<T>::ZeroAmount);
		ensure!(expiry >= now, Error::<T>::SessionExpired);
		ensure!(expiry - now <= T::MaxSessionLife::get(), Error::<T>::SessionTooLong);
		ensure!(!Sessions::<T>::contains_key(key), Error::<T>::SessionExists);
		ensure!(Self::proves(&owner, &key, proof), Error::<T>::BadProof);
		SessionsOf::<T>::try_append(&owner, key).map_err(|()| Error::<T>::TooManySessions)?;
		let deposit = T::SessionDeposit::get();
		// From the deposit for payments where nothing else is left: a wallet elsewhere has all of its money there.
		with_storage_layer(|| T::Currency::hold(&HoldReason::Session.into(), &owner, deposit))
			.or_else(|_| Self::rehold(HoldReason::TicketDeposit, HoldReason::Session, &owner, deposit))?;
		Self::forget_unlock_of_nothing(&owner);
		let session = Session {
			buys: T::Relayers::is_bonded(&owner),
			owner: owner.clone(),
			limit,
			spent: 0,
			extra_limit,
			extra_spent: 0,
			expiry,
			registered: now,
			deposit,
			tips: Nonces::default(),
		};
		Sessions::<T>::insert(key, session);
		Ends::<T>::insert(Self::session_ends_at(expiry), End::<T::AccountId>::Session(key), ());
		Self::deposit_event(Event::SessionAuthorized {
			owner,
			key,
			limit,
			extra_limit,
			expiry,
		});
		Ok(())
	}

	pub(crate) fn do_revoke_session(who: T::AccountId, key: PublicKey) -> DispatchResult {
		let mut session = Sessions::<T>::get(key).ok_or(Error::<T>::UnknownSession)?;
		ensure!(session.owner == who, Error::<T>::NotOwner);
		let expiry = Self::now().saturating_add(T::MaxTicketLife::get());
		if expiry < session.expiry {
			session.expiry = expiry;
			Sessions::<T>::insert(key, &session);
			Ends::<T>::insert(Self::session_ends_at(expiry), End::<T::AccountId>::Session(key), ());
		}
		let expiry = session.expiry;
		Self::deposit_event(Event::SessionRevoked { key, expiry });
		Ok(())
	}

	/// First block in which a session with this expiry reserves nothing any more.
	pub(crate) fn session_ends_at(expiry: BlockNumber) -> BlockNumber {
		let left = T::ChannelDelay::get().saturating_sub(T::MaxTicketLife::get());
		expiry.saturating_add(left)
	}

	/// Whether `proof` is the session key's signature over the account for this chain.
	fn proves(owner: &T::AccountId, key: &PublicKey, proof: &Signature) -> bool {
		let message = SessionProof {
			account: AccountId(owner.clone().into()),
		};
		let signed = Signed {
			message,
			signature: *proof,
		};
		is_signed(&signed, key, &Self::genesis())
	}

	/// Ends what is due, oldest first, as far as `meter` allows.
	pub(crate) fn do_end(meter: &mut WeightMeter) {
		work_off(
			meter,
			MAX_ENDED_PER_BLOCK,
			T::WeightInfo::end,
			|| Some(OldestEnd::<T>::get()).filter(|block| *block <= Self::now()),
			Self::end_of_block,
			|block| OldestEnd::<T>::put(block.saturating_add(1)),
		);
	}

	/// Ends what is due in a block, at most so much of it, and says how much that was.
	fn end_of_block(block: BlockNumber, limit: u32) -> u32 {
		let due: Vec<_> = Ends::<T>::iter_key_prefix(block).take(limit as usize).collect();
		let mut used = 0;
		for end in due {
			if used >= limit {
				break;
			}
			let (cost, is_over) = Self::end(&end, block, limit - used);
			used = used.saturating_add(cost);
			if is_over {
				Ends::<T>::remove(block, &end);
			}
		}
		used
	}

	/// Ends one, or as much of it as `limit` allows: how much that was, at least one, and whether it is over.
	fn end(end: &End<T::AccountId>, block: BlockNumber, limit: u32) -> (u32, bool) {
		match end {
			End::Session(key) => Self::end_session(*key, block, limit),
			End::Channel(key, recipient) => {
				Self::end_channel(*key, recipient, block);
				(1, true)
			},
			End::Ledger(relayer, stream, terms) => {
				Self::end_ledger(relayer.clone(), *stream, *terms, block);
				(1, true)
			},
		}
	}

	/// Removes a session and what was remembered of it.
	fn end_session(key: PublicKey, block: BlockNumber, limit: u32) -> (u32, bool) {
		let Some(session) = Sessions::<T>::get(key) else {
			return (1, true);
		};
		// Noted again where that is later: the key was registered once more.
		if Self::session_ends_at(session.expiry) > block {
			return (1, true);
		}
		let mut used = 0;
		let channels: Vec<_> = Channels::<T>::iter_prefix(key).take(limit as usize).collect();
		for (recipient, mut channel) in channels {
			let freed = Self::free(key, &mut channel, 0);
			debug_assert!(freed.is_ok(), "what is reserved is held: {freed:?}");
			Channels::<T>::remove(key, recipient);
			used += 1;
		}
		let places: Vec<_> = VouchersPaid::<T>::iter_key_prefix(key)
			.take((limit - used) as usize)
			.collect();
		for place in places {
			VouchersPaid::<T>::remove(key, place);
			used += 1;
		}
		if used >= limit {
			return (used, false);
		}
		let Session { owner, deposit, .. } = session;
		Sessions::<T>::remove(key);
		SessionsOf::<T>::mutate_exists(&owner, |keys| {
			let left = keys.take().map(|mut left| {
				left.retain(|k| *k != key);
				left
			});
			*keys = left.filter(|left| !left.is_empty());
		});
		let released = T::Currency::release(&HoldReason::Session.into(), &owner, deposit, Precision::Exact);
		debug_assert!(released.is_ok(), "a session's deposit is held: {released:?}");
		Self::deposit_event(Event::SessionEnded { owner, key });
		(used + 1, true)
	}
}
