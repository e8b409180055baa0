//! What private messages cost a server, and how fast they are: recado, which has them on disk before it says so, beside
//! a bare relay and servers that people use for the like.

mod chat;
mod commit;
pub(crate) mod cpu;
mod dialect;
mod irc;
mod load;
mod mqtt;
mod nats;
pub(crate) mod reference;
mod servers;

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};

use self::commit::Commit;
use self::cpu::Processors;
use self::load::{Load, Measured, Shape, TEXT};
use self::servers::Server;
use crate::page::{Section, table};
use crate::process::Workshop;
use crate::{files, machine, packages, recado_binary};

const SECTION: Section = Section {
    name: "mail",
    heading: "Private messages",
};

const PAIRS: usize = 100;
const OUTSTANDING: u64 = 64;
const ROUNDS: usize = 3;

/// How long each shape is measured in a round.
const SECONDS: f64 = 2.0;

#[derive(clap::Args)]
pub(crate) struct Options {
    /// How often each server is measured
    #[arg(long, value_name = "N", default_value_t = ROUNDS, value_parser = rounds)]
    rounds: usize,
    /// How long each shape is measured in a round
    #[arg(long, value_name = "S", default_value_t = SECONDS, value_parser = seconds)]
    seconds: f64,
    /// Only these; the page is left as it is
    #[arg(long, value_name = "NAME")]
    server: Vec<Server>,
    /// Measure this program instead of building it; the page is left as it is
    #[arg(long, value_name = "FILE")]
    recado: Option<PathBuf>,
}

fn rounds(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(rounds @ 1..=99) => Ok(rounds),
        _ => Err("from 1 to 99".to_owned()),
    }
}

fn seconds(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(seconds) if (0.1..=60.0).contains(&seconds) => Ok(seconds),
        _ => Err("from 0.1 to 60".to_owned()),
    }
}

/// Many messages in each write, one in each, and one alone.
const SHAPES: [Shape; 3] = [
    Shape {
        pairs: PAIRS,
        outstanding: OUTSTANDING,
    },
    Shape {
        pairs: PAIRS,
        outstanding: 1,
    },
    Shape {
        pairs: 1,
        outstanding: 1,
    },
];

pub(crate) async fn run(options: Options) -> Result<()> {
    let is_standard = options.rounds == ROUNDS
        && options.seconds == SECONDS
        && options.server.is_empty()
        && options.recado.is_none();
    let servers = match options.server.as_slice() {
        [] => Server::ALL.to_vec(),
        chosen => chosen.to_vec(),
    };
    files::allow(2 * PAIRS as u64)?;
    let others: Vec<_> = servers.iter().filter_map(|it| it.package()).collect();
    packages::provide(&others)?;
    let folder = Workshop::new()?;
    let recado = match options.recado {
        Some(program) => program.canonicalize().context("--recado")?,
        None if servers.contains(&Server::Recado) => recado_binary::build(folder.path())?,
        None => PathBuf::new(),
    };
    let processors = Processors::choose()?;
    let time = Duration::from_secs_f64(options.seconds);

    let mut commits = Vec::new();
    let mut found: Vec<Vec<[Measured; SHAPES.len()]>> = vec![Vec::new(); servers.len()];
    for round in 1..=options.rounds {
        commits.push(commit::measure(folder.path())?);
        for (server, found) in servers.iter().zip(&mut found) {
            let (server, recado) = (*server, recado.clone());
            // On a thread that may be held to a processor, and that ends the server when this one is interrupted.
            let measured =
                tokio::task::spawn_blocking(move || measure(server, &recado, processors, time))
                    .await?
                    .with_context(|| server.name())?;
            for (shape, measured) in SHAPES.iter().zip(&measured) {
                println!(
                    "round {round}, {}, {} × {}: {:.2} s per million, {:.0} a second",
                    server.name(),
                    shape.pairs,
                    shape.outstanding,
                    measured.cpu,
                    measured.rate
                );
            }
            found.push(measured);
        }
    }
    let result = describe(&servers, &found, &commits, options.rounds);
    println!("\n{result}\n");
    if is_standard {
        SECTION.write(&result)?;
    }
    Ok(())
}

/// One round of one server.
fn measure(
    server: Server,
    recado: &Path,
    processors: Option<Processors>,
    time: Duration,
) -> Result<[Measured; SHAPES.len()]> {
    if let Some(processors) = processors {
        processors.start_server()?;
    }
    let running = server.start(recado)?;
    if let Some(processors) = processors {
        processors.load()?;
    }
    let mut load = Load::open(&running, PAIRS)?;
    let mut found: [Measured; SHAPES.len()] = Default::default();
    for (shape, found) in SHAPES.iter().zip(&mut found) {
        *found = load
            .measure(*shape, time, running.process())
            .with_context(|| format!("{} × {}", shape.pairs, shape.outstanding))?;
    }
    Ok(found)
}

/// The result as it stands on the page.
fn describe(
    servers: &[Server],
    found: &[Vec<[Measured; SHAPES.len()]>],
    commits: &[Commit],
    rounds: usize,
) -> String {
    let mut rows = vec![
        [
            "server",
            "pairs × outstanding",
            "CPU s per million",
            "messages/s",
            "server busy",
            "p50 µs",
            "p99 µs",
        ]
        .map(str::to_owned)
        .to_vec(),
    ];
    for (at, shape) in SHAPES.iter().enumerate() {
        for (server, rounds) in servers.iter().zip(found) {
            let of = |value: fn(&Measured) -> f64| {
                median(rounds.iter().map(|round| value(&round[at])).collect())
            };
            let latency = |part: f64| {
                if shape.outstanding > 1 {
                    return String::new();
                }
                let each = rounds.iter().map(|round| &round[at].latencies);
                let each = each.map(|latencies| percentile(latencies.clone(), part));
                format!("{:.0}", median(each.collect()))
            };
            rows.push(vec![
                server.title(),
                format!("{} × {}", shape.pairs, shape.outstanding),
                format!("{:.2}", of(|it| it.cpu)),
                format!("{:.0}", of(|it| it.rate)),
                format!("{:.0} %", 100.0 * of(|it| it.busy)),
                latency(0.5),
                latency(0.99),
            ]);
        }
    }
    let commit = |value: fn(&Commit) -> f64| median(commits.iter().map(value).collect());
    format!(
        "{}.\n`cargo xtask bench {}`: messages of {TEXT} bytes over TLS, medians of {rounds} rounds. One commit (4 KiB \
         written over, and `fdatasync`) takes {:.0} µs here, {:.0} µs of them processor time.\n\n{}",
        machine::describe(),
        SECTION.name,
        commit(|it| it.elapsed),
        commit(|it| it.cpu),
        table(&rows)
    )
}

fn median(values: Vec<f64>) -> f64 {
    percentile(values, 0.5)
}

/// The least value that so large a part of them does not exceed.
fn percentile(mut values: Vec<f64>, part: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    let rank = (values.len() as f64 * part).ceil() as usize;
    values.get(rank.saturating_sub(1)).copied().unwrap_or(0.0)
}
