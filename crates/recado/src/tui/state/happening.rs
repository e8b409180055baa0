//! What happens, and what becomes of one's own messages.

use std::time::Instant;

use recado_client::history::Outgoing;
use recado_client::{About, Event, OfferEvent, OfferState, Receipt, Route, State as MessageState};
use recado_proto::frame::Person as ProtoPerson;
use recado_proto::text::sanitise_line;

use super::message::Key;
use super::{Carried, Content, Fate, Here, Line, Message, PROBES, Stage, State, fold};
use crate::chat::calculating::Calculated;
use crate::chat::talk::{Own, Shown};
use crate::chat::words::Told;
use crate::files;

impl State {
    /// An event. Whether a private message has been shown: if not, it is wished for when it has.
    pub(in crate::tui) fn event(&mut self, event: &Event) -> Shown {
        match event {
            Event::Private {
                receipt,
                from,
                id,
                sent_at_ms,
                text,
                replayed: _,
            } => {
                let key = Key {
                    id: *id,
                    from: Some(fold(&from.name)),
                };
                let message = Message {
                    is_global: false,
                    // All of it is meant for whoever reads it.
                    is_mention: false,
                    ..self.came(key, &from.name, text)
                };
                let line = Line::new(self.clock.at(*sent_at_ms), Content::Message(message));
                return self.take_private(&from.name, line, *receipt);
            }
            Event::Global { .. } => self.take_global(event),
            Event::Ready { link, .. } | Event::Link(link) => {
                self.link = Some(*link);
                if let Event::Link(_) = event
                    && let Some(told) = self.words.event(event, &self.marks)
                {
                    self.notice(None, &told.text, false);
                }
            }
            Event::LinkReport(report) => {
                self.link = Some(report.state);
                let lost = report.probes.saturating_sub(report.answers);
                // One that is still on its way is not lost; among many it does not count.
                let is_telling = report.probes >= PROBES;
                self.loss = is_telling.then(|| lost.saturating_mul(100) / report.probes);
                if self.link_asked.pop_front() == Some(true) {
                    self.tell(event);
                }
            }
            Event::Presence { person, online } => self.presence(person, *online),
            Event::Roster(people) => {
                let here = people.iter().map(|person| {
                    let here = Here {
                        name: person.name.clone(),
                        shown: sanitise_line(&person.name).into_owned(),
                    };
                    (fold(&person.name), here)
                });
                self.people = here.collect();
                if self.asked_who > 0 {
                    self.asked_who -= 1;
                    self.tell(event);
                }
            }
            Event::KeyChanged { name, .. } => {
                if let Some(told) = self.words.event(event, &self.marks) {
                    self.notice(Some(name), &told.text, true);
                    self.rings = true;
                }
            }
            Event::Missing { from, .. } | Event::Unreadable { from, .. } => {
                if let Some(told) = self.words.event(event, &self.marks) {
                    self.notice(Some(&from.name), &told.text, true);
                }
            }
            Event::Waiting { name, .. }
            | Event::Resealed { name, .. }
            | Event::PackageRefused { name, .. } => {
                if let Some(told) = self.words.event(event, &self.marks) {
                    self.notice(Some(name), &told.text, false);
                }
            }
            Event::File(event) => self.file(event),
            Event::Hole { .. } | Event::LogLost | Event::Blocked(_) => self.tell(event),
            Event::State { .. }
            | Event::Note { .. }
            | Event::NoteState { .. }
            | Event::Confirmed { .. }
            | Event::Met { .. }
            | Event::Trusted { .. }
            | Event::Measured(_)
            | Event::Closed { .. } => {}
        }
        self.settle();
        Shown::Now
    }

    /// A file on offer or under way: its row, and what is told of it where the other person is written to.
    fn file(&mut self, event: &OfferEvent) {
        let words = self.words;
        let told = words.file(event);
        let text = told.map_or(String::new(), |told| told.text);
        match event {
            OfferEvent::Offered { about, .. } => {
                self.transfers.stands(about, Stage::Offered);
                self.rings = true;
                self.notice(Some(&about.peer), &text, false);
            }
            OfferEvent::Progress { about, done } => {
                self.transfers.progress(about, *done, Instant::now());
            }
            OfferEvent::Received { about, path, .. } => {
                let path = path.display().to_string();
                let place = words.text("tui-file-done", &[("path", &sanitise_line(&path))]);
                self.transfers.stands(about, Stage::Done(place));
                self.notice(Some(&about.peer), &text, false);
            }
            OfferEvent::State { about, state } => {
                self.stands(about, *state);
                match state {
                    OfferState::Queued => {
                        let title = files::title(words.0, about);
                        let peer = sanitise_line(&about.peer);
                        let number = about.number.to_string();
                        let arguments = [
                            ("title", title.as_str()),
                            ("peer", &peer),
                            ("number", &number),
                        ];
                        let text = words.text("tui-file-own", &arguments);
                        self.note(&about.peer, &text);
                    }
                    // It is in the row, as long as it lasts.
                    OfferState::Offered
                    | OfferState::Accepted
                    | OfferState::Running(_)
                    | OfferState::Waiting(_) => {}
                    // Where it is comes with what is received.
                    OfferState::Received if !about.is_own => {}
                    // The person's own doing.
                    OfferState::Declined if !about.is_own => self.note(&about.peer, &text),
                    OfferState::Received | OfferState::Declined | OfferState::Cancelled => {
                        self.notice(Some(&about.peer), &text, false);
                    }
                    OfferState::Failed(_) => {
                        self.notice(Some(&about.peer), &text, true);
                    }
                }
            }
            OfferEvent::Skipped { about, .. } => self.notice(Some(&about.peer), &text, true),
            OfferEvent::Refused { .. } => self.add_hint(&text),
            OfferEvent::All(all) => {
                for (about, state) in all {
                    self.stands(about, *state);
                }
                if self.files_asked.pop_front() == Some(true) {
                    self.notice(None, &text, false);
                }
            }
        }
    }

    /// The row of an offer.
    fn stands(&mut self, about: &About, state: OfferState) {
        let words = self.words;
        let word = || words.text(&format!("file-word-{}", state.word()), &[]);
        let stage = match state {
            OfferState::Offered => Stage::Offered,
            OfferState::Queued | OfferState::Accepted => Stage::Waiting(word()),
            OfferState::Running(route) => Stage::Running {
                is_relayed: route == Route::Relay,
            },
            OfferState::Waiting(pause) => {
                Stage::Waiting(words.text(&format!("file-pause-{}", pause.code()), &[]))
            }
            // Where it is comes with what is received.
            OfferState::Received if !about.is_own => return,
            OfferState::Received => Stage::Done(word()),
            OfferState::Declined | OfferState::Cancelled => Stage::Over(word()),
            OfferState::Failed(why) => Stage::Failed(files::failure(words.0, why)),
        };
        self.transfers.stands(about, stage);
    }

    fn tell(&mut self, event: &Event) {
        if let Some(Told { text, .. }) = self.words.event(event, &self.marks) {
            self.notice(None, &text, false);
        }
    }

    /// A message that came from this person.
    fn came(&self, key: Key, name: &str, text: &str) -> Message {
        let lines = Message::said(text);
        let is_mention = self.is_mentioned(&lines);
        Message {
            key,
            number: None,
            from: sanitise_line(name).into_owned(),
            is_own: false,
            is_global: true,
            lines,
            fate: Fate::Came,
            carried: None,
            verified: true,
            is_mention,
            tag: String::new(),
            bytes: text.len(),
        }
    }

    /// Whether a text has one's own name as a word.
    pub(super) fn is_mentioned(&self, lines: &[String]) -> bool {
        let own = self.own_name.to_lowercase();
        let is_part = |c: char| c.is_alphanumeric() || c == '_';
        lines.iter().any(|line| {
            let line = line.to_lowercase();
            line.match_indices(&own).any(|(at, _)| {
                let before = line.get(..at).and_then(|rest| rest.chars().next_back());
                let after = line
                    .get(at + own.len()..)
                    .and_then(|rest| rest.chars().next());
                !before.is_some_and(is_part) && !after.is_some_and(is_part)
            })
        }) && !own.is_empty()
    }

    fn take_private(&mut self, name: &str, line: Line, receipt: Receipt) -> Shown {
        let folded = fold(name);
        if !self.conversations.is_open(Some(&folded)) {
            self.rings = true;
            return self.is_new(Some(name), Some(receipt), false);
        }
        self.rings |= !self.has_focus;
        let is_seen = self.window.is_at_end();
        self.window.push(line);
        let shown = match is_seen {
            true => Shown::Now,
            false => self.is_new(Some(name), Some(receipt), false),
        };
        self.settle();
        shown
    }

    /// Counts a message that is not looked at.
    fn is_new(&mut self, name: Option<&str>, receipt: Option<Receipt>, is_mention: bool) -> Shown {
        let at = self.conversations.place(name);
        let mut taken: Vec<_> = self
            .conversations
            .is_new(at, receipt, is_mention)
            .into_iter()
            .collect();
        taken.extend(std::iter::from_fn(|| self.conversations.poll_dropped()));
        self.take_all(taken);
        Shown::Later
    }

    fn take_global(&mut self, event: &Event) {
        let Event::Global {
            from,
            id,
            sent_at_ms,
            text,
            via,
            replayed,
            late,
            repaired,
            verified,
            sequence: _,
        } = event
        else {
            return;
        };
        let is_own = *verified && fold(&from.name) == fold(&self.own_name);
        let key = Key {
            id: *id,
            from: (!is_own).then(|| fold(&from.name)),
        };
        let came = self.came(key, &from.name, text);
        let mut message = Message {
            is_own,
            is_mention: came.is_mention && !is_own,
            fate: if is_own { Fate::Stored } else { Fate::Came },
            carried: Some(Carried {
                via: *via,
                late: *late,
                repaired: *repaired,
                before: *replayed,
            }),
            verified: *verified,
            ..came
        };
        message.retag(self.words);
        let is_mention = message.is_mention;
        let is_news = !is_own && !*replayed;
        if !self.conversations.is_open(None) {
            if is_news {
                self.rings |= is_mention;
                self.is_new(None, None, is_mention);
            }
            return;
        }
        let line = Line::new(self.clock.at(*sent_at_ms), Content::Message(message));
        let is_seen = self.window.is_at_end();
        let is_fresh = self.window.push(line);
        if is_news && is_fresh {
            self.rings |= is_mention && !self.has_focus;
            if !is_seen {
                self.conversations.is_new(0, None, is_mention);
            }
        }
    }

    fn presence(&mut self, person: &ProtoPerson, is_here: bool) {
        let folded = fold(&person.name);
        let shown = sanitise_line(&person.name).into_owned();
        if is_here {
            let here = Here {
                name: person.name.clone(),
                shown: shown.clone(),
            };
            self.people.insert(folded.clone(), here);
        } else {
            self.people.remove(&folded);
        }
        // Told where it concerns someone: to everyone, and in the conversation with that person.
        if self.conversations.is_open(None) || self.conversations.is_open(Some(&folded)) {
            let content = Content::Presence {
                who: vec![(shown.clone(), is_here)],
                more: 0,
            };
            let line = Line::new(self.clock.at(self.clock.now()), content);
            self.window.push_presence(line, &shown, is_here);
        }
    }

    /// A message was entered.
    pub(in crate::tui) fn entered(&mut self, message: &Outgoing) {
        let line = self.own_line(message, Fate::Entered);
        let folded = message.to.as_deref().map(fold);
        let at = self.conversations.place(message.to.as_deref());
        self.entering.push((folded, line.clone()));
        if at == self.conversations.open_at() {
            self.window.push(line);
            self.go_to_newest();
        } else {
            self.look_at(at);
        }
    }

    fn own_line(&self, message: &Outgoing, fate: Fate) -> Line {
        let lines = Message::said(&message.text);
        let mut own = Message {
            key: Key {
                id: message.id,
                from: None,
            },
            number: None,
            from: self.me.clone(),
            is_own: true,
            is_global: message.to.is_none(),
            bytes: message.text.len(),
            lines,
            fate,
            carried: None,
            verified: true,
            is_mention: false,
            tag: String::new(),
        };
        own.retag(self.words);
        let content = Content::Message(own);
        Line::new(self.clock.at(message.sent_at_ms), content)
    }

    /// What became of a message of one's own.
    pub(in crate::tui) fn state(&mut self, own: &Own) {
        let key = Key {
            id: own.id,
            from: None,
        };
        self.entering.retain(|(_, line)| {
            let message = line.message();
            message.is_none_or(|message| message.key != key)
        });
        let words = self.words;
        let fate = Fate::of(own.state, words);
        let folded = own.to.as_deref().map(fold);
        if let Some(message) = self.window.find_mut(&key) {
            // A global message that came back has been stored, whatever is told later.
            if message.fate.is_open(message.is_global) {
                message.fate = fate.clone();
                message.retag(words);
            }
        } else if let (Some(text), true) =
            (&own.text, self.conversations.is_open(folded.as_deref()))
        {
            // Another process entered it.
            let message = Outgoing {
                id: own.id,
                to: own.to.clone(),
                sent_at_ms: self.clock.now(),
                text: text.clone(),
                reference: None,
            };
            let line = self.own_line(&message, fate.clone());
            self.window.push(line);
        }
        // Where one looks it stands behind the message.
        let is_open = self.conversations.is_open(folded.as_deref());
        if let (MessageState::Failed(_), Fate::Failed(why), false) = (own.state, &fate, is_open) {
            let told = match &own.to {
                Some(to) => {
                    let to = sanitise_line(to);
                    self.words.text("chat-failed", &[("to", &to), ("why", why)])
                }
                None => self.words.text("chat-failed-global", &[("why", why)]),
            };
            self.hint(&told, true);
        }
    }

    /// The disk is full; these are not written down.
    pub(in crate::tui) fn disk_full(&mut self, path: &str, lost: &[Outgoing]) {
        let mut text = self.words.text("chat-disk-full", &[("path", path)]);
        if !lost.is_empty() {
            text.push('\n');
            text.push_str(
                &self
                    .words
                    .counted("chat-disk-full-lost", lost.len() as u64, &[]),
            );
        }
        self.hint(&text, true);
        for lost in lost {
            let key = Key {
                id: lost.id,
                from: None,
            };
            self.entering
                .retain(|(_, line)| line.message().is_none_or(|message| message.key != key));
            let why = self.words.text("tui-not-written-down", &[]);
            let words = self.words;
            if let Some(message) = self.window.find_mut(&key) {
                message.fate = Fate::Failed(why);
                message.retag(words);
            }
        }
    }

    /// The answer to a calculation.
    pub(in crate::tui) fn calculated(&mut self, calculated: &Calculated) {
        match self.words.calculated(calculated) {
            Ok(result) => self.notice(None, &result, false),
            Err(why) => self.hint(&why, true),
        }
    }
}
