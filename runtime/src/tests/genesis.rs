//! The presets, and the chain specs that were made of them.

use super::*;
use crate::genesis::{treasury, BRIDGED, DEVELOPMENT, LOCAL};
use frame_support::traits::Get;
use serde_json::json;
use sp_core::{crypto::Pair as _, ecdsa};

#[test]
fn presets_have_one_and_four_validators() {
	for (preset, validators) in [(DEVELOPMENT, 1), (LOCAL, 4), (BRIDGED, 4)] {
		in_first_block(preset, || {
			assert_eq!(Session::validators().len(), validators);
			assert_eq!(Grandpa::grandpa_authorities().len(), validators);
			assert_eq!(pallet_aura::Authorities::<Runtime>::get().len(), validators);
			assert_eq!(Beefy::validator_set().unwrap().len(), validators);
			assert_eq!(UsdcBridge::attestor_keys().len(), validators);
		});
	}
	assert_eq!(crate::genesis::get_preset(&"main".into()), None);
}

#[test]
fn beefy_keys_are_those_of_the_validators_names() {
	in_first_block(LOCAL, || {
		let expected = ["//Alice", "//Bob", "//Charlie", "//Dave"]
			.map(|suri| ecdsa::Pair::from_string(suri, None).unwrap().public().into());
		assert_eq!(Beefy::validator_set().unwrap().validators(), expected);
	});
}

#[test]
fn bridged_has_no_money_but_what_keeps_the_treasury_alive() {
	in_first_block(BRIDGED, || {
		assert_eq!(Balances::total_issuance(), constants::EXISTENTIAL_DEPOSIT);
		assert_eq!(
			pallet_usdc_bridge::GenesisIssuance::<Runtime>::get(),
			constants::EXISTENTIAL_DEPOSIT
		);
		assert_eq!(Balances::balance(&treasury()), constants::EXISTENTIAL_DEPOSIT);
	});
}

#[test]
fn a_session_is_as_long_as_genesis_says() {
	let length = |patch: Value| in_first_block_with(LOCAL, patch, <configs::consensus::SessionLength as Get<_>>::get);
	assert_eq!(length(json!({})), constants::SESSION);
	assert_eq!(length(json!({ "validators": { "sessionLength": 12 } })), 12);
}

#[test]
#[should_panic(expected = "a session has 5 blocks at least")]
fn a_session_of_a_few_blocks_is_refused() {
	in_first_block_with(LOCAL, json!({ "validators": { "sessionLength": 4 } }), || ());
}

#[test]
fn treasury_can_receive() {
	in_first_block(DEVELOPMENT, || {
		assert_eq!(pallet_ticket_broker::Treasury::<Runtime>::get(), Some(treasury()));
		assert_eq!(Balances::balance(&treasury()), constants::EXISTENTIAL_DEPOSIT);
		assert_eq!(System::consumers(&treasury()), 1);
	});
}

#[test]
fn committed_chain_specs_are_the_presets() {
	for (preset, spec) in [
		(DEVELOPMENT, include_str!("../../../chain-specs/development.json")),
		(LOCAL, include_str!("../../../chain-specs/local.json")),
		(BRIDGED, include_str!("../../../chain-specs/bridged.json")),
	] {
		let spec: Value = serde_json::from_str(spec).unwrap();
		assert_eq!(
			spec["genesis"]["runtimeGenesis"]["patch"],
			preset_of(preset),
			"run scripts/chain-specs"
		);
		assert_eq!(spec["properties"]["tokenDecimals"], 6);
	}
}
