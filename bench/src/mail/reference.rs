//! The limit: the least server that carries messages and their acknowledgements. Two connections that name the same
//! pair are joined, and what comes from one goes to the other: nothing is read, decided or kept.

use std::collections::HashMap;
use std::fs;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, Result, ensure};
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncReadExt, copy_bidirectional_with_sizes};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::dialect::{Dialect, Tally};
use super::load::{Stream, TEXT};

/// Bytes carried at once: what a TLS record holds.
const BUFFER: usize = 16 * 1024;

/// Bytes of an acknowledgement: the number up to which all has come.
const ACKNOWLEDGEMENT: usize = 8;

#[derive(clap::Args)]
pub(crate) struct Options {
    /// PEM
    certificate: PathBuf,
    /// PEM
    key: PathBuf,
}

/// Those of whose pair one has come.
type Waiting = Arc<Mutex<HashMap<u32, TlsStream<TcpStream>>>>;

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
    let waiting = Waiting::default();
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        tokio::spawn(join(acceptor.clone(), stream, waiting.clone()));
    }
}

/// A connection that breaks is of no concern here: those who wait for its messages notice.
async fn join(acceptor: TlsAcceptor, stream: TcpStream, waiting: Waiting) -> std::io::Result<()> {
    let mut stream = acceptor.accept(stream).await?;
    let pair = stream.read_u32().await?;
    let mut other = {
        let mut waiting = waiting.lock().unwrap_or_else(PoisonError::into_inner);
        match waiting.remove(&pair) {
            Some(other) => other,
            None => {
                waiting.insert(pair, stream);
                return Ok(());
            }
        }
    };
    copy_bidirectional_with_sizes(&mut stream, &mut other, BUFFER, BUFFER).await?;
    Ok(())
}

/// One end: messages of equal length, and acknowledgements.
pub(super) struct Bare {
    is_sender: bool,
    partial: Vec<u8>,
}

impl Bare {
    pub(super) fn open(stream: &mut Stream, pair: u32, is_sender: bool) -> Result<Self> {
        std::io::Write::write_all(stream, &pair.to_be_bytes())?;
        Ok(Self {
            is_sender,
            partial: Vec::new(),
        })
    }
}

impl Dialect for Bare {
    fn say(&mut self, text: &[u8], out: &mut Vec<u8>) -> Result<()> {
        out.extend_from_slice(text);
        Ok(())
    }

    fn hear(&mut self, bytes: &[u8], tally: &mut Tally, out: &mut Vec<u8>) -> Result<()> {
        self.partial.extend_from_slice(bytes);
        let size = if self.is_sender {
            ACKNOWLEDGEMENT
        } else {
            TEXT
        };
        let whole = self.partial.len() - self.partial.len() % size;
        for each in self.partial[..whole].chunks_exact(size) {
            if self.is_sender {
                let number = u64::from_be_bytes(each.try_into()?);
                ensure!(
                    number > tally.settled,
                    "an acknowledgement that says nothing"
                );
                tally.settle(number);
            } else {
                tally.arrive(each)?;
            }
        }
        if !self.is_sender && whole > 0 {
            out.extend_from_slice(&tally.arrived.to_be_bytes());
        }
        self.partial.drain(..whole);
        Ok(())
    }
}
