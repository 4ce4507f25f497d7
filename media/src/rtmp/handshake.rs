//! 1,536 bytes there and back. The plain handshake: publishers of all kinds take it, also those that offer Adobe's digest.

use bytes::BytesMut;

/// Bytes of each half.
const BYTES: usize = 1536;

/// The only version.
const VERSION: u8 = 3;

/// Why somebody does not speak RTMP.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HandshakeError {
	/// A TLS greeting.
	#[error("TLS (rtmps://) where rtmp:// is spoken")]
	Tls,
	/// RTMPE.
	#[error("encrypted RTMP (rtmpe://), which nothing here decrypts")]
	Encrypted,
	/// A browser, a health check.
	#[error("HTTP where RTMP is spoken")]
	Http,
	/// Anything else.
	#[error("no RTMP (its first byte is {0:#04x})")]
	Stranger(u8),
}

/// The server's side.
#[derive(Debug, Default)]
pub struct Handshake {
	held: BytesMut,
	/// Our half is sent.
	answered: bool,
}

impl Handshake {
	/// Whether the peer's greeting is whole: our half is sent, and may be on its way for a round trip.
	pub fn is_answered(&self) -> bool {
		self.answered
	}

	/// Whether it is over; takes from `input` what belongs to it, and appends what is to be sent.
	///
	/// # Errors
	/// With the first byte that is not RTMP's.
	pub fn read(&mut self, input: &mut &[u8], out: &mut BytesMut) -> Result<bool, HandshakeError> {
		if !self.answered {
			if self.held.is_empty() {
				match input.first() {
					None => return Ok(false),
					Some(&VERSION) => {},
					Some(0x16) => return Err(HandshakeError::Tls),
					Some(6 | 8 | 9) => return Err(HandshakeError::Encrypted),
					Some(letter) if letter.is_ascii_uppercase() => return Err(HandshakeError::Http),
					Some(other) => return Err(HandshakeError::Stranger(*other)),
				}
			}
			if !self.take(1 + BYTES, input) {
				return Ok(false);
			}
			// Time and version are 0: no digest. The rest may be anything, as nobody's answer to it is looked at.
			out.extend_from_slice(&[VERSION]);
			out.extend_from_slice(&[0; BYTES]);
			out.extend_from_slice(&self.held[1..]);
			self.held.clear();
			self.answered = true;
		}
		let over = self.take(BYTES, input);
		if over {
			self.held = BytesMut::new();
		}
		Ok(over)
	}

	/// Whether so many are held.
	fn take(&mut self, need: usize, input: &mut &[u8]) -> bool {
		let (taken, rest) = input.split_at((need - self.held.len()).min(input.len()));
		self.held.extend_from_slice(taken);
		*input = rest;
		self.held.len() == need
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	fn client(first: &[u8]) -> Vec<u8> {
		let mut bytes = first.to_vec();
		bytes.extend((0..BYTES).map(|i| i as u8));
		bytes
	}

	#[test]
	fn greeting_is_answered_with_its_echo_however_it_is_cut() {
		let all = [client(&[3]), client(&[]), b"behind".to_vec()].concat();
		for cut in [1, 7, 1536, 1537, 1538, 3073, 3079] {
			let (mut handshake, mut out) = (Handshake::default(), BytesMut::new());
			let mut over = false;
			let mut behind = Vec::new();
			for mut piece in all.chunks(cut) {
				if !over {
					over = handshake.read(&mut piece, &mut out).unwrap();
				}
				behind.extend_from_slice(piece);
			}
			assert!(over);
			assert_eq!(behind, b"behind");
			assert_eq!(out.len(), 1 + 2 * BYTES);
			assert_eq!(out[0], 3);
			assert_eq!(out[1 + BYTES..], client(&[]));
		}
	}

	#[test]
	fn nothing_is_said_before_the_greeting_is_whole() {
		let (mut handshake, mut out) = (Handshake::default(), BytesMut::new());
		let greeting = client(&[3]);
		assert_eq!(handshake.read(&mut &greeting[..BYTES], &mut out), Ok(false));
		assert!(out.is_empty());
		assert_eq!(handshake.read(&mut &greeting[BYTES..], &mut out), Ok(false));
		assert!(!out.is_empty());
	}

	#[test]
	fn first_byte_tells_who_speaks_something_else() {
		let says = |first: &[u8]| Handshake::default().read(&mut &first[..], &mut BytesMut::new());
		assert_eq!(says(b"GET / HTTP/1.1"), Err(HandshakeError::Http));
		assert_eq!(says(&[0x16, 3, 1]), Err(HandshakeError::Tls));
		assert_eq!(says(&[6]), Err(HandshakeError::Encrypted));
		assert_eq!(says(&[0]), Err(HandshakeError::Stranger(0)));
		assert_eq!(says(&[]), Ok(false));
	}
}
