//! Several sources of one stream at once: who brings what of which window, so that none is late. Sans-IO, and but for [`stage`] without bytes.
//!
//! | module | holds |
//! | --- | --- |
//! | [`spans`] | which chunks, in few numbers |
//! | [`peers`] | what is known of each source, by our own clock |
//! | [`schedule`] | what to fetch, cancel and skip, whom to make parent, and when to call somebody else |
//! | [`offer`] | what it is told of windows, and what it says |
//! | `window`, `flow` | what it remembers of windows and requests, and of what arrives |
//! | [`playhead`] | when a window is due |
//! | [`stage`] | windows put together from what several bring, in their order |
//!
//! One source, the *parent*, sends windows by itself. The others, *standbys*, announce them, and bring a small range now and then:
//! that keeps their path warm, and measured. A window that the parent will not bring in time is *pulled*: what is missing of it is
//! fetched from the standbys, in proportion to their rates.

mod flow;
pub mod offer;
pub mod peers;
pub mod playhead;
pub mod schedule;
pub mod spans;
pub mod stage;
mod window;

pub use offer::{Action, Figures, Offer};
pub use peers::{Source, SourceId};
pub use playhead::Playhead;
pub use schedule::Swarm;
pub use stage::Stage;
