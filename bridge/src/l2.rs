//! The L2 over JSON-RPC: views of the contracts, logs, and transactions that are simulated, and priced, before they are sent.

mod error;

pub use error::L2Error;

use crate::{
	abi::{GasPriceOracle, LightClient, Usdc, Vault},
	fees::{Quote, Rules},
	ranges::Ranges,
	recipient::Contracts,
};
use alloy::{
	consensus::BlockHeader,
	eips::Encodable2718,
	network::{Ethereum, EthereumWallet, NetworkTransactionBuilder, TransactionBuilder},
	primitives::{address, Address, Bytes, Uint, B256, U256},
	providers::{Provider, RootProvider},
	rpc::{
		client::ClientBuilder,
		types::{BlockId, BlockNumberOrTag, Filter, Log, TransactionReceipt, TransactionRequest},
	},
	signers::local::PrivateKeySigner,
	sol_types::{SolCall, SolEvent},
	transports::TransportError,
};
use clustercast_chain::keys;
use clustercast_primitives::{
	bridge::{account_of, Action, Deposit},
	AccountId, Balance, EthereumAddress,
};
use std::{future::Future, path::Path, time::Duration};
use tokio::{sync::Mutex, time::Instant};

/// How long an answer may take.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);

/// Pause between two looks for a receipt: a block of the fastest L2s and half of one of Base's.
const RECEIPT_POLL: Duration = Duration::from_secs(1);

/// How long a transaction may take into a block. One that takes longer is replaced by the next, which pays more.
const RECEIPT_TIMEOUT: Duration = Duration::from_secs(60);

/// Gas above the estimate, percent: until the transaction runs, somebody else's may make its writes dearer. What is not
/// used is not paid for.
const GAS_MARGIN: u64 = 50;

/// By so much a transaction that replaces another must pay more, percent; nodes ask for 10.
const REPLACEMENT_MARGIN: u128 = 25;

/// Where each OP-stack chain says what data costs; nothing is there on others.
const GAS_PRICE_ORACLE: Address = address!("420000000000000000000000000000000000000F");

/// Bytes of a transaction beside its calldata, unsigned: nonce, prices, address, lengths.
const ENVELOPE_BYTES: usize = 80;

/// An Ethereum key from 64 hexadecimal digits, or from a file with these (`file:PATH`) that nobody else may read.
pub fn signer(secret: &str) -> Result<PrivateKeySigner, L2Error> {
	let seed = match secret.strip_prefix("file:") {
		Some(path) => keys::load_seed(Path::new(path))?,
		None => secret.trim().parse::<B256>().map_err(|_| L2Error::Key)?.0,
	};
	PrivateKeySigner::from_bytes(&B256::from(seed)).map_err(|_| L2Error::Key)
}

/// What is done where a page may be too large.
const READING_LOGS: &str = "reading deposits";

/// An address in the words of the chain.
pub fn address_of(signer: &PrivateKeySigner) -> EthereumAddress {
	EthereumAddress(signer.address().0 .0)
}

/// The light client as of now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LightClientState {
	/// The set whose commitments it takes.
	pub set: u64,
	/// Newest block of the chain that it knows a root of; 0 for none.
	pub block: u32,
	/// Where that root is.
	pub slot: u8,
	/// That root.
	pub root: B256,
}

/// A block of the L2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Block {
	/// Its number.
	pub number: u64,
	/// Its time, seconds since 1970.
	pub time: u64,
}

/// A node of the L2 and the bridge's contracts there.
pub struct L2 {
	provider: RootProvider<Ethereum>,
	/// Holds the USDC.
	pub vault: Address,
	/// What the vault trusts.
	pub light_client: Address,
	/// The token.
	pub usdc: Address,
	/// EIP-155.
	pub chain_id: u32,
	/// What is spent.
	rules: Rules,
	/// It asks for data on Ethereum apart, as OP-stack chains do.
	charges_data: bool,
	/// Nonces are used one after the other.
	sending: Mutex<()>,
}

/// A request, bounded in time.
async fn bounded<T>(
	doing: &'static str,
	request: impl Future<Output = Result<T, TransportError>>,
) -> Result<T, L2Error> {
	match tokio::time::timeout(REQUEST_TIMEOUT, request).await {
		Ok(answer) => answer.map_err(|error| L2Error::from_transport(doing, &error)),
		Err(_) => Err(L2Error::Node {
			doing,
			reason: format!("no answer within {} s", REQUEST_TIMEOUT.as_secs()),
		}),
	}
}

impl L2 {
	/// Finds the contracts from the vault; `chain_id` is what the chain says of it.
	pub async fn connect(url: &str, vault: &EthereumAddress, chain_id: u32) -> Result<Self, L2Error> {
		let client = match url.parse() {
			Ok(url) => ClientBuilder::default().hyper_http(url),
			Err(_) => return Err(L2Error::Url),
		};
		let provider = RootProvider::new(client);
		let found = bounded("asking for its chain id", async { provider.get_chain_id().await }).await?;
		if found != u64::from(chain_id) {
			return Err(L2Error::WrongChain {
				expected: chain_id,
				found,
			});
		}
		let mut l2 = Self {
			provider,
			vault: Address::from(vault.0),
			light_client: Address::ZERO,
			usdc: Address::ZERO,
			chain_id,
			rules: Rules::default(),
			charges_data: false,
			sending: Mutex::new(()),
		};
		l2.light_client = l2.view(l2.vault, &Vault::lightClientCall {}).await?;
		l2.usdc = l2.view(l2.vault, &Vault::usdcCall {}).await?;
		let code = async { l2.provider.get_code_at(GAS_PRICE_ORACLE).await };
		l2.charges_data = !bounded("asking what data costs", code).await?.is_empty();
		Ok(l2)
	}

	/// From now on spends no more than these say.
	pub fn with_rules(mut self, rules: Rules) -> Self {
		self.rules = rules;
		self
	}

	/// What is spent.
	pub fn rules(&self) -> &Rules {
		&self.rules
	}

	/// Where USDC is lost.
	pub fn contracts(&self) -> Contracts {
		Contracts::asked(self.vault, self.usdc, self.light_client)
	}

	/// What a transaction with so much gas and calldata costs now.
	pub async fn quote(&self, gas: u64, calldata: usize) -> Result<Quote, L2Error> {
		let gas_price = bounded("asking for its gas price", async {
			self.provider.get_gas_price().await
		})
		.await?;
		let l1_fee = self.l1_fee(calldata).await?;
		Ok(Quote { gas, gas_price, l1_fee })
	}

	/// Most that the data of a transaction costs on Ethereum, wei; 0 where the L2 does not ask for that apart.
	async fn l1_fee(&self, calldata: usize) -> Result<u128, L2Error> {
		if !self.charges_data {
			return Ok(0);
		}
		let call = GasPriceOracle::getL1FeeUpperBoundCall {
			unsignedTxSize: U256::from(calldata + ENVELOPE_BYTES),
		};
		Ok(self.view(GAS_PRICE_ORACLE, &call).await?.saturating_to())
	}

	/// Wei of an address.
	pub async fn ether(&self, owner: Address) -> Result<U256, L2Error> {
		bounded("asking for a balance", async { self.provider.get_balance(owner).await }).await
	}

	/// Whether an authorisation (EIP-3009) of USDC was used or cancelled.
	pub async fn is_spent(&self, authorizer: Address, nonce: B256) -> Result<bool, L2Error> {
		let call = Usdc::authorizationStateCall { authorizer, nonce };
		self.view(self.usdc, &call).await
	}

	/// Calls a view.
	pub async fn view<C: SolCall>(&self, contract: Address, call: &C) -> Result<C::Return, L2Error> {
		let request = TransactionRequest::default()
			.with_to(contract)
			.with_input(call.abi_encode());
		let raw = self.call(C::SIGNATURE, request).await?;
		C::abi_decode_returns(&raw).map_err(|_| L2Error::NoContract(contract))
	}

	async fn call(&self, function: &'static str, request: TransactionRequest) -> Result<Bytes, L2Error> {
		self.call_at(function, request, BlockId::latest()).await
	}

	async fn call_at(
		&self,
		function: &'static str,
		request: TransactionRequest,
		at: BlockId,
	) -> Result<Bytes, L2Error> {
		bounded(function, async { self.provider.call(request).block(at).await }).await
	}

	/// Whether there is code at an address: a contract's, or what a wallet let run in its place (EIP-7702).
	pub async fn has_code(&self, address: Address) -> Result<bool, L2Error> {
		let code = async { self.provider.get_code_at(address).await };
		Ok(!bounded("asking for code", code).await?.is_empty())
	}

	/// The light client as of now.
	pub async fn light_client_state(&self) -> Result<LightClientState, L2Error> {
		let state = self.view(self.light_client, &LightClient::stateCall {}).await?;
		/// `LightClient.ROOTS`.
		const ROOTS: u8 = 16;
		let newest = state.commitments.saturating_sub(Uint::from(1));
		let slot = (newest % Uint::from(ROOTS)).to::<u8>();
		let call = LightClient::rootsCall { slot: U256::from(slot) };
		Ok(LightClientState {
			set: state.setId,
			block: state.blockNumber,
			slot,
			root: self.view(self.light_client, &call).await?,
		})
	}

	/// Whether the vault paid a withdrawal.
	pub async fn executed(&self, id: u64) -> Result<bool, L2Error> {
		self.view(self.vault, &Vault::executedCall { id }).await
	}

	/// Whether the newest final block has it: that stays. False as well where the node keeps no state of that block.
	pub async fn executed_for_good(&self, id: u64) -> Result<bool, L2Error> {
		let call = Vault::executedCall { id };
		let request = TransactionRequest::default()
			.with_to(self.vault)
			.with_input(call.abi_encode());
		let answer = self.call_at(Vault::executedCall::SIGNATURE, request, BlockId::finalized());
		match answer.await {
			Ok(raw) => Vault::executedCall::abi_decode_returns(&raw).map_err(|_| L2Error::NoContract(self.vault)),
			Err(error) if error.is_refusal() => Ok(false),
			Err(error) => Err(error),
		}
	}

	/// USDC of an address, micro-USDC.
	pub async fn balance(&self, owner: Address) -> Result<U256, L2Error> {
		self.view(self.usdc, &Usdc::balanceOfCall { account: owner }).await
	}

	/// Number of the newest block.
	pub async fn block_number(&self) -> Result<u64, L2Error> {
		bounded("asking for its head", async { self.provider.get_block_number().await }).await
	}

	/// Number of the newest final block.
	pub async fn finalised(&self) -> Result<u64, L2Error> {
		Ok(self.final_block().await?.number)
	}

	/// The newest final block; before there is one, number and time are 0.
	pub async fn final_block(&self) -> Result<Block, L2Error> {
		self.block(BlockNumberOrTag::Finalized, "asking for its final block")
			.await
	}

	/// Time of the newest block, seconds since 1970.
	pub async fn now(&self) -> Result<u64, L2Error> {
		let newest = self.block(BlockNumberOrTag::Latest, "asking for its newest block");
		Ok(newest.await?.time)
	}

	async fn block(&self, tag: BlockNumberOrTag, doing: &'static str) -> Result<Block, L2Error> {
		let block = bounded(doing, async { self.provider.get_block_by_number(tag).await }).await?;
		Ok(block.map_or(Block { number: 0, time: 0 }, |block| Block {
			number: block.header.number(),
			time: block.header.timestamp(),
		}))
	}

	/// Receipt of a transaction, once it is in a block.
	pub async fn receipt(&self, transaction: B256) -> Result<Option<TransactionReceipt>, L2Error> {
		let request = async { self.provider.get_transaction_receipt(transaction).await };
		bounded("asking for a receipt", request).await
	}

	/// Deposits that blocks `from` to `to` recorded, in their order; where an account is given, those that ask for it.
	pub async fn deposits(&self, from: u64, to: u64, account: Option<&AccountId>) -> Result<Vec<Deposit>, L2Error> {
		let mut filter = self.deposited();
		if let Some(account) = account {
			filter = filter.topic2(B256::from(account.0));
		}
		let logs = self.logs(&filter, from, to).await?;
		let mut found: Vec<_> = logs.iter().filter_map(|log| self.deposit_of(log)).collect();
		if let Some(account) = account {
			// Deposits of other kinds may begin as this account does.
			found.retain(|deposit: &Deposit| deposit.credit().is_some_and(|credit| credit.account == *account));
		}
		Ok(found)
	}

	/// Deposits of blocks `from` to `to` that bring USDC to this address's own account: credits to it, and actions that it paid
	/// for. In order.
	pub async fn deposits_to(&self, from: u64, to: u64, owner: &EthereumAddress) -> Result<Vec<Deposit>, L2Error> {
		let account = account_of(self.chain_id, owner);
		let mut found = self.deposits(from, to, Some(&account)).await?;
		let paid = self.deposits_by(Address::from(owner.0), from, to).await?;
		let actions = paid.into_iter().map(|(deposit, ..)| deposit);
		found.extend(actions.filter(|deposit| deposit.kind == Action::KIND));
		found.sort_unstable_by_key(|deposit| deposit.number);
		Ok(found)
	}

	/// Logs of blocks `from` to `to`, in their order, page by page.
	async fn logs(&self, filter: &Filter, from: u64, to: u64) -> Result<Vec<Log>, L2Error> {
		let (mut next, mut ranges, mut found) = (from, Ranges::default(), Vec::new());
		while let Some(last) = ranges.page(next, to) {
			match self.page(filter, next, last).await {
				Ok(logs) => {
					found.extend(logs);
					ranges.answered(last - next + 1);
					next = last + 1;
				},
				Err(error) if error.is_refusal() && ranges.refused(last - next + 1) => {},
				Err(error) => return Err(error),
			}
		}
		Ok(found)
	}

	/// Deposits that so few blocks recorded that one question is enough; [`L2Error::is_refusal`] where they are too many.
	pub async fn deposits_in(&self, from: u64, to: u64) -> Result<Vec<Deposit>, L2Error> {
		let logs = self.page(&self.deposited(), from, to).await?;
		Ok(logs.iter().filter_map(|log| self.deposit_of(log)).collect())
	}

	/// What somebody deposited in blocks `from` to `to`, each with its transaction and block.
	pub async fn deposits_by(
		&self,
		depositor: Address,
		from: u64,
		to: u64,
	) -> Result<Vec<(Deposit, B256, u64)>, L2Error> {
		let filter = self.deposited().topic3(depositor.into_word());
		let read = |log: &Log| Some((self.deposit_of(log)?, log.transaction_hash?, log.block_number?));
		Ok(self.logs(&filter, from, to).await?.iter().filter_map(read).collect())
	}

	fn deposited(&self) -> Filter {
		Filter::new()
			.address(self.vault)
			.event_signature(Vault::Deposited::SIGNATURE_HASH)
	}

	async fn page(&self, filter: &Filter, from: u64, to: u64) -> Result<Vec<Log>, L2Error> {
		let part = filter.clone().from_block(from).to_block(to);
		bounded(READING_LOGS, async { self.provider.get_logs(&part).await }).await
	}

	/// What a log of the vault records, if it is a deposit and final in its block.
	pub fn deposit_of(&self, log: &Log) -> Option<Deposit> {
		let event = Vault::Deposited::decode_log(&log.inner)
			.ok()
			.filter(|_| !log.removed)?
			.data;
		Some(Deposit {
			l2: self.chain_id,
			number: event.number,
			kind: event.kind,
			amount: event.amount,
			depositor: EthereumAddress(event.depositor.0 .0),
			refund_to: EthereumAddress(event.refundTo.0 .0),
			body: event.body.to_vec().try_into().ok()?,
		})
	}

	/// Whether a call would go well now: nothing is sent.
	pub async fn simulate<C: SolCall>(&self, from: Address, contract: Address, call: &C) -> Result<(), L2Error> {
		self.call(C::SIGNATURE, Self::requested(from, contract, call))
			.await
			.map(drop)
	}

	/// Runs a call as a transaction, whatever it costs below the cap. See [`Self::execute_for`].
	pub async fn execute<C: SolCall>(
		&self,
		signer: &PrivateKeySigner,
		contract: Address,
		call: &C,
	) -> Result<TransactionReceipt, L2Error> {
		self.execute_for(signer, contract, call, None, |_| {}).await
	}

	/// Runs a call as a transaction: first by `eth_call`, then, unless it would cost more than it `brings` (micro-USDC), for
	/// gas. Says its hash to `sent`, and returns when it is in a block.
	pub async fn execute_for<C: SolCall>(
		&self,
		signer: &PrivateKeySigner,
		contract: Address,
		call: &C,
		brings: Option<Balance>,
		sent: impl FnOnce(B256),
	) -> Result<TransactionReceipt, L2Error> {
		let _sending = self.sending.lock().await;
		let from = signer.address();
		let request = Self::requested(from, contract, call);
		self.call(C::SIGNATURE, request.clone()).await?;

		let count = |tag: BlockNumberOrTag| async move {
			bounded("asking for a nonce", async {
				self.provider.get_transaction_count(from).block_id(tag.into()).await
			})
			.await
		};
		let gas = bounded("estimating gas", async {
			self.provider
				.estimate_gas(request.clone())
				.block(BlockId::latest())
				.await
		})
		.await?;
		let quote = self.quote(gas, call.abi_encoded_size()).await?;
		self.rules.judge(&quote, brings)?;
		let fees = bounded("asking for its fees", async {
			self.provider.estimate_eip1559_fees().await
		})
		.await?;
		let (used, waiting) = (
			count(BlockNumberOrTag::Latest).await?,
			count(BlockNumberOrTag::Pending).await?,
		);
		// Something of ours waits, from before a crash or because it pays too little: this replaces it. What it was to do
		// is looked at again by whoever wants it done.
		let raise = |fee: u128| match waiting > used {
			true => fee + fee * REPLACEMENT_MARGIN / 100 + 1,
			false => fee,
		};
		// Blocks ask for their own price; this only bounds it.
		let max_fee = raise(fees.max_fee_per_gas).min(self.rules.max_gas_price);
		let request = request
			.with_nonce(used)
			.with_chain_id(self.chain_id.into())
			.with_gas_limit(gas + gas * GAS_MARGIN / 100)
			.with_max_fee_per_gas(max_fee)
			.with_max_priority_fee_per_gas(raise(fees.max_priority_fee_per_gas).min(max_fee));
		let wallet = EthereumWallet::from(signer.clone());
		let signed = request.build(&wallet).await.map_err(|_| L2Error::Key)?;
		let raw = signed.encoded_2718();
		let request = async { self.provider.send_raw_transaction(&raw).await };
		let hash = *bounded("sending a transaction", request).await?.tx_hash();
		sent(hash);
		self.included(hash).await
	}

	fn requested<C: SolCall>(from: Address, contract: Address, call: &C) -> TransactionRequest {
		TransactionRequest::default()
			.with_from(from)
			.with_to(contract)
			.with_input(call.abi_encode())
	}

	async fn included(&self, hash: B256) -> Result<TransactionReceipt, L2Error> {
		let deadline = Instant::now() + RECEIPT_TIMEOUT;
		while Instant::now() < deadline {
			match self.receipt(hash).await? {
				Some(receipt) if receipt.status() => return Ok(receipt),
				Some(_) => return Err(L2Error::Reverted(hash)),
				None => tokio::time::sleep(RECEIPT_POLL).await,
			}
		}
		Err(L2Error::Slow(hash))
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn key_is_hex_or_a_private_file() {
		let dir = tempfile::tempdir().unwrap();
		let path = dir.path().join("key");
		let text = "01".repeat(32);
		clustercast_chain::files::create_atomic(&path, text.as_bytes()).unwrap();
		let expected = "0x1a642f0E3c3aF545E7AcBD38b07251B3990914F1";
		for secret in [text.clone(), format!("0x{text}"), format!("file:{}", path.display())] {
			assert_eq!(signer(&secret).unwrap().address().to_string(), expected);
		}
		for wrong in ["", "0x12", "//Alice", &"00".repeat(32), "file:no/such/file"] {
			let error = signer(wrong).map(|s| s.address()).unwrap_err();
			assert!(wrong.is_empty() || !error.to_string().contains(wrong) || wrong.starts_with("file:"));
		}
	}
}
