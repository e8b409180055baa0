//! Powers of ten, and how integers compare with them.

use dashu_int::UBig;
use dashu_int::ops::BitTest;

/// `10^exponent`; a negative exponent counts as zero.
pub(crate) fn ten_to(exponent: i64) -> UBig {
    power(10, exponent)
}

/// `5^exponent`; a negative exponent counts as zero.
pub(crate) fn five_to(exponent: i64) -> UBig {
    power(5, exponent)
}

fn power(base: u8, exponent: i64) -> UBig {
    UBig::from(base).pow(usize::try_from(exponent).unwrap_or(0))
}

/// The floor of the base-ten logarithm of `numerator / denominator`, both positive: the exponent of
/// the quotient in scientific notation.
#[expect(
    clippy::arithmetic_side_effects,
    reason = "the operands have at most some tens of thousands of bits, and products of UBig grow"
)]
pub(crate) fn leading_exponent(numerator: &UBig, denominator: &UBig) -> i64 {
    // The quotient lies between 2^(bits - 1) and 2^(bits + 1): less than one decimal digit apart, so
    // the exponent is the lower estimate or the one above it.
    let bits = bit_length(numerator) - bit_length(denominator);
    let upper = log10_of_two_to(bits - 1) + 1;
    let reaches_upper = if upper >= 0 {
        *numerator >= denominator * ten_to(upper)
    } else {
        numerator * ten_to(-upper) >= *denominator
    };
    if reaches_upper { upper } else { upper - 1 }
}

/// How many decimal digits an integer has; zero has one.
pub(crate) fn decimal_length(integer: &UBig) -> i64 {
    if integer.is_zero() {
        return 1;
    }
    leading_exponent(integer, &UBig::ONE).saturating_add(1)
}

/// How many bits an integer has; zero has none.
pub(crate) fn bit_length(integer: &UBig) -> i64 {
    to_signed(integer.bit_len())
}

/// The floor of the base-ten logarithm of `2^bits`.
///
/// Exact below 70,777 bits, three times what any integer here has: no smaller multiple of log10(2)
/// comes within 10^-6 of a whole number, by its continued fraction, and eleven digits keep the error
/// below that. Above, never more than the truth.
pub(crate) fn log10_of_two_to(bits: i64) -> i64 {
    const LOG10_OF_2: i64 = 30_102_999_566;
    const SCALE: i64 = 100_000_000_000;
    bits.saturating_mul(LOG10_OF_2).div_euclid(SCALE)
}

/// A length as a signed integer, for arithmetic with exponents.
pub(crate) fn to_signed(length: usize) -> i64 {
    i64::try_from(length).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimal_length_is_right_on_both_sides_of_every_power() {
        let mut power = UBig::ONE;
        for exponent in 0..2_500 {
            assert_eq!(power, ten_to(exponent));
            assert_eq!(decimal_length(&power), exponent + 1);
            assert_eq!(decimal_length(&(&power - UBig::ONE)), exponent.max(1));
            power *= 10u8;
        }
    }

    #[test]
    fn leading_exponent_is_right_around_powers_of_ten() {
        for exponent in (-2_000..2_000).step_by(37) {
            for denominator in [1u64, 7, 128, u64::MAX] {
                let (mut n, mut d) = (UBig::from(denominator), UBig::from(denominator));
                if exponent >= 0 {
                    n *= ten_to(exponent);
                } else {
                    d *= ten_to(-exponent);
                }
                assert_eq!(leading_exponent(&n, &d), exponent);
                assert_eq!(leading_exponent(&n, &(d + UBig::ONE)), exponent - 1);
            }
        }
    }

    #[test]
    fn logarithms_of_powers_of_two_are_exact() {
        let mut power = UBig::ONE;
        let mut digits = 0;
        for bits in 0..9_000 {
            if power >= ten_to(digits + 1) {
                digits += 1;
            }
            assert_eq!(log10_of_two_to(bits), digits);
            power <<= 1;
        }
        assert_eq!(log10_of_two_to(-1), -1);
        assert_eq!(log10_of_two_to(-10), -4);
    }
}
