//! A process that may be killed at any instant, and what it told before.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::ledger::{Ledger, Message};
use crate::common::{Home, Program};

/// How long one that was taken over may take to end; where the server is gone just now, it never would.
const TAKE_OVER: Duration = Duration::from_secs(5);

/// A person with a program, or without one just now.
pub(super) struct Actor {
    pub(super) name: String,
    pub(super) home: Home,
    program: Option<Program>,
    /// How many messages were entered to each person.
    entered: BTreeMap<String, u64>,
}

impl Actor {
    pub(super) fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            home: Home::new(),
            program: None,
            entered: BTreeMap::new(),
        }
    }

    pub(super) fn is_running(&self) -> bool {
        self.program.is_some()
    }

    /// What starts the chat.
    pub(super) fn command(&self, server: &str) -> Command {
        let arguments = ["chat", "--json", "--name", &self.name, "--server", server];
        self.home.recado(&arguments)
    }

    pub(super) fn start(&mut self, server: &str) {
        let command = self.command(server);
        self.start_as(command);
    }

    pub(super) fn start_as(&mut self, mut command: Command) {
        self.program = Some(Program::spawn(&mut command));
    }

    /// Waits for its first word.
    pub(super) fn wait_until_ready(&mut self) {
        let program = self.program.as_mut().expect("it was started");
        let ready: Value = serde_json::from_str(&program.stdout.next()).unwrap();
        assert_eq!(ready["type"], "ready", "{ready}");
    }

    /// Enters a message; it is in the ledger before.
    pub(super) fn say(&mut self, to: &str, ledger: &mut Ledger) {
        let number = self.entered.entry(to.to_owned()).or_default();
        *number += 1;
        let message = Message {
            from: self.name.clone(),
            to: to.to_owned(),
            number: *number,
        };
        ledger.enter(&message);
        let text = message.text();
        let object = json!({"type": "private", "to": to, "text": text, "ref": text});
        if let Some(program) = &mut self.program {
            program.enter(&object.to_string());
        }
    }

    /// Takes what it has told since.
    pub(super) fn listen(&mut self, ledger: &mut Ledger) {
        let Some(program) = &mut self.program else {
            return;
        };
        for line in program.stdout.pending() {
            let event: Value = serde_json::from_str(&line)
                .unwrap_or_else(|error| panic!("{} said {line:?}: {error}", self.name));
            ledger.see(&self.name, &event);
        }
    }

    /// Goes on in another folder, while the process of this one still runs: that one is told, and ends.
    pub(super) fn move_to(&mut self, home: Home, server: &str, ledger: &mut Ledger) {
        let mut taken_over = self.program.take();
        let left = std::mem::replace(&mut self.home, home);
        self.start(server);
        let moved = self.program.take();
        let begin = Instant::now();
        while let Some(program) = &mut taken_over
            && !program.has_ended()
        {
            if begin.elapsed() > TAKE_OVER {
                program.kill_whole();
            }
            std::thread::sleep(super::PAUSE);
        }
        self.program = taken_over;
        self.take_end(ledger);
        self.program = moved;
        drop(left);
    }

    /// Ends it now, and takes what it told before.
    pub(super) fn kill(&mut self, ledger: &mut Ledger) {
        if let Some(program) = &mut self.program {
            program.kill_whole();
        }
        self.take_end(ledger);
    }

    /// Takes what one told that has ended, or is about to.
    pub(super) fn take_end(&mut self, ledger: &mut Ledger) {
        let Some(mut program) = self.program.take() else {
            return;
        };
        let ended = program.end();
        ledger.note(format!("{} ended with {}", self.name, ended.code));
        let mut lines = ended.stdout.iter().peekable();
        while let Some(line) = lines.next() {
            match serde_json::from_str(line) {
                Ok(event) => ledger.see(&self.name, &event),
                // Cut off in the middle of its last word.
                Err(_) if lines.peek().is_none() => {}
                Err(error) => panic!("{} said {line:?}: {error}", self.name),
            }
        }
    }

    /// Whether its program has ended by itself.
    pub(super) fn has_ended(&mut self) -> bool {
        self.program.as_mut().is_some_and(Program::has_ended)
    }
}

/// The server, on one port for life.
pub(super) struct ServerActor {
    pub(super) home: Home,
    program: Option<Program>,
    port: u16,
}

impl ServerActor {
    pub(super) fn new() -> Self {
        Self {
            home: Home::new(),
            program: None,
            port: 0,
        }
    }

    pub(super) fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    pub(super) fn data(&self) -> PathBuf {
        self.home.file("server")
    }

    /// What starts it.
    pub(super) fn command(&self) -> Command {
        self.home.recado(&["serve", "--listen", &self.address()])
    }

    pub(super) fn start(&mut self) {
        let command = self.command();
        self.start_as(command);
    }

    /// Starts it, and waits until it is ready, or has ended.
    pub(super) fn start_as(&mut self, mut command: Command) {
        let mut program = Program::spawn(&mut command);
        if let Some(line) = program.stdout.next_or_end() {
            let ready = crate::common::Ready::parse(&line);
            self.port = ready.tcp[0].port();
            self.program = Some(program);
        } else {
            program.end();
        }
    }

    pub(super) fn is_running(&self) -> bool {
        self.program.is_some()
    }

    pub(super) fn has_ended(&mut self) -> bool {
        self.program.as_mut().is_some_and(Program::has_ended)
    }

    pub(super) fn kill(&mut self) {
        if let Some(mut program) = self.program.take() {
            program.kill_whole();
            program.end();
        }
    }
}

/// Puts a copy of a folder in another's place.
pub(super) fn replace_folder(copy: &Path, folder: &Path) {
    if folder.exists() {
        std::fs::remove_dir_all(folder).unwrap();
    }
    crate::common::copy_folder(copy, folder);
}
