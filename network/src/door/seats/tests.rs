//! Seats against those who pay for them, those who do not, and those who come again under other keys.

use super::{super::keep::WITHIN, *};

const SECOND: Duration = Duration::from_secs(1);
/// What those who have paid nothing yet have.
const PROVEN: Duration = Duration::from_secs(20);
/// As many as anybody likes.
const ANY: usize = usize::MAX;
const BYTES: u64 = 200_000;
/// Served for nothing.
const FREE: Case = Case {
	pays: false,
	places: ANY,
	freight: None,
	resells: false,
};

fn account(n: u16) -> AccountId {
	let mut id = [0; 32];
	id[..2].copy_from_slice(&n.to_le_bytes());
	AccountId(id)
}

fn key(n: u16) -> PublicKey {
	PublicKey(account(n).0)
}

/// Of this key of a peer.
fn claim(peer: u16, track: u16, payer: Option<u16>) -> Claim {
	Claim {
		peer: key(peer),
		stream: StreamId(3),
		track: Some(track),
		payer: payer.map(account),
		follow: Follow::Windows,
	}
}

/// Of an account of its own.
fn own(peer: u16) -> Claim {
	claim(peer, 0, Some(peer))
}

/// That stands by.
fn standby(peer: u16) -> Claim {
	Claim {
		follow: Follow::Announcements,
		..own(peer)
	}
}

/// Seats with a clock, that hold the number of the peer.
struct Room {
	seats: Seats<u16>,
	places: usize,
	/// What the uplink carries.
	copies: Option<u64>,
	/// Relayers.
	resellers: Vec<u16>,
	begun: Instant,
	now: Instant,
}

impl Room {
	fn new(most: usize, per_payer: usize) -> Self {
		let now = Instant::now();
		Self {
			seats: Seats::new(most, per_payer, WITHIN),
			places: ANY,
			copies: None,
			resellers: Vec::new(),
			begun: now,
			now,
		}
	}

	fn try_enter(&mut self, claim: Claim) -> Result<(u64, Left<u16>), EndReason> {
		let peer = u16::from_le_bytes([claim.peer.0[0], claim.peer.0[1]]);
		let case = Case {
			pays: true,
			places: self.places,
			freight: self.freight(),
			resells: self.resellers.contains(&peer),
		};
		self.seats.enter(claim, case, self.now, peer)
	}

	fn freight(&self) -> Option<Freight> {
		let copies = self.copies?;
		Some(Freight {
			takes: BYTES,
			carries: copies * BYTES + BYTES / 2,
		})
	}

	/// It had stood by.
	fn turns(&mut self, id: u64) -> Result<Left<u16>, EndReason> {
		self.seats.follows(id, Follow::Windows, self.freight(), self.now)
	}

	/// Takes a seat that is paid for: its number, and who makes room.
	fn enters(&mut self, claim: Claim) -> (u64, Left<u16>) {
		self.try_enter(claim).unwrap()
	}

	/// Nobody makes room for it.
	fn sits(&mut self, claim: Claim) -> u64 {
		let (id, left) = self.enters(claim);
		assert_eq!(left, []);
		id
	}

	/// It paid for so many bytes.
	fn pays(&mut self, id: u64, bytes: u64) {
		let account = self.seats.taken[&id].claim.payer.unwrap();
		self.seats.paid(id, account, bytes, true, self.now);
		assert!(self.seats.counts(id));
	}

	/// So many seconds are over, each with something to buy for all who have a seat; those who buy do, each second.
	fn pass(&mut self, seconds: u64, buyers: &[u64]) {
		for _ in 0..seconds {
			self.now += SECOND;
			let announced = (self.now - self.begun).as_secs() * BYTES;
			let ids: Vec<u64> = self.seats.taken.keys().copied().collect();
			for id in ids {
				self.seats.keep(id, |keep| keep.offered(announced, self.now));
				if buyers.contains(&id) {
					self.pays(id, BYTES);
				}
			}
		}
	}

	/// That somebody who comes is refused for.
	fn refuses(&mut self, claim: Claim) -> EndReason {
		self.try_enter(claim).unwrap_err()
	}

	fn counting(&self) -> usize {
		self.seats.taken.keys().filter(|id| self.seats.counts(**id)).count()
	}
}

fn idle(peers: &[u16]) -> Left<u16> {
	peers.iter().map(|peer| (*peer, EndReason::Idle)).collect()
}

#[tokio::test]
async fn newest_of_a_peer_takes_the_place_of_its_ghost_though_all_seats_are_taken() {
	let mut room = Room::new(2, 1);
	let now = room.now;
	let mut enter = |claim, holding| room.seats.enter(claim, FREE, now, holding);
	let (first, left) = enter(own(1), 1).unwrap();
	assert_eq!(left, []);
	assert_eq!(enter(own(2), 2).unwrap().1, []);
	let (again, left) = enter(own(1), 10).unwrap();
	assert_eq!(left, [(1, EndReason::Replaced)]);
	assert!(room.seats.is_full(&claim(3, 0, None), now));
	assert!(!room.seats.is_full(&own(1), now));
	// The ghost finds out later that it is over.
	room.seats.leave(first, now);
	assert_eq!(room.seats.taken.len(), 2);
	room.seats.leave(again, now);
	let mut enter = |claim| room.seats.enter(claim, FREE, now, 0);
	assert!(enter(own(3)).is_ok());
	assert_eq!(enter(own(4)).unwrap_err(), EndReason::Full);
}

/// The attack: one account takes all seats, under as many peer keys as it likes.
#[tokio::test]
async fn account_has_so_many_seats_and_others_have_theirs() {
	let mut room = Room::new(100, 3);
	(0..3).for_each(|peer| _ = room.sits(claim(peer, 0, Some(7))));
	assert_eq!(room.refuses(claim(9, 0, Some(7))), EndReason::SeatsTaken);
	let another_track = claim(1, 1, Some(7));
	assert_eq!(room.refuses(another_track), EndReason::SeatsTaken);
	assert!(room.try_enter(claim(1, 0, Some(7))).is_ok(), "the same again");
	room.sits(claim(9, 0, Some(8)));
	(10..20).for_each(|peer| _ = room.sits(claim(peer, 0, None)));
}

/// The attack: who follows announcements alone pays nothing, so 32 accounts hold all seats for an hour.
#[tokio::test]
async fn whoever_pays_nothing_makes_room_when_all_seats_are_taken() {
	let mut room = Room::new(4, 8);
	let ids = [0, 1, 2, 3].map(|peer| room.sits(own(peer)));
	ids.iter().for_each(|id| room.pays(*id, LEAST));
	assert_eq!(room.refuses(own(9)), EndReason::Full, "all of them pay");
	let others = [ids[0], ids[1], ids[3]];
	room.pass(29, &others);
	assert_eq!(room.refuses(own(9)), EndReason::Full, "not for long");
	room.pass(2, &others);
	assert_eq!(room.counting(), 3);
	let (id, left) = room.enters(own(9));
	assert_eq!(left, idle(&[2]));
	room.pays(id, LEAST);
	assert_eq!(room.refuses(own(8)), EndReason::Full, "one for one");
}

/// The attack: to come again, in the own place, before the time is over.
#[tokio::test]
async fn whoever_comes_again_in_its_own_place_has_not_earned_it() {
	let mut room = Room::new(1, 8);
	let mut id = room.sits(standby(1));
	room.pays(id, LEAST);
	for _ in 0..3 {
		room.pass(11, &[]);
		let (again, left) = room.enters(standby(1));
		assert_eq!(left, [(1, EndReason::Replaced)]);
		id = again;
	}
	assert!(!room.seats.counts(id));
	let (id, left) = room.enters(standby(2));
	assert_eq!(left, idle(&[1]));
	room.pays(id, LEAST);
	// Nor does another account under the same key of a peer have what this one earned, nor owe what it did not.
	let other = claim(2, 0, Some(3));
	let (id, left) = room.enters(other);
	assert_eq!((left, room.seats.counts(id)), (vec![(2, EndReason::Replaced)], false));
	room.pass(19, &[]);
	assert_eq!(room.refuses(own(4)), EndReason::Full, "it has its own time");
	room.pays(id, LEAST);
}

/// The attack: seats in which nothing was ever paid count as viewers, and make a stream dear for those who pay.
#[tokio::test]
async fn seat_counts_once_something_was_paid_in_it_and_as_long_as_something_is() {
	let mut room = Room::new(8, 8);
	let ids = [0, 1, 2].map(|peer| room.sits(claim(peer, 0, Some(7))));
	room.pass(5, &[]);
	assert_eq!(room.counting(), 0);
	room.pays(ids[1], LEAST);
	assert_eq!(room.counting(), 1, "the one, and not the others of its account");
	room.pass(9, &[]);
	let due = |room: &Room| ids.map(|id| room.seats.is_due(id));
	assert_eq!(
		due(&room),
		[true, false, true],
		"it is billed where that shows whether it pays"
	);
	room.pass(1, &[]);
	assert_eq!(due(&room), [true; 3]);
	room.pass(21, &[]);
	assert_eq!(room.counting(), 0);
	// Of a price of nothing nothing is paid.
	room.seats.paid(ids[2], account(7), LEAST, false, room.now);
	assert!(!room.seats.counts(ids[2]));
	let (free, _) = room.seats.enter(own(9), FREE, room.now, 9).unwrap();
	assert!(room.seats.counts(free), "there is nothing to earn");
}

/// The attack: eight keys of one account hold eight seats for nothing, and each is back within 30 s under a new one.
#[tokio::test]
async fn idleness_is_the_accounts_whatever_keys_it_comes_with() {
	let mut room = Room::new(8, 8);
	for peer in 0..8 {
		room.sits(claim(peer, 0, Some(100)));
	}
	room.pass(15, &[]);
	// Each goes before its time is over, and comes again under another key.
	for peer in 0..8 {
		room.seats.leave(u64::from(peer), room.now);
		room.sits(claim(10 + peer, 0, Some(100)));
	}
	room.pass(1, &[]);
	// All of them make room for those who come, and no one comes again before others.
	for peer in 0..8 {
		let (id, left) = room.enters(own(200 + peer));
		assert_eq!(left.len(), 1, "{peer}");
		room.pays(id, LEAST);
		let back = room.refuses(claim(30 + peer, 0, Some(100)));
		assert!(matches!(back, EndReason::IdleLately(400..=600)), "{back:?}");
	}
	assert_eq!(room.refuses(own(300)), EndReason::Full, "all of them pay");
	let EndReason::IdleLately(seconds) = room.refuses(claim(30, 0, Some(100))) else {
		panic!("it is forgotten already")
	};
	let buyers: Vec<u64> = room.seats.taken.keys().copied().collect();
	room.pass(u64::from(seconds), &buyers);
	let then = room.refuses(claim(30, 0, Some(100)));
	assert_eq!(then, EndReason::Full, "as anybody, and it was told when");
}

#[tokio::test]
async fn who_was_idle_has_a_seat_that_nobody_wants_and_is_the_first_to_make_room() {
	let mut room = Room::new(2, 8);
	let id = room.sits(own(1));
	room.pass(25, &[]);
	room.seats.leave(id, room.now);
	let again = room.sits(claim(11, 0, Some(1)));
	room.sits(own(2));
	assert_eq!(room.enters(own(3)).1, idle(&[11]));
	room.seats.leave(again, room.now);
	// Unless it pays: what it does now counts.
	let mut room = Room::new(2, 8);
	let id = room.sits(own(1));
	room.pass(25, &[]);
	room.seats.leave(id, room.now);
	let again = room.sits(claim(11, 0, Some(1)));
	room.pays(again, LEAST);
	let other = room.sits(own(2));
	room.pays(other, LEAST);
	assert_eq!(room.refuses(own(3)), EndReason::Full);
}

/// Who zaps pays for what it saw each time, and is idle nowhere.
#[tokio::test]
async fn who_pays_and_leaves_may_come_again_at_once() {
	let mut room = Room::new(1, 8);
	for n in 0..100 {
		let id = room.sits(claim(n, 0, Some(1)));
		room.pass(3, &[]);
		room.pays(id, LEAST);
		room.seats.leave(id, room.now);
	}
	assert_eq!(room.seats.payers.idle(&account(1), room.now), Duration::ZERO);
}

/// The attack: few accounts come and go so quickly that none of their seats is due.
#[tokio::test]
async fn of_those_who_have_paid_nothing_yet_the_account_with_most_makes_room() {
	let mut room = Room::new(8, 8);
	let mut ids: Vec<_> = (0..6).map(|peer| room.sits(claim(peer, 0, Some(100)))).collect();
	ids.extend([10, 11].map(|peer| room.sits(own(peer))));
	let (id, left) = room.enters(own(12));
	assert_eq!(left, idle(&[5]));
	ids.push(id);
	ids[..4].iter().for_each(|id| room.pays(*id, LEAST));
	assert_eq!(room.refuses(claim(6, 0, Some(101))), EndReason::Full, "one each");
	let again = room.refuses(claim(7, 0, Some(100)));
	assert_eq!(again, EndReason::Full, "it would have more of these than others");
}

/// The attack: 38 accounts hold all seats for nothing, in which they may be for 20 s each. Three hundred who pay come at a time; the
/// door does not know where from, that all of them are behind one address is nothing to it.
#[tokio::test]
async fn three_hundred_who_pay_at_a_time_get_in_whatever_others_hold_for_nothing() {
	const MOST: usize = 300;
	let mut room = Room::new(MOST, 8);
	for peer in 0..MOST as u16 {
		room.sits(claim(peer, 0, Some(1_000 + peer / 8)));
	}
	let mut waiting: Vec<u16> = (2_000..2_000 + MOST as u16).collect();
	let mut served = Vec::new();
	let (mut took, mut peer) = (0, 400);
	while !waiting.is_empty() {
		let mut fresh = Vec::new();
		waiting.retain(|viewer| match room.try_enter(own(*viewer)) {
			Ok((id, left)) => {
				assert!(left.iter().all(|(other, _)| *other < 2_000), "of those who do not pay");
				fresh.push(id);
				false
			},
			Err(reason) => {
				assert_eq!(reason, EndReason::Full);
				true
			},
		});
		// The others come again under new keys as fast as they can.
		for account in 1_000..1_038 {
			peer += 1;
			let _ = room.try_enter(claim(peer, 0, Some(account)));
		}
		// What is due for the first window is paid two seconds later.
		room.pass(2, &served);
		fresh.iter().for_each(|id| room.pays(*id, BYTES));
		served.extend(fresh);
		took += 2;
		assert!(took <= 30, "{} wait", waiting.len());
	}
	assert_eq!(room.counting(), MOST);
	println!("after {took} s");
}

/// Those whom nobody knows have a part of the seats that those who paid before leave them.
#[tokio::test]
async fn who_paid_lately_has_the_place_of_one_who_has_not_beyond_the_allowance() {
	let mut room = Room::new(16, 8);
	for peer in 0..4 {
		let id = room.sits(own(peer));
		room.pays(id, LEAST);
		room.seats.leave(id, room.now);
	}
	let strangers = (20..36).map(|peer| room.sits(own(peer))).collect::<Vec<_>>();
	assert_eq!(room.refuses(own(40)), EndReason::Full, "a stranger as they are");
	let (id, left) = room.enters(own(0));
	assert_eq!(left, idle(&[35]), "the newest");
	room.pays(id, LEAST);
	strangers[..13].iter().for_each(|id| room.pays(*id, LEAST));
	// Two of sixteen, as many as they are let have.
	assert_eq!(room.refuses(own(1)), EndReason::Full);
}

/// The fault: those who came first kept that part for nothing but what keeps a seat, and who bought more and came later went.
#[tokio::test]
async fn of_those_who_stand_by_who_bought_least_lately_makes_room_and_of_equals_the_newest() {
	let mut room = Room::new(8, 8);
	let ids: Vec<_> = (0..8).map(|peer| room.sits(standby(peer))).collect();
	for _ in 0..10 {
		room.pass(8, &[]);
		for (n, id) in ids.iter().enumerate() {
			// The later they came the more they buy; two of them as much.
			room.pays(*id, LEAST * [1, 1, 2, 3, 4, 5, 6, 7][n]);
		}
	}
	assert_eq!(
		room.refuses(standby(9)),
		EndReason::Full,
		"nor do they drive out each other"
	);
	for (n, gone) in [1, 0, 2, 3, 4, 5, 6].into_iter().enumerate() {
		let (id, left) = room.enters(own(20 + n as u16));
		assert_eq!(left, idle(&[gone]));
		room.pays(id, BYTES);
	}
	assert_eq!(room.refuses(own(30)), EndReason::Full, "they have an eighth");
	// Who watched and stands by from now on.
	let id = room.seats.next - 1;
	let rests = room.seats.follows(id, Follow::Announcements, None, room.now);
	assert_eq!(rests, Ok(vec![]));
	assert_eq!(
		room.enters(own(30)).1,
		idle(&[7]),
		"who came last buys all that there is"
	);
}

/// The attack: to say that windows are wanted, and to take hardly any.
#[tokio::test]
async fn who_buys_a_small_part_of_what_there_is_stands_by_whatever_it_says() {
	let mut room = Room::new(4, 8);
	let ids: Vec<_> = (0..4).map(|peer| room.sits(own(peer))).collect();
	for _ in 0..5 {
		room.pass(25, &ids[..1]);
		ids[1..].iter().for_each(|id| room.pays(*id, LEAST));
	}
	for gone in [3, 2] {
		let (id, left) = room.enters(own(20 + gone));
		assert_eq!(left, idle(&[gone]));
		room.pays(id, BYTES);
	}
	assert_eq!(room.refuses(own(30)), EndReason::Full);
}

/// The attack: who has paid nothing drives out those who stand by and buy, again and again.
#[tokio::test]
async fn who_has_paid_nothing_drives_out_no_more_of_those_who_stand_by_than_its_allowance() {
	let mut room = Room::new(16, 8);
	let ids: Vec<_> = (0..16).map(|peer| room.sits(standby(peer))).collect();
	ids.iter().for_each(|id| room.pays(*id, LEAST));
	(20..22).for_each(|peer| assert_eq!(room.enters(own(peer)).1.len(), 1));
	(22..90).for_each(|peer| assert_eq!(room.refuses(own(peer)), EndReason::Full));
	assert_eq!(room.counting(), 14);
}

/// The fault: who waited for its reservation to become final lost its seat after 30 s, though nothing but the chain was awaited.
#[tokio::test]
async fn who_waits_for_its_reservation_keeps_its_seat_meanwhile_and_no_longer() {
	let mut room = Room::new(2, 8);
	let waits = room.sits(own(1));
	let other = room.sits(own(2));
	room.pays(other, LEAST);
	room.pass(10, &[other]);
	let until = room.now + 60 * SECOND;
	room.seats.keep(waits, |keep| keep.wait(Some(until)));
	room.pass(59, &[other]);
	assert_eq!(room.refuses(own(3)), EndReason::Full);
	room.pass(2, &[other]);
	assert_eq!(room.refuses(own(3)), EndReason::Full, "it had ten seconds");
	room.pass(10, &[other]);
	assert_eq!(room.enters(own(3)).1, idle(&[1]));
	// Nor does it make room as one of several of its account.
	let mut room = Room::new(2, 8);
	let ids = [1, 2].map(|peer| room.sits(claim(peer, 0, Some(1))));
	room.seats.keep(ids[1], |keep| keep.wait(Some(until)));
	assert_eq!(room.refuses(own(3)), EndReason::Full);
}

#[tokio::test]
async fn seats_of_a_stream_are_taken_by_the_same_rules_and_others_have_theirs() {
	let of = |stream, claim| Claim {
		stream: StreamId(stream),
		..claim
	};
	let mut room = Room::new(8, 8);
	room.places = 2;
	let ids = [1, 2].map(|peer| room.sits(of(1, own(peer))));
	ids.iter().for_each(|id| room.pays(*id, LEAST));
	assert_eq!(room.refuses(of(1, own(3))), EndReason::Full);
	let elsewhere = room.sits(of(2, own(3)));
	// Who has paid nothing on another stream makes no room on this one.
	assert_eq!(room.refuses(of(1, own(4))), EndReason::Full);
	room.pass(31, &[elsewhere, ids[0]]);
	assert_eq!(room.enters(of(1, own(4))).1, idle(&[2]));
	// Its part shrinks: nobody is sent away, and who comes waits until there are fewer, or is let in for several who do not earn it.
	room.places = 1;
	assert_eq!(room.refuses(of(1, own(5))), EndReason::Full);
	room.pass(31, &[elsewhere]);
	let (id, mut left) = room.enters(of(1, own(5)));
	left.sort_by_key(|(peer, _)| *peer);
	assert_eq!(left, idle(&[1, 4]));
	room.pays(id, LEAST);
	room.places = 0;
	room.pass(31, &[elsewhere]);
	assert_eq!(room.refuses(of(1, own(6))), EndReason::Full);
	assert_eq!(room.seats.taken.len(), 2);
}

#[tokio::test]
async fn who_is_served_for_nothing_has_nothing_to_earn() {
	let mut room = Room::new(1, 8);
	let id = room.seats.enter(standby(1), FREE, room.now, 1).unwrap().0;
	for _ in 0..2 {
		room.now += PROVEN;
		room.seats.keep(id, |keep| keep.offered(BYTES, room.now));
	}
	assert_eq!(room.refuses(own(2)), EndReason::Full);
}

/// The fault: what waiting for a relayer that is behind took was held against the account, and its seat went to whoever came.
#[tokio::test]
async fn who_waits_for_what_we_do_not_have_keeps_its_seat_and_owes_nothing() {
	let mut room = Room::new(1, 8);
	let id = room.sits(own(1));
	room.pays(id, LEAST);
	for _ in 0..25 {
		room.now += SECOND;
		room.seats.keep(id, |keep| keep.lacks(true, room.now));
	}
	assert_eq!(room.refuses(own(2)), EndReason::Full);
	room.seats.leave(id, room.now);
	assert_eq!(room.seats.payers.idle(&account(1), room.now), Duration::ZERO);
}

/// The attack: with a place that nobody has, accounts of which each holds eight seats for half a minute shut out who pays.
#[tokio::test]
async fn who_has_bought_nothing_keeps_no_seat_by_naming_a_place_that_nobody_has() {
	let mut room = Room::new(2, 8);
	let ids = [1, 2].map(|peer| room.sits(claim(peer, 0, Some(1))));
	room.now += SECOND;
	for id in ids {
		room.seats.keep(id, |keep| keep.lacks(true, room.now));
	}
	let (_, left) = room.enters(own(3));
	assert_eq!(left.len(), 1);
}

/// The attack: a place that nobody has holds a seat for nothing, again and again.
#[tokio::test]
async fn account_that_waits_again_and_again_for_what_nobody_has_is_idle() {
	let mut room = Room::new(1, 8);
	for _ in 0..3 {
		let id = room.sits(own(1));
		for _ in 0..25 {
			room.now += SECOND;
			room.seats.keep(id, |keep| keep.lacks(true, room.now));
		}
		room.seats.leave(id, room.now);
	}
	room.sits(own(2));
	assert!(matches!(room.refuses(own(1)), EndReason::IdleLately(_)));
}

fn full(peers: &[u16]) -> Left<u16> {
	peers.iter().map(|peer| (*peer, EndReason::Full)).collect()
}

/// With an uplink for so many copies.
fn with_copies(copies: u64) -> Room {
	Room {
		copies: Some(copies),
		..Room::new(100, 8)
	}
}

/// The fault: a relayer took whoever came, and all that it sent was late.
#[tokio::test]
async fn no_more_follow_windows_than_the_uplink_carries_and_who_stands_by_needs_no_copy() {
	let mut room = with_copies(2);
	let ids = [1, 2].map(|peer| room.sits(own(peer)));
	ids.iter().for_each(|id| room.pays(*id, BYTES));
	assert_eq!(room.refuses(own(3)), EndReason::Full);
	let standby = room.sits(standby(3));
	room.pays(standby, BYTES);
	// The same again has its own, and who goes makes room.
	assert_eq!(room.enters(own(2)).1, [(2, EndReason::Replaced)]);
	room.seats.leave(ids[0], room.now);
	room.sits(own(4));
	// Other streams are on the same uplink.
	let elsewhere = Claim {
		stream: StreamId(9),
		..own(5)
	};
	assert_eq!(room.refuses(elsewhere), EndReason::Full);
	// What nobody said is no limit.
	room.copies = None;
	room.sits(own(6));
}

#[tokio::test]
async fn one_copy_goes_out_however_little_the_uplink_carries() {
	let mut room = with_copies(0);
	let id = room.sits(own(1));
	room.pays(id, BYTES);
	assert_eq!(room.refuses(own(2)), EndReason::Full);
}

/// The fault: a relayer that came back found all copies taken by viewers, and sold nothing to those behind it.
#[tokio::test]
async fn who_passes_windows_on_has_the_copy_of_the_newest_viewer_and_of_no_other_relayer() {
	let mut room = with_copies(3);
	room.resellers = vec![2, 8, 9, 10];
	for peer in 1..=3 {
		let id = room.sits(own(peer));
		room.pays(id, BYTES);
		room.pass(1, &[]);
	}
	assert_eq!(room.enters(own(8)).1, full(&[3]));
	assert_eq!(
		room.refuses(own(9)),
		EndReason::Full,
		"half are relayers' by now, and it has paid nothing"
	);
	let standby = room.sits(standby(9));
	room.pays(standby, BYTES);
	assert_eq!(room.turns(standby), Ok(full(&[1])), "the second passes it on");
	assert_eq!(room.refuses(own(10)), EndReason::Full);
	assert_eq!(room.refuses(own(4)), EndReason::Full);
}

#[tokio::test]
async fn whoever_pays_nothing_makes_room_for_a_copy_first() {
	let mut room = with_copies(2);
	room.resellers = vec![3];
	let ids = [1, 2].map(|peer| room.sits(own(peer)));
	room.pays(ids[1], BYTES);
	room.pass(21, &[ids[1]]);
	assert_eq!(room.enters(own(3)).1, idle(&[1]));
}

/// Whoever stood by has neither a parent nor windows in hand when it turns to us; who has had its copy for a while has both.
#[tokio::test]
async fn who_stood_by_and_paid_has_the_copy_of_the_newest_that_has_had_it_for_a_while() {
	let mut room = with_copies(2);
	room.resellers = vec![7];
	let ids = [1, 2].map(|peer| room.sits(own(peer)));
	let orphans = [3, 4, 5, 6, 7].map(|peer| room.sits(standby(peer)));
	ids.iter().chain(&orphans[1..]).for_each(|id| room.pays(*id, BYTES));
	assert_eq!(room.turns(orphans[1]), Err(EndReason::Full), "they came a moment ago");
	room.seats.leave(orphans[1], room.now);
	room.pass(SETTLED.as_secs(), &[&ids[..], &orphans[2..]].concat());
	assert_eq!(room.turns(orphans[0]), Err(EndReason::Full), "it has paid nothing");
	assert_eq!(room.turns(orphans[2]), Ok(full(&[2])));
	assert_eq!(room.turns(orphans[2]), Ok(vec![]), "once");
	assert_eq!(
		room.turns(orphans[3]),
		Ok(full(&[1])),
		"not the one that has just turned to us"
	);
	assert_eq!(
		room.turns(orphans[4]),
		Ok(full(&[6])),
		"it passes windows on, and waits for nobody"
	);
}

/// The attack: to stand by for a moment now and then, so that one's copy is always new.
#[tokio::test]
async fn who_stands_by_for_a_moment_has_had_its_copy_all_the_time() {
	let mut room = with_copies(2);
	let ids = [1, 2].map(|peer| room.sits(own(peer)));
	let orphan = room.sits(standby(3));
	ids.iter().chain([&orphan]).for_each(|id| room.pays(*id, BYTES));
	let all = [ids[0], ids[1], orphan];
	room.pass(SETTLED.as_secs() - 1, &all);
	let rests = room
		.seats
		.follows(ids[1], Follow::Announcements, room.freight(), room.now);
	assert_eq!(rests, Ok(vec![]));
	assert_eq!(room.turns(ids[1]), Ok(vec![]));
	room.pass(2, &all);
	assert_eq!(room.turns(orphan), Ok(full(&[2])));
}

/// The attack, or the accident: a relayer asks for a stream that no uplink of ours carries, and all viewers of all streams made room.
#[tokio::test]
async fn nobody_makes_room_for_what_does_not_fit() {
	let mut room = with_copies(2);
	let ids = [1, 2].map(|peer| room.sits(own(peer)));
	ids.iter().for_each(|id| room.pays(*id, BYTES));
	let case = Case {
		pays: true,
		resells: true,
		freight: Some(Freight {
			takes: 3 * BYTES,
			..room.freight().unwrap()
		}),
		..FREE
	};
	let large = Claim {
		stream: StreamId(9),
		..own(3)
	};
	assert_eq!(room.seats.enter(large, case, room.now, 3).unwrap_err(), EndReason::Full);
	assert_eq!(room.seats.taken.len(), 2);
}

#[tokio::test]
async fn copies_are_counted_by_what_the_stream_takes_by_now() {
	let mut room = with_copies(2);
	let ids = [1, 2].map(|peer| room.sits(own(peer)));
	ids.iter().for_each(|id| room.pays(*id, BYTES));
	let half = Freight {
		takes: BYTES / 2,
		..room.freight().unwrap()
	};
	let case = |freight| Case {
		pays: true,
		freight: Some(freight),
		..FREE
	};
	for peer in [3, 4, 5] {
		let (id, left) = room.seats.enter(own(peer), case(half), room.now, peer).unwrap();
		assert_eq!(left, []);
		room.pays(id, BYTES);
	}
	assert_eq!(
		room.seats.enter(own(6), case(half), room.now, 6).unwrap_err(),
		EndReason::Full
	);
}
