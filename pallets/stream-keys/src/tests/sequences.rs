//! No sequence of calls breaks an invariant, makes or loses money, moves a key without its owner, or ends a rental early;
//! what was to be paid for a block, or under terms, stays what it is, whenever it is asked; and whoever's key signs, or did
//! a short while ago, answers for it.

use crate::{mock::*, Offences, Payee, StreamKeys as Keys, Streams};
use clustercast_primitives::{
	amount::USDC,
	chain::{RentOffer, StreamTerms, PPM},
	Balance, StreamId,
};
use frame_support::{
	assert_ok,
	traits::{fungible::Mutate, tokens::imbalance::Imbalance},
};
use proptest::prelude::*;
use sp_runtime::AccountId32;
use std::collections::BTreeMap;

/// Somebody's step; numbers name people, streams and signing keys.
#[derive(Clone, Debug)]
enum Step {
	Mint(u8, u32),
	Update(u8, u64),
	Sign(u8, u64, u8),
	Burn(u8, u64),
	Terms(u8, u64, u64, u32),
	Transfer(u8, u64, u8),
	List(u8, u64, Option<Balance>),
	Buy(u8, u64, u8, Balance, u32),
	SetRent(u8, u64, Option<(Balance, u32)>),
	Rent(u8, u64, u8, Balance, u32),
	/// The n-th of the keys that are known.
	Flag(u64, u8),
	/// The payee of this stream is paid.
	Earn(u64, Balance),
	/// All that is not held, and the account with it where nothing is.
	TransferAll(u8, u8),
	Wait(u32, bool),
}

fn step() -> impl Strategy<Value = Step> {
	// Mostly the owner, and mostly the first stream, so that most steps are taken.
	let who = prop_oneof![2 => 0..4u8, 3 => Just(OWNER)];
	let (id, key) = (prop_oneof![4 => Just(0u64), 1 => 0..3u64], 0..6u8);
	let stranger = 0..4u8;
	let price = || prop_oneof![0..100u128, 0..3 * USDC];
	let blocks = || prop_oneof![0..4u32, 55..140u32, 55..80u32, Just(MAX_RENTAL)];
	prop_oneof![
		1 => (stranger.clone(), 0..=300_000u32).prop_map(|(who, share)| Step::Mint(who, share)),
		1 => (who.clone(), id.clone()).prop_map(|(who, id)| Step::Update(who, id)),
		2 => (who.clone(), id.clone(), key.clone()).prop_map(|(who, id, key)| Step::Sign(who, id, key)),
		1 => (who.clone(), id.clone()).prop_map(|(who, id)| Step::Burn(who, id)),
		2 => (who.clone(), id.clone(), 0..3_000u64, 0..=300_000u32)
			.prop_map(|(who, id, price, share)| Step::Terms(who, id, price, share)),
		2 => (who.clone(), id.clone(), 0..5u8).prop_map(|(who, id, to)| Step::Transfer(who, id, to)),
		3 => (who.clone(), id.clone(), prop::option::weighted(0.9, price()))
			.prop_map(|(who, id, price)| Step::List(who, id, price)),
		3 => (stranger.clone(), id.clone(), key.clone(), price(), blocks())
			.prop_map(|(who, id, key, price, until)| Step::Buy(who, id, key, price, until)),
		3 => (who.clone(), id.clone(), prop::option::weighted(0.9, (price(), blocks())))
			.prop_map(|(who, id, offer)| Step::SetRent(who, id, offer)),
		4 => (stranger.clone(), id.clone(), key, price(), 0..3u32)
			.prop_map(|(who, id, key, price, blocks)| Step::Rent(who, id, key, price, blocks)),
		2 => (id.clone(), 0..4u8).prop_map(|(id, nth)| Step::Flag(id, nth)),
		2 => (id, 0..60 * USDC).prop_map(|(id, amount)| Step::Earn(id, amount)),
		2 => (stranger, 0..5u8).prop_map(|(who, to)| Step::TransferAll(who, to)),
		5 => (prop_oneof![1..4u32, 1..70u32], any::<bool>()).prop_map(|(blocks, idle)| Step::Wait(blocks, idle)),
	]
}

/// Stands for whoever owns the stream.
const OWNER: u8 = 9;

/// A step by somebody of flesh and blood.
fn resolve(mut step: Step) -> Step {
	let by = match &mut step {
		Step::Update(who, id)
		| Step::Sign(who, id, _)
		| Step::Burn(who, id)
		| Step::Terms(who, id, ..)
		| Step::Transfer(who, id, _)
		| Step::List(who, id, _)
		| Step::SetRent(who, id, _) => Some((who, *id)),
		_ => None,
	};
	if let Some((who, id)) = by.filter(|(who, _)| **who == OWNER) {
		let owner = Keys::<Test>::get(StreamId(id)).map(|key| key.owner);
		let place = owner.and_then(|owner| (0..5).find(|n| person(*n) == owner));
		*who = place.unwrap_or(0);
	}
	step
}

/// The last one has no account.
fn person(n: u8) -> AccountId32 {
	[ALICE, BOB, CAROL, TREASURY, NOBODY][usize::from(n) % 5].clone()
}

/// Who owns and who rents each key, and until when.
type Rights = BTreeMap<StreamId, (AccountId32, Option<(AccountId32, u32)>)>;

fn rights() -> Rights {
	let now = System::block_number();
	let rights = Keys::<Test>::iter().filter(|(_, key)| key.era_at(now).1.terms.is_some());
	rights
		.map(|(id, key)| {
			let rental = key.rental.as_ref().filter(|rental| now < rental.until);
			(
				id,
				(
					key.owner.clone(),
					rental.map(|rental| (rental.renter.clone(), rental.until)),
				),
			)
		})
		.collect()
}

/// What was to be paid, as it was asked when it could be for the first time.
#[derive(Default)]
struct History {
	/// By stream and block.
	payees: BTreeMap<(u64, u32), Option<Payee<AccountId32>>>,
	/// By stream and counter: what, and the first block.
	terms: BTreeMap<(u64, u32), (Payee<AccountId32>, u32)>,
	/// By stream and signing key: the last block in which it signed.
	signers: BTreeMap<(u64, clustercast_primitives::PublicKey), u32>,
	slashed: Balance,
	earned: Balance,
}

impl History {
	fn apply(&mut self, step: Step) {
		let step = resolve(step);
		let before = rights();
		let by = |who| RuntimeOrigin::signed(person(who));
		let terms = |price_per_gb, broadcaster_share_ppm| StreamTerms {
			price_per_gb,
			max_surge_ppm: PPM,
			broadcaster_share_ppm,
		};
		let outcome = match step.clone() {
			Step::Mint(who, share) => {
				let terms = terms(1_000, share);
				mint(
					person(who),
					New {
						terms,
						..Default::default()
					},
				)
			},
			Step::Update(who, id) => {
				StreamKeys::update(by(who), StreamId(id), Default::default(), Default::default(), 0)
			},
			Step::Sign(who, id, key) => StreamKeys::set_signing_key(by(who), StreamId(id), signer(key)),
			Step::Burn(who, id) => StreamKeys::burn(by(who), StreamId(id)),
			Step::Terms(who, id, price, share) => StreamKeys::set_terms(by(who), StreamId(id), terms(price, share)),
			Step::Transfer(who, id, to) => {
				let key = signer(20 + to);
				StreamKeys::transfer(by(who), StreamId(id), person(to), key)
			},
			Step::TransferAll(who, to) => Balances::transfer_all(by(who), person(to), false),
			Step::Earn(id, amount) => {
				if let Some(payee) = <StreamKeys as Streams<_>>::payee(StreamId(id), System::block_number()) {
					assert_ok!(Balances::mint_into(&payee.account, amount));
					self.earned += amount;
					<StreamKeys as Streams<_>>::earned(StreamId(id), &payee.account, amount);
				}
				Ok(())
			},
			Step::List(who, id, price) => StreamKeys::list(by(who), StreamId(id), price),
			Step::Buy(who, id, key, max, until) => {
				let until = System::block_number() + until;
				StreamKeys::buy(by(who), StreamId(id), signer(key), max, until)
			},
			Step::SetRent(who, id, offer) => {
				let offer = offer.map(|(price, blocks)| RentOffer { price, blocks });
				StreamKeys::set_rent(by(who), StreamId(id), offer)
			},
			Step::Rent(who, id, key, max, blocks) => StreamKeys::rent(by(who), StreamId(id), signer(key), max, blocks),
			Step::Flag(id, key) => {
				let keys = StreamKeys::signing_keys(StreamId(id));
				let key = keys.get(usize::from(key));
				if let Some(taken) = key.and_then(|key| StreamKeys::flag(StreamId(id), key)) {
					self.slashed += taken.peek();
				}
				Ok(())
			},
			Step::Wait(blocks, idle) => {
				let now = System::block_number() + blocks;
				System::set_block_number(now);
				if idle {
					run_to(now);
				}
				Ok(())
			},
		};
		check_rights(&before, &step, outcome.is_ok());
	}

	/// Notes what is to be paid for this block, and compares what was noted for earlier ones that may still be asked for.
	fn check_payees(&mut self) {
		let now = System::block_number();
		let exists = |who: &AccountId32| total(who) >= EXISTENTIAL_DEPOSIT;
		let agree = |asked: &Payee<AccountId32>, noted: &Payee<AccountId32>, id: u64| {
			let terms = |payee: &Payee<_>| (payee.share_ppm, payee.max_price_per_gb, payee.terms);
			assert_eq!(terms(asked), terms(noted), "stream {id} in {now}");
			let owner = || Keys::<Test>::get(StreamId(id)).unwrap().owner;
			// Who had no account then, or has none now, is paid for by the owner.
			if exists(&noted.account) {
				assert!(
					asked.account == noted.account || asked.account == owner(),
					"stream {id} in {now}"
				);
			} else {
				assert_eq!(asked.account, owner(), "stream {id} in {now}");
			}
			assert!(
				exists(&asked.account),
				"stream {id} pays an account that cannot receive, in {now}"
			);
		};
		for id in 0..3 {
			let keys = StreamKeys::signing_keys(StreamId(id));
			assert!(keys.len() as u32 <= StreamKeys::max_signing_keys());
			let payee = |at| <StreamKeys as Streams<_>>::payee(StreamId(id), at);
			let range = (id, now.saturating_sub(CHANGE_DELAY))..(id, now);
			// The oldest that may still be asked for, and the newest: those between were the newest before.
			let (oldest, newest) = (
				self.payees.range(range.clone()).take(2),
				self.payees.range(range).rev().take(2),
			);
			for ((_, at), noted) in oldest.chain(newest) {
				let (asked, Some(noted)) = (payee(*at), noted) else {
					// It did not exist in that block, or was burnt by then.
					continue;
				};
				agree(&asked.expect("what was to be paid is paid"), noted, id);
			}
			self.payees.insert((id, now), payee(now));
			self.check_terms(id, now, agree);
		}
	}

	/// The same by terms; and that they change no sooner than they may.
	fn check_terms(&mut self, id: u64, now: u32, agree: impl Fn(&Payee<AccountId32>, &Payee<AccountId32>, u64)) {
		let under = |terms| <StreamKeys as Streams<_>>::payee_under(StreamId(id), terms);
		if let Some(payee) = <StreamKeys as Streams<_>>::payee(StreamId(id), now) {
			let terms = payee.terms;
			self.terms.entry((id, terms)).or_insert((payee, now));
		}
		let known: Vec<_> = self.terms.range((id, 0)..(id + 1, 0)).collect();
		for ((_, terms), (noted, first)) in known {
			match under(*terms) {
				Some((asked, end)) => {
					agree(&asked, noted, id);
					assert!(end.is_none_or(|end| first <= &end && end <= now && now < end + CHANGE_DELAY));
					assert!(end.is_none_or(|end| *terms == 0 || end >= first.saturating_sub(now - first)));
				},
				// Forgotten: seen in force for the last time a memory ago.
				None => assert!(
					now >= first + CHANGE_DELAY,
					"stream {id}: terms {terms} are void in {now}"
				),
			}
		}
		let newest = self.terms.range((id, 0)..(id + 1, 0)).next_back();
		assert!(newest.is_none_or(|((_, terms), _)| u64::from(*terms) <= 1 + u64::from(now / CHANGE_DELAY)));
	}

	/// Whoever's key signs, or did until a short while ago, answers for it with a deposit, or is flagged.
	fn check_signers(&mut self) {
		let now = System::block_number();
		for id in 0..3 {
			if let Some(info) = StreamKeys::stream_key(StreamId(id)) {
				self.signers.insert((id, info.signing_key), now);
			}
		}
		for ((id, key), last) in &self.signers {
			let Some(stored) = Keys::<Test>::get(StreamId(*id)).filter(|_| now < last + KEY_MEMORY) else {
				continue;
			};
			let culprits = stored.culprits(key).count();
			assert!(
				culprits > 0 || stored.flagged,
				"nobody answers for a key of stream {id} that signed in {last}, now {now}"
			);
		}
	}
}

/// Nobody but an owner gives or sells a key away, and nothing but time ends a rental.
fn check_rights(before: &Rights, step: &Step, done: bool) {
	let after = rights();
	let now = System::block_number();
	for (id, (owner, rental)) in before {
		let Some((owner_now, rental_now)) = after.get(id) else {
			assert!(matches!(step, Step::Wait(..)), "a key ends by itself: {step:?}");
			continue;
		};
		if owner != owner_now {
			let moved = match step {
				Step::Transfer(who, of, to) => {
					(person(*who), *of, person(*to)) == (owner.clone(), id.0, owner_now.clone())
				},
				Step::Buy(who, of, ..) => (*of, person(*who)) == (id.0, owner_now.clone()),
				_ => false,
			};
			assert!(done && moved, "a key changed hands by {step:?}");
		}
		match (rental, rental_now) {
			(Some((_, until)), None) => assert!(*until <= now, "a rental ended early by {step:?}"),
			(Some(rental), Some(rental_now)) => assert_eq!(rental, rental_now, "a rental changed by {step:?}"),
			(None, Some(_)) => assert!(matches!(step, Step::Rent(_, of, ..) if *of == id.0)),
			(None, None) => {},
		}
	}
}

/// The money that there is, with all deposits in their places.
fn check_money(issuance: Balance, history: &History) {
	assert_eq!(
		Balances::total_issuance() + history.slashed,
		issuance + history.earned,
		"money was made or lost"
	);
	let rich = [ALICE, BOB, CAROL, TREASURY, NOBODY].map(|who| total(&who));
	assert_eq!(rich.iter().sum::<Balance>(), Balances::total_issuance());
	let deposits: Vec<_> = Keys::<Test>::iter_values()
		.flat_map(|key| {
			let rental = key.rental.map(|rental| (rental.deposit, rental.flagged));
			let former = key.former.into_iter().map(|former| (former.deposit, former.flagged));
			former.chain(rental).chain([(key.deposit, key.flagged)])
		})
		.collect();
	let held: Balance = [ALICE, BOB, CAROL, TREASURY, NOBODY].iter().map(held).sum();
	assert_eq!(deposits.iter().map(|(deposit, _)| deposit).sum::<Balance>(), held);
	for (deposit, flagged) in deposits {
		let bounds = match flagged {
			true => EXISTENTIAL_DEPOSIT..=EXISTENTIAL_DEPOSIT,
			false => MINT_DEPOSIT..=MAX_DEPOSIT,
		};
		assert!(bounds.contains(&deposit), "{deposit}, flagged: {flagged}");
	}
}

proptest! {
	#![proptest_config(ProptestConfig { cases: 10_000, max_shrink_iters: 2_000, ..ProptestConfig::default() })]

	#[test]
	fn no_sequence_of_calls_breaks_an_invariant(
		steps in prop::collection::vec(step(), 1..24),
		all_ends in prop::bool::weighted(0.1),
	) {
		ExtBuilder.build_and_execute(|| {
			let issuance = Balances::total_issuance();
			let mut history = History::default();
			// A key on offer, so that most sequences get to trade.
			assert_ok!(mint(ALICE, New::default()));
			assert_ok!(list(ALICE, 50));
			assert_ok!(set_rent(ALICE, 50, CHANGE_DELAY));
			for step in steps {
				history.apply(step);
				StreamKeys::do_try_state().unwrap();
				check_money(issuance, &history);
				history.check_payees();
				history.check_signers();
			}
			if !all_ends {
				return;
			}
			// Nothing is left over when all is over.
			run_to(System::block_number() + MAX_RENTAL + 2 * CHANGE_DELAY + 2 * KEY_MEMORY);
			assert_eq!(crate::Due::<Test>::iter_keys().count(), 0);
			assert!(Keys::<Test>::iter_values().all(|key| key.rental.is_none() && key.change.is_none()));
			assert!(Keys::<Test>::iter_values().all(|key| key.former.is_empty()));
		});
	}
}
