//! The words that chain and network share, and the bytes that are hashed and signed.
//!
//! | module | holds |
//! | --- | --- |
//! | [`amount`] | USDC amounts, prices, expected value |
//! | [`bridge`] | deposits from the L2, withdrawals to it, attestations, what light clients check |
//! | [`chain`] | what the chain answers about tickets, viewers, relayers and stream keys |
//! | [`crypto`] | SHA-256, Keccak-256, Ed25519 keys and signatures, signing payloads |
//! | [`merkle`] | chunks, leaves, the RFC 6962 tree and its proofs |
//! | [`window`] | stream ids, window headers, the chain of headers |
//! | [`receipt`] | what a relayer signs for a window it delivered |
//! | [`ticket`] | what a viewer signs to pay for it, and when it wins |
//! | [`voucher`] | what a viewer signs to pay for everything so far |
//! | [`tip`] | what a viewer signs to give the broadcaster money |
//! | [`fraud`] | evidence against a relayer or a broadcaster who signed |
//!
//! `no_std`; integers are little-endian (SCALE). Nothing here reads a clock, a socket or storage.
//!
//! Every signed payload is `domain ‖ genesis hash of the chain ‖ SCALE(message)`, so that a signature is worth
//! nothing for another kind of message or on another chain.

#![cfg_attr(not(feature = "std"), no_std)]

extern crate alloc;

pub mod amount;
pub mod bridge;
pub mod chain;
pub mod crypto;
pub mod fraud;
#[cfg(all(feature = "std", target_arch = "x86_64"))]
mod lanes;
pub mod merkle;
pub mod receipt;
pub mod ticket;
pub mod tip;
pub mod voucher;
pub mod window;

pub use amount::{Balance, Usdc};
pub use crypto::{AccountId, EthereumAddress, EthereumSignature, Hash, PublicKey, Signature, Signed};
pub use receipt::Receipt;
pub use ticket::{SignedTicket, Ticket, WinningTicket};
pub use tip::{SignedTip, Tip};
pub use voucher::{SignedVoucher, Voucher};
pub use window::{StreamId, WindowHeader, WindowId};

/// Number of a chain block.
pub type BlockNumber = u32;
