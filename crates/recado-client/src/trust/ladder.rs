//! The decision whether to trust a server, and where to reach it.
//!
//! Every server that may be meant is probed: a whole TLS handshake as `recado-http/1`, in which
//! it proves which root it has, and in which we send neither a client certificate nor data. What it
//! proved is then compared with what is remembered or given, or asked about.

use std::collections::{BTreeSet, VecDeque};
use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use recado_proto::fingerprint::Fingerprint;
use thiserror::Error;
use time::OffsetDateTime;
use tokio::net::lookup_host;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout};

use super::store::{Pin, Reason, Rung, StoreError, TrustStore};
use super::verifier::{CertificateFault, DateFault};
use super::vouching::{Authorities, BadAuthorities, vouched_root};
use crate::address::{DEFAULT_PORTS, ServerAddress, host_and_port};
use crate::connect::{self, Limits};

/// A server whose root is trusted, with the address at which it just proved to hold it.
#[derive(Clone, Debug)]
pub struct Trusted {
    /// The root that every connection to it must prove.
    pub root: Fingerprint,
    /// Where it was reached.
    pub address: SocketAddr,
    /// The host as [`ServerAddress::host`] gives it.
    pub host: String,
    /// The port at which it was reached.
    pub port: u16,
    /// The rung of the ladder on which it stands.
    pub rung: Rung,
    /// Why its root was pinned, now or earlier.
    pub reason: Reason,
    /// Since when its root is remembered; `None` if it is so since now, or is not ([`FirstUse::OnlyLook`]).
    pub since: Option<OffsetDateTime>,
    /// What the person should be told.
    pub notices: Vec<Notice>,
}

impl Trusted {
    /// `HOST:PORT`, as `--server` takes it.
    pub fn server(&self) -> String {
        host_and_port(&self.host, self.port)
    }
}

/// What a person should be told about a server that is trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Notice {
    /// It was unknown, and is trusted and remembered because it runs on this machine.
    LoopbackAccepted {
        /// Its root.
        fingerprint: Fingerprint,
    },
    /// It was unknown, and is trusted and remembered because of `--accept-new`.
    NewAccepted {
        /// Its root.
        fingerprint: Fingerprint,
    },
    /// It was unknown, and is trusted and remembered because a CA vouches for it.
    Vouched {
        /// Its root.
        fingerprint: Fingerprint,
    },
    /// Its certificate is used outside its dates, by this machine's clock.
    Dates(DateFault),
}

/// What is given about a server beside its address.
#[derive(Clone, Debug, Default)]
pub struct Given {
    /// The root that it must have (`--fingerprint`).
    pub fingerprint: Option<Fingerprint>,
    /// Who may vouch for it if it is unknown (`--ca`).
    pub authorities: Authorities,
}

impl From<Option<Fingerprint>> for Given {
    fn from(fingerprint: Option<Fingerprint>) -> Self {
        Self {
            fingerprint,
            authorities: Authorities::default(),
        }
    }
}

/// What to do about a server of which nothing is known.
pub enum FirstUse {
    /// Ask the person, who is shown the question and answers whether to trust.
    Ask(Asker),
    /// Trust it (`--accept-new`).
    AcceptNew,
    /// Do not trust it: there is nobody to ask.
    Refuse,
    /// The same, and remember nothing, also of one that could be trusted: for those who only look.
    OnlyLook,
}

/// Asks the person; consumed by the one question there can be.
pub type Asker = Box<dyn FnOnce(Question) -> Answer + Send>;

/// The person's answer, when it comes: whether to trust.
pub type Answer = std::pin::Pin<Box<dyn Future<Output = bool> + Send>>;

impl FirstUse {
    /// Asks through an async closure.
    pub fn ask<A, F>(asker: A) -> Self
    where
        A: FnOnce(Question) -> F + Send + 'static,
        F: Future<Output = bool> + Send + 'static,
    {
        Self::Ask(Box::new(move |question| Box::pin(asker(question))))
    }
}

impl fmt::Debug for FirstUse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ask(_) => "Ask",
            Self::AcceptNew => "AcceptNew",
            Self::Refuse => "Refuse",
            Self::OnlyLook => "OnlyLook",
        })
    }
}

/// The question about a server of which nothing is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// `HOST:PORT`.
    pub server: String,
    /// The IP address and port that answered.
    pub address: SocketAddr,
    /// The root that it proved to hold.
    pub fingerprint: Fingerprint,
    /// The servers, as `HOST:PORT`, already known by this root: it may be one of them, under
    /// another address.
    pub known_as: Vec<String>,
}

/// A recado server that was probed: what it proved, not yet whether to trust it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen {
    /// The root that it proved to hold.
    pub root: Fingerprint,
    /// Where it answered.
    pub address: SocketAddr,
    /// Dates out of order, if they are.
    pub dates: Option<DateFault>,
}

/// An address that was tried in vain.
#[derive(Debug)]
pub struct Attempt {
    /// The address.
    pub address: SocketAddr,
    /// Why in vain.
    pub failure: Failure,
}

/// Why an attempt to reach a recado server failed.
#[derive(Debug, Error)]
pub enum Failure {
    /// Nobody listens there.
    #[error("connection refused")]
    Refused,
    /// No answer within [`connect::CONNECT_TIMEOUT`].
    #[error("no answer")]
    ConnectTimeout,
    /// The network failed in another way.
    #[error("network error")]
    Network(#[source] io::Error),
    /// Connected, but the handshake was not over within [`connect::HANDSHAKE_TIMEOUT`].
    #[error("connected, but no answer")]
    HandshakeTimeout,
    /// The connection was closed before the handshake was over.
    #[error("the connection was closed at once")]
    Closed,
    /// What answered speaks HTTP without TLS.
    #[error("an HTTP server without encryption answers there")]
    PlainHttp,
    /// What answered does not speak TLS at all.
    #[error("what answers there does not speak TLS")]
    NotTls,
    /// It speaks TLS, but not recado: a web server, perhaps.
    #[error("what answers there is not recado")]
    NotRecado,
    /// It speaks recado, but proves nothing.
    #[error("its certificates prove nothing")]
    Certificate(#[source] CertificateFault),
}

/// Why a server is not trusted, or could not even be reached. `server` is always what `--server`
/// takes: the address as it was typed.
#[derive(Debug, Error)]
pub enum TrustError {
    /// The address carries one fingerprint and another was given: wrong use.
    #[error(
        "the address of {server} carries {in_address}, but {given} was given; leave one of them out"
    )]
    Conflict {
        /// The server.
        server: String,
        /// The fingerprint in the address.
        in_address: Fingerprint,
        /// The fingerprint given beside it.
        given: Fingerprint,
    },
    /// What is remembered of servers cannot be read or written.
    #[error("cannot read or change what is remembered of servers")]
    Store(#[from] StoreError),
    /// The host has no address.
    #[error("cannot find the address of {host}; check the name and the network")]
    Unresolved {
        /// The host.
        host: String,
        /// The system's answer; `None` if there was none in time.
        source: Option<io::Error>,
    },
    /// No connection could be made.
    #[error(
        "cannot reach a recado server at {server} ({}); check that it is running and that the address is right",
        Attempts(attempts)
    )]
    Unreachable {
        /// The server.
        server: String,
        /// All that was tried.
        attempts: Vec<Attempt>,
    },
    /// Something answers, but it is not recado.
    #[error(
        "there is no recado server at {server} ({}); check the address and the port",
        Attempts(attempts)
    )]
    NotRecado {
        /// The server.
        server: String,
        /// All that was tried.
        attempts: Vec<Attempt>,
    },
    /// Something speaks recado, but does not prove which server it is.
    #[error(
        "the server at {server} ({address}) does not prove which one it is; do not trust it, and tell whoever runs it"
    )]
    BadCertificate {
        /// The server.
        server: String,
        /// Where it answered.
        address: SocketAddr,
        /// What is wrong.
        #[source]
        fault: CertificateFault,
    },
    /// Nothing is known of it, and there is nobody to ask.
    #[error(
        "the server {server} is not known here; its fingerprint is {fingerprint}. Compare it with the one that the server shows, then repeat with --fingerprint {fingerprint}, or with --accept-new to trust what answers"
    )]
    Unknown {
        /// The server.
        server: String,
        /// Where it answered.
        address: SocketAddr,
        /// The root that it proved to hold.
        fingerprint: Fingerprint,
        /// The servers already known by this root.
        known_as: Vec<String>,
    },
    /// A CA vouches for another root at this address than the one that answered: wherever they part, someone is in
    /// between.
    #[error(
        "who answers at {server} is not whom a certificate authority vouches for: vouched for is {vouched}, but {found} answered. Someone may be in between; nothing was sent"
    )]
    Contradiction {
        /// The server.
        server: String,
        /// The root that is vouched for.
        vouched: Fingerprint,
        /// The root that it proved to hold.
        found: Fingerprint,
    },
    /// The CAs that were given cannot be read.
    #[error(transparent)]
    Authorities(#[from] BadAuthorities),
    /// The person was asked and does not trust it.
    #[error("the server {server} with fingerprint {fingerprint} was not trusted")]
    Declined {
        /// The server.
        server: String,
        /// The root that it proved to hold.
        fingerprint: Fingerprint,
    },
    /// The server's key is not the one remembered.
    #[error("THE KEY OF {server} HAS CHANGED: remembered is {old}, {} is {new}. Someone may be posing as the server. Only if whoever runs it confirms the new fingerprint: recado trust replace {server}", .learned.as_text())]
    Changed {
        /// The server.
        server: String,
        /// The root that is remembered.
        old: Fingerprint,
        /// The other one.
        new: Fingerprint,
        /// How the other one was learned.
        learned: Learned,
    },
    /// Nothing was remembered, and the server's key is not the one given.
    #[error(
        "the server at {server} is not the one that was meant: given is {given}, but it has {found}; check the address, or ask for its fingerprint again"
    )]
    Mismatch {
        /// The server.
        server: String,
        /// Where it answered.
        address: SocketAddr,
        /// The fingerprint given.
        given: Fingerprint,
        /// The root that it proved to hold.
        found: Fingerprint,
    },
    /// Our own TLS could not be set up: a defect of recado or of its cryptographic library.
    #[error("cannot set up TLS")]
    Tls(#[source] rustls::Error),
}

/// How a root was learned that differs from the remembered one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Learned {
    /// The server proved to hold it.
    Presented,
    /// It was given, by `--fingerprint` or in the address; no server was contacted.
    Given,
}

impl Learned {
    fn as_text(self) -> &'static str {
        match self {
            Self::Presented => "presented",
            Self::Given => "given",
        }
    }
}

impl TrustError {
    /// The exit code that scripts rely on: 3, retrying may help; 4, do not trust; 2, wrong use;
    /// 1, anything else.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Store(_) | Self::Tls(_) => 1,
            Self::Conflict { .. } | Self::Authorities(_) => 2,
            Self::Unresolved { .. } | Self::Unreachable { .. } | Self::NotRecado { .. } => 3,
            Self::BadCertificate { .. }
            | Self::Unknown { .. }
            | Self::Contradiction { .. }
            | Self::Declined { .. }
            | Self::Changed { .. }
            | Self::Mismatch { .. } => 4,
        }
    }

    /// Sums up attempts that all failed, by what tells the person most.
    pub(crate) fn from_attempts(server: String, attempts: Vec<Attempt>) -> Self {
        for attempt in &attempts {
            if let Failure::Certificate(fault) = attempt.failure {
                return Self::BadCertificate {
                    server,
                    address: attempt.address,
                    fault,
                };
            }
        }
        let answered = attempts.iter().any(|attempt| {
            matches!(
                attempt.failure,
                Failure::PlainHttp | Failure::NotTls | Failure::NotRecado
            )
        });
        if answered {
            Self::NotRecado { server, attempts }
        } else {
            Self::Unreachable { server, attempts }
        }
    }
}

/// Decides whether to trust the server at an address, and where to reach it.
///
/// A root remembered for the address decides; then a given one, in the address or beside it, which
/// is remembered once proven; and for an unknown server, a CA that vouches for it, or `first_use`, unless
/// the address is literally this machine. The server has proven the root when this returns, so the caller connects
/// with [`crate::connect::connect`], which demands the same root again.
///
/// Without a port, 443 and 8443 are tried together: one that proves a pin wins, else the first that
/// speaks recado.
pub async fn decide(
    store: &TrustStore,
    address: &ServerAddress,
    given: impl Into<Given>,
    first_use: FirstUse,
) -> Result<Trusted, TrustError> {
    let given = given.into();
    decide_within(store, address, given, first_use, &Limits::default()).await
}

pub(crate) async fn decide_within(
    store: &TrustStore,
    address: &ServerAddress,
    given: Given,
    first_use: FirstUse,
    limits: &Limits,
) -> Result<Trusted, TrustError> {
    let lanes = resolve(address, limits);
    decide_among(lanes, store, address, given, first_use, limits).await
}

/// Decides, with the addresses to try still to be found: what is wrong already is told without them.
async fn decide_among(
    lanes: impl Future<Output = Result<Vec<Lane>, TrustError>>,
    store: &TrustStore,
    address: &ServerAddress,
    given: Given,
    first_use: FirstUse,
    limits: &Limits,
) -> Result<Trusted, TrustError> {
    let server = address.to_string();
    let Given {
        fingerprint,
        authorities,
    } = given;
    let given = match (address.fingerprint(), fingerprint) {
        (Some(in_address), Some(given)) if in_address != given => {
            return Err(TrustError::Conflict {
                server,
                in_address,
                given,
            });
        }
        (in_address, given) => in_address.or(given),
    };
    let pins = store.show(address)?;
    let expected = expected_roots(&server, &pins, given)?;

    if expected.is_empty() {
        let seen = probe_any(lanes.await?, &server, limits).await?;
        let vouching = ask_authorities(&authorities, address, &seen, limits).await?;
        return first_meeting(store, address, seen, vouching, first_use).await;
    }
    let seen = find_expected(lanes.await?, &server, &expected, limits).await?;
    let Some(seen) = seen.iter().find(|seen| expected.contains(&seen.root)) else {
        return Err(unexpected(server, &pins, &expected, &seen));
    };
    let pin = pins
        .iter()
        .find(|pin| pin.root == seen.root && pin.port == seen.address.port())
        .or_else(|| pins.iter().find(|pin| pin.root == seen.root));
    match pin {
        Some(pin) => Ok(trusted(
            address,
            seen,
            Rung::Pinned,
            pin.reason,
            Some(pin.pinned_at),
        )),
        None => {
            if !matches!(first_use, FirstUse::OnlyLook) {
                remember(store, address, seen, Reason::Given)?;
            }
            Ok(trusted(address, seen, Rung::Pinned, Reason::Given, None))
        }
    }
}

/// Learns which root the server at an address has, whatever is remembered or given: for
/// `recado trust replace`, which then asks the person.
pub async fn probe(address: &ServerAddress) -> Result<Seen, TrustError> {
    let limits = Limits::default();
    probe_any(
        resolve(address, &limits).await?,
        &address.to_string(),
        &limits,
    )
    .await
}

/// The first server that speaks recado.
async fn probe_any(lanes: Vec<Lane>, server: &str, limits: &Limits) -> Result<Seen, TrustError> {
    let (mut seen, attempts) = race(lanes, limits, |_| true).await?;
    seen.pop()
        .ok_or_else(|| TrustError::from_attempts(server.to_owned(), attempts))
}

/// The roots that the server may have; none if nothing is known of it.
fn expected_roots(
    server: &str,
    pins: &[Pin],
    given: Option<Fingerprint>,
) -> Result<BTreeSet<Fingerprint>, TrustError> {
    let remembered: BTreeSet<_> = pins.iter().map(|pin| pin.root).collect();
    match (remembered.first(), given) {
        (Some(old), Some(new)) if !remembered.contains(&new) => Err(TrustError::Changed {
            server: server.to_owned(),
            old: *old,
            new,
            learned: Learned::Given,
        }),
        (_, Some(given)) => Ok(BTreeSet::from([given])),
        (_, None) => Ok(remembered),
    }
}

/// Looks for a server that proves an expected root. Gives the servers seen, that one among them if
/// there is one; an error if there is no recado server at all.
async fn find_expected(
    lanes: Vec<Lane>,
    server: &str,
    expected: &BTreeSet<Fingerprint>,
    limits: &Limits,
) -> Result<Vec<Seen>, TrustError> {
    // Two servers are known on this host and no port was given. Which of them is meant must not
    // depend on which is faster, so the ports are tried in their order.
    let rounds: Vec<Vec<Lane>> = match expected.len() {
        0 | 1 => vec![lanes],
        _ => lanes.into_iter().map(|lane| vec![lane]).collect(),
    };
    let (mut seen, mut attempts) = (Vec::new(), Vec::new());
    for lanes in rounds {
        let found = race(lanes, limits, |seen| expected.contains(&seen.root)).await?;
        seen.extend(found.0);
        attempts.extend(found.1);
        if seen.iter().any(|seen| expected.contains(&seen.root)) {
            return Ok(seen);
        }
    }
    if seen.is_empty() {
        return Err(TrustError::from_attempts(server.to_owned(), attempts));
    }
    Ok(seen)
}

/// The error for servers that all have another root than the expected one.
fn unexpected(
    server: String,
    pins: &[Pin],
    expected: &BTreeSet<Fingerprint>,
    seen: &[Seen],
) -> TrustError {
    // One at a port that has a pin of its own says most.
    let pinned = seen.iter().find_map(|seen| {
        let pin = pins.iter().find(|pin| pin.port == seen.address.port())?;
        Some((pin.root, seen))
    });
    let any = || Some((*expected.first()?, seen.first()?));
    match pinned.or_else(any) {
        Some((old, found)) if !pins.is_empty() => TrustError::Changed {
            server,
            old,
            new: found.root,
            learned: Learned::Presented,
        },
        Some((given, found)) => TrustError::Mismatch {
            server,
            address: found.address,
            given,
            found: found.root,
        },
        None => TrustError::Unreachable {
            server,
            attempts: Vec::new(),
        },
    }
}

/// Whether a CA vouches for the typed name over ordinary HTTPS, and so for the root just seen. That it does not is
/// no fault: most servers have none.
async fn ask_authorities(
    authorities: &Authorities,
    address: &ServerAddress,
    seen: &Seen,
    limits: &Limits,
) -> Result<bool, TrustError> {
    let config = authorities.config()?;
    // No CA vouches for this machine's own names.
    if address.is_literal_loopback() && matches!(authorities, Authorities::Platform) {
        return Ok(false);
    }
    let vouched = match config {
        Ok(config) => vouched_root(config, address.host(), seen.address, limits).await,
        Err(none) => Err(none),
    };
    match vouched {
        Ok(root) if root == seen.root => Ok(true),
        Ok(root) => Err(TrustError::Contradiction {
            server: address.to_string(),
            vouched: root,
            found: seen.root,
        }),
        Err(why) => {
            tracing::debug!(%why, cause = ?std::error::Error::source(&why), "no CA vouches for the server");
            Ok(false)
        }
    }
}

/// The rungs for a server of which nothing is known.
async fn first_meeting(
    store: &TrustStore,
    address: &ServerAddress,
    seen: Seen,
    is_vouched: bool,
    first_use: FirstUse,
) -> Result<Trusted, TrustError> {
    let fingerprint = seen.root;
    let only_looks = matches!(first_use, FirstUse::OnlyLook);
    let (reason, notice) = if is_vouched {
        (Reason::Vouched, Some(Notice::Vouched { fingerprint }))
    } else if address.is_literal_loopback() {
        (
            Reason::Loopback,
            Some(Notice::LoopbackAccepted { fingerprint }),
        )
    } else {
        match first_use {
            FirstUse::AcceptNew => (
                Reason::AcceptedNew,
                Some(Notice::NewAccepted { fingerprint }),
            ),
            FirstUse::Refuse | FirstUse::OnlyLook => {
                return Err(TrustError::Unknown {
                    server: address.to_string(),
                    address: seen.address,
                    fingerprint,
                    known_as: store.known_as(&fingerprint)?,
                });
            }
            FirstUse::Ask(ask) => {
                let question = Question {
                    server: host_and_port(address.host(), seen.address.port()),
                    address: seen.address,
                    fingerprint,
                    known_as: store.known_as(&fingerprint)?,
                };
                if !ask(question).await {
                    return Err(TrustError::Declined {
                        server: address.to_string(),
                        fingerprint,
                    });
                }
                (Reason::Confirmed, None)
            }
        }
    };
    if !only_looks {
        remember(store, address, &seen, reason)?;
    }
    let mut trusted = trusted(address, &seen, reason.rung(), reason, None);
    trusted.notices.extend(notice);
    Ok(trusted)
}

/// Pins what was just seen. Another process may have pinned the server meanwhile, which decides.
fn remember(
    store: &TrustStore,
    address: &ServerAddress,
    seen: &Seen,
    reason: Reason,
) -> Result<(), TrustError> {
    match store.pin(address.host(), seen.address.port(), seen.root, reason) {
        Ok(_) => Ok(()),
        Err(StoreError::Conflict { existing }) => Err(TrustError::Changed {
            server: address.to_string(),
            old: existing.root,
            new: seen.root,
            learned: Learned::Presented,
        }),
        Err(error) => Err(error.into()),
    }
}

fn trusted(
    address: &ServerAddress,
    seen: &Seen,
    rung: Rung,
    reason: Reason,
    since: Option<OffsetDateTime>,
) -> Trusted {
    Trusted {
        root: seen.root,
        address: seen.address,
        host: address.host().to_owned(),
        port: seen.address.port(),
        rung,
        reason,
        since,
        notices: seen.dates.map(Notice::Dates).into_iter().collect(),
    }
}

/// The addresses of one port, in the order in which they are tried.
type Lane = VecDeque<SocketAddr>;

/// The most addresses of a host that are tried: more are a mistake, or an attempt to make us
/// knock at many doors.
const MOST_ADDRESSES: usize = 8;

/// How long an address is tried before the next one is tried beside it (RFC 8305 §8).
const STAGGER: Duration = Duration::from_millis(250);

/// Finds the addresses to try, one lane a port.
async fn resolve(address: &ServerAddress, limits: &Limits) -> Result<Vec<Lane>, TrustError> {
    let host = address.host();
    let mut lanes = Vec::with_capacity(DEFAULT_PORTS.len());
    if host == "localhost" {
        // Not asked of a resolver: this name stands for this machine (RFC 6761 §6.3), and is
        // trusted on first use because it does.
        let loopback: [IpAddr; 2] = [Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()];
        for port in address.candidate_ports() {
            lanes.push(
                loopback
                    .iter()
                    .map(|ip| SocketAddr::new(*ip, port))
                    .collect(),
            );
        }
        return Ok(lanes);
    }
    let unresolved = |source| TrustError::Unresolved {
        host: host.to_owned(),
        source,
    };
    for port in address.candidate_ports() {
        let found = timeout(limits.resolve, lookup_host((host, port)))
            .await
            .map_err(|_| unresolved(None))?
            .map_err(|error| unresolved(Some(error)))?;
        let lane = interleave(found);
        if lane.is_empty() {
            return Err(unresolved(None));
        }
        lanes.push(lane);
    }
    Ok(lanes)
}

/// Lets IPv6 and IPv4 take turns, beginning with the family that the system put first, so that one
/// family that leads nowhere costs one stagger.
fn interleave(addresses: impl Iterator<Item = SocketAddr>) -> Lane {
    let addresses: Vec<_> = addresses.collect();
    let first_is_v6 = addresses.first().is_some_and(SocketAddr::is_ipv6);
    let (mut first, mut second): (VecDeque<_>, VecDeque<_>) = addresses
        .into_iter()
        .partition(|address| address.is_ipv6() == first_is_v6);
    let mut lane = Lane::new();
    while !(first.is_empty() && second.is_empty()) {
        for address in [first.pop_front(), second.pop_front()]
            .into_iter()
            .flatten()
        {
            if lane.len() < MOST_ADDRESSES && !lane.contains(&address) {
                lane.push_back(address);
            }
        }
    }
    lane
}

/// Probes the addresses of all lanes, lanes side by side and addresses staggered, until a server is
/// `wanted`. Gives the servers seen, the wanted one last, and the attempts that failed.
async fn race(
    mut lanes: Vec<Lane>,
    limits: &Limits,
    wanted: impl Fn(&Seen) -> bool,
) -> Result<(Vec<Seen>, Vec<Attempt>), TrustError> {
    let (mut seen, mut attempts) = (Vec::new(), Vec::new());
    let mut running = JoinSet::new();
    // When each lane may begin its next address: at once, later, or as soon as one has failed.
    let mut due = vec![Instant::now(); lanes.len()];
    loop {
        let now = Instant::now();
        for (index, (lane, due)) in lanes.iter_mut().zip(&mut due).enumerate() {
            if *due <= now
                && let Some(address) = lane.pop_front()
            {
                let limits = limits.clone();
                running.spawn(async move {
                    (index, address, connect::prove_root(address, &limits).await)
                });
                *due = now + STAGGER;
            }
        }
        let next = lanes.iter().zip(&due).filter(|(lane, _)| !lane.is_empty());
        let next = next.map(|(_, due)| *due).min();
        if running.is_empty() && next.is_none() {
            return Ok((seen, attempts));
        }
        let ended = tokio::select! {
            Some(ended) = running.join_next() => ended,
            () = sleep_until(next.unwrap_or(now)), if next.is_some() => continue,
        };
        let (index, address, outcome) = match ended {
            Ok(ended) => ended,
            // Nobody cancels them, so it panicked: that is ours to see, not to hide.
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        };
        if let Some(due) = due.get_mut(index) {
            *due = Instant::now();
        }
        match outcome {
            Ok(Ok(finding)) => {
                let found = Seen {
                    root: finding.root,
                    address,
                    dates: finding.dates,
                };
                seen.push(found);
                if wanted(&found) {
                    return Ok((seen, attempts));
                }
            }
            Ok(Err(failure)) => {
                tracing::debug!(%address, %failure, "no recado server there");
                attempts.push(Attempt { address, failure });
            }
            Err(error) => return Err(TrustError::Tls(error)),
        }
    }
}

/// Shows attempts in one line.
struct Attempts<'a>(&'a [Attempt]);

impl fmt::Display for Attempts<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, attempt) in self.0.iter().enumerate() {
            let comma = if index == 0 { "" } else { ", " };
            write!(f, "{comma}{}: {}", attempt.address, attempt.failure)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
