//! Wire codec and sans-IO state machines of delivery and payment.
//!
//! | module | holds |
//! | --- | --- |
//! | [`wire`] | messages, frames, bounded incremental decoders |
//! | [`window`] | a window encoded once and shared by all who receive it |
//! | [`assembly`] | a window from its announcement to its last chunk |
//! | [`open`] | a window that is passed on as it comes |
//! | [`ledger`] | what was delivered and is not paid, counted alike by both sides |
//! | [`meter`] | what pays a receipt, counted alike by both sides |
//! | [`standing`] | whether a broadcast is live, idle or ended, by what its key signed |
//! | [`patience`] | whether a peer that brings no window fails, or the broadcaster pauses |
//! | [`quiet`] | what people are told of a silence, and how long it took |
//! | [`bitrate`] | what a stream takes of an uplink |
//! | [`broadcast`] | what a broadcaster's key signs in one run |
//! | [`cache`] | the newest windows, bounded in bytes |
//! | [`viewer`] | receiving side: verifies chunk by chunk, says what is owed |
//! | [`evidence`] | what is kept against relayers and broadcasters who deceive |
//! | [`purse`] | signs tickets, vouchers and reservations, within a budget |
//! | [`thrift`] | how much a viewer reserves for a relayer, and when |
//! | [`relayer`] | sending side: credit, delivery, receipts |
//! | [`tickets`] | judges tickets and vouchers against what was delivered |
//! | [`credit`] | how much a relayer lets viewers owe |
//! | [`swarm`] | several sources of one stream at once: who brings what |
//! | [`routes`] | where a relayer has a stream from, and who else may have it |
//!
//! Nothing here reads a clock, a socket, storage or a random number: bytes, blocks and entropy are arguments, bytes and
//! events are results. So the same code runs over QUIC, in a browser and in a seeded simulator; without the feature `std` it needs
//! no operating system (`no_std` with an allocator).
//!
//! One stream carries one subscription, and each range of chunks has one of its own:
//!
//! ```text
//! viewer                         relayer
//!   <------------------------------ Challenge
//!   Subscribe ------------------->              (a guest does not wait for the challenge)
//!   <------------------------------ Terms
//!   <------------------------------ Catalog, Init, History, Pushed or Offered
//!   <============================== chunks      (of what is pushed, at most `credit` of them unpaid)
//!   Fetch ----------------------->              (of what is offered, or was pushed and did not come)
//!   <============================== chunks      (or Lacks)
//!   Cancel ---------------------->              (the chunks end where they are)
//!   <------------------------------ Receipt     (one for each interval)
//!   <------------------------------ Status      (whenever there is a newer one)
//!   <------------------------------ Waiting     (nothing newer, where nothing else is said)
//!   <------------------------------ Seats       (how many viewers a relayer may serve, of a stream that limits them)
//!   <------------------------------ Route       (the relayers that it comes through)
//!   Ticket or Voucher ----------->
//!   <------------------------------ Paid
//!   Reserve --------------------->              (where the terms ask for it, and again before it is used up)
//!   <------------------------------ Reserved    (it is final on the chain)
//!                ...
//!   Follow ---------------------->              (windows, or announcements alone: the next ones)
//!   Leave ----------------------->              (no more windows, and a receipt for those that have none)
//!   <------------------------------ Others      (who may serve what is refused, or dear)
//!   <------------------------------ End
//! ```

#![cfg_attr(not(feature = "std"), no_std)]

extern crate alloc;
#[cfg(test)]
extern crate self as clustercast_protocol;
#[cfg(test)]
mod fixture;

pub mod assembly;
pub mod bitrate;
pub mod broadcast;
pub mod cache;
pub mod credit;
pub mod evidence;
pub mod ledger;
pub mod meter;
pub mod open;
pub mod patience;
pub mod purse;
pub mod quiet;
pub mod relayer;
pub mod routes;
pub mod standing;
pub mod swarm;
pub mod thrift;
pub mod tickets;
pub mod viewer;
pub mod window;
pub mod wire;

pub use assembly::{Announced, Assembly, Chunks};
pub use bitrate::Bitrate;
pub use broadcast::{Broadcast, Timing};
pub use cache::{Cursor, Lookup, WindowCache};
pub use credit::{Credit, CreditConfig, Float, Releasable, Shortage};
pub use evidence::{Evidence, Suspicion, Witness};
pub use meter::{Meter, Share};
pub use open::OpenWindow;
pub use patience::{Failing, Patience, Silence};
pub use purse::{Purse, PurseConfig, PurseError};
pub use quiet::{Change, Quiet};
pub use relayer::{ReceiptSigner, RelayerSession};
pub use standing::Standing;
pub use thrift::{Thrift, ThriftConfig};
pub use tickets::{BookConfig, Debt, Expectation, Outcome, TicketBook, TicketError};
pub use viewer::{Due, Fault, Payment, PaymentTerms, Resume, StreamKeys, ViewerConfig, ViewerSession};
pub use window::{EncodedWindow, Setting};
pub use wire::{
	EndReason, Fetch, Follow, Payer, PaymentMode, Range, ReserveError, ReserveTerms, SessionKey, Start, Subscribe,
	Terms, WireError, PROTOCOL_NAME,
};
