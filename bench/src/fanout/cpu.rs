//! The processor time of a process, thread by thread.

use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

use anyhow::{Context, Result};

/// The time that each thread has run so far, user and system (`/proc/PID/task/TID/schedstat`, in nanoseconds).
pub(super) struct Times(BTreeMap<String, Duration>);

/// What a process used between two looks.
#[derive(Clone, Copy, Default, Debug)]
pub(super) struct Used {
    /// Its busiest thread: the one that sends.
    pub(super) busiest: Duration,
    /// All of it.
    pub(super) whole: Duration,
}

impl Times {
    pub(super) fn of(process: u32) -> Result<Self> {
        let mut times = BTreeMap::new();
        for thread in fs::read_dir(format!("/proc/{process}/task"))? {
            let thread = thread?;
            // One that has just ended is of no concern.
            let Ok(text) = fs::read_to_string(thread.path().join("schedstat")) else {
                continue;
            };
            let ran = text.split_whitespace().next().context("schedstat")?;
            times.insert(
                thread.file_name().to_string_lossy().into_owned(),
                Duration::from_nanos(ran.parse()?),
            );
        }
        Ok(Self(times))
    }

    pub(super) fn since(&self, before: &Self) -> Used {
        let mut used = Used::default();
        for (thread, ran) in &self.0 {
            let earlier = before.0.get(thread).copied().unwrap_or_default();
            let ran = ran.saturating_sub(earlier);
            used.busiest = used.busiest.max(ran);
            used.whole += ran;
        }
        used
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ones_own_work_is_seen() {
        let before = Times::of(std::process::id()).unwrap();
        let mut sum = 0_u64;
        for number in 0..20_000_000 {
            sum = std::hint::black_box(sum ^ number);
        }
        // A thread's time is brought up to date when it is taken off its processor, or by the next tick.
        std::thread::sleep(Duration::from_millis(5));
        let used = Times::of(std::process::id()).unwrap().since(&before);
        assert!(
            !used.busiest.is_zero() && used.busiest <= used.whole,
            "{used:?} {sum}"
        );
    }
}
