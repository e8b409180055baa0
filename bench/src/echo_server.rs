//! A bare TLS echo server on tokio and rustls: what a connection costs before anything is done with it.

use std::fs;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context, Result};
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

/// Bytes echoed at once, held by every connection.
const BUFFER: usize = 256;

#[derive(clap::Args)]
pub(crate) struct Options {
    /// PEM
    certificate: PathBuf,
    /// PEM
    key: PathBuf,
}

/// Says its port, and serves until it is ended.
pub(crate) async fn run(options: Options) -> Result<()> {
    let certificate = CertificateDer::from_pem_slice(&fs::read(&options.certificate)?)
        .context("the certificate")?;
    let key = PrivateKeyDer::from_pem_slice(&fs::read(&options.key)?).context("the key")?;
    let config = ServerConfig::builder_with_protocol_versions(&[&rustls::version::TLS13])
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)?;
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    println!("{}", listener.local_addr()?);
    loop {
        let (stream, _) = listener.accept().await?;
        tokio::spawn(echo(acceptor.clone(), stream));
    }
}

/// A connection that breaks is of no concern here.
async fn echo(acceptor: TlsAcceptor, stream: TcpStream) -> std::io::Result<()> {
    let mut stream = acceptor.accept(stream).await?;
    let mut buffer = [0; BUFFER];
    loop {
        let length = stream.read(&mut buffer).await?;
        if length == 0 {
            return Ok(());
        }
        stream.write_all(&buffer[..length]).await?;
        stream.flush().await?;
    }
}
