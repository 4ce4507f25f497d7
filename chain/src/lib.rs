//! The chain as the programs see it: JSON-RPC queries, signed extrinsics, keys.
//!
//! | module | holds |
//! | --- | --- |
//! | [`client`] | [`Chain`]: its queries, the head of the chain |
//! | [`line`] | connections to nodes: each is asked for its genesis before it is asked for anything else |
//! | `choice` | which of several nodes is asked |
//! | [`url`] | where a node is, as people write it |
//! | [`bridge`] | what the bridge agent asks of the chain, and its calls |
//! | [`channels`] | what is reserved, by whom and for whom |
//! | [`calls`] | every call that a program makes, checked against the chain's metadata |
//! | [`submit`] | signing, submitting, waiting, and what came of it |
//! | `trial` | calls tried before anybody pays for them |
//! | [`tip`] | how far the chain is by now, also where the node is behind |
//! | [`treasury`] | payments that several signatories make together |
//! | [`wallet`] | [`Wallet`]: the account that signs extrinsics |
//! | [`account`] | account ids as people write them |
//! | [`keys`] | Ed25519 key files |
//! | [`files`] | small files that survive a crash |
//!
//! The programs never link the runtime: names and shapes come from the metadata of the node they talk to. No type of
//! the RPC library is part of this crate's API.

pub mod account;
pub mod bridge;
pub mod calls;
pub mod channels;
mod choice;
pub mod client;
pub mod error;
pub mod files;
pub mod keys;
pub mod line;
pub mod submit;
pub mod tip;
pub mod treasury;
mod trial;
pub mod url;
pub mod wallet;

pub use calls::Call;
pub use client::{Chain, Constants, Head};
pub use error::{ChainError, KeyError};
pub use submit::{Event, Included, Redeemed, Submission, Wait};
pub use tip::Tip;
pub use url::NodeUrl;
pub use wallet::Wallet;
