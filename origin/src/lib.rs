//! The broadcaster's tool: encodes with FFmpeg, cuts windows, signs them, serves relayers.
//!
//! ```text
//! input -> FFmpeg -> encoder + fmp4 -> signer -> publisher -> feed -> relayers
//!                    whole windows     on disk   record, log         that guests lets in
//! ```
//!
//! | module | holds |
//! | --- | --- |
//! | [`cli`] | the command line |
//! | [`child`], [`backoff`] | FFmpeg as a process that never outlives us; when it is started again |
//! | [`trade`] | what an account does with stream keys |
//! | [`origin`] | the program put together: [`origin::Origin`] |
//! | [`encoder`] | FFmpeg: what it is told, and its supervision |
//! | [`fmp4`] | cuts its output into windows, reads their times |
//! | [`signer`] | the chain of signed headers, unbroken over restarts |
//! | [`publisher`] | where signed windows go |
//! | [`guests`] | who is served |

pub mod backoff;
pub mod child;
pub mod cli;
pub mod encoder;
pub mod fmp4;
pub mod guests;
pub mod origin;
pub mod publisher;
pub mod signer;
pub mod trade;

#[cfg(test)]
mod testing;
