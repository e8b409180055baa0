//! What a process writes, line by line, as it comes.

use std::io::{BufRead, BufReader, Read};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Arc, Mutex};
use std::thread;

use super::PATIENCE;

/// Everything that a process has written so far, on both streams, for whoever reads a failure.
#[derive(Clone, Default)]
pub(crate) struct Transcript(Arc<Mutex<Vec<String>>>);

impl Transcript {
    fn note(&self, stream: &str, line: &str) {
        let line: String = line.chars().take(200).collect();
        self.0.lock().unwrap().push(format!("{stream}| {line}"));
    }
}

impl std::fmt::Display for Transcript {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let lines = self.0.lock().unwrap();
        let from = lines.len().saturating_sub(60);
        write!(f, "it wrote:\n{}", lines[from..].join("\n"))
    }
}

/// One stream of a process.
pub(crate) struct Lines {
    lines: Receiver<String>,
    transcript: Transcript,
}

impl Lines {
    /// Begins to read. What is not UTF-8 fails the test: recado writes nothing else.
    pub(crate) fn read(
        stream: impl Read + Send + 'static,
        name: &'static str,
        transcript: &Transcript,
    ) -> Self {
        let (sender, lines) = channel();
        let notes = transcript.clone();
        thread::spawn(move || {
            let mut stream = BufReader::new(stream);
            let mut bytes = Vec::new();
            // An error is the end as well: a terminal whose other side was closed.
            while matches!(stream.read_until(b'\n', &mut bytes), Ok(1..)) {
                let line = String::from_utf8(std::mem::take(&mut bytes));
                let line = line.unwrap_or_else(|wrong| format!("NOT UTF-8: {wrong}"));
                let line = line.strip_suffix('\n').unwrap_or(&line);
                notes.note(name, line);
                if sender.send(line.to_owned()).is_err() {
                    return;
                }
            }
        });
        Self {
            lines,
            transcript: transcript.clone(),
        }
    }

    /// The next line.
    #[track_caller]
    pub(crate) fn next(&self) -> String {
        match self.lines.recv_timeout(PATIENCE) {
            Ok(line) => line,
            Err(RecvTimeoutError::Timeout) => panic!("no line came; {}", self.transcript),
            Err(RecvTimeoutError::Disconnected) => panic!("no line is left; {}", self.transcript),
        }
    }

    /// The next line; `None` if the stream ends before.
    #[track_caller]
    pub(crate) fn next_or_end(&self) -> Option<String> {
        match self.lines.recv_timeout(PATIENCE) {
            Ok(line) => Some(line),
            Err(RecvTimeoutError::Timeout) => panic!("no line came; {}", self.transcript),
            Err(RecvTimeoutError::Disconnected) => None,
        }
    }

    /// What has come and was not read; nothing is waited for.
    pub(crate) fn pending(&self) -> Vec<String> {
        self.lines.try_iter().collect()
    }

    /// The next line, which must be this one.
    #[track_caller]
    pub(crate) fn expect(&self, expected: &str) {
        let line = self.next();
        assert_eq!(line, expected, "{}", self.transcript);
    }

    /// The first line that contains this; those before it are passed over.
    #[track_caller]
    pub(crate) fn find(&self, part: &str) -> String {
        loop {
            match self.lines.recv_timeout(PATIENCE) {
                Ok(line) if line.contains(part) => return line,
                Ok(_) => {}
                Err(_) => panic!("no line with {part:?} came; {}", self.transcript),
            }
        }
    }

    /// All lines to the end of the stream.
    #[track_caller]
    pub(crate) fn rest(&self) -> Vec<String> {
        let mut lines = Vec::new();
        loop {
            match self.lines.recv_timeout(PATIENCE) {
                Ok(line) => lines.push(line),
                Err(RecvTimeoutError::Disconnected) => return lines,
                Err(RecvTimeoutError::Timeout) => panic!("it does not end; {}", self.transcript),
            }
        }
    }
}
