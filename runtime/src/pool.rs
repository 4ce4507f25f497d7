//! What the transaction pool asks of payments and reports before it takes them.
//!
//! A batch that pays nothing, and evidence that does not hold, cost their sender a fee, but only once they are in a
//! block; until then they take room in every node's pool, and they are judged again for nothing when their turn comes. So
//! they are judged at the door:
//!
//! | call | refused where | adds to its priority | stays until |
//! | --- | --- | --- | --- |
//! | `redeem_batch`, `redeem_vouchers` | nothing in it would be paid | what the first [`GLANCE`](pallet_ticket_broker::GLANCE) payable ones are worth | the first of these expires |
//! | `submit_tip` | it would not be paid | what it is worth | it expires |
//! | `report_invalid_chunk`, `report_equivocation` | the evidence does not hold, or was punished | [`MAX_PRIORITY_BOOST`] | its era ends |
//!
//! A micro-USDC is worth one, up to [`MAX_PRIORITY_BOOST`]: a payment then goes before transfers without a tip, and a tip
//! buys the same for less than it costs to pay oneself. Unsigned reports of consensus have the highest priority there is.
//!
//! How much one account can have in the pool is bounded by what bounds everybody: transactions of an account wait for each
//! other's nonce, each must be able to pay its fee, and a payment that another one made first is refused when it is judged
//! again. So there is no further limit to count. A call inside another one, such as `Utility.batch`, is not looked at: it
//! gains no priority and pays for itself.
//!
//! None of this concerns a block: there every call pays its way, and the rules are those of the pallets. So the extension
//! weighs nothing there, and it adds nothing to what is signed: clients need not know it.

use crate::{constants::MAX_PRIORITY_BOOST, AccountId, FraudProofs, Runtime, RuntimeCall, System, TicketBroker};
use clustercast_primitives::chain::TicketRefusal;
use codec::{Decode, DecodeWithMemTracking, Encode};
use frame_support::{pallet_prelude::Weight, traits::OriginTrait};
use pallet_ticket_broker::Outlook;
use scale_info::TypeInfo;
use sp_runtime::{
	impl_tx_ext_default,
	traits::{DispatchInfoOf, DispatchOriginOf, Implication, TransactionExtension, ValidateResult},
	transaction_validity::{InvalidTransaction, TransactionSource, TransactionValidityError, ValidTransaction},
	SaturatedConversion,
};

/// The error codes of [`InvalidTransaction::Custom`] from here on are the fraud proofs' errors, those below are
/// [`TicketRefusal`]s; both in the order in which they are declared.
pub const FRAUD_ERRORS: u8 = 128;

/// See the head of this file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
pub struct PoolRules;

impl TransactionExtension<RuntimeCall> for PoolRules {
	const IDENTIFIER: &'static str = "PoolRules";
	type Implicit = ();
	type Val = ();
	type Pre = ();

	fn weight(&self, _: &RuntimeCall) -> Weight {
		Weight::zero()
	}

	fn validate(
		&self,
		origin: DispatchOriginOf<RuntimeCall>,
		call: &RuntimeCall,
		_: &DispatchInfoOf<RuntimeCall>,
		_: usize,
		(): Self::Implicit,
		_: &impl Implication,
		source: TransactionSource,
	) -> ValidateResult<Self::Val, RuntimeCall> {
		let validity = match origin.as_signer() {
			Some(sender) if source != TransactionSource::InBlock => judge(sender, call)?,
			_ => ValidTransaction::default(),
		};
		Ok((validity, (), origin))
	}

	impl_tx_ext_default!(RuntimeCall; prepare);
}

/// What a call adds to the validity of its transaction; why it has none.
fn judge(sender: &AccountId, call: &RuntimeCall) -> Result<ValidTransaction, TransactionValidityError> {
	use pallet_fraud_proofs::Call as Fraud;
	use pallet_ticket_broker::Call as Broker;

	match call {
		RuntimeCall::TicketBroker(Broker::redeem_batch { tickets }) => paying(TicketBroker::tickets_outlook(tickets)),
		RuntimeCall::TicketBroker(Broker::redeem_vouchers { vouchers }) => {
			paying(TicketBroker::vouchers_outlook(vouchers))
		},
		RuntimeCall::TicketBroker(Broker::submit_tip { tip }) => paying(TicketBroker::tip_outlook(sender, tip)),
		RuntimeCall::FraudProofs(Fraud::report_invalid_chunk { evidence }) => {
			reporting(FraudProofs::check_invalid_chunk(evidence))
		},
		RuntimeCall::FraudProofs(Fraud::report_equivocation { key, evidence }) => {
			reporting(FraudProofs::check_equivocation(key, evidence))
		},
		_ => Ok(ValidTransaction::default()),
	}
}

fn paying(outlook: Result<Outlook, TicketRefusal>) -> Result<ValidTransaction, TransactionValidityError> {
	let outlook = outlook.map_err(|refusal| InvalidTransaction::Custom(index(&refusal)))?;
	// Judged as of the block to come; the pool counts from the one before it.
	let left = outlook.expiry.saturating_sub(System::block_number()).saturating_add(1);
	Ok(ValidTransaction {
		priority: MAX_PRIORITY_BOOST.min(outlook.value.saturated_into()),
		longevity: left.into(),
		..Default::default()
	})
}

fn reporting<O>(
	offence: Result<O, pallet_fraud_proofs::Error<Runtime>>,
) -> Result<ValidTransaction, TransactionValidityError> {
	offence.map_err(|error| InvalidTransaction::Custom(FRAUD_ERRORS.saturating_add(index(&error))))?;
	Ok(ValidTransaction {
		priority: MAX_PRIORITY_BOOST,
		..Default::default()
	})
}

/// Place of a variant without fields in its enum.
fn index(variant: &impl Encode) -> u8 {
	variant.using_encoded(|bytes| bytes.first().copied().unwrap_or_default())
}
