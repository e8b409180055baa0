//! `recado demo`: a server and three people on this machine, over real sockets. Each is this very program, run as
//! a process of its own; what they show is compared with what it should be.

mod actors;
mod tap;

use std::path::Path;

use crate::cli;
use crate::context::{Context, Exit};
use crate::i18n::Language;
use crate::terminal;
use actors::{Person, ServerProcess, calculate};
use tap::{Recording, Tap};

/// Bytes of the wire that are shown.
const SHOWN: usize = 64;

/// What goes wrong, in the person's words.
pub(super) struct Failure(String);

/// Runs the story; exits with 0 only if everyone saw what they should.
pub(crate) async fn run(context: &Context, arguments: cli::Demo) -> Exit {
    let story = Story {
        language: context.language,
        explain: arguments.explain,
    };
    match story.tell().await {
        Ok(()) => Exit::Done,
        Err(Failure(cause)) => {
            context.complain(&context.text("demo-failed", &[("cause", &cause)]));
            Exit::Failed
        }
    }
}

struct Story {
    language: Language,
    explain: bool,
}

/// What is said, in the language of the demonstration.
struct Script {
    add: &'static str,
    divide: &'static str,
    to_all: &'static str,
    to_b: &'static str,
    /// The head of a private message from A.
    private: &'static str,
}

impl Story {
    fn script(&self) -> Script {
        match self.language {
            Language::Portuguese => Script {
                add: "soma",
                divide: "divisao",
                to_all: "Olá, todos!",
                to_b: "Olá, B!",
                private: "[TCP] Privado de A:",
            },
            Language::English => Script {
                add: "add",
                divide: "divide",
                to_all: "Hello, everyone!",
                to_b: "Hello, B!",
                private: "[TCP] Private from A:",
            },
        }
    }

    async fn tell(&self) -> Result<(), Failure> {
        let script = self.script();
        self.say("demo-intro", &[])?;
        let folder = tempfile::tempdir().map_err(|error| Failure(error.to_string()))?;
        let mut server = ServerProcess::start(self.language, &folder.path().join("server")).await?;
        self.say("demo-server", &[("fingerprint", &server.fingerprint)])?;
        // People reach the server through a tap that copies what passes on the wire.
        let tap = Tap::start(server.address)
            .await
            .map_err(|error| Failure(error.to_string()))?;

        let third = format!("0.{}", "3".repeat(34));
        self.calculation(
            &tap,
            folder.path(),
            "GET",
            script.add,
            ["0.1", "0.2"],
            "0.3",
        )
        .await?;
        self.calculation(
            &tap,
            folder.path(),
            "POST",
            script.divide,
            ["1", "3"],
            &third,
        )
        .await?;

        let mut people = Vec::new();
        for name in ["A", "B", "C"] {
            people.push(Person::join(self.language, name, tap.port(), folder.path()).await?);
        }
        self.begin("demo-people", &[])?;

        tap.take();
        let line = format!("/udp {}", script.to_all);
        self.begin("demo-global", &[("line", &line)])?;
        people[0].types(&line).await?;
        for person in &mut people {
            let shown = format!("[UDP] A: {}", script.to_all);
            person.must_show(&shown).await?;
            self.say("demo-shows", &[("name", person.name()), ("line", &shown)])?;
        }
        let Recording { datagrams, .. } = tap.take();
        // Others passing by are probes; the message is the longest.
        let datagram = datagrams
            .into_iter()
            .max_by_key(Vec::len)
            .unwrap_or_default();
        self.explain("demo-explain-udp", &tap, &datagram, script.to_all)?;

        let line = format!("/tcp B {}", script.to_b);
        self.begin("demo-private", &[("line", &line)])?;
        people[0].types(&line).await?;
        let shown = format!("{} {}", script.private, script.to_b);
        people[1].must_show(&shown).await?;
        self.say("demo-shows", &[("name", "B"), ("line", &shown)])?;
        let Recording { stream, .. } = tap.take();
        self.explain("demo-explain-tcp", &tap, &stream, script.to_b)?;

        for person in people {
            let name = person.name().to_owned();
            person.leave().await?;
            if name == "C" {
                self.say("demo-shows-nothing", &[("name", &name)])?;
            }
        }
        server.stop().await?;
        self.begin("demo-done", &[])
    }

    async fn calculation(
        &self,
        tap: &Tap,
        folder: &Path,
        method: &str,
        operation: &str,
        [x, y]: [&str; 2],
        expected: &str,
    ) -> Result<(), Failure> {
        let typed = format!("recado calc {} {operation} {x} {y}", method.to_lowercase());
        self.begin(
            "demo-calculation",
            &[("method", method), ("command", &typed)],
        )?;
        tap.take();
        let words = [method, operation, x, y];
        let result = calculate(self.language, words, tap.port(), folder).await?;
        if result != expected {
            return Err(self.failed_line("recado calc", &result, expected));
        }
        self.say("demo-result", &[("result", &result)])?;
        let Recording { stream, .. } = tap.take();
        let readable = match method {
            "GET" => format!("/v1/calc/{operation}?x={x}&y={y}"),
            _ => format!("\"operation\":\"{operation}\""),
        };
        self.explain("demo-explain-https", tap, &stream, &readable)
    }

    /// Says which way something went, and shows the sealed bytes; fails if they can be read.
    fn explain(&self, id: &str, tap: &Tap, sealed: &[u8], text: &str) -> Result<(), Failure> {
        let readable = sealed
            .windows(text.len())
            .any(|window| window == text.as_bytes());
        if readable || sealed.is_empty() {
            return Err(Failure(self.language.text("demo-failed-plaintext", &[])));
        }
        if !self.explain {
            return Ok(());
        }
        self.say(id, &[("port", &tap.port().to_string())])?;
        let count = sealed.len().to_string();
        self.say("demo-explain-wire", &[("count", &count), ("text", text)])?;
        // Their end: a stream begins with its handshake.
        for line in sealed[sealed.len().saturating_sub(SHOWN)..].chunks(16) {
            let bytes: Vec<_> = line.iter().map(|byte| format!("{byte:02x}")).collect();
            say_line(&format!("    {}", bytes.join(" ")))?;
        }
        Ok(())
    }

    /// Begins a new part of the story.
    fn begin(&self, id: &str, arguments: &[(&str, &str)]) -> Result<(), Failure> {
        say_line("")?;
        self.say(id, arguments)
    }

    fn say(&self, id: &str, arguments: &[(&str, &str)]) -> Result<(), Failure> {
        say_line(&self.language.text(id, arguments))
    }

    fn failed_line(&self, name: &str, found: &str, expected: &str) -> Failure {
        let arguments = [("name", name), ("found", found), ("expected", expected)];
        Failure(self.language.text("demo-failed-line", &arguments))
    }
}

fn say_line(line: &str) -> Result<(), Failure> {
    terminal::say(line).map_err(|error| Failure(error.to_string()))
}
