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
	assert_eq!(terms.price_per_gb, PRICE);
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
