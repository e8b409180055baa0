//! Line by line, exactly as the seed shows: stdout has prompts and message lines, stderr all else.

use std::io;

use recado_client::files::which;
use recado_client::history::{Conversation, Item, Outgoing, PastMessage, Question, Standing};
use recado_client::session::SessionError;
use recado_client::trust::Trusted;
use recado_client::{Command, CommandError, Event, FileCommand, LinkReport, State};
use recado_proto::frame::{ClosingCode, Person};
use recado_proto::limits::MAX_TEXT;
use recado_proto::name::RESERVED;
use recado_proto::text::{sanitise_block, sanitise_line};
use time::OffsetDateTime;

use super::command::{Typed, parse};
use super::file_words::{self, FileWords};
use super::input::Fault;
use super::talk::{Action, Face, Own, SCREEN};
use crate::context::Context;
use crate::{terminal, wording};

/// What a continuation line of a message begins with, so that no message can pass for another.
const INDENT: &str = "    ";

/// The face for people who like lines, for screen readers and for pipes.
pub(super) struct PlainFace<'a> {
    context: &'a Context,
    /// One's own name.
    name: String,
    files: FileWords,
}

impl<'a> PlainFace<'a> {
    pub(super) fn new(context: &'a Context) -> Self {
        Self {
            context,
            name: String::new(),
            files: FileWords::default(),
        }
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

    fn complain_of(&self, error: CommandError) {
        terminal::tell(&wording::command(self.context.language, error));
    }

    /// When, from whom or to whom, and what became of it.
    fn past_head(&self, message: &PastMessage) -> String {
        let name = message.from.as_ref().or(message.to.as_ref());
        let name = sanitise_line(name.unwrap_or(&self.name));
        let is_own = message.from.is_none();
        let head = match (message.is_global, is_own) {
            (true, _) if !message.verified => ("chat-global-unverified", "from"),
            (true, _) => ("chat-global", "from"),
            (false, false) => ("chat-private", "from"),
            (false, true) => ("chat-past-own", "to"),
        };
        let head = self.context.text(head.0, &[(head.1, &name)]);
        let state = match message.standing {
            Standing::Received => String::new(),
            // What was said to everyone is there to be seen.
            Standing::Stored if message.is_global => String::new(),
            standing => {
                let word = format!("state-{}", standing.as_str());
                format!("({}) ", self.context.text(&word, &[]))
            }
        };
        format!("{} {state}{head}", moment(message.sent_at_ms))
    }

    fn hint(&self, id: &str, arguments: &[(&str, &str)]) {
        terminal::tell(&self.context.text(id, arguments));
    }
}

impl Face for PlainFace<'_> {
    fn ready(&mut self, name: &str, trusted: &Trusted) -> io::Result<()> {
        name.clone_into(&mut self.name);
        let (name, server) = (sanitise_line(name), trusted.server());
        let names = [("name", name.as_ref()), ("server", server.as_str())];
        self.context
            .notice(&self.context.text("chat-ready", &names));
        self.prompt()
    }

    fn back(&mut self) -> io::Result<()> {
        self.context.notice(&self.context.text("chat-back", &[]));
        Ok(())
    }

    fn away(&mut self, code: Option<ClosingCode>, detail: &str) -> io::Result<()> {
        let cause = match code {
            Some(ClosingCode::Shutdown) => self.context.text("chat-away-shutdown", &[]),
            Some(ClosingCode::TooSlow) => self.context.text("chat-away-too-slow", &[]),
            _ => sanitise_line(detail).into_owned(),
        };
        self.hint("chat-away", &[("cause", &cause)]);
        Ok(())
    }

    fn line(&mut self, line: &str) -> io::Result<Action> {
        let say = |to, text| Action::Say {
            to,
            text,
            reference: None,
        };
        let action = match parse(line) {
            Typed::Empty => Action::Nothing,
            Typed::Global(text) => say(None, text),
            Typed::Private { to, text } => say(Some(to), text),
            Typed::Who => Action::Command(Command::Who),
            Typed::Link => Action::Command(Command::Link),
            Typed::History(with) => {
                let conversation = match with {
                    None => Conversation::Any,
                    Some(name) if RESERVED.contains(&name.as_str()) => Conversation::Everyone,
                    Some(name) => Conversation::With(name),
                };
                let limit = SCREEN;
                let question = Question::Latest {
                    conversation,
                    limit,
                };
                Action::Ask(question, None)
            }
            Typed::Search(words) => {
                let limit = SCREEN;
                Action::Ask(Question::Words { words, limit }, None)
            }
            Typed::Block(name) => Action::ToggleBlock(name),
            Typed::Trust(name) => Action::Command(Command::Trust { name }),
            Typed::File { to, paths } => Action::Files(file_words::offers(&to, &paths)),
            Typed::Accept(word) => Action::Files(vec![FileCommand::Accept {
                which: which(&word),
                reference: None,
            }]),
            Typed::Decline(word) => Action::Files(vec![FileCommand::Cancel {
                which: which(&word),
                reference: None,
            }]),
            Typed::Files => Action::Files(vec![FileCommand::List]),
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

    fn refused(&mut self, error: CommandError, _reference: Option<String>) -> io::Result<()> {
        self.complain_of(error);
        Ok(())
    }

    fn answer(&mut self, command: &Command, result: Result<(), CommandError>) -> io::Result<()> {
        match (command, result) {
            (Command::Trust { name }, Ok(())) => {
                let name = sanitise_line(name);
                self.hint("chat-trusted", &[("name", &name)]);
            }
            (Command::Trust { name }, Err(CommandError::NoOtherKey)) => {
                let name = sanitise_line(name);
                self.hint("chat-nothing-to-trust", &[("name", &name)]);
            }
            (_, Err(error)) => self.complain_of(error),
            (_, Ok(())) => {}
        }
        Ok(())
    }

    fn event(&mut self, event: &Event) -> io::Result<()> {
        match event {
            Event::Private {
                from,
                text,
                replayed,
                ..
            } => {
                let from = sanitise_line(&from.name);
                let id = match replayed {
                    true => "chat-private-again",
                    false => "chat-private",
                };
                say_message(&self.context.text(id, &[("from", &from)]), text)?;
            }
            Event::Missing { from, count } => {
                let from = sanitise_line(&from.name);
                let count = count.to_string();
                self.hint("chat-missing", &[("from", &from), ("count", &count)]);
            }
            Event::Waiting { name, why } => {
                let to = sanitise_line(name);
                let why = self.context.text(&format!("waiting-{}", why.code()), &[]);
                self.hint("chat-waiting", &[("to", &to), ("why", &why)]);
            }
            Event::KeyChanged { name, old, new } => {
                let name = sanitise_line(name);
                let (old, new) = (old.to_string(), new.to_string());
                self.hint(
                    "chat-key-changed",
                    &[("name", &name), ("old", &old), ("new", &new)],
                );
            }
            Event::Blocked(answer) => {
                let id = match (answer.done, answer.blocked) {
                    (false, _) => "chat-not-blocked",
                    (true, true) => "chat-blocked",
                    (true, false) => "chat-unblocked",
                };
                let name = sanitise_line(&answer.name);
                self.hint(id, &[("name", &name)]);
            }
            Event::LogLost => self.hint("chat-log-lost", &[]),
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
            Event::File(event) => self.files.event(self.context, event),
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

    fn state(&mut self, own: &Own) -> io::Result<()> {
        let to = own.to.as_deref().map(sanitise_line);
        match (own.state, to) {
            (State::Delivered, Some(to)) => {
                self.context
                    .notice(&self.context.text("chat-delivered", &[("to", &to)]));
            }
            (State::Stored, Some(to)) if !own.is_here => {
                self.context
                    .notice(&self.context.text("chat-stored", &[("to", &to)]));
            }
            // Who is here has it in a moment; and one's own echo is shown.
            (State::Queued | State::Stored | State::Delivered, _) => {}
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

    fn past(&mut self, items: &[Item], _reference: Option<String>) -> io::Result<()> {
        if items.is_empty() {
            self.hint("chat-nothing-found", &[]);
        }
        for item in items {
            match item {
                Item::Message(message) => say_message(&self.past_head(message), &message.text)?,
                Item::Hole { first, last } => {
                    let count = last.saturating_sub(*first).saturating_add(1).to_string();
                    terminal::say(&self.context.text("chat-hole", &[("count", &count)]))?;
                }
            }
        }
        Ok(())
    }

    fn nothing_to_acknowledge(&mut self, _reference: Option<String>) -> io::Result<()> {
        Ok(())
    }

    fn disk_full(&mut self, path: &str, lost: &[Outgoing]) -> io::Result<()> {
        self.hint("chat-disk-full", &[("path", path)]);
        if !lost.is_empty() {
            let count = lost.len().to_string();
            self.hint("chat-disk-full-lost", &[("count", &count)]);
        }
        Ok(())
    }

    fn left(&mut self, count: usize) -> io::Result<()> {
        self.hint("chat-left-queued", &[("count", &count.to_string())]);
        Ok(())
    }

    fn ended(&mut self, code: ClosingCode, detail: &str) -> io::Result<()> {
        match code {
            ClosingCode::TakenOver => self.hint("chat-ended-taken-over", &[]),
            ClosingCode::Kicked => self.hint("chat-ended-kicked", &[]),
            ClosingCode::Banned => self.hint("chat-ended-banned", &[]),
            _ => self.hint("chat-ended-protocol", &[("cause", &sanitise_line(detail))]),
        }
        Ok(())
    }

    fn failed(&mut self, error: &SessionError) -> io::Result<()> {
        let text = wording::session(self.context.language, error, &self.name);
        self.context.complain(&text);
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

/// The date and time in UTC. What no calendar has is shown as 1970.
fn moment(ms: i64) -> String {
    let moment = OffsetDateTime::from_unix_timestamp(ms.div_euclid(1000));
    let moment = moment.unwrap_or(OffsetDateTime::UNIX_EPOCH);
    let (date, hour, minute) = (moment.date(), moment.hour(), moment.minute());
    format!("{date} {hour:02}:{minute:02} UTC")
}

fn names(people: &[Person]) -> String {
    let names: Vec<_> = people
        .iter()
        .map(|person| sanitise_line(&person.name))
        .collect();
    names.join(", ")
}
