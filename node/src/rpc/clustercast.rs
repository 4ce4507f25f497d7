//! `clustercast_*`: what relayers, viewers, players and bridge agents ask of the chain. Answers are the types of
//! [`clustercast_primitives::chain`] and [`clustercast_primitives::bridge`] as JSON; every judgement is the runtime's.
//!
//! Every input is bounded. A refused input is error -32602 whose `data` is the name of an [`Error`] variant.

use crate::runtime::{Block, Hash};
use clustercast_primitives::{
	bridge::{BridgeInfo, Stranded, WithdrawalInfo},
	chain::{
		ChannelInfo, ChannelKey, RelayerInfo, StreamKeyInfo, TicketExplanation, TicketVerdict, ViewerAccount,
		VoucherPlace, VoucherTotals,
	},
	AccountId, SignedVoucher, StreamId, WinningTicket,
};
use clustercast_runtime_api::{BridgeApi, ClusterCastApi};
use codec::{DecodeAll, MaxEncodedLen};
use jsonrpsee::{
	core::async_trait,
	proc_macros::rpc,
	types::{
		error::{CALL_EXECUTION_FAILED_CODE, INVALID_PARAMS_CODE},
		ErrorObjectOwned,
	},
};
use sc_transaction_pool_api::{error::IntoPoolError, TransactionPool, TransactionSource};
use serde::{Deserialize, Serialize};
use sp_api::{ApiError, ProvideRuntimeApi};
use sp_blockchain::HeaderBackend;
use sp_core::{crypto::AccountId32, Bytes};
use sp_runtime::OpaqueExtrinsic;
use std::{str::FromStr, sync::Arc};
use substrate_prometheus_endpoint::{register, CounterVec, Opts, PrometheusError, Registry, U64};

/// Most tickets in one call: what one `redeem_batch` holds.
const MAX_TICKETS: usize = 100;

/// Largest extrinsic that is looked at: a full batch, plus what signs and pays for it.
fn max_extrinsic_bytes() -> usize {
	MAX_TICKETS * WinningTicket::max_encoded_len() + 1024
}

/// Most relayers in one answer, and as many as there are when no limit is given.
const MAX_RELAYERS: u32 = 100;

/// Most withdrawals, or stranded deposits, in one answer, and as many as there can be when no limit is given.
const MAX_OF_BRIDGE: u32 = 100;

/// Delivery, payment and the bridge. `at` is the hash of the block that is asked, by default the best one.
#[rpc(server, namespace = "clustercast")]
pub trait ClusterCastRpc {
	/// Takes a signed extrinsic (`0x` hex) that calls `TicketBroker.redeem_batch`, answers for each ticket whether the
	/// chain would pay it, and submits it if at least one would be paid.
	#[method(name = "submitTickets")]
	async fn submit_tickets(&self, extrinsic: Bytes) -> Result<Submission, Error>;

	/// Judges winning tickets (`0x` hex of SCALE) as `redeem_batch` would, in order.
	#[method(name = "checkTickets", blocking)]
	fn check_tickets(&self, tickets: Vec<Bytes>, at: Option<Hash>) -> Result<Vec<TicketVerdict>, Error>;

	/// The same for one ticket: who would be paid, or which rule stops it and what would help.
	#[method(name = "explainTicket", blocking)]
	fn explain_ticket(&self, ticket: Bytes, at: Option<Hash>) -> Result<TicketExplanation, Error>;

	/// Takes a signed extrinsic (`0x` hex) that calls `TicketBroker.redeem_vouchers`, answers for each voucher whether
	/// the chain would pay it, and submits it if at least one would be paid.
	#[method(name = "submitVouchers")]
	async fn submit_vouchers(&self, extrinsic: Bytes) -> Result<Submission, Error>;

	/// Judges signed vouchers (`0x` hex of SCALE) as `redeem_vouchers` would, in order.
	#[method(name = "checkVouchers", blocking)]
	fn check_vouchers(&self, vouchers: Vec<Bytes>, at: Option<Hash>) -> Result<Vec<TicketVerdict>, Error>;

	/// What vouchers have paid at these places (session, recipient, stream, kind, context, terms), in order.
	#[method(name = "vouchersPaid", blocking)]
	fn vouchers_paid(&self, places: Vec<VoucherPlace>, at: Option<Hash>) -> Result<Vec<VoucherTotals>, Error>;

	/// What is reserved and paid in these channels (session, recipient), in order; `null` where nothing ever was.
	#[method(name = "channels", blocking)]
	fn channels(&self, keys: Vec<ChannelKey>, at: Option<Hash>) -> Result<Vec<Option<ChannelInfo>>, Error>;

	/// Deposit and session keys of an account (SS58 or `0x` hex).
	#[method(name = "viewerAccount", blocking)]
	fn viewer_account(&self, account: Account, at: Option<Hash>) -> Result<ViewerAccount, Error>;

	/// Registered relayers behind `startAfter` in the registry's own order, at most `limit`, which is at most 100.
	#[method(name = "relayers", blocking)]
	fn relayers(
		&self,
		#[argument(rename = "startAfter")] start_after: Option<Account>,
		limit: Option<u32>,
		at: Option<Hash>,
	) -> Result<Vec<RelayerInfo>, Error>;

	/// The relayers whose viewers paid most, those first, at most `limit`, which is at most 100; the best of the first
	/// 10,000 in the registry's own order.
	#[method(name = "leaderboard", blocking)]
	fn leaderboard(&self, limit: Option<u32>, at: Option<Hash>) -> Result<Vec<RelayerInfo>, Error>;

	/// A stream key, `null` where there is none of this number.
	#[method(name = "streamKey", blocking)]
	fn stream_key(&self, id: StreamId, at: Option<Hash>) -> Result<Option<StreamKeyInfo>, Error>;

	/// The bridge to the L2: where the vault is, what is attested, imported and on its way out.
	#[method(name = "bridge", blocking)]
	fn bridge(&self, at: Option<Hash>) -> Result<BridgeInfo, Error>;

	/// Withdrawals from number `from` on, released or waiting, at most `limit`, which is at most 100.
	#[method(name = "withdrawals", blocking)]
	fn withdrawals(&self, from: u64, limit: Option<u32>, at: Option<Hash>) -> Result<Vec<WithdrawalInfo>, Error>;

	/// Imported deposits that nobody was credited with and that wait to be sent back, from number `from` on, at most
	/// `limit`, which is at most 100.
	#[method(name = "stranded", blocking)]
	fn stranded(&self, from: u64, limit: Option<u32>, at: Option<Hash>) -> Result<Vec<Stranded>, Error>;
}

/// What became of a batch.
#[derive(Clone, Debug, Serialize)]
pub struct Submission {
	/// Hash of the extrinsic if it is in the pool; `null` when no ticket would be paid.
	transaction: Option<Hash>,
	/// One for each ticket, in order.
	verdicts: Vec<TicketVerdict>,
}

/// An account as people write it: SS58, or 32 bytes of hex.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "String")]
pub struct Account(AccountId);

impl TryFrom<String> for Account {
	type Error = &'static str;

	fn try_from(text: String) -> Result<Self, Self::Error> {
		AccountId32::from_str(&text).map(|account| Self(AccountId(account.into())))
	}
}

/// Why a call has no answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
	#[error("extrinsic of {0} bytes: a full batch has at most {max}", max = max_extrinsic_bytes())]
	ExtrinsicTooLarge(usize),
	#[error("not an extrinsic of this chain that calls TicketBroker.redeem_batch, or redeem_vouchers")]
	NotABatch,
	#[error("{0} tickets or vouchers: at most {MAX_TICKETS} in one call")]
	TooManyTickets(usize),
	#[error("item {0} of the list is not SCALE-encoded as it should be")]
	BadTicket(usize),
	#[error("limit {0}: at most {MAX_RELAYERS} relayers, or {MAX_OF_BRIDGE} withdrawals or stranded deposits, in one answer")]
	LimitTooLarge(u32),
	/// The block is unknown or its state was pruned, or the runtime failed.
	#[error("runtime: {0}")]
	Runtime(#[from] ApiError),
	/// Answered with the codes of `author_submitExtrinsic`.
	#[error(transparent)]
	Pool(#[from] sc_rpc_api::author::error::Error),
}

impl From<Error> for ErrorObjectOwned {
	fn from(error: Error) -> Self {
		let (code, name) = match error {
			Error::ExtrinsicTooLarge(_) => (INVALID_PARAMS_CODE, "ExtrinsicTooLarge"),
			Error::NotABatch => (INVALID_PARAMS_CODE, "NotABatch"),
			Error::TooManyTickets(_) => (INVALID_PARAMS_CODE, "TooManyTickets"),
			Error::BadTicket(_) => (INVALID_PARAMS_CODE, "BadTicket"),
			Error::LimitTooLarge(_) => (INVALID_PARAMS_CODE, "LimitTooLarge"),
			Error::Runtime(_) => (CALL_EXECUTION_FAILED_CODE, "Runtime"),
			Error::Pool(error) => return error.into(),
		};
		Self::owned(code, error.to_string(), Some(name))
	}
}

fn decode_extrinsic(bytes: &[u8]) -> Result<OpaqueExtrinsic, Error> {
	if bytes.len() > max_extrinsic_bytes() {
		return Err(Error::ExtrinsicTooLarge(bytes.len()));
	}
	OpaqueExtrinsic::decode_all(&mut &bytes[..]).map_err(|_| Error::NotABatch)
}

/// How many relayers to answer with.
fn bounded(limit: Option<u32>) -> Result<u32, Error> {
	match limit.unwrap_or(MAX_RELAYERS) {
		limit if limit > MAX_RELAYERS => Err(Error::LimitTooLarge(limit)),
		limit => Ok(limit),
	}
}

/// How many of the bridge's things an answer may have.
fn of_bridge(limit: Option<u32>) -> Result<u32, Error> {
	match limit.unwrap_or(MAX_OF_BRIDGE) {
		limit if limit > MAX_OF_BRIDGE => Err(Error::LimitTooLarge(limit)),
		limit => Ok(limit),
	}
}

/// A list of tickets or vouchers, each `0x` hex of its SCALE encoding.
fn decode_each<T: DecodeAll>(encoded: &[Bytes]) -> Result<Vec<T>, Error> {
	if encoded.len() > MAX_TICKETS {
		return Err(Error::TooManyTickets(encoded.len()));
	}
	let decode = |(index, bytes): (usize, &Bytes)| T::decode_all(&mut &bytes[..]).map_err(|_| Error::BadTicket(index));
	encoded.iter().enumerate().map(decode).collect()
}

/// Counts tickets in submitted batches. One for all servers of the node.
#[derive(Clone)]
pub struct Metrics {
	verdicts: CounterVec<U64>,
}

impl Metrics {
	/// Metrics in `registry`; without one they are counted for nobody.
	pub fn register(registry: Option<&Registry>) -> Result<Self, PrometheusError> {
		let verdicts = CounterVec::new(
			Opts::new(
				"clustercast_submitted_tickets_total",
				"Tickets in submitted batches, by the chain's verdict",
			),
			&["verdict"],
		)?;
		match registry {
			Some(registry) => register(verdicts, registry),
			None => Ok(verdicts),
		}
		.map(|verdicts| Self { verdicts })
	}

	fn count(&self, verdicts: &[TicketVerdict]) {
		for verdict in verdicts {
			let label = match verdict {
				TicketVerdict::Accepted(_) => "accepted",
				TicketVerdict::Refused(_) => "refused",
			};
			self.verdicts.with_label_values(&[label]).inc();
		}
	}
}

/// The handlers, over a client and its pool.
pub struct ClusterCast<C, P> {
	client: Arc<C>,
	pool: Arc<P>,
	metrics: Metrics,
}

impl<C, P> ClusterCast<C, P> {
	/// Handlers of one server.
	pub fn new(client: Arc<C>, pool: Arc<P>, metrics: Metrics) -> Self {
		Self { client, pool, metrics }
	}
}

impl<C: HeaderBackend<Block>, P> ClusterCast<C, P> {
	fn block(&self, at: Option<Hash>) -> Hash {
		at.unwrap_or_else(|| self.client.info().best_hash)
	}
}

impl<C, P> ClusterCast<C, P>
where
	C: HeaderBackend<Block>,
	P: TransactionPool<Block = Block, Hash = Hash> + 'static,
{
	/// Hands a batch to the pool unless nothing in it would be paid.
	async fn submit(&self, transaction: OpaqueExtrinsic, verdicts: Vec<TicketVerdict>) -> Result<Submission, Error> {
		let transaction = if verdicts.iter().any(|v| matches!(v, TicketVerdict::Accepted(_))) {
			let submitted = self
				.pool
				.submit_one(self.block(None), TransactionSource::External, transaction)
				.await;
			Some(submitted.map_err(|e| match e.into_pool_error() {
				Ok(e) => sc_rpc_api::author::error::Error::Pool(e),
				Err(e) => sc_rpc_api::author::error::Error::Verification(Box::new(e)),
			})?)
		} else {
			None
		};
		self.metrics.count(&verdicts);
		Ok(Submission { transaction, verdicts })
	}
}

#[async_trait]
impl<C, P> ClusterCastRpcServer for ClusterCast<C, P>
where
	C: ProvideRuntimeApi<Block, Api: ClusterCastApi<Block> + BridgeApi<Block>>
		+ HeaderBackend<Block>
		+ Send
		+ Sync
		+ 'static,
	P: TransactionPool<Block = Block, Hash = Hash> + 'static,
{
	async fn submit_tickets(&self, extrinsic: Bytes) -> Result<Submission, Error> {
		let transaction = decode_extrinsic(&extrinsic)?;
		let best = self.block(None);
		let verdicts = {
			let api = self.client.runtime_api();
			let tickets = api.decode_batch(best, extrinsic.0)?.ok_or(Error::NotABatch)?;
			api.check_tickets(best, tickets)?
		};
		self.submit(transaction, verdicts).await
	}

	async fn submit_vouchers(&self, extrinsic: Bytes) -> Result<Submission, Error> {
		let transaction = decode_extrinsic(&extrinsic)?;
		let best = self.block(None);
		let verdicts = {
			let api = self.client.runtime_api();
			let vouchers = api.decode_vouchers(best, extrinsic.0)?.ok_or(Error::NotABatch)?;
			api.check_vouchers(best, vouchers)?
		};
		self.submit(transaction, verdicts).await
	}

	fn check_vouchers(&self, vouchers: Vec<Bytes>, at: Option<Hash>) -> Result<Vec<TicketVerdict>, Error> {
		let vouchers = decode_each::<SignedVoucher>(&vouchers)?;
		Ok(self.client.runtime_api().check_vouchers(self.block(at), vouchers)?)
	}

	fn vouchers_paid(&self, places: Vec<VoucherPlace>, at: Option<Hash>) -> Result<Vec<VoucherTotals>, Error> {
		if places.len() > MAX_TICKETS {
			return Err(Error::TooManyTickets(places.len()));
		}
		Ok(self.client.runtime_api().vouchers_paid(self.block(at), places)?)
	}

	fn channels(&self, keys: Vec<ChannelKey>, at: Option<Hash>) -> Result<Vec<Option<ChannelInfo>>, Error> {
		if keys.len() > MAX_TICKETS {
			return Err(Error::TooManyTickets(keys.len()));
		}
		Ok(self.client.runtime_api().channels(self.block(at), keys)?)
	}

	fn explain_ticket(&self, ticket: Bytes, at: Option<Hash>) -> Result<TicketExplanation, Error> {
		let ticket = WinningTicket::decode_all(&mut &ticket[..]).map_err(|_| Error::BadTicket(0))?;
		Ok(self.client.runtime_api().explain_ticket(self.block(at), ticket)?)
	}

	fn check_tickets(&self, tickets: Vec<Bytes>, at: Option<Hash>) -> Result<Vec<TicketVerdict>, Error> {
		Ok(self
			.client
			.runtime_api()
			.check_tickets(self.block(at), decode_each(&tickets)?)?)
	}

	fn viewer_account(&self, account: Account, at: Option<Hash>) -> Result<ViewerAccount, Error> {
		Ok(self.client.runtime_api().viewer_account(self.block(at), account.0)?)
	}

	fn relayers(
		&self,
		start_after: Option<Account>,
		limit: Option<u32>,
		at: Option<Hash>,
	) -> Result<Vec<RelayerInfo>, Error> {
		let limit = bounded(limit)?;
		Ok(self
			.client
			.runtime_api()
			.relayers(self.block(at), start_after.map(|a| a.0), limit)?)
	}

	fn leaderboard(&self, limit: Option<u32>, at: Option<Hash>) -> Result<Vec<RelayerInfo>, Error> {
		let limit = bounded(limit)?;
		Ok(self.client.runtime_api().leaderboard(self.block(at), limit)?)
	}

	fn stream_key(&self, id: StreamId, at: Option<Hash>) -> Result<Option<StreamKeyInfo>, Error> {
		Ok(self.client.runtime_api().stream_key(self.block(at), id)?)
	}

	fn bridge(&self, at: Option<Hash>) -> Result<BridgeInfo, Error> {
		Ok(self.client.runtime_api().bridge(self.block(at))?)
	}

	fn withdrawals(&self, from: u64, limit: Option<u32>, at: Option<Hash>) -> Result<Vec<WithdrawalInfo>, Error> {
		let limit = of_bridge(limit)?;
		Ok(self.client.runtime_api().withdrawals(self.block(at), from, limit)?)
	}

	fn stranded(&self, from: u64, limit: Option<u32>, at: Option<Hash>) -> Result<Vec<Stranded>, Error> {
		let limit = of_bridge(limit)?;
		Ok(self.client.runtime_api().stranded(self.block(at), from, limit)?)
	}
}

#[cfg(test)]
mod tests {
	use super::*;
	use clustercast_primitives::{
		chain::Payout, receipt::Kind, Hash as Digest, PublicKey, Signature, SignedTicket, Ticket,
	};
	use codec::Encode;
	use serde_json::json;

	fn ticket() -> WinningTicket {
		let message = Ticket {
			sender: AccountId([1; 32]),
			session: PublicKey([2; 32]),
			recipient: AccountId([3; 32]),
			stream: StreamId(0),
			kind: Kind::LIVE,
			context: Digest([0; 32]),
			bytes: 65_536,
			face_value: 1,
			win_probability: 1,
			commitment: Digest([4; 32]),
			nonce: 0,
			expiry: 1,
		};
		WinningTicket {
			signed: SignedTicket {
				message,
				signature: Signature([5; 64]),
			},
			rand: Digest([6; 32]),
		}
	}

	/// Code and name of an error, as a client sees them.
	fn seen<T>(result: Result<T, Error>) -> (i32, String) {
		let error = ErrorObjectOwned::from(result.err().unwrap());
		(error.code(), error.data().unwrap().get().to_owned())
	}

	#[test]
	fn a_full_batch_of_tickets_is_taken_and_no_more() {
		let bytes = Bytes(ticket().encode());
		assert_eq!(
			decode_each::<WinningTicket>(&vec![bytes.clone(); 100]).unwrap(),
			vec![ticket(); 100]
		);
		assert_eq!(
			seen(decode_each::<WinningTicket>(&vec![bytes; 101])),
			(-32602, r#""TooManyTickets""#.into())
		);
	}

	#[test]
	fn what_is_no_ticket_is_refused() {
		let mut bytes = ticket().encode();
		bytes.push(0);
		assert!(matches!(
			decode_each::<WinningTicket>(&[ticket().encode().into(), bytes.into()]),
			Err(Error::BadTicket(1))
		));
		assert!(matches!(
			decode_each::<WinningTicket>(&[Bytes(vec![])]),
			Err(Error::BadTicket(0))
		));
	}

	#[test]
	fn extrinsics_are_bounded_and_framed() {
		let framed = |n: usize| vec![0u8; n].encode();
		assert!(decode_extrinsic(&framed(max_extrinsic_bytes() - 4)).is_ok());
		assert!(matches!(
			decode_extrinsic(&framed(max_extrinsic_bytes())),
			Err(Error::ExtrinsicTooLarge(_))
		));
		assert!(matches!(decode_extrinsic(&[]), Err(Error::NotABatch)));
		let mut trailing = framed(10);
		trailing.push(0);
		assert_eq!(seen(decode_extrinsic(&trailing)), (-32602, r#""NotABatch""#.into()));
	}

	#[test]
	fn a_page_of_relayers_is_taken_and_no_more() {
		assert_eq!((bounded(None).unwrap(), bounded(Some(100)).unwrap()), (100, 100));
		assert_eq!(seen(bounded(Some(101))), (-32602, r#""LimitTooLarge""#.into()));
		assert_eq!((of_bridge(None).ok(), of_bridge(Some(7)).ok()), (Some(100), Some(7)));
		assert_eq!(seen(of_bridge(Some(101))), (-32602, r#""LimitTooLarge""#.into()));
	}

	#[test]
	fn accounts_are_ss58_or_hex() {
		let alice = "d43593c715fdd31c61141abd04a99fd6822c8558854ccde39a5684e7a56da27d";
		let expected: AccountId = alice.parse().unwrap();
		for text in [
			alice,
			&format!("0x{alice}"),
			"5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY",
		] {
			assert_eq!(
				serde_json::from_value::<Account>(json!(text)).unwrap().0,
				expected,
				"{text}"
			);
		}
		for text in ["", "0x", "alice", "5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQ"] {
			assert!(serde_json::from_value::<Account>(json!(text)).is_err(), "{text}");
		}
	}

	#[test]
	fn answers_have_the_shape_that_clients_read() {
		let payout = Payout {
			relayer: 78,
			broadcaster: 20,
			treasury: 2,
		};
		let submission = Submission {
			transaction: None,
			verdicts: vec![TicketVerdict::Accepted(payout)],
		};
		assert_eq!(
			serde_json::to_value(&submission).unwrap(),
			json!({
				"transaction": null,
				"verdicts": [{ "accepted": { "relayer": "78", "broadcaster": "20", "treasury": "2" } }],
			})
		);
	}
}
