//! Benchmarks. The worst key: the longest texts, as many replaced signing keys and former owners as are kept, a payee
//! without an account, and a rental that is over when a call comes, so that it brings the key to its block first.

use super::*;
use alloc::vec;
use clustercast_primitives::{
	amount::MAX_PRICE_PER_GB,
	chain::{RentOffer, StreamTerms},
	Balance, BlockNumber, PublicKey,
};
use frame_benchmarking::v2::*;
use frame_support::{
	traits::{fungible::Mutate, Get},
	weights::WeightMeter,
};
use frame_system::RawOrigin;

/// The longest texts with the largest figure.
fn largest<T: Config>() -> About<T> {
	let text = |length: u32| vec![b'x'; length as usize];
	About {
		title: text(T::MaxTitle::get()).try_into().expect("as long as the bound"),
		category: text(T::MaxCategory::get()).try_into().expect("as long as the bound"),
		max_viewers: u32::MAX,
	}
}

/// The largest share and the highest price.
fn dearest<T: Config>() -> StreamTerms {
	StreamTerms {
		price_per_gb: MAX_PRICE_PER_GB,
		max_surge_ppm: T::MaxSurge::get(),
		broadcaster_share_ppm: T::MaxBroadcasterShare::get(),
	}
}

/// An account with so many deposits and some money.
fn rich<T: Config>(name: &'static str, index: u32) -> T::AccountId {
	let who: T::AccountId = account(name, index, 0);
	T::Currency::set_balance(&who, T::MintDeposit::get() * 10);
	who
}

/// Mints the worst key, of which nothing is over yet, for `owner`, who must hold the deposit and an account's minimum.
pub(crate) fn mint_largest<T: Config>(owner: &T::AccountId) -> StreamId {
	mint_rotated::<T>(owner, PublicKey([0; 32]))
}

/// The same; `first` is the oldest of the replaced signing keys.
pub(crate) fn mint_rotated<T: Config>(owner: &T::AccountId, first: PublicKey) -> StreamId {
	let id = Pallet::<T>::do_mint(owner.clone(), PublicKey([0xff; 32]), largest::<T>(), dearest::<T>());
	let id = id.expect("owner can pay the deposit");
	let (now, renter) = (Pallet::<T>::now(), rich::<T>("renter", id.0 as u32));
	let mut key = StreamKeys::<T>::get(id).expect("it was minted");
	// A place is left for the renter's.
	let previous = (1..T::MaxPreviousKeys::get()).map(|n| PreviousKey {
		key: if n == 1 { first } else { PublicKey([n as u8; 32]) },
		by: owner.clone(),
		until: 0,
	});
	key.previous_keys = previous.collect::<Vec<_>>().try_into().expect("as many as are kept");
	// A place is left for the renter's deposit, and one for the owner's.
	let former = (2..T::MaxPreviousKeys::get()).map(|_| Former {
		account: owner.clone(),
		deposit: 0,
		flagged: false,
		until: now,
	});
	key.former = former.collect::<Vec<_>>().try_into().expect("as many as are kept");
	let (payee, terms) = (account("former", 0, 0), key.era.terms);
	key.begin(Era {
		payee,
		terms,
		from: now,
	});
	key.rental = Some(Rental {
		deposit: Pallet::<T>::take_deposit(&renter).expect("the renter can pay the deposit"),
		renter,
		signing_key: PublicKey([0xfe; 32]),
		from: now.saturating_add(T::ChangeDelay::get()),
		until: now.saturating_add(T::ChangeDelay::get().saturating_mul(2)),
		flagged: false,
		about: largest::<T>(),
	});
	Pallet::<T>::store(id, None, key);
	id
}

/// Goes on until what [`mint_largest`] made is over, and its replaced signing keys can be forgotten.
fn wait<T: Config>() {
	let later = Pallet::<T>::now() + T::ChangeDelay::get() * 3 + T::KeyMemory::get() + 1;
	frame_system::Pallet::<T>::set_block_number(later.into());
}

/// A key of which something is over, and its owner.
fn overdue<T: Config>() -> (T::AccountId, StreamId) {
	let owner = rich::<T>("owner", 0);
	let id = mint_largest::<T>(&owner);
	wait::<T>();
	(owner, id)
}

/// For rent, as long as can be.
fn offer<T: Config>() -> RentOffer {
	RentOffer {
		price: T::MintDeposit::get(),
		blocks: T::MaxRental::get(),
	}
}

#[benchmarks]
mod benchmarks {
	use super::*;

	/// Puts a key on offer without touching it otherwise.
	fn put_on_offer<T: Config>(id: StreamId) {
		StreamKeys::<T>::mutate(id, |key| {
			let key = key.as_mut().expect("it was minted");
			(key.sale_price, key.rent_offer) = (Some(T::MintDeposit::get()), Some(offer::<T>()));
		});
	}

	/// Whoever receives royalties has an account.
	fn endow_treasury<T: Config>() {
		if let Some(treasury) = T::Treasury::get() {
			T::Currency::set_balance(&treasury, T::MintDeposit::get());
		}
	}

	#[benchmark]
	fn mint() {
		let (owner, about) = (rich::<T>("owner", 0), largest::<T>());
		#[extrinsic_call]
		_(
			RawOrigin::Signed(owner),
			PublicKey([7; 32]),
			about.title,
			about.category,
			about.max_viewers,
			dearest::<T>(),
		);
		assert_eq!(NextStream::<T>::get(), StreamId(1));
	}

	#[benchmark]
	fn update() {
		let ((owner, id), about) = (overdue::<T>(), largest::<T>());
		#[extrinsic_call]
		_(RawOrigin::Signed(owner), id, about.title, about.category, 0);
		assert_eq!(StreamKeys::<T>::get(id).map(|key| key.about.max_viewers), Some(0));
	}

	#[benchmark]
	fn set_signing_key() {
		let (owner, id) = overdue::<T>();
		let key = PublicKey([8; 32]);
		#[extrinsic_call]
		_(RawOrigin::Signed(owner), id, key);
		assert_eq!(StreamKeys::<T>::get(id).map(|stored| stored.signing_key), Some(key));
	}

	#[benchmark]
	fn burn() {
		let (owner, id) = overdue::<T>();
		#[extrinsic_call]
		_(RawOrigin::Signed(owner), id);
		let change = StreamKeys::<T>::get(id).and_then(|key| key.change);
		assert!(change.is_some_and(|change| change.terms.is_none()));
	}

	#[benchmark]
	fn set_terms() {
		let (owner, id) = overdue::<T>();
		let terms = StreamTerms {
			price_per_gb: 0,
			..dearest::<T>()
		};
		#[extrinsic_call]
		_(RawOrigin::Signed(owner), id, terms);
		let change = StreamKeys::<T>::get(id).and_then(|key| key.change);
		assert_eq!(change.and_then(|change| change.terms), Some(terms));
	}

	#[benchmark]
	fn transfer() {
		let ((owner, id), to) = (overdue::<T>(), rich::<T>("other", 0));
		#[extrinsic_call]
		_(RawOrigin::Signed(owner), id, to.clone(), PublicKey([8; 32]));
		assert_eq!(StreamKeys::<T>::get(id).map(|key| key.owner), Some(to));
	}

	#[benchmark]
	fn list() {
		let (owner, id) = overdue::<T>();
		#[extrinsic_call]
		_(RawOrigin::Signed(owner), id, Some(Balance::MAX));
		assert_eq!(
			StreamKeys::<T>::get(id).and_then(|key| key.sale_price),
			Some(Balance::MAX)
		);
	}

	#[benchmark]
	fn buy() {
		let ((_, id), buyer) = (overdue::<T>(), rich::<T>("other", 0));
		put_on_offer::<T>(id);
		endow_treasury::<T>();
		#[extrinsic_call]
		_(
			RawOrigin::Signed(buyer.clone()),
			id,
			PublicKey([8; 32]),
			Balance::MAX,
			BlockNumber::MAX,
		);
		assert_eq!(StreamKeys::<T>::get(id).map(|key| key.owner), Some(buyer));
	}

	#[benchmark]
	fn set_rent() {
		let (owner, id) = overdue::<T>();
		#[extrinsic_call]
		_(RawOrigin::Signed(owner), id, Some(offer::<T>()));
		assert_eq!(
			StreamKeys::<T>::get(id).and_then(|key| key.rent_offer),
			Some(offer::<T>())
		);
	}

	#[benchmark]
	fn rent() {
		let ((_, id), renter) = (overdue::<T>(), rich::<T>("other", 0));
		put_on_offer::<T>(id);
		endow_treasury::<T>();
		#[extrinsic_call]
		_(
			RawOrigin::Signed(renter.clone()),
			id,
			PublicKey([8; 32]),
			Balance::MAX,
			1,
		);
		let rental = StreamKeys::<T>::get(id).and_then(|key| key.rental);
		assert_eq!(rental.map(|rental| rental.renter), Some(renter));
	}

	#[benchmark]
	fn settle(n: Linear<0, 100>) {
		let block = Pallet::<T>::now() + T::KeyMemory::get();
		for index in 0..n {
			let owner = rich::<T>("owner", index);
			let id = mint_largest::<T>(&owner);
			// The end of a key is the most to do.
			let mut key = StreamKeys::<T>::get(id).expect("it was minted");
			let (due, payee, from) = (key.due(), owner.clone(), Pallet::<T>::now());
			(key.rental, key.former) = (None, Default::default());
			key.begin(Era {
				payee,
				terms: None,
				from,
			});
			Pallet::<T>::store(id, due, key);
		}
		OldestDue::<T>::put(block);
		frame_system::Pallet::<T>::set_block_number(block.into());
		let mut meter = WeightMeter::new();
		#[block]
		{
			Pallet::<T>::do_settle(&mut meter);
		}
		assert_eq!(OldestDue::<T>::get(), block + 1);
		assert_eq!(StreamKeys::<T>::iter_keys().count(), 0);
	}

	#[benchmark]
	fn earned() {
		let owner = rich::<T>("owner", 0);
		let id = mint_largest::<T>(&owner);
		let before = StreamKeys::<T>::get(id).map(|key| key.deposit);
		#[block]
		{
			<Pallet<T> as Streams<_>>::earned(id, &owner, T::MintDeposit::get());
		}
		assert!(StreamKeys::<T>::get(id).map(|key| key.deposit) > before);
	}

	impl_benchmark_test_suite!(Pallet, crate::mock::ExtBuilder.build(), crate::mock::Test);
}
