//! The contract of an answer, by example.

use recado_calc::{CalculateError, Calculation, Number, Operation, Precision, calculate, limits};

fn answer(
    x: &str,
    sign: &str,
    y: &str,
    precision: Option<u64>,
) -> Result<Calculation, CalculateError> {
    let [x, y]: [Number; 2] = [x, y].map(|text| text.parse().unwrap());
    let precision = precision.map(|digits| Precision::try_from(digits).unwrap());
    calculate(Operation::from_sign(sign).unwrap(), x, y, precision)
}

fn result(x: &str, sign: &str, y: &str) -> String {
    answer(x, sign, y, None).unwrap().result
}

#[test]
fn what_terminates_is_whole() {
    assert_eq!(result("0.1", "+", "0.2"), "0.3");
    assert_eq!(result("1", "/", "8"), "0.125");
    assert_eq!(result("-7", "*", "0"), "0");
    assert_eq!(result("0", "/", "-7"), "0");
    assert_eq!(result("1.10", "-", "1.1"), "0");
    assert_eq!(result("1e900", "*", "1e900"), "1e+1800");
    let exact = answer("1", "/", "1024", None).unwrap();
    assert_eq!(
        (exact.exact, exact.fraction, exact.repeating),
        (true, None, None)
    );
}

#[test]
fn what_does_not_terminate_is_rounded_and_explained() {
    let third = answer("1", "/", "3", None).unwrap();
    assert_eq!(third.result, format!("0.{}", "3".repeat(34)));
    assert!(!third.exact);
    assert_eq!(third.fraction.as_deref(), Some("1/3"));
    assert_eq!(third.repeating.as_deref(), Some("0.(3)"));

    let third = answer("-2", "/", "3", Some(4)).unwrap();
    assert_eq!(third.result, "-0.6667");
    assert_eq!(third.repeating.as_deref(), Some("-0.(6)"));
}

#[test]
fn a_precision_rounds_what_terminates_too() {
    let rounded = answer("123", "+", "1", Some(2)).unwrap();
    assert_eq!((rounded.result.as_str(), rounded.exact), ("120", false));
    assert_eq!(
        (rounded.fraction.as_deref(), rounded.repeating),
        (Some("124/1"), None)
    );
    let rounded = answer("0.125", "*", "1", Some(2)).unwrap();
    assert_eq!(
        (rounded.result.as_str(), rounded.fraction.as_deref()),
        ("0.12", Some("1/8"))
    );
    let whole = answer("120", "*", "1", Some(2)).unwrap();
    assert_eq!(
        (whole.result.as_str(), whole.exact, whole.fraction),
        ("120", true, None)
    );
}

#[test]
fn a_thousand_digits_are_whole_and_one_more_is_rounded() {
    let nines = "9".repeat(999);
    let longest = answer(&nines, "*", "10", None).unwrap();
    assert_eq!((longest.exact, longest.result), (true, format!("{nines}0")));
    // A thousand digits and a point are too long for the plain notation, but still whole.
    let longest = answer(&nines, "+", "0.9", None).unwrap();
    assert_eq!(
        (longest.exact, longest.result),
        (true, format!("9.{nines}e+998"))
    );
    let longer = answer(&nines, "+", "0.99", None).unwrap();
    assert_eq!(
        (longer.exact, longer.result),
        (false, format!("1{}", "0".repeat(999)))
    );
    assert_eq!(longer.fraction, Some(format!("{nines}99/100")));
}

#[test]
fn distant_sums_are_bounded() {
    let sum = answer("1e10000", "+", "1", None).unwrap();
    assert_eq!(
        (sum.result.as_str(), sum.exact, sum.fraction),
        ("1e+10000", false, None)
    );
    let difference = answer("1e10000", "-", "1e-10000", Some(5)).unwrap();
    assert_eq!(
        (difference.result.as_str(), difference.exact),
        ("1e+10000", false)
    );
    let tie = answer("25e9000", "+", "1e-9000", Some(1)).unwrap();
    assert_eq!(tie.result, "3e+9001");
}

#[test]
fn what_has_no_answer_says_so() {
    for dividend in ["1", "0", "-5e100"] {
        for zero in ["0", "-0", "0e5"] {
            assert_eq!(
                answer(dividend, "/", zero, None),
                Err(CalculateError::DivisionByZero)
            );
        }
    }
    assert_eq!(CalculateError::DivisionByZero.limit(), None);

    assert_eq!(result("1e10000", "*", "1e10000"), "1e+20000");
    assert_eq!(result("1e-10000", "/", "1e10000"), "1e-20000");
    let refusal = answer("4e10000", "*", "4e10000", None);
    assert_eq!(refusal, Err(CalculateError::TooLarge));
    assert_eq!(
        answer("1e-10000", "/", "3e10000", None),
        Err(CalculateError::TooLarge)
    );
    assert_eq!(
        CalculateError::TooLarge.limit(),
        Some((
            "max_result_exponent",
            limits::MAX_RESULT_EXPONENT.unsigned_abs()
        ))
    );
}
