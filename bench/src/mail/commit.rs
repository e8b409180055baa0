//! What one commit costs on this disk.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::Instant;

use anyhow::Result;

use super::cpu;

/// A page of a database.
const PAGE: usize = 4096;

/// Pages of the file, which is written over from its beginning to its end, as a write-ahead log is.
const PAGES: u64 = 1024;

const COMMITS: u32 = 500;

/// Microseconds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Commit {
    /// Processor time.
    pub(super) cpu: f64,
    pub(super) elapsed: f64,
}

/// The mean of some hundred: a page is written and synced.
pub(super) fn measure(folder: &Path) -> Result<Commit> {
    let file = File::create(folder.join("commits"))?;
    let page = [0x2a; PAGE];
    for at in 0..PAGES {
        file.write_all_at(&page, at * PAGE as u64)?;
    }
    file.sync_all()?;
    let (used, began) = (cpu::used(std::process::id())?, Instant::now());
    for commit in 0..COMMITS {
        file.write_all_at(&page, u64::from(commit) % PAGES * PAGE as u64)?;
        file.sync_data()?;
    }
    let each = |seconds: f64| seconds * 1e6 / f64::from(COMMITS);
    Ok(Commit {
        elapsed: each(began.elapsed().as_secs_f64()),
        cpu: each((cpu::used(std::process::id())? - used).as_secs_f64()),
    })
}
