//! Runs the real programs, on loopback, and looks at what they did.
//!
//! | module | holds |
//! | --- | --- |
//! | [`lab`] | where a run keeps its files and logs |
//! | [`process`] | programs: found, started, stopped, never left behind |
//! | [`books`] | the chain's money, read from finalised blocks |
//! | [`bridge`] | the L2, and the agent between it and the chain |
//! | [`media`] | what was broadcast against what arrived |
//! | [`network`] | four validators, and people with money |
//! | [`programs`] | origin, relayer and player, as a person starts them |
//! | [`scene`] | all of these together |
//! | [`byzantine`] | relayers that cheat |
//! | [`demo`] | what `scripts/demo` runs |
//! | [`throughput`] | what `scripts/bench redeem-throughput` runs |
//!
//! The tests in `tests/` start from a [`scene::Scene`]; each says in its first lines what it shows.

pub mod books;
pub mod bridge;
pub mod byzantine;
pub mod demo;
pub mod lab;
pub mod media;
pub mod network;
pub mod process;
pub mod programs;
pub mod scene;
pub mod throughput;
