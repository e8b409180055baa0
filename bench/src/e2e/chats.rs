//! One pair, as programs: everything that a message costs on its way.

use std::io::{BufRead as _, BufReader, Lines, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use super::text;
use crate::mail::cpu;
use crate::process::{ServerProcess, Workshop};

/// What one round found.
pub(super) struct Chats {
    pub(super) per_second: f64,
    pub(super) sender_us: f64,
    pub(super) recipient_us: f64,
    pub(super) server_us: f64,
}

impl Chats {
    /// So many messages, of which so many are under way at once: the next is entered when one was delivered.
    pub(super) fn measure(recado: &Path, messages: usize, outstanding: usize) -> Result<Self> {
        let workshop = Workshop::new()?;
        let homes = ["alice", "bob"].map(|name| workshop.path().join(name));
        let mut command = Command::new(recado);
        command
            .args([
                "serve",
                "--listen",
                "127.0.0.1:0",
                "--no-discovery",
                "--home",
            ])
            .arg(workshop.path());
        let (server, line) = ServerProcess::start_announced(workshop, &mut command)?;
        let address = line.split_once("tcp=").context("no ready line")?.1;
        let address = address.split([' ', ',']).next().unwrap_or_default();
        let mut bob = Chat::join(recado, &homes[1], address, "Bob")?;
        let mut alice = Chat::join(recado, &homes[0], address, "Alice")?;

        // They meet: a group is made, and each has heard of the other.
        alice.say("Bob")?;
        bob.wait(|event| event["type"] == "private")?;
        alice.wait(|event| event["state"] == "delivered")?;
        bob.say("Alice")?;
        alice.wait(|event| event["type"] == "private")?;
        bob.wait(|event| event["state"] == "delivered")?;

        let processes = [alice.id(), bob.id(), server.id()];
        let used =
            || -> Result<Vec<Duration>> { processes.iter().map(|it| cpu::used(*it)).collect() };
        let before = used()?;
        let began = Instant::now();
        let reader = thread::spawn(move || -> Result<Chat> {
            for _ in 0..messages {
                bob.wait(|event| event["type"] == "private")?;
            }
            Ok(bob)
        });
        // What is entered does not wait for what is read: neither program could go on.
        let (enter, entered) = mpsc::channel();
        let (mut input, line) = (alice.input.take().context("no input")?, alice.line("Bob"));
        let writer = thread::spawn(move || -> Result<()> {
            entered
                .iter()
                .try_for_each(|()| Ok(writeln!(input, "{line}")?))
        });
        for done in 0..messages + outstanding {
            if done >= outstanding {
                alice.wait(|event| event["state"] == "delivered")?;
            }
            if done < messages {
                enter.send(())?;
            }
        }
        let took = began.elapsed();
        let after = used()?;
        drop(enter);
        writer.join().ok().context("the writer broke")??;
        let bob = reader.join().ok().context("the reader broke")??;
        alice.end()?;
        bob.end()?;
        let each = |at: usize| {
            let used = after[at].saturating_sub(before[at]);
            used.as_secs_f64() * 1e6 / messages as f64
        };
        Ok(Self {
            per_second: messages as f64 / took.as_secs_f64(),
            sender_us: each(0),
            recipient_us: each(1),
            server_us: each(2),
        })
    }
}

/// `recado chat --json`; killed when dropped.
struct Chat {
    child: Child,
    input: Option<ChildStdin>,
    output: Lines<BufReader<ChildStdout>>,
    text: String,
}

impl Chat {
    fn join(recado: &Path, home: &Path, server: &str, name: &str) -> Result<Self> {
        let mut child = Command::new(recado)
            .args([
                "chat",
                "--json",
                "--accept-new",
                "--server",
                server,
                "--name",
                name,
            ])
            .arg("--home")
            .arg(home)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let output = child.stdout.take().context("no output")?;
        let mut chat = Self {
            input: child.stdin.take(),
            child,
            output: BufReader::new(output).lines(),
            text: text(),
        };
        chat.wait(|event| event["type"] == "ready")?;
        Ok(chat)
    }

    fn id(&self) -> u32 {
        self.child.id()
    }

    fn line(&self, to: &str) -> String {
        json!({"type": "private", "to": to, "text": self.text}).to_string()
    }

    fn say(&mut self, to: &str) -> Result<()> {
        let line = self.line(to);
        let input = self.input.as_mut().context("it was ended")?;
        Ok(writeln!(input, "{line}")?)
    }

    fn wait(&mut self, wanted: impl Fn(&Value) -> bool) -> Result<()> {
        loop {
            let line = self.output.next().context("the chat has ended")??;
            let event: Value = serde_json::from_str(&line)?;
            ensure!(
                event["type"] != "error" && event["state"] != "failed",
                "{event}"
            );
            if wanted(&event) {
                return Ok(());
            }
        }
    }

    fn end(mut self) -> Result<()> {
        drop(self.input.take());
        ensure!(self.child.wait()?.success(), "a chat did not end in order");
        Ok(())
    }
}

impl Drop for Chat {
    fn drop(&mut self) {
        // An error is one that has ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
