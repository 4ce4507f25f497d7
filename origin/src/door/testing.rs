//! A publisher's bytes, as OBS sends them, and as faulty ones do.

use super::address::{Found, Place};
use bytes::BytesMut;
use clustercast_media::{
	flv::{Kind, Tag},
	rtmp::{
		self,
		amf::{self, Property},
	},
};

/// Bytes that a publisher sends, put together.
#[derive(Clone, Default)]
pub struct Script(rtmp::Script);

impl Script {
	/// The greeting.
	pub fn hello() -> Self {
		Self(rtmp::Script::hello())
	}

	/// Bytes that are no RTMP.
	pub fn raw(bytes: &[u8]) -> Self {
		Self(rtmp::Script::default().raw(bytes))
	}

	/// All up to `publish`, of a path as OBS sends it.
	pub fn publish(app: &str, name: &str) -> Self {
		Self::hello()
			.connect(app)
			.call("createStream", None)
			.call("publish", Some(name))
	}

	/// Under the key of the tests, up to and with its first key frame.
	pub fn live() -> Self {
		Self::publish("live", "key").headers().frame(0, true)
	}

	pub fn message(self, kind: u8, stamp: u32, payload: &[u8]) -> Self {
		Self(self.0.message(kind, stamp, payload))
	}

	pub fn connect(self, app: &str) -> Self {
		Self(self.0.connect(&[("app", app), ("flashVer", "FMLE/3.0")]))
	}

	pub fn call(self, name: &str, argument: Option<&str>) -> Self {
		Self(self.0.call(name, 2.0, argument.as_slice()))
	}

	pub fn metadata(self) -> Self {
		let mut out = BytesMut::new();
		amf::put_text(&mut out, "@setDataFrame");
		amf::put_text(&mut out, "onMetaData");
		let texts = [("encoder", Property::Text("obs-output"))];
		let numbers = [
			("width", 1280.0),
			("height", 720.0),
			("framerate", 30.0),
			("videodatarate", 2500.0),
		];
		let properties: Vec<_> = texts
			.into_iter()
			.chain(numbers.map(|(k, n)| (k, Property::Number(n))))
			.collect();
		amf::put_object(&mut out, &properties);
		self.message(18, 0, &out)
	}

	/// Of picture and sound: AAC at 44.1 kHz, mono.
	pub fn headers(self) -> Self {
		self.picture_header().sound_header()
	}

	pub fn picture_header(self) -> Self {
		self.message(9, 0, b"\x17\0\0\0\0avcC")
	}

	pub fn sound_header(self) -> Self {
		self.message(8, 0, b"\xAF\0\x12\x08")
	}

	pub fn frame(self, stamp: u32, key: bool) -> Self {
		self.message(
			9,
			stamp,
			if key {
				b"\x17\x01\0\0\0key"
			} else {
				b"\x27\x01\0\0\0frame"
			},
		)
	}

	pub fn sound(self, stamp: u32) -> Self {
		self.message(8, stamp, b"\xAF\x01sound")
	}

	pub fn bytes(&self) -> &[u8] {
		self.0.bytes()
	}
}

/// A key as it may have been found.
pub fn found(key: &str) -> Found {
	Found {
		key: key.parse().unwrap(),
		place: Place::File("origin/rtmp.key".into()),
		made: false,
	}
}

/// What tests call a tag.
pub fn name(tag: &Tag) -> String {
	let what = match (tag.kind, tag.body[0] >> 4, tag.body[1]) {
		(Kind::Picture, _, 0) => "picture header",
		(Kind::Picture, _, 2) => "end",
		(Kind::Picture, 1, 1) => "key",
		(Kind::Picture, ..) => "frame",
		(Kind::Sound, _, 0) => "sound header",
		_ => "sound",
	};
	format!("{what} {}", tag.stamp)
}
