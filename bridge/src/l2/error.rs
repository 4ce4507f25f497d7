//! Why the L2 did not do what was asked, told apart by what is to be done about it.

use super::RECEIPT_TIMEOUT;
use crate::{abi::Revert, fees, retry::Trouble};
use alloy::{
	primitives::{Address, B256},
	transports::{RpcError, TransportError, TransportErrorKind},
};
use clustercast_chain::KeyError;
use std::time::Duration;

/// "Too many requests", as HTTP says it, and as providers repeat it in JSON-RPC.
const TOO_MANY: u16 = 429;

/// JSON-RPC's "limit exceeded" (EIP-1474): of requests with most providers, of logs with some.
const LIMIT_EXCEEDED: i64 = -32_005;

/// Why the L2 did not do what was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum L2Error {
	/// Not a URL.
	#[error("not an http:// or https:// URL")]
	Url,
	/// Nobody answers.
	#[error("L2, {doing}: {reason}")]
	Node {
		/// What was asked.
		doing: &'static str,
		/// From the transport.
		reason: String,
	},
	/// The provider wants fewer requests.
	#[error("L2, {doing}: the provider limits requests: {reason}")]
	Limited {
		/// What was asked.
		doing: &'static str,
		/// From the provider.
		reason: String,
		/// After which time it wants to be asked again.
		after: Option<Duration>,
	},
	/// The node answers with an error.
	#[error("L2 refuses {doing}: {reason}")]
	Refused {
		/// What was asked.
		doing: &'static str,
		/// From the node.
		reason: String,
	},
	/// The contract refuses; nothing was sent.
	#[error("{function} reverts: {revert}")]
	Reverts {
		/// Its signature.
		function: &'static str,
		/// The contract's error.
		revert: Revert,
	},
	/// It is put off; nothing was sent.
	#[error(transparent)]
	Deferred(#[from] fees::Wait),
	/// The transaction ran and failed.
	#[error("transaction {0} reverted")]
	Reverted(B256),
	/// The transaction is not in a block yet.
	#[error("transaction {0} is not in a block after {secs} s", secs = RECEIPT_TIMEOUT.as_secs())]
	Slow(B256),
	/// No contract there, or another one.
	#[error("{0} does not answer as the contract does that is expected there")]
	NoContract(Address),
	/// Not the chain that the bridge is on.
	#[error("the bridge is on chain {expected}, the URL leads to chain {found}")]
	WrongChain {
		/// As the chain says.
		expected: u32,
		/// As the L2's node says.
		found: u64,
	},
	/// Not a secret key.
	#[error("not a key: expected 64 hexadecimal digits or file:PATH")]
	Key,
	/// See [`KeyError`].
	#[error(transparent)]
	KeyFile(#[from] KeyError),
}

impl L2Error {
	/// The contract's error, if the contract is what refused.
	pub fn revert(&self) -> Option<&Revert> {
		match self {
			Self::Reverts { revert, .. } => Some(revert),
			_ => None,
		}
	}

	/// Whether the provider refuses this very question: another one it may answer.
	pub fn is_refusal(&self) -> bool {
		matches!(self, Self::Refused { .. })
	}

	/// Of which kind it is for who tries again.
	pub fn trouble(&self) -> Trouble {
		match self {
			Self::Limited { after, .. } => Trouble::Limited(*after),
			_ => Trouble::Other,
		}
	}

	pub(super) fn from_transport(doing: &'static str, error: &TransportError) -> Self {
		let http = |status: u16, reason: String, after| match status {
			TOO_MANY => Self::Limited { doing, reason, after },
			// Gateways refuse what is too large with these.
			400 | 403 | 413 | 414 => Self::Refused { doing, reason },
			_ => Self::Node { doing, reason },
		};
		match error {
			RpcError::Transport(TransportErrorKind::HttpError(e)) => http(e.status, e.to_string(), None),
			RpcError::Transport(TransportErrorKind::HttpErrorWithRetryAfter { error, retry_after }) => {
				http(error.status, error.to_string(), Some(*retry_after))
			},
			RpcError::ErrorResp(response) => match response.as_revert_data() {
				Some(data) => Self::Reverts {
					function: doing,
					revert: Revert::decode(&data),
				},
				None if is_rate(response.code, &response.message) => Self::Limited {
					doing,
					reason: response.to_string(),
					after: None,
				},
				None => Self::Refused {
					doing,
					reason: response.to_string(),
				},
			},
			_ => Self::Node {
				doing,
				reason: error.to_string(),
			},
		}
	}
}

/// Whether an error of JSON-RPC limits the rate of requests, not what one may ask for.
fn is_rate(code: i64, message: &str) -> bool {
	let message = message.to_lowercase();
	let any = |words: &[&str]| words.iter().any(|word| message.contains(word));
	match code {
		LIMIT_EXCEEDED => !any(&["results", "range", "blocks", "logs", "response size"]),
		code if code == i64::from(TOO_MANY) => true,
		_ => any(&[
			"rate limit",
			"too many requests",
			"request limit",
			"exceeded its compute units",
		]),
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	fn from_json(code: i64, message: &str) -> L2Error {
		let payload = serde_json::json!({ "code": code, "message": message });
		let error = RpcError::ErrorResp(serde_json::from_str(&payload.to_string()).unwrap());
		L2Error::from_transport("reading", &error)
	}

	#[test]
	fn limit_of_requests_is_told_from_a_question_that_is_too_large() {
		let limited = Trouble::Limited(None);
		for (code, message) in [
			(-32_005, "limit exceeded"),
			(-32_005, "daily request count exceeded, request rate limited"),
			(429, "Your app has exceeded its compute units per second capacity"),
			(-32_016, "over rate limit"),
			(-32_000, "Too Many Requests"),
		] {
			let error = from_json(code, message);
			assert_eq!((error.trouble(), error.is_refusal()), (limited, false), "{message}");
		}
		for (code, message) in [
			(-32_005, "query returned more than 10000 results"),
			(-32_005, "block range limit exceeded"),
			(-32_602, "eth_getLogs is limited to a 10,000 range"),
			(-32_000, "block range greater than 1000 max"),
		] {
			let error = from_json(code, message);
			assert_eq!(
				(error.trouble(), error.is_refusal()),
				(Trouble::Other, true),
				"{message}"
			);
		}
	}

	#[test]
	fn http_says_how_long_to_wait() {
		let after = Duration::from_secs(7);
		let error = TransportErrorKind::http_error_with_retry_after(429, "slow down".into(), Some(after));
		let error = L2Error::from_transport("reading", &error);
		assert_eq!(error.trouble(), Trouble::Limited(Some(after)));
		let too_large = TransportErrorKind::http_error(403, "range too large".into());
		assert!(L2Error::from_transport("reading", &too_large).is_refusal());
		let away = TransportErrorKind::http_error(502, "bad gateway".into());
		let away = L2Error::from_transport("reading", &away);
		assert_eq!((away.trouble(), away.is_refusal()), (Trouble::Other, false));
	}

	#[test]
	fn contracts_error_is_named() {
		let revert = serde_json::json!({
			"code": 3, "message": "execution reverted",
			"data": "0x52fd6d1a0000000000000000000000000000000000000000000000000000000000000003",
		});
		let error = RpcError::ErrorResp(serde_json::from_str(&revert.to_string()).unwrap());
		let error = L2Error::from_transport("withdraw", &error);
		assert!(error.to_string().starts_with("withdraw reverts: "), "{error}");
		assert!(error.revert().is_some());
	}
}
