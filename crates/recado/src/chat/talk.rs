//! A chat that is open: what is entered goes in, what happens comes out, until its input ends, it is quit, or the
//! session ends.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io;
use std::time::Duration;

use recado_client::history::{Conversation, Item, Outgoing, Question};
use recado_client::session::{End, IncomingMail, Session, SessionError, Update, new_message_id};
use recado_client::trust::Trusted;
use recado_client::{Command, CommandError, Event, FileCommand, Receipt, State};
use recado_proto::frame::{ClosingCode, Person};
use recado_proto::id::MessageId;
use recado_proto::name::NameKeys;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::{Instant, sleep_until};

use super::input::{Fault, Input, Lines};
use super::now_ms;
use crate::context::Exit;

/// How long the end waits for what was entered to be stored.
const SETTLE_TIME: Duration = Duration::from_secs(10);

/// Messages of the past that are shown where nobody says how many: a screen's worth.
pub(super) const SCREEN: usize = 20;

/// How people or programs see a chat.
pub(super) trait Face {
    /// The session is open. Comes first.
    fn ready(&mut self, name: &str, trusted: &Trusted) -> io::Result<()>;

    /// There is a connection again.
    fn back(&mut self) -> io::Result<()>;

    /// There is none; it is tried again.
    fn away(&mut self, code: Option<ClosingCode>, detail: &str) -> io::Result<()>;

    /// A line was entered.
    fn line(&mut self, line: &str) -> io::Result<Action>;

    /// A line was entered that cannot be taken.
    fn bad_line(&mut self, fault: Fault) -> io::Result<()>;

    /// A message that [`line`](Self::line) asked for could not be entered.
    fn refused(&mut self, error: CommandError, reference: Option<String>) -> io::Result<()>;

    /// A command could not be done; or it was [`Command::Trust`], and was done.
    fn answer(&mut self, command: &Command, result: Result<(), CommandError>) -> io::Result<()>;

    /// Something happened. Whatever a private message's receipt stands for has been shown when this returns.
    fn event(&mut self, event: &Event) -> io::Result<()>;

    /// What became of a message of one's own.
    fn state(&mut self, own: &Own) -> io::Result<()>;

    /// The past that was asked for.
    fn past(&mut self, items: &[Item], reference: Option<String>) -> io::Result<()>;

    /// There is no message of this id to be acknowledged.
    fn nothing_to_acknowledge(&mut self, reference: Option<String>) -> io::Result<()>;

    /// These could not be written down: the disk is full.
    fn disk_full(&mut self, path: &str, lost: &[Outgoing]) -> io::Result<()>;

    /// So many were entered and are not stored: they are sent next time.
    fn left(&mut self, count: usize) -> io::Result<()>;

    /// The server ended the session for good.
    fn ended(&mut self, code: ClosingCode, detail: &str) -> io::Result<()>;

    /// The session could not go on.
    fn failed(&mut self, error: &SessionError) -> io::Result<()>;
}

/// What a line asks for.
pub(super) enum Action {
    /// Nothing more.
    Nothing,
    /// A message to one person, or to everyone.
    Say {
        to: Option<String>,
        text: String,
        reference: Option<String>,
    },
    /// A command; an event or [`Face::answer`] answers.
    Command(Command),
    /// Something with files; events answer.
    Files(Vec<FileCommand>),
    /// Refuse this person's messages, or take them again if they are refused.
    ToggleBlock(String),
    /// The past; [`Face::past`] answers.
    Ask(Question, Option<String>),
    /// A private message has been taken.
    Acknowledge(MessageId, Option<String>),
    /// The end, once everything is stored.
    Quit,
}

/// What became of a message of one's own.
#[derive(Clone)]
pub(super) struct Own {
    pub(super) id: MessageId,
    /// To whom, as typed; `None` is everyone.
    pub(super) to: Option<String>,
    /// Whether they are here.
    pub(super) is_here: bool,
    pub(super) reference: Option<String>,
    pub(super) state: State,
    /// Whether this process was told before that it is stored, or cannot know. What is delivered is stored, also where
    /// only that is told.
    pub(super) was_stored: bool,
}

/// How a chat begins.
#[derive(Clone, Copy)]
pub(super) struct Opening<'a> {
    pub(super) trusted: &'a Trusted,
    pub(super) incoming: IncomingMail,
    /// Whether the latest messages are shown first.
    pub(super) shows_history: bool,
}

/// Runs a chat to its end.
pub(super) async fn talk<F: Face>(
    opening: Opening<'_>,
    session: Session,
    face: &mut F,
    lines: Lines,
) -> Exit {
    let mut talk = Talk {
        opening,
        session,
        face,
        is_ready: false,
        takes_lines: false,
        skips_replayed: opening.shows_history,
        said: BTreeMap::new(),
        shown: BTreeSet::new(),
        here: BTreeSet::new(),
        rosters: VecDeque::new(),
        quitting: None,
    };
    // An error: nobody reads what is written any more, a terminal that was closed, a pipe that ended.
    let exit = talk.run(lines).await.unwrap_or(Exit::Failed);
    talk.session.close().await;
    exit
}

struct Talk<'a, F: Face> {
    opening: Opening<'a>,
    session: Session,
    face: &'a mut F,
    is_ready: bool,
    /// Whether what is entered is taken: not before there is anyone to take it, unless that may take for ever.
    takes_lines: bool,
    /// Whether messages to everyone that were said before are not shown now.
    skips_replayed: bool,
    /// What was entered and has no outcome yet.
    said: BTreeMap<MessageId, Said>,
    /// Private messages that were shown and wait to be acknowledged by hand. Bounded by what the server sends.
    shown: BTreeSet<(MessageId, Receipt)>,
    /// Who is here, case-mapped.
    here: BTreeSet<String>,
    /// Rosters that will come: whether the face asked for each.
    rosters: VecDeque<bool>,
    /// When patience ends, once the end was asked for.
    quitting: Option<Instant>,
}

struct Said {
    to: Option<String>,
    is_stored: bool,
}

impl<F: Face> Talk<'_, F> {
    async fn run(&mut self, mut lines: Lines) -> io::Result<Exit> {
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut terminate = signal(SignalKind::terminate())?;
        loop {
            if self.quitting.is_some() && self.unstored() == 0 {
                return Ok(Exit::Done);
            }
            let patience = self.quitting.unwrap_or_else(Instant::now);
            tokio::select! {
                biased;
                _ = interrupt.recv() => return Ok(Exit::Interrupted),
                _ = terminate.recv() => return Ok(Exit::Interrupted),
                update = self.session.update() => match update {
                    Some(Update::Ended(end)) => return self.end(&end),
                    Some(update) => self.take_update(update).await?,
                    None => return Ok(Exit::Failed),
                },
                line = lines.recv(), if self.takes_lines && self.quitting.is_none() => match line {
                    Some(Input::Line(line)) => self.take_line(&line).await?,
                    Some(Input::Fault(fault)) => self.face.bad_line(fault)?,
                    None => self.quit(),
                },
                () = sleep_until(patience), if self.quitting.is_some() => {
                    self.face.left(self.unstored())?;
                    return Ok(Exit::Failed);
                }
            }
        }
    }

    fn quit(&mut self) {
        self.quitting = Some(Instant::now() + SETTLE_TIME);
    }

    fn unstored(&self) -> usize {
        self.said.values().filter(|said| !said.is_stored).count()
    }

    fn end(&mut self, end: &End) -> io::Result<Exit> {
        match end {
            End::Closed { code, detail } => self.face.ended(*code, detail)?,
            End::Error(error) => self.face.failed(error)?,
        }
        Ok(Exit::from_code(end.exit_code()))
    }

    async fn take_update(&mut self, update: Update) -> io::Result<()> {
        match update {
            Update::Event(event) => self.take_event(event).await,
            Update::Answer(command, result) => {
                if matches!(command, Command::Who) && self.rosters.pop_front() == Some(false) {
                    return Ok(());
                }
                self.face.answer(&command, result)
            }
            Update::Away { code, detail } => {
                (self.skips_replayed, self.takes_lines) = (false, true);
                self.face.away(code, &detail)
            }
            Update::DiskFull { path, lost } => {
                for message in &lost {
                    self.said.remove(&message.id);
                }
                self.face.disk_full(&path.display().to_string(), &lost)
            }
            // Taken before.
            Update::Ended(_) => Ok(()),
        }
    }

    async fn take_event(&mut self, event: Event) -> io::Result<()> {
        match event {
            Event::Ready { name, .. } => {
                self.rosters.push_back(false);
                self.command(Command::Who).await?;
                if self.is_ready {
                    return self.face.back();
                }
                (self.is_ready, self.takes_lines) = (true, true);
                self.face.ready(&name, self.opening.trusted)?;
                if self.opening.shows_history {
                    let question = Question::Latest {
                        conversation: Conversation::Any,
                        limit: SCREEN,
                    };
                    self.ask(question, None).await?;
                }
                Ok(())
            }
            Event::State {
                id,
                reference,
                state,
            } => self.take_state(id, reference, state).await,
            Event::Roster(people) => {
                self.here = people.iter().map(folded).collect();
                match self.rosters.pop_front() {
                    Some(false) => Ok(()),
                    _ => self.face.event(&Event::Roster(people)),
                }
            }
            Event::Private { id, receipt, .. } => {
                self.face.event(&event)?;
                if self.opening.incoming == IncomingMail::TakenByHand {
                    self.shown.insert((id, receipt));
                } else {
                    // It has been written out: only now it counts as shown.
                    self.command(Command::Take(receipt)).await?;
                }
                Ok(())
            }
            // It is in the history that was shown.
            Event::Global { replayed: true, .. } if self.skips_replayed => Ok(()),
            event => {
                match &event {
                    Event::Presence {
                        person,
                        online: true,
                    } => {
                        self.here.insert(folded(person));
                    }
                    Event::Presence { person, .. } => {
                        self.here.remove(&folded(person));
                    }
                    _ => {}
                }
                self.face.event(&event)
            }
        }
    }

    async fn take_state(
        &mut self,
        id: MessageId,
        reference: Option<String>,
        state: State,
    ) -> io::Result<()> {
        let was_stored = self.said.get(&id).is_none_or(|said| said.is_stored);
        let to = match self.said.get_mut(&id) {
            Some(said) => {
                said.is_stored |= state != State::Queued;
                let to = said.to.clone();
                let is_over =
                    !matches!((state, &to), (State::Queued, _) | (State::Stored, Some(_)));
                if is_over {
                    self.said.remove(&id);
                }
                to
            }
            // It was entered by an earlier process, or by another one.
            None => {
                let entered = self.session.history().entered(id).await;
                entered.ok().flatten().and_then(|entered| entered.to)
            }
        };
        let to_folded = to.as_deref().map(|to| NameKeys::of(to).folded);
        self.face.state(&Own {
            id,
            is_here: to_folded.is_none_or(|to| self.here.contains(&to)),
            to,
            reference,
            state,
            was_stored,
        })
    }

    async fn take_line(&mut self, line: &str) -> io::Result<()> {
        match self.face.line(line)? {
            Action::Nothing => {}
            Action::Quit => self.quit(),
            Action::Say {
                to,
                text,
                reference,
            } => return self.say(to, text, reference).await,
            Action::Command(command) => {
                if command == Command::Who {
                    self.rosters.push_back(true);
                }
                self.command(command).await?;
            }
            Action::Files(commands) => {
                for command in commands {
                    self.command(Command::File(command)).await?;
                }
            }
            Action::ToggleBlock(name) => {
                let is_blocked = self.session.history().is_blocked(&name).await;
                let blocked = !is_blocked.map_err(io::Error::other)?;
                self.command(Command::Block { name, blocked }).await?;
            }
            Action::Ask(question, reference) => self.ask(question, reference).await?,
            Action::Acknowledge(id, reference) => {
                let found = self.shown.iter().find(|(shown, _)| *shown == id).copied();
                let Some((id, receipt)) = found else {
                    return self.face.nothing_to_acknowledge(reference);
                };
                self.shown.remove(&(id, receipt));
                self.command(Command::Take(receipt)).await?;
            }
        }
        Ok(())
    }

    async fn say(
        &mut self,
        to: Option<String>,
        text: String,
        reference: Option<String>,
    ) -> io::Result<()> {
        let message = Outgoing {
            id: new_message_id().map_err(io::Error::other)?,
            to: to.clone(),
            sent_at_ms: now_ms(),
            text,
            reference: reference.clone(),
        };
        let id = message.id;
        if let Err(error) = self.session.enter(message).await {
            return self.face.refused(error, reference);
        }
        let is_stored = false;
        self.said.insert(id, Said { to, is_stored });
        Ok(())
    }

    async fn ask(&mut self, question: Question, reference: Option<String>) -> io::Result<()> {
        let items = self.session.history().ask(question).await;
        self.face.past(&items.map_err(io::Error::other)?, reference)
    }

    /// Gives a command; one that is malformed is answered like one that cannot be done.
    async fn command(&mut self, command: Command) -> io::Result<()> {
        match self.session.command(command.clone()).await {
            Ok(()) => Ok(()),
            Err(error) => self.face.answer(&command, Err(error)),
        }
    }
}

fn folded(person: &Person) -> String {
    NameKeys::of(&person.name).folded
}
