//! Whatever a relayer sends, in whatever pieces: a viewer's session ends in a typed fault, never a panic, and hands out
//! nothing that was not signed.
//!
//! A session that pays is subscribed first, and may be sent what an honest relayer sends: so that what the input says is
//! also read behind terms, behind what goes before a window, and where a receipt is due.

#![no_main]

#[path = "../../protocol/src/fixture.rs"]
mod fixture;

use clustercast_primitives::status::State;
use clustercast_protocol::{
	relayer::RelayerSession,
	viewer::{Event, ViewerSession},
	wire::{Start, Subscribe, ToRelayer},
	EncodedWindow,
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
	/// The next frame of an honest relayer.
	Honest,
	/// The same with a byte that is another one.
	Bent(u16, u8),
	/// The same without what stands behind this byte.
	Cut(u16),
	/// The honest frame is left out.
	Skip,
}

impl<'a> Arbitrary<'a> for Step {
	fn arbitrary(input: &mut Unstructured<'a>) -> Result<Self> {
		Ok(match u8::arbitrary(input)? % 8 {
			0 => Self::Bytes(Vec::arbitrary(input)?),
			1 => Self::Bent(u16::arbitrary(input)?, u8::arbitrary(input)?),
			2 => Self::Cut(u16::arbitrary(input)?),
			3 => Self::Skip,
			_ => Self::Honest,
		})
	}
}

/// Frames of an honest relayer, and the windows in them.
static HONEST: LazyLock<(Vec<Vec<u8>>, Vec<EncodedWindow>)> = LazyLock::new(|| {
	let mut broadcast = fixture::Broadcast {
		chunk_log2: 12,
		..fixture::Broadcast::default()
	};
	let mut relayer = RelayerSession::new(fixture::GENESIS, fixture::CHALLENGE, vec![fixture::binding()]);
	let subscribe = ToRelayer::Subscribe(Subscribe {
		genesis: fixture::GENESIS,
		stream: fixture::STREAM,
		tracks: fixture::subscription().tracks,
		start: Start::Live,
		follow: Follow::Windows,
		payer: Some(fixture::payer()),
	});
	relayer.handle(&subscribe.to_frame()).expect("a good subscription");
	relayer.accept(fixture::terms(), fixture::signer()).expect("it pays");
	let (mut frames, mut windows) = (Vec::new(), Vec::new());
	for round in 0..4u8 {
		match round {
			1 => broadcast.items = fixture::items(),
			2 => broadcast.reinit(vec![1; 20]),
			3 => broadcast.begin_epoch(fixture::EPOCH + 1),
			_ => {},
		}
		frames.extend(std::iter::from_fn(|| relayer.poll_transmit()).map(|frame| frame.to_vec()));
		relayer.status(&fixture::status(round.into(), State::Live));
		let window = broadcast.segment(&fixture::media(9_000, round));
		relayer.deliver(&window).expect("within its credit");
		windows.push(window);
	}
	frames.extend(std::iter::from_fn(|| relayer.poll_transmit()).map(|frame| frame.to_vec()));
	(frames, windows)
});

fuzz_target!(|steps: Vec<Step>| {
	let (frames, windows) = &*HONEST;
	let mut session = ViewerSession::new(fixture::viewer_config());
	let (mut honest, mut expected) = (frames.iter(), windows.iter());
	let mut commitment = None;
	for step in steps {
		let bytes = match step {
			Step::Bytes(bytes) => bytes,
			Step::Skip => {
				honest.next();
				continue;
			},
			Step::Honest | Step::Bent(..) | Step::Cut(_) => {
				let mut frame = honest.next().cloned().unwrap_or_default();
				let len = frame.len().max(1);
				match step {
					Step::Bent(at, byte) => frame
						.iter_mut()
						.skip(usize::from(at) % len)
						.take(1)
						.for_each(|b| *b = byte),
					Step::Cut(at) => frame.truncate(usize::from(at) % len),
					_ => {},
				}
				frame
			},
		};
		if session.fault().is_some() {
			if !session.pursue(&bytes) {
				break;
			}
			continue;
		}
		let ended = session.handle(&bytes).is_err();
		while let Some(event) = session.poll_event() {
			match event {
				Event::Challenged(subscription) => {
					session.subscribe(fixture::session_key().sign(subscription, &fixture::GENESIS));
				},
				Event::Window(window) => {
					let signed = expected
						.find(|signed| signed.id() == window.id())
						.expect("nobody signed it, or again");
					assert_eq!(window.frame(), signed.frame());
				},
				Event::PaymentDue(due) => {
					assert!(!ended, "nothing is due from who was caught");
					assert!(commitment.replace(due.commitment) != Some(due.commitment), "due twice");
				},
				_ => {},
			}
		}
		while session.poll_transmit().is_some() {}
	}
	assert_eq!(
		session.take_evidence(),
		None,
		"the relayer never signed for anything wrong"
	);
});
