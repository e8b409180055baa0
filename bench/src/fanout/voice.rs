//! A Mumble session: TLS with protobuf messages for control, and UDP voice under OCB2-AES128, as
//! mumble-server 1.3 and 1.4 have them (Mumble Protocol 1.2.X, "Establishing a connection", "Voice data").

use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use rustls::client::Resumption;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::crowd::source;
use super::ocb::Ocb;
use crate::certificate;

/// Messages of the control channel.
const VERSION: u16 = 0;
const AUTHENTICATE: u16 = 2;
const SERVER_SYNC: u16 = 5;
const REJECT: u16 = 4;
const CRYPT_SETUP: u16 = 15;

/// 1.3.0.
const CLIENT_VERSION: u64 = 0x0001_0300;

/// Kinds of UDP packets, in the three top bits.
const OPUS: u8 = 4 << 5;
const PING: u8 = 1 << 5;

/// Time until a UDP ping is repeated.
const PING_INTERVAL: Duration = Duration::from_millis(300);

/// Where mumble-server is.
#[derive(Clone)]
pub(super) struct Target {
    pub(super) address: SocketAddr,
    pub(super) roots: Arc<RootCertStore>,
}

/// The voice of a session.
pub(super) struct Voice {
    server: SocketAddr,
    ocb: Ocb,
    sequence: u64,
}

impl Voice {
    /// Logs in; the server knows the UDP path when this returns. The connection is kept, and what it brings
    /// read, until the runtime ends.
    pub(super) async fn open(
        target: &Target,
        number: u32,
        udp: &tokio::net::UdpSocket,
    ) -> Result<Self> {
        let builder = ClientConfig::builder_with_protocol_versions(&[&rustls::version::TLS13]);
        let mut config = builder
            .with_root_certificates(target.roots.clone())
            .with_no_client_auth();
        config.resumption = Resumption::disabled();
        let socket = TcpSocket::new_v4()?;
        socket.bind((source(number), 0).into())?;
        let tcp = socket.connect(target.address).await?;
        tcp.set_nodelay(true)?;
        let connector = TlsConnector::from(Arc::new(config));
        let stream = connector
            .connect(ServerName::try_from(certificate::NAME)?, tcp)
            .await?;
        let mut stream = BufReader::new(stream);

        let mut version = Vec::new();
        field_number(&mut version, 1, CLIENT_VERSION);
        field_bytes(&mut version, 2, b"recado-bench");
        send(&mut stream, VERSION, &version).await?;
        let mut authenticate = Vec::new();
        field_bytes(&mut authenticate, 1, format!("bench{number}").as_bytes());
        // Opus.
        field_number(&mut authenticate, 5, 1);
        send(&mut stream, AUTHENTICATE, &authenticate).await?;

        let (mut ocb, mut synchronised) = (None, false);
        while !(synchronised && ocb.is_some()) {
            let (kind, message) = receive(&mut stream).await?;
            match kind {
                CRYPT_SETUP => {
                    // Without a key it asks for a nonce, as the server tried this session's keys on the first
                    // packet of somebody else at the same address.
                    if let Some(key) = bytes_field(&message, 1) {
                        let nonce = bytes_field(&message, 2).context("no nonce")?;
                        ocb = Some(Ocb::new(key.try_into()?, nonce.try_into()?)?);
                    }
                }
                SERVER_SYNC => synchronised = true,
                REJECT => anyhow::bail!("rejected: {:?}", String::from_utf8_lossy(&message)),
                _ => {}
            }
        }
        tokio::spawn(async move {
            let mut buffer = vec![0; 8 * 1024];
            while matches!(stream.read(&mut buffer).await, Ok(1..)) {}
        });
        let mut voice = Self {
            server: target.address,
            ocb: ocb.context("no keys")?,
            sequence: 0,
        };
        voice.confirm(udp).await?;
        Ok(voice)
    }

    async fn confirm(&mut self, udp: &tokio::net::UdpSocket) -> Result<()> {
        let mut buffer = [0; 1024];
        loop {
            let ping = self.ocb.seal(&[PING, 1])?;
            udp.send_to(&ping, self.server).await?;
            if let Ok(received) = timeout(PING_INTERVAL, udp.recv_from(&mut buffer)).await {
                let (_, from) = received?;
                if from == self.server {
                    return Ok(());
                }
            }
        }
    }

    /// Says so many bytes.
    pub(super) fn say(&mut self, udp: &UdpSocket, bytes: &[u8]) -> Result<()> {
        let mut packet = vec![OPUS];
        packet.extend_from_slice(&varint(self.sequence));
        packet.extend_from_slice(&varint(bytes.len() as u64));
        packet.extend_from_slice(bytes);
        self.sequence += 1;
        udp.send_to(&self.ocb.seal(&packet)?, self.server)?;
        Ok(())
    }
}

async fn send(
    stream: &mut BufReader<TlsStream<TcpStream>>,
    kind: u16,
    message: &[u8],
) -> Result<()> {
    let mut bytes = kind.to_be_bytes().to_vec();
    bytes.extend_from_slice(&u32::try_from(message.len())?.to_be_bytes());
    bytes.extend_from_slice(message);
    stream.write_all(&bytes).await?;
    Ok(stream.flush().await?)
}

async fn receive(stream: &mut BufReader<TlsStream<TcpStream>>) -> Result<(u16, Vec<u8>)> {
    let kind = stream.read_u16().await?;
    let length = usize::try_from(stream.read_u32().await?)?;
    ensure!(length <= 8 << 20, "a message of {length} bytes");
    let mut message = vec![0; length];
    stream.read_exact(&mut message).await?;
    Ok((kind, message))
}

/// Mumble's own numbers, which are not protobuf's ("Variable length integer encoding"); up to 28 bits.
fn varint(number: u64) -> Vec<u8> {
    let bytes = number.to_be_bytes();
    match number {
        0..0x80 => vec![bytes[7]],
        0x80..0x4000 => vec![0x80 | bytes[6], bytes[7]],
        0x4000..0x20_0000 => vec![0xc0 | bytes[5], bytes[6], bytes[7]],
        _ => vec![0xe0 | bytes[4], bytes[5], bytes[6], bytes[7]],
    }
}

fn protobuf_varint(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

fn field_number(out: &mut Vec<u8>, field: u64, number: u64) {
    protobuf_varint(out, field << 3);
    protobuf_varint(out, number);
}

fn field_bytes(out: &mut Vec<u8>, field: u64, bytes: &[u8]) {
    protobuf_varint(out, field << 3 | 2);
    protobuf_varint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

/// A field of a message that has only short bytes.
fn bytes_field(mut message: &[u8], wanted: u8) -> Option<&[u8]> {
    while let [tag, length, rest @ ..] = message {
        let (value, rest) = rest.split_at_checked(usize::from(*length))?;
        if *tag == wanted << 3 | 2 {
            return Some(value);
        }
        message = rest;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_as_mumble_writes_them() {
        assert_eq!(varint(5), [5]);
        assert_eq!(varint(200), [0x80, 200]);
        assert_eq!(varint(0x1234), [0x92, 0x34]);
        assert_eq!(varint(0x1_2345), [0xc1, 0x23, 0x45]);
    }

    #[test]
    fn a_field_is_found() {
        let mut message = Vec::new();
        field_bytes(&mut message, 1, b"key");
        field_bytes(&mut message, 2, b"nonce");
        assert_eq!(bytes_field(&message, 2), Some(&b"nonce"[..]));
        assert_eq!(bytes_field(&message, 3), None);
        assert_eq!(bytes_field(&message[..4], 1), None);
    }
}
