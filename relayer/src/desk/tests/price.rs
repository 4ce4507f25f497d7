//! What becomes of those who watch when the stream's price or terms change under them.

use super::*;

#[tokio::test]
async fn price_that_rises_is_asked_of_who_comes_and_not_of_who_watches() {
	let dir = tempfile::tempdir().unwrap();
	let mut desk = desk(dir.path(), account(5));
	desk.load = Arc::new(Load::new(4, None));
	let auto = Rule::new(Payment::Auto, PRICE, FACE, Duration::from_secs(300));
	desk.streams = [served(STREAM, 2 * PRICE, auto, &desk.load)].into_iter().collect();
	desk.limit_price(stream(&desk), PRICE, PRICE);
	let (terms, seat) = modern(&desk).await;
	desk.earns(&seat, true);
	assert_eq!((terms.price_per_gb, desk.is_dear(&seat)), (PRICE, false));
	// The stream allows more, and it becomes full.
	desk.limit_price(stream(&desk), 2 * PRICE, 2 * PRICE);
	let (mut others, mut asked) = (Vec::new(), PRICE);
	for _ in 0..3 {
		let (terms, other) = modern(&desk).await;
		desk.earns(&other, true);
		asked = terms.price_per_gb;
		others.push(other);
	}
	assert_eq!(asked, PRICE + PRICE / 2);
	assert!(
		others.last().is_some_and(|last| desk.is_dear(last)),
		"it may go elsewhere"
	);
	assert_eq!(desk.price(&seat), None, "what was agreed holds");
	let (commitment, voucher) = sell_by_voucher(&desk, &seat, 1, 10);
	assert_eq!(desk.voucher(&seat, commitment, voucher).await, Ok(()));
	// And back again, below what was agreed with either.
	desk.limit_price(stream(&desk), 2 * PRICE, PRICE / 2);
	for seat in others.iter().chain([&seat]) {
		assert_eq!(desk.price(seat), Some(PRICE / 2));
		assert_eq!(desk.price(seat), None, "once");
	}
}

/// Before this viewer is looked at again.
#[tokio::test]
async fn terms_that_change_twice_are_stated_once_and_what_was_owed_before_is_owed() {
	let dir = tempfile::tempdir().unwrap();
	let mut desk = desk(dir.path(), account(5));
	ask_for_vouchers(&mut desk);
	let seat = modern(&desk).await.1;
	let (commitment, before) = sell_by_voucher(&desk, &seat, 1, 10);
	desk.voucher(&seat, commitment, before.clone()).await.unwrap();
	desk.set_terms(stream(&desk), 1, None);
	desk.set_terms(stream(&desk), 2, None);
	assert_eq!(desk.restate(&seat), Some((PaymentMode::Vouchers { newest: None }, 2)));
	assert_eq!(desk.restate(&seat), None, "once");
	// What is delivered from now on is paid under the newest, beside what is owed under the first.
	let (commitment, mut expectation) = delivery(&seat, 2);
	expectation.terms = 2;
	assert_eq!(desk.lend(&seat, expectation), Ok(true));
	let mut message = before.message.clone();
	message.terms = 2;
	let after = session().sign(message, &GENESIS);
	assert_eq!(desk.voucher(&seat, commitment, after.clone()).await, Ok(()));
	let owing = desk.store.owing().unwrap();
	let mut newest: Vec<_> = owing.iter().map(|(kept, _)| kept.newest.clone()).collect();
	newest.sort_by_key(|voucher| voucher.message.terms);
	assert_eq!(newest, [before, after]);
}

#[tokio::test]
async fn what_a_stream_on_demand_costs_is_shared_by_what_the_door_says_was_paid() {
	use crate::sales::{ALLOWED, LATELY};

	let dir = tempfile::tempdir().unwrap();
	let mut desk = desk(dir.path(), account(5));
	let auto = Rule::new(Payment::Auto, PRICE, FACE, Duration::from_secs(300));
	let on_demand = served(STREAM, PRICE, auto, &desk.load).on_demand(0);
	desk.streams = [on_demand].into_iter().collect();
	let cost = 4 * PRICE;
	stream(&desk).set_cost(cost);
	let (seat, now) = (seat(&desk).await, Instant::now());
	stream(&desk).came(1_000, now);
	stream(&desk).paid(AccountId([9; 32]), 1_000, cost, now);
	desk.sent(1_000);
	assert_eq!(stream(&desk).price(now), cost, "of two one pays");
	desk.bought(&seat, 1_000);
	assert_eq!(stream(&desk).price(now), cost / 2);
	// The other one pays no more, and this one came at half of what it costs.
	assert_eq!(desk.shut(&seat), None);
	seat.price_per_gb.store(cost / 2, Ordering::Relaxed);
	stream(&desk).came(ALLOWED, now + LATELY);
	assert_eq!(desk.shut(&seat), None, "it is made good as long as it is little");
	stream(&desk).came(1_000, now + 2 * LATELY);
	assert_eq!(desk.shut(&seat), Some(EndReason::PriceRose));
	seat.price_per_gb.store(cost, Ordering::Relaxed);
	assert_eq!(desk.shut(&seat), None);
}
