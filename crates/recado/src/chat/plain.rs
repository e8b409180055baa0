//! Line by line, exactly as the seed shows: stdout has prompts and message lines, stderr all else.

use std::io;

use recado_client::trust::Trusted;
use recado_client::{CommandError, Event, LinkReport, State};
use recado_proto::frame::{ClosingCode, Person};
use recado_proto::id::MessageId;
use recado_proto::limits::MAX_TEXT;
use recado_proto::text::{sanitise_block, sanitise_line};

use super::command::{Typed, parse};
use super::input::Fault;
use super::{Action, Face};
use crate::context::Context;
use crate::terminal;

/// What a continuation line of a message begins with, so that no message can pass for another.
const INDENT: &str = "    ";

/// The face for people who like lines, for screen readers and for pipes.
pub(super) struct PlainFace<'a> {
    context: &'a Context,
}

/// What is remembered of a message: to whom it went; `None` is everyone.
pub(super) struct SentTo(Option<String>);

impl<'a> PlainFace<'a> {
    pub(super) fn new(context: &'a Context) -> Self {
        Self { context }
    }

    fn prompt(&self) -> io::Result<()> {
        if self.context.common.quiet {
            return Ok(());
        }
        terminal::say(&self.context.text("chat-prompt", &[]))
    }

    fn link_report(&self, report: &LinkReport) -> String {
        let word = |open| {
            self.context
                .text(if open { "link-udp" } else { "link-tcp" }, &[])
        };
        let rtt = match report.state.rtt {
            Some(rtt) => format!("{:.1} ms", rtt.as_secs_f64() * 1000.0),
            None => self.context.text("link-unknown", &[]),
        };
        let lost = report.probes.saturating_sub(report.answers);
        self.context.text(
            "chat-link-report",
            &[
                ("up", &word(report.state.up)),
                ("down", &word(report.state.down)),
                ("rtt", &rtt),
                ("probes", &report.probes.to_string()),
                ("lost", &lost.to_string()),
                ("datagrams", &report.by_datagram.to_string()),
                ("frames", &report.by_frame.to_string()),
                ("repaired", &report.repaired.to_string()),
                ("late", &report.late.to_string()),
                ("rejected", &report.rejected.to_string()),
            ],
        )
    }

    fn hint(&self, id: &str, arguments: &[(&str, &str)]) {
        terminal::tell(&self.context.text(id, arguments));
    }
}

impl Face for PlainFace<'_> {
    type Sent = SentTo;

    fn ready(&mut self, name: &str, trusted: &Trusted) -> io::Result<()> {
        let (name, server) = (sanitise_line(name), trusted.server());
        let names = [("name", name.as_ref()), ("server", server.as_str())];
        self.context
            .notice(&self.context.text("chat-ready", &names));
        self.prompt()
    }

    fn line(&mut self, line: &str) -> io::Result<Action<SentTo>> {
        let action = match parse(line) {
            Typed::Empty => Action::Nothing,
            Typed::Global(text) => Action::Global {
                text,
                sent: SentTo(None),
            },
            Typed::Private { to, text } => {
                let sent = SentTo(Some(to.clone()));
                Action::Private { to, text, sent }
            }
            Typed::Who => Action::Who,
            Typed::Link => Action::Link,
            Typed::Help => {
                terminal::tell(&self.context.text("chat-help", &[]));
                Action::Nothing
            }
            Typed::Quit => return Ok(Action::Quit),
            Typed::Incomplete(command) => {
                let command = sanitise_line(&command);
                self.hint("chat-hint-incomplete", &[("command", &command)]);
                Action::Nothing
            }
            Typed::Unknown(command) => {
                let command = sanitise_line(&command);
                self.hint("chat-hint-unknown", &[("command", &command)]);
                Action::Nothing
            }
            Typed::Bare => {
                self.hint("chat-hint-bare", &[]);
                Action::Nothing
            }
        };
        self.prompt()?;
        Ok(action)
    }

    fn bad_line(&mut self, fault: Fault) -> io::Result<()> {
        match fault {
            Fault::TooLong => self.hint("chat-error-too-long", &[("limit", &MAX_TEXT.to_string())]),
            Fault::NotText => self.hint("chat-error-not-text", &[]),
        }
        self.prompt()
    }

    fn refused(&mut self, error: CommandError, _sent: SentTo) -> io::Result<()> {
        let id = match error {
            CommandError::Empty => "chat-hint-bare",
            CommandError::TooLong(_) => {
                self.hint("chat-error-too-long", &[("limit", &MAX_TEXT.to_string())]);
                return Ok(());
            }
            CommandError::NameTooLong => "chat-error-name",
            CommandError::Ended => "chat-error-ended",
        };
        self.hint(id, &[]);
        Ok(())
    }

    fn event(&mut self, event: &Event) -> io::Result<()> {
        match event {
            Event::Private { from, text, .. } => {
                let from = sanitise_line(&from.name);
                let head = self.context.text("chat-private", &[("from", &from)]);
                say_message(&head, text)?;
            }
            Event::Global {
                from,
                text,
                verified,
                late,
                replayed,
                ..
            } => {
                let from = sanitise_line(&from.name);
                let id = match (verified, replayed, late) {
                    (false, ..) => "chat-global-unverified",
                    (true, true, _) => "chat-global-before",
                    (true, false, true) => "chat-global-late",
                    (true, false, false) => "chat-global",
                };
                say_message(&self.context.text(id, &[("from", &from)]), text)?;
            }
            Event::Presence { person, online } => {
                let id = if *online { "chat-joined" } else { "chat-left" };
                let name = sanitise_line(&person.name);
                self.context
                    .notice(&self.context.text(id, &[("name", &name)]));
            }
            Event::Roster(people) => self.hint("chat-roster", &[("names", &names(people))]),
            Event::Hole { first, last } => {
                let count = last.saturating_sub(*first).saturating_add(1).to_string();
                self.hint("chat-hole", &[("count", &count)]);
            }
            Event::Link(state) => {
                let id = match (state.up, state.down) {
                    (true, true) => "chat-link-open",
                    (false, true) => "chat-link-no-up",
                    (true, false) => "chat-link-no-down",
                    (false, false) => "chat-link-closed",
                };
                self.context.notice(&self.context.text(id, &[]));
            }
            Event::LinkReport(report) => terminal::tell(&self.link_report(report)),
            Event::Unreadable { from, .. } => {
                let from = sanitise_line(&from.name);
                self.hint("chat-unreadable", &[("from", &from)]);
            }
            // Told by other ways.
            Event::Ready { .. }
            | Event::State { .. }
            | Event::Measured(_)
            | Event::Closed { .. } => {}
        }
        Ok(())
    }

    fn settled(&mut self, _id: MessageId, state: State, sent: SentTo) -> io::Result<()> {
        let to = sent.0.as_deref().map(sanitise_line);
        match (state, to) {
            (State::Delivered, Some(to)) => {
                self.context
                    .notice(&self.context.text("chat-delivered", &[("to", &to)]));
            }
            // One's own echo has been shown.
            (State::Stored | State::Delivered, _) => {}
            (State::Failed(failure), to) => {
                let why = self
                    .context
                    .text(&format!("failure-{}", failure.code()), &[]);
                match to {
                    Some(to) => self.hint("chat-failed", &[("to", &to), ("why", &why)]),
                    None => self.hint("chat-failed-global", &[("why", &why)]),
                }
            }
        }
        Ok(())
    }

    fn ended(&mut self, code: Option<ClosingCode>, detail: &str) -> io::Result<()> {
        let detail = sanitise_line(detail);
        match code {
            Some(ClosingCode::TakenOver) => self.hint("chat-ended-taken-over", &[]),
            Some(ClosingCode::Shutdown) => self.hint("chat-ended-shutdown", &[]),
            Some(ClosingCode::TooSlow) => self.hint("chat-ended-too-slow", &[]),
            Some(ClosingCode::Protocol | ClosingCode::Unspecified) | None => {
                self.hint("chat-ended-lost", &[("cause", &detail)]);
            }
        }
        Ok(())
    }
}

/// Writes a message: its head and first line, then continuation lines, indented.
fn say_message(head: &str, text: &str) -> io::Result<()> {
    let mut message = String::from(head);
    for (at, line) in sanitise_block(text).enumerate() {
        message.push_str(if at == 0 { " " } else { "\n" });
        if at > 0 {
            message.push_str(INDENT);
        }
        message.push_str(&line);
    }
    terminal::say(&message)
}

fn names(people: &[Person]) -> String {
    let names: Vec<_> = people
        .iter()
        .map(|person| sanitise_line(&person.name))
        .collect();
    names.join(", ")
}
