//! A measurement of the link: how many of some probes reach the server, and how many answers come back.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::event::LinkMeasurement;

/// Probes of a measurement: each is five in a hundred, and together they take a second.
const PROBES: u32 = 20;

/// Time between them.
const INTERVAL: Duration = Duration::from_millis(50);

/// How far a probe came.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Fate {
    Unknown,
    /// To the server.
    Heard,
    /// Its answer came back.
    Answered,
}

/// A measurement under way.
#[derive(Debug)]
pub(crate) struct Measurement {
    /// Probes still to be sent.
    left: u32,
    /// When the next is sent, or, after the last, when the measurement is over.
    due: Duration,
    /// How far each came that was sent.
    fates: BTreeMap<u64, Fate>,
}

impl Measurement {
    pub(crate) fn new(now: Duration) -> Self {
        Self {
            left: PROBES,
            due: now,
            fates: BTreeMap::new(),
        }
    }

    /// When it goes on.
    pub(crate) fn due(&self) -> Duration {
        self.due
    }

    /// Whether a probe is to be sent now.
    pub(crate) fn wants_probe(&self, now: Duration) -> bool {
        self.left > 0 && self.due <= now
    }

    /// A probe has been sent for it. The last one's answer may take `patience`.
    pub(crate) fn sent(&mut self, now: Duration, nonce: u64, patience: Duration) {
        self.fates.insert(nonce, Fate::Unknown);
        self.left = self.left.saturating_sub(1);
        let wait = if self.left > 0 { INTERVAL } else { patience };
        self.due = now.saturating_add(wait);
    }

    /// A probe came so far, at least.
    pub(crate) fn note(&mut self, nonce: u64, came: Fate) {
        if let Some(fate) = self.fates.get_mut(&nonce) {
            *fate = came.max(*fate);
        }
    }

    /// What was measured, once it is over.
    pub(crate) fn result(&self, now: Duration, rtt: Option<Duration>) -> Option<LinkMeasurement> {
        let at_least = |came| self.fates.values().filter(|fate| **fate >= came).count();
        (self.left == 0 && self.due <= now).then(|| LinkMeasurement {
            sent: self.fates.len(),
            heard: at_least(Fate::Heard),
            answered: at_least(Fate::Answered),
            rtt,
        })
    }
}
