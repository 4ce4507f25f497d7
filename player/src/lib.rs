//! The native viewer: finds relayers, verifies every chunk, pays for what verified, writes a file and serves HLS.
//!
//! | module | holds |
//! | --- | --- |
//! | [`cli`] | flags and subcommands |
//! | [`player`] | [`Player`]: assembly |
//! | [`failover`] | the loop from one relayer to the next |
//! | [`subscription`] | the relayer that sends windows, from connecting to the end of its subscription |
//! | [`crew`] | it and its standbys: `clustercast_network::crew` drives them |
//! | [`swarming`] | what is done with several relayers at once |
//! | [`view`] | what can be asked of the chain |
//! | [`asked`] | what is asked of it while windows come, which do not wait for the answer |
//! | [`opinion`] | what other relayers say where this one has lost the broadcaster |
//! | [`roster`] | which relayer to try next; pure |
//! | [`means`] | whether the account can pay, and what to do where it cannot; pure |
//! | [`payer`] | whose money pays |
//! | [`flag`] | whether the broadcaster was caught: nothing is paid then |
//! | [`outlook`] | how the broadcast stands for whoever watches, in one word; pure |
//! | [`sinks`] | where verified windows go: file, window log, HLS |
//! | [`segment`] | what playlists list as one: a window, or the windows that are its parts |
//! | [`parts`] | the segment that is open, for players of low latency; pure |
//! | [`timeline`] | segments in the order in which players are shown them; pure |
//! | [`playlist`] | the HLS playlists; pure |
//! | [`dash`] | the DASH manifest; pure |
//! | [`hls`] | the local HTTP server: what is under which path |
//! | [`origins`] | which pages may read there; pure |
//! | [`summary`] | figures of a run |
//! | [`status`] | the live line in the terminal |
//!
//! What is bought with, session key, purse and evidence, is in the crate `clustercast_pay`.
//!
//! Start reading at [`player::Player::run`]. Nothing reaches a sink but windows that the protocol crate has verified.

pub mod ahead;
pub mod asked;
pub mod cli;
pub mod crew;
pub mod dash;
pub mod failover;
pub mod flag;
pub mod hls;
pub mod means;
pub mod opinion;
pub mod origins;
pub mod outlook;
pub mod parts;
pub mod payer;
pub mod player;
pub mod playlist;
pub mod roster;
pub mod segment;
pub mod sinks;
pub mod status;
pub mod subscription;
pub mod summary;
pub mod swarming;
#[cfg(test)]
mod testing;
pub mod timeline;
pub mod view;

use clustercast_pay::{accusation, beside, funds, pocket, refusal, registration};
pub use player::{Config, Player};
