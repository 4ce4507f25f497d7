//! The machine: what a publisher asks, what it is answered, and what it sends.
//!
//! ```text
//! connect -> _result    releaseStream, FCPublish, createStream -> _result    publish -> Event::Publish
//!                                             accept() -> NetStream.Publish.Start -> Event::Metadata, Event::Tag ...
//!                                             refuse() -> NetStream.Publish.* as an error; the rest is not read
//! FCUnpublish, deleteStream, closeStream -> Event::Finished, and the connection may publish again
//! ```

use super::{
	amf::{self, Property, Value},
	chunk::{self, Message},
	handshake::Handshake,
	metadata::{self, Metadata},
	RtmpError, AFTER_PUBLISH, BEFORE_PUBLISH,
};
use crate::flv::{self, Tag};
use bytes::{Buf, BufMut, Bytes, BytesMut};
use std::fmt;

/// RTMP's numbers of messages.
mod kinds {
	pub const SIZE: u8 = 1;
	pub const ABORT: u8 = 2;
	pub const USER: u8 = 4;
	pub const WINDOW: u8 = 5;
	pub const BANDWIDTH: u8 = 6;
	pub const ACKNOWLEDGEMENT: u8 = 3;
	pub const SOUND: u8 = 8;
	pub const PICTURE: u8 = 9;
	pub const DATA_3: u8 = 15;
	pub const COMMAND_3: u8 = 17;
	pub const DATA: u8 = 18;
	pub const COMMAND: u8 = 20;
	pub const AGGREGATE: u8 = 22;
}

/// Events among user control messages.
mod user {
	pub const BEGIN: u16 = 0;
	pub const PING: u16 = 6;
	pub const PONG: u16 = 7;
}

/// Payload bytes of our chunks.
const SIZE: usize = 4096;

/// Bytes after which we ask to be told that they came, and are told: what others ask for too.
const WINDOW: u32 = 2_500_000;

/// A peer that wants an acknowledgement more often gets it so often, bytes.
const SMALLEST_WINDOW: u32 = 64 * 1024;

/// Most bytes of answers that wait for the peer to read them. All answers to a publisher together have about 5,000.
pub const MOST_OUTGOING: usize = 64 * 1024;

/// The one message stream that `createStream` makes.
const STREAM: f64 = 1.0;

/// Longest metadata that is looked at, bytes.
const LONGEST_DATA: usize = 64 * 1024;

/// Where somebody wants to publish: a secret, even where it is wrong.
#[derive(Clone, PartialEq, Eq)]
pub struct Path {
	app: Bytes,
	name: Bytes,
}

impl Path {
	/// App as of `connect`, name as of `publish`.
	pub fn new(app: impl Into<Bytes>, name: impl Into<Bytes>) -> Self {
		Self {
			app: app.into(),
			name: name.into(),
		}
	}

	/// App and name with a slash between, as publishers split one address in different places.
	pub fn joined(&self) -> Vec<u8> {
		[&self.app[..], b"/", &self.name[..]].concat()
	}

	/// The same where the server's address was given with slashes at its end.
	pub fn joined_without_slashes(&self) -> Vec<u8> {
		let length = self
			.app
			.iter()
			.rposition(|byte| *byte != b'/')
			.map_or(0, |last| last + 1);
		[&self.app[..length], b"/", &self.name[..]].concat()
	}
}

impl fmt::Debug for Path {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		f.write_str("Path(secret)")
	}
}

/// What a connection brings.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
	/// It wants to publish: [`Session::accept`] or [`Session::refuse`]. Nothing more is read before that.
	Publish {
		/// Where.
		path: Path,
		/// As `connect` names its program, printable.
		program: Option<String>,
	},
	/// What it says of its stream; may come again, or never.
	Metadata(Metadata),
	/// Sound or a picture, in the form of FLV before it was enhanced wherever it has one.
	Tag(Tag),
	/// It publishes no more, in order.
	Finished,
}

/// Why a publisher is turned away, as it is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusal<'a> {
	/// `NetStream.Publish.…`
	pub code: &'a str,
	/// For people.
	pub description: &'a str,
}

/// How far somebody has come who does not publish yet. Each step costs a peer what is sent for it, and a round trip.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Progress {
	/// The greeting is not whole.
	Silent,
	/// It is, and is answered.
	Greeted,
	/// `connect` came.
	Connected,
}

/// The server's side of a connection.
#[derive(Debug)]
pub struct Session {
	phase: Phase,
	chunks: chunk::Reader,
	/// Answers that are to be sent.
	out: BytesMut,
	app: Option<Secret>,
	program: Option<String>,
	/// Message stream that is published on.
	stream: u32,
	aggregate: Option<Aggregate>,
	/// Bytes that came, modulo 2^32.
	received: u32,
	/// How many of them are acknowledged.
	acknowledged: u32,
	/// How often.
	window: u32,
}

#[derive(Debug)]
enum Phase {
	Handshake(Handshake),
	/// Commands.
	Open,
	/// An event waits for its answer.
	Asked,
	Publishing,
	/// Turned away.
	Refused,
	Failed(RtmpError),
}

/// Part of a key, perhaps.
struct Secret(Bytes);

impl fmt::Debug for Secret {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		f.write_str("Secret")
	}
}

impl Default for Session {
	fn default() -> Self {
		Self {
			phase: Phase::Handshake(Handshake::default()),
			chunks: chunk::Reader::new(BEFORE_PUBLISH),
			out: BytesMut::new(),
			app: None,
			program: None,
			stream: 0,
			aggregate: None,
			received: 0,
			acknowledged: 0,
			window: WINDOW,
		}
	}
}

impl Session {
	/// The next event; takes from `input` what that needs. `None`: more is needed, or an answer to [`Event::Publish`].
	///
	/// # Errors
	/// When the connection must end; from then on always.
	pub fn read(&mut self, input: &mut &[u8]) -> Result<Option<Event>, RtmpError> {
		let before = input.len();
		let result = self.try_read(input);
		self.received = self.received.wrapping_add((before - input.len()) as u32);
		match &result {
			Ok(_) => self.acknowledge(),
			Err(error) => {
				self.phase = Phase::Failed(error.clone());
				self.aggregate = None;
			},
		}
		result
	}

	/// What is to be sent: take it from the front.
	pub fn outgoing(&mut self) -> &mut BytesMut {
		&mut self.out
	}

	/// Whether the handshake is over.
	pub fn shook_hands(&self) -> bool {
		!matches!(self.phase, Phase::Handshake(_))
	}

	/// How far it has come.
	pub fn progress(&self) -> Progress {
		match &self.phase {
			_ if self.app.is_some() => Progress::Connected,
			Phase::Handshake(handshake) if !handshake.is_answered() => Progress::Silent,
			_ => Progress::Greeted,
		}
	}

	/// Lets it publish, if it asked.
	pub fn accept(&mut self) {
		if matches!(self.phase, Phase::Asked) {
			self.phase = Phase::Publishing;
			self.chunks.set_limits(AFTER_PUBLISH);
			let mut begin = BytesMut::new();
			begin.put_u16(user::BEGIN);
			begin.put_u32(self.stream);
			self.send(2, kinds::USER, 0, begin);
			self.status("status", "NetStream.Publish.Start", "publishing");
		}
	}

	/// Turns it away, also in the midst of publishing. What it sends from now on is thrown away.
	pub fn refuse(&mut self, refusal: Refusal<'_>) {
		if matches!(self.phase, Phase::Asked | Phase::Publishing) {
			self.status("error", refusal.code, refusal.description);
			self.phase = Phase::Refused;
			self.aggregate = None;
		}
	}

	fn try_read(&mut self, input: &mut &[u8]) -> Result<Option<Event>, RtmpError> {
		loop {
			match &mut self.phase {
				Phase::Failed(error) => return Err(error.clone()),
				Phase::Asked => return Ok(None),
				Phase::Refused => {
					*input = &[];
					return Ok(None);
				},
				Phase::Handshake(handshake) => {
					if !handshake.read(input, &mut self.out)? {
						return Ok(None);
					}
					self.phase = Phase::Open;
				},
				Phase::Open | Phase::Publishing => {
					if let Some(tag) = self.next_of_aggregate() {
						return Ok(Some(Event::Tag(tag)));
					}
					let Some(message) = self.chunks.read(input)? else {
						return Ok(None);
					};
					let event = self.message(message)?;
					if self.out.len() > MOST_OUTGOING {
						return Err(RtmpError::NotReading);
					}
					if event.is_some() {
						return Ok(event);
					}
				},
			}
		}
	}

	fn message(&mut self, message: Message) -> Result<Option<Event>, RtmpError> {
		let publishing = matches!(self.phase, Phase::Publishing);
		match message.kind {
			kinds::SIZE => self.chunks.set_size(number(&message)?)?,
			kinds::ABORT => self.chunks.abort(number(&message)?),
			kinds::WINDOW => self.window = number(&message)?.max(SMALLEST_WINDOW),
			kinds::USER => self.user(message.payload),
			kinds::COMMAND => return self.command(message.stream, &message.payload),
			// A byte that says that AMF0 follows.
			kinds::COMMAND_3 if !message.payload.is_empty() => {
				return self.command(message.stream, &message.payload.slice(1..));
			},
			kinds::SOUND | kinds::PICTURE if publishing => {
				return Ok(media(message.kind, message.stamp, message.payload).map(Event::Tag));
			},
			kinds::AGGREGATE if publishing => {
				self.aggregate = Some(Aggregate {
					rest: message.payload,
					stamp: message.stamp,
					first: None,
				});
			},
			kinds::DATA if publishing => return Ok(data(&message.payload)),
			kinds::DATA_3 if publishing && !message.payload.is_empty() => {
				return Ok(data(&message.payload.slice(1..)));
			},
			// Acknowledgements, what bandwidth it wants us to use, shared objects; and what comes too early.
			_ => {},
		}
		Ok(None)
	}

	/// Answers a ping.
	fn user(&mut self, payload: Bytes) {
		if payload.len() >= 6 && payload[..2] == user::PING.to_be_bytes() {
			let mut pong = BytesMut::new();
			pong.put_u16(user::PONG);
			pong.put_slice(&payload[2..6]);
			self.send(2, kinds::USER, 0, pong);
		}
	}

	fn command(&mut self, stream: u32, payload: &Bytes) -> Result<Option<Event>, RtmpError> {
		let values = amf::read(payload)?;
		let name = values.first().and_then(Value::text).map_or(&b""[..], |name| name);
		let transaction = values.get(1).and_then(Value::number).unwrap_or_default();
		match name {
			b"connect" => self.connect(transaction, values.get(2)),
			b"releaseStream" => self.result(transaction, None),
			b"FCPublish" => {
				self.notice("onFCPublish", "NetStream.Publish.Start");
				self.result(transaction, None);
			},
			b"createStream" => self.result(transaction, Some(STREAM)),
			b"publish" => {
				let name = values.get(3).and_then(Value::text);
				let (Some(Secret(app)), Some(name)) = (&self.app, name) else {
					return Err(RtmpError::NoPath);
				};
				if matches!(self.phase, Phase::Publishing) {
					return Err(RtmpError::Twice);
				}
				let path = Path::new(app.clone(), name.clone());
				self.stream = stream;
				self.phase = Phase::Asked;
				return Ok(Some(Event::Publish {
					path,
					program: self.program.clone(),
				}));
			},
			b"play" | b"play2" => return Err(RtmpError::Plays),
			b"FCUnpublish" | b"deleteStream" | b"closeStream" if matches!(self.phase, Phase::Publishing) => {
				self.phase = Phase::Open;
				self.chunks.set_limits(chunk::Limits {
					// A chunk stream once used is used again.
					message: BEFORE_PUBLISH.message,
					..AFTER_PUBLISH
				});
				self.notice("onFCUnpublish", "NetStream.Unpublish.Success");
				self.status("status", "NetStream.Unpublish.Success", "no longer publishing");
				return Ok(Some(Event::Finished));
			},
			// `_checkbw`, `getStreamLength` and the like: nobody waits for an answer.
			_ => {},
		}
		Ok(None)
	}

	fn connect(&mut self, transaction: f64, properties: Option<&Value>) {
		let text = |key: &str| properties.and_then(|object| object.get(key)).and_then(Value::text);
		// Without an app: what stands behind the host in the address.
		let app = text("app").cloned().or_else(|| {
			let url = text("tcUrl")?;
			let host = url.windows(3).position(|w| w == b"://")? + 3;
			let slash = url[host..].iter().position(|byte| *byte == b'/')?;
			Some(url.slice(host + slash + 1..))
		});
		self.app = Some(Secret(app.unwrap_or_default()));
		self.program = text("flashVer").and_then(metadata::printable);
		let word = |word: u32| {
			let mut payload = BytesMut::new();
			payload.put_u32(word);
			payload
		};
		self.send(2, kinds::WINDOW, 0, word(WINDOW));
		let mut bandwidth = word(WINDOW);
		// "Dynamic".
		bandwidth.put_u8(2);
		self.send(2, kinds::BANDWIDTH, 0, bandwidth);
		self.send(2, kinds::SIZE, 0, word(SIZE as u32));
		let mut out = BytesMut::new();
		amf::put_text(&mut out, "_result");
		amf::put_number(&mut out, transaction);
		// Encoders of old look for Adobe's server.
		amf::put_object(
			&mut out,
			&[
				("fmsVer", Property::Text("FMS/3,0,1,123")),
				("capabilities", Property::Number(31.0)),
			],
		);
		amf::put_object(
			&mut out,
			&[
				("level", Property::Text("status")),
				("code", Property::Text("NetConnection.Connect.Success")),
				("description", Property::Text("connected")),
				("objectEncoding", Property::Number(0.0)),
			],
		);
		self.send(3, kinds::COMMAND, 0, out);
	}

	fn result(&mut self, transaction: f64, value: Option<f64>) {
		let mut out = BytesMut::new();
		amf::put_text(&mut out, "_result");
		amf::put_number(&mut out, transaction);
		amf::put_null(&mut out);
		match value {
			Some(value) => amf::put_number(&mut out, value),
			None => amf::put_null(&mut out),
		}
		self.send(3, kinds::COMMAND, 0, out);
	}

	fn status(&mut self, level: &str, code: &str, description: &str) {
		let mut out = BytesMut::new();
		amf::put_text(&mut out, "onStatus");
		amf::put_number(&mut out, 0.0);
		amf::put_null(&mut out);
		amf::put_object(
			&mut out,
			&[
				("level", Property::Text(level)),
				("code", Property::Text(code)),
				("description", Property::Text(description)),
			],
		);
		self.send(5, kinds::COMMAND, self.stream, out);
	}

	fn notice(&mut self, name: &str, code: &str) {
		let mut out = BytesMut::new();
		amf::put_text(&mut out, name);
		amf::put_number(&mut out, 0.0);
		amf::put_null(&mut out);
		amf::put_object(
			&mut out,
			&[("level", Property::Text("status")), ("code", Property::Text(code))],
		);
		self.send(3, kinds::COMMAND, 0, out);
	}

	fn send(&mut self, chunk_stream: u8, kind: u8, stream: u32, payload: BytesMut) {
		let message = Message {
			kind,
			stream,
			stamp: 0,
			payload: payload.freeze(),
		};
		// Ours are shorter than a chunk before they know of its size, but for the answer to `connect`, which follows it.
		chunk::write(chunk_stream, SIZE, &message, &mut self.out);
	}

	fn acknowledge(&mut self) {
		if self.shook_hands() && self.received.wrapping_sub(self.acknowledged) >= self.window {
			self.acknowledged = self.received;
			let mut out = BytesMut::new();
			out.put_u32(self.received);
			self.send(2, kinds::ACKNOWLEDGEMENT, 0, out);
		}
	}

	/// The next of an aggregate's tags; what is cut off or of no use is left out.
	fn next_of_aggregate(&mut self) -> Option<Tag> {
		let aggregate = self.aggregate.as_mut()?;
		while aggregate.rest.len() >= 11 {
			let header = aggregate.rest.split_to(11);
			let length = u32::from_be_bytes([0, header[1], header[2], header[3]]) as usize;
			if length > aggregate.rest.len() {
				break;
			}
			let body = aggregate.rest.split_to(length);
			// The length behind it.
			aggregate.rest.advance(aggregate.rest.len().min(4));
			let said = u32::from_be_bytes([header[7], header[4], header[5], header[6]]);
			let first = *aggregate.first.get_or_insert(said);
			let stamp = aggregate.stamp.wrapping_add(said.wrapping_sub(first));
			if let Some(tag) = media(header[0], stamp, body) {
				return Some(tag);
			}
		}
		self.aggregate = None;
		None
	}
}

/// Tags in one message, as a file has them.
#[derive(Debug)]
struct Aggregate {
	/// Not yet handed over.
	rest: Bytes,
	/// Of the message, which is that of its first tag.
	stamp: u32,
	/// What the first tag has as its own.
	first: Option<u32>,
}

fn media(kind: u8, stamp: u32, body: Bytes) -> Option<Tag> {
	let kind = flv::kind(kind).filter(|kind| *kind != flv::Kind::Script)?;
	Some(Tag { kind, stamp, body }.plain())
}

/// Metadata, if it is that and can be read.
fn data(payload: &Bytes) -> Option<Event> {
	if payload.len() > LONGEST_DATA {
		return None;
	}
	let values = amf::read(payload).ok()?;
	let mut values = values
		.iter()
		.skip_while(|value| value.text().is_some_and(|name| name == "@setDataFrame"));
	let name = values.next()?.text()?;
	let properties = values.next()?;
	(name == "onMetaData").then(|| Event::Metadata(Metadata::new(properties)))
}

/// The word that a control message holds.
fn number(message: &Message) -> Result<u32, RtmpError> {
	let word = message.payload.first_chunk().ok_or(RtmpError::Control {
		kind: message.kind,
		length: message.payload.len(),
	})?;
	Ok(u32::from_be_bytes(*word))
}

#[cfg(test)]
mod tests;
