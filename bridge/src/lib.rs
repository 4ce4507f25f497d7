//! The bridge agent: carries proofs between the chain and the L2, trusted with nothing. And the integrators' command line.
//!
//! | module | holds |
//! | --- | --- |
//! | [`cli`] | the command line: `run`, `deposit`, `withdraw`, `claim`, `act`, `status` |
//! | [`config`] | of `run`: file, environment, flags |
//! | [`agent`] | the loops of `run` |
//! | [`proofs`] | what the contracts are shown, built and checked here before anyone pays for gas |
//! | [`relay`] | BEEFY's hand-overs and commitments to the light client |
//! | [`imports`] | deposits to the chain |
//! | [`withdrawals`] | withdrawals to the vault |
//! | [`l2`] | the L2: its contracts, transactions, keys |
//! | [`abi`] | the contracts' words |
//! | [`signing`] | what an Ethereum wallet signs: permits, authorisations, messages to the chain |
//! | [`status`] | how far a deposit, a withdrawal or an account is |
//!
//! All state is that of the two chains: the agent can be killed at any point and started anywhere. What it submits is
//! checked by whom it submits it to; what it checks itself beforehand only saves it fees.

pub mod abi;
pub mod agent;
pub mod cli;
pub mod config;
pub mod imports;
pub mod l2;
mod metrics;
pub mod proofs;
pub mod relay;
pub mod signing;
pub mod status;
pub mod withdrawals;

pub use agent::Agent;
pub use config::Config;
