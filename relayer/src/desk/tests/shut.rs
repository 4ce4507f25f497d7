//! What the relayer's own node and disk do to its viewers: nothing that they would be blamed for.

use super::*;
use crate::accounts::{tests::Node, OLDEST};
use clustercast_chain::tip::MAX_AHEAD;
use ticket::EXPIRY_GRID;

const SECOND: Duration = Duration::from_secs(1);

/// Its node heard of block [`NOW`] so long ago; the viewer's session lasts.
fn behind(dir: &Path, ago: Duration, known: BlockNumber) -> Desk<Fake> {
	let mut account = account(50);
	account.sessions[0].expiry = NOW + 10_000;
	let mut desk = desk(dir, account.clone());
	desk.tip = heard(ago);
	let fake = Fake {
		account,
		known,
		..Fake::default()
	};
	desk.accounts = Accounts::new(fake, Pace::default());
	desk
}

fn heard(ago: Duration) -> Tip {
	let head = Head {
		best: NOW,
		finalised: NOW - 3,
	};
	Tip::heard(head, ago)
}

/// As a viewer signs it whose node is whole, so long after block [`NOW`].
fn signed_at(blocks: BlockNumber, ticket: SignedTicket) -> SignedTicket {
	let ahead = NOW + blocks + 600 - EXPIRY_MARGIN - EXPIRY_GRID;
	expiring(ahead.next_multiple_of(EXPIRY_GRID), ticket)
}

fn expiring(expiry: BlockNumber, ticket: SignedTicket) -> SignedTicket {
	let message = Ticket {
		expiry,
		..ticket.message
	};
	session().sign(message, &GENESIS)
}

#[tokio::test]
async fn node_that_stands_still_refuses_no_honest_payment_for_two_minutes() {
	// Known is what was final, or half a minute back, when the account was asked for last.
	let known = NOW - 38;
	for seconds in 0..=118 {
		let dir = tempfile::tempdir().unwrap();
		let desk = behind(dir.path(), SECOND * seconds, known);
		let seat = seat(&desk).await;
		for (nonce, drift) in [(1, 0), (2, 1), (3, 20)] {
			let ticket = signed_at(seconds / 2 + drift, sell(&desk, &seat, nonce, ticket::CERTAIN));
			assert_eq!(
				desk.ticket(&seat, ticket).await,
				Ok(()),
				"{seconds} s, {drift} blocks ahead of us"
			);
		}
		assert_eq!(desk.shut(&seat), None);
	}
}

/// Whatever the chain made of the time that the node stood still, up to three slots of ten left out.
#[test]
fn receipts_by_the_clock_are_of_a_time_that_viewers_take() {
	use clustercast_primitives::receipt::{MAX_BLOCKS_AHEAD, MAX_BLOCKS_BEHIND};
	for by_clock in 0..=MAX_AHEAD {
		for left_out in 0..=by_clock * 3 / 10 {
			let theirs = NOW + by_clock - left_out;
			let dated = dated(NOW + by_clock, NOW);
			let takes = theirs - MAX_BLOCKS_BEHIND..=theirs + MAX_BLOCKS_AHEAD;
			assert!(
				takes.contains(&dated),
				"{dated} after {by_clock}, of which {left_out} were left out"
			);
		}
	}
	assert_eq!(
		dated(NOW, 0),
		NOW - RECEIPT_LAG - MAX_AHEAD / CLOCK_PER_LAG,
		"it syncs anew"
	);
}

#[tokio::test]
async fn nothing_is_sold_past_what_the_clock_is_followed_for_and_nobody_owes_anything_for_it() {
	let dir = tempfile::tempdir().unwrap();
	let mut desk = behind(dir.path(), Duration::ZERO, NOW);
	let share = Share::Voucher {
		bytes: TICKET_BYTES,
		amount: 100,
	};
	// More often than what strangers may leave unpaid.
	for serial in 0..40 {
		desk.tip = heard(Duration::ZERO);
		let seat = seat(&desk).await;
		let expectation = expectation(&seat, serial, share);
		let commitment = expectation.commitment;
		assert_eq!(desk.lend(&seat, expectation), Ok(true), "shut out after {serial} times");
		desk.tip = heard(SECOND * 2 * MAX_AHEAD);
		assert_eq!(desk.shut(&seat), Some(EndReason::Behind));
		assert_eq!(refusal(&desk, &request()).await, EndReason::Behind);
		let unpaid = Unpaid {
			sent: vec![commitment],
			..Unpaid::default()
		};
		desk.closed(Some(seat), unpaid, &Closed::Ended(EndReason::Behind));
	}
	desk.tip = heard(Duration::ZERO);
	assert!(
		desk.subscribe(PublicKey([0; 32]), &request()).await.is_ok(),
		"whole again"
	);
}

/// Who keeps to what viewers sign is not to blame for what we do not know; who does not would void what it owes.
#[tokio::test]
async fn who_signs_no_further_ahead_than_viewers_do_is_not_blamed_for_what_we_do_not_know() {
	let dir = tempfile::tempdir().unwrap();
	let desk = behind(dir.path(), SECOND * 100, NOW - 200);
	let seat = seat(&desk).await;
	let honest = signed_at(50, sell(&desk, &seat, 1, ticket::CERTAIN));
	assert!(honest.message.expiry > NOW - 200 + 600);
	assert_eq!(desk.ticket(&seat, honest).await, Err(EndReason::Behind));
	let further = (NOW + 50 + 600 - EXPIRY_MARGIN).next_multiple_of(EXPIRY_GRID) + EXPIRY_GRID;
	let greedy = expiring(further, sell(&desk, &seat, 2, ticket::CERTAIN));
	let too_far = TicketError::Chain(TicketRefusal::ExpiryTooFar);
	assert_eq!(desk.ticket(&seat, greedy).await, Err(EndReason::TicketRefused(too_far)));
	assert!(desk.store.winners().unwrap().is_empty());
}

#[tokio::test]
async fn who_comes_while_the_node_is_down_is_served_on_what_it_said_or_told_that_it_is_us() {
	for node in [Node::Refuses, Node::Hangs] {
		let dir = tempfile::tempdir().unwrap();
		let desk = behind(dir.path(), Duration::ZERO, NOW);
		drop(seat(&desk).await);
		let ledger = desk.accounts.ledger();
		ledger.set(node);
		let request = request();
		let again = tokio::time::timeout(5 * SECOND, desk.subscribe(PublicKey([0; 32]), &request));
		let (_, seat) = again
			.await
			.expect("within what a subscription may take")
			.expect("it was known");
		assert_eq!(desk.shut(&seat), None);
		let ticket = signed_at(0, sell(&desk, &seat, 1, ticket::CERTAIN));
		desk.ticket(&seat, ticket).await.unwrap();

		let empty = tempfile::tempdir().unwrap();
		let stranger = behind(empty.path(), Duration::ZERO, NOW);
		stranger.accounts.ledger().set(node);
		// The server waits no longer, and says the same.
		let answer = tokio::time::timeout(SECOND, refusal(&stranger, &request)).await;
		assert!(matches!(answer, Ok(EndReason::Behind) | Err(_)), "{answer:?}");
	}
	// What is lacking by what is old may be there by now.
	let dir = tempfile::tempdir().unwrap();
	let poor = desk(dir.path(), account(0));
	assert!(matches!(refusal(&poor, &request()).await, EndReason::TicketRefused(_)));
	poor.accounts.ledger().set(Node::Refuses);
	assert_eq!(refusal(&poor, &request()).await, EndReason::Behind);
	assert!(OLDEST <= SECOND * 2 * MAX_AHEAD);
}

#[tokio::test]
async fn store_that_cannot_store_closes_the_shop_until_it_can() {
	let (dir, full) = (tempfile::tempdir().unwrap(), Arc::new(AtomicBool::new(false)));
	let store = Arc::new(store::tests::on_a_disk(dir.path(), &full));
	let desk = desk_with(store.clone(), account(50), &Arc::default());
	let watching = seat(&desk).await;
	store.probe();
	assert_eq!(desk.shut(&watching), None);
	// Noticed before anybody wins.
	full.store(true, Ordering::Relaxed);
	store.probe();
	assert_eq!(desk.shut(&watching), Some(EndReason::CannotStore));
	assert_eq!(refusal(&desk, &request()).await, EndReason::CannotStore);
	// What was delivered may be paid: also by one that wins, which is kept when there is room.
	let winner = sell(&desk, &watching, 1, u64::MAX);
	let mut left = Box::pin(desk.ticket(&watching, winner.clone()));
	assert!(futures::poll!(&mut left).is_pending());
	drop(left);
	let unpaid = Unpaid {
		sent: vec![delivery(&watching, 2).0],
		..Unpaid::default()
	};
	desk.closed(Some(watching), unpaid, &Closed::Ended(EndReason::CannotStore));
	full.store(false, Ordering::Relaxed);
	store.probe();
	while store.winners().unwrap().is_empty() {
		tokio::time::sleep(Duration::from_millis(20)).await;
	}
	assert_eq!(store.winners().unwrap()[0].1.ticket.signed, winner);
	let again = seat(&desk).await;
	assert_eq!(desk.shut(&again), None);
}
