//! A recado session as a client of this benchmark holds it: opened as any client opens it, its datagrams
//! confirmed in both directions. What comes after that is counted, not read.

use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use aws_lc_rs::digest::{SHA256, digest};
use rcgen::{CertificateParams, KeyPair, PKCS_ED25519, PublicKeyData};
use recado_proto::datagram::{
    EXPORTER_LABEL, EXPORTER_LENGTH, Opener, Sealer, SessionSecret, Side, exporter_context,
};
use recado_proto::frame::{
    ClientDatagram, ClientFrame, GlobalMessage, Hello, Malformed, Probe, ServerDatagram,
    ServerFrame, Welcome,
};
use recado_proto::framing::FrameSplitter;
use recado_proto::id::{MessageId, RemoteKey, Signature};
use recado_proto::limits::MAX_DATAGRAM;
use recado_proto::{PROTOCOL_VERSION, SERVER_NAME, alpn};
use rustls::client::Resumption;
use rustls::pki_types::{PrivatePkcs8KeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::crowd::source;

/// Time until a probe is repeated, as recado's client has it.
const PROBE_INTERVAL: Duration = Duration::from_millis(100);

/// Bytes read at once.
const READ_BATCH: usize = 8 * 1024;

/// Bytes of a Ping: the field's number, and the length of nothing.
const LONGEST_PING: usize = 3;

/// Where recado is.
#[derive(Clone)]
pub(super) struct Target {
    pub(super) address: SocketAddr,
    pub(super) roots: Arc<RootCertStore>,
}

/// The datagrams of an open session.
pub(super) struct Chat {
    server: SocketAddr,
    sealer: Sealer,
    nonce: u64,
    challenge: u64,
    out: Vec<u8>,
}

impl Chat {
    /// Opens one under a key and a name of its own; its path is confirmed. The connection is kept, and what it
    /// brings read, until the runtime ends.
    pub(super) async fn open(
        target: &Target,
        number: u32,
        udp: &tokio::net::UdpSocket,
    ) -> Result<Self> {
        let key = KeyPair::generate_for(&PKCS_ED25519)?;
        let certificate = CertificateParams::new([])?.self_signed(&key)?;
        let builder = ClientConfig::builder_with_protocol_versions(&[&rustls::version::TLS13]);
        let mut config = builder
            .with_root_certificates(target.roots.clone())
            .with_client_auth_cert(
                vec![certificate.der().clone()],
                PrivatePkcs8KeyDer::from(key.serialize_der()).into(),
            )?;
        config.alpn_protocols = vec![alpn::CHAT.to_vec()];
        config.resumption = Resumption::disabled();
        let socket = TcpSocket::new_v4()?;
        socket.bind((source(number), 0).into())?;
        let tcp = socket.connect(target.address).await?;
        tcp.set_nodelay(true)?;
        let connector = TlsConnector::from(Arc::new(config));
        let mut stream = connector
            .connect(ServerName::try_from(SERVER_NAME)?, tcp)
            .await?;

        let hello = ClientFrame::Hello(Hello {
            version_min: PROTOCOL_VERSION,
            version_max: PROTOCOL_VERSION,
            name: format!("bench{number}"),
            software: "recado-bench".to_owned(),
            ticket: None,
        });
        send(&mut stream, hello).await?;
        let mut buffer = vec![0; READ_BATCH];
        let mut splitter = FrameSplitter::default();
        let welcome = welcome(&mut stream, &mut splitter, &mut buffer).await?;

        let key = RemoteKey::try_from(key.der_bytes())?;
        let secret = secret(&stream, &welcome, &key)?;
        let confirm = secret.check(Side::Client).as_bytes().to_vec();
        send(&mut stream, ClientFrame::DatagramConfirm(confirm)).await?;
        tokio::spawn(async move {
            while let Ok(length @ 1..) = stream.read(&mut buffer).await {
                let bytes = buffer.get(..length).unwrap_or_default();
                if answer_pings(&mut stream, &mut splitter, bytes)
                    .await
                    .is_err()
                {
                    break;
                }
            }
        });
        let (sealer, opener) = secret.into_pair(Side::Client, welcome.connection);
        let mut chat = Self {
            server: target.address,
            sealer,
            nonce: 0,
            challenge: 0,
            out: Vec::with_capacity(MAX_DATAGRAM),
        };
        chat.confirm(udp, opener).await?;
        Ok(chat)
    }

    async fn confirm(&mut self, udp: &tokio::net::UdpSocket, mut opener: Opener) -> Result<()> {
        let mut buffer = [0; MAX_DATAGRAM];
        loop {
            self.seal_probe()?;
            udp.send_to(&self.out, self.server).await?;
            let Ok(received) = timeout(PROBE_INTERVAL, udp.recv_from(&mut buffer)).await else {
                continue;
            };
            let (length, from) = received?;
            if from != self.server {
                continue;
            }
            let opened = opener.open(&mut buffer[..length])?;
            if let Some(ServerDatagram::ProbeAnswer(answer)) =
                ServerDatagram::decode(opened.plaintext)?
            {
                self.challenge = answer.challenge;
                if answer.confirmed {
                    return Ok(());
                }
            }
        }
    }

    fn seal_probe(&mut self) -> Result<()> {
        self.nonce += 1;
        let probe = ClientDatagram::Probe(Probe {
            nonce: self.nonce,
            challenge: self.challenge,
            report: false,
        });
        self.sealer.seal(&probe.encode(), &mut self.out)?;
        Ok(())
    }

    /// Says that this client is still there.
    pub(super) fn probe(&mut self, udp: &UdpSocket) -> Result<()> {
        self.seal_probe()?;
        udp.send_to(&self.out, self.server)?;
        Ok(())
    }

    /// Says something to everyone. The signature is a client's to check, and nobody does here.
    pub(super) fn say(&mut self, udp: &UdpSocket, text: &str) -> Result<()> {
        let mut id = [0; 16];
        aws_lc_rs::rand::fill(&mut id)?;
        let mut signature = [0; 64];
        aws_lc_rs::rand::fill(&mut signature)?;
        let now = time::OffsetDateTime::now_utc().unix_timestamp_nanos() / 1_000_000;
        let message = ClientDatagram::Global(GlobalMessage {
            id: MessageId::from_bytes(id),
            sent_at_ms: i64::try_from(now)?,
            text: text.to_owned(),
            signature: Signature::from_bytes(signature),
        });
        self.sealer.seal(&message.encode(), &mut self.out)?;
        udp.send_to(&self.out, self.server)?;
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
