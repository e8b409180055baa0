//! A terminal as Unix has it: how it treats keys is changed for a while, and put back.

use std::fs::File;
use std::io;
use std::os::fd::AsFd as _;
use std::sync::{Mutex, PoisonError};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::termios::{
    LocalFlags, SetArg, SpecialCharacterIndices, Termios, cfmakeraw, tcgetattr, tcsetattr,
};
use rustix::termios::tcgetwinsize;

/// A terminal's mode, changed. It is put back when this is dropped.
pub(crate) struct Mode {
    before: Mutex<Termios>,
    now: Mutex<Termios>,
    echoed: bool,
}

impl Mode {
    /// Keys are given as they are pressed, and not shown by the terminal; those that send signals still do, and what is
    /// written goes through as before. `None` if standard input is no terminal, or one that refuses.
    pub(crate) fn by_the_key() -> Option<Self> {
        Self::change(|mode| {
            let flags = LocalFlags::ICANON | LocalFlags::ECHO | LocalFlags::IEXTEN;
            mode.local_flags.remove(flags);
            if let Some(least) = mode
                .control_chars
                .get_mut(SpecialCharacterIndices::VMIN as usize)
            {
                *least = 1;
            }
            if let Some(time) = mode
                .control_chars
                .get_mut(SpecialCharacterIndices::VTIME as usize)
            {
                *time = 0;
            }
        })
    }

    /// Every key is given, and nothing that is written is changed.
    pub(crate) fn raw() -> Option<Self> {
        Self::change(cfmakeraw)
    }

    fn change(change: impl FnOnce(&mut Termios)) -> Option<Self> {
        let before = tcgetattr(io::stdin()).ok()?;
        let mut now = before.clone();
        change(&mut now);
        tcsetattr(io::stdin(), SetArg::TCSANOW, &now).ok()?;
        Some(Self {
            echoed: before.local_flags.contains(LocalFlags::ECHO),
            before: Mutex::new(before),
            now: Mutex::new(now),
        })
    }

    /// Whether the terminal showed what is typed.
    pub(crate) fn echoed(&self) -> bool {
        self.echoed
    }

    /// Puts back how it was, for now.
    pub(crate) fn lift(&self) {
        apply(&self.before);
    }

    /// Changes it again.
    pub(crate) fn renew(&self) {
        apply(&self.now);
    }
}

impl Drop for Mode {
    fn drop(&mut self) {
        self.lift();
    }
}

/// A terminal that is gone needs nothing.
fn apply(mode: &Mutex<Termios>) {
    let mode = mode.lock().unwrap_or_else(PoisonError::into_inner);
    let _ = tcsetattr(io::stdin(), SetArg::TCSANOW, &mode);
}

/// The terminal, to be written to by a thread of its own.
pub(crate) fn output() -> io::Result<File> {
    Ok(File::from(io::stdout().as_fd().try_clone_to_owned()?))
}

/// Whether something is typed within so many milliseconds.
pub(crate) fn has_more(milliseconds: u16) -> bool {
    let stdin = io::stdin();
    let mut watched = [PollFd::new(stdin.as_fd(), PollFlags::POLLIN)];
    // What cannot be waited for is read.
    !matches!(poll(&mut watched, PollTimeout::from(milliseconds)), Ok(0))
}

/// How wide and how high the terminal is, where it says so.
pub(crate) fn size() -> Option<(u16, u16)> {
    let told = [tcgetwinsize(io::stdout()), tcgetwinsize(io::stdin())];
    let mut told = told.into_iter().flatten();
    let told = told.find(|told| told.ws_col > 0 && told.ws_row > 0)?;
    Some((told.ws_col, told.ws_row))
}
