//! What was found, as people and programs read it.

use recado_client::LinkMeasurement;
use recado_client::address::ServerAddress;
use serde_json::{Value, json};

use crate::cli::OutputFormat;
use crate::context::{Context, Exit};
use crate::terminal;

/// What is checked, in this order.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Check {
    Home,
    Disk,
    History,
    Name,
    DataFolder,
    Database,
    Port,
    Addresses,
    Tcp,
    Tls,
    Dates,
    Https,
    Clock,
    Version,
    Session,
    UdpUp,
    UdpDown,
    Mtu,
}

impl Check {
    /// Its machine word.
    fn word(self) -> &'static str {
        match self {
            Self::Home => "home",
            Self::Disk => "disk",
            Self::History => "history",
            Self::Name => "name",
            Self::DataFolder => "data_folder",
            Self::Database => "database",
            Self::Port => "port",
            Self::Addresses => "addresses",
            Self::Tcp => "tcp",
            Self::Tls => "tls",
            Self::Dates => "dates",
            Self::Https => "https",
            Self::Clock => "clock",
            Self::Version => "version",
            Self::Session => "session",
            Self::UdpUp => "udp_up",
            Self::UdpDown => "udp_down",
            Self::Mtu => "mtu",
        }
    }
}

/// How a check ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum State {
    Ok,
    /// With how another command would end for it.
    Wrong(Exit),
    Untested,
}

/// What was found so far.
pub(super) struct Report<'a> {
    context: &'a Context,
    output: OutputFormat,
    /// What programs get.
    object: Value,
    checks: Vec<Value>,
    /// Nobody reads any more, or the disk is full.
    unwritten: bool,
}

impl<'a> Report<'a> {
    pub(super) fn new(context: &'a Context, server: &ServerAddress, output: OutputFormat) -> Self {
        Self {
            context,
            output,
            object: json!({ "server": server.to_string() }),
            checks: Vec::new(),
            unwritten: false,
        }
    }

    /// Notes a check; people read of it at once.
    pub(super) fn add(&mut self, check: Check, state: State, text: String, remedy: Option<String>) {
        let exit = match state {
            State::Wrong(exit) => Some(exit.code()),
            State::Ok | State::Untested => None,
        };
        let (word, state) = match state {
            State::Ok => ("ok", self.context.text("doctor-ok", &[])),
            State::Wrong(_) => ("wrong", self.context.text("doctor-wrong", &[])),
            State::Untested => ("untested", self.context.text("doctor-untested", &[])),
        };
        if self.output == OutputFormat::Text {
            // The lines of one check stay together, and apart from the next.
            let mut line = format!("{state}: {}", text.replace('\n', "\n    "));
            if let Some(remedy) = &remedy {
                line.push_str("\n    → ");
                line.push_str(remedy);
            }
            self.write(&line);
        }
        self.checks.push(json!({
            "check": check.word(),
            "state": word,
            "detail": text,
            "remedy": remedy,
            "exit": exit,
        }));
    }

    /// Notes how many datagrams passed.
    pub(super) fn measured(&mut self, measured: LinkMeasurement) {
        self.object["link"] = json!({
            "sent": measured.sent,
            "heard": measured.heard,
            "answered": measured.answered,
            "rtt_ms": measured.rtt.map(|rtt| rtt.as_secs_f64() * 1000.0),
        });
    }

    /// Ends the report with how the program is to end.
    pub(super) fn finish(mut self, exit: Exit) -> Exit {
        if self.output == OutputFormat::Json {
            self.object["healthy"] = (exit == Exit::Done).into();
            self.object["checks"] = std::mem::take(&mut self.checks).into();
            let line = self.object.to_string();
            self.write(&line);
        }
        match self.unwritten {
            true => Exit::Failed,
            false => exit,
        }
    }

    fn write(&mut self, line: &str) {
        self.unwritten |= terminal::say(line).is_err();
    }
}
