//! Channels: money of a session that only one recipient can have, as long as it is reserved.
//!
//! What is reserved lies under a hold of its own, so that whatever else spends a deposit cannot see it. It stays reserved
//! until it is paid, until the recipient releases it, or until [`Config::ChannelDelay`] after the session key closed the
//! channel or the session expired. What was paid is remembered while the session exists.

use crate::{
	batch::check_signed,
	pallet::{Channels, Config, Ends, Error, Event, HoldReason, Pallet, Sessions},
	types::{Channel, End, Purse, Refusal},
	Relayers,
};
use alloc::vec::Vec;
use clustercast_primitives::{
	chain::{ChannelInfo, ChannelKey, TicketRefusal},
	channel::{Release, SignedClose, SignedReservation},
	crypto::{Signed, SignedMessage},
	AccountId, Balance, BlockNumber, PublicKey,
};
use frame_support::{
	ensure,
	pallet_prelude::{DispatchError, DispatchResult},
	traits::{
		fungible::hold::Mutate as _,
		tokens::{Fortitude, Precision, Restriction},
		Get,
	},
};

impl<T: Config> Pallet<T> {
	/// What is reserved and paid in these channels, in order; `None` where nothing ever was.
	pub fn channels(keys: &[ChannelKey]) -> Vec<Option<ChannelInfo>> {
		let info = |key: &ChannelKey| {
			let session = Sessions::<T>::get(key.session)?;
			let channel = Channels::<T>::get(key.session, T::AccountId::from(key.recipient.0))?;
			let ends_at = Self::session_ends_at(session.expiry);
			Some(ChannelInfo {
				counter: channel.counter,
				cap: channel.cap,
				paid: channel.paid,
				open: channel.open,
				ends_at: channel.closes_at.map_or(ends_at, |closes_at| closes_at.min(ends_at)),
				registered: session.registered,
				next_nonce: channel.nonces.next(),
			})
		};
		keys.iter().map(info).collect()
	}

	pub(crate) fn do_reserve(submitter: T::AccountId, signed: &SignedReservation) -> DispatchResult {
		let message = &signed.message;
		let recipient = T::AccountId::from(message.recipient.0);
		let owner = Self::check_channel_message(signed, message.session, message.sender, message.submit_by)?;
		let mut channel = Channels::<T>::get(message.session, &recipient).unwrap_or_default();
		ensure!(message.counter > channel.counter, Error::<T>::CounterNotAbove);
		let open = message.cap.saturating_sub(channel.paid);
		let more = open.saturating_sub(channel.open);
		ensure!(
			message.cap > channel.cap && more > 0 && open >= T::MinFaceValue::get(),
			Error::<T>::CapNotAbove
		);
		let cost = more.checked_add(message.reward).ok_or(Error::<T>::DepositTooSmall)?;
		let mut session = Sessions::<T>::get(message.session).ok_or(Error::<T>::UnknownSession)?;
		ensure!(
			session.left(Purse::Bytes) >= cost,
			refused::<T>(TicketRefusal::SessionLimitReached)
		);
		ensure!(
			Self::free_deposit_of(&owner) >= cost,
			refused::<T>(TicketRefusal::DepositTooSmall)
		);

		session.spend(Purse::Bytes, cost);
		Sessions::<T>::insert(message.session, session);
		Self::rehold(HoldReason::TicketDeposit, HoldReason::Reserved, &owner, more)?;
		if message.reward > 0 {
			T::Currency::transfer_on_hold(
				&HoldReason::TicketDeposit.into(),
				&owner,
				&submitter,
				message.reward,
				Precision::Exact,
				Restriction::Free,
				Fortitude::Polite,
			)?;
		}
		channel = Channel {
			counter: message.counter,
			cap: message.cap,
			open,
			closes_at: None,
			..channel
		};
		Channels::<T>::insert(message.session, &recipient, channel);
		Self::deposit_event(Event::Reserved {
			session: message.session,
			sender: owner,
			recipient,
			counter: message.counter,
			cap: message.cap,
			open,
			reward: message.reward,
		});
		Ok(())
	}

	pub(crate) fn do_close_channel(signed: &SignedClose) -> DispatchResult {
		let message = &signed.message;
		let recipient = T::AccountId::from(message.recipient.0);
		Self::check_channel_message(signed, message.session, message.sender, message.submit_by)?;
		let mut channel = Self::reserved(message.session, &recipient, message.counter)?;
		ensure!(channel.closes_at.is_none(), Error::<T>::AlreadyClosed);
		let closes_at = Self::now().saturating_add(T::ChannelDelay::get());
		channel.closes_at = Some(closes_at);
		Channels::<T>::insert(message.session, &recipient, channel);
		Ends::<T>::insert(closes_at, End::Channel(message.session, recipient.clone()), ());
		Self::deposit_event(Event::ChannelClosed {
			session: message.session,
			recipient,
			closes_at,
		});
		Ok(())
	}

	pub(crate) fn do_release(who: T::AccountId, release: &Release) -> DispatchResult {
		let recipient = T::AccountId::from(release.recipient.0);
		ensure!(T::Relayers::may_redeem(&who, &recipient), Error::<T>::NotRecipient);
		let session = Sessions::<T>::get(release.session).ok_or(Error::<T>::UnknownSession)?;
		ensure!(session.registered == release.registered, Error::<T>::WrongRegistration);
		let mut channel = Self::reserved(release.session, &recipient, release.counter)?;
		ensure!(release.kept <= channel.cap, Error::<T>::CapNotAbove);
		channel.cap = release.kept.max(channel.paid);
		let open = channel.open.min(channel.cap.saturating_sub(channel.paid));
		let freed = Self::free(release.session, &mut channel, open)?;
		Channels::<T>::insert(release.session, &recipient, channel);
		Self::deposit_event(Event::Released {
			session: release.session,
			recipient,
			freed,
			open,
		});
		Ok(())
	}

	/// Frees what a channel reserves, if it ends by this block.
	pub(crate) fn end_channel(key: PublicKey, recipient: &T::AccountId, block: BlockNumber) {
		let Some(mut channel) = Channels::<T>::get(key, recipient) else {
			return;
		};
		// It may have been reserved again since it was closed.
		if channel.closes_at.is_none_or(|closes_at| closes_at > block) {
			return;
		}
		channel.cap = channel.paid.min(channel.cap);
		let freed = Self::free(key, &mut channel, 0);
		debug_assert!(freed.is_ok(), "what is reserved is held: {freed:?}");
		Channels::<T>::insert(key, recipient, channel);
		Self::deposit_event(Event::Released {
			session: key,
			recipient: recipient.clone(),
			freed: freed.unwrap_or_default(),
			open: 0,
		});
	}

	/// Leaves only `open` reserved, and says how much became free.
	pub(crate) fn free(key: PublicKey, channel: &mut Channel, open: Balance) -> Result<Balance, DispatchError> {
		let freed = channel.open.saturating_sub(open);
		channel.open = open;
		if freed > 0 {
			let mut session = Sessions::<T>::get(key).ok_or(Error::<T>::Unbalanced)?;
			session.spent = session.spent.saturating_sub(freed);
			Self::rehold(HoldReason::Reserved, HoldReason::TicketDeposit, &session.owner, freed)?;
			Sessions::<T>::insert(key, session);
		}
		Ok(freed)
	}

	/// Holds money for another reason.
	pub(crate) fn rehold(from: HoldReason, to: HoldReason, who: &T::AccountId, amount: Balance) -> DispatchResult {
		T::Currency::release(&from.into(), who, amount, Precision::Exact)?;
		T::Currency::hold(&to.into(), who, amount)
	}

	/// A channel whose latest reservation has this counter.
	fn reserved(key: PublicKey, recipient: &T::AccountId, counter: u32) -> Result<Channel, Error<T>> {
		let channel = Channels::<T>::get(key, recipient).filter(|channel| channel.counter > 0);
		let channel = channel.ok_or(Error::<T>::NothingReserved)?;
		ensure!(channel.counter == counter, Error::<T>::WrongCounter);
		Ok(channel)
	}

	/// Whether a session of `sender` signed this about a channel, for now; whose account that is.
	fn check_channel_message<M: SignedMessage>(
		signed: &Signed<M>,
		key: PublicKey,
		sender: AccountId,
		submit_by: BlockNumber,
	) -> Result<T::AccountId, Error<T>> {
		let now = Self::now();
		let session = Sessions::<T>::get(key).ok_or(Error::<T>::UnknownSession)?;
		let owner = T::AccountId::from(sender.0);
		ensure!(session.owner == owner, refused::<T>(TicketRefusal::WrongSender));
		ensure!(session.expiry >= now, refused::<T>(TicketRefusal::SessionExpired));
		ensure!(submit_by >= now, refused::<T>(TicketRefusal::Expired));
		ensure!(
			submit_by - now <= T::MaxTicketLife::get(),
			refused::<T>(TicketRefusal::ExpiryTooFar)
		);
		check_signed(signed, &key, &Self::genesis()).map_err(refused::<T>)?;
		Ok(owner)
	}
}

/// The error that says why something that a session key signed does not hold.
pub(crate) fn refused<T: Config>(refusal: TicketRefusal) -> Error<T> {
	Error::Refused(Refusal(refusal))
}
