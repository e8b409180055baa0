//! What is asked of the servers, from another processor than theirs.

use std::fs;
use std::net::SocketAddr;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use rustls::client::Resumption;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, Error, SignatureScheme};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio_rustls::TlsConnector;

use super::servers::TARGET;
use crate::process::Workshop;

/// Where the load is made.
const PROCESSOR: &str = "1";

/// Connections that are kept open: enough that the server never waits, few enough that a class has as many.
const CONNECTIONS: &str = "32";

/// Requests at a time on each connection of HTTP/2.
const STREAMS: &str = "8";

/// Handshakes at a time.
const HANDSHAKING: u32 = 8;

/// What a load found.
#[derive(Clone, Copy, Debug)]
pub(super) struct Done {
    /// Requests answered well, or handshakes.
    pub(super) count: u64,
    /// The time that one in a hundred took longer than.
    pub(super) p99: Duration,
}

/// HTTP/1.1 over connections that are kept.
pub(super) fn http1(address: SocketAddr, seconds: u32) -> Result<Done> {
    let said = run(Command::new("taskset")
        .args([
            "--cpu-list",
            PROCESSOR,
            "wrk",
            "--latency",
            "--threads",
            "1",
        ])
        .args([
            "--connections",
            CONNECTIONS,
            "--duration",
            &format!("{seconds}s"),
        ])
        .arg(format!("https://{address}{TARGET}")))?;
    ensure!(
        !said.contains("Non-2xx") && !said.contains("Socket errors"),
        "{said}"
    );
    parse_wrk(&said).with_context(|| said.clone())
}

fn parse_wrk(said: &str) -> Option<Done> {
    let count = said
        .lines()
        .find_map(|line| line.trim().split_once(" requests in "))?;
    let p99 = said
        .lines()
        .find_map(|line| line.trim().strip_prefix("99%"))?
        .trim();
    let at = p99.find(|c: char| c.is_ascii_alphabetic())?;
    let (number, unit) = p99.split_at(at);
    let number: f64 = number.parse().ok()?;
    let seconds = match unit {
        "us" => number / 1e6,
        "ms" => number / 1e3,
        "s" => number,
        _ => return None,
    };
    Some(Done {
        count: count.0.parse().ok()?,
        p99: Duration::from_secs_f64(seconds),
    })
}

/// HTTP/2, several requests at a time on each connection.
pub(super) fn http2(address: SocketAddr, seconds: u32) -> Result<Done> {
    let workshop = Workshop::new()?;
    let log = workshop.path().join("requests");
    let said = run(Command::new("taskset")
        .args(["--cpu-list", PROCESSOR, "h2load", "--threads", "1"])
        .args([
            "--clients",
            CONNECTIONS,
            "--max-concurrent-streams",
            STREAMS,
        ])
        .args(["--duration", &seconds.to_string(), "--log-file"])
        .arg(&log)
        .arg(format!("https://{address}{TARGET}")))?;
    ensure!(said.contains("Application protocol: h2"), "{said}");
    let (count, mut times) = parse_h2load(&fs::read_to_string(log)?)
        .with_context(|| format!("not all were answered well: {said}"))?;
    times.sort_unstable();
    let p99 = times
        .get(times.len() * 99 / 100)
        .copied()
        .unwrap_or_default();
    Ok(Done {
        count,
        p99: Duration::from_micros(p99),
    })
}

/// How many requests a log has, and how many microseconds each took: `when status took`.
fn parse_h2load(log: &str) -> Option<(u64, Vec<u64>)> {
    let mut times = Vec::new();
    for line in log.lines() {
        let mut fields = line.split_whitespace().skip(1);
        if fields.next()? != "200" {
            return None;
        }
        times.push(fields.next()?.parse().ok()?);
    }
    Some((times.len() as u64, times))
}

/// Full handshakes with X25519, which all servers have, and nothing after them.
pub(super) async fn handshakes(address: SocketAddr, count: u32) -> Result<Done> {
    let mut provider = aws_lc_rs::default_provider();
    provider.kx_groups = vec![aws_lc_rs::kx_group::X25519];
    let provider = Arc::new(provider);
    let mut config = ClientConfig::builder_with_provider(provider.clone())
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Unchecked(provider)))
        .with_no_client_auth();
    config.resumption = Resumption::disabled();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    let connector = TlsConnector::from(Arc::new(config));
    let mut running = JoinSet::new();
    for _ in 0..HANDSHAKING {
        let connector = connector.clone();
        running.spawn(async move {
            for _ in 0..count / HANDSHAKING {
                let tcp = TcpStream::connect(address).await?;
                let name = ServerName::IpAddress(address.ip().into());
                let mut tls = connector.connect(name, tcp).await?;
                tls.shutdown().await?;
            }
            Ok::<_, std::io::Error>(())
        });
    }
    while let Some(done) = running.join_next().await {
        done??;
    }
    Ok(Done {
        count: u64::from(count / HANDSHAKING * HANDSHAKING),
        p99: Duration::ZERO,
    })
}

fn run(command: &mut Command) -> Result<String> {
    let output = command.output().context("taskset")?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let complained = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{said}{complained}");
    Ok(said)
}

/// Checks the handshake's signature, as everyone does, and nothing of who signed: that is the client's time.
#[derive(Debug)]
struct Unchecked(Arc<CryptoProvider>);

impl ServerCertVerifier for Unchecked {
    fn verify_server_cert(
        &self,
        _leaf: &CertificateDer<'_>,
        _chain: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(Error::General("TLS 1.3 only".to_owned()))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_tools_say_is_understood() {
        let said = "  Latency Distribution\n     50%    1.02ms\n     99%    2.50ms\n  75193 requests in 5.00s, 34.42MB read\n";
        let done = parse_wrk(said).unwrap();
        assert_eq!(
            (done.count, done.p99),
            (75_193, Duration::from_micros(2_500))
        );
        let log = "1700000000000000\t200\t120\n1700000000000100\t200\t80\n";
        assert_eq!(parse_h2load(log), Some((2, vec![120, 80])));
        assert_eq!(parse_h2load("1700000000000000\t500\t120\n"), None);
    }
}
