//! Presence, coalesced: who came and went since it was last told.

use std::collections::BTreeMap;
use std::time::Duration;

use recado_proto::frame::{Person, Presence};
use recado_proto::id::RemoteKey;
use recado_proto::limits::MAX_PEOPLE_PER_FRAME;

/// The least time between two tellings. The first change is told at once; when a whole class comes
/// back after a restart, each tenth of a second costs one frame a person rather than one a change.
const INTERVAL: Duration = Duration::from_millis(100);

/// Changes that have not been told yet.
#[derive(Debug, Default)]
pub(crate) struct Changes {
    joined: BTreeMap<RemoteKey, Person>,
    left: BTreeMap<RemoteKey, Person>,
    /// When the next telling may be.
    next: Duration,
}

impl Changes {
    pub(crate) fn join(&mut self, person: Person) {
        if self.left.remove(&person.key).is_none() {
            self.joined.insert(person.key, person);
        }
    }

    pub(crate) fn leave(&mut self, person: Person) {
        if self.joined.remove(&person.key).is_none() {
            self.left.insert(person.key, person);
        }
    }

    /// When [`take`](Self::take) will have something.
    pub(crate) fn deadline(&self) -> Option<Duration> {
        (!self.joined.is_empty() || !self.left.is_empty()).then_some(self.next)
    }

    /// What is to be told now, in frames of bounded size.
    pub(crate) fn take(&mut self, now: Duration) -> Vec<Presence> {
        if self.deadline().is_none_or(|deadline| now < deadline) {
            return Vec::new();
        }
        self.next = now.saturating_add(INTERVAL);
        let mut frames = vec![];
        let mut frame = Presence::default();
        let joined = std::mem::take(&mut self.joined)
            .into_values()
            .map(|p| (true, p));
        let left = std::mem::take(&mut self.left)
            .into_values()
            .map(|p| (false, p));
        for (came, person) in left.chain(joined) {
            if frame.joined.len().saturating_add(frame.left.len()) >= MAX_PEOPLE_PER_FRAME {
                frames.push(std::mem::take(&mut frame));
            }
            if came {
                &mut frame.joined
            } else {
                &mut frame.left
            }
            .push(person);
        }
        frames.push(frame);
        frames
    }
}
