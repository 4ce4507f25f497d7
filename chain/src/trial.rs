//! Calls tried before anybody pays for them: run on the state of the best block, and forgotten.

use crate::{
	account,
	calls::Call,
	client::{hex_of, within, Chain},
	error::ChainError,
	submit::sign_with,
	wallet::Wallet,
};
use clustercast_primitives::{Balance, Hash};
use codec::Decode;
use serde::Deserialize;
use subxt::{rpcs::client::rpc_params, utils::H256};

/// What the runtime answers to an extrinsic: the outer result says whether it is one that a block takes, the inner one whether its call
/// went well.
const REFUSED: u8 = 1;

/// Invalid, in what a runtime says of an extrinsic that no block takes; and of these, whose fee nobody can pay, and what is just too much
/// for this block.
const INVALID: u8 = 0;
const UNPAYABLE: u8 = 1;
const TOO_MUCH: u8 = 6;

impl Chain {
	/// Runs a call, as the wallet would submit it now, on the best block's state; nothing is sent to anybody but the node that is
	/// asked. What it would cost, micro-USDC.
	///
	/// # Errors
	/// [`ChainError::Dispatch`] where the call fails, [`ChainError::Poor`] where the wallet cannot pay for it: as
	/// [`Chain::submit`] would say, but for nothing.
	pub async fn try_out(&self, wallet: &Wallet, call: &Call) -> Result<Balance, ChainError> {
		let extrinsic = within("signing", async {
			// The newest, which may be ahead of what is final: what was paid in a moment ago counts.
			let best: Hash = self.request("chain_getBlockHash", rpc_params![]).await?;
			let at = self.client().at_block(H256(best.0)).await.map_err(ChainError::node)?;
			// A block's own hash is known to the state of those behind it alone, so its life begins one before.
			let born = at.block_number().saturating_sub(1);
			let parent = self.block_hash(born.try_into().unwrap_or_default()).await?;
			let nonce = self.nonce_in(wallet, Hash(at.block_hash().0)).await?;
			let extrinsic = sign_with(&at, wallet, call, nonce, (born, parent))?;
			Ok((at, extrinsic))
		});
		let (at, extrinsic) = extrinsic.await?;
		let (encoded, block) = (hex_of(&extrinsic), Hash(at.block_hash().0));
		let raw = self.state_call("BlockBuilder_apply_extrinsic", &encoded, block).await?;
		match &raw[..] {
			[0, 0] => {},
			[0, REFUSED, error @ ..] => return Err(ChainError::from_dispatch(error, at.metadata())?),
			[REFUSED, INVALID, UNPAYABLE, ..] => {
				return Err(ChainError::Poor {
					account: account::ss58(&wallet.account()),
				})
			},
			// The best block is full, the next one is not.
			[REFUSED, INVALID, TOO_MUCH, ..] => {},
			[REFUSED, ..] => {
				let code = raw.get(2).copied().unwrap_or_default();
				return Err(ChainError::Unwanted(format!("no block takes it (rule {code})")));
			},
			_ => return Err(ChainError::Metadata("answer of another shape to an extrinsic".into())),
		}
		#[derive(Deserialize)]
		#[serde(rename_all = "camelCase")]
		struct Info {
			partial_fee: String,
		}
		let info: Info = self.request("payment_queryInfo", rpc_params![encoded, block]).await?;
		let fee = info.partial_fee.parse();
		fee.map_err(|_| ChainError::Metadata("fee of another shape".into()))
	}

	/// Nonce of a wallet in a block, whatever waits in the pool.
	async fn nonce_in(&self, wallet: &Wallet, block: Hash) -> Result<u64, ChainError> {
		let account = hex_of(&wallet.account().0);
		let raw = self
			.state_call("AccountNonceApi_account_nonce", &account, block)
			.await?;
		u32::decode(&mut &raw[..])
			.map(u64::from)
			.map_err(|_| ChainError::Metadata("nonce of another shape".into()))
	}

	async fn state_call(&self, function: &str, arguments: &str, block: Hash) -> Result<Vec<u8>, ChainError> {
		let answer: String = self
			.request("state_call", rpc_params![function, arguments, block])
			.await?;
		hex::decode(answer.trim_start_matches("0x"))
			.map_err(|e| ChainError::Node(format!("bytes in hexadecimal expected: {e}")))
	}
}
