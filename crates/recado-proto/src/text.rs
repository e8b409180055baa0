//! The one sanitiser: what text from outside passes before it meets a terminal or a log.
//!
//! Messages, names, file names and a server's error texts are written by others. Left as they are,
//! they could move the cursor, recolour the screen, turn the order of letters around, hide in zero
//! width, or begin a line that looks like one of ours. [`sanitise_line`] makes any text one harmless
//! line, [`sanitise_block`] a sequence of such lines. Meaning is kept where a person could see it,
//! and only there:
//!
//! | what comes | what is shown |
//! |---|---|
//! | line break: LF, CR, CR LF, U+0085, U+2028, U+2029 | `␤` (U+2424) in a line, a new line in a block |
//! | tab | a space |
//! | other control character (C0, DEL, C1), noncharacter | one `�` (U+FFFD) for a run of them |
//! | bidi control, zero-width space, tag, other invisible character | nothing |
//! | joiner (ZWJ, ZWNJ) | itself, once, between letters of scripts that use it, or emoji (ZWJ) |
//! | variation selector | itself, once, right after the character that it selects for |
//! | combining marks | at most [`MAX_MARKS`] on a base; `◌` (U+25CC) is the base where a line has none |
//!
//! A line break and a control character leave a visible trace, because a text without them would
//! read as something that nobody wrote (`a␤b` is not the file `ab`). What was invisible leaves none.
//! Emoji flags that are spelt with tags (Scotland, Wales) lose them and show as a black flag.
//!
//! Sanitising twice is the same as sanitising once; time is linear, and text that needs no change is
//! returned as it is, without a copy.
//!
//! Not done here: the width that a text takes and where it wraps are its reader's matter, and
//! right-to-left letters still show from right to left.

use std::borrow::Cow;

use unicode_normalization::char::{canonical_combining_class, is_combining_mark};

/// The most combining marks that follow one base character.
///
/// Written languages need no more (stacked Tibetan, pointed and chanted Hebrew); more is meant to
/// paint over the neighbouring lines. It is twice what UTS 39 §5.4 would let an identifier have.
pub const MAX_MARKS: usize = 8;

/// Shows a line break inside a line: SYMBOL FOR NEWLINE.
const LINE_BREAK: char = '\u{2424}';
/// Shows a run of control characters.
const REPLACEMENT: char = '\u{FFFD}';
/// Carries marks that have no base: DOTTED CIRCLE. Else they would sit on the prompt before them.
const DOTTED_CIRCLE: char = '\u{25CC}';
const ZERO_WIDTH_JOINER: char = '\u{200D}';
/// The canonical combining class of viramas, which joiners may stand before (Bengali ya-phalaa).
const VIRAMA: u8 = 9;

/// One line that is safe to print, whatever `text` was. Line breaks show as `␤`.
pub fn sanitise_line(text: &str) -> Cow<'_, str> {
    // Most text is plain ASCII, and none of that needs the slow way.
    if text.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
        return Cow::Borrowed(text);
    }
    let mut line = Line::new(text);
    let mut after_carriage_return = false;
    for (at, c) in text.char_indices() {
        // CR LF is one break.
        if !(c == '\n' && after_carriage_return) {
            line.take(c, at);
        }
        after_carriage_return = c == '\r';
    }
    line.finish()
}

/// The lines of `text`, each safe to print; at least one, which is empty if the text is.
///
/// Lines end at LF, CR, CR LF, U+0085, U+2028 and U+2029; as with [`str::lines`], a break at the end
/// of the text begins no further line. The caller indents every line after the first, so that none
/// can be taken for a line of its own, such as `[TCP] Privado de …`. The number of lines is bounded
/// by the text only.
pub fn sanitise_block(text: &str) -> impl Iterator<Item = Cow<'_, str>> {
    Lines { rest: Some(text) }.map(sanitise_line)
}

/// Whether `c` is drawn upon or fused with its neighbour, without taking a place of its own.
///
/// These are the marks, and what the width tables of terminals count as nothing besides: vowels and
/// finals of conjoining Hangul, halfwidth kana marks, and signs that are drawn on what follows them
/// (Prepend in UAX 29).
pub(crate) fn is_mark(c: char) -> bool {
    is_combining_mark(c)
        || matches!(
            c,
            '\u{1160}'..='\u{11FF}'
                | '\u{D7B0}'..='\u{D7FF}'
                | '\u{FF9E}'..='\u{FF9F}'
                | '\u{600}'..='\u{605}'
                | '\u{6DD}'
                | '\u{70F}'
                | '\u{890}'..='\u{891}'
                | '\u{8E2}'
                | '\u{D4E}'
                | '\u{A8FA}'
                | '\u{110BD}'
                | '\u{110CD}'
                | '\u{111C2}'..='\u{111C3}'
                | '\u{113D1}'
                | '\u{1193F}'
                | '\u{11941}'
                | '\u{11A3A}'
                | '\u{11A84}'..='\u{11A89}'
                | '\u{11D46}'
                | '\u{11F02}'
        )
}

/// The lines of a text, as they came.
struct Lines<'a> {
    /// What has not been given out; `None` at the end.
    rest: Option<&'a str>,
}

impl<'a> Iterator for Lines<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        let rest = self.rest.take()?;
        let Some((line, after)) = rest.split_once(is_line_break) else {
            return Some(rest);
        };
        let broken_by_cr = rest.as_bytes().get(line.len()) == Some(&b'\r');
        let after = match after.strip_prefix('\n') {
            Some(after) if broken_by_cr => after,
            _ => after,
        };
        self.rest = (!after.is_empty()).then_some(after);
        Some(line)
    }
}

/// What a character is to the sanitiser.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    LineBreak,
    Tab,
    Control,
    Invisible,
    Joiner,
    Selector,
    Mark,
    Blank,
    /// A letter of a script in which joiners change what is seen.
    Joining,
    Pictograph,
    Plain,
}

impl Kind {
    fn of(c: char) -> Self {
        match c {
            '\t' => Self::Tab,
            ' ' => Self::Blank,
            '!'..='~' => Self::Plain,
            c if is_line_break(c) => Self::LineBreak,
            c if c.is_control() || is_noncharacter(c) => Self::Control,
            '\u{200C}' | ZERO_WIDTH_JOINER => Self::Joiner,
            c if is_selector(c) => Self::Selector,
            c if is_invisible(c) => Self::Invisible,
            c if is_mark(c) => Self::Mark,
            c if c.is_whitespace() => Self::Blank,
            c if is_joining(c) => Self::Joining,
            c if is_pictograph(c) => Self::Pictograph,
            _ => Self::Plain,
        }
    }
}

/// The last character kept that was no mark, selector or joiner.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Base {
    /// There was none yet.
    Start,
    Blank,
    Replacement,
    Plain,
    Joining,
    Pictograph,
}

/// A line in the making.
struct Line<'a> {
    output: Output<'a>,
    base: Base,
    /// Marks kept since the base.
    marks: usize,
    /// Whether the last character kept is a variation selector.
    selected: bool,
    /// A joiner and where it stands; kept only if what follows can be joined.
    joiner: Option<(char, usize)>,
}

impl<'a> Line<'a> {
    fn new(text: &'a str) -> Self {
        Self {
            output: Output {
                text,
                same: 0,
                changed: None,
            },
            base: Base::Start,
            marks: 0,
            selected: false,
            joiner: None,
        }
    }

    /// Takes the character at byte `at` of the text.
    fn take(&mut self, c: char, at: usize) {
        match Kind::of(c) {
            Kind::LineBreak => self.replace(LINE_BREAK, Base::Blank),
            Kind::Tab => self.replace(' ', Base::Blank),
            Kind::Control if self.base == Base::Replacement && self.marks == 0 => {}
            Kind::Control => self.replace(REPLACEMENT, Base::Replacement),
            Kind::Invisible => {}
            Kind::Joiner => self.take_joiner(c, at),
            Kind::Selector => self.take_selector(c, at),
            Kind::Mark => self.take_mark(c, at),
            Kind::Blank => self.keep(c, at, Base::Blank),
            Kind::Joining => self.keep(c, at, Base::Joining),
            Kind::Pictograph => self.keep(c, at, Base::Pictograph),
            Kind::Plain => self.keep(c, at, Base::Plain),
        }
    }

    fn keep(&mut self, c: char, at: usize, base: Base) {
        if let Some((joiner, at)) = self.joiner.take()
            && self.base == base
        {
            self.output.keep(joiner, at);
        }
        self.output.keep(c, at);
        self.begin(base);
    }

    fn replace(&mut self, c: char, base: Base) {
        self.output.insert(c);
        self.begin(base);
    }

    fn begin(&mut self, base: Base) {
        self.base = base;
        self.marks = 0;
        self.selected = false;
        self.joiner = None;
    }

    fn take_joiner(&mut self, c: char, at: usize) {
        let joins = match self.base {
            Base::Joining => true,
            Base::Pictograph => c == ZERO_WIDTH_JOINER && self.marks == 0,
            Base::Start | Base::Blank | Base::Replacement | Base::Plain => false,
        };
        if joins && self.joiner.is_none() {
            self.joiner = Some((c, at));
        }
    }

    fn take_selector(&mut self, c: char, at: usize) {
        let selects = match self.base {
            Base::Plain | Base::Joining | Base::Pictograph => self.marks == 0,
            Base::Start | Base::Blank | Base::Replacement => false,
        };
        if selects && !self.selected && self.joiner.is_none() {
            self.output.keep(c, at);
            self.selected = true;
        }
    }

    fn take_mark(&mut self, c: char, at: usize) {
        if self.base == Base::Start {
            self.replace(DOTTED_CIRCLE, Base::Plain);
        }
        if self.marks >= MAX_MARKS {
            return;
        }
        if let Some((joiner, at)) = self.joiner.take()
            && canonical_combining_class(c) == VIRAMA
        {
            self.output.keep(joiner, at);
        }
        self.output.keep(c, at);
        self.marks = self.marks.saturating_add(1);
        self.selected = false;
    }

    fn finish(self) -> Cow<'a, str> {
        self.output.finish()
    }
}

/// What has been kept: a part of the text from its beginning for as long as that is all of it.
struct Output<'a> {
    text: &'a str,
    /// How many bytes of the text have been kept unchanged, while nothing differs.
    same: usize,
    changed: Option<String>,
}

impl Output<'_> {
    /// Adds the character at byte `at` of the text.
    fn keep(&mut self, c: char, at: usize) {
        if self.changed.is_none() && at == self.same {
            self.same = self.same.saturating_add(c.len_utf8());
        } else {
            self.insert(c);
        }
    }

    /// Adds a character that the text does not have there.
    fn insert(&mut self, c: char) {
        let kept = self.text.get(..self.same).unwrap_or_default();
        self.changed.get_or_insert_with(|| kept.to_owned()).push(c);
    }
}

impl<'a> Output<'a> {
    fn finish(self) -> Cow<'a, str> {
        match self.changed {
            Some(changed) => Cow::Owned(changed),
            None => Cow::Borrowed(self.text.get(..self.same).unwrap_or_default()),
        }
    }
}

fn is_line_break(c: char) -> bool {
    matches!(c, '\n' | '\r' | '\u{85}' | '\u{2028}' | '\u{2029}')
}

/// The code points that Unicode will never assign: U+FDD0 to U+FDEF and the last two of each plane.
fn is_noncharacter(c: char) -> bool {
    matches!(c, '\u{FDD0}'..='\u{FDEF}') || u32::from(c) & 0xFFFE == 0xFFFE
}

/// The variation selectors, general and Mongolian.
fn is_selector(c: char) -> bool {
    matches!(
        c,
        '\u{FE00}'..='\u{FE0F}'
            | '\u{E0100}'..='\u{E01EF}'
            | '\u{180B}'..='\u{180D}'
            | '\u{180F}'
    )
}

/// Characters that show nothing and either steer the text or fake emptiness: format characters
/// (Cf) except those that are drawn, and all others that are Default_Ignorable_Code_Point.
fn is_invisible(c: char) -> bool {
    matches!(
        c,
        '\u{AD}'                        // soft hyphen
            | '\u{34F}'                 // combining grapheme joiner
            | '\u{61C}'                 // Arabic letter mark (bidi)
            | '\u{115F}' | '\u{1160}'   // Hangul fillers
            | '\u{17B4}' | '\u{17B5}'   // Khmer inherent vowels
            | '\u{180E}'                // Mongolian vowel separator
            | '\u{200B}'                // zero-width space
            | '\u{200E}' | '\u{200F}'   // bidi marks
            | '\u{202A}'..='\u{202E}'   // bidi embeddings and overrides
            | '\u{2060}'..='\u{206F}'   // word joiner, operators, bidi isolates, deprecated
            | '\u{3164}' | '\u{FFA0}'   // Hangul fillers, wide and half
            | '\u{FEFF}'                // byte order mark
            | '\u{FFF0}'..='\u{FFFB}'   // unassigned; interlinear annotation
            | '\u{13430}'..='\u{1343F}' // hieroglyph format controls
            | '\u{1BCA0}'..='\u{1BCA3}' // shorthand format controls
            | '\u{1D173}'..='\u{1D17A}' // musical format controls
            | '\u{E0000}'..='\u{E0FFF}' // tags, unassigned
    )
}

/// Letters of the cursive and Brahmic scripts, in which a joiner changes the shape of its
/// neighbours (Unicode 23.2). Between other letters it only hides.
fn is_joining(c: char) -> bool {
    c.is_alphabetic()
        && matches!(
            c,
            '\u{600}'..='\u{DFF}'          // Arabic to Sinhala
                | '\u{F00}'..='\u{109F}'   // Tibetan, Myanmar
                | '\u{1700}'..='\u{18AF}'  // Philippine scripts, Khmer, Mongolian
                | '\u{1900}'..='\u{1CFF}'  // Limbu to Vedic
                | '\u{A800}'..='\u{ABFF}'  // Syloti Nagri to Meetei Mayek
                | '\u{FB50}'..='\u{FDCF}'  // Arabic presentation forms
                | '\u{FDF0}'..='\u{FDFF}'
                | '\u{FE70}'..='\u{FEFE}'
                | '\u{10A00}'..='\u{11FFF}' // Kharoshthi, Manichaean, Sogdian, Brahmi and the later
                | '\u{1E900}'..='\u{1E95F}' // Adlam
        )
}

/// The blocks whose characters take part in emoji sequences.
fn is_pictograph(c: char) -> bool {
    matches!(
        c,
        '\u{2190}'..='\u{21FF}'
            | '\u{2300}'..='\u{23FF}'
            | '\u{2600}'..='\u{27BF}'
            | '\u{2B00}'..='\u{2BFF}'
            | '\u{1F000}'..='\u{1FAFF}'
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// What may never reach a terminal, whatever stands around it; written apart from the code above.
    fn forbidden(c: char) -> bool {
        matches!(
            u32::from(c),
            0x00..=0x1F
                | 0x7F..=0x9F
                | 0xAD
                | 0x61C
                | 0x180E
                | 0x200B
                | 0x200E
                | 0x200F
                | 0x2028..=0x202E
                | 0x2060..=0x206F
                | 0x3164
                | 0xFDD0..=0xFDEF
                | 0xFEFF
                | 0xFFF0..=0xFFFB
                | 0xFFFE
                | 0xFFFF
                | 0xE0000..=0xE00FF
                | 0xE01F0..=0xE0FFF
        )
    }

    /// Any text, with the characters that matter here far more often than chance would have them.
    fn hostile() -> impl Strategy<Value = String> {
        let character = prop_oneof![
            any::<char>(),
            prop::sample::select(
                "aZ é_\u{1b}\u{7f}\u{9b}\t\n\r\u{85}\u{2028}\u{2029}\u{200b}\u{200c}\u{200d}\u{202e}\
                 \u{2066}\u{2069}\u{301}\u{94d}\u{915}\u{937}\u{645}\u{20e3}\u{fe0f}\u{fe00}\u{e0100}\
                 \u{e0067}\u{e007f}👩🏴❤🏽\u{1161}\u{11a8}\u{1100}\u{fffd}\u{2424}\u{25cc}\u{feff}"
                    .chars()
                    .collect::<Vec<_>>()
            ),
        ];
        prop::collection::vec(character, 0..40).prop_map(String::from_iter)
    }

    #[track_caller]
    fn shows(text: &str, shown: &str) {
        assert_eq!(sanitise_line(text), shown, "for {text:?}");
    }

    /// Passes unchanged, and without a copy.
    #[track_caller]
    fn passes(text: &str) {
        shows(text, text);
        assert!(
            matches!(sanitise_line(text), Cow::Borrowed(_)),
            "{text:?} was copied"
        );
    }

    #[test]
    fn ordinary_text_passes_without_a_copy() {
        for text in [
            "",
            "Olá, todos!",
            "[UDP] A: preço: 1,5 €, “aspas” — e ~tudo~",
            "Привет мир",
            "日本語のテキスト",
            "العربية ومرحبا",
            "עִבְרִית",
            "ไทย",
            "각 한국어",
            "non\u{a0}breaking\u{3000}spaces",
            "e\u{301} decomposed, as macOS names files; 각 too",
            "\u{e000} private use",
        ] {
            passes(text);
        }
    }

    #[test]
    fn control_characters_leave_one_trace_and_escape_never_passes() {
        shows("\u{1b}[31mred\u{1b}[0m", "\u{fffd}[31mred\u{fffd}[0m");
        shows("\u{1b}]0;title\u{7}", "\u{fffd}]0;title\u{fffd}");
        shows("a\u{0}\u{8}\u{7f}\u{9b}b", "a\u{fffd}b");
        shows("\u{b}\u{c}", "\u{fffd}");
        shows("\u{1b}\u{200b}\u{1b}", "\u{fffd}");
        shows("a\u{ffff}\u{fdd0}", "a\u{fffd}");
        shows("col\tumn", "col umn");
    }

    #[test]
    fn line_breaks_show_in_a_line() {
        shows("a\nb\rc\r\nd", "a␤b␤c␤d");
        shows("a\u{85}b\u{2028}c\u{2029}d", "a␤b␤c␤d");
        shows("a\n\n\r\r\n", "a␤␤␤␤");
    }

    #[test]
    fn direction_cannot_be_turned() {
        shows("user\u{202e}gpj.exe", "usergpj.exe");
        shows("\u{2066}a\u{2069}\u{200e}b\u{200f}\u{61c}", "ab");
        shows("\u{202a}\u{202b}\u{202c}\u{202d}\u{2067}\u{2068}", "");
    }

    #[test]
    fn invisible_characters_vanish() {
        shows("a\u{200b}\u{200b}\u{feff}\u{2060}\u{ad}b", "ab");
        shows("\u{fff9}a\u{fffa}b\u{fffb}", "ab");
        shows("a\u{206a}\u{206f}\u{2063}b", "ab");
        shows("\u{3164}\u{ffa0}\u{115f}\u{34f}", "");
        shows("\u{e0041}\u{e0042}x", "x");
        shows(
            "🏴\u{e0067}\u{e0062}\u{e0073}\u{e0063}\u{e0074}\u{e007f}",
            "🏴",
        );
    }

    #[test]
    fn every_default_ignorable_character_is_dropped_or_conditional() {
        use unicode_security::general_security_profile::{GeneralSecurityProfile, IdentifierType};

        let mut seen = 0;
        for c in ('\u{0}'..=char::MAX)
            .filter(|c| c.identifier_type() == Some(IdentifierType::Default_Ignorable))
        {
            seen = u32::max(seen, u32::from(c));
            shows(&format!(" {c} {c}{c} "), "   ");
        }
        assert!(seen > 0xE0000, "the table was not read");
    }

    #[test]
    fn joiners_stay_where_they_mean_something() {
        passes("👩\u{200d}👩\u{200d}👧");
        passes("❤\u{fe0f}\u{200d}🔥 👩🏽\u{200d}💻");
        passes("می\u{200c}خواهم"); // Persian
        passes("क्\u{200d}ष"); // Devanagari half form
        passes("র\u{200d}্য"); // Bengali ya-phalaa: the joiner stands before the virama
        shows("pay\u{200d}pal\u{200c}.com", "paypal.com");
        shows("👩\u{200d}\u{200d}\u{200c}👩", "👩\u{200d}👩");
        shows("👩\u{200c}👩", "👩👩");
        shows("👩\u{200d}", "👩");
        shows("\u{200d}👩 \u{200d}a", "👩 a");
        shows("م\u{200c} م", "م م");
        shows("م\u{200c}\u{200d}م", "م\u{200c}م");
        shows("م\u{200c}\u{202e}م", "م\u{200c}م");
    }

    #[test]
    fn variation_selectors_stand_once_and_on_something() {
        passes("❤\u{fe0f} 1\u{fe0f}\u{20e3} 葛\u{e0100}");
        shows("❤\u{fe0f}\u{fe0f}\u{fe0e}", "❤\u{fe0f}");
        shows("❤\u{fe0f}\u{200b}\u{fe0f}", "❤\u{fe0f}");
        shows("\u{fe0f}a \u{fe0f}", "a ");
        shows("e\u{301}\u{fe0f}", "e\u{301}");
    }

    #[test]
    fn marks_are_few_and_never_on_the_prompt() {
        let eight = "\u{300}".repeat(MAX_MARKS);
        passes(&format!("a{eight}b{eight}"));
        shows(
            &format!("a{eight}\u{301}\u{200b}\u{302}b"),
            &format!("a{eight}b"),
        );
        shows("\u{301}a", "◌\u{301}a");
        shows(
            &"\u{488}".repeat(1000),
            &format!("◌{}", "\u{488}".repeat(MAX_MARKS)),
        );
        // Kana marks, and Arabic signs before a number.
        passes("ﾊﾟ \u{601}123");
        shows(
            &format!("7{}", "\u{605}".repeat(99)),
            &format!("7{}", "\u{605}".repeat(MAX_MARKS)),
        );
        // Hangul vowels and finals take no place of their own either.
        passes("\u{1100}\u{1161}\u{11a8}");
        shows(
            &format!("\u{1100}{}", "\u{1161}".repeat(99)),
            &format!("\u{1100}{}", "\u{1161}".repeat(8)),
        );
    }

    #[test]
    fn a_message_cannot_fake_a_line() {
        let shown: Vec<_> =
            sanitise_block("oi\n[TCP] Privado de B: mentira\r\u{1b}[Afim").collect();
        assert_eq!(
            shown,
            ["oi", "[TCP] Privado de B: mentira", "\u{fffd}[Afim"]
        );
        assert!(!sanitise_line("oi\n[TCP] Privado de B").contains('\n'));
    }

    #[test]
    fn blocks_are_split_at_every_kind_of_break() {
        let lines = |text| {
            sanitise_block(text)
                .map(Cow::into_owned)
                .collect::<Vec<_>>()
        };
        assert_eq!(
            lines("a\nb\r\nc\rd\u{85}e\u{2028}f\u{2029}g"),
            ["a", "b", "c", "d", "e", "f", "g"]
        );
        assert_eq!(lines(""), [""]);
        assert_eq!(lines("\n"), [""]);
        assert_eq!(lines("\r\n"), [""]);
        assert_eq!(lines("a\n"), ["a"]);
        assert_eq!(lines("a\n\n"), ["a", ""]);
        assert_eq!(lines("\na\n\rb"), ["", "a", "", "b"]);
        assert_eq!(lines("a\n\u{301}b"), ["a", "◌\u{301}b"]);
    }

    #[test]
    fn long_hostile_text_takes_linear_time() {
        // Anything quadratic would take hours here.
        for unit in [
            "\u{200d}",
            "\u{301}",
            "\u{1b}",
            "\n",
            "م\u{200c}",
            "a\u{202e}",
            "\r",
            "👩\u{200d}",
        ] {
            let text = unit.repeat(1 << 20);
            assert!(sanitise_line(&text).len() <= text.len().saturating_mul(3));
            assert!(sanitise_block(&text).count() <= 1 << 20);
        }
    }

    proptest! {
        #[test]
        fn nothing_forbidden_passes(text in hostile()) {
            let shown = sanitise_line(&text);
            prop_assert!(!shown.contains(forbidden), "{:?}", shown);
            for line in sanitise_block(&text) {
                prop_assert!(!line.contains(forbidden), "{:?}", line);
            }
        }

        #[test]
        fn runs_without_width_are_short(text in hostile()) {
            let mut run: usize = 0;
            for c in sanitise_line(&text).chars() {
                let narrow = is_mark(c) || matches!(Kind::of(c), Kind::Joiner | Kind::Selector);
                run = if narrow { run.saturating_add(1) } else { 0 };
                // The marks, a selector before them and joiners between viramas.
                prop_assert!(run <= 2 * MAX_MARKS + 2);
            }
        }

        #[test]
        fn twice_is_once(text in hostile()) {
            let once = sanitise_line(&text);
            let twice = sanitise_line(&once);
            prop_assert_eq!(&twice, &once);
            prop_assert!(matches!(twice, Cow::Borrowed(_)));
        }

        #[test]
        fn a_block_is_its_lines(text in hostile()) {
            let lines: Vec<_> = sanitise_block(&text).collect();
            prop_assert!(!lines.is_empty());
            // Without a break, a line and a block show the same.
            if !text.contains(is_line_break) {
                prop_assert_eq!(&lines, &[sanitise_line(&text)]);
            }
        }
    }
}
