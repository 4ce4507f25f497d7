//! Genesis presets: chains for development and tests, with the well-known keys of Alice and her friends.

use crate::{
	constants::EXISTENTIAL_DEPOSIT, AccountId, Balance, BalancesConfig, Multisig, RuntimeGenesisConfig, SessionConfig,
	SessionKeys, TicketBrokerConfig, UsdcBridgeConfig,
};
use alloc::{string::ToString, vec, vec::Vec};
use clustercast_primitives::amount::USDC;
use frame_support::build_struct_json_patch;
use serde_json::Value;
use sp_consensus_beefy::ecdsa_crypto::AuthorityId as BeefyId;
use sp_core::{ecdsa, hex2array};
use sp_genesis_builder::PresetId;
use sp_keyring::{Ed25519Keyring, Sr25519Keyring};

/// One validator, Alice.
pub const DEVELOPMENT: &str = "development";

/// Four validators, Alice to Dave: any one of them may fail.
pub const LOCAL: &str = "local";

/// The same four validators, and no money but what the bridge brings: `usdcBridge` is added by the chain spec. The
/// treasury has the existential deposit, since every ticket pays into it.
pub const BRIDGED: &str = "bridged";

/// What each well-known account has.
const ENDOWMENT: Balance = 1_000_000 * USDC;

/// Every block of the L2 is a checkpoint: fitting for one on the same machine.
const INTERVAL: u32 = 1;

/// Of Alice, Bob and Charlie, who hold the treasury, so many move its money.
const TREASURY_THRESHOLD: u16 = 2;

/// Validators with their finality keys. BEEFY's are the compressed public keys of `//Alice` and so on, since nothing
/// in a runtime derives ECDSA keys.
const VALIDATORS: [(Sr25519Keyring, Ed25519Keyring, [u8; 33]); 4] = [
	(
		Sr25519Keyring::Alice,
		Ed25519Keyring::Alice,
		hex2array!("020a1091341fe5664bfa1782d5e04779689068c916b04cb365ec3153755684d9a1"),
	),
	(
		Sr25519Keyring::Bob,
		Ed25519Keyring::Bob,
		hex2array!("0390084fdbf27d2b79d26a4f13f0ccd982cb755a661969143c37cbc49ef5b91f27"),
	),
	(
		Sr25519Keyring::Charlie,
		Ed25519Keyring::Charlie,
		hex2array!("0389411795514af1627765eceffcbd002719f031604fadd7d188e2dc585b4e1afb"),
	),
	(
		Sr25519Keyring::Dave,
		Ed25519Keyring::Dave,
		hex2array!("03bc9d0ca094bd5b8b3225d7651eac5d18c1c04bf8ae8f8b263eebca4e1410ed0c"),
	),
];

/// The treasury of the presets: the multisig account, two of three, of Alice, Bob and Charlie.
pub fn treasury() -> AccountId {
	let mut signatories =
		[Sr25519Keyring::Alice, Sr25519Keyring::Bob, Sr25519Keyring::Charlie].map(|k| k.to_account_id());
	signatories.sort();
	Multisig::multi_account_id(&signatories, TREASURY_THRESHOLD)
}

fn genesis(validators: usize, endowment: Balance) -> Value {
	let endowed = Sr25519Keyring::well_known()
		.map(|k| (k.to_account_id(), endowment))
		.filter(|(_, endowment)| *endowment > 0);
	let keys = VALIDATORS.iter().take(validators).map(|(aura, grandpa, beefy)| {
		let keys = SessionKeys {
			aura: aura.public().into(),
			grandpa: grandpa.public().into(),
			beefy: BeefyId::from(ecdsa::Public::from_raw(*beefy)),
			bridge: aura.public().into(),
		};
		(aura.to_account_id(), aura.to_account_id(), keys)
	});
	build_struct_json_patch!(RuntimeGenesisConfig {
		balances: BalancesConfig {
			balances: endowed.chain([(treasury(), EXISTENTIAL_DEPOSIT)]).collect()
		},
		session: SessionConfig { keys: keys.collect() },
		ticket_broker: TicketBrokerConfig {
			treasury: Some(treasury())
		},
		usdc_bridge: UsdcBridgeConfig { interval: INTERVAL },
	})
}

/// The patch of a preset over the default genesis, as JSON.
pub fn get_preset(id: &PresetId) -> Option<Vec<u8>> {
	let genesis = match id.as_str() {
		DEVELOPMENT => genesis(1, ENDOWMENT),
		LOCAL => genesis(4, ENDOWMENT),
		BRIDGED => genesis(4, 0),
		_ => return None,
	};
	Some(genesis.to_string().into_bytes())
}

/// Names of the presets.
pub fn preset_names() -> Vec<PresetId> {
	vec![DEVELOPMENT.into(), LOCAL.into(), BRIDGED.into()]
}
