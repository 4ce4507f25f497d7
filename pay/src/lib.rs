//! What whoever buys windows needs, a player, a relayer, or an origin that checks relayers: money to pay with, a purse that signs nothing twice, and a record of
//! who cheated.
//!
//! | module | holds |
//! | --- | --- |
//! | [`funds`] | deposit and session key: what is missing, and getting it |
//! | [`pocket`] | the purse, stored so that no nonce is used twice |
//! | [`registration`] | whether the registry still has who is bought from; sans-IO |
//! | [`beside`] | a question to the chain that nothing waits for |
//! | [`refusal`] | what is done about each reason of a relayer to end; sans-IO |
//! | [`accusation`] | what was found against relayers and broadcaster, and reporting it |
//! | [`docket`] | what is to be reported and was not yet, on disk |

pub mod accusation;
pub mod beside;
pub mod docket;
pub mod funds;
pub mod pocket;
pub mod refusal;
pub mod registration;
