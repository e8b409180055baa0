//! Long division, rounded half-even.

use std::cmp::Ordering;

use dashu_int::UBig;
use dashu_int::ops::DivRem;

use crate::powers::{leading_exponent, ten_to};
use crate::precision::Precision;

/// `numerator / denominator`, both positive, rounded half-even to so many significant digits: a
/// coefficient and the exponent of its last digit.
///
/// The coefficient has exactly `precision` digits, or is the power of ten above them.
#[expect(
    clippy::arithmetic_side_effects,
    reason = "the divisor is positive, the exponents are a few thousand, and UBig grows"
)]
pub(crate) fn round_quotient(
    numerator: &UBig,
    denominator: &UBig,
    precision: Precision,
) -> (UBig, i64) {
    // Scaled by this power of ten, the whole part of the quotient has the digits that are asked for.
    let scale = i64::from(precision.get()) - 1 - leading_exponent(numerator, denominator);
    let (quotient, remainder, divisor) = if scale >= 0 {
        let (quotient, remainder) = (numerator * ten_to(scale)).div_rem(denominator);
        (quotient, remainder, denominator.clone())
    } else {
        let divisor = denominator * ten_to(-scale);
        let (quotient, remainder) = numerator.div_rem(&divisor);
        (quotient, remainder, divisor)
    };
    let is_odd = quotient.trailing_zeros() == Some(0);
    let up = match (remainder << 1).cmp(&divisor) {
        Ordering::Less => false,
        Ordering::Equal => is_odd,
        Ordering::Greater => true,
    };
    let coefficient = if up { quotient + UBig::ONE } else { quotient };
    (coefficient, -scale)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rounded(numerator: u64, denominator: u64, digits: u64) -> (u64, i64) {
        let precision = Precision::try_from(digits).unwrap();
        let (coefficient, exponent) =
            round_quotient(&numerator.into(), &denominator.into(), precision);
        (u64::try_from(coefficient).unwrap(), exponent)
    }

    #[test]
    fn halves_go_to_the_even_digit() {
        assert_eq!(rounded(25, 1, 1), (2, 1));
        assert_eq!(rounded(35, 1, 1), (4, 1));
        assert_eq!(rounded(5, 2, 1), (2, 0));
        assert_eq!(rounded(7, 2, 1), (4, 0));
        assert_eq!(rounded(1, 8, 2), (12, -2));
        assert_eq!(rounded(3, 8, 2), (38, -2));
    }

    #[test]
    fn everything_else_goes_to_the_nearer_digit() {
        assert_eq!(rounded(2501, 100, 1), (3, 1));
        assert_eq!(rounded(2499, 100, 1), (2, 1));
        assert_eq!(rounded(1, 3, 5), (33_333, -5));
        assert_eq!(rounded(2, 3, 5), (66_667, -5));
    }

    #[test]
    fn rounding_may_carry_into_a_new_digit() {
        assert_eq!(rounded(9_999, 1, 3), (1_000, 1));
        assert_eq!(rounded(95, 1, 1), (10, 1));
    }

    #[test]
    fn short_quotients_are_filled_with_zeros() {
        assert_eq!(rounded(7, 1, 4), (7_000, -3));
        assert_eq!(rounded(1, 1000, 2), (10, -4));
    }
}
