//! The servers that are compared, each as its users would run it for mail, with what holds it back taken away.

use std::fs;
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use recado_proto::SERVER_NAME;
use rustls::client::Resumption;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore};

use super::chat::{self, Chat};
use super::dialect::Dialect;
use super::irc::Irc;
use super::load::Stream;
use super::mqtt::Mqtt;
use super::nats::{self, Nats};
use super::reference::Bare;
use crate::certificate::{self, Certificate};
use crate::process::{ServerProcess, Workshop, free_address};
use crate::{machine, packages};

/// How long an answer may take while a connection is opened.
const PATIENCE: Duration = Duration::from_secs(30);

#[derive(Clone, Copy, PartialEq, Eq, Debug, clap::ValueEnum)]
pub(super) enum Server {
    Reference,
    Recado,
    Mosquitto,
    Nats,
    Inspircd,
}

/// A server that can be connected to.
pub(super) struct Running {
    server: Server,
    process: ServerProcess,
    address: SocketAddr,
    roots: Arc<RootCertStore>,
}

impl Server {
    pub(super) const ALL: [Self; 5] = [
        Self::Reference,
        Self::Recado,
        Self::Mosquitto,
        Self::Nats,
        Self::Inspircd,
    ];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Reference => "reference",
            Self::Recado => "recado",
            Self::Mosquitto => "mosquitto",
            Self::Nats => "nats-server",
            Self::Inspircd => "inspircd",
        }
    }

    /// The Debian package that has it, and the program's name: they are the same.
    pub(super) fn package(self) -> Option<&'static str> {
        match self {
            Self::Reference | Self::Recado => None,
            Self::Mosquitto | Self::Nats | Self::Inspircd => Some(self.name()),
        }
    }

    /// What it is called in the table: with its version, as it tells it, and with what it promises.
    pub(super) fn title(self) -> String {
        let ask = |argument| {
            let said = machine::version(&program(self.name()), argument);
            let version = said.split([' ', '/', '-', 'v']).find(|word| {
                word.trim_start_matches('v')
                    .starts_with(|it: char| it.is_ascii_digit())
                    && word.contains('.')
            });
            format!("{} {}", self.name(), version.unwrap_or_default())
        };
        match self {
            Self::Reference => "bare relay on rustls".to_owned(),
            Self::Recado => format!("recado {}", env!("CARGO_PKG_VERSION")),
            Self::Mosquitto => format!("{}, QoS 1", ask("-h")),
            Self::Nats => format!("{}, JetStream", ask("--version")),
            Self::Inspircd => ask("--version"),
        }
    }

    /// Starts it. `recado` is the program that is measured as such.
    pub(super) fn start(self, recado: &Path) -> Result<Running> {
        let workshop = Workshop::new()?;
        let folder = workshop.path().to_owned();
        let folder = folder.as_path();
        if self == Self::Recado {
            return start_recado(workshop, recado);
        }
        let certificate = Certificate::issue(folder)?;
        if self == Self::Reference {
            let mut command = Command::new(std::env::current_exe()?);
            command
                .arg("mail-reference")
                .args([&certificate.certificate, &certificate.key]);
            let (process, line) = ServerProcess::start_announced(workshop, &mut command)?;
            return Ok(Running {
                server: self,
                process,
                address: line.trim().parse().context("the relay's address")?,
                roots: certificate.roots,
            });
        }
        let address = free_address()?;
        let config = folder.join("server.conf");
        let mut command = Command::new(program(self.name()));
        let text = match self {
            Self::Reference | Self::Recado => unreachable!("started above"),
            Self::Mosquitto => {
                command.arg("-c").arg(&config);
                mosquitto(address, &certificate, folder)
            }
            Self::Nats => {
                command.arg("--config").arg(&config);
                nats_server(address, &certificate, folder)
            }
            Self::Inspircd => {
                command
                    .args(["--nofork", "--runasroot", "--config"])
                    .arg(&config);
                inspircd(address, &certificate, folder)
            }
        };
        fs::write(&config, text)?;
        let process = ServerProcess::start_listening(workshop, &mut command, address)?;
        Ok(Running {
            server: self,
            process,
            address,
            roots: certificate.roots,
        })
    }
}

impl Running {
    pub(super) fn process(&self) -> u32 {
        self.process.id()
    }

    /// Opens one end of a pair.
    pub(super) fn open(&self, pair: u32, is_sender: bool) -> Result<(Stream, Box<dyn Dialect>)> {
        let mut tcp = TcpStream::connect(self.address)?;
        tcp.set_nodelay(true)?;
        tcp.set_read_timeout(Some(PATIENCE))?;
        if self.server == Server::Nats {
            nats::greet(&mut tcp)?;
        }
        let (mut config, name) = match self.server {
            Server::Recado => (chat::config(self.roots.clone())?, SERVER_NAME),
            _ => (self.config(), certificate::NAME),
        };
        // No session is to help another.
        config.resumption = Resumption::disabled();
        let tls = ClientConnection::new(Arc::new(config), ServerName::try_from(name)?)?;
        let mut stream = Stream::new(tls, tcp);
        let dialect: Box<dyn Dialect> = match self.server {
            Server::Reference => Box::new(Bare::open(&mut stream, pair, is_sender)?),
            Server::Recado => Box::new(Chat::open(&mut stream, pair, is_sender)?),
            Server::Mosquitto => Box::new(Mqtt::open(&mut stream, pair, is_sender)?),
            Server::Nats => Box::new(Nats::open(&mut stream, pair, is_sender)?),
            Server::Inspircd => Box::new(Irc::open(&mut stream, pair, is_sender)?),
        };
        Ok((stream, dialect))
    }

    fn config(&self) -> ClientConfig {
        ClientConfig::builder_with_protocol_versions(&[&rustls::version::TLS13])
            .with_root_certificates(self.roots.clone())
            .with_no_client_auth()
    }
}

fn start_recado(workshop: Workshop, recado: &Path) -> Result<Running> {
    let (home, data) = (workshop.path().join("home"), workshop.path().join("data"));
    let mut command = Command::new(recado);
    command
        .arg("serve")
        .args(["--listen", "127.0.0.1:0", "--registration", "open"])
        .arg("--home")
        .arg(home)
        .arg("--data-dir")
        .arg(&data);
    let (process, line) = ServerProcess::start_announced(workshop, &mut command)?;
    let address = line
        .split_whitespace()
        .find_map(|word| word.strip_prefix("tcp="))
        .and_then(|addresses| addresses.parse().ok())
        .with_context(|| format!("no address in {line:?}"))?;
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(data.join("root.pem"))?)?;
    Ok(Running {
        server: Server::Recado,
        process,
        address,
        roots: roots.into(),
    })
}

fn program(name: &str) -> String {
    packages::find(name).map_or_else(|| name.to_owned(), |path| path.display().to_string())
}

/// Sessions and what waits in them are kept in a file; it is written from time to time, and not before an
/// acknowledgement.
fn mosquitto(address: SocketAddr, certificate: &Certificate, folder: &Path) -> String {
    format!(
        "listener {} {}\nallow_anonymous true\npersistence true\npersistence_location {}/\n\
         max_inflight_messages 0\nmax_queued_messages 0\nset_tcp_nodelay true\nlog_type error\n\
         user root\ntls_version tlsv1.3\ncertfile {}\nkeyfile {}\n",
        address.port(),
        address.ip(),
        folder.display(),
        certificate.certificate.display(),
        certificate.key.display(),
    )
}

/// Messages are in files before they are acknowledged; the files are synced every two minutes.
fn nats_server(address: SocketAddr, certificate: &Certificate, folder: &Path) -> String {
    format!(
        "listen: \"{address}\"\njetstream {{ store_dir: \"{}\" }}\n\
         tls {{\n  cert_file: \"{}\"\n  key_file: \"{}\"\n}}\n",
        folder.display(),
        certificate.certificate.display(),
        certificate.key.display(),
    )
}

/// Nothing is kept. Nobody is held to a rate.
fn inspircd(address: SocketAddr, certificate: &Certificate, folder: &Path) -> String {
    format!(
        "<server name=\"bench.invalid\" description=\"bench\" network=\"bench\">\n\
         <admin name=\"bench\" nick=\"bench\" email=\"bench@bench.invalid\">\n\
         <module name=\"ssl_gnutls\">\n\
         <sslprofile name=\"bench\" provider=\"gnutls\" certfile=\"{}\" keyfile=\"{}\">\n\
         <bind address=\"{}\" port=\"{}\" type=\"clients\" sslprofile=\"bench\">\n\
         <connect allow=\"*\" timeout=\"60\" pingfreq=\"3600\" hardsendq=\"100M\" softsendq=\"50M\" \
         recvq=\"10M\" threshold=\"100000\" commandrate=\"100000000\" fakelag=\"no\" localmax=\"10000\" \
         globalmax=\"10000\" resolvehostnames=\"no\" useident=\"no\">\n\
         <performance netbuffersize=\"65534\" quietbursts=\"yes\" somaxconn=\"1024\">\n\
         <pid file=\"{folder}/pid\">\n\
         <log method=\"file\" type=\"* -USERINPUT -USEROUTPUT\" level=\"default\" target=\"{folder}/log\">\n",
        certificate.certificate.display(),
        certificate.key.display(),
        address.ip(),
        address.port(),
        folder = folder.display(),
    )
}
