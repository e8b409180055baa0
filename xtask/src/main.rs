//! recado's own tasks, run as `cargo xtask TASK`.
//!
//! `test` is CI: what it accepts may be merged. Each stage is a module: [`packages`] and [`python_tool`]
//! for what the tests need beside Rust, [`tidy`] for the rules no compiler knows, and [`test_run`] for the
//! tests and their count; [`stages`] is their order.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a task speaks to the terminal of whoever runs it"
)]

mod campaign;
mod cargo;
mod fuzz;
mod package;
mod packages;
mod python_tool;
mod stages;
mod targets;
mod test_run;
mod tidy;

use std::env;
use std::path::PathBuf;
use std::process::ExitCode;

use fuzz::Plan;

const USAGE: &str = "\
recado's own tasks.

Usage: cargo xtask TASK

Tasks:
  test    All that CI runs, in this order, up to the first failure:
            packages    install what the tests need from the system, where that can be done
            tidy        import directions, manifests, licences, files and links
            format      cargo fmt
            lint        cargo clippy, warnings denied
            docs        cargo doc, warnings denied
            targets     the program compiles for other systems, as far as they are installed
            build       cargo test --no-run
            test        all tests; the last line counts them
  bench [NAME [OPTION…]]
          Measure recado beside what else one could run, and write docs/benchmarks.md;
          without a name, all of it. `cargo xtask bench --help` names the benchmarks
  campaign kill [--seconds N] [--seed N]
          Kill real processes at random, at every write and sync, and cut their power, for ten
          minutes or as many seconds each: nothing promised may be lost, doubled or reordered
  campaign controls [NAME]
          The same against builds in which a promise is broken on purpose: each must be noticed
  package [--binary FILE [--output DIR]]
          Make what a release consists of in target/package: Debian's package, the program, a bill
          of materials and checksums; from a release build, or from a binary that is there
  targets
          Check that the program compiles for other systems, as far as they are installed
  fuzz [TARGET] [--seconds N]
          Look for inputs for which recado does not keep its word, for a minute or as many
          seconds a target; installs cargo-fuzz where it is missing

Options:
  -h, --help    Print this text

Environment:
  CI=true             A skipped test is a failure
  CARGO_TARGET_DIR    Where to build, as for cargo

Exit status: 0 all passed, 1 something failed, 2 wrong usage.
";

fn main() -> ExitCode {
    if let Some(code) = campaign::compile_control() {
        return code;
    }
    let arguments: Vec<String> = env::args_os()
        .skip(1)
        .map(|argument| argument.to_string_lossy().into_owned())
        .collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["bench", ref benchmark @ ..] => cargo::bench(benchmark),
        _ if arguments.iter().any(|it| ["--help", "-h"].contains(it)) => {
            print!("{USAGE}");
            ExitCode::SUCCESS
        }
        ["test"] => match root() {
            Some(root) => stages::run(&root),
            None => not_started_by_cargo(),
        },
        ["targets"] => match root().map(|root| targets::check(&root)) {
            None => not_started_by_cargo(),
            Some(Ok(())) => ExitCode::SUCCESS,
            Some(Err(error)) => {
                eprintln!("error: {error:#}");
                ExitCode::FAILURE
            }
        },
        ["package", ref package @ ..] => match root().map(|root| package::run(&root, package)) {
            None => not_started_by_cargo(),
            Some(Ok(())) => ExitCode::SUCCESS,
            Some(Err(error)) => {
                eprintln!("error: {error:#}");
                ExitCode::FAILURE
            }
        },
        ["campaign", ref campaign @ ..] => {
            match root().map(|root| campaign::run(&root, campaign)) {
                None => not_started_by_cargo(),
                Some(Ok(())) => ExitCode::SUCCESS,
                Some(Err(error)) => {
                    eprintln!("error: {error:#}");
                    ExitCode::FAILURE
                }
            }
        }
        ["fuzz", ref plan @ ..] => match (Plan::parse(plan), root()) {
            (Err(error), _) => {
                eprintln!("error: {error:#}\n\n{USAGE}");
                ExitCode::from(2)
            }
            (Ok(plan), Some(root)) => match plan.run(&root) {
                Ok(()) => ExitCode::SUCCESS,
                Err(error) => {
                    eprintln!("error: {error:#}");
                    ExitCode::FAILURE
                }
            },
            (Ok(_), None) => not_started_by_cargo(),
        },
        [] => {
            eprint!("{USAGE}");
            ExitCode::from(2)
        }
        _ => {
            eprintln!("error: no such task: {}\n\n{USAGE}", arguments.join(" "));
            ExitCode::from(2)
        }
    }
}

fn not_started_by_cargo() -> ExitCode {
    eprintln!("error: start it as `cargo xtask TASK`");
    ExitCode::from(2)
}

/// The workspace's folder, if `cargo xtask` has started us.
///
/// Not by `env!`: two clones that share a target folder may share this binary.
fn root() -> Option<PathBuf> {
    let manifest = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR")?);
    Some(manifest.parent()?.to_owned())
}
