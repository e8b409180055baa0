//! A UDP socket that knows to which of the machine's addresses a datagram came, so that the answer leaves
//! from there (RFC 3542 §6, ip(7) `IP_PKTINFO`).
//!
//! Several datagrams at a time are received and sent by [`Receiver`] and [`Sender`]: on Linux by one system
//! call, elsewhere one by one. Where there is no such option the system chooses where an answer leaves from.

#[cfg(target_os = "linux")]
mod batch;
#[cfg(unix)]
mod packet_info;
// Where they are not used they are tested all the same.
#[cfg(any(all(test, unix), all(unix, not(target_os = "linux"))))]
mod plain;
#[cfg(any(test, not(unix)))]
mod portable;

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::task::{Context, Poll};

use recado_proto::limits::MAX_DATAGRAM;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::io::Interest;
use tokio::net::UdpSocket;

use crate::metrics::Traffic;

#[cfg(target_os = "linux")]
use batch as way;
#[cfg(all(unix, not(target_os = "linux")))]
use plain as way;
#[cfg(not(unix))]
use portable as way;

pub(crate) use way::{Receiver, Sender};

/// Datagrams received or sent at a time. More would hardly save anything (a system call's own cost is then
/// below 10 ns for each), and what 32 of them hold stays in the processor's first caches.
pub(crate) const BATCH: usize = 32;

/// Room for a received datagram: one byte more than allowed, so that what was cut is seen to be too long.
const ROOM: usize = MAX_DATAGRAM + 1;

/// Asked of the kernel for each direction: a burst of 3,000 datagrams. It grants what its own limits allow.
const BUFFER: usize = 4 * 1024 * 1024;

/// A bound UDP socket.
pub(crate) struct UdpPort {
    socket: std::net::UdpSocket,
    address: SocketAddr,
    traffic: Arc<Traffic>,
}

/// A bound UDP socket as one thread's runtime has it.
pub(crate) struct AttachedPort(UdpSocket, Arc<Traffic>);

/// Where a datagram came from, and to which of our addresses, where the socket is not bound to one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Route {
    pub(crate) peer: SocketAddr,
    local: Option<IpAddr>,
}

/// A datagram to be sent.
pub(crate) struct Datagram {
    pub(crate) route: Route,
    pub(crate) bytes: Vec<u8>,
}

impl UdpPort {
    pub(crate) fn bind(address: SocketAddr) -> io::Result<Self> {
        let domain = Domain::for_address(address);
        let socket = Socket::new(domain, Type::DGRAM, Some(Protocol::UDP))?;
        if address.is_ipv6() {
            socket.set_only_v6(true)?;
        }
        socket.bind(&address.into())?;
        Self::take(socket.into())
    }

    /// A socket that is bound already, as one that the system handed over.
    pub(crate) fn take(socket: std::net::UdpSocket) -> io::Result<Self> {
        let address = socket.local_addr()?;
        let socket = Socket::from(socket);
        // What is bound to one address answers from there anyway.
        if address.ip().is_unspecified() {
            way::ask_for_local(&socket, address.is_ipv6())?;
        }
        way::forbid_fragments(&socket, address.is_ipv6())?;
        // Refused on some systems where more than the limit is asked; the default then does.
        let _ = socket.set_recv_buffer_size(BUFFER);
        let _ = socket.set_send_buffer_size(BUFFER);
        socket.set_nonblocking(true)?;
        Ok(Self {
            socket: socket.into(),
            address,
            traffic: Arc::default(),
        })
    }

    pub(crate) fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// What passes through it.
    pub(crate) fn traffic(&self) -> Arc<Traffic> {
        self.traffic.clone()
    }

    /// The same socket, for the tokio runtime that this is called in.
    pub(crate) fn attach(&self) -> io::Result<AttachedPort> {
        let socket = UdpSocket::from_std(self.socket.try_clone()?)?;
        Ok(AttachedPort(socket, self.traffic.clone()))
    }
}

impl AttachedPort {
    /// Whether there may be something to receive.
    pub(crate) fn poll_readable(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.poll_recv_ready(context)
    }

    /// Whether the socket may take a datagram.
    pub(crate) fn poll_writable(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.poll_send_ready(context)
    }

    /// Receives what is there, as many at most as the receiver holds; returns how many.
    pub(crate) fn receive(&self, receiver: &mut Receiver) -> io::Result<usize> {
        let received = self
            .0
            .try_io(Interest::READABLE, || receiver.receive(&self.0))?;
        Traffic::add(&self.1.received, received);
        Ok(received)
    }

    /// Notes one that was received and is not taken.
    pub(crate) fn reject(&self) {
        Traffic::add(&self.1.rejected, 1);
    }

    /// Sends datagrams that leave from one address, [`BATCH`] at most; returns how many of them the socket took,
    /// at least one.
    pub(crate) fn send(&self, sender: &mut Sender, datagrams: &[Datagram]) -> io::Result<usize> {
        let sent = self
            .0
            .try_io(Interest::WRITABLE, || sender.send(&self.0, datagrams))?;
        Traffic::add(&self.1.sent, sent);
        Ok(sent)
    }
}

impl Route {
    /// To a peer, from whichever of our addresses the kernel takes.
    pub(crate) fn new(peer: SocketAddr) -> Self {
        Self { peer, local: None }
    }

    /// Which of our addresses it begins at.
    pub(crate) fn local(&self) -> Option<IpAddr> {
        self.local
    }
}

impl Datagram {
    /// Nothing yet, to nobody, with room for the longest.
    pub(crate) fn empty() -> Self {
        Self {
            route: Route::new(SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0)),
            bytes: Vec::with_capacity(MAX_DATAGRAM),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn readable(port: &AttachedPort) {
        std::future::poll_fn(|context| port.poll_readable(context))
            .await
            .unwrap();
    }

    fn answers(port: &[(Vec<u8>, Route)]) -> Vec<Datagram> {
        let answer = |(bytes, route): &(Vec<u8>, Route)| Datagram {
            route: *route,
            bytes: bytes.to_ascii_uppercase(),
        };
        port.iter().map(answer).collect()
    }

    /// One message from each client to each of the server's addresses, and its answer.
    macro_rules! an_answer_leaves_from_the_address_that_was_written_to {
        ($way:ident, $listen:expr, $addresses:expr) => {{
            let port = UdpPort::bind($listen.parse().unwrap()).unwrap();
            let number = port.local_addr().port();
            let port = port.attach().unwrap();
            let (mut receiver, mut sender) = ($way::Receiver::default(), $way::Sender::default());
            for address in $addresses {
                let address: IpAddr = address.parse().unwrap();
                // A connected socket takes answers from its peer's address alone.
                let client = UdpSocket::bind((address, 0)).await.unwrap();
                client.connect((address, number)).await.unwrap();
                for text in ["ping", "pong"] {
                    client.send(text.as_bytes()).await.unwrap();
                }
                let mut received = Vec::new();
                while received.len() < 2 {
                    readable(&port).await;
                    let came = port
                        .0
                        .try_io(Interest::READABLE, || receiver.receive(&port.0));
                    if came.is_ok() {
                        received.extend(
                            receiver
                                .drain()
                                .map(|(bytes, route)| (bytes.to_vec(), route)),
                        );
                    }
                }
                assert_eq!(received[0].0, b"ping");
                assert_eq!(received[1].1.peer, client.local_addr().unwrap());
                let answers = answers(&received);
                assert_eq!(sender.send(&port.0, &answers).unwrap(), 2);
                let mut buffer = [0; 16];
                for text in ["PING", "PONG"] {
                    let length = client.recv(&mut buffer).await.unwrap();
                    assert_eq!(&buffer[..length], text.as_bytes());
                }
            }
        }};
    }

    const V4: [&str; 3] = ["127.0.0.1", "127.0.0.2", "127.0.0.1"];

    #[tokio::test]
    async fn in_batches() {
        an_answer_leaves_from_the_address_that_was_written_to!(way, "0.0.0.0:0", V4);
        an_answer_leaves_from_the_address_that_was_written_to!(way, "127.0.0.3:0", ["127.0.0.3"]);
        if std::net::UdpSocket::bind("[::1]:0").is_ok() {
            an_answer_leaves_from_the_address_that_was_written_to!(way, "[::]:0", ["::1"]);
        }
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn one_by_one() {
        an_answer_leaves_from_the_address_that_was_written_to!(plain, "0.0.0.0:0", V4);
        an_answer_leaves_from_the_address_that_was_written_to!(plain, "127.0.0.3:0", ["127.0.0.3"]);
        if std::net::UdpSocket::bind("[::1]:0").is_ok() {
            an_answer_leaves_from_the_address_that_was_written_to!(plain, "[::]:0", ["::1"]);
        }
    }

    /// It does not know where it was written to: on one address there is only one.
    #[tokio::test]
    async fn anywhere() {
        an_answer_leaves_from_the_address_that_was_written_to!(
            portable,
            "127.0.0.3:0",
            ["127.0.0.3"]
        );
    }

    #[tokio::test]
    async fn more_than_a_batch_comes_in_parts_and_whole_and_what_is_too_long_is_seen_to_be() {
        let port = UdpPort::bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let client = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        for number in 0..BATCH + 5 {
            let length = if number == 3 {
                MAX_DATAGRAM + 100
            } else {
                number
            };
            client.send_to(&vec![7; length], port.local_addr()).unwrap();
        }
        let port = port.attach().unwrap();
        let mut receiver = Receiver::default();
        let mut lengths = Vec::new();
        while lengths.len() < BATCH + 5 {
            readable(&port).await;
            if port.receive(&mut receiver).is_ok() {
                lengths.extend(receiver.drain().map(|(bytes, _)| bytes.len()));
            }
        }
        let expected = (0..BATCH + 5).map(|number| if number == 3 { ROOM } else { number });
        assert_eq!(lengths, expected.collect::<Vec<_>>());
    }
}
