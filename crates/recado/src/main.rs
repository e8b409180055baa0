//! The recado program: command line, line mode, wiring. Decisions live in the crates beneath.

mod argv;
mod calc;
mod chat;
mod cli;
mod completions;
mod config;
mod context;
mod decimal;
mod demo;
mod doctor;
mod find;
mod i18n;
mod install;
mod man;
mod name;
mod secret;
mod send;
mod serve;
mod settings;
mod terminal;
mod trust;
mod wording;

use std::process::ExitCode;

use clap::CommandFactory;
use clap::error::ErrorKind;

use cli::{Cli, Command};
use context::{Context, Exit};
use i18n::Language;
use settings::{ParseError, Settings};

/// The system's allocator keeps half as much again as sessions need of what their handshakes used for a moment: 20.8
/// KiB a session, where this one takes 14.5 (`docs/benchmarks.md`).
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let arguments = argv::arguments();
    let mut settings = Settings::locate(&arguments, |name| std::env::var_os(name));
    let shielded = argv::shield_negative_operands(arguments.clone());
    // The file may name the language, and what is wrong in it is said in some language: it is read first.
    let read = settings.read(&Cli::command());
    let language = Language::detect(&arguments, |name| {
        let said = std::env::var(name).ok().filter(|value| !value.is_empty());
        let is_ours = name == "RECADO_LANG";
        said.or_else(|| settings.language().filter(|_| is_ours))
    });
    let command = cli::localise(Cli::command(), language);
    let parsed = settings.parse(&command, &shielded);
    let parsed = parsed.and_then(|matches| {
        let cli = Cli::from_matches(&matches).map_err(|error| ParseError::Typed(error.into()))?;
        Ok((cli, matches))
    });
    let (cli, matches) = match (parsed, read) {
        // Whoever asks for help gets it, whatever is wrong elsewhere.
        (Err(ParseError::Typed(error)), _) => {
            // What was asked for goes to stdout and is no error.
            let _ = error.print();
            return match error.kind() {
                ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => ExitCode::SUCCESS,
                _ => Exit::WrongUse.into(),
            };
        }
        // The file that is to be written cannot be there yet.
        (Ok((cli, matches)), Err(_)) if cli.writes_settings() => (cli, matches),
        (_, Err(fault)) | (Err(ParseError::Fault(fault)), _) => {
            let prefix = language.text("error-prefix", &[]);
            terminal::complain(&format!("{prefix}{}", fault.text(language)));
            return Exit::WrongUse.into();
        }
        (Ok(parsed), Ok(())) => parsed,
    };
    let asked = Asked {
        settings,
        command,
        matches,
    };
    run(cli, language, &asked).into()
}

/// What the command line, the environment and the file say, for commands that are about them.
pub(crate) struct Asked {
    pub(crate) settings: Settings,
    pub(crate) command: clap::Command,
    pub(crate) matches: clap::ArgMatches,
}

fn run(cli: Cli, language: Language, asked: &Asked) -> Exit {
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => {
            terminal::complain(&error.to_string());
            return Exit::Failed;
        }
    };
    let context = match Context::new(cli.common, language) {
        Ok(context) => context,
        Err(exit) => return exit,
    };
    let exit = runtime.block_on(async {
        match cli.command {
            Command::Serve(arguments) => serve::run(&context, arguments).await,
            Command::Chat(arguments) => chat::run(&context, arguments).await,
            Command::Send(arguments) => send::run(&context, arguments).await,
            Command::Calc(arguments) => calc::run(&context, arguments).await,
            Command::Doctor(arguments) => doctor::run(&context, arguments).await,
            Command::Demo(arguments) => demo::run(&context, arguments).await,
            Command::Trust(arguments) => trust::run(&context, arguments).await,
            Command::Name(arguments) => name::run(&context, arguments).await,
            Command::Config(arguments) => config::run(&context, asked, &arguments),
            Command::Completions(arguments) => {
                completions::run(&context, &asked.command, arguments.shell)
            }
            Command::Man(arguments) => man::run(&context, &arguments.folder),
        }
    });
    // A thread that still waits for a line on standard input must not hold the program up.
    runtime.shutdown_background();
    exit
}
