//! Accepting: bounds first, then one byte decides, then TLS, then the negotiated protocol.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use recado_hub::SessionNumber;
use recado_proto::alpn;
use recado_proto::datagram::{EXPORTER_LABEL, EXPORTER_LENGTH, SessionSecret, exporter_context};
use recado_proto::id::{ConnectionId, SessionId};
use recado_proto::relay::{self, RelayToken};
use socket2::{SockRef, TcpKeepalive};
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::time::timeout;
use tokio_rustls::LazyConfigAcceptor;
use tokio_rustls::server::TlsStream;

use super::Outbox;
use super::admission::{Admission, Limits, Place};
use super::relay::{Relay, read_token};
use super::session::spawn_session;
use crate::exposure::Watch;
use crate::http::{HttpService, Protocol, Transport, plain_http_answer};
use crate::hub_task::{Arrival, ShellEvent};
use crate::metrics::{Life, Living};
use crate::tls::{Tls, client_key};

/// From accepting to the end of the TLS handshake: a phone on a bad line needs a few round trips.
const HANDSHAKE_TIME: Duration = Duration::from_secs(10);

/// How long a connection is silent before the system asks whether the peer is there.
const KEEPALIVE_TIME: Duration = Duration::from_secs(30);

/// Time between its questions.
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(10);

/// How long what was sent may stay without an acknowledgement of TCP's.
#[cfg(target_os = "linux")]
const USER_TIMEOUT: Duration = Duration::from_secs(60);

/// How long a peer that was answered in the clear has to read it.
const PLAIN_TIME: Duration = Duration::from_secs(2);

/// The wait after the system refused a connection for want of something, as files.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// How often refused connections are reported, at most.
const REPORT_INTERVAL: Duration = Duration::from_secs(60);

/// The first byte of a TLS record with a handshake message (RFC 8446 §5.1).
const TLS_HANDSHAKE: u8 = 0x16;

/// Everything that a new connection may need. Shared by all listeners.
#[derive(Clone)]
pub(crate) struct Acceptor {
    pub(crate) tls: Tls,
    pub(crate) http: HttpService,
    pub(crate) events: mpsc::Sender<ShellEvent>,
    pub(crate) stop: watch::Receiver<bool>,
    /// Held by every connection: when all are dropped, all connections have ended.
    pub(crate) alive: mpsc::Sender<()>,
    pub(crate) port: u16,
    pub(crate) admission: Admission,
    pub(crate) relay: Relay,
    /// Chat sessions open.
    pub(crate) open_sessions: Living,
    /// Whether those who come are whom the operator expects.
    pub(crate) watch: Arc<Watch>,
    sessions: Arc<AtomicU64>,
}

/// What connections may come for.
pub(crate) struct Services {
    pub(crate) tls: Tls,
    pub(crate) http: HttpService,
    pub(crate) relay: Relay,
}

/// What the acceptor is told once.
pub(crate) struct AcceptConfig {
    /// That is listened on.
    pub(crate) port: u16,
    /// In all.
    pub(crate) max_connections: usize,
    pub(crate) watch: Watch,
}

/// A connection's place among those allowed and those awaited at the end. Given back when dropped.
pub(crate) struct Connection {
    _place: Place,
    _alive: mpsc::Sender<()>,
    /// Counts a chat session.
    session: Option<Life>,
}

impl Connection {
    pub(super) fn new(place: Place, alive: mpsc::Sender<()>) -> Self {
        Self {
            _place: place,
            _alive: alive,
            session: None,
        }
    }
}

impl Acceptor {
    pub(crate) fn new(
        services: Services,
        events: mpsc::Sender<ShellEvent>,
        stop: watch::Receiver<bool>,
        alive: mpsc::Sender<()>,
        config: AcceptConfig,
    ) -> Self {
        let Services { tls, http, relay } = services;
        let AcceptConfig {
            port,
            max_connections,
            watch,
        } = config;
        let limits = Limits {
            total: max_connections,
            per_address: MAX_PER_ADDRESS,
        };
        Self {
            tls,
            http,
            events,
            stop,
            alive,
            port,
            admission: Admission::new(limits),
            relay,
            open_sessions: Living::default(),
            watch: Arc::new(watch),
            sessions: Arc::default(),
        }
    }
}

/// Connections of one IPv4 address or IPv6 /64: a class of 200 behind one address, each with a chat, a
/// calculator and a browser's six, is 1,600.
const MAX_PER_ADDRESS: usize = 2048;

/// Accepts until told to stop.
pub(crate) async fn run_accept(listener: TcpListener, acceptor: Acceptor) {
    let mut stop = acceptor.stop.clone();
    let mut report = tokio::time::interval(REPORT_INTERVAL);
    loop {
        tokio::select! {
            () = stopped(&mut stop) => return,
            _ = report.tick() => {
                let count = acceptor.admission.take_refused();
                if count > 0 {
                    tracing::warn!(count, "connections refused: too many at a time");
                }
            }
            accepted = listener.accept() => match accepted {
                Ok((stream, peer)) => {
                    // Beyond the bounds a connection is closed without a word: a word would cost a handshake.
                    if let Some(place) = acceptor.admission.admit(peer.ip()) {
                        let connection = Connection::new(place, acceptor.alive.clone());
                        tokio::spawn(serve(acceptor.clone(), stream, peer, connection));
                    }
                }
                Err(error) => {
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            },
        }
    }
}

/// Resolves when the server is to stop.
async fn stopped(stop: &mut watch::Receiver<bool>) {
    // An error means that the server is gone, which is as good a reason.
    let _ = stop.wait_for(|stop| *stop).await;
}

async fn serve(acceptor: Acceptor, stream: TcpStream, peer: SocketAddr, connection: Connection) {
    let mut stop = acceptor.stop.clone();
    let handshake = timeout(HANDSHAKE_TIME, handshake(&acceptor, stream));
    let stream = tokio::select! {
        stream = handshake => stream,
        () = stopped(&mut stop) => return,
    };
    let Handshaken {
        stream,
        leaf_hash,
        is_of_ca,
    } = match stream {
        Ok(Ok(Some(Begun::Tls(stream)))) => *stream,
        Ok(Ok(Some(Begun::Relayed(stream, token)))) => {
            return acceptor.relay.take(&token, stream, connection);
        }
        Ok(Ok(None)) => return,
        Ok(Err(error)) => return tracing::debug!(%peer, %error, "no TLS session"),
        Err(_) => return tracing::debug!(%peer, "no TLS session in time"),
    };
    match stream.get_ref().1.alpn_protocol() {
        Some(alpn::CHAT) => open_session(acceptor, stream, peer, leaf_hash, connection).await,
        // The CA has seen what it wanted to see.
        Some(alpn::ACME) => {}
        protocol => {
            let transport = Transport {
                // recado-http/1 is HTTP/1.1, and so is what names no protocol.
                protocol: match protocol {
                    Some(alpn::H2) => Protocol::Http2,
                    _ => Protocol::Http1,
                },
                peer,
                is_of_ca,
            };
            acceptor.http.serve(stream, transport, acceptor.stop).await;
        }
    }
}

/// What a connection has begun with.
enum Begun {
    Tls(Box<Handshaken>),
    /// A token for the relay.
    Relayed(TcpStream, RelayToken),
}

/// A connection after its handshake.
struct Handshaken {
    stream: TlsStream<TcpStream>,
    /// Of the leaf that recado's own protocols are served.
    leaf_hash: [u8; 32],
    /// The certificate shown is a CA's.
    is_of_ca: bool,
}

/// Completes TLS, or reads what relays begin with, as the first byte says.
async fn handshake(acceptor: &Acceptor, mut stream: TcpStream) -> io::Result<Option<Begun>> {
    let mut first = [0];
    if stream.peek(&mut first).await? == 0 {
        return Ok(None);
    }
    if first[0].is_ascii_alphabetic() {
        let answer = plain_http_answer(acceptor.port);
        let _ = timeout(PLAIN_TIME, say_and_close(&mut stream, &answer)).await;
        return Ok(None);
    }
    if ![TLS_HANDSHAKE, relay::FIRST_BYTE].contains(&first[0]) {
        return Ok(None);
    }
    stream.set_nodelay(true)?;
    set_liveness(&stream)?;
    if first[0] == relay::FIRST_BYTE {
        let token = read_token(&mut stream).await?;
        return Ok(token.map(|token| Begun::Relayed(stream, token)));
    }
    let start = LazyConfigAcceptor::new(rustls::server::Acceptor::default(), stream).await?;
    let (chosen, leaf_hash) = acceptor.tls.choose(&start.client_hello());
    let stream = start.into_stream(chosen.config).await?;
    Ok(Some(Begun::Tls(Box::new(Handshaken {
        stream,
        leaf_hash,
        is_of_ca: chosen.is_of_ca,
    }))))
}

/// Finds out, within a minute, that a peer is gone without a word: also one that was sent something, to which
/// keepalive alone would never come (RFC 5482).
fn set_liveness(stream: &TcpStream) -> io::Result<()> {
    let socket = SockRef::from(stream);
    let keepalive = TcpKeepalive::new()
        .with_time(KEEPALIVE_TIME)
        .with_interval(KEEPALIVE_INTERVAL);
    socket.set_tcp_keepalive(&keepalive)?;
    #[cfg(target_os = "linux")]
    socket.set_tcp_user_timeout(Some(USER_TIMEOUT))?;
    Ok(())
}

/// Writes, and waits for the peer to close, so that what was written is not destroyed by a reset.
async fn say_and_close(stream: &mut TcpStream, answer: &[u8]) -> io::Result<()> {
    stream.write_all(answer).await?;
    stream.shutdown().await?;
    let mut drain = [0; 1024];
    while tokio::io::AsyncReadExt::read(stream, &mut drain).await? > 0 {}
    Ok(())
}

async fn open_session(
    acceptor: Acceptor,
    stream: TlsStream<TcpStream>,
    peer: SocketAddr,
    leaf_hash: [u8; 32],
    mut connection: Connection,
) {
    connection.session = Some(acceptor.open_sessions.begin());
    let tls = stream.get_ref().1;
    let Some(key) = client_key(tls.peer_certificates()) else {
        return tracing::debug!(%peer, "no identity key");
    };
    acceptor.watch.notice(peer.ip());
    let id = SessionId::from_bytes(super::random());
    let context = exporter_context(&id, &key, &leaf_hash);
    let exported = tls.export_keying_material([0; EXPORTER_LENGTH], EXPORTER_LABEL, Some(&context));
    let secret = match exported {
        Ok(exported) => SessionSecret::new(exported),
        Err(error) => return tracing::error!(%peer, %error, "no datagram keys"),
    };
    let session = SessionNumber(acceptor.sessions.fetch_add(1, Ordering::Relaxed));
    let outbox = Arc::new(Outbox::default());
    let arrival = Arrival {
        session,
        key,
        address: peer.ip(),
        id,
        connection: ConnectionId(u64::from_ne_bytes(super::random())),
        secret,
        outbox: outbox.clone(),
    };
    if acceptor
        .events
        .send(ShellEvent::Arrived(Box::new(arrival)))
        .await
        .is_ok()
    {
        spawn_session(stream, session, outbox, acceptor.events, connection);
    }
}
