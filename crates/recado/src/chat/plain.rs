//! Line by line, exactly as the seed shows: stdout has prompts and message lines, stderr all else.

use std::io;

use recado_client::history::{
    Conversation, Item, Outgoing, PastMessage, Question, Standing, Verification,
};
use recado_client::session::{SessionError, VerifyError};
use recado_client::trust::Trusted;
use recado_client::{Command, CommandError, Event, State};
use recado_proto::frame::ClosingCode;
use recado_proto::limits::MAX_TEXT;
use recado_proto::name::RESERVED;
use recado_proto::text::{sanitise_block, sanitise_line};
use time::OffsetDateTime;

use super::calculating::Calculated;
use super::command::{Said, Typed, parse};
use super::file_words::FileProgress;
use super::input::{Fault, Input};
use super::marks::Marks;
use super::paper::Paper;
use super::talk::{Action, Face, Own, SCREEN, Shown};
use super::words::{self, Told, Weight, Words};
use crate::context::Context;
use crate::wording;

/// What a continuation line of a message begins with, so that no message can pass for another.
const INDENT: &str = "    ";

/// The face for people who like lines, for screen readers and for pipes.
pub(super) struct PlainFace<'a> {
    context: &'a Context,
    words: Words,
    paper: Paper,
    /// One's own name.
    name: String,
    files: FileProgress,
    marks: Marks,
}

impl<'a> PlainFace<'a> {
    pub(super) fn new(context: &'a Context, paper: Paper) -> Self {
        Self {
            context,
            words: Words(context.language),
            paper,
            name: String::new(),
            files: FileProgress::default(),
            marks: Marks::default(),
        }
    }

    fn prompt(&self) -> io::Result<()> {
        if self.context.common.quiet {
            return Ok(());
        }
        self.paper.say(&self.context.text("chat-prompt", &[]))
    }

    fn told(&self, told: &Told) {
        if told.weight == Weight::Answer || !self.context.common.quiet {
            self.paper.tell(&told.text);
        }
    }

    fn notice(&self, id: &str, arguments: &[(&str, &str)]) {
        if !self.context.common.quiet {
            self.hint(id, arguments);
        }
    }

    fn hint(&self, id: &str, arguments: &[(&str, &str)]) {
        self.paper.tell(&self.context.text(id, arguments));
    }

    /// Tells of an error.
    fn complain(&self, text: &str) {
        let prefix = self.context.text("error-prefix", &[]);
        self.paper.tell(&format!("{prefix}{text}"));
    }

    /// When, from whom or to whom, and what became of it.
    fn past_head(&self, message: &PastMessage) -> String {
        let name = self.marks.shown(words::other(message, &self.name));
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

    /// Writes a message: its head and first line, then continuation lines, indented.
    fn say_message(&self, head: &str, text: &str) -> io::Result<()> {
        let mut message = String::from(head);
        for (at, line) in sanitise_block(text).enumerate() {
            message.push_str(if at == 0 { " " } else { "\n" });
            if at > 0 {
                message.push_str(INDENT);
            }
            message.push_str(&line);
        }
        self.paper.say(&message)
    }

    fn line(&mut self, line: &str) -> io::Result<Action> {
        let say = |to, text| Action::Say {
            to,
            text,
            reference: None,
        };
        let action = match parse(self.context.language, line) {
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
            Typed::Verify { name, said } => match said {
                Said::Nothing => Action::Verify(name, None),
                Said::Compared(comparison) => Action::Verify(name, Some(comparison)),
                Said::Unclear => {
                    self.hint("verify-what", &[("name", &sanitise_line(&name))]);
                    Action::Nothing
                }
            },
            Typed::Calc(asked) => Action::Calculate(asked),
            Typed::CannotCalc(why) => {
                self.paper.tell(&why);
                Action::Nothing
            }
            Typed::Files(commands) => Action::Files(commands),
            Typed::Help => {
                self.hint("chat-help", &[]);
                Action::Nothing
            }
            Typed::Quit => return Ok(Action::Quit),
            Typed::Towards { command, .. } | Typed::Incomplete(command) => {
                self.hint_about("chat-hint-incomplete", &command)
            }
            Typed::Unknown(command) => self.hint_about("chat-hint-unknown", &command),
            Typed::Bare(_) => {
                self.hint("chat-hint-bare", &[]);
                Action::Nothing
            }
        };
        self.prompt()?;
        Ok(action)
    }

    fn hint_about(&self, id: &str, command: &str) -> Action {
        self.hint(id, &[("command", &sanitise_line(command))]);
        Action::Nothing
    }

    fn bad_line(&mut self, fault: Fault) -> io::Result<Action> {
        match fault {
            Fault::TooLong => self.hint("chat-error-too-long", &[("limit", &MAX_TEXT.to_string())]),
            Fault::NotText => self.hint("chat-error-not-text", &[]),
        }
        self.prompt()?;
        Ok(Action::Nothing)
    }
}

impl Face for PlainFace<'_> {
    type Input = Input;

    fn ready(&mut self, name: &str, trusted: &Trusted) -> io::Result<()> {
        name.clone_into(&mut self.name);
        let (name, server) = (sanitise_line(name), trusted.server());
        let names = [("name", name.as_ref()), ("server", server.as_str())];
        self.notice("chat-ready", &names);
        self.prompt()
    }

    fn back(&mut self) -> io::Result<()> {
        self.notice("chat-back", &[]);
        Ok(())
    }

    fn away(&mut self, code: Option<ClosingCode>, detail: &str) -> io::Result<()> {
        let cause = self.words.away(code, detail);
        self.hint("chat-away", &[("cause", &cause)]);
        Ok(())
    }

    fn input(&mut self, input: Input) -> io::Result<Action> {
        match input {
            Input::Line(line) => self.line(&line),
            Input::Fault(fault) => self.bad_line(fault),
        }
    }

    fn refused(&mut self, error: CommandError, _reference: Option<String>) -> io::Result<()> {
        self.paper
            .tell(&wording::command(self.context.language, error));
        Ok(())
    }

    fn answer(&mut self, command: &Command, result: Result<(), CommandError>) -> io::Result<()> {
        if let Some(text) = self.words.answer(command, result) {
            self.paper.tell(&text);
        }
        Ok(())
    }

    fn event(&mut self, event: &Event) -> io::Result<Shown> {
        match event {
            Event::Private {
                from,
                text,
                replayed,
                ..
            } => {
                let from = self.marks.shown(&from.name);
                let id = match replayed {
                    true => "chat-private-again",
                    false => "chat-private",
                };
                self.say_message(&self.context.text(id, &[("from", &from)]), text)?;
            }
            Event::Global {
                from,
                text,
                verified,
                late,
                replayed,
                ..
            } => {
                let from = match verified {
                    true => self.marks.shown(&from.name),
                    false => sanitise_line(&from.name).into_owned(),
                };
                let id = match (verified, replayed, late) {
                    (false, ..) => "chat-global-unverified",
                    (true, true, _) => "chat-global-before",
                    (true, false, true) => "chat-global-late",
                    (true, false, false) => "chat-global",
                };
                self.say_message(&self.context.text(id, &[("from", &from)]), text)?;
            }
            event => {
                let told = match event {
                    Event::File(event) => self.files.event(self.words, event),
                    event => self.words.event(event, &self.marks),
                };
                if let Some(told) = told {
                    self.told(&told);
                }
            }
        }
        Ok(Shown::Now)
    }

    fn state(&mut self, own: &Own) -> io::Result<()> {
        let to = own.to.as_deref().map(sanitise_line);
        match (own.state, to) {
            (State::Delivered, Some(to)) => self.notice("chat-delivered", &[("to", &to)]),
            (State::Stored, Some(to)) if !own.is_here => {
                self.notice("chat-stored", &[("to", &to)]);
            }
            // Who is here has it in a moment; and one's own echo is shown.
            (State::Queued | State::Stored | State::Delivered, _) => {}
            (State::Failed(failure), to) => {
                let why = self.words.failure(failure.code());
                match to {
                    Some(to) => self.hint("chat-failed", &[("to", &to), ("why", &why)]),
                    None => self.hint("chat-failed-global", &[("why", &why)]),
                }
            }
        }
        Ok(())
    }

    fn past(&mut self, items: Vec<Item>, _reference: Option<String>) -> io::Result<()> {
        if items.is_empty() {
            self.hint("chat-nothing-found", &[]);
        }
        for item in items {
            match item {
                Item::Message(message) => {
                    self.say_message(&self.past_head(&message), &message.text)?;
                }
                Item::Hole { first, last } => self.paper.say(&self.words.hole(first, last))?,
            }
        }
        Ok(())
    }

    fn verification(
        &mut self,
        name: &str,
        result: &Result<Verification, VerifyError>,
        _asked: bool,
    ) -> io::Result<()> {
        self.paper.tell(&self.words.verification(name, result));
        Ok(())
    }

    fn verified(&mut self, names: &[String]) -> io::Result<()> {
        self.marks = Marks::of(names);
        Ok(())
    }

    fn calculated(&mut self, calculated: &Calculated) -> io::Result<()> {
        match self.words.calculated(calculated) {
            Ok(result) => self.paper.say(&result),
            Err(why) => {
                self.complain(&why);
                Ok(())
            }
        }
    }

    fn nothing_to_acknowledge(&mut self, _reference: Option<String>) -> io::Result<()> {
        Ok(())
    }

    fn disk_full(&mut self, path: &str, lost: &[Outgoing]) -> io::Result<()> {
        self.hint("chat-disk-full", &[("path", path)]);
        if !lost.is_empty() {
            self.paper.tell(
                &self
                    .words
                    .counted("chat-disk-full-lost", lost.len() as u64, &[]),
            );
        }
        Ok(())
    }

    fn left(&mut self, count: usize) -> io::Result<()> {
        self.paper
            .tell(&self.words.counted("chat-left-queued", count as u64, &[]));
        Ok(())
    }

    fn ended(&mut self, code: ClosingCode, detail: &str) -> io::Result<()> {
        self.paper.tell(&self.words.ended(code, detail));
        Ok(())
    }

    fn failed(&mut self, error: &SessionError) -> io::Result<()> {
        self.complain(&self.words.failed(error, &self.name));
        Ok(())
    }
}

/// The date and time in UTC. What no calendar has is shown as 1970.
fn moment(ms: i64) -> String {
    let moment = OffsetDateTime::from_unix_timestamp(ms.div_euclid(1000));
    let moment = moment.unwrap_or(OffsetDateTime::UNIX_EPOCH);
    let (date, hour, minute) = (moment.date(), moment.hour(), moment.minute());
    format!("{date} {hour:02}:{minute:02} UTC")
}
