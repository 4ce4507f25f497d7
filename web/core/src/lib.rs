//! What a page runs of the protocol: the machines that the player runs, so that a browser checks and pays as a program does.
//!
//! | module | holds |
//! | --- | --- |
//! | [`viewer`] | [`Viewer`]: one stream, one relayer at a time; verifies, and says what is to be sent, signed and stored |
//! | [`rhythm`] | whether the next window is late |
//! | [`message`] | what goes in and comes out, as SCALE |
//! | `abi` | the same as functions of WebAssembly: bytes in, bytes out |
//!
//! Sans-IO: the page has sockets, clock, storage and the session key, which no script can read, so that signatures are asked for and
//! come later. Nothing is checked in the page's own language.

#![cfg_attr(target_arch = "wasm32", no_std)]

extern crate alloc;

#[cfg(target_arch = "wasm32")]
mod abi;
pub mod message;
pub mod rhythm;
pub mod viewer;

pub use viewer::Viewer;
