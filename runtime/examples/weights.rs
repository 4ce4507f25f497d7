//! Prints what extrinsics weigh, everything around the call included, as one JSON line in picoseconds of reference time:
//! a plain transfer, and `redeem_batch` of as many tickets as fit. `scripts/bench redeem` compares them.

use clustercast_primitives::{
	crypto, receipt::Kind, Hash, PublicKey, Signature, Signed, StreamId, Ticket, WinningTicket,
};
use clustercast_runtime::{
	constants::MAX_BATCH, pool::PoolRules, AccountId, Runtime, RuntimeCall, TxExtension, UncheckedExtrinsic,
};
use frame_support::{
	dispatch::{DispatchClass, GetDispatchInfo},
	BoundedVec,
};
use sp_runtime::{generic::Era, MultiSignature};

/// The extrinsic's base weight, its call and its extensions.
fn weight(call: impl Into<RuntimeCall>) -> u64 {
	let account = AccountId::new([1; 32]);
	let extension: TxExtension = (
		frame_system::CheckNonZeroSender::new(),
		frame_system::CheckSpecVersion::new(),
		frame_system::CheckTxVersion::new(),
		frame_system::CheckGenesis::new(),
		frame_system::CheckEra::from(Era::Immortal),
		frame_system::CheckWeight::new(),
		pallet_transaction_payment::ChargeTransactionPayment::from(0),
		PoolRules,
		frame_system::CheckNonce::from(0),
		frame_metadata_hash_extension::CheckMetadataHash::new(false),
		frame_system::WeightReclaim::new(),
	);
	// The weight does not depend on whether the signature verifies.
	let signature = MultiSignature::Sr25519([0; 64].into());
	let extrinsic = UncheckedExtrinsic::new_signed(call.into(), account.into(), signature, extension);
	let limits = <Runtime as frame_system::Config>::BlockWeights::get();
	let base = limits.get(DispatchClass::Normal).base_extrinsic;
	base.saturating_add(extrinsic.get_dispatch_info().total_weight())
		.ref_time()
}

/// Any ticket: what it says does not change what redeeming it is declared to weigh.
fn ticket() -> WinningTicket {
	let account = crypto::AccountId([2; 32]);
	let message = Ticket {
		sender: account,
		session: PublicKey([3; 32]),
		recipient: account,
		stream: StreamId(0),
		kind: Kind::LIVE,
		context: Hash([0; 32]),
		bytes: 65_536,
		face_value: 1,
		win_probability: 1,
		commitment: Hash([4; 32]),
		nonce: 0,
		expiry: 60,
	};
	let signature = Signature([0; 64]);
	WinningTicket {
		signed: Signed { message, signature },
		rand: Hash([5; 32]),
	}
}

fn main() {
	let transfer = weight(pallet_balances::Call::<Runtime>::transfer_allow_death {
		dest: AccountId::new([6; 32]).into(),
		value: 1,
	});
	let tickets = BoundedVec::truncate_from(vec![ticket(); MAX_BATCH as usize]);
	let redeem_batch = weight(pallet_ticket_broker::Call::<Runtime>::redeem_batch { tickets });
	println!(r#"{{"transfer":{transfer},"redeem_batch":{redeem_batch},"tickets":{MAX_BATCH}}}"#);
}
