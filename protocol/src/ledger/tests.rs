//! Both sides against each other, over a line that delays, with whatever order of cuts, restarts and cheats a seed makes.

use super::*;
use clustercast_primitives::{merkle::leaf_hash, receipt::Deliveries, Hash, StreamId, WindowId};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::{
	collections::{BTreeMap, VecDeque},
	time::Duration,
};

const CHUNK_LOG2: u8 = 12;

/// A seed's line, limits and people.
struct World {
	rng: ChaCha8Rng,
	limits: Limits,
	creditor: Creditor,
	debtor: Debtor,
	now: Duration,
	/// Bodies that are left to deliver, the rest of each.
	left: VecDeque<Piece>,
	/// On the way down: pieces with what was sent of them, in chunks.
	flying: BTreeMap<u64, Flying>,
	/// Receipts on the way down, and payments and cuts on the way up, with the time of arrival.
	down: VecDeque<(Duration, Down)>,
	up: VecDeque<(Duration, Up)>,
	next: u64,
	commitments: u8,
	verified: u64,
	paid: u64,
	/// Was cut off before it came.
	refused: u64,
	/// How often a receiver changes its mind.
	cuts: f64,
	cheats: bool,
}

struct Flying {
	piece: Piece,
	sent: u32,
	verified: u32,
	reset: bool,
}

enum Down {
	Receipt(Hash, u64, Deliveries),
}

enum Up {
	Paid(Hash, u64),
	/// No more of it, please.
	Cut(u64),
	Named(u64, u32),
	Ask,
}

fn leaves(body: &Body) -> Vec<Hash> {
	(0..body.chunks())
		.map(|n| leaf_hash(&[body.header.0.as_slice(), &n.to_le_bytes()].concat()))
		.collect()
}

fn body(number: u64, bytes: u32) -> Body {
	let mut header = [0; 32];
	header[..8].copy_from_slice(&number.to_le_bytes());
	Body {
		window: WindowId {
			stream: StreamId(1),
			track: 0,
			epoch: 1,
			segment: number,
			part: 0,
		},
		header: Hash(header),
		bytes,
		chunk_log2: CHUNK_LOG2,
	}
}

impl World {
	fn new(seed: u64) -> Self {
		let mut rng = ChaCha8Rng::seed_from_u64(seed);
		let chunk = 1 << CHUNK_LOG2;
		let limits = Limits {
			credit: rng.gen_range(chunk..40 * chunk),
			interval: rng.gen_range(1..30 * chunk),
			forgiven: rng.gen_range(0..20 * chunk),
			forgets: Duration::from_secs(60),
		};
		let bodies = rng.gen_range(1..12);
		let left = (0..bodies).map(|n| body(n, rng.gen_range(1..20 << CHUNK_LOG2)).whole());
		let left = left.collect();
		Self {
			limits,
			creditor: Creditor::new(limits),
			debtor: Debtor::default(),
			now: Duration::ZERO,
			left,
			flying: BTreeMap::new(),
			down: VecDeque::new(),
			up: VecDeque::new(),
			next: 0,
			commitments: 0,
			verified: 0,
			paid: 0,
			refused: 0,
			cuts: rng.gen_range(0.0..0.2),
			cheats: false,
			rng,
		}
	}

	/// A moment later; whether everything is delivered and paid.
	fn step(&mut self) -> bool {
		self.now += Duration::from_millis(self.rng.gen_range(1..50));
		self.send();
		self.fly();
		self.receive();
		self.hear();
		self.left.is_empty() && self.flying.is_empty() && self.creditor.owed() == 0 && self.down.is_empty()
	}

	/// Begins what there is room for.
	fn send(&mut self) {
		while self.rng.gen_bool(0.7) {
			let Some(piece) = self.left.pop_front() else { break };
			match self.creditor.begin(self.next, piece) {
				Ok(begun) => {
					assert!(begun.bytes() <= piece.bytes() && begun.count > 0);
					if let Some(rest) = piece.body.piece(begun.end(), piece.end() - begun.end()) {
						self.left.push_front(rest);
					}
					self.debtor.begin(self.next, begun);
					let flying = Flying {
						piece: begun,
						sent: 0,
						verified: 0,
						reset: false,
					};
					self.flying.insert(self.next, flying);
					self.next += 1;
				},
				Err(NoRoom) => {
					self.left.push_front(piece);
					break;
				},
			}
			assert!(self.creditor.owed() <= self.limits.credit);
		}
		while let Some(pieces) = self.creditor.bill() {
			let bytes = pieces.iter().map(Piece::bytes).sum();
			self.commitments = self.commitments.wrapping_add(1);
			let commitment = Hash([self.commitments; 32]);
			let mut deliveries = Deliveries::new();
			for piece in &pieces {
				deliveries.force_push(piece.delivery(&leaves(&piece.body)).unwrap());
			}
			self.creditor.billed(&pieces, commitment);
			let receipt = Down::Receipt(commitment, bytes, deliveries);
			let at = self.now + self.delay();
			self.down.push_back((at, receipt));
		}
	}

	fn delay(&mut self) -> Duration {
		Duration::from_millis(self.rng.gen_range(0..200))
	}

	/// Chunks go and come, and receivers change their minds.
	fn fly(&mut self) {
		let numbers: Vec<u64> = self.flying.keys().copied().collect();
		for number in numbers {
			let flying = self.flying.get_mut(&number).unwrap();
			if flying.reset {
				// The reset overtakes what is on its way.
				let flying = self.flying.remove(&number).unwrap();
				self.debtor.end(number, flying.verified, &leaves(&flying.piece.body));
				let kept = flying.piece.prefix(flying.verified).map_or(0, |kept| kept.bytes());
				self.verified += kept;
				self.refused += flying.piece.bytes() - kept;
				let at = self.now + self.delay();
				self.up.push_back((at, Up::Named(number, flying.verified)));
				continue;
			}
			if self.rng.gen_bool(self.cuts) {
				let at = self.now + self.delay();
				self.up.push_back((at, Up::Cut(number)));
			}
			let flying = self.flying.get_mut(&number).unwrap();
			let sent = self.rng.gen_range(flying.sent..=flying.piece.count);
			if sent == flying.piece.count && flying.sent < sent {
				self.creditor.finish(number);
			}
			flying.sent = sent;
			flying.verified = self.rng.gen_range(flying.verified..=sent);
			if flying.verified == flying.piece.count {
				self.debtor.end(number, flying.verified, &leaves(&flying.piece.body));
				self.verified += flying.piece.bytes();
				self.flying.remove(&number);
			}
		}
	}

	fn receive(&mut self) {
		while self.down.front().is_some_and(|(at, _)| *at <= self.now) {
			let Some((_, Down::Receipt(commitment, bytes, deliveries))) = self.down.pop_front() else {
				break;
			};
			self.debtor.receipt(commitment, bytes, deliveries).unwrap();
		}
		while let Some(bill) = self.debtor.poll().unwrap() {
			if !self.cheats {
				let at = self.now + self.delay();
				self.up.push_back((at, Up::Paid(bill.commitment, bill.bytes)));
			}
		}
		if self.left.is_empty() && self.flying.is_empty() && self.debtor.unbilled() > 0 && self.rng.gen_bool(0.1) {
			let at = self.now + self.delay();
			self.up.push_back((at, Up::Ask));
		}
	}

	fn hear(&mut self) {
		while self.up.front().is_some_and(|(at, _)| *at <= self.now) {
			match self.up.pop_front() {
				Some((_, Up::Paid(commitment, bytes))) => {
					assert!(self.creditor.paid(&commitment));
					assert!(!self.creditor.paid(&commitment));
					self.paid += bytes;
				},
				Some((_, Up::Ask)) => self.creditor.ask(),
				Some((_, Up::Cut(number))) => {
					if let Some(flying) = self.flying.get_mut(&number) {
						let sent = flying.piece.prefix(flying.sent).map_or(0, |sent| sent.bytes());
						if self.creditor.reset(number, sent, self.now) {
							flying.reset = true;
						}
					}
				},
				Some((_, Up::Named(number, verified))) => assert!(self.creditor.named(number, verified)),
				None => {},
			}
		}
	}
}

#[test]
fn two_honest_sides_always_come_to_an_end_with_everything_paid() {
	for seed in 0..20_000 {
		let mut world = World::new(seed);
		let all: u64 = world.left.iter().map(Piece::bytes).sum();
		let steps = (0..20_000).find(|_| world.step());
		assert!(steps.is_some(), "seed {seed} stands still: {:?}", world.creditor);
		assert_eq!(
			(world.verified, world.paid),
			(all - world.refused, all - world.refused),
			"seed {seed}"
		);
		assert_eq!(world.debtor.unbilled(), 0);
	}
}
