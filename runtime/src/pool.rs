//! What is asked of a signed extrinsic beside what upstream's extensions ask: what it weighs, whether it may be signed at
//! all, and what goes first.
//!
//! # What it weighs
//! What is around the call, and a weight for each byte of it ([`PICOSECONDS_PER_BYTE`]). Both are here and not in the limits
//! of blocks, so that their price rises with that of the call: whatever a block is full of, it is bought at one price.
//!
//! # What may be signed
//! Only what somebody can have who signs it ([`calls`]), in blocks as in the pool.
//!
//! # What goes first
//! Whoever fills blocks can keep out what pays less. Redemptions must not be kept out, since tickets expire. So there is a
//! lane: the next extrinsic of a bonded relayer's operator, if it is `redeem_batch` or `redeem_vouchers` and brings
//! [`LANE_WORTH`] times its fee, goes before everything that is signed, whatever that pays; so does its `reserve` or `release`, since what
//! follows in the order of nonces waits for it. In the lane goes first whose last turn is longest
//! ago; a relayer that registers stands behind all that did before. So whoever wants to keep a batch waiting needs another
//! bonded relayer for every batch that he sends before it, and each of them holds it up once: its payout can redeem as well,
//! but not here.
//!
//! | call of a relayer | refused where | adds to its priority | stays until |
//! | --- | --- | --- | --- |
//! | `redeem_batch`, `redeem_vouchers` | nothing in it would be paid | [`LANE`] and more, where it is worth it | the first of the [`GLANCE`](pallet_ticket_broker::GLANCE) payable ones that were looked at expires |
//! | `reserve`, `release` | nowhere: it is paid for, whatever becomes of it | [`LANE`] and more | its `submit_by`; no end |
//! | `submit_tip` | it would not be paid | its reward, at most [`MAX_PRIORITY_BOOST`]; its amount buys nothing | it expires |
//!
//! # What a node does for nothing
//! Whoever is refused pays nothing. So nothing is judged here but the calls above, and of a bonded relayer only its *next*
//! extrinsic, by its nonce: at most [`GLANCE`](pallet_ticket_broker::GLANCE) signatures. A node judges what waits again in
//! each block: what stood behind is in the lane as soon as it is next. Everything else that is signed, such
//! as evidence, calls inside `Utility` or `Multisig`, and what stands behind in the order of nonces, is not looked at: it
//! waits its turn, and pays in the block for what it costs there.
//!
//! The extension adds nothing to what is signed: clients need not know it.

use crate::{
	calls,
	constants::{LANE_WORTH, MAX_PRIORITY_BOOST, PICOSECONDS_PER_BYTE},
	AccountId, Balance, Nonce, RelayerRegistry, Runtime, RuntimeCall, System, TicketBroker, TransactionPayment,
};
use clustercast_primitives::{chain::TicketRefusal, BlockNumber};
use codec::{Compact, Decode, DecodeWithMemTracking, Encode};
use frame_support::{
	dispatch::DispatchClass, pallet_prelude::Weight, traits::OriginTrait, weights::constants::ExtrinsicBaseWeight,
};
use pallet_ticket_broker::{Outlook, GLANCE};
use scale_info::TypeInfo;
use sp_runtime::{
	impl_tx_ext_default,
	traits::{DispatchInfoOf, DispatchOriginOf, Implication, TransactionExtension, ValidateResult},
	transaction_validity::{InvalidTransaction, TransactionSource, TransactionValidityError, ValidTransaction},
	SaturatedConversion,
};

/// Least priority in the lane: above what any tip buys, below what the bridge submits.
pub const LANE: u64 = 1 << 61;

/// What a block of waiting is worth in the lane: more than any tip that somebody would pay for it.
const TURN: u64 = 1 << 29;

/// Priority in the lane of a relayer whose last turn was in this block: less for who had it later.
pub fn place(turn: BlockNumber) -> u64 {
	let waiting = u64::from(BlockNumber::MAX.saturating_sub(turn));
	LANE.saturating_add(waiting.saturating_mul(TURN))
}

/// See the head of this file. Stands directly before `CheckNonce`, whose nonce it reads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
pub struct PoolRules;

impl TransactionExtension<RuntimeCall> for PoolRules {
	const IDENTIFIER: &'static str = "PoolRules";
	type Implicit = ();
	type Val = ();
	type Pre = ();

	fn weight(&self, call: &RuntimeCall) -> Weight {
		let bytes = Weight::from_parts(PICOSECONDS_PER_BYTE, 0).saturating_mul(call.encoded_size() as u64);
		let turn = match takes_a_turn(call) {
			true => <Runtime as frame_system::Config>::DbWeight::get().reads_writes(2, 1),
			false => Weight::zero(),
		};
		ExtrinsicBaseWeight::get().saturating_add(bytes).saturating_add(turn)
	}

	fn validate(
		&self,
		origin: DispatchOriginOf<RuntimeCall>,
		call: &RuntimeCall,
		info: &DispatchInfoOf<RuntimeCall>,
		len: usize,
		(): Self::Implicit,
		following: &impl Implication,
		source: TransactionSource,
	) -> ValidateResult<Self::Val, RuntimeCall> {
		let Some(sender) = origin.as_signer() else {
			return Ok((ValidTransaction::default(), (), origin));
		};
		if info.class != DispatchClass::Normal || !calls::may_be_signed(call) {
			return Err(InvalidTransaction::Call.into());
		}
		let is_next = || nonce(following) == Some(System::account_nonce(sender));
		let validity = match source {
			TransactionSource::InBlock => ValidTransaction::default(),
			_ if !(takes_a_turn(call) || is_tip(call)) || !is_next() => ValidTransaction::default(),
			_ => match relayer(sender, call).and_then(|relayer| RelayerRegistry::last_turn(&relayer)) {
				Some(turn) => judge(sender, turn, call, TransactionPayment::compute_fee(len as u32, info, 0))?,
				None => ValidTransaction::default(),
			},
		};
		Ok((validity, (), origin))
	}

	fn prepare(
		self,
		(): Self::Val,
		origin: &DispatchOriginOf<RuntimeCall>,
		call: &RuntimeCall,
		_: &DispatchInfoOf<RuntimeCall>,
		_: usize,
	) -> Result<Self::Pre, TransactionValidityError> {
		let sender = origin.as_signer().filter(|_| takes_a_turn(call));
		if let Some(relayer) = sender.and_then(|sender| relayer(sender, call)) {
			RelayerRegistry::note_turn(&relayer);
		}
		Ok(())
	}

	impl_tx_ext_default!(RuntimeCall;);
}

/// Whether this call may go into the lane, and is then a relayer's turn.
fn takes_a_turn(call: &RuntimeCall) -> bool {
	use pallet_ticket_broker::Call as Broker;

	matches!(
		call,
		RuntimeCall::TicketBroker(
			Broker::redeem_batch { .. }
				| Broker::redeem_vouchers { .. }
				| Broker::reserve { .. }
				| Broker::release { .. }
		)
	)
}

/// The relayer whose turn a call is: whom a batch pays or for whom is reserved, if its sender is the operator; of a tip, the
/// sender, likewise.
fn relayer(sender: &AccountId, call: &RuntimeCall) -> Option<AccountId> {
	use pallet_ticket_broker::Call as Broker;

	let recipient = match call {
		RuntimeCall::TicketBroker(Broker::redeem_batch { tickets }) => {
			tickets.first().map(|winning| winning.signed.message.recipient)
		},
		RuntimeCall::TicketBroker(Broker::redeem_vouchers { vouchers }) => {
			vouchers.first().map(|signed| signed.message.recipient)
		},
		RuntimeCall::TicketBroker(Broker::reserve { reservation }) => Some(reservation.message.recipient),
		RuntimeCall::TicketBroker(Broker::release { release }) => Some(release.recipient),
		_ => None,
	};
	let recipient = recipient.map_or_else(|| sender.clone(), |recipient| recipient.0.into());
	RelayerRegistry::is_operator(sender, &recipient).then_some(recipient)
}

fn is_tip(call: &RuntimeCall) -> bool {
	matches!(
		call,
		RuntimeCall::TicketBroker(pallet_ticket_broker::Call::submit_tip { .. })
	)
}

/// The sender's nonce: what follows this extension begins with it.
fn nonce(following: &impl Implication) -> Option<Nonce> {
	let bytes = following.parts().explicit.encode();
	Compact::<Nonce>::decode(&mut &bytes[..]).ok().map(|nonce| nonce.0)
}

/// What a relayer's call adds to the validity of its transaction; why it has none. `turn` is its last one, `fee` what the
/// extrinsic costs now.
fn judge(
	sender: &AccountId,
	turn: BlockNumber,
	call: &RuntimeCall,
	fee: Balance,
) -> Result<ValidTransaction, TransactionValidityError> {
	use pallet_ticket_broker::Call as Broker;

	match call {
		RuntimeCall::TicketBroker(Broker::redeem_batch { tickets }) => {
			redemption(TicketBroker::tickets_outlook(tickets), tickets.len(), turn, fee)
		},
		RuntimeCall::TicketBroker(Broker::redeem_vouchers { vouchers }) => {
			redemption(TicketBroker::vouchers_outlook(vouchers), vouchers.len(), turn, fee)
		},
		RuntimeCall::TicketBroker(Broker::reserve { reservation }) => Ok(ValidTransaction {
			priority: place(turn),
			longevity: reservation
				.message
				.submit_by
				.saturating_sub(System::block_number())
				.max(1)
				.into(),
			..Default::default()
		}),
		RuntimeCall::TicketBroker(Broker::release { .. }) => Ok(ValidTransaction {
			priority: place(turn),
			..Default::default()
		}),
		RuntimeCall::TicketBroker(Broker::submit_tip { tip }) => {
			let outlook = TicketBroker::tip_outlook(sender, tip).map_err(refused)?;
			Ok(ValidTransaction {
				priority: MAX_PRIORITY_BOOST.min(tip.message.reward.saturated_into()),
				longevity: longevity(&outlook),
				..Default::default()
			})
		},
		_ => Ok(ValidTransaction::default()),
	}
}

/// What so many payments with this outlook have for it.
fn redemption(
	outlook: Result<Outlook, TicketRefusal>,
	payments: usize,
	turn: BlockNumber,
	fee: Balance,
) -> Result<ValidTransaction, TransactionValidityError> {
	let outlook = outlook.map_err(refused)?;
	// What one of those that were looked at brings on average, against what one costs.
	let (payments, seen) = (payments as Balance, payments.min(GLANCE) as Balance);
	let worth_it = outlook.value.saturating_mul(payments) >= fee.saturating_mul(seen).saturating_mul(LANE_WORTH);
	Ok(ValidTransaction {
		priority: if worth_it { place(turn) } else { 0 },
		longevity: longevity(&outlook),
		..Default::default()
	})
}

/// Blocks for which what was judged can be paid. It was judged as of the block to come; the pool counts from the one
/// before it.
fn longevity(outlook: &Outlook) -> u64 {
	outlook
		.expiry
		.saturating_sub(System::block_number())
		.saturating_add(1)
		.into()
}

/// As a pool says it: the code is the place of the refusal among [`TicketRefusal`]s.
fn refused(refusal: TicketRefusal) -> TransactionValidityError {
	let place = refusal.using_encoded(|bytes| bytes.first().copied().unwrap_or_default());
	InvalidTransaction::Custom(place).into()
}
