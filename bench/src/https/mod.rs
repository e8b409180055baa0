//! Processor time of one HTTPS request and of one handshake: sums worked out by recado, beside a constant that nginx
//! repeats and sums by what a user would write instead.

mod loads;
mod servers;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};

use self::loads::Done;
use self::servers::{Running, Server};
use crate::footprint::family;
use crate::page::{Section, table};
use crate::process::Workshop;
use crate::{files, machine, packages, recado_binary};

const SECTION: Section = Section {
    name: "https",
    heading: "Processor time per HTTPS request",
};

const ROUNDS: usize = 3;
const SECONDS: u32 = 5;

/// Handshakes that are measured: two seconds of the faster server's time.
const HANDSHAKES: u32 = 20_000;

/// Seconds, and handshakes, before anything is counted: what is allocated and looked up once is not a request's.
const WARM_UP_SECONDS: u32 = 1;
const WARM_UP_HANDSHAKES: u32 = 200;

#[derive(clap::Args)]
pub(crate) struct Options {
    /// How long each load lasts
    #[arg(long, value_name = "SECONDS", default_value_t = SECONDS, value_parser = clap::value_parser!(u32).range(1..=600))]
    seconds: u32,
    /// How often each server is measured
    #[arg(long, value_name = "N", default_value_t = ROUNDS)]
    rounds: usize,
    /// Only these; the page is left as it is
    #[arg(long, value_name = "NAME")]
    server: Vec<Server>,
    /// Measure this program instead of building it; the page is left as it is
    #[arg(long, value_name = "FILE")]
    recado: Option<PathBuf>,
}

/// What one load cost.
#[derive(Clone, Copy, Debug)]
struct Cost {
    /// Processor time of each request or handshake.
    each: Duration,
    p99: Duration,
}

/// What one round found of one server.
#[derive(Clone, Copy, Debug)]
struct Measured {
    http1: Cost,
    /// Of those that are fast.
    http2: Option<Cost>,
    handshake: Option<Cost>,
}

pub(crate) async fn run(options: Options) -> Result<()> {
    let is_standard = options.seconds == SECONDS
        && options.rounds == ROUNDS
        && options.server.is_empty()
        && options.recado.is_none();
    let servers = match options.server.as_slice() {
        [] => Server::ALL.to_vec(),
        chosen => chosen.to_vec(),
    };
    files::allow(4096)?;
    packages::provide_from(&[
        ("nginx", "nginx"),
        ("wrk", "wrk"),
        ("h2load", "nghttp2-client"),
        ("taskset", "util-linux"),
    ])?;
    if servers.contains(&Server::Fastapi) {
        servers::environment()?;
    }
    let programs = Workshop::new()?;
    let recado = match options.recado {
        Some(program) => program.canonicalize().context("--recado")?,
        None if servers.contains(&Server::Recado) => recado_binary::build(programs.path())?,
        None => PathBuf::new(),
    };
    let load = machine::load();
    let mut found: Vec<Vec<Measured>> = vec![Vec::new(); servers.len()];
    for round in 1..=options.rounds {
        for (server, found) in servers.iter().zip(&mut found) {
            let measured = measure(*server, &recado, options.seconds)
                .await
                .with_context(|| server.name())?;
            println!(
                "round {round}, {}: {:.1} µs per request",
                server.name(),
                micros(measured.http1.each)
            );
            found.push(measured);
        }
    }
    let result = describe(&servers, &found, options.rounds, options.seconds, &load)?;
    println!("\n{result}\n");
    if is_standard {
        SECTION.write(&result)?;
    }
    Ok(())
}

/// One round of one server.
async fn measure(server: Server, recado: &Path, seconds: u32) -> Result<Measured> {
    let Running {
        process: running,
        address,
    } = server.start(Workshop::new()?, recado)?;
    let process = running.id();
    loads::http1(address, WARM_UP_SECONDS)?;
    let http1 = cost(process, async { loads::http1(address, seconds) }).await?;
    if !server.is_fast() {
        return Ok(Measured {
            http1,
            http2: None,
            handshake: None,
        });
    }
    loads::http2(address, WARM_UP_SECONDS)?;
    let http2 = cost(process, async { loads::http2(address, seconds) }).await?;
    loads::handshakes(address, WARM_UP_HANDSHAKES).await?;
    let handshake = cost(process, loads::handshakes(address, HANDSHAKES)).await?;
    Ok(Measured {
        http1,
        http2: Some(http2),
        handshake: Some(handshake),
    })
}

/// The processor time of a server and all below it, for each of what was done meanwhile.
async fn cost(process: u32, load: impl Future<Output = Result<Done>>) -> Result<Cost> {
    let before = times(process)?;
    let done = load.await?;
    let used = times(process)?.saturating_sub(before);
    Ok(Cost {
        each: used.div_f64(done.count.max(1) as f64),
        p99: done.p99,
    })
}

/// The processor time of a process and all below it, user and system, with the threads that have ended.
fn times(process: u32) -> Result<Duration> {
    let mut sum = Duration::ZERO;
    for process in family(process) {
        let path = format!("/proc/{process}/stat");
        let stat = fs::read_to_string(&path).with_context(|| path.clone())?;
        sum += parse_stat(&stat).context(path)?;
    }
    Ok(sum)
}

/// `utime` and `stime` of proc_pid_stat(5), which Linux tells in hundredths of a second.
fn parse_stat(stat: &str) -> Option<Duration> {
    // The name before them may have spaces and parentheses in it.
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_whitespace().skip(11);
    let mut ticks = || fields.next()?.parse::<u64>().ok();
    Some(Duration::from_millis(10 * (ticks()? + ticks()?)))
}

/// The result as it stands on the page.
fn describe(
    servers: &[Server],
    found: &[Vec<Measured>],
    rounds: usize,
    seconds: u32,
    load: &str,
) -> Result<String> {
    let of_recado = servers
        .iter()
        .zip(found)
        .find(|(server, _)| **server == Server::Recado)
        .map(|(_, rounds)| median(rounds, |it| Some(micros(it.http1.each))));
    let mut rows = vec![
        [
            "server",
            "HTTP/1.1, µs",
            "× recado",
            "p99, ms",
            "HTTP/2, µs",
            "p99, ms",
            "handshake, µs",
        ]
        .map(str::to_owned)
        .to_vec(),
    ];
    for (server, rounds) in servers.iter().zip(found) {
        let cell = |value: Option<f64>, digits: usize| {
            value.map_or_else(|| "–".to_owned(), |value| format!("{value:.digits$}"))
        };
        let http1 = median(rounds, |it| Some(micros(it.http1.each)));
        let ratio = http1
            .zip(of_recado.flatten())
            .map(|(own, recado)| own / recado);
        rows.push(vec![
            server.title()?,
            cell(http1, 1),
            cell(ratio, 2),
            cell(median(rounds, |it| Some(micros(it.http1.p99) / 1e3)), 2),
            cell(median(rounds, |it| Some(micros(it.http2?.each))), 1),
            cell(median(rounds, |it| Some(micros(it.http2?.p99) / 1e3)), 2),
            cell(median(rounds, |it| Some(micros(it.handshake?.each))), 0),
        ]);
    }
    Ok(format!(
        "{}; {load}.\n`cargo xtask bench {}`: {seconds} s a load, medians of {rounds} rounds.\n\n{}",
        machine::describe(),
        SECTION.name,
        table(&rows)
    ))
}

fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}

/// The median of what rounds found, if they all found something.
fn median(rounds: &[Measured], value: impl Fn(&Measured) -> Option<f64>) -> Option<f64> {
    let mut values: Vec<_> = rounds.iter().map(value).collect::<Option<_>>()?;
    values.sort_by(f64::total_cmp);
    let upper = values.get(values.len() / 2)?;
    let lower = values.get(values.len().saturating_sub(1) / 2)?;
    Some((upper + lower) / 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn user_and_system_time_are_read() {
        let stat = "7 (a (b) c) S 1 7 7 0 -1 4194560 100 0 0 0 123 45 0 0 20 0 4 0 100 1000 10";
        assert_eq!(parse_stat(stat), Some(Duration::from_millis(1_680)));
        assert_eq!(parse_stat("7 (a) S 1"), None);
    }

    #[test]
    fn a_median_needs_all_rounds() {
        let cost = |micros| Cost {
            each: Duration::from_micros(micros),
            p99: Duration::ZERO,
        };
        let measured = |micros, is_fast: bool| Measured {
            http1: cost(micros),
            http2: is_fast.then(|| cost(micros)),
            handshake: None,
        };
        let rounds = [measured(5, true), measured(1, true), measured(2, false)];
        let of = |value: fn(&Measured) -> Option<Cost>| {
            median(&rounds, |it| Some(micros(value(it)?.each)))
        };
        assert!(of(|it| Some(it.http1)).is_some_and(|median| (median - 2.0).abs() < 1e-9));
        assert_eq!(of(|it| it.http2), None);
    }
}
