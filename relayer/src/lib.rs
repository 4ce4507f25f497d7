//! The relayer daemon: verifies streams, caches them, forwards them to viewers who pay, and redeems what they pay with.
//!
//! | module | holds |
//! | --- | --- |
//! | [`cli`] | the command line |
//! | [`config`] | file, environment, flags |
//! | [`streams`] | of each stream: terms, price, who watches; sans-IO |
//! | `terms` | of each stream: what the chain says of its key |
//! | [`ingest`] | of each stream: its upstream; subscribe, verify, reconnect |
//! | [`upstream`] | which is next, who is left for having nothing newer, when it is tried again; sans-IO |
//! | [`sources`] | who is behind an address of upstream: the origin, or a relayer that is paid; pure |
//! | [`buying`] | pays relayers: purse, reservations, evidence |
//! | [`demand`] | when a stream on demand is fetched; sans-IO |
//! | [`sales`] | what is asked for it, and who is let go where that is not enough; sans-IO |
//! | [`rewards`] | how often something is reserved for a relayer that is bought from; sans-IO |
//! | [`directory`] | who is registered: whom one names to others |
//! | [`desk`] | downstream: who is served, which tickets count |
//! | [`blame`] | whose debt it is what nobody pays; sans-IO |
//! | [`door`] | who may come in, and how they go, in a word; pure |
//! | [`accounts`] | what the chain says of the viewers |
//! | [`channels`] | reservations: handed in, followed, released |
//! | [`payment`] | tickets or vouchers, viewer by viewer |
//! | [`surge`] | price by load |
//! | [`store`] | winning tickets and newest vouchers on disk |
//! | `settlement` | what redeemers and keeper ask of the chain, and post |
//! | `registry` | the commands that enter, change and leave the registry |
//! | [`recorder`] | vouchers of all viewers into the store, together |
//! | [`fit`] | whether what `run` is given fits the registry |
//! | [`health`] | whether payments can be stored, and how old the node's head is: log and metrics |
//! | [`rivals`] | waits where another program sends with the same account |
//! | [`redeemer`] | winning tickets and vouchers to money |
//! | [`web`] | the page for browsers, and what it has to know |
//! | [`relayer`] | puts these together |
//!
//! Windows go `ingest -> feed -> viewers`, money goes `tickets and vouchers -> desk -> store -> redeemer -> chain`, and to relayers
//! that sell to us `purse -> ingest`. They meet only
//! where the desk lets a window out on credit. The relayer never parses media and never trusts upstream.

pub mod accounts;
pub mod blame;
pub mod buying;
pub mod channels;
pub mod cli;
pub mod config;
pub mod demand;
pub mod desk;
pub mod directory;
pub mod door;
pub mod fit;
pub mod health;
pub mod ingest;
mod metrics;
pub mod payment;
pub mod recorder;
pub mod redeemer;
mod registry;
pub mod relayer;
pub mod rewards;
pub mod rivals;
pub mod sales;
mod settlement;
pub mod sources;
pub mod store;
pub mod streams;
pub mod surge;
mod terms;
pub mod upstream;
pub mod web;

pub use config::Config;
pub use relayer::Relayer;
