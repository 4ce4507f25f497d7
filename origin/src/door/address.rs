//! Where publishers come to, and the key that lets them in: parsed, found or made at the start, and never shown.
//!
//! | publisher | sends of `rtmp://HOST/live/a/b%2Fc` |
//! | --- | --- |
//! | OBS | app `live`, name `a/b%2Fc` (as typed under "Stream key") |
//! | FFmpeg | app `live/a`, name `b%2Fc`; a name without its `.flv`, or with `mp4:` before one that ends in `.mp4` |
//! | librtmp, GStreamer | app `live/a`, name `b/c` |
//!
//! So app and name are joined and compared as a whole, with each of the forms that the key may take on its way.

use clustercast_chain::files;
use clustercast_media::rtmp::Path as Presented;
use rand::{rngs::OsRng, Rng};
use std::{
	fmt, fs, io,
	net::IpAddr,
	os::unix::fs::PermissionsExt,
	path::{Path, PathBuf},
	str::FromStr,
};
use subtle::{Choice, ConstantTimeEq};

/// RTMP's registered port.
const PORT: u16 = 1935;

/// Where nothing else is said. What services tell their users, too.
const APP: &str = "live";

/// Environment variable that may hold the key. Children of the program must not inherit it: `ps e` shows it.
pub const ENVIRONMENT: &str = "CLUSTERCAST_ORIGIN_STREAM_KEY";

/// Longest key, bytes. FFmpeg keeps 511 of the name and 1,023 of the whole address.
pub const LONGEST_KEY: usize = 400;

/// Longest app, bytes; with the key it has to fit into what publishers keep.
const LONGEST_APP: usize = 100;

/// Letters of a key that we make: 130 bits.
const MADE_KEY: usize = 26;

/// Without those that look like others.
const LETTERS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";

/// Longest file that is looked at for a key, bytes.
const LONGEST_FILE: u64 = 4096;

/// Why a text is no address. Never repeats the text: a key may be in it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AddressError {
	/// Not its shape at all.
	#[error("write it like rtmp://0.0.0.0:1935/live, or rtmp://0.0.0.0:1935/live/KEY")]
	Shape,
	/// No name or address of an interface.
	#[error("the host is missing or has characters that no host has; an IPv6 address stands in brackets: rtmp://[::]:1935/live")]
	Host,
	/// Not from 0 to 65,535.
	#[error("the port is not a number from 0 to 65535")]
	Port,
	/// Characters or length that no publisher can send.
	#[error("the app (behind the port) {0}")]
	App(TextError),
	/// Likewise.
	#[error("the stream key {0}")]
	Key(#[from] KeyError),
}

/// Why a text is no stream key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(transparent)]
pub struct KeyError(TextError);

/// What is wrong with a text that publishers are to send.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TextError {
	/// Nothing there.
	#[error("is empty")]
	Empty,
	/// Longer than publishers send.
	#[error("has {length} bytes; publishers send at most {limit}")]
	Long {
		/// As given.
		length: usize,
		/// What they send for certain.
		limit: usize,
	},
	/// A blank, a tabulator, a line break.
	#[error("has a space or a line break, where publishers cut it off")]
	Space,
	/// Any other control character.
	#[error("has a control character, which publishers do not send")]
	Control,
}

fn check(text: &str, limit: usize) -> Result<(), TextError> {
	let length = text.len();
	if length == 0 {
		Err(TextError::Empty)
	} else if length > limit {
		Err(TextError::Long { length, limit })
	} else if text.chars().any(char::is_whitespace) {
		Err(TextError::Space)
	} else if text.chars().any(char::is_control) {
		Err(TextError::Control)
	} else {
		Ok(())
	}
}

/// Where to listen, and the key if it stands there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
	/// Name or IP address of an interface of this machine, without brackets.
	pub host: String,
	/// TCP port; 0 takes a free one.
	pub port: u16,
	/// What OBS has behind the last slash of "Server".
	pub app: String,
	/// Everything behind the app.
	pub key: Option<StreamKey>,
}

impl FromStr for Address {
	type Err = AddressError;

	fn from_str(text: &str) -> Result<Self, AddressError> {
		let text = text.strip_prefix("rtmp://").ok_or(AddressError::Shape)?;
		let (authority, path) = text.split_once('/').unwrap_or((text, ""));
		let (app, key) = match path.split_once('/') {
			Some((app, "")) => (app, None),
			Some((app, key)) => (app, Some(key)),
			None => (path, None),
		};
		let (host, port) = split_authority(authority)?;
		let app = if app.is_empty() && key.is_none() { APP } else { app };
		check(app, LONGEST_APP).map_err(AddressError::App)?;
		Ok(Self {
			host: host.into(),
			port,
			app: app.into(),
			key: key.map(str::parse).transpose()?,
		})
	}
}

impl fmt::Display for Address {
	/// Without the key.
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		let Self { host, port, app, .. } = self;
		match host.contains(':') {
			true => write!(f, "rtmp://[{host}]:{port}/{app}"),
			false => write!(f, "rtmp://{host}:{port}/{app}"),
		}
	}
}

impl Address {
	/// The server as it is typed into an encoder: listening on all addresses is no address to send to. `port`: the one that was taken.
	pub fn as_typed(&self, port: u16) -> String {
		let everywhere = self.host.parse().is_ok_and(|ip: IpAddr| ip.is_unspecified());
		let address = Self {
			host: if everywhere { "127.0.0.1" } else { &self.host }.into(),
			port,
			..self.clone()
		};
		match everywhere {
			true => format!("{address} (from elsewhere with this machine's address)"),
			false => address.to_string(),
		}
	}
}

fn split_authority(authority: &str) -> Result<(&str, u16), AddressError> {
	let (host, rest) = match authority.strip_prefix('[') {
		Some(rest) => rest.split_once(']').ok_or(AddressError::Host)?,
		None => authority.split_at(authority.find(':').unwrap_or(authority.len())),
	};
	let port = match rest.strip_prefix(':') {
		Some(port) => port.parse().map_err(|_| AddressError::Port)?,
		None if rest.is_empty() => PORT,
		None => return Err(AddressError::Host),
	};
	let brackets = authority.starts_with('[');
	let good = |c: char| c.is_ascii_alphanumeric() || "-._".contains(c) || (brackets && ":%".contains(c));
	if host.is_empty() || !host.chars().all(good) {
		return Err(AddressError::Host);
	}
	Ok((host, port))
}

/// The secret that lets publish. Neither printed nor logged.
#[derive(Clone, PartialEq, Eq)]
pub struct StreamKey(String);

impl fmt::Debug for StreamKey {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		f.write_str("StreamKey(secret)")
	}
}

impl FromStr for StreamKey {
	type Err = KeyError;

	fn from_str(text: &str) -> Result<Self, KeyError> {
		check(text, LONGEST_KEY).map_err(KeyError)?;
		Ok(Self(text.into()))
	}
}

impl StreamKey {
	/// A fresh one, from the operating system's entropy.
	pub fn make() -> Self {
		let letter = |_| char::from(LETTERS[OsRng.gen_range(0..LETTERS.len())]);
		Self((0..MADE_KEY).map(letter).collect())
	}

	/// The key itself, for whoever has to type it into a publisher.
	pub fn reveal(&self) -> &str {
		&self.0
	}

	/// The forms in which app and name together may come.
	fn forms(&self, app: &str) -> Vec<Vec<u8>> {
		let mut names = Vec::new();
		for key in [self.0.as_bytes().to_vec(), decoded(&self.0)] {
			if let Some(cut) = key.strip_suffix(b".flv") {
				names.push(cut.to_vec());
			}
			if key.ends_with(b".mp4") || key.ends_with(b".f4v") {
				let behind_first = key.iter().position(|byte| *byte == b'/').map(|slash| slash + 1);
				let marked = |at: usize| [&key[..at], b"mp4:", &key[at..]].concat();
				names.extend([0].into_iter().chain(behind_first).map(marked));
			}
			names.push(key);
		}
		// A key of nothing but what is cut off would let everybody in.
		names.retain(|name| !name.is_empty());
		let whole = |name: Vec<u8>| [app.as_bytes(), b"/", &name].concat();
		names.into_iter().map(whole).collect()
	}
}

/// With each `%2F` and the like as the byte that it means.
fn decoded(key: &str) -> Vec<u8> {
	let hex = |byte: Option<&u8>| byte.and_then(|byte| char::from(*byte).to_digit(16));
	let mut rest = key.as_bytes();
	let mut out = Vec::with_capacity(rest.len());
	while let Some((first, behind)) = rest.split_first() {
		rest = behind;
		match (first, hex(behind.first()), hex(behind.get(1))) {
			(b'%', Some(high), Some(low)) => {
				out.push((high << 4 | low) as u8);
				rest = &behind[2..];
			},
			_ => out.push(*first),
		}
	}
	out
}

/// Where the user finds the key again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
	/// Behind the address.
	Address,
	/// In [`ENVIRONMENT`].
	Environment,
	/// In this file.
	File(PathBuf),
}

impl fmt::Display for Place {
	/// Behind "it stands".
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		match self {
			Self::Address => f.write_str("behind the address of --input"),
			Self::Environment => write!(f, "in {ENVIRONMENT}"),
			Self::File(path) => write!(f, "in {}", path.display()),
		}
	}
}

/// App and key as publishers may send them.
#[derive(Clone)]
pub struct Lock {
	forms: Vec<Vec<u8>>,
	place: Place,
}

impl fmt::Debug for Lock {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		f.write_str("Lock(secret)")
	}
}

impl Lock {
	/// Opened by this key under this app.
	pub fn new(app: &str, found: &Found) -> Self {
		Self {
			forms: found.key.forms(app),
			place: found.place.clone(),
		}
	}

	/// Where the key stands.
	pub fn place(&self) -> &Place {
		&self.place
	}

	/// Whether it is the right one. How long that takes tells nothing but the length.
	pub fn opens(&self, presented: &Presented) -> bool {
		let mut right = Choice::from(0);
		for presented in [presented.joined(), presented.joined_without_slashes()] {
			for form in &self.forms {
				right |= form.ct_eq(&presented);
			}
		}
		right.into()
	}
}

/// Where a key may come from, as far as the user said.
#[derive(Debug)]
pub struct Sources<'a> {
	/// In the address.
	pub address: Option<StreamKey>,
	/// `--stream-key-file`.
	pub file: Option<&'a Path>,
	/// What [`ENVIRONMENT`] holds.
	pub environment: Option<String>,
	/// File for a key that we make where nothing is said.
	pub store: &'a Path,
}

/// Why there is no key.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SourceError {
	/// Two places.
	#[error("the stream key is given twice: behind the address and with --stream-key-file; leave one out")]
	Twice,
	/// The file cannot be read, or written.
	#[error("stream key file {}: {error}", .path.display())]
	File {
		/// Of the key.
		path: PathBuf,
		/// From the system.
		error: io::Error,
	},
	/// Others may read it.
	#[error("stream key file {} can be read by others (mode {mode:03o}); run chmod 600 on it", .path.display())]
	Exposed {
		/// Of the key.
		path: PathBuf,
		/// Its permission bits.
		mode: u32,
	},
	/// It holds no key.
	#[error("stream key file {}: the stream key {error}", .path.display())]
	InFile {
		/// Of the key.
		path: PathBuf,
		/// What is wrong.
		error: KeyError,
	},
	/// Likewise.
	#[error("{ENVIRONMENT}: the stream key {0}")]
	InEnvironment(KeyError),
}

/// The key that lets publish.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
	/// The key.
	pub key: StreamKey,
	/// Where it stands.
	pub place: Place,
	/// It was made just now, and nobody has seen it: print it once.
	pub made: bool,
}

impl Sources<'_> {
	/// The key; where nothing is said, or the file is not there, a fresh one, stored with mode 0600.
	pub fn find(self) -> Result<Found, SourceError> {
		let given = |key, place| {
			Ok(Found {
				key,
				place,
				made: false,
			})
		};
		match (self.address, self.file) {
			(Some(_), Some(_)) => Err(SourceError::Twice),
			(Some(key), None) => given(key, Place::Address),
			(None, Some(path)) => load_or_make(path),
			(None, None) => match self.environment {
				Some(key) => given(key.parse().map_err(SourceError::InEnvironment)?, Place::Environment),
				None => load_or_make(self.store),
			},
		}
	}
}

fn load_or_make(path: &Path) -> Result<Found, SourceError> {
	let found = |key, made| Found {
		key,
		place: Place::File(path.into()),
		made,
	};
	let file_error = |error| SourceError::File {
		path: path.into(),
		error,
	};
	let not_there = match fs::metadata(path) {
		Ok(_) => false,
		Err(error) if error.kind() == io::ErrorKind::NotFound => true,
		Err(error) => return Err(file_error(error)),
	};
	if not_there {
		let key = StreamKey::make();
		match files::create_atomic(path, format!("{}\n", key.0).as_bytes()) {
			Ok(()) => return Ok(found(key, true)),
			// Another process was faster: its key counts.
			Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {},
			Err(error) => return Err(file_error(error)),
		}
	}
	let metadata = fs::metadata(path).map_err(file_error)?;
	let mode = metadata.permissions().mode() & 0o777;
	if mode & 0o077 != 0 {
		return Err(SourceError::Exposed {
			path: path.into(),
			mode,
		});
	}
	if metadata.len() > LONGEST_FILE {
		let limit = format!("longer than a key: {} bytes", metadata.len());
		return Err(file_error(io::Error::new(io::ErrorKind::InvalidData, limit)));
	}
	let text = fs::read_to_string(path).map_err(file_error)?;
	let key = text.trim_end_matches(['\n', '\r']).parse();
	key.map(|key| found(key, false)).map_err(|error| SourceError::InFile {
		path: path.into(),
		error,
	})
}

#[cfg(test)]
mod tests;
