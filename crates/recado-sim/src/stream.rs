//! The way of frames in one direction: a TCP connection, reliable and in order, that may stand still.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;

use crate::random::Random;

/// How long bytes are on the way.
#[derive(Clone, Copy, Debug)]
pub struct StreamModel {
    /// At least.
    pub latency: Duration,
    /// What may come on top; whoever comes later waits for who was sent earlier.
    pub jitter: Duration,
}

impl StreamModel {
    /// A quiet network at home.
    pub const QUIET: Self = Self {
        latency: Duration::from_millis(5),
        jitter: Duration::ZERO,
    };
}

/// One direction of a connection.
#[derive(Debug)]
pub(crate) struct Stream {
    pub(crate) model: StreamModel,
    stalled: bool,
    last: Duration,
    waiting: VecDeque<(Duration, Bytes)>,
    bytes: usize,
}

impl Stream {
    pub(crate) fn new(model: StreamModel) -> Self {
        Self {
            model,
            stalled: false,
            last: Duration::ZERO,
            waiting: VecDeque::new(),
            bytes: 0,
        }
    }

    /// Takes bytes, and says when they arrive if the stream moves.
    pub(crate) fn send(&mut self, now: Duration, random: &mut Random, bytes: Bytes) -> Duration {
        let arrives = now + self.model.latency + random.up_to(self.model.jitter);
        self.last = self.last.max(arrives);
        self.bytes += bytes.len();
        self.waiting.push_back((self.last, bytes));
        self.last
    }

    /// What has arrived by now, next in order.
    pub(crate) fn receive(&mut self, now: Duration) -> Option<Bytes> {
        let (at, _) = self.waiting.front()?;
        if self.stalled || *at > now {
            return None;
        }
        let (_, bytes) = self.waiting.pop_front()?;
        self.bytes -= bytes.len();
        Some(bytes)
    }

    pub(crate) fn stall(&mut self) {
        self.stalled = true;
    }

    /// Lets the stream move again, and says when what waited arrives.
    pub(crate) fn release(&mut self, now: Duration) -> Duration {
        self.stalled = false;
        let arrives = now + self.model.latency;
        for (at, _) in &mut self.waiting {
            *at = arrives.max(*at);
        }
        self.last = self.last.max(arrives);
        arrives
    }

    /// What waits because the stream stands still: frames, bytes.
    pub(crate) fn backlog(&self) -> (usize, usize) {
        if self.stalled {
            (self.waiting.len(), self.bytes)
        } else {
            (0, 0)
        }
    }

    pub(crate) fn clear(&mut self) {
        self.waiting.clear();
        self.bytes = 0;
    }
}
