//! The servers that are compared, as their users run them.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use super::{chat, voice};
use crate::certificate::Certificate;
use crate::packages;
use crate::process::{ServerProcess, Workshop, free_address};

/// A Debian package, and what its program is called: murmurd before version 1.5.
const MUMBLE: &str = "mumble-server";
const MURMUR: &str = "murmurd";

/// More people than come.
const MOST: usize = 20_000;

pub(super) fn start_recado(program: &Path, listen: &str) -> Result<(ServerProcess, chat::Target)> {
    let workshop = Workshop::new()?;
    let (home, data) = (workshop.path().join("home"), workshop.path().join("data"));
    let mut command = Command::new(program);
    command
        .arg("serve")
        .args(["--listen", listen, "--registration", "open"])
        .arg("--home")
        .arg(home)
        .arg("--data-dir")
        .arg(&data);
    let (process, line) = ServerProcess::start_announced(workshop, &mut command)?;
    let mut address: std::net::SocketAddr = line
        .split_whitespace()
        .find_map(|word| word.strip_prefix("tcp="))
        .and_then(|addresses| addresses.parse().ok())
        .with_context(|| format!("no address in {line:?}"))?;
    if address.ip().is_unspecified() {
        address.set_ip(std::net::Ipv4Addr::LOCALHOST.into());
    }
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(data.join("root.pem"))?)?;
    let roots = roots.into();
    Ok((process, chat::Target { address, roots }))
}

/// Where mumble-server is.
pub(super) fn mumble() -> Option<PathBuf> {
    packages::find(MUMBLE).or_else(|| packages::find(MURMUR))
}

pub(super) fn provide_mumble() -> Result<()> {
    if mumble().is_some() {
        return Ok(());
    }
    match packages::provide(&[MUMBLE]) {
        // It has come under its other name.
        Err(_) if mumble().is_some() => Ok(()),
        provided => provided,
    }
}

/// Nobody is turned away, timed out or held to a bandwidth.
pub(super) fn start_mumble() -> Result<(ServerProcess, voice::Target)> {
    let workshop = Workshop::new()?;
    let certificate = Certificate::issue(workshop.path())?;
    let address = free_address()?;
    let config = workshop.path().join("server.ini");
    // Started by root, it leaves root's rights behind before it makes its database.
    let folder = workshop.path().join("mumble");
    fs::create_dir(&folder)?;
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o777))?;
    fs::write(
        &config,
        format!(
            "database={folder}/server.sqlite\nlogfile=\nhost={}\nport={}\nusers={MOST}\n\
             bandwidth=100000000\ntimeout=3600\nautobanAttempts=0\nbonjour=false\nwelcometext=\n\
             allowping=false\nsslCert={}\nsslKey={}\n",
            address.ip(),
            address.port(),
            certificate.certificate.display(),
            certificate.key.display(),
            folder = folder.display(),
        ),
    )?;
    let program = mumble().context("mumble-server is not installed")?;
    let mut command = Command::new(program);
    command.arg("-fg").arg("-ini").arg(&config);
    let process = ServerProcess::start_listening(workshop, &mut command, address)?;
    let roots = certificate.roots;
    Ok((process, voice::Target { address, roots }))
}
