//! The publisher's side, as the bytes that it sends: what OBS says, and what nobody should. For tests and tools that push.

use super::{
	amf::{self, Property},
	chunk::{self, Message},
};
use bytes::{BufMut, Bytes, BytesMut};

/// RTMP's numbers of the messages that a publisher sends.
const SIZE: u8 = 1;
const COMMAND: u8 = 20;

/// Bytes that a publisher sends, put together.
#[derive(Clone, Debug)]
pub struct Script {
	bytes: BytesMut,
	/// Payload bytes of its chunks.
	size: usize,
}

impl Default for Script {
	fn default() -> Self {
		Self {
			bytes: BytesMut::new(),
			size: chunk::DEFAULT_SIZE,
		}
	}
}

impl Script {
	/// The greeting, with the answer to the server's.
	pub fn hello() -> Self {
		let mut script = Self::default();
		script.bytes.put_u8(3);
		script.bytes.put_bytes(7, 2 * 1536);
		script
	}

	/// As OBS does, up to `publish`.
	pub fn obs(app: &str, key: &str) -> Self {
		Self::hello()
			.connect(&[
				("app", app),
				("flashVer", "FMLE/3.0 (compatible; FMSc/1.0)"),
				("tcUrl", "rtmp://h/live"),
			])
			.call("releaseStream", 2.0, &[key])
			.call("FCPublish", 3.0, &[key])
			.call("createStream", 4.0, &[])
			.call("publish", 5.0, &[key, "live"])
	}

	/// Goes on where another one ended: with its size of chunks, and nothing to send yet.
	#[must_use]
	pub fn next(&self) -> Self {
		Self {
			bytes: BytesMut::new(),
			size: self.size,
		}
	}

	/// A message on the usual chunk stream.
	pub fn message(self, kind: u8, stamp: u32, payload: &[u8]) -> Self {
		self.message_on(4, kind, stamp, payload)
	}

	/// A message on a chunk stream from 2 to 63.
	pub fn message_on(mut self, chunk_stream: u8, kind: u8, stamp: u32, payload: &[u8]) -> Self {
		let message = Message {
			kind,
			stream: 1,
			stamp,
			payload: Bytes::copy_from_slice(payload),
		};
		chunk::write(chunk_stream, self.size, &message, &mut self.bytes);
		self
	}

	/// Chunks have so many bytes of payload from now on.
	pub fn chunks_of(self, size: u32) -> Self {
		let mut script = self.message_on(2, SIZE, 0, &size.to_be_bytes());
		script.size = size as usize;
		script
	}

	/// `connect` with these texts.
	pub fn connect(self, properties: &[(&str, &str)]) -> Self {
		let properties: Vec<_> = properties.iter().map(|(k, v)| (*k, Property::Text(v))).collect();
		let mut out = BytesMut::new();
		amf::put_text(&mut out, "connect");
		amf::put_number(&mut out, 1.0);
		amf::put_object(&mut out, &properties);
		self.message_on(3, COMMAND, 0, &out)
	}

	/// Another command, with these texts.
	pub fn call(self, name: &str, transaction: f64, arguments: &[&str]) -> Self {
		let mut out = BytesMut::new();
		amf::put_text(&mut out, name);
		amf::put_number(&mut out, transaction);
		amf::put_null(&mut out);
		arguments.iter().for_each(|argument| amf::put_text(&mut out, argument));
		self.message_on(3, COMMAND, 0, &out)
	}

	/// Bytes that are no RTMP, or not written otherwise.
	pub fn raw(mut self, bytes: &[u8]) -> Self {
		self.bytes.put_slice(bytes);
		self
	}

	/// What is to be sent.
	pub fn bytes(&self) -> &[u8] {
		&self.bytes
	}
}
