//! What blocks cost, and where money goes that no call names: fees to the author of the block, dust to the treasury.
//! Nothing is burnt, so that what the chain has issued stays what its vault holds.

use crate::{
	configs::RuntimeBlockWeights,
	constants::{MAX_FEE_MULTIPLIER, PRICE_ADJUSTMENT_PERCENT, TARGET_FULLNESS_PERCENT},
	AccountId, Authorship, Balance, Balances, Runtime, System,
};
use frame_support::{
	dispatch::DispatchClass,
	traits::{
		fungible::{Balanced, Credit},
		OnUnbalanced,
	},
	weights::{Weight, WeightToFee},
};
use pallet_ticket_broker::Treasury;
use pallet_transaction_payment::{Multiplier, MultiplierUpdate};
use sp_runtime::{
	traits::{Convert, One, Saturating},
	FixedPointNumber, Perquintill,
};

type Usdc = Credit<AccountId, Balances>;

/// What is left of an account that falls below the existential deposit goes to the treasury, which can always
/// receive: genesis endows its account, and the ticket broker keeps it from being emptied.
pub struct ToTreasury;

impl OnUnbalanced<Usdc> for ToTreasury {
	fn on_nonzero_unbalanced(money: Usdc) {
		if let Some(treasury) = Treasury::<Runtime>::get() {
			// Fails only where there is no such account.
			let _ = Balances::resolve(&treasury, money);
		}
	}
}

/// Fees and tips go to the author of the block; to the treasury when the author has no account, and they are too
/// little to open one.
pub struct ToAuthor;

impl OnUnbalanced<Usdc> for ToAuthor {
	fn on_nonzero_unbalanced(fees: Usdc) {
		let unpaid = match Authorship::author() {
			Some(author) => Balances::resolve(&author, fees),
			None => Err(fees),
		};
		if let Err(fees) = unpaid {
			ToTreasury::on_nonzero_unbalanced(fees);
		}
	}
}

/// A fee of one micro-USDC for every so many units: picoseconds of weight, or bytes of an extrinsic. Rounded up.
pub struct OneMicroUsdcPer<const UNITS: u64>;

impl<const UNITS: u64> WeightToFee for OneMicroUsdcPer<UNITS> {
	type Balance = Balance;

	fn weight_to_fee(weight: &Weight) -> Balance {
		weight.ref_time().div_ceil(UNITS).into()
	}
}

/// The price of computing in the next block, from that in this one: by all that extrinsics weigh in it, of whichever
/// class, so that no kind of call fills blocks unnoticed.
///
/// With d = fullness - target and v = the adjustment it is multiplied by 1 + vd + (vd)^2 / 2: about e^(vd).
pub struct PriceOfFullness;

impl PriceOfFullness {
	/// How much of what signed calls may take this block's extrinsics weigh: 1 at most.
	fn fullness() -> Multiplier {
		let weights = System::block_weight();
		let used = weights
			.get(DispatchClass::Normal)
			.saturating_add(*weights.get(DispatchClass::Operational));
		let most = RuntimeBlockWeights::get()
			.get(DispatchClass::Normal)
			.max_total
			.unwrap_or_default();
		Multiplier::saturating_from_rational(used.ref_time(), most.ref_time().max(1)).min(Multiplier::one())
	}
}

impl Convert<Multiplier, Multiplier> for PriceOfFullness {
	fn convert(before: Multiplier) -> Multiplier {
		let (fullness, target) = (Self::fullness(), Multiplier::from(Self::target()));
		let up = fullness >= target;
		let distance = if up {
			fullness.saturating_sub(target)
		} else {
			target.saturating_sub(fullness)
		};
		let step = Self::variability().saturating_mul(distance);
		let square = step.saturating_mul(step) / Multiplier::saturating_from_integer(2);
		let even = Multiplier::one().saturating_add(square);
		let factor = if up {
			even.saturating_add(step)
		} else {
			even.saturating_sub(step)
		};
		before.saturating_mul(factor).clamp(Self::min(), Self::max())
	}
}

impl MultiplierUpdate for PriceOfFullness {
	fn min() -> Multiplier {
		Multiplier::one()
	}

	fn max() -> Multiplier {
		Multiplier::saturating_from_integer(MAX_FEE_MULTIPLIER)
	}

	fn target() -> Perquintill {
		Perquintill::from_percent(TARGET_FULLNESS_PERCENT)
	}

	fn variability() -> Multiplier {
		Multiplier::saturating_from_rational(PRICE_ADJUSTMENT_PERCENT, 100)
	}
}
