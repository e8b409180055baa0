//! Finding a connection: to the addresses that the other side told, from it, and by way of the server, all at a time;
//! the first that is there is used.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use recado_engine::files::{OfferKey, Route};
use recado_proto::file::{AbortCode, StreamFrame, VERSION};
use recado_proto::frame::RelayRequest;
use recado_proto::id::{OfferId, RemoteKey};
use recado_proto::relay::RelayToken;
use socket2::{Domain, Socket, Type};
use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::channel::{Channel, ChannelError};
use super::tls::PeerTls;

/// How long an address may take to answer; those that do are near.
const CONNECT_TIME: Duration = Duration::from_secs(3);

/// How long connections without the server have before the server is asked: some round trips of a network at home.
const HEAD_START: Duration = Duration::from_millis(400);

/// How long a connection that is there may wait for the sender's choice: until every other has been tried.
const CHOICE_TIME: Duration = Duration::from_secs(20);

/// The wait before all is tried again: doubled, up to the most.
const FIRST_WAIT: Duration = Duration::from_millis(500);
const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// Connections from outside that may be in their handshake at a time.
const MAX_HANDSHAKES: usize = 16;

/// What the server says of a request for a relay.
#[derive(Debug)]
pub(crate) enum RelayAnswer {
    Granted(RelayToken),
    Refused,
}

/// What is needed to meet the other side of one offer.
pub(crate) struct Meeting {
    pub(crate) key: OfferKey,
    pub(crate) remote: RemoteKey,
    pub(crate) tls: PeerTls,
    /// Where relayed connections go.
    pub(crate) server: SocketAddr,
    /// Where the other side may be, as far as that is harmless.
    pub(crate) addresses: watch::Receiver<Vec<SocketAddr>>,
    /// Connections that came to this side, and whose other end has said which offer it means.
    pub(crate) inbound: mpsc::Receiver<Channel>,
    /// Whether the server is there, and the other person.
    pub(crate) online: watch::Receiver<bool>,
    pub(crate) ask: mpsc::UnboundedSender<RelayRequest>,
    pub(crate) answers: mpsc::Receiver<RelayAnswer>,
}

impl Meeting {
    /// Looks until there is a connection that both sides use. Can be dropped without loss.
    pub(crate) async fn meet(&mut self) -> (Channel, Route) {
        let mut wait = FIRST_WAIT;
        loop {
            if let Some(found) = self.round().await {
                return found;
            }
            let is_online = *self.online.borrow();
            // What is news makes it worth another try at once.
            tokio::select! {
                () = sleep(wait) => wait = (wait * 2).min(LONGEST_WAIT),
                Some(channel) = self.inbound.recv() => {
                    let mut attempts = JoinSet::new();
                    let is_receiver = self.key.came;
                    attempts.spawn(async move {
                        chosen(channel, is_receiver, Route::Direct).await
                    });
                    if let Some(Ok(Ok(found))) = attempts.join_next().await {
                        return found;
                    }
                }
                changed = self.addresses.changed() => {
                    if changed.is_err() {
                        std::future::pending::<()>().await;
                    }
                    wait = FIRST_WAIT;
                }
                () = until(&mut self.online, true), if !is_online => wait = FIRST_WAIT,
            }
        }
    }

    /// Tries everything once.
    async fn round(&mut self) -> Option<(Channel, Route)> {
        let (offer, is_receiver) = (self.key.offer, self.key.came);
        let mut attempts = JoinSet::new();
        for address in self.addresses.borrow_and_update().clone() {
            let (tls, remote) = (self.tls.clone(), self.remote);
            attempts.spawn(async move {
                let channel = dial(address, &tls, remote, offer).await?;
                chosen(channel, is_receiver, Route::Direct).await
            });
        }
        let mut relay = match *self.online.borrow() {
            true => Relaying::HeadStart,
            false => Relaying::Over,
        };
        // What an earlier round asked for is of no use.
        while self.answers.try_recv().is_ok() {}
        loop {
            if attempts.is_empty() && relay == Relaying::Over {
                return None;
            }
            let head_start = match attempts.is_empty() {
                true => Duration::ZERO,
                false => HEAD_START,
            };
            tokio::select! {
                Some(attempt) = attempts.join_next() => match attempt {
                    Ok(Ok(found)) => return Some(found),
                    Ok(Err(error)) => tracing::debug!(%offer, %error, "no connection"),
                    Err(_) => {}
                },
                Some(channel) = self.inbound.recv() => {
                    attempts.spawn(async move {
                        chosen(channel, is_receiver, Route::Direct).await
                    });
                }
                () = sleep(head_start), if relay == Relaying::HeadStart => {
                    relay = Relaying::Asked;
                    let peer = self.remote;
                    let _ = self.ask.send(RelayRequest { offer, peer });
                }
                answer = self.answers.recv(), if relay == Relaying::Asked => {
                    relay = Relaying::Over;
                    match answer {
                        Some(RelayAnswer::Granted(token)) => {
                            let (tls, remote) = (self.tls.clone(), self.remote);
                            let server = self.server;
                            attempts.spawn(async move {
                                let channel =
                                    relayed(server, &token, &tls, remote, offer, is_receiver).await?;
                                chosen(channel, is_receiver, Route::Relay).await
                            });
                        }
                        Some(RelayAnswer::Refused) | None => {}
                    }
                }
                // The server is gone, and with it what was asked.
                () = until(&mut self.online, false), if relay == Relaying::Asked => {
                    relay = Relaying::Over;
                }
            }
        }
    }
}

/// Waits for one or the other; for ever, once nobody tells any more.
async fn until(online: &mut watch::Receiver<bool>, wanted: bool) {
    let is_over = online.wait_for(|online| *online == wanted).await.is_err();
    if is_over {
        std::future::pending::<()>().await;
    }
}

/// How far a round has come with the server.
#[derive(PartialEq, Eq)]
enum Relaying {
    HeadStart,
    Asked,
    Over,
}

/// A connection to an address, whose other end means the same offer.
async fn dial(
    address: SocketAddr,
    tls: &PeerTls,
    remote: RemoteKey,
    offer: OfferId,
) -> Result<Channel, ChannelError> {
    let connected = timeout(CONNECT_TIME, TcpStream::connect(address)).await;
    let tcp = connected.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
    let mut channel = Channel::connect(tcp, tls, remote).await?;
    say_hello(&mut channel, offer).await?;
    hear_hello(&mut channel, Some(offer)).await?;
    Ok(channel)
}

/// A connection by way of the server.
async fn relayed(
    server: SocketAddr,
    token: &RelayToken,
    tls: &PeerTls,
    remote: RemoteKey,
    offer: OfferId,
    is_receiver: bool,
) -> Result<Channel, ChannelError> {
    let connected = timeout(CONNECT_TIME, TcpStream::connect(server)).await;
    let mut tcp = connected.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
    tcp.write_all(token.preamble().as_slice()).await?;
    // Both have connected: whoever sends speaks first.
    let mut channel = match is_receiver {
        true => Channel::accept(tcp, tls, Some(remote)).await?,
        false => Channel::connect(tcp, tls, remote).await?,
    };
    say_hello(&mut channel, offer).await?;
    hear_hello(&mut channel, Some(offer)).await?;
    Ok(channel)
}

async fn say_hello(channel: &mut Channel, offer: OfferId) -> Result<(), ChannelError> {
    channel.queue(&StreamFrame::Hello {
        version: VERSION,
        offer,
    })?;
    channel.flush().await
}

/// The offer that the other end means, which must be the expected one.
async fn hear_hello(
    channel: &mut Channel,
    expected: Option<OfferId>,
) -> Result<OfferId, ChannelError> {
    match channel.frame().await? {
        StreamFrame::Hello { version, offer } if version == VERSION => match expected {
            Some(expected) if expected != offer => Err(ChannelError::Protocol("another offer")),
            _ => Ok(offer),
        },
        _ => Err(ChannelError::Protocol("no greeting")),
    }
}

/// A connection that both sides use: the sender takes its first, and says something on it; the receiver takes the one on
/// which the sender does.
async fn chosen(
    mut channel: Channel,
    is_receiver: bool,
    route: Route,
) -> Result<(Channel, Route), ChannelError> {
    match is_receiver {
        true => {
            let chosen = timeout(CHOICE_TIME, channel.hear()).await;
            chosen.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
        }
        // It may be a while before it is this transfer's turn.
        false => {
            channel.queue(&StreamFrame::Pulse)?;
            channel.flush().await?;
        }
    }
    Ok((channel, route))
}

/// Takes connections of those with whom an offer is under way.
pub(crate) struct Listener {
    port: u16,
    task: tokio::task::JoinHandle<()>,
}

/// Whom a connection that came is for.
pub(crate) type Desk = mpsc::UnboundedSender<(OfferId, Channel)>;

impl Listener {
    /// Listens on a free port, everywhere. Who connects is nobody before they have proved a key.
    pub(crate) fn start(tls: PeerTls, desk: Desk) -> io::Result<Self> {
        let listener = listen()?;
        let port = listener.local_addr()?.port();
        let handshakes = Arc::new(Semaphore::new(MAX_HANDSHAKES));
        let task = tokio::spawn(async move {
            while let Ok(place) = handshakes.clone().acquire_owned().await {
                let Ok((tcp, _)) = listener.accept().await else {
                    sleep(FIRST_WAIT).await;
                    continue;
                };
                let (tls, desk) = (tls.clone(), desk.clone());
                tokio::spawn(async move {
                    let _place = place;
                    let greeted = timeout(CHOICE_TIME, async {
                        let mut channel = Channel::accept(tcp, &tls, None).await?;
                        let offer = hear_hello(&mut channel, None).await?;
                        Ok::<_, ChannelError>((offer, channel))
                    });
                    if let Ok(Ok(greeted)) = greeted.await {
                        let _ = desk.send(greeted);
                    }
                });
            }
        });
        Ok(Self { port, task })
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Both families on one port, or IPv4 where there is no IPv6.
fn listen() -> io::Result<TcpListener> {
    let bind = |domain, address: SocketAddr| {
        let socket = Socket::new(domain, Type::STREAM, None)?;
        if domain == Domain::IPV6 {
            socket.set_only_v6(false)?;
        }
        socket.bind(&address.into())?;
        socket.listen(16)?;
        socket.set_nonblocking(true)?;
        TcpListener::from_std(socket.into())
    };
    bind(Domain::IPV6, (Ipv6Addr::UNSPECIFIED, 0).into())
        .or_else(|_| bind(Domain::IPV4, (Ipv4Addr::UNSPECIFIED, 0).into()))
}

/// Answers a connection that came, of someone with whom this offer is under way.
pub(crate) async fn answer(mut channel: Channel, offer: OfferId) -> Option<Channel> {
    say_hello(&mut channel, offer).await.ok()?;
    Some(channel)
}

/// Ends a connection that came for nothing that is under way.
pub(crate) async fn turn_away(channel: Channel) {
    channel.close(Some(AbortCode::Unknown)).await;
}
