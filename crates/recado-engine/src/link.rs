//! The datagram link: confirming that datagrams pass in both directions, and keeping the way open.

use std::time::Duration;

use recado_proto::frame::{Probe, ProbeAnswer};

/// Time between probes while the first second lasts: five round trips of a good Wi-Fi, and few enough to cost
/// nothing. Also the least time between probes that answers call for, so that a NAT that changes its mind
/// with each datagram cannot make both sides play ping-pong.
const FIRST_INTERVAL: Duration = Duration::from_millis(100);

/// When the first confirmation is given up, and messages go over TCP until a later probe passes.
const PATIENCE: Duration = Duration::from_secs(1);

/// Time between probes while the link is up, and between attempts while it is down: below the 30 s after which
/// many NATs forget a UDP binding (RFC 4787 §4.3 asks for two minutes).
const INTERVAL: Duration = Duration::from_secs(15);

/// When a probe that was not answered is repeated while the link is up.
const REPEAT: Duration = Duration::from_secs(1);

/// Probes in a row without an answer after which the link is down.
const UNANSWERED: u32 = 3;

/// The link as the client knows it.
#[derive(Debug)]
pub(crate) struct Link {
    state: LinkState,
    nonce: u64,
    /// The last challenge; 0 before the first, and when nothing is heard any more.
    challenge: u64,
    next_probe: Duration,
    /// Probes since the last answer.
    unanswered: u32,
    /// Before this, an answer calls for no probe: the next one comes by itself.
    next_called: Duration,
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
            unanswered: 0,
            next_called: now,
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
        if self.state == LinkState::Up && self.unanswered >= UNANSWERED {
            // The server, if it hears this, learns that nothing is heard from it.
            self.state = LinkState::Down;
            self.challenge = 0;
        }
        Some(self.probe(now))
    }

    /// Takes an answer; what it asks for is to be sent now.
    pub(crate) fn handle_answer(&mut self, now: Duration, answer: ProbeAnswer) -> Option<Probe> {
        self.unanswered = 0;
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
        if now < self.next_called {
            self.next_probe = self.next_probe.min(self.next_called);
            return None;
        }
        self.next_called = now.saturating_add(FIRST_INTERVAL);
        Some(self.probe(now))
    }

    fn probe(&mut self, now: Duration) -> Probe {
        let interval = match self.state {
            LinkState::Trying => FIRST_INTERVAL,
            LinkState::Up => REPEAT,
            LinkState::Down => INTERVAL,
        };
        self.next_probe = now.saturating_add(interval);
        self.unanswered = self.unanswered.saturating_add(1);
        self.nonce = self.nonce.wrapping_add(1);
        Probe {
            nonce: self.nonce,
            challenge: self.challenge,
        }
    }
}
