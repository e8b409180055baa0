//! The limit: the least program that reads a file, seals it and sends it, and the least that opens and writes it. Records
//! of 16 KiB, AES-256-GCM; nothing is agreed, verified or kept. And the same over rustls, for what stands in between.

use std::fs::File;
use std::io::{BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context, Result};
use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{
    ClientConfig, ClientConnection, RootCertStore, ServerConfig, ServerConnection, StreamOwned,
};

use crate::certificate::NAME;

/// Contents of a record, and its tag.
const RECORD: usize = 16 * 1024;
const TAG: usize = 16;

#[derive(clap::Args)]
pub(crate) struct Options {
    /// Which end
    end: End,
    /// Where the receiver listens, or the sender connects
    address: SocketAddr,
    /// What is sent, or where it goes
    file: PathBuf,
    /// Speak TLS: the receiver's certificate, or the root that the sender trusts
    #[arg(long)]
    certificate: Option<PathBuf>,
    /// The receiver's key
    #[arg(long)]
    key: Option<PathBuf>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, clap::ValueEnum)]
enum End {
    Send,
    Receive,
}

pub(crate) fn run(options: &Options) -> Result<()> {
    match (options.end, &options.certificate) {
        (End::Send, None) => send(options),
        (End::Receive, None) => receive(options),
        (End::Send, Some(root)) => send_tls(options, root),
        (End::Receive, Some(certificate)) => receive_tls(options, certificate),
    }
}

/// Both ends have the same key: how they came by it is nobody's concern here.
fn key() -> Result<LessSafeKey> {
    Ok(LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &[7; 32])?))
}

fn nonce(number: u64) -> Nonce {
    let mut nonce = [0; 12];
    for (to, from) in nonce.iter_mut().skip(4).zip(number.to_be_bytes()) {
        *to = from;
    }
    Nonce::assume_unique_for_key(nonce)
}

fn send(options: &Options) -> Result<()> {
    let mut stream = TcpStream::connect(options.address)?;
    stream.set_nodelay(true)?;
    let mut file = File::open(&options.file)?;
    let (key, mut number) = (key()?, 0);
    let mut record = vec![0; 2 + RECORD + TAG];
    loop {
        let (header, rest) = record.split_at_mut(2);
        let (contents, tag) = rest.split_at_mut(RECORD);
        let read = file.read(contents)?;
        if read == 0 {
            return Ok(());
        }
        // The last may be shorter: it is sealed as it is, padded.
        header.copy_from_slice(&u16::try_from(read)?.to_be_bytes());
        let sealed = key.seal_in_place_separate_tag(nonce(number), Aad::from(&header), contents)?;
        tag.copy_from_slice(sealed.as_ref());
        number += 1;
        stream.write_all(&record)?;
    }
}

fn receive(options: &Options) -> Result<()> {
    let (stream, _) = TcpListener::bind(options.address)?.accept()?;
    let mut stream = BufReader::with_capacity(2 + RECORD + TAG, stream);
    let mut file = File::create(&options.file)?;
    let (key, mut number) = (key()?, 0);
    let mut record = vec![0; 2 + RECORD + TAG];
    while stream.read_exact(&mut record).is_ok() {
        let (header, sealed) = record.split_at_mut(2);
        let length = u16::from_be_bytes([header[0], header[1]]);
        let contents = key.open_in_place(nonce(number), Aad::from(header), sealed)?;
        number += 1;
        file.write_all(contents.get(..length.into()).context("a length")?)?;
    }
    Ok(())
}

fn send_tls(options: &Options, root: &PathBuf) -> Result<()> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(root)?)?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from(NAME)?.to_owned();
    let stream = TcpStream::connect(options.address)?;
    stream.set_nodelay(true)?;
    let mut tls = StreamOwned::new(ClientConnection::new(Arc::new(config), name)?, stream);
    let mut file = File::open(&options.file)?;
    let mut buffer = vec![0; 8 * RECORD];
    loop {
        match file.read(&mut buffer)? {
            0 => break,
            read => tls.write_all(&buffer[..read])?,
        }
    }
    tls.conn.send_close_notify();
    tls.flush()?;
    // What the other side says at last is read, so that no reset destroys what is on its way.
    tls.sock.shutdown(Shutdown::Write)?;
    while matches!(tls.sock.read(&mut buffer), Ok(1..)) {}
    Ok(())
}

fn receive_tls(options: &Options, certificate: &PathBuf) -> Result<()> {
    let key = options.key.as_ref().context("a key is needed")?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_no_client_auth()
        .with_single_cert(
            vec![CertificateDer::from_pem_file(certificate)?],
            PrivateKeyDer::from_pem_file(key)?,
        )?;
    let listener = TcpListener::bind(options.address)?;
    let mut file = File::create(&options.file)?;
    let mut buffer = vec![0; 8 * RECORD];
    let config = Arc::new(config);
    loop {
        // Whoever looks whether it is there says nothing.
        let (stream, _) = listener.accept()?;
        let mut tls = StreamOwned::new(ServerConnection::new(config.clone())?, stream);
        let mut received = 0;
        while let Ok(read @ 1..) = tls.read(&mut buffer) {
            file.write_all(&buffer[..read])?;
            received += read;
        }
        if received > 0 {
            return Ok(());
        }
    }
}
