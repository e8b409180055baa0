//! The address that a session's datagrams come from and go to: it moves only with an authenticated
//! newest datagram, and gets little until it has echoed a challenge.

use std::time::Duration;

use recado_proto::frame::{Probe, ProbeAnswer};

/// How many times what an address sent it may get before it has echoed a challenge (as RFC 9000 §8).
const AMPLIFICATION: u64 = 3;

/// How long a path stays confirmed without a word from its client, which probes every 15 s: two probes and
/// their repeats may be lost.
const SILENCE: Duration = Duration::from_secs(45);

/// A session's path. `A` is what the shell sends to.
#[derive(Debug)]
pub(crate) struct Path<A> {
    address: A,
    challenge: u64,
    confirmed: bool,
    received: u64,
    sent: u64,
    /// When something last came from the address.
    heard: Duration,
}

impl<A: Copy + PartialEq> Path<A> {
    /// An address from which a datagram has just opened.
    pub(crate) fn new(now: Duration, address: A, challenge: u64) -> Self {
        Self {
            address,
            challenge,
            confirmed: false,
            received: 0,
            sent: 0,
            heard: now,
        }
    }

    pub(crate) fn address(&self) -> A {
        self.address
    }

    /// Whether the address has proved that it receives.
    pub(crate) fn confirmed(&self) -> bool {
        self.confirmed
    }

    /// Gives the confirmation up; a new challenge is to be echoed.
    pub(crate) fn unconfirm(&mut self, challenge: u64) {
        self.confirmed = false;
        self.challenge = challenge;
    }

    /// What proves to the client that datagrams come.
    pub(crate) fn answer(&self, nonce: u64) -> ProbeAnswer {
        ProbeAnswer {
            nonce,
            challenge: self.challenge,
            confirmed: self.confirmed,
        }
    }

    /// Counts what came from the address.
    pub(crate) fn received(&mut self, now: Duration, bytes: usize) {
        self.heard = now;
        self.received = self.received.saturating_add(bytes as u64);
    }

    /// Whether so many bytes may be sent to the address; counts them if so.
    pub(crate) fn may_send(&mut self, bytes: usize) -> bool {
        if self.confirmed {
            return true;
        }
        let sent = self.sent.saturating_add(bytes as u64);
        let may = sent <= self.received.saturating_mul(AMPLIFICATION);
        if may {
            self.sent = sent;
        }
        may
    }

    /// Whether it is confirmed and its client has been silent for too long.
    pub(crate) fn is_stale(&self, now: Duration) -> bool {
        self.confirmed && now.saturating_sub(self.heard) >= SILENCE
    }

    /// The answer to a probe from the address. A challenge of 0 is a probe without one, and is never given
    /// out.
    pub(crate) fn handle_probe(&mut self, probe: &Probe) -> ProbeAnswer {
        if probe.challenge == self.challenge {
            self.confirmed = true;
        }
        self.answer(probe.nonce)
    }
}
