//! Sequences of signed calls on the whole runtime: nothing panics, every pallet's `try_state` holds, and no money is
//! made but what the bridge imports.
//!
//! Bytes are decoded as the runtime's own call type by an input that turns whatever is as long as a key into one of a
//! few known keys, and whatever is as long as an amount into one of a few amounts, so that calls meet each other's
//! state; then tickets and proofs are signed by the keys that they name, what is attested of the L2 by the validator, and
//! messages of Ethereum wallets by the one there is. New calls are reached as soon as they exist.

#![no_main]

use clustercast_primitives::{
	amount,
	bridge::{account_of, attestation::VAULT, deposit, Action, Credit, Deposit, Domain, EthereumAction},
	crypto::{KeyPair, SignedMessage},
	notice::RelayerProof,
	session::SessionProof,
	ticket, AccountId as Account, EthereumAddress, EthereumSignature, Hash, PublicKey, Signature, Signed,
};
use clustercast_runtime::{genesis, *};
use codec::{DecodeLimit, Input};
use frame_support::{
	genesis_builder_helper,
	traits::{OnIdle, OnInitialize, TryState, TryStateSelect},
};
use libfuzzer_sys::fuzz_target;
use serde_json::{json, Value};
use sp_core::{ecdsa, sr25519, Pair};
use sp_keyring::Sr25519Keyring;
use sp_runtime::{traits::Dispatchable, BuildStorage, StateVersion};
use std::sync::{LazyLock, OnceLock};

/// Calls nested deeper are refused by the chain as well.
const MAX_DEPTH: u32 = 8;

/// Calls of one run.
const MAX_CALLS: usize = 24;

/// Whoever signs; rich from genesis on.
const PEOPLE: [Sr25519Keyring; 4] = [
	Sr25519Keyring::Alice,
	Sr25519Keyring::Bob,
	Sr25519Keyring::Charlie,
	Sr25519Keyring::Dave,
];

/// Micro-USDC; times too.
const NUMBERS: [u128; 8] = [0, 1, 1_000, 5_000, 1_000_000, 10_000_000, 50_000_000, u128::MAX];

/// Ed25519 keys that sign tickets, receipts and headers.
fn key_pair(index: u8) -> KeyPair {
	KeyPair::from_seed([index % 4 + 1; 32])
}

/// The runtime's own SCALE decoder over a few known values.
struct Words<'a>(&'a [u8]);

impl Words<'_> {
	fn byte(&mut self) -> Option<u8> {
		let (first, rest) = self.0.split_first()?;
		self.0 = rest;
		Some(*first)
	}
}

impl Input for Words<'_> {
	fn remaining_len(&mut self) -> Result<Option<usize>, codec::Error> {
		Ok(None)
	}

	fn read(&mut self, into: &mut [u8]) -> Result<(), codec::Error> {
		let first = self.byte().ok_or("the end")?;
		match into.len() {
			32 if first % 8 < 4 => {
				into.copy_from_slice(&<[u8; 32]>::from(PEOPLE[usize::from(first % 4)].to_account_id()))
			},
			32 => into.copy_from_slice(&key_pair(first).public().0),
			16 => into.copy_from_slice(&NUMBERS[usize::from(first % 8)].to_le_bytes()),
			// Numbers of streams, blocks, places, prices: small ones meet.
			len @ (2 | 4 | 8) if first < 128 => {
				into.fill(0);
				into[0] = first % 16;
				into[len / 2 - 1] |= first / 16;
			},
			_ => {
				into[0] = first;
				for byte in &mut into[1..] {
					*byte = self.byte().ok_or("the end")?;
				}
			},
		}
		Ok(())
	}
}

fn sign<T: SignedMessage>(message: T, key: &PublicKey) -> Option<Signed<T>> {
	let pair = (0..4).map(key_pair).find(|pair| pair.public() == *key)?;
	Some(pair.sign(message, &chain()))
}

fn chain() -> Hash {
	Hash(System::block_hash(0).into())
}

/// The vault.
const L2: Domain = Domain {
	chain_id: 31_337,
	vault: EthereumAddress([0xfa; 20]),
};

/// The only Ethereum wallet.
const WALLET: EthereumAddress = EthereumAddress([
	0x1a, 0x64, 0x2f, 0x0e, 0x3c, 0x3a, 0xf5, 0x45, 0xe7, 0xac, 0xbd, 0x38, 0xb0, 0x72, 0x51, 0xb3, 0x99, 0x09, 0x14,
	0xf1,
]);

/// Its key.
const WALLET_SEED: [u8; 32] = [1; 32];

/// The only validator: deriving its key takes longer than everything else.
static VALIDATOR: LazyLock<sr25519::Pair> = LazyLock::new(|| PEOPLE[0].pair());

/// All deposits that the vault ever gets: the wallet's, for itself and for others.
static DEPOSITS: LazyLock<Vec<Deposit>> = LazyLock::new(|| {
	let credit = |number: u64| {
		let account = match number % 3 {
			0 => Account(PEOPLE[number as usize % 4].to_account_id().into()),
			_ => account_of(L2.chain_id, &WALLET),
		};
		let key = key_pair(number as u8);
		Credit {
			account,
			escrow: [0, 1][number as usize % 2] * 1_000_000,
			session_key: key.public(),
			session_limit: 5_000_000,
			session_expiry: 1_000,
			session_proof: key.sign(SessionProof { account }, &chain()).signature,
		}
	};
	let action = |number: u64| match number % 3 {
		0 => Action::Withdraw {
			to: WALLET,
			amount: 0,
			fee: 0,
		},
		1 => Action::Unlock { amount: 0 },
		_ => Action::Collect,
	};
	// Of five, one is an action, and one of a kind that the chain does not know.
	let deposit = |number: u64| Deposit {
		l2: L2.chain_id,
		number,
		kind: [Credit::KIND, Credit::KIND, Credit::KIND, Action::KIND, 2][number as usize % 5],
		amount: [1, 20, 60, 10_000][number as usize % 4] * 1_000_000,
		depositor: WALLET,
		refund_to: WALLET,
		body: match number % 5 {
			3 => action(number).body(),
			_ => credit(number).body(),
		},
	};
	(0..16).map(deposit).collect()
});

/// Gives calls of the bridge what they need. Deposits with an odd number stay as they are.
fn complete_bridge(call: &mut pallet_usdc_bridge::Call<Runtime>) {
	use pallet_usdc_bridge::Call;

	match call {
		Call::attest {
			attestation,
			authority_index,
			signature,
		} => {
			(attestation.l2, attestation.kind) = (L2.chain_id, VAULT);
			attestation.count %= DEPOSITS.len() as u64 + 1;
			attestation.l2_block %= 1_024;
			let leaves: Vec<Hash> = DEPOSITS[..attestation.count as usize]
				.iter()
				.map(Deposit::leaf)
				.collect();
			attestation.root = deposit::root(&leaves);
			*authority_index = 0;
			*signature = Signature(VALIDATOR.sign(&attestation.signing_payload(&chain())).0);
		},
		Call::import_deposits { deposits: batch }
			if batch.first().is_none_or(|first| first.deposit.number % 2 == 0) =>
		{
			let bridge = UsdcBridge::bridge();
			let attested = bridge.attested.map_or(0, |attested| attested.count as usize);
			let proven = deposit::prove(&DEPOSITS[..attested], bridge.next_deposit, batch.len().max(1));
			*batch = proven.try_into().expect("no more than are in a batch");
		},
		Call::refund { number } => *number %= DEPOSITS.len() as u64,
		Call::act { action, signature } => {
			let (EthereumAction::Withdraw { deadline, .. }
			| EthereumAction::Unlock { deadline, .. }
			| EthereumAction::Collect { deadline, .. }
			| EthereumAction::Authorize { deadline, .. }) = action;
			*deadline = System::block_number() + *deadline % 2_000;
			if let EthereumAction::Authorize { key, proof, .. } = action {
				let account = account_of(L2.chain_id, &WALLET);
				if let Some(signed) = sign(SessionProof { account }, key) {
					*proof = signed.signature;
				}
			}
			let wallet = ecdsa::Pair::from_seed(&WALLET_SEED);
			*signature = EthereumSignature(wallet.sign_prehashed(&action.digest(&L2).0).0);
		},
		_ => (),
	}
}

/// Mostly one that can be paid: on the grid, and not too far ahead.
fn expiry(any: u32) -> u32 {
	let block = System::block_number() + any % 700;
	match any % 16 {
		0 => block,
		_ => block.next_multiple_of(ticket::EXPIRY_GRID),
	}
}

/// Gives a call the signatures that it needs to get anywhere.
fn complete(call: &mut RuntimeCall, who: &AccountId) {
	match call {
		RuntimeCall::TicketBroker(pallet_ticket_broker::Call::redeem_batch { tickets }) => {
			for winning in tickets.iter_mut() {
				let ticket = &mut winning.signed.message;
				ticket.commitment = ticket::commitment(&winning.rand);
				ticket.expiry = expiry(ticket.expiry);
				ticket.bytes = match ticket.kind.by_bytes() {
					true => amount::ticket_bytes(ticket.bytes % amount::MAX_TICKET_BYTES),
					false => 0,
				};
				let session = ticket.session;
				if let Some(signed) = sign(ticket.clone(), &session) {
					winning.signed = signed;
				}
			}
		},
		RuntimeCall::TicketBroker(pallet_ticket_broker::Call::redeem_vouchers { vouchers }) => {
			for signed in vouchers.iter_mut() {
				signed.message.expiry = expiry(signed.message.expiry);
				let session = signed.message.session;
				if let Some(valid) = sign(signed.message.clone(), &session) {
					*signed = valid;
				}
			}
		},
		RuntimeCall::TicketBroker(pallet_ticket_broker::Call::submit_tip { tip }) => {
			tip.message.expiry = expiry(tip.message.expiry);
			let session = tip.message.session;
			if let Some(valid) = sign(tip.message.clone(), &session) {
				*tip = valid;
			}
		},
		RuntimeCall::RelayerRegistry(pallet_relayer_registry::Call::register { signing_key, proof, .. }) => {
			let account = Account(who.clone().into());
			*proof = sign(RelayerProof { account }, signing_key).map_or(Signature([0; 64]), |signed| signed.signature);
		},
		RuntimeCall::RelayerRegistry(pallet_relayer_registry::Call::set_signing_key {
			relayer,
			signing_key,
			proof,
		}) => {
			let account = Account(relayer.clone().into());
			*proof = sign(RelayerProof { account }, signing_key).map_or(Signature([0; 64]), |signed| signed.signature);
		},
		RuntimeCall::UsdcBridge(call) => complete_bridge(call),
		_ => (),
	}
}

/// State of the `development` preset with a vault, as the database has it.
type Snapshot = (Vec<(Vec<u8>, (Vec<u8>, i32))>, clustercast_runtime::Hash);

fn snapshot() -> Snapshot {
	let mut externalities = sp_io::TestExternalities::new(
		frame_system::GenesisConfig::<Runtime>::default()
			.build_storage()
			.expect("an empty chain can be built"),
	);
	externalities.execute_with(|| {
		let mut config = serde_json::to_value(RuntimeGenesisConfig::default()).expect("it is JSON");
		let preset = genesis::get_preset(&genesis::DEVELOPMENT.into()).expect("the preset exists");
		merge(&mut config, serde_json::from_slice(&preset).expect("it is JSON"));
		merge(
			&mut config,
			json!({ "usdcBridge": { "l2": { "chainId": L2.chain_id, "vault": L2.vault.to_string() }, "interval": 1, "first": 0 } }),
		);
		genesis_builder_helper::build_state::<RuntimeGenesisConfig>(config.to_string().into_bytes())
			.expect("the preset builds");
	});
	externalities.commit_all().expect("nothing is open");
	externalities.into_raw_snapshot()
}

fn merge(config: &mut Value, patch: Value) {
	match (config, patch) {
		(Value::Object(config), Value::Object(patch)) => patch
			.into_iter()
			.for_each(|(key, value)| merge(&mut config[&key], value)),
		(config, patch) => *config = patch,
	}
}

static GENESIS: OnceLock<Snapshot> = OnceLock::new();

fuzz_target!(|data: &[u8]| {
	let (pairs, root) = GENESIS.get_or_init(snapshot);
	sp_io::TestExternalities::from_raw_snapshot(pairs.clone(), *root, StateVersion::V1).execute_with(|| {
		System::set_block_number(1);
		let issuance = Balances::total_issuance();
		let mut input = Words(data);
		for _ in 0..MAX_CALLS {
			let Some(control) = input.byte() else { break };
			// Sometimes time passes instead: up to an epoch.
			if control >= 0xc0 {
				let steps = u32::from(control - 0xbf) * 40;
				let now = System::block_number() + steps;
				System::set_block_number(now);
				UsdcBridge::on_initialize(now);
				AllPalletsWithoutSystem::on_idle(now, <Runtime as frame_system::Config>::BlockWeights::get().max_block);
				continue;
			}
			let who = PEOPLE[usize::from(control % 4)].to_account_id();
			let Ok(mut call) = RuntimeCall::decode_with_depth_limit(MAX_DEPTH, &mut input) else {
				continue;
			};
			complete(&mut call, &who);
			let origin = match control & 0x20 {
				0 => RuntimeOrigin::signed(who),
				_ => RuntimeOrigin::none(),
			};
			// Only the block author's inherent has that origin: it may say any time, which is not what is tested.
			if !matches!(call, RuntimeCall::Timestamp(_)) {
				let _ = call.dispatch(origin);
			}
		}
		let imported = UsdcBridge::bridge().imported;
		assert!(Balances::total_issuance() <= issuance + imported, "money was made");
		let now = System::block_number();
		<AllPalletsWithSystem as TryState<BlockNumber>>::try_state(now, TryStateSelect::All)
			.expect("every invariant holds");
	});
});
