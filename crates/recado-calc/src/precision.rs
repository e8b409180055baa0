//! How many significant digits a rounded result has.

use std::fmt;
use std::str::FromStr;

use crate::limits::{DEFAULT_PRECISION, MAX_PRECISION};

/// A number of significant digits, from 1 to [`MAX_PRECISION`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Precision(u16);

impl Precision {
    /// The number of digits.
    pub const fn get(self) -> u16 {
        self.0
    }
}

impl Default for Precision {
    fn default() -> Self {
        Self(DEFAULT_PRECISION)
    }
}

impl fmt::Display for Precision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl TryFrom<u64> for Precision {
    type Error = PrecisionError;

    fn try_from(digits: u64) -> Result<Self, Self::Error> {
        match u16::try_from(digits) {
            Ok(digits @ 1..=MAX_PRECISION) => Ok(Self(digits)),
            _ => Err(PrecisionError::OutOfRange),
        }
    }
}

impl FromStr for Precision {
    type Err = PrecisionError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(PrecisionError::NotWhole);
        }
        // Digits alone fail to parse only when they overflow.
        let digits: u64 = text.parse().map_err(|_| PrecisionError::OutOfRange)?;
        Self::try_from(digits)
    }
}

/// Why a precision was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PrecisionError {
    /// The text is not a whole number without a sign.
    #[error("the precision is not a whole number: write the significant digits wanted, such as 34")]
    NotWhole,
    /// The number is zero, or above [`MAX_PRECISION`].
    #[error("the precision is out of range: ask for 1 to {MAX_PRECISION} significant digits")]
    OutOfRange,
}

impl PrecisionError {
    /// A stable word for programs.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::NotWhole => "precision-not-whole",
            Self::OutOfRange => "precision-out-of-range",
        }
    }

    /// The name and the value of the limit that was passed.
    pub fn limit(&self) -> Option<(&'static str, u64)> {
        match self {
            Self::NotWhole => None,
            Self::OutOfRange => Some(("max_precision", u64::from(MAX_PRECISION))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_is_that_of_decimal128() {
        assert_eq!(Precision::default().get(), 34);
    }

    #[test]
    fn one_to_a_thousand_digits_can_be_asked_for() {
        for (text, expected) in [
            ("1", Ok(1)),
            ("034", Ok(34)),
            ("1000", Ok(1000)),
            ("0", Err(PrecisionError::OutOfRange)),
            ("1001", Err(PrecisionError::OutOfRange)),
            ("65537", Err(PrecisionError::OutOfRange)),
            ("99999999999999999999999", Err(PrecisionError::OutOfRange)),
            ("", Err(PrecisionError::NotWhole)),
            ("+5", Err(PrecisionError::NotWhole)),
            ("-5", Err(PrecisionError::NotWhole)),
            ("3.0", Err(PrecisionError::NotWhole)),
            (" 3", Err(PrecisionError::NotWhole)),
            ("٣", Err(PrecisionError::NotWhole)),
        ] {
            assert_eq!(text.parse().map(Precision::get), expected, "{text}");
        }
        assert_eq!(
            Precision::try_from(u64::MAX),
            Err(PrecisionError::OutOfRange)
        );
    }
}
