//! QUIC as we use it: which settings, who is let in, what a stream is. Knows peers by their keys and nothing of what travels.

mod activity;
mod body;
mod congestion;
mod gate;
mod pulse;
mod settings;
mod stream;
mod tls;
mod web;

pub use activity::Activity;
pub use body::{BodyEnd, BodyIn, BodyOut, LinkId, Links, Sender, LINK_BYTES};
pub use gate::{Gate, Verdict};
pub use pulse::Pulse;
pub use settings::{endpoint, Settings};
pub(crate) use stream::Chunks;
pub use stream::{Stream, ABANDONED};
pub use tls::{peer_of, Credentials, TlsError, SERVER_NAME};
pub use web::{CertificateError, Certificates, Session};
