//! The datagram link: whether datagrams pass, in each direction by itself, found out by probing.
//!
//! A probe is answered by datagram, which proves both directions; where it asks for a report, a frame says
//! that it came, which proves the one. A *burst* of probes decides: at the beginning, and whenever something
//! that went by datagram did not come. While a direction is blocked, it is tried again, ever more rarely.

use std::collections::VecDeque;
use std::time::Duration;

use recado_proto::frame::{Probe, ProbeAnswer};

/// The first burst: ten probes in a second, after which messages go over TCP until a later probe passes.
const FIRST_BURST: Burst = Burst {
    interval: Duration::from_millis(100),
    length: Duration::from_secs(1),
};

/// Later bursts: ten probes in half a second. Together with the wait for what did not come, a block is noticed
/// within a second; where half of all datagrams are lost, ten probes all go without an answer once in 18 times.
const LATER_BURST: Burst = Burst {
    interval: Duration::from_millis(50),
    length: Duration::from_millis(500),
};

/// The least time between probes that answers call for, so that a NAT that changes its mind with each datagram
/// cannot make both sides play ping-pong.
const CALLED_INTERVAL: Duration = Duration::from_millis(50);

/// Probes that answers may call for, one after the other: a new challenge is echoed, and once more should the address
/// have moved meanwhile.
const MAX_CALLED: u32 = 2;

/// Time between probes while the link is open: below the 30 s after which many NATs forget a UDP binding (RFC
/// 4787 §4.3 asks for two minutes), and a third of the time after which the server gives a silent path up.
const KEEP_OPEN: Duration = Duration::from_secs(15);

/// How long such a probe may go without an answer before a burst decides.
const ANSWER_TIME: Duration = Duration::from_millis(500);

/// The first time between attempts while a direction is blocked; it doubles, up to [`KEEP_OPEN`].
const FIRST_RETRY: Duration = Duration::from_secs(1);

/// Probes whose time is remembered for their answers.
const MAX_REMEMBERED: usize = 32;

/// How a burst goes.
#[derive(Clone, Copy, Debug)]
struct Burst {
    interval: Duration,
    length: Duration,
}

/// The link as the client knows it.
#[derive(Debug)]
pub(crate) struct Link {
    /// To the server.
    up: bool,
    /// From the server.
    down: bool,
    /// The burst under way, and when it decides.
    burst: Option<(Burst, Duration)>,
    /// What was heard since the burst began.
    heard: Heard,
    nonce: u64,
    /// The last challenge; 0 before the first.
    challenge: u64,
    next_probe: Duration,
    /// Before this, an answer calls for no probe.
    next_called: Duration,
    /// Probes that answers called for since the last that came by itself.
    called: u32,
    /// The server takes our address as the session's, as far as it has said.
    confirmed: bool,
    /// Time to the next attempt while a direction is blocked.
    retry: Duration,
    /// The latest probes: nonce and time.
    sent: VecDeque<(u64, Duration)>,
    probes: u64,
    answers: u64,
    rtt: Option<Duration>,
}

#[derive(Debug, Default, Clone, Copy)]
struct Heard {
    /// A probe reached the server.
    report: bool,
    /// A datagram came from the server.
    datagram: bool,
}

/// What a step of the link asks for.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Step {
    /// Send this.
    pub(crate) probe: Option<Probe>,
    /// Tell the server, by frame, that its datagrams do not arrive.
    pub(crate) lost: bool,
    /// Ask, by frame, for a datagram.
    pub(crate) ask: bool,
}

impl Link {
    /// A link whose first burst begins now.
    pub(crate) fn new(now: Duration) -> Self {
        Self {
            up: false,
            down: false,
            burst: Some((FIRST_BURST, now.saturating_add(FIRST_BURST.length))),
            heard: Heard::default(),
            nonce: 0,
            challenge: 0,
            next_probe: now,
            next_called: now,
            called: 0,
            confirmed: false,
            retry: FIRST_RETRY,
            sent: VecDeque::new(),
            probes: 0,
            answers: 0,
            rtt: None,
        }
    }

    /// Whether datagrams reach the server.
    pub(crate) fn up(&self) -> bool {
        self.up
    }

    /// Whether datagrams from the server come.
    pub(crate) fn down(&self) -> bool {
        self.down
    }

    /// Whether the first burst has decided.
    pub(crate) fn is_decided(&self) -> bool {
        self.burst.is_none() || self.up && self.down
    }

    /// The smoothed round-trip time (RFC 6298 §2).
    pub(crate) fn rtt(&self) -> Option<Duration> {
        self.rtt
    }

    /// Probes sent, and answers to them that came.
    pub(crate) fn probes(&self) -> (u64, u64) {
        (self.probes, self.answers)
    }

    /// When [`handle_timeout`](Self::handle_timeout) is due.
    pub(crate) fn deadline(&self) -> Duration {
        match self.burst {
            Some((_, decides)) => self.next_probe.min(decides),
            None => self.next_probe,
        }
    }

    /// Something that went by datagram did not come: a burst finds out why, unless one is under way.
    pub(crate) fn suspect(&mut self, now: Duration) {
        if self.burst.is_none() && (self.up || self.down) {
            self.begin_burst(now);
        }
    }

    /// Does what is due.
    pub(crate) fn handle_timeout(&mut self, now: Duration) -> Step {
        let mut step = Step::default();
        if let Some((_, decides)) = self.burst
            && decides <= now
        {
            self.burst = None;
            step.lost = self.down && self.confirmed && !self.heard.datagram;
            self.up = self.heard.report;
            self.down &= self.heard.datagram && self.confirmed;
            self.retry = FIRST_RETRY;
            self.next_probe = now.saturating_add(self.retry);
        } else if self.next_probe <= now {
            if self.burst.is_none() && self.up && self.down && self.unanswered(now) {
                self.begin_burst(now);
            }
            // Should none of the probes arrive, their answers say nothing of the other direction.
            step.ask = self.burst.is_some() && self.down;
            self.called = 0;
            step.probe = Some(self.probe(now));
        }
        step
    }

    /// A datagram from the server has opened.
    pub(crate) fn handle_datagram(&mut self) {
        self.heard.datagram = true;
    }

    /// The server says that a probe came.
    pub(crate) fn handle_heard(&mut self, nonce: u64) {
        // One from before the burst says nothing of now.
        if nonce <= self.nonce && self.sent.iter().any(|(sent, _)| *sent == nonce) {
            self.heard.report = true;
            self.up = true;
        }
    }

    /// Takes an answer; what it asks for is to be sent now.
    pub(crate) fn handle_answer(&mut self, now: Duration, answer: ProbeAnswer) -> Option<Probe> {
        // Asked for by frame: it has been heard, and says nothing else.
        if answer.nonce == 0 {
            return None;
        }
        let at = self
            .sent
            .iter()
            .position(|(nonce, _)| *nonce == answer.nonce);
        // An answer to what was never asked, or was answered before, says nothing of now.
        let (_, sent) = at.and_then(|at| self.sent.remove(at))?;
        self.answers = self.answers.saturating_add(1);
        self.measure(now.saturating_sub(sent));
        self.heard.report = true;
        self.up = true;
        if answer.confirmed {
            (self.up, self.down) = (true, true);
            self.confirmed = true;
            self.burst = None;
            self.retry = FIRST_RETRY;
            self.next_probe = now.saturating_add(KEEP_OPEN);
            return None;
        }
        if answer.challenge == self.challenge {
            // Its echo is on its way.
            return None;
        }
        self.challenge = answer.challenge;
        if self.called >= MAX_CALLED {
            return None;
        }
        if now < self.next_called {
            self.next_probe = self.next_probe.min(self.next_called);
            return None;
        }
        self.next_called = now.saturating_add(CALLED_INTERVAL);
        self.called = self.called.saturating_add(1);
        Some(self.probe(now))
    }

    /// The server has given the path up: it sends no datagrams until it is confirmed again.
    pub(crate) fn handle_unconfirmed(&mut self, now: Duration) {
        // Mostly it is confirmed again a moment later, and nobody need hear of it.
        self.confirmed = false;
        self.suspect(now);
    }

    fn begin_burst(&mut self, now: Duration) {
        // Long enough for an answer also on a slow link.
        let round_trips = self.rtt.unwrap_or_default().saturating_mul(2);
        let length = LATER_BURST.length.max(round_trips);
        self.burst = Some((LATER_BURST, now.saturating_add(length)));
        self.heard = Heard::default();
        self.sent.clear();
        self.next_probe = now;
    }

    /// Whether the last probe was due for an answer.
    fn unanswered(&self, now: Duration) -> bool {
        let last = self.sent.back().filter(|(nonce, _)| *nonce == self.nonce);
        last.is_some_and(|(_, sent)| now.saturating_sub(*sent) >= self.answer_time())
    }

    /// How long an answer may take.
    fn answer_time(&self) -> Duration {
        ANSWER_TIME.max(self.rtt.unwrap_or_default().saturating_mul(2))
    }

    fn probe(&mut self, now: Duration) -> Probe {
        let open = self.up && self.down;
        let interval = match self.burst {
            Some((burst, _)) => burst.interval,
            None if open => self.answer_time(),
            None => {
                self.retry = self.retry.saturating_mul(2).min(KEEP_OPEN);
                self.retry
            }
        };
        self.next_probe = now.saturating_add(interval);
        self.probes = self.probes.saturating_add(1);
        self.nonce = self.nonce.wrapping_add(1);
        if self.sent.len() >= MAX_REMEMBERED {
            self.sent.pop_front();
        }
        self.sent.push_back((self.nonce, now));
        Probe {
            nonce: self.nonce,
            challenge: self.challenge,
            // A probe that only keeps the way open needs no frame.
            report: self.burst.is_some() || !open,
        }
    }

    fn measure(&mut self, sample: Duration) {
        self.rtt = Some(match self.rtt {
            None => sample,
            Some(rtt) => rtt
                .saturating_mul(7)
                .saturating_add(sample)
                .checked_div(8)
                .unwrap_or(sample),
        });
    }
}
