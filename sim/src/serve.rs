//! Serves subscriptions: what `network/src/serve.rs` does for each in a task of its own, step by step.

use crate::{
	bugs::Bug,
	desk::Desk,
	link::{Link, Over},
	net::{ConnId, Input, NodeId},
	node::Io,
};
use clustercast_protocol::{EndReason, Follow, Subscribe};
use std::collections::BTreeMap;

/// Who waits for a verdict takes no seat; so many may, as the door lets them in.
const UNDECIDED: usize = 512;

/// One in so many seats is for those who stand by, whoever else comes.
const STANDBY_SHARE: usize = 8;

/// Where there are so many seats, one at least is for those who stand by.
const ONE_STANDS_BY: usize = 4;

/// All subscriptions of a node, and what they share.
#[derive(Debug)]
pub struct Shop {
	/// What they share.
	pub desk: Desk,
	links: BTreeMap<ConnId, Box<Link>>,
}

impl Shop {
	/// Serves nobody yet.
	pub fn new(desk: Desk) -> Self {
		Self {
			desk,
			links: BTreeMap::new(),
		}
	}

	/// Whether this is one of its subscriptions.
	pub fn has(&self, conn: ConnId) -> bool {
		self.links.contains_key(&conn)
	}

	/// Something new is here.
	pub fn ring(&mut self, io: &mut Io<'_>) {
		if io.has(Bug::NoBell) {
			return;
		}
		let all: Vec<ConnId> = self.links.keys().copied().collect();
		all.into_iter().for_each(|conn| self.pump(conn, io));
	}

	/// Of one of its subscriptions.
	pub fn on(&mut self, input: Input, io: &mut Io<'_>) {
		match input {
			Input::Called(conn, peer) => self.called(conn, peer, io),
			Input::Gone(conn) => {
				if !io.has(Bug::KeepSeats) {
					self.over(conn, io);
				}
			},
			Input::Frame(conn, frame) => {
				let Some(link) = self.links.get_mut(&conn) else { return };
				let heard = match link.hear(&frame, &mut self.desk, io) {
					Ok(Some(request)) => self.subscribe(conn, &request, io),
					Ok(None) => Ok(()),
					Err(over) => Err(over),
				};
				match heard {
					Ok(()) => self.pump(conn, io),
					Err(over) => self.part(conn, over, io),
				}
			},
			Input::Arrived(conn, body) => {
				if let Some(link) = self.links.get_mut(&conn) {
					link.arrived(body, io.now());
				}
				self.pump(conn, io);
			},
			Input::Room(conn) | Input::Wake(Some(conn)) => self.pump(conn, io),
			Input::Start | Input::Wake(None) | Input::Opened(_) | Input::Chunk(..) => {},
		}
	}

	/// A block later.
	pub fn at_block(&mut self, io: &mut Io<'_>) {
		self.desk.at_block(io);
		let unpaid = self.links.values().map(|link| link.unpaid()).sum();
		self.desk.check_open(unpaid, io);
		let gone = self.links.keys().filter(|conn| !io.net.has(**conn, io.node)).count();
		io.audit
			.bound(io.node, "subscriptions are kept whose connection is gone", gone, 0);
	}

	fn called(&mut self, conn: ConnId, peer: NodeId, io: &mut Io<'_>) {
		let link = Link::new(conn, peer, &self.desk, io);
		self.links.insert(conn, Box::new(link));
		io.audit.bound(
			io.node,
			"subscriptions are kept",
			self.links.len(),
			self.desk.offer.seats + UNDECIDED,
		);
		self.pump(conn, io);
	}

	/// A peer that is served again takes the place of its own older subscription.
	fn subscribe(&mut self, conn: ConnId, request: &Subscribe, io: &mut Io<'_>) -> Result<(), Over> {
		let Some(peer) = self.links.get(&conn).map(|link| link.peer()) else {
			return Ok(());
		};
		let served = |link: &Link| link.is_served() && link.peer() != peer;
		let taken = self.links.values().filter(|link| served(link)).count();
		let instead = match taken < self.desk.offer.seats {
			true => None,
			false => Some(self.standby(request).ok_or(Over::Told(EndReason::Full))?),
		};
		let grant = self.desk.subscribe(request, io).map_err(Over::Told)?;
		let older = self
			.links
			.iter()
			.filter(|(_, link)| link.is_served() && link.peer() == peer);
		let older: Vec<ConnId> = older.map(|(id, _)| *id).collect();
		if let Some(other) = instead {
			self.part(other, Over::Told(EndReason::Idle), io);
		}
		older
			.into_iter()
			.for_each(|id| self.part(id, Over::Told(EndReason::Replaced), io));
		match self.links.get_mut(&conn) {
			Some(link) => link.accept(grant, &self.desk, io),
			None => Ok(()),
		}
	}

	/// The newest of those who stand by, where these have more than their part, for somebody who does not: the third rule of
	/// `network/src/door/seats.rs`, as if all had bought as much.
	fn standby(&self, request: &Subscribe) -> Option<ConnId> {
		let stands_by = |link: &Link| link.is_served() && link.follows() == Follow::Announcements;
		let standbys = || self.links.iter().filter(|(_, link)| stands_by(link));
		let seats = self.desk.offer.seats;
		let part = (seats / STANDBY_SHARE).max(usize::from(seats >= ONE_STANDS_BY));
		let too_many = request.follow == Follow::Windows && standbys().count() > part;
		let newest = standbys().max_by_key(|(_, link)| link.number());
		newest.filter(|_| too_many).map(|(conn, _)| *conn)
	}

	fn pump(&mut self, conn: ConnId, io: &mut Io<'_>) {
		let Some(link) = self.links.get_mut(&conn) else { return };
		if let Some(until) = link.parting(io) {
			if io.now() >= until {
				io.close(conn);
				self.over(conn, io);
			}
			return;
		}
		match link.attend(&mut self.desk, io) {
			Ok(()) => link.arm(io),
			Err(over) => self.part(conn, over, io),
		}
	}

	/// Says the last word and waits a moment.
	fn part(&mut self, conn: ConnId, over: Over, io: &mut Io<'_>) {
		let Some(link) = self.links.get_mut(&conn) else { return };
		match over {
			Over::Silent => {
				io.close(conn);
				self.over(conn, io);
			},
			Over::Told(reason) => link.part(reason, io),
		}
	}

	fn over(&mut self, conn: ConnId, io: &mut Io<'_>) {
		if let Some(link) = self.links.remove(&conn) {
			link.close(&mut self.desk, io);
		}
	}
}
