//! `recado chat`: opening the session, and the faces that people and programs see it through.

mod command;
mod input;
mod json;
mod plain;

use std::collections::BTreeMap;
use std::io;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use recado_client::home::Home;
use recado_client::identity::Identity;
use recado_client::session::{Session, SessionError, new_message_id};
use recado_client::trust::Trusted;
use recado_client::{Command, CommandError, Event, State};
use recado_proto::frame::{ClosingCode, RefusalCode};
use recado_proto::id::MessageId;
use recado_proto::name::Name;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::{Instant, sleep_until};

use crate::cli;
use crate::context::{Context, Exit};
use crate::{terminal, wording};
use input::{Input, Lines};

/// How long the end waits for what was entered to be settled.
const SETTLE_TIME: Duration = Duration::from_secs(10);

/// How people or programs see a chat.
trait Face {
    /// What is remembered of a message until it is settled.
    type Sent;

    /// The session is open. Comes first.
    fn ready(&mut self, name: &str, trusted: &Trusted) -> io::Result<()>;

    /// A line was entered.
    fn line(&mut self, line: &str) -> io::Result<Action<Self::Sent>>;

    /// A line was entered that cannot be taken.
    fn bad_line(&mut self, fault: input::Fault) -> io::Result<()>;

    /// A command that [`line`](Self::line) asked for could not be done.
    fn refused(&mut self, error: CommandError, sent: Self::Sent) -> io::Result<()>;

    /// Something happened. Whatever a private message's receipt stands for has been taken when this returns.
    fn event(&mut self, event: &Event) -> io::Result<()>;

    /// What became of a message.
    fn settled(&mut self, id: MessageId, state: State, sent: Self::Sent) -> io::Result<()>;

    /// The session ended by itself.
    fn ended(&mut self, code: Option<ClosingCode>, detail: &str) -> io::Result<()>;
}

/// What a line asks for.
enum Action<Sent> {
    /// Nothing more.
    Nothing,
    /// A message to one person.
    Private {
        to: String,
        text: String,
        sent: Sent,
    },
    /// A message to everyone.
    Global { text: String, sent: Sent },
    /// Who is here; [`Event::Roster`] answers.
    Who,
    /// How datagrams fare; [`Event::LinkReport`] answers.
    Link,
    /// The end, once everything is settled.
    Quit,
}

/// Opens a chat, and runs it to its end.
pub(crate) async fn run(context: &Context, arguments: cli::Chat) -> Exit {
    let context = &with_address(context, arguments.address);
    let home = match context.client_home() {
        Ok(home) => home,
        Err(exit) => return exit,
    };
    let trusted = match context.trusted(&home).await {
        Ok(trusted) => trusted,
        Err(exit) => return exit,
    };
    if arguments.json {
        let Some(name) = arguments.name else {
            context.complain(&context.text("chat-json-name", &[]));
            return Exit::WrongUse;
        };
        let session = match open(context, &home, &trusted, &name).await {
            Ok(session) => session,
            Err((text, exit)) => {
                context.complain(&text);
                return exit;
            }
        };
        let mut face = json::JsonFace::default();
        return talk(&trusted, session, &mut face, input::lines()).await;
    }
    let mut lines = input::lines();
    let session = match arguments.name {
        Some(name) => open(context, &home, &trusted, &name).await,
        None => ask_name(context, &home, &trusted, &mut lines).await,
    };
    match session {
        Ok(session) => {
            let mut face = plain::PlainFace::new(context);
            talk(&trusted, session, &mut face, lines).await
        }
        Err((text, exit)) => {
            if !text.is_empty() {
                context.complain(&text);
            }
            exit
        }
    }
}

/// The context for an address given as an argument.
fn with_address(
    context: &Context,
    address: Option<recado_client::address::ServerAddress>,
) -> Context {
    let mut common = context.common.clone();
    common.server = address.or(common.server);
    Context {
        language: context.language,
        common,
        home: context.home.clone(),
    }
}

/// Asks for a name; a person may try another one if the server refuses it.
async fn ask_name(
    context: &Context,
    home: &Home,
    trusted: &Trusted,
    lines: &mut Lines,
) -> Result<Session, (String, Exit)> {
    loop {
        if !context.common.quiet && terminal::say(&context.text("chat-name-prompt", &[])).is_err() {
            return Err((String::new(), Exit::Failed));
        }
        let name = match lines.recv().await {
            Some(Input::Line(line)) => line.trim().to_owned(),
            Some(Input::Fault(_)) => String::new(),
            None => return Err((String::new(), Exit::Done)),
        };
        match open(context, home, trusted, &name).await {
            Err((text, Exit::Refused)) if context.is_interactive() => context.complain(&text),
            opened => return opened,
        }
    }
}

/// Opens the session of a name; or says why not, and how the program is to end.
async fn open(
    context: &Context,
    home: &Home,
    trusted: &Trusted,
    name: &str,
) -> Result<Session, (String, Exit)> {
    let language = context.language;
    // Names are refused here as the server would refuse them, before a key is made for them.
    let parsed = Name::parse(name).map_err(|error| {
        let refused = SessionError::Refused(recado_proto::frame::Refused {
            code: RefusalCode::NameInvalid,
            rule: error.kind().to_owned(),
            resembles: String::new(),
            retry_in_ms: 0,
        });
        (wording::session(language, &refused, name), Exit::Refused)
    })?;
    let identity = Identity::open(home, &trusted.root, &parsed.keys().folded)
        .map_err(|error| (wording::identity(language, &error), Exit::Failed))?;
    let opened = Session::open(trusted, identity, parsed.as_str()).await;
    opened.map_err(|error| {
        let exit = Exit::from_code(error.exit_code());
        (wording::session(language, &error, name), exit)
    })
}

/// Runs a chat until its input ends, it is quit, or the session ends.
async fn talk<F: Face>(trusted: &Trusted, session: Session, face: &mut F, lines: Lines) -> Exit {
    let mut talk = Talk {
        trusted,
        session,
        face,
        unsettled: BTreeMap::new(),
        quitting: None,
    };
    match talk.run(lines).await {
        Ok(exit) => exit,
        // Nobody reads what is written any more: a terminal that was closed, a pipe that ended.
        Err(_) => Exit::Failed,
    }
}

struct Talk<'a, F: Face> {
    trusted: &'a Trusted,
    session: Session,
    face: &'a mut F,
    unsettled: BTreeMap<MessageId, F::Sent>,
    /// When patience ends, once the end was asked for.
    quitting: Option<Instant>,
}

impl<F: Face> Talk<'_, F> {
    async fn run(&mut self, mut lines: Lines) -> io::Result<Exit> {
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut terminate = signal(SignalKind::terminate())?;
        let mut is_ready = false;
        loop {
            if self.quitting.is_some() && self.unsettled.is_empty() {
                return Ok(Exit::Done);
            }
            let patience = self.quitting.unwrap_or_else(Instant::now);
            tokio::select! {
                biased;
                _ = interrupt.recv() => return Ok(Exit::Interrupted),
                _ = terminate.recv() => return Ok(Exit::Interrupted),
                event = self.session.event() => match event {
                    Some(Event::Closed { code, detail }) => {
                        self.face.ended(code, &detail)?;
                        return Ok(match code {
                            Some(ClosingCode::TakenOver | ClosingCode::Protocol) => Exit::Failed,
                            _ => Exit::Unreachable,
                        });
                    }
                    Some(event) => {
                        is_ready |= matches!(event, Event::Ready { .. });
                        self.take_event(event).await?;
                    }
                    None => return Ok(Exit::Unreachable),
                },
                // What is entered before the session is ready waits.
                line = lines.recv(), if is_ready && self.quitting.is_none() => match line {
                    Some(Input::Line(line)) => self.take_line(&line).await?,
                    Some(Input::Fault(fault)) => self.face.bad_line(fault)?,
                    None => self.quit(),
                },
                () = sleep_until(patience), if self.quitting.is_some() => return Ok(Exit::Failed),
            }
        }
    }

    fn quit(&mut self) {
        self.quitting = Some(Instant::now() + SETTLE_TIME);
    }

    async fn take_event(&mut self, event: Event) -> io::Result<()> {
        match &event {
            Event::Ready { name, .. } => self.face.ready(name, self.trusted)?,
            Event::State { id, state } => {
                if let Some(sent) = self.unsettled.remove(id) {
                    self.face.settled(*id, *state, sent)?;
                }
            }
            event => self.face.event(event)?,
        }
        if let Event::Private { receipt, .. } = event {
            // It has been written out: only now is it acknowledged. If the session has just ended, its
            // end is the next event.
            let _ = self.session.command(Command::Acknowledge(receipt)).await;
        }
        Ok(())
    }

    async fn take_line(&mut self, line: &str) -> io::Result<()> {
        let (id, sent_at_ms) = (new_message_id().map_err(io::Error::other)?, now_ms());
        let (command, sent) = match self.face.line(line)? {
            Action::Nothing => return Ok(()),
            Action::Quit => {
                self.quit();
                return Ok(());
            }
            Action::Who => {
                let _ = self.session.command(Command::Who).await;
                return Ok(());
            }
            Action::Link => {
                let _ = self.session.command(Command::Link).await;
                return Ok(());
            }
            Action::Private { to, text, sent } => {
                let command = Command::Private {
                    id,
                    sent_at_ms,
                    to,
                    text,
                };
                (command, sent)
            }
            Action::Global { text, sent } => {
                let command = Command::Global {
                    id,
                    sent_at_ms,
                    text,
                };
                (command, sent)
            }
        };
        match self.session.command(command).await {
            Ok(()) => {
                self.unsettled.insert(id, sent);
                Ok(())
            }
            Err(error) => self.face.refused(error, sent),
        }
    }
}

fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| {
        i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
    })
}
