//! Why a text is not a number, in the words that help most.

use crate::number::{NumberError, Prefix};

/// The reason why this text, which does not follow the grammar of a number, was refused.
///
/// The order matters: what cannot be seen comes first, then what a person or a program probably meant,
/// then where the number ends.
pub(crate) fn why_not_a_number(text: &str) -> NumberError {
    if text.chars().any(is_control) {
        return NumberError::ControlCharacter;
    }
    let trimmed = text.trim();
    if trimmed.is_empty() {
        return NumberError::Empty;
    }
    if reads_with_plus_for_space(text) {
        return NumberError::SpaceForPlus;
    }
    let unsigned = text.strip_prefix(['+', '-', '−']).unwrap_or(text);
    if is_nan(unsigned) {
        return NumberError::Nan;
    }
    if is_infinity(unsigned) {
        return NumberError::Infinity;
    }
    if unsigned
        .chars()
        .any(|letter| letter.is_numeric() && !letter.is_ascii())
    {
        return NumberError::NonAsciiDigit;
    }
    match separators(unsigned) {
        Some(Separators::Groups) => return NumberError::ThousandsSeparator,
        Some(Separators::DecimalComma) => return NumberError::DecimalComma,
        None => {}
    }
    if text.contains(char::is_whitespace) {
        return NumberError::WhiteSpace;
    }
    match Prefix::of(text) {
        Some(Prefix { rest, .. }) => {
            let read = text.len().saturating_sub(rest.len());
            let position = text
                .char_indices()
                .take_while(|&(at, _)| at <= read)
                .count();
            NumberError::TrailingCharacters { position }
        }
        None => NumberError::Malformed,
    }
}

/// Control characters, and the invisible ones that are copied along from web pages and chats.
fn is_control(letter: char) -> bool {
    letter.is_control()
        || matches!(
            letter,
            '\u{AD}'
                | '\u{61C}'
                | '\u{200B}'..='\u{200F}'
                | '\u{2028}'..='\u{202E}'
                | '\u{2060}'..='\u{206F}'
                | '\u{FEFF}'
        )
}

/// Whether the text is a number once a space in front or after the `e` is a `+`, as it was before a
/// URL's query was decoded.
fn reads_with_plus_for_space(text: &str) -> bool {
    let with_plus = match text.strip_prefix(' ') {
        Some(rest) => format!("+{rest}"),
        None => text.to_owned(),
    };
    let with_plus = with_plus.replace("e ", "e+").replace("E ", "E+");
    with_plus != text && Prefix::of(&with_plus).is_some_and(|prefix| prefix.rest.is_empty())
}

/// `NaN`, also signalling and with a payload, as decimal arithmetic writes it.
fn is_nan(unsigned: &str) -> bool {
    let lower = unsigned.to_ascii_lowercase();
    ["nan", "snan", "qnan"].iter().any(|name| {
        lower
            .strip_prefix(name)
            .is_some_and(|payload| payload.bytes().all(|byte| byte.is_ascii_digit()))
    })
}

fn is_infinity(unsigned: &str) -> bool {
    ["inf", "infinity", "infinito", "∞"]
        .iter()
        .any(|name| unsigned.eq_ignore_ascii_case(name))
}

enum Separators {
    Groups,
    DecimalComma,
}

/// What the separators in an otherwise well-formed number mean; `None` if they make no sense.
///
/// A comma before exactly three digits, as in `1,000`, may be either: it counts as a thousands
/// separator, unless a zero or more than three digits before it rule that out.
fn separators(unsigned: &str) -> Option<Separators> {
    let mantissa = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, _))
            if Prefix::of(&unsigned.replace(is_separator, "")).is_some_and(ends) =>
        {
            mantissa
        }
        Some(_) => return None,
        None => unsigned,
    };
    if !mantissa
        .chars()
        .all(|letter| letter.is_ascii_digit() || is_separator(letter))
    {
        return None;
    }
    if are_groups(mantissa) {
        return Some(Separators::Groups);
    }
    // Grouped before a decimal mark of another kind: 1,234.5 or 1.234,5.
    let last = mantissa.rfind(['.', ','])?;
    let (before, after) = mantissa.split_at_checked(last)?;
    let mark = mantissa.get(last..)?.chars().next()?;
    let after = after.strip_prefix(mark)?;
    if !after.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    if !before.contains(mark) && are_groups(before) {
        return Some(Separators::Groups);
    }
    let only_digits = before.bytes().all(|byte| byte.is_ascii_digit());
    let some_digit = !(before.is_empty() && after.is_empty());
    (mark == ',' && only_digits && some_digit).then_some(Separators::DecimalComma)
}

fn ends(prefix: Prefix<'_>) -> bool {
    prefix.rest.is_empty()
}

fn is_separator(letter: char) -> bool {
    matches!(letter, ',' | '.' | '\'' | '’' | '_') || letter.is_whitespace()
}

/// One to three digits that do not begin with a zero, and then groups of three after the same
/// separator each time. An underscore or an apostrophe is a separator wherever it stands between
/// digits, since it can be nothing else.
fn are_groups(digits: &str) -> bool {
    let Some(separator) = digits.chars().find(|&letter| is_separator(letter)) else {
        return false;
    };
    let anywhere = matches!(separator, '_' | '\'' | '’');
    digits.split(separator).enumerate().all(|(at, group)| {
        group.bytes().all(|byte| byte.is_ascii_digit())
            && match group.len() {
                0 => false,
                _ if anywhere => true,
                3 => at > 0 || !group.starts_with('0'),
                1 | 2 => at == 0 && !group.starts_with('0'),
                _ => false,
            }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::number::Number;

    #[test]
    fn each_mistake_has_its_own_name() {
        use NumberError::*;
        for (error, texts) in [
            (Empty, &["", " ", "   ", "\u{3000}"][..]),
            (Nan, &["NaN", "nan", "-NAN", "sNaN", "NaN123", "qnan"]),
            (
                Infinity,
                &["inf", "-Infinity", "+INF", "∞", "-∞", "Infinito"],
            ),
            (
                DecimalComma,
                &[
                    "1,5", "-0,125", ",5", "5,", "1234,567", "0,000", "1,5e3", "1,2345",
                ],
            ),
            (
                ThousandsSeparator,
                &[
                    "1,000",
                    "1,000,000",
                    "1,234.5",
                    "1.234,5",
                    "1.000.000",
                    "-1 000 000",
                    "1'000",
                    "1_000",
                    "1_0",
                    "1\u{A0}000",
                    "1\u{202F}000,5",
                    "1,000e3",
                    "1’000.25",
                ],
            ),
            (NonAsciiDigit, &["١٢٣", "１２", "1½", "2²", "Ⅷ", "−３"]),
            (
                ControlCharacter,
                &[
                    "1\n",
                    "\t1",
                    "1\0",
                    "\u{FEFF}1",
                    "1\u{202E}2",
                    "\u{7f}",
                    "\r\n",
                ],
            ),
            (
                SpaceForPlus,
                &[" 5", " 1.5e3", "1e 5", "1E 05", " 1e 5", " .5"],
            ),
            (
                WhiteSpace,
                &["1 ", "  5", "1 5", "- 5", "1 e5", " -5", "abc def", "1 + 2"],
            ),
        ] {
            for text in texts {
                assert_eq!(text.parse::<Number>(), Err(error), "{text:?}");
            }
        }
    }

    #[test]
    fn what_follows_a_number_is_located() {
        for (text, position) in [
            ("1x", 2),
            ("12.5kg", 5),
            ("1.2.3", 4),
            ("1e", 2),
            ("1e+", 2),
            ("5é", 2),
            ("1--2", 2),
        ] {
            assert_eq!(
                text.parse::<Number>(),
                Err(NumberError::TrailingCharacters { position }),
                "{text}"
            );
        }
    }

    #[test]
    fn the_rest_is_malformed() {
        for text in [
            "abc", ".", "+", "-", "--1", "e5", ".e5", "x10", "−5", ",", "é",
        ] {
            assert_eq!(
                text.parse::<Number>(),
                Err(NumberError::Malformed),
                "{text}"
            );
        }
    }

    #[test]
    fn hostile_texts_are_refused() {
        let length = crate::limits::MAX_OPERAND_BYTES / 4;
        for piece in ["1,", "1.", "e ", " ", "1_", "1e", "-", "∞", "nan", "1 "] {
            assert!(piece.repeat(length).parse::<Number>().is_err(), "{piece}");
        }
    }
}
