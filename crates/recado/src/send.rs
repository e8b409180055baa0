//! `recado send`: one message, through the outbox. Where a chat of the same name is open, that sends it; else this does,
//! and leaves what has come at the server.

use std::io::{self, Read as _};
use std::time::Duration;

use recado_client::history::{Database, Entered, HistoryError, Outgoing, Standing};
use recado_client::home::Home;
use recado_client::identity::{Identity, IdentityError, names};
use recado_client::session::{
    End, IncomingMail, Session, SessionConfig, SessionError, Update, message_id_of, new_message_id,
};
use recado_client::trust::Trusted;
use recado_proto::limits::MAX_TEXT;
use recado_proto::name::Name;
use recado_proto::text::sanitise_line;
use tokio::time::{Instant, sleep, sleep_until};

use crate::chat::{now_ms, parse_name};
use crate::cli::{self, Wait};
use crate::context::{Context, Exit};
use crate::signals::{SignalKind, signal};
use crate::{send_files, wording};

/// How long a message may take to be stored, unless the caller says otherwise.
const PATIENCE: u64 = 30;

/// How often the database is asked what became of the message.
const LOOK_TIME: Duration = Duration::from_millis(50);

/// Sends a message, and waits for its fate.
pub(crate) async fn run(context: &Context, arguments: cli::Send) -> Exit {
    if !arguments.file.is_empty() {
        return send_files::run(context, arguments).await;
    }
    match prepare(context, arguments).await {
        Ok(mut sending) => sending.run().await,
        Err(exit) => exit,
    }
}

/// Everything up to the message in the outbox. Says why not.
async fn prepare(context: &Context, arguments: cli::Send) -> Result<Sending<'_>, Exit> {
    if arguments.all && arguments.wait == Wait::Delivered {
        context.complain(&context.text("send-all-delivered", &[]));
        return Err(Exit::WrongUse);
    }
    if !arguments.all && arguments.to.is_none() {
        context.complain(&context.text("send-nobody", &[]));
        return Err(Exit::WrongUse);
    }
    let text = text(context, arguments.text.unwrap_or_default())?;
    let home = context.client_home()?;
    let trusted = context.trusted(&home).await?;
    let name = name(context, &home, &trusted, arguments.name)?;
    let folded = name.keys().folded;
    let identity = identity(context, &home, &trusted, &folded)?;
    let failed = |error: HistoryError| {
        context.complain(&wording::history(context.language, &error));
        Exit::Failed
    };
    let mut database = Database::open(&home.identity(&trusted.root, &folded)).map_err(failed)?;
    let is_repeatable = arguments.reference.is_some();
    let id = match &arguments.reference {
        Some(reference) => message_id_of(reference),
        None => new_message_id().map_err(|error| {
            context.complain(&error.to_string());
            Exit::Failed
        })?,
    };
    let message = Outgoing {
        id,
        to: arguments.to,
        sent_at_ms: now_ms(),
        text,
        reference: None,
    };
    if let Err(error) = message.check() {
        context.complain(&wording::command(context.language, error));
        return Err(Exit::WrongUse);
    }
    if !database.enter(&message).map_err(failed)? {
        let before = database.entered(message.id).map_err(failed)?;
        let is_same = |before: &Entered| (&before.to, &before.text) == (&message.to, &message.text);
        if !before.as_ref().is_some_and(is_same) {
            context.complain(&context.text("send-ref-used", &[]));
            return Err(Exit::WrongUse);
        }
    }
    Ok(Sending {
        context,
        home,
        trusted,
        name,
        identity,
        database,
        message,
        is_repeatable,
        wait: arguments.wait,
        deadline: Instant::now() + Duration::from_secs(arguments.timeout.unwrap_or(PATIENCE)),
    })
}

/// What is to be said: as given, or all of standard input.
fn text(context: &Context, argument: String) -> Result<String, Exit> {
    if argument != "-" {
        return Ok(argument);
    }
    let mut text = String::new();
    // One byte more than may be said, and a line's end.
    let read = io::stdin()
        .take(MAX_TEXT as u64 + 3)
        .read_to_string(&mut text);
    if read.is_err() {
        context.complain(&context.text("chat-error-not-text", &[]));
        return Err(Exit::WrongUse);
    }
    let line = text.strip_suffix('\n').unwrap_or(&text);
    Ok(line.strip_suffix('\r').unwrap_or(line).to_owned())
}

/// The name given, or the only one there is at this server.
pub(crate) fn name(
    context: &Context,
    home: &Home,
    trusted: &Trusted,
    given: Option<String>,
) -> Result<Name, Exit> {
    let name = match given {
        Some(name) => name,
        None => {
            let mut names = names(home, &trusted.root).map_err(|error| {
                context.complain(&wording::home(context.language, &error));
                Exit::Failed
            })?;
            if names.len() != 1 {
                let server = trusted.server();
                context.complain(&context.text("send-name", &[("server", &server)]));
                return Err(Exit::WrongUse);
            }
            names.remove(0)
        }
    };
    parse_name(context.language, &name).map_err(|(text, exit)| {
        context.complain(&text);
        exit
    })
}

/// The identity, unless another process is using it.
pub(crate) fn identity(
    context: &Context,
    home: &Home,
    trusted: &Trusted,
    folded: &str,
) -> Result<Option<Identity>, Exit> {
    match Identity::open(home, &trusted.root, folded) {
        Ok(identity) => Ok(Some(identity)),
        Err(IdentityError::InUse { .. }) => Ok(None),
        Err(error) => {
            context.complain(&wording::identity(context.language, &error));
            Err(Exit::Failed)
        }
    }
}

/// A message in the outbox.
struct Sending<'a> {
    context: &'a Context,
    home: Home,
    trusted: Trusted,
    name: Name,
    /// Held until a session takes it; `None` while another process has it.
    identity: Option<Identity>,
    database: Database,
    message: Outgoing,
    /// Whether it can be asked for again: then it is never withdrawn.
    is_repeatable: bool,
    wait: Wait,
    deadline: Instant,
}

impl Sending<'_> {
    async fn run(&mut self) -> Exit {
        let mut session = None;
        let exit = self.attend(&mut session).await;
        if let Some(session) = session {
            session.close().await;
        }
        exit
    }

    /// Waits for the message's fate, and sends it if nobody else does.
    async fn attend(&mut self, session: &mut Option<Session>) -> Exit {
        let signals = (
            signal(SignalKind::interrupt()),
            signal(SignalKind::terminate()),
        );
        let (Ok(mut interrupt), Ok(mut terminate)) = signals else {
            self.context
                .complain(&self.context.text("error-signals", &[]));
            return Exit::Failed;
        };
        loop {
            match self.database.entered(self.message.id) {
                Ok(entered) => {
                    if let Some(exit) = entered.and_then(|entered| self.fate(&entered)) {
                        return exit;
                    }
                }
                Err(error) => return self.failed(&error.into()),
            }
            if session.is_none() {
                match self.open().await {
                    Ok(opened) => *session = opened,
                    Err(exit) => return exit,
                }
            }
            tokio::select! {
                _ = interrupt.recv() => return self.interrupted(),
                _ = terminate.recv() => return self.interrupted(),
                update = next_update(session) => match update {
                    Some(Update::Ended(End::Error(error))) => return self.failed(&error),
                    Some(Update::Ended(End::Closed { detail, .. })) => {
                        let cause = sanitise_line(&detail);
                        self.context
                            .complain(&self.context.text("send-ended", &[("cause", &cause)]));
                        self.withdraw();
                        return Exit::Failed;
                    }
                    Some(_) => {}
                    None => return Exit::Failed,
                },
                () = sleep(LOOK_TIME) => {}
                () = sleep_until(self.deadline) => return self.give_up(),
            }
        }
    }

    /// A session, if no other process has the identity now.
    async fn open(&mut self) -> Result<Option<Session>, Exit> {
        let identity = match self.identity.take() {
            Some(identity) => Some(identity),
            None => {
                let folded = self.name.keys().folded;
                identity(self.context, &self.home, &self.trusted, &folded)?
            }
        };
        let Some(identity) = identity else {
            return Ok(None);
        };
        let opened = Session::open(SessionConfig {
            trusted: self.trusted.clone(),
            identity,
            name: self.name.as_str().to_owned(),
            incoming: IncomingMail::Left,
            ticket: self.context.ticket(),
            files: None,
        });
        match opened.await {
            Ok(session) => Ok(Some(session)),
            Err(error) => Err(self.failed(&error)),
        }
    }

    /// How it ends, if it does.
    fn fate(&self, entered: &Entered) -> Option<Exit> {
        let context = self.context;
        match (entered.standing, self.wait) {
            (Standing::Failed, _) => {
                let id = format!("failure-{}", entered.code);
                let why = context.text(&id, &[]);
                context.complain(&context.text("send-failed", &[("why", &why)]));
                Some(Exit::Failed)
            }
            (Standing::Delivered, _) => {
                context.notice(&context.text("send-delivered", &[]));
                Some(Exit::Done)
            }
            (Standing::Stored, Wait::Stored) => {
                context.notice(&context.text("send-stored", &[]));
                Some(Exit::Done)
            }
            (Standing::Queued | Standing::Stored | Standing::Received, _) => None,
        }
    }

    fn failed(&mut self, error: &SessionError) -> Exit {
        let text = wording::session(self.context.language, error, self.name.as_str());
        self.context.complain(&text);
        self.withdraw();
        Exit::from_code(error.exit_code())
    }

    fn interrupted(&mut self) -> Exit {
        self.withdraw();
        Exit::Interrupted
    }

    /// Time is up.
    fn give_up(&mut self) -> Exit {
        let context = self.context;
        let (id, exit) = match self.database.entered(self.message.id) {
            Ok(Some(entered)) if entered.standing == Standing::Stored => {
                ("send-not-delivered", Exit::Failed)
            }
            _ if self.is_repeatable => ("send-queued", Exit::Unreachable),
            _ if self.withdraw() => ("send-withdrawn", Exit::Unreachable),
            _ => ("send-unknown", Exit::Failed),
        };
        context.complain(&context.text(id, &[]));
        exit
    }

    /// Takes the message back, if nobody is to ask for it again and it cannot have been sent.
    fn withdraw(&mut self) -> bool {
        !self.is_repeatable && self.database.withdraw(self.message.id).unwrap_or(false)
    }
}

async fn next_update(session: &mut Option<Session>) -> Option<Update> {
    match session {
        Some(session) => session.update().await,
        None => std::future::pending().await,
    }
}
