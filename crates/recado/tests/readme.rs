//! The README's console blocks, in both languages, run as they stand there, and their output compared.
//!
//! A block is a terminal: `$` begins a command, what follows is what the terminal shows, with what is
//! typed in between. `…` stands for anything, alone on a line for any lines. The server, and everyone who
//! talks, stay for as long as the page lasts. What is shown between two lines that are typed may come in any
//! order: it comes different ways. Only this is changed: `cargo run --release --` is the binary
//! under test, the server's port is a free one, and the home is an empty folder.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(60);

/// How long one terminal is looked at while others may have something.
const MOMENT: Duration = Duration::from_millis(20);

/// Marks a line that is typed; others that are begin with a slash.
const TYPED: char = '\u{1}';

/// What `cargo run --release -- serve` is for a person: the port is 443 or 8443.
const README_SERVER: &str = "localhost:8443";

#[test]
fn the_readme_is_true() {
    run(include_str!("../../../README.md"), "en_US.UTF-8");
}

#[test]
fn the_readme_is_true_in_portuguese() {
    run(include_str!("../../../README.pt-BR.md"), "pt_BR.UTF-8");
}

#[test]
fn the_readme_names_the_command_that_tests() {
    // It cannot run itself; CI does nothing else.
    let ci = include_str!("../../../.ci/run");
    for readme in [
        include_str!("../../../README.md"),
        include_str!("../../../README.pt-BR.md"),
    ] {
        assert!(readme.contains("$ cargo xtask test\n"));
    }
    assert!(ci.contains("exec cargo xtask test\n"));
}

fn run(readme: &str, locale: &str) {
    let home = tempfile::tempdir().unwrap();
    let mut page = Page {
        home: home.path(),
        locale,
        port: None,
    };
    let mut terminals = Vec::new();
    for (command, transcript) in console_blocks(readme).iter().flat_map(|b| commands(b)) {
        if command == "cargo xtask test" {
            continue;
        }
        if !stays(&command) {
            // It comes after all that the page shows before it.
            page.go_on(&mut terminals, |terminals| {
                terminals.iter().all(Terminal::is_over)
            });
        }
        terminals.push(page.open(&command, transcript));
        // What one shows may need what another types: all go on while the newest opens.
        page.go_on(&mut terminals, |terminals| {
            terminals.last().unwrap().is_open()
        });
    }
    assert!(page.port.is_some(), "the page starts no server");
    page.go_on(&mut terminals, |terminals| {
        terminals.iter().all(Terminal::is_over)
    });
    // The server, which came first, ends last.
    for terminal in terminals.iter_mut().rev() {
        terminal.end();
    }
}

struct Page<'a> {
    home: &'a Path,
    locale: &'a str,
    port: Option<String>,
}

impl Page<'_> {
    fn open(&self, command: &str, transcript: VecDeque<String>) -> Terminal {
        let mut command = command.replace(
            "cargo run --release --",
            &format!("'{}'", env!("CARGO_BIN_EXE_recado")),
        );
        if let Some(port) = &self.port {
            command = command.replace(README_SERVER, &format!("localhost:{port}"));
        }
        // As in a terminal, both outputs come together.
        let (reader, writer) = std::io::pipe().unwrap();
        let mut shell = Command::new("sh");
        for (name, _) in std::env::vars_os() {
            let name = name.to_string_lossy().into_owned();
            if name.starts_with("RECADO_") || name.starts_with("LC_") || name.starts_with("XDG_") {
                shell.env_remove(name);
            }
        }
        shell
            .args(["-c", &format!("exec {command}")])
            .env("HOME", self.home)
            .env("LANG", self.locale)
            .env("RECADO_LISTEN", "127.0.0.1:0")
            .stdin(Stdio::piped())
            .stdout(writer.try_clone().unwrap())
            .stderr(writer);
        if let Some(port) = &self.port {
            shell.env("RECADO_SERVER", format!("localhost:{port}"));
        }
        let mut child = shell.spawn().unwrap();
        drop(shell);
        let keyboard = child.stdin.take();
        let (sender, screen) = channel();
        std::thread::spawn(move || {
            for line in BufReader::new(reader).lines() {
                if line.is_err() || sender.send(line.unwrap()).is_err() {
                    return;
                }
            }
        });
        let says_so = |line: &String| line.starts_with("recado ready") || line.ends_with("):");
        let stays = stays(&command);
        let at = transcript.iter().position(says_so).filter(|_| stays);
        Terminal {
            opens_at: at.map(|at| transcript.len() - at),
            command,
            transcript,
            child,
            keyboard,
            screen,
        }
    }

    /// Lets every terminal go on until `done`.
    fn go_on(&mut self, terminals: &mut [Terminal], done: impl Fn(&[Terminal]) -> bool) {
        let mut since = Instant::now();
        while !done(terminals) {
            for terminal in terminals.iter_mut() {
                if terminal.advance(self) {
                    since = Instant::now();
                }
            }
            if since.elapsed() > PATIENCE {
                let waiting = terminals.iter().filter(|terminal| !terminal.is_over());
                let waiting: Vec<_> = waiting
                    .map(|t| (&t.command, t.transcript.front()))
                    .collect();
                panic!("never shown: {waiting:#?}");
            }
        }
    }
}

struct Terminal {
    command: String,
    /// What is still to come.
    transcript: VecDeque<String>,
    /// Of a server or a chat: how many lines are to come when the one that says that it is there is next.
    /// All else is there when it is over.
    opens_at: Option<usize>,
    child: Child,
    keyboard: Option<ChildStdin>,
    screen: Receiver<String>,
}

impl Terminal {
    /// Types or shows the next line, if it is there in a moment. Whether it was.
    fn advance(&mut self, page: &mut Page<'_>) -> bool {
        let Some(line) = self.transcript.front().cloned() else {
            return false;
        };
        if is_typed(&line) {
            self.type_line(&line);
            self.transcript.pop_front();
        } else if line == "…" {
            // Whatever else the block shows.
            self.transcript.clear();
        } else {
            let Ok(shown) = self.screen.recv_timeout(MOMENT) else {
                return false;
            };
            self.take(&shown, page);
        }
        true
    }

    /// Whether the next terminal may be opened: what stays has shown that it is there.
    fn is_open(&self) -> bool {
        match self.opens_at {
            Some(rest) => self.transcript.len() < rest,
            None => self.is_over(),
        }
    }

    fn is_over(&self) -> bool {
        self.transcript.is_empty()
    }

    fn type_line(&mut self, line: &str) {
        let line = line.trim_start_matches(TYPED);
        let keyboard = self.keyboard.as_mut().unwrap();
        writeln!(keyboard, "{line}").unwrap();
    }

    /// Takes what is shown off what is to come before the next line that is typed.
    fn take(&mut self, shown: &str, page: &mut Page<'_>) {
        if let Some(ready) = shown.strip_prefix("recado ready tcp=") {
            let address = ready.split(' ').next().unwrap();
            page.port = address.rsplit(':').next().map(str::to_owned);
        }
        let port = page.port.as_deref().unwrap_or("8443");
        let server = format!("localhost:{port}");
        let to_come = self.transcript.iter();
        let to_come = to_come.take_while(|line| !is_typed(line) && *line != "…");
        let expected: Vec<_> = to_come
            .map(|line| line.replace(README_SERVER, &server))
            .collect();
        let at = expected.iter().position(|line| matches(line, shown));
        let command = &self.command;
        let at =
            at.unwrap_or_else(|| panic!("{command}\nshows    {shown:?}\nexpected {expected:?}"));
        self.transcript.remove(at);
    }

    /// It shows nothing else, and ends well. A server is ended.
    fn end(&mut self) {
        drop(self.keyboard.take());
        if self.command.contains(" serve") {
            return;
        }
        let status = self.child.wait().unwrap();
        assert!(status.success(), "{}: {status}", self.command);
        let more = self.screen.recv_timeout(PATIENCE).ok();
        assert_eq!(more, None, "{}\nshows more", self.command);
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Whether a command goes on until it is ended, or quit.
fn stays(command: &str) -> bool {
    command.contains(" serve") || command.contains(" chat")
}

/// Whether a line of the page is typed.
fn is_typed(line: &str) -> bool {
    line.starts_with(['/', TYPED])
}

/// Whether `shown` is `expected`, where `…` is anything.
fn matches(expected: &str, shown: &str) -> bool {
    let mut parts = expected.split('…');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = shown.strip_prefix(first) else {
        return false;
    };
    let mut parts = parts.peekable();
    if parts.peek().is_none() {
        return rest.is_empty();
    }
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return rest.ends_with(part);
        }
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    true
}

fn console_blocks(readme: &str) -> Vec<String> {
    let mut blocks = Vec::new();
    let mut rest = readme;
    while let Some((_, after)) = rest.split_once("```console\n") {
        let (block, after) = after.split_once("```").expect("a block that ends");
        blocks.push(block.to_owned());
        rest = after;
    }
    blocks
}

/// The commands of a block, each with what follows it. What is typed after a question is marked.
fn commands(block: &str) -> Vec<(String, VecDeque<String>)> {
    let mut commands: Vec<(String, VecDeque<String>)> = Vec::new();
    for line in block.lines() {
        if let Some(command) = line.strip_prefix("$ ") {
            commands.push((command.to_owned(), VecDeque::new()));
            continue;
        }
        let (command, transcript) = commands.last_mut().expect("a block begins with a command");
        let asked = |line: &String| line.ends_with(':') || line.ends_with("/N)");
        let answer = command.ends_with(" calc") && transcript.back().is_some_and(asked);
        let mark = if answer {
            TYPED.to_string()
        } else {
            String::new()
        };
        transcript.push_back(format!("{mark}{line}"));
    }
    commands
}

#[test]
fn an_ellipsis_is_anything() {
    assert!(matches("a … c", "a b c"));
    assert!(matches("…", ""));
    assert!(matches("a=… b=…", "a=1 b=2"));
    assert!(!matches("a … c", "a b d"));
    assert!(!matches("a", "ab"));
}
