//! Whether the other end of the connection is there: an answer says so, not an open socket.

use std::time::Duration;

/// Silence after which the server is asked, while nothing is waited for.
const IDLE: Duration = Duration::from_secs(10);

/// The same, while something is not acknowledged: longer than a commit on a slow disk.
const WAITING: Duration = Duration::from_secs(3);

/// Time for the answer: a few round trips of a bad line.
const ANSWER: Duration = Duration::from_secs(5);

/// When something last came from the server.
pub(crate) struct Liveness {
    heard: Duration,
    asked: Option<Duration>,
}

/// What is due.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Due {
    Nothing,
    /// Ask.
    Ping,
    /// There was no answer.
    Lost,
}

impl Liveness {
    pub(crate) fn new(now: Duration) -> Self {
        Self {
            heard: now,
            asked: None,
        }
    }

    pub(crate) fn handle_heard(&mut self, now: Duration) {
        self.heard = now;
        self.asked = None;
    }

    pub(crate) fn deadline(&self, waiting: bool) -> Duration {
        match self.asked {
            Some(asked) => asked.saturating_add(ANSWER),
            None => self
                .heard
                .saturating_add(if waiting { WAITING } else { IDLE }),
        }
    }

    pub(crate) fn handle_timeout(&mut self, now: Duration, waiting: bool) -> Due {
        if now < self.deadline(waiting) {
            return Due::Nothing;
        }
        if self.asked.is_some() {
            return Due::Lost;
        }
        self.asked = Some(now);
        Due::Ping
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn silence_is_asked_about_and_then_an_end() {
        let mut liveness = Liveness::new(SECOND);
        assert_eq!(liveness.handle_timeout(10 * SECOND, false), Due::Nothing);
        assert_eq!(liveness.handle_timeout(11 * SECOND, false), Due::Ping);
        assert_eq!(liveness.handle_timeout(15 * SECOND, false), Due::Nothing);
        assert_eq!(liveness.handle_timeout(16 * SECOND, false), Due::Lost);
    }

    #[test]
    fn what_waits_asks_sooner_and_a_word_is_enough() {
        let mut liveness = Liveness::new(SECOND);
        assert_eq!(liveness.handle_timeout(4 * SECOND, true), Due::Ping);
        liveness.handle_heard(5 * SECOND);
        assert_eq!(liveness.handle_timeout(7 * SECOND, true), Due::Nothing);
        assert_eq!(liveness.deadline(false), 15 * SECOND);
    }
}
