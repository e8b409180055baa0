//! The recado program: command line, line mode, wiring. Decisions live in the crates beneath.

mod admin;
mod argv;
mod calc;
mod chat;
mod cli;
mod context;
mod decimal;
mod demo;
mod doctor;
mod files;
mod i18n;
mod install;
mod invite;
mod name;
mod period;
mod secret;
mod send;
mod send_files;
mod serve;
mod terminal;
mod trust;
mod wording;

use std::process::ExitCode;

use clap::CommandFactory;
use clap::error::ErrorKind;

use cli::{Cli, Command};
use context::{Context, Exit};
use i18n::Language;

/// The system's allocator keeps half as much again as sessions need of what their handshakes used for a moment: 20.8
/// KiB a session, where this one takes 14.5 (`docs/benchmarks.md`).
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let arguments = argv::arguments();
    let language = Language::detect(&arguments, |name| std::env::var(name).ok());
    let mut command = cli::localise(Cli::command(), language);
    let cli = command
        .try_get_matches_from_mut(argv::shield_negative_operands(arguments))
        .and_then(|matches| Cli::from_matches(&matches));
    let cli = match cli {
        Ok(cli) => cli,
        Err(error) => {
            // What was asked for goes to stdout and is no error.
            let _ = error.print();
            return match error.kind() {
                ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => ExitCode::SUCCESS,
                _ => Exit::WrongUse.into(),
            };
        }
    };
    run(cli, language).into()
}

fn run(cli: Cli, language: Language) -> Exit {
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
            Command::Invite(arguments) => invite::run(&context, arguments).await,
            Command::Admin(arguments) => admin::run(&context, arguments).await,
        }
    });
    // A thread that still waits for a line on standard input must not hold the program up.
    runtime.shutdown_background();
    exit
}
