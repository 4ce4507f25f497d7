//! What is taken and what is refused, by what can be told without asking anybody: sans-IO.

use crate::{
	recipient::Contracts,
	signing::SignedAction,
	wire::{Refusal, SignedDeposit, Terms, MAX_VALIDITY},
};
use alloy::primitives::{Address, B256};
use clustercast_primitives::{
	bridge::{account_of, deposit, Action, Credit, Domain, EthereumAction},
	crypto::Signed,
	session::SessionProof,
	AccountId, Balance, BlockNumber, EthereumAddress, Hash, PublicKey, Signature, Usdc,
};

/// Seconds that an authorisation must still be good for: in less it may not get into a block.
const LEAST_TIME: u64 = 20;

/// Blocks of the chain that an action must still be good for.
const LEAST_BLOCKS: BlockNumber = 5;

/// The chain's bound on how far ahead a deadline may be.
const MOST_BLOCKS: BlockNumber = 1_800;

/// Clocks of L2s run a little apart from those of wallets.
const SLACK: u64 = 60;

/// What an agent knows when it is asked.
#[derive(Clone, Debug)]
pub(crate) struct Situation {
	/// Of the token's signatures.
	pub(crate) token: B256,
	/// Who gives nothing back.
	pub(crate) contracts: Contracts,
	/// As offered now.
	pub(crate) terms: Terms,
	/// What a deposit costs now, micro-USDC: the fee without the margin.
	pub(crate) costs: Balance,
	/// Time of the L2's newest block.
	pub(crate) now: u64,
	/// Best block of the chain.
	pub(crate) block: BlockNumber,
	/// And its last final one.
	pub(crate) final_block: BlockNumber,
}

/// Whether a depositor is one whose signature is judged by its key alone. A contract, or what a wallet let run in its place (EIP-7702), may
/// say yes when it is asked and no when we have paid for gas.
pub(crate) fn code(has_code: bool) -> Result<(), Refusal> {
	match has_code {
		true => Err(Refusal::Contract),
		false => Ok(()),
	}
}

impl Situation {
	pub(crate) fn deposit_id(&self, deposit: &SignedDeposit) -> Hash {
		deposit.digest(Address::from(self.terms.vault.0), &self.token)
	}

	pub(crate) fn action_id(&self, action: &SignedAction) -> Hash {
		action.key(&self.domain())
	}

	pub(crate) fn domain(&self) -> Domain {
		Domain {
			chain_id: self.terms.l2,
			vault: self.terms.vault,
		}
	}

	/// Whether a deposit is one to be tried. A fee that pays for gas is enough: prices may have moved since the terms were
	/// asked for.
	pub(crate) fn deposit(&self, deposit: &SignedDeposit) -> Result<(), Refusal> {
		if !deposit.is_signed(&self.deposit_id(deposit)) {
			return Err(Refusal::BadSignature);
		}
		let least = deposit::least(deposit.kind);
		if !(least..=deposit::MAX_DEPOSIT).contains(&deposit.amount) {
			let reason = format!("a deposit of kind {} is {} to 10,000 USDC", deposit.kind, Usdc(least));
			return Err(Refusal::Malformed { reason });
		}
		if deposit.valid_after >= self.now || deposit.valid_before < self.now.saturating_add(LEAST_TIME) {
			return Err(Refusal::NotNow);
		}
		if deposit.valid_before > self.now.saturating_add(MAX_VALIDITY + SLACK) {
			return Err(Refusal::ValidTooLong { most: MAX_VALIDITY });
		}
		if deposit.fee < self.costs {
			return Err(Refusal::TooLow {
				least: self.terms.deposit.fee,
			});
		}
		self.recipient(&deposit.refund_to)?;
		let own = account_of(self.terms.l2, &deposit.depositor);
		if deposit.kind == Action::KIND {
			return match Action::decode_body(deposit.body.bytes()) {
				Some(Action::Withdraw { to, .. }) => self.recipient(&to),
				Some(Action::Authorize { key, proof, .. }) => self.proof(own, &key, &proof),
				Some(Action::Unlock { .. } | Action::Collect) => Ok(()),
				None => {
					let reason = "the body is no action".into();
					Err(Refusal::Malformed { reason })
				},
			};
		}
		if deposit.kind != Credit::KIND {
			return Ok(());
		}
		let Some(credit) = Credit::decode_body(deposit.body.bytes()) else {
			let reason = "the body is no credit".into();
			return Err(Refusal::Malformed { reason });
		};
		match credit.session_key.0 {
			// The chain credits it and leaves the key out: nobody means that.
			key if key != [0; 32] && credit.account != own => Err(Refusal::BadProof),
			key if key != [0; 32] => self.proof(own, &credit.session_key, &credit.session_proof),
			_ => Ok(()),
		}
	}

	/// Whether an action is one to be tried.
	pub(crate) fn action(&self, signed: &SignedAction) -> Result<(), Refusal> {
		let Some(terms) = self.terms.action else {
			return Err(Refusal::NoActions);
		};
		if !signed.is_signed(&signed.action.digest(&self.domain())) {
			return Err(Refusal::BadSignature);
		}
		let deadline = signed.action.deadline();
		if deadline < self.block.saturating_add(LEAST_BLOCKS) {
			return Err(Refusal::NotNow);
		}
		if deadline > self.block.saturating_add(MOST_BLOCKS) {
			return Err(Refusal::ValidTooLong {
				most: MOST_BLOCKS.into(),
			});
		}
		if signed.action.tip() < terms.tip {
			return Err(Refusal::TooLow { least: terms.tip });
		}
		match &signed.action {
			// One that we would leave lying would be nobody's gain.
			EthereumAction::Withdraw { fee, .. } if *fee < self.terms.withdrawal.fee => Err(Refusal::TooLow {
				least: self.terms.withdrawal.fee,
			}),
			EthereumAction::Withdraw { to, .. } => self.recipient(to),
			EthereumAction::Authorize { key, proof, .. } => {
				self.proof(account_of(self.terms.l2, &signed.signer), key, proof)
			},
			_ => Ok(()),
		}
	}

	fn recipient(&self, to: &EthereumAddress) -> Result<(), Refusal> {
		self.contracts.check(to).map_err(|error| Refusal::BadRecipient {
			reason: error.to_string(),
		})
	}

	/// The session key's own signature. The wallet does not sign it, so whoever changes it makes a message that fails.
	fn proof(&self, account: AccountId, key: &PublicKey, proof: &Signature) -> Result<(), Refusal> {
		let proof = Signed {
			message: SessionProof { account },
			signature: *proof,
		};
		proof.verify(key, &self.terms.genesis).map_err(|_| Refusal::BadProof)
	}
}

#[cfg(test)]
mod tests {
	use super::*;
	use crate::wire::{
		tests::{deposit, TOKEN, VAULT},
		ActionTerms, DepositTerms, WithdrawalTerms,
	};
	use alloy::signers::local::PrivateKeySigner;
	use clustercast_primitives::{bridge::BridgeInfo, crypto::KeyPair};

	const GENESIS: Hash = Hash([5; 32]);
	const L2: u32 = 8_453;

	fn situation() -> Situation {
		let usdc = Address::repeat_byte(0x33);
		Situation {
			token: TOKEN,
			contracts: Contracts::asked(VAULT, usdc, Address::repeat_byte(0x44)),
			terms: Terms {
				l2: L2,
				vault: EthereumAddress(VAULT.0 .0),
				usdc: EthereumAddress(usdc.0 .0),
				genesis: GENESIS,
				deposit: DepositTerms {
					fee: 3_300,
					margin_percent: 50,
					gas: 120_000,
					gas_price: 6_000_000,
					l1_fee: 0,
					ether_price: 3_000_000_000,
					max_validity: MAX_VALIDITY,
				},
				action: Some(ActionTerms { tip: 10_000 }),
				withdrawal: WithdrawalTerms { fee: 20_000 },
			},
			costs: 2_200,
			now: 1_000,
			block: 100,
			final_block: 98,
		}
	}

	/// A credit to the account of the depositor, with a session key that signed for `account`.
	fn credit(deposit: &SignedDeposit, session: Option<AccountId>) -> Credit {
		let key = KeyPair::from_seed([9; 32]);
		let proof = session.map(|account| key.sign(SessionProof { account }, &GENESIS).signature);
		Credit {
			account: account_of(L2, &deposit.depositor),
			escrow: 0,
			session_key: session.map_or(PublicKey([0; 32]), |_| key.public()),
			session_limit: if session.is_some() { 5 } else { 0 },
			session_expiry: if session.is_some() { 500 } else { 0 },
			session_proof: proof.unwrap_or(Signature([0; 64])),
		}
	}

	fn with_credit(change: impl FnOnce(&mut SignedDeposit)) -> SignedDeposit {
		deposit(1, |d| {
			d.body = credit(d, None).body();
			change(d);
		})
	}

	#[test]
	fn deposit_that_is_signed_and_pays_is_taken() {
		assert_eq!(situation().deposit(&with_credit(|_| {})), Ok(()));
		let own = |d: &SignedDeposit| account_of(L2, &d.depositor);
		let with_session = deposit(1, |d| d.body = credit(d, Some(own(d))).body());
		assert_eq!(situation().deposit(&with_session), Ok(()));
	}

	#[test]
	fn deposit_is_refused_for_a_reason_that_is_named() {
		let judged = |change: fn(&mut SignedDeposit)| situation().deposit(&with_credit(change)).unwrap_err();
		assert_eq!(judged(|d| d.fee = 2_199), Refusal::TooLow { least: 3_300 });
		assert_eq!(judged(|d| d.valid_before = 1_019), Refusal::NotNow);
		assert_eq!(judged(|d| d.valid_after = 1_000), Refusal::NotNow);
		assert_eq!(judged(|d| d.valid_before = 1_961), Refusal::ValidTooLong { most: 900 });
		let malformed = |refusal| matches!(refusal, Refusal::Malformed { .. });
		assert!(malformed(judged(|d| d.amount = 999_999)));
		assert!(malformed(judged(|d| d.body = vec![0; 10].try_into().unwrap())));
		for contract in [
			VAULT,
			Address::repeat_byte(0x33),
			Address::repeat_byte(0x44),
			Address::ZERO,
		] {
			let lost = with_credit(|d| d.refund_to = EthereumAddress(contract.0 .0));
			assert!(matches!(situation().deposit(&lost), Err(Refusal::BadRecipient { .. })));
		}
		let mut forged = with_credit(|_| {});
		forged.amount += 1;
		assert_eq!(situation().deposit(&forged), Err(Refusal::BadSignature));
		let stolen = deposit(1, |d| d.body = credit(d, Some(AccountId([1; 32]))).body());
		assert_eq!(situation().deposit(&stolen), Err(Refusal::BadProof));
		let for_another = deposit(1, |d| {
			let mut credit = credit(d, Some(AccountId([1; 32])));
			credit.account = AccountId([1; 32]);
			d.body = credit.body();
		});
		assert_eq!(situation().deposit(&for_another), Err(Refusal::BadProof));
	}

	#[test]
	fn deposit_with_an_action_is_judged_by_what_it_asks_for() {
		let with = |action: Action, amount: Balance| {
			deposit(1, |d| {
				(d.kind, d.amount, d.body) = (Action::KIND, amount, action.body())
			})
		};
		let judged = |deposit: &SignedDeposit| situation().deposit(deposit);
		let withdraw = |to: Address| Action::Withdraw {
			to: EthereumAddress(to.0 .0),
			amount: 0,
			fee: 0,
		};
		let least = deposit::MIN_ACTION;
		assert_eq!(judged(&with(withdraw(Address::repeat_byte(9)), least)), Ok(()));
		assert_eq!(judged(&with(Action::Unlock { amount: 0 }, least)), Ok(()));
		assert_eq!(judged(&with(Action::Collect, least)), Ok(()));
		let Err(Refusal::Malformed { reason }) = judged(&with(Action::Collect, least - 1)) else {
			panic!("less than the vault takes");
		};
		assert_eq!(reason, "a deposit of kind 1 is 0.100000 to 10,000 USDC");
		let lost = judged(&with(withdraw(VAULT), least));
		assert!(matches!(lost, Err(Refusal::BadRecipient { .. })));
		let unproven = Action::Authorize {
			key: KeyPair::from_seed([9; 32]).public(),
			limit: 5,
			expiry: 500,
			proof: Signature([0; 64]),
		};
		assert_eq!(judged(&with(unproven, least)), Err(Refusal::BadProof));
		let junk = deposit(1, |d| (d.kind, d.body) = (Action::KIND, Default::default()));
		assert!(matches!(judged(&junk), Err(Refusal::Malformed { reason }) if reason == "the body is no action"));
	}

	fn action(action: EthereumAction) -> SignedAction {
		let signer = PrivateKeySigner::from_bytes(&B256::repeat_byte(1)).unwrap();
		SignedAction::new(&signer, action, &situation().domain()).unwrap()
	}

	fn withdrawal(to: EthereumAddress, tip: Balance, deadline: BlockNumber) -> SignedAction {
		action(EthereumAction::Withdraw {
			to,
			amount: 0,
			fee: 20_000,
			tip,
			nonce: 1,
			deadline,
		})
	}

	#[test]
	fn action_is_taken_or_refused_for_a_reason_that_is_named() {
		let to = EthereumAddress([9; 20]);
		let judged = |signed: &SignedAction| situation().action(signed);
		assert_eq!(judged(&withdrawal(to, 10_000, 700)), Ok(()));
		assert_eq!(
			judged(&withdrawal(to, 9_999, 700)),
			Err(Refusal::TooLow { least: 10_000 })
		);
		assert_eq!(judged(&withdrawal(to, 10_000, 104)), Err(Refusal::NotNow));
		assert_eq!(
			judged(&withdrawal(to, 10_000, 1_901)),
			Err(Refusal::ValidTooLong { most: 1_800 })
		);
		let vault = EthereumAddress(VAULT.0 .0);
		assert!(matches!(
			judged(&withdrawal(vault, 10_000, 700)),
			Err(Refusal::BadRecipient { .. })
		));
		let mut forged = withdrawal(to, 10_000, 700);
		forged.signer = EthereumAddress([8; 20]);
		assert_eq!(judged(&forged), Err(Refusal::BadSignature));
		let mut without = situation();
		without.terms.action = None;
		assert_eq!(without.action(&withdrawal(to, 10_000, 700)), Err(Refusal::NoActions));
	}

	#[test]
	fn depositor_with_code_is_not_served() {
		assert_eq!((code(true), code(false)), (Err(Refusal::Contract), Ok(())));
	}

	#[test]
	fn two_wallets_that_sign_the_same_have_two_orders() {
		let one = withdrawal(EthereumAddress([9; 20]), 10_000, 700);
		let signer = PrivateKeySigner::from_bytes(&B256::repeat_byte(2)).unwrap();
		let other = SignedAction::new(&signer, one.action, &situation().domain()).unwrap();
		assert_eq!((situation().action(&one), situation().action(&other)), (Ok(()), Ok(())));
		assert_ne!(situation().action_id(&one), situation().action_id(&other));
	}

	#[test]
	fn withdrawal_that_we_would_not_execute_is_not_taken() {
		let mut dear = situation();
		dear.terms.withdrawal.fee = 20_001;
		let withdrawal = withdrawal(EthereumAddress([9; 20]), 10_000, 700);
		assert_eq!(dear.action(&withdrawal), Err(Refusal::TooLow { least: 20_001 }));
	}

	#[test]
	fn proof_that_somebody_changed_takes_nobodys_place() {
		let signer = PrivateKeySigner::from_bytes(&B256::repeat_byte(1)).unwrap();
		let account = account_of(L2, &EthereumAddress(signer.address().0 .0));
		let key = KeyPair::from_seed([9; 32]);
		let good = action(EthereumAction::Authorize {
			key: key.public(),
			limit: 5,
			expiry: 500,
			proof: key.sign(SessionProof { account }, &GENESIS).signature,
			tip: 10_000,
			nonce: 1,
			deadline: 700,
		});
		assert_eq!(situation().action(&good), Ok(()));
		let mut changed = good.clone();
		if let EthereumAction::Authorize { proof, .. } = &mut changed.action {
			proof.0[0] ^= 1;
		}
		// The same id: had it been taken, the good one would be known already.
		assert_eq!(situation().action_id(&changed), situation().action_id(&good));
		assert_eq!(situation().action(&changed), Err(Refusal::BadProof));
	}

	#[test]
	fn domain_is_that_of_the_chains_bridge() {
		let bridge = BridgeInfo {
			chain_id: L2,
			vault: EthereumAddress(VAULT.0 .0),
			interval: 1,
			first: 0,
			attested: None,
			next_deposit: 0,
			stranded: 0,
			next_withdrawal: 0,
			queued: 0,
			outflow_left: 0,
			imported: 0,
			withdrawn: 0,
			issuance: 0,
			attestors: 1,
			threshold: 1,
			genesis: GENESIS,
		};
		assert!(withdrawal(EthereumAddress([9; 20]), 10_000, 700).verify(&bridge));
	}
}
