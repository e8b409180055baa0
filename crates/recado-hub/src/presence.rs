//! Presence, coalesced: who came and went since it was last told.

use std::collections::BTreeMap;
use std::time::Duration;

use recado_proto::frame::{Person, Presence};
use recado_proto::id::RemoteKey;
use recado_proto::limits::MAX_PEOPLE_PER_FRAME;

/// The least time between two tellings. The first change is told at once; when a whole class comes
/// back after a restart, each tenth of a second costs one frame a person rather than one a change.
const INTERVAL: Duration = Duration::from_millis(100);

/// Changes that have not been told yet: of each person the last. One that was undone in between is told
/// all the same, since someone may have got a roster in between; to those who know, it says nothing new.
/// Who came and went is told to have come first: however short a visit is, everyone learns of it.
#[derive(Debug, Default)]
pub(crate) struct Changes {
    changed: BTreeMap<RemoteKey, (Person, Change)>,
    /// When the next telling may be.
    next: Duration,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Change {
    Joined,
    Left,
    /// Joined, and then left.
    Visited,
}

impl Changes {
    pub(crate) fn join(&mut self, person: Person) {
        self.changed.insert(person.key, (person, Change::Joined));
    }

    pub(crate) fn leave(&mut self, person: Person) {
        let before = self.changed.get(&person.key).map(|(_, change)| *change);
        let change = match before {
            Some(Change::Joined | Change::Visited) => Change::Visited,
            Some(Change::Left) | None => Change::Left,
        };
        self.changed.insert(person.key, (person, change));
    }

    /// When [`take`](Self::take) will have something.
    pub(crate) fn deadline(&self) -> Option<Duration> {
        (!self.changed.is_empty()).then_some(self.next)
    }

    /// What is to be told now, in this order, in frames of bounded size.
    pub(crate) fn take(&mut self, now: Duration) -> Vec<Presence> {
        if self.deadline().is_none_or(|deadline| now < deadline) {
            return Vec::new();
        }
        self.next = now.saturating_add(INTERVAL);
        let changed: Vec<_> = std::mem::take(&mut self.changed).into_values().collect();
        let over = changed
            .iter()
            .filter(|(_, change)| *change == Change::Visited);
        let over: Vec<_> = over
            .map(|(person, _)| (person.clone(), Change::Left))
            .collect();
        let mut frames = Vec::new();
        for changes in [changed, over] {
            let mut changes = changes.into_iter().peekable();
            while changes.peek().is_some() {
                let mut frame = Presence::default();
                for (person, change) in changes.by_ref().take(MAX_PEOPLE_PER_FRAME) {
                    match change {
                        Change::Joined | Change::Visited => frame.joined.push(person),
                        Change::Left => frame.left.push(person),
                    }
                }
                frames.push(frame);
            }
        }
        frames
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn person(key: u8) -> Person {
        Person {
            name: format!("P{key}"),
            key: RemoteKey::from_bytes([key; 32]),
        }
    }

    fn told(frames: &[Presence]) -> Vec<(Vec<&str>, Vec<&str>)> {
        frames
            .iter()
            .map(|frame| {
                let joined = frame.joined.iter().map(|person| person.name.as_str());
                let left = frame.left.iter().map(|person| person.name.as_str());
                (joined.collect(), left.collect())
            })
            .collect()
    }

    #[test]
    fn a_visit_is_told_however_short_and_what_was_undone_by_its_end() {
        let mut changes = Changes::default();
        // Came and went; went and came back; went; came, went, and came.
        changes.join(person(1));
        changes.leave(person(1));
        changes.leave(person(2));
        changes.join(person(2));
        changes.leave(person(3));
        changes.join(person(4));
        changes.leave(person(4));
        changes.join(person(4));
        let frames = changes.take(Duration::ZERO);
        assert_eq!(
            told(&frames),
            [(vec!["P1", "P2", "P4"], vec!["P3"]), (vec![], vec!["P1"])]
        );
        assert_eq!(changes.take(INTERVAL), []);
    }
}
