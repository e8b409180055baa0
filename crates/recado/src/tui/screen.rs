//! The terminal as a screen: taken over, drawn on, and left as it was found, whatever ends the program.
//!
//! A thread writes, and one reads, so that a terminal that does not keep up holds nothing up: what is drawn while it is
//! behind takes the place of what it has not seen yet.

use std::io::{self, BufRead, BufWriter, IsTerminal, Write};
use std::panic;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, Once, PoisonError};
use std::thread;
use std::time::Duration;

use ratatui::backend::CrosstermBackend;
use ratatui::buffer::Buffer;
use ratatui::crossterm::cursor::Show;
use ratatui::crossterm::event::{
    DisableBracketedPaste, DisableFocusChange, EnableBracketedPaste, EnableFocusChange,
};
use ratatui::crossterm::terminal::{
    BeginSynchronizedUpdate, EndSynchronizedUpdate, EnterAlternateScreen, LeaveAlternateScreen,
};
use ratatui::crossterm::{execute, queue};
use ratatui::layout::{Position, Rect, Size};
use ratatui::{Terminal, TerminalOptions, Viewport};
use tokio::sync::mpsc;

use super::keys::{Decoder, Heard, Together};
use crate::signals::{self, SignalKind};
use crate::tty::{self, Mode};

/// Things heard that may wait: then the terminal is not read further.
const QUEUE: usize = 256;

/// How long an ESC waits for the rest of a sequence: what a slow line takes, and no one notices.
const ESCAPE_TIME: u16 = 50;

/// How long the end waits for a terminal that does not take what is written.
const LEAVE_TIME: Duration = Duration::from_millis(500);

/// Asks what the background is; terminals that do not know say nothing.
const ASK_BACKGROUND: &[u8] = b"\x1b]11;?\x1b\\";

/// A size where the terminal does not say any.
const DEFAULT_SIZE: Size = Size::new(80, 24);

/// What comes from the terminal.
#[derive(Debug)]
pub(super) enum Happening {
    Heard(Heard),
    Resized(Size),
    /// The process is to be stopped, as by Ctrl-Z.
    Stop,
    /// It goes on.
    Continued,
    /// Paths that begin like this were looked up.
    Paths {
        begun: String,
        found: Vec<String>,
    },
    /// The terminal is gone.
    Gone,
}

/// What is to be seen.
#[derive(Debug)]
pub(super) struct Picture {
    pub(super) buffer: Buffer,
    pub(super) cursor: Option<Position>,
    pub(super) bell: bool,
}

/// A terminal that is taken over.
pub(super) struct Screen {
    shared: Arc<Shared>,
    sender: mpsc::Sender<Happening>,
}

/// What the writing thread and everyone else share.
struct Shared {
    board: Mutex<Board>,
    changed: Condvar,
    mode: Mode,
}

struct Board {
    picture: Option<Picture>,
    /// Whether all is to be drawn anew.
    repaints: bool,
    wanted: Phase,
    reached: Phase,
}

/// Whether the terminal is taken over.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Phase {
    Taken,
    /// For now.
    Lent,
    Left,
}

/// The screen that is open, for a panic to leave.
static OPEN: Mutex<Option<Arc<Shared>>> = Mutex::new(None);

/// Whether standard input and output are a terminal that a screen can be drawn on. Elsewhere than on Unix none is.
pub(crate) fn is_possible() -> bool {
    let is_dumb = std::env::var("TERM").map_or(true, |term| term.is_empty() || term == "dumb");
    cfg!(unix) && !is_dumb && io::stdin().is_terminal() && io::stdout().is_terminal()
}

impl Screen {
    /// Takes the terminal over, and begins to listen.
    pub(super) fn open(asks_background: bool) -> io::Result<(Self, mpsc::Receiver<Happening>)> {
        let mode = Mode::raw().ok_or(io::ErrorKind::Unsupported)?;
        let output = tty::output()?;
        let shared = Arc::new(Shared {
            board: Mutex::new(Board {
                picture: None,
                repaints: false,
                wanted: Phase::Taken,
                reached: Phase::Lent,
            }),
            changed: Condvar::new(),
            mode,
        });
        leave_on_panic();
        *locked(&OPEN) = Some(shared.clone());
        let (sender, happenings) = mpsc::channel(QUEUE);
        let screen = Self {
            shared: shared.clone(),
            sender: sender.clone(),
        };
        let mut output = BufWriter::with_capacity(1 << 16, output);
        thread::Builder::new()
            .name("screen".to_owned())
            .spawn(move || {
                let written = write(&shared, &mut output, asks_background);
                // Whether it was left in order or is gone: nothing more is written.
                drop(written);
                shared.reach(Phase::Left);
            })?;
        follow_signals(&sender);
        thread::Builder::new()
            .name("keys".to_owned())
            .spawn(move || {
                read(&sender);
                // Nobody listens where the chat has ended.
                let _ = sender.blocking_send(Happening::Gone);
            })?;
        Ok((screen, happenings))
    }

    /// Where what else happens can be told.
    pub(super) fn sender(&self) -> mpsc::Sender<Happening> {
        self.sender.clone()
    }

    /// Shows a picture, in the place of one that was not shown yet.
    pub(super) fn show(&self, mut picture: Picture) {
        let mut board = locked(&self.shared.board);
        picture.bell |= board.picture.take().is_some_and(|unseen| unseen.bell);
        board.picture = Some(picture);
        self.shared.changed.notify_all();
    }

    /// Stops the process as its shell expects, and returns when it goes on: then [`Happening::Continued`] comes.
    pub(super) fn stop(&self) {
        self.shared.leave(Phase::Lent);
        // One that cannot be stopped goes on at once.
        signals::stop_self();
    }

    /// Takes the terminal over again, and draws all anew.
    pub(super) fn renew(&self) {
        let mut board = locked(&self.shared.board);
        if board.wanted != Phase::Left {
            self.shared.mode.renew();
            board.wanted = Phase::Taken;
            board.repaints = true;
            self.shared.changed.notify_all();
        }
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        leave();
    }
}

impl Shared {
    /// Has the terminal left, and puts its mode back.
    fn leave(&self, phase: Phase) {
        let mut board = locked(&self.board);
        if board.wanted == Phase::Left {
            return;
        }
        board.wanted = phase;
        self.changed.notify_all();
        let is_there = |board: &mut Board| board.reached == Phase::Taken;
        // One that does not take the words gets its mode back all the same.
        let waited = self.changed.wait_timeout_while(board, LEAVE_TIME, is_there);
        drop(waited);
        self.mode.lift();
    }

    fn reach(&self, phase: Phase) {
        locked(&self.board).reached = phase;
        self.changed.notify_all();
    }
}

/// Leaves the terminal as it was found.
fn leave() {
    let open = locked(&OPEN).take();
    if let Some(shared) = open {
        shared.leave(Phase::Left);
    }
}

/// A panic is told on a terminal that shows it.
fn leave_on_panic() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let tell = panic::take_hook();
        panic::set_hook(Box::new(move |panic| {
            leave();
            tell(panic);
        }));
    });
}

/// A panic while it was held has been told by itself, and leaves it whole.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What is to be written next.
enum Order {
    Take { repaints: bool },
    Draw(Picture),
    Leave(Phase),
}

impl Shared {
    /// Waits for what is to be written next.
    fn next(&self) -> Order {
        let mut board = locked(&self.board);
        loop {
            if board.wanted != board.reached {
                return match board.wanted {
                    Phase::Taken => Order::Take {
                        repaints: std::mem::take(&mut board.repaints),
                    },
                    phase => Order::Leave(phase),
                };
            }
            if board.reached == Phase::Taken {
                if std::mem::take(&mut board.repaints) {
                    return Order::Take { repaints: true };
                }
                if let Some(picture) = board.picture.take() {
                    return Order::Draw(picture);
                }
            }
            board = self
                .changed
                .wait(board)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }
}

/// Writes until the screen is left. An error is a terminal that is gone.
fn write(
    shared: &Shared,
    output: &mut BufWriter<std::fs::File>,
    asks_background: bool,
) -> io::Result<()> {
    // Fixed: how large the screen is, one place decides.
    let options = TerminalOptions {
        viewport: Viewport::Fixed(Rect::ZERO),
    };
    let mut terminal = Terminal::with_options(CrosstermBackend::new(output), options)?;
    if asks_background {
        terminal.backend_mut().write_all(ASK_BACKGROUND)?;
    }
    loop {
        match shared.next() {
            Order::Take { repaints } => {
                execute!(
                    terminal.backend_mut(),
                    EnterAlternateScreen,
                    EnableBracketedPaste,
                    EnableFocusChange
                )?;
                if repaints {
                    // Not `clear`, which asks the terminal for its cursor, and reads what it answers.
                    let area = terminal.get_frame().area();
                    terminal.resize(area)?;
                }
                shared.reach(Phase::Taken);
            }
            Order::Draw(picture) => draw(&mut terminal, picture)?,
            Order::Leave(phase) => {
                execute!(
                    terminal.backend_mut(),
                    DisableFocusChange,
                    DisableBracketedPaste,
                    LeaveAlternateScreen,
                    Show
                )?;
                shared.reach(phase);
                if phase == Phase::Left {
                    return Ok(());
                }
            }
        }
    }
}

fn draw<W: Write>(
    terminal: &mut Terminal<CrosstermBackend<W>>,
    picture: Picture,
) -> io::Result<()> {
    queue!(terminal.backend_mut(), BeginSynchronizedUpdate)?;
    let Picture {
        buffer,
        cursor,
        bell,
    } = picture;
    let area = *buffer.area();
    if terminal.get_frame().area() != area {
        terminal.resize(area)?;
    }
    terminal.draw(|frame| {
        *frame.buffer_mut() = buffer;
        if let Some(cursor) = cursor.filter(|cursor| area.contains(*cursor)) {
            frame.set_cursor_position(cursor);
        }
    })?;
    let backend = terminal.backend_mut();
    if bell {
        backend.write_all(b"\x07")?;
    }
    execute!(backend, EndSynchronizedUpdate)
}

/// Reads what the terminal sends, until it is gone or nobody listens.
fn read(sender: &mpsc::Sender<Happening>) {
    let mut input = io::stdin().lock();
    let (mut decoder, mut together) = (Decoder::default(), Together::default());
    let tell = |heard| sender.blocking_send(Happening::Heard(heard)).is_ok();
    loop {
        if decoder.is_waiting()
            && !tty::has_more(ESCAPE_TIME)
            && !decoder.give_up().is_none_or(tell)
        {
            return;
        }
        let Ok(bytes) = input.fill_buf().map(<[u8]>::to_vec) else {
            return;
        };
        if bytes.is_empty() {
            return;
        }
        input.consume(bytes.len());
        for byte in bytes {
            let heard = decoder.take(byte).map(|heard| together.take(heard));
            if !heard.into_iter().flatten().flatten().all(tell) {
                return;
            }
        }
        if !together.end().is_none_or(tell) {
            return;
        }
    }
}

/// The terminal's size.
pub(super) fn size() -> Size {
    tty::size().map_or(DEFAULT_SIZE, |(columns, rows)| Size::new(columns, rows))
}

/// Tells of the signals that concern a screen.
fn follow_signals(sender: &mpsc::Sender<Happening>) {
    let follow = |kind: SignalKind, happening: fn() -> Happening| {
        // Without it the screen is less able, and works.
        let Ok(mut signal) = signals::signal(kind) else {
            return;
        };
        let sender = sender.clone();
        tokio::spawn(async move {
            while signal.recv().await.is_some() {
                if sender.send(happening()).await.is_err() {
                    return;
                }
            }
        });
    };
    follow(SignalKind::window_change(), || Happening::Resized(size()));
    follow(signals::stopping(), || Happening::Stop);
    follow(signals::going_on(), || Happening::Continued);
}

#[cfg(all(test, unix))]
mod tests {
    use std::fs::File;
    use std::io::Read;
    use std::os::fd::{AsFd as _, OwnedFd};
    use std::process::{Command, Stdio};

    use nix::fcntl::OFlag;
    use nix::poll::{PollFd, PollFlags, poll};
    use nix::pty::{grantpt, posix_openpt, ptsname_r, unlockpt};

    use super::*;

    /// Says which thread is to panic, to this program when it is started once more.
    const WHO: &str = "RECADO_TEST_PANIC";

    fn picture(text: &str) -> Picture {
        let size = size();
        let mut buffer = Buffer::empty(Rect::new(0, 0, size.width, size.height));
        buffer.set_string(0, 0, text, ratatui::style::Style::new());
        Picture {
            buffer,
            cursor: None,
            bell: false,
        }
    }

    /// What is done on the terminal.
    fn panic_on_screen(who: &str) {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(async {
            let (screen, mut happenings) = Screen::open(true).unwrap();
            screen.show(picture("drawn"));
            // The first key says that the picture has been seen.
            happenings.recv().await;
            if who == "this" {
                panic!("this thread's panic");
            }
            let other = tokio::spawn(async { panic!("another thread's panic") });
            assert!(other.await.is_err());
            // It goes on, and draws no more.
            screen.show(picture("drawn after all"));
        });
    }

    #[test]
    fn a_panic_is_told_on_a_terminal_that_is_as_it_was() {
        if let Ok(who) = std::env::var(WHO) {
            return panic_on_screen(&who);
        }
        for who in ["this", "another"] {
            let master = posix_openpt(OFlag::O_RDWR | OFlag::O_NOCTTY | OFlag::O_CLOEXEC).unwrap();
            grantpt(&master).unwrap();
            unlockpt(&master).unwrap();
            let path = ptsname_r(&master).unwrap();
            let terminal = || File::options().read(true).write(true).open(&path).unwrap();
            let stty = || {
                let mut stty = Command::new("stty");
                let output = stty.arg("-a").stdin(terminal()).output().unwrap();
                String::from_utf8(output.stdout).unwrap()
            };
            let before = stty();
            let mut child = Command::new("setsid")
                .arg("--ctty")
                .arg(std::env::current_exe().unwrap())
                .args(["--exact", "--nocapture", "--test-threads=1"])
                .arg("tui::screen::tests::a_panic_is_told_on_a_terminal_that_is_as_it_was")
                .env(WHO, who)
                .env("RUST_BACKTRACE", "0")
                .stdin(terminal())
                .stdout(terminal())
                .stderr(Stdio::from(terminal()))
                .spawn()
                .unwrap();
            let mut output = File::from(OwnedFd::from(master));
            let (mut written, mut bytes) = (Vec::new(), [0; 4096]);
            let mut is_seen = false;
            // It ends when nobody has the terminal open any more.
            loop {
                let mut watched = [PollFd::new(output.as_fd(), PollFlags::POLLIN)];
                assert!(
                    poll(&mut watched, 60_000u16).unwrap() > 0,
                    "it does not end"
                );
                let Ok(read @ 1..) = output.read(&mut bytes) else {
                    break;
                };
                written.extend_from_slice(&bytes[..read]);
                let is_drawn = String::from_utf8_lossy(&written).contains("drawn");
                if is_drawn && !std::mem::replace(&mut is_seen, is_drawn) {
                    output.write_all(b"x").unwrap();
                }
            }
            child.wait().unwrap();
            assert_eq!(stty(), before, "{who}");
            let written = String::from_utf8_lossy(&written);
            let (_, after) = written.rsplit_once("\u{1b}[?1049l").unwrap();
            assert!(
                after.contains(&format!("{who} thread's panic")),
                "{after:?}"
            );
            assert!(!after.contains("drawn after all"), "{after:?}");
        }
    }
}
