//! Both sides against each other, in whatever order of windows, payments and departures a seed makes; and each cheat.

use super::*;
use clustercast_primitives::{Delivery, Hash, StreamId, WindowId};
use proptest::prelude::*;
use std::collections::VecDeque;

/// A whole window.
fn whole(segment: u64, bytes: u32) -> Piece {
	let mut hash = [0; 32];
	hash[..8].copy_from_slice(&segment.to_be_bytes());
	Piece {
		window: WindowId {
			stream: StreamId(1),
			track: 0,
			epoch: 1,
			segment,
			part: 0,
		},
		delivery: Delivery {
			header: Hash(hash),
			first: 0,
			count: bytes.div_ceil(CHUNK),
			delivered: Hash([7; 32]),
		},
		bytes: bytes.into(),
	}
}

/// Bytes of a chunk.
const CHUNK: u32 = 4_096;

fn deliveries(pieces: &[Piece]) -> Vec<Delivery> {
	pieces.iter().map(|piece| piece.delivery).collect()
}

fn sum(pieces: &[Piece]) -> u64 {
	pieces.iter().map(|piece| piece.bytes).sum()
}

proptest! {
	#![proptest_config(ProptestConfig::with_cases(2_000))]

	/// Windows of any size under any limits; the line holds receipts and payments back as it likes.
	#[test]
	fn two_honest_sides_never_wait_for_each_other_and_agree_to_the_byte(
		credit in 0u64..100_000,
		interval in 0u64..100_000,
		sizes in prop::collection::vec(1u32..60_000, 1..40),
		turns in prop::collection::vec(0u8..3, 0..200),
	) {
		let mut creditor = Creditor::new(Limits { credit, interval });
		let mut debtor = Debtor::default();
		let (mut left, mut down, mut up) = (VecDeque::from(sizes.clone()), VecDeque::new(), VecDeque::new());
		let (mut segment, mut billed, mut paid) = (0, 0, 0u64);
		let mut turns = turns.into_iter();
		// Behind the turns of the seed each in turn.
		for step in 0..10_000 {
			match turns.next().unwrap_or((step % 3) as u8) {
				0 => {
					let (next, mut settle) = (left.front().copied(), false);
					match next.filter(|bytes| creditor.lends(u64::from(*bytes))) {
						Some(bytes) => {
							left.pop_front();
							let piece = whole(segment, bytes);
							segment += 1;
							creditor.deliver(piece);
							creditor.ended(&piece.place(), Some(piece));
							debtor.received(piece);
							let most = credit.max(bytes.into());
							prop_assert!(creditor.owed() <= most);
						},
						// No credit, or the end.
						None => settle = true,
					}
					settle |= creditor.is_due();
					let pieces = match settle {
						true => creditor.bill(),
						false => vec![],
					};
					if !pieces.is_empty() {
						billed += 1;
						let commitment = Hash([billed; 32]);
						creditor.billed(commitment, sum(&pieces));
						prop_assert!(creditor.awaits());
						down.push_back((commitment, pieces));
					}
				},
				1 => if let Some((commitment, pieces)) = down.pop_front() {
					debtor.receipt(sum(&pieces), &deliveries(&pieces)).unwrap();
					up.push_back((commitment, sum(&pieces)));
				},
				_ => if let Some((commitment, bytes)) = up.pop_front() {
					prop_assert!(!creditor.paid(&commitment));
					prop_assert!(creditor.answer(&commitment) && !creditor.answer(&commitment));
					prop_assert!(creditor.paid(&commitment) && !creditor.paid(&commitment));
					paid += bytes;
				},
			}
			if left.is_empty() && creditor.owed() == 0 {
				break;
			}
		}
		prop_assert_eq!(paid, sizes.iter().map(|size| u64::from(*size)).sum::<u64>());
		prop_assert_eq!((creditor.owed(), debtor.unbilled()), (0, 0));
	}
}

#[test]
fn nothing_is_paid_that_did_not_come_or_came_otherwise_or_is_paid_already() {
	let pieces: Vec<Piece> = (0..3).map(|n| whole(n, 10_000)).collect();
	let fresh = || {
		let mut debtor = Debtor::default();
		pieces[..2].iter().for_each(|piece| debtor.received(*piece));
		debtor
	};
	let all = deliveries(&pieces);
	assert_eq!(fresh().receipt(30_000, &all), Err(BillFault::NotDelivered));
	let other = Delivery {
		delivered: Hash([8; 32]),
		..all[0]
	};
	assert_eq!(fresh().receipt(10_000, &[other]), Err(BillFault::NotDelivered));
	let shorter = Delivery { count: 1, ..all[0] };
	assert_eq!(fresh().receipt(4_096, &[shorter]), Err(BillFault::NotDelivered));
	assert_eq!(fresh().receipt(20_001, &all[..2]), Err(BillFault::Bytes));
	for wrong in [&[][..], &[all[1], all[0]], &[all[0], all[0]]] {
		assert_eq!(fresh().receipt(20_000, wrong), Err(BillFault::Order));
	}
	let mut debtor = fresh();
	assert_eq!(debtor.receipt(20_000, &all[..2]), Ok(pieces[1].window));
	assert_eq!(debtor.receipt(10_000, &all[..1]), Err(BillFault::NotDelivered));
}

#[test]
fn refused_receipt_leaves_what_was_received_to_be_billed() {
	let piece = whole(1, 5_000);
	let mut debtor = Debtor::default();
	debtor.received(piece);
	assert_eq!(debtor.receipt(5_001, &[piece.delivery]), Err(BillFault::Bytes));
	assert_eq!(debtor.receipt(5_000, &[piece.delivery]), Ok(piece.window));
}

#[test]
fn receipt_is_due_once_the_interval_is_full_or_it_can_name_no_more() {
	let mut creditor = Creditor::new(Limits {
		credit: u64::MAX,
		interval: 2_000_000,
	});
	let deliver = |creditor: &mut Creditor, piece: Piece| {
		creditor.deliver(piece);
		creditor.ended(&piece.place(), Some(piece));
	};
	assert!(!creditor.is_due());
	deliver(&mut creditor, whole(0, 1_999_999));
	assert!(!creditor.is_due());
	deliver(&mut creditor, whole(1, 1));
	assert!(creditor.is_due());
	assert_eq!(creditor.bill().len(), 2);
	(0..MOST_PIECES as u64).for_each(|n| deliver(&mut creditor, whole(n, 1)));
	assert!(creditor.is_due());
}

#[test]
fn memory_for_what_nobody_bills_is_bounded_and_the_newest_stay() {
	let mut debtor = Debtor::default();
	let most = MOST_RECEIVED as u64;
	(0..most + 10).for_each(|n| debtor.received(whole(n, 100)));
	assert_eq!(debtor.unbilled(), most * 100);
	let newest = whole(most + 9, 100);
	assert_eq!(debtor.receipt(100, &[newest.delivery]), Ok(newest.window));
}

#[test]
fn what_needs_no_payment_is_owed_as_long_as_what_covers_it() {
	let mut creditor = Creditor::new(Limits {
		credit: 100,
		interval: 0,
	});
	let (one, other) = (Hash([1; 32]), Hash([2; 32]));
	creditor.billed(one, 30);
	creditor.covered(Some(&one), 40);
	creditor.covered(Some(&other), 20);
	assert_eq!((creditor.owed(), creditor.settled()), (70, 20));
	assert!(creditor.lends(30) && !creditor.lends(31));
	assert!(creditor.answer(&one) && creditor.paid(&one));
	assert_eq!(creditor.settled(), 90);
	creditor.covered(Some(&one), 40);
	assert_eq!((creditor.owed(), creditor.settled()), (0, 130), "it is paid for");
	creditor.covered(None, 5);
	assert_eq!(
		(creditor.owed(), creditor.settled()),
		(0, 135),
		"there was nothing to pay"
	);
}
