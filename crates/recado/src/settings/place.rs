//! Where something stands in a text.

use std::fmt;

/// A line and a column, both from 1; columns count characters.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Place {
    pub(crate) line: usize,
    pub(crate) column: usize,
}

impl Place {
    /// The place of a byte; the end, where there is none such.
    pub(crate) fn of(text: &str, byte: usize) -> Self {
        let before = text.get(..byte).unwrap_or(text);
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        let column = before.get(line_start..).unwrap_or_default();
        Self {
            line: before.matches('\n').count() + 1,
            column: column.chars().count() + 1,
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.line, self.column)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_as_editors_show_them() {
        let text = "é = 1\n\nab";
        let place = |byte| Place::of(text, byte).to_string();
        assert_eq!(place(0), "1:1");
        assert_eq!(place(3), "1:3", "é has two bytes");
        assert_eq!(place(7), "2:1");
        assert_eq!(place(9), "3:2");
        assert_eq!(place(99), "3:3");
    }
}
