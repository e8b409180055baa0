//! What end-to-end encryption costs: the keys alone, and whole clients.

mod chats;
mod keys;

use std::path::PathBuf;

use anyhow::{Context, Result};

use self::chats::Chats;
use self::keys::Keys;
use crate::page::{Section, table};
use crate::process::Workshop;
use crate::{machine, recado_binary};

const SECTION: Section = Section {
    name: "e2e",
    heading: "End-to-end encryption",
};

/// As long as those of `mail`.
const TEXT: usize = 100;

const MESSAGES: usize = 10_000;
const ROUNDS: usize = 3;

/// Messages in one transaction, as they come alone and under load.
const BATCHES: [usize; 3] = [1, 16, 256];

#[derive(clap::Args)]
pub(crate) struct Options {
    /// Messages in a round
    #[arg(long, value_name = "N", default_value_t = MESSAGES, value_parser = count)]
    messages: usize,
    /// How often each is measured
    #[arg(long, value_name = "N", default_value_t = ROUNDS, value_parser = count)]
    rounds: usize,
    /// Measure this program instead of building it; the page is left as it is
    #[arg(long, value_name = "FILE")]
    recado: Option<PathBuf>,
    /// Measure this one too, as one of before; the page is left as it is
    #[arg(long, value_name = "FILE")]
    other: Option<PathBuf>,
}

fn count(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(count @ 1..=1_000_000) => Ok(count),
        _ => Err("from 1 to 1000000".to_owned()),
    }
}

pub(crate) fn run(options: Options) -> Result<()> {
    let is_standard = (options.messages, options.rounds) == (MESSAGES, ROUNDS)
        && options.recado.is_none()
        && options.other.is_none();
    let programs = Workshop::new()?;
    let recado = match &options.recado {
        Some(program) => program.canonicalize().context("--recado")?,
        None => recado_binary::build(programs.path())?,
    };
    let keys = keys_table(&options);
    let mut rows = vec![heads(&[
        "client",
        "outstanding",
        "messages/s",
        "sender, µs",
        "recipient, µs",
        "server, µs",
    ])];
    let mut measure = |title: &str, program: &PathBuf| -> Result<()> {
        for (outstanding, messages) in [(options.messages, options.messages), (1, 200)] {
            let measured = (0..options.rounds)
                .map(|_| Chats::measure(program, messages, outstanding))
                .collect::<Result<Vec<_>>>()?;
            let of = |what: fn(&Chats) -> f64| median(measured.iter().map(what).collect());
            let outstanding = match outstanding {
                1 => "1".to_owned(),
                _ => "all".to_owned(),
            };
            let row = vec![
                title.to_owned(),
                outstanding,
                format!("{:.0}", of(|it| it.per_second)),
                format!("{:.0}", of(|it| it.sender_us)),
                format!("{:.0}", of(|it| it.recipient_us)),
                format!("{:.0}", of(|it| it.server_us)),
            ];
            println!("{row:?}");
            rows.push(row);
        }
        Ok(())
    };
    measure(&format!("recado {}", env!("CARGO_PKG_VERSION")), &recado)?;
    if let Some(other) = &options.other {
        measure("the other", &other.canonicalize().context("--other")?)?;
    }
    let result = format!(
        "{}.\n`cargo xtask bench {}`: texts of {TEXT} bytes, {} messages, medians of {} rounds. Processor time of each \
         message, in microseconds.\n\nThe keys alone:\n\n{}\n\nWhole programs, `recado chat --json` on both sides, with \
         their databases, and `recado serve`:\n\n{}",
        machine::describe(),
        SECTION.name,
        options.messages,
        options.rounds,
        table(&keys),
        table(&rows)
    );
    println!("\n{result}\n");
    if is_standard {
        SECTION.write(&result)?;
    }
    Ok(())
}

/// A row for each size of a transaction, and one for the least that it could be.
fn keys_table(options: &Options) -> Vec<Vec<String>> {
    let mut rows = vec![heads(&[
        "messages in a transaction",
        "sealed, µs",
        "opened, µs",
        "bytes",
    ])];
    for batch in BATCHES {
        let rounds: Vec<_> = (0..options.rounds)
            .map(|_| Keys::measure(options.messages, batch))
            .collect();
        rows.push(vec![
            batch.to_string(),
            format!(
                "{:.1}",
                median(rounds.iter().map(|it| it.seal_us).collect())
            ),
            format!(
                "{:.1}",
                median(rounds.iter().map(|it| it.open_us).collect())
            ),
            rounds.first().map_or(0, |it| it.bytes).to_string(),
        ]);
        println!("{:?}", rows.last());
    }
    let bare: Vec<_> = (0..options.rounds)
        .map(|_| keys::bare(options.messages))
        .collect();
    rows.push(vec![
        "bare AES-128-GCM, keys by HKDF".to_owned(),
        format!("{:.1}", median(bare.iter().map(|it| it.seal_us).collect())),
        format!("{:.1}", median(bare.iter().map(|it| it.open_us).collect())),
        bare.first().map_or(0, |it| it.bytes).to_string(),
    ]);
    rows
}

fn heads(heads: &[&str]) -> Vec<String> {
    heads.iter().map(ToString::to_string).collect()
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}

/// What is said.
fn text() -> String {
    "x".repeat(TEXT)
}
