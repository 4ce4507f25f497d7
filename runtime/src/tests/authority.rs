//! Nobody has Root, so nobody changes the code.

use super::*;
use frame_support::traits::PalletInfoAccess;
use scale_info::{meta_type, PortableRegistry, Registry, TypeDef, TypeInfo};
use sp_runtime::traits::Dispatchable;
use std::collections::BTreeSet;

/// The calls that dispatch another call, as `Pallet.call`. Each is tried below; one that is new has to be thought
/// about.
const CARRIERS: [&str; 10] = [
	"Multisig.as_multi",
	"Multisig.as_multi_threshold_1",
	"Utility.as_derivative",
	"Utility.batch",
	"Utility.batch_all",
	"Utility.dispatch_as",
	"Utility.dispatch_as_fallible",
	"Utility.force_batch",
	"Utility.if_else",
	"Utility.with_weight",
];

/// What someone would like the chain to run.
const CODE: [u8; 1] = [1];

fn is_code_set() -> bool {
	sp_io::storage::get(sp_core::storage::well_known_keys::CODE).is_some_and(|code| code[..] == CODE)
}

fn set_code() -> RuntimeCall {
	frame_system::Call::set_code_without_checks { code: CODE.into() }.into()
}

/// `call` inside each call that dispatches another one.
fn carried(call: &RuntimeCall) -> Vec<(&'static str, RuntimeCall)> {
	use pallet_multisig::Call as Multi;
	use pallet_utility::Call as Utility;

	let boxed = || Box::new(call.clone());
	let root = || Box::new(OriginCaller::system(frame_system::RawOrigin::Root));
	let friends = |n: usize| {
		let mut friends: Vec<_> = [Sr25519Keyring::Bob, Sr25519Keyring::Charlie]
			.iter()
			.take(n)
			.map(|k| k.to_account_id())
			.collect();
		friends.sort();
		friends
	};
	vec![
		(
			"Multisig.as_multi",
			Multi::as_multi {
				threshold: 2,
				other_signatories: friends(2),
				maybe_timepoint: None,
				call: boxed(),
				max_weight: frame_support::weights::Weight::MAX,
			}
			.into(),
		),
		(
			"Multisig.as_multi_threshold_1",
			Multi::as_multi_threshold_1 {
				other_signatories: friends(1),
				call: boxed(),
			}
			.into(),
		),
		(
			"Utility.as_derivative",
			Utility::as_derivative {
				index: 0,
				call: boxed(),
			}
			.into(),
		),
		(
			"Utility.batch",
			Utility::batch {
				calls: vec![call.clone()],
			}
			.into(),
		),
		(
			"Utility.batch_all",
			Utility::batch_all {
				calls: vec![call.clone()],
			}
			.into(),
		),
		(
			"Utility.dispatch_as",
			Utility::dispatch_as {
				as_origin: root(),
				call: boxed(),
			}
			.into(),
		),
		(
			"Utility.dispatch_as_fallible",
			Utility::dispatch_as_fallible {
				as_origin: root(),
				call: boxed(),
			}
			.into(),
		),
		(
			"Utility.force_batch",
			Utility::force_batch {
				calls: vec![call.clone()],
			}
			.into(),
		),
		(
			"Utility.if_else",
			Utility::if_else {
				main: boxed(),
				fallback: boxed(),
			}
			.into(),
		),
		(
			"Utility.with_weight",
			Utility::with_weight {
				call: boxed(),
				weight: Default::default(),
			}
			.into(),
		),
	]
}

#[test]
fn root_is_the_only_origin_that_sets_code_and_nobody_has_it() {
	in_first_block(crate::genesis::LOCAL, || {
		let origins = [
			RuntimeOrigin::none(),
			RuntimeOrigin::signed(Sr25519Keyring::Alice.to_account_id()),
			RuntimeOrigin::signed(crate::genesis::treasury()),
		];
		for origin in &origins {
			for (name, call) in carried(&set_code()).into_iter().chain([("alone", set_code())]) {
				let _ = call.clone().dispatch(origin.clone());
				assert!(!is_code_set(), "{name} as {origin:?}");
				// One carrier inside each other.
				for (outer, call) in carried(&call) {
					let _ = call.dispatch(origin.clone());
					assert!(!is_code_set(), "{name} in {outer} as {origin:?}");
				}
			}
		}
		// The same call does set the code for Root: it is the origin that nobody has.
		assert_ok!(set_code().dispatch(RuntimeOrigin::root()));
		assert!(is_code_set());
	});
}

#[test]
fn the_treasurys_signatories_together_cannot_set_code() {
	in_first_block(crate::genesis::LOCAL, || {
		let approve = |who: Sr25519Keyring, others: [Sr25519Keyring; 2], call: RuntimeCall, first: bool| {
			let mut other_signatories: Vec<_> = others.map(|k| k.to_account_id()).into();
			other_signatories.sort();
			let approval = pallet_multisig::Call::as_multi {
				threshold: 2,
				other_signatories,
				maybe_timepoint: (!first).then(Multisig::timepoint),
				call: Box::new(call),
				max_weight: configs::RuntimeBlockWeights::get().max_block,
			};
			RuntimeCall::from(approval).dispatch(RuntimeOrigin::signed(who.to_account_id()))
		};
		let (alice, bob, charlie) = (Sr25519Keyring::Alice, Sr25519Keyring::Bob, Sr25519Keyring::Charlie);
		let both = |call: RuntimeCall| {
			assert_ok!(approve(alice, [bob, charlie], call.clone(), true));
			assert_ok!(approve(bob, [alice, charlie], call, false));
		};
		both(set_code());
		assert!(!is_code_set());

		// They do move its money, but for what keeps the account alive.
		assert_ok!(apply(signed(alice, transfer(&crate::genesis::treasury(), 5_000))));
		let before = Balances::balance(&bob.to_account_id());
		both(transfer(&bob.to_account_id(), 4_000));
		both(transfer(&bob.to_account_id(), 2_000));
		// The second one would have emptied the account.
		assert_eq!(Balances::balance(&crate::genesis::treasury()), 2_000);
		assert!(Balances::balance(&bob.to_account_id()) > before);
	});
}

#[test]
fn only_the_calls_that_are_tried_here_carry_calls() {
	let mut registry = Registry::new();
	let runtime_call = registry.register_type(&meta_type::<RuntimeCall>()).id;
	let types = PortableRegistry::from(registry);
	let variants = |id: u32| match &types.resolve(id).unwrap().type_def {
		TypeDef::Variant(variant) => variant.variants.clone(),
		_ => vec![],
	};
	let carries = |field: u32| match &types.resolve(field).unwrap().type_def {
		TypeDef::Sequence(items) => items.type_param.id == runtime_call,
		_ => field == runtime_call,
	};
	let mut carriers = BTreeSet::new();
	for pallet in variants(runtime_call) {
		for call in variants(pallet.fields[0].ty.id) {
			if call.fields.iter().any(|field| carries(field.ty.id)) {
				carriers.insert(format!("{}.{}", pallet.name, call.name));
			}
		}
	}
	assert_eq!(carriers.iter().map(String::as_str).collect::<Vec<_>>(), CARRIERS);
	assert_eq!(
		carried(&set_code()).iter().map(|(name, _)| *name).collect::<Vec<_>>(),
		CARRIERS
	);
}

#[test]
fn no_pallet_has_an_origin_of_its_own() {
	let TypeDef::Variant(origins) = OriginCaller::type_info().type_def else {
		panic!("origins are an enum")
	};
	assert_eq!(origins.variants.iter().map(|v| v.name).collect::<Vec<_>>(), ["system"]);
	assert_eq!(System::name(), "System");
}
