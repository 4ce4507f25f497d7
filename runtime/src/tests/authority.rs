//! Nobody has Root, so nobody changes the code, or anything else but by a call that is meant for it.

use super::*;
use codec::Decode;
use frame_support::{storage::TransactionOutcome, traits::PalletInfoAccess};
use scale_info::{meta_type, PortableRegistry, Registry, TypeDef, TypeInfo};
use sp_core::storage::well_known_keys::{CODE as CODE_KEY, HEAP_PAGES};
use sp_runtime::{
	traits::{Dispatchable, Hash as _},
	transaction_validity::InvalidTransaction,
	DispatchError,
};
use std::collections::{BTreeMap, BTreeSet};

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

/// Every call of the runtime, and who has anything of it: see there.
const CALLS: &str = include_str!("calls.txt");

/// What someone would like the chain to run.
const CODE: [u8; 1] = [1];

fn code() -> Option<Vec<u8>> {
	sp_io::storage::get(CODE_KEY).map(|code| code.to_vec())
}

/// What must not change: code, memory, an upgrade to come, and an account that stands for all of the storage.
fn precious() -> [Option<Vec<u8>>; 4] {
	[
		code(),
		sp_io::storage::get(HEAP_PAGES).map(|pages| pages.to_vec()),
		System::authorized_upgrade().map(|upgrade| upgrade.encode()),
		sp_io::storage::get(&treasurys_account()).map(|account| account.to_vec()),
	]
}

fn treasurys_account() -> Vec<u8> {
	frame_system::Account::<Runtime>::hashed_key_for(crate::genesis::treasury())
}

/// Each call that could change that, as `System.call`, with arguments that would.
fn attempts() -> Vec<(&'static str, RuntimeCall)> {
	use frame_system::Call;

	let code = || CODE.to_vec();
	let code_hash = sp_runtime::traits::BlakeTwo256::hash(&CODE);
	vec![
		("set_heap_pages", Call::set_heap_pages { pages: 1 }.into()),
		("set_code", Call::set_code { code: code() }.into()),
		("set_code_without_checks", set_code()),
		(
			"set_storage",
			Call::set_storage {
				items: vec![(CODE_KEY.to_vec(), code()), (treasurys_account(), vec![])],
			}
			.into(),
		),
		(
			"kill_storage",
			Call::kill_storage {
				keys: vec![treasurys_account()],
			}
			.into(),
		),
		(
			"kill_prefix",
			Call::kill_prefix {
				prefix: treasurys_account()[..32].to_vec(),
				subkeys: 100,
			}
			.into(),
		),
		("authorize_upgrade", Call::authorize_upgrade { code_hash }.into()),
		(
			"authorize_upgrade_without_checks",
			Call::authorize_upgrade_without_checks { code_hash }.into(),
		),
		(
			"apply_authorized_upgrade",
			Call::apply_authorized_upgrade { code: code() }.into(),
		),
	]
}

fn set_code() -> RuntimeCall {
	frame_system::Call::set_code_without_checks { code: CODE.into() }.into()
}

/// `call` inside each call that dispatches another one.
pub(super) fn carried(call: &RuntimeCall) -> Vec<(&'static str, RuntimeCall)> {
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
fn no_origin_of_an_extrinsic_changes_code_or_storage() {
	in_first_block(crate::genesis::LOCAL, || {
		let alice = Sr25519Keyring::Alice.to_account_id();
		let origins = [
			RuntimeOrigin::none(),
			RuntimeOrigin::signed(alice.clone()),
			RuntimeOrigin::signed(crate::genesis::treasury()),
			RuntimeOrigin::signed(pallet_utility::derivative_account_id(alice, 0)),
		];
		let before = precious();
		for (name, attempt) in attempts() {
			for origin in &origins {
				let refused: DispatchError = frame_system::Error::<Runtime>::CallFiltered.into();
				let outcome = attempt.clone().dispatch(origin.clone());
				assert_eq!(outcome.unwrap_err().error, refused, "{name} as {origin:?}");
				for (carrier, call) in carried(&attempt) {
					let _ = call.clone().dispatch(origin.clone());
					assert!(precious() == before, "{name} in {carrier} as {origin:?}");
					// One carrier inside each other.
					for (outer, call) in carried(&call) {
						let _ = call.dispatch(origin.clone());
						assert!(precious() == before, "{name} in {carrier} in {outer} as {origin:?}");
					}
				}
			}
		}
	});
}

#[test]
fn no_kind_of_extrinsic_changes_code_or_storage() {
	in_first_block(crate::genesis::LOCAL, || {
		let before = precious();
		for (name, attempt) in attempts() {
			let signed = Executive::apply_extrinsic(signed(Sr25519Keyring::Alice, attempt.clone()));
			assert_eq!(signed, Err(InvalidTransaction::Call.into()), "{name}, signed");
			let bare = Executive::apply_extrinsic(UncheckedExtrinsic::new_bare(attempt.clone()));
			assert_eq!(bare, Err(InvalidTransaction::Call.into()), "{name}, bare");
			let (_, extension, _) = SignedPayload::new(attempt.clone(), extension(Sr25519Keyring::Alice))
				.unwrap()
				.deconstruct();
			let general = Executive::apply_extrinsic(UncheckedExtrinsic::new_transaction(attempt, extension));
			assert_eq!(
				general,
				Err(InvalidTransaction::UnknownOrigin.into()),
				"{name}, general"
			);
			assert!(precious() == before, "{name}");
		}
	});
}

/// What is tried above in vain works for Root: it is the origin that nobody has.
#[test]
fn root_would_change_all_of_it() {
	for (name, attempt) in attempts() {
		// Both look into the code for its version; what is authorised is not checked again.
		if ["set_code", "apply_authorized_upgrade"].contains(&name) {
			continue;
		}
		in_first_block(crate::genesis::LOCAL, || {
			let before = precious();
			let changed = frame_support::storage::with_transaction_unchecked(|| {
				assert_ok!(attempt.clone().dispatch(RuntimeOrigin::root()));
				TransactionOutcome::Rollback(precious() != before)
			});
			assert!(changed, "{name}");
		});
	}
	in_first_block(crate::genesis::LOCAL, || {
		let attempt = |wanted: &str| attempts().into_iter().find(|(name, _)| *name == wanted).unwrap().1;
		assert_ok!(attempt("authorize_upgrade_without_checks").dispatch(RuntimeOrigin::root()));
		assert_ok!(attempt("apply_authorized_upgrade").dispatch(RuntimeOrigin::root()));
		assert_eq!(code(), Some(CODE.to_vec()));
	});
}

/// Of `calls.txt`: `Pallet.call`, and who may.
pub(super) fn reviewed() -> impl Iterator<Item = (&'static str, &'static str)> {
	let lines = CALLS.lines().filter(|line| !line.starts_with('#'));
	lines.map(|line| line.split_once(' ').expect("a call, a space, and who may"))
}

/// A call as the metadata describes it.
pub(super) struct Described {
	/// `Pallet.call`.
	pub name: String,
	/// How it begins.
	pub prefix: [u8; 2],
	/// Whether an argument is a call, or a list of calls.
	carries: bool,
}

/// Every call of the metadata.
pub(super) fn every_call() -> Vec<Described> {
	let mut registry = Registry::new();
	let runtime_call = registry.register_type(&meta_type::<RuntimeCall>()).id;
	let types = PortableRegistry::from(registry);
	let variants = |id: u32| match &types.resolve(id).unwrap().type_def {
		TypeDef::Variant(variant) => variant.variants.clone(),
		_ => vec![],
	};
	let is_call = |field: u32| match &types.resolve(field).unwrap().type_def {
		TypeDef::Sequence(items) => items.type_param.id == runtime_call,
		_ => field == runtime_call,
	};
	let mut calls = Vec::new();
	for pallet in variants(runtime_call) {
		for call in variants(pallet.fields[0].ty.id) {
			calls.push(Described {
				name: format!("{}.{}", pallet.name, call.name),
				prefix: [pallet.index, call.index],
				carries: call.fields.iter().any(|field| is_call(field.ty.id)),
			});
		}
	}
	calls
}

#[test]
fn every_call_was_reviewed() {
	let reviewed: BTreeSet<_> = reviewed().map(|(name, _)| name.to_string()).collect();
	let calls: BTreeSet<_> = every_call().into_iter().map(|call| call.name).collect();
	let unknown: Vec<_> = calls.difference(&reviewed).collect();
	let gone: Vec<_> = reviewed.difference(&calls).collect();
	assert!(
		unknown.is_empty() && gone.is_empty(),
		"calls.txt lacks {unknown:?} and has {gone:?}, which do not exist: think about who may call what is new"
	);
}

/// Those that are nobody's, with whatever arguments decode from zeros: the origin is refused before they are looked at.
#[test]
fn what_is_nobodys_is_refused() {
	in_first_block(crate::genesis::LOCAL, || {
		let calls: BTreeMap<_, _> = every_call().into_iter().map(|call| (call.name, call.prefix)).collect();
		let nobodys = reviewed().filter(|(_, who)| *who == "nobody");
		for (name, _) in nobodys {
			let mut bytes = calls[name].to_vec();
			bytes.extend([0; 256]);
			let call = RuntimeCall::decode(&mut &bytes[..]).unwrap();
			for origin in [
				RuntimeOrigin::none(),
				RuntimeOrigin::signed(Sr25519Keyring::Alice.to_account_id()),
				RuntimeOrigin::signed(crate::genesis::treasury()),
			] {
				let error = call.clone().dispatch(origin.clone()).unwrap_err().error;
				let filtered = frame_system::Error::<Runtime>::CallFiltered.into();
				assert_eq!(error, filtered, "{name} as {origin:?}");
			}
		}
	});
}

#[test]
fn the_treasurys_signatories_together_change_no_code_or_storage() {
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
		let before = precious();
		for (name, attempt) in attempts() {
			both(attempt);
			assert!(precious() == before, "{name}");
		}

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
	let carriers = every_call().into_iter().filter(|call| call.carries);
	assert_eq!(
		carriers.map(|call| call.name).collect::<BTreeSet<_>>(),
		CARRIERS.map(String::from).into()
	);
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
