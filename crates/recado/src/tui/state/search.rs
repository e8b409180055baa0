//! What was looked for, and what was found.

use recado_client::history::{Item, PastMessage};
use recado_proto::text::sanitise_line;

use super::clock::{Clock, Moment};
use super::message::Key;

/// Messages that a search finds at most.
pub(in crate::tui) const MAX_FOUND: usize = 500;

/// A search.
#[derive(Debug)]
pub(in crate::tui) struct Search {
    /// As typed, fit for a terminal.
    pub(in crate::tui) words: String,
    /// The latest first; `None` until they are there.
    pub(in crate::tui) found: Option<Vec<Found>>,
    pub(in crate::tui) chosen: usize,
}

/// A message that was found.
#[derive(Debug)]
pub(in crate::tui) struct Found {
    pub(in crate::tui) key: Key,
    pub(in crate::tui) number: u64,
    /// The other person of its conversation; `None` is everyone.
    pub(in crate::tui) with: Option<String>,
    /// Fit for a terminal.
    pub(in crate::tui) from: String,
    pub(in crate::tui) at: Moment,
    /// In one line, fit for a terminal.
    pub(in crate::tui) text: String,
}

impl Search {
    pub(super) fn new(words: &str) -> Self {
        Self {
            words: sanitise_line(words).into_owned(),
            found: None,
            chosen: 0,
        }
    }

    pub(super) fn take(&mut self, items: Vec<Item>, own_name: &str, clock: &Clock) {
        let found = items.into_iter().rev().filter_map(|item| match item {
            Item::Message(message) => Some(Found::of(message, own_name, clock)),
            Item::Hole { .. } => None,
        });
        self.found = Some(found.collect());
        self.chosen = 0;
    }

    pub(in crate::tui) fn chosen(&self) -> Option<&Found> {
        self.found.as_ref()?.get(self.chosen)
    }

    /// Chooses another one.
    pub(super) fn go(&mut self, step: isize) {
        let last = self
            .found
            .as_ref()
            .map_or(0, |found| found.len().saturating_sub(1));
        self.chosen = self.chosen.saturating_add_signed(step).min(last);
    }
}

impl Found {
    fn of(message: PastMessage, own_name: &str, clock: &Clock) -> Self {
        let other = message.from.as_ref().or(message.to.as_ref());
        let with = (!message.is_global).then(|| {
            let other = other.map_or(own_name, String::as_str);
            other.to_owned()
        });
        let from = message.from.as_deref();
        Self {
            key: Key {
                id: message.id,
                from: from.map(super::fold),
            },
            number: message.number,
            with,
            from: sanitise_line(from.unwrap_or(own_name)).into_owned(),
            at: clock.at(message.sent_at_ms),
            text: sanitise_line(&message.text).into_owned(),
        }
    }
}
