//! `recado serve`, on a free port of the loopback.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use nix::sys::signal::Signal;
use serde_json::Value;

use super::{Ended, Home, Program, run};

/// A server that accepts connections. Killed when dropped.
pub(crate) struct Server {
    pub(crate) program: Program,
    pub(crate) ready: Ready,
    home: Home,
}

/// What its ready line said.
pub(crate) struct Ready {
    pub(crate) tcp: Vec<SocketAddr>,
    pub(crate) udp: Vec<SocketAddr>,
    pub(crate) fingerprint: String,
    pub(crate) data: PathBuf,
}

impl Server {
    /// A new server.
    pub(crate) fn start() -> Self {
        Self::start_with(&[])
    }

    /// A new server, with further arguments.
    pub(crate) fn start_with(arguments: &[&str]) -> Self {
        let home = Home::new();
        let command = Self::command(&home, arguments);
        Self::spawn(home, command)
    }

    /// Starts whatever is to print a ready line.
    pub(crate) fn spawn(home: Home, mut command: Command) -> Self {
        let program = Program::spawn(&mut command);
        let ready = Ready::parse(&program.stdout.next());
        Self {
            program,
            ready,
            home,
        }
    }

    /// `recado serve` on any free port, its data in `server/` of the home.
    pub(crate) fn command(home: &Home, arguments: &[&str]) -> Command {
        let mut command = home.recado(&["serve"]);
        if !arguments.contains(&"--listen") {
            command.args(["--listen", "127.0.0.1:0"]);
        }
        command.args(arguments);
        command
    }

    /// Stops it in order, and gives its folder back.
    pub(crate) fn stop(mut self) -> Home {
        self.program.signal(Signal::SIGTERM);
        self.program.end().says(0, &[]);
        let Self { home, .. } = self;
        home
    }

    /// The folder of one that has ended.
    pub(crate) fn home(self) -> Home {
        self.home
    }

    /// Stops it, changes its folder, and starts it again, on another port.
    pub(crate) fn restart(self, change: impl FnOnce(&Path)) -> Self {
        let home = self.stop();
        change(&home.file("server"));
        let command = Self::command(&home, &[]);
        Self::spawn(home, command)
    }

    /// `recado admin …` or `recado invite …`, by its own user, in English, to its end.
    #[track_caller]
    pub(crate) fn operate(&self, arguments: &[&str]) -> Ended {
        run(self.home.recado(arguments).args(["--lang", "en"]))
    }

    /// The same, for programs: the objects that it writes.
    #[track_caller]
    pub(crate) fn operate_json(&self, arguments: &[&str]) -> Vec<Value> {
        let ended = self.operate(&[arguments, &["--output", "json"]].concat());
        ended.says(0, &[]);
        let parse = |line: &String| serde_json::from_str(line).unwrap();
        ended.stdout.iter().map(parse).collect()
    }

    /// Makes a ticket.
    #[track_caller]
    pub(crate) fn ticket(&self, arguments: &[&str]) -> String {
        let ended = self.operate(&[&["invite"], arguments].concat());
        ended.says(0, &[]);
        ended.stdout[0].clone()
    }

    /// A file of its home.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.home.file(name)
    }

    /// Ends it, and gives what is left of its output.
    pub(crate) fn end(&mut self, signal: Signal) -> Ended {
        self.program.signal(signal);
        self.program.end()
    }

    pub(crate) fn socket(&self) -> SocketAddr {
        self.ready.tcp[0]
    }

    pub(crate) fn port(&self) -> u16 {
        self.socket().port()
    }

    /// `127.0.0.1:PORT`.
    pub(crate) fn address(&self) -> String {
        self.socket().to_string()
    }

    pub(crate) fn root_pem(&self) -> PathBuf {
        self.ready.data.join("root.pem")
    }
}

impl Ready {
    /// Reads the line, which is part of the contract to the letter:
    /// `recado ready tcp=A[,A…] udp=A[,A…] fingerprint=SHA256:… data=PATH`.
    pub(crate) fn parse(line: &str) -> Self {
        let parse = || {
            let rest = line.strip_prefix("recado ready tcp=")?;
            let (tcp, rest) = rest.split_once(" udp=")?;
            let (udp, rest) = rest.split_once(" fingerprint=")?;
            let (fingerprint, data) = rest.split_once(" data=")?;
            let addresses = |list: &str| -> Option<Vec<SocketAddr>> {
                list.split(',')
                    .map(|address| address.parse().ok())
                    .collect()
            };
            let digest = fingerprint.strip_prefix("SHA256:")?;
            let base64url = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
            Some(Self {
                tcp: addresses(tcp)?,
                udp: addresses(udp)?,
                fingerprint: (digest.len() == 43 && digest.chars().all(base64url))
                    .then(|| fingerprint.to_owned())?,
                data: PathBuf::from(data),
            })
        };
        parse().unwrap_or_else(|| panic!("not a ready line: {line:?}"))
    }
}
