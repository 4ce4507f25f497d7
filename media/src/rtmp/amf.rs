//! AMF0 values, of bounded depth and number. Texts stay bytes: keys are compared, not read.

use bytes::{Buf, BufMut, Bytes, BytesMut};

/// Objects and arrays inside each other. `connect` has one, metadata two.
pub const DEPTH: usize = 8;

/// Values of a message, properties too. Metadata has about twenty.
pub const VALUES: usize = 1024;

/// A value.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
	/// Also dates: milliseconds since 1970.
	Number(f64),
	/// Yes or no.
	Boolean(bool),
	/// Usually UTF-8.
	Text(Bytes),
	/// Objects and associative arrays.
	Object(Vec<(Bytes, Value)>),
	/// Values in a row.
	Array(Vec<Value>),
	/// Nothing, or nothing of use.
	Null,
}

/// Why bytes are no AMF0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AmfError {
	/// Ends within a value.
	#[error("it ends early")]
	Short,
	/// A type that does not exist.
	#[error("unknown type {0:#04x}")]
	Type(u8),
	/// More than [`DEPTH`].
	#[error("nested more than {DEPTH} deep")]
	Deep,
	/// More than [`VALUES`].
	#[error("more than {VALUES} values")]
	Many,
}

impl Value {
	/// The text, if it is one.
	pub fn text(&self) -> Option<&Bytes> {
		match self {
			Self::Text(text) => Some(text),
			_ => None,
		}
	}

	/// The number, if it is one.
	pub fn number(&self) -> Option<f64> {
		match self {
			Self::Number(number) => Some(*number),
			_ => None,
		}
	}

	/// A property of an object.
	pub fn get(&self, key: &str) -> Option<&Value> {
		match self {
			Self::Object(properties) => properties
				.iter()
				.find(|(k, _)| k == key.as_bytes())
				.map(|(_, value)| value),
			_ => None,
		}
	}
}

/// All values of a message. What is AMF3 inside it, and behind that, is left out: publishers say nothing of use in it.
pub fn read(bytes: &Bytes) -> Result<Vec<Value>, AmfError> {
	let mut reader = Reader {
		rest: bytes.clone(),
		values: 0,
	};
	let mut values = Vec::new();
	while let Some(kind) = reader.rest.first() {
		if *kind == kinds::AMF3 {
			break;
		}
		values.push(reader.value(0)?);
	}
	Ok(values)
}

mod kinds {
	pub const NUMBER: u8 = 0;
	pub const BOOLEAN: u8 = 1;
	pub const TEXT: u8 = 2;
	pub const OBJECT: u8 = 3;
	pub const NULL: u8 = 5;
	pub const UNDEFINED: u8 = 6;
	pub const REFERENCE: u8 = 7;
	pub const MAP: u8 = 8;
	pub const END: u8 = 9;
	pub const ARRAY: u8 = 10;
	pub const DATE: u8 = 11;
	pub const LONG_TEXT: u8 = 12;
	pub const UNSUPPORTED: u8 = 13;
	pub const XML: u8 = 15;
	pub const TYPED: u8 = 16;
	pub const AMF3: u8 = 17;
}

struct Reader {
	rest: Bytes,
	/// Read so far.
	values: usize,
}

impl Reader {
	fn value(&mut self, depth: usize) -> Result<Value, AmfError> {
		self.values += 1;
		if self.values > VALUES {
			return Err(AmfError::Many);
		}
		if depth > DEPTH {
			return Err(AmfError::Deep);
		}
		Ok(match self.take(1)?[0] {
			kinds::NUMBER => Value::Number(self.take(8)?.get_f64()),
			kinds::BOOLEAN => Value::Boolean(self.take(1)?[0] != 0),
			kinds::TEXT => Value::Text(self.text()?),
			kinds::OBJECT => self.object(depth)?,
			kinds::NULL | kinds::UNDEFINED | kinds::UNSUPPORTED => Value::Null,
			kinds::REFERENCE => {
				self.take(2)?;
				Value::Null
			},
			kinds::MAP => {
				// How many there are: encoders do not agree what to count.
				self.take(4)?;
				self.object(depth)?
			},
			kinds::ARRAY => {
				let count = self.take(4)?.get_u32();
				let mut values = Vec::new();
				for _ in 0..count {
					values.push(self.value(depth + 1)?);
				}
				Value::Array(values)
			},
			kinds::DATE => {
				let number = self.take(8)?.get_f64();
				self.take(2)?;
				Value::Number(number)
			},
			kinds::LONG_TEXT | kinds::XML => {
				let length = self.take(4)?.get_u32() as usize;
				Value::Text(self.take(length)?)
			},
			kinds::TYPED => {
				self.text()?;
				self.object(depth)?
			},
			other => return Err(AmfError::Type(other)),
		})
	}

	/// Properties up to the end's mark, or the end of the message, which some encoders think enough.
	fn object(&mut self, depth: usize) -> Result<Value, AmfError> {
		let mut properties = Vec::new();
		while !self.rest.is_empty() {
			let key = self.text()?;
			if key.is_empty() && self.rest.first() == Some(&kinds::END) {
				self.rest.advance(1);
				break;
			}
			properties.push((key, self.value(depth + 1)?));
		}
		Ok(Value::Object(properties))
	}

	fn text(&mut self) -> Result<Bytes, AmfError> {
		let length = self.take(2)?.get_u16();
		self.take(length.into())
	}

	fn take(&mut self, length: usize) -> Result<Bytes, AmfError> {
		if length > self.rest.len() {
			return Err(AmfError::Short);
		}
		Ok(self.rest.split_to(length))
	}
}

/// Writes a number.
pub fn put_number(out: &mut BytesMut, number: f64) {
	out.put_u8(kinds::NUMBER);
	out.put_f64(number);
}

/// Writes a text; of more than 65,535 bytes only the first.
pub fn put_text(out: &mut BytesMut, text: &str) {
	out.put_u8(kinds::TEXT);
	put_key(out, text);
}

/// Writes nothing's value.
pub fn put_null(out: &mut BytesMut) {
	out.put_u8(kinds::NULL);
}

/// Writes an object of texts and numbers.
pub fn put_object(out: &mut BytesMut, properties: &[(&str, Property<'_>)]) {
	out.put_u8(kinds::OBJECT);
	for (key, value) in properties {
		put_key(out, key);
		match value {
			Property::Text(text) => put_text(out, text),
			Property::Number(number) => put_number(out, *number),
		}
	}
	out.put_slice(&[0, 0, kinds::END]);
}

/// What our own objects hold.
#[derive(Clone, Copy, Debug)]
pub enum Property<'a> {
	/// A text.
	Text(&'a str),
	/// A number.
	Number(f64),
}

fn put_key(out: &mut BytesMut, key: &str) {
	let bytes = &key.as_bytes()[..key.len().min(usize::from(u16::MAX))];
	out.put_u16(bytes.len() as u16);
	out.put_slice(bytes);
}

#[cfg(test)]
mod tests {
	use super::*;

	fn read_of(bytes: &[u8]) -> Result<Vec<Value>, AmfError> {
		read(&Bytes::copy_from_slice(bytes))
	}

	fn text(text: &'static str) -> Value {
		Value::Text(text.into())
	}

	#[test]
	fn what_is_written_is_read() {
		let mut out = BytesMut::new();
		put_text(&mut out, "_result");
		put_number(&mut out, 1.5);
		put_null(&mut out);
		put_object(&mut out, &[("a", Property::Text("b")), ("c", Property::Number(2.0))]);
		let object = Value::Object(vec![("a".into(), text("b")), ("c".into(), Value::Number(2.0))]);
		assert_eq!(object.get("c").and_then(Value::number), Some(2.0));
		assert_eq!(
			read(&out.freeze()),
			Ok(vec![text("_result"), Value::Number(1.5), Value::Null, object])
		);
	}

	#[test]
	fn every_type_is_read() {
		let long = b"\x0C\0\0\0\x02ab";
		assert_eq!(read_of(long), Ok(vec![text("ab")]));
		assert_eq!(read_of(b"\x0F\0\0\0\x02ab\x05"), Ok(vec![text("ab"), Value::Null]));
		assert_eq!(
			read_of(b"\x01\x01\x06\x0D\x07\0\x01"),
			Ok(vec![Value::Boolean(true), Value::Null, Value::Null, Value::Null])
		);
		assert_eq!(
			read_of(b"\x0A\0\0\0\x02\x05\x02\0\x01a"),
			Ok(vec![Value::Array(vec![Value::Null, text("a")])])
		);
		assert_eq!(read_of(b"\x0B\x3F\xF0\0\0\0\0\0\0\0\0"), Ok(vec![Value::Number(1.0)]));
		let object = Value::Object(vec![("k".into(), Value::Null)]);
		assert_eq!(read_of(b"\x10\0\x01T\0\x01k\x05\0\0\x09"), Ok(vec![object.clone()]));
		// An associative array that counts wrongly, and one that just ends.
		assert_eq!(read_of(b"\x08\0\0\0\0\0\x01k\x05\0\0\x09"), Ok(vec![object.clone()]));
		assert_eq!(read_of(b"\x08\0\0\0\x01\0\x01k\x05"), Ok(vec![object]));
		// AMF3 inside.
		assert_eq!(read_of(b"\x05\x11\x0A\x0B"), Ok(vec![Value::Null]));
	}

	#[test]
	fn what_ends_early_or_has_no_type_is_an_error() {
		for bytes in [
			&b"\0"[..],
			b"\x02\0\x02a",
			b"\x03\0\x01",
			b"\x0A\xFF\xFF\xFF\xFF",
			b"\x0C\xFF\xFF\xFF\xFFa",
			b"\x01",
		] {
			assert_eq!(read_of(bytes), Err(AmfError::Short), "{bytes:?}");
		}
		assert_eq!(read_of(b"\x04"), Err(AmfError::Type(4)));
		assert_eq!(read_of(b"\x09"), Err(AmfError::Type(9)));
	}

	#[test]
	fn depth_and_number_are_bounded() {
		let nested = |depth: usize| [&b"\x03\0\x01a".repeat(depth)[..], b"\x05"].concat();
		assert!(read_of(&nested(DEPTH)).is_ok());
		assert_eq!(read_of(&nested(DEPTH + 1)), Err(AmfError::Deep));
		assert_eq!(read_of(&nested(20_000)), Err(AmfError::Deep));
		let arrays = b"\x0A\0\0\0\x01".repeat(20_000);
		assert_eq!(read_of(&arrays), Err(AmfError::Deep));
		assert_eq!(read_of(&vec![5; VALUES]).map(|v| v.len()), Ok(VALUES));
		assert_eq!(read_of(&vec![5; VALUES + 1]), Err(AmfError::Many));
	}
}
