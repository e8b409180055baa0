//! The connection that carries files: TLS over TCP, and frames in it.
//!
//! rustls is used without its buffers: what is read from the socket is opened where it lies, and what is sealed goes
//! straight into the socket, an eighth of a MiB at a time. That is what makes it nearly as fast as sealing alone.

use std::collections::VecDeque;
use std::io;
use std::time::Duration;

use recado_proto::file::{AbortCode, FrameHeader, HEADER, Kind, MAX_CONTROL, StreamFrame};
use recado_proto::frame::Malformed;
use recado_proto::id::RemoteKey;
use rustls::client::UnbufferedClientConnection;
use rustls::server::UnbufferedServerConnection;
use rustls::unbuffered::{
    ConnectionState, EncodeError, EncryptError, InsufficientSizeError, UnbufferedStatus,
};
use socket2::SockRef;
use tokio::io::Interest;
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep_until, timeout};

use super::tls::{PeerTls, identity_key};

/// Bytes of contents that go through buffers at once: few enough for a processor's cache, enough for few system calls.
pub(super) const PIECE: usize = 128 * 1024;

/// Bytes read from the socket at once, and the most that TLS makes of a piece: a record's header, tag and type for each
/// 16 KiB.
const BUFFER: usize = PIECE + PIECE / 256 + 16 * 1024;

/// How long a handshake may take: a few round trips of a phone on a bad line.
const HANDSHAKE_TIME: Duration = Duration::from_secs(10);

/// How long one has nothing to say before it says so.
const PULSE: Duration = Duration::from_secs(15);

/// How long nothing may come: three pulses.
const SILENCE: Duration = Duration::from_secs(45);

/// How long the last bytes may take.
const CLOSE_TIME: Duration = Duration::from_secs(2);

/// Why a connection is of no use any more.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ChannelError {
    /// It broke, or nobody answers: another may be tried.
    #[error("the connection is lost")]
    Lost(#[source] io::Error),
    /// The other end is not who it should be, or breaks TLS.
    #[error("the connection is not secure")]
    Tls(#[from] rustls::Error),
    /// The other end breaks the protocol.
    #[error("the other side broke the protocol: {0}")]
    Protocol(&'static str),
    /// A frame that cannot be read.
    #[error("the other side broke the protocol")]
    Malformed(#[from] Malformed),
    /// The other side ended it.
    #[error("the other side ended it: {0:?}")]
    Aborted(AbortCode),
}

impl From<io::Error> for ChannelError {
    fn from(error: io::Error) -> Self {
        Self::Lost(error)
    }
}

/// What came.
#[derive(Debug)]
pub(crate) enum Incoming {
    /// A frame; of contents, that they begin.
    Frame(StreamFrame),
    /// Contents; at most [`PIECE`] bytes.
    Contents(Vec<u8>),
}

/// An open connection to a person who has proved who they are.
pub(crate) struct Channel {
    tcp: TcpStream,
    tls: Tls,
    /// What was read from the socket; what lies from `start` to `filled` is not opened yet.
    sealed: Vec<u8>,
    start: usize,
    filled: usize,
    outgoing: Outgoing,
    splitter: Splitter,
    peer: RemoteKey,
    heard: Instant,
    said: Instant,
    /// The other end has ended its direction.
    ended: bool,
    /// TLS has failed: nothing more can be said.
    is_broken: bool,
}

/// Either end of TLS. Boxed: they are large.
enum Tls {
    Client(Box<UnbufferedClientConnection>),
    Server(Box<UnbufferedServerConnection>),
}

/// How far TLS has come.
#[derive(PartialEq, Eq)]
enum Phase {
    Handshake,
    Open,
    Ended,
}

/// Does the same with either end.
macro_rules! with_tls {
    ($tls:expr, $connection:ident => $body:expr) => {
        match $tls {
            Tls::Client($connection) => $body,
            Tls::Server($connection) => $body,
        }
    };
}

impl Channel {
    /// Opens TLS as its client, to this person.
    pub(crate) async fn connect(
        tcp: TcpStream,
        tls: &PeerTls,
        peer: RemoteKey,
    ) -> Result<Self, ChannelError> {
        let name = rustls::pki_types::ServerName::try_from(recado_proto::SERVER_NAME)
            .map_err(|_| ChannelError::Protocol("a name"))?;
        let connection = UnbufferedClientConnection::new(tls.client(peer)?, name)?;
        Self::shake_hands(tcp, Tls::Client(Box::new(connection))).await
    }

    /// Opens TLS as its server: for this person, or for anyone who proves a key.
    pub(crate) async fn accept(
        tcp: TcpStream,
        tls: &PeerTls,
        peer: Option<RemoteKey>,
    ) -> Result<Self, ChannelError> {
        let connection = UnbufferedServerConnection::new(tls.server(peer)?)?;
        Self::shake_hands(tcp, Tls::Server(Box::new(connection))).await
    }

    async fn shake_hands(tcp: TcpStream, tls: Tls) -> Result<Self, ChannelError> {
        // What is written is whole frames already. Both only make the connection better.
        let _ = tcp.set_nodelay(true);
        crate::system::be_bulk(&tcp);
        let now = Instant::now();
        let mut channel = Self {
            tcp,
            tls,
            sealed: vec![0; BUFFER],
            start: 0,
            filled: 0,
            outgoing: Outgoing::default(),
            splitter: Splitter::default(),
            peer: RemoteKey::from_bytes([0; 32]),
            heard: now,
            said: now,
            ended: false,
            is_broken: false,
        };
        let handshake = async {
            while channel.open()? == Phase::Handshake || !channel.is_flushed() {
                channel.turn(true).await?;
            }
            Ok::<_, ChannelError>(())
        };
        match timeout(HANDSHAKE_TIME, handshake).await {
            Ok(done) => done?,
            Err(_) => return Err(io::Error::from(io::ErrorKind::TimedOut).into()),
        }
        let (certificates, protocol) = with_tls!(&channel.tls, connection => {
            (connection.peer_certificates(), connection.alpn_protocol())
        });
        if protocol != Some(recado_proto::file::ALPN) {
            return Err(ChannelError::Protocol("another protocol"));
        }
        let key = certificates.and_then(|all| identity_key(all.first()?));
        channel.peer = key.ok_or(ChannelError::Protocol("no identity"))?;
        Ok(channel)
    }

    /// Makes it this task's: its socket's news come to the runtime that this is called in.
    pub(crate) fn adopt(&mut self) -> Result<(), ChannelError> {
        let socket: std::net::TcpStream = SockRef::from(&self.tcp).try_clone()?.into();
        self.tcp = TcpStream::from_std(socket)?;
        Ok(())
    }

    /// Who is at the other end.
    pub(crate) fn peer(&self) -> RemoteKey {
        self.peer
    }

    /// Whether everything that was queued has been written.
    pub(crate) fn is_flushed(&self) -> bool {
        self.outgoing.is_empty()
    }

    /// The next of what has come.
    pub(crate) fn next(&mut self) -> Option<Incoming> {
        self.splitter.incoming.pop_front()
    }

    /// Waits until there is something to be taken.
    pub(crate) async fn hear(&mut self) -> Result<(), ChannelError> {
        while self.splitter.incoming.is_empty() {
            if self.ended {
                return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
            }
            self.turn(true).await?;
        }
        match self.take_abort() {
            Some(code) => Err(ChannelError::Aborted(code)),
            None => Ok(()),
        }
    }

    /// Takes the other side's last word, if it has come.
    pub(crate) fn take_abort(&mut self) -> Option<AbortCode> {
        self.splitter
            .incoming
            .iter()
            .find_map(|incoming| match incoming {
                Incoming::Frame(StreamFrame::Abort(code)) => Some(*code),
                _ => None,
            })
    }

    /// Gives back a buffer, to be used for contents again.
    pub(crate) fn recycle(&mut self, buffer: Vec<u8>) {
        self.splitter.recycle(buffer);
    }

    /// Queues a frame; of contents, the header, which what [`queue_contents`](Self::queue_contents) takes must fill.
    pub(crate) fn queue(&mut self, frame: &StreamFrame) -> Result<(), ChannelError> {
        let mut bytes = Vec::with_capacity(64);
        frame.encode(&mut bytes);
        self.queue_contents(&bytes)
    }

    /// Seals bytes, and queues them.
    pub(crate) fn queue_contents(&mut self, bytes: &[u8]) -> Result<(), ChannelError> {
        // What has come meanwhile is opened first: only then TLS takes what is to be sent.
        if self.open()? != Phase::Open {
            return Err(io::Error::from(io::ErrorKind::NotConnected).into());
        }
        let mut room = bytes.len() + bytes.len() / 256 + 256;
        loop {
            let into = self.outgoing.room(room);
            let sealed = with_tls!(&mut self.tls, connection => {
                // There is nothing to open, so that it is ready to write.
                let UnbufferedStatus { state, .. } = connection.process_tls_records(&mut []);
                match state? {
                    ConnectionState::WriteTraffic(mut traffic) => traffic.encrypt(bytes, into),
                    _ => return Err(io::Error::from(io::ErrorKind::NotConnected).into()),
                }
            });
            match sealed {
                Ok(sealed) => {
                    self.outgoing.add(sealed);
                    break;
                }
                Err(EncryptError::InsufficientSize(InsufficientSizeError { required_size })) => {
                    room = required_size;
                }
                Err(EncryptError::EncryptExhausted) => {
                    return Err(ChannelError::Protocol("too much under one key"));
                }
            }
        }
        self.said = Instant::now();
        Ok(())
    }

    /// Waits until something was written, or, if `may_read`, read. Can be dropped without loss.
    pub(crate) async fn turn(&mut self, may_read: bool) -> Result<(), ChannelError> {
        let may_read = may_read && !self.ended;
        let interest = match (may_read, !self.is_flushed()) {
            (true, true) => Interest::READABLE | Interest::WRITABLE,
            (_, true) => Interest::WRITABLE,
            (true, false) => Interest::READABLE,
            (false, false) => {
                // The disk is slow, or the other end has ended: there is nothing to do here.
                return std::future::pending().await;
            }
        };
        let pulse = self.said + PULSE;
        let silent = self.heard + SILENCE;
        let ready = tokio::select! {
            ready = self.tcp.ready(interest) => ready?,
            () = sleep_until(silent), if may_read => {
                return Err(io::Error::from(io::ErrorKind::TimedOut).into());
            }
            () = sleep_until(pulse) => {
                self.said = Instant::now();
                if self.is_flushed() && self.splitter.is_greeted {
                    self.queue(&StreamFrame::Pulse)?;
                }
                return Ok(());
            }
        };
        if ready.is_writable() && !self.is_flushed() {
            self.write()?;
        }
        if ready.is_readable() && may_read {
            self.read()?;
        }
        Ok(())
    }

    /// Writes what is queued; what comes meanwhile is kept.
    pub(crate) async fn flush(&mut self) -> Result<(), ChannelError> {
        while !self.is_flushed() {
            self.turn(self.splitter.has_room()).await?;
        }
        Ok(())
    }

    /// The next frame, which is no contents.
    pub(crate) async fn frame(&mut self) -> Result<StreamFrame, ChannelError> {
        loop {
            match self.next() {
                Some(Incoming::Frame(StreamFrame::Abort(code))) => {
                    return Err(ChannelError::Aborted(code));
                }
                Some(Incoming::Frame(StreamFrame::Pulse)) => {}
                Some(Incoming::Frame(frame)) => return Ok(frame),
                Some(Incoming::Contents(_)) => return Err(ChannelError::Protocol("contents")),
                None if self.ended => {
                    return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
                }
                None => self.turn(true).await?,
            }
        }
    }

    /// Whether more may be read: what has come is bounded.
    pub(crate) fn has_room(&self) -> bool {
        self.splitter.has_room()
    }

    /// Whether the other end has ended it, and everything that it said was taken.
    pub(crate) fn is_over(&self) -> bool {
        self.ended && self.splitter.incoming.is_empty()
    }

    /// Says why it ends, if it is to be said, and closes.
    pub(crate) async fn close(mut self, code: Option<AbortCode>) {
        if self.is_broken {
            return;
        }
        let last = async {
            if let Some(code) = code {
                self.queue(&StreamFrame::Abort(code))?;
            }
            self.queue_close()?;
            while !self.is_flushed() {
                // Whatever the other end still says is not wanted; it is read so that no reset destroys our last word.
                self.splitter.incoming.clear();
                self.turn(true).await?;
            }
            let _ = SockRef::from(&self.tcp).shutdown(std::net::Shutdown::Write);
            while !self.ended {
                self.splitter.incoming.clear();
                self.turn(true).await?;
            }
            Ok::<_, ChannelError>(())
        };
        // The other end may be gone.
        let _ = timeout(CLOSE_TIME, last).await;
    }

    fn queue_close(&mut self) -> Result<(), ChannelError> {
        if self.open()? != Phase::Open {
            return Ok(());
        }
        let into = self.outgoing.room(256);
        let sealed = with_tls!(&mut self.tls, connection => {
            let UnbufferedStatus { state, .. } = connection.process_tls_records(&mut []);
            match state? {
                ConnectionState::WriteTraffic(mut traffic) => {
                    traffic.queue_close_notify(into).unwrap_or_default()
                }
                _ => 0,
            }
        });
        self.outgoing.add(sealed);
        Ok(())
    }

    fn write(&mut self) -> Result<(), ChannelError> {
        match self.tcp.try_write(self.outgoing.rest()) {
            Ok(written) => {
                self.outgoing.remove(written);
                Ok(())
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    fn read(&mut self) -> Result<(), ChannelError> {
        let into = self.sealed.get_mut(self.filled..).unwrap_or_default();
        if into.is_empty() {
            return Err(ChannelError::Protocol("a record without end"));
        }
        match self.tcp.try_read(into) {
            Ok(0) => {
                self.ended = true;
                Ok(())
            }
            Ok(read) => {
                self.filled += read;
                self.heard = Instant::now();
                self.open().map(drop)
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Opens what was read, as far as it is whole.
    fn open(&mut self) -> Result<Phase, ChannelError> {
        if self.is_broken {
            return Err(io::Error::from(io::ErrorKind::NotConnected).into());
        }
        let opened = self.open_records();
        self.is_broken = opened.is_err();
        opened
    }

    fn open_records(&mut self) -> Result<Phase, ChannelError> {
        let phase = loop {
            let sealed = self
                .sealed
                .get_mut(self.start..self.filled)
                .unwrap_or_default();
            let (splitter, outgoing) = (&mut self.splitter, &mut self.outgoing);
            let mut phase = None;
            let discard = with_tls!(&mut self.tls, connection => {
                let UnbufferedStatus { discard, state } = connection.process_tls_records(sealed);
                match state? {
                    ConnectionState::ReadTraffic(mut traffic) => {
                        while let Some(record) = traffic.next_record() {
                            splitter.push(record?.payload)?;
                        }
                    }
                    ConnectionState::EncodeTlsData(mut data) => {
                        match data.encode(&mut []) {
                            Err(EncodeError::InsufficientSize(InsufficientSizeError {
                                required_size,
                            })) => {
                                let encoded = data.encode(outgoing.room(required_size));
                                outgoing.add(encoded.map_err(|_| ChannelError::Protocol("TLS"))?);
                            }
                            Ok(_) | Err(EncodeError::AlreadyEncoded) => {}
                        }
                    }
                    ConnectionState::TransmitTlsData(data) => data.done(),
                    ConnectionState::BlockedHandshake => phase = Some(Phase::Handshake),
                    ConnectionState::WriteTraffic(_) => phase = Some(Phase::Open),
                    ConnectionState::PeerClosed => self.ended = true,
                    ConnectionState::Closed => phase = Some(Phase::Ended),
                    _ => return Err(ChannelError::Protocol("TLS")),
                }
                discard
            });
            self.start += discard;
            if let Some(phase) = phase {
                break phase;
            }
        };
        // What is left is part of a record; the next read goes behind it.
        self.sealed.copy_within(self.start..self.filled, 0);
        self.filled -= self.start;
        self.start = 0;
        Ok(phase)
    }
}

/// What is to be written into the socket. The buffer is never cleared: that would cost as much as filling it.
#[derive(Default)]
struct Outgoing {
    buffer: Vec<u8>,
    written: usize,
    filled: usize,
}

impl Outgoing {
    fn is_empty(&self) -> bool {
        self.written >= self.filled
    }

    fn rest(&self) -> &[u8] {
        self.buffer
            .get(self.written..self.filled)
            .unwrap_or_default()
    }

    /// Room for so many bytes behind what is there.
    fn room(&mut self, bytes: usize) -> &mut [u8] {
        if self.is_empty() {
            (self.written, self.filled) = (0, 0);
        }
        let end = self.filled + bytes;
        if self.buffer.len() < end {
            self.buffer.resize(end, 0);
        }
        self.buffer.get_mut(self.filled..end).unwrap_or_default()
    }

    /// So many bytes of that room were used.
    fn add(&mut self, bytes: usize) {
        self.filled += bytes;
    }

    fn remove(&mut self, bytes: usize) {
        self.written += bytes;
    }
}

impl Drop for Channel {
    fn drop(&mut self) {
        // One that was not closed in order is gone at once for the other end, too.
        let _ = SockRef::from(&self.tcp).shutdown(std::net::Shutdown::Both);
    }
}

/// Pieces of contents that may wait to be taken.
const WAITING: usize = 6;

/// Other frames that may.
const WAITING_FRAMES: usize = 1024;

/// Cuts what was opened into frames and contents.
#[derive(Default)]
struct Splitter {
    state: State,
    incoming: VecDeque<Incoming>,
    /// Contents that are not a whole piece yet.
    piece: Vec<u8>,
    spare: Vec<Vec<u8>>,
    /// Whether the other end's first frame has come.
    is_greeted: bool,
}

enum State {
    /// So many bytes of the header are there.
    Header([u8; HEADER], usize),
    /// The body of a frame.
    Body(FrameHeader, Vec<u8>),
    /// Contents: so many bytes are missing.
    Contents(usize),
}

impl Default for State {
    fn default() -> Self {
        Self::Header([0; HEADER], 0)
    }
}

impl Splitter {
    fn has_room(&self) -> bool {
        let pieces = self
            .incoming
            .iter()
            .filter(|incoming| matches!(incoming, Incoming::Contents(_)));
        self.incoming.len() < WAITING_FRAMES && pieces.count() < WAITING
    }

    fn recycle(&mut self, mut buffer: Vec<u8>) {
        if self.spare.len() < WAITING {
            buffer.clear();
            self.spare.push(buffer);
        }
    }

    fn push(&mut self, mut bytes: &[u8]) -> Result<(), Malformed> {
        while !bytes.is_empty() {
            match &mut self.state {
                State::Header(header, have) => {
                    let missing = header.get_mut(*have..).unwrap_or_default();
                    let count = missing.len().min(bytes.len());
                    let (taken, rest) = bytes.split_at(count);
                    for (to, from) in missing.iter_mut().zip(taken) {
                        *to = *from;
                    }
                    *have += count;
                    bytes = rest;
                    if *have == HEADER {
                        let header = FrameHeader::decode(*header)?;
                        self.begin(header)?;
                    }
                }
                State::Body(header, body) => {
                    let count = (header.length as usize - body.len()).min(bytes.len());
                    let (taken, rest) = bytes.split_at(count);
                    body.extend_from_slice(taken);
                    bytes = rest;
                    self.end_body()?;
                }
                State::Contents(missing) => {
                    if self.piece.capacity() == 0 {
                        self.piece = self.spare.pop().unwrap_or_default();
                        self.piece.reserve_exact(PIECE);
                    }
                    let room = PIECE.saturating_sub(self.piece.len());
                    let count = room.min(*missing).min(bytes.len());
                    let (taken, rest) = bytes.split_at(count);
                    self.piece.extend_from_slice(taken);
                    bytes = rest;
                    *missing -= count;
                    let is_over = *missing == 0;
                    if is_over || self.piece.len() == PIECE {
                        let piece = std::mem::take(&mut self.piece);
                        self.incoming.push_back(Incoming::Contents(piece));
                    }
                    if is_over {
                        self.state = State::default();
                    }
                }
            }
        }
        Ok(())
    }

    fn begin(&mut self, header: FrameHeader) -> Result<(), Malformed> {
        if header.kind == Some(Kind::Data) {
            let frame = StreamFrame::Data(header.length);
            self.incoming.push_back(Incoming::Frame(frame));
            self.state = match header.length {
                0 => State::default(),
                length => State::Contents(length as usize),
            };
            return Ok(());
        }
        // Bounded by the header's limit.
        let body = Vec::with_capacity((header.length as usize).min(MAX_CONTROL));
        self.state = State::Body(header, body);
        self.end_body()
    }

    fn end_body(&mut self) -> Result<(), Malformed> {
        let State::Body(header, body) = &mut self.state else {
            return Ok(());
        };
        if body.len() < header.length as usize {
            return Ok(());
        }
        // One of a later version is passed over.
        if let Some(kind) = header.kind {
            let frame = StreamFrame::decode(kind, header.length, body)?;
            self.is_greeted = true;
            self.incoming.push_back(Incoming::Frame(frame));
        }
        self.state = State::default();
        Ok(())
    }
}
