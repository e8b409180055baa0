//! The engine: doors in are the `handle_` methods, the one out is [`Engine::poll_output`].

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use recado_proto::PROTOCOL_VERSION;
use recado_proto::datagram::{Opener, Sealer, SessionSecret, Side};
use recado_proto::fingerprint::Fingerprint;
use recado_proto::frame::{
    Acknowledge, ClientDatagram, ClientFrame, Envelope, GlobalMessage, GlobalRefused,
    IncomingGlobal, IncomingPrivate, Person, Presence, PrivateMessage, Roster, ServerDatagram,
    ServerFrame, Welcome,
};
use recado_proto::global;
use recado_proto::id::{MessageId, RemoteKey, Signature};

use crate::event::{
    Command, CommandError, Event, Failure, LinkReport, LinkState, Receipt, State, Via,
};
use crate::global_log::{Arrival, GlobalLog};
use crate::link::{Link, Step};

/// How long the echo of a message that went by datagram is awaited, before it is repeated by frame and the link
/// is put to the test: three round trips of a slow link.
const ECHO_TIME: Duration = Duration::from_millis(300);

/// The same for one that went by frame: the connection is reliable, but an overloaded server drops echoes.
const FRAME_ECHO_TIME: Duration = Duration::from_secs(5);

/// How long a global message is repeated before it counts as failed. By then TCP has given a dead connection up.
const GIVE_UP: Duration = Duration::from_secs(90);

/// Events that may be held back for [`Event::Ready`], which then comes at once.
const MAX_HELD: usize = 4096;

/// Global messages that are remembered as shown, 48 bytes each, twice: as many as the server remembers.
const MAX_SHOWN: usize = 65_536;

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
    log: GlobalLog,
    counts: Counts,
    /// What was last told of the link.
    told: LinkState,
    /// The latest global messages, so that none is shown again under another number.
    shown: BTreeSet<(RemoteKey, MessageId)>,
    shown_order: VecDeque<(RemoteKey, MessageId)>,
    /// Private messages were acknowledged up to this number.
    taken: u64,
    /// Numbers above it that cannot be read.
    unreadable: BTreeSet<u64>,
    /// One's own private messages without an outcome.
    private: BTreeSet<MessageId>,
    /// One's own global messages without an echo.
    global: BTreeMap<MessageId, Unconfirmed>,
    /// How many were entered in all.
    said: u64,
    /// When the next of those that wait may be sent.
    hold_until: Duration,
    ended: bool,
    outputs: VecDeque<Output>,
}

/// One's own global message whose echo has not come.
struct Unconfirmed {
    message: GlobalMessage,
    /// Which of one's own it is: they are sent in order.
    order: u64,
    /// It was refused, or waits behind one that was: it is sent when its turn comes.
    waits: bool,
    /// When it is repeated.
    repeat_at: Duration,
    /// When it counts as failed.
    give_up_at: Duration,
    /// Whether it was sent by datagram and nothing has told since that it came.
    by_datagram: bool,
}

impl Unconfirmed {
    /// It has just been sent.
    fn sent(&mut self, now: Duration, by_datagram: bool, rtt: Option<Duration>) {
        let wait = match by_datagram {
            // On a slow link its echo takes its time.
            true => ECHO_TIME.max(rtt.unwrap_or_default().saturating_mul(2)),
            false => FRAME_ECHO_TIME,
        };
        self.waits = false;
        self.by_datagram = by_datagram;
        self.repeat_at = now.saturating_add(wait);
        self.give_up_at = now.saturating_add(GIVE_UP);
    }

    /// It was refused: it waits for its turn, however long that takes.
    fn refuse(&mut self) {
        self.waits = true;
        self.by_datagram = false;
        self.give_up_at = Duration::MAX;
    }
}

/// How global messages came.
#[derive(Default)]
struct Counts {
    by_datagram: u64,
    by_frame: u64,
    repaired: u64,
    late: u64,
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
            log: GlobalLog::new(welcome.log_sequence),
            counts: Counts::default(),
            told: LinkState {
                up: false,
                down: false,
                rtt: None,
            },
            shown: BTreeSet::new(),
            shown_order: VecDeque::new(),
            taken: 0,
            unreadable: BTreeSet::new(),
            private: BTreeSet::new(),
            global: BTreeMap::new(),
            said: 0,
            hold_until: Duration::ZERO,
            ended: false,
            outputs: VecDeque::new(),
        };
        engine.send(ClientFrame::DatagramConfirm(confirm));
        engine.handle_timeout(now);
        Ok(engine)
    }

    /// Takes a frame from the server.
    pub fn handle_frame(&mut self, now: Duration, frame: ServerFrame) {
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
                if outcome.result.is_ok() {
                    // A global message that was repeated so late that the log does not hold it any more.
                    self.settle(outcome.id);
                }
                if self.private.remove(&outcome.id) {
                    let state = match outcome.result {
                        Ok(()) => State::Delivered,
                        Err(code) => State::Failed(code.into()),
                    };
                    let id = outcome.id;
                    self.emit(Event::State { id, state });
                }
            }
            ServerFrame::Global(message) => self.handle_global(now, message, Via::Tcp),
            ServerFrame::GlobalHead(head) => self.log.learn_head(now, head),
            ServerFrame::GlobalGone(range) => {
                for hole in self.log.give_up(now, range) {
                    self.emit_hole(hole);
                }
            }
            ServerFrame::GlobalHistory(messages) => {
                for message in messages {
                    if self.show_once(message.from.key, message.message.id) {
                        let arrival = Arrival {
                            late: false,
                            repaired: false,
                        };
                        self.show_global(message, Via::Tcp, arrival, true);
                    }
                }
            }
            ServerFrame::GlobalRefused(GlobalRefused { id, retry_in_ms }) => {
                if let Some(own) = self.global.get_mut(&id) {
                    own.refuse();
                    let wait = Duration::from_millis(retry_in_ms).min(GIVE_UP);
                    self.hold_until = self.hold_until.max(now.saturating_add(wait));
                }
            }
            ServerFrame::ProbeHeard(nonce) => self.link.handle_heard(now, nonce),
            ServerFrame::PathUnconfirmed => self.link.handle_unconfirmed(now),
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
        self.link.handle_datagram(now);
        match ServerDatagram::decode(opened.plaintext) {
            Err(_) | Ok(None) => {}
            Ok(Some(ServerDatagram::ProbeAnswer(answer))) => {
                let probe = self.link.handle_answer(now, answer);
                self.do_step(Step {
                    probe,
                    ..Step::default()
                });
            }
            Ok(Some(ServerDatagram::Global(message))) => self.handle_global(now, message, Via::Udp),
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
                self.send_new_global(now, id, sent_at_ms, text);
            }
            Command::Link => {
                let (probes, answers) = self.link.probes();
                self.emit(Event::LinkReport(LinkReport {
                    state: self.link_state(),
                    probes,
                    answers,
                    by_datagram: self.counts.by_datagram,
                    by_frame: self.counts.by_frame,
                    repaired: self.counts.repaired,
                    late: self.counts.late,
                    rejected: self.opener.rejected(),
                }));
            }
            Command::Measure => self.link.measure(now),
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
        let sent = self.global.values().filter(|own| !own.waits);
        let repeats = sent.map(|own| own.repeat_at.min(own.give_up_at));
        let turn = self.next_in_turn().map(|_| self.hold_until);
        let log = self.log.deadline();
        repeats
            .chain(turn)
            .chain(log)
            .chain([self.link.deadline()])
            .min()
    }

    /// Does what is due.
    pub fn handle_timeout(&mut self, now: Duration) {
        if self.ended {
            return;
        }
        let step = self.link.handle_timeout(now);
        self.do_step(step);
        self.repeat_globals(now);
        if let Some(ranges) = self.log.handle_timeout(now) {
            // What is missing at the end of a burst was lost on the way here, with nothing after it.
            if self.log.is_missing_its_end() {
                self.link.suspect(now);
            }
            self.send(ClientFrame::GlobalRequest(ranges));
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

    fn handle_global(&mut self, now: Duration, incoming: IncomingGlobal, via: Via) {
        let Some(arrival) = self.log.receive(now, incoming.sequence) else {
            // A repeated echo says so much: the message is in the log.
            self.settle_echo(&incoming);
            return;
        };
        match via {
            Via::Udp => self.counts.by_datagram = self.counts.by_datagram.saturating_add(1),
            Via::Tcp => self.counts.by_frame = self.counts.by_frame.saturating_add(1),
        }
        self.counts.repaired = self.counts.repaired.saturating_add(arrival.repaired.into());
        self.counts.late = self.counts.late.saturating_add(arrival.late.into());
        if self.show_once(incoming.from.key, incoming.message.id) {
            self.show_global(incoming, via, arrival, false);
        }
        while let Some(hole) = self.log.overflow() {
            self.emit_hole(hole);
        }
    }

    fn show_global(
        &mut self,
        incoming: IncomingGlobal,
        via: Via,
        arrival: Arrival,
        replayed: bool,
    ) {
        let verified = self.verify(&incoming);
        let own = verified && incoming.from.key == self.config.key;
        let IncomingGlobal {
            sequence,
            from,
            message,
        } = incoming;
        let id = message.id;
        self.emit(Event::Global {
            from,
            id,
            sequence,
            sent_at_ms: message.sent_at_ms,
            text: message.text,
            via,
            replayed,
            late: arrival.late,
            verified,
        });
        if own {
            self.settle(id);
        }
    }

    /// Whether a message carries the signature of the key that is remembered for its sender's name.
    fn verify(&mut self, incoming: &IncomingGlobal) -> bool {
        let IncomingGlobal { from, message, .. } = incoming;
        let remembered = self.remembered.entry(from.name.clone()).or_insert(from.key);
        *remembered == from.key
            && global::verify(
                &self.config.root,
                &from.key,
                &message.id,
                message.sent_at_ms,
                &message.text,
                &message.signature,
            )
    }

    fn settle_echo(&mut self, incoming: &IncomingGlobal) {
        let own = incoming.from.key == self.config.key;
        if own && self.global.contains_key(&incoming.message.id) && self.verify(incoming) {
            self.settle(incoming.message.id);
        }
    }

    /// One's own message is in the log.
    fn settle(&mut self, id: MessageId) {
        if self.global.remove(&id).is_some() {
            let state = State::Stored;
            self.emit(Event::State { id, state });
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

    fn send_new_global(&mut self, now: Duration, id: MessageId, sent_at_ms: i64, text: String) {
        let (root, key) = (&self.config.root, &self.config.key);
        let content = global::signed_content(root, key, &id, sent_at_ms, &text);
        let message = GlobalMessage {
            id,
            sent_at_ms,
            text,
            signature: (self.config.sign)(&content),
        };
        self.said = self.said.saturating_add(1);
        let mut own = Unconfirmed {
            message,
            order: self.said,
            waits: true,
            repeat_at: now,
            give_up_at: Duration::MAX,
            by_datagram: false,
        };
        // Behind one that waits for its turn, all do.
        if !self.global.values().any(|own| own.waits) {
            let by_datagram = self.link.up() && self.send_datagram(&own.message);
            if !by_datagram {
                self.send(ClientFrame::Global(own.message.clone()));
            }
            own.sent(now, by_datagram, self.link.rtt());
        }
        self.global.insert(id, own);
    }

    /// The oldest of those that wait, unless one of them has just been sent and its fate is not known: they go one
    /// by one, so that one refusal is not followed by as many as there are.
    fn next_in_turn(&self) -> Option<MessageId> {
        let waiting = self.global.iter().filter(|(_, own)| own.waits);
        let (id, oldest) = waiting.min_by_key(|(_, own)| own.order)?;
        let mut sent = self.global.values().filter(|own| !own.waits);
        let is_pending = sent.any(|own| own.order < oldest.order);
        (!is_pending).then_some(*id)
    }

    /// Whether the message fits a datagram; it has then been sent.
    fn send_datagram(&mut self, message: &GlobalMessage) -> bool {
        let plaintext = ClientDatagram::Global(message.clone()).encode();
        let mut datagram = Vec::new();
        let sealed = self.sealer.seal(&plaintext, &mut datagram).is_ok();
        if sealed {
            self.outputs.push_back(Output::Datagram(datagram));
        }
        sealed
    }

    /// Repeats, by frame and under the same id, what has not come back; gives up what never did.
    fn repeat_globals(&mut self, now: Duration) {
        let (mut repeated, mut failed) = (Vec::new(), Vec::new());
        let mut suspicious = false;
        for (id, own) in self.global.iter_mut().filter(|(_, own)| !own.waits) {
            if own.give_up_at <= now {
                failed.push(*id);
            } else if own.repeat_at <= now {
                suspicious |= std::mem::take(&mut own.by_datagram);
                own.repeat_at = now.saturating_add(FRAME_ECHO_TIME);
                repeated.push(own.message.clone());
            }
        }
        if self.hold_until <= now
            && let Some(own) = self.next_in_turn().and_then(|id| self.global.get_mut(&id))
        {
            own.sent(now, false, None);
            repeated.push(own.message.clone());
        }
        if suspicious {
            self.link.suspect(now);
        }
        for message in repeated {
            self.send(ClientFrame::Global(message));
        }
        for id in failed {
            self.global.remove(&id);
            let state = State::Failed(Failure::NoEcho);
            self.emit(Event::State { id, state });
        }
    }

    fn do_step(&mut self, step: Step) {
        if let Some(probe) = step.probe {
            let mut datagram = Vec::new();
            let plaintext = ClientDatagram::Probe(probe).encode();
            if self.sealer.seal(&plaintext, &mut datagram).is_ok() {
                self.outputs.push_back(Output::Datagram(datagram));
            }
        }
        if step.ask {
            self.send(ClientFrame::DatagramProbe);
        }
        if step.lost {
            self.send(ClientFrame::DatagramsLost);
        }
        if let Some(measured) = step.measured {
            self.emit(Event::Measured(measured));
        }
    }

    fn link_state(&self) -> LinkState {
        LinkState {
            up: self.link.up(),
            down: self.link.down(),
            rtt: self.link.rtt(),
        }
    }

    fn emit_hole(&mut self, hole: recado_proto::frame::Range) {
        let (first, last) = (hole.first, hole.last);
        self.emit(Event::Hole { first, last });
    }

    /// Whether they were not known to be here.
    fn add_person(&mut self, person: Person) -> bool {
        self.remembered
            .entry(person.name.clone())
            .or_insert(person.key);
        self.people.insert(person.name.clone(), person).is_none()
    }

    /// Tells that the session is ready, once it is; and from then on how the link changes.
    fn become_ready(&mut self) {
        let link = self.link_state();
        if self.ready {
            if (link.up, link.down) != (self.told.up, self.told.down) && !self.ended {
                self.told = link;
                self.emit(Event::Link(link));
            }
            return;
        }
        let wait = !self.link.is_decided() && self.held.len() < MAX_HELD;
        if !self.roster_complete || wait {
            return;
        }
        self.ready = true;
        self.told = link;
        self.outputs.push_back(Output::Event(Event::Ready {
            name: self.name.clone(),
            link,
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
