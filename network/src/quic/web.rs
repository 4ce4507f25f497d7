//! WebTransport: what browsers speak over QUIC. A session is one request of HTTP/3 that stays open; its streams are streams of QUIC
//! that begin with its name, and are ours from there on. Browsers know us by the hash of a certificate that lasts two weeks at most.

use super::tls::{has_aes, provider, SERVER_NAME};
use bytes::{Bytes, BytesMut};
use clustercast_primitives::{crypto::sha256, Hash};
use clustercast_protocol::PROTOCOL_NAME;
use quinn::{Connection, RecvStream, SendStream, VarInt};
use rustls::{
	crypto::aws_lc_rs::sign,
	pki_types::PrivateKeyDer,
	server::{ClientHello, ResolvesServerCert},
	sign::CertifiedKey,
	version::TLS13,
	ServerConfig,
};
use std::{
	fmt,
	sync::{Arc, Mutex, MutexGuard, PoisonError},
	time::{Duration, SystemTime},
};
use time::OffsetDateTime;
use web_transport_proto::{
	http::StatusCode, ConnectError, ConnectRequest, ConnectResponse, Frame, Settings, SettingsError, StreamUni,
	VarInt as Number,
};

/// How long a certificate holds: browsers refuse those of more than 14 days.
const LIFE: Duration = Duration::from_secs(13 * 24 * 3_600);

/// How long one is shown until the next one is: that one was published for as long by then, and holds for as long again.
const SHOWN: Duration = Duration::from_secs(6 * 24 * 3_600);

/// A viewer's clock may be so far behind ours.
const SKEW: Duration = Duration::from_secs(3_600);

/// HTTP/3.
const ALPN: &[u8] = b"h3";

/// A certificate cannot be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CertificateError {
	/// Nor its key.
	#[error("certificate: {0}")]
	Made(#[from] rcgen::Error),
	/// TLS refuses its key.
	#[error("certificate: {0}")]
	Tls(#[from] rustls::Error),
}

/// For a key of its own, that nobody vouches for but its hash.
#[derive(Clone, Debug)]
struct Certificate {
	key: Arc<CertifiedKey>,
	hash: Hash,
	/// It holds from then on, for [`LIFE`].
	begins: SystemTime,
}

impl Certificate {
	fn new(now: SystemTime) -> Result<Self, CertificateError> {
		let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256)?;
		let mut parameters = rcgen::CertificateParams::new(vec![SERVER_NAME.to_owned()])?;
		let begins = now - SKEW;
		(parameters.not_before, parameters.not_after) =
			(OffsetDateTime::from(begins), OffsetDateTime::from(begins + LIFE));
		let certificate = parameters.self_signed(&key)?.der().clone();
		let secret = PrivateKeyDer::Pkcs8(key.serialize_der().into());
		Ok(Self {
			begins,
			hash: sha256(&[certificate.as_ref()]),
			key: Arc::new(CertifiedKey::new(vec![certificate], sign::any_ecdsa_type(&secret)?)),
		})
	}
}

impl Certificate {
	/// Whether it holds from now on for so long.
	fn holds(&self, now: SystemTime, long: Duration) -> bool {
		now.duration_since(self.begins).is_ok_and(|age| age + long <= LIFE)
	}
}

/// The certificate that is shown, and the one that is next: both are published, so that who read of them knows the next one as well.
#[derive(Debug)]
struct Pair {
	shown: Certificate,
	next: Certificate,
	since: SystemTime,
}

impl Pair {
	/// Nobody looks at them for days where nobody comes, and clocks are set: whatever is shown holds, and for a while.
	fn renew(&mut self, now: SystemTime) -> Result<(), CertificateError> {
		let had_its_time = now.duration_since(self.since).is_ok_and(|shown| shown >= SHOWN);
		if !had_its_time && self.shown.holds(now, Duration::ZERO) {
			return Ok(());
		}
		let next = match self.next.holds(now, SHOWN) {
			true => self.next.clone(),
			false => Certificate::new(now)?,
		};
		*self = Self {
			shown: next,
			next: Certificate::new(now)?,
			since: now,
		};
		Ok(())
	}
}

/// Certificates of this node, which follow each other. Clones share them.
#[derive(Clone, Debug)]
pub struct Certificates(Arc<Mutex<Pair>>);

impl Certificates {
	/// New ones.
	pub fn new(now: SystemTime) -> Result<Self, CertificateError> {
		Ok(Self(Arc::new(Mutex::new(Pair {
			shown: Certificate::new(now)?,
			next: Certificate::new(now)?,
			since: now,
		}))))
	}

	/// SHA-256 of the one that is shown, and of the one that is next.
	pub fn hashes(&self, now: SystemTime) -> [Hash; 2] {
		let pair = self.at(now);
		[pair.shown.hash, pair.next.hash]
	}

	/// As they are now: where the shown one has had its time, the next one is.
	fn at(&self, now: SystemTime) -> MutexGuard<'_, Pair> {
		// What is locked here is changed in one step.
		let mut pair = self.0.lock().unwrap_or_else(PoisonError::into_inner);
		if let Err(error) = pair.renew(now) {
			// As a rule the one that is shown holds for as long again.
			tracing::warn!(%error, "the next certificate");
		}
		pair
	}

	/// TLS for browsers, who prove nothing.
	pub fn server(&self) -> Result<ServerConfig, rustls::Error> {
		let mut config = ServerConfig::builder_with_provider(Arc::new(provider(has_aes())))
			.with_protocol_versions(&[&TLS13])?
			.with_no_client_auth()
			.with_cert_resolver(Arc::new(self.clone()));
		config.alpn_protocols = vec![ALPN.to_vec()];
		config.send_tls13_tickets = 0;
		Ok(config)
	}
}

impl ResolvesServerCert for Certificates {
	fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
		Some(self.at(SystemTime::now()).shown.key.clone())
	}
}

/// Why there is no session on a connection.
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
	/// It speaks no HTTP/3, or not that of WebTransport.
	#[error(transparent)]
	Settings(#[from] SettingsError),
	/// It asks for something else.
	#[error(transparent)]
	Connect(#[from] ConnectError),
	/// It speaks no WebTransport.
	#[error("no WebTransport")]
	Unsupported,
	/// Another path than ours.
	#[error("there is nothing at {0}")]
	Path(String),
	/// The connection broke.
	#[error(transparent)]
	Lost(#[from] quinn::ConnectionError),
}

/// A browser's session on its connection. As long as it lives HTTP/3's own streams do.
pub struct Session {
	/// What its streams begin with: those that go one way, and those that go both ways.
	one_way: Bytes,
	both_ways: (Number, Number),
	request: RecvStream,
	_answer: SendStream,
	_settings: SendStream,
	/// Those of HTTP/3: closing one ends the connection. Few, as the transport allows few.
	kept: Vec<RecvStream>,
}

impl fmt::Debug for Session {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		f.debug_tuple("Session").field(&self.both_ways.1).finish()
	}
}

impl Session {
	/// What a browser asks for on a new connection.
	pub async fn accept(connection: &Connection) -> Result<Self, SessionError> {
		let mut settings = Settings::default();
		settings.enable_webtransport(1);
		let mut own = connection.open_uni().await?;
		settings.write(&mut own).await?;

		let mut control = connection.accept_uni().await?;
		if Settings::read(&mut control).await?.supports_webtransport() == 0 {
			return Err(SessionError::Unsupported);
		}
		let (mut answer, mut request) = connection.accept_bi().await?;
		let asked = ConnectRequest::read(&mut request).await?;
		if asked.url.path() != PROTOCOL_NAME {
			let missing = ConnectResponse::new(StatusCode::NOT_FOUND);
			missing.write(&mut answer).await?;
			let _ = answer.finish();
			// It is to be heard.
			let _ = answer.stopped().await;
			return Err(SessionError::Path(asked.url.path().into()));
		}
		ConnectResponse::OK.write(&mut answer).await?;

		let id = Number::from_u64(VarInt::from(answer.id()).into_inner()).expect("both have 62 bits; qed");
		let mut one_way = BytesMut::new();
		StreamUni::WEBTRANSPORT.encode(&mut one_way);
		id.encode(&mut one_way);
		Ok(Self {
			one_way: one_way.freeze(),
			both_ways: (Frame::WEBTRANSPORT.0, id),
			request,
			_answer: answer,
			_settings: own,
			kept: vec![control],
		})
	}

	/// What streams of ours begin with that go one way.
	pub fn one_way(&self) -> Bytes {
		self.one_way.clone()
	}

	/// Reads what a stream that goes both ways begins with; whether it is of this session.
	pub async fn is_ours(&self, stream: &mut RecvStream) -> bool {
		let Ok(kind) = Number::read(stream).await else {
			return false;
		};
		let id = Number::read(stream).await;
		id.is_ok_and(|id| (kind, id) == self.both_ways)
	}

	/// One of HTTP/3's own.
	pub fn keep(&mut self, stream: RecvStream) {
		self.kept.push(stream);
	}

	/// Returns when the browser has closed it. Cancel safe.
	pub async fn closed(&mut self) {
		// Whatever else it says there is not for us.
		let mut said = [0; 256];
		while let Ok(Some(_)) = self.request.read(&mut said).await {}
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	/// The fault: after a quiet fortnight the one that was next was shown, which was as old as the other.
	#[test]
	fn certificate_that_is_shown_holds_however_long_nobody_came_and_however_the_clock_was_set() {
		const DAY: Duration = Duration::from_secs(24 * 3_600);
		let mut now = SystemTime::now();
		let certificates = Certificates::new(now).unwrap();
		for days in [0, 5, 1, 6, 7, 8, 12, 13, 14, 1, 400, 3] {
			now += days * DAY;
			let pair = certificates.at(now);
			assert!(pair.shown.holds(now, DAY / 2), "after {days} days more");
			assert!(pair.next.holds(now, SHOWN), "after {days} days more");
			assert_ne!(pair.shown.hash, pair.next.hash);
		}
		now -= 500 * DAY;
		assert!(certificates.at(now).shown.holds(now, SHOWN), "the clock was set back");
	}
}
