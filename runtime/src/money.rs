//! Where money goes that no call names: fees to the author of the block, dust to the treasury. Nothing is burnt, so
//! that what the chain has issued stays what its vault holds.

use crate::{AccountId, Authorship, Balance, Balances, Runtime};
use frame_support::{
	traits::{
		fungible::{Balanced, Credit},
		OnUnbalanced,
	},
	weights::{Weight, WeightToFee},
};
use pallet_ticket_broker::Treasury;

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
