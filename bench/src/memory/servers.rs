//! The servers that are compared, each with the least configuration that lets the sessions in.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use anyhow::{Context, Result};
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use super::clients::{Dialect, Target};
use crate::certificate::{self, Certificate};
use crate::process::{ServerProcess, Workshop, free_address};
use crate::{machine, packages};

/// Connections that a server may have beyond the sessions.
const SPARE: u32 = 500;

#[derive(Clone, Copy, PartialEq, Eq, Debug, clap::ValueEnum)]
pub(super) enum Server {
    Recado,
    Echo,
    Ngircd,
    Mosquitto,
    Nginx,
}

/// A server that can be connected to.
pub(super) struct Running {
    pub(super) process: ServerProcess,
    pub(super) target: Target,
}

impl Server {
    pub(super) const ALL: [Self; 5] = [
        Self::Recado,
        Self::Echo,
        Self::Ngircd,
        Self::Mosquitto,
        Self::Nginx,
    ];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Recado => "recado",
            Self::Echo => "echo",
            Self::Ngircd => "ngircd",
            Self::Mosquitto => "mosquitto",
            Self::Nginx => "nginx",
        }
    }

    /// The Debian package that has it, and the program's name: they are the same.
    pub(super) fn package(self) -> Option<&'static str> {
        match self {
            Self::Recado | Self::Echo => None,
            Self::Ngircd | Self::Mosquitto | Self::Nginx => Some(self.name()),
        }
    }

    /// What it is called in the table: with its version, as it tells it.
    pub(super) fn title(self) -> String {
        let ask = |argument| {
            let said = machine::version(&program(self.name()), argument);
            let version = said.split([' ', '/', '-']).find(|word| {
                word.starts_with(|it: char| it.is_ascii_digit()) && word.contains('.')
            });
            format!("{} {}", self.name(), version.unwrap_or_default())
        };
        match self {
            Self::Recado => format!("recado {}", env!("CARGO_PKG_VERSION")),
            Self::Echo => "bare echo on rustls".to_owned(),
            Self::Ngircd => ask("--version"),
            Self::Mosquitto => ask("-h"),
            Self::Nginx => ask("-v"),
        }
    }

    /// Starts it. `recado` is the program that is measured as such.
    pub(super) fn start(self, workshop: Workshop, recado: &Path, sessions: u32) -> Result<Running> {
        let folder = workshop.path().to_owned();
        let folder = folder.as_path();
        if self == Self::Recado {
            return start_recado(workshop, recado);
        }
        let certificate = Certificate::issue(folder)?;
        if self == Self::Echo {
            let mut command = Command::new(std::env::current_exe()?);
            command
                .arg("echo-server")
                .args([&certificate.certificate, &certificate.key]);
            let (process, line) = ServerProcess::start_announced(workshop, &mut command)?;
            let address = line.trim().parse().context("the echo server's address")?;
            return Ok(Running {
                process,
                target: target(address, &certificate, Dialect::Echo),
            });
        }
        let address = free_address()?;
        let config = folder.join("server.conf");
        let mut command = Command::new(program(self.name()));
        let (text, dialect) = match self {
            Self::Ngircd => {
                command.arg("--nodaemon").arg("--config").arg(&config);
                (ngircd(address, &certificate)?, Dialect::Irc)
            }
            Self::Mosquitto => {
                command.arg("-c").arg(&config);
                (mosquitto(address, &certificate), Dialect::Mqtt)
            }
            Self::Nginx => {
                command.arg("-p").arg(folder).arg("-c").arg(&config);
                command.args(["-e", "error.log"]);
                (nginx(address, &certificate, sessions), Dialect::Http)
            }
            Self::Recado | Self::Echo => unreachable!("started above"),
        };
        fs::write(&config, text)?;
        Ok(Running {
            process: ServerProcess::start_listening(workshop, &mut command, address)?,
            target: target(address, &certificate, dialect),
        })
    }
}

fn start_recado(workshop: Workshop, program: &Path) -> Result<Running> {
    let (home, data) = (workshop.path().join("home"), workshop.path().join("data"));
    let mut command = Command::new(program);
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
        process,
        target: Target {
            address,
            roots: roots.into(),
            name: recado_proto::SERVER_NAME,
            dialect: Dialect::Chat,
        },
    })
}

fn target(address: SocketAddr, certificate: &Certificate, dialect: Dialect) -> Target {
    Target {
        address,
        roots: Arc::clone(&certificate.roots),
        name: certificate::NAME,
        dialect,
    }
}

fn program(name: &str) -> String {
    packages::find(name).map_or_else(|| name.to_owned(), |path| path.display().to_string())
}

/// No limits on connections, and no looking up of those who connect.
fn ngircd(address: SocketAddr, certificate: &Certificate) -> Result<String> {
    Ok(format!(
        "[Global]\nName = bench.invalid\nInfo = bench\nMotdPhrase = bench\nListen = {ip}\nPorts = {plain}\n\
         [Limits]\nMaxConnections = 0\nMaxConnectionsIP = 0\nPingTimeout = 3600\n\
         [Options]\nDNS = no\nIdent = no\nPAM = no\n\
         [SSL]\nPorts = {port}\nCertFile = {}\nKeyFile = {}\n",
        certificate.certificate.display(),
        certificate.key.display(),
        ip = address.ip(),
        plain = free_address()?.port(),
        port = address.port(),
    ))
}

fn mosquitto(address: SocketAddr, certificate: &Certificate) -> String {
    format!(
        "listener {} {}\nallow_anonymous true\npersistence false\nlog_type error\n\
         tls_version tlsv1.3\ncertfile {}\nkeyfile {}\n",
        address.port(),
        address.ip(),
        certificate.certificate.display(),
        certificate.key.display(),
    )
}

/// One worker, which is best for its memory.
fn nginx(address: SocketAddr, certificate: &Certificate, sessions: u32) -> String {
    let connections = sessions + SPARE;
    format!(
        "daemon off;\nworker_processes 1;\nworker_rlimit_nofile {connections};\n\
         pid nginx.pid;\nerror_log error.log;\n\
         events {{ worker_connections {connections}; }}\n\
         http {{\n  access_log off;\n  keepalive_timeout 1h;\n\
         client_body_temp_path body;\n  proxy_temp_path proxy;\n  fastcgi_temp_path fastcgi;\n\
         uwsgi_temp_path uwsgi;\n  scgi_temp_path scgi;\n\
         server {{\n    listen {address} ssl backlog=4096;\n    ssl_protocols TLSv1.3;\n\
         ssl_certificate {};\n    ssl_certificate_key {};\n\
         location / {{ return 200 \"ok\\n\"; }}\n  }}\n}}\n",
        certificate.certificate.display(),
        certificate.key.display(),
    )
}
