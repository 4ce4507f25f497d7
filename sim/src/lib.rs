//! A seeded simulator of the whole network: the machines of `protocol` on links with rate, queue, delay and loss, with nodes that crash, are
//! cut off, lie or do not pay. One number makes a run, and the same number makes the same run again.
//!
//! | module | holds |
//! | --- | --- |
//! | [`calendar`] | what happens when |
//! | [`net`] | lines, connections and their streams, packet by packet |
//! | [`chain`] | deposits and redemption |
//! | [`desk`], [`link`], [`serve`] | the side that sends: what `relayer` and `network` do with `protocol`'s machines |
//! | [`intake`], [`several`], [`single`], [`watch`], [`question`], [`roster`], [`wallet`] | the side that receives: what `player` does |
//! | [`actors`], [`node`] | origin, relayer, viewer |
//! | [`pool`] | what is the same at all nodes, once |
//! | [`plan`] | who takes part and what goes wrong, from a seed |
//! | [`scenario`] | what the network lab plays as well |
//! | [`audit`] | what must hold, checked at each event |
//! | [`bugs`] | what honest nodes may do wrong, to see whether that is found |
//! | [`world`] | runs a plan |
//!
//! What is drawn from a map is drawn in its order: there is no `HashMap` here, no clock and no thread.

pub mod actors;
pub mod audit;
pub mod bugs;
pub mod calendar;
pub mod chain;
pub mod desk;
pub mod intake;
pub mod link;
pub mod net;
pub mod node;
pub mod plan;
pub mod pool;
pub mod question;
pub mod roster;
pub mod scenario;
pub mod serve;
pub mod several;
pub mod single;
pub mod wallet;
pub mod watch;
pub mod world;
