//! What the runtime answers to the node about tickets, viewers, relayers and stream keys, and about the bridge.
//!
//! Implemented by the runtime, called by the node's `clustercast_*` RPC. All types are those of
//! [`clustercast_primitives::chain`] and [`clustercast_primitives::bridge`]: the node passes them on as they are.

#![cfg_attr(not(feature = "std"), no_std)]

extern crate alloc;

use alloc::vec::Vec;
use clustercast_primitives::{
	bridge::{Attestation, BridgeInfo, Stranded, WithdrawalInfo},
	chain::{
		ChannelInfo, ChannelKey, RelayerInfo, StreamKeyInfo, TicketExplanation, TicketVerdict, ViewerAccount,
		VoucherPlace, VoucherTotals,
	},
	AccountId, PublicKey, SignedVoucher, StreamId, WinningTicket,
};

sp_api::decl_runtime_apis! {
	/// Delivery and payment, as the chain sees them at one block.
	pub trait ClusterCastApi {
		/// What `redeem_batch` would do with these tickets now: one verdict for each, in order, each ticket seeing the
		/// spending of those before it. Changes nothing.
		fn check_tickets(tickets: Vec<WinningTicket>) -> Vec<TicketVerdict>;

		/// The tickets inside an encoded extrinsic; `None` where it does not decode or is no `redeem_batch`.
		fn decode_batch(extrinsic: Vec<u8>) -> Option<Vec<WinningTicket>>;

		/// The same for one ticket, with the rule that stops it, what would help, and the figures that decide.
		fn explain_ticket(ticket: WinningTicket) -> TicketExplanation;

		/// What `redeem_vouchers` would do with these vouchers now, as [`ClusterCastApi::check_tickets`] does.
		fn check_vouchers(vouchers: Vec<SignedVoucher>) -> Vec<TicketVerdict>;

		/// The vouchers inside an encoded extrinsic; `None` where it does not decode or is no `redeem_vouchers`.
		fn decode_vouchers(extrinsic: Vec<u8>) -> Option<Vec<SignedVoucher>>;

		/// What vouchers have paid at these places, in order; nothing where none was redeemed.
		fn vouchers_paid(places: Vec<VoucherPlace>) -> Vec<VoucherTotals>;

		/// What is reserved and paid in these channels, in order; `None` where nothing ever was.
		fn channels(keys: Vec<ChannelKey>) -> Vec<Option<ChannelInfo>>;

		/// Money and session keys of an account that pays for video. Never fails: an unknown account has nothing.
		fn viewer_account(account: AccountId) -> ViewerAccount;

		/// Registered relayers behind `start_after` in the registry's own fixed order; at most 100 at a time.
		fn relayers(start_after: Option<AccountId>, limit: u32) -> Vec<RelayerInfo>;

		/// The relayers whose viewers paid most, those first; at most 100, the best of 10,000.
		fn leaderboard(limit: u32) -> Vec<RelayerInfo>;

		/// A stream key, `None` where there is none of this number.
		fn stream_key(id: StreamId) -> Option<StreamKeyInfo>;
	}

	/// The bridge to the L2, as the chain sees it at one block.
	pub trait BridgeApi {
		/// Where the vault is, what is attested, imported and on its way out.
		fn bridge() -> BridgeInfo;

		/// Keys (sr25519) with which the current validators attest, in the order of their numbers.
		fn attestor_keys() -> Vec<PublicKey>;

		/// Withdrawals from number `from` on, released or waiting, at most 100 at a time.
		fn withdrawals(from: u64, limit: u32) -> Vec<WithdrawalInfo>;

		/// Imported deposits that wait to be sent back, from number `from` on, at most 100 at a time.
		fn stranded(from: u64, limit: u32) -> Vec<Stranded>;

		/// Hands to the node's pool what validator number `authority_index` attests; needs the offchain extension of a
		/// pool. `None` where the pool does not take it.
		fn submit_attest(attestation: Attestation, authority_index: u32, signature: [u8; 64]) -> Option<()>;
	}
}
