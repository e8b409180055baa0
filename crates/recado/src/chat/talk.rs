//! A chat that is open: what is entered goes in, what happens comes out, until its input ends, it is quit, or the
//! session ends.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io;
use std::pin::Pin;
use std::time::Duration;

use recado_client::history::{
    Conversation, Correspondent, HistoryError, Item, Outgoing, Question, Verification,
};
use recado_client::session::{
    Comparison, End, IncomingMail, Session, SessionError, Update, VerifyError, new_message_id,
};
use recado_client::trust::Trusted;
use recado_client::{Command, CommandError, Event, FileCommand, Receipt, State};
use recado_proto::frame::{ClosingCode, Person};
use recado_proto::id::MessageId;
use recado_proto::name::NameKeys;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

use super::calculating::{Asked, Calculated, Calculating, SayTo};
use super::ending::Signals;
use super::now_ms;
use crate::calculator::Answer;
use crate::context::Exit;

/// How long the end waits for what was entered to be stored.
const SETTLE_TIME: Duration = Duration::from_secs(10);

/// Messages of the past that are shown where nobody says how many: a screen's worth.
pub(crate) const SCREEN: usize = 20;

/// Questions to the database that may be under way; then no more is taken from a program that asks many.
const QUESTIONS: usize = 64;

/// How people or programs see a chat.
pub(crate) trait Face {
    /// What is entered: lines, or keys.
    type Input;

    /// Whether it takes what is entered at any time: a screen, whose keys do more than enter messages.
    const IS_SCREEN: bool = false;

    /// The session is open. Comes first.
    fn ready(&mut self, name: &str, trusted: &Trusted) -> io::Result<()>;

    /// There is a connection again.
    fn back(&mut self) -> io::Result<()>;

    /// There is none; it is tried again.
    fn away(&mut self, code: Option<ClosingCode>, detail: &str) -> io::Result<()>;

    /// Something was entered.
    fn input(&mut self, input: Self::Input) -> io::Result<Action>;

    /// What it wants by itself. Asked for until there is nothing, after everything that happens.
    fn wish(&mut self) -> Option<Action> {
        None
    }

    /// When [`draw`](Self::draw) is to be called.
    fn draws_at(&self) -> Option<Instant> {
        None
    }

    /// It is time to draw.
    fn draw(&mut self) -> io::Result<()> {
        Ok(())
    }

    /// A message is on its way into the database.
    fn entered(&mut self, message: &Outgoing) -> io::Result<()> {
        let _ = message;
        Ok(())
    }

    /// A message that [`input`](Self::input) asked for could not be entered.
    fn refused(&mut self, error: CommandError, reference: Option<String>) -> io::Result<()>;

    /// A command could not be done; or it was [`Command::Trust`], and was done.
    fn answer(&mut self, command: &Command, result: Result<(), CommandError>) -> io::Result<()>;

    /// Something happened.
    fn event(&mut self, event: &Event) -> io::Result<Shown>;

    /// What became of a message of one's own.
    fn state(&mut self, own: &Own) -> io::Result<()>;

    /// The past that was asked for, in the order in which it was.
    fn past(&mut self, items: Vec<Item>, reference: Option<String>) -> io::Result<()>;

    /// Those with whom there were private messages.
    fn correspondents(&mut self, found: Vec<Correspondent>) -> io::Result<()> {
        let _ = found;
        Ok(())
    }

    /// The answer to a calculation.
    fn calculated(&mut self, calculated: &Calculated) -> io::Result<()>;

    /// What was compared with someone: as was asked, with the reference of that; or they say that it was right.
    fn verification(
        &mut self,
        name: &str,
        result: &Result<Verification, VerifyError>,
        asked: bool,
    ) -> io::Result<()>;

    /// With these, and nobody else, both sides have found the code of their keys right: they are marked from now on,
    /// wherever their names are shown.
    fn verified(&mut self, names: &[String]) -> io::Result<()>;

    /// There is no message of this id to be acknowledged.
    fn nothing_to_acknowledge(&mut self, reference: Option<String>) -> io::Result<()>;

    /// These could not be written down: the disk is full.
    fn disk_full(&mut self, path: &str, lost: &[Outgoing]) -> io::Result<()>;

    /// The end was asked for, and waits for this many to be stored.
    fn quitting(&mut self, count: usize) -> io::Result<()> {
        let _ = count;
        Ok(())
    }

    /// So many were entered and are not stored: they are sent next time.
    fn left(&mut self, count: usize) -> io::Result<()>;

    /// The server ended the session for good.
    fn ended(&mut self, code: ClosingCode, detail: &str) -> io::Result<()>;

    /// The session could not go on.
    fn failed(&mut self, error: &SessionError) -> io::Result<()>;
}

/// Whether what an event tells of has been shown.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Shown {
    /// It is written out: a private message counts as taken.
    Now,
    /// Not yet: the face gives [`Command::Take`] itself.
    Later,
}

/// What is asked for.
#[derive(PartialEq, Debug)]
pub(crate) enum Action {
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
    /// The code of someone's key, or what was said of it; [`Face::verification`] answers.
    Verify(String, Option<Comparison>),
    /// The past; [`Face::past`] answers.
    Ask(Question, Option<String>),
    /// [`Face::correspondents`] answers, with so many at most.
    Correspondents(usize),
    /// A calculation; [`Face::calculated`] answers.
    Calculate(Asked),
    /// A private message has been taken.
    Acknowledge(MessageId, Option<String>),
    /// The end, once everything is stored.
    Quit,
    /// The end, now.
    Interrupt,
}

/// What became of a message of one's own.
#[derive(Clone)]
pub(crate) struct Own {
    pub(crate) id: MessageId,
    /// To whom, as typed; `None` is everyone.
    pub(crate) to: Option<String>,
    /// What it says, if another process entered it.
    pub(crate) text: Option<String>,
    /// Whether they are here.
    pub(crate) is_here: bool,
    pub(crate) reference: Option<String>,
    pub(crate) state: State,
    /// Whether this process was told before that it is stored, or cannot know. What is delivered is stored, also where
    /// only that is told.
    pub(crate) was_stored: bool,
}

/// How a chat begins.
#[derive(Clone, Copy)]
pub(crate) struct Opening<'a> {
    pub(crate) trusted: &'a Trusted,
    pub(crate) incoming: IncomingMail,
    /// Whether the latest messages are shown first.
    pub(crate) shows_history: bool,
}

/// Runs a chat to its end.
pub(crate) async fn talk<F: Face>(
    opening: Opening<'_>,
    session: Session,
    face: &mut F,
    input: mpsc::Receiver<F::Input>,
    signals: Signals,
) -> Exit {
    let mut talk = Talk {
        opening,
        session,
        face,
        is_ready: false,
        takes_input: F::IS_SCREEN,
        skips_replayed: opening.shows_history,
        said: BTreeMap::new(),
        shown: BTreeSet::new(),
        here: BTreeSet::new(),
        rosters: VecDeque::new(),
        findings: VecDeque::new(),
        calculating: Calculating::new(opening.trusted.clone()),
        verifying: 0,
        quitting: None,
    };
    // An error: nobody reads what is written any more, a terminal that was closed, a pipe that ended.
    let exit = talk.run(input, signals).await.unwrap_or(Exit::Failed);
    talk.session.close().await;
    exit
}

struct Talk<'a, F: Face> {
    opening: Opening<'a>,
    session: Session,
    face: &'a mut F,
    is_ready: bool,
    /// Whether what is entered is taken: not before there is anyone to take it, unless that may take for ever.
    takes_input: bool,
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
    /// What is asked of the database; the answers come in this order.
    findings: VecDeque<Finding>,
    calculating: Calculating,
    /// Codes that were asked for and have not come.
    verifying: usize,
    /// When patience ends, once the end was asked for.
    quitting: Option<Instant>,
}

struct Said {
    to: Option<String>,
    is_stored: bool,
}

/// What the database is asked.
type Finding = Pin<Box<dyn Future<Output = Result<Found, HistoryError>> + Send>>;

/// What it answers.
enum Found {
    Past(Vec<Item>, Option<String>),
    Correspondents(Vec<Correspondent>),
    /// What became of a message that another process entered.
    Own(Own),
    /// Whether someone's messages are refused.
    Blocked(String, bool),
}

impl<F: Face> Talk<'_, F> {
    async fn run(
        &mut self,
        mut input: mpsc::Receiver<F::Input>,
        mut signals: Signals,
    ) -> io::Result<Exit> {
        loop {
            while let Some(wish) = self.face.wish() {
                if let Some(exit) = self.act(wish).await? {
                    return Ok(exit);
                }
            }
            if self.quitting.is_some() && self.is_settled() {
                return Ok(Exit::Done);
            }
            let patience = self.quitting.unwrap_or_else(Instant::now);
            let draws_at = self.face.draws_at();
            // Not biased: whoever enters much, or is told much, must not keep the other from its turn.
            tokio::select! {
                () = signals.next() => return Ok(Exit::Interrupted),
                entered = input.recv(), if self.takes_input() => match entered {
                    Some(entered) => {
                        let action = self.face.input(entered)?;
                        if let Some(exit) = self.act(action).await? {
                            return Ok(exit);
                        }
                    }
                    None => self.quit()?,
                },
                update = self.session.update() => match update {
                    Some(Update::Ended(end)) => return self.end(&end),
                    Some(update) => self.take_update(update).await?,
                    None => return Ok(Exit::Failed),
                },
                found = next(&mut self.findings) => {
                    self.findings.pop_front();
                    self.take_found(found.map_err(io::Error::other)?).await?;
                }
                calculated = self.calculating.next() => self.take_calculated(calculated).await?,
                () = sleep_until(draws_at.unwrap_or_else(Instant::now)), if draws_at.is_some() => {
                    self.face.draw()?;
                }
                () = sleep_until(patience), if self.quitting.is_some() => {
                    self.face.left(self.unstored())?;
                    return Ok(Exit::Failed);
                }
            }
        }
    }

    fn takes_input(&self) -> bool {
        let has_room = self.findings.len() < QUESTIONS && self.calculating.has_room();
        self.takes_input && has_room && (self.quitting.is_none() || F::IS_SCREEN)
    }

    fn quit(&mut self) -> io::Result<()> {
        if self.quitting.is_none() {
            self.quitting = Some(Instant::now() + SETTLE_TIME);
            self.face.quitting(self.unstored())?;
        }
        Ok(())
    }

    /// Whether everything that was entered has been stored or has failed, and everything that was asked is answered.
    fn is_settled(&self) -> bool {
        let is_answered = self.findings.is_empty() && self.verifying == 0;
        self.unstored() == 0 && is_answered && !self.calculating.is_busy()
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
                (self.skips_replayed, self.takes_input) = (false, true);
                self.face.away(code, &detail)
            }
            Update::DiskFull { path, lost } => {
                for message in &lost {
                    self.said.remove(&message.id);
                }
                self.face.disk_full(&path.display().to_string(), &lost)
            }
            Update::Verification {
                name,
                result,
                asked,
            } => {
                self.verifying = self.verifying.saturating_sub(usize::from(asked));
                self.face.verification(&name, &result, asked)
            }
            Update::Verified(names) => self.face.verified(&names),
            // Taken before.
            Update::Ended(_) => Ok(()),
        }
    }

    async fn take_event(&mut self, event: Event) -> io::Result<()> {
        match event {
            Event::Ready { ref name, .. } => {
                self.rosters.push_back(false);
                self.command(Command::Who).await?;
                if self.is_ready {
                    self.face.event(&event)?;
                    return self.face.back();
                }
                (self.is_ready, self.takes_input) = (true, true);
                self.face.ready(name, self.opening.trusted)?;
                self.face.event(&event)?;
                if self.opening.shows_history {
                    let question = Question::Latest {
                        conversation: Conversation::Any,
                        limit: SCREEN,
                    };
                    self.ask(question, None);
                }
                Ok(())
            }
            Event::State {
                id,
                reference,
                state,
            } => self.take_state(id, reference, state),
            Event::Roster(people) => {
                self.here = people.iter().map(folded).collect();
                let is_asked_for = self.rosters.pop_front() != Some(false);
                if is_asked_for || F::IS_SCREEN {
                    self.face.event(&Event::Roster(people))?;
                }
                Ok(())
            }
            Event::Private { id, receipt, .. } => {
                let shown = self.face.event(&event)?;
                if self.opening.incoming == IncomingMail::TakenByHand {
                    self.shown.insert((id, receipt));
                } else if shown == Shown::Now {
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
                self.face.event(&event)?;
                Ok(())
            }
        }
    }

    fn take_state(
        &mut self,
        id: MessageId,
        reference: Option<String>,
        state: State,
    ) -> io::Result<()> {
        let Some(said) = self.said.get_mut(&id) else {
            // It was entered by an earlier process, or by another one.
            let history = self.session.history().clone();
            self.findings.push_back(Box::pin(async move {
                let entered = history.entered(id).await?;
                let (to, text) = match entered {
                    Some(entered) => (entered.to, Some(entered.text)),
                    None => (None, None),
                };
                Ok(Found::Own(Own {
                    id,
                    to,
                    text,
                    is_here: false,
                    reference,
                    state,
                    was_stored: true,
                }))
            }));
            return Ok(());
        };
        let was_stored = said.is_stored;
        said.is_stored |= state != State::Queued;
        let to = said.to.clone();
        let is_over = !matches!((state, &to), (State::Queued, _) | (State::Stored, Some(_)));
        if is_over {
            self.said.remove(&id);
        }
        self.tell_state(Own {
            id,
            to,
            text: None,
            is_here: false,
            reference,
            state,
            was_stored,
        })
    }

    fn tell_state(&mut self, mut own: Own) -> io::Result<()> {
        let to_folded = own.to.as_deref().map(|to| NameKeys::of(to).folded);
        own.is_here = to_folded.is_none_or(|to| self.here.contains(&to));
        self.face.state(&own)
    }

    async fn take_found(&mut self, found: Found) -> io::Result<()> {
        match found {
            Found::Past(items, reference) => self.face.past(items, reference),
            Found::Correspondents(found) => self.face.correspondents(found),
            Found::Own(own) => self.tell_state(own),
            Found::Blocked(name, is_blocked) => {
                let blocked = !is_blocked;
                self.command(Command::Block { name, blocked }).await
            }
        }
    }

    async fn take_calculated(&mut self, calculated: Calculated) -> io::Result<()> {
        self.face.calculated(&calculated)?;
        let Ok(Answer::Result(outcome)) = &calculated.answer else {
            return Ok(());
        };
        let to = match calculated.asked.say_to {
            SayTo::Nobody => return Ok(()),
            SayTo::All => None,
            SayTo::One(name) => Some(name),
        };
        self.say(to, outcome.shown.equation(), None).await
    }

    /// Does what is asked for; the exit if that is the end.
    async fn act(&mut self, action: Action) -> io::Result<Option<Exit>> {
        match action {
            Action::Nothing => {}
            Action::Quit => self.quit()?,
            Action::Interrupt => return Ok(Some(Exit::Interrupted)),
            Action::Say {
                to,
                text,
                reference,
            } => self.say(to, text, reference).await?,
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
                let history = self.session.history().clone();
                self.findings.push_back(Box::pin(async move {
                    let is_blocked = history.is_blocked(&name).await?;
                    Ok(Found::Blocked(name, is_blocked))
                }));
            }
            Action::Verify(name, comparison) => {
                match self.session.verify(&name, comparison).await {
                    Ok(()) => self.verifying += 1,
                    // What is too long to be a name is nobody's.
                    Err(_) => {
                        let result = Err(VerifyError::UnknownName);
                        self.face.verification(&name, &result, true)?;
                    }
                }
            }
            Action::Ask(question, reference) => self.ask(question, reference),
            Action::Correspondents(limit) => {
                let history = self.session.history().clone();
                self.findings.push_back(Box::pin(async move {
                    let found = history.correspondents(limit).await?;
                    Ok(Found::Correspondents(found))
                }));
            }
            Action::Calculate(asked) => self.calculating.ask(asked),
            Action::Acknowledge(id, reference) => {
                let found = self.shown.iter().find(|(shown, _)| *shown == id).copied();
                match found {
                    Some((id, receipt)) => {
                        self.shown.remove(&(id, receipt));
                        self.command(Command::Take(receipt)).await?;
                    }
                    None => self.face.nothing_to_acknowledge(reference)?,
                }
            }
        }
        Ok(None)
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
        if let Err(error) = message.check() {
            return self.face.refused(error, reference);
        }
        let (id, is_stored) = (message.id, false);
        self.said.insert(id, Said { to, is_stored });
        self.face.entered(&message)?;
        // It was checked.
        let _ = self.session.enter(message).await;
        Ok(())
    }

    fn ask(&mut self, question: Question, reference: Option<String>) {
        let history = self.session.history().clone();
        self.findings.push_back(Box::pin(async move {
            let items = history.ask(question).await?;
            Ok(Found::Past(items, reference))
        }));
    }

    /// Gives a command; one that is malformed is answered like one that cannot be done.
    async fn command(&mut self, command: Command) -> io::Result<()> {
        match self.session.command(command.clone()).await {
            Ok(()) => Ok(()),
            Err(error) => self.face.answer(&command, Err(error)),
        }
    }
}

/// The answer to the first of these. Can be dropped without loss.
async fn next(findings: &mut VecDeque<Finding>) -> Result<Found, HistoryError> {
    match findings.front_mut() {
        Some(finding) => finding.as_mut().await,
        None => std::future::pending().await,
    }
}

fn folded(person: &Person) -> String {
    NameKeys::of(&person.name).folded
}
