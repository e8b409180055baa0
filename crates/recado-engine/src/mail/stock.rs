//! One's own key packages at the server: listed at the beginning of a session, and filled up.

use std::time::Duration;

use recado_proto::frame::{ClientFrame, KeyPackagesHeld, PutKeyPackages};

use super::outgoing::wait;
use super::store::Write;
use super::{Desk, Effect};

/// How soon after the last time the stock is filled up again: a server that says that all are gone is not believed more
/// often than this.
const LEAST_INTERVAL: Duration = Duration::from_secs(10);

/// How far this session is with them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Phase {
    /// No session.
    Away,
    /// The server is asked what it has.
    Listed,
    /// The database finds out what is missing.
    Written,
    /// What was missing was sent.
    Put,
    /// All is there.
    Settled,
    /// The server is to be asked again then.
    Waiting(Duration),
}

/// Whether the server has what it should have.
pub(super) struct Stock {
    phase: Phase,
    /// Whether it did once in this session, as far as the server can say.
    is_confirmed: bool,
    not_before: Duration,
}

impl Stock {
    pub(super) fn new() -> Self {
        Self {
            phase: Phase::Away,
            is_confirmed: false,
            not_before: Duration::ZERO,
        }
    }

    pub(super) fn connect(&mut self, desk: &mut Desk) {
        self.phase = Phase::Listed;
        self.is_confirmed = false;
        desk.send(ClientFrame::ListKeyPackages);
    }

    pub(super) fn disconnect(&mut self) {
        self.phase = Phase::Away;
    }

    /// Whether whoever is told that they cannot be read finds key packages that can.
    pub(super) fn is_confirmed(&self) -> bool {
        self.is_confirmed
    }

    /// The server says what it has.
    pub(super) fn held(&mut self, now: Duration, held: KeyPackagesHeld, desk: &mut Desk) {
        match self.phase {
            Phase::Listed | Phase::Put if held.retry_in_ms > 0 => {
                self.phase = Phase::Waiting(now.saturating_add(wait(held.retry_in_ms)));
                // It cannot be had better for now.
                self.is_confirmed = true;
            }
            Phase::Listed => {
                self.phase = Phase::Written;
                self.not_before = now.saturating_add(LEAST_INTERVAL);
                desk.write(Write::Stock(held));
                desk.then(Effect::Stocked);
            }
            Phase::Put => self.settle(),
            Phase::Away | Phase::Written | Phase::Settled | Phase::Waiting(_) => {}
        }
    }

    /// The database knows what is missing.
    pub(super) fn stocked(&mut self, missing: Option<PutKeyPackages>, desk: &mut Desk) {
        if self.phase != Phase::Written {
            return;
        }
        match missing {
            Some(put) => {
                self.phase = Phase::Put;
                desk.send(ClientFrame::PutKeyPackages(put));
            }
            None => self.settle(),
        }
    }

    fn settle(&mut self) {
        self.phase = Phase::Settled;
        self.is_confirmed = true;
    }

    /// Few are left, or the last resort was used.
    pub(super) fn low(&mut self, now: Duration, desk: &mut Desk) {
        if self.phase != Phase::Settled {
            return;
        }
        if now < self.not_before {
            self.phase = Phase::Waiting(self.not_before);
        } else {
            self.list(desk);
        }
    }

    fn list(&mut self, desk: &mut Desk) {
        self.phase = Phase::Listed;
        desk.send(ClientFrame::ListKeyPackages);
    }

    pub(super) fn poll_timeout(&self) -> Option<Duration> {
        match self.phase {
            Phase::Waiting(until) => Some(until),
            _ => None,
        }
    }

    pub(super) fn handle_timeout(&mut self, now: Duration, desk: &mut Desk) {
        if self.poll_timeout().is_some_and(|until| until <= now) {
            self.list(desk);
        }
    }
}
