//! The hub: one door in ([`Hub::handle`], [`Hub::handle_timeout`]), one out ([`Hub::poll_output`]).

use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use recado_proto::PROTOCOL_VERSION;
use recado_proto::datagram::{Check, MAX_PLAINTEXT};
use recado_proto::frame::{
    Acknowledge, ClientFrame, Closing, ClosingCode, FailureCode, GlobalMessage, GlobalRefused,
    Hello, Outcome, Person, PrivateMessage, Range, RefusalCode, Refused, Roster, ServerDatagram,
    ServerFrame, Welcome,
};
use recado_proto::id::{ConnectionId, LogId, RemoteKey, SessionId};
use recado_proto::limits::MAX_PEOPLE_PER_FRAME;
use recado_proto::name::{Name, NameKeys};

use crate::admission::{CLAIMS, MAX_CLAIMING_ADDRESSES, Registration, limit_key};
use crate::backend::{BackendAnswer, BackendRequest, ClaimOutcome};
use crate::bucket::{Bucket, BucketConfig, Buckets};
use crate::global_log::{GlobalLog, Known};
use crate::presence::Changes;
use crate::roster::RosterParts;
use crate::session::{
    Claiming, Connection, Datagrams, Greeting, Inbox, Joined, Session, SessionNumber,
};

/// How long a connection may stay silent before its Hello. A phone on a bad line needs a few seconds.
const GREETING_TIME: Duration = Duration::from_secs(10);

/// How long after a global message everyone is told how far the log has come. Half of the 500 ms within which a lost
/// tail is to show: the rest is for the way.
const HEAD_TIME: Duration = Duration::from_millis(250);

/// Bytes of text that cost one token more: about what a datagram holds.
const TEXT_PER_TOKEN: usize = 1024;

/// What the hub is told once.
#[derive(Clone, Debug)]
pub struct HubConfig {
    /// Who may register a new name.
    pub registration: Registration,
    /// The log of global messages, drawn at random at every start: continuity is lost with the process.
    pub log: LogId,
    /// What one person may say to everyone.
    pub globals: BucketConfig,
}

/// The two proofs of a session's datagram keys, derived by the shell from the TLS exporter.
#[derive(Clone, Copy, Debug)]
pub struct DatagramChecks {
    /// What the server sends.
    pub server: Check,
    /// What the client must send.
    pub client: Check,
}

/// What happens to the hub.
#[derive(Debug)]
pub enum Event {
    /// A TLS handshake with a client certificate is complete.
    Connected {
        /// The number of the new session.
        session: SessionNumber,
        /// The key that signed the handshake.
        key: RemoteKey,
        /// Where it comes from.
        address: IpAddr,
        /// Drawn at random by the shell.
        id: SessionId,
        /// Drawn at random by the shell.
        connection: ConnectionId,
        /// Of the keys derived with these.
        checks: DatagramChecks,
    },
    /// A frame has come.
    Frame {
        /// Its session.
        session: SessionNumber,
        /// The frame.
        frame: ClientFrame,
    },
    /// Bytes came that are no frame.
    Malformed {
        /// Their session.
        session: SessionNumber,
        /// What is wrong, for the log and for the client's developer.
        detail: String,
    },
    /// A message for everyone came by datagram.
    Datagram {
        /// Its sender.
        session: SessionNumber,
        /// The message.
        message: GlobalMessage,
    },
    /// A probe that asks for a report came by datagram.
    ProbeHeard {
        /// Its session.
        session: SessionNumber,
        /// The probe's.
        nonce: u64,
    },
    /// Datagrams to the session are confirmed to arrive, or not any more.
    Path {
        /// The session.
        session: SessionNumber,
        /// Whether they arrive.
        up: bool,
    },
    /// More was to be sent than the session's queue holds; the queue has been emptied.
    TooSlow {
        /// The session.
        session: SessionNumber,
    },
    /// The connection has ended.
    Disconnected {
        /// Its session.
        session: SessionNumber,
    },
    /// Answers of the backend.
    Backend(Vec<BackendAnswer>),
    /// The server is to stop: everyone is told, and nobody new is let in.
    Shutdown,
}

/// What the shell is to do.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Output {
    /// Send these bytes, which are one or more frames.
    Send {
        /// To this session.
        session: SessionNumber,
        /// Shared, as many get the same.
        frames: Arc<[u8]>,
        /// Dropped where much waits already: global messages give way to what only this session gets.
        droppable: bool,
    },
    /// Close the connection once what was sent has gone out.
    Close {
        /// The session, which the hub has forgotten.
        session: SessionNumber,
        /// Why, for the log.
        reason: &'static str,
    },
    /// Ask the backend.
    Backend(BackendRequest),
    /// Let the session's datagrams begin.
    OpenDatagrams {
        /// The session.
        session: SessionNumber,
    },
    /// The session's datagrams do not arrive: its path is to be confirmed anew.
    DatagramsLost {
        /// The session.
        session: SessionNumber,
    },
    /// Send a datagram along the session's path, if it is confirmed.
    ProbeBack {
        /// The session.
        session: SessionNumber,
    },
    /// Seal this for everyone whose path is confirmed.
    FanOut {
        /// The plaintext of a datagram.
        plaintext: Arc<[u8]>,
    },
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
    /// The same, by the case-mapped form of the name.
    by_name: BTreeMap<String, SessionNumber>,
    claims: Buckets<IpAddr>,
    /// Whose tokens sessions took that left before the backend answered.
    abandoned: BTreeMap<SessionNumber, IpAddr>,
    presence: Changes,
    roster: RosterParts,
    stopping: bool,
    outputs: VecDeque<Output>,
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
        Self {
            log: GlobalLog::new(config.log),
            config,
            head_due: None,
            sessions: BTreeMap::new(),
            greetings: VecDeque::new(),
            by_key: BTreeMap::new(),
            by_name: BTreeMap::new(),
            claims: Buckets::new(CLAIMS, MAX_CLAIMING_ADDRESSES),
            abandoned: BTreeMap::new(),
            presence: Changes::default(),
            roster: RosterParts::default(),
            stopping: false,
            outputs: VecDeque::new(),
        }
    }

    /// Takes an event. Events of sessions that have ended are ignored: they were on their way.
    pub fn handle(&mut self, now: Duration, event: Event) {
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
                self.end(session, FailureCode::ConnectionLost);
                self.close(session, ClosingCode::TooSlow, "too slow");
            }
            Event::Disconnected { session } => self.end(session, FailureCode::ConnectionLost),
            Event::Backend(answers) => {
                for answer in answers {
                    let BackendAnswer::Claimed { session, outcome } = answer;
                    self.handle_claimed(session, outcome);
                }
            }
            Event::Shutdown => self.shut_down(),
        }
        self.tell_presence(now);
    }

    /// When [`handle_timeout`](Self::handle_timeout) is due.
    pub fn poll_timeout(&self) -> Option<Duration> {
        let greeting = self.greetings.front().map(|(deadline, _)| *deadline);
        let presence = self.presence.deadline();
        greeting
            .into_iter()
            .chain(presence)
            .chain(self.head_due)
            .min()
    }

    /// Does what is due.
    pub fn handle_timeout(&mut self, now: Duration) {
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
        self.tell_presence(now);
    }

    /// What the shell is to do next.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
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
        match (self.sessions.remove(&session), frame) {
            (None, _) => {}
            (Some(Session::Greeting(greeting)), ClientFrame::Hello(hello)) => {
                self.handle_hello(now, session, greeting.connection, hello);
            }
            (Some(Session::Joined(joined)), frame) => {
                self.sessions.insert(session, Session::Joined(joined));
                self.handle_joined(now, session, frame);
            }
            (Some(other), _) => {
                self.sessions.insert(session, other);
                self.protocol_error(session, "a frame out of turn");
            }
        }
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
        // A name that the key has already needs neither admission nor a token, but only the backend
        // knows whether it has: the token is given back if it was not needed.
        let limit = limit_key(connection.address);
        let token = self.claims.take(now, &limit);
        let may_register = token.is_ok() && self.config.registration.admits(connection.address);
        if token.is_ok() && !may_register {
            self.claims.give_back(&limit);
        }
        self.outputs
            .push_back(Output::Backend(BackendRequest::Claim {
                session,
                keys: name.keys(),
                name: name.clone(),
                key: connection.key,
                may_register,
            }));
        let claiming = Claiming {
            connection,
            name,
            token_taken: may_register,
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
                    && outcome != ClaimOutcome::Registered
                {
                    self.claims.give_back(&limit);
                }
                return;
            }
        };
        let address = claiming.connection.address;
        if claiming.token_taken && outcome != ClaimOutcome::Registered {
            self.claims.give_back(&limit_key(address));
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
            ClaimOutcome::NotRegistered if !self.config.registration.admits(address) => {
                self.refuse(session, refused(RefusalCode::Registration));
            }
            ClaimOutcome::NotRegistered => self.refuse(
                session,
                Refused {
                    retry_in_ms: millis(CLAIMS.interval),
                    ..refused(RefusalCode::TooManyClaims)
                },
            ),
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
            self.end(older, FailureCode::ConnectionLost);
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
        if let Some(folded) = folded(&person.name) {
            self.by_name.insert(folded, session);
        }
        self.presence.join(person.clone());
        let joined = Joined {
            person,
            datagrams: Datagrams::Unconfirmed(connection.checks),
            inbox: Inbox::default(),
            globals: Bucket::default(),
        };
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
        outputs.extend(parts.map(|frames| Output::Send {
            session,
            frames,
            droppable: false,
        }));
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
                    self.outputs.push_back(Output::OpenDatagrams { session });
                }
                Datagrams::Unconfirmed(_) => {
                    self.protocol_error(session, "the datagram keys differ");
                }
                Datagrams::Keyed | Datagrams::Up => {
                    self.protocol_error(session, "a second DatagramConfirm");
                }
            },
            ClientFrame::Private(message) => {
                let from = joined.person.clone();
                self.handle_private(session, from, message);
            }
            ClientFrame::Acknowledge(Acknowledge { up_to, unreadable }) => {
                let Some(taken) = joined.inbox.acknowledge(up_to) else {
                    return self.protocol_error(session, "an acknowledgement of what was not sent");
                };
                for waiting in taken {
                    let result = match unreadable.contains(&waiting.number) {
                        true => Err(FailureCode::Unreadable),
                        false => Ok(()),
                    };
                    self.tell_outcome(&waiting.sender, waiting.id, result);
                }
            }
            ClientFrame::Global(message) => self.handle_global(now, session, message),
            ClientFrame::GlobalRequest(ranges) => self.repair(session, &ranges),
            ClientFrame::DatagramProbe => {
                if matches!(joined.datagrams, Datagrams::Up) {
                    self.outputs.push_back(Output::ProbeBack { session });
                }
            }
            ClientFrame::DatagramsLost => {
                if matches!(joined.datagrams, Datagrams::Up) {
                    joined.datagrams = Datagrams::Keyed;
                    self.outputs.push_back(Output::DatagramsLost { session });
                }
            }
        }
    }

    fn handle_private(&mut self, session: SessionNumber, from: Person, message: PrivateMessage) {
        let id = message.id;
        let recipient = folded(&message.to).and_then(|to| self.by_name.get(&to).copied());
        let joined = recipient.and_then(|number| match self.sessions.get_mut(&number) {
            Some(Session::Joined(joined)) => Some((number, joined)),
            _ => None,
        });
        let failure = match joined {
            None => FailureCode::NotConnected,
            Some((recipient, joined)) => match joined.inbox.take(from, message) {
                Some(incoming) => return self.send(recipient, ServerFrame::Private(incoming)),
                None => FailureCode::RecipientBusy,
            },
        };
        let result = Err(failure);
        self.send(session, ServerFrame::Outcome(Outcome { id, result }));
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
            Known::Gone => {
                let result = Ok(());
                return self.send(session, ServerFrame::Outcome(Outcome { id, result }));
            }
        }
        let cost = u32::try_from(message.text.len() / TEXT_PER_TOKEN).unwrap_or(u32::MAX);
        let cost = cost.saturating_add(1);
        if let Err(wait) = joined.globals.take_many(now, &self.config.globals, cost) {
            let retry_in_ms = millis(wait).saturating_add(1);
            let refused = GlobalRefused { id, retry_in_ms };
            return self.send(session, ServerFrame::GlobalRefused(refused));
        }
        let incoming = self.log.append(joined.person.clone(), message);
        self.head_due.get_or_insert(now.saturating_add(HEAD_TIME));
        let plaintext = ServerDatagram::Global(incoming.clone()).encode();
        let by_datagram = plaintext.len() <= MAX_PLAINTEXT;
        if by_datagram {
            let plaintext = plaintext.into();
            self.outputs.push_back(Output::FanOut { plaintext });
        }
        let frames = encode(ServerFrame::Global(incoming));
        for (number, session) in &self.sessions {
            let Session::Joined(joined) = session else {
                continue;
            };
            if !(by_datagram && matches!(joined.datagrams, Datagrams::Up)) {
                self.outputs.push_back(Output::Send {
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
            self.outputs.push_back(Output::Send {
                session,
                frames,
                droppable: true,
            });
        }
        for range in gone {
            self.send(session, ServerFrame::GlobalGone(range));
        }
    }

    /// Tells a message's sender what became of it, if they are here.
    fn tell_outcome(
        &mut self,
        sender: &RemoteKey,
        id: recado_proto::id::MessageId,
        result: Result<(), FailureCode>,
    ) {
        if let Some(session) = self.by_key.get(sender).copied() {
            self.send(session, ServerFrame::Outcome(Outcome { id, result }));
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
                self.outputs.push_back(Output::Send {
                    session: *number,
                    frames: frames.clone(),
                    droppable: false,
                });
            }
        }
    }

    /// Forgets a session; what waited for its acknowledgement failed with `code`.
    fn end(&mut self, session: SessionNumber, code: FailureCode) {
        let joined = match self.sessions.remove(&session) {
            Some(Session::Joined(joined)) => joined,
            Some(Session::Claiming(claiming)) => {
                if claiming.token_taken {
                    let limit = limit_key(claiming.connection.address);
                    self.abandoned.insert(session, limit);
                }
                return;
            }
            Some(Session::Greeting(_)) | None => return,
        };
        let Joined { person, inbox, .. } = *joined;
        self.by_key.remove(&person.key);
        self.roster.change(&person.key);
        if let Some(folded) = folded(&person.name) {
            self.by_name.remove(&folded);
        }
        self.presence.leave(person);
        for waiting in inbox.into_waiting() {
            self.tell_outcome(&waiting.sender, waiting.id, Err(code));
        }
    }

    fn protocol_error(&mut self, session: SessionNumber, detail: &str) {
        self.end(session, FailureCode::ConnectionLost);
        self.send(
            session,
            ServerFrame::Closing(Closing {
                code: ClosingCode::Protocol,
                detail: detail.to_owned(),
            }),
        );
        self.outputs.push_back(Output::Close {
            session,
            reason: "protocol error",
        });
    }

    fn refuse(&mut self, session: SessionNumber, refused: Refused) {
        let reason = refused.code.as_str_name();
        self.send(session, ServerFrame::Refused(refused));
        self.outputs.push_back(Output::Close { session, reason });
    }

    fn close(&mut self, session: SessionNumber, code: ClosingCode, reason: &'static str) {
        let detail = reason.to_owned();
        self.send(session, ServerFrame::Closing(Closing { code, detail }));
        self.outputs.push_back(Output::Close { session, reason });
    }

    fn shut_down(&mut self) {
        self.stopping = true;
        let sessions: Vec<_> = std::mem::take(&mut self.sessions).into_keys().collect();
        self.by_key.clear();
        self.by_name.clear();
        for session in sessions {
            self.close(session, ClosingCode::Shutdown, "shutting down");
        }
    }

    fn send(&mut self, session: SessionNumber, frame: ServerFrame) {
        let frames = encode(frame);
        self.outputs.push_back(Output::Send {
            session,
            frames,
            droppable: false,
        });
    }
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

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// Frames with so many people, of whom each has room for but some.
fn encode_roster(people: Vec<Person>, last: bool) -> Arc<[u8]> {
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

#[expect(
    clippy::expect_used,
    reason = "what the server sends is bounded below a frame's length: text by MAX_TEXT, people by MAX_PEOPLE_PER_FRAME"
)]
fn append(bytes: &mut Vec<u8>, frame: ServerFrame) {
    frame.encode(bytes).expect("a frame within its limit");
}

fn encode(frame: ServerFrame) -> Arc<[u8]> {
    let mut bytes = Vec::new();
    append(&mut bytes, frame);
    bytes.into()
}

#[cfg(test)]
mod tests;
