//! The door: where publishers come in over RTMP. One at a time is live; nobody without the key keeps it out.
//!
//! | module | holds |
//! | --- | --- |
//! | [`address`] | where to listen, and the stream key |
//! | [`policy`] | who may stay, who is live, who takes over: no socket, no clock |
//! | [`event`] | what comes of it, and how it is said |
//! | [`crowd`] | which stranger goes where there are too many |
//! | [`listener`] | sockets for the policy |

pub mod address;
pub mod crowd;
pub mod event;
pub mod listener;
pub mod policy;

pub use address::{Address, AddressError, Found, Lock, Place, Sources, StreamKey, ENVIRONMENT};
pub use event::{Came, End, Event};
pub use listener::{ListenError, Listener};
pub use policy::{Proof, Verdict};

#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
