//! What happens in a chat, in the person's words: the same in every face that people read.

use recado_client::history::{PastMessage, Verification};
use recado_client::session::{SessionError, VerifyError};
use recado_client::{Command, CommandError, Event, LinkReport, LinkState};
use recado_proto::frame::ClosingCode;
use recado_proto::text::sanitise_line;

use super::calculating::Calculated;
use super::marks::Marks;
use crate::calculator::Answer;
use crate::i18n::Language;
use crate::wording;

/// Something told to a person, fit for a terminal.
pub(crate) struct Told {
    pub(crate) weight: Weight,
    pub(crate) text: String,
}

/// How much a person wants to know it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Weight {
    /// Left out for those who want quiet.
    Notice,
    /// The answer to a question, or what should not be missed.
    Answer,
}

impl Told {
    pub(crate) fn notice(text: String) -> Self {
        let weight = Weight::Notice;
        Self { weight, text }
    }

    pub(crate) fn answer(text: String) -> Self {
        let weight = Weight::Answer;
        Self { weight, text }
    }
}

/// The words of a language.
#[derive(Clone, Copy)]
pub(crate) struct Words(pub(crate) Language);

impl Words {
    pub(crate) fn text(self, id: &str, arguments: &[(&str, &str)]) -> String {
        self.0.text(id, arguments)
    }

    pub(crate) fn counted(self, id: &str, count: u64, arguments: &[(&str, &str)]) -> String {
        self.0.counted(id, count, arguments)
    }

    /// What is told of an event that is not a message; nothing of those that are told by other ways.
    pub(crate) fn event(self, event: &Event, marks: &Marks) -> Option<Told> {
        let named = |id: &str, name: &str| self.text(id, &[("name", name)]);
        Some(match event {
            Event::Missing { from, count } => {
                let from = sanitise_line(&from.name);
                Told::answer(self.counted("chat-missing", *count, &[("from", &from)]))
            }
            Event::Waiting { name, why } => {
                let to = sanitise_line(name);
                let why = self.text(&format!("waiting-{}", why.code()), &[]);
                Told::answer(self.text("chat-waiting", &[("to", &to), ("why", &why)]))
            }
            Event::KeyChanged { name, old, new } => {
                let name = sanitise_line(name);
                let (old, new) = (old.to_string(), new.to_string());
                let arguments = [("name", name.as_ref()), ("old", &old), ("new", &new)];
                Told::answer(self.text("chat-key-changed", &arguments))
            }
            Event::Blocked(answer) => {
                let id = match (answer.done, answer.blocked) {
                    (false, _) => "chat-not-blocked",
                    (true, true) => "chat-blocked",
                    (true, false) => "chat-unblocked",
                };
                Told::answer(named(id, &sanitise_line(&answer.name)))
            }
            Event::LogLost => Told::answer(self.text("chat-log-lost", &[])),
            Event::Presence { person, online } => {
                let id = if *online { "chat-joined" } else { "chat-left" };
                Told::notice(named(id, &marks.shown(&person.name)))
            }
            Event::Roster(people) => {
                let names = people.iter().map(|person| marks.shown(&person.name));
                let names = names.collect::<Vec<_>>().join(", ");
                Told::answer(self.text("chat-roster", &[("names", &names)]))
            }
            Event::Hole { first, last } => Told::answer(self.hole(*first, *last)),
            Event::Link(state) => Told::notice(self.text(link(state), &[])),
            Event::LinkReport(report) => Told::answer(self.link_report(report)),
            Event::Unreadable { from, .. } => {
                let from = sanitise_line(&from.name);
                Told::answer(self.text("chat-unreadable", &[("from", &from)]))
            }
            Event::File(event) => return self.file(event),
            Event::Resealed { name, count } => {
                let (to, count) = (sanitise_line(name), *count as u64);
                Told::answer(self.counted("chat-resealed", count, &[("to", &to)]))
            }
            Event::PackageRefused { name, fault } => {
                let to = sanitise_line(name);
                let why = self.text(&format!("package-{}", fault.code()), &[]);
                Told::answer(self.text("chat-package-refused", &[("to", &to), ("why", &why)]))
            }
            Event::Private { .. }
            | Event::Global { .. }
            | Event::Ready { .. }
            | Event::State { .. }
            | Event::Note { .. }
            | Event::NoteState { .. }
            | Event::Confirmed { .. }
            | Event::Met { .. }
            | Event::Trusted { .. }
            | Event::Measured(_)
            | Event::Closed { .. } => return None,
        })
    }

    /// Messages to everyone that were lost.
    pub(crate) fn hole(self, first: u64, last: u64) -> String {
        let count = last.saturating_sub(first).saturating_add(1);
        self.counted("chat-hole", count, &[])
    }

    fn link_report(self, report: &LinkReport) -> String {
        let word = |open| self.text(if open { "link-udp" } else { "link-tcp" }, &[]);
        let rtt = match report.state.rtt {
            Some(rtt) => format!("{:.1} ms", rtt.as_secs_f64() * 1000.0),
            None => self.text("link-unknown", &[]),
        };
        let lost = report.probes.saturating_sub(report.answers);
        self.text(
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

    /// The answer to a command, where an event is not one already.
    pub(crate) fn answer(
        self,
        command: &Command,
        result: Result<(), CommandError>,
    ) -> Option<String> {
        match (command, result) {
            (Command::Trust { name }, Ok(())) => {
                let name = sanitise_line(name);
                Some(self.text("chat-trusted", &[("name", &name)]))
            }
            (Command::Trust { name }, Err(CommandError::NoOtherKey)) => {
                let name = sanitise_line(name);
                Some(self.text("chat-nothing-to-trust", &[("name", &name)]))
            }
            (_, Err(error)) => Some(wording::command(self.0, error)),
            (_, Ok(())) => None,
        }
    }

    /// What was compared with someone, or why it cannot be.
    pub(crate) fn verification(
        self,
        name: &str,
        result: &Result<Verification, VerifyError>,
    ) -> String {
        let (id, of, code) = match result {
            Ok(verification) => {
                let id = match (verification.here, verification.there) {
                    (true, true) => "verify-done",
                    (true, false) => "verify-here",
                    (false, true) => "verify-there",
                    (false, false) => "verify-code",
                };
                (id, verification.name.as_str(), verification.code.as_str())
            }
            Err(VerifyError::Differs(verification)) => {
                ("verify-differs", name, verification.code.as_str())
            }
            Err(VerifyError::UnknownName) => {
                return self.text("verify-unknown", &[("name", &sanitise_line(name))]);
            }
            Err(VerifyError::Away) => return self.text("chat-error-away", &[]),
        };
        self.text(id, &[("name", &sanitise_line(of)), ("code", code)])
    }

    /// The answer to a calculation; an error is a refusal, or that there is none.
    pub(crate) fn calculated(self, calculated: &Calculated) -> Result<String, String> {
        match &calculated.answer {
            Ok(Answer::Result(outcome)) => {
                let result = outcome.shown.equation();
                Ok(self.text("calc-result", &[("result", &result)]))
            }
            Ok(Answer::Refused(problem)) => {
                Err(problem.text(self.0, &calculated.asked.calculation))
            }
            Err(error) => Err(error.text(self.0)),
        }
    }

    /// Why there is no connection.
    pub(crate) fn away(self, code: Option<ClosingCode>, detail: &str) -> String {
        match code {
            Some(ClosingCode::Shutdown) => self.text("chat-away-shutdown", &[]),
            Some(ClosingCode::TooSlow) => self.text("chat-away-too-slow", &[]),
            _ => sanitise_line(detail).into_owned(),
        }
    }

    /// Why the server ended the session for good.
    pub(crate) fn ended(self, code: ClosingCode, detail: &str) -> String {
        match code {
            ClosingCode::TakenOver => self.text("chat-ended-taken-over", &[]),
            ClosingCode::Kicked => self.text("chat-ended-kicked", &[]),
            ClosingCode::Banned => self.text("chat-ended-banned", &[]),
            _ => self.text("chat-ended-protocol", &[("cause", &sanitise_line(detail))]),
        }
    }

    /// Why the session could not go on.
    pub(crate) fn failed(self, error: &SessionError, name: &str) -> String {
        wording::session(self.0, error, name)
    }

    /// Why a message was not delivered: of its code in the database, which a later version may have written.
    pub(crate) fn failure(self, code: &str) -> String {
        let id = format!("failure-{code}");
        let id = if self.0.has(&id) {
            &id
        } else {
            "failure-other"
        };
        self.text(id, &[])
    }
}

/// Which way messages to everyone go.
pub(crate) fn link(state: &LinkState) -> &'static str {
    match (state.up, state.down) {
        (true, true) => "chat-link-open",
        (false, true) => "chat-link-no-up",
        (true, false) => "chat-link-no-down",
        (false, false) => "chat-link-closed",
    }
}

/// The other person in a private message: as shown, or as typed.
pub(crate) fn other<'a>(message: &'a PastMessage, own: &'a str) -> &'a str {
    let name = message.from.as_ref().or(message.to.as_ref());
    name.map_or(own, String::as_str)
}
