//! What was entered, what was promised, and what came.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

/// A message, by the text that is also its reference: `alice-bob-7`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct Message {
    pub(super) from: String,
    pub(super) to: String,
    pub(super) number: u64,
}

impl Message {
    pub(super) fn text(&self) -> String {
        format!("{}-{}-{}", self.from, self.to, self.number)
    }

    fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('-');
        Some(Self {
            from: parts.next()?.to_owned(),
            to: parts.next()?.to_owned(),
            number: parts.next()?.parse().ok()?,
        })
    }
}

/// How far a promise went.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Promise {
    Entered,
    Queued,
    Stored,
    Delivered,
}

/// What one person was shown.
#[derive(Clone, Default, Debug)]
struct Shown {
    ids: BTreeSet<String>,
    /// The highest number of each sender that was shown for the first time.
    highest: BTreeMap<String, u64>,
}

/// All of it.
#[derive(Default, Debug)]
pub(super) struct Ledger {
    promises: BTreeMap<Message, Promise>,
    arrived: BTreeSet<Message>,
    shown: BTreeMap<String, Shown>,
    /// What is not owed any more, as its only copy was taken away on purpose.
    excused: BTreeSet<Message>,
    /// Who went on with an older copy of their database.
    restored: BTreeSet<String>,
    /// What went against a promise.
    pub(super) broken: Vec<String>,
    /// What happened, for whoever reads a failure: kills, restores, and what was told, in runs.
    story: Vec<Told>,
}

/// A line of the story.
#[derive(Debug)]
enum Told {
    Happened(String),
    /// Consecutive messages from one to another, of which someone was told the same.
    Run {
        what: String,
        first: u64,
        last: u64,
    },
}

/// Lines of the story that are shown with a failure.
const STORY: usize = 150;

impl Ledger {
    /// Something happened that is no event.
    pub(super) fn note(&mut self, what: String) {
        self.story.push(Told::Happened(what));
    }

    fn note_told(&mut self, what: String, number: u64) {
        if let Some(Told::Run {
            what: before, last, ..
        }) = self.story.last_mut()
            && *before == what
            && *last + 1 == number
        {
            *last = number;
            return;
        }
        self.story.push(Told::Run {
            what,
            first: number,
            last: number,
        });
    }

    /// What led to the first broken promise, and a little of what came then.
    pub(super) fn story(&self) -> String {
        let broken =
            |told: &Told| matches!(told, Told::Happened(what) if what.starts_with("BROKEN"));
        let until = self.story.iter().position(broken);
        let until = until.map_or(self.story.len(), |at| (at + 20).min(self.story.len()));
        let mut shown = String::new();
        for told in &self.story[until.saturating_sub(STORY)..until] {
            let line = match told {
                Told::Happened(what) => format!("{what}\n"),
                Told::Run { what, first, last } => format!("{what}: {first} to {last}\n"),
            };
            shown.push_str(&line);
        }
        shown
    }

    fn broken(&mut self, what: String) {
        self.note(format!("BROKEN: {what}"));
        self.broken.push(what);
    }

    pub(super) fn enter(&mut self, message: &Message) {
        self.promises.insert(message.clone(), Promise::Entered);
    }

    /// Takes an event that a person's program told.
    pub(super) fn see(&mut self, person: &str, event: &Value) {
        match event["type"].as_str() {
            Some("state") => self.see_state(event),
            Some("private") => self.see_private(person, event),
            Some("unreadable") => {
                self.note(format!("{person} cannot read one of {}", event["from"]));
            }
            Some("resealed") => {
                let (to, count) = (&event["name"], &event["count"]);
                self.note(format!("{person} seals {count} to {to} again"));
            }
            _ => {}
        }
    }

    fn see_state(&mut self, event: &Value) {
        let reference = event["ref"].as_str().unwrap_or_default();
        let Some(message) = Message::parse(reference) else {
            return;
        };
        let promise = match event["state"].as_str() {
            Some("queued") => Promise::Queued,
            Some("stored") => Promise::Stored,
            Some("delivered") => Promise::Delivered,
            // Sealed four times, for databases that go back and forth: that it failed is told, as it is promised.
            Some("failed") if event["code"] == "unreadable" && self.is_restored(&message) => {
                self.note(format!(
                    "{reference} could not be read, however often it was sealed"
                ));
                return self.excuse([message]);
            }
            _ => return self.broken(format!("failed: {event}")),
        };
        let what = format!("{} to {} {promise:?}", message.from, message.to);
        self.note_told(what, message.number);
        let promised = self.promises.entry(message).or_insert(promise);
        *promised = (*promised).max(promise);
    }

    fn see_private(&mut self, person: &str, event: &Value) {
        let text = event["text"].as_str().unwrap_or_default();
        let (Some(message), Some(id)) = (Message::parse(text), event["id"].as_str()) else {
            return self.broken(format!("nobody said this: {event}"));
        };
        let is_replayed = event["replayed"] == true;
        let how = if is_replayed {
            "again"
        } else {
            "for the first time"
        };
        let what = format!("{person} shown {how} {} to {}", message.from, message.to);
        self.note_told(what, message.number);
        let shown = self.shown.entry(person.to_owned()).or_default();
        if !shown.ids.insert(id.to_owned()) {
            if !is_replayed {
                self.broken(format!("shown twice: {event}"));
            }
            return;
        }
        let highest = shown.highest.entry(message.from.clone()).or_default();
        let before = *highest;
        *highest = message.number.max(before);
        // A recipient's older copy misses some, and is told how many. Where the sender's older copy has them still to
        // send, they come after all, as late as that.
        let was_missed = self.arrived.contains(&message) || self.excused.contains(&message);
        let both = [&message.from, &message.to];
        let is_late = was_missed && both.iter().all(|name| self.restored.contains(*name));
        if message.number <= before && !is_late {
            self.broken(format!("after {before}: {event}"));
        }
        self.arrived.insert(message);
    }

    /// How many messages were promised so far, at least so.
    pub(super) fn promised(&self, least: Promise) -> usize {
        let promises = self.promises.values();
        promises.filter(|promise| **promise >= least).count()
    }

    /// How many messages were promised to this sender, at least so.
    pub(super) fn promised_to(&self, sender: &str, least: Promise) -> usize {
        let promises = self.promises.iter();
        let to = promises.filter(|(message, promise)| message.from == sender && **promise >= least);
        to.count()
    }

    /// What has not come although it was promised.
    pub(super) fn missing(&self) -> Vec<(Message, Promise)> {
        let owed = self.promises.iter().filter(|(message, promise)| {
            **promise > Promise::Entered
                && !self.arrived.contains(message)
                && !self.excused.contains(message)
        });
        owed.map(|(message, promise)| (message.clone(), *promise))
            .collect()
    }

    /// What of this person's is promised, and not beyond a stage.
    pub(super) fn of(&self, person: &str, most: Promise) -> BTreeSet<Message> {
        let of = self.promises.iter();
        let of = of.filter(|(message, promise)| message.from == person && **promise <= most);
        of.map(|(message, _)| message.clone()).collect()
    }

    /// A person goes on with an older copy of their database: what is on its way to them, or was taken by their program
    /// and not shown, may be lost.
    pub(super) fn is_copied(&mut self, person: &str) {
        let to = self.promises.keys().filter(|message| message.to == person);
        let unseen = to.filter(|message| !self.arrived.contains(message));
        self.excused.extend(unseen.cloned());
        self.restored.insert(person.to_owned());
    }

    /// Whether one of the two went on with an older copy of their database.
    fn is_restored(&self, message: &Message) -> bool {
        self.restored.contains(&message.from) || self.restored.contains(&message.to)
    }

    /// These may be lost.
    pub(super) fn excuse(&mut self, messages: impl IntoIterator<Item = Message>) {
        self.excused.extend(messages);
    }

    /// These may be lost where they are for someone who went on with an older copy.
    pub(super) fn excuse_to_copies(&mut self, messages: impl IntoIterator<Item = Message>) {
        let restored = &self.restored;
        let orphaned = messages.into_iter().filter(|it| restored.contains(&it.to));
        self.excused.extend(orphaned);
    }

    /// What a person was shown until now, to be taken up again with an older copy of their database.
    pub(super) fn remember(&self, person: &str) -> Memory {
        Memory(self.shown.get(person).cloned().unwrap_or_default())
    }

    /// A person's database is the older copy: what it does not know may be shown again.
    pub(super) fn recall(&mut self, person: &str, memory: Memory) {
        self.shown.insert(person.to_owned(), memory.0);
    }
}

/// See [`Ledger::remember`].
#[derive(Clone, Debug)]
pub(super) struct Memory(Shown);

/// A ledger that accepts everything proves nothing.
#[test]
fn a_broken_promise_is_seen() {
    let private = |text: &str, id: &str, replayed: bool| serde_json::json!({"type": "private", "text": text, "id": id, "replayed": replayed});
    let mut ledger = Ledger::default();
    ledger.see("bob", &private("alice-bob-1", "a", false));
    ledger.see("bob", &private("alice-bob-1", "a", true));
    ledger.see("bob", &private("alice-bob-3", "c", false));
    assert!(ledger.broken.is_empty(), "{:?}", ledger.broken);
    ledger.see("bob", &private("alice-bob-3", "c", false));
    ledger.see("bob", &private("alice-bob-2", "b", false));
    assert_eq!(ledger.broken.len(), 2, "{:?}", ledger.broken);
    let state = serde_json::json!({"type": "state", "ref": "alice-bob-9", "state": "stored"});
    ledger.see("alice", &state);
    assert_eq!(ledger.missing().len(), 1);
}
