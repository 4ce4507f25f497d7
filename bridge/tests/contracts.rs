//! The agent's half of the bridge against the real contracts on anvil. Validators are keys of this test; what BEEFY, the
//! MMR and the chain's withdrawals say is made here by the rules of `clustercast-primitives`.
//!
//! Needs `contracts/setup`.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use alloy::{
	network::TransactionBuilder,
	primitives::{Address, Bytes, B256, U256},
	providers::{Provider, RootProvider},
	rpc::{client::ClientBuilder, types::TransactionRequest},
	signers::{local::PrivateKeySigner, SignerSync},
	sol_types::SolValue,
};
use clustercast_bridge::{
	abi::{self, LightClient, Order, Vault},
	l2::{L2Error, L2},
	proofs,
	signing::{self, Consent},
};
use clustercast_chain::bridge::{Justification, ProvenLeaf};
use clustercast_primitives::{
	bridge::{
		account_of, attestation,
		beefy::{AuthoritySet, Commitment, MmrLeaf, MmrProof},
		deposit, withdrawal, Action, Attestation, Credit, Deposit, Domain, Sending, Withdrawal, WithdrawalPlace,
	},
	crypto::keccak256,
	AccountId, EthereumAddress, Hash, PublicKey, Signature,
};
use serde_json::{json, Value};
use std::{
	fs,
	io::{BufRead, BufReader},
	path::PathBuf,
	process::{Child, Command, Stdio},
	sync::Arc,
	time::Duration,
};

const CHAIN: u32 = 31_337;

const USDC: u128 = 1_000_000;

/// Of anvil's first account.
const DEPLOYER: &str = "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80";

fn contracts() -> PathBuf {
	PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../contracts")
}

/// anvil with the contracts; ends with the test.
struct World {
	anvil: Child,
	url: String,
	rpc: RootProvider,
	l2: L2,
	/// Holds ETH and USDC.
	alice: PrivateKeySigner,
	/// Holds ETH.
	bob: PrivateKeySigner,
}

impl Drop for World {
	fn drop(&mut self) {
		let _ = self.anvil.kill();
		let _ = self.anvil.wait();
	}
}

fn key(n: u8) -> PrivateKeySigner {
	PrivateKeySigner::from_bytes(&B256::repeat_byte(n)).unwrap()
}

/// Validators of a set: four, other ones in each.
fn set(id: u64) -> Vec<PrivateKeySigner> {
	(0..4).map(|n| key(100 + 4 * id as u8 + n)).collect()
}

fn members(id: u64) -> Vec<Address> {
	set(id).iter().map(PrivateKeySigner::address).collect()
}

impl World {
	async fn new() -> Self {
		let program = contracts().join("node_modules/.bin/anvil");
		let mut anvil = Command::new(&program)
			.args(["--port", "0", "--slots-in-an-epoch", "1"])
			.stdout(Stdio::piped())
			.spawn()
			.unwrap_or_else(|e| panic!("{}: {e}; run contracts/setup", program.display()));
		let mut lines = BufReader::new(anvil.stdout.take().unwrap()).lines();
		let address = lines.find_map(|line| line.unwrap().strip_prefix("Listening on ").map(str::to_owned));
		let url = format!("http://{}", address.unwrap());
		std::thread::spawn(move || lines.for_each(drop));
		let rpc = RootProvider::new(ClientBuilder::default().hyper_http(url.parse().unwrap()));

		let text = |id: u64| {
			let set = proofs::commitment_of(id, &members(id));
			format!("{},{},{}", set.id, set.length, set.commitment)
		};
		let deployed = Command::new("node")
			.arg(contracts().join("js/deploy.mjs"))
			.args(["--rpc", &url, "--key", DEPLOYER, "--own-usdc"])
			.args(["--current", &text(0), "--next", &text(1)])
			.output()
			.unwrap();
		let why = String::from_utf8_lossy(&deployed.stderr);
		assert!(deployed.status.success(), "{why}; run contracts/setup");
		let deployed: Value = serde_json::from_slice(&deployed.stdout).unwrap();
		let address = |name: &str| deployed[name].as_str().unwrap().parse::<Address>().unwrap();
		let (usdc, light_client, vault) = (address("usdc"), address("lightClient"), address("vault"));
		let l2 = L2::connect(&url, &EthereumAddress(vault.0 .0), CHAIN).await.unwrap();
		assert_eq!((l2.usdc, l2.light_client), (usdc, light_client));

		let (alice, bob) = (key(1), key(2));
		for owner in [&alice, &bob] {
			request(&rpc, "anvil_setBalance", json!([owner.address(), "0xde0b6b3a7640000"])).await;
		}
		let mint = [
			&keccak256(&[b"mint(address,uint256)"]).0[..4],
			&(alice.address(), U256::from(1_000 * USDC)).abi_encode(),
		]
		.concat();
		send(&rpc, TransactionRequest::default().with_to(usdc).with_input(mint)).await;
		Self {
			anvil,
			url,
			rpc,
			l2,
			alice,
			bob,
		}
	}

	async fn usdc(&self, owner: Address) -> u128 {
		self.l2.balance(owner).await.unwrap().to()
	}
}

async fn request(rpc: &RootProvider, method: &'static str, params: Value) -> Value {
	rpc.raw_request(method.into(), params).await.unwrap()
}

/// From anvil's first account, which deployed all and which anvil signs for.
async fn send(rpc: &RootProvider, transaction: TransactionRequest) {
	let accounts: Vec<Address> = serde_json::from_value(request(rpc, "eth_accounts", json!([])).await).unwrap();
	let transaction = serde_json::to_value(transaction.with_from(accounts[0])).unwrap();
	let hash: B256 = serde_json::from_value(request(rpc, "eth_sendTransaction", json!([transaction])).await).unwrap();
	let receipt = loop {
		match rpc.get_transaction_receipt(hash).await.unwrap() {
			Some(receipt) => break receipt,
			None => tokio::time::sleep(Duration::from_millis(20)).await,
		}
	};
	assert!(receipt.status());
}

/// Half of the amount for the escrow, and a session.
fn credit(account: AccountId, amount: u128) -> Credit {
	Credit {
		account,
		escrow: amount / 2,
		session_key: PublicKey([8; 32]),
		session_limit: 3 * USDC,
		session_expiry: 1_000,
		session_proof: Signature([9; 64]),
	}
}

fn order(account: AccountId, amount: u128) -> Order {
	signing::order(amount, &EthereumAddress([6; 20]), &credit(account, amount))
}

/// What the contract said.
fn refusal(error: &L2Error) -> String {
	error.revert().map(ToString::to_string).unwrap_or_default()
}

#[tokio::test]
async fn deposits_by_each_kind_of_consent_are_recorded_and_proven() {
	let world = World::new().await;
	let World { l2, alice, bob, .. } = &world;
	let own = account_of(CHAIN, &EthereumAddress(alice.address().0 .0));
	let consents = [
		Consent::Permit,
		Consent::Approval,
		Consent::Authorisation {
			payer: bob,
			fee: USDC / 4,
		},
		Consent::Permit,
	];
	for (n, consent) in (1..).zip(consents) {
		let account = if n == 2 { AccountId([9; 32]) } else { own };
		signing::deposit(l2, alice, order(account, n * USDC), consent)
			.await
			.unwrap();
	}
	assert_eq!(world.usdc(l2.vault).await, 10 * USDC);
	assert_eq!(
		world.usdc(bob.address()).await,
		USDC / 4,
		"the payer of the third one's gas"
	);
	assert_eq!(world.usdc(alice.address()).await, 990 * USDC - USDC / 4);

	let head = l2.block_number().await.unwrap();
	let deposits = l2.deposits(0, head, None).await.unwrap();
	let amounts: Vec<_> = deposits
		.iter()
		.map(|deposit| (deposit.number, deposit.amount / USDC))
		.collect();
	assert_eq!(amounts, [(0, 1), (1, 2), (2, 3), (3, 4)]);
	for deposit in &deposits {
		assert_eq!((deposit.l2, deposit.refund_to), (CHAIN, EthereumAddress([6; 20])));
		assert_eq!(deposit.depositor.0, alice.address().0 .0);
		let account = deposit.credit().unwrap().account;
		assert_eq!(deposit.credit(), Some(credit(account, deposit.amount)));
	}
	assert_eq!(l2.deposits(0, head, Some(&own)).await.unwrap().len(), 3);

	let state = l2.view(l2.vault, &Vault::stateCall {}).await.unwrap();
	let attested = Attestation {
		l2: CHAIN,
		kind: attestation::VAULT,
		l2_block: head,
		l2_hash: Hash([0; 32]),
		root: Hash(state.root.0),
		count: state.count,
		light_client_block: state.lightClientBlock,
	};
	let proven = proofs::deposits(&deposits, &attested, 1, 2).unwrap();
	assert_eq!(proven.iter().map(|p| p.deposit.number).collect::<Vec<_>>(), [1, 2]);
}

/// As a contract would call it, and as somebody else brings what a wallet signed.
#[tokio::test]
async fn an_action_is_sent_by_its_wallet_or_brought_by_another() {
	let world = World::new().await;
	let World { l2, alice, bob, .. } = &world;
	let wallet = EthereumAddress(alice.address().0 .0);
	let approve = abi::Usdc::approveCall {
		spender: l2.vault,
		value: U256::from(USDC),
	};
	l2.execute(alice, l2.usdc, &approve).await.unwrap();
	let withdraw = Action::Withdraw {
		to: wallet,
		amount: 0,
		fee: 20_000,
	};
	let send = Vault::sendCall {
		amount: deposit::MIN_ACTION,
		body: withdraw.body().bytes().to_vec().into(),
	};
	l2.execute(alice, l2.vault, &send).await.unwrap();

	let unlock = Action::Unlock { amount: 5 * USDC };
	let signed = Sending {
		wallet,
		kind: Action::KIND,
		amount: deposit::MIN_ACTION,
		body: unlock.body(),
		fee: 50_000,
		nonce: 7,
		deadline: l2.now().await.unwrap() + 900,
	};
	let domain = Domain {
		chain_id: CHAIN,
		vault: EthereumAddress(l2.vault.0 .0),
	};
	let digest = B256::from(signed.digest(&domain).0);
	let bring = Vault::sendForCall {
		sending: abi::Sending {
			kind: signed.kind,
			amount: signed.amount,
			body: signed.body.bytes().to_vec().into(),
			fee: signed.fee,
			nonce: signed.nonce,
			deadline: signed.deadline,
		},
		wallet: alice.address(),
		signature: alice.sign_hash_sync(&digest).unwrap().as_bytes().to_vec().into(),
	};
	let mut dearer = bring.clone();
	dearer.sending.fee += 1;
	let dearer = l2.execute(bob, l2.vault, &dearer).await.unwrap_err();
	assert!(refusal(&dearer).starts_with("BadSignature { wallet: 0x"), "{dearer}");
	l2.execute(bob, l2.vault, &bring).await.unwrap();
	let twice = l2.execute(bob, l2.vault, &bring).await.unwrap_err();
	assert_eq!(refusal(&twice), format!("AlreadySent {{ digest: {digest} }}"));
	assert!(l2.view(l2.vault, &Vault::sentCall { digest }).await.unwrap());

	assert_eq!(world.usdc(bob.address()).await, 50_000, "the fee");
	assert_eq!(world.usdc(l2.vault).await, 2 * deposit::MIN_ACTION);
	let deposits = l2.deposits(0, l2.block_number().await.unwrap(), None).await.unwrap();
	let asked: Vec<_> = deposits
		.iter()
		.map(|deposit| (deposit.depositor, deposit.refund_to, deposit.action()))
		.collect();
	assert_eq!(asked, [withdraw, unlock].map(|action| (wallet, wallet, Some(action))));

	// What comes to the wallet's account: these, and credits to it, whoever pays; not its credits to others.
	signing::deposit(l2, alice, order(AccountId([9; 32]), USDC), Consent::Permit)
		.await
		.unwrap();
	signing::deposit(l2, alice, order(account_of(CHAIN, &wallet), USDC), Consent::Permit)
		.await
		.unwrap();
	let head = l2.block_number().await.unwrap();
	let mine = l2.deposits_to(0, head, &wallet).await.unwrap();
	assert_eq!(mine.iter().map(|deposit| deposit.number).collect::<Vec<_>>(), [0, 1, 3]);
	let bobs = l2
		.deposits_to(0, head, &EthereumAddress(bob.address().0 .0))
		.await
		.unwrap();
	assert!(bobs.is_empty());
}

#[tokio::test]
async fn refusals_are_named_and_cost_nothing() {
	let world = World::new().await;
	let World {
		l2, alice, bob, url, ..
	} = &world;
	let too_much = signing::deposit(l2, alice, order(AccountId([9; 32]), 20_000 * USDC), Consent::Permit).await;
	assert_eq!(
		refusal(&too_much.unwrap_err()),
		"AmountOutOfBounds { amount: 20000000000 }"
	);
	let unrefundable = Order {
		refundTo: l2.vault,
		..order(AccountId([9; 32]), USDC)
	};
	let unrefundable = signing::deposit(l2, alice, unrefundable, Consent::Permit).await;
	assert!(refusal(&unrefundable.unwrap_err()).starts_with("BadRefundAddress"));
	let poor = signing::deposit(l2, bob, order(AccountId([9; 32]), USDC), Consent::Permit).await;
	assert_eq!(refusal(&poor.unwrap_err()), "ERC20: transfer amount exceeds balance");
	assert_eq!(
		world.rpc.get_transaction_count(bob.address()).await.unwrap(),
		0,
		"nothing was sent"
	);
	let vault = EthereumAddress(l2.vault.0 .0);
	let elsewhere = L2::connect(url, &vault, 8_453).await.err().unwrap();
	assert!(matches!(
		elsewhere,
		L2Error::WrongChain {
			expected: 8_453,
			found: 31_337
		}
	));
	let nothing = L2::connect(url, &EthereumAddress([5; 20]), CHAIN).await.err().unwrap();
	assert!(matches!(nothing, L2Error::NoContract(_)));
}

/// A block's leaf that names set `next`, and what the block releases.
fn leaf(parent: u32, next: u64, released: &[Withdrawal]) -> MmrLeaf {
	let members: Vec<_> = members(next).iter().map(|a| EthereumAddress(a.0 .0)).collect();
	let leaves: Vec<_> = released.iter().map(Withdrawal::leaf).collect();
	MmrLeaf {
		version: 0,
		parent_number: parent,
		parent_hash: Hash([parent as u8; 32]),
		next_authority_set: AuthoritySet {
			id: next,
			len: members.len() as u32,
			keyset_commitment: clustercast_primitives::bridge::beefy::keyset_commitment(&members),
		},
		leaf_extra: withdrawal::root(&leaves),
	}
}

/// A chain of two blocks: the root over them as signed by set `id`, said to be of block `block`, and the proof of each.
fn range(first: MmrLeaf, second: MmrLeaf, id: u64, block: u32) -> (Justification, [ProvenLeaf; 2]) {
	let hashes = [first.hash(), second.hash()];
	let commitment = Commitment {
		mmr_root: keccak256(&[&hashes[0].0, &hashes[1].0]),
		block,
		set: id,
	};
	let digest = B256::from(commitment.digest().0);
	let signatures = set(id)
		.iter()
		.map(|key| Some(key.sign_hash_sync(&digest).unwrap().as_rsy()))
		.collect();
	let proof = |index: usize| MmrProof::from_items(index as u64, 2, &[hashes[1 - index]]).unwrap();
	let proven = [
		ProvenLeaf {
			leaf: first,
			proof: proof(0),
		},
		ProvenLeaf {
			leaf: second,
			proof: proof(1),
		},
	];
	(Justification { commitment, signatures }, proven)
}

async fn submit(world: &World, justification: &Justification) -> Result<(), L2Error> {
	let l2 = &world.l2;
	let expected = l2.view(l2.light_client, &LightClient::currentSetCall {}).await?;
	let (commitment, signed) = proofs::signed(justification, members(expected.id), &expected).unwrap();
	let call = LightClient::submitCall { commitment, signed };
	l2.execute(&world.bob, l2.light_client, &call).await.map(drop)
}

async fn hand_over(world: &World, justification: &Justification, proven: &ProvenLeaf) -> Result<(), L2Error> {
	let l2 = &world.l2;
	let expected = l2.view(l2.light_client, &LightClient::nextSetCall {}).await?;
	let (commitment, signed) = proofs::signed(justification, members(expected.id), &expected).unwrap();
	let (leaf, proof) = proofs::successor(proven, &commitment.mmrRoot, expected.id).unwrap();
	let call = LightClient::handOverCall {
		commitment,
		signed,
		leaf,
		proof,
	};
	l2.execute(&world.bob, l2.light_client, &call).await.map(drop)
}

#[tokio::test]
async fn two_hand_overs_in_a_row_then_a_withdrawal_which_is_paid_once() {
	let world = World::new().await;
	let l2 = &world.l2;
	signing::deposit(l2, &world.alice, order(AccountId([9; 32]), 50 * USDC), Consent::Permit)
		.await
		.unwrap();
	let to = Address::repeat_byte(0x77);
	let released: Vec<_> = (5..8)
		.map(|id| Withdrawal {
			l2: CHAIN,
			kind: withdrawal::RELEASE,
			id,
			to: EthereumAddress(to.0 .0),
			amount: 10 * USDC,
			fee: USDC,
		})
		.collect();

	let (of_set_0, _) = range(leaf(0, 1, &[]), leaf(1, 1, &[]), 0, 2);
	submit(&world, &of_set_0).await.unwrap();
	let again = submit(&world, &of_set_0).await.unwrap_err();
	assert_eq!(refusal(&again), "StaleBlock { blockNumber: 2, newest: 2 }");
	let (of_set_1, proven) = range(leaf(2, 1, &[]), leaf(3, 2, &[]), 1, 4);
	hand_over(&world, &of_set_1, &proven[1]).await.unwrap();
	let (of_set_2, proven) = range(leaf(4, 3, &[]), leaf(5, 3, &released), 2, 6);
	hand_over(&world, &of_set_2, &proven[0]).await.unwrap();
	let state = l2.light_client_state().await.unwrap();
	assert_eq!((state.set, state.block, state.slot), (2, 6, 2));
	// What validators attest of it.
	let vault = l2.view(l2.vault, &Vault::stateCall {}).await.unwrap();
	assert_eq!((vault.count, vault.lightClientBlock), (1, 6));
	assert_eq!(state.root, B256::from(of_set_2.commitment.mmr_root.0));

	for index in 0..3 {
		let place = WithdrawalPlace {
			block: 6,
			index,
			width: 3,
		};
		let (withdrawal, proof) = proofs::withdrawal(&released, &place, &proven[1], &state.root, state.slot).unwrap();
		let id = withdrawal.id;
		let call = Vault::withdrawCall { withdrawal, proof };

		// Another address, amount, L2, kind or root is none that the chain released.
		let mut elsewhere = call.clone();
		elsewhere.withdrawal.l2 = 1;
		let elsewhere = l2.execute(&world.bob, l2.vault, &elsewhere).await.unwrap_err();
		assert_eq!(refusal(&elsewhere), "OtherL2 { l2: 1 }");
		let mut other_kind = call.clone();
		other_kind.withdrawal.kind = 1;
		let other_kind = l2.execute(&world.bob, l2.vault, &other_kind).await.unwrap_err();
		assert_eq!(refusal(&other_kind), "UnknownKind { kind: 1 }");
		let mut stolen = call.clone();
		stolen.withdrawal.to = world.bob.address();
		let stolen = l2.execute(&world.bob, l2.vault, &stolen).await.unwrap_err();
		assert_eq!(refusal(&stolen), format!("WrongWithdrawal {{ id: {id} }}"));
		let mut other_root = call.clone();
		other_root.proof.slot = 0;
		let other_root = l2.execute(&world.bob, l2.vault, &other_root).await.unwrap_err();
		assert_eq!(refusal(&other_root), "WrongLeaf");

		assert!(!l2.executed(id).await.unwrap());
		l2.execute(&world.bob, l2.vault, &call).await.unwrap();
		assert!(l2.executed(id).await.unwrap());
		let twice = l2.execute(&world.bob, l2.vault, &call).await.unwrap_err();
		assert_eq!(refusal(&twice), format!("AlreadyExecuted {{ id: {id} }}"));
	}
	assert_eq!(world.usdc(to).await, 27 * USDC);
	assert_eq!(world.usdc(world.bob.address()).await, 3 * USDC, "the fees");
	assert_eq!(world.usdc(l2.vault).await, 20 * USDC);
}

#[tokio::test]
async fn what_an_agent_left_in_the_pool_is_replaced_by_the_next() {
	let world = World::new().await;
	let World { l2, alice, rpc, .. } = &world;
	request(rpc, "evm_setAutomine", json!([false])).await;
	let first = signing::deposit(l2, alice, order(AccountId([9; 32]), USDC), Consent::Permit);
	// Killed while it waits for the receipt.
	let killed = tokio::time::timeout(Duration::from_secs(3), first).await;
	assert!(killed.is_err());
	let pending = |tag| async move {
		let count = request(rpc, "eth_getTransactionCount", json!([alice.address(), tag])).await;
		serde_json::from_value::<U256>(count).unwrap().to::<u64>()
	};
	assert_eq!((pending("latest").await, pending("pending").await), (0, 1));

	let url = world.url.clone();
	let miner = tokio::spawn(async move {
		let rpc = Arc::new(RootProvider::<alloy::network::Ethereum>::new(
			ClientBuilder::default().hyper_http(url.parse().unwrap()),
		));
		loop {
			tokio::time::sleep(Duration::from_secs(2)).await;
			let _: Value = rpc.raw_request("evm_mine".into(), json!([])).await.unwrap();
		}
	});
	signing::deposit(l2, alice, order(AccountId([9; 32]), 2 * USDC), Consent::Permit)
		.await
		.unwrap();
	miner.abort();
	let deposits = l2.deposits(0, l2.block_number().await.unwrap(), None).await.unwrap();
	let amounts: Vec<_> = deposits.iter().map(|deposit| deposit.amount).collect();
	assert_eq!(amounts, [2 * USDC], "the first one never ran");
}

#[tokio::test]
async fn deposits_of_unknown_kinds_are_proven_among_the_others() {
	let world = World::new().await;
	let World { l2, alice, .. } = &world;
	let account = AccountId([9; 32]);
	// Begins as the account does, and is none of its deposits.
	let unknown = Order {
		kind: 200,
		body: Bytes::from([&account.0[..], b"and more"].concat()),
		..order(account, USDC)
	};
	for order in [order(account, USDC), unknown, order(account, USDC)] {
		signing::deposit(l2, alice, order, Consent::Permit).await.unwrap();
	}
	let head = l2.block_number().await.unwrap();
	let deposits = l2.deposits(0, head, None).await.unwrap();
	assert_eq!(deposits.iter().map(|d| d.kind).collect::<Vec<_>>(), [0, 200, 0]);
	assert_eq!(deposits[1].credit(), None);
	assert_eq!(deposits[1].body.bytes(), [&account.0[..], b"and more"].concat());
	let own = l2.deposits(0, head, Some(&account)).await.unwrap();
	assert_eq!(own.iter().map(|d| d.number).collect::<Vec<_>>(), [0, 2]);
	let state = l2.view(l2.vault, &Vault::stateCall {}).await.unwrap();
	let leaves: Vec<_> = deposits.iter().map(Deposit::leaf).collect();
	assert_eq!(Hash(state.root.0), deposit::root(&leaves));
	assert_eq!(l2.view(l2.vault, &Vault::l2Call {}).await.unwrap(), CHAIN);
}

#[test]
fn contract_words_are_those_of_the_contracts() {
	let path = contracts().join("out/Vault.sol/Vault.json");
	let text = fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}; run contracts/setup", path.display()));
	let artifact: Value = serde_json::from_slice(&text).unwrap();
	use alloy::sol_types::SolCall;
	for (signature, selector) in [
		(Vault::withdrawCall::SIGNATURE, Vault::withdrawCall::SELECTOR),
		(
			Vault::depositWithAuthorizationCall::SIGNATURE,
			Vault::depositWithAuthorizationCall::SELECTOR,
		),
		(Vault::stateCall::SIGNATURE, Vault::stateCall::SELECTOR),
	] {
		let expected = artifact["methodIdentifiers"][signature].as_str();
		assert_eq!(expected, Some(alloy::hex::encode(selector).as_str()), "{signature}");
	}
}
