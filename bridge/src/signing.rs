//! What an Ethereum wallet signs: USDC's permits (EIP-2612) and authorisations (EIP-3009), and messages to the chain.

use crate::{
	abi::{Order, Permit, Usdc, Vault},
	acts,
	l2::{self, L2Error, L2},
	wire::{SignedDeposit, MAX_VALIDITY},
};
use alloy::{
	primitives::{keccak256, Address, Bytes, B256, U256},
	rpc::types::TransactionReceipt,
	signers::{local::PrivateKeySigner, SignerSync},
	sol_types::SolStruct,
};
use clustercast_primitives::{
	bridge::{BridgeInfo, Credit, Domain, EthereumAction},
	Balance, EthereumAddress, EthereumSignature, Hash,
};
use serde::{Deserialize, Serialize};

/// How long a permit is good, seconds.
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

/// EIP-712, with a domain that the token itself states: see [`token`].
pub(crate) fn typed(domain: &B256, message: &impl SolStruct) -> B256 {
	keccak256([&b"\x19\x01"[..], &domain[..], &message.eip712_hash_struct()[..]].concat())
}

/// The domain of the token's signatures.
pub async fn token(l2: &L2) -> Result<B256, L2Error> {
	l2.view(l2.usdc, &Usdc::DOMAIN_SEPARATORCall {}).await
}

/// Signs a deposit that somebody else submits. Its signature is none before.
pub fn sign(depositor: &PrivateKeySigner, deposit: &mut SignedDeposit, digest: &Hash) -> Result<(), L2Error> {
	deposit.signature = EthereumSignature(signed(depositor, &B256::from(digest.0))?);
	Ok(())
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
			let signature = Bytes::from(signed(depositor, &typed(&token(l2).await?, &permit))?);
			// The vault goes on where a permit fails, since somebody may have used it; then the token says only that it lacks an
			// approval. So the cause is asked for here.
			let used = Usdc::permitCall {
				owner,
				spender: l2.vault,
				value: amount,
				deadline,
				signature: signature.clone(),
			};
			l2.simulate(owner, l2.usdc, &used).await?;
			let call = Vault::depositWithPermitCall {
				order,
				deadline,
				signature,
			};
			l2.execute(depositor, l2.vault, &call).await
		},
		Consent::Authorisation { payer, fee } => {
			let mut deposit = SignedDeposit {
				depositor: l2::address_of(depositor),
				kind: order.kind,
				amount: order.amount,
				refund_to: EthereumAddress(order.refundTo.0 .0),
				body: order.body.to_vec().try_into().unwrap_or_default(),
				fee,
				valid_after: 0,
				valid_before: l2.now().await? + MAX_VALIDITY,
				signature: EthereumSignature([0; 65]),
			};
			let digest = deposit.digest(l2.vault, &token(l2).await?);
			sign(depositor, &mut deposit, &digest)?;
			l2.execute(payer, l2.vault, &deposit.call()).await
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
	/// Signs for the bridge that the domain names, and no other.
	pub fn new(signer: &PrivateKeySigner, action: EthereumAction, domain: &Domain) -> Result<Self, L2Error> {
		let digest = action.digest(domain);
		Ok(Self {
			signer: l2::address_of(signer),
			action,
			signature: EthereumSignature(signed(signer, &B256::from(digest.0))?),
		})
	}

	/// Whether it is by who it says, for this bridge.
	pub fn verify(&self, bridge: &BridgeInfo) -> bool {
		self.is_signed(&self.action.digest(&domain(bridge)))
	}

	/// By what chain and agents tell it from others: see [`acts::key`].
	pub fn key(&self, domain: &Domain) -> Hash {
		acts::key(&self.signer, &self.action.digest(domain))
	}

	/// Whether this is its digest, and signed by who it says.
	pub(crate) fn is_signed(&self, digest: &Hash) -> bool {
		let signature = alloy::primitives::Signature::from_raw_array(&self.signature.0);
		let by = signature.and_then(|signature| signature.recover_address_from_prehash(&B256::from(digest.0)));
		by.is_ok_and(|by| by == Address::from(self.signer.0))
	}
}

/// What messages to this bridge's chain are signed for.
pub fn domain(bridge: &BridgeInfo) -> Domain {
	Domain {
		chain_id: bridge.chain_id,
		vault: bridge.vault,
	}
}
