//! Benchmarks: as many validators as there can be, the one that is missing; deposits with everything in them, for accounts
//! that have most to be changed; each kind of message, with a tip.

use super::*;
use alloc::vec::Vec;
use clustercast_primitives::{
	amount::USDC,
	bridge::{
		account_of, attestation::VAULT, deposit, Attestation, Body, Credit, Deposit, Domain, DoubleAttestation,
		EthereumAction, WithdrawalPlace,
	},
	crypto::{keccak256, SignedMessage},
	session::SessionProof,
	Balance, EthereumAddress, EthereumSignature, Hash, PublicKey, Signature,
};
use frame_benchmarking::v2::*;
use frame_support::{
	traits::{
		fungible::{Inspect, Mutate},
		Get,
	},
	weights::WeightMeter,
	BoundedVec,
};
use frame_system::RawOrigin;
use pallet_ticket_broker::Escrow;
use sp_core::{ecdsa, ed25519, sr25519};

/// The other end.
const L2: Domain = Domain {
	chain_id: 1,
	vault: EthereumAddress([0xfa; 20]),
};

/// What is left to spend, micro-USDC.
const PLENTY: Balance = 1_000 * USDC;

fn with_vault<T: Config>() {
	Vault::<T>::put(VaultInfo {
		l2: L2,
		interval: 1,
		first: 0,
	});
}

fn attestation(l2_block: u64, deposits: &[Deposit]) -> Attestation {
	let leaves: Vec<Hash> = deposits.iter().map(Deposit::leaf).collect();
	Attestation {
		l2: L2.chain_id,
		kind: VAULT,
		l2_block,
		l2_hash: Hash([1; 32]),
		root: deposit::root(&leaves),
		count: deposits.len() as u64,
		light_client_block: 1,
	}
}

/// As many validators as there can be, who all say this but the last.
fn validators<T: Config>(said: Attestation) -> (u32, PublicKey) {
	let validator = |n: u32| {
		let key = sp_io::crypto::sr25519_generate(crypto::KEY_TYPE, None);
		Attestor {
			validator: account::<T::AccountId>("validator", n, 0),
			key: PublicKey(key.0),
			said: Some((said, 0)),
			muted: false,
		}
	};
	let mut all: Vec<_> = (0..T::MaxAttestors::get()).map(validator).collect();
	let last = all.last_mut().expect("there is at least one");
	last.said = None;
	let key = last.key;
	Attestors::<T>::put(BoundedVec::truncate_from(all));
	(T::MaxAttestors::get() - 1, key)
}

fn sign<T: Config>(key: &PublicKey, attestation: &Attestation) -> Signature {
	let payload = attestation.signing_payload(&Pallet::<T>::genesis());
	let key = sr25519::Public::from_raw(key.0);
	let signature = sp_io::crypto::sr25519_sign(crypto::KEY_TYPE, &key, &payload);
	Signature(signature.expect("the keystore made this key").0)
}

/// A wallet: its key, address, and its account with plenty of money.
fn wallet<T: Config>() -> (ecdsa::Public, T::AccountId)
where
	T::Currency: Mutate<T::AccountId>,
{
	let key = sp_io::crypto::ecdsa_generate(crypto::KEY_TYPE, None);
	let digest = Hash([1; 32]);
	let signature = sign_digest(&key, &digest);
	let public = sp_io::crypto::secp256k1_ecdsa_recover(&signature.0, &digest.0);
	let public = public.unwrap_or_else(|_| panic!("a key's own signature recovers to the key"));
	let mut address = [0; 20];
	address.copy_from_slice(&keccak256(&[&public]).0[12..]);
	let account = T::AccountId::from(account_of(L2.chain_id, &EthereumAddress(address)).0);
	T::Currency::set_balance(&account, PLENTY);
	(key, account)
}

fn sign_digest(key: &ecdsa::Public, digest: &Hash) -> EthereumSignature {
	let signature = sp_io::crypto::ecdsa_sign_prehashed(crypto::KEY_TYPE, key, &digest.0);
	EthereumSignature(signature.expect("the keystore made this key").0)
}

/// A submitter who can receive.
fn rich<T: Config>(name: &'static str) -> T::AccountId
where
	T::Currency: Mutate<T::AccountId>,
{
	let who: T::AccountId = account(name, 0, 0);
	T::Currency::set_balance(&who, PLENTY);
	who
}

/// Money that came in before, so that it can be withdrawn.
fn waiting<T: Config>(count: u32)
where
	T::Currency: Mutate<T::AccountId>,
{
	let who = rich::<T>("leaver");
	for _ in 0..count {
		let to = EthereumAddress([1; 20]);
		Pallet::<T>::do_withdraw(who.clone(), to, T::MinWithdrawal::get(), 0).expect("has the money");
	}
}

#[benchmarks(where T::Currency: Mutate<T::AccountId> + Inspect<T::AccountId, Balance = Balance>)]
mod benchmarks {
	use super::*;

	#[benchmark]
	fn attest() {
		with_vault::<T>();
		let said = attestation(1, &[deposit_of(0)]);
		let (last, key) = validators::<T>(said);
		let signature = sign::<T>(&key, &said);
		#[extrinsic_call]
		_(RawOrigin::None, said, last, signature);
		assert_eq!(Attested::<T>::get(), Some(said));
	}

	/// For accounts that asked for all of their deposit, which was paid away since: the new one ends that.
	#[benchmark]
	fn import_deposits(n: Linear<1, 32>) {
		with_vault::<T>();
		let deposits: Vec<Deposit> = (0..n).map(deposit_with_session::<T>).collect();
		for credit in deposits.iter().filter_map(Deposit::credit) {
			let who = T::AccountId::from(credit.account.0);
			T::Currency::set_balance(&who, PLENTY);
			let deposited = T::Escrow::deposit_for(&who, USDC);
			T::Escrow::unlock_for(&who, deposited).expect("it was deposited");
		}
		let minted = Imported::<T>::get();
		Attested::<T>::put(attestation(1, &deposits));
		let proven = BoundedVec::truncate_from(deposit::prove(&deposits, 0, n as usize));
		#[extrinsic_call]
		_(RawOrigin::None, proven);
		assert_eq!(NextDeposit::<T>::get(), u64::from(n));
		assert_eq!(Imported::<T>::get() - minted, Balance::from(n) * 20 * USDC);
	}

	#[benchmark]
	fn withdraw() {
		with_vault::<T>();
		let who = rich::<T>("leaver");
		#[extrinsic_call]
		_(
			RawOrigin::Signed(who),
			EthereumAddress([1; 20]),
			T::MinWithdrawal::get(),
			0,
		);
		assert_eq!(Line::<T>::get().next, 1);
	}

	/// All that there is, so that the account is reaped.
	#[benchmark]
	fn act_withdraw() {
		with_vault::<T>();
		let (key, who) = wallet::<T>();
		let action = EthereumAction::Withdraw {
			to: EthereumAddress([1; 20]),
			amount: 0,
			fee: 0,
			tip: USDC,
			nonce: 0,
			deadline: deadline::<T>(),
		};
		let signature = sign_digest(&key, &action.digest(&L2));
		#[extrinsic_call]
		act(RawOrigin::Signed(rich::<T>("submitter")), action, signature);
		assert_eq!(T::Currency::balance(&who), 0);
	}

	#[benchmark]
	fn act_unlock() {
		with_vault::<T>();
		let (key, who) = wallet::<T>();
		T::Escrow::deposit_for(&who, USDC);
		let action = EthereumAction::Unlock {
			amount: 0,
			tip: USDC,
			nonce: 0,
			deadline: deadline::<T>(),
		};
		let signature = sign_digest(&key, &action.digest(&L2));
		#[extrinsic_call]
		act(RawOrigin::Signed(rich::<T>("submitter")), action, signature);
		assert_eq!(T::Currency::balance(&who), PLENTY - 2 * USDC);
	}

	#[benchmark]
	fn act_collect() {
		with_vault::<T>();
		let (key, who) = wallet::<T>();
		let deposited = T::Escrow::deposit_for(&who, USDC);
		T::Escrow::unlock_for(&who, deposited).expect("it was deposited");
		T::Escrow::skip_delay();
		let action = EthereumAction::Collect {
			tip: USDC,
			nonce: 0,
			deadline: deadline::<T>(),
		};
		let signature = sign_digest(&key, &action.digest(&L2));
		#[extrinsic_call]
		act(RawOrigin::Signed(rich::<T>("submitter")), action, signature);
		assert_eq!(T::Currency::balance(&who), PLENTY - USDC);
	}

	#[benchmark]
	fn act_authorize() {
		with_vault::<T>();
		let (key, who) = wallet::<T>();
		let (session, proof) = session_of::<T>(clustercast_primitives::AccountId(who.clone().into()));
		let action = EthereumAction::Authorize {
			key: session,
			limit: USDC,
			expiry: deadline::<T>(),
			proof,
			tip: USDC,
			nonce: 0,
			deadline: deadline::<T>(),
		};
		let signature = sign_digest(&key, &action.digest(&L2));
		#[extrinsic_call]
		act(RawOrigin::Signed(rich::<T>("submitter")), action, signature);
		// The session's deposit is held on it.
		assert_eq!(T::Currency::total_balance(&who), PLENTY - USDC);
	}

	#[benchmark]
	fn report_attestation_equivocation() {
		with_vault::<T>();
		let (one, other) = (attestation(1, &[deposit_of(0)]), attestation(1, &[]));
		let (last, key) = validators::<T>(one);
		let evidence = DoubleAttestation {
			first: (one, sign::<T>(&key, &one)),
			second: (other, sign::<T>(&key, &other)),
		};
		#[extrinsic_call]
		_(RawOrigin::Signed(rich::<T>("reporter")), last, evidence);
		assert!(Attestors::<T>::get()[last as usize].muted);
	}

	/// The last of as many as can wait.
	#[benchmark]
	fn refund() {
		with_vault::<T>();
		let number = u64::from(T::MaxStranded::get()) - 1;
		for number in 0..=number {
			let deposit = Deposit {
				kind: u8::MAX,
				body: Body::default(),
				..deposit_of(number as u32)
			};
			Stranded::<T>::insert(number, clustercast_primitives::bridge::Stranded::from(&deposit));
		}
		#[extrinsic_call]
		_(RawOrigin::None, number);
		assert_eq!(Line::<T>::get().next, 1);
	}

	#[benchmark]
	fn release(n: Linear<0, 16>) {
		with_vault::<T>();
		waiting::<T>(n);
		BlockRoot::<T>::put(Hash([1; 32]));
		#[block]
		{
			Pallet::<T>::do_release();
		}
		assert_eq!(Line::<T>::get().waiting, u64::from(n));
	}

	#[benchmark]
	fn forget_withdrawals(n: Linear<0, 100>) {
		// One more is looked at, and kept.
		let now = T::Memory::get() + 1;
		for id in 0..=n {
			let place = WithdrawalPlace {
				block: if id < n { 0 } else { now },
				index: 0,
				width: 1,
			};
			let (to, amount, fee) = (EthereumAddress([1; 20]), USDC, 0);
			let place = Some(place);
			Withdrawals::<T>::insert(u64::from(id), StoredWithdrawal { to, amount, fee, place });
		}
		let next = u64::from(n) + 1;
		Line::<T>::put(LineNumbers {
			oldest: 0,
			waiting: next,
			next,
		});
		frame_system::Pallet::<T>::set_block_number(now.into());
		let mut meter = WeightMeter::new();
		#[block]
		{
			Pallet::<T>::do_forget_withdrawals(&mut meter);
		}
		assert_eq!(Line::<T>::get().oldest, u64::from(n));
	}

	#[benchmark]
	fn clear_actions(n: Linear<0, 100>) {
		for index in 0..n {
			UsedActions::<T>::insert(0, keccak256(&[&index.to_le_bytes()]), ());
		}
		OldestEpoch::<T>::put(0);
		frame_system::Pallet::<T>::set_block_number(T::MaxActionLife::get().into());
		let mut meter = WeightMeter::new();
		#[block]
		{
			Pallet::<T>::do_clear_actions(&mut meter);
		}
		assert_eq!(OldestEpoch::<T>::get(), 1);
	}

	impl_benchmark_test_suite!(
		Pallet,
		crate::mock::ExtBuilder::default().build_with_keystore(),
		crate::mock::Test
	);
}

/// The last block in which a message can be taken.
fn deadline<T: Config>() -> u32 {
	Pallet::<T>::now() + T::MaxActionLife::get()
}

/// A new session key, and its proof for this account.
fn session_of<T: Config>(account: clustercast_primitives::AccountId) -> (PublicKey, Signature) {
	let key = sp_io::crypto::ed25519_generate(crypto::KEY_TYPE, None);
	let payload = SessionProof { account }.signing_payload(&Pallet::<T>::genesis());
	let signature: Option<ed25519::Signature> = sp_io::crypto::ed25519_sign(crypto::KEY_TYPE, &key, &payload);
	(
		PublicKey(key.0),
		Signature(signature.expect("the keystore made this key").0),
	)
}

/// The deposit of this number, with a session whose key proves that it is the account's.
fn deposit_with_session<T: Config>(n: u32) -> Deposit {
	let deposit = deposit_of(n);
	let credit = deposit.credit().map(|credit| {
		let (session_key, session_proof) = session_of::<T>(credit.account);
		Credit {
			session_key,
			session_proof,
			..credit
		}
	});
	Deposit {
		body: credit.map(|credit| credit.body()).unwrap_or_default(),
		..deposit
	}
}

/// Deposit of a wallet, with escrow and session.
fn deposit_of(n: u32) -> Deposit {
	let mut depositor = EthereumAddress([0x41; 20]);
	depositor.0[..4].copy_from_slice(&n.to_le_bytes());
	let account = account_of(L2.chain_id, &depositor);
	let credit = Credit {
		account,
		escrow: 10 * USDC,
		session_key: PublicKey(account.0),
		session_limit: USDC,
		session_expiry: 100_000,
		session_proof: Signature([1; 64]),
	};
	Deposit {
		l2: L2.chain_id,
		number: n.into(),
		kind: Credit::KIND,
		amount: 20 * USDC,
		depositor,
		refund_to: depositor,
		body: credit.body(),
	}
}
