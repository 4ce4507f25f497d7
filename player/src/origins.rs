//! Which pages may read what is served: `--hls-origins`.

use std::{convert::Infallible, net::IpAddr, str::FromStr};

/// Whose pages may read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Origins {
	/// Everybody's: a broadcast is shown to everyone.
	#[default]
	Any,
	/// Those of this machine, and these.
	Only(Vec<String>),
}

/// Pages that this machine serves.
const LOOPBACK: &str = "loopback";

impl FromStr for Origins {
	type Err = Infallible;

	/// `*`, or origins and the word `loopback`, with commas between.
	fn from_str(text: &str) -> Result<Self, Infallible> {
		let listed = text.split(',').map(str::trim).filter(|origin| !origin.is_empty());
		let listed: Vec<String> = listed.map(|o| o.trim_end_matches('/').to_lowercase()).collect();
		Ok(match listed.iter().any(|origin| origin == "*") {
			true => Self::Any,
			false => Self::Only(listed.into_iter().filter(|origin| origin != LOOPBACK).collect()),
		})
	}
}

impl Origins {
	/// What `Access-Control-Allow-Origin` says to a page of `origin`; `None`: it may not read.
	pub fn allowed(&self, origin: Option<&str>) -> Option<String> {
		match (self, origin) {
			(Self::Any, _) => Some("*".into()),
			(Self::Only(_), None) => None,
			(Self::Only(listed), Some(origin)) => {
				let lower = origin.to_lowercase();
				let host = lower.split_once("://").map(|(_, host)| host);
				let allowed = host.is_some_and(is_loopback) || listed.contains(&lower);
				allowed.then(|| origin.into())
			},
		}
	}

	/// Whether a request for this `Host` is answered. A page elsewhere can have its own name mean this machine; where not everybody
	/// may read, only names that nobody else gives away are answered: addresses and `localhost`.
	pub fn answers_to(&self, host: &str) -> bool {
		match self {
			Self::Any => true,
			Self::Only(_) => is_loopback(host) || name(host).parse::<IpAddr>().is_ok(),
		}
	}
}

/// The host without its port and brackets.
fn name(host: &str) -> &str {
	match host.strip_prefix('[') {
		Some(rest) => rest.split(']').next().unwrap_or_default(),
		None => host.split(':').next().unwrap_or_default(),
	}
}

fn is_loopback(host: &str) -> bool {
	let name = name(host);
	name == "localhost" || name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
	use super::*;

	fn origins(text: &str) -> Origins {
		text.parse().unwrap()
	}

	#[test]
	fn everybody_reads_unless_told_otherwise() {
		assert_eq!(origins("*"), Origins::default());
		for origin in [None, Some("null"), Some("https://a.example")] {
			assert_eq!(Origins::Any.allowed(origin).as_deref(), Some("*"));
		}
		assert!(Origins::Any.answers_to("a.example"));
	}

	#[test]
	fn loopback_pages_and_those_listed_read_and_no_others() {
		let only = origins("loopback, https://A.example/");
		for good in [
			"http://localhost:3000",
			"http://127.0.0.1",
			"http://[::1]:80",
			"https://a.example",
			"http://127.9.9.9:1",
		] {
			assert_eq!(only.allowed(Some(good)).as_deref(), Some(good), "{good}");
		}
		for bad in [
			"http://a.example",
			"https://a.example:444",
			"https://localhost.a.example",
			"null",
			"",
			"http://10.0.0.1",
			"localhost",
		] {
			assert_eq!(only.allowed(Some(bad)), None, "{bad}");
		}
		assert_eq!(only.allowed(None), None);
		assert_eq!(origins("loopback").allowed(Some("https://a.example")), None);
	}

	/// The attack: a page elsewhere lets its own name point at 127.0.0.1, and is of one origin with us then.
	#[test]
	fn a_strangers_name_for_this_machine_is_not_answered() {
		let only = origins("loopback");
		for good in ["127.0.0.1:8080", "localhost:8080", "[::1]:8080", "192.168.0.7:8080"] {
			assert!(only.answers_to(good), "{good}");
		}
		for bad in ["a.example:8080", "localhost.a.example", "127.0.0.1.a.example", ""] {
			assert!(!only.answers_to(bad), "{bad}");
		}
	}
}
