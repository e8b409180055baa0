//! Whether there is something to seal with on the way to one person.

use std::time::Duration;

use super::store::PackageFault;

/// How often a message is sealed at most: once, and three times more where its recipient could not read it.
pub(super) const MAX_SEALS: u32 = 4;

/// When another key package is asked for after one that was of no use: the server, or whoever put it there, is wrong,
/// and asking at once does not help.
pub(super) const PACKAGE_RETRY: Duration = Duration::from_secs(30);

/// How far the keys of a lane are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Keys {
    phase: Phase,
    /// What there was cannot be read: only a new group helps, which opens this lane to its recipient again.
    is_broken: bool,
    /// What was told of the last key package.
    told: Option<PackageFault>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Phase {
    /// There are none.
    None,
    /// A key package was asked for, in this session.
    Asked,
    /// One has come, and a group is written down.
    Beginning,
    /// There is a group; or none is needed.
    Ready,
    /// A key package is to be asked for again then.
    Waiting(Duration),
}

impl Keys {
    pub(super) fn new(has_group: bool) -> Self {
        Self {
            phase: if has_group { Phase::Ready } else { Phase::None },
            is_broken: false,
            told: None,
        }
    }

    /// Those that there were are of no use.
    pub(super) fn broken() -> Self {
        Self {
            phase: Phase::None,
            is_broken: true,
            told: None,
        }
    }

    pub(super) fn disconnect(&mut self) {
        if matches!(self.phase, Phase::Asked | Phase::Waiting(_)) {
            self.phase = Phase::None;
        }
    }

    pub(super) fn is_ready(&self) -> bool {
        self.phase == Phase::Ready
    }

    pub(super) fn is_asked(&self) -> bool {
        self.phase == Phase::Asked
    }

    /// Whether a key package is to be asked for; it is, from now on.
    pub(super) fn ask(&mut self) -> bool {
        let is_time = self.phase == Phase::None;
        if is_time {
            self.phase = Phase::Asked;
        }
        is_time
    }

    /// A key package has come. Whether it is of use.
    pub(super) fn begin(&mut self) -> bool {
        let is_awaited = self.phase == Phase::Asked;
        if is_awaited {
            self.phase = Phase::Beginning;
        }
        is_awaited
    }

    /// There is none. Whether one was asked for.
    pub(super) fn wait(&mut self, until: Duration) -> bool {
        let is_awaited = self.phase == Phase::Asked;
        if is_awaited {
            self.phase = Phase::Waiting(until);
        }
        is_awaited
    }

    /// It is time to ask again.
    pub(super) fn retry(&mut self) {
        if let Phase::Waiting(_) = self.phase {
            self.phase = Phase::None;
        }
    }

    /// A group was written down, or the key package was of no use: then why, if that was not told before.
    pub(super) fn begun(
        &mut self,
        result: Result<(), PackageFault>,
        retry_at: Duration,
    ) -> Option<PackageFault> {
        if self.phase != Phase::Beginning {
            return None;
        }
        match result {
            Ok(()) => {
                *self = Self::new(true);
                None
            }
            Err(fault) => {
                self.phase = Phase::Waiting(retry_at);
                (self.told.replace(fault) != Some(fault)).then_some(fault)
            }
        }
    }

    /// The other side has opened a group, in which can be sealed too.
    pub(super) fn joined(&mut self) {
        if !self.is_broken && self.phase != Phase::Beginning {
            self.phase = Phase::Ready;
        }
    }

    pub(super) fn poll_timeout(&self) -> Option<Duration> {
        match self.phase {
            Phase::Waiting(until) => Some(until),
            _ => None,
        }
    }
}
