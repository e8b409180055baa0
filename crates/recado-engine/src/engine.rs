//! The engine: doors in are the `handle_` methods, the one out is [`Engine::poll_output`].

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use recado_proto::PROTOCOL_VERSION;
use recado_proto::datagram::{Opener, Sealer, SessionSecret, Side};
use recado_proto::frame::{
    Block, ClientDatagram, ClientFrame, GlobalMessage, GlobalRefusalCode, GlobalRefused,
    IncomingGlobal, Person, Presence, Roster, ServerDatagram, ServerFrame, Welcome,
};
use recado_proto::global;
use recado_proto::id::{LogId, MessageId};

use crate::event::{Event, Failure, LinkReport, LinkState, State, Via};
use crate::global_log::{Arrival, GlobalLog};
use crate::lasting::{FRAME_ECHO_TIME, GIVE_UP, Lasting};
use crate::link::{Link, Step};

/// How long a session waits for its key packages to be at the server before it is ready without. Those of someone who
/// comes for the first time are made first, which takes a moment.
const STOCK_TIME: Duration = Duration::from_secs(5);

/// Events that may be held back for [`Event::Ready`], which then comes at once.
const MAX_HELD: usize = 4096;

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
pub(crate) enum Output {
    /// Send this frame.
    Frame(ClientFrame),
    /// Send this datagram.
    Datagram(Vec<u8>),
    /// Hand this to whoever uses the client.
    Event(Event),
}

/// A session's decisions.
pub(crate) struct Engine {
    name: String,
    sealer: Sealer,
    opener: Opener,
    link: Link,
    people: BTreeMap<String, Person>,
    roster_complete: bool,
    ready: bool,
    /// Until when key packages are waited for; nothing once they are at the server, or are not waited for any more.
    stock_by: Option<Duration>,
    /// The server's log of global messages.
    log_id: LogId,
    /// Which of its numbers have come.
    log: GlobalLog,
    /// What was said before this session is known, or is asked for.
    continues: bool,
    lasting: Box<Lasting>,
    counts: Counts,
    /// What was last told of the link.
    told: LinkState,
    ended: bool,
    outputs: VecDeque<Output>,
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
    pub(crate) fn new(
        now: Duration,
        mut lasting: Box<Lasting>,
        welcome: Welcome,
        secret: SessionSecret,
    ) -> Result<Self, (WelcomeError, Box<Lasting>)> {
        if welcome.version != PROTOCOL_VERSION {
            return Err((WelcomeError::Version(welcome.version), lasting));
        }
        if !secret.check(Side::Server).matches(&welcome.datagram_check) {
            return Err((WelcomeError::DatagramKeys, lasting));
        }
        let confirm = secret.check(Side::Client).as_bytes().to_vec();
        let (sealer, opener) = secret.into_pair(Side::Client, welcome.connection);
        let followed = lasting.log.take();
        let continues = followed.is_some();
        let is_new_log = followed.as_ref().is_some_and(|(id, _)| *id != welcome.log);
        let mut log = match followed {
            Some((id, log)) if id == welcome.log => log,
            // All that was said since the server began anew is wanted.
            Some(_) => GlobalLog::new(0),
            None => GlobalLog::new(welcome.log_sequence),
        };
        log.begin_session();
        log.learn_head(now, welcome.log_sequence);
        lasting.begin_session(now);
        let mut engine = Self {
            name: welcome.name,
            sealer,
            opener,
            link: Link::new(now),
            people: BTreeMap::new(),
            roster_complete: false,
            ready: false,
            stock_by: Some(now.saturating_add(STOCK_TIME)),
            log_id: welcome.log,
            log,
            continues,
            lasting,
            counts: Counts::default(),
            told: LinkState {
                up: false,
                down: false,
                rtt: None,
            },
            ended: false,
            outputs: VecDeque::new(),
        };
        if is_new_log {
            engine.emit(Event::LogLost);
        }
        engine.send(ClientFrame::DatagramConfirm(confirm));
        engine.handle_timeout(now);
        Ok(engine)
    }

    /// Takes a frame from the server.
    pub(crate) fn handle_frame(&mut self, now: Duration, frame: ServerFrame) {
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
            // One that was repeated so late that the log does not hold it any more.
            ServerFrame::GlobalTaken(id) => self.settle(id),
            ServerFrame::Blocked(blocked) => self.emit(Event::Blocked(blocked)),
            ServerFrame::Global(message) => self.handle_global(now, message, Via::Tcp),
            ServerFrame::GlobalHead(head) => self.log.learn_head(now, head),
            ServerFrame::GlobalGone(range) => {
                for hole in self.log.give_up(now, range) {
                    self.emit_hole(hole);
                }
            }
            ServerFrame::GlobalHistory(messages) => {
                let unknown = if self.continues { Vec::new() } else { messages };
                for message in unknown {
                    if self.lasting.show_once(message.from.key, message.message.id) {
                        let arrival = Arrival {
                            late: false,
                            repaired: false,
                        };
                        self.show_global(message, Via::Tcp, arrival, true);
                    }
                }
            }
            ServerFrame::GlobalRefused(GlobalRefused {
                id,
                code: GlobalRefusalCode::Muted,
                ..
            }) => self.fail(id, Failure::Muted),
            ServerFrame::GlobalRefused(GlobalRefused {
                id, retry_in_ms, ..
            }) => {
                if let Some(own) = self.lasting.global.get_mut(&id) {
                    own.refuse();
                    let wait = Duration::from_millis(retry_in_ms).min(GIVE_UP);
                    self.lasting.hold_until = self.lasting.hold_until.max(now.saturating_add(wait));
                }
            }
            ServerFrame::ProbeHeard(nonce) => self.link.handle_heard(now, nonce),
            ServerFrame::PathUnconfirmed => self.link.handle_unconfirmed(now),
            ServerFrame::Closing(closing) => self.end(Some(closing.code), closing.detail),
            // Not the engine's.
            ServerFrame::LaneOpened(_)
            | ServerFrame::LaneRefused(_)
            | ServerFrame::LaneProgress(_)
            | ServerFrame::PrivateRefused(_)
            | ServerFrame::IncomingLane(_)
            | ServerFrame::Private(_)
            | ServerFrame::RelayGranted(_)
            | ServerFrame::RelayRefused(_)
            | ServerFrame::KeyPackagesHeld(_)
            | ServerFrame::KeyPackagesLow(_)
            | ServerFrame::KeyPackage(_)
            | ServerFrame::KeyPackageRefused(_)
            | ServerFrame::KeyPackagesReady(_)
            | ServerFrame::Ping
            | ServerFrame::Pong => {}
        }
        self.become_ready();
    }

    /// Takes a datagram, opening it in place. What does not authenticate is nothing.
    pub(crate) fn handle_datagram(&mut self, now: Duration, datagram: &mut [u8]) {
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

    /// Others can write to whom this is, also once they have gone: their key packages are at the server.
    pub(crate) fn become_reachable(&mut self) {
        self.stock_by = None;
        self.become_ready();
    }

    /// How datagrams fare.
    pub(crate) fn report_link(&mut self) {
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

    /// How many datagrams pass.
    pub(crate) fn measure(&mut self, now: Duration) {
        self.link.measure(now);
    }

    /// Who is here.
    pub(crate) fn report_people(&mut self) {
        let people = self.people.values().cloned().collect();
        self.emit(Event::Roster(people));
    }

    /// Asks the server to refuse someone's messages, or to take them again.
    pub(crate) fn block(&mut self, name: String, blocked: bool) {
        self.send(ClientFrame::Block(Block { name, blocked }));
    }

    /// When [`handle_timeout`](Self::handle_timeout) is due.
    pub(crate) fn poll_timeout(&self) -> Option<Duration> {
        if self.ended {
            return None;
        }
        let sent = self.lasting.global.values().filter(|own| !own.waits);
        let repeats = sent.map(|own| own.repeat_at.min(own.give_up_at));
        let turn = self.next_in_turn().map(|_| self.lasting.hold_until);
        let log = self.log.deadline();
        repeats
            .chain(turn)
            .chain(log)
            .chain([self.link.deadline()])
            .chain(self.stock_by)
            .min()
    }

    /// Does what is due.
    pub(crate) fn handle_timeout(&mut self, now: Duration) {
        if self.ended {
            return;
        }
        self.stock_by = self.stock_by.filter(|by| now < *by);
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

    /// What the shell is to do next.
    pub(crate) fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// What outlives the session.
    pub(crate) fn into_lasting(self) -> Box<Lasting> {
        let mut lasting = self.lasting;
        lasting.log = Some((self.log_id, self.log));
        lasting
    }

    pub(crate) fn lasting(&self) -> &Lasting {
        &self.lasting
    }

    pub(crate) fn lasting_mut(&mut self) -> &mut Lasting {
        &mut self.lasting
    }

    pub(crate) fn is_ended(&self) -> bool {
        self.ended
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
        if self
            .lasting
            .show_once(incoming.from.key, incoming.message.id)
        {
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
        let own = verified && incoming.from.key == self.lasting.config.key;
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
            repaired: arrival.repaired,
            verified,
        });
        if own {
            self.settle(id);
        }
    }

    /// Whether a message carries the signature of the key that is remembered for its sender's name.
    fn verify(&mut self, incoming: &IncomingGlobal) -> bool {
        let IncomingGlobal { from, message, .. } = incoming;
        let remembered = self
            .lasting
            .remembered
            .entry(from.name.clone())
            .or_insert(from.key);
        *remembered == from.key
            && global::verify(
                &self.lasting.config.root,
                &from.key,
                &message.id,
                message.sent_at_ms,
                &message.text,
                &message.signature,
            )
    }

    fn settle_echo(&mut self, incoming: &IncomingGlobal) {
        let own = incoming.from.key == self.lasting.config.key;
        if own && self.lasting.global.contains_key(&incoming.message.id) && self.verify(incoming) {
            self.settle(incoming.message.id);
        }
    }

    /// One's own message is in the log.
    fn settle(&mut self, id: MessageId) {
        if let Some(own) = self.lasting.global.remove(&id) {
            self.emit(Event::State {
                id,
                reference: own.reference,
                state: State::Stored,
            });
        }
    }

    /// Says something to everyone, unless others wait before it.
    pub(crate) fn say(
        &mut self,
        now: Duration,
        id: MessageId,
        sent_at_ms: i64,
        text: String,
        reference: Option<String>,
    ) {
        // Behind one that waits for its turn, all do.
        if self.lasting.say(id, sent_at_ms, text, reference) {
            return;
        }
        let Some(own) = self.lasting.global.get(&id) else {
            return;
        };
        let message = own.message.clone();
        let by_datagram = self.link.up() && self.send_datagram(&message);
        if !by_datagram {
            self.send(ClientFrame::Global(message));
        }
        let rtt = self.link.rtt();
        if let Some(own) = self.lasting.global.get_mut(&id) {
            own.sent(now, by_datagram, rtt);
        }
    }

    /// The oldest of those that wait, unless one of them has just been sent and its fate is not known: they go one
    /// by one, so that one refusal is not followed by as many as there are.
    fn next_in_turn(&self) -> Option<MessageId> {
        let waiting = self.lasting.global.iter().filter(|(_, own)| own.waits);
        let (id, oldest) = waiting.min_by_key(|(_, own)| own.order)?;
        let mut sent = self.lasting.global.values().filter(|own| !own.waits);
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
        for (id, own) in self.lasting.global.iter_mut().filter(|(_, own)| !own.waits) {
            if own.give_up_at <= now {
                failed.push(*id);
            } else if own.repeat_at <= now {
                suspicious |= std::mem::take(&mut own.by_datagram);
                own.repeat_at = now.saturating_add(FRAME_ECHO_TIME);
                repeated.push(own.message.clone());
            }
        }
        if self.lasting.hold_until <= now
            && let Some(own) = self
                .next_in_turn()
                .and_then(|id| self.lasting.global.get_mut(&id))
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
            self.fail(id, Failure::NoEcho);
        }
    }

    /// One's own message to everyone has failed.
    fn fail(&mut self, id: MessageId, failure: Failure) {
        if let Some(own) = self.lasting.global.remove(&id) {
            self.emit(Event::State {
                id,
                reference: own.reference,
                state: State::Failed(failure),
            });
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
        self.lasting
            .remembered
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
        let wait = !(self.link.is_decided() && self.stock_by.is_none());
        let wait = wait && self.lasting.held.len() < MAX_HELD;
        if !self.roster_complete || wait {
            return;
        }
        self.ready = true;
        self.lasting.was_ready = true;
        self.told = link;
        self.outputs.push_back(Output::Event(Event::Ready {
            name: self.name.clone(),
            link,
        }));
        for event in std::mem::take(&mut self.lasting.held) {
            self.emit(event);
        }
    }

    /// The end of the session. What is held for the first that is ready waits for the next.
    pub(crate) fn end(&mut self, code: Option<recado_proto::frame::ClosingCode>, detail: String) {
        if self.lasting.was_ready {
            self.ready = true;
            for event in std::mem::take(&mut self.lasting.held) {
                self.outputs.push_back(Output::Event(event));
            }
        }
        let closed = Event::Closed { code, detail };
        self.outputs.push_back(Output::Event(closed));
        self.ended = true;
    }

    pub(crate) fn emit(&mut self, event: Event) {
        if self.ready {
            self.outputs.push_back(Output::Event(event));
        } else {
            self.lasting.held.push(event);
        }
    }

    pub(crate) fn send(&mut self, frame: ClientFrame) {
        self.outputs.push_back(Output::Frame(frame));
    }
}

#[cfg(test)]
mod tests;
