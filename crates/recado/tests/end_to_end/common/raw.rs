//! A client that obeys nobody: TLS by hand, and whatever bytes a test likes.

use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;

use recado_proto::PROTOCOL_VERSION;
use recado_proto::alpn;
use recado_proto::frame::{ClientFrame, Hello, Malformed, ServerFrame, Welcome};
use recado_proto::framing::FrameSplitter;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use super::{PATIENCE, Server};

pub(crate) type TlsStream = StreamOwned<ClientConnection, TcpStream>;

/// An Ed25519 key in a self-signed certificate.
pub(crate) struct RawIdentity {
    certificate: CertificateDer<'static>,
    key: PrivateKeyDer<'static>,
}

impl RawIdentity {
    pub(crate) fn new() -> Self {
        let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap();
        let params = rcgen::CertificateParams::default();
        Self {
            certificate: params.self_signed(&key).unwrap().der().clone(),
            key: PrivatePkcs8KeyDer::from(key.serialize_der()).into(),
        }
    }
}

/// A TLS session with the server, which must prove its root by the usual rules.
pub(crate) fn tls(
    server: &Server,
    alpn: &[&[u8]],
    identity: Option<&RawIdentity>,
) -> io::Result<TlsStream> {
    tls_over(TcpStream::connect(server.socket())?, server, alpn, identity)
}

/// The same over a connection that is there.
pub(crate) fn tls_over(
    tcp: TcpStream,
    server: &Server,
    alpn: &[&[u8]],
    identity: Option<&RawIdentity>,
) -> io::Result<TlsStream> {
    let mut roots = RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_file(server.root_pem()).unwrap())
        .unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_root_certificates(roots);
    let mut config = match identity {
        None => config.with_no_client_auth(),
        Some(RawIdentity { certificate, key }) => config
            .with_client_auth_cert(vec![certificate.clone()], key.clone_key())
            .unwrap(),
    };
    config.alpn_protocols = alpn.iter().map(|name| name.to_vec()).collect();
    let name = recado_proto::SERVER_NAME.try_into().unwrap();
    let connection = ClientConnection::new(Arc::new(config), name).unwrap();
    tcp.set_read_timeout(Some(PATIENCE))?;
    let mut stream = StreamOwned::new(connection, tcp);
    while stream.conn.is_handshaking() {
        stream.conn.complete_io(&mut stream.sock)?;
    }
    Ok(stream)
}

/// The first frame, for one version.
pub(crate) fn hello(name: &str, version: u32) -> ClientFrame {
    ClientFrame::Hello(Hello {
        version_min: version,
        version_max: version,
        name: name.to_owned(),
        software: "by hand".to_owned(),
        ticket: None,
    })
}

/// A chat session by hand.
pub(crate) struct RawChat {
    stream: TlsStream,
    splitter: FrameSplitter,
    frames: VecDeque<ServerFrame>,
}

impl RawChat {
    /// A TLS session as `recado/1`, in which nothing has been said.
    pub(crate) fn open(server: &Server) -> Self {
        Self::over(TcpStream::connect(server.socket()).unwrap(), server)
    }

    /// The same over a connection that is there.
    pub(crate) fn over(tcp: TcpStream, server: &Server) -> Self {
        Self::with(tcp, server, &RawIdentity::new())
    }

    /// A TLS session of someone's.
    pub(crate) fn of(server: &Server, identity: &RawIdentity) -> Self {
        let tcp = TcpStream::connect(server.socket()).unwrap();
        Self::with(tcp, server, identity)
    }

    fn with(tcp: TcpStream, server: &Server, identity: &RawIdentity) -> Self {
        Self {
            stream: tls_over(tcp, server, &[alpn::CHAT], Some(identity)).unwrap(),
            splitter: FrameSplitter::default(),
            frames: VecDeque::new(),
        }
    }

    /// Says hello, and is welcomed.
    pub(crate) fn hello(&mut self, name: &str) -> Welcome {
        self.send(hello(name, PROTOCOL_VERSION));
        match self.next() {
            Some(ServerFrame::Welcome(welcome)) => welcome,
            other => panic!("no welcome: {other:?}"),
        }
    }

    pub(crate) fn send(&mut self, frame: ClientFrame) {
        let mut bytes = Vec::new();
        frame.encode(&mut bytes).unwrap();
        self.send_bytes(&bytes);
    }

    /// Sends what may be no frame at all. The server may have closed: that shows when reading.
    pub(crate) fn send_bytes(&mut self, bytes: &[u8]) {
        let _ = self.stream.write_all(bytes);
        let _ = self.stream.flush();
    }

    /// The next frame; `None` is the end of the connection.
    pub(crate) fn next(&mut self) -> Option<ServerFrame> {
        let mut buffer = [0; 16 * 1024];
        loop {
            if let Some(frame) = self.frames.pop_front() {
                return Some(frame);
            }
            let length = match self.stream.read(&mut buffer) {
                Ok(0) => return None,
                Ok(length) => length,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => panic!("no frame came"),
                // Closed without close_notify, or with what was sent still unread.
                Err(_) => return None,
            };
            let frames = &mut self.frames;
            self.splitter
                .push(&buffer[..length], |frame| {
                    frames.extend(ServerFrame::decode(frame)?);
                    Ok::<(), Malformed>(())
                })
                .unwrap();
        }
    }
}
