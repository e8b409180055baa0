//! A tap on the wire: passes TCP and UDP on to the server, and copies what clients send.

use std::collections::HashMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};

/// What is kept of each transport; the demonstration says less than this in all.
const MOST: usize = 1024 * 1024;

/// What clients sent.
#[derive(Default)]
pub(super) struct Recording {
    /// Bytes over TCP, of all connections.
    pub(super) stream: Vec<u8>,
    /// Datagrams.
    pub(super) datagrams: Vec<Vec<u8>>,
}

/// A port that leads to the server.
pub(super) struct Tap {
    port: u16,
    recording: Arc<Mutex<Recording>>,
}

impl Tap {
    /// Opens one number for TCP and UDP that leads to `server`. Its tasks end with the runtime.
    pub(super) async fn start(server: SocketAddr) -> io::Result<Self> {
        let (listener, socket) = bind().await?;
        let tap = Self {
            port: listener.local_addr()?.port(),
            recording: Arc::default(),
        };
        tokio::spawn(pass_streams(listener, server, tap.recording.clone()));
        tokio::spawn(pass_datagrams(socket, server, tap.recording.clone()));
        Ok(tap)
    }

    pub(super) fn port(&self) -> u16 {
        self.port
    }

    /// What was sent since this was last asked.
    pub(super) fn take(&self) -> Recording {
        std::mem::take(&mut lock(&self.recording))
    }
}

/// A number that is free for both.
async fn bind() -> io::Result<(TcpListener, UdpSocket)> {
    let mut attempts = 64;
    loop {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        match UdpSocket::bind(listener.local_addr()?).await {
            Ok(socket) => return Ok((listener, socket)),
            Err(error) if attempts == 0 => return Err(error),
            Err(_) => attempts -= 1,
        }
    }
}

async fn pass_streams(listener: TcpListener, server: SocketAddr, recording: Arc<Mutex<Recording>>) {
    while let Ok((client, _)) = listener.accept().await {
        let recording = recording.clone();
        tokio::spawn(async move {
            // The end of either side ends both.
            let _ = pass_stream(client, server, recording).await;
        });
    }
}

async fn pass_stream(
    client: TcpStream,
    server: SocketAddr,
    recording: Arc<Mutex<Recording>>,
) -> io::Result<()> {
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = TcpStream::connect(server).await?.into_split();
    let upwards = async {
        let mut buffer = vec![0; 16 * 1024];
        loop {
            let length = from_client.read(&mut buffer).await?;
            let Some(bytes) = buffer.get(..length).filter(|bytes| !bytes.is_empty()) else {
                return to_server.shutdown().await;
            };
            {
                let mut recording = lock(&recording);
                if recording.stream.len() < MOST {
                    recording.stream.extend_from_slice(bytes);
                }
            }
            to_server.write_all(bytes).await?;
        }
    };
    let downwards = async {
        tokio::io::copy(&mut from_server, &mut to_client).await?;
        to_client.shutdown().await
    };
    tokio::try_join!(upwards, downwards).map(drop)
}

async fn pass_datagrams(socket: UdpSocket, server: SocketAddr, recording: Arc<Mutex<Recording>>) {
    let socket = Arc::new(socket);
    let mut upstreams: HashMap<SocketAddr, Arc<UdpSocket>> = HashMap::new();
    let mut buffer = vec![0; 2048];
    loop {
        // An error is an ICMP answer about a client that has gone.
        let Ok((length, client)) = socket.recv_from(&mut buffer).await else {
            continue;
        };
        let datagram = buffer.get(..length).unwrap_or_default();
        {
            let mut recording = lock(&recording);
            if recording.datagrams.len() < MOST / 2048 {
                recording.datagrams.push(datagram.to_vec());
            }
        }
        let upstream = match upstreams.get(&client) {
            Some(upstream) => upstream.clone(),
            None => match upstream(server).await {
                Ok(upstream) => {
                    let upstream = Arc::new(upstream);
                    upstreams.insert(client, upstream.clone());
                    tokio::spawn(pass_back(upstream.clone(), socket.clone(), client));
                    upstream
                }
                Err(_) => continue,
            },
        };
        let _ = upstream.send(datagram).await;
    }
}

async fn upstream(server: SocketAddr) -> io::Result<UdpSocket> {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    socket.connect(server).await?;
    Ok(socket)
}

async fn pass_back(upstream: Arc<UdpSocket>, socket: Arc<UdpSocket>, client: SocketAddr) {
    let mut buffer = vec![0; 2048];
    while let Ok(length) = upstream.recv(&mut buffer).await {
        let datagram = buffer.get(..length).unwrap_or_default();
        let _ = socket.send_to(datagram, client).await;
    }
}

fn lock(recording: &Mutex<Recording>) -> std::sync::MutexGuard<'_, Recording> {
    recording.lock().unwrap_or_else(PoisonError::into_inner)
}
