//! `recado doctor`: how this machine fares with a server, from the name to the datagrams, one line a check.
//!
//! It only looks: no server is remembered, no key is made. Datagrams need a session, and a session a name: it
//! opens one for some seconds under a name that the person has at the server, and nobody's else. On the server's own
//! machine it looks at the server's side too.
//!
//! Whatever is wrong, it ends with 1: what it was asked, it has done. How another command would end for the same is
//! said with each finding, for programs. What only follows from something that was found is not tested, so that the
//! cause stands alone.

mod path_mtu;
mod port_holder;
mod report;
mod server_side;
mod storage;

use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::path::Path;
use std::time::Duration;

use recado_client::address::ServerAddress;
use recado_client::connect::RESOLVE_TIMEOUT;
use recado_client::history;
use recado_client::home::Home;
use recado_client::https::{self, HttpsError, Method, Request};
use recado_client::identity::{self, Identity, IdentityError};
use recado_client::session::{IncomingMail, Session, SessionConfig, SessionError, Update};
use recado_client::trust::{FirstUse, Notice, Reason, TrustError, TrustStore, Trusted, decide};
use recado_client::{Command, Event, LinkMeasurement};
use recado_proto::limits::MAX_DATAGRAM;
use recado_proto::text::sanitise_line;
use time::OffsetDateTime;
use tokio::net::lookup_host;
use tokio::time::timeout;

use crate::context::{Context, Exit};
use crate::{Asked, admin, cli, wording};
use path_mtu::path_mtu;
use report::{Check, Report};
use server_side::Here;
use storage::FolderFault;

/// How long a session may take to say how datagrams fare: far longer than a second for the first word of them, and
/// one, and two round trips, for a measurement.
const MEASURE_TIME: Duration = Duration::from_secs(20);

/// The calculation that proves HTTPS, and its answer: what binary fractions get wrong.
const CALCULATION: (&str, &str) = ("/v1/calc/add?x=0.1&y=0.2", "0.3");

/// How far two clocks may be apart. Messages carry their sender's time: what is seconds off reads well, and a machine
/// that asks for the time at all is well below.
const CLOCK_TOLERANCE: Duration = Duration::from_secs(120);

/// Where the service describes itself, and its version.
const DESCRIPTION: &str = "/openapi.json";

/// Checks everything, up to what makes the rest impossible.
pub(crate) async fn run(context: &Context, asked: &Asked, arguments: cli::Doctor) -> Exit {
    let home = context.home_if_usable();
    let store = home.as_ref().ok().cloned().map(TrustStore::new);
    let address = match &store {
        Some(store) => context.server_address(store),
        None => context.named_server(),
    };
    let address = match address {
        Ok(address) => address,
        Err(exit) => return exit,
    };
    let serve = asked.serve_here();
    let own = arguments.data_dir;
    let theirs = serve.as_ref().and_then(|serve| serve.data_dir.clone());
    let here = Here {
        folder: own
            .or(theirs)
            .unwrap_or_else(|| admin::data_folder(context)),
        serve,
    };
    let mut examination = Examination {
        context,
        report: Report::new(context, &address, arguments.output),
        exit: Exit::Done,
        examined_disk: None,
    };
    match (&home, &store) {
        (Ok(home), Some(store)) => {
            examination.examine(home, store, &address, &here).await;
        }
        (Err(error), _) => {
            let text = wording::home(context.language, error);
            let remedy = format!("sudo chown -R \"$(id -un)\" '{}'", context.home.display());
            examination.wrong(Check::Home, Exit::Failed, text, Some(remedy));
        }
        (Ok(_), None) => {}
    }
    examination.report.finish(examination.exit)
}

struct Examination<'a> {
    context: &'a Context,
    report: Report<'a>,
    /// 1 from the first thing that is wrong.
    exit: Exit,
    /// The file system whose room was looked at.
    examined_disk: Option<u64>,
}

impl Examination<'_> {
    async fn examine(
        &mut self,
        home: &Home,
        store: &TrustStore,
        address: &ServerAddress,
        here: &Here,
    ) {
        if !self.check_folder(Check::Home, home.path(), &[]) {
            return;
        }
        for history in home.histories() {
            let known = history::known_schema();
            self.check_database(Check::History, history, known).await;
        }
        let Some(addresses) = self.check_name(address).await else {
            return;
        };
        let is_here = addresses.iter().any(|ip| is_this_machine(*ip));
        let is_well = !(is_here && here.folder.exists()) || self.check_server(here).await;
        let given = self.context.given();
        let trusted = match decide(store, address, given, FirstUse::OnlyLook).await {
            Ok(trusted) => trusted,
            Err(TrustError::Unreachable { .. }) if !is_well => {
                let text = self.text("doctor-after-that", &[]);
                return self.untested(Check::Tcp, text, Some("recado serve".to_owned()));
            }
            Err(error) => return self.untrusted(&error, address),
        };
        self.trusted(&trusted);
        self.check_https(&trusted).await;
        self.check_version(&trusted).await;
        if !is_well {
            let text = self.text("doctor-after-that", &[]);
            return self.untested(Check::Session, text, None);
        }
        if let Some(measured) = self.check_session(home, &trusted).await {
            self.check_datagrams(&trusted, measured);
        }
        self.check_mtu(&trusted).await;
    }

    /// Looks at a folder, and at the room on its disk.
    fn check_folder(&mut self, check: Check, folder: &Path, private: &[&str]) -> bool {
        let path = folder.display().to_string();
        let quoted = format!("'{path}'");
        let fault = match storage::examine_folder(folder, private) {
            Ok(free) => {
                let text = self.text("doctor-folder", &[("path", &path)]);
                self.ok(check, text);
                if self.is_new_disk(folder) {
                    let free = (free >> 20).to_string();
                    let text = self.text("doctor-disk", &[("path", &path), ("free", &free)]);
                    self.ok(Check::Disk, text);
                }
                return true;
            }
            Err(fault) => fault,
        };
        let (check, text, remedy) = match fault {
            FolderFault::Missing => {
                let text = self.text("doctor-folder-missing", &[("path", &path)]);
                (check, text, Some(format!("mkdir -m 700 -p {quoted}")))
            }
            FolderFault::Unwritable(error) => {
                let cause = error.to_string();
                let text = self.text(
                    "doctor-folder-unwritable",
                    &[("path", &path), ("cause", &cause)],
                );
                let remedy = match error.kind() {
                    std::io::ErrorKind::ReadOnlyFilesystem => {
                        format!("sudo mount -o remount,rw \"$(stat -c %m {quoted})\"")
                    }
                    _ => format!("sudo chown -R \"$(id -un)\" {quoted}"),
                };
                (check, text, Some(remedy))
            }
            FolderFault::Full(free) => {
                let free = (free >> 20).to_string();
                let text = self.text("doctor-disk-full", &[("path", &path), ("free", &free)]);
                let remedy = format!("du -xh \"$(stat -c %m {quoted})\" | sort -h | tail -20");
                (Check::Disk, text, Some(remedy))
            }
            FolderFault::Open(open) => {
                let open = open.display().to_string();
                let text = self.text("doctor-folder-open", &[("path", &open)]);
                (check, text, Some(format!("chmod go= '{open}'")))
            }
            FolderFault::Hidden => {
                let text = self.text("doctor-folder-hidden", &[("path", &path)]);
                let remedy = format!("sudo recado doctor --data-dir {quoted}");
                self.untested(check, text, Some(remedy));
                return true;
            }
        };
        self.wrong(check, Exit::Failed, text, remedy);
        false
    }

    /// Whether the folder's disk was not looked at yet.
    fn is_new_disk(&mut self, folder: &Path) -> bool {
        let disk = disk_of(folder);
        let is_new = disk.is_none() || disk != self.examined_disk;
        self.examined_disk = disk;
        is_new
    }

    /// The addresses of the host, if it has any.
    async fn check_name(&mut self, address: &ServerAddress) -> Option<Vec<IpAddr>> {
        let host = address.host();
        let port = address
            .candidate_ports()
            .first()
            .copied()
            .unwrap_or_default();
        let found = timeout(RESOLVE_TIMEOUT, lookup_host((host, port))).await;
        let mut found: Vec<_> = match found {
            Ok(Ok(found)) => found.map(|address| address.ip()).collect(),
            Ok(Err(_)) | Err(_) => Vec::new(),
        };
        found.dedup();
        let host = sanitise_line(host);
        if found.is_empty() {
            let text = self.text("trust-unresolved", &[("host", &host)]);
            let remedy = format!("getent ahosts '{host}'");
            self.wrong(Check::Name, Exit::Unreachable, text, Some(remedy));
            return None;
        }
        let addresses: Vec<_> = found.iter().map(IpAddr::to_string).collect();
        let addresses = addresses.join(", ");
        let text = self.text("doctor-name", &[("host", &host), ("addresses", &addresses)]);
        self.ok(Check::Name, text);
        Some(found)
    }

    /// What of TCP and TLS is wrong.
    fn untrusted(&mut self, error: &TrustError, address: &ServerAddress) {
        let exit = Exit::from_code(error.exit_code());
        let text = wording::trust(self.context.language, error);
        if let TrustError::Unreachable { .. } = error {
            let remedy = "recado serve".to_owned();
            return self.wrong(Check::Tcp, exit, text, Some(remedy));
        }
        let answered = match error {
            TrustError::NotRecado { attempts, .. } => attempts.first().map(|it| it.address),
            TrustError::BadCertificate { address, .. }
            | TrustError::Unknown { address, .. }
            | TrustError::Mismatch { address, .. } => Some(*address),
            _ => None,
        };
        if let Some(answered) = answered {
            self.tcp_answers(answered);
        }
        let remedy = match error {
            TrustError::Unknown { fingerprint, .. } => Some(format!(
                "recado chat --server {address} --fingerprint {fingerprint}"
            )),
            TrustError::Changed { server, .. } => Some(format!("recado trust replace {server}")),
            _ => None,
        };
        self.wrong(Check::Tls, exit, text, remedy);
    }

    fn tcp_answers(&mut self, address: SocketAddr) {
        let text = self.text("doctor-tcp", &[("address", &address.to_string())]);
        self.ok(Check::Tcp, text);
    }

    fn trusted(&mut self, trusted: &Trusted) {
        self.tcp_answers(trusted.address);
        let reason = match trusted.reason {
            Reason::Given => "doctor-trust-given",
            Reason::Vouched => "doctor-trust-vouched",
            Reason::Confirmed => "doctor-trust-confirmed",
            Reason::AcceptedNew => "doctor-trust-accepted",
            Reason::Loopback => "doctor-trust-loopback",
            Reason::Replaced => "doctor-trust-replaced",
        };
        let reason = self.text(reason, &[]);
        let fingerprint = trusted.root.to_string();
        let text = self.text(
            "doctor-tls",
            &[("fingerprint", &fingerprint), ("reason", &reason)],
        );
        self.ok(Check::Tls, text);
        for notice in &trusted.notices {
            if let Notice::Dates(_) = notice {
                let text = wording::trust_notice(self.context.language, notice, trusted);
                let remedy = "sudo timedatectl set-ntp true".to_owned();
                self.wrong(Check::Dates, Exit::Failed, text, Some(remedy));
            }
        }
    }

    async fn check_https(&mut self, trusted: &Trusted) {
        let (target, expected) = CALCULATION;
        let request = Request {
            method: Method::GET,
            target: target.to_owned(),
            accept: Some("text/plain".to_owned()),
            body: None,
        };
        let (cause, exit) = match https::request(trusted, &request).await {
            Ok(answer) if answer.status == 200 && answer.body == expected => {
                let text = self.text("doctor-https", &[]);
                self.ok(Check::Https, text);
                return self.check_clock(answer.date);
            }
            Ok(answer) => (format!("HTTP {}", answer.status), Exit::Failed),
            Err(HttpsError::Trust(error)) => (
                wording::trust(self.context.language, &error),
                Exit::from_code(error.exit_code()),
            ),
            Err(error) => (wording::chain(&error), Exit::from_code(error.exit_code())),
        };
        let text = self.text("doctor-https-wrong", &[("cause", &cause)]);
        self.wrong(Check::Https, exit, text, None);
    }

    /// Compares the server's clock, as an answer told it, with this machine's.
    fn check_clock(&mut self, theirs: Option<OffsetDateTime>) {
        let Some(theirs) = theirs else {
            let text = self.text("doctor-clock-untold", &[]);
            return self.untested(Check::Clock, text, None);
        };
        let apart = theirs - OffsetDateTime::now_utc();
        let seconds = apart.whole_seconds().unsigned_abs();
        let shown = seconds.to_string();
        if Duration::from_secs(seconds) <= CLOCK_TOLERANCE {
            let text = self.text("doctor-clock", &[]);
            return self.ok(Check::Clock, text);
        }
        let id = match apart.is_negative() {
            true => "doctor-clock-behind",
            false => "doctor-clock-ahead",
        };
        let text = self.text(id, &[("seconds", &shown)]);
        let remedy = "sudo timedatectl set-ntp true".to_owned();
        self.wrong(Check::Clock, Exit::Failed, text, Some(remedy));
    }

    /// Whether the server is of this version.
    async fn check_version(&mut self, trusted: &Trusted) {
        const OURS: &str = env!("CARGO_PKG_VERSION");
        let request = Request {
            method: Method::GET,
            target: DESCRIPTION.to_owned(),
            accept: None,
            body: None,
        };
        let answer = https::request(trusted, &request).await.ok();
        let described = answer.and_then(|answer| {
            let object: serde_json::Value = serde_json::from_slice(&answer.body).ok()?;
            Some(object["info"]["version"].as_str()?.to_owned())
        });
        let Some(theirs) = described else {
            let text = self.text("doctor-version-untold", &[]);
            return self.untested(Check::Version, text, None);
        };
        let theirs = sanitise_line(&theirs).into_owned();
        if theirs == OURS {
            let text = self.text("doctor-version", &[("version", OURS)]);
            return self.ok(Check::Version, text);
        }
        let (id, newest) = match is_older(&theirs, OURS) {
            true => ("doctor-version-server-old", OURS),
            false => ("doctor-version-client-old", theirs.as_str()),
        };
        let text = self.text(id, &[("server", &theirs), ("client", OURS)]);
        let remedy = server_side::update_command().replace("VERSION", newest);
        self.wrong(Check::Version, Exit::Failed, text, Some(remedy));
    }

    /// Whether whole datagrams pass: sends one that says nothing, and asks the system what it learned of the way.
    async fn check_mtu(&mut self, trusted: &Trusted) {
        // Headers of IPv4 and UDP. IPv6 promises 1,280 bytes on any way.
        const NEEDED: usize = MAX_DATAGRAM + 20 + 8;
        if trusted.address.is_ipv6() {
            return;
        }
        let Some(mtu) = path_mtu(trusted.address).await else {
            return;
        };
        let (shown, needed) = (mtu.to_string(), NEEDED.to_string());
        if mtu >= NEEDED {
            let text = self.text("doctor-mtu", &[("mtu", &shown)]);
            return self.ok(Check::Mtu, text);
        }
        let text = self.text("doctor-mtu-small", &[("mtu", &shown), ("needed", &needed)]);
        let ip = trusted.address.ip();
        let interface = format!("ip route get {ip} | sed -n 's/.* dev \\([^ ]*\\).*/\\1/p'");
        let remedy = format!("sudo ip link set mtu 1500 dev \"$({interface})\"");
        self.wrong(Check::Mtu, Exit::Failed, text, Some(remedy));
    }

    /// Opens a session under one of the person's names, and measures how datagrams fare in it.
    async fn check_session(&mut self, home: &Home, trusted: &Trusted) -> Option<LinkMeasurement> {
        let language = self.context.language;
        let names = match identity::names(home, &trusted.root) {
            Ok(names) => names,
            Err(error) => {
                let text = wording::home(language, &error);
                self.wrong(Check::Session, Exit::Failed, text, None);
                return None;
            }
        };
        // Why the last name could not be used.
        let mut in_the_way = None;
        for name in names {
            let failure = match open(home, trusted, &name).await {
                Ok(mut session) => return self.measure(&mut session).await,
                Err(failure) => failure,
            };
            let (text, exit) = match &failure {
                // It is being used: how it fares can be asked there.
                OpenError::Identity(IdentityError::InUse { name }) => {
                    let text = self.text("doctor-session-in-use", &[("name", name)]);
                    in_the_way = in_the_way.or(Some((text, None)));
                    continue;
                }
                OpenError::Identity(error) => (wording::identity(language, error), Exit::Failed),
                OpenError::Session(error) => {
                    let exit = Exit::from_code(error.exit_code());
                    (wording::session(language, error, &name), exit)
                }
            };
            in_the_way = Some((text, Some(exit)));
            // Another name is refused for reasons of its own; all else concerns each of them.
            if !matches!(failure, OpenError::Session(SessionError::Refused(_))) {
                break;
            }
        }
        match in_the_way {
            Some((text, Some(exit))) => self.wrong(Check::Session, exit, text, None),
            Some((text, None)) => self.untested(Check::Session, text, None),
            None => {
                let text = self.text("doctor-session-none", &[]);
                let remedy = format!("recado chat --server {}", trusted.server());
                self.untested(Check::Session, text, Some(remedy));
            }
        }
        None
    }

    async fn measure(&mut self, session: &mut Session) -> Option<LinkMeasurement> {
        let measured = timeout(MEASURE_TIME, measure(session)).await;
        let Some((name, measured)) = measured.ok().flatten() else {
            let text = self.text("doctor-session-ended", &[]);
            self.wrong(Check::Session, Exit::Unreachable, text, None);
            return None;
        };
        let text = self.text("doctor-session", &[("name", &sanitise_line(&name))]);
        self.ok(Check::Session, text);
        Some(measured)
    }

    /// Judges each direction by itself.
    fn check_datagrams(&mut self, trusted: &Trusted, measured: LinkMeasurement) {
        let LinkMeasurement {
            sent,
            heard,
            answered,
            rtt,
        } = measured;
        self.report.measured(measured);
        let port = trusted.port.to_string();
        let count = |count: usize| count.to_string();
        let (sent, came, back) = (count(sent), count(heard), count(answered));
        if heard == 0 {
            let text = self.text("doctor-udp-up-wrong", &[("sent", &sent), ("port", &port)]);
            let remedy = format!("sudo ufw allow {port}/udp");
            self.wrong(Check::UdpUp, Exit::Failed, text, Some(remedy));
            let text = self.text("doctor-udp-down-untested", &[]);
            return self.untested(Check::UdpDown, text, None);
        }
        let text = self.text("doctor-udp-up", &[("sent", &sent), ("came", &came)]);
        self.ok(Check::UdpUp, text);
        if answered == 0 {
            let ip: IpAddr = trusted.address.ip();
            let text = self.text("doctor-udp-down-wrong", &[("came", &came), ("port", &port)]);
            let remedy = format!("sudo ufw allow proto udp from {ip} port {port}");
            return self.wrong(Check::UdpDown, Exit::Failed, text, Some(remedy));
        }
        let rtt = rtt.unwrap_or_default().as_secs_f64() * 1000.0;
        let text = self.text(
            "doctor-udp-down",
            &[
                ("came", &came),
                ("back", &back),
                ("rtt", &format!("{rtt:.1}")),
            ],
        );
        self.ok(Check::UdpDown, text);
    }

    fn text(&self, id: &str, arguments: &[(&str, &str)]) -> String {
        self.context.text(id, arguments)
    }

    fn ok(&mut self, check: Check, text: String) {
        self.report.add(check, report::State::Ok, text, None);
    }

    fn wrong(&mut self, check: Check, exit: Exit, text: String, remedy: Option<String>) {
        self.exit = Exit::Failed;
        self.report
            .add(check, report::State::Wrong(exit), text, remedy);
    }

    fn untested(&mut self, check: Check, text: String, remedy: Option<String>) {
        self.report
            .add(check, report::State::Untested, text, remedy);
    }
}

/// Whether an address is this machine's own: only those can be bound.
fn is_this_machine(ip: IpAddr) -> bool {
    UdpSocket::bind((ip, 0)).is_ok()
}

/// The file system that a folder is on.
fn disk_of(folder: &Path) -> Option<u64> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        Some(std::fs::metadata(folder).ok()?.dev())
    }
    #[cfg(not(unix))]
    {
        let _ = folder;
        None
    }
}

/// Whether a version comes before another; what is none comes first.
fn is_older(one: &str, other: &str) -> bool {
    let numbers = |version: &str| -> Vec<u64> {
        let release = version.split(['-', '+']).next().unwrap_or_default();
        release.split('.').map_while(|it| it.parse().ok()).collect()
    };
    numbers(one) < numbers(other)
}

/// Why a name that the person has cannot be used.
enum OpenError {
    Identity(IdentityError),
    Session(SessionError),
}

async fn open(home: &Home, trusted: &Trusted, name: &str) -> Result<Session, OpenError> {
    let identity = Identity::open(home, &trusted.root, name).map_err(OpenError::Identity)?;
    let opened = Session::open(SessionConfig {
        trusted: trusted.clone(),
        identity,
        name: name.to_owned(),
        // What comes meanwhile waits for the person's own session.
        incoming: IncomingMail::Left,
        ticket: None,
        files: None,
    });
    opened.await.map_err(OpenError::Session)
}

/// The name, and what was measured; `None` if the session ends before.
async fn measure(session: &mut Session) -> Option<(String, LinkMeasurement)> {
    let mut registered = String::new();
    loop {
        match session.update().await? {
            Update::Event(Event::Ready { name, .. }) => {
                registered = name;
                session.command(Command::Measure).await.ok()?;
            }
            Update::Event(Event::Measured(measured)) => return Some((registered, measured)),
            Update::Away { .. } | Update::Ended(_) => return None,
            _ => {}
        }
    }
}
