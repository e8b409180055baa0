//! The recado program: command line, line mode, wiring. Decisions live in the crates beneath.

mod admin;
mod argv;
mod calc;
mod calculator;
mod chat;
mod cli;
mod completions;
mod config;
mod context;
mod decimal;
mod demo;
mod doctor;
mod files;
mod find;
mod i18n;
mod install;
mod invite;
mod man;
mod name;
mod period;
mod secret;
mod send;
mod send_files;
mod serve;
mod settings;
mod signals;
mod terminal;
mod trust;
mod tty;
mod tui;
mod usage;
mod wording;
mod wrap;

use std::process::ExitCode;

use clap::CommandFactory;

use cli::{Cli, Command};
use context::{Context, Exit};
use i18n::Language;
use settings::{Fault, ParseError, Settings};

/// The system's allocator keeps half as much again as sessions need of what their handshakes used for a moment: 20.8
/// KiB a session, where this one takes 14.5 (`docs/benchmarks.md`).
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let asked = Asked::of(argv::arguments());
    let language = asked.language;
    let (cli, matches) = match asked.interpret() {
        Ok(understood) => understood,
        Err(ParseError::Typed(error)) => {
            return match usage::tell(language, &asked.command, &error) {
                true => ExitCode::SUCCESS,
                false => Exit::WrongUse.into(),
            };
        }
        Err(ParseError::Fault(fault)) => {
            let prefix = language.text("error-prefix", &[]);
            terminal::complain(&format!("{prefix}{}", fault.text(language)));
            return Exit::WrongUse.into();
        }
    };
    run(cli, &asked, &matches).into()
}

/// What the command line, the environment and the configuration file say.
pub(crate) struct Asked {
    arguments: Vec<String>,
    pub(crate) language: Language,
    pub(crate) settings: Settings,
    /// Why the file does not count.
    fault: Option<Fault>,
    pub(crate) command: clap::Command,
}

impl Asked {
    fn of(arguments: Vec<String>) -> Self {
        let mut settings = Settings::locate(&arguments, |name| std::env::var_os(name));
        // The file may name the language, and what is wrong in it is said in some language: it is read first.
        let read = settings.read(Cli::command);
        let language = Language::detect(&arguments, |name| {
            let said = std::env::var(name).ok().filter(|value| !value.is_empty());
            let is_ours = name == "RECADO_LANG";
            said.or_else(|| settings.language().filter(|_| is_ours))
        });
        Self {
            arguments: argv::shield_negative_operands(arguments),
            language,
            settings,
            fault: read.err(),
            command: cli::localise(Cli::command(), language),
        }
    }

    /// Parses all of it.
    fn interpret(&self) -> Result<(Cli, clap::ArgMatches), ParseError> {
        let matches = self.settings.parse(&self.command, &self.arguments)?;
        // Whoever asks for help has got it by now, whatever is wrong with the file.
        let cli = Cli::from_matches(&matches).map_err(|error| ParseError::Typed(error.into()))?;
        match &self.fault {
            // The file that is to be written cannot be there yet.
            Some(fault) if !cli.writes_settings() => Err(ParseError::Fault(fault.clone())),
            _ => Ok((cli, matches)),
        }
    }

    /// How a server would be started here, by the environment and the file; `None` where they are wrong for one.
    pub(crate) fn serve_here(&self) -> Option<cli::Serve> {
        let words = ["recado", "serve"].map(str::to_owned);
        let matches = self.settings.parse(&self.command, &words).ok()?;
        match Cli::from_matches(&matches).ok()?.command {
            Command::Serve(serve) => Some(serve),
            _ => None,
        }
    }

    /// What is asked for now that the file may have changed; or what is wrong with it.
    pub(crate) fn again(&self, language: Language) -> Result<Command, String> {
        match Self::of(argv::arguments()).interpret() {
            Ok((cli, _)) => Ok(cli.command),
            Err(ParseError::Typed(error)) => Err(error.to_string()),
            Err(ParseError::Fault(fault)) => Err(fault.text(language)),
        }
    }
}

fn run(cli: Cli, asked: &Asked, matches: &clap::ArgMatches) -> Exit {
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
    if !matches!(cli.command, Command::Serve(_)) {
        secret::keep_out_of_dumps();
    }
    let context = match Context::new(cli.common, asked.language) {
        Ok(context) => context,
        Err(exit) => return exit,
    };
    let exit = runtime.block_on(async {
        match cli.command {
            Command::Serve(arguments) => serve::run(&context, asked, arguments).await,
            Command::Chat(arguments) => chat::run(&context, arguments).await,
            Command::Send(arguments) => send::run(&context, arguments).await,
            Command::Calc(arguments) => calc::run(&context, arguments).await,
            Command::Doctor(arguments) => doctor::run(&context, asked, arguments).await,
            Command::Demo(arguments) => demo::run(&context, arguments).await,
            Command::Trust(arguments) => trust::run(&context, arguments).await,
            Command::Name(arguments) => name::run(&context, arguments).await,
            Command::Config(arguments) => config::run(&context, asked, matches, &arguments),
            Command::Completions(arguments) => {
                completions::run(&context, &asked.command, arguments.shell)
            }
            Command::Man(arguments) => man::run(&context, &arguments.folder),
            Command::Invite(arguments) => invite::run(&context, arguments).await,
            Command::Admin(arguments) => admin::run(&context, arguments).await,
        }
    });
    // A thread that still waits for a line on standard input must not hold the program up.
    runtime.shutdown_background();
    exit
}
