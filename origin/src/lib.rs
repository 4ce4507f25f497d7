//! The broadcaster's tool: takes what people send, encodes with FFmpeg, signs windows, serves relayers.
//!
//! ```text
//! input -> door or decoder -> mixer -> encoder -> signer -> publisher -> feed -> relayers
//!          ╰───────────── studio ────────────╯    on disk   record, log         that guests lets in
//! ```
//!
//! | module | holds |
//! | --- | --- |
//! | [`cli`] | the command line |
//! | [`origin`] | the program put together: [`origin::Origin`] |
//! | [`trade`] | what an account does with stream keys |
//! | [`studio`] | from input to encoded windows, on one clock |
//! | [`door`] | RTMP: who may publish, and who is live |
//! | [`decoder`] | whatever people send as raw pictures and sound with their stamps |
//! | [`presence`] | whether there is something to show: the input, a slate for ten minutes, nothing |
//! | [`encoder`] | pictures and sound become windows, over crashes of both encoders |
//! | [`child`], [`backoff`] | FFmpeg as a process that never outlives us; when it is started again |
//! | [`bucket`] | so many at once, then one each pause: lines of the log, starts of decoders |
//! | [`signer`] | signs each header behind the one before it, over restarts |
//! | [`reign`] | whether the chain still names our key; sans-IO |
//! | [`publisher`] | where signed windows go |
//! | [`guests`] | who is served |
//! | [`tier`] | who has the copies that the uplink carries, and who loses its own; sans-IO |
//! | [`copies`] | the same as tasks see it |
//! | [`customer`] | buys ranges of relayers, to see what they are like |

// Tests make their films.
#![cfg_attr(test, allow(clippy::disallowed_methods))]

pub mod backoff;
pub mod bucket;
pub mod child;
pub mod cli;
pub mod copies;
pub mod customer;
pub mod decoder;
pub mod door;
pub mod encoder;
pub mod guests;
mod metrics;
pub mod origin;
pub mod presence;
pub mod publisher;
pub mod reign;
pub mod signer;
pub mod studio;
pub mod tier;
pub mod trade;

#[cfg(test)]
mod testing;
