//! What an Ethereum wallet signs: USDC's permits (EIP-2612) and authorisations (EIP-3009), and messages to the chain.

use crate::{
	abi::{Order, Permit, ReceiveWithAuthorization, Usdc, Vault},
	l2::{self, L2Error, L2},
};
use alloy::{
	primitives::{keccak256, Address, Bytes, B256, U256},
	rpc::types::TransactionReceipt,
	signers::{local::PrivateKeySigner, SignerSync},
	sol_types::SolStruct,
};
use clustercast_primitives::{
	bridge::{BridgeInfo, Credit, Domain, EthereumAction},
	Balance, EthereumAddress, EthereumSignature,
};
use serde::{Deserialize, Serialize};

/// How long a permit or an authorisation is good, seconds.
const VALIDITY: u64 = 3_600;

/// How a depositor lets the vault take the USDC.
pub enum Consent<'a> {
	/// By a permit, signed, in the transaction of the deposit.
	Permit,
	/// By an approval, in a transaction before it.
	Approval,
	/// By an authorisation; somebody else sends the transaction and receives a fee.
	Authorisation {
		/// Pays for gas.
		payer: &'a PrivateKeySigner,
		/// Micro-USDC.
		fee: Balance,
	},
}

/// An order for this credit.
pub fn order(amount: Balance, refund_to: &EthereumAddress, credit: &Credit) -> Order {
	Order {
		kind: Credit::KIND,
		amount,
		refundTo: Address::from(refund_to.0),
		body: credit.body().bytes().to_vec().into(),
	}
}

fn signed(signer: &PrivateKeySigner, digest: &B256) -> Result<[u8; 65], L2Error> {
	let signature = signer.sign_hash_sync(digest).map_err(|_| L2Error::Key)?;
	Ok(signature.as_bytes())
}

/// EIP-712, with a domain that the token itself states.
async fn typed(l2: &L2, message: &impl SolStruct) -> Result<B256, L2Error> {
	let domain = l2.view(l2.usdc, &Usdc::DOMAIN_SEPARATORCall {}).await?;
	Ok(keccak256(
		[&b"\x19\x01"[..], &domain[..], &message.eip712_hash_struct()[..]].concat(),
	))
}

/// Deposits: the receipt of the deposit's transaction.
pub async fn deposit(
	l2: &L2,
	depositor: &PrivateKeySigner,
	order: Order,
	consent: Consent<'_>,
) -> Result<TransactionReceipt, L2Error> {
	let (owner, amount) = (depositor.address(), U256::from(order.amount));
	match consent {
		Consent::Approval => {
			let call = Usdc::allowanceCall {
				owner,
				spender: l2.vault,
			};
			if l2.view(l2.usdc, &call).await? < amount {
				let approve = Usdc::approveCall {
					spender: l2.vault,
					value: amount,
				};
				l2.execute(depositor, l2.usdc, &approve).await?;
			}
			l2.execute(depositor, l2.vault, &Vault::depositCall { order }).await
		},
		Consent::Permit => {
			let deadline = U256::from(l2.now().await? + VALIDITY);
			let permit = Permit {
				owner,
				spender: l2.vault,
				value: amount,
				nonce: l2.view(l2.usdc, &Usdc::noncesCall { owner }).await?,
				deadline,
			};
			let signature = Bytes::from(signed(depositor, &typed(l2, &permit).await?)?);
			let call = Vault::depositWithPermitCall {
				order,
				deadline,
				signature,
			};
			l2.execute(depositor, l2.vault, &call).await
		},
		Consent::Authorisation { payer, fee } => {
			let (after, before) = (U256::ZERO, U256::from(l2.now().await? + VALIDITY));
			let nonce = Vault::authorizationNonceCall {
				order: order.clone(),
				fee,
				validAfter: after,
				validBefore: before,
			};
			let authorisation = ReceiveWithAuthorization {
				from: owner,
				to: l2.vault,
				value: amount + U256::from(fee),
				validAfter: after,
				validBefore: before,
				nonce: l2.view(l2.vault, &nonce).await?,
			};
			let signature = Bytes::from(signed(depositor, &typed(l2, &authorisation).await?)?);
			let call = Vault::depositWithAuthorizationCall {
				order,
				fee,
				depositor: owner,
				validAfter: after,
				validBefore: before,
				signature,
			};
			l2.execute(payer, l2.vault, &call).await
		},
	}
}

/// A message of an Ethereum wallet to the chain, as it travels from who signs to who submits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SignedAction {
	/// Whose account it is about.
	pub signer: EthereumAddress,
	/// What it says.
	pub action: EthereumAction,
	/// Over its digest for this chain's bridge.
	pub signature: EthereumSignature,
}

impl SignedAction {
	/// Signs for this bridge alone.
	pub fn new(signer: &PrivateKeySigner, action: EthereumAction, bridge: &BridgeInfo) -> Result<Self, L2Error> {
		let digest = action.digest(&domain(bridge));
		Ok(Self {
			signer: l2::address_of(signer),
			action,
			signature: EthereumSignature(signed(signer, &B256::from(digest.0))?),
		})
	}

	/// Whether it is by who it says, for this bridge.
	pub fn verify(&self, bridge: &BridgeInfo) -> bool {
		let digest = B256::from(self.action.digest(&domain(bridge)).0);
		let signature = alloy::primitives::Signature::from_raw_array(&self.signature.0);
		let by = signature.and_then(|signature| signature.recover_address_from_prehash(&digest));
		by.is_ok_and(|by| by == Address::from(self.signer.0))
	}
}

fn domain(bridge: &BridgeInfo) -> Domain {
	Domain {
		chain_id: bridge.chain_id,
		vault: bridge.vault,
	}
}
