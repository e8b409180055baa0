//! Writing to stdout and stderr: whole lines, flushed, and quiet when nobody reads.

use std::io::{self, Write};

/// Writes a line to stdout.
///
/// # Errors
/// Nobody reads any more, or the disk is full.
pub(crate) fn say(line: &str) -> io::Result<()> {
    write_line(io::stdout().lock(), line)
}

/// Tells the person something on stderr. If nobody reads there, nobody is told.
pub(crate) fn tell(text: &str) {
    let _ = write_line(io::stderr().lock(), text);
}

/// Tells of an error on stderr.
pub(crate) fn complain(text: &str) {
    tell(text);
}

fn write_line(mut out: impl Write, line: &str) -> io::Result<()> {
    // One write, so that lines of several processes do not mix.
    let mut bytes = Vec::with_capacity(line.len() + 1);
    bytes.extend_from_slice(line.as_bytes());
    bytes.push(b'\n');
    out.write_all(&bytes)?;
    out.flush()
}
