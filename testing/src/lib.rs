//! What tests of several crates share. Nothing of it is in a program.
//!
//! | module | holds |
//! | --- | --- |
//! | [`clip`] | short films that FFmpeg makes |
//! | [`publisher`] | what a publisher sends, when it arrives, and when it was really taken: with every fault |
//! | [`trouble`] | random publishers, one after the other, from a seed |

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

pub mod clip;
pub mod publisher;
pub mod trouble;
