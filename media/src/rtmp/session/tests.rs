//! Whole connections of publishers as OBS, FFmpeg and others make them.

use super::*;
use crate::{
	flv::Kind,
	rtmp::{handshake::HandshakeError, Script as Peer},
};
use proptest::prelude::*;

/// A session that accepts whoever asks, and what came of it.
#[derive(Default)]
struct Server {
	session: Session,
	events: Vec<Event>,
	answers: BytesMut,
}

impl Server {
	fn feed(&mut self, mut bytes: &[u8]) -> Result<(), RtmpError> {
		while let Some(event) = self.session.read(&mut bytes)? {
			if matches!(event, Event::Publish { .. }) {
				self.session.accept();
			}
			self.events.push(event);
		}
		let answers = self.session.outgoing().split();
		self.answers.extend_from_slice(&answers);
		Ok(())
	}

	fn of(peer: &Peer) -> Self {
		let mut server = Self::default();
		server.feed(peer.bytes()).unwrap();
		server
	}

	/// Kinds of the messages that it answered with, commands by their name and first text or code.
	fn said(&self) -> Vec<String> {
		let mut reader = chunk::Reader::new(AFTER_PUBLISH);
		let mut rest = &self.answers[1 + 2 * 1536..];
		let mut said = Vec::new();
		loop {
			// As a peer does, once it is told.
			let Some(message) = reader.read(&mut rest).unwrap() else {
				return said;
			};
			said.push(match message.kind {
				kinds::SIZE => {
					reader.set_size(number(&message).unwrap()).unwrap();
					"size".into()
				},
				kinds::COMMAND => {
					let values = amf::read(&message.payload).unwrap();
					let name = String::from_utf8_lossy(values[0].text().unwrap()).into_owned();
					let code = values.iter().find_map(|value| value.get("code")?.text());
					match code {
						Some(code) => format!("{name} {}", String::from_utf8_lossy(code)),
						None => name,
					}
				},
				other => format!("{other}"),
			});
		}
	}

	fn tags(&self) -> Vec<(Kind, u32, &[u8])> {
		let tags = self.events.iter().filter_map(|event| match event {
			Event::Tag(tag) => Some((tag.kind, tag.stamp, &tag.body[..])),
			_ => None,
		});
		tags.collect()
	}

	fn path(&self) -> Vec<u8> {
		let paths = self.events.iter().filter_map(|event| match event {
			Event::Publish { path, .. } => Some(path.joined()),
			_ => None,
		});
		paths.last().unwrap()
	}
}

#[test]
fn publisher_is_answered_as_it_waits_for_it() {
	let server = Server::of(&Peer::obs("live", "key"));
	assert_eq!(
		server.said(),
		[
			"5",
			"6",
			"size",
			"_result NetConnection.Connect.Success",
			"_result",
			"onFCPublish NetStream.Publish.Start",
			"_result",
			"_result",
			"4",
			"onStatus NetStream.Publish.Start",
		]
	);
	assert!(
		matches!(&server.events[..], [Event::Publish { program: Some(program), .. }]
		if program == "FMLE/3.0 (compatible; FMSc/1.0)")
	);
}

#[test]
fn progress_is_what_the_peer_has_said_so_far() {
	let mut server = Server::default();
	let mut said = 0;
	let (hello, all) = (Peer::hello(), Peer::obs("live", "key"));
	let (hello, all) = (hello.bytes(), all.bytes());
	for (until, progress) in [
		(0, Progress::Silent),
		(1536, Progress::Silent),
		(1537, Progress::Greeted),
		(hello.len(), Progress::Greeted),
		(all.len(), Progress::Connected),
	] {
		server.feed(&all[said..until]).unwrap();
		said = until;
		assert_eq!(server.session.progress(), progress);
	}
}

#[test]
fn app_and_name_are_one_path_wherever_they_are_split() {
	let path = |app: &str, name: &str| String::from_utf8(Server::of(&Peer::obs(app, name)).path()).unwrap();
	assert_eq!(path("live", "a/b"), "live/a/b");
	assert_eq!(path("live/a", "b"), "live/a/b");
	assert_eq!(path("live", "a%2Fb+c=d:e?f&g"), "live/a%2Fb+c=d:e?f&g");
	let server = Server::of(&Peer::obs("live//", "/key"));
	assert_eq!(server.path(), b"live////key");
	let [Event::Publish { path, .. }] = &server.events[..] else {
		panic!()
	};
	assert_eq!(path.joined_without_slashes(), b"live//key");
	// No app: from the address.
	let peer = Peer::hello()
		.connect(&[("tcUrl", "rtmp://h:1935/live/a")])
		.call("publish", 2.0, &["b", "live"]);
	assert_eq!(Server::of(&peer).path(), b"live/a/b");
}

#[test]
fn nothing_that_is_printed_for_debugging_holds_the_key() {
	let mut session = Session::default();
	let peer = Peer::obs("live/hush", "hush");
	let mut rest = peer.bytes();
	let event = session.read(&mut rest).unwrap();
	assert!(matches!(event, Some(Event::Publish { .. })));
	let printed = format!("{event:?} {:?} {:?}", session.app, session.program);
	assert!(!printed.contains("hush"), "{printed}");
	assert!(!printed.contains("104, 117"), "{printed}");
}

#[test]
fn media_comes_with_its_stamp_and_nothing_before_it_is_let_in() {
	let tag = b"\x17\x01\0\0\0key";
	let stamps = [0, 23, (1 << 24) - 2, 1 << 24, (1 << 31) - 1, 1 << 31, u32::MAX, 5];
	let mut peer = Peer::hello()
		.message(kinds::PICTURE, 1, tag)
		.message(kinds::AGGREGATE, 1, tag);
	peer = peer.raw(&Peer::obs("live", "key").bytes()[1 + 2 * 1536..]);
	let peer = stamps.iter().fold(peer, |peer, stamp| {
		peer.message(kinds::PICTURE, *stamp, &[&tag[..], &[9; 500]].concat())
	});
	let server = Server::of(
		&peer
			.message(kinds::SOUND, 7, b"\xAF\x01s")
			.message(kinds::PICTURE, 8, b"\x90avc1c"),
	);
	let tags = server.tags();
	assert_eq!(tags.iter().map(|(_, stamp, _)| *stamp).collect::<Vec<_>>()[..8], stamps);
	assert_eq!(
		tags[8..],
		[
			(Kind::Sound, 7, &b"\xAF\x01s"[..]),
			(Kind::Picture, 8, b"\x17\0\0\0\0c")
		]
	);
}

#[test]
fn aggregate_is_its_tags_at_the_messages_time() {
	let mut aggregate = BytesMut::new();
	for (kind, stamp) in [
		(Kind::Sound, 1_000),
		(Kind::Script, 1_005),
		(Kind::Picture, 1_010),
		(Kind::Sound, 1_020),
	] {
		let body = Bytes::from_static(b"\xAF\x01");
		flv::write(&Tag { kind, stamp, body }, &mut aggregate).unwrap();
	}
	let server = Server::of(&Peer::obs("live", "key").message(kinds::AGGREGATE, 50, &aggregate));
	let stamps: Vec<_> = server.tags().iter().map(|(kind, stamp, _)| (*kind, *stamp)).collect();
	assert_eq!(stamps, [(Kind::Sound, 50), (Kind::Picture, 60), (Kind::Sound, 70)]);
	// Cut off: what is whole, and the connection goes on.
	let cut = aggregate.len() - 5;
	let peer = Peer::obs("live", "key").message(kinds::AGGREGATE, 50, &aggregate[..cut]);
	assert_eq!(Server::of(&peer.message(kinds::SOUND, 80, b"\xAF\x01")).tags().len(), 3);
}

#[test]
fn metadata_comes_with_and_without_its_wrapping() {
	let object = |out: &mut BytesMut| {
		amf::put_object(
			out,
			&[("encoder", Property::Text("obs")), ("width", Property::Number(640.0))],
		)
	};
	let mut wrapped = BytesMut::new();
	amf::put_text(&mut wrapped, "@setDataFrame");
	amf::put_text(&mut wrapped, "onMetaData");
	object(&mut wrapped);
	let mut plain = BytesMut::new();
	amf::put_text(&mut plain, "onMetaData");
	object(&mut plain);
	let peer = Peer::obs("live", "key")
		.message(kinds::DATA, 0, &wrapped)
		.message(kinds::DATA, 0, &plain)
		.message(kinds::DATA_3, 0, &[&[0], &wrapped[..]].concat())
		// Nobody's concern.
		.message(kinds::DATA, 0, b"\x02\0\x0AonTextData\x05")
		.message(kinds::DATA, 0, b"\x02\0")
		.message(kinds::DATA_3, 0, b"")
		.message(kinds::DATA, 0, &vec![5; LONGEST_DATA + 1]);
	let expected = Event::Metadata(Metadata {
		encoder: Some("obs".into()),
		width: Some(640),
		..Metadata::default()
	});
	assert_eq!(
		Server::of(&peer).events[1..],
		[expected.clone(), expected.clone(), expected]
	);
}

#[test]
fn commands_wrapped_for_amf3_are_taken() {
	let mut publish = BytesMut::new();
	amf::put_text(&mut publish, "publish");
	amf::put_number(&mut publish, 5.0);
	amf::put_null(&mut publish);
	amf::put_text(&mut publish, "key");
	let peer = Peer::hello()
		.connect(&[("app", "live")])
		.message(kinds::COMMAND_3, 0, &[&[0], &publish[..]].concat())
		.message(kinds::COMMAND_3, 0, b"");
	assert_eq!(Server::of(&peer).path(), b"live/key");
}

#[test]
fn publisher_that_leaves_in_order_says_so_once_and_may_publish_again() {
	let peer = Peer::obs("live", "key")
		.call("FCUnpublish", 6.0, &["key"])
		.call("deleteStream", 7.0, &[]);
	let server = Server::of(&peer);
	assert_eq!(server.events[1..], [Event::Finished]);
	assert_eq!(
		server.said()[10..],
		[
			"onFCUnpublish NetStream.Unpublish.Success",
			"onStatus NetStream.Unpublish.Success"
		]
	);
	let again = Server::of(
		&peer
			.call("publish", 8.0, &["key"])
			.message(kinds::SOUND, 1, b"\xAF\x01"),
	);
	assert!(matches!(again.events[2..], [Event::Publish { .. }, Event::Tag(_)]));
	for other in ["deleteStream", "closeStream"] {
		assert_eq!(
			Server::of(&Peer::obs("live", "key").call(other, 7.0, &[])).events[1..],
			[Event::Finished]
		);
	}
}

#[test]
fn nothing_is_read_before_the_answer_and_nothing_behind_a_refusal() {
	let peer = Peer::obs("live", "guess")
		.message(kinds::SOUND, 1, b"\xAF\x01")
		.call("play", 9.0, &[]);
	let mut session = Session::default();
	let mut rest = peer.bytes();
	assert!(matches!(session.read(&mut rest), Ok(Some(Event::Publish { .. }))));
	let held = rest.len();
	assert_eq!(session.read(&mut rest), Ok(None));
	assert_eq!(rest.len(), held);
	session.outgoing().clear();
	session.refuse(Refusal {
		code: "NetStream.Publish.BadName",
		description: "no",
	});
	assert!(session
		.outgoing()
		.windows(25)
		.any(|w| w == b"NetStream.Publish.BadName"));
	assert_eq!(session.read(&mut rest), Ok(None));
	assert!(rest.is_empty());
	// Too late.
	session.outgoing().clear();
	session.accept();
	assert!(session.outgoing().is_empty());
}

#[test]
fn messages_are_longer_only_for_who_publishes() {
	let long = |peer: Peer, length: usize| {
		Server::default().feed(peer.message(kinds::PICTURE, 0, &vec![0x17; length]).bytes())
	};
	let error = |limit: usize| {
		Err(RtmpError::Chunk(chunk::ChunkError::Long {
			length: limit + 1,
			limit,
		}))
	};
	assert_eq!(long(Peer::hello(), 64 * 1024), Ok(()));
	assert_eq!(long(Peer::hello(), 64 * 1024 + 1), error(64 * 1024));
	assert_eq!(long(Peer::obs("live", "key"), 4 << 20), Ok(()));
	assert_eq!(long(Peer::obs("live", "key"), (4 << 20) + 1), error(4 << 20));
	let left = Peer::obs("live", "key").call("deleteStream", 7.0, &[]);
	assert_eq!(long(left, 64 * 1024 + 1), error(64 * 1024));
}

#[test]
fn what_no_publisher_does_ends_the_connection_by_name() {
	let error = |peer: Peer| Server::default().feed(peer.bytes());
	assert_eq!(
		error(Peer::hello().call("publish", 1.0, &["key"])),
		Err(RtmpError::NoPath)
	);
	assert_eq!(
		error(Peer::hello().connect(&[("app", "live")]).call("publish", 1.0, &[])),
		Err(RtmpError::NoPath)
	);
	assert_eq!(
		error(Peer::obs("live", "key").call("publish", 1.0, &["other"])),
		Err(RtmpError::Twice)
	);
	assert_eq!(error(Peer::hello().call("play", 1.0, &["key"])), Err(RtmpError::Plays));
	assert_eq!(
		error(Peer::hello().message(kinds::COMMAND, 0, b"\x04")),
		Err(RtmpError::Amf(amf::AmfError::Type(4)))
	);
	assert_eq!(
		error(Peer::hello().message(kinds::SIZE, 0, b"\0\0\0")),
		Err(RtmpError::Control { kind: 1, length: 3 })
	);
	assert_eq!(
		error(Peer::hello().message(kinds::SIZE, 0, &[0; 4])),
		Err(RtmpError::Chunk(chunk::ChunkError::Size(0)))
	);
	let deep = b"\x03\0\x01a".repeat(9);
	assert_eq!(
		error(Peer::hello().message(kinds::COMMAND, 0, &deep)),
		Err(RtmpError::Amf(amf::AmfError::Deep))
	);
	let stranger = HandshakeError::Http;
	assert_eq!(
		Server::default().feed(b"GET / HTTP/1.1"),
		Err(RtmpError::Handshake(stranger))
	);
}

#[test]
fn pings_are_answered_and_unread_answers_are_bounded() {
	let ping = b"\0\x06\x01\x02\x03\x04";
	let mut server = Server::of(&Peer::hello().message(kinds::USER, 0, ping));
	assert!(server.answers.ends_with(b"\0\x07\x01\x02\x03\x04"));
	let pings = (0..10_000).fold(Peer::default(), |peer, _| peer.message(kinds::USER, 0, ping));
	let mut rest = pings.bytes();
	let result = loop {
		match server.session.read(&mut rest) {
			Ok(None) => break Ok(()),
			Ok(Some(_)) => {},
			Err(error) => break Err(error),
		}
	};
	assert_eq!(result, Err(RtmpError::NotReading));
	assert!(server.session.outgoing().len() <= MOST_OUTGOING + 100);
}

#[test]
fn what_came_is_acknowledged_as_often_as_asked() {
	let window = |bytes: u32| bytes.to_be_bytes();
	let mut server = Server::of(&Peer::obs("live", "key").message(kinds::WINDOW, 0, &window(100_000)));
	server.answers.truncate(1 + 2 * 1536);
	for _ in 0..9 {
		server
			.feed(Peer::default().message(kinds::PICTURE, 0, &[0x17; 50_000]).bytes())
			.unwrap();
	}
	assert_eq!(server.said(), ["3"; 4]);
	// One who wants each byte acknowledged is not obeyed.
	server
		.feed(Peer::default().message(kinds::WINDOW, 0, &window(0)).bytes())
		.unwrap();
	server.answers.truncate(1 + 2 * 1536);
	for _ in 0..100 {
		server
			.feed(Peer::default().message(kinds::PICTURE, 0, &[0x17; 1_000]).bytes())
			.unwrap();
	}
	assert!(server.said().len() <= 2);
}

proptest! {
	#[test]
	fn events_and_answers_are_the_same_however_the_bytes_are_cut(cuts in prop::collection::vec(1_usize..600, 1..20)) {
		let peer = Peer::obs("live", "key")
			.message(kinds::DATA, 0, b"\x02\0\x0AonMetaData\x03\0\x05width\0\x40\x84\0\0\0\0\0\0\0\0\x09")
			.message(kinds::USER, 0, b"\0\x06\x01\x02\x03\x04")
			.message(kinds::PICTURE, 0, &[0x17; 900])
			.message(kinds::SOUND, u32::MAX, &[0xAF; 300])
			.call("FCUnpublish", 6.0, &["key"]);
		let whole = Server::of(&peer);
		let mut cut_up = Server::default();
		let mut rest = peer.bytes();
		for cut in cuts.iter().cycle() {
			let (piece, behind) = rest.split_at((*cut).min(rest.len()));
			cut_up.feed(piece).unwrap();
			rest = behind;
			if rest.is_empty() {
				break;
			}
		}
		prop_assert_eq!(whole.events.len(), 5);
		prop_assert_eq!(&cut_up.events, &whole.events);
		prop_assert_eq!(&cut_up.answers, &whole.answers);
	}

	#[test]
	fn whatever_comes_behind_the_greeting_neither_panics_nor_grows(
		accepted: bool,
		kind in prop::sample::select(vec![1_u8, 2, 3, 4, 5, 6, 8, 9, 15, 17, 18, 20, 22]),
		payload in prop::collection::vec(any::<u8>(), 0..200),
		noise in prop::collection::vec(any::<u8>(), 0..500),
	) {
		let mut server = Server::of(&if accepted { Peer::obs("live", "key") } else { Peer::hello() });
		let message = Peer::default().message(kind, 3, &payload);
		let _ = server.feed(message.bytes()).and_then(|()| server.feed(&noise));
		prop_assert!(server.session.outgoing().len() <= MOST_OUTGOING);
	}
}
