//! The conversations there are, and what is new in each.

use std::collections::VecDeque;

use recado_client::Receipt;
use recado_client::history::{Conversation, Correspondent};
use recado_proto::text::sanitise_line;

use super::fold;

/// Conversations that are listed at most.
pub(in crate::tui) const MAX_LISTED: usize = 500;

/// Private messages that are told as taken only once they were looked at, of all conversations. Those beyond them are so
/// at once, the oldest first: they are in the history, but are not new after a restart.
const MAX_UNTAKEN: usize = 1000;

/// The conversations, that with everyone first.
#[derive(Debug)]
pub(in crate::tui) struct Conversations {
    entries: Vec<Entry>,
    /// Which one is looked at.
    open: usize,
    untaken: usize,
    /// Of conversations that were let go of.
    dropped: VecDeque<Receipt>,
}

/// A conversation.
#[derive(Debug)]
pub(in crate::tui) struct Entry {
    /// The other person; `None` is everyone.
    pub(in crate::tui) with: Option<Person>,
    /// Messages that were not looked at.
    pub(in crate::tui) unread: usize,
    /// Whether one of them names the person who reads them.
    pub(in crate::tui) is_mentioned: bool,
    /// Private messages that were not looked at, to be taken once they were.
    untaken: VecDeque<Receipt>,
}

/// The other person of a conversation.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(in crate::tui) struct Person {
    /// As it is known, to be written to.
    pub(in crate::tui) name: String,
    /// Fit for a terminal.
    pub(in crate::tui) shown: String,
    /// Case-mapped.
    pub(in crate::tui) folded: String,
}

impl Person {
    pub(in crate::tui) fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            shown: sanitise_line(name).into_owned(),
            folded: fold(name),
        }
    }
}

impl Entry {
    fn new(with: Option<Person>) -> Self {
        Self {
            with,
            unread: 0,
            is_mentioned: false,
            untaken: VecDeque::new(),
        }
    }

    pub(in crate::tui) fn conversation(&self) -> Conversation {
        match &self.with {
            None => Conversation::Everyone,
            Some(person) => Conversation::With(person.name.clone()),
        }
    }

    fn is(&self, folded: Option<&str>) -> bool {
        self.with.as_ref().map(|person| person.folded.as_str()) == folded
    }
}

impl Conversations {
    pub(super) fn new() -> Self {
        Self {
            entries: vec![Entry::new(None)],
            open: 0,
            untaken: 0,
            dropped: VecDeque::new(),
        }
    }

    pub(in crate::tui) fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The place of the one that is looked at.
    pub(in crate::tui) fn open_at(&self) -> usize {
        self.open
    }

    pub(in crate::tui) fn open(&self) -> &Entry {
        // There is always one: that with everyone.
        self.entries.get(self.open).unwrap_or(&self.entries[0])
    }

    /// Whether the one with this person, or with everyone, is looked at.
    pub(super) fn is_open(&self, folded: Option<&str>) -> bool {
        self.open().is(folded)
    }

    /// The place of the one with this person; it is begun if there is none.
    pub(super) fn place(&mut self, name: Option<&str>) -> usize {
        let Some(name) = name else {
            return 0;
        };
        let folded = fold(name);
        let found = self
            .entries
            .iter()
            .position(|entry| entry.is(Some(&folded)));
        if let Some(at) = found {
            return at;
        }
        let dropped = (self.entries.len() > MAX_LISTED).then(|| self.drop_one());
        // What it had that was new is in the history.
        self.dropped.extend(dropped.into_iter().flatten());
        // New ones above older ones, and nothing that was there goes elsewhere but down.
        self.entries.insert(1, Entry::new(Some(Person::new(name))));
        self.open += usize::from(self.open > 0);
        1
    }

    /// Lets go of the last in which nothing is new, else of the last. What is to be taken, as nobody looks at it there.
    fn drop_one(&mut self) -> VecDeque<Receipt> {
        let open = self.open;
        let mut entries = self.entries.iter().enumerate();
        let found = entries.rfind(|(at, entry)| *at != open && *at > 0 && entry.unread == 0);
        let last = self.entries.len().saturating_sub(1);
        let at = found.map_or(last, |(at, _)| at);
        if at == 0 || at == open {
            return VecDeque::new();
        }
        let entry = self.entries.remove(at);
        self.open -= usize::from(self.open > at);
        self.untaken = self.untaken.saturating_sub(entry.untaken.len());
        entry.untaken
    }

    /// What is to be taken although it was not looked at.
    pub(super) fn poll_dropped(&mut self) -> Option<Receipt> {
        self.dropped.pop_front()
    }

    /// Those of the past, the latest first.
    pub(super) fn take_correspondents(&mut self, found: Vec<Correspondent>) {
        for correspondent in found {
            let folded = fold(&correspondent.name);
            if self.entries.len() > MAX_LISTED
                || self.entries.iter().any(|entry| entry.is(Some(&folded)))
            {
                continue;
            }
            let person = Person::new(&correspondent.name);
            self.entries.push(Entry::new(Some(person)));
        }
    }

    /// Looks at another one. What was new in it, and what is to be taken once it is on the screen.
    pub(super) fn look_at(&mut self, at: usize) -> (usize, Vec<Receipt>) {
        self.open = at.min(self.entries.len().saturating_sub(1));
        self.read_open()
    }

    /// The one that is looked at has been read to its end.
    pub(super) fn read_open(&mut self) -> (usize, Vec<Receipt>) {
        let open = self.open;
        let Some(entry) = self.entries.get_mut(open) else {
            return (0, Vec::new());
        };
        let untaken: Vec<_> = entry.untaken.drain(..).collect();
        self.untaken = self.untaken.saturating_sub(untaken.len());
        entry.is_mentioned = false;
        (std::mem::take(&mut entry.unread), untaken)
    }

    /// A message came that is not looked at. What is to be taken although it was not looked at.
    pub(super) fn is_new(
        &mut self,
        at: usize,
        receipt: Option<Receipt>,
        is_mention: bool,
    ) -> Option<Receipt> {
        let entry = self.entries.get_mut(at)?;
        entry.unread += 1;
        entry.is_mentioned |= is_mention;
        let receipt = receipt?;
        entry.untaken.push_back(receipt);
        self.untaken += 1;
        if self.untaken <= MAX_UNTAKEN {
            return None;
        }
        // Of the conversation that has most.
        self.untaken -= 1;
        let fullest = self
            .entries
            .iter_mut()
            .max_by_key(|entry| entry.untaken.len());
        fullest?.untaken.pop_front()
    }

    /// The next one with something new, round the list.
    pub(super) fn next_unread(&self) -> Option<usize> {
        let count = self.entries.len();
        (1..count)
            .map(|step| (self.open + step) % count)
            .find(|at| self.entries.get(*at).is_some_and(|entry| entry.unread > 0))
    }

    #[cfg(test)]
    pub(super) fn untaken_for_test(&self) -> usize {
        self.entries.iter().map(|entry| entry.untaken.len()).sum()
    }

    /// All that is new, elsewhere than where one looks.
    pub(in crate::tui) fn unread(&self) -> usize {
        self.entries.iter().map(|entry| entry.unread).sum()
    }
}
