//! Things that were signed, shown where they were not meant: each attack succeeds where a rule is missing, and fails with
//! it.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use clustercast_primitives::{
	channel::{Release, Reservation, SignedRelease},
	crypto::KeyPair,
	status::State,
	subscribe::{Binding, SignedSubscription, Subscription, SubscriptionError},
	AccountId, Hash, SignedStatus, Status, StreamId,
};

const GENESIS: Hash = Hash([0x47; 32]);
const NOW: u64 = 1_700_000_000_000;

fn key(seed: u8) -> KeyPair {
	KeyPair::from_seed([seed; 32])
}

fn status(number: u64, state: State, at_ms: u64) -> SignedStatus {
	let status = Status {
		stream: StreamId(7),
		epoch: 100,
		number,
		state,
		at_ms,
		valid_ms: 4_000,
		after: Hash([0; 32]),
		tracks: Hash([0; 32]),
	};
	SignedStatus::sign(status, Default::default(), &key(1), &GENESIS)
}

fn is_signed(status: &SignedStatus) -> bool {
	status.check(&key(1).public(), &GENESIS).is_ok()
}

/// What a viewer who knows `known` takes for the present.
fn takes(known: &SignedStatus, shown: &SignedStatus, now_ms: u64) -> bool {
	let (known, status) = (&known.status.message, &shown.status.message);
	is_signed(shown) && status.holds_at(now_ms, 0) && status.supersedes(known)
}

#[test]
fn old_status_is_no_news() {
	let (old, known) = (status(4, State::Idle, NOW), status(5, State::Live, NOW + 500));
	// Without the rule of numbers, whatever is signed and fresh holds.
	assert!(
		is_signed(&old) && old.status.message.holds_at(NOW + 1_000, 0),
		"the attack"
	);
	assert!(!takes(&known, &old, NOW + 1_000));
	assert!(takes(&old, &known, NOW + 1_000), "the other way round it is news");
}

#[test]
fn expired_status_says_nothing_of_now() {
	let (known, hidden) = (status(4, State::Live, NOW), status(5, State::Idle, NOW + 1_000));
	// A relayer that kept a status back shows it minutes later: it is signed, and its number is higher.
	let much_later = NOW + 600_000;
	assert!(
		is_signed(&hidden) && hidden.status.message.supersedes(&known.status.message),
		"the attack"
	);
	assert!(!takes(&known, &hidden, much_later));
	assert!(takes(&known, &hidden, NOW + 5_000));
}

#[test]
fn nothing_follows_an_end_in_its_epoch() {
	let (before, end) = (status(5, State::Live, NOW), status(6, State::Ended, NOW + 100));
	assert!(takes(&before, &end, NOW + 200));
	// What was signed just before still holds by its time alone.
	assert!(
		is_signed(&before) && before.status.message.holds_at(NOW + 200, 0),
		"the attack by time"
	);
	assert!(!takes(&end, &before, NOW + 200));
	// And one that was prepared with a higher number has the better number.
	let prepared = status(7, State::Live, NOW + 100);
	assert!(is_signed(&prepared) && prepared.status.message.holds_at(NOW + 200, 0));
	assert!(
		prepared.status.message.number > end.status.message.number,
		"the attack by number"
	);
	assert!(!takes(&end, &prepared, NOW + 200));
}

fn reservation(counter: u32) -> Reservation {
	Reservation {
		sender: AccountId([1; 32]),
		session: key(3).public(),
		recipient: AccountId([4; 32]),
		counter,
		cap: 5_000_000 * u128::from(counter),
		reward: 0,
		submit_by: 2_000,
	}
}

fn release(counter: u32, registered: u32) -> SignedRelease {
	let release = Release {
		recipient: AccountId([4; 32]),
		session: key(3).public(),
		registered,
		counter,
		kept: 0,
	};
	key(4).sign(release, &GENESIS)
}

/// Recipient and session are the reservation's, and it is signed: all that a release could be bound to at the least.
fn is_of_channel(release: &SignedRelease, reservation: &Reservation) -> bool {
	let message = &release.message;
	(message.recipient, message.session) == (reservation.recipient, reservation.session)
		&& release.verify(&key(4).public(), &GENESIS).is_ok()
}

#[test]
fn release_frees_no_later_reservation() {
	let (released, next) = (release(1, 100), reservation(2));
	assert!(next.succeeds(&reservation(1)));
	assert!(is_of_channel(&released, &reservation(1)) && released.message.is_for(&reservation(1), 100));
	assert!(
		is_of_channel(&released, &next),
		"the attack: without the counter it is for the next one too"
	);
	assert!(!released.message.is_for(&next, 100));
}

#[test]
fn release_frees_nothing_of_a_session_that_was_registered_again() {
	let released = release(1, 100);
	// The session was reaped and registered again in block 900; its counters begin at 1 anew.
	let again = reservation(1);
	let same_counter = released.message.counter == again.counter;
	assert!(
		is_of_channel(&released, &again) && same_counter,
		"the attack: without the block it is for this one"
	);
	assert!(!released.message.is_for(&again, 900));
	assert!(release(1, 900).message.is_for(&again, 900));
}

fn subscription(challenge: Hash, binding: Binding) -> SignedSubscription {
	let subscription = Subscription {
		account: AccountId([1; 32]),
		session: key(3).public(),
		stream: StreamId(7),
		tracks: vec![0, 3].try_into().unwrap(),
		challenge,
		binding,
	};
	key(3).sign(subscription, &GENESIS)
}

/// Two relayers, and what each drew for a connection.
const ONE: (Hash, Binding) = (Hash([0x11; 32]), Binding::PeerKey([0xa1; 32]));
const OTHER: (Hash, Binding) = (Hash([0x22; 32]), Binding::PeerKey([0xb2; 32]));

#[test]
fn subscription_serves_at_one_relayer_and_on_one_connection() {
	for binding in [ONE.1, Binding::Certificate([0xa1; 32])] {
		let seen = subscription(ONE.0, binding);
		assert_eq!(seen.check(&ONE.0, &binding, &GENESIS), Ok(()));
		assert_eq!(
			seen.verify(&key(3).public(), &GENESIS),
			Ok(()),
			"the attack: the signature holds anywhere"
		);
		let at_another = seen.check(&OTHER.0, &OTHER.1, &GENESIS);
		assert_eq!(at_another, Err(SubscriptionError::Challenge));
		// The same relayer, on the next connection.
		let next = seen.check(&Hash([0x12; 32]), &binding, &GENESIS);
		assert_eq!(next, Err(SubscriptionError::Challenge));
	}
}

#[test]
fn subscription_cannot_be_fetched_through_a_relayer_in_the_middle() {
	// The other one is connected to ONE as a viewer, and shows its own viewer the challenge that it got there.
	let fetched = subscription(ONE.0, OTHER.1);
	assert_eq!(
		fetched.message.challenge, ONE.0,
		"the attack: by the challenge alone it is the viewer's"
	);
	assert_eq!(fetched.verify(&key(3).public(), &GENESIS), Ok(()));
	assert_eq!(fetched.check(&ONE.0, &ONE.1, &GENESIS), Err(SubscriptionError::Binding));
	// A certificate is no peer key, whatever its bytes.
	let kind = subscription(ONE.0, Binding::Certificate([0xa1; 32]));
	assert_eq!(kind.check(&ONE.0, &ONE.1, &GENESIS), Err(SubscriptionError::Binding));
}
