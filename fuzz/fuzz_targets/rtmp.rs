//! Whatever a peer sends, from its first byte, behind the handshake or as a publisher, in pieces of any size: the session ends in an
//! error or hands over what came, the same however it is cut, and holds no more than it may. The first byte says how far the peer is,
//! the second one how its bytes are cut.

#![no_main]

use bytes::{Bytes, BytesMut};
use clustercast_media::{
	flv,
	rtmp::{
		amf,
		chunk::{self, Message},
		session::MOST_OUTGOING,
		Event, RtmpError, Session, AFTER_PUBLISH,
	},
};
use libfuzzer_sys::fuzz_target;

/// Answers go behind the last byte that made them.
const ANSWER: usize = 1 + 2 * 1536 + 4096;

fn command(out: &mut BytesMut, name: &str, object: bool) {
	let mut payload = BytesMut::new();
	amf::put_text(&mut payload, name);
	amf::put_number(&mut payload, 1.0);
	if object {
		amf::put_object(&mut payload, &[("app", amf::Property::Text("live"))]);
	} else {
		amf::put_null(&mut payload);
		amf::put_text(&mut payload, "key");
	}
	let message = Message {
		kind: 20,
		stream: 1,
		stamp: 0,
		payload: payload.freeze(),
	};
	chunk::write(3, chunk::DEFAULT_SIZE, &message, out);
}

/// All events, and the error at the end.
fn feed<'a>(session: &mut Session, pieces: impl Iterator<Item = &'a [u8]>) -> (Vec<Event>, Option<RtmpError>) {
	let mut events = Vec::new();
	for mut piece in pieces {
		loop {
			match session.read(&mut piece) {
				Ok(None) => break,
				Ok(Some(event)) => {
					if matches!(event, Event::Publish { .. }) {
						session.accept();
					}
					if let Event::Tag(tag) = &event {
						assert!(tag.body.len() <= AFTER_PUBLISH.message + 16);
						let _ = tag.content();
					}
					events.push(event);
				},
				Err(error) => return (events, Some(error)),
			}
		}
		assert!(session.outgoing().len() <= MOST_OUTGOING + ANSWER);
	}
	(events, None)
}

fuzz_target!(|data: &[u8]| {
	let [how, cut, bytes @ ..] = data else {
		return;
	};
	let mut start = BytesMut::new();
	if how % 3 > 0 {
		start.extend_from_slice(&[3; 1 + 2 * 1536]);
	}
	if how % 3 > 1 {
		command(&mut start, "connect", true);
		command(&mut start, "publish", false);
	}
	let (mut whole, mut pieces) = (Session::default(), Session::default());
	for session in [&mut whole, &mut pieces] {
		let (_, error) = feed(session, [&start[..]].into_iter());
		assert_eq!(error, None);
	}
	let of_whole = feed(&mut whole, [bytes].into_iter());
	let of_pieces = feed(&mut pieces, bytes.chunks(usize::from(*cut).max(1)));
	// How much is answered at once depends on how much comes at once; nothing else does.
	if ![&of_whole, &of_pieces]
		.iter()
		.any(|(_, error)| *error == Some(RtmpError::NotReading))
	{
		assert_eq!(
			format!("{of_whole:?}"),
			format!("{of_pieces:?}"),
			"it matters how the bytes are cut"
		);
	}
	let _ = amf::read(&Bytes::copy_from_slice(bytes));
	let mut reader = flv::Reader::new(1024);
	let mut rest = bytes;
	while let Ok(Some(tag)) = reader.read(&mut rest) {
		assert!(tag.body.len() <= 1024);
	}
});
