//! The cargo that the stages run.

use std::env;
use std::path::Path;
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, ensure};

/// A command for the very cargo that runs us, in the workspace's folder.
///
/// `CARGO_TARGET_DIR` is inherited, so all stages share one target folder.
pub(crate) fn command(root: &Path, arguments: &[&str]) -> Command {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command
        .args(arguments)
        .current_dir(root)
        .env("RUST_BACKTRACE", "1");
    command
}

/// Runs a command on our own terminal; `remedy` says what to do if it fails.
pub(crate) fn run(command: &mut Command, remedy: &str) -> Result<()> {
    let shown = shown(command);
    println!("   {shown}");
    let status = command
        .status()
        .with_context(|| format!("cannot run {shown}"))?;
    ensure!(status.success(), "{shown}: {status}. {remedy}");
    Ok(())
}

/// The command as one would type it.
pub(crate) fn shown(command: &Command) -> String {
    let program = Path::new(command.get_program()).file_name();
    program
        .into_iter()
        .chain(command.get_args())
        .map(|word| word.to_string_lossy())
        .collect::<Vec<_>>()
        .join(" ")
}

/// Runs a benchmark: a release build of its own package, with the arguments as given.
pub(crate) fn bench(arguments: &[&str]) -> ExitCode {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status = Command::new(cargo)
        .args(["run", "--release", "--package", "recado-bench", "--"])
        .args(arguments)
        .status();
    match status {
        Ok(status) if status.success() => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: cargo does not run: {error}");
            ExitCode::FAILURE
        }
    }
}
