//! People and programs in a chat.

use std::ops::{Deref, DerefMut};

use serde_json::{Value, json};

use super::{Home, PROMPT_PT, Program, fault};

/// `recado chat --plain --lang pt-BR`: someone who types.
pub(crate) struct Person(Program);

impl Person {
    /// Joins under a name, and waits for the first prompt.
    pub(crate) fn join(home: &Home, server: &str, name: &str) -> Self {
        let person = Self::spawn(home, server, &["--name", name, "--lang", "pt-BR"]);
        person.stdout.expect(PROMPT_PT);
        person
    }

    /// Starts the chat.
    pub(crate) fn spawn(home: &Home, server: &str, arguments: &[&str]) -> Self {
        let mut command = home.recado(&["chat", "--plain", "--server", server]);
        Self(Program::spawn(command.args(arguments)))
    }

    /// Waits until everything that the server sent this person so far has been shown: a message to oneself
    /// comes behind it.
    #[track_caller]
    pub(crate) fn catch_up(&mut self, name: &str) -> Vec<String> {
        self.enter(&format!("/tcp {name} fim"));
        let end = format!("[TCP] Privado de {name}: fim");
        let mut lines = Vec::new();
        loop {
            let line = self.stdout.next();
            if line == end {
                return lines;
            }
            lines.push(line);
        }
    }

    /// Quits, which is done when everything has been settled; nothing unseen may be left.
    #[track_caller]
    pub(crate) fn quit(mut self) {
        self.enter("/sair");
        self.end().says(0, &[]).shows(&[]);
    }
}

impl Deref for Person {
    type Target = Program;
    fn deref(&self) -> &Program {
        &self.0
    }
}

impl DerefMut for Person {
    fn deref_mut(&mut self) -> &mut Program {
        &mut self.0
    }
}

/// `recado chat --json`: a program.
pub(crate) struct Bot {
    program: Program,
    /// The first event.
    pub(crate) ready: Value,
}

impl Bot {
    /// Joins under a name, and waits for `ready`.
    #[track_caller]
    pub(crate) fn join(home: &Home, server: &str, name: &str) -> Self {
        Self::of(Self::spawn(home, server, name))
    }

    /// Waits for the `ready` of a chat that was started.
    #[track_caller]
    pub(crate) fn of(program: Program) -> Self {
        let ready = program.stdout.next();
        Self::of_ready(program, &ready)
    }

    /// The same of one that has said that it is ready.
    #[track_caller]
    pub(crate) fn of_ready(program: Program, ready: &str) -> Self {
        let ready = parse(ready);
        assert_eq!(ready["type"], "ready", "{ready}");
        Self { program, ready }
    }

    /// Starts the chat.
    pub(crate) fn spawn(home: &Home, server: &str, name: &str) -> Program {
        let arguments = ["chat", "--json", "--name", name, "--server", server];
        Program::spawn(&mut home.recado(&arguments))
    }

    /// Enters an object.
    pub(crate) fn say(&mut self, object: Value) {
        self.program.enter(&object.to_string());
    }

    /// Writes to everyone, with the text as reference.
    pub(crate) fn say_to_all(&mut self, text: &str) {
        self.say(json!({"type": "global", "text": text, "ref": text}));
    }

    /// The next event.
    #[track_caller]
    pub(crate) fn next(&self) -> Value {
        parse(&self.program.stdout.next())
    }

    /// The next event of a type; those before it are passed over.
    #[track_caller]
    pub(crate) fn find(&self, kind: &str) -> Value {
        self.find_where(|event| event["type"] == kind)
    }

    /// The next such event; those before it are passed over.
    #[track_caller]
    pub(crate) fn find_where(&self, mut wanted: impl FnMut(&Value) -> bool) -> Value {
        loop {
            let event = self.next();
            if wanted(&event) {
                return event;
            }
        }
    }

    /// Waits until a message of one's own is queued, stored, delivered or failed.
    #[track_caller]
    pub(crate) fn state(&self, state: &str) -> Value {
        self.find_where(|event| event["type"] == "state" && event["state"] == state)
    }

    /// Waits until someone is here, or gone.
    #[track_caller]
    pub(crate) fn sees(&self, name: &str, online: bool) {
        self.find_where(|event| {
            event["type"] == "presence" && event["name"] == name && event["online"] == online
        });
    }
}

impl Deref for Bot {
    type Target = Program;
    fn deref(&self) -> &Program {
        &self.program
    }
}

impl DerefMut for Bot {
    fn deref_mut(&mut self) -> &mut Program {
        &mut self.program
    }
}

/// An event. Anything else on stdout fails the test.
#[track_caller]
pub(crate) fn parse(line: &str) -> Value {
    let value: Value = serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line:?}"));
    // As it is described to those who write programs.
    let fault = fault("out", &value);
    assert_eq!(fault, None, "{line}");
    value
}
