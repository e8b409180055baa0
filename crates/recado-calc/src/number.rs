//! Operands: decimals read from text, within bounds.

use std::fmt;
use std::str::FromStr;

use dashu_int::{Sign, UBig};

use crate::decimal::Decimal;
use crate::diagnosis;
use crate::limits::{MAX_OPERAND_BYTES, MAX_OPERAND_DIGITS, MAX_OPERAND_EXPONENT};
use crate::powers::to_signed;

/// An exact decimal within the bounds of an operand.
///
/// Equality is by value: `1.50` equals `15e-1`. `Display` gives the canonical text: no needless zeros,
/// a point as the decimal separator, plain notation up to
/// [`MAX_PLAIN_CHARS`](crate::limits::MAX_PLAIN_CHARS) characters and scientific above; it reads back
/// as the same number. A negative zero is zero.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Number(Decimal);

impl Number {
    pub(crate) fn decimal(&self) -> &Decimal {
        &self.0
    }
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Reads an optional sign, digits with at most one point among or around them, and an optional
/// exponent: `e` or `E`, an optional sign, digits. Linear in the length of the text, which is refused
/// unread above [`MAX_OPERAND_BYTES`].
impl FromStr for Number {
    type Err = NumberError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.len() > MAX_OPERAND_BYTES {
            return Err(NumberError::TextTooLong);
        }
        let Some(Prefix { written, rest: "" }) = Prefix::of(text) else {
            return Err(diagnosis::why_not_a_number(text));
        };
        written.number()
    }
}

/// The longest beginning of a text that is a number, and what follows it.
pub(crate) struct Prefix<'a> {
    written: Written<'a>,
    pub(crate) rest: &'a str,
}

impl<'a> Prefix<'a> {
    /// `None` if the text does not begin with a number.
    pub(crate) fn of(text: &'a str) -> Option<Self> {
        let (sign, rest) = split_sign(text);
        let (whole, rest) = split_digits(rest);
        let (fraction, rest) = match rest.strip_prefix('.') {
            Some(rest) => split_digits(rest),
            None => ("", rest),
        };
        if whole.is_empty() && fraction.is_empty() {
            return None;
        }
        let written = Written {
            sign,
            whole,
            fraction,
            exponent: (Sign::Positive, ""),
        };
        let Some(scale) = rest.strip_prefix(['e', 'E']) else {
            return Some(Self { written, rest });
        };
        let (exponent_sign, scale) = split_sign(scale);
        match split_digits(scale) {
            ("", _) => Some(Self { written, rest }),
            (digits, rest) => {
                let exponent = (exponent_sign, digits);
                Some(Self {
                    written: Written {
                        exponent,
                        ..written
                    },
                    rest,
                })
            }
        }
    }
}

/// The parts of a number as written.
struct Written<'a> {
    sign: Sign,
    whole: &'a str,
    fraction: &'a str,
    exponent: (Sign, &'a str),
}

impl Written<'_> {
    /// The number of these parts, if it is within bounds; nothing is computed before that is known.
    fn number(&self) -> Result<Number, NumberError> {
        let mut digits =
            String::with_capacity(self.whole.len().saturating_add(self.fraction.len()));
        digits.push_str(self.whole);
        digits.push_str(self.fraction);
        let significant = digits.trim_start_matches('0');
        if significant.is_empty() {
            return Ok(Number(Decimal::ZERO));
        }
        if significant.len() > MAX_OPERAND_DIGITS {
            return Err(NumberError::TooManyDigits);
        }
        let exponent = self
            .exponent()
            .saturating_sub(to_signed(self.fraction.len()));
        let leading = exponent
            .saturating_add(to_signed(significant.len()))
            .saturating_sub(1);
        if !(-MAX_OPERAND_EXPONENT..=MAX_OPERAND_EXPONENT).contains(&leading) {
            return Err(NumberError::ExponentOutOfRange);
        }
        // Digits alone always parse.
        let magnitude =
            UBig::from_str_radix(significant, 10).map_err(|_| NumberError::Malformed)?;
        Ok(Number(Decimal::new(self.sign, magnitude, exponent)))
    }

    /// The exponent as written, or the largest integer in its direction.
    fn exponent(&self) -> i64 {
        let (sign, digits) = self.exponent;
        if digits.is_empty() {
            return 0;
        }
        // Digits alone fail to parse only when they overflow.
        let size = digits.parse().unwrap_or(i64::MAX);
        match sign {
            Sign::Positive => size,
            Sign::Negative => size.saturating_neg(),
        }
    }
}

fn split_sign(text: &str) -> (Sign, &str) {
    if let Some(rest) = text.strip_prefix('-') {
        return (Sign::Negative, rest);
    }
    (Sign::Positive, text.strip_prefix('+').unwrap_or(text))
}

fn split_digits(text: &str) -> (&str, &str) {
    let end = text
        .find(|letter: char| !letter.is_ascii_digit())
        .unwrap_or(text.len());
    text.split_at(end)
}

/// Why a text was refused as an operand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NumberError {
    /// Nothing, or only spaces.
    #[error("the number is empty: write digits, such as 12 or -0.5")]
    Empty,
    /// "Not a number", as programs write it.
    #[error("NaN is not a number to calculate with: write digits, such as 12 or -0.5")]
    Nan,
    /// An infinity, by name or by sign.
    #[error("infinity is not a number to calculate with: write digits, such as 12 or 1e100")]
    Infinity,
    /// A comma where the decimal point belongs.
    #[error("the decimal separator is a comma: write a point instead, as in 1.5")]
    DecimalComma,
    /// Digits in groups.
    #[error(
        "the digits are in groups: leave out the thousands separators and use only a point, \
         for decimals, as in 1234567.89"
    )]
    ThousandsSeparator,
    /// Digits of another script, or characters such as `½` and `²`.
    #[error("not every digit is one of 0 to 9: write the number with those alone")]
    NonAsciiDigit,
    /// A control character or another invisible one.
    #[error(
        "the number contains a control character or an invisible one: remove it (a line break or \
         tab may have been copied along)"
    )]
    ControlCharacter,
    /// A space where a `+` was probably meant.
    #[error(
        "there is a space where a + was probably meant: in a URL a + means a space, so leave it out \
         or write %2B"
    )]
    SpaceForPlus,
    /// Other white space, at an end or inside.
    #[error("the number contains white space: remove it")]
    WhiteSpace,
    /// A number, and then something else.
    #[error(
        "the text begins with a number, but what follows from character {position} on is not part of \
         one: remove it"
    )]
    TrailingCharacters {
        /// Of the first character that does not belong, counted from 1.
        position: usize,
    },
    /// Anything else.
    #[error(
        "this is not a decimal number: write digits with an optional sign, point and exponent, such \
         as 12, -0.5 or 6.02e23"
    )]
    Malformed,
    /// More than [`MAX_OPERAND_DIGITS`].
    #[error("the number has too many digits: at most {MAX_OPERAND_DIGITS} are allowed")]
    TooManyDigits,
    /// The exponent is beyond [`MAX_OPERAND_EXPONENT`].
    #[error(
        "the number's exponent is out of range: with one digit before the point it must be from \
         -{MAX_OPERAND_EXPONENT} to {MAX_OPERAND_EXPONENT}"
    )]
    ExponentOutOfRange,
    /// More than [`MAX_OPERAND_BYTES`].
    #[error("the number's text is too long: at most {MAX_OPERAND_BYTES} bytes are read")]
    TextTooLong,
}

impl NumberError {
    /// A stable word for programs.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::Nan => "nan",
            Self::Infinity => "infinity",
            Self::DecimalComma => "decimal-comma",
            Self::ThousandsSeparator => "thousands-separator",
            Self::NonAsciiDigit => "non-ascii-digit",
            Self::ControlCharacter => "control-character",
            Self::SpaceForPlus => "space-for-plus",
            Self::WhiteSpace => "white-space",
            Self::TrailingCharacters { .. } => "trailing-characters",
            Self::Malformed => "malformed",
            Self::TooManyDigits => "too-many-digits",
            Self::ExponentOutOfRange => "exponent-out-of-range",
            Self::TextTooLong => "text-too-long",
        }
    }

    /// The name and the value of the limit that was passed, if it was one.
    pub fn limit(&self) -> Option<(&'static str, u64)> {
        match self {
            Self::TooManyDigits => Some(("max_operand_digits", MAX_OPERAND_DIGITS as u64)),
            Self::ExponentOutOfRange => {
                Some(("max_operand_exponent", MAX_OPERAND_EXPONENT.unsigned_abs()))
            }
            Self::TextTooLong => Some(("max_operand_bytes", MAX_OPERAND_BYTES as u64)),
            Self::Empty
            | Self::Nan
            | Self::Infinity
            | Self::DecimalComma
            | Self::ThousandsSeparator
            | Self::NonAsciiDigit
            | Self::ControlCharacter
            | Self::SpaceForPlus
            | Self::WhiteSpace
            | Self::TrailingCharacters { .. }
            | Self::Malformed => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn canonical(text: &str) -> Result<String, NumberError> {
        text.parse::<Number>().map(|number| number.to_string())
    }

    #[test]
    fn every_way_of_writing_has_one_canonical_text() {
        for (text, expected) in [
            ("0", "0"),
            ("-0", "0"),
            ("+0.000", "0"),
            ("-0e-99", "0"),
            ("0e999999999999999999999999", "0"),
            ("007", "7"),
            (".5", "0.5"),
            ("5.", "5"),
            ("+1.50", "1.5"),
            ("-12.500e1", "-125"),
            ("1E3", "1000"),
            ("1e+3", "1000"),
            ("1e-3", "0.001"),
            ("1e00000000000000000000000003", "1000"),
            ("123456789.987654321", "123456789.987654321"),
            ("1e10000", "1e+10000"),
            ("-1.2e-9999", "-1.2e-9999"),
        ] {
            assert_eq!(canonical(text).as_deref(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn digits_count_from_the_first_that_is_not_zero() {
        let most = "9".repeat(1_000);
        for text in [
            most.clone(),
            format!("0.{most}"),
            format!("{}.{most}", "0".repeat(5_000)),
            format!("-.{}{most}", "0".repeat(9_000)),
            format!("1{}", "0".repeat(999)),
        ] {
            assert!(canonical(&text).is_ok(), "{text:.20}");
        }
        for text in [
            format!("{most}9"),
            format!("{most}.0"),
            format!("1{}", "0".repeat(1_000)),
            format!("0.1{}", "0".repeat(1_000)),
        ] {
            assert_eq!(
                canonical(&text),
                Err(NumberError::TooManyDigits),
                "{text:.20}"
            );
        }
    }

    #[test]
    fn the_exponent_is_that_of_the_value() {
        for text in [
            "9.9e10000",
            "1e-10000",
            "123e9998",
            "0.001e10003",
            "0.1e-9999",
        ] {
            assert!(canonical(text).is_ok(), "{text}");
        }
        for text in [
            "1e10001",
            "10e10000",
            "0.1e-10000",
            "1e-10001",
            "1e1000000000",
            "-1e-99999999999999999999",
            "1e9223372036854775807",
            "10e-9223372036854775808",
            "0.1e-9223372036854775807",
        ] {
            assert_eq!(
                canonical(text),
                Err(NumberError::ExponentOutOfRange),
                "{text}"
            );
        }
    }

    #[test]
    fn a_long_text_is_refused_unread() {
        for length in [MAX_OPERAND_BYTES + 1, 10_000_000] {
            assert_eq!(
                canonical(&"0".repeat(length)),
                Err(NumberError::TextTooLong)
            );
            assert_eq!(
                canonical(&" ".repeat(length)),
                Err(NumberError::TextTooLong)
            );
        }
        assert_eq!(
            canonical(&"0".repeat(MAX_OPERAND_BYTES)).as_deref(),
            Ok("0")
        );
    }

    proptest! {
        #[test]
        fn canonical_text_reads_back(
            text in r"[+-]?[0-9]{0,30}\.?[0-9]{1,30}([eE][+-]?[0-9]{1,4})?",
        ) {
            let number: Number = text.parse().unwrap();
            let canonical = number.to_string();
            let again: Number = canonical.parse().unwrap();
            prop_assert_eq!(&again, &number);
            prop_assert_eq!(again.to_string(), canonical);
        }

        #[test]
        fn long_canonical_text_reads_back(
            text in r"-?[0-9]{1,600}\.[0-9]{1,400}(e-?[0-8][0-9]{3})?",
        ) {
            let number: Number = text.parse().unwrap();
            prop_assert_eq!(number.to_string().parse(), Ok(number));
        }

        #[test]
        fn no_text_panics(text in r"[-+0-9eE., '_\t\u{A0}²nNaAiIfF∞]{0,40}") {
            if let Err(error) = text.parse::<Number>() {
                prop_assert!(!error.to_string().is_empty());
            }
        }

        #[test]
        fn no_other_text_panics(text in r"\PC{0,40}") {
            let _ = text.parse::<Number>();
        }
    }
}
