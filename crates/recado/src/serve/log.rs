//! Logs: on stderr, for people, for programs, or for systemd's journal.

use std::io::{self, Stderr, Write};

use tracing::{Level, Metadata};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::fmt::MakeWriter;

use crate::cli::LogFormat;
use crate::context::Context;

/// Logs go to stderr: `info` and above, or as `RECADO_LOG` says (as `recado_server=debug`). Where that is the journal,
/// each line has its priority in front, and no time: the journal has its own.
pub(super) fn start(context: &Context, format: LogFormat) {
    let filter = EnvFilter::builder()
        .with_default_directive(LevelFilter::INFO.into())
        .with_env_var("RECADO_LOG")
        .from_env_lossy();
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_target(false);
    match format {
        LogFormat::Text if is_journal() => log
            .with_writer(Journal)
            .without_time()
            .with_level(false)
            .with_ansi(false)
            .init(),
        LogFormat::Text => log
            .with_writer(io::stderr)
            .with_ansi(context.color_on_stderr())
            .init(),
        LogFormat::Json => log
            .with_writer(io::stderr)
            .json()
            .flatten_event(true)
            .init(),
    }
}

/// Whether stderr is the journal itself: systemd names its device and its inode.
fn is_journal() -> bool {
    #[cfg(unix)]
    {
        use std::os::fd::AsFd;

        let Ok(named) = std::env::var("JOURNAL_STREAM") else {
            return false;
        };
        let stat = nix::sys::stat::fstat(io::stderr().as_fd());
        stat.is_ok_and(|stat| named == format!("{}:{}", stat.st_dev, stat.st_ino))
    }
    #[cfg(not(unix))]
    {
        false
    }
}

/// Writes lines with their priority, as `sd-daemon(3)` has it.
struct Journal;

impl<'a> MakeWriter<'a> for Journal {
    type Writer = Prefixed<Stderr>;

    fn make_writer(&'a self) -> Self::Writer {
        Prefixed::new(io::stderr(), Level::INFO)
    }

    fn make_writer_for(&'a self, metadata: &Metadata<'_>) -> Self::Writer {
        Prefixed::new(io::stderr(), *metadata.level())
    }
}

struct Prefixed<W> {
    out: W,
    prefix: &'static [u8],
}

impl<W: Write> Prefixed<W> {
    fn new(out: W, level: Level) -> Self {
        let prefix: &[u8] = match level {
            Level::ERROR => b"<3>",
            Level::WARN => b"<4>",
            Level::INFO => b"<6>",
            Level::DEBUG | Level::TRACE => b"<7>",
        };
        Self { out, prefix }
    }
}

impl<W: Write> Write for Prefixed<W> {
    /// An event comes as one write: a line, or several, each of which gets the priority.
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        let mut lines = Vec::with_capacity(event.len() + self.prefix.len());
        for line in event.split_inclusive(|byte| *byte == b'\n') {
            lines.extend_from_slice(self.prefix);
            lines.extend_from_slice(line);
        }
        self.out.write_all(&lines)?;
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_has_its_priority() {
        let mut out = Vec::new();
        let mut writer = Prefixed::new(&mut out, Level::WARN);
        writer.write_all(b" one: a=1\n two\n").unwrap();
        assert_eq!(out, b"<4> one: a=1\n<4> two\n");
    }
}
