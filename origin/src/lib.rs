//! The broadcaster's tool: encodes with FFmpeg, cuts windows, signs them, serves relayers.
//!
//! ```text
//! input -> pictures, samples -> encoder -> signer -> publisher -> feed -> relayers
//!          30 and 48,000 a s    windows    on disk   record, log         that guests lets in
//! ```
//!
//! | module | holds |
//! | --- | --- |
//! | [`cli`] | the command line |
//! | [`child`], [`backoff`] | FFmpeg as a process that never outlives us; when it is started again |
//! | [`trade`] | what an account does with stream keys |
//! | [`origin`] | the program put together: [`origin::Origin`] |
//! | [`encoder`] | pictures and sound become windows, over crashes of both encoders |
//! | [`presence`] | whether there is something to show: the input, a slate for ten minutes, nothing |
//! | [`old`] | one FFmpeg from input to windows, until decoders and mixer are there |
//! | [`signer`] | the chain of signed headers, unbroken over restarts |
//! | [`publisher`] | where signed windows go |
//! | [`guests`] | who is served |

pub mod backoff;
pub mod child;
pub mod cli;
pub mod encoder;
pub mod guests;
pub mod old;
pub mod origin;
pub mod presence;
pub mod publisher;
pub mod signer;
pub mod trade;

#[cfg(test)]
mod testing;
