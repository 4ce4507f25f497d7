//! Who is let in, and who makes room: sans-IO, time is an argument.
//!
//! Before the verdict nobody is known but by the address that it comes from. There a newcomer is never shut out by those who
//! take longer than anybody honest does ([`Crowd`]), and look-ups go around between addresses ([`Turns`]). Behind the verdict
//! addresses count for nothing, since hundreds of viewers may sit behind one: there a seat is a payer's, who earns it by what it
//! buys ([`Seats`]).

mod crowd;
mod keep;
mod seats;
mod source;
mod turns;

pub use crowd::{room, Crowd, Entry, Member, Room};
pub use keep::{Keep, WITHIN};
pub use seats::{Claim, Seats};
pub use source::Source;
pub use turns::Turns;
