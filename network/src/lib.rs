//! Drives the delivery protocol over QUIC: sockets, clocks and tasks for the state machines of
//! `clustercast-protocol`.
//!
//! | module | holds |
//! | --- | --- |
//! | [`node`] | [`Node`]: one identity, its sockets and connections; opens and accepts streams |
//! | `quic` | settings of QUIC and WebTransport, certificates, whose handshake is taken up, [`Stream`]s |
//! | `connections` | the connections that stand |
//! | `door` | who is let in, who makes room, who is served; sans-IO |
//! | [`identity`] | peer ids, keys, [`Address`]es |
//! | [`reach`] | which addresses of the machine others can use |
//! | [`feed`] | [`Feed`]: the windows that are served, shared |
//! | [`serve`] | the sending side: [`serve::serve`] |
//! | `policy` | what is a matter of decision when serving: [`serve::Policy`] |
//! | `reception` | what `door` decides, as tasks see it |
//! | `sending` | chunks on their way to one viewer |
//! | `deadlines` | when a subscription that is served ends, and when something is to be said; sans-IO |
//! | `uplink` | one rate for all that a node sends, what is due first first |
//! | [`client`] | the receiving side: [`client::Subscription`] |
//! | [`crew`] | several of them at once: [`crew::Crew`] does what the swarm decides |
//!
//! A broadcaster pushes windows into a `Feed` and serves it; a viewer connects a `Node` and drives a `Subscription`; a
//! relayer does both. What travels is decided by the protocol, who is served by the policy, and nothing here looks into
//! a window.

pub mod client;
mod connections;
pub mod crew;
mod deadlines;
mod door;
pub mod feed;
pub mod identity;
pub mod node;
mod policy;
mod quic;
pub mod reach;
mod reception;
mod sending;
pub mod serve;
mod uplink;

pub use client::Subscription;
pub use feed::Feed;
pub use identity::{peer_id, place, public_key, Address, AddressError, WebAddress};
pub use libp2p::{Multiaddr, PeerId};
pub use node::{Incoming, Node};
pub use quic::{CertificateError, Certificates, Stream};
