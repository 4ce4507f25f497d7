//! Whatever a viewer sends, in whatever pieces: a relayer's session ends in a typed error, never a panic, nobody is
//! served beyond credit, and no receipt is for more than went out.
//!
//! The input may subscribe as a payer or a guest does, fetch, cancel, answer receipts, and says how far chunks are written and
//! when they are there: so that it is also read where windows go out, and in the middle of one.

#![no_main]

#[path = "../../protocol/src/fixture.rs"]
mod fixture;

use clustercast_primitives::{status::State, Hash, Voucher};
use clustercast_protocol::{
	relayer::{Event, Outgoing, RelayerSession, SendingId},
	wire::{AnswerDecoder, Start, Subscribe, ToRelayer, ToViewer},
	EncodedWindow, Fetch, Follow, PaymentMode, Range, Terms,
};
use libfuzzer_sys::{
	arbitrary::{Arbitrary, Result, Unstructured},
	fuzz_target,
};
use std::{collections::VecDeque, slice::Iter, sync::LazyLock};

/// Window, first chunk and count, of which only a few are there.
#[derive(Clone, Copy, Debug)]
struct Picked(u8, u8, u8);

impl<'a> Arbitrary<'a> for Picked {
	fn arbitrary(input: &mut Unstructured<'a>) -> Result<Self> {
		Ok(Self(
			u8::arbitrary(input)?,
			u8::arbitrary(input)? % 8,
			u8::arbitrary(input)? % 8,
		))
	}
}

impl Picked {
	fn range(self) -> Range {
		Range {
			first: self.1.into(),
			count: self.2.into(),
			..WINDOWS[usize::from(self.0) % WINDOWS.len()].range()
		}
	}
}

/// What the input is, one by one.
#[derive(Debug)]
enum Step {
	/// Any bytes.
	Bytes(Vec<u8>),
	/// A subscription that is good; of a payer or a guest, to windows or announcements.
	Subscribe(bool, bool),
	/// The same with a byte that is another one.
	Bent(u16, u8),
	/// What answers the oldest receipt, with nothing but its commitment right.
	Pay,
	/// The viewer wants these.
	Fetch(Picked),
	/// It does not.
	Cancel(Picked),
	/// It does not want what is being written.
	Stop,
	/// It wants windows, or announcements.
	Follow(bool),
	/// It wants no more.
	Leave,
	/// So many bytes of chunks are written; of none, all that there are.
	Write(u16),
	/// What is being written is of no use any more.
	Late,
	/// The oldest chunks that were written are there.
	Arrived,
	/// The next window is passed over.
	Pass,
	/// The terms again, by voucher or by ticket.
	Restate(bool),
	/// The relayer has a status.
	Status(u8),
	/// A receipt for what has none.
	Settle,
	/// A lower price.
	Lower(u32),
}

impl<'a> Arbitrary<'a> for Step {
	fn arbitrary(input: &mut Unstructured<'a>) -> Result<Self> {
		Ok(match u8::arbitrary(input)? % 24 {
			0 => Self::Bytes(Vec::arbitrary(input)?),
			1 => Self::Subscribe(bool::arbitrary(input)?, bool::arbitrary(input)?),
			2 => Self::Bent(u16::arbitrary(input)?, u8::arbitrary(input)?),
			3 => Self::Restate(bool::arbitrary(input)?),
			4 => Self::Status(u8::arbitrary(input)?),
			5 => Self::Settle,
			6 => Self::Lower(u32::arbitrary(input)?),
			7 => Self::Leave,
			8 | 9 => Self::Fetch(Picked::arbitrary(input)?),
			10 => Self::Cancel(Picked::arbitrary(input)?),
			11 => Self::Stop,
			12 => Self::Follow(bool::arbitrary(input)?),
			13 => Self::Late,
			14 => Self::Pass,
			15..18 => Self::Write(u16::arbitrary(input)?),
			18..21 => Self::Arrived,
			_ => Self::Pay,
		})
	}
}

/// Of four windows and of two.
const CREDIT: u32 = 280_000;
const INTERVAL: u32 = 140_000;

/// A little more than a ticket's unit each.
static WINDOWS: LazyLock<Vec<EncodedWindow>> = LazyLock::new(|| {
	let mut broadcast = fixture::Broadcast::default();
	(0..12).map(|i| broadcast.segment(&fixture::media(70_000, i))).collect()
});

fn follow(announcements: bool) -> Follow {
	match announcements {
		true => Follow::Announcements,
		false => Follow::Windows,
	}
}

fn subscribe(pays: bool, announcements: bool) -> Vec<u8> {
	let subscribe = ToRelayer::Subscribe(Subscribe {
		genesis: fixture::GENESIS,
		stream: fixture::STREAM,
		tracks: fixture::subscription().tracks,
		start: Start::Live,
		follow: follow(announcements),
		payer: pays.then(fixture::payer),
	});
	subscribe.to_frame().to_vec()
}

fn mode(by_voucher: bool) -> PaymentMode {
	match by_voucher {
		true => PaymentMode::Vouchers { newest: None },
		false => fixture::terms().mode,
	}
}

/// A voucher that says nothing: the session leaves it to the book to judge it.
fn pay(commitment: Hash) -> Vec<u8> {
	let voucher = Voucher {
		sender: fixture::SENDER,
		session: fixture::session_key().public(),
		recipient: fixture::RECIPIENT,
		stream: fixture::STREAM,
		kind: Default::default(),
		context: Hash([0; 32]),
		terms: 0,
		amount: 0,
		bytes: 0,
		expiry: 0,
	};
	let signed = fixture::session_key().sign(voucher, &fixture::GENESIS);
	ToRelayer::Voucher(commitment, signed).to_frame().to_vec()
}

/// A session and what drives it.
struct Driver {
	session: RelayerSession,
	/// Not delivered yet.
	left: Iter<'static, EncodedWindow>,
	/// To be answered.
	fetches: VecDeque<Fetch>,
	writing: Option<Outgoing>,
	/// Written, and not there.
	under_way: VecDeque<SendingId>,
	/// Bytes of chunks that went out.
	sent: u64,
	/// Of which there are receipts.
	billed: u64,
}

impl Driver {
	fn on_event(&mut self, event: Event) {
		let session = &mut self.session;
		match event {
			Event::Subscribed(subscribe) => {
				let terms = Terms {
					mode: mode(subscribe.payer.as_ref().is_some_and(|payer| payer.vouchers)),
					credit: CREDIT,
					interval: INTERVAL,
					..fixture::terms()
				};
				let served = match subscribe.payer {
					// Whoever is let in to pay signed for this relayer and this connection.
					Some(payer) => {
						assert_eq!(payer.subscription, fixture::payer().subscription);
						session.accept(terms, fixture::signer())
					},
					None => session.accept_free(),
				};
				assert!(served.is_ok() || subscribe.tracks.len() != 1);
			},
			Event::Ticket(ticket) => session.paid(ticket.message.commitment).expect("it was owed"),
			Event::Voucher { commitment, .. } => session.paid(commitment).expect("it was owed"),
			Event::Reserve(reservation) => session.reserved(reservation.message.counter),
			Event::Fetch(fetch) => self.fetches.push_back(fetch),
			Event::Cancel(range) => {
				let own = self.writing.as_mut().filter(|outgoing| outgoing.range() == range);
				own.into_iter().for_each(Outgoing::cut);
			},
		}
	}

	/// What a driver does whenever something has happened.
	fn drive(&mut self) {
		while let Some(event) = self.session.poll_event() {
			self.on_event(event);
		}
		self.transmit();
		self.fetches.retain(|fetch| {
			let window = WINDOWS.iter().find(|window| window.hash() == fetch.range.header);
			let window = window.filter(|window| self.session.has_new(window, &fetch.range));
			match window {
				// It waits for credit.
				Some(window) => self.session.send(window, fetch).is_err(),
				None => {
					self.session.lacks(&fetch.range);
					false
				},
			}
		});
		while self.session.wants().is_some() {
			let Some(window) = self.left.as_slice().first() else {
				break;
			};
			if self.session.deliver(window).is_err() {
				self.session.settle();
				break;
			}
			self.left.next();
			assert!(self.session.owed() <= CREDIT.into());
			self.transmit();
		}
		self.transmit();
	}

	fn transmit(&mut self) {
		while let Some(frame) = self.session.poll_transmit() {
			let said = AnswerDecoder::default().poll(&mut &frame[..]);
			if let ToViewer::Receipt(receipt, _) = said.expect("it is well-formed").expect("it is whole") {
				self.billed += receipt.message.bytes;
				assert!(self.billed <= self.sent, "a receipt for what did not go out");
			}
		}
	}

	fn write(&mut self, most: usize) {
		if self.writing.is_none() {
			self.writing = self.session.poll_sending();
		}
		let Some(outgoing) = &mut self.writing else {
			return;
		};
		let rest = outgoing.rest().concat().len();
		outgoing.advance(rest.min(most));
		self.over();
	}

	/// Perhaps all is written of what was begun.
	fn over(&mut self) {
		if let Some(outgoing) = self.writing.take_if(|outgoing| outgoing.is_over()) {
			let Range { header, first, count } = outgoing.range();
			let chunks = outgoing.chunks();
			assert!(chunks <= count, "more than was to be sent");
			let window = WINDOWS.iter().find(|window| window.hash() == header);
			let data = window.expect("it is one of ours").chunks(first, chunks);
			self.sent += data.map_or(0, |data| data.len() as u64);
			self.session.sent(outgoing.id(), chunks);
			self.under_way.push_back(outgoing.id());
		}
	}
}

fuzz_target!(|steps: Vec<Step>| {
	let mut driver = Driver {
		session: RelayerSession::new(fixture::GENESIS, fixture::CHALLENGE, vec![fixture::binding()]),
		left: WINDOWS.iter(),
		fetches: VecDeque::new(),
		writing: None,
		under_way: VecDeque::new(),
		sent: 0,
		billed: 0,
	};
	for step in steps {
		let session = &mut driver.session;
		let bytes = match step {
			Step::Bytes(bytes) => bytes,
			Step::Subscribe(pays, announcements) => subscribe(pays, announcements),
			Step::Bent(at, byte) => {
				let mut frame = subscribe(true, false);
				let at = usize::from(at) % frame.len();
				frame[at] = byte;
				frame
			},
			Step::Pay => session.unpaid().first().copied().map(pay).unwrap_or_default(),
			Step::Fetch(picked) => {
				let range = picked.range();
				ToRelayer::Fetch(Fetch {
					range,
					within_ms: 1_000,
				})
				.to_frame()
				.to_vec()
			},
			Step::Cancel(picked) => ToRelayer::Cancel(picked.range()).to_frame().to_vec(),
			Step::Stop => {
				let writing = driver
					.writing
					.as_ref()
					.map(|outgoing| ToRelayer::Cancel(outgoing.range()));
				writing.map(|cancel| cancel.to_frame().to_vec()).unwrap_or_default()
			},
			Step::Follow(announcements) => ToRelayer::Follow(follow(announcements)).to_frame().to_vec(),
			Step::Leave => ToRelayer::Leave.to_frame().to_vec(),
			Step::Write(most) => {
				driver.write(if most == 0 { usize::MAX } else { most.into() });
				Vec::new()
			},
			Step::Late => {
				driver.writing.iter_mut().for_each(Outgoing::cut);
				driver.over();
				Vec::new()
			},
			Step::Arrived => {
				driver
					.under_way
					.pop_front()
					.into_iter()
					.for_each(|id| session.arrived(id));
				Vec::new()
			},
			Step::Pass => {
				let window = driver.left.next().filter(|_| session.wants().is_some());
				window
					.into_iter()
					.for_each(|window| session.pass(window).expect("it is wanted"));
				Vec::new()
			},
			Step::Restate(by_voucher) => {
				let _ = session.restate(mode(by_voucher), 4);
				Vec::new()
			},
			Step::Status(number) => {
				session.status(&fixture::status(number.into(), State::Live));
				Vec::new()
			},
			Step::Settle => {
				session.settle();
				Vec::new()
			},
			Step::Lower(price) => {
				let _ = session.lower(price.into());
				Vec::new()
			},
		};
		let broke = driver.session.handle(&bytes).is_err();
		assert!(!broke || driver.session.is_ended());
		driver.drive();
		driver.over();
		if broke {
			break;
		}
	}
	let _ = driver.session.finish();
});
