//! The second rung: a CA vouches for the typed name over ordinary HTTPS, and so, once, for the root that the server
//! has there.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::client::conn::http1;
use hyper::header::{HOST, USER_AGENT};
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use recado_proto::alpn;
use recado_proto::fingerprint::Fingerprint;
use rustls::client::Resumption;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, InvalidDnsNameError, ServerName};
use rustls::{ClientConfig, RootCertStore};
use thiserror::Error;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use super::root::{ROOT, fingerprint};
use crate::address::host_and_port;
use crate::connect::{Limits, open_tcp, provider};
use crate::trust::ladder::Failure;

/// The longest answer that is taken: a root certificate has less than 2 KiB.
const MAX_ANSWER: usize = 64 * 1024;

/// How long the answer may take once the connection stands.
const ANSWER_TIME: Duration = Duration::from_secs(10);

/// Whose word counts for a server of which nothing is known.
#[derive(Clone, Debug, Default)]
pub enum Authorities {
    /// The CAs that this system trusts.
    #[default]
    Platform,
    /// Those in a file, and no others.
    File(PathBuf),
}

/// A file of CAs that cannot be used.
#[derive(Debug, Error)]
#[error("{} holds no CA certificate that can be used; name a PEM file that does, or leave --ca out", .path.display())]
pub struct BadAuthorities {
    /// The file.
    pub path: PathBuf,
}

/// Why no CA vouches for a server.
#[derive(Debug, Error)]
pub enum NotVouched {
    /// There are no CA certificates on this system.
    #[error("there are no CA certificates on this system")]
    NoAuthorities(#[source] rustls::Error),
    /// It cannot be reached in this way.
    #[error("no connection")]
    Unreachable(#[source] Failure),
    /// What was typed can stand in no certificate.
    #[error("the address can stand in no certificate")]
    Name(#[from] InvalidDnsNameError),
    /// Its certificate for others is not of a CA that is trusted, or not for this name.
    #[error("its certificate is not vouched for")]
    Handshake(#[source] io::Error),
    /// It has no root certificate there.
    #[error("it does not give its root certificate")]
    NoRoot,
    /// No answer in time.
    #[error("no answer")]
    Timeout,
    /// The answer broke off, or is no HTTP.
    #[error("the connection broke")]
    Broken(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl Authorities {
    /// TLS under these authorities, as anyone has it.
    pub(super) fn config(&self) -> Result<Result<ClientConfig, NotVouched>, BadAuthorities> {
        let provider = provider();
        Ok(match self {
            Self::Platform => platform(provider).map_err(NotVouched::NoAuthorities),
            Self::File(path) => {
                let roots = roots(path).ok_or_else(|| BadAuthorities { path: path.clone() })?;
                builder(provider)
                    .map(|builder| builder.with_root_certificates(roots).with_no_client_auth())
                    .map_err(NotVouched::NoAuthorities)
            }
        })
    }
}

type Builder = rustls::ConfigBuilder<ClientConfig, rustls::WantsVerifier>;

fn builder(provider: Arc<CryptoProvider>) -> Result<Builder, rustls::Error> {
    ClientConfig::builder_with_provider(provider).with_protocol_versions(&[&rustls::version::TLS13])
}

fn platform(provider: Arc<CryptoProvider>) -> Result<ClientConfig, rustls::Error> {
    let verifier = rustls_platform_verifier::Verifier::new(provider.clone())?;
    Ok(builder(provider)?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth())
}

fn roots(path: &PathBuf) -> Option<RootCertStore> {
    let mut roots = RootCertStore::empty();
    for root in CertificateDer::pem_file_iter(path).ok()? {
        roots.add(root.ok()?).ok()?;
    }
    (!roots.is_empty()).then_some(roots)
}

/// The root that a CA vouches for at an address, under the host as it was typed.
pub(super) async fn vouched_root(
    mut config: ClientConfig,
    host: &str,
    address: SocketAddr,
    limits: &Limits,
) -> Result<Fingerprint, NotVouched> {
    config.alpn_protocols = vec![alpn::HTTP_1_1.to_vec()];
    config.resumption = Resumption::disabled();
    let name = ServerName::try_from(host.to_owned())?;
    let tcp = open_tcp(address, limits)
        .await
        .map_err(NotVouched::Unreachable)?;
    let connecting = TlsConnector::from(Arc::new(config)).connect(name, tcp);
    let tls = match timeout(limits.handshake, connecting).await {
        Ok(tls) => tls.map_err(NotVouched::Handshake)?,
        Err(_) => return Err(NotVouched::Timeout),
    };
    let fetching = async {
        let (mut sender, connection) = http1::handshake(TokioIo::new(tls)).await?;
        // Ends by itself when the sender is gone.
        tokio::spawn(connection);
        let request = Request::get(ROOT)
            .header(HOST, host_and_port(host, address.port()))
            .header(USER_AGENT, concat!("recado/", env!("CARGO_PKG_VERSION")))
            .body(Empty::<Bytes>::new())?;
        let response = sender.send_request(request).await?;
        if response.status() != StatusCode::OK {
            return Ok(None);
        }
        let body = Limited::new(response.into_body(), MAX_ANSWER);
        Ok::<_, Box<dyn std::error::Error + Send + Sync>>(Some(body.collect().await?.to_bytes()))
    };
    let pem = match timeout(ANSWER_TIME, fetching).await {
        Ok(pem) => pem.map_err(NotVouched::Broken)?,
        Err(_) => return Err(NotVouched::Timeout),
    };
    let pem = pem.ok_or(NotVouched::NoRoot)?;
    fingerprint(&pem).ok_or(NotVouched::NoRoot)
}
