//! A recado session as a client holds it: welcomed, its datagrams confirmed in both directions and kept so.
//! Of what the server says only what that takes is looked at: a roster for each of thousands of clients would
//! be millions of people in one process.

use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use aws_lc_rs::digest::{SHA256, digest};
use rcgen::{CertificateParams, KeyPair, PKCS_ED25519, PublicKeyData};
use recado_proto::datagram::{
    EXPORTER_LABEL, EXPORTER_LENGTH, Opener, Sealer, SessionSecret, Side, exporter_context,
};
use recado_proto::frame::{
    ClientDatagram, ClientFrame, Hello, Malformed, Probe, ServerDatagram, ServerFrame, Welcome,
};
use recado_proto::framing::FrameSplitter;
use recado_proto::id::RemoteKey;
use recado_proto::limits::MAX_DATAGRAM;
use recado_proto::{PROTOCOL_VERSION, alpn};
use rustls::pki_types::PrivatePkcs8KeyDer;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};
use tokio::time::{Instant, sleep_until};
use tokio_rustls::client::TlsStream;

use super::clients::{Target, source};

/// Time between probes until the path is confirmed, as recado's client has it.
const FIRST_INTERVAL: Duration = Duration::from_millis(100);

/// And after that.
const INTERVAL: Duration = Duration::from_secs(15);

/// Bytes read at once.
const READ_BATCH: usize = 8 * 1024;

/// Bytes of a Ping: the field's number, and the length of nothing.
const LONGEST_PING: usize = 3;

/// An open session.
pub(super) struct Session {
    stream: TlsStream<TcpStream>,
    splitter: FrameSplitter,
    udp: UdpSocket,
    sealer: Sealer,
    opener: Opener,
    nonce: u64,
    challenge: u64,
    confirmed: bool,
    next_probe: Instant,
    buffer: Box<[u8; READ_BATCH]>,
}

impl Session {
    /// Opens one under a key and a name of its own; its path is confirmed.
    pub(super) async fn open(target: &Target, number: u32) -> Result<Self> {
        let key = KeyPair::generate_for(&PKCS_ED25519)?;
        let certificate = CertificateParams::new([])?.self_signed(&key)?;
        let mut config = target.config()?.with_client_auth_cert(
            vec![certificate.der().clone()],
            PrivatePkcs8KeyDer::from(key.serialize_der()).into(),
        )?;
        config.alpn_protocols = vec![alpn::CHAT.to_vec()];
        let mut stream = target.connect(number, config).await?;

        let hello = ClientFrame::Hello(Hello {
            version_min: PROTOCOL_VERSION,
            version_max: PROTOCOL_VERSION,
            name: format!("bench{number}"),
            software: "recado-bench".to_owned(),
            ticket: None,
        });
        send(&mut stream, hello).await?;
        let mut buffer = Box::new([0; READ_BATCH]);
        let mut splitter = FrameSplitter::default();
        let welcome = welcome(&mut stream, &mut splitter, &mut buffer[..]).await?;

        let key = RemoteKey::try_from(key.der_bytes())?;
        let secret = secret(&stream, &welcome, &key)?;
        let confirm = secret.check(Side::Client).as_bytes().to_vec();
        send(&mut stream, ClientFrame::DatagramConfirm(confirm)).await?;
        let udp = UdpSocket::bind((source(number), 0)).await?;
        udp.connect(target.address).await?;
        let (sealer, opener) = secret.into_pair(Side::Client, welcome.connection);
        let mut session = Self {
            stream,
            splitter,
            udp,
            sealer,
            opener,
            nonce: 0,
            challenge: 0,
            confirmed: false,
            next_probe: Instant::now(),
            buffer,
        };
        while !session.confirmed {
            session.step().await?;
        }
        Ok(session)
    }

    /// Keeps it and its path open, until the server ends it.
    pub(super) async fn hold(mut self) {
        while self.step().await.is_ok() {}
    }

    async fn step(&mut self) -> Result<()> {
        let mut datagram = [0; MAX_DATAGRAM];
        tokio::select! {
            read = self.stream.read(&mut self.buffer[..]) => {
                let length = read?;
                ensure!(length > 0, "the server closed the session");
                let bytes = self.buffer.get(..length).unwrap_or_default();
                answer_pings(&mut self.stream, &mut self.splitter, bytes).await?;
            }
            received = self.udp.recv(&mut datagram) => {
                let received = datagram.get_mut(..received?).unwrap_or_default();
                self.take_datagram(received).await?;
            }
            () = sleep_until(self.next_probe) => self.probe().await?,
        }
        Ok(())
    }

    async fn take_datagram(&mut self, datagram: &mut [u8]) -> Result<()> {
        let opened = self.opener.open(datagram)?;
        if let Some(ServerDatagram::ProbeAnswer(answer)) = ServerDatagram::decode(opened.plaintext)?
        {
            if answer.confirmed {
                self.confirmed = true;
                self.next_probe = Instant::now() + INTERVAL;
            } else if answer.nonce == self.nonce {
                self.challenge = answer.challenge;
                self.probe().await?;
            }
        }
        Ok(())
    }

    async fn probe(&mut self) -> Result<()> {
        let interval = if self.confirmed {
            INTERVAL
        } else {
            FIRST_INTERVAL
        };
        self.next_probe = Instant::now() + interval;
        self.nonce += 1;
        let probe = ClientDatagram::Probe(Probe {
            nonce: self.nonce,
            challenge: self.challenge,
            report: false,
        });
        let mut datagram = Vec::new();
        self.sealer.seal(&probe.encode(), &mut datagram)?;
        self.udp.send(&datagram).await?;
        Ok(())
    }
}

async fn send(stream: &mut TlsStream<TcpStream>, frame: ClientFrame) -> Result<()> {
    let mut bytes = Vec::new();
    frame.encode(&mut bytes)?;
    stream.write_all(&bytes).await?;
    Ok(stream.flush().await?)
}

/// Reads up to the first frame, which decides.
async fn welcome(
    stream: &mut TlsStream<TcpStream>,
    splitter: &mut FrameSplitter,
    buffer: &mut [u8],
) -> Result<Welcome> {
    let mut first = None;
    while first.is_none() {
        let length = stream.read(buffer).await?;
        ensure!(length > 0, "the server closed the session");
        let bytes = buffer.get(..length).unwrap_or_default();
        splitter.push(bytes, |frame| {
            if first.is_none() {
                first = ServerFrame::decode(frame)?;
            }
            Ok::<_, Malformed>(())
        })?;
    }
    match first.context("no frame")? {
        ServerFrame::Welcome(welcome) => Ok(welcome),
        other => bail!("not welcome: {other:?}"),
    }
}

/// Answers where the server asks whether this client is there. No other frame is as short, nor looked at.
async fn answer_pings(
    stream: &mut TlsStream<TcpStream>,
    splitter: &mut FrameSplitter,
    bytes: &[u8],
) -> Result<()> {
    let mut pings = 0;
    splitter.push(bytes, |frame| {
        if frame.len() <= LONGEST_PING && ServerFrame::decode(frame)? == Some(ServerFrame::Ping) {
            pings += 1;
        }
        Ok::<_, Malformed>(())
    })?;
    for _ in 0..pings {
        send(stream, ClientFrame::Pong).await?;
    }
    Ok(())
}

fn secret(
    stream: &TlsStream<TcpStream>,
    welcome: &Welcome,
    key: &RemoteKey,
) -> Result<SessionSecret> {
    let (_, tls) = stream.get_ref();
    let leaf = tls.peer_certificates().and_then(|chain| chain.first());
    let leaf_hash = digest(&SHA256, leaf.context("no certificate")?);
    let context = exporter_context(&welcome.session, key, leaf_hash.as_ref().try_into()?);
    let exported =
        tls.export_keying_material([0; EXPORTER_LENGTH], EXPORTER_LABEL, Some(&context))?;
    let secret = SessionSecret::new(exported);
    ensure!(
        secret.check(Side::Server).matches(&welcome.datagram_check),
        "the server's datagram keys differ"
    );
    Ok(secret)
}
