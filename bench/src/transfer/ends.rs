//! Those who send and those who receive, each process with its processor time.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeVal;
use serde_json::{Value, json};

/// How long one transfer may take.
const PATIENCE: Duration = Duration::from_secs(300);

/// One transfer: how long it took, and the processor time of both ends and of what is between them.
#[derive(Clone, Copy, Default, Debug)]
pub(super) struct Round {
    pub(super) seconds: f64,
    pub(super) sender: f64,
    pub(super) receiver: f64,
    pub(super) relay: Option<f64>,
}

/// User and system time of a process and of its children that have ended, in seconds.
pub(super) fn used(process: u32) -> Result<f64> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat"))?;
    let fields = stat.rsplit(')').next().context("stat")?;
    let ticks: u64 = fields
        .split_whitespace()
        .skip(11)
        .take(4)
        .filter_map(|field| field.parse::<u64>().ok())
        .sum();
    Ok(ticks as f64 / 100.0)
}

/// Waits for a child; its own processor time and that of its children, in seconds.
pub(super) fn wait(child: &mut Child, what: &str) -> Result<f64> {
    let children = || -> Result<f64> {
        let usage = getrusage(UsageWho::RUSAGE_CHILDREN)?;
        let seconds = |time: TimeVal| time.tv_sec() as f64 + time.tv_usec() as f64 / 1e6;
        Ok(seconds(usage.user_time()) + seconds(usage.system_time()))
    };
    let before = children()?;
    let end = Instant::now() + PATIENCE;
    loop {
        if let Some(status) = child.try_wait()? {
            ensure!(status.success(), "{what}: {status}");
            return Ok(children()? - before);
        }
        if Instant::now() > end {
            child.kill()?;
        }
        sleep(Duration::from_millis(1));
    }
}

/// Waits until somebody listens there.
pub(super) fn listens(address: SocketAddr) -> Result<()> {
    let port = format!(":{:04X}", address.port());
    let end = Instant::now() + Duration::from_secs(15);
    loop {
        // Not by connecting: the least receiver takes one connection.
        let sockets = fs::read_to_string("/proc/net/tcp")?;
        let is_there = sockets.lines().any(|line| {
            let mut fields = line.split_whitespace().skip(1);
            let local = fields.next().is_some_and(|local| local.ends_with(&port));
            local && fields.nth(1) == Some("0A")
        });
        if is_there {
            return Ok(());
        }
        ensure!(Instant::now() < end, "nobody listens at {address}");
        sleep(Duration::from_millis(5));
    }
}

/// A chat of recado's, for a program.
pub(super) struct Chat {
    child: Child,
    say: ChildStdin,
    told: BufReader<ChildStdout>,
}

impl Chat {
    /// Joins.
    pub(super) fn join(
        recado: &Path,
        home: &Path,
        server: &str,
        name: &str,
        more: &[&str],
    ) -> Result<Self> {
        fs::create_dir_all(home)?;
        let mut child = Command::new(recado)
            .args(["chat", "--json", "--name", name, "--server", server])
            .args(more)
            .env("RECADO_HOME", home)
            .env("HOME", home)
            .current_dir(home)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let mut chat = Self {
            say: child.stdin.take().context("no input")?,
            told: BufReader::new(child.stdout.take().context("no output")?),
            child,
        };
        chat.find("ready", |_| true)?;
        Ok(chat)
    }

    pub(super) fn process(&self) -> u32 {
        self.child.id()
    }

    pub(super) fn say(&mut self, object: &Value) -> Result<()> {
        Ok(writeln!(self.say, "{object}")?)
    }

    /// The next such event.
    pub(super) fn find(&mut self, kind: &str, wanted: impl Fn(&Value) -> bool) -> Result<Value> {
        loop {
            let mut line = String::new();
            ensure!(self.told.read_line(&mut line)? > 0, "a chat has ended");
            let event: Value = serde_json::from_str(&line)?;
            ensure!(event["state"] != "failed", "{event}");
            if event["type"] == kind && wanted(&event) {
                return Ok(event);
            }
        }
    }

    /// Offers a file, which is received by `to`; from when contents pass until all is received.
    pub(super) fn send(
        &mut self,
        to: &mut Self,
        file: &Path,
        relay: u32,
        is_relayed: bool,
    ) -> Result<(Round, PathBuf)> {
        let processes = [self.process(), to.process(), relay];
        let before = processes.map(used);
        self.say(&json!({"type": "file", "to": "Bob", "path": file}))?;
        let running = self.find("offer_state", |event| event["state"] == "running")?;
        let since = Instant::now();
        let via = if is_relayed { "relay" } else { "direct" };
        ensure!(running["via"] == via, "{running}");
        self.find("offer_state", |event| event["state"] == "received")?;
        let seconds = since.elapsed().as_secs_f64();
        let received = to.find("received", |_| true)?;
        // What is under way ends: connections are closed, and notes said.
        sleep(Duration::from_millis(300));
        let mut spent = [0.0; 3];
        for ((spent, process), before) in spent.iter_mut().zip(processes).zip(before) {
            *spent = used(process)? - before?;
        }
        let path = received["path"].as_str().context("no path")?.into();
        let round = Round {
            seconds,
            sender: spent[0],
            receiver: spent[1],
            relay: is_relayed.then_some(spent[2]),
        };
        Ok((round, path))
    }
}

impl Drop for Chat {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
