//! Terminating decimals of any size, and their canonical text.

use std::fmt;

use dashu_int::{IBig, Sign, UBig};

use crate::limits::MAX_PLAIN_CHARS;
use crate::powers::{decimal_length, to_signed};

/// The value `sign magnitude * 10^exponent`, in its one canonical form: the magnitude does not end in
/// a zero, and zero is `+0 * 10^0`. So equality of the parts is equality of the values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Decimal {
    sign: Sign,
    magnitude: UBig,
    exponent: i64,
}

impl Decimal {
    pub(crate) const ZERO: Self = Self {
        sign: Sign::Positive,
        magnitude: UBig::ZERO,
        exponent: 0,
    };

    /// The decimal of this value, made canonical.
    pub(crate) fn new(sign: Sign, mut magnitude: UBig, exponent: i64) -> Self {
        match magnitude.trailing_zeros() {
            None => Self::ZERO,
            // An odd number does not end in a zero.
            Some(0) => Self {
                sign,
                magnitude,
                exponent,
            },
            Some(_) => {
                let zeros = magnitude.remove_word(10).unwrap_or(0);
                Self {
                    sign,
                    magnitude,
                    exponent: exponent.saturating_add(to_signed(zeros)),
                }
            }
        }
    }

    pub(crate) fn sign(&self) -> Sign {
        self.sign
    }

    pub(crate) fn magnitude(&self) -> &UBig {
        &self.magnitude
    }

    /// The exponent of the magnitude's last digit.
    pub(crate) fn exponent(&self) -> i64 {
        self.exponent
    }

    pub(crate) fn is_zero(&self) -> bool {
        self.magnitude.is_zero()
    }

    /// How many significant digits the value has; zero has one.
    pub(crate) fn digits(&self) -> i64 {
        decimal_length(&self.magnitude)
    }

    /// The exponent of the first digit, as scientific notation writes it.
    pub(crate) fn leading_exponent(&self) -> i64 {
        self.digits()
            .saturating_add(self.exponent)
            .saturating_sub(1)
    }

    /// The value with the other sign; zero has only one.
    pub(crate) fn negated(&self) -> Self {
        let sign = match self.sign {
            Sign::Positive if !self.is_zero() => Sign::Negative,
            _ => Sign::Positive,
        };
        Self {
            sign,
            ..self.clone()
        }
    }

    /// The magnitude under its sign.
    pub(crate) fn coefficient(&self) -> IBig {
        IBig::from_parts(self.sign, self.magnitude.clone())
    }
}

/// Plain notation up to [`MAX_PLAIN_CHARS`] characters, scientific above.
impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = self.magnitude.to_string();
        let length = to_signed(digits.len());
        // How many digits stand before the point; where negative, how many zeros follow it.
        let whole = length.saturating_add(self.exponent);
        let minus = if self.sign == Sign::Negative { "-" } else { "" };

        let unsigned_chars = if self.exponent >= 0 {
            whole
        } else if whole > 0 {
            length.saturating_add(1)
        } else {
            length.saturating_sub(whole).saturating_add(2)
        };
        if unsigned_chars.saturating_add(to_signed(minus.len())) > to_signed(MAX_PLAIN_CHARS) {
            let (first, rest) = digits.split_at(1);
            let point = if rest.is_empty() { "" } else { "." };
            return write!(
                f,
                "{minus}{first}{point}{rest}e{:+}",
                whole.saturating_sub(1)
            );
        }

        if self.exponent >= 0 {
            let width = usize::try_from(whole).unwrap_or(0);
            return write!(f, "{minus}{digits:0<width$}");
        }
        let at = usize::try_from(whole).unwrap_or(0);
        match digits.split_at_checked(at) {
            Some((before, after)) if at > 0 => write!(f, "{minus}{before}.{after}"),
            _ => {
                let width = usize::try_from(self.exponent.unsigned_abs()).unwrap_or(0);
                write!(f, "{minus}0.{digits:0>width$}")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decimal(coefficient: i64, exponent: i64) -> Decimal {
        let (sign, magnitude) = IBig::from(coefficient).into_parts();
        Decimal::new(sign, magnitude, exponent)
    }

    #[test]
    fn canonical_text_is_plain_while_it_is_short() {
        for (coefficient, exponent, text) in [
            (0, 0, "0"),
            (0, -7, "0"),
            (5, -1, "0.5"),
            (-50, -1, "-5"),
            (123, -2, "1.23"),
            (-123, -3, "-0.123"),
            (123, -5, "0.00123"),
            (12_300, -2, "123"),
            (-7, 3, "-7000"),
            (i64::MIN, 0, "-9223372036854775808"),
        ] {
            assert_eq!(decimal(coefficient, exponent).to_string(), text);
        }
    }

    #[test]
    fn notation_changes_after_a_thousand_characters() {
        let plain = |coefficient, exponent| {
            let text = decimal(coefficient, exponent).to_string();
            (!text.contains('e')).then_some(text.len())
        };
        assert_eq!(plain(1, 999), Some(1000));
        assert_eq!(plain(1, 1000), None);
        assert_eq!(plain(-1, 998), Some(1000));
        assert_eq!(plain(-1, 999), None);
        assert_eq!(plain(7, -998), Some(1000));
        assert_eq!(plain(7, -999), None);
        assert_eq!(plain(-77, -997), Some(1000));
        assert_eq!(plain(-77, -998), None);

        assert_eq!(decimal(1, 1000).to_string(), "1e+1000");
        assert_eq!(decimal(-123, 2000).to_string(), "-1.23e+2002");
        assert_eq!(decimal(7, -999).to_string(), "7e-999");
        let long = Decimal::new(
            Sign::Negative,
            UBig::from(11u8) + crate::powers::ten_to(999),
            -1,
        );
        assert_eq!(long.to_string(), format!("-1.{}11e+998", "0".repeat(997)));
    }

    #[test]
    fn equal_values_are_equal_parts() {
        assert_eq!(decimal(1200, -2), decimal(12, 0));
        assert_eq!(decimal(5, 1), decimal(50, 0));
        assert_eq!(decimal(0, 9).negated(), Decimal::ZERO);
        assert_ne!(decimal(12, 0), decimal(-12, 0));
    }
}
