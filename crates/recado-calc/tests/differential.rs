//! Random calculations, each compared with the answer of an independent oracle: `oracle.py`.

use std::env;
use std::io::{self, BufRead, BufReader, BufWriter, Write};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{SystemTime, UNIX_EPOCH};

use recado_calc::{Number, Operation, Precision, calculate, limits};

/// Cases of each run.
const CASES: usize = 100_000;

#[test]
fn random_calculations_agree_with_python() {
    let limits = [
        format!("default={}", limits::DEFAULT_PRECISION),
        format!("exact={}", limits::MAX_EXACT_DIGITS),
        format!("exponent={}", limits::MAX_RESULT_EXPONENT),
        format!("fraction={}", limits::MAX_FRACTION_CHARS),
        format!("plain={}", limits::MAX_PLAIN_CHARS),
        format!("repeating={}", limits::MAX_REPEATING_DIGITS),
    ];
    let oracle = Command::new("python3")
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/oracle.py"))
        .args(limits)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn();
    let mut oracle = match oracle {
        Ok(oracle) => oracle,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            say("skipped: differential: python3 not found");
            assert_ne!(
                env::var("CI").as_deref(),
                Ok("true"),
                "CI must have python3"
            );
            return;
        }
        Err(error) => panic!("python3 does not start: {error}"),
    };

    let seed = env::var("RECADO_SEED").map_or_else(
        |_| {
            SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .unwrap()
                .as_micros() as u64
        },
        |seed| seed.parse().expect("RECADO_SEED is a whole number"),
    );
    say(&format!("differential: RECADO_SEED={seed}"));

    // The oracle answers while cases are still being written, or both pipes would fill and block.
    let (asked, cases) = mpsc::channel::<Case>();
    let mut questions = BufWriter::new(oracle.stdin.take().unwrap());
    let writer = thread::spawn(move || {
        let mut random = Random(seed);
        for _ in 0..CASES {
            let case = Case::random(&mut random);
            writeln!(questions, "{}", case.question()).unwrap();
            asked.send(case).unwrap();
        }
        questions.flush().unwrap();
    });

    let mut answers = BufReader::new(oracle.stdout.take().unwrap()).lines();
    let mut kinds = Kinds::default();
    for case in cases {
        let expected = answers
            .next()
            .expect("the oracle answers every case")
            .unwrap();
        assert_eq!(case.answer(), expected, "seed {seed}: {}", case.question());
        kinds.count(&expected);
    }
    writer.join().unwrap();
    assert!(oracle.wait().unwrap().success());
    say(&format!("differential: {CASES} cases agree: {kinds:?}"));
    // Seeds differ, but a generator that no longer reaches a kind of answer must not pass unseen.
    for (kind, count, least) in [
        ("exact", kinds.exact, CASES / 4),
        ("rounded", kinds.rounded, CASES / 4),
        ("with a fraction", kinds.with_fraction, CASES / 5),
        (
            "rounded without a fraction",
            kinds.rounded - kinds.with_fraction,
            CASES / 400,
        ),
        ("repeating", kinds.repeating, CASES / 40),
        ("scientific", kinds.scientific, CASES / 400),
        ("refused", kinds.refused, CASES / 2_000),
    ] {
        assert!(count >= least, "only {count} cases are {kind}");
    }
}

struct Case {
    operation: Operation,
    x: String,
    y: String,
    precision: Option<u64>,
}

impl Case {
    fn random(random: &mut Random) -> Self {
        let operation = Operation::ALL[random.below(4)];
        let (x, y) = match random.below(100) {
            // Small integers, for short periods and exact quotients.
            0..40 => (random.small(), random.small()),
            // What people type.
            40..85 => (random.operand(20, 12), random.operand(20, 12)),
            // Related operands: cancellation, halves, common factors.
            85..95 => {
                let x = random.operand(40, 30);
                let y = format!("{}{x}", random.below(9));
                let y = y.replace(['-', '+'], "");
                (x, y)
            }
            95..99 => (random.operand(300, 400), random.operand(300, 400)),
            _ => (random.operand(990, 9_000), random.operand(990, 9_000)),
        };
        let precision = match random.below(10) {
            0..5 => None,
            5..8 => Some(1 + random.below(8) as u64),
            8 => Some(1 + random.below(60) as u64),
            _ => Some(1 + random.below(1_000) as u64),
        };
        Self {
            operation,
            x,
            y,
            precision,
        }
    }

    fn question(&self) -> String {
        let precision = self
            .precision
            .map_or(String::from("-"), |digits| digits.to_string());
        format!("{} {} {} {precision}", self.operation, self.x, self.y)
    }

    fn answer(&self) -> String {
        let [x, y]: [Number; 2] =
            [&self.x, &self.y].map(|text| text.parse().expect("generated within bounds"));
        let precision = self
            .precision
            .map(|digits| Precision::try_from(digits).unwrap());
        match calculate(self.operation, x, y, precision) {
            Ok(answer) => [
                answer.x.to_string(),
                answer.y.to_string(),
                answer.result,
                String::from(if answer.exact { "exact" } else { "rounded" }),
                answer.fraction.unwrap_or(String::from("-")),
                answer.repeating.unwrap_or(String::from("-")),
            ]
            .join("\t"),
            Err(error) => String::from(error.kind()),
        }
    }
}

/// SplitMix64: small, and good enough to pick cases.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }

    fn sign(&mut self) -> &'static str {
        ["", "", "", "-", "+"][self.below(5)]
    }

    fn small(&mut self) -> String {
        let bound = [10, 100, 1_000, 5_000][self.below(4)];
        format!("{}{}", self.sign(), self.below(bound))
    }

    /// At most so many digits, and an exponent of at most that size in either direction.
    fn operand(&mut self, most_digits: usize, most_exponent: usize) -> String {
        let length = 1 + self.below(most_digits);
        let style = self.below(6);
        let mut text: String = (0..length)
            .map(|_| match style {
                // Runs of nines and zeros, and halves, are where carries and ties are.
                0 => ['0', '9'][self.below(2)],
                1 => ['0', '0', '0', '5'][self.below(4)],
                _ => char::from(b'0' + self.below(10) as u8),
            })
            .collect();
        if self.below(3) > 0 {
            text.insert(self.below(length + 1), '.');
        }
        if self.below(3) == 0 {
            let sign = ["", "-", "+"][self.below(3)];
            text.push_str(&format!(
                "{}{sign}{}",
                ["e", "E"][self.below(2)],
                self.below(most_exponent)
            ));
        }
        format!("{}{text}", self.sign())
    }
}

#[derive(Default, Debug)]
struct Kinds {
    exact: usize,
    rounded: usize,
    with_fraction: usize,
    repeating: usize,
    scientific: usize,
    refused: usize,
}

impl Kinds {
    fn count(&mut self, answer: &str) {
        let fields: Vec<_> = answer.split('\t').collect();
        let &[_, _, result, said, fraction, repeating] = &fields[..] else {
            self.refused += 1;
            return;
        };
        self.exact += usize::from(said == "exact");
        self.rounded += usize::from(said == "rounded");
        self.with_fraction += usize::from(fraction != "-");
        self.repeating += usize::from(repeating != "-");
        self.scientific += usize::from(result.contains('e'));
    }
}

/// A line that the test harness does not capture.
fn say(line: &str) {
    io::stderr()
        .write_all(format!("{line}\n").as_bytes())
        .unwrap();
}
