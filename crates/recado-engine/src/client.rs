//! The client: one door for each kind of input, one out ([`Client::poll_output`]).

use std::collections::VecDeque;
use std::time::Duration;

use recado_proto::datagram::SessionSecret;
use recado_proto::frame::{ClientFrame, Person, ServerFrame, Welcome};
use recado_proto::id::StoreId;
use recado_proto::name::NameKeys;

use crate::engine::{self, Engine, WelcomeError};
use crate::event::{Command, CommandError, Event};
use crate::lasting::{ClientConfig, Lasting};
use crate::liveness::{Due, Liveness};
use crate::mail::{self, Answer, Entry, Mail, MailState, Write};

/// Entries without a number that a client is to be given at most: what it numbers in a moment, and little enough to hold.
pub const ENTRIES_AHEAD: usize = 1024;

/// What the shell is to do, in order.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Output {
    /// Send this frame.
    Frame(ClientFrame),
    /// Send this datagram.
    Datagram(Vec<u8>),
    /// Hand this to whoever uses the client.
    Event(Event),
    /// Write this down, all of it or nothing, and say so by [`Client::handle_committed`]. The next comes after that.
    /// If it cannot be written, the client is to be made anew from the database.
    Commit(Vec<Write>),
    /// The database is an old copy of what the server has seen: it becomes this store, everything under way loses its
    /// number, and the client is to be made anew from it.
    Restart(StoreId),
}

/// A client's decisions.
pub struct Client {
    session: Session,
    mail: Mail,
    outputs: VecDeque<Output>,
}

/// Whether there is a session.
enum Session {
    Away(Box<Lasting>),
    Open(Box<Engine>, Liveness),
    /// Only while one becomes the other.
    Changing,
}

impl Client {
    /// A client without a session. `state` is what its database knows.
    pub fn new(config: ClientConfig, state: MailState) -> Self {
        let remembered = state.outgoing.iter().filter_map(|lane| {
            let name = lane.name.clone();
            lane.key.map(|key| Person { name, key })
        });
        let (own, manual) = (config.key, config.manual);
        let lasting = Lasting::new(config, remembered);
        Self {
            session: Session::Away(Box::new(lasting)),
            mail: Mail::new(state, own, manual),
            outputs: VecDeque::new(),
        }
    }

    /// A session begins; `secret` is what the TLS exporter gave for it.
    ///
    /// # Errors
    /// [`WelcomeError`]; the connection is to be closed, and there is no session.
    pub fn handle_welcome(
        &mut self,
        now: Duration,
        welcome: Welcome,
        secret: SessionSecret,
    ) -> Result<(), WelcomeError> {
        self.handle_disconnected("another session begins");
        let Session::Away(lasting) = std::mem::replace(&mut self.session, Session::Changing) else {
            return Ok(());
        };
        match Engine::new(now, lasting, welcome, secret) {
            Ok(engine) => {
                self.session = Session::Open(Box::new(engine), Liveness::new(now));
                self.mail.handle_connected(now);
                Ok(())
            }
            Err((error, lasting)) => {
                self.session = Session::Away(lasting);
                Err(error)
            }
        }
    }

    /// Takes a frame from the server.
    pub fn handle_frame(&mut self, now: Duration, frame: ServerFrame) {
        let Session::Open(engine, liveness) = &mut self.session else {
            return;
        };
        liveness.handle_heard(now);
        let draw = &mut engine.lasting_mut().config.draw;
        match self.mail.handle_frame(now, frame, draw) {
            Ok(None | Some(ServerFrame::Pong)) => {}
            Ok(Some(ServerFrame::Ping)) => engine.send(ClientFrame::Pong),
            Ok(Some(frame)) => engine.handle_frame(now, frame),
            Err(fault) => engine.end(None, fault.to_string()),
        }
        self.look_at_stock();
        self.leave_if_ended();
    }

    /// Takes a datagram, opening it in place. What does not authenticate is nothing.
    pub fn handle_datagram(&mut self, now: Duration, datagram: &mut [u8]) {
        if let Session::Open(engine, _) = &mut self.session {
            engine.handle_datagram(now, datagram);
        }
    }

    /// Takes a command.
    ///
    /// # Errors
    /// [`CommandError`]; nothing was done.
    pub fn handle_command(&mut self, now: Duration, command: Command) -> Result<(), CommandError> {
        command.check()?;
        match (command, &mut self.session) {
            // Not the client's.
            (Command::File(_), _) => {}
            (Command::Take(receipt), _) => self.mail.take(receipt),
            (Command::Trust { name }, _) => {
                if !self.mail.trust(&NameKeys::of(&name).folded) {
                    return Err(CommandError::NoOtherKey);
                }
            }
            (
                Command::Global {
                    id,
                    sent_at_ms,
                    text,
                    reference,
                },
                session,
            ) => match session {
                Session::Open(engine, _) => engine.say(now, id, sent_at_ms, text, reference),
                // It waits for the next session.
                Session::Away(lasting) => {
                    lasting.say(id, sent_at_ms, text, reference);
                }
                Session::Changing => {}
            },
            (Command::Meet { name }, Session::Open(..)) => self.mail.meet(&name),
            (Command::Who, Session::Open(engine, _)) => engine.report_people(),
            (Command::Link, Session::Open(engine, _)) => engine.report_link(),
            (Command::Measure, Session::Open(engine, _)) => engine.measure(now),
            (Command::Block { name, blocked }, Session::Open(engine, _)) => {
                engine.block(name, blocked);
            }
            (
                Command::Who
                | Command::Link
                | Command::Measure
                | Command::Meet { .. }
                | Command::Block { .. },
                _,
            ) => {
                return Err(CommandError::Away);
            }
        }
        Ok(())
    }

    /// Takes private messages that are written down and have no number, in order, each once.
    pub fn handle_entered(&mut self, entries: Vec<Entry>) {
        self.mail.handle_entered(entries);
    }

    /// How many of those have no number yet: at most [`ENTRIES_AHEAD`] are to be given.
    pub fn queued(&self) -> usize {
        self.mail.queued()
    }

    /// How many of one's own global messages have not come back.
    pub fn unechoed(&self) -> usize {
        match &self.session {
            Session::Away(lasting) => lasting.global.len(),
            Session::Open(engine, _) => engine.lasting().global.len(),
            Session::Changing => 0,
        }
    }

    /// The commit under way has returned. `answers` are those of its writes that have one, in order.
    pub fn handle_committed(&mut self, answers: Vec<Answer>) {
        self.mail.handle_committed(answers);
        self.look_at_stock();
    }

    /// Whoever is ready can be written to, also once they have gone.
    fn look_at_stock(&mut self) {
        if let Session::Open(engine, _) = &mut self.session
            && self.mail.has_stock()
        {
            engine.become_reachable();
        }
    }

    /// The connection has ended without a word from the server.
    pub fn handle_disconnected(&mut self, detail: &str) {
        if let Session::Open(engine, _) = &mut self.session {
            engine.end(None, detail.to_owned());
        }
        self.leave_if_ended();
    }

    /// When [`handle_timeout`](Self::handle_timeout) is due.
    pub fn poll_timeout(&self) -> Option<Duration> {
        let Session::Open(engine, liveness) = &self.session else {
            return None;
        };
        let alive = liveness.deadline(self.is_waiting());
        let due = [engine.poll_timeout(), self.mail.poll_timeout(), Some(alive)];
        due.into_iter().flatten().min()
    }

    /// Does what is due.
    pub fn handle_timeout(&mut self, now: Duration) {
        let waiting = self.is_waiting();
        let Session::Open(engine, liveness) = &mut self.session else {
            return;
        };
        match liveness.handle_timeout(now, waiting) {
            Due::Nothing => {}
            Due::Ping => engine.send(ClientFrame::Ping),
            Due::Lost => engine.end(None, "the server does not answer".to_owned()),
        }
        engine.handle_timeout(now);
        self.mail.handle_timeout(now);
        self.leave_if_ended();
    }

    /// What the shell is to do next.
    pub fn poll_output(&mut self) -> Option<Output> {
        loop {
            if let Some(output) = self.outputs.pop_front() {
                return Some(output);
            }
            if let Session::Open(engine, _) = &mut self.session
                && let Some(output) = engine.poll_output()
            {
                return Some(output.into());
            }
            match (self.mail.poll_output()?, &mut self.session) {
                (mail::Output::Commit(writes), _) => return Some(Output::Commit(writes)),
                (mail::Output::Restart(store), _) => return Some(Output::Restart(store)),
                // In order with the session's own, and not before it is ready.
                (mail::Output::Event(event), Session::Open(engine, _)) => engine.emit(event),
                (mail::Output::Event(event), Session::Away(lasting)) if !lasting.was_ready => {
                    lasting.held.push(event);
                }
                (mail::Output::Event(event), _) => return Some(Output::Event(event)),
                (mail::Output::Frame(frame), Session::Open(..)) => {
                    return Some(Output::Frame(frame));
                }
                // Of a session that is over.
                (mail::Output::Frame(_), _) => {}
            }
        }
    }

    /// Whether the server owes an answer.
    fn is_waiting(&self) -> bool {
        self.mail.is_waiting() || self.unechoed() > 0
    }

    /// Where the session has ended, its last words are kept, and what outlives it.
    fn leave_if_ended(&mut self) {
        let Session::Open(engine, _) = &mut self.session else {
            return;
        };
        if !engine.is_ended() {
            return;
        }
        while let Some(output) = engine.poll_output() {
            self.outputs.push_back(output.into());
        }
        self.mail.handle_disconnected();
        let ended = std::mem::replace(&mut self.session, Session::Changing);
        if let Session::Open(engine, _) = ended {
            self.session = Session::Away(engine.into_lasting());
        }
    }
}

impl From<engine::Output> for Output {
    fn from(output: engine::Output) -> Self {
        match output {
            engine::Output::Frame(frame) => Self::Frame(frame),
            engine::Output::Datagram(bytes) => Self::Datagram(bytes),
            engine::Output::Event(event) => Self::Event(event),
        }
    }
}

#[cfg(test)]
mod tests {
    use recado_proto::PROTOCOL_VERSION;
    use recado_proto::datagram::{EXPORTER_LENGTH, Side};
    use recado_proto::fingerprint::Fingerprint;
    use recado_proto::frame::{IncomingLane, IncomingPrivate, Presence, Roster};
    use recado_proto::id::{ConnectionId, LogId, MessageId, RemoteKey, SessionId, Signature};

    use super::*;
    use crate::mail::{Arrival, Arrived};

    fn client() -> Client {
        let config = ClientConfig {
            root: Fingerprint::from_bytes([1; 32]),
            key: RemoteKey::from_bytes([2; 32]),
            sign: Box::new(|_| Signature::from_bytes([0; 64])),
            manual: false,
            draw: Box::new(|| StoreId::from_bytes([3; 16])),
        };
        let state = MailState {
            store: StoreId::from_bytes([4; 16]),
            outgoing: Vec::new(),
            incoming: Vec::new(),
        };
        Client::new(config, state)
    }

    fn connect(client: &mut Client, now: Duration) {
        let secret = || SessionSecret::new([5; EXPORTER_LENGTH]);
        let welcome = Welcome {
            version: PROTOCOL_VERSION,
            session: SessionId::from_bytes([6; 16]),
            connection: ConnectionId(7),
            datagram_check: secret().check(Side::Server).as_bytes().to_vec(),
            name: "Alice".to_owned(),
            log: LogId::from_bytes([8; 8]),
            log_sequence: 0,
        };
        client.handle_welcome(now, welcome, secret()).unwrap();
    }

    fn bob() -> Person {
        Person {
            name: "Bob".to_owned(),
            key: RemoteKey::from_bytes([9; 32]),
        }
    }

    /// What is told, with every commit done.
    fn told(client: &mut Client) -> Vec<&'static str> {
        let mut told = Vec::new();
        while let Some(output) = client.poll_output() {
            match output {
                Output::Commit(_) => {
                    let text = "Olá".to_owned();
                    let arrival = Arrival {
                        what: Arrived::Text {
                            text,
                            sent_at_ms: 0,
                        },
                        has_group: true,
                        handshake_due: false,
                    };
                    client.handle_committed(vec![Answer::Received(Box::new(arrival))]);
                }
                Output::Event(Event::Ready { .. }) => told.push("ready"),
                Output::Event(Event::Private { .. }) => told.push("private"),
                Output::Event(Event::Presence { .. }) => told.push("presence"),
                Output::Event(Event::Closed { .. }) => told.push("closed"),
                _ => {}
            }
        }
        told
    }

    #[test]
    fn what_came_before_any_session_was_ready_is_told_in_order_behind_the_first_that_is() {
        let (mut client, second) = (client(), Duration::from_secs(1));
        connect(&mut client, second);
        let (joined, left) = (vec![bob()], vec![]);
        let came = ServerFrame::Presence(Presence { joined, left });
        client.handle_frame(second, came);
        client.handle_frame(
            second,
            ServerFrame::IncomingLane(IncomingLane {
                lane: 1,
                from: bob(),
                store: StoreId::from_bytes([10; 16]),
                settled: 0,
            }),
        );
        client.handle_frame(
            second,
            ServerFrame::Private(IncomingPrivate {
                lane: 1,
                number: 1,
                id: MessageId::from_bytes([11; 16]),
                sent_at_ms: 0,
                envelope: vec![1],
                dropped: None,
            }),
        );
        assert_eq!(told(&mut client), [""; 0]);
        client.handle_disconnected("gone");
        assert_eq!(told(&mut client), ["closed"]);
        connect(&mut client, 2 * second);
        let (people, last) = (vec![], true);
        let roster = ServerFrame::Roster(Roster { people, last });
        client.handle_frame(2 * second, roster);
        assert_eq!(told(&mut client), [""; 0]);
        // Key packages are waited for a little longer than datagrams.
        client.handle_timeout(4 * second);
        assert_eq!(told(&mut client), [""; 0]);
        client.handle_timeout(7 * second);
        assert_eq!(told(&mut client), ["ready", "presence", "private"]);
    }
}
