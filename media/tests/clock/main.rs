//! Timeline and mixer together, on a clock of the test's own: a publisher that does what publishers do, a codec that
//! says of each picture and sample when it was taken, and what has to hold of every frame that comes out.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod cases;
mod stage;
mod trouble;
