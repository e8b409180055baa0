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
#[derive(Debug, Default)]
pub(crate) struct Changes {
    changed: BTreeMap<RemoteKey, (Person, Change)>,
    /// When the next telling may be.
    next: Duration,
}

#[derive(Debug, Clone, Copy)]
enum Change {
    Joined,
    Left,
}

impl Changes {
    pub(crate) fn join(&mut self, person: Person) {
        self.changed.insert(person.key, (person, Change::Joined));
    }

    pub(crate) fn leave(&mut self, person: Person) {
        self.changed.insert(person.key, (person, Change::Left));
    }

    /// When [`take`](Self::take) will have something.
    pub(crate) fn deadline(&self) -> Option<Duration> {
        (!self.changed.is_empty()).then_some(self.next)
    }

    /// What is to be told now, in frames of bounded size.
    pub(crate) fn take(&mut self, now: Duration) -> Vec<Presence> {
        if self.deadline().is_none_or(|deadline| now < deadline) {
            return Vec::new();
        }
        self.next = now.saturating_add(INTERVAL);
        let mut frames = vec![Presence::default()];
        let changed = std::mem::take(&mut self.changed).into_values();
        for (count, (person, change)) in changed.enumerate() {
            if count > 0 && count % MAX_PEOPLE_PER_FRAME == 0 {
                frames.push(Presence::default());
            }
            if let Some(frame) = frames.last_mut() {
                match change {
                    Change::Joined => frame.joined.push(person),
                    Change::Left => frame.left.push(person),
                }
            }
        }
        frames
    }
}
