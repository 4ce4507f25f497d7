//! What a publisher says of its stream in `onMetaData`. Nothing is decided by it: encoders are wrong about it.

use super::amf::Value;
use bytes::Bytes;

/// Most letters of a name that go into a log.
const NAME: usize = 80;

/// All of it may be missing or wrong.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Metadata {
	/// Name of the program, printable.
	pub encoder: Option<String>,
	/// Pixels a row.
	pub width: Option<u32>,
	/// Rows.
	pub height: Option<u32>,
	/// Pictures a second.
	pub rate: Option<f64>,
	/// Samples a second.
	pub sample_rate: Option<u32>,
	/// Of the sound.
	pub channels: Option<u32>,
	/// Of picture and sound together as announced, kb/s.
	pub kilobits: Option<u32>,
}

impl Metadata {
	/// Of the object behind `onMetaData`.
	pub fn new(properties: &Value) -> Self {
		let number = |key: &str| {
			properties
				.get(key)
				.and_then(Value::number)
				.filter(|n| n.is_finite() && *n > 0.0)
		};
		let whole = |key: &str| number(key).filter(|n| *n < 1e9).map(|n| n.round() as u32);
		let rates = [number("videodatarate"), number("audiodatarate")];
		Self {
			encoder: properties.get("encoder").and_then(Value::text).and_then(printable),
			width: whole("width"),
			height: whole("height"),
			rate: number("framerate").or(number("fps")).filter(|rate| *rate < 1000.0),
			sample_rate: whole("audiosamplerate"),
			channels: whole("audiochannels").or(match properties.get("stereo") {
				Some(Value::Boolean(stereo)) => Some(1 + u32::from(*stereo)),
				_ => None,
			}),
			kilobits: rates
				.iter()
				.flatten()
				.copied()
				.reduce(|a, b| a + b)
				.filter(|rate| *rate < 1e9)
				.map(|rate| rate.round() as u32),
		}
	}
}

/// What may be logged of a stranger's text: no control characters, at most [`NAME`] letters.
pub(super) fn printable(text: &Bytes) -> Option<String> {
	let text = String::from_utf8_lossy(text);
	let text: String = text.chars().filter(|c| !c.is_control()).take(NAME).collect();
	let text = text.trim();
	(!text.is_empty()).then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn metadata_is_what_it_says_and_nothing_that_it_cannot_be() {
		let number = |key: &'static str, number: f64| (key.into(), Value::Number(number));
		let object = Value::Object(vec![
			number("width", 1280.0),
			number("height", f64::NAN),
			number("framerate", 29.97),
			number("videodatarate", 2500.0),
			number("audiodatarate", 160.0),
			number("audiosamplerate", -1.0),
			("stereo".into(), Value::Boolean(true)),
			("encoder".into(), Value::Text("obs\n\x1b[31m (libobs)".into())),
		]);
		assert_eq!(
			Metadata::new(&object),
			Metadata {
				encoder: Some("obs[31m (libobs)".into()),
				width: Some(1280),
				rate: Some(29.97),
				channels: Some(2),
				kilobits: Some(2660),
				..Metadata::default()
			}
		);
		assert_eq!(Metadata::new(&Value::Null), Metadata::default());
		let long = Value::Object(vec![("encoder".into(), Value::Text("é".repeat(500).into()))]);
		assert_eq!(
			Metadata::new(&long).encoder.map(|name| name.chars().count()),
			Some(NAME)
		);
	}
}
