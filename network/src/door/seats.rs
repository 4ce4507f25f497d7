//! Who is served. A peer that subscribes to the same track again takes the place of its own older subscription, so nobody whose
//! line changed is refused by its own ghost; one account has so many seats at most, wherever it comes from. Nobody else counts seats,
//! neither those of the server nor those of a stream.
//!
//! A seat that is to be paid for is earned by what is paid in it ([`Keep`]), and what is not is held against the account
//! ([`Payers`]). Where all are taken, of the server or of a stream, a newcomer has the seat of somebody who does not earn it. In this order:
//!
//! 1. Who paid for too little for too long, of those who did for longest.
//! 2. Of those in whose seats nothing was paid yet, the newest of the account that has most of these, if these are more than the
//!    newcomer would have. An account that bought something lately has such a place also where these are equal, while they have more
//!    than their [allowance](ALLOWANCE).
//! 3. Of those who stand by, beyond their [eighth](STANDBY_SHARE), who bought least of what there was lately, for somebody who does not
//!    stand by; while those in whose seats nothing was paid yet have less than their allowance.
//!
//! An account that had seats for nothing lately has none of these. Who waits for its reservation makes room for nobody, nor who has
//! bought and waits for what we do not have yet, for as long as a relayer that works may be behind.
//!
//! Beside seats there are copies: where it is known what the uplink carries ([`Freight`]), so many follow windows as it carries, of all
//! streams together; who stands by needs none. Where there is none left for a newcomer, one of those who follow windows makes room by the
//! same rules, and further:
//!
//! 4. The newest that does not pass windows on, for somebody who does: others have from it what it takes.
//! 5. For who stood by, has paid, and turns to us since another one failed: the newest one that has had its copy for a while
//!    ([`SETTLED`], also where it stood by for less in between). It has windows in hand and somebody who stands by, and whoever turns to us has neither.
//!
//! These are told [`EndReason::Full`], and who else may have room.

use super::{
	keep::{Keep, LEAST, PROVEN_WITHIN},
	payers::Payers,
};
use clustercast_primitives::{AccountId, PublicKey, StreamId, TrackId};
use clustercast_protocol::{EndReason, Follow, Subscribe};
use std::{
	cmp::Reverse,
	collections::{BTreeMap, HashMap},
	time::Duration,
};
use tokio::time::Instant;

/// One in so many seats is for those who stand by, whoever else comes. With a quarter, relayers that have room for 1.3 times the viewers
/// have none for some of them.
const STANDBY_SHARE: usize = 8;

/// Where there are so many seats, one at least is for those who stand by.
const ONE_STANDS_BY: usize = 4;

/// Who buys a smaller part of what there is stands by, whatever it says; parts of a million.
const STANDS_BY_BELOW: u32 = 250_000;

/// One in so many seats is for those who have paid nothing yet: so many of them make no room for accounts that are known, and drive out
/// those who stand by.
const ALLOWANCE: usize = 8;

/// Who has had its copy for less makes room for no other viewer: else the same one is sent from one relayer to the next.
const SETTLED: Duration = Duration::from_secs(10);

/// What windows that are sent by themselves take of the uplink, bytes/s.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Freight {
	/// A copy of this stream.
	pub takes: u64,
	/// All that the uplink carries.
	pub carries: u64,
}

/// What whoever decides says of a newcomer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Case {
	/// Its seat is to be paid for.
	pub pays: bool,
	/// Seats of its stream.
	pub places: usize,
	/// `None` where it is not known what the uplink carries.
	pub freight: Option<Freight>,
	/// It passes windows on.
	pub resells: bool,
}

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

	/// The account that pays.
	pub fn payer(&self) -> Option<AccountId> {
		self.payer
	}

	/// Whether this is the same again.
	fn replaces(&self, other: &Self) -> bool {
		(self.peer, self.stream, self.track) == (other.peer, other.stream, other.track)
	}
}

#[derive(Debug)]
struct Seat<T> {
	claim: Claim,
	/// It passes windows on.
	resells: bool,
	/// What a copy of its stream takes, bytes/s.
	takes: u64,
	/// Since when it follows what it follows.
	since: Instant,
	/// Since when it has its copy: it still has it, where it stood by for less than [`SETTLED`] in between.
	copied: Instant,
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

/// What is known of the account of a newcomer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rank {
	/// It bought something lately.
	Known,
	/// Nothing.
	New,
	/// It had seats for nothing; until then.
	Idle(Duration),
}

/// Whose seat a newcomer has.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Room {
	/// Its own of before.
	Own(u64),
	/// Of these, who have not earned it; mostly nobody's, or one.
	Instead(Vec<u64>),
}

/// Seats of which all are taken.
struct Taken<'a, T> {
	seats: Vec<(u64, &'a Seat<T>)>,
	most: usize,
}

/// Who had to leave, and what it is told.
pub type Left<T> = Vec<(T, EndReason)>;

/// See the module. Holds a `T` for each.
#[derive(Debug)]
pub struct Seats<T> {
	most: usize,
	per_payer: usize,
	/// How long a seat may be kept for nothing.
	within: Duration,
	next: u64,
	taken: BTreeMap<u64, Seat<T>>,
	payers: Payers,
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
			payers: Payers::default(),
		}
	}

	/// Whether there is none left for this claim, whoever makes it: known before it is looked up. Says nothing of any account.
	pub fn is_full(&self, claim: &Claim, now: Instant) -> bool {
		self.room(claim, Rank::Known, usize::MAX, now).is_err()
	}

	/// Takes a seat for a claim that was judged good: its number, and whose places it takes, who are told this.
	pub fn enter(&mut self, claim: Claim, case: Case, now: Instant, holding: T) -> Result<(u64, Left<T>), EndReason> {
		let rank = self.rank(&claim, now);
		let room = self.room(&claim, rank, case.places, now)?;
		if claim.payer.is_some() {
			let others = self.taken.values().filter(|other| !claim.replaces(&other.claim));
			if others.filter(|other| other.claim.payer == claim.payer).count() >= self.per_payer {
				return Err(EndReason::SeatsTaken);
			}
		}
		let takes = case.freight.map_or(0, |freight| freight.takes);
		self.measured(&claim, takes);
		let gone: &[u64] = match &room {
			Room::Own(_) => &[],
			Room::Instead(ids) => ids,
		};
		let copies = self.copies(&claim, &case, rank, gone, now)?;
		let mut keep = case.pays.then(Keep::default);
		if let (Some(keep), Some(account)) = (&mut keep, &claim.payer) {
			keep.lacked_before(self.payers.lacked(account, now));
		}
		let mut left: Left<T> = match room {
			Room::Own(id) => {
				let older = self.taken.get_mut(&id).filter(|older| older.claim.payer == claim.payer);
				// Whoever comes again and again has not earned more by it.
				if let Some(earned) = older.and_then(|older| older.keep.take()) {
					keep = keep.map(|_| earned.again());
				}
				let left = self.take(id, now);
				left.map(|holding| (holding, EndReason::Replaced)).into_iter().collect()
			},
			Room::Instead(ids) => {
				let left = ids.into_iter().filter_map(|id| self.take(id, now));
				left.map(|holding| (holding, EndReason::Idle)).collect()
			},
		};
		left.extend(self.take_all(copies, now));
		let id = self.next;
		self.next += 1;
		let seat = Seat {
			claim,
			resells: case.resells,
			takes,
			since: now,
			copied: now,
			keep,
			holding,
		};
		self.taken.insert(id, seat);
		Ok((id, left))
	}

	/// One is free again; nothing where another one has it.
	pub fn leave(&mut self, id: u64, now: Instant) {
		drop(self.take(id, now));
	}

	/// What is sent to it from now on: whose copies it takes, who are told this. An error where the uplink carries no more of them, and it
	/// has to go.
	pub fn follows(
		&mut self,
		id: u64,
		follow: Follow,
		freight: Option<Freight>,
		now: Instant,
	) -> Result<Left<T>, EndReason> {
		let Some(seat) = self.taken.get(&id).filter(|seat| seat.claim.follow != follow) else {
			return Ok(Vec::new());
		};
		let claim = Claim { follow, ..seat.claim };
		let paid = seat.keep.as_ref().is_none_or(Keep::is_proven);
		// Whoever comes as a standby, buys a piece and turns to us at once has stood by for nobody.
		let stood_by = paid && now >= seat.since + SETTLED;
		let case = Case {
			pays: seat.keep.is_some(),
			places: usize::MAX,
			freight,
			resells: seat.resells,
		};
		let takes = freight.map_or(0, |freight| freight.takes);
		self.measured(&claim, takes);
		// Other seats of its account are not held against who pays in this one.
		let rank = if paid { Rank::Known } else { self.rank(&claim, now) };
		let copies = self.copies(&claim, &case, rank, &[], now);
		let copies = match copies {
			Err(EndReason::Full) if stood_by => self.settled(&claim, freight, now)?,
			copies => copies?,
		};
		let left = self.take_all(copies, now);
		if let Some(seat) = self.taken.get_mut(&id) {
			if follow == Follow::Windows && now >= seat.since + SETTLED {
				seat.copied = now;
			}
			(seat.claim, seat.since, seat.takes) = (claim, now, takes);
		}
		Ok(left)
	}

	/// So much a copy of this stream takes by now.
	fn measured(&mut self, claim: &Claim, takes: u64) {
		let seats = self.taken.values_mut();
		seats
			.filter(|seat| seat.claim.stream == claim.stream)
			.for_each(|seat| seat.takes = takes);
	}

	/// Who follows windows beside this one, but for these.
	fn followers<'a>(&'a self, claim: &'a Claim, without: &'a [u64]) -> impl Iterator<Item = (u64, &'a Seat<T>)> + 'a {
		let seats = self
			.taken
			.iter()
			.filter(|(_, seat)| seat.claim.follow == Follow::Windows);
		let others = seats.filter(move |(id, seat)| !claim.replaces(&seat.claim) && !without.contains(id));
		others.map(|(id, seat)| (*id, seat))
	}

	/// Whether the uplink carries a copy for this one beside those of all others, these apart. One it always carries.
	fn carries(&self, claim: &Claim, freight: Freight, without: &[u64]) -> bool {
		let (mut others, mut taken) = (0_usize, 0_u64);
		for (_, seat) in self.followers(claim, without) {
			(others, taken) = (others + 1, taken.saturating_add(seat.takes));
		}
		others == 0 || taken.saturating_add(freight.takes) <= freight.carries
	}

	/// Whose copies this one has, where the uplink carries no more, and what they are told; `gone`: they make room already.
	fn copies(
		&self,
		claim: &Claim,
		case: &Case,
		rank: Rank,
		gone: &[u64],
		now: Instant,
	) -> Result<Vec<(u64, EndReason)>, EndReason> {
		let (mut gone, mut left) = (gone.to_vec(), Vec::new());
		let Some(freight) = case.freight.filter(|_| claim.follow == Follow::Windows) else {
			return Ok(left);
		};
		// Whoever made room for what does not fit would do so in vain.
		if freight.takes > freight.carries && self.followers(claim, &gone).next().is_some() {
			return Err(EndReason::Full);
		}
		while !self.carries(claim, freight, &gone) {
			let seats: Vec<_> = self.followers(claim, &gone).collect();
			let most = seats.len();
			let taken = Taken { seats, most };
			let (id, why) = match self.makes_room(&taken, claim, rank, now) {
				Ok(id) => (id, EndReason::Idle),
				Err(EndReason::Full) if case.resells && self.may_displace(rank, &taken) => {
					let viewers = taken.seats.iter().filter(|(_, seat)| !seat.resells);
					let newest = viewers.max_by_key(|(id, seat)| (seat.since, *id));
					(newest.ok_or(EndReason::Full)?.0, EndReason::Full)
				},
				Err(reason) => return Err(reason),
			};
			gone.push(id);
			left.push((id, why));
		}
		Ok(left)
	}

	/// Whether somebody who passes windows on has a viewer's copy: who has bought, or as long as others of its kind have less than half.
	fn may_displace(&self, rank: Rank, taken: &Taken<T>) -> bool {
		let resellers = taken.seats.iter().filter(|(_, seat)| seat.resells).count();
		matches!(rank, Rank::Known) || 2 * resellers < taken.seats.len()
	}

	/// The newest of those who have had their copies for a while, for who stood by.
	fn settled(
		&self,
		claim: &Claim,
		freight: Option<Freight>,
		now: Instant,
	) -> Result<Vec<(u64, EndReason)>, EndReason> {
		let viewers = self.followers(claim, &[]).filter(|(_, seat)| !seat.resells);
		let settled = viewers.filter(|(_, seat)| now >= seat.copied + SETTLED);
		let newest = settled.max_by_key(|(id, seat)| (seat.copied, *id));
		let (id, _) = newest.ok_or(EndReason::Full)?;
		match freight.is_none_or(|freight| self.carries(claim, freight, &[id])) {
			true => Ok(vec![(id, EndReason::Full)]),
			false => Err(EndReason::Full),
		}
	}

	/// Ends these seats.
	fn take_all(&mut self, ids: Vec<(u64, EndReason)>, now: Instant) -> Left<T> {
		let left = ids.into_iter();
		let take = |(id, why)| match why {
			EndReason::Full => Some((self.displace(id)?, EndReason::Full)),
			why => Some((self.take(id, now)?, why)),
		};
		left.filter_map(take).collect()
	}

	/// Where it is to be paid for: what there is to buy in it, or that it waits.
	pub fn keep(&mut self, id: u64, change: impl FnOnce(&mut Keep)) {
		if let Some(keep) = self.taken.get_mut(&id).and_then(|seat| seat.keep.as_mut()) {
			change(keep);
		}
	}

	/// So many bytes were delivered to this account in this seat, and are paid; `proves` where money was. The seat may be another's by now.
	pub fn paid(&mut self, id: u64, account: AccountId, bytes: u64, proves: bool, now: Instant) {
		self.payers.bought(account, bytes, now);
		self.keep(id, |keep| {
			keep.paid(bytes, now);
			if proves {
				keep.proves();
			}
		});
	}

	/// Whether it counts as somebody's who buys: nothing has to be paid, or something was paid in it, and not too long ago.
	pub fn counts(&self, id: u64) -> bool {
		let keep = self.taken.get(&id).map(|seat| seat.keep.as_ref());
		keep.is_some_and(|keep| keep.is_none_or(|keep| keep.is_proven() && !self.has_lapsed(keep, Duration::ZERO)))
	}

	/// Whether a payment is to be asked for now, for what it has: it has paid nothing yet, or a third of its time is over.
	pub fn is_due(&self, id: u64) -> bool {
		let keep = self.taken.get(&id).and_then(|seat| seat.keep.as_ref());
		keep.is_some_and(|keep| !keep.is_proven() || keep.idle() >= self.within / 3)
	}

	/// Ends a seat for somebody else's sake: nothing is held against its account.
	fn displace(&mut self, id: u64) -> Option<T> {
		Some(self.taken.remove(&id)?.holding)
	}

	/// Ends a seat; what was not paid in it is held against its account.
	fn take(&mut self, id: u64, now: Instant) -> Option<T> {
		let seat = self.taken.remove(&id)?;
		if let Some((account, keep)) = seat.pays() {
			self.payers.waited(account, keep.lacked(), now);
			if !keep.is_proven() || self.has_lapsed(keep, Duration::ZERO) {
				self.payers
					.idled(account, keep.idle().min(self.within), 2 * self.within, now);
			}
		}
		Some(seat.holding)
	}

	fn has_lapsed(&self, keep: &Keep, before: Duration) -> bool {
		keep.has_lapsed(before, self.within)
	}

	fn rank(&self, claim: &Claim, now: Instant) -> Rank {
		let Some(account) = &claim.payer else {
			return Rank::New;
		};
		let time = self.within * PROVEN_WITHIN.0 / PROVEN_WITHIN.1;
		match self.payers.rests(account, time / 2, now) {
			Some(rest) => Rank::Idle(rest),
			None if self.payers.has_bought(account, now) >= LEAST => Rank::Known,
			None => Rank::New,
		}
	}

	/// An error where all are taken by those who earn them.
	fn room(&self, claim: &Claim, rank: Rank, places: usize, now: Instant) -> Result<Room, EndReason> {
		if let Some((id, _)) = self.taken.iter().find(|(_, seat)| claim.replaces(&seat.claim)) {
			return Ok(Room::Own(*id));
		}
		let mut left = Vec::new();
		loop {
			let stay = self.taken.iter().filter(|(id, _)| !left.contains(*id));
			let stay: Vec<_> = stay.map(|(id, seat)| (*id, seat)).collect();
			let of_the_stream = stay.iter().filter(|(_, seat)| seat.claim.stream == claim.stream);
			let taken = if of_the_stream.clone().count() >= places {
				Taken {
					seats: of_the_stream.copied().collect(),
					most: places,
				}
			} else if stay.len() >= self.most {
				Taken {
					seats: stay,
					most: self.most,
				}
			} else {
				return Ok(Room::Instead(left));
			};
			left.push(self.makes_room(&taken, claim, rank, now)?);
		}
	}

	/// Who of them does.
	fn makes_room(&self, taken: &Taken<T>, claim: &Claim, rank: Rank, now: Instant) -> Result<u64, EndReason> {
		if let Rank::Idle(rest) = rank {
			let seconds = rest.as_secs().saturating_add(1).try_into().unwrap_or(u16::MAX);
			return Err(EndReason::IdleLately(seconds));
		}
		let pay = taken.seats.iter().filter_map(|(id, seat)| Some((*id, seat.pays()?)));
		// Anybody can name a place that nobody has: for that only who has bought keeps its seat.
		let keeps = |account: &AccountId, keep: &Keep| {
			let bought = || keep.is_proven() || self.payers.has_bought(account, now) >= LEAST;
			keep.waits_for_the_chain(now) || keep.waits_for_what_lacks() && bought()
		};
		let pay = pay.filter(|(_, (account, keep))| !keeps(account, keep));
		let pay: Vec<_> = pay.map(|(id, (account, keep))| (id, account, keep)).collect();
		self.lapsed(&pay, now)
			.or_else(|| self.unproven(&pay, taken.most, claim, rank, now))
			.or_else(|| self.standby(&pay, taken, claim, now))
			.ok_or(EndReason::Full)
	}

	/// Who paid for too little for too long, of those who did for longest; of equals the newest.
	fn lapsed(&self, pay: &[(u64, AccountId, &Keep)], now: Instant) -> Option<u64> {
		let idle = pay.iter().map(|(id, account, keep)| {
			let before = self.payers.idle(account, now);
			(*id, *keep, before)
		});
		let lapsed = idle.filter(|(_, keep, before)| self.has_lapsed(keep, *before));
		let longest = lapsed.max_by_key(|(id, keep, before)| match keep.is_proven() {
			true => (keep.idle(), *id),
			false => (keep.idle() + *before, *id),
		});
		longest.map(|(id, ..)| id)
	}

	/// The newest one that has paid nothing yet, of the account that has most of these, of equals of one that is not known.
	fn unproven(
		&self,
		pay: &[(u64, AccountId, &Keep)],
		most: usize,
		claim: &Claim,
		rank: Rank,
		now: Instant,
	) -> Option<u64> {
		let unproven = || pay.iter().filter(|(.., keep)| !keep.is_proven());
		let mut counts = HashMap::<AccountId, usize>::new();
		unproven().for_each(|(_, of, _)| *counts.entry(*of).or_default() += 1);
		let own = claim.payer.and_then(|payer| counts.get(&payer).copied());
		let own = own.unwrap_or_default() + 1;
		let known = |of: &AccountId| self.payers.has_bought(of, now) >= LEAST;
		let (id, of, _) = unproven().max_by_key(|(id, of, _)| (counts[of], !known(of), *id))?;
		let more = counts[of] > own;
		let known_first =
			rank == Rank::Known && counts[of] >= own && !known(of) && unproven().count() > allowance(most);
		(more || known_first).then_some(*id)
	}

	/// Of those who stand by, where these have more than their part, who bought least of what there was; of equals the newest. For
	/// somebody who does not.
	fn standby(&self, pay: &[(u64, AccountId, &Keep)], taken: &Taken<T>, claim: &Claim, now: Instant) -> Option<u64> {
		let unproven = pay.iter().filter(|(.., keep)| !keep.is_proven()).count();
		let follows = |id: &u64| self.taken.get(id).map(|seat| seat.claim.follow);
		let shares = pay.iter().filter(|(.., keep)| keep.is_proven());
		let shares = shares.map(|(id, _, keep)| (keep.share(now), Reverse(*id)));
		let standbys: Vec<_> = shares
			.filter(|(share, Reverse(id))| *share < STANDS_BY_BELOW || follows(id) == Some(Follow::Announcements))
			.collect();
		let too_many = claim.follow == Follow::Windows && standbys.len() > standbys_of(taken.most);
		let least = standbys.into_iter().min();
		least
			.filter(|_| too_many && unproven < allowance(taken.most))
			.map(|(_, Reverse(id))| id)
	}
}

/// So many of these seats are for those who stand by.
fn standbys_of(most: usize) -> usize {
	(most / STANDBY_SHARE).max(usize::from(most >= ONE_STANDS_BY))
}

/// So many of these seats are for those who have paid nothing yet.
fn allowance(most: usize) -> usize {
	most.div_ceil(ALLOWANCE)
}

#[cfg(test)]
mod tests;
