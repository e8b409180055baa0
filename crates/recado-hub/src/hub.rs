//! The hub: one door in ([`Hub::handle`], [`Hub::handle_timeout`]), one out ([`Hub::poll_output`]).

mod operating;

use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;
use std::time::Duration;

use bytes::Bytes;
use recado_proto::PROTOCOL_VERSION;
use recado_proto::datagram::MAX_PLAINTEXT;
use recado_proto::frame::{
    Block, Blocked, ClientFrame, Closing, ClosingCode, GlobalMessage, GlobalRefusalCode,
    GlobalRefused, Hello, Person, PutKeyPackages, Range, RefusalCode, Refused, Roster,
    ServerDatagram, ServerFrame, Welcome,
};
use recado_proto::id::{LogId, RemoteKey};
use recado_proto::limits::MAX_PEOPLE_PER_FRAME;
use recado_proto::name::{Name, NameKeys};
use recado_proto::relay::TokenSource;

use crate::admission::{CLAIMS, MAX_CLAIMING_ADDRESSES, Registration, limit_key};
use crate::backend::{BackendAnswer, BackendRequest, ClaimOutcome};
use crate::bucket::{Bucket, BucketConfig, Buckets};
use crate::event::{Event, Output, Outputs, append, encode};
use crate::global_log::{GlobalLog, Known};
use crate::key_packages::{KeyPackageAnswer, KeyPackages, Stock};
use crate::lanes::{Lanes, Misuse, PrivateConfig};
use crate::limit::{Limit, Limits};
use crate::millis;
use crate::operator::{OperatorCommand, OperatorNumber};
use crate::policy::Policy;
use crate::presence::Changes;
use crate::relay::{RelayConfig, Relays};
use crate::roster::RosterParts;
use crate::session::{
    Claiming, Connection, Datagrams, Greeting, Joined, Session, SessionNumber, Waiting,
};

use operating::{FREE_INTERVAL, Loading};

/// How long a connection may stay silent before its Hello. A phone on a bad line needs a few seconds.
const GREETING_TIME: Duration = Duration::from_secs(10);

/// How long after a global message everyone is told how far the log has come. Half of the 500 ms within which a lost
/// tail is to show: the rest is for the way.
const HEAD_TIME: Duration = Duration::from_millis(250);

/// How often sessions are looked at that say nothing.
const LIVENESS_INTERVAL: Duration = Duration::from_secs(1);

/// After how long without a frame a client is asked whether it is there.
const PING_AFTER: Duration = Duration::from_secs(20);

/// After how long it counts as gone.
const SILENT_AFTER: Duration = Duration::from_secs(30);

/// Bytes of text that cost one token more: about what a datagram holds.
const TEXT_PER_TOKEN: usize = 1024;

/// When someone who is muted may ask again: what a client that knows nothing of it does.
const MUTED_RETRY: Duration = Duration::from_secs(60);

/// What the hub is told once.
#[derive(Clone, Debug)]
pub struct HubConfig {
    /// Who may register a new name.
    pub registration: Registration,
    /// The log of global messages, drawn at random at every start: continuity is lost with the process.
    pub log: LogId,
    /// What one person may say to everyone.
    pub globals: BucketConfig,
    /// How much private mail there may be.
    pub private: PrivateConfig,
    /// How many connections may be relayed.
    pub relays: RelayConfig,
    /// What admits them.
    pub tokens: TokenSource,
    /// Limits that the operator cannot change while the server runs.
    pub fixed: BTreeMap<Limit, u64>,
}

/// The server's decisions.
pub struct Hub {
    config: HubConfig,
    log: GlobalLog,
    /// When everyone is told how far the log has come, if there is news.
    head_due: Option<Duration>,
    sessions: BTreeMap<SessionNumber, Session>,
    /// When patience with each greeting ends, in order; those that have gone on are still in it.
    greetings: VecDeque<(Duration, SessionNumber)>,
    /// The session that counts now, of each key that is here.
    by_key: BTreeMap<RemoteKey, SessionNumber>,
    claims: Buckets<IpAddr>,
    /// Whose tokens sessions took that left before the backend answered.
    abandoned: BTreeMap<SessionNumber, IpAddr>,
    presence: Changes,
    roster: RosterParts,
    lanes: Lanes,
    relays: Relays,
    key_packages: KeyPackages,
    loading: Loading,
    /// What the operator wanted before the decisions were known.
    commands: Vec<(OperatorNumber, OperatorCommand)>,
    policy: Policy,
    /// What the operator has set.
    set_limits: BTreeMap<Limit, u64>,
    /// What holds now.
    limits: Limits,
    /// When names that were never used are looked for.
    free_due: Duration,
    /// When sessions are looked at next, if there are any.
    liveness_due: Option<Duration>,
    stopping: bool,
    /// The time of the last event.
    now: Duration,
    outputs: Outputs,
}

impl HubConfig {
    /// What one person may say to everyone unless the operator says otherwise: 100 messages at once, then 20 a second;
    /// more than a person types, and few enough that a program that runs wild drowns nobody.
    pub const GLOBALS: BucketConfig = BucketConfig {
        burst: 100,
        interval: Duration::from_millis(50),
    };
}

impl Hub {
    /// A hub with nobody in it.
    pub fn new(config: HubConfig) -> Self {
        let limits = Limits::new(config.private, config.globals);
        let mut hub = Self {
            log: GlobalLog::new(config.log),
            lanes: Lanes::new(config.private),
            relays: Relays::new(config.relays, config.tokens.clone()),
            key_packages: KeyPackages::new(),
            config,
            loading: Loading::Due(Duration::ZERO),
            commands: Vec::new(),
            policy: Policy::default(),
            set_limits: BTreeMap::new(),
            limits,
            // Those who were here before a restart are back by then.
            free_due: FREE_INTERVAL,
            head_due: None,
            sessions: BTreeMap::new(),
            greetings: VecDeque::new(),
            by_key: BTreeMap::new(),
            claims: Buckets::new(CLAIMS, MAX_CLAIMING_ADDRESSES),
            abandoned: BTreeMap::new(),
            presence: Changes::default(),
            roster: RosterParts::default(),
            liveness_due: None,
            stopping: false,
            now: Duration::ZERO,
            outputs: Outputs::default(),
        };
        hub.apply_limits();
        hub.load_if_due();
        hub
    }

    /// Takes an event. Events of sessions that have ended are ignored: they were on their way.
    pub fn handle(&mut self, now: Duration, event: Event) {
        self.now = now;
        match event {
            Event::Connected {
                session,
                key,
                address,
                id,
                connection,
                checks,
            } => {
                if self.stopping {
                    self.close(session, ClosingCode::Shutdown, "shutting down");
                    return;
                }
                let connection = Connection {
                    key,
                    address,
                    session: id,
                    id: connection,
                    checks,
                };
                let deadline = now.saturating_add(GREETING_TIME);
                self.greetings.push_back((deadline, session));
                self.sessions.insert(
                    session,
                    Session::Greeting(Box::new(Greeting { connection })),
                );
            }
            Event::Frame { session, frame } => self.handle_frame(now, session, frame),
            Event::ProbeHeard { session, nonce } => {
                if let Some(Session::Joined(_)) = self.sessions.get(&session) {
                    self.send(session, ServerFrame::ProbeHeard(nonce));
                }
            }
            Event::Malformed { session, detail } => {
                if self.sessions.contains_key(&session) {
                    self.protocol_error(session, &detail);
                }
            }
            Event::Datagram { session, message } => self.handle_global(now, session, message),
            Event::Path { session, up } => self.handle_path(session, up),
            Event::TooSlow { session } => {
                self.end(session);
                self.close(session, ClosingCode::TooSlow, "too slow");
            }
            Event::Disconnected { session } => self.end(session),
            Event::RelayClosed(number) => self.relays.closed(number),
            Event::Backend(answers) => {
                for answer in answers {
                    self.handle_answer(answer);
                }
            }
            Event::Operator { number, command } => self.handle_operator(number, command),
            Event::Shutdown => self.shut_down(),
        }
        self.tell_presence(now);
    }

    /// When [`handle_timeout`](Self::handle_timeout) is due.
    pub fn poll_timeout(&self) -> Option<Duration> {
        let greeting = self.greetings.front().map(|(deadline, _)| *deadline);
        let presence = self.presence.deadline();
        let lanes = self.lanes.deadline(self.now);
        let load = match self.loading {
            Loading::Due(at) => Some(at),
            Loading::Asked | Loading::Done => None,
        };
        greeting
            .into_iter()
            .chain(presence)
            .chain(self.head_due)
            .chain(self.liveness_due)
            .chain(self.relays.deadline())
            .chain(load)
            .chain([lanes, self.free_due])
            .chain([self.key_packages.deadline()])
            .min()
    }

    /// Does what is due.
    pub fn handle_timeout(&mut self, now: Duration) {
        self.now = now;
        while let Some((deadline, session)) = self.greetings.front().copied()
            && deadline <= now
        {
            self.greetings.pop_front();
            if let Some(Session::Greeting(_)) = self.sessions.get(&session) {
                self.protocol_error(session, "no Hello in time");
            }
        }
        if self.head_due.is_some_and(|due| due <= now) {
            self.head_due = None;
            self.tell_everyone(ServerFrame::GlobalHead(self.log.sequence()));
        }
        if self.liveness_due.is_some_and(|due| due <= now) {
            self.look_for_silence(now);
        }
        self.lanes.handle_timeout(now, &mut self.outputs);
        self.relays.handle_timeout(now, &mut self.outputs);
        self.key_packages.handle_timeout(now, &mut self.outputs);
        self.load_if_due();
        self.free_names_if_due();
        self.tell_presence(now);
    }

    /// What the shell is to do next. When all else is done, what has gathered meanwhile is asked of the backend
    /// together.
    pub fn poll_output(&mut self) -> Option<Output> {
        if self.outputs.is_empty() {
            self.lanes.flush(self.now, &mut self.outputs);
        }
        self.outputs.pop()
    }

    /// How many people are here.
    pub fn people(&self) -> usize {
        self.by_key.len()
    }

    fn handle_path(&mut self, session: SessionNumber, up: bool) {
        let Some(Session::Joined(joined)) = self.sessions.get_mut(&session) else {
            return;
        };
        let was_up = match joined.datagrams {
            Datagrams::Unconfirmed(_) => return,
            Datagrams::Keyed => false,
            Datagrams::Up => true,
        };
        joined.datagrams = if up { Datagrams::Up } else { Datagrams::Keyed };
        if was_up && !up {
            self.send(session, ServerFrame::PathUnconfirmed);
        }
    }

    fn handle_frame(&mut self, now: Duration, session: SessionNumber, frame: ClientFrame) {
        match (self.sessions.get_mut(&session), frame) {
            (None, _) => {}
            (Some(Session::Joined(joined)), frame) => {
                (joined.heard, joined.pinged) = (now, false);
                self.handle_joined(now, session, frame);
            }
            (Some(Session::Greeting(_)), ClientFrame::Hello(hello)) => {
                if let Some(Session::Greeting(greeting)) = self.sessions.remove(&session) {
                    self.handle_hello(now, session, greeting.connection, hello);
                }
            }
            (Some(_), _) => self.protocol_error(session, "a frame out of turn"),
        }
    }

    fn handle_answer(&mut self, answer: BackendAnswer) {
        let (now, out) = (self.now, &mut self.outputs);
        match answer {
            BackendAnswer::Claimed { session, outcome } => self.handle_claimed(session, outcome),
            BackendAnswer::LaneOpened {
                session,
                handle,
                outcome,
            } => {
                if let Some(Session::Joined(joined)) = self.sessions.get(&session) {
                    let opened =
                        self.lanes
                            .handle_opened(joined.place, session, handle, outcome, out);
                    self.allow(session, opened);
                }
            }
            BackendAnswer::Committed(result) => self.lanes.handle_committed(now, result, out),
            BackendAnswer::Fetched { session, result } => {
                let place = match self.sessions.get(&session) {
                    Some(Session::Joined(joined)) => Some(joined.place),
                    _ => None,
                };
                self.lanes.handle_fetched(now, session, place, result, out);
            }
            BackendAnswer::Blocked {
                session,
                owner,
                name,
                blocked,
                sender,
            } => {
                if let Some(sender) = &sender {
                    self.lanes.handle_blocked(&owner, sender, blocked);
                }
                if let Some(Session::Joined(joined)) = self.sessions.get_mut(&session) {
                    joined.blocking = false;
                    self.tell_blocked(session, Block { name, blocked }, sender.is_some());
                }
            }
            BackendAnswer::Dropped(dropped) => self.lanes.handle_dropped(dropped, out),
            BackendAnswer::Loaded(decisions) => self.handle_loaded(decisions),
            BackendAnswer::Operator { number, result } => self.handle_operated(number, result),
            BackendAnswer::NameUsed => {}
            BackendAnswer::NamesFreed(freed) => self.handle_freed(freed),
            BackendAnswer::KeyPackages(answer) => self.handle_key_packages(answer),
        }
    }

    fn handle_key_packages(&mut self, answer: KeyPackageAnswer) {
        let out = &mut self.outputs;
        match answer {
            KeyPackageAnswer::Held {
                session,
                owner,
                result,
            } => {
                let stock = stock_of(&mut self.sessions, session);
                self.key_packages
                    .handle_held(stock, session, owner, result, out);
            }
            KeyPackageAnswer::Taken {
                session,
                handle,
                target,
                result,
            } => {
                let stock = stock_of(&mut self.sessions, session);
                let owner = self.by_key.get(&target).copied();
                let lane = (handle, target);
                self.key_packages
                    .handle_taken(stock, session, lane, result, owner, out);
            }
            KeyPackageAnswer::Expired => {}
        }
    }

    /// Ends the session where it did what it must not.
    fn allow(&mut self, session: SessionNumber, result: Result<(), Misuse>) {
        if let Err(misuse) = result {
            self.protocol_error(session, misuse);
        }
    }

    /// Asks those who have not been heard for long whether they are there, and lets those go who were asked.
    fn look_for_silence(&mut self, now: Duration) {
        let mut silent = Vec::new();
        for (number, session) in &mut self.sessions {
            let Session::Joined(joined) = session else {
                continue;
            };
            let silence = now.saturating_sub(joined.heard);
            if silence >= SILENT_AFTER {
                silent.push(*number);
            } else if silence >= PING_AFTER && !std::mem::replace(&mut joined.pinged, true) {
                self.outputs.send(*number, ServerFrame::Ping);
            }
        }
        for session in silent {
            self.end(session);
            self.close(session, ClosingCode::Silent, "silent");
        }
        let anyone = !self.by_key.is_empty();
        self.liveness_due = anyone.then(|| now.saturating_add(LIVENESS_INTERVAL));
    }

    fn handle_hello(
        &mut self,
        now: Duration,
        session: SessionNumber,
        connection: Connection,
        hello: Hello,
    ) {
        if !(hello.version_min..=hello.version_max).contains(&PROTOCOL_VERSION) {
            return self.refuse(session, refused(RefusalCode::Version));
        }
        if self.loading != Loading::Done {
            let waiting = Waiting { connection, hello };
            self.sessions
                .insert(session, Session::Waiting(Box::new(waiting)));
            return;
        }
        if self.policy.keeps_out(&connection.key, connection.address) {
            return self.refuse(session, refused(RefusalCode::Banned));
        }
        let name = match Name::parse(&hello.name) {
            Ok(name) => name,
            Err(error) => {
                return self.refuse(
                    session,
                    Refused {
                        rule: error.kind().to_owned(),
                        ..refused(RefusalCode::NameInvalid)
                    },
                );
            }
        };
        let keys = name.keys();
        // Not of one who has it, or has one that only looks like it.
        let is_name_banned = self.policy.is_name_banned(&keys);
        // A name that the key has already needs neither admission nor a token, but only the backend
        // knows whether it has: the token is given back if it was not needed.
        let limit = limit_key(connection.address);
        let has_token = self.claims.take(now, &limit).is_ok();
        let registration = self.config.registration;
        let is_admitted = registration.admits(connection.address) && !is_name_banned;
        let takes_ticket = registration.takes_tickets() && !is_name_banned;
        let ticket = hello.ticket.filter(|_| takes_ticket);
        let is_admissible = is_admitted || ticket.is_some();
        if has_token && !is_admissible {
            self.claims.give_back(&limit);
        }
        // A ticket that is not needed is not used.
        let ticket = ticket.filter(|_| has_token && !is_admitted);
        self.outputs.ask(BackendRequest::Claim {
            session,
            keys,
            name: name.clone(),
            key: connection.key,
            may_register: has_token && is_admitted,
            ticket: ticket.map(|ticket| Box::new(ticket.hash())),
        });
        let claiming = Claiming {
            connection,
            name,
            token_taken: has_token && is_admissible,
            is_admissible,
            is_name_banned,
        };
        self.sessions
            .insert(session, Session::Claiming(Box::new(claiming)));
    }

    fn handle_claimed(&mut self, session: SessionNumber, outcome: ClaimOutcome) {
        let claiming = match self.sessions.remove(&session) {
            Some(Session::Claiming(claiming)) => *claiming,
            Some(other) => {
                self.sessions.insert(session, other);
                return;
            }
            // It left while the backend was busy; the name is its key's all the same.
            None => {
                if let Some(limit) = self.abandoned.remove(&session)
                    && !costs_a_token(&outcome)
                {
                    self.claims.give_back(&limit);
                }
                return;
            }
        };
        let address = claiming.connection.address;
        if claiming.token_taken && !costs_a_token(&outcome) {
            self.claims.give_back(&limit_key(address));
        }
        // Who was banned meanwhile keeps the name, and stays outside.
        if self.policy.keeps_out(&claiming.connection.key, address) {
            return self.refuse(session, refused(RefusalCode::Banned));
        }
        match outcome {
            ClaimOutcome::Owned(name) => self.join(session, claiming.connection, name),
            ClaimOutcome::Registered => {
                self.join(session, claiming.connection, claiming.name.to_string());
            }
            ClaimOutcome::Taken => self.refuse(
                session,
                Refused {
                    resembles: claiming.name.to_string(),
                    ..refused(RefusalCode::NameTaken)
                },
            ),
            ClaimOutcome::Confusable(resembles) => self.refuse(
                session,
                Refused {
                    resembles,
                    ..refused(RefusalCode::NameConfusable)
                },
            ),
            ClaimOutcome::KeyHasName(resembles) => self.refuse(
                session,
                Refused {
                    resembles,
                    ..refused(RefusalCode::KeyHasName)
                },
            ),
            ClaimOutcome::NotRegistered if claiming.is_name_banned => {
                self.refuse(session, refused(RefusalCode::Banned));
            }
            ClaimOutcome::NotRegistered if !claiming.is_admissible => {
                self.refuse(session, refused(RefusalCode::Registration));
            }
            ClaimOutcome::NotRegistered => {
                let retry = self.claims.config().interval;
                self.refuse(
                    session,
                    Refused {
                        retry_in_ms: millis(retry),
                        ..refused(RefusalCode::TooManyClaims)
                    },
                );
            }
            ClaimOutcome::NotAdmitted => self.refuse(session, refused(RefusalCode::Ticket)),
            ClaimOutcome::Unavailable => self.refuse(
                session,
                Refused {
                    retry_in_ms: 1_000,
                    ..refused(RefusalCode::Unavailable)
                },
            ),
        }
    }

    fn join(&mut self, session: SessionNumber, connection: Connection, name: String) {
        if self.stopping {
            return self.close(session, ClosingCode::Shutdown, "shutting down");
        }
        let person = Person {
            name,
            key: connection.key,
        };
        // Only the newest session of a key counts.
        if let Some(older) = self.by_key.get(&person.key).copied() {
            self.end(older);
            self.close(older, ClosingCode::TakenOver, "taken over");
        }
        self.send(
            session,
            ServerFrame::Welcome(Welcome {
                version: PROTOCOL_VERSION,
                session: connection.session,
                connection: connection.id,
                datagram_check: connection.checks.server.as_bytes().to_vec(),
                name: person.name.clone(),
                log: self.log.id,
                log_sequence: self.log.sequence(),
            }),
        );
        self.by_key.insert(person.key, session);
        self.roster.change(&person.key);
        self.presence.join(person.clone());
        self.policy.learn_name(&person.key, &person.name);
        let joined = Joined {
            person,
            address: connection.address,
            since: self.now,
            datagrams: Datagrams::Unconfirmed(connection.checks),
            globals: Bucket::default(),
            place: self.lanes.join(session, connection.key),
            stock: Stock::default(),
            blocking: false,
            name_used: false,
            heard: self.now,
            pinged: false,
        };
        let look = self.now.saturating_add(LIVENESS_INTERVAL);
        self.liveness_due.get_or_insert(look);
        self.sessions
            .insert(session, Session::Joined(Box::new(joined)));
        self.send_roster(session);
        let latest = self.log.latest();
        if !latest.is_empty() {
            self.send(session, ServerFrame::GlobalHistory(latest));
        }
    }

    fn send_roster(&mut self, session: SessionNumber) {
        let Self {
            by_key,
            sessions,
            roster,
            outputs,
            ..
        } = self;
        let parts = roster.all(by_key.len(), |range, last| {
            let people = by_key.range(range).filter_map(|(_, session)| {
                let Some(Session::Joined(joined)) = sessions.get(session) else {
                    return None;
                };
                Some(joined.person.clone())
            });
            encode_roster(people.collect(), last)
        });
        for frames in parts {
            outputs.send_encoded(session, frames, false);
        }
    }

    fn handle_joined(&mut self, now: Duration, session: SessionNumber, frame: ClientFrame) {
        let Some(Session::Joined(joined)) = self.sessions.get_mut(&session) else {
            return;
        };
        match frame {
            ClientFrame::Hello(_) => self.protocol_error(session, "a second Hello"),
            ClientFrame::DatagramConfirm(check) => match &joined.datagrams {
                Datagrams::Unconfirmed(checks) if checks.client.matches(&check) => {
                    joined.datagrams = Datagrams::Keyed;
                    self.outputs.push(Output::OpenDatagrams { session });
                }
                Datagrams::Unconfirmed(_) => {
                    self.protocol_error(session, "the datagram keys differ");
                }
                Datagrams::Keyed | Datagrams::Up => {
                    self.protocol_error(session, "a second DatagramConfirm");
                }
            },
            ClientFrame::OpenLane(open) => {
                let (sender, to) = (joined.person.key, folded(&open.to));
                let (place, out) = (&mut joined.place, &mut self.outputs);
                let opened = self.lanes.open(place, session, sender, open, to, out);
                self.allow(session, opened);
            }
            ClientFrame::Private(message) => {
                let (place, out) = (joined.place, &mut self.outputs);
                let taken = self.lanes.handle_message(now, place, message, out);
                self.allow(session, taken);
            }
            ClientFrame::OutcomesNoted(noted) => {
                let noted = self.lanes.handle_noted(joined.place, noted);
                self.allow(session, noted);
            }
            ClientFrame::Acknowledge(acknowledge) => {
                let taken = self.lanes.handle_acknowledge(joined.place, &acknowledge);
                self.allow(session, taken);
            }
            ClientFrame::Block(block) => {
                // One at a time: a flood of them would hold up what others ask of the backend.
                let busy = std::mem::replace(&mut joined.blocking, true);
                let (owner, to) = (joined.person.key, folded(&block.name));
                match to.filter(|_| !busy) {
                    Some(folded) => self.outputs.ask(BackendRequest::Block {
                        session,
                        owner,
                        name: block.name,
                        folded,
                        blocked: block.blocked,
                    }),
                    None => {
                        joined.blocking = busy;
                        self.tell_blocked(session, block, false);
                    }
                }
            }
            ClientFrame::RelayRequest(request) => {
                let (key, out) = (joined.person.key, &mut self.outputs);
                self.relays.ask(now, session, key, request, out);
            }
            ClientFrame::ListKeyPackages => self.handle_stock(now, session, None),
            ClientFrame::PutKeyPackages(put) => self.handle_stock(now, session, Some(put)),
            ClientFrame::TakeKeyPackage(handle) => {
                let (requester, place) = (joined.person.key, joined.place);
                match self.lanes.recipient(place, handle) {
                    Ok(target) => {
                        let (lane, out) = ((handle, target), &mut self.outputs);
                        self.key_packages
                            .handle_take(now, session, requester, lane, out);
                    }
                    Err(misuse) => self.protocol_error(session, misuse),
                }
            }
            ClientFrame::Ping => self.outputs.send(session, ServerFrame::Pong),
            ClientFrame::Pong => {}
            ClientFrame::Global(message) => self.handle_global(now, session, message),
            ClientFrame::GlobalRequest(ranges) => self.repair(session, &ranges),
            ClientFrame::DatagramProbe => {
                if matches!(joined.datagrams, Datagrams::Up) {
                    self.outputs.push(Output::ProbeBack { session });
                }
            }
            ClientFrame::DatagramsLost => {
                if matches!(joined.datagrams, Datagrams::Up) {
                    joined.datagrams = Datagrams::Keyed;
                    self.outputs.push(Output::DatagramsLost { session });
                }
            }
        }
    }

    fn handle_stock(&mut self, now: Duration, session: SessionNumber, put: Option<PutKeyPackages>) {
        if let Some(Session::Joined(joined)) = self.sessions.get_mut(&session) {
            let (owner, out) = (joined.person.key, &mut self.outputs);
            self.key_packages
                .handle_own(now, &mut joined.stock, session, owner, put, out);
        }
    }

    fn tell_blocked(&mut self, session: SessionNumber, block: Block, done: bool) {
        let Block { name, blocked } = block;
        let answer = Blocked {
            name,
            blocked,
            done,
        };
        self.send(session, ServerFrame::Blocked(answer));
    }

    fn handle_global(&mut self, now: Duration, session: SessionNumber, message: GlobalMessage) {
        let Some(Session::Joined(joined)) = self.sessions.get_mut(&session) else {
            return;
        };
        let id = message.id;
        // Its sender did not see it come back and has repeated it.
        match self.log.find(&joined.person.key, &id) {
            Known::No => {}
            Known::Kept(message) => {
                let echo = ServerFrame::Global(message.clone());
                return self.send(session, echo);
            }
            Known::Gone => return self.send(session, ServerFrame::GlobalTaken(id)),
        }
        if self.policy.is_muted(&joined.person.key) {
            let refused = GlobalRefused {
                id,
                retry_in_ms: millis(MUTED_RETRY),
                code: GlobalRefusalCode::Muted,
            };
            return self.send(session, ServerFrame::GlobalRefused(refused));
        }
        let cost = u32::try_from(message.text.len() / TEXT_PER_TOKEN).unwrap_or(u32::MAX);
        let cost = cost.saturating_add(1);
        if let Err(wait) = joined.globals.take_many(now, &self.limits.globals, cost) {
            let refused = GlobalRefused {
                id,
                retry_in_ms: millis(wait).saturating_add(1),
                code: GlobalRefusalCode::Rate,
            };
            return self.send(session, ServerFrame::GlobalRefused(refused));
        }
        if !std::mem::replace(&mut joined.name_used, true) {
            let key = joined.person.key;
            self.outputs.ask(BackendRequest::NameUsed { key });
        }
        let incoming = self.log.append(joined.person.clone(), message);
        self.head_due.get_or_insert(now.saturating_add(HEAD_TIME));
        let plaintext = ServerDatagram::Global(incoming.clone()).encode();
        let by_datagram = plaintext.len() <= MAX_PLAINTEXT;
        if by_datagram {
            let plaintext = plaintext.into();
            self.outputs.push(Output::FanOut { plaintext });
        }
        let frames = encode(ServerFrame::Global(incoming));
        for (number, session) in &self.sessions {
            let Session::Joined(joined) = session else {
                continue;
            };
            if !(by_datagram && matches!(joined.datagrams, Datagrams::Up)) {
                self.outputs.push(Output::Send {
                    session: *number,
                    frames: frames.clone(),
                    droppable: true,
                });
            }
        }
    }

    /// Sends what is asked for, and says what is not kept any more.
    fn repair(&mut self, session: SessionNumber, ranges: &[Range]) {
        let (found, gone) = self.log.answer(ranges);
        for message in found {
            let frames = encode(ServerFrame::Global(message.clone()));
            self.outputs.push(Output::Send {
                session,
                frames,
                droppable: true,
            });
        }
        for range in gone {
            self.send(session, ServerFrame::GlobalGone(range));
        }
    }

    fn tell_presence(&mut self, now: Duration) {
        for presence in self.presence.take(now) {
            self.tell_everyone(ServerFrame::Presence(presence));
        }
    }

    fn tell_everyone(&mut self, frame: ServerFrame) {
        let frames = encode(frame);
        for (number, session) in &self.sessions {
            if matches!(session, Session::Joined(_)) {
                self.outputs.push(Output::Send {
                    session: *number,
                    frames: frames.clone(),
                    droppable: false,
                });
            }
        }
    }

    /// Forgets a session.
    fn end(&mut self, session: SessionNumber) {
        let joined = match self.sessions.remove(&session) {
            Some(Session::Joined(joined)) => joined,
            Some(Session::Claiming(claiming)) => {
                if claiming.token_taken {
                    let limit = limit_key(claiming.connection.address);
                    self.abandoned.insert(session, limit);
                }
                return;
            }
            Some(Session::Greeting(_) | Session::Waiting(_)) | None => return,
        };
        let Joined {
            person,
            place,
            stock,
            ..
        } = *joined;
        self.lanes.leave(place);
        self.relays.leave(session, person.key);
        self.key_packages.leave(session, stock);
        self.by_key.remove(&person.key);
        self.roster.change(&person.key);
        self.presence.leave(person);
    }

    fn protocol_error(&mut self, session: SessionNumber, detail: &str) {
        self.end(session);
        self.send(
            session,
            ServerFrame::Closing(Closing {
                code: ClosingCode::Protocol,
                detail: detail.to_owned(),
            }),
        );
        self.outputs.push(Output::Close {
            session,
            reason: "protocol error",
        });
    }

    fn refuse(&mut self, session: SessionNumber, refused: Refused) {
        let reason = refused.code.as_str_name();
        self.send(session, ServerFrame::Refused(refused));
        self.outputs.push(Output::Close { session, reason });
    }

    fn close(&mut self, session: SessionNumber, code: ClosingCode, reason: &'static str) {
        let detail = reason.to_owned();
        self.send(session, ServerFrame::Closing(Closing { code, detail }));
        self.outputs.push(Output::Close { session, reason });
    }

    fn shut_down(&mut self) {
        self.stopping = true;
        let sessions = std::mem::take(&mut self.sessions);
        self.by_key.clear();
        self.key_packages = KeyPackages::new();
        for (session, phase) in sessions {
            if let Session::Joined(joined) = phase {
                self.lanes.leave(joined.place);
            }
            self.close(session, ClosingCode::Shutdown, "shutting down");
        }
    }

    fn send(&mut self, session: SessionNumber, frame: ServerFrame) {
        self.outputs.send(session, frame);
    }
}

fn stock_of(
    sessions: &mut BTreeMap<SessionNumber, Session>,
    session: SessionNumber,
) -> Option<&mut Stock> {
    match sessions.get_mut(&session) {
        Some(Session::Joined(joined)) => Some(&mut joined.stock),
        _ => None,
    }
}

/// Whether a claim counts among those from its address: one that gave a name, and one that tried a ticket.
fn costs_a_token(outcome: &ClaimOutcome) -> bool {
    matches!(
        outcome,
        ClaimOutcome::Registered | ClaimOutcome::NotAdmitted
    )
}

fn refused(code: RefusalCode) -> Refused {
    Refused {
        code,
        rule: String::new(),
        resembles: String::new(),
        retry_in_ms: 0,
    }
}

/// The form under which a name is looked up; also of one that was registered under other Unicode tables.
fn folded(name: &str) -> Option<String> {
    let folded = NameKeys::of(name).folded;
    (!folded.is_empty()).then_some(folded)
}

/// Frames with so many people, of whom each has room for but some.
fn encode_roster(people: Vec<Person>, last: bool) -> Bytes {
    let mut bytes = Vec::new();
    let mut chunks = people.chunks(MAX_PEOPLE_PER_FRAME);
    // A roster of nobody ends with a frame, too.
    let mut chunk = chunks.next().unwrap_or_default();
    loop {
        let next = chunks.next();
        let roster = Roster {
            people: chunk.to_vec(),
            last: last && next.is_none(),
        };
        append(&mut bytes, ServerFrame::Roster(roster));
        match next {
            Some(next) => chunk = next,
            None => return bytes.into(),
        }
    }
}

#[cfg(test)]
mod tests;
