//! Browsers at a node, as far as QUIC and HTTP/3 go: sessions, their streams, and who is refused.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use clustercast_network::{node::Limits, Certificates, Incoming, Node};
use clustercast_primitives::{
	crypto::{sha256, KeyPair},
	Hash,
};
use clustercast_protocol::PROTOCOL_NAME;
use quinn::{crypto::rustls::QuicClientConfig, ClientConfig, Connection, Endpoint, RecvStream, SendStream};
use rustls::{
	client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
	crypto::{aws_lc_rs::default_provider, verify_tls13_signature},
	pki_types::{CertificateDer, ServerName, UnixTime},
	CertificateError, DigitallySignedStruct, SignatureScheme,
};
use std::{
	net::{Ipv4Addr, SocketAddr},
	sync::Arc,
	time::{Duration, SystemTime},
};
use tokio::time::timeout;
use web_transport_proto::{ConnectRequest, ConnectResponse, Frame, Settings, StreamUni, VarInt};

const PATIENCE: Duration = Duration::from_secs(20);

/// Trusts whoever shows one of these, as a browser that was told their hashes.
#[derive(Debug)]
struct Told(Vec<Hash>);

impl ServerCertVerifier for Told {
	fn verify_server_cert(
		&self,
		certificate: &CertificateDer<'_>,
		_: &[CertificateDer<'_>],
		_: &ServerName<'_>,
		_: &[u8],
		_: UnixTime,
	) -> Result<ServerCertVerified, rustls::Error> {
		match self.0.contains(&sha256(&[certificate])) {
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
		Err(rustls::Error::General("QUIC has TLS 1.3".into()))
	}

	fn verify_tls13_signature(
		&self,
		message: &[u8],
		certificate: &CertificateDer<'_>,
		signed: &DigitallySignedStruct,
	) -> Result<HandshakeSignatureValid, rustls::Error> {
		verify_tls13_signature(
			message,
			certificate,
			signed,
			&default_provider().signature_verification_algorithms,
		)
	}

	fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
		vec![SignatureScheme::ECDSA_NISTP256_SHA256]
	}
}

/// A node that listens for browsers.
async fn listening() -> (Node, Incoming, Certificates, SocketAddr) {
	let (node, incoming) = Node::start(&KeyPair::from_seed([1; 32]), Limits::default()).unwrap();
	let certificates = Certificates::new(SystemTime::now()).unwrap();
	let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
	let port = node.listen_web(any, certificates.clone()).await.unwrap();
	(
		node,
		incoming,
		certificates,
		SocketAddr::from((Ipv4Addr::LOCALHOST, port)),
	)
}

async fn call(at: SocketAddr, told: Vec<Hash>) -> Result<Connection, quinn::ConnectionError> {
	let mut tls = rustls::ClientConfig::builder_with_provider(Arc::new(default_provider()))
		.with_protocol_versions(&[&rustls::version::TLS13])
		.unwrap()
		.dangerous()
		.with_custom_certificate_verifier(Arc::new(Told(told)))
		.with_no_client_auth();
	tls.alpn_protocols = vec![b"h3".to_vec()];
	let endpoint = Endpoint::client((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
	let config = ClientConfig::new(Arc::new(QuicClientConfig::try_from(tls).unwrap()));
	timeout(PATIENCE, endpoint.connect_with(config, at, "localhost").unwrap())
		.await
		.unwrap()
}

/// A session as a browser opens it, and what keeps it.
struct Session {
	connection: Connection,
	id: VarInt,
	_settings: SendStream,
	_request: SendStream,
	_answer: RecvStream,
}

/// What is answered to a request for this path.
async fn ask(connection: Connection, path: &str) -> Result<Session, String> {
	let mut settings = Settings::default();
	settings.enable_webtransport(1);
	let mut own = connection.open_uni().await.unwrap();
	settings.write(&mut own).await.unwrap();
	let mut theirs = connection.accept_uni().await.unwrap();
	assert_eq!(Settings::read(&mut theirs).await.unwrap().supports_webtransport(), 1);
	let (mut request, mut answer) = connection.open_bi().await.unwrap();
	let url: url::Url = format!("https://localhost{path}").parse().unwrap();
	ConnectRequest::new(url).write(&mut request).await.unwrap();
	ConnectResponse::read(&mut answer).await.map_err(|e| e.to_string())?;
	Ok(Session {
		id: VarInt::from_u64(quinn::VarInt::from(request.id()).into_inner()).unwrap(),
		connection,
		_settings: own,
		_request: request,
		_answer: answer,
	})
}

impl Session {
	/// A stream both ways of a session of this name, which says this first.
	async fn open(&self, id: VarInt, first: &[u8]) -> (SendStream, RecvStream) {
		let (mut send, receive) = self.connection.open_bi().await.unwrap();
		let mut opening = Vec::new();
		Frame::WEBTRANSPORT.encode(&mut opening);
		id.encode(&mut opening);
		opening.extend_from_slice(first);
		send.write_all(&opening).await.unwrap();
		(send, receive)
	}
}

#[tokio::test(flavor = "multi_thread")]
async fn browser_opens_a_subscription_and_is_sent_chunks() {
	let (_node, mut incoming, certificates, at) = listening().await;
	let told = certificates.hashes(SystemTime::now());
	let session = ask(call(at, told.into()).await.unwrap(), PROTOCOL_NAME).await.unwrap();
	let (mut send, mut receive) = session.open(session.id, &[1, 7, 0, 0, 0, b'!']).await;
	let (_, mut stream) = timeout(PATIENCE, incoming.accept()).await.unwrap().unwrap();
	let mut answer = [0];
	receive.read_exact(&mut answer).await.unwrap();
	assert_eq!(answer, [1]);
	let mut said = [0; 8];
	assert_eq!(stream.read(&mut said).await.unwrap(), 1);
	assert_eq!(said[0], b'!');

	stream.write_all("words".into()).await.unwrap();
	let mut heard = [0; 5];
	receive.read_exact(&mut heard).await.unwrap();
	assert_eq!(&heard, b"words");
	let sent = tokio::spawn(async move {
		stream.send_chunks(["range".into(), "chunks".into()]).await.unwrap();
		stream
	});
	let mut body = timeout(PATIENCE, session.connection.accept_uni())
		.await
		.unwrap()
		.unwrap();
	assert_eq!(VarInt::read(&mut body).await.unwrap(), StreamUni::WEBTRANSPORT.0);
	assert_eq!(VarInt::read(&mut body).await.unwrap(), session.id);
	assert_eq!(body.read_to_end(64).await.unwrap(), b"\x07\0\0\0rangechunks");
	let _stream = timeout(PATIENCE, sent).await.unwrap().unwrap();
	send.finish().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn stream_of_another_session_is_not_taken() {
	let (_node, mut incoming, certificates, at) = listening().await;
	let told = certificates.hashes(SystemTime::now());
	let session = ask(call(at, told.into()).await.unwrap(), PROTOCOL_NAME).await.unwrap();
	let (_send, mut receive) = session.open(VarInt::from_u32(400), &[1, 0, 0, 0, 0]).await;
	let refused = timeout(PATIENCE, receive.read_to_end(1)).await.unwrap();
	assert!(refused.is_err(), "{refused:?}");
	let nothing = timeout(Duration::from_millis(200), incoming.accept()).await;
	assert!(nothing.is_err(), "somebody is served");
}

#[tokio::test(flavor = "multi_thread")]
async fn other_path_is_not_found() {
	let (_node, _incoming, certificates, at) = listening().await;
	let told = certificates.hashes(SystemTime::now());
	let refused = ask(call(at, told.into()).await.unwrap(), "/elsewhere")
		.await
		.err()
		.unwrap();
	assert!(refused.contains("404"), "{refused}");
}

#[tokio::test]
async fn certificate_is_one_of_those_that_are_published() {
	let (_node, _incoming, certificates, at) = listening().await;
	let [shown, next] = certificates.hashes(SystemTime::now());
	assert!(call(at, vec![shown]).await.is_ok());
	assert!(call(at, vec![next]).await.is_err(), "the next one is not shown yet");
}

/// A page that read of them long ago connects for as long as one of the two is shown.
#[test]
fn next_certificate_is_published_before_it_is_shown() {
	const DAY: Duration = Duration::from_secs(24 * 3_600);
	let now = SystemTime::now();
	let certificates = Certificates::new(now).unwrap();
	let [first, second] = certificates.hashes(now);
	assert_ne!(first, second);
	assert_eq!(certificates.hashes(now + 5 * DAY), [first, second]);
	let [shown, third] = certificates.hashes(now + 6 * DAY);
	assert_eq!(shown, second);
	assert!(third != first && third != second);
	assert_eq!(certificates.hashes(now + 12 * DAY)[0], third);
}
