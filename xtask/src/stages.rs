//! The stages of `cargo xtask test`, in their order.

use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Error, Result};

use crate::test_run::Totals;
use crate::{cargo, packages, python_tool, targets, test_run, tidy};

/// Runs all stages, up to the first that fails.
///
/// The cheap ones come first. The last line printed is the count of the tests, if it came to them.
pub(crate) fn run(root: &Path) -> ExitCode {
    let mut times = Times::default();
    let mut totals = None;
    let outcome = run_timed(root, &mut times, &mut totals);
    println!("\nTimes: {}", times.summary());
    if let Err(error) = &outcome {
        report(error);
    }
    if let Some(totals) = totals {
        println!("{totals}");
    }
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

/// The stages; `totals` is filled in even when tests fail.
fn run_timed(root: &Path, times: &mut Times, totals: &mut Option<Totals>) -> Result<()> {
    times.stage("packages", || {
        packages::provide()?;
        python_tool::provide(root);
        Ok(())
    })?;
    times.stage("tidy", || tidy::check(root))?;
    times.stage("format", || {
        cargo::run(
            &mut cargo::command(root, &["fmt", "--all", "--check"]),
            "Run `cargo fmt --all`.",
        )
    })?;
    times.stage("lint", || {
        let clippy = "clippy --workspace --all-targets --locked -- -D warnings";
        cargo::run(
            &mut cargo::command(root, &words(clippy)),
            "Mend what clippy says, or `#[expect(LINT, reason = \"…\")]` it.",
        )
    })?;
    times.stage("docs", || {
        let doc = "doc --workspace --no-deps --document-private-items --locked";
        cargo::run(
            cargo::command(root, &words(doc)).env("RUSTDOCFLAGS", "-D warnings"),
            "Mend the doc comments named above.",
        )
    })?;
    times.stage("targets", || targets::check(root))?;
    // Apart from the tests, so that each has its time, and an error of the compiler its own stage.
    times.stage("build", || {
        cargo::run(
            &mut cargo::command(root, &words("test --workspace --locked --no-run")),
            "Mend what the compiler says.",
        )
    })?;
    times.stage("test", || test_run::run(root, totals))
}

fn words(command: &str) -> Vec<&str> {
    command.split(' ').collect()
}

/// Tells an error with its causes.
fn report(error: &Error) {
    let causes: Vec<String> = error.chain().map(ToString::to_string).collect();
    eprintln!("error: {}", causes.join(": "));
}

/// How long each stage took.
#[derive(Default)]
struct Times(Vec<(&'static str, Duration)>);

impl Times {
    /// Announces a stage, runs it, and tells its time.
    fn stage(&mut self, name: &'static str, stage: impl FnOnce() -> Result<()>) -> Result<()> {
        println!("\n== {name}");
        let start = Instant::now();
        let outcome = stage();
        let took = start.elapsed();
        let word = if outcome.is_ok() { "passed" } else { "FAILED" };
        println!("== {name}: {word} in {:.1} s", took.as_secs_f64());
        self.0.push((name, took));
        outcome
    }

    fn summary(&self) -> String {
        let all: Duration = self.0.iter().map(|(_, took)| took).sum();
        let stages: Vec<String> = self
            .0
            .iter()
            .map(|(name, took)| format!("{name} {:.1} s", took.as_secs_f64()))
            .collect();
        format!("{}; in all {:.1} s", stages.join(", "), all.as_secs_f64())
    }
}
