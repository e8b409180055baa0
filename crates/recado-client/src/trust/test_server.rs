//! Servers for the tests: one that acts as recado's does, and others that do not.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::header::{ACCEPT, CONNECTION, CONTENT_TYPE, HOST};
use hyper_util::rt::TokioIo;
use rcgen::{
    BasicConstraints, CertificateParams, CidrSubnet, DistinguishedName, DnType, GeneralSubtree,
    IsCa, Issuer, KeyPair, NameConstraints, PublicKeyData as _, SanType, SerialNumber,
};
use recado_proto::alpn;
use recado_proto::fingerprint::Fingerprint;
use rustls::crypto::aws_lc_rs::{default_provider, sign::any_supported_type};
use rustls::crypto::verify_tls13_signature;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::sign::{CertifiedKey, SigningKey, SingleCertAndKey};
use rustls::{DigitallySignedStruct, DistinguishedName as CaName, ServerConfig, SignatureScheme};
use time::OffsetDateTime;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_rustls::LazyConfigAcceptor;

use super::ladder::Trusted;
use super::store::{Reason, Rung};
use crate::connect::Limits;

/// Limits for tests in which a limit is reached.
pub(crate) fn quick() -> Limits {
    let limit = Duration::from_millis(200);
    Limits {
        resolve: limit,
        connect: limit,
        handshake: limit,
    }
}

/// A root as recado's servers make it.
pub(crate) struct Authority {
    key: KeyPair,
    subject: String,
    certificate: CertificateDer<'static>,
}

/// What a leaf says.
pub(crate) struct Leaf {
    pub(crate) names: Vec<&'static str>,
    /// Its first and last moment: the beginnings of these years.
    pub(crate) from: i32,
    pub(crate) until: i32,
}

impl Default for Leaf {
    fn default() -> Self {
        Self {
            names: vec!["recado.internal", "localhost"],
            from: 2001,
            until: 4001,
        }
    }
}

/// What a server serves with: chain, key, protocols.
pub(crate) struct Serving {
    chain: Vec<CertificateDer<'static>>,
    key: Arc<dyn SigningKey>,
    protocols: Vec<Vec<u8>>,
}

impl Authority {
    pub(crate) fn new(subject: &str) -> Self {
        Self::from_key(KeyPair::generate().unwrap(), subject)
    }

    /// The same root with another certificate over the same key.
    pub(crate) fn reissued(&self) -> Self {
        let key = KeyPair::try_from(self.key.serialize_der()).unwrap();
        Self::from_key(key, &self.subject)
    }

    fn from_key(key: KeyPair, subject: &str) -> Self {
        let mut params = params(subject, 2000, 4000);
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.name_constraints = Some(NameConstraints {
            permitted_subtrees: vec![
                GeneralSubtree::DnsName("recado.internal".to_owned()),
                GeneralSubtree::DnsName("localhost".to_owned()),
                GeneralSubtree::IpAddress(CidrSubnet::from_v4_prefix([127, 0, 0, 0], 8)),
            ],
            excluded_subtrees: Vec::new(),
        });
        let certificate = params.self_signed(&key).unwrap().der().clone();
        Self {
            key,
            subject: subject.to_owned(),
            certificate,
        }
    }

    pub(crate) fn fingerprint(&self) -> Fingerprint {
        Fingerprint::from_spki(&self.key.subject_public_key_info())
    }

    pub(crate) fn certificate(&self) -> &CertificateDer<'static> {
        &self.certificate
    }

    /// A leaf issued by this root, served with the root behind it.
    pub(crate) fn serve(&self, leaf: &Leaf) -> Serving {
        let key = KeyPair::generate().unwrap();
        let mut params = params("leaf", leaf.from, leaf.until);
        for name in &leaf.names {
            params
                .subject_alt_names
                .push(SanType::DnsName((*name).try_into().unwrap()));
        }
        params
            .subject_alt_names
            .push(SanType::IpAddress(IpAddr::from([127, 0, 0, 1])));
        let issuing = self_params(&self.subject);
        let issuer = Issuer::from_params(&issuing, &self.key);
        let certificate = params.signed_by(&key, &issuer).unwrap();
        Serving::new(
            vec![certificate.der().clone(), self.certificate.clone()],
            &key,
        )
    }

    /// The root itself in the place of a leaf.
    pub(crate) fn serve_itself(&self) -> Serving {
        Serving::new(vec![self.certificate.clone()], &self.key)
    }

    /// A certificate that is no CA's and signs itself, as leaf and again behind it.
    pub(crate) fn serve_selfsigned() -> Serving {
        let key = KeyPair::generate().unwrap();
        let mut params = params("self", 2001, 4001);
        params.subject_alt_names = vec![SanType::DnsName("recado.internal".try_into().unwrap())];
        let certificate = params.self_signed(&key).unwrap().der().clone();
        Serving::new(vec![certificate.clone(), certificate], &key)
    }
}

impl Serving {
    fn new(chain: Vec<CertificateDer<'static>>, key: &KeyPair) -> Self {
        let protocols = vec![
            alpn::CHAT.to_vec(),
            alpn::HTTP.to_vec(),
            b"http/1.1".to_vec(),
        ];
        Self {
            chain,
            key: signing_key(key),
            protocols,
        }
    }

    pub(crate) fn leaf(&self) -> &CertificateDer<'static> {
        &self.chain[0]
    }

    /// Attaches the certificate of another root in the place of the one that issued the leaf.
    pub(crate) fn with_root(mut self, root: &Authority) -> Self {
        self.chain[1] = root.certificate.clone();
        self
    }

    /// Signs handshakes with a key that is not the leaf's.
    pub(crate) fn with_another_key(mut self) -> Self {
        self.key = signing_key(&KeyPair::generate().unwrap());
        self
    }

    /// Knows these protocols only; none: does not care about ALPN, as some web servers.
    pub(crate) fn speaking(mut self, protocols: &[&[u8]]) -> Self {
        self.protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
        self
    }

    fn config(&self, ask_for_certificate: bool) -> Arc<ServerConfig> {
        let certified = CertifiedKey::new(self.chain.clone(), self.key.clone());
        let builder = ServerConfig::builder_with_provider(Arc::new(default_provider()))
            .with_protocol_versions(&[&rustls::version::TLS13])
            .unwrap();
        let builder = if ask_for_certificate {
            builder.with_client_cert_verifier(Arc::new(AnyEd25519))
        } else {
            builder.with_no_client_auth()
        };
        let mut config = builder.with_cert_resolver(Arc::new(SingleCertAndKey::from(certified)));
        config.alpn_protocols = self.protocols.clone();
        Arc::new(config)
    }
}

/// A handshake as the server saw it.
pub(crate) struct Accepted {
    pub(crate) protocol: Option<Vec<u8>>,
    pub(crate) server_name: Option<String>,
    /// The last 32 bytes of the client certificate's key: an Ed25519 public key.
    pub(crate) client_key: Option<[u8; 32]>,
    pub(crate) exported: [u8; 32],
}

/// A server on a free port of this machine, until it is dropped.
pub(crate) struct TestServer {
    pub(crate) address: SocketAddr,
    accepted: mpsc::UnboundedReceiver<Accepted>,
    connections: Arc<AtomicUsize>,
    task: JoinHandle<()>,
}

impl TestServer {
    /// A recado server: chats are held open, requests are answered.
    pub(crate) async fn start(serving: &Serving) -> Self {
        let asking = serving.config(true);
        let not_asking = serving.config(false);
        let (report, accepted) = mpsc::unbounded_channel();
        let mut server = Self::run(move |tcp| {
            let (asking, not_asking, report) = (asking.clone(), not_asking.clone(), report.clone());
            async move {
                let start = LazyConfigAcceptor::new(Default::default(), tcp)
                    .await
                    .ok()?;
                let chat = start
                    .client_hello()
                    .alpn()
                    .is_some_and(|mut offered| offered.any(|protocol| protocol == alpn::CHAT));
                let config = if chat { asking } else { not_asking };
                let stream = start.into_stream(config).await.ok()?;
                let tls = stream.get_ref().1;
                let certificate = tls.peer_certificates().and_then(|chain| chain.first());
                let protocol = tls.alpn_protocol().map(<[u8]>::to_vec);
                let _ = report.send(Accepted {
                    protocol: protocol.clone(),
                    server_name: tls.server_name().map(str::to_owned),
                    client_key: certificate.map(client_key),
                    exported: tls
                        .export_keying_material([0u8; 32], b"EXPORTER-test", None)
                        .unwrap(),
                });
                if protocol.as_deref() == Some(alpn::HTTP) {
                    let service = hyper::service::service_fn(answer);
                    let http = hyper::server::conn::http1::Builder::new();
                    let _ = http.serve_connection(TokioIo::new(stream), service).await;
                } else {
                    std::future::pending::<()>().await;
                }
                Some(())
            }
        })
        .await;
        server.accepted = accepted;
        server
    }

    /// A server that answers the first bytes it gets with these, and closes.
    pub(crate) async fn answering(answer: &'static [u8]) -> Self {
        Self::run(async |mut tcp: TcpStream| {
            let _ = tcp.read(&mut [0; 4096]).await.ok()?;
            tcp.write_all(answer).await.ok()?;
            tcp.shutdown().await.ok()?;
            // Until the client has closed: a reset could overtake the answer.
            let _ = tcp.read_to_end(&mut Vec::new()).await.ok()?;
            Some(())
        })
        .await
    }

    /// A server that accepts connections and says nothing.
    pub(crate) async fn silent() -> Self {
        Self::run(async |_tcp: TcpStream| std::future::pending::<Option<()>>().await).await
    }

    async fn run<F, S>(serve: F) -> Self
    where
        F: Fn(TcpStream) -> S + Send + Sync + 'static,
        S: Future<Output = Option<()>> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let connections = Arc::new(AtomicUsize::new(0));
        let counter = connections.clone();
        let task = tokio::spawn(async move {
            let mut tasks = tokio::task::JoinSet::new();
            while let Ok((tcp, _)) = listener.accept().await {
                counter.fetch_add(1, Ordering::SeqCst);
                tasks.spawn(serve(tcp));
            }
        });
        Self {
            address,
            accepted: mpsc::unbounded_channel().1,
            connections,
            task,
        }
    }

    /// The server, as if it had been decided to trust it with this root.
    pub(crate) fn trusted(&self, root: Fingerprint) -> Trusted {
        Trusted {
            root,
            address: self.address,
            host: "school".to_owned(),
            port: self.address.port(),
            rung: Rung::Pinned,
            reason: Reason::Given,
            since: Some(OffsetDateTime::UNIX_EPOCH),
            notices: Vec::new(),
        }
    }

    /// Waits for the next completed handshake.
    pub(crate) async fn accepted(&mut self) -> Accepted {
        self.accepted.recv().await.unwrap()
    }

    /// How many connections were made to it.
    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

impl Drop for TestServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// The API of the test server.
async fn answer(
    request: hyper::Request<hyper::body::Incoming>,
) -> Result<hyper::Response<Full<Bytes>>, &'static str> {
    let response = hyper::Response::builder().header(CONTENT_TYPE, "text/plain");
    let (parts, body) = request.into_parts();
    let body = body.collect().await.map_err(|_| "no body")?.to_bytes();
    let header = |name| match parts.headers.get(name) {
        Some(value) => value.to_str().unwrap().to_owned(),
        None => "-".to_owned(),
    };
    let whole = |response: hyper::http::response::Builder, text: String| {
        Ok(response.body(Full::new(Bytes::from(text))).unwrap())
    };
    match parts.uri.path() {
        "/echo" => {
            let (host, accept, kind) = (header(HOST), header(ACCEPT), header(CONTENT_TYPE));
            let body = String::from_utf8(body.to_vec()).unwrap();
            let text = format!(
                "{} {} {host} {accept} {kind} {body}",
                parts.method, parts.uri
            );
            whole(response, text)
        }
        "/then-close" => whole(response.header(CONNECTION, "close"), String::new()),
        "/drop" => Err("dropped"),
        "/never" => std::future::pending().await,
        "/long" => whole(
            response,
            "x".repeat(parts.uri.query().unwrap().parse().unwrap()),
        ),
        _ => whole(response.status(404), String::new()),
    }
}

/// Accepts every Ed25519 client certificate whose key signed the handshake.
#[derive(Debug)]
struct AnyEd25519;

impl ClientCertVerifier for AnyEd25519 {
    fn root_hint_subjects(&self) -> &[CaName] {
        &[]
    }

    fn client_auth_mandatory(&self) -> bool {
        false
    }

    fn verify_client_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _now: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _dss: &DigitallySignedStruct,
    ) -> Result<rustls::client::danger::HandshakeSignatureValid, rustls::Error> {
        Err(rustls::PeerIncompatible::Tls12NotOffered.into())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<rustls::client::danger::HandshakeSignatureValid, rustls::Error> {
        let algorithms = default_provider().signature_verification_algorithms;
        verify_tls13_signature(message, cert, dss, &algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ED25519]
    }
}

fn client_key(certificate: &CertificateDer<'_>) -> [u8; 32] {
    let certificate = webpki::EndEntityCert::try_from(certificate).unwrap();
    let spki = certificate.subject_public_key_info();
    spki[spki.len() - 32..].try_into().unwrap()
}

fn signing_key(key: &KeyPair) -> Arc<dyn SigningKey> {
    any_supported_type(&PrivateKeyDer::Pkcs8(key.serialize_der().into())).unwrap()
}

fn params(subject: &str, from: i32, until: i32) -> CertificateParams {
    let mut serial = [0u8; 16];
    aws_lc_rs::rand::fill(&mut serial).unwrap();
    let mut params = self_params(subject);
    params.serial_number = Some(SerialNumber::from_slice(&serial));
    params.not_before = rcgen::date_time_ymd(from, 1, 1);
    params.not_after = rcgen::date_time_ymd(until, 1, 1);
    params
}

fn self_params(subject: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, subject);
    params
}
