//! Repeating decimals: the whole expansion, its period in parentheses.

use std::collections::BTreeMap;

use dashu_int::ops::DivRem;
use dashu_int::{Sign, UBig};

use crate::limits::{MAX_PLAIN_CHARS, MAX_REPEATING_DIGITS};
use crate::powers::{decimal_length, ten_to, to_signed};
use crate::rational::{Rational, least_decimal_length, times_powers};

/// The expansion, such as `-1.2(34)`; `None` if it terminates, if the digits before and inside the
/// parentheses are more than [`MAX_REPEATING_DIGITS`], or those before the point more than
/// [`MAX_PLAIN_CHARS`].
///
/// Both parts are the shortest: the first has a digit for every power of ten that the rest of the
/// denominator, `m`, cannot cancel, and the second as many as the order of 10 modulo `m`.
#[expect(
    clippy::arithmetic_side_effects,
    reason = "the denominator is positive, the powers have been bounded, and UBig grows"
)]
pub(crate) fn expansion(value: &Rational) -> Option<String> {
    if value.terminates() {
        return None;
    }
    let m = &value.denominator;
    let before_period = (-value.twos).max(-value.fives).max(0);
    // 10^period - 1 is a multiple of m, so it has at least as many digits.
    let least_period = decimal_length(m);
    let most_period = to_signed(MAX_REPEATING_DIGITS) - before_period;
    if least_period > most_period {
        return None;
    }
    let powers = (value.twos + before_period, value.fives + before_period);
    let most_whole = to_signed(MAX_PLAIN_CHARS);
    let least_shifted = least_decimal_length(&value.numerator, powers) - least_period;
    if least_shifted > most_whole + before_period {
        return None;
    }
    let period = order_of_ten(m, usize::try_from(most_period).ok()?)?;

    let shifted = times_powers(&value.numerator, powers.0, powers.1);
    let (before, remainder) = shifted.div_rem(m);
    let repeated = remainder * (ten_to(to_signed(period)) - UBig::ONE) / m;

    let zeros = usize::try_from(before_period).ok()?;
    let before = format!(
        "{before:0>width$}",
        before = before.to_string(),
        width = zeros + 1
    );
    let (whole, first) = before.split_at_checked(before.len() - zeros)?;
    if whole.len() > MAX_PLAIN_CHARS {
        return None;
    }
    let minus = if value.sign == Sign::Negative {
        "-"
    } else {
        ""
    };
    Some(format!(
        "{minus}{whole}.{first}({repeated:0>period$})",
        repeated = repeated.to_string()
    ))
}

/// The least `t` from 1 to `most` with `10^t = 1` modulo `m`, which is above one and has no factor in
/// common with ten.
///
/// In small steps and giant steps: about `2 * sqrt(most)` multiplications rather than `most`, so that
/// a long modulus costs tens of microseconds. Every `t` is `i * width - j` for one `i` and one
/// `j < width`, so the first match is the least.
#[expect(
    clippy::arithmetic_side_effects,
    reason = "the modulus is not zero, UBig grows, and the steps stay near the bound"
)]
fn order_of_ten(m: &UBig, most: usize) -> Option<usize> {
    let width = most.isqrt() + 1;
    let mut small = BTreeMap::new();
    let mut power = UBig::ONE;
    for j in 0..width {
        if j > 0 && power.is_one() {
            return Some(j);
        }
        let next = &power * 10u8 % m;
        small.insert(power, j);
        power = next;
    }
    let giant = power;
    let mut power = UBig::ONE;
    for i in 1..=width {
        power = power * &giant % m;
        if let Some(j) = small.get(&power) {
            return Some(i * width - j).filter(|&order| order <= most);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::number::Number;

    fn expanded(x: &str, y: &str) -> Option<String> {
        let [x, y]: [Number; 2] = [x, y].map(|text| text.parse().unwrap());
        expansion(&Rational::quotient(x.decimal(), y.decimal()))
    }

    #[test]
    fn expansions_show_the_shortest_period() {
        for (x, y, text) in [
            ("1", "3", "0.(3)"),
            ("1", "7", "0.(142857)"),
            ("-1", "6", "-0.1(6)"),
            ("611", "495", "1.2(34)"),
            ("1", "-990", "-0.0(01)"),
            ("1", "81", "0.(012345679)"),
            ("1", "12", "0.08(3)"),
            ("10", "3", "3.(3)"),
            ("1e5", "3", "33333.(3)"),
            ("1", "3e5", "0.00000(3)"),
            ("22", "7", "3.(142857)"),
        ] {
            assert_eq!(expanded(x, y).as_deref(), Some(text), "{x}/{y}");
        }
        assert_eq!(expanded("1", "8"), None);
    }

    #[test]
    fn expansions_stop_at_the_limits() {
        let digits = |x: &str, y: &str| expanded(x, y).map(|text| text.len());
        // 983 has the longest period below 1,000; 1,019 is the next prime with a full one.
        assert_eq!(digits("1", "983"), Some("0.()".len() + 982));
        assert_eq!(digits("1", "1019"), None);
        // 18 digits before a period of 982 are a thousand, one more is too many.
        assert_eq!(digits("1", "983e18"), Some("0.()".len() + 1_000));
        assert_eq!(digits("1", "983e19"), None);
        let repunit = "9".repeat(1_000);
        assert_eq!(digits("1", &repunit), Some("0.()".len() + 1_000));
        assert_eq!(digits("1", &format!("{repunit}e1")), None);
        assert_eq!(digits("1e1000", "3"), Some("3.(3)".len() + 999));
        assert_eq!(digits("1e1001", "3"), None);
        assert_eq!(digits("1e10000", "3e-10000"), None);
        assert_eq!(digits("1e-10000", "3e10000"), None);
    }

    #[test]
    fn the_order_is_what_counting_finds() {
        for m in (3u32..3_000).filter(|m| m % 2 != 0 && m % 5 != 0) {
            let mut power = 10 % m;
            let mut order = 1;
            while power != 1 {
                power = power * 10 % m;
                order += 1;
            }
            for most in [1, 10, 960, 999, 1_000] {
                assert_eq!(
                    order_of_ten(&m.into(), most),
                    Some(order).filter(|&order| order <= most),
                    "{m}"
                );
            }
        }
    }
}
