//! The bridge agent: carries proofs between the chain and the L2, trusted with nothing. And the integrators' command line.
//!
//! | module | holds |
//! | --- | --- |
//! | [`cli`] | the command line: `agent`, `deposit`, `withdraw`, `claim`, `act`, `status` |
//! | [`config`] | of `agent`: file, environment, flags |
//! | [`agent`] | the loops of `agent` |
//! | `desk` | where an agent takes what people signed, and does it |
//! | [`wire`] | what agents and those whom they serve say to each other |
//! | [`pending`] | what a wallet signed and others were given, until it is used or over |
//! | [`acts`] | which of wallets' messages the chain followed |
//! | [`handover`] | which agents a wallet turns to, for how much, and when it signs anew |
//! | [`client`] | hands what a wallet signed to agents |
//! | [`proofs`] | what the contracts are shown, built and checked here before anyone pays for gas |
//! | [`relay`] | BEEFY's hand-overs and commitments to the light client |
//! | [`imports`] | deposits to the chain |
//! | [`withdrawals`] | withdrawals to the vault |
//! | [`retry`] | when what failed is tried again, and what is given up |
//! | [`ranges`] | how many blocks' logs are asked for at a time |
//! | [`fees`] | what a transaction costs, what is asked for it, and when it waits |
//! | [`recipient`] | who may receive USDC on the L2 |
//! | [`l2`] | the L2: its contracts, transactions, keys |
//! | [`abi`] | the contracts' words |
//! | [`signing`] | what an Ethereum wallet signs: permits, authorisations, messages to the chain |
//! | [`status`] | how far a deposit, a withdrawal or an account is |
//!
//! What was carried is said by the two chains alone, what people handed in is on disk as well: the agent can be killed at any point and
//! started again. What it submits is checked by whom it submits it to; what it checks itself beforehand only saves it fees.

pub mod abi;
pub mod acts;
pub mod agent;
pub mod cli;
pub mod client;
pub mod config;
mod desk;
pub mod fees;
pub mod handover;
pub mod imports;
pub mod l2;
mod metrics;
pub mod pending;
pub mod proofs;
pub mod ranges;
pub mod recipient;
pub mod relay;
pub mod retry;
pub mod signing;
pub mod status;
pub mod wire;
pub mod withdrawals;

pub use agent::Agent;
pub use config::Config;
