//! The processor time of a process, and on which processor who runs.

use std::time::Duration;

use anyhow::Result;
use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::time::clock_getcpuclockid;
use nix::unistd::Pid;

/// User and system time of a process so far, with that of threads that have ended (clock_getcpuclockid(3)).
pub(crate) fn used(process: u32) -> Result<Duration> {
    let clock = clock_getcpuclockid(Pid::from_raw(process.try_into()?))?;
    Ok(clock.now()?.into())
}

/// Two processors, where there are two: one for the servers, one for the load.
#[derive(Clone, Copy, Debug)]
pub(super) struct Processors {
    server: usize,
    load: usize,
}

impl Processors {
    pub(super) fn choose() -> Result<Option<Self>> {
        let allowed = sched_getaffinity(Pid::from_raw(0))?;
        let mut free = (0..CpuSet::count()).filter(|it| allowed.is_set(*it).unwrap_or(false));
        Ok(free
            .next()
            .zip(free.next())
            .map(|(server, load)| Self { server, load }))
    }

    /// What this thread starts from now on runs where servers do.
    pub(super) fn start_server(self) -> Result<()> {
        pin(self.server)
    }

    /// This thread is the load.
    pub(super) fn load(self) -> Result<()> {
        pin(self.load)
    }
}

fn pin(processor: usize) -> Result<()> {
    let mut only = CpuSet::new();
    only.set(processor)?;
    Ok(sched_setaffinity(Pid::from_raw(0), &only)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ones_own_work_is_seen() {
        let before = used(std::process::id()).unwrap();
        let mut sum = 0_u64;
        for number in 0..1_000_000 {
            sum = std::hint::black_box(sum ^ number);
        }
        assert!(used(std::process::id()).unwrap() > before, "{sum}");
    }
}
