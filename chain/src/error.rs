//! What can go wrong between a program and the chain.

use clustercast_primitives::BlockNumber;
use std::{io, path::PathBuf, time::Duration};
use subxt::{error::DispatchError, ArcMetadata};

/// Why a query or a transaction failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ChainError {
	/// No connection when the program started. Later interruptions are [`ChainError::Node`] or [`ChainError::Timeout`].
	#[error("cannot reach a node at {url}: {reason}; start one (docs/chain.md), or name another with --rpc")]
	Unreachable {
		/// As configured, without secrets; commas between several.
		url: String,
		/// From the transport; of each where there are several.
		reason: String,
	},
	/// No answer in time; the connection may be down and is being restored.
	#[error("no answer from the node within {} s ({doing})", .after.as_secs())]
	Timeout {
		/// What was asked.
		doing: &'static str,
		/// How long it was waited for.
		after: Duration,
	},
	/// The node answered a request with an error.
	#[error("node refused {method}: {message} ({code})")]
	Refused {
		/// JSON-RPC method.
		method: String,
		/// JSON-RPC error code.
		code: i32,
		/// From the node.
		message: String,
	},
	/// The transaction never got into a block: invalid, dropped or outdated.
	#[error("transaction not included: {0}")]
	NotIncluded(String),
	/// The node does not take the transaction into its pool: nothing would come of it. No fee was paid. Says which rule
	/// stops it, as the chain's own error.
	#[error("the node does not take it: {0}")]
	Unwanted(String),
	/// The account has less than the fee. Nothing was paid.
	#[error("account {account} cannot pay the fee: send USDC to it")]
	Poor {
		/// As SS58.
		account: String,
	},
	/// The call ran and failed. The fee is paid, nothing else changed. What the chain says of the rule, and its name.
	#[error("{0}")]
	Dispatch(String),
	/// The node's metadata lacks something or has it in another shape: node and program do not fit together.
	#[error("node and program do not fit together: {0}")]
	Metadata(String),
	/// Anything else from the connection or the node.
	#[error("node: {0}")]
	Node(String),
	/// The best chain is not that long yet, or the node keeps no record that old.
	#[error("node has no block {0}")]
	NoSuchBlock(BlockNumber),
	/// See [`KeyError`].
	#[error(transparent)]
	Key(#[from] KeyError),
}

impl ChainError {
	/// Whether the same request may succeed later with nothing else changed.
	pub fn is_transient(&self) -> bool {
		matches!(
			self,
			Self::Unreachable { .. } | Self::Timeout { .. } | Self::NotIncluded(_) | Self::Node(_)
		)
	}

	/// The failed rule, if the call ran and failed; its name, `Pallet::Error`, is in it.
	pub fn dispatch(&self) -> Option<&str> {
		match self {
			Self::Dispatch(name) => Some(name),
			_ => None,
		}
	}

	/// From an encoded dispatch error: for a pallet's own what the chain's metadata says of it and `Pallet::Error`, the library's
	/// sentence for any other.
	pub(crate) fn from_dispatch(encoded: &[u8], metadata: ArcMetadata) -> Result<Self, Self> {
		match DispatchError::decode_from(encoded, metadata) {
			Ok(DispatchError::Module(e)) => Ok(Self::Dispatch(match e.details() {
				Ok(known) => explained(&known.variant.docs, &e.details_string()),
				Err(_) => e.details_string(),
			})),
			Ok(e) => Ok(Self::Dispatch(e.to_string())),
			Err(e) => Err(Self::Metadata(format!("dispatch error: {e}"))),
		}
	}

	/// From any error of the RPC library.
	pub(crate) fn node(error: impl Into<subxt::Error>) -> Self {
		let error = error.into();
		match &error {
			subxt::Error::OtherRpcClientError(e) => Self::rpc("a request", e),
			_ => Self::Node(chain_of(&error)),
		}
	}

	/// From an error of one JSON-RPC request.
	pub(crate) fn rpc(method: &str, error: &subxt::rpcs::Error) -> Self {
		match error {
			subxt::rpcs::Error::User(e) => Self::Refused {
				method: method.into(),
				code: e.code,
				// The detail is where the pool says why ("Transaction is outdated").
				message: match &e.data {
					Some(data) => format!("{}: {}", e.message, data.get().trim_matches('"')),
					None => e.message.clone(),
				},
			},
			e => Self::Node(chain_of(e)),
		}
	}
}

/// What is said of a rule, as part of a sentence, and its name.
fn explained(docs: &[String], name: &str) -> String {
	let text = docs.iter().map(|line| line.trim()).collect::<Vec<_>>().join(" ");
	let text = text.trim().trim_end_matches('.');
	let mut letters = text.chars();
	match letters.next() {
		Some(first) => format!("{}{} ({name})", first.to_lowercase(), letters.as_str()),
		None => name.into(),
	}
}

/// An error with its causes, each once: wrappers that repeat their cause add nothing.
pub(crate) fn chain_of(error: &dyn std::error::Error) -> String {
	let mut text = error.to_string();
	let mut source = error.source();
	while let Some(cause) = source {
		let cause_text = cause.to_string();
		if !text.contains(&cause_text) {
			text.push_str(": ");
			text.push_str(&cause_text);
		}
		source = cause.source();
	}
	text
}

/// Why a key cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
	/// The file cannot be read or written.
	#[error("key file {}: {error}", .path.display())]
	File {
		/// The key file.
		path: PathBuf,
		/// From the file system.
		#[source]
		error: io::Error,
	},
	/// Not 32 bytes of hex.
	#[error("key file {}: expected 64 hexadecimal digits", .path.display())]
	Malformed {
		/// The key file.
		path: PathBuf,
	},
	/// Others than the owner may read it.
	#[error("key file {} can be read by others (mode {mode:03o}); run chmod 600 on it", .path.display())]
	Exposed {
		/// The key file.
		path: PathBuf,
		/// Its permission bits.
		mode: u32,
	},
	/// Neither `//Name`, nor a mnemonic, nor `file:PATH`. The text is not repeated here: it may be a secret.
	#[error("not a secret key: expected //Name, a mnemonic phrase, or file:PATH")]
	Suri,
	/// A shell replaces `~` at the beginning of a word alone.
	#[error("write file:$HOME/...: behind file: the shell does not replace ~")]
	Tilde,
	/// An address, which everybody may know, where the secret of an account is needed.
	#[error("that names an account, and its secret is needed here: //Name, a mnemonic phrase, or file:PATH")]
	Address,
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn a_failed_rule_is_told_in_the_chains_own_words() {
		let docs = |lines: &[&str]| lines.iter().map(|line| line.to_string()).collect::<Vec<_>>();
		let told = |lines: &[&str]| explained(&docs(lines), "StreamKeys::NotOwner");
		assert_eq!(told(&["Not its owner."]), "not its owner (StreamKeys::NotOwner)");
		assert_eq!(
			told(&[" The caller is not", "its owner. "]),
			"the caller is not its owner (StreamKeys::NotOwner)"
		);
		assert_eq!(told(&[]), "StreamKeys::NotOwner");
	}
}
