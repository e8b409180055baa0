//! `recado chat`: opening the session, and the faces that people and programs see it through.

pub(crate) mod calculating;
pub(crate) mod command;
pub(crate) mod ending;
mod file_objects;
pub(crate) mod file_words;
mod input;
mod json;
pub(crate) mod marks;
mod paper;
mod plain;
pub(crate) mod talk;
mod typed_line;
pub(crate) mod words;

use std::time::{SystemTime, UNIX_EPOCH};

use recado_client::address::AddressError;
use recado_client::files::FilesConfig;
use recado_client::home::Home;
use recado_client::identity::Identity;
use recado_client::session::{IncomingMail, Session, SessionConfig, SessionError};
use recado_client::trust::{TrustStore, Trusted};
use recado_proto::frame::{RefusalCode, Refused};
use recado_proto::name::{Name, NameError};
use zeroize::Zeroizing;

use crate::cli;
use crate::context::{Context, Exit};
use crate::i18n::Language;
use crate::{files, find, secret, tui, wording};
use ending::Signals;
use input::Input;
use paper::{Keyboard, Paper};
use talk::{Opening, talk};

pub(crate) use command::COMMANDS;

/// Opens a chat, and runs it to its end.
pub(crate) async fn run(context: &Context, arguments: cli::Chat) -> Exit {
    let mut context = match with_ticket(context, arguments.ticket.clone()) {
        Ok(context) => context,
        Err(exit) => return exit,
    };
    if context.common.server.is_none() && context.is_interactive() && !arguments.json {
        let home = match context.client_home() {
            Ok(home) => home,
            Err(exit) => return exit,
        };
        match find::server(&context, &TrustStore::new(home)).await {
            Ok(server) => context.common.server = server,
            Err(exit) => return exit,
        }
    }
    let context = &context;
    if arguments.json {
        return run_for_program(context, arguments).await;
    }
    if !arguments.plain && tui::is_possible() {
        return tui::run(context, &arguments).await;
    }
    run_by_line(context, arguments).await
}

/// A chat with a program.
async fn run_for_program(context: &Context, arguments: cli::Chat) -> Exit {
    let (home, trusted) = match trusted(context).await {
        Ok(found) => found,
        Err(exit) => return exit,
    };
    let Some(name) = arguments.name.clone() else {
        context.complain(&context.text("chat-json-name", &[]));
        return Exit::WrongUse;
    };
    let incoming = match arguments.ack {
        cli::Ack::Auto => IncomingMail::Taken,
        cli::Ack::Manual => IncomingMail::TakenByHand,
    };
    let files = files_config(&home, &arguments);
    let session = match open(context, &home, &trusted, &name, incoming, &files).await {
        Ok(session) => session,
        Err((text, exit)) => {
            context.complain(&text);
            return exit;
        }
    };
    let Ok(signals) = Signals::of_process() else {
        context.complain(&context.text("error-signals", &[]));
        return Exit::Failed;
    };
    let mut face = json::JsonFace::new(context, Paper::Plain);
    let opening = Opening {
        trusted: &trusted,
        incoming,
        shows_history: arguments.history,
    };
    talk(opening, session, &mut face, input::lines(), signals).await
}

/// A chat line by line.
async fn run_by_line(context: &Context, arguments: cli::Chat) -> Exit {
    let (home, trusted) = match trusted(context).await {
        Ok(found) => found,
        Err(exit) => return exit,
    };
    let files = files_config(&home, &arguments);
    let mut keyboard = Keyboard::open();
    let session = match arguments.name {
        Some(name) => open(context, &home, &trusted, &name, IncomingMail::Taken, &files).await,
        None => ask_name(context, &home, &trusted, &mut keyboard, &files).await,
    };
    let session = match session {
        Ok(session) => session,
        Err((text, exit)) => {
            if !text.is_empty() {
                context.complain(&text);
            }
            return exit;
        }
    };
    let signals = match keyboard.is_at_terminal() {
        true => Signals::of_terminal(),
        false => Signals::of_process(),
    };
    let Ok(signals) = signals else {
        context.complain(&context.text("error-signals", &[]));
        return Exit::Failed;
    };
    let Keyboard {
        lines,
        paper,
        mode: _mode,
    } = keyboard;
    let mut face = plain::PlainFace::new(context, paper.clone());
    let opening = Opening {
        trusted: &trusted,
        incoming: IncomingMail::Taken,
        shows_history: arguments.history,
    };
    let exit = talk(opening, session, &mut face, lines, signals).await;
    paper.end();
    exit
}

/// What a chat does with files.
pub(crate) fn files_config(home: &Home, arguments: &cli::Chat) -> FilesConfig {
    FilesConfig {
        downloads: match &arguments.downloads {
            Some(folder) => folder.clone(),
            None => files::downloads(home.path()),
        },
        accept_from: arguments.accept_from.clone(),
        relay_only: arguments.relay_only,
    }
}

async fn trusted(context: &Context) -> Result<(Home, Trusted), Exit> {
    let home = context.client_home()?;
    let trusted = context.trusted(&home).await?;
    Ok((home, trusted))
}

/// The context for a ticket, or a server's address, that was given: as an argument, or, for `-`, as a secret.
fn with_ticket(context: &Context, given: Option<String>) -> Result<Context, Exit> {
    let mut common = context.common.clone();
    let given = given.filter(|given| !given.is_empty()).map(Zeroizing::new);
    if let Some(mut ticket) = given {
        if *ticket == "-" {
            ticket = secret::take(context, "chat-ticket-prompt")?;
        }
        let address = ticket.parse().map_err(|error: AddressError| {
            let cause = wording::address(context.language, &error);
            context.complain(&context.text("chat-not-a-ticket", &[("cause", &cause)]));
            Exit::WrongUse
        })?;
        common.server = Some(address);
    }
    Ok(Context {
        language: context.language,
        common,
        home: context.home.clone(),
    })
}

/// Asks for a name; a person may try another one if the server refuses it.
async fn ask_name(
    context: &Context,
    home: &Home,
    trusted: &Trusted,
    keyboard: &mut Keyboard,
    files: &FilesConfig,
) -> Result<Session, (String, Exit)> {
    loop {
        let prompt = context.text("chat-name-prompt", &[]);
        if !context.common.quiet && keyboard.paper.say(&prompt).is_err() {
            return Err((String::new(), Exit::Failed));
        }
        let name = match keyboard.lines.recv().await {
            Some(Input::Line(line)) => line.trim().to_owned(),
            Some(Input::Fault(_)) => String::new(),
            None => return Err((String::new(), Exit::Done)),
        };
        match open(context, home, trusted, &name, IncomingMail::Taken, files).await {
            Err((text, Exit::Refused)) if context.is_interactive() => context.complain(&text),
            opened => return opened,
        }
    }
}

/// Opens the session of a name; or says why not, and how the program is to end.
pub(crate) async fn open(
    context: &Context,
    home: &Home,
    trusted: &Trusted,
    name: &str,
    incoming: IncomingMail,
    files: &FilesConfig,
) -> Result<Session, (String, Exit)> {
    let language = context.language;
    // Names are refused here as the server would refuse them, before a key is made for them.
    let parsed = parse_name(language, name)?;
    let identity = Identity::open(home, &trusted.root, &parsed.keys().folded)
        .map_err(|error| (wording::identity(language, &error), Exit::Failed))?;
    let opened = Session::open(SessionConfig {
        trusted: trusted.clone(),
        identity,
        name: parsed.as_str().to_owned(),
        incoming,
        ticket: context.ticket(),
        files: Some(files.clone()),
    });
    opened.await.map_err(|error| {
        let exit = Exit::from_code(error.exit_code());
        (wording::session(language, &error, name), exit)
    })
}

/// A name; or why it is none, as the server would say, and how the program is to end.
pub(crate) fn parse_name(language: Language, name: &str) -> Result<Name, (String, Exit)> {
    Name::parse(name).map_err(|error: NameError| {
        let refused = SessionError::Refused(Refused {
            code: RefusalCode::NameInvalid,
            rule: error.kind().to_owned(),
            resembles: String::new(),
            retry_in_ms: 0,
        });
        (wording::session(language, &refused, name), Exit::Refused)
    })
}

/// This machine's clock, in milliseconds since 1970.
pub(crate) fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| {
        i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
    })
}
