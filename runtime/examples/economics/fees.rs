//! What calls cost while blocks are not full, as the runtime says: weights, lengths and fee constants are its own.

use clustercast_primitives::{
	channel::{Close, Release, Reservation, SignedClose, SignedReservation},
	receipt::Kind,
	AccountId as RawAccount, Balance, Hash, PublicKey, Signature, Signed, StreamId, Ticket, Voucher, WinningTicket,
};
use clustercast_runtime::{
	constants::MAX_BATCH, AccountId, Runtime, RuntimeCall, TransactionPayment, TxExtension, UncheckedExtrinsic,
};
use codec::{Decode, Encode};
use frame_support::BoundedVec;
use pallet_ticket_broker::Call as Broker;
use sp_runtime::{traits::TrailingZeroInput, MultiSignature};

/// Bytes by which a live extrinsic is longer than one that is immortal and its account's first.
const LIVE_BYTES: u32 = 4;

const SENDER: RawAccount = RawAccount([1; 32]);
const SESSION: PublicKey = PublicKey([2; 32]);
const RECIPIENT: RawAccount = RawAccount([3; 32]);
const SIGNATURE: Signature = Signature([4; 64]);

/// Micro-USDC.
#[derive(Clone, Debug)]
pub struct Fees {
	/// A plain transfer.
	pub transfer: Balance,
	/// `deposit` and `authorize_session` in one: what a viewer begins with.
	pub open: Balance,
	/// `deposit` alone.
	pub deposit: Balance,
	/// `request_unlock` and `withdraw`: what a viewer ends with, if it wants its money back.
	pub leave: Balance,
	/// `reserve`.
	pub reserve: Balance,
	/// `release`.
	pub release: Balance,
	/// `close_channel`.
	pub close: Balance,
	/// `redeem_batch` of so many tickets.
	tickets: Batches,
	/// `redeem_vouchers` of so many vouchers.
	vouchers: Batches,
}

/// A call with 1 to [`MAX_BATCH`] payments: its fee for each number.
#[derive(Clone, Debug)]
struct Batches(Vec<Balance>);

impl Batches {
	fn of(fee: impl Fn(usize) -> Balance) -> Self {
		Self((1..=MAX_BATCH as usize).map(fee).collect())
	}

	/// Of each payment, where so many share a call.
	fn each(&self, together: u32) -> f64 {
		let together = together.clamp(1, MAX_BATCH);
		self.0[together as usize - 1] as f64 / f64::from(together)
	}
}

impl Fees {
	/// As this runtime charges them.
	pub fn now() -> Self {
		// An empty state: the price of computing is the lowest.
		sp_io::TestExternalities::default().execute_with(|| Self {
			transfer: fee(pallet_balances::Call::transfer_allow_death {
				dest: AccountId::new([5; 32]).into(),
				value: 1,
			}),
			open: fee(pallet_utility::Call::batch_all {
				calls: vec![deposit().into(), authorize().into()],
			}),
			deposit: fee(deposit()),
			leave: fee(Broker::request_unlock { amount: 1_000_000 }) + fee(Broker::withdraw {}),
			reserve: fee(reserve()),
			release: fee(release()),
			close: fee(close()),
			tickets: Batches::of(|count| {
				fee(Broker::redeem_batch {
					tickets: BoundedVec::truncate_from(vec![ticket(); count]),
				})
			}),
			vouchers: Batches::of(|count| {
				fee(Broker::redeem_vouchers {
					vouchers: BoundedVec::truncate_from(vec![voucher(); count]),
				})
			}),
		})
	}

	/// Of a winner that is redeemed with so many in all.
	pub fn ticket(&self, together: u32) -> f64 {
		self.tickets.each(together)
	}

	/// Of a voucher that is redeemed with so many in all.
	pub fn voucher(&self, together: u32) -> f64 {
		self.vouchers.each(together)
	}
}

/// Of a call, with everything around it.
fn fee(call: impl Into<RuntimeCall>) -> Balance {
	// Immortal, the first of its account, without a tip: all of that is zeroes, whatever stands in which place.
	let extension = TxExtension::decode(&mut TrailingZeroInput::zeroes()).expect("zeroes are an extension");
	let signature = MultiSignature::Sr25519([0; 64].into());
	let extrinsic = UncheckedExtrinsic::new_signed(call.into(), AccountId::new([1; 32]).into(), signature, extension);
	let length = extrinsic.encoded_size() as u32 + LIVE_BYTES;
	TransactionPayment::query_info(extrinsic, length).partial_fee
}

fn deposit() -> Broker<Runtime> {
	Broker::deposit { amount: 1_000_000 }
}

fn authorize() -> Broker<Runtime> {
	Broker::authorize_session {
		key: SESSION,
		limit: 1_000_000,
		extra_limit: 0,
		expiry: 1_000_000,
		proof: SIGNATURE,
	}
}

fn reserve() -> Broker<Runtime> {
	let message = Reservation {
		sender: SENDER,
		session: SESSION,
		recipient: RECIPIENT,
		counter: 1,
		cap: 50_000,
		reward: 400,
		submit_by: 1_000_000,
	};
	Broker::reserve {
		reservation: SignedReservation {
			message,
			signature: SIGNATURE,
		},
	}
}

fn release() -> Broker<Runtime> {
	let release = Release {
		recipient: RECIPIENT,
		session: SESSION,
		registered: 1_000_000,
		counter: 1,
		kept: 0,
	};
	Broker::release { release }
}

fn close() -> Broker<Runtime> {
	let message = Close {
		sender: SENDER,
		session: SESSION,
		recipient: RECIPIENT,
		counter: 1,
		submit_by: 1_000_000,
	};
	Broker::close_channel {
		close: SignedClose {
			message,
			signature: SIGNATURE,
		},
	}
}

/// Any ticket: what it says does not change what redeeming it costs. All are for one stream.
fn ticket() -> WinningTicket {
	let message = Ticket {
		sender: SENDER,
		session: SESSION,
		recipient: RECIPIENT,
		stream: StreamId(0),
		kind: Kind::LIVE,
		context: Hash([0; 32]),
		bytes: 65_536,
		face_value: 1,
		win_probability: 1,
		commitment: Hash([6; 32]),
		nonce: 0,
		expiry: 60,
	};
	WinningTicket {
		signed: Signed {
			message,
			signature: SIGNATURE,
		},
		rand: Hash([7; 32]),
	}
}

/// Any voucher.
fn voucher() -> clustercast_primitives::SignedVoucher {
	let message = Voucher {
		sender: SENDER,
		session: SESSION,
		recipient: RECIPIENT,
		stream: StreamId(0),
		kind: Kind::LIVE,
		context: Hash([0; 32]),
		terms: 0,
		amount: 1,
		bytes: 65_536,
		expiry: 60,
	};
	Signed {
		message,
		signature: SIGNATURE,
	}
}
