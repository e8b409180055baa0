//! A chat session: the shell around [`recado_engine::Engine`]. One task owns the TLS stream, the UDP
//! socket and the engine; commands go in and events come out by channels.

use std::collections::VecDeque;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use recado_engine::{Command, CommandError, Engine, EngineConfig, Event, Output, WelcomeError};
use recado_proto::PROTOCOL_VERSION;
use recado_proto::datagram::{EXPORTER_LABEL, EXPORTER_LENGTH, SessionSecret, exporter_context};
use recado_proto::frame::{ClientFrame, Hello, Malformed, Refused, ServerFrame, Welcome};
use recado_proto::framing::{FrameSplitter, FrameTooLong};
use recado_proto::id::{MessageId, RemoteKey, SessionId, Signature};
use recado_proto::limits::MAX_DATAGRAM;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout};
use tokio_rustls::client::TlsStream;

use crate::connect::{Alpn, Connection, connect};
use crate::identity::Identity;
use crate::trust::ladder::{TrustError, Trusted};

/// How long the server may take to answer Hello: a commit on a slow disk, with a class before it.
const WELCOME_TIME: Duration = Duration::from_secs(30);

/// How long a write may stand still before the connection counts as lost.
const WRITE_TIME: Duration = Duration::from_secs(30);

/// Commands that may wait for the session's task.
const COMMAND_QUEUE: usize = 64;

/// Events that may wait for whoever uses the session; then nothing more is read from the network.
const EVENT_QUEUE: usize = 1024;

/// Bytes read from the connection at once.
const READ_BATCH: usize = 16 * 1024;

/// An open session. Dropping it closes the connection.
#[derive(Debug)]
pub struct Session {
    commands: mpsc::Sender<Command>,
    events: mpsc::Receiver<Event>,
}

/// A session that could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    /// The connection or its trust.
    #[error(transparent)]
    Trust(#[from] TrustError),
    /// The server does not want it: name or admission.
    #[error("the server refuses: {0:?}")]
    Refused(Refused),
    /// The connection ended, or no answer came in time.
    #[error("the server did not answer: {0}")]
    Lost(#[source] io::Error),
    /// The server sent what it had no right to send.
    #[error("the server sent what is not the recado protocol")]
    Malformed(#[from] Malformed),
    /// Its welcome cannot be accepted.
    #[error(transparent)]
    Welcome(#[from] WelcomeError),
    /// The system gives no UDP socket, or TLS no keys.
    #[error("this machine refuses: {0}")]
    Local(String),
}

impl SessionError {
    /// The exit code that a program ends with: 3 unreachable, 4 not trusted, 5 refused, 1 else.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Trust(error) => error.exit_code(),
            Self::Refused(_) => 5,
            Self::Lost(_) => 3,
            Self::Malformed(_) | Self::Local(_) => 1,
            Self::Welcome(WelcomeError::Version(_)) => 1,
            Self::Welcome(WelcomeError::DatagramKeys) => 4,
        }
    }
}

impl From<FrameTooLong> for SessionError {
    fn from(error: FrameTooLong) -> Self {
        Self::Malformed(error.into())
    }
}

impl Session {
    /// Connects, proves the identity, and takes the name.
    ///
    /// # Errors
    /// [`SessionError`]; the connection is closed.
    pub async fn open(
        trusted: &Trusted,
        identity: Identity,
        name: &str,
    ) -> Result<Self, SessionError> {
        let connection = connect(trusted, Alpn::Chat, Some(&identity)).await?;
        let Connection { mut stream, peer } = connection;
        let mut incoming = Incoming::default();
        let hello = ClientFrame::Hello(Hello {
            version_min: PROTOCOL_VERSION,
            version_max: PROTOCOL_VERSION,
            name: name.to_owned(),
            software: concat!("recado ", env!("CARGO_PKG_VERSION")).to_owned(),
        });
        let welcome = timeout(WELCOME_TIME, greet(&mut stream, &mut incoming, hello));
        let welcome = match welcome.await {
            Ok(Ok(welcome)) => welcome,
            Ok(Err(error)) => {
                if let SessionError::Refused(_) = error {
                    identity.refused();
                }
                return Err(error);
            }
            Err(_) => return Err(SessionError::Lost(io::ErrorKind::TimedOut.into())),
        };
        let key = RemoteKey::from_bytes(identity.public_key());
        let secret = datagram_secret(&stream, &welcome.session, &key, &peer.leaf_sha256)?;
        let udp = open_udp(peer.address)
            .await
            .map_err(|error| SessionError::Local(error.to_string()))?;
        // The identity is held, and its key locked, for as long as the session lives.
        let config = EngineConfig {
            root: trusted.root,
            key,
            sign: Box::new(move |content| {
                // A key that signed the handshake signs; if it ever does not, nobody believes the zeros.
                Signature::from_bytes(identity.sign(content).unwrap_or([0; 64]))
            }),
        };
        let started = Instant::now();
        let engine = Engine::new(Duration::ZERO, config, welcome, secret)?;
        let (commands, command_queue) = mpsc::channel(COMMAND_QUEUE);
        let (event_queue, events) = mpsc::channel(EVENT_QUEUE);
        let task = Task {
            stream,
            udp,
            engine,
            started,
            incoming,
            outgoing: Vec::new(),
            pending: VecDeque::new(),
        };
        tokio::spawn(task.run(command_queue, event_queue));
        Ok(Self { commands, events })
    }

    /// Gives a command. Waits while many are queued.
    ///
    /// # Errors
    /// [`CommandError`]; nothing was done.
    pub async fn command(&self, command: Command) -> Result<(), CommandError> {
        command.check()?;
        let sent = self.commands.send(command).await;
        sent.map_err(|_| CommandError::Ended)
    }

    /// The next event; `None` after [`Event::Closed`].
    pub async fn event(&mut self) -> Option<Event> {
        self.events.recv().await
    }

    /// Both halves, for those who command and listen in different places.
    pub fn split(self) -> (mpsc::Sender<Command>, mpsc::Receiver<Event>) {
        (self.commands, self.events)
    }
}

/// A new message id.
pub fn new_message_id() -> Result<MessageId, aws_lc_rs::error::Unspecified> {
    let mut bytes = [0; 16];
    aws_lc_rs::rand::fill(&mut bytes)?;
    Ok(MessageId::from_bytes(bytes))
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
    let mut bytes = Vec::new();
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

/// The session's task.
struct Task {
    stream: TlsStream<TcpStream>,
    udp: UdpSocket,
    engine: Engine,
    started: Instant,
    incoming: Incoming,
    /// Frames to be written.
    outgoing: Vec<u8>,
    /// Events that the queue had no room for.
    pending: VecDeque<Event>,
}

impl Task {
    async fn run(mut self, mut commands: mpsc::Receiver<Command>, events: mpsc::Sender<Event>) {
        let mut buffer = vec![0; READ_BATCH];
        let mut datagram = vec![0; MAX_DATAGRAM + 1];
        while let Some(frame) = self.incoming.frames.pop_front() {
            self.engine.handle_frame(self.started.elapsed(), frame);
        }
        while self.do_outputs().await {
            let deadline = self.engine.poll_timeout().map(|at| self.started + at);
            let timer = tokio::time::sleep_until(deadline.unwrap_or_else(Instant::now));
            let idle = self.pending.is_empty();
            tokio::select! {
                command = commands.recv() => match command {
                    Some(command) => {
                        let now = self.started.elapsed();
                        // Checked before it was queued; one for a session that has ended is answered by its end.
                        let _ = self.engine.handle_command(now, command);
                    }
                    None => break,
                },
                permit = events.reserve(), if !idle => match (permit, self.pending.pop_front()) {
                    (Ok(permit), Some(event)) => permit.send(event),
                    // Nobody listens any more.
                    _ => break,
                },
                read = self.stream.read(&mut buffer), if idle => self.take_bytes(read, &buffer),
                received = self.udp.recv(&mut datagram), if idle => {
                    // An error is an ICMP answer to something sent earlier: probing finds out.
                    if let Ok(length) = received {
                        let now = self.started.elapsed();
                        let bytes = datagram.get_mut(..length).unwrap_or_default();
                        self.engine.handle_datagram(now, bytes);
                    }
                }
                () = timer, if deadline.is_some() => {
                    self.engine.handle_timeout(self.started.elapsed());
                }
            }
        }
        // What happened last is still told, as long as someone listens.
        for event in self.pending {
            if events.send(event).await.is_err() {
                break;
            }
        }
        let _ = timeout(WRITE_TIME, self.stream.shutdown()).await;
    }

    fn take_bytes(&mut self, read: io::Result<usize>, buffer: &[u8]) {
        match read {
            Ok(0) => self
                .engine
                .handle_disconnected("the server closed the connection"),
            Err(error) => self.engine.handle_disconnected(&error.to_string()),
            Ok(length) => {
                let pushed = self.incoming.push(buffer.get(..length).unwrap_or_default());
                while let Some(frame) = self.incoming.frames.pop_front() {
                    self.engine.handle_frame(self.started.elapsed(), frame);
                }
                if let Err(error) = pushed {
                    self.engine.handle_disconnected(&error.to_string());
                }
            }
        }
    }

    /// Does what the engine wants done. False once the session has ended.
    async fn do_outputs(&mut self) -> bool {
        let mut open = true;
        while let Some(output) = self.engine.poll_output() {
            match output {
                Output::Frame(frame) => {
                    // Every text was checked; what does not fit a frame is not sent.
                    if let Err(error) = frame.encode(&mut self.outgoing) {
                        tracing::error!(%error, "a frame was not sent");
                    }
                }
                // Lost like any datagram if the socket does not take it.
                Output::Datagram(bytes) => {
                    let _ = self.udp.send(&bytes).await;
                }
                Output::Event(event) => {
                    open &= !matches!(event, Event::Closed { .. });
                    self.pending.push_back(event);
                }
            }
        }
        if open && !self.outgoing.is_empty() {
            let written = timeout(WRITE_TIME, async {
                self.stream.write_all(&self.outgoing).await?;
                self.stream.flush().await
            });
            let lost = match written.await {
                Ok(Ok(())) => None,
                Ok(Err(error)) => Some(error.to_string()),
                Err(_) => Some("the server takes nothing any more".to_owned()),
            };
            self.outgoing.clear();
            if let Some(detail) = lost {
                self.engine.handle_disconnected(&detail);
                while let Some(Output::Event(event)) = self.engine.poll_output() {
                    self.pending.push_back(event);
                }
                return false;
            }
        }
        open
    }
}
