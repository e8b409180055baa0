//! The client: one door for each kind of input, one out ([`Client::poll_output`]).

use std::collections::VecDeque;
use std::time::Duration;

use recado_proto::datagram::SessionSecret;
use recado_proto::frame::{ClientFrame, Person, ServerFrame, Welcome};
use recado_proto::id::StoreId;
use recado_proto::name::NameKeys;

use crate::engine::{self, Engine, MAX_HELD, WelcomeError};
use crate::event::{Command, CommandError, Event};
use crate::lasting::{ClientConfig, Lasting};
use crate::liveness::{Due, Liveness};
use crate::mail::{self, Entry, Mail, MailState, Write};

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
    /// What became of private messages before the first session was ready: a later one may still be the first.
    held: VecDeque<Event>,
    was_ready: bool,
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
        let manual = config.manual;
        let lasting = Lasting::new(config, remembered);
        Self {
            session: Session::Away(Box::new(lasting)),
            mail: Mail::new(state, manual),
            held: VecDeque::new(),
            was_ready: false,
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
                self.mail.handle_connected();
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
            (Command::Who, Session::Open(engine, _)) => engine.report_people(),
            (Command::Link, Session::Open(engine, _)) => engine.report_link(),
            (Command::Measure, Session::Open(engine, _)) => engine.measure(now),
            (Command::Block { name, blocked }, Session::Open(engine, _)) => {
                engine.block(name, blocked);
            }
            (Command::Who | Command::Link | Command::Measure | Command::Block { .. }, _) => {
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

    /// The commit under way has returned. `answers` are those of its [`Write::Receive`] and [`Write::Number`], in order.
    pub fn handle_committed(&mut self, answers: &[bool]) {
        self.mail.handle_committed(answers);
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
        let output = self.next_output()?;
        if let Output::Event(Event::Ready { .. }) = &output
            && !self.was_ready
        {
            self.was_ready = true;
            let held = std::mem::take(&mut self.held).into_iter().rev();
            held.for_each(|event| self.outputs.push_front(Output::Event(event)));
        }
        Some(output)
    }

    fn next_output(&mut self) -> Option<Output> {
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
                (mail::Output::Event(event), session) if !self.was_ready => {
                    self.held.push_back(event);
                    if let Session::Open(engine, _) = session
                        && self.held.len() >= MAX_HELD
                    {
                        engine.hurry();
                    }
                }
                // In order with the session's own, and not before it is ready.
                (mail::Output::Event(event), Session::Open(engine, _)) => engine.emit(event),
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
