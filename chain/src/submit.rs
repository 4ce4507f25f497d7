//! Signing, submitting, waiting, and what came of it.

use crate::{
	account,
	calls::{self, Call, NewRelayer, NewStream},
	client::{hex_of, within, Chain},
	error::ChainError,
	wallet::{Nonces, Wallet},
};
use clustercast_primitives::{
	chain::{TicketRefusal, TicketVerdict},
	crypto::KeyPair,
	session::SessionProof,
	AccountId, Balance, BlockNumber, Hash, SignedVoucher, StreamId, WinningTicket,
};
use codec::Decode;
use std::time::Duration;
use subxt::{
	client::{OnlineClientAtBlock, OnlineClientAtBlockImpl},
	config::{substrate::SubstrateConfig, SubstrateExtrinsicParamsBuilder},
	ext::scale_decode::visitor::{decode_with_visitor, IgnoreVisitor},
	extrinsics::{Extrinsic, ExtrinsicEvents},
	rpcs::client::rpc_params,
	transactions::TransactionStatus,
	Metadata,
};

pub(crate) type AtBlock = OnlineClientAtBlock<SubstrateConfig>;
type Sent = Extrinsic<'static, SubstrateConfig, OnlineClientAtBlockImpl<SubstrateConfig>>;

/// Blocks for which a transaction can be included: two minutes, far more than it takes, so that nothing that was
/// forgotten runs a day later.
const MORTALITY: u64 = 64;

/// How long to wait for inclusion or finality: the transaction's life, and a minute for finality to follow.
const INCLUSION_TIMEOUT: Duration = Duration::from_secs(MORTALITY * 2 + 60);

/// How often blocks are looked at for a transaction of which nobody tells, at least.
const LOOK: Duration = Duration::from_secs(6);

/// Attempts when the node says that another transaction took the nonce: another process may use the same account.
const NONCE_ATTEMPTS: usize = 4;

/// Codes of the node's transaction pool: invalid (an outdated nonce among others), and too low a priority.
const POOL_NONCE_CODES: [i32; 2] = [1010, 1014];

/// What to wait for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
	/// In a block of the best chain. A second or two; a fork can still take it back.
	InBlock,
	/// In a finalised block.
	Finalised,
}

/// A transaction that ran without error.
#[derive(Clone, Debug)]
pub struct Included {
	/// Hash of the extrinsic.
	pub transaction: Hash,
	/// Block it is in.
	pub block: Hash,
	/// Number of that block.
	pub number: BlockNumber,
	/// Paid for it, micro-USDC.
	pub fee: Balance,
	/// All that it emitted, in order.
	pub events: Vec<Event>,
}

impl Included {
	/// From its events in the block at hand; [`ChainError::Dispatch`] if it failed there.
	fn read(at: &AtBlock, transaction: Hash, events: &ExtrinsicEvents<SubstrateConfig>) -> Result<Self, ChainError> {
		for event in events.iter() {
			let event = event.map_err(ChainError::node)?;
			if (event.pallet_name(), event.event_name()) == ("System", "ExtrinsicFailed") {
				return Err(ChainError::from_dispatch(event.field_bytes(), at.metadata())?);
			}
		}
		let events = read_events(events.iter(), at.metadata_ref())?;
		let fee = events
			.iter()
			.find(|e| e.is("TransactionPayment", "TransactionFeePaid"))
			.map_or(Ok(0), |e| e.field("actual_fee"))?;
		Ok(Self {
			transaction,
			block: Hash(at.block_hash().0),
			number: BlockNumber::try_from(at.block_number()).unwrap_or(BlockNumber::MAX),
			fee,
			events,
		})
	}

	/// Its first event of this kind.
	pub fn event(&self, pallet: &str, name: &str) -> Option<&Event> {
		self.events.iter().find(|e| e.is(pallet, name))
	}
}

/// What a node answers to a batch of tickets or vouchers.
#[derive(Clone, Debug, PartialEq, Eq, serde::Deserialize)]
pub struct Submission {
	/// Hash of the extrinsic; `None` when no ticket was accepted and nothing was submitted.
	pub transaction: Option<Hash>,
	/// One per ticket, in order.
	pub verdicts: Vec<TicketVerdict>,
}

/// Something that the chain says happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
	/// Pallet, as in the runtime.
	pub pallet: String,
	/// Event.
	pub name: String,
	/// Index of the extrinsic in its block that caused it; `None` for the block's own.
	pub extrinsic: Option<u32>,
	fields: Vec<(String, Vec<u8>)>,
}

impl Event {
	/// Whether it is this one.
	pub fn is(&self, pallet: &str, name: &str) -> bool {
		self.pallet == pallet && self.name == name
	}

	/// A field by its name in the metadata.
	pub fn field<T: Decode>(&self, name: &str) -> Result<T, ChainError> {
		let mut bytes = self.bytes(name)?;
		T::decode(&mut bytes)
			.ok()
			.filter(|_| bytes.is_empty())
			.ok_or_else(|| self.wrong(name))
	}

	/// The same as its SCALE encoding.
	pub fn bytes(&self, name: &str) -> Result<&[u8], ChainError> {
		let field = self.fields.iter().find(|(n, _)| n == name);
		field.map(|(_, bytes)| &bytes[..]).ok_or_else(|| self.wrong(name))
	}

	fn wrong(&self, field: &str) -> ChainError {
		ChainError::Metadata(format!("event {}::{}, field {field}", self.pallet, self.name))
	}
}

/// What became of a ticket in a `redeem_batch`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Redeemed {
	/// Paid; names the ticket by `WinningTicket::id`.
	Paid {
		/// The ticket.
		id: Hash,
	},
	/// Not paid, for this reason.
	Refused {
		/// Its place in the batch.
		index: u32,
		/// Why.
		reason: TicketRefusal,
	},
}

impl Redeemed {
	/// From the ticket broker's events; `None` for any other.
	pub fn from_event(event: &Event) -> Result<Option<Self>, ChainError> {
		Ok(match (event.pallet.as_str(), event.name.as_str()) {
			("TicketBroker", "TicketRedeemed") => Some(Self::Paid { id: event.field("id")? }),
			("TicketBroker", "TicketRefused") => Some(Self::Refused {
				index: event.field("index")?,
				reason: event.field("reason")?,
			}),
			_ => None,
		})
	}
}

impl Chain {
	/// Signs a call with the wallet's next nonce, submits it, and waits. The wallet is free for the next transaction
	/// as soon as the node has this one.
	///
	/// Where the connection or the node is lost meanwhile, nobody knows whether the transaction is on its way. Then the same bytes
	/// go to the next node, which can be in the chain once, and nothing is signed anew before they can be in none.
	pub async fn submit(&self, wallet: &Wallet, call: &Call, wait: Wait) -> Result<Included, ChainError> {
		let mut sent = Vec::new();
		let (bytes, mut progress) = loop {
			let mut guard = wallet.submitting.lock().await;
			let (at, bytes) = within("signing", async {
				let at = self.client().at_current_block().await.map_err(ChainError::node)?;
				let bytes = self.sign_locked(&at, wallet, &mut guard, call).await?;
				Ok((at, bytes))
			})
			.await?;
			let extrinsic = at.transactions().from_bytes(bytes.clone());
			sent.push((at.block_number(), Hash(extrinsic.hash().0)));
			let submitted = within("submitting", async {
				let watched = extrinsic.submit_and_watch().await;
				watched.map_err(|error| refused_by_pool(error, wallet))
			});
			match submitted.await {
				Err(ChainError::Refused { code, .. })
					if POOL_NONCE_CODES.contains(&code) && sent.len() < NONCE_ATTEMPTS =>
				{
					drop(guard);
					// What took the nonce may be this very transaction: sent, the connection lost, and sent again.
					if let Some(included) = self.find(&sent, wait).await? {
						return Ok(included);
					}
					tokio::time::sleep(Duration::from_millis(500)).await;
				},
				Err(error) if is_unknown(&error) => {
					tracing::debug!(%error, call = call.full_name(), "it may be on its way");
					// Before the next transaction takes its nonce.
					self.post_again(&bytes).await;
					drop(guard);
					return self.look_out(&sent, &bytes, wait).await;
				},
				submitted => break (bytes, submitted?),
			}
		};
		tracing::debug!(call = call.full_name(), "submitted");
		let waiting = async {
			while let Some(Ok(status)) = progress.next().await {
				match status {
					TransactionStatus::InBestBlock(block) if wait == Wait::InBlock => {
						return Some(included(block).await)
					},
					TransactionStatus::InFinalizedBlock(block) => return Some(included(block).await),
					TransactionStatus::Error { message }
					| TransactionStatus::Invalid { message }
					| TransactionStatus::Dropped { message } => return Some(Err(ChainError::NotIncluded(message))),
					_ => {},
				}
			}
			None
		};
		match tokio::time::timeout(INCLUSION_TIMEOUT, waiting).await {
			Ok(Some(Err(error))) if is_unknown(&error) => self.look_out(&sent, &bytes, wait).await,
			Ok(Some(known)) => known,
			// The node stopped reporting on it.
			Ok(None) => {
				self.post_again(&bytes).await;
				self.look_out(&sent, &bytes, wait).await
			},
			Err(_) => Err(late()),
		}
	}

	/// Posts winners (at most `max_batch`) as one signed `redeem_batch` to the node, which judges each and submits the
	/// batch if it would pay at least one. Returns when the node has answered; the chain has not paid yet.
	pub async fn submit_tickets(&self, wallet: &Wallet, tickets: &[WinningTicket]) -> Result<Submission, ChainError> {
		self.hand_in(wallet, &calls::redeem_batch(tickets), "clustercast_submitTickets")
			.await
	}

	/// The same for vouchers and `redeem_vouchers`.
	pub async fn submit_vouchers(&self, wallet: &Wallet, vouchers: &[SignedVoucher]) -> Result<Submission, ChainError> {
		self.hand_in(wallet, &calls::redeem_vouchers(vouchers), "clustercast_submitVouchers")
			.await
	}

	/// Hands a signed batch to the method that judges and submits it. The wallet is locked until the node has it.
	async fn hand_in(&self, wallet: &Wallet, batch: &Call, method: &str) -> Result<Submission, ChainError> {
		let mut guard = wallet.submitting.lock().await;
		let extrinsic = within("signing", async {
			let at = self.client().at_current_block().await.map_err(ChainError::node)?;
			self.sign_locked(&at, wallet, &mut guard, batch).await
		})
		.await?;
		self.request(method, rpc_params![hex_of(&extrinsic)]).await
	}

	/// A signed extrinsic as bytes, not submitted. Another one signed before this is submitted has the same nonce.
	pub async fn sign(&self, wallet: &Wallet, call: &Call) -> Result<Vec<u8>, ChainError> {
		let mut guard = wallet.submitting.lock().await;
		within("signing", async {
			let at = self.client().at_current_block().await.map_err(ChainError::node)?;
			self.sign_locked(&at, wallet, &mut guard, call).await
		})
		.await
	}

	/// Signed extrinsics as bytes, in this order: their nonces follow each other from the wallet's next one on.
	pub async fn sign_all(&self, wallet: &Wallet, calls: &[Call]) -> Result<Vec<Vec<u8>>, ChainError> {
		let mut guard = wallet.submitting.lock().await;
		let (at, first) = within("signing", async {
			let at = self.client().at_current_block().await.map_err(ChainError::node)?;
			Ok((at, self.next_nonce(&wallet.account()).await?))
		})
		.await?;
		wallet.use_nonces(&mut guard, first, calls.len() as u64);
		let each = calls.iter().zip(first..);
		let born = born(&at);
		each.map(|(call, nonce)| sign_with(&at, wallet, call, nonce, born))
			.collect()
	}

	/// Hands a signed extrinsic to the node's pool and does not wait for what becomes of it.
	pub async fn post(&self, extrinsic: &[u8]) -> Result<Hash, ChainError> {
		self.request("author_submitExtrinsic", rpc_params![hex_of(extrinsic)])
			.await
	}

	/// Mints a stream key; its number once that is final.
	pub async fn mint(&self, wallet: &Wallet, stream: &NewStream) -> Result<StreamId, ChainError> {
		let included = self.submit(wallet, &calls::mint(stream), Wait::Finalised).await?;
		included
			.event("StreamKeys", "Minted")
			.ok_or_else(|| ChainError::Metadata("no event StreamKeys::Minted".into()))?
			.field("id")
	}

	/// Registers a relayer, until that is final.
	pub async fn register_relayer(&self, wallet: &Wallet, relayer: &NewRelayer) -> Result<Included, ChainError> {
		self.submit(wallet, &calls::register_relayer(relayer), Wait::Finalised)
			.await
	}

	/// Deposits and authorises a session key for what is by bytes, under one signature.
	pub async fn deposit_and_authorize(
		&self,
		wallet: &Wallet,
		deposit: Balance,
		session: &KeyPair,
		limit: Balance,
		expiry: BlockNumber,
		wait: Wait,
	) -> Result<Included, ChainError> {
		let account = wallet.account();
		let proof = session.sign(SessionProof { account }, &self.genesis()).signature;
		let both = calls::batch_all(vec![
			calls::deposit(deposit),
			calls::authorize_session(&session.public(), limit, 0, expiry, &proof),
		]);
		self.submit(wallet, &both, wait).await
	}

	/// Moves money to another account.
	pub async fn transfer(
		&self,
		wallet: &Wallet,
		to: &AccountId,
		amount: Balance,
		wait: Wait,
	) -> Result<Included, ChainError> {
		self.submit(wallet, &calls::transfer(to, amount), wait).await
	}

	/// What became of these transactions of ours, each with a block that it is younger than, if the best chain has one of
	/// them; once that is final, where `wait` says so.
	async fn find(&self, sent: &[(u64, Hash)], wait: Wait) -> Result<Option<Included>, ChainError> {
		let oldest = sent.iter().map(|(number, _)| *number).min();
		self.find_from(oldest.unwrap_or_default() + 1, sent, wait).await
	}

	/// The same, where no block below `from` has one of them.
	async fn find_from(&self, from: u64, sent: &[(u64, Hash)], wait: Wait) -> Result<Option<Included>, ChainError> {
		let mut heads = self.heads();
		loop {
			let head = *heads.borrow_and_update();
			let Some((at, extrinsic)) = self.locate(from, sent, head.best).await? else {
				return Ok(None);
			};
			if wait == Wait::InBlock || at.block_number() <= u64::from(head.finalised) {
				let events = extrinsic.events().await.map_err(ChainError::node)?;
				return Included::read(&at, Hash(extrinsic.hash().0), &events).map(Some);
			}
			let news = tokio::time::timeout(INCLUSION_TIMEOUT, heads.changed()).await;
			if !matches!(news, Ok(Ok(()))) {
				return Err(ChainError::NotIncluded("its block did not become final".into()));
			}
		}
	}

	/// Looks for these transactions in the best chain, from block `from` up to block `best`.
	async fn locate(
		&self,
		from: u64,
		sent: &[(u64, Hash)],
		best: BlockNumber,
	) -> Result<Option<(AtBlock, Sent)>, ChainError> {
		for number in from..=best.into() {
			let at = self.client().at_block(number).await.map_err(ChainError::node)?;
			let extrinsics = at.extrinsics().fetch().await.map_err(ChainError::node)?.into_owned();
			let ours = |e: &Sent| sent.iter().any(|(_, hash)| hash.0 == e.hash().0);
			let mut all = extrinsics.iter().map(|e| e.map(Extrinsic::into_owned));
			let found = all.find(|e| e.as_ref().map_or(true, ours));
			if let Some(found) = found {
				return Ok(Some((at, found.map_err(ChainError::node)?)));
			}
		}
		Ok(None)
	}

	/// Waits for one of these transactions, of which `bytes` is the last, to be in a block, or to be too old for any. Each node that
	/// is gone to meanwhile is given the bytes: the pool of the one before may be gone with it.
	async fn look_out(&self, sent: &[(u64, Hash)], bytes: &[u8], wait: Wait) -> Result<Included, ChainError> {
		let born = sent.iter().map(|(number, _)| *number);
		let (mut from, last) = (
			born.clone().min().unwrap_or_default() + 1,
			born.max().unwrap_or_default(),
		);
		let (mut heads, mut changes) = (self.heads(), self.asked().changes);
		let looking = async {
			loop {
				let head = *heads.borrow_and_update();
				match self.find_from(from, sent, wait).await {
					Ok(Some(included)) => return Ok(included),
					Ok(None) if u64::from(head.finalised) > last + MORTALITY => {
						return Err(ChainError::NotIncluded("no block took it while it was good".into()));
					},
					// What is final has been looked through.
					Ok(None) => from = from.max(u64::from(head.finalised) + 1),
					// A node that was gone to may not have a block yet that the one before had.
					Err(error) if is_unknown(&error) => tracing::debug!(%error, "looking for a transaction"),
					Err(error) => return Err(error),
				}
				if std::mem::replace(&mut changes, self.asked().changes) != self.asked().changes {
					self.post_again(bytes).await;
				}
				// The next head, or another node: both are looked for each so often.
				let _ = tokio::time::timeout(LOOK, heads.changed()).await;
			}
		};
		tokio::time::timeout(INCLUSION_TIMEOUT, looking)
			.await
			.unwrap_or_else(|_| Err(late()))
	}

	/// Gives the node a transaction that it may have.
	async fn post_again(&self, bytes: &[u8]) {
		// That it has it is an error, too. What becomes of it is looked for in blocks.
		if let Err(error) = self.post(bytes).await {
			tracing::debug!(%error, "a transaction is not taken again");
		}
	}

	/// With the wallet's lock held.
	async fn sign_locked(
		&self,
		at: &AtBlock,
		wallet: &Wallet,
		nonces: &mut Nonces,
		call: &Call,
	) -> Result<Vec<u8>, ChainError> {
		let nonce = self.next_nonce(&wallet.account()).await?;
		wallet.use_nonces(nonces, nonce, 1);
		sign_with(at, wallet, call, nonce, born(at))
	}
}

/// Whether this leaves open what becomes of a transaction.
fn is_unknown(error: &ChainError) -> bool {
	matches!(error, ChainError::Node(_) | ChainError::Timeout { .. })
}

fn late() -> ChainError {
	ChainError::Timeout {
		doing: "waiting for inclusion",
		after: INCLUSION_TIMEOUT,
	}
}

/// The block at hand as the one in which a transaction's life begins.
fn born(at: &AtBlock) -> (u64, Hash) {
	(at.block_number(), Hash(at.block_hash().0))
}

/// A transaction whose life begins with block `born`.
pub(crate) fn sign_with(
	at: &AtBlock,
	wallet: &Wallet,
	call: &Call,
	nonce: u64,
	born: (u64, Hash),
) -> Result<Vec<u8>, ChainError> {
	let params = SubstrateExtrinsicParamsBuilder::new()
		.nonce(nonce)
		.mortal_from_unchecked(MORTALITY, born.0, born.1 .0.into())
		.build();
	let signed = at
		.transactions()
		.create_signable_offline(call, params)
		.and_then(|mut signable| signable.sign(wallet.keypair()))
		.map_err(|e| ChainError::Metadata(format!("{}: {e}", call.full_name())))?;
	Ok(signed.encoded().to_vec())
}

/// What the pool says of an account that has less than the fee and what the call holds.
const UNPAYABLE: &str = "Inability to pay some fees";

/// An error on submission, with the pool's code kept.
fn refused_by_pool(error: subxt::error::ExtrinsicError, wallet: &Wallet) -> ChainError {
	use subxt::error::{BackendError, ExtrinsicError, RpcError};
	match &error {
		ExtrinsicError::ErrorSubmittingTransaction(BackendError::Rpc(RpcError::ClientError(e))) => {
			let refused = ChainError::rpc("the transaction", e);
			match &refused {
				ChainError::Refused { message, .. } if message.contains(UNPAYABLE) => ChainError::Poor {
					account: account::ss58(&wallet.account()),
				},
				ChainError::Refused { message, .. } => match pool_rule(message) {
					Some(rule) => ChainError::Unwanted(rule_name(rule)),
					None => refused,
				},
				_ => refused,
			}
		},
		_ => ChainError::node(error),
	}
}

/// The number of the runtime's own rule that keeps a transaction out of the pool, from what the node says.
fn pool_rule(message: &str) -> Option<u8> {
	message.rsplit_once("Custom error: ")?.1.parse().ok()
}

/// Why nothing would be paid: the only rules that the pool has.
fn rule_name(code: u8) -> String {
	let refusal = TicketRefusal::decode(&mut [code].as_slice());
	refusal.map_or_else(|_| format!("rule {code}"), |refusal| refusal.to_string())
}

async fn included<C>(block: subxt::transactions::TransactionInBlock<SubstrateConfig, C>) -> Result<Included, ChainError>
where
	C: subxt::client::OnlineClientAtBlockT<SubstrateConfig>,
{
	let events = block.fetch_events().await.map_err(ChainError::node)?;
	let at = block.at().await.map_err(ChainError::node)?;
	Included::read(&at, Hash(block.extrinsic_hash().0), &events)
}

/// Takes events apart into their named fields.
pub(crate) fn read_events<'a>(
	events: impl Iterator<Item = Result<subxt::events::Event<'a, SubstrateConfig>, subxt::error::EventsError>>,
	metadata: &Metadata,
) -> Result<Vec<Event>, ChainError> {
	events
		.map(|event| {
			let event = event.map_err(ChainError::node)?;
			let unknown = || ChainError::Metadata(format!("event {}::{}", event.pallet_name(), event.event_name()));
			let variant = metadata
				.pallet_by_event_index(event.pallet_index())
				.and_then(|p| p.event_variant_by_index(event.event_index()))
				.ok_or_else(unknown)?;
			let mut rest = event.field_bytes();
			let mut fields = Vec::with_capacity(variant.fields.len());
			for field in &variant.fields {
				let all = rest;
				decode_with_visitor(&mut rest, field.ty.id, metadata.types(), IgnoreVisitor::new())
					.map_err(|_| unknown())?;
				let bytes = all[..all.len() - rest.len()].to_vec();
				fields.push((field.name.clone().unwrap_or_default(), bytes));
			}
			Ok(Event {
				pallet: event.pallet_name().into(),
				name: event.event_name().into(),
				extrinsic: match event.phase() {
					subxt::events::Phase::ApplyExtrinsic(index) => Some(index),
					_ => None,
				},
				fields,
			})
		})
		.collect()
}

#[cfg(test)]
mod tests {
	use super::*;
	use clustercast_primitives::chain::Payout;
	use codec::Encode;

	fn event(name: &str, fields: &[(&str, Vec<u8>)]) -> Event {
		Event {
			pallet: "TicketBroker".into(),
			name: name.into(),
			extrinsic: Some(1),
			fields: fields.iter().map(|(n, b)| (n.to_string(), b.clone())).collect(),
		}
	}

	#[test]
	fn rules_of_the_pool_are_told_from_other_refusals() {
		assert_eq!(pool_rule("Invalid Transaction: Custom error: 17"), Some(17));
		assert_eq!(pool_rule("Invalid Transaction: Transaction is outdated"), None);
		assert_eq!(pool_rule("Custom error: 256"), None);
	}

	#[test]
	fn fields_are_found_by_name_and_must_have_the_shape() {
		let id = Hash([1; 32]);
		let redeemed = event("TicketRedeemed", &[("stream", 7u64.encode()), ("id", id.encode())]);
		assert_eq!(Redeemed::from_event(&redeemed).unwrap(), Some(Redeemed::Paid { id }));
		assert!(redeemed.field::<u32>("stream").is_err(), "bytes are left over");
		assert!(redeemed.field::<u128>("stream").is_err(), "bytes are missing");
		assert!(redeemed.field::<u64>("session").is_err(), "no such field");
	}

	#[test]
	fn refusal_names_its_place_and_reason() {
		let reason = TicketRefusal::DepositTooSmall;
		let refused = event(
			"TicketRefused",
			&[("index", 3u32.encode()), ("reason", reason.encode())],
		);
		assert_eq!(
			Redeemed::from_event(&refused).unwrap(),
			Some(Redeemed::Refused { index: 3, reason })
		);
		assert_eq!(Redeemed::from_event(&event("Deposited", &[])).unwrap(), None);
	}

	#[test]
	fn answer_to_a_batch_is_read_as_documented() {
		let json = r#"{"transaction":null,"verdicts":[
			{"accepted":{"relayer":"88","broadcaster":"10","treasury":"2"}},{"refused":"AlreadyRedeemed"}]}"#;
		let submission: Submission = serde_json::from_str(json).unwrap();
		assert_eq!(submission.transaction, None);
		assert_eq!(
			submission.verdicts,
			[
				TicketVerdict::Accepted(Payout {
					relayer: 88,
					broadcaster: 10,
					treasury: 2
				}),
				TicketVerdict::Refused(TicketRefusal::AlreadyRedeemed)
			]
		);
	}
}
