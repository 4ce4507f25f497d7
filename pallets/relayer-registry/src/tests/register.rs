//! `register`: bond, proof of possession, unique keys, addresses, price.

use crate::{mock::*, Addresses, Error, Event, Relayers, SigningKeys};
use clustercast_primitives::{
	amount::MAX_PRICE_PER_GB, crypto::KeyPair, notice::RelayerProof, AccountId, Balance, Hash, PublicKey, Signature,
};
use frame_support::{assert_noop, assert_ok, dispatch::DispatchResult};
use sp_runtime::{DispatchError, TokenError};

/// What `register` takes besides the key.
struct Terms {
	addresses: Addresses<Test>,
	price_per_gb: u64,
	bond: Balance,
}

impl Default for Terms {
	fn default() -> Self {
		Self {
			addresses: addresses(&[ADDRESS]),
			price_per_gb: 1_000_000,
			bond: MIN_BOND,
		}
	}
}

fn register_with(key: PublicKey, proof: Signature, terms: Terms) -> DispatchResult {
	let who = RuntimeOrigin::signed(ALICE);
	Registry::register(who, key, proof, terms.addresses, terms.price_per_gb, terms.bond)
}

fn register_on(terms: Terms) -> DispatchResult {
	register_with(key(1).public(), proof(&key(1), &ALICE), terms)
}

#[test]
fn register_holds_the_bond_and_records_the_relayer() {
	ExtBuilder.build_and_execute(|| {
		let bond = MIN_BOND + 5;
		assert_ok!(register_on(Terms {
			bond,
			..Default::default()
		}));
		System::assert_last_event(
			Event::Registered {
				relayer: ALICE,
				signing_key: key(1).public(),
				bond,
			}
			.into(),
		);
		assert_eq!(held(&ALICE), bond);
		assert_eq!(SigningKeys::<Test>::get(key(1).public()), Some(ALICE));
		let relayer = Relayers::<Test>::get(ALICE).unwrap();
		assert_eq!(
			(relayer.bond, relayer.price_per_gb, relayer.unbonds_at),
			(bond, 1_000_000, None)
		);
	});
}

#[test]
fn register_fails_below_the_minimum_bond_or_without_the_money() {
	ExtBuilder.build_and_execute(|| {
		let with = |bond| Terms {
			bond,
			..Default::default()
		};
		assert_noop!(register_on(with(MIN_BOND - 1)), Error::<Test>::BondTooSmall);
		assert_noop!(
			register_on(with(ENDOWMENT)),
			DispatchError::Token(TokenError::FundsUnavailable)
		);
		assert_ok!(register_on(with(ENDOWMENT - EXISTENTIAL_DEPOSIT)));
	});
}

#[test]
fn register_fails_without_proof_of_possession() {
	ExtBuilder.build_and_execute(|| {
		let attempt = |key: &KeyPair, proof| register_with(key.public(), proof, Terms::default());
		// Another key's, another account's, another chain's.
		assert_noop!(attempt(&key(1), proof(&key(2), &ALICE)), Error::<Test>::BadProof);
		assert_noop!(attempt(&key(1), proof(&key(1), &BOB)), Error::<Test>::BadProof);
		let message = RelayerProof {
			account: AccountId(ALICE.into()),
		};
		let elsewhere = key(1).sign(message, &Hash([0; 32])).signature;
		assert_noop!(attempt(&key(1), elsewhere), Error::<Test>::BadProof);
		assert_ok!(attempt(&key(1), proof(&key(1), &ALICE)));
	});
}

#[test]
fn register_fails_on_a_key_in_a_second_encoding() {
	ExtBuilder.build_and_execute(|| {
		// The neutral point as `y = p + 1`. It "signs" everything with `R` neutral and `S` zero, and verifies as such.
		let mut key = PublicKey([0xff; 32]);
		(key.0[0], key.0[31]) = (0xee, 0x7f);
		let mut proof = Signature([0; 64]);
		proof.0[0] = 1;
		assert!(sp_io::crypto::ed25519_verify(&proof.0.into(), b"", &key.0.into()));
		assert_noop!(register_with(key, proof, Terms::default()), Error::<Test>::BadProof);
	});
}

#[test]
fn register_fails_for_a_relayer_and_for_a_key_in_use() {
	ExtBuilder.build_and_execute(|| {
		assert_ok!(register(ALICE, &key(1)));
		assert_noop!(register(ALICE, &key(2)), Error::<Test>::AlreadyRegistered);
		assert_noop!(register(BOB, &key(1)), Error::<Test>::SigningKeyTaken);
		assert_ok!(register(BOB, &key(2)));
	});
}

#[test]
fn register_fails_on_addresses_that_are_none() {
	ExtBuilder.build_and_execute(|| {
		let with = |addresses| Terms {
			addresses,
			..Default::default()
		};
		assert_noop!(register_on(with(addresses(&[]))), Error::<Test>::NoAddress);
		for bad in ["", "ip4/203.0.113.7", " /ip4"] {
			let list = addresses(&[ADDRESS, bad]);
			assert_noop!(register_on(with(list)), Error::<Test>::BadAddress);
		}
		let not_utf8 = vec![b"/\xff".to_vec().try_into().unwrap()].try_into().unwrap();
		assert_noop!(register_on(with(not_utf8)), Error::<Test>::BadAddress);
		assert_ok!(register_on(with(addresses(&[ADDRESS, "/", "/dns4/x", "/ü"]))));
	});
}

#[test]
fn register_fails_on_a_price_that_tickets_cannot_express() {
	ExtBuilder.build_and_execute(|| {
		let with = |price_per_gb| Terms {
			price_per_gb,
			..Default::default()
		};
		assert_noop!(register_on(with(MAX_PRICE_PER_GB + 1)), Error::<Test>::PriceTooHigh);
		assert_ok!(register_on(with(MAX_PRICE_PER_GB)));
	});
}
