//! JSON lines, for programs: an object a line in and out, as `docs/bots.md` describes.

use std::collections::VecDeque;
use std::io;

use recado_client::history::{
    Conversation, Item, Outgoing, PastMessage, Question, Standing, Verification,
};
use recado_client::https::Method;
use recado_client::session::{Comparison, SessionError, VerifyError};
use recado_client::trust::Trusted;
use recado_client::{Command, CommandError, Event, FileCommand, LinkState, State, Via, Which};
use recado_proto::frame::{ClosingCode, Person};
use recado_proto::id::MessageId;
use recado_proto::limits::MAX_TEXT;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::calculating::{Asked, Calculated, SayTo};
use super::file_objects;
use super::input::{Fault, Input};
use super::marks::Marks;
use super::paper::Paper;
use super::talk::{Action, Face, Own, SCREEN, Shown};
use crate::calculator::{Answer, Calculation};
use crate::context::Context;
use crate::wording;

/// The version of this interface, in `ready`.
const API: u32 = 1;

/// The face for programs.
pub(super) struct JsonFace<'a> {
    context: &'a Context,
    paper: Paper,
    /// One's own name.
    name: String,
    /// The references of requests that are not answered yet, in order.
    asked: References,
    marks: Marks,
}

/// The references of requests, by what answers them.
#[derive(Default)]
struct References {
    who: VecDeque<Option<Value>>,
    link: VecDeque<Option<Value>>,
    block: VecDeque<Option<Value>>,
    trust: VecDeque<Option<Value>>,
    /// With the name, as asked: what is asked for is not always answered in order.
    verify: Vec<(String, Option<Value>)>,
}

/// What is wrong with a request: a code and a message.
type Wrong = (&'static str, String);

/// A request's members, and the line they stand in.
struct Members<'a>(&'a Map<String, Value>, &'a str);

/// The numbers of a calculation as they were written: a [`Value`] keeps some sixteen digits of a number.
#[derive(Deserialize)]
struct Numbers<'a> {
    #[serde(borrow, default)]
    x: Option<&'a RawValue>,
    #[serde(borrow, default)]
    y: Option<&'a RawValue>,
}

impl Members<'_> {
    fn string(&self, member: &str) -> Result<String, Wrong> {
        match self.0.get(member) {
            Some(Value::String(text)) => Ok(text.clone()),
            Some(_) => Err(("wrong_member", format!("{member} is not a string"))),
            None => Err(("missing_member", format!("{member} is missing"))),
        }
    }

    /// How many messages are wanted.
    fn limit(&self) -> Result<usize, Wrong> {
        match self.0.get("limit") {
            None => Ok(SCREEN),
            Some(value) => value
                .as_u64()
                .and_then(|limit| usize::try_from(limit).ok())
                .ok_or_else(|| ("wrong_member", "limit is not a whole number".to_owned())),
        }
    }

    /// The operands: numbers, whose digits are kept as they were written, or strings.
    fn operands(&self) -> Result<(String, String), Wrong> {
        let wrong = |why| ("wrong_member", why);
        let written: Numbers<'_> =
            serde_json::from_str(self.1).map_err(|error| wrong(error.to_string()))?;
        let of = |member: &str, written: Option<&RawValue>| match (self.0.get(member), written) {
            (Some(Value::Number(_)), Some(written)) => Ok(written.get().to_owned()),
            (Some(Value::String(text)), _) => Ok(text.clone()),
            (Some(_), _) => Err(wrong(format!("{member} is neither a number nor a string"))),
            (None, _) => Err(("missing_member", format!("{member} is missing"))),
        };
        Ok((of("x", written.x)?, of("y", written.y)?))
    }

    fn precision(&self) -> Result<Option<String>, Wrong> {
        match self.0.get("precision") {
            None => Ok(None),
            Some(Value::Number(number)) => Ok(Some(number.to_string())),
            Some(_) => Err(("wrong_member", "precision is not a number".to_owned())),
        }
    }

    fn conversation(&self) -> Result<Conversation, Wrong> {
        Ok(match self.0.get("with") {
            None => Conversation::Any,
            Some(Value::Null) => Conversation::Everyone,
            Some(_) => Conversation::With(self.string("with")?),
        })
    }

    /// Whether the person is to be blocked, which is what `block` means unless it says otherwise.
    fn blocked(&self) -> Result<bool, Wrong> {
        match self.0.get("blocked") {
            None => Ok(true),
            Some(Value::Bool(blocked)) => Ok(*blocked),
            Some(_) => Err((
                "wrong_member",
                "blocked is neither true nor false".to_owned(),
            )),
        }
    }

    fn offer(&self) -> Result<Which, Wrong> {
        let offer = self.string("offer")?;
        let offer = offer.parse().map(Which::Id);
        offer.map_err(|_| {
            let message = "offer is not 32 hexadecimal digits";
            ("wrong_member", message.to_owned())
        })
    }

    /// What was compared with someone, if anything.
    fn comparison(&self) -> Result<Option<Comparison>, Wrong> {
        match (self.0.get("same"), self.0.get("code")) {
            // Digits say more than a word.
            (None | Some(Value::Bool(_)), Some(_)) => {
                Ok(Some(Comparison::Heard(self.string("code")?)))
            }
            (None | Some(Value::Bool(false)), None) => Ok(None),
            (Some(Value::Bool(true)), None) => Ok(Some(Comparison::Same)),
            (Some(_), _) => Err(("wrong_member", "same is neither true nor false".to_owned())),
        }
    }

    fn id(&self) -> Result<MessageId, Wrong> {
        let id = self.string("id")?;
        id.parse()
            .map_err(|_| ("wrong_member", "id is not 32 hexadecimal digits".to_owned()))
    }
}

impl<'a> JsonFace<'a> {
    pub(super) fn new(context: &'a Context, paper: Paper) -> Self {
        Self {
            context,
            paper,
            name: String::new(),
            asked: References::default(),
            marks: Marks::default(),
        }
    }

    /// What is said of someone, with the mark of who is verified. No member is no mark.
    fn marked(&self, mut object: Value, name: &str) -> Value {
        if self.marks.has(name) {
            object["verified"] = true.into();
        }
        object
    }

    /// What a request asks for; or what is wrong with it.
    fn understand(
        &mut self,
        members: &Members<'_>,
        reference: Option<Value>,
    ) -> Result<Action, Wrong> {
        let kept = reference.as_ref().map(Value::to_string);
        match members.string("type")?.as_str() {
            "private" => Ok(Action::Say {
                to: Some(members.string("to")?),
                text: members.string("text")?,
                reference: kept,
            }),
            "global" => Ok(Action::Say {
                to: None,
                text: members.string("text")?,
                reference: kept,
            }),
            "who" => {
                self.asked.who.push_back(reference);
                Ok(Action::Command(Command::Who))
            }
            "link" => {
                self.asked.link.push_back(reference);
                Ok(Action::Command(Command::Link))
            }
            "history" => {
                let question = Question::Latest {
                    conversation: members.conversation()?,
                    limit: members.limit()?,
                };
                Ok(Action::Ask(question, kept))
            }
            "search" => {
                let question = Question::Words {
                    words: members.string("words")?,
                    limit: members.limit()?,
                };
                Ok(Action::Ask(question, kept))
            }
            "block" => {
                let name = members.string("name")?;
                let blocked = members.blocked()?;
                self.asked.block.push_back(reference);
                Ok(Action::Command(Command::Block { name, blocked }))
            }
            "trust" => {
                let name = members.string("name")?;
                self.asked.trust.push_back(reference);
                Ok(Action::Command(Command::Trust { name }))
            }
            "verify" => {
                let name = members.string("name")?;
                let comparison = members.comparison()?;
                self.asked.verify.push((name.clone(), reference));
                Ok(Action::Verify(name, comparison))
            }
            "calc" => {
                let (x, y) = members.operands()?;
                Ok(Action::Calculate(Asked {
                    calculation: Calculation {
                        method: Method::POST,
                        operation: members.string("operation")?,
                        x,
                        y,
                        precision: members.precision()?,
                    },
                    say_to: SayTo::Nobody,
                    reference: kept,
                }))
            }
            "file" => Ok(Action::Files(vec![FileCommand::Offer {
                to: members.string("to")?,
                path: members.string("path")?.into(),
                reference: kept,
            }])),
            "offers" => Ok(Action::Files(vec![FileCommand::List])),
            "accept" => Ok(Action::Files(vec![FileCommand::Accept {
                which: members.offer()?,
                reference: kept,
            }])),
            "decline" | "cancel" => Ok(Action::Files(vec![FileCommand::Cancel {
                which: members.offer()?,
                reference: kept,
            }])),
            "ack" => Ok(Action::Acknowledge(members.id()?, kept)),
            "quit" => Ok(Action::Quit),
            kind => Err((
                "unknown_type",
                format!("there is no request of the type {kind:?}"),
            )),
        }
    }

    /// Writes an object as a line, with the reference that it answers.
    fn say(&self, mut object: Value, reference: Option<Value>) -> io::Result<()> {
        if let Some(reference) = reference {
            object["ref"] = reference;
        }
        self.paper.say(&object.to_string())
    }

    fn error(&self, code: &str, message: &str, reference: Option<Value>) -> io::Result<()> {
        self.say(
            json!({ "type": "error", "code": code, "message": message }),
            reference,
        )
    }

    fn bad_line(&self, fault: Fault) -> io::Result<Action> {
        match fault {
            Fault::TooLong => self.error("line_too_long", "the line is too long", None)?,
            Fault::NotText => self.error("not_utf8", "the line is not UTF-8", None)?,
        }
        Ok(Action::Nothing)
    }

    fn command_error(&self, error: CommandError, reference: Option<Value>) -> io::Result<()> {
        let (code, message) = match error {
            CommandError::Empty => ("empty", "there is nothing in it".to_owned()),
            CommandError::TooLong(length) => {
                let message = format!("the text has {length} bytes; the most is {MAX_TEXT}");
                ("too_long", message)
            }
            CommandError::NameTooLong => ("name_too_long", "no name is so long".to_owned()),
            CommandError::Away => ("away", "there is no connection now".to_owned()),
            CommandError::NoOtherKey => (
                "no_other_key",
                "this name has no other key that could be trusted".to_owned(),
            ),
        };
        self.error(code, &message, reference)
    }

    fn tell(&mut self, event: &Event) -> io::Result<()> {
        match event {
            Event::Private {
                from,
                id,
                sent_at_ms,
                text,
                replayed,
                ..
            } => {
                let object = json!({
                    "type": "private",
                    "from": from.name,
                    "text": text,
                    "id": id.to_string(),
                    "sent_at": moment(*sent_at_ms),
                    "replayed": replayed,
                });
                self.say(self.marked(object, &from.name), None)
            }
            Event::Missing { from, count } => self.say(
                json!({ "type": "missing", "from": from.name, "count": count }),
                None,
            ),
            Event::Waiting { name, why } => self.say(
                json!({ "type": "waiting", "name": name, "code": why.code() }),
                None,
            ),
            Event::KeyChanged { name, old, new } => self.say(
                json!({
                    "type": "key_changed",
                    "name": name,
                    "old": old.to_string(),
                    "new": new.to_string(),
                }),
                None,
            ),
            Event::Blocked(answer) => {
                let reference = self.asked.block.pop_front().flatten();
                if answer.done {
                    let (name, blocked) = (&answer.name, answer.blocked);
                    let object = json!({ "type": "block", "name": name, "blocked": blocked });
                    return self.say(object, reference);
                }
                self.error("not_blocked", "nobody has that name", reference)
            }
            Event::LogLost => self.say(json!({ "type": "log_lost" }), None),
            Event::Global {
                from,
                id,
                sequence,
                sent_at_ms,
                text,
                via,
                replayed,
                late,
                repaired,
                verified,
            } => {
                let mut object = json!({
                    "type": "global",
                    "from": from.name,
                    "text": text,
                    "id": id.to_string(),
                    "seq": sequence,
                    "sent_at": moment(*sent_at_ms),
                    "via": match via {
                        Via::Udp => "udp",
                        Via::Tcp => "tcp",
                    },
                    "replayed": replayed,
                    "verified": verified,
                });
                if *late {
                    object["late"] = true.into();
                }
                if *repaired {
                    object["repaired"] = true.into();
                }
                self.say(object, None)
            }
            Event::Presence { person, online } => {
                let object = json!({ "type": "presence", "name": person.name, "online": online });
                self.say(self.marked(object, &person.name), None)
            }
            Event::Roster(people) => {
                let reference = self.asked.who.pop_front().flatten();
                self.say(self.roster(people), reference)
            }
            Event::Hole { first, last } => self.say(hole(*first, *last), None),
            Event::File(event) => {
                let (object, reference) = file_objects::object(event);
                self.say(object, given_back(reference))
            }
            Event::Link(state) => self.say(link(state), None),
            Event::LinkReport(report) => {
                let mut object = link(&report.state);
                object["probes"] = report.probes.into();
                object["answers"] = report.answers.into();
                object["by_datagram"] = report.by_datagram.into();
                object["by_frame"] = report.by_frame.into();
                object["repaired"] = report.repaired.into();
                object["late"] = report.late.into();
                object["rejected"] = report.rejected.into();
                let reference = self.asked.link.pop_front().flatten();
                self.say(object, reference)
            }
            Event::Unreadable { from, id } => self.say(
                json!({ "type": "unreadable", "from": from.name, "id": id.to_string() }),
                None,
            ),
            Event::Resealed { name, count } => self.say(
                json!({ "type": "resealed", "name": name, "count": count }),
                None,
            ),
            Event::PackageRefused { name, fault } => self.say(
                json!({ "type": "waiting", "name": name, "code": "bad_keys", "fault": fault.code() }),
                None,
            ),
            // Told by other ways, or never asked for.
            Event::Ready { .. }
            | Event::State { .. }
            | Event::Note { .. }
            | Event::NoteState { .. }
            | Event::Confirmed { .. }
            | Event::Met { .. }
            | Event::Trusted { .. }
            | Event::Measured(_)
            | Event::Closed { .. } => Ok(()),
        }
    }

    fn roster(&self, people: &[Person]) -> Value {
        let person = |person: &Person| {
            self.marked(json!({ "name": person.name, "online": true }), &person.name)
        };
        let people: Vec<_> = people.iter().map(person).collect();
        json!({ "type": "roster", "people": people })
    }

    /// A message of the past, as it was told when it was said.
    fn past_message(&self, message: &PastMessage) -> Value {
        let own = || self.name.clone();
        let mut object = json!({
            "type": if message.is_global { "global" } else { "private" },
            "from": message.from.clone().unwrap_or_else(own),
            "text": message.text,
            "id": message.id.to_string(),
            "sent_at": moment(message.sent_at_ms),
        });
        if message.is_global {
            object["verified"] = message.verified.into();
            if let Some(sequence) = message.sequence {
                object["seq"] = sequence.into();
            }
        } else {
            object["to"] = message.to.clone().unwrap_or_else(own).into();
            let other = message.from.as_ref().or(message.to.as_ref());
            object = self.marked(object, other.map_or("", String::as_str));
        }
        if message.standing != Standing::Received {
            object["state"] = message.standing.as_str().into();
        }
        if message.standing == Standing::Failed {
            object["code"] = message.code.as_str().into();
        }
        if let Some(reference) = given_back(message.reference.as_deref()) {
            object["ref"] = reference;
        }
        object
    }
}

/// A reference as the program wrote it.
fn given_back(kept: Option<&str>) -> Option<Value> {
    serde_json::from_str(kept?).ok()
}

impl Face for JsonFace<'_> {
    type Input = Input;

    fn ready(&mut self, name: &str, trusted: &Trusted) -> io::Result<()> {
        name.clone_into(&mut self.name);
        self.say(
            json!({
                "type": "ready",
                "api": API,
                "name": name,
                "server": trusted.server(),
                "fingerprint": trusted.root.to_string(),
                "trust": trusted.rung.as_str(),
            }),
            None,
        )
    }

    fn back(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn away(&mut self, code: Option<ClosingCode>, detail: &str) -> io::Result<()> {
        let code = match code {
            Some(ClosingCode::Shutdown) => "shutdown",
            Some(ClosingCode::TooSlow) => "too_slow",
            _ => "connection_lost",
        };
        let mut object = json!({ "type": "error", "code": code, "message": detail });
        object["retry"] = true.into();
        self.say(object, None)?;
        // Of these the server has kept none.
        for reference in std::mem::take(&mut self.asked.block) {
            self.command_error(CommandError::Away, reference)?;
        }
        Ok(())
    }

    fn input(&mut self, input: Input) -> io::Result<Action> {
        let line = match input {
            Input::Line(line) => line,
            Input::Fault(fault) => return self.bad_line(fault),
        };
        if line.trim().is_empty() {
            return Ok(Action::Nothing);
        }
        let request = match serde_json::from_str::<Value>(&line) {
            Ok(Value::Object(request)) => request,
            Ok(_) => {
                self.error("bad_json", "a request is a JSON object", None)?;
                return Ok(Action::Nothing);
            }
            Err(error) => {
                self.error("bad_json", &error.to_string(), None)?;
                return Ok(Action::Nothing);
            }
        };
        // Whatever else is wrong with it, an answer carries its reference.
        let reference = request.get("ref").cloned();
        match self.understand(&Members(&request, &line), reference.clone()) {
            Ok(action) => Ok(action),
            Err((code, message)) => {
                self.error(code, &message, reference)?;
                Ok(Action::Nothing)
            }
        }
    }

    fn refused(&mut self, error: CommandError, reference: Option<String>) -> io::Result<()> {
        self.command_error(error, given_back(reference.as_deref()))
    }

    fn answer(&mut self, command: &Command, result: Result<(), CommandError>) -> io::Result<()> {
        let asked = match command {
            Command::Who => &mut self.asked.who,
            Command::Link => &mut self.asked.link,
            Command::Block { .. } => &mut self.asked.block,
            Command::Trust { .. } => &mut self.asked.trust,
            // Nobody waits for an answer to these.
            Command::Global { .. }
            | Command::Take(_)
            | Command::Meet { .. }
            | Command::Measure
            | Command::File(_) => {
                return Ok(());
            }
        };
        let reference = asked.pop_front().flatten();
        match (command, result) {
            (_, Err(error)) => self.command_error(error, reference),
            (Command::Trust { name }, Ok(())) => {
                self.say(json!({ "type": "trust", "name": name }), reference)
            }
            (_, Ok(())) => Ok(()),
        }
    }

    fn event(&mut self, event: &Event) -> io::Result<Shown> {
        self.tell(event)?;
        Ok(Shown::Now)
    }

    fn state(&mut self, own: &Own) -> io::Result<()> {
        if own.state == State::Delivered && !own.was_stored {
            // A program may wait for either.
            self.state(&Own {
                state: State::Stored,
                ..own.clone()
            })?;
        }
        let (state, code) = match own.state {
            State::Queued => ("queued", None),
            State::Stored => ("stored", None),
            State::Delivered => ("delivered", None),
            State::Failed(failure) => ("failed", Some(failure.code())),
        };
        let mut object = json!({ "type": "state", "id": own.id.to_string(), "state": state });
        if let Some(code) = code {
            object["code"] = code.into();
        }
        self.say(object, given_back(own.reference.as_deref()))
    }

    fn past(&mut self, items: Vec<Item>, reference: Option<String>) -> io::Result<()> {
        let items = items.iter().map(|item| match item {
            Item::Message(message) => self.past_message(message),
            Item::Hole { first, last } => hole(*first, *last),
        });
        let object = json!({ "type": "messages", "items": items.collect::<Vec<_>>() });
        self.say(object, given_back(reference.as_deref()))
    }

    fn calculated(&mut self, calculated: &Calculated) -> io::Result<()> {
        let reference = given_back(calculated.asked.reference.as_deref());
        match &calculated.answer {
            Ok(Answer::Result(outcome)) => {
                let mut object = Value::Object(outcome.members.clone());
                object["type"] = "result".into();
                self.say(object, reference)
            }
            Ok(Answer::Refused(problem)) => {
                let code = problem.kind().replace('-', "_");
                self.error(&code, &problem.detail(), reference)
            }
            Err(error) => self.error("no_answer", &error.detail(), reference),
        }
    }

    fn verification(
        &mut self,
        name: &str,
        result: &Result<Verification, VerifyError>,
        asked: bool,
    ) -> io::Result<()> {
        let verify = &mut self.asked.verify;
        let at = verify.iter().position(|(of, _)| asked && of == name);
        let reference = at.and_then(|at| verify.remove(at).1);
        match result {
            Ok(verification) => self.say(
                json!({
                    "type": "verify",
                    "name": verification.name,
                    "code": verification.code,
                    "verified": verification.is_verified(),
                    "here": verification.here,
                    "there": verification.there,
                }),
                reference,
            ),
            Err(VerifyError::UnknownName) => {
                self.error("unknown_name", "nobody has that name", reference)
            }
            Err(VerifyError::Away) => self.command_error(CommandError::Away, reference),
            Err(VerifyError::Differs(_)) => self.error(
                "code_differs",
                "the codes differ: someone may stand between the two",
                reference,
            ),
        }
    }

    fn verified(&mut self, names: &[String]) -> io::Result<()> {
        self.marks = Marks::of(names);
        Ok(())
    }

    fn nothing_to_acknowledge(&mut self, reference: Option<String>) -> io::Result<()> {
        let message = "no private message of this id waits to be acknowledged";
        self.error("unknown_id", message, given_back(reference.as_deref()))
    }

    fn disk_full(&mut self, path: &str, lost: &[Outgoing]) -> io::Result<()> {
        let message = format!("there is no room to write {path}");
        if lost.is_empty() {
            self.error("disk_full", &message, None)?;
        }
        for lost in lost {
            let reference = given_back(lost.reference.as_deref());
            self.error("disk_full", &message, reference)?;
        }
        Ok(())
    }

    fn left(&mut self, count: usize) -> io::Result<()> {
        let message = format!("{count} messages are queued, and are sent next time");
        self.error("left_queued", &message, None)
    }

    fn ended(&mut self, code: ClosingCode, detail: &str) -> io::Result<()> {
        let code = match code {
            ClosingCode::TakenOver => "taken_over",
            ClosingCode::Kicked => "kicked",
            ClosingCode::Banned => "banned",
            _ => "protocol",
        };
        self.error(code, detail, None)
    }

    fn failed(&mut self, error: &SessionError) -> io::Result<()> {
        let text = wording::session(self.context.language, error, &self.name);
        self.context.complain(&text);
        let code = match error {
            SessionError::Refused(_) => "refused",
            SessionError::Trust(_) => "not_trusted",
            SessionError::History(_) => "storage",
            SessionError::Lost(_) | SessionError::Local(_) => "connection_lost",
            SessionError::Malformed(_) | SessionError::Welcome(_) => "protocol",
        };
        self.error(code, &wording::chain(error), None)
    }
}

fn hole(first: u64, last: u64) -> Value {
    json!({ "type": "hole", "first": first, "last": last })
}

fn link(state: &LinkState) -> Value {
    json!({
        "type": "link",
        "up": state.up,
        "down": state.down,
        "rtt_ms": state.rtt.map(|rtt| rtt.as_secs_f64() * 1000.0),
    })
}

/// RFC 3339 in UTC. A time that RFC 3339 cannot write, as a hostile clock may send, is shown as 1970.
fn moment(ms: i64) -> String {
    let nanoseconds = i128::from(ms).saturating_mul(1_000_000);
    let moment = OffsetDateTime::from_unix_timestamp_nanos(nanoseconds)
        .ok()
        .filter(|moment| (0..=9999).contains(&moment.year()))
        .unwrap_or(OffsetDateTime::UNIX_EPOCH);
    moment.format(&Rfc3339).unwrap_or_default()
}

#[cfg(test)]
#[path = "../../tests/end_to_end/common/schema.rs"]
mod schema;

#[cfg(test)]
mod tests;
