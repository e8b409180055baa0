//! Whether there is something to seal with on the way to one person.

use std::time::Duration;

use super::store::PackageFault;

/// How often a message is sealed at most: once, and three times more where its recipient could not read it.
pub(super) const MAX_SEALS: u32 = 4;

/// When another key package is asked for after one that was of no use: the server, or whoever put it there, is wrong,
/// and asking at once does not help.
pub(super) const PACKAGE_RETRY: Duration = Duration::from_secs(30);

/// When another is asked for, the first time that there was none: someone who has come just now for the first time has
/// some on the way. That they are waited for is not told before.
pub(super) const NEWCOMER_TIME: Duration = Duration::from_secs(3);

/// How far the keys of a lane are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Keys {
    phase: Phase,
    /// What there was cannot be read: only a new group helps, which opens this lane to its recipient again.
    is_broken: bool,
    /// Whether it was heard in this session that there is no key package.
    had_none: bool,
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
            had_none: false,
            told: None,
        }
    }

    /// Those that there were are of no use.
    pub(super) fn broken() -> Self {
        Self {
            is_broken: true,
            ..Self::new(false)
        }
    }

    pub(super) fn disconnect(&mut self) {
        if matches!(self.phase, Phase::Asked | Phase::Waiting(_)) {
            self.phase = Phase::None;
        }
        self.had_none = false;
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

    /// The server has none. Whether that is heard for the first time.
    pub(super) fn has_none(&mut self) -> bool {
        !std::mem::replace(&mut self.had_none, true)
    }

    /// None comes now. Whether one was asked for.
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
