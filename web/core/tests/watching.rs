//! A page's viewer against a relayer's session: bytes in, bytes out, and a session key that is elsewhere.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[allow(unused_imports, reason = "what it shares is for all tests of the protocol")]
#[path = "../../../protocol/src/fixture.rs"]
mod fixture;

use clustercast_primitives::{
	crypto::{KeyPair, SignatureError},
	notice::{transport, RelayerNotice, SignedRelayerNotice},
	receipt::MAX_BLOCKS_AHEAD,
	subscribe::Binding,
	AccountId, Hash, Signature,
};
use clustercast_protocol::{
	purse,
	relayer::{self, Event},
	Cursor, EndReason, Range, ReceiptSigner, RelayerSession, Terms,
};
use clustercast_web::{
	message::{Blame, Config, End, Facts, Output, Payer, Relayer, Silence, Time},
	viewer::Unfit,
	Viewer,
};
use fixture::{
	media, relayer_key, session_key, signer, status, stream_key, terms, Broadcast, CHALLENGE, GENESIS, HEAD, RECIPIENT,
	SENDER, STREAM,
};
use std::sync::Arc;

const CERTIFICATE: Hash = Hash([0xce; 32]);
const NOW: Time = Time {
	elapsed_ms: 5_000,
	unix_ms: 1_700_000_100_000,
};

fn config() -> Config {
	Config {
		genesis: GENESIS,
		stream: STREAM,
		track: 0,
		facts: Facts {
			key: stream_key().public(),
			former: Vec::new(),
			terms: terms().counter,
			head: HEAD,
		},
		payer: Payer {
			account: SENDER,
			session: session_key().public(),
			expiry: 1_000_000,
			max_ticket_life: 600,
			limit: 1_000_000,
			deposit: 800_000,
			max_price_per_gb: 5_000_000,
			max_face_value: 1_000_000,
			purse: None,
		},
	}
}

fn notice(key: &KeyPair, certificates: &[Hash], until_ms: u64) -> SignedRelayerNotice {
	let notice = RelayerNotice {
		account: RECIPIENT,
		key: relayer_key().public(),
		number: 1,
		stream: STREAM,
		addresses: Default::default(),
		transports: transport::WEB_TRANSPORT,
		certificates: certificates.to_vec().try_into().unwrap(),
		price_per_gb: 0,
		free_seats: 0,
		path: Default::default(),
		lag_ms: 0,
		contact: Default::default(),
		reports: Default::default(),
		until_ms,
	};
	key.sign(notice, &GENESIS)
}

fn shown() -> Relayer {
	Relayer {
		key: relayer_key().public(),
		account: RECIPIENT,
		certificate: CERTIFICATE,
		notice: notice(&relayer_key(), &[Hash([1; 32]), CERTIFICATE], NOW.unix_ms + 60_000),
	}
}

/// A page and a relayer, and what the page was told.
struct Play {
	viewer: Viewer,
	relayer: RelayerSession,
	told: Vec<Output>,
	/// Last that was stored.
	stored: Option<Vec<u8>>,
	/// Nothing can be.
	full: bool,
	/// The session key's answers, as a browser gives them.
	signs: fn(&[u8]) -> Signature,
	/// Numbers of the tickets that came.
	paid: Vec<u64>,
	/// Of the relayer's receipts.
	signer: Arc<ReceiptSigner>,
	/// The relayer's account.
	recipient: AccountId,
	/// To whom each of these tickets was.
	payees: Vec<AccountId>,
}

impl Play {
	fn begin() -> Self {
		let mut viewer = Viewer::new(config(), NOW).unwrap();
		viewer.connect(&shown()).unwrap();
		Self {
			viewer,
			relayer: RelayerSession::new(GENESIS, CHALLENGE, vec![Binding::Certificate(CERTIFICATE.0)]),
			told: Vec::new(),
			stored: None,
			full: false,
			signs: |payload| session_key().sign_bytes(payload),
			paid: Vec::new(),
			signer: signer(),
			recipient: RECIPIENT,
			payees: Vec::new(),
		}
	}

	/// Until nobody has anything more to say.
	fn run(&mut self) {
		loop {
			let mut idle = true;
			while let Some(frame) = self.relayer.poll_transmit() {
				idle = false;
				self.viewer.said(&frame);
			}
			while let Some(outgoing) = self.relayer.poll_sending() {
				idle = false;
				let [prefix, data] = outgoing.rest();
				self.bring(&prefix, &data);
				self.relayer.sent(outgoing.id(), outgoing.chunks());
				self.relayer.arrived(outgoing.id());
			}
			while let Some(output) = self.viewer.poll() {
				idle = false;
				match &output {
					// What it says behind a fault is not for anybody.
					Output::Send(bytes) => self.relayer.handle(bytes).unwrap(),
					Output::Store(number, purse) if !self.full => {
						self.stored = Some(purse.clone());
						self.viewer.stored(*number);
					},
					Output::Sign(number, payload) => {
						let signature = (self.signs)(payload);
						self.viewer.signed(*number, signature).unwrap();
					},
					_ => {},
				}
				self.told.push(output);
			}
			while let Some(event) = self.relayer.poll_event() {
				idle = false;
				self.answer(event);
			}
			if idle {
				return;
			}
		}
	}

	fn bring(&mut self, prefix: &[u8], data: &[u8]) {
		let body = self.viewer.begin(prefix.try_into().unwrap()).unwrap();
		self.viewer.chunks(body, data);
		self.viewer.end(body, true);
	}

	fn answer(&mut self, event: Event) {
		match event {
			Event::Subscribed(asked) => {
				let payer = asked.payer.expect("it pays");
				let binding = Binding::Certificate(CERTIFICATE.0);
				assert_eq!(payer.subscription.check(&CHALLENGE, &binding, &GENESIS), Ok(()));
				let recipient = self.recipient;
				let terms = Terms { recipient, ..terms() };
				self.relayer.accept(terms, self.signer.clone()).unwrap();
				self.relayer
					.status(&status(1, clustercast_primitives::status::State::Live));
			},
			Event::Ticket(ticket) => {
				assert_eq!(ticket.verify(&session_key().public(), &GENESIS), Ok(()));
				// It was on disk that this number might be used.
				assert!(self.stored.is_some());
				self.relayer.paid(ticket.message.commitment).unwrap();
				self.paid.push(ticket.message.nonce);
				self.payees.push(ticket.message.recipient);
			},
			other => panic!("{other:?}"),
		}
	}

	fn windows(&self) -> Vec<&[u8]> {
		let windows = self.told.iter().filter_map(|output| match output {
			Output::Window { data, .. } => Some(&data[..]),
			_ => None,
		});
		windows.collect()
	}

	fn deliver(&mut self, window: &clustercast_protocol::EncodedWindow) {
		assert!(matches!(
			self.relayer.quote(window, &window.range()).unwrap(),
			relayer::Quote::Owed(_)
		));
		self.relayer.deliver(window).unwrap();
		self.run();
	}
}

#[test]
fn page_shows_what_verified_and_pays_for_it() {
	let (mut play, mut broadcast) = (Play::begin(), Broadcast::default());
	play.run();
	let data: Vec<Vec<u8>> = (0..3).map(|n| media(200_000, n)).collect();
	for data in &data {
		play.deliver(&broadcast.segment(data));
	}
	assert_eq!(play.windows(), data.iter().map(Vec::as_slice).collect::<Vec<_>>());
	assert_eq!(play.paid, [0, 1, 2]);
	let inits = play.told.iter().filter(|output| matches!(output, Output::Init { .. }));
	assert_eq!(inits.count(), 1, "of the first window alone");
	let money = play.told.iter().filter_map(|output| match output {
		Output::Money { spent, left, paid } => Some((*paid, *spent, *left)),
		_ => None,
	});
	let money: Vec<_> = money.collect();
	assert_eq!(money[0], (false, 0, 800_000), "the deposit is less than the limit");
	assert!(money[1..]
		.iter()
		.all(|(paid, spent, left)| *paid && *spent > 0 && spent + left == 800_000));
	assert_eq!(money.len(), 4);
}

#[test]
fn chunk_that_is_not_the_broadcasters_is_not_shown_and_not_paid() {
	let (mut play, mut broadcast) = (Play::begin(), Broadcast::default());
	play.run();
	let window = broadcast.segment(&media(100_000, 1));
	play.relayer.quote(&window, &window.range()).unwrap();
	play.relayer.deliver(&window).unwrap();
	while let Some(frame) = play.relayer.poll_transmit() {
		play.viewer.said(&frame);
	}
	let outgoing = play.relayer.poll_sending().unwrap();
	let [prefix, data] = outgoing.rest();
	let mut wrong = data.to_vec();
	wrong[50_000] ^= 1;
	play.bring_wrong(&prefix, &wrong);
	assert!(play.windows().is_empty());
	let fault = play.told.last();
	let broken = Blame::Broken;
	let is_blamed = matches!(fault, Some(Output::Fault { rejected: true, blame, .. }) if *blame == broken);
	assert!(is_blamed, "{fault:?}");
	// Whatever else comes of this relayer is not taken.
	play.told.clear();
	play.viewer.said(&[0; 64]);
	assert_eq!(play.viewer.poll(), None);
}

impl Play {
	/// What comes next, but for money.
	fn next(&mut self) -> Option<Output> {
		let mut all = std::iter::from_fn(|| self.viewer.poll());
		all.find(|output| !matches!(output, Output::Money { .. } | Output::Store(..)))
	}

	fn bring_wrong(&mut self, prefix: &[u8], data: &[u8]) {
		let body = self.viewer.begin(prefix.try_into().unwrap()).unwrap();
		self.viewer.chunks(body, data);
		while let Some(output) = self.viewer.poll() {
			assert!(!matches!(output, Output::Sign(..)), "nothing is signed");
			self.told.push(output);
		}
	}
}

#[test]
fn certificate_counts_only_where_the_relayer_says_that_it_is_its_own() {
	let refused = |relayer: &Relayer| Viewer::new(config(), NOW).unwrap().connect(relayer).unwrap_err();
	let stranger = KeyPair::from_seed([0x77; 32]);
	let with = |notice| Relayer { notice, ..shown() };
	let until = NOW.unix_ms + 1;
	let forged = with(notice(&stranger, &[CERTIFICATE], until));
	assert_eq!(refused(&forged), Unfit::Signature(SignatureError::Invalid));
	let of_another = with(notice(&relayer_key(), &[Hash([1; 32])], until));
	assert_eq!(refused(&of_another), Unfit::Certificate);
	let old = with(notice(&relayer_key(), &[CERTIFICATE], NOW.unix_ms - 1));
	assert_eq!(refused(&old), Unfit::Old);
	let mut other = shown();
	other.account.0[0] ^= 1;
	assert_eq!(refused(&other), Unfit::Relayer);
	assert_eq!(Viewer::new(config(), NOW).unwrap().connect(&shown()), Ok(()));
}

#[test]
fn signature_that_is_not_the_session_keys_goes_nowhere() {
	let mut play = Play::begin();
	while let Some(frame) = play.relayer.poll_transmit() {
		play.viewer.said(&frame);
	}
	let Some(Output::Sign(number, payload)) = play.next() else {
		panic!("the challenge is to be signed");
	};
	let other = KeyPair::from_seed([0x77; 32]).sign_bytes(&payload);
	assert_eq!(play.viewer.signed(number, other), Err(SignatureError::Invalid));
	assert_eq!(play.viewer.poll(), None);
}

#[test]
fn purse_goes_on_behind_what_was_stored_and_no_number_is_used_twice() {
	let (mut play, mut broadcast) = (Play::begin(), Broadcast::default());
	play.run();
	play.deliver(&broadcast.segment(&media(200_000, 1)));
	let crashed = play.stored.clone();
	play.viewer.disconnected();
	play.run();
	let ended = play.stored.clone();
	let spent = |told: &[Output]| {
		let money = told.iter().rev().find_map(|output| match output {
			Output::Money { spent, .. } => Some(*spent),
			_ => None,
		});
		money.unwrap()
	};
	let before = spent(&play.told);
	for (purse, known) in [(crashed, 0), (ended, before)] {
		let mut again = config();
		again.payer.purse = purse;
		let mut play = Play::begin();
		play.viewer = Viewer::new(again, NOW).unwrap();
		play.viewer.connect(&shown()).unwrap();
		play.run();
		assert_eq!(spent(&play.told), known, "whoever ends in order forgets nothing");
		play.deliver(&Broadcast::default().segment(&media(200_000, 1)));
		// Of those that were set aside before, any may have been used.
		assert_eq!(play.paid, [purse::RESERVATION]);
	}
	// Another session key's is refused.
	let mut other = config();
	other.payer.purse = play.stored;
	other.payer.session = stream_key().public();
	assert!(Viewer::new(other, NOW).is_err());
}

/// The fault: a page that was told the chain's block six seconds ago took the relayer's receipt for one from the future.
#[test]
fn chain_goes_on_by_the_clock_between_two_words_of_it() {
	let at = |ms| Time {
		elapsed_ms: NOW.elapsed_ms + ms,
		unix_ms: NOW.unix_ms + ms,
	};
	let blamed = |told: &[Output]| {
		let last = told.last();
		matches!(last, Some(Output::Fault { blame: Blame::None, .. }))
	};
	for (waited, told, good) in [(0, false, false), (10_000, false, true), (10_000, true, false)] {
		let (mut play, mut broadcast) = (Play::begin(), Broadcast::default());
		play.run();
		play.viewer.tick(at(waited));
		if told {
			// It is slower than that.
			play.viewer.learn(config().facts);
		}
		let ahead = ReceiptSigner::new(relayer_key(), [9; 32]);
		ahead.set_block(HEAD + MAX_BLOCKS_AHEAD + 5);
		play.signer = Arc::new(ahead);
		play.relayer = RelayerSession::new(GENESIS, CHALLENGE, vec![Binding::Certificate(CERTIFICATE.0)]);
		play.viewer.connect(&shown()).unwrap();
		play.run();
		play.deliver(&broadcast.segment(&media(200_000, 1)));
		assert_eq!(
			play.paid.len(),
			usize::from(good),
			"{waited} ms: {:?}",
			play.told.last()
		);
		assert_eq!(
			blamed(&play.told),
			!good,
			"whose clock is behind is not the other's fault"
		);
	}
}

/// The fault: what could not be stored was signed at the next connection, and again after a reload.
#[test]
fn nothing_is_signed_of_which_the_number_is_not_on_disk() {
	let (mut play, mut broadcast) = (Play::begin(), Broadcast::default());
	play.full = true;
	play.run();
	play.deliver(&broadcast.segment(&media(200_000, 1)));
	assert_eq!(play.windows().len(), 1);
	assert!(play.paid.is_empty(), "it was not stored");
	// Nor on another connection.
	play.relayer = RelayerSession::new(GENESIS, CHALLENGE, vec![Binding::Certificate(CERTIFICATE.0)]);
	play.viewer.disconnected();
	play.viewer.go_live();
	play.viewer.connect(&shown()).unwrap();
	play.run();
	play.deliver(&broadcast.segment(&media(200_000, 2)));
	assert!(play.paid.is_empty());
}

#[test]
fn what_is_from_before_a_pause_is_neither_shown_nor_paid_as_live() {
	let (mut play, mut broadcast) = (Play::begin(), Broadcast::default());
	play.run();
	play.relayer
		.status(&status(2, clustercast_primitives::status::State::Idle));
	play.run();
	play.deliver(&broadcast.segment(&media(200_000, 1)));
	assert!(play.windows().is_empty() && play.paid.is_empty());
	let last = play.told.last();
	assert!(matches!(last, Some(Output::Failed(_))), "{last:?}");
}

#[test]
fn silence_is_explained_and_a_relayer_that_brings_nothing_is_left() {
	let mut play = Play::begin();
	play.run();
	play.relayer
		.status(&status(2, clustercast_primitives::status::State::Idle));
	play.run();
	let at = |ms| Time {
		elapsed_ms: NOW.elapsed_ms + ms,
		unix_ms: NOW.unix_ms + ms,
	};
	play.viewer.tick(at(3_000));
	assert_eq!(play.next(), Some(Output::Silence(Silence::Pause)));
	play.viewer.tick(at(60_000));
	let mute = "stalled: nothing was heard for 13 s";
	assert_eq!(play.next(), Some(Output::Failed(mute.into())));
	let body: Range = Broadcast::default().segment(&media(1_000, 1)).range();
	assert_eq!(
		play.viewer
			.begin(&<[u8; 40]>::try_from(&codec::Encode::encode(&body)[..]).unwrap()),
		None
	);
}

/// Another relayer.
const OTHER: AccountId = AccountId([0x0a; 32]);

impl Play {
	/// The connection is gone, and another relayer is turned to.
	fn turn(&mut self) {
		let key = KeyPair::from_seed([0x55; 32]);
		let mut notice = notice(&relayer_key(), &[CERTIFICATE], NOW.unix_ms + 60_000).message;
		(notice.key, notice.account) = (key.public(), OTHER);
		self.viewer.disconnected();
		self.run();
		let other = ReceiptSigner::new(key.clone(), [9; 32]);
		other.set_block(HEAD);
		(self.signer, self.recipient) = (Arc::new(other), OTHER);
		self.relayer = RelayerSession::new(GENESIS, CHALLENGE, vec![Binding::Certificate(CERTIFICATE.0)]);
		let shown = Relayer {
			key: key.public(),
			account: OTHER,
			certificate: CERTIFICATE,
			notice: key.sign(notice, &GENESIS),
		};
		self.viewer.connect(&shown).unwrap();
		self.run();
	}
}

#[test]
fn another_relayer_goes_on_behind_the_last_window_and_no_window_is_shown_or_paid_twice() {
	let (mut play, mut broadcast) = (Play::begin(), Broadcast::default());
	play.run();
	let data: Vec<Vec<u8>> = (0..4).map(|n| media(200_000, n)).collect();
	let windows: Vec<_> = data.iter().map(|data| broadcast.segment(data)).collect();
	play.deliver(&windows[0]);
	play.deliver(&windows[1]);
	// The third one is under way as the relayer dies.
	play.relayer.deliver(&windows[2]).unwrap();
	while let Some(frame) = play.relayer.poll_transmit() {
		play.viewer.said(&frame);
	}
	let outgoing = play.relayer.poll_sending().unwrap();
	let [prefix, half] = outgoing.rest();
	let body = play.viewer.begin(&prefix[..].try_into().unwrap()).unwrap();
	play.viewer.chunks(body, &half[..100_000]);
	play.turn();
	let behind = Cursor::After {
		id: windows[1].id(),
		header: windows[1].hash(),
	};
	assert_eq!(play.relayer.wants(), Some(behind));
	play.deliver(&windows[2]);
	play.deliver(&windows[3]);
	assert_eq!(play.windows(), data.iter().map(Vec::as_slice).collect::<Vec<_>>());
	assert_eq!(play.payees, [RECIPIENT, RECIPIENT, OTHER, OTHER]);
	// Each one's tickets have numbers of their own.
	assert_eq!(play.paid, [0, 1, 0, 1]);
	let inits = play.told.iter().filter(|output| matches!(output, Output::Init { .. }));
	assert_eq!(inits.count(), 1);
}

#[test]
fn window_that_is_late_is_told_while_the_broadcaster_is_live_and_a_relayer_is_there() {
	let late = |state, there: bool| {
		let (mut play, mut broadcast) = (Play::begin(), Broadcast::default());
		play.run();
		play.deliver(&broadcast.segment(&media(200_000, 1)));
		play.relayer.status(&status(2, state));
		play.run();
		if !there {
			play.viewer.disconnected();
		}
		let ticks = (0..=40).map(|n| n * 100).filter(|ms| {
			play.viewer.tick(Time {
				elapsed_ms: NOW.elapsed_ms + ms,
				unix_ms: NOW.unix_ms + ms,
			});
			std::iter::from_fn(|| play.viewer.poll()).any(|output| output == Output::Late)
		});
		ticks.collect::<Vec<u64>>()
	};
	assert_eq!(
		late(clustercast_primitives::status::State::Live, true),
		[2_400, 2_900, 3_400, 3_900]
	);
	assert_eq!(late(clustercast_primitives::status::State::Idle, true), [0; 0]);
	assert_eq!(late(clustercast_primitives::status::State::Live, false), [0; 0]);
}

#[test]
fn why_a_relayer_ended_is_told_as_far_as_it_matters() {
	for (reason, expected) in [
		(EndReason::Full, End::Full),
		(EndReason::SeatsTaken, End::Full),
		(EndReason::IdleLately(60), End::Full),
		(EndReason::NotServed, End::Absent),
		(EndReason::Denied, End::Absent),
		(EndReason::WindowGone, End::Gone),
		(EndReason::ShuttingDown, End::Other),
		// The broadcaster has not said so.
		(EndReason::Finished, End::Other),
	] {
		let mut play = Play::begin();
		play.run();
		play.relayer.end(reason);
		play.run();
		let last = play
			.told
			.iter()
			.rev()
			.find(|output| !matches!(output, Output::Store(..)));
		let is_it = matches!(last, Some(Output::Ended { end, .. }) if *end == expected);
		assert!(is_it, "{reason:?}: {last:?}");
	}
}
