//! Who is at the other end: the certificates of libp2p's TLS, in which the key of a connection is vouched for by the peer's
//! Ed25519 key. Names of hosts and authorities mean nothing here.

use crate::identity::{self, AddressError};
use clustercast_primitives::{crypto::KeyPair, PublicKey};
use libp2p::{
	tls::certificate::{self, GenError},
	PeerId,
};
use rustls::{
	client::{
		danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
		Resumption,
	},
	crypto::{
		aws_lc_rs::{
			cipher_suite::{TLS13_AES_128_GCM_SHA256, TLS13_AES_256_GCM_SHA384, TLS13_CHACHA20_POLY1305_SHA256},
			default_provider, sign,
		},
		CryptoProvider,
	},
	pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime},
	sign::{CertifiedKey, SingleCertAndKey},
	version::TLS13,
	CertificateError, ClientConfig, DigitallySignedStruct, NoKeyLog, ServerConfig, SignatureScheme,
};
use std::sync::{Arc, OnceLock};

/// Asked for by every client and never looked at: a key is what counts.
pub const SERVER_NAME: &str = "clustercast";

/// Why a key makes no certificate.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
	/// The key makes no libp2p identity.
	#[error(transparent)]
	Identity(#[from] AddressError),
	/// No certificate could be made.
	#[error(transparent)]
	Certificate(#[from] GenError),
	/// TLS refuses what was made.
	#[error(transparent)]
	Tls(#[from] rustls::Error),
}

/// A certificate for our key, as long as the node runs.
#[derive(Debug)]
pub struct Credentials {
	identity: libp2p::identity::Keypair,
	own: Arc<CertifiedKey>,
	provider: Arc<CryptoProvider>,
	alpn: &'static [u8],
}

impl Credentials {
	/// For this key and this protocol alone: whoever speaks another is refused in the handshake.
	pub fn new(key: &KeyPair, alpn: &'static [u8]) -> Result<Self, TlsError> {
		let identity =
			libp2p::identity::Keypair::ed25519_from_bytes(key.seed()).map_err(|_| AddressError::NotEd25519)?;
		let (certificate, secret): (CertificateDer<'static>, PrivateKeyDer<'static>) =
			certificate::generate(&identity)?;
		let own = CertifiedKey::new(vec![certificate], sign::any_ecdsa_type(&secret)?);
		Ok(Self {
			identity,
			own: Arc::new(own),
			provider: Arc::new(provider(has_aes())),
			alpn,
		})
	}

	/// The key that it is for.
	pub fn peer_id(&self) -> PeerId {
		self.identity.public().to_peer_id()
	}

	/// A secret of ours, the same in each run, for this purpose alone.
	pub fn secret(&self, purpose: &'static [u8]) -> [u8; 32] {
		self.identity
			.derive_secret(purpose)
			.expect("of an Ed25519 key there is one")
	}

	/// To be called by others: who calls must prove a key.
	pub fn server(&self) -> Result<ServerConfig, TlsError> {
		let mut config = libp2p::tls::make_server_config(&self.identity)?;
		config.alpn_protocols = vec![self.alpn.to_vec()];
		config.key_log = Arc::new(NoKeyLog);
		// A connection lasts; nobody comes back with a ticket.
		config.send_tls13_tickets = 0;
		Ok(config)
	}

	/// To call one peer, and nobody else. Who answered is left in `answered`, also where it is somebody else.
	pub fn client(&self, expected: PeerId, answered: Arc<OnceLock<PeerId>>) -> Result<ClientConfig, TlsError> {
		let mut config = ClientConfig::builder_with_provider(self.provider.clone())
			.with_protocol_versions(&[&TLS13])?
			.dangerous()
			.with_custom_certificate_verifier(Arc::new(OnePeer { expected, answered }))
			.with_client_cert_resolver(Arc::new(SingleCertAndKey::from(self.own.clone())));
		config.alpn_protocols = vec![self.alpn.to_vec()];
		config.key_log = Arc::new(NoKeyLog);
		config.resumption = Resumption::disabled();
		config.enable_sni = false;
		Ok(config)
	}
}

/// Whose certificate this is, once TLS has accepted it.
pub fn peer_of(certificates: &[CertificateDer<'_>]) -> Option<PublicKey> {
	let parsed = certificate::parse(certificates.first()?).ok()?;
	identity::public_key(&parsed.peer_id()).ok()
}

/// TLS 1.3 with what is fastest here first: AES where the processor has instructions for it, half the work of ChaCha20 there.
/// What a client offers first is taken.
pub(super) fn provider(has_aes: bool) -> CryptoProvider {
	let mut provider = default_provider();
	let (aes, chacha) = (
		[TLS13_AES_128_GCM_SHA256, TLS13_AES_256_GCM_SHA384],
		[TLS13_CHACHA20_POLY1305_SHA256],
	);
	provider.cipher_suites = match has_aes {
		true => aes.into_iter().chain(chacha).collect(),
		false => chacha.into_iter().chain(aes).collect(),
	};
	provider
}

pub(super) fn has_aes() -> bool {
	#[cfg(target_arch = "x86_64")]
	return std::is_x86_feature_detected!("aes") && std::is_x86_feature_detected!("pclmulqdq");
	#[cfg(target_arch = "aarch64")]
	return std::arch::is_aarch64_feature_detected!("aes") && std::arch::is_aarch64_feature_detected!("pmull");
	#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
	return false;
}

/// Takes one peer's certificate.
#[derive(Debug)]
struct OnePeer {
	expected: PeerId,
	answered: Arc<OnceLock<PeerId>>,
}

impl ServerCertVerifier for OnePeer {
	fn verify_server_cert(
		&self,
		certificate: &CertificateDer<'_>,
		intermediates: &[CertificateDer<'_>],
		_: &ServerName<'_>,
		_: &[u8],
		_: UnixTime,
	) -> Result<ServerCertVerified, rustls::Error> {
		if !intermediates.is_empty() {
			return Err(CertificateError::BadEncoding.into());
		}
		let peer = certificate::parse(certificate)?.peer_id();
		let _ = self.answered.set(peer);
		match peer == self.expected {
			true => Ok(ServerCertVerified::assertion()),
			false => Err(CertificateError::ApplicationVerificationFailure.into()),
		}
	}

	fn verify_tls12_signature(
		&self,
		_: &[u8],
		_: &CertificateDer<'_>,
		_: &DigitallySignedStruct,
	) -> Result<HandshakeSignatureValid, rustls::Error> {
		Err(rustls::PeerIncompatible::Tls13RequiredForQuic.into())
	}

	fn verify_tls13_signature(
		&self,
		message: &[u8],
		certificate: &CertificateDer<'_>,
		signed: &DigitallySignedStruct,
	) -> Result<HandshakeSignatureValid, rustls::Error> {
		certificate::parse(certificate)?.verify_signature(signed.scheme, message, signed.signature())?;
		Ok(HandshakeSignatureValid::assertion())
	}

	fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
		// What libp2p's certificates may be signed with, but for RSA.
		vec![
			SignatureScheme::ECDSA_NISTP256_SHA256,
			SignatureScheme::ECDSA_NISTP384_SHA384,
			SignatureScheme::ED25519,
		]
	}
}
