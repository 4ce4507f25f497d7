//! Attacks on a relayer's credit, each turned round: what a viewer can take is what the float says.

use super::*;
use crate::fixture::{self, GENESIS, RECIPIENT};
use clustercast_primitives::{channel::Reservation, receipt::Kind, StreamId};

const NOW: BlockNumber = 10_000;
const FLOAT: Float = Float {
	bytes: 1_000_000,
	value: 1_000,
	per_hour: 5_000,
};
const CONFIG: CreditConfig = CreditConfig {
	float: FLOAT,
	margin: 300,
	least: 100,
	max_sessions: 1_000,
};
const ASKED: ReserveTerms = ReserveTerms { least: 100, reward: 40 };

/// A window that costs this much, by voucher.
fn window(amount: Balance) -> Share {
	Share::Voucher { bytes: 1_000, amount }
}

fn payer(n: u8) -> SessionKey {
	SessionKey {
		account: AccountId([n; 32]),
		key: PublicKey([n; 32]),
	}
}

fn place(payer: &SessionKey, terms: u32) -> VoucherPlace {
	VoucherPlace {
		session: payer.key,
		recipient: RECIPIENT,
		stream: StreamId(1),
		kind: Kind::LIVE,
		context: Hash([0; 32]),
		terms,
	}
}

fn channel(counter: u32, open: Balance) -> ChannelInfo {
	ChannelInfo {
		counter,
		cap: open,
		paid: 0,
		open,
		ends_at: NOW + 100_000,
		registered: 1,
		next_nonce: 0,
	}
}

struct Test {
	credit: Credit,
	serial: u64,
}

impl Test {
	fn new() -> Self {
		let mut credit = Credit::new(CONFIG);
		credit.at_block(NOW);
		Self { credit, serial: 0 }
	}

	/// With this one watching.
	fn of(payer: &SessionKey) -> Self {
		let mut test = Self::new();
		test.credit.enter(payer).unwrap();
		test
	}

	/// Delivers one window where credit allows it.
	fn deliver(&mut self, payer: &SessionKey, share: Share) -> Result<Hash, Shortage> {
		self.credit.grant(payer, &share)?;
		self.serial += 1;
		let mut commitment = Hash([0; 32]);
		commitment.0[..8].copy_from_slice(&self.serial.to_le_bytes());
		self.credit.deliver(payer, commitment, &share);
		Ok(commitment)
	}

	/// Delivers and is paid by voucher.
	fn sell(&mut self, payer: &SessionKey, amount: Balance) -> Result<(), Shortage> {
		let commitment = self.deliver(payer, window(amount))?;
		self.credit.pay_by_voucher(payer, &commitment, place(payer, 0));
		Ok(())
	}

	/// How much can be sold in windows of this price.
	fn sells(&mut self, payer: &SessionKey, amount: Balance) -> Balance {
		(0..).take_while(|_| self.sell(payer, amount).is_ok()).count() as Balance * amount
	}
}

#[test]
fn stranger_owes_no_more_than_the_float() {
	let (stranger, mut test) = (payer(1), Test::of(&payer(1)));
	assert_eq!(test.sells(&stranger, 100), 1_000);
	assert_eq!(test.sell(&stranger, 1), Err(Shortage::Reservation));
	// Paid by the chain, it may owe again.
	test.credit
		.settle_voucher(&place(&stranger, 0), stranger.account, 400, NOW, true);
	assert_eq!(test.sells(&stranger, 100), 400);
	// In bytes too.
	let mut test = Test::of(&stranger);
	let long = Share::Voucher {
		bytes: 600_000,
		amount: 1,
	};
	test.deliver(&stranger, long).unwrap();
	assert_eq!(test.deliver(&stranger, long), Err(Shortage::Reservation));
}

/// The attack: any number of accounts, none of which pays. Without a bound over all of them each takes the whole float.
#[test]
fn many_strangers_take_no_more_than_the_sum_for_an_hour() {
	let mut test = Test::new();
	let mut taken = 0;
	for n in 0..100 {
		let stranger = payer(n);
		test.credit.enter(&stranger).unwrap();
		while let Ok(commitment) = test.deliver(&stranger, window(100)) {
			test.credit.forfeit(&stranger, &commitment);
			taken += 100;
		}
		test.credit.leave(&stranger, false);
	}
	assert_eq!(taken, FLOAT.per_hour);
	// Who has reserved something is served all the same.
	let known = payer(200);
	test.credit.enter(&known).unwrap();
	test.credit.channel(&known, NOW, Some(channel(1, 3_000)));
	assert_eq!(test.sell(&known, 100), Ok(()));
	// An hour later strangers are, for as much again.
	test.credit.at_block(NOW + HOUR - 1);
	test.credit.enter(&payer(150)).unwrap();
	assert_eq!(test.sell(&payer(150), 100), Err(Shortage::Pool));
	test.credit.at_block(NOW + HOUR + STEP);
	assert_eq!(test.sells(&payer(150), 100), 1_000);
}

/// What is nobody's fault is no account's debt, and the relayer loses no more for it.
#[test]
fn what_is_written_off_counts_for_the_relayer_and_for_no_account() {
	let mut test = Test::new();
	let mut taken = 0;
	for n in 1..20 {
		let stranger = payer(n);
		test.credit.enter(&stranger).unwrap();
		for _ in 0..4 {
			if let Ok(commitment) = test.deliver(&stranger, window(1_000)) {
				test.credit.write_off(&stranger, &commitment);
				assert_eq!(test.credit.lost_by(&stranger.account), Lost::default());
				taken += 1_000;
			}
		}
	}
	assert_eq!(taken, FLOAT.per_hour);
	test.credit.enter(&payer(150)).unwrap();
	assert_eq!(test.sell(&payer(150), 100), Err(Shortage::Pool));
}

/// The attack: an account that leaves what it took unpaid comes back under another session.
#[test]
fn what_one_session_left_counts_for_the_accounts_others() {
	let (first, mut second) = (payer(1), payer(1));
	second.key = PublicKey([9; 32]);
	let mut test = Test::of(&first);
	test.credit.enter(&second).unwrap();
	let commitment = test.deliver(&first, window(600)).unwrap();
	assert_eq!(test.deliver(&second, window(500)), Err(Shortage::Reservation), "owed");
	test.credit.forfeit(&first, &commitment);
	assert_eq!(test.deliver(&second, window(500)), Err(Shortage::Reservation), "lost");
	assert!(test.deliver(&second, window(400)).is_ok());
}

#[test]
fn reservation_covers_what_is_owed_and_not_a_unit_more() {
	let (viewer, mut test) = (payer(1), Test::of(&payer(1)));
	assert!(!test.credit.is_covered(&viewer, 0), "nothing is reserved");
	test.credit.channel(&viewer, NOW, Some(channel(1, 2_500)));
	for _ in 0..25 {
		assert!(test.credit.is_covered(&viewer, 100));
		test.sell(&viewer, 100).unwrap();
	}
	assert!(!test.credit.is_covered(&viewer, 1));
	// Beyond it the viewer is a stranger, with what is not covered.
	assert_eq!(test.credit.sums.uncovered, 0);
	assert_eq!(test.sells(&viewer, 100), 1_000);
	assert_eq!(test.credit.sums.uncovered, 1_000);
}

/// The attack: a viewer whose reservation covers a part signs for nothing of it. What is left unsigned is covered by none.
#[test]
fn reservation_does_not_cover_what_nobody_signs_for() {
	let (viewer, mut test) = (payer(1), Test::of(&payer(1)));
	test.credit.channel(&viewer, NOW, Some(channel(1, 250)));
	let known: Vec<_> = (0..2).map(|_| test.deliver(&viewer, window(100)).unwrap()).collect();
	assert_eq!((test.credit.sums.exposed, test.credit.sums.uncovered), (200, 0));
	let stranger = test.deliver(&viewer, window(100)).unwrap();
	assert_eq!(test.credit.sums.uncovered, 100, "all of it, though 50 would be covered");
	for commitment in known.iter().chain([&stranger]) {
		test.credit.forfeit(&viewer, commitment);
	}
	let lost = test.credit.sums.lost;
	assert_eq!((lost.known, lost.strangers), (200, 100));
}

/// The attack: a reservation is in the best block, and its block does not become final; or it is handed in and never
/// included. Nothing of that is ever told the book, and an older block takes back nothing that a later one said.
#[test]
fn only_what_a_finalised_block_says_counts_and_the_newest_of_them() {
	let (viewer, mut test) = (payer(1), Test::of(&payer(1)));
	test.credit.channel(&viewer, NOW, Some(channel(2, 0)));
	test.credit.channel(&viewer, NOW - 1, Some(channel(1, 50_000)));
	assert!(!test.credit.is_covered(&viewer, 1));
	test.credit.channel(&viewer, NOW + 1, Some(channel(3, 500)));
	assert!(test.credit.is_covered(&viewer, 500) && !test.credit.is_covered(&viewer, 501));
}

/// The attack: a close right after credit was given. What is reserved stays for 1,200 blocks; no credit is given in the last
/// of them, in which all is redeemed.
#[test]
fn closed_channel_covers_what_is_owed_and_nothing_new_before_it_ends() {
	let (viewer, mut test) = (payer(1), Test::of(&payer(1)));
	test.credit.channel(&viewer, NOW, Some(channel(1, 5_000)));
	(0..40).for_each(|_| test.sell(&viewer, 100).unwrap());
	let closing = ChannelInfo {
		ends_at: NOW + 1_200,
		..channel(1, 5_000)
	};
	test.credit.channel(&viewer, NOW + 1, Some(closing));
	assert_eq!(test.sell(&viewer, 100), Ok(()), "900 blocks are left for it");
	assert_eq!(test.credit.urgent().count(), 0);
	test.credit.at_block(NOW + 1_200 - CONFIG.margin);
	assert_eq!(test.sell(&viewer, 100), Err(Shortage::Reservation));
	assert_eq!(test.credit.urgent().collect::<Vec<_>>(), [viewer.key], "redeem now");
	assert_eq!(test.credit.sums.uncovered, 0, "it is covered until the end");
	test.credit.at_block(NOW + 1_200);
	assert_eq!(test.credit.sums.uncovered, 4_100);
}

/// The attack: who has reserved a lot takes windows and signs nothing, again and again.
#[test]
fn reservation_is_no_licence_to_leave_windows_unpaid() {
	let (viewer, mut test) = (payer(1), Test::of(&payer(1)));
	test.credit.channel(&viewer, NOW, Some(channel(1, 1_000_000)));
	let mut taken = 0;
	while let Ok(commitment) = test.deliver(&viewer, window(100)) {
		test.credit.forfeit(&viewer, &commitment);
		taken += 100;
	}
	assert_eq!(taken, FLOAT.value);
	// And all of them together no more than their sum for an hour.
	for n in 2..100 {
		let viewer = payer(n);
		test.credit.enter(&viewer).unwrap();
		test.credit.channel(&viewer, NOW, Some(channel(1, 1_000_000)));
		while let Ok(commitment) = test.deliver(&viewer, window(100)) {
			test.credit.forfeit(&viewer, &commitment);
			taken += 100;
		}
	}
	assert_eq!(taken, FLOAT.per_hour);
	let stranger = payer(200);
	test.credit.enter(&stranger).unwrap();
	assert_eq!(test.sell(&stranger, 100), Ok(()), "that shuts out no stranger");
}

/// The attack: many sessions with a reservation each stop just below the least that the chain pays of a voucher.
#[test]
fn vouchers_too_small_to_be_paid_are_no_cover() {
	let mut test = Test::new();
	let mut taken = 0;
	for n in 0..100 {
		let viewer = payer(n);
		test.credit.enter(&viewer).unwrap();
		test.credit.channel(&viewer, NOW, Some(channel(1, 50_000)));
		if test.sell(&viewer, 99).is_ok() {
			taken += 99;
			test.credit.leave(&viewer, true);
			test.credit
				.settle_voucher(&place(&viewer, 0), viewer.account, 99, NOW, false);
		}
	}
	assert_eq!(taken, FLOAT.per_hour / 99 * 99);
	// What grows above it is paid, and so no risk.
	let mut test = Test::of(&payer(1));
	test.credit.channel(&payer(1), NOW, Some(channel(1, 50_000)));
	test.sell(&payer(1), 99).unwrap();
	assert_eq!(test.credit.sums.exposed, 99);
	test.sell(&payer(1), 1).unwrap();
	assert_eq!(test.credit.sums.exposed, 0);
}

/// Books and chain: the payment and what it leaves reserved come from two requests, in either order.
#[test]
fn payment_never_leaves_more_credit_than_is_reserved() {
	let (viewer, mut test) = (payer(1), Test::of(&payer(1)));
	test.credit.channel(&viewer, NOW, Some(channel(1, 5_000)));
	(0..30).for_each(|_| test.sell(&viewer, 100).unwrap());
	let paid = ChannelInfo {
		paid: 3_000,
		open: 2_000,
		..channel(1, 5_000)
	};
	// The payment first: less is reserved from that moment on, and what an older block says comes too late.
	test.credit
		.settle_voucher(&place(&viewer, 0), viewer.account, 1_000, NOW + 5, true);
	test.credit
		.settle_voucher(&place(&viewer, 0), viewer.account, 2_000, NOW + 5, true);
	assert_eq!(
		(test.credit.owed(&viewer), test.credit.channel_of(&viewer).open),
		(0, 2_000)
	);
	test.credit.channel(&viewer, NOW + 4, Some(channel(1, 5_000)));
	assert_eq!(test.credit.channel_of(&viewer).open, 2_000);
	test.credit.channel(&viewer, NOW + 5, Some(paid));
	assert_eq!(test.credit.channel_of(&viewer), paid);
	// The channel first: the payment is in it already.
	let mut test = Test::of(&viewer);
	test.credit.channel(&viewer, NOW, Some(channel(1, 5_000)));
	(0..30).for_each(|_| test.sell(&viewer, 100).unwrap());
	test.credit.channel(&viewer, NOW + 5, Some(paid));
	test.credit
		.settle_voucher(&place(&viewer, 0), viewer.account, 3_000, NOW + 5, true);
	assert_eq!(
		(test.credit.owed(&viewer), test.credit.channel_of(&viewer).open),
		(0, 2_000)
	);
}

#[test]
fn voucher_that_was_paid_in_part_owes_the_rest() {
	let (viewer, mut test) = (payer(1), Test::of(&payer(1)));
	test.credit.channel(&viewer, NOW, Some(channel(1, 700)));
	test.sells(&viewer, 100);
	assert_eq!(test.credit.owed(&viewer), 1_700);
	test.credit
		.settle_voucher(&place(&viewer, 0), viewer.account, 700, NOW + 1, true);
	assert_eq!(
		(test.credit.owed(&viewer), test.credit.channel_of(&viewer).open),
		(1_000, 0)
	);
	assert_eq!(test.credit.sums.uncovered, 1_000);
	test.credit
		.settle_voucher(&place(&viewer, 0), viewer.account, 1_000, NOW + 2, false);
	assert_eq!((test.credit.owed(&viewer), test.credit.sums.uncovered), (0, 0));
	let lost = test.credit.sums.lost;
	assert_eq!(lost.strangers + lost.known, 1_000);
}

#[test]
fn of_a_voucher_that_is_given_up_in_part_so_much_is_lost_and_the_rest_is_owed() {
	let (viewer, mut test) = (payer(1), Test::of(&payer(1)));
	assert_eq!(test.sells(&viewer, 100), 1_000);
	test.credit
		.settle_voucher(&place(&viewer, 0), viewer.account, 300, NOW + 1, false);
	let lost = test.credit.sums.lost;
	assert_eq!((test.credit.owed(&viewer), lost.strangers + lost.known), (700, 300));
}

#[test]
fn what_is_left_is_released_once_and_covers_nothing_from_then_on() {
	let (viewer, mut test) = (payer(1), Test::of(&payer(1)));
	test.credit.channel(&viewer, NOW, Some(channel(1, 5_000)));
	test.sell(&viewer, 500).unwrap();
	assert!(test.credit.take_releasable(9, true).is_empty(), "somebody watches");
	test.credit.leave(&viewer, true);
	assert_eq!(test.credit.urgent().count(), 1, "redeemed first");
	assert!(test.credit.take_releasable(9, true).is_empty(), "something is owed");
	test.credit
		.settle_voucher(&place(&viewer, 0), viewer.account, 500, NOW + 1, true);
	let released = test.credit.take_releasable(9, false);
	assert_eq!(released.len(), 1);
	assert_eq!(
		(released[0].session, released[0].channel.open, released[0].channel.paid),
		(viewer.key, 4_500, 500)
	);
	assert!(test.credit.take_releasable(9, true).is_empty(), "once");
	// The attack: back before the release is final, the viewer finds that it covers nothing.
	test.credit.enter(&viewer).unwrap();
	test.credit.channel(&viewer, NOW + 2, Some(channel(1, 4_500)));
	assert!(!test.credit.is_covered(&viewer, 1));
	test.credit.channel(&viewer, NOW + 3, Some(channel(2, 800)));
	assert!(test.credit.is_covered(&viewer, 800));
}

#[test]
fn lost_connection_has_time_to_come_back() {
	let (viewer, mut test) = (payer(1), Test::of(&payer(1)));
	test.credit.channel(&viewer, NOW, Some(channel(1, 5_000)));
	test.credit.leave(&viewer, false);
	test.credit.at_block(NOW + GRACE - 1);
	assert!(test.credit.take_releasable(9, false).is_empty());
	test.credit.at_block(NOW + GRACE);
	assert_eq!(test.credit.take_releasable(9, false).len(), 1);
}

/// A debt that is not worth its fee must not keep what the viewer reserved. It is lost, and counted.
#[test]
fn small_debt_does_not_keep_a_reservation() {
	let (viewer, mut test) = (payer(1), Test::of(&payer(1)));
	test.credit.channel(&viewer, NOW, Some(channel(1, 5_000)));
	test.sell(&viewer, CONFIG.least).unwrap();
	test.credit.leave(&viewer, true);
	assert_eq!(
		test.credit.reserved().collect::<Vec<_>>(),
		[viewer.key],
		"paid to the last unit"
	);
	assert!(test.credit.take_releasable(9, false).is_empty(), "worth its fee");
	// One less.
	test.credit
		.settle_voucher(&place(&viewer, 0), viewer.account, 1, NOW + 1, true);
	let released = test.credit.take_releasable(9, false);
	assert_eq!(released[0].given_up, [place(&viewer, 0)]);
	assert_eq!(test.credit.owed(&viewer), 0);
	assert_eq!(test.credit.sums.lost.known, CONFIG.least - 1);
	// What has receipts or winners waits, however small.
	let (viewer, mut test) = (payer(1), Test::of(&payer(1)));
	test.credit.channel(&viewer, NOW, Some(channel(1, 5_000)));
	let commitment = test.deliver(&viewer, window(1)).unwrap();
	test.credit.leave(&viewer, true);
	assert!(test.credit.take_releasable(9, false).is_empty());
	test.credit.pay_by_ticket(&viewer, &commitment, 1, Some(1));
	assert!(test.credit.take_releasable(9, false).is_empty());
	test.credit.settle_winner(&viewer, 1, NOW + 1, true);
	assert_eq!(test.credit.take_releasable(9, false).len(), 1);
}

/// The chain did not do it, or does not say so yet: nothing is free before a finalised block says so.
#[test]
fn release_is_tried_again_until_it_is_final_and_later_each_time() {
	let (viewer, mut test) = (payer(1), Test::of(&payer(1)));
	test.credit.channel(&viewer, NOW, Some(channel(1, 5_000)));
	test.credit.leave(&viewer, true);
	let mut tried = Vec::new();
	for now in NOW..NOW + 2_000 {
		test.credit.at_block(now);
		assert!(!test.credit.channel(&viewer, now, Some(channel(1, 5_000))));
		if !test.credit.take_releasable(9, false).is_empty() {
			tried.push(now - NOW);
		}
	}
	assert_eq!(tried, [0, 30, 90, 210, 450, 930, 1_410, 1_890]);
	assert!(!test.credit.is_covered(&viewer, 1), "it may be on its way");
	let free = ChannelInfo {
		open: 0,
		..channel(1, 5_000)
	};
	assert!(test.credit.channel(&viewer, NOW + 2_000, Some(free)));
	assert!(!test.credit.channel(&viewer, NOW + 2_001, Some(free)), "once");
	test.credit.at_block(NOW + 10_000);
	assert!(test.credit.take_releasable(9, true).is_empty());
	assert_eq!(test.credit.sessions().count(), 0, "forgotten");
}

/// What an earlier run of the relayer left behind.
#[test]
fn restored_reservation_is_released_when_its_viewer_does_not_come_back() {
	let [gone, back] = [payer(1), payer(2)];
	let mut test = Test::new();
	for viewer in [&gone, &back] {
		assert!(test.credit.restore_channel(viewer, NOW, channel(1, 5_000)));
	}
	test.credit.restore_voucher(&place(&gone, 0), gone.account, 50);
	assert!(test.credit.take_releasable(9, false).is_empty(), "it has time");
	test.credit.enter(&back).unwrap();
	assert!(test.credit.is_covered(&back, 5_000));
	test.credit.at_block(NOW + GRACE - 1);
	assert!(test.credit.take_releasable(9, false).is_empty());
	test.credit.at_block(NOW + GRACE);
	let released = test.credit.take_releasable(9, false);
	assert_eq!(released.iter().map(|due| due.session).collect::<Vec<_>>(), [gone.key]);
	// There is no end to what the chain may say: it takes no more places than there are.
	let mut full = Credit::new(CreditConfig {
		max_sessions: 1,
		..CONFIG
	});
	assert!(full.restore_channel(&gone, NOW, channel(1, 1)));
	assert!(!full.restore_channel(&back, NOW, channel(1, 1)));
}

/// The relayer ends: nobody can come back to it.
#[test]
fn what_owes_nothing_is_released_at_the_end_without_grace() {
	let [lost, watching] = [payer(1), payer(2)];
	let mut test = Test::new();
	for viewer in [&lost, &watching] {
		test.credit.enter(viewer).unwrap();
		test.credit.channel(viewer, NOW, Some(channel(1, 5_000)));
	}
	test.credit.leave(&lost, false);
	assert!(test.credit.take_releasable(9, false).is_empty());
	assert_eq!(test.credit.take_releasable(9, true)[0].session, lost.key);
	assert!(test.credit.take_releasable(9, true).is_empty(), "once");
}

#[test]
fn ticket_is_risked_with_its_face_value_and_lost_with_its_price() {
	let (stranger, mut test) = (payer(1), Test::of(&payer(1)));
	let ticket = Share::Ticket {
		bytes: 1_000,
		face_value: 400,
		win_probability: u64::MAX / 100,
	};
	let first = test.deliver(&stranger, ticket).unwrap();
	let second = test.deliver(&stranger, ticket).unwrap();
	assert_eq!(
		test.deliver(&stranger, ticket),
		Err(Shortage::Reservation),
		"1,200 may be won"
	);
	test.credit.pay_by_ticket(&stranger, &first, 0, None);
	test.credit.forfeit(&stranger, &second);
	assert_eq!((test.credit.owed(&stranger), test.credit.sums.lost.strangers), (0, 4));
	let third = test.deliver(&stranger, ticket).unwrap();
	test.credit.pay_by_ticket(&stranger, &third, 1, Some(400));
	assert_eq!(test.credit.signed(&stranger), 400);
	test.credit.settle_winner(&stranger, 1, NOW, false);
	assert_eq!(
		(test.credit.signed(&stranger), test.credit.sums.lost.strangers),
		(0, 404)
	);
}

#[test]
fn stranger_may_owe_all_the_bytes_that_one_account_may_and_not_a_window_more() {
	let (stranger, mut test) = (payer(1), Test::of(&payer(1)));
	let free = (0..).take_while(|_| test.deliver(&stranger, window(0)).is_ok()).count();
	assert_eq!(free as u64 * 1_000, FLOAT.bytes);
}

#[test]
fn what_is_settled_in_whole_is_not_kept_and_who_reserved_nothing_has_nothing_to_be_released() {
	let (stranger, mut test) = (payer(1), Test::of(&payer(1)));
	test.sell(&stranger, 90).unwrap();
	test.credit.leave(&stranger, true);
	test.credit.at_block(NOW + GRACE + 1);
	assert!(test.credit.take_releasable(9, true).is_empty());
	test.credit
		.settle_voucher(&place(&stranger, 0), stranger.account, 90, NOW + 1, true);
	let kept = test
		.credit
		.lines
		.values()
		.map(|line| line.vouchers.len())
		.sum::<usize>();
	assert_eq!(kept, 0);
}

#[test]
fn sessions_are_bounded_and_forgotten_when_nothing_is_left() {
	let mut credit = Credit::new(CreditConfig {
		max_sessions: 1,
		..CONFIG
	});
	credit.enter(&payer(1)).unwrap();
	assert_eq!(credit.enter(&payer(2)), Err(Shortage::Full));
	assert_eq!(credit.grant(&payer(2), &window(1)), Err(Shortage::Full));
	credit.leave(&payer(1), true);
	credit.at_block(NOW);
	credit.enter(&payer(2)).unwrap();
}

fn reservation() -> Reservation {
	Reservation {
		sender: fixture::SENDER,
		session: fixture::session().key,
		recipient: RECIPIENT,
		counter: 2,
		cap: 9_000,
		reward: 40,
		submit_by: NOW + 90,
	}
}

#[test]
fn reservation_is_checked_as_the_chain_will_before_a_fee_is_paid_for_it() {
	let (session, key) = (fixture::session(), fixture::session_key());
	let mut test = Test::of(&session);
	let before = ChannelInfo {
		paid: 3_000,
		open: 1_000,
		cap: 4_000,
		..channel(1, 0)
	};
	test.credit.channel(&session, NOW, Some(before));
	let account = fixture::account();
	let judge = |reservation: Reservation, account: &ViewerAccount| {
		let signed = key.sign(reservation, &GENESIS);
		test.credit
			.check_reservation(&signed, (&ASKED, &RECIPIENT, &GENESIS), &session, account)
	};
	assert_eq!(judge(reservation(), &account), Ok(()));
	let refused = |change: fn(&mut Reservation)| {
		let mut changed = reservation();
		change(&mut changed);
		judge(changed, &account).unwrap_err()
	};
	assert_eq!(refused(|r| r.sender.0[0] ^= 1), ReserveError::WrongChannel);
	assert_eq!(refused(|r| r.recipient.0[0] ^= 1), ReserveError::WrongChannel);
	assert_eq!(refused(|r| r.counter = 1), ReserveError::NotRising);
	assert_eq!(refused(|r| r.cap = 4_000), ReserveError::NotRising);
	assert_eq!(refused(|r| r.reward = 39), ReserveError::RewardTooSmall);
	assert_eq!(refused(|r| r.submit_by = NOW + 29), ReserveError::SubmitBy);
	assert_eq!(refused(|r| r.submit_by = NOW + 601), ReserveError::SubmitBy);
	// 9,000 less 3,000 that were paid and 1,000 that are reserved, and the reward.
	let with = |change: fn(&mut ViewerAccount)| {
		let mut account = fixture::account();
		change(&mut account);
		judge(reservation(), &account)
	};
	let means = Err(ReserveError::Means);
	assert_eq!(with(|a| (a.deposit, a.reserved) = (6_040, 1_000)), Ok(()));
	assert_eq!(with(|a| (a.deposit, a.reserved) = (6_039, 1_000)), means);
	assert_eq!(with(|a| a.sessions[0].spent = a.sessions[0].limit - 5_040), Ok(()));
	assert_eq!(with(|a| a.sessions[0].spent = a.sessions[0].limit - 5_039), means);
	assert_eq!(with(|a| a.sessions[0].expiry = NOW + 89), means);
	assert_eq!(with(|a| a.sessions.clear()), means);
	let forged = fixture::relayer_key().sign(reservation(), &GENESIS);
	let terms = (&ASKED, &RECIPIENT, &GENESIS);
	let judged = test.credit.check_reservation(&forged, terms, &session, &account);
	assert_eq!(judged, Err(ReserveError::BadSignature));
}

/// Judges, and hands in what is good. The attack: what is good when it is signed and fails in its block costs the relayer a
/// fee.
fn hand_in(test: &mut Test, session: &SessionKey, counter: u32) -> Result<(), ReserveError> {
	let message = Reservation {
		sender: session.account,
		session: session.key,
		counter,
		submit_by: test.credit.now + 90,
		..reservation()
	};
	let signed = fixture::session_key().sign(message, &GENESIS);
	let mut account = fixture::account();
	account.sessions[0].key = session.key;
	let terms = (&ASKED, &RECIPIENT, &GENESIS);
	// The signature is looked at last: all but one's is another's.
	match test.credit.check_reservation(&signed, terms, session, &account) {
		Ok(()) | Err(ReserveError::BadSignature) => {},
		Err(error) => return Err(error),
	}
	test.credit.hand_in(session, counter, ASKED.reward);
	Ok(())
}

#[test]
fn who_made_reservations_fail_is_not_believed_again_within_the_hour() {
	let session = fixture::session();
	let mut test = Test::of(&session);
	let mut failed = 0;
	let refused = loop {
		match hand_in(&mut test, &session, failed + 1) {
			Ok(()) => failed += 1,
			Err(error) => break error,
		}
		test.credit.handed_in(&session, failed, false);
	};
	assert_eq!(refused, ReserveError::Distrusted);
	assert_eq!(failed, 1, "an eighth of 250 is less than a fee: one");
	test.credit.at_block(NOW + HOUR + STEP);
	assert_eq!(hand_in(&mut test, &session, 2), Ok(()));
}

/// An account may have an eighth of what may be lost in fees, or one fee where that is more.
#[test]
fn one_account_makes_reservations_fail_for_an_eighth_of_the_fees_that_may_be_lost() {
	let mut test = Test::of(&payer(1));
	test.credit = Credit::new(CreditConfig {
		float: Float {
			per_hour: 20 * 8 * 3 * ASKED.reward,
			..FLOAT
		},
		..CONFIG
	});
	test.credit.at_block(NOW);
	test.credit.enter(&payer(1)).unwrap();
	for counter in 1..=3 {
		assert_eq!(hand_in(&mut test, &payer(1), counter), Ok(()));
	}
	assert_eq!(hand_in(&mut test, &payer(1), 4), Err(ReserveError::Distrusted));
}

#[test]
fn fees_that_failing_reservations_cost_are_bounded_for_each_hour_over_all_accounts() {
	let mut test = Test::new();
	let mut hour = |from: u8| {
		let mut fees = 0;
		for n in from..from + 100 {
			test.credit.enter(&payer(n)).unwrap();
			match hand_in(&mut test, &payer(n), 1) {
				Ok(()) => test.credit.handed_in(&payer(n), 1, false),
				Err(error) => {
					assert_eq!(error, ReserveError::Crowded);
					continue;
				},
			}
			fees += ASKED.reward;
		}
		test.credit.at_block(test.credit.now + HOUR + STEP);
		fees
	};
	assert_eq!(hour(1), 240, "six fees of 40 in a twentieth of 5,000");
	assert_eq!(hour(101), 240, "and in the next hour");
}

#[test]
fn reservations_on_their_way_may_all_fail_and_count_until_they_stand() {
	let mut test = Test::new();
	(1..=7).for_each(|n| test.credit.enter(&payer(n)).unwrap());
	(1..=6).for_each(|n| assert_eq!(hand_in(&mut test, &payer(n), 1), Ok(())));
	assert_eq!(hand_in(&mut test, &payer(7), 1), Err(ReserveError::Crowded));
	test.credit.handed_in(&payer(3), 1, true);
	assert_eq!(hand_in(&mut test, &payer(7), 1), Ok(()));
	// What is heard of twice, or of nothing that was handed in, changes nothing.
	test.credit.handed_in(&payer(3), 1, false);
	test.credit.handed_in(&payer(9), 1, false);
	assert_eq!(hand_in(&mut test, &payer(9), 1), Err(ReserveError::Crowded));
}

#[test]
fn strangers_whose_reservations_fail_shut_out_nobody_who_has_one() {
	let mut test = Test::of(&payer(200));
	assert!(!test.credit.channel(&payer(200), NOW, Some(channel(1, 2_000))));
	for n in 1..=6 {
		test.credit.enter(&payer(n)).unwrap();
		assert_eq!(hand_in(&mut test, &payer(n), 1), Ok(()));
		test.credit.handed_in(&payer(n), 1, false);
	}
	test.credit.enter(&payer(7)).unwrap();
	assert_eq!(hand_in(&mut test, &payer(7), 1), Err(ReserveError::Crowded));
	assert_eq!(hand_in(&mut test, &payer(200), 2), Ok(()));
	// Nor do lost fees keep a stranger from being served.
	assert_eq!(test.sell(&payer(7), 500), Ok(()));
}

#[test]
fn a_session_with_a_reservation_on_its_way_is_not_forgotten_before_its_fee_is_counted() {
	let mut test = Test::of(&payer(1));
	assert_eq!(hand_in(&mut test, &payer(1), 1), Ok(()));
	test.credit.leave(&payer(1), true);
	test.credit.at_block(NOW + 1);
	test.credit.handed_in(&payer(1), 1, false);
	assert_eq!(test.credit.lost_by(&payer(1).account).fees.sum(), ASKED.reward);
	test.credit.at_block(NOW + 2);
	assert_eq!(test.credit.sessions().count(), 0);
}
