//! Redemption of a batch of tickets: judged on a draft, written once.
//!
//! [`Batch::redeem`] is the whole of a ticket's rules, in the order in which they are checked. It reads storage and the
//! draft and changes only the draft, and that only once nothing can fail any more: a ticket is in the draft whole or
//! not at all. [`Batch::settle`] writes the draft: each session, bitmap, deposit and payee once, however many tickets
//! concern it.

use crate::{
	pallet::{Config, Error, HoldReason, Pallet, Sessions, SpentNonces, Treasury},
	types::{NonceBitmap, Session},
};
use alloc::collections::{btree_map::Entry, BTreeMap};
use clustercast_primitives::{
	chain::{Payout, TicketRefusal, PPM},
	crypto::{is_canonical, SignedMessage},
	ticket, Balance, BlockNumber, Hash, PublicKey, SignedTicket, StreamId, WinningTicket,
};
use frame_support::{
	ensure,
	pallet_prelude::DispatchResult,
	traits::{
		fungible::{Balanced, BalancedHold, Credit, Inspect},
		tokens::{imbalance::Imbalance, DepositConsequence, Provenance},
		Get,
	},
};
use frame_system::pallet_prelude::BlockNumberFor;
use pallet_stream_keys::{Payee, Streams};

/// A stored value as the batch leaves it, and whether it differs from what is stored.
struct Draft<V> {
	value: V,
	changed: bool,
}

impl<V> Draft<V> {
	fn new(value: V) -> Self {
		Self { value, changed: false }
	}

	fn change(&mut self) -> &mut V {
		self.changed = true;
		&mut self.value
	}
}

/// A viewer's deposit as the batch leaves it, micro-USDC.
struct Deposit {
	held: Balance,
	spent: Balance,
}

/// A batch that is being redeemed.
pub(crate) struct Batch<T: Config> {
	now: BlockNumber,
	genesis: Hash,
	treasury: Option<T::AccountId>,
	sessions: BTreeMap<PublicKey, Draft<Option<Session<T::AccountId>>>>,
	nonces: BTreeMap<(BlockNumber, PublicKey), Draft<NonceBitmap<T::MaxNonces>>>,
	deposits: BTreeMap<T::AccountId, Deposit>,
	streams: BTreeMap<StreamId, Option<Payee<T::AccountId>>>,
	payouts: BTreeMap<T::AccountId, Balance>,
}

/// Part of a face value, rounded down; exact for every amount.
fn share(face_value: Balance, ppm: u32) -> Balance {
	let (whole, part) = (Balance::from(PPM), Balance::from(ppm));
	(face_value / whole).saturating_mul(part) + face_value % whole * part / whole
}

/// Whether the session key signed the ticket for the chain with this genesis hash.
fn is_signed(signed: &SignedTicket, genesis: &Hash) -> bool {
	let payload = signed.message.signing_payload(genesis);
	let (signature, key) = (signed.signature.0.into(), signed.message.session.0.into());
	sp_io::crypto::ed25519_verify(&signature, &payload, &key)
}

impl<T: Config> Batch<T> {
	/// An empty batch in this block.
	pub fn open() -> Self {
		Self {
			now: Pallet::<T>::now(),
			genesis: Hash(frame_system::Pallet::<T>::block_hash(BlockNumberFor::<T>::default()).into()),
			treasury: Treasury::<T>::get(),
			sessions: BTreeMap::new(),
			nonces: BTreeMap::new(),
			deposits: BTreeMap::new(),
			streams: BTreeMap::new(),
			payouts: BTreeMap::new(),
		}
	}

	/// Pays a ticket into the draft, whole, or says why not and leaves the draft's sums as they were.
	pub fn redeem(&mut self, winning: &WinningTicket) -> Result<Payout, TicketRefusal> {
		let ticket = &winning.signed.message;

		// From the ticket alone.
		ensure!(ticket.expiry >= self.now, TicketRefusal::Expired);
		ensure!(
			ticket.expiry - self.now <= T::MaxTicketLife::get(),
			TicketRefusal::ExpiryTooFar
		);
		ensure!(ticket.nonce < T::MaxNonces::get(), TicketRefusal::NonceTooLarge);
		ensure!(
			ticket.face_value >= T::MinFaceValue::get(),
			TicketRefusal::FaceValueTooSmall
		);
		ensure!(
			ticket::commitment(&winning.rand) == ticket.commitment,
			TicketRefusal::WrongSecret
		);
		ensure!(
			ticket::wins(ticket.win_probability, &winning.signed.signature, &winning.rand),
			TicketRefusal::NotAWinner
		);
		ensure!(
			is_canonical(&ticket.session, &winning.signed.signature),
			TicketRefusal::NonCanonicalSignature
		);

		// From the session and the deposit that pay.
		let sender = T::AccountId::from(ticket.sender.0);
		let session_draft = self
			.sessions
			.entry(ticket.session)
			.or_insert_with(|| Draft::new(Sessions::<T>::get(ticket.session)));
		let session = session_draft.value.as_ref().ok_or(TicketRefusal::UnknownSession)?;
		ensure!(session.owner == sender, TicketRefusal::WrongSender);
		ensure!(session.expiry >= ticket.expiry, TicketRefusal::SessionExpired);
		let epoch = Pallet::<T>::epoch_of(ticket.expiry);
		let nonces = self
			.nonces
			.entry((epoch, ticket.session))
			.or_insert_with(|| Draft::new(SpentNonces::<T>::get(epoch, ticket.session)));
		ensure!(!nonces.value.contains(ticket.nonce), TicketRefusal::AlreadyRedeemed);
		ensure!(
			session.limit.saturating_sub(session.spent) >= ticket.face_value,
			TicketRefusal::SessionLimitReached
		);
		let deposit = match self.deposits.entry(sender) {
			Entry::Occupied(known) => known.into_mut(),
			Entry::Vacant(unknown) => {
				let held = Pallet::<T>::deposit_of(unknown.key());
				unknown.insert(Deposit { held, spent: 0 })
			},
		};
		ensure!(
			deposit.held.saturating_sub(deposit.spent) >= ticket.face_value,
			TicketRefusal::DepositTooSmall
		);

		// From those who are paid.
		let stream = ticket.window.stream;
		let payee = self.streams.entry(stream).or_insert_with(|| T::Streams::payee(stream));
		let payee = payee.as_ref().ok_or(TicketRefusal::UnknownStream)?;
		let treasury = self.treasury.as_ref().ok_or(TicketRefusal::CannotReceive)?;
		let payout = Self::split(ticket.face_value, payee.share_ppm);
		let recipient = T::AccountId::from(ticket.recipient.0);
		let parts = [
			(&recipient, payout.relayer),
			(&payee.account, payout.broadcaster),
			(treasury, payout.treasury),
		];
		for (who, amount) in parts {
			let pending = self.payouts.get(who).copied().unwrap_or_default();
			ensure!(Self::can_receive(who, pending, amount), TicketRefusal::CannotReceive);
		}

		ensure!(is_signed(&winning.signed, &self.genesis), TicketRefusal::BadSignature);

		// Nothing fails from here on.
		if let Some(session) = session_draft.change() {
			session.spent = session.spent.saturating_add(ticket.face_value);
		}
		deposit.spent = deposit.spent.saturating_add(ticket.face_value);
		let is_new = nonces.change().insert(ticket.nonce);
		debug_assert!(is_new, "checked above; qed");
		for (who, amount) in parts.into_iter().filter(|(_, amount)| *amount > 0) {
			let sum = self.payouts.entry(who.clone()).or_default();
			*sum = sum.saturating_add(amount);
		}
		Ok(payout)
	}

	/// Writes the draft. An error would mean that the judgement above is wrong; it undoes the whole call.
	pub fn settle(self) -> DispatchResult {
		for (key, draft) in self.sessions.into_iter().filter(|(_, draft)| draft.changed) {
			Sessions::<T>::set(key, draft.value);
		}
		for ((epoch, key), draft) in self.nonces.into_iter().filter(|(_, draft)| draft.changed) {
			SpentNonces::<T>::insert(epoch, key, draft.value);
		}
		let mut collected = Credit::<T::AccountId, T::Currency>::zero();
		for (sender, deposit) in self.deposits.into_iter().filter(|(_, deposit)| deposit.spent > 0) {
			let (credit, missing) = T::Currency::slash(&HoldReason::TicketDeposit.into(), &sender, deposit.spent);
			ensure!(missing == 0, Error::<T>::Unbalanced);
			collected.subsume(credit);
		}
		for (who, amount) in self.payouts {
			let credit = collected.extract(amount);
			ensure!(credit.peek() == amount, Error::<T>::Unbalanced);
			T::Currency::resolve(&who, credit).map_err(|_| Error::<T>::Unbalanced)?;
		}
		collected.drop_zero().map_err(|_| Error::<T>::Unbalanced.into())
	}

	/// Broadcaster's and treasury's share rounded down, the relayer's is the rest.
	fn split(face_value: Balance, share_ppm: u32) -> Payout {
		let broadcaster = share(face_value, share_ppm);
		let treasury = share(face_value, T::TreasuryShare::get());
		Payout {
			relayer: face_value.saturating_sub(broadcaster).saturating_sub(treasury),
			broadcaster,
			treasury,
		}
	}

	/// Whether an account can be credited `amount` more, when `pending` of this batch is.
	fn can_receive(who: &T::AccountId, pending: Balance, amount: Balance) -> bool {
		let sum = pending.saturating_add(amount);
		amount == 0 || T::Currency::can_deposit(who, sum, Provenance::Extant) == DepositConsequence::Success
	}
}
