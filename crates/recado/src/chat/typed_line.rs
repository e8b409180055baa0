//! A line that is being typed, key by key: what is in it, and what the terminal shows of it. Pure.
//!
//! Nothing here moves the cursor but back over what is being erased, as terminals themselves do it. Where that would not
//! do, because the line has gone on at the next row, the line is shown once more.

use recado_proto::text::sanitise_line;
use unicode_segmentation::UnicodeSegmentation;

use super::input::{Fault, Input, MAX_LINE};
use crate::wrap;

/// A line being typed.
#[derive(Debug, Default)]
pub(super) struct TypedLine {
    text: String,
    /// The beginning of a character.
    pending: Vec<u8>,
    escape: Escape,
    fault: Option<Fault>,
}

/// Within a key that is more than one byte.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
enum Escape {
    #[default]
    None,
    /// After ESC.
    Begun,
    /// After ESC and `[`.
    Sequence,
    /// After ESC and `O`: one byte more.
    Single,
}

/// What a byte brought.
#[derive(PartialEq, Eq, Debug)]
pub(super) enum Stroke {
    /// The terminal is to show this.
    Show(String),
    /// The line is complete, or cannot be taken.
    Enter(Input),
    /// The end of the input, on an empty line.
    End,
}

const ERASE: u8 = 0x7f;
const BACKSPACE: u8 = 0x08;
const END: u8 = 0x04;
const REPRINT: u8 = 0x12;
const ERASE_LINE: u8 = 0x15;
const ERASE_WORD: u8 = 0x17;
const ESCAPE: u8 = 0x1b;

impl TypedLine {
    /// Whether nothing is being typed.
    pub(super) fn is_empty(&self) -> bool {
        self.text.is_empty() && self.pending.is_empty() && self.fault.is_none()
    }

    /// What the terminal shows of it.
    pub(super) fn shown(&self) -> String {
        sanitise_line(&self.text).into_owned()
    }

    /// Takes what a key sent. `columns` is how wide the terminal is.
    pub(super) fn take(&mut self, byte: u8, columns: usize) -> Option<Stroke> {
        if self.is_within_key(byte) {
            return None;
        }
        match byte {
            b'\n' | b'\r' => return Some(Stroke::Enter(self.enter())),
            END if self.is_empty() => return Some(Stroke::End),
            ERASE | BACKSPACE => {
                let last = self.text.grapheme_indices(true).next_back();
                let at = last.map_or(0, |(at, _)| at);
                return self.erase_to(at, columns);
            }
            ERASE_WORD => {
                let kept = self.text.trim_end();
                let at = kept.rfind(char::is_whitespace).map_or(0, |at| at + 1);
                return self.erase_to(at, columns);
            }
            ERASE_LINE => return self.erase_to(0, columns),
            REPRINT => return Some(Stroke::Show(format!("\n{}", self.shown()))),
            ESCAPE => self.escape = Escape::Begun,
            b'\t' => return self.insert(' '),
            0..0x20 => {}
            _ => return self.decode(byte),
        }
        None
    }

    /// Whether a byte belongs to a key that means nothing here, such as an arrow.
    fn is_within_key(&mut self, byte: u8) -> bool {
        let next = match (self.escape, byte) {
            (Escape::None, _) => return false,
            (Escape::Begun, b'[') => Escape::Sequence,
            (Escape::Begun, b'O') => Escape::Single,
            (Escape::Sequence, 0x20..0x40) => Escape::Sequence,
            // What ends it is passed over too, but not what ends a line.
            (_, b'\n' | b'\r') => {
                self.escape = Escape::None;
                return false;
            }
            _ => Escape::None,
        };
        self.escape = next;
        true
    }

    fn decode(&mut self, byte: u8) -> Option<Stroke> {
        self.pending.push(byte);
        match std::str::from_utf8(&self.pending) {
            Ok(text) => {
                let c = text.chars().next();
                self.pending.clear();
                self.insert(c?)
            }
            Err(error) if error.error_len().is_some() => {
                self.pending.clear();
                self.fault.get_or_insert(Fault::NotText);
                None
            }
            Err(_) => None,
        }
    }

    fn insert(&mut self, c: char) -> Option<Stroke> {
        if self.text.len() + c.len_utf8() > MAX_LINE {
            self.fault.get_or_insert(Fault::TooLong);
            return None;
        }
        self.text.push(c);
        // What would do more than show itself is not shown, as it is not where others read it.
        let among = format!("a{c}");
        (sanitise_line(&among) == among).then(|| Stroke::Show(c.to_string()))
    }

    /// Erases all behind this place.
    fn erase_to(&mut self, at: usize, columns: usize) -> Option<Stroke> {
        self.pending.clear();
        let before = wrap::width(&self.shown());
        self.text.truncate(at);
        if self.text.is_empty() {
            self.fault = None;
        }
        let after = wrap::width(&self.shown());
        let erased = before.saturating_sub(after);
        if erased == 0 {
            return None;
        }
        let columns = columns.max(1);
        let is_in_row =
            after / columns == (before - 1) / columns && !before.is_multiple_of(columns);
        Some(Stroke::Show(match is_in_row {
            true => "\u{8} \u{8}".repeat(erased),
            false => format!("\n{}", self.shown()),
        }))
    }

    fn enter(&mut self) -> Input {
        let is_cut = !std::mem::take(&mut self.pending).is_empty();
        let text = std::mem::take(&mut self.text);
        match self.fault.take() {
            Some(fault) => Input::Fault(fault),
            None if is_cut => Input::Fault(Fault::NotText),
            None => Input::Line(text),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the terminal is told while this is typed, and the lines that come of it.
    fn type_in(columns: usize, keys: &str) -> (String, Vec<Input>) {
        let (mut line, mut shown, mut entered) = (TypedLine::default(), String::new(), vec![]);
        for byte in keys.bytes() {
            match line.take(byte, columns) {
                Some(Stroke::Show(text)) => shown.push_str(&text),
                Some(Stroke::Enter(input)) => entered.push(input),
                Some(Stroke::End) => entered.push(Input::Line("END".into())),
                None => {}
            }
        }
        (shown, entered)
    }

    fn line(text: &str) -> Input {
        Input::Line(text.into())
    }

    #[test]
    fn what_is_typed_is_shown_and_entered() {
        let (shown, entered) = type_in(80, "/udp Olá, 你好 👩\u{200d}💻\n\rx\r");
        assert_eq!(shown, "/udp Olá, 你好 👩💻x");
        let expected = [line("/udp Olá, 你好 👩\u{200d}💻"), line(""), line("x")];
        assert_eq!(entered, expected);
    }

    #[test]
    fn letters_words_and_lines_are_erased_in_the_columns_that_they_took() {
        for (keys, entered) in [
            ("olé\u{7f}á\n", "olá"),
            ("a你\u{8}b\n", "ab"),
            ("e\u{301}\u{7f}x\n", "x"),
            ("um dois  \u{17}três\n", "um três"),
            ("tudo errado\u{15}certo\n", "certo"),
            ("\u{7f}\u{15}\u{17}a\n", "a"),
        ] {
            assert_eq!(type_in(80, keys).1, [line(entered)], "{keys:?}");
        }
        let back = "\u{8} \u{8}";
        assert_eq!(type_in(80, "ab\u{7f}").0, format!("ab{back}"));
        assert_eq!(type_in(80, "你\u{7f}").0, format!("你{back}{back}"));
        assert_eq!(type_in(80, "e\u{301}\u{7f}").0, format!("e\u{301}{back}"));
    }

    #[test]
    fn a_line_that_goes_on_at_the_next_row_is_shown_once_more() {
        // The cursor stands behind the fourth column, or in the second row.
        assert_eq!(type_in(4, "abcd\u{7f}").0, "abcd\nabc");
        assert_eq!(type_in(4, "abcdef\u{15}").0, "abcdef\n");
        assert_eq!(type_in(4, "abcdef\u{7f}").0, "abcdef\u{8} \u{8}");
        assert_eq!(type_in(80, "ab\u{12}").0, "ab\nab");
    }

    #[test]
    fn other_keys_leave_no_trace() {
        let keys = "a\u{1b}[A\u{1b}[1;5Cb\u{1b}OPc\u{1b}fd\u{1}\u{7}e\n";
        assert_eq!(type_in(80, keys), ("abcde".into(), vec![line("abcde")]));
        // A key that was cut off does not take the next line with it.
        assert_eq!(type_in(80, "\u{1b}[\nx\n").1, [line(""), line("x")]);
    }

    #[test]
    fn the_input_ends_on_an_empty_line_alone() {
        assert_eq!(type_in(80, "ab\u{4}c\n\u{4}").1, [line("abc"), line("END")]);
    }

    #[test]
    fn what_is_no_line_says_so_when_it_is_entered() {
        let mut typed = TypedLine::default();
        assert_eq!(typed.take(0xff, 80), None);
        assert!(!typed.is_empty());
        let fault = |fault| Some(Stroke::Enter(Input::Fault(fault)));
        assert_eq!(typed.take(b'\n', 80), fault(Fault::NotText));
        typed.take(0xc3, 80);
        assert_eq!(typed.take(b'\n', 80), fault(Fault::NotText));
        for _ in 0..=MAX_LINE {
            typed.take(b'x', 80);
        }
        assert_eq!(typed.take(b'\n', 80), fault(Fault::TooLong));
        assert_eq!(typed.take(b'\n', 80), Some(Stroke::Enter(line(""))));
    }

    #[test]
    fn nothing_that_is_typed_commands_the_terminal() {
        let (shown, _) = type_in(80, "a\u{202e}b\u{200b}c\u{9b}d");
        assert_eq!(shown, "abcd");
    }
}
