//! Text of bounded length, in messages that are signed.

use alloc::{string::String, vec::Vec};
use bounded_collections::{BoundedVec, ConstU32};
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use core::fmt;
use scale_info::TypeInfo;

/// UTF-8 of at most `N` bytes, without control characters. A decoder refuses anything else.
#[derive(Clone, Default, PartialEq, Eq, Encode, MaxEncodedLen, TypeInfo)]
pub struct Text<const N: u32>(BoundedVec<u8, ConstU32<N>>);

/// Too long, or holds a control character.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TextError;

impl fmt::Display for TextError {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		f.write_str("text too long, or with control characters")
	}
}

impl core::error::Error for TextError {}

impl<const N: u32> Text<N> {
	/// As it was given.
	pub fn as_str(&self) -> &str {
		core::str::from_utf8(&self.0).unwrap_or_default()
	}

	/// Whether it is empty.
	pub fn is_empty(&self) -> bool {
		self.0.is_empty()
	}
}

impl<const N: u32> TryFrom<&str> for Text<N> {
	type Error = TextError;

	fn try_from(text: &str) -> Result<Self, TextError> {
		if text.chars().any(char::is_control) {
			return Err(TextError);
		}
		Vec::from(text).try_into().map(Self).map_err(|_| TextError)
	}
}

impl<const N: u32> Decode for Text<N> {
	fn decode<I: codec::Input>(input: &mut I) -> Result<Self, codec::Error> {
		let raw = BoundedVec::<u8, ConstU32<N>>::decode(input)?;
		let text = String::from_utf8(raw.into_inner()).map_err(|_| codec::Error::from("text is not UTF-8"))?;
		Self::try_from(text.as_str()).map_err(|_| codec::Error::from("text with control characters"))
	}
}

impl<const N: u32> DecodeWithMemTracking for Text<N> {}

impl<const N: u32> fmt::Display for Text<N> {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		f.write_str(self.as_str())
	}
}

impl<const N: u32> fmt::Debug for Text<N> {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		fmt::Debug::fmt(self.as_str(), f)
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn text_is_short_printable_utf8() {
		assert_eq!(Text::<4>::try_from("čaj").unwrap().as_str(), "čaj");
		assert_eq!(Text::<4>::try_from("čaje"), Err(TextError));
		assert_eq!(Text::<4>::try_from("a\nb"), Err(TextError));
		let decode = |raw: &[u8]| Text::<4>::decode(&mut &raw.to_vec().encode()[..]);
		assert_eq!(decode(b"abcd").unwrap().as_str(), "abcd");
		assert!(decode(b"abcde").is_err());
		assert!(decode(b"\xff").is_err());
		assert!(decode(b"\x1b[2J").is_err());
	}
}
