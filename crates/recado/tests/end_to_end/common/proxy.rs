//! What lies between clients and server: a wire that is listened to, and that may be bad.

use std::collections::HashMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket};
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::runtime::Runtime;

use super::Server;

/// What the wire does with datagrams.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wire {
    /// Carries them.
    Sound,
    /// Loses them all.
    WithoutUdp,
    /// Carries each twice.
    Stuttering,
}

/// TCP and UDP on one port, before a server. It can lead to another server later, so that a server that was
/// restarted needs no port of its own.
pub(crate) struct Proxy {
    address: SocketAddr,
    tap: Arc<Tap>,
    /// Ends what it runs when dropped.
    _runtime: Runtime,
}

/// A datagram that went by.
#[derive(Clone)]
pub(crate) struct Datagram {
    pub(crate) to_server: bool,
    pub(crate) bytes: Vec<u8>,
}

struct Tap {
    server: Mutex<SocketAddr>,
    wire: Wire,
    /// Both directions of each connection.
    streams: Mutex<Vec<Vec<u8>>>,
    datagrams: Mutex<Vec<Datagram>>,
    /// A socket towards the server for each client.
    links: Mutex<HashMap<SocketAddr, Arc<tokio::net::UdpSocket>>>,
}

impl Proxy {
    pub(crate) fn before(server: &Server) -> Self {
        Self::with(Wire::Sound, server)
    }

    pub(crate) fn with(wire: Wire, server: &Server) -> Self {
        let (tcp, udp) = bind();
        let address = tcp.local_addr().unwrap();
        let tap = Arc::new(Tap {
            server: Mutex::new(server.socket()),
            wire,
            streams: Mutex::default(),
            datagrams: Mutex::default(),
            links: Mutex::default(),
        });
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let guard = runtime.enter();
        let tcp = tokio::net::TcpListener::from_std(tcp).unwrap();
        let udp = tokio::net::UdpSocket::from_std(udp).unwrap();
        drop(guard);
        runtime.spawn(carry_connections(tcp, tap.clone()));
        runtime.spawn(carry_datagrams(Arc::new(udp), tap.clone()));
        Self {
            address,
            tap,
            _runtime: runtime,
        }
    }

    /// `127.0.0.1:PORT`, which clients are told.
    pub(crate) fn address(&self) -> String {
        self.address.to_string()
    }

    /// From now on new connections and datagrams go there.
    pub(crate) fn lead_to(&self, server: &Server) {
        *self.tap.server.lock().unwrap() = server.socket();
        self.tap.links.lock().unwrap().clear();
    }

    /// What each TCP connection carried, each direction by itself.
    pub(crate) fn streams(&self) -> Vec<Vec<u8>> {
        self.tap.streams.lock().unwrap().clone()
    }

    pub(crate) fn datagrams(&self) -> Vec<Datagram> {
        self.tap.datagrams.lock().unwrap().clone()
    }
}

impl Tap {
    fn server(&self) -> SocketAddr {
        *self.server.lock().unwrap()
    }

    fn note(&self, to_server: bool, bytes: &[u8]) {
        let bytes = bytes.to_vec();
        let datagram = Datagram { to_server, bytes };
        self.datagrams.lock().unwrap().push(datagram);
    }

    fn copies(&self) -> usize {
        match self.wire {
            Wire::WithoutUdp => 0,
            Wire::Sound => 1,
            Wire::Stuttering => 2,
        }
    }
}

/// A number that is free for both.
fn bind() -> (TcpListener, UdpSocket) {
    loop {
        let tcp = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let Ok(udp) = UdpSocket::bind(tcp.local_addr().unwrap()) else {
            continue;
        };
        tcp.set_nonblocking(true).unwrap();
        udp.set_nonblocking(true).unwrap();
        return (tcp, udp);
    }
}

async fn carry_connections(listener: tokio::net::TcpListener, tap: Arc<Tap>) {
    while let Ok((client, _)) = listener.accept().await {
        let tap = tap.clone();
        tokio::spawn(async move {
            // A server that is gone is one that does not answer.
            let Ok(server) = tokio::net::TcpStream::connect(tap.server()).await else {
                return;
            };
            let (from_client, to_client) = client.into_split();
            let (from_server, to_server) = server.into_split();
            tokio::join!(
                carry(from_client, to_server, &tap),
                carry(from_server, to_client, &tap)
            );
        });
    }
}

async fn carry(mut from: impl AsyncRead + Unpin, mut to: impl AsyncWrite + Unpin, tap: &Tap) {
    let at = {
        let mut streams = tap.streams.lock().unwrap();
        streams.push(Vec::new());
        streams.len() - 1
    };
    let mut buffer = vec![0; 16 * 1024];
    while let Ok(length @ 1..) = from.read(&mut buffer).await {
        tap.streams.lock().unwrap()[at].extend_from_slice(&buffer[..length]);
        if to.write_all(&buffer[..length]).await.is_err() {
            return;
        }
    }
    let _ = to.shutdown().await;
}

async fn carry_datagrams(socket: Arc<tokio::net::UdpSocket>, tap: Arc<Tap>) {
    let mut buffer = vec![0; 2048];
    loop {
        // An error is an ICMP answer to something sent earlier.
        let Ok((length, client)) = socket.recv_from(&mut buffer).await else {
            continue;
        };
        tap.note(true, &buffer[..length]);
        let Ok(link) = link(&socket, &tap, client).await else {
            continue;
        };
        for _ in 0..tap.copies() {
            let _ = link.send(&buffer[..length]).await;
        }
    }
}

/// The socket towards the server for a client; what comes back through it goes to that client.
async fn link(
    socket: &Arc<tokio::net::UdpSocket>,
    tap: &Arc<Tap>,
    client: SocketAddr,
) -> io::Result<Arc<tokio::net::UdpSocket>> {
    if let Some(link) = tap.links.lock().unwrap().get(&client) {
        return Ok(link.clone());
    }
    let link = Arc::new(tokio::net::UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await?);
    link.connect(tap.server()).await?;
    tap.links.lock().unwrap().insert(client, link.clone());
    let (socket, back, tap) = (socket.clone(), link.clone(), tap.clone());
    tokio::spawn(async move {
        let mut buffer = vec![0; 2048];
        loop {
            let Ok(length) = back.recv(&mut buffer).await else {
                continue;
            };
            tap.note(false, &buffer[..length]);
            for _ in 0..tap.copies() {
                let _ = socket.send_to(&buffer[..length], client).await;
            }
        }
    });
    Ok(link)
}
