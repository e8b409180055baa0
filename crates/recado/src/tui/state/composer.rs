//! What is being written: text over several lines, a cursor between graphemes, what was written before.

use std::collections::VecDeque;

use recado_proto::limits::MAX_TEXT;
use recado_proto::text::sanitise_block;
use unicode_segmentation::UnicodeSegmentation;

use crate::wrap;

/// The longest text: the longest message, and the command before it.
const MAX_BYTES: usize = MAX_TEXT + 1024;

/// Texts that are remembered.
const MAX_REMEMBERED: usize = 100;

/// Bytes of them.
const MAX_REMEMBERED_BYTES: usize = 512 * 1024;

/// What is being written.
#[derive(Debug, Default)]
pub(in crate::tui) struct Composer {
    text: String,
    /// Between two graphemes.
    cursor: usize,
    /// The column that going up and down keeps to.
    goal: Option<usize>,
    remembered: VecDeque<String>,
    /// Which of them is shown, counted from the latest; and what was being written before.
    recalled: Option<(usize, String)>,
}

/// A text that does not fit a message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::tui) struct TooLong;

impl Composer {
    pub(in crate::tui) fn text(&self) -> &str {
        &self.text
    }

    pub(in crate::tui) fn cursor(&self) -> usize {
        self.cursor
    }

    pub(in crate::tui) fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    fn before(&self) -> &str {
        self.text.get(..self.cursor).unwrap_or_default()
    }

    fn after(&self) -> &str {
        self.text.get(self.cursor..).unwrap_or_default()
    }

    fn move_to(&mut self, place: usize) {
        self.cursor = place.min(self.text.len());
        self.goal = None;
    }

    /// Puts a text where the cursor is. What could not be seen, or would turn letters around, is left out: nobody should
    /// say what they do not see.
    pub(in crate::tui) fn insert(&mut self, text: &str) -> Result<(), TooLong> {
        self.put(self.cursor, text)
    }

    fn put(&mut self, from: usize, text: &str) -> Result<(), TooLong> {
        if self.text.len() + text.len() > MAX_BYTES {
            return Err(TooLong);
        }
        let before = self.text.get(..from).unwrap_or_default();
        // Together: marks and joiners mean something among others only.
        let head = harmless(&format!("{before}{text}"));
        let whole = harmless(&format!("{head}{}", self.after()));
        let mut place = head.len().min(whole.len());
        while !whole.is_char_boundary(place) {
            place -= 1;
        }
        self.text = whole;
        self.move_to(place);
        Ok(())
    }

    /// Puts a text in the place of these bytes.
    pub(in crate::tui) fn replace(&mut self, from: usize, text: &str) {
        if from <= self.cursor {
            // What is completed is short; a text that is full stays as it is.
            let _ = self.put(from, text);
        }
    }

    /// Takes all of it away, to be sent or thrown away; it can be had again.
    pub(in crate::tui) fn take(&mut self) -> String {
        let text = std::mem::take(&mut self.text);
        self.move_to(0);
        self.recalled = None;
        if !text.trim().is_empty() && self.remembered.back() != Some(&text) {
            self.remembered.push_back(text.clone());
        }
        let bytes = |texts: &VecDeque<String>| texts.iter().map(String::len).sum::<usize>();
        while self.remembered.len() > MAX_REMEMBERED
            || bytes(&self.remembered) > MAX_REMEMBERED_BYTES
        {
            self.remembered.pop_front();
        }
        text
    }

    /// Puts back what could not be sent.
    pub(in crate::tui) fn put_back(&mut self, text: String) {
        self.text = text;
        self.move_to(self.text.len());
    }

    // Moving.

    pub(in crate::tui) fn left(&mut self) {
        let last = self.before().graphemes(true).next_back();
        self.move_to(self.cursor - last.map_or(0, str::len));
    }

    pub(in crate::tui) fn right(&mut self) {
        let next = self.after().graphemes(true).next();
        self.move_to(self.cursor + next.map_or(0, str::len));
    }

    pub(in crate::tui) fn word_left(&mut self) {
        let place = self.word_start();
        self.move_to(place);
    }

    pub(in crate::tui) fn word_right(&mut self) {
        let after = self.after();
        let word = after.trim_start();
        let gap = after.len() - word.len();
        let end = word.find(char::is_whitespace).unwrap_or(word.len());
        self.move_to(self.cursor + gap + end);
    }

    fn word_start(&self) -> usize {
        let kept = self.before().trim_end();
        kept.char_indices()
            .rfind(|(_, c)| c.is_whitespace())
            .map_or(0, |(at, c)| at + c.len_utf8())
    }

    fn line_start(&self) -> usize {
        self.before().rfind('\n').map_or(0, |at| at + 1)
    }

    fn line_end(&self) -> usize {
        self.cursor + self.after().find('\n').unwrap_or(self.after().len())
    }

    pub(in crate::tui) fn home(&mut self) {
        let place = self.line_start();
        self.move_to(place);
    }

    pub(in crate::tui) fn end(&mut self) {
        let place = self.line_end();
        self.move_to(place);
    }

    /// One row up, as they are shown in so many columns. False at the first.
    pub(in crate::tui) fn up(&mut self, columns: usize) -> bool {
        self.move_by_row(columns, |row| row.checked_sub(1))
    }

    /// One row down. False at the last.
    pub(in crate::tui) fn down(&mut self, columns: usize) -> bool {
        self.move_by_row(columns, |row| row.checked_add(1))
    }

    fn move_by_row(&mut self, columns: usize, step: impl Fn(usize) -> Option<usize>) -> bool {
        let rows = self.rows(columns);
        let (row, column) = self.place(columns);
        let Some(wanted) = step(row).and_then(|row| rows.get(row)) else {
            return false;
        };
        let goal = self.goal.unwrap_or(column);
        let text = self.text.get(wanted.clone()).unwrap_or_default();
        let (mut place, mut taken) = (wanted.start, 0);
        for grapheme in text.graphemes(true) {
            taken += wrap::grapheme_width(grapheme);
            // The place behind the last grapheme of a row that goes on is the next row's.
            if taken > goal || place + grapheme.len() >= wanted.end && self.goes_on(wanted.end) {
                break;
            }
            place += grapheme.len();
        }
        self.move_to(place);
        self.goal = Some(goal);
        true
    }

    fn goes_on(&self, end: usize) -> bool {
        end < self.text.len() && self.text.as_bytes().get(end) != Some(&b'\n')
    }

    // Erasing.

    pub(in crate::tui) fn backspace(&mut self) {
        let end = self.cursor;
        self.left();
        self.text.replace_range(self.cursor..end, "");
    }

    pub(in crate::tui) fn delete(&mut self) {
        let start = self.cursor;
        self.right();
        self.text.replace_range(start..self.cursor, "");
        self.move_to(start);
    }

    pub(in crate::tui) fn erase_word(&mut self) {
        let start = self.word_start();
        self.text.replace_range(start..self.cursor, "");
        self.move_to(start);
    }

    pub(in crate::tui) fn erase_to_start(&mut self) {
        let start = self.line_start();
        self.text.replace_range(start..self.cursor, "");
        self.move_to(start);
    }

    pub(in crate::tui) fn erase_to_end(&mut self) {
        let end = self.line_end();
        self.text.replace_range(self.cursor..end, "");
    }

    // What was written before.

    /// Shows what was written before that. False if there is nothing.
    pub(in crate::tui) fn older(&mut self) -> bool {
        let (at, kept) = match self.recalled.take() {
            Some((at, kept)) => (at + 1, kept),
            None => (0, self.text.clone()),
        };
        let found = self.remembered.iter().rev().nth(at).cloned();
        let is_found = found.is_some();
        match found {
            Some(text) => {
                self.recalled = Some((at, kept));
                self.put_back(text);
            }
            None => self.recalled = at.checked_sub(1).map(|at| (at, kept)),
        }
        is_found
    }

    /// Shows what was written after that. False if nothing was.
    pub(in crate::tui) fn newer(&mut self) -> bool {
        match self.recalled.take() {
            Some((0, kept)) => self.put_back(kept),
            Some((at, kept)) => {
                let found = self.remembered.iter().rev().nth(at - 1).cloned();
                self.recalled = Some((at - 1, kept));
                self.put_back(found.unwrap_or_default());
            }
            None => return false,
        }
        true
    }

    // How it is shown.

    /// Its rows in so many columns; at least one.
    pub(in crate::tui) fn rows(&self, columns: usize) -> Vec<std::ops::Range<usize>> {
        let mut rows = Vec::new();
        let mut start = 0;
        for line in self.text.split('\n') {
            let of_line = wrap::rows(line, columns).into_iter();
            rows.extend(of_line.map(|row| start + row.start..start + row.end));
            start += line.len() + 1;
        }
        rows
    }

    /// The row and column of the cursor.
    pub(in crate::tui) fn place(&self, columns: usize) -> (usize, usize) {
        let rows = self.rows(columns);
        let row = rows.iter().rposition(|row| row.start <= self.cursor);
        let row = row.unwrap_or(0);
        let start = rows.get(row).map_or(0, |row| row.start);
        let before = self.text.get(start..self.cursor).unwrap_or_default();
        // Spaces at a break may reach beyond the end.
        (row, wrap::width(before).min(columns))
    }
}

/// Without what the sanitiser takes out; line breaks and tabs are kept.
fn harmless(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    for (at, line) in text.split('\n').enumerate() {
        if at > 0 {
            clean.push('\n');
        }
        for (at, part) in line.split('\t').enumerate() {
            if at > 0 {
                clean.push('\t');
            }
            for (at, line) in sanitise_block(part).enumerate() {
                if at > 0 {
                    clean.push('\n');
                }
                // What stood for a control character has nothing to say here.
                clean.extend(line.chars().filter(|c| *c != '\u{fffd}'));
            }
        }
    }
    clean
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(text: &str) -> Composer {
        let mut composer = Composer::default();
        composer.insert(text).unwrap();
        composer
    }

    #[test]
    fn graphemes_are_stepped_over_and_erased_whole() {
        let mut composer = with("aé👩\u{200d}💻e\u{301}");
        composer.backspace();
        assert_eq!(composer.text(), "aé👩\u{200d}💻");
        composer.left();
        composer.delete();
        assert_eq!(composer.text(), "aé");
        composer.left();
        composer.left();
        composer.left();
        composer.insert("x").unwrap();
        assert_eq!(composer.text(), "xaé");
    }

    #[test]
    fn marks_join_what_is_there() {
        let mut composer = with("e");
        composer.insert("\u{301}").unwrap();
        assert_eq!(composer.text(), "e\u{301}");
        composer.backspace();
        assert_eq!(composer.text(), "");
    }

    #[test]
    fn words_and_lines_are_moved_over_and_erased() {
        let mut composer = with("um dois\ntrês  quatro");
        composer.word_left();
        assert_eq!(composer.after(), "quatro");
        composer.erase_word();
        assert_eq!(composer.text(), "um dois\nquatro");
        composer.end();
        composer.erase_to_start();
        assert_eq!(composer.text(), "um dois\n");
        composer.left();
        composer.home();
        composer.word_right();
        assert_eq!(composer.before(), "um");
        composer.erase_to_end();
        assert_eq!(composer.text(), "um\n");
    }

    #[test]
    fn what_is_pasted_keeps_its_lines_and_loses_what_cannot_be_seen() {
        let composer = with("a\tb\n\n\u{202e}c\u{1b}[2Jd\u{200b}");
        assert_eq!(composer.text(), "a\tb\n\nc[2Jd");
        let mut composer = with("x");
        assert_eq!(composer.insert(&"y".repeat(MAX_BYTES)), Err(TooLong));
        assert_eq!(composer.text(), "x");
    }

    #[test]
    fn rows_are_gone_through_at_the_column_where_one_began() {
        // Shown as "abcdef", "gh", "日本語", "ij".
        let mut composer = with("abcdefgh\n日本語\nij");
        assert_eq!(composer.place(6), (3, 2));
        assert!(composer.up(6));
        assert_eq!(composer.place(6), (2, 2));
        assert!(composer.up(6) && composer.up(6));
        assert_eq!(composer.place(6), (0, 2));
        assert!(!composer.up(6));
        composer.end();
        // The end of the line is in its second row.
        assert_eq!(composer.place(6), (1, 2));
        composer.left();
        composer.left();
        composer.left();
        assert_eq!(composer.place(6), (0, 5));
        assert!(composer.down(6));
        assert_eq!(composer.place(6), (1, 2));
        assert!(composer.down(6));
        assert_eq!(
            composer.place(6),
            (2, 4),
            "before the letter that does not fit"
        );
        assert!(composer.down(6));
        assert!(!composer.down(6));
    }

    #[test]
    fn what_was_written_before_can_be_had_again() {
        let mut composer = Composer::default();
        assert!(!composer.older() && !composer.newer());
        for text in ["um", "dois", "dois", "  "] {
            composer.insert(text).unwrap();
            composer.take();
        }
        composer.insert("rascunho").unwrap();
        let mut seen = Vec::new();
        while composer.older() {
            seen.push(composer.text().to_owned());
        }
        assert_eq!(seen, ["dois", "um"]);
        assert!(composer.newer());
        assert_eq!(composer.text(), "dois");
        assert!(composer.newer() && !composer.newer());
        assert_eq!(composer.text(), "rascunho");
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut composer = Composer::default();
        for at in 0..200 {
            composer
                .insert(&format!("{at}{}", "x".repeat(60_000)))
                .unwrap();
            composer.take();
        }
        let bytes: usize = composer.remembered.iter().map(String::len).sum();
        assert!(bytes <= MAX_REMEMBERED_BYTES && composer.remembered.len() > 5);
    }
}
