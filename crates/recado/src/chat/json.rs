//! JSON lines, for programs: an object a line in and out, as `docs/bots.md` describes.

use std::collections::VecDeque;
use std::io;

use recado_client::history::{Conversation, Item, Outgoing, PastMessage, Question, Standing};
use recado_client::https::Method;
use recado_client::session::SessionError;
use recado_client::trust::Trusted;
use recado_client::{Command, CommandError, Event, LinkState, State, Via};
use recado_proto::frame::{ClosingCode, Person};
use recado_proto::id::MessageId;
use recado_proto::limits::MAX_TEXT;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::calculating::{Asked, Calculated, SayTo};
use super::input::{Fault, Input};
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
}

/// The references of requests, by what answers them.
#[derive(Default)]
struct References {
    who: VecDeque<Option<Value>>,
    link: VecDeque<Option<Value>>,
    block: VecDeque<Option<Value>>,
    trust: VecDeque<Option<Value>>,
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
        }
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
            // Of this interface; this version does not do them yet.
            kind @ ("file" | "accept" | "decline" | "cancel" | "verify") => Err((
                "unsupported",
                format!("this version of recado does not do {kind:?} yet"),
            )),
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
            } => self.say(
                json!({
                    "type": "private",
                    "from": from.name,
                    "text": text,
                    "id": id.to_string(),
                    "sent_at": moment(*sent_at_ms),
                    "replayed": replayed,
                }),
                None,
            ),
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
            Event::Presence { person, online } => self.say(
                json!({ "type": "presence", "name": person.name, "online": online }),
                None,
            ),
            Event::Roster(people) => {
                let reference = self.asked.who.pop_front().flatten();
                self.say(roster(people), reference)
            }
            Event::Hole { first, last } => self.say(hole(*first, *last), None),
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
            Event::Unreadable { from, id } => self.error(
                "unreadable",
                &format!("a message from {} ({id}) is of a later version", from.name),
                None,
            ),
            // Told by other ways, or never asked for.
            Event::Ready { .. }
            | Event::State { .. }
            | Event::Measured(_)
            | Event::Closed { .. } => Ok(()),
        }
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
            Command::Global { .. } | Command::Take(_) | Command::Measure => return Ok(()),
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

fn roster(people: &[Person]) -> Value {
    let people: Vec<_> = people
        .iter()
        .map(|person| json!({ "name": person.name, "online": true }))
        .collect();
    json!({ "type": "roster", "people": people })
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
mod tests {
    use std::collections::BTreeSet;
    use std::sync::{Arc, Mutex};
    use std::time::Duration;

    use clap::CommandFactory;
    use recado_client::https::HttpsError;
    use recado_client::trust::{Reason, Rung};
    use recado_client::{Failure, LinkMeasurement, LinkReport, Receipt, WaitReason};
    use recado_proto::fingerprint::Fingerprint;
    use recado_proto::frame::Blocked;
    use recado_proto::id::{RemoteKey, StoreId};

    use super::*;
    use crate::calculator::CalculatorError;
    use crate::cli::Cli;
    use crate::i18n::Language;

    const ID: MessageId = MessageId::from_bytes([7; 16]);

    /// Types that are described, and that nothing of this version tells yet.
    const NOT_YET: [&str; 5] = ["offer", "offer_state", "progress", "received", "verify"];

    fn context() -> Context {
        let matches = Cli::command().get_matches_from(["recado", "chat", "--json", "--home", "."]);
        let cli = Cli::from_matches(&matches).unwrap();
        Context::new(cli.common, Language::English).unwrap_or_else(|_| panic!("no context"))
    }

    fn bob() -> Person {
        let key = RemoteKey::from_bytes([1; 32]);
        let name = "Bob".to_owned();
        Person { name, key }
    }

    fn link_state() -> LinkState {
        LinkState {
            up: true,
            down: false,
            rtt: Some(Duration::from_micros(321)),
        }
    }

    /// One of each, but for those that are told by other ways.
    fn events() -> Vec<Event> {
        let (key, text) = (bob().key, "Olá\n{}".to_owned());
        let global = |via, flag| Event::Global {
            from: bob(),
            id: ID,
            sequence: u64::MAX,
            sent_at_ms: i64::MAX,
            text: text.clone(),
            via,
            replayed: flag,
            late: flag,
            repaired: flag,
            verified: !flag,
        };
        vec![
            Event::Ready {
                name: "Alice".to_owned(),
                link: link_state(),
            },
            Event::Presence {
                person: bob(),
                online: false,
            },
            Event::Roster(vec![bob()]),
            Event::Private {
                receipt: Receipt {
                    from: key,
                    store: StoreId::from_bytes([0; 16]),
                    number: 1,
                },
                from: bob(),
                id: ID,
                sent_at_ms: 0,
                text: text.clone(),
                replayed: true,
            },
            Event::Missing {
                from: bob(),
                count: 2,
            },
            Event::Waiting {
                name: "Bob".to_owned(),
                why: WaitReason::MailboxFull,
            },
            Event::Waiting {
                name: "Bob".to_owned(),
                why: WaitReason::Rate,
            },
            Event::Waiting {
                name: "Bob".to_owned(),
                why: WaitReason::Storage,
            },
            Event::KeyChanged {
                name: "Bob".to_owned(),
                old: key,
                new: RemoteKey::from_bytes([2; 32]),
            },
            Event::Blocked(Blocked {
                name: "Bob".to_owned(),
                blocked: true,
                done: true,
            }),
            Event::Blocked(Blocked {
                name: "Bob".to_owned(),
                blocked: true,
                done: false,
            }),
            global(Via::Udp, false),
            global(Via::Tcp, true),
            Event::Hole { first: 3, last: 9 },
            Event::LogLost,
            Event::Link(link_state()),
            Event::LinkReport(LinkReport {
                state: link_state(),
                probes: 9,
                answers: 8,
                by_datagram: 7,
                by_frame: 6,
                repaired: 5,
                late: 4,
                rejected: 3,
            }),
            Event::Measured(LinkMeasurement {
                sent: 1,
                heard: 1,
                answered: 1,
                rtt: None,
            }),
            Event::State {
                id: ID,
                reference: None,
                state: State::Queued,
            },
            Event::Unreadable {
                from: bob(),
                id: ID,
            },
            Event::Closed {
                code: None,
                detail: String::new(),
            },
        ]
    }

    /// A new event is one more sample.
    fn is_sampled(event: &Event) -> usize {
        match event {
            Event::Ready { .. } => 0,
            Event::Presence { .. } => 1,
            Event::Roster(_) => 2,
            Event::Private { .. } => 3,
            Event::Missing { .. } => 4,
            Event::Waiting { .. } => 5,
            Event::KeyChanged { .. } => 6,
            Event::Blocked(_) => 7,
            Event::Global { .. } => 8,
            Event::Hole { .. } => 9,
            Event::LogLost => 10,
            Event::Link(_) => 11,
            Event::LinkReport(_) => 12,
            Event::Measured(_) => 13,
            Event::State { .. } => 14,
            Event::Unreadable { .. } => 15,
            Event::Closed { .. } => 16,
        }
    }

    fn past(is_global: bool, standing: Standing) -> Item {
        let is_own = standing != Standing::Received;
        Item::Message(PastMessage {
            number: 1,
            id: ID,
            from: (!is_own).then(|| "Bob".to_owned()),
            to: (!is_global && is_own).then(|| "Bob".to_owned()),
            is_global,
            sent_at_ms: 1_795_219_200_123,
            text: "Olá".to_owned(),
            standing,
            code: if standing == Standing::Failed {
                "blocked"
            } else {
                ""
            }
            .to_owned(),
            reference: is_own.then(|| "[1]".to_owned()),
            sequence: is_global.then_some(1),
            verified: true,
        })
    }

    /// What the face tells when everything that there is has happened.
    fn told() -> Vec<Value> {
        let context = context();
        let kept = Arc::new(Mutex::new(Vec::new()));
        let mut face = JsonFace::new(&context, Paper::Kept(kept.clone()));
        let root = Fingerprint::from_bytes([9; 32]);
        let trusted = Trusted {
            root,
            address: ([127, 0, 0, 1], 8443).into(),
            host: "localhost".to_owned(),
            port: 8443,
            rung: Rung::Pinned,
            reason: Reason::Loopback,
            since: None,
            notices: Vec::new(),
        };
        face.ready("Alice", &trusted).unwrap();
        let events = events();
        let sampled: BTreeSet<_> = events.iter().map(is_sampled).collect();
        assert!(sampled.iter().copied().eq(0..=16));
        for event in &events {
            face.event(event).unwrap();
        }
        let states = [State::Queued, State::Stored, State::Delivered].into_iter();
        for state in states.chain(Failure::ALL.map(State::Failed)) {
            face.state(&Own {
                id: ID,
                to: None,
                text: None,
                is_here: true,
                reference: Some("7".to_owned()),
                state,
                was_stored: true,
            })
            .unwrap();
        }
        let mut items = vec![Item::Hole { first: 1, last: 1 }];
        for standing in [
            Standing::Queued,
            Standing::Stored,
            Standing::Delivered,
            Standing::Failed,
            Standing::Received,
        ] {
            items.push(past(false, standing));
            if standing != Standing::Delivered {
                items.push(past(true, standing));
            }
        }
        face.past(items, Some("{}".to_owned())).unwrap();
        let name = || "Bob".to_owned();
        face.answer(&Command::Trust { name: name() }, Ok(()))
            .unwrap();
        for error in [
            CommandError::Empty,
            CommandError::TooLong(1),
            CommandError::NameTooLong,
            CommandError::Away,
            CommandError::NoOtherKey,
        ] {
            face.answer(&Command::Trust { name: name() }, Err(error))
                .unwrap();
            face.refused(error, None).unwrap();
        }
        for code in [
            None,
            Some(ClosingCode::Shutdown),
            Some(ClosingCode::TooSlow),
        ] {
            face.away(code, "gone").unwrap();
        }
        face.back().unwrap();
        for code in [
            ClosingCode::TakenOver,
            ClosingCode::Kicked,
            ClosingCode::Banned,
        ] {
            face.ended(code, "why").unwrap();
        }
        face.ended(ClosingCode::Protocol, "why").unwrap();
        face.failed(&SessionError::Local("why".to_owned())).unwrap();
        face.disk_full("/disk", &[]).unwrap();
        face.left(3).unwrap();
        face.nothing_to_acknowledge(None).unwrap();
        face.input(Input::Fault(Fault::TooLong)).unwrap();
        face.input(Input::Fault(Fault::NotText)).unwrap();
        for body in [
            r#"{"operation":"divide","x":"1","y":"3","result":"0.3","exact":false,"fraction":"1/3","repeating":"0.(3)"}"#,
            r#"{"operation":"add","x":"1","y":"3","result":"4","exact":true}"#,
        ] {
            let members: Map<String, Value> = serde_json::from_str(body).unwrap();
            let answer = Answer::Result(crate::calculator::Outcome {
                members,
                json: body.to_owned(),
                shown: serde_json::from_str(body).unwrap(),
            });
            calculate(&mut face, Ok(answer));
        }
        let problem = r#"{"type":"/problems/division-by-zero","detail":"no"}"#;
        let refused = Answer::Refused(serde_json::from_str(problem).unwrap());
        calculate(&mut face, Ok(refused));
        calculate(&mut face, Err(CalculatorError::Https(HttpsError::Timeout)));
        let lines = kept.lock().unwrap().clone();
        let object = |line: String| serde_json::from_str(&line).unwrap();
        lines.into_iter().map(object).collect()
    }

    fn calculate(face: &mut JsonFace<'_>, answer: Result<Answer, CalculatorError>) {
        let asked = Asked {
            calculation: Calculation {
                method: Method::POST,
                operation: "add".to_owned(),
                x: "1".to_owned(),
                y: "2".to_owned(),
                precision: None,
            },
            say_to: SayTo::Nobody,
            reference: Some("null".to_owned()),
        };
        face.calculated(&Calculated { asked, answer }).unwrap();
    }

    #[test]
    fn everything_that_is_told_is_as_the_schema_says_and_nothing_that_it_says_is_missing() {
        let told = told();
        let mut types = BTreeSet::new();
        for object in &told {
            assert_eq!(schema::fault("out", object), None, "{object}");
            types.insert(object["type"].as_str().unwrap().to_owned());
        }
        types.extend(NOT_YET.map(str::to_owned));
        let described = schema::schema()["$defs"]["out"]["oneOf"]
            .as_array()
            .unwrap();
        let described: BTreeSet<_> = described
            .iter()
            .map(|part| part["$ref"].as_str().unwrap().replace("#/$defs/", ""))
            .collect();
        assert_eq!(types, described);
    }

    #[test]
    fn every_type_is_in_the_guide() {
        let guide = include_str!("../../../../docs/bots.md");
        let parts = schema::schema()["$defs"].as_object().unwrap();
        for (name, part) in parts {
            let kind = &part["properties"]["type"];
            let kinds = kind["enum"].as_array().cloned().unwrap_or_default();
            for kind in kinds.iter().chain([&kind["const"]]) {
                let kind = kind.as_str().unwrap_or("ready");
                assert!(guide.contains(&format!("| `{kind}`")), "{kind} of {name}");
            }
            for member in part["properties"].as_object().into_iter().flatten() {
                assert!(
                    guide.contains(&format!("`{}`", member.0)),
                    "{} of {name}",
                    member.0
                );
            }
        }
    }

    #[test]
    fn requests_that_the_schema_allows_are_understood_and_others_are_not() {
        let context = context();
        let kept = Arc::new(Mutex::new(Vec::new()));
        let mut face = JsonFace::new(&context, Paper::Kept(kept.clone()));
        let id = "00000000000000000000000000000000";
        for (line, is_understood) in [
            (
                r#"{"type":"private","to":"B","text":"x","ref":[1],"more":1}"#.to_owned(),
                true,
            ),
            (r#"{"type":"private","to":"B"}"#.to_owned(), false),
            (r#"{"type":"global","text":"x"}"#.to_owned(), true),
            (r#"{"type":"global","text":7}"#.to_owned(), false),
            (r#"{"type":"who"}"#.to_owned(), true),
            (r#"{"type":"link"}"#.to_owned(), true),
            (r#"{"type":"quit"}"#.to_owned(), true),
            (r#"{"type":"dance"}"#.to_owned(), false),
            (
                r#"{"type":"calc","operation":"add","x":0.1,"y":"2"}"#.to_owned(),
                true,
            ),
            (
                r#"{"type":"calc","operation":"add","x":[],"y":"2"}"#.to_owned(),
                false,
            ),
            (
                r#"{"type":"calc","operation":"add","x":1}"#.to_owned(),
                false,
            ),
            (
                r#"{"type":"calc","operation":"add","x":1,"y":2,"precision":5}"#.to_owned(),
                true,
            ),
            (
                r#"{"type":"calc","operation":"add","x":1,"y":2,"precision":"5"}"#.to_owned(),
                false,
            ),
            (r#"{"type":"history"}"#.to_owned(), true),
            (
                r#"{"type":"history","with":null,"limit":5}"#.to_owned(),
                true,
            ),
            (r#"{"type":"history","with":"B"}"#.to_owned(), true),
            (r#"{"type":"history","with":5}"#.to_owned(), false),
            (r#"{"type":"history","limit":-5}"#.to_owned(), false),
            (r#"{"type":"search","words":"x"}"#.to_owned(), true),
            (r#"{"type":"search"}"#.to_owned(), false),
            (r#"{"type":"trust","name":"B"}"#.to_owned(), true),
            (
                r#"{"type":"block","name":"B","blocked":false}"#.to_owned(),
                true,
            ),
            (
                r#"{"type":"block","name":"B","blocked":1}"#.to_owned(),
                false,
            ),
            (format!(r#"{{"type":"ack","id":"{id}"}}"#), true),
            (r#"{"type":"ack","id":"1"}"#.to_owned(), false),
        ] {
            let object = serde_json::from_str(&line).unwrap();
            assert_eq!(
                schema::fault("in", &object).is_none(),
                is_understood,
                "{line}"
            );
            kept.lock().unwrap().clear();
            face.input(Input::Line(line.clone())).unwrap();
            assert_eq!(kept.lock().unwrap().is_empty(), is_understood, "{line}");
        }
        // Described, and refused in words until they are there.
        for line in [
            r#"{"type":"file","to":"B","path":"/x"}"#,
            r#"{"type":"accept","offer":"1"}"#,
            r#"{"type":"decline","offer":"1"}"#,
            r#"{"type":"cancel","offer":"1"}"#,
            r#"{"type":"verify","name":"B"}"#,
        ] {
            let object = serde_json::from_str(line).unwrap();
            assert_eq!(schema::fault("in", &object), None);
            face.input(Input::Line(line.to_owned())).unwrap();
            let last = kept.lock().unwrap().pop().unwrap();
            assert!(last.contains(r#""code":"unsupported""#), "{last}");
        }
    }

    #[test]
    fn digits_of_a_calculation_are_kept_as_they_were_written() {
        let context = context();
        let mut face = JsonFace::new(&context, Paper::Kept(Arc::default()));
        let line = r#"{"type":"calc","operation":"add","x":0.1000000000000000000000000000000000001,"y":1e-300,"ref":1}"#;
        match face.input(Input::Line(line.to_owned())).unwrap() {
            Action::Calculate(asked) => {
                let (x, y) = (asked.calculation.x, asked.calculation.y);
                assert_eq!(x, "0.1000000000000000000000000000000000001");
                assert_eq!(
                    (y.as_str(), asked.reference.as_deref()),
                    ("1e-300", Some("1"))
                );
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn times_are_rfc_3339_whatever_was_sent() {
        assert_eq!(moment(1_795_219_200_123), "2026-11-21T00:00:00.123Z");
        for hostile in [i64::MIN, i64::MAX] {
            assert_eq!(moment(hostile), "1970-01-01T00:00:00Z");
        }
    }
}
