//! The datagram link: whether datagrams pass, in each direction by itself, found out by probing.
//!
//! A probe is answered by datagram, which proves both directions; where it asks for a report, a frame says
//! that it came, which proves the one. Whenever something that went by datagram did not come, both directions
//! are *in doubt*, each until something passes it that was sent since; what passes none until a deadline is
//! blocked. While anything is in doubt, probes go in a burst. While a direction is blocked, it is tried again,
//! ever more rarely.

use std::collections::VecDeque;
use std::time::Duration;

use recado_proto::frame::{Probe, ProbeAnswer};

use crate::event::LinkMeasurement;
use crate::measurement::{Fate, Measurement};

/// How long both directions are in doubt at the beginning; then messages go over TCP until a later probe passes.
const FIRST_DOUBT: Duration = Duration::from_secs(1);

/// The same later on. Together with the wait for what did not come, a block is noticed within a second.
const LATER_DOUBT: Duration = Duration::from_millis(500);

/// Probes from the beginning of a doubt to its end. Where half of all datagrams are lost, ten probes all fail to reach
/// the server once in 1,000 times.
const PROBES_A_DOUBT: u32 = 10;

/// Times after the first probes of a session, before they go at their usual pace: the very first may overtake, at the
/// server, the word that opens its session, and a person waits for the answer.
const EARLY: [Duration; 3] = [
    Duration::from_millis(3),
    Duration::from_millis(10),
    Duration::from_millis(30),
];

/// The least time between probes that answers call for, so that a NAT that changes its mind with each datagram
/// cannot make both sides play ping-pong.
const CALLED_INTERVAL: Duration = Duration::from_millis(50);

/// Probes that answers may call for, one after the other: a new challenge is echoed, and once more should the address
/// have moved meanwhile.
const MAX_CALLED: u32 = 2;

/// Time between probes while the link is open: below the 30 s after which many NATs forget a UDP binding (RFC
/// 4787 §4.3 asks for two minutes), and a third of the time after which the server gives a silent path up.
const KEEP_OPEN: Duration = Duration::from_secs(15);

/// How long such a probe may go without an answer before the link is in doubt.
const ANSWER_TIME: Duration = Duration::from_millis(500);

/// The first time between attempts while a direction is blocked; it doubles, up to [`KEEP_OPEN`].
const FIRST_RETRY: Duration = Duration::from_secs(1);

/// Probes whose time is remembered for their answers.
const MAX_REMEMBERED: usize = 32;

/// The way in one direction.
#[derive(Debug)]
struct Direction {
    /// Whether datagrams pass, as far as is known.
    passes: bool,
    /// Whether that is in doubt.
    doubt: Option<Doubt>,
}

/// Something did not come.
#[derive(Clone, Copy, Debug)]
struct Doubt {
    /// What was sent before says nothing of now.
    since: Duration,
    /// What has not passed by then is blocked.
    until: Duration,
}

impl Direction {
    /// Begins to doubt a direction that is thought to be open, unless it is in doubt already and will be judged sooner.
    fn suspect(&mut self, doubt: Doubt) {
        if self.passes && self.doubt.is_none() {
            self.doubt = Some(doubt);
        }
    }

    /// Whether what was sent at this time says something of now.
    fn is_evidence(&self, sent: Duration) -> bool {
        self.doubt.is_none_or(|doubt| doubt.since <= sent)
    }

    fn open(&mut self) {
        self.passes = true;
        self.doubt = None;
    }

    /// Ends a doubt that is due. Whether the direction was thought to be open until now.
    fn decide(&mut self, now: Duration) -> bool {
        if self.doubt.is_none_or(|doubt| now < doubt.until) {
            return false;
        }
        self.doubt = None;
        std::mem::take(&mut self.passes)
    }
}

/// The link as the client knows it.
#[derive(Debug)]
pub(crate) struct Link {
    /// To the server.
    up: Direction,
    /// From the server.
    down: Direction,
    /// Time between probes while anything is in doubt.
    pace: Duration,
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
    /// Nothing has answered the probe that keeps the link open.
    unanswered: bool,
    /// Time to the next attempt while a direction is blocked.
    retry: Duration,
    /// The latest probes: nonce and time.
    sent: VecDeque<(u64, Duration)>,
    probes: u64,
    answers: u64,
    rtt: Option<Duration>,
    measurement: Option<Measurement>,
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
    /// A measurement is over.
    pub(crate) measured: Option<LinkMeasurement>,
}

impl Link {
    /// A link that is in doubt from now on.
    pub(crate) fn new(now: Duration) -> Self {
        let in_doubt = || Direction {
            passes: false,
            doubt: Some(Doubt {
                since: now,
                until: now.saturating_add(FIRST_DOUBT),
            }),
        };
        Self {
            up: in_doubt(),
            down: in_doubt(),
            pace: pace(FIRST_DOUBT),
            nonce: 0,
            challenge: 0,
            next_probe: now,
            next_called: now,
            called: 0,
            confirmed: false,
            unanswered: false,
            retry: FIRST_RETRY,
            sent: VecDeque::new(),
            probes: 0,
            answers: 0,
            rtt: None,
            measurement: None,
        }
    }

    /// Whether datagrams reach the server.
    pub(crate) fn up(&self) -> bool {
        self.up.passes
    }

    /// Whether datagrams from the server come.
    pub(crate) fn down(&self) -> bool {
        self.down.passes
    }

    /// Whether the first doubt is over.
    pub(crate) fn is_decided(&self) -> bool {
        !self.is_in_doubt() || self.is_open()
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
        let doubts = [&self.up, &self.down].into_iter().filter_map(|it| it.doubt);
        let measurement = self.measurement.iter().map(Measurement::due);
        let due = doubts.map(|doubt| doubt.until).chain(measurement);
        due.fold(self.next_probe, Duration::min)
    }

    /// Measures how many datagrams pass, beside all else.
    pub(crate) fn measure(&mut self, now: Duration) {
        self.measurement
            .get_or_insert_with(|| Measurement::new(now));
    }

    /// Something that went by datagram did not come: probes find out why.
    pub(crate) fn suspect(&mut self, now: Duration) {
        let probing = self.is_in_doubt();
        // Long enough for an answer also on a slow link.
        let round_trips = self.rtt.unwrap_or_default().saturating_mul(2);
        let length = LATER_DOUBT.max(round_trips);
        let doubt = Doubt {
            since: now,
            until: now.saturating_add(length),
        };
        self.up.suspect(doubt);
        self.down.suspect(doubt);
        if !probing && self.is_in_doubt() {
            self.pace = pace(length);
            self.next_probe = now;
        }
    }

    /// Does what is due.
    pub(crate) fn handle_timeout(&mut self, now: Duration) -> Step {
        let mut step = Step::default();
        let in_doubt = self.is_in_doubt();
        self.up.decide(now);
        // A server that does not count on the path any more need not be told.
        step.lost = self.down.decide(now) && self.confirmed;
        if in_doubt && !self.is_in_doubt() {
            self.settle(now);
        } else if self.next_probe <= now {
            if self.unanswered && self.is_open() {
                self.suspect(now);
            }
            // Should none of the probes arrive, their answers say nothing of the other direction.
            step.ask = self.down.passes && self.down.doubt.is_some();
            self.called = 0;
            step.probe = Some(self.probe(now));
        } else if self
            .measurement
            .as_ref()
            .is_some_and(|it| it.wants_probe(now))
        {
            let patience = self.answer_time();
            let probe = self.make_probe(now, true);
            if let Some(measurement) = &mut self.measurement {
                measurement.sent(now, probe.nonce, patience);
            }
            step.probe = Some(probe);
        }
        let rtt = self.rtt;
        step.measured = self.measurement.as_ref().and_then(|it| it.result(now, rtt));
        if step.measured.is_some() {
            self.measurement = None;
        }
        step
    }

    /// A datagram from the server has opened.
    pub(crate) fn handle_datagram(&mut self, now: Duration) {
        // Until the path is confirmed, only the answer that says so says anything.
        if self.confirmed && self.down.doubt.take().is_some() && !self.is_in_doubt() {
            self.settle(now);
        }
    }

    /// The server says that a probe came.
    pub(crate) fn handle_heard(&mut self, now: Duration, nonce: u64) {
        if let Some(measurement) = &mut self.measurement {
            measurement.note(nonce, Fate::Heard);
        }
        let sent = self.sent.iter().find(|(sent, _)| *sent == nonce);
        if sent.is_some_and(|(_, sent)| self.up.is_evidence(*sent)) {
            self.hear_up(now);
        }
    }

    /// Takes an answer; what it asks for is to be sent now.
    pub(crate) fn handle_answer(&mut self, now: Duration, answer: ProbeAnswer) -> Option<Probe> {
        // Asked for by frame: it has been heard, and says nothing else.
        if answer.nonce == 0 {
            return None;
        }
        if let Some(measurement) = &mut self.measurement {
            measurement.note(answer.nonce, Fate::Answered);
        }
        let at = self
            .sent
            .iter()
            .position(|(nonce, _)| *nonce == answer.nonce);
        // An answer to what was never asked, or was answered before, says nothing of now.
        let (_, sent) = at.and_then(|at| self.sent.remove(at))?;
        self.answers = self.answers.saturating_add(1);
        self.note_round_trip(now.saturating_sub(sent));
        if !(self.up.is_evidence(sent) && self.down.is_evidence(sent)) {
            return None;
        }
        self.unanswered = false;
        self.hear_up(now);
        if answer.confirmed {
            self.confirmed = true;
            self.down.open();
            self.settle(now);
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
        if let Some(doubt) = &mut self.down.doubt {
            // What was sent before does not confirm it again.
            doubt.since = now;
        }
    }

    fn is_open(&self) -> bool {
        self.up.passes && self.down.passes
    }

    fn is_in_doubt(&self) -> bool {
        self.up.doubt.is_some() || self.down.doubt.is_some()
    }

    fn hear_up(&mut self, now: Duration) {
        let in_doubt = self.is_in_doubt();
        self.up.open();
        if in_doubt && !self.is_in_doubt() {
            self.settle(now);
        }
    }

    /// Nothing is in doubt any more.
    fn settle(&mut self, now: Duration) {
        self.unanswered = false;
        self.retry = FIRST_RETRY;
        let wait = match self.is_open() {
            true => KEEP_OPEN,
            false => FIRST_RETRY,
        };
        self.next_probe = now.saturating_add(wait);
    }

    /// How long an answer may take.
    fn answer_time(&self) -> Duration {
        ANSWER_TIME.max(self.rtt.unwrap_or_default().saturating_mul(2))
    }

    fn probe(&mut self, now: Duration) -> Probe {
        let (open, in_doubt) = (self.is_open(), self.is_in_doubt());
        let early = usize::try_from(self.probes).ok();
        let early = early.and_then(|probes| EARLY.get(probes));
        let interval = if in_doubt {
            early.copied().unwrap_or(self.pace)
        } else if open {
            self.unanswered = true;
            self.answer_time()
        } else {
            self.retry = self.retry.saturating_mul(2).min(KEEP_OPEN);
            self.retry
        };
        self.next_probe = now.saturating_add(interval);
        // A probe that only keeps the way open needs no frame.
        self.make_probe(now, in_doubt || !open)
    }

    fn make_probe(&mut self, now: Duration, report: bool) -> Probe {
        self.probes = self.probes.saturating_add(1);
        self.nonce = self.nonce.wrapping_add(1);
        if self.sent.len() >= MAX_REMEMBERED {
            self.sent.pop_front();
        }
        self.sent.push_back((self.nonce, now));
        Probe {
            nonce: self.nonce,
            challenge: self.challenge,
            report,
        }
    }

    fn note_round_trip(&mut self, sample: Duration) {
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

/// Time between the probes of a doubt that lasts so long.
fn pace(length: Duration) -> Duration {
    length.checked_div(PROBES_A_DOUBT).unwrap_or(length)
}
