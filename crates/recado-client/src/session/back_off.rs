//! How long to wait before the next attempt to reach a server that is gone.

use std::time::Duration;

/// After the first loss: a server that is restarted is soon back.
const LEAST: Duration = Duration::from_millis(200);

/// At most, so that a network that returns is noticed.
pub(super) const MOST: Duration = Duration::from_secs(10);

/// Waits that double, each shortened at random so that a class does not come back at the same moment.
#[derive(Debug)]
pub(super) struct BackOff {
    next: Duration,
}

impl BackOff {
    pub(super) fn new() -> Self {
        Self { next: LEAST }
    }

    /// The next wait: between half of it and the whole, as `random` says.
    pub(super) fn wait(&mut self, random: u8) -> Duration {
        let whole = self.next;
        self.next = (whole * 2).min(MOST);
        whole / 2 + whole / 2 * u32::from(random) / u32::from(u8::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_most() {
        let mut back_off = BackOff::new();
        let whole: Vec<u128> = (0..8).map(|_| back_off.wait(u8::MAX).as_millis()).collect();
        assert_eq!(whole, [200, 400, 800, 1600, 3200, 6400, 10_000, 10_000]);
        assert_eq!(back_off.wait(0), MOST / 2);
    }
}
