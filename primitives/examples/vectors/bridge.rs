//! What `bridge.json` holds: all that the contracts on the L2 hash, prove and check. The MMR is built by the crate that
//! the chain builds it with, and signatures are made by the chain's own secp256k1.

use super::{bytes, hashes, text, GENESIS};
use clustercast_primitives::{
	bridge::{
		account_of, attestation,
		beefy::{keyset_commitment, AuthoritySet, Commitment, MmrLeaf, MmrProof},
		deposit, withdrawal, Action, Attestation, Body, Credit, Deposit, DepositProof, Domain, EthereumAction, Sending,
		Withdrawal, WithdrawalProof,
	},
	crypto::{keccak256, KeyPair, SignedMessage},
	session::SessionProof,
	AccountId, EthereumAddress, Hash, PublicKey, Signature,
};
use codec::Encode;
use serde_json::{json, Value};
use sp_core::{ecdsa, Pair};
use sp_io::crypto::secp256k1_ecdsa_recover;
use sp_mmr_primitives::mmr_lib::{leaf_index_to_pos, util::MemStore, Merge, Result as MmrResult, MMR};

/// Chain id and vault of the domain.
const DOMAIN: Domain = Domain {
	chain_id: 8_453,
	vault: EthereumAddress([0xfa; 20]),
};

/// Content of the file.
pub fn vectors() -> Value {
	let keysets = [0, 1, 2, 3, 4, 5, 7, 21].map(keyset);
	json!({
		"accounts": accounts(),
		"deposits": deposits(),
		"withdrawals": withdrawals(),
		"attestation": attestation(),
		"actions": actions(),
		"sent": sent(),
		"keysets": keysets,
		"mmr": mmr(),
	})
}

fn address(n: u8) -> EthereumAddress {
	EthereumAddress([n; 20])
}

/// secp256k1 key of the validator or wallet `n`.
fn key(n: u8) -> ecdsa::Pair {
	ecdsa::Pair::from_seed(&[n + 1; 32])
}

/// The last 20 bytes of the hash of the uncompressed public key, which is recovered from a signature.
fn address_of(key: &ecdsa::Pair) -> EthereumAddress {
	let (digest, mut address) = ([0x01; 32], [0; 20]);
	let public = secp256k1_ecdsa_recover(&key.sign_prehashed(&digest).0, &digest);
	let public = public.unwrap_or_else(|_| unreachable!("a key's own signature recovers to the key"));
	address.copy_from_slice(&keccak256(&[&public]).0[12..]);
	EthereumAddress(address)
}

/// `r ‖ s ‖ v` with `v` 27 or 28.
fn sign(key: &ecdsa::Pair, digest: &Hash) -> String {
	let mut signature = key.sign_prehashed(&digest.0).0;
	signature[64] += 27;
	bytes(signature)
}

fn accounts() -> Value {
	let addresses = [address(0), address(0xff), address_of(&key(0))];
	let cases = [DOMAIN.chain_id, 1, u32::MAX].map(|l2| {
		addresses.map(|address| {
			json!({
				"l2": l2,
				"address": address.to_string(),
				"account": account_of(l2, &address).to_string(),
			})
		})
	});
	json!({ "domain": "clustercast/account/v2", "cases": cases.concat() })
}

/// Session key `n`, and its proof for an account of the chain of the other vectors.
fn session(n: u8, account: AccountId) -> (PublicKey, Signature) {
	let key = KeyPair::from_seed([n; 32]);
	(key.public(), key.sign(SessionProof { account }, &GENESIS).signature)
}

/// Four credits, an action, one of another kind without a body, and the largest of each field.
fn deposits() -> Value {
	let envelope = |n: u8| Deposit {
		l2: DOMAIN.chain_id,
		number: n.into(),
		kind: Credit::KIND,
		amount: deposit::MIN_DEPOSIT + u128::from(n) * 1_234_567,
		depositor: address(0x40 + n),
		refund_to: address(0x60 + n),
		body: Body::default(),
	};
	let credit = |n: u8| {
		let account = account_of(DOMAIN.chain_id, &address(0x40 + n));
		let (session_key, session_proof) = match n {
			0 => (PublicKey([0; 32]), Signature([0; 64])),
			_ => session(n, account),
		};
		Credit {
			account,
			escrow: u128::from(n) * 1_000_000,
			session_key,
			session_limit: u128::from(n) * 500_000,
			session_expiry: u32::from(n) * 100_000,
			session_proof,
		}
	};
	let known = |n: u8| Deposit {
		body: credit(n).body(),
		..envelope(n)
	};
	let mut items: Vec<Deposit> = (0..4).map(known).collect();
	items.push(Deposit {
		kind: Action::KIND,
		amount: deposit::MIN_ACTION,
		body: taking(5_000_000).body(),
		..envelope(4)
	});
	items.push(Deposit { kind: 2, ..envelope(5) });
	items.push(Deposit {
		l2: u32::MAX,
		number: 6,
		kind: u8::MAX,
		amount: u128::MAX,
		depositor: address(0xff),
		refund_to: address(0xff),
		body: Body::try_from(vec![0xff; deposit::MAX_BODY]).unwrap_or_else(|_| unreachable!("it may be so long")),
	});
	let leaves: Vec<Hash> = items.iter().map(Deposit::leaf).collect();
	let asked = |credit: Credit| {
		json!({
			"account": credit.account.to_string(),
			"escrow": text(credit.escrow),
			"sessionKey": credit.session_key.to_string(),
			"sessionLimit": text(credit.session_limit),
			"sessionExpiry": credit.session_expiry,
			"sessionProof": credit.session_proof.to_string(),
		})
	};
	let fields = |deposit: &Deposit| {
		json!({
			"l2": deposit.l2,
			"number": text(deposit.number),
			"kind": deposit.kind,
			"amount": text(deposit.amount),
			"depositor": deposit.depositor.to_string(),
			"refundTo": deposit.refund_to.to_string(),
			"body": bytes(deposit.body.bytes()),
			"bodyHash": deposit.body.hash().to_string(),
			"credit": deposit.credit().map(asked),
			"leaf": deposit.leaf().to_string(),
			"encoded": bytes(deposit.encode()),
		})
	};
	let tree = |count: usize| {
		let leaves = &leaves[..count];
		let proofs: Vec<Vec<String>> = (0..count as u64)
			.filter_map(|index| DepositProof::new(leaves, index))
			.map(|proof| hashes(&proof.0))
			.collect();
		json!({ "count": count, "root": deposit::root(leaves).to_string(), "proofs": proofs })
	};
	let trees = [0, 1, 2, 3, 4, 5, 6, 7].map(tree);
	json!({
		"depth": deposit::DEPTH,
		"maxBody": deposit::MAX_BODY,
		"creditKind": Credit::KIND,
		"creditLength": Credit::LENGTH,
		"actionKind": Action::KIND,
		"minDeposit": text(deposit::MIN_DEPOSIT),
		"minAction": text(deposit::MIN_ACTION),
		"maxDeposit": text(deposit::MAX_DEPOSIT),
		"items": items.iter().map(fields).collect::<Vec<_>>(),
		"trees": trees,
	})
}

fn withdrawal(n: u8) -> Withdrawal {
	match n {
		5 => Withdrawal {
			l2: u32::MAX,
			kind: u8::MAX,
			id: u64::MAX,
			to: address(0xff),
			amount: u128::MAX,
			fee: u128::MAX,
		},
		_ => Withdrawal {
			l2: DOMAIN.chain_id,
			kind: withdrawal::RELEASE,
			id: n.into(),
			to: address(0x50 + n),
			amount: 1_000_000 + u128::from(n) * 7_654_321,
			fee: u128::from(n) * 10_000,
		},
	}
}

/// Leaves of a block that releases so many.
fn released(width: u8) -> Vec<Hash> {
	(0..width).map(|n| withdrawal(n).leaf()).collect()
}

fn withdrawals() -> Value {
	let fields = |withdrawal: Withdrawal| {
		json!({
			"l2": withdrawal.l2,
			"kind": withdrawal.kind,
			"id": text(withdrawal.id),
			"to": withdrawal.to.to_string(),
			"amount": text(withdrawal.amount),
			"fee": text(withdrawal.fee),
			"leaf": withdrawal.leaf().to_string(),
			"encoded": bytes(withdrawal.encode()),
		})
	};
	let tree = |width: u8| {
		let leaves = released(width);
		let proofs: Vec<Value> = (0..width.into())
			.filter_map(|index| WithdrawalProof::new(&leaves, index))
			.map(|proof| {
				json!({
					"index": proof.index,
					"width": proof.width,
					"path": hashes(&proof.path),
				})
			})
			.collect();
		json!({ "width": width, "root": withdrawal::root(&leaves).to_string(), "proofs": proofs })
	};
	let trees = [0, 1, 2, 3, 4, 5, 6].map(tree);
	json!({
		"items": (0..6).map(withdrawal).map(fields).collect::<Vec<_>>(),
		"trees": trees,
	})
}

fn attestation() -> Value {
	let message = Attestation {
		l2: DOMAIN.chain_id,
		kind: attestation::VAULT,
		l2_block: 30_000_008,
		l2_hash: Hash([0x61; 32]),
		root: Hash([0x62; 32]),
		count: 1_234,
		light_client_block: 7_654_321,
	};
	json!({
		"domain": Attestation::DOMAIN.name(),
		"genesis": GENESIS.to_string(),
		"message": {
			"l2": message.l2,
			"kind": message.kind,
			"l2Block": text(message.l2_block),
			"l2Hash": message.l2_hash.to_string(),
			"root": message.root.to_string(),
			"count": text(message.count),
			"lightClientBlock": message.light_client_block,
		},
		"encoded": bytes(message.encode()),
		"payload": bytes(message.signing_payload(&GENESIS)),
	})
}

fn actions() -> Value {
	let wallet = key(0);
	let case = |name: &str, action: EthereumAction, message: Value| {
		let digest = action.digest(&DOMAIN);
		json!({
			"type": name,
			"message": message,
			"digest": digest.to_string(),
			"signature": sign(&wallet, &digest),
			"encoded": bytes(action.encode()),
		})
	};
	let (tip, nonce, deadline) = (20_000, u64::MAX, 123_456);
	let withdraw = |amount: u128| {
		let (to, fee) = (address(0x71), 30_000);
		let action = EthereumAction::Withdraw {
			to,
			amount,
			fee,
			tip,
			nonce,
			deadline,
		};
		let message = json!({
			"to": to.to_string(),
			"amount": text(amount),
			"fee": text(fee),
			"tip": text(tip),
			"nonce": text(nonce),
			"deadline": deadline,
		});
		case("Withdraw", action, message)
	};
	let unlock = {
		let amount = 5_000_000;
		let action = EthereumAction::Unlock {
			amount,
			tip,
			nonce,
			deadline,
		};
		let message = json!({
			"amount": text(amount),
			"tip": text(tip),
			"nonce": text(nonce),
			"deadline": deadline,
		});
		case("Unlock", action, message)
	};
	let collect = {
		let message = json!({ "tip": text(tip), "nonce": text(nonce), "deadline": deadline });
		case("Collect", EthereumAction::Collect { tip, nonce, deadline }, message)
	};
	let authorize = {
		let (limit, expiry) = (10_000_000, 654_321);
		let (key, proof) = session(0x72, account_of(DOMAIN.chain_id, &address_of(&wallet)));
		let action = EthereumAction::Authorize {
			key,
			limit,
			expiry,
			proof,
			tip,
			nonce,
			deadline,
		};
		let message = json!({
			"key": key.to_string(),
			"limit": text(limit),
			"expiry": expiry,
			"tip": text(tip),
			"nonce": text(nonce),
			"deadline": deadline,
		});
		case("Authorize", action, message)
	};
	json!({
		"domain": {
			"name": "ClusterCast",
			"version": "2",
			"chainId": text(DOMAIN.chain_id),
			"verifyingContract": DOMAIN.vault.to_string(),
		},
		"separator": DOMAIN.separator().to_string(),
		"privateKey": bytes(wallet.seed()),
		"signer": address_of(&wallet).to_string(),
		"account": account_of(DOMAIN.chain_id, &address_of(&wallet)).to_string(),
		"cases": [withdraw(0), withdraw(u128::MAX), unlock, collect, authorize],
	})
}

/// Takes so much back.
fn taking(amount: u128) -> Action {
	Action::Withdraw {
		to: address(0x71),
		amount,
		fee: 30_000,
	}
}

/// Bodies of each action, and what a wallet signs so that anybody can bring one.
fn sent() -> Value {
	let (key, proof) = session(0x72, account_of(DOMAIN.chain_id, &address(0x73)));
	let (limit, expiry) = (10_000_000, 654_321);
	let body = |name: &str, action: Action, fields: Value| {
		json!({
			"action": name,
			"fields": fields,
			"body": bytes(action.body().bytes()),
		})
	};
	let withdraw = |amount: u128| {
		let fields = json!({ "to": address(0x71).to_string(), "amount": text(amount), "fee": text(30_000u32) });
		body("withdraw", taking(amount), fields)
	};
	let unlock = |amount: u128| body("unlock", Action::Unlock { amount }, json!({ "amount": text(amount) }));
	let authorize = {
		let action = Action::Authorize {
			key,
			limit,
			expiry,
			proof,
		};
		let fields = json!({
			"key": key.to_string(),
			"limit": text(limit),
			"expiry": expiry,
			"proof": proof.to_string(),
		});
		body("authorize", action, fields)
	};
	let bodies = [
		withdraw(0),
		withdraw(u128::MAX),
		unlock(0),
		unlock(5_000_000),
		body("collect", Action::Collect, json!({})),
		authorize,
	];
	let wallet = self::key(0);
	let message = |sending: Sending| {
		let digest = sending.digest(&DOMAIN);
		json!({
			"message": {
				"wallet": sending.wallet.to_string(),
				"kind": sending.kind,
				"amount": text(sending.amount),
				"body": bytes(sending.body.bytes()),
				"fee": text(sending.fee),
				"nonce": text(sending.nonce),
				"deadline": text(sending.deadline),
			},
			"digest": digest.to_string(),
			"signature": sign(&wallet, &digest),
		})
	};
	let usual = Sending {
		wallet: address_of(&wallet),
		kind: Action::KIND,
		amount: deposit::MIN_ACTION,
		body: taking(0).body(),
		fee: 50_000,
		nonce: 7,
		deadline: 1_800_000_000,
	};
	let least = Sending {
		wallet: address(0),
		kind: Credit::KIND,
		amount: 0,
		body: Body::default(),
		fee: 0,
		nonce: 0,
		deadline: 0,
	};
	let largest = Sending {
		wallet: address(0xff),
		kind: u8::MAX,
		amount: u128::MAX,
		body: Body::try_from(vec![0xff; deposit::MAX_BODY]).unwrap_or_else(|_| unreachable!("it may be so long")),
		fee: u128::MAX,
		nonce: u64::MAX,
		deadline: u64::MAX,
	};
	let messages = [usual, least, largest].map(message);
	json!({
		"version": Action::VERSION,
		"bodies": bodies,
		"signer": address_of(&wallet).to_string(),
		"messages": messages,
	})
}

/// Addresses of the first validators.
fn addresses(count: u8) -> Vec<EthereumAddress> {
	(0..count).map(|n| address_of(&key(n))).collect()
}

fn keyset(count: u8) -> Value {
	let addresses = addresses(count);
	json!({
		"addresses": addresses.iter().map(EthereumAddress::to_string).collect::<Vec<_>>(),
		"commitment": keyset_commitment(&addresses).to_string(),
	})
}

/// Merges as pallet-mmr does.
struct Merger;

impl Merge for Merger {
	type Item = Hash;

	fn merge(left: &Hash, right: &Hash) -> MmrResult<Hash> {
		Ok(keccak256(&[&left.0, &right.0]))
	}
}

/// Set `n` has `4 + n` validators, the first of all.
fn set(n: u8) -> AuthoritySet {
	AuthoritySet {
		id: n.into(),
		len: 4 + u32::from(n),
		keyset_commitment: keyset_commitment(&addresses(4 + n)),
	}
}

/// Blocks 1 to 7 are of set 0, blocks 8 to 11 of set 1. Block `n` releases `(n - 1) mod 7` withdrawals.
fn mmr() -> Value {
	let leaf = |n: u8| MmrLeaf {
		version: 0,
		parent_number: n.into(),
		parent_hash: Hash([0x80 + n; 32]),
		next_authority_set: set(if n < 7 { 1 } else { 2 }),
		leaf_extra: withdrawal::root(&released(n % 7)),
	};
	let fields = |leaf: &MmrLeaf| {
		json!({
			"version": leaf.version,
			"parentNumber": leaf.parent_number,
			"parentHash": leaf.parent_hash.to_string(),
			"nextAuthoritySetId": text(leaf.next_authority_set.id),
			"nextAuthoritySetLen": leaf.next_authority_set.len,
			"nextAuthoritySetCommitment": leaf.next_authority_set.keyset_commitment.to_string(),
			"leafExtra": leaf.leaf_extra.to_string(),
			"encoded": bytes(leaf.encode()),
			"hash": leaf.hash().to_string(),
		})
	};
	let store = MemStore::default();
	let mut mmr = MMR::<_, Merger, _>::new(0, &store);
	let (mut leaves, mut ranges) = (Vec::new(), Vec::new());
	for n in 0..11u8 {
		leaves.push(leaf(n));
		mmr.push(leaf(n).hash()).expect("memory holds all before it");
		let count = u64::from(n) + 1;
		let proof = |index: u64| {
			let proof = mmr
				.gen_proof(vec![leaf_index_to_pos(index)])
				.expect("the leaf is there");
			let items = proof.proof_items();
			let simple = MmrProof::from_items(index, count, items).expect("these are all items");
			json!({
				"index": index,
				"order": text(simple.order),
				"items": hashes(&simple.items),
				"substrateItems": hashes(items),
			})
		};
		let root = mmr.get_root().expect("it is not empty");
		ranges.push(json!({
			"count": count,
			"root": root.to_string(),
			"proofs": (0..count).map(proof).collect::<Vec<_>>(),
			"commitment": commitment(root, n + 1, u8::from(n >= 7)),
		}));
	}
	json!({ "leaves": leaves.iter().map(fields).collect::<Vec<_>>(), "mmrs": ranges })
}

/// Signed by all validators of the set, in their order.
fn commitment(mmr_root: Hash, block: u8, signers: u8) -> Value {
	let commitment = Commitment {
		mmr_root,
		block: block.into(),
		set: signers.into(),
	};
	let digest = commitment.digest();
	let signatures: Vec<String> = (0..4 + signers).map(|n| sign(&key(n), &digest)).collect();
	json!({
		"block": block,
		"set": text(signers),
		"encoded": bytes(commitment.encode()),
		"digest": digest.to_string(),
		"signatures": signatures,
	})
}
