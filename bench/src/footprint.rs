//! The memory of a process and of those it has started.

use std::collections::VecDeque;
use std::fs;
use std::ops::AddAssign;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use tokio::time::{Instant, sleep};

/// Time between two looks at a process that is to settle.
const INTERVAL: Duration = Duration::from_millis(500);

/// Looks that must agree: three seconds, so that what servers do every second has shown.
const LOOKS: usize = 7;

/// Bytes by which they may differ.
const TOLERANCE: u64 = 128 * 1024;

/// How long a process may take to settle.
const PATIENCE: Duration = Duration::from_secs(120);

/// Bytes of memory, as `/proc/PID/smaps_rollup` counts them (proc(5)).
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub(crate) struct Footprint {
    /// All pages that are in memory.
    pub(crate) resident: u64,
    /// The same, with each shared page divided by those who share it.
    pub(crate) proportional: u64,
    /// Pages that the process has written and has alone.
    pub(crate) private_dirty: u64,
}

impl Footprint {
    /// Of a process and its descendants, now.
    pub(crate) fn read(process: u32) -> Result<Self> {
        let mut sum = Self::default();
        for process in family(process) {
            let path = format!("/proc/{process}/smaps_rollup");
            sum += Self::parse(&fs::read_to_string(&path).context(path)?)?;
        }
        Ok(sum)
    }

    /// Waits until the resident memory of a process and its descendants stands still.
    pub(crate) async fn settled(process: u32) -> Result<Self> {
        let end = Instant::now() + PATIENCE;
        let mut looks = VecDeque::new();
        while Instant::now() < end {
            let look = Self::read(process)?;
            looks.push_back(look.resident);
            if looks.len() > LOOKS {
                looks.pop_front();
            }
            let spread = looks.iter().max().zip(looks.iter().min());
            if looks.len() == LOOKS && spread.is_some_and(|(most, least)| most - least <= TOLERANCE)
            {
                return Ok(look);
            }
            sleep(INTERVAL).await;
        }
        bail!("its memory does not stand still");
    }

    fn parse(rollup: &str) -> Result<Self> {
        let field = |name: &str| -> Result<u64> {
            let kib = rollup
                .lines()
                .filter_map(|line| line.split_once(':'))
                .find(|(field, _)| *field == name)
                .and_then(|(_, value)| value.trim().strip_suffix(" kB")?.parse::<u64>().ok());
            Ok(kib.with_context(|| format!("smaps_rollup without {name}"))? * 1024)
        };
        Ok(Self {
            resident: field("Rss")?,
            proportional: field("Pss")?,
            private_dirty: field("Private_Dirty")?,
        })
    }
}

impl AddAssign for Footprint {
    fn add_assign(&mut self, other: Self) {
        self.resident += other.resident;
        self.proportional += other.proportional;
        self.private_dirty += other.private_dirty;
    }
}

/// A process and its descendants.
pub(crate) fn family(process: u32) -> Vec<u32> {
    let mut family = vec![process];
    let mut at = 0;
    while let Some(process) = family.get(at).copied() {
        at += 1;
        let threads = fs::read_dir(format!("/proc/{process}/task"));
        for thread in threads.into_iter().flatten().flatten() {
            let children = fs::read_to_string(thread.path().join("children")).unwrap_or_default();
            family.extend(children.split_whitespace().flat_map(str::parse::<u32>));
        }
    }
    family
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rollup_is_read_in_bytes() {
        let rollup = "00400000-7ffd3000 ---p 00000000 00:00 0    [rollup]\n\
            Rss:                8192 kB\nPss:                4096 kB\nPss_Dirty:          1024 kB\n\
            Private_Dirty:         4 kB\n";
        let expected = Footprint {
            resident: 8 << 20,
            proportional: 4 << 20,
            private_dirty: 4096,
        };
        assert_eq!(Footprint::parse(rollup).unwrap(), expected);
        assert!(Footprint::parse("Rss: 1 kB\n").is_err());
    }

    #[test]
    fn ones_own_memory_can_be_read() {
        let own = Footprint::read(std::process::id()).unwrap();
        assert!(own.resident >= own.private_dirty && own.private_dirty > 0);
    }
}
