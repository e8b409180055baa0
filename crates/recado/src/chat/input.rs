//! Lines from standard input: bounded, and read by a thread of their own, so that a person who types slowly
//! holds nothing up.

use std::io::{self, BufRead};

use recado_proto::limits::MAX_TEXT;
use tokio::sync::mpsc;

/// The longest line that is taken: the longest text, escaped at worst as JSON's `\uXXXX`, and the command.
pub(super) const MAX_LINE: usize = 6 * MAX_TEXT + 1024;

/// Lines that may wait: a pipe is then simply not read further.
pub(super) const QUEUE: usize = 64;

/// What was entered.
#[derive(PartialEq, Eq, Debug)]
pub(super) enum Input {
    /// A line, without its end.
    Line(String),
    /// A line that cannot be taken; it is passed over.
    Fault(Fault),
}

/// Why a line cannot be taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Fault {
    /// Longer than any message.
    TooLong,
    /// Not UTF-8.
    NotText,
}

/// The lines of standard input; closed at its end.
pub(super) type Lines = mpsc::Receiver<Input>;

/// Begins to read standard input.
pub(super) fn lines() -> Lines {
    let (sender, lines) = mpsc::channel(QUEUE);
    std::thread::spawn(move || {
        let mut input = io::stdin().lock();
        // An error of reading is its end: a terminal that was closed.
        while let Ok(Some(line)) = read(&mut input) {
            if sender.blocking_send(line).is_err() {
                return;
            }
        }
    });
    lines
}

/// The next line. `None` is the end of the input; a last line without its end counts.
fn read(input: &mut impl BufRead) -> io::Result<Option<Input>> {
    let mut line = Vec::new();
    let mut too_long = false;
    loop {
        let (taken, ended) = match input.fill_buf()? {
            [] if line.is_empty() && !too_long => return Ok(None),
            [] => (0, true),
            buffer => {
                let end = buffer.iter().position(|byte| *byte == b'\n');
                let part = &buffer[..end.unwrap_or(buffer.len())];
                if line.len() + part.len() > MAX_LINE {
                    too_long = true;
                    line = Vec::new();
                } else if !too_long {
                    line.extend_from_slice(part);
                }
                (end.map_or(buffer.len(), |end| end + 1), end.is_some())
            }
        };
        input.consume(taken);
        if ended {
            break;
        }
    }
    if line.last() == Some(&b'\r') {
        line.pop();
    }
    Ok(Some(match String::from_utf8(line) {
        _ if too_long => Input::Fault(Fault::TooLong),
        Ok(line) => Input::Line(line),
        Err(_) => Input::Fault(Fault::NotText),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(bytes: &[u8]) -> Vec<Input> {
        // A small buffer, so that lines come in pieces.
        let mut input = io::BufReader::with_capacity(7, bytes);
        let mut lines = vec![];
        while let Some(line) = read(&mut input).unwrap() {
            lines.push(line);
        }
        lines
    }

    fn line(text: &str) -> Input {
        Input::Line(text.into())
    }

    #[test]
    fn lines_come_with_either_end_and_the_last_without() {
        let lines = all("/udp Olá, todos!\r\n\nfim".as_bytes());
        assert_eq!(lines, [line("/udp Olá, todos!"), line(""), line("fim")]);
        assert_eq!(all(b""), []);
        assert_eq!(all(b"\n"), [line("")]);
    }

    #[test]
    fn what_is_no_line_is_passed_over() {
        let mut bytes = vec![b'x'; MAX_LINE + 1];
        bytes.extend_from_slice(b"\n\xff\xfe\nnext");
        let expected = [
            Input::Fault(Fault::TooLong),
            Input::Fault(Fault::NotText),
            line("next"),
        ];
        assert_eq!(all(&bytes), expected);
        assert_eq!(all(&vec![b'x'; MAX_LINE]).len(), 1);
    }
}
