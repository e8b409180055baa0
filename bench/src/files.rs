//! How many files this process, and the servers it starts, may have open: each session is one or two.

use anyhow::{Result, ensure};
use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// Files that are not sessions.
const RESERVED: u64 = 256;

/// Asks for so many files on top of what a process has anyway.
pub(crate) fn allow(files: u64) -> Result<()> {
    let wanted = files.saturating_add(RESERVED);
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    ensure!(
        hard >= wanted,
        "{wanted} open files are needed and {hard} allowed; ask for fewer sessions, or raise the hard \
         limit (`ulimit -Hn`)"
    );
    if soft < wanted {
        setrlimit(Resource::RLIMIT_NOFILE, wanted, hard)?;
    }
    Ok(())
}
