//! USDC in and out through whole blocks: unsigned extrinsics as the pool judges them, and MMR leaves as the light client
//! reads them.

use super::*;
use crate::genesis::BRIDGED;
use clustercast_primitives::{
	amount::USDC,
	bridge::{
		account_of,
		attestation::VAULT,
		beefy::{AuthoritySet, MmrLeaf},
		deposit::{self, prove},
		withdrawal, Attestation, Credit, Deposit, Domain, EthereumAction, ProvenDeposit, Stranded,
	},
	crypto::{keccak256, SignedMessage},
	session::SessionProof,
	EthereumAddress, EthereumSignature, Hash as Digest32, PublicKey, Signature,
};
use pallet_usdc_bridge::{Call, Error};
use serde_json::json;
use sp_core::{ecdsa, Pair};
use sp_runtime::transaction_validity::{
	InvalidTransaction, TransactionSource, TransactionValidity, TransactionValidityError,
};

/// The validators of the preset, in its order.
const VALIDATORS: [Sr25519Keyring; 4] = [
	Sr25519Keyring::Alice,
	Sr25519Keyring::Bob,
	Sr25519Keyring::Charlie,
	Sr25519Keyring::Dave,
];

const L2: Domain = Domain {
	chain_id: 31_337,
	vault: EthereumAddress([0xfa; 20]),
};

/// As a chain spec adds it to a preset.
fn vault() -> Value {
	json!({ "usdcBridge": { "l2": { "chainId": L2.chain_id, "vault": L2.vault.to_string() }, "interval": 8, "first": 5 } })
}

/// Runs `test` in block 1 of a chain with a vault.
fn with_vault(preset: &str, test: impl FnOnce()) {
	in_first_block_with(preset, vault(), test);
}

fn wallet() -> ecdsa::Pair {
	ecdsa::Pair::from_seed(&[1; 32])
}

/// The address of wallet 1, which everybody who ever tried that key knows.
fn address() -> EthereumAddress {
	"0x1a642f0e3c3af545e7acbd38b07251b3990914f1".parse().unwrap()
}

fn account() -> AccountId {
	account_of(L2.chain_id, &address()).0.into()
}

/// For the wallet's account: 10 USDC for the escrow, and a session.
fn credit_of(number: u64) -> Credit {
	let account = account_of(L2.chain_id, &address());
	let key = key(number as u8 + 1);
	Credit {
		account,
		escrow: 10 * USDC,
		session_key: key.public(),
		session_limit: 5 * USDC,
		session_expiry: 1_000,
		session_proof: key.sign(SessionProof { account }, &genesis_hash()).signature,
	}
}

/// 20 USDC of the wallet that ask for this.
fn asking(number: u64, credit: Credit) -> Deposit {
	Deposit {
		l2: L2.chain_id,
		number,
		kind: Credit::KIND,
		amount: 20 * USDC,
		depositor: address(),
		refund_to: EthereumAddress([0x61; 20]),
		body: credit.body(),
	}
}

fn deposit_of(number: u64) -> Deposit {
	asking(number, credit_of(number))
}

fn attestation(deposits: &[Deposit]) -> Attestation {
	let leaves: Vec<Digest32> = deposits.iter().map(Deposit::leaf).collect();
	Attestation {
		l2: L2.chain_id,
		kind: VAULT,
		l2_block: 16,
		l2_hash: Digest32([1; 32]),
		root: deposit::root(&leaves),
		count: deposits.len() as u64,
		light_client_block: 0,
	}
}

fn attest(n: u32, by: Sr25519Keyring, attestation: Attestation) -> UncheckedExtrinsic {
	let genesis = Digest32(System::block_hash(0).0);
	let signature = by.sign(&attestation.signing_payload(&genesis));
	let call = Call::attest {
		attestation,
		authority_index: n,
		signature: Signature(signature.0),
	};
	UncheckedExtrinsic::new_bare(call.into())
}

fn import(proven: Vec<ProvenDeposit>) -> UncheckedExtrinsic {
	let deposits = proven.try_into().unwrap();
	UncheckedExtrinsic::new_bare(Call::import_deposits { deposits }.into())
}

fn refund(number: u64) -> UncheckedExtrinsic {
	UncheckedExtrinsic::new_bare(Call::refund { number }.into())
}

/// What a pool says of it.
fn validate(extrinsic: &UncheckedExtrinsic) -> TransactionValidity {
	Executive::validate_transaction(TransactionSource::External, extrinsic.clone(), System::parent_hash())
}

/// Neither pool nor block takes it, and both say why.
fn assert_refused(extrinsic: UncheckedExtrinsic, error: Error<Runtime>) {
	let code = error.encode()[0];
	let refused: TransactionValidityError = InvalidTransaction::Custom(code).into();
	assert_eq!(Executive::apply_extrinsic(extrinsic.clone()), Err(refused));
	assert_kept_out(extrinsic, refused);
}

/// No pool takes it; in a block, where it can only be by an author who wants it there, it is weighed and fails: signatures
/// and proofs are verified by the call alone, once.
fn assert_void(extrinsic: UncheckedExtrinsic, error: Error<Runtime>) {
	assert_kept_out(extrinsic.clone(), InvalidTransaction::Custom(error.encode()[0]).into());
	let before = System::block_weight();
	assert_eq!(apply(extrinsic), Err(error.into()));
	assert!(System::block_weight().total().any_gt(before.total()));
}

fn assert_kept_out(extrinsic: UncheckedExtrinsic, refused: TransactionValidityError) {
	// The pool looks at the next block, which would disturb this one.
	let storage = sp_io::storage::root(sp_runtime::StateVersion::V1);
	frame_support::storage::with_transaction(|| {
		assert_eq!(validate(&extrinsic), Err(refused));
		sp_runtime::TransactionOutcome::Rollback(Ok::<_, sp_runtime::DispatchError>(()))
	})
	.unwrap();
	assert_eq!(storage, sp_io::storage::root(sp_runtime::StateVersion::V1));
}

fn withdraw(amount: Balance) -> Call<Runtime> {
	Call::withdraw {
		to: EthereumAddress([0x51; 20]),
		amount,
		fee: 0,
	}
}

/// The MMR leaf of block `n`, with this extra data.
fn leaf(n: BlockNumber, leaf_extra: Digest32) -> Digest32 {
	let next = BeefyMmrLeaf::next_authority_set_proof();
	MmrLeaf {
		version: 0,
		parent_number: n - 1,
		parent_hash: Digest32(System::block_hash(n - 1).0),
		next_authority_set: AuthoritySet {
			id: next.id,
			len: next.len,
			keyset_commitment: Digest32(next.keyset_commitment.0),
		},
		leaf_extra,
	}
	.hash()
}

fn mmr_root() -> [u8; 32] {
	pallet_mmr::RootHash::<Runtime>::get().0
}

#[test]
fn a_blocks_mmr_leaf_carries_the_root_of_what_it_releases() {
	with_vault(crate::genesis::LOCAL, || {
		let none = Digest32([0; 32]);
		assert_eq!(mmr_root(), leaf(1, none).0);
		let first = leaf(1, none);
		for amount in [2 * USDC, 3 * USDC] {
			assert_ok!(apply(signed(Sr25519Keyring::Alice, withdraw(amount))));
		}
		next_block();
		let released = UsdcBridge::withdrawals(0, 10);
		assert!(released.iter().all(|info| info.place.unwrap().block == 2));
		let leaves: Vec<_> = released.iter().map(|info| info.withdrawal.leaf()).collect();
		let second = leaf(2, withdrawal::root(&leaves));
		let both = keccak256(&[&first.0, &second.0]);
		assert_eq!(mmr_root(), both.0);
		next_block();
		// Peaks are bagged from the right.
		assert_eq!(mmr_root(), keccak256(&[&leaf(3, none).0, &both.0]).0);
	});
}

#[test]
fn the_first_leaf_of_a_sets_time_names_the_set_after_it() {
	let session = json!({ "validators": { "sessionLength": 5 } });
	in_first_block_with(crate::genesis::LOCAL, session, || {
		let none = Digest32([0; 32]);
		let before = BeefyMmrLeaf::next_authority_set_proof().id;
		while System::block_number() < 4 {
			next_block();
		}
		let root = mmr_root();
		next_block();
		assert_eq!(Session::current_index(), 1);
		assert_eq!(BeefyMmrLeaf::next_authority_set_proof().id, before + 1);
		// Four leaves are one peak, and the fifth another.
		assert_eq!(mmr_root(), keccak256(&[&leaf(5, none).0, &root]).0);
	});
}

#[test]
fn what_three_of_four_attest_is_imported_by_anybody() {
	with_vault(BRIDGED, || {
		let deposits = [deposit_of(0), deposit_of(1)];
		let said = attestation(&deposits);
		let proven = prove(&deposits, 0, 2);
		for n in 0..3 {
			assert_refused(import(proven.clone()), Error::NothingAttested);
			assert_ok!(apply(attest(n, VALIDATORS[n as usize], said)));
		}
		assert_ok!(apply(import(proven)));
		assert_eq!(Balances::total_issuance(), constants::EXISTENTIAL_DEPOSIT + 40 * USDC);
		let viewer = TicketBroker::viewer_account(&account());
		assert_eq!(
			(viewer.free, viewer.deposit),
			(
				20 * USDC - constants::EXISTENTIAL_DEPOSIT - 2 * constants::SESSION_DEPOSIT,
				20 * USDC
			)
		);
		assert_eq!(viewer.sessions.len(), 2);
		let info = UsdcBridge::bridge();
		assert_eq!(
			(info.next_deposit, info.imported, info.attested),
			(2, 40 * USDC, Some(said))
		);
		assert_eq!(
			(info.chain_id, info.vault, info.interval, info.first),
			(31_337, L2.vault, 8, 5)
		);
		assert_eq!((info.attestors, info.threshold), (4, 3));
	});
}

#[test]
fn what_a_block_refuses_the_pool_refuses_with_the_same_code() {
	with_vault(BRIDGED, || {
		let deposits = [deposit_of(0), deposit_of(1)];
		let said = attestation(&deposits);
		let [alice, bob, charlie, dave] = VALIDATORS;
		assert_refused(attest(4, alice, said), Error::UnknownAttestor);
		assert_void(attest(0, bob, said), Error::BadSignature);
		assert_void(attest(0, Sr25519Keyring::Eve, said), Error::BadSignature);
		let off = Attestation { l2_block: 17, ..said };
		assert_refused(attest(0, alice, off), Error::NotACheckpoint);
		assert_refused(attest(0, alice, Attestation { l2: 1, ..said }), Error::OtherL2);
		assert_refused(attest(0, alice, Attestation { kind: 1, ..said }), Error::OtherKind);
		assert_refused(attest(0, alice, attestation(&[])), Error::NothingNew);
		for (n, by) in [(0, alice), (1, bob), (2, charlie)] {
			assert_ok!(apply(attest(n, by, said)));
		}
		assert_refused(attest(3, dave, said), Error::AlreadyAccepted);
		assert_refused(attest(3, dave, attestation(&deposits[..1])), Error::ContradictsAccepted);
		let older = Attestation { l2_block: 8, ..said };
		assert_refused(attest(3, dave, older), Error::Outdated);

		let proven = prove(&deposits, 0, 2);
		assert_refused(import(vec![]), Error::NoDeposits);
		assert_refused(import(proven[1..].to_vec()), Error::OutOfOrder);
		let mut altered = proven.clone();
		altered[1].deposit.body = credit_of(7).body();
		assert_void(import(altered), Error::BadProof);
		let more = [deposits.to_vec(), vec![deposit_of(2)]].concat();
		assert_refused(import(prove(&more, 0, 3)), Error::NotAttested);
		assert_ok!(apply(import(proven.clone())));
		assert_refused(import(proven), Error::AlreadyImported);
		assert_refused(refund(0), Error::NotStranded);
	});
}

#[test]
fn what_is_not_understood_goes_back_and_stops_nobody() {
	with_vault(BRIDGED, || {
		let unknown = Deposit {
			kind: 7,
			body: b"not known yet".to_vec().try_into().unwrap(),
			..deposit_of(1)
		};
		let deposits = [deposit_of(0), unknown.clone(), deposit_of(2)];
		let said = attestation(&deposits);
		for n in 0..3 {
			assert_ok!(apply(attest(n, VALIDATORS[n as usize], said)));
		}
		assert_refused(refund(1), Error::NotStranded);
		// It cannot be left out.
		assert_refused(import(prove(&deposits, 2, 1)), Error::OutOfOrder);
		assert_ok!(apply(import(prove(&deposits, 0, 3))));
		let issuance = constants::EXISTENTIAL_DEPOSIT + 40 * USDC;
		assert_eq!(Balances::total_issuance(), issuance);
		assert_eq!(TicketBroker::viewer_account(&account()).sessions.len(), 2);
		assert_eq!(UsdcBridge::stranded(0, 9), [Stranded::from(&unknown)]);
		let info = UsdcBridge::bridge();
		assert_eq!((info.next_deposit, info.stranded, info.imported), (3, 1, 40 * USDC));

		// By nobody, for nothing, once.
		assert_ok!(apply(refund(1)));
		assert_refused(refund(1), Error::NotStranded);
		let owed = UsdcBridge::withdrawals(0, 9)[0].withdrawal;
		assert_eq!((owed.l2, owed.kind), (L2.chain_id, withdrawal::RELEASE));
		assert_eq!((owed.to, owed.amount, owed.fee), (unknown.refund_to, 20 * USDC, 0));
		let info = UsdcBridge::bridge();
		assert_eq!((info.stranded, info.next_withdrawal), (0, 1));
		assert_eq!((info.imported, info.withdrawn), (60 * USDC, 20 * USDC));
		assert_eq!(Balances::total_issuance(), issuance);
		let first = leaf(1, Digest32([0; 32]));
		next_block();
		// The light client's range carries it.
		let second = leaf(2, withdrawal::root(&[owed.leaf()]));
		assert_eq!(mmr_root(), keccak256(&[&first.0, &second.0]).0);
	});
}

#[test]
#[should_panic(expected = "integer `4294967296`, expected u32")]
fn an_l2_whose_chain_id_does_not_fit_is_refused_at_genesis() {
	let l2 = json!({ "chainId": 1u64 << 32, "vault": L2.vault.to_string() });
	let patch = json!({ "usdcBridge": { "l2": l2, "interval": 8, "first": 5 } });
	in_first_block_with(BRIDGED, patch, || ());
}

#[test]
fn a_chain_without_a_vault_takes_and_gives_nothing() {
	in_first_block(crate::genesis::LOCAL, || {
		let said = attestation(&[deposit_of(0)]);
		assert_refused(attest(0, VALIDATORS[0], said), Error::NoVault);
		let refused = apply(signed(Sr25519Keyring::Alice, withdraw(USDC)));
		assert_eq!(refused, Err(Error::<Runtime>::NoVault.into()));
	});
}

#[test]
fn a_wallet_takes_its_money_back_with_nobodys_help_but_the_submitters() {
	with_vault(BRIDGED, || {
		// The submitter's money comes through the bridge as well: there is none else.
		let bob = Sr25519Keyring::Bob.to_account_id();
		let deposits = [
			deposit_of(0),
			asking(
				1,
				Credit {
					account: clustercast_primitives::AccountId(bob.clone().into()),
					escrow: 0,
					session_key: PublicKey([0; 32]),
					session_limit: 0,
					session_expiry: 0,
					session_proof: Signature([0; 64]),
				},
			),
		];
		let said = attestation(&deposits);
		(0..3).for_each(|n| apply(attest(n, VALIDATORS[n as usize], said)).unwrap());
		assert_ok!(apply(import(prove(&deposits, 0, 2))));
		let action = EthereumAction::Withdraw {
			to: address(),
			amount: 0,
			fee: USDC / 10,
			tip: USDC,
			nonce: 0,
			deadline: 100,
		};
		let signature = EthereumSignature(wallet().sign_prehashed(&action.digest(&L2).0).0);
		let act = Call::act { action, signature };
		assert_ok!(apply(signed(Sr25519Keyring::Bob, act.clone())));
		assert_eq!(
			apply(signed(Sr25519Keyring::Bob, act)),
			Err(Error::<Runtime>::AlreadyUsed.into())
		);
		assert!(Balances::balance(&bob) > 20 * USDC + USDC * 9 / 10);
		let withdrawal = UsdcBridge::withdrawals(0, 1)[0].withdrawal;
		assert_eq!(withdrawal.to, address());
		// What keeps the account, and its session's deposit, stay.
		let stays = constants::EXISTENTIAL_DEPOSIT + constants::SESSION_DEPOSIT;
		assert_eq!(withdrawal.amount, 9 * USDC - stays);
		assert_eq!(
			Balances::total_issuance(),
			constants::EXISTENTIAL_DEPOSIT + 40 * USDC - withdrawal.amount
		);
	});
}

#[test]
fn attestors_are_the_validators_in_their_order() {
	with_vault(BRIDGED, || {
		let keys = VALIDATORS.map(|validator| PublicKey(validator.public().0));
		assert_eq!(UsdcBridge::attestor_keys(), keys);
		let accounts = VALIDATORS.map(|validator| validator.to_account_id());
		assert_eq!(Session::validators(), accounts);
	});
}

#[test]
fn a_release_and_an_import_fit_a_block() {
	use pallet_usdc_bridge::WeightInfo;
	type Weights = weights::pallet_usdc_bridge::WeightInfo<Runtime>;
	let block = configs::RuntimeBlockWeights::get().max_block;
	// Each with an action, the dearest of all.
	let action = Weights::act_withdraw()
		.max(Weights::act_unlock())
		.max(Weights::act_collect())
		.max(Weights::act_authorize());
	let whole = Weights::release(constants::RELEASES_PER_BLOCK)
		.saturating_add(Weights::import_deposits(constants::MAX_IMPORTS))
		.saturating_add(action.saturating_mul(constants::MAX_IMPORTS.into()))
		.saturating_add(Weights::attest().saturating_mul(constants::MAX_VALIDATORS.into()));
	assert!(
		whole.all_lt(block.saturating_mul(3).saturating_div(4)),
		"{whole:?} of {block:?}"
	);
}
