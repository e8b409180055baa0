//! One connection: TLS stream, UDP socket, and what waits to be read and written.

use std::collections::VecDeque;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use recado_proto::PROTOCOL_VERSION;
use recado_proto::datagram::{EXPORTER_LABEL, EXPORTER_LENGTH, SessionSecret, exporter_context};
use recado_proto::frame::{ClientFrame, Hello, Malformed, RefusalCode, ServerFrame, Welcome};
use recado_proto::framing::FrameSplitter;
use recado_proto::id::{RemoteKey, SessionId};
use recado_proto::limits::MAX_DATAGRAM;
use recado_proto::ticket::TicketSecret;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, ReadHalf, WriteHalf};
use tokio::net::{TcpStream, UdpSocket};
use tokio::time::timeout;
use tokio_rustls::client::TlsStream;
use zeroize::Zeroizing;

use super::{SessionConfig, SessionError};
use crate::connect::{Alpn, Connection, connect};

/// How long the server may take to answer Hello: a commit on a slow disk, with a class before it.
const WELCOME_TIME: Duration = Duration::from_secs(30);

/// How long the last bytes may take.
const SHUTDOWN_TIME: Duration = Duration::from_secs(2);

/// Bytes read from the connection at once.
const READ_BATCH: usize = 16 * 1024;

/// An open connection.
pub(super) struct Line {
    reader: ReadHalf<TlsStream<TcpStream>>,
    writer: WriteHalf<TlsStream<TcpStream>>,
    udp: UdpSocket,
    incoming: Incoming,
    buffer: Vec<u8>,
    datagram: Vec<u8>,
    /// Frames to be written. Bounded by what the engine has under way.
    outgoing: Vec<u8>,
    /// Whether TLS may hold bytes that were written.
    unflushed: bool,
}

/// A connection on which the server has welcomed us.
pub(super) struct Welcomed {
    pub(super) line: Line,
    pub(super) welcome: Welcome,
    pub(super) secret: SessionSecret,
}

/// What happened on a connection.
pub(super) enum Happening {
    /// Frames may have come.
    Read,
    /// A datagram came.
    Datagram(usize),
    /// Something was written.
    Written,
    /// It is lost.
    Lost(String),
}

impl Line {
    /// Connects, proves the identity, and asks for the name: with the ticket only if the server does not give it else,
    /// so that a ticket is neither shown nor used up where none is needed.
    pub(super) async fn open(config: &SessionConfig) -> Result<Welcomed, SessionError> {
        let mut opened = Self::open_with(config, None).await;
        if let (Err(SessionError::Refused(refused)), Some(ticket)) = (&opened, &config.ticket)
            && refused.code == RefusalCode::Registration
        {
            opened = Self::open_with(config, Some(ticket.clone())).await;
        }
        if let Err(SessionError::Refused(_)) = opened {
            config.identity.refused();
        }
        opened
    }

    async fn open_with(
        config: &SessionConfig,
        ticket: Option<TicketSecret>,
    ) -> Result<Welcomed, SessionError> {
        let identity = &config.identity;
        let connection = connect(&config.trusted, Alpn::Chat, Some(identity)).await?;
        let Connection { mut stream, peer } = connection;
        let mut incoming = Incoming::default();
        let hello = ClientFrame::Hello(Hello {
            version_min: PROTOCOL_VERSION,
            version_max: PROTOCOL_VERSION,
            name: config.name.clone(),
            software: concat!("recado ", env!("CARGO_PKG_VERSION")).to_owned(),
            ticket,
        });
        let welcome = timeout(WELCOME_TIME, greet(&mut stream, &mut incoming, hello));
        let welcome = match welcome.await {
            Ok(welcome) => welcome?,
            Err(_) => return Err(SessionError::Lost(io::ErrorKind::TimedOut.into())),
        };
        let key = RemoteKey::from_bytes(identity.public_key());
        let secret = datagram_secret(&stream, &welcome.session, &key, &peer.leaf_sha256)?;
        let udp = open_udp(peer.address).await;
        let udp = udp.map_err(|error| SessionError::Local(error.to_string()))?;
        let (reader, writer) = tokio::io::split(stream);
        let line = Self {
            reader,
            writer,
            udp,
            incoming,
            buffer: vec![0; READ_BATCH],
            datagram: vec![0; MAX_DATAGRAM + 1],
            outgoing: Vec::new(),
            unflushed: false,
        };
        Ok(Welcomed {
            line,
            welcome,
            secret,
        })
    }

    /// The next frame that has come.
    pub(super) fn frame(&mut self) -> Option<ServerFrame> {
        self.incoming.frames.pop_front()
    }

    /// The datagram that has come.
    pub(super) fn datagram(&mut self, length: usize) -> &mut [u8] {
        self.datagram.get_mut(..length).unwrap_or_default()
    }

    /// Queues a frame.
    pub(super) fn send(&mut self, frame: ClientFrame) {
        // Every text was checked; what does not fit a frame is not sent.
        if let Err(error) = frame.encode(&mut self.outgoing) {
            tracing::error!(%error, "a frame was not sent");
        }
    }

    /// Sends a datagram, which is lost like any other if the socket does not take it.
    pub(super) fn send_datagram(&self, bytes: &[u8]) {
        let _ = self.udp.try_send(bytes);
    }

    /// Waits for whatever happens next. What is queued is written meanwhile; nothing is read unless `may_read`. Can be
    /// dropped without loss.
    pub(super) async fn next(&mut self, may_read: bool) -> Happening {
        let is_writing = self.unflushed || !self.outgoing.is_empty();
        let write = async {
            if self.outgoing.is_empty() {
                self.writer.flush().await.map(|()| 0)
            } else {
                self.writer.write(&self.outgoing).await
            }
        };
        tokio::select! {
            written = write, if is_writing => match written {
                Ok(count) => {
                    self.unflushed = count > 0;
                    self.outgoing.drain(..count);
                    Happening::Written
                }
                Err(error) => Happening::Lost(error.to_string()),
            },
            read = self.reader.read(&mut self.buffer), if may_read => match read {
                Ok(0) => Happening::Lost("the server closed the connection".to_owned()),
                Ok(count) => {
                    let bytes = self.buffer.get(..count).unwrap_or_default();
                    match self.incoming.push(bytes) {
                        Ok(()) => Happening::Read,
                        Err(error) => Happening::Lost(error.to_string()),
                    }
                }
                Err(error) => Happening::Lost(error.to_string()),
            },
            received = self.udp.recv(&mut self.datagram), if may_read => {
                // An error is an ICMP answer to something sent earlier: probing finds out.
                Happening::Datagram(received.unwrap_or(0))
            }
            else => std::future::pending().await,
        }
    }

    /// Writes what is queued, and closes.
    pub(super) async fn close(mut self) {
        let closed = timeout(SHUTDOWN_TIME, async {
            self.writer.write_all(&self.outgoing).await?;
            self.writer.shutdown().await
        });
        // The other end may be gone.
        let _ = closed.await;
    }
}

/// Frames that have come and were not looked at yet.
#[derive(Default)]
struct Incoming {
    splitter: FrameSplitter,
    frames: VecDeque<ServerFrame>,
}

impl Incoming {
    fn push(&mut self, bytes: &[u8]) -> Result<(), Malformed> {
        let frames = &mut self.frames;
        self.splitter.push(bytes, |frame| {
            // A frame of a later version is passed over.
            frames.extend(ServerFrame::decode(frame)?);
            Ok(())
        })
    }
}

/// Sends Hello, and reads up to the first frame, which decides.
async fn greet(
    stream: &mut TlsStream<TcpStream>,
    incoming: &mut Incoming,
    hello: ClientFrame,
) -> Result<Welcome, SessionError> {
    // It may hold a ticket.
    let mut bytes = Zeroizing::new(Vec::with_capacity(1024));
    hello.encode(&mut bytes)?;
    let written = async {
        stream.write_all(&bytes).await?;
        stream.flush().await
    };
    written.await.map_err(SessionError::Lost)?;
    let mut buffer = vec![0; READ_BATCH];
    loop {
        match incoming.frames.pop_front() {
            Some(ServerFrame::Welcome(welcome)) => return Ok(welcome),
            Some(ServerFrame::Refused(refused)) => return Err(SessionError::Refused(refused)),
            Some(ServerFrame::Closing(closing)) => {
                return Err(SessionError::Lost(io::Error::other(closing.detail)));
            }
            Some(_) => return Err(Malformed::Missing("welcome").into()),
            None => {}
        }
        let read = stream.read(&mut buffer).await.map_err(SessionError::Lost)?;
        if read == 0 {
            return Err(SessionError::Lost(io::ErrorKind::UnexpectedEof.into()));
        }
        incoming.push(buffer.get(..read).unwrap_or_default())?;
    }
}

fn datagram_secret(
    stream: &TlsStream<TcpStream>,
    session: &SessionId,
    key: &RemoteKey,
    leaf_hash: &[u8; 32],
) -> Result<SessionSecret, SessionError> {
    let context = exporter_context(session, key, leaf_hash);
    let tls = stream.get_ref().1;
    tls.export_keying_material([0; EXPORTER_LENGTH], EXPORTER_LABEL, Some(&context))
        .map(SessionSecret::new)
        .map_err(|error| SessionError::Local(error.to_string()))
}

/// A socket that takes datagrams from the server alone.
async fn open_udp(server: SocketAddr) -> io::Result<UdpSocket> {
    let any: SocketAddr = match server {
        SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
        SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
    };
    let udp = UdpSocket::bind(any).await?;
    udp.connect(server).await?;
    Ok(udp)
}
