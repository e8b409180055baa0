//! The other side: so many sessions, opened as their protocol asks and then silent, in this process.

use std::net::{Ipv4Addr, SocketAddr};
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use rustls::client::{Resumption, WantsClientCert};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::chat;

/// Sessions of one source address: fewer than the names that recado lets one claim at once.
const PER_SOURCE: u32 = 250;

/// Sessions that are being opened at a time: few, so that no server needs room for many handshakes.
const AT_ONCE: usize = 16;

/// How long one session may take to open.
const PATIENCE: Duration = Duration::from_secs(30);

/// What servers expect to hear.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Dialect {
    /// recado's own: client certificate, Hello, datagrams confirmed both ways.
    Chat,
    /// Bytes that come back.
    Echo,
    /// Registration as a user.
    Irc,
    /// CONNECT.
    Mqtt,
    /// One request; the connection stays.
    Http,
}

/// A server to connect to.
#[derive(Clone)]
pub(super) struct Target {
    pub(super) address: SocketAddr,
    pub(super) roots: Arc<RootCertStore>,
    /// What its certificate names.
    pub(super) name: &'static str,
    pub(super) dialect: Dialect,
}

/// Open sessions.
pub(super) struct Sessions {
    tasks: JoinSet<()>,
    lost: Arc<AtomicUsize>,
}

/// One open session.
enum Session {
    Chat(Box<chat::Session>),
    Silent(Box<TlsStream<TcpStream>>),
}

impl Sessions {
    /// Opens sessions with these numbers; all are open when this returns.
    pub(super) async fn open(target: &Target, numbers: Range<u32>) -> Result<Self> {
        let places = Arc::new(Semaphore::new(AT_ONCE));
        let lost = Arc::new(AtomicUsize::new(0));
        let (open, mut opened) = mpsc::unbounded_channel();
        let mut tasks = JoinSet::new();
        for number in numbers {
            let (target, places) = (target.clone(), places.clone());
            let (open, lost) = (open.clone(), lost.clone());
            tasks.spawn(async move {
                let place = places.acquire().await;
                let session = match timeout(PATIENCE, target.open(number)).await {
                    Ok(session) => session,
                    Err(elapsed) => Err(elapsed.into()),
                };
                drop(place);
                let session = session.with_context(|| format!("session {number} does not open"));
                let (told, session) = match session {
                    Ok(session) => (Ok(()), Some(session)),
                    Err(error) => (Err(error), None),
                };
                // Nobody listens any more once another has failed.
                let _ = open.send(told);
                drop(open);
                if let Some(session) = session {
                    session.hold().await;
                    lost.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        drop(open);
        while let Some(told) = opened.recv().await {
            told?;
        }
        Ok(Self { tasks, lost })
    }

    /// How many have ended, which none should.
    pub(super) fn lost(&self) -> usize {
        self.lost.load(Ordering::Relaxed)
    }

    /// Ends all.
    pub(super) async fn close(mut self) {
        self.tasks.shutdown().await;
    }
}

impl Session {
    /// Keeps it open, until the server ends it.
    async fn hold(self) {
        match self {
            Self::Chat(session) => session.hold().await,
            Self::Silent(mut stream) => {
                let mut buffer = [0; 256];
                while matches!(stream.read(&mut buffer).await, Ok(1..)) {}
            }
        }
    }
}

impl Target {
    async fn open(&self, number: u32) -> Result<Session> {
        if self.dialect == Dialect::Chat {
            return Ok(Session::Chat(Box::new(
                chat::Session::open(self, number).await?,
            )));
        }
        let config = self.config()?.with_no_client_auth();
        let mut stream = self.connect(number, config).await?;
        let (say, hear): (Vec<u8>, &[u8]) = match self.dialect {
            Dialect::Chat => unreachable!("opened above"),
            Dialect::Echo => (b"hello".to_vec(), b"hello"),
            // 376: the message of the day has ended, and with it the welcome.
            Dialect::Irc => (
                format!("NICK b{number}\r\nUSER bench 0 * :bench\r\n").into_bytes(),
                b" 376 ",
            ),
            Dialect::Mqtt => (mqtt_connect(number), &[0x20, 2, 0, 0]),
            Dialect::Http => (
                b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n".to_vec(),
                b"\r\n\r\nok\n",
            ),
        };
        stream.write_all(&say).await?;
        stream.flush().await?;
        let (mut heard, mut buffer) = (Vec::new(), [0; 1024]);
        while !heard.windows(hear.len()).any(|window| window == hear) {
            let length = stream.read(&mut buffer).await?;
            ensure!(
                length > 0,
                "the server closed after {:?}",
                String::from_utf8_lossy(&heard)
            );
            heard.extend_from_slice(&buffer[..length]);
        }
        Ok(Session::Silent(Box::new(stream)))
    }

    /// TLS 1.3, and this target's root.
    pub(super) fn config(&self) -> Result<rustls::ConfigBuilder<ClientConfig, WantsClientCert>> {
        let builder = ClientConfig::builder_with_protocol_versions(&[&rustls::version::TLS13]);
        Ok(builder.with_root_certificates(self.roots.clone()))
    }

    /// Connects from the source address that has this number.
    pub(super) async fn connect(
        &self,
        number: u32,
        mut config: ClientConfig,
    ) -> Result<TlsStream<TcpStream>> {
        // No session is to help another.
        config.resumption = Resumption::disabled();
        let socket = TcpSocket::new_v4()?;
        socket.bind((source(number), 0).into())?;
        let tcp = socket.connect(self.address).await?;
        tcp.set_nodelay(true)?;
        let name = ServerName::try_from(self.name)?;
        let connector = TlsConnector::from(Arc::new(config));
        Ok(connector.connect(name, tcp).await?)
    }
}

/// A loopback address for a session: the first 250 have one, the next another.
pub(super) fn source(number: u32) -> Ipv4Addr {
    let first = Ipv4Addr::new(127, 0, 1, 1).to_bits();
    Ipv4Addr::from_bits(first + number / PER_SOURCE)
}

/// A clean session without keep-alive (MQTT 3.1.1 §3.1).
fn mqtt_connect(number: u32) -> Vec<u8> {
    let client = format!("b{number}");
    let mut body = b"\x00\x04MQTT\x04\x02\x00\x00\x00".to_vec();
    // At most 11 characters.
    body.push(client.len() as u8);
    body.extend_from_slice(client.as_bytes());
    let mut packet = vec![0x10, body.len() as u8];
    packet.append(&mut body);
    packet
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_are_loopback_and_few_sessions_share_one() {
        assert_eq!(source(0), source(PER_SOURCE - 1));
        assert_ne!(source(0), source(PER_SOURCE));
        assert!(source(20_000).is_loopback());
    }

    #[test]
    fn an_mqtt_connect_is_as_in_the_specification() {
        let packet = mqtt_connect(7);
        assert_eq!(packet, b"\x10\x0e\x00\x04MQTT\x04\x02\x00\x00\x00\x02b7");
    }
}
