//! JSON lines, for programs: an object a line in and out, as `docs/bots.md` describes.

use std::collections::VecDeque;
use std::io;

use recado_client::trust::Trusted;
use recado_client::{CommandError, Event, LinkState, State, Via};
use recado_proto::frame::{ClosingCode, Person};
use recado_proto::id::MessageId;
use recado_proto::limits::MAX_TEXT;
use serde_json::{Map, Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::input::Fault;
use super::{Action, Face};
use crate::terminal;

/// The version of this interface, in `ready`.
const API: u32 = 1;

/// The face for programs.
#[derive(Default)]
pub(super) struct JsonFace {
    /// The references of `who`s that are not answered yet, in order.
    asked: VecDeque<Option<Value>>,
    /// The same of `link`s.
    asked_link: VecDeque<Option<Value>>,
}

impl JsonFace {
    /// What a request asks for; or the code and message of what is wrong with it.
    fn understand(
        &mut self,
        request: &Map<String, Value>,
        reference: Option<Value>,
    ) -> Result<Action<Option<Value>>, (&'static str, String)> {
        let string = |member: &str| match request.get(member) {
            Some(Value::String(text)) => Ok(text.clone()),
            Some(_) => Err(("wrong_member", format!("{member} is not a string"))),
            None => Err(("missing_member", format!("{member} is missing"))),
        };
        match string("type")?.as_str() {
            "private" => Ok(Action::Private {
                to: string("to")?,
                text: string("text")?,
                sent: reference,
            }),
            "global" => Ok(Action::Global {
                text: string("text")?,
                sent: reference,
            }),
            "who" => {
                self.asked.push_back(reference);
                Ok(Action::Who)
            }
            "link" => {
                self.asked_link.push_back(reference);
                Ok(Action::Link)
            }
            "quit" => Ok(Action::Quit),
            kind => Err((
                "unknown_type",
                format!("there is no request of the type {kind:?}"),
            )),
        }
    }

    fn error(code: &str, message: &str, reference: Option<Value>) -> io::Result<()> {
        say(
            json!({ "type": "error", "code": code, "message": message }),
            reference,
        )
    }
}

impl Face for JsonFace {
    type Sent = Option<Value>;

    fn ready(&mut self, name: &str, trusted: &Trusted) -> io::Result<()> {
        say(
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

    fn line(&mut self, line: &str) -> io::Result<Action<Option<Value>>> {
        if line.trim().is_empty() {
            return Ok(Action::Nothing);
        }
        let request = match serde_json::from_str::<Value>(line) {
            Ok(Value::Object(request)) => request,
            Ok(_) => {
                Self::error("bad_json", "a request is a JSON object", None)?;
                return Ok(Action::Nothing);
            }
            Err(error) => {
                Self::error("bad_json", &error.to_string(), None)?;
                return Ok(Action::Nothing);
            }
        };
        // Whatever else is wrong with it, an answer carries its reference.
        let reference = request.get("ref").cloned();
        match self.understand(&request, reference.clone()) {
            Ok(action) => Ok(action),
            Err((code, message)) => {
                Self::error(code, &message, reference)?;
                Ok(Action::Nothing)
            }
        }
    }

    fn bad_line(&mut self, fault: Fault) -> io::Result<()> {
        match fault {
            Fault::TooLong => Self::error("line_too_long", "the line is too long", None),
            Fault::NotText => Self::error("not_utf8", "the line is not UTF-8", None),
        }
    }

    fn refused(&mut self, error: CommandError, reference: Option<Value>) -> io::Result<()> {
        let (code, message) = match error {
            CommandError::Empty => ("empty", "the text is empty".to_owned()),
            CommandError::TooLong(length) => {
                let message = format!("the text has {length} bytes; the most is {MAX_TEXT}");
                ("too_long", message)
            }
            CommandError::NameTooLong => ("name_too_long", "to is no name".to_owned()),
            CommandError::Ended => ("ended", "the session has ended".to_owned()),
        };
        Self::error(code, &message, reference)
    }

    fn event(&mut self, event: &Event) -> io::Result<()> {
        match event {
            Event::Private {
                from,
                id,
                sent_at_ms,
                text,
                ..
            } => say(
                json!({
                    "type": "private",
                    "from": from.name,
                    "text": text,
                    "id": id.to_string(),
                    "sent_at": moment(*sent_at_ms),
                    "replayed": false,
                }),
                None,
            ),
            Event::Global {
                from,
                id,
                sequence,
                sent_at_ms,
                text,
                via,
                replayed,
                late,
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
                say(object, None)
            }
            Event::Presence { person, online } => say(
                json!({ "type": "presence", "name": person.name, "online": online }),
                None,
            ),
            Event::Roster(people) => {
                let reference = self.asked.pop_front().flatten();
                say(roster(people), reference)
            }
            Event::Hole { first, last } => say(
                json!({ "type": "hole", "first": first, "last": last }),
                None,
            ),
            Event::Link(state) => say(link(state), None),
            Event::LinkReport(report) => {
                let mut object = link(&report.state);
                object["probes"] = report.probes.into();
                object["answers"] = report.answers.into();
                object["by_datagram"] = report.by_datagram.into();
                object["by_frame"] = report.by_frame.into();
                object["repaired"] = report.repaired.into();
                object["late"] = report.late.into();
                object["rejected"] = report.rejected.into();
                let reference = self.asked_link.pop_front().flatten();
                say(object, reference)
            }
            Event::Unreadable { from, id } => Self::error(
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

    fn settled(&mut self, id: MessageId, state: State, reference: Option<Value>) -> io::Result<()> {
        let id = id.to_string();
        let state = match state {
            State::Stored => json!({ "type": "state", "id": id, "state": "stored" }),
            State::Delivered => json!({ "type": "state", "id": id, "state": "delivered" }),
            State::Failed(failure) => json!({
                "type": "state",
                "id": id,
                "state": "failed",
                "code": failure.code(),
            }),
        };
        say(state, reference)
    }

    fn ended(&mut self, code: Option<ClosingCode>, detail: &str) -> io::Result<()> {
        let code = match code {
            Some(ClosingCode::TakenOver) => "taken_over",
            Some(ClosingCode::Shutdown) => "shutdown",
            Some(ClosingCode::TooSlow) => "too_slow",
            Some(ClosingCode::Protocol) => "protocol",
            Some(ClosingCode::Unspecified) | None => "connection_lost",
        };
        Self::error(code, detail, None)
    }
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

/// Writes an object as a line, with the reference that it answers.
fn say(mut object: Value, reference: Option<Value>) -> io::Result<()> {
    if let Some(reference) = reference {
        object["ref"] = reference;
    }
    terminal::say(&object.to_string())
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
mod tests {
    use super::*;

    #[test]
    fn times_are_rfc_3339_whatever_was_sent() {
        assert_eq!(moment(1_795_219_200_123), "2026-11-21T00:00:00.123Z");
        for hostile in [i64::MIN, i64::MAX] {
            assert_eq!(moment(hostile), "1970-01-01T00:00:00Z");
        }
    }
}
