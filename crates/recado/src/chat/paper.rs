//! Where line mode writes. At a terminal, what comes while a line is being typed waits until that has been entered, so
//! that it is never broken; elsewhere nothing waits.

use std::collections::VecDeque;
use std::io::{self, BufRead, IsTerminal, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use tokio::sync::mpsc;

use super::input::{self, Lines, QUEUE};
use super::typed_line::{Stroke, TypedLine};
use crate::tty::{self, Mode};
use crate::{signals, terminal};

/// Lines that wait at most, and their bytes: ten screens, and some of the longest messages. With more, all are written,
/// and what is being typed is shown again below them.
const MAX_HELD: usize = 1000;
const MAX_HELD_BYTES: usize = 1024 * 1024;

/// Which of the two.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Stream {
    /// Prompts, results and messages.
    Out,
    /// All else.
    Err,
}

/// Where lines are written.
#[derive(Clone)]
pub(super) enum Paper {
    /// Straight on.
    Plain,
    /// A terminal at which someone types.
    Typed(Arc<Mutex<Sheet>>),
    /// What was written is kept.
    #[cfg(test)]
    Kept(Arc<Mutex<Vec<String>>>),
}

impl Paper {
    /// Writes prompts, results and messages.
    pub(super) fn say(&self, text: &str) -> io::Result<()> {
        self.write(Stream::Out, text)
    }

    /// Writes anything else. If nobody reads there, nobody is told.
    pub(super) fn tell(&self, text: &str) {
        let _ = self.write(Stream::Err, text);
    }

    /// Ends a line that was being typed, and writes what waited for it.
    pub(super) fn end(&self) {
        if let Self::Typed(sheet) = self {
            let mut sheet = locked(sheet);
            if !sheet.typed.is_empty() {
                sheet.show("\n");
                sheet.typed = TypedLine::default();
                // Of a terminal that is gone, nobody needs to hear.
                let _ = sheet.release();
            }
        }
    }

    fn write(&self, stream: Stream, text: &str) -> io::Result<()> {
        match self {
            Self::Plain => write(stream, text),
            Self::Typed(sheet) => locked(sheet).write(stream, text),
            #[cfg(test)]
            Self::Kept(kept) => {
                kept.lock().unwrap().push(text.to_owned());
                Ok(())
            }
        }
    }
}

/// What is on a terminal at which someone types.
pub(super) struct Sheet {
    typed: TypedLine,
    held: VecDeque<(Stream, String)>,
    held_bytes: usize,
    /// What shows what is typed; nothing where the terminal was told not to.
    echo: Option<Stream>,
}

impl Sheet {
    fn write(&mut self, stream: Stream, text: &str) -> io::Result<()> {
        if self.typed.is_empty() {
            return write(stream, text);
        }
        self.held_bytes += text.len();
        self.held.push_back((stream, text.to_owned()));
        if self.held.len() > MAX_HELD || self.held_bytes > MAX_HELD_BYTES {
            self.show("\n");
            self.release()?;
            let typed = self.typed.shown();
            self.show(&typed);
        }
        Ok(())
    }

    /// Writes what waits.
    fn release(&mut self) -> io::Result<()> {
        self.held_bytes = 0;
        self.held
            .drain(..)
            .try_for_each(|(stream, text)| write(stream, &text))
    }

    fn show(&self, text: &str) {
        let shown = match self.echo {
            Some(Stream::Out) => show(io::stdout().lock(), text),
            Some(Stream::Err) => show(io::stderr().lock(), text),
            None => Ok(()),
        };
        // Of a terminal that is gone, the reader hears.
        let _ = shown;
    }

    /// What a key brought; the line, once it is entered, or the end.
    fn take(&mut self, byte: u8, columns: usize) -> Option<Stroke> {
        let stroke = self.typed.take(byte, columns);
        match &stroke {
            Some(Stroke::Show(text)) => self.show(text),
            Some(Stroke::Enter(_)) => self.show("\n"),
            Some(Stroke::End) | None => {}
        }
        if self.typed.is_empty() {
            // As above.
            let _ = self.release();
        }
        stroke
    }
}

fn show(mut out: impl Write, text: &str) -> io::Result<()> {
    out.write_all(text.as_bytes())?;
    out.flush()
}

fn write(stream: Stream, text: &str) -> io::Result<()> {
    match stream {
        Stream::Out => terminal::say(text),
        Stream::Err => {
            terminal::tell(text);
            Ok(())
        }
    }
}

/// A panic while it was held has been told by itself, and leaves it whole.
fn locked(sheet: &Mutex<Sheet>) -> MutexGuard<'_, Sheet> {
    sheet.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The keyboard of line mode: its lines, and the paper that goes with it.
pub(super) struct Keyboard {
    pub(super) lines: Lines,
    pub(super) paper: Paper,
    /// How the terminal was. Put back when this is dropped.
    pub(super) mode: Option<Arc<Mode>>,
}

impl Keyboard {
    /// Begins to read: from a terminal by the key, from elsewhere by the line.
    pub(super) fn open() -> Self {
        let echo = match (io::stdout().is_terminal(), io::stderr().is_terminal()) {
            (true, _) => Stream::Out,
            (false, true) => Stream::Err,
            (false, false) => return Self::plain(),
        };
        // Not a terminal, or one that refuses: lines.
        let Some(mode) = Mode::by_the_key() else {
            return Self::plain();
        };
        let mode = Arc::new(mode);
        let sheet = Arc::new(Mutex::new(Sheet {
            typed: TypedLine::default(),
            held: VecDeque::new(),
            held_bytes: 0,
            echo: mode.echoed().then_some(echo),
        }));
        // By a weak reference, so that the end of the chat is the end of the mode.
        tokio::spawn(follow_stops(Arc::downgrade(&mode), sheet.clone()));
        Self {
            lines: read_keys(sheet.clone()),
            paper: Paper::Typed(sheet),
            mode: Some(mode),
        }
    }

    /// Whether someone types, key by key.
    pub(super) fn is_at_terminal(&self) -> bool {
        self.mode.is_some()
    }

    fn plain() -> Self {
        Self {
            lines: input::lines(),
            paper: Paper::Plain,
            mode: None,
        }
    }
}

fn read_keys(sheet: Arc<Mutex<Sheet>>) -> Lines {
    let (sender, lines) = mpsc::channel(QUEUE);
    std::thread::spawn(move || {
        let mut keys = io::stdin().lock();
        loop {
            // An error of reading is its end: a terminal that was closed.
            let Ok(bytes) = keys.fill_buf().map(<[u8]>::to_vec) else {
                return;
            };
            if bytes.is_empty() {
                return;
            }
            keys.consume(bytes.len());
            let columns = columns();
            for byte in bytes {
                let stroke = locked(&sheet).take(byte, columns);
                match stroke {
                    Some(Stroke::Enter(line)) => {
                        if sender.blocking_send(line).is_err() {
                            return;
                        }
                    }
                    Some(Stroke::End) => return,
                    Some(Stroke::Show(_)) | None => {}
                }
            }
        }
    });
    lines
}

/// How wide the terminal is.
fn columns() -> usize {
    tty::size().map_or(80, |(columns, _)| usize::from(columns))
}

/// While the process is stopped the terminal is its shell's, as it was.
async fn follow_stops(mode: Weak<Mode>, sheet: Arc<Mutex<Sheet>>) {
    let Ok(mut stop) = signals::signal(signals::stopping()) else {
        return;
    };
    while stop.recv().await.is_some() {
        let Some(mode) = mode.upgrade() else {
            return;
        };
        mode.lift();
        // Returns when the process goes on.
        signals::stop_self();
        mode.renew();
        let sheet = locked(&sheet);
        let typed = sheet.typed.shown();
        sheet.show(&typed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_waits_while_a_line_is_being_typed_and_not_without_bound() {
        let mut sheet = Sheet {
            typed: TypedLine::default(),
            held: VecDeque::new(),
            held_bytes: 0,
            echo: None,
        };
        let held = |sheet: &Sheet| sheet.held.len();
        sheet.write(Stream::Err, "at once").unwrap();
        assert_eq!(held(&sheet), 0);
        sheet.take(b'x', 80);
        for _ in 0..MAX_HELD {
            sheet.write(Stream::Err, "").unwrap();
        }
        assert_eq!(held(&sheet), MAX_HELD);
        sheet.write(Stream::Err, "").unwrap();
        assert_eq!(held(&sheet), 0, "a room that is full is emptied");
        sheet.write(Stream::Err, "").unwrap();
        sheet.take(0x7f, 80);
        assert_eq!(held(&sheet), 0, "nothing is being typed any more");
        sheet.take(b'x', 80);
        sheet.write(Stream::Err, "").unwrap();
        let entered = sheet.take(b'\n', 80);
        assert_eq!(entered, Some(Stroke::Enter(input::Input::Line("x".into()))));
        assert_eq!((held(&sheet), sheet.held_bytes), (0, 0));
    }
}
