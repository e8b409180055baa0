//! A man in the middle: he ends the TLS of whom he catches with a certificate of his own, and listens.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rcgen::{
    BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, PublicKeyData as _,
};
use recado_proto::alpn;
use recado_proto::fingerprint::Fingerprint;
use rustls::pki_types::PrivatePkcs8KeyDer;
use tokio::io::copy_bidirectional;
use tokio::net::TcpStream;
use tokio::runtime::Runtime;
use tokio_rustls::TlsAcceptor;

use super::Server;

/// Whom he catches.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Catch {
    /// Everyone.
    All,
    /// recado's own clients; whoever else comes sees the server itself.
    Own,
}

pub(crate) struct Interceptor {
    pub(crate) address: SocketAddr,
    /// By which he would be known.
    pub(crate) fingerprint: Fingerprint,
    /// His root, as PEM.
    pub(crate) root_pem: String,
    /// How many connections gave him something to read after the handshake.
    pub(crate) overheard: Arc<AtomicUsize>,
    /// Ends what it runs when dropped.
    _runtime: Runtime,
}

impl Interceptor {
    pub(crate) fn before(server: &Server, catch: Catch) -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params
            .distinguished_name
            .push(DnType::CommonName, "mallory");
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        let root = params.self_signed(&key).unwrap();
        let fingerprint = Fingerprint::from_spki(&key.subject_public_key_info());
        let issuer = Issuer::new(params, key);
        let key = KeyPair::generate().unwrap();
        // All that a client could look for.
        let names = ["recado.internal", "localhost", "127.0.0.1", "0.0.0.0"];
        let leaf = CertificateParams::new(names.map(str::to_owned)).unwrap();
        let leaf = leaf.signed_by(&key, &issuer).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut config = rustls::ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13])
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(
                vec![leaf.der().clone(), root.der().clone()],
                PrivatePkcs8KeyDer::from(key.serialize_der()).into(),
            )
            .unwrap();
        config.alpn_protocols = [alpn::CHAT, alpn::HTTP, alpn::H2, alpn::HTTP_1_1]
            .map(<[u8]>::to_vec)
            .to_vec();

        let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0)).unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let overheard = Arc::<AtomicUsize>::default();
        let (heard, server) = (overheard.clone(), server.socket());
        let guard = runtime.enter();
        let listener = tokio::net::TcpListener::from_std(listener).unwrap();
        drop(guard);
        runtime.spawn(async move {
            let acceptor = TlsAcceptor::from(Arc::new(config));
            while let Ok((client, _)) = listener.accept().await {
                let (acceptor, heard) = (acceptor.clone(), heard.clone());
                tokio::spawn(intercept(client, server, acceptor, catch, heard));
            }
        });
        Self {
            address,
            fingerprint,
            root_pem: root.pem(),
            overheard,
            _runtime: runtime,
        }
    }

    /// `0.0.0.0:PORT`: this machine, but not written as such.
    pub(crate) fn address(&self) -> String {
        self.address.to_string()
    }

    /// Whether anyone told him anything.
    pub(crate) fn has_heard(&self) -> bool {
        self.overheard.load(Ordering::SeqCst) > 0
    }
}

async fn intercept(
    mut client: TcpStream,
    server: SocketAddr,
    acceptor: TlsAcceptor,
    catch: Catch,
    heard: Arc<AtomicUsize>,
) {
    if catch == Catch::Own {
        // The names that a client offers stand readable in its first message.
        let mut hello = vec![0; 16 * 1024];
        let length = client.peek(&mut hello).await.unwrap_or_default();
        let is_own = hello[..length]
            .windows(7)
            .any(|window| window == b"recado-");
        if !is_own {
            if let Ok(mut server) = TcpStream::connect(server).await {
                let _ = copy_bidirectional(&mut client, &mut server).await;
            }
            return;
        }
    }
    // Clients that do not believe him end the handshake, or say goodbye after it.
    let Ok(mut client) = acceptor.accept(client).await else {
        return;
    };
    let mut first = [0; 1024];
    if let Ok(1..) = tokio::io::AsyncReadExt::read(&mut client, &mut first).await {
        heard.fetch_add(1, Ordering::SeqCst);
    }
}
