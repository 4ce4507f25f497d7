//! Where a node is asked, as people write it.

use serde::{de::Error as _, Deserialize, Deserializer, Serialize};
use std::{fmt, str::FromStr};
use url::Url;

/// Where programs look for a node when nobody says otherwise: on this machine.
const USUAL: &str = "ws://127.0.0.1:9944";

/// The JSON-RPC of a node, `ws://HOST:PORT` or `wss://HOST`. Shown without what may be a secret: user, password, path and query.
#[derive(Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct NodeUrl(String);

/// Why a node cannot be asked there.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UrlError {
	/// Another protocol, with what was probably meant.
	#[error("a node is asked over a WebSocket: write {0}")]
	NotWebSocket(String),
	/// Neither protocol.
	#[error("expected ws://HOST:PORT or wss://HOST")]
	Unknown,
	/// As the URL standard says.
	#[error("{0}; expected ws://HOST:PORT or wss://HOST")]
	Malformed(String),
}

impl NodeUrl {
	/// All of it, secrets included.
	pub fn as_str(&self) -> &str {
		&self.0
	}
}

impl Default for NodeUrl {
	fn default() -> Self {
		Self(USUAL.into())
	}
}

impl FromStr for NodeUrl {
	type Err = UrlError;

	fn from_str(text: &str) -> Result<Self, UrlError> {
		let text = text.trim();
		let (scheme, rest) = text.split_once("://").ok_or(UrlError::Unknown)?;
		match scheme {
			"ws" | "wss" => {},
			"http" => return Err(UrlError::NotWebSocket(format!("ws://{rest}"))),
			"https" => return Err(UrlError::NotWebSocket(format!("wss://{rest}"))),
			_ => return Err(UrlError::Unknown),
		}
		let url = Url::parse(text).map_err(|e| UrlError::Malformed(e.to_string()))?;
		if !url.has_host() {
			return Err(UrlError::Malformed("no host".into()));
		}
		Ok(Self(text.into()))
	}
}

impl fmt::Display for NodeUrl {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		// It was parsed when it was made.
		let Ok(url) = Url::parse(&self.0) else {
			return f.write_str("a node");
		};
		write!(f, "{}://{}", url.scheme(), url.host_str().unwrap_or_default())?;
		if let Some(port) = url.port() {
			write!(f, ":{port}")?;
		}
		match url.path() == "/" && url.query().is_none() {
			true => Ok(()),
			false => f.write_str("/..."),
		}
	}
}

impl fmt::Debug for NodeUrl {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		write!(f, "NodeUrl({self})")
	}
}

/// For settings: a text, in which commas may stand between several, or a list of texts.
pub fn one_or_many<'de, D: Deserializer<'de>>(d: D) -> Result<Vec<NodeUrl>, D::Error> {
	#[derive(Deserialize)]
	#[serde(untagged)]
	enum Texts {
		One(String),
		Many(Vec<String>),
	}
	let texts = match Texts::deserialize(d)? {
		Texts::One(text) => text.split(',').map(str::to_owned).collect(),
		Texts::Many(texts) => texts,
	};
	let parsed = texts.iter().map(|text| text.parse());
	parsed
		.collect::<Result<_, UrlError>>()
		.map_err(|e| D::Error::custom(format!("a node's URL: {e}")))
}

/// These, or where a node is usually.
pub fn or_usual(urls: Vec<NodeUrl>) -> Vec<NodeUrl> {
	match urls.is_empty() {
		true => vec![NodeUrl::default()],
		false => urls,
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	fn parse(text: &str) -> Result<NodeUrl, UrlError> {
		text.parse()
	}

	#[test]
	fn another_protocol_is_refused_with_what_to_write() {
		let meant = |text: &str| parse(text).unwrap_err().to_string();
		assert_eq!(
			meant("http://127.0.0.1:9944"),
			"a node is asked over a WebSocket: write ws://127.0.0.1:9944"
		);
		assert!(meant("https://node.example/key").ends_with("write wss://node.example/key"));
		for wrong in [
			"127.0.0.1:9944",
			"localhost",
			"",
			"tcp://a:1",
			"/ip4/127.0.0.1/tcp/9944",
		] {
			assert_eq!(parse(wrong), Err(UrlError::Unknown), "{wrong}");
		}
		for wrong in ["ws://", "ws://:9944", "ws://a:99999", "ws://a b:1", "ws://[::1:9944"] {
			assert!(matches!(parse(wrong), Err(UrlError::Malformed(_))), "{wrong}");
		}
		assert_eq!(parse("").unwrap_err(), UrlError::Unknown);
		assert_eq!(NodeUrl::default(), parse(USUAL).unwrap());
	}

	/// Who sells access puts the key into the URL, and logs go to others.
	#[test]
	fn what_may_be_secret_is_not_shown() {
		for (written, shown) in [
			("ws://127.0.0.1:9944", "ws://127.0.0.1:9944"),
			("wss://node.example", "wss://node.example"),
			("ws://[::1]:9944/", "ws://[::1]:9944"),
			("wss://node.example/v1/hush", "wss://node.example/..."),
			("wss://me:hush@node.example:444/?key=hush", "wss://node.example:444/..."),
		] {
			let url = parse(written).unwrap();
			assert_eq!((url.to_string().as_str(), url.as_str()), (shown, written));
			assert!(!format!("{url:?}").contains("hush"));
		}
	}

	#[test]
	fn settings_are_a_text_or_a_list() {
		#[derive(Deserialize)]
		struct Settings {
			#[serde(deserialize_with = "one_or_many")]
			rpc: Vec<NodeUrl>,
		}
		let urls = |json: &str| -> Result<Vec<String>, String> {
			let settings: Settings = serde_json::from_str(json).map_err(|e| e.to_string())?;
			Ok(settings.rpc.iter().map(ToString::to_string).collect())
		};
		let both = Ok(vec!["ws://a:1".to_owned(), "ws://b:2".to_owned()]);
		assert_eq!(urls(r#"{"rpc": ["ws://a:1", "ws://b:2"]}"#), both);
		assert_eq!(urls(r#"{"rpc": "ws://a:1, ws://b:2"}"#), both);
		assert_eq!(urls(r#"{"rpc": "ws://a:1"}"#), Ok(vec!["ws://a:1".to_owned()]));
		assert!(urls(r#"{"rpc": ["http://a:1"]}"#)
			.unwrap_err()
			.contains("write ws://a:1"));
		assert_eq!(or_usual(Vec::new()), [NodeUrl::default()]);
	}
}
