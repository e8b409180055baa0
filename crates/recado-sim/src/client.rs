//! A person's client: its core, its database, its ways, and what it has seen.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use recado_engine::{
    Client as Core, ClientConfig, Event, Failure, LinkMeasurement, LinkReport, LinkState, State,
    Via, Write,
};
use recado_hub::SessionNumber;
use recado_proto::datagram::EXPORTER_LENGTH;
use recado_proto::fingerprint::Fingerprint;
use recado_proto::frame::ClosingCode;
use recado_proto::id::{MessageId, RemoteKey, Signature, StoreId};

use crate::database::Database;
use crate::link::{Link, LinkModel};

/// The root of the one server.
pub(crate) const ROOT: Fingerprint = Fingerprint::from_bytes([1; 32]);

/// A global message as a person saw it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Shown {
    /// When.
    pub at: Duration,
    /// In which of the person's sessions, from 1.
    pub session: usize,
    /// Its number in the server's log.
    pub sequence: u64,
    /// Who said it, as the server says.
    pub sender: String,
    /// Its id.
    pub id: MessageId,
    /// What it says.
    pub text: String,
    /// What carried it, as the client says.
    pub via: Via,
    /// What carried it, as the network knows; nothing where the client had held it back.
    pub carrier: Option<Via>,
    /// Whether a higher number had come before.
    pub late: bool,
    /// Whether it was said before the session.
    pub replayed: bool,
    /// Whether its signature holds.
    pub verified: bool,
}

/// What became of a message of one's own, and when.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct StateChange {
    /// When.
    pub at: Duration,
    /// What.
    pub state: State,
}

/// What a client has told its user.
#[derive(Default, Debug)]
pub(crate) struct Seen {
    pub(crate) shown: Vec<Shown>,
    pub(crate) states: BTreeMap<MessageId, Vec<StateChange>>,
    pub(crate) links: Vec<(Duration, LinkState)>,
    pub(crate) ready: Vec<(Duration, LinkState)>,
    pub(crate) holes: Vec<(u64, u64)>,
    pub(crate) private: Vec<(String, String)>,
    pub(crate) roster: Vec<String>,
    pub(crate) presence: Vec<(String, bool)>,
    pub(crate) report: Option<LinkReport>,
    pub(crate) measured: Option<LinkMeasurement>,
    pub(crate) closed: Vec<Option<ClosingCode>>,
    /// Frames that asked for missing messages.
    pub(crate) requests: usize,
    /// Global messages that went by frame, repeats included.
    pub(crate) globals_by_frame: usize,
}

/// A client, between sessions too.
pub(crate) struct Client {
    /// The name asked for in Hello.
    pub(crate) name: String,
    pub(crate) seed: [u8; 32],
    pub(crate) key: RemoteKey,
    pub(crate) address: SocketAddr,
    pub(crate) up: Link,
    pub(crate) down: Link,
    pub(crate) session: Option<SessionNumber>,
    pub(crate) sessions: usize,
    /// What the exporter gave, until the session is welcomed.
    pub(crate) secret: Option<[u8; EXPORTER_LENGTH]>,
    pub(crate) core: Core,
    pub(crate) database: Database,
    /// Under which the core's next deadline is filed.
    pub(crate) deadline: Option<Duration>,
    /// Comes back when a session ends.
    pub(crate) stays: bool,
    /// Frames stand still, also in the next session.
    pub(crate) stalled: bool,
    pub(crate) seen: Seen,
}

impl Client {
    pub(crate) fn new(name: &str, seed: [u8; 32], address: SocketAddr, model: LinkModel) -> Self {
        let pair = Ed25519KeyPair::from_seed_unchecked(&seed).expect("a seed of 32 bytes");
        let key = RemoteKey::try_from(pair.public_key().as_ref()).expect("a key of 32 bytes");
        let (store, _) = seed.split_first_chunk().expect("a seed is longer");
        let database = Database::new(StoreId::from_bytes(*store), key);
        Self {
            name: name.to_owned(),
            seed,
            key,
            address,
            up: Link::new(model),
            down: Link::new(model),
            session: None,
            sessions: 0,
            secret: None,
            core: Core::new(config(key, pair.into()), database.state()),
            database,
            deadline: None,
            stays: true,
            stalled: false,
            seen: Seen::default(),
        }
    }

    pub(crate) fn commit(&mut self, writes: Vec<Write>) {
        let answers = self.database.commit(writes);
        self.core.handle_committed(answers);
    }

    /// Notes an event. `carrier` is what has just come in.
    pub(crate) fn see(&mut self, at: Duration, event: Event, carrier: Option<Via>) {
        let seen = &mut self.seen;
        match event {
            Event::Ready { link, .. } => seen.ready.push((at, link)),
            Event::Presence { person, online } => seen.presence.push((person.name, online)),
            Event::Roster(people) => {
                seen.roster = people.into_iter().map(|person| person.name).collect();
            }
            Event::Private { from, text, .. } => seen.private.push((from.name, text)),
            Event::Global {
                from,
                id,
                sequence,
                text,
                via,
                replayed,
                late,
                verified,
                ..
            } => seen.shown.push(Shown {
                at,
                session: self.sessions,
                sequence,
                sender: from.name,
                id,
                text,
                via,
                carrier,
                late,
                replayed,
                verified,
            }),
            Event::Hole { first, last } => seen.holes.push((first, last)),
            Event::Link(link) => seen.links.push((at, link)),
            Event::LinkReport(report) => seen.report = Some(report),
            Event::Measured(measured) => seen.measured = Some(measured),
            Event::State { id, state, .. } => {
                let change = StateChange { at, state };
                seen.states.entry(id).or_default().push(change);
            }
            Event::Unreadable { .. }
            | Event::File(_)
            | Event::Missing { .. }
            | Event::Note { .. }
            | Event::Confirmed { .. }
            | Event::Trusted { .. }
            | Event::Met { .. }
            | Event::Resealed { .. }
            | Event::PackageRefused { .. }
            | Event::NoteState { .. }
            | Event::Waiting { .. }
            | Event::KeyChanged { .. }
            | Event::Blocked(_)
            | Event::LogLost => {}
            Event::Closed { code, .. } => seen.closed.push(code),
        }
    }

    /// How often messages of one's own failed for this reason.
    pub(crate) fn failures(&self, failure: Failure) -> usize {
        let all = self.seen.states.values().flatten();
        all.filter(|change| change.state == State::Failed(failure))
            .count()
    }
}

fn config(key: RemoteKey, pair: Arc<Ed25519KeyPair>) -> ClientConfig {
    ClientConfig {
        root: ROOT,
        key,
        sign: Box::new(move |content| {
            Signature::try_from(pair.sign(content).as_ref()).expect("a signature of 64 bytes")
        }),
        manual: false,
        draw: Box::new(|| panic!("nobody's database is an old copy here")),
    }
}
