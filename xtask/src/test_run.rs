//! The run of all tests, and the count of what they say.

use std::env;
use std::fmt;
use std::fs;
use std::io::{self, BufRead, BufReader, PipeReader, Write};
use std::path::Path;
use std::process::{Child, Command};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use crate::cargo;

/// How long the output may be silent before we look whether cargo still runs.
const SILENCE: Duration = Duration::from_secs(2);

/// How long no test may end. The longest takes about a minute, a few times that on a loaded machine.
const STUCK: Duration = Duration::from_secs(10 * 60);

/// Runs all tests and fills in `totals`, whether they pass or not.
pub(crate) fn run(root: &Path, totals: &mut Option<Totals>) -> Result<()> {
    // All failures of a run are worth knowing, not those of the first binary alone.
    let mut command = cargo::command(root, &["test", "--workspace", "--locked", "--no-fail-fast"]);
    let shown = cargo::shown(&command);
    println!("   {shown}");
    // One pipe for both streams keeps the order of their lines.
    let (output, writer) = io::pipe().context("no pipe for the tests' output")?;
    command.stdout(writer.try_clone()?).stderr(writer);
    let mut child = command
        .spawn()
        .with_context(|| format!("cannot run {shown}"))?;
    // The command holds writing ends: with them open, the output would never end.
    drop(command);

    let mut report = Report::default();
    let ended = follow(&mut child, output, &mut report)?;
    let status = child.wait()?;
    let mut sum = report.totals();
    if !status.success() && sum.failed == 0 {
        // A test binary that crashed counts nothing itself.
        sum.failed = 1;
    }
    *totals = Some(sum);

    for skip in report.skips.iter().chain(&report.ignored_names) {
        println!("   skipped: {skip}");
    }
    ensure!(
        ended != Ended::Stuck,
        "no test ended for {} minutes, so all were ended. Still running: {}.",
        STUCK.as_secs() / 60,
        report.slow.join(", ")
    );
    ensure!(
        status.success(),
        "{shown}: {status}. Mend what failed above."
    );
    ensure!(
        ended == Ended::Whole,
        "a test left a process behind that still holds its output. Let the test stop what it starts."
    );
    ensure!(sum.passed > 0, "{shown} has run no test");
    if sum.skipped > 0 && is_ci() {
        bail!(
            "{} skipped, and CI=true allows none. Provide what they lack: see the packages stage.",
            sum.skipped
        );
    }
    Ok(())
}

/// How the tests' output ended.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Ended {
    /// With cargo.
    Whole,
    /// Cargo has ended, and some process outlives the tests: waiting for it could take for ever.
    Held,
    /// Not by itself.
    Stuck,
}

/// Shows and reads the output up to its end.
fn follow(child: &mut Child, output: PipeReader, report: &mut Report) -> Result<Ended> {
    let lines = lines(output);
    let mut stdout = io::stdout();
    let mut last = Instant::now();
    loop {
        match lines.recv_timeout(SILENCE) {
            Ok(line) => {
                last = Instant::now();
                stdout.write_all(&line)?;
                stdout.flush()?;
                report.read(String::from_utf8_lossy(&line).trim_end());
            }
            Err(RecvTimeoutError::Disconnected) => return Ok(Ended::Whole),
            Err(RecvTimeoutError::Timeout) => {
                if child.try_wait()?.is_some() {
                    return Ok(Ended::Held);
                }
                if last.elapsed() > STUCK {
                    end_all(child.id());
                    return Ok(Ended::Stuck);
                }
            }
        }
    }
}

/// Ends a process, and first all that it has started.
fn end_all(process: u32) {
    let children = fs::read_to_string(format!("/proc/{process}/task/{process}/children"));
    for child in children.unwrap_or_default().split_whitespace() {
        if let Ok(child) = child.parse() {
            end_all(child);
        }
    }
    // One that has ended meanwhile is as good.
    let _ = Command::new("kill")
        .args(["-KILL", &process.to_string()])
        .status();
}

/// Reads lines on a thread of their own, so that their silence can be noticed.
fn lines(output: PipeReader) -> Receiver<Vec<u8>> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let mut output = BufReader::new(output);
        let mut line = Vec::new();
        while output
            .read_until(b'\n', &mut line)
            .is_ok_and(|read| read > 0)
        {
            if sender.send(std::mem::take(&mut line)).is_err() {
                return;
            }
        }
    });
    receiver
}

fn is_ci() -> bool {
    env::var("CI").as_deref() == Ok("true")
}

/// The sum of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Totals {
    passed: usize,
    failed: usize,
    skipped: usize,
}

impl fmt::Display for Totals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            passed,
            failed,
            skipped,
        } = self;
        write!(f, "{passed} passed, {failed} failed, {skipped} skipped")
    }
}

/// What the lines of the tests' output add up to.
#[derive(Debug, Default)]
struct Report {
    passed: usize,
    failed: usize,
    ignored: usize,
    /// What tests said of themselves: `NAME: REASON`.
    skips: Vec<String>,
    /// Tests marked `#[ignore]`.
    ignored_names: Vec<String>,
    /// Tests that have run for over a minute and have not ended.
    slow: Vec<String>,
}

impl Report {
    fn read(&mut self, line: &str) {
        if let Some(counts) = line.strip_prefix("test result: ") {
            self.passed += count(counts, "passed");
            self.failed += count(counts, "failed");
            self.ignored += count(counts, "ignored");
            return;
        }
        // The harness writes `test NAME ... ` and `ok` apart, and a test may speak between them.
        let test = line.strip_prefix("test ");
        if let Some((name, _)) = test.and_then(|it| it.split_once(" has been running for over ")) {
            self.slow.push(name.to_owned());
            return;
        }
        let (name, said) = test
            .and_then(|it| it.split_once(" ... "))
            .unwrap_or(("", line));
        self.slow.retain(|slow| slow != name);
        let skip = ["", "ok", "FAILED"]
            .iter()
            .find_map(|result| said.strip_prefix(result)?.strip_prefix("skipped: "));
        if let Some(skip) = skip {
            self.skips.push(skip.to_owned());
        } else if said.starts_with("ignored") && !name.is_empty() {
            self.ignored_names.push(format!("{name}: {said}"));
        }
    }

    fn totals(&self) -> Totals {
        Totals {
            // The harness counts a test that skipped itself among the passed.
            passed: self.passed.saturating_sub(self.skips.len()),
            failed: self.failed,
            skipped: self.ignored + self.skips.len(),
        }
    }
}

/// The number before a word, as in `ok. 3 passed; 0 failed; …`.
fn count(counts: &str, what: &str) -> usize {
    counts
        .split(['.', ';'])
        .filter_map(|part| part.trim().strip_suffix(what))
        .find_map(|number| number.trim().parse().ok())
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(output: &str) -> Report {
        let mut report = Report::default();
        output.lines().for_each(|line| report.read(line));
        report
    }

    #[test]
    fn results_of_all_binaries_are_added_up() {
        let report = report(
            "test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.12s\n\
             test result: FAILED. 40 passed; 2 failed; 0 ignored; 0 measured; 7 filtered out; finished in 1.00s\n",
        );
        assert_eq!(
            report.totals().to_string(),
            "43 passed, 2 failed, 1 skipped"
        );
    }

    #[test]
    fn a_skip_is_named_and_has_not_passed() {
        let report = report(
            "skipped: browser: no chromium\n\
             test alone ... ok\n\
             test a::b ... skipped: vectors: no decimaltestdata\n\
             ok\n\
             test c ... okskipped: oracle: no python3\n\
             test slow ... ignored, takes an hour\n\
             test result: ok. 4 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.12s\n",
        );
        assert_eq!(
            report.skips,
            [
                "browser: no chromium",
                "vectors: no decimaltestdata",
                "oracle: no python3"
            ]
        );
        assert_eq!(report.ignored_names, ["slow: ignored, takes an hour"]);
        assert_eq!(report.totals().to_string(), "1 passed, 0 failed, 4 skipped");
    }

    #[test]
    fn a_test_that_does_not_end_is_known_by_name() {
        let report = report(
            "test a::b has been running for over 60 seconds\n\
             test c has been running for over 60 seconds\n\
             test a::b ... ok\n",
        );
        assert_eq!(report.slow, ["c"]);
    }

    #[test]
    fn other_lines_count_nothing() {
        let report = report("3 tests skipped: none\n   Running unittests\nok\nignored\n");
        assert_eq!(report.totals(), Totals::default());
    }
}
