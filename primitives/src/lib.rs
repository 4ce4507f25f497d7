//! The words that chain and network share, and the bytes that are hashed and signed.
//!
//! | module | holds |
//! | --- | --- |
//! | [`register`] | every name that bytes are signed or hashed under: who signs, who judges |
//! | [`amount`] | USDC amounts, prices, expected value |
//! | [`bridge`] | deposits from the L2, withdrawals to it, attestations, what light clients check |
//! | [`chain`] | what the chain answers about tickets, viewers, relayers and stream keys |
//! | [`crypto`] | SHA-256, Keccak-256, Ed25519 keys and signatures, signing payloads |
//! | [`merkle`] | chunks, leaves, the RFC 6962 tree and its proofs |
//! | [`history`] | the headers of an epoch as one root that grows |
//! | [`window`] | stream ids, window headers |
//! | [`ext`], [`text`] | typed items beside a header; bounded text |
//! | [`catalog`], [`status`] | what a broadcast consists of, and how it stands |
//! | [`subscribe`] | what a viewer signs to be served |
//! | [`receipt`] | what a relayer signs for what it delivered |
//! | [`ticket`] | what a viewer signs to pay for it, and when it wins |
//! | [`voucher`] | what a viewer signs to pay for everything so far |
//! | [`channel`] | what opens and ends the channel behind vouchers |
//! | [`nonces`] | which numbers of tickets, or of tips, were spent |
//! | [`session`], [`notice`] | what a session key and a relayer sign about themselves |
//! | [`report`] | what viewers say of what they saw |
//! | [`tip`] | what a viewer signs to give the broadcaster money |
//! | [`fraud`] | evidence against a relayer or a broadcaster who signed |
//!
//! `no_std`; integers are little-endian (SCALE). Everything variable has a maximum; decoders are total. Nothing here reads a clock, a socket or storage.
//!
//! Every signed payload is `domain ‖ genesis hash of the chain ‖ SCALE(message)`, so that a signature is worth
//! nothing for another kind of message or on another chain.

#![cfg_attr(not(feature = "std"), no_std)]

extern crate alloc;

pub mod amount;
pub mod bridge;
pub mod catalog;
pub mod chain;
pub mod channel;
pub mod crypto;
pub mod ext;
pub mod fraud;
pub mod history;
#[cfg(all(feature = "std", target_arch = "x86_64"))]
mod lanes;
pub mod merkle;
pub mod nonces;
pub mod notice;
pub mod receipt;
pub mod register;
pub mod report;
pub mod session;
pub mod status;
pub mod subscribe;
pub mod text;
pub mod ticket;
pub mod tip;
pub mod voucher;
pub mod window;

pub use amount::{Balance, Usdc};
pub use catalog::{Catalog, SignedCatalog};
pub use crypto::{AccountId, EthereumAddress, EthereumSignature, Hash, PublicKey, Signature, Signed};
pub use history::History;
pub use receipt::{Delivery, Receipt};
pub use register::Domain;
pub use status::{SignedStatus, Status};
pub use ticket::{SignedTicket, Ticket, WinningTicket};
pub use tip::{SignedTip, Tip};
pub use voucher::{SignedVoucher, Voucher};
pub use window::{StreamId, TrackId, WindowHeader, WindowId};

/// Number of a chain block.
pub type BlockNumber = u32;
