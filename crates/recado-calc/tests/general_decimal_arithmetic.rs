//! The vectors of the General Decimal Arithmetic test suite, as CPython ships them.
//!
//! Every add, subtract, multiply and divide vector runs, but for those that test what this crate does
//! not have; each of those is counted under its reason. Values are compared, not the number of trailing
//! zeros: our results are canonical.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::Command;
use std::{env, fs};

use recado_calc::{CalculateError, Number, NumberError, Operation, Precision, calculate};

#[test]
fn every_applicable_vector_agrees() {
    let Some(folder) = vectors() else {
        say(
            "skipped: general_decimal_arithmetic: no decimaltestdata (Debian: libpython3-testsuite)",
        );
        assert_ne!(
            env::var("CI").as_deref(),
            Ok("true"),
            "CI must have the vectors"
        );
        return;
    };
    let mut files: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "decTest")
        })
        .collect();
    files.sort();

    let mut run = BTreeMap::<&str, usize>::new();
    let mut skipped = BTreeMap::<&str, usize>::new();
    for path in files {
        // Some comments are in Latin-1.
        let text = String::from_utf8_lossy(&fs::read(&path).unwrap()).into_owned();
        let mut context = Context::default();
        for line in text.lines() {
            let Some(vector) = context.read(line) else {
                continue;
            };
            match vector.check(&context) {
                Ok(()) => *run.entry(vector.operation.as_str()).or_default() += 1,
                Err(reason) => *skipped.entry(reason).or_default() += 1,
            }
        }
    }
    say(&format!(
        "general_decimal_arithmetic: run {run:?}, skipped {skipped:?}"
    ));
    for (operation, least) in LEAST_RUN {
        let count = run.get(operation.as_str()).copied().unwrap_or(0);
        assert!(
            count >= least,
            "only {count} vectors of {operation} were run"
        );
    }
}

/// What the suite is known to hold for us, a little rounded down.
const LEAST_RUN: [(Operation, usize); 4] = [
    (Operation::Add, 3_800),
    (Operation::Subtract, 1_800),
    (Operation::Multiply, 1_300),
    (Operation::Divide, 2_100),
];

/// The directives in force.
#[derive(Default)]
struct Context {
    precision: u64,
    rounding: String,
    extended: bool,
}

impl Context {
    /// Takes a directive in, or returns the vector of a line.
    fn read(&mut self, line: &str) -> Option<Vector> {
        let tokens = tokens(line);
        if let Some((name, value)) = line.split_once(':')
            && !name.contains(char::is_whitespace)
            && !name.starts_with("--")
        {
            let value = value.split("--").next().unwrap().trim().to_lowercase();
            match name.to_lowercase().as_str() {
                "precision" => self.precision = value.parse().unwrap(),
                "rounding" => self.rounding = value,
                "extended" => self.extended = value == "1",
                _ => {}
            }
            return None;
        }
        let [id, operation, x, y, arrow, result, conditions @ ..] = &tokens[..] else {
            return None;
        };
        let operation = operation.to_lowercase().parse().ok()?;
        assert_eq!(arrow, "->", "{line}");
        Some(Vector {
            id: id.clone(),
            operation,
            x: x.clone(),
            y: y.clone(),
            result: result.clone(),
            conditions: conditions
                .iter()
                .map(|condition| condition.to_lowercase())
                .collect(),
        })
    }
}

struct Vector {
    id: String,
    operation: Operation,
    x: String,
    y: String,
    result: String,
    conditions: Vec<String>,
}

impl Vector {
    /// Runs the vector, or says why it does not apply.
    fn check(&self, context: &Context) -> Result<(), &'static str> {
        let has = |name: &str| self.conditions.iter().any(|condition| condition == name);
        if [&self.x, &self.y, &self.result]
            .iter()
            .any(|text| text.contains('#'))
        {
            return Err("encoded in hexadecimal, or no value");
        }
        if !context.extended {
            return Err("subset arithmetic rounds its operands");
        }
        let (x, y) = (operand(&self.x)?, operand(&self.y)?);
        if has("division_by_zero") || has("division_undefined") {
            let refusal = calculate(self.operation, x, y, None);
            assert_eq!(refusal, Err(CalculateError::DivisionByZero), "{}", self.id);
            return Ok(());
        }
        if ["overflow", "underflow", "subnormal", "clamped"]
            .iter()
            .any(|name| has(name))
        {
            return Err("limited by the format's exponents");
        }
        let Ok(precision) = Precision::try_from(context.precision) else {
            return Err("precision out of our bounds");
        };
        // What is exact is so under every rounding mode, and what is not in the middle between two
        // results is rounded alike by those that go to the nearer.
        let inexact = has("inexact");
        match context.rounding.as_str() {
            "half_even" => {}
            _ if !inexact => {}
            "half_up" | "half_down" => {
                if is_tie(self.operation, &x, &y, context.precision) {
                    return Err("a tie under half_up or half_down");
                }
            }
            _ => return Err("inexact under up, down, 05up, floor or ceiling"),
        }
        let answer = match calculate(self.operation, x, y, Some(precision)) {
            Ok(answer) => answer,
            Err(CalculateError::TooLarge) => return Err("result out of our bounds"),
            Err(error) => panic!("{}: {error}", self.id),
        };
        let expected: Number = self.result.parse().unwrap_or_else(|error| {
            panic!(
                "{}: {} -> {:?} {error}",
                self.id, answer.result, self.conditions
            )
        });
        assert_eq!(answer.result, expected.to_string(), "{}", self.id);
        assert_eq!(answer.exact, !inexact, "{}: exact", self.id);
        Ok(())
    }
}

/// Whether the true value lies in the middle between two numbers of so many digits: it then has one
/// digit more, a five.
fn is_tie(operation: Operation, x: &Number, y: &Number, precision: u64) -> bool {
    let one_more = Precision::try_from(precision + 1).unwrap();
    let Ok(answer) = calculate(operation, x.clone(), y.clone(), Some(one_more)) else {
        return false;
    };
    let (mantissa, _) = answer
        .result
        .split_once('e')
        .unwrap_or((&answer.result, ""));
    answer.exact && mantissa.trim_end_matches(['0', '.']).ends_with('5')
}

fn operand(text: &str) -> Result<Number, &'static str> {
    text.parse().map_err(|error| match error {
        NumberError::Nan | NumberError::Infinity => "special values",
        error if error.limit().is_some() => "operand out of our bounds",
        error => panic!("{text}: {error}"),
    })
}

/// Words, or texts in quotes, up to a comment.
fn tokens(line: &str) -> Vec<String> {
    let mut tokens = Vec::new();
    let mut rest = line.trim();
    while !rest.is_empty() && !rest.starts_with("--") {
        let (token, after) = match rest
            .chars()
            .next()
            .filter(|first| matches!(first, '\'' | '"'))
        {
            Some(quote) => rest[1..].split_once(quote).unwrap_or((&rest[1..], "")),
            None => rest.split_at(rest.find(char::is_whitespace).unwrap_or(rest.len())),
        };
        tokens.push(token.to_owned());
        rest = after.trim_start();
    }
    tokens
}

/// The folder of the vectors: named by a variable, or beside some Python's standard library.
fn vectors() -> Option<PathBuf> {
    if let Some(named) = env::var_os("RECADO_DECIMAL_VECTORS") {
        let named = PathBuf::from(named);
        assert!(named.is_dir(), "RECADO_DECIMAL_VECTORS is not a folder");
        return Some(named);
    }
    let asked = Command::new("python3")
        .args([
            "-c",
            "import os, test; print(os.path.dirname(test.__file__))",
        ])
        .output()
        .ok()
        .filter(|output| output.status.success())
        .map(|output| PathBuf::from(String::from_utf8_lossy(&output.stdout).trim()));
    let installed = fs::read_dir("/usr/lib")
        .into_iter()
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.to_string_lossy().contains("python3"))
        .map(|path| path.join("test"));
    asked
        .into_iter()
        .chain(installed)
        .map(|tests| tests.join("decimaltestdata"))
        .find(|folder| folder.join("add.decTest").is_file())
}

/// A line that the test harness does not capture.
fn say(line: &str) {
    io::stderr()
        .write_all(format!("{line}\n").as_bytes())
        .unwrap();
}
