//! The datagram link: confirming that datagrams pass in both directions, and keeping the way open.

use std::time::Duration;

use recado_proto::frame::{Probe, ProbeAnswer};

/// Time between probes while the first second lasts: five round trips of a good Wi-Fi, and few enough to cost
/// nothing.
const FIRST_INTERVAL: Duration = Duration::from_millis(100);

/// When the first confirmation is given up, and messages go over TCP until a later probe passes.
const PATIENCE: Duration = Duration::from_secs(1);

/// Time between probes after that, and while the link is up: below the 30 s after which a NAT may forget a UDP
/// binding (RFC 4787 §4.3 names two minutes; many take 30 s).
const INTERVAL: Duration = Duration::from_secs(15);

/// The link as the client knows it.
#[derive(Debug)]
pub(crate) struct Link {
    state: LinkState,
    nonce: u64,
    /// The last challenge; 0 before the first.
    challenge: u64,
    next_probe: Duration,
    /// When the first confirmation is given up.
    patience: Duration,
}

/// How far it has come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum LinkState {
    /// Not confirmed yet.
    Trying,
    /// Given up for now; still probed.
    Down,
    /// Datagrams pass both ways.
    Up,
}

impl Link {
    /// A link whose first probe is due now.
    pub(crate) fn new(now: Duration) -> Self {
        Self {
            state: LinkState::Trying,
            nonce: 0,
            challenge: 0,
            next_probe: now,
            patience: now.saturating_add(PATIENCE),
        }
    }

    pub(crate) fn state(&self) -> LinkState {
        self.state
    }

    /// When [`handle_timeout`](Self::handle_timeout) is due.
    pub(crate) fn deadline(&self) -> Duration {
        match self.state {
            LinkState::Trying => self.next_probe.min(self.patience),
            LinkState::Down | LinkState::Up => self.next_probe,
        }
    }

    /// What is to be sent now.
    pub(crate) fn handle_timeout(&mut self, now: Duration) -> Option<Probe> {
        if self.state == LinkState::Trying && now >= self.patience {
            self.state = LinkState::Down;
        }
        if now < self.next_probe {
            return None;
        }
        Some(self.probe(now))
    }

    /// Takes an answer; what it asks for is to be sent now.
    pub(crate) fn handle_answer(&mut self, now: Duration, answer: ProbeAnswer) -> Option<Probe> {
        if answer.confirmed {
            self.state = LinkState::Up;
            self.next_probe = now.saturating_add(INTERVAL);
            return None;
        }
        // An old answer asks again for what was echoed already.
        if answer.nonce != self.nonce {
            return None;
        }
        self.challenge = answer.challenge;
        Some(self.probe(now))
    }

    fn probe(&mut self, now: Duration) -> Probe {
        let interval = match self.state {
            LinkState::Trying => FIRST_INTERVAL,
            LinkState::Down | LinkState::Up => INTERVAL,
        };
        self.next_probe = now.saturating_add(interval);
        self.nonce = self.nonce.wrapping_add(1);
        Probe {
            nonce: self.nonce,
            challenge: self.challenge,
        }
    }
}
