//! Who is served. A peer that subscribes to the same track again takes the place of its own older subscription, so nobody whose
//! line changed is refused by its own ghost; one account has so many seats at most, wherever it comes from.
//!
//! A seat that is to be paid for is earned by what is bought in it ([`Keep`]). Where all are taken a newcomer has the seat of somebody who
//! does not earn it: who bought too little for too long; who has paid nothing yet, of the account that has most of those; and beyond a
//! quarter of all seats, who follows announcements alone, where the newcomer wants windows.

use super::keep::Keep;
use clustercast_primitives::{AccountId, PublicKey, StreamId, TrackId};
use clustercast_protocol::{EndReason, Follow, Subscribe};
use std::{
	collections::{BTreeMap, HashMap},
	time::Duration,
};

/// One in so many seats is for those who stand by, whoever else comes.
const STANDBY_SHARE: usize = 4;

/// Who asks for what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Claim {
	peer: PublicKey,
	stream: StreamId,
	track: Option<TrackId>,
	payer: Option<AccountId>,
	follow: Follow,
}

impl Claim {
	/// Of a peer that proved its key.
	pub fn new(peer: PublicKey, request: &Subscribe) -> Self {
		Self {
			peer,
			stream: request.stream,
			track: request.track(),
			payer: request.payer.as_ref().map(|payer| payer.session().account),
			follow: request.follow,
		}
	}

	/// Whether this is the same again.
	fn replaces(&self, other: &Self) -> bool {
		(self.peer, self.stream, self.track) == (other.peer, other.stream, other.track)
	}
}

#[derive(Debug)]
struct Seat<T> {
	claim: Claim,
	/// Where it is to be paid for.
	keep: Option<Keep>,
	holding: T,
}

impl<T> Seat<T> {
	/// Takes part in what follows.
	fn pays(&self) -> Option<(AccountId, &Keep)> {
		self.claim.payer.zip(self.keep.as_ref())
	}
}

/// Whose seat a newcomer has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Room {
	/// Nobody's.
	Free,
	/// Its own of before.
	Own(u64),
	/// Of this one, who has not earned it.
	Instead(u64),
}

/// See the module. Holds a `T` for each.
#[derive(Debug)]
pub struct Seats<T> {
	most: usize,
	per_payer: usize,
	/// How long a seat may be kept for nothing.
	within: Duration,
	next: u64,
	taken: BTreeMap<u64, Seat<T>>,
}

impl<T> Seats<T> {
	/// So many in all, and of one account; each to be earned within this.
	pub fn new(most: usize, per_payer: usize, within: Duration) -> Self {
		Self {
			most,
			per_payer,
			within,
			next: 0,
			taken: BTreeMap::new(),
		}
	}

	/// Whether there is none left for this claim: known before it is looked up. Says nothing of any account.
	pub fn is_full(&self, claim: &Claim) -> bool {
		self.room(claim).is_none()
	}

	/// Takes a seat, to be paid for or not, for a claim that was judged good: its number, and whose place it takes, who is told this.
	pub fn enter(&mut self, claim: Claim, pays: bool, holding: T) -> Result<(u64, Option<(T, EndReason)>), EndReason> {
		let room = self.room(&claim).ok_or(EndReason::Full)?;
		if claim.payer.is_some() {
			let others = self.taken.values().filter(|other| !claim.replaces(&other.claim));
			if others.filter(|other| other.claim.payer == claim.payer).count() >= self.per_payer {
				return Err(EndReason::SeatsTaken);
			}
		}
		let mut keep = pays.then(Keep::default);
		let left = match room {
			Room::Free => None,
			Room::Own(id) => self.taken.remove(&id).map(|older| {
				// Whoever comes again and again has not earned more by it.
				let earned = older.keep.filter(|_| older.claim.payer == claim.payer).map(Keep::again);
				keep = keep.map(|new| earned.unwrap_or(new));
				(older.holding, EndReason::Replaced)
			}),
			Room::Instead(id) => self.taken.remove(&id).map(|other| (other.holding, EndReason::Idle)),
		};
		let id = self.next;
		self.next += 1;
		self.taken.insert(id, Seat { claim, keep, holding });
		Ok((id, left))
	}

	/// One is free again; nothing where another one has it.
	pub fn leave(&mut self, id: u64) {
		self.taken.remove(&id);
	}

	/// What is sent to it from now on.
	pub fn follows(&mut self, id: u64, follow: Follow) {
		if let Some(seat) = self.taken.get_mut(&id) {
			seat.claim.follow = follow;
		}
	}

	/// What was bought in it, if it is to be paid for; whether it is earned.
	pub fn keep(&mut self, id: u64, change: impl FnOnce(&mut Keep)) -> bool {
		let keep = self.taken.get_mut(&id).and_then(|seat| seat.keep.as_mut());
		keep.is_none_or(|keep| {
			change(keep);
			!keep.has_lapsed(self.within)
		})
	}

	/// `None` where all are taken by those who earn them.
	fn room(&self, claim: &Claim) -> Option<Room> {
		if let Some((id, _)) = self.taken.iter().find(|(_, seat)| claim.replaces(&seat.claim)) {
			return Some(Room::Own(*id));
		}
		if self.taken.len() < self.most {
			return Some(Room::Free);
		}
		let instead = self
			.lapsed()
			.or_else(|| self.crowded(claim))
			.or_else(|| self.standby(claim));
		instead.map(Room::Instead)
	}

	/// Who bought too little for too long, of those the first.
	fn lapsed(&self) -> Option<u64> {
		let lapsed = |seat: &Seat<T>| seat.pays().is_some_and(|(_, keep)| keep.has_lapsed(self.within));
		self.taken.iter().find(|(_, seat)| lapsed(seat)).map(|(id, _)| *id)
	}

	/// The newest one that has paid nothing yet, of the account that has most of these, if it has more than the newcomer would.
	fn crowded(&self, claim: &Claim) -> Option<u64> {
		let unproven = || {
			let seats = self.taken.iter();
			seats.filter_map(|(id, seat)| {
				seat.pays()
					.filter(|(_, keep)| !keep.is_proven())
					.map(|(of, _)| (*id, of))
			})
		};
		let mut counts = HashMap::<AccountId, usize>::new();
		unproven().for_each(|(_, of)| *counts.entry(of).or_default() += 1);
		let own = claim
			.payer
			.and_then(|payer| counts.get(&payer).copied())
			.unwrap_or_default()
			+ 1;
		let newest = unproven().max_by_key(|(id, of)| (counts[of], *id));
		newest.filter(|(_, of)| counts[of] > own).map(|(id, _)| id)
	}

	/// The newest of those who stand by, where these have more than their part, for somebody who does not.
	fn standby(&self, claim: &Claim) -> Option<u64> {
		let stands_by = |seat: &Seat<T>| seat.keep.is_some() && seat.claim.follow == Follow::Announcements;
		let standbys = || self.taken.iter().filter(|(_, seat)| stands_by(seat));
		let too_many = claim.follow == Follow::Windows && standbys().count() > self.most / STANDBY_SHARE;
		standbys().next_back().filter(|_| too_many).map(|(id, _)| *id)
	}
}

#[cfg(test)]
mod tests {
	use super::{super::keep::WITHIN, *};
	use tokio::time::Instant;

	fn claim(peer: u8, track: u16, payer: Option<u8>) -> Claim {
		Claim {
			peer: PublicKey([peer; 32]),
			stream: StreamId(3),
			track: Some(track),
			payer: payer.map(|account| AccountId([account; 32])),
			follow: Follow::Windows,
		}
	}

	/// Of an account of its own, that stands by.
	fn standby(peer: u8) -> Claim {
		Claim {
			follow: Follow::Announcements,
			..claim(peer, 0, Some(peer))
		}
	}

	fn seats<T>(most: usize, per_payer: usize) -> Seats<T> {
		Seats::new(most, per_payer, WITHIN)
	}

	/// Takes a seat that is paid for; who makes room.
	fn enters(seats: &mut Seats<u8>, claim: Claim) -> Option<(u8, EndReason)> {
		seats.enter(claim, true, claim.peer.0[0]).unwrap().1
	}

	fn pay(seats: &mut Seats<u8>, id: u64) {
		assert!(seats.keep(id, Keep::paid));
	}

	/// There were windows for so long, and it bought none.
	fn idle(seats: &mut Seats<u8>, id: u64, time: Duration) {
		let begun = Instant::now();
		for n in 0..=time.as_secs() as u32 {
			seats.keep(id, |keep| {
				keep.offered(u64::from(n) * 200_000, begun + n * Duration::from_secs(1))
			});
		}
	}

	#[test]
	fn newest_of_a_peer_takes_the_place_of_its_ghost_though_all_seats_are_taken() {
		let mut seats = seats(2, 1);
		let (first, replaced) = seats.enter(claim(1, 0, Some(1)), false, "first").unwrap();
		assert_eq!(replaced, None);
		let (_, replaced) = seats.enter(claim(2, 0, Some(2)), false, "other").unwrap();
		assert_eq!(replaced, None);
		assert!(seats.is_full(&claim(3, 0, None)));
		assert!(!seats.is_full(&claim(1, 0, Some(1))));
		let (again, replaced) = seats.enter(claim(1, 0, Some(1)), false, "again").unwrap();
		assert_eq!(replaced, Some(("first", EndReason::Replaced)));
		// The ghost finds out later that it is over.
		seats.leave(first);
		assert_eq!(seats.taken.len(), 2);
		seats.leave(again);
		assert!(seats.enter(claim(3, 0, Some(3)), false, "third").is_ok());
		assert_eq!(
			seats.enter(claim(4, 0, Some(4)), false, "fourth").unwrap_err(),
			EndReason::Full
		);
	}

	/// The attack: one account takes all seats, under as many peer keys as it likes.
	#[test]
	fn account_has_so_many_seats_and_others_have_theirs() {
		let mut seats = seats(100, 3);
		for peer in 0..3 {
			assert!(seats.enter(claim(peer, 0, Some(7)), false, ()).is_ok());
		}
		assert_eq!(
			seats.enter(claim(9, 0, Some(7)), false, ()).unwrap_err(),
			EndReason::SeatsTaken
		);
		assert_eq!(
			seats.enter(claim(1, 1, Some(7)), false, ()).unwrap_err(),
			EndReason::SeatsTaken,
			"another track is another seat"
		);
		assert!(seats.enter(claim(1, 0, Some(7)), false, ()).is_ok(), "the same again");
		assert!(seats.enter(claim(9, 0, Some(8)), false, ()).is_ok());
		for peer in 10..20 {
			assert!(
				seats.enter(claim(peer, 0, None), false, ()).is_ok(),
				"guests have no account"
			);
		}
	}

	/// The attack: who follows announcements alone pays nothing, so 32 accounts hold all seats for an hour.
	#[tokio::test]
	async fn whoever_buys_nothing_makes_room_when_all_seats_are_taken() {
		let mut seats = seats(4, 8);
		(0..4).for_each(|peer| assert_eq!(enters(&mut seats, claim(peer, 0, Some(peer))), None));
		(0..4).for_each(|id| pay(&mut seats, id));
		assert!(seats.is_full(&claim(9, 0, Some(9))), "all of them pay");
		idle(&mut seats, 2, WITHIN - Duration::from_secs(1));
		assert!(seats.is_full(&claim(9, 0, Some(9))), "not for long");
		idle(&mut seats, 2, WITHIN);
		assert!(!seats.is_full(&claim(9, 0, Some(9))));
		assert_eq!(enters(&mut seats, claim(9, 0, Some(9))), Some((2, EndReason::Idle)));
		pay(&mut seats, 4);
		assert!(seats.is_full(&claim(8, 0, Some(8))), "one for one");
	}

	/// The attack: to come again, in the own place, before the time is over.
	#[tokio::test]
	async fn whoever_comes_again_in_its_own_place_has_not_earned_it() {
		let mut seats = seats(1, 8);
		enters(&mut seats, standby(1));
		pay(&mut seats, 0);
		for _ in 0..3 {
			let id = seats.next - 1;
			idle(&mut seats, id, WITHIN / 3);
			assert_eq!(enters(&mut seats, standby(1)), Some((1, EndReason::Replaced)));
		}
		assert_eq!(enters(&mut seats, standby(2)), Some((1, EndReason::Idle)));
		// Nor does another account under the same key of a peer have what this one earned, nor owe what it did not.
		let other = Claim {
			payer: Some(AccountId([3; 32])),
			..standby(2)
		};
		assert_eq!(enters(&mut seats, other), Some((2, EndReason::Replaced)));
	}

	/// The attack: few accounts come and go so quickly that none of their seats is due.
	#[tokio::test]
	async fn of_those_who_have_paid_nothing_yet_the_account_with_most_makes_room() {
		let mut seats = seats(8, 8);
		(0..6).for_each(|peer| assert_eq!(enters(&mut seats, claim(peer, 0, Some(100))), None));
		assert_eq!(enters(&mut seats, claim(10, 0, Some(10))), None);
		assert_eq!(enters(&mut seats, claim(11, 0, Some(11))), None);
		assert_eq!(enters(&mut seats, claim(12, 0, Some(12))), Some((5, EndReason::Idle)));
		(0..4).for_each(|id| pay(&mut seats, id));
		assert!(seats.is_full(&claim(6, 0, Some(100))), "it has more than anybody");
		assert!(seats.is_full(&claim(13, 0, Some(13))), "one each");
	}

	#[tokio::test]
	async fn who_stands_by_and_buys_keeps_a_quarter_of_the_seats_and_more_while_they_are_free() {
		let mut seats = seats(8, 8);
		(0..8).for_each(|peer| assert_eq!(enters(&mut seats, standby(peer)), None));
		(0..8).for_each(|id| pay(&mut seats, id));
		assert!(seats.is_full(&standby(9)), "nor do they drive out each other");
		for n in 0..6 {
			let viewer = claim(20 + n, 0, Some(20 + n));
			assert_eq!(enters(&mut seats, viewer), Some((7 - n, EndReason::Idle)));
			pay(&mut seats, 8 + u64::from(n));
		}
		assert!(seats.is_full(&claim(30, 0, Some(30))));
		// Who watched and stands by from now on.
		seats.follows(8, Follow::Announcements);
		assert_eq!(enters(&mut seats, claim(30, 0, Some(30))), Some((20, EndReason::Idle)));
	}

	#[tokio::test]
	async fn who_is_served_for_nothing_has_nothing_to_earn() {
		let mut seats = seats(1, 8);
		seats.enter(standby(1), false, 1).unwrap();
		idle(&mut seats, 0, 2 * WITHIN);
		assert!(seats.is_full(&claim(2, 0, Some(2))));
	}
}
