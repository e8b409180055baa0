//! The engine: doors in are the `handle_` methods, the one out is [`Engine::poll_output`].

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use recado_proto::PROTOCOL_VERSION;
use recado_proto::datagram::{Opener, ReplayWindow, Sealer, SessionSecret, Side, Verdict};
use recado_proto::fingerprint::Fingerprint;
use recado_proto::frame::{
    Acknowledge, ClientDatagram, ClientFrame, Envelope, GlobalMessage, IncomingGlobal,
    IncomingPrivate, Person, Presence, PrivateMessage, Probe, Roster, ServerDatagram, ServerFrame,
    Welcome,
};
use recado_proto::global;
use recado_proto::id::{MessageId, RemoteKey, Signature};

use crate::event::{Command, CommandError, Event, Failure, Receipt, State, Via};
use crate::link::{Link, LinkState};

/// How long a global message's own echo is awaited: the longest that a phone's radio sleeps, and some.
const ECHO_TIME: Duration = Duration::from_secs(5);

/// Events that may be held back for [`Event::Ready`], which then comes at once.
const MAX_HELD: usize = 4096;

/// Global messages that are remembered as shown: 48 bytes each, twice.
const MAX_SHOWN: usize = 4096;

/// Signs with one's own identity key.
pub type Sign = Box<dyn Fn(&[u8]) -> Signature + Send>;

/// What an engine is told once.
pub struct EngineConfig {
    /// The server's root.
    pub root: Fingerprint,
    /// One's own key.
    pub key: RemoteKey,
    /// Signs with it.
    pub sign: Sign,
}

/// A welcome that cannot be accepted.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum WelcomeError {
    /// A version that was not offered.
    #[error("the server chose version {0}, which was not offered")]
    Version(u32),
    /// The server derived other datagram keys: it is not the one at the other end of this TLS session.
    #[error("the server's datagram keys differ from ours")]
    DatagramKeys,
}

/// What the shell is to do, in order.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Output {
    /// Send this frame.
    Frame(ClientFrame),
    /// Send this datagram.
    Datagram(Vec<u8>),
    /// Hand this to whoever uses the client.
    Event(Event),
}

/// A session's decisions.
pub struct Engine {
    config: EngineConfig,
    name: String,
    sealer: Sealer,
    opener: Opener,
    link: Link,
    people: BTreeMap<String, Person>,
    /// The key first seen under each name, those who left included.
    remembered: BTreeMap<String, RemoteKey>,
    roster_complete: bool,
    ready: bool,
    held: Vec<Event>,
    /// Which numbers of the server's log have come.
    log: ReplayWindow,
    /// The latest global messages, so that none is shown again under another number.
    shown: BTreeSet<(RemoteKey, MessageId)>,
    shown_order: VecDeque<(RemoteKey, MessageId)>,
    /// Private messages were acknowledged up to this number.
    taken: u64,
    /// Numbers above it that cannot be read.
    unreadable: BTreeSet<u64>,
    /// One's own private messages without an outcome.
    private: BTreeSet<MessageId>,
    /// One's own global messages without an echo, and when it is given up.
    global: BTreeMap<MessageId, Duration>,
    ended: bool,
    outputs: VecDeque<Output>,
}

impl Engine {
    /// An engine for a session that has just been welcomed; `secret` is what the TLS exporter gave for it.
    ///
    /// # Errors
    /// [`WelcomeError`]; the connection is to be closed.
    pub fn new(
        now: Duration,
        config: EngineConfig,
        welcome: Welcome,
        secret: SessionSecret,
    ) -> Result<Self, WelcomeError> {
        if welcome.version != PROTOCOL_VERSION {
            return Err(WelcomeError::Version(welcome.version));
        }
        if !secret.check(Side::Server).matches(&welcome.datagram_check) {
            return Err(WelcomeError::DatagramKeys);
        }
        let confirm = secret.check(Side::Client).as_bytes().to_vec();
        let (sealer, opener) = secret.into_pair(Side::Client, welcome.connection);
        let mut engine = Self {
            config,
            name: welcome.name,
            sealer,
            opener,
            link: Link::new(now),
            people: BTreeMap::new(),
            remembered: BTreeMap::new(),
            roster_complete: false,
            ready: false,
            held: Vec::new(),
            log: ReplayWindow::default(),
            shown: BTreeSet::new(),
            shown_order: VecDeque::new(),
            taken: 0,
            unreadable: BTreeSet::new(),
            private: BTreeSet::new(),
            global: BTreeMap::new(),
            ended: false,
            outputs: VecDeque::new(),
        };
        engine.send(ClientFrame::DatagramConfirm(confirm));
        engine.handle_timeout(now);
        Ok(engine)
    }

    /// Takes a frame from the server.
    pub fn handle_frame(&mut self, frame: ServerFrame) {
        if self.ended {
            return;
        }
        match frame {
            // Both come before the engine; a second one says nothing new.
            ServerFrame::Welcome(_) | ServerFrame::Refused(_) => {}
            ServerFrame::Roster(Roster { people, last }) => {
                for person in people {
                    self.add_person(person);
                }
                self.roster_complete |= last;
            }
            ServerFrame::Presence(Presence { joined, left }) => {
                for person in left {
                    if self.people.remove(&person.name).is_some() {
                        self.emit(Event::Presence {
                            person,
                            online: false,
                        });
                    }
                }
                for person in joined {
                    if self.add_person(person.clone()) {
                        self.emit(Event::Presence {
                            person,
                            online: true,
                        });
                    }
                }
            }
            ServerFrame::Private(message) => self.handle_private(message),
            ServerFrame::Outcome(outcome) => {
                if self.private.remove(&outcome.id) {
                    let state = match outcome.result {
                        Ok(()) => State::Delivered,
                        Err(code) => State::Failed(code.into()),
                    };
                    let id = outcome.id;
                    self.emit(Event::State { id, state });
                }
            }
            ServerFrame::Global(message) => self.handle_global(message, Via::Tcp),
            ServerFrame::Closing(closing) => self.end(Some(closing.code), closing.detail),
        }
        self.become_ready();
    }

    /// Takes a datagram, opening it in place. What does not authenticate is nothing.
    pub fn handle_datagram(&mut self, now: Duration, datagram: &mut [u8]) {
        if self.ended {
            return;
        }
        let Ok(opened) = self.opener.open(datagram) else {
            return;
        };
        match ServerDatagram::decode(opened.plaintext) {
            Err(_) | Ok(None) => {}
            Ok(Some(ServerDatagram::ProbeAnswer(answer))) => {
                if let Some(probe) = self.link.handle_answer(now, answer) {
                    self.send_probe(probe);
                }
            }
            Ok(Some(ServerDatagram::Global(message))) => self.handle_global(message, Via::Udp),
        }
        self.become_ready();
    }

    /// Takes a command.
    ///
    /// # Errors
    /// [`CommandError`]; nothing was done.
    pub fn handle_command(&mut self, now: Duration, command: Command) -> Result<(), CommandError> {
        if self.ended {
            return Err(CommandError::Ended);
        }
        command.check()?;
        match command {
            Command::Private {
                id,
                sent_at_ms,
                to,
                text,
            } => {
                self.private.insert(id);
                self.send(ClientFrame::Private(PrivateMessage {
                    id,
                    to,
                    sent_at_ms,
                    envelope: Envelope::Text(text).encode(),
                }));
            }
            Command::Global {
                id,
                sent_at_ms,
                text,
            } => {
                self.global.insert(id, now.saturating_add(ECHO_TIME));
                self.send_global(id, sent_at_ms, text);
            }
            Command::Who => {
                let people = self.people.values().cloned().collect();
                self.emit(Event::Roster(people));
            }
            Command::Acknowledge(Receipt(number)) => self.acknowledge(number),
        }
        Ok(())
    }

    /// When [`handle_timeout`](Self::handle_timeout) is due.
    pub fn poll_timeout(&self) -> Option<Duration> {
        if self.ended {
            return None;
        }
        let echoes = self.global.values().copied();
        echoes.chain([self.link.deadline()]).min()
    }

    /// Does what is due.
    pub fn handle_timeout(&mut self, now: Duration) {
        if self.ended {
            return;
        }
        if let Some(probe) = self.link.handle_timeout(now) {
            self.send_probe(probe);
        }
        let missing = self.global.iter().filter(|(_, deadline)| **deadline <= now);
        let missing: Vec<_> = missing.map(|(id, _)| *id).collect();
        for id in missing {
            self.global.remove(&id);
            let state = State::Failed(Failure::NoEcho);
            self.emit(Event::State { id, state });
        }
        self.become_ready();
    }

    /// The connection has ended without a word from the server.
    pub fn handle_disconnected(&mut self, detail: &str) {
        if !self.ended {
            self.end(None, detail.to_owned());
        }
    }

    /// What the shell is to do next.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// How many of one's own messages have no outcome yet.
    pub fn unsettled(&self) -> usize {
        self.private.len().saturating_add(self.global.len())
    }

    fn handle_private(&mut self, message: IncomingPrivate) {
        let IncomingPrivate {
            number,
            from,
            id,
            sent_at_ms,
            envelope,
        } = message;
        match Envelope::decode(&envelope) {
            Ok(Some(Envelope::Text(text))) => self.emit(Event::Private {
                receipt: Receipt(number),
                from,
                id,
                sent_at_ms,
                text,
            }),
            Ok(None) | Err(_) => {
                self.emit(Event::Unreadable { from, id });
                self.unreadable.insert(number);
                // What came before it may still have to be taken.
                if number == self.taken.saturating_add(1) {
                    self.acknowledge(number);
                }
            }
        }
    }

    /// Acknowledges all up to a number, and what follows it and nobody can take.
    fn acknowledge(&mut self, number: u64) {
        self.taken = self.taken.max(number);
        while let Some(next) = self.taken.checked_add(1)
            && self.unreadable.contains(&next)
        {
            self.taken = next;
        }
        let up_to = self.taken;
        let later = up_to
            .checked_add(1)
            .map(|next| self.unreadable.split_off(&next));
        let unreadable = std::mem::replace(&mut self.unreadable, later.unwrap_or_default());
        self.send(ClientFrame::Acknowledge(Acknowledge {
            up_to,
            unreadable: unreadable.into_iter().collect(),
        }));
    }

    fn handle_global(&mut self, incoming: IncomingGlobal, via: Via) {
        match self.log.check(incoming.sequence) {
            Verdict::Newest | Verdict::Late => self.log.mark(incoming.sequence),
            Verdict::Seen | Verdict::TooOld => return,
        }
        let IncomingGlobal {
            sequence,
            from,
            message,
        } = incoming;
        if !self.show_once(from.key, message.id) {
            return;
        }
        let remembered = self.remembered.entry(from.name.clone()).or_insert(from.key);
        let verified = *remembered == from.key
            && global::verify(
                &self.config.root,
                &from.key,
                &message.id,
                message.sent_at_ms,
                &message.text,
                &message.signature,
            );
        // Only a true echo settles one's own message.
        let settled =
            verified && from.key == self.config.key && self.global.remove(&message.id).is_some();
        self.emit(Event::Global {
            from,
            id: message.id,
            sequence,
            sent_at_ms: message.sent_at_ms,
            text: message.text,
            via,
            verified,
        });
        if settled {
            self.emit(Event::State {
                id: message.id,
                state: State::Stored,
            });
        }
    }

    /// Whether a global message is none of the latest that were shown; it is one of them from now on.
    fn show_once(&mut self, sender: RemoteKey, id: MessageId) -> bool {
        if !self.shown.insert((sender, id)) {
            return false;
        }
        self.shown_order.push_back((sender, id));
        if self.shown_order.len() > MAX_SHOWN
            && let Some(oldest) = self.shown_order.pop_front()
        {
            self.shown.remove(&oldest);
        }
        true
    }

    fn send_global(&mut self, id: MessageId, sent_at_ms: i64, text: String) {
        let (root, key) = (&self.config.root, &self.config.key);
        let content = global::signed_content(root, key, &id, sent_at_ms, &text);
        let message = GlobalMessage {
            id,
            sent_at_ms,
            text,
            signature: (self.config.sign)(&content),
        };
        if self.link.state() == LinkState::Up {
            let plaintext = ClientDatagram::Global(message.clone()).encode();
            let mut datagram = Vec::new();
            if self.sealer.seal(&plaintext, &mut datagram).is_ok() {
                self.outputs.push_back(Output::Datagram(datagram));
                return;
            }
        }
        self.send(ClientFrame::Global(message));
    }

    fn send_probe(&mut self, probe: Probe) {
        let mut datagram = Vec::new();
        let plaintext = ClientDatagram::Probe(probe).encode();
        if self.sealer.seal(&plaintext, &mut datagram).is_ok() {
            self.outputs.push_back(Output::Datagram(datagram));
        }
    }

    /// Whether they were not known to be here.
    fn add_person(&mut self, person: Person) -> bool {
        self.remembered
            .entry(person.name.clone())
            .or_insert(person.key);
        self.people.insert(person.name.clone(), person).is_none()
    }

    fn become_ready(&mut self) {
        let link = self.link.state();
        let wait = link == LinkState::Trying && self.held.len() < MAX_HELD;
        if self.ready || !self.roster_complete || wait {
            return;
        }
        self.ready = true;
        self.outputs.push_back(Output::Event(Event::Ready {
            name: self.name.clone(),
            datagrams: link == LinkState::Up,
        }));
        for event in std::mem::take(&mut self.held) {
            self.emit(event);
        }
    }

    /// The end: what has no outcome has failed, as far as anyone can tell.
    fn end(&mut self, code: Option<recado_proto::frame::ClosingCode>, detail: String) {
        let private = std::mem::take(&mut self.private).into_iter();
        let global = std::mem::take(&mut self.global).into_keys();
        for id in private.chain(global) {
            let state = State::Failed(Failure::ConnectionLost);
            self.emit(Event::State { id, state });
        }
        for event in std::mem::take(&mut self.held) {
            self.outputs.push_back(Output::Event(event));
        }
        self.ready = true;
        self.emit(Event::Closed { code, detail });
        self.ended = true;
    }

    fn emit(&mut self, event: Event) {
        if self.ready {
            self.outputs.push_back(Output::Event(event));
        } else {
            self.held.push(event);
        }
    }

    fn send(&mut self, frame: ClientFrame) {
        self.outputs.push_back(Output::Frame(frame));
    }
}

#[cfg(test)]
mod tests;
