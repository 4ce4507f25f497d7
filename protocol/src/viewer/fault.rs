//! What a viewer finds wrong: with the relayer, with a receipt, or with a payment of its own.

use crate::{
	ledger::BillFault,
	window::WindowError,
	wire::{Kind, Range, WireError},
};
use clustercast_primitives::{
	catalog::CatalogError, crypto::SignatureError, status::StatusError, window::HeaderError, AccountId, Balance,
	BlockNumber, Hash, WindowId,
};

/// Why a session ended: what the relayer did.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
	/// Bytes that are no message.
	#[error(transparent)]
	Wire(#[from] WireError),
	/// A message out of turn.
	#[error("{0} out of turn")]
	Unexpected(Kind),
	/// Terms dearer than the viewer accepts.
	#[error("asks {asked} micro-USDC per GB; at most {max} is accepted")]
	PriceTooHigh {
		/// Accepted, micro-USDC per GB.
		max: u64,
		/// Asked.
		asked: u64,
	},
	/// Tickets worth more than the viewer accepts, or nothing at all.
	#[error("asks tickets of {asked} micro-USDC; at most {max} is accepted")]
	FaceValue {
		/// Accepted, micro-USDC.
		max: Balance,
		/// Asked.
		asked: Balance,
	},
	/// Asks for vouchers of a viewer who offered none.
	#[error("asks for vouchers of a viewer who pays by tickets")]
	VouchersAsked,
	/// Wants another account to be paid than the one whose bond answers for it.
	#[error("asks to pay {asked}; the chain has it under {registered}")]
	WrongRecipient {
		/// By the registry.
		registered: AccountId,
		/// By its terms.
		asked: AccountId,
	},
	/// Names terms of the stream that the chain does not know, or no longer.
	#[error("counts the stream's terms to {asked}; the chain has {known}")]
	WrongTerms {
		/// By the chain.
		known: u32,
		/// By its terms.
		asked: u32,
	},
	/// The voucher in its terms is not one that this session signed for this relayer and stream.
	#[error("shows a voucher that is not this session's")]
	BadVoucher,
	/// Asks money of a viewer who offered none.
	#[error("asks to be paid by a viewer who offered no payment")]
	PaymentAsked,
	/// The window costs as much as a ticket's face value or more.
	#[error("window {0} costs what no payment of these terms can be worth")]
	Unpayable(WindowId),
	/// Header fields or signature.
	#[error(transparent)]
	Header(#[from] HeaderError),
	/// A signed window of another stream or track.
	#[error("window {0} of a stream that was not asked for")]
	WrongStream(WindowId),
	/// An epoch is numbered by the chain's block in which it begins.
	#[error("window {id} of an epoch that begins after block {head}, the newest one")]
	FutureEpoch {
		/// Of the window.
		id: WindowId,
		/// The newest block known.
		head: BlockNumber,
	},
	/// A start that lies further ahead than clocks may differ.
	#[error("window {0} of a time that is not there yet")]
	FutureStart(WindowId),
	/// Signed by a key that the chain has replaced, and not known to be from before.
	#[error("brings window {0}, which a replaced key of the stream signed")]
	FormerKey(WindowId),
	/// Signed by no key that is known, in an epoch that began so short ago that its key may be newer than what our node has.
	#[error("signed by a key that is not known, in the epoch that began in block {0}")]
	UnknownKey(BlockNumber),
	/// The first window cannot be decoded by itself.
	#[error("begins with window {0}, which cannot be decoded by itself")]
	NotIndependent(WindowId),
	/// A window at or before the last one.
	#[error("window {0} again")]
	Replayed(WindowId),
	/// A later window than the next one.
	#[error("window {got} in place of {expected}")]
	Omitted {
		/// Direct successor of the last one.
		expected: WindowId,
		/// Sent instead.
		got: WindowId,
	},
	/// The right place, and another history.
	#[error("window {0} does not follow the one before it")]
	BrokenChain(WindowId),
	/// A catalog that is not one.
	#[error(transparent)]
	Catalog(#[from] CatalogError),
	/// A status whose parts do not agree.
	#[error(transparent)]
	Status(#[from] StatusError),
	/// A status of another stream.
	#[error("status of a stream that was not asked for")]
	WrongStatus,
	/// Peaks that are none.
	#[error("history of {0} headers without their peaks")]
	BadHistory(u64),
	/// The catalog or the initialisation segment is missing or not the one that is named.
	#[error("window {window} without what it is decoded with: {reason}")]
	BadSetting {
		/// The window.
		window: WindowId,
		/// What does not fit.
		reason: WindowError,
	},
	/// The items are not those that the header names.
	#[error("items of window {0} do not make what its header names")]
	BadItems(WindowId),
	/// Leaf hashes do not make the signed root.
	#[error("leaves of window {0} do not make its root")]
	BadLeaves(WindowId),
	/// A chunk does not make its leaf hash.
	#[error("chunk {index} of window {window} is not what the broadcaster signed")]
	BadChunk {
		/// Its window.
		window: WindowId,
		/// From 0.
		index: u32,
	},
	/// Chunks that it sent already, or is sending.
	#[error("{0} again")]
	Again(Range),
	/// Chunks that neither come by themselves nor were asked for.
	#[error("{0}, which were not asked for")]
	Unasked(Range),
	/// A receipt for something else than was delivered.
	#[error("receipt for window {window}: {reason}")]
	BadReceipt {
		/// The window it should be for.
		window: WindowId,
		/// What is wrong with it.
		reason: ReceiptFault,
	},
}

impl Fault {
	/// Whether it may be nobody's fault: one of the two does not know yet what the chain, or a clock, says.
	pub fn may_be_honest(&self) -> bool {
		matches!(
			self,
			Self::WrongTerms { .. }
				| Self::FutureEpoch { .. }
				| Self::FutureStart(_)
				| Self::FormerKey(_)
				| Self::UnknownKey(_)
				| Self::BadReceipt {
					reason: ReceiptFault::Block,
					..
				}
		)
	}
}

/// What is wrong with a receipt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReceiptFault {
	/// Of another kind or context than the subscription's.
	#[error("is for something else")]
	Purpose,
	/// For another account or session.
	#[error("names another payer")]
	Payer,
	/// Payable to another account than the terms', or by another key than the relayer's.
	#[error("names another payee")]
	Payee,
	/// For another stream.
	#[error("names another stream")]
	Stream,
	/// States another root than that of its deliveries.
	#[error("states another root than its deliveries have")]
	Root,
	/// Not for what was delivered.
	#[error(transparent)]
	Bill(#[from] BillFault),
	/// Not the price of the terms.
	#[error("states another price than the terms")]
	Price,
	/// Not of this time: evidence would count too short, or not yet.
	#[error("is of another block than now")]
	Block,
	/// The commitment of the receipt before: its secret may be known.
	#[error("repeats a commitment")]
	Commitment,
	/// Not signed by the relayer's key.
	#[error(transparent)]
	Signature(#[from] SignatureError),
}

/// Why a payment is not sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotDue {
	/// The relayer was caught: nothing is paid any more.
	#[error("the relayer was caught at a fault")]
	Faulted,
	/// The relayer ended the subscription: it takes no payments any more.
	#[error("the subscription has ended")]
	Ended,
	/// No receipt with this commitment awaits payment, or it was paid before.
	#[error("nothing is due for receipt {0}")]
	Receipt(Hash),
}
