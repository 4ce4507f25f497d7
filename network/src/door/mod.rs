//! Who is let in, and who makes room: sans-IO, time is an argument.
//!
//! Before the verdict nobody is known but by the address that it comes from. There a newcomer is never shut out by those who
//! take longer than anybody honest does ([`Crowd`]), and look-ups go around between addresses ([`Turns`]). Behind the verdict
//! addresses count for nothing, since hundreds of viewers may sit behind one: there a seat is a payer's, who earns it by what it
//! pays for ([`Seats`]), and who has them all is decided here alone, for the server and for each of its streams.

mod crowd;
mod keep;
mod lately;
mod payers;
mod seats;
mod source;
mod turns;

pub use crowd::{room, Crowd, Entry, Member, Room};
pub use keep::WITHIN;
pub use seats::{Case, Claim, Freight, Left, Seats};
pub use source::Source;
pub use turns::Turns;
