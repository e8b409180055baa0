//! The server's own machine: its folder, its database, its port, its addresses.

use std::fs::File;
use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, UdpSocket};
use std::path::{Path, PathBuf};

use recado_server::{DATABASE_FILE, KEY_FILE, LOCK_FILE};

use super::Examination;
use super::port_holder::holder_of;
use super::report::Check;
use super::storage::{self, DatabaseFault};
use crate::cli;
use crate::context::Exit;
use crate::wording;

/// The port of HTTPS, and where a server goes that cannot have it.
const PORTS: [u16; 2] = [443, 8443];

/// A server's folder on this machine, and how one would be started here.
pub(super) struct Here {
    pub(super) folder: PathBuf,
    /// What is asked of `recado serve` by the environment and the file.
    pub(super) serve: Option<cli::Serve>,
}

/// Whether a server holds the folder now.
fn is_running(folder: &Path) -> bool {
    let lock = File::open(folder.join(LOCK_FILE));
    lock.is_ok_and(|lock| lock.try_lock_shared().is_err())
}

/// Why a port cannot be had.
enum Taken {
    NotPermitted,
    InUse,
    Other(io::Error),
}

impl Examination<'_> {
    /// Examines the server on this machine. Whether all is well with it.
    pub(super) async fn check_server(&mut self, here: &Here) -> bool {
        let before = self.exit;
        let folder = &here.folder;
        self.check_folder(Check::DataFolder, folder, &[KEY_FILE]);
        let database = folder.join(DATABASE_FILE);
        if database.exists() {
            let known = recado_server::known_schema();
            self.check_database(Check::Database, database, known).await;
        }
        let is_running = is_running(folder);
        self.check_port(here, is_running);
        self.check_addresses(here);
        self.exit == before
    }

    /// Looks at a database, if it is not too large.
    pub(super) async fn check_database(&mut self, check: Check, path: PathBuf, known: i64) -> bool {
        let shown = path.display().to_string();
        let fault = match storage::examine_database(path, known).await {
            Ok(()) => {
                let text = self.text("doctor-database", &[("path", &shown)]);
                self.ok(check, text);
                return true;
            }
            Err(fault) => fault,
        };
        match fault {
            DatabaseFault::Damaged(said) => {
                let said = wording::line(&said);
                let arguments = [("path", shown.as_str()), ("cause", &said)];
                let text = self.text("doctor-database-damaged", &arguments);
                let remedy = self.text("doctor-database-restore", &[("path", &shown)]);
                self.wrong(check, Exit::Failed, text, Some(remedy));
            }
            DatabaseFault::TooNew => {
                let text = self.text("doctor-database-newer", &[("path", &shown)]);
                self.wrong(check, Exit::Failed, text, Some(update_command()));
            }
            DatabaseFault::Unreadable(said) => {
                let said = wording::line(&said);
                let arguments = [("path", shown.as_str()), ("cause", &said)];
                let text = self.text("doctor-database-unreadable", &arguments);
                self.untested(check, text, None);
            }
        }
        false
    }

    /// Whether the server has, or could have, the port that it is to have.
    fn check_port(&mut self, here: &Here, is_running: bool) {
        let listen = here.serve.as_ref().map(|serve| serve.listen.as_slice());
        let listen = listen.unwrap_or_default();
        let chosen = listen.iter().find_map(|listen| listen.port);
        if chosen == Some(0) {
            return; // Any will do.
        }
        let port = chosen.unwrap_or(PORTS[0]);
        let addresses: Vec<IpAddr> = match listen {
            [] => vec![Ipv4Addr::UNSPECIFIED.into()],
            listen => listen.iter().map(|listen| listen.address).collect(),
        };
        let taken = addresses
            .iter()
            .find_map(|ip| can_bind(SocketAddr::new(*ip, port)).err());
        let number = port.to_string();
        let holder = holder_of(port);
        match taken {
            None if is_running && chosen.is_none() => {
                // It is elsewhere, and could be here by now.
                let text = self.text("doctor-port-free-now", &[("port", &number)]);
                self.ok(Check::Port, text);
            }
            None => {
                let text = self.text("doctor-port-free", &[("port", &number)]);
                self.ok(Check::Port, text);
            }
            Some(Taken::InUse) => match holder {
                Some(holder) if is_running && holder.name == "recado" => {
                    let pid = holder.pid.to_string();
                    let text = self.text("doctor-port-own", &[("port", &number), ("pid", &pid)]);
                    self.ok(Check::Port, text);
                }
                // The system does not say whose it is; a server that runs has it, most likely.
                None if is_running && !is_elsewhere(port) => {
                    let text = self.text("doctor-port-unknown", &[("port", &number)]);
                    self.ok(Check::Port, text);
                }
                Some(holder) => {
                    let (pid, name) = (holder.pid.to_string(), wording::line(&holder.name));
                    let arguments = [("port", number.as_str()), ("pid", &pid), ("name", &name)];
                    let text = self.text("doctor-port-taken", &arguments);
                    self.wrong(
                        Check::Port,
                        Exit::Failed,
                        text,
                        Some(format!("sudo kill {pid}")),
                    );
                }
                None => {
                    let text = self.text("doctor-port-taken-by-whom", &[("port", &number)]);
                    let remedy = format!("sudo ss -Hlnptu 'sport = :{port}'");
                    self.wrong(Check::Port, Exit::Failed, text, Some(remedy));
                }
            },
            // The right is the server's, which has used it.
            Some(Taken::NotPermitted) if is_running && !is_elsewhere(port) => {
                let text = self.text("doctor-port-unknown", &[("port", &number)]);
                self.ok(Check::Port, text);
            }
            Some(Taken::NotPermitted) => {
                let program = std::env::current_exe().unwrap_or_else(|_| "recado".into());
                let text = self.text("doctor-port-denied", &[("port", &number)]);
                let remedy = format!(
                    "sudo setcap cap_net_bind_service=+ep '{}'",
                    program.display()
                );
                self.wrong(Check::Port, Exit::Failed, text, Some(remedy));
            }
            Some(Taken::Other(error)) => {
                let cause = error.to_string();
                let arguments = [("port", number.as_str()), ("cause", &cause)];
                let text = self.text("doctor-port-other", &arguments);
                self.wrong(
                    Check::Port,
                    Exit::Failed,
                    text,
                    Some("recado config".to_owned()),
                );
            }
        }
    }

    /// Where others reach this machine, and who cannot.
    fn check_addresses(&mut self, here: &Here) {
        let addresses = recado_server::machine_addresses();
        let listen = here.serve.as_ref().map(|serve| serve.listen.as_slice());
        let only_here = listen.is_some_and(|listen| {
            !listen.is_empty() && listen.iter().all(|listen| listen.address.is_loopback())
        });
        let shown: Vec<_> = addresses.iter().map(ToString::to_string).collect();
        let shown = shown.join(", ");
        let is_public = |ip: &IpAddr| !recado_server::is_private_address(ip);
        let id = if addresses.is_empty() || only_here {
            "doctor-addresses-none"
        } else if addresses.iter().any(is_public) {
            "doctor-addresses-public"
        } else {
            "doctor-addresses-private"
        };
        let text = self.text(id, &[("addresses", &shown)]);
        self.ok(Check::Addresses, text);
    }
}

/// Binds a port as a server would, TCP and UDP, and lets go of it.
fn can_bind(address: SocketAddr) -> Result<(), Taken> {
    let tcp = TcpListener::bind(address).map(drop);
    let both = tcp.and_then(|()| UdpSocket::bind(address).map(drop));
    both.map_err(|error| match error.kind() {
        ErrorKind::PermissionDenied => Taken::NotPermitted,
        ErrorKind::AddrInUse => Taken::InUse,
        _ => Taken::Other(error),
    })
}

/// Whether a server that runs here without a chosen port has gone to the other one.
fn is_elsewhere(port: u16) -> bool {
    port == PORTS[0]
        && TcpListener::bind((Ipv4Addr::UNSPECIFIED, PORTS[1]))
            .is_err_and(|error| error.kind() == ErrorKind::AddrInUse)
        && holder_of(PORTS[1]).is_none_or(|holder| holder.name == "recado")
}

/// How recado is brought to another version: as Debian's package.
pub(super) fn update_command() -> String {
    "sudo apt install ./recado_VERSION_amd64.deb".to_owned()
}
