//! Who is served. A peer that subscribes to the same track again takes the place of its own older subscription, so nobody whose
//! line changed is refused by its own ghost; one account has so many seats at most, wherever it comes from.

use clustercast_primitives::{AccountId, PublicKey, StreamId, TrackId};
use clustercast_protocol::{EndReason, Subscribe};
use std::collections::BTreeMap;

/// Who asks for what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Claim {
	peer: PublicKey,
	stream: StreamId,
	track: Option<TrackId>,
	payer: Option<AccountId>,
}

impl Claim {
	/// Of a peer that proved its key.
	pub fn new(peer: PublicKey, request: &Subscribe) -> Self {
		Self {
			peer,
			stream: request.stream,
			track: request.track(),
			payer: request.payer.as_ref().map(|payer| payer.session().account),
		}
	}

	/// Whether this is the same again.
	fn replaces(&self, other: &Self) -> bool {
		(self.peer, self.stream, self.track) == (other.peer, other.stream, other.track)
	}
}

/// See the module. Holds a `T` for each.
#[derive(Debug)]
pub struct Seats<T> {
	most: usize,
	per_payer: usize,
	next: u64,
	taken: BTreeMap<u64, (Claim, T)>,
}

impl<T> Seats<T> {
	/// So many in all, and of one account.
	pub fn new(most: usize, per_payer: usize) -> Self {
		Self {
			most,
			per_payer,
			next: 0,
			taken: BTreeMap::new(),
		}
	}

	/// Whether there is none left for this claim: known before it is looked up. Says nothing of any account.
	pub fn is_full(&self, claim: &Claim) -> bool {
		self.others(claim).count() >= self.most
	}

	/// Takes a seat for a claim that was judged good: its number, and whose place it takes.
	pub fn enter(&mut self, claim: Claim, holding: T) -> Result<(u64, Option<T>), EndReason> {
		if self.is_full(&claim) {
			return Err(EndReason::Full);
		}
		if claim.payer.is_some() {
			let of_the_payer = self.others(&claim).filter(|other| other.payer == claim.payer);
			if of_the_payer.count() >= self.per_payer {
				return Err(EndReason::SeatsTaken);
			}
		}
		let older = self.taken.iter().find(|(_, (other, _))| claim.replaces(other));
		let older = older.map(|(id, _)| *id);
		let replaced = older.and_then(|id| self.taken.remove(&id)).map(|(_, held)| held);
		let id = self.next;
		self.next += 1;
		self.taken.insert(id, (claim, holding));
		Ok((id, replaced))
	}

	/// One is free again; nothing where it was replaced.
	pub fn leave(&mut self, id: u64) {
		self.taken.remove(&id);
	}

	fn others<'a>(&'a self, claim: &'a Claim) -> impl Iterator<Item = &'a Claim> {
		let claims = self.taken.values().map(|(claim, _)| claim);
		claims.filter(|other| !claim.replaces(other))
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	fn claim(peer: u8, track: u16, payer: Option<u8>) -> Claim {
		Claim {
			peer: PublicKey([peer; 32]),
			stream: StreamId(3),
			track: Some(track),
			payer: payer.map(|account| AccountId([account; 32])),
		}
	}

	#[test]
	fn newest_of_a_peer_takes_the_place_of_its_ghost_though_all_seats_are_taken() {
		let mut seats = Seats::new(2, 1);
		let (first, replaced) = seats.enter(claim(1, 0, Some(1)), "first").unwrap();
		assert_eq!(replaced, None);
		let (_, replaced) = seats.enter(claim(2, 0, Some(2)), "other").unwrap();
		assert_eq!(replaced, None);
		assert!(seats.is_full(&claim(3, 0, None)));
		assert!(!seats.is_full(&claim(1, 0, Some(1))));
		let (again, replaced) = seats.enter(claim(1, 0, Some(1)), "again").unwrap();
		assert_eq!(replaced, Some("first"));
		// The ghost finds out later that it is over.
		seats.leave(first);
		assert_eq!(seats.taken.len(), 2);
		seats.leave(again);
		assert!(seats.enter(claim(3, 0, Some(3)), "third").is_ok());
		assert_eq!(
			seats.enter(claim(4, 0, Some(4)), "fourth").unwrap_err(),
			EndReason::Full
		);
	}

	/// The attack: one account takes all seats, under as many peer keys as it likes.
	#[test]
	fn account_has_so_many_seats_and_others_have_theirs() {
		let mut seats = Seats::new(100, 3);
		for peer in 0..3 {
			assert!(seats.enter(claim(peer, 0, Some(7)), ()).is_ok());
		}
		assert_eq!(
			seats.enter(claim(9, 0, Some(7)), ()).unwrap_err(),
			EndReason::SeatsTaken
		);
		assert_eq!(
			seats.enter(claim(1, 1, Some(7)), ()).unwrap_err(),
			EndReason::SeatsTaken,
			"another track is another seat"
		);
		assert!(seats.enter(claim(1, 0, Some(7)), ()).is_ok(), "the same again");
		assert!(seats.enter(claim(9, 0, Some(8)), ()).is_ok());
		for peer in 10..20 {
			assert!(seats.enter(claim(peer, 0, None), ()).is_ok(), "guests have no account");
		}
	}
}
