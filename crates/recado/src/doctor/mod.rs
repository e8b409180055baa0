//! `recado doctor`: how this machine fares with a server, from the name to the datagrams, one line a check.
//!
//! It only looks: no server is remembered, no key is made. Datagrams need a session, and a session a name: it
//! opens one for some seconds under a name that the person has at the server, and nobody's else.

mod report;

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use recado_client::address::ServerAddress;
use recado_client::connect::RESOLVE_TIMEOUT;
use recado_client::home::Home;
use recado_client::https::{self, HttpsError, Method, Request};
use recado_client::identity::{self, Identity, IdentityError};
use recado_client::session::{IncomingMail, Session, SessionConfig, SessionError, Update};
use recado_client::trust::{FirstUse, Notice, Reason, TrustError, TrustStore, Trusted, decide};
use recado_client::{Command, Event, LinkMeasurement};
use recado_proto::text::sanitise_line;
use tokio::net::lookup_host;
use tokio::time::timeout;

use crate::cli;
use crate::context::{Context, Exit};
use crate::wording;
use report::{Check, Report};

/// How long a session may take to say how datagrams fare: far longer than a second for the first word of them, and
/// one, and two round trips, for a measurement.
const MEASURE_TIME: Duration = Duration::from_secs(20);

/// The calculation that proves HTTPS, and its answer: what binary fractions get wrong.
const CALCULATION: (&str, &str) = ("/v1/calc/add?x=0.1&y=0.2", "0.3");

/// Checks everything, up to what makes the rest impossible.
pub(crate) async fn run(context: &Context, arguments: cli::Doctor) -> Exit {
    let home = match context.client_home() {
        Ok(home) => home,
        Err(exit) => return exit,
    };
    let store = TrustStore::new(home.clone());
    let address = match context.server_address(&store) {
        Ok(address) => address,
        Err(exit) => return exit,
    };
    let mut examination = Examination {
        context,
        report: Report::new(context, &address, arguments.output),
        exit: Exit::Done,
    };
    examination.examine(&home, &store, &address).await;
    examination.report.finish(examination.exit)
}

struct Examination<'a> {
    context: &'a Context,
    report: Report<'a>,
    /// From the first thing that is wrong.
    exit: Exit,
}

impl Examination<'_> {
    async fn examine(&mut self, home: &Home, store: &TrustStore, address: &ServerAddress) {
        if !self.check_name(address).await {
            return;
        }
        let given = self.context.given();
        let trusted = match decide(store, address, given, FirstUse::OnlyLook).await {
            Ok(trusted) => trusted,
            Err(error) => return self.untrusted(&error, address),
        };
        self.trusted(&trusted);
        self.check_https(&trusted).await;
        if let Some(measured) = self.check_session(home, &trusted).await {
            self.check_datagrams(&trusted, measured);
        }
    }

    /// Whether the host has an address.
    async fn check_name(&mut self, address: &ServerAddress) -> bool {
        let host = address.host();
        let port = address
            .candidate_ports()
            .first()
            .copied()
            .unwrap_or_default();
        let found = timeout(RESOLVE_TIMEOUT, lookup_host((host, port))).await;
        let mut found: Vec<_> = match found {
            Ok(Ok(found)) => found.map(|address| address.ip().to_string()).collect(),
            Ok(Err(_)) | Err(_) => Vec::new(),
        };
        found.dedup();
        let host = sanitise_line(host);
        if found.is_empty() {
            let text = self.text("trust-unresolved", &[("host", &host)]);
            self.wrong(Check::Name, Exit::Unreachable, text, None);
            return false;
        }
        let addresses = found.join(", ");
        let text = self.text("doctor-name", &[("host", &host), ("addresses", &addresses)]);
        self.ok(Check::Name, text);
        true
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
                return self.ok(Check::Https, text);
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
        if self.exit == Exit::Done {
            self.exit = exit;
        }
        self.report.add(check, report::State::Wrong, text, remedy);
    }

    fn untested(&mut self, check: Check, text: String, remedy: Option<String>) {
        self.report
            .add(check, report::State::Untested, text, remedy);
    }
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
