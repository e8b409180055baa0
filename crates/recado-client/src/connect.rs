//! Connections to a recado server: TCP, then TLS 1.3 to a pinned root.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use recado_proto::{SERVER_NAME, alpn};
use rustls::client::{ClientConnection, Resumption, danger::ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::ServerName;
use rustls::{AlertDescription, ClientConfig};
use socket2::{SockRef, TcpKeepalive};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::identity::Identity;
use crate::trust::ladder::{Attempt, Failure, Learned, TrustError, Trusted};
use crate::trust::verifier::{
    CapturingVerifier, CertificateFault, DateFault, Finding, PinnedRootVerifier, Report,
};

/// How long TCP may take to connect: five times the first retransmission of a lost SYN (1 s).
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// How long the TLS handshake may take: two round trips on the worst of links, and a server that
/// has a class of 200 arriving.
pub const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a name may take to resolve; the system's own limits run into minutes.
pub const RESOLVE_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a connection may be silent before the system asks whether the other side still lives.
const KEEPALIVE_IDLE: Duration = Duration::from_secs(30);

/// How long the system waits between such questions.
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(10);

/// How long what was sent may stay without an acknowledgement of TCP's (RFC 5482), to which keepalive
/// alone would never come.
#[cfg(target_os = "linux")]
const USER_TIMEOUT: Duration = Duration::from_secs(60);

/// Which of the server's services a connection is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Alpn {
    /// A chat session, `recado/1`.
    Chat,
    /// HTTPS for recado's own client, `recado-http/1`.
    Http,
}

impl Alpn {
    fn protocol(self) -> &'static [u8] {
        match self {
            Self::Chat => alpn::CHAT,
            Self::Http => alpn::HTTP,
        }
    }
}

/// An open connection to a server that proved the pinned root.
#[derive(Debug)]
pub struct Connection {
    /// The TLS stream; its rustls half is `stream.get_ref().1`, for `export_keying_material`.
    pub stream: TlsStream<TcpStream>,
    /// Who is at the other end.
    pub peer: Peer,
}

/// What is known of the other end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer {
    /// The server's address, for the datagrams beside this connection too.
    pub address: SocketAddr,
    /// Our own address on this connection.
    pub local: SocketAddr,
    /// SHA-256 of the leaf that the server presented in this handshake (DER).
    pub leaf_sha256: [u8; 32],
    /// Dates out of order, if they are: a warning.
    pub dates: Option<DateFault>,
}

/// Opens a connection to a trusted server, which must prove the pinned root again. `identity` is
/// shown to it as the TLS client certificate if it asks for one, as `recado/1` does.
///
/// Sessions are not resumed and nothing is sent before the handshake is over. A server that refuses
/// the identity does so after this returns: with an alert at the first read (RFC 8446 §4.4.2.4).
pub async fn connect(
    trusted: &Trusted,
    alpn: Alpn,
    identity: Option<&Identity>,
) -> Result<Connection, TrustError> {
    connect_within(trusted, alpn, identity, &Limits::default()).await
}

pub(crate) async fn connect_within(
    trusted: &Trusted,
    alpn: Alpn,
    identity: Option<&Identity>,
    limits: &Limits,
) -> Result<Connection, TrustError> {
    let address = trusted.address;
    let server = || trusted.server();
    let failed = |failure| TrustError::from_attempts(server(), vec![Attempt { address, failure }]);

    let provider = provider();
    let report = Report::default();
    let algorithms = provider.signature_verification_algorithms;
    let verifier = PinnedRootVerifier::new(trusted.root, algorithms, report.clone());
    let config = client_config(provider, Arc::new(verifier), alpn, identity);
    let connector = TlsConnector::from(Arc::new(config.map_err(TrustError::Tls)?));
    let name = server_name().map_err(TrustError::Tls)?;

    let tcp = open_tcp(address, limits).await.map_err(failed)?;
    let local = tcp
        .local_addr()
        .map_err(|error| failed(Failure::Network(error)))?;
    let stream = match timeout(limits.handshake, connector.connect(name, tcp)).await {
        Err(_) => return Err(failed(Failure::HandshakeTimeout)),
        Ok(Err(error)) => {
            return Err(match report.get() {
                Some(Err(CertificateFault::RootNotPresented)) => {
                    changed(trusted, server(), limits).await
                }
                report => failed(handshake_failure(error, report, None, &[])),
            });
        }
        Ok(Ok(stream)) => stream,
    };
    if stream.get_ref().1.alpn_protocol() != Some(alpn.protocol()) {
        return Err(failed(Failure::NotRecado));
    }
    let Some(Ok(finding)) = report.get() else {
        // Unreachable: without resumption, every completed handshake has called the verifier.
        return Err(failed(Failure::Certificate(CertificateFault::Other)));
    };
    let Finding {
        leaf_sha256, dates, ..
    } = *finding;
    Ok(Connection {
        stream,
        peer: Peer {
            address,
            local,
            leaf_sha256,
            dates,
        },
    })
}

/// The time limits of a connection being set up; tests shorten them.
#[derive(Clone, Debug)]
pub(crate) struct Limits {
    pub(crate) resolve: Duration,
    pub(crate) connect: Duration,
    pub(crate) handshake: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            resolve: RESOLVE_TIMEOUT,
            connect: CONNECT_TIMEOUT,
            handshake: HANDSHAKE_TIMEOUT,
        }
    }
}

/// The error for a server that has another root than the pinned one. It was not believed so far, so
/// it is made to prove the other root before that is shown as its key.
async fn changed(trusted: &Trusted, server: String, limits: &Limits) -> TrustError {
    let address = trusted.address;
    match prove_root(address, limits).await {
        Ok(Ok(finding)) if finding.root != trusted.root => TrustError::Changed {
            server,
            old: trusted.root,
            new: finding.root,
            learned: Learned::Presented,
        },
        // It proves nothing, or sometimes the right root and sometimes not.
        Ok(Ok(_)) => TrustError::BadCertificate {
            server,
            address,
            fault: CertificateFault::RootNotPresented,
        },
        Ok(Err(failure)) => TrustError::from_attempts(server, vec![Attempt { address, failure }]),
        Err(error) => TrustError::Tls(error),
    }
}

/// Makes whatever answers at an address prove which root it has, as `recado-http/1`, and closes the
/// connection: neither a client certificate nor data is sent. The outer error is our own TLS's.
pub(crate) async fn prove_root(
    address: SocketAddr,
    limits: &Limits,
) -> Result<Result<Finding, Failure>, rustls::Error> {
    let provider = provider();
    let report = Report::default();
    let algorithms = provider.signature_verification_algorithms;
    let verifier = CapturingVerifier::new(algorithms, report.clone());
    let config = client_config(provider, Arc::new(verifier), Alpn::Http, None)?;
    let mut tls = ClientConnection::new(Arc::new(config), server_name()?)?;

    let mut tcp = match open_tcp(address, limits).await {
        Ok(tcp) => tcp,
        Err(failure) => return Ok(Err(failure)),
    };
    let mut beginning = Vec::new();
    let handshake = shake_hands(&mut tls, &mut tcp, &mut beginning);
    let ended = match timeout(limits.handshake, handshake).await {
        Err(_) => return Ok(Err(Failure::HandshakeTimeout)),
        Ok(ended) => ended,
    };
    Ok(match (ended, report.get()) {
        (Err(error), report) => Err(handshake_failure(
            error,
            report,
            Some(tls.alpn_protocol()),
            &beginning,
        )),
        (Ok(()), _) if tls.alpn_protocol() != Some(alpn::HTTP) => Err(Failure::NotRecado),
        (Ok(()), Some(Ok(finding))) => Ok(*finding),
        (Ok(()), _) => Err(Failure::Certificate(CertificateFault::Other)),
    })
}

/// How many bytes of an answer are kept to tell what kind of server gave it.
const BEGINNING: usize = 5;

/// Drives a handshake to its end and says goodbye. Done by hand, because after a failure we need to
/// know which protocol was negotiated, and how the answer began.
async fn shake_hands(
    tls: &mut ClientConnection,
    tcp: &mut TcpStream,
    beginning: &mut Vec<u8>,
) -> io::Result<()> {
    let mut buffer = vec![0; 4096];
    loop {
        flush(tls, tcp).await?;
        if !tls.is_handshaking() {
            break;
        }
        let length = tcp.read(&mut buffer).await?;
        let mut received = buffer.get(..length).unwrap_or_default();
        if received.is_empty() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let missing = BEGINNING.saturating_sub(beginning.len());
        beginning.extend(received.iter().take(missing));
        while !received.is_empty() {
            tls.read_tls(&mut received)?;
            if let Err(error) = tls.process_new_packets() {
                // The alert, which tells the server's log why; the error is what matters here.
                let _ = flush(tls, tcp).await;
                return Err(io::Error::new(io::ErrorKind::InvalidData, error));
            }
        }
    }
    tls.send_close_notify();
    // The server has proven its root; it need not hear our goodbye.
    let _ = flush(tls, tcp).await;
    Ok(())
}

async fn flush(tls: &mut ClientConnection, tcp: &mut TcpStream) -> io::Result<()> {
    let mut outgoing = Vec::new();
    while tls.wants_write() {
        tls.write_tls(&mut outgoing)?;
    }
    tcp.write_all(&outgoing).await
}

/// Opens a TCP connection that neither delays small writes nor outlives its peer unnoticed.
pub(crate) async fn open_tcp(address: SocketAddr, limits: &Limits) -> Result<TcpStream, Failure> {
    let tcp = match timeout(limits.connect, TcpStream::connect(address)).await {
        Err(_) => return Err(Failure::ConnectTimeout),
        Ok(Err(error)) => {
            return Err(match error.kind() {
                io::ErrorKind::ConnectionRefused => Failure::Refused,
                io::ErrorKind::TimedOut => Failure::ConnectTimeout,
                _ => Failure::Network(error),
            });
        }
        Ok(Ok(tcp)) => tcp,
    };
    let keepalive = TcpKeepalive::new()
        .with_time(KEEPALIVE_IDLE)
        .with_interval(KEEPALIVE_INTERVAL);
    let options = tcp
        .set_nodelay(true)
        .and_then(|()| SockRef::from(&tcp).set_tcp_keepalive(&keepalive));
    #[cfg(target_os = "linux")]
    let options =
        options.and_then(|()| SockRef::from(&tcp).set_tcp_user_timeout(Some(USER_TIMEOUT)));
    // Both only make the connection better.
    if let Err(error) = options {
        tracing::debug!(%error, "a socket option was refused");
    }
    Ok(tcp)
}

/// The one cryptographic library, set up once.
pub(crate) fn provider() -> Arc<CryptoProvider> {
    static PROVIDER: OnceLock<Arc<CryptoProvider>> = OnceLock::new();
    PROVIDER
        .get_or_init(|| Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
        .clone()
}

/// TLS 1.3 only, one protocol, no resumption: every connection proves everything anew.
fn client_config(
    provider: Arc<CryptoProvider>,
    verifier: Arc<dyn ServerCertVerifier>,
    alpn: Alpn,
    identity: Option<&Identity>,
) -> Result<ClientConfig, rustls::Error> {
    let builder = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .dangerous()
        .with_custom_certificate_verifier(verifier);
    let mut config = match identity {
        Some(identity) => builder.with_client_cert_resolver(identity.resolver()),
        None => builder.with_no_client_auth(),
    };
    config.alpn_protocols = vec![alpn.protocol().to_vec()];
    config.resumption = Resumption::disabled();
    Ok(config)
}

/// The name that every recado server's leaf carries; the typed address is not sent.
fn server_name() -> Result<ServerName<'static>, rustls::Error> {
    ServerName::try_from(SERVER_NAME)
        .map_err(|_| rustls::Error::General("recado's own server name is invalid".to_owned()))
}

/// What a failed handshake says about the other side. `negotiated` is the ALPN protocol, where it
/// is known; `beginning` the first bytes of the answer, where they are.
fn handshake_failure(
    error: io::Error,
    report: Option<&Result<Finding, CertificateFault>>,
    negotiated: Option<Option<&[u8]>>,
    beginning: &[u8],
) -> Failure {
    use rustls::Error as Tls;
    let Some(tls) = error
        .get_ref()
        .and_then(|error| error.downcast_ref::<Tls>())
    else {
        return match error.kind() {
            io::ErrorKind::UnexpectedEof
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::BrokenPipe => Failure::Closed,
            _ => Failure::Network(error),
        };
    };
    if negotiated.is_some_and(|protocol| protocol.is_none()) && report.is_some() {
        // It presented certificates without having agreed to speak recado: a web server, whose
        // certificates are none of our business.
        return Failure::NotRecado;
    }
    match (tls, report) {
        (Tls::InvalidCertificate(_), Some(Err(fault))) => Failure::Certificate(*fault),
        (Tls::InvalidCertificate(_) | Tls::PeerMisbehaved(_), Some(Ok(_))) => {
            Failure::Certificate(CertificateFault::Handshake)
        }
        (Tls::InvalidMessage(_), None) if beginning.starts_with(b"HTTP/") => Failure::PlainHttp,
        (Tls::InvalidMessage(_), None) => Failure::NotTls,
        (Tls::AlertReceived(AlertDescription::CloseNotify), _) => Failure::Closed,
        _ => Failure::NotRecado,
    }
}

#[cfg(test)]
mod tests {
    use recado_proto::fingerprint::Fingerprint;
    use tokio::net::TcpListener;

    use super::*;
    use crate::home::Home;
    use crate::trust::test_server::{Authority, Leaf, TestServer, quick};

    #[tokio::test]
    async fn alice_shows_her_key_and_both_sides_derive_the_same_secret() {
        let school = Authority::new("school");
        let serving = school.serve(&Leaf::default());
        let leaf = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, serving.leaf());
        let mut server = TestServer::start(&serving).await;
        let folder = tempfile::tempdir().unwrap();
        let home = Home::open(folder.path()).unwrap();
        let alice = Identity::open(&home, &school.fingerprint(), "alice").unwrap();

        let trusted = server.trusted(school.fingerprint());
        let connection = connect(&trusted, Alpn::Chat, Some(&alice)).await.unwrap();
        assert_eq!(connection.peer.leaf_sha256, leaf.as_ref());
        assert_eq!(connection.peer.address, server.address);
        assert_eq!(connection.peer.dates, None);
        let accepted = server.accepted().await;
        assert_eq!(accepted.client_key, Some(alice.public_key()));
        let ours = connection.stream.get_ref().1;
        let ours = ours
            .export_keying_material([0u8; 32], b"EXPORTER-test", None)
            .unwrap();
        assert_eq!(ours, accepted.exported);
        let (tcp, tls) = connection.stream.get_ref();
        assert!(tcp.nodelay().unwrap());
        assert!(SockRef::from(tcp).keepalive().unwrap());
        let group = tls.negotiated_key_exchange_group().unwrap();
        assert_eq!(group.name(), rustls::NamedGroup::X25519MLKEM768);
    }

    #[tokio::test]
    async fn only_the_pinned_root_is_accepted() {
        let school = Authority::new("school");
        let eve = Authority::new("school");
        let server = TestServer::start(&eve.serve(&Leaf::default())).await;
        let trusted = server.trusted(school.fingerprint());
        match connect(&trusted, Alpn::Chat, None).await.unwrap_err() {
            TrustError::Changed {
                old, new, learned, ..
            } => {
                assert_eq!((old, new), (school.fingerprint(), eve.fingerprint()));
                assert_eq!(learned, Learned::Presented);
            }
            error => panic!("{error}"),
        }
    }

    #[tokio::test]
    async fn a_stolen_root_certificate_proves_nothing() {
        let school = Authority::new("school");
        // Same subject: Eve's leaf seems to be issued by the school's root, which she attaches.
        let eve = Authority::new("school");
        let forged = eve.serve(&Leaf::default()).with_root(&school);
        let server = TestServer::start(&forged).await;
        let trusted = server.trusted(school.fingerprint());
        let error = connect(&trusted, Alpn::Http, None).await.unwrap_err();
        assert_fault(&error, CertificateFault::Forged);

        // Another subject: it does not even seem so.
        let mallory = Authority::new("mallory");
        let forged = mallory.serve(&Leaf::default()).with_root(&school);
        let server = TestServer::start(&forged).await;
        let trusted = server.trusted(school.fingerprint());
        let error = connect(&trusted, Alpn::Http, None).await.unwrap_err();
        assert_fault(&error, CertificateFault::NoIssuer);
    }

    #[tokio::test]
    async fn a_stolen_chain_without_its_key_proves_nothing() {
        let school = Authority::new("school");
        let serving = school.serve(&Leaf::default()).with_another_key();
        let server = TestServer::start(&serving).await;
        let trusted = server.trusted(school.fingerprint());
        let error = connect(&trusted, Alpn::Http, None).await.unwrap_err();
        assert_fault(&error, CertificateFault::Handshake);
        let seen = prove_root(server.address, &Limits::default())
            .await
            .unwrap();
        assert!(matches!(
            seen,
            Err(Failure::Certificate(CertificateFault::Handshake))
        ));
    }

    #[tokio::test]
    async fn a_leaf_for_other_names_is_refused() {
        let school = Authority::new("school");
        let cases = [
            (
                Leaf {
                    names: vec!["localhost"],
                    ..Leaf::default()
                },
                CertificateFault::Name,
            ),
            (
                Leaf {
                    names: vec!["recado.internal", "bank.example"],
                    ..Leaf::default()
                },
                CertificateFault::NameConstraint,
            ),
        ];
        for (leaf, fault) in cases {
            let server = TestServer::start(&school.serve(&leaf)).await;
            let trusted = server.trusted(school.fingerprint());
            let error = connect(&trusted, Alpn::Http, None).await.unwrap_err();
            assert_fault(&error, fault);
        }
    }

    #[tokio::test]
    async fn a_ca_is_no_leaf_and_a_leaf_no_ca() {
        let school = Authority::new("school");
        let server = TestServer::start(&school.serve_itself()).await;
        let seen = prove_root(server.address, &Limits::default())
            .await
            .unwrap();
        assert!(
            matches!(seen, Err(Failure::Certificate(CertificateFault::CaAsLeaf))),
            "{seen:?}"
        );

        let server = TestServer::start(&Authority::serve_selfsigned()).await;
        let seen = prove_root(server.address, &Limits::default())
            .await
            .unwrap();
        assert!(
            matches!(seen, Err(Failure::Certificate(CertificateFault::NoIssuer))),
            "{seen:?}"
        );
    }

    #[tokio::test]
    async fn dates_out_of_order_are_a_warning() {
        let school = Authority::new("school");
        let past = Leaf {
            from: 2001,
            until: 2002,
            ..Leaf::default()
        };
        let server = TestServer::start(&school.serve(&past)).await;
        let trusted = server.trusted(school.fingerprint());
        let connection = connect(&trusted, Alpn::Http, None).await.unwrap();
        let not_after = rcgen::date_time_ymd(2002, 1, 1).into();
        assert_eq!(
            connection.peer.dates,
            Some(DateFault::Expired { not_after })
        );

        let future = Leaf {
            from: 2901,
            until: 2902,
            ..Leaf::default()
        };
        let server = TestServer::start(&school.serve(&future)).await;
        let trusted = server.trusted(school.fingerprint());
        let connection = connect(&trusted, Alpn::Http, None).await.unwrap();
        let not_before = rcgen::date_time_ymd(2901, 1, 1).into();
        assert_eq!(
            connection.peer.dates,
            Some(DateFault::NotYetValid { not_before })
        );

        // A warning about the dates is no excuse for anything else.
        let eve = Authority::new("school");
        let server = TestServer::start(&eve.serve(&past).with_root(&school)).await;
        let trusted = server.trusted(school.fingerprint());
        let error = connect(&trusted, Alpn::Http, None).await.unwrap_err();
        assert_fault(&error, CertificateFault::Forged);
    }

    #[tokio::test]
    async fn what_is_not_recado_is_told_apart() {
        let school = Authority::new("school");
        let web = TestServer::start(&school.serve(&Leaf::default()).speaking(&[b"http/1.1"])).await;
        assert!(matches!(prove(web.address).await, Err(Failure::NotRecado)));
        let web = TestServer::start(&Authority::serve_selfsigned().speaking(&[])).await;
        assert!(matches!(prove(web.address).await, Err(Failure::NotRecado)));

        let careless = school.serve(&Leaf::default()).speaking(&[]);
        let careless = TestServer::start(&careless).await;
        assert!(matches!(
            prove(careless.address).await,
            Err(Failure::NotRecado)
        ));

        let plain = TestServer::answering(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
        assert!(matches!(
            prove(plain.address).await,
            Err(Failure::PlainHttp)
        ));
        let ssh = TestServer::answering(b"SSH-2.0-OpenSSH_10.0\r\n").await;
        assert!(matches!(prove(ssh.address).await, Err(Failure::NotTls)));
        let closing = TestServer::answering(b"").await;
        assert!(matches!(prove(closing.address).await, Err(Failure::Closed)));
        let silent = TestServer::silent().await;
        let proven = prove_root(silent.address, &quick()).await.unwrap();
        assert!(matches!(proven, Err(Failure::HandshakeTimeout)));

        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        drop(listener);
        assert!(matches!(prove(address).await, Err(Failure::Refused)));
    }

    #[tokio::test]
    async fn a_server_without_the_service_is_not_recado() {
        let school = Authority::new("school");
        let server = TestServer::start(&school.serve(&Leaf::default()).speaking(&[])).await;
        let trusted = server.trusted(school.fingerprint());
        let error = connect(&trusted, Alpn::Chat, None).await.unwrap_err();
        assert!(matches!(error, TrustError::NotRecado { .. }), "{error}");
        assert_eq!(error.exit_code(), 3);
    }

    #[tokio::test]
    async fn a_probe_gives_nothing_away() {
        let school = Authority::new("school");
        let mut server = TestServer::start(&school.serve(&Leaf::default())).await;
        let finding = prove(server.address).await.unwrap();
        assert_eq!(finding.root, school.fingerprint());
        let accepted = server.accepted().await;
        assert_eq!(accepted.client_key, None);
        assert_eq!(accepted.server_name.as_deref(), Some(SERVER_NAME));
        assert_eq!(accepted.protocol.as_deref(), Some(alpn::HTTP));
    }

    async fn prove(address: SocketAddr) -> Result<Finding, Failure> {
        prove_root(address, &Limits::default()).await.unwrap()
    }

    fn assert_fault(error: &TrustError, expected: CertificateFault) {
        match error {
            TrustError::BadCertificate { fault, .. } => assert_eq!(*fault, expected),
            other => panic!("{other}"),
        }
        assert_eq!(error.exit_code(), 4);
    }

    #[test]
    fn a_fingerprint_is_of_the_key_not_of_the_certificate() {
        let school = Authority::new("school");
        let again = school.reissued();
        assert_ne!(school.certificate(), again.certificate());
        let fingerprint: Fingerprint = school.fingerprint();
        assert_eq!(fingerprint, again.fingerprint());
    }
}
