//! Who can have anything of a call.
//!
//! A call that its origin cannot have fails, and takes the weight that it declares. So it is refused before it is in a
//! block: what needs Root, which nobody has, and what is never signed, wherever it stands inside another call. What is left
//! takes no more of a block than its fee buys.

use crate::RuntimeCall;
use alloc::vec::Vec;
use frame_support::traits::Contains;

/// Who can have anything of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Caller {
	/// Whoever signs it and pays for it.
	Anybody,
	/// Nobody who signs: the author of a block puts it there, or anybody submits it where it holds.
	Unsigned,
	/// It needs Root, or would burn what only a withdrawal may burn.
	Nobody,
}

/// Who can have anything of this call, whatever is inside it. Of upstream's pallets what is new is nobody's at first.
pub fn caller(call: &RuntimeCall) -> Caller {
	use pallet_balances::Call as Balances;
	use pallet_beefy::Call as Beefy;
	use pallet_grandpa::Call as Grandpa;
	use pallet_multisig::Call as Multisig;
	use pallet_session::Call as Session;
	use pallet_usdc_bridge::Call as Bridge;
	use pallet_utility::Call as Utility;
	use Caller::{Anybody, Nobody, Unsigned};

	match call {
		RuntimeCall::System(frame_system::Call::remark { .. } | frame_system::Call::remark_with_event { .. }) => {
			Anybody
		},
		RuntimeCall::System(_) => Nobody,
		RuntimeCall::Timestamp(_) => Unsigned,
		RuntimeCall::Balances(
			Balances::transfer_all { .. }
			| Balances::transfer_allow_death { .. }
			| Balances::transfer_keep_alive { .. }
			| Balances::upgrade_accounts { .. },
		) => Anybody,
		RuntimeCall::Balances(_) => Nobody,
		RuntimeCall::Beefy(
			Beefy::report_double_voting { .. }
			| Beefy::report_fork_voting { .. }
			| Beefy::report_future_block_voting { .. },
		) => Anybody,
		RuntimeCall::Beefy(
			Beefy::report_double_voting_unsigned { .. }
			| Beefy::report_fork_voting_unsigned { .. }
			| Beefy::report_future_block_voting_unsigned { .. },
		) => Unsigned,
		RuntimeCall::Beefy(_) => Nobody,
		RuntimeCall::Grandpa(Grandpa::report_equivocation { .. }) => Anybody,
		RuntimeCall::Grandpa(Grandpa::report_equivocation_unsigned { .. }) => Unsigned,
		RuntimeCall::Grandpa(_) => Nobody,
		RuntimeCall::Session(Session::set_keys { .. } | Session::purge_keys { .. }) => Anybody,
		RuntimeCall::Session(_) => Nobody,
		RuntimeCall::Multisig(
			Multisig::as_multi { .. }
			| Multisig::as_multi_threshold_1 { .. }
			| Multisig::approve_as_multi { .. }
			| Multisig::cancel_as_multi { .. }
			| Multisig::poke_deposit { .. },
		) => Anybody,
		RuntimeCall::Multisig(_) => Nobody,
		RuntimeCall::Utility(
			Utility::as_derivative { .. }
			| Utility::batch { .. }
			| Utility::batch_all { .. }
			| Utility::force_batch { .. }
			| Utility::if_else { .. },
		) => Anybody,
		RuntimeCall::Utility(_) => Nobody,
		RuntimeCall::UsdcBridge(Bridge::attest { .. } | Bridge::import_deposits { .. } | Bridge::refund { .. }) => {
			Unsigned
		},
		RuntimeCall::UsdcBridge(_)
		| RuntimeCall::Validators(_)
		| RuntimeCall::StreamKeys(_)
		| RuntimeCall::RelayerRegistry(_)
		| RuntimeCall::TicketBroker(_)
		| RuntimeCall::FraudProofs(_) => Anybody,
	}
}

/// The calls directly inside a call that anybody can have.
pub fn inside(call: &RuntimeCall) -> Vec<&RuntimeCall> {
	use pallet_multisig::Call as Multisig;
	use pallet_utility::Call as Utility;

	match call {
		RuntimeCall::Multisig(Multisig::as_multi { call, .. } | Multisig::as_multi_threshold_1 { call, .. })
		| RuntimeCall::Utility(Utility::as_derivative { call, .. }) => alloc::vec![call.as_ref()],
		RuntimeCall::Utility(
			Utility::batch { calls } | Utility::batch_all { calls } | Utility::force_batch { calls },
		) => calls.iter().collect(),
		RuntimeCall::Utility(Utility::if_else { main, fallback }) => alloc::vec![main.as_ref(), fallback.as_ref()],
		_ => Vec::new(),
	}
}

/// Whether somebody who signs can have anything of a call and of all calls inside it.
pub fn may_be_signed(call: &RuntimeCall) -> bool {
	let mut open = alloc::vec![call];
	while let Some(call) = open.pop() {
		if caller(call) != Caller::Anybody {
			return false;
		}
		open.extend(inside(call));
	}
	true
}

/// All calls but those that are nobody's: what is dispatched by whatever way.
pub struct NotNobodys;

impl Contains<RuntimeCall> for NotNobodys {
	fn contains(call: &RuntimeCall) -> bool {
		caller(call) != Caller::Nobody
	}
}
