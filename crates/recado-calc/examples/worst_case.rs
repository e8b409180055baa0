//! Times the calculations that cost most: `cargo run --release -p recado-calc --example worst_case`.

#![expect(clippy::print_stdout, reason = "a report for the person who runs it")]

use std::hint::black_box;
use std::time::{Duration, Instant};

use recado_calc::{Number, Operation, Precision, calculate};

fn main() {
    let nines = "9".repeat(1_000);
    let ones = "1".repeat(1_000);
    let sevens = format!("{}7", "3".repeat(999));
    let half = format!("{}7", "1".repeat(499));
    let repunit = "9".repeat(997);
    let two_to_the_most = power_of(2, 3_321);
    let five_to_the_most = power_of(5, 1_430);
    let decimals = |digits: &str, exponent: i32| {
        let (first, rest) = digits.split_at(1);
        format!("{first}.{rest}e{exponent}")
    };
    let cases = [
        ("short sum", "+", "0.1".into(), "0.2".into(), None),
        ("short exact quotient", "/", "1".into(), "8".into(), None),
        ("one third", "/", "1".into(), "3".into(), None),
        ("a long period", "/", "1".into(), "983".into(), None),
        ("no short period", "/", "1".into(), "1000003".into(), None),
        (
            "100 digits by 100",
            "/",
            nines[..100].into(),
            sevens[900..].into(),
            None,
        ),
        (
            "product of 1,000 digits",
            "*",
            sevens.clone(),
            nines.clone(),
            None,
        ),
        (
            "product, all digits asked",
            "*",
            sevens.clone(),
            nines.clone(),
            Some(1_000),
        ),
        (
            "quotient of 1,000 digits",
            "/",
            ones.clone(),
            sevens.clone(),
            Some(1_000),
        ),
        (
            "exponents apart",
            "/",
            decimals(&ones, 10_000),
            decimals(&sevens, -9_999),
            Some(1_000),
        ),
        (
            "exponents apart, below",
            "/",
            decimals(&ones, -9_000),
            decimals(&sevens, 9_000),
            Some(1_000),
        ),
        (
            "period of 500 digits tried",
            "/",
            ones.clone(),
            half,
            Some(1_000),
        ),
        (
            "period of 997 digits",
            "/",
            sevens.clone(),
            repunit,
            Some(1_000),
        ),
        (
            "by the largest power of two",
            "/",
            sevens.clone(),
            two_to_the_most.clone(),
            Some(1_000),
        ),
        (
            "by the largest power of five",
            "/",
            sevens.clone(),
            five_to_the_most.clone(),
            Some(999),
        ),
        (
            "powers of five and two",
            "/",
            five_to_the_most.clone(),
            two_to_the_most.clone(),
            Some(1_000),
        ),
        (
            "product of powers of five",
            "*",
            format!("{five_to_the_most}e-500"),
            five_to_the_most.clone(),
            Some(1_000),
        ),
        (
            "power of two above",
            "/",
            two_to_the_most.clone(),
            sevens.clone(),
            Some(1_000),
        ),
        (
            "power of two over ten",
            "*",
            two_to_the_most,
            "1e-3400".into(),
            Some(1),
        ),
        (
            "sum aligned to the limit",
            "+",
            format!("{sevens}e5000"),
            ones.clone(),
            Some(1_000),
        ),
        (
            "sum with a long fraction",
            "+",
            "1".into(),
            "1e-999".into(),
            Some(500),
        ),
        (
            "fraction that nearly fits",
            "+",
            "1".into(),
            "3e-1500".into(),
            Some(500),
        ),
        (
            "sum beyond the limit",
            "+",
            decimals(&sevens, 10_000),
            decimals(&ones, -10_000),
            Some(1_000),
        ),
        (
            "difference by a hair",
            "-",
            "1e5000".into(),
            ones.clone(),
            Some(1_000),
        ),
    ];
    for (name, sign, x, y, digits) in cases {
        let operation = Operation::from_sign(sign).expect("a sign");
        let precision = digits.map(|digits| Precision::try_from(digits).expect("a precision"));
        let time = fastest(|| {
            let (x, y): (Number, Number) = (parsed(&x), parsed(&y));
            black_box(calculate(operation, x, y, precision).expect("an answer"));
        });
        println!("{time:>12.2?}  {name}");
    }
    for (name, text) in [
        ("refused: huge exponent", String::from("1e1000000000")),
        ("refused: 12,000 digits", "1".repeat(12_000)),
        ("refused: 12,000 commas", "1,".repeat(6_000)),
        ("refused: 100 MB", "1".repeat(100_000_000)),
    ] {
        let time = fastest(|| {
            black_box(text.parse::<Number>()).expect_err("a refusal");
        });
        println!("{time:>12.2?}  {name}");
    }
}

fn parsed(text: &str) -> Number {
    black_box(text).parse().expect("a number")
}

/// The mean of the fastest of a few batches: what the work costs where nothing else disturbs it.
fn fastest(work: impl Fn()) -> Duration {
    const BATCH: u32 = 200;
    (0..20)
        .map(|_| {
            let start = Instant::now();
            (0..BATCH).for_each(|_| work());
            start.elapsed() / BATCH
        })
        .min()
        .unwrap_or_default()
}

/// Written out, without a big integer to do it with.
fn power_of(base: u8, exponent: u32) -> String {
    let mut digits = vec![1u8];
    for _ in 0..exponent {
        let mut carry = 0;
        for digit in &mut digits {
            let product = *digit * base + carry;
            (*digit, carry) = (product % 10, product / 10);
        }
        if carry > 0 {
            digits.push(carry);
        }
    }
    digits
        .iter()
        .rev()
        .map(|digit| char::from(b'0' + digit))
        .collect()
}
