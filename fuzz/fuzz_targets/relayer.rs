//! Whatever a viewer sends, in whatever pieces: a relayer's session ends in a typed error, never a panic, and nobody is
//! served beyond credit.
//!
//! The input may subscribe as a payer or a guest does, and answer receipts: so that it is also read where windows go out.

#![no_main]

#[path = "../../protocol/src/fixture.rs"]
mod fixture;

use clustercast_primitives::{status::State, Hash, Voucher};
use clustercast_protocol::{
	relayer::{Event, RelayerSession},
	wire::{Start, Subscribe, ToRelayer},
	EncodedWindow, PaymentMode, Terms,
};
use libfuzzer_sys::{
	arbitrary::{Arbitrary, Result, Unstructured},
	fuzz_target,
};
use std::sync::LazyLock;

/// What the input is, one by one.
#[derive(Debug)]
enum Step {
	/// Any bytes.
	Bytes(Vec<u8>),
	/// A subscription that is good; of a payer or a guest.
	Subscribe(bool),
	/// The same with a byte that is another one.
	Bent(u16, u8),
	/// What answers the oldest receipt, with nothing but its commitment right.
	Pay,
	/// The terms again, by voucher or by ticket.
	Restate(bool),
	/// The relayer has a status.
	Status(u8),
	/// A receipt for what has none.
	Settle,
	/// A lower price.
	Lower(u32),
	/// The viewer wants no more.
	Leave,
}

impl<'a> Arbitrary<'a> for Step {
	fn arbitrary(input: &mut Unstructured<'a>) -> Result<Self> {
		Ok(match u8::arbitrary(input)? % 9 {
			0 => Self::Bytes(Vec::arbitrary(input)?),
			1 => Self::Subscribe(bool::arbitrary(input)?),
			2 => Self::Bent(u16::arbitrary(input)?, u8::arbitrary(input)?),
			3 => Self::Restate(bool::arbitrary(input)?),
			4 => Self::Status(u8::arbitrary(input)?),
			5 => Self::Settle,
			6 => Self::Lower(u32::arbitrary(input)?),
			7 => Self::Leave,
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

fn subscribe(pays: bool) -> Vec<u8> {
	let subscribe = ToRelayer::Subscribe(Subscribe {
		genesis: fixture::GENESIS,
		stream: fixture::STREAM,
		tracks: fixture::subscription().tracks,
		start: Start::Live,
		follow: Follow::Windows,
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

fuzz_target!(|steps: Vec<Step>| {
	let mut session = RelayerSession::new(fixture::GENESIS, fixture::CHALLENGE, vec![fixture::binding()]);
	let mut windows = WINDOWS.iter();
	for step in steps {
		let bytes = match step {
			Step::Bytes(bytes) => bytes,
			Step::Subscribe(pays) => subscribe(pays),
			Step::Bent(at, byte) => {
				let mut frame = subscribe(true);
				let at = usize::from(at) % frame.len();
				frame[at] = byte;
				frame
			},
			Step::Pay => session.unpaid().first().copied().map(pay).unwrap_or_default(),
			Step::Restate(by_voucher) => {
				let _ = session.restate(mode(by_voucher), 4);
				continue;
			},
			Step::Status(number) => {
				session.status(&fixture::status(number.into(), State::Live));
				continue;
			},
			Step::Settle => {
				session.settle();
				continue;
			},
			Step::Lower(price) => {
				let _ = session.lower(price.into());
				continue;
			},
			Step::Leave => ToRelayer::Leave.to_frame().to_vec(),
		};
		let broke = session.handle(&bytes).is_err();
		assert!(!broke || session.is_ended());
		while let Some(event) = session.poll_event() {
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
			}
		}
		while session.wants().is_some() {
			let Some(window) = windows.next() else {
				break;
			};
			let _ = session.deliver(window);
			assert!(session.owed() <= CREDIT.into());
			while session.poll_transmit().is_some() {}
		}
		while session.poll_transmit().is_some() {}
		if broke {
			break;
		}
	}
	let _ = session.finish();
});
