//! A terminal of a system that has no modes as Unix has them.

use std::fs::File;
use std::io;

/// In the place of a mode; there never is one.
pub(crate) struct Mode(());

impl Mode {
    /// Keys are not given one by one.
    pub(crate) fn by_the_key() -> Option<Self> {
        None
    }

    /// Nor as they are.
    pub(crate) fn raw() -> Option<Self> {
        None
    }

    pub(crate) fn echoed(&self) -> bool {
        true
    }

    pub(crate) fn lift(&self) {}

    pub(crate) fn renew(&self) {}
}

/// Nothing is drawn on it.
pub(crate) fn output() -> io::Result<File> {
    Err(io::ErrorKind::Unsupported.into())
}

/// What cannot be waited for is read.
pub(crate) fn has_more(_milliseconds: u16) -> bool {
    true
}

/// It does not say.
pub(crate) fn size() -> Option<(u16, u16)> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_promised() {
        assert!(Mode::by_the_key().is_none() && Mode::raw().is_none());
        assert!(output().is_err() && has_more(50));
        assert_eq!(size(), None);
    }
}
