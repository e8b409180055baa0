//! Text in rows: where a line breaks, and how wide things are. Pure, and the same for what is drawn, scrolled and edited.

use std::ops::Range;

use ratatui::buffer::CellWidth;
use unicode_segmentation::UnicodeSegmentation;

/// How many columns a text takes. What takes none is not drawn.
pub(crate) fn width(text: &str) -> usize {
    if text.is_ascii() {
        return text.len();
    }
    text.graphemes(true).map(grapheme_width).sum()
}

/// How many columns a grapheme takes.
pub(crate) fn grapheme_width(grapheme: &str) -> usize {
    // A tab, which only what is being edited has, is shown as a space.
    match grapheme {
        "\t" => 1,
        _ => usize::from(grapheme.cell_width()),
    }
}

/// The rows of a line, as ranges of its bytes; at least one. Breaks behind spaces where it can, else anywhere. Spaces at
/// a break belong to the row before it, and may reach beyond its end.
pub(crate) fn rows(line: &str, columns: usize) -> Vec<Range<usize>> {
    let columns = columns.max(2);
    if line.is_ascii() && line.len() <= columns {
        // Most lines; what is drawn of others costs more.
        return std::iter::once(0..line.len()).collect();
    }
    let mut wrapping = Wrapping {
        columns,
        rows: Vec::new(),
        start: 0,
        taken: 0,
        chance: None,
        is_within: false,
    };
    for (at, grapheme) in line.grapheme_indices(true) {
        let wide = grapheme_width(grapheme);
        if wide <= columns {
            wrapping.take(at, grapheme, wide);
            continue;
        }
        // Whatever is heaped into one: it is shown, if not as one.
        for (offset, c) in grapheme.char_indices() {
            let part = &grapheme[offset..offset + c.len_utf8()];
            wrapping.take(at + offset, part, grapheme_width(part));
        }
    }
    wrapping.rows.push(wrapping.start..line.len());
    wrapping.rows
}

/// A line that is being broken.
struct Wrapping {
    columns: usize,
    rows: Vec<Range<usize>>,
    start: usize,
    /// Columns of the row since then.
    taken: usize,
    /// The last place to break at, and how much of the row stands before it.
    chance: Option<(usize, usize)>,
    /// Whether the word has begun with more than signs.
    is_within: bool,
}

impl Wrapping {
    fn take(&mut self, at: usize, grapheme: &str, wide: usize) {
        let is_space = grapheme == " " || grapheme == "\t" || grapheme == "\u{3000}";
        if self.taken + wide > self.columns && !is_space {
            match self.chance.take() {
                Some((place, before)) if place > self.start => self.end(place, before),
                _ => self.end(at, self.taken),
            }
            // What stood behind the break may not leave room either.
            if self.taken + wide > self.columns {
                self.end(at, self.taken);
            }
        }
        self.taken += wide;
        // Scripts without spaces are wide, and break behind every letter.
        let is_sign = grapheme == "-" || grapheme == "/";
        // What begins a word is part of it: `/accept`, `--name`.
        if is_space || wide > 1 || (is_sign && self.is_within) {
            self.chance = Some((at + grapheme.len(), self.taken));
        }
        self.is_within = !is_space && (self.is_within || !is_sign);
    }

    /// Ends the row at this place, up to which so many columns are taken.
    fn end(&mut self, place: usize, taken: usize) {
        self.rows.push(self.start..place);
        self.start = place;
        self.taken -= taken;
    }
}

/// A text cut to so many columns, with `…` where something is left out.
pub(crate) fn cut(text: &str, columns: usize) -> String {
    if width(text) <= columns {
        return text.to_owned();
    }
    let (mut kept, mut taken) = (String::new(), 1);
    for grapheme in text.graphemes(true) {
        taken += grapheme_width(grapheme);
        if taken > columns {
            break;
        }
        kept.push_str(grapheme);
    }
    if columns > 0 {
        kept.push('…');
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn wrapped(line: &str, columns: usize) -> Vec<&str> {
        rows(line, columns)
            .into_iter()
            .map(|row| &line[row])
            .collect()
    }

    #[test]
    fn lines_break_behind_spaces_where_they_can() {
        assert_eq!(wrapped("", 10), [""]);
        assert_eq!(wrapped("exactly ten", 11), ["exactly ten"]);
        assert_eq!(wrapped("one two three", 8), ["one two ", "three"]);
        assert_eq!(wrapped("a     b", 3), ["a     ", "b"]);
        assert_eq!(wrapped("well-known", 6), ["well-", "known"]);
        assert_eq!(wrapped("abcdefghij", 4), ["abcd", "efgh", "ij"]);
        assert_eq!(wrapped("ab cdefghij", 4), ["ab ", "cdef", "ghij"]);
        assert_eq!(wrapped("/usr/share/doc", 8), ["/usr/", "share/", "doc"]);
        assert_eq!(wrapped("or /accept it", 6), ["or ", "/accep", "t it"]);
        assert_eq!(wrapped("say --name x", 7), ["say ", "--name ", "x"]);
    }

    #[test]
    fn wide_letters_and_what_is_joined_stay_whole() {
        assert_eq!(
            wrapped("日本語のテキスト", 5),
            ["日本", "語の", "テキ", "スト"]
        );
        assert_eq!(wrapped("ab日", 3), ["ab", "日"]);
        let family = "👩\u{200d}👩\u{200d}👧";
        let line = format!("{family}{family}");
        assert_eq!(wrapped(&line, 3), [family, family]);
        assert_eq!(
            wrapped("e\u{301}e\u{301}e\u{301}", 2),
            ["e\u{301}e\u{301}", "e\u{301}"]
        );
        assert_eq!(width("日本e\u{301}👍🏽"), 7);
        // What is no letter of any script is heaped into one here.
        let heap = "👩\u{301}\u{200d}".repeat(3);
        assert_eq!(wrapped(&heap, 2).len(), 3);
    }

    #[test]
    fn what_is_cut_says_so() {
        assert_eq!(cut("Alice", 5), "Alice");
        assert_eq!(cut("Alice", 4), "Ali…");
        assert_eq!(cut("日本語", 4), "日…");
        assert_eq!(cut("Alice", 1), "…");
        assert_eq!(cut("Alice", 0), "");
    }

    #[test]
    fn long_lines_take_linear_time() {
        // Anything quadratic would take minutes here.
        for unit in ["x", "x ", "日", "👩\u{200d}", " "] {
            let line = unit.repeat(1 << 18);
            assert!(!rows(&line, 40).is_empty());
        }
    }

    proptest! {
        #[test]
        fn rows_are_the_line_and_fit(
            line in "[ a-e日é\u{301}👩\u{200d}\\-/\t]{0,60}", columns in 2..20usize
        ) {
            let rows = rows(&line, columns);
            let whole: String = rows.iter().map(|row| &line[row.clone()]).collect();
            prop_assert_eq!(&whole, &line);
            for row in rows {
                let shown = line[row].trim_end_matches([' ', '\t']);
                prop_assert!(width(shown) <= columns, "{:?}", shown);
            }
        }
    }
}
