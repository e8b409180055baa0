//! The processes of the demonstration: this program, as a server, a person or a calculator.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::time::timeout;

use super::Failure;
use crate::i18n::Language;
use crate::signals;

/// How long anything may take before the demonstration counts as failed.
const PATIENCE: Duration = Duration::from_secs(30);

/// `recado serve`.
pub(super) struct ServerProcess {
    child: Child,
    language: Language,
    pub(super) address: SocketAddr,
    pub(super) fingerprint: String,
}

impl ServerProcess {
    pub(super) async fn start(language: Language, data: &Path) -> Result<Self, Failure> {
        let mut child = recado(language, data)?
            .args(["serve", "--listen", "127.0.0.1:0", "--data-dir"])
            .arg(data)
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|_| failed_process(language, "recado serve"))?;
        let mut lines =
            stdout(&mut child).ok_or_else(|| failed_process(language, "recado serve"))?;
        let ready = next_line(&mut lines).await.unwrap_or_default();
        let word = |key: &str| ready.split(' ').find_map(|word| word.strip_prefix(key));
        let address = word("tcp=").and_then(|address| address.parse().ok());
        match (address, word("fingerprint=")) {
            (Some(address), Some(fingerprint)) => Ok(Self {
                child,
                language,
                address,
                fingerprint: fingerprint.to_owned(),
            }),
            _ => Err(failed_process(language, "recado serve")),
        }
    }

    /// Ends it as an administrator would, which must succeed.
    pub(super) async fn stop(&mut self) -> Result<(), Failure> {
        let failed = || failed_process(self.language, "recado serve");
        signals::terminate(&mut self.child).map_err(|_| failed())?;
        match timeout(PATIENCE, self.child.wait()).await {
            Ok(Ok(status)) if status.success() || cfg!(not(unix)) => Ok(()),
            _ => Err(failed()),
        }
    }
}

/// `recado chat --plain`, with a person at its keyboard.
pub(super) struct Person {
    name: String,
    language: Language,
    child: Child,
    keyboard: ChildStdin,
    screen: Lines<BufReader<ChildStdout>>,
    prompt: String,
}

impl Person {
    /// Joins, and waits for the prompt.
    pub(super) async fn join(
        language: Language,
        name: &str,
        port: u16,
        folder: &Path,
    ) -> Result<Self, Failure> {
        let failed = || failed_process(language, "recado chat");
        let mut child = recado(language, &folder.join(name))?
            .args(["chat", "--plain", "--name", name, "--server"])
            .arg(format!("127.0.0.1:{port}"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|_| failed())?;
        let keyboard = child.stdin.take().ok_or_else(failed)?;
        let screen = stdout(&mut child).ok_or_else(failed)?;
        let mut person = Self {
            name: name.to_owned(),
            language,
            child,
            keyboard,
            screen,
            prompt: language.text("chat-prompt", &[]),
        };
        match next_line(&mut person.screen).await {
            Some(line) if line == person.prompt => Ok(person),
            _ => Err(failed()),
        }
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Types a line.
    pub(super) async fn types(&mut self, line: &str) -> Result<(), Failure> {
        let typed = format!("{line}\n");
        let written = self.keyboard.write_all(typed.as_bytes()).await;
        written.map_err(|_| failed_process(self.language, "recado chat"))
    }

    /// Waits for the next line that is no prompt, which must be this one.
    pub(super) async fn must_show(&mut self, expected: &str) -> Result<(), Failure> {
        loop {
            match next_line(&mut self.screen).await {
                Some(line) if line == self.prompt => {}
                Some(line) if line == expected => return Ok(()),
                Some(line) => return Err(self.failed("demo-failed-line", Some(&line), expected)),
                None => return Err(self.failed("demo-failed-missing", None, expected)),
            }
        }
    }

    /// Leaves; nothing that was not expected may have been shown.
    pub(super) async fn leave(mut self) -> Result<(), Failure> {
        drop(self.keyboard);
        while let Some(line) = next_line(&mut self.screen).await {
            if line != self.prompt {
                let arguments = [
                    ("name", self.name.as_str()),
                    ("found", &line),
                    ("expected", ""),
                ];
                return Err(Failure(self.language.text("demo-failed-line", &arguments)));
            }
        }
        match timeout(PATIENCE, self.child.wait()).await {
            Ok(Ok(status)) if status.success() => Ok(()),
            _ => Err(failed_process(self.language, "recado chat")),
        }
    }

    fn failed(&self, id: &str, found: Option<&str>, expected: &str) -> Failure {
        let mut arguments = vec![("name", self.name.as_str()), ("expected", expected)];
        arguments.extend(found.map(|found| ("found", found)));
        Failure(self.language.text(id, &arguments))
    }
}

/// `recado calc` with `words`; returns the line it printed.
pub(super) async fn calculate(
    language: Language,
    words: [&str; 4],
    port: u16,
    folder: &Path,
) -> Result<String, Failure> {
    let output = recado(language, &folder.join("calc"))?
        .arg("calc")
        .args(words)
        .arg("--server")
        .arg(format!("127.0.0.1:{port}"))
        .output();
    let printed = match timeout(PATIENCE, output).await {
        Ok(Ok(output)) if output.status.success() => String::from_utf8(output.stdout).ok(),
        _ => None,
    };
    let printed = printed.ok_or_else(|| failed_process(language, "recado calc"))?;
    Ok(printed.trim_end_matches('\n').to_owned())
}

/// This program, untouched by the settings of whoever runs the demonstration.
fn recado(language: Language, home: &Path) -> Result<Command, Failure> {
    let program = std::env::current_exe().map_err(|error| Failure(error.to_string()))?;
    let mut command = Command::new(program);
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("RECADO_") {
            command.env_remove(name);
        }
    }
    command
        .args(["--lang", language.tag(), "--home"])
        .arg(home)
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true);
    Ok(command)
}

fn stdout(child: &mut Child) -> Option<Lines<BufReader<ChildStdout>>> {
    Some(BufReader::new(child.stdout.take()?).lines())
}

/// The next line, in time.
async fn next_line(lines: &mut Lines<BufReader<ChildStdout>>) -> Option<String> {
    timeout(PATIENCE, lines.next_line()).await.ok()?.ok()?
}

fn failed_process(language: Language, command: &str) -> Failure {
    Failure(language.text("demo-failed-process", &[("command", command)]))
}
