//! A running process, spoken to over pipes.

use std::io::{self, Write};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Sender, channel};
use std::thread;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::lines::{Lines, Transcript};

/// A process that is killed, by its id, when dropped.
pub(crate) struct Killed(pub(crate) Child);

impl Drop for Killed {
    fn drop(&mut self) {
        self.kill_whole();
        // An error is one that has ended.
        let _ = self.0.wait();
    }
}

impl Killed {
    /// Kills it, and what it runs: a program under `strace` is the tracer's child, and outlives it otherwise. One that
    /// has ended is left alone.
    fn kill_whole(&mut self) {
        let id = self.0.id();
        let children = match self.0.try_wait() {
            Ok(None) => std::fs::read_to_string(format!("/proc/{id}/task/{id}/children")),
            _ => return,
        };
        let children = children.unwrap_or_default();
        for child in children.split_whitespace() {
            let child = Pid::from_raw(child.parse().unwrap());
            let _ = kill(child, Signal::SIGKILL);
        }
        // A tracer ends with what it traces, and tells how that ended.
        if children.is_empty() {
            let _ = self.0.kill();
        }
    }
}

/// A process. Killed when dropped.
pub(crate) struct Program {
    child: Killed,
    stdin: Option<Sender<Vec<u8>>>,
    pub(crate) stdout: Lines,
    pub(crate) stderr: Lines,
    transcript: Transcript,
}

impl Program {
    pub(crate) fn spawn(command: &mut Command) -> Self {
        Self::spawn_onto(command, Stdio::piped())
    }

    /// The same with standard output elsewhere than here.
    pub(crate) fn spawn_onto(command: &mut Command, stdout: Stdio) -> Self {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(stdout)
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{command:?} does not start: {error}"));
        let transcript = Transcript::default();
        let stdout = match child.stdout.take() {
            Some(stdout) => Lines::read(stdout, "out", &transcript),
            None => Lines::read(io::empty(), "out", &transcript),
        };
        let stderr = Lines::read(child.stderr.take().unwrap(), "err", &transcript);
        Self {
            stdin: child.stdin.take().map(feed),
            child: Killed(child),
            stdout,
            stderr,
            transcript,
        }
    }

    /// Enters a line.
    pub(crate) fn enter(&mut self, line: &str) {
        self.write(format!("{line}\n").as_bytes());
    }

    /// Writes to its standard input, and waits for nothing: a process that does not read is no reason to stop.
    pub(crate) fn write(&mut self, bytes: &[u8]) {
        let stdin = self.stdin.as_ref().expect("the input was ended");
        // One that has ended takes no more, which shows elsewhere.
        let _ = stdin.send(bytes.to_owned());
    }

    /// Ends its standard input, behind what was written.
    pub(crate) fn end_input(&mut self) {
        self.stdin = None;
    }

    pub(crate) fn pid(&self) -> Pid {
        Pid::from_raw(self.child.0.id().try_into().unwrap())
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill(self.pid(), signal).unwrap();
    }

    /// Kills it, and what it runs.
    pub(crate) fn kill_whole(&mut self) {
        self.child.kill_whole();
    }

    /// Whether it has ended by itself.
    pub(crate) fn has_ended(&mut self) -> bool {
        self.child.0.try_wait().unwrap().is_some()
    }

    /// Waits for its end, and gives the code and what was not read of its output.
    #[track_caller]
    pub(crate) fn end(&mut self) -> Ended {
        // Its streams end with it, and are waited for with a deadline.
        let stdout = self.stdout.rest();
        let stderr = self.stderr.rest();
        let status = self.child.0.wait().unwrap();
        Ended {
            code: code(status),
            stdout,
            stderr,
            transcript: self.transcript.clone(),
        }
    }
}

/// Writes what is sent, on a thread of its own, until the sender is gone or nobody reads any more.
fn feed(mut stdin: ChildStdin) -> Sender<Vec<u8>> {
    let (sender, bytes) = channel::<Vec<u8>>();
    thread::spawn(move || bytes.iter().try_for_each(|bytes| stdin.write_all(&bytes)));
    sender
}

/// The exit code, as a shell would show it.
fn code(status: ExitStatus) -> i32 {
    let signal = || status.signal().map(|signal| 128 + signal);
    status.code().or_else(signal).unwrap()
}

/// What is left of a process that has ended.
pub(crate) struct Ended {
    pub(crate) code: i32,
    pub(crate) stdout: Vec<String>,
    pub(crate) stderr: Vec<String>,
    pub(crate) transcript: Transcript,
}

impl Ended {
    /// Fails unless it ended with this code and said all of these on stderr.
    #[track_caller]
    pub(crate) fn says(&self, code: i32, parts: &[&str]) -> &Self {
        assert_eq!(self.code, code, "the exit code; {}", self.transcript);
        let stderr = self.stderr.join("\n");
        for part in parts {
            assert!(stderr.contains(part), "not said: {part:?} in {stderr:?}");
        }
        self
    }

    /// Fails unless stdout had exactly this.
    #[track_caller]
    pub(crate) fn shows(&self, lines: &[&str]) -> &Self {
        assert_eq!(self.stdout, lines, "{}", self.transcript);
        self
    }
}

/// Runs a command to its end, with nothing on standard input.
#[track_caller]
pub(crate) fn run(command: &mut Command) -> Ended {
    run_with(command, "")
}

/// Runs a command to its end, with this on standard input.
#[track_caller]
pub(crate) fn run_with(command: &mut Command, input: &str) -> Ended {
    let mut program = Program::spawn(command);
    program.write(input.as_bytes());
    program.end_input();
    program.end()
}
