//! What people send becomes one clock's pictures and sound, and those become windows. Sans-IO: time is an argument, bytes come in
//! and go out; no socket, no process, no chain.
//!
//! ```text
//! RTMP -> rtmp + flv -> timeline -> [decoder] -> nut -> mixer -> [encoder] -> flv -> mux
//! file --------------------------->                     our clock              60 pictures a window
//! ```
//!
//! | module | holds |
//! | --- | --- |
//! | [`picture`] | the shape of all pictures and sound behind the decoders |
//! | [`flv`] | tags: what RTMP carries, what decoders read and encoders write |
//! | [`h264`] | what a publisher's pictures are |
//! | [`rtmp`] | one publisher's connection |
//! | [`timeline`] | a publisher's stamps on one axis that only grows |
//! | [`nut`] | what decoders write: raw pictures and sound with their stamps |
//! | [`mixer`] | 30 pictures and 48,000 samples a second on our clock, whatever comes |
//! | [`plan`] | what two encoders are fed, again after a crash, and the windows of what they write |
//! | [`mux`] | encoded pictures and sound as initialisation segment and windows |
//! | [`fragment`] | fragmented MP4 of others: tracks, samples, times; and written again |
//! | [`copy`] | windows as one file that begins at 0 and plays from end to end |

pub mod copy;
pub mod flv;
pub mod fragment;
pub mod h264;
pub mod mixer;
pub mod mux;
pub mod nut;
pub mod picture;
pub mod plan;
pub mod rtmp;
#[cfg(test)]
mod testing;
pub mod timeline;
