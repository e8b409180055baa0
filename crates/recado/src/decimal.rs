//! Numbers as people write them: in Portuguese with a decimal comma.

use crate::i18n::Language;

/// What a number typed at a prompt means.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Typed {
    /// This number, with a decimal point.
    Number(String),
    /// It can be read in two ways: with the point as decimal point, and as mark of thousands.
    Ambiguous {
        /// Read with a decimal point, as the language writes it.
        decimal: String,
        /// Read as thousands.
        thousands: String,
    },
}

/// The number with a decimal point, where the language writes a comma: `1,5` is `1.5`. Anything else is left
/// to the service, which says what is wrong with it.
pub(crate) fn normalise(language: Language, text: &str) -> String {
    let text = text.trim();
    let comma =
        language.writes_decimal_comma() && text.matches(',').count() == 1 && !text.contains('.');
    if comma {
        text.replace(',', ".")
    } else {
        text.to_owned()
    }
}

/// The same at a prompt, where `1.125` could be meant as one thousand one hundred and twenty-five.
pub(crate) fn typed(language: Language, text: &str) -> Typed {
    let text = text.trim();
    if language.writes_decimal_comma() && looks_like_thousands(text) {
        return Typed::Ambiguous {
            decimal: text.replace('.', ","),
            thousands: text.replace('.', ""),
        };
    }
    Typed::Number(normalise(language, text))
}

/// One to three digits that do not begin with 0, a point, three digits; with or without a sign.
fn looks_like_thousands(text: &str) -> bool {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    unsigned.split_once('.').is_some_and(|(whole, part)| {
        (1..=3).contains(&whole.len())
            && part.len() == 3
            && digits(whole)
            && digits(part)
            && !whole.starts_with('0')
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_comma_is_decimal_where_the_language_writes_it_so() {
        for (typed, portuguese, english) in [
            ("1,5", "1.5", "1,5"),
            ("-,5", "-.5", "-,5"),
            (" 2 ", "2", "2"),
            ("1.5", "1.5", "1.5"),
            ("1.234,5", "1.234,5", "1.234,5"),
            ("1,2,3", "1,2,3", "1,2,3"),
        ] {
            assert_eq!(normalise(Language::Portuguese, typed), portuguese);
            assert_eq!(normalise(Language::English, typed), english);
        }
    }

    #[test]
    fn a_point_before_three_digits_is_asked_about() {
        let ambiguous = |text| matches!(typed(Language::Portuguese, text), Typed::Ambiguous { .. });
        for text in ["1.125", "12.125", "999.000", "-1.125"] {
            assert!(ambiguous(text), "{text}");
        }
        for text in [
            "0.125", "1.12", "1.1255", "1234.125", ".125", "1.125e3", "1,125", "1.12a",
        ] {
            assert!(!ambiguous(text), "{text}");
        }
        assert_eq!(
            typed(Language::English, "1.125"),
            Typed::Number("1.125".into())
        );
    }
}
