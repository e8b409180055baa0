//! How a terminal treats keys, changed for a while and put back.

use std::io;
use std::sync::{Mutex, PoisonError};

use nix::sys::termios::{
    LocalFlags, SetArg, SpecialCharacterIndices, Termios, cfmakeraw, tcgetattr, tcsetattr,
};

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
