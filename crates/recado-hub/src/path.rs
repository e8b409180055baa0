//! The address that a session's datagrams come from and go to: it moves only with an authenticated
//! newest datagram, and gets little until it has echoed a challenge.

use recado_proto::frame::{Probe, ProbeAnswer};

/// How many times what an address sent it may get before it has echoed a challenge (as RFC 9000 §8).
const AMPLIFICATION: u64 = 3;

/// A session's path. `A` is what the shell sends to.
#[derive(Debug)]
pub(crate) struct Path<A> {
    address: A,
    challenge: u64,
    confirmed: bool,
    received: u64,
    sent: u64,
}

impl<A: Copy + PartialEq> Path<A> {
    /// An address from which a datagram has just opened.
    pub(crate) fn new(address: A, challenge: u64) -> Self {
        Self {
            address,
            challenge,
            confirmed: false,
            received: 0,
            sent: 0,
        }
    }

    pub(crate) fn address(&self) -> A {
        self.address
    }

    /// Whether the address has proved that it receives.
    pub(crate) fn confirmed(&self) -> bool {
        self.confirmed
    }

    /// Counts what came from the address.
    pub(crate) fn received(&mut self, bytes: usize) {
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

    /// The answer to a probe from the address.
    pub(crate) fn handle_probe(&mut self, probe: &Probe) -> ProbeAnswer {
        // A challenge of 0 is a probe without one, and is never given out.
        if probe.challenge == self.challenge {
            self.confirmed = true;
        }
        ProbeAnswer {
            nonce: probe.nonce,
            challenge: self.challenge,
            confirmed: self.confirmed,
        }
    }
}
