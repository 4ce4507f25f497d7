//! Sends a film over RTMP in its time. Who is thrown out or refused comes again with the next key frame.

use crate::film::{Film, Timed};
use bytes::{BufMut, Bytes, BytesMut};
use clustercast_media::{
	flv::{Content, Kind},
	rtmp::{
		amf::{self, Property},
		chunk::{self, Message},
	},
};
use std::{
	io::{self, Read, Write},
	net::TcpStream,
	thread::{self, JoinHandle},
	time::{Duration, Instant},
};

pub const APP: &str = "live";
pub const KEY: &str = "key";

/// Before it comes again.
const AGAIN: Duration = Duration::from_millis(300);

/// Writing a tag that takes longer is a fault of the door.
const PATIENCE: Duration = Duration::from_secs(5);

/// Plays it from `begins` on. `vanish`: it keeps its connection until `end`, and says nothing.
pub fn spawn(film: Film, port: u16, begins: Instant, end: Instant, vanish: bool) -> JoinHandle<()> {
	thread::spawn(move || {
		let mut connection = None;
		let mut again = begins;
		let mut headers: [Option<Timed>; 2] = [None, None];
		let mut has_pictures = film.tags.iter().any(|timed| timed.key);
		for timed in &film.tags {
			let at = begins + Duration::from_secs_f64(timed.arrives);
			thread::sleep(at.saturating_duration_since(Instant::now()));
			if matches!(
				timed.tag.content(),
				Ok(Content::PictureHeader(_) | Content::SoundHeader(_))
			) {
				headers[usize::from(timed.tag.kind == Kind::Sound)] = Some(timed.clone());
			}
			if connection.is_none() {
				// With what can be decoded.
				if Instant::now() < again || (has_pictures && again != begins && !timed.key) {
					continue;
				}
				let known: Vec<_> = headers.iter().flatten().cloned().collect();
				connection = connect(port, &known).ok();
				has_pictures |= timed.key;
			}
			let sent = connection.as_mut().map(|stream| send(stream, timed));
			if !matches!(sent, Some(Ok(()))) {
				connection = None;
				again = Instant::now() + AGAIN;
			}
		}
		if vanish {
			thread::sleep(end.saturating_duration_since(Instant::now()));
		}
	})
}

fn connect(port: u16, headers: &[Timed]) -> io::Result<TcpStream> {
	let mut stream = TcpStream::connect(("127.0.0.1", port))?;
	stream.set_nodelay(true)?;
	stream.set_write_timeout(Some(PATIENCE))?;
	let mut hello = BytesMut::new();
	hello.put_u8(3);
	hello.put_bytes(7, 2 * 1536);
	let mut connect = call("connect", 1.0);
	let properties = [("app", Property::Text(APP)), ("flashVer", Property::Text("FMLE/3.0"))];
	amf::put_object(&mut connect, &properties);
	let mut create = call("createStream", 2.0);
	amf::put_null(&mut create);
	let mut publish = call("publish", 3.0);
	amf::put_null(&mut publish);
	amf::put_text(&mut publish, KEY);
	for command in [connect, create, publish] {
		write(20, 0, command.freeze(), &mut hello);
	}
	stream.write_all(&hello)?;
	let mut answers = stream.try_clone()?;
	// Until it is closed.
	thread::spawn(move || while answers.read(&mut [0; 4096]).is_ok_and(|bytes| bytes > 0) {});
	for header in headers {
		send(&mut stream, header)?;
	}
	Ok(stream)
}

fn call(name: &str, number: f64) -> BytesMut {
	let mut out = BytesMut::new();
	amf::put_text(&mut out, name);
	amf::put_number(&mut out, number);
	out
}

fn send(stream: &mut TcpStream, timed: &Timed) -> io::Result<()> {
	let kind = if timed.tag.kind == Kind::Picture { 9 } else { 8 };
	let mut out = BytesMut::new();
	write(kind, timed.tag.stamp, timed.tag.body.clone(), &mut out);
	stream.write_all(&out)
}

fn write(kind: u8, stamp: u32, payload: Bytes, out: &mut BytesMut) {
	let message = Message {
		kind,
		stream: 1,
		stamp,
		payload,
	};
	chunk::write(4, chunk::DEFAULT_SIZE, &message, out);
}
